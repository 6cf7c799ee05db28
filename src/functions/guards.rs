//! Guards: refusals before a deployment or a copy that would do harm. Each says what would have happened.
//!
//! On real servers, every one of these was accepted and completed: deploying after a cancelled or failed final copy
//! (stale data boots), deploying twice (two VMs of one name), deploying one of two replicas of a VM.

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::model::{Object, Status, Task, TaskStatus};

/// The facts about a transfer before it is deployed.
pub struct Facts<'a> {
    pub label: &'a str,
    pub transfer: &'a str,
    /// Of every type, in any order.
    pub executions: &'a [Value],
    /// Of this transfer and of any other one of the same machines, even of one that is gone.
    pub deployments: &'a [Value],
    /// The transfers of the same machines.
    pub others: &'a [Value],
    /// The id of the execution whose data is to be deployed.
    pub requires: Option<&'a str>,
}

/// The guards that the runbook overrides.
#[derive(Clone, Copy, Default)]
pub struct Overrides {
    pub allow_stale: bool,
    pub deploy_again: bool,
    pub duplicate: bool,
    pub force: bool,
}

/// # Errors
/// `Refused`, with the consequence and the remedy.
pub fn before_deploy(facts: &Facts<'_>, overrides: Overrides) -> Result<()> {
    let label = facts.label;
    if let Some(other) =
        facts.others.iter().find(|other| other["id"] != facts.transfer).filter(|_| !overrides.duplicate)
    {
        return Err(refused(format!(
            "there is a second replica of `{label}` ({}): deployed both, they make two VMs",
            text(other, "id")
        ))
        .hint("delete the wrong one, or use `duplicate: true`"));
    }
    let done = facts.deployments.iter().find(|deployment| status(deployment).is_alive());
    if let Some(deployment) = done.filter(|_| !overrides.deploy_again) {
        return Err(refused(format!(
            "{}: deploying again makes a second VM of that name",
            deployed_before(label, facts.transfer, deployment)
        ))
        .hint("use `deploy_again: true` if that is what you want"));
    }
    let newest = newest_copy(facts.executions);
    if let Some(required) = facts.requires {
        let id = newest.and_then(|execution| execution["id"].as_str());
        if id != Some(required) && !overrides.allow_stale {
            let instead = id.map_or("there is none".to_owned(), |id| format!("it is {id}"));
            return Err(refused(format!(
                "the newest copy of `{label}` is not the required execution {required}: {instead}"
            ))
            .hint("deploy the newest copy, or use `allow_stale: true`"));
        }
    }
    match newest {
        None if overrides.force => Ok(()),
        None => {
            Err(refused(format!("`{label}` was never copied: there is nothing to deploy"))
                .hint("`replica_sync` it first"))
        }
        Some(_) if overrides.allow_stale || overrides.force => Ok(()),
        Some(execution) if status(execution).succeeded() => Ok(()),
        Some(execution) => Err(refused(format!(
            "the newest copy of `{label}` (execution #{}) is {}: deploying would boot older or half copied data",
            execution["number"],
            text(execution, "status")
        ))
        .hint("`replica_sync` it again, or use `allow_stale: true`")),
    }
}

/// Refuses to copy again after a cutover, that is, a deployment after a copy that had switched the source off, whatever
/// was copied, cancelled, changed or deleted since. A copy that would itself switch the source off (`shutdown`) is
/// refused for anything deployed, since its own deployment would be refused afterwards. `executions` are the newest
/// ones of every type, with their tasks; `deployments` are those of `Facts`.
///
/// # Errors
/// `Refused`, with the consequence and the remedy.
pub fn before_copy(
    (label, transfer): (&str, &str),
    executions: &[Value],
    deployments: &[Value],
    shutdown: bool,
) -> Result<()> {
    let alive: Vec<&Value> = deployments.iter().filter(|deployment| status(deployment).is_alive()).collect();
    let cut_over = executions.iter().filter(|execution| switched_off(execution)).find_map(|execution| {
        let after = |deployment: &&&Value| {
            deployment["transfer_id"] == transfer
                && deployment["created_at"].as_str() >= execution["created_at"].as_str()
        };
        alive.iter().find(after).map(|deployment| (execution, *deployment))
    });
    if let Some((execution, deployment)) = cut_over {
        return Err(refused(format!(
            "`{label}` was cut over: deployed (deployment {}) after execution #{} had switched the source off; copying \
             again would start a second copy of a machine that lives elsewhere now",
            text(deployment, "id"),
            execution["number"]
        ))
        .hint("skip what is deployed (`replica_ensure(...).deployment_id`), or use `copy_again: true`"));
    }
    let Some(deployment) = alive.first().filter(|_| shutdown) else { return Ok(()) };
    Err(refused(format!(
        "{}: this copy would switch the source off, and its data could not be deployed",
        deployed_before(label, transfer, deployment)
    ))
    .hint("look who deployed it; if that was a test, use `copy_again: true` here and `deploy_again: true` afterwards"))
}

