//! Services: the server's own workers, shared by all projects. The same in both generations.

use serde_json::{Map, Value, json};

use super::request::{Answer, Repeat, Request, segment};

pub fn list() -> Request {
    Request::get("services", Answer::List("services"))
}

pub fn show(service: &str) -> Request {
    Request::get(path(service), Answer::Thing("service"))
}

/// Fields: `host`, `binary`, `topic`, `mapped_regions`, `enabled`. The server calls the worker before it answers; a
/// worker that is already registered is 409.
pub fn create(fields: Map<String, Value>) -> Request {
    Request::post("services", json!({ "service": fields }), Answer::Thing("service"), Repeat::Find)
}

pub fn update(service: &str, fields: Map<String, Value>) -> Request {
    Request::put(path(service), json!({ "service": fields }), Answer::Thing("service"), Repeat::Find)
}

pub fn delete(service: &str) -> Request {
    Request::delete(path(service))
}

fn path(service: &str) -> String {
    format!("services/{}", segment(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_the_official_client_sends() {
        let fields = Map::from_iter([("enabled".to_owned(), json!(false))]);
        let body = json!({"service": {"enabled": false}});
        assert_eq!(list(), Request::get("services", Answer::List("services")));
        assert_eq!(show("S"), Request::get("services/S", Answer::Thing("service")));
        assert_eq!(
            create(fields.clone()),
            Request::post("services", body.clone(), Answer::Thing("service"), Repeat::Find)
        );
        assert_eq!(update("S", fields), Request::put("services/S", body, Answer::Thing("service"), Repeat::Find));
        assert_eq!(delete("S"), Request::delete("services/S"));
    }
}
