//! The search for work that a run has done without a record: the journal was cut, was lost, or is an older copy. A
//! resumed run searches before it sends anything that is not on record.

use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::client::{Filters, Request, transfers};
use crate::duration;
use crate::error::{Error, Kind, Result};
use crate::journal::Past;
use crate::journal::marker::Marker;
use crate::journal::replay::Known;
use crate::language::sends::Again;
use crate::model::Object;
use crate::runtime::call::{Call, Guard};
use crate::runtime::found::Found;

/// The time by which the server's clock may be behind ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The object that an earlier process of this run has made with this request, if the journal lacks it. The step's mark
/// identifies it; where only a comparison could tell, somebody is asked.
///
/// A journal that does not appear to be behind is trusted about copies that leave the source on: schedules make such
/// copies in every pause, and a second one copies the changes and does no harm. A copy that may be the run's own is
/// named, and joined while it is running.
///
/// # Errors
/// `NeedsAnswer` when nobody answers; that of the guard, which is asked first if the journal is trusted; those of the
/// server or the network.
pub fn find(
    call: &Call<'_>,
    request: &Request,
    guard: Guard<'_>,
    look: impl Fn(&Call<'_>, &Value) -> Result<Found>,
) -> Result<Option<Value>> {
    let journal = &call.host.journal;
    let Some(past) = journal.past().filter(|_| call.knows_next(request) == Known::Nothing) else { return Ok(None) };
    call.go_live()?;
    look_for_marks(call)?;
    let is_marked =
        call.function.sends.iter().any(|sends| sends.says(request, |again| matches!(again, Again::Marked(_))));
    if !journal.is_behind() && !is_marked {
        if is_plain_copy(request) {
            return join_copy(call, request, look, past);
        }
        guard(call)?;
    }
    let found = look_for_any(call, look)?;
    let unknown = |thing: &&Value| !thing["id"].as_str().is_some_and(|id| journal.knows_id(id));
    if let Some(made) = found.ours().iter().find(unknown) {
        tell_behind(call)?;
        call.warn(format!("{} belongs to this run but is not in its journal: going on with it", named(made)));
        call.adopt(request, made)?;
        return Ok(Some(made.clone()));
    }
    let since = past.since.map(|since| since - SKEW);
    let mut candidates: Vec<&Value> = found.possible().filter(unknown).filter(|thing| is_since(thing, since)).collect();
    candidates.sort_by_key(|thing| thing["created_at"].as_str());
    let Some(oldest) = candidates.first() else { return Ok(None) };
    if ask_if_ours(call, request, oldest)? {
        call.adopt(request, oldest)?;
        return Ok(Some((*oldest).clone()));
    }
    Ok(None)
}

/// A copy that leaves the source on, is not on record, and may be an earlier process's: joined while it is running, or
/// named when it has ended and made again.
fn join_copy(
    call: &Call<'_>,
    request: &Request,
    look: impl Fn(&Call<'_>, &Value) -> Result<Found>,
    past: Past,
) -> Result<Option<Value>> {
    let found = look_for_any(call, look)?;
    let (since, until) = (past.last.map(|last| last - SKEW), past.taken_up + SKEW);
    let newest = found
        .possible()
        .filter(|thing| !thing["id"].as_str().is_some_and(|id| call.host.journal.knows_id(id)))
        .filter(|thing| is_since(thing, since) && made_at(thing).is_none_or(|made| made <= until))
        .max_by_key(|thing| thing["number"].as_i64());
    let Some(copy) = newest else { return Ok(None) };
    let seen = format!(
        "{} is not in this run's journal: a schedule made it, or a colleague, or this run itself, if the journal is \
         an older copy",
        named(copy)
    );
    let is_running = Object::from(copy).status().is_active();
    call.warn(format!("{seen}; {}", if is_running { "joining it" } else { "copying again what has changed since" }));
    if !is_running {
        return Ok(None);
    }
    call.adopt(request, copy)?;
    Ok(Some(copy.clone()))
}

/// True if an object that was found, instead of being made by the next step, was made by that step: an earlier process
/// has made it without a record.
///
/// # Errors
/// It cannot be recorded that the journal is behind.
pub fn recognize(call: &Call<'_>, mark: &str, thing: &Value) -> Result<bool> {
    let journal = &call.host.journal;
    let Some(found) = thing[mark].as_str().and_then(Marker::of).filter(|_| journal.past().is_some()) else {
        return Ok(false);
    };
    let is_own = found.is_of_step(&call.marker()) && !journal.knows_marker(&found);
    if is_own {
        tell_behind(call)?;
    }
    Ok(is_own)
}

/// The possible effects of a request of any process of the run: made by one of those who have sent its changes, or by
/// whoever goes on with it. A journal that is behind may lack some of them.
fn look_for_any(call: &Call<'_>, look: impl Fn(&Call<'_>, &Value) -> Result<Found>) -> Result<Found> {
    let found = look(call, &nothing_known())?;
    let journal = &call.host.journal;
    let (Some(mut users), Some(user)) = (journal.users(), call.cloud()?.client.user()?) else { return Ok(found) };
    users.insert(user);
    Ok(if journal.is_behind() { found.perhaps_made_by(&users) } else { found.made_by(&users) })
}

/// The earlier state when nothing is known of it.
fn nothing_known() -> Value {
    json!({ "ids": [], "above": 0, "copy": null, "earlier": true })
}

/// True if a look is for the object of a step in any round of its lane.
pub fn is_for_any_round(before: &Value) -> bool {
    before["earlier"] == true
}

/// Checks, before the first change, for marks on replicas that show that the run was further than its journal. Those
/// that were deleted since keep theirs.
fn look_for_marks(call: &Call<'_>) -> Result<()> {
    if call.host.marks_seen.load(Ordering::Acquire) {
        return Ok(());
    }
    let journal = &call.host.journal;
    let filters = Filters { show_deleted: true, ..Filters::default() };
    let all = call.read_list(&transfers::list(call.generation()?, &filters))?;
    let is_ahead = |transfer: &&Value| {
        let marker = transfer["notes"].as_str().and_then(Marker::of);
        let is_known = transfer["id"].as_str().is_some_and(|id| journal.knows_id(id));
        marker.is_some_and(|marker| !is_known && !journal.knows_marker(&marker))
    };
    for transfer in all.iter().filter(is_ahead) {
        tell_behind(call)?;
        if let Some(at) = transfer["deleted_at"].as_str() {
            let machines = transfer["instances"].to_string();
            call.warn(format!(
                "{} of {machines} belongs to this run, and somebody deleted it at {at}",
                named(transfer)
            ));
        }
    }
    call.host.marks_seen.store(true, Ordering::Release);
    Ok(())
}

fn tell_behind(call: &Call<'_>) -> Result<()> {
    if call.host.journal.note_behind()? {
        call.warn(
            "the server has more of this run than its journal: the journal was cut, or is an older copy. The run's \
             objects are searched for before anything is sent",
        );
    }
    Ok(())
}

/// True for a copy that neither switches the source off nor deploys.
fn is_plain_copy(request: &Request) -> bool {
    let execution = request.body.as_ref().and_then(|body| body.get("execution"));
    execution.is_some_and(|said| said["shutdown_instances"] != true && said["auto_deploy"] != true)
}

fn is_since(thing: &Value, since: Option<Timestamp>) -> bool {
    made_at(thing).zip(since).is_none_or(|(made, since)| made >= since)
}

fn made_at(thing: &Value) -> Option<Timestamp> {
    thing["created_at"].as_str().and_then(duration::server_time)
}

/// Asks if this is the object of the step, made by a process that the journal does not know.
fn ask_if_ours(call: &Call<'_>, request: &Request, thing: &Value) -> Result<bool> {
    let gate = call.gate_of_found(&call.next_key());
    let what = format!("{} {}", request.method.word(), request.path);
    let question = format!(
        "{} is not in this run's journal and matches {what}. Did this run make it, and should it go on with it \
         instead of sending the request?",
        named(thing)
    );
    match call.ask(&gate, &question)? {
        Some(answer) => Ok(answer.is_yes()),
        None => {
            let run = call.run();
            Err(Error::new(Kind::NeedsAnswer, format!("gate {gate} waits for an answer: {question}")).hint(format!(
                "`coriolis-run answer {run} {gate} yes` to go on with it, or `no` to send the request; then \
                 `coriolis-run resume {run}`"
            )))
        }
    }
}

/// `transfer_execution 8d71... (COMPLETED, of 2026-06-01T20:00:00)`.
fn named(thing: &Value) -> String {
    let text = |field: &str| thing[field].as_str().filter(|text| !text.is_empty());
    let kind = text("type").map(|kind| format!("{kind} ")).unwrap_or_default();
    let id = text("id").or_else(|| text("secret_ref")).unwrap_or("what was found");
    let status = text("status").or_else(|| text("last_execution_status")).unwrap_or("made");
    match text("created_at") {
        Some(at) => format!("{kind}{id} ({status}, of {at})"),
        None => format!("{kind}{id}"),
    }
}
