//! The flags that select the cloud, under the names of the official client and with its short ones.

use secrecy::ExposeSecret;

use super::setting::{Setting, Values};
use super::sourced::{Origin, Secret, Sourced};

/// The cloud, and our identity there. Each flag has an environment variable of the same name (`OS_AUTH_URL`), and a
/// place in clouds.yaml.
#[derive(clap::Args, Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Cloud")]
pub struct CloudFlags {
    /// Cloud of clouds.yaml to use
    #[arg(long, global = true, value_name = "NAME")]
    pub os_cloud: Option<String>,
    /// Keystone's URL, with or without version
    #[arg(long, short = 'A', global = true, value_name = "URL")]
    pub os_auth_url: Option<String>,
    /// Version of Keystone's API if it serves several: 3 (default) or 2
    #[arg(long, global = true, value_name = "NUMBER", hide_short_help = true)]
    pub os_identity_api_version: Option<String>,
    /// Login method: password, token or v3applicationcredential
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub os_auth_type: Option<String>,
    /// User to log in as
    #[arg(long, short = 'U', global = true, value_name = "NAME")]
    pub os_username: Option<String>,
    #[arg(long, global = true, value_name = "ID", hide_short_help = true)]
    pub os_user_id: Option<String>,
    /// Domain of the user (default: `Default`)
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub os_user_domain_name: Option<String>,
    #[arg(long, global = true, value_name = "ID", hide_short_help = true)]
    pub os_user_domain_id: Option<String>,
    /// Password; better given as OS_PASSWORD, which other users of the machine cannot see
    #[arg(long, short = 'P', global = true, value_name = "PASSWORD", hide_short_help = true)]
    #[serde(skip)]
    pub os_password: Option<Secret>,
    /// Project to work in
    #[arg(long, global = true, value_name = "NAME")]
    pub os_project_name: Option<String>,
    #[arg(long, global = true, value_name = "ID", hide_short_help = true)]
    pub os_project_id: Option<String>,
    /// Domain of the project (default: `Default`)
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub os_project_domain_name: Option<String>,
    #[arg(long, global = true, value_name = "ID", hide_short_help = true)]
    pub os_project_domain_id: Option<String>,
    /// Old name of --os-project-name
    #[arg(long, short = 'T', global = true, value_name = "NAME", hide_short_help = true)]
    pub os_tenant_name: Option<String>,
    /// Old name of --os-project-id
    #[arg(long, short = 'I', global = true, value_name = "ID", hide_short_help = true)]
    pub os_tenant_id: Option<String>,
    /// Token to use as it is; better given as OS_TOKEN
    #[arg(long, visible_alias = "os-token", global = true, value_name = "TOKEN", hide_short_help = true)]
    #[serde(skip)]
    pub os_auth_token: Option<Secret>,
    #[arg(long, global = true, value_name = "ID", hide_short_help = true)]
    pub os_application_credential_id: Option<String>,
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub os_application_credential_name: Option<String>,
    /// Secret of the application credential; better given as OS_APPLICATION_CREDENTIAL_SECRET
    #[arg(long, global = true, value_name = "SECRET", hide_short_help = true)]
    #[serde(skip)]
    pub os_application_credential_secret: Option<Secret>,
    /// PEM file of additional authorities to trust
    #[arg(long, global = true, value_name = "FILE")]
    pub os_cacert: Option<String>,
    /// Trust every certificate
    #[arg(long, global = true)]
    pub insecure: bool,
    /// Coriolis' URL instead of the catalog's, with or without version and project
    #[arg(long, short = 'E', global = true, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Send no token; needs --endpoint, and the project in it or as --os-project-id
    #[arg(long, short = 'N', global = true)]
    pub no_auth: bool,
    /// Interface of the catalog: public, internal or admin
    #[arg(long, visible_alias = "os-interface", global = true, value_name = "NAME", hide_short_help = true)]
    pub interface: Option<String>,
    /// Region of the catalog
    #[arg(long, visible_alias = "os-region-name", global = true, value_name = "NAME")]
    pub region_name: Option<String>,
    /// Service type in the catalog (default: `migration`)
    #[arg(long, global = true, value_name = "TYPE", hide_short_help = true)]
    pub service_type: Option<String>,
    /// Service name in the catalog
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub service_name: Option<String>,
}

