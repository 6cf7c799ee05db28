//! Work on many items at once: each on a lane and a thread of its own, when the wave's machine says so.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::{io, thread};

use jiff::Timestamp;
use parking_lot::Mutex;
use rhai::{Array, Dynamic, EvalAltResult};

use crate::cancel::Wish;
use crate::clock::Signal;
use crate::error::{Causes, Error, Kind, Result, no_thread};
use crate::event::{Cause, Fact, Outcome};
use crate::journal::record::{Ended as Recorded, Saved};
use crate::journal::replay::Item;
use crate::language::error::{SOURCE_OFF, locate, throw};
use crate::runtime::call::Call;
use crate::runtime::engine::LANE_STACK;
use crate::runtime::host::Host;
use crate::runtime::lane::{Lane, Stop};
use crate::runtime::lanes::Runner;
use crate::runtime::saved::{Source, check_depth, closure_result, replayed, saved_error};
use crate::wave::{Action, Earlier, ItemOutcome, Machine, News, Options, Summary};

/// The address space kept free for the running lanes when another starts.
const ROOM: usize = 48 << 20;

/// The end of a lane: the closure's value, or its error.
pub type Ended = Result<Dynamic, Box<EvalAltResult>>;

/// Launches the items that the machine chooses, each on a thread of its own, until all have ended. Items that an
/// earlier process of the run has finished are not entered again.
pub fn drive(
    call: &Call<'_>,
    name: &str,
    items: &Array,
    keys: Vec<String>,
    options: Options,
) -> Result<(Summary, BTreeMap<usize, Ended>)> {
    let closure = call.closure("body")?;
    let runner = Runner::new(call.host, call.context, &closure)?;
    let (clock, cancel, journal) = (&call.host.clock, &call.host.cancel, &call.host.journal);
    let limit = options.limit.min(keys.len());
    let named = keys.iter().map(|key| key.as_str().into()).collect();
    let stop = Stop::default();
    let lanes: Vec<Arc<Lane>> = keys.iter().map(|key| call.lane.child(call.number, name, key, Some(&stop))).collect();
    // A first pass over the records retries nothing: it is not recorded whether a retry would come.
    let options = if journal.only_replays() { Options { retries: 0, ..options } } else { options };
    let mut machine = Machine::new(keys, options)?;
    let mut ended = restore(call, &mut machine, &lanes);
    let (total, number) = (items.len(), call.number);
    let body = closure.fn_name().into();
    call.emit(Fact::WaveStarted { name: name.to_owned(), items: named, total, limit, call: number, body });
    let bell = clock.signal();
    let _listening = cancel.listen(&bell);
    let done: Mutex<VecDeque<(usize, Ended)>> = Mutex::default();
    let (mut fatal, mut unanswered, mut crowded, mut warned) = (None, None, None, false);
    let gate = Mutex::new(());
    thread::scope(|scope| -> Result<()> {
        loop {
            while let Some((item, result)) = done.lock().pop_front() {
                let lane = &lanes[item].origin.lane;
                let outcome =
                    result.as_ref().map(drop).map_err(|thrown| with_source(call.host, lane, placed(call.host, thrown)));
                match &outcome {
                    // The others may reach their gates as well, and be answered together.
                    Err(error) if error.kind == Kind::NeedsAnswer => drop(unanswered.get_or_insert(error.clone())),
                    Err(error) if stops_the_run(error) => drop(fatal.get_or_insert(error.clone())),
                    _ => {}
                }
                ended.insert(item, result);
                machine.finished(item, outcome, clock.instant());
            }
            if let Some(error) = &fatal {
                cancel.halt(&error.message);
            }
            match (cancel.wish(), cancel.trouble()) {
                (Wish::Continue, _) => {}
                (_, Some(reason)) => machine.halt(reason, clock.instant()),
                (_, None) => machine.pause(clock.instant()),
            }
            if unanswered.is_some() {
                machine.hold(clock.instant());
            }
            let mut wake = None;
            let actions = machine.next(clock.instant());
            if let Err(error) = announce(call, name, &mut machine, (&lanes, &stop), &ended) {
                fatal.get_or_insert(error);
            }
            for action in actions {
                match action {
                    Action::Launch { item, attempt } => {
                        let lane = lanes[item].clone();
                        let launch = Launch {
                            runner: &runner,
                            lane: Arc::new(lane.again()),
                            item,
                            argument: &items[item],
                            done: &done,
                            bell: &bell,
                        };
                        let (busy, gate) = (clock.busy(), &gate);
                        // It is reported and recorded once it has a thread, and starts working afterwards.
                        let closed = gate.lock();
                        // A thread's name cannot contain NUL.
                        let name = machine.key(item).replace('\0', " ");
                        let thread = thread::Builder::new().name(name).stack_size(LANE_STACK);
                        let started = has_room().and_then(|()| {
                            thread.spawn_scoped(scope, move || {
                                drop(gate.lock());
                                launch.run();
                                drop(busy);
                            })
                        });
                        match started {
                            Ok(_) => {
                                if let Err(error) = journal.attempt(&lane.origin.lane, attempt, None, None) {
                                    fatal.get_or_insert(error);
                                }
                                call.host.emit(&lane, Fact::ItemStarted { attempt });
                            }
                            Err(error) => {
                                let error = no_thread(&format!("lane `{}`", machine.key(item)), &error);
                                if machine.withdraw(item) {
                                    crowded.get_or_insert(error);
                                } else {
                                    let thrown = throw(error, call.context.call_position());
                                    done.lock().push_back((item, Err(thrown)));
                                    bell.ring();
                                }
                            }
                        }
                        drop(closed);
                    }
                    Action::Wake { at } => wake = Some(at),
                    Action::Finished => return Ok(()),
                }
            }
            if let Some(error) = crowded.take_if(|_| !std::mem::replace(&mut warned, true)) {
                let running = machine.running();
                let said = Error { message: format!("{}; going on with {running} at a time", error.message), ..error };
                call.warn(format!("{} (hint: lower `limit`)", said.message));
            }
            if fatal.is_none() || cancel.wish() != Wish::Continue {
                clock.park(&bell, wake);
            }
        }
    })?;
    if let Some(error) = fatal.or(unanswered) {
        return Err(error);
    }
    let summary = machine.summary(clock.instant());
    if journal.only_replays() && summary.counts.cancelled > 0 {
        return Err(Error::interrupted());
    }
    let (counts, elapsed_seconds) = (summary.counts, summary.elapsed.as_secs_f64());
    call.emit(Fact::WaveFinished { name: name.to_owned(), counts, elapsed_seconds });
    Ok((summary, ended))
}

