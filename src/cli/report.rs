//! `coriolis-run report`: a run as a page, as a table, or for another program.

use std::path::Path;

use super::args::{ReportArguments, ReportFormat};
use super::{history, keep};
use crate::disk;
use crate::error::{Error, ExitCode, Kind, Result};
use crate::journal::runs::{Directory, RunKind, Store};
use crate::process::Process;
use crate::report::history::Form;

/// # Errors
/// `Input` for a run that does not exist and a file that cannot be written, `Storage` for a full disk, `Journal` for a
/// damaged journal.
pub fn report(process: &Process, arguments: &ReportArguments) -> Result<ExitCode> {
    let store = keep::store(process, arguments.state_dir.as_ref())?;
    let run = choose(&store, arguments.run.as_deref())?;
    let form = form(arguments)?;
    let text = history::read(&run)?.render(form, &process.screen().zone);
    let mut output = process.output();
    match arguments.file.as_deref().filter(|file| *file != Path::new("-")) {
        None => output.data(text.trim_end_matches('\n')),
        Some(file) => {
            let path = process.directory.join(file);
            disk::replace(&path, text.as_bytes()).map_err(|error| {
                disk::unwritten(format_args!("the report to {}", path.display()), &error, Kind::Input)
            })?;
            output.note(&format!("the report of run {} is in {}", run.meta.id, file.display()));
        }
    }
    output.close()?;
    Ok(ExitCode::Done)
}

/// The named run, or the newest one of a runbook.
pub fn choose(store: &Store, named: Option<&str>) -> Result<Directory> {
    match named {
        Some(name) => store.find(name),
        None => {
            let mut runs = store.list()?.into_iter();
            runs.find(|run| run.meta.kind == RunKind::Runbook)
                .ok_or_else(|| Error::input("there is no run of a runbook").hint("`coriolis-run runs` lists all runs"))
        }
    }
}

/// The format that was asked for, else that of the file's name, else the one for people.
fn form(arguments: &ReportArguments) -> Result<Form> {
    if let Some(format) = arguments.format {
        return Ok(match format {
            ReportFormat::Html => Form::Html,
            ReportFormat::Json => Form::Json,
            ReportFormat::Junit => Form::Junit,
            ReportFormat::Csv => Form::Csv,
            ReportFormat::Markdown => Form::Markdown,
        });
    }
    let Some(file) = arguments.file.as_deref().filter(|file| *file != Path::new("-")) else {
        return Ok(Form::Markdown);
    };
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => Ok(Form::Html),
        Some("json") => Ok(Form::Json),
        Some("xml") => Ok(Form::Junit),
        Some("csv") => Ok(Form::Csv),
        Some("md") => Ok(Form::Markdown),
        _ => Err(Error::input(format!("the name `{}` does not tell the format of the report", file.display()))
            .hint("add `--format html`, or let the name end with .html, .json, .xml, .csv or .md")),
    }
}
