//! Values as JSON, for pipes.
use serde_json::Value;

use crate::secret;

/// Indented JSON without secrets; a list is a bare array.
pub fn pretty(value: &Value) -> String {
    let mut value = value.clone();
    secret::mask(&mut value);
    serde_json::to_string_pretty(&value).expect("a value is valid JSON")
}
