//! Guards: the objections to a deployment, a copy or a schedule that would do harm. Each says what would happen, and
//! the option that overrides it. Pure.
//!
//! On real servers, every one of these was accepted and completed: deploying after a cancelled or failed final copy
//! (stale data boots), deploying twice (two VMs of one name), deploying one of two replicas of a VM, copying again after
//! a cutover (a silent second full copy), switching the source off for a copy that could not be deployed.

use std::fmt;

use serde_json::Value;

use crate::functions::overrides::{Objection, Override};
use crate::model::{MADE_BY, Object, Status, Task, TaskStatus};

/// The facts of one moment about the VMs of a replica, or of one that is about to be made.
#[derive(Clone, Default)]
pub struct Facts<'a> {
    /// The VMs, for people.
    pub label: &'a str,
    /// The id of the replica; `None` if it is about to be made.
    pub transfer: Option<&'a str>,
    /// The newest ones of the replica, of every type, in any order.
    pub executions: &'a [Value],
    /// Of these VMs, also those of other replicas and those whose records were deleted.
    pub deployments: &'a [Value],
    /// All replicas.
    pub transfers: &'a [Value],
    /// The other replicas of these VMs.
    pub others: &'a [String],
    /// The enabled schedules of the replica.
    pub schedules: &'a [Enabled],
    /// An execution that is running and that this run did not start.
    pub foreign: Option<&'a Value>,
}

/// A schedule that will execute its replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enabled {
    pub id: String,
    /// For people.
    pub time: String,
}

impl fmt::Display for Enabled {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.id, self.time)
    }
}

/// The effects of a copy, or of a migration, besides copying.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    pub switches_off: bool,
    pub deploys: bool,
}

/// The objections to deploying a replica; `requires` is the id of the execution whose data is to be deployed.
pub fn before_deploy(facts: &Facts<'_>, requires: Option<&str>) -> Vec<Objection> {
    let label = facts.label;
    let deployed = facts.deployed().map(|deployment| Objection {
        situation: facts.deployed_before(deployment),
        consequence: "deploying again makes a second VM of that name".to_owned(),
        advice: "skip what is deployed".to_owned(),
        overrides: &[Override::DeployAgain],
    });
    let newest = newest_copy(facts.executions);
    let other = requires.filter(|required| newest.is_none_or(|newest| newest["id"] != *required)).map(|required| {
        let instead = newest.map_or("there is none".to_owned(), |newest| format!("it is {}", text(newest, "id")));
        Objection {
            situation: format!("the newest copy of `{label}` is not the required execution {required}"),
            consequence: format!("{instead}, and its data would boot"),
            advice: "deploy the newest copy".to_owned(),
            overrides: &[Override::AllowStale],
        }
    });
    let objections = [
        facts.second_replica("deployed both, they make two VMs"),
        deployed,
        facts.busy("a deployment now would not have its data"),
        facts.scheduled(),
        other,
        incomplete(label, facts.executions),
    ];
    objections.into_iter().flatten().collect()
}

/// The objection to deploying what the newest copy has left.
fn incomplete(label: &str, executions: &[Value]) -> Option<Objection> {
    let Some(newest) = newest_copy(executions) else {
        return Some(Objection {
            situation: format!("`{label}` was never copied"),
            consequence: "there is nothing to deploy".to_owned(),
            advice: "`replica_sync` it first".to_owned(),
            overrides: &[Override::Force],
        });
    };
    let copied = |execution: &&Value| is_copy(execution) && status(execution).succeeded();
    if !is_copy(newest) && status(newest).succeeded() {
        return Some(Objection {
            situation: format!("the copied disks of `{label}` were deleted by execution #{}", newest["number"]),
            consequence: "there is nothing to deploy".to_owned(),
            advice: "`replica_sync` it again".to_owned(),
            overrides: &[],
        });
    }
    if copied(&newest) {
        return None;
    }
    let situation =
        format!("the newest copy of `{label}` (execution #{}) is {}", newest["number"], text(newest, "status"));
    let advice = "`replica_sync` it again".to_owned();
    Some(if executions.iter().any(|execution| copied(&execution)) {
        let consequence = "deploying would boot older or half copied data".to_owned();
        Objection { situation, consequence, advice, overrides: &[Override::AllowStale, Override::Force] }
    } else {
        let consequence = "no copy has completed, and deploying would boot a half copied disk".to_owned();
        Objection { situation, consequence, advice, overrides: &[Override::Force] }
    })
}

