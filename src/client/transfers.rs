//! Transfers (`replicas` on legacy servers): copies of instances from one cloud to another.

use serde_json::{Map, Value, json};

use super::filters::{Direction, Filters};
use super::generation::Names;
use super::request::{Answer, Repeat, Request, segment};
use crate::error::{Error, Result};
use crate::model::Generation;

/// The answer needs [`Filters::apply`].
pub fn list(generation: Generation, filters: &Filters) -> Request {
    let names = Names::of(generation);
    filters.ask(generation, Request::get(names.transfers, Answer::List(names.transfers)))
}

/// One page of the transfers whose status changed last. Never continue it by a marker: the order changes. `None` on
/// legacy servers, which cannot sort.
pub fn changed(generation: Generation, limit: usize) -> Option<Request> {
    let sort = vec![("updated_at".to_owned(), Direction::Descending)];
    let filters = Filters { limit: Some(limit), sort, ..Filters::default() };
    (generation == Generation::Current).then(|| list(generation, &filters))
}

/// On legacy servers the answer holds every execution with its tasks; on current ones none.
pub fn show(generation: Generation, transfer: &str) -> Request {
    Request::get(path(generation, transfer), Answer::Thing(Names::of(generation).transfer))
}

/// Fields: `origin_endpoint_id`, `destination_endpoint_id`, `instances`, `scenario`, `source_environment`,
/// `destination_environment`, `network_map`, `storage_mappings`, `notes`, `user_scripts`, `origin_minion_pool_id`,
/// `destination_minion_pool_id`, `instance_osmorphing_minion_pool_mappings`, `clone_disks`, `skip_os_morphing`.
///
/// # Errors
/// `Script` when the server's generation cannot express a field.
pub fn create(generation: Generation, fields: Map<String, Value>) -> Result<Request> {
    let names = Names::of(generation);
    let body = json!({ names.transfer: express(generation, fields)? });
    Ok(Request::post(names.transfers, body, Answer::Thing(names.transfer), Repeat::Find))
}

/// Answers an execution; the change takes effect when that has completed. Objects are merged into the old ones.
///
/// # Errors
/// As [`create`].
pub fn update(generation: Generation, transfer: &str, fields: Map<String, Value>) -> Result<Request> {
    let body = json!({ Names::of(generation).transfer: express(generation, fields)? });
    Ok(Request::put(path(generation, transfer), body, Answer::Thing("execution"), Repeat::Find))
}

/// Leaves its disks on the destination, its schedules and its deployments behind.
pub fn delete(generation: Generation, transfer: &str) -> Request {
    Request::delete(path(generation, transfer))
}

/// Deletes the copies on the destination; answers an execution.
pub fn delete_disks(generation: Generation, transfer: &str) -> Request {
    let path = format!("{}/actions", path(generation, transfer));
    Request::post(path, json!({ "delete-disks": null }), Answer::Thing("execution"), Repeat::Find)
}

pub(super) fn path(generation: Generation, transfer: &str) -> String {
    format!("{}/{}", Names::of(generation).transfers, segment(transfer))
}

fn express(generation: Generation, mut fields: Map<String, Value>) -> Result<Map<String, Value>> {
    if generation == Generation::Current {
        return Ok(fields);
    }
    match fields.remove("scenario") {
        None | Some(Value::Null) => {}
        Some(scenario) if scenario == "replica" => {}
        Some(scenario) => {
            return Err(Error::script(format!("a legacy server has no transfers of the scenario {scenario}"))
                .hint("use `migration_create`, which copies and deploys in one"));
        }
    }
    for name in ["clone_disks", "skip_os_morphing"] {
        if fields.remove(name).is_some_and(|value| !value.is_null()) {
            return Err(Error::script(format!("a legacy server cannot keep `{name}` with a replica"))
                .hint(format!("give `{name}` to `replica_deploy` or `migration_deploy_replica` instead")));
        }
    }
    if let Some(scripts) = fields.get_mut("user_scripts") {
        plain_scripts(scripts)?;
    }
    Ok(fields)
}

