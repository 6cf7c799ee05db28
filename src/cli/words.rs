//! Words that people try: those of other tools, misspelt ones, and options that are parameters of the runbook.

use std::ffi::OsStr;
use std::path::Path;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Arguments;
use crate::error::{Error, suggest};
use crate::language::declared::declared;
use crate::language::source::read_runbook;
use crate::process::Process;
use crate::runtime::engine::bare;

/// Words of other tools, and their equivalents here.
const ELSEWHERE: [(&[&str], &str); 16] = [
    (&["list", "ls", "ps", "history", "jobs"], "`coriolis-run runs` lists the runs"),
    (
        &["logs", "log", "show", "inspect", "describe", "events", "info"],
        "`coriolis-run runs show [RUN]` shows what happened in a run, `coriolis-run report [RUN]` everything",
    ),
    (
        &["stop", "cancel", "kill", "pause", "abort"],
        "Ctrl-C in the run's terminal pauses it, and so does SIGTERM to its process; `coriolis-run resume` goes on",
    ),
    (&["start", "exec", "execute", "launch", "go", "apply"], "`coriolis-run waves.rhai` runs a runbook"),
    (
        &["continue", "retry", "restart", "rerun"],
        "`coriolis-run resume [RUN]` goes on; with `--retry-failed` it also repeats what failed",
    ),
    (
        &["plan", "rehearse", "simulate", "dry-run", "dryrun", "demo", "test"],
        "`--sandbox` after the runbook rehearses it on a simulated cloud",
    ),
    (&["validate", "lint", "verify"], "`coriolis-run check waves.rhai` finds mistakes without running"),
    (&["docs", "doc", "man", "reference", "api", "function"], "`coriolis-run functions [NAME]` is the reference"),
    (&["approve", "confirm"], "`coriolis-run answer RUN GATE yes` answers a gate"),
    (&["prune", "clean", "cleanup", "rm", "remove", "delete"], "`coriolis-run runs prune` removes old runs"),
    (&["export"], "`coriolis-run report [RUN] -o run.html` writes a report"),
    (&["eval", "evaluate", "expr"], "`coriolis-run -e 'endpoint_list()'` evaluates an expression"),
    (&["init", "new", "create"], "`coriolis-run` alone is a prompt, whose `:save waves.rhai` writes a runbook"),
    (
        &["login", "auth", "config", "configure", "clouds"],
        "the cloud is named with `--os-cloud`, or by `OS_*` in the environment",
    ),
    (&["-"], "a runbook is a file, with its own files beside it; one that needs none can be piped in as `/dev/stdin`"),
    (&["serve", "server"], "`coriolis-run sandbox` serves the simulated cloud for other clients"),
];

/// Options of other tools, and their equivalents here.
const OPTIONS: [(&[&str], &str); 8] = [
    (&["--list", "-l"], "`coriolis-run runs` lists the runs, `coriolis-run functions` the functions"),
    (&["--port", "--bind", "--address", "--host"], "`--listen 127.0.0.1:8080` is the address of a served sandbox"),
    (&["--dry-run", "--plan", "--simulate", "--test", "-n"], "`--sandbox` rehearses on a simulated cloud"),
    (
        &["--param", "--parameter", "--var", "--vars", "--extra-vars", "-p", "-s"],
        "parameters are given with `--set NAME=VALUE`",
    ),
    (&["--cloud", "-c"], "the cloud is named with `--os-cloud NAME`"),
    (&["--yes", "-y", "--force", "-f"], "gates are answered with `coriolis-run answer RUN GATE yes`"),
    (&["--debug", "-d"], "`--verbose` writes a line for every change, `--output jsonl` prints every event"),
    (&["--json", "-j"], "`--format json` writes results as JSON, `--output jsonl` the events of a run"),
];

/// Options that the argument parser adds itself.
const OWN: [&str; 2] = ["help", "version"];

/// Words for the newest run.
const NEWEST: [&str; 3] = ["latest", "last", "newest"];

