//! Distinguishing the effects of our requests from the work of schedules and colleagues. Pure.
//!
//! The primary sign is the state when the request left: anything known then is not its effect. A new object must agree
//! with everything that the request said and that the object shows. A newer number proves nothing.

use serde_json::{Map, Value, json};

use crate::duration;
use crate::functions::guards::{newest_copy, status, switches_off};
use crate::model::{PoolStatus, Status};
use crate::runtime::found::{Agrees, Found, holds};

/// The kind of execution that a request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    Copy {
        shutdown: bool,
        auto_deploy: bool,
    },
    /// With the fields that it changes.
    Update(&'a Value),
    DisksDelete,
}

/// The newest executions of the moment, as a record of the earlier state.
pub fn seen(newest: &[Value]) -> Value {
    let lowest = newest.iter().map(number).min().unwrap_or(0);
    json!({ "ids": ids(newest), "above": if newest.len() < WINDOW { 0 } else { lowest } })
}

/// Tells whether an execution is an update, or may be one.
pub fn is_update(execution: &Value) -> bool {
    execution["type"].as_str().is_none_or(|kind| kind.ends_with("_update"))
}

/// The number of executions that are read before one is begun.
pub const WINDOW: usize = 5;

/// The executions that did not exist before; those older than the ones read then are not new.
pub fn new_executions(all: Vec<Value>, before: &Value) -> Vec<Value> {
    // Journals of version 1 recorded the number of the newest one.
    if let Some(newest) = before.as_i64() {
        return all.into_iter().filter(|execution| number(execution) > newest).collect();
    }
    let above = before["above"].as_i64().unwrap_or(0);
    new_things(all, &before["ids"]).into_iter().filter(|execution| number(execution) > above).collect()
}

/// The objects whose ids were not known before.
pub fn new_things(all: Vec<Value>, before: &Value) -> Vec<Value> {
    let known = before.as_array().map_or(&[][..], Vec::as_slice);
    all.into_iter().filter(|thing| !known.contains(&thing["id"])).collect()
}

/// The ids of objects.
pub fn ids(things: &[Value]) -> Value {
    things.iter().map(|thing| thing["id"].clone()).collect()
}

/// Compares an execution with the request. `deployments` are those of its transfer; `transfer` is the state that this
/// execution left, null if a later one may have changed it.
pub fn execution(found: &Value, wanted: Wanted<'_>, transfer: &Value, deployments: &[Value]) -> Agrees {
    let of_type = |end: &str| found["type"].as_str().map_or(Agrees::Unclear, |kind| kind.ends_with(end).into());
    match wanted {
        Wanted::Copy { shutdown, auto_deploy } => {
            // An execution has its tasks from its first moment on.
            let off = match found["tasks"].as_array() {
                Some(tasks) if !tasks.is_empty() => (switches_off(found) == shutdown).into(),
                _ => Agrees::Unclear,
            };
            let deploys = deployments.iter().any(|deployment| deployment["deployer_id"] == found["id"]);
            of_type("_execution").and(off).and((deploys == auto_deploy).into())
        }
        Wanted::Update(fields) => {
            // An update shows its changes only in the transfer; a later one may have changed it again.
            let changed = match status(found) {
                Status::Completed if !transfer.is_null() => holds(transfer, fields).into(),
                _ => Agrees::Unclear,
            };
            of_type("_update").and(changed)
        }
        Wanted::DisksDelete => of_type("_disks_delete"),
    }
}

/// Compares a deployment with the fields `sent`. `copy` is the id of the copy to be deployed, null if it is unknown;
/// `executions` are those of its transfer.
pub fn deployment(found: &Value, sent: &Map<String, Value>, copy: &Value, executions: &[Value]) -> Agrees {
    // The server's own deployment after a copy is not ours.
    let by_hand = Agrees::from(found["deployer_id"].is_null());
    // Legacy servers do not show these.
    let same = |name: &str| {
        let wanted = sent.get(name).filter(|wanted| !wanted.is_null());
        let shown = found.get(name).filter(|shown| !shown.is_null());
        wanted.zip(shown).is_none_or(|(wanted, shown)| wanted == shown).into()
    };
    // The server may write these differently.
    let alike = |name: &str| match (sent.get(name), &found[name]) {
        (Some(wanted), shown) if !shown.is_null() && !holds(shown, wanted) => Agrees::Unclear,
        _ => Agrees::Yes,
    };
    let earlier: Vec<Value> = executions.iter().filter(|execution| is_before(execution, found)).cloned().collect();
    let of_copy = match newest_copy(&earlier) {
        _ if copy.is_null() => Agrees::Yes,
        Some(newest) if newest["id"] == *copy => Agrees::Yes,
        _ => Agrees::Unclear,
    };
    by_hand
        .and(same("clone_disks"))
        .and(same("skip_os_morphing"))
        .and(alike("user_scripts"))
        .and(alike("instance_osmorphing_minion_pool_mappings"))
        .and(of_copy)
}

