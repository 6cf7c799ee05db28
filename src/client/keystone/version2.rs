//! The body of `POST /v2.0/tokens`, and the parts of its answer that are used: for a Keystone too old for version 3.
//!
//! Version 2.0 has users and tenants of one domain only, and neither application credentials nor trusts visible to us.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};

use super::body::{self, ProjectDomain, Wanted};
use super::catalog::{self, Entry};
use crate::error::{Error, Kind, Result};
use crate::settings::{Credential, Domain, Named};

/// The body of an answer that has a token.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    access: Access,
}

#[derive(Debug, Deserialize)]
struct Access {
    token: Token,
    /// A list; without a tenant some versions write an empty object.
    #[serde(default, rename = "serviceCatalog", deserialize_with = "catalog::list")]
    catalog: Vec<Service>,
    #[serde(default, deserialize_with = "body::id")]
    user: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Token {
    id: Id,
    #[serde(default, deserialize_with = "time_if_any")]
    expires: Option<Timestamp>,
    #[serde(default, deserialize_with = "time_if_any")]
    issued_at: Option<Timestamp>,
    #[serde(default)]
    tenant: Option<Tenant>,
}

/// A token: a secret.
#[derive(Debug)]
struct Id(SecretString);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|id| Self(id.into()))
    }
}

#[derive(Debug, Deserialize)]
struct Tenant {
    id: String,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Service {
    #[serde(rename = "type", deserialize_with = "catalog::text")]
    kind: Option<String>,
    #[serde(deserialize_with = "catalog::text")]
    name: Option<String>,
    #[serde(deserialize_with = "catalog::list")]
    endpoints: Vec<Addresses>,
}

/// The addresses of a service in one region; missing ones are null, empty or absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Addresses {
    #[serde(deserialize_with = "catalog::text")]
    region: Option<String>,
    #[serde(rename = "publicURL", deserialize_with = "catalog::text")]
    public: Option<String>,
    #[serde(rename = "internalURL", deserialize_with = "catalog::text")]
    internal: Option<String>,
    #[serde(rename = "adminURL", deserialize_with = "catalog::text")]
    admin: Option<String>,
}

impl Envelope {
    /// Reads the body of an answer that has a token: the token, and its description in the words of version 3.
    ///
    /// # Errors
    /// As [`body::Token::read`].
    pub fn read(document: Value, wanted: Wanted) -> Result<(SecretString, body::Token), String> {
        let (access, token) = (&document["access"], &document["access"]["token"]);
        let catalog = &access["serviceCatalog"];
        let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        let is_empty = catalog.as_array().is_none_or(Vec::is_empty);
        let lacks = match &token["tenant"] {
            _ if !text(&token["id"]) => Some("id"),
            tenant if text(&tenant["id"]) => (wanted.catalog && !catalog.is_array()).then_some("serviceCatalog"),
            tenant if wanted.project || !tenant.is_null() || !is_empty => Some("tenant"),
            _ => (!access["user"].is_object()).then_some("user"),
        };
        if let Some(lacks) = lacks {
            return Err(format!("has no `{lacks}`"));
        }
        let is_whole = catalog::is_whole(catalog);
        let envelope: Self = serde_json::from_value(document).map_err(|error| format!("is not a token ({error})"))?;
        let (secret, token) = envelope.token();
        Ok((secret, body::Token { is_whole, ..token }))
    }

    fn token(self) -> (SecretString, body::Token) {
        let Token { id: Id(id), expires, issued_at, tenant } = self.access.token;
        let domain = || ProjectDomain { id: Some("default".to_owned()), name: Some("Default".to_owned()) };
        let project = tenant.map(|Tenant { id, name }| body::Project { id, name, domain: Some(domain()) });
        let catalog = self.access.catalog.into_iter().map(entry).collect();
        let user = self.access.user;
        let (methods, expires_at) = (Vec::new(), expires);
        (id, body::Token { methods, expires_at, issued_at, project, user, catalog, is_whole: false })
    }
}

fn entry(service: Service) -> Entry {
    let each = |addresses: Addresses| {
        let Addresses { region, public, internal, admin } = addresses;
        let endpoint = move |(interface, url): (&str, Option<String>)| {
            let interface = Some(interface.to_owned());
            url.map(|url| catalog::Endpoint { interface, region: region.clone(), region_id: None, url: Some(url) })
        };
        [("public", public), ("internal", internal), ("admin", admin)].into_iter().filter_map(endpoint)
    };
    Entry { kind: service.kind, name: service.name, endpoints: service.endpoints.into_iter().flat_map(each).collect() }
}

