//! `coriolis-run resume`: going on where a run stopped, or was killed.

use std::sync::Arc;
use std::time::Duration;

use super::args::{ResumeArguments, RunArguments};
use super::keep::{self, Kept};
use super::run::{Performance, Plan, Resumed, access, imports_of, parse, replay};
use super::world::{Scene, World};
use crate::clock::Clock;
use crate::error::{Error, ExitCode, Kind, Result};
use crate::journal::Journal;
use crate::journal::file;
use crate::journal::runs::{Directory, Meta, RunKind, Sources, Store};
use crate::limits::Limits;
use crate::process::Process;
use crate::script::access::Access;
use crate::script::diagnose::Source;
use crate::script::engine::read_runbook;
use crate::settings::CloudFlags;

/// # Errors
/// What keeps the run from going on; what ends it is told by the report.
pub fn resume(process: &Process, arguments: ResumeArguments) -> Result<ExitCode> {
    let store = keep::store(process, arguments.state_dir.as_ref())?;
    let directory = choose(&store, arguments.run.as_deref())?;
    let wall = Clock::new(crate::clock::Speed::Real).wall();
    let lock = directory.lock(&keep::holder(process, wall), arguments.take_over)?;
    // What another process did between the choice and the lock counts.
    let mut directory = store.open(directory.path)?;
    let ended = directory.meta.finished.as_ref().map(|end| end.exit_code);
    if ended == Some(0) && !arguments.retry_failed {
        return Err(Error::input(format!("run {} is done", directory.meta.id))
            .hint("`--retry-failed` does again what failed in it; `coriolis-run runs` lists all runs"));
    }
    let read = directory.lines()?;
    let mut state = file::fold(&read.lines).map_err(|damage| file::damaged(&directory.journal(), &damage))?;
    state.reopen();

    let kept_sources = directory.sources()?;
    let (sources, edited) = sources(process, &arguments, kept_sources)?;
    let meta = &directory.meta;
    let run = as_run(meta, &arguments)?;
    let origin = state.last();
    let source = Source { name: meta.name.clone(), text: sources.runbook.clone(), folder: meta.folder.clone() };
    let ast = match parse(process, &source) {
        Ok(ast) => ast,
        Err(code) => return Ok(code),
    };
    let given = super::run::given(&run, &ast)?;

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
        return Err(Error::new(
            Kind::Mismatch,
            format!("run {} is on another cloud\n  the run:  {}\n  settings: {}", meta.id, meta.cloud, world.cloud),
        )
        .hint("give the settings that it began with; nothing was sent"));
    }
    let limits = Limits::read(&run.max)?;
    let plan = Plan {
        sources: sources.clone(),
        folder: meta.folder.clone(),
        directory: meta.directory.clone(),
        access: access(process, &run, &meta.folder, &limits),
        limits,
    };
    let past = Journal::new(meta.id.clone(), store.key()?, world.clock.clone(), state.clone(), None)
        .knowing(process.known.clone());
    if arguments.retry_failed {
        past.retry_failed()?;
    }
    // What would go another way than before is said before anything is sent.
    if let Err(located) =
        replay(&world, &plan, &source, super::run::given(&run, &ast)?, Arc::new(past.only_replaying()))
        && matches!(located.error.kind, Kind::Mismatch | Kind::Internal)
    {
        return Err(located.error);
    }
    if edited {
        directory.replace_sources(&sources)?;
    }
    if let Some(patience) = arguments.patience {
        directory.meta.patience_seconds = Some(patience.as_secs());
    }
    let calls = state.settled_calls();
    let kept = Kept::take_up(&store, directory, lock, state, read.end, &process.known, world.clock.clone())?;
    if arguments.retry_failed {
        kept.journal.retry_failed()?;
    }
    kept.finish(None)?;
    let earlier = super::history::told(&read.lines);
    let (kept, resumed) = (Arc::new(kept), Some(Resumed { calls, earlier }));
    Ok(Performance { process, arguments: run, source, world, kept, plan, resumed }.play(given))
}

/// The run that is meant: the named one, or the newest runbook's that is not done.
fn choose(store: &Store, named: Option<&str>) -> Result<Directory> {
    if let Some(name) = named {
        return store.find(name);
    }
    let mut runs = store.list()?.into_iter().filter(|run| run.meta.kind == RunKind::Runbook);
    runs.find(|run| run.status().is_unfinished()).ok_or_else(keep::nothing_to_resume)
}

/// The script to go on with, and whether it is another text than the run began with.
fn sources(process: &Process, arguments: &ResumeArguments, kept: Sources) -> Result<(Sources, bool)> {
    let Some(path) = &arguments.script else { return Ok((kept, false)) };
    let path = process.directory.join(path);
    let runbook = read_runbook(&path)?;
    let folder = path.parent().map_or_else(|| process.directory.clone(), std::path::Path::to_path_buf);
    let imports = imports_of(&runbook, &folder, &Access::below(&folder, &arguments.allow_read, &Limits::DEFAULT));
    let edited = Sources { runbook, imports };
    let differs = edited != kept;
    Ok((edited, differs))
}

/// The words of the command line that began the run, with those given now.
fn as_run(meta: &Meta, arguments: &ResumeArguments) -> Result<RunArguments> {
    let flags: CloudFlags = serde_json::from_value(meta.flags.clone()).unwrap_or_default();
    let mut set: Vec<String> = Vec::new();
    let given = |name: &str| arguments.set.iter().any(|setting| setting.split('=').next().map(str::trim) == Some(name));
    for (name, value) in &meta.set {
        match value {
            _ if given(name) => {}
            Some(value) => set.push(format!("{name}={value}")),
            None => {
                return Err(Error::input(format!("the parameter `{name}` is a secret, which runs do not keep"))
                    .hint(format!("give it again: `--set {name}=...`")));
            }
        }
    }
    set.extend(arguments.set.iter().cloned());
    Ok(RunArguments {
        runbook: (meta.kind == RunKind::Runbook).then(|| meta.name.clone().into()),
        more: Vec::new(),
        expression: (meta.kind != RunKind::Runbook).then(|| meta.name.clone()),
        set,
        sandbox: meta.sandbox.as_ref().map(|sandbox| sandbox.generation.into()),
        speed: arguments.speed,
        patience: arguments.patience.or(meta.patience_seconds.map(Duration::from_secs)),
        seed: meta.sandbox.as_ref().map_or(1, |sandbox| sandbox.seed),
        output: arguments.output,
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
