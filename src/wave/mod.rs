//! Waves: many items at once under limits; when what starts is decided by a pure machine.

mod machine;
mod options;
mod outcome;

pub use machine::{Action, Earlier, Machine, News};
pub use options::{Budget, Options};
pub use outcome::{ItemOutcome, Summary};
