//! One watched target: turns each answer about it into facts for the board and results for the waits.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::failure;
use super::progress::Meter;
use super::target::{Target, TargetKind};
use crate::client::pause;
use crate::clock::{Clock, Instant};
use crate::error::{Error, Kind, Prospect, Result};
use crate::event::sources;
use crate::event::{Fact, Level, Progress, Subject};
use crate::model::{Object, Phase, PoolStatus, Power, Status};

/// An execution stays UNEXECUTED for good when its POST failed half way; before that it may be about to begin.
const IDLE_AT_MOST: SignedDuration = SignedDuration::from_secs(15);

/// A cancel may take this long; after that it hangs.
const WEDGED_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// A look without news is said as often: whoever only hears of news cannot tell a standstill from nobody looking.
const LOOKED: SignedDuration = SignedDuration::from_mins(2);

/// The number of times in a row that the server must report a missing object, or refuse the question, to be believed.
const BELIEVED: u32 = 2;

/// The consequences of an answer.
#[derive(Debug)]
pub(super) struct Seen {
    /// For everyone who waits.
    pub facts: Vec<Fact>,
    /// The end of the wait.
    pub result: Option<Result<Value>>,
}

/// The consequences of a failed question.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is asked again after this time; the warning is given once.
    Again {
        after: SignedDuration,
        warning: Option<String>,
    },
    Over(Error),
}

pub(super) struct Watched {
    subject: Subject,
    /// The id of its replica; of a migration, its own.
    replica: Option<String>,
    kind: TargetKind,
    /// The last state of each source, by the VM's name.
    powers: BTreeMap<String, Power>,
    meter: Meter,
    since: Timestamp,
    began: Instant,
    /// The last observation that was said, and its time.
    shown: Option<(Progress, Instant)>,
    /// The last status; empty before the first answer.
    status: String,
    idle_since: Option<Instant>,
    wedged_since: Option<Instant>,
    warned_of_wedge: bool,
    warned_of_status: bool,
    missing: u32,
    refused: u32,
    failures: u32,
}

impl Watched {
    pub(super) fn new(target: &Target, clock: &Clock) -> Self {
        let now = clock.now();
        let since = target
            .first
            .as_ref()
            .and_then(|first| Object::from(first).created_at())
            .filter(|since| *since <= now)
            .unwrap_or(now);
        let subject = target.subject();
        Self {
            replica: subject.replica.clone(),
            kind: target.kind.clone(),
            powers: BTreeMap::new(),
            subject,
            meter: Meter::new(target.disks.clone()),
            since,
            began: clock.instant_of(since),
            shown: None,
            status: String::new(),
            idle_since: None,
            wedged_since: None,
            warned_of_wedge: false,
            warned_of_status: false,
            missing: 0,
            refused: 0,
            failures: 0,
        }
    }

    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The time since which it has been running.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    pub(super) fn started(&self) -> Fact {
        Fact::WaitStarted { subject: self.subject.clone(), since: self.since }
    }

    pub(super) fn left(&self) -> Fact {
        Fact::WaitLeft { subject: self.subject.clone(), status: self.status.clone() }
    }

    /// Its current progress, for a wait that joins.
    pub(super) fn picture(&self) -> Option<Fact> {
        self.shown.clone().map(|(progress, _)| self.changed(progress))
    }

    /// Takes the answer of the POST: it is shown but ends nothing, since only the object's own answer is complete.
    pub(super) fn begin(&mut self, first: &Value) -> Vec<Fact> {
        let mut facts = self.show(first, self.began);
        facts.extend(self.sources(first, self.began));
        facts
    }

