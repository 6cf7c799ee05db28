//! The records of a text with delimiters, as RFC 4180 defines them and spreadsheets write them.
//!
//! Done without the `csv` crate: that one reads an unclosed quote to the end of the file and goes on behind a closed
//! one, so that rows vanish in a value silently.

use crate::error::{Error, Result};

/// One row of cells, whatever it means.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// The line that it begins in, from 1.
    pub line: usize,
    pub cells: Vec<String>,
    /// True if it begins with a quote: the rest is not the mark of a comment.
    quoted: bool,
}

impl Record {
    /// True if it begins with `#`, as comments do, and names of machines may.
    pub fn begins_with_hash(&self) -> bool {
        !self.quoted && self.cells.first().is_some_and(|cell| cell.starts_with('#'))
    }

    /// The number of cells that are not empty.
    pub fn filled(&self) -> usize {
        self.cells.iter().filter(|cell| !cell.is_empty()).count()
    }

    /// The number of cells up to the last one that is not empty.
    pub fn width(&self) -> usize {
        self.cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1)
    }

    pub fn is_blank(&self) -> bool {
        self.filled() == 0
    }
}

/// Blanks around a cell, including those of word processors and web pages, and the mark by which DOS ends a file.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || is_invisible(character) || character == '\u{1a}'
}

/// Characters without a shape, which come along when text is copied: of zero width, soft hyphens, marks of direction.
pub fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A cell without the blanks around it.
pub fn trimmed(cell: &str) -> &str {
    cell.trim_matches(is_blank)
}

/// The value of a cell: without the blanks around it, and without the `="..."` by which exporters keep spreadsheets from
/// taking a text for a number.
fn value(cell: &str) -> &str {
    let cell = trimmed(cell);
    cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')).filter(|text| !text.contains('"')).unwrap_or(cell)
}

/// The records of a text, read with one delimiter.
#[derive(Debug, Default)]
pub struct Records {
    pub records: Vec<Record>,
    /// The lines that begin with the mark of comments.
    pub comments: Vec<usize>,
    /// The reason why it cannot be read further: a quote that is not closed, or text behind a closed one.
    pub broken: Option<Error>,
}

impl Records {
    /// Splits a text whose first line has the number `first_line`.
    pub fn of(text: &str, delimiter: char, first_line: usize, comment: Option<&str>) -> Self {
        let mut reader = Reader { rest: text, line: first_line, delimiter };
        let mut found = Self::default();
        while !reader.rest.is_empty() && found.broken.is_none() {
            if comment.is_some_and(|mark| reader.rest.trim_start_matches([' ', '\t']).starts_with(mark)) {
                found.comments.push(reader.line);
                reader.skip_line();
                continue;
            }
            match reader.record() {
                Ok(record) => found.records.push(record),
                Err(error) => found.broken = Some(error),
            }
        }
        found
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    delimiter: char,
}

impl Reader<'_> {
    fn record(&mut self) -> Result<Record> {
        let mut record = Record { line: self.line, cells: Vec::new(), quoted: self.opening().is_some() };
        loop {
            let cell = match self.opening() {
                Some(opening) => self.quoted(opening)?,
                None => self.plain(),
            };
            record.cells.push(value(&cell).to_owned());
            match self.rest.strip_prefix(self.delimiter) {
                Some(rest) => self.rest = rest,
                None => break,
            }
        }
        self.end_line();
        Ok(record)
    }

    /// The length of the blanks before a quote, and the quote itself, if a cell begins with one.
    fn opening(&self) -> Option<usize> {
        let blank =
            |character: char| is_blank(character) && !matches!(character, '\r' | '\n') && character != self.delimiter;
        let rest = self.rest.trim_start_matches(blank);
        rest.starts_with('"').then(|| self.rest.len() - rest.len() + 1)
    }

    fn plain(&mut self) -> String {
        let end = |character: char| character == self.delimiter || matches!(character, '\r' | '\n');
        let (cell, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.rest = rest;
        cell.to_owned()
    }

    fn quoted(&mut self, opening: usize) -> Result<String> {
        let opened = self.line;
        self.rest = &self.rest[opening..];
        let mut cell = String::new();
        loop {
            let Some(quote) = self.rest.find('"') else {
                return Err(Error::input(format!("the quote that opens in line {opened} is not closed"))
                    .hint("close it, or double it if it is part of the value (`\"19\"\" rack\"`)"));
            };
            cell.push_str(&self.rest[..quote]);
            self.rest = &self.rest[quote + 1..];
            match self.rest.strip_prefix('"') {
                Some(rest) => {
                    cell.push('"');
                    self.rest = rest;
                }
                None => break,
            }
        }
        self.line += lines(&cell);
        if !self.plain().chars().all(is_blank) {
            return Err(Error::input(format!(
                "line {}: there is text behind the quote that closes a value, which opened in line {opened}",
                self.line
            ))
            .hint("is a quote missing before? One that is part of the value is doubled (`\"19\"\" rack\"`)"));
        }
        Ok(cell)
    }

    fn skip_line(&mut self) {
        self.rest = &self.rest[self.rest.find(['\r', '\n']).unwrap_or(self.rest.len())..];
        self.end_line();
    }

    /// Moves behind the end of the line: a line feed, a carriage return, or both.
    fn end_line(&mut self) {
        let rest = self.rest.strip_prefix('\r').unwrap_or(self.rest);
        let rest = rest.strip_prefix('\n').unwrap_or(rest);
        self.line += usize::from(rest.len() < self.rest.len());
        self.rest = rest;
    }
}

/// The number of line ends in a text.
fn lines(text: &str) -> usize {
    let feeds = text.matches('\n').count();
    let returns = text.matches('\r').count() - text.matches("\r\n").count();
    feeds + returns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String)> {
        let Records { records, broken: None, .. } = Records::of(text, ',', 1, None) else { panic!("{text} is broken") };
        records.into_iter().map(|record| (record.line, record.cells.join("|"))).collect()
    }

    fn complaints(text: &str) -> String {
        Records::of(text, ',', 1, None).broken.expect("broken").message
    }

    #[test]
    fn quotes_hold_delimiters_lines_and_quotes() {
        assert_eq!(
            read("a,b\r\n\"x, y\",\"two\nlines\"\r\n\"19\"\" rack\",19\" rack\r\n \"z\" , \u{a0}w\u{a0}\r\n"),
            [
                (1, "a|b".to_owned()),
                (2, "x, y|two\nlines".to_owned()),
                (4, "19\" rack|19\" rack".to_owned()),
                (5, "z|w".to_owned()),
            ]
        );
    }

    #[test]
    fn every_system_ends_its_lines_its_own_way() {
        for text in ["a,b\nc,d", "a,b\r\nc,d\r\n", "a,b\rc,d\r"] {
            assert_eq!(read(text), [(1, "a|b".to_owned()), (2, "c|d".to_owned())], "{text:?}");
        }
        assert_eq!(read("a\n\nb,\n"), [(1, "a".to_owned()), (2, String::new()), (3, "b|".to_owned())]);
    }

    #[test]
    fn a_quote_that_swallows_rows_is_told_with_the_line_where_it_opens() {
        assert_eq!(complaints("a,b\nweb-01,\"open\nweb-02,1\n"), "the quote that opens in line 2 is not closed");
        assert_eq!(
            complaints("a,b\nweb-01,\"open\nweb-02,\"x\"\n"),
            "line 3: there is text behind the quote that closes a value, which opened in line 2"
        );
    }
}
