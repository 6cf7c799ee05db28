//! The one watcher: every wait in the process registers with it, and it asks the server once for all of them.
//!
//! What to ask and when is decided in `plan`, what an answer means in `watched`, `progress` and `failure`; all of them
//! are functions of facts and time. `driver` does what they say.

mod ask;
mod driver;
mod failure;
mod plan;
mod progress;
mod target;
mod watched;

pub use driver::Watcher;
pub use target::{Ask, List, Question, Target, TargetKind};
