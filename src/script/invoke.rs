//! The one path that every call takes: announce, read the arguments, run the body, announce.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, NativeCallContext};

use super::arguments::Arguments;
use super::call::Call;
use super::error::{Fault, locate};
use super::function::{Effect, Function};
use super::host::{Host, Lane};
use crate::error::Error;
use crate::event::Fact;

/// Runs one call of `function`.
///
/// # Errors
/// What the body says, with the place of the call.
pub fn invoke(
    host: &Arc<Host>,
    function: &'static Function,
    name: &str,
    context: &NativeCallContext<'_>,
    arguments: &[Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    let position = context.call_position();
    let arguments =
        Arguments::read(function, name, arguments).map_err(|error| Fault::from(error).into_script(position))?;
    let lane = Lane::of(context);
    if function.effect == Effect::Pure {
        let call = Call { host, context, function, lane, number: 0, arguments, steps: 0 };
        return run(call).map_err(|fault| fault.into_script(position));
    }
    host.cancel.check().map_err(|error| Fault::from(error).into_script(position))?;
    let number = lane.next_call();
    host.emit(&lane, Fact::CallStarted { call: number, function: name.to_owned() });
    let call = Call { host, context, function, lane: lane.clone(), number, arguments, steps: 0 };
    let result = run(call).map_err(|fault| fault.into_script(position));
    let error = result.as_ref().err().map(|thrown| locate(thrown).error.message);
    host.emit(&lane, Fact::CallFinished { call: number, function: name.to_owned(), error });
    result
}

/// A panic in a body would cross the engine: it becomes an error that says it is ours.
fn run(mut call: Call<'_>) -> Result<Dynamic, Fault> {
    let function = call.function;
    catch_unwind(AssertUnwindSafe(|| (function.body)(&mut call))).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::internal(format!("a bug in `{}`: {said}", function.name)).hint("please report this").into())
    })
}
