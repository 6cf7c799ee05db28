//! The parser's errors, in words.

use rhai::{LexError, ParseErrorType};

use crate::language::lexer::Kind;
use crate::language::syntax::brackets::around;
use crate::language::syntax::draft::{Draft, Piece};
use crate::language::syntax::idioms::{counted, foreign, is_value, ticked};
use crate::language::syntax::{Mistake, Repair, piece_at};

/// The mistake for the parser's error at a byte of the draft.
pub fn judge(draft: &Draft, pieces: &[Piece], at: usize, error: &ParseErrorType) -> Mistake {
    let plain = |message: &str| Mistake::new(at, message);
    if let ParseErrorType::Reserved(word) | ParseErrorType::UnknownOperator(word) = error {
        return reserved(draft, pieces, at, word);
    }
    if let ParseErrorType::BadInput(error) = error {
        return input(draft, pieces, at, error);
    }
    match error {
        ParseErrorType::WrongFnDefinition => plain("a function cannot be declared inside a block")
            .hint("move it out, or write a closure: `let f = |x| ...;`"),
        ParseErrorType::LoopBreak => {
            plain("there is no loop around this").hint("`return` ends a function or the runbook")
        }
        ParseErrorType::AssignmentToConstant(name) if !name.is_empty() => {
            plain(&format!("`{name}` is a constant")).hint(format!("declare it with `let {name} = ...;` to change it"))
        }
        ParseErrorType::AssignmentToConstant(_) | ParseErrorType::AssignmentToInvalidLHS(_) => {
            plain("this cannot be given a value")
                .hint("a variable, a field or an item of a list can; to compare, write `==`")
        }
        ParseErrorType::DuplicatedProperty(key) => {
            plain(&format!("the key `{key}` is here twice")).hint("remove one of them")
        }
        ParseErrorType::FnDuplicatedParam(_, name) => {
            plain(&format!("the parameter `{name}` is here twice")).hint("give one of them another name")
        }
        ParseErrorType::FnDuplicatedDefinition(name, count) => {
            plain(&format!("there is a function `{name}` with {} already", crate::error::count(*count, "parameter")))
                .hint("give one of them another name")
        }
        _ => foreign(draft, pieces, at).unwrap_or_else(|| expected(draft, pieces, at, error)),
    }
}

/// A word or an operator that the language reserves, or does not know.
fn reserved(draft: &Draft, pieces: &[Piece], at: usize, word: &str) -> Mistake {
    let index = piece_at(pieces, at);
    let before = index.checked_sub(1).map_or("", |before| pieces[before].text.as_str());
    let whole = at..(at + word.len()).min(draft.text.len());
    let swap = |message: String, hint: &str, with: &str| {
        Mistake::new(at, message).hint(hint).repair(Repair::Replace(whole.clone(), with.to_owned()))
    };
    let is_name = matches!(before, "let" | "const" | "fn" | "for" | "|" | "as");
    match word {
        word if before == "." || before == "?." => {
            let mistake = Mistake::new(at, format!("`{word}` is a reserved word"))
                .hint(format!("write `[\"{word}\"]` for `.{word}`"));
            mistake.repair(Repair::Rename(word.to_owned(), format!("{word}_")))
        }
        word if pieces.get(index + 1).is_some_and(|next| next.text == ":") => {
            let mistake = Mistake::new(at, format!("`{word}` is a reserved word"))
                .hint(format!("put it in quotes: `\"{word}\": ...`"));
            mistake.repair(Repair::Rename(word.to_owned(), format!("{word}_")))
        }
        "null" | "nil" | "void" if !is_name => {
            swap(format!("there is no `{word}`"), "the empty value is written `()`", "()")
        }
        "var" => swap("`var` is written `let`".into(), "write `let x = ...;`", "let"),
        "new" if !is_name => swap(
            "there is no `new`".into(),
            "a map is written `#{ ... }`, a list `[...]`; a function is just called",
            " ",
        ),
        "await" | "async" | "go" if !is_name => swap(
            format!("there is no `{word}`"),
            "functions wait by themselves; to wait for a migration: `wait_for(...)`",
            " ",
        ),
        "match" | "case" if !is_name => {
            Mistake::new(at, format!("there is no `{word}`")).hint("write `switch x { 1 => ..., _ => ... }`")
        }
        "use" | "module" | "package" if !is_name => {
            Mistake::new(at, format!("there is no `{word}`")).hint("write `import \"file\" as name;`")
        }
        "exit" if !is_name => {
            Mistake::new(at, "there is no `exit`").hint("`return` ends the runbook, `throw \"why\"` fails it")
        }
        "print" | "debug" | "eval" | "call" | "curry" | "type_of" | "Fn" | "is_shared" | "is_def_var" | "is_def_fn"
            if !is_name =>
        {
            Mistake::new(at, format!("`{word}` is called with brackets")).hint(format!("write `{word}(...)`"))
        }
        "++" | "--" => {
            let sign = &word[..1];
            match counted(draft, at) {
                Some((name, true)) => {
                    swap(format!("there is no `{word}`"), &format!("write `{name} {sign}= 1`"), &format!(" {sign}= 1"))
                }
                Some((name, false)) => {
                    Mistake::new(at, format!("there is no `{word}`")).hint(format!("write `{name} {sign}= 1`"))
                }
                None => Mistake::new(at, format!("there is no `{word}`")).hint(format!("write `x {sign}= 1`")),
            }
        }
        "?" => Mistake::new(at, "there is no `a ? b : c`").hint("write `if a { b } else { c }`"),
        "..." => Mistake::new(at, "there is no `...`").hint("`+` joins lists and maps: `a + b`; a range is `0..3`"),
        "$" => {
            swap("`$` does not belong to a name".into(), "write the name alone; in a text in backticks: `${name}`", " ")
        }
        "#" => Mistake::new(at, "`#` stands alone").hint("a comment begins with `//`, an object map with `#{`"),
        word if word.chars().all(|character| character.is_alphanumeric() || character == '_') => {
            let other = format!("{word}_");
            Mistake::new(at, format!("`{word}` is a reserved word"))
                .hint(format!("choose another name, `{other}` for example"))
                .repair(Repair::Rename(word.to_owned(), other))
        }
        word => swap(format!("`{word}` has no meaning here"), "remove it", " "),
    }
}

