//! The address of the server and our identity: flags, then environment, then clouds.yaml, then defaults.

mod file;
mod flags;
mod layers;
#[cfg(test)]
mod openstacksdk;
mod overridden;
mod setting;
mod sourced;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use crate::error::{Error, Result};
pub use flags::CloudFlags;
use layers::Layers;
use setting::{CredentialKind, Setting};
pub use sourced::{Note, Origin, Read, Secret, Sourced};

/// A cloud: the login, the service to use, the certificates to trust.
#[derive(Clone, Debug)]
pub struct Cloud {
    pub login: Login,
    /// The URL to use instead of the catalog's, as given: with or without version and project.
    pub endpoint: Option<Sourced<String>>,
    pub service: Service,
    pub trust: Trust,
    /// Notes for people about their settings: values that are ignored or not supported.
    pub notes: Vec<Note>,
}

/// The way to get a token.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in a process")]
pub enum Login {
    /// `--no-auth`: the server wants none. The project, if the endpoint does not contain it.
    None { project: Option<Sourced<String>> },
    /// From Keystone. Application credentials have a project of their own, tokens may have one.
    Keystone {
        auth_url: Sourced<String>,
        /// The version to use if Keystone serves several.
        version: IdentityVersion,
        credential: Credential,
        project: Option<Named>,
    },
}

/// A version of Keystone's API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdentityVersion {
    Two,
    #[default]
    Three,
}

/// The proof that Keystone is shown.
#[derive(Clone, Debug)]
pub enum Credential {
    Password { user: Named, password: Sourced<Secret> },
    Token { token: Sourced<Secret> },
    ApplicationCredential { id: Sourced<String>, secret: Sourced<Secret> },
    NamedApplicationCredential { name: Sourced<String>, user: Named, secret: Sourced<Secret> },
}

impl Cloud {
    /// The origin of its URL.
    pub fn located(&self) -> Option<&Origin> {
        match &self.login {
            Login::Keystone { auth_url, .. } => Some(&auth_url.origin),
            Login::None { .. } => self.endpoint.as_ref().map(|endpoint| &endpoint.origin),
        }
    }

    /// The secret that it logs in with.
    pub fn secret(&self) -> Option<&str> {
        let Login::Keystone { credential, .. } = &self.login else { return None };
        let secret = match credential {
            Credential::Password { password: secret, .. }
            | Credential::Token { token: secret }
            | Credential::ApplicationCredential { secret, .. }
            | Credential::NamedApplicationCredential { secret, .. } => secret,
        };
        Some(secret.value.expose_secret())
    }
}

/// A user or a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Id(Sourced<String>),
    Name { name: Sourced<String>, domain: Domain },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    Id(Sourced<String>),
    Name(Sourced<String>),
}

/// The endpoint of the catalog to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub kind: Sourced<String>,
    pub name: Option<Sourced<String>>,
    pub interface: Sourced<String>,
    pub region: Option<Sourced<String>>,
}

/// The certificates to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// A PEM file of additional authorities.
    pub cacert: Option<Sourced<PathBuf>>,
    /// Trusts every certificate.
    pub insecure: bool,
}

/// Combines the flags, the environment and clouds.yaml.
///
/// A cloud named by `--os-cloud` comes before the environment, since a flag does; one named by `OS_CLOUD` comes after
/// it.
///
/// # Errors
/// [`crate::error::Kind::Input`] when something is missing (the message lists all of it), contradictory or unreadable.
pub fn cloud(
    flags: &CloudFlags,
    environment: &BTreeMap<String, String>,
    directory: &Path,
    read: Read<'_>,
) -> Result<Cloud> {
    let layers = Layers::new(flags, environment, directory, read)?;
    let endpoint = layers.get(Setting::Endpoint);
    let login = if layers.switch(Setting::NoAuth) || asks_for_no_login(&layers) {
        without_login(&layers, &endpoint)?
    } else {
        keystone(&layers)?
    };
    let overridden = credential_kind(&layers).ok().and_then(|kind| overridden::note(&layers, kind));
    let normal = |interface: Sourced<String>| interface.map(|word| word.trim_end_matches("URL").to_owned());
    Ok(Cloud {
        login,
        endpoint,
        service: Service {
            kind: layers.get(Setting::ServiceType).unwrap_or_else(|| Sourced::assumed("migration")),
            name: layers.get(Setting::ServiceName),
            interface: layers.get(Setting::Interface).map_or_else(|| Sourced::assumed("public"), normal),
            region: layers.get(Setting::RegionName),
        },
        trust: Trust {
            cacert: layers.get(Setting::Cacert).map(|path| path.map(|path| home(&path, environment, directory))),
            insecure: layers.switch(Setting::Insecure),
        },
        notes: layers.notes().iter().cloned().chain(overridden).collect(),
    })
}

