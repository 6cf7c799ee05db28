//! Running a runbook, or one expression.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rhai::{AST, Dynamic};
use serde_json::Value;

use super::args::{Format, OutputKind, RunArguments};
use super::elsewhere::Elsewhere;
use super::gates::{Desk, Past};
use super::keep::{self, Kept};
use super::secrets::{self, Typing};
use super::world::{self, Scene, World};
use super::{help, past, repl, signals, words};
use crate::access::Access;
use crate::cancel::Cancel;
use crate::check::compile::compile;
use crate::clock::{Clock, Speed};
use crate::decode;
use crate::error::{Error, ExitCode, Kind, Result, count};
use crate::event::{Cause, Event, Fact, Origin, Outcome, Sink, VERSION};
use crate::journal::runs::{self, End, Holder, Meta, Rehearsal, RunKind, Sources};
use crate::journal::{Journal, Recorder, hash, record};
use crate::language::catalog::Catalog;
use crate::language::declared::{asks_by_computed_name, asks_somebody, declared, needed};
use crate::language::diagnose::Source;
use crate::language::error::Located;
use crate::language::literals::masked;
use crate::language::source::{imported, read_module, read_runbook};
use crate::language::value::to_shown;
use crate::limits::Limits;
use crate::process::{self, Process};
use crate::report::live::board::Board;
use crate::report::live::summary;
use crate::report::live::wave::Wave;
use crate::report::values::{diagnostic, json, table};
use crate::report::{Detail, Finished, Report, Stage, View};
use crate::runtime::engine::{bare, build};
use crate::runtime::host::{Host, Language, Script, Seams};
use crate::runtime::lane::Lane;
use crate::runtime::leave;
use crate::runtime::modules::{Imports, KeepImport};
use crate::runtime::parameters::Parameters;
use crate::runtime::run::evaluate;
use crate::secret;

/// # Errors
/// The reason why the run cannot begin; the report shows how it ends.
pub fn run(process: &Process, arguments: RunArguments, language: Language) -> Result<ExitCode> {
    let Some(source) = source(process, &arguments)? else {
        if arguments.help {
            return print(process, &help::program(process));
        }
        return repl::converse(process, &arguments, language);
    };
    let ast = match parse(process, &source, language.catalog) {
        Ok(ast) => ast,
        Err(code) => return Ok(code),
    };
    if arguments.help {
        return print(process, &help::runbook(&source.name, &source.text, &declared(&ast)));
    }
    let given = given(process, &arguments, &ast)?;
    world::check_cloud(process, &arguments)?;
    let (world, kept, plan) = begin(process, &arguments, &source, asks_somebody(&ast), language)?;
    Performance {
        process,
        arguments,
        source,
        world,
        kept: Arc::new(kept),
        plan,
        resumed: None,
        typing: Typing::default(),
    }
    .play(given)
}

/// Prints a text and ends.
fn print(process: &Process, text: &str) -> Result<ExitCode> {
    let mut output = process.output();
    output.data(text);
    output.close()?;
    Ok(ExitCode::Done)
}

/// Parses a script and reports its mistakes.
///
/// # Errors
/// The exit code, if there are any.
pub fn parse(process: &Process, source: &Source, catalog: &Catalog) -> Result<AST, ExitCode> {
    compile(&bare(), catalog, &source.text).map_err(|findings| {
        let mut output = process.output();
        for finding in &findings {
            output.note(&source.finding(finding, process.color()));
        }
        ExitCode::Runbook
    })
}

/// The text to run; `None` if none was named.
fn source(process: &Process, arguments: &RunArguments) -> Result<Option<Source>> {
    if let Some(expression) = &arguments.expression {
        let folder = process.directory.clone();
        return Ok(Some(Source { name: "-e".to_owned(), text: decode::script(expression), folder }));
    }
    let Some(path) = &arguments.runbook else { return Ok(None) };
    if !arguments.more.is_empty() {
        return Err(words::more(process, path, &arguments.more));
    }
    words::runbook(process, path)?;
    let text = read_runbook(&process.directory.join(path))?;
    let folder = process.directory.join(path).parent().map_or_else(PathBuf::new, PathBuf::from);
    Ok(Some(Source { name: path.display().to_string(), text, folder }))
}

