//! The fields that transfers and deployments have in common.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The fields that transfers and deployments have in common.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Action {
    pub id: String,
    pub project: String,
    pub user: String,
    pub origin: String,
    pub destination: String,
    pub instances: Vec<String>,
    pub source_environment: Value,
    pub destination_environment: Value,
    pub network_map: Value,
    pub storage_mappings: Value,
    pub notes: Option<String>,
    pub user_scripts: Value,
    pub clone_disks: bool,
    pub skip_os_morphing: bool,
    pub live_migration: bool,
    pub origin_pool: Option<String>,
    pub destination_pool: Option<String>,
    /// The pool that prepares the OS of each instance.
    pub morphing_pools: BTreeMap<String, String>,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
}

impl Action {
    pub(in crate::sandbox) fn apply(&mut self, changes: &Map<String, Value>) {
        let of = |key: &str| changes.get(key).cloned().unwrap_or_else(empty);
        merge(&mut self.source_environment, &of("source_environment"));
        merge(&mut self.destination_environment, &of("destination_environment"));
        merge(&mut self.network_map, &of("network_map"));
        merge(&mut self.storage_mappings, &of("storage_mappings"));
        // From the first update on, all parts are present.
        for part in ["backend_mappings", "disk_mappings"] {
            self.storage_mappings
                .as_object_mut()
                .map(|parts| parts.entry(part).or_insert_with(|| Value::Array(Vec::new())));
        }
        for part in ["global", "instances"] {
            let new = of("user_scripts").get(part).cloned().unwrap_or_else(empty);
            self.user_scripts.as_object_mut().map(|parts| parts.entry(part).or_insert_with(empty));
            for (key, script) in new.as_object().into_iter().flatten() {
                // A removed script leaves an empty list.
                let script = if script.is_null() { Value::Array(Vec::new()) } else { script.clone() };
                self.user_scripts[part][key] = script;
            }
        }
        self.destination_environment["network_map"] = self.network_map.clone();
        self.destination_environment["storage_mappings"] = self.storage_mappings.clone();
        if changes.contains_key("notes") {
            self.notes = notes(changes.get("notes"));
        }
        for (key, field) in [("clone_disks", &mut self.clone_disks), ("skip_os_morphing", &mut self.skip_os_morphing)] {
            if let Some(flag) = changes.get(key).and_then(Value::as_bool) {
                *field = flag;
            }
        }
    }
}

/// Notes may be a number, which is kept as text.
pub(in crate::sandbox) fn notes(value: Option<&Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    }
}

/// Merges `changes` into `fields` key by key, as an update does: no key is ever removed.
fn merge(fields: &mut Value, changes: &Value) {
    let (Value::Object(fields), Value::Object(changes)) = (fields, changes) else { return };
    for (key, value) in changes {
        fields.insert(key.clone(), value.clone());
    }
}

pub(in crate::sandbox) fn empty() -> Value {
    Value::Object(Map::new())
}