/// The word of openstacksdk for `--no-auth`.
fn asks_for_no_login(layers: &Layers) -> bool {
    layers.get(Setting::AuthType).is_some_and(|name| matches!(name.value.as_str(), "none" | "noauth"))
}

fn without_login(layers: &Layers, endpoint: &Option<Sourced<String>>) -> Result<Login> {
    if endpoint.is_none() {
        return Err(Error::input("`--no-auth` needs the URL of the server, as no catalog can be asked for it")
            .hint("add `--endpoint http://host:7667/v1/PROJECT_ID` (or set `CORIOLIS_ENDPOINT`)"));
    }
    Ok(Login::None { project: layers.get(Setting::ProjectId) })
}

fn keystone(layers: &Layers) -> Result<Login> {
    let kind = credential_kind(layers)?;
    let mut missing = Missing::default();
    let auth_url = missing.need(layers, &[Setting::AuthUrl]);
    let credential = match kind {
        CredentialKind::Token => missing.secret(layers, Setting::Token).map(|token| Credential::Token { token }),
        CredentialKind::Password => password(layers, &mut missing),
        CredentialKind::ApplicationCredential => application_credential(layers, &mut missing),
    };
    let project = match kind {
        // Keystone refuses a scope with an application credential, which has a project of its own.
        CredentialKind::ApplicationCredential => None,
        CredentialKind::Token => named(layers, PROJECT),
        CredentialKind::Password => {
            missing.need(layers, &[Setting::ProjectName, Setting::ProjectId]);
            named(layers, PROJECT)
        }
    };
    match (auth_url, credential) {
        (Some(auth_url), Some(credential)) if missing.0.is_empty() => {
            Ok(Login::Keystone { auth_url, version: version(layers)?, credential, project })
        }
        _ => Err(missing.error(layers)),
    }
}

/// The version asked for; the name of a plugin (`v2password`) may ask for one as well.
fn version(layers: &Layers) -> Result<IdentityVersion> {
    let Some(given) = layers.get(Setting::IdentityApiVersion) else {
        let plugin = layers.get(Setting::AuthType).is_some_and(|plugin| plugin.value.starts_with("v2"));
        return Ok(if plugin { IdentityVersion::Two } else { IdentityVersion::Three });
    };
    match given.value.trim_start_matches('v').split('.').next() {
        Some("2") => Ok(IdentityVersion::Two),
        Some("3") => Ok(IdentityVersion::Three),
        _ => Err(Error::input(format!("Keystone has no version `{}`, which {} asks for", given.value, given.origin))
            .hint("write `3` or `2`, or leave it out")),
    }
}

/// The kind of credential in the first place that has any.
fn credential_kind(layers: &Layers) -> Result<CredentialKind> {
    let telling = [
        Setting::AuthType,
        Setting::Token,
        Setting::ApplicationCredentialId,
        Setting::ApplicationCredentialName,
        Setting::ApplicationCredentialSecret,
        Setting::Username,
        Setting::UserId,
        Setting::Password,
    ];
    match layers.first_of(&telling) {
        Some((Setting::AuthType, name)) => auth_type(&name),
        Some((Setting::Token, _)) => Ok(CredentialKind::Token),
        Some((Setting::Username | Setting::UserId | Setting::Password, _)) | None => Ok(CredentialKind::Password),
        Some(_) => Ok(CredentialKind::ApplicationCredential),
    }
}

fn auth_type(name: &Sourced<String>) -> Result<CredentialKind> {
    match name.value.trim_start_matches("v3").trim_start_matches("v2").replace('_', "").as_str() {
        "password" => Ok(CredentialKind::Password),
        "token" => Ok(CredentialKind::Token),
        "applicationcredential" => Ok(CredentialKind::ApplicationCredential),
        _ => Err(Error::input(format!("cannot log in by `{}`, which {} asks for", name.value, name.origin)).hint(
            "supported are `password`, `token` and `v3applicationcredential`; with another one get a token \
             (`openstack token issue`) and give it as `OS_TOKEN` with `OS_AUTH_TYPE=token`",
        )),
    }
}

