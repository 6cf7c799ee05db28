//! Settling a change whose answer was lost: looking on the server for its effect, and adopting that.
//!
//! Answers are lost on a live connection, and when the process ends between sending and reading: both come here.

use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::client::{self, Repeat, Request, Trail};
use crate::clock::Instant;
use crate::error::{Error, Kind, MAYBE_APPLIED, Prospect, Result};
use crate::journal::StepKey;
use crate::journal::marker::Marker;
use crate::journal::replay::{Before, Known};
use crate::language::sends::Again;
use crate::runtime::call::{Call, Guard, Lost, Sent, unguarded};
use crate::runtime::earlier;
use crate::runtime::found::{Agrees, Found, Verdict, holds};
use crate::runtime::saved;

/// The least number of sendings of a change, even if patience ends before: a look may take longer than patience lasts.
const TRIES: u32 = 3;
/// The times of the looks after an answer was lost. The server hands a request on for 60 s (its RPC timeout), and a
/// proxy before the server may hold it longer than a client waits: one that was delayed by 40 s was once sent again
/// after 25 s, and made a second replica. A connection that broke before the request arrived cannot be told from one
/// that broke after, so all are looked for this long.
const LOOKS: [i64; 5] = [0, 5, 20, 45, 75];
/// The time of the last look after an answer that came soon: the change is no longer on its way.
const ENDED_LOOK: SignedDuration = SignedDuration::from_secs(5);
/// The times of further looks while the look itself fails.
const FURTHER_LOOKS: [i64; 6] = [90, 120, 180, 300, 450, 600];
/// The time of one more look after a repeated sending: the first may still have been on its way.
const LAST_LOOK: SignedDuration = SignedDuration::from_secs(15);
/// The longest time after which a request of an earlier process may arrive: a client waits this long for an answer.
const LONGEST_WAY: SignedDuration = SignedDuration::from_secs(120 + 75);

/// The way in which [`update`] is repeated.
pub const UPDATED: Again = Again::Compared("a value that was not there before");

