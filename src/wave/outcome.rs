//! The outcome of a wave and of each of its items.

use jiff::SignedDuration;

use crate::error::Error;
use crate::event::{Counts, Outcome};

/// The outcome of one item.
#[derive(Clone, Debug)]
pub struct ItemOutcome {
    pub key: String,
    pub outcome: Outcome,
    /// The number of attempts that began; 0 for a skipped item.
    pub attempts: u32,
    /// From the start of the first attempt to the end of the last, with the pauses in between.
    pub elapsed: SignedDuration,
    /// The error of its last attempt: within an attempt the first cause, never overwritten by a clean-up's. `None` for
    /// an item that succeeded, at whatever attempt.
    pub cause: Option<Error>,
    /// The error of its first attempt, if that differs.
    pub first: Option<Error>,
}

/// The outcome of a wave. The items are in order.
#[derive(Clone, Debug)]
pub struct Summary {
    pub items: Vec<ItemOutcome>,
    pub counts: Counts,
    pub elapsed: SignedDuration,
    /// The reason why nothing new started from some moment on.
    pub stopped: Option<String>,
    /// True if more items failed than were allowed to.
    pub over_budget: bool,
}

impl Summary {
    /// The keys of the items with this outcome, in order.
    pub fn keys(&self, outcome: Outcome) -> Vec<&str> {
        self.items.iter().filter(|item| item.outcome == outcome).map(|item| item.key.as_str()).collect()
    }
}
