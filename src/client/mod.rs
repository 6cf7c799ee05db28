//! The Coriolis client: requests as values (one file per resource), one place that sends them, one that logs in.

pub mod deployments;
pub mod diagnostics;
pub mod endpoints;
pub mod executions;
pub mod instances;
pub mod keystone;
pub mod licensing;
pub mod logs;
pub mod migrations;
pub mod minion_pools;
pub mod networks;
pub mod options;
pub mod present;
pub mod providers;
pub mod regions;
pub mod sandbox;
pub mod schedules;
pub mod secrets;
pub mod services;
pub mod storage;
pub mod transfers;

mod answer;
mod base64;
mod departure;
mod filled;
mod filters;
mod generation;
mod http;
mod identity;
mod moment;
mod outage;
mod paging;
mod request;
mod retry;
mod shape;
mod shared;
mod trust;
mod wire;

pub use departure::Departure;
pub use filters::{Direction, Filters};
pub use generation::Names;
pub use http::{Client, DEFAULT_PATIENCE, Options};
pub use identity::{Access, Identity};
pub use request::{Answer, Method, Repeat, Request, Service};
pub use retry::{ADMISSIONS, Failure, TRIES, Trail, pause};