/// Gives the machine the recorded state of each item; returns the results of the ended ones.
fn restore(call: &Call<'_>, machine: &mut Machine, lanes: &[Arc<Lane>]) -> BTreeMap<usize, Ended> {
    let mut results = BTreeMap::new();
    let clock = &call.host.clock;
    let now = clock.instant();
    // Points in time count from now; one in the future was written by a clock that has been set since.
    let earlier_than_now = |time: Timestamp| clock.instant_of(time).min(now);
    for (item, lane) in lanes.iter().enumerate() {
        let earlier = match call.host.journal.item(&lane.origin.lane) {
            Item::Fresh => continue,
            Item::Interrupted { attempt, began, causes } => {
                Earlier::Interrupted { attempt, began: earlier_than_now(began), causes: causes.map(Error::from) }
            }
            // Nobody waits in a first pass.
            Item::Waiting { attempt, began, causes, .. } if call.host.journal.only_replays() => {
                Earlier::Interrupted { attempt, began: earlier_than_now(began), causes: causes.map(Error::from) }
            }
            Item::Waiting { attempt, began, not_before, causes } => {
                let not_before = clock.instant_of(not_before).min(now + machine.pause_before(attempt));
                Earlier::Waiting {
                    attempt,
                    began: earlier_than_now(began),
                    not_before,
                    causes: causes.map(Error::from),
                }
            }
            Item::Ended { ended, began } => {
                let began = earlier_than_now(began);
                let last = match &ended.result {
                    Saved::Error(error) => Some(Error::from(error.clone())),
                    _ => None,
                };
                let causes = Causes { last, first: ended.first.clone().map(Error::from) };
                match replayed(call.host, ended.result, &Source::Nowhere, call.context.call_position()) {
                    Some(result) => drop(results.insert(item, result)),
                    // Its result could not be recorded: its lane produces it again.
                    None => {
                        machine.restore(item, Earlier::Interrupted { attempt: ended.attempts, began, causes });
                        continue;
                    }
                }
                let elapsed = jiff::SignedDuration::from_secs_f64(ended.elapsed_seconds);
                Earlier::Ended { outcome: ended.outcome, attempts: ended.attempts, elapsed, causes, began }
            }
        };
        machine.restore(item, earlier);
        if call.host.journal.state().sources.is_cutting_over(&lane.origin.lane) {
            machine.hurry(item);
        }
    }
    results
}

