//! Work in the background: each job is a closure on a lane, a thread and an engine of its own, with a `Cancel` of its
//! own.

use std::thread;

use rhai::{Dynamic, FnPtr, Map as ScriptMap};

use crate::error::{Kind, Result, no_thread};
use crate::event::{Cause, Fact, Outcome};
use crate::runtime::call::Call;
use crate::runtime::drive::placed;
use crate::runtime::engine::{LANE_STACK, build};
use crate::runtime::host::Host;
use crate::runtime::job::{JOB, Job};
use crate::runtime::lane::Lane;
use crate::runtime::lanes::Background;

/// Starts a job that runs `closure`.
///
/// # Errors
/// `Script` when the closure assigns to a variable it captured; `Limit` when the machine refuses a thread.
pub fn begin(call: &Call<'_>, closure: &FnPtr) -> Result<Job> {
    let host = call.host;
    let work = Background::new(host, call.context, closure)?;
    let cancel = host.whole.part();
    let what = host.line_of(call.context).unwrap_or_default();
    let lane = |number: u64| call.lane.child(call.number, JOB, &number.to_string(), None);
    let job = host.jobs.add(&host.clock, what, cancel.clone(), lane);
    let lane = job.lane().clone();
    let (world, busy, ended, own) = (host.stopped_by(cancel), host.clock.busy(), job.clone(), lane.clone());
    host.emit(&lane, Fact::ItemStarted { attempt: 1 });
    let run = move || {
        let _busy = busy;
        let engine = build(&world, &own);
        let result = work.run(&engine, &own).map_err(|thrown| placed(&world, &thrown));
        finish(&world, &own, &ended, result);
    };
    let thread = thread::Builder::new().name(format!("job {}", job.number())).stack_size(LANE_STACK);
    if let Err(error) = thread.spawn(run) {
        // Everybody who waits for it gets the error as well.
        let error = no_thread(&format!("lane `{}`", lane.origin.lane), &error);
        job.fetch();
        finish(host, &lane, &job, Err(error.clone()));
        return Err(error);
    }
    Ok(job)
}

/// The job that a value of the script means: a job itself, a row of `jobs()`, or a number.
pub fn find(host: &Host, what: &Dynamic) -> Option<Job> {
    if let Some(job) = what.read_lock::<Job>() {
        return Some(job.clone());
    }
    let row = what.read_lock::<ScriptMap>().and_then(|fields| fields.get("job").cloned());
    let number = row.as_ref().unwrap_or(what).as_int().ok()?;
    host.jobs.get(u64::try_from(number).ok()?)
}

fn finish(host: &Host, lane: &Lane, job: &Job, result: Result<Dynamic>) {
    let at = host.clock.instant();
    let outcome = match &result {
        Ok(_) => Outcome::Ok,
        Err(error) if error.kind == Kind::Interrupted => Outcome::Cancelled,
        Err(error) if error.kind == Kind::Unknown => Outcome::Unknown,
        Err(_) => Outcome::Failed,
    };
    let cause = result.as_ref().err().map(Cause::of);
    job.end(at, result);
    let elapsed_seconds = at.duration_since(job.started()).as_secs_f64();
    host.emit(lane, Fact::ItemFinished { outcome, attempts: 1, elapsed_seconds, cause, first: None, earlier: false });
}
