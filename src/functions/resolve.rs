//! From a script's way of naming an object (its id, the object, its name) to the id.

use std::cell::RefCell;

use rhai::{Dynamic, Map as ScriptMap};
use serde_json::{Map, Value};

use crate::client::{Filters, Request, endpoints, executions, minion_pools, present, regions, transfers};
use crate::error::{Error, Kind, Result, suggest};
use crate::language::arguments::text_of;
use crate::language::spec;
use crate::model::Object;
use crate::runtime::call::{Call, Guard};
use crate::runtime::lists;
use crate::secret::carried;

/// The parameter of a function of one replica.
pub const TRANSFER: spec::Parameter = spec::Parameter::required(
    "transfer",
    spec::Kind::Reference(spec::Noun::Transfer),
    "Its id, its object, or the name of its VM.",
);

/// A transfer with all that the server tells of it.
///
/// # Errors
/// Those of the server or the network.
pub fn fetch(call: &Call<'_>, id: &str) -> Result<Value> {
    Ok(present::transfer(call.read(&transfers::show(call.generation()?, id))?))
}

/// A transfer's name for people: its VMs.
pub fn label(transfer: &Value) -> String {
    let names: Vec<&str> = transfer["instances"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() { transfer["id"].as_str().unwrap_or("?").to_owned() } else { names.join(", ") }
}

/// True for an id as the server makes them: 36 characters, hexadecimal and dashes.
pub fn is_id(text: &str) -> bool {
    text.len() == 36 && text.chars().all(|character| character.is_ascii_hexdigit() || character == '-')
}

/// The field of an object that a script passed.
pub fn field(value: &Dynamic, name: &str) -> Option<String> {
    value.read_lock::<ScriptMap>()?.get(name).filter(|field| !field.is_unit()).map(text_of)
}

/// The id of an endpoint.
///
/// # Errors
/// `NotFound` and `Ambiguous` for a name, `Script` for an object without an id.
pub fn endpoint(call: &Call<'_>, value: &Dynamic) -> Result<String> {
    match written(value, "an endpoint")? {
        Written::Id(id) => Ok(id),
        Written::Name(name) => {
            let found = endpoint_named(call, &name)?;
            id_in(&found).map(str::to_owned)
        }
    }
}

/// The one endpoint of this name.
///
/// # Errors
/// `NotFound` with the nearest name, `Ambiguous` with the ids.
pub fn endpoint_named(call: &Call<'_>, name: &str) -> Result<Value> {
    one_named(&call.read_list(&endpoints::list())?, name, "endpoint")
}

/// The id of a region.
///
/// # Errors
/// As [`endpoint`].
pub fn region(call: &Call<'_>, value: &Dynamic) -> Result<String> {
    named(call, value, &regions::list(), "region")
}

/// The id of a minion pool.
///
/// # Errors
/// As [`endpoint`].
pub fn minion_pool(call: &Call<'_>, value: &Dynamic) -> Result<String> {
    named(call, value, &minion_pools::list(), "minion pool")
}

/// Replaces names and objects of minion pools by ids in the option `name`, a map from VMs to pools.
///
/// # Errors
/// As [`endpoint`].
pub fn put_pools(call: &Call<'_>, fields: &mut Map<String, Value>, name: &str) -> Result<()> {
    let Some(chosen) = call.options().get(name).and_then(|chosen| chosen.flatten_clone().try_cast::<ScriptMap>())
    else {
        return Ok(());
    };
    let mut ids = Map::new();
    for (machine, pool) in chosen {
        let id = if pool.is_unit() { Value::Null } else { minion_pool(call, &pool)?.into() };
        ids.insert(machine.to_string(), id);
    }
    fields.insert(name.to_owned(), ids.into());
    Ok(())
}

fn named(call: &Call<'_>, value: &Dynamic, list: &Request, noun: &str) -> Result<String> {
    match written(value, &format!("a {noun}"))? {
        Written::Id(id) => Ok(id),
        Written::Name(name) => {
            let found = one_named(&call.read_list(list)?, &name, noun)?;
            id_in(&found).map(str::to_owned)
        }
    }
}

fn one_named(all: &[Value], name: &str, noun: &str) -> Result<Value> {
    if let Some(found) = none_or_one(all, name, noun)? {
        return Ok(found.clone());
    }
    let names: Vec<&str> = all.iter().filter_map(|each| each["name"].as_str()).collect();
    let error = Error::new(Kind::NotFound, format!("there is no {noun} `{name}`"));
    Err(match suggest(name, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("there {}", listed(&names))),
    })
}

