//! Completion at the cursor: functions with their signatures, option keys, words of an enumeration, fields, files, and
//! the names of the cloud's objects. A function of the cursor's place and of the knowledge.

use std::sync::Arc;

use rhai::{Array, Dynamic, Map as ScriptMap};
use serde_json::Value;

use super::commands;
use super::names::{Name, Thing, What};
use super::place::{Argument, Context, Inside, Link, Wanted};
use super::target::{Target, target};
use crate::language::catalog::Catalog;
use crate::language::spec::{Key, Kind, Noun, Spec};
use crate::language::value::{describe, to_shown};
use crate::report::streams::text;

/// One possible completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The text that replaces the typed word.
    pub text: String,
    /// The text in the list.
    pub shown: String,
    /// A description in a few words.
    pub note: String,
}

/// The knowledge besides the text.
pub trait Knowledge {
    fn catalog(&self) -> &'static Catalog;
    fn variables(&self) -> Vec<String>;
    /// The kind of a variable, in words.
    fn kind(&self, variable: &str) -> &'static str;
    /// The value at the end of a chain, if it exists already; a list comes without its elements.
    fn value(&self, of: &[Link]) -> Option<Dynamic>;
    /// The functions of the session with their parameters.
    fn functions(&self) -> Vec<(String, Vec<String>)>;
    /// The names of the engine's own functions: `len`, `push`.
    fn methods(&self) -> Vec<String>;
    fn names(&self, what: &What) -> Arc<[Name]>;
    /// Files and folders whose path begins with `typed`; folders end with `/`.
    fn files(&self, typed: &str) -> Vec<String>;
}

/// The completions of the typed word, the best first.
pub fn complete(place: &Context, known: &dyn Knowledge) -> Vec<Candidate> {
    let typed = place.typed.as_str();
    match &place.wanted {
        Wanted::Nothing => Vec::new(),
        Wanted::Command => commands::words(typed),
        Wanted::Operand { command } => operand(command, typed, known),
        Wanted::Topic => topics(typed, known.catalog()),
        Wanted::Field { of } => fields(of, typed, known),
        Wanted::Key(argument) => keys(argument.as_ref(), typed, None, known),
        Wanted::QuotedKey(argument, quote) => keys(argument.as_ref(), typed, Some(*quote), known),
        Wanted::Text(argument, quote) => {
            let found = argument.as_ref().map(|argument| values(argument, typed, known)).unwrap_or_default();
            found.into_iter().map(|candidate| inside_quotes(candidate, *quote)).collect()
        }
        Wanted::Value(argument) => expressions(argument.as_ref(), typed, known),
    }
}

fn operand(command: &str, typed: &str, known: &dyn Knowledge) -> Vec<Candidate> {
    match command {
        "save" | "load" | "edit" | "cd" => known
            .files(typed)
            .into_iter()
            .map(|path| Candidate { shown: path.clone(), text: path, note: String::new() })
            .collect(),
        "help" => topics(typed, known.catalog()),
        "time" => fitting(["on", "off"].into_iter().map(|word| plain(word, "")), typed),
        _ => Vec::new(),
    }
}

fn topics(typed: &str, catalog: &Catalog) -> Vec<Candidate> {
    functions(typed, catalog)
        .into_iter()
        .map(|(name, row)| Candidate { text: name.clone(), shown: name, note: row.summary.to_owned() })
        .collect()
}

