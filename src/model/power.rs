//! The power of a source, as far as the tasks of an execution tell.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::object::Object;
use super::status::TaskStatus;

/// The state of a source that a copy was to switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// The copy has begun, and its shutdown has not ended.
    GoingOff,
    Off,
    /// The shutdown was cut short: it may be on or off.
    Unclear,
    /// It was never switched off, or somebody says that it is on again.
    On,
    /// Its VM is deployed, and its cutover has not ended: nobody has verified it.
    Deployed,
    /// Its VM runs at its target.
    Moved,
}

impl Power {
    /// True if somebody has to look after the source.
    pub fn is_held(self) -> bool {
        match self {
            Power::GoingOff | Power::Off | Power::Unclear | Power::Deployed => true,
            Power::On | Power::Moved => false,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Power::GoingOff => "going off",
            Power::Off => "off",
            Power::Unclear => "may be off",
            Power::Deployed => "off, deployed and not verified",
            Power::On => "on",
            Power::Moved => "moved",
        }
    }
}

impl<'a> Object<'a> {
    /// The sources that an execution switches off, by the VMs' names, with the end of the task that did.
    pub fn switched_off(self) -> impl Iterator<Item = (&'a str, Power, Option<Timestamp>)> {
        let over = self.status().is_final();
        let off = self.tasks().into_iter().filter(|task| task.switches_off());
        off.map(move |task| {
            let power = task.status().power(over);
            (task.instance(), power, task.updated_at().filter(|_| power == Power::Off))
        })
    }
}

impl TaskStatus<'_> {
    /// The power that a shutdown with this status leaves; `over` if its execution has ended.
    fn power(self, over: bool) -> Power {
        use TaskStatus::*;
        match self {
            Completed | CancellingAfterCompletion | CanceledAfterCompletion => Power::Off,
            Scheduled | Unscheduled | FailedToSchedule | StrandedAfterDeadlock | OnErrorOnly | ExecuteOnErrorOnly
                if over =>
            {
                Power::On
            }
            Scheduled | Pending | Starting | Running | Syncing if !over => Power::GoingOff,
            _ => Power::Unclear,
        }
    }
}