/// Compares a schedule with the fields `sent`; missing ones have the server's defaults.
pub fn schedule(found: &Value, sent: &Map<String, Value>) -> Agrees {
    let flag = |name: &str, default: bool| {
        let wanted = sent.get(name).and_then(Value::as_bool).unwrap_or(default);
        Agrees::from(found[name].as_bool().unwrap_or(default) == wanted)
    };
    let end = |value: Option<&Value>| value.and_then(Value::as_str).and_then(duration::server_time);
    Agrees::from(sent.get("schedule") == found.get("schedule"))
        .and(flag("enabled", true))
        .and(flag("shutdown_instance", false))
        .and(flag("auto_deploy", false))
        .and((end(sent.get("expiration_date")) == end(found.get("expiration_date"))).into())
}

/// The state of a minion pool that had the status `before`, and was to be allocated or deallocated.
pub fn pool(now: Value, before: &Value, allocate: bool) -> Found {
    let status = PoolStatus::from(now["status"].as_str().unwrap_or_default());
    let allocates = status == PoolStatus::Allocated || status.is_allocating();
    let deallocates = status == PoolStatus::Deallocated || status.is_deallocating();
    let agrees = match (allocates, deallocates) {
        _ if now["status"] == *before => Agrees::No,
        (false, false) => Agrees::Unclear,
        _ => (allocates == allocate).into(),
    };
    Found::of(now, agrees)
}

/// Both times are the server's.
fn is_before(execution: &Value, deployment: &Value) -> bool {
    execution["created_at"].as_str() <= deployment["created_at"].as_str()
}

