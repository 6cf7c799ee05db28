//! One element of a wave: its current work and its outcome.
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::event::{Cause, Fact, Outcome, Progress};
use crate::model::{Part, Status};

use super::wait::{Pace, Wait};

/// One element of a wave.
#[derive(Clone, Debug)]
pub struct Item {
    pub key: Arc<str>,
    pub state: Activity,
    /// The number of its attempt in this wave.
    pub attempt: u32,
    /// The attempts that began in the whole run.
    pub(super) tries: u32,
    /// An attempt that was interrupted, and goes on when it begins again.
    interrupted: Option<u32>,
    /// The number of attempts that it may have, as far as known.
    pub attempts: u32,
    pub started: Option<Timestamp>,
    /// The time of the last change of anything about it.
    pub changed: Option<Timestamp>,
    pub calls: Vec<(u64, String)>,
    pub waits: Vec<Wait>,
    /// The parts that are done, over all attempts and processes: what is done is not done again.
    pub(super) legs: Vec<Leg>,
    /// The end of the last of them, or the begin of the attempt.
    pub(super) leg_since: Option<Timestamp>,
    /// The seconds between its last part and its end.
    pub(super) tail: f64,
    /// Its time says nothing about others: its process ended on the way.
    pub(super) is_interrupted: bool,
    /// Its first copy has failed, and no copy has succeeded since: the next one copies whole disks as well.
    lacks_first: bool,
    /// Between the begin and the end of its cutover.
    pub(super) is_cutting_over: bool,
    /// The last failure, also of an attempt that was repeated.
    pub cause: Option<Cause>,
    pub elapsed_seconds: f64,
}

/// One part of an item's way, from the end of the part before to its own end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leg {
    pub part: Part,
    pub seconds: f64,
    /// The size of its disks, if the copy said so.
    pub bytes: Option<u64>,
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
            tries: 0,
            interrupted: None,
            attempts: 1,
            started: None,
            changed: None,
            calls: Vec::new(),
            waits: Vec::new(),
            legs: Vec::new(),
            leg_since: None,
            tail: 0.0,
            is_interrupted: false,
            lacks_first: false,
            is_cutting_over: false,
            cause: None,
            elapsed_seconds: 0.0,
        }
    }

    pub(super) fn shift(&mut self, by: SignedDuration) {
        self.started.iter_mut().chain(&mut self.changed).chain(&mut self.leg_since).for_each(|at| *at += by);
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
                self.tries += u32::from(self.interrupted.take() != Some(*attempt));
                self.started = self.started.or(Some(at));
                self.calls.clear();
                self.waits.clear();
                self.leg_since = Some(at);
            }
            Fact::ItemRetried { attempt, attempts, cause, next } => {
                self.state = Activity::Pausing { until: *next };
                self.attempt = *attempt;
                self.attempts = self.attempts.max(*attempts);
                self.cause = Some(cause.clone());
            }
            Fact::ItemFinished { outcome, attempts, elapsed_seconds, cause, earlier, .. } => {
                if let (false, Some(since)) = (earlier, self.leg_since.take()) {
                    self.tail = at.duration_since(since).as_secs_f64();
                }
                self.is_cutting_over = false;
                self.state = Activity::Done(*outcome);
                self.attempt = *attempts;
                // Older journals do not tell each begin.
                self.tries = self.tries.max(*attempts);
                self.interrupted = (*outcome == Outcome::Cancelled).then_some(*attempts);
                self.elapsed_seconds = *elapsed_seconds;
                self.cause = cause.clone();
                self.calls.clear();
                self.waits.clear();
            }
            Fact::CallStarted { call, function } => self.calls.push((*call, function.clone())),
            Fact::CallFinished { call, .. } => self.calls.retain(|(open, _)| open != call),
            Fact::CutoverEntered { .. } => self.is_cutting_over = true,
            Fact::CutoverEnded { .. } => self.is_cutting_over = false,
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

    /// An observation as it is shown: a copy after a first one that failed is not one of changes, whatever its number.
    pub(super) fn shown(&self, progress: &Progress) -> Progress {
        let part = match progress.part {
            Some(Part::Delta) if self.lacks_first => Some(Part::FirstCopy),
            Some(Part::FinalDelta) if self.lacks_first => Some(Part::FinalCopy),
            part => part,
        };
        Progress { part, ..progress.clone() }
    }

    /// One of its waits has ended.
    pub(super) fn ended(&mut self, at: Timestamp, wait: &Wait, status: &str) {
        let since = self.leg_since.map_or(wait.since, |since| since.min(wait.since));
        let succeeded = Status::from(status).succeeded();
        if matches!(wait.progress.part, Some(Part::FirstCopy | Part::FinalCopy)) {
            self.lacks_first = !succeeded;
        }
        if let (Some(part), true) = (wait.progress.part, succeeded) {
            self.legs.push(Leg { part, seconds: at.duration_since(since).as_secs_f64(), bytes: wait.size });
            self.leg_since = Some(at);
        }
    }

    /// Its process is gone.
    pub(super) fn abandon(&mut self) {
        self.is_interrupted |= self.is_in_flight();
        if self.state == Activity::Active {
            self.interrupted = Some(self.attempt);
        }
        self.is_cutting_over = false;
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

    /// Its pace; one that waits for nothing on the server, but sleeps or is asked something, has none.
    pub fn pace(&self) -> Pace {
        match (self.state, self.slowest_wait()) {
            (Activity::Active, Some(wait)) => wait.pace(),
            _ => Pace::Moving,
        }
    }

    /// The part that it is in, as far as known.
    pub fn part(&self) -> Option<Part> {
        self.slowest_wait()?.progress.part
    }

    /// The part that ended at this time.
    pub(super) fn newest_leg(&self, at: Timestamp) -> Option<&Leg> {
        self.legs.last().filter(|_| self.leg_since == Some(at))
    }

    /// True while its VM is deployed and its cutover has not ended.
    pub fn is_verified_now(&self) -> bool {
        self.is_cutting_over && self.waits.is_empty() && self.legs.last().is_some_and(|leg| leg.part == Part::Deploy)
    }
}
