//! The providers: their capabilities by number, the schemas of their settings, the options that they offer.

use crate::sandbox::world::scenario::{Platform, Role, Setting};
use crate::sandbox::world::{Caller, Cloud, Endpoint, Refusal};
use serde_json::{Map, Value, json};

/// A capability of a provider, by its number in the list of providers.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::sandbox) enum Needs {
    Connection = 16,
    Instances = 32,
    Networks = 128,
    DestinationOptions = 512,
    Storage = 32768,
    SourceOptions = 131_072,
    SourcePool = 524_288,
    DestinationPool = 1_048_576,
    Inventory = 2_097_152,
}

/// A kind of option that an endpoint offers by name and value.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::sandbox) enum Offer {
    Source,
    Destination,
    SourcePool,
    DestinationPool,
}

const SOURCE_TYPES: [u32; 8] = [8, 16, 32, 4096, 65536, 131_072, 524_288, 2_097_152];
const DESTINATION_TYPES: [u32; 10] = [4, 16, 64, 128, 256, 512, 16384, 32768, 262_144, 1_048_576];
/// The settings in the environment of a minion pool; `fail` makes its validation fail, `image: broken` its machines.
const POOL_SETTINGS: [(&str, &str); 4] =
    [("flavor", "string"), ("image", "string"), ("fail", "boolean"), ("task_seconds", "number")];

impl Role {
    pub(super) fn types(self) -> &'static [u32] {
        match self {
            Role::Source => &SOURCE_TYPES,
            Role::Destination => &DESTINATION_TYPES,
        }
    }
}

impl Offer {
    fn needs(self) -> Needs {
        match self {
            Offer::Source => Needs::SourceOptions,
            Offer::Destination => Needs::DestinationOptions,
            Offer::SourcePool => Needs::SourcePool,
            Offer::DestinationPool => Needs::DestinationPool,
        }
    }

    fn options(self) -> Value {
        match self {
            Offer::Source => json!([
                {"name": "transport", "values": ["nbd", "nbdssl", "hotadd"], "config_default": "nbd"},
                {"name": "snapshot_quiesce", "values": [true, false]},
                {"name": "proxy_vm", "values": [{"id": "p1", "name": "proxy 1"}]},
            ]),
            Offer::Destination => json!([
                {"name": "flavor", "values": ["m1.small", "m1.medium", "m1.large"], "config_default": "m1.small"},
                {"name": "availability_zone", "values": ["az1", "az2"]},
                {
                    "name": "migr_image_map",
                    "values": [{"id": "img-1", "name": "Ubuntu 22.04", "os_type": "linux"}],
                    "config_default": {"linux": "img-1"},
                },
            ]),
            Offer::SourcePool | Offer::DestinationPool => json!([
                {"name": "flavor", "values": ["m1.small", "m1.large"], "config_default": "m1.small"},
                {"name": "image", "values": [{"id": "img-1", "name": "minion-linux"}]},
            ]),
        }
    }
}

impl Cloud {
    /// The options of one kind, of these names or all.
    pub(in crate::sandbox) fn options(
        &self,
        caller: &Caller,
        id: &str,
        offer: Offer,
        names: Option<&[String]>,
    ) -> Result<Value, Refusal> {
        let mut options = offer.options();
        self.capable(self.endpoint(caller, id)?, offer.needs())?;
        if let (Some(names), Value::Array(options)) = (names, &mut options) {
            options.retain(|option| names.iter().any(|name| option["name"] == name.as_str()));
        }
        Ok(options)
    }

    /// True if machines can be moved away from this endpoint.
    pub(super) fn is_source(&self, endpoint: &Endpoint) -> bool {
        let of = |platform: &&Platform| platform.name == endpoint.platform && platform.role == Role::Source;
        self.platforms.iter().any(|platform| of(&platform))
    }

    pub(in crate::sandbox) fn providers(&self) -> Value {
        let platforms = self.platforms.iter();
        Value::Object(
            platforms.map(|platform| (platform.name.clone(), json!({"types": platform.role.types()}))).collect(),
        )
    }

    /// The schemas of one capability of a platform.
    pub(in crate::sandbox) fn schemas(&self, platform: &str, number: u32) -> Result<Value, Refusal> {
        let found = self.platforms.iter().find(|candidate| candidate.name == platform);
        let Some(found) = found.filter(|found| found.role.types().contains(&number)) else {
            let message = format!("Provider not found for: {platform}, {number}");
            return Err(Refusal::missing(message).classed("NotFound"));
        };
        Ok(match number {
            16 => json!({"connection_info_schema": connection()}),
            4 => json!({"destination_environment_schema": environment(found)}),
            8 => json!({"source_environment_schema": environment(found)}),
            524_288 => json!({"source_minion_pool_environment_schema": pool(found)}),
            1_048_576 => json!({"destination_minion_pool_environment_schema": pool(found)}),
            _ => json!({}),
        })
    }
}

/// The first key of a minion pool's environment that its platform does not know.
pub(super) fn unknown_pool_setting<'own>(
    platform: &Platform,
    environment: &'own Map<String, Value>,
) -> Option<&'own str> {
    let known = |key: &str| platform.environment.is_none() || POOL_SETTINGS.iter().any(|(name, _)| *name == key);
    environment.keys().map(String::as_str).find(|key| !known(key))
}

fn schema(properties: Map<String, Value>, open: bool) -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "properties": properties,
        "additionalProperties": open,
    })
}

fn connection() -> Value {
    let properties = json!({
        "host": {"type": "string"},
        "port": {"type": "integer", "default": 443},
        "username": {"type": "string"},
        "password": {"type": "string", "format": "password"},
        "allow_untrusted": {"type": "boolean", "default": false},
        "secret_ref": {"type": "string"},
    });
    let mut schema = schema(properties.as_object().cloned().unwrap_or_default(), true);
    schema["oneOf"] = json!([{"required": ["host", "username", "password"]}, {"required": ["secret_ref"]}]);
    schema
}

fn environment(platform: &Platform) -> Value {
    let described = |setting: &Setting| match setting.values.is_empty() {
        true => json!({}),
        false => json!({"type": "string", "enum": setting.values, "default": setting.values[0]}),
    };
    let settings = platform.environment.iter().flatten();
    let properties = settings.map(|setting| (setting.name.clone(), described(setting))).collect();
    schema(properties, platform.environment.is_none())
}

fn pool(platform: &Platform) -> Value {
    let properties = POOL_SETTINGS.iter().map(|(name, kind)| ((*name).to_owned(), json!({"type": kind}))).collect();
    schema(properties, platform.environment.is_none())
}
