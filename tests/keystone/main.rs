//! Logging in at a real Keystone, which `.ci/run` starts: each kind of credential, each way to fail, and tokens that end
//! in the middle of a run.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ends;
mod refused;
mod taken;
mod world;