/// The mistake for a text that the parser could not even tokenize.
fn input(draft: &Draft, pieces: &[Piece], at: usize, error: &LexError) -> Mistake {
    let index = piece_at(pieces, at);
    let swap = |range: std::ops::Range<usize>, message: &str, hint: &str, with: &str| {
        Mistake::new(range.start, message).hint(hint).repair(Repair::Replace(range, with.to_owned()))
    };
    let sign = |sign: &str| at..(at + sign.len()).min(draft.text.len());
    match error {
        LexError::MalformedChar(_) => {
            if let Some(mistake) = foreign(draft, pieces, at) {
                return mistake;
            }
            let Some(piece) = pieces.get(index).filter(|piece| piece.text.starts_with('\'')) else {
                return Mistake::new(at, "single quotes hold one character").hint("a text needs double quotes");
            };
            let inner = piece.text.trim_matches('\'');
            let inner = inner.replace("\\'", "'").replace('"', "\\\"");
            swap(piece.range.clone(), "single quotes hold one character", &format!("write `\"{inner}\"`"), "\"\"")
        }
        LexError::MalformedEscapeSequence(sequence) => {
            let piece =
                pieces.iter().find(|piece| piece.range.contains(&at.saturating_sub(1)) && piece.kind == Kind::Text);
            let range = piece.map_or(sign(sequence), |piece| piece.range.clone());
            let raw = range.clone();
            let hint = format!("write `\\\\` for a backslash, or a raw text: `#{}#`", &draft.text[raw]);
            let mut mistake = swap(range, &format!("`{sequence}` is not an escape sequence"), &hint, "\"\"");
            mistake.at = at.saturating_sub(sequence.len().saturating_sub(1)).max(mistake.at);
            mistake
        }
        LexError::MalformedNumber(_) => Mistake::new(at, "this is not a number").hint("write `12`, `1.5` or `1_000`"),
        LexError::ImproperSymbol(symbol, _) => match symbol.as_str() {
            "=" => swap(sign("="), "`=` gives a value, `==` compares", "write `a == b`", "=="),
            "===" => swap(sign("==="), "`===` is written `==`", "write `a == b`", "=="),
            "!==" => swap(sign("!=="), "`!==` is written `!=`", "write `a != b`", "!="),
            ":=" => swap(sign(":="), "`:=` is written `=`", "write `let x = ...;`", "="),
            "->" => match foreign(draft, pieces, at) {
                Some(mistake) => mistake,
                None => swap(sign("->"), "`->` has no meaning here", "a field is read with `.`: `a.b`", "."),
            },
            "this" => Mistake::new(at, "`this` is known in functions only").hint("name the variable"),
            other => Mistake::new(at, format!("`{other}` has no meaning here")).hint("remove it"),
        },
        LexError::UnexpectedInput(found) => match foreign(draft, pieces, at) {
            Some(mistake) => mistake,
            None => unexpected(pieces, index, at, found),
        },
        other => Mistake::new(at, lowercase(&other.to_string())),
    }
}

