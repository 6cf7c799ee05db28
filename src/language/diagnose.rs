//! Mistakes in a runbook, shown with the line and a caret.

use std::path::{Path, PathBuf};

use crate::decode;
use crate::language::error::{Located, Step};
use crate::language::finding::Finding;
use crate::report::values::diagnostic::{self, Excerpt, Severity};

/// More calls than this are shortened.
const MOST_STEPS: usize = 8;

/// The text that a position refers to.
pub struct Source {
    /// The name as the operator wrote it.
    pub name: String,
    pub text: String,
    pub folder: PathBuf,
}

impl Source {
    /// A mistake found before the run.
    pub fn finding(&self, finding: &Finding, color: bool) -> String {
        self.remark(Severity::Error, finding, color)
    }

    /// A finding before the run, with its severity.
    pub fn remark(&self, severity: Severity, finding: &Finding, color: bool) -> String {
        let error = &finding.error;
        let place = self.place(finding.line, finding.column, error.details.get("key").and_then(|key| key.as_str()));
        diagnostic::render(severity, &error.message, "", place, error.hint.as_deref(), color)
    }

    /// An error that ended the run, at the place where it was thrown.
    pub fn thrown(&self, located: &Located, color: bool) -> String {
        let error = &located.error;
        let Some(at) = &located.place else { return diagnostic::error(error, color) };
        let key = error.details.get("key").and_then(|key| key.as_str());
        let module = at.source.as_deref().and_then(|name| self.module(name));
        let source = module.as_ref().unwrap_or(self);
        let place = source.place(at.line, at.column, key);
        let mut told = diagnostic::at(error, place, color);
        for step in self.steps(located) {
            told.push_str(&format!("\n  {step}"));
        }
        told
    }

    /// The calls that an error passed through, innermost first; only the first and the last of very many.
    fn steps(&self, located: &Located) -> Vec<String> {
        let told = |step: &Step| match &step.called {
            Some(called) => {
                let module = called.source.as_deref().and_then(|name| self.module(name));
                let name = module.as_ref().map_or(&self.name, |module| &module.name);
                format!("in {}, called at {name}:{}:{}", step.label(), called.line, called.column)
            }
            None => format!("in {}", step.label()),
        };
        let mut steps: Vec<String> = located.through.iter().map(told).collect();
        let left_out = steps.len().saturating_sub(MOST_STEPS);
        if left_out > 1 {
            let from = MOST_STEPS / 2;
            steps.splice(from..from + left_out, [format!("... {left_out} calls more")]);
        }
        steps
    }

    /// The position, moved onto the key that is meant, if only the position of the call is known.
    fn place<'a>(&'a self, line: usize, column: usize, key: Option<&str>) -> Excerpt<'a> {
        let (line, column) = key.and_then(|key| find_word(&self.text, line, column, key)).unwrap_or((line, column));
        Excerpt { file: &self.name, source: &self.text, line, column, length: None }
    }

    fn module(&self, name: &str) -> Option<Source> {
        let path = Path::new(name);
        let path =
            if path.extension().is_some() { path.to_owned() } else { self.folder.join(path).with_extension("rhai") };
        let text = decode::script(&decode::text(&std::fs::read(&path).ok()?).ok()?);
        // A module's name is shown as the operator wrote the runbook's: relative stays relative.
        let beside = Path::new(&self.name).parent().unwrap_or(Path::new(""));
        let name = path.strip_prefix(&self.folder).map_or(path.clone(), |inside| beside.join(inside));
        Some(Source { name: name.display().to_string(), text, folder: self.folder.clone() })
    }
}

/// The first occurrence of `word` at or after a position, within the next lines of the call.
fn find_word(text: &str, line: usize, column: usize, word: &str) -> Option<(usize, usize)> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    for (number, content) in text.lines().enumerate().skip(line.saturating_sub(1)).take(20) {
        let from = if number + 1 == line {
            content.char_indices().nth(column.saturating_sub(1)).map_or(0, |(at, _)| at)
        } else {
            0
        };
        for (at, _) in content.match_indices(word).filter(|(at, _)| *at >= from) {
            let before = content[..at].chars().next_back().is_some_and(is_part);
            let after = content[at + word.len()..].chars().next().is_some_and(is_part);
            if !before && !after {
                return Some((number + 1, content[..at].chars().count() + 1));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_the_lines_of_its_call() {
        let text = "let x = limits;\nwave(\"a\", [], #{\n    limits: 1,\n    limit: 2\n}, |vm| vm);";
        assert_eq!(find_word(text, 2, 1, "limit"), Some((4, 5)));
        assert_eq!(find_word(text, 2, 1, "limits"), Some((3, 5)));
        assert_eq!(find_word(text, 2, 1, "other"), None);
    }
}
