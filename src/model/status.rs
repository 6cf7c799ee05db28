//! The meaning of a status of an execution, a deployment or a task.

/// The meaning of a status. The strings are the server's (`CANCELED` has one L there, `CANCELLING` two).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Never started. An execution has this status only when its POST failed half way.
    Idle,
    /// Still running. An unknown status counts as this: polling goes on, and it is reported.
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

/// The phase of an execution's or a deployment's status. `CANCELLING` also appears without a cancel, while a failed
/// execution is cleaned up, and `RUNNING` may already hold a failed task: only this status ends a wait.
pub fn phase(status: &str) -> Phase {
    match status {
        "UNEXECUTED" => Phase::Idle,
        "COMPLETED" => Phase::Succeeded,
        "ERROR" | "DEADLOCKED" | "ERROR_ALLOCATING_MINIONS" => Phase::Failed,
        "CANCELED" | "CANCELED_FOR_DEBUGGING" => Phase::Cancelled,
        _ => Phase::Active,
    }
}

/// True if a task of this status will not change any more.
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
