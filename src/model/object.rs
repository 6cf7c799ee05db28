//! Typed views over the objects that a server sends and that scripts see whole: their fields are named here alone.

use std::ops::Deref;

use jiff::Timestamp;
use serde_json::Value;

use super::status::{MachineStatus, Phase, PoolStatus, Status, TaskStatus};
use crate::duration::server_time;

/// An object of the service, with the fields that most of them have.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a>(&'a Value);

/// One run over a transfer's disks, or one change of a transfer.
#[derive(Clone, Copy, Debug)]
pub struct Execution<'a>(Object<'a>);

/// A task of an execution, of a deployment or of a migration.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a>(Object<'a>);

/// A minion pool.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a>(Object<'a>);

/// A line of a task's progress.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a>(Object<'a>);

impl<'a> From<&'a Value> for Object<'a> {
    fn from(value: &'a Value) -> Self {
        Self(value)
    }
}

macro_rules! views {
    ($($view:ident),*) => {$(
        impl<'a> From<&'a Value> for $view<'a> {
            fn from(value: &'a Value) -> Self {
                Self(Object(value))
            }
        }

        impl<'a> Deref for $view<'a> {
            type Target = Object<'a>;

            fn deref(&self) -> &Object<'a> {
                &self.0
            }
        }
    )*};
}

views!(Execution, Task, Pool, Update);

impl<'a> Object<'a> {
    /// The id; `None` if it is missing or empty.
    pub fn id(self) -> Option<&'a str> {
        self.text("id").filter(|id| !id.is_empty())
    }

    /// The status of an execution, or the status of the newest execution of a transfer or a deployment. An empty word
    /// if it is missing.
    pub fn status(self) -> Status<'a> {
        self.text("status").or_else(|| self.text("last_execution_status")).unwrap_or_default().into()
    }

    pub fn created_at(self) -> Option<Timestamp> {
        self.text("created_at").and_then(server_time)
    }

    pub fn updated_at(self) -> Option<Timestamp> {
        self.text("updated_at").and_then(server_time)
    }

    /// The tasks in the order of their index.
    pub fn tasks(self) -> Vec<Task<'a>> {
        let mut tasks: Vec<Task<'a>> = self.list("tasks").map(Task::from).collect();
        tasks.sort_by_key(|task| task.index());
        tasks
    }

    /// The id of the replica that it belongs to.
    pub fn replica(self) -> Option<&'a str> {
        self.text("transfer_id").or_else(|| self.text("replica_id")).filter(|id| !id.is_empty())
    }

    /// The names of its VMs.
    pub fn instances(self) -> impl Iterator<Item = &'a str> {
        self.list("instances").filter_map(Value::as_str)
    }

    fn text(self, field: &str) -> Option<&'a str> {
        self.0.get(field)?.as_str()
    }

    fn list(self, field: &str) -> impl Iterator<Item = &'a Value> {
        self.0.get(field).and_then(Value::as_array).into_iter().flatten()
    }

    fn number(self, field: &str) -> f64 {
        self.0.get(field).and_then(Value::as_f64).unwrap_or_default()
    }
}

impl Execution<'_> {
    /// Counts the executions of a transfer from 1; a deployment has none.
    pub fn number(self) -> Option<u64> {
        self.0.0.get("number").and_then(Value::as_u64)
    }
}

impl<'a> Task<'a> {
    pub fn index(self) -> i64 {
        self.0.0.get("index").and_then(Value::as_i64).unwrap_or_default()
    }

    /// The kind of its work: `REPLICATE_DISKS`; empty if it is missing.
    pub fn kind(self) -> &'a str {
        self.text("task_type").unwrap_or_default()
    }

    pub fn status(self) -> TaskStatus<'a> {
        TaskStatus::from(self.text("status").unwrap_or_default())
    }

    /// The machine that it works on.
    pub fn instance(self) -> &'a str {
        self.text("instance").unwrap_or_default()
    }

    /// The reason of its end, if it did not complete.
    pub fn exception(self) -> &'a str {
        self.text("exception_details").unwrap_or_default().trim()
    }

    /// True if it copies disks.
    pub fn copies(self) -> bool {
        self.kind() == "REPLICATE_DISKS"
    }

    /// True if it switches its source off.
    pub fn switches_off(self) -> bool {
        self.kind() == "SHUTDOWN_INSTANCE"
    }

    pub fn updates(self) -> impl Iterator<Item = Update<'a>> {
        self.list("progress_updates").map(Update::from)
    }
}

