//! `coriolis-run` alone: the prompt, or the input of a pipe.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::RunArguments;
use super::gates::Desk;
use super::keep::{self, Kept};
use super::secrets::{self, Typing};
use super::world::{self, Scene, World};
use super::{past, runs, signals};
use crate::access::Access;
use crate::cancel::{Cancel, Wish};
use crate::clock::{Clock, Speed};
use crate::error::{Error, ExitCode, Kind, Result, plain};
use crate::event::Sink;
use crate::journal::runs::{End, Meta, RunKind, Sources, Store, new_id};
use crate::journal::{Recorder, record};
use crate::language::source::script_text;
use crate::limits::Limits;
use crate::process::terminal::{self, Typed, line_within};
use crate::process::{self, Process};
use crate::repl::editor::Input;
use crate::repl::prompt::{Doors, Parts, Prompt};
use crate::repl::relay::Relay;
use crate::repl::view::Form;
use crate::report::live::summary;
use crate::report::{Line, Tone};
use crate::runtime::gates::Gates;
use crate::runtime::host::{Host, Language, Script, Seams};
use crate::runtime::modules::Imports;

/// The interval for checking for Ctrl-C while somebody types without a line editor, in real time.
const LOOK: Duration = Duration::from_millis(300);

/// The file with earlier inputs, in the state directory.
const HISTORY: &str = "history.jsonl";

/// # Errors
/// The reason why the prompt cannot begin.
pub fn converse(process: &Process, arguments: &RunArguments, language: Language) -> Result<ExitCode> {
    let interactive = process.stdin_is_terminal && process.stdout_is_terminal;
    let speed = match (arguments.sandbox, arguments.speed) {
        // Nobody watches when the input is piped.
        (Some(_), None) if !interactive => Speed::Max,
        _ => world::speed(process, arguments)?,
    };
    world::check_cloud(process, arguments)?;
    let scene = Scene::of(arguments, speed);
    let world = World::build(process, &scene)?;
    let store = keep::store(process, arguments.state_dir.as_ref());
    let kept = match (&store, scene.sandbox) {
        // Nobody settles anything on a cloud that ends with the prompt.
        (_, Some(_)) => Kept::nothing(&process.known, world.clock.clone()),
        (store, None) => begin(process, arguments, &scene, store, &world)?,
    };
    let (output, screen) = (process.output(), process.screen());
    let relay = Relay::new(screen.zone.clone(), screen.color);
    let events: Arc<dyn Sink> = Arc::new(Recorder { journal: kept.journal.clone(), next: relay.clone() });
    let cancel = world.cancel.part();
    let host = host(process, arguments, &world, &kept, &events, (relay.clone(), cancel.clone()), language)?;
    let at_work = relay.clone();
    let still = move |wish| {
        let told = match wish {
            Wish::Leave => {
                "a change was sent, and its answer is pending; another Ctrl-C ends the session without knowing \
                 whether it was carried out"
            }
            _ => "the server has not answered yet; Ctrl-C again stops waiting for reads",
        };
        if let Some(stage) = at_work.stage() {
            stage.say(Line::default().with(Tone::Warning, told));
        }
    };
    let hangup = !process.outlives_its_terminal;
    signals::interrupt(world.runtime.handle(), hangup, cancel.clone(), still, move || {
        process::leave(ExitCode::Paused, None);
    });
    let form = if process.stdout_is_terminal { Form::Table } else { Form::Json };
    let (folder, cloud) = (process.directory.clone(), world.cloud.clone());
    let doors = doors(process, store.clone(), cancel.clone(), interactive);
    let prompt = Prompt::new(Parts { host, cancel, relay, output, screen, cloud, form, folder, doors });
    let code = if interactive {
        let history = store.ok().map(|store| store.root().join(HISTORY));
        prompt.converse(history.as_deref())?
    } else {
        let inputs =
            process::read_all().map_err(|error| Error::input(format!("cannot read stdin: {}", plain(&error))))?;
        prompt.read_out(&script_text("stdin", &inputs)?)
    };
    let off = kept.journal.state().sources.names();
    let ended = code;
    let code = ended.with_sources_off(!off.is_empty());
    if !off.is_empty() {
        process.output().note(&format!("{}: {}", summary::NOT_DEPLOYED, off.join(", ")));
    }
    let (at, exit_code) = (world.clock.wall(), code.number());
    kept.finish(Some(End { at, exit_code, ended: (code != ended).then_some(ended.number()), cause: None }))?;
    Ok(code)
}

