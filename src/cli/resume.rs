//! `coriolis-run resume`: going on with a run that stopped or was killed.

use std::sync::Arc;
use std::time::Duration;

use super::args::{ResumeArguments, RunArguments};
use super::choice::{self, Candidate};
use super::keep::{self, Kept};
use super::run::{Performance, Plan, Resumed, access, imports_of, parse, replay};
use super::secrets::{self, Typing};
use super::world::{Scene, World};
use crate::access::Access;
use crate::clock::Clock;
use crate::error::{Error, ExitCode, Kind, Result};
use crate::event::{Outcome, Status};
use crate::journal::file;
use crate::journal::record::{Line, Record};
use crate::journal::runs::{Directory, End, Meta, RunKind, Sources, Store};
use crate::journal::{Journal, Key, hash};
use crate::language::diagnose::Source;
use crate::language::source::read_runbook;
use crate::limits::Limits;
use crate::process::Process;
use crate::runtime::host::Language;
use crate::settings::{CloudFlags, Origin};

/// # Errors
/// The reason why the run cannot go on; the report shows how it ends.
pub fn resume(process: &Process, arguments: ResumeArguments, language: Language) -> Result<ExitCode> {
    let store = keep::store(process, arguments.state_dir.as_ref())?;
    let directory = choose(process, &store, arguments.run.as_deref(), arguments.retry_failed)?;
    let wall = Clock::new(crate::clock::Speed::Real).wall();
    let lock = directory.lock(&keep::holder(process, wall), arguments.take_over)?;
    // Another process may have changed it between the choice and the lock.
    let mut directory = store.open(directory.path)?;
    let ended = directory.meta.finished.as_ref().map(End::otherwise);
    if ended == Some(0) && !arguments.retry_failed {
        return Err(Error::input(format!("run {} is done", directory.meta.id))
            .hint("`--retry-failed` repeats what failed in it; `coriolis-run runs` lists all runs"));
    }
    let read = directory.lines()?;
    let mut state = file::fold(&read.lines).map_err(|damage| file::damaged(&directory.journal(), &damage))?;
    state.reopen();

    let kept_sources = directory.sources()?;
    let key = store.key()?;
    let meta = &directory.meta;
    let (sources, edited) = sources(process, &arguments, meta, kept_sources, &key)?;
    let run = as_run(meta, &arguments)?;
    let typing = Typing::default();
    let origin = state.last();
    let source = Source { name: meta.name.clone(), text: sources.runbook.clone(), folder: meta.folder.clone() };
    let ast = match parse(process, &source, language.catalog) {
        Ok(ast) => ast,
        Err(code) => return Ok(code),
    };
    let given = super::run::given(process, &run, &ast)?;

    let speed = super::world::speed(process, &run)?;
    let rehearsal = meta.sandbox.as_ref().map(|sandbox| (sandbox.generation, sandbox.seed));
    let ledger = rehearsal.map(|_| directory.sandbox());
    let scene = Scene {
        flags: &run.cloud,
        sandbox: rehearsal,
        ledger: ledger.as_deref(),
        speed,
        patience: run.patience,
        origin,
    };
    let world = World::build(process, &scene)?;
    if world.cloud != meta.cloud {
        return Err(another_cloud(meta, &world));
    }
    let limits = Limits::read(&run.max)?;
    let plan = Plan {
        language,
        sources: sources.clone(),
        folder: meta.folder.clone(),
        directory: meta.directory.clone(),
        access: access(process, &run, &meta.folder, &limits),
        limits,
    };
    let past =
        Journal::new(meta.id.clone(), key, world.clock.clone(), state.clone(), None).knowing(process.known.clone());
    if arguments.retry_failed {
        past.retry_failed()?;
    }
    // A script that would take another way is reported before anything is sent.
    if let Err(located) = replay(
        process,
        &world,
        &plan,
        &source,
        super::run::given(process, &run, &ast)?,
        Arc::new(past.only_replaying()),
        typing.clone(),
    ) && matches!(located.error.kind, Kind::Mismatch | Kind::Internal)
    {
        return Err(located.error);
    }
    if edited {
        directory.replace_sources(&secrets::keep(process, &sources, |text| hash(&key, text)))?;
    }
    if let Some(patience) = arguments.patience {
        directory.meta.patience_seconds = Some(patience.as_secs());
    }
    if let (Some(sandbox), Some(speed)) = (&mut directory.meta.sandbox, arguments.speed) {
        sandbox.speed = Some(speed);
    }
    let calls = state.settled_calls();
    let kept = Kept::take_up(&store, directory, lock, state, read.end, &process.known, world.clock.clone())?;
    if arguments.retry_failed {
        kept.journal.retry_failed()?;
    }
    kept.finish(None)?;
    let earlier = super::history::events(&read.lines);
    let (kept, resumed) = (Arc::new(kept), Some(Resumed { calls, earlier }));
    Performance { process, arguments: run, source, world, kept, plan, resumed, typing }.play(given)
}

