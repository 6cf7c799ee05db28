//! Values as a journal keeps them, and back: secrets as keyed hashes with the place to read them again.

use std::sync::Arc;

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map as ScriptMap, Position};
use serde_json::{Map, Value, json};

use crate::decode;
use crate::error::{Error, Kind as Failure, Result};
use crate::event::Origin;
use crate::inventory;
use crate::journal::record::{Identity, Saved, SavedError};
use crate::journal::{DEEPEST_VALUE, too_deep};
use crate::language::error::{Fault, locate, throw};
use crate::language::literals::FEWEST_DIGITS;
use crate::language::spec::{Kind, Spec};
use crate::language::value::{Secret, Secrets, scalar_to_script, to_json, to_shown};
use crate::runtime::host::Host;
use crate::secret::{self, MASK, Place, carried};

/// A secret in a recorded value: its keyed hash.
const SECRET: &str = "$secret";
/// The same for a number.
const SECRET_NUMBER: &str = "$secret_number";
/// A number that JSON cannot express.
const FLOAT: &str = "$float";
const CHARACTER: &str = "$character";
/// An object map that would be mistaken for one of these.
const MAP: &str = "$map";
/// The length of a call's arguments as kept for people.
const SHOWN: usize = 1000;

/// A script's value as the journal keeps it; `None` for one that cannot be written down, such as a closure.
pub fn seal(host: &Host, value: &Dynamic) -> Option<Value> {
    seal_at(host, Place::default(), value)
}

fn seal_at(host: &Host, place: Place, value: &Dynamic) -> Option<Value> {
    if value.is_shared() {
        return seal_at(host, place, &value.flatten_clone());
    }
    if let Some(secret) = value.read_lock::<Secret>() {
        return Some(sealed_secret(host, &secret));
    }
    if let Some(values) = value.read_lock::<Array>() {
        return values.iter().map(|value| seal_at(host, place, value)).collect::<Option<Vec<_>>>().map(Value::Array);
    }
    if let Some(fields) = value.read_lock::<ScriptMap>() {
        let mut object = Map::new();
        for (name, value) in fields.iter() {
            object.insert(name.to_string(), seal_at(host, place.inside(name), value)?);
        }
        let escaped = object.len() == 1 && object.keys().all(|name| name.starts_with('$'));
        return Some(if escaped { json!({ MAP: object }) } else { object.into() });
    }
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        return Some(sealed_if_secret(host, place, &carried::revealed(&text)));
    }
    if let Ok(number) = value.as_float()
        && !number.is_finite()
    {
        return Some(json!({ FLOAT: number.to_string() }));
    }
    if let Ok(character) = value.as_char() {
        return Some(json!({ CHARACTER: character.to_string() }));
    }
    if value.is::<FnPtr>() {
        return None;
    }
    let plain = to_json(value, Secrets::Exposed).ok()?;
    // Few digits are a count of the script's own: `#{ pass: 12, fail: 3 }`.
    let digits = plain.to_string();
    Some(if place.keeps(&plain) && digits.len() >= FEWEST_DIGITS { sealed_number(host, &digits) } else { plain })
}

/// An answer of the server, without its secrets.
pub fn seal_json(host: &Host, value: Value) -> Value {
    seal_json_at(host, Place::default(), value)
}

fn seal_json_at(host: &Host, place: Place, value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(|value| seal_json_at(host, place, value)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let sealed = seal_json_at(host, place.inside(&name), value);
                (name, sealed)
            })
            .collect(),
        Value::String(text) => sealed_if_secret(host, place, &text),
        number @ Value::Number(_) if place.keeps(&number) => sealed_number(host, &number.to_string()),
        other => other,
    }
}

/// A text as it is, or its hash if it is or contains a secret.
fn sealed_if_secret(host: &Host, place: Place, text: &str) -> Value {
    if place.keeps_text(text) {
        return sealed_text(host, text);
    }
    if host.journal.known.finds(text) { sealed_part(host, text) } else { text.into() }
}

fn sealed_text(host: &Host, text: &str) -> Value {
    host.journal.known.learn(text);
    sealed_part(host, text)
}

/// The same for a secret that is not to be masked inside texts.
fn sealed_part(host: &Host, text: &str) -> Value {
    let hash = host.journal.hash(text);
    host.vault.put(&hash, text);
    json!({ SECRET: hash })
}

