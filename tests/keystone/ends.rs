//! Tokens that end in the middle of a run: expired, revoked, and those that cannot be replaced.

use std::sync::Arc;

use coriolis_run::client::{Access, Identity};
use coriolis_run::error::Kind;
use coriolis_run::secret::ExposeSecret;
use reqwest::Method;
use serde_json::json;

use crate::world::{Tenant, World, told, who, world};

fn logged_in(world: &World, url: &str) -> (Tenant, Arc<dyn Identity>, Access) {
    let tenant = world.tenant();
    let environment = [
        ("OS_AUTH_URL", url),
        ("OS_USERNAME", &tenant.user),
        ("OS_PASSWORD", &tenant.password),
        ("OS_PROJECT_NAME", &tenant.project),
    ];
    let identity = world.identity(&[], &environment).unwrap();
    let access = world.block_on(identity.access()).unwrap();
    (tenant, identity, access)
}

fn text(access: &Access) -> &str {
    access.token.as_ref().unwrap().expose_secret()
}

#[test]
fn a_revoked_token_is_replaced_once_for_all_lanes() {
    let world = world();
    let (_, identity, first) = logged_in(world, &world.url);
    let client = world.client(identity.clone());
    who(&client).unwrap();
    world.revoke(text(&first));
    let lanes: Vec<_> = (0..16)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || who(&client).map(|_| ()))
        })
        .collect();
    for lane in lanes {
        lane.join().unwrap().unwrap();
    }
    assert_eq!(world.block_on(identity.access()).unwrap().login, 2);
}

#[test]
fn an_expired_token_is_replaced_before_or_after_it_is_refused() {
    let world = world();
    let (_, identity, first) = logged_in(world, &world.brief_url);
    world.until_expired(text(&first));
    let second = world.block_on(identity.access()).unwrap();
    assert!(second.login > first.login, "it ends by its own word, so it is not even tried");
    let renewed = world.block_on(identity.renew(&first)).unwrap();
    assert!(renewed.login > first.login);
    world.until_expired(text(&renewed));
    who(&world.client(identity)).unwrap();
}

#[test]
fn a_bare_token_that_ends_is_told_with_the_way_out() {
    let world = world();
    let tenant = world.tenant();
    let token = world.token(&tenant);
    let environment = [("OS_AUTH_URL", world.url.as_str()), ("OS_TOKEN", token.as_str())];
    let client = world.client(world.identity(&[], &environment).unwrap());
    who(&client).unwrap();
    world.revoke(&token);
    let expected = "login: the token has expired or was revoked, and it is all there is | get a new one (`openstack \
                    token issue`) and give it as `OS_TOKEN` in the environment, or give a password";
    assert_eq!(told(&who(&client).unwrap_err()), expected);
    let error = world.who(&[], &environment).unwrap_err();
    assert_eq!(error.kind, Kind::Login, "a new run is refused at its login, be it with 401 or 404: {}", told(&error));
}

#[test]
fn a_password_changed_in_the_middle_ends_in_one_login_error() {
    let world = world();
    let (tenant, identity, _) = logged_in(world, &world.url);
    let client = world.client(identity);
    who(&client).unwrap();
    let change = json!({"user": {"password": "another-password"}});
    let (status, answer) = world.ask(Method::PATCH, &format!("users/{}", tenant.user_id), Some(change));
    assert_eq!(status, 200, "{answer}");
    let error = who(&client).unwrap_err();
    assert_eq!((error.kind, error.status()), (Kind::Login, Some(401)), "{}", told(&error));
}
