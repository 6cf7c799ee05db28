//! Events: each fact is said once, and the report decides how it looks.

pub mod ran;
pub mod sources;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use strum::IntoStaticStr;

use crate::error::{Error, Kind};
use crate::model::{Generation, Part, Power};

/// The version of the event lines that `--output jsonl` prints; it is raised when a meaning changes.
pub const VERSION: u32 = 1;

/// One fact, with its time and lane.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// [`VERSION`].
    pub v: u32,
    /// In the run's clock: virtual in a rehearsal at full speed.
    pub at: Timestamp,
    #[serde(flatten)]
    pub origin: Origin,
    #[serde(flatten)]
    pub fact: Fact,
}

/// The origin of an event: the lane's path, and the innermost wave and item around it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// `main`, or `main/seed/web-01`.
    pub lane: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Arc<str>>,
}

/// The outcome of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "lowercase")]
pub enum Outcome {
    Ok,
    Failed,
    /// Never started: the failure budget was used up, or the run was paused before its turn.
    Skipped,
    /// Started, then interrupted by the operator; its work on the server may go on.
    Cancelled,
    /// A change was sent and it may or may not have been applied.
    Unknown,
}

impl Outcome {
    pub const ALL: [Outcome; 5] =
        [Outcome::Ok, Outcome::Failed, Outcome::Skipped, Outcome::Cancelled, Outcome::Unknown];

    /// Its name for scripts and programs.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// Its name for people: what goes on at the server is not cancelled.
    pub fn said(self) -> &'static str {
        match self {
            Outcome::Cancelled => "paused",
            other => other.word(),
        }
    }
}

/// The status of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Status {
    /// A process works on it.
    Running,
    Done,
    /// Items failed, more than allowed.
    #[strum(serialize = "items failed")]
    ItemsFailed,
    /// It ended with another error.
    Failed,
    Paused,
    /// A gate waits for an answer.
    #[strum(serialize = "needs answer")]
    Waiting,
    /// Its process is gone and left no end.
    Interrupted,
}

impl Status {
    /// The status of a run whose last process ended with `exit_code`, unless a process works on it now.
    pub fn of(exit_code: Option<u8>, alive: bool) -> Self {
        match exit_code {
            _ if alive => Status::Running,
            // With a full disk it was stopped, and everything that it had begun stands.
            None | Some(9) => Status::Interrupted,
            Some(0) => Status::Done,
            Some(3) => Status::ItemsFailed,
            Some(6) => Status::Paused,
            Some(8) => Status::Waiting,
            Some(_) => Status::Failed,
        }
    }

    pub fn word(self) -> &'static str {
        self.into()
    }

    /// True if it ended with an error, or with failed items.
    pub fn has_failed(self) -> bool {
        matches!(self, Status::ItemsFailed | Status::Failed)
    }

    /// True if `resume` without a name may mean it.
    pub fn is_unfinished(self) -> bool {
        !matches!(self, Status::Running | Status::Done)
    }
}

/// The subject of a wait: `execution`, `deployment`, ... and its name for people (the VMs' names).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    pub kind: String,
    pub id: String,
    /// The instances' names, or the id if they are unknown.
    pub label: String,
    /// The id of the replica that an execution belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
}

