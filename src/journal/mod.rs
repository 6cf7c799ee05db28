//! The record of a run: its calls, its requests, and their outcomes. A change is on record before it leaves.
//!
//! `record` defines the lines, `replay` (pure) draws conclusions from them, `file` stores them on the disk, `runs`
//! knows their directories.

pub mod deployed;
pub mod file;
mod format;
pub mod lane;
pub mod marker;
pub mod memory;
pub mod reached;
pub mod record;
pub mod replay;
pub mod runs;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event::sources::{self, Sources};
use crate::event::{Event, Fact, Sink};
use crate::model::{Generation, Part};
use crate::secret;
use file::Log;
use format::Written;
use marker::Marker;
pub use record::StepKey;
use record::{Ended, Identity, Line, Record, Saved, SavedError, Settlement};
use replay::{Before, Item, Known, Replay, State, Unsettled, Wish};

/// The traces of earlier processes of a run.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// The beginning of the run; anything older is not its doing.
    pub since: Option<Timestamp>,
    /// The time of the newest record.
    pub last: Option<Timestamp>,
    /// The moment at which this process took the run over; anything newer is not an earlier one's doing.
    pub taken_up: Timestamp,
}

impl Past {
    /// The past that a journal with this state records. `began` is the beginning of the run, if it is known elsewhere.
    pub fn of(state: &State, began: Option<Timestamp>, taken_up: Timestamp) -> Self {
        Self { since: state.first.or(began), last: state.last.or(began), taken_up }
    }
}

/// Values longer than this, as text, are written only once.
const LARGE: usize = 2048;

/// The most that a process on its way out waits for the state.
const MOMENT: Duration = Duration::from_millis(200);

/// The key for the hashes of a run: with its directory alone nobody can guess the hashed texts.
pub type Key = [u8; 32];

/// The last observation of a wait's subject: its part, status and task.
type Seen = (Option<Part>, String, Option<String>);

/// The journal of one run.
pub struct Journal {
    /// The secrets that this process has met: none of them is written.
    pub known: secret::Known,
    run: String,
    key: Key,
    clock: Clock,
    state: Mutex<State>,
    log: Option<Log>,
    /// The last written status and task of each subject of a wait.
    seen: Mutex<HashMap<String, Seen>>,
    /// Nothing may be done that is not recorded yet: a first pass over an edited runbook.
    only_replays: bool,
    past: Option<Past>,
    /// The deployments that the other runs on this cloud have made, read when somebody asks.
    others: Box<dyn Fn() -> Vec<Value> + Send + Sync>,
    deployed: OnceLock<Vec<Value>>,
}

/// The deepest nesting of lists and objects in a line: readers of JSON refuse more than 128.
const DEEPEST: usize = 120;

/// The deepest nesting of a value, so that a value around it, such as the result of a wave, can be kept as well.
pub const DEEPEST_VALUE: usize = 100;

impl Journal {
    /// A journal that ends with its process.
    pub fn in_memory(clock: Clock) -> Self {
        Self::new("rehearsal".to_owned(), [0; 32], clock, State::default(), None)
    }

    /// A journal of earlier records, with a place for the following ones.
    pub fn new(run: String, key: Key, clock: Clock, state: State, log: Option<Log>) -> Self {
        let (known, state, seen) = (secret::Known::default(), Mutex::new(state), Mutex::default());
        let (others, deployed) = (Box::new(Vec::new), OnceLock::new());
        Self { known, run, key, clock, state, log, seen, only_replays: false, past: None, others, deployed }
    }

    /// Remembers what other runs have deployed.
    #[must_use]
    pub fn remembering(self, others: impl Fn() -> Vec<Value> + Send + Sync + 'static) -> Self {
        Self { others: Box::new(others), ..self }
    }

    /// The deployments that other runs have made on this cloud, as when their journals were first asked.
    pub fn deployed_by_others(&self) -> &[Value] {
        self.deployed.get_or_init(|| (self.others)())
    }

    /// Masks the secrets that the process knows.
    #[must_use]
    pub fn knowing(self, known: secret::Known) -> Self {
        Self { known, ..self }
    }

    /// Continues the journal of earlier processes of the run.
    #[must_use]
    pub fn after(self, past: Past) -> Self {
        Self { past: Some(past), ..self }
    }

    /// Stops every call that goes beyond the recorded past.
    #[must_use]
    pub fn only_replaying(self) -> Self {
        Self { log: None, only_replays: true, ..self }
    }

    pub fn only_replays(&self) -> bool {
        self.only_replays
    }

    pub fn run(&self) -> &str {
        &self.run
    }

    /// A keyed hash.
    pub fn hash(&self, text: &str) -> String {
        hash(&self.key, text)
    }

