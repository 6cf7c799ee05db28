//! Secrets that a run is given and does not keep: parameters from files, hidden input, and those written in the runbook
//! itself.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::args::RunArguments;
use crate::access::Access;
use crate::cancel::Cancel;
use crate::error::{Error, Result, plain};
use crate::journal::runs::{Meta, RunKind, Sources};
use crate::language::literals;
use crate::language::literals::{opened, sealed};
use crate::language::source::{read_module, read_runbook};
use crate::process::terminal::{Typed, Unseen, line_within};
use crate::process::{self, Process};
use crate::report::Stage;
use crate::runtime::gates::no_terminal;
use crate::runtime::parameters::Parameters;

/// The interval for checking for a wish to stop.
const LOOK: Duration = Duration::from_millis(300);

/// The parameters from the command line, those of `--set-file` read from their files; the secrets among them are known
/// from now on.
///
/// # Errors
/// `Input` for a malformed setting, and for a file that cannot be read.
pub fn parameters(process: &Process, arguments: &RunArguments) -> Result<Parameters> {
    let mut files = Vec::new();
    for setting in &arguments.set_file {
        let (name, path) = file_setting(setting)?;
        let text = std::fs::read_to_string(process.directory.join(path)).map_err(|error| {
            Error::input(format!("cannot read `{path}` for the parameter `{name}`: {}", plain(&error))).caused_by(error)
        })?;
        files.push((name.to_owned(), line_of(&text).to_owned()));
    }
    let parameters = Parameters::read(&arguments.set, files)?;
    parameters.secrets().for_each(|secret| process.known.learn(secret));
    Ok(parameters)
}

/// `name=path` of `--set-file`.
///
/// # Errors
/// `Input` for anything else.
pub fn file_setting(setting: &str) -> Result<(&str, &str)> {
    let parts = setting.split_once('=').map(|(name, path)| (name.trim(), path));
    parts.filter(|(name, path)| !name.is_empty() && !path.is_empty()).ok_or_else(|| {
        Error::input("cannot read a `--set-file`: it has no name or no path").hint("write `--set-file name=path`")
    })
}

/// A file's text without the line break that editors and `echo` put at its end.
fn line_of(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// The script as a run keeps it: with a keyed hash in place of each secret. The secrets in it are known from now on.
pub fn keep(process: &Process, sources: &Sources, hash: impl Fn(&str) -> String + Copy) -> Sources {
    learn(process, sources);
    let imports = sources.imports.iter().map(|(name, text)| (name.clone(), sealed(text, hash)));
    Sources { runbook: sealed(&sources.runbook, hash), imports: imports.collect() }
}

/// Learns the secrets that are written in a script.
pub fn learn(process: &Process, sources: &Sources) {
    for text in std::iter::once(&sources.runbook).chain(sources.imports.values()) {
        literals::learn(text, &process.known);
    }
}

/// The script of a run with its secrets, which are taken from the files that it began with, wherever they stand in them
/// now.
///
/// # Errors
/// `Input` when a file no longer holds one.
pub fn put_back(
    process: &Process,
    meta: &Meta,
    kept: &Sources,
    access: &Access,
    hash: impl Fn(&str) -> String + Copy,
) -> Result<Sources> {
    let of_file = |path: &Path| read_runbook(path).ok();
    let original = (meta.kind == RunKind::Runbook).then(|| of_file(&meta.directory.join(&meta.name))).flatten();
    let runbook = opened(&kept.runbook, original.as_deref(), hash).map_err(|error| again(&meta.name, error))?;
    let mut imports = std::collections::BTreeMap::new();
    for (name, text) in &kept.imports {
        let original = read_module(access, &meta.folder, name).ok();
        imports.insert(name.clone(), opened(text, original.as_deref(), hash).map_err(|error| again(name, error))?);
    }
    let sources = Sources { runbook, imports };
    learn(process, &sources);
    Ok(sources)
}

fn again(name: &str, error: Error) -> Error {
    error.context(format!("`{name}`")).hint(
        "give the original runbook with `--script FILE`; better use `secret_env`, `secret_file`, `secret_prompt` or \
         `--set-file` in it",
    )
}

/// The hidden input; each question is asked once in a process.
#[derive(Clone, Default)]
pub struct Typing(Arc<Mutex<HashMap<String, String>>>);

impl Typing {
    /// # Errors
    /// `Input` without a terminal, and when nothing is typed; `Interrupted`.
    pub fn ask(&self, question: &str, terminal: bool, stage: Option<&Stage>, cancel: &Cancel) -> Result<String> {
        // Held while somebody types: lanes with the same question wait for the one answer.
        let mut answers = self.0.lock();
        if let Some(answer) = answers.get(question) {
            return Ok(answer.clone());
        }
        if !terminal {
            return Err(no_terminal(question));
        }
        let aside = stage.map(Stage::aside);
        let prompt = |text: &str| match &aside {
            Some(aside) => aside.prompt(text),
            None => process::prompt(text),
        };
        let _unseen = Unseen::begin();
        prompt(&format!("{question}: "));
        let answer = loop {
            match line_within(LOOK) {
                Typed::Line(text) => break line_of(&text).to_owned(),
                Typed::End => break String::new(),
                Typed::Nothing => cancel.check().inspect_err(|_| prompt("\n"))?,
            }
        };
        prompt("\n");
        if answer.is_empty() {
            return Err(Error::input(format!("nothing was typed for `{question}`")));
        }
        answers.insert(question.to_owned(), answer.clone());
        Ok(answer)
    }
}