/// The command line as it was meant: `help`, `version` and `repl` become commands, and an optional value after a blank
/// is joined to its option.
pub fn meant(arguments: &[String]) -> Vec<String> {
    let Some((program, rest)) = arguments.split_first() else { return Vec::new() };
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let words: Vec<String> = match rest.as_slice() {
        ["help" | "?"] | ["-?"] => vec!["--help".into()],
        ["help" | "?", word] if commands().iter().any(|command| command == word) => {
            vec![(*word).into(), "--help".into()]
        }
        ["help" | "?", words @ ..] => std::iter::once("functions".into()).chain(owned(words)).collect(),
        ["version"] => vec!["--version".into()],
        ["repl" | "shell" | "prompt" | "console", options @ ..] => owned(options),
        ["sandbox", generation @ ("current" | "legacy"), options @ ..] => ["sandbox", "--generation", generation]
            .into_iter()
            .chain(options.iter().copied())
            .map(str::to_owned)
            .collect(),
        ["runs", "show", word, options @ ..] if NEWEST.contains(word) => {
            ["runs", "show"].into_iter().chain(options.iter().copied()).map(str::to_owned).collect()
        }
        [command @ ("resume" | "report" | "status"), word, options @ ..] if NEWEST.contains(word) => {
            std::iter::once(*command).chain(options.iter().copied()).map(str::to_owned).collect()
        }
        words => owned(words),
    };
    std::iter::once(program.clone()).chain(with_generations(words)).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// `--sandbox legacy` as `--sandbox=legacy`.
fn with_generations(words: Vec<String>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        match joined.last_mut() {
            Some(option) if option == "--sandbox" && matches!(word.as_str(), "current" | "legacy") => {
                *option = format!("--sandbox={word}");
            }
            _ => joined.push(word),
        }
    }
    joined
}

