//! Providers: the platforms that the server's workers speak, and the schemas of their settings.

use super::request::{Answer, Request, segment};

/// The schemas that a provider may have: the official command's word, and the number behind it in the path.
pub const SCHEMAS: [(&str, u32); 5] = [
    ("connection", 16),
    ("destination", 4),
    ("source", 8),
    ("source_minion_pool", 524_288),
    ("destination_minion_pool", 1_048_576),
];

/// Answers `{platform: {"types": [number]}}`.
pub fn list() -> Request {
    Request::get("providers", Answer::Field("providers"))
}

/// Answers `{name: schema}`. `kind` is one of the numbers of [`SCHEMAS`]: anything that is not a number is a 500.
pub fn schemas(platform: &str, kind: u32) -> Request {
    Request::get(format!("providers/{}/schemas/{kind}", segment(platform)), Answer::Field("schemas"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_asked_for_by_its_number() {
        assert_eq!(list(), Request::get("providers", Answer::Field("providers")));
        assert_eq!(schemas("openstack", 16), Request::get("providers/openstack/schemas/16", Answer::Field("schemas")));
    }
}
