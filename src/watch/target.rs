//! The target of a wait, and the seam through which questions about it are asked.

use std::collections::BTreeMap;

use serde_json::Value;

use jiff::SignedDuration;
use strum::IntoStaticStr;

use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::event::Subject;
use crate::model::{Generation, Object, Part, Phase, Pool};

/// The kind of subject that a pool is.
pub(super) const POOL: &str = "minion pool";

/// Something on the server that runs and ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// An execution of a transfer (or replica).
    Execution { transfer_id: String, id: String },
    /// A deployment, or a migration of the legacy generation.
    Deployment { id: String },
    /// The work on a minion pool, until it is at rest.
    Pool { id: String },
}

impl TargetKind {
    pub fn id(&self) -> &str {
        match self {
            TargetKind::Execution { id, .. } | TargetKind::Deployment { id } | TargetKind::Pool { id } => id,
        }
    }

    /// The id of something that another attempt makes again if it failed; a pool is repaired instead.
    pub fn remade(&self) -> Option<&str> {
        match self {
            TargetKind::Execution { .. } | TargetKind::Deployment { .. } => Some(self.id()),
            TargetKind::Pool { .. } => None,
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            TargetKind::Execution { .. } => "execution",
            TargetKind::Deployment { .. } => "deployment",
            TargetKind::Pool { .. } => POOL,
        }
    }

    /// The list that shows a change of its status. There are few pools, and none is worth a list.
    pub fn list(&self) -> Option<List> {
        match self {
            TargetKind::Execution { .. } => Some(List::Transfers),
            TargetKind::Deployment { .. } => Some(List::Deployments),
            TargetKind::Pool { .. } => None,
        }
    }

    /// The id of its row in that list.
    pub fn row(&self) -> &str {
        match self {
            TargetKind::Execution { transfer_id, .. } => transfer_id,
            TargetKind::Deployment { id } | TargetKind::Pool { id } => id,
        }
    }

    /// The part of a VM's way that it is, as far as the server's answer tells.
    pub fn part(&self, shown: &Value) -> Option<Part> {
        match self {
            TargetKind::Execution { .. } => Part::of_execution(shown),
            TargetKind::Deployment { .. } => Part::of_deployment(shown),
            TargetKind::Pool { .. } => None,
        }
    }

    /// The meaning of the status that the server shows for it.
    pub fn phase(&self, shown: &Value) -> Phase {
        match self {
            TargetKind::Pool { .. } => Pool::from(shown).phase(),
            _ => Object::from(shown).status().phase(),
        }
    }
}

/// A target of a wait.
#[derive(Clone, Debug)]
pub struct Target {
    pub kind: TargetKind,
    /// Its name for people: the names of the instances.
    pub label: String,
    /// The answer of the POST that started it: the first observation.
    pub first: Option<Value>,
    /// The sizes in bytes of each instance's disks, in the order of the disks, as far as they are known.
    pub disks: BTreeMap<String, Vec<u64>>,
}

impl Target {
    pub fn execution(transfer_id: impl Into<String>, id: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(TargetKind::Execution { transfer_id: transfer_id.into(), id: id.into() }, label)
    }

    pub fn deployment(id: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(TargetKind::Deployment { id: id.into() }, label)
    }

    pub fn pool(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(TargetKind::Pool { id: id.into() }, name)
    }

    fn new(kind: TargetKind, label: impl Into<String>) -> Self {
        Self { kind, label: label.into(), first: None, disks: BTreeMap::new() }
    }

    #[must_use]
    pub fn first(mut self, answer: Value) -> Self {
        self.first = Some(answer);
        self
    }

    #[must_use]
    pub fn disks(mut self, disks: BTreeMap<String, Vec<u64>>) -> Self {
        self.disks = disks;
        self
    }

    pub fn subject(&self) -> Subject {
        let label = if self.label.is_empty() { self.kind.id() } else { &self.label };
        let replica = match &self.kind {
            TargetKind::Execution { transfer_id, .. } => Some(transfer_id.clone()),
            TargetKind::Deployment { .. } | TargetKind::Pool { .. } => None,
        };
        Subject { kind: self.kind.word().to_owned(), id: self.kind.id().to_owned(), label: label.to_owned(), replica }
    }
}

/// A list of the server whose rows show changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum List {
    Transfers,
    Deployments,
}

impl List {
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// One question to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The object itself, with its tasks.
    Show(TargetKind),
    /// The rows that changed last, newest `updated_at` first. Never with a marker: paged that way, the server's answer
    /// is incomplete. Without a limit it is the whole list, the only form that the legacy generation knows.
    Feed { of: List, limit: Option<usize> },
}

/// The seam to the client: one blocking question, asked on the watcher's thread, which holds a busy token.
pub trait Ask: Send + Sync {
    /// The object (`Show`) or the array of rows (`Feed`), without the wrapping key.
    ///
    /// # Errors
    /// The client's errors.
    fn ask(&self, question: &Question) -> Result<Value>;

    /// The server's generation; asked once.
    ///
    /// # Errors
    /// The client's errors.
    fn generation(&self) -> Result<Generation>;

    /// The pause before asking an unreachable server again after `failures` failures in a row, the first of them at
    /// `since`.
    ///
    /// # Errors
    /// The failure itself when patience has run out.
    fn pause_after(&self, error: Error, failures: u32, since: Instant) -> Result<SignedDuration>;
}
