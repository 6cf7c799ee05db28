//! Gates: places where a run waits for somebody's answer.

use crate::error::{Error, Result};

/// What somebody said.
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

/// Where answers come from: a terminal, or what was answered from elsewhere.
pub trait Gates: Send + Sync {
    /// The answer; `None` when nobody is there to give one.
    ///
    /// # Errors
    /// When asking was interrupted.
    fn ask(&self, gate: &str, question: &str) -> Result<Option<Answer>>;

    /// A secret that somebody types, unseen; never on record.
    ///
    /// # Errors
    /// `Input` when nobody can be asked.
    fn secret(&self, question: &str) -> Result<String> {
        Err(no_terminal(question))
    }
}

/// The refusal to ask for a secret where nobody could type it unseen.
pub fn no_terminal(question: &str) -> Error {
    Error::input(format!("cannot ask for `{question}`: there is no terminal"))
        .hint("use `secret_env`, `secret_file` or `--set-file` without one")
}

/// Nobody is there.
pub struct Nobody;

impl Gates for Nobody {
    fn ask(&self, _: &str, _: &str) -> Result<Option<Answer>> {
        Ok(None)
    }
}
