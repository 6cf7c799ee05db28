//! A wave, or an `each`: its items, its finished share, and the time that the rest takes.
use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::event::{Counts, Origin, Outcome};
use crate::report::streams::text;

use super::board::ItemIndex;
use super::item::Item;

/// A wave, or an `each`.
#[derive(Clone, Debug)]
pub struct Wave {
    pub name: Arc<str>,
    /// The lane that opened it, and the number of the call.
    pub lane: Arc<str>,
    pub call: u64,
    pub parent: Option<ItemIndex>,
    pub total: usize,
    pub limit: usize,
    pub started: Timestamp,
    pub finished: Option<f64>,
    pub stopping: Option<String>,
    /// It did not reach its own end: its item or the process ended before, or began again.
    pub cut: bool,
    /// A repeated attempt of the run took another way.
    pub repeated: bool,
    /// Not a wave of the script: it holds items outside of all waves, such as jobs.
    pub(in crate::report) gathered: bool,
    pub items: Vec<Item>,
    keys: HashMap<Arc<str>, usize>,
    /// The finished share of each item, and of all together.
    shares: Vec<f64>,
    done: f64,
    /// The number of waits of a finished item.
    waits: usize,
    /// The highest share so far: a bar does not go backwards.
    reached: f64,
}

impl Wave {
    pub(super) fn new(
        name: &str,
        (origin, call): (&Origin, u64),
        parent: Option<ItemIndex>,
        started: Timestamp,
        total: usize,
        limit: usize,
        keys: &[Arc<str>],
    ) -> Self {
        let mut wave = Self {
            name: name.into(),
            lane: origin.lane.clone(),
            call,
            parent,
            total,
            limit,
            started,
            finished: None,
            stopping: None,
            cut: false,
            repeated: false,
            gathered: false,
            items: Vec::with_capacity(keys.len()),
            keys: HashMap::new(),
            shares: Vec::new(),
            done: 0.0,
            waits: 0,
            reached: 0.0,
        };
        for key in keys {
            wave.add(key);
        }
        wave
    }

    /// No process works on it.
    pub(super) fn cut_off(&mut self) {
        if self.finished.is_none() {
            (self.finished, self.cut) = (Some(0.0), true);
        }
    }

    /// It is entered again. Its successes stand; the rest is reported or done again.
    pub(super) fn reopen(&mut self, call: u64) {
        (self.finished, self.stopping, self.cut, self.repeated) = (None, None, false, false);
        self.call = call;
        // Older journals do not repeat the ends of items.
        if call > 0 {
            for at in 0..self.items.len() {
                self.items[at].take_back();
                self.advance(at);
            }
        }
    }

    pub(super) fn add(&mut self, key: &Arc<str>) -> usize {
        let next = self.items.len();
        let at = *self.keys.entry(key.clone()).or_insert(next);
        if at == next {
            self.items.push(Item::new(key.clone()));
            self.total = self.total.max(self.items.len());
        }
        at
    }

