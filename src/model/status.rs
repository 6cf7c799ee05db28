//! What a status of an execution, a deployment or a task means for somebody who waits.

/// What a status means. The strings are the server's (`CANCELED` has one L there, `CANCELLING` two).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Never started. An execution reads so only when its POST failed half way.
    Idle,
    /// Still going on. An unknown status counts as this: it is polled on, and said.
    Active,
    Succeeded,
    Failed,
    Cancelled,
}

impl Phase {
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed | Phase::Cancelled)
    }
}

/// The phase of an execution's or a deployment's status. `CANCELLING` appears without any cancel as well, while the
/// clean-up of a failed execution runs, and `RUNNING` may already hold a failed task: only this status ends a wait.
pub fn phase(status: &str) -> Phase {
    match status {
        "UNEXECUTED" => Phase::Idle,
        "COMPLETED" => Phase::Succeeded,
        "ERROR" | "DEADLOCKED" | "ERROR_ALLOCATING_MINIONS" => Phase::Failed,
        "CANCELED" | "CANCELED_FOR_DEBUGGING" => Phase::Cancelled,
        _ => Phase::Active,
    }
}

/// Whether a task of this status will not change any more.
pub fn task_is_final(status: &str) -> bool {
    matches!(
        status,
        "COMPLETED"
            | "ERROR"
            | "CANCELED"
            | "FORCE_CANCELED"
            | "UNSCHEDULED"
            | "CANCELED_AFTER_COMPLETION"
            | "CANCELED_FOR_DEBUGGING"
            | "FAILED_TO_CANCEL"
            | "FAILED_TO_SCHEDULE"
            | "STRANDED_AFTER_DEADLOCK"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_final_words_end_a_wait() {
        for status in
            ["COMPLETED", "ERROR", "DEADLOCKED", "ERROR_ALLOCATING_MINIONS", "CANCELED", "CANCELED_FOR_DEBUGGING"]
        {
            assert!(phase(status).is_final(), "{status}");
        }
        for status in ["RUNNING", "CANCELLING", "AWAITING_MINION_ALLOCATIONS", "PENDING", "SOMETHING_NEW"] {
            assert_eq!(phase(status), Phase::Active, "{status}");
        }
    }
}
