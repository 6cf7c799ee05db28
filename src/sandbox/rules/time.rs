//! The passing of time: nothing ticks; everything that has ended by then is applied in order.

use jiff::Timestamp;

use crate::sandbox::world::{Cloud, Due, Running};

impl Cloud {
    /// The first moment after `after` at which a task or a status changes.
    pub(in crate::sandbox) fn next_change(&mut self, after: Timestamp) -> Option<Timestamp> {
        self.catch_up(after);
        while let Some(&(at, running)) = self.upcoming.first() {
            if at > after {
                break;
            }
            self.upcoming.pop_first();
            if let Some(next) = self.plan(running).and_then(|plan| plan.next_moment(after)) {
                self.upcoming.insert((next, running));
            }
        }
        let planned = self.upcoming.first().map(|(at, _)| *at);
        let due = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let pools = self.pools.iter().filter_map(|pool| pool.story.next_moment(after)).min();
        [planned, due, pools].into_iter().flatten().min()
    }

    /// Applies everything that has happened by `now`.
    pub(in crate::sandbox) fn catch_up(&mut self, now: Timestamp) {
        while let Some((&(at, serial), &due)) = self.agenda.first_key_value() {
            if at > now {
                return;
            }
            self.agenda.remove(&(at, serial));
            match due {
                Due::Ended(running) => {
                    // A cancel has moved the end: the new one is on the agenda as well.
                    if self.plan(running).is_some_and(|plan| plan.end().0 == at) {
                        self.ended(running, at);
                    }
                }
                Due::Look(deployment) => self.look(deployment, at),
                Due::Fire(schedule, version) => self.fire(schedule, version, at),
            }
        }
    }

    fn ended(&mut self, running: Running, at: Timestamp) {
        match running {
            Running::Execution(transfer, execution) => self.execution_ended(transfer, execution, at),
            Running::Deployment(deployment) => self.deployment_ended(deployment, at),
        }
    }

    /// Notes the next change and the end of a plan, after it was made and after it was cancelled. A moment noted before
    /// a cancel stays; it costs one look.
    pub(super) fn watch(&mut self, running: Running, now: Timestamp) {
        let Some(plan) = self.plan(running) else { return };
        let (next, (end, _)) = (plan.next_moment(now), plan.end());
        if let Some(next) = next {
            self.upcoming.insert((next, running));
        }
        self.remind(end, Due::Ended(running));
        self.catch_up(now);
    }

    pub(super) fn remind(&mut self, at: Timestamp, due: Due) {
        self.serial += 1;
        self.agenda.insert((at, self.serial), due);
    }
}
