//! Retries of units that failed, with a doubling pause, as often as their options allow.

use std::time::Duration;

use serde_json::Value;

use crate::duration;
use crate::error::{Error, Kind, Result};
use crate::event::{Cause, Fact};
use crate::runtime::call::Call;

const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Runs `attempt` once and up to `retries` times more; `backoff` is the pause before the first retry.
///
/// # Errors
/// That of the last try, with the number of `tries` if there was more than one.
pub fn attempts(
    call: &mut Call<'_>,
    retries: Option<i64>,
    backoff: Option<Duration>,
    mut attempt: impl FnMut(&mut Call<'_>) -> Result<Value>,
) -> Result<Value> {
    let retries = u32::try_from(retries.unwrap_or(0).max(0)).unwrap_or(u32::MAX);
    let first = backoff.unwrap_or(FIRST_PAUSE);
    let mut tries = 1;
    loop {
        let error = match attempt(call) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if !is_worth_a_retry(&error) || tries > retries {
            return Err(if tries > 1 { error.detail("tries", tries) } else { error });
        }
        let pause = duration::backoff(first, LONGEST_PAUSE.max(first), tries);
        tries += 1;
        let (clock, next) = (&call.host.clock, call.deadline(pause)?);
        let (function, cause) = (call.function.name.to_owned(), Cause::of(&error));
        if next > clock.instant() {
            let next = clock.time_of(next);
            call.emit(Fact::UnitRetried { function, attempt: tries, attempts: retries.saturating_add(1), cause, next });
        }
        call.host.cancel.sleep_until(clock, next)?;
    }
}

/// Somebody cancelled it, it vanished, or a guard refused: trying again would go against them.
fn is_worth_a_retry(error: &Error) -> bool {
    matches!(error.kind, Kind::Failed | Kind::Api | Kind::Unreachable)
}