    /// The marker that identifies, on the server, an object made by this step of this run.
    pub fn marker(&self, key: &StepKey, identity: &Identity) -> Marker {
        Marker::new(&self.run, key, self.state().rounds(&key.lane), identity)
    }

    /// The past of earlier processes; `None` for the first process of a run.
    pub fn past(&self) -> Option<Past> {
        self.past
    }

    /// True if the run has done more than its journal records: it was cut, or is an older copy.
    pub fn is_behind(&self) -> bool {
        self.state().is_behind
    }

    /// Notes that the run has done more than is recorded; returns true the first time.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn note_behind(&self) -> Result<bool> {
        if self.is_behind() {
            return Ok(false);
        }
        self.append(Record::Behind).map(|_| true)
    }

    /// True if the run is known to have made or used the object with this id.
    pub fn knows_id(&self, id: &str) -> bool {
        self.state().memory.has_id(id)
    }

    /// The ids of all users who have sent changes of the run; `None` if some of them are not on record.
    pub fn users(&self) -> Option<BTreeSet<String>> {
        self.state().memory.users()
    }

    /// True if the run has deleted the object with this id itself.
    pub fn has_deleted(&self, id: &str) -> bool {
        self.state().memory.has_deleted(id)
    }

    /// The reason why an attempt goes through this lane again; `None` for the first one.
    pub fn again(&self, lane: &str) -> Option<Wish> {
        self.state().again(lane)
    }

    /// Discards the result of this call: it is made again, with everything after it.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn anew(&self, lane: &Arc<str>, call: u64) -> Result<()> {
        self.append(Record::Anew { lane: lane.clone(), call }).map(drop)
    }

    /// True if the step that made an object is on record; another run's objects are not ours.
    pub fn knows_marker(&self, marker: &Marker) -> bool {
        marker.run != self.run || self.state().memory.has_step_of(marker)
    }

    /// The record of a call that is about to be made.
    pub fn replay(&self, lane: &str, call: u64, identity: &Identity) -> Replay {
        let mut state = self.state();
        match state.replay(lane, call, identity) {
            Replay::Answer(saved, last) => Replay::Answer(state.whole_saved(saved), last),
            Replay::Again(saved) => Replay::Again(state.whole_saved(saved)),
            other => other,
        }
    }

    /// True if the lane has been further than this call.
    pub fn is_replaying(&self, lane: &str, call: u64) -> bool {
        self.state().is_replaying(lane, call)
    }

    /// Records the start of a call that will have more lines than its result.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn called(&self, lane: &Arc<str>, call: u64, identity: &Identity) -> Result<()> {
        if self.state().knows_call(lane, call, identity) {
            return Ok(());
        }
        self.append(Record::Called { lane: lane.clone(), call, identity: identity.clone() }).map(drop)
    }

    /// The result that this step decided on the last time.
    pub fn decided(&self, key: &StepKey) -> Option<Saved> {
        let state = self.state();
        state.decided(key).map(|saved| state.whole_saved(saved))
    }

    /// # Errors
    /// It cannot be recorded.
    pub fn decide(&self, key: &StepKey, result: Saved, awaited: Vec<String>) -> Result<()> {
        let (lane, call, step) = (key.lane.clone(), key.call, key.step);
        self.append(Record::Decided { lane, call, step, result, awaited }).map(drop)
    }

    /// The record of a step that is about to be made.
    pub fn step(&self, key: &StepKey, method: &str, path: &str) -> Known {
        let state = self.state();
        match state.step(key, method, path) {
            Known::Done(answer) => Known::Done(state.whole(&answer)),
            Known::Kept(answer) => Known::Kept(state.whole(&answer)),
            other => other,
        }
    }

    /// Records that a change leaves next; returns when that is on the disk, with the state before it and its sender.
    ///
    /// # Errors
    /// It is not on the disk; nothing may be sent then.
    pub fn begin(&self, key: &StepKey, method: &str, path: &str, before: Before) -> Result<()> {
        let (lane, call, step) = (key.lane.clone(), key.call, key.step);
        let (method, path) = (method.to_owned(), path.to_owned());
        let Before { state: before, by } = before;
        let number = self.append(Record::Began { lane, call, step, method, path, before, by })?;
        self.sync(number)
    }

    /// Records that a change did not leave after all: it counts as never begun.
    ///
    /// # Errors
    /// It cannot be recorded: the step stays unknown.
    pub fn stayed(&self, key: &StepKey) -> Result<()> {
        self.append(Record::Stayed { lane: key.lane.clone(), call: key.call, step: key.step }).map(drop)
    }

    /// # Errors
    /// It cannot be recorded: the step stays unknown.
    pub fn settle(&self, key: &StepKey, settlement: Settlement) -> Result<()> {
        let (lane, call, step) = (key.lane.clone(), key.call, key.step);
        self.append(Record::Settled { lane, call, step, settlement }).map(drop)
    }

    /// Records that an earlier attempt has already done this step.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn keep(&self, key: &StepKey, method: &str, path: &str, answer: Value) -> Result<()> {
        let (lane, call, step) = (key.lane.clone(), key.call, key.step);
        let (method, path) = (method.to_owned(), path.to_owned());
        self.append(Record::Kept { lane, call, step, method, path, answer }).map(drop)
    }

    /// # Errors
    /// It cannot be recorded.
    pub fn returned(&self, lane: &Arc<str>, call: u64, identity: Identity, result: Saved, last: u64) -> Result<()> {
        self.append(Record::Returned { lane: lane.clone(), call, identity, result, last }).map(drop)
    }

    pub fn item(&self, lane: &str) -> Item {
        let state = self.state();
        match state.item(lane) {
            Item::Ended { mut ended, began } => {
                ended.result = state.whole_saved(ended.result);
                Item::Ended { ended, began }
            }
            other => other,
        }
    }

    /// # Errors
    /// It cannot be recorded.
    pub fn attempt(
        &self,
        lane: &Arc<str>,
        attempt: u32,
        not_before: Option<Timestamp>,
        cause: Option<SavedError>,
    ) -> Result<()> {
        self.append(Record::Attempt { lane: lane.clone(), attempt, not_before, cause }).map(drop)
    }

    /// # Errors
    /// It cannot be recorded.
    pub fn ended(&self, lane: &Arc<str>, ended: Ended) -> Result<()> {
        self.append(Record::Ended { lane: lane.clone(), ended }).map(drop)
    }

    /// # Errors
    /// It cannot be recorded.
    pub fn retry_failed(&self) -> Result<()> {
        self.append(Record::RetryFailed).map(drop)
    }

    /// Records the server's generation the first time; later it must be the same.
    ///
    /// # Errors
    /// `Mismatch` when it is another one.
    pub fn meet(&self, generation: Generation) -> Result<()> {
        let known = self.state().generation();
        match known {
            Some(known) if known == generation => Ok(()),
            Some(known) => Err(Error::new(
                crate::error::Kind::Mismatch,
                format!("the run began on a {} server, and this one is {}", known.word(), generation.word()),
            )
            .hint("resume with the settings of the cloud that it began on")),
            None => self.append(Record::Cloud { generation }).map(drop),
        }
    }

    /// Keeps events for reports. A failed write is reported by the next change.
    pub fn event(&self, event: &Event) {
        // The state knows the sources even if nothing is kept.
        let is_kept = self.log.is_some() || sources::concerns(&event.fact);
        if is_kept && is_told(&event.fact) && !is_said_before(&event.fact) && self.is_new(event) {
            let appended = self.append_at(event.at, Record::Event { event: event.clone() });
            // The gate may be answered by another process: it has to be on the disk.
            let waits = matches!(event.fact, Fact::GateReached { .. }) || sources::concerns(&event.fact);
            if let (true, Ok(number)) = (waits, appended) {
                let _ = self.sync(number);
            }
        }
    }

    /// True if an observation shows more than a higher percentage.
    fn is_new(&self, event: &Event) -> bool {
        let mut seen = self.seen.lock();
        match &event.fact {
            Fact::WaitChanged { subject, progress, .. } => {
                let at = (progress.part, progress.status.clone(), progress.task.clone());
                seen.insert(subject.id.clone(), at.clone()) != Some(at)
            }
            Fact::WaitFinished { subject, .. } | Fact::WaitLeft { subject, .. } => {
                seen.remove(&subject.id);
                true
            }
            _ => true,
        }
    }

    /// Fails if an event could not be written.
    ///
    /// # Errors
    /// `Storage`: the disk is full.
    pub fn usable(&self) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), Log::usable)
    }

    /// Requests of unknown outcome.
    pub fn unsettled(&self) -> Vec<Unsettled> {
        self.state().unsettled()
    }

    /// The sources that are off, for a process that must not wait; `None` if the state is not to be had at once.
    pub fn sources_now(&self) -> Option<Sources> {
        self.state.try_lock_for(MOMENT).map(|state| state.sources.clone())
    }

    /// The folded records.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn append(&self, record: Record) -> Result<u64> {
        self.append_at(self.clock.now(), record)
    }

    fn append_at(&self, at: Timestamp, mut record: Record) -> Result<u64> {
        let large = self.take_large(&mut record);
        let line = self.masked(Line { at, record });
        let text = self.text(&line)?;
        let mut state = self.state();
        if let Some((hash, value)) = large.filter(|(hash, _)| !state.has_value(hash)) {
            let line = self.masked(Line { at, record: Record::Value { hash, value } });
            self.write(&mut state, &self.text(&line)?, line)?;
        }
        self.write(&mut state, &text, line)
    }

    /// The line without secrets that were put where nobody expects one. Every line passes here on its way to the disk.
    fn masked(&self, line: Line) -> Line {
        masked(&self.known, &line, &NAMES).unwrap_or(line)
    }

    /// The text of a line, made before the others have to wait for it. A value that no reader would accept is refused
    /// now.
    fn text(&self, line: &Line) -> Result<String> {
        let text = self.log.as_ref().map(|_| file::encode(line)).unwrap_or_default();
        if nesting(&text) > DEEPEST { Err(too_deep()) } else { Ok(text) }
    }

    /// Writes a record and applies it to the state, in one order for all lanes.
    fn write(&self, state: &mut State, text: &str, line: Line) -> Result<u64> {
        let number = self.log.as_ref().map_or(Ok(0), |log| log.append(text))?;
        state.apply(line).map_err(|why| Error::internal(format!("the journal contradicts itself: {why}")))?;
        Ok(number)
    }

    fn sync(&self, number: u64) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.sync(number))
    }

    /// Replaces a large value by its hash.
    fn take_large(&self, record: &mut Record) -> Option<(String, Value)> {
        let value = match record {
            Record::Decided { result, .. } | Record::Returned { result, .. } => result.value_mut(),
            Record::Ended { ended, .. } => ended.result.value_mut(),
            Record::Settled { settlement: Settlement::Done(answer), .. } | Record::Kept { answer, .. } => Some(answer),
            Record::Settled { settlement: Settlement::Refused(_) | Settlement::Absent, .. } => None,
            Record::Journal { .. } | Record::Cloud { .. } | Record::Value { .. } | Record::Called { .. } => None,
            Record::Began { .. } | Record::Stayed { .. } | Record::Attempt { .. } | Record::Behind => None,
            Record::Anew { .. } | Record::RetryFailed | Record::Event { .. } => None,
        }?;
        if serde_json::to_writer(Room(LARGE), value).is_ok() {
            return None;
        }
        let hash = self.hash(&value.to_string());
        let mut short = serde_json::json!({ replay::VALUE: hash });
        if let Some(id) = value.get("id") {
            short["id"] = id.clone();
        }
        Some((hash, std::mem::replace(value, short)))
    }
}

