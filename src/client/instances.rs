//! The instances (virtual machines) that an endpoint's cloud has.

use serde_json::Value;

use super::base64;
use super::request::{Answer, Request, segment};

/// A selection of instances, and the way in which the worker should look for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The id of the last instance that was already seen.
    pub marker: Option<String>,
    pub limit: Option<u64>,
    /// A pattern that the provider understands, mostly a regular expression.
    pub name: Option<String>,
    /// Asks the cloud again instead of using the worker's cache (servers before 1.2.0 ignore it).
    pub refresh: bool,
    /// The source environment, if the provider needs one.
    pub environment: Option<Value>,
}

pub fn list(endpoint: &str, query: &Query) -> Request {
    Request::get(path(endpoint), Answer::List("instances"))
        .with_some("marker", query.marker.as_ref())
        .with_some("limit", query.limit)
        .with_some("name", query.name.as_ref())
        .with_some("refresh", query.refresh.then_some("True"))
        .with_some("env", query.environment.as_ref().map(base64::of_json))
}

/// `instance` is a name or an id, with any characters in it.
pub fn show(endpoint: &str, instance: &str, environment: Option<&Value>) -> Request {
    Request::get(format!("{}/{}", path(endpoint), base64::of_text(instance)), Answer::Object("instance"))
        .with_some("env", environment.map(base64::of_json))
}

fn path(endpoint: &str) -> String {
    format!("endpoints/{}/instances", segment(endpoint))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_asks_only_for_what_was_asked() {
        let plain = Request::get("endpoints/E/instances", Answer::List("instances"));
        assert_eq!(list("E", &Query::default()), plain);
        let query = Query {
            marker: Some("vm-1".into()),
            limit: Some(2),
            name: Some("web.*".into()),
            refresh: true,
            environment: Some(json!({"a": 1})),
        };
        let expected = plain
            .with("marker", "vm-1")
            .with("limit", 2)
            .with("name", "web.*")
            .with("refresh", "True")
            .with("env", "eyJhIjoxfQ==");
        assert_eq!(list("E", &query), expected);
    }

    #[test]
    fn a_name_with_a_slash_travels_as_base64() {
        assert_eq!(
            show("E", "dc/vm?é", None),
            Request::get("endpoints/E/instances/ZGMvdm0_w6k=", Answer::Object("instance"))
        );
    }
}
