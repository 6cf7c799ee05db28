//! The definition of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::clock::Speed;
use crate::model::Generation;
use crate::settings::CloudFlags;

/// Move hundreds of VMs with Coriolis: write the migration as a script, rehearse it, run it.
#[derive(Debug, Parser)]
#[command(
    name = "coriolis-run",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    after_help = "Exit codes: 0 done, 1 runbook error, 2 bad input, 3 items failed, 4 cannot reach, 5 cannot log in,\n\
                  6 paused, 7 journal mismatch, 8 needs an answer, 9 cannot write, 10 source off, 70 internal."
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArguments,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a runbook (the same as naming it alone)
    Run(Box<RunArguments>),
    /// Find mistakes without running
    Check(CheckArguments),
    /// Go on with a run that stopped or was killed
    Resume(Box<ResumeArguments>),
    /// Answer a gate of a run
    Answer(AnswerArguments),
    /// Show the sources that a run left off, and note those that are on again
    Rollback(RollbackArguments),
    /// List the runs, show one, and remove old ones
    Runs(RunsArguments),
    /// Show the status of the runs, the unfinished ones first
    Status(Box<StatusArguments>),
    /// Report on a run: as a page, as a table, or for another program
    Report(ReportArguments),
    /// Serve the simulated Keystone and Coriolis for other clients
    Sandbox(SandboxArguments),
    /// Show the functions that a runbook can call
    Functions(FunctionsArguments),
}