    /// Takes the current state of the object.
    pub(super) fn see(&mut self, value: &Value, now: Instant) -> Seen {
        (self.missing, self.refused, self.failures) = (0, 0, 0);
        let mut facts = self.show(value, now);
        facts.extend(self.sources(value, now));
        facts.extend(self.warn_of_status());
        facts.extend(self.warn_of_wedge(value, now));
        let phase = self.kind.phase(value);
        let over = match phase {
            Phase::Idle => now.duration_since(*self.idle_since.get_or_insert(now)) >= IDLE_AT_MOST,
            _ => {
                self.idle_since = None;
                phase != Phase::Active
            }
        };
        if !over {
            return Seen { facts, result: None };
        }
        facts.push(self.finished(&self.status, now));
        Seen { facts, result: Some(failure::result(&self.subject, phase, value)) }
    }

    /// Takes an error of the server that concerns this target.
    pub(super) fn refuse(&mut self, error: Error) -> Trouble {
        if error.kind == Kind::NotFound || error.status() == Some(404) {
            self.missing += 1;
            if self.missing >= BELIEVED {
                return Trouble::Over(failure::vanished(&self.subject, &self.status));
            }
            return Trouble::Again { after: SignedDuration::from_secs(1), warning: None };
        }
        self.missing = 0;
        if matches!(error.prospect(), Prospect::Final | Prospect::Later) {
            self.refused += 1;
            if self.refused >= BELIEVED {
                let error = error.context(format!("cannot watch {}", failure::name(&self.subject)));
                return Trouble::Over(failure::about(error, &self.subject, ""));
            }
        }
        self.failures += 1;
        let after = pause(self.failures);
        let warning = (self.failures == 1)
            .then(|| format!("cannot see {} at the moment: {error}; it is asked again", failure::name(&self.subject)));
        Trouble::Again { after, warning }
    }

    /// The end of the wait for the board, with a status that may not be the server's.
    pub(super) fn finished(&self, status: &str, now: Instant) -> Fact {
        Fact::WaitFinished {
            subject: self.subject.clone(),
            status: status.to_owned(),
            since: self.since,
            elapsed_seconds: now.duration_since(self.began).as_secs_f64(),
        }
    }

    fn show(&mut self, value: &Value, now: Instant) -> Vec<Fact> {
        self.status = Object::from(value).status().to_string();
        let part = self.kind.part(value);
        let progress = Progress { part, ..self.meter.read(value) };
        let is_old =
            |(shown, said): &(Progress, Instant)| looks_alike(shown, &progress) && now.duration_since(*said) < LOOKED;
        if self.shown.as_ref().is_some_and(is_old) {
            return Vec::new();
        }
        self.shown = Some((progress.clone(), now));
        vec![self.changed(progress)]
    }

    /// The changes of the sources since the last look.
    fn sources(&mut self, value: &Value, now: Instant) -> Vec<Fact> {
        let now = self.since + now.duration_since(self.began);
        let replica = self.replica.as_deref().or_else(|| Object::from(value).replica());
        // After a deployment the sources are no longer missed.
        let deploys = matches!(self.kind, TargetKind::Deployment { .. });
        let mut facts = sources::facts(replica.unwrap_or(&self.subject.id), value, deploys, now);
        facts.retain(|fact| match fact {
            Fact::SourceChanged { instance, power, .. } => self.powers.insert(instance.clone(), *power) != Some(*power),
            _ => true,
        });
        facts
    }

    fn changed(&self, progress: Progress) -> Fact {
        Fact::WaitChanged { subject: self.subject.clone(), progress, since: self.since }
    }

    fn warn_of_status(&mut self) -> Option<Fact> {
        let is_unknown = match self.kind {
            TargetKind::Pool { .. } => matches!(PoolStatus::from(self.status.as_str()), PoolStatus::Other(_)),
            _ => matches!(Status::from(self.status.as_str()), Status::Other(_)),
        };
        if !is_unknown || self.warned_of_status {
            return None;
        }
        self.warned_of_status = true;
        Some(Fact::warning(format!(
            "{} has the unknown status `{}`; watching goes on",
            failure::name(&self.subject),
            self.status
        )))
    }

