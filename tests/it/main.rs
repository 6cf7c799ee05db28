//! The integration tests: rehearsals, the binary, and what the sandbox owes to the recordings.
#![allow(clippy::unwrap_used, reason = "tests")]

mod anew;
mod architecture;
mod attempts;
mod behind;
mod binary;
mod checked;
mod command;
mod conformance;
mod crash;
mod errors;
mod examples;
mod files;
mod golden;
mod help;
mod history;
mod journal;
mod kinds;
mod lanes;
mod ledger;
mod limits;
mod lost;
mod nested;
mod operations;
mod planted;
mod prompt;
mod reference;
mod rehearsal;
mod resume;
mod runs;
mod sends;
mod session;
mod storage;
mod terminal;
mod units;
mod words;
