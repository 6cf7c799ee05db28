//! The basis of a forecast: the pace of an item itself, and the items of its kind that are through. Without such an item
//! there is no forecast.

use jiff::Timestamp;

use crate::event::Outcome;

use super::forecast::{Forecast, Range};
use super::item::{Activity, Item};
use super::wait::Pace;
use super::wave::Wave;

/// As many finished items tell how long the others take: the last ones.
const WITNESSES: usize = 50;
/// The share of a stretch that is still expected, at least, once it takes longer than that of another item.
const OVERDUE: f64 = 0.1;

/// The items of a kind that are through.
pub(super) struct Basis<'a> {
    through: Vec<&'a Item>,
}

impl<'a> Basis<'a> {
    /// The witnesses for a wave among all waves: those of its closure.
    pub(super) fn of(wave: &Wave, waves: &'a [Wave]) -> Self {
        let of_its_kind = waves.iter().rev().filter(|other| other.is_like(wave));
        let through = of_its_kind.flat_map(|wave| wave.through.iter().rev().map(|at| &wave.items[*at]));
        let good = through.filter(|item| item.outcome() == Some(Outcome::Ok) && !item.is_interrupted);
        Self { through: good.take(WITNESSES).collect() }
    }

    /// The seconds of a whole item.
    fn whole(&self) -> Option<Range> {
        Range::of(self.through.iter().map(|item| item.seconds()).collect())
    }

    fn mean(&self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "a handful of witnesses")]
        let number = self.through.len() as f64;
        (number > 0.0).then(|| self.through.iter().map(|item| item.seconds()).sum::<f64>() / number)
    }

    /// The rest of all that an item in flight has to do; `None` if no item went its way, or while it stands still.
    pub(super) fn rest(&self, item: &Item, now: Timestamp) -> Option<Range> {
        if matches!(item.pace(), Pace::Stalled(_)) {
            return None;
        }
        let pause = match item.state {
            Activity::Pausing { until } => until.duration_since(now).as_secs_f64().max(0.0),
            _ => 0.0,
        };
        let rests = self.through.iter().filter_map(|witness| witness.rest_of(item, now));
        Some(Range::of(rests.collect())?.plus(Range { low: pause, high: pause }))
    }
}

impl Item {
    /// The seconds of its whole way, without the attempts that failed.
    fn seconds(&self) -> f64 {
        self.legs.iter().map(|leg| leg.seconds).sum::<f64>() + self.tail
    }

    /// The seconds that another item has still to go if it goes this one's way from where it is; `None` if this one was
    /// never there.
    fn rest_of(&self, other: &Item, now: Timestamp) -> Option<f64> {
        let wait = other.slowest_wait();
        let done = other.legs.len();
        let at = match wait.and_then(|wait| wait.progress.part) {
            Some(part) => {
                let is_it = |at: &usize| self.legs.get(*at).is_some_and(|leg| leg.part == part);
                Some(done).filter(is_it).or_else(|| (0..self.legs.len()).rev().find(is_it))?
            }
            None => done.min(self.legs.len()),
        };
        let Some(leg) = self.legs.get(at) else { return Some(still(self.tail, other, now)) };
        #[allow(clippy::cast_precision_loss, reason = "the sizes of disks")]
        let scale = match (wait.and_then(|wait| wait.size), leg.bytes) {
            (Some(mine), Some(its)) if its > 0 => mine as f64 / its as f64,
            _ => 1.0,
        };
        let after = self.legs[at + 1..].iter().map(|leg| leg.seconds).sum::<f64>() + self.tail;
        Some(still(leg.seconds * scale, other, now) + after)
    }
}

/// The rest of the stretch that an item is in, if it takes others so many seconds: a copy tells it by its own pace, and
/// so does whatever takes longer than usual.
fn still(usual: f64, item: &Item, now: Timestamp) -> f64 {
    let wait = item.slowest_wait();
    if let Some(left) = wait.filter(|wait| wait.copies()).and_then(|wait| wait.time_left(now)) {
        return left.as_secs_f64();
    }
    let begun = wait.map(|wait| wait.since).into_iter().chain(item.leg_since).min();
    let spent = begun.map_or(0.0, |begun| now.duration_since(begun).as_secs_f64().max(0.0));
    let overdue = match wait.map(|wait| wait.progress.percent) {
        Some(percent) if percent >= 1.0 => spent * (100.0 - percent).max(0.0) / percent,
        _ => 0.0,
    };
    if spent < usual { usual - spent } else { overdue.max(usual * OVERDUE) }
}

/// The forecast for a wave; `inner` tells about the waves inside an item.
pub(super) fn forecast(
    wave: &Wave,
    basis: &Basis<'_>,
    now: Timestamp,
    inner: impl Fn(usize) -> Option<Forecast>,
) -> Forecast {
    let (whole, mean) = (basis.whole(), basis.mean());
    let (mut rests, mut queued, mut done, mut unknown, mut stalled) = (Vec::new(), 0_usize, 0.0, 0_usize, 0_usize);
    for (at, item) in wave.items.iter().enumerate() {
        match item.state {
            Activity::Done(_) => done += 1.0,
            Activity::Queued => queued += 1,
            Activity::Active | Activity::Pausing { .. } => {
                let inner = inner(at);
                let rest = basis.rest(item, now).or(inner.and_then(|inner| inner.left));
                done += match (rest, mean, inner) {
                    (Some(rest), Some(mean), _) if mean > 0.0 => (1.0 - rest.middle() / mean).clamp(0.0, 0.99),
                    (_, _, Some(inner)) => inner.share.min(0.99),
                    _ => 0.0,
                };
                match (rest, item.pace()) {
                    (Some(rest), _) => rests.push(rest),
                    (None, Pace::Stalled(_)) => stalled += 1,
                    (None, _) => unknown += 1,
                }
            }
        }
    }
    queued += wave.total.saturating_sub(wave.items.len());
    let lanes = rests.len().max(1);
    let queued = if wave.stopping.is_some() { 0 } else { queued };
    let ahead = match (queued, whole, mean) {
        (0, ..) => Some(Range::default()),
        (_, Some(whole), Some(mean)) => Some(sum_of(queued, lanes, whole, mean)),
        _ => None,
    };
    #[allow(clippy::cast_precision_loss, reason = "a few thousand items")]
    let (share, parts) = (done / wave.total.max(1) as f64, lanes as f64);
    let is_over = rests.is_empty() && queued + unknown + stalled == 0;
    let left = ahead.filter(|_| unknown == 0 && !rests.is_empty()).map(|ahead| {
        let sum = rests.iter().copied().fold(ahead, Range::plus);
        let shared = Range { low: sum.low / parts, high: sum.high / parts };
        // It does not end before its slowest item.
        rests.iter().copied().fold(shared, Range::at_least)
    });
    Forecast { left, share: share.min(1.0), is_timed: mean.is_some() || is_over, stalled }
}

/// The seconds of many items: their sum varies less than each of them.
#[allow(clippy::cast_precision_loss, reason = "a few thousand items")]
fn sum_of(number: usize, lanes: usize, whole: Range, mean: f64) -> Range {
    let (many, in_a_row) = (number as f64, (number as f64 / lanes as f64).max(1.0).sqrt());
    Range {
        low: many * (mean - (mean - whole.low).max(0.0) / in_a_row),
        high: many * (mean + (whole.high - mean).max(0.0) / in_a_row),
    }
}
