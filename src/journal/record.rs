//! The lines of a journal: what is written down, one JSON object a line.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Kind, Prospect};
use crate::event::{Event, Outcome};
use crate::model::Generation;

/// The version of the lines; a reader refuses newer ones.
pub const VERSION: u32 = 2;

/// One line: a record and when it was made, in the run's clock.
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
    /// The server's first answer told what it is.
    Cloud {
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
    /// What a call has read, waited for or settled on, so that it takes the same way again.
    Decided {
        lane: Arc<str>,
        call: u64,
        step: u32,
        result: Saved,
        /// Ids of what was waited for and did not succeed.
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
        /// What was there before, by which its effect is told from what others do.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        before: Value,
    },
    /// It surely did not leave after all: as if it had never begun.
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
        /// The number of the lane's last call when this one ended: closures that it ran have calls as well.
        last: u64,
    },
    /// An attempt of an item is launched, or will be, not before a time.
    Attempt {
        lane: Arc<str>,
        attempt: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        /// Why the attempt before it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<SavedError>,
    },
    /// An item has its outcome.
    Ended {
        lane: Arc<str>,
        ended: Ended,
    },
    /// What the run has done is ahead of the records before this one: they were cut, or are an older copy.
    Behind,
    /// What a call gave is gone, or is no longer so: this attempt makes it again, with what comes after it.
    Anew {
        lane: Arc<str>,
        call: u64,
    },
    /// The operator asked for what failed to be done again.
    RetryFailed,
    /// Something that reports tell.
    Event {
        event: Event,
    },
}

/// Which function was called with which arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub function: String,
    /// A keyed hash of the arguments.
    pub arguments: String,
    /// The arguments for people, shortened, without secrets.
    pub shown: String,
}

impl Identity {
    /// Whether it is the same call; the text for people does not count.
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
    /// It cannot be written down (a closure): whoever needs it makes it again.
    Unwritten,
}

/// An error without its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedError {
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

    /// An error that may be gone the next time.
    pub fn is_transient(&self) -> bool {
        matches!(self, Saved::Error(error) if error.is_transient())
    }
}

impl SavedError {
    /// One that says nothing about the world: it may be gone the next time.
    pub fn is_transient(&self) -> bool {
        Error::from(self.clone()).prospect() != Prospect::Final
    }
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// Applied; what the server answered, or what was found of it.
    Done(Value),
    /// Surely not applied: the server said no.
    Refused(SavedError),
    /// Surely not applied: its answer was lost, and nothing of it was found.
    Absent,
}

/// How an item ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    pub outcome: Outcome,
    pub attempts: u32,
    pub elapsed_seconds: f64,
    /// What its closure returned, or why its last attempt failed.
    pub result: Saved,
    /// Why its first attempt failed, where that was something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<SavedError>,
}
