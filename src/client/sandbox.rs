//! The truth of a sandbox, and the switches of its machines: no real cloud has them.

use serde_json::json;

use super::request::{Answer, Repeat, Request, Service};

/// The truth about sources, volumes and booted machines.
pub fn truth() -> Request {
    Request::get("truth", Answer::Whole).to(Service::Sandbox)
}

/// Switches a source by its name, or a machine on the target by its id.
pub fn power(vm: &str, endpoint: Option<&str>, on: bool) -> Request {
    let body = json!({"vm": vm, "endpoint": endpoint, "power": if on { "on" } else { "off" }});
    Request::post("power", body, Answer::Object("power"), Repeat::Safe).to(Service::Sandbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_switched_by_its_name_and_endpoint() {
        let request = power("web-01", Some("vc2"), false);
        assert_eq!((request.path.as_str(), request.service), ("power", Service::Sandbox));
        assert_eq!(request.body, Some(json!({"vm": "web-01", "endpoint": "vc2", "power": "off"})));
    }
}
