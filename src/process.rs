//! The only file that touches the ambient process: arguments, environment, working directory, standard streams.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

/// What the process was started with. Tests make their own.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub directory: PathBuf,
    pub stdin_is_terminal: bool,
    pub stdout_is_terminal: bool,
    pub stderr_is_terminal: bool,
}

impl Process {
    #[allow(clippy::disallowed_methods, reason = "this file is the door to the process")]
    pub fn real() -> Self {
        Self {
            arguments: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
            environment: std::env::vars_os()
                .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
                .collect(),
            directory: std::env::current_dir().unwrap_or_default(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// An environment variable, where an empty one counts as not set.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
