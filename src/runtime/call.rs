//! One use of a function: its arguments, and its steps, each through the journal.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rhai::{Dynamic, FnPtr, NativeCallContext};
use serde_json::Value;

use crate::client::{Departure, Failure, Request, Trail};
use crate::clock::Instant;
use crate::duration;
use crate::error::{Error, Kind, Result};
use crate::event::Fact;
use crate::event::ran::Ran;
use crate::event::sources::Sources;
use crate::journal::StepKey;
use crate::journal::marker::Marker;
use crate::journal::record::{Identity, Saved, Settlement};
use crate::journal::replay::{Before, Known};
use crate::language::arguments::{Arguments, Options, text_of};
use crate::language::spec::Spec;
use crate::language::value::to_shown;
use crate::model::Generation;
use crate::runtime::host::{Cloud, Host};
use crate::runtime::lane::Lane;
use crate::runtime::saved;
use crate::runtime::saved::Source;
use crate::watch::Target;

/// The context of a body.
pub struct Call<'a> {
    pub host: &'a Arc<Host>,
    pub context: &'a NativeCallContext<'a>,
    pub function: &'static Spec,
    pub lane: Arc<Lane>,
    /// Its number in the lane, from 1.
    pub number: u64,
    pub arguments: Arguments,
    /// The identity of the call for the journal.
    pub identity: Identity,
    pub(super) steps: Cell<u32>,
}

/// The fate of a changing request.
#[derive(Debug)]
pub enum Sent {
    Done(Value),
    /// Certainly not applied: the server refused it.
    Refused(Error),
    /// Unknown.
    Lost(Lost),
    /// Its answer was lost, and no trace of it was found.
    Absent(Before),
}

/// A change that left, and whose answer never came.
#[derive(Debug)]
pub struct Lost {
    pub error: Error,
    pub before: Before,
    /// The time at which it left, if that was an earlier process.
    pub earlier: Option<Timestamp>,
    pub trail: Trail,
}

/// A step on its way out: checked once more before it leaves, and on record from then on.
struct Leaving<'a, 'c> {
    call: &'a Call<'c>,
    key: &'a StepKey,
    request: &'a Request,
    guard: Guard<'a>,
    before: Before,
    /// Set once it is on record.
    began: bool,
}

