//! The service's nouns, shared by the client, the watcher and the sandbox.

mod object;
mod part;
mod power;
mod status;

pub use object::{Execution, Object, Pool, Task, Update};
pub use part::Part;
pub use power::Power;
pub use status::{MachineStatus, Phase, PoolStatus, Status, TaskStatus};

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// The field of an object with the id of the run that made it, if only the run's records still know it: no server sends
/// it.
pub const MADE_BY: &str = "made_by_run";

/// The Coriolis API that a server speaks; a server never speaks both: 1.1.0 (2024-12-05) replaced replicas and
/// migrations by transfers and deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "lowercase")]
pub enum Generation {
    /// `/replicas`, `/migrations`: servers up to 1.0.21.
    Legacy,
    /// `/transfers`, `/deployments`: 1.1.0 and later.
    Current,
}

impl Generation {
    pub fn word(self) -> &'static str {
        self.into()
    }
}