/// The kept state of a session, from its first change on.
fn begin(
    process: &Process,
    arguments: &RunArguments,
    scene: &Scene<'_>,
    store: &Result<Store>,
    world: &World,
) -> Result<Kept> {
    let wall = Clock::new(Speed::Real).wall();
    let meta = Meta {
        version: record::VERSION,
        id: new_id().map_err(|error| Error::internal(error.to_string()))?,
        kind: RunKind::Session,
        name: "prompt".to_owned(),
        folder: process.directory.clone(),
        directory: process.directory.clone(),
        started: wall,
        owner: keep::holder(process, wall),
        cloud: world::describe(process, scene),
        sandbox: None,
        set: keep::kept_parameters(&arguments.set),
        max: arguments.max.clone(),
        allow_read: Vec::new(),
        set_files: keep::kept_files(&arguments.set_file),
        flags: keep::kept_flags(&arguments.cloud),
        patience_seconds: arguments.patience.map(|patience| patience.as_secs()),
        finished: None,
    };
    let sources = Sources { runbook: String::new(), imports: Default::default() };
    Ok(Kept::at_first_change(store, meta, sources, &process.known, &world.clock))
}

fn host(
    process: &Process,
    arguments: &RunArguments,
    world: &World,
    kept: &Kept,
    events: &Arc<dyn Sink>,
    (relay, cancel): (Arc<Relay>, Cancel),
    language: Language,
) -> Result<Arc<Host>> {
    let terminal = process.stdin_is_terminal && process.stderr_is_terminal;
    let user = process.user();
    let typing = Typing::default();
    let desk = move || Desk {
        directory: None,
        cancel: cancel.clone(),
        terminal: relay.stage().filter(|_| terminal),
        user: user.clone(),
        typing: typing.clone(),
    };
    let seams = Seams {
        clock: world.clock.clone(),
        cancel: world.cancel.clone(),
        events: events.clone(),
        journal: kept.journal.clone(),
        gates: Arc::new(AtFront(Box::new(desk))),
        connect: world.connect(events.clone()),
        runs: past::runs(
            keep::store(process, arguments.state_dir.as_ref()),
            world.cloud.clone(),
            arguments.sandbox.is_some(),
        ),
    };
    let folder = process.directory.clone();
    let limits = Limits::read(&arguments.max)?;
    let script = Script {
        language,
        parameters: secrets::parameters(process, arguments)?,
        environment: process.environment.clone(),
        imports: Imports::of_folder(&folder, Access::all(&limits)),
        directory: folder.clone(),
        folder,
        access: Access::all(&limits),
        limits,
    };
    Ok(Host::new(seams, script))
}

/// Asks through the report of the current input.
struct AtFront(Box<dyn Fn() -> Desk + Send + Sync>);

impl Gates for AtFront {
    fn secret(&self, question: &str) -> Result<String> {
        (self.0)().secret(question)
    }

    fn is_attended(&self, gate: &str) -> bool {
        (self.0)().is_attended(gate)
    }

    fn ask(&self, gate: &str, question: &str) -> Result<Option<crate::runtime::gates::Answer>> {
        let answer = (self.0)().ask(gate, question)?;
        answer.map(Some).ok_or_else(|| {
            Error::new(Kind::Input, format!("nobody answered `{gate}`"))
                .hint("at the prompt, type `yes` or `no`; a runbook can wait for another person's answer")
        })
    }
}

fn doors(process: &Process, store: Result<Store>, cancel: Cancel, interactive: bool) -> Doors {
    let (pages, edits, lists) = (process.clone(), process.clone(), process.clone());
    let edit = move |path: &Path| edits.edit(path).map_err(|error| no_program("editor", "EDITOR", &error));
    let pictures = interactive && process.redraws();
    Doors {
        quiet: Box::new(move |on| {
            if pictures {
                terminal::quiet(on);
            }
        }),
        line: Box::new(move |prompt| Ok(line(prompt, &cancel))),
        page: Box::new(move |text| pages.page(text).map_err(|error| no_program("pager", "PAGER", &error))),
        edit: Box::new(edit),
        runs: Box::new(move |width| runs::table(&lists, &store.clone()?, *width)),
    }
}

/// Reads a line in the terminal's own line mode; Ctrl-C drops it.
fn line(prompt: &str, cancel: &Cancel) -> Input {
    let mut stdout = std::io::stdout();
    // A closed terminal ends the input.
    let _ = stdout.write_all(prompt.as_bytes()).and_then(|()| stdout.flush());
    let mut text = String::new();
    loop {
        match line_within(LOOK) {
            Typed::Line(more) => text.push_str(&more),
            Typed::End if text.is_empty() => {
                let _ = stdout.write_all(b"\n").and_then(|()| stdout.flush());
                return Input::End;
            }
            Typed::End => {}
            Typed::Nothing if cancel.wish() == Wish::Continue => {}
            Typed::Nothing => {
                cancel.reset();
                let _ = stdout.write_all(b"\n").and_then(|()| stdout.flush());
                return Input::Dropped;
            }
        }
        if let Some(line) = text.strip_suffix('\n') {
            return Input::Text(line.to_owned());
        }
    }
}

fn no_program(what: &str, variable: &str, error: &std::io::Error) -> Error {
    Error::input(format!("the {what} cannot be used: {}", plain(error))).hint(format!("name another one in {variable}"))
}