/// The parameters from the command line.
///
/// # Errors
/// `Input` for an unknown parameter, one of the wrong kind, and a missing one.
pub fn given(process: &Process, arguments: &RunArguments, ast: &AST) -> Result<Parameters> {
    let given = secrets::parameters(process, arguments)?;
    let declared = declared(ast);
    if !asks_by_computed_name(ast) {
        let names: Vec<&str> = declared.iter().map(|parameter| parameter.name.as_str()).collect();
        given.check_names(&names)?;
    }
    given.check_values(&declared, &needed(ast))?;
    Ok(given)
}

/// The basis of a run, independent of later changes to its files.
pub struct Plan {
    pub language: Language,
    pub sources: Sources,
    pub folder: PathBuf,
    pub directory: PathBuf,
    pub limits: Limits,
    pub access: Access,
}

/// The files that a script may use; an expression may read every file that its operator can.
pub fn access(process: &Process, arguments: &RunArguments, folder: &Path, limits: &Limits) -> Access {
    if arguments.runbook.is_none() {
        return Access::all(limits);
    }
    let allowed: Vec<PathBuf> = arguments.allow_read.iter().map(|path| process.directory.join(path)).collect();
    Access::below(folder, &allowed, limits)
}

/// Sets up a new run: its cloud and its files.
fn begin(
    process: &Process,
    arguments: &RunArguments,
    source: &Source,
    asks: bool,
    language: Language,
) -> Result<(World, Kept, Plan)> {
    let speed = world::speed(process, arguments)?;
    let limits = Limits::read(&arguments.max)?;
    let access = access(process, arguments, &source.folder, &limits);
    let sources = Sources { runbook: source.text.clone(), imports: imports_of(&source.text, &source.folder, &access) };
    let (folder, directory) = (source.folder.clone(), process.directory.clone());
    let mut scene = Scene::of(arguments, speed);
    secrets::learn(process, &sources);
    let plan = Plan { language, sources: sources.clone(), folder, directory, limits, access };
    let asks_too = |text: &String| bare().compile(text).is_ok_and(|module| asks_somebody(&module));
    let asks = asks || sources.imports.values().any(asks_too);
    // Nobody resumes an expression on a cloud that ends with it, unless somebody is asked in between.
    if arguments.expression.is_some() && scene.sandbox.is_some() && !asks {
        let world = World::build(process, &scene)?;
        let kept = Kept::nothing(&process.known, world.clock.clone());
        return Ok((world, kept, plan));
    }
    let store = keep::store(process, arguments.state_dir.as_ref());
    // Without a key no run can be kept either, and its first change will say so.
    let key = store.as_ref().ok().and_then(|store| store.key().ok()).unwrap_or_default();
    let sources = secrets::keep(process, &sources, |text| hash(&key, text));
    let id = runs::new_id().map_err(|error| Error::internal(error.to_string()))?;
    let wall = Clock::new(Speed::Real).wall();
    let meta = Meta {
        version: record::VERSION,
        id: id.clone(),
        kind: if arguments.expression.is_some() { RunKind::Expression } else { RunKind::Runbook },
        name: arguments
            .runbook
            .as_ref()
            .map_or_else(|| masked(&source.text, &process.known), |path| path.display().to_string()),
        folder: plan.folder.clone(),
        directory: plan.directory.clone(),
        started: wall,
        owner: keep::holder(process, wall),
        cloud: world::describe(process, &scene),
        sandbox: scene.sandbox.map(|(generation, seed)| Rehearsal { generation, seed, speed: arguments.speed }),
        set: keep::kept_parameters(&arguments.set),
        set_files: keep::kept_files(&arguments.set_file),
        flags: keep::kept_flags(&arguments.cloud),
        max: arguments.max.clone(),
        allow_read: arguments.allow_read.clone(),
        patience_seconds: arguments.patience.map(|patience| patience.as_secs()),
        finished: None,
    };
    if arguments.expression.is_some() && scene.sandbox.is_none() {
        let world = World::build(process, &scene)?;
        let kept = Kept::at_first_change(&store, meta, sources, &process.known, &world.clock);
        return Ok((world, kept, plan));
    }
    let store = store?;
    let ledger = store.run_folder(&id).join("sandbox.jsonl");
    scene.ledger = scene.sandbox.map(|_| ledger.as_path());
    let (kept, world) = Kept::begin(&store, meta, &sources, &process.known, || World::build(process, &scene))?;
    Ok((world, kept, plan))
}

/// The modules that a script imports, directly or not, as far as they can be read now.
pub fn imports_of(text: &str, folder: &Path, access: &Access) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut texts = vec![text.to_owned()];
    while let Some(text) = texts.pop() {
        for name in imported(&text) {
            if let Ok(text) = read_module(access, folder, &name)
                && !found.contains_key(&name)
            {
                texts.push(text.clone());
                found.insert(name, text);
            }
        }
    }
    found
}

