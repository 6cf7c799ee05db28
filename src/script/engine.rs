//! The engine: the language as runbooks see it, with every row of the table registered.

use std::any::TypeId;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rhai::{Dynamic, Engine, ImmutableString, OptimizationLevel, Position, Token};

use super::access::bounded;
use super::error::throw;
use super::function::Function;
use super::functions;
use super::host::Host;
use super::invoke::invoke;
use super::job;
use super::lane::{Lane, LaneTag};
use super::modules::Modules;
use super::{nesting, secrets, sizes};
use crate::decode;
use crate::error::{Error, plain};
use crate::event::{Fact, Level};
use crate::limits::Limits;
use crate::memory;

/// How deep functions may call each other, and expressions nest: the same in debug and release builds.
const CALL_LEVELS: usize = 64;
pub const EXPRESSION_DEPTH: usize = 128;
/// What a lane's thread needs for that many levels of the engine's recursion, in a debug build.
pub const LANE_STACK: usize = 16 << 20;

/// An engine whose functions work on `host`; calls outside any wave belong to `main`.
pub fn build(host: &Arc<Host>, main: &Arc<Lane>) -> Engine {
    let mut engine = bare();
    engine.set_default_tag(Dynamic::from(LaneTag(main.clone())));
    engine.set_module_resolver(Modules::of(&host.imports));
    sizes::register(&mut engine);
    for function in functions::TABLES.iter().flat_map(|(_, rows)| rows.iter()) {
        for name in function.spec.names() {
            register(&mut engine, host, &name, function);
        }
    }
    host.register_modules(&mut engine);
    let printer = host.clone();
    engine.on_print(move |text| say(&printer, Fact::Printed { text: text.to_owned() }));
    let debugger = host.clone();
    engine.on_debug(move |text, _, position| {
        let message = format!("{text} ({position})");
        say(&debugger, Fact::Logged { level: Level::Debug, message, hint: None });
    });
    let reader = host.clone();
    #[allow(deprecated, reason = "the engine marks its volatile interfaces so")]
    engine.on_var(move |name, _, context| {
        reader.reads.look(name, context.scope());
        let within = memory::check().and_then(|()| nesting::check(context.scope(), reader.limits.nesting));
        within.map(|()| None).map_err(|error| throw(error, Position::NONE))
    });
    let cancel = host.cancel.clone();
    engine.on_progress(move |_| {
        let error = cancel.check().err()?;
        match *throw(error, Position::NONE) {
            rhai::EvalAltResult::ErrorTerminated(token, _) => Some(token),
            _ => None,
        }
    });
    engine
}

/// The language without any world: enough to parse and check.
pub fn bare() -> Engine {
    let mut engine = Engine::new();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_call_levels(CALL_LEVELS)
        .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH)
        .disable_symbol("eval");
    secrets::register(&mut engine);
    job::register(&mut engine);
    // The API's own `storage_mappings.default` needs one of the words that Rhai reserves for its future.
    #[allow(deprecated, reason = "the engine marks its volatile interfaces so")]
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(word) if matches!(word.as_str(), "default" | "spawn") => Token::Identifier(word),
        other => other,
    });
    engine
}

/// Once per number of arguments; `Dynamic` takes any kind, so that the row decides and says what is wrong.
fn register(engine: &mut Engine, host: &Arc<Host>, name: &str, function: &'static Function) {
    let (least, most) = function.spec.arity();
    for count in least..=most {
        register_types(engine, host, name, function, &vec![TypeId::of::<Dynamic>(); count]);
    }
    // The engine's own functions of one argument are found by its exact type first.
    if least <= 1 {
        for only in [TypeId::of::<i64>(), TypeId::of::<f64>(), TypeId::of::<ImmutableString>()] {
            register_types(engine, host, name, function, &[only]);
        }
    }
}

fn register_types(engine: &mut Engine, host: &Arc<Host>, name: &str, function: &'static Function, types: &[TypeId]) {
    let (host, spelling) = (host.clone(), name.to_owned());
    engine.register_raw_fn(name, types, move |context, arguments| {
        // Cloned: taking an argument would empty the script's own variable.
        let arguments: Vec<Dynamic> = arguments.iter().map(|argument| argument.flatten_clone()).collect();
        invoke(&host, function, &spelling, &context, &arguments)
    });
}

fn say(host: &Arc<Host>, fact: Fact) {
    let lane = Lane::current().unwrap_or_else(Lane::main);
    // What was said before the run was interrupted is not said again.
    if !host.journal.is_replaying(&lane.origin.lane, lane.last_call()) {
        host.emit(&lane, fact);
    }
}

/// Reads a runbook.
///
/// # Errors
/// `Input` when there is no such file, or it is not text.
pub fn read_runbook(path: &Path) -> Result<String, Error> {
    let read = File::open(path).and_then(|file| bounded(&file, Limits::DEFAULT.file));
    let bytes = read.map_err(|error| {
        Error::input(format!("cannot read the runbook `{}`: {}", path.display(), plain(&error))).caused_by(error)
    })?;
    script_text(&format!("the runbook `{}`", path.display()), &bytes)
}

/// The text of a script, whatever the editor that wrote it puts around it.
///
/// # Errors
/// `Input` when it is not text.
pub fn script_text(whose: &str, bytes: &[u8]) -> Result<String, Error> {
    let text = decode::text(bytes).map_err(|error| Error::input(format!("{whose}: {error}")).hint(error.hint()))?;
    Ok(decode::script(&text))
}