fn sealed_number(host: &Host, number: &str) -> Value {
    host.journal.known.learn(number);
    let hash = host.journal.hash(number);
    host.vault.put(&hash, number);
    json!({ SECRET_NUMBER: hash })
}

fn sealed_secret(host: &Host, secret: &Secret) -> Value {
    match (secret.recorded(), secret.expose()) {
        (Some(hash), _) if secret.is_number() => json!({ SECRET_NUMBER: hash }),
        (Some(hash), _) => json!({ SECRET: hash }),
        (None, Ok(text)) if secret.is_number() => sealed_number(host, text),
        (None, Ok(text)) if secret.is_part() => sealed_part(host, text),
        (None, Ok(text)) => sealed_text(host, text),
        (None, Err(_)) => Value::Null,
    }
}

/// The place from which the secrets of a value can be read again.
#[derive(Clone)]
pub enum Source {
    /// The connection of the endpoint whose object contains them.
    Endpoint(String),
    /// This secret of Barbican.
    Barbican(String),
    /// This file of the runbook's folder.
    File {
        path: String,
        delimiter: Option<char>,
    },
    Nowhere,
}

/// A value from the journal as the script had it; `source` is the place to read its secrets again.
pub fn unseal(host: &Arc<Host>, value: Value, source: &Source) -> Dynamic {
    unseal_at(host, Place::default(), value, source)
}

fn unseal_at(host: &Arc<Host>, place: Place, value: Value, source: &Source) -> Dynamic {
    match value {
        Value::Array(values) => {
            values.into_iter().map(|value| unseal_at(host, place, value, source)).collect::<Array>().into()
        }
        Value::Object(fields) => {
            if let Some(only) = only_field(&fields) {
                match (only, fields.values().next()) {
                    (SECRET, Some(Value::String(hash))) => return Dynamic::from(revived(host, hash, source)),
                    (SECRET_NUMBER, Some(Value::String(hash))) => {
                        return Dynamic::from(revived(host, hash, source).number());
                    }
                    (FLOAT, Some(Value::String(text))) => return text.parse::<f64>().unwrap_or(f64::NAN).into(),
                    (CHARACTER, Some(Value::String(text))) => return text.chars().next().unwrap_or_default().into(),
                    (MAP, Some(Value::Object(inner))) => return map_of(host, place, inner.clone(), source),
                    _ => {}
                }
            }
            map_of(host, place, fields, source)
        }
        // A secret one was sealed, and stands there as its hash.
        number @ Value::Number(_) => scalar_to_script(Place::default(), number),
        plain => scalar_to_script(place, plain),
    }
}

fn only_field(fields: &Map<String, Value>) -> Option<&str> {
    let mut names = fields.keys();
    names.next().filter(|name| name.starts_with('$') && names.len() == 0).map(String::as_str)
}

fn map_of(host: &Arc<Host>, place: Place, fields: Map<String, Value>, source: &Source) -> Dynamic {
    let source = match (fields.get("id").and_then(Value::as_str), fields.contains_key("connection_info")) {
        (Some(id), true) => Source::Endpoint(id.to_owned()),
        _ => source.clone(),
    };
    let field = |(name, value): (String, Value)| {
        let value = unseal_at(host, place.inside(&name), value, &source);
        (rhai::Identifier::from(name), value)
    };
    fields.into_iter().map(field).collect::<ScriptMap>().into()
}

/// A recorded secret: one that this process has met, or one that is read again when it is needed.
fn revived(host: &Arc<Host>, hash: &str, source: &Source) -> Secret {
    if let Some(text) = host.vault.get(hash) {
        return Secret::new(text);
    }
    let known = host.journal.known.clone();
    let (host, source, wanted) = (host.clone(), source.clone(), hash.to_owned());
    Secret::lazy(hash, move || {
        let lost = |why: String| {
            Error::new(Failure::Input, format!("a secret that the run has used cannot be read again: {why}"))
                .hint("secrets are not kept; put it back where it was, or start a new run")
        };
        let place = match &source {
            Source::Endpoint(id) => format!("the connection of endpoint {id}"),
            Source::Barbican(reference) => format!("the secret {reference}"),
            Source::File { path, .. } => format!("the file `{path}`"),
            Source::Nowhere => return Err(lost("its origin is unknown".to_owned())),
        };
        let texts = read_again(&host, &source).map_err(|error| lost(format!("{place}: {error}")))?;
        let found = texts.into_iter().find(|text| host.journal.hash(text) == wanted);
        found.iter().for_each(|text| known.learn(text));
        found.ok_or_else(|| lost(format!("{place} holds another one now")))
    })
}

