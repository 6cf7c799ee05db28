//! Colours of the input line.

use super::lexer::{Kind, lex};
use crate::language::catalog::Catalog;

const KEYWORD: &str = "35";
const FUNCTION: &str = "36";
const TEXT: &str = "32";
const NUMBER: &str = "33";
const QUIET: &str = "2";
/// The bracket at the cursor and its other half.
const PAIR: &str = "1;4";

/// The line with its colours; `cursor` in bytes.
pub fn highlight(line: &str, cursor: usize, catalog: &Catalog) -> String {
    if line.starts_with([':', '?']) {
        return painted(line, FUNCTION);
    }
    let tokens = lex(line).tokens;
    let pair = pair(line, cursor);
    let mut told = String::new();
    let mut rest = 0;
    for token in &tokens {
        let word = &line[token.range.clone()];
        let code = match token.kind {
            _ if pair.is_some_and(|(open, close)| [open, close].contains(&token.range.start)) => Some(PAIR),
            Kind::Keyword => Some(KEYWORD),
            Kind::Word if catalog.find(word).is_some() && line[token.range.end..].trim_start().starts_with('(') => {
                Some(FUNCTION)
            }
            Kind::Text => Some(TEXT),
            Kind::Number => Some(NUMBER),
            Kind::Comment => Some(QUIET),
            _ => None,
        };
        told.push_str(&line[rest..token.range.start]);
        match code {
            Some(code) => told.push_str(&painted(word, code)),
            None => told.push_str(word),
        }
        rest = token.range.end;
    }
    told.push_str(&line[rest..]);
    told
}

/// A hint in a subdued colour.
pub fn quiet(text: &str) -> String {
    painted(text, QUIET)
}

/// The positions of the bracket at the cursor, or just before it, and of its other half.
fn pair(line: &str, cursor: usize) -> Option<(usize, usize)> {
    let mut open = Vec::new();
    let is_at = |range: &std::ops::Range<usize>| range.start == cursor || range.end == cursor;
    for token in lex(line).tokens {
        match token.kind {
            Kind::Open => open.push(token.range),
            Kind::Close => {
                let begin = open.pop()?;
                if is_at(&begin) || is_at(&token.range) {
                    return Some((begin.start, token.range.start));
                }
            }
            _ => {}
        }
    }
    None
}

/// Paints every line by itself: the terminal may be drawn line by line.
fn painted(text: &str, code: &str) -> String {
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("\u{1b}[{code}m{line}\u{1b}[0m") };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::catalog;

    fn marked(line: &str, cursor: usize) -> String {
        let told = highlight(line, cursor, catalog());
        [
            ("\u{1b}[35m", "<k>"),
            ("\u{1b}[36m", "<f>"),
            ("\u{1b}[32m", "<t>"),
            ("\u{1b}[33m", "<n>"),
            ("\u{1b}[2m", "<q>"),
            ("\u{1b}[1;4m", "<p>"),
            ("\u{1b}[0m", "<>"),
        ]
        .into_iter()
        .fold(told, |told, (code, mark)| told.replace(code, mark))
    }

    #[test]
    fn words_have_their_colours_and_nothing_is_lost() {
        assert_eq!(
            marked("let r = replica_of(\"web\"); // x", 0),
            "<k>let<> r = <f>replica_of<>(<t>\"web\"<>); <q>// x<>"
        );
        assert_eq!(marked("f(1)", 4), "f<p>(<><n>1<><p>)<>");
        assert_eq!(marked("`a\nb`", 0), "<t>`a<>\n<t>b`<>");
    }
}