    fn warn_of_wedge(&mut self, value: &Value, now: Instant) -> Option<Fact> {
        if !failure::is_wedged(value) {
            self.wedged_since = None;
            return None;
        }
        let since = *self.wedged_since.get_or_insert(now);
        if self.warned_of_wedge || now.duration_since(since) < WEDGED_AFTER {
            return None;
        }
        self.warned_of_wedge = true;
        let Subject { kind, id, .. } = &self.subject;
        Some(Fact::Logged {
            level: Level::Warning,
            message: format!("{} hangs in CANCELLING although all its tasks have ended", failure::name(&self.subject)),
            hint: Some(format!("cancel {kind} `{id}` again with `force: true`")),
        })
    }
}

/// True if the server is away, rather than one object unavailable. A proxy that answers in its place, with a page of
/// its own, says nothing about the object.
pub(super) fn is_outage(error: &Error) -> bool {
    match error.prospect() {
        Prospect::Back => true,
        Prospect::Later => error.kind == Kind::Unreachable,
        Prospect::Better | Prospect::Final => error.kind == Kind::Interrupted,
    }
}

fn looks_alike(shown: &Progress, progress: &Progress) -> bool {
    let words_are_alike = (shown.part, &shown.status, &shown.task) == (progress.part, &progress.status, &progress.task);
    words_are_alike && shown.percent.round() == progress.percent.round()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Speed;
    use crate::duration::server_time;

    /// 07:45:55, the time at which the tests begin.
    fn clock() -> Clock {
        let start = server_time("2026-11-22T07:45:55.000000").expect("the server's form");
        Clock::starting_at(Speed::Max, start)
    }

    fn at(second: i64) -> Instant {
        Instant::START + SignedDuration::from_secs(second)
    }

    fn watched() -> Watched {
        Watched::new(&Target::execution("T", "E", "web-01"), &clock())
    }

    /// A logged message and its hint.
    fn logged(fact: &Fact) -> Option<(&str, Option<&str>)> {
        match fact {
            Fact::Logged { message, hint, .. } => Some((message, hint.as_deref())),
            _ => None,
        }
    }

    fn warnings(seen: &Seen) -> Vec<&str> {
        seen.facts.iter().filter_map(logged).map(|(message, _)| message).collect()
    }

    #[test]
    fn it_runs_since_its_creation_unless_the_servers_clock_is_ahead() {
        let since = |created: &str| {
            let first = json!({ "status": "RUNNING", "created_at": created });
            Watched::new(&Target::execution("T", "E", "").first(first), &clock()).began()
        };
        assert_eq!(since("2026-11-22T07:45:00.000000"), at(-55));
        assert_eq!(since("2026-11-22T09:45:00.000000"), at(0));
    }

    #[test]
    fn only_changes_that_can_be_seen_are_said() {
        let copy = |step: u32| {
            json!({ "status": "RUNNING", "tasks": [{ "index": 2, "task_type": "REPLICATE_DISKS", "status": "RUNNING",
                "progress_updates": [{ "current_step": step, "total_steps": 1000, "message": "disk 1 of 1" }] }] })
        };
        let mut watched = watched();
        let said: Vec<usize> =
            [0, 1, 4, 6, 6, 20].map(|step| watched.see(&copy(step), at(1)).facts.len()).into_iter().collect();
        assert_eq!(said, [1, 0, 0, 1, 0, 1]);
        let mut said = |step: u32, second: i64| watched.see(&copy(step), at(second)).facts.len();
        assert_eq!([said(21, 100), said(22, 121), said(22, 200), said(22, 300), said(23, 301)], [0, 1, 0, 1, 0]);
    }

    #[test]
    fn an_unexecuted_execution_is_given_a_moment_and_then_counts_as_never_started() {
        let idle = json!({ "status": "UNEXECUTED", "tasks": [] });
        let mut watched = watched();
        assert!(watched.see(&idle, at(0)).result.is_none());
        assert!(watched.see(&json!({ "status": "RUNNING" }), at(14)).result.is_none());
        assert!(watched.see(&idle, at(15)).result.is_none());
        let result = watched.see(&idle, at(30)).result.expect("ended");
        assert_eq!(result.expect_err("failed").kind, Kind::Failed);
    }

    #[test]
    fn a_wedge_is_said_once_with_the_way_out() {
        let task = |status: &str| json!({ "status": "CANCELLING", "tasks": [{ "index": 2, "status": status }] });
        let mut watched = watched();
        assert_eq!(warnings(&watched.see(&task("CANCELED"), at(0))), [""; 0]);
        let seen = watched.see(&task("CANCELED"), at(61));
        let told: Vec<(&str, Option<&str>)> = seen.facts.iter().filter_map(logged).collect();
        assert_eq!(
            told,
            [(
                "execution of `web-01` hangs in CANCELLING although all its tasks have ended",
                Some("cancel execution `E` again with `force: true`")
            )]
        );
        assert_eq!(warnings(&watched.see(&task("CANCELED"), at(200))), [""; 0]);
        let mut cleaning = self::watched();
        assert_eq!(warnings(&cleaning.see(&task("CANCELED"), at(0))), [""; 0]);
        assert_eq!(warnings(&cleaning.see(&task("RUNNING"), at(40))), [""; 0]);
        assert_eq!(warnings(&cleaning.see(&task("CANCELED"), at(70))), [""; 0]);
    }

    #[test]
    fn an_unknown_status_is_said_once_and_watched_on() {
        let mut watched = watched();
        let strange = json!({ "status": "MEDITATING", "tasks": [] });
        let seen = watched.see(&strange, at(0));
        assert_eq!(warnings(&seen), ["execution of `web-01` has the unknown status `MEDITATING`; watching goes on"]);
        assert!(seen.result.is_none());
        assert_eq!(warnings(&watched.see(&strange, at(5))), [""; 0]);
    }

    #[test]
    fn a_pool_is_at_rest_when_its_status_and_its_machines_are() {
        let pool = |status: &str, machine: &str| {
            json!({ "status": status, "minion_machines": [{ "allocation_status": machine }],
                "events": [{ "level": "ERROR", "index": 1, "message": "no quota" }] })
        };
        let mut watched = Watched::new(&Target::pool("P", "helpers"), &clock());
        for busy in [pool("ALLOCATING_MACHINES", "ALLOCATING"), pool("ALLOCATED", "HEALTHCHECKING")] {
            let seen = watched.see(&busy, at(0));
            assert_eq!(warnings(&seen), [""; 0]);
            assert!(seen.result.is_none());
        }
        let result = watched.see(&pool("ALLOCATED", "AVAILABLE"), at(5)).result.expect("at rest");
        assert_eq!(result.expect("allocated")["status"], "ALLOCATED");
        let error = watched.see(&pool("ERROR", "ERROR"), at(9)).result.expect("broken").expect_err("failed");
        assert_eq!(error.message, "the minion pool `helpers` failed: no quota");
        let seen = watched.see(&pool("MEDITATING", "AVAILABLE"), at(9));
        assert_eq!(warnings(&seen), ["minion pool `helpers` has the unknown status `MEDITATING`; watching goes on"]);
    }

    #[test]
    fn one_object_that_cannot_be_shown_is_asked_again_and_a_refusal_is_believed_the_second_time() {
        let broken = || Error::new(Kind::Api, "the server has erred").detail("status", 500);
        let mut watched = watched();
        let waits: Vec<(i64, bool)> = (0..4)
            .map(|_| match watched.refuse(broken()) {
                Trouble::Again { after, warning } => (after.as_secs(), warning.is_some()),
                Trouble::Over(error) => panic!("over: {error}"),
            })
            .collect();
        assert_eq!(waits, [(1, true), (2, false), (4, false), (8, false)]);
        let refused = || Error::new(Kind::Api, "no").detail("status", 403);
        assert!(matches!(watched.refuse(refused()), Trouble::Again { .. }));
        let Trouble::Over(error) = watched.refuse(refused()) else { panic!("goes on") };
        assert_eq!(error.message, "cannot watch execution of `web-01`: no");
        assert_eq!(error.status(), Some(403));
    }
}