/// The functions whose name begins with `typed`: noun-first names, as most are, else the verb-first spellings.
fn functions(typed: &str, catalog: &Catalog) -> Vec<(String, &'static Spec)> {
    let own = |name: &str, row: &Spec| row.name == name || row.aliases.contains(&name);
    let all = || catalog.names().iter().filter(|(name, _)| name.starts_with(typed));
    let mut found: Vec<(String, &'static Spec)> =
        all().filter(|(name, row)| own(name, row)).map(|(name, row)| (name.clone(), *row)).collect();
    if found.is_empty() {
        found = all().map(|(name, row)| (name.clone(), *row)).collect();
    }
    if found.is_empty() && typed.len() > 2 {
        let inside = catalog.names().iter().filter(|(name, row)| own(name, row) && name.contains(typed));
        found = inside.map(|(name, row)| (name.clone(), *row)).collect();
    }
    found
}

fn expressions(argument: Option<&Argument>, typed: &str, known: &dyn Knowledge) -> Vec<Candidate> {
    let mut found = Vec::new();
    let wanted = argument.and_then(|argument| target(argument, known.catalog()));
    if let (Some(argument), Some(Target::Kind(kind))) = (argument, &wanted) {
        match kind {
            Kind::Flag => found.extend(fitting(["true", "false"].into_iter().map(|word| plain(word, "")), typed)),
            Kind::Options(_) | Kind::Map | Kind::Mapping(..) if typed.is_empty() => {
                found.push(Candidate { text: "#{ ".into(), shown: "#{ ".into(), note: kind.word().into() });
            }
            Kind::Closure if typed.is_empty() => {
                found.push(Candidate { text: "|".into(), shown: "|...| ...".into(), note: "a closure".into() });
            }
            _ if typed.is_empty() => {
                found.extend(
                    values(argument, typed, known).into_iter().map(|candidate| inside_quotes(candidate, '"')).map(
                        |candidate| Candidate {
                            text: format!("\"{}", candidate.text),
                            shown: format!("\"{}\"", candidate.shown),
                            ..candidate
                        },
                    ),
                );
            }
            _ => {}
        }
    }
    let variables = known.variables().into_iter().filter(|name| name.starts_with(typed));
    found.extend(variables.map(|name| {
        let note = known.kind(&name).to_owned();
        Candidate { text: name.clone(), shown: name, note }
    }));
    let own = known.functions().into_iter().filter(|(name, _)| name.starts_with(typed));
    found.extend(own.map(|(name, parameters)| {
        let shown = format!("{name}({})", parameters.join(", "));
        Candidate { text: format!("{name}("), shown, note: "yours".into() }
    }));
    // If a certain kind is wanted, a list of all functions helps nobody.
    if typed.is_empty() && !found.is_empty() && argument.is_some() {
        return found;
    }
    let functions = functions(typed, known.catalog());
    // A signature takes a line of its own, which is too much for all functions.
    let brief = functions.len() > MOST_SIGNATURES;
    found.extend(functions.into_iter().map(|(name, row)| {
        let text = if row.arity() == (0, 0) { format!("{name}()") } else { format!("{name}(") };
        if brief {
            return Candidate { text, shown: name, note: String::new() };
        }
        Candidate { text, shown: row.signature().replacen(row.name, &name, 1), note: row.summary.to_owned() }
    }));
    if !typed.is_empty() {
        found.extend(fitting(KEYWORDS.into_iter().map(|word| plain(word, "")), typed));
    }
    found
}

/// The most functions that are listed with their signatures.
const MOST_SIGNATURES: usize = 16;

const KEYWORDS: [&str; 16] = [
    "let ", "const ", "if ", "else ", "switch ", "while ", "loop ", "for ", "continue", "break", "return ", "throw ",
    "try ", "fn ", "import ", "true",
];

/// The keys that the current object map may have and lacks.
fn keys(argument: Option<&Argument>, typed: &str, quote: Option<char>, known: &dyn Knowledge) -> Vec<Candidate> {
    let Some(argument) = argument else { return Vec::new() };
    let written: &[(String, String)] = match argument.inside.last() {
        Some(Inside::Map { others, .. }) => others,
        _ => &[],
    };
    let ends = |text: String| match quote {
        Some(quote) => format!("{text}{quote}: "),
        None => format!("{text}: "),
    };
    match target(argument, known.catalog()) {
        Some(Target::Keys(groups)) => {
            let all: Vec<&Key> = groups.iter().copied().flatten().collect();
            let free = |key: &&&Key| !written.iter().any(|(name, _)| key.answers_to(name));
            let mut wanted: Vec<&Key> = all.iter().filter(free).copied().collect();
            wanted.sort_by_key(|key| !key.required);
            let candidate = |key: &Key| {
                let mut spellings = std::iter::once(key.name).chain(key.aliases.iter().copied());
                let name = spellings.find(|name| name.starts_with(typed))?;
                let must = if key.required { "required, " } else { "" };
                let kind = key.kind.noun().map_or(key.kind.key(), Noun::key);
                let note = format!("{must}{kind}: {}", key.help);
                Some(Candidate { text: ends(name.to_owned()), shown: name.to_owned(), note })
            };
            wanted.into_iter().filter_map(candidate).collect()
        }
        Some(Target::Environment(thing)) => {
            let names = known.names(&What::of(thing, end(argument, thing, known)));
            let free = names.iter().filter(|name| !written.iter().any(|(key, _)| *key == name.name));
            let found = free.map(|name| Candidate {
                text: ends(quoted_key(&name.name, quote)),
                shown: name.name.clone(),
                note: name.note.clone(),
            });
            fitting(found, typed)
        }
        Some(Target::KeyNames(noun)) => {
            let names = live(noun, argument, true, known);
            let free = names.into_iter().filter(|candidate| !written.iter().any(|(key, _)| *key == candidate.text));
            let found = free.map(|candidate| Candidate { text: ends(quoted_key(&candidate.text, quote)), ..candidate });
            found.filter(|candidate| candidate.shown.starts_with(typed)).collect()
        }
        _ => Vec::new(),
    }
}

/// A key that is not an identifier stands in quotes.
fn quoted_key(name: &str, quote: Option<char>) -> String {
    let is_word = name.chars().all(super::lexer::is_word) && !name.starts_with(|first: char| first.is_ascii_digit());
    if is_word || quote.is_some() { name.to_owned() } else { format!("\"{name}\"") }
}

/// The texts that an argument may be, without quotes.
fn values(argument: &Argument, typed: &str, known: &dyn Knowledge) -> Vec<Candidate> {
    match target(argument, known.catalog()) {
        Some(Target::Kind(Kind::Choice(words) | Kind::Word(words))) => {
            fitting(words.iter().map(|word| plain(word, "")), typed)
        }
        Some(Target::Kind(Kind::Path)) => {
            let files = known.files(typed).into_iter();
            files.map(|path| Candidate { shown: path.clone(), text: path, note: String::new() }).collect()
        }
        Some(Target::Kind(Kind::Reference(noun) | Kind::Name(noun) | Kind::Names(noun))) => {
            by_name_or_id(live(noun, argument, false, known), typed)
        }
        Some(Target::Kind(Kind::Any)) if argument.function == "wait_for" => {
            by_name_or_id(live(Noun::Transfer, argument, false, known), typed)
        }
        Some(Target::Kind(Kind::Any)) if argument.function == "group_by" && argument.index == 1 => {
            columns(argument, known).into_iter().filter(|candidate| candidate.text.starts_with(typed)).collect()
        }
        Some(Target::Option(thing, option)) => {
            let names = known.names(&What::of(thing, end(argument, thing, known)));
            let values = names.iter().filter(|name| name.name == option).flat_map(|name| &name.values);
            fitting(values.map(|value| plain(value, "")), typed)
        }
        _ => Vec::new(),
    }
}

/// The fields of the rows of a list.
fn columns(argument: &Argument, known: &dyn Knowledge) -> Vec<Candidate> {
    let Some(list) = argument.before.first() else { return Vec::new() };
    known.value(&[Link::Name(list.clone()), Link::Index(0)]).map(|row| of_value(&row)).unwrap_or_default()
}

/// The names of a kind of object; `text` is the name, the note begins with the id.
fn live(noun: Noun, argument: &Argument, key: bool, known: &dyn Knowledge) -> Vec<Candidate> {
    let what = match noun {
        Noun::Endpoint => What::all(Thing::Endpoints),
        Noun::Transfer => What::all(Thing::Transfers),
        Noun::Instance if known.catalog().find(&argument.function).is_some_and(|row| row.name == "transfer_of") => {
            What::all(Thing::Transfers)
        }
        Noun::Execution => What::of(Thing::Executions, written(argument.before.first(), known)),
        Noun::Schedule => What::of(Thing::Schedules, written(argument.before.first(), known)),
        Noun::Deployment | Noun::Migration => What::all(Thing::Deployments),
        Noun::Instance => What::of(Thing::Instances, end(argument, Thing::Instances, known)),
        Noun::Network if key => What {
            instance: option(argument, &["instances", "instance"]).and_then(|text| first_text(&text, known)),
            ..What::of(Thing::Nics, end(argument, Thing::Instances, known))
        },
        Noun::Network => What::of(Thing::Networks, end(argument, Thing::Networks, known)),
        Noun::Storage if key => What::of(Thing::Storage, end(argument, Thing::Instances, known)),
        Noun::Storage => What::of(Thing::Storage, end(argument, Thing::Storage, known)),
        Noun::Region => What::all(Thing::Regions),
        Noun::Service => What::all(Thing::Services),
        Noun::MinionPool => What::all(Thing::MinionPools),
        Noun::Secret => What::all(Thing::Secrets),
    };
    let mut found: Vec<Candidate> = Vec::new();
    for name in known.names(&what).iter() {
        let note = [name.id.as_str(), name.note.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("  ");
        found.push(Candidate { text: name.name.clone(), shown: name.name.clone(), note });
    }
    found
}

/// Names that begin with `typed`; else ids, if enough of one is typed.
fn by_name_or_id(all: Vec<Candidate>, typed: &str) -> Vec<Candidate> {
    let named: Vec<Candidate> = all.iter().filter(|candidate| candidate.text.starts_with(typed)).cloned().collect();
    if !named.is_empty() || typed.len() < 2 {
        return named;
    }
    let by_id = all.into_iter().filter_map(|candidate| {
        let (id, rest) = candidate.note.split_once("  ").unwrap_or((candidate.note.as_str(), ""));
        id.starts_with(typed).then(|| Candidate {
            text: id.to_owned(),
            shown: id.to_owned(),
            note: format!("{}  {rest}", candidate.text),
        })
    });
    by_id.collect()
}

/// The endpoint that an argument's objects belong to: a sibling option, the first argument, or that of the current
/// replica.
fn end(argument: &Argument, thing: Thing, known: &dyn Knowledge) -> Option<String> {
    let (options, field): (&[&str], &str) = match thing {
        Thing::Networks | Thing::Storage | Thing::DestinationOptions => {
            (&["destination_endpoint_id", "destination_endpoint", "endpoint_id", "endpoint"], "destination_endpoint_id")
        }
        _ => (&["origin_endpoint_id", "origin_endpoint", "endpoint_id", "endpoint"], "origin_endpoint_id"),
    };
    if let Some(found) = option(argument, options).and_then(|text| text_of(&text, known)) {
        return Some(found);
    }
    let row = known.catalog().find(&argument.function)?;
    let (first, given) = (row.parameters.first()?, argument.before.first()?);
    match first.kind {
        Kind::Reference(Noun::Endpoint) => text_of(given, known),
        Kind::Reference(Noun::Transfer) => {
            let transfer = known.value(&links(given)?)?;
            transfer.read_lock::<ScriptMap>()?.get(field).map(|id| id.to_string())
        }
        _ => None,
    }
}

/// An option that the call already has, as written.
fn option(argument: &Argument, names: &[&str]) -> Option<String> {
    let Some(Inside::Map { others, .. }) = argument.inside.first() else { return None };
    others.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.clone())
}

fn written(text: Option<&String>, known: &dyn Knowledge) -> Option<String> {
    text.and_then(|text| text_of(text, known))
}

/// The text of a written argument: the text in quotes, or the text or the id of a variable.
fn text_of(written: &str, known: &dyn Knowledge) -> Option<String> {
    if let Some(text) = written.strip_prefix('"') {
        return Some(text.trim_end_matches('"').to_owned());
    }
    let value = known.value(&links(written)?)?;
    if value.is_string() {
        return Some(value.to_string());
    }
    value.read_lock::<ScriptMap>()?.get("id").map(ToString::to_string)
}

/// The first text of a list, or a single text.
fn first_text(written: &str, known: &dyn Knowledge) -> Option<String> {
    let inside = written.trim_start_matches('[').trim_end_matches(']').split(',').next()?;
    text_of(inside.trim(), known)
}

/// A written chain of names, such as `vm.name`.
fn links(written: &str) -> Option<Vec<Link>> {
    let mut names = written.split('.');
    let first = names.next()?;
    let is_name = |name: &str| !name.is_empty() && name.chars().all(super::lexer::is_word);
    if !is_name(first) {
        return None;
    }
    let mut links = vec![Link::Name(first.to_owned())];
    for name in names {
        if !is_name(name) {
            return None;
        }
        links.push(Link::Field(name.to_owned()));
    }
    Some(links)
}

fn fields(of: &[Link], typed: &str, known: &dyn Knowledge) -> Vec<Candidate> {
    let value = known.value(of);
    let mut found: Vec<Candidate> = value.as_ref().map(of_value).unwrap_or_default();
    found.retain(|candidate| candidate.text.starts_with(typed));
    if value.as_ref().is_none_or(|value| !value.is_map()) || (found.is_empty() && !typed.is_empty()) {
        let methods = known.methods().into_iter().filter(|name| name.starts_with(typed));
        found.extend(methods.map(|name| Candidate {
            text: format!("{name}("),
            shown: format!("{name}()"),
            note: String::new(),
        }));
    }
    found
}

/// The fields of an object with their values; secrets are not shown.
fn of_value(value: &Dynamic) -> Vec<Candidate> {
    let Some(map) = value.read_lock::<ScriptMap>() else { return Vec::new() };
    map.iter()
        .map(|(name, value)| {
            let note = match () {
                () if crate::secret::is_secret_name(name) => crate::secret::MASK.to_owned(),
                () if value.is_map() => describe(value).to_owned(),
                () if value.is_array() => {
                    crate::error::count(value.read_lock::<Array>().map_or(0, |list| list.len()), "element")
                }
                () => match to_shown(value) {
                    Value::Null => "nothing".to_owned(),
                    shown => text::cut(&text::one_line(&shown.to_string()), 40),
                },
            };
            Candidate { text: name.to_string(), shown: name.to_string(), note }
        })
        .collect()
}

fn inside_quotes(candidate: Candidate, quote: char) -> Candidate {
    // The path goes on after a folder.
    let text = if candidate.text.ends_with('/') { candidate.text } else { format!("{}{quote}", candidate.text) };
    Candidate { text, ..candidate }
}

pub(super) fn plain(word: &str, note: &str) -> Candidate {
    Candidate { text: word.to_owned(), shown: word.trim_end().to_owned(), note: note.to_owned() }
}

pub(super) fn fitting(all: impl Iterator<Item = Candidate>, typed: &str) -> Vec<Candidate> {
    all.filter(|candidate| candidate.text.starts_with(typed)).collect()
}
