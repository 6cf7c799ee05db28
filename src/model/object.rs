//! Typed views over the objects that a server sends and that scripts see whole: their fields are named here alone.

use std::ops::Deref;

use jiff::Timestamp;
use serde_json::Value;

use super::status::{Status, TaskStatus};
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

views!(Execution, Task, Update);

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
