//! Running a runbook, or one expression.

use std::path::PathBuf;
use std::sync::Arc;

use rhai::Dynamic;
use serde_json::Value;

use super::args::{Format, OutputKind, RunArguments};
use super::diagnose::Source;
use super::world::World;
use super::{help, signals};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::event::{Event, Fact, Origin, Sink, VERSION};
use crate::journal::Memory;
use crate::process::{self, Process};
use crate::report::{self, Finished, Report, View};
use crate::script::engine::{bare, build, read_runbook};
use crate::script::error::Located;
use crate::script::host::{Host, Lane};
use crate::script::parameters::Parameters;
use crate::script::run::{Declared, compile, declared, evaluate};
use crate::script::value::to_shown;
use crate::secret;

/// # Errors
/// What keeps the run from beginning; what ends it is told by the report.
pub fn run(process: &Process, arguments: RunArguments) -> Result<ExitCode> {
    let Some(source) = source(process, &arguments)? else {
        if arguments.help {
            process.output().data(&help::program(process));
            return Ok(ExitCode::Done);
        }
        return Err(Error::input("nothing to run: no runbook and no expression")
            .hint("`coriolis-run waves.rhai --sandbox`, `coriolis-run -e 'endpoint_list()' --sandbox`, or `--help`"));
    };
    let ast = match compile(&bare(), &source.text) {
        Ok(ast) => ast,
        Err(findings) => {
            let mut output = process.output();
            for finding in &findings {
                output.note(&source.finding(finding, process.color()));
            }
            return Ok(ExitCode::Runbook);
        }
    };
    let parameters = declared(&ast);
    if arguments.help {
        process.output().data(&help::runbook(&source.name, &source.text, &parameters));
        return Ok(ExitCode::Done);
    }
    let given = given(&arguments, &parameters)?;
    let world = World::build(process, &arguments)?;
    Ok(Performance { process, arguments, source, world }.play(given))
}

/// The text to run; `None` where none was named.
fn source(process: &Process, arguments: &RunArguments) -> Result<Option<Source>> {
    if let Some(expression) = &arguments.expression {
        let folder = process.directory.clone();
        return Ok(Some(Source { name: "-e".to_owned(), text: expression.clone(), folder }));
    }
    let Some(path) = &arguments.runbook else { return Ok(None) };
    let text = read_runbook(&process.directory.join(path))?;
    let folder = process.directory.join(path).parent().map_or_else(PathBuf::new, PathBuf::from);
    Ok(Some(Source { name: path.display().to_string(), text, folder }))
}

fn given(arguments: &RunArguments, declared: &[Declared]) -> Result<Parameters> {
    let given = Parameters::parse(&arguments.set)?;
    let names: Vec<&str> = declared.iter().map(|parameter| parameter.name.as_str()).collect();
    given.check_names(&names)?;
    Ok(given)
}

/// What is said at the end of a run that the operator stopped.
const PAUSED: &str = "paused by the operator: nothing new was started, what runs on the server goes on there\n\
                      hint: run the same again to go on; it finds its replicas and joins what still runs";

/// Everything that one run needs.
struct Performance<'a> {
    process: &'a Process,
    arguments: RunArguments,
    source: Source,
    world: World,
}

impl Performance<'_> {
    fn play(self, given: Parameters) -> ExitCode {
        let clock = self.world.clock.clone();
        let began = clock.now();
        let _busy = clock.busy();
        let (events, report) = Report::start(self.view(), self.process.output(), self.process.screen(), clock.clone());
        self.leave_on_second_press(&events);
        let say = |fact: Fact| {
            let origin = Origin { lane: "main".into(), wave: None, item: None };
            events.emit(Event { v: VERSION, at: clock.now(), origin, fact });
        };
        let runbook = self.arguments.runbook.as_ref().map(|path| path.display().to_string());
        say(Fact::RunStarted { runbook, cloud: self.world.cloud.clone() });
        let result = self.evaluate(given, &events);
        let code = result.as_ref().map_or_else(|located| located.error.kind.exit_code(), |_| ExitCode::Done);
        // Among events a result is one of them: every line is JSON.
        if let (View::Jsonl, Some(value)) = (self.view(), self.shown(&result)) {
            say(Fact::Printed { text: value.to_string() });
        }
        let elapsed_seconds = clock.now().duration_since(began).as_secs_f64();
        say(Fact::RunFinished { exit_code: code as u8, elapsed_seconds });
        self.tell(report.finish(), result);
        code
    }

    fn evaluate(&self, given: Parameters, events: &Arc<dyn Sink>) -> Result<Dynamic, Located> {
        let world = &self.world;
        let host = Host::new(
            world.clock.clone(),
            world.cancel.clone(),
            events.clone(),
            Arc::new(Memory::default()),
            given,
            (self.source.folder.clone(), self.process.directory.clone()),
            world.connect(events.clone()),
        );
        let main = Lane::main();
        let engine = build(&host, &main);
        // Parsed again by the engine that runs it: closures are found by what that engine has hashed.
        let ast = compile(&engine, &self.source.text).map_err(|mut findings| {
            let error =
                findings.drain(..).next().map_or_else(|| Error::internal("no finding"), |finding| finding.error);
            Located { error, place: None, through: Vec::new() }
        })?;
        evaluate(&engine, &host, &main, &ast)
    }

    /// What is said after the report: the result of an expression, or why the run ended.
    fn tell(&self, finished: Finished, result: Result<Dynamic, Located>) {
        let mut output = finished.output;
        if let Some(value) = self.shown(&result).filter(|_| self.view() != View::Jsonl) {
            output.data(&self.rendered(&value));
        }
        match result {
            Ok(_) => {}
            Err(located) if located.error.kind == Kind::Interrupted => output.note(PAUSED),
            Err(located) => output.note(&self.source.thrown(&located, self.process.color())),
        }
        output.flush();
    }

    /// The result of an expression, without secrets; `None` where there is nothing to show.
    fn shown(&self, result: &Result<Dynamic, Located>) -> Option<Value> {
        let value = result.as_ref().ok().filter(|value| self.arguments.expression.is_some() && !value.is_unit())?;
        let mut shown = to_shown(value);
        secret::mask(&mut shown);
        Some(shown)
    }

    fn rendered(&self, value: &Value) -> String {
        let standard = if self.process.stdout_is_terminal { Format::Table } else { Format::Json };
        match self.arguments.format.unwrap_or(standard) {
            Format::Json => report::json::pretty(value),
            Format::Table => report::table::render(value, self.process.data_width().unwrap_or(120)),
        }
    }

    fn view(&self) -> View {
        match (self.arguments.output, self.process.stderr_is_terminal) {
            (OutputKind::Jsonl, _) => View::Jsonl,
            (OutputKind::Text, true) => View::Bars,
            (OutputKind::Text, false) => View::Lines,
        }
    }

    fn leave_on_second_press(&self, events: &Arc<dyn Sink>) {
        let (clock, cancel) = (self.world.clock.clone(), self.world.cancel.clone());
        signals::listen(self.world.runtime.handle(), clock, cancel, events.clone(), || {
            process::leave(ExitCode::Paused)
        });
    }
}
