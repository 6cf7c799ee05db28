//! Compares our reading of clouds.yaml with that of openstacksdk, key by key. `tests/openstacksdk/generate.py` makes
//! the table.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::Value;

use super::{Cloud, CloudFlags, Credential, Domain, Login, Named, Origin, cloud};
use crate::error::Result;

const INPUTS: &str = include_str!("../../tests/openstacksdk/inputs.json");
const TABLE: &str = include_str!("../../tests/openstacksdk/table.json");

type Keys = BTreeMap<String, String>;

/// The intended differences: case, key, their value, ours, and the reason.
const DIFFERENT: &[(&str, &str, &str, &str, &str)] = &[
    ("octal", "password", "83", "0123", AS_WRITTEN),
    ("octal", "project_name", "511", "0777", AS_WRITTEN),
    ("words of Python", "project_name", "False", "off", AS_WRITTEN),
    ("words of Python", "username", "True", "yes", AS_WRITTEN),
    ("numbers of Python", "password", "12.5", "12.50", AS_WRITTEN),
    ("numbers of Python", "project_domain_id", "90", "1:30", AS_WRITTEN),
    ("numbers of Python", "project_name", "31", "0x1F", AS_WRITTEN),
    ("numbers of Python", "username", "1000", "1_000", AS_WRITTEN),
    ("a default domain name", "project_domain_name", "-", "acme", "it stands there for nothing else"),
    ("a default domain name", "user_domain_name", "-", "acme", "it stands there for nothing else"),
    ("a system scope", WHOLE, "read", "refused", "Coriolis works in projects alone"),
    ("a region that region_name does not hold", WHOLE, "refused", "read", "the flag is a choice, as any other flag"),
    ("an application credential with a project", WHOLE, "refused", "read", "it has its project in itself"),
    ("a token without auth_type", WHOLE, "refused", "read", "a token says how to log in"),
    ("a password beside a token", WHOLE, "refused", "read", "a token says how to log in"),
];

/// In the place of a key: all of a case.
const WHOLE: &str = "*";

const AS_WRITTEN: &str = "nobody means a password to be a number of base 8, or a user to be `True`";