/// A keyed hash: without the key nobody can guess the text from it.
pub fn hash(key: &Key, text: &str) -> String {
    blake3::keyed_hash(key, text.as_bytes()).to_hex()[..32].to_owned()
}

/// The fields that identify a line: a word in them stays readable even if it equals a secret.
const NAMES: [&str; 29] = [
    "record",
    "event",
    "at",
    "lane",
    "wave",
    "item",
    "items",
    "name",
    "outcome",
    "hash",
    "arguments",
    "function",
    "method",
    "path",
    "kind",
    "status",
    "generation",
    "level",
    "gate",
    "id",
    "replica",
    "instance",
    "power",
    "execution",
    "sources_off",
    "not_before",
    "next",
    "since",
    "$value",
];

/// The data with the secrets in its texts masked, except in the fields `but`; `None` if it has none.
fn masked<T: Serialize + DeserializeOwned>(known: &secret::Known, data: &T, but: &[&str]) -> Option<T> {
    let mut value = serde_json::to_value(data).ok()?;
    if !known.finds(&value.to_string()) {
        return None;
    }
    known.mask_value(&mut value, but);
    serde_json::from_value(value).ok()
}

/// A writer that accepts this many bytes and keeps none.
struct Room(usize);

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps events for reports and passes them on: all events pass here, and none holds a known secret afterwards.
pub struct Recorder {
    pub journal: Arc<Journal>,
    pub next: Arc<dyn Sink>,
}

impl Sink for Recorder {
    fn emit(&self, event: Event) {
        let written = Written(event);
        let Written(event) = masked(&self.journal.known, &written, &NAMES).unwrap_or(written);
        self.journal.event(&event);
        self.next.emit(event);
    }
}

/// True if reports of old runs need it.
fn is_told(fact: &Fact) -> bool {
    !matches!(fact, Fact::CallStarted { .. } | Fact::CallFinished { .. } | Fact::StepSettled { .. })
}

fn is_said_before(fact: &Fact) -> bool {
    matches!(fact, Fact::ItemFinished { earlier: true, .. })
}

/// The depth of the lists and objects in a line.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The refusal of a value that could be written but not read back.
pub fn too_deep() -> Error {
    Error::script(format!(
        "the value is nested too deeply to be kept: more than {DEEPEST_VALUE} lists and maps inside each other"
    ))
    .hint("is a list or a map put into itself in a loop? return less of it")
}

#[cfg(test)]
mod tests;
