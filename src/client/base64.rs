//! URL-safe base64 of JSON or text: the form in which environments, option names and instance names travel in a URL.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::Value;

/// A JSON value as the `env` and `options` parameters expect it.
pub(super) fn of_json(value: &Value) -> String {
    URL_SAFE.encode(value.to_string())
}

/// A text as a segment of a path: an instance's name may hold slashes.
pub(super) fn of_text(text: &str) -> String {
    URL_SAFE.encode(text)
}
