//! Scheduling the items of a wave: a function of what has ended and of time.

use std::collections::HashMap;
use std::time::Duration;

use jiff::SignedDuration;

use super::options::Options;
use super::outcome::{ItemOutcome, Summary};
use crate::clock::Instant;
use crate::error::{Causes, Error, Kind, Result, count};
use crate::event::{Counts, Outcome};

/// The next thing to do. Items are numbered from 0, attempts from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start this attempt; it is running from now on.
    Launch { item: usize, attempt: u32 },
    /// Nothing to do before this time, unless something ends.
    Wake { at: Instant },
    /// Every item has ended.
    Finished,
}

/// The state of an item after an earlier process of the run; attempts are numbered from 1.
#[derive(Clone, Debug)]
pub enum Earlier {
    Ended {
        outcome: Outcome,
        attempts: u32,
        elapsed: SignedDuration,
        causes: Causes<Error>,
        began: Instant,
    },
    /// This attempt was running.
    Interrupted {
        attempt: u32,
        began: Instant,
        causes: Causes<Error>,
    },
    /// This attempt was waiting for its time.
    Waiting {
        attempt: u32,
        began: Instant,
        not_before: Instant,
        causes: Causes<Error>,
    },
}

/// Changes, for reports.
#[derive(Clone, Debug)]
pub enum News {
    /// An attempt failed; attempt number `attempt` of `attempts` begins at `next`.
    Retried { item: usize, attempt: u32, attempts: u32, cause: Error, next: Instant },
    /// The item has its outcome.
    Ended { item: usize },
    /// The item had its outcome before this process began.
    Restored { item: usize },
    /// Nothing new will start.
    Stopping { reason: String },
}

/// The state of a wave.
#[derive(Debug)]
pub struct Machine {
    options: Options,
    items: Vec<Item>,
    running: usize,
    failures: usize,
    /// The reason why nothing new starts, also for people.
    stopped: Option<(Stop, String)>,
    news: Vec<News>,
    began: Option<Instant>,
}

