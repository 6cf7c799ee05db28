//! The choice of what another attempt does again, and what stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Call, State, parent};
use crate::event::Outcome;

impl State {
    /// Makes the next attempt of this lane repeat the failed call, or make again the object whose wait failed, and
    /// nothing before it.
    pub(super) fn redo(&mut self, path: &str) {
        let Some(lane) = self.lanes.get_mut(path) else { return };
        lane.rounds += 1;
        lane.ended = None;
        let Some(last) = lane.calls.last_key_value().map(|(number, _)| *number) else { return };
        // A call that runs closures surrounds theirs.
        let failed: Vec<u64> = lane
            .calls
            .iter()
            .filter(|(number, call)| !call.is_ok() && call.last.max(**number) >= last)
            .map(|(number, _)| *number)
            .collect();
        let Some(outermost) = failed.first().copied() else {
            // The script itself threw: everything that it read since its last change is read again.
            let mut from = last + 1;
            while let Some(last) = lane.calls.last_entry()
                && last.get().is_read()
            {
                from = *last.key();
                last.remove();
            }
            lane.loosen(from);
            return;
        };
        let mut awaited = BTreeSet::new();
        for number in &failed {
            awaited.extend(lane.calls.get(number).into_iter().flat_map(|call| call.awaited.iter().cloned()));
        }
        lane.calls.retain(|number, call| *number <= outermost || failed.contains(number) || !call.is_read());
        let mut from = outermost;
        for (number, call) in &mut lane.calls {
            if failed.contains(number) || call.has_made(&awaited) {
                call.reset(&awaited);
                from = from.min(*number);
            }
        }
        lane.loosen(from);
        for number in failed {
            self.reopen_items(path, number);
        }
    }

    /// Makes the failed items of the wave that this call opened run again.
    fn reopen_items(&mut self, path: &str, call: u64) {
        let prefix = format!("{path}/{call}:");
        let below: Vec<Arc<str>> = self
            .lanes
            .keys()
            .filter(|lane| lane.starts_with(&prefix) && parent(lane).is_some_and(|(up, _)| up == path))
            .cloned()
            .collect();
        for lane in below {
            if self
                .lanes
                .get(&lane)
                .is_some_and(|lane| lane.ended.as_ref().is_some_and(|ended| ended.outcome != Outcome::Ok))
            {
                self.redo(&lane);
                self.lane(&lane).start_over();
            }
        }
    }

    pub(super) fn retry_failed(&mut self) {
        let failed: Vec<Arc<str>> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.ended.as_ref().is_some_and(|ended| ended.outcome != Outcome::Ok))
            .map(|(path, _)| path.clone())
            .collect();
        // From the innermost: the failed call of an outer lane is the wave around the inner ones.
        for path in failed.iter().rev() {
            self.redo(path);
            self.lane(path).start_over();
        }
        for path in &failed {
            let mut below: &str = path;
            while let Some((up, call)) = parent(below) {
                let Some(lane) = self.lanes.get_mut(up) else { break };
                lane.loosen(call);
                if lane.ended.take().is_some() {
                    lane.start_over();
                }
                if let Some(call) = lane.calls.get_mut(&call) {
                    call.returned = None;
                }
                below = up;
            }
        }
        let main = self.lanes.get("main").and_then(|lane| lane.calls.last_key_value());
        if main.is_some_and(|(_, call)| call.returned.is_some() && !call.is_ok()) {
            self.redo("main");
        }
        // Items that were never started have no lane: the wave that skipped them is entered again.
        self.enter_thrown_waves();
    }

    /// Enters a wave that threw again.
    fn enter_thrown_waves(&mut self) {
        for lane in self.lanes.values_mut() {
            let thrown = |call: &Call| call.is_wave && call.returned.is_some() && !call.is_ok();
            let thrown: Vec<u64> =
                lane.calls.iter().filter(|(_, call)| thrown(call)).map(|(number, _)| *number).collect();
            for number in thrown {
                lane.loosen(number);
                if let Some(call) = lane.calls.get_mut(&number) {
                    call.returned = None;
                }
            }
        }
    }

    /// Discards the result of this call: it is made again, and the calls after it may differ.
    pub(super) fn anew(&mut self, path: &str, call: u64) {
        let Some(lane) = self.lanes.get_mut(path) else { return };
        lane.calls.remove(&call);
        lane.leave(call);
        lane.loosen(call);
    }
}
