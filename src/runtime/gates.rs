//! Gates: places where a run waits for somebody's answer.

use crate::error::{Error, Result};

/// An answer to a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    pub by: String,
}

impl Answer {
    pub fn is_yes(&self) -> bool {
        matches!(self.text.trim().to_lowercase().as_str(), "yes" | "y" | "true")
    }
}

/// The source of answers: a terminal, or another process.
pub trait Gates: Send + Sync {
    /// The answer; `None` if nobody is there to give one.
    ///
    /// # Errors
    /// Asking was interrupted.
    fn ask(&self, gate: &str, question: &str) -> Result<Option<Answer>>;

    /// True if asking at this gate gets an answer; for an empty name, if somebody is there to be asked anything.
    fn is_attended(&self, _gate: &str) -> bool {
        false
    }

    /// A secret that somebody types unseen; never recorded.
    ///
    /// # Errors
    /// `Input` when nobody can be asked.
    fn secret(&self, question: &str) -> Result<String> {
        Err(no_terminal(question))
    }
}

/// The refusal to ask for a secret without a way to type it unseen.
pub fn no_terminal(question: &str) -> Error {
    Error::input(format!("cannot ask for `{question}`: there is no terminal"))
        .hint("use `secret_env`, `secret_file` or `--set-file` without one")
}

/// Gates without anybody to answer.
pub struct Nobody;

impl Gates for Nobody {
    fn ask(&self, _: &str, _: &str) -> Result<Option<Answer>> {
        Ok(None)
    }
}