fn password(layers: &Layers, missing: &mut Missing) -> Option<Credential> {
    missing.need(layers, &[Setting::Username, Setting::UserId]);
    let password = missing.secret(layers, Setting::Password)?;
    Some(Credential::Password { user: named(layers, USER)?, password })
}

fn application_credential(layers: &Layers, missing: &mut Missing) -> Option<Credential> {
    let secret = missing.secret(layers, Setting::ApplicationCredentialSecret);
    if let Some(id) = layers.get(Setting::ApplicationCredentialId) {
        return Some(Credential::ApplicationCredential { id, secret: secret? });
    }
    let name = missing.need(layers, &[Setting::ApplicationCredentialId, Setting::ApplicationCredentialName])?;
    missing.need(layers, &[Setting::Username, Setting::UserId])?;
    Some(Credential::NamedApplicationCredential { name, user: named(layers, USER)?, secret: secret? })
}

/// The settings that name a user or a project: id, name, id and name of the domain.
type Naming = [Setting; 4];
const USER: Naming = [Setting::UserId, Setting::Username, Setting::UserDomainId, Setting::UserDomainName];
const PROJECT: Naming =
    [Setting::ProjectId, Setting::ProjectName, Setting::ProjectDomainId, Setting::ProjectDomainName];

/// The earlier place decides whether an id or a name is used; within one place the id wins.
fn named(layers: &Layers, [id, name, domain_id, domain_name]: Naming) -> Option<Named> {
    let (chosen, value) = layers.first_of(&[id, name])?;
    if chosen == id {
        return Some(Named::Id(value));
    }
    let own = layers.first_of(&[domain_id, domain_name]);
    let both = || layers.first_of(&[Setting::DomainId, Setting::DomainName]);
    let default = || layers.first_of(&[Setting::DefaultDomainId, Setting::DefaultDomainName]);
    let ids = [domain_id, Setting::DomainId, Setting::DefaultDomainId];
    let domain = match own.or_else(both).or_else(default) {
        Some((setting, domain)) if ids.contains(&setting) => Domain::Id(domain),
        Some((_, domain)) => Domain::Name(domain),
        None => Domain::Name(Sourced::assumed("Default")),
    };
    Some(Named::Name { name: value, domain })
}

/// The required values that were not found, to be reported together.
#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    /// Requires any one of `settings`.
    fn need(&mut self, layers: &Layers, settings: &[Setting]) -> Option<Sourced<String>> {
        let found = layers.first_of(settings).map(|(_, value)| value);
        if found.is_none() {
            let names: Vec<_> = settings.iter().map(|setting| format!("`{}`", setting.variable())).collect();
            let names = names.join(" or ");
            if !self.0.contains(&names) {
                self.0.push(names);
            }
        }
        found
    }

    fn secret(&mut self, layers: &Layers, setting: Setting) -> Option<Sourced<Secret>> {
        Some(self.need(layers, &[setting])?.map(Secret::from))
    }

    fn error(self, layers: &Layers) -> Error {
        let verb = if self.0.len() == 1 { "is" } else { "are" };
        let message = if layers.say_nothing() {
            "no cloud to log in to is given".to_owned()
        } else {
            format!("{} {verb} not set", self.0.join(", "))
        };
        if let Some(cloud) = layers.get(Setting::Cloud) {
            return Error::input(format!("{message}, and the cloud `{}` does not say it", cloud.value))
                .hint("write it below the cloud's `auth` in clouds.yaml (a password in secure.yaml beside it)");
        }
        let clouds = match layers.clouds() {
            "" => "name a cloud of clouds.yaml with `--os-cloud`".to_owned(),
            names => format!("name a cloud of clouds.yaml with `--os-cloud` ({names})"),
        };
        Error::input(message).hint(format!(
            "set {}, as an openrc file does, or {clouds}, or rehearse with `--sandbox`, which needs nothing",
            self.0.join(", ")
        ))
    }
}

/// Expands `~` to the home directory; relative paths start from the working directory.
fn home(path: &str, environment: &BTreeMap<String, String>, directory: &Path) -> PathBuf {
    match (path.strip_prefix("~/"), environment.get("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => directory.join(path),
    }
}
