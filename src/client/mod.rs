//! The Coriolis client: requests as values, one place that sends them, one that logs in.

mod identity;
pub mod keystone;
mod request;

pub use identity::{Access, Identity};
pub use request::{Answer, Method, Repeat, Request};
