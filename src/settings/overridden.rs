//! A named cloud, beside an environment that means another one: a forgotten `source` of an openrc file.

use super::layers::{Layers, Named};
use super::setting::{CredentialKind, ROWS, Setting, Values};
use super::sourced::{Note, Origin, Sourced};
use crate::secret::Known;

/// A part of a login, and its settings in the order of use.
type Part = (&'static str, &'static [Setting]);

const PROJECT: &str = "project";

/// The parts that identify the cloud.
const PARTS: [Part; 4] = [
    ("auth URL", &[Setting::AuthUrl]),
    (
        "user",
        &[
            Setting::ApplicationCredentialId,
            Setting::ApplicationCredentialName,
            Setting::Token,
            Setting::UserId,
            Setting::Username,
        ],
    ),
    (PROJECT, &[Setting::ProjectId, Setting::ProjectName]),
    ("endpoint", &[Setting::Endpoint]),
];

/// Passwords and domains: to be unset together with a part that is not the cloud's own.
const BESIDES: [Setting; 8] = [
    Setting::Password,
    Setting::ApplicationCredentialSecret,
    Setting::UserDomainId,
    Setting::UserDomainName,
    Setting::ProjectDomainId,
    Setting::ProjectDomainName,
    Setting::DomainId,
    Setting::DomainName,
];

/// The note about values of the environment that override those of the named cloud; none where they agree.
pub(super) fn note(layers: &Layers, kind: CredentialKind) -> Option<Note> {
    let named = layers.named()?;
    let (cloud, environment) = (&named.cloud, &named.environment);
    // An application credential has a project of its own.
    let has_scope = !matches!(kind, CredentialKind::ApplicationCredential);
    let parts: Vec<Part> = PARTS.into_iter().filter(|(what, _)| has_scope || *what != PROJECT).collect();
    let told: Vec<(String, &[Setting])> = parts
        .iter()
        .filter_map(|(what, settings)| Some((instead(layers, cloud, environment, what, settings)?, *settings)))
        .collect();
    if !told.is_empty() {
        let is_meant = |setting: &Setting| told.iter().any(|(_, settings)| settings.contains(setting));
        let is_beside = |setting: &Setting| BESIDES.contains(setting) && cloud.contains_key(setting);
        let variables = variables(environment, |setting| is_meant(setting) || is_beside(setting));
        return Some(Note {
            message: format!(
                "cloud `{}` is overridden by the environment: {}",
                named.name,
                told.iter().map(|(told, _)| told.as_str()).collect::<Vec<_>>().join(", ")
            ),
            hint: Some(format!(
                "`unset {}` to use the cloud as clouds.yaml has it; leave the name of the cloud out to use the environment",
                variables.join(" ")
            )),
        });
    }
    let secret = match kind {
        CredentialKind::Password => Some(Setting::Password),
        CredentialKind::ApplicationCredential => Some(Setting::ApplicationCredentialSecret),
        CredentialKind::Token => None,
    };
    let is_of_environment = |settings: &[Setting]| {
        layers.first_of(settings).is_some_and(|(_, used)| matches!(used.origin, Origin::Environment(_)))
    };
    let mut used: Vec<Setting> =
        parts.iter().filter(|part| is_of_environment(part.1)).flat_map(|part| part.1).copied().collect();
    used.extend(secret.filter(|secret| is_of_environment(&[*secret])));
    beside(layers, named, &used)
}

/// A part that comes from the environment although the cloud has its own.
fn instead(layers: &Layers, cloud: &Values, environment: &Values, what: &str, settings: &[Setting]) -> Option<String> {
    let (setting, used) = layers.first_of(settings)?;
    let Origin::Environment(variable) = used.origin else { return None };
    let (own_setting, own) = settings.iter().find_map(|setting| Some((*setting, cloud.get(setting)?)))?;
    // An id and a name may mean the same: only settings of both places are compared.
    let agree = settings.iter().any(|setting| match (environment.get(setting), cloud.get(setting)) {
        (Some(one), Some(other)) => is_same(*setting, one, other),
        _ => false,
    });
    (!agree).then(|| format!("{what} {} (`{variable}`) in place of {}", shown(setting, &used), shown(own_setting, own)))
}

/// The part of the environment that is added to another cloud's settings.
fn beside(layers: &Layers, Named { name, environment, .. }: &Named, used: &[Setting]) -> Option<Note> {
    let url = layers.get(Setting::AuthUrl)?;
    let other = environment.get(&Setting::AuthUrl).filter(|other| !is_same(Setting::AuthUrl, &url, other))?;
    let used = variables(environment, |setting| used.contains(setting));
    let names: Vec<String> = used.iter().map(|name| format!("`{name}`")).collect();
    (!used.is_empty()).then(|| Note {
        message: format!(
            "cloud `{name}` is at {}, and the environment is for {}: {} of it {} used for what the cloud leaves out",
            shown(Setting::AuthUrl, &url),
            shown(Setting::AuthUrl, other),
            names.join(", "),
            if used.len() == 1 { "is" } else { "are" },
        ),
        hint: Some(format!("`unset OS_AUTH_URL {}`, and write into clouds.yaml what is missing there", used.join(" "))),
    })
}

/// The variables of such settings, in the order of all settings.
fn variables(environment: &Values, is_meant: impl Fn(&Setting) -> bool) -> Vec<&'static str> {
    let meant = ROWS.iter().filter(|row| is_meant(&row.setting)).filter_map(|row| environment.get(&row.setting));
    meant
        .filter_map(|value| match value.origin {
            Origin::Environment(name) => Some(name),
            _ => None,
        })
        .collect()
}

/// Compares two values; in a URL the version at its end and a slash do not count.
fn is_same(setting: Setting, one: &Sourced<String>, other: &Sourced<String>) -> bool {
    let place = |url: &Sourced<String>| {
        let url = url.value.trim_end_matches('/').to_lowercase();
        ["/v3", "/v2.0"].iter().find_map(|version| url.strip_suffix(version).map(str::to_owned)).unwrap_or(url)
    };
    match setting {
        Setting::AuthUrl | Setting::Endpoint => place(one) == place(other),
        _ => one.value == other.value,
    }
}

fn shown(setting: Setting, value: &Sourced<String>) -> String {
    match setting {
        Setting::Token => "a token".to_owned(),
        Setting::ApplicationCredentialId | Setting::ApplicationCredentialName => {
            format!("application credential `{}`", value.value)
        }
        _ => format!("`{}`", Known::default().mask(&value.value)),
    }
}
