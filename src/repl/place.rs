//! The cursor's place in a statement, and the thing that is wanted there: a function, an option key, a value of an
//! argument, a field. Pure.

use super::lexer::{Kind, Lexed, Token, is_word, lex};

/// The place of the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The start of the word being typed; a choice replaces the word.
    pub begin: usize,
    /// The word so far.
    pub typed: String,
    pub wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A command of the prompt, behind its `:`.
    Command,
    /// The operand of a command.
    Operand {
        command: String,
    },
    /// The topic of help.
    Topic,
    /// An expression, and the argument that it is part of, if any.
    Value(Option<Argument>),
    /// The inside of a text, and its opening quote.
    Text(Option<Argument>, char),
    /// A key of an object map.
    Key(Option<Argument>),
    /// The same, begun with a quote.
    QuotedKey(Option<Argument>, char),
    /// A field of the value before the dot.
    Field {
        of: Vec<Link>,
    },
    Nothing,
}

/// A place inside the arguments of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Argument {
    pub function: String,
    /// From 0; the object of a method call is the first.
    pub index: usize,
    /// The texts of the arguments before it, as written.
    pub before: Vec<String>,
    /// The object maps and lists around the place, outermost first.
    pub inside: Vec<Inside>,
}

/// An object map or a list around a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inside {
    /// The key that the place belongs to (`None` if a key is wanted), and the other keys with their values as written.
    Map {
        key: Option<String>,
        others: Vec<(String, String)>,
    },
    List,
}

/// A step towards a value: `a`, `.b`, `[0]`, `["c"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    Name(String),
    Field(String),
    Index(i64),
    /// A call: its result is unknown before it is made, but its function tells a little.
    Call(String),
}

/// An open bracket on the way to the cursor.
struct Frame {
    kind: Bracket,
    /// The start of the text of the current argument, element or value.
    begin: usize,
    /// The complete arguments, or the complete keys with their values.
    done: Vec<(String, String)>,
    /// The key whose value comes next.
    key: Option<String>,
    /// Inside the parameters of a closure.
    bars: bool,
}

enum Bracket {
    Call {
        function: String,
        method: bool,
    },
    Map,
    List,
    /// A block, a condition, an index.
    Other,
}

/// The place of the byte `cursor` in `text`.
pub fn at(text: &str, cursor: usize) -> Context {
    let before = &text[..cursor];
    if let Some(place) = of_prompt(before) {
        return place;
    }
    let Lexed { tokens, .. } = lex(before);
    let nothing = |begin: usize| Context { begin, typed: before[begin..].to_owned(), wanted: Wanted::Nothing };
    let (typed, earlier) = match tokens.split_last() {
        Some((last, earlier)) if last.range.end == cursor => match last.kind {
            Kind::Word | Kind::Keyword => (Some(last), earlier),
            Kind::Text if !is_closed(&before[last.range.clone()]) => (Some(last), earlier),
            Kind::Comment | Kind::Number => return nothing(last.range.start),
            _ => (None, &tokens[..]),
        },
        _ => (None, &tokens[..]),
    };
    if earlier.last().is_some_and(|last| {
        last.kind == Kind::Comment
            && before[last.range.clone()].starts_with("//")
            && !before[last.range.end..].contains('\n')
    }) {
        return nothing(cursor);
    }
    let begin = typed.map_or(cursor, |token| token.range.start);
    let frames = frames(before, earlier);
    if let Some(last) =
        earlier.last().filter(|last| last.kind == Kind::Dot && typed.is_none_or(|word| word.kind != Kind::Text))
    {
        let of = chain(before, &earlier[..earlier.len() - 1]);
        let begin = if typed.is_some() { begin } else { last.range.end };
        return Context { begin, typed: before[begin..].trim_start().to_owned(), wanted: Wanted::Field { of } };
    }
    let wants_key = frames.last().is_some_and(|frame| matches!(frame.kind, Bracket::Map) && frame.key.is_none());
    let argument = argument(before, &frames);
    if let Some(token) = typed.filter(|token| token.kind == Kind::Text) {
        let quote = before[token.range.clone()].chars().next().unwrap_or('"');
        // An interpolation in a text in backticks ended just before.
        let inside = if matches!(quote, '"' | '`' | '\'') { begin + 1 } else { begin };
        let wanted = if wants_key { Wanted::QuotedKey(argument, quote) } else { Wanted::Text(argument, quote) };
        return Context { begin: inside, typed: before[inside..].to_owned(), wanted };
    }
    let wanted = match earlier.last() {
        _ if wants_key => Wanted::Key(argument),
        Some(last) if matches!(&before[last.range.clone()], "let" | "const" | "fn" | "as" | "for") => Wanted::Nothing,
        Some(last) if last.kind == Kind::Keyword && matches!(&before[last.range.clone()], "import") => Wanted::Nothing,
        _ => Wanted::Value(argument),
    };
    Context { begin, typed: before[begin..].to_owned(), wanted }
}