fn ours(case: &Value) -> Result<Keys> {
    let text = |name: &str| case[name].as_str().map(|text| text.as_bytes().to_vec());
    let read = |path: &Path| {
        let text = match path.to_str() {
            Some("/etc/openstack/clouds.yaml") => text("clouds"),
            Some("/etc/openstack/secure.yaml") => text("secure"),
            Some("/etc/openstack/clouds-public.yaml") => text("public"),
            _ => None,
        };
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    let region_name = case["region"].as_str().map(str::to_owned);
    let environment: Option<BTreeMap<String, String>> = serde_json::from_value(case["environment"].clone()).unwrap();
    let os_cloud = environment.is_none().then(|| "c".to_owned());
    let flags = CloudFlags { os_cloud, region_name, ..CloudFlags::default() };
    cloud(&flags, &environment.unwrap_or_default(), Path::new("/plan"), &read).map(|cloud| keys(&cloud))
}

/// A cloud in the words of openstacksdk.
fn keys(cloud: &Cloud) -> Keys {
    let mut keys = Keys::new();
    let mut put = |key: &str, value: &str| drop(keys.insert(key.to_owned(), value.to_owned()));
    if let Login::Keystone { auth_url, credential, project, .. } = &cloud.login {
        put("auth_url", &auth_url.value);
        put_credential(&mut put, credential);
        if let Some(project) = project {
            put_named(&mut put, "project", project);
        }
    }
    put("interface", &cloud.service.interface.value);
    put("insecure", if cloud.trust.insecure { "true" } else { "false" });
    let cacert = cloud.trust.cacert.as_ref().filter(|_| !cloud.trust.insecure);
    let cacert = cacert.map(|path| path.value.display().to_string());
    let service = &cloud.service;
    let kind = Some(&service.kind).filter(|kind| kind.origin != Origin::Default);
    for (key, value) in [
        ("region", service.region.as_ref().map(|region| region.value.clone())),
        ("service_type", kind.map(|kind| kind.value.clone())),
        ("service_name", service.name.as_ref().map(|name| name.value.clone())),
        ("endpoint", cloud.endpoint.as_ref().map(|endpoint| endpoint.value.clone())),
        ("cacert", cacert),
    ] {
        if let Some(value) = value {
            put(key, &value);
        }
    }
    keys
}

fn put_credential(put: &mut impl FnMut(&str, &str), credential: &Credential) {
    match credential {
        Credential::Password { user, password } => {
            put_named(put, "user", user);
            put("password", password.value.expose_secret());
        }
        Credential::Token { token } => put("token", token.value.expose_secret()),
        Credential::ApplicationCredential { id, secret } => {
            put("application_credential_id", &id.value);
            put("application_credential_secret", secret.value.expose_secret());
        }
        Credential::NamedApplicationCredential { name, user, secret } => {
            put("application_credential_name", &name.value);
            put_named(put, "user", user);
            put("application_credential_secret", secret.value.expose_secret());
        }
    }
}

fn put_named(put: &mut impl FnMut(&str, &str), what: &str, named: &Named) {
    match named {
        Named::Id(id) => put(&format!("{what}_id"), &id.value),
        Named::Name { name, domain } => {
            put(if what == "user" { "username" } else { "project_name" }, &name.value);
            match domain {
                Domain::Id(id) => put(&format!("{what}_domain_id"), &id.value),
                // Values that nobody gives are not in the table.
                Domain::Name(name) if name.origin == Origin::Default => {}
                Domain::Name(name) => put(&format!("{what}_domain_name"), &name.value),
            }
        }
    }
}

/// The result of keystoneauth: an id before a name, the domain only for a name, and the default domain.
fn theirs(table: &Value) -> Option<Keys> {
    let mut keys: Keys = serde_json::from_value(table.clone()).ok()?;
    let default = keys.remove("default_domain_id");
    for (id, name, domain) in [("user_id", "username", "user_domain"), ("project_id", "project_name", "project_domain")]
    {
        if keys.contains_key(id) {
            keys.remove(name);
        }
        let (by_id, by_name) = (format!("{domain}_id"), format!("{domain}_name"));
        if !keys.contains_key(name) {
            keys.remove(&by_id);
            keys.remove(&by_name);
        } else if !keys.contains_key(&by_id) && !keys.contains_key(&by_name) {
            keys.extend(default.clone().map(|default| (by_id, default)));
        }
    }
    Some(keys)
}

#[test]
fn every_key_of_a_cloud_is_read_as_openstacksdk_reads_it() {
    let inputs: Vec<Value> = serde_json::from_str(INPUTS).unwrap();
    let table: Value = serde_json::from_str(TABLE).unwrap();
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for case in &inputs {
        let name = case["name"].as_str().unwrap();
        let (theirs, ours) = (theirs(&table["cases"][name]), ours(case));
        let shown = |keys: Option<&Keys>, key: &str| match keys {
            Some(keys) => keys.get(key).cloned().unwrap_or_else(|| "-".to_owned()),
            None => "refused".to_owned(),
        };
        let ours = ours.ok();
        let word = |keys: Option<&Keys>| if keys.is_some() { "read" } else { "refused" };
        if let Some(row) = DIFFERENT.iter().find(|row| (row.0, row.1) == (name, WHOLE))
            && (row.2, row.3) == (word(theirs.as_ref()), word(ours.as_ref()))
        {
            met.insert((row.0, row.1));
            continue;
        }
        let all = theirs.iter().chain(ours.iter()).flat_map(BTreeMap::keys).cloned().collect::<BTreeSet<_>>();
        for key in all {
            let (one, other) = (shown(theirs.as_ref(), &key), shown(ours.as_ref(), &key));
            let intended = DIFFERENT.iter().find(|row| (row.0, row.1) == (name, key.as_str()));
            match intended {
                Some(row) if (row.2, row.3) == (one.as_str(), other.as_str()) => drop(met.insert((row.0, row.1))),
                None if one == other => {}
                _ => wrong.push(format!("{name}: {key}: theirs {one}, ours {other}")),
            }
        }
    }
    let idle = DIFFERENT.iter().filter(|row| !met.contains(&(row.0, row.1)));
    wrong.extend(idle.map(|row| format!("{}: {} is no difference any more ({})", row.0, row.1, row.4)));
    assert!(wrong.is_empty(), "openstacksdk {}:\n{}", table["openstacksdk"], wrong.join("\n"));
}