/// An observation of a wait's subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// The server's word: `RUNNING`, `CANCELLING`, ...
    pub status: String,
    /// The part of a VM's way that the subject is, as far as known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The type of the current task: `REPLICATE_DISKS`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// From 0 to 100; never falls, and stays below 100 until the end.
    pub percent: f64,
    /// The bytes copied and the bytes to copy, while a copy is running and the sizes are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<(u64, u64)>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Fact {
    RunStarted {
        runbook: Option<String>,
        cloud: String,
    },
    /// The first answer of the server showed its generation.
    CloudFound {
        generation: Generation,
        url: String,
    },
    CallStarted {
        call: u64,
        function: String,
    },
    CallFinished {
        call: u64,
        function: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A changing request was answered.
    StepSettled {
        call: u64,
        step: u32,
        method: String,
        path: String,
        status: u16,
    },
    /// A wave, or an `each` (named `each`), of these items, at most `limit` at once.
    WaveStarted {
        name: String,
        total: usize,
        limit: usize,
        /// The items' keys in order, so that reports do not list them by arrival.
        items: Vec<Arc<str>>,
        /// The number of the call that opened it: within a lane, the same number is the same wave, also in another
        /// attempt. 0 in journals without it.
        call: u64,
        /// The name of its closure: the waves of one closure take their items the same way. Empty in journals without
        /// it.
        #[serde(skip_serializing_if = "str::is_empty")]
        body: Arc<str>,
    },
    ItemStarted {
        attempt: u32,
    },
    /// An attempt failed and the item is tried again; attempt `attempt` of `attempts` begins at `next`.
    ItemRetried {
        attempt: u32,
        attempts: u32,
        #[serde(flatten)]
        cause: Cause,
        next: Timestamp,
    },
    ItemFinished {
        outcome: Outcome,
        attempts: u32,
        elapsed_seconds: f64,
        /// The error of its last attempt.
        #[serde(flatten)]
        cause: Option<Cause>,
        /// The error of its first attempt, if that differs.
        #[serde(skip_serializing_if = "Option::is_none")]
        first: Option<Cause>,
        /// It ended before this process began: a resumed run repeats it, for those who count.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        earlier: bool,
    },
    /// Nothing new starts in this wave, for this reason.
    WaveStopping {
        name: String,
        reason: String,
    },
    WaveFinished {
        name: String,
        counts: Counts,
        elapsed_seconds: f64,
    },
    WaitStarted {
        subject: Subject,
        since: Timestamp,
    },
    WaitChanged {
        subject: Subject,
        #[serde(flatten)]
        progress: Progress,
        since: Timestamp,
    },
    WaitFinished {
        subject: Subject,
        status: String,
        since: Timestamp,
        elapsed_seconds: f64,
    },
    /// A wait ended because the operator asked to stop; the server goes on with it.
    WaitLeft {
        subject: Subject,
        status: String,
    },
    /// The source of a VM goes off or is off, or is no longer in the run's hands.
    SourceChanged {
        /// The id of its replica, or of its migration.
        replica: String,
        /// The VM's name at its origin.
        instance: String,
        power: Power,
        since: Timestamp,
        /// The id of the execution, migration or deployment that shows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        execution: Option<String>,
        /// The person who says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A VM enters its cutover, which neither a pause nor the failures of others end half way.
    CutoverEntered {
        /// The VMs' names.
        label: String,
    },
    CutoverEnded {
        label: String,
        end: CutoverEnd,
    },
    /// A retry inside a unit: the action is done again.
    UnitRetried {
        function: String,
        attempt: u32,
        attempts: u32,
        #[serde(flatten)]
        cause: Cause,
        next: Timestamp,
    },
    /// A request is repeated after a failure that allows it.
    RequestRetried {
        method: String,
        path: String,
        #[serde(flatten)]
        cause: Cause,
        next: Timestamp,
    },
    /// The cloud has stopped answering; requests are retried until then. Repeated while it lasts.
    CloudAway {
        #[serde(flatten)]
        cause: Cause,
        since: Timestamp,
        until: Timestamp,
    },
    /// The cloud answers again.
    CloudBack {
        after_seconds: f64,
    },
    Logged {
        level: Level,
        message: String,
        /// The advice for a person.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// The script's own output: data for stdout.
    Printed {
        text: String,
    },
    /// The run continues where an earlier process stopped.
    RunResumed {
        run: String,
        /// The number of calls that already have their result.
        calls: usize,
        /// The earlier process, if it ended without saying so.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// The run waits for an answer.
    GateReached {
        gate: String,
        question: String,
    },
    GateAnswered {
        gate: String,
        answer: String,
        by: String,
    },
    /// The operator asked to stop, once (`now` false) or twice.
    StopRequested {
        now: bool,
    },
    /// The truth of a sandbox at the end of a run, if something is wrong: the VMs, by what is wrong with them.
    SandboxTold {
        running_twice: Vec<String>,
        stale: Vec<String>,
        half_copied: Vec<String>,
        sources_off: Vec<String>,
    },
    RunFinished {
        exit_code: u8,
        /// The exit code that it would have without sources that are off, if it is another one.
        #[serde(skip_serializing_if = "Option::is_none")]
        ended: Option<u8>,
        /// The VMs whose sources are off, or may be, and that do not run at their targets.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        sources_off: Vec<String>,
        elapsed_seconds: f64,
    },
}

/// The end of a cutover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CutoverEnd {
    /// Its closure has ended well.
    Verified,
    /// It failed, and its rollback says that the source is on.
    RolledBack,
    /// It failed, and the source is as it was left.
    Failed,
}

impl Fact {
    pub fn warning(message: impl Into<String>) -> Self {
        Fact::Logged { level: Level::Warning, message: message.into(), hint: None }
    }
}

/// The number of items per outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub ok: usize,
    pub failed: usize,
    pub skipped: usize,
    pub cancelled: usize,
    pub unknown: usize,
}

impl Counts {
    pub fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Failed => &mut self.failed,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Unknown => &mut self.unknown,
        } += 1;
    }

    pub fn get(&self, outcome: Outcome) -> usize {
        match outcome {
            Outcome::Ok => self.ok,
            Outcome::Failed => self.failed,
            Outcome::Skipped => self.skipped,
            Outcome::Cancelled => self.cancelled,
            Outcome::Unknown => self.unknown,
        }
    }

    pub fn total(&self) -> usize {
        Outcome::ALL.iter().map(|outcome| self.get(*outcome)).sum()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

/// The cause of a failure in its parts, so that nobody has to take them out of a text again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cause {
    #[serde(rename = "cause")]
    pub message: String,
    /// The advice for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The position in the script where it was thrown, and the functions that it passed through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The type of the task that failed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_task: Option<String>,
}