/// The objections to a copy, a migration, or a schedule of copies. One that switches the source off or deploys meets
/// those that its deployment would meet as well: nothing may end with the source off and a refused deployment. `again`
/// is the option by which what was deployed before is begun again.
pub fn before_copy(facts: &Facts<'_>, effects: Effects, again: &'static [Override]) -> Vec<Objection> {
    let mut found: Vec<Objection> = facts.moved(again).into_iter().collect();
    if !effects.switches_off && !effects.deploys {
        found.extend(facts.about_to_be_deployed());
        return found;
    }
    let with_off = |what: &str| match effects.switches_off {
        true => format!("it would switch the source off, and {what}"),
        false => what.to_owned(),
    };
    let deployed = facts.deployed().filter(|_| found.is_empty()).map(|deployment| Objection {
        situation: facts.deployed_before(deployment),
        consequence: with_off(if effects.deploys {
            "its deployment would make a second VM of that name"
        } else {
            "the copy could not be deployed"
        }),
        advice: "look who deployed it".to_owned(),
        overrides: again,
    });
    found.extend(
        [
            facts.second_replica(&with_off("deployed both, they make two VMs")),
            deployed,
            facts.busy(&with_off("what it does may be in vain")),
            facts.scheduled(),
        ]
        .into_iter()
        .flatten(),
    );
    found
}

