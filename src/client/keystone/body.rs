//! The body of `POST /v3/auth/tokens`, and the parts of its answer that are used.

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::catalog::{self, Entry};
use crate::settings::{Credential, Domain, Named};

/// The parts of a token that must be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// A project was asked for: Keystone refuses rather than omit it.
    pub project: bool,
    /// The URL comes from the catalog.
    pub catalog: bool,
}

/// The token's description of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Token {
    #[serde(default, deserialize_with = "catalog::list")]
    pub methods: Vec<String>,
    /// Null for a token without an end.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    #[serde(default)]
    pub issued_at: Option<Timestamp>,
    #[serde(default)]
    pub project: Option<Project>,
    /// The id of its user; a damaged description has none.
    #[serde(default, deserialize_with = "id")]
    pub user: Option<String>,
    #[serde(default, deserialize_with = "catalog::list")]
    pub catalog: Vec<Entry>,
    /// True if no entry of the catalog lacks a part.
    #[serde(skip)]
    pub is_whole: bool,
}

impl Token {
    /// Reads the body of an answer that has a token.
    ///
    /// # Errors
    /// The part of Keystone's usual answer that it lacks or that is malformed; continues "its answer". It was damaged
    /// on the way: only a complete answer says that a token holds for no project.
    pub fn read(mut document: Value, wanted: Wanted) -> Result<Self, String> {
        let told = document.get_mut("token").map(Value::take).filter(Value::is_object).ok_or("has no `token`")?;
        let is_whole = catalog::is_whole(&told["catalog"]);
        let is_bound = told.get("domain").is_some() || told.get("system").is_some();
        let lacks = match (&told["project"], &told["catalog"]) {
            (project, _) if !is_project(project) && (wanted.project || !project.is_null()) => Some("project"),
            (Value::Object(_), catalog) if wanted.catalog && !catalog.is_array() => Some("catalog"),
            (Value::Object(_), _) => told.get("expires_at").is_none().then_some("expires_at"),
            _ => UNSCOPED.into_iter().find(|name| told[*name].is_null()).or_else(|| {
                let is_of_one =
                    ["project", "roles", "catalog", "is_domain"].iter().any(|name| told.get(*name).is_some());
                (is_of_one && !is_bound).then_some("project")
            }),
        };
        if let Some(lacks) = lacks {
            return Err(format!("has no `{lacks}`"));
        }
        let token = serde_json::from_value(told).map_err(|error| format!("is not a token ({error})"))?;
        Ok(Self { is_whole, ..token })
    }

    /// Tells whether it comes from an application credential.
    pub fn is_delegated(&self) -> bool {
        self.methods.iter().any(|method| method == "application_credential")
    }
}

/// The fields of every token, even of one for no project.
const UNSCOPED: [&str; 4] = ["methods", "user", "expires_at", "issued_at"];

/// The id in an object.
pub(super) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(from)?["id"].as_str().filter(|id| !id.is_empty()).map(str::to_owned))
}

fn is_project(told: &Value) -> bool {
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    [&told["id"], &told["name"], &told["domain"]["id"], &told["domain"]["name"]].into_iter().all(text)
}