impl Cause {
    pub fn of(error: &Error) -> Self {
        let detail = |name: &str| error.details.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let through = detail("through").map(|through| format!(" in {through}")).unwrap_or_default();
        // An interruption has nothing to do with the script's position.
        let place = detail("place").filter(|_| error.kind != Kind::Interrupted);
        Self {
            message: error.message.clone(),
            hint: error.hint.clone(),
            place: place.map(|place| format!("{place}{through}")),
            failed_task: detail("task").map(str::to_owned),
        }
    }

    /// The message, with its place behind it.
    pub fn with_place(&self) -> String {
        match &self.place {
            Some(place) => format!("{} (at {place})", self.message),
            None => self.message.clone(),
        }
    }
}

impl From<&str> for Cause {
    fn from(message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::default() }
    }
}

/// A receiver of facts: the report, the journal, a test's list. Called from many threads; must not block for long.
pub trait Sink: Send + Sync {
    fn emit(&self, event: Event);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_stands_in_its_parts_beside_the_fact() {
        let error = Error::new(Kind::Failed, "gone")
            .hint("look")
            .detail("place", "w.rhai:2:5")
            .detail("through", "`seed` called at w.rhai:9:1")
            .detail("task", "REPLICATE_DISKS");
        let cause = Cause::of(&error);
        assert_eq!(cause.with_place(), "gone (at w.rhai:2:5 in `seed` called at w.rhai:9:1)");
        let (cause, first) = (Some(cause), Some(Cause::from("before")));
        let (outcome, attempts, elapsed_seconds) = (Outcome::Failed, 2, 1.5);
        let fact = Fact::ItemFinished { outcome, attempts, elapsed_seconds, cause, first, earlier: false };
        let text = serde_json::to_string(&fact).expect("plain data");
        assert_eq!(
            text,
            r#"{"event":"item_finished","outcome":"failed","attempts":2,"elapsed_seconds":1.5,"cause":"gone","hint":"look","place":"w.rhai:2:5 in `seed` called at w.rhai:9:1","failed_task":"REPLICATE_DISKS","first":{"cause":"before"}}"#
        );
    }
}
