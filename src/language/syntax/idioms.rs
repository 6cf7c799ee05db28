//! Idioms of other languages, and their equivalents here.

use crate::language::lexer::{Kind, lex};
use crate::language::syntax::brackets::{around, closing};
use crate::language::syntax::draft::{Draft, Piece};
use crate::language::syntax::{Mistake, Repair, piece_at};

/// A comment in the style of another language, whose words would be taken for code.
pub fn comment(draft: &Draft, pieces: &[Piece]) -> Option<Mistake> {
    let found = pieces.iter().find(|piece| {
        let spaced = draft.text[piece.range.end..].starts_with([' ', '!', '#', '-', '\n']);
        let mark = piece.text == "#" || piece.text == "-" && draft.text[piece.range.start..].starts_with("-- ");
        piece.kind == Kind::Operator && mark && spaced && draft.begins_line(piece.range.start)
    })?;
    let begin = found.range.start;
    let end = draft.text[begin..].find('\n').map_or(draft.text.len(), |line| begin + line);
    let mark = if found.text == "#" { "#" } else { "--" };
    let mistake = Mistake::new(begin, format!("`{mark}` does not begin a comment")).hint("write `// ...`");
    Some(mistake.repair(Repair::Blank(begin..end)))
}

/// `"... %s" % value`: the parser takes it for arithmetic.
pub fn formats(draft: &Draft) -> Vec<Mistake> {
    let pieces = draft.pieces();
    let formats = pieces.windows(2).filter(|pair| {
        pair[0].kind == Kind::Text
            && pair[0].text.ends_with(['"', '\''])
            && pair[1].text == "%"
            && pair[0].text.contains('%')
    });
    let told = |pair: &[Piece]| {
        Mistake::new(pair[1].range.start, "a text is not formatted with `%`").hint(
            "put values into a text in backticks: `` `${name} is ready` ``".replace("`` `", "`").replace("` ``", "`"),
        )
    };
    formats.map(told).collect()
}

/// The meaning of the words around the parser's position, if they belong to another language.
pub fn foreign(draft: &Draft, pieces: &[Piece], at: usize) -> Option<Mistake> {
    let index = piece_at(pieces, at);
    loop_of_three(pieces, index)
        .or_else(|| arrow(pieces, index))
        .or_else(|| object(pieces, index))
        .or_else(|| formatted(pieces, index))
        .or_else(|| word(draft, pieces, index))
}

fn text(pieces: &[Piece], at: Option<usize>) -> &str {
    at.and_then(|at| pieces.get(at)).map_or("", |piece| piece.text.as_str())
}

/// `for (i = 0; i < n; i++)`.
fn loop_of_three(pieces: &[Piece], index: usize) -> Option<Mistake> {
    // The parser stops at the first token in the bracket, or right behind it.
    let open = (0..=index.min(pieces.len().checked_sub(1)?))
        .rev()
        .take(4)
        .find(|at| pieces[*at].text == "(" && at.checked_sub(1).is_some_and(|before| pieces[before].text == "for"))?;
    let close = closing(pieces, open)?;
    let head = &pieces[open + 1..close];
    let mistake = |hint: String| {
        let name = head.iter().find(|piece| piece.kind == Kind::Word).map_or("i", |piece| piece.text.as_str());
        let range = pieces[open].range.start..pieces[close].range.end;
        Mistake::new(pieces[open - 1].range.start, "`for` goes through a list or a range")
            .hint(hint)
            .repair(Repair::Replace(range, format!("{name} in 0..1")))
    };
    let name = head.iter().find(|piece| piece.kind == Kind::Word).map_or("i", |piece| piece.text.as_str());
    if head.iter().any(|piece| piece.kind == Kind::Semicolon) {
        return Some(mistake(format!("write `for {name} in 0..3 {{ ... }}`")));
    }
    let item = head.iter().any(|piece| matches!(piece.text.as_str(), "in" | "of" | ":"));
    item.then(|| mistake(format!("write `for {name} in list {{ ... }}`, without brackets")))
}

/// `vm => ...`, `(a, b) => ...`, `(vm) -> ...`.
fn arrow(pieces: &[Piece], index: usize) -> Option<Mistake> {
    // With several parameters the parser stops at the first comma between them.
    let arrow = if matches!(text(pieces, Some(index)), "=>" | "->") {
        index
    } else {
        let close = closing(pieces, around(pieces, index)?)?;
        (matches!(text(pieces, Some(close + 1)), "=>" | "->") && text(pieces, Some(close)) == ")")
            .then_some(close + 1)?
    };
    let last = arrow.checked_sub(1)?;
    let begin = match pieces[last].text.as_str() {
        ")" => around(pieces, last)?,
        _ if pieces[last].kind == Kind::Word && pieces[arrow].text == "=>" => last,
        _ => return None,
    };
    let names: Vec<&str> =
        pieces[begin..=last].iter().filter(|piece| piece.kind == Kind::Word).map(|piece| piece.text.as_str()).collect();
    let written = format!("|{}|", names.join(", "));
    let range = pieces[begin].range.start..pieces[arrow].range.end;
    Some(
        Mistake::new(pieces[arrow].range.start, format!("a closure is not written with `{}`", pieces[arrow].text))
            .hint(format!("write `{written} ...`"))
            .repair(Repair::Replace(range, written)),
    )
}