/// The innermost call around the cursor: its function, and the index of the argument at the cursor.
pub fn call(text: &str, cursor: usize) -> Option<(String, usize)> {
    let before = &text[..cursor];
    let Lexed { tokens, .. } = lex(before);
    let frames = frames(before, &tokens);
    let last = frames.last()?;
    match &last.kind {
        Bracket::Call { function, method } => Some((function.clone(), last.done.len() + usize::from(*method))),
        _ => None,
    }
}

/// `:comm`, `:save fi`, `?wav`, `help(wav`.
fn of_prompt(before: &str) -> Option<Context> {
    let spaces = before.len() - before.trim_start().len();
    let rest = &before[spaces..];
    if let Some(command) = rest.strip_prefix(':') {
        return Some(match command.split_once(' ') {
            None => Context { begin: spaces + 1, typed: command.to_owned(), wanted: Wanted::Command },
            Some((command, operand)) => {
                let typed = operand.trim_start().to_owned();
                let begin = before.len() - typed.len();
                Context { begin, typed, wanted: Wanted::Operand { command: command.to_owned() } }
            }
        });
    }
    let topic = rest.strip_prefix('?').or_else(|| rest.strip_prefix("help("))?;
    let typed = topic.trim_start_matches(['"', ' ']);
    let only = typed.chars().all(is_word);
    only.then(|| Context { begin: before.len() - typed.len(), typed: typed.to_owned(), wanted: Wanted::Topic })
}

/// True if a piece of text ends with its quote.
fn is_closed(piece: &str) -> bool {
    let mut characters = piece.chars();
    match characters.next() {
        Some(quote @ ('"' | '\'')) => {
            let mut escaped = false;
            for character in characters {
                match character {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    _ if character == quote => return true,
                    _ => {}
                }
            }
            false
        }
        Some('#') => piece.len() > 2 && piece.ends_with('#'),
        _ => piece.len() > 1 && piece.ends_with('`') || (!piece.starts_with('`') && piece.ends_with('`')),
    }
}

fn frames(text: &str, tokens: &[Token]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let word = &text[token.range.clone()];
        let before = index.checked_sub(1).map(|before| &tokens[before]);
        match token.kind {
            Kind::Open => frames.push(Frame {
                kind: bracket(text, word, &tokens[..index]),
                begin: token.range.end,
                done: Vec::new(),
                key: None,
                bars: false,
            }),
            Kind::Close => drop(frames.pop()),
            Kind::Comma => {
                if let Some(frame) = frames.last_mut().filter(|frame| !frame.bars) {
                    let value = text[frame.begin..token.range.start].trim().to_owned();
                    frame.done.push((frame.key.take().unwrap_or_default(), value));
                    frame.begin = token.range.end;
                }
            }
            Kind::Colon => {
                if let (Some(frame), Some(name)) = (frames.last_mut(), before)
                    && matches!(frame.kind, Bracket::Map)
                    && frame.key.is_none()
                {
                    frame.key = Some(text[name.range.clone()].trim_matches('"').to_owned());
                    frame.begin = token.range.end;
                }
            }
            Kind::Operator if word == "|" => {
                // Bars around the parameters of a closure, where a value is expected.
                if let Some(frame) = frames.last_mut() {
                    let expects = before.is_none_or(|before| {
                        matches!(before.kind, Kind::Open | Kind::Comma | Kind::Colon | Kind::Operator)
                    });
                    frame.bars = !frame.bars && expects;
                }
            }
            _ => {}
        }
    }
    frames
}

fn bracket(text: &str, word: &str, before: &[Token]) -> Bracket {
    let value_ends = before.last().is_some_and(|last| matches!(last.kind, Kind::Word | Kind::Close | Kind::Text));
    match word {
        "#{" => Bracket::Map,
        "[" if !value_ends => Bracket::List,
        "(" => match before {
            [.., dot, name] if name.kind == Kind::Word => {
                let (function, method) = (text[name.range.clone()].to_owned(), dot.kind == Kind::Dot);
                Bracket::Call { function, method }
            }
            [name] if name.kind == Kind::Word => {
                Bracket::Call { function: text[name.range.clone()].to_owned(), method: false }
            }
            _ => Bracket::Other,
        },
        _ => Bracket::Other,
    }
}

