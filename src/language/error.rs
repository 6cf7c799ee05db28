//! Conversion between our errors and the language's: those that a script can catch, and those that it cannot.

use std::path::Path;

use rhai::{Dynamic, EvalAltResult, Map as ScriptMap, Position};
use serde_json::Value;

use crate::error::{Error, Kind};
use crate::language::value::{to_script, to_shown};

/// The reason why a function ended without a result.
pub enum Fault {
    Error(Error),
    /// The error of a closure inside, passed on with its position.
    Thrown(Box<EvalAltResult>),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Error(error)
    }
}

impl From<Box<EvalAltResult>> for Fault {
    fn from(thrown: Box<EvalAltResult>) -> Self {
        Fault::Thrown(thrown)
    }
}

/// An error on its way through code that must not catch it.
#[derive(Clone)]
struct Uncatchable(Error);

impl Fault {
    /// The error in the engine's form.
    pub fn into_script(self, position: Position) -> Box<EvalAltResult> {
        match self {
            Fault::Thrown(thrown) => thrown,
            Fault::Error(error) => throw(error, position),
        }
    }
}

/// An interruption, an unknown step and a bug cannot be caught; everything else is a map.
pub fn throw(error: Error, position: Position) -> Box<EvalAltResult> {
    if error.kind.is_final() {
        return Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(Uncatchable(error)), position));
    }
    let mut map = to_map(&error);
    let number =
        |place: Option<usize>| place.and_then(|place| i64::try_from(place).ok()).map_or(Dynamic::UNIT, Dynamic::from);
    map.insert("line".into(), number(position.line()));
    map.insert("column".into(), number(position.position()));
    Box::new(EvalAltResult::ErrorRuntime(map.into(), position))
}

/// The field of an error that is true while the source of a VM in its lane is off, or may be.
pub const SOURCE_OFF: &str = "source_off";

/// `#{ kind, message, hint, status, request_id, source_off, task, ... }`; a thrown one has its `line` and `column` as
/// well.
pub fn to_map(error: &Error) -> ScriptMap {
    let mut map = ScriptMap::new();
    for name in ["status", "request_id", "method", "path"] {
        map.insert(name.into(), Dynamic::UNIT);
    }
    map.insert(SOURCE_OFF.into(), false.into());
    for (name, value) in &error.details {
        map.insert(name.into(), to_script(value.clone()));
    }
    map.insert("kind".into(), error.kind.word().into());
    map.insert("message".into(), error.message.clone().into());
    map.insert("hint".into(), error.hint.clone().map_or(Dynamic::UNIT, Dynamic::from));
    map
}

/// An error with the places that it passed through, innermost first.
#[derive(Clone, Debug)]
pub struct Located {
    pub error: Error,
    /// The position and its source; the source is empty for the runbook itself.
    pub place: Option<Location>,
    /// Functions and closures of the script that it passed, innermost first.
    pub through: Vec<Step>,
}

/// As many of the functions that an error passed through are named in its text.
const NAMED: usize = 3;

impl Located {
    /// The error, with its position in the script called `name` and the functions that it passed through.
    pub fn placed(&self, name: &str) -> Error {
        let mut error = self.error.clone();
        if let Some(place) = &self.place {
            error = error.detail("place", place.label(name));
        }
        let functions = self.through.iter().filter(|step| !step.function.starts_with("anon$"));
        let through: Vec<String> = functions
            .take(NAMED)
            .map(|step| match &step.called {
                Some(called) => format!("{} called at {}", step.label(), called.label(name)),
                None => step.label(),
            })
            .collect();
        if through.is_empty() { error } else { error.detail("through", through.join(", in ")) }
    }
}

impl Location {
    /// `file:line:column`, the file where it is known; `runbook` is the name that the runbook was given by, or what an
    /// expression is called.
    pub fn label(&self, runbook: &str) -> String {
        let runbook = Path::new(runbook);
        let file = match (&self.source, runbook.extension().and(runbook.file_name())) {
            (Some(module), _) if module.ends_with(".rhai") => format!("{module}:"),
            (Some(module), _) => format!("{module}.rhai:"),
            (None, Some(file)) => format!("{}:", file.to_string_lossy()),
            (None, None) => String::new(),
        };
        format!("{file}{}:{}", self.line, self.column)
    }
}

