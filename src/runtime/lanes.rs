//! Closures on lanes of their own: each sees the script as sequential code does, and works on copies of its captures.

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnPtr, FuncArgs, GlobalRuntimeState, Map as ScriptMap, NativeCallContext,
    Position,
};
use std::sync::Arc;

use crate::error::Result;
use crate::language::error::in_lane;
use crate::language::finding::captured_write;
use crate::runtime::host::Host;
use crate::runtime::lane::{Lane, LaneTag};

/// A closure of the script that can run on any thread, any number of times.
pub struct Runner<'a> {
    engine: &'a Engine,
    closure: Background,
}

/// The same without an engine: the caller that runs it brings one.
pub struct Background {
    global: GlobalRuntimeState,
    source: Option<String>,
    position: Position,
    closure: FnPtr,
}

impl<'a> Runner<'a> {
    /// # Errors
    /// As [`Background::new`].
    pub fn new(host: &Host, context: &'a NativeCallContext<'a>, closure: &FnPtr) -> Result<Self> {
        Ok(Self { engine: context.engine(), closure: Background::new(host, context, closure)? })
    }

    /// The position of the call that runs it.
    pub fn position(&self) -> Position {
        self.closure.position
    }

    /// Runs the closure on this thread as `lane`.
    ///
    /// # Errors
    /// That of the closure.
    pub fn run(&self, lane: &Arc<Lane>, argument: &Dynamic) -> Result<Dynamic, Box<EvalAltResult>> {
        self.closure.call(self.engine, lane, (detach(argument),))
    }
}

impl Background {
    /// # Errors
    /// `Script` when the closure assigns to a variable that it captured: each lane has its own copy, so the writes
    /// would be lost silently.
    pub fn new(host: &Host, context: &NativeCallContext<'_>, closure: &FnPtr) -> Result<Self> {
        if let Some(name) = host.captured_write(closure.fn_name()) {
            return Err(captured_write(&name, context.fn_name()));
        }
        let global = context.global_runtime_state().clone();
        let source = context.fn_source().map(str::to_owned);
        let mut closure = closure.clone();
        closure.set_curry(closure.iter_curry().map(detach).collect::<Vec<_>>());
        Ok(Self { global, source, position: context.call_position(), closure })
    }

    /// Runs the closure, which takes no argument, on this thread as `lane`.
    ///
    /// # Errors
    /// That of the closure.
    pub fn run(&self, engine: &Engine, lane: &Arc<Lane>) -> Result<Dynamic, Box<EvalAltResult>> {
        self.call(engine, lane, ())
    }

    fn call(&self, engine: &Engine, lane: &Arc<Lane>, arguments: impl FuncArgs) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut global = self.global.clone();
        global.tag = Dynamic::from(LaneTag(lane.clone()));
        let context =
            NativeCallContext::new_with_all_fields(engine, "wave", self.source.as_deref(), &global, self.position);
        let mut closure = self.closure.clone();
        closure.set_curry(self.closure.iter_curry().map(detach).collect::<Vec<_>>());
        let result = lane.enter(|| closure.call_within_context::<Dynamic>(&context, arguments));
        result.map_err(|thrown| match (&lane.origin.wave, &lane.origin.item) {
            (Some(wave), Some(item)) => {
                in_lane(thrown, wave, item, self.source.as_deref().unwrap_or(""), self.position)
            }
            _ => thrown,
        })
    }
}

/// A copy that shares nothing with its original: captured variables are shared cells, and readers of one cell on many
/// threads get in each other's way.
pub fn detach(value: &Dynamic) -> Dynamic {
    if value.is_shared() {
        return detach(&value.flatten_clone());
    }
    if let Some(values) = value.read_lock::<Array>() {
        return values.iter().map(detach).collect::<Array>().into();
    }
    if let Some(fields) = value.read_lock::<ScriptMap>() {
        return fields.iter().map(|(name, value)| (name.clone(), detach(value))).collect::<ScriptMap>().into();
    }
    if let Some(closure) = value.read_lock::<FnPtr>() {
        let mut copy = closure.clone();
        copy.set_curry(closure.iter_curry().map(detach).collect::<Vec<_>>());
        return Dynamic::from(copy);
    }
    value.clone()
}