fn deployed_before(label: &str, transfer: &str, deployment: &Value) -> String {
    let by = if deployment["transfer_id"] == transfer {
        String::new()
    } else {
        match deployment["transfer_id"].as_str() {
            Some(other) => format!(" of another replica, {other}"),
            None => " without a replica".to_owned(),
        }
    };
    format!("`{label}` was deployed before (deployment {}{by}, {})", text(deployment, "id"), text(deployment, "status"))
}

/// The deployments of a transfer's machines, including those of other and of deleted transfers: the record of a
/// deployment names its origin and its machines for as long as it is kept.
pub fn of_machines(deployments: &[Value], transfer: &Value) -> Vec<Value> {
    let of = |deployment: &&Value| deployment["transfer_id"] == transfer["id"] || share_a_machine(deployment, transfer);
    deployments.iter().filter(of).cloned().collect()
}

/// True if two objects (transfers, deployments) have a machine in common. A name alone says nothing, since two origins
/// may each have one with that name.
pub fn share_a_machine(one: &Value, other: &Value) -> bool {
    let names = |object: &Value| object["instances"].as_array().cloned().unwrap_or_default();
    let others = names(other);
    one["origin_endpoint_id"] == other["origin_endpoint_id"] && names(one).iter().any(|name| others.contains(name))
}

/// True if an execution has switched its sources off: it completed, or its task did before it failed or was cancelled.
fn switched_off(execution: &Value) -> bool {
    let off = |task: Task<'_>| task.switches_off() && task.status() == TaskStatus::Completed;
    switches_off(execution) && (status(execution).succeeded() || Object::from(execution).tasks().into_iter().any(off))
}

/// True if an execution switches its sources off.
pub fn switches_off(execution: &Value) -> bool {
    Object::from(execution).tasks().into_iter().any(Task::switches_off)
}

/// The newest execution that touches the disks; an update does not.
pub fn newest_copy(executions: &[Value]) -> Option<&Value> {
    executions
        .iter()
        .filter(|execution| !text(execution, "type").ends_with("_update"))
        .max_by_key(|execution| execution["number"].as_i64().unwrap_or(0))
}

pub fn status(object: &Value) -> Status<'_> {
    Object::from(object).status()
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or("?")
}

