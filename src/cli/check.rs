//! `coriolis-run check`: every mistake that can be found without running.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::{CheckArguments, CheckFormat};
use super::words;
use crate::check::examine::{Remark, examine};
use crate::clock::{Clock, Speed};
use crate::error::{Error, ExitCode, Result, count, plain};
use crate::language::catalog::Catalog;
use crate::language::diagnose::Source;
use crate::language::source::{read_runbook, script_text};
use crate::process::{self, Process};
use crate::report::values::diagnostic::{self, Severity};
use crate::report::values::json::pretty;
use crate::runtime::engine::bare;

/// # Errors
/// `Input` when none of the files can be read.
pub fn check(process: &Process, arguments: &CheckArguments, catalog: &Catalog) -> Result<ExitCode> {
    let engine = bare();
    let now = Clock::new(Speed::Real).now();
    let (mut remarks, mut unread) = (Vec::new(), Vec::new());
    // `check scripts/*.rhai` matches these as well.
    let (declarations, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        arguments.files.iter().partition(|path| path.to_string_lossy().ends_with(".d.rhai"));
    for path in &files {
        match read(process, path) {
            Ok((name, text, folder)) => remarks.extend(examine(&engine, catalog, &name, &text, &folder, now)),
            Err(error) => unread.push(error),
        }
    }
    let mut output = process.output();
    for path in declarations {
        output.note(&format!("{} declares functions for an editor and is not a runbook: not checked", path.display()));
    }
    for error in &unread {
        output.note(&diagnostic::error(error, process.color()));
    }
    match arguments.format {
        CheckFormat::Json => output.data(&pretty(&remarks.iter().map(entry).collect::<Vec<_>>().into())),
        CheckFormat::Text => {
            for remark in &remarks {
                output.note(&render(remark, process.color()));
            }
            if unread.is_empty() || files.len() > unread.len() {
                output.data(&total(&remarks, files.len() - unread.len()));
            }
        }
    }
    output.close()?;
    Ok(match (unread.is_empty(), remarks.is_empty()) {
        (false, _) => ExitCode::Input,
        (true, false) => ExitCode::Runbook,
        (true, true) => ExitCode::Done,
    })
}

/// Its name, its text, and the folder that its paths are relative to.
fn read(process: &Process, path: &Path) -> Result<(String, String, PathBuf)> {
    if path == Path::new("-") {
        let bytes =
            process::read_all().map_err(|error| Error::input(format!("cannot read stdin: {}", plain(&error))))?;
        return Ok(("-".to_owned(), script_text("stdin", &bytes)?, process.directory.clone()));
    }
    words::runbook(process, path)?;
    let whole = process.directory.join(path);
    let folder = whole.parent().map_or_else(PathBuf::new, PathBuf::from);
    Ok((path.display().to_string(), read_runbook(&whole)?, folder))
}

fn entry(remark: &Remark) -> Value {
    let finding = &remark.finding;
    json!({
        "file": remark.file,
        "line": finding.line,
        "column": finding.column,
        "severity": remark.severity.word(),
        "message": finding.error.message,
        "hint": finding.error.hint,
    })
}

fn render(remark: &Remark, color: bool) -> String {
    let source = Source { name: remark.file.clone(), text: remark.text.clone(), folder: PathBuf::new() };
    source.remark(remark.severity, &remark.finding, color)
}

/// `2 errors and 1 warning in 3 files`.
fn total(remarks: &[Remark], files: usize) -> String {
    let files = count(files, "file");
    let of = |severity| remarks.iter().filter(|remark| remark.severity == severity).count();
    match (of(Severity::Error), of(Severity::Warning)) {
        (0, 0) => format!("no mistakes found in {files}"),
        (errors, 0) => format!("{} in {files}", count(errors, "error")),
        (0, warnings) => format!("{} in {files}", count(warnings, "warning")),
        (errors, warnings) => format!("{} and {} in {files}", count(errors, "error"), count(warnings, "warning")),
    }
}
