//! The watcher's thread and the waiting lanes: asks the questions of the plan and hands out the answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use super::failure;
use super::plan::{Pace, Plan, Row, Step};
use super::target::{Ask, List, Question, Target, TargetKind};
use super::watched::{Trouble, Watched, is_outage};
use crate::cancel::Cancel;
use crate::client::pause;
use crate::clock::{Busy, Clock, Instant, Signal};
use crate::error::{Error, Kind, Result, no_thread};
use crate::event::{Event, Fact, Origin, Sink, Subject, VERSION};
use crate::model::{Object, Phase};

/// A handle to the one watcher of the process. Its thread starts with the first wait and ends with the last.
#[derive(Clone)]
pub struct Watcher {
    shared: Arc<Shared>,
    cancel: Cancel,
}

struct Shared {
    ask: Arc<dyn Ask>,
    clock: Clock,
    events: Arc<dyn Sink>,
    /// Rung when a wait begins or ends.
    bell: Signal,
    state: Mutex<Waits>,
}

struct Waits {
    /// Set while the thread runs.
    running: bool,
    /// The number of the next wait.
    number: u64,
    plan: Plan,
    /// Set once the plan knows the server's generation.
    generation_known: bool,
    watches: BTreeMap<TargetKind, Watch>,
    /// Results that their lanes have not fetched yet.
    answers: HashMap<u64, Result<Value>>,
    /// The number of questions in a row that the server did not answer.
    outage: u32,
    /// The time since which it has not answered.
    outage_since: Option<Instant>,
    /// Set once the refusal of a feed was reported.
    warned_of_feed: bool,
}

struct Watch {
    watched: Watched,
    waiters: Vec<Waiter>,
}

struct Waiter {
    number: u64,
    origin: Origin,
    signal: Signal,
}

impl Watcher {
    pub fn new(ask: Arc<dyn Ask>, clock: Clock, cancel: Cancel, events: Arc<dyn Sink>) -> Self {
        let state = Waits {
            running: false,
            number: 0,
            plan: Plan::new(Pace::of(&clock)),
            generation_known: false,
            watches: BTreeMap::new(),
            answers: HashMap::new(),
            outage: 0,
            outage_since: None,
            warned_of_feed: false,
        };
        let shared = Shared { ask, bell: clock.signal(), clock, events, state: Mutex::new(state) };
        Self { shared: Arc::new(shared), cancel }
    }

    /// The same watcher, stopped by another `Cancel`.
    #[must_use]
    pub fn stopped_by(&self, cancel: Cancel) -> Self {
        Self { shared: self.shared.clone(), cancel }
    }

    /// Waits until the target has ended and returns it as the server shows it. The caller's lane holds a busy token,
    /// which is given back meanwhile, and holds no lock.
    ///
    /// # Errors
    /// `Failed` or `Cancelled` when the target ended that way (details: `status`, `task`, `exception_details`,
    /// `instance`, `id`, `kind`), `NotFound` when it vanished, `Timeout` at the deadline, `Interrupted` on a wish to
    /// stop, and the client's error when it cannot log in or the server refuses the question.
    pub fn wait(&self, origin: &Origin, target: Target, deadline: Option<Instant>) -> Result<Value> {
        self.wait_all(origin, vec![target], deadline).pop().expect("one result for one target")
    }

    /// Waits until all targets have ended; the results are in the order of the targets, each as from [`Watcher::wait`].
    pub fn wait_all(&self, origin: &Origin, targets: Vec<Target>, deadline: Option<Instant>) -> Vec<Result<Value>> {
        let signal = self.shared.clock.signal();
        let _listening = self.cancel.listen(&signal);
        let numbers: Vec<u64> =
            targets.into_iter().map(|target| self.shared.register(origin, &signal, target)).collect();
        self.start();
        loop {
            if let Some(results) = self.shared.state.lock().fetch(&numbers) {
                return results;
            }
            let end = self.cancel.check().err().or_else(|| {
                let clock = &self.shared.clock;
                let passed = clock.time_of(deadline.filter(|deadline| clock.instant() >= *deadline)?);
                Some(Error::new(Kind::Timeout, format!("the deadline passed at {passed}")))
            });
            match end {
                Some(error) => self.shared.leave(&numbers, &error),
                None => {
                    self.shared.clock.park(&signal, deadline);
                }
            }
        }
    }

    /// The subjects of the current waits.
    pub fn waiting(&self) -> Vec<Subject> {
        self.shared.state.lock().watches.values().map(|watch| watch.watched.subject().clone()).collect()
    }