/// A token in place of a value.
fn unexpected(pieces: &[Piece], index: usize, at: usize, found: &str) -> Mistake {
    let before = index.checked_sub(1).map(|before| &pieces[before]);
    let swap = |range: std::ops::Range<usize>, message: &str, hint: &str, with: &str| {
        Mistake::new(range.start, message).hint(hint).repair(Repair::Replace(range, with.to_owned()))
    };
    match (found, before) {
        (">", Some(before)) if matches!(before.text.as_str(), "<" | "<=") && before.range.end == at => {
            let written = format!("{}>", before.text);
            let range = before.range.start..at + 1;
            swap(range, &format!("there is no `{written}`"), "unequal is written `!=`", "!=")
        }
        (",", Some(before)) if matches!(before.text.as_str(), "," | "(" | "[") => {
            Mistake::new(at, "a value is missing before this `,`")
                .hint("remove the `,`")
                .repair(Repair::Blank(at..at + 1))
        }
        ("else" | "catch" | "until", _) => {
            let (owner, what) = match found {
                "else" => ("if", "an `if`"),
                "catch" => ("try", "a `try`"),
                _ => ("do", "a `do`"),
            };
            Mistake::new(at, format!("this `{found}` belongs to no `{owner}`"))
                .hint(format!("it follows right behind the `}}` of {what}"))
        }
        ("fn", _) => Mistake::new(at, "a function inside an expression has no `fn`").hint("write a closure: `|x| ...`"),
        ("&", _) => swap(at..at + 1, "there are no references", "write the name alone", " "),
        (".", _) => swap(at..at, "a number begins with a digit", "write `0.5`", "0"),
        (found, _) if found.chars().any(|letter| letter.is_alphabetic() && !letter.is_ascii()) => {
            Mistake::new(at, format!("`{found}` cannot be part of a name"))
                .hint("names are made of the letters a to z, digits and `_`")
        }
        ("=", Some(before)) if before.text == "=" => swap(
            before.range.start..at + 1,
            "`= =` is not an operator",
            "write `=` to give a value, `==` to compare",
            "=",
        ),
        (found, Some(before)) if matches!(before.kind, Kind::Operator | Kind::Dot | Kind::Colon) => {
            let end = before.range.end;
            let ends = pieces.get(index).is_none_or(|next| next.kind == Kind::Keyword);
            let value = if matches!(before.text.as_str(), "&&" | "||") { " true" } else { " ()" };
            let with = format!("{value}{}", if ends { ";" } else { "" });
            let shown = if found.is_empty() { "the end".to_owned() } else { format!("`{found}`") };
            Mistake::new(before.range.start, format!("a value is missing behind `{}`", before.text))
                .hint(format!("write one before {shown}, or remove the `{}`", before.text))
                .repair(Repair::Replace(end..end, with))
        }
        (found, _) => Mistake::new(at, format!("`{found}` is not expected here"))
            .hint("a value is: a name, a text, a number, a call"),
    }
}

