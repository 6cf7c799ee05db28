//! The command line: arguments, and one file per subcommand.

mod answer;
pub mod args;
mod check;
mod choice;
mod elsewhere;
mod functions;
mod gates;
mod help;
mod history;
mod keep;
mod past;
mod repl;
mod report;
mod resume;
mod rollback;
mod run;
mod runs;
mod sandbox;
mod secrets;
mod signals;
mod streams;
mod words;
mod world;

use clap::Parser;
use clap::error::ErrorKind;

use crate::error::{Error, ExitCode};
use crate::functions::{catalog, language};
use crate::process::Process;
use crate::report::values::diagnostic;
use args::{Arguments, Command};

/// Runs the command line; only the exit code is left to use.
pub fn run(process: &Process) -> ExitCode {
    let arguments = match Arguments::try_parse_from(words::meant(&process.arguments)) {
        Ok(arguments) => arguments,
        Err(error) => return misread(process, &error),
    };
    let result = match arguments.command {
        Some(Command::Sandbox(arguments)) => sandbox::serve(process, &arguments),
        Some(Command::Run(arguments)) if arguments.names_nothing() => Err(words::no_runbook()),
        Some(Command::Run(arguments)) => run::run(process, *arguments, language()),
        Some(Command::Check(arguments)) => check::check(process, &arguments, catalog()),
        Some(Command::Resume(arguments)) => resume::resume(process, *arguments, language()),
        Some(Command::Runs(arguments)) => runs::runs(process, &arguments),
        Some(Command::Status(arguments)) => runs::status(process, &arguments, language()),
        Some(Command::Report(arguments)) => report::report(process, &arguments),
        Some(Command::Answer(arguments)) => answer::answer(process, &arguments),
        Some(Command::Rollback(arguments)) => rollback::rollback(process, &arguments),
        Some(Command::Functions(arguments)) => functions::tell(process, &arguments, catalog()),
        None => run::run(process, arguments.run, language()),
    };
    result.unwrap_or_else(|error| fail(process, &error))
}

/// Reports an error that happened before there was a report.
fn fail(process: &Process, error: &Error) -> ExitCode {
    process.output().note(&diagnostic::error(error, process.color()));
    error.kind.exit_code()
}

fn misread(process: &Process, error: &clap::Error) -> ExitCode {
    let text = |color| if color { error.render().ansi().to_string() } else { error.render().to_string() };
    let mut output = process.output();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output.data(text(process.data_color()).trim_end());
            output.close().map_or_else(|error| fail(process, &error), |()| ExitCode::Done)
        }
        _ if let Some(error) = words::misread(process, error) => fail(process, &error),
        _ => {
            output.note(text(process.color()).trim_end());
            ExitCode::Input
        }
    }
}