impl CloudFlags {
    /// The flags given here, or `others` if none is given.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        if serde_json::to_value(&self).ok() != serde_json::to_value(Self::default()).ok() {
            return self;
        }
        // The kept flags never include secrets.
        let Self { os_password, os_auth_token, os_application_credential_secret, .. } = self;
        Self { os_password, os_auth_token, os_application_credential_secret, ..others }
    }

    /// True if they say which cloud is meant.
    pub fn name_a_cloud(&self) -> bool {
        self.os_cloud.is_some() || self.os_auth_url.is_some() || self.endpoint.is_some()
    }

    pub(super) fn place(&self) -> Values {
        let text = |value: &Option<String>| value.clone();
        let secret = |value: &Option<Secret>| value.as_ref().map(|value| value.expose_secret().to_owned());
        let switch = |on: bool| on.then(|| "true".to_owned());
        let given = [
            (Setting::Cloud, "--os-cloud", text(&self.os_cloud)),
            (Setting::AuthUrl, "--os-auth-url", text(&self.os_auth_url)),
            (Setting::IdentityApiVersion, "--os-identity-api-version", text(&self.os_identity_api_version)),
            (Setting::AuthType, "--os-auth-type", text(&self.os_auth_type)),
            (Setting::Username, "--os-username", text(&self.os_username)),
            (Setting::UserId, "--os-user-id", text(&self.os_user_id)),
            (Setting::UserDomainName, "--os-user-domain-name", text(&self.os_user_domain_name)),
            (Setting::UserDomainId, "--os-user-domain-id", text(&self.os_user_domain_id)),
            (Setting::Password, "--os-password", secret(&self.os_password)),
            (Setting::ProjectName, "--os-tenant-name", text(&self.os_tenant_name)),
            (Setting::ProjectName, "--os-project-name", text(&self.os_project_name)),
            (Setting::ProjectId, "--os-tenant-id", text(&self.os_tenant_id)),
            (Setting::ProjectId, "--os-project-id", text(&self.os_project_id)),
            (Setting::ProjectDomainName, "--os-project-domain-name", text(&self.os_project_domain_name)),
            (Setting::ProjectDomainId, "--os-project-domain-id", text(&self.os_project_domain_id)),
            (Setting::Token, "--os-auth-token", secret(&self.os_auth_token)),
            (
                Setting::ApplicationCredentialId,
                "--os-application-credential-id",
                text(&self.os_application_credential_id),
            ),
            (
                Setting::ApplicationCredentialName,
                "--os-application-credential-name",
                text(&self.os_application_credential_name),
            ),
            (
                Setting::ApplicationCredentialSecret,
                "--os-application-credential-secret",
                secret(&self.os_application_credential_secret),
            ),
            (Setting::Cacert, "--os-cacert", text(&self.os_cacert)),
            (Setting::Insecure, "--insecure", switch(self.insecure)),
            (Setting::Endpoint, "--endpoint", text(&self.endpoint)),
            (Setting::NoAuth, "--no-auth", switch(self.no_auth)),
            (Setting::Interface, "--interface", text(&self.interface)),
            (Setting::RegionName, "--region-name", text(&self.region_name)),
            (Setting::ServiceType, "--service-type", text(&self.service_type)),
            (Setting::ServiceName, "--service-name", text(&self.service_name)),
        ];
        given
            .into_iter()
            .filter_map(|(setting, flag, value)| {
                let value = value.filter(|value| !value.is_empty())?;
                Some((setting, Sourced::new(value, Origin::Flag(flag))))
            })
            .collect()
    }
}