/// The items of all waves that are not ok, as far as they count.
fn failed_items(board: &Board) -> usize {
    let bad = |wave: &Wave| wave.counts().get(Outcome::Failed) + wave.counts().get(Outcome::Unknown);
    board.waves.iter().filter(|wave| !wave.repeated).map(bad).sum()
}

/// The message at the end of a run that the operator stopped.
fn paused(id: Option<&str>) -> String {
    let again = match id {
        Some(id) => format!("go on with `coriolis-run resume {id}`"),
        None => "run it again to go on; it finds its replicas and joins the work that is still running".to_owned(),
    };
    format!("paused by the operator: nothing new was started, and work on the server goes on\nhint: {again}")
}

/// The most that a process on its way out waits for its terminal.
const CLEARED: Duration = Duration::from_millis(300);

/// Everything that one run needs.
pub struct Performance<'a> {
    pub process: &'a Process,
    pub arguments: RunArguments,
    pub source: Source,
    pub world: World,
    pub kept: Arc<Kept>,
    pub plan: Plan,
    pub resumed: Option<Resumed>,
    pub typing: Typing,
}

/// The work of earlier processes of a run.
pub struct Resumed {
    /// The number of calls with results.
    pub calls: usize,
    /// Their events.
    pub earlier: Vec<Event>,
}

