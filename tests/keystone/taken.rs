//! What is taken: each kind of credential, each spelling of a URL, each choice from the catalog.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Tenant, World, told, world};

/// The variables of an openrc file of `tenant`, with more or others behind.
fn openrc<'a>(world: &'a World, tenant: &'a Tenant, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let own = [
        ("OS_AUTH_URL", world.url.as_str()),
        ("OS_USERNAME", &tenant.user),
        ("OS_PASSWORD", &tenant.password),
        ("OS_PROJECT_NAME", &tenant.project),
    ];
    own.into_iter().chain(more.iter().copied()).collect()
}

fn is(tenant: &Tenant) -> Value {
    is_at(tenant, "")
}

fn is_at(tenant: &Tenant, folder: &str) -> Value {
    json!({"user": tenant.user_id, "project": tenant.project_id, "folder": folder})
}

#[test]
fn a_password_with_names_or_ids() {
    let world = world();
    let tenant = world.tenant();
    let (url, password) = (world.url.as_str(), tenant.password.as_str());
    let domains = [("OS_USER_DOMAIN_NAME", "Default"), ("OS_PROJECT_DOMAIN_ID", "default")];
    assert_eq!(world.who(&[], &openrc(world, &tenant, &[])).unwrap(), is(&tenant));
    assert_eq!(world.who(&[], &openrc(world, &tenant, &domains)).unwrap(), is(&tenant));
    for project in [
        ("OS_PROJECT_ID", &tenant.project_id),
        ("OS_TENANT_ID", &tenant.project_id),
        ("OS_TENANT_NAME", &tenant.project),
    ] {
        let environment =
            [("OS_AUTH_URL", url), ("OS_USER_ID", &tenant.user_id), ("OS_PASSWORD", password), (project.0, project.1)];
        assert_eq!(world.who(&[], &environment).unwrap(), is(&tenant), "{}", project.0);
    }
    let flags = ["-A", url, "-U", &tenant.user, "-P", password, "-T", &tenant.project];
    assert_eq!(world.who(&flags, &[]).unwrap(), is(&tenant));
}

#[test]
fn users_and_projects_of_another_domain() {
    let world = world();
    let (id, name) = world.domain();
    let tenant = world.tenant_in(&id);
    for domains in [
        [("OS_USER_DOMAIN_NAME", name.as_str()), ("OS_PROJECT_DOMAIN_NAME", &name)],
        [("OS_USER_DOMAIN_ID", &id), ("OS_PROJECT_DOMAIN_ID", &id)],
        [("OS_DEFAULT_DOMAIN", &id), ("OS_INTERFACE", "public")],
    ] {
        assert_eq!(world.who(&[], &openrc(world, &tenant, &domains)).unwrap(), is(&tenant), "{domains:?}");
    }
}

#[test]
fn every_spelling_of_the_url() {
    let world = world();
    let tenant = world.tenant();
    for path in ["", "/", "/v3", "/v3/", "/v2.0", "/v2.0/"] {
        let url = format!("{}{path}", world.url);
        assert_eq!(world.who(&["-A", &url], &openrc(world, &tenant, &[])).unwrap(), is(&tenant), "{url}");
    }
}

#[test]
fn clouds_yaml_with_secure_yaml() {
    let world = world();
    let tenant = world.tenant();
    let (credential, _, secret) = world.application_credential(&tenant);
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(&tenant.project_id);
    std::fs::create_dir_all(&folder).unwrap();
    let clouds = json!({"clouds": {
        "person": {"region_name": "RegionOne", "auth": {"auth_url": world.url, "username": tenant.user,
            "user_domain_name": "Default", "project_name": tenant.project, "project_domain_name": "Default"}},
        "robot": {"region_name": "RegionOne", "auth_type": "v3applicationcredential",
            "auth": {"auth_url": world.url, "application_credential_id": credential}},
    }});
    let secure = json!({"clouds": {
        "person": {"auth": {"password": tenant.password}},
        "robot": {"auth": {"application_credential_secret": secret}},
    }});
    let path = folder.join("clouds.yaml");
    std::fs::write(&path, clouds.to_string()).unwrap();
    std::fs::write(folder.join("secure.yaml"), secure.to_string()).unwrap();
    let file = ("OS_CLIENT_CONFIG_FILE", path.to_str().unwrap());
    assert_eq!(world.who(&["--os-cloud", "person"], &[file]).unwrap(), is(&tenant));
    assert_eq!(world.who(&["--os-cloud", "robot"], &[file]).unwrap(), is(&tenant));
    assert_eq!(world.who(&[], &[file, ("OS_CLOUD", "robot")]).unwrap(), is(&tenant));
}