/// Every text at the place from which the secret came.
fn read_again(host: &Arc<Host>, source: &Source) -> Result<Vec<String>> {
    let origin = Origin { lane: "main".into(), wave: None, item: None };
    let mut texts = Vec::new();
    match source {
        Source::Endpoint(id) => {
            let endpoint = host.cloud()?.client.send(&origin, &crate::client::endpoints::show(id))?;
            collect(&endpoint, &mut texts);
        }
        Source::Barbican(reference) => {
            let payload = host.cloud()?.client.send(&origin, &crate::client::secrets::payload(reference))?;
            collect(&payload, &mut texts);
        }
        Source::File { path, delimiter } => {
            let text = decode::text(&host.read_file(path)?).map_err(|error| Error::input(error.to_string()))?;
            match serde_json::from_str(&text) {
                Ok(value) => collect(&value, &mut texts),
                Err(_) => texts.extend(inventory::texts(&text, *delimiter)),
            }
        }
        Source::Nowhere => {}
    }
    Ok(texts)
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, texts)),
        _ => {}
    }
}

/// The result of a closure for the journal: it is evaluated again if it holds a secret that nothing else can tell.
pub fn closure_result(host: &Host, value: &Dynamic) -> Saved {
    seal(host, value).filter(is_revivable).map_or(Saved::Unwritten, Saved::Ok)
}

/// True if each secret of a sealed value stands in an endpoint that can be asked for it again.
fn is_revivable(sealed: &Value) -> bool {
    match sealed {
        Value::Array(values) => values.iter().all(is_revivable),
        Value::Object(fields) => match only_field(fields) {
            Some(SECRET | SECRET_NUMBER) => false,
            _ => {
                (fields.contains_key("id") && fields.contains_key("connection_info"))
                    || fields.values().all(is_revivable)
            }
        },
        _ => true,
    }
}

/// The outcome of a call for the journal; `None` if it has not ended.
pub fn outcome(host: &Host, function: &Spec, result: &Result<Dynamic, Fault>) -> Option<Saved> {
    match result {
        Ok(value) if function.takes_closure() => Some(closure_result(host, value)),
        Ok(value) => Some(seal(host, value).map_or(Saved::Unwritten, Saved::Ok)),
        Err(Fault::Error(error)) => saved_error(host, error).map(Saved::Error),
        Err(Fault::Thrown(thrown)) => thrown_outcome(host, thrown),
    }
}

/// The outcome of a closure.
pub fn thrown_outcome(host: &Host, thrown: &EvalAltResult) -> Option<Saved> {
    let error = locate(thrown).error;
    if error.kind.is_final() {
        return None;
    }
    match thrown.unwrap_inner() {
        EvalAltResult::ErrorRuntime(value, _) if value.is_map() => {
            Some(seal(host, value).map_or(Saved::Unwritten, Saved::Thrown))
        }
        _ => saved_error(host, &error).map(Saved::Error),
    }
}

/// An error without secrets; `None` if the call is not over after it.
pub fn saved_error(host: &Host, error: &Error) -> Option<SavedError> {
    // Refused credentials say nothing about the run: with others it goes on.
    if error.kind.is_final() || error.kind == Failure::Login {
        return None;
    }
    let mut saved = SavedError::from(&without_secrets(host, error.clone()));
    let details = seal_json(host, Value::Object(std::mem::take(&mut saved.details)));
    saved.details = details.as_object().cloned().unwrap_or_default();
    // A thrown value may hold anything; the rest of the error is worth keeping.
    saved.details.retain(|_, value| !is_deep(value, DEEPEST_VALUE));
    Some(saved)
}

/// True if a call is over after this error, and a resumed run does not make it again.
pub fn ends(host: &Host, error: &Error) -> bool {
    saved_error(host, error).is_some()
}

/// The error of a call, without the secrets that its message may repeat.
pub fn mask_thrown(host: &Host, fault: Fault) -> Fault {
    match fault {
        Fault::Error(error) => Fault::Error(without_secrets(host, error)),
        thrown @ Fault::Thrown(_) => thrown,
    }
}

