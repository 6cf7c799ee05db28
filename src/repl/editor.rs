//! The line editor: several lines, completion, hints, colours, the history of this session and of earlier ones.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustyline::completion::{Candidate as Listed, Completer};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint as Shown, Hinter};
use rustyline::history::{DefaultHistory, SearchDirection as Direction};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Context, Editor, Event, EventContext,
    EventHandler, ExternalPrinter, Helper, KeyEvent, Movement, RepeatCount,
};

use super::complete::{Candidate, Knowledge, complete};
use super::hint::{Hint, hint};
use super::knowledge::Known;
use super::lexer::wants_more;
use super::relay::Printer;
use super::{paint, place};
use crate::error::{Error, Result};
use crate::report::streams::text;
use crate::report::{Measure, Screen};

/// More candidates than these are listed after a question.
const ASKED: usize = 200;

/// The result of asking for an input.
pub enum Input {
    Text(String),
    /// Ctrl-C: the line is dropped.
    Dropped,
    /// Ctrl-D.
    End,
}

/// A line editor on the terminal.
pub struct Lines {
    editor: Editor<Eyes, DefaultHistory>,
}

impl Lines {
    /// # Errors
    /// `Internal` when the terminal cannot be used.
    pub fn new(known: Known, screen: &Screen, earlier: &[String]) -> Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .completion_show_all_if_ambiguous(true)
            .completion_prompt_limit(ASKED)
            // Whoever wants no colour gets none from `Eyes`, which is asked for what is listed as well.
            .color_mode(ColorMode::Forced)
            .auto_add_history(false)
            .history_ignore_dups(true)
            .map_err(unusable)?
            .max_history_size(10_000)
            .map_err(unusable)?
            .build();
        let mut editor = Editor::with_config(config).map_err(unusable)?;
        editor.bind_sequence(KeyEvent::ctrl('@'), EventHandler::Conditional(Box::new(TypedAhead)));
        let listing = Arc::<AtomicBool>::default();
        editor.bind_sequence(KeyEvent::ctrl('c'), EventHandler::Conditional(Box::new(EndOfList(listing.clone()))));
        let measure = screen.measure.clone();
        editor.set_helper(Some(Eyes { known, measure, prompt: 0, color: screen.color, listing }));
        for input in earlier {
            editor.add_history_entry(input).map_err(unusable)?;
        }
        Ok(Self { editor })
    }

    /// A printer of lines above the prompt; `None` on a terminal that does not support it.
    pub fn printer(&mut self) -> Option<Printer> {
        let mut printer = self.editor.create_external_printer().ok()?;
        Some(Box::new(move |line| drop(printer.print(format!("{line}\n")))))
    }

    /// # Errors
    /// `Internal` when the terminal was closed.
    pub fn read(&mut self, prompt: &str) -> Result<Input> {
        if let Some(eyes) = self.editor.helper_mut() {
            eyes.prompt = text::width(prompt);
        }
        match self.editor.readline(prompt) {
            Ok(text) => {
                if !text.trim().is_empty() {
                    self.remember(&text)?;
                }
                Ok(Input::Text(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Input::Dropped),
            Err(ReadlineError::Eof) => Ok(Input::End),
            Err(error) => Err(unusable(error)),
        }
    }

    /// # Errors
    /// `Internal` when the history cannot grow.
    pub fn remember(&mut self, text: &str) -> Result<()> {
        self.editor.add_history_entry(text).map(drop).map_err(unusable)
    }
}

/// True if an input goes on in the next line; a command of the prompt never does.
pub fn wants_another_line(input: &str) -> bool {
    !input.trim_start().starts_with([':', '?']) && wants_more(input)
}

fn unusable(error: ReadlineError) -> Error {
    Error::internal(format!("cannot use the terminal: {error}")).caused_by(error)
}

/// A Ctrl-D that was typed while an input was running: the terminal's driver takes it for the end of the input, and
/// delivers it as this byte when the editor reads single keys.
struct TypedAhead;

impl ConditionalEventHandler for TypedAhead {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        Some(if context.line().is_empty() { Cmd::EndOfFile } else { Cmd::Noop })
    }
}

/// Ctrl-C at `--More--` ends the list, where the editor waits for `y`, `n` or `q` alone (rustyline 19); the line stays.
struct EndOfList(Arc<AtomicBool>);

impl ConditionalEventHandler for EndOfList {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.swap(false, Ordering::AcqRel).then_some(Cmd::Kill(Movement::BackwardChar(1)))
    }
}

/// The helper that sees a line while it is typed.
struct Eyes {
    known: Known,
    measure: Measure,
    /// The columns of the prompt.
    prompt: usize,
    color: bool,
    /// Candidates are being listed, perhaps with a question before them.
    listing: Arc<AtomicBool>,
}

impl Helper for Eyes {}

