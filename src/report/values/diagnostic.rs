//! Errors in full: the place in the script with a caret, or the answer of the server.
use std::error::Error as _;
use std::sync::LazyLock;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use regex::Regex;
use serde_json::Value;
use strum::IntoStaticStr;

use crate::error::Error;
use crate::report::streams::paint::Tone;
use crate::report::streams::text;
use crate::secret;

/// A longer line is cut around the place: the caret has to stand under it on the narrowest terminal.
const WIDTH: usize = 80;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// It would certainly fail; a run of it is refused, or ends there.
    Error,
    /// It runs, but probably does something else than was meant.
    Warning,
}

impl Severity {
    pub fn word(self) -> &'static str {
        self.into()
    }

    fn level(self) -> Level<'static> {
        match self {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        }
    }

    /// `error:`, painted.
    fn head(self, color: bool) -> String {
        let tone = match self {
            Severity::Error => Tone::Bad,
            Severity::Warning => Tone::Warning,
        };
        tone.paint(&format!("{}:", self.word()), color)
    }
}

/// A place in a script. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a> {
    pub file: &'a str,
    /// The whole script.
    pub source: &'a str,
    pub line: usize,
    pub column: usize,
    /// The number of characters that are meant; `None` for the word that begins there.
    pub length: Option<usize>,
}

/// `title`, the line of the script with `message` under the place, and the hint; without a final line break.
pub fn render(
    severity: Severity,
    title: &str,
    message: &str,
    place: Excerpt<'_>,
    hint: Option<&str>,
    color: bool,
) -> String {
    let title = text::printable(title);
    let message = text::printable(message);
    let Some(line) = place.line.checked_sub(1).and_then(|at| place.source.lines().nth(at)) else {
        let message = if message.is_empty() { message } else { format!("\n  {message}") };
        let told = format!("{} {title}\n  --> {}{message}", severity.head(color), place.file);
        return with_hint(told, hint, color);
    };
    let (line, column) = masked(line, place.column);
    let place = Excerpt { column, ..place };
    let annotation = AnnotationKind::Primary.span(place.span(&line)).label(message.as_str());
    let snippet = Snippet::source(line.as_str()).line_start(place.line).path(place.file).annotation(annotation);
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.term_width(WIDTH);
    let told = renderer.render(&[severity.level().primary_title(title.as_str()).element(snippet)]);
    with_hint(told, hint, color)
}

/// An error with its place in the script and all its details; without a final line break.
pub fn at(error: &Error, place: Excerpt<'_>, color: bool) -> String {
    let mut lines = vec![render(Severity::Error, &error.message, "", place, None, color)];
    lines.extend(known(error));
    with_hint(lines.join("\n"), error.hint.as_deref(), color)
}

/// An error without a place: message, request, causes and hint; without a final line break.
pub fn error(error: &Error, color: bool) -> String {
    let mut lines = vec![format!("{} {}", Severity::Error.head(color), text::printable(&error.message))];
    lines.extend(known(error));
    with_hint(lines.join("\n"), error.hint.as_deref(), color)
}

/// The request, the server's id for it, the failed task, and the causes, one line each.
fn known(error: &Error) -> Vec<String> {
    let mut lines = Vec::new();
    let mut details = Value::Object(error.details.clone());
    secret::mask(&mut details);
    lines.extend(request(&details).map(|line| format!("  request: {line}")));
    for name in ["request_id", "task", "exception_details"] {
        let told = details.get(name).and_then(Value::as_str).filter(|detail| !error.message.contains(detail));
        lines.extend(told.map(|detail| format!("  {}: {}", name.replace('_', " "), indented(detail))));
    }
    let mut cause = error.source();
    while let Some(next) = cause {
        lines.push(format!("  caused by: {}", indented(&next.to_string())));
        cause = next.source();
    }
    lines
}

/// `POST /v1/.../transfers answered 400`, as far as it is known.
fn request(details: &Value) -> Option<String> {
    let path = details.get("path").and_then(Value::as_str)?;
    let method = details.get("method").and_then(Value::as_str).unwrap_or("GET");
    let request = format!("{method} {path}");
    match details.get("status").and_then(Value::as_u64) {
        Some(status) => Some(text::one_line(&format!("{request} answered {status}"))),
        None => Some(text::one_line(&request)),
    }
}

fn indented(text: &str) -> String {
    text::printable(text).replace('\n', "\n    ")
}

fn with_hint(told: String, hint: Option<&str>, color: bool) -> String {
    match hint {
        Some(hint) => format!("{told}\n{} {}", Tone::Strong.paint("hint:", color), text::printable(hint)),
        None => told,
    }
}

