//! A text under repair: it is changed so that the parser gets further, and still knows the origin of each byte.

use std::ops::Range;

use crate::language::lexer::{Kind, lex};

/// The repaired text.
pub struct Draft {
    pub text: String,
    /// For each byte, and for the end, the byte of the original.
    at: Vec<usize>,
    original: String,
}

/// A token of the repaired text that is not a comment.
#[derive(Clone, Debug)]
pub struct Piece {
    pub kind: Kind,
    pub range: Range<usize>,
    pub text: String,
}

impl Draft {
    pub fn new(source: &str) -> Self {
        Self { text: source.to_owned(), at: (0..=source.len()).collect(), original: source.to_owned() }
    }

    /// Replaces a range by `with`, whose position is that of the range's beginning.
    pub fn replace(&mut self, range: Range<usize>, with: &str) {
        let origin = self.at[range.start];
        self.text.replace_range(range.clone(), with);
        self.at.splice(range, std::iter::repeat_n(origin, with.len()));
    }

    /// Replaces a range by spaces; its line breaks stay.
    pub fn blank(&mut self, range: Range<usize>) {
        let blank: String =
            self.text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        self.text.replace_range(range, &blank);
    }

    /// The line and the column in the original, from 1.
    pub fn place(&self, byte: usize) -> (usize, usize) {
        let byte = self.at[byte.min(self.text.len())];
        let before = &self.original[..byte];
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[begin..].chars().count() + 1)
    }

    /// The byte of a line and a column of the repaired text; the end if they are behind it.
    pub fn byte(&self, line: usize, column: usize) -> usize {
        let mut begin = 0;
        for (number, content) in self.text.split_inclusive('\n').enumerate() {
            if number + 1 == line {
                let offset = content.char_indices().nth(column.saturating_sub(1)).map_or(content.len(), |(at, _)| at);
                return begin + offset;
            }
            begin += content.len();
        }
        self.text.len()
    }

    pub fn pieces(&self) -> Vec<Piece> {
        let tokens = lex(&self.text).tokens.into_iter().filter(|token| token.kind != Kind::Comment);
        tokens
            .map(|token| Piece {
                kind: token.kind,
                text: self.text[token.range.clone()].to_owned(),
                range: token.range,
            })
            .collect()
    }

    /// True if only spaces stand between the beginning of its line and this byte.
    pub fn begins_line(&self, byte: usize) -> bool {
        let begin = self.text[..byte].rfind('\n').map_or(0, |at| at + 1);
        self.text[begin..byte].trim().is_empty()
    }

    /// The indent of the line of this byte.
    pub fn indent(&self, byte: usize) -> usize {
        let begin = self.text[..byte].rfind('\n').map_or(0, |at| at + 1);
        let line = &self.text[begin..];
        line.len() - line.trim_start_matches([' ', '\t']).len()
    }

    /// True if a line break stands between two bytes.
    pub fn breaks(&self, from: usize, to: usize) -> bool {
        self.text[from..to].contains('\n')
    }
}