#[test]
fn a_token_of_the_project_is_used_as_it_is() {
    let world = world();
    let tenant = world.tenant();
    let token = world.token(&tenant);
    let url = ("OS_AUTH_URL", world.url.as_str());
    let project = [("OS_PROJECT_NAME", tenant.project.as_str()), ("OS_PROJECT_DOMAIN_NAME", "Default")];
    for environment in [
        vec![url, ("OS_TOKEN", &token)],
        vec![url, ("OS_AUTH_TOKEN", &token), project[0], project[1]],
        vec![url, ("OS_AUTH_TOKEN", &token), project[0], ("OS_USER_DOMAIN_NAME", "Default"), ("OS_USERNAME", "x")],
    ] {
        let identity = world.identity(&[], &environment).unwrap();
        let access = world.block_on(identity.access()).unwrap();
        assert!(coriolis_run::secret::ExposeSecret::expose_secret(&access.token.unwrap()) == token, "another token");
        assert_eq!(world.who(&[], &environment).unwrap(), is(&tenant));
    }
}

#[test]
fn a_token_of_another_project_or_none_is_exchanged() {
    let world = world();
    let tenant = world.tenant();
    let other = world.project();
    world.grant(&tenant, &other);
    let unscoped = world.token_for(json!({"identity": {"methods": ["password"],
        "password": {"user": {"id": tenant.user_id, "password": tenant.password}}}}));
    for token in [world.token(&tenant), unscoped.clone()] {
        let environment = [("OS_AUTH_URL", world.url.as_str()), ("OS_TOKEN", &token), ("OS_PROJECT_ID", &other)];
        let expected = json!({"user": tenant.user_id, "project": other, "folder": ""});
        assert_eq!(world.who(&[], &environment).unwrap(), expected);
    }
    let error = world.who(&[], &[("OS_AUTH_URL", world.url.as_str()), ("OS_TOKEN", &unscoped)]).unwrap_err();
    assert_eq!(
        told(&error),
        "login: the token of `OS_TOKEN` in the environment holds for no project | name the project with \
         `OS_PROJECT_NAME` or `OS_PROJECT_ID`"
    );
}

#[test]
fn an_application_credential_by_id_by_name_and_by_its_token() {
    let world = world();
    let tenant = world.tenant();
    let (id, name, secret) = world.application_credential(&tenant);
    let token = world.token_for(json!({"identity": {"methods": ["application_credential"],
        "application_credential": {"id": id, "secret": secret}}}));
    let url = ("OS_AUTH_URL", world.url.as_str());
    let secret = ("OS_APPLICATION_CREDENTIAL_SECRET", secret.as_str());
    let by_name = ("OS_APPLICATION_CREDENTIAL_NAME", name.as_str());
    for environment in [
        vec![url, ("OS_APPLICATION_CREDENTIAL_ID", &id), secret],
        vec![url, ("OS_APPLICATION_CREDENTIAL_ID", &id), secret, ("OS_PROJECT_NAME", "ignored")],
        vec![url, by_name, secret, ("OS_USERNAME", &tenant.user), ("OS_USER_DOMAIN_NAME", "Default")],
        vec![url, by_name, secret, ("OS_USER_ID", &tenant.user_id)],
        vec![url, ("OS_TOKEN", &token)],
        vec![url, ("OS_TOKEN", &token), ("OS_PROJECT_ID", &tenant.project_id)],
    ] {
        let identity = world.identity(&[], &environment).unwrap();
        assert_eq!(crate::world::who(&world.client(identity.clone())).unwrap(), is(&tenant), "{environment:?}");
        assert!(identity.uses_application_credential());
    }
}

