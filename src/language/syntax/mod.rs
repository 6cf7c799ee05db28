//! Syntax errors as a person would report them: several at once, each with a correction. Pure.
//!
//! The parser stops at its first error. So each one is repaired in a draft of the text, or its statement is blanked
//! out, and the text is parsed again.

mod brackets;
mod draft;
mod idioms;
mod judge;

use std::collections::BTreeSet;
use std::ops::Range;

use rhai::{AST, ParseError, ParseErrorType};

use crate::error::Error;
use crate::language::finding::Finding;
use crate::language::lexer::Kind;
use crate::language::parser::{EXPRESSION_DEPTH, lax};
use crate::language::syntax::draft::{Draft, Piece};

/// After this many, the rest is reported the next time.
const MOST: usize = 25;

/// The number of words before which an opening bracket is tried.
const MOST_PLACES: usize = 40;

/// The syntax errors of a text, and its readable part.
pub struct Recovered {
    /// In the order of the text.
    pub findings: Vec<Finding>,
    /// Words of the skipped parts: they may be declared there.
    pub lost: BTreeSet<String>,
    draft: Draft,
}

impl Recovered {
    /// A text that parses, unless there were too many mistakes.
    pub fn text(&self) -> &str {
        &self.draft.text
    }

    /// The line and the column in the original.
    pub fn place(&self, line: usize, column: usize) -> (usize, usize) {
        self.draft.place(self.draft.byte(line, column))
    }

    /// True if a syntax error stands in that line of the text.
    pub fn repairs(&self, line: usize) -> bool {
        self.findings.iter().any(|finding| finding.line == line)
    }

    /// The text behind the closing parenthesis of the call at that position in the repaired text.
    pub fn after_call(&self, line: usize, column: usize) -> Option<String> {
        let (byte, pieces) = (self.draft.byte(line, column), self.draft.pieces());
        let name = pieces.iter().position(|piece| piece.range.contains(&byte))?;
        let open = (name..pieces.len()).find(|at| pieces[*at].kind == Kind::Open)?;
        let close = brackets::closing(&pieces, open)?;
        pieces.get(close + 1).map(|piece| piece.text.clone())
    }
}

/// A syntax error at a byte of the draft, and the repair that gets the parser behind it.
#[derive(Debug)]
struct Mistake {
    at: usize,
    message: String,
    hint: Option<String>,
    repair: Repair,
}

#[derive(Clone, Debug)]
enum Repair {
    /// Skip the statement in which the parser stopped.
    Statement,
    Blank(Range<usize>),
    Replace(Range<usize>, String),
    /// Rename every occurrence of this word.
    Rename(String, String),
}

impl Mistake {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None, repair: Repair::Statement }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn repair(mut self, repair: Repair) -> Self {
        self.repair = repair;
        self
    }
}

