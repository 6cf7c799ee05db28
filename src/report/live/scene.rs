//! A small run for the tests of the report: two waves with a few events each.
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::clock::REHEARSAL_START;
use crate::event::{Cause, Counts, Event, Fact, Origin, Outcome, Progress, Subject, VERSION};

use super::board::Board;
use crate::model::{Part, Power};

/// The run's time after this many minutes.
pub fn minute(minutes: f64) -> Timestamp {
    let start: Timestamp = REHEARSAL_START.parse().expect("the constant is a timestamp");
    start + SignedDuration::from_secs_f64(minutes * 60.0)
}

pub fn main_lane() -> Origin {
    Origin { lane: "main".into(), wave: None, item: None }
}

pub fn item(wave: &str, item: &str) -> Origin {
    Origin { lane: format!("main/{wave}/{item}").into(), wave: Some(wave.into()), item: Some(item.into()) }
}

pub fn event(minutes: f64, origin: Origin, fact: Fact) -> Event {
    Event { v: VERSION, at: minute(minutes), origin, fact }
}

pub fn wave(minutes: f64, name: &str, limit: usize, keys: &[&str]) -> Event {
    let items: Vec<Arc<str>> = keys.iter().map(|key| Arc::from(*key)).collect();
    let total = items.len();
    event(
        minutes,
        main_lane(),
        Fact::WaveStarted { name: name.to_owned(), total, limit, items, call: 0, body: "".into() },
    )
}

pub fn started(minutes: f64, origin: Origin) -> Event {
    event(minutes, origin, Fact::ItemStarted { attempt: 1 })
}

pub fn retried(minutes: f64, origin: Origin, cause: &str) -> Event {
    let next = minute(minutes + 1.0);
    event(minutes, origin, Fact::ItemRetried { attempt: 2, attempts: 3, cause: cause.into(), next })
}

/// The end of a run whose sources are all on or moved.
pub fn run_finished(exit_code: u8, elapsed_seconds: f64) -> Fact {
    Fact::RunFinished { exit_code, ended: None, sources_off: Vec::new(), elapsed_seconds }
}

pub fn source(minutes: f64, origin: Origin, instance: &str, power: Power) -> Event {
    let (replica, since) = (format!("r-{instance}"), minute(minutes));
    let (instance, execution, by) = (instance.to_owned(), None, None);
    event(minutes, origin, Fact::SourceChanged { replica, instance, power, since, execution, by })
}

/// A failure in its parts.
pub fn failed(minutes: f64, origin: Origin, attempts: u32, cause: Cause, first: Option<Cause>) -> Event {
    let (outcome, elapsed_seconds) = (Outcome::Failed, minutes * 60.0);
    let cause = Some(cause);
    event(minutes, origin, Fact::ItemFinished { outcome, attempts, elapsed_seconds, cause, first, earlier: false })
}

/// A cause with a hint.
pub fn cause(message: &str, hint: &str) -> Cause {
    Cause { hint: Some(hint.to_owned()), ..Cause::from(message) }
}

pub fn finished(minutes: f64, origin: Origin, outcome: Outcome, attempts: u32, cause: Option<&str>) -> Event {
    let cause = cause.map(Cause::from);
    event(
        minutes,
        origin,
        Fact::ItemFinished { outcome, attempts, elapsed_seconds: minutes * 60.0, cause, first: None, earlier: false },
    )
}

pub fn subject(id: &str) -> Subject {
    Subject { kind: "execution".to_owned(), id: id.to_owned(), label: id.to_owned(), replica: None }
}

pub fn waiting(minutes: f64, origin: Origin, id: &str) -> Event {
    event(minutes, origin, Fact::WaitStarted { subject: subject(id), since: minute(minutes) })
}

/// An observation of a copy of 40 GB.
pub fn copying(minutes: f64, since: f64, origin: Origin, id: &str, percent: u32) -> Event {
    let progress = Progress {
        status: "RUNNING".to_owned(),
        part: Some(Part::FirstCopy),
        task: Some("REPLICATE_DISKS".to_owned()),
        percent: f64::from(percent),
        bytes: Some((u64::from(percent) * 400_000_000, 40_000_000_000)),
    };
    event(minutes, origin, Fact::WaitChanged { subject: subject(id), progress, since: minute(since) })
}

pub fn wave_finished(minutes: f64, name: &str, counts: Counts) -> Event {
    let fact = Fact::WaveFinished { name: name.to_owned(), counts, elapsed_seconds: minutes * 60.0 };
    event(minutes, main_lane(), fact)
}

pub fn board(events: &[Event]) -> Board {
    let mut board = Board::default();
    events.iter().for_each(|event| board.apply(event));
    board
}

