//! The settings by name, and the places that may hold them, first place first.

use std::collections::BTreeMap;
use std::path::Path;

use super::flags::CloudFlags;
use super::{Origin, Read, Sourced, file};
use crate::error::Result;

/// One thing to know about a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Setting {
    Cloud,
    AuthType,
    AuthUrl,
    IdentityApiVersion,
    Token,
    Username,
    UserId,
    UserDomainName,
    UserDomainId,
    Password,
    ApplicationCredentialId,
    ApplicationCredentialName,
    ApplicationCredentialSecret,
    ProjectName,
    ProjectId,
    ProjectDomainName,
    ProjectDomainId,
    DefaultDomainName,
    DefaultDomainId,
    Endpoint,
    NoAuth,
    Interface,
    RegionName,
    ServiceType,
    ServiceName,
    Cacert,
    Insecure,
}

/// The names of a setting: variables, first the one to speak of, and keys of clouds.yaml.
pub(super) struct Row {
    pub setting: Setting,
    pub variables: &'static [&'static str],
    pub keys: &'static [&'static str],
}

const fn row(setting: Setting, variables: &'static [&'static str], keys: &'static [&'static str]) -> Row {
    Row { setting, variables, keys }
}

pub(super) const ROWS: &[Row] = &[
    row(Setting::Cloud, &["OS_CLOUD"], &[]),
    row(Setting::AuthType, &["OS_AUTH_TYPE"], &["auth_type"]),
    row(Setting::AuthUrl, &["OS_AUTH_URL"], &["auth.auth_url"]),
    row(Setting::IdentityApiVersion, &["OS_IDENTITY_API_VERSION"], &["identity_api_version"]),
    row(Setting::Token, &["OS_AUTH_TOKEN", "OS_TOKEN"], &["auth.token"]),
    row(Setting::Username, &["OS_USERNAME"], &["auth.username"]),
    row(Setting::UserId, &["OS_USER_ID"], &["auth.user_id"]),
    row(Setting::UserDomainName, &["OS_USER_DOMAIN_NAME"], &["auth.user_domain_name"]),
    row(Setting::UserDomainId, &["OS_USER_DOMAIN_ID"], &["auth.user_domain_id"]),
    row(Setting::Password, &["OS_PASSWORD"], &["auth.password"]),
    row(Setting::ApplicationCredentialId, &["OS_APPLICATION_CREDENTIAL_ID"], &["auth.application_credential_id"]),
    row(Setting::ApplicationCredentialName, &["OS_APPLICATION_CREDENTIAL_NAME"], &["auth.application_credential_name"]),
    row(
        Setting::ApplicationCredentialSecret,
        &["OS_APPLICATION_CREDENTIAL_SECRET"],
        &["auth.application_credential_secret"],
    ),
    row(Setting::ProjectName, &["OS_PROJECT_NAME", "OS_TENANT_NAME"], &["auth.project_name", "auth.tenant_name"]),
    row(Setting::ProjectId, &["OS_PROJECT_ID", "OS_TENANT_ID"], &["auth.project_id", "auth.tenant_id"]),
    row(Setting::ProjectDomainName, &["OS_PROJECT_DOMAIN_NAME"], &["auth.project_domain_name"]),
    row(Setting::ProjectDomainId, &["OS_PROJECT_DOMAIN_ID"], &["auth.project_domain_id"]),
    row(Setting::DefaultDomainName, &["OS_DEFAULT_DOMAIN_NAME", "OS_DEFAULT_DOMAIN"], &["auth.default_domain_name"]),
    row(Setting::DefaultDomainId, &["OS_DEFAULT_DOMAIN_ID"], &["auth.default_domain_id", "auth.default_domain"]),
    row(Setting::Endpoint, &["CORIOLIS_ENDPOINT"], &["migration_endpoint_override"]),
    row(
        Setting::Interface,
        &["CORIOLIS_INTERFACE", "OS_INTERFACE", "OS_ENDPOINT_TYPE"],
        &["migration_interface", "interface", "endpoint_type"],
    ),
    row(
        Setting::RegionName,
        &["CORIOLIS_REGION_NAME", "OS_REGION_NAME"],
        &["migration_region_name", "region_name", "regions"],
    ),
    row(Setting::ServiceType, &["CORIOLIS_SERVICE_TYPE"], &["migration_service_type"]),
    row(Setting::ServiceName, &["CORIOLIS_SERVICE_NAME"], &["migration_service_name"]),
    row(Setting::Cacert, &["OS_CACERT"], &["cacert"]),
    row(Setting::Insecure, &["OS_INSECURE"], &["insecure"]),
];

impl Setting {
    /// The environment variable to speak of.
    pub fn variable(self) -> &'static str {
        let row = ROWS.iter().find(|row| row.setting == self);
        row.and_then(|row| row.variables.first()).expect("what can be missing has a variable")
    }
}

/// What one place says.
pub(super) type Place = BTreeMap<Setting, Sourced<String>>;

/// What all places say, the first one first. Holds secrets, so it cannot be shown.
pub(super) struct Layers {
    places: Vec<Place>,
    clouds: String,
}

impl Layers {
    pub fn new(
        flags: &CloudFlags,
        environment: &BTreeMap<String, String>,
        directory: &Path,
        read: Read<'_>,
    ) -> Result<Self> {
        let flags = flags.place();
        let variables = variables(environment);
        let files = file::Files { environment, directory, read };
        let places = match (flags.get(&Setting::Cloud), variables.get(&Setting::Cloud)) {
            (Some(cloud), _) => {
                let cloud = files.cloud(cloud)?;
                vec![flags, cloud, variables]
            }
            (None, Some(cloud)) => {
                let cloud = files.cloud(cloud)?;
                vec![flags, variables, cloud]
            }
            (None, None) => vec![flags, variables],
        };
        let clouds = if places.len() == 2 { files.names() } else { String::new() };
        Ok(Self { places, clouds })
    }

    pub fn get(&self, setting: Setting) -> Option<Sourced<String>> {
        self.places.iter().find_map(|place| place.get(&setting)).cloned()
    }

    /// The first place that holds any of `settings`, and of these the first it holds.
    pub fn first_of(&self, settings: &[Setting]) -> Option<(Setting, Sourced<String>)> {
        let first = |place: &Place| settings.iter().find_map(|setting| Some((*setting, place.get(setting)?.clone())));
        self.places.iter().find_map(first)
    }

    /// Whether a switch is on.
    pub fn switch(&self, setting: Setting) -> bool {
        let on = |word: &str| matches!(word.to_lowercase().as_str(), "1" | "true" | "yes" | "on");
        self.get(setting).is_some_and(|value| on(&value.value))
    }

    /// Whether no place says anything about a cloud.
    pub fn say_nothing(&self) -> bool {
        self.places.iter().all(BTreeMap::is_empty)
    }

    /// The clouds that could have been named.
    pub fn clouds(&self) -> &str {
        &self.clouds
    }
}

/// An empty variable counts as not set, as everywhere in OpenStack's tools.
fn variables(environment: &BTreeMap<String, String>) -> Place {
    let first = |row: &'static Row| {
        row.variables.iter().find_map(|name| {
            let value = environment.get(*name).filter(|value| !value.is_empty())?;
            Some((row.setting, Sourced::new(value.clone(), Origin::Environment(name))))
        })
    };
    ROWS.iter().filter_map(first).collect()
}
