//! The state of a run according to its records: the calls with results, the open steps, and what a retry does again.

mod redo;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::lane::parent;
use super::memory::Memory;
use super::record::{Ended, Identity, Line, Record, Saved, SavedError, Settlement, StepKey};
use crate::error::{Causes, Error, Result};
use crate::event::Outcome;
use crate::event::sources::Sources;
use crate::model::Generation;
use crate::secret::MASK;

/// The key under which a large value's hash stands in its place.
pub const VALUE: &str = "$value";

/// The records of a run, folded. The same records in the same order give the same state.
#[derive(Clone, Debug, Default)]
pub struct State {
    lanes: BTreeMap<Arc<str>, Lane>,
    values: HashMap<String, Arc<Value>>,
    generation: Option<Generation>,
    /// The time of the first record.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub memory: Memory,
    /// The sources that are off.
    pub sources: Sources,
    /// The run has done more than its records say.
    pub is_behind: bool,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    calls: BTreeMap<u64, Call>,
    /// Calls of an earlier attempt that this one left behind; their objects are not made again.
    spare: Vec<Call>,
    /// The first call that may differ from the record, because it or something before it was done again.
    loose: Option<u64>,
    /// The number of times that something in it was done again.
    rounds: u32,
    attempt: u32,
    not_before: Option<Timestamp>,
    began: Option<Timestamp>,
    causes: Causes<SavedError>,
    ended: Option<Ended>,
}

#[derive(Clone, Debug)]
struct Call {
    identity: Identity,
    /// Boxed: most calls have one, and a map makes room for eleven.
    steps: BTreeMap<u32, Box<Step>>,
    /// Steps done by an earlier attempt; a request equal to one of them is not sent again.
    kept: VecDeque<(String, String, Value)>,
    /// Ids of the objects that this call waited for and that did not succeed.
    awaited: BTreeSet<String>,
    returned: Option<Saved>,
    last: u64,
    /// True if it opened lanes.
    is_wave: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Decided(Saved),
    Sent { method: String, path: String, began: Timestamp, before: Before, settlement: Option<Settlement> },
}

/// The facts about the moment at which a change left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Before {
    /// The state of what it changes; null in journals without it.
    pub state: Value,
    /// The id of the user who sent it.
    pub by: Option<String>,
}

/// The record of a call that is about to be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Replay {
    /// It was made: this is its result, and the lane's last number when it ended.
    Answer(Saved, u64),
    /// The same, from an earlier attempt in which it had another number.
    Again(Saved),
    /// Something else was recorded in its place.
    Differs(Identity),
    /// No record: make it. Its steps may be known.
    Live,
}

/// The record of a step that is about to be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    Nothing,
    /// It left at this time, with an unknown outcome.
    Open(Timestamp, Before),
    /// Its answer was lost, and no trace of it was found.
    Absent(Before),
    Done(Value),
    Refused(SavedError),
    /// Done by an earlier attempt.
    Kept(Value),
}

/// The record of an item that is about to be worked on.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Fresh,
    /// An attempt was running.
    Interrupted {
        attempt: u32,
        began: Timestamp,
        causes: Causes<SavedError>,
    },
    /// The next attempt waits for its time.
    Waiting {
        attempt: u32,
        began: Timestamp,
        not_before: Timestamp,
        causes: Causes<SavedError>,
    },
    Ended {
        ended: Ended,
        began: Timestamp,
    },
}

/// The reason for another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The wave's own retry.
    Wave,
    /// The operator's `--retry-failed`.
    Operator,
}

/// A changing request without an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    pub key: StepKey,
    pub function: String,
    pub method: String,
    pub path: String,
}