/// Every syntax error, in the order of the text, and the readable part as a tree; `None` if there are too many. A text
/// without errors is parsed only once: parsing takes longer than all work on the tree.
pub fn recover(source: &str) -> (Recovered, Option<AST>) {
    let mut tree = None;
    let mut draft = Draft::new(source);
    let mut found: Vec<Mistake> = Vec::new();
    let mut places = Vec::new();
    let mut lost = BTreeSet::new();
    for _ in 0..MOST {
        let pieces = draft.pieces();
        let parsed = parse(&draft);
        let stopped = parsed.as_ref().err();
        // Repairs of the rest would each take as long as this.
        if let Some(error) = stopped.filter(|error| matches!(error.err_type(), ParseErrorType::ExprTooDeep)) {
            let mistake = too_deep(stopped_byte(&draft, error));
            places.push(draft.place(mistake.at));
            found.push(mistake);
            break;
        }
        let (mistake, stopped_at) = match (unreadable(&draft, &pieces, stopped.is_some()), stopped) {
            (Some(mistake), _) => (mistake, None),
            (None, None) => {
                tree = parsed.ok();
                break;
            }
            (None, Some(error)) => {
                let at = stopped_byte(&draft, error);
                match brackets::brackets(&draft, &pieces) {
                    Some(mistake) => (opening(&draft, &pieces, at, &mistake).unwrap_or(mistake), None),
                    None => (judge::judge(&draft, &pieces, at, error.err_type()), Some(at)),
                }
            }
        };
        let at = stopped_at.unwrap_or(mistake.at);
        places.push(draft.place(mistake.at));
        let before = draft.text.clone();
        apply(&mut draft, &pieces, mistake.repair.clone(), at, &mut lost);
        found.push(mistake);
        if draft.text == before {
            apply(&mut draft, &pieces, Repair::Statement, at, &mut lost);
        }
        if draft.text == before {
            break;
        }
    }
    for mistake in idioms::formats(&Draft::new(source)) {
        places.push(Draft::new(source).place(mistake.at));
        found.push(mistake);
    }
    let mut findings: Vec<Finding> =
        found.into_iter().zip(places).map(|(mistake, place)| finding(mistake, place)).collect();
    findings.sort_by_key(|finding| (finding.line, finding.column));
    findings.dedup_by_key(|finding| (finding.line, finding.column));
    (Recovered { findings, lost, draft }, tree)
}

/// More than [`EXPRESSION_DEPTH`] brackets or blocks inside each other, or as many operators in a row.
fn too_deep(at: usize) -> Mistake {
    let message = format!("more than {EXPRESSION_DEPTH} expressions or blocks are nested here");
    Mistake::new(at, message).hint(
        "a long sum or a long `else if` counts as well: give parts of it names with `let` or `fn`, or use a list, or `switch`",
    )
}

/// A closing bracket without a partner may lack its opening one: then the parser stops before it, and gets behind it
/// with an opening bracket in the right place.
fn opening(draft: &Draft, pieces: &[Piece], stopped: usize, closes: &Mistake) -> Option<Mistake> {
    let Repair::Blank(close) = closes.repair.clone() else { return None };
    let index = piece_at(pieces, stopped);
    let openings: &[&str] = match (&draft.text[close.clone()], pieces.get(index).map(|piece| piece.text.as_str())) {
        (")", _) => &["("],
        ("]", _) => &["["],
        (_, Some(":")) => &["#{", "{"],
        _ => &["{", "#{"],
    };
    let gets_behind = |at: usize, open: &str| {
        let mut trial = Draft::new(&draft.text);
        trial.replace(at..at, open);
        parse(&trial).err().is_none_or(|error| stopped_byte(&trial, &error) > close.end + open.len())
    };
    let places = pieces.iter().take(index + 2).rev().take(MOST_PLACES);
    let places = places.filter(|_| stopped < close.start).map(|piece| piece.range.start);
    let (at, open) =
        places.flat_map(|at| openings.iter().map(move |open| (at, *open))).find(|(at, open)| gets_behind(*at, open))?;
    let line = draft.place(close.start).0;
    let mistake = Mistake::new(at, format!("an opening `{open}` is missing here"))
        .hint(format!("without it `{}` of line {line} closes nothing", &draft.text[close]));
    Some(mistake.repair(Repair::Replace(at..at, open.to_owned())))
}

/// The mistake that keeps the rest of the text from being tokenized.
fn unreadable(draft: &Draft, pieces: &[Piece], stopped: bool) -> Option<Mistake> {
    if !stopped {
        return brackets::comment(draft);
    }
    idioms::comment(draft, pieces)
        .or_else(|| brackets::comment(draft))
        .or_else(|| brackets::interpolation(draft, pieces))
        .or_else(|| brackets::quotes(draft))
}

/// True if the text is a script, whatever it means.
pub fn parses(text: &str) -> bool {
    lax().compile(text).is_ok()
}

fn parse(draft: &Draft) -> Result<AST, ParseError> {
    lax().compile(&draft.text)
}

