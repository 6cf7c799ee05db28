//! The rules: the effect of each operation of the service on the world, and its refusals. All are methods of the cloud.

mod deployments;
mod endpoints;
mod executions;
mod info;
mod logs;
mod pools;
mod providers;
mod regions;
mod schedules;
mod scripts;
mod time;
mod transfers;
mod truth;

pub(super) use logs::{LOGS, LOGS_PREFIX, LogLine};
pub(super) use providers::Offer;
pub(super) use truth::TRUTH_PREFIX;
