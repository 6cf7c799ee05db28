//! The states of executions, deployments, tasks and minion pools, as types.
//!
//! The words on the wire are the variants' names (`CANCELED` has one L there, `CANCELLING` two); an unknown word is
//! kept as it is.

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, Error};
use serde::{Deserialize, Serialize};

/// The state of an execution, or of a transfer or deployment, which read as their newest execution does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status<'a> {
    /// Never started. An execution has this status only when its POST failed half way.
    Unexecuted,
    Pending,
    Running,
    /// Also without a cancel, while a failed execution is cleaned up.
    Cancelling,
    AwaitingMinionAllocations,
    Completed,
    Error,
    Deadlocked,
    ErrorAllocatingMinions,
    Canceled,
    CanceledForDebugging,
    #[serde(untagged)]
    Other(&'a str),
}

/// The meaning of a [`Status`] for a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Never started.
    Idle,
    /// Still running. An unknown status counts as this: polling goes on, and it is reported.
    Active,
    Succeeded,
    Failed,
    Cancelled,
}

/// The state of one task of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus<'a> {
    Scheduled,
    Pending,
    Starting,
    Running,
    Syncing,
    Completed,
    Error,
    Failed,
    Canceled,
    Cancelling,
    CancellingAfterCompletion,
    CanceledAfterCompletion,
    CanceledForDebugging,
    ForceCanceled,
    FailedToCancel,
    FailedToSchedule,
    StrandedAfterDeadlock,
    Unscheduled,
    OnErrorOnly,
    ExecuteOnErrorOnly,
    #[serde(untagged)]
    Other(&'a str),
}

/// The state of a minion pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PoolStatus<'a> {
    Deallocated,
    ValidatingInputs,
    AllocatingSharedResources,
    AllocatingMachines,
    Allocated,
    InMaintenance,
    DeallocatingMachines,
    DeallocatingSharedResources,
    Error,
    #[serde(untagged)]
    Other(&'a str),
}

/// The state of one machine of a minion pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MachineStatus<'a> {
    Uninitialized,
    Allocating,
    Available,
    Healthchecking,
    Reserved,
    InUse,
    Deallocating,
    #[serde(untagged)]
    Other(&'a str),
}

impl Status<'_> {
    pub fn phase(self) -> Phase {
        match self {
            Status::Unexecuted => Phase::Idle,
            Status::Completed => Phase::Succeeded,
            Status::Error | Status::Deadlocked | Status::ErrorAllocatingMinions => Phase::Failed,
            Status::Canceled | Status::CanceledForDebugging => Phase::Cancelled,
            // `RUNNING` may already hold a failed task: only the status ends a wait.
            Status::Running | Status::Cancelling | Status::Pending | Status::AwaitingMinionAllocations => Phase::Active,
            Status::Other(_) => Phase::Active,
        }
    }

    pub fn is_final(self) -> bool {
        matches!(self.phase(), Phase::Succeeded | Phase::Failed | Phase::Cancelled)
    }

    pub fn is_active(self) -> bool {
        self.phase() == Phase::Active
    }

    pub fn succeeded(self) -> bool {
        self.phase() == Phase::Succeeded
    }

    /// True if it has succeeded or still may.
    pub fn is_alive(self) -> bool {
        self.is_active() || self.succeeded()
    }
}

impl TaskStatus<'_> {
    /// True if it will not change any more.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            TaskStatus::Completed
                | TaskStatus::Error
                | TaskStatus::Canceled
                | TaskStatus::ForceCanceled
                | TaskStatus::Unscheduled
                | TaskStatus::CanceledAfterCompletion
                | TaskStatus::CanceledForDebugging
                | TaskStatus::FailedToCancel
                | TaskStatus::FailedToSchedule
                | TaskStatus::StrandedAfterDeadlock
        )
    }
}

impl PoolStatus<'_> {
    /// True while it is being allocated.
    pub fn is_allocating(self) -> bool {
        matches!(self, Self::ValidatingInputs | Self::AllocatingSharedResources | Self::AllocatingMachines)
    }

    /// True while it is being deallocated.
    pub fn is_deallocating(self) -> bool {
        matches!(self, Self::DeallocatingMachines | Self::DeallocatingSharedResources)
    }
}

impl MachineStatus<'_> {
    /// True while it is on its way to another state.
    pub fn is_changing(self) -> bool {
        matches!(self, Self::Allocating | Self::Healthchecking | Self::Deallocating)
    }
}

/// A status is read from its word and shown as it.
macro_rules! words {
    ($($status:ident),*) => {$(
        impl<'a> From<&'a str> for $status<'a> {
            fn from(word: &'a str) -> Self {
                Self::deserialize(BorrowedStrDeserializer::<Error>::new(word)).unwrap_or(Self::Other(word))
            }
        }

        impl fmt::Display for $status<'_> {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Other(word) => out.write_str(word),
                    known => known.serialize(out),
                }
            }
        }
    )*};
}

words!(Status, TaskStatus, PoolStatus, MachineStatus);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_final_words_end_a_wait() {
        for status in
            ["COMPLETED", "ERROR", "DEADLOCKED", "ERROR_ALLOCATING_MINIONS", "CANCELED", "CANCELED_FOR_DEBUGGING"]
        {
            assert!(Status::from(status).is_final(), "{status}");
        }
        for status in ["RUNNING", "CANCELLING", "AWAITING_MINION_ALLOCATIONS", "PENDING", "SOMETHING_NEW"] {
            assert_eq!(Status::from(status).phase(), Phase::Active, "{status}");
        }
    }

    #[test]
    fn a_status_is_the_word_on_the_wire() {
        assert_eq!(Status::from("AWAITING_MINION_ALLOCATIONS"), Status::AwaitingMinionAllocations);
        assert_eq!(Status::from("MEDITATING"), Status::Other("MEDITATING"));
        assert_eq!(TaskStatus::from("completed"), TaskStatus::Other("completed"));
        for word in ["CANCELED_FOR_DEBUGGING", "MEDITATING", ""] {
            assert_eq!(Status::from(word).to_string(), word);
            assert_eq!(serde_json::to_value(Status::from(word)).unwrap(), word);
        }
    }
}
