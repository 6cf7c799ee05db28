//! What is refused, and how it is told.

use coriolis_run::error::Kind;
use reqwest::Method;

use crate::world::{told, world};

#[test]
fn whatever_is_wrong_with_a_login_is_a_login_error_without_the_password() {
    let world = world();
    let tenant = world.tenant();
    let elsewhere = world.project();
    let right = [
        ("OS_AUTH_URL", world.url.as_str()),
        ("OS_USERNAME", &tenant.user),
        ("OS_PASSWORD", &tenant.password),
        ("OS_PROJECT_NAME", &tenant.project),
    ];
    let wrong = [
        ("OS_PASSWORD", "not-the-password"),
        ("OS_USERNAME", "nobody"),
        ("OS_PROJECT_NAME", "nothing"),
        ("OS_PROJECT_ID", elsewhere.as_str()),
        ("OS_USER_DOMAIN_NAME", "nowhere"),
        ("OS_TOKEN", "garbage"),
    ];
    let mut failures = Vec::new();
    for (name, value) in wrong {
        let error = world.who(&[], &[&right[..], &[(name, value)]].concat()).unwrap_err();
        let leaks = ["not-the-password", &tenant.password].iter().any(|secret| format!("{error:?}").contains(secret));
        if error.kind != Kind::Login || leaks {
            failures.push(format!("{name}: {}", told(&error)));
        }
    }
    assert_eq!(failures, [""; 0]);
}

#[test]
fn a_wrong_password_is_told_with_every_place_to_look_at() {
    let world = world();
    let tenant = world.tenant();
    let environment = [
        ("OS_AUTH_URL", world.url.as_str()),
        ("OS_USERNAME", &tenant.user),
        ("OS_PASSWORD", "not-the-password"),
        ("OS_PROJECT_NAME", &tenant.project),
    ];
    let error = world.who(&["--os-user-domain-id", "default"], &environment).unwrap_err();
    assert_eq!(error.status(), Some(401));
    assert!(error.details["request_id"].as_str().unwrap().starts_with("req-"));
    assert_eq!(
        told(&error),
        format!(
            "login: Keystone refuses user `{}` for project `{}` (HTTP 401): The request you have made requires \
             authentication | check the user (`OS_USERNAME` in the environment), its domain `default` \
             (`--os-user-domain-id`), the password (`OS_PASSWORD` in the environment), the project (`OS_PROJECT_NAME` \
             in the environment), its domain (not given, so `Default`), that the user has a role there",
            tenant.user, tenant.project
        )
    );
}

#[test]
fn an_application_credential_with_a_wrong_secret_or_deleted() {
    let world = world();
    let tenant = world.tenant();
    let (id, _, secret) = world.application_credential(&tenant);
    let told = |secret: &str| {
        let environment = [
            ("OS_AUTH_URL", world.url.as_str()),
            ("OS_APPLICATION_CREDENTIAL_ID", &id),
            ("OS_APPLICATION_CREDENTIAL_SECRET", secret),
        ];
        let error = world.who(&[], &environment).unwrap_err();
        (error.kind, error.status())
    };
    assert_eq!(told("wrong"), (Kind::Login, Some(401)));
    let path = format!("users/{}/application_credentials/{id}", tenant.user_id);
    assert_eq!(world.ask_as(&world.token(&tenant), Method::DELETE, &path, None).0, 204);
    assert_eq!(told(&secret), (Kind::Login, Some(404)));
}