#[derive(Debug)]
struct Item {
    key: String,
    state: Standing,
    /// The state from which it was launched.
    before: Standing,
    attempts: u32,
    began: Option<Instant>,
    causes: Causes<Error>,
    /// It goes before all others that an earlier process began.
    urgent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Standing {
    Fresh,
    Running,
    /// An earlier process began it: it goes first, and goes on even if nothing new starts.
    Interrupted,
    /// Waits for its next attempt, without holding a slot.
    Waiting(Instant),
    Ended(Outcome, SignedDuration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Failures,
    Pause,
    /// An item waits for an answer.
    Gate,
    /// One item met something that no other can pass: a full disk, a login that is refused.
    Trouble,
}

impl Machine {
    /// # Errors
    /// `Script` when two items have the same key, or the options never allow an item to start.
    pub fn new(keys: Vec<String>, options: Options) -> Result<Self> {
        options.check()?;
        refuse_duplicates(&keys)?;
        let item = |key| Item {
            key,
            state: Standing::Fresh,
            before: Standing::Fresh,
            attempts: 0,
            began: None,
            causes: Causes::default(),
            urgent: false,
        };
        Ok(Self {
            options,
            items: keys.into_iter().map(item).collect(),
            running: 0,
            failures: 0,
            stopped: None,
            news: Vec::new(),
            began: None,
        })
    }

    /// Restores the state of an item after an earlier process of the run.
    pub fn restore(&mut self, number: usize, earlier: Earlier) {
        let item = &mut self.items[number];
        match earlier {
            Earlier::Ended { outcome, attempts, elapsed, causes, began } => {
                (item.attempts, item.began, item.causes) = (attempts, Some(began), causes);
                item.state = Standing::Ended(outcome, elapsed);
                self.news.push(News::Restored { item: number });
                if matches!(outcome, Outcome::Failed | Outcome::Unknown) {
                    self.failures += 1;
                }
            }
            Earlier::Interrupted { attempt, began, causes } => {
                (item.attempts, item.began, item.causes) = (attempt.saturating_sub(1), Some(began), causes);
                item.state = Standing::Interrupted;
            }
            Earlier::Waiting { attempt, began, not_before, causes } => {
                (item.attempts, item.began, item.causes) = (attempt.saturating_sub(1), Some(began), causes);
                item.state = Standing::Waiting(not_before);
            }
        }
        self.began = self.began.into_iter().chain(self.items[number].began).min();
    }

    /// Lets a restored item go first: its cutover has begun.
    pub fn hurry(&mut self, number: usize) {
        self.items[number].urgent = true;
    }

    /// The pause before this attempt at an item.
    pub fn pause_before(&self, attempt: u32) -> Duration {
        self.options.backoff_after(attempt.saturating_sub(1))
    }

    /// The next things to do. Retries that are due go before items that have never been started; both in their order.
    pub fn next(&mut self, now: Instant) -> Vec<Action> {
        self.began.get_or_insert(now);
        self.keep_to_the_budget(now);
        let mut actions = Vec::new();
        while let Some(item) = self.candidate(now) {
            actions.push(self.launch(item, now));
        }
        if self.items.iter().all(|item| matches!(item.state, Standing::Ended(..))) {
            actions.push(Action::Finished);
        } else if let Some(at) = self.first_wake().filter(|_| self.running < self.options.limit) {
            actions.push(Action::Wake { at });
        }
        actions
    }

    /// Takes back the latest launch, which could not start: the machine has no room for more at once. It is launched
    /// again when something has ended; `false` if nothing is running.
    #[must_use]
    pub fn withdraw(&mut self, number: usize) -> bool {
        if self.running <= 1 {
            return false;
        }
        self.running -= 1;
        self.options.limit = self.running;
        let item = &mut self.items[number];
        item.state = item.before;
        item.attempts -= 1;
        true
    }

    /// Takes the result of the item's running attempt.
    pub fn finished(&mut self, item: usize, result: Result<()>, now: Instant) {
        assert_eq!(self.items[item].state, Standing::Running, "only what runs can finish");
        self.running -= 1;
        let Err(mut error) = result else {
            self.items[item].causes = Causes::default();
            return self.end(item, Outcome::Ok, now);
        };
        // Nobody asked it to stop: another item's trouble stopped it.
        if let Some((Stop::Trouble, reason)) = self.stopped.as_ref().filter(|_| error.kind == Kind::Interrupted) {
            error.message = format!("stopped: {reason}");
        }
        let outcome = outcome(&error);
        let attempt = self.items[item].attempts;
        let again = outcome == Outcome::Failed && attempt < self.options.attempts() && is_worth_a_retry(&error);
        if again && self.stopped.is_none() {
            let next = now + self.options.backoff_after(attempt);
            let attempts = self.options.attempts();
            let cause = error.clone();
            self.news.push(News::Retried { item, attempt: attempt + 1, attempts, cause, next });
            self.items[item].causes.add(error);
            self.items[item].state = Standing::Waiting(next);
            return;
        }
        self.items[item].causes.add(error);
        let outcome = if again && self.is_paused() { Outcome::Cancelled } else { outcome };
        self.end(item, outcome, now);
        if matches!(outcome, Outcome::Failed | Outcome::Unknown) {
            self.failures += 1;
            self.keep_to_the_budget(now);
        }
    }

    /// The operator asked to stop: nothing new starts.
    pub fn pause(&mut self, now: Instant) {
        self.stop(Stop::Pause, "the operator asked to stop".to_owned(), now);
    }

    /// The run cannot go on, for this reason: nothing new starts.
    pub fn halt(&mut self, reason: String, now: Instant) {
        self.stop(Stop::Trouble, reason, now);
    }

    /// An item waits for an answer that nobody is there to give: nothing new starts, and running items go on.
    pub fn hold(&mut self, now: Instant) {
        self.stop(Stop::Gate, "a gate waits for an answer".to_owned(), now);
    }

    /// The changes since the last call, in order.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    pub fn running(&self) -> usize {
        self.running
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn key(&self, item: usize) -> &str {
        &self.items[item].key
    }

    /// The outcome of this item; `None` before its end.
    pub fn outcome(&self, item: usize) -> Option<ItemOutcome> {
        let item = &self.items[item];
        let Standing::Ended(outcome, elapsed) = item.state else { return None };
        Some(ItemOutcome {
            key: item.key.clone(),
            outcome,
            attempts: item.attempts,
            elapsed,
            cause: item.causes.last.clone(),
            first: item.causes.first.clone().filter(|first| differs(first, item.causes.last.as_ref())),
        })
    }

    /// The outcome of the wave, without the items that have not ended.
    pub fn summary(&self, now: Instant) -> Summary {
        let items: Vec<ItemOutcome> = (0..self.items.len()).filter_map(|item| self.outcome(item)).collect();
        let mut counts = Counts::default();
        items.iter().for_each(|item| counts.add(item.outcome));
        Summary {
            items,
            counts,
            elapsed: self.began.map_or(SignedDuration::ZERO, |began| now.duration_since(began)),
            stopped: self.stopped.as_ref().map(|(_, reason)| reason.clone()),
            over_budget: self.failures > self.allowed(),
        }
    }

    fn candidate(&self, now: Instant) -> Option<usize> {
        if self.running >= self.options.limit || self.is_paused() {
            return None;
        }
        let interrupted = |item: &&Item| item.state == Standing::Interrupted;
        let first = self.items.iter().position(|item| interrupted(&item) && item.urgent);
        if let Some(item) = first.or_else(|| self.items.iter().position(|item| interrupted(&item))) {
            return Some(item);
        }
        if self.stopped.is_some() {
            return None;
        }
        let due = self.waiting().filter(|(at, _)| *at <= now).min();
        due.map(|(_, item)| item).or_else(|| self.items.iter().position(|item| item.state == Standing::Fresh))
    }

    fn waiting(&self) -> impl Iterator<Item = (Instant, usize)> {
        self.items.iter().enumerate().filter_map(|(number, item)| match item.state {
            Standing::Waiting(at) => Some((at, number)),
            _ => None,
        })
    }

    fn first_wake(&self) -> Option<Instant> {
        self.waiting().map(|(at, _)| at).min()
    }

    fn launch(&mut self, number: usize, now: Instant) -> Action {
        self.running += 1;
        let item = &mut self.items[number];
        item.before = std::mem::replace(&mut item.state, Standing::Running);
        item.attempts += 1;
        item.began.get_or_insert(now);
        Action::Launch { item: number, attempt: item.attempts }
    }

    fn end(&mut self, number: usize, outcome: Outcome, now: Instant) {
        let item = &mut self.items[number];
        let elapsed = item.began.map_or(SignedDuration::ZERO, |began| now.duration_since(began));
        item.state = Standing::Ended(outcome, elapsed);
        self.news.push(News::Ended { item: number });
    }

    /// Skips the items that have never begun. Items that wait for a retry fail; after a pause they can be resumed.
    fn stop(&mut self, stop: Stop, reason: String, now: Instant) {
        if self.stopped.is_some() {
            return;
        }
        self.stopped = Some((stop, reason.clone()));
        self.news.push(News::Stopping { reason });
        for item in 0..self.items.len() {
            match self.items[item].state {
                Standing::Fresh => self.end(item, Outcome::Skipped, now),
                Standing::Waiting(_) | Standing::Interrupted if stop != Stop::Failures => {
                    self.end(item, Outcome::Cancelled, now)
                }
                Standing::Waiting(_) => {
                    self.failures += 1;
                    self.end(item, Outcome::Failed, now);
                }
                Standing::Interrupted | Standing::Running | Standing::Ended(..) => {}
            }
        }
    }

    fn is_paused(&self) -> bool {
        matches!(self.stopped, Some((Stop::Pause | Stop::Gate | Stop::Trouble, _)))
    }

    fn allowed(&self) -> usize {
        self.options.max_failures.of(self.items.len())
    }

    /// Stops starting items once more have failed than are allowed.
    fn keep_to_the_budget(&mut self, now: Instant) {
        if self.failures > self.allowed() {
            let failed = count(self.failures, "item");
            let reason = format!("{failed} failed and `max_failures` allows {}", self.allowed());
            self.stop(Stop::Failures, reason, now);
        }
    }
}

/// True if the first cause tells more than the last.
fn differs(first: &Error, last: Option<&Error>) -> bool {
    last.is_none_or(|last| (first.kind, &first.message) != (last.kind, &last.message))
}

fn outcome(error: &Error) -> Outcome {
    match error.kind {
        // The item itself is not at fault: it goes on when the run does.
        Kind::Interrupted | Kind::NeedsAnswer | Kind::Mismatch | Kind::Journal | Kind::Storage | Kind::Login => {
            Outcome::Cancelled
        }
        Kind::Unknown => Outcome::Unknown,
        _ => Outcome::Failed,
    }
}

/// True if another attempt may help. An item that somebody else cancelled or deleted is not fought over, and a guard's
/// refusal would only be repeated.
fn is_worth_a_retry(error: &Error) -> bool {
    let gone = error.details.get("vanished").is_some_and(|vanished| vanished == true);
    !gone && !matches!(error.kind, Kind::Cancelled | Kind::Refused | Kind::Login | Kind::Internal)
}

/// The key is the item's name in the journal and on the board.
fn refuse_duplicates(keys: &[String]) -> Result<()> {
    let mut rows: HashMap<&str, usize> = HashMap::new();
    for (row, key) in keys.iter().enumerate() {
        if let Some(first) = rows.insert(key, row) {
            let message = format!("items {} and {} have the same key `{key}`", first + 1, row + 1);
            return Err(Error::script(message).hint("use `key` with a field, or a closure, that tells the items apart"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
