//! `coriolis-run answer`: somebody's answer to a gate, for the run that waits for it.

use super::args::{AnswerArguments, AnswerWord};
use super::keep;
use crate::clock::{Clock, Speed};
use crate::error::{Error, ExitCode, Result, suggest};
use crate::event::Fact;
use crate::journal::record::Record;
use crate::journal::runs::{Answer, Directory};
use crate::process::Process;

/// # Errors
/// `Input` for a run or a gate that is not there.
pub fn answer(process: &Process, arguments: &AnswerArguments) -> Result<ExitCode> {
    let store = keep::store(process, arguments.state_dir.as_ref())?;
    let run = store.find(&arguments.run)?;
    let gates = gates(&run)?;
    if !gates.contains(&arguments.gate) {
        let error = Error::input(format!("run {} has reached no gate `{}`", run.meta.id, arguments.gate));
        return Err(match suggest(&arguments.gate, gates.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if gates.is_empty() => error.hint("it has reached none so far"),
            None => error.hint(format!("it has reached {}", gates.join(", "))),
        });
    }
    let text = match arguments.answer {
        AnswerWord::Yes => "yes",
        AnswerWord::No => "no",
    };
    let at = Clock::new(Speed::Real).wall();
    run.answer(&Answer { gate: arguments.gate.clone(), answer: text.to_owned(), by: process.user(), at })?;
    let mut output = process.output();
    let next =
        if run.is_locked() { String::new() } else { format!("; go on with `coriolis-run resume {}`", run.meta.id) };
    output.note(&format!("gate {} of run {}: {text}{next}", arguments.gate, run.meta.id));
    Ok(ExitCode::Done)
}

/// The gates that the run has reached, each once, in their order.
fn gates(run: &Directory) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for line in run.lines()?.lines {
        if let Record::Event { event } = line.record
            && let Fact::GateReached { gate, .. } = event.fact
            && !found.contains(&gate)
        {
            found.push(gate);
        }
    }
    Ok(found)
}