fn stopped_byte(draft: &Draft, error: &ParseError) -> usize {
    let position = error.position();
    match position.line() {
        Some(line) => draft.byte(line, position.position().unwrap_or(1)),
        None => draft.text.len(),
    }
}

fn finding(mistake: Mistake, (line, column): (usize, usize)) -> Finding {
    let error = Error::script(mistake.message);
    let error = match mistake.hint {
        Some(hint) => error.hint(hint),
        None => error,
    };
    Finding { error, line, column }
}

fn apply(draft: &mut Draft, pieces: &[Piece], repair: Repair, at: usize, lost: &mut BTreeSet<String>) {
    match repair {
        Repair::Blank(range) => draft.blank(range),
        Repair::Replace(range, with) => draft.replace(range, &with),
        Repair::Rename(from, to) => {
            for piece in pieces.iter().rev().filter(|piece| piece.text == from) {
                draft.replace(piece.range.clone(), &to);
            }
        }
        Repair::Statement => {
            let statement = statement(draft, pieces, at);
            let words =
                pieces.iter().filter(|piece| piece.range.start >= statement.start && piece.range.end <= statement.end);
            lost.extend(words.filter(|piece| piece.kind == Kind::Word).map(|piece| piece.text.clone()));
            draft.blank(statement);
        }
    }
}

/// The token at a byte, or the next one behind it.
fn piece_at(pieces: &[Piece], byte: usize) -> usize {
    pieces.iter().position(|piece| piece.range.end > byte).unwrap_or(pieces.len())
}

/// The statement around a byte: from the end of the previous one to its own end, inside the innermost block.
fn statement(draft: &Draft, pieces: &[Piece], byte: usize) -> Range<usize> {
    let at = piece_at(pieces, byte).min(pieces.len().saturating_sub(1));
    if pieces.is_empty() {
        return 0..draft.text.len();
    }
    let mut block = brackets::around(pieces, at);
    // A bracket that closes a block belongs to the statement around the block.
    if let Some(open) = block
        && brackets::closing(pieces, open) == Some(at)
    {
        block = brackets::around(pieces, open);
    }
    while let Some(open) = block
        && !is_block(pieces, open)
    {
        block = brackets::around(pieces, open);
    }
    let (first, last) = match block {
        Some(open) => (open + 1, brackets::closing(pieces, open).unwrap_or(pieces.len())),
        None => (0, pieces.len()),
    };
    let mut begin = first;
    let mut index = first;
    while index < last {
        let inside = pieces[index].kind == Kind::Open;
        let end = if inside { brackets::closing(pieces, index).unwrap_or(last - 1) } else { index };
        let ends = match pieces[end].kind {
            Kind::Semicolon => true,
            Kind::Close => {
                inside && pieces[end].text == "}" && is_block(pieces, index) && ends_behind(draft, pieces, end)
            }
            _ => false,
        };
        if (ends || end + 1 >= last) && end >= at {
            return pieces[begin].range.start..pieces[end].range.end;
        }
        if ends {
            begin = end + 1;
        }
        index = end + 1;
    }
    pieces[at].range.clone()
}

/// True if an opening bracket begins a block of statements.
fn is_block(pieces: &[Piece], open: usize) -> bool {
    if pieces[open].text != "{" {
        return false;
    }
    let head = pieces[..open].iter().rev().take_while(|piece| !matches!(piece.text.as_str(), ";" | "{" | "}"));
    !head.into_iter().any(|piece| piece.text == "switch")
}

/// True if a statement ends with the `}` at `end`.
fn ends_behind(draft: &Draft, pieces: &[Piece], end: usize) -> bool {
    let Some(next) = pieces.get(end + 1) else { return true };
    match next.kind {
        Kind::Word | Kind::Number | Kind::Text | Kind::Open => draft.breaks(pieces[end].range.end, next.range.start),
        Kind::Keyword => !matches!(next.text.as_str(), "else" | "catch" | "while" | "until" | "in" | "as"),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
