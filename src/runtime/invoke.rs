//! The one path of every call: reading the arguments, consulting the journal, announcing, running the body, recording.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{Array, Dynamic, EvalAltResult, Map as ScriptMap, NativeCallContext, Position};

use crate::error::{Error, Result};
use crate::event::Fact;
use crate::journal::record::{Identity, Saved};
use crate::journal::replay::{Replay, mismatch};
use crate::language::arguments::Arguments;
use crate::language::error::{Fault, locate};
use crate::language::spec::{Effect, Kind, Spec};
use crate::language::value::Secret;
use crate::runtime::call::Call;
use crate::runtime::drive::with_source;
use crate::runtime::function::{Body, Function};
use crate::runtime::host::Host;
use crate::runtime::lane::Lane;
use crate::runtime::saved;
use crate::runtime::saved::Source;
use crate::runtime::secrets::received;
use crate::runtime::standing;

type Returned = Result<Dynamic, Box<EvalAltResult>>;

/// Runs one call of `function`.
///
/// # Errors
/// That of the body, with the position of the call.
pub fn invoke(
    host: &Arc<Host>,
    function: &'static Function,
    name: &str,
    context: &NativeCallContext<'_>,
    arguments: &[Dynamic],
) -> Returned {
    let position = context.call_position();
    let (function, body) = (&function.spec, function.body);
    let read = Arguments::read(function, name, arguments).map_err(|error| Fault::from(error).into_script(position))?;
    let lane = Lane::of(context);
    if function.effect == Effect::Pure {
        let identity = Identity { function: function.name.to_owned(), arguments: String::new(), shown: String::new() };
        let call = Call { host, context, function, lane, number: 0, arguments: read, identity, steps: Cell::new(0) };
        return run(call, body).map_err(|fault| fault.into_script(position));
    }
    let host = if lane.is_inside() { host.unpaused() } else { host };
    host.cancel.check().map_err(|error| Fault::from(error).into_script(position))?;
    let number = lane.next_call();
    let identity = saved::identity(host, function, &identifying(function, arguments));
    let call = Call {
        host,
        context,
        function,
        lane: lane.clone(),
        number,
        arguments: read,
        identity: identity.clone(),
        steps: Cell::new(0),
    };
    if let Some(returned) = recorded(&call, arguments, position) {
        lane.ended(name, returned.is_err());
        return returned;
    }
    usable(arguments).map_err(|error| Fault::from(error).into_script(position))?;
    host.emit(&lane, Fact::CallStarted { call: number, function: name.to_owned() });
    // A closure among the arguments makes calls of its own: this one comes before them in the journal.
    let begun = if function.takes_closure() { call.record_start() } else { Ok(()) };
    let result = begun.map_err(Fault::from).and_then(|()| run(call, body));
    // A value that a closure of the script returned is the script's own.
    let result = if function.effect == Effect::Drives { result } else { result.map(received) };
    let result = result.map_err(|fault| match fault {
        Fault::Error(error) => Fault::Error(with_source(host, &lane.origin.lane, error)),
        thrown @ Fault::Thrown(_) => thrown,
    });
    // The script gets the error as it is recorded, so that it takes the same way again.
    let result = result.map_err(|fault| saved::mask_thrown(host, fault));
    let result = record(host, function, &lane, number, &identity, &result).and(result);
    let result = result.map_err(|fault| fault.into_script(position));
    lane.ended(name, result.is_err());
    let error = result.as_ref().err().map(|thrown| locate(thrown).error.message);
    host.emit(&lane, Fact::CallFinished { call: number, function: name.to_owned(), error });
    result
}

