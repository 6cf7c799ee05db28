//! Whether two answers have the same shape: the same keys, the same types.

use serde_json::Value;

/// Keys whose value comes only in time: null and a value are both right.
const IN_TIME: [&str; 7] =
    ["host", "process_id", "exception_details", "updated_at", "transfer_result", "deleted_at", "replica_state"];
/// Lists that fill in time: an empty one and a full one are both right.
const FILLED_IN_TIME: [&str; 2] = ["progress_updates", "volumes_info"];

/// What the client sent, or the provider made: compared in things, not in the entries of lists, whose order differs.
const OF_OTHERS: [&str; 14] = [
    "schedule",
    "mapped_regions",
    "network_map",
    "storage_mappings",
    "source_environment",
    "destination_environment",
    "user_scripts",
    "connection_info",
    "notes",
    "origin_minion_pool_id",
    "destination_minion_pool_id",
    "instance_osmorphing_minion_pool_mappings",
    "transfer_result",
    "info",
];

/// Everything in which `own` has another shape than `recorded`.
pub(super) fn differences(recorded: &Value, own: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", "", recorded, own, &mut found);
    found
}

fn compare(path: &str, key: &str, recorded: &Value, own: &Value, found: &mut Vec<String>) {
    match (recorded, own) {
        _ if path.contains("s[") && OF_OTHERS.contains(&key) => {}
        // What a provider's schemas say, and which interfaces a host has, is their own.
        (Value::Object(_), Value::Object(_)) if key.ends_with("_schema") => {}
        (Value::Object(_), Value::Object(_)) if matches!(key, "provider_properties" | "connection_details") => {}
        (Value::Array(_), Value::Array(_)) if key == "ip_addresses" => {}
        (Value::Object(recorded), Value::Object(own)) if key != "replica_state" => {
            for (key, value) in recorded {
                match own.get(key) {
                    Some(own) => compare(&format!("{path}.{key}"), key, value, own, found),
                    None => found.push(format!("{path}.{key} is missing")),
                }
            }
            for key in own.keys().filter(|key| !recorded.contains_key(*key)) {
                found.push(format!("{path}.{key} was not recorded"));
            }
        }
        (Value::Array(recorded), Value::Array(own)) => {
            if FILLED_IN_TIME.contains(&key) && (recorded.is_empty() || own.is_empty()) {
                return;
            }
            if recorded.is_empty() != own.is_empty() {
                found.push(format!("{path} has {} entries, {} recorded", own.len(), recorded.len()));
            }
            for (at, own) in own.iter().enumerate() {
                compare_entry(&format!("{path}[{at}]"), at, recorded, own, found);
            }
        }
        (Value::Object(_), Value::Object(_)) => {}
        _ if kind(recorded) == kind(own) => {}
        (Value::Null, _) | (_, Value::Null) if IN_TIME.contains(&key) => {}
        _ => found.push(format!("{path} is {}, {} recorded", kind(own), kind(recorded))),
    }
}

/// An entry must look like some recorded one: lists differ in length and order with time.
fn compare_entry(path: &str, at: usize, recorded: &[Value], own: &Value, found: &mut Vec<String>) {
    let mut first = None;
    let near = recorded.get(at).into_iter().chain(recorded);
    for candidate in near {
        let mut problems = Vec::new();
        compare(path, "", candidate, own, &mut problems);
        if problems.is_empty() {
            return;
        }
        first.get_or_insert(problems);
    }
    found.extend(first.unwrap_or_default());
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
