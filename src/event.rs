//! What happened, said once as a fact; the report decides how it looks.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::Generation;

/// The version of the event lines that `--output jsonl` prints: a changed meaning raises it.
pub const VERSION: u32 = 1;

/// One fact, with the time and the lane it belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

/// Where in the run something happened: the lane's path, and the innermost wave and item it stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `main`, or `main/seed/web-01`.
    pub lane: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Arc<str>>,
}

/// How an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Failed,
    /// Never started: the failure budget was used up, or the run was paused before its turn.
    Skipped,
    /// Begun, and interrupted by the operator; what it started on the server may go on.
    Cancelled,
    /// A change was sent and nobody knows whether it was applied.
    Unknown,
}

impl Outcome {
    pub const ALL: [Outcome; 5] =
        [Outcome::Ok, Outcome::Failed, Outcome::Skipped, Outcome::Cancelled, Outcome::Unknown];

    pub fn word(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
            Outcome::Cancelled => "cancelled",
            Outcome::Unknown => "unknown",
        }
    }
}

/// What is waited for: `execution`, `deployment`, ... and how people call it (the VMs' names).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub kind: String,
    pub id: String,
    /// The instances' names, or the id where they are not known.
    pub label: String,
}

/// A look at something that is waited for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The server's word: `RUNNING`, `CANCELLING`, ...
    pub status: String,
    /// The type of the task that is at work: `REPLICATE_DISKS`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// 0 to 100; never backwards, below 100 until the end.
    pub percent: f64,
    /// Bytes copied and to be copied, where a copy is at work and the sizes are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<(u64, u64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Fact {
    RunStarted {
        runbook: Option<String>,
        cloud: String,
    },
    /// The first answer of the server told which generation it speaks.
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
    /// A wave, or an `each` (named `each`) of so many items, at most `limit` at once.
    WaveStarted {
        name: String,
        total: usize,
        limit: usize,
        /// The items' keys in their order, so that reports list them so and not by arrival.
        items: Vec<Arc<str>>,
        /// The number of the call that opened it: in one lane the same number is the same wave, also in another attempt.
        /// 0 in journals that do not have it.
        #[serde(default)]
        call: u64,
    },
    ItemStarted {
        attempt: u32,
    },
    /// An attempt failed and the item is tried again; attempt `attempt` of `attempts` begins at `next`.
    ItemRetried {
        attempt: u32,
        attempts: u32,
        cause: String,
        next: Timestamp,
    },
    ItemFinished {
        outcome: Outcome,
        attempts: u32,
        elapsed_seconds: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        /// It ended before this process began: a resumed run says it again, for those who count.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        earlier: bool,
    },
    /// Nothing new starts in this wave any more, and why.
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
    /// A retry inside a unit: the thing is done anew.
    UnitRetried {
        function: String,
        attempt: u32,
        attempts: u32,
        cause: String,
        next: Timestamp,
    },
    /// A request is repeated after a failure that allows it.
    RequestRetried {
        method: String,
        path: String,
        cause: String,
        next: Timestamp,
    },
    /// Nobody gets an answer from the cloud any more; it is tried until then. Said again when it lasts.
    CloudAway {
        cause: String,
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
    },
    /// What the script printed: data for stdout.
    Printed {
        text: String,
    },
    /// The run goes on where an earlier process of it stopped.
    RunResumed {
        run: String,
        /// How many calls have their result already.
        calls: usize,
        /// Who worked on it and is gone, where that was not said in order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// The run waits for somebody's answer.
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
    RunFinished {
        exit_code: u8,
        elapsed_seconds: f64,
    },
}

/// How many items ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

/// Where facts go: the report, the journal, a test's list. Called from many threads, must not block for long.
pub trait Sink: Send + Sync {
    fn emit(&self, event: Event);
}

/// One line that says what went wrong, as events carry it.
pub fn cause(error: &Error) -> String {
    match &error.hint {
        Some(hint) => format!("{} (hint: {hint})", error.message),
        None => error.message.clone(),
    }
}