/// The mistake when something is missing before the parser's position.
fn expected(draft: &Draft, pieces: &[Piece], at: usize, error: &ParseErrorType) -> Mistake {
    let index = piece_at(pieces, at);
    let before = index.checked_sub(1).map(|before| &pieces[before]);
    let next = pieces.get(index);
    let next_text = next.map_or("", |next| next.text.as_str());
    let behind = before.map_or(at, |before| before.range.end);
    if let Some(mistake) = duration(before, next, at) {
        return mistake;
    }
    let add = |message: &str, hint: &str, what: &str| {
        let mistake = Mistake::new(behind, message).hint(hint);
        mistake.repair(Repair::Replace(behind..behind, what.to_owned()))
    };
    match error {
        ParseErrorType::UnexpectedEOF => Mistake::new(at, "the script ends too early").hint("the rest is missing"),
        // A field with that name: the language takes it for the word before `fn`.
        ParseErrorType::MissingToken(..) | ParseErrorType::PropertyExpected if next_text == "private" => {
            Mistake::new(at, "`private` is a reserved word").hint("put it in quotes: `\"private\": ...`")
        }
        ParseErrorType::MissingToken(token, why) => match token.as_str() {
            ";" => semicolon(draft, pieces, index, at),
            "," => match next_text {
                ":" | "=" if why.contains("arguments") => {
                    let name = before.map_or("key", |before| before.text.as_str());
                    Mistake::new(at, "arguments have no names")
                        .hint(format!("options are an object map: `#{{ {name}: ... }}`"))
                }
                _ if why.contains("anonymous") => closure_parameters(at),
                ":" if why.contains("parameters") => parameter_type(pieces, index),
                _ => {
                    let what = if why.contains("switch") {
                        "cases of a `switch`"
                    } else if why.contains("object map") {
                        "keys of an object map"
                    } else if why.contains("array") {
                        "items of a list"
                    } else if why.contains("parameter") {
                        "parameters"
                    } else {
                        "arguments"
                    };
                    add("a `,` is missing here", &format!("{what} are separated by `,`"), ",")
                }
            },
            "}" if next_text == ";" => Mistake::new(at, "keys of an object map are separated by `,`")
                .hint("write `,` in place of `;`")
                .repair(Repair::Replace(at..at + 1, ",".into())),
            "}" if why.contains("object map") => {
                add("a `,` is missing here", "keys of an object map are separated by `,`", ",")
            }
            "|" => closure_parameters(at),
            ":" => {
                let key = before.map_or("key", |before| before.text.as_str());
                let hint = format!("write `{key}: ...`");
                match next_text {
                    "=" | "=>" => Mistake::new(at, "a key is followed by `:`")
                        .hint(hint)
                        .repair(Repair::Replace(at..at + next_text.len(), ":".into())),
                    _ => add(&format!("a `:` is missing behind the key {}", shown(key)), &hint, ": "),
                }
            }
            "{" => {
                let hint = match next_text {
                    ":" => "write `{ ... }` in place of `:`",
                    _ => "the body needs braces, even if it is one statement: `if x { ... }`",
                };
                Mistake::new(at, "a block in braces is missing here").hint(hint)
            }
            "in" => Mistake::new(at, "`in` is missing here").hint("write `for vm in vms { ... }`"),
            "=>" => Mistake::new(at, "a case is followed by `=>`").hint("write `switch x { 1 => ..., _ => ... }`"),
            "while" => {
                Mistake::new(behind, "`do` needs its condition").hint("write `do { ... } while x;`, or `loop { ... }`")
            }
            "catch" => Mistake::new(behind, "`try` needs a `catch`").hint("write `try { ... } catch (e) { ... }`"),
            "(" => Mistake::new(at, "brackets are missing here")
                .hint("a function is called with brackets: `f(...)`; \"not\" is written `!x`"),
            token => Mistake::new(at, format!("expected `{token}` {why}")),
        },
        ParseErrorType::ExprExpected(_) if next_text == "case" => {
            Mistake::new(at, "there is no `case`").hint("write `switch x { 1 => ..., _ => ... }`")
        }
        ParseErrorType::VariableExpected => match next {
            Some(next) if next.kind == Kind::Keyword || next.kind == Kind::Word => {
                Mistake::new(at, format!("`{}` is a word of the language", next.text)).hint("choose another name")
            }
            Some(next) if next.kind == Kind::Number => {
                Mistake::new(at, "a name begins with a letter or `_`").hint("choose another name")
            }
            Some(next) if next.kind == Kind::Text => Mistake::new(at, "a name has no quotes")
                .hint(format!("write `{}`", next.text.trim_matches(['"', '`', '\'']))),
            _ if before.is_some_and(|before| matches!(before.text.as_str(), "for" | "let")) && next_text == "[" => {
                Mistake::new(at, "one name stands here").hint(match before.map(|before| before.text.as_str()) {
                    Some("for") => "write `for key in map.keys() { ... map[key] ... }`, or `for (item, index) in list`",
                    _ => "take the parts one by one: `let first = list[0];`",
                })
            }
            _ => Mistake::new(at, "a name is missing here").hint("write `let name = ...;`"),
        },
        ParseErrorType::PropertyExpected => {
            let dot = before.map_or(at, |before| before.range.start);
            Mistake::new(dot, "the name of a field is missing behind `.`")
                .hint("a field is read with `a.b`, an item of a list with `a[0]`")
        }
        ParseErrorType::FnMissingBody(name) => {
            Mistake::new(at, format!("the function `{name}` needs a block in braces"))
                .hint(format!("write `fn {name}(...) {{ ... }}`"))
        }
        ParseErrorType::FnMissingParams(name) => {
            Mistake::new(at, format!("the function `{name}` needs its parameters in brackets"))
                .hint(format!("write `fn {name}() {{ ... }}`, even if there are none"))
        }
        ParseErrorType::MismatchedType(wanted, found) => {
            let wanted = if wanted.contains("boolean") { "true or false" } else { wanted };
            Mistake::new(at, format!("{wanted} is wanted here, not {found}")).hint("compare it: `x == y`")
        }
        ParseErrorType::FnMissingName => {
            Mistake::new(at, "the function has no name").hint("write `fn name(...) { ... }`, or a closure: `|x| ...`")
        }
        other => Mistake::new(at, lowercase(&other.to_string())),
    }
}