impl State {
    /// Applies the next record.
    ///
    /// # Errors
    /// It cannot follow the records before it.
    pub fn apply(&mut self, Line { at, record }: Line) -> Result<(), String> {
        self.first.get_or_insert(at);
        self.last = self.last.max(Some(at));
        self.memory.meet(&record);
        match record {
            Record::Journal { version } if version > super::record::VERSION => {
                return Err(format!("it is of version {version}, from a newer coriolis-run"));
            }
            Record::Event { event } => self.sources.apply(&event),
            Record::Journal { .. } => {}
            Record::Cloud { generation } => self.generation = Some(generation),
            Record::Value { hash, value } => {
                self.values.entry(hash).or_insert_with(|| Arc::new(value));
            }
            Record::Called { lane, call, identity } => self.lane(&lane).enter(call, identity),
            Record::Decided { lane, call, step, result, awaited } => {
                let call = self.call(&lane, call)?;
                call.awaited.extend(awaited);
                call.steps.insert(step, Box::new(Step::Decided(result)));
            }
            Record::Began { lane, call, step, method, path, before, by } => {
                let before = Before { state: before, by };
                let sent = Step::Sent { method, path, began: at, before, settlement: None };
                self.call(&lane, call)?.steps.insert(step, Box::new(sent));
            }
            Record::Stayed { lane, call, step } => {
                self.call(&lane, call)?.steps.remove(&step);
            }
            Record::Settled { lane, call, step, settlement } => {
                match self.call(&lane, call)?.steps.get_mut(&step).map(Box::as_mut) {
                    Some(Step::Sent { settlement: open, .. }) => *open = Some(settlement),
                    _ => return Err(format!("step {step} of call {call} in lane {lane} ends and never began")),
                }
            }
            Record::Kept { lane, call, step, method, path, answer } => {
                let call = self.call(&lane, call)?;
                call.take_kept(&method, &path);
                let settlement = Some(Settlement::Done(answer));
                let before = Before::default();
                call.steps.insert(step, Box::new(Step::Sent { method, path, began: at, before, settlement }));
            }
            Record::Returned { lane, call, identity, result, last } => {
                let lane = self.lane(&lane);
                lane.enter(call, identity.clone());
                lane.forget_spare(&identity);
                if let Some(call) = lane.calls.get_mut(&call) {
                    call.returned = Some(result);
                    call.last = last;
                }
            }
            Record::Attempt { lane, attempt, not_before, cause } => {
                if attempt > self.lane(&lane).attempt && attempt > 1 {
                    self.redo(&lane);
                }
                let lane = self.lane(&lane);
                lane.attempt = attempt;
                lane.not_before = not_before;
                lane.began.get_or_insert(at);
                cause.into_iter().for_each(|cause| lane.causes.add(cause));
            }
            Record::Ended { lane, ended } => {
                let lane = self.lane(&lane);
                lane.began.get_or_insert(at);
                lane.ended = Some(ended);
            }
            Record::RetryFailed => self.retry_failed(),
            Record::Behind => self.is_behind = true,
            Record::Anew { lane, call } => self.anew(&lane, call),
        }
        Ok(())
    }

    /// Ends the records of an earlier process: errors that may be gone are tried again, and so is what a guard kept
    /// back. Its remedy may be another option of the same call, if that call has sent nothing.
    pub fn reopen(&mut self) {
        for lane in self.lanes.values_mut() {
            let Some(mut last) = lane.calls.last_entry() else { continue };
            let call = last.get_mut();
            if call.returned.as_ref().is_some_and(Saved::is_transient) {
                call.returned = None;
                call.steps.retain(|_, step| !step.is_transient());
            } else if call.returned.as_ref().is_some_and(Saved::is_of_guard) && !call.is_wave {
                call.returned = None;
                if !call.steps.values().any(|step| step.may_be_applied()) {
                    call.steps.clear();
                    let number = *last.key();
                    lane.loosen(number);
                }
            }
        }
    }

