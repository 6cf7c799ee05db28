//! What a run knows to be its own, whatever was done anew since: the steps that it began and the things that they gave.

use std::collections::BTreeSet;

use super::StepKey;
use super::marker::Marker;
use super::record::{Record, Saved, Settlement};

/// Only grows.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    begun: BTreeSet<StepKey>,
    ids: BTreeSet<String>,
    /// Ids of what it has deleted itself.
    deleted: BTreeSet<String>,
}

impl Memory {
    /// Takes the next record: what was answered and returned counts, and what a call has merely looked at does not.
    pub fn meet(&mut self, record: &Record) {
        let value = match record {
            Record::Began { lane, call, step, method, path, .. } => {
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
            _ => return,
        };
        // Beside its own id a thing names others that the run has nothing to do with.
        self.ids.extend(value["id"].as_str().map(str::to_owned));
    }

    /// Whether the run has made or used the thing of this id.
    pub fn has_id(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Whether the run has deleted the thing of this id, or tried to.
    pub fn has_deleted(&self, id: &str) -> bool {
        self.deleted.contains(id)
    }

    /// Whether the step that made a thing was begun.
    pub fn has_step_of(&self, marker: &Marker) -> bool {
        self.begun.iter().any(|key| marker.is_at(key))
    }
}
