//! Waves: many items at once under limits; a pure machine decides what starts when.

mod machine;
mod options;
mod outcome;

pub use machine::{Action, Earlier, Machine, News};
pub use options::{Budget, Options};
pub use outcome::{ItemOutcome, Summary};