    pub fn replay(&mut self, lane: &str, number: u64, identity: &Identity) -> Replay {
        let Some(lane) = self.lanes.get_mut(lane) else { return Replay::Live };
        match lane.calls.get(&number) {
            Some(call) if call.identity.is(identity) => {
                return match &call.returned {
                    Some(saved) => Replay::Answer(saved.clone(), call.last),
                    None => Replay::Live,
                };
            }
            Some(call) if !lane.is_loose(number) => return Replay::Differs(call.identity.clone()),
            Some(_) => lane.leave(number),
            None => {}
        }
        if !lane.is_loose(number) {
            return Replay::Live;
        }
        let made = lane.spare.iter().find(|call| call.identity.is(identity) && call.is_change() && call.is_ok());
        made.and_then(|call| call.returned.clone()).map_or(Replay::Live, Replay::Again)
    }

    /// The reason why an attempt goes through this lane again; `None` for the first one.
    pub fn again(&self, lane: &str) -> Option<Wish> {
        let lane = self.lanes.get(lane).filter(|lane| lane.rounds > 0)?;
        Some(if lane.attempt > 1 { Wish::Wave } else { Wish::Operator })
    }

    /// True if more calls of the lane are recorded than this number.
    pub fn is_replaying(&self, lane: &str, number: u64) -> bool {
        self.lanes.get(lane).is_some_and(|lane| lane.calls.range(number + 1..).next().is_some())
    }

    pub fn knows_call(&self, lane: &str, number: u64, identity: &Identity) -> bool {
        let call = self.lanes.get(lane).and_then(|lane| lane.calls.get(&number));
        call.is_some_and(|call| call.identity.is(identity))
    }

    pub fn decided(&self, key: &StepKey) -> Option<Saved> {
        match self.find_call(&key.lane, key.call)?.steps.get(&key.step)?.as_ref() {
            Step::Decided(saved) => Some(saved.clone()),
            Step::Sent { .. } => None,
        }
    }

    pub fn step(&self, key: &StepKey, method: &str, path: &str) -> Known {
        let Some(call) = self.find_call(&key.lane, key.call) else { return Known::Nothing };
        match call.steps.get(&key.step).map(Box::as_ref) {
            Some(Step::Sent { settlement: Some(Settlement::Done(answer)), .. }) => Known::Done(answer.clone()),
            Some(Step::Sent { settlement: Some(Settlement::Refused(error)), .. }) => Known::Refused(error.clone()),
            Some(Step::Sent { settlement: Some(Settlement::Absent), before, .. }) => Known::Absent(before.clone()),
            Some(Step::Sent { settlement: None, began, before, .. }) => Known::Open(*began, before.clone()),
            Some(Step::Decided(_)) => Known::Nothing,
            None => {
                let kept = call.kept.iter().find(|(known, at, _)| known == method && at == path);
                kept.map_or(Known::Nothing, |(_, _, answer)| Known::Kept(answer.clone()))
            }
        }
    }

    pub fn item(&self, lane: &str) -> Item {
        let Some(lane) = self.lanes.get(lane) else { return Item::Fresh };
        let Some(began) = lane.began else { return Item::Fresh };
        let causes = lane.causes.clone();
        match (&lane.ended, lane.not_before, lane.attempt) {
            (Some(ended), ..) => Item::Ended { ended: ended.clone(), began },
            (None, Some(not_before), attempt) => Item::Waiting { attempt, began, not_before, causes },
            (None, None, 0) => Item::Fresh,
            (None, None, attempt) => Item::Interrupted { attempt, began, causes },
        }
    }

    /// The number of times that something in the lane was done again.
    pub fn rounds(&self, lane: &str) -> u32 {
        self.lanes.get(lane).map_or(0, |lane| lane.rounds)
    }

    /// The generation of the server's API.
    pub fn generation(&self) -> Option<Generation> {
        self.generation
    }

    /// The time of the last record.
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// The number of calls with a result.
    pub fn settled_calls(&self) -> usize {
        let calls = self.lanes.values().flat_map(|lane| lane.calls.values());
        calls.filter(|call| call.returned.is_some()).count()
    }

