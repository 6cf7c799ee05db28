//! The course of a minion pool: every change with its time, computed when it is requested; a client's view is a
//! function of these and of the time.

use jiff::{SignedDuration, Timestamp};

use crate::model::{MachineStatus, PoolStatus};

/// Work on a pool is done by a process of its own, which has to start first.
const START: SignedDuration = SignedDuration::from_secs(3);
const VALIDATION: SignedDuration = SignedDuration::from_secs(10);
const SHARED: SignedDuration = SignedDuration::from_secs(30);
const HEALTH: SignedDuration = SignedDuration::from_secs(20);
const TEAR_DOWN: SignedDuration = SignedDuration::from_secs(25);

/// The changes of one pool in the order of their times.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Story {
    steps: Vec<(Timestamp, Step)>,
}

#[derive(Clone, Debug)]
enum Step {
    Status(PoolStatus<'static>),
    /// A change that no status shows.
    Touched,
    Event(&'static str, String),
    Shared(bool),
    Machine(String, MachineState),
    Gone(String),
}

/// The state of a machine.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sandbox) struct MachineState {
    pub allocation: MachineStatus<'static>,
    /// The transfer or deployment that uses it.
    pub action: Option<String>,
}

/// A pool at some time.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sandbox) struct Seen<'story> {
    pub status: PoolStatus<'static>,
    pub shared: bool,
    pub machines: Vec<Minion<'story>>,
    pub events: Vec<(Timestamp, &'static str, &'story str)>,
    pub updated: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::sandbox) struct Minion<'story> {
    pub id: &'story str,
    pub state: &'story MachineState,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// The time at which it was last ready for use; `None` before its machine runs.
    pub ready: Option<Timestamp>,
}

/// The point at which an allocation fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::sandbox) enum Flaw {
    Options,
    Image,
}

impl MachineState {
    fn of(allocation: MachineStatus<'static>) -> Self {
        Self { allocation, action: None }
    }
}

impl Story {
    pub(in crate::sandbox) fn new(now: Timestamp) -> Self {
        let added = "Successfully added minion pool to the DB";
        Self { steps: vec![(now, Step::Status(PoolStatus::Deallocated)), (now, Step::Event("INFO", added.into()))] }
    }