/// `{ key: value }`.
fn object(pieces: &[Piece], index: usize) -> Option<Mistake> {
    let open = index.checked_sub(2)?;
    let key = &pieces[open + 1];
    if text(pieces, Some(index)) != ":"
        || pieces[open].text != "{"
        || !matches!(key.kind, Kind::Word | Kind::Keyword | Kind::Text)
    {
        return None;
    }
    let begin = pieces[open].range.start;
    let value = pieces.get(index + 1).map_or("...", |piece| if piece.kind == Kind::Open { "..." } else { &piece.text });
    let value = if crate::secret::is_secret_name(key.text.trim_matches('"')) { "..." } else { value };
    let mistake = Mistake::new(begin, "an object map begins with `#{`");
    Some(
        mistake.hint(format!("write `#{{ {}: {value} }}`", key.text)).repair(Repair::Replace(begin..begin, "#".into())),
    )
}

/// `f"..."`.
fn formatted(pieces: &[Piece], index: usize) -> Option<Mistake> {
    let (mark, quoted) = (pieces.get(index.checked_sub(1)?)?, pieces.get(index)?);
    let is_mark = mark.kind == Kind::Word && matches!(mark.text.as_str(), "f" | "r" | "b" | "F" | "s" | "u");
    if !is_mark || quoted.kind != Kind::Text || mark.range.end != quoted.range.start {
        return None;
    }
    let inner = quoted.text.trim_matches(['"', '\'', '`']);
    let hint = if matches!(mark.text.as_str(), "r" | "b" | "u") {
        format!("write `#\"{inner}\"#`, where nothing is escaped")
    } else {
        format!("write {}", ticked(&inner.replace("${", "{").replace('{', "${")))
    };
    Some(
        Mistake::new(mark.range.start, format!("a text has no `{}` before it", mark.text))
            .hint(hint)
            .repair(Repair::Replace(mark.range.start..quoted.range.end, "\"\"".into())),
    )
}

/// A text in backticks, inside a sentence.
pub fn ticked(text: &str) -> String {
    format!("`{text}`, in backticks")
}

/// A word of another language at the parser's position, or right before.
fn word(draft: &Draft, pieces: &[Piece], index: usize) -> Option<Mistake> {
    let before = index.checked_sub(1);
    let at = |piece: usize| pieces[piece].range.clone();
    let replace = |piece: usize, message: &str, hint: &str, with: &str| {
        Some(Mistake::new(at(piece).start, message).hint(hint).repair(Repair::Replace(at(piece), with.to_owned())))
    };
    let told = |piece: usize, message: &str, hint: &str| Some(Mistake::new(at(piece).start, message).hint(hint));
    let next = text(pieces, Some(index + 1));
    match text(pieces, Some(index)) {
        "and" => return replace(index, "`and` is written `&&`", "write `a && b`", "&&"),
        "or" => return replace(index, "`or` is written `||`", "write `a || b`", "||"),
        "is" => return replace(index, "`is` is written `==`", "write `a == b`", "=="),
        "not" if next == "in" => {
            let range = at(index).start..at(index + 1).end;
            let mistake = Mistake::new(range.start, "`not in` is written `!in`").hint("write `x !in list`");
            return Some(mistake.repair(Repair::Replace(range, "!in".into())));
        }
        "then" => return replace(index, "there is no `then`", "write `if x { ... } else { ... }`", " ").map(statement),
        "finally" => {
            return told(index, "there is no `finally`", "write the code for any case behind the `try`");
        }
        "except" | "rescue" => {
            return replace(index, "`try` goes on with `catch`", "write `try { ... } catch (e) { ... }`", "catch");
        }
        "of" | ":" if before.and_then(|at| at.checked_sub(1)).is_some_and(|at| pieces[at].text == "for") => {
            return replace(index, "`for` needs `in`", "write `for vm in vms { ... }`", " in ");
        }
        "if" if !draft.begins_line(at(index).start)
            && before.is_some_and(|at| is_value(&pieces[at]) || pieces[at].kind == Kind::Close) =>
        {
            return told(index, "a condition comes before its values", "write `if condition { a } else { b }`");
        }
        _ => {}
    }
    let before = before?;
    let first = statement_begin(pieces, before) == before;
    match text(pieces, Some(before)) {
        "not" => {
            let end = pieces.get(index).map_or(at(before).end, |next| next.range.start);
            let mistake = Mistake::new(at(before).start, "`not` is written `!`");
            Some(mistake.hint("write `!a`").repair(Repair::Replace(at(before).start..end, "!".into())))
        }
        elif @ ("elif" | "elseif" | "elsif") => {
            replace(before, &format!("`{elif}` is written `else if`"), "write `else if x { ... }`", "else if")
        }
        word @ ("def" | "function" | "func" | "fun" | "sub" | "lambda")
            if pieces.get(index)?.kind != Kind::Operator =>
        {
            let told = format!("`{word}` is written `fn`");
            let name = text(pieces, Some(index));
            if word == "lambda" {
                return Some(
                    Mistake::new(at(before).start, "there is no `lambda`").hint(format!("write `|{name}| ...`")),
                );
            }
            let mistake = Mistake::new(at(before).start, told).hint(format!("write `fn {name}(...) {{ ... }}`"));
            let open = (text(pieces, Some(index + 1)) == "(").then_some(index + 1);
            let body = open.and_then(|open| closing(pieces, open)).map(|close| text(pieces, Some(close + 1)));
            let whole = brackets_around(pieces, before);
            Some(if body == Some("{") && !whole {
                mistake.repair(Repair::Replace(at(before), "fn".into()))
            } else {
                mistake
            })
        }
        "foreach" => replace(before, "`foreach` is written `for`", "write `for vm in vms { ... }`", "for"),
        "each" if before.checked_sub(1).is_some_and(|at| pieces[at].text == "for") => {
            replace(before, "`for each` is written `for`", "write `for vm in vms { ... }`", " ")
        }
        "finally" => told(before, "there is no `finally`", "write the code for any case behind the `try`"),
        "unless" => replace(before, "there is no `unless`", "write `if !x { ... }`", "if"),
        "mut" => replace(before, "every variable can be changed", "write `let x = ...;`, without `mut`", " "),
        "catch" if pieces.get(index)?.kind == Kind::Word => {
            let name = &pieces[index].text;
            let mistake = Mistake::new(at(index).start, "the error of `catch` needs brackets");
            Some(
                mistake.hint(format!("write `catch ({name})`")).repair(Repair::Replace(at(index), format!("({name})"))),
            )
        }
        "let" | "const" if matches!(text(pieces, Some(index)), "{" | "[" | "(") => {
            told(index, "`let` declares one variable at a time", "write `let a = m.a;` for each of them")
        }
        _ if !first => declared(pieces, index, before),
        _ => None,
    }
}

