//! The commands of the prompt itself: inputs that begin with `:`, and help.

use std::path::PathBuf;

use super::complete::{Candidate, fitting};
use super::lexer::is_word;
use super::view::Form;
use crate::error::{Error, Result, suggest};

/// A command for the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Help(String),
    Commands,
    /// From now on, or for one expression.
    Show(Form, Option<String>),
    /// The last result, or that of an expression, in the pager.
    Page(Option<String>),
    Save(PathBuf),
    Load(PathBuf),
    Edit(Option<PathBuf>),
    Runs,
    Jobs,
    Stop(u64),
    Cloud,
    /// The inputs so far, the newest last.
    History,
    /// An empty screen.
    Clear,
    Time(bool),
    /// A time zone beside UTC; `None` for none.
    Zone(Option<String>),
    Quit,
}

/// Name, operand, and description.
const TABLE: &[(&str, &str, &str)] = &[
    ("help", "[NAME]", "everything about a function, or a search; same as `?NAME`"),
    ("json", "[EXPRESSION]", "show results as JSON"),
    ("yaml", "[EXPRESSION]", "show results as YAML"),
    ("table", "[EXPRESSION]", "show results as tables and trees (the default)"),
    ("page", "[EXPRESSION]", "show the whole last result in the pager"),
    ("zone", "[ZONE|off]", "show times in a zone beside UTC; without one, in this machine's"),
    ("time", "on|off", "show how long each input took"),
    ("save", "FILE", "write the successful inputs as a runbook"),
    ("load", "FILE", "run a file here, with its variables and functions"),
    ("edit", "[FILE]", "edit an input, or a file, with $VISUAL or $EDITOR, and run it"),
    ("jobs", "", "list the jobs in the background"),
    ("stop", "JOB", "ask a job to stop; its work on the server goes on"),
    ("runs", "", "list the runs"),
    ("cloud", "", "show the user, the address and the generation"),
    ("history", "", "list the successful inputs of this session"),
    ("clear", "", "clear the screen"),
    ("quit", "", "leave (the same as Ctrl-D)"),
];

/// A command under its name in other shells; only inputs that are neither words of the language nor variables get here.
pub fn bare(input: &str) -> Option<Command> {
    match input.trim().trim_end_matches(';').trim_end_matches("()") {
        "exit" | "quit" | "logout" | "bye" => Some(Command::Quit),
        "clear" | "cls" => Some(Command::Clear),
        "history" => Some(Command::History),
        _ => None,
    }
}

/// Reads an input that is a command; `None` for one that is a script.
///
/// # Errors
/// `Input` for an unknown command, or an operand that does not fit.
pub fn read(input: &str) -> Option<Result<Command>> {
    let input = input.trim();
    if let Some(topic) = input.strip_prefix('?') {
        return Some(Ok(Command::Help(topic.trim().trim_matches('"').to_owned())));
    }
    if let Some(topic) = help_call(input) {
        return Some(Ok(Command::Help(topic.to_owned())));
    }
    let command = input.strip_prefix(':')?;
    let (word, operand) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    Some(command_of(word, operand.trim()))
}

/// `help`, `help()`, `help replica_create`, `help(replica_create)`, `help("network")`: a name without quotes is not a
/// variable here.
fn help_call(input: &str) -> Option<&str> {
    let rest = input.strip_prefix("help")?.trim_end_matches(';').trim();
    if rest.is_empty() {
        return Some("");
    }
    let bracketed = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let bare = input.strip_prefix("help").filter(|rest| rest.starts_with(char::is_whitespace)).map(|_| rest);
    let inside = bracketed.or(bare)?.trim();
    let topic = inside.strip_prefix('"').and_then(|inside| inside.strip_suffix('"')).unwrap_or(inside);
    topic.chars().all(|character| is_word(character) || character == ' ').then_some(topic)
}