impl<'a> Pool<'a> {
    /// True if the object is a pool, as a list or a show has it.
    pub fn is(object: &Value) -> bool {
        object["minion_machines"].is_array() || object.get("minion_retention_strategy").is_some()
    }

    pub fn status(self) -> PoolStatus<'a> {
        PoolStatus::from(self.text("status").unwrap_or_default())
    }

    /// The verdict of a wait for the end of all work on it.
    ///
    /// The status says nothing about the machines, which a refresh works on, and nothing about an allocation requested
    /// at the pool's creation until the server's process for it runs: until then only an event after the creation's own
    /// distinguishes it from a pool that nobody wants allocated.
    pub fn phase(self) -> Phase {
        match self.status() {
            PoolStatus::Error => Phase::Failed,
            PoolStatus::Allocated | PoolStatus::Deallocated if !self.is_changing() && !self.is_begun() => {
                Phase::Succeeded
            }
            _ => Phase::Active,
        }
    }

    fn is_changing(self) -> bool {
        let statuses = self.list("minion_machines").filter_map(|machine| machine["allocation_status"].as_str());
        statuses.map(MachineStatus::from).any(MachineStatus::is_changing)
    }

    fn is_begun(self) -> bool {
        let is_new = self.status() == PoolStatus::Deallocated && self.text("updated_at").is_none();
        is_new && self.list("events").count() > 1 && self.errors().next().is_none()
    }

    fn errors(self) -> impl Iterator<Item = &'a Value> {
        self.list("events").filter(|event| event["level"] == "ERROR")
    }

    /// The message of its latest error.
    pub fn last_error(self) -> Option<&'a str> {
        self.errors().max_by_key(|event| event["index"].as_i64())?["message"].as_str()
    }
}

impl<'a> Update<'a> {
    pub fn message(self) -> &'a str {
        self.text("message").unwrap_or_default()
    }

    /// The step reached and the number of steps; lines of a log have none.
    pub fn steps(self) -> Option<(f64, f64)> {
        let total = self.number("total_steps");
        (total > 0.0).then(|| (self.number("current_step").clamp(0.0, total), total))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pool_is_busy_before_its_first_allocation_runs_and_while_its_machines_are_looked_after() {
        let phase = |pool: &Value| Pool::from(pool).phase();
        let (added, begun) = (json!({"level": "INFO", "index": 0}), json!({"level": "INFO", "index": 1}));
        let new = |events: &[&Value]| json!({"status": "DEALLOCATED", "updated_at": null, "events": events});
        assert_eq!(phase(&new(&[&added, &begun])), Phase::Active);
        assert_eq!(phase(&new(&[&added])), Phase::Succeeded, "nobody wants it allocated");
        let lost = new(&[&added, &json!({"level": "ERROR", "index": 1})]);
        assert_eq!(phase(&lost), Phase::Succeeded, "the process could not be started");

        let mut deallocated = new(&[&added, &begun]);
        deallocated["updated_at"] = "2026-06-01T20:00:00.000000".into();
        assert_eq!(phase(&deallocated), Phase::Succeeded);

        let with = |state: &str| json!({"status": "ALLOCATED", "minion_machines": [{"allocation_status": state}]});
        assert_eq!(phase(&with("HEALTHCHECKING")), Phase::Active);
        assert_eq!(phase(&with("IN_USE")), Phase::Succeeded);
        assert_eq!(phase(&with("AVAILABLE")), Phase::Succeeded);
        assert_eq!(phase(&json!({"status": "ALLOCATING_MACHINES"})), Phase::Active);
        assert_eq!(phase(&json!({"status": "ERROR"})), Phase::Failed);
    }

    #[test]
    fn a_broken_pool_says_what_happened_last() {
        let pool = json!({"events": [
            {"level": "ERROR", "index": 2, "message": "no quota"},
            {"level": "ERROR", "index": 1, "message": "slow"},
            {"level": "INFO", "index": 3, "message": "cleaned up"},
        ]});
        assert_eq!(Pool::from(&pool).last_error(), Some("no quota"));
        assert_eq!(Pool::from(&json!({"events": []})).last_error(), None);
    }
}