impl Performance<'_> {
    /// # Errors
    /// `Limit` when the machine has no room for it: nothing has begun.
    pub fn play(self, given: Parameters) -> Result<ExitCode> {
        let clock = self.world.clock.clone();
        let began = clock.instant();
        let _busy = clock.busy();
        let earlier = self.resumed.as_ref().map_or(&[][..], |resumed| &resumed.earlier);
        let (output, screen) = (self.process.output(), self.process.screen());
        let (shown, report) = Report::start_after(earlier, self.view(), output, screen, clock.clone())
            .map_err(|unstarted| unstarted.error)?;
        let mut events: Arc<dyn Sink> = Arc::new(Recorder { journal: self.kept.journal.clone(), next: shown });
        // A sandbox has another address each time.
        if self.arguments.sandbox.is_none() {
            events = Elsewhere::than(earlier, events);
        }
        self.leave_on_second_press(&events, report.stage());
        let say = |fact: Fact| {
            let origin = Origin { lane: "main".into(), wave: None, item: None };
            events.emit(Event { v: VERSION, at: clock.now(), origin, fact });
        };
        let runbook = self.arguments.runbook.as_ref().map(|path| path.display().to_string());
        say(Fact::RunStarted { runbook, cloud: self.world.cloud.clone() });
        if let (Some(Resumed { calls, .. }), Some(run)) = (&self.resumed, self.kept.id()) {
            let calls = *calls;
            let after = self.kept.before.as_ref().map(Holder::describe);
            say(Fact::RunResumed { run, calls, after });
            if self.kept.journal.is_behind() {
                say(Fact::warning(
                    "the journal is behind the run: it was cut, or is an older copy. The run's objects are searched \
                     for on the server before anything is sent",
                ));
            }
        }
        let result = self.evaluate(given, &events, report.stage());
        // A chosen code says nothing about the kind of the end: that is one of a runbook.
        let ended = result.as_ref().map_or_else(|located| located.error.kind.exit_code(), |_| ExitCode::Done);
        let chosen = result.as_ref().err().and_then(|located| leave::code(&located.error)).map(ExitCode::Chosen);
        let off = self.kept.journal.state().sources.names();
        let code = chosen.unwrap_or(ended).with_sources_off(!off.is_empty());
        let otherwise = (code != ended).then_some(ended.number());
        // Among events the result is one of them: every line is JSON.
        if let (View::Jsonl, Some(value)) = (self.view(), self.shown(&result)) {
            say(Fact::Printed { text: value.to_string() });
        }
        if let Some(told) = self.world.truth() {
            say(told);
        }
        let elapsed_seconds = clock.instant().duration_since(began).as_secs_f64();
        let exit_code = code.number();
        say(Fact::RunFinished { exit_code, ended: otherwise, sources_off: off, elapsed_seconds });
        let cause = result.as_ref().err().map(|located| Cause::of(&located.placed(&self.source.name)));
        let kept = self.kept.finish(Some(End { at: clock.wall(), exit_code, ended: otherwise, cause }));
        match self.tell(report.finish(), result, kept) {
            Err(error) if code == ExitCode::Done => Ok(error.kind.exit_code()),
            _ => Ok(code),
        }
    }

    fn evaluate(&self, given: Parameters, events: &Arc<dyn Sink>, stage: Stage) -> Result<Dynamic, Located> {
        let terminal = self.process.stdin_is_terminal && self.process.stderr_is_terminal;
        let desk = Desk {
            directory: self.kept.directory(),
            cancel: self.world.cancel.clone(),
            terminal: terminal.then_some(stage),
            user: self.process.user(),
            typing: self.typing.clone(),
        };
        let kept = self.kept.clone();
        let keep: KeepImport = Box::new(move |name, text| kept.keep_import(name, text));
        let world = &self.world;
        let seams = Seams {
            clock: world.clock.clone(),
            cancel: world.cancel.clone(),
            events: events.clone(),
            journal: self.kept.journal.clone(),
            gates: Arc::new(desk),
            connect: world.connect(events.clone()),
            runs: past::runs(
                keep::store(self.process, self.arguments.state_dir.as_ref()),
                world.cloud.clone(),
                self.arguments.sandbox.is_some(),
            ),
        };
        evaluate_in(self.process, &self.plan, &self.source, given, keep, seams)
    }

    /// Prints the end of the run after the report: the result of an expression, or the error; and an error of the disk
    /// or of stdout.
    ///
    /// # Errors
    /// `Storage`, which has been printed.
    fn tell(&self, finished: Finished, result: Result<Dynamic, Located>, kept: Result<()>) -> Result<()> {
        let (mut output, allowed) = (finished.output, failed_items(&finished.board));
        if let Some(value) = self.shown(&result).filter(|_| self.view() != View::Jsonl) {
            output.data(&self.rendered(&value));
        }
        if let Some(way) = self.way_of_sources() {
            output.note(&way);
        }
        // A run that ended because of its disk has reported it.
        let known = result.as_ref().is_err_and(|located| located.error.kind == Kind::Storage);
        match result {
            Ok(_) => self.done(allowed).iter().for_each(|line| output.note(line)),
            Err(located) if located.error.kind == Kind::Interrupted => {
                output.note(&paused(self.kept.id().as_deref()));
            }
            Err(located) => {
                output.note(&self.source.thrown(&located, self.process.color()));
                if let Some(way) = self.way_on(&located.error) {
                    output.note(&way);
                }
            }
        }
        let kept = if known { Ok(()) } else { kept };
        let printed = output.close();
        for error in [&kept, &printed].into_iter().filter_map(|written| written.as_ref().err()) {
            output.note(&diagnostic::error(error, self.process.color()));
        }
        kept.and(printed)
    }

    /// The last line of a runbook that has ended well: its name, the failures that it allowed, and what to do next.
    fn done(&self, allowed: usize) -> Option<String> {
        let id = self.kept.id().filter(|_| self.arguments.runbook.is_some())?;
        Some(match allowed {
            0 => format!("run {id} is done: `coriolis-run report {id} -o run.html` tells all of it"),
            failed => format!(
                "run {id} is done, with {} as it allows: `coriolis-run resume {id} --retry-failed` repeats what failed",
                count(failed, "failed item")
            ),
        })
    }

    /// The safe next steps while sources are off.
    fn way_of_sources(&self) -> Option<String> {
        if self.kept.journal.state().sources.is_empty() {
            return None;
        }
        let text = match self.kept.id() {
            Some(id) => format!(
                "these VMs run nowhere. Go on with `coriolis-run resume {id}` (`--retry-failed` if they failed), or switch \
                 them on at their origin and note it with `coriolis-run rollback {id} --mark NAME`"
            ),
            None => "these VMs run nowhere: copy and deploy them, or switch them on at their origin".to_owned(),
        };
        Some(format!("hint: {text}"))
    }

    /// The advice for a run that ended badly.
    fn way_on(&self, error: &Error) -> Option<String> {
        let id = self.kept.id().filter(|_| self.arguments.runbook.is_some())?;
        match error.kind {
            _ if leave::code(error).is_some() => {
                Some(format!("`coriolis-run report {id} -o run.html` tells all of it"))
            }
            Kind::Unknown | Kind::NeedsAnswer | Kind::Journal | Kind::Storage | Kind::Unreachable | Kind::Login => {
                Some(format!("go on with `coriolis-run resume {id}`"))
            }
            Kind::ItemsFailed => Some(format!("`coriolis-run resume {id} --retry-failed` repeats what failed")),
            Kind::Script
            | Kind::Api
            | Kind::NotFound
            | Kind::Ambiguous
            | Kind::Refused
            | Kind::Failed
            | Kind::Cancelled
            | Kind::Timeout
            | Kind::Limit => Some(format!("mend the cause, and `coriolis-run resume {id}` goes on from there")),
            _ => None,
        }
    }

    /// The result of an expression, without secrets; `None` if there is nothing to show.
    fn shown(&self, result: &Result<Dynamic, Located>) -> Option<Value> {
        let value = result.as_ref().ok().filter(|value| self.arguments.expression.is_some() && !value.is_unit())?;
        let mut shown = to_shown(value);
        secret::mask(&mut shown);
        Some(shown)
    }

    fn rendered(&self, value: &Value) -> String {
        let standard = if self.process.stdout_is_terminal { Format::Table } else { Format::Json };
        match self.arguments.format.unwrap_or(standard) {
            Format::Json => json::pretty(value),
            Format::Table => table::render(value, self.process.data_width().unwrap_or(120)),
        }
    }

    fn view(&self) -> View {
        match (self.arguments.output, self.process.redraws()) {
            (OutputKind::Jsonl, _) => View::Jsonl,
            (OutputKind::Text, true) => View::Bars,
            (OutputKind::Text, false) if self.arguments.verbose => View::Lines(Detail::All),
            (OutputKind::Text, false) => View::Lines(Detail::Ends),
        }
    }

    fn leave_on_second_press(&self, events: &Arc<dyn Sink>, stage: Stage) {
        let (clock, cancel) = (self.world.clock.clone(), self.world.cancel.clone());
        let hangup = !self.process.outlives_its_terminal;
        let journal = self.kept.journal.clone();
        signals::listen(self.world.runtime.handle(), hangup, clock, cancel, events.clone(), move || {
            let off = journal.sources_now().filter(|sources| !sources.is_empty());
            let last = off.map(|sources| format!("{}: {}", summary::NOT_DEPLOYED, sources.names().join(", ")));
            // The picture would be drawn over the last line.
            let _aside = stage.aside_within(CLEARED);
            process::leave(ExitCode::Paused.with_sources_off(last.is_some()), last.as_deref());
        });
    }
}

