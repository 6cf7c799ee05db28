//! `exit`: a runbook that ends itself, with an exit code of its choice.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext, Position};

use crate::error::{Error, Kind};
use crate::language::error::{Located, throw};
use crate::runtime::host::Host;
use crate::runtime::lane::Lane;

/// The detail of the error that stands for such an end.
const CODE: &str = "exit";

/// Registers `exit`, which is the language's own but for the exit code.
pub fn register(engine: &mut Engine, host: &Arc<Host>) {
    let leave = |host: &Arc<Host>| {
        let host = host.clone();
        move |context: NativeCallContext<'_>, code: Dynamic| leave(&host, &code, context.call_position())
    };
    let (with, without) = (leave(host), leave(host));
    engine.register_fn("exit", with);
    engine.register_fn("exit", move |context: NativeCallContext<'_>| without(context, Dynamic::from_int(0)));
}

fn leave(host: &Host, code: &Dynamic, position: Position) -> Result<Dynamic, Box<EvalAltResult>> {
    if Lane::current().is_some_and(|lane| lane.origin.item.is_some()) {
        let error = Error::script("`exit` ends the whole run, which nothing inside a wave or a job may do");
        return Err(throw(error.hint("`return` ends the item well, `throw` ends it as failed"), position));
    }
    match code.as_int().ok().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => {
            let _ = host.exit.set(code);
            Err(Box::new(EvalAltResult::Exit(Dynamic::UNIT, position)))
        }
        None => {
            let error = Error::new(Kind::Input, format!("`exit` takes an exit code from 0 to 255, not `{code}`"));
            Err(throw(error, position))
        }
    }
}

/// The end that the script has chosen, unless that is 0.
pub fn chosen(host: &Host) -> Option<Located> {
    let code = host.exit.get().filter(|code| **code != 0)?;
    let error = Error::script(format!("the runbook ended itself with `exit({code})`"));
    Some(Located::nowhere(error.detail(CODE, u64::from(*code))))
}

/// The exit code that a script has chosen, if this error stands for that.
pub fn code(error: &Error) -> Option<u8> {
    error.details.get(CODE)?.as_u64()?.try_into().ok()
}
