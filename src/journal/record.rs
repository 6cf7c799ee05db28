//! The lines of a journal, one JSON object each.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Kind, OVERRIDE, Prospect};
use crate::event::{Event, Outcome};
use crate::model::Generation;

use super::format;

/// The version of the lines; a reader refuses newer ones.
pub const VERSION: u32 = 3;

/// The key of a step: its lane, call and number; never a line number, never the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepKey {
    pub lane: Arc<str>,
    pub call: u64,
    pub step: u32,
}

/// One line: a record and its time, in the run's clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    pub at: Timestamp,
    #[serde(flatten)]
    pub record: Record,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// The first line of every file.
    Journal {
        version: u32,
    },
    /// The generation of the server, from its first answer.
    Cloud {
        #[serde(with = "format::generation")]
        generation: Generation,
    },
    /// A large value, written once; elsewhere it is `{"$value": hash}`.
    Value {
        hash: String,
        value: Value,
    },
    /// A call that has more than one line: it comes before its steps and before the lanes that it opens.
    Called {
        lane: Arc<str>,
        call: u64,
        identity: Identity,
    },
    /// A value that a call has read, waited for or decided on, so that it takes the same way again.
    Decided {
        lane: Arc<str>,
        call: u64,
        step: u32,
        result: Saved,
        /// Ids of objects that were waited for and did not succeed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        awaited: Vec<String>,
    },
    /// A changing request leaves next.
    Began {
        lane: Arc<str>,
        call: u64,
        step: u32,
        method: String,
        path: String,
        /// The state before it, which tells its effect from the changes of others.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        before: Value,
        /// The id of the user who sends it: what others make at the same time shows another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// It certainly did not leave after all: it counts as never begun.
    Stayed {
        lane: Arc<str>,
        call: u64,
        step: u32,
    },
    Settled {
        lane: Arc<str>,
        call: u64,
        step: u32,
        settlement: Settlement,
    },
    /// A step that an earlier attempt has done and this one does not repeat.
    Kept {
        lane: Arc<str>,
        call: u64,
        step: u32,
        method: String,
        path: String,
        answer: Value,
    },
    Returned {
        lane: Arc<str>,
        call: u64,
        identity: Identity,
        result: Saved,
        /// The number of the lane's last call when this one ended: the closures that it ran make calls as well.
        last: u64,
    },
    /// An attempt of an item is launched, or will be, but not before a time.
    Attempt {
        lane: Arc<str>,
        attempt: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        /// The error of the attempt before it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<SavedError>,
    },
    /// An item has its outcome.
    Ended {
        lane: Arc<str>,
        ended: Ended,
    },
    /// The run has done more than is recorded before this line: the records were cut, or are an older copy.
    Behind,
    /// The result of a call is gone, or no longer true: this attempt makes it again, with everything after it.
    Anew {
        lane: Arc<str>,
        call: u64,
    },
    /// The operator asked to repeat the failed items.
    RetryFailed,
    /// An event for reports.
    Event {
        #[serde(with = "format::EventLine")]
        event: Event,
    },
}

/// The function that was called, and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub function: String,
    /// A keyed hash of the arguments.
    pub arguments: String,
    /// The arguments for people, shortened, without secrets.
    pub shown: String,
}

impl Identity {
    /// True if it is the same call; the text for people does not count.
    pub fn is(&self, other: &Identity) -> bool {
        self.function == other.function && self.arguments == other.arguments
    }
}

/// A result as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saved {
    Ok(Value),
    Error(SavedError),
    /// A value that the script threw.
    Thrown(Value),
    /// It cannot be written down (a closure): a call that needs it makes it again.
    Unwritten,
}

/// An error without its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedError {
    #[serde(with = "format::kind")]
    pub kind: Kind,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

impl From<&Error> for SavedError {
    fn from(error: &Error) -> Self {
        let (message, hint) = (error.message.clone(), error.hint.clone());
        Self { kind: error.kind, message, hint, details: error.details.clone() }
    }
}

impl From<SavedError> for Error {
    fn from(saved: SavedError) -> Self {
        let SavedError { kind, message, hint, details } = saved;
        Self { kind, message, hint, details, source: None }
    }
}

impl Saved {
    pub(super) fn value_mut(&mut self) -> Option<&mut Value> {
        match self {
            Saved::Ok(value) | Saved::Thrown(value) => Some(value),
            Saved::Error(_) | Saved::Unwritten => None,
        }
    }

    /// True for the refusal of a guard: it may be followed, or overridden.
    pub fn is_of_guard(&self) -> bool {
        matches!(self, Saved::Error(error) if error.kind == Kind::Refused && error.details.contains_key(OVERRIDE))
    }

    /// True for an error that may be gone the next time.
    pub fn is_transient(&self) -> bool {
        matches!(self, Saved::Error(error) if error.is_transient())
    }
}

impl SavedError {
    /// True for an error that says nothing about the world: it may be gone the next time.
    pub fn is_transient(&self) -> bool {
        Error::from(self.clone()).prospect() != Prospect::Final
    }
}

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// Applied, with the server's answer, or the object that was found.
    Done(Value),
    /// Certainly not applied: the server refused it.
    Refused(SavedError),
    /// Certainly not applied: its answer was lost, and no trace of it was found.
    Absent,
}

/// The outcome of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    #[serde(with = "format::outcome")]
    pub outcome: Outcome,
    pub attempts: u32,
    pub elapsed_seconds: f64,
    /// The result of its closure, or the error of its last attempt.
    pub result: Saved,
    /// The error of its first attempt, if that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<SavedError>,
}
