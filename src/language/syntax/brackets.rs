//! Brackets and quotes that do not pair: finding the wrong one, and the place of its partner.

use std::cmp::Ordering;
use std::ops::Range;

use crate::language::lexer::{Kind, Unfinished, lex};
use crate::language::syntax::draft::{Draft, Piece};
use crate::language::syntax::idioms::{is_value, statement_begin};
use crate::language::syntax::{Mistake, Repair};

/// A comment that is not closed; the parser takes it for a closed one.
pub fn comment(draft: &Draft) -> Option<Mistake> {
    let lexed = lex(&draft.text);
    let last = lexed.tokens.last()?;
    if lexed.unfinished == Some(Unfinished::Comment) && draft.text[last.range.clone()].starts_with("/*") {
        let mistake = Mistake::new(last.range.start, "this comment is never closed").hint("close it with `*/`");
        return Some(mistake.repair(Repair::Blank(last.range.clone())));
    }
    None
}

/// A text that is not closed.
pub fn quotes(draft: &Draft) -> Option<Mistake> {
    let lexed = lex(&draft.text);
    let last = lexed.tokens.last()?;
    let open = |range: &Range<usize>| {
        let text = &draft.text[range.clone()];
        text.starts_with('"') && !is_closed(text, '"') || text.starts_with('\'') && !is_closed(text, '\'')
    };
    if let Some(token) = lexed.tokens.iter().find(|token| token.kind == Kind::Text && open(&token.range)) {
        let text = draft.text[token.range.clone()].trim_end();
        // The end of the call and of the statement is hardly part of the text.
        let kept = text.trim_end_matches([')', ']', '}', ';', ',', ' ']);
        let end = token.range.start + if kept.len() > 1 { kept.len() } else { text.len() };
        let rest = &draft.text[end..token.range.start + text.len()];
        let hint = if rest.is_empty() { "at the end of the line".to_owned() } else { format!("before `{rest}`") };
        let quote = &text[..1];
        let mistake = Mistake::new(token.range.start, "this text is not closed").hint(format!("add `{quote}` {hint}"));
        return Some(mistake.repair(Repair::Replace(end..end, quote.to_owned())));
    }
    if lexed.unfinished != Some(Unfinished::Text) || last.kind != Kind::Text {
        return None;
    }
    // The last backtick opens; an earlier one may be the unclosed one, whose text then contains the end of a statement.
    let suspect = lexed.tokens.iter().find(|token| {
        let text = &draft.text[token.range.clone()];
        token.kind == Kind::Text && text.starts_with('`') && text.contains(";\n")
    });
    let range = suspect.unwrap_or(last).range.clone();
    let line = range.start + draft.text[range.clone()].find('\n').unwrap_or(range.len());
    let kept = draft.text[range.start..line].trim_end().trim_end_matches([')', ']', '}', ';', ',', ' ']).len();
    let end = range.start + if kept > 1 { kept } else { line - range.start };
    let quote = if draft.text[range.clone()].starts_with('#') { "\"#" } else { "`" };
    let mistake = Mistake::new(range.start, "this text is not closed").hint(if quote == "`" {
        "add a backtick at its end".to_owned()
    } else {
        format!("close it with `{quote}`")
    });
    Some(mistake.repair(Repair::Replace(end..end, quote.to_owned())))
}

/// An interpolation in a text in backticks without its closing brace.
pub fn interpolation(draft: &Draft, pieces: &[Piece]) -> Option<Mistake> {
    let broken = |open: &usize| {
        let close = closing(pieces, *open).map(|close| pieces[close].range.start);
        pieces[*open].text == "${" && close.is_none_or(|close| draft.breaks(pieces[*open].range.start, close))
    };
    let open = (0..pieces.len()).find(broken)?;
    let begin = pieces[open].range.start;
    let line = draft.text[begin..].find('\n').map_or(draft.text.len(), |line| begin + line);
    // One that is spread over lines on purpose has its brace.
    let end = begin + draft.text[begin..line].rfind('`')?;
    let value = draft.text[begin + 2..end].trim();
    let is_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.');
    let word = value.split(|character| !is_word(character)).next().unwrap_or(value);
    let mistake = Mistake::new(begin, "`${` is not closed").hint(format!("write `${{{word}}}`"));
    Some(mistake.repair(Repair::Blank(begin..end)))
}

fn is_closed(text: &str, quote: char) -> bool {
    let mut escaped = false;
    text.chars().skip(1).any(|character| {
        let closes = character == quote && !escaped;
        escaped = character == '\\' && !escaped;
        closes
    })
}

