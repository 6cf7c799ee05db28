//! The part of a run that later runs have to know: its sources, its copies, and the work that it has begun.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::sources::Sources;
use super::{Event, Fact};

/// A run of the state directory.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    pub id: String,
    /// The runbook's name as given.
    pub name: String,
    /// True if a process works on it.
    pub is_running: bool,
    /// True if its journal cannot be read: nothing below is known.
    pub is_damaged: bool,
    pub sources: Sources,
    /// The end of the last complete copy of each replica, by its id.
    pub copied: BTreeMap<String, Timestamp>,
    /// The keys of its items, and the labels of its waits, that have not ended.
    pub open: BTreeSet<String>,
}

impl Ran {
    /// Folds the events of a run.
    #[must_use]
    pub fn knowing(mut self, events: &[Event]) -> Self {
        events.iter().for_each(|event| self.apply(event));
        self
    }

    fn apply(&mut self, event: &Event) {
        self.sources.apply(event);
        match &event.fact {
            Fact::WaitFinished { subject, status, .. } => {
                self.open.remove(&subject.label);
                if let Some(replica) = subject.replica.as_ref().filter(|_| status == "COMPLETED") {
                    self.copied.insert(replica.clone(), event.at);
                }
            }
            Fact::WaitStarted { subject, .. } => drop(self.open.insert(subject.label.clone())),
            Fact::ItemStarted { .. } => self.open.extend(event.origin.item.as_deref().map(str::to_owned)),
            Fact::ItemFinished { .. } => {
                event.origin.item.as_deref().map(|key| self.open.remove(key));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Origin, Outcome, Subject};

    #[test]
    fn a_run_is_known_by_its_copies_and_its_open_work() {
        let event = |item: &str, fact: Fact| {
            let origin =
                Origin { lane: format!("main/1:{item}").into(), wave: Some("w".into()), item: Some(item.into()) };
            Event { v: 1, at: Timestamp::UNIX_EPOCH, origin, fact }
        };
        let subject =
            Subject { kind: "execution".into(), id: "E".into(), label: "db".into(), replica: Some("T".into()) };
        let since = Timestamp::UNIX_EPOCH;
        let ended = Fact::WaitFinished { subject, status: "COMPLETED".into(), since, elapsed_seconds: 1.0 };
        let finished = Fact::ItemFinished {
            outcome: Outcome::Ok,
            attempts: 1,
            elapsed_seconds: 1.0,
            cause: None,
            first: None,
            earlier: false,
        };
        let started = |item| event(item, Fact::ItemStarted { attempt: 1 });
        let ran = Ran::default().knowing(&[started("db"), started("web"), event("db", ended), event("db", finished)]);
        assert_eq!(ran.open, BTreeSet::from(["web".to_owned()]));
        assert_eq!(ran.copied.keys().collect::<Vec<_>>(), ["T"]);
    }
}