/// The innermost call whose argument holds the cursor with only object maps and lists in between.
fn argument(text: &str, frames: &[Frame]) -> Option<Argument> {
    let call = frames.iter().rposition(|frame| !matches!(frame.kind, Bracket::Map | Bracket::List))?;
    let Bracket::Call { function, method } = &frames[call].kind else { return None };
    let inside = frames[call + 1..]
        .iter()
        .map(|frame| match frame.kind {
            Bracket::Map => Inside::Map { key: frame.key.clone(), others: frame.done.clone() },
            _ => Inside::List,
        })
        .collect();
    let mut before: Vec<String> = frames[call].done.iter().map(|(_, value)| value.clone()).collect();
    if *method {
        before.insert(0, receiver(text, frames[call].begin).unwrap_or_default());
    }
    Some(Argument { function: function.clone(), index: before.len(), before, inside })
}

/// The object of a method call, if it is a plain name: the text before `.method(`.
fn receiver(text: &str, begin: usize) -> Option<String> {
    let (value, _) = text[..begin].rsplit_once('.')?;
    let name = value.rsplit(|character: char| !is_word(character)).next()?;
    Some(name.to_owned())
}

/// The value at the end of these tokens: names, fields, and indices with numbers and texts.
fn chain(text: &str, tokens: &[Token]) -> Vec<Link> {
    let mut links = Vec::new();
    let mut rest = tokens;
    while let Some((last, before)) = rest.split_last() {
        let word = &text[last.range.clone()];
        match last.kind {
            Kind::Word => {
                if before.last().is_some_and(|dot| dot.kind == Kind::Dot) {
                    links.push(Link::Field(word.to_owned()));
                    rest = &before[..before.len() - 1];
                    continue;
                }
                links.push(Link::Name(word.to_owned()));
                break;
            }
            Kind::Close => {
                let Some(open) = opening(text, before) else { return Vec::new() };
                let inner = &before[open + 1..];
                match (&text[before[open].range.clone()], inner) {
                    ("[", [index]) => {
                        let index = &text[index.range.clone()];
                        let link = match index.parse() {
                            Ok(number) => Link::Index(number),
                            Err(_) if index.starts_with('"') => Link::Field(index.trim_matches('"').to_owned()),
                            // Any element has the same fields.
                            Err(_) => Link::Index(0),
                        };
                        links.push(link);
                        rest = &before[..open];
                    }
                    ("[", _) => {
                        links.push(Link::Index(0));
                        rest = &before[..open];
                    }
                    ("(", _) if open > 0 && before[open - 1].kind == Kind::Word => {
                        links.push(Link::Call(text[before[open - 1].range.clone()].to_owned()));
                        break;
                    }
                    _ => return Vec::new(),
                }
            }
            _ => return Vec::new(),
        }
    }
    links.reverse();
    links
}

