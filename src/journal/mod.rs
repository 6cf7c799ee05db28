//! The record of a run: what was called, what was sent, and what became of it. A change is on record before it leaves.
//!
//! `record` says what is written, `replay` (pure) what follows from it, `file` how it lies on the disk, `runs` where.

pub mod file;
pub mod lane;
pub mod marker;
pub mod memory;
pub mod reached;
pub mod record;
pub mod replay;
pub mod runs;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event::{Event, Fact, Sink};
use crate::model::Generation;
use crate::secret;
use file::Log;
use marker::Marker;
use record::{Ended, Identity, Line, Record, Saved, SavedError, Settlement};
use replay::{Item, Known, Replay, State, Unsettled, Wish};

/// Which step of which call in which lane: never a line number, never the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepKey {
    pub lane: Arc<str>,
    pub call: u64,
    pub step: u32,
}

/// What earlier processes of a run have left.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// When the run began; what is older is not its doing.
    pub since: Option<Timestamp>,
    /// The time of the newest record.
    pub last: Option<Timestamp>,
    /// When this process took the run up; what is newer is no earlier one's doing.
    pub taken_up: Timestamp,
}

impl Past {
    /// What a journal of this state is the record of. `began` is when the run began, as far as that is known elsewhere.
    pub fn of(state: &State, began: Option<Timestamp>, taken_up: Timestamp) -> Self {
        Self { since: state.first.or(began), last: state.last.or(began), taken_up }
    }
}

/// Values longer than this, as text, are written once.
const LARGE: usize = 2048;

/// What keys the hashes of a run: those who have its directory alone cannot guess what was hashed.
pub type Key = [u8; 32];

/// The journal of one run.
pub struct Journal {
    /// The secrets that this process has met: none of them is written.
    pub known: secret::Known,
    run: String,
    key: Key,
    clock: Clock,
    state: Mutex<State>,
    log: Option<Log>,
    /// The status and the task of each thing that is waited for, as they were written last.
    seen: Mutex<HashMap<String, (String, Option<String>)>>,
    /// Nothing may be done that is not recorded yet: a first pass over an edited runbook.
    only_replays: bool,
    past: Option<Past>,
}

/// The most lists and objects inside of each other that a line may have: readers of JSON refuse more than 128.
const DEEPEST: usize = 120;

/// The most that a value may have, so that what holds it in turn, as the result of a wave does, can be kept as well.
pub const DEEPEST_VALUE: usize = 100;

impl Journal {
    /// A journal that ends with its process.
    pub fn in_memory(clock: Clock) -> Self {
        Self::new("rehearsal".to_owned(), [0; 32], clock, State::default(), None)
    }

    /// A journal of what was done before, and a place for what follows.
    pub fn new(run: String, key: Key, clock: Clock, state: State, log: Option<Log>) -> Self {
        let (known, state, seen) = (secret::Known::default(), Mutex::new(state), Mutex::default());
        Self { known, run, key, clock, state, log, seen, only_replays: false, past: None }
    }

    /// The same with the secrets that the process knows.
    #[must_use]
    pub fn knowing(self, known: secret::Known) -> Self {
        Self { known, ..self }
    }

    /// The journal of a run that earlier processes have worked on.
    #[must_use]
    pub fn after(self, past: Past) -> Self {
        Self { past: Some(past), ..self }
    }

    /// The same past, with nothing to come: whoever goes beyond it is stopped.
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

    /// What tells on the server that a thing was made by this step of this run.
    pub fn marker(&self, key: &StepKey, identity: &Identity) -> Marker {
        Marker::new(&self.run, key, self.state().rounds(&key.lane), identity)
    }

    /// What earlier processes may have done; `None` for the first one of a run.
    pub fn past(&self) -> Option<Past> {
        self.past
    }

    /// Whether the run has done more than its journal says: that was cut, or is an older copy.
    pub fn is_behind(&self) -> bool {
        self.state().is_behind
    }