/// `let x: int`, `let a, b`, `import x from "y"`.
fn declared(pieces: &[Piece], index: usize, before: usize) -> Option<Mistake> {
    let keyword = text(pieces, before.checked_sub(1));
    let name = text(pieces, Some(before));
    let at = &pieces.get(index)?.range;
    match (keyword, text(pieces, Some(index))) {
        ("let" | "const", ":") => {
            let end = (index..pieces.len()).take(8).find(|at| pieces[*at].text == "=").map(|at| pieces[at].range.start);
            let mistake =
                Mistake::new(at.start, "a variable has no type").hint(format!("write `{keyword} {name} = ...;`"));
            Some(match end {
                Some(end) => mistake.repair(Repair::Blank(at.start..end)),
                None => mistake,
            })
        }
        ("let" | "const", ",") => Some(
            Mistake::new(at.start, format!("`{keyword}` declares one variable at a time"))
                .hint(format!("write a `{keyword} ... = ...;` for each of them")),
        ),
        ("let" | "const", "==") => Some(
            Mistake::new(at.start, "a value is given with `=`")
                .hint(format!("write `{keyword} {name} = ...;`"))
                .repair(Repair::Replace(at.clone(), "=".into())),
        ),
        ("export", "=") => {
            let mistake = Mistake::new(at.start, "only what is declared can be exported");
            Some(mistake.hint(format!("write `export let {name} = ...;`")))
        }
        ("import", "from") => {
            let file = text(pieces, Some(index + 1));
            let file = if file.is_empty() { "\"file\"" } else { file };
            Some(
                Mistake::new(at.start, "an import names its file first")
                    .hint(format!("write `import {file} as {name};`")),
            )
        }
        _ => None,
    }
}

fn statement(mistake: Mistake) -> Mistake {
    mistake.repair(Repair::Statement)
}

fn brackets_around(pieces: &[Piece], at: usize) -> bool {
    around(pieces, at).is_some()
}

/// True if a value can end with this token.
pub fn is_value(piece: &Piece) -> bool {
    matches!(piece.kind, Kind::Word | Kind::Number | Kind::Text)
}

/// The first token of the statement around `at`, as far as semicolons and braces tell.
pub fn statement_begin(pieces: &[Piece], at: usize) -> usize {
    let ends = |piece: &Piece| matches!(piece.text.as_str(), ";" | "{" | "}");
    pieces[..at].iter().rposition(ends).map_or(0, |before| before + 1)
}

/// The name before or behind `++`.
pub fn counted(draft: &Draft, at: usize) -> Option<(String, bool)> {
    let tokens = lex(&draft.text).tokens;
    let before = tokens.iter().rev().find(|token| token.range.end <= at);
    let behind = tokens.iter().find(|token| token.range.start >= at + 2);
    let named = |token: Option<&crate::language::lexer::Token>| {
        token.filter(|token| token.kind == Kind::Word).map(|token| draft.text[token.range.clone()].to_owned())
    };
    named(before).map(|name| (name, true)).or_else(|| named(behind).map(|name| (name, false)))
}