#[test]
fn the_catalog_by_region_interface_type_and_name() {
    let world = world();
    let tenant = world.tenant();
    let at = |more: &[(&str, &str)]| world.who(&[], &openrc(world, &tenant, more));
    assert_eq!(at(&[]).unwrap(), is_at(&tenant, ""));
    assert_eq!(at(&[("CORIOLIS_INTERFACE", "internal")]).unwrap(), is_at(&tenant, "inside"));
    assert_eq!(at(&[("OS_INTERFACE", "internalURL")]).unwrap(), is_at(&tenant, "inside"));
    let second = ("CORIOLIS_REGION_NAME", "RegionTwo");
    assert_eq!(at(&[second, ("CORIOLIS_SERVICE_NAME", "coriolis")]).unwrap(), is_at(&tenant, "two"));
    assert_eq!(at(&[second, ("CORIOLIS_SERVICE_NAME", "spare")]).unwrap(), is_at(&tenant, "spare"));
    assert_eq!(at(&[("CORIOLIS_SERVICE_TYPE", "migration-lab")]).unwrap(), is_at(&tenant, "lab"));
    // Where several fit, the first is taken, as the official client does.
    for several in [second, ("OS_REGION_NAME", "")] {
        assert!(at(&[several]).is_ok(), "{several:?}");
    }
    let messages: Vec<String> = [
        vec![("CORIOLIS_SERVICE_TYPE", "migrations")],
        vec![("CORIOLIS_SERVICE_NAME", "coriolos")],
        vec![("CORIOLIS_INTERFACE", "admin")],
        vec![("CORIOLIS_REGION_NAME", "Nowhere")],
    ]
    .into_iter()
    .map(|more| at(&more).unwrap_err())
    .map(|error| format!("{}: {}", error.kind.word(), error.message))
    .collect();
    assert_eq!(
        messages,
        [
            "input: the catalog has no service of type `migrations`; it has `identity`, `key-manager`, `migration`, `migration-lab`",
            "input: the catalog has no service `coriolos` of type `migration`; it has `coriolis`, `spare`",
            "input: the catalog has no `admin` endpoint of `migration`; it has `internal`, `public`",
            "input: the catalog has no endpoint of `migration` in the region `Nowhere`; it has `RegionOne`, `RegionTwo`",
        ]
    );
}

#[test]
fn an_endpoint_with_or_without_version_and_project() {
    let world = world();
    let tenant = world.tenant();
    for path in ["/here", "/here/", "/here/v1", "/here/v1/", &format!("/here/v1/{}", tenant.project_id)] {
        let endpoint = format!("{}{path}", world.coriolis);
        // With a region that the catalog lacks: it is not asked.
        let environment = openrc(world, &tenant, &[("OS_REGION_NAME", "Nowhere")]);
        assert_eq!(world.who(&["--endpoint", &endpoint], &environment).unwrap(), is_at(&tenant, "here"), "{endpoint}");
    }
}

#[test]
fn no_auth_sends_no_token() {
    let world = world();
    let open = format!("{}/open/v1/p1", world.coriolis);
    let expected = json!({"user": null, "project": "p1", "folder": "open"});
    assert_eq!(world.who(&["--no-auth", "--endpoint", &open], &[]).unwrap(), expected);
    let bare = format!("{}/open", world.coriolis);
    assert_eq!(world.who(&["-N", "-E", &bare], &[("OS_PROJECT_ID", "p1")]).unwrap(), expected);
    let error = world.who(&["-N", "-E", &bare], &[]).unwrap_err();
    assert_eq!(
        told(&error),
        format!(
            "input: `{bare}` lacks the project | write it as `http://host:7667/v1/PROJECT_ID`, or give the \
             project's id with `OS_PROJECT_ID`"
        )
    );
    let closed = format!("{}/v1/p1", world.coriolis);
    let error = world.who(&["-N", "-E", &closed], &[]).unwrap_err();
    assert_eq!(
        told(&error),
        format!(
            "login: `{closed}` wants a login, and `--no-auth` gives none | leave `--no-auth` out and give the \
             credentials of Keystone"
        )
    );
}

#[test]
fn a_certificate_known_by_cacert_or_not_asked_for() {
    let world = world();
    let tenant = world.tenant();
    let encrypted = ["-A", world.tls_url.as_str()];
    let cacert = [("OS_CACERT", world.cacert.as_str())];
    assert_eq!(world.who(&encrypted, &openrc(world, &tenant, &cacert)).unwrap(), is(&tenant));
    assert_eq!(
        world.who(&[encrypted[0], encrypted[1], "--insecure"], &openrc(world, &tenant, &[])).unwrap(),
        is(&tenant)
    );
    let error = world.who(&encrypted, &openrc(world, &tenant, &[])).unwrap_err();
    let message = told(&error);
    assert!(
        message.starts_with(&format!(
            "unreachable: cannot reach Keystone at `{}`: its certificate is not trusted (invalid peer certificate: ",
            world.tls_url
        )),
        "{message}"
    );
    assert!(message.contains("| name the authority's PEM file by `OS_CACERT`"), "{message}");
}

#[test]
fn the_users_default_project_does_not_matter() {
    let world = world();
    let tenant = world.tenant();
    let other = world.project();
    world.grant(&tenant, &other);
    let default = json!({"user": {"default_project_id": other}});
    assert_eq!(world.ask(Method::PATCH, &format!("users/{}", tenant.user_id), Some(default)).0, 200);
    assert_eq!(world.who(&[], &openrc(world, &tenant, &[])).unwrap(), is(&tenant));
}