fn refused(message: String) -> Error {
    Error::new(Kind::Refused, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn copy(number: i64, status: &str) -> Value {
        json!({"id": format!("E{number}"), "number": number, "type": "transfer_execution", "status": status})
    }

    fn decide(
        executions: &[Value],
        deployments: &[Value],
        others: &[Value],
        requires: Option<&str>,
        overrides: Overrides,
    ) -> Option<String> {
        let facts = Facts { label: "db", transfer: "T", executions, deployments, others, requires };
        before_deploy(&facts, overrides).err().map(|error| error.message)
    }

    #[test]
    fn only_a_completed_newest_copy_is_deployed() {
        let none = Overrides::default();
        assert_eq!(decide(&[copy(1, "COMPLETED")], &[], &[], None, none), None);
        let update = json!({"id": "E2", "number": 2, "type": "transfer_update", "status": "ERROR"});
        assert_eq!(decide(&[copy(1, "COMPLETED"), update], &[], &[], None, none), None);
        for last in ["CANCELED", "ERROR", "RUNNING"] {
            let copies = [copy(2, last), copy(1, "COMPLETED")];
            assert!(decide(&copies, &[], &[], None, none).is_some_and(|why| why.contains("execution #2")), "{last}");
            assert_eq!(decide(&copies, &[], &[], None, Overrides { allow_stale: true, ..none }), None);
        }
        assert!(decide(&[], &[], &[], None, none).is_some_and(|why| why.contains("never copied")));
    }

    #[test]
    fn a_required_execution_must_be_the_newest() {
        let copies = [copy(2, "COMPLETED"), copy(1, "COMPLETED")];
        assert_eq!(decide(&copies, &[], &[], Some("E2"), Overrides::default()), None);
        assert!(decide(&copies, &[], &[], Some("E1"), Overrides::default()).is_some());
    }

    #[test]
    fn what_was_cut_over_is_not_copied_again() {
        let at = |hour: u8| format!("2026-01-01T0{hour}:00:00.000000");
        let copy = |number: u8, off: &str, status: &str| {
            let tasks =
                if off.is_empty() { json!([]) } else { json!([{"task_type": "SHUTDOWN_INSTANCE", "status": off}]) };
            json!({"number": number, "status": status, "tasks": tasks, "created_at": at(number)})
        };
        let deployed =
            |hour: u8, status: &str| json!({"id": "D", "transfer_id": "T", "status": status, "created_at": at(hour)});
        let refused =
            |copies: &[Value], deployments: &[Value]| before_copy(("db", "T"), copies, deployments, false).is_err();
        let off = copy(2, "COMPLETED", "COMPLETED");
        assert!(refused(std::slice::from_ref(&off), &[deployed(3, "COMPLETED")]));
        assert!(refused(std::slice::from_ref(&off), &[deployed(3, "RUNNING")]));
        assert!(!refused(std::slice::from_ref(&off), &[deployed(3, "ERROR")]));
        assert!(!refused(std::slice::from_ref(&off), &[deployed(1, "COMPLETED")]));
        // Anything after the copy that switched it off, before or after the deployment.
        let plain = |number, status| copy(number, "", status);
        for between in [plain(3, "COMPLETED"), plain(5, "CANCELED"), plain(5, "ERROR"), plain(5, "COMPLETED")] {
            assert!(refused(&[between.clone(), off.clone()], &[deployed(4, "COMPLETED")]), "{between}");
        }
        // A failed or cancelled copy has switched the source off if its task completed.
        for status in ["ERROR", "CANCELED"] {
            let half = |task| [plain(3, "COMPLETED"), copy(2, task, status)];
            assert!(refused(&half("COMPLETED"), &[deployed(4, "COMPLETED")]), "{status}");
            assert!(!refused(&half("CANCELED"), &[deployed(4, "COMPLETED")]), "{status}");
        }
        // A test deployment while the source goes on.
        assert!(!refused(&[plain(2, "COMPLETED")], &[deployed(3, "COMPLETED")]));
        // The source stays on if the copy could not be deployed.
        let switched = |deployments: &[Value]| before_copy(("db", "T"), &[plain(2, "COMPLETED")], deployments, true);
        assert!(
            switched(&[deployed(3, "COMPLETED")])
                .is_err_and(|error| error.message.contains("would switch the source off"))
        );
        assert!(switched(&[deployed(3, "ERROR")]).is_ok() && switched(&[]).is_ok());
        // The record of a deployment still names its machine when its replica is gone.
        let elsewhere = json!({"id": "D", "transfer_id": "gone", "status": "COMPLETED", "created_at": at(1)});
        assert!(switched(std::slice::from_ref(&elsewhere)).is_err_and(|error| error.message.contains("replica, gone")));
        assert!(!refused(std::slice::from_ref(&off), &[elsewhere]));
    }

    #[test]
    fn a_machine_is_a_name_at_an_origin() {
        let of = |origin: &str, names: &[&str]| json!({"origin_endpoint_id": origin, "instances": names});
        assert!(share_a_machine(&of("A", &["web-01", "db-01"]), &of("A", &["db-01"])));
        assert!(!share_a_machine(&of("A", &["web-01"]), &of("B", &["web-01"])));
        assert!(!share_a_machine(&of("A", &["web-01"]), &of("A", &["web-02"])));
    }

    #[test]
    fn nothing_is_deployed_twice() {
        let copies = [copy(1, "COMPLETED")];
        let deployed = [json!({"id": "D1", "status": "COMPLETED"})];
        assert!(
            decide(&copies, &deployed, &[], None, Overrides::default()).is_some_and(|why| why.contains("second VM"))
        );
        assert_eq!(
            decide(&copies, &deployed, &[], None, Overrides { deploy_again: true, ..Overrides::default() }),
            None
        );
        let failed = [json!({"id": "D1", "status": "ERROR"})];
        assert_eq!(decide(&copies, &failed, &[], None, Overrides::default()), None);
        let twins = [json!({"id": "T"}), json!({"id": "U"})];
        assert!(decide(&copies, &[], &twins, None, Overrides::default()).is_some_and(|why| why.contains("two VMs")));
    }
}
