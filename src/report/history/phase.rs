//! The phases that the server's many tasks are summed up to in a picture.

use strum::{IntoStaticStr, VariantArray};

/// The use of a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Phase {
    Prepare,
    Copy,
    Shutdown,
    Morph,
    Deploy,
    CleanUp,
    /// A wait without a known task.
    Wait,
    Pause,
}

impl Phase {
    pub const ALL: &[Phase] = Phase::VARIANTS;

    /// The phase of a task of a wait's subject (`execution`, `deployment`, ...).
    pub fn of(kind: &str, task: Option<&str>) -> Self {
        let Some(task) = task else { return Phase::Wait };
        let starts = |words: &[&str]| words.iter().any(|word| task.starts_with(word));
        match task {
            "REPLICATE_DISKS" => Phase::Copy,
            "SHUTDOWN_INSTANCE" => Phase::Shutdown,
            _ if starts(&["DELETE_", "CLEANUP_", "RELEASE_", "DETACH_"]) => Phase::CleanUp,
            _ if task.contains("OS_MORPHING") || task.contains("OSMORPHING") => Phase::Morph,
            _ if kind == "execution" => Phase::Prepare,
            _ if starts(&["VALIDATE_", "GET_INSTANCE_INFO", "DEPLOY_TRANSFER_", "DEPLOY_MIGRATION_"]) => Phase::Prepare,
            _ => Phase::Deploy,
        }
    }

    /// Its name in the legend, and its class in the picture.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// Its explanation, for the legend.
    pub fn meaning(self) -> &'static str {
        match self {
            Phase::Prepare => "prepare",
            Phase::Copy => "copy disks",
            Phase::Shutdown => "shut the source down",
            Phase::Morph => "adapt the OS",
            Phase::Deploy => "deploy",
            Phase::CleanUp => "clean up",
            Phase::Wait => "wait, task unknown",
            Phase::Pause => "pause before the next try",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_told_apart_by_what_they_are_for() {
        let cases = [
            ("execution", "VALIDATE_TRANSFER_SOURCE_INPUTS", Phase::Prepare),
            ("execution", "DEPLOY_TRANSFER_DISKS", Phase::Prepare),
            ("execution", "REPLICATE_DISKS", Phase::Copy),
            ("execution", "SHUTDOWN_INSTANCE", Phase::Shutdown),
            ("execution", "DELETE_TRANSFER_SOURCE_RESOURCES", Phase::CleanUp),
            ("deployment", "VALIDATE_DEPLOYMENT_INPUTS", Phase::Prepare),
            ("deployment", "CREATE_TRANSFER_DISK_SNAPSHOTS", Phase::Deploy),
            ("deployment", "DEPLOY_OS_MORPHING_RESOURCES", Phase::Morph),
            ("deployment", "OS_MORPHING", Phase::Morph),
            ("deployment", "DELETE_OS_MORPHING_RESOURCES", Phase::CleanUp),
            ("deployment", "FINALIZE_INSTANCE_DEPLOYMENT", Phase::Deploy),
            ("migration", "DEPLOY_MIGRATION_SOURCE_RESOURCES", Phase::Prepare),
        ];
        assert_eq!(cases.map(|(kind, task, _)| Phase::of(kind, Some(task))), cases.map(|(.., phase)| phase));
        assert_eq!(Phase::of("minion pool", None), Phase::Wait);
    }
}
