//! The tokens of a text that is being typed, complete or not: for highlighting, for completion, and to tell if more
//! lines follow. The language's own parser stops at the first missing part. Pure.

use std::ops::Range;

/// The kind of a token. Spaces between tokens belong to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Word,
    Keyword,
    Number,
    /// A piece of a text with its quotes, if they are there: one in backticks is split by its interpolations.
    Text,
    Comment,
    /// `(`, `[`, `{`, `#{`, `${`.
    Open,
    Close,
    Comma,
    Colon,
    /// `.`, `?.`.
    Dot,
    Operator,
    Semicolon,
}

/// A token and its bytes in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
}

/// The construct that is still open at the end of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    Bracket,
    /// A text in backticks, or a raw one; or one in quotes that continues behind a `\` at the end of its line.
    Text,
    /// A text in quotes, which cannot continue on the next line.
    Quote,
    Comment,
}

/// A text in tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lexed {
    pub tokens: Vec<Token>,
    pub unfinished: Option<Unfinished>,
    /// A bracket closes one that is not open: more lines mend nothing.
    pub mismatched: bool,
}

const KEYWORDS: [&str; 31] = [
    "let",
    "const",
    "if",
    "else",
    "switch",
    "do",
    "while",
    "until",
    "loop",
    "for",
    "in",
    "continue",
    "break",
    "return",
    "throw",
    "try",
    "catch",
    "fn",
    "private",
    "import",
    "export",
    "as",
    "true",
    "false",
    "this",
    "global",
    "Fn",
    "call",
    "curry",
    "is_shared",
    "is_def_var",
];

const OPERATORS: [&str; 41] = [
    "<<=", ">>=", "**=", "..=", "===", "!==", "?.", "??", "=>", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=",
    "/=", "%=", "&=", "|=", "^=", "<<", ">>", "**", "..", "::", "->", "+", "-", "*", "/", "%", "=", "<", ">", "!", "&",
    "|", "^",
];

/// Splits a text into its tokens.
pub fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), open: Vec::new(), unfinished: None, mismatched: false };
    while lexer.step() {}
    let unfinished = lexer.unfinished.or((!lexer.open.is_empty()).then_some(Unfinished::Bracket));
    Lexed { tokens: lexer.tokens, unfinished, mismatched: lexer.mismatched }
}

/// True if Enter has to begin another line of the same input.
pub fn wants_more(text: &str) -> bool {
    let lexed = lex(text);
    match lexed.unfinished {
        // The parser reports a bracket that closes another one.
        Some(Unfinished::Bracket) => !lexed.mismatched,
        Some(Unfinished::Text | Unfinished::Comment) => true,
        // The parser reports it.
        Some(Unfinished::Quote) => false,
        None => lexed.tokens.iter().rev().find(|token| token.kind != Kind::Comment).is_some_and(|last| {
            matches!(last.kind, Kind::Dot | Kind::Comma)
                || (last.kind == Kind::Operator && &text[last.range.clone()] != "!")
        }),
    }
}

/// The inputs of a text that is not typed but read: each ends with a line at whose end nothing is open.
pub fn inputs(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for line in text.split_inclusive('\n') {
        end += line.len();
        let rest = text[end..].trim_start();
        let goes_on = [".", "?.", "else"].iter().any(|word| rest.starts_with(word));
        let is_command = text[begin..end].trim_start().starts_with([':', '?']);
        if is_command || (!goes_on && !wants_more(&text[begin..end])) {
            found.push(&text[begin..end]);
            begin = end;
        }
    }
    found.push(&text[begin..]);
    found.retain(|input| !input.trim().is_empty());
    found
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    /// The closing brackets that are expected; `` ` `` for an interpolation in a text in backticks.
    open: Vec<char>,
    unfinished: Option<Unfinished>,
    mismatched: bool,
}

