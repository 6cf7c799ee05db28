//! YAML with every scalar as it is written: an id of digits is not a number, and a password is not a date.
//!
//! Built on `saphyr-parser`'s events, since every reader into values decides what looks like a number.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

/// No settings file is deeper than this.
const DEEPEST: usize = 64;

/// A value of a file. The target of an alias is shared, so that a few lines cannot become gigabytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
}

pub(super) type Node = Rc<Value>;

/// A position that is not YAML. It does not include the text there, which may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    line: usize,
    column: usize,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Syntax,
    /// A tab where blanks indent.
    Tab,
    /// Another document begins, which would be ignored.
    Document,
}

impl Value {
    /// A field of a map, written with underscores or with hyphens.
    pub fn field(&self, name: &str) -> Option<&Node> {
        let Value::Map(fields) = self else { return None };
        fields.get(name).or_else(|| fields.get(name.replace('_', "-").as_str()))
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Document => write!(f, "holds a second document, which begins in line {}", self.line),
            Why::Syntax | Why::Tab => write!(f, "is not valid YAML at line {}, column {}", self.line, self.column),
        }
    }
}

/// A list or a map that is not closed yet, with the number of its anchor.
enum Open {
    List(usize, Vec<Node>),
    Map { anchor: usize, fields: BTreeMap<String, Node>, merged: Vec<Node>, key: Option<Key> },
}

enum Key {
    Name(String),
    /// `<<`: the fields of another map.
    Merge,
    /// A key that is a list or a map, which no setting has.
    Odd,
}

/// Parses the document of a text.
pub(super) fn parse(text: &str) -> Result<Node, Broken> {
    let mut anchors: BTreeMap<usize, Node> = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    let mut whole: Option<Node> = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Broken::at(error.marker()).in_text(text))?;
        let broken = || Broken::at(&span.start);
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, _) => (anchor, scalar(&text, style)),
            Event::SequenceStart(anchor, _) if open.len() < DEEPEST => {
                open.push(Open::List(anchor, Vec::new()));
                continue;
            }
            Event::MappingStart(anchor, _) if open.len() < DEEPEST => {
                open.push(Open::Map { anchor, fields: BTreeMap::new(), merged: Vec::new(), key: None });
                continue;
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => return Err(broken()),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(anchor, items)) => (anchor, Value::List(items)),
                Some(Open::Map { anchor, fields, merged, .. }) => (anchor, Value::Map(with(fields, &merged))),
                None => return Err(broken()),
            },
            Event::Alias(anchor) => {
                let node = anchors.get(&anchor).cloned().ok_or_else(broken)?;
                add(&mut open, node);
                continue;
            }
            Event::DocumentStart(_) if whole.is_some() => return Err(Broken { why: Why::Document, ..broken() }),
            _ => continue,
        };
        let node = Rc::new(value);
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        if open.is_empty() {
            whole = Some(node);
            continue;
        }
        add(&mut open, node);
    }
    Ok(whole.unwrap_or_else(|| Rc::new(Value::Null)))
}

impl Broken {
    fn at(marker: &Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1, why: Why::Syntax }
    }

    fn in_text(self, text: &str) -> Self {
        let line = text.lines().nth(self.line.saturating_sub(1)).unwrap_or_default();
        let tab = line.trim_start_matches(' ').starts_with('\t');
        Self { why: if tab { Why::Tab } else { self.why }, ..self }
    }

    /// The advice for a person.
    pub fn hint(&self) -> &'static str {
        match self.why {
            Why::Syntax => "the text there is not shown, since it may be a secret",
            Why::Tab => "that line begins with a tab: YAML is indented with blanks",
            Why::Document => "put all clouds below one `clouds:`, without a line `---` between",
        }
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let plain = matches!(style, ScalarStyle::Plain);
    if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        Value::Null
    } else {
        Value::Text(text.to_owned())
    }
}