    /// The number of items' lanes with this outcome.
    pub fn items_ended(&self, outcome: Outcome) -> usize {
        let ended = self.lanes.values().filter_map(|lane| lane.ended.as_ref());
        ended.filter(|ended| ended.outcome == outcome).count()
    }

    /// Requests of unknown outcome.
    pub fn unsettled(&self) -> Vec<Unsettled> {
        let mut found = Vec::new();
        for (path, lane) in &self.lanes {
            for (number, call) in &lane.calls {
                for (step, sent) in &call.steps {
                    if let Step::Sent { method, path: at, settlement: None, .. } = sent.as_ref() {
                        found.push(Unsettled {
                            key: StepKey { lane: path.clone(), call: *number, step: *step },
                            function: call.identity.function.clone(),
                            method: method.clone(),
                            path: at.clone(),
                        });
                    }
                }
            }
        }
        found
    }

    pub fn has_value(&self, hash: &str) -> bool {
        self.values.contains_key(hash)
    }

    /// Replaces hashes by the values that they stand for.
    pub fn whole(&self, value: &Value) -> Value {
        match value.get(VALUE).and_then(Value::as_str).and_then(|hash| self.values.get(hash)) {
            Some(whole) => whole.as_ref().clone(),
            None => value.clone(),
        }
    }

    pub fn whole_saved(&self, saved: Saved) -> Saved {
        match saved {
            Saved::Ok(value) => Saved::Ok(self.whole(&value)),
            Saved::Thrown(value) => Saved::Thrown(self.whole(&value)),
            other => other,
        }
    }

    fn lane(&mut self, path: &Arc<str>) -> &mut Lane {
        if !self.lanes.contains_key(path)
            && let Some((up, call)) = parent(path)
            && let Some(opener) = self.lanes.get_mut(up).and_then(|lane| lane.calls.get_mut(&call))
        {
            opener.is_wave = true;
        }
        self.lanes.entry(path.clone()).or_default()
    }

    fn call(&mut self, lane: &Arc<str>, number: u64) -> Result<&mut Call, String> {
        let call = self.lanes.get_mut(lane).and_then(|lane| lane.calls.get_mut(&number));
        call.ok_or_else(|| format!("a step of call {number} in lane {lane}, which was never called"))
    }

    fn find_call(&self, lane: &str, number: u64) -> Option<&Call> {
        self.lanes.get(lane)?.calls.get(&number)
    }
}

impl Lane {
    /// Enters a call that begins, or is already known.
    fn enter(&mut self, number: u64, identity: Identity) {
        if self.calls.get(&number).is_some_and(|call| !call.identity.is(&identity)) {
            self.leave(number);
        }
        self.calls.entry(number).or_insert_with(|| Call {
            identity,
            steps: BTreeMap::new(),
            kept: VecDeque::new(),
            awaited: BTreeSet::new(),
            returned: None,
            last: number,
            is_wave: false,
        });
    }

    fn is_loose(&self, number: u64) -> bool {
        self.loose.is_some_and(|from| number >= from)
    }

    fn loosen(&mut self, from: u64) {
        self.loose = Some(self.loose.map_or(from, |known| known.min(from)));
    }

    /// Leaves the recorded way from this number on.
    fn leave(&mut self, number: u64) {
        self.spare.extend(self.calls.split_off(&number).into_values());
    }

    fn forget_spare(&mut self, identity: &Identity) {
        if let Some(index) = self.spare.iter().position(|call| call.identity.is(identity) && call.is_ok()) {
            self.spare.remove(index);
        }
    }

    /// Gives the item all its attempts again.
    fn start_over(&mut self) {
        (self.attempt, self.not_before, self.began) = (0, None, None);
        (self.causes, self.ended) = (Causes::default(), None);
    }
}