/// The request for a token at the Keystone of `url`.
///
/// # Errors
/// `Login` for credentials that version 2.0 cannot express.
pub(super) fn login(url: &str, credential: &Credential, project: Option<&Named>) -> Result<Value> {
    let mut auth = match credential {
        Credential::Password { user, password } => {
            let (key, user) = match plain(url, "user", user)? {
                Reference::Id(id) => ("userId", id),
                Reference::Name(name) => ("username", name),
            };
            json!({"passwordCredentials": {key: user, "password": password.value.expose_secret()}})
        }
        Credential::Token { token } => json!({"token": {"id": token.value.expose_secret().trim()}}),
        Credential::ApplicationCredential { .. } | Credential::NamedApplicationCredential { .. } => {
            return Err(Error::new(
                Kind::Login,
                format!("Keystone at `{url}` speaks version 2.0, which has no application credentials"),
            )
            .hint("give a user and a password (`OS_USERNAME`, `OS_PASSWORD`)"));
        }
    };
    match project.map(|project| plain(url, "project", project)).transpose()? {
        Some(Reference::Id(id)) => auth["tenantId"] = id.into(),
        Some(Reference::Name(name)) => auth["tenantName"] = name.into(),
        None => {}
    }
    Ok(json!({"auth": auth}))
}

enum Reference<'a> {
    Id(&'a str),
    Name(&'a str),
}

fn plain<'a>(url: &str, what: &str, named: &'a Named) -> Result<Reference<'a>> {
    let (name, domain) = match named {
        Named::Id(id) => return Ok(Reference::Id(&id.value)),
        Named::Name { name, domain } => (name, domain),
    };
    let (Domain::Id(given) | Domain::Name(given)) = domain;
    if given.value.eq_ignore_ascii_case("default") {
        return Ok(Reference::Name(&name.value));
    }
    Err(Error::new(
        Kind::Login,
        format!(
            "Keystone at `{url}` speaks version 2.0, which has no domains: it cannot look for the {what} `{}` in `{}`",
            name.value, given.value
        ),
    )
    .hint(format!("leave the domain out, which comes from {}", given.origin)))
}

/// A time; without an offset it is UTC, like the microseconds of `issued_at`.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    let utc = || text.parse::<DateTime>().and_then(|time| time.to_zoned(TimeZone::UTC)).map(|time| time.timestamp());
    text.parse::<Timestamp>().or_else(|_| utc()).map_err(de::Error::custom)
}

