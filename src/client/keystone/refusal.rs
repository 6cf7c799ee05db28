//! The meaning of an answer of Keystone that has no token.

use reqwest::StatusCode;
use serde_json::Value;

use super::discovery::Api;
use super::{Keystone, label};
use crate::error::{Error, Kind};
use crate::settings::{Credential, Domain, IdentityVersion, Named, Origin};

/// An answer with a status other than success.
pub(super) struct Refusal {
    pub status: StatusCode,
    pub method: &'static str,
    pub request_id: Option<String>,
    pub location: Option<String>,
    /// Keystone accepted the first factor and asks for another.
    pub second_factor: bool,
}

impl Refusal {
    /// A 404 counts as a refusal when it comes from Keystone itself: so it answers to tokens and application
    /// credentials that no longer exist.
    pub fn error(&self, api: &Api, body: &str, keystone: &Keystone) -> Error {
        let said = said(body);
        let (here, url) = (&api.url, &keystone.auth_url);
        let error = match self.status.as_u16() {
            300..=399 => Error::new(
                Kind::Unreachable,
                format!("Keystone at `{here}` redirects to `{}`", self.location.as_deref().unwrap_or("nowhere")),
            )
            .hint(format!("give the URL it names as {}", url.origin)),
            401 if self.second_factor => {
                Error::new(Kind::Login, format!("Keystone asks for a second factor from {}", keystone.whose()))
                    .hint("use an application credential, which needs none")
            }
            400 | 401 | 403 => self.refused(api, keystone, said),
            404 if said.is_some() && !matches!(keystone.credential, Credential::Password { .. }) => {
                self.refused(api, keystone, said)
            }
            404 | 405 => keystone.not_keystone(api, &format!("it answers {}", self.status)),
            _ => {
                let message = said.map(|said| format!(": {said}")).unwrap_or_default();
                Error::new(Kind::Unreachable, format!("Keystone at `{here}` answers {}{message}", self.status))
                    .hint(format!("try again when it has recovered; the URL comes from {}", url.origin))
            }
        };
        let error =
            error.detail("status", self.status.as_u16()).detail("method", self.method).detail("url", api.tokens());
        match &self.request_id {
            Some(id) => error.detail("request_id", id.as_str()),
            None => error,
        }
    }

    fn refused(&self, api: &Api, keystone: &Keystone, said: Option<String>) -> Error {
        let project = keystone.project.as_ref().map(|project| format!(" for project `{}`", label(project)));
        let said = said.map(|said| format!(": {}", said.trim_end_matches('.'))).unwrap_or_default();
        let message = format!(
            "Keystone refuses {}{} (HTTP {}){said}",
            keystone.whose(),
            project.unwrap_or_default(),
            self.status.as_u16(),
        );
        Error::new(Kind::Login, message).hint(advice(api, keystone))
    }
}

/// Keystone's own message; `None` when the body is not Keystone's.
fn said(body: &str) -> Option<String> {
    let document: Value = serde_json::from_str(body).ok()?;
    Some(document.get("error")?.get("message")?.as_str()?.to_owned())
}

/// Names all parts of the credentials with their sources, since Keystone does not say which part is wrong.
fn advice(api: &Api, keystone: &Keystone) -> String {
    let places = |what: &str, named: &Named| places(what, named, api.version == IdentityVersion::Three);
    let mut parts = Vec::new();
    match &keystone.credential {
        Credential::Password { user, password } => {
            parts.extend(places("user", user));
            parts.push(format!("the password ({})", password.origin));
        }
        Credential::Token { token } => {
            parts.push(format!("that the token ({}) is neither expired nor revoked", token.origin));
        }
        Credential::ApplicationCredential { id, secret } => {
            parts.push(format!("the application credential's id ({}) and secret ({})", id.origin, secret.origin));
        }
        Credential::NamedApplicationCredential { name, user, secret } => {
            parts.push(format!("the application credential's name ({}) and secret ({})", name.origin, secret.origin));
            parts.extend(places("user", user));
        }
    }
    if let Some(project) = &keystone.project {
        parts.extend(places("project", project));
        parts.push("that the user has a role there".to_owned());
    }
    format!("check {}", parts.join(", "))
}

fn places(what: &str, named: &Named, domains: bool) -> Vec<String> {
    match named {
        Named::Id(id) => vec![format!("the {what} (id, {})", id.origin)],
        Named::Name { name, .. } if !domains => vec![format!("the {what} ({})", name.origin)],
        Named::Name { name, domain } => {
            let (Domain::Id(domain) | Domain::Name(domain)) = domain;
            let domain = match &domain.origin {
                Origin::Default => format!("its domain (not given, so `{}`)", domain.value),
                origin => format!("its domain `{}` ({origin})", domain.value),
            };
            vec![format!("the {what} ({})", name.origin), domain]
        }
    }
}
