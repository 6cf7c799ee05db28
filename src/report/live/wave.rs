//! A wave, or an `each`: its items, and what is expected of it.
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::event::{Counts, Origin};

use super::board::ItemIndex;
use super::forecast::Forecast;
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
    /// The name of its closure; empty if that is not known.
    pub(super) body: Arc<str>,
    /// The items that are through, in the order of their ends.
    pub(super) through: Vec<usize>,
    /// As of the last look; its share does not go backwards.
    pub forecast: Forecast,
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
            body: Arc::default(),
            through: Vec::new(),
            forecast: Forecast::default(),
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
        (self.call, self.forecast) = (call, Forecast::default());
        // Older journals do not repeat the ends of items.
        if call > 0 {
            self.items.iter_mut().for_each(Item::take_back);
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

    /// True if its items go the same way as those of another wave: both have the same closure.
    pub(super) fn is_like(&self, other: &Wave) -> bool {
        if self.body.is_empty() { self.name == other.name && !self.is_each() } else { self.body == other.body }
    }

    /// An item is through.
    pub(super) fn ended_well(&mut self, item: usize) {
        if !self.through.contains(&item) {
            self.through.push(item);
        }
    }

    pub(super) fn expect(&mut self, forecast: Forecast) {
        let share = forecast.share.max(self.forecast.share);
        self.forecast = Forecast { share, ..forecast };
    }
}