#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Runbooks; `-` for stdin
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Format of the findings: for people, or a JSON array
    #[arg(long, value_name = "KIND", default_value = "text")]
    pub format: CheckFormat,

    /// Show this help
    #[arg(short = 'h', long, action = clap::ArgAction::HelpLong)]
    pub help: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub struct FunctionsArguments {
    /// One function, in any spelling, or a word to search for; default: all
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    /// Output format; `rhai` is for editors
    #[arg(long, value_name = "KIND", default_value = "text")]
    pub format: ReferenceFormat,

    /// Show this help
    #[arg(short = 'h', long, action = clap::ArgAction::HelpLong)]
    pub help: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReferenceFormat {
    Text,
    Markdown,
    Json,
    Rhai,
}

#[derive(Debug, Args)]
pub struct RunArguments {
    /// The runbook, a `.rhai` file
    #[arg(value_name = "RUNBOOK")]
    pub runbook: Option<PathBuf>,

    /// Words behind the runbook, which are refused with a suggestion
    #[arg(hide = true, value_name = "WORD", requires = "runbook")]
    pub more: Vec<String>,

    /// Evaluate one expression instead: a table on a terminal, JSON in a pipe
    #[arg(short = 'e', long = "evaluate", value_name = "EXPRESSION", conflicts_with = "runbook")]
    pub expression: Option<String>,

    /// Set a parameter of the runbook; others on this machine can see it in `ps`
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,

    /// Set a secret parameter to the content of a file, without its last line break
    #[arg(long = "set-file", value_name = "NAME=PATH")]
    pub set_file: Vec<String>,

    /// Run on an embedded simulated cloud instead of a real one
    #[arg(long, value_name = "GENERATION", num_args = 0..=1, require_equals = true, default_missing_value = "current")]
    pub sandbox: Option<GenerationWord>,

    /// Speed of the sandbox's time: a factor, or `max` to jump; default `max` in a pipe, watchable on a terminal
    #[arg(long, value_name = "N|max", value_parser = speed)]
    pub speed: Option<Speed>,

    /// Seed for the sandbox's ids, durations and faults
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Time to retry an unreachable cloud: the API, Keystone, 429, 502, 503, 504; `0` does not wait; default `10m`,
    /// kept with the run
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    pub patience: Option<Duration>,

    /// Output of the run: text for people, or events as JSON lines on stdout
    #[arg(long, value_name = "KIND", default_value = "text")]
    pub output: OutputKind,

    /// A line in the log for every change, rather than for the ends of the parts
    #[arg(long, short)]
    pub verbose: bool,

    /// Format of the result of `-e`
    #[arg(long, value_name = "KIND")]
    pub format: Option<Format>,

    /// Directory of the runs; default: $XDG_STATE_HOME/coriolis-run
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,

    /// Let the runbook read this file or folder as well; it reads below its own folder, and the files named with
    /// `--set`
    #[arg(long, value_name = "PATH")]
    pub allow_read: Vec<PathBuf>,

    /// Raise a limit of the runbook: `lane-memory` (256MiB; the values of one lane), `memory` (1GiB; all lanes
    /// together), `file` (16MiB; a file that is read), `nesting` (500; lists and maps inside each other)
    #[arg(long, value_name = "LIMIT=VALUE")]
    pub max: Vec<String>,

    /// Show this help; after a runbook, its parameters as well
    #[arg(short = 'h', long)]
    pub help: bool,

    #[command(flatten)]
    pub cloud: CloudFlags,
}

impl RunArguments {
    /// True if there is nothing to run and nothing to show.
    pub fn names_nothing(&self) -> bool {
        self.runbook.is_none() && self.expression.is_none() && !self.help
    }
}

#[derive(Debug, Args)]
pub struct ResumeArguments {
    /// The run's id, or its beginning; default: the newest run of a runbook, with `--retry-failed` the newest with
    /// failures
    #[arg(value_name = "RUN")]
    pub run: Option<String>,

    /// Go on with an edited runbook: the finished part must be unchanged
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,

    /// Repeat the items that failed, were cancelled or never started; finished ones are kept
    #[arg(long)]
    pub retry_failed: bool,

    /// Take the run from a process on another machine that is certainly gone
    #[arg(long)]
    pub take_over: bool,

    /// Change a parameter; others on this machine can see it in `ps`
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,

    /// Set a secret parameter to the content of a file, without its last line break
    #[arg(long = "set-file", value_name = "NAME=PATH")]
    pub set_file: Vec<String>,

    /// Speed of a sandbox's time: a factor, or `max` to jump
    #[arg(long, value_name = "N|max", value_parser = speed)]
    pub speed: Option<Speed>,

    /// Time to retry an unreachable cloud; default: as at the start of the run
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    pub patience: Option<Duration>,

    /// Output of the run: text for people, or events as JSON lines on stdout
    #[arg(long, value_name = "KIND", default_value = "text")]
    pub output: OutputKind,

    /// A line in the log for every change, rather than for the ends of the parts
    #[arg(long, short)]
    pub verbose: bool,

    /// Directory of the runs
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,

    /// Let the runbook read this file or folder as well
    #[arg(long, value_name = "PATH")]
    pub allow_read: Vec<PathBuf>,

    /// Raise a limit of the runbook further
    #[arg(long, value_name = "LIMIT=VALUE")]
    pub max: Vec<String>,

    /// Show this help
    #[arg(short = 'h', long, action = clap::ArgAction::HelpLong)]
    pub help: Option<bool>,

    #[command(flatten)]
    pub cloud: CloudFlags,
}

#[derive(Debug, Args)]
pub struct AnswerArguments {
    /// The run's id, or its beginning
    #[arg(value_name = "RUN")]
    pub run: String,

    /// The gate's name in the run
    #[arg(value_name = "GATE")]
    pub gate: String,

    /// The answer
    #[arg(value_name = "ANSWER")]
    pub answer: AnswerWord,

    /// Directory of the runs
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,

    /// Show this help
    #[arg(short = 'h', long, action = clap::ArgAction::HelpLong)]
    pub help: Option<bool>,
}

#[derive(Debug, Args)]
pub struct RollbackArguments {
    /// The run's id, or its beginning
    #[arg(value_name = "RUN")]
    pub run: String,

    /// A VM whose source somebody has switched on again: its name, or the key of its item
    #[arg(long, value_name = "NAME")]
    pub mark: Vec<String>,

    /// Directory of the runs
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,

    /// Show this help
    #[arg(short = 'h', long, action = clap::ArgAction::HelpLong)]
    pub help: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnswerWord {
    Yes,
    No,
}

#[derive(Debug, Args)]
pub struct RunsArguments {
    #[command(subcommand)]
    pub command: Option<RunsCommand>,

    /// Output format; default: a table on a terminal, JSON in a pipe
    #[arg(long, value_name = "KIND", global = true)]
    pub format: Option<Format>,

    /// Directory of the runs
    #[arg(long, value_name = "FOLDER", global = true)]
    pub state_dir: Option<PathBuf>,

    /// Show this help
    #[arg(short = 'h', long, action = clap::ArgAction::HelpLong, global = true)]
    pub help: Option<bool>,
}

#[derive(Debug, Args)]
pub struct StatusArguments {
    /// One run with all its items, or an inventory (a `.csv` file) whose VMs are looked up; default: all runs
    #[arg(value_name = "RUN|INVENTORY")]
    pub run: Option<String>,

    /// Output format; default: a table on a terminal, JSON in a pipe
    #[arg(long, value_name = "KIND")]
    pub format: Option<Format>,

    /// Directory of the runs
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,

    /// Show this help
    #[arg(short = 'h', long, action = clap::ArgAction::HelpLong)]
    pub help: Option<bool>,

    #[command(flatten)]
    pub cloud: CloudFlags,
}

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// All runs, the newest first (the same as `runs` alone)
    List,
    /// Show one run with all its items
    Show(ShowArguments),
    /// Remove old runs, except those that a process is working on
    Prune(PruneArguments),
}

#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The run's id, or its beginning; default: the newest run of a runbook
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
}

