//! `coriolis-run rollback`: what a person did by hand, for the record of a run: a source is on again.

use super::args::RollbackArguments;
use super::keep::{self, Kept};
use crate::clock::{Clock, Speed};
use crate::error::{Error, ExitCode, Result, count, suggest};
use crate::event::sources::{Source, Sources};
use crate::event::{Event, VERSION};
use crate::journal::file;
use crate::journal::runs::{Directory, End};
use crate::process::Process;

/// # Errors
/// `Input` for a run that does not exist or is at work, and for a VM whose source is not off.
pub fn rollback(process: &Process, arguments: &RollbackArguments) -> Result<ExitCode> {
    let store = keep::store(process, arguments.state_dir.as_ref())?;
    let found = store.find(&arguments.run)?;
    if arguments.mark.is_empty() {
        let sources = sources(&found)?;
        return list(process, &found.meta.id, &sources);
    }
    let wall = Clock::new(Speed::Real).wall();
    let lock = found.lock(&keep::holder(process, wall), false)?;
    // Another process may have changed it between the choice and the lock.
    let directory = store.open(found.path)?;
    let read = directory.lines()?;
    let state = file::fold(&read.lines).map_err(|damage| file::damaged(&directory.journal(), &damage))?;
    let marked = marked(&directory.meta.id, &state.sources, &arguments.mark)?;
    // A rehearsal has a time of its own.
    let at = if directory.meta.sandbox.is_some() { state.last.unwrap_or(wall) } else { wall };
    let clock = Clock::starting_at(Speed::Real, at);
    let (id, end) = (directory.meta.id.clone(), directory.meta.finished.clone());
    let kept = Kept::take_up(&store, directory, lock, state, read.end, &process.known, clock)?;
    for source in &marked {
        let (fact, origin) = (source.switched_on(at, &process.user()), source.origin.clone());
        kept.journal.event(&Event { v: VERSION, at, origin, fact });
    }
    let left = kept.journal.state().sources.clone();
    kept.finish(end.map(|end| without(end, &left)))?;
    let mut output = process.output();
    for source in &marked {
        output.note(&format!("the source of {} is on, says {}: noted in run {id}", source.instance, process.user()));
    }
    if !left.is_empty() {
        output.note(&format!("still off: {}", left.names().join(", ")));
    }
    output.close()?;
    Ok(ExitCode::Done)
}

fn sources(run: &Directory) -> Result<Sources> {
    let state = file::fold(&run.lines()?.lines).map_err(|damage| file::damaged(&run.journal(), &damage))?;
    Ok(state.sources)
}

fn list(process: &Process, id: &str, sources: &Sources) -> Result<ExitCode> {
    let mut output = process.output();
    if sources.is_empty() {
        output.note(&format!("run {id} has left no source off"));
    }
    for source in sources {
        let since = source.since.strftime("%Y-%m-%d %H:%M:%S UTC");
        output.data(&format!(
            "{}  {}  since {since}  replica {}",
            source.instance,
            source.power.word(),
            source.replica
        ));
    }
    if !sources.is_empty() {
        output.note(&format!("when one is on again: `coriolis-run rollback {id} --mark NAME`"));
    }
    output.close()?;
    Ok(ExitCode::Done)
}

/// The sources that are meant, each once.
fn marked(id: &str, sources: &Sources, names: &[String]) -> Result<Vec<Source>> {
    let mut marked: Vec<Source> = Vec::new();
    for name in names {
        let before = marked.len();
        let mut known = false;
        for source in sources.named(name) {
            known = true;
            if !marked.contains(source) {
                marked.push(source.clone());
            }
        }
        if !known && before == marked.len() {
            return Err(unknown(id, sources, name));
        }
    }
    Ok(marked)
}

fn unknown(id: &str, sources: &Sources, name: &str) -> Error {
    let names = sources.names();
    let error = Error::input(format!("run {id} has not left the source of `{name}` off"));
    match suggest(name, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => error.hint("it has left none off"),
        None => error.hint(format!("{}: {}", count(names.len(), "source"), names.join(", "))),
    }
}

/// The end of the run's last process, once no source is off.
fn without(end: End, left: &Sources) -> End {
    if !left.is_empty() {
        return end;
    }
    End { exit_code: end.otherwise(), ended: None, ..end }
}