/// A function or a closure that an error passed through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The engine's name for it.
    pub function: String,
    /// The function of the language that a closure was passed to.
    pub of: Option<String>,
    /// The wave and the item whose closure it is.
    pub item: Option<(String, String)>,
    /// The position of the call, if it is known.
    pub called: Option<Location>,
}

/// The prefix of the wave and the item in the name of a step that is a lane.
const LANE: &str = "lane$";

/// Marks the error of a lane with its wave and its item.
pub fn in_lane(thrown: Box<EvalAltResult>, wave: &str, item: &str, source: &str, at: Position) -> Box<EvalAltResult> {
    // An error that ends the run is passed unchanged.
    if matches!(*thrown, EvalAltResult::ErrorTerminated(..) | EvalAltResult::Exit(..)) {
        return thrown;
    }
    let name = format!("{LANE}{wave}\n{item}");
    Box::new(EvalAltResult::ErrorInFunctionCall(name, source.to_owned(), thrown, at))
}

impl Located {
    /// An error without a position in a script.
    pub fn nowhere(error: Error) -> Self {
        Self { error, place: None, through: Vec::new() }
    }
}

impl Step {
    /// Its name for people.
    pub fn label(&self) -> String {
        match &self.item {
            Some((wave, item)) if wave == "each" => format!("the closure of `each` for item {item}"),
            Some((wave, item)) => format!("the closure of wave `{wave}` for `{item}`"),
            None if self.function.starts_with("anon$") => match &self.of {
                Some(function) => format!("the closure of `{function}`"),
                None => "a closure".to_owned(),
            },
            None => format!("`{}`", self.function),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub source: Option<String>,
    pub line: usize,
    pub column: usize,
}

/// The engine's error as one of ours, with its position.
pub fn locate(thrown: &EvalAltResult) -> Located {
    let mut through: Vec<Step> = Vec::new();
    let mut source = None;
    let mut lane = None;
    let mut inner = thrown;
    let mut position = thrown.position();
    loop {
        match inner {
            EvalAltResult::ErrorInFunctionCall(name, from, next, at) => {
                let called = at.line().map(|line| {
                    let column = at.position().unwrap_or(1);
                    Location { source: source.clone(), line, column }
                });
                if !from.is_empty() {
                    source = Some(from.clone());
                }
                // The lane belongs to the next closure.
                match name.strip_prefix(LANE).and_then(|lane| lane.split_once('\n')) {
                    Some((wave, item)) => lane = Some(((wave.to_owned(), item.to_owned()), called)),
                    None => {
                        let (item, opened) = lane.take().unzip();
                        let called = opened.flatten().or(called);
                        match through.first_mut() {
                            // A function of the language calls its closure at the position of its own call.
                            Some(outer)
                                if name.starts_with("anon$")
                                    && !outer.function.starts_with("anon$")
                                    && item.is_none()
                                    && outer.called == called =>
                            {
                                outer.of = Some(std::mem::replace(&mut outer.function, name.clone()));
                            }
                            _ => through.insert(0, Step { function: name.clone(), of: None, item, called }),
                        }
                    }
                }
                inner = next;
            }
            EvalAltResult::ErrorInModule(name, next, _) => {
                source = Some(name.clone());
                inner = next;
            }
            _ => break,
        }
        if !inner.position().is_none() {
            position = inner.position();
        }
    }
    let place = position.line().map(|line| Location { source, line, column: position.position().unwrap_or(1) });
    Located { error: translate(inner), place, through }
}

/// The error of a recursion without end.
pub fn too_deep_calls() -> Error {
    Error::script("functions call each other too deeply").hint("is there an endless recursion?")
}

/// The kinds for which a map thrown by a script becomes one of our errors again.
fn kind_of(word: &str) -> Option<Kind> {
    word.parse().ok()
}

fn translate(thrown: &EvalAltResult) -> Error {
    match thrown {
        EvalAltResult::ErrorTerminated(token, _) => match token.read_lock::<Uncatchable>() {
            Some(uncatchable) => uncatchable.0.clone(),
            None => Error::interrupted(),
        },
        EvalAltResult::ErrorRuntime(value, _) => from_thrown(value),
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            Error::script(format!("undefined variable `{name}`")).detail("undefined_variable", name.as_str())
        }
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            Error::script(format!("missing field `{name}`")).detail("missing_field", name.as_str())
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => function_not_found(signature),
        EvalAltResult::ErrorModuleNotFound(name, _) => Error::input(format!("cannot find the module `{name}`"))
            .hint("an import names a `.rhai` file relative to the runbook's folder, without the ending"),
        EvalAltResult::ErrorDotExpr(text, _) if text.starts_with("Unknown property '") => no_property(text),
        EvalAltResult::ErrorDataRace(name, _) => match name.split_once(" of function '") {
            Some((_, method)) => uses_its_own(method.trim_end_matches('\'')),
            None => Error::script(format!("`{name}` is used by several lanes at once"))
                .hint("return values from the closure instead"),
        },
        EvalAltResult::ErrorStackOverflow(_) => too_deep_calls(),
        EvalAltResult::ErrorMismatchDataType(wanted, found, _) => Error::script(format!(
            "expected {}, found {}",
            type_word(wanted),
            if found.is_empty() { "something else" } else { type_word(found) }
        )),
        other => Error::script(decapitalise(&plain(other))),
    }
}

/// `Unknown property 'x' - a getter is not registered for type 'array'`, in words.
fn no_property(text: &str) -> Error {
    let mut quoted = text.split('\'').skip(1).step_by(2);
    let (name, kind) = (quoted.next().unwrap_or_default(), quoted.next().map_or("this", type_word));
    let error = Error::script(format!("{kind} has no field `{name}`"));
    match kind {
        "job" => error.hint("`jobs()` shows the state of jobs; `wait_for(job)` gives what one returned"),
        _ => error.hint("only object maps have fields; a method is called with brackets: `.len()`"),
    }
}

/// `map.keys().filter(|key| map[key] > 1)`: the language locks the start of a chain until the chain ends.
pub fn uses_its_own(method: &str) -> Error {
    Error::script(format!("the closure that `{method}` runs uses the variable that its own chain begins with"))
        .hint(format!("give it a name first: `let of = ...;`, then `of.{method}(...)`"))
}

/// `- (&str | ImmutableString | String, i64)`, in words.
fn function_not_found(signature: &str) -> Error {
    let (name, types) = signature.split_once(" (").or_else(|| signature.split_once('(')).unwrap_or((signature, ")"));
    let arguments: Vec<&str> =
        types.strip_suffix(')').unwrap_or(types).split(", ").filter(|text| !text.is_empty()).map(type_word).collect();
    if name.starts_with("anon$") {
        return wrong_closure(arguments.len());
    }
    let is_operator = !name.starts_with(|character: char| character.is_alphabetic() || character == '_');
    let error = match arguments.as_slice() {
        [only] if is_operator => Error::script(format!("`{name}` does not work on {only}")),
        [left, right] if is_operator => Error::script(format!("`{name}` does not work between {left} and {right}")),
        [] => Error::script(format!("unknown function `{name}` without arguments")),
        some => Error::script(format!("`{name}` does not work with {}", some.join(", "))),
    };
    let count = arguments.len();
    if is_operator { error } else { error.detail("unknown_function", name).detail("arguments", count) }
}

/// The word for people for the engine's name of a type.
fn type_word(name: &str) -> &str {
    match name {
        name if name.contains("String") || name.contains("str") || name == "char" => "a text",
        "i64" | "INT" => "a whole number",
        "f64" | "FLOAT" => "a number",
        "bool" => "true or false",
        "()" => "nothing `()`",
        name if name.contains("Array") || name == "array" => "a list",
        name if name.contains("Map") || name == "map" => "an object map",
        name if name.contains("Fn") => "a closure",
        name if name.contains("range") || name.contains("Range") => "a range",
        other => other,
    }
}

/// A closure called with a wrong number of arguments: the engine knows it by a generated name.
fn wrong_closure(count: usize) -> Error {
    let (arguments, written) = match count {
        0 => ("no argument", "|| ..."),
        1 => ("1 argument", "|item| ..."),
        _ => ("several arguments", "|a, b| ..."),
    };
    Error::script(format!("this closure is called with {arguments}, and has another number of parameters"))
        .hint(format!("write it as `{written}`; one that a module has made can only be called in that module"))
}

/// The engine's message without the position that it appends.
fn plain(thrown: &EvalAltResult) -> String {
    let mut copy = thrown.to_string();
    if let Some(at) = copy.rfind(" (line ") {
        copy.truncate(at);
    }
    copy
}

fn decapitalise(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) if characters.as_str().chars().next().is_none_or(char::is_lowercase) => {
            first.to_lowercase().collect::<String>() + characters.as_str()
        }
        _ => text.to_owned(),
    }
}

