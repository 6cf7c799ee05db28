//! The progress of a wait: how far it is, how fast it goes, and whether it still moves.
use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::event::{Progress, Subject};
use crate::report::streams::text;

/// The number of looks at a wait that are kept for its rate.
const SAMPLES: usize = 16;

/// A wait without movement for this long is slow.
pub const SLOW: SignedDuration = SignedDuration::from_mins(3);
/// A wait without movement for this long is stalled.
pub const STALLED: SignedDuration = SignedDuration::from_mins(10);

/// A wait, and its course so far.
#[derive(Clone, Debug)]
pub struct Wait {
    pub subject: Subject,
    pub since: Timestamp,
    pub progress: Progress,
    /// The time of the last change of status, task, percent or bytes.
    pub changed: Timestamp,
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

impl Pace {
    pub fn since(changed: Timestamp, now: Timestamp) -> Self {
        match now.duration_since(changed) {
            still if still > STALLED => Pace::Stalled(still),
            still if still > SLOW => Pace::Slow(still),
            _ => Pace::Moving,
        }
    }
}

impl Wait {
    pub(super) fn new(subject: &Subject, since: Timestamp, at: Timestamp) -> Self {
        Self {
            subject: subject.clone(),
            since,
            progress: Progress::default(),
            changed: at,
            samples: VecDeque::from([Sample { at, percent: 0.0, bytes: None }]),
        }
    }

    pub(super) fn shift(&mut self, by: SignedDuration) {
        self.since += by;
        self.changed += by;
        self.samples.iter_mut().for_each(|sample| sample.at += by);
    }

    pub(super) fn observe(&mut self, at: Timestamp, progress: &Progress) {
        if *progress == self.progress {
            return;
        }
        let total = |progress: &Progress| progress.bytes.map(|(_, total)| total);
        if total(progress) != total(&self.progress) {
            self.samples.iter_mut().for_each(|sample| sample.bytes = None);
        }
        self.progress = progress.clone();
        self.changed = at;
        self.samples.push_back(Sample { at, percent: progress.percent, bytes: progress.bytes.map(|(done, _)| done) });
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
    }

    /// The time left at the rate of the last looks; `None` while it does not move, or before there is a rate.
    pub fn time_left(&self, now: Timestamp) -> Option<SignedDuration> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let spent = last.at.duration_since(first.at).as_secs_f64();
        let gained = last.percent - first.percent;
        // The first tasks say little about the later ones, unless bytes are counted.
        let early = last.bytes.is_none() && last.percent < 15.0;
        if early || spent < 30.0 || gained < 3.0 || matches!(Pace::since(self.changed, now), Pace::Stalled(_)) {
            return None;
        }
        let rest = (100.0 - last.percent) * spent / gained - now.duration_since(last.at).as_secs_f64();
        Some(text::span(rest)).filter(|left| *left >= SignedDuration::from_secs(1))
    }

    /// Bytes per second over the last looks.
    pub fn rate(&self, now: Timestamp) -> Option<u64> {
        if matches!(Pace::since(self.changed, now), Pace::Stalled(_)) {
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
            let progress = Progress { status: "RUNNING".to_owned(), task: None, percent: f64::from(percent), bytes };
            wait.observe(scene::minute(f64::from(percent)), &progress);
        }
        wait
    }

    #[test]
    fn rate_and_time_left_come_from_the_last_looks() {
        let now = scene::minute(32.0);
        assert_eq!(copy().time_left(now).map(text::duration).as_deref(), Some("1h08"));
        assert_eq!(copy().rate(now), Some(1_000_000));
    }

    #[test]
    fn what_stands_still_has_neither_rate_nor_time_left() {
        let now = scene::minute(41.0);
        assert_eq!((copy().time_left(now), copy().rate(now)), (None, None));
        assert_eq!(Pace::since(copy().changed, now), Pace::Stalled(SignedDuration::from_mins(11)));
        assert_eq!(Pace::since(copy().changed, scene::minute(34.0)), Pace::Slow(SignedDuration::from_mins(4)));
        assert_eq!(Pace::since(copy().changed, scene::minute(31.0)), Pace::Moving);
    }
}
