//! The integration tests: rehearsals, the binary, and what the sandbox owes to the recordings.
#![allow(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod reference;