/// A thrown value as an error: one of our maps, any other value, or a plain text.
pub fn from_thrown(value: &Dynamic) -> Error {
    let shown = to_shown(value);
    let Value::Object(mut fields) = shown else {
        let text = match shown {
            Value::Null => "the runbook threw nothing: `throw` without a value".to_owned(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        return Error::script(text);
    };
    let kind = fields.get("kind").and_then(Value::as_str).and_then(kind_of);
    let (Some(kind), Some(message)) = (kind, fields.get("message").and_then(Value::as_str).map(str::to_owned)) else {
        let message = fields.get("message").and_then(Value::as_str).map(str::to_owned);
        return Error::script(message.unwrap_or_else(|| Value::Object(fields.clone()).to_string()));
    };
    let mut error = Error::new(kind, message);
    error.hint = fields.get("hint").and_then(Value::as_str).map(str::to_owned);
    for name in ["kind", "message", "hint", "line", "column"] {
        fields.remove(name);
    }
    fields.retain(|_, value| !value.is_null());
    error.details = fields;
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_way_through_a_script() {
        let error = Error::new(Kind::Api, "refused").hint("look").detail("status", 400).detail("request_id", "req-1");
        let back = locate(&throw(error, Position::new(3, 7)));
        assert_eq!(back.error.kind, Kind::Api);
        assert_eq!(back.error.message, "refused");
        assert_eq!(back.error.hint.as_deref(), Some("look"));
        assert_eq!(back.error.status(), Some(400));
        assert_eq!(back.place, Some(Location { source: None, line: 3, column: 7 }));
    }

    #[test]
    fn every_kind_of_error_is_known_again_by_its_word() {
        for kind in [Kind::NotFound, Kind::Limit, Kind::NeedsAnswer, Kind::Internal] {
            assert_eq!(kind_of(kind.word()), Some(kind));
        }
        assert_eq!(kind_of("something"), None);
    }

    #[test]
    fn the_engines_types_are_told_in_words() {
        let message = |code: &str| locate(&rhai::Engine::new().run(code).expect_err("wrong")).error.message;
        assert_eq!(message("\"a\" - 1"), "`-` does not work between a text and a whole number");
        assert_eq!(message("-\"a\""), "`-` does not work on a text");
        assert_eq!(message("let x = 1; x.len()"), "`len` does not work with a whole number");
        let closure = "this closure is called with 1 argument, and has another number of parameters";
        assert_eq!(message("let f = |a, b| a; f.call(1)"), closure);
        assert_eq!(message("throw"), "the runbook threw nothing: `throw` without a value");
    }

    #[test]
    fn an_interruption_cannot_be_caught() {
        let engine = {
            let mut engine = rhai::Engine::new();
            engine.register_fn("stop", || -> Result<(), Box<EvalAltResult>> {
                Err(throw(Error::interrupted(), Position::NONE))
            });
            engine
        };
        let thrown = engine.run("try { stop() } catch (e) { }").expect_err("uncatchable");
        assert_eq!(locate(&thrown).error.kind, Kind::Interrupted);
    }
}