/// The mistake when a statement should have ended.
fn semicolon(draft: &Draft, pieces: &[Piece], index: usize, at: usize) -> Mistake {
    let (Some(before), Some(next)) = (index.checked_sub(1).map(|before| &pieces[before]), pieces.get(index)) else {
        return Mistake::new(at, "a `;` is missing here").hint("a statement ends with `;`");
    };
    let behind = before.range.end;
    let missing = |hint: &str| {
        Mistake::new(behind, "a `;` is missing here").hint(hint).repair(Repair::Replace(behind..behind, ";".into()))
    };
    let begins = matches!(next.kind, Kind::Word | Kind::Keyword)
        && pieces.get(index + 1).is_some_and(|second| matches!(second.text.as_str(), "(" | "=" | "." | "+=" | "-="));
    let keyword = next.kind == Kind::Keyword && !matches!(next.text.as_str(), "in" | "as" | "else" | "catch");
    if draft.breaks(behind, next.range.start) || begins || keyword {
        let line = draft.place(behind).0;
        return missing(&format!("end the statement of line {line} with `;`"));
    }
    if next.text == "," && around(pieces, index).is_none() {
        return Mistake::new(at, "`,` is not expected here")
            .hint("a statement ends with `;`")
            .repair(Repair::Blank(next.range.clone()));
    }
    if before.kind == Kind::Text || next.kind == Kind::Text {
        let hint = format!("join texts with `+`, or put the value into one: {}", ticked("text ${value}"));
        return Mistake::new(next.range.start, format!("{} is not expected here", shown(&next.text))).hint(hint);
    }
    let hint = if is_value(before) && is_value(next) {
        "an operator is missing, or a `;` that ends the statement"
    } else {
        "is a `;` missing before it?"
    };
    Mistake::new(next.range.start, format!("{} is not expected here", shown(&next.text))).hint(hint)
}

/// `|a, b` without its end.
fn closure_parameters(at: usize) -> Mistake {
    Mistake::new(at, "the parameters of a closure end with `|`").hint("write `|a, b| ...`")
}

/// `10m`, without quotes.
fn duration(before: Option<&Piece>, next: Option<&Piece>, at: usize) -> Option<Mistake> {
    let next = next?;
    let unit = next.text.trim_start_matches(|character: char| character.is_ascii_digit());
    let (range, number) = match before {
        Some(before) if before.kind == Kind::Number && before.range.end == next.range.start => {
            (before.range.start..next.range.end, format!("{}{}", before.text, next.text))
        }
        _ if next.kind == Kind::Number && next.range.start < at => (next.range.clone(), next.text.clone()),
        _ => return None,
    };
    let hint = match unit {
        "ms" | "s" | "m" | "min" | "h" | "d" | "w" => format!("a duration is a text: `\"{number}\"`"),
        _ => "a name begins with a letter or `_`, a text needs quotes".to_owned(),
    };
    let mistake = Mistake::new(range.start, format!("`{number}` is not a number")).hint(hint);
    Some(mistake.repair(Repair::Replace(range, "1".into())))
}

/// `fn f(a: int)`.
fn parameter_type(pieces: &[Piece], index: usize) -> Mistake {
    let begin = pieces[index].range.start;
    let end = pieces[index..]
        .iter()
        .find(|piece| matches!(piece.text.as_str(), "," | ")" | "|"))
        .map_or(pieces[index].range.end, |piece| piece.range.start);
    Mistake::new(begin, "a parameter has no type").hint("write the name alone").repair(Repair::Blank(begin..end))
}

/// A token of the text in backticks, unless it is long or has some itself.
fn shown(text: &str) -> String {
    match text {
        text if text.contains(['`', '\n']) || text.chars().count() > 30 || text.starts_with('"') => {
            "this text".to_owned()
        }
        text => format!("`{text}`"),
    }
}

/// The first letter in lower case, unless the word is a name.
fn lowercase(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().collect::<String>() + characters.as_str()
        }
        _ => text.to_owned(),
    }
}