impl Facts<'_> {
    fn alive(&self) -> impl Iterator<Item = &Value> {
        self.deployments.iter().filter(|deployment| status(deployment).is_alive())
    }

    fn deployed(&self) -> Option<&Value> {
        self.alive().next()
    }

    fn is_of_this(&self, deployment: &Value) -> bool {
        self.transfer.is_some_and(|id| deployment["transfer_id"] == id)
    }

    fn deployed_before(&self, deployment: &Value) -> String {
        let by = match deployment["transfer_id"].as_str() {
            _ if self.is_of_this(deployment) => String::new(),
            Some(other) => format!(" of another replica, {other}"),
            None => " without a replica".to_owned(),
        };
        let deleted = match deployment[MADE_BY].as_str() {
            Some(run) => format!(", according to run {run} alone"),
            None if is_deleted(deployment) => ", its record was deleted".to_owned(),
            None => String::new(),
        };
        let (label, id, word) = (self.label, text(deployment, "id"), text(deployment, "status"));
        format!("`{label}` was deployed before (deployment {id}{by}, {word}{deleted})")
    }

    /// The objection to copying a VM that lives elsewhere now: it was deployed after a copy had switched its source
    /// off, from the copied disks themselves, or from a replica that is gone, whatever was copied, cancelled, changed
    /// or deleted since.
    fn moved(&self, again: &'static [Override]) -> Option<Objection> {
        let label = self.label;
        let cut_over = self.executions.iter().filter(|execution| switched_off(execution)).find_map(|execution| {
            let after = |deployment: &&Value| {
                self.is_of_this(deployment) && deployment["created_at"].as_str() >= execution["created_at"].as_str()
            };
            let deployment = self.alive().find(after)?;
            let (id, number) = (text(deployment, "id"), &execution["number"]);
            Some(format!(
                "`{label}` was cut over: deployed (deployment {id}) after execution #{number} had switched the source off"
            ))
        });
        let used_up = || {
            let used = |deployment: &&Value| self.is_of_this(deployment) && deployment["clone_disks"] == false;
            let id = text(self.alive().find(used)?, "id");
            Some(format!("`{label}` was deployed (deployment {id}) from the copied disks themselves"))
        };
        let exists = |id: &Value| self.transfers.iter().any(|transfer| transfer["id"] == *id);
        let cleaned_up = || {
            let gone = |deployment: &&Value| !self.is_of_this(deployment) && !exists(&deployment["transfer_id"]);
            let deployment = self.alive().find(gone)?;
            let replica = if deployment["transfer_id"].is_null() { "" } else { ", and that replica is gone" };
            Some(format!("{}{replica}", self.deployed_before(deployment)))
        };
        let (situation, advice) = match cut_over.or_else(used_up) {
            Some(situation) => (situation, "skip what is deployed (`replica_ensure(...).deployment_id`)"),
            None => (cleaned_up()?, "leave this VM out"),
        };
        Some(Objection {
            situation,
            consequence: "copying again would start a second copy of a machine that lives elsewhere now".to_owned(),
            advice: advice.to_owned(),
            overrides: again,
        })
    }

    /// A deployment that the server begins by itself fails if something else is copied by then.
    fn about_to_be_deployed(&self) -> Option<Objection> {
        let pending = |deployment: &&Value| self.is_of_this(deployment) && status(deployment) == Status::Pending;
        let id = text(self.deployments.iter().find(pending)?, "id");
        Some(Objection {
            situation: format!("the server is about to deploy `{}` by itself (deployment {id}, PENDING)", self.label),
            consequence: "a copy now would make it fail, or deploy other data".to_owned(),
            advice: "wait for its end".to_owned(),
            overrides: &[Override::CopyAgain],
        })
    }

    fn second_replica(&self, consequence: &str) -> Option<Objection> {
        let ids = (!self.others.is_empty()).then(|| self.others.join(", "))?;
        Some(Objection {
            situation: format!("there is a second replica of `{}` ({ids})", self.label),
            consequence: consequence.to_owned(),
            advice: "delete the wrong one".to_owned(),
            overrides: &[Override::Duplicate],
        })
    }

    fn scheduled(&self) -> Option<Objection> {
        let first = self.schedules.first()?;
        let all: Vec<String> = self.schedules.iter().map(Enabled::to_string).collect();
        Some(Objection {
            situation: format!("a schedule of `{}` is enabled, {}", self.label, all.join("; ")),
            consequence: "the server would begin a new copy by itself after the cutover".to_owned(),
            advice: format!("disable it (`replica_schedule_update(replica, \"{}\", #{{ enabled: false }})`)", first.id),
            overrides: &[Override::DespiteSchedule],
        })
    }

    fn busy(&self, consequence: &str) -> Option<Objection> {
        let execution = self.foreign?;
        Some(Objection {
            situation: format!(
                "execution #{} of `{}` is {}, and this run did not start it",
                execution["number"],
                self.label,
                text(execution, "status")
            ),
            consequence: consequence.to_owned(),
            advice: "wait for its end, and look who started it".to_owned(),
            overrides: &[],
        })
    }
}