/// A thread that starts without free memory would end the process at its first allocation.
fn has_room() -> io::Result<()> {
    Vec::<u8>::new().try_reserve_exact(LANE_STACK + ROOM).map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// True for an error of one lane that stops all of them.
fn stops_the_run(error: &Error) -> bool {
    matches!(error.kind, Kind::Mismatch | Kind::Journal | Kind::Storage | Kind::Login)
}

/// One attempt of one item, on its own thread.
struct Launch<'a> {
    runner: &'a Runner<'a>,
    lane: Arc<Lane>,
    item: usize,
    argument: &'a Dynamic,
    done: &'a Mutex<VecDeque<(usize, Ended)>>,
    bell: &'a Signal,
}

impl Launch<'_> {
    fn run(self) {
        let result = self.runner.run(&self.lane, self.argument).and_then(|value| match check_depth(&value) {
            Ok(()) => Ok(value),
            Err(error) => Err(throw(error, self.runner.position())),
        });
        self.done.lock().push_back((self.item, result));
        self.bell.ring();
    }
}

/// Says so in an error while the source of a VM in its lane is off.
pub(super) fn with_source(host: &Host, lane: &str, error: Error) -> Error {
    match host.journal.state().sources.of_lane(lane).next() {
        Some(_) => error.detail(SOURCE_OFF, true),
        None => error,
    }
}

/// The error of an item, with its position in the script and the functions that it passed through.
pub(super) fn placed(host: &Host, thrown: &EvalAltResult) -> Error {
    let mut located = locate(thrown);
    located.error = host.reads.explain(located.error.clone()).unwrap_or(located.error);
    located.placed(&host.name())
}

/// Reports and records the changes of the items.
fn announce(
    call: &Call<'_>,
    name: &str,
    machine: &mut Machine,
    (lanes, stop): (&[Arc<Lane>], &Stop),
    results: &BTreeMap<usize, Ended>,
) -> Result<()> {
    let mut stopping = None;
    for news in machine.take_news() {
        match news {
            News::Retried { item, attempt, attempts, cause: error, next } => {
                let lane = &lanes[item];
                let cause = saved_error(call.host, &error);
                let next = call.host.clock.time_of(next);
                call.host.journal.attempt(&lane.origin.lane, attempt, Some(next), cause)?;
                call.host.emit(lane, Fact::ItemRetried { attempt, attempts, cause: Cause::of(&error), next });
            }
            News::Ended { item } => {
                let Some(ended) = machine.outcome(item) else { continue };
                let lane = &lanes[item];
                if let Some(result) = recorded(call, &ended, results.get(&item)) {
                    call.host.journal.ended(&lane.origin.lane, result)?;
                }
                call.host.emit(lane, finished(&ended, stopping.as_deref(), false));
            }
            News::Restored { item } => {
                let Some(ended) = machine.outcome(item) else { continue };
                call.host.emit(&lanes[item], finished(&ended, None, true));
            }
            News::Stopping { reason } => {
                let _ = stop.set(reason.clone());
                stopping = Some(reason.clone());
                call.emit(Fact::WaveStopping { name: name.to_owned(), reason });
            }
        }
    }
    Ok(())
}

/// The outcome of an item for the journal; `None` if a resumed run takes it up again.
fn recorded(call: &Call<'_>, item: &ItemOutcome, result: Option<&Ended>) -> Option<Recorded> {
    let result = match (item.outcome, result, &item.cause) {
        (Outcome::Ok, Some(Ok(value)), _) => closure_result(call.host, value),
        // An unreachable network says nothing about the item: a resumed run takes it up again.
        (Outcome::Failed, _, Some(cause)) if cause.kind == Kind::Unreachable => return None,
        (Outcome::Failed, _, Some(cause)) => Saved::Error(saved_error(call.host, cause)?),
        _ => return None,
    };
    let elapsed_seconds = item.elapsed.as_secs_f64();
    let first = item.first.as_ref().and_then(|error| saved_error(call.host, error));
    Some(Recorded { outcome: item.outcome, attempts: item.attempts, elapsed_seconds, result, first })
}

fn finished(item: &ItemOutcome, stopping: Option<&str>, earlier: bool) -> Fact {
    let skipped = || {
        stopping
            .filter(|_| item.outcome == Outcome::Skipped)
            .map(|reason| format!("not started: {reason}").as_str().into())
    };
    Fact::ItemFinished {
        outcome: item.outcome,
        attempts: item.attempts,
        elapsed_seconds: item.elapsed.as_secs_f64(),
        cause: item.cause.as_ref().map(Cause::of).or_else(skipped),
        first: item.first.as_ref().map(Cause::of),
        earlier,
    }
}