impl Validator for Eyes {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let more = wants_another_line(context.input());
        Ok(if more { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Completer for Eyes {
    type Candidate = Row;

    fn complete(&self, line: &str, cursor: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Row>)> {
        let place = place::at(line, cursor);
        let found = complete(&place, &self.known);
        let width = (self.measure)().width;
        self.listing.store(found.len() > ASKED, Ordering::Release);
        Ok((place.begin, rows(found, width, breaks(self.prompt, line, width))))
    }
}

/// A candidate as a row of the list.
struct Row {
    text: String,
    shown: String,
}

impl Listed for Row {
    fn display(&self) -> &str {
        &self.shown
    }

    fn replacement(&self) -> &str {
        &self.text
    }
}

/// The number of line breaks of `line`, behind a prompt of `prompt` columns, on a screen of `width` columns.
fn breaks(prompt: usize, line: &str, width: usize) -> usize {
    let (mut breaks, mut column) = (0, prompt);
    for character in line.chars() {
        let wide = text::width(character.encode_utf8(&mut [0; 4]));
        if character == '\n' {
            (breaks, column) = (breaks + 1, 0);
        } else if column + wide > width {
            (breaks, column) = (breaks + 1, wide);
        } else {
            column += wide;
        }
    }
    breaks + usize::from(column >= width)
}

/// One candidate per line with its note, as long as notes are known; otherwise as many beside each other as fit. The
/// editor repaints its line over as many lines of the list as the line has breaks (rustyline 19): so the last one is
/// followed by that many empty ones.
fn rows(found: Vec<Candidate>, width: usize, breaks: usize) -> Vec<Row> {
    let widest = found.iter().map(|candidate| text::width(&candidate.shown)).max().unwrap_or(0).min(width / 2);
    let noted = found.iter().any(|candidate| !candidate.note.is_empty());
    let row = |candidate: Candidate| {
        let shown = match noted || breaks > 0 {
            true => {
                let line = format!(
                    "{}  {}",
                    text::left(&candidate.shown, widest.max(text::width(&candidate.shown))),
                    candidate.note
                );
                text::left(&text::cut(&text::one_line(&line), width.saturating_sub(3)), width.saturating_sub(3))
            }
            false => text::one_line(&candidate.shown),
        };
        Row { text: candidate.text, shown }
    };
    let mut rows: Vec<Row> = found.into_iter().map(row).collect();
    if let Some(last) = rows.last_mut() {
        last.shown.push_str(&"\n".repeat(breaks));
    }
    rows
}

impl Shown for Hint {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.taken.as_deref()
    }
}

impl Hinter for Eyes {
    type Hint = Hint;

    fn hint(&self, line: &str, cursor: usize, context: &Context<'_>) -> Option<Hint> {
        // The line is painted anew: nothing is listed any more.
        self.listing.store(false, Ordering::Release);
        // Without colour nobody could tell it from typed text.
        if cursor < line.len() || line.contains('\n') || line.trim().is_empty() || !self.color {
            return None;
        }
        let history = context.history();
        let inputs = (0..history.len()).rev().filter_map(|index| history.get(index, Direction::Reverse).ok().flatten());
        let same = inputs.map(|found| found.entry).find(|input| input.len() > line.len() && input.starts_with(line));
        hint(line, same.as_deref(), &self.known.functions(), self.known.catalog())
    }
}

impl Highlighter for Eyes {
    fn highlight<'l>(&self, line: &'l str, cursor: usize) -> Cow<'l, str> {
        if self.color { Cow::Owned(paint::highlight(line, cursor, self.known.catalog())) } else { Cow::Borrowed(line) }
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        if self.color { Cow::Owned(format!("\u{1b}[1m{prompt}\u{1b}[0m")) } else { Cow::Borrowed(prompt) }
    }

    fn highlight_candidate<'c>(&self, candidate: &'c str, _: CompletionType) -> Cow<'c, str> {
        self.listing.store(true, Ordering::Release);
        Cow::Borrowed(candidate)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.color { Cow::Owned(paint::quiet(hint)) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        // A bracket at the cursor highlights its other half.
        self.color && kind != CmdKind::ForcedRefresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_line_are_counted() {
        assert_eq!([breaks(10, "", 20), breaks(10, "0123456789", 20), breaks(10, "01234567890", 20)], [0, 1, 1]);
        assert_eq!([breaks(10, "a\nb", 20), breaks(10, "日本語日本語", 20)], [1, 1]);
    }

    #[test]
    fn a_list_has_a_line_for_each_thing_with_what_it_is() {
        let found = |note: &str| Candidate { text: "limit: ".into(), shown: "limit".into(), note: note.into() };
        let shown = |note: &str, breaks: usize| rows(vec![found(note)], 20, breaks).remove(0).shown;
        assert_eq!(shown("How many at once", 0), "limit  How many …");
        assert_eq!((shown("", 0), shown("", 2).trim_end_matches(' ').ends_with("\n\n")), ("limit".to_owned(), true));
    }
}
