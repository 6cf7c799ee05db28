//! What became of a change whose answer was lost: look on the server for what it may have made, and adopt it.
//!
//! Answers are lost on a live connection, and when the process ends between sending and reading: both come here.

use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::call::{Call, Sent};
use super::sends::Again;
use crate::client::Request;
use crate::error::{Error, Kind, Result};

/// How often a change is sent at most.
const TRIES: u32 = 3;
/// How long a request may be under way on the server before a look can miss it: the slowest of 24 at once took 7 s.
const UNDER_WAY: [SignedDuration; 3] =
    [SignedDuration::ZERO, SignedDuration::from_secs(5), SignedDuration::from_secs(20)];

/// Sends a change; when its answer is lost, `look` tells what it has made, if anything. What is nowhere to be found
/// after a while was not carried out, and is sent again.
///
/// # Errors
/// What the server says; `Unknown` when nobody can tell.
pub fn change(call: &Call<'_>, request: &Request, look: impl Fn(&Call<'_>) -> Result<Option<Value>>) -> Result<Value> {
    as_told(call, request, |again| matches!(again, Again::Marked(_) | Again::Compared(_)));
    let what = format!("{} {}", request.method.word(), request.path);
    for tries in 1.. {
        let (key, sent) = call.send(request)?;
        let error = match sent {
            Sent::Done(made) => return Ok(made),
            Sent::Refused(error) => return Err(error),
            // What was looked for in vain was sent again, or is to be.
            Sent::Absent => continue,
            Sent::Lost(error) => error,
        };
        call.is_open()?;
        let lost = format!("lost the answer to {what} ({error})");
        if let Some(made) = search(call, &look).map_err(|why| unfound(&error, &why))? {
            call.settle(&key, Some(&made))?;
            call.warn(format!("{lost}: it was carried out, going on with what it made"));
            return Ok(made);
        }
        if tries >= TRIES {
            return Err(unknown(error));
        }
        call.settle(&key, None)?;
        call.warn(format!("{lost}: it was not carried out, sending it again"));
    }
    unreachable!("the loop ends with its last try")
}

/// Sends a change that may be sent twice: the second time it changes nothing, or says that there is nothing to change.
///
/// # Errors
/// What the server says; `Unknown` when it answers none of several tries.
pub fn repeat(call: &Call<'_>, request: &Request, is_done: impl Fn(&Error) -> bool) -> Result<Value> {
    as_told(call, request, |again| again == Again::Safe);
    let mut repeated = false;
    for tries in 1.. {
        let (key, sent) = call.send(request)?;
        match sent {
            Sent::Done(answer) => return Ok(answer),
            Sent::Refused(error) if repeated && is_done(&error) => return Ok(Value::Null),
            Sent::Refused(error) => return Err(error),
            Sent::Absent => repeated = true,
            Sent::Lost(error) if tries >= TRIES => return Err(unknown(error)),
            Sent::Lost(error) => {
                call.is_open()?;
                call.settle(&key, None)?;
                let (method, path) = (request.method.word(), &request.path);
                call.warn(format!("lost the answer to {method} {path} ({error}): sending it again does no harm"));
                repeated = true;
            }
        }
    }
    unreachable!("the loop ends with its last try")
}

/// Deletes: what is gone the second time was deleted the first time.
///
/// # Errors
/// As [`repeat`].
pub fn remove(call: &Call<'_>, request: &Request) -> Result<Value> {
    repeat(call, request, |refusal| refusal.status() == Some(404))
}

/// Makes a thing that can be found again: its field `mark` gets a line that names the run and the step.
///
/// # Errors
/// As [`change`].
pub fn make(
    call: &Call<'_>,
    mark: &str,
    mut fields: Map<String, Value>,
    build: impl Fn(Map<String, Value>) -> Result<Request>,
    list: impl Fn(&Call<'_>) -> Result<Vec<Value>>,
) -> Result<Value> {
    let marker = call.marker();
    let text = match fields.get(mark).and_then(Value::as_str).filter(|text| !text.is_empty()) {
        Some(text) => format!("{text}\n{marker}"),
        None => marker.clone(),
    };
    fields.insert(mark.to_owned(), text.into());
    let request = build(fields)?;
    as_told(call, &request, |again| matches!(again, Again::Marked(field) if field == mark));
    change(call, &request, |call| {
        let marked = |thing: &Value| thing[mark].as_str().is_some_and(|text| text.ends_with(&marker));
        let mut found = list(call)?.into_iter().filter(marked);
        Ok(found.next())
    })
}

/// Looks at once, and again when what was under way must have arrived.
fn search(call: &Call<'_>, look: impl Fn(&Call<'_>) -> Result<Option<Value>>) -> Result<Option<Value>> {
    for pause in UNDER_WAY {
        call.host.cancel.sleep_until(&call.host.clock, call.host.clock.now() + pause)?;
        if let Some(made) = look(call)? {
            return Ok(Some(made));
        }
    }
    Ok(None)
}

/// Sends a change of which the server shows nothing afterwards: when its answer is lost, somebody has to say whether it
/// is sent again.
///
/// # Errors
/// What the server says; `Unknown` when nobody answers, `Refused` when somebody says no.
pub fn ask(call: &Call<'_>, request: &Request) -> Result<Value> {
    as_told(call, request, |again| again == Again::Asked);
    let what = format!("{} {}", request.method.word(), request.path);
    loop {
        let (key, sent) = call.send(request)?;
        let error = match sent {
            Sent::Done(answer) => return Ok(answer),
            Sent::Refused(error) => return Err(error),
            Sent::Absent => continue,
            Sent::Lost(error) => error,
        };
        call.is_open()?;
        let gate = call.gate_of_step(&key);
        let question =
            format!("the answer to {what} was lost, and nothing shows whether it was carried out. Send it again?");
        match call.ask(&gate, &question)? {
            Some(answer) if answer.is_yes() => call.settle(&key, None)?,
            Some(answer) => {
                return Err(Error::new(Kind::Refused, format!("{what} was not sent again: {} said no", answer.by)));
            }
            None => {
                let run = call.run();
                let hint = format!(
                    "look at the server; then `coriolis-run answer {run} {gate} yes` to send it again, or `no`, and \
                     `coriolis-run resume {run}`"
                );
                return Err(unknown(error).hint(hint));
            }
        }
    }
}

/// The reference promises how each request is repeated: tests hold the bodies to the rows.
fn as_told(call: &Call<'_>, request: &Request, fits: impl Fn(Again) -> bool + Copy) {
    debug_assert!(
        call.function.sends.iter().any(|sends| sends.says(request, fits)),
        "its row does not say so of {} {}",
        request.method.word(),
        request.path
    );
}

/// A change of which nobody knows whether it was applied: no script may catch this and go on.
fn unknown(error: Error) -> Error {
    let hint = "look at the server before you repeat it; it was not sent again";
    Error { kind: Kind::Unknown, hint: error.hint.clone().or_else(|| Some(hint.to_owned())), ..error }
}

/// The look itself failed.
fn unfound(error: &Error, why: &Error) -> Error {
    if why.kind.is_final() {
        why.clone()
    } else {
        unknown(error.clone()).context(format!("while looking for it: {why}"))
    }
}