    pub(in crate::sandbox) fn seen(&self, now: Timestamp) -> Seen<'_> {
        let mut seen = Seen {
            status: PoolStatus::Deallocated,
            shared: false,
            machines: Vec::new(),
            events: Vec::new(),
            updated: None,
        };
        for (number, (at, step)) in self.steps.iter().enumerate().take_while(|(_, (at, _))| *at <= now) {
            match step {
                Step::Status(status) => {
                    seen.status = *status;
                    seen.updated = (number > 0).then_some(*at);
                }
                Step::Touched => seen.updated = Some(*at),
                Step::Event(level, text) => seen.events.push((*at, level, text)),
                Step::Shared(shared) => seen.shared = *shared,
                Step::Machine(id, state) => seen.change(id, state, *at),
                Step::Gone(id) => seen.machines.retain(|machine| machine.id != id),
            }
        }
        seen
    }

    /// The first moment after `after` at which something changes.
    pub(in crate::sandbox) fn next_moment(&self, after: Timestamp) -> Option<Timestamp> {
        self.steps.iter().map(|(at, _)| *at).find(|at| *at > after)
    }

    pub(in crate::sandbox) fn updated(&mut self, now: Timestamp) {
        self.push(now, [Step::Touched, info("Successfully updated minion pool properties")]);
    }

    /// From nothing to machines that wait for work. `since` is the status until that begins: a pool that was just
    /// created looks like one that nobody wants allocated.
    pub(in crate::sandbox) fn allocate(
        &mut self,
        now: Timestamp,
        since: PoolStatus<'static>,
        machines: &[String],
        takes: SignedDuration,
        flaw: Option<Flaw>,
    ) {
        let started = now + START;
        let (validated, deployed) = (started + VALIDATION, started + VALIDATION + SHARED);
        let booted = deployed + takes;
        self.rest(now, since);
        self.push(now, [info("Begun minion pool allocation process")]);
        self.go(started, since, PoolStatus::ValidatingInputs);
        self.push(started, [info("Validating minion pool options")]);
        if flaw == Some(Flaw::Options) {
            self.fail(validated, "the minion pool options were refused");
            self.revert(validated, PoolStatus::ValidatingInputs, PoolStatus::Error);
            return;
        }
        self.push(validated, [info("Successfully validated minion pool options")]);
        self.go(validated, PoolStatus::ValidatingInputs, PoolStatus::AllocatingSharedResources);
        self.push(validated, [info("Deploying shared pool resources")]);
        self.push(deployed, [Step::Shared(true), info("Successfully deployed shared pool resources")]);
        self.go(deployed, PoolStatus::AllocatingSharedResources, PoolStatus::AllocatingMachines);
        for id in machines {
            self.boot(id, deployed);
        }
        if flaw == Some(Flaw::Image) {
            self.fail(booted, "the minion machine's image could not be found");
            self.push(booted, machines.iter().map(|id| Step::Gone(id.clone())));
            self.revert(booted, PoolStatus::AllocatingMachines, PoolStatus::AllocatingSharedResources);
            self.revert(booted + TEAR_DOWN, PoolStatus::AllocatingSharedResources, PoolStatus::Error);
            return;
        }
        for id in machines {
            self.booted(id, booted);
        }
        self.go(booted, PoolStatus::AllocatingMachines, PoolStatus::Allocated);
    }

    /// Adds a machine to a pool that may grow.
    pub(in crate::sandbox) fn grow(&mut self, id: &str, now: Timestamp, takes: SignedDuration) {
        self.boot(id, now);
        self.booted(id, now + takes);
    }

    fn boot(&mut self, id: &str, at: Timestamp) {
        let text = format!("Allocating minion machine with internal pool ID '{id}'");
        self.push(at, [Step::Machine(id.into(), MachineState::of(MachineStatus::Allocating)), info(&text)]);
    }

    fn booted(&mut self, id: &str, at: Timestamp) {
        let text = format!("Successfully allocated minion machine with internal pool ID '{id}'");
        self.push(at, [Step::Machine(id.into(), MachineState::of(MachineStatus::Available)), info(&text)]);
    }

    pub(in crate::sandbox) fn refresh(&mut self, now: Timestamp) {
        let free: Vec<String> = self
            .seen(now)
            .machines
            .iter()
            .filter(|machine| machine.state.allocation == MachineStatus::Available)
            .map(|machine| machine.id.to_owned())
            .collect();
        let list = free.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
        let texts = [
            "No minion machines require deallocation during pool refresh".to_owned(),
            format!(
                "The following minion machines will be healthchecked as part of the refreshing of the minion pool: \
                 [{list}]"
            ),
            "Begun minion pool refreshing process".to_owned(),
        ];
        self.push(now, texts.iter().map(|text| info(text)));
        for id in &free {
            self.check_health(
                id,
                now,
                now + HEALTH,
                MachineState::of(MachineStatus::Healthchecking),
                MachineState::of(MachineStatus::Available),
            );
        }
    }

    fn check_health(&mut self, id: &str, from: Timestamp, to: Timestamp, during: MachineState, then: MachineState) {
        let begun = format!("Healthchecking minion machine with internal pool ID '{id}'");
        let ended = format!("Successfully healthchecked minion machine with internal pool ID '{id}'");
        self.push(from, [Step::Machine(id.into(), during), info(&begun)]);
        self.push(to, [Step::Machine(id.into(), then), info(&ended)]);
    }

    /// Back to nothing; everything planned before is discarded.
    pub(in crate::sandbox) fn deallocate(&mut self, now: Timestamp) {
        self.steps.retain(|(at, _)| *at <= now);
        let machines: Vec<String> = self.seen(now).machines.iter().map(|machine| machine.id.to_owned()).collect();
        let started = now + START;
        let gone = if machines.is_empty() { started } else { started + TEAR_DOWN };
        self.rest(now, PoolStatus::InMaintenance);
        self.push(now, [info("Begun minion pool deallocation process")]);
        if !machines.is_empty() {
            self.go(started, PoolStatus::InMaintenance, PoolStatus::DeallocatingMachines);
        }
        for id in &machines {
            let begun = format!("Deallocating minion machine with internal pool ID '{id}'");
            let ended = format!("Successfully deallocated minion machine with internal pool ID '{id}'");
            self.push(
                started,
                [Step::Machine(id.clone(), MachineState::of(MachineStatus::Deallocating)), info(&begun)],
            );
            self.push(gone, [Step::Gone(id.clone()), info(&ended)]);
        }
        let since = if machines.is_empty() { PoolStatus::InMaintenance } else { PoolStatus::DeallocatingMachines };
        self.go(gone, since, PoolStatus::DeallocatingSharedResources);
        self.push(gone + SHARED, [Step::Shared(false), info("Successfully deallocated shared pool resources")]);
        self.go(gone + SHARED, PoolStatus::DeallocatingSharedResources, PoolStatus::Deallocated);
    }

    /// Reserves a machine for an action, which uses it from `starts` on.
    pub(in crate::sandbox) fn reserve(&mut self, id: &str, action: &str, now: Timestamp, starts: Timestamp) {
        let text = format!(
            "The following pre-existing minion machines will be allocated to transfer action '{action}': ['{id}']"
        );
        let state = |allocation| MachineState { allocation, action: Some(action.into()) };
        self.push(now, [info(&text)]);
        self.check_health(id, now, starts, state(MachineStatus::Reserved), state(MachineStatus::InUse));
    }

    /// Frees the machines of an action.
    pub(in crate::sandbox) fn release(&mut self, action: &str, at: Timestamp) {
        let of_action = |step: &Step| match step {
            Step::Machine(_, state) => state.action.as_deref() == Some(action),
            _ => false,
        };
        let mut held: Vec<String> = Vec::new();
        for (_, step) in &self.steps {
            if let Step::Machine(id, _) = step
                && of_action(step)
                && !held.contains(id)
            {
                held.push(id.clone());
            }
        }
        // An action that was cancelled while it waited never uses its machines.
        self.steps.retain(|(time, step)| *time <= at || !of_action(step));
        let taken: Vec<String> = {
            let seen = self.seen(at);
            let has = |machine: &&Minion<'_>| machine.state.action.as_deref() == Some(action);
            seen.machines.iter().filter(has).map(|machine| machine.id.to_owned()).collect()
        };
        for id in held.into_iter().filter(|id| taken.contains(id)) {
            self.push(at, [Step::Machine(id, MachineState::of(MachineStatus::Available))]);
        }
    }

    /// A change of status without an event.
    fn rest(&mut self, at: Timestamp, status: PoolStatus<'static>) {
        if self.seen(at).status != status {
            self.push(at, [Step::Status(status)]);
        }
    }

    fn go(&mut self, at: Timestamp, from: PoolStatus<'_>, to: PoolStatus<'static>) {
        let text = format!("Pool status transitioned from '{from}' to '{to}'");
        self.push(at, [Step::Status(to), info(&text)]);
    }

    fn revert(&mut self, at: Timestamp, from: PoolStatus<'_>, to: PoolStatus<'static>) {
        let text = format!("Pool status reverted from '{from}' to '{to}'");
        self.push(at, [Step::Status(to), info(&text)]);
    }

    fn fail(&mut self, at: Timestamp, reason: &str) {
        let text = format!(
            "Failure occurred for one or more operations on the minion pool. Please check the logs for additional \
             details. Error messages were:\n {reason}"
        );
        self.push(at, [Step::Event("ERROR", text)]);
    }

    fn push(&mut self, at: Timestamp, steps: impl IntoIterator<Item = Step>) {
        self.steps.extend(steps.into_iter().map(|step| (at, step)));
        self.steps.sort_by_key(|(at, _)| *at);
    }
}