fn another_cloud(meta: &Meta, world: &World) -> Error {
    let located = world.located.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default();
    let message = format!(
        "run {} is on another cloud\n  the run:  {}\n  settings: {}{located}",
        meta.id, meta.cloud, world.cloud
    );
    let hint = match &world.located {
        Some(Origin::Environment(name)) => format!(
            "use the settings that it began with (`unset {name}`, and the rest of an openrc file, if a cloud of \
             clouds.yaml is meant); nothing was sent"
        ),
        _ => "use the settings that it began with; nothing was sent".to_owned(),
    };
    Error::new(Kind::Mismatch, message).hint(hint)
}

/// The named run, or the one that [`choice`] finds, which is said if another may be meant.
fn choose(process: &Process, store: &Store, named: Option<&str>, retry_failed: bool) -> Result<Directory> {
    if let Some(name) = named {
        return store.find(name);
    }
    let mut runs: Vec<Directory> = store.list()?;
    runs.retain(|run| run.meta.kind == RunKind::Runbook);
    let (mut asks, mut may_look) = (retry_failed, true);
    let candidates: Vec<Candidate> = runs
        .iter()
        .map(|run| {
            let candidate = candidate(run, asks, may_look);
            // Journals are read up to the chosen run, and no further.
            may_look &= candidate.only_looked;
            asks &= !candidate.has_failures || candidate.only_looked;
            candidate
        })
        .collect();
    let chosen = choice::choose(&candidates, retry_failed)?;
    if let Some(said) = choice::said(&candidates, chosen) {
        process.output().note(&said);
    }
    Ok(runs.swap_remove(chosen))
}

/// The facts for the choice; failures are looked up only if asked for.
fn candidate(run: &Directory, asks: bool, may_look: bool) -> Candidate {
    let (meta, status) = (&run.meta, run.status());
    let bad = [Outcome::Failed, Outcome::Skipped, Outcome::Cancelled, Outcome::Unknown];
    let lost =
        || super::history::read(run).is_ok_and(|told| bad.iter().any(|outcome| told.counts().1.get(*outcome) > 0));
    let is_over = matches!(status, Status::Done | Status::Failed);
    Candidate {
        id: meta.id.clone(),
        name: meta.name.clone(),
        cloud: meta.cloud.clone(),
        only_looked: may_look && is_over && only_looked(run),
        started: meta.started,
        status,
        holder: run.holder().filter(|_| status == Status::Running).map(|holder| holder.describe()),
        has_failures: asks && (status.has_failed() || lost()),
    }
}

/// True if a run's journal is whole and has no change in it.
fn only_looked(run: &Directory) -> bool {
    let is_change = |line: &Line| matches!(line.record, Record::Began { .. });
    run.lines().is_ok_and(|read| !read.lines.iter().any(is_change))
}

/// The script to go on with, and whether it differs from the one that the run began with.
fn sources(
    process: &Process,
    arguments: &ResumeArguments,
    meta: &Meta,
    kept: Sources,
    key: &Key,
) -> Result<(Sources, bool)> {
    let hash = |text: &str| hash(key, text);
    let Some(path) = &arguments.script else {
        let access = Access::below(&meta.folder, &arguments.allow_read, &Limits::DEFAULT);
        return Ok((secrets::put_back(process, meta, &kept, &access, hash)?, false));
    };
    let path = process.directory.join(path);
    let runbook = read_runbook(&path)?;
    let folder = path.parent().map_or_else(|| process.directory.clone(), std::path::Path::to_path_buf);
    let imports = imports_of(&runbook, &folder, &Access::below(&folder, &arguments.allow_read, &Limits::DEFAULT));
    let edited = Sources { runbook, imports };
    let differs = secrets::keep(process, &edited, hash) != kept;
    Ok((edited, differs))
}

