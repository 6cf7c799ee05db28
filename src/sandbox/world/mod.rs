//! The facts: the objects of the simulated clouds, and the course of a plan as time passes. The effects of requests are
//! decided elsewhere.

mod action;
mod caller;
mod cloud;
mod deployment;
mod draw;
mod endpoint;
mod graph;
mod held;
pub(super) mod licensing;
mod lifecycle;
pub mod machine;
mod pool;
mod python;
mod refusal;
mod region;
pub mod scenario;
mod schedule;
pub(super) mod secrets;
mod site;
mod stamp;
mod story;
mod transfer;
pub mod truth;
mod words;

pub(super) use action::{Action, empty, notes};
pub(super) use caller::Caller;
pub(super) use cloud::{Cloud, Due, Running};
pub(super) use deployment::{Booted, Deployed, Deployment};
pub(super) use draw::draw;
pub(super) use endpoint::{Endpoint, EndpointDraft, TELLING};
pub(super) use graph::{Copying, Direct, Graph, Morphing, Note, Spec};
pub(super) use held::Held;
pub(super) use lifecycle::{Plan, Seen};
pub(super) use machine::Machine;
pub(super) use pool::{Pool, role_word};
pub(super) use python::python;
pub(super) use refusal::Refusal;
pub(super) use region::{Region, Service};
pub(super) use schedule::Schedule;
pub(super) use site::{Power, Site, Switched};
pub(super) use stamp::stamp;
pub(super) use story::{Minion, Story};
pub(super) use transfer::{Copied, Execution, ExecutionKind, Transfer, new_volumes};
