//! Text in columns of a screen: paragraphs, entries with a name at the left, and code.

use crate::report::streams::text::width;

/// A paragraph in lines of at most `width` columns, each after the indent; a longer word has its own line.
pub fn paragraph(text: &str, indent: usize, width: usize) -> Vec<String> {
    filled(text.split_whitespace(), indent, indent, width)
}

/// A name, and beside it its text in a column of its own; below it, if the name is longer than that column.
pub fn entry(name: &str, text: &str, (indent, column): (usize, usize), columns: usize) -> Vec<String> {
    let mut lines = paragraph(text, column, columns);
    let name = format!("{}{name}", " ".repeat(indent));
    match lines.first_mut() {
        Some(first) if width(&name) < column => first.replace_range(..name.len(), &name),
        _ => lines.insert(0, name),
    }
    lines
}

/// Lines of code; a line that is too long is broken at spaces outside of texts, so that its meaning stays.
pub fn code(code: &str, indent: usize, width: usize) -> Vec<String> {
    code.lines()
        .flat_map(|line| {
            let own = indent + line.len() - line.trim_start().len();
            filled(pieces(line).into_iter(), own, own + 4, width)
        })
        .collect()
}

fn filled<'a>(words: impl Iterator<Item = &'a str>, first: usize, rest: usize, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = " ".repeat(first);
    let mut is_new = true;
    for word in words {
        if !is_new && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::replace(&mut line, " ".repeat(rest)));
            is_new = true;
        }
        if !is_new {
            line.push(' ');
        }
        line.push_str(word);
        is_new = false;
    }
    lines.push(line);
    lines
}

/// The parts of a line between which a break changes nothing and reads well: after commas and opening brackets.
fn pieces(line: &str) -> Vec<&str> {
    let line = line.trim();
    let mut pieces = Vec::new();
    let (mut start, mut inside, mut escaped) = (0, None, false);
    for (at, character) in line.char_indices() {
        match (inside, character) {
            _ if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(quote), _) if character == quote => inside = None,
            (None, '"' | '`') => inside = Some(character),
            // A comment ends with its line.
            (None, '/') if line[at..].starts_with("//") => break,
            (None, ' ') if line[..at].ends_with([',', ';', '{', '|', '=']) => {
                pieces.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&line[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_in_its_column() {
        assert_eq!(entry("force", "Cut it short.", (2, 10), 20), ["  force   Cut it", "          short."]);
        assert_eq!(entry("much_longer", "Cut it.", (2, 10), 20), ["  much_longer", "          Cut it."]);
    }

    #[test]
    fn code_is_never_broken_inside_a_text_or_a_comment() {
        assert_eq!(
            code("let a = f(\"one two\", `b c`); // not here\n  g();", 2, 18),
            ["  let a =", "      f(\"one two\",", "      `b c`);", "      // not here", "    g();"]
        );
    }
}