impl Lexer<'_> {
    /// Takes the next token; false at the end.
    fn step(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        let Some(first) = trimmed.chars().next() else { return false };
        match first {
            '/' if trimmed.starts_with("//") => self.push(Kind::Comment, trimmed.find('\n').unwrap_or(trimmed.len())),
            '/' if trimmed.starts_with("/*") => self.comment(trimmed),
            '"' => self.quoted('"', trimmed),
            '\'' => self.quoted('\'', trimmed),
            '`' => {
                let begin = self.at;
                self.at += 1;
                self.backticks(begin);
            }
            '#' if trimmed.trim_start_matches('#').starts_with('"') => self.raw(trimmed),
            '#' if trimmed.starts_with("#{") => self.bracket(2, '}'),
            '(' => self.bracket(1, ')'),
            '[' => self.bracket(1, ']'),
            '{' => self.bracket(1, '}'),
            ')' | ']' | '}' => self.close(first),
            ',' => self.push(Kind::Comma, 1),
            ';' => self.push(Kind::Semicolon, 1),
            first if first.is_ascii_digit() => self.number(trimmed),
            first if first.is_alphabetic() || first == '_' => {
                let length = trimmed.find(|part: char| !is_word(part)).unwrap_or(trimmed.len());
                let kind = if KEYWORDS.contains(&&trimmed[..length]) { Kind::Keyword } else { Kind::Word };
                self.push(kind, length);
            }
            _ => match OPERATORS.iter().find(|operator| trimmed.starts_with(**operator)) {
                Some(operator) if *operator == "?." => self.push(Kind::Dot, 2),
                Some(operator) => self.push(Kind::Operator, operator.len()),
                None if first == '.' => self.push(Kind::Dot, 1),
                None if first == ':' => self.push(Kind::Colon, 1),
                None => self.push(Kind::Operator, first.len_utf8()),
            },
        }
        true
    }

    fn push(&mut self, kind: Kind, length: usize) {
        self.tokens.push(Token { kind, range: self.at..self.at + length });
        self.at += length;
    }

    fn bracket(&mut self, length: usize, closing: char) {
        self.open.push(closing);
        self.push(Kind::Open, length);
    }

    fn close(&mut self, closing: char) {
        let wanted = self.open.last().copied();
        self.push(Kind::Close, 1);
        if closing == '}' && wanted == Some('`') {
            self.open.pop();
            let begin = self.at;
            self.backticks(begin);
        } else if wanted == Some(closing) {
            self.open.pop();
        } else {
            self.mismatched = true;
        }
    }

    fn number(&mut self, rest: &str) {
        let bytes = rest.as_bytes();
        let mut length = 1;
        while let Some(byte) = bytes.get(length) {
            let fraction = *byte == b'.' && bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
            if !(byte.is_ascii_alphanumeric() || *byte == b'_' || fraction) {
                break;
            }
            length += 1;
        }
        self.push(Kind::Number, length);
    }

    /// Comments nest.
    fn comment(&mut self, rest: &str) {
        let (mut depth, mut length) = (0, 0);
        while length < rest.len() {
            let here = &rest[length..];
            if here.starts_with("/*") {
                depth += 1;
                length += 2;
            } else if here.starts_with("*/") {
                depth -= 1;
                length += 2;
                if depth == 0 {
                    return self.push(Kind::Comment, length);
                }
            } else {
                length += here.chars().next().map_or(1, char::len_utf8);
            }
        }
        self.unfinished = Some(Unfinished::Comment);
        self.push(Kind::Comment, length);
    }

    fn quoted(&mut self, quote: char, rest: &str) {
        let mut escaped = false;
        for (at, character) in rest.char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\n' => {
                    self.unfinished.get_or_insert(Unfinished::Quote);
                    return self.push(Kind::Text, at);
                }
                _ if character == quote => return self.push(Kind::Text, at + quote.len_utf8()),
                _ => {}
            }
        }
        self.unfinished = Some(if escaped || rest.trim_end_matches(' ').ends_with("\\\n") {
            Unfinished::Text
        } else {
            Unfinished::Quote
        });
        self.push(Kind::Text, rest.len());
    }

    /// From the position behind the opening one, or behind an interpolation.
    fn backticks(&mut self, begin: usize) {
        let rest = &self.text[self.at..];
        let (end, put_in) = match (rest.find('`'), rest.find("${")) {
            (Some(end), Some(put)) if put < end => (put, true),
            (Some(end), _) => (end + 1, false),
            (None, Some(put)) => (put, true),
            (None, None) => {
                self.unfinished = Some(Unfinished::Text);
                (rest.len(), false)
            }
        };
        let end = self.at + end;
        if end > begin {
            self.tokens.push(Token { kind: Kind::Text, range: begin..end });
        }
        self.at = end;
        if put_in {
            self.open.push('`');
            self.push(Kind::Open, 2);
        }
    }

    /// `#"..."#`, with any number of `#`.
    fn raw(&mut self, rest: &str) {
        let marks = rest.len() - rest.trim_start_matches('#').len();
        let closing = format!("\"{}", &rest[..marks]);
        match rest[marks + 1..].find(&closing) {
            Some(at) => self.push(Kind::Text, marks + 1 + at + closing.len()),
            None => {
                self.unfinished = Some(Unfinished::Text);
                self.push(Kind::Text, rest.len());
            }
        }
    }
}