/// The object with this name or id, if there is one.
///
/// # Errors
/// `Ambiguous` with the ids: the server allows several with one name.
pub fn none_or_one<'a>(all: &'a [Value], name: &str, noun: &str) -> Result<Option<&'a Value>> {
    let wanted = carried::revealed(name);
    let found: Vec<&Value> = all.iter().filter(|each| each["name"] == *wanted || each["id"] == *wanted).collect();
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().filter_map(|each| each["id"].as_str()).collect();
        return Err(Error::new(Kind::Ambiguous, format!("{} {noun}s are called `{name}`", ids.len()))
            .hint(format!("use an id: {}", ids.join(", "))));
    }
    Ok(found.first().copied())
}

/// The object with this name that existed before an `*_ensure`. The result is recorded: a resumed run does not find the
/// objects that it made itself.
///
/// # Errors
/// As [`none_or_one`]; those of the server or the network.
pub fn there(call: &Call<'_>, list: &Request, name: &str, noun: &str) -> Result<Option<Value>> {
    let mut seen = None;
    let found = call.decide(|call| {
        seen = none_or_one(&call.read_list(list)?, name, noun)?.cloned();
        Ok(seen.as_ref().map_or(Value::Null, |thing| thing["id"].clone()))
    })?;
    match found.as_str() {
        Some(id) if seen.is_none() => Ok(none_or_one(&call.read_list(list)?, id, noun)?.cloned()),
        _ => Ok(seen),
    }
}

