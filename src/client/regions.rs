//! Regions: groups of services and endpoints, shared by all projects. The same in both generations.

use serde_json::{Map, Value, json};

use super::request::{Answer, Repeat, Request, segment};

pub fn list() -> Request {
    Request::get("regions", Answer::List("regions"))
}

pub fn show(region: &str) -> Request {
    Request::get(path(region), Answer::Thing("region"))
}

/// Fields: `name`, `description`, `enabled`. The name need not be new.
pub fn create(fields: Map<String, Value>) -> Request {
    Request::post("regions", json!({ "region": fields }), Answer::Thing("region"), Repeat::Find)
}

pub fn update(region: &str, fields: Map<String, Value>) -> Request {
    Request::put(path(region), json!({ "region": fields }), Answer::Thing("region"), Repeat::Find)
}

/// Also deletes a region that is in use.
pub fn delete(region: &str) -> Request {
    Request::delete(path(region))
}

fn path(region: &str) -> String {
    format!("regions/{}", segment(region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_the_official_client_sends() {
        let fields = Map::from_iter([("name".to_owned(), json!("east"))]);
        let body = json!({"region": {"name": "east"}});
        assert_eq!(list(), Request::get("regions", Answer::List("regions")));
        assert_eq!(show("R"), Request::get("regions/R", Answer::Thing("region")));
        assert_eq!(
            create(fields.clone()),
            Request::post("regions", body.clone(), Answer::Thing("region"), Repeat::Find)
        );
        assert_eq!(update("R", fields), Request::put("regions/R", body, Answer::Thing("region"), Repeat::Find));
        assert_eq!(delete("R"), Request::delete("regions/R"));
    }
}
