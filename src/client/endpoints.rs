//! Endpoints: the clouds that instances are moved between. The same in both generations.

use serde_json::{Map, Value, json};

use super::base64;
use super::request::{Answer, Repeat, Request, segment};

pub fn list() -> Request {
    Request::get("endpoints", Answer::List("endpoints"))
}

pub fn show(endpoint: &str) -> Request {
    Request::get(path(endpoint), Answer::Thing("endpoint"))
}

/// Fields: `name`, `type`, `connection_info`, `description`, `mapped_regions`. The server checks none of them, not even
/// that the name is new.
pub fn create(fields: Map<String, Value>) -> Request {
    Request::post("endpoints", json!({ "endpoint": fields }), Answer::Thing("endpoint"), Repeat::Find)
}

/// `connection_info` is replaced whole; the same update twice is the same as once.
pub fn update(endpoint: &str, fields: Map<String, Value>) -> Request {
    Request::put(path(endpoint), json!({ "endpoint": fields }), Answer::Thing("endpoint"), Repeat::Find)
}

pub fn delete(endpoint: &str) -> Request {
    Request::delete(path(endpoint))
}

/// Answers `{"valid": bool, "message": text or null}`, even when the credentials are wrong.
pub fn validate_connection(endpoint: &str) -> Request {
    let body = json!({ "validate-connection": null });
    Request::post(format!("{}/actions", path(endpoint)), body, Answer::Object("validate-connection"), Repeat::Safe)
}

/// The instances as CSV: a JSON answer is that text as one string.
pub fn export_inventory(endpoint: &str, environment: Option<&Value>) -> Request {
    Request::get(format!("{}/inventory", path(endpoint)), Answer::Whole)
        .with_some("env", environment.map(base64::of_json))
}

fn path(endpoint: &str) -> String {
    format!("endpoints/{}", segment(endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Method, Service};

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn requests_are_what_the_recorded_client_sent() {
        let body = json!({"name": "vc", "type": "vmware_vsphere", "connection_info": {"host": "h"}});
        assert_eq!(list(), Request::get("endpoints", Answer::List("endpoints")));
        assert_eq!(show("E"), Request::get("endpoints/E", Answer::Thing("endpoint")));
        assert_eq!(
            create(fields(body.clone())),
            Request {
                service: Service::Coriolis,
                method: Method::Post,
                path: "endpoints".into(),
                query: vec![],
                body: Some(json!({ "endpoint": body })),
                answer: Answer::Thing("endpoint"),
                repeat: Some(Repeat::Find),
            }
        );
        assert_eq!(
            update("E", fields(json!({"name": "n"}))),
            Request::put("endpoints/E", json!({"endpoint": {"name": "n"}}), Answer::Thing("endpoint"), Repeat::Find)
        );
        assert_eq!(delete("E"), Request::delete("endpoints/E"));
        let inventory = Request::get("endpoints/E/inventory", Answer::Whole);
        assert_eq!(export_inventory("E", None), inventory);
        assert_eq!(export_inventory("E", Some(&json!({}))), inventory.with("env", "e30="));
        assert_eq!(
            validate_connection("E"),
            Request::post(
                "endpoints/E/actions",
                json!({"validate-connection": null}),
                Answer::Object("validate-connection"),
                Repeat::Safe
            )
        );
    }
}