/// The closing bracket of an opening one.
pub fn partner(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

/// The token that closes the bracket at `open`.
pub fn closing(pieces: &[Piece], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, piece) in pieces.iter().enumerate().skip(open) {
        match piece.kind {
            Kind::Open => depth += 1,
            Kind::Close => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The innermost bracket that is open at a token.
pub fn around(pieces: &[Piece], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (index, piece) in pieces.iter().enumerate().take(at).rev() {
        match piece.kind {
            Kind::Close => depth += 1,
            Kind::Open if depth == 0 => return Some(index),
            Kind::Open => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A bracket without a partner.
pub fn brackets(draft: &Draft, pieces: &[Piece]) -> Option<Mistake> {
    let kinds = [")", "]", "}"].map(|close| {
        let opened = pieces.iter().filter(|piece| piece.kind == Kind::Open && partner(&piece.text) == close).count();
        let closed = pieces.iter().filter(|piece| piece.kind == Kind::Close && piece.text == close).count();
        (close, opened.cmp(&closed))
    });
    let surplus = |close: &str| kinds.iter().find(|kind| kind.0 == close).map_or(Ordering::Equal, |kind| kind.1);
    let lacks = |open: usize| surplus(partner(&pieces[open].text)).is_gt();
    let mut open: Vec<usize> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let top = open.last().copied();
        if let Some(top) = top.filter(|top| lacks(*top))
            && let Some(end) = ends_inside(draft, pieces, top, at)
        {
            return Some(unclosed(draft, pieces, &[top], end));
        }
        match piece.kind {
            Kind::Open => open.push(at),
            Kind::Close if top.is_some_and(|top| partner(&pieces[top].text) == piece.text) => drop(open.pop()),
            Kind::Close => {
                let matching = open.iter().rposition(|open| partner(&pieces[*open].text) == piece.text);
                if let (Some(matching), Some(top)) = (matching, top)
                    && (lacks(top) || !surplus(&piece.text).is_lt())
                {
                    let first = if lacks(top) { open.len() - 1 } else { matching + 1 };
                    return Some(unclosed(draft, pieces, &open[first..], at));
                }
                let mistake = Mistake::new(piece.range.start, format!("`{}` closes nothing", piece.text));
                let hint = match top {
                    Some(top) => {
                        let (line, _) = draft.place(pieces[top].range.start);
                        format!("remove it; `{}` of line {line} is open here", pieces[top].text)
                    }
                    None => "remove it, or add the bracket that it is meant to close".to_owned(),
                };
                return Some(mistake.hint(hint).repair(Repair::Blank(piece.range.clone())));
            }
            _ => {}
        }
    }
    (!open.is_empty()).then(|| unclosed(draft, pieces, &open, pieces.len()))
}

/// The token before which the bracket `open` was meant to be closed, if `at` cannot stand inside it.
fn ends_inside(draft: &Draft, pieces: &[Piece], open: usize, at: usize) -> Option<usize> {
    let (piece, opener) = (&pieces[at], &pieces[open]);
    let is_block = opener.text == "{";
    let after_for = open.checked_sub(1).is_some_and(|before| pieces[before].text == "for");
    let starts = || draft.begins_line(piece.range.start) && at > open + 1;
    let ends = match piece.text.as_str() {
        "|" | "||" if opener.text == "#{" && at > open + 1 && pieces[at - 1].text == "," => return Some(at - 1),
        "{" if matches!(opener.text.as_str(), "(" | "[") => {
            let first = &pieces[statement_begin(pieces, at)].text;
            let behind_value = is_value(&pieces[at - 1]) || pieces[at - 1].kind == Kind::Close;
            behind_value && open + 1 < at && matches!(first.as_str(), "for" | "if" | "while" | "switch")
        }
        ";" => !is_block && !after_for,
        "let" | "const" => !is_block && !after_for && starts(),
        "fn" | "import" => starts() && (is_block || !after_for) && draft.indent(piece.range.start) == 0,
        "}" => {
            opener.text.ends_with('{')
                && starts()
                && draft.breaks(opener.range.start, piece.range.start)
                && draft.indent(piece.range.start) < draft.indent(opener.range.start)
        }
        _ => false,
    };
    ends.then_some(at)
}

/// The mistake when the brackets `open`, outermost first, need their partners before the token `at`.
fn unclosed(draft: &Draft, pieces: &[Piece], open: &[usize], at: usize) -> Mistake {
    let innermost = &pieces[open[open.len() - 1]];
    let mut wanted: String = open.iter().rev().map(|open| partner(&pieces[*open].text)).collect();
    let before = &pieces[at.saturating_sub(1)];
    let end = before.range.end;
    let begins_statement = pieces
        .get(at)
        .is_none_or(|next| matches!(next.text.as_str(), "let" | "const" | "fn" | "import") || next.text == "}");
    let in_block = around(pieces, open[0]).is_none_or(|around| pieces[around].text == "{");
    if begins_statement && in_block && pieces.get(at).is_none_or(|next| draft.breaks(end, next.range.start)) {
        wanted.push(';');
    }
    let mut repair = wanted.clone();
    if before.range == innermost.range && before.text != "{" {
        repair.insert_str(0, if before.text.ends_with('{') { "" } else { "()" });
    }
    let shown = wanted.trim_end_matches(|last| last == ';' && open.len() == 1 && innermost.text == "{").to_owned();
    let hint = match pieces.get(at) {
        None => format!("close it with `{shown}`"),
        Some(next) if draft.breaks(end, next.range.start) => {
            format!("add `{shown}` at the end of line {}", draft.place(end).0)
        }
        Some(next) => format!("add `{shown}` before `{}`", next.text),
    };
    let message = match pieces.get(at) {
        None => format!("`{}` is never closed", innermost.text),
        Some(_) => format!("`{}` is not closed", innermost.text),
    };
    Mistake::new(innermost.range.start, message).hint(hint).repair(Repair::Replace(end..end, repair))
}
