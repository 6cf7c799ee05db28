//! Requests that begin an execution: sending one, and finding its execution when the answer is lost.

use jiff::SignedDuration;
use serde_json::Value;

use crate::client::{Filters, Request, executions};
use crate::error::{Error, Result};
use crate::functions::guarded::Guarded;
use crate::functions::guards::status;
use crate::functions::ours::{self, Wanted};
use crate::functions::overrides::{Objection, Overrides};
use crate::functions::resolve::fetch;
use crate::runtime::call::Call;
use crate::runtime::found::{Found, Verdict};
use crate::runtime::{lists, settle};

/// The interval for checking an update whose answer was lost.
const LOOK: SignedDuration = SignedDuration::from_secs(5);

/// Finds the objections to an execution, given the newest executions.
pub type Objections<'a> = &'a dyn Fn(&Call<'_>, &[Value]) -> Result<Vec<Objection>>;

/// Sends a request that begins an execution and does no harm: as [`execution`], without a guard.
///
/// # Errors
/// That of the guard; those of the server; `Unknown` when no look tells.
pub fn unguarded(call: &Call<'_>, transfer: &str, request: &Request, wanted: Wanted<'_>) -> Result<Value> {
    execution(call, transfer, request, wanted, &Guarded::new(Overrides::default()), &|_, _| Ok(Vec::new()))
}

/// Sends a request that begins an execution, unless there are objections that are not overridden: `guard` finds them
/// whenever it is about to leave, among the newest executions of that moment. When the answer is lost, a new execution
/// that matches `wanted` shows that it has begun; the server refuses a second one while the first is running, so it may
/// be sent again.
///
/// # Errors
/// That of the guard; those of the server; `Unknown` when no look tells.
pub fn execution(
    call: &Call<'_>,
    transfer: &str,
    request: &Request,
    wanted: Wanted<'_>,
    guarded: &Guarded,
    guard: Objections<'_>,
) -> Result<Value> {
    let decided = call.decided_before().unwrap_or_default();
    let leaving = |call: &Call<'_>| {
        let newest = newest(call, transfer, ours::WINDOW)?;
        guarded.pass(call, guard(call, &newest)?)?;
        let mut seen = ours::seen(&newest);
        if let Wanted::Update(Value::Object(fields)) = wanted {
            seen["fields"] = settle::named(call, &fetch(call, transfer)?, fields);
        }
        Ok(seen)
    };
    guarded.ask_ahead(call, request, &leaving)?;
    settle::change(call, request, &leaving, |call, before| {
        let before = if before.is_null() { &decided } else { before };
        let all = || call.read_list(&executions::list(call.generation()?, transfer, &Filters::default()));
        let mut new = ours::new_executions(all()?, before);
        if new.is_empty() {
            return Ok(Found::default());
        }
        let Wanted::Update(fields) = wanted else {
            let deployments = lists::deployments_of_now(call, transfer)?;
            return Found::judge(new, |found| Ok(ours::execution(found, wanted, &Value::Null, &deployments)));
        };
        // Before an update has ended, nothing shows what it changes; meanwhile another one may have begun.
        let runs = |found: &&Value| ours::is_update(found) && status(found).is_active();
        while let Some(running) = new.iter().find(runs).and_then(|running| running["id"].as_str()) {
            ended(call, transfer, running)?;
            new = ours::new_executions(all()?, before);
        }
        let now = fetch(call, transfer)?;
        let latest = new.iter().filter(|found| ours::is_update(found)).map(ours::number).max();
        let found = Found::judge(new, |found| {
            let of = if latest == Some(ours::number(found)) { &now } else { &Value::Null };
            Ok::<_, Error>(ours::execution(found, wanted, of, &[]))
        })?;
        let changed = || settle::changed(call, &now, &before["fields"], fields.as_object()?);
        Ok(match found.verdict() {
            Verdict::Nothing => changed().map_or(found, Found::changed),
            _ => found,
        })
    })
}

/// The newest executions of a transfer, of any type.
///
/// # Errors
/// Those of the server or the network.
pub fn newest(call: &Call<'_>, transfer: &str, count: usize) -> Result<Vec<Value>> {
    let filters = Filters::newest(count);
    Ok(filters.apply(call.read_list(&executions::list(call.generation()?, transfer, &filters))?))
}

/// Waits until an execution has ended.
fn ended(call: &Call<'_>, transfer: &str, id: &str) -> Result<()> {
    let (clock, show) = (&call.host.clock, executions::show(call.generation()?, transfer, id));
    while status(&call.read(&show)?).is_active() {
        call.host.cancel.sleep_until(clock, clock.instant() + LOOK)?;
    }
    Ok(())
}
