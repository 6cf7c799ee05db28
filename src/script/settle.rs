//! What became of a change whose answer was lost: look on the server for what it may have made, and adopt it.

use jiff::SignedDuration;
use serde_json::Value;

use super::call::{Call, unknown};
use crate::client::{Failure, Request};
use crate::error::Result;

/// What to do with a change that no look finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// Send it again: applied late as well, the server would refuse the second one.
    Again,
    /// Leave it to the operator: a second one would make a second thing.
    Ask,
}

/// How often a change is sent at most.
const TRIES: u32 = 3;
/// How long a request may be under way on the server before a look can miss it.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(5);

/// Sends a change; when its answer is lost, `look` tells what it has made, if anything.
///
/// # Errors
/// What the server says; `Unknown` when nobody can tell.
pub fn change(
    call: &mut Call<'_>,
    request: &Request,
    otherwise: Otherwise,
    look: impl Fn(&Call<'_>) -> Result<Option<Value>>,
) -> Result<Value> {
    for tries in 1.. {
        let error = match call.try_change(request)? {
            Ok(made) => return Ok(made),
            Err(Failure::Refused(error)) => return Err(error),
            Err(Failure::Lost(error)) => error,
        };
        let lost = format!("lost the answer to {} {} ({error})", request.method.word(), request.path);
        if let Some(made) = search(call, &look).map_err(|_| unknown(error.clone()))? {
            call.warn(format!("{lost}: it was carried out, going on with what it made"));
            return Ok(made);
        }
        if otherwise == Otherwise::Ask || tries == TRIES {
            return Err(unknown(error));
        }
        call.warn(format!("{lost}: it was not carried out, sending it again"));
    }
    unreachable!("the loop ends with its last try")
}

/// Looks at once, and again when what was under way must have arrived.
fn search(call: &Call<'_>, look: impl Fn(&Call<'_>) -> Result<Option<Value>>) -> Result<Option<Value>> {
    for pause in [SignedDuration::ZERO, UNDER_WAY] {
        call.host.cancel.sleep_until(&call.host.clock, call.host.clock.now() + pause)?;
        if let Some(made) = look(call)? {
            return Ok(Some(made));
        }
    }
    Ok(None)
}