fn add(open: &mut [Open], node: Node) {
    match open.last_mut() {
        Some(Open::List(_, items)) => items.push(node),
        Some(Open::Map { fields, merged, key, .. }) => match key.take() {
            None => {
                *key = Some(match node.text() {
                    Some("<<") => Key::Merge,
                    Some(name) => Key::Name(name.to_owned()),
                    None => Key::Odd,
                });
            }
            Some(Key::Name(name)) => drop(fields.insert(name, node)),
            Some(Key::Merge) => match &*node {
                Value::List(several) => merged.extend(several.iter().cloned()),
                _ => merged.push(node),
            },
            Some(Key::Odd) => {}
        },
        None => {}
    }
}

/// A map with the fields of others that it lacks; the first of them counts.
fn with(mut fields: BTreeMap<String, Node>, merged: &[Node]) -> BTreeMap<String, Node> {
    for other in merged {
        if let Value::Map(others) = &**other {
            for (name, node) in others {
                fields.entry(name.clone()).or_insert_with(|| node.clone());
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value in one line, texts in quotes.
    fn shown(value: &Value) -> String {
        match value {
            Value::Null => "-".to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(items) => format!("[{}]", items.iter().map(|item| shown(item)).collect::<Vec<_>>().join(" ")),
            Value::Map(fields) => {
                let field = |(name, node): (&String, &Node)| format!("{name}={}", shown(node));
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(" "))
            }
        }
    }

    fn read(text: &str) -> String {
        shown(&parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}")))
    }

    #[test]
    fn scalars_are_texts_as_they_are_written() {
        for text in
            ["0x1F", "0123", "1e3", "1.50", "98765432109876543210987", "yes", "2024-01-01", "12:30", ".inf", "+7"]
        {
            assert_eq!(read(&format!("a: {text}")), format!("{{a={text:?}}}"));
        }
        assert_eq!(read("00167923083890000000000000000e31"), "\"00167923083890000000000000000e31\"");
        assert_eq!(read("[~, null, '', \"null\", 'it''s', \"\\u00fc\", a b]"), r#"[- - "" "null" "it's" "ü" "a b"]"#);
        assert_eq!(read("{\"json\": [1, true, null]}"), r#"{json=["1" "true" -]}"#);
        assert_eq!((read(""), read("# nothing\n"), read("---\n")), ("-".into(), "-".into(), "-".into()));
    }

    #[test]
    fn anchors_and_merges_are_followed() {
        let text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\none: {<<: *b, y: 9}\ntwo: {<<: [*m, *b]}\nref: *b\n";
        assert_eq!(
            read(text),
            r#"{base={x="1" y="2"} more={y="3" z="4"} one={x="1" y="9"} ref={x="1" y="2"} two={x="1" y="3" z="4"}}"#
        );
    }

    #[test]
    fn what_is_no_yaml_is_told_by_its_place_alone() {
        let complaint = |text: &str| parse(text).expect_err("no YAML").to_string();
        assert!(complaint("clouds:\n  a: {password: s3cret").starts_with("is not valid YAML at line "));
        assert!(!complaint("password: \"s3cret\nx: [").contains("s3cret"));
        assert!(complaint("a: *nobody").starts_with("is not valid YAML at line 1"));
        assert!(complaint(&"[".repeat(20_000)).starts_with("is not valid YAML"));
        assert!(complaint(&"- ".repeat(20_000)).starts_with("is not valid YAML"));
        assert!(complaint("a: &a [*a]").starts_with("is not valid YAML"));
        assert_eq!(complaint("a: b\n---\nc: d\n"), "holds a second document, which begins in line 2");
        assert_eq!(read("%YAML 1.1\n---\na: b\n...\n"), "{a=\"b\"}");
        assert_eq!(parse("a:\n\tb: c\n").map_err(|broken| broken.why), Err(Why::Tab));
    }

    #[test]
    fn aliases_of_aliases_take_no_room() {
        let mut text = "a0: &a0 [x, x]\n".to_owned();
        for level in 1..40 {
            text.push_str(&format!("a{level}: &a{level} [*a{}, *a{}]\n", level - 1, level - 1));
        }
        assert!(parse(&text).is_ok());
    }
}
