//! The course of an execution: computed once when it is created, and once more when it is cancelled.
//!
//! Nothing ticks here. A [`Plan`] holds every change of every task with its time; a client's view is a function of the
//! plan and the time.

use jiff::{SignedDuration, Timestamp};

use super::draw::draw;
use super::graph::{Note, Spec};
use super::held::{Held, Volume};
use crate::model::{Status, TaskStatus};

/// A started task is handed to a worker first, then its process begins.
const HANDED_OUT: SignedDuration = SignedDuration::from_secs(2);
const BEGUN: SignedDuration = SignedDuration::from_secs(5);

const PARENT_FAILED: &str = "Unscheduled due to some parent tasks not having completed successfully.";
const ALL_UNSCHEDULED: &str = "Unscheduled due to the unscheduling of all parent tasks.";
const NOTHING_TO_CLEAN: &str = "Unscheduled due to no non-error parent tasks having completed successfully.";
const NOT_BEGUN: &str = "Unscheduled before it had begun.";
const NOT_SCHEDULED: &str = "No worker service could take this task.";
const STRANDED: &str = "This task was stranded by the deadlock of its execution.";
const NO_MINIONS: &str = "This task was unscheduled during the cancellation of the parent tasks execution.";
const CANCELLED: &str = "This task was user-cancelled. Additional cancellation info from worker service: \
                         'Task was canceled.'";
const FORCED: &str = "This task was force-canceled at user request. Its state prior to its cancellation was \
                      'RUNNING'. Its error details prior to its cancellation were: None";

/// Everything that will happen to one execution.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Plan {
    pub id: String,
    pub created: Timestamp,
    pub tasks: Vec<Task>,
    /// Every status with the time from which it holds; the first one holds from the creation.
    statuses: Vec<(Timestamp, Status<'static>)>,
    /// The sorted times at which a task begins or ends, or the status changes: all that a watcher can notice besides
    /// progress.
    moments: Vec<Timestamp>,
    /// The time from which a failure or a cancel is known: hidden clean-up tasks appear, and nothing new starts.
    troubled: Option<Timestamp>,
    cancelled: bool,
}

#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Task {
    pub id: String,
    /// Starts at 2 and counts on across instances.
    pub index: usize,
    pub spec: Spec,
    pub process_id: i64,
    changes: Vec<Change>,
    stage: Stage,
}

#[derive(Clone, Debug)]
struct Change {
    at: Timestamp,
    status: TaskStatus<'static>,
    details: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Waiting,
    /// Its process begins at `begins` and would end at `ends`.
    Active {
        begins: Timestamp,
        ends: Timestamp,
    },
    Final,
}

/// One task as seen at some time.
#[derive(Clone, Copy)]
pub(in crate::sandbox) struct Seen<'plan> {
    pub task: &'plan Task,
    pub status: TaskStatus<'static>,
    pub details: Option<&'plan str>,
    pub updated: Option<Timestamp>,
    /// The time at which its process began.
    pub began: Option<Timestamp>,
    /// The time up to which progress counts: now, or its end.
    pub until: Timestamp,
}

impl Plan {
    pub(in crate::sandbox) fn new(id: String, created: Timestamp, specs: Vec<Spec>) -> Self {
        let mut plan = Self::unstarted(id, created, specs, Status::Running);
        plan.settle(created);
        plan
    }

    /// An execution that waits for machines of a pool until `starts`.
    pub(in crate::sandbox) fn awaiting(id: String, created: Timestamp, starts: Timestamp, specs: Vec<Spec>) -> Self {
        let mut plan = Self::unstarted(id, created, specs, Status::AwaitingMinionAllocations);
        plan.statuses.push((starts, Status::Running));
        plan.settle(starts);
        plan
    }

    /// An execution that waits for machines of a pool, and learns at `told` that there are none.
    pub(in crate::sandbox) fn unallocated(id: String, created: Timestamp, told: Timestamp, specs: Vec<Spec>) -> Self {
        let mut plan = Self::unstarted(id, created, specs, Status::AwaitingMinionAllocations);
        for task in &mut plan.tasks {
            task.finish(told, TaskStatus::Unscheduled, Some(NO_MINIONS));
        }
        plan.statuses.push((told, Status::ErrorAllocatingMinions));
        plan.moments = vec![told];
        plan
    }