#[derive(Debug, Deserialize)]
pub(super) struct Project {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub domain: Option<ProjectDomain>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProjectDomain {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
}

impl Project {
    pub fn is(&self, named: &Named) -> bool {
        match named {
            Named::Id(id) => id.value == self.id,
            Named::Name { name, domain } => {
                let own = self.domain.as_ref();
                Some(&name.value) == self.name.as_ref()
                    && match domain {
                        Domain::Id(id) => Some(&id.value) == own.and_then(|own| own.id.as_ref()),
                        Domain::Name(name) => Some(&name.value) == own.and_then(|own| own.name.as_ref()),
                    }
            }
        }
    }
}

/// The request for a token.
pub(super) fn login(credential: &Credential, project: Option<&Named>) -> Value {
    let (method, proof) = match credential {
        Credential::Password { user, password } => {
            let mut user = reference(user);
            user["password"] = password.value.expose_secret().into();
            ("password", json!({"user": user}))
        }
        Credential::Token { token } => ("token", json!({"id": token.value.expose_secret()})),
        Credential::ApplicationCredential { id, secret } => {
            ("application_credential", json!({"id": id.value, "secret": secret.value.expose_secret()}))
        }
        Credential::NamedApplicationCredential { name, user, secret } => (
            "application_credential",
            json!({"name": name.value, "secret": secret.value.expose_secret(), "user": reference(user)}),
        ),
    };
    let mut auth = json!({"identity": {"methods": [method], method: proof}});
    if let Some(project) = project {
        auth["scope"] = json!({"project": reference(project)});
    }
    json!({"auth": auth})
}

fn reference(named: &Named) -> Value {
    match named {
        Named::Id(id) => json!({"id": id.value}),
        Named::Name { name, domain } => {
            let domain = match domain {
                Domain::Id(id) => json!({"id": id.value}),
                Domain::Name(name) => json!({"name": name.value}),
            };
            json!({"name": name.value, "domain": domain})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Origin, Sourced};

    fn sourced<T>(value: T) -> Sourced<T> {
        Sourced::new(value, Origin::Default)
    }

    fn named(name: &str) -> Named {
        Named::Name { name: sourced(name.into()), domain: Domain::Name(sourced("Default".into())) }
    }

    fn whole() -> Value {
        let endpoint = json!({"interface": "public", "region": null, "url": "http://one/v1/p1"});
        json!({"methods": ["password"], "user": {"id": "u"}, "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2026-01-01T01:00:00.000000Z", "roles": [], "is_domain": false,
            "project": {"id": "p1", "name": "admin", "domain": {"id": "default", "name": "Default"}},
            "catalog": [{"type": "migration", "name": "coriolis", "endpoints": [endpoint]}]})
    }

    fn unscoped() -> Value {
        let mut token = whole();
        token.as_object_mut().unwrap().retain(|name, _| UNSCOPED.contains(&name.as_str()));
        token
    }

    #[test]
    fn only_a_whole_token_says_that_it_holds_for_no_project() {
        let read = |token: Value, project| Token::read(json!({"token": token}), Wanted { project, catalog: true });
        for project in [true, false] {
            let token = read(whole(), project).unwrap();
            assert!(token.is_whole && token.project.is_some_and(|project| project.id == "p1"));
            for damage in [json!(null), json!(7), json!("x"), json!([]), json!({}), json!({"id": ""})] {
                for name in ["project", "catalog", "expires_at"]
                    .into_iter()
                    .filter(|name| *name != "catalog" || !damage.is_array())
                {
                    let mut token = whole();
                    token[name] = damage.clone();
                    let is_endless = (name, &damage) == ("expires_at", &Value::Null);
                    assert_eq!(read(token, project).is_ok(), is_endless, "{name}: {damage}");
                }
            }
            for name in ["project", "catalog", "expires_at"] {
                let mut token = whole();
                token.as_object_mut().unwrap().remove(name);
                assert!(read(token, project).is_err(), "without {name}");
            }
        }
        assert!(read(unscoped(), false).unwrap().project.is_none());
        assert!(read(unscoped(), true).is_err(), "a project was asked for");
        for name in UNSCOPED {
            let mut token = unscoped();
            token.as_object_mut().unwrap().remove(name);
            assert!(read(token, false).is_err(), "without {name}");
        }
        let mut of_domain = whole();
        of_domain["domain"] = of_domain.as_object_mut().unwrap().remove("project").unwrap()["domain"].take();
        assert!(read(of_domain, false).unwrap().project.is_none());
        for document in [json!(null), json!([]), json!({}), json!({"token": null}), json!({"token": "x"})] {
            assert!(Token::read(document, Wanted { project: false, catalog: false }).is_err());
        }
    }

    #[test]
    fn each_kind_of_credential_has_its_body() {
        let secret = || sourced("s".to_owned().into());
        let domain = json!({"name": "Default"});
        let by_password = Credential::Password { user: named("u"), password: secret() };
        assert_eq!(
            login(&by_password, Some(&named("p"))),
            json!({"auth": {
                "identity": {"methods": ["password"], "password":
                    {"user": {"name": "u", "domain": domain, "password": "s"}}},
                "scope": {"project": {"name": "p", "domain": domain}}}})
        );
        assert_eq!(
            login(&Credential::Token { token: secret() }, Some(&Named::Id(sourced("1".into())))),
            json!({"auth": {"identity": {"methods": ["token"], "token": {"id": "s"}},
                "scope": {"project": {"id": "1"}}}})
        );
        assert_eq!(
            login(&Credential::ApplicationCredential { id: sourced("1".into()), secret: secret() }, None),
            json!({"auth": {"identity": {"methods": ["application_credential"],
                "application_credential": {"id": "1", "secret": "s"}}}})
        );
        let by_name =
            Credential::NamedApplicationCredential { name: sourced("a".into()), user: named("u"), secret: secret() };
        assert_eq!(
            login(&by_name, None),
            json!({"auth": {"identity": {"methods": ["application_credential"],
                "application_credential": {"name": "a", "secret": "s", "user": {"name": "u", "domain": domain}}}}})
        );
    }
}
