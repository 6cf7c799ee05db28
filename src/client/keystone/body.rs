//! The body of `POST /v3/auth/tokens`, and the parts of its answer that are used.

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::{self, Entry};
use crate::settings::{Credential, Domain, Named};

/// The body of an answer that has a token.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    pub token: Token,
}

/// The token's description of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Token {
    #[serde(default, deserialize_with = "catalog::list")]
    pub methods: Vec<String>,
    pub expires_at: Timestamp,
    #[serde(default)]
    pub issued_at: Option<Timestamp>,
    #[serde(default)]
    pub project: Option<Project>,
    #[serde(default, deserialize_with = "catalog::list")]
    pub catalog: Vec<Entry>,
}

impl Token {
    /// Tells whether it comes from an application credential.
    pub fn is_delegated(&self) -> bool {
        self.methods.iter().any(|method| method == "application_credential")
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Project {
    pub id: String,
    pub name: String,
    pub domain: ProjectDomain,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProjectDomain {
    pub id: String,
    pub name: String,
}

impl Project {
    pub fn is(&self, named: &Named) -> bool {
        match named {
            Named::Id(id) => id.value == self.id,
            Named::Name { name, domain } => {
                name.value == self.name
                    && match domain {
                        Domain::Id(id) => id.value == self.domain.id,
                        Domain::Name(name) => name.value == self.domain.name,
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
