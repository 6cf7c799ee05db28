//! The networks of an endpoint's cloud, mostly of a destination.

use serde_json::Value;

use super::base64;
use super::request::{Answer, Request, segment};

pub fn list(endpoint: &str, environment: Option<&Value>) -> Request {
    Request::get(format!("endpoints/{}/networks", segment(endpoint)), Answer::List("networks"))
        .with_some("env", environment.map(base64::of_json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_travels_as_base64() {
        let plain = Request::get("endpoints/E/networks", Answer::List("networks"));
        assert_eq!(list("E", None), plain);
        assert_eq!(list("E", Some(&serde_json::json!({}))), plain.with("env", "e30="));
    }
}