    /// Ensures that the thread runs and knows of the change.
    fn start(&self) {
        let mut state = self.shared.state.lock();
        if state.running || state.watches.is_empty() {
            drop(state);
            self.shared.bell.ring();
            return;
        }
        state.running = true;
        drop(state);
        let shared = self.shared.clone();
        let busy = shared.clock.busy();
        let spawned = std::thread::Builder::new().name("watcher".to_owned()).spawn(move || run(&shared, busy));
        if let Err(error) = spawned {
            self.shared.stopped(&no_thread("the watcher", &error));
        }
    }
}

/// The body of the thread. It ends with the last wait; the next wait starts another.
fn run(shared: &Arc<Shared>, _busy: Busy) {
    let _guard = Guard(shared);
    loop {
        let step = {
            let mut state = shared.state.lock();
            if state.watches.is_empty() {
                state.running = false;
                return;
            }
            if state.generation_known { Some(state.plan.next(shared.clock.instant())) } else { None }
        };
        match step {
            None => shared.learn_generation(),
            Some(Step::Ask(question)) => {
                let answer = shared.ask.ask(&question);
                shared.take(&question, answer);
            }
            Some(Step::Wait { until, polls: true }) => {
                shared.clock.park_poll(&shared.bell, Some(until));
            }
            Some(Step::Wait { until, polls: false }) => {
                shared.clock.park(&shared.bell, Some(until));
            }
        }
    }
}

/// Ends all waits if the thread dies of a bug.
struct Guard<'a>(&'a Arc<Shared>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stopped(&Error::internal("the watcher ended unexpectedly"));
        }
    }
}

impl Shared {
    fn emit(&self, origin: &Origin, fact: Fact) {
        self.events.emit(Event { v: VERSION, at: self.clock.now(), origin: origin.clone(), fact });
    }

    fn register(&self, origin: &Origin, signal: &Signal, target: Target) -> u64 {
        let now = self.clock.instant();
        let mut state = self.state.lock();
        state.number += 1;
        let number = state.number;
        let waiter = Waiter { number, origin: origin.clone(), signal: signal.clone() };
        if let Some(watch) = state.watches.get_mut(&target.kind) {
            self.emit(origin, watch.watched.started());
            watch.watched.picture().into_iter().for_each(|fact| self.emit(origin, fact));
            watch.waiters.push(waiter);
            return number;
        }
        let mut watched = Watched::new(&target, &self.clock);
        self.emit(origin, watched.started());
        if let Some(first) = &target.first {
            watched.begin(first).into_iter().for_each(|fact| self.emit(origin, fact));
        }
        let seen =
            target.first.as_ref().is_some_and(|first| matches!(target.kind.phase(first), Phase::Active | Phase::Idle));
        state.plan.add(target.kind.clone(), watched.began(), now, seen);
        state.watches.insert(target.kind, Watch { watched, waiters: vec![waiter] });
        number
    }

    /// Ends those of these waits that have no result yet.
    fn leave(&self, numbers: &[u64], error: &Error) {
        let mut state = self.state.lock();
        let mut left = Vec::new();
        for (kind, watch) in &mut state.watches {
            let fact = watch.watched.left();
            let subject = watch.watched.subject().clone();
            let (going, staying) =
                std::mem::take(&mut watch.waiters).into_iter().partition(|waiter| numbers.contains(&waiter.number));
            watch.waiters = staying;
            let going: Vec<Waiter> = going;
            for waiter in going {
                self.emit(&waiter.origin, fact.clone());
                left.push((waiter.number, kind.clone(), subject.clone()));
            }
        }
        for (number, kind, subject) in left {
            let error = match error.kind {
                Kind::Timeout => failure::about(
                    error.clone().context(format!("waiting for {}", failure::name(&subject))),
                    &subject,
                    "",
                )
                .hint("it goes on at the server; wait for it again, with a longer timeout"),
                _ => error.clone(),
            };
            state.answers.insert(number, Err(error));
            if state.watches.get(&kind).is_some_and(|watch| watch.waiters.is_empty()) {
                state.forget(&kind);
            }
        }
        drop(state);
        self.bell.ring();
    }

    /// The thread has ended, or could not be started.
    fn stopped(&self, error: &Error) {
        self.state.lock().running = false;
        self.end_all(error);
    }

    /// Ends every wait.
    fn end_all(&self, error: &Error) {
        let mut state = self.state.lock();
        let mut signals = Vec::new();
        for kind in state.watches.keys().cloned().collect::<Vec<_>>() {
            let Some(watch) = state.forget(&kind) else { continue };
            for waiter in watch.waiters {
                self.emit(&waiter.origin, watch.watched.left());
                let error = failure::about(error.clone(), watch.watched.subject(), "");
                state.answers.insert(waiter.number, Err(error));
                signals.push(waiter.signal);
            }
        }
        drop(state);
        signals.iter().for_each(Signal::ring);
    }

