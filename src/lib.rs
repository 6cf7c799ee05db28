//! Move hundreds of virtual machines with Coriolis: runbooks in Rhai, rehearsed on an embedded simulated cloud.
//!
//! Words, the same everywhere: a *runbook* is a `.rhai` script; a *run* is one execution of it; a *call* is one use of
//! a script function; a *step* is one changing request of a call; a *lane* is a numbered sequence of calls with a path
//! (the main script is one, each wave item has its own below it); an *attempt* is one try of an item; a *wave* is many
//! items worked on at once under limits; an *item* is one element of a wave, mostly one VM, with a key; the *journal*
//! is the record of a run; the *sandbox* is the simulated cloud; a *generation* is the Coriolis API that a server
//! speaks: `legacy` (replicas, migrations) or `current` (transfers, deployments).
//!
#![doc = include_str!("README.md")]
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro, clippy::unwrap_used, clippy::disallowed_methods)]

pub mod access;
pub mod cancel;
pub mod check;
pub mod cli;
pub mod client;
pub mod clock;
pub mod decode;
pub mod disk;
pub mod duration;
pub mod error;
pub mod event;
pub mod functions;
pub mod inventory;
pub mod journal;
pub mod language;
pub mod limits;
pub mod memory;
pub mod model;
pub mod process;
pub mod repl;
pub mod report;
pub mod runtime;
pub mod sandbox;
pub mod secret;
pub mod settings;
pub mod watch;
pub mod wave;