/// Legacy servers know one script per system or instance, as plain text.
pub(super) fn plain_scripts(scripts: &mut Value) -> Result<()> {
    let groups = scripts.as_object_mut().into_iter().flat_map(|scripts| scripts.values_mut());
    for script in groups.filter_map(Value::as_object_mut).flat_map(|group| group.values_mut()) {
        let Some(parts) = script.as_array() else { continue };
        let payload = match parts.as_slice() {
            [only] if only.get("phase").is_none_or(|phase| phase == "osmorphing_post_os_mount") => only.get("payload"),
            _ => None,
        };
        let Some(payload) = payload.cloned() else {
            return Err(Error::script("a legacy server takes one user script of the phase `osmorphing_post_os_mount`")
                .hint("give the script as a plain text, one for each system or instance"));
        };
        *script = payload;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const LEGACY: Generation = Generation::Legacy;
    const CURRENT: Generation = Generation::Current;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn each_generation_gets_its_own_words() {
        let body = json!({"origin_endpoint_id": "A", "destination_endpoint_id": "B", "instances": ["vm"]});
        assert_eq!(list(CURRENT, &Filters::default()), Request::get("transfers", Answer::List("transfers")));
        assert_eq!(list(LEGACY, &Filters::newest(5)), Request::get("replicas", Answer::List("replicas")));
        assert_eq!(show(CURRENT, "T"), Request::get("transfers/T", Answer::Thing("transfer")));
        assert_eq!(show(LEGACY, "T"), Request::get("replicas/T", Answer::Thing("replica")));
        assert_eq!(
            create(CURRENT, fields(body.clone())).expect("can be said"),
            Request::post("transfers", json!({"transfer": body}), Answer::Thing("transfer"), Repeat::Find)
        );
        assert_eq!(
            create(LEGACY, fields(body.clone())).expect("can be said"),
            Request::post("replicas", json!({"replica": body}), Answer::Thing("replica"), Repeat::Find)
        );
        assert_eq!(
            update(LEGACY, "T", fields(json!({"notes": "n"}))).expect("can be said"),
            Request::put("replicas/T", json!({"replica": {"notes": "n"}}), Answer::Thing("execution"), Repeat::Find)
        );
        assert_eq!(delete(LEGACY, "T"), Request::delete("replicas/T"));
        assert_eq!(
            delete_disks(CURRENT, "T"),
            Request::post(
                "transfers/T/actions",
                json!({"delete-disks": null}),
                Answer::Thing("execution"),
                Repeat::Find
            )
        );
    }

    #[test]
    fn the_feed_of_changes_is_one_sorted_page() {
        let feed = Request::get("transfers", Answer::List("transfers")).with("limit", 50);
        assert_eq!(changed(CURRENT, 50), Some(feed.with("sort_key", "updated_at").with("sort_dir", "desc")));
        assert_eq!(changed(LEGACY, 50), None);
    }

    #[test]
    fn what_a_legacy_server_cannot_express_is_refused_with_a_way_out() {
        for (name, value) in
            [("clone_disks", json!(false)), ("skip_os_morphing", json!(true)), ("scenario", json!("live_migration"))]
        {
            let error = create(LEGACY, fields(json!({ name: value }))).expect_err(name);
            assert_eq!(error.kind, Kind::Script);
            assert!(error.hint.is_some_and(|hint| hint.contains("migration_") || hint.contains("replica_deploy")));
        }
        let harmless = json!({"scenario": "replica", "clone_disks": null, "skip_os_morphing": null, "notes": "n"});
        let request = create(LEGACY, fields(harmless)).expect("nothing of it asks for more");
        assert_eq!(request.body, Some(json!({"replica": {"notes": "n"}})));
    }

    #[test]
    fn legacy_servers_get_user_scripts_as_text() {
        let scripts = json!({"global": {"linux": [{"payload": "ls"}], "windows": "dir"}, "instances": {}});
        let request = create(LEGACY, fields(json!({ "user_scripts": scripts }))).expect("one script each");
        let expected = json!({"global": {"linux": "ls", "windows": "dir"}, "instances": {}});
        assert_eq!(request.body, Some(json!({"replica": {"user_scripts": expected}})));
        let phased = json!({"global": {"linux": [{"payload": "ls", "phase": "replica_first_boot"}]}});
        assert!(create(LEGACY, fields(json!({ "user_scripts": phased }))).is_err());
    }
}