impl<'story> Seen<'story> {
    fn change(&mut self, id: &'story str, state: &'story MachineState, at: Timestamp) {
        let ready = (state.allocation == MachineStatus::Available).then_some(at);
        match self.machines.iter_mut().find(|machine| machine.id == id) {
            Some(machine) => {
                machine.state = state;
                machine.updated = at;
                machine.ready = ready.or(machine.ready);
            }
            None => self.machines.push(Minion { id, state, created: at, updated: at, ready }),
        }
    }
}

fn info(text: &str) -> Step {
    Step::Event("INFO", text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-06-01T20:00:00Z".parse().unwrap()
    }

    fn allocated() -> Story {
        let mut story = Story::new(start());
        let takes = SignedDuration::from_secs(60);
        story.allocate(start(), PoolStatus::Deallocated, &["one".into(), "two".into()], takes, None);
        story
    }

    /// The statuses of the story, with the number of machines.
    fn statuses(story: &Story, mut at: Timestamp) -> Vec<(PoolStatus<'static>, usize)> {
        let mut found = Vec::new();
        loop {
            let seen = story.seen(at);
            found.push((seen.status, seen.machines.len()));
            let Some(next) = story.next_moment(at) else { return found };
            at = next;
        }
    }

    #[test]
    fn a_pool_goes_from_its_inputs_to_its_machines_and_back() {
        let mut story = allocated();
        let expected = [
            (PoolStatus::Deallocated, 0),
            (PoolStatus::ValidatingInputs, 0),
            (PoolStatus::AllocatingSharedResources, 0),
            (PoolStatus::AllocatingMachines, 2),
            (PoolStatus::Allocated, 2),
        ];
        assert_eq!(statuses(&story, start()), expected);
        let later = start() + SignedDuration::from_hours(1);
        story.deallocate(later);
        let expected = [
            (PoolStatus::InMaintenance, 2),
            (PoolStatus::DeallocatingMachines, 2),
            (PoolStatus::DeallocatingSharedResources, 0),
            (PoolStatus::Deallocated, 0),
        ];
        assert_eq!(statuses(&story, later), expected);
        let again = later + SignedDuration::from_hours(1);
        story.allocate(again, PoolStatus::InMaintenance, &[], SignedDuration::ZERO, None);
        assert_eq!(statuses(&story, again)[..2], [(PoolStatus::InMaintenance, 0), (PoolStatus::ValidatingInputs, 0)]);
    }

    #[test]
    fn a_pool_whose_allocation_has_not_begun_tells_so_by_its_events_alone() {
        let (allocating, idle) = (allocated(), Story::new(start()));
        let (allocating, idle) = (allocating.seen(start()), idle.seen(start()));
        assert_eq!((allocating.status, allocating.updated), (idle.status, idle.updated));
        assert_eq!((allocating.events.len(), idle.events.len()), (2, 1));
    }

    #[test]
    fn a_machine_that_is_released_before_it_was_used_is_available_for_good() {
        let mut story = allocated();
        let later = start() + SignedDuration::from_hours(1);
        story.reserve("one", "transfer", later, later + SignedDuration::from_secs(10));
        assert_eq!(story.seen(later).machines[0].state.allocation, MachineStatus::Reserved);
        story.release("transfer", later + SignedDuration::from_secs(5));
        let end = story.seen(later + SignedDuration::from_hours(1));
        assert!(end.machines.iter().all(|machine| machine.state == &MachineState::of(MachineStatus::Available)));
    }
}