/// The deployments of a transfer's machines, including those of other and of deleted transfers: the record of a
/// deployment names its origin and its machines for as long as it is kept.
pub fn of_machines(deployments: &[Value], transfer: &Value) -> Vec<Value> {
    let is_own = |deployment: &Value| !transfer["id"].is_null() && deployment["transfer_id"] == transfer["id"];
    let of = |deployment: &&Value| is_own(deployment) || share_a_machine(deployment, transfer);
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

/// True for an execution that copies.
pub fn is_copy(execution: &Value) -> bool {
    execution["type"].as_str().is_some_and(|kind| kind.ends_with("_execution"))
}

/// True for an object whose record was deleted.
pub fn is_deleted(object: &Value) -> bool {
    object["deleted_at"].is_string()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::functions::overrides::{Overrides, overridden};

    fn copy(number: i64, status: &str) -> Value {
        json!({"id": format!("E{number}"), "number": number, "type": "transfer_execution", "status": status})
    }

    /// The refusal of a change with these objections.
    fn refusal(objections: Vec<Objection>, given: &[Override]) -> Option<String> {
        overridden(objections, &given.iter().fold(Overrides::default(), |all, name| all.with(true, *name)))
            .err()
            .map(|error| error.message)
    }

    fn deploy(
        executions: &[Value],
        deployments: &[Value],
        requires: Option<&str>,
        given: &[Override],
    ) -> Option<String> {
        let facts = Facts { label: "db", transfer: Some("T"), executions, deployments, ..Facts::default() };
        refusal(before_deploy(&facts, requires), given)
    }

    #[test]
    fn only_a_completed_newest_copy_is_deployed() {
        assert_eq!(deploy(&[copy(1, "COMPLETED")], &[], None, &[]), None);
        let update = json!({"id": "E2", "number": 2, "type": "transfer_update", "status": "ERROR"});
        assert_eq!(deploy(&[copy(1, "COMPLETED"), update], &[], None, &[]), None);
        for last in ["CANCELED", "ERROR", "RUNNING"] {
            let copies = [copy(2, last), copy(1, "COMPLETED")];
            assert!(deploy(&copies, &[], None, &[]).is_some_and(|why| why.contains("execution #2")), "{last}");
            assert_eq!(deploy(&copies, &[], None, &[Override::AllowStale]), None);
        }
        assert!(deploy(&[], &[], None, &[]).is_some_and(|why| why.contains("never copied")));
    }

    #[test]
    fn half_a_disk_boots_by_force_alone_and_deleted_disks_never() {
        let half = [copy(1, "CANCELED")];
        assert!(deploy(&half, &[], None, &[Override::AllowStale]).is_some_and(|why| why.contains("half copied")));
        assert_eq!(deploy(&half, &[], None, &[Override::Force]), None);
        let deleted = json!({"id": "E2", "number": 2, "type": "replica_disks_delete", "status": "COMPLETED"});
        for given in [&[][..], &[Override::AllowStale, Override::Force]] {
            let refused = deploy(&[deleted.clone(), copy(1, "COMPLETED")], &[], None, given);
            assert!(refused.is_some_and(|why| why.contains("were deleted")), "{given:?}");
        }
    }

    #[test]
    fn a_required_execution_must_be_the_newest() {
        let copies = [copy(2, "COMPLETED"), copy(1, "COMPLETED")];
        assert_eq!(deploy(&copies, &[], Some("E2"), &[]), None);
        assert!(deploy(&copies, &[], Some("E1"), &[]).is_some_and(|why| why.contains("it is E2")));
        assert_eq!(deploy(&copies, &[], Some("E1"), &[Override::AllowStale]), None);
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
        let transfers = [json!({"id": "T"}), json!({"id": "T2"})];
        let why = |executions: &[Value], deployments: &[Value], effects: Effects| {
            let transfers = &transfers[..];
            let facts =
                Facts { label: "db", transfer: Some("T"), executions, deployments, transfers, ..Facts::default() };
            refusal(before_copy(&facts, effects, &[Override::CopyAgain]), &[])
        };
        let refused = |copies: &[Value], deployments: &[Value]| why(copies, deployments, Effects::default()).is_some();
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
        // A test deployment while the source goes on; it must not use up the copy.
        assert!(!refused(&[plain(2, "COMPLETED")], &[deployed(3, "COMPLETED")]));
        let mut used_up = deployed(3, "COMPLETED");
        used_up["clone_disks"] = false.into();
        assert!(refused(&[plain(2, "COMPLETED")], &[used_up]));
        // The source stays on if the copy could not be deployed.
        let switches_off = Effects { switches_off: true, deploys: false };
        let switched = |deployments: &[Value]| why(&[plain(2, "COMPLETED")], deployments, switches_off);
        assert!(switched(&[deployed(3, "COMPLETED")]).is_some_and(|why| why.contains("would switch the source off")));
        assert!(switched(&[deployed(3, "ERROR")]).is_none() && switched(&[]).is_none());
        // The record of a deployment still names its machine when its replica is gone: it was moved and cleaned up.
        let of =
            |transfer: Value| json!({"id": "D", "transfer_id": transfer, "status": "COMPLETED", "created_at": at(1)});
        for copies in [&[][..], std::slice::from_ref(&off)] {
            let gone = why(copies, &[of(json!("gone"))], Effects::default());
            assert!(gone.is_some_and(|why| why.contains("replica, gone") && why.contains("is gone")));
            assert!(refused(copies, &[of(Value::Null)]), "a direct migration");
            assert!(
                !refused(copies, &[of(json!("T2"))]),
                "another replica: a copy that leaves the source on is harmless"
            );
        }
        assert!(switched(&[of(json!("T2"))]).is_some_and(|why| why.contains("another replica, T2")));
    }

    #[test]
    fn what_its_deployment_would_meet_keeps_the_source_on() {
        let busy = copy(2, "RUNNING");
        let schedules = [Enabled { id: "S".into(), time: "minute 0".into() }];
        let others = ["T2".to_owned()];
        let plain = Facts { label: "db", transfer: Some("T"), ..Facts::default() };
        let cases = [
            (Facts { others: &others, ..plain.clone() }, "second replica of `db` (T2)", Some(Override::Duplicate)),
            (Facts { schedules: &schedules, ..plain.clone() }, "S (minute 0)", Some(Override::DespiteSchedule)),
            (Facts { foreign: Some(&busy), ..plain.clone() }, "this run did not start it", None),
        ];
        for (facts, why, lifts) in cases {
            let copied = |effects| before_copy(&facts, effects, &[Override::CopyAgain]);
            assert_eq!(refusal(copied(Effects::default()), &[]), None, "{why}");
            let deployed = before_deploy(&Facts { executions: &[copy(1, "COMPLETED")], ..facts.clone() }, None);
            let both = [(true, false), (false, true), (true, true)];
            let of = |(switches_off, deploys)| copied(Effects { switches_off, deploys });
            for objections in both.into_iter().map(of).chain([deployed]) {
                assert!(refusal(objections.clone(), &[]).is_some_and(|said| said.contains(why)), "{objections:?}");
                let lifted = lifts.map(|name| refusal(objections, &[name]));
                assert_eq!(lifted.flatten(), None, "{why}");
            }
        }
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
        for record in [json!({"id": "D1", "status": "COMPLETED"}), json!({"id": "D1", "status": "PENDING"})] {
            let deployed = [record];
            assert!(deploy(&copies, &deployed, None, &[]).is_some_and(|why| why.contains("second VM")));
            assert_eq!(deploy(&copies, &deployed, None, &[Override::DeployAgain]), None);
        }
        assert_eq!(deploy(&copies, &[json!({"id": "D1", "status": "ERROR"})], None, &[]), None);
        let deleted = [json!({"id": "D1", "status": "COMPLETED", "deleted_at": "2026-01-01T01:00:00.000000"})];
        assert!(deploy(&copies, &deleted, None, &[]).is_some_and(|why| why.contains("its record was deleted")));
    }

    #[test]
    fn a_refusal_names_its_override_and_each_used_one_is_told() {
        let facts = Facts {
            label: "db",
            transfer: Some("T"),
            executions: &[copy(1, "COMPLETED")],
            deployments: &[json!({"id": "D1", "status": "COMPLETED"})],
            others: &["T2".to_owned()],
            ..Facts::default()
        };
        let given = Overrides::default().with(true, Override::DeployAgain).with(true, Override::AllowStale);
        let refused = overridden(before_deploy(&facts, None), &given).expect_err("there is a second replica");
        assert_eq!(refused.hint.as_deref(), Some("delete the wrong one, or use `duplicate: true`"));
        let used =
            overridden(before_deploy(&facts, None), &given.with(true, Override::Duplicate)).expect("all are lifted");
        let used: Vec<&str> = used.iter().map(|(name, _)| name.word()).collect();
        assert_eq!(used, ["duplicate", "deploy_again"], "nothing was stale");
    }
}
