//! The engine: the language as runbooks see it, with every row of the table registered.

use std::any::TypeId;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position};

use crate::cancel::Wish;
use crate::error::Result;
use crate::event::{Fact, Level};
use crate::language::error::{throw, too_deep_calls};
use crate::language::parser::{CALL_LEVELS, parser};
use crate::memory;
use crate::runtime::function::Function;
use crate::runtime::host::Host;
use crate::runtime::invoke::invoke;
use crate::runtime::job;
use crate::runtime::lane::{Lane, LaneTag};
use crate::runtime::modules::Modules;
use crate::runtime::{leave, nesting, secrets, sizes};

/// The stack of a lane's thread for the deepest recursion of the engine, in a debug build.
pub const LANE_STACK: usize = 16 << 20;

/// An engine whose functions work on `host`; calls outside any wave belong to `main`.
pub fn build(host: &Arc<Host>, main: &Arc<Lane>) -> Engine {
    let mut engine = bare();
    engine.set_default_tag(Dynamic::from(LaneTag(main.clone())));
    engine.set_module_resolver(Modules::new(&host.imports, host.language.mistakes));
    sizes::register(&mut engine);
    leave::register(&mut engine, host);
    ask_for_fields(&mut engine, host);
    (host.language.register)(&mut engine, host);
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
        let within = memory::check()
            .and_then(|()| nesting::check(context.scope(), reader.limits.nesting))
            .and_then(|()| call_depth(context.call_level()));
        within.map(|()| None).map_err(|error| throw(error, Position::NONE))
    });
    let cancel = host.cancel.clone();
    engine.on_progress(move |_| {
        let error = cancel.check().err()?;
        if cancel.wish() == Wish::Pause && Lane::current().is_some_and(|lane| lane.is_inside()) {
            return None;
        }
        match *throw(error, Position::NONE) {
            EvalAltResult::ErrorTerminated(token, _) => Some(token),
            _ => None,
        }
    });
    engine
}

/// The engine's own error of one level more has the place of the outermost call.
fn call_depth(level: usize) -> Result<()> {
    if level > CALL_LEVELS { Err(too_deep_calls()) } else { Ok(()) }
}

/// Asking a row for a column is an error where several have its name, as reading it is: neither "no" nor `()` is true.
fn ask_for_fields(engine: &mut Engine, host: &Arc<Host>) {
    let doubled = {
        let host = host.clone();
        move |fields: &Map, name: &str| match host.doubled_in(fields, name) {
            Some(error) => Err(throw(error, Position::NONE)),
            None => Ok(()),
        }
    };
    let look = doubled.clone();
    engine.register_fn(
        "contains",
        move |fields: &mut Map, name: &str| -> std::result::Result<bool, Box<EvalAltResult>> {
            let is_there = fields.contains_key(name);
            if is_there { Ok(true) } else { look(fields, name).map(|()| false) }
        },
    );
    engine.register_fn(
        "get",
        move |fields: &mut Map, name: &str| -> std::result::Result<Dynamic, Box<EvalAltResult>> {
            match fields.get(name) {
                Some(value) => Ok(value.clone()),
                None => doubled(fields, name).map(|()| Dynamic::UNIT),
            }
        },
    );
}

/// The language without a world: enough to check, and to run functions without one.
pub fn bare() -> Engine {
    let mut engine = parser();
    secrets::register(&mut engine);
    job::register(&mut engine);
    engine
}

/// Gives an engine a function under all its names.
pub fn register(engine: &mut Engine, host: &Arc<Host>, function: &'static Function) {
    for name in function.spec.names() {
        register_name(engine, host, &name, function);
    }
}

/// Registers a function once per number of arguments; `Dynamic` accepts any kind, so that the row decides and explains
/// errors.
fn register_name(engine: &mut Engine, host: &Arc<Host>, name: &str, function: &'static Function) {
    let (least, most) = function.spec.arity();
    for count in least..=most {
        register_types(engine, host, name, function, &vec![TypeId::of::<Dynamic>(); count]);
    }
    // The engine finds its own functions of one argument by exact type first.
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
    // Output from before an interruption is not repeated.
    if !host.journal.is_replaying(&lane.origin.lane, lane.last_call()) {
        host.emit(&lane, fact);
    }
}