impl Call {
    fn is_ok(&self) -> bool {
        matches!(self.returned, Some(Saved::Ok(_)))
    }

    /// True if it succeeded and changed nothing.
    fn is_read(&self) -> bool {
        self.is_ok() && !self.is_change() && !self.is_wave
    }

    fn is_change(&self) -> bool {
        self.steps.values().any(|step| matches!(**step, Step::Sent { .. }))
    }

    /// True if one of its steps made one of these objects.
    fn has_made(&self, ids: &BTreeSet<String>) -> bool {
        self.steps.values().any(|step| step.made().is_some_and(|id| ids.contains(id)))
    }

    /// Makes the call again, except for the steps that stand.
    fn reset(&mut self, failed: &BTreeSet<String>) {
        let stands = |step: &Step| !step.made().is_some_and(|id| failed.contains(id));
        for step in std::mem::take(&mut self.steps).into_values().map(|step| *step).filter(stands) {
            if let Step::Sent { method, path, settlement: Some(Settlement::Done(answer)), .. } = step {
                self.kept.push_back((method, path, answer));
            }
        }
        self.awaited.clear();
        self.returned = None;
    }

    fn take_kept(&mut self, method: &str, path: &str) {
        if let Some(index) = self.kept.iter().position(|(known, at, _)| known == method && at == path) {
            self.kept.remove(index);
        }
    }
}

impl Step {
    fn is_transient(&self) -> bool {
        match self {
            Step::Decided(Saved::Error(error)) => error.is_transient(),
            Step::Sent { settlement: Some(Settlement::Refused(error)), .. } => error.is_transient(),
            _ => false,
        }
    }

    /// True for a change, unless it certainly was not applied.
    fn may_be_applied(&self) -> bool {
        use Settlement::{Absent, Refused};
        matches!(self, Step::Sent { settlement, .. } if !matches!(settlement, Some(Absent | Refused(_))))
    }

    /// The id of the object that it made.
    fn made(&self) -> Option<&str> {
        match self {
            Step::Sent { settlement: Some(Settlement::Done(answer)), .. } => answer["id"].as_str(),
            _ => None,
        }
    }
}

/// The error of a run that takes another way than its journal.
pub fn mismatch(lane: &str, number: u64, recorded: &Identity, now: &Identity) -> Error {
    let written = |identity: &Identity| format!("{}({})", identity.function, identity.shown);
    let (recorded, now) = (written(recorded), written(now));
    let mut hint = "nothing was sent; resume with the runbook as it was, or start a new run";
    let difference = match difference(&recorded, &now) {
        Some((recorded, now)) => format!("  recorded: {recorded}\n  now:      {now}"),
        // Two lines that look the same say nothing.
        None if now.contains(MASK) => {
            hint = "nothing was sent; resume with the secret as it was, in the variable, file or parameter that it \
                    comes from, or start a new run";
            format!("  both:     {now}\n  a secret in it has changed")
        }
        None => format!("  both:     {now}\n  they differ in a field of an object that is not shown"),
    };
    let message = format!("call {number} of lane `{lane}` differs from the journal\n{difference}");
    Error::new(crate::error::Kind::Mismatch, message).hint(hint)
}

/// The most characters before a difference that are shown.
const BEFORE: usize = 100;
/// The most characters from a difference on that are shown.
const FROM: usize = 120;

/// Two texts, shortened so that their first difference is visible; `None` if there is none.
fn difference(one: &str, other: &str) -> Option<(String, String)> {
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    if one == other {
        return None;
    }
    let start = if same > BEFORE { same - BEFORE / 2 } else { 0 };
    let shown = |text: &str| {
        let head = if start > 0 { "… " } else { "" };
        let tail = if text.chars().count() > same + FROM { "…" } else { "" };
        let part: String = text.chars().skip(start).take(same + FROM - start).collect();
        format!("{head}{part}{tail}")
    };
    Some((shown(one), shown(other)))
}