    /// The run has done more than is recorded; says whether that is news.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn falls_behind(&self) -> Result<bool> {
        if self.is_behind() {
            return Ok(false);
        }
        self.append(Record::Behind).map(|_| true)
    }

    /// Whether the run is known to have made or used the thing of this id.
    pub fn knows_id(&self, id: &str) -> bool {
        self.state().memory.has_id(id)
    }

    /// Whether the run has deleted the thing of this id itself.
    pub fn has_deleted(&self, id: &str) -> bool {
        self.state().memory.has_deleted(id)
    }

    /// Whose wish an attempt is that goes through this lane again; `None` for the first one.
    pub fn again(&self, lane: &str) -> Option<Wish> {
        self.state().again(lane)
    }

    /// What this call gave is gone: it is made again, with what comes after it.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn anew(&self, lane: &Arc<str>, call: u64) -> Result<()> {
        self.append(Record::Anew { lane: lane.clone(), call }).map(drop)
    }

    /// Whether the step that made a thing is on record; what another run has made is none of ours.
    pub fn knows_marker(&self, marker: &Marker) -> bool {
        marker.run != self.run || self.state().memory.has_step_of(marker)
    }

    /// What is known of a call before it is made.
    pub fn replay(&self, lane: &str, call: u64, identity: &Identity) -> Replay {
        let mut state = self.state();
        match state.replay(lane, call, identity) {
            Replay::Answer(saved, last) => Replay::Answer(state.whole_saved(saved), last),
            Replay::Again(saved) => Replay::Again(state.whole_saved(saved)),
            other => other,
        }
    }

    /// Whether the lane has been further than this call.
    pub fn is_replaying(&self, lane: &str, call: u64) -> bool {
        self.state().is_replaying(lane, call)
    }

    /// A call begins that will have more lines than its result.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn called(&self, lane: &Arc<str>, call: u64, identity: &Identity) -> Result<()> {
        if self.state().knows_call(lane, call, identity) {
            return Ok(());
        }
        self.append(Record::Called { lane: lane.clone(), call, identity: identity.clone() }).map(drop)
    }

    /// What this step settled on the last time.
    pub fn decided(&self, key: &StepKey) -> Option<Saved> {
        let state = self.state();
        state.decided(key).map(|saved| state.whole_saved(saved))
    }

    /// # Errors
    /// When it cannot be recorded.
    pub fn decide(&self, key: &StepKey, result: Saved, awaited: Vec<String>) -> Result<()> {
        let (lane, call, step) = (key.lane.clone(), key.call, key.step);
        self.append(Record::Decided { lane, call, step, result, awaited }).map(drop)
    }

    /// What is known of a step before it is made.
    pub fn step(&self, key: &StepKey, method: &str, path: &str) -> Known {
        let state = self.state();
        match state.step(key, method, path) {
            Known::Done(answer) => Known::Done(state.whole(&answer)),
            Known::Kept(answer) => Known::Kept(state.whole(&answer)),
            other => other,
        }
    }

    /// A change leaves next: this comes back when that is on the disk, with what was there `before`.
    ///
    /// # Errors
    /// When it is not; nothing may be sent then.
    pub fn begin(&self, key: &StepKey, method: &str, path: &str, before: Value) -> Result<()> {
        let (lane, call, step) = (key.lane.clone(), key.call, key.step);
        let (method, path) = (method.to_owned(), path.to_owned());
        let number = self.append(Record::Began { lane, call, step, method, path, before })?;
        self.sync(number)
    }

    /// A change that was to leave did not: it is as if it had never begun.
    ///
    /// # Errors
    /// When it cannot be recorded: the step stays unknown.
    pub fn stayed(&self, key: &StepKey) -> Result<()> {
        self.append(Record::Stayed { lane: key.lane.clone(), call: key.call, step: key.step }).map(drop)
    }

    /// # Errors
    /// When it cannot be recorded: the step stays unknown.
    pub fn settle(&self, key: &StepKey, settlement: Settlement) -> Result<()> {
        let (lane, call, step) = (key.lane.clone(), key.call, key.step);
        self.append(Record::Settled { lane, call, step, settlement }).map(drop)
    }

    /// An earlier attempt has done this step already.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn keep(&self, key: &StepKey, method: &str, path: &str, answer: Value) -> Result<()> {
        let (lane, call, step) = (key.lane.clone(), key.call, key.step);
        let (method, path) = (method.to_owned(), path.to_owned());
        self.append(Record::Kept { lane, call, step, method, path, answer }).map(drop)
    }

    /// # Errors
    /// When it cannot be recorded.
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
    /// When it cannot be recorded.
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
    /// When it cannot be recorded.
    pub fn ended(&self, lane: &Arc<str>, ended: Ended) -> Result<()> {
        self.append(Record::Ended { lane: lane.clone(), ended }).map(drop)
    }

    /// # Errors
    /// When it cannot be recorded.
    pub fn retry_failed(&self) -> Result<()> {
        self.append(Record::RetryFailed).map(drop)
    }

    /// The server told what it is: the first time it is recorded, later it must be the same.
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

    /// Keeps what reports tell. What cannot be written is said by the next change.
    pub fn event(&self, event: &Event) {
        if self.log.is_some() && is_told(&event.fact) && !is_said_before(&event.fact) && self.is_new(event) {
            let appended = self.append_at(event.at, Record::Event { event: event.clone() });
            // Somebody is to answer it from elsewhere: it has to be there.
            if let (Fact::GateReached { .. }, Ok(number)) = (&event.fact, appended) {
                let _ = self.sync(number);
            }
        }
    }

    /// Whether a look at something that is waited for shows more than a higher percentage.
    fn is_new(&self, event: &Event) -> bool {
        let mut seen = self.seen.lock();
        match &event.fact {
            Fact::WaitChanged { subject, progress, .. } => {
                let at = (progress.status.clone(), progress.task.clone());
                seen.insert(subject.id.clone(), at.clone()) != Some(at)
            }
            Fact::WaitFinished { subject, .. } | Fact::WaitLeft { subject, .. } => {
                seen.remove(&subject.id);
                true
            }
            _ => true,
        }
    }

    /// Whether all that was told could be written down.
    ///
    /// # Errors
    /// `Storage`: the disk took no more.
    pub fn usable(&self) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), Log::usable)
    }

    /// Requests of which nobody knows whether they were applied.
    pub fn unsettled(&self) -> Vec<Unsettled> {
        self.state().unsettled()
    }

    /// What the records say together.
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

    /// The line without the secrets that somebody has put where nobody looks for one. The one door to the disk.
    fn masked(&self, line: Line) -> Line {
        masked(&self.known, &line, &NAMES).unwrap_or(line)
    }

    /// What is written of a line: made before the others have to wait for it. What no reader would take is refused now.
    fn text(&self, line: &Line) -> Result<String> {
        let text = self.log.as_ref().map(|_| file::encode(line)).unwrap_or_default();
        if nesting(&text) > DEEPEST { Err(too_deep()) } else { Ok(text) }
    }

    /// Writes a record and takes it into the state, in one order for all lanes.
    fn write(&self, state: &mut State, text: &str, line: Line) -> Result<u64> {
        let number = self.log.as_ref().map_or(Ok(0), |log| log.append(text))?;
        state.apply(line).map_err(|why| Error::internal(format!("the journal contradicts itself: {why}")))?;
        Ok(number)
    }

    fn sync(&self, number: u64) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.sync(number))
    }

    /// Puts a hash in the place of a large value.
    fn take_large(&self, record: &mut Record) -> Option<(String, Value)> {
        let value = match record {
            Record::Decided { result, .. } | Record::Returned { result, .. } => result.value_mut(),
            Record::Ended { ended, .. } => ended.result.value_mut(),
            Record::Settled { settlement: Settlement::Done(answer), .. } | Record::Kept { answer, .. } => Some(answer),
            _ => None,
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

/// A hash that those who do not have the key cannot guess the text by.
pub fn hash(key: &Key, text: &str) -> String {
    blake3::keyed_hash(key, text.as_bytes()).to_hex()[..32].to_owned()
}

/// What says of a line which it is: a secret that is the same word stays known, and the line readable.
const NAMES: [&str; 24] = [
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
    "not_before",
    "next",
    "since",
    "$value",
];

/// Plain data without the secrets in its texts, but for those fields; `None` where it has none.
fn masked<T: Serialize + DeserializeOwned>(known: &secret::Known, data: &T, but: &[&str]) -> Option<T> {
    let mut value = serde_json::to_value(data).ok()?;
    if !known.finds(&value.to_string()) {
        return None;
    }
    known.mask_value(&mut value, but);
    serde_json::from_value(value).ok()
}

/// Takes so many bytes and keeps none.
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

/// Keeps what reports tell, and passes it on: the one door of events, behind which none holds a known secret.
pub struct Recorder {
    pub journal: Arc<Journal>,
    pub next: Arc<dyn Sink>,
}

impl Sink for Recorder {
    fn emit(&self, event: Event) {
        let event = masked(&self.journal.known, &event, &NAMES).unwrap_or(event);
        self.journal.event(&event);
        self.next.emit(event);
    }
}

/// Whether reports of old runs need it.
fn is_told(fact: &Fact) -> bool {
    !matches!(fact, Fact::CallStarted { .. } | Fact::CallFinished { .. } | Fact::StepSettled { .. })
}

fn is_said_before(fact: &Fact) -> bool {
    matches!(fact, Fact::ItemFinished { earlier: true, .. })
}

/// How many lists and objects a line has inside of each other.
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

/// The refusal of a value that could be written and not be read.
pub fn too_deep() -> Error {
    Error::script(format!(
        "the value is nested too deeply to be kept: more than {DEEPEST_VALUE} lists and maps inside of each other"
    ))
    .hint("is a list or a map put into itself in a loop? return less of it")
}

#[cfg(test)]
mod tests;
