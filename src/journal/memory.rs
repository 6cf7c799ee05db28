//! The steps that a run began and the objects that they made: everything known to be its own, whatever was done again
//! since.

use std::collections::BTreeSet;

use super::marker::Marker;
use super::record::{Record, Saved, Settlement, StepKey};

/// It only grows.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    begun: BTreeSet<StepKey>,
    ids: BTreeSet<String>,
    /// Ids of the objects that it deleted itself.
    deleted: BTreeSet<String>,
    /// The ids of the users who sent its changes; older journals and servers without a login name none.
    users: BTreeSet<Option<String>>,
}

impl Memory {
    /// Takes the next record: answers and results count, objects that a call has only read do not.
    pub fn meet(&mut self, record: &Record) {
        let value = match record {
            Record::Began { lane, call, step, method, path, by, .. } => {
                self.users.insert(by.clone());
                self.begun.insert(StepKey { lane: lane.clone(), call: *call, step: *step });
                if let Some(id) = path.rsplit('/').next().filter(|_| method == "DELETE") {
                    self.deleted.insert(id.to_owned());
                }
                return;
            }
            Record::Kept { lane, call, step, answer, .. } => {
                self.begun.insert(StepKey { lane: lane.clone(), call: *call, step: *step });
                answer
            }
            Record::Decided { awaited, .. } => return self.ids.extend(awaited.iter().cloned()),
            Record::Settled { settlement: Settlement::Done(answer), .. } => answer,
            Record::Returned { result: Saved::Ok(value), .. } => value,
            Record::Settled { .. } | Record::Returned { .. } => return,
            Record::Journal { .. } | Record::Cloud { .. } | Record::Value { .. } | Record::Called { .. } => return,
            Record::Stayed { .. } | Record::Attempt { .. } | Record::Ended { .. } | Record::Behind => return,
            Record::Anew { .. } | Record::RetryFailed | Record::Event { .. } => return,
        };
        // Besides its own id an object names others that do not belong to the run.
        self.ids.extend(value["id"].as_str().map(str::to_owned));
    }

    /// True if the run has made or used the object with this id.
    pub fn has_id(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// True if the run has deleted the object with this id, or tried to.
    pub fn has_deleted(&self, id: &str) -> bool {
        self.deleted.contains(id)
    }

    /// The ids of the users who sent its changes; `None` if one of them is not known.
    pub fn users(&self) -> Option<BTreeSet<String>> {
        self.users.iter().cloned().collect()
    }

    /// True if the step that made an object was begun.
    pub fn has_step_of(&self, marker: &Marker) -> bool {
        self.begun.iter().any(|key| marker.is_at(key))
    }
}
