//! What a script has put into the background: each job is a closure on a lane, a thread and an engine of its own, stopped
//! by a wish of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use jiff::{SignedDuration, Timestamp};
use rhai::{Dynamic, Engine, FnPtr, Map as ScriptMap};

use super::call::Call;
use super::drive::placed;
use super::engine::{LANE_STACK, build};
use super::host::{Host, Lane};
use super::lanes::Background;
use crate::cancel::{Cancel, Wish};
use crate::clock::{Clock, Signal};
use crate::error::{Error, Kind, Result};
use crate::event::{Fact, Outcome, cause};

/// The name under which lanes of jobs are known.
pub const JOB: &str = "job";

/// The jobs of a run, in the order of their beginnings.
#[derive(Default)]
pub struct Jobs(Mutex<Vec<Job>>);

/// A handle to one job, as scripts hold it.
#[derive(Clone)]
pub struct Job(Arc<Inner>);

struct Inner {
    /// From 1, in the order of the beginnings.
    number: u64,
    lane: Arc<Lane>,
    /// The line of the script in which it was begun.
    what: String,
    began: Timestamp,
    cancel: Cancel,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ended: Option<Ended>,
    /// Somebody has been given the result, or what went wrong.
    fetched: bool,
    waiting: Vec<Signal>,
}

struct Ended {
    at: Timestamp,
    result: Result<Dynamic>,
}

/// How a job stands.
#[derive(Clone, Debug)]
pub struct Standing {
    pub number: u64,
    pub what: String,
    pub began: Timestamp,
    pub elapsed: SignedDuration,
    /// `RUNNING`, `DONE`, `FAILED`, `STOPPED`.
    pub status: &'static str,
    pub result: Option<Dynamic>,
    pub error: Option<Error>,
}

impl Jobs {
    fn add(&self, call: &Call<'_>, what: String, cancel: Cancel) -> Job {
        let mut jobs = self.lock();
        let number = jobs.len() as u64 + 1;
        let lane = call.lane.child(call.number, JOB, &number.to_string());
        let began = call.host.clock.now();
        let job = Job(Arc::new(Inner { number, lane, what, began, cancel, state: Mutex::default() }));
        jobs.push(job.clone());
        job
    }

