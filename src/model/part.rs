//! The parts of a VM's way, in the words of those who plan it.

use serde::Serialize;
use serde_json::Value;

use super::object::{Execution, Object};

/// One part of the way of a VM, as an execution, deployment or migration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The first execution of a transfer: whole disks.
    FirstCopy,
    /// A later execution: the changes.
    Delta,
    /// A first execution that switches its source off.
    FinalCopy,
    /// A later execution that switches its source off.
    FinalDelta,
    /// The deployment of a transfer.
    Deploy,
    /// Copy and deployment in one, without a transfer: only the legacy generation has it.
    Migration,
}

impl Part {
    pub fn word(self) -> &'static str {
        match self {
            Part::FirstCopy => "first copy",
            Part::Delta => "delta",
            Part::FinalCopy => "final copy",
            Part::FinalDelta => "final delta",
            Part::Deploy => "deploy",
            Part::Migration => "migration",
        }
    }

    /// The part that an execution is; `None` before its tasks are known.
    pub fn of_execution(shown: &Value) -> Option<Self> {
        let execution = Execution::from(shown);
        let tasks = execution.tasks();
        let is_final = tasks.iter().any(|task| task.switches_off());
        let is_first = execution.number()? == 1;
        (!tasks.is_empty()).then_some(match (is_first, is_final) {
            (true, false) => Part::FirstCopy,
            (false, false) => Part::Delta,
            (true, true) => Part::FinalCopy,
            (false, true) => Part::FinalDelta,
        })
    }

    /// The part that a deployment, or a migration of the legacy generation, is.
    pub fn of_deployment(shown: &Value) -> Option<Self> {
        let deployment = Object::from(shown);
        deployment.id()?;
        Some(if deployment.replica().is_some() { Part::Deploy } else { Part::Migration })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_part_follows_from_the_number_and_the_tasks() {
        let execution = |number: u64, tasks: &[&str]| {
            let tasks: Vec<Value> = tasks.iter().map(|kind| json!({ "task_type": kind })).collect();
            Part::of_execution(&json!({ "id": "E", "number": number, "tasks": tasks }))
        };
        assert_eq!(execution(1, &["REPLICATE_DISKS"]), Some(Part::FirstCopy));
        assert_eq!(execution(2, &["REPLICATE_DISKS"]), Some(Part::Delta));
        assert_eq!(execution(1, &["REPLICATE_DISKS", "SHUTDOWN_INSTANCE"]), Some(Part::FinalCopy));
        assert_eq!(execution(3, &["REPLICATE_DISKS", "SHUTDOWN_INSTANCE"]), Some(Part::FinalDelta));
        assert_eq!(execution(3, &[]), None);
        assert_eq!(Part::of_deployment(&json!({ "id": "D", "transfer_id": "T" })), Some(Part::Deploy));
        assert_eq!(Part::of_deployment(&json!({ "id": "D", "replica_id": "T" })), Some(Part::Deploy));
        assert_eq!(Part::of_deployment(&json!({ "id": "D", "replica_id": null })), Some(Part::Migration));
    }
}
