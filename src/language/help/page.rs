//! Everything about one function, for a screen.

use crate::language::help::layout::{code, entry, paragraph};
use crate::language::help::signature_line;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{Key, Kind, Noun, Parameter, Spec};

/// The column of the texts.
const COLUMN: usize = 28;
const FACTS: usize = 11;

/// The page of a function under the name that was asked for.
pub fn page(row: &Spec, name: &str, width: usize) -> String {
    let mut lines = vec![signature_line(row, name)];
    lines.extend(paragraph(row.summary, 2, width));
    lines.push(String::new());
    for parameter in row.parameters {
        lines.extend(parameter_lines(parameter, width));
    }
    if !row.parameters.is_empty() {
        lines.push(String::new());
    }
    let mut fact = |name: &str, text: &str| lines.extend(entry(name, text, (0, FACTS), width));
    fact("Returns", &format!("{}.", row.returns));
    fact("Effect", &format!("{}.", row.effect.word()));
    for (index, line) in sends_lines(row.sends).into_iter().enumerate() {
        fact(if index == 0 { "Sends" } else { "" }, &line);
    }
    let others: Vec<String> = row.names().into_iter().filter(|other| other != name).collect();
    if !others.is_empty() {
        fact("Also", &format!("{}.", others.join(", ")));
    }
    lines.push(String::new());
    lines.push("Example".to_owned());
    lines.extend(code(&row.whole_example(), 2, width));
    lines.join("\n")
}

/// The requests, each with its way of repeating; a way shared by all of them is said once.
fn sends_lines(sends: &[Sends]) -> Vec<String> {
    let crash = |again: Again| format!("After a crash, {}.", again.sentence());
    let ways: Vec<Again> = sends.iter().filter_map(|sends| sends.again).collect();
    let same = ways.first().copied().filter(|first| ways.iter().all(|way| way == first));
    let each = |sends: &Sends| {
        let own = sends.again.filter(|_| same.is_none()).map(crash);
        requests(sends).into_iter().chain(own)
    };
    sends.iter().flat_map(each).chain(same.map(crash)).collect()
}

/// A request in the form of each generation.
fn requests(sends: &Sends) -> Vec<String> {
    let whom = sends.whom().map(|whom| format!(" to {whom}")).unwrap_or_default();
    let when = if sends.when.is_empty() { String::new() } else { format!(", {}", sends.when) };
    let requests = match (sends.current, sends.legacy) {
        (Some(current), Some(legacy)) if current == legacy => vec![current.to_owned()],
        (current, legacy) => {
            let only = if current.is_none() || legacy.is_none() { " servers only" } else { "" };
            let current = current.map(|request| format!("{request} (current{only})"));
            current.into_iter().chain(legacy.map(|request| format!("{request} (legacy{only})"))).collect()
        }
    };
    requests.into_iter().map(|request| format!("{request}{whom}{when}")).collect()
}

fn parameter_lines(parameter: &Parameter, width: usize) -> Vec<String> {
    let optional = if parameter.optional { ", optional" } else { "" };
    let text = format!("({}{optional}) {}", short(parameter.kind), parameter.help);
    let mut lines = entry(parameter.name, &text, (2, COLUMN), width);
    lines.extend(key_lines(parameter.kind, 4, width));
    lines
}

fn key_lines(kind: Kind, indent: usize, width: usize) -> Vec<String> {
    let keys: Vec<&Key> = kind.keys().collect();
    // Keys that differ only in their names are shown together.
    let groups = keys.chunk_by(|one, next| key_text(one) == key_text(next));
    let line = |keys: &[&'static Key]| {
        let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
        let mut lines = entry(&names.join(", "), &key_text(keys[0]), (indent, COLUMN), width);
        lines.extend(key_lines(keys[0].kind, indent + 2, width));
        lines
    };
    groups.flat_map(line).collect()
}

fn key_text(key: &Key) -> String {
    let required = if key.required { ", required" } else { "" };
    let also = match key.aliases {
        [] => String::new(),
        aliases => format!(" Also `{}`.", aliases.join("`, `")),
    };
    format!("({}{required}) {}{also}", short(key.kind), key.help)
}

/// The possible values, in as few words as possible.
pub fn short(kind: Kind) -> String {
    let one = |noun: Noun| noun.plain().0;
    match kind {
        Kind::Any => "value".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Choice(words) => words.join(" | "),
        Kind::Word(words) => format!("text: {}, ...", words.join(", ")),
        Kind::Path => "file".to_owned(),
        Kind::Name(noun) => format!("name of {}", crate::language::help::article(one(noun))),
        Kind::Integer => "number".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Map => "map".to_owned(),
        Kind::Mapping(from, to) => format!("map from {} to {}", one(from), one(to)),
        Kind::List => "list".to_owned(),
        Kind::Texts => "text, or list of texts".to_owned(),
        Kind::Names(noun) => format!("name, or list of names, of {}", noun.plain().1),
        Kind::Rows(_) => "list of maps".to_owned(),
        Kind::Closure => "closure".to_owned(),
        Kind::Duration => "duration".to_owned(),
        Kind::Budget => "count or percentage".to_owned(),
        Kind::Reference(noun) => one(noun).to_owned(),
        Kind::Options(_) => "options".to_owned(),
    }
}
