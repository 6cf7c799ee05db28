//! The answers to the gates of a run: from another process, or from the terminal.

use std::time::Duration;

use super::secrets::Typing;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::journal::runs::Directory;
use crate::process::terminal::{Aloud, Typed, line_within};
use crate::report::Stage;
use crate::runtime::gates::{Answer, Gates};

/// The interval for checking for an answer from another process, in real time.
const LOOK: Duration = Duration::from_millis(300);

/// The gates of a run with a directory.
pub struct Desk {
    pub directory: Option<Directory>,
    pub cancel: Cancel,
    /// The terminal, if there is one that people can type at.
    pub terminal: Option<Stage>,
    /// The user at the terminal.
    pub user: String,
    pub typing: Typing,
}

/// A first pass over a run asks only for the secrets that it needs.
pub struct Past {
    pub cancel: Cancel,
    pub terminal: bool,
    pub typing: Typing,
}

impl Gates for Past {
    fn ask(&self, _: &str, _: &str) -> Result<Option<Answer>> {
        Ok(None)
    }

    fn secret(&self, question: &str) -> Result<String> {
        self.typing.ask(question, self.terminal, None, &self.cancel)
    }
}

impl Desk {
    fn elsewhere(&self, gate: &str) -> Option<Answer> {
        let answer = self.directory.as_ref()?.answer_to(gate)?;
        Some(Answer { text: answer.answer, by: answer.by })
    }
}

impl Gates for Desk {
    fn secret(&self, question: &str) -> Result<String> {
        self.typing.ask(question, self.terminal.is_some(), self.terminal.as_ref(), &self.cancel)
    }

    fn is_attended(&self, gate: &str) -> bool {
        self.terminal.is_some() || self.elsewhere(gate).is_some()
    }

    fn ask(&self, gate: &str, question: &str) -> Result<Option<Answer>> {
        if let Some(answer) = self.elsewhere(gate) {
            return Ok(Some(answer));
        }
        let Some(terminal) = &self.terminal else { return Ok(None) };
        let (aside, _aloud) = (terminal.aside(), Aloud::begin());
        loop {
            aside.prompt(&format!("{question} [yes/no] "));
            loop {
                match line_within(LOOK) {
                    Typed::Line(text) if matches!(text.trim(), "yes" | "y" | "no" | "n") => {
                        return Ok(Some(Answer { text: text.trim().to_owned(), by: self.user.clone() }));
                    }
                    Typed::Line(_) => break,
                    // The end of the input is not an answer.
                    Typed::End => return Ok(None),
                    Typed::Nothing => {
                        self.cancel.check().inspect_err(|_| aside.prompt("\n"))?;
                        if let Some(answer) = self.elsewhere(gate) {
                            aside.prompt("\n");
                            return Ok(Some(answer));
                        }
                    }
                }
            }
        }
    }
}
