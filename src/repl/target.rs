//! The meaning of a place inside a call's arguments, according to the table of functions. Pure.

use super::names::Thing;
use super::place::{Argument, Inside};
use crate::language::arguments::options_instead;
use crate::language::catalog::Catalog;
use crate::language::spec::{Key, Kind, Noun, Spec};

/// The kind of completion that is wanted.
#[derive(Clone)]
pub enum Target {
    /// One of these keys.
    Keys(&'static [&'static [Key]]),
    /// Names of objects, as keys.
    KeyNames(Noun),
    /// A key of a provider's environment.
    Environment(Thing),
    /// The value of such a key.
    Option(Thing, String),
    Kind(Kind),
}

/// The target at the place, if the table knows it.
pub fn target(argument: &Argument, catalog: &Catalog) -> Option<Target> {
    let row = catalog.find(&argument.function)?;
    let mut inside = argument.inside.iter().peekable();
    let mut kind = parameter(row, argument.index, matches!(inside.peek(), Some(Inside::Map { .. })))?;
    let mut environment = None;
    for step in inside {
        kind = match (kind, step) {
            (Kind::Options(keys), Inside::Map { key: None, .. }) => return Some(Target::Keys(keys)),
            (Kind::Options(keys), Inside::Map { key: Some(name), .. }) => {
                let key = keys.iter().copied().flatten().find(|key| key.answers_to(name))?;
                environment = environment_of(row, key);
                key.kind
            }
            (Kind::Mapping(from, _), Inside::Map { key: None, .. }) => return Some(Target::KeyNames(from)),
            (Kind::Mapping(_, to), Inside::Map { key: Some(_), .. }) => Kind::Name(to),
            (Kind::Rows(keys), Inside::List) => Kind::Options(keys),
            (Kind::Names(noun), Inside::List) => Kind::Name(noun),
            (Kind::Map, Inside::Map { key, .. }) => {
                let thing = environment?;
                return Some(match key {
                    None => Target::Environment(thing),
                    Some(name) => Target::Option(thing, name.clone()),
                });
            }
            (Kind::Any | Kind::List, Inside::List) => Kind::Any,
            _ => return None,
        };
    }
    Some(Target::Kind(kind))
}

/// The kind of the parameter at this index: an object map is for the options, even if optional parameters before them
/// are left out.
fn parameter(row: &'static Spec, index: usize, is_map: bool) -> Option<Kind> {
    let kind = row.parameters.get(index)?.kind;
    if !is_map || matches!(kind, Kind::Options(_) | Kind::Map) {
        return Some(kind);
    }
    let later =
        row.parameters[index..].iter().map(|parameter| parameter.kind).find(|kind| matches!(kind, Kind::Options(_)));
    // An object stands for a required reference, or the options stand alone.
    if index == 0 && !row.parameters[0].optional && matches!(kind, Kind::Reference(_) | Kind::Text) {
        return options_instead(row).map(Kind::Options);
    }
    later
}

/// The endpoint whose environment an option is.
fn environment_of(row: &Spec, key: &Key) -> Option<Thing> {
    match key.name {
        "source_environment" => Some(Thing::SourceOptions),
        "destination_environment" => Some(Thing::DestinationOptions),
        "environment_options" => Some(Thing::PoolOptions),
        "environment"
            if row.name.contains("destination") || row.name.contains("network") || row.name.contains("storage") =>
        {
            Some(Thing::DestinationOptions)
        }
        "environment" => Some(Thing::SourceOptions),
        _ => None,
    }
}
