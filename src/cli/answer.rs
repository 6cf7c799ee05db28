//! `coriolis-run answer`: an answer to a gate, for the run that waits for it.

use super::args::{AnswerArguments, AnswerWord};
use super::keep;
use crate::clock::{Clock, Speed};
use crate::error::{Error, ExitCode, Result, suggest};
use crate::event::Fact;
use crate::journal::record::Record;
use crate::journal::runs::{Answer, Directory};
use crate::process::Process;

/// # Errors
/// `Input` for a run or a gate that does not exist.
pub fn answer(process: &Process, arguments: &AnswerArguments) -> Result<ExitCode> {
    let store = keep::store(process, arguments.state_dir.as_ref())?;
    let run = store.find(&arguments.run)?;
    let gates = gates(&run)?;
    let id = &run.meta.id;
    let Some((_, taken)) = gates.iter().find(|(gate, _)| *gate == arguments.gate) else {
        let error = Error::input(format!("run {id} has reached no gate `{}`", arguments.gate));
        let names: Vec<&str> = gates.iter().map(|(gate, _)| gate.as_str()).collect();
        return Err(match suggest(&arguments.gate, names.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if gates.is_empty() => error.hint("it has reached none so far"),
            None => error.hint(format!("it has reached {}", names.join(", "))),
        });
    };
    if let Some(taken) = taken {
        return Err(Error::input(format!("gate {} of run {id} has its answer: {taken}", arguments.gate))
            .hint(format!("the run has taken it; `coriolis-run runs show {id}` shows its state")));
    }
    let text = match arguments.answer {
        AnswerWord::Yes => "yes",
        AnswerWord::No => "no",
    };
    let instead =
        run.answer_to(&arguments.gate).map(|before| format!(", instead of {} by {}", before.answer, before.by));
    let at = Clock::new(Speed::Real).wall();
    run.answer(&Answer { gate: arguments.gate.clone(), answer: text.to_owned(), by: process.user(), at })?;
    let mut output = process.output();
    let next =
        if run.is_locked() { String::new() } else { format!("; go on with `coriolis-run resume {}`", run.meta.id) };
    let instead = instead.unwrap_or_default();
    output.note(&format!("gate {} of run {}: {text}{instead}{next}", arguments.gate, run.meta.id));
    Ok(ExitCode::Done)
}

/// The gates that the run has reached, each once, in order, with the answers that it has taken.
fn gates(run: &Directory) -> Result<Vec<(String, Option<String>)>> {
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    for line in run.lines()?.lines {
        let Record::Event { event } = line.record else { continue };
        let (gate, answer) = match event.fact {
            Fact::GateReached { gate, .. } => (gate, None),
            Fact::GateAnswered { gate, answer, by } => (gate, Some(format!("{answer} by {by}"))),
            _ => continue,
        };
        match found.iter_mut().find(|(known, _)| *known == gate) {
            Some((_, taken)) => *taken = answer,
            None => found.push((gate, answer)),
        }
    }
    Ok(found)
}
