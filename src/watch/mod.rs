//! The one watcher: every wait in the process registers with it, and it asks the server once for all of them.
//!
//! `plan` decides which question to ask and when; `watched`, `progress` and `failure` interpret the answers. All of
//! them are functions of facts and time; `driver` carries them out.

mod ask;
mod driver;
mod failure;
mod plan;
mod progress;
mod target;
mod watched;

pub use driver::Watcher;
pub use target::{Ask, List, Question, Target, TargetKind};
