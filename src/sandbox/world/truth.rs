//! The truth about the simulated clouds, which no server tells: the machines that run, and the data that they hold.

use jiff::Timestamp;
use serde::Serialize;

/// The truth at one time. The lists at the end hold the names of the VMs with each [`Wrong`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Truth {
    pub at: Timestamp,
    /// The sources.
    pub vms: Vec<SourceVm>,
    /// The machines that deployments have booted on the target.
    pub machines: Vec<TargetMachine>,
    /// The volumes of replicas, also of deleted ones, whose volumes stay behind.
    pub volumes: Vec<CopiedVolume>,
    pub running_twice: Vec<String>,
    pub stale: Vec<String>,
    pub half_copied: Vec<String>,
    pub sources_off: Vec<String>,
}

/// A machine at its source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceVm {
    pub name: String,
    /// The endpoint's name.
    pub endpoint: String,
    pub power: Switch,
    /// The version of its disks: the last moment at which it wrote. It writes while it is on.
    pub written_at: Timestamp,
    /// The ids of its machines that run on the target.
    pub machines: Vec<String>,
    pub wrong: Vec<Wrong>,
}

/// The wrongs of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// It runs at two places: the source beside a machine on the target, or two machines.
    RunningTwice,
    /// A running machine booted older data than the source held.
    Stale,
    /// A running machine booted blocks of different times.
    HalfCopied,
    /// The source is off, and no machine runs on the target.
    SourceOff,
}

/// A machine on the target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetMachine {
    pub id: String,
    pub name: String,
    /// The endpoint of the VM that it was, by name.
    pub endpoint: String,
    /// The endpoint that it runs on, by name.
    pub destination: String,
    pub power: Switch,
    pub content: Content,
    /// The version of the data that it booted; the oldest part of it if it is half copied, and nothing if a part was
    /// never copied.
    pub written_at: Option<Timestamp>,
    /// The version that the source had then.
    pub source_written_at: Timestamp,
    pub booted_at: Timestamp,
    pub deployment_id: String,
    /// The replica; nothing for a migration that copied and deployed at once.
    pub transfer_id: Option<String>,
}

/// A volume of a replica.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CopiedVolume {
    pub id: String,
    /// The VM whose disk it is the copy of.
    pub vm: String,
    pub endpoint: String,
    pub transfer_id: String,
    /// True if its replica was deleted: nothing can delete it any more.
    pub left_behind: bool,
    pub content: VolumeContent,
    /// The version that it holds; the oldest part of it if it is half copied.
    pub written_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    On,
    Off,
}

/// The data of a machine at its boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// All that the source had written.
    Current,
    /// A state that the source had once; it wrote more since.
    Stale,
    /// Blocks of different times, or none at all for a part.
    Half,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeContent {
    Empty,
    Half,
    /// A state that the source had once.
    Whole,
}

/// The VMs with this wrong.
pub fn vms_with(vms: &[SourceVm], wrong: Wrong) -> impl Iterator<Item = &SourceVm> {
    vms.iter().filter(move |vm| vm.wrong.contains(&wrong))
}

impl Switch {
    pub(in crate::sandbox) fn of(on: bool) -> Self {
        if on { Switch::On } else { Switch::Off }
    }
}