fn commands() -> Vec<String> {
    Arguments::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// Refuses a path that cannot be a runbook, if that shows before parsing.
///
/// # Errors
/// `Input` for a word that is neither a command nor a file, for a folder, and for a table.
pub fn runbook(process: &Process, path: &Path) -> Result<(), Error> {
    let whole = process.directory.join(path);
    let shown = path.display();
    if whole.is_dir() {
        let error = Error::input(format!("`{shown}` is a folder, not a runbook"));
        return Err(match runbooks(&whole).as_slice() {
            [] => error.hint("a runbook is a `.rhai` file"),
            [only] => error.hint(format!("did you mean `{}`?", path.join(only).display())),
            all => error.hint(format!("it has {}", listed(all))),
        });
    }
    if !whole.exists() {
        return Err(missing(path, &whole));
    }
    let reads = match extension(path).as_deref() {
        Some("csv" | "tsv" | "xlsx" | "xls") => "read_csv",
        Some("json") => "read_json",
        _ => return Ok(()),
    };
    Err(Error::input(format!("`{shown}` is data, not a runbook"))
        .hint(format!("a runbook reads it: `{reads}(\"{shown}\")`")))
}

fn extension(path: &Path) -> Option<String> {
    path.extension().and_then(OsStr::to_str).map(str::to_lowercase)
}

/// The error for a runbook that does not exist, with a suggestion.
fn missing(path: &Path, whole: &Path) -> Error {
    let shown = path.display().to_string();
    let is_word = path.components().count() == 1 && path.extension().is_none();
    let error = match is_word {
        true => Error::input(format!("there is neither a command nor a runbook `{shown}`")),
        false => Error::input(format!("there is no runbook `{shown}`")),
    };
    if whole.is_symlink() {
        return error.hint("it is a link to a file that does not exist");
    }
    let folder = whole.parent().unwrap_or(whole);
    if folder.as_os_str().is_empty() {
        return error.hint("the working directory no longer exists");
    }
    if !folder.is_dir() {
        return error.hint(format!("there is no folder `{}`", folder.display()));
    }
    let with_extension = whole.with_extension("rhai");
    if is_word && with_extension.is_file() {
        return error.hint(format!("did you mean `{}`?", path.with_extension("rhai").display()));
    }
    let word = shown.to_lowercase();
    if let Some(hint) = elsewhere(&ELSEWHERE, &word).filter(|_| is_word) {
        return error.hint(hint);
    }
    let commands = commands();
    let same = commands.iter().find(|command| **command == word).map(String::as_str);
    if let Some(command) = same.filter(|_| is_word && shown == word) {
        return error.hint(format!("the command comes before its options: `coriolis-run {command} ...`"));
    }
    let near = same.or_else(|| suggest(&word, commands.iter().map(String::as_str)));
    if let Some(near) = near.filter(|_| is_word) {
        return error.hint(format!("did you mean `coriolis-run {near}`?"));
    }
    let names = runbooks(folder);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match suggest(&name, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{}`?", path.with_file_name(near).display())),
        None if names.is_empty() || names.len() > MOST_LISTED => error.hint("`coriolis-run --help` lists the commands"),
        None => error.hint(format!("the folder has {}", listed(&names))),
    }
}

/// The most runbooks of a folder that are named.
const MOST_LISTED: usize = 5;

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MOST_LISTED).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > MOST_LISTED { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The runbooks of a folder, by name.
fn runbooks(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).map(|entries| entries.filter_map(|entry| entry.ok()).collect());
    let entries: Vec<std::fs::DirEntry> = entries.unwrap_or_default();
    let mut names: Vec<String> = entries
        .iter()
        .filter(|entry| entry.path().exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".rhai") && !name.ends_with(".d.rhai"))
        .collect();
    names.sort();
    names
}

fn elsewhere(table: &[(&[&str], &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(words, _)| words.contains(&word)).map(|(_, hint)| *hint)
}

/// The error for `run` without anything to run.
pub fn no_runbook() -> Error {
    Error::input("`run` needs a runbook")
        .hint("`coriolis-run run waves.rhai` runs one, `coriolis-run` alone is a prompt")
}

/// The error for words behind the runbook.
pub fn more(process: &Process, runbook: &Path, words: &[String]) -> Error {
    if let Err(error) = self::runbook(process, runbook) {
        return error;
    }
    let word = words.first().map(String::as_str).unwrap_or_default();
    let shown = runbook.display();
    let error = Error::input(format!("unexpected `{word}` after the runbook `{shown}`"));
    error.hint(match word.split_once('=') {
        Some(_) => format!("parameters are given with `--set {word}`"),
        None if suggest(word, ["current", "legacy"]).is_some() => {
            let generation = suggest(word, ["current", "legacy"]).unwrap_or(word);
            format!("write `--sandbox={generation}`")
        }
        None if word.ends_with(".rhai") => "only one runbook can be run at a time".to_owned(),
        None if commands().iter().any(|command| command == word) => {
            format!("the command comes first: `coriolis-run {word} {shown}`")
        }
        None => format!("`coriolis-run {shown} --help` lists its parameters, which are given with `--set NAME=VALUE`"),
    })
}

/// The error for a command line that cannot be read, if there is more to say than the parser does.
pub fn misread(process: &Process, error: &clap::Error) -> Option<Error> {
    let words: Vec<&str> = process.arguments.iter().skip(1).map(String::as_str).collect();
    let arguments = Arguments::command();
    let command = words.iter().find_map(|word| arguments.find_subcommand(word)).unwrap_or(&arguments);
    match (error.kind(), error.get(ContextKind::InvalidArg), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(given)), _) => {
            Some(unknown(process, command, &words, given))
        }
        (ErrorKind::InvalidSubcommand, _, Some(ContextValue::String(word))) => Some(no_subcommand(command, word)),
        (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(missing)), _) => {
            let told = Error::input(format!("`{}` needs {}", command.get_name(), missing.join(" ")));
            Some(match error.get(ContextKind::Usage) {
                Some(ContextValue::StyledStr(usage)) => {
                    told.hint(format!("write `{}`", usage.to_string().trim_start_matches("Usage: ")))
                }
                _ => told,
            })
        }
        _ => None,
    }
}

/// The error for a word behind a command that is none of its own: `runs ls`.
fn no_subcommand(command: &clap::Command, word: &str) -> Error {
    let name = command.get_name();
    let error = Error::input(format!("`{name}` has no command `{word}`"));
    let known: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    match (elsewhere(&ELSEWHERE, word), suggest(word, known.iter().copied())) {
        (Some(hint), _) => error.hint(hint),
        (None, Some(near)) => error.hint(format!("did you mean `coriolis-run {name} {near}`?")),
        (None, None) => error.hint(format!("`coriolis-run {name} --help` lists its commands")),
    }
}

/// The error for an option, or a word, that a command does not have.
fn unknown(process: &Process, command: &clap::Command, words: &[&str], given: &str) -> Error {
    let name = match command.get_name() {
        "coriolis-run" => String::new(),
        name => format!(" {name}"),
    };
    let option = given.split('=').next().unwrap_or(given);
    if !option.starts_with('-') {
        let is_address = name == " sandbox" && given.contains(':');
        return Error::input(format!("unexpected `{given}` after `coriolis-run{name}`")).hint(match is_address {
            true => format!("write `--listen {given}`"),
            false => format!("`coriolis-run{name} --help` shows what belongs there"),
        });
    }
    let told = Error::input(format!("there is no option `{option}`"));
    if let Some((name, value)) = as_parameter(process, option, words) {
        return told.hint(format!("`{name}` is a parameter of the runbook: `--set {name}={value}`"));
    }
    let known: Vec<String> =
        command.get_arguments().filter_map(clap::Arg::get_long).chain(OWN).map(|name| format!("--{name}")).collect();
    if let Some(hint) = elsewhere(&OPTIONS, option) {
        return told.hint(hint);
    }
    match suggest(option, known.iter().map(String::as_str)) {
        Some(near) => told.hint(format!("did you mean `{near}`?")),
        None => told.hint(format!("`coriolis-run{name} --help` lists the options")),
    }
}

/// The parameter `limit` and `3`, for `--limit 3` and `--limit=3`, if the runbook has such a parameter.
fn as_parameter(process: &Process, option: &str, words: &[&str]) -> Option<(String, String)> {
    let runbook = words.iter().find(|word| word.ends_with(".rhai"))?;
    let text = read_runbook(&process.directory.join(runbook)).ok()?;
    let ast = bare().compile(text).ok()?;
    let name = option.trim_start_matches('-').replace('-', "_");
    let declared = declared(&ast);
    let names = || declared.iter().map(|parameter| parameter.name.as_str());
    let same = names().find(|known| known.replace('-', "_") == name);
    let parameter = same.or_else(|| suggest(&name, names()))?;
    let at = words.iter().position(|word| word.split('=').next() == Some(option))?;
    let value = match words[at].split_once('=') {
        Some((_, value)) => value,
        None => words.get(at + 1).copied().filter(|next| !next.starts_with('-')).unwrap_or("..."),
    };
    Some((parameter.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        meant(&[vec!["coriolis-run".to_owned()], words].concat())[1..].join(" ")
    }

    #[test]
    fn the_command_line_is_read_as_it_is_meant() {
        for (given, meant) in [
            ("help", "--help"),
            ("-?", "--help"),
            ("help report", "report --help"),
            ("help replica sync", "functions replica sync"),
            ("version", "--version"),
            ("repl --sandbox", "--sandbox"),
            ("waves.rhai --sandbox legacy --speed max", "waves.rhai --sandbox=legacy --speed max"),
            ("run --sandbox current waves.rhai", "run --sandbox=current waves.rhai"),
            ("--sandbox waves.rhai", "--sandbox waves.rhai"),
            ("sandbox legacy --seed 2", "sandbox --generation legacy --seed 2"),
            ("resume latest --retry-failed", "resume --retry-failed"),
            ("report last -o r.html", "report -o r.html"),
            ("runs show latest", "runs show"),
            ("status last", "status"),
            ("report m4k7t2qa", "report m4k7t2qa"),
            ("-e help()", "-e help()"),
        ] {
            assert_eq!(said(given), meant, "{given}");
        }
    }

    #[test]
    fn a_word_of_another_tool_stands_in_one_row_and_is_no_command() {
        let commands = commands();
        let words: Vec<&str> = ELSEWHERE.iter().flat_map(|(words, _)| words.iter().copied()).collect();
        for word in &words {
            assert!(!commands.iter().any(|command| command == word), "{word} is a command");
            assert_eq!(words.iter().filter(|other| *other == word).count(), 1, "{word}");
        }
    }
}
