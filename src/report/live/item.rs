//! One element of a wave: its current work and its outcome.
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::event::{Cause, Fact, Outcome};

use super::wait::{Pace, Wait};

/// One element of a wave.
#[derive(Clone, Debug)]
pub struct Item {
    pub key: Arc<str>,
    pub state: Activity,
    pub attempt: u32,
    /// The number of attempts that it may have, as far as known.
    pub attempts: u32,
    pub started: Option<Timestamp>,
    /// The time of the last change of anything about it.
    pub changed: Option<Timestamp>,
    pub calls: Vec<(u64, String)>,
    pub waits: Vec<Wait>,
    /// The waits that ended in this attempt.
    pub waited: usize,
    /// The last failure, also of an attempt that was repeated.
    pub cause: Option<Cause>,
    pub elapsed_seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activity {
    Queued,
    Active,
    /// Between two attempts.
    Pausing {
        until: Timestamp,
    },
    Done(Outcome),
}

impl Item {
    pub(super) fn new(key: Arc<str>) -> Self {
        Self {
            key,
            state: Activity::Queued,
            attempt: 0,
            attempts: 1,
            started: None,
            changed: None,
            calls: Vec::new(),
            waits: Vec::new(),
            waited: 0,
            cause: None,
            elapsed_seconds: 0.0,
        }
    }

    pub(super) fn shift(&mut self, by: SignedDuration) {
        self.started.iter_mut().chain(&mut self.changed).for_each(|at| *at += by);
        self.waits.iter_mut().for_each(|wait| wait.shift(by));
        if let Activity::Pausing { until } = &mut self.state {
            *until += by;
        }
    }

    pub(super) fn apply(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::ItemStarted { attempt } => {
                self.state = Activity::Active;
                self.attempt = *attempt;
                self.started = self.started.or(Some(at));
                self.calls.clear();
                self.waits.clear();
                self.waited = 0;
            }
            Fact::ItemRetried { attempt, attempts, cause, next } => {
                self.state = Activity::Pausing { until: *next };
                self.attempt = *attempt;
                self.attempts = self.attempts.max(*attempts);
                self.cause = Some(cause.clone());
            }
            Fact::ItemFinished { outcome, attempts, elapsed_seconds, cause, .. } => {
                self.state = Activity::Done(*outcome);
                self.attempt = *attempts;
                self.elapsed_seconds = *elapsed_seconds;
                self.cause = cause.clone();
                self.calls.clear();
                self.waits.clear();
            }
            Fact::CallStarted { call, function } => self.calls.push((*call, function.clone())),
            Fact::CallFinished { call, .. } => self.calls.retain(|(open, _)| open != call),
            Fact::StepSettled { .. } | Fact::UnitRetried { .. } => {}
            _ => return,
        }
        self.changed = Some(at);
    }

    /// Takes back its outcome, unless it succeeded.
    pub(super) fn take_back(&mut self) {
        if self.outcome().is_some_and(|outcome| outcome != Outcome::Ok) {
            (self.state, self.cause) = (Activity::Queued, None);
        }
    }

    /// Its process is gone.
    pub(super) fn abandon(&mut self) {
        self.calls.clear();
        self.waits.clear();
    }

    pub fn is_in_flight(&self) -> bool {
        matches!(self.state, Activity::Active | Activity::Pausing { .. })
    }

    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            Activity::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The wait that is furthest from its end: the one that holds up the item.
    pub fn slowest_wait(&self) -> Option<&Wait> {
        self.waits.iter().min_by(|a, b| a.progress.percent.total_cmp(&b.progress.percent))
    }

    /// Its pace; a pause before the next attempt does not slow it down.
    pub fn pace(&self, now: Timestamp) -> Pace {
        let changed = self.slowest_wait().map(|wait| wait.changed).or(self.changed);
        match (self.state, changed) {
            (Activity::Active, Some(changed)) => Pace::since(changed, now),
            _ => Pace::Moving,
        }
    }

    /// The finished share of it, when the items of this wave have this many waits.
    pub(super) fn fraction(&self, waits: usize) -> f64 {
        if self.outcome().is_some() {
            return 1.0;
        }
        if !self.is_in_flight() {
            return 0.0;
        }
        let open = self.slowest_wait().map_or(0.0, |wait| wait.progress.percent.clamp(0.0, 100.0) / 100.0);
        #[allow(clippy::cast_precision_loss, reason = "a handful of waits")]
        let fraction = (self.waited as f64 + open) / waits.max(self.waited + 1) as f64;
        fraction.min(0.99)
    }
}