    pub fn get(&self, number: u64) -> Option<Job> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.lock().get(index).cloned()
    }

    pub fn all(&self) -> Vec<Job> {
        self.lock().clone()
    }

    /// Whether a lane is a job's, or below one.
    pub fn owns(&self, lane: &str) -> bool {
        self.lock().iter().any(|job| {
            lane.strip_prefix(&*job.0.lane.origin.lane).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// How many have not ended.
    pub fn running(&self) -> usize {
        self.lock().iter().filter(|job| !job.is_over()).count()
    }

    /// Waits until all have ended; the first failure that nobody was told of. The caller's lane holds a busy token.
    ///
    /// # Errors
    /// That failure.
    pub fn join(&self, clock: &Clock) -> Result<()> {
        let mut joined = 0;
        let mut failure = Ok(());
        // A job may begin others.
        while let Some(job) = { self.lock().get(joined).cloned() } {
            joined += 1;
            let untold = !job.lock().fetched;
            let result = job.wait(clock, &Cancel::default(), None);
            if untold && failure.is_ok() {
                // One that was stopped was stopped on purpose; an end of the whole run is said by the run.
                failure = result.map(drop).or_else(|error| match error.kind {
                    Kind::Interrupted => Ok(()),
                    _ => Err(error),
                });
            }
        }
        failure
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    pub fn number(&self) -> u64 {
        self.0.number
    }

    pub fn is_over(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// Asks it to stop: nothing new is started, what runs on the server goes on. A second time it leaves at once.
    pub fn stop(&self) -> Wish {
        self.0.cancel.press()
    }

    pub fn standing(&self, now: Timestamp) -> Standing {
        let Inner { number, what, began, .. } = &*self.0;
        let state = self.lock();
        let (at, status, result, error) = match &state.ended {
            None => (now, "RUNNING", None, None),
            Some(Ended { at, result: Ok(value) }) => (*at, "DONE", Some(value.clone()), None),
            Some(Ended { at, result: Err(error) }) => {
                let status = if error.kind == Kind::Interrupted { "STOPPED" } else { "FAILED" };
                (*at, status, None, Some(error.clone()))
            }
        };
        let (number, what, began) = (*number, what.clone(), *began);
        Standing { number, what, began, elapsed: at.duration_since(began), status, result, error }
    }

    /// Waits for its end; what it returned. The caller's lane holds a busy token.
    ///
    /// # Errors
    /// What it threw, with its place in the script; `Timeout`, `Interrupted`: the job goes on.
    pub fn wait(&self, clock: &Clock, cancel: &Cancel, deadline: Option<Timestamp>) -> Result<Dynamic> {
        let signal = clock.signal();
        let _listening = cancel.listen(&signal);
        self.lock().waiting.push(signal.clone());
        loop {
            if let Some(Ended { result, .. }) = &self.lock().ended {
                return result.clone();
            }
            cancel.check()?;
            if deadline.is_some_and(|deadline| clock.now() >= deadline) {
                let message = format!("job {} has not ended in time; it goes on", self.0.number);
                return Err(Error::new(Kind::Timeout, message));
            }
            clock.park(&signal, deadline);
        }
    }

    /// Remembers that its end was told.
    pub fn fetch(&self) {
        self.lock().fetched = true;
    }

    fn end(&self, at: Timestamp, result: Result<Dynamic>) {
        let waiting = {
            let mut state = self.lock();
            state.ended = Some(Ended { at, result });
            std::mem::take(&mut state.waiting)
        };
        waiting.iter().for_each(Signal::ring);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a job that runs `closure`.
///
/// # Errors
/// `Script` when the closure assigns to a variable it captured; `Internal` when the machine refuses a thread.
pub fn begin(call: &Call<'_>, closure: &FnPtr) -> Result<Job> {
    let host = call.host;
    let work = Background::new(host, call.context, closure)?;
    let cancel = host.whole.part();
    let what = host.line_of(call.context).unwrap_or_default();
    let job = host.jobs.add(call, what, cancel.clone());
    let lane = job.0.lane.clone();
    let (world, busy, ended) = (host.stopped_by(cancel), host.clock.busy(), job.clone());
    host.emit(&lane, Fact::ItemStarted { attempt: 1 });
    let run = move || {
        let _busy = busy;
        let engine = build(&world, &lane);
        let result = work.run(&engine, &lane).map_err(|thrown| placed(&world, &thrown));
        finish(&world, &lane, &ended, result);
    };
    let thread = thread::Builder::new().name(format!("job {}", job.number())).stack_size(LANE_STACK);
    thread.spawn(run).map_err(|error| Error::internal(format!("cannot start a thread: {error}")))?;
    Ok(job)
}

/// The job that a script means by a value: a job itself, a row of `jobs()`, or a number.
pub fn find(host: &Host, what: &Dynamic) -> Option<Job> {
    if let Some(job) = what.read_lock::<Job>() {
        return Some(job.clone());
    }
    let row = what.read_lock::<ScriptMap>().and_then(|fields| fields.get("job").cloned());
    let number = row.as_ref().unwrap_or(what).as_int().ok()?;
    host.jobs.get(u64::try_from(number).ok()?)
}

fn finish(host: &Host, lane: &Lane, job: &Job, result: Result<Dynamic>) {
    let at = host.clock.now();
    let outcome = match &result {
        Ok(_) => Outcome::Ok,
        Err(error) if error.kind == Kind::Interrupted => Outcome::Cancelled,
        Err(error) if error.kind == Kind::Unknown => Outcome::Unknown,
        Err(_) => Outcome::Failed,
    };
    let cause = result.as_ref().err().map(cause);
    job.end(at, result);
    let elapsed_seconds = at.duration_since(job.0.began).as_secs_f64();
    host.emit(lane, Fact::ItemFinished { outcome, attempts: 1, elapsed_seconds, cause, earlier: false });
}

/// Teaches the engine what a job is.
pub fn register(engine: &mut Engine) {
    let told = |job: &mut Job| format!("job {}", job.number());
    engine
        .register_type_with_name::<Job>(JOB)
        .register_fn("to_string", told)
        .register_fn("to_debug", told)
        .register_fn("print", told)
        .register_fn("debug", told)
        .register_fn("==", |a: Job, b: Job| a.number() == b.number())
        .register_get("number", |job: &mut Job| i64::try_from(job.number()).unwrap_or(i64::MAX));
}