#[derive(Debug, Args)]
pub struct PruneArguments {
    /// Runs that ended longer ago than this, such as `30d`
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    pub older_than: Option<Duration>,

    /// Number of the newest runs to keep, however old they are
    #[arg(long, value_name = "NUMBER")]
    pub keep: Option<usize>,

    /// Also runs that can be resumed, or that sent changes of unknown outcome
    #[arg(long)]
    pub unfinished: bool,

    /// Only list the runs that would be removed
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct ReportArguments {
    /// The run's id, or its beginning; default: the newest run of a runbook
    #[arg(value_name = "RUN")]
    pub run: Option<String>,

    /// Format; default: that of the file's name, else Markdown
    #[arg(long, value_name = "KIND")]
    pub format: Option<ReportFormat>,

    /// File to write; default: stdout
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Directory of the runs
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,

    /// Show this help
    #[arg(short = 'h', long, action = clap::ArgAction::HelpLong)]
    pub help: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Html,
    Json,
    Junit,
    Csv,
    Markdown,
}

#[derive(Debug, Args)]
pub struct SandboxArguments {
    /// The address to listen on; port 0 for a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// Seconds of its time in one second
    #[arg(long, value_name = "N", default_value = "60", value_parser = speed)]
    pub speed: Speed,

    /// API to serve
    #[arg(long, value_name = "GENERATION", default_value = "current")]
    pub generation: GenerationWord,

    /// Version of Keystone's API to serve; v2.0 is that of clouds before 2018
    #[arg(long, value_name = "VERSION", default_value = "v3")]
    pub keystone: KeystoneWord,

    /// Seed for ids, durations and faults
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Number of well-behaved VMs on its vCenter, `vm-001` and on, instead of the 60 of a rehearsal
    #[arg(long, value_name = "NUMBER")]
    pub vms: Option<u32>,

    /// Show this help
    #[arg(short = 'h', long, action = clap::ArgAction::HelpLong)]
    pub help: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GenerationWord {
    Current,
    Legacy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeystoneWord {
    V3,
    #[value(name = "v2.0")]
    V2,
}

impl From<Generation> for GenerationWord {
    fn from(generation: Generation) -> Self {
        match generation {
            Generation::Current => GenerationWord::Current,
            Generation::Legacy => GenerationWord::Legacy,
        }
    }
}

impl From<GenerationWord> for Generation {
    fn from(word: GenerationWord) -> Self {
        match word {
            GenerationWord::Current => Generation::Current,
            GenerationWord::Legacy => Generation::Legacy,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputKind {
    Text,
    Jsonl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    Table,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 && factor <= 1_000_000.0 => Ok(Speed::Times(factor)),
        _ => Err("write a factor such as `60`, up to 1000000, or `max`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(words: &[&str]) -> Arguments {
        Arguments::try_parse_from(std::iter::once("coriolis-run").chain(words.iter().copied())).expect("parses")
    }

    #[test]
    fn the_words_fit_together() {
        Arguments::command().debug_assert();
        assert_eq!(parse(&["waves.rhai", "--sandbox"]).run.sandbox, Some(GenerationWord::Current));
        assert_eq!(parse(&["--sandbox=legacy", "waves.rhai"]).run.sandbox, Some(GenerationWord::Legacy));
        assert_eq!(parse(&["--sandbox", "waves.rhai"]).run.runbook, Some("waves.rhai".into()));
        assert!(matches!(parse(&["run", "waves.rhai"]).command, Some(Command::Run(_))));
        assert_eq!(parse(&["w.rhai", "--speed", "max"]).run.speed, Some(Speed::Max));
        assert!(parse(&["w.rhai", "--help"]).run.help);
        assert!(matches!(
            parse(&["functions", "replica_sync", "--format", "json"]).command,
            Some(Command::Functions(FunctionsArguments { format: ReferenceFormat::Json, .. }))
        ));
        assert!(matches!(
            parse(&["sandbox", "--keystone", "v2.0"]).command,
            Some(Command::Sandbox(SandboxArguments { keystone: KeystoneWord::V2, .. }))
        ));
        assert!(Arguments::try_parse_from(["coriolis-run", "w.rhai", "--speed", "0"]).is_err());
    }
}
