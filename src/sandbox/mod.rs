//! The sandbox: a simulated Keystone and Coriolis of both generations, served over real HTTP on loopback.
//!
//! `cloud` holds the state, one model for both generations; `graph` and `lifecycle` (both pure) say what becomes of an
//! execution; `view` and `routes` put it on the wire in the words of a generation; `keystone` gives tokens; `server`
//! and `wire` listen; `ledger` keeps every change, and `rebuild` makes the same cloud of that again.

mod cloud;
mod draw;
mod fault;
mod graph;
mod kept;
mod keystone;
mod ledger;
mod licensing;
mod lifecycle;
mod machine;
mod pool;
mod rebuild;
mod routes;
mod scenario;
mod scripts;
mod secrets;
mod server;
mod view;
mod wire;

pub use fault::{Fault, Trouble};
pub use ledger::Ledger;
pub use machine::{Disk, Machine, Nic};
pub use scenario::{Endpoint, Platform, Role, Scenario, Setting, Source};
pub use server::{Accepted, Options, Sandbox, serve, serve_kept};

#[cfg(test)]
mod tests;
