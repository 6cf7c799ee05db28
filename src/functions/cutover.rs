//! Cutovers: the final copy, the deployment and its verification as one section.

use rhai::{Dynamic, FnPtr, Map as ScriptMap};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::event::{CutoverEnd, Fact};
use crate::functions::resolve::{TRANSFER, fetch, label};
use crate::functions::{resolve, sources};
use crate::language::arguments::options;
use crate::language::error::{Fault, SOURCE_OFF, locate, to_map};
use crate::language::returns::Returns;
use crate::language::spec::{A_REPLICA, Kind, Parameter, Spec};
use crate::runtime::call::Call;
use crate::runtime::failed::Failed;
use crate::runtime::function::Function;
use crate::runtime::saved;

options! {
    /// The options of a cutover.
    CUTOVER => Options {
        rollback: Option<Dynamic> = Kind::Any,
            "A closure for when the cutover fails. It gets `source_off`, `step` (the function that failed) and `error`, \
             and returns true once it has switched the source on, or the result of the command that did.";
    }
}

pub const ROWS: &[Function] = &[Function {
    spec: Spec::drives(
        "cutover",
        "Cut a VM over as one section: once it has begun, neither a pause nor the failures of others end it half way.",
    )
    .parameters(&[
        TRANSFER,
        Parameter::optional("options", Kind::Options(&[CUTOVER]), "The way back."),
        Parameter::required(
            "body",
            Kind::Closure,
            "The final copy, the deployment and its verification; it gets `transfer`, `source_off`, `step` and `error`.",
        ),
    ])
    .returns(Returns::value(
        "the closure's result; throws its error after the rollback, with `rolled_back` and `source_off`",
    ))
    .given(A_REPLICA)
    .example(
        "cutover(r, #{ rollback: |c| print(c.source_off) }, |c| {\n    \
         let last = replica_sync(r, #{ shutdown_instances: true });\n    \
         replica_deploy(r, #{ requires: last });\n});",
    ),
    body: cutover,
}];

fn cutover(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::transfer(call, &call.argument("transfer"))?;
    let transfer = fetch(call, &id)?;
    let label = label(&transfer);
    let Options { rollback } = Options::of(call.options())?;
    let rollback = rollback.map(|way| closure(&way)).transpose()?;
    if let Some(reason) = call.lane.stop().filter(|_| !is_open(call)) {
        return Err(not_entered(&label, reason).into());
    }
    let body = call.closure("body")?;
    let _section = call.lane.section();
    call.emit(Fact::CutoverEntered { label: label.clone() });
    let failed = match Failed::before(call)? {
        Some(failed) => failed,
        None => {
            let argument = argument(call, &transfer, None);
            match body.call_within_context::<Dynamic>(call.context, (argument,)) {
                Ok(value) => {
                    call.emit(Fact::CutoverEnded { label, end: CutoverEnd::Verified });
                    return Ok(value);
                }
                Err(thrown) => Failed::now(call, thrown)?,
            }
        }
    };
    let end = roll_back(call, &transfer, rollback.as_ref(), &failed)?;
    call.emit(Fact::CutoverEnded { label, end });
    let off = is_off(call);
    Err(failed.into_fault(end == CutoverEnd::RolledBack, off))
}

/// True if an earlier process has entered it: it is brought to its end, whatever has happened to the others.
fn is_open(call: &Call<'_>) -> bool {
    call.sources().is_cutting_over(&call.lane.origin.lane)
}

fn is_off(call: &Call<'_>) -> bool {
    call.sources().of_lane(&call.lane.origin.lane).next().is_some()
}

fn not_entered(label: &str, reason: &str) -> Error {
    Error { message: format!("`{label}` was not cut over: nothing new starts, {reason}"), ..Error::interrupted() }
}

fn closure(way: &Dynamic) -> Result<FnPtr> {
    way.flatten_clone().try_cast::<FnPtr>().ok_or_else(|| {
        Error::script("`rollback` must be a closure").hint("write `rollback: |c| { ... }`").detail("key", "rollback")
    })
}

/// The argument of the closures.
fn argument(call: &Call<'_>, transfer: &Value, failed: Option<&Failed>) -> Dynamic {
    let mut map = ScriptMap::new();
    map.insert("transfer".into(), call.shown(transfer.clone()));
    map.insert(SOURCE_OFF.into(), is_off(call).into());
    let step = failed.map(|failed| failed.step.clone()).filter(|step| !step.is_empty());
    map.insert("step".into(), step.map_or(Dynamic::UNIT, Dynamic::from));
    map.insert("error".into(), failed.map_or(Dynamic::UNIT, |failed| to_map(&failed.error).into()));
    map.into()
}

/// Runs the rollback. Its own failure never hides the cutover's.
///
/// # Errors
/// One that ends the run: it goes on here when it is resumed.
fn roll_back(
    call: &Call<'_>,
    transfer: &Value,
    rollback: Option<&FnPtr>,
    failed: &Failed,
) -> Result<CutoverEnd, Fault> {
    let Some(rollback) = rollback else { return Ok(CutoverEnd::Failed) };
    let label = label(transfer);
    let argument = argument(call, transfer, Some(failed));
    match rollback.call_within_context::<Dynamic>(call.context, (argument,)) {
        Ok(said) if says_on(&said) => {
            let lane = call.lane.origin.lane.clone();
            sources::switched_on(call, |source| source.is_of(&lane), "its rollback");
            Ok(CutoverEnd::RolledBack)
        }
        Ok(_) if !is_off(call) => Ok(CutoverEnd::RolledBack),
        Ok(_) => {
            call.warn(format!(
                "the rollback of `{label}` did not say that its source is on: it counts as off (return true from it)"
            ));
            Ok(CutoverEnd::Failed)
        }
        Err(thrown) => {
            let error = locate(&thrown).error;
            if !saved::ends(call.host, &error) {
                return Err(thrown.into());
            }
            call.warn(format!("the rollback of `{label}` failed: {}", error.message));
            Ok(CutoverEnd::Failed)
        }
    }
}

/// True if the rollback's result says that the source is on: it is true, or that of a command that succeeded.
fn says_on(said: &Dynamic) -> bool {
    let code = said.read_lock::<ScriptMap>().and_then(|map| map.get("code").and_then(|code| code.as_int().ok()));
    said.as_bool() == Ok(true) || code == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_says_by_its_result_that_the_source_is_on() {
        let command = |code: i64| Dynamic::from(ScriptMap::from([("code".into(), code.into())]));
        for (said, on) in [
            (Dynamic::TRUE, true),
            (Dynamic::FALSE, false),
            (Dynamic::UNIT, false),
            (Dynamic::from("on"), false),
            (command(0), true),
            (command(1), false),
        ] {
            assert_eq!(says_on(&said), on, "{said}");
        }
    }
}
