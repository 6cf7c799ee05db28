//! User scripts, as the service normalizes them before it keeps them.

use serde_json::{Map, Value, json};

use crate::model::Generation;
use crate::sandbox::world::Refusal;

const SYSTEMS: [&str; 5] = ["bsd", "linux", "osx", "solaris", "windows"];
const PHASES: [&str; 3] = ["osmorphing_pre_os_mount", "osmorphing_post_os_mount", "replica_first_boot"];

/// Scripts as kept: texts become lists of phases in the current generation, and stay texts in the legacy one.
pub(super) fn normalised_scripts(scripts: Option<&Value>, generation: Generation) -> Result<Value, Refusal> {
    let fields = match scripts {
        None | Some(Value::Null) => return Ok(json!({})),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(refused("\"user_scripts\" must be of JSON object format")),
    };
    let mut kept = Map::new();
    for part in ["global", "instances"] {
        let Some(entries) = fields.get(part) else { continue };
        let Some(entries) = entries.as_object() else {
            return Err(refused(&format!("\"{part}\" must be of JSON object format")));
        };
        let mut scripts = Map::new();
        for (key, script) in entries {
            if part == "global" && !SYSTEMS.contains(&key.as_str()) {
                return Err(refused(&format!(
                    "The provided global user script os_type \"{key}\" is invalid. Must be one of the following: \
                     ['bsd', 'linux', 'osx', 'solaris', 'windows']"
                )));
            }
            scripts.insert(key.clone(), normalised(script, key == "linux", generation)?);
        }
        kept.insert(part.into(), scripts.into());
    }
    Ok(kept.into())
}

fn normalised(script: &Value, linux: bool, generation: Generation) -> Result<Value, Refusal> {
    match script {
        Value::Null => Ok(Value::Null),
        Value::String(text) if text.trim().is_empty() => {
            Err(Refusal::input("Empty script received. Use 'None' if the script should be removed."))
        }
        Value::String(text) if generation == Generation::Legacy => Ok(text.as_str().into()),
        Value::String(text) => {
            let payload = if linux { text.replace("\r\n", "\n") } else { text.clone() };
            Ok(json!([{"phase": PHASES[1], "payload": payload}]))
        }
        Value::Array(steps) => steps.iter().map(step).collect::<Result<Vec<_>, _>>().map(Value::from),
        _ => Err(refused("a user script must be a text or a list")),
    }
}

fn step(step: &Value) -> Result<Value, Refusal> {
    let Some(payload) = step.get("payload") else { return Err(refused("a user script lacks its payload")) };
    let phase = step.get("phase").and_then(Value::as_str).unwrap_or(PHASES[1]);
    if !PHASES.contains(&phase) {
        let phases = PHASES.map(|phase| format!("'{phase}'")).join(", ");
        return Err(refused(&format!("Unknown user script phase: {phase}, supported phases: [{phases}].")));
    }
    Ok(json!({"payload": payload, "phase": phase}))
}

/// The service says it twice.
fn refused(message: &str) -> Refusal {
    Refusal::input(format!("Invalid input received: {message}"))
}
