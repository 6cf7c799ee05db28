//! Transfers, which a legacy server calls replicas, and their executions.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::action::Action;
use super::draw::draw;
use super::held::{Held, Volume};
use super::lifecycle::Plan;
use crate::model::{Status, TaskStatus};

/// Tasks whose results are kept in the transfer.
const KEPT: [&str; 3] = ["GET_INSTANCE_INFO", "DEPLOY_TRANSFER_DISKS", "REPLICATE_DISKS"];

#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Transfer {
    pub action: Action,
    pub executions: Vec<Execution>,
    /// One per instance.
    pub copies: Vec<Copied>,
    /// The latest deployment.
    pub last_deployment: Option<usize>,
}

/// The state of one instance on the target.
#[derive(Clone, Debug, Default)]
pub(in crate::sandbox) struct Copied {
    /// Its volumes, in the order of the disks; empty if there are none.
    pub volumes: Vec<Volume>,
    /// A copy onto them has completed: the next one is a delta.
    pub whole: bool,
    /// A copy onto them has failed.
    pub failed: bool,
}

#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Execution {
    pub id: String,
    /// From 1, per transfer, over all kinds; never reused.
    pub number: usize,
    pub kind: ExecutionKind,
    pub plan: Plan,
    pub deleted: Option<Timestamp>,
    /// The changes that an update makes when it completes.
    pub changes: Map<String, Value>,
    /// The deployment that waits for this execution.
    pub deploys: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum ExecutionKind {
    Transfer,
    Update,
    DisksDelete,
}

impl Transfer {
    /// The status of the newest execution of any kind.
    pub(in crate::sandbox) fn status(&self, now: Timestamp) -> Status<'static> {
        self.executions.last().map_or(Status::Unexecuted, |execution| execution.plan.status(now))
    }

    /// The time of its last change: of its status, or of the facts that a finished task of its newest execution adds.
    pub(in crate::sandbox) fn updated(&self, now: Timestamp) -> Option<Timestamp> {
        let kept = self.executions.last().and_then(|execution| execution.plan.last_completed(&KEPT, now));
        self.action.updated.max(kept)
    }

    pub(in crate::sandbox) fn live_executions(&self) -> impl DoubleEndedIterator<Item = &Execution> {
        self.executions.iter().filter(|execution| execution.deleted.is_none())
    }

    pub(in crate::sandbox) fn running(&self, now: Timestamp) -> Option<&Execution> {
        self.executions.iter().rev().find(|execution| execution.plan.is_active(now))
    }

    pub(in crate::sandbox) fn ever_completed(&self, now: Timestamp) -> bool {
        self.live_executions().any(|execution| {
            execution.kind == ExecutionKind::Transfer && execution.plan.status(now) == Status::Completed
        })
    }
}

impl Copied {
    /// The state after everything that this execution has done to an instance with so many disks by `at`.
    #[must_use]
    pub(in crate::sandbox) fn after(
        mut self,
        seed: u64,
        execution: &Execution,
        instance: &str,
        disks: usize,
        at: Timestamp,
    ) -> Self {
        if execution.kind != ExecutionKind::Transfer {
            return self;
        }
        if self.volumes.is_empty() && execution.plan.completed(instance, "DEPLOY_TRANSFER_DISKS", at) {
            self.volumes = new_volumes(seed, &execution.id, instance, disks);
        }
        for copy in execution.plan.seen(at).filter(|seen| seen.is_copy_of(instance)) {
            copy.write(&mut self.volumes);
            self.whole |= copy.status == TaskStatus::Completed;
            self.failed |= copy.status == TaskStatus::Error;
        }
        self
    }
}

/// Empty volumes for the disks of an instance.
pub(in crate::sandbox) fn new_volumes(seed: u64, execution: &str, instance: &str, disks: usize) -> Vec<Volume> {
    let id = |disk: usize| draw(seed, &["volume", execution, instance, &disk.to_string()]).uuid();
    (0..disks).map(|disk| Volume { id: id(disk), held: Held::default() }).collect()
}