    /// An execution that never starts: the remains of a failed POST. A deadlocked one shows that in its tasks.
    pub(in crate::sandbox) fn unstarted(
        id: String,
        created: Timestamp,
        specs: Vec<Spec>,
        status: Status<'static>,
    ) -> Self {
        let stuck = |position: usize| match position {
            _ if status != Status::Deadlocked => Vec::new(),
            0 => {
                vec![Change { at: created, status: TaskStatus::FailedToSchedule, details: Some(NOT_SCHEDULED.into()) }]
            }
            _ => {
                vec![Change { at: created, status: TaskStatus::StrandedAfterDeadlock, details: Some(STRANDED.into()) }]
            }
        };
        let tasks = specs
            .into_iter()
            .enumerate()
            .map(|(position, spec)| {
                let own = draw(0, &["task", &id, &position.to_string()]);
                Task {
                    id: own.uuid(),
                    index: position + 2,
                    spec,
                    process_id: own.between(1_000, 99_999),
                    changes: stuck(position),
                    stage: Stage::Waiting,
                }
            })
            .collect();
        Self {
            id,
            created,
            tasks,
            statuses: vec![(created, status)],
            moments: Vec::new(),
            troubled: None,
            cancelled: false,
        }
    }

    pub(in crate::sandbox) fn status(&self, now: Timestamp) -> Status<'static> {
        let known = self.statuses.partition_point(|(at, _)| *at <= now);
        self.statuses[known.max(1) - 1].1
    }

    /// The time of the last change of status; `None` for one that never started.
    pub(in crate::sandbox) fn updated(&self, now: Timestamp) -> Option<Timestamp> {
        let known = self.statuses.partition_point(|(at, _)| *at <= now).max(1);
        (self.statuses[0].1 != Status::Unexecuted).then(|| self.statuses[known - 1].0)
    }

    pub(in crate::sandbox) fn is_active(&self, now: Timestamp) -> bool {
        matches!(self.status(now), Status::Running | Status::Cancelling | Status::AwaitingMinionAllocations)
    }

    /// The time and the status of its end, as planned by now.
    pub(in crate::sandbox) fn end(&self) -> (Timestamp, Status<'static>) {
        *self.statuses.last().expect("a plan has a first status")
    }

    /// The first moment after `after` at which a task begins or ends or the status changes.
    pub(in crate::sandbox) fn next_moment(&self, after: Timestamp) -> Option<Timestamp> {
        self.moments.get(self.moments.partition_point(|at| *at <= after)).copied()
    }

    /// The tasks that a client sees, by their index.
    pub(in crate::sandbox) fn seen(&self, now: Timestamp) -> impl Iterator<Item = Seen<'_>> {
        let troubled = self.troubled.is_some_and(|at| at <= now);
        self.tasks.iter().filter(move |task| !task.spec.hidden || troubled).map(move |task| task.seen(now))
    }

    /// True if the task of this kind had completed for this instance by `now`.
    pub(in crate::sandbox) fn completed(&self, instance: &str, kind: &str, now: Timestamp) -> bool {
        let of = |seen: Seen<'_>| {
            seen.task.spec.instance == instance && seen.task.spec.kind == kind && seen.status == TaskStatus::Completed
        };
        self.seen(now).any(of)
    }

    /// The instances that this plan has switched off, with the times.
    pub(in crate::sandbox) fn shut_down(&self, now: Timestamp) -> impl Iterator<Item = (&str, Timestamp)> {
        let done = self
            .seen(now)
            .filter(|seen| seen.task.spec.kind == "SHUTDOWN_INSTANCE" && seen.status == TaskStatus::Completed);
        done.map(|seen| (seen.task.spec.instance.as_str(), seen.until))
    }

    /// The time at which the last task of these kinds completed.
    pub(in crate::sandbox) fn last_completed(&self, kinds: &[&str], now: Timestamp) -> Option<Timestamp> {
        let of = |task: &&Task| kinds.contains(&task.spec.kind);
        let ends = self.tasks.iter().filter(of).filter_map(|task| task.changes.last());
        ends.filter(|change| change.status == TaskStatus::Completed && change.at <= now).map(|change| change.at).max()
    }

    /// Winds down everything that is running. With `force` a second time, the clean-up as well.
    pub(in crate::sandbox) fn cancel(&mut self, now: Timestamp, force: bool) {
        let again = self.status(now) == Status::Cancelling;
        self.forget_after(now);
        self.cancelled = true;
        self.troubled.get_or_insert(now);
        for task in &mut self.tasks {
            let drop_it = !task.spec.on_error || again && force;
            match task.stage {
                Stage::Active { begins, .. } if drop_it && begins <= now => {
                    let (status, text) =
                        if force { (TaskStatus::ForceCanceled, FORCED) } else { (TaskStatus::Canceled, CANCELLED) };
                    task.finish(now, status, Some(text));
                }
                Stage::Active { .. } if drop_it => task.finish(now, TaskStatus::Unscheduled, Some(NOT_BEGUN)),
                Stage::Waiting if task.spec.on_error && again && force => {
                    task.finish(now, TaskStatus::Unscheduled, Some(NOT_BEGUN));
                }
                _ => {}
            }
        }
        if !again {
            self.statuses.push((now, Status::Cancelling));
        }
        self.settle(now);
    }

    /// Discards everything planned after `now`.
    fn forget_after(&mut self, now: Timestamp) {
        self.statuses.retain(|(at, _)| *at <= now);
        self.troubled = self.troubled.filter(|at| *at <= now);
        for task in &mut self.tasks {
            let begun = task.changes.iter().find(|change| change.status == TaskStatus::Running).map(|change| change.at);
            let ends = task.changes.last().map(|change| change.at);
            task.changes.retain(|change| change.at <= now);
            task.stage = match (task.changes.last(), ends) {
                (None, _) | (_, None) => Stage::Waiting,
                (Some(last), _) if last.status.is_final() => Stage::Final,
                (Some(_), Some(ends)) => Stage::Active { begins: begun.unwrap_or(ends), ends },
            };
        }
    }

    /// Computes everything that follows from `from` on.
    fn settle(&mut self, from: Timestamp) {
        let mut now = from;
        loop {
            while self.decide(now) {}
            let next = self.tasks.iter().enumerate().filter_map(|(position, task)| match task.stage {
                Stage::Active { ends, .. } => Some((ends, position)),
                _ => None,
            });
            let Some((ends, position)) = next.min() else { break };
            now = ends;
            self.end_task(position, now);
        }
        self.statuses.push((now, self.verdict()));
        // A status that held for no time was never seen.
        let mut last = None;
        self.statuses.reverse();
        self.statuses.retain(|(at, _)| last.replace(*at) != Some(*at));
        self.statuses.reverse();
        self.moments =
            self.tasks.iter().flat_map(Task::moments).chain(self.statuses.iter().map(|(at, _)| *at)).collect();
        self.moments.sort_unstable();
        self.moments.dedup();
    }

    fn verdict(&self) -> Status<'static> {
        let failed =
            self.tasks.iter().any(|task| task.changes.last().is_some_and(|last| last.status == TaskStatus::Error));
        match (failed, self.cancelled) {
            (true, _) => Status::Error,
            (false, true) => Status::Canceled,
            (false, false) => Status::Completed,
        }
    }

    fn end_task(&mut self, position: usize, now: Timestamp) {
        let Some(failure) = self.tasks[position].spec.failure.clone() else {
            self.tasks[position].finish(now, TaskStatus::Completed, None);
            return;
        };
        self.tasks[position].finish(now, TaskStatus::Error, Some(&failure.text));
        self.troubled.get_or_insert(now);
        let mut others = false;
        for task in self.tasks.iter_mut().filter(|task| !task.spec.on_error) {
            let Stage::Active { begins, .. } = task.stage else { continue };
            others = true;
            match begins <= now {
                true => task.finish(now, TaskStatus::Canceled, Some(CANCELLED)),
                false => task.finish(now, TaskStatus::Unscheduled, Some(NOT_BEGUN)),
            }
        }
        if others && !self.cancelled {
            self.statuses.push((now, Status::Cancelling));
        }
    }

    /// Starts or drops waiting tasks whose parents are done. Returns whether anything changed.
    fn decide(&mut self, now: Timestamp) -> bool {
        let mut changed = false;
        for position in 0..self.tasks.len() {
            let task = &self.tasks[position];
            if task.stage != Stage::Waiting || (task.spec.hidden && self.troubled.is_none()) {
                continue;
            }
            let Some(verdict) = self.judge(task) else { continue };
            changed = true;
            match verdict {
                Ok(()) => self.tasks[position].start(now),
                Err(reason) => self.tasks[position].finish(now, TaskStatus::Unscheduled, Some(reason)),
            }
        }
        changed
    }

    /// Decides if a waiting task may start; `None` while a parent is not done.
    fn judge(&self, task: &Task) -> Option<Result<(), &'static str>> {
        let parents = || task.spec.parents.iter().map(|parent| &self.tasks[*parent]);
        if parents().any(|parent| parent.stage != Stage::Final) {
            return None;
        }
        let ended = |parent: &Task, status| parent.changes.last().is_some_and(|last| last.status == status);
        if !task.spec.parents.is_empty() && parents().all(|parent| ended(parent, TaskStatus::Unscheduled)) {
            return Some(Err(ALL_UNSCHEDULED));
        }
        if task.spec.on_error {
            let any = parents().any(|parent| !parent.spec.on_error && ended(parent, TaskStatus::Completed));
            return Some(if any { Ok(()) } else { Err(NOTHING_TO_CLEAN) });
        }
        if parents().any(|parent| !ended(parent, TaskStatus::Completed)) {
            return Some(Err(PARENT_FAILED));
        }
        Some(if self.troubled.is_none() { Ok(()) } else { Err(NOT_BEGUN) })
    }
}

