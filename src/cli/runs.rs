//! `coriolis-run runs`: listing the runs, showing one, and removing old ones.

use std::time::Duration;

use clap::Parser;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::args::{
    Arguments, Format, PruneArguments, RunArguments, RunsArguments, RunsCommand, ShowArguments, StatusArguments,
};
use super::{history, keep, report, run};
use crate::clock::{Clock, Speed};
use crate::error::{Error, ExitCode, Result, count};
use crate::event::{Cause, Status};
use crate::journal::runs::{Directory, Store};
use crate::process::Process;
use crate::report::history::{Form, History};
use crate::report::live::message;
use crate::report::values::{json as json_text, table};
use crate::runtime::host::Language;

/// The width of a table if none is known.
const WIDTH: usize = 120;

/// # Errors
/// `Input` for a run that does not exist, `Journal` for one that cannot be read or removed.
pub fn runs(process: &Process, arguments: &RunsArguments) -> Result<ExitCode> {
    let store = keep::store(process, arguments.state_dir.as_ref())?;
    match &arguments.command {
        None | Some(RunsCommand::List) => list(process, &store.list()?, arguments.format),
        Some(RunsCommand::Show(show)) => tell(process, &store, show, arguments.format),
        Some(RunsCommand::Prune(prune)) => self::prune(process, &store, prune),
    }
}

/// Prints the status of the runs: the unfinished ones first, the newest of them on top.
///
/// # Errors
/// As [`runs`].
pub fn status(process: &Process, arguments: &StatusArguments, language: Language) -> Result<ExitCode> {
    if let Some(inventory) = arguments.run.as_deref().filter(|name| is_inventory(process, name)) {
        return states(process, arguments, inventory, language);
    }
    let store = keep::store(process, arguments.state_dir.as_ref())?;
    if arguments.run.is_some() {
        return tell(process, &store, &ShowArguments { run: arguments.run.clone() }, arguments.format);
    }
    let mut runs = store.list()?;
    runs.sort_by_key(|run| run.status() == Status::Done);
    list(process, &runs, arguments.format)
}

fn is_inventory(process: &Process, name: &str) -> bool {
    let path = process.directory.join(name);
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")) || path.is_file()
}

/// Looks up the VMs of an inventory: by the server, and by all runs.
fn states(process: &Process, arguments: &StatusArguments, inventory: &str, language: Language) -> Result<ExitCode> {
    let path = serde_json::to_string(inventory).expect("a text is JSON");
    let expression = format!(
        "let states = vm_states(read_csv({path})); let groups = group_by(states, \"state\"); \
         let counts = groups.map(|group| `${{group.items.len()}} ${{group.key}}`); \
         let told = \"\"; for count in counts {{ told += if told == \"\" {{ count }} else {{ `, ${{count}}` }}; }} \
         log(told); states"
    );
    let Arguments { run: standard, .. } = Arguments::parse_from(["coriolis-run", "-e", &expression]);
    let (state_dir, cloud) = (arguments.state_dir.clone(), arguments.cloud.clone());
    run::run(process, RunArguments { format: arguments.format, state_dir, cloud, ..standard }, language)
}

fn list(process: &Process, runs: &[Directory], format: Option<Format>) -> Result<ExitCode> {
    let mut output = process.output();
    match standard(process, format) {
        Format::Json => {
            let runs: Vec<Value> = runs.iter().map(listed).collect();
            output.data(&json_text::pretty(&runs.into()));
        }
        Format::Table if runs.is_empty() => output.note("there are no runs"),
        Format::Table => output.data(&rendered(process, runs, process.data_width().unwrap_or(WIDTH))),
    }
    output.close()?;
    Ok(ExitCode::Done)
}

/// A table of all runs in `width` columns, for people.
///
/// # Errors
/// `Journal` when they cannot be read.
pub fn table(process: &Process, store: &Store, width: usize) -> Result<String> {
    let runs = store.list()?;
    if runs.is_empty() {
        return Ok("there are no runs".to_owned());
    }
    Ok(rendered(process, &runs, width))
}

fn rendered(process: &Process, runs: &[Directory], width: usize) -> String {
    let rows: Vec<Value> = runs.iter().map(|run| row(process, run)).collect();
    table::render(&rows.into(), width)
}

/// A run for programs.
fn listed(run: &Directory) -> Value {
    let meta = &run.meta;
    let cause = meta.finished.as_ref().and_then(|end| end.cause.as_ref());
    let mut shown = json!({
        "id": meta.id,
        "kind": meta.kind,
        "name": meta.name,
        "started": meta.started,
        "cloud": meta.cloud,
        "sandbox": meta.sandbox.is_some(),
        "status": run.status().word(),
        "finished": meta.finished.as_ref().map(|end| end.at),
        "exit_code": meta.finished.as_ref().map(|end| end.exit_code),
        "cause": cause.map(Cause::with_place),
        "hint": cause.and_then(|cause| cause.hint.as_deref()),
    });
    match history::read(run) {
        Ok(history) => {
            let (total, counts) = history.counts();
            shown["total"] = total.into();
            shown["counts"] = json!(counts);
        }
        Err(error) => shown["damage"] = error.message.into(),
    }
    shown
}

