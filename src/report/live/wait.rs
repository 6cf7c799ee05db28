//! The progress of a wait: how far it is, how fast it goes, and whether it still moves.
use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::event::{Progress, Subject};
use crate::report::streams::text;

/// The number of looks at a wait that are kept for its rate.
const SAMPLES: usize = 16;

/// A wait without movement for less than this is never slow, nor for less than that stalled.
const SLOW: SignedDuration = SignedDuration::from_mins(3);
const STALLED: SignedDuration = SignedDuration::from_mins(10);
/// Slow is a wait without movement for as many times the usual time between two movements, and stalled for as many.
const SLOW_TIMES: i32 = 4;
const STALLED_TIMES: i32 = 8;

/// A wait, and its course so far.
#[derive(Clone, Debug)]
pub struct Wait {
    pub subject: Subject,
    pub since: Timestamp,
    pub progress: Progress,
    /// The time of the last change of status, task, percent or bytes.
    changed: Timestamp,
    /// The time of the last look at it: nobody knows what has happened since.
    seen: Timestamp,
    /// The size of what is copied, once it was said.
    pub(super) size: Option<u64>,
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Timestamp,
    percent: f64,
    bytes: Option<u64>,
}

/// The liveliness of a wait or an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Moving,
    Slow(SignedDuration),
    Stalled(SignedDuration),
}

impl Wait {
    pub(super) fn new(subject: &Subject, since: Timestamp, at: Timestamp) -> Self {
        Self {
            subject: subject.clone(),
            since,
            progress: Progress::default(),
            changed: at,
            seen: at,
            size: None,
            samples: VecDeque::from([Sample { at, percent: 0.0, bytes: None }]),
        }
    }

    pub(super) fn shift(&mut self, by: SignedDuration) {
        self.since += by;
        self.changed += by;
        self.seen += by;
        self.samples.iter_mut().for_each(|sample| sample.at += by);
    }

    pub(super) fn observe(&mut self, at: Timestamp, progress: &Progress) {
        self.seen = at;
        if *progress == self.progress {
            return;
        }
        let total = |progress: &Progress| progress.bytes.map(|(_, total)| total);
        if total(progress) != total(&self.progress) {
            self.samples.iter_mut().for_each(|sample| sample.bytes = None);
        }
        self.progress = progress.clone();
        self.size = total(progress).or(self.size);
        self.changed = at;
        self.samples.push_back(Sample { at, percent: progress.percent, bytes: progress.bytes.map(|(done, _)| done) });
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
    }

    /// True if it copies disks just now, at a pace of its own.
    pub(super) fn copies(&self) -> bool {
        self.progress.task.as_deref() == Some("REPLICATE_DISKS")
    }

    /// Its liveliness at the last look, by its own usual time between two movements.
    pub fn pace(&self) -> Pace {
        let usual = match (self.samples.front(), self.samples.back(), i32::try_from(self.samples.len())) {
            (Some(first), Some(last), Ok(number @ 3..)) => last.at.duration_since(first.at) / (number - 1),
            _ => SignedDuration::ZERO,
        };
        match self.seen.duration_since(self.changed) {
            still if still > STALLED.max(usual * STALLED_TIMES) => Pace::Stalled(still),
            still if still > SLOW.max(usual * SLOW_TIMES) => Pace::Slow(still),
            _ => Pace::Moving,
        }
    }

    /// The time left at the rate of the last looks; `None` while it does not move, or before there is a rate.
    pub fn time_left(&self, now: Timestamp) -> Option<SignedDuration> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let spent = last.at.duration_since(first.at).as_secs_f64();
        let gained = last.percent - first.percent;
        // The first tasks say little about the later ones, unless bytes are counted.
        let early = last.bytes.is_none() && last.percent < 15.0;
        if early || spent < 30.0 || gained < 3.0 || matches!(self.pace(), Pace::Stalled(_)) {
            return None;
        }
        let rest = (100.0 - last.percent) * spent / gained - now.duration_since(last.at).as_secs_f64();
        Some(text::span(rest)).filter(|left| *left >= SignedDuration::from_secs(1))
    }

    /// Bytes per second over the last looks.
    pub fn rate(&self) -> Option<u64> {
        if matches!(self.pace(), Pace::Stalled(_)) {
            return None;
        }
        let known = || self.samples.iter().filter_map(|sample| Some((sample.at, sample.bytes?)));
        let ((from, less), (to, more)) = (known().next()?, known().next_back()?);
        let spent = to.duration_since(from).as_secs_f64();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let rate = (more.checked_sub(less)? as f64 / spent) as u64;
        (spent >= 1.0 && rate > 0).then_some(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::live::scene;

    fn copy() -> Wait {
        let mut wait = Wait::new(&scene::subject("e"), scene::minute(0.0), scene::minute(0.0));
        for percent in [10_u32, 20, 30] {
            let bytes = Some((u64::from(percent) * 60_000_000, 6_000_000_000));
            let progress =
                Progress { status: "RUNNING".to_owned(), percent: f64::from(percent), bytes, ..Progress::default() };
            wait.observe(scene::minute(f64::from(percent)), &progress);
        }
        wait
    }

    #[test]
    fn rate_and_time_left_come_from_the_last_looks() {
        let now = scene::minute(32.0);
        assert_eq!(copy().time_left(now).map(text::duration).as_deref(), Some("1h08"));
        assert_eq!(copy().rate(), Some(1_000_000));
    }

    #[test]
    fn slow_and_stalled_are_told_by_the_usual_pace_of_the_wait_itself() {
        let mut quick = Wait::new(&scene::subject("e"), scene::minute(0.0), scene::minute(0.0));
        for minute in 1..10_u32 {
            let progress = Progress { percent: f64::from(minute), ..Progress::default() };
            quick.observe(scene::minute(f64::from(minute) / 10.0), &progress);
        }
        let paces = |wait: &mut Wait, minutes: [f64; 3]| {
            let progress = wait.progress.clone();
            minutes.map(|at| {
                wait.observe(scene::minute(at), &progress);
                wait.pace()
            })
        };
        let still = SignedDuration::from_mins;
        assert_eq!(paces(&mut quick, [1.9, 5.9, 11.9]), [Pace::Moving, Pace::Slow(still(5)), Pace::Stalled(still(11))]);
        assert_eq!(quick.rate(), None);
        // It moves every ten minutes.
        let mut copy = copy();
        assert_eq!(
            paces(&mut copy, [60.0, 75.0, 115.0]),
            [Pace::Moving, Pace::Slow(still(45)), Pace::Stalled(still(85))]
        );
        assert_eq!((copy.time_left(scene::minute(115.0)), copy.rate()), (None, None));
    }

    #[test]
    fn what_nobody_has_looked_at_does_not_stand_still() {
        assert_eq!(copy().pace(), Pace::Moving);
        assert!(copy().time_left(scene::minute(60.0)).is_some());
    }
}