/// The position of the bracket that the token behind `before` closes.
fn opening(_: &str, before: &[Token]) -> Option<usize> {
    let mut depth = 0;
    for (index, token) in before.iter().enumerate().rev() {
        match token.kind {
            Kind::Close => depth += 1,
            Kind::Open if depth == 0 => return Some(index),
            Kind::Open => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of `^`.
    fn place(text: &str) -> Context {
        let cursor = text.find('^').expect("a cursor");
        at(&text.replace('^', ""), cursor)
    }

    fn argument(function: &str, before: &[&str], inside: Vec<Inside>) -> Option<Argument> {
        let before: Vec<String> = before.iter().map(|text| (*text).to_owned()).collect();
        Some(Argument { function: function.into(), index: before.len(), before, inside })
    }

    fn map(key: Option<&str>, others: &[(&str, &str)]) -> Inside {
        let others = others.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Inside::Map { key: key.map(str::to_owned), others }
    }

    #[test]
    fn words_of_the_prompt() {
        assert_eq!(place(":sa^").wanted, Wanted::Command);
        assert_eq!(place(":save wa^").wanted, Wanted::Operand { command: "save".into() });
        assert_eq!((place("?repl^").wanted, place("?repl^").begin), (Wanted::Topic, 1));
        assert_eq!(place("help(repl^").wanted, Wanted::Topic);
        assert_eq!(place("help(\"repl^").typed, "repl");
    }

    #[test]
    fn functions_and_arguments() {
        assert_eq!(place("endp^"), Context { begin: 0, typed: "endp".into(), wanted: Wanted::Value(None) });
        assert_eq!(place("let e = ^").wanted, Wanted::Value(None));
        assert_eq!(place("let e^").wanted, Wanted::Nothing);
        assert_eq!(place("replica_of(^").wanted, Wanted::Value(argument("replica_of", &[], vec![])));
        assert_eq!(
            place("endpoint_instance_show(\"vcenter\", \"we^").wanted,
            Wanted::Text(argument("endpoint_instance_show", &["\"vcenter\""], vec![]), '"')
        );
        assert_eq!(
            place("wave(\"a\", vms, #{ limit: 2 }, |vm, x| { let r = replica_of(^").wanted,
            Wanted::Value(argument("replica_of", &[], vec![]))
        );
        assert_eq!(place("wave(\"a\", vms, |vm| { ^").wanted, Wanted::Value(None));
        assert_eq!(
            place("wave(\"a\", f(1, 2), |a, b| a, ^").wanted,
            Wanted::Value(argument("wave", &["\"a\"", "f(1, 2)", "|a, b| a"], vec![]))
        );
        assert_eq!(
            place("to.endpoint_instance_list(^").wanted,
            Wanted::Value(argument("endpoint_instance_list", &["to"], vec![]))
        );
        assert_eq!(place("(1 + ^").wanted, Wanted::Value(None));
        assert_eq!(place("x // comment ^").wanted, Wanted::Nothing);
    }

    #[test]
    fn keys_at_any_depth() {
        assert_eq!(
            place("replica_create(#{ ori^").wanted,
            Wanted::Key(argument("replica_create", &[], vec![map(None, &[])]))
        );
        assert_eq!(
            place("replica_create(#{ origin_endpoint: \"vcenter\", instances: [\"a\", \"b^").wanted,
            Wanted::Text(
                argument(
                    "replica_create",
                    &[],
                    vec![map(Some("instances"), &[("origin_endpoint", "\"vcenter\"")]), Inside::List]
                ),
                '"'
            )
        );
        assert_eq!(
            place("replica_create(#{ a: 1, storage_mappings: #{ default: \"x\", ^").wanted,
            Wanted::Key(argument(
                "replica_create",
                &[],
                vec![map(Some("storage_mappings"), &[("a", "1")]), map(None, &[("default", "\"x\"")])]
            ))
        );
        assert_eq!(
            place("f(#{ network_map: #{ \"VM N^").wanted,
            Wanted::QuotedKey(argument("f", &[], vec![map(Some("network_map"), &[]), map(None, &[])]), '"')
        );
        assert_eq!(place("let x = #{ a^").wanted, Wanted::Key(None));
    }

    #[test]
    fn fields() {
        let of = |text: &str| match place(text).wanted {
            Wanted::Field { of } => of,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(of("r.^"), [Link::Name("r".into())]);
        assert_eq!(of("f(vms[0].sta^"), [Link::Name("vms".into()), Link::Index(0)]);
        assert_eq!(
            of("a.b[\"c d\"].e.^"),
            [Link::Name("a".into()), Link::Field("b".into()), Link::Field("c d".into()), Link::Field("e".into())]
        );
        assert_eq!(of("`${r.^"), [Link::Name("r".into())]);
        assert_eq!(of("endpoint_list()[0].^"), [Link::Call("endpoint_list".into()), Link::Index(0)]);
        assert_eq!(of("(1 + 2).^"), []);
        assert_eq!((place("r.sta^").begin, place("r.sta^").typed), (2, "sta".into()));
    }

    #[test]
    fn the_call_around_the_cursor_is_known_for_hints() {
        let at = |text: &str| call(text, text.len());
        assert_eq!(at("replica_create("), Some(("replica_create".into(), 0)));
        assert_eq!(at("wave(\"a\", x, "), Some(("wave".into(), 2)));
        assert_eq!(at("r.replica_sync("), Some(("replica_sync".into(), 1)));
        assert_eq!(at("f(#{ a: "), None);
        assert_eq!(at("f(1)"), None);
    }

    mod properties {
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn every_cursor_has_a_place(text in "[a-z\"'`#{}()\\[\\]$/*.,:|\\\\\n é1]{0,30}", at in 0usize..30) {
                let cursor = text.char_indices().map(|(index, _)| index).chain([text.len()]).nth(at).unwrap_or(text.len());
                let place = super::super::at(&text, cursor);
                prop_assert!(place.begin <= cursor && text.is_char_boundary(place.begin));
            }
        }
    }
}
