//! The mistakes in a runbook that can be found without running it.

mod calls;
mod chains;
pub mod compile;
pub mod examine;
mod fields;
mod files;
mod functions;
mod impossible;
mod knowledge;
mod literals;
mod natives;
mod program;
mod shape;
mod state;
mod suggestions;
mod table;
mod unused;
mod values;
mod walk;
mod ways;
mod words;
mod written;
