//! Deployments (`migrations` on legacy servers): making a machine from a transfer's copy.

use serde_json::{Map, Value, json};

use super::filters::Filters;
use super::generation::Names;
use super::request::{Answer, Repeat, Request, segment};
use super::transfers;
use crate::error::Result;
use crate::model::Generation;

/// Lists deployments without their tasks. On legacy servers direct migrations are among them. The answer needs
/// [`Filters::apply`].
pub fn list(generation: Generation, filters: &Filters) -> Request {
    let names = Names::of(generation);
    filters.ask(generation, Request::get(names.deployments, Answer::List(names.deployments)))
}

pub fn show(generation: Generation, deployment: &str) -> Request {
    Request::get(path(generation, deployment), Answer::Thing(Names::of(generation).deployment))
}

/// Fields: `transfer_id` (or `replica_id`), `clone_disks`, `force`, `skip_os_morphing`, `user_scripts`,
/// `instance_osmorphing_minion_pool_mappings`. Without `clone_disks` and `skip_os_morphing` the transfer's own settings
/// apply; a legacy transfer has none, so its disks are cloned and its systems morphed.
///
/// # Errors
/// `Script` when the server's generation cannot express a field.
pub fn create(generation: Generation, mut fields: Map<String, Value>) -> Result<Request> {
    let names = Names::of(generation);
    names.refer(&mut fields);
    match generation {
        // If they were left out, they would override the transfer's settings; null keeps those.
        Generation::Current => ["clone_disks", "skip_os_morphing"].into_iter().for_each(|name| {
            fields.entry(name).or_insert(Value::Null);
        }),
        Generation::Legacy => {
            fields.retain(|_, value| !value.is_null());
            if let Some(scripts) = fields.get_mut("user_scripts") {
                transfers::plain_scripts(scripts)?;
            }
        }
    }
    let body = json!({ names.deployment: fields });
    Ok(Request::post(names.deployments, body, Answer::Thing(names.deployment), Repeat::Find))
}

/// May take longer than 10 s. Look before repeating it: a second forced cancel cuts the clean-up short.
pub fn cancel(generation: Generation, deployment: &str, force: bool) -> Request {
    let path = format!("{}/actions", path(generation, deployment));
    Request::post(path, json!({ "cancel": { "force": force } }), Answer::Empty, Repeat::Find)
}

pub fn delete(generation: Generation, deployment: &str) -> Request {
    Request::delete(path(generation, deployment))
}

fn path(generation: Generation, deployment: &str) -> String {
    format!("{}/{}", Names::of(generation).deployments, segment(deployment))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEGACY: Generation = Generation::Legacy;
    const CURRENT: Generation = Generation::Current;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn each_generation_gets_its_own_words() {
        assert_eq!(
            list(CURRENT, &Filters::newest(20)),
            Request::get("deployments", Answer::List("deployments")).with("limit", 20)
        );
        assert_eq!(list(LEGACY, &Filters::newest(20)), Request::get("migrations", Answer::List("migrations")));
        assert_eq!(show(CURRENT, "D"), Request::get("deployments/D", Answer::Thing("deployment")));
        assert_eq!(show(LEGACY, "D"), Request::get("migrations/D", Answer::Thing("migration")));
        assert_eq!(
            cancel(LEGACY, "D", false),
            Request::post("migrations/D/actions", json!({"cancel": {"force": false}}), Answer::Empty, Repeat::Find)
        );
        assert_eq!(delete(CURRENT, "D"), Request::delete("deployments/D"));
    }

    #[test]
    fn what_is_not_said_leaves_the_transfers_own_setting() {
        let current = create(CURRENT, fields(json!({"replica_id": "T", "force": true}))).expect("can be said");
        let body = json!({"deployment": {
            "force": true, "transfer_id": "T", "clone_disks": null, "skip_os_morphing": null
        }});
        assert_eq!(current, Request::post("deployments", body, Answer::Thing("deployment"), Repeat::Find));
        let legacy = create(LEGACY, fields(json!({"transfer_id": "T", "clone_disks": null}))).expect("can be said");
        let body = json!({"migration": {"replica_id": "T"}});
        assert_eq!(legacy, Request::post("migrations", body, Answer::Thing("migration"), Repeat::Find));
    }

    #[test]
    fn what_is_said_goes_as_it_is() {
        let current = create(CURRENT, fields(json!({"transfer_id": "T", "clone_disks": false}))).expect("can be said");
        let body = json!({"deployment": {"transfer_id": "T", "clone_disks": false, "skip_os_morphing": null}});
        assert_eq!(current.body, Some(body));
    }
}