    fn learn_generation(&self) {
        match self.ask.generation() {
            Ok(generation) => {
                let mut state = self.state.lock();
                state.plan.speaks(generation);
                state.generation_known = true;
                self.answered(&mut state);
            }
            Err(error) if error.kind == Kind::Login => self.end_all(&error),
            Err(error) => match self.unanswered(error) {
                Ok(until) => drop(self.clock.park(&self.bell, Some(until))),
                Err(error) => self.end_all(&error),
            },
        }
    }

    fn take(&self, question: &Question, answer: Result<Value>) {
        let answer = match answer {
            Err(error) if error.kind == Kind::Login => return self.end_all(&error),
            Err(error) if is_outage(&error) => {
                return self.unanswered(error).map_or_else(|error| self.end_all(&error), drop);
            }
            answer => answer,
        };
        match question {
            Question::Show(kind) => self.shown(kind, answer),
            Question::Feed { of, limit } => self.listed(*of, *limit, answer),
        }
    }

    fn shown(&self, kind: &TargetKind, answer: Result<Value>) {
        let now = self.clock.instant();
        let mut state = self.state.lock();
        self.answered(&mut state);
        let Waits { watches, plan, .. } = &mut *state;
        // All waits may have ended while the question was under way.
        let Some(watch) = watches.get_mut(kind) else { return };
        let result = match answer {
            Ok(value) => {
                let seen = watch.watched.see(&value, now);
                self.emit_to(watch, seen.facts);
                plan.seen(kind, now);
                seen.result
            }
            Err(error) => match watch.watched.refuse(error) {
                Trouble::Again { after, warning } => {
                    plan.put_off(kind, now, after);
                    self.emit_to(watch, warning.map(Fact::warning));
                    None
                }
                Trouble::Over(error) => {
                    let word = if error.kind == Kind::NotFound { "VANISHED" } else { "UNKNOWN" };
                    self.emit_to(watch, [watch.watched.finished(word, now)]);
                    Some(Err(error))
                }
            },
        };
        let Some(result) = result else { return };
        let Some(watch) = state.forget(kind) else { return };
        for waiter in &watch.waiters {
            state.answers.insert(waiter.number, result.clone());
        }
        drop(state);
        watch.waiters.iter().for_each(|waiter| waiter.signal.ring());
    }

    fn listed(&self, of: List, limit: Option<usize>, answer: Result<Value>) {
        let now = self.clock.instant();
        let mut state = self.state.lock();
        self.answered(&mut state);
        match answer {
            Ok(value) => state.plan.listed(of, limit, &rows(&value), now),
            Err(error) => {
                state.plan.unlisted(of, now);
                if !std::mem::replace(&mut state.warned_of_feed, true) {
                    let text =
                        format!("the server refuses its list of {}: {error}; asking for each in turn", of.word());
                    self.emit(&Origin::default(), Fact::warning(text));
                }
            }
        }
    }

    fn emit_to(&self, watch: &Watch, facts: impl IntoIterator<Item = Fact>) {
        for fact in facts {
            watch.waiters.iter().for_each(|waiter| self.emit(&waiter.origin, fact.clone()));
        }
    }

    /// Handles a missing answer; returns the time until which the server is left alone, while patience lasts. The
    /// client has reported the outage.
    fn unanswered(&self, error: Error) -> Result<Instant> {
        let mut state = self.state.lock();
        state.outage += 1;
        let since = *state.outage_since.get_or_insert(self.clock.instant());
        let delay = match error.kind {
            Kind::Interrupted => pause(state.outage),
            _ => self.ask.pause_after(error, state.outage, since)?,
        };
        let now = self.clock.instant();
        state.plan.hold(now, delay);
        Ok(now + delay)
    }

    fn answered(&self, state: &mut Waits) {
        (state.outage, state.outage_since) = (0, None);
    }
}

impl Waits {
    fn forget(&mut self, kind: &TargetKind) -> Option<Watch> {
        self.plan.remove(kind);
        self.watches.remove(kind)
    }

    /// The results of these waits, once all of them exist.
    fn fetch(&mut self, numbers: &[u64]) -> Option<Vec<Result<Value>>> {
        if !numbers.iter().all(|number| self.answers.contains_key(number)) {
            return None;
        }
        Some(numbers.iter().filter_map(|number| self.answers.remove(number)).collect())
    }
}

fn rows(value: &Value) -> Vec<Row> {
    value.as_array().into_iter().flatten().filter_map(row).collect()
}

fn row(value: &Value) -> Option<Row> {
    let object = Object::from(value);
    Some(Row { id: object.id()?.to_owned(), status: object.status().to_string(), updated: object.updated_at() })
}

#[cfg(test)]
mod tests;
