//! The settings by name.

use std::collections::BTreeMap;

use super::sourced::Sourced;

/// One setting of a cloud.
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
    DomainName,
    DomainId,
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

/// The names of a setting: variables, with the one used in messages first, and keys of clouds.yaml.
pub(super) struct Row {
    pub setting: Setting,
    pub variables: &'static [&'static str],
    pub keys: &'static [&'static str],
}

const fn row(setting: Setting, variables: &'static [&'static str], keys: &'static [&'static str]) -> Row {
    Row { setting, variables, keys }
}

/// Keys in the order in which openstacksdk prefers them: it takes some from beside `auth` before those in it.
pub(super) const ROWS: &[Row] = &[
    row(Setting::Cloud, &["OS_CLOUD"], &[]),
    row(Setting::AuthType, &["OS_AUTH_TYPE", "OS_AUTH_PLUGIN"], &["auth_type", "auth_plugin"]),
    row(Setting::AuthUrl, &["OS_AUTH_URL"], &["auth.auth_url", "auth_url"]),
    row(Setting::IdentityApiVersion, &["OS_IDENTITY_API_VERSION"], &["identity_api_version"]),
    row(Setting::Token, &["OS_AUTH_TOKEN", "OS_TOKEN"], &["token", "auth.token", "auth_token", "auth.auth_token"]),
    row(Setting::Username, &["OS_USERNAME"], &["auth.username", "auth.user_name", "username", "user_name"]),
    row(Setting::UserId, &["OS_USER_ID"], &["auth.user_id", "user_id"]),
    row(Setting::UserDomainName, &["OS_USER_DOMAIN_NAME"], &["user_domain_name", "auth.user_domain_name"]),
    row(Setting::UserDomainId, &["OS_USER_DOMAIN_ID"], &["user_domain_id", "auth.user_domain_id"]),
    row(Setting::Password, &["OS_PASSWORD"], &["auth.password", "password"]),
    row(
        Setting::ApplicationCredentialId,
        &["OS_APPLICATION_CREDENTIAL_ID"],
        &["auth.application_credential_id", "application_credential_id"],
    ),
    row(
        Setting::ApplicationCredentialName,
        &["OS_APPLICATION_CREDENTIAL_NAME"],
        &["auth.application_credential_name", "application_credential_name"],
    ),
    row(
        Setting::ApplicationCredentialSecret,
        &["OS_APPLICATION_CREDENTIAL_SECRET"],
        &["auth.application_credential_secret", "application_credential_secret"],
    ),
    row(
        Setting::ProjectName,
        &["OS_PROJECT_NAME", "OS_TENANT_NAME"],
        &["project_name", "auth.project_name", "tenant_name", "auth.tenant_name"],
    ),
    row(
        Setting::ProjectId,
        &["OS_PROJECT_ID", "OS_TENANT_ID"],
        &["project_id", "auth.project_id", "tenant_id", "auth.tenant_id"],
    ),
    row(Setting::ProjectDomainName, &["OS_PROJECT_DOMAIN_NAME"], &["project_domain_name", "auth.project_domain_name"]),
    row(Setting::ProjectDomainId, &["OS_PROJECT_DOMAIN_ID"], &["project_domain_id", "auth.project_domain_id"]),
    row(Setting::DomainName, &["OS_DOMAIN_NAME"], &["domain_name", "auth.domain_name"]),
    row(Setting::DomainId, &["OS_DOMAIN_ID"], &["domain_id", "auth.domain_id"]),
    row(Setting::DefaultDomainName, &["OS_DEFAULT_DOMAIN_NAME"], &["auth.default_domain_name", "default_domain_name"]),
    row(
        Setting::DefaultDomainId,
        &["OS_DEFAULT_DOMAIN_ID", "OS_DEFAULT_DOMAIN"],
        &["auth.default_domain_id", "default_domain_id", "auth.default_domain", "default_domain"],
    ),
    row(Setting::Endpoint, &["CORIOLIS_ENDPOINT", "OS_MIGRATION_ENDPOINT_OVERRIDE"], &["migration_endpoint_override"]),
    row(
        Setting::Interface,
        &["CORIOLIS_INTERFACE", "OS_MIGRATION_INTERFACE", "OS_ENDPOINT_TYPE", "OS_INTERFACE"],
        &["migration_endpoint_type", "migration_interface", "endpoint_type", "interface"],
    ),
    // `region_name` and `regions` are handled in `file`.
    row(
        Setting::RegionName,
        &["CORIOLIS_REGION_NAME", "OS_MIGRATION_REGION_NAME", "OS_REGION_NAME"],
        &["migration_region_name"],
    ),
    row(Setting::ServiceType, &["CORIOLIS_SERVICE_TYPE", "OS_MIGRATION_SERVICE_TYPE"], &["migration_service_type"]),
    row(Setting::ServiceName, &["CORIOLIS_SERVICE_NAME", "OS_MIGRATION_SERVICE_NAME"], &["migration_service_name"]),
    row(Setting::Cacert, &["OS_CACERT"], &["cacert"]),
    row(Setting::Insecure, &["OS_INSECURE"], &["insecure"]),
];

impl Setting {
    /// The environment variable used in messages.
    pub fn variable(self) -> &'static str {
        let row = ROWS.iter().find(|row| row.setting == self);
        row.and_then(|row| row.variables.first()).expect("what can be missing has a variable")
    }
}

/// The values of one place.
pub(super) type Values = BTreeMap<Setting, Sourced<String>>;

/// A way to log in.
#[derive(Clone, Copy)]
pub(super) enum CredentialKind {
    Password,
    Token,
    ApplicationCredential,
}
