//! Decoding the bytes of a file as text, as editors and spreadsheets of every system write it.

use std::fmt;

/// The first part of a file that is not text, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotText {
    /// Counted from 1.
    line: usize,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The first byte that is not UTF-8.
    Byte(u8),
    /// Half a character of UTF-16.
    Half,
    Nul,
    /// The mark of an archive, such as a spreadsheet's own file, or of an old spreadsheet.
    Archive,
}

impl NotText {
    /// The advice for a person.
    pub fn hint(&self) -> &'static str {
        match self.why {
            Why::Byte(_) => "save it as UTF-8 (spreadsheets call it `CSV UTF-8`, Windows `UTF-8` as against `ANSI`)",
            Why::Half => "it begins as UTF-16 and is cut off, or is not UTF-16; save it as UTF-8",
            Why::Archive => "spreadsheets export a table as `CSV UTF-8`",
            Why::Nul => "it may be UTF-16 without a byte order mark, or damaged; save it as UTF-8",
        }
    }
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Byte(byte) => write!(f, "line {} is not UTF-8 text (the byte 0x{byte:02x})", self.line),
            Why::Half => write!(f, "line {} is not UTF-16 text", self.line),
            Why::Archive => f.write_str("it is an archive or a spreadsheet (.xlsx, .xls), and no text"),
            Why::Nul => write!(f, "line {} contains a NUL character, which text never does", self.line),
        }
    }
}

impl std::error::Error for NotText {}

/// The text of UTF-8, or of UTF-16 that begins with its byte order mark. The mark itself is not part of the text.
///
/// # Errors
/// The first position that is not text. Other encodings have no mark, and guessing among them would change names.
pub fn text(bytes: &[u8]) -> Result<String, NotText> {
    let text = match bytes {
        [b'P', b'K', 3, 4, ..] | [0x1f, 0x8b, ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            return Err(NotText { line: 1, why: Why::Archive });
        }
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => std::str::from_utf8(rest)
            .map_err(|error| {
                let (before, after) = rest.split_at(error.valid_up_to());
                let byte = after.first().copied().unwrap_or_default();
                NotText { line: line_of(before.iter().copied().map(char::from)), why: Why::Byte(byte) }
            })?
            .to_owned(),
    };
    match text.find('\0') {
        Some(at) => Err(NotText { line: line_of(text[..at].chars()), why: Why::Nul }),
        None => Ok(text),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, NotText> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let half = |_| NotText { line: line_of(text.chars()), why: Why::Half };
        let character = decoded.map_err(half)?;
        text.push(character);
    }
    if rest.is_empty() { Ok(text) } else { Err(NotText { line: line_of(text.chars()), why: Why::Half }) }
}

fn line_of(before: impl Iterator<Item = char>) -> usize {
    before.filter(|character| *character == '\n').count() + 1
}

/// A script as the language reads it, line by line as it was written: without a byte order mark, with plain line feeds,
/// and with an empty line in place of a shebang (`#!`).
pub fn script(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = if text.contains('\n') { text.replace("\r\n", "\n") } else { text.replace('\r', "\n") };
    match text.find('\n').filter(|_| text.starts_with("#!")) {
        Some(end) => text[end..].to_owned(),
        None if text.starts_with("#!") => String::new(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn every_mark_is_read_and_left_out() {
        for bytes in [
            b"n\xc3\xa4me\r\n".to_vec(),
            b"\xef\xbb\xbfn\xc3\xa4me\r\n".to_vec(),
            utf16("näme\r\n", u16::to_le_bytes),
            utf16("näme\r\n", u16::to_be_bytes),
        ] {
            assert_eq!(text(&bytes).as_deref(), Ok("näme\r\n"), "{bytes:?}");
        }
        assert_eq!(text(b"").as_deref(), Ok(""));
        assert_eq!(text(b"\xef\xbb\xbf").as_deref(), Ok(""));
    }

    #[test]
    fn bytes_that_are_no_text_are_told_with_their_line() {
        let complaint = |bytes: &[u8]| text(bytes).expect_err("no text").to_string();
        assert_eq!(complaint(b"name\nM\xfcller\n"), "line 2 is not UTF-8 text (the byte 0xfc)");
        assert_eq!(complaint(b"\xef\xbb\xbfa\nb\n\x80"), "line 3 is not UTF-8 text (the byte 0x80)");
        assert_eq!(complaint(b"\xff\xfea\0\n\0b"), "line 2 is not UTF-16 text");
        assert_eq!(complaint(b"\xff\xfea\0\n\0\0\xd8b\0"), "line 2 is not UTF-16 text");
        assert_eq!(complaint(b"PK\x03\x04\x14\0"), "it is an archive or a spreadsheet (.xlsx, .xls), and no text");
        assert_eq!(complaint(b"\xd0\xcf\x11\xe0\xa1\xb1"), complaint(b"PK\x03\x04\x14\0"));
        assert_eq!(complaint(b"\x1f\x8b\x08\0"), complaint(b"PK\x03\x04\x14\0"));
        assert_eq!(complaint(b"n\0a\0m\0e\0\n\0"), "line 1 contains a NUL character, which text never does");
    }

    #[test]
    fn a_script_keeps_its_lines() {
        assert_eq!(script("\u{feff}print(1);\r\nprint(2);\r\n"), "print(1);\nprint(2);\n");
        assert_eq!(script("#!/usr/bin/env coriolis-run\nprint(1);"), "\nprint(1);");
        assert_eq!(script("\u{feff}#!x\r\n1"), "\n1");
        assert_eq!(script("let a = 1;\rlet b = 2;"), "let a = 1;\nlet b = 2;");
        assert_eq!(script("let a = #{};\n#!"), "let a = #{};\n#!", "a line further down is no shell's");
    }
}
