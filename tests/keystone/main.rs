//! Logging in at a real Keystone, which `.ci/run` starts: each kind of credential, each way to fail, and tokens that end
//! in the middle of a run; and secrets in a real Barbican beside it.
//!
//! One test at a time (`--test-threads=1`): each login writes to Keystone's database, and of two writers at once SQLite
//! refuses one, which Keystone makes a 500 of.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ends;
mod refused;
mod runs;
mod secrets;
mod taken;
mod world;