/// Replays the records of a run, and goes no further: nothing is sent, shown or written.
///
/// # Errors
/// `Mismatch` when the script would take another way; otherwise the error that ended it, mostly the end of the records.
pub fn replay(
    process: &Process,
    world: &World,
    plan: &Plan,
    source: &Source,
    given: Parameters,
    past: Arc<Journal>,
    typing: Typing,
) -> Result<Dynamic, Located> {
    let _busy = world.clock.busy();
    let terminal = process.stdin_is_terminal && process.stderr_is_terminal;
    let seams = Seams {
        clock: world.clock.clone(),
        cancel: Cancel::default(),
        events: Arc::new(Silence),
        journal: past,
        gates: Arc::new(Past { cancel: world.cancel.clone(), terminal, typing }),
        connect: Box::new(|| Err(Error::interrupted())),
        runs: Box::new(|| Err(Error::interrupted())),
    };
    evaluate_in(process, plan, source, given, Box::new(|_, _| Ok(())), seams)
}

/// Evaluates a script.
fn evaluate_in(
    process: &Process,
    plan: &Plan,
    source: &Source,
    parameters: Parameters,
    keep: KeepImport,
    seams: Seams,
) -> Result<Dynamic, Located> {
    let (folder, directory) = (plan.folder.clone(), plan.directory.clone());
    let imports = Imports::new(folder.clone(), plan.access.clone(), plan.sources.imports.clone(), keep);
    let (limits, access, environment) = (plan.limits.clone(), plan.access.clone(), process.environment.clone());
    let host = Host::new(
        seams,
        Script { language: plan.language, parameters, folder, directory, imports, limits, access, environment },
    );
    let main = Lane::main();
    let engine = build(&host, &main);
    host.set_name(&source.name);
    host.set_text(&source.text);
    // Parsed again by the engine that runs it: closures are found by that engine's hashes.
    let ast = compile(&engine, plan.language.catalog, &source.text).map_err(|mut findings| {
        let error = findings.drain(..).next().map_or_else(|| Error::internal("no finding"), |finding| finding.error);
        Located::nowhere(error)
    })?;
    evaluate(&engine, &host, &main, &ast)
}

/// A sink without listeners.
struct Silence;

impl Sink for Silence {
    fn emit(&self, _: Event) {}
}