fn time_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    time(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Origin, Sourced};

    fn sourced<T>(value: T) -> Sourced<T> {
        Sourced::new(value, Origin::Flag("--there"))
    }

    fn named(name: &str, domain: &str) -> Named {
        Named::Name { name: sourced(name.into()), domain: Domain::Name(sourced(domain.into())) }
    }

    fn asked(credential: &Credential, project: Option<&Named>) -> Value {
        login("http://h/v2.0", credential, project).unwrap()["auth"].take()
    }

    fn refusal(credential: &Credential, project: Option<&Named>) -> String {
        let error = login("http://h/v2.0", credential, project).expect_err("it has no words for that");
        format!("{}: {} | {}", error.kind.word(), error.message, error.hint.unwrap_or_default())
    }

    fn password(user: Named) -> Credential {
        Credential::Password { user, password: sourced("s".to_owned().into()) }
    }

    fn id(id: &str) -> Named {
        Named::Id(sourced(id.into()))
    }

    #[test]
    fn users_and_tenants_go_by_name_or_id_and_a_token_by_itself() {
        assert_eq!(
            asked(&password(named("u", "Default")), Some(&named("p", "default"))),
            json!({"passwordCredentials": {"username": "u", "password": "s"}, "tenantName": "p"})
        );
        assert_eq!(
            asked(&password(id("1")), Some(&id("2"))),
            json!({"passwordCredentials": {"userId": "1", "password": "s"}, "tenantId": "2"})
        );
        let token = Credential::Token { token: sourced("t\n".to_owned().into()) };
        assert_eq!(asked(&token, None), json!({"token": {"id": "t"}}));
    }

    #[test]
    fn what_it_has_no_words_for_is_told() {
        let secret = sourced("s".to_owned().into());
        let credential = Credential::ApplicationCredential { id: sourced("1".into()), secret };
        assert_eq!(
            [
                refusal(&credential, None),
                refusal(&password(named("u", "People")), None),
                refusal(&password(id("1")), Some(&named("p", "People"))),
            ],
            [
                "login: Keystone at `http://h/v2.0` speaks version 2.0, which has no application credentials | give a \
                 user and a password (`OS_USERNAME`, `OS_PASSWORD`)",
                "login: Keystone at `http://h/v2.0` speaks version 2.0, which has no domains: it cannot look for the \
                 user `u` in `People` | leave the domain out, which comes from `--there`",
                "login: Keystone at `http://h/v2.0` speaks version 2.0, which has no domains: it cannot look for the \
                 project `p` in `People` | leave the domain out, which comes from `--there`",
            ]
        );
    }

    fn read(access: &Value) -> (SecretString, body::Token) {
        Envelope::read(json!({"access": access}), Wanted { project: false, catalog: true }).unwrap()
    }

    #[test]
    fn the_catalog_has_an_endpoint_for_each_address_of_each_region() {
        let address = |region: &str, public: &str, internal: Option<&str>| json!({"region": region, "publicURL": public, "internalURL": internal, "adminURL": ""});
        let (secret, token) = read(&json!({
            "token": {"id": "t", "expires": "2014-01-31T15:30:58Z", "issued_at": "2014-01-30T15:30:58.819584",
                "tenant": {"id": "p1", "name": "demo", "enabled": true, "description": null}},
            "serviceCatalog": [{"type": "migration", "name": "coriolis", "endpoints_links": [], "endpoints": [
                address("One", "http://one/v1/p1", Some("http://inside/v1/p1")),
                address("Two", "http://two/v1/p1", None), null, {"region": null, "publicURL": null}]},
                null, {"name": null}, {"type": "odd", "endpoints": null}],
            "user": {"id": "u", "name": "admin", "roles": []},
            "metadata": {"is_admin": 0, "roles": []},
        }));
        assert_eq!(secret.expose_secret(), "t");
        let lived = token.expires_at.unwrap().duration_since(token.issued_at.unwrap());
        assert_eq!(lived.as_secs(), 24 * 3600 - 1, "a time without an offset is UTC");
        assert_eq!(token.project.map(|project| project.id).as_deref(), Some("p1"));
        let endpoints = |entry: &Entry| {
            let line = |endpoint: &catalog::Endpoint| {
                let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
                format!("{} {} {}", said(&endpoint.interface), said(&endpoint.region), said(&endpoint.url))
            };
            entry.endpoints.iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(
            token.catalog.iter().flat_map(endpoints).collect::<Vec<_>>(),
            ["public One http://one/v1/p1", "internal One http://inside/v1/p1", "public Two http://two/v1/p1"]
        );
    }

    #[test]
    fn a_damaged_answer_is_none_and_says_nothing_of_the_tenant() {
        let whole = json!({"access": {
            "token": {"id": "t", "expires": "2014-01-31T15:30:58Z", "tenant": {"id": "p1", "name": "demo"}},
            "serviceCatalog": [{"type": "migration", "endpoints": [{"publicURL": "http://one/v1/p1"}]}],
            "user": {"id": "u"}}});
        let read = |document: &Value, project| Envelope::read(document.clone(), Wanted { project, catalog: true });
        assert!(read(&whole, true).is_ok_and(|(_, token)| token.is_whole));
        let places = ["/access", "/access/token", "/access/token/id", "/access/token/tenant", "/access/serviceCatalog"];
        for place in places {
            for damage in [json!(null), json!(7), json!("")] {
                let mut document = whole.clone();
                *document.pointer_mut(place).unwrap() = damage.clone();
                for project in [true, false] {
                    assert!(read(&document, project).is_err(), "{place}: {damage}");
                }
            }
        }
    }

    #[test]
    fn a_token_for_no_tenant_has_no_catalog() {
        for nothing in [json!({}), json!([]), Value::Null] {
            let (_, token) = read(&json!({"token": {"id": "t", "expires": "2014-01-31T15:30:58Z"},
                                          "serviceCatalog": nothing, "user": {"id": "u"}}));
            assert!(token.project.is_none() && token.catalog.is_empty() && token.issued_at.is_none());
        }
    }
}