    /// The index of the item with this key.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.keys.get(key).copied()
    }

    /// True for an `each`: a loop of the script rather than a wave of its plan.
    pub fn is_each(&self) -> bool {
        &*self.name == "each"
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.items.iter().filter_map(Item::outcome).for_each(|outcome| counts.add(outcome));
        counts
    }

    pub fn active(&self) -> usize {
        self.items.iter().filter(|item| item.is_in_flight()).count()
    }

    /// The finished share, from 0 to 1; it never falls.
    pub fn fraction(&self) -> f64 {
        self.reached
    }

    /// Updates the finished share after a change of one item: a thousand items change sixty thousand times.
    pub(super) fn advance(&mut self, changed: usize) {
        let item = &self.items[changed];
        if item.outcome().is_some() && item.waited > self.waits {
            self.waits = item.waited;
            self.shares = self.items.iter().map(|item| item.fraction(self.waits)).collect();
            self.done = self.shares.iter().sum();
        } else {
            let share = item.fraction(self.waits);
            self.shares.resize(self.items.len(), 0.0);
            self.done += share - std::mem::replace(&mut self.shares[changed], share);
        }
        #[allow(clippy::cast_precision_loss, reason = "a few thousand items")]
        let fraction = self.done / self.total.max(1) as f64;
        self.reached = self.reached.max(fraction.min(1.0));
    }

    /// The time left, as far as it can be estimated: by the finished items, else by the finished share.
    pub fn time_left(&self, now: Timestamp) -> Option<SignedDuration> {
        let through: Vec<f64> = self
            .items
            .iter()
            .filter(|item| item.outcome() == Some(Outcome::Ok))
            .map(|item| item.elapsed_seconds)
            .collect();
        let running: Vec<f64> = self
            .items
            .iter()
            .filter(|item| item.is_in_flight())
            .map(|item| item.started.map_or(0.0, |started| now.duration_since(started).as_secs_f64().max(0.0)))
            .collect();
        let queued = match self.stopping {
            Some(_) => 0,
            None => self.total.saturating_sub(self.counts().total() + running.len()),
        };
        let seconds = if through.is_empty() {
            let spent = now.duration_since(self.started).as_secs_f64();
            (self.reached >= 0.05 && spent >= 60.0).then(|| spent * (1.0 - self.reached) / self.reached)
        } else {
            Some(work_left(&through, &running, queued, self.limit))
        };
        // A wave does not end before its slowest item.
        let longest = self
            .items
            .iter()
            .filter(|item| item.is_in_flight())
            .filter_map(|item| item.slowest_wait()?.time_left(now))
            .max();
        let left = seconds.map(text::span).map(|left| left.max(longest.unwrap_or_default()));
        left.filter(|left| *left >= SignedDuration::from_secs(1))
    }
}

/// The seconds for the rest of a wave if its items take as long as those before them.
#[allow(clippy::cast_precision_loss, reason = "a few thousand items")]
fn work_left(through: &[f64], running: &[f64], queued: usize, limit: usize) -> f64 {
    let usual = through.iter().sum::<f64>() / through.len() as f64;
    let rests: Vec<f64> = running.iter().map(|spent| (usual - spent).max(usual * 0.05)).collect();
    let longest = rests.iter().copied().fold(0.0, f64::max);
    let lanes = limit.min(queued + running.len()).max(1);
    ((rests.iter().sum::<f64>() + usual * queued as f64) / lanes as f64).max(longest)
}

#[cfg(test)]
mod tests {
    use crate::event::Outcome;
    use crate::report::live::scene;
    use crate::report::streams::text;

    #[test]
    fn the_time_left_follows_the_items_that_are_through() {
        let at = |key| scene::item("seed", key);
        let board = scene::board(&[
            scene::wave(0.0, "seed", 2, &["a", "b", "c", "d", "e"]),
            scene::started(0.0, at("a")),
            scene::started(0.0, at("b")),
            scene::finished(40.0, at("a"), Outcome::Ok, 1, None),
            scene::finished(40.0, at("b"), Outcome::Ok, 1, None),
            scene::started(40.0, at("c")),
            scene::started(40.0, at("d")),
        ]);
        // 30 minutes for c and d, then 40 for e, on two lanes.
        let left = board.waves[0].time_left(scene::minute(50.0)).expect("two items are through");
        assert_eq!(text::duration(left), "50m");
    }

    #[test]
    fn before_anything_is_through_the_share_done_tells_the_time_left() {
        let at = || scene::item("seed", "a");
        let mut events = vec![scene::wave(0.0, "seed", 1, &["a"]), scene::started(0.0, at())];
        events.push(scene::copying(10.0, 0.0, at(), "e", 25));
        let board = scene::board(&events);
        assert_eq!(board.waves[0].time_left(scene::minute(10.0)).map(text::duration).as_deref(), Some("30m"));
    }

    #[test]
    fn a_copy_that_is_done_is_not_the_whole_item() {
        let at = |key| scene::item("seed", key);
        let mut board = scene::board(&[scene::wave(0.0, "seed", 1, &["a"]), scene::started(0.0, at("a"))]);
        board.apply(&scene::copying(1.0, 0.0, at("a"), "e", 100));
        assert!(board.waves[0].fraction() < 1.0);
    }
}
