//! The next question and the time of the next look: a function of what was seen and of time.
//!
//! Few targets are shown one by one. Many are followed through a *feed*, the list's first page by `updated_at`: it
//! shows which of them changed. Only those are shown, and the others in turn as far as the budget allows. A list's row
//! mirrors any execution of its transfer, so it is a hint; only the target's own status ends a wait.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::target::{List, Question, TargetKind};
use crate::clock::{Clock, Instant};
use crate::model::{Generation, Status};

/// The resolution of `updated_at` is a second; a page must reach this far below what was seen before.
const OVERLAP: SignedDuration = SignedDuration::from_secs(2);

/// The delay after its start at which a target is asked about, when the answer of its POST was the first observation.
const FIRST: SignedDuration = SignedDuration::from_millis(200);

/// The time for which a refused feed is left alone.
const FEED_REST: SignedDuration = SignedDuration::from_mins(1);

/// The limits on the rate of questions, all in the clock's time.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// At most `questions` in any `window`.
    pub questions: usize,
    pub window: SignedDuration,
    /// The interval of a target on its own, and of one whose end a feed would show as well.
    pub alone: Interval,
    pub fed: Interval,
    /// More targets of one list than this are followed through the feed.
    pub feed_above: usize,
    /// The shortest time between two feeds.
    pub feed_every: SignedDuration,
}

impl Pace {
    /// Five questions a second. On a faster clock the system's time is a second limit; on the virtual clock there are
    /// fewer looks, since nobody watches and the time of the next event is known.
    pub(super) fn of(clock: &Clock) -> Self {
        let during = |milliseconds| {
            SignedDuration::try_from(clock.during(Duration::from_millis(milliseconds))).unwrap_or(SignedDuration::MAX)
        };
        let window = during(100).max(SignedDuration::from_secs(1));
        let alone = Interval {
            shortest: during(150).max(SignedDuration::from_secs(2)),
            longest: during(150).max(SignedDuration::from_secs(15)),
            slope: 30,
        };
        let real = Self {
            questions: usize::try_from(window.as_secs().saturating_mul(5)).unwrap_or(20).clamp(5, 20),
            window,
            alone,
            fed: alone,
            feed_above: 8,
            feed_every: during(200).max(SignedDuration::from_secs(2)),
        };
        if !clock.is_virtual() {
            return real;
        }
        Self {
            fed: Interval { longest: SignedDuration::from_mins(2), slope: 5, ..alone },
            feed_above: 2,
            feed_every: SignedDuration::from_secs(10),
            ..real
        }
    }
}

/// An interval that grows with the target's age: its `slope`th part, within these bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub shortest: SignedDuration,
    pub longest: SignedDuration,
    pub slope: i32,
}

impl Interval {
    fn at(self, age: SignedDuration) -> SignedDuration {
        (age / self.slope).clamp(self.shortest, self.longest)
    }
}

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Ask(Question),
    /// Nothing before `until`. With `polls` it waits for a change of the world, not for a turn in the budget.
    Wait {
        until: Instant,
        polls: bool,
    },
}

/// The targets, and the times at which each was looked at.
pub(super) struct Plan {
    pace: Pace,
    generation: Generation,
    targets: BTreeMap<TargetKind, Facts>,
    /// The number of them in each list: with a thousand targets, counting them for every question would be slow.
    counts: BTreeMap<List, usize>,
    feeds: BTreeMap<List, Feed>,
    /// The times of the last questions, as many as the budget allows in its window.
    asked: VecDeque<Instant>,
    /// The server does not answer: nothing is asked before this time.
    hold: Option<Instant>,
}

struct Facts {
    since: Instant,
    due: Instant,
    urgency: Urgency,
    /// The status and the `updated_at` of its row in the latest feed.
    row: Option<(String, Option<Timestamp>)>,
}

/// The order in which targets are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// Its row shows that it has ended.
    Ended,
    /// It has not been looked at yet.
    New,
    /// Its turn has come; the longest overdue is first.
    Turn,
}

