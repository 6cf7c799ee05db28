//! Whole runs of the program: they outlive their tokens, and end with the published exit codes.

use std::path::Path;
use std::process::Command;

use crate::world::{Tenant, World, world};

/// Runs `script` with nothing but these variables: exit code, stdout, stderr.
pub fn run(name: &str, script: &str, environment: &[(&str, &str)]) -> (i32, String, String) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.rhai"));
    std::fs::write(&path, script).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_coriolis-run"));
    command.arg(&path).env_clear().envs(environment.iter().copied()).env("HOME", env!("CARGO_TARGET_TMPDIR"));
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

pub fn openrc<'a>(world: &'a World, tenant: &'a Tenant, endpoint: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("OS_AUTH_URL", world.url.as_str()),
        ("OS_USERNAME", &tenant.user),
        ("OS_PASSWORD", &tenant.password),
        ("OS_PROJECT_NAME", &tenant.project),
        ("CORIOLIS_ENDPOINT", endpoint),
    ]
}

#[test]
fn a_run_outlives_every_token_that_is_revoked_under_it() {
    let world = world();
    let (tenant, endpoint) = (world.tenant(), format!("{}/revoking", world.coriolis));
    let script = "for round in 0..4 { print(`${round} ${endpoint_list()[0].name}`); }";
    let (code, stdout, stderr) = run("revoked", script, &openrc(world, &tenant, &endpoint));
    assert_eq!((code, stdout.as_str()), (0, "0 lab\n1 lab\n2 lab\n3 lab\n"), "{stderr}");
}

#[test]
fn lanes_outlive_a_token_that_is_revoked_under_them() {
    let world = world();
    let (tenant, endpoint) = (world.tenant(), format!("{}/once", world.coriolis));
    let script = "let names = each(1..=12, |number| endpoint_list()[0].name); print(names.len());";
    let script = script.replace("1..=12", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]");
    let (code, stdout, stderr) = run("lanes", &script, &openrc(world, &tenant, &endpoint));
    assert_eq!((code, stdout.as_str()), (0, "12\n"), "{stderr}");
}

#[test]
fn a_run_outlives_tokens_that_expire_under_it() {
    let world = world();
    let (tenant, endpoint) = (world.tenant(), world.coriolis.as_str());
    let script = r#"for round in 0..2 { print(endpoint_list()[0].name); sleep("3s"); } print(endpoint_list().len());"#;
    let mut environment = openrc(world, &tenant, endpoint);
    environment[0].1 = &world.brief_url;
    let (code, stdout, stderr) = run("expired", script, &environment);
    assert_eq!((code, stdout.as_str()), (0, "lab\nlab\n1\n"), "{stderr}");
}

#[test]
fn a_bare_token_revoked_in_the_middle_ends_the_run_as_a_failed_login() {
    let world = world();
    let (tenant, endpoint) = (world.tenant(), format!("{}/revoking", world.coriolis));
    let token = world.token(&tenant);
    let environment = [("OS_AUTH_URL", world.url.as_str()), ("OS_TOKEN", &token), ("CORIOLIS_ENDPOINT", &endpoint)];
    let (code, stdout, stderr) = run("bare", "endpoint_list(); print(endpoint_list().len());", &environment);
    assert_eq!((code, stdout.as_str()), (5, ""), "{stderr}");
    assert!(stderr.contains("the token has expired or was revoked, and it is all there is"), "{stderr}");
    assert!(!stderr.contains(&token), "a token was printed");
}

#[test]
fn each_way_to_fail_has_its_exit_code_and_no_password_is_printed() {
    let world = world();
    let tenant = world.tenant();
    let right = openrc(world, &tenant, &world.coriolis);
    let with = |name, value| [&right[..], &[(name, value)]].concat();
    let cases = [
        (5, with("OS_PASSWORD", "wrong-password")),
        (5, with("OS_PROJECT_NAME", "nothing")),
        (5, with("OS_TOKEN", "garbage")),
        (4, with("OS_AUTH_URL", "http://127.0.0.1:1/v3")),
        (4, with("OS_AUTH_URL", world.tls_url.as_str())),
        (2, with("OS_AUTH_URL", "keystone")),
        (2, with("OS_PASSWORD", "")),
        (2, with("OS_CLOUD", "nowhere")),
        (0, right.clone()),
    ];
    let mut failures = Vec::new();
    for (expected, environment) in cases {
        let (code, stdout, stderr) = run("codes", "print(endpoint_list().len());", &environment);
        let leaks = [tenant.password.as_str(), "wrong-password"].iter().any(|secret| stderr.contains(secret));
        if code != expected || leaks || (code != 0) != stdout.is_empty() {
            failures.push(format!("{:?}: {code}, not {expected}: {stdout}{stderr}", environment.last()));
        }
    }
    assert_eq!(failures, [""; 0]);
}