/// A run for people.
fn row(process: &Process, run: &Directory) -> Value {
    let meta = &run.meta;
    let started = meta.started.to_zoned(process.screen().zone).strftime("%Y-%m-%d %H:%M").to_string();
    let items = match history::read(run) {
        Ok(history) => items(&history),
        Err(_) => "the journal is damaged".to_owned(),
    };
    json!({
        "id": meta.id,
        "status": run.status().word(),
        "started": started,
        "name": meta.name,
        "items": items,
        "cloud": meta.cloud,
    })
}

/// `34 of 36: 33 ok, 1 failed`
fn items(history: &History) -> String {
    let (total, counts) = history.counts();
    match (total, counts.total()) {
        (0, _) => "-".to_owned(),
        (total, ended) if total == ended => message::tally(&counts),
        (total, ended) => format!("{ended} of {total}: {}", message::tally(&counts)),
    }
}

fn tell(process: &Process, store: &Store, show: &ShowArguments, format: Option<Format>) -> Result<ExitCode> {
    let run = report::choose(store, show.run.as_deref())?;
    let history = history::read(&run)?;
    let mut output = process.output();
    match standard(process, format) {
        Format::Json => output.data(history.render(Form::Json, &process.screen().zone).trim_end()),
        Format::Table => output.data(&history.overview(&process.screen().zone, process.data_width().unwrap_or(WIDTH))),
    }
    output.close()?;
    Ok(ExitCode::Done)
}

fn prune(process: &Process, store: &Store, prune: &PruneArguments) -> Result<ExitCode> {
    if prune.older_than.is_none() && prune.keep.is_none() {
        return Err(Error::input("nothing says which runs to remove")
            .hint("use `--older-than 30d`, `--keep 20`, or both: runs that are older and not among the newest"));
    }
    let wall = Clock::new(Speed::Real).wall();
    let mut output = process.output();
    let (mut gone, mut stayed) = (0, 0);
    for run in store.list()?.into_iter().skip(prune.keep.unwrap_or(0)) {
        if !is_older(&run, prune.older_than, wall) {
            continue;
        }
        let line = format!("{}  {}  {}", run.meta.id, run.meta.started.strftime("%Y-%m-%d %H:%M UTC"), run.meta.name);
        if let Some(why) = stays(&run, prune.unfinished) {
            output.note(&format!("kept {line}: {why}"));
            stayed += 1;
            continue;
        }
        if prune.dry_run {
            output.data(&format!("would remove {line}"));
        } else {
            let _lock = match run.lock(&keep::holder(process, wall), false) {
                Ok(lock) => lock,
                Err(error) => {
                    output.note(&format!("kept {line}: {}", error.message));
                    stayed += 1;
                    continue;
                }
            };
            run.remove()?;
            output.data(&format!("removed {line}"));
        }
        gone += 1;
    }
    let verb = if prune.dry_run { "would be removed" } else { "removed" };
    output.note(&format!("{} {verb}, {stayed} kept though old enough", count(gone, "run")));
    output.close()?;
    Ok(ExitCode::Done)
}

fn is_older(run: &Directory, than: Option<Duration>, now: Timestamp) -> bool {
    let last = run.meta.finished.as_ref().map_or(run.meta.started, |end| end.at);
    than.is_none_or(|than| now.duration_since(last) > SignedDuration::try_from(than).unwrap_or(SignedDuration::MAX))
}

/// The reason to keep this run: it may be resumed, or something on the server is known only to it.
fn stays(run: &Directory, unfinished_too: bool) -> Option<String> {
    let status = run.status();
    if status == Status::Running {
        return Some("a process is at work on it".to_owned());
    }
    if unfinished_too {
        return None;
    }
    if matches!(status, Status::Paused | Status::Waiting | Status::Interrupted) {
        return Some(format!("it is not finished ({}); `--unfinished` removes it anyway", status.word()));
    }
    match history::read(run) {
        Ok(history) if history.meta.unsettled.is_empty() => None,
        Ok(_) => Some("it has sent changes of unknown outcome".to_owned()),
        Err(_) => Some("its journal is damaged; `--unfinished` removes it anyway".to_owned()),
    }
}

fn standard(process: &Process, format: Option<Format>) -> Format {
    format.unwrap_or(if process.stdout_is_terminal { Format::Table } else { Format::Json })
}