pub fn number(execution: &Value) -> i64 {
    execution["number"].as_i64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::found::Verdict;

    fn executed(kind: &str, off: bool) -> Value {
        let tasks =
            if off { json!([{"task_type": "SHUTDOWN_INSTANCE"}]) } else { json!([{"task_type": "REPLICATE_DISKS"}]) };
        json!({"id": "E", "number": 2, "type": kind, "status": "RUNNING", "tasks": tasks})
    }

    fn is_copy(found: &Value, shutdown: bool, auto_deploy: bool, deployments: &[Value]) -> Agrees {
        execution(found, Wanted::Copy { shutdown, auto_deploy }, &Value::Null, deployments)
    }

    #[test]
    fn a_plain_copy_is_not_the_final_delta_and_neither_is_an_update() {
        for kind in ["transfer_execution", "replica_execution"] {
            assert_eq!(is_copy(&executed(kind, false), true, false, &[]), Agrees::No, "a schedule's");
            assert_eq!(is_copy(&executed(kind, true), false, false, &[]), Agrees::No, "it switched the source off");
            assert_eq!(is_copy(&executed(kind, true), true, false, &[]), Agrees::Yes);
            assert_eq!(is_copy(&executed(kind, false), false, false, &[]), Agrees::Yes);
        }
        for kind in ["transfer_update", "replica_update", "transfer_disks_delete"] {
            assert_eq!(is_copy(&executed(kind, false), false, false, &[]), Agrees::No, "{kind}");
        }
        let bare = json!({"id": "E", "number": 2, "type": "transfer_execution", "tasks": []});
        assert_eq!(is_copy(&bare, true, false, &[]), Agrees::Unclear, "it shows no tasks");
        assert_eq!(is_copy(&json!({"id": "E"}), false, false, &[]), Agrees::Unclear, "it shows no type");
        let deploys = [json!({"id": "D", "deployer_id": "E"})];
        let plain = executed("transfer_execution", false);
        assert_eq!(is_copy(&plain, false, true, &deploys), Agrees::Yes);
        assert_eq!(is_copy(&plain, false, true, &[]), Agrees::No);
        assert_eq!(is_copy(&plain, false, false, &deploys), Agrees::No);
    }

    #[test]
    fn another_update_is_not_ours() {
        let of = |kind: &str, status: &str, notes: &str| {
            let found = json!({"id": "E", "type": kind, "status": status});
            let transfer = json!({"notes": notes, "network_map": {"a": "b", "c": "d"}});
            execution(&found, Wanted::Update(&json!({"notes": "ours", "network_map": {"a": "b"}})), &transfer, &[])
        };
        assert_eq!(of("transfer_update", "COMPLETED", "ours"), Agrees::Yes);
        assert_eq!(of("transfer_update", "COMPLETED", "theirs"), Agrees::No);
        assert_eq!(of("replica_update", "ERROR", "theirs"), Agrees::Unclear);
        assert_eq!(of("transfer_execution", "COMPLETED", "ours"), Agrees::No);
        let ended = json!({"type": "transfer_update", "status": "COMPLETED"});
        let overwritten = execution(&ended, Wanted::Update(&json!({"notes": "ours"})), &Value::Null, &[]);
        assert_eq!(overwritten, Agrees::Unclear, "a later update may have changed it again");
        let disks = |kind: &str| execution(&json!({"type": kind}), Wanted::DisksDelete, &Value::Null, &[]);
        assert_eq!((disks("replica_disks_delete"), disks("transfer_execution")), (Agrees::Yes, Agrees::No));
    }

    #[test]
    fn only_what_was_not_there_before_is_new() {
        let all = |numbers: &[i64]| -> Vec<Value> {
            numbers.iter().map(|number| json!({"id": format!("E{number}"), "number": number})).collect()
        };
        let new =
            |now: &[i64], before: &Value| -> Vec<i64> { new_executions(all(now), before).iter().map(number).collect() };
        let before = seen(&all(&[9, 8, 7, 6, 5]));
        assert_eq!(new(&[11, 10, 9, 8, 7, 6, 5, 4, 3], &before), [11, 10]);
        assert_eq!(new(&[10, 6, 5, 4, 3], &before), [10], "others were deleted");
        assert_eq!(new(&[3, 2, 1], &seen(&all(&[2, 1]))), [3]);
        assert_eq!(new(&[1], &seen(&[])), [1]);
        assert_eq!(new(&[3, 2, 1], &json!(2)), [3], "a journal of version 1");
    }

    #[test]
    fn a_deployment_of_another_copy_or_with_other_settings_is_not_ours() {
        let copies = [
            json!({"id": "E1", "number": 1, "type": "transfer_execution", "created_at": "2026-01-01T01:00:00.000000"}),
            json!({"id": "E2", "number": 2, "type": "transfer_execution", "created_at": "2026-01-01T03:00:00.000000"}),
        ];
        let of = |change: Value, sent: Value, copy: &str| {
            let mut found = json!({"id": "D", "clone_disks": true, "skip_os_morphing": false, "deployer_id": null,
                                   "created_at": "2026-01-01T02:00:00.000000", "user_scripts": {}});
            found.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
            deployment(&found, sent.as_object().expect("an object"), &json!(copy), &copies)
        };
        assert_eq!(of(json!({}), json!({}), "E1"), Agrees::Yes);
        assert_eq!(of(json!({}), json!({"clone_disks": true}), "E1"), Agrees::Yes);
        assert_eq!(of(json!({}), json!({"clone_disks": false}), "E1"), Agrees::No);
        assert_eq!(of(json!({}), json!({"skip_os_morphing": true}), "E1"), Agrees::No);
        assert_eq!(of(json!({"deployer_id": "E1"}), json!({}), "E1"), Agrees::No);
        assert_eq!(of(json!({"clone_disks": null}), json!({"clone_disks": false}), "E1"), Agrees::Yes, "not shown");
        assert_eq!(of(json!({}), json!({"user_scripts": {"global": {"linux": "x"}}}), "E1"), Agrees::Unclear);
        assert_eq!(of(json!({}), json!({}), "E0"), Agrees::Unclear, "somebody copied in between");
        let later = json!({"created_at": "2026-01-01T04:00:00.000000"});
        assert_eq!(of(later.clone(), json!({}), "E1"), Agrees::Unclear, "somebody copied in between");
        assert_eq!(of(later, json!({}), "E2"), Agrees::Yes);
    }

    #[test]
    fn a_schedule_of_the_same_time_that_does_something_else_is_not_ours() {
        let time = json!({"minute": 0});
        let found = json!({"schedule": time, "enabled": true, "shutdown_instance": false, "auto_deploy": false,
                           "expiration_date": "2030-01-02T03:04:05.000000"});
        let of = |sent: Value| schedule(&found, sent.as_object().expect("an object"));
        let end = "2030-01-02T03:04:05Z";
        assert_eq!(of(json!({"schedule": time, "expiration_date": end})), Agrees::Yes);
        assert_eq!(of(json!({"schedule": time})), Agrees::No, "it ends");
        assert_eq!(of(json!({"schedule": {"minute": 1}, "expiration_date": end})), Agrees::No);
        for field in ["shutdown_instance", "auto_deploy"] {
            assert_eq!(of(json!({"schedule": time, "expiration_date": end, field: true})), Agrees::No, "{field}");
        }
        assert_eq!(of(json!({"schedule": time, "expiration_date": end, "enabled": false})), Agrees::No);
    }

    #[test]
    fn a_pool_that_does_the_opposite_was_not_changed_by_us() {
        let of = |now: &str, allocate: bool| pool(json!({"status": now}), &json!("DEALLOCATED"), allocate);
        assert!(matches!(of("ALLOCATING_MACHINES", true).verdict(), Verdict::Made(_)));
        assert!(matches!(of("ALLOCATED", true).verdict(), Verdict::Made(_)));
        assert_eq!(of("DEALLOCATED", true).verdict(), Verdict::Nothing);
        assert_eq!(of("ALLOCATED", false).verdict(), Verdict::Nothing);
        assert!(matches!(of("ERROR", true).verdict(), Verdict::Unsure(_)));
    }
}