fn command_of(word: &str, operand: &str) -> Result<Command> {
    let optional = || (!operand.is_empty()).then(|| operand.to_owned());
    let file = || match operand {
        "" => Err(Error::input(format!("`:{word}` needs a file")).hint(format!("`:{word} waves.rhai`"))),
        path => Ok(PathBuf::from(path.trim_matches('"'))),
    };
    Ok(match word {
        "" | "?" => Command::Commands,
        "help" | "h" => Command::Help(operand.to_owned()),
        "json" => Command::Show(Form::Json, optional()),
        "yaml" => Command::Show(Form::Yaml, optional()),
        "table" => Command::Show(Form::Table, optional()),
        "page" | "less" => Command::Page(optional()),
        "save" => Command::Save(file()?),
        "load" => Command::Load(file()?),
        "edit" => Command::Edit(optional().map(PathBuf::from)),
        "runs" => Command::Runs,
        "jobs" => Command::Jobs,
        "stop" => {
            let number = operand.trim_start_matches("job").trim().parse();
            Command::Stop(
                number.map_err(|_| Error::input("`:stop` needs the number of a job").hint("`:jobs` lists them"))?,
            )
        }
        "cloud" => Command::Cloud,
        "time" => match operand {
            "on" | "" => Command::Time(true),
            "off" => Command::Time(false),
            other => return Err(Error::input(format!("`:time` is `on` or `off`, not `{other}`"))),
        },
        "zone" => Command::Zone(if operand == "off" { None } else { Some(operand.to_owned()) }),
        "history" => Command::History,
        "clear" | "cls" => Command::Clear,
        "quit" | "q" | "exit" => Command::Quit,
        other => {
            let error = Error::input(format!("there is no command `:{other}`"));
            return Err(match suggest(other, TABLE.iter().map(|(name, ..)| *name)) {
                Some(near) => error.hint(format!("did you mean `:{near}`?")),
                None => error.hint("`:` alone lists them"),
            });
        }
    })
}

/// The commands that begin with `typed`, for completion.
pub fn words(typed: &str) -> Vec<Candidate> {
    let candidate = |(name, operand, summary): &(&str, &str, &str)| Candidate {
        text: if operand.is_empty() { (*name).to_owned() } else { format!("{name} ") },
        shown: format!(":{name} {operand}").trim_end().to_owned(),
        note: (*summary).to_owned(),
    };
    fitting(TABLE.iter().map(candidate), typed)
}

/// All commands with their descriptions.
pub fn overview() -> String {
    let head = |name: &str, operand: &str| format!(":{name} {operand}").trim_end().to_owned();
    let width = TABLE.iter().map(|(name, operand, _)| head(name, operand).len()).max().unwrap_or(0);
    let mut lines: Vec<String> =
        TABLE.iter().map(|(name, operand, summary)| format!("  {:width$}  {summary}", head(name, operand))).collect();
    lines.insert(0, "At this prompt:".to_owned());
    lines.push(String::new());
    lines.push("Everything else is Rhai: `let r = replica_of(\"web-01\")`; `it` is the last result.".to_owned());
    lines.push("Tab completes, the right arrow takes the hint, Ctrl-C drops the line, Ctrl-D leaves.".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(input: &str) -> Command {
        read(input).expect("it is for the prompt").unwrap()
    }

    #[test]
    fn help_is_asked_for_in_many_ways() {
        for input in [
            "?replica_create",
            "help replica_create",
            "help \"replica_create\"",
            "help(replica_create)",
            "help(\"replica_create\");",
            ":help replica_create",
        ] {
            assert_eq!(command(input), Command::Help("replica_create".into()), "{input}");
        }
        assert_eq!(
            (command("help"), command("help()"), command("?")),
            (Command::Help(String::new()), Command::Help(String::new()), Command::Help(String::new()))
        );
        assert_eq!(command("help network map"), Command::Help("network map".into()));
        for input in ["helper()", "help = 3", "help + 1", "let x = help(\"a\")", "help(x.y)", "endpoint_list()"] {
            assert!(read(input).is_none(), "{input}");
        }
    }

    #[test]
    fn commands_take_their_operands_and_say_what_they_need() {
        assert_eq!(command(":json endpoint_list()"), Command::Show(Form::Json, Some("endpoint_list()".into())));
        assert_eq!(command(":save \"my waves.rhai\""), Command::Save("my waves.rhai".into()));
        assert_eq!(command(":stop job 2"), Command::Stop(2));
        let wrong = |input: &str| read(input).expect("a command").expect_err("wrong").to_string();
        assert!(wrong(":save").contains("needs a file"));
        assert!(wrong(":tabel").contains("no command `:tabel`"));
        assert!(wrong(":stop x").contains("number of a job"));
    }

    #[test]
    fn words_of_other_shells_are_commands() {
        for (input, command) in [
            ("exit", Command::Quit),
            ("quit();", Command::Quit),
            ("clear", Command::Clear),
            ("history", Command::History),
        ] {
            assert_eq!(bare(input), Some(command), "{input}");
        }
        assert_eq!([bare("exit_code"), bare("let quit = 1"), bare("endpoint_list()")], [None, None, None]);
    }

    #[test]
    fn every_command_of_the_table_is_read() {
        for (name, ..) in TABLE {
            if let Err(error) = command_of(name, "1") {
                assert!(!error.message.contains("no command"), "{name}: {error}");
            }
        }
    }
}
