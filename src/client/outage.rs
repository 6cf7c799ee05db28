//! Outages of the cloud: since when nobody has had an answer, what is announced, and when to give up.

use jiff::SignedDuration;
use parking_lot::Mutex;

use crate::clock::Instant;

/// A silence that may be a single lost answer is announced after this long.
const SURE_AFTER: SignedDuration = SignedDuration::from_secs(3);

/// It is announced again after this long, then after twice as long, and so on.
const FIRST_REMINDER: SignedDuration = SignedDuration::from_mins(5);

/// Failures this far apart are not one silence: nobody has asked in between.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// The shared knowledge of all lanes and the watcher about an outage.
pub(super) struct Outage {
    patience: SignedDuration,
    state: Mutex<Silence>,
}

#[derive(Default)]
struct Silence {
    /// The first failure after the last answer that anyone got.
    since: Option<Instant>,
    /// The last failure.
    last: Option<Instant>,
    /// The time of the last announcement.
    said: Option<Instant>,
}

/// The announcement that is due after another failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The first of a silence: it may affect only this request.
    First,
    /// The cloud has been away for this long.
    Away(SignedDuration),
    /// Nothing: it was already announced.
    None,
}

impl Outage {
    pub(super) fn new(patience: SignedDuration) -> Self {
        Self { patience, state: Mutex::default() }
    }

    pub(super) fn patience(&self) -> SignedDuration {
        self.patience
    }

    /// Records a request without an answer. `surely`: nothing listens there, which needs no second look.
    pub(super) fn failed(&self, now: Instant, surely: bool) -> Notice {
        let mut state = self.state.lock();
        if state.last.replace(now).is_some_and(|last| now.duration_since(last) > FORGOTTEN_AFTER) {
            *state = Silence { last: Some(now), ..Silence::default() };
        }
        let first = state.since.is_none();
        let silent = now.duration_since(*state.since.get_or_insert(now));
        let due = match state.said {
            None => surely || silent >= SURE_AFTER,
            Some(said) => now.duration_since(said) >= silent.max(FIRST_REMINDER * 2) / 2,
        };
        if due {
            state.said = Some(now);
            return Notice::Away(silent);
        }
        if first { Notice::First } else { Notice::None }
    }

    /// Records an answer; returns the length of the outage if one was announced.
    pub(super) fn answered(&self, now: Instant) -> Option<SignedDuration> {
        let Silence { since, said, .. } = std::mem::take(&mut *self.state.lock());
        said.and(since).map(|since| now.duration_since(since))
    }

    /// The time left for retries of a request that failed first at `since`; zero when patience has run out.
    pub(super) fn rest(&self, now: Instant, since: Instant) -> SignedDuration {
        let since = self.state.lock().since.map_or(since, |silence| silence.min(since));
        (self.patience - now.duration_since(since)).max(SignedDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Speed};

    fn minutes(minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(minutes)
    }

    #[test]
    fn an_outage_is_said_once_then_ever_more_rarely_and_its_end_once() {
        let start = Clock::new(Speed::Max).instant();
        let outage = Outage::new(minutes(60));
        let told: Vec<(i64, Notice)> = (0..=40)
            .map(|minute| (minute, outage.failed(start + minutes(minute), true)))
            .filter(|(_, notice)| *notice != Notice::None)
            .collect();
        assert_eq!(told, [0, 5, 10, 20, 40].map(|minute| (minute, Notice::Away(minutes(minute)))));
        assert_eq!(outage.answered(start + minutes(41)), Some(minutes(41)));
        assert_eq!(outage.answered(start + minutes(42)), None);
    }

    #[test]
    fn one_lost_answer_is_no_outage() {
        let start = Clock::new(Speed::Max).instant();
        let outage = Outage::new(minutes(10));
        let second = |second| start + SignedDuration::from_secs(second);
        assert_eq!(outage.failed(second(0), false), Notice::First);
        assert_eq!(outage.failed(second(1), false), Notice::None);
        assert_eq!(outage.answered(second(2)), None);
        assert_eq!(outage.failed(second(3), false), Notice::First);
        assert_eq!(outage.failed(second(6), false), Notice::Away(SignedDuration::from_secs(3)));
    }

    #[test]
    fn failures_long_apart_are_not_one_silence() {
        let start = Clock::new(Speed::Max).instant();
        let outage = Outage::new(minutes(10));
        outage.failed(start, false);
        assert_eq!(outage.failed(start + minutes(60), false), Notice::First);
        assert_eq!(outage.rest(start + minutes(60), start + minutes(60)), minutes(10));
    }

    #[test]
    fn patience_counts_from_the_beginning_of_the_silence_for_all() {
        let start = Clock::new(Speed::Max).instant();
        let outage = Outage::new(minutes(10));
        outage.failed(start, true);
        assert_eq!(outage.rest(start + minutes(4), start + minutes(4)), minutes(6));
        assert_eq!(outage.rest(start + minutes(11), start + minutes(11)), SignedDuration::ZERO);
        outage.answered(start + minutes(11));
        assert_eq!(outage.rest(start + minutes(12), start + minutes(12)), minutes(10));
        assert_eq!(Outage::new(SignedDuration::ZERO).rest(start, start), SignedDuration::ZERO);
    }
}