fn without_secrets(host: &Host, mut error: Error) -> Error {
    let known = &host.journal.known;
    error.message = known.mask(&error.message).into_owned();
    error.hint = error.hint.map(|hint| known.mask(&hint).into_owned());
    let mut details = Value::Object(std::mem::take(&mut error.details));
    known.mask_value(&mut details, &[]);
    error.details = details.as_object().cloned().unwrap_or_default();
    error
}

/// Refuses a closure's result that the run's record could not hold.
///
/// # Errors
/// `Script`: it is nested too deeply.
pub fn check_depth(value: &Dynamic) -> Result<()> {
    if is_deeper(value, DEEPEST_VALUE) { Err(too_deep()) } else { Ok(()) }
}

fn is_deeper(value: &Dynamic, most: usize) -> bool {
    if value.is_shared() {
        return is_deeper(&value.flatten_clone(), most);
    }
    let inside = |value: &Dynamic| most == 0 || is_deeper(value, most - 1);
    if let Some(values) = value.read_lock::<Array>() {
        return values.iter().any(inside);
    }
    value.read_lock::<ScriptMap>().is_some_and(|fields| fields.values().any(inside))
}

fn is_deep(value: &Value, most: usize) -> bool {
    let inside = |value: &Value| most == 0 || is_deep(value, most - 1);
    match value {
        Value::Array(values) => values.iter().any(inside),
        Value::Object(fields) => fields.values().any(inside),
        _ => false,
    }
}

/// The recorded outcome of a call; `None` if it has to be made again.
pub fn replayed(
    host: &Arc<Host>,
    saved: Saved,
    source: &Source,
    position: Position,
) -> Option<Result<Dynamic, Box<EvalAltResult>>> {
    match saved {
        Saved::Ok(value) => Some(Ok(unseal(host, value, source))),
        Saved::Error(error) => Some(Err(throw(error.into(), position))),
        Saved::Thrown(value) => {
            let value = unseal(host, value, source);
            Some(Err(Box::new(EvalAltResult::ErrorRuntime(value, position))))
        }
        Saved::Unwritten => None,
    }
}

/// The identity of this call: the function and its arguments, without secrets.
pub fn identity(host: &Host, function: &Spec, arguments: &[&Dynamic]) -> Identity {
    let kept = secret_options(function);
    let learn = |argument: &&Dynamic| learn_options(host, &kept, argument);
    arguments.iter().for_each(learn);
    let sealed: Vec<Value> =
        arguments.iter().map(|argument| seal(host, argument).unwrap_or_else(|| to_shown(argument))).collect();
    let text = Value::Array(sealed).to_string();
    let masked = |argument: &&Dynamic| {
        let mut shown = named_only(to_shown(argument));
        secret::mask(&mut shown);
        if let Value::Object(fields) = &mut shown {
            fields
                .iter_mut()
                .filter(|(name, _)| kept.contains(&name.as_str()))
                .for_each(|(_, value)| *value = MASK.into());
        }
        host.journal.known.mask(&shown.to_string()).into_owned()
    };
    let shown = arguments.iter().map(masked).collect::<Vec<_>>().join(", ");
    Identity { function: function.name.to_owned(), arguments: host.journal.hash(&text), shown: shortened(&shown) }
}

/// An argument for people: of an object of the server only the fields that name it.
fn named_only(shown: Value) -> Value {
    match shown {
        Value::Array(values) => values.into_iter().map(named_only).collect(),
        Value::Object(fields) if fields.get("id").is_some_and(Value::is_string) => fields
            .into_iter()
            .filter(|(name, _)| ["id", "name", "number", "instances"].contains(&name.as_str()))
            .collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, named_only(value))).collect(),
        other => other,
    }
}

/// The options of a function whose values are always secrets.
fn secret_options(function: &Spec) -> Vec<&'static str> {
    let lists = function.parameters.iter().filter_map(|parameter| match parameter.kind {
        Kind::Options(lists) => Some(lists),
        _ => None,
    });
    let keys = lists.flat_map(|lists| lists.iter().flat_map(|keys| keys.iter()));
    keys.filter(|key| key.secret).map(|key| key.name).collect()
}

fn learn_options(host: &Host, kept: &[&str], argument: &Dynamic) {
    let Some(fields) = argument.read_lock::<ScriptMap>() else { return };
    for value in kept.iter().filter_map(|name| fields.get(*name)) {
        match to_json(value, Secrets::Exposed) {
            Ok(Value::String(text)) => host.journal.known.learn(&text),
            Ok(other) => host.journal.known.learn(&other.to_string()),
            Err(_) => {}
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