impl Task {
    fn start(&mut self, now: Timestamp) {
        let begins = now + BEGUN;
        for (at, status) in
            [(now, TaskStatus::Pending), (now + HANDED_OUT, TaskStatus::Starting), (begins, TaskStatus::Running)]
        {
            self.changes.push(Change { at, status, details: None });
        }
        let seconds = match &self.spec.failure {
            Some(failure) => (self.spec.seconds as f64 * failure.after) as i64,
            None => self.spec.seconds,
        };
        self.stage = Stage::Active { begins, ends: begins + SignedDuration::from_secs(on_grid(seconds)) };
    }

    fn finish(&mut self, now: Timestamp, status: TaskStatus<'static>, details: Option<&str>) {
        self.changes.retain(|change| change.at <= now);
        self.changes.push(Change { at: now, status, details: details.map(String::from) });
        self.stage = Stage::Final;
    }

    /// STARTING is left out: nobody needs to be woken for it.
    fn moments(&self) -> impl Iterator<Item = Timestamp> {
        self.changes
            .iter()
            .filter(|change| change.status == TaskStatus::Running || change.status.is_final())
            .map(|change| change.at)
    }

    fn seen(&self, now: Timestamp) -> Seen<'_> {
        let known = self.changes.partition_point(|change| change.at <= now);
        let last = known.checked_sub(1).map(|position| &self.changes[position]);
        let began =
            self.changes[..known].iter().find(|change| change.status == TaskStatus::Running).map(|change| change.at);
        let status = last.map_or(TaskStatus::Scheduled, |change| change.status);
        Seen {
            task: self,
            status,
            details: last.and_then(|change| change.details.as_deref()),
            updated: last.map(|change| change.at),
            began,
            until: last.filter(|_| status.is_final()).map_or(now, |change| change.at),
        }
    }
}