/// The recorded result of this call; `None` if it is to be made.
fn recorded(call: &Call<'_>, arguments: &[Dynamic], position: Position) -> Option<Returned> {
    let (host, number, identity) = (call.host, call.number, &call.identity);
    let path = &call.lane.origin.lane;
    let source = source(call.function, arguments);
    let fails = |error: Error| Some(Err(Fault::from(error).into_script(position)));
    match host.journal.replay(path, number, identity) {
        Replay::Live => None,
        Replay::Differs(was) => fails(mismatch(path, number, &was, identity)),
        Replay::Answer(result, last) => {
            let outdated = match &result {
                Saved::Ok(given) => standing::recheck(call, given),
                _ => Ok(false),
            };
            match outdated
                .and_then(|outdated| if outdated { host.journal.anew(path, number).map(|()| true) } else { Ok(false) })
            {
                Ok(true) => return None,
                Ok(false) => {}
                Err(error) => return fails(error),
            }
            call.lane.skip_to(last);
            saved::replayed(host, result, &source, position)
        }
        Replay::Again(result) => match host.journal.returned(path, number, identity.clone(), result.clone(), number) {
            Ok(()) => saved::replayed(host, result, &source, position),
            Err(error) => fails(error),
        },
    }
}

/// Records the end of a call, if it has ended: an interrupted one is made when the run is resumed.
fn record(
    host: &Host,
    function: &Spec,
    lane: &Lane,
    number: u64,
    identity: &Identity,
    result: &Result<Dynamic, Fault>,
) -> Result<(), Fault> {
    let Some(outcome) = saved::outcome(host, function, result) else { return Ok(()) };
    // A function of recorded values alone is evaluated again rather than recorded.
    if outcome == Saved::Unwritten {
        return Ok(());
    }
    let last = lane.last_call();
    Ok(host.journal.returned(&lane.origin.lane, number, identity.clone(), outcome, last)?)
}

/// The arguments that identify a call: the number of items at once may be changed before a run is resumed.
fn identifying<'a>(function: &Spec, arguments: &'a [Dynamic]) -> Vec<&'a Dynamic> {
    let kinds = function.assign(arguments.len()).into_iter().map(|index| function.parameters[index].kind);
    let leaves_out = |kind: Kind| function.takes_closure() && matches!(kind, Kind::Options(_));
    arguments.iter().zip(kinds).filter(|(_, kind)| !leaves_out(*kind)).map(|(argument, _)| argument).collect()
}

/// The source of the secrets in a call's result.
fn source(function: &Spec, arguments: &[Dynamic]) -> Source {
    let first = || arguments.first().map(ToString::to_string).unwrap_or_default();
    match function.name {
        "secret_payload" => Source::Barbican(first()),
        "read_csv" | "read_json" => {
            let options = arguments.get(1).and_then(|options| options.read_lock::<ScriptMap>());
            let delimiter = options.and_then(|options| options.get("delimiter")?.clone().into_string().ok());
            Source::File { path: first(), delimiter: delimiter.and_then(|text| text.chars().next()) }
        }
        _ => Source::Nowhere,
    }
}

/// Reads secrets again that a resumed run has only as hashes, before they are used.
fn usable(arguments: &[Dynamic]) -> Result<()> {
    arguments.iter().try_for_each(|argument| match argument.read_lock::<ScriptMap>() {
        Some(fields) if fields.contains_key("id") => Ok(()),
        _ => readable(argument),
    })
}

/// Reads the secrets at any depth; an object of the server is sent by its id.
fn readable(value: &Dynamic) -> Result<()> {
    if value.is_shared() {
        return readable(&value.flatten_clone());
    }
    if let Some(secret) = value.read_lock::<Secret>() {
        return secret.expose().map(drop);
    }
    if let Some(values) = value.read_lock::<Array>() {
        return values.iter().try_for_each(readable);
    }
    match value.read_lock::<ScriptMap>() {
        Some(fields) if fields.contains_key("id") && fields.contains_key("connection_info") => Ok(()),
        Some(fields) => fields.values().try_for_each(readable),
        None => Ok(()),
    }
}

/// Runs a body; a panic, which must not cross the engine, becomes an error that says it is ours.
fn run(mut call: Call<'_>, body: Body) -> Result<Dynamic, Fault> {
    let function = call.function;
    catch_unwind(AssertUnwindSafe(|| body(&mut call))).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::internal(format!("a bug in `{}`: {said}", function.name)).hint("please report this").into())
    })
}
