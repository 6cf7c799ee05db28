//! The record of a run: which steps were begun and which are settled. A change is recorded before it leaves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::error::Result;

/// Which step of which call in which lane: never a line number, never the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepKey {
    pub lane: Arc<str>,
    pub call: u64,
    pub step: u32,
}

/// A changing request, as it is written down before it leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Began {
    pub function: &'static str,
    pub method: &'static str,
    pub path: String,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// Applied; what the server answered.
    Done(Value),
    /// Surely not applied.
    Refused(String),
    /// Nobody knows.
    Unknown(String),
}

/// Where a run's steps are recorded.
pub trait Journal: Send + Sync {
    /// The settled result of this step, if an earlier process of the run got that far.
    fn answer(&self, key: &StepKey) -> Option<Settlement>;

    /// # Errors
    /// When the step could not be recorded: it must not be sent then.
    fn begin(&self, key: &StepKey, began: Began) -> Result<()>;

    /// # Errors
    /// When the settlement could not be recorded.
    fn settle(&self, key: &StepKey, settlement: Settlement) -> Result<()>;
}

/// A journal that lives as long as its process: it knows what is begun and not settled, and nothing else.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<StepKey, Began>>);

impl Memory {
    /// Steps that were sent and of which nobody knows whether they were applied.
    pub fn unsettled(&self) -> Vec<(StepKey, Began)> {
        let steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        steps.iter().map(|(key, began)| (key.clone(), began.clone())).collect()
    }
}

impl Journal for Memory {
    fn answer(&self, _: &StepKey) -> Option<Settlement> {
        None
    }

    fn begin(&self, key: &StepKey, began: Began) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), began);
        Ok(())
    }

    fn settle(&self, key: &StepKey, settlement: Settlement) -> Result<()> {
        if !matches!(settlement, Settlement::Unknown(_)) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_nobody_knows_about_stays_unsettled() {
        let journal = Memory::default();
        let began = Began { function: "transfer_execute", method: "POST", path: "transfers/1/executions".into() };
        let key = |step| StepKey { lane: "main".into(), call: 1, step };
        for step in 1..=3 {
            journal.begin(&key(step), began.clone()).unwrap();
        }
        journal.settle(&key(1), Settlement::Done(Value::Null)).unwrap();
        journal.settle(&key(2), Settlement::Unknown("reset".into())).unwrap();
        journal.settle(&key(3), Settlement::Refused("400".into())).unwrap();
        assert_eq!(journal.unsettled(), [(key(2), began)]);
    }
}
