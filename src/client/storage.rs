//! The storage backends of an endpoint's cloud, mostly of a destination.

use serde_json::Value;

use super::base64;
use super::request::{Answer, Request, segment};

/// Answers `{"storage_backends": [...], "config_default": name}`.
pub fn show(endpoint: &str, environment: Option<&Value>) -> Request {
    Request::get(format!("endpoints/{}/storage", segment(endpoint)), Answer::Field("storage"))
        .with_some("env", environment.map(base64::of_json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_is_one_object() {
        assert_eq!(show("E", None), Request::get("endpoints/E/storage", Answer::Field("storage")));
    }
}