/// A check on fresh facts whenever a step is about to leave: its error keeps the step back, its value is the state
/// before it.
pub type Guard<'a> = &'a dyn Fn(&Call<'_>) -> Result<Value>;

/// A guard that keeps nothing back, and records no earlier state.
///
/// # Errors
/// Never.
pub fn unguarded(_: &Call<'_>) -> Result<Value> {
    Ok(Value::Null)
}

impl Departure for Leaving<'_, '_> {
    fn may_leave(&mut self) -> Result<()> {
        if !self.began {
            self.before.state = (self.guard)(self.call)?;
        }
        Ok(())
    }

    fn leaves(&mut self, user: Option<&str>) -> Result<()> {
        if !self.began {
            self.before.by = user.map(str::to_owned);
            let (method, path) = (self.request.method.word(), &self.request.path);
            self.call.host.journal.begin(self.key, method, path, self.before.clone())?;
            self.began = true;
        }
        Ok(())
    }

    fn stayed(&mut self) -> Result<()> {
        if std::mem::take(&mut self.began) {
            self.call.host.journal.stayed(self.key)?;
        }
        Ok(())
    }
}

impl Call<'_> {
    /// # Errors
    /// Any error on the way to the cloud.
    pub fn cloud(&self) -> Result<&Cloud> {
        if self.host.journal.only_replays() {
            return Err(Error::interrupted());
        }
        self.host.cloud()
    }

    /// # Errors
    /// Any error on the way to the cloud.
    pub fn generation(&self) -> Result<Generation> {
        let generation = self.cloud()?.client.generation(&self.lane.origin)?;
        self.host.journal.meet(generation)?;
        Ok(generation)
    }

    /// Sends a request that changes nothing.
    ///
    /// # Errors
    /// Those of the server or the network.
    pub fn read(&self, request: &Request) -> Result<Value> {
        self.cloud()?.client.send(&self.lane.origin, request)
    }

    /// Reads a whole list, page by page.
    ///
    /// # Errors
    /// Those of the server or the network.
    pub fn read_list(&self, request: &Request) -> Result<Vec<Value>> {
        self.cloud()?.client.list(&self.lane.origin, request)
    }

    /// Calls `ask` at this interval until it has an answer; `None` when the deadline has passed without one.
    ///
    /// # Errors
    /// That of `ask`; `Interrupted`.
    pub fn until<T>(
        &self,
        interval: Duration,
        deadline: Option<Instant>,
        mut ask: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let (clock, cancel) = (&self.host.clock, &self.host.cancel);
        loop {
            if let Some(answer) = ask()? {
                return Ok(Some(answer));
            }
            let now = clock.instant();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(None);
            }
            let next = now + interval;
            cancel.sleep_until(clock, deadline.map_or(next, |deadline| next.min(deadline)))?;
        }
    }

    /// Sends one step: a changing request, on record before it leaves and settled after. `settle` decides about a lost
    /// answer. A step that is recorded as done is not checked by the guard again.
    ///
    /// # Errors
    /// It did not leave: the guard's error, a failure to record it, or a cloud that cannot be reached.
    pub fn send(&self, request: &Request, guard: Guard<'_>) -> Result<(StepKey, Sent)> {
        self.host.cancel.check()?;
        let key = self.next_step();
        let (journal, method, path) = (&self.host.journal, request.method.word(), request.path.as_str());
        match journal.step(&key, method, path) {
            // Older versions accepted answers without the part that they must have.
            Known::Done(answer) => match request.answer.lacks(&answer) {
                None => return Ok((key, Sent::Done(answer))),
                Some(lacks) => {
                    let error = Error::new(Kind::Unknown, format!("the answer on record has {lacks}"));
                    let earlier = Some(self.host.clock.now());
                    return Ok((
                        key,
                        Sent::Lost(Lost { error, before: Before::default(), earlier, trail: Trail::Open }),
                    ));
                }
            },
            Known::Refused(error) => return Ok((key, Sent::Refused(error.into()))),
            Known::Absent(before) => return Ok((key, Sent::Absent(before))),
            Known::Kept(answer) => {
                self.go_live()?;
                journal.keep(&key, method, path, answer.clone())?;
                return Ok((key, Sent::Done(answer)));
            }
            Known::Open(began, before) => {
                let earlier = Some(began);
                return Ok((key, Sent::Lost(Lost { error: lost_before(), before, earlier, trail: Trail::Open })));
            }
            Known::Nothing => {}
        }
        let client = &self.cloud()?.client;
        self.go_live()?;
        let mut leaving = Leaving { call: self, key: &key, request, guard, before: Before::default(), began: false };
        let outcome = client.change(&self.lane.origin, request, &mut leaving);
        let before = leaving.before;
        let (sent, status) = match outcome {
            Ok(answer) => {
                journal.settle(&key, Settlement::Done(saved::seal_json(self.host, answer.clone())))?;
                (Sent::Done(answer), 200)
            }
            Err(Failure::Refused(error)) => {
                let status = error.status().unwrap_or(0);
                if let Some(refusal) = saved::saved_error(self.host, &error) {
                    journal.settle(&key, Settlement::Refused(refusal))?;
                }
                (Sent::Refused(error), status)
            }
            Err(Failure::Lost(error, trail)) => {
                let status = error.status().unwrap_or(0);
                (Sent::Lost(Lost { error, before, earlier: None, trail }), status)
            }
            Err(Failure::Kept(error)) => return Err(error),
        };
        let (method, path) = (method.to_owned(), path.to_owned());
        self.emit(Fact::StepSettled { call: self.number, step: key.step, method, path, status });
        Ok((key, sent))
    }

    /// Records the findings about a step whose answer was lost.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn settle(&self, key: &StepKey, found: Option<&Value>) -> Result<()> {
        let settlement = match found {
            Some(made) => Settlement::Done(saved::seal_json(self.host, made.clone())),
            None => Settlement::Absent,
        };
        self.host.journal.settle(key, settlement)
    }

    /// Records a decision of the body: it is made once, and stays the same when the run is resumed.
    ///
    /// # Errors
    /// That of `find`, now or then.
    pub fn decide(&self, find: impl FnOnce(&Self) -> Result<Value>) -> Result<Value> {
        let key = self.next_step();
        match self.host.journal.decided(&key) {
            Some(Saved::Ok(value)) => return Ok(value),
            Some(Saved::Error(error)) => return Err(error.into()),
            _ => {}
        }
        self.go_live()?;
        let found = find(self);
        let saved = match &found {
            Ok(value) => Some(Saved::Ok(saved::seal_json(self.host, value.clone()))),
            Err(error) => saved::saved_error(self.host, error).map(Saved::Error),
        };
        if let Some(saved) = saved {
            self.host.journal.decide(&key, saved, Vec::new())?;
        }
        found
    }

    /// The instant `after` this one. It is recorded as a point in time: a resumed run has the rest of the time left,
    /// and never more than all of it, whatever the machine's clock was set to.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn deadline(&self, after: Duration) -> Result<Instant> {
        let clock = &self.host.clock;
        let (now, instant) = clock.both();
        let latest = instant + after;
        let chosen = self.decide(|_| Ok(duration::after(now, after).to_string().into()))?;
        let text = chosen.as_str().unwrap_or_default();
        let time = text.parse().map_err(|_| Error::internal(format!("the journal has `{text}` for a time")))?;
        Ok(clock.instant_of(time).min(latest))
    }

    /// The text to put into the next object that this call makes, so that it can be found again.
    pub fn marker(&self) -> Marker {
        self.host.journal.marker(&self.next_key(), &self.identity)
    }

    /// The deployments that other runs have made on this cloud, according to their records.
    pub fn deployed_by_others(&self) -> &[Value] {
        self.host.journal.deployed_by_others()
    }

    /// True if this run has made or used the object with this id.
    pub fn knows_id(&self, id: &str) -> bool {
        self.host.journal.knows_id(id)
    }

    /// True if nothing is on record of the step that would send this next.
    pub fn is_new(&self, request: &Request) -> bool {
        self.knows_next(request) == Known::Nothing
    }

    /// The record of the step that would send this next.
    pub fn knows_next(&self, request: &Request) -> Known {
        let (method, path) = (request.method.word(), request.path.as_str());
        self.host.journal.step(&self.next_key(), method, path)
    }

    /// The decision that older journals recorded under a step's number; `None` if there is none.
    pub fn decided_before(&self) -> Option<Value> {
        match self.host.journal.decided(&self.next_step()) {
            Some(Saved::Ok(value)) => Some(value),
            _ => None,
        }
    }

    /// The decision that is recorded as the next step; `None` if there is none.
    pub fn next_decision(&self) -> Option<Value> {
        match self.host.journal.decided(&self.next_key()) {
            Some(Saved::Ok(value)) => Some(value),
            _ => None,
        }
    }

    /// The other runs on this cloud, the newest first.
    ///
    /// # Errors
    /// `Journal` when they cannot be read.
    pub fn runs(&self) -> Result<Vec<Ran>> {
        (self.host.runs)()
    }

    /// The sources that the run has left off.
    pub fn sources(&self) -> Sources {
        self.host.journal.state().sources.clone()
    }

    /// The key of the next step.
    pub fn next_key(&self) -> StepKey {
        self.step_number(self.steps.get() + 1)
    }

    /// Adopts an earlier process's object as the one that this request would make.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn adopt(&self, request: &Request, made: &Value) -> Result<()> {
        let (method, path) = (request.method.word(), request.path.as_str());
        self.host.journal.keep(&self.next_step(), method, path, saved::seal_json(self.host, made.clone()))
    }

    fn next_step(&self) -> StepKey {
        self.steps.set(self.steps.get() + 1);
        self.step_number(self.steps.get())
    }

    fn step_number(&self, step: u32) -> StepKey {
        StepKey { lane: self.lane.origin.lane.clone(), call: self.number, step }
    }

    /// Records the call before its first step; a first pass over the records does not go beyond them.
    pub(super) fn record_start(&self) -> Result<()> {
        self.host.journal.called(&self.lane.origin.lane, self.number, &self.identity)
    }

    /// Records the call before its first step; a first pass over the records does not go beyond them.
    pub fn go_live(&self) -> Result<()> {
        if self.host.journal.only_replays() {
            return Err(Error::interrupted());
        }
        self.host.journal.called(&self.lane.origin.lane, self.number, &self.identity)
    }

    /// Waits through the one watcher until the target is final.
    ///
    /// # Errors
    /// `Failed` with the first failed task and its `exception_details`, `Cancelled`, `Timeout`, `Interrupted`.
    pub fn wait(&self, target: Target, deadline: Option<Instant>) -> Result<Value> {
        let mut finished = self.wait_all(vec![target], deadline)?;
        finished.pop().ok_or_else(|| Error::internal("a wait without an end"))
    }

    /// Like [`Call::wait`], for several targets at once. Failures are recorded: the next attempt makes those objects
    /// again.
    ///
    /// # Errors
    /// The first of their errors.
    pub fn wait_all(&self, targets: Vec<Target>, deadline: Option<Instant>) -> Result<Vec<Value>> {
        let key = self.next_step();
        if let Some(Saved::Error(error)) = self.host.journal.decided(&key) {
            return Err(error.into());
        }
        self.go_live()?;
        let ids: Vec<Option<String>> = targets.iter().map(|target| target.kind.remade().map(str::to_owned)).collect();
        let results = self.cloud()?.watcher.wait_all(&self.lane.origin, targets, deadline);
        let failed =
            ids.into_iter().zip(&results).filter(|(_, result)| made_badly(result)).filter_map(|(id, _)| id).collect();
        let finished: Result<Vec<Value>> = results.into_iter().collect();
        if let Err(error) = &finished
            && let Some(saved) = saved::saved_error(self.host, error)
        {
            self.host.journal.decide(&key, Saved::Error(saved), failed)?;
        }
        finished
    }

    pub fn emit(&self, fact: Fact) {
        self.host.emit(&self.lane, fact);
    }

    pub fn warn(&self, message: impl Into<String>) {
        self.emit(Fact::warning(message));
    }

    pub fn options(&self) -> &Options {
        self.arguments.options()
    }

    pub fn value(&self, parameter: &str) -> Option<&Dynamic> {
        self.arguments.value(parameter)
    }

    /// An argument; `()` if it was left out.
    pub fn argument(&self, parameter: &str) -> Dynamic {
        self.value(parameter).cloned().unwrap_or(Dynamic::UNIT)
    }

    /// A server's answer as the script sees it: without the marks by which runs find their objects.
    pub fn shown(&self, mut value: Value) -> Dynamic {
        unmark(&mut value);
        let objects = value.as_array().and_then(|list| list.first()).unwrap_or(&value);
        if let Some(fields) = objects.as_object() {
            self.host.meet_fields(fields.keys().map(String::as_str));
        }
        saved::unseal(self.host, value, &Source::Nowhere)
    }

    /// A required argument of kind text; empty if it is missing, which the row rules out.
    pub fn text(&self, parameter: &str) -> String {
        self.value(parameter).map(text_of).unwrap_or_default()
    }

    /// The same for people: secrets are masked.
    pub fn label(&self, parameter: &str) -> String {
        match self.value(parameter).map(to_shown) {
            Some(Value::String(text)) => text,
            other => other.unwrap_or_default().to_string(),
        }
    }

    /// # Errors
    /// `Internal`: the row rules it out.
    pub fn closure(&self, parameter: &str) -> Result<FnPtr> {
        self.value(parameter)
            .and_then(|value| value.flatten_clone().try_cast::<FnPtr>())
            .ok_or_else(|| Error::internal(format!("`{parameter}` is not a closure")))
    }
}

/// True if a wait ended in a way that makes another try repeat the work.
fn made_badly(result: &Result<Value>) -> bool {
    result.as_ref().is_err_and(|error| matches!(error.kind, Kind::Failed | Kind::Cancelled | Kind::NotFound))
}

fn lost_before() -> Error {
    Error::new(Kind::Unknown, "the run was stopped before the answer came")
}

/// Removes the line that a run has added to notes and descriptions.
fn unmark(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(unmark),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match field {
                    Value::String(text) if matches!(name.as_str(), "notes" | "description") => {
                        if let Some(plain) = without_marker(text) {
                            *field = if plain.is_empty() { Value::Null } else { plain.into() };
                        }
                    }
                    Value::Array(_) | Value::Object(_) => unmark(field),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// The text without its last line, if that is a marker.
fn without_marker(text: &str) -> Option<String> {
    let plain = text.rsplit_once('\n').map_or("", |(plain, _)| plain);
    Marker::of(text).map(|_| plain.to_owned())
}
