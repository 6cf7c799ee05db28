//! The jobs of a run, and the handles that scripts hold.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use rhai::{Dynamic, Engine};

use crate::cancel::{Cancel, Wish};
use crate::clock::{Clock, Instant, Signal};
use crate::error::{Error, Kind, Result};
use crate::runtime::lane::Lane;

/// The name of the lanes of jobs.
pub const JOB: &str = "job";

/// The jobs of a run, in the order of their starts.
#[derive(Default)]
pub struct Jobs(Mutex<Vec<Job>>);

/// A handle to one job, as scripts hold it.
#[derive(Clone)]
pub struct Job(Arc<Inner>);

struct Inner {
    /// From 1, in the order of the starts.
    number: u64,
    lane: Arc<Lane>,
    /// The line of the script in which it was started.
    what: String,
    began: Timestamp,
    started: Instant,
    cancel: Cancel,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ended: Option<Ended>,
    /// True once its result or its error was fetched.
    fetched: bool,
    waiting: Vec<Signal>,
}

struct Ended {
    at: Instant,
    result: Result<Dynamic>,
}

/// The state of a job.
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
    /// Adds a job that starts now, on the lane that `lane` makes from its number.
    pub(super) fn add(&self, clock: &Clock, what: String, cancel: Cancel, lane: impl FnOnce(u64) -> Arc<Lane>) -> Job {
        let mut jobs = self.lock();
        let number = jobs.len() as u64 + 1;
        let lane = lane(number);
        let (began, started) = clock.both();
        let job = Job(Arc::new(Inner { number, lane, what, began, started, cancel, state: Mutex::default() }));
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

    /// True if a lane is a job's, or below one.
    pub fn owns(&self, lane: &str) -> bool {
        self.lock().iter().any(|job| {
            lane.strip_prefix(&*job.0.lane.origin.lane).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The number of jobs that have not ended.
    pub fn running(&self) -> usize {
        self.lock().iter().filter(|job| !job.is_over()).count()
    }

    /// Waits until all have ended; returns the first failure that nobody fetched. The caller's lane holds a busy token.
    ///
    /// # Errors
    /// That failure.
    pub fn join(&self, clock: &Clock) -> Result<()> {
        let mut joined = 0;
        let mut failure = Ok(());
        // A job may start others.
        while let Some(job) = { self.lock().get(joined).cloned() } {
            joined += 1;
            let untold = !job.lock().fetched;
            let result = job.wait(clock, &Cancel::default(), None);
            if untold && failure.is_ok() {
                // A job that was stopped was stopped on purpose; the end of the whole run is reported by the run.
                failure = result.map(drop).or_else(|error| match error.kind {
                    Kind::Interrupted => Ok(()),
                    _ => Err(error),
                });
            }
        }
        failure
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Job>> {
        self.0.lock()
    }
}

impl Job {
    pub fn number(&self) -> u64 {
        self.0.number
    }

    pub(super) fn lane(&self) -> &Arc<Lane> {
        &self.0.lane
    }

    pub(super) fn started(&self) -> Instant {
        self.0.started
    }

    pub fn is_over(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// Asks it to stop: nothing new is started, work on the server goes on. A second time it leaves at once.
    pub fn stop(&self) -> Wish {
        self.0.cancel.press()
    }

    pub fn standing(&self, now: Instant) -> Standing {
        let Inner { number, what, began, started, .. } = &*self.0;
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
        Standing { number, what, began, elapsed: at.duration_since(*started), status, result, error }
    }

    /// Waits for its end and returns its result. The caller's lane holds a busy token.
    ///
    /// # Errors
    /// Its own error, with its position in the script; `Timeout`, `Interrupted`: the job goes on.
    pub fn wait(&self, clock: &Clock, cancel: &Cancel, deadline: Option<Instant>) -> Result<Dynamic> {
        let signal = clock.signal();
        let _listening = cancel.listen(&signal);
        self.lock().waiting.push(signal.clone());
        loop {
            if let Some(Ended { result, .. }) = &self.lock().ended {
                return result.clone();
            }
            cancel.check()?;
            if deadline.is_some_and(|deadline| clock.instant() >= deadline) {
                let message = format!("job {} has not ended in time; it goes on", self.0.number);
                return Err(Error::new(Kind::Timeout, message));
            }
            clock.park(&signal, deadline);
        }
    }

    /// Marks its end as reported.
    pub fn fetch(&self) {
        self.lock().fetched = true;
    }

    pub(super) fn end(&self, at: Instant, result: Result<Dynamic>) {
        let waiting = {
            let mut state = self.lock();
            state.ended = Some(Ended { at, result });
            std::mem::take(&mut state.waiting)
        };
        waiting.iter().for_each(Signal::ring);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

/// Registers jobs with the engine.
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