/// Sends a change. `guard` is asked whenever it is about to leave, the first time and each time after. When its answer
/// is lost, `look` searches for its effect, by the state that the guard has seen before. A change without any effect
/// when it must have arrived was not carried out, and is sent again; if others may have caused the effect, somebody is
/// asked.
///
/// # Errors
/// That of the guard; those of the server; `Unknown` when nobody can tell.
pub fn change(
    call: &Call<'_>,
    request: &Request,
    guard: Guard<'_>,
    look: impl Fn(&Call<'_>, &Value) -> Result<Found>,
) -> Result<Value> {
    as_told(call, request, |again| matches!(again, Again::Marked(_) | Again::Compared(_)));
    let what = format!("{} {}", request.method.word(), request.path);
    if let Some(made) = earlier::find(call, request, guard, &look)? {
        return Ok(made);
    }
    let look =
        |call: &Call<'_>, before: &Before| Ok(look(call, &before.state)?.made_by(&before.by.iter().cloned().collect()));
    // The first sending whose effect was not found: its step, and the state before it.
    let mut first: Option<(StepKey, Before)> = None;
    let mut losses = Losses::default();
    loop {
        let is_new = call.knows_next(request) == Known::Nothing;
        let late = |first: &Option<(StepKey, Before)>, refusal: &Error| -> Result<Option<(StepKey, Value)>> {
            let Some((key, before)) = first.as_ref().filter(|_| is_new) else { return Ok(None) };
            let found = search(call, call.host.clock.instant(), |call| look(call, before));
            match found.map_err(|why| unfound(&format!("{what} was refused when it was sent again"), refusal, &why))? {
                Verdict::Made(late) => Ok(Some((key.clone(), late))),
                Verdict::Nothing => Ok(None),
                Verdict::Unsure(seen) => Err(unknown(refusal.clone().context(format!(
                    "sent again after its answer was lost, and the current state may be the effect of the first time \
                     or somebody else's: {seen}"
                )))),
            }
        };
        let (key, sent) = match call.send(request, guard) {
            Ok(sent) => sent,
            // Its guard may refuse because of an earlier sending that arrived late.
            Err(error) if error.kind == Kind::Refused => {
                let Some((key, late)) = late(&first, &error)? else { return Err(error) };
                return arrived(call, &key, &what, &error, late);
            }
            Err(error) => return Err(error),
        };
        let Lost { error, before, earlier, trail } = match sent {
            Sent::Done(answer) => {
                losses.tell_end(call, &what);
                if let Some((_, before)) = first.filter(|_| is_new) {
                    tell_twins(call, &what, &answer, |call| look(call, &before))?;
                }
                return Ok(answer);
            }
            // The server does one thing at a time with a replica: it may be busy with an earlier sending that arrived
            // late.
            Sent::Refused(error) if matches!(error.status(), Some(400 | 409)) => {
                let Some((_, late)) = late(&first, &error)? else { return Err(error) };
                return arrived(call, &key, &what, &error, late);
            }
            Sent::Refused(error) => return Err(error),
            // It was looked for in vain, and was sent again or will be.
            Sent::Absent(before) => {
                first.get_or_insert((key, before));
                continue;
            }
            Sent::Lost(lost) => lost,
        };
        call.go_live()?;
        let clock = &call.host.clock;
        if earlier.is_none() {
            losses.add(clock.instant());
        }
        let until = match (earlier, trail) {
            (Some(began), _) => clock.instant_of(began).min(clock.instant()) + LONGEST_WAY,
            (None, Trail::Ended) => clock.instant() + ENDED_LOOK,
            (None, Trail::Open) => clock.instant() + SignedDuration::from_secs(LOOKS[LOOKS.len() - 1]),
        };
        let lost = format!("lost the answer to {what} ({error})");
        // A late effect of the first sending existed before this one.
        let known = first.as_ref().map_or(&before, |(_, before)| before);
        let found = search(call, until, |call| look(call, known)).map_err(|why| unfound(&lost, &error, &why))?;
        match found {
            Verdict::Made(made) => {
                call.settle(&key, Some(&made))?;
                call.warn(format!("{lost}: it was carried out, going on with its result"));
                return Ok(made);
            }
            Verdict::Unsure(seen) => {
                let shown = format!("the current state may be its effect or somebody else's: {seen}");
                consent(call, &key, request, error, &shown)?;
            }
            Verdict::Nothing => {
                call.settle(&key, None)?;
                losses.tell_first(call, || format!("{lost}: it was not carried out, sending it again"));
                losses.pause(call, not_applied(error))?;
            }
        }
        first.get_or_insert((key, before));
    }
}

/// The answers to one change that this process has lost.
#[derive(Default)]
struct Losses {
    count: u32,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Losses {
    fn add(&mut self, now: Instant) {
        self.count += 1;
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// Waits until the change may be sent again. A change that the server has not looked at is retried while patience
    /// lasts, one that it fails at a few times: a bad value never gets through, and a bad moment passes. The same holds
    /// for reads.
    ///
    /// # Errors
    /// `error`, if it has been tried for long enough; `Interrupted`.
    fn pause(&self, call: &Call<'_>, error: Error) -> Result<()> {
        let (Some(first), Some(last)) = (self.first, self.last) else { return Ok(()) };
        let rest = match error.prospect() {
            Prospect::Back => call.cloud()?.client.pause_after(error, self.count, first),
            Prospect::Better if self.count < client::TRIES => Ok(client::pause(self.count)),
            _ if error.kind == Kind::Login && self.count < client::ADMISSIONS => Ok(client::pause(self.count)),
            _ => Err(error),
        };
        let pause = match rest {
            Err(_) if self.count < TRIES => client::pause(self.count),
            rest => rest?,
        };
        call.host.cancel.sleep_until(&call.host.clock, last + pause)
    }

    /// Reports the first loss; later ones are more of the same.
    fn tell_first(&self, call: &Call<'_>, told: impl FnOnce() -> String) {
        if self.count <= 1 {
            call.warn(told());
        }
    }

    /// Reports the final success, if it took more than one repetition.
    fn tell_end(&self, call: &Call<'_>, what: &str) {
        if let Some(first) = self.first.filter(|_| self.count > 1) {
            let after = SignedDuration::from_secs(call.host.clock.instant().duration_since(first).as_secs());
            call.warn(format!("{what} went through after {} lost answers, {after:#} after the first", self.count));
        }
    }
}

/// The error of a change that, according to a look, was not carried out.
fn not_applied(mut error: Error) -> Error {
    error.details.remove(MAYBE_APPLIED);
    error
}

/// Continues with an effect that arrived after the search ended, and kept the second sending from being carried out.
fn arrived(call: &Call<'_>, key: &StepKey, what: &str, refusal: &Error, late: Value) -> Result<Value> {
    call.settle(key, Some(&late))?;
    call.warn(format!("{what} was refused ({refusal}): the one before had arrived late, going on with it"));
    Ok(late)
}

/// Warns if a change that was sent twice may have been carried out twice, the first time after the search ended.
fn tell_twins(call: &Call<'_>, what: &str, used: &Value, look: impl Fn(&Call<'_>) -> Result<Found>) -> Result<()> {
    call.host.cancel.sleep_until(&call.host.clock, call.host.clock.instant() + LAST_LOOK)?;
    let found = match look(call) {
        Ok(found) => found,
        Err(error) if error.kind.is_final() => return Err(error),
        Err(error) => {
            call.warn(format!("{what} was sent twice, and whether both were carried out cannot be seen: {error}"));
            return Ok(());
        }
    };
    for twin in found.others(used) {
        call.warn(format!(
            "{what} was carried out twice: {} is used, {} came late from the sending whose answer was lost; that one \
             is left alone; delete it after checking that nobody else uses it",
            shown_id(used),
            shown_id(twin)
        ));
    }
    Ok(())
}

fn shown_id(thing: &Value) -> &str {
    thing["id"].as_str().or_else(|| thing["secret_ref"].as_str()).unwrap_or("one without an id")
}

/// Sends a change that may be sent twice: the second time it changes nothing, or finds nothing to change.
///
/// # Errors
/// Those of the server; `Unknown` when the outcome is still unknown after enough tries.
pub fn repeat(call: &Call<'_>, request: &Request, is_done: impl Fn(&Error) -> bool) -> Result<Value> {
    as_told(call, request, |again| again == Again::Safe);
    let what = format!("{} {}", request.method.word(), request.path);
    let mut repeated = false;
    let mut losses = Losses::default();
    loop {
        let (key, sent) = call.send(request, &unguarded)?;
        let Lost { error, earlier, .. } = match sent {
            Sent::Done(answer) => {
                losses.tell_end(call, &what);
                return Ok(answer);
            }
            Sent::Refused(error) if repeated && is_done(&error) => return Ok(Value::Null),
            Sent::Refused(error) => return Err(error),
            Sent::Absent(_) => {
                repeated = true;
                continue;
            }
            Sent::Lost(lost) => lost,
        };
        call.go_live()?;
        if earlier.is_none() {
            // The client has already repeated such requests for as long as it may.
            if request.repeat == Some(Repeat::Safe) {
                return Err(unknown(error));
            }
            losses.add(call.host.clock.instant());
        }
        losses.tell_first(call, || format!("lost the answer to {what} ({error}): sending it again does no harm"));
        losses.pause(call, error).map_err(|error| if error.kind.is_final() { error } else { unknown(error) })?;
        call.settle(&key, None)?;
        repeated = true;
    }
}

/// Deletes: an object that is gone the second time was deleted the first time.
///
/// # Errors
/// As [`repeat`].
pub fn remove(call: &Call<'_>, request: &Request) -> Result<Value> {
    repeat(call, request, |refusal| refusal.status() == Some(404))
}

/// Changes `fields` of an object that shows them, but never over changes of these fields by others since the request
/// left: when its answer is lost, the fields show the outcome.
///
/// # Errors
/// As [`change`].
pub fn update(call: &Call<'_>, request: &Request, fields: &Map<String, Value>) -> Result<Value> {
    update_guarded(call, request, fields, &|_, _| Ok(()))
}

/// The same with a guard, which is asked whenever it is about to leave, with the object as it is then.
///
/// # Errors
/// That of the guard; as [`change`].
pub fn update_guarded(
    call: &Call<'_>,
    request: &Request,
    fields: &Map<String, Value>,
    guard: &dyn Fn(&Call<'_>, &Value) -> Result<()>,
) -> Result<Value> {
    let show = Request::get(request.path.clone(), request.answer);
    let seen = |call: &Call<'_>| {
        let now = call.read(&show)?;
        guard(call, &now)?;
        Ok(named(call, &now, fields))
    };
    change(call, request, &seen, |call, before| {
        // Repeating a change of an earlier process changes nothing more.
        if earlier::is_for_any_round(before) {
            return Ok(Found::default());
        }
        let now = call.read(&show)?;
        Ok(match changed(call, &now, before, fields) {
            Some(how) => Found::changed(how),
            None if differing(&now, fields).next().is_none() => Found::of(now, Agrees::Yes),
            None => Found::default(),
        })
    })
}

/// The values that the fields of an update have; secrets are sealed.
pub fn named(call: &Call<'_>, thing: &Value, fields: &Map<String, Value>) -> Value {
    let named: Map<String, Value> = fields.keys().map(|name| (name.clone(), thing[name].clone())).collect();
    saved::seal_json(call.host, named.into())
}

/// Somebody else's changes to fields that were as `before` when their update left; `None` if they are unchanged, or as
/// requested.
pub fn changed(call: &Call<'_>, now: &Value, before: &Value, fields: &Map<String, Value>) -> Option<String> {
    let others: Vec<String> = differing(now, fields).map(|name| format!("`{name}`")).collect();
    if others.is_empty() || before.is_null() || named(call, now, fields) == *before {
        return None;
    }
    Some(format!("{} changed since, and not to what was asked for", others.join(", ")))
}

fn differing<'a>(now: &'a Value, fields: &'a Map<String, Value>) -> impl Iterator<Item = &'a String> {
    fields.iter().filter(|(name, wanted)| !holds(&now[name.as_str()], wanted)).map(|(name, _)| name)
}

/// Creates an object that can be found again: its field `mark` gets a line that names the run and the step. `guard` is
/// as in [`change`].
///
/// # Errors
/// As [`change`].
pub fn make(
    call: &Call<'_>,
    mark: &str,
    mut fields: Map<String, Value>,
    guard: Guard<'_>,
    build: impl Fn(Map<String, Value>) -> Result<Request>,
    list: impl Fn(&Call<'_>) -> Result<Vec<Value>>,
) -> Result<Value> {
    let marker = call.marker();
    let text = match fields.get(mark).and_then(Value::as_str).filter(|text| !text.is_empty()) {
        Some(text) => format!("{text}\n{marker}"),
        None => marker.to_string(),
    };
    fields.insert(mark.to_owned(), text.into());
    let request = build(fields)?;
    as_told(call, &request, |again| matches!(again, Again::Marked(field) if field == mark));
    change(call, &request, guard, |call, before| {
        let of = |thing: &Value| thing[mark].as_str().and_then(Marker::of);
        let mut marked: Vec<Value> = list(call)?;
        if earlier::is_for_any_round(before) {
            marked.retain(|thing| of(thing).is_some_and(|found| found.is_of_step(&marker)));
            marked.sort_by_key(|thing| of(thing).as_ref() != Some(&marker));
        } else {
            marked.retain(|thing| of(thing).as_ref() == Some(&marker));
        }
        Ok(Found::marked(marked))
    })
}

/// Looks at once, and again until a request on its way must have arrived, or an unsure result has become clear. A
/// failed look tells nothing: there is a later one.
fn search(call: &Call<'_>, until: Instant, look: impl Fn(&Call<'_>) -> Result<Found>) -> Result<Verdict> {
    let (clock, cancel) = (&call.host.clock, &call.host.cancel);
    let began = clock.instant();
    let mut looks = LOOKS.into_iter().chain(FURTHER_LOOKS).map(|seconds| began + SignedDuration::from_secs(seconds));
    let mut failed = None;
    loop {
        let now = clock.instant();
        // Between two looks the time may already have come.
        let at = match looks.next() {
            Some(at) if failed.is_none() && now < until => at.min(until),
            Some(at) => at,
            None => return failed.map_or(Ok(Verdict::Nothing), Err),
        };
        cancel.sleep_until(clock, at)?;
        match look(call).map(|found| found.verdict()) {
            Ok(Verdict::Made(made)) => return Ok(Verdict::Made(made)),
            Ok(verdict) if clock.instant() >= until => return Ok(verdict),
            Ok(_) => failed = None,
            Err(error) if is_passing(&error) => failed = Some(error),
            Err(error) => return Err(error),
        }
    }
}

/// True if another look may succeed.
fn is_passing(error: &Error) -> bool {
    let status = error.status().unwrap_or(0);
    error.kind == Kind::Unreachable || error.kind == Kind::Api && (status >= 500 || status == 429)
}

/// Sends a change without a visible effect on the server: when its answer is lost, somebody has to say if it is sent
/// again.
///
/// # Errors
/// Those of the server; `Unknown` when nobody answers, `Refused` when somebody says no.
pub fn ask(call: &Call<'_>, request: &Request) -> Result<Value> {
    as_told(call, request, |again| again == Again::Asked);
    loop {
        let (key, sent) = call.send(request, &unguarded)?;
        let error = match sent {
            Sent::Done(answer) => return Ok(answer),
            Sent::Refused(error) => return Err(error),
            Sent::Absent(_) => continue,
            Sent::Lost(lost) => lost.error,
        };
        call.go_live()?;
        consent(call, &key, request, error, "nothing shows whether it was carried out")?;
    }
}

/// Asks if a change whose answer was lost is to be sent again, and settles it accordingly.
///
/// # Errors
/// `Unknown` when nobody answers, `Refused` when somebody says no.
fn consent(call: &Call<'_>, key: &StepKey, request: &Request, error: Error, shown: &str) -> Result<()> {
    let what = format!("{} {}", request.method.word(), request.path);
    let gate = call.gate_of_step(key);
    let question = format!("the answer to {what} was lost, and {shown}. Send it again?");
    match call.ask(&gate, &question)? {
        Some(answer) if answer.is_yes() => call.settle(key, None),
        Some(answer) => Err(Error::new(Kind::Refused, format!("{what} was not sent again: {} said no", answer.by))),
        None => {
            let run = call.run();
            let hint = format!(
                "look at the server; then `coriolis-run answer {run} {gate} yes` to send it again, or `no`, and \
                 `coriolis-run resume {run}`"
            );
            Err(unknown(error.context(format!("the answer was lost, and {shown}"))).hint(hint))
        }
    }
}

/// The reference promises the way in which each request is repeated: tests hold the bodies to the rows.
fn as_told(call: &Call<'_>, request: &Request, fits: impl Fn(Again) -> bool + Copy) {
    debug_assert!(
        call.function.sends.iter().any(|sends| sends.says(request, fits)),
        "its row does not say so of {} {}",
        request.method.word(),
        request.path
    );
}

/// A change of unknown outcome: no script may catch this and go on.
fn unknown(error: Error) -> Error {
    let hint = "look at the server before you repeat it; it was not sent again";
    Error { kind: Kind::Unknown, hint: error.hint.clone().or_else(|| Some(hint.to_owned())), ..error }
}

/// The error when the look itself failed. A change whose token was refused has hardly been carried out, and a resumed run
/// looks for it.
fn unfound(lost: &str, error: &Error, why: &Error) -> Error {
    if why.kind.is_final() || (why.kind, error.kind) == (Kind::Login, Kind::Login) {
        return why.clone();
    }
    let error = Error { message: format!("{lost}, and the search for its effect failed: {why}"), ..error.clone() };
    unknown(error)
}