impl<'plan> Seen<'plan> {
    /// The notes written so far, each with its time.
    pub(in crate::sandbox) fn notes(&self) -> impl Iterator<Item = (Timestamp, &'plan Note)> {
        let until = self.until;
        let seconds = self.task.spec.seconds;
        self.began
            .into_iter()
            .flat_map(move |began| {
                let at = move |note: &Note| began + part_of(seconds, note.from);
                self.task.spec.notes.iter().map(move |note| (at(note), note))
            })
            .filter(move |(at, _)| *at <= until)
    }

    /// True for a copy of the disks of this instance.
    pub(in crate::sandbox) fn is_copy_of(&self, instance: &str) -> bool {
        self.task.spec.kind == "REPLICATE_DISKS" && self.task.spec.instance == instance
    }

    /// Writes the part of a copy that is done onto the volumes, one after the other: they get what was there when the
    /// copy began.
    pub(in crate::sandbox) fn write(&self, volumes: &mut [Volume]) {
        let Some(read) = self.began else { return };
        let bars = self.notes().filter(|(_, note)| note.bar.is_some());
        for ((_, note), volume) in bars.zip(volumes) {
            volume.held = match self.percent(note).0 {
                _ if self.status == TaskStatus::Completed => Held::whole(read),
                100 => Held::whole(read),
                0 => volume.held,
                _ => volume.held.with_a_part(read),
            };
        }
    }

    /// The progress of a bar in whole percent, and the time of its last update.
    pub(in crate::sandbox) fn percent(&self, note: &Note) -> (i64, Option<Timestamp>) {
        let Some(began) = self.began else { return (0, None) };
        let start = began + part_of(self.task.spec.seconds, note.from);
        let whole = part_of(self.task.spec.seconds, note.to) - part_of(self.task.spec.seconds, note.from);
        let passed = self.until.duration_since(start).max(SignedDuration::ZERO);
        let percent = match whole.as_secs() {
            0 => 100,
            seconds => (passed.as_secs() * 100 / seconds).min(100),
        };
        let written = start + SignedDuration::from_secs(whole.as_secs() * percent / 100);
        (percent, (percent > 0).then_some(written))
    }
}

/// Durations are multiples of five seconds, so that many executions change at the same moments.
pub(in crate::sandbox) fn on_grid(seconds: i64) -> i64 {
    (seconds.max(1) + 4) / 5 * 5
}

fn part_of(seconds: i64, part: f64) -> SignedDuration {
    SignedDuration::from_secs((on_grid(seconds) as f64 * part) as i64)
}

#[cfg(test)]
mod tests;