#[derive(Default)]
struct Feed {
    due: Option<Instant>,
    /// The limit of the next question, after a page that was too short to reach what was seen before.
    grown: Option<usize>,
    /// The newest `updated_at` seen.
    newest: Option<Timestamp>,
}

/// The parts of a list's row that the plan needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub id: String,
    pub status: String,
    /// `None` for something that was never executed.
    pub updated: Option<Timestamp>,
}

impl Plan {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            generation: Generation::Current,
            targets: BTreeMap::new(),
            counts: BTreeMap::new(),
            feeds: BTreeMap::new(),
            asked: VecDeque::new(),
            hold: None,
        }
    }

    pub(super) fn speaks(&mut self, generation: Generation) {
        self.generation = generation;
    }

    /// Adds a target that has been running since `since`. `seen`: its first observation exists and is not final.
    pub(super) fn add(&mut self, kind: TargetKind, since: Instant, now: Instant, seen: bool) {
        let due = if seen { now + FIRST } else { now };
        let list = kind.list();
        let is_known = self.targets.insert(kind, Facts { since, due, urgency: Urgency::New, row: None }).is_some();
        if let Some(list) = list.filter(|_| !is_known) {
            *self.counts.entry(list).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, kind: &TargetKind) {
        let Some(list) = self.targets.remove(kind).and_then(|_| kind.list()) else { return };
        let Some(count) = self.counts.get_mut(&list) else { return };
        *count -= 1;
        if *count == 0 {
            self.feeds.remove(&list);
        }
    }

    /// The next thing to do; a returned question counts as asked.
    pub(super) fn next(&mut self, now: Instant) -> Step {
        if let Some(until) = self.hold.filter(|until| *until > now) {
            return Step::Wait { until, polls: false };
        }
        self.hold = None;
        let Some((due, question)) = self.candidate(now) else {
            return Step::Wait { until: now + self.pace.alone.longest, polls: true };
        };
        if due > now {
            return Step::Wait { until: due, polls: true };
        }
        let free = self.free();
        if let Some(until) = free.filter(|free| *free > now) {
            return Step::Wait { until, polls: false };
        }
        self.spend(&question, now);
        Step::Ask(question)
    }

    /// The target was shown and is still running.
    pub(super) fn seen(&mut self, kind: &TargetKind, now: Instant) {
        let fed = kind.list().is_some_and(|list| self.is_fed(list));
        let interval = if fed { self.pace.fed } else { self.pace.alone };
        if let Some(facts) = self.targets.get_mut(kind) {
            facts.due = now + interval.at(now.duration_since(facts.since));
        }
    }

    /// The question about this target failed; it is asked again after `delay`.
    pub(super) fn put_off(&mut self, kind: &TargetKind, now: Instant, delay: SignedDuration) {
        if let Some(facts) = self.targets.get_mut(kind) {
            facts.due = now + delay;
        }
    }

    /// The server does not answer; nothing is asked for `delay`.
    pub(super) fn hold(&mut self, now: Instant, delay: SignedDuration) {
        self.hold = Some(now + delay);
    }

    /// Takes the rows that a feed showed.
    pub(super) fn listed(&mut self, of: List, limit: Option<usize>, rows: &[Row], now: Instant) {
        self.hint(of, rows, now);
        let every = self.feed_interval(of, rows.len());
        let Some(feed) = self.feeds.get_mut(&of) else { return };
        let reaches = match (feed.newest, limit) {
            (Some(newest), Some(limit)) if rows.len() >= limit => {
                rows.iter().any(|row| row.updated.is_none_or(|updated| updated <= newest - OVERLAP))
            }
            _ => true,
        };
        feed.due = Some(if reaches { now + every } else { now });
        feed.grown = if reaches { None } else { limit.map(|limit| limit.saturating_mul(4)) };
        if reaches {
            feed.newest = feed.newest.max(rows.iter().filter_map(|row| row.updated).max());
        }
    }

    /// The server refused the feed: meanwhile the targets are asked about in turn.
    pub(super) fn unlisted(&mut self, of: List, now: Instant) {
        self.feeds.insert(of, Feed { due: Some(now + FEED_REST), ..Feed::default() });
    }

    fn hint(&mut self, of: List, rows: &[Row], now: Instant) {
        let rows: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
        for (kind, facts) in self.targets.iter_mut().filter(|(kind, _)| kind.list() == Some(of)) {
            let Some(row) = rows.get(kind.row()) else { continue };
            let shown = (row.status.clone(), row.updated);
            let changed = facts.row.as_ref().is_none_or(|known| *known != shown);
            let first = facts.row.is_none();
            facts.row = Some(shown);
            if changed && Status::from(row.status.as_str()).is_final() {
                facts.urgency = Urgency::Ended;
                facts.due = now.min(facts.due);
            } else if changed && !first {
                facts.due = now.min(facts.due);
            }
        }
    }

    /// The most urgent question that is due, else the one that is due first.
    fn candidate(&self, now: Instant) -> Option<(Instant, Question)> {
        let feed = [List::Transfers, List::Deployments]
            .into_iter()
            .filter_map(|of| Some((self.feed_due(of, now)?, Question::Feed { of, limit: self.limit(of) })))
            .min_by_key(|(due, _)| *due);
        let turn = self
            .targets
            .iter()
            .min_by_key(|(_, facts)| {
                let late = facts.due > now;
                (late, if late { Urgency::Turn } else { facts.urgency }, facts.due)
            })
            .map(|(kind, facts)| (facts.due, Question::Show(kind.clone())));
        match (feed, turn) {
            (Some(feed), Some(turn)) => Some(if feed.0 <= now || feed.0 < turn.0 { feed } else { turn }),
            (feed, turn) => feed.or(turn),
        }
    }

    fn feed_due(&self, of: List, now: Instant) -> Option<Instant> {
        self.is_fed(of).then(|| self.feeds.get(&of).and_then(|feed| feed.due).unwrap_or(now))
    }

    fn is_fed(&self, of: List) -> bool {
        self.count(of) > self.pace.feed_above
    }

    fn count(&self, of: List) -> usize {
        self.counts.get(&of).copied().unwrap_or(0)
    }

    /// The number of rows to ask for: enough for the changes between two looks. A deployment's row costs the server six
    /// times as much as a transfer's.
    fn limit(&self, of: List) -> Option<usize> {
        if self.generation == Generation::Legacy {
            return None;
        }
        let grown = self.feeds.get(&of).and_then(|feed| feed.grown);
        Some(grown.unwrap_or(match of {
            List::Transfers => (2 * self.count(of)).clamp(50, 400),
            List::Deployments => (self.count(of) / 4).clamp(20, 100),
        }))
    }

    /// Long lists are expensive, the unlimited ones of the legacy generation most of all.
    fn feed_interval(&self, of: List, rows: usize) -> SignedDuration {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        let seconds = match self.limit(of) {
            None => (rows / 100).clamp(5, 60),
            Some(limit) if limit > 100 => 5,
            Some(_) => 2,
        };
        SignedDuration::from_secs(seconds).max(self.pace.feed_every)
    }

    /// The time at which the budget allows the next question; `None` means now.
    fn free(&self) -> Option<Instant> {
        let first = self.asked.front().filter(|_| self.asked.len() >= self.pace.questions)?;
        Some(*first + self.pace.window)
    }

    fn spend(&mut self, question: &Question, now: Instant) {
        if self.asked.len() >= self.pace.questions {
            self.asked.pop_front();
        }
        self.asked.push_back(now);
        match question {
            Question::Show(kind) => {
                if let Some(facts) = self.targets.get_mut(kind) {
                    facts.urgency = Urgency::Turn;
                    facts.due = now + self.pace.alone.longest;
                }
            }
            Question::Feed { of, .. } => self.feeds.entry(*of).or_default().due = Some(now + self.pace.alone.longest),
        }
    }
}

#[cfg(test)]
mod tests;