/// The arguments of the run's start, with those given now.
fn as_run(meta: &Meta, arguments: &ResumeArguments) -> Result<RunArguments> {
    let flags: CloudFlags = serde_json::from_value(meta.flags.clone()).unwrap_or_default();
    let mut set: Vec<String> = Vec::new();
    let now = || arguments.set.iter().chain(&arguments.set_file);
    let given = |name: &str| now().any(|setting| setting.split('=').next().map(str::trim) == Some(name));
    let files = meta.set_files.iter().filter(|(name, _)| !given(name)).map(|(name, path)| format!("{name}={path}"));
    let set_file = files.chain(arguments.set_file.iter().cloned()).collect();
    for (name, value) in &meta.set {
        match value {
            _ if given(name) => {}
            Some(value) => set.push(format!("{name}={value}")),
            None => {
                return Err(Error::input(format!("the parameter `{name}` is a secret, which runs do not keep"))
                    .hint(format!("give it again: `--set-file {name}=PATH`, or `--set {name}=...`")));
            }
        }
    }
    set.extend(arguments.set.iter().cloned());
    Ok(RunArguments {
        runbook: (meta.kind == RunKind::Runbook).then(|| meta.name.clone().into()),
        more: Vec::new(),
        expression: (meta.kind != RunKind::Runbook).then(|| meta.name.clone()),
        set,
        set_file,
        sandbox: meta.sandbox.as_ref().map(|sandbox| sandbox.generation.into()),
        speed: arguments.speed.or(meta.sandbox.as_ref().and_then(|sandbox| sandbox.speed)),
        patience: arguments.patience.or(meta.patience_seconds.map(Duration::from_secs)),
        seed: meta.sandbox.as_ref().map_or(1, |sandbox| sandbox.seed),
        output: arguments.output,
        verbose: arguments.verbose,
        format: None,
        help: false,
        state_dir: arguments.state_dir.clone(),
        // The last one of a name counts.
        allow_read: meta
            .allow_read
            .iter()
            .map(|path| meta.directory.join(path))
            .chain(arguments.allow_read.clone())
            .collect(),
        max: meta.max.iter().chain(&arguments.max).cloned().collect(),
        cloud: arguments.cloud.clone().or(flags),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Arguments, Command};
    use crate::clock::Speed;

    #[test]
    fn a_rehearsal_goes_on_at_the_speed_it_began_with_unless_another_is_given() {
        let meta = |sandbox: &str| -> Meta {
            let text = format!(
                r#"{{"version":1,"id":"m4k7t2qa","kind":"runbook","name":"w.rhai","folder":"/","directory":"/",
                    "started":"2026-06-01T20:00:00Z","owner":{{"user":"u","host":"h","pid":1,"since":"2026-06-01T20:00:00Z"}},
                    "cloud":"sandbox","sandbox":{sandbox}}}"#
            );
            serde_json::from_str(&text).expect("it is read")
        };
        let speed = |sandbox: &str, more: &[&str]| {
            let words = [&["coriolis-run", "resume"], more].concat();
            let Some(Command::Resume(arguments)) = Arguments::try_parse_from(words).expect("parses").command else {
                panic!("it is a resume")
            };
            let run = as_run(&meta(sandbox), &arguments).expect("nothing is missing");
            (run.speed, run.seed, run.sandbox.map(crate::model::Generation::from))
        };
        let legacy = Some(crate::model::Generation::Legacy);
        let kept = r#"{"generation":"legacy","seed":7,"speed":{"times":600.0}}"#;
        assert_eq!(speed(kept, &[]), (Some(Speed::Times(600.0)), 7, legacy));
        assert_eq!(speed(kept, &["--speed", "max"]), (Some(Speed::Max), 7, legacy));
        assert_eq!(speed(r#"{"generation":"legacy","seed":7}"#, &[]), (None, 7, legacy), "as an older run is kept");
    }
}
