//! How a wave ended: each item, and all together.

use jiff::SignedDuration;

use crate::error::Error;
use crate::event::{Counts, Outcome};

/// How one item ended.
#[derive(Clone, Debug)]
pub struct ItemOutcome {
    pub key: String,
    pub outcome: Outcome,
    /// How many attempts began; 0 for what was skipped.
    pub attempts: u32,
    /// From the start of the first attempt to the end of the last, the pauses between included.
    pub elapsed: SignedDuration,
    /// Why its last attempt failed; within an attempt the first cause, never overwritten by what a clean-up says. `None`
    /// for what ended well, at whatever attempt.
    pub cause: Option<Error>,
    /// Why its first attempt failed, where that was something else.
    pub first: Option<Error>,
}

/// How a wave ended. The items are in their order.
#[derive(Clone, Debug)]
pub struct Summary {
    pub items: Vec<ItemOutcome>,
    pub counts: Counts,
    pub elapsed: SignedDuration,
    /// Why nothing new started from some moment on.
    pub stopped: Option<String>,
    /// Whether more items failed than were allowed to.
    pub over_budget: bool,
}

impl Summary {
    /// The keys of the items that ended so, in the items' order.
    pub fn keys(&self, outcome: Outcome) -> Vec<&str> {
        self.items.iter().filter(|item| item.outcome == outcome).map(|item| item.key.as_str()).collect()
    }
}
