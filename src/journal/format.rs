//! The program's own values as a journal writes them: the names here are those of the files, whatever the program calls
//! the same things. A name that stands in a file stays (`#[serde(rename)]`, or another name in a table of words).

use std::sync::Arc;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Kind;
use crate::event::{Cause, Counts, CutoverEnd, Event, Fact, Level, Origin, Outcome, Progress, Subject};
use crate::model::{Generation, Part, Power};

/// A module for `#[serde(with)]`: each value of an enum by its word.
macro_rules! words {
    ($name:ident, $of:ident: $($value:ident = $word:literal),+) => {
        pub(super) mod $name {
            use super::*;

            pub fn serialize<S: Serializer>(value: &$of, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(match value { $($of::$value => $word),+ })
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$of, D::Error> {
                match String::deserialize(from)?.as_str() {
                    $($word => Ok($of::$value),)+
                    other => Err(D::Error::unknown_variant(other, &[$($word),+])),
                }
            }
        }
    };
}

words!(kind, Kind: Script = "script", Input = "input", Unreachable = "unreachable", Login = "login", Api = "api",
    NotFound = "not_found", Ambiguous = "ambiguous", Refused = "refused", Failed = "failed", Cancelled = "cancelled",
    Timeout = "timeout", Unknown = "unknown", Interrupted = "interrupted", ItemsFailed = "items_failed",
    Mismatch = "mismatch", NeedsAnswer = "needs_answer", Journal = "journal", Storage = "storage", Limit = "limit",
    Internal = "internal");
words!(outcome, Outcome: Ok = "ok", Failed = "failed", Skipped = "skipped", Cancelled = "cancelled", Unknown = "unknown");
words!(level, Level: Debug = "debug", Info = "info", Warning = "warning", Error = "error");
words!(cutover_end, CutoverEnd: Verified = "verified", RolledBack = "rolled_back", Failed = "failed");
words!(power, Power: GoingOff = "going_off", Off = "off", Unclear = "unclear", Deployed = "deployed", On = "on", Moved = "moved");
words!(part, Part: FirstCopy = "first_copy", Delta = "delta", FinalCopy = "final_copy", FinalDelta = "final_delta",
    Deploy = "deploy", Migration = "migration");
words!(generation, Generation: Legacy = "legacy", Current = "current");

/// An event as it is written.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Written(#[serde(with = "EventLine")] pub Event);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Event")]
pub(super) struct EventLine {
    v: u32,
    at: Timestamp,
    #[serde(flatten, with = "OriginLine")]
    origin: Origin,
    #[serde(flatten, with = "FactLine")]
    fact: Fact,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Fact", tag = "event")]
enum FactLine {
    #[serde(rename = "run_started")]
    RunStarted { runbook: Option<String>, cloud: String },
    #[serde(rename = "cloud_found")]
    CloudFound {
        #[serde(with = "generation")]
        generation: Generation,
        url: String,
    },
    #[serde(rename = "call_started")]
    CallStarted { call: u64, function: String },
    #[serde(rename = "call_finished")]
    CallFinished {
        call: u64,
        function: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    #[serde(rename = "step_settled")]
    StepSettled { call: u64, step: u32, method: String, path: String, status: u16 },
    #[serde(rename = "wave_started")]
    WaveStarted {
        name: String,
        total: usize,
        limit: usize,
        items: Vec<Arc<str>>,
        #[serde(default)]
        call: u64,
        #[serde(default, skip_serializing_if = "str::is_empty")]
        body: Arc<str>,
    },
    #[serde(rename = "item_started")]
    ItemStarted { attempt: u32 },
    #[serde(rename = "item_retried")]
    ItemRetried {
        attempt: u32,
        attempts: u32,
        #[serde(flatten, with = "CauseLine")]
        cause: Cause,
        next: Timestamp,
    },
    #[serde(rename = "item_finished")]
    ItemFinished {
        #[serde(with = "outcome")]
        outcome: Outcome,
        attempts: u32,
        elapsed_seconds: f64,
        #[serde(flatten, with = "maybe")]
        cause: Option<Cause>,
        #[serde(default, with = "maybe", skip_serializing_if = "Option::is_none")]
        first: Option<Cause>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        earlier: bool,
    },
    #[serde(rename = "wave_stopping")]
    WaveStopping { name: String, reason: String },
    #[serde(rename = "wave_finished")]
    WaveFinished {
        name: String,
        #[serde(with = "CountsLine")]
        counts: Counts,
        elapsed_seconds: f64,
    },
    #[serde(rename = "wait_started")]
    WaitStarted {
        #[serde(with = "SubjectLine")]
        subject: Subject,
        since: Timestamp,
    },
    #[serde(rename = "wait_changed")]
    WaitChanged {
        #[serde(with = "SubjectLine")]
        subject: Subject,
        #[serde(flatten, with = "ProgressLine")]
        progress: Progress,
        since: Timestamp,
    },
    #[serde(rename = "wait_finished")]
    WaitFinished {
        #[serde(with = "SubjectLine")]
        subject: Subject,
        status: String,
        since: Timestamp,
        elapsed_seconds: f64,
    },
    #[serde(rename = "wait_left")]
    WaitLeft {
        #[serde(with = "SubjectLine")]
        subject: Subject,
        status: String,
    },
    #[serde(rename = "source_changed")]
    SourceChanged {
        replica: String,
        instance: String,
        #[serde(with = "power")]
        power: Power,
        since: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        execution: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    #[serde(rename = "cutover_entered")]
    CutoverEntered { label: String },
    #[serde(rename = "cutover_ended")]
    CutoverEnded {
        label: String,
        #[serde(with = "cutover_end")]
        end: CutoverEnd,
    },
    #[serde(rename = "unit_retried")]
    UnitRetried {
        function: String,
        attempt: u32,
        attempts: u32,
        #[serde(flatten, with = "CauseLine")]
        cause: Cause,
        next: Timestamp,
    },
    #[serde(rename = "request_retried")]
    RequestRetried {
        method: String,
        path: String,
        #[serde(flatten, with = "CauseLine")]
        cause: Cause,
        next: Timestamp,
    },
    #[serde(rename = "cloud_away")]
    CloudAway {
        #[serde(flatten, with = "CauseLine")]
        cause: Cause,
        since: Timestamp,
        until: Timestamp,
    },
    #[serde(rename = "cloud_back")]
    CloudBack { after_seconds: f64 },
    #[serde(rename = "logged")]
    Logged {
        #[serde(with = "level")]
        level: Level,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    #[serde(rename = "printed")]
    Printed { text: String },
    #[serde(rename = "run_resumed")]
    RunResumed {
        run: String,
        calls: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    #[serde(rename = "gate_reached")]
    GateReached { gate: String, question: String },
    #[serde(rename = "gate_answered")]
    GateAnswered { gate: String, answer: String, by: String },
    #[serde(rename = "stop_requested")]
    StopRequested { now: bool },
    #[serde(rename = "sandbox_told")]
    SandboxTold { running_twice: Vec<String>, stale: Vec<String>, half_copied: Vec<String>, sources_off: Vec<String> },
    #[serde(rename = "run_finished")]
    RunFinished {
        exit_code: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<u8>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sources_off: Vec<String>,
        elapsed_seconds: f64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Origin")]
struct OriginLine {
    lane: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wave: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Subject")]
struct SubjectLine {
    kind: String,
    id: String,
    label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replica: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Progress")]
struct ProgressLine {
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_part")]
    part: Option<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    percent: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<(u64, u64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Counts")]
struct CountsLine {
    ok: usize,
    failed: usize,
    skipped: usize,
    cancelled: usize,
    unknown: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Cause")]
struct CauseLine {
    #[serde(rename = "cause")]
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed_task: Option<String>,
}

/// A cause that may be missing.
pub(super) mod maybe {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct There(#[serde(with = "CauseLine")] Cause);

    pub fn serialize<S: Serializer>(cause: &Option<Cause>, to: S) -> Result<S::Ok, S::Error> {
        cause.clone().map(There).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Cause>, D::Error> {
        Ok(Option::<There>::deserialize(from)?.map(|There(cause)| cause))
    }
}

/// A part that may be missing.
pub(super) mod maybe_part {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct There(#[serde(with = "part")] Part);

    pub fn serialize<S: Serializer>(part: &Option<Part>, to: S) -> Result<S::Ok, S::Error> {
        part.map(There).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Part>, D::Error> {
        Ok(Option::<There>::deserialize(from)?.map(|There(part)| part))
    }
}