/// A wave whose items are queued, copying, stalled, between attempts, failed and done, at minute 40.
pub fn busy_wave() -> Vec<Event> {
    let at = |key| item("seed", key);
    vec![
        wave(0.0, "seed", 4, &["web-01", "web-02", "db-07", "db-11", "mail-01", "mail-02", "files-数据-01"]),
        started(0.0, at("web-01")),
        started(0.0, at("db-07")),
        started(0.0, at("db-11")),
        started(0.0, at("web-02")),
        waiting(0.1, at("web-01"), "e1"),
        waiting(0.1, at("web-02"), "e2"),
        waiting(0.1, at("db-07"), "e3"),
        copying(10.0, 0.1, at("web-01"), "e1", 25),
        copying(20.0, 0.1, at("db-07"), "e3", 12),
        copying(20.0, 0.1, at("web-01"), "e1", 50),
        copying(36.0, 0.1, at("web-02"), "e2", 90),
        copying(36.0, 0.1, at("db-07"), "e3", 12),
        retried(39.5, at("db-11"), "REPLICATE_DISKS: Connection reset while reading disk 0"),
        copying(40.0, 0.1, at("web-01"), "e1", 99),
        copying(40.0, 0.1, at("web-02"), "e2", 90),
        copying(40.0, 0.1, at("db-07"), "e3", 12),
        finished(40.0, at("web-01"), Outcome::Ok, 1, None),
        started(40.0, at("mail-01")),
        event(40.0, at("mail-01"), Fact::CallStarted { call: 1, function: "replica_ensure".to_owned() }),
    ]
}

/// Two waves at their end, one of them with every kind of outcome.
pub fn ended_run() -> Vec<Event> {
    let (web, db) = (|key| item("web", key), |key| item("db", key));
    let quota = cause(
        "Quota exceeded for cores: 8, used 20/20 (execution 3034593f-0000-4000-8000-0123456789ab)\nmore",
        "raise the quota",
    );
    vec![
        wave(0.0, "web", 20, &["web-01", "web-02"]),
        started(0.0, web("web-02")),
        started(0.0, web("web-01")),
        retried(3.0, web("web-02"), "Connection reset"),
        finished(6.0, web("web-01"), Outcome::Ok, 1, None),
        finished(9.0, web("web-02"), Outcome::Ok, 2, None),
        wave_finished(9.0, "web", Counts { ok: 2, ..Counts::default() }),
        wave(9.0, "db", 2, &["db-07", "db-11", "db-12", "db-13", "db-14"]),
        started(9.0, db("db-11")),
        started(9.0, db("db-07")),
        retried(10.0, db("db-07"), "Connection reset"),
        failed(20.0, db("db-11"), 1, quota, None),
        finished(21.0, db("db-14"), Outcome::Skipped, 0, Some("the failure budget is used up")),
        finished(22.0, db("db-13"), Outcome::Unknown, 1, Some("nobody knows whether POST /transfers was applied")),
        finished(23.0, db("db-12"), Outcome::Cancelled, 1, Some("interrupted by the operator")),
        finished(31.0, db("db-07"), Outcome::Failed, 3, Some("REPLICATE_DISKS: Connection reset reading disk 0")),
    ]
}

/// An observation of a part of a VM's way.
pub fn at_part(minutes: f64, since: f64, origin: Origin, id: &str, part: Part, task: &str, percent: f64) -> Event {
    let task = Some(task.to_owned());
    let progress = Progress { status: "RUNNING".to_owned(), part: Some(part), task, percent, bytes: None };
    event(minutes, origin, Fact::WaitChanged { subject: subject(id), progress, since: minute(since) })
}

/// The good end of a part.
pub fn part_done(minutes: f64, since: f64, origin: Origin, id: &str) -> Event {
    let (status, elapsed_seconds) = ("COMPLETED".to_owned(), (minutes - since) * 60.0);
    event(minutes, origin, Fact::WaitFinished { subject: subject(id), status, since: minute(since), elapsed_seconds })
}

/// A wave of moves two at a time, at minute 60: one is through in 50 minutes, one deploys, one has begun, one is queued.
pub fn moves() -> Vec<Event> {
    let at = |key| item("move", key);
    let way = |from: f64, key: &'static str, ids: [&'static str; 3]| {
        [
            started(from, at(key)),
            copying(from, from, at(key), ids[0], 0),
            part_done(from + 30.0, from, at(key), ids[0]),
            at_part(from + 30.0, from + 30.0, at(key), ids[1], Part::FinalDelta, "SHUTDOWN_INSTANCE", 10.0),
            part_done(from + 40.0, from + 30.0, at(key), ids[1]),
            at_part(from + 40.0, from + 40.0, at(key), ids[2], Part::Deploy, "OS_MORPHING", 48.0),
        ]
    };
    let mut events = vec![wave(0.0, "move", 2, &["web-01", "web-02", "db-01", "db-02"])];
    events.extend(way(0.0, "web-01", ["c1", "d1", "p1"]));
    events.push(part_done(50.0, 40.0, at("web-01"), "p1"));
    events.push(finished(50.0, at("web-01"), Outcome::Ok, 1, None));
    events.extend(way(15.0, "web-02", ["c2", "d2", "p2"]));
    events.push(started(50.0, at("db-01")));
    events.push(copying(50.0, 50.0, at("db-01"), "c3", 0));
    events.push(copying(56.0, 50.0, at("db-01"), "c3", 20));
    events.push(copying(59.0, 50.0, at("db-01"), "c3", 30));
    events.sort_by_key(|event| event.at);
    events
}
