//! Minion pools: helper machines that are kept ready in a cloud. The same in both generations.

use serde_json::{Map, Value, json};

use super::request::{Answer, Repeat, Request, segment};

/// Lists pools without their events and progress updates.
pub fn list() -> Request {
    Request::get("minion_pools", Answer::List("minion_pools"))
}

pub fn show(pool: &str) -> Request {
    Request::get(path(pool), Answer::Thing("minion_pool"))
}

/// Fields: `name`, `endpoint_id`, `platform`, `os_type`, `environment_options`, `minimum_minions`, `maximum_minions`,
/// `minion_max_idle_time`, `minion_retention_strategy`, `notes`, `skip_allocation`. Creating one makes its machines,
/// unless that is to be skipped.
pub fn create(fields: Map<String, Value>) -> Request {
    Request::post("minion_pools", json!({ "minion_pool": fields }), Answer::Thing("minion_pool"), Repeat::Find)
}

/// Possible only while it is deallocated.
pub fn update(pool: &str, fields: Map<String, Value>) -> Request {
    Request::put(path(pool), json!({ "minion_pool": fields }), Answer::Thing("minion_pool"), Repeat::Find)
}

/// Possible only while it is deallocated or broken.
pub fn delete(pool: &str) -> Request {
    Request::delete(path(pool))
}

/// Makes its machines. Answers the pool.
pub fn allocate(pool: &str) -> Request {
    act(pool, json!({ "allocate": null }), Repeat::Find)
}

/// Checks its machines and repairs them; may be repeated.
pub fn refresh(pool: &str) -> Request {
    act(pool, json!({ "refresh": null }), Repeat::Safe)
}

/// Deletes its machines. Does nothing to a pool without machines.
pub fn deallocate(pool: &str, force: bool) -> Request {
    act(pool, json!({ "deallocate": { "force": force } }), Repeat::Find)
}

fn act(pool: &str, body: Value, repeat: Repeat) -> Request {
    Request::post(format!("{}/actions", path(pool)), body, Answer::Thing("minion_pool"), repeat)
}

fn path(pool: &str) -> String {
    format!("minion_pools/{}", segment(pool))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_the_official_client_sends() {
        let fields = Map::from_iter([("name".to_owned(), json!("pool"))]);
        let body = json!({"minion_pool": {"name": "pool"}});
        let one = Answer::Thing("minion_pool");
        assert_eq!(list(), Request::get("minion_pools", Answer::List("minion_pools")));
        assert_eq!(show("P"), Request::get("minion_pools/P", one));
        assert_eq!(create(fields.clone()), Request::post("minion_pools", body.clone(), one, Repeat::Find));
        assert_eq!(update("P", fields), Request::put("minion_pools/P", body, one, Repeat::Find));
        assert_eq!(delete("P"), Request::delete("minion_pools/P"));
        let action = |body, repeat| Request::post("minion_pools/P/actions", body, one, repeat);
        assert_eq!(allocate("P"), action(json!({"allocate": null}), Repeat::Find));
        assert_eq!(refresh("P"), action(json!({"refresh": null}), Repeat::Safe));
        assert_eq!(deallocate("P", true), action(json!({"deallocate": {"force": true}}), Repeat::Find));
    }
}
