//! The integration tests: rehearsals, the binary, and what the sandbox owes to the recordings.
#![allow(clippy::unwrap_used, reason = "tests")]

mod architecture;
mod binary;
mod command;
mod conformance;
mod errors;
mod examples;
mod golden;
mod lanes;
mod ledger;
mod operations;
mod reference;
mod rehearsal;
mod terminal;
mod units;