/// The result of an `*_ensure`: the object of this name that exists, or the one that `make` creates; `created` tells
/// it.
///
/// # Errors
/// As [`there`] and `make`.
pub fn ensured(
    call: &Call<'_>,
    list: &Request,
    (name, noun): (&str, &str),
    make: impl FnOnce(Guard<'_>) -> Result<Value>,
) -> Result<Value> {
    let (mut thing, created) = match there(call, list, name, noun)? {
        Some(found) => (found, false),
        None => made_unless_there(
            call,
            |call| Ok(none_or_one(&call.read_list(list)?, name, noun)?.cloned()),
            |_| format!("the {noun} `{name}`"),
            make,
        )?,
    };
    thing["created"] = created.into();
    Ok(thing)
}

/// Creates an object, unless somebody else has created one by the time that this would leave, which may be days after
/// the first look. Returns true if it was created.
///
/// # Errors
/// Those of `find` and `make`.
pub fn made_unless_there(
    call: &Call<'_>,
    find: impl Fn(&Call<'_>) -> Result<Option<Value>>,
    named: impl Fn(&Value) -> String,
    make: impl FnOnce(Guard<'_>) -> Result<Value>,
) -> Result<(Value, bool)> {
    let there = RefCell::new(None);
    let guard = |call: &Call<'_>| match find(call)? {
        None => Ok(Value::Null),
        Some(thing) => {
            let taken = format!("somebody else has created {}", named(&thing));
            there.replace(Some(thing));
            Err(Error::new(Kind::Refused, taken))
        }
    };
    match (make(&guard), there.take()) {
        (Err(refused), Some(thing)) if refused.kind == Kind::Refused => {
            call.warn(format!("{}: going on with it", refused.message));
            Ok((thing, false))
        }
        (made, _) => Ok((made?, true)),
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "are none".to_owned(),
        [only] => format!("is `{only}`"),
        many => format!("are {}", many.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// The id of the transfer of an execution or a deployment.
fn transfer_field(value: &Dynamic) -> Option<String> {
    field(value, "transfer_id").or_else(|| field(value, "replica_id"))
}

/// The id of a transfer: from its id, its object, an execution or deployment of it, or the name of its VM.
///
/// # Errors
/// `NotFound` and `Ambiguous` for a VM's name, `Script` for an object of another kind.
pub fn transfer(call: &Call<'_>, value: &Dynamic) -> Result<String> {
    if let Some(id) = transfer_field(value) {
        return Ok(id);
    }
    match written(value, "a replica")? {
        Written::Id(id) => Ok(id),
        Written::Name(name) => {
            let found = transfer_of(call, &name)?;
            id_in(&found).map(str::to_owned)
        }
    }
}

/// The one transfer of this VM.
///
/// # Errors
/// `NotFound`, or `Ambiguous` with the ids.
pub fn transfer_of(call: &Call<'_>, instance: &str) -> Result<Value> {
    let all = lists::transfers(call)?;
    let found: Vec<&Value> = all.iter().filter(|transfer| has_instance(transfer, instance)).collect();
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Error::new(Kind::NotFound, format!("there is no replica of `{instance}`"))
            .hint("make one with `replica_ensure`")),
        many => Err(Error::new(Kind::Ambiguous, format!("there are {} replicas of `{instance}`", many.len())).hint(
            format!(
                "use an id: {}",
                many.iter().filter_map(|transfer| transfer["id"].as_str()).collect::<Vec<_>>().join(", ")
            ),
        )),
    }
}

pub fn has_instance(transfer: &Value, instance: &str) -> bool {
    transfer["instances"].as_array().is_some_and(|instances| instances.iter().any(|name| name == instance))
}

/// The ids of a transfer and of one of its executions: from both, or from the execution's object alone.
///
/// # Errors
/// `Script` if one of the two is missing.
pub fn execution(call: &Call<'_>) -> Result<(String, String)> {
    let first = call.value("transfer").cloned().unwrap_or(Dynamic::UNIT);
    match call.value("execution") {
        Some(execution) => Ok((transfer(call, &first)?, id_of(execution, "an execution")?)),
        None => match (transfer_field(&first), field(&first, "id")) {
            (Some(transfer), Some(id)) => Ok((transfer, id)),
            _ => Err(Error::script(format!(
                "`{}` needs a replica and an execution, or the execution's object",
                call.function.name
            ))),
        },
    }
}

/// The newest execution of a transfer, of any type.
///
/// # Errors
/// Those of the server or the network.
pub fn newest_execution(call: &Call<'_>, transfer: &str) -> Result<Option<Value>> {
    let filters = Filters::newest(1);
    let all = call.read_list(&executions::list(call.generation()?, transfer, &filters))?;
    Ok(filters.apply(all).into_iter().next())
}

/// The id in an object that the server sent.
///
/// # Errors
/// `Unreachable` if it has none: an answer without an id was damaged on its way and decides nothing.
pub fn id_in(thing: &Value) -> Result<&str> {
    let lost = || Error::new(Kind::Unreachable, "the server sent an object without an id");
    Object::from(thing).id().ok_or_else(lost)
}

/// The id of a deployment, an execution, ...: objects without names.
///
/// # Errors
/// `Script` for an object without an id.
pub fn id_of(value: &Dynamic, what: &str) -> Result<String> {
    match written(value, what)? {
        Written::Id(id) | Written::Name(id) => Ok(id),
    }
}

enum Written {
    Id(String),
    Name(String),
}

fn written(value: &Dynamic, what: &str) -> Result<Written> {
    if value.is_map() {
        return match field(value, "id") {
            Some(id) => Ok(Written::Id(id)),
            None => Err(Error::script(format!("this object map is not {what}: it has no `id`"))),
        };
    }
    let text = text_of(value);
    if text.trim().is_empty() {
        return Err(Error::script(format!("the name of {what} must not be empty")));
    }
    Ok(if is_id(&text) { Written::Id(text) } else { Written::Name(text) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_without_an_id_is_a_lost_answer() {
        for lost in [json!({"id": ""}), json!({"id": null}), json!({}), json!("x")] {
            assert_eq!(id_in(&lost).expect_err("no id").kind, Kind::Unreachable, "{lost}");
        }
        assert_eq!(id_in(&json!({"id": "E"})).expect("an id"), "E");
    }

    #[test]
    fn only_what_looks_like_an_id_is_one() {
        assert!(is_id("8dbe1693-ced2-404e-8c54-8c8163a34e17"));
        assert!(!is_id("web-01"));
        assert!(!is_id("8dbe1693-ced2-404e-8c54-8c8163a34e1z"));
    }
}
