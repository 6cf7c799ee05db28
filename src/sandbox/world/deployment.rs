//! Deployments of transfers, and the direct migrations of a legacy server.

use jiff::Timestamp;
use serde_json::Value;

use super::action::Action;
use super::graph::Direct;
use super::held::Held;
use super::lifecycle::Plan;
use crate::model::Status;

#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Deployment {
    pub action: Action,
    pub deployed: Deployed,
    /// `None` while it waits for an execution, and if it failed to start.
    pub plan: Option<Plan>,
    /// The status while there is no plan.
    pub unplanned: Status<'static>,
    /// The execution that it waits for.
    pub deployer: Option<String>,
    pub trust: Option<String>,
    /// The new machines, after it has completed.
    pub result: Option<Value>,
    /// The same machines, as they run.
    pub booted: Vec<Booted>,
}

/// A machine on the target.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Booted {
    pub id: String,
    /// The name of the machine that it was.
    pub instance: String,
    pub at: Timestamp,
    /// The content of its disks when it booted.
    pub held: Held,
    pub on: bool,
}

/// The source of a deployment.
#[derive(Clone, Debug)]
pub(in crate::sandbox) enum Deployed {
    /// The transfer with this id, at this position.
    Transfer {
        id: String,
        position: usize,
    },
    Direct(Direct),
}

impl Deployment {
    pub(in crate::sandbox) fn status(&self, now: Timestamp) -> Status<'static> {
        self.plan.as_ref().map_or(self.unplanned, |plan| plan.status(now))
    }

    pub(in crate::sandbox) fn is_active(&self, now: Timestamp) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.is_active(now))
    }
}