/// True if a character can be part of a name.
pub fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &str) -> Vec<(Kind, &str)> {
        lex(text).tokens.into_iter().map(|token| (token.kind, &text[token.range])).collect()
    }

    #[test]
    fn a_statement_is_cut_into_its_pieces() {
        use Kind::{Close, Colon, Comma, Comment, Dot, Keyword, Number, Open, Operator, Semicolon, Text, Word};
        assert_eq!(
            pieces("let r = f(#{ a: \"x\\\"y\", b: 1.5 }, x?.y); // end"),
            [
                (Keyword, "let"),
                (Word, "r"),
                (Operator, "="),
                (Word, "f"),
                (Open, "("),
                (Open, "#{"),
                (Word, "a"),
                (Colon, ":"),
                (Text, "\"x\\\"y\""),
                (Comma, ","),
                (Word, "b"),
                (Colon, ":"),
                (Number, "1.5"),
                (Close, "}"),
                (Comma, ","),
                (Word, "x"),
                (Dot, "?."),
                (Word, "y"),
                (Close, ")"),
                (Semicolon, ";"),
                (Comment, "// end"),
            ]
        );
        assert_eq!(
            pieces("`a ${b + `c ${d}`} e`"),
            [
                (Text, "`a "),
                (Open, "${"),
                (Word, "b"),
                (Operator, "+"),
                (Text, "`c "),
                (Open, "${"),
                (Word, "d"),
                (Close, "}"),
                (Text, "`"),
                (Close, "}"),
                (Text, " e`"),
            ]
        );
        assert_eq!(pieces("1..3"), [(Number, "1"), (Operator, ".."), (Number, "3")]);
        assert_eq!(pieces("#\"a\"b\"#"), [(Text, "#\"a\"b\"#")]);
    }

    #[test]
    fn more_lines_are_wanted_while_something_is_open() {
        for text in [
            "wave(\"a\", vms, |vm| {",
            "let x = [1,",
            "#{",
            "`one\ntwo",
            "`a ${b",
            "/* so far",
            "/* a /* b */",
            "/*",
            "1 +",
            "vms.",
            "let f = |x|",
            "let x =",
            "\"goes on \\",
            "#\"raw",
            "f(\"}\"",
            "f( // )",
        ] {
            assert!(wants_more(text), "{text}");
        }
        for text in [
            "",
            "endpoint_list()",
            "let x = 1;",
            "{ }",
            "\"open",
            "`a ${b} c`",
            "/* a /* b */ c */ 1",
            "\"(\"",
            "'('",
            "x // and (",
            "x }",
            "f() // +",
            "1 /* + */",
            ":help",
            "?wave",
        ] {
            assert!(!wants_more(text), "{text}");
        }
    }

    #[test]
    fn what_is_read_is_cut_where_nothing_is_open() {
        assert_eq!(
            inputs("let a = [\n1,\n2];\n\nif a {\n1\n}\nelse {\n2\n}\na\n  .len()\n?wave\nprint(a)"),
            ["let a = [\n1,\n2];\n", "if a {\n1\n}\nelse {\n2\n}\n", "a\n  .len()\n", "?wave\n", "print(a)"]
        );
    }

    proptest! {
        #[test]
        fn every_text_is_cut_without_a_panic_and_in_order(text in "[a-z\"'`#{}()\\[\\]$/*.,:;|\\\\\n é1]{0,40}") {
            let mut end = 0;
            for token in lex(&text).tokens {
                prop_assert!(token.range.start >= end && token.range.end > token.range.start, "{:?}", token);
                prop_assert!(text.get(token.range.clone()).is_some());
                let between = &text[end..token.range.start];
                prop_assert!(between.trim().is_empty(), "left out: {:?}", between);
                end = token.range.end;
            }
            prop_assert!(text[end..].trim().is_empty());
        }

        #[test]
        fn what_compiles_wants_no_more(text in "(f\\(|\\)|\\[|\\]|#\\{a: |\\}|1|, |`|x|\\$\\{|\"s\"|/\\*|\\*/| \\+ |;|\n){0,8}") {
            if rhai::Engine::new().compile(&text).is_ok() && lex(&text).unfinished != Some(Unfinished::Comment) {
                prop_assert!(lex(&text).unfinished.is_none(), "{:?}", text);
            }
        }
    }
}