/// The line with its passwords replaced by `***`, and the column moved along.
fn masked(line: &str, column: usize) -> (String, usize) {
    static SETTING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(\w+)"?\s*[:=]\s*("(?:[^"\\]|\\.)*"|`[^`]*`)"#).expect("the constant is a pattern")
    });
    let (mut told, mut rest, mut moved) = (String::new(), 0, column);
    for found in SETTING.captures_iter(line) {
        let (Some(name), Some(text)) = (found.get(1), found.get(2)) else { continue };
        if !secret::is_secret_name(name.as_str()) {
            continue;
        }
        let quote = &text.as_str()[..1];
        told.push_str(&line[rest..text.start()]);
        let begins = told.chars().count() + 1;
        told.push_str(&format!("{quote}{}{quote}", secret::MASK));
        rest = text.end();
        if column > line[..text.end()].chars().count() {
            moved = column + told.chars().count() - line[..text.end()].chars().count();
        } else if column > line[..text.start()].chars().count() {
            moved = begins;
        }
    }
    told.push_str(&line[rest..]);
    (told, moved)
}

impl Excerpt<'_> {
    /// The bytes of `line` that are meant; one position behind it if the column is beyond its end.
    fn span(&self, line: &str) -> std::ops::Range<usize> {
        let offset = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
        let first = self.column.saturating_sub(1);
        let length = self.length.unwrap_or_else(|| word(&line[offset(first)..])).max(1);
        offset(first)..offset(first + length)
    }
}

/// The characters of the word that `text` begins with, or one.
fn word(text: &str) -> usize {
    text.chars().take_while(|char| char.is_alphanumeric() || *char == '_').count().max(1)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::error::Kind;

    const SOURCE: &str = "let vms = read_csv(\"a.csv\");\nfor vm in vms {\n    replica_crate(`ü${vm.name}`);\n}\n";

    fn place(line: usize, column: usize) -> Excerpt<'static> {
        Excerpt { file: "scripts/waves.rhai", source: SOURCE, line, column, length: None }
    }

    #[test]
    fn a_password_in_the_line_is_not_shown_and_the_caret_stays_under_its_word() {
        let line = r#"f(#{ password: "long-planted-one", "client_secret": "x\"y", name: "n", token : `t` }, wrong);"#;
        let hidden = r#"f(#{ password: "***", "client_secret": "***", name: "n", token : `***` }, wrong);"#;
        let at = |line: &str, word: &str| line.find(word).map(|at| at + 1).expect("it is there");
        assert_eq!(masked(line, 1), (hidden.to_owned(), 1));
        assert_eq!(masked(line, at(line, "wrong")), (hidden.to_owned(), at(hidden, "wrong")));
        assert_eq!(masked(line, at(line, "name")), (hidden.to_owned(), at(hidden, "name")));
        assert_eq!(masked(line, at(line, "planted")), (hidden.to_owned(), at(hidden, "\"***")));
        assert_eq!(masked("let x = \"plain\";", 5), ("let x = \"plain\";".to_owned(), 5));
    }

    #[test]
    fn a_mistake_shows_its_line_with_a_caret_and_what_to_do() {
        let told = render(
            Severity::Error,
            "unknown function `replica_crate`",
            "no function of this name",
            place(3, 5),
            Some("did you mean `replica_create`?"),
            false,
        );
        insta::assert_snapshot!(told, @r#"
        error: unknown function `replica_crate`
         --> scripts/waves.rhai:3:5
          |
        3 |     replica_crate(`ü${vm.name}`);
          |     ^^^^^^^^^^^^^ no function of this name
        hint: did you mean `replica_create`?
        "#);
    }

    #[test]
    fn the_end_of_the_script_and_a_place_beyond_it_can_be_shown() {
        insta::assert_snapshot!(render(Severity::Error, "syntax", "`}` is missing", place(4, 9), None, false), @r#"
        error: syntax
         --> scripts/waves.rhai:4:2
          |
        4 | }
          |  ^ `}` is missing
        "#);
        insta::assert_snapshot!(render(Severity::Error, "syntax", "`}` is missing", place(99, 1), None, false), @r#"
        error: syntax
          --> scripts/waves.rhai
          `}` is missing
        "#);
    }

    #[test]
    fn a_warning_is_told_as_one_whatever_its_words_are() {
        let warning =
            |place| render(Severity::Warning, "`error_of` is never used", "", place, Some("an error?"), false);
        insta::assert_snapshot!(warning(place(2, 5)), @r#"
        warning: `error_of` is never used
         --> scripts/waves.rhai:2:5
          |
        2 | for vm in vms {
          |     ^^
        hint: an error?
        "#);
        insta::assert_snapshot!(warning(place(99, 1)), @r#"
        warning: `error_of` is never used
          --> scripts/waves.rhai
        hint: an error?
        "#);
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let told = render(Severity::Error, "undefined variable `vm`", "not defined here", place(3, 23), None, false);
        insta::assert_snapshot!(told, @r#"
        error: undefined variable `vm`
         --> scripts/waves.rhai:3:23
          |
        3 |     replica_crate(`ü${vm.name}`);
          |                       ^^ not defined here
        "#);
    }

    #[test]
    fn an_error_of_the_server_shows_request_status_id_cause_and_hint() {
        let error = Error::new(Kind::Api, "cannot create the transfer: quota exceeded")
            .detail("method", "POST")
            .detail("path", "/v1/p/transfers")
            .detail("status", 400)
            .detail("request_id", "req-1")
            .caused_by(io::Error::other("connection reset"))
            .hint("raise the quota");
        insta::assert_snapshot!(super::error(&error, false), @r#"
        error: cannot create the transfer: quota exceeded
          request: POST /v1/p/transfers answered 400
          request id: req-1
          caused by: connection reset
        hint: raise the quota
        "#);
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let told = |color| error(&Error::input("no such file").hint("look again"), color);
        let stripped =
            ["\u{1b}[1;31m", "\u{1b}[1m", "\u{1b}[0m"].iter().fold(told(true), |text, code| text.replace(code, ""));
        assert_ne!(told(true), told(false));
        assert_eq!(stripped, told(false));
    }
}
