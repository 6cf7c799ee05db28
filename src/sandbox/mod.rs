//! The sandbox: a simulated Keystone and Coriolis of both generations, served over real HTTP on loopback.
//!
//! `world` holds the facts, one model for both generations, and computes the course of executions; `rules` are the
//! operations on it, and the truth that follows from it; `view` and `routes` put it on the wire in the words of a
//! generation; `keystone` issues tokens; `server` and `wire` listen; `ledger` keeps every change, and `rebuild` makes the
//! same world from it. Each imports only those named before it.

mod fault;
mod kept;
mod keystone;
mod ledger;
mod rebuild;
mod routes;
mod rules;
mod server;
mod view;
mod wire;
mod world;

pub use fault::{Fault, Trouble};
pub use ledger::Ledger;
pub use server::{Accepted, Options, Sandbox, serve, serve_kept};
pub use world::machine::{Disk, Machine, Nic};
pub use world::scenario::{Endpoint, Platform, Role, Scenario, Setting, Source};
pub use world::truth::{self, Truth};

#[cfg(test)]
mod tests;
