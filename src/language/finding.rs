//! Mistakes in a runbook and their positions.

use std::collections::BTreeMap;

use rhai::Position;

use crate::error::Error;

/// A mistake and its position in the file.
#[derive(Clone, Debug)]
pub struct Finding {
    pub error: Error,
    pub line: usize,
    pub column: usize,
}

/// The writes of closures to variables that they captured, by the closure's internal name.
pub type CapturedWrites = BTreeMap<String, Vec<(String, Position)>>;

/// The refusal, used by the check before the run and by a wave that gets a closure from elsewhere.
pub fn captured_write(name: &str, runs: &str) -> Error {
    let (who, given) = match runs {
        "spawn" => ("the job", "`wait_for(job)` gives it"),
        "each" => ("each item", "`each` gives a list of them"),
        _ => ("each item", "the wave's result has it under `items[key].value`"),
    };
    Error::script(format!(
        "this closure changes `{name}`, which it captured: {who} works on its own copy, the change would be lost"
    ))
    .hint(format!("return the value from the closure; {given}. For a copy to change: `let own = {name};`"))
}
