//! Runs as recorded in their journals, for `runs` and `report`.

use std::collections::HashMap;

use crate::error::Result;
use crate::event::{Cause, Event, Fact, Origin, Status, VERSION};
use crate::journal::file;
use crate::journal::lane::child;
use crate::journal::record::{Ended, Line, Record, Saved};
use crate::journal::replay::{Item, State};
use crate::journal::runs::Directory;
use crate::report::history::{Exit, History, Meta};

/// # Errors
/// `Journal` when it is damaged.
pub fn read(run: &Directory) -> Result<History> {
    let lines = run.lines()?.lines;
    let state = file::fold(&lines).map_err(|damage| file::damaged(&run.journal(), &damage))?;
    let unsettled = state.unsettled().into_iter();
    let unsettled = unsettled.map(|one| (one.key.lane.to_string(), format!("{} {}", one.method, one.path))).collect();
    let meta = &run.meta;
    let shown = |(name, value): (&String, &Option<String>)| {
        format!("{name}={}", value.as_deref().unwrap_or(crate::secret::MASK))
    };
    let meta = Meta {
        id: meta.id.clone(),
        name: meta.name.clone(),
        cloud: meta.cloud.clone(),
        started: meta.started,
        arguments: meta.set.iter().map(shown).collect(),
        alive: run.status() == Status::Running,
        end: meta.finished.as_ref().map(|end| Exit { exit_code: end.exit_code, otherwise: end.otherwise() }),
        cause: meta.finished.as_ref().and_then(|end| end.cause.clone()),
        unsettled,
    };
    let mut history = History::new(meta, &events(&lines));
    // A process that died between its last event and the end in the run's file has left no end, for `resume` too.
    if run.meta.finished.is_none() {
        history.end = None;
    }
    Ok(history)
}

/// The events of a journal. A recorded end whose event is missing, because the process died in between, gets one; a
/// wave that is entered again repeats the ends of its items.
pub fn events(lines: &[Line]) -> Vec<Event> {
    let mut origins: HashMap<String, Origin> = HashMap::new();
    let mut untold: HashMap<String, usize> = HashMap::new();
    let mut events: Vec<Event> = Vec::new();
    let mut state = State::default();
    for line in lines {
        // All callers have folded these lines before.
        let _ = state.apply(line.clone());
        let Line { at, record } = line;
        match record {
            Record::Event { event } => {
                let lane = event.origin.lane.to_string();
                match &event.fact {
                    Fact::ItemStarted { .. } => {
                        origins.insert(lane, event.origin.clone());
                    }
                    Fact::ItemFinished { .. } => {
                        if let Some(made_up) = untold.remove(&lane) {
                            events.remove(made_up);
                            untold.values_mut().filter(|other| **other > made_up).for_each(|other| *other -= 1);
                        }
                    }
                    _ => {}
                }
                events.push(event.clone());
                if let Fact::WaveStarted { name, items, call, .. } = &event.fact {
                    let ended = items.iter().filter_map(|key| {
                        let lane = child(&event.origin.lane, *call, key);
                        let Item::Ended { ended, .. } = state.item(&lane) else { return None };
                        let origin =
                            Origin { lane: lane.into(), wave: Some(name.as_str().into()), item: Some(key.clone()) };
                        Some(Event { v: VERSION, at: *at, origin, fact: finished(ended, true) })
                    });
                    events.extend(ended);
                }
            }
            Record::Ended { lane, ended } => {
                if let Some(origin) = origins.get(&**lane) {
                    untold.insert(lane.to_string(), events.len());
                    let fact = finished(ended.clone(), false);
                    events.push(Event { v: VERSION, at: *at, origin: origin.clone(), fact });
                }
            }
            Record::Journal { .. } | Record::Cloud { .. } | Record::Value { .. } | Record::Called { .. } => {}
            Record::Decided { .. } | Record::Began { .. } | Record::Stayed { .. } | Record::Settled { .. } => {}
            Record::Kept { .. } | Record::Returned { .. } | Record::Attempt { .. } | Record::Behind => {}
            Record::Anew { .. } | Record::RetryFailed => {}
        }
    }
    events
}

fn finished(ended: Ended, earlier: bool) -> Fact {
    let cause = match ended.result {
        Saved::Error(error) => Some(Cause::of(&error.into())),
        _ => None,
    };
    let (outcome, attempts, elapsed_seconds) = (ended.outcome, ended.attempts, ended.elapsed_seconds);
    let first = ended.first.map(|first| Cause::of(&first.into()));
    Fact::ItemFinished { outcome, attempts, elapsed_seconds, cause, first, earlier }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Outcome;

    proptest! {
        /// The process died between the record of an item's end and its event.
        #[test]
        fn an_end_that_was_not_told_is_told_whatever_the_key(key in any::<String>(), number in 0u32..3, call in 1u64..99) {
            for key in [format!("{key}#{number}"), key] {
                let at = jiff::Timestamp::UNIX_EPOCH;
                let lane = child("main", call, &key);
                let origin = Origin { lane: lane.as_str().into(), wave: Some("w".into()), item: Some(key.as_str().into()) };
                let started = Event { v: VERSION, at, origin: origin.clone(), fact: Fact::ItemStarted { attempt: 1 } };
                let ended = Ended { outcome: Outcome::Ok, attempts: 1, elapsed_seconds: 1.0, result: Saved::Unwritten, first: None };
                let lines = [
                    Line { at, record: Record::Event { event: started } },
                    Line { at, record: Record::Ended { lane: lane.into(), ended } },
                ];
                let events = events(&lines);
                let finished = events.iter().filter(|event| matches!(event.fact, Fact::ItemFinished { .. }));
                prop_assert_eq!(finished.map(|event| event.origin.clone()).collect::<Vec<_>>(), [origin]);
            }
        }
    }
}
