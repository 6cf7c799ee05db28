use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;
use crate::clock::Speed;
use crate::model::Generation;

/// A server in virtual time: executions that run and end, a list that shows them, and hours in which it is away.
struct Server {
    clock: Clock,
    began: Timestamp,
    started: Instant,
    executions: BTreeMap<String, Script>,
    /// The seconds from and to which it is away.
    away: std::ops::Range<i64>,
    questions: AtomicUsize,
    feeds: AtomicUsize,
    /// The number of a question, and the shift of the time of day when it comes.
    set: Option<(usize, SignedDuration)>,
}

#[derive(Clone, Copy)]
struct Script {
    seconds: i64,
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Completes,
    Fails,
    Vanishes,
}

#[derive(Default)]
struct Log(Mutex<Vec<Event>>);

impl Sink for Log {
    fn emit(&self, event: Event) {
        self.0.lock().push(event);
    }
}

impl Log {
    /// Each event as a short line: seconds, lane, text.
    fn lines(&self, began: Timestamp) -> Vec<String> {
        let line = |event: &Event| {
            let what = match &event.fact {
                Fact::WaitStarted { .. } => "started".to_owned(),
                Fact::WaitChanged { progress, .. } => format!("{} {}", progress.status, progress.percent.round()),
                Fact::WaitFinished { status, elapsed_seconds, .. } => format!("finished {status} {elapsed_seconds}"),
                Fact::WaitLeft { status, .. } => format!("left {status}"),
                Fact::Logged { message, .. } => message.clone(),
                other => format!("{other:?}"),
            };
            format!("{} {} {what}", event.at.duration_since(began).as_secs_f64(), event.origin.lane)
        };
        self.0.lock().iter().map(line).collect()
    }
}

impl Server {
    fn new(clock: &Clock, executions: impl IntoIterator<Item = (String, Script)>) -> Self {
        Self {
            clock: clock.clone(),
            began: clock.now(),
            started: clock.instant(),
            executions: executions.into_iter().collect(),
            away: 0..0,
            questions: AtomicUsize::new(0),
            feeds: AtomicUsize::new(0),
            set: None,
        }
    }

    fn age(&self) -> i64 {
        self.clock.instant().duration_since(self.started).as_secs()
    }

    fn ended(&self, script: Script) -> bool {
        self.age() >= script.seconds
    }

    fn status(&self, script: Script) -> &'static str {
        match script.end {
            _ if !self.ended(script) => "RUNNING",
            End::Fails => "ERROR",
            _ => "COMPLETED",
        }
    }

    fn show(&self, id: &str) -> Result<Value> {
        let script = self.executions[id];
        if script.end == End::Vanishes && self.ended(script) {
            return Err(Error::new(Kind::NotFound, "no such execution").detail("status", 404));
        }
        let status = self.status(script);
        let exception = (status == "ERROR").then_some("Connection reset\nby peer");
        Ok(json!({ "id": id, "status": status, "created_at": "2026-06-01T20:00:00.000000", "tasks": [
            { "index": 2, "task_type": "REPLICATE_DISKS", "instance": id, "status": status,
              "exception_details": exception, "progress_updates": [
                { "current_step": self.age().min(script.seconds), "total_steps": script.seconds, "message": "disk 1 of 1" },
            ] },
        ] }))
    }

    fn feed(&self, limit: usize) -> Value {
        // Tasks that store results move it during a run, in each run at a different time.
        let updated = |script: Script| self.began + SignedDuration::from_secs(self.age().min(script.seconds % 300));
        let mut rows: Vec<_> = self
            .executions
            .iter()
            .map(|(id, script)| {
                let updated = if self.ended(*script) {
                    self.began + SignedDuration::from_secs(script.seconds)
                } else {
                    updated(*script)
                };
                (std::cmp::Reverse(updated), id, self.status(*script))
            })
            .collect();
        rows.sort();
        let row = |(updated, id, status): &(std::cmp::Reverse<Timestamp>, &String, &str)| json!({ "id": format!("t-{id}"), "last_execution_status": status, "updated_at": updated.0.to_string() });
        rows.iter().take(limit).map(row).collect()
    }
}

impl Ask for Server {
    fn ask(&self, question: &Question) -> Result<Value> {
        let number = self.questions.fetch_add(1, Ordering::Relaxed);
        if let Some((_, by)) = self.set.filter(|(at, _)| *at == number) {
            self.clock.set(by);
        }
        if self.away.contains(&self.age()) {
            return Err(Error::new(Kind::Unreachable, "connection refused"));
        }
        match question {
            Question::Show(kind) => self.show(kind.id()),
            Question::Feed { limit, .. } => {
                self.feeds.fetch_add(1, Ordering::Relaxed);
                Ok(self.feed(limit.expect("the current generation has limits")))
            }
        }
    }

    fn generation(&self) -> Result<Generation> {
        if self.away.contains(&self.age()) {
            return Err(Error::new(Kind::Unreachable, "connection refused"));
        }
        Ok(Generation::Current)
    }

    fn pause_after(&self, error: Error, failures: u32, since: Instant) -> Result<SignedDuration> {
        match self.clock.instant().duration_since(since) < SignedDuration::from_mins(10) {
            true => Ok(pause(failures)),
            false => Err(error),
        }
    }
}

fn script(seconds: i64, end: End) -> Script {
    Script { seconds, end }
}

fn lane(name: &str) -> Origin {
    Origin { lane: name.into(), ..Origin::default() }
}

fn target(id: &str) -> Target {
    let first = json!({ "id": id, "status": "RUNNING", "created_at": "2026-06-01T20:00:00.000000", "tasks": [] });
    Target::execution(format!("t-{id}"), id, format!("vm-{id}")).first(first)
}

struct Bench {
    clock: Clock,
    cancel: Cancel,
    server: Arc<Server>,
    log: Arc<Log>,
    watcher: Watcher,
}

/// A bench whose world knows the ends of the executions.
fn bench(executions: &[(&str, Script)], away: std::ops::Range<i64>) -> Bench {
    bench_of(executions, |server| server.away = away)
}

fn bench_of(executions: &[(&str, Script)], changed: impl FnOnce(&mut Server)) -> Bench {
    let clock = Clock::new(Speed::Max);
    let executions = executions.iter().map(|(id, script)| ((*id).to_owned(), *script));
    let mut server = Server::new(&clock, executions);
    changed(&mut server);
    let server = Arc::new(server);
    let ends: Vec<Timestamp> =
        server.executions.values().map(|script| clock.now() + SignedDuration::from_secs(script.seconds)).collect();
    clock.set_world(move |now| ends.iter().filter(|end| **end > now).min().copied());
    let (cancel, log) = (Cancel::default(), Arc::new(Log::default()));
    let watcher = Watcher::new(server.clone(), clock.clone(), cancel.clone(), log.clone());
    Bench { clock, cancel, server, log, watcher }
}

#[test]
fn one_target_is_shown_at_once_and_returned_when_it_has_ended() {
    let bench = bench(&[("a", script(60, End::Completes))], 0..0);
    let _busy = bench.clock.busy();
    let value = bench.watcher.wait(&lane("main"), target("a"), None).expect("completes");
    assert_eq!(value["status"], "COMPLETED");
    assert_eq!(
        bench.log.lines(bench.server.began),
        ["0 main started", "0 main RUNNING 0", "60 main COMPLETED 100", "60 main finished COMPLETED 60"]
    );
    assert_eq!(bench.watcher.waiting(), []);
}

#[test]
fn a_failure_tells_the_task_and_its_cause() {
    let bench = bench(&[("a", script(30, End::Fails))], 0..0);
    let _busy = bench.clock.busy();
    let error = bench.watcher.wait(&lane("main"), target("a"), None).expect_err("fails");
    assert_eq!(error.kind, Kind::Failed);
    assert_eq!(error.message, "REPLICATE_DISKS: Connection reset (execution of `vm-a` ended in ERROR)");
    assert_eq!(
        Value::Object(error.details),
        json!({ "kind": "execution", "id": "a", "instance": "a", "status": "ERROR", "task": "REPLICATE_DISKS",
            "exception_details": "Connection reset\nby peer" })
    );
}

#[test]
fn what_vanishes_is_believed_gone_when_the_server_has_said_so_twice() {
    let bench = bench(&[("a", script(30, End::Vanishes))], 0..0);
    let _busy = bench.clock.busy();
    let error = bench.watcher.wait(&lane("main"), target("a"), None).expect_err("vanishes");
    assert_eq!(error.kind, Kind::NotFound);
    assert_eq!(error.details["vanished"], true);
    let lines = bench.log.lines(bench.server.began);
    assert!(lines.last().is_some_and(|line| line.contains("main finished VANISHED")), "{lines:?}");
}

#[test]
fn a_deadline_ends_the_wait_and_not_the_work() {
    let bench = bench(&[("a", script(600, End::Completes))], 0..0);
    let _busy = bench.clock.busy();
    let deadline = bench.clock.instant() + SignedDuration::from_secs(90);
    let error = bench.watcher.wait(&lane("main"), target("a"), Some(deadline)).expect_err("too late");
    assert_eq!(error.kind, Kind::Timeout);
    assert_eq!(error.message, "waiting for execution of `vm-a`: the deadline passed at 2026-06-01T20:01:30Z");
    assert_eq!(bench.clock.instant(), deadline);
    assert_eq!(bench.log.lines(bench.server.began), ["0 main started", "0 main RUNNING 0", "90 main left RUNNING"]);
    let value = bench.watcher.wait(&lane("main"), target("a"), None).expect("completes");
    assert_eq!(value["status"], "COMPLETED");
}

#[test]
fn a_press_ends_every_wait_at_once() {
    let bench = bench(&[("a", script(600, End::Completes)), ("b", script(600, End::Completes))], 0..0);
    let main = bench.clock.busy();
    let lanes: Vec<_> = ["a", "b"]
        .map(|id| {
            let (watcher, busy) = (bench.watcher.clone(), bench.clock.busy());
            std::thread::spawn(move || {
                let _busy = busy;
                watcher.wait(&lane(id), target(id), None)
            })
        })
        .into();
    bench.clock.park(&bench.clock.signal(), Some(bench.clock.instant() + SignedDuration::from_secs(10)));
    assert_eq!(
        bench.watcher.waiting().iter().map(|subject| subject.label.as_str()).collect::<Vec<_>>(),
        ["vm-a", "vm-b"]
    );
    bench.cancel.press();
    for lane in lanes {
        assert_eq!(lane.join().expect("no panic").expect_err("interrupted").kind, Kind::Interrupted);
    }
    let mut lines = bench.log.lines(bench.server.began);
    lines.retain(|line| line.contains("left"));
    lines.sort();
    assert_eq!(lines, ["10 a left RUNNING", "10 b left RUNNING"]);
    assert_eq!(bench.watcher.waiting(), []);
    drop(main);
}

#[test]
fn an_outage_is_waited_out_as_long_as_patience_lasts() {
    let bench = bench(&[("a", script(60, End::Completes))], 10..300);
    let _busy = bench.clock.busy();
    let value = bench.watcher.wait(&lane("main"), target("a"), None).expect("completes");
    assert_eq!(value["status"], "COMPLETED");
    let questions = bench.server.questions.load(Ordering::Relaxed);
    assert!(questions < 30, "{questions} questions");

    let bench = self::bench(&[("a", script(60, End::Completes))], 10..3600);
    let _busy = bench.clock.busy();
    let error = bench.watcher.wait(&lane("main"), target("a"), None).expect_err("it never came back");
    assert_eq!(error.kind, Kind::Unreachable);
    let minutes = bench.server.age() / 60;
    assert!((10..12).contains(&minutes), "{minutes}");
    assert_eq!(bench.watcher.waiting(), []);
}

#[test]
fn setting_the_time_of_day_stops_no_polling_starts_no_storm_and_ends_no_wait() {
    for hours in [-2, 2] {
        // Other events give occasions to look.
        let others =
            [("a", 600), ("b", 30), ("c", 60), ("d", 120)].map(|(id, ends)| (id, script(ends, End::Completes)));
        let set = Some((2, SignedDuration::from_hours(hours)));
        let bench = bench_of(&others, |server| server.set = set);
        let _busy = bench.clock.busy();
        let deadline = bench.clock.instant() + SignedDuration::from_mins(30);
        let value = bench.watcher.wait(&lane("main"), target("a"), Some(deadline)).expect("completes");
        assert_eq!((&value["status"], bench.server.age()), (&json!("COMPLETED"), 600));
        let questions = bench.server.questions.load(Ordering::Relaxed);
        assert!((4..60).contains(&questions), "{questions} questions");
        let lines = bench.log.lines(bench.server.began);
        assert!(lines.last().is_some_and(|line| line.ends_with("main finished COMPLETED 600")), "{lines:?}");

        let bench = bench_of(&others, |server| server.set = set);
        let _busy = bench.clock.busy();
        let deadline = bench.clock.instant() + SignedDuration::from_secs(90);
        let error = bench.watcher.wait(&lane("main"), target("a"), Some(deadline)).expect_err("too late");
        assert_eq!((error.kind, bench.server.age()), (Kind::Timeout, 90));
    }
}

#[test]
fn two_lanes_may_wait_for_the_same_thing() {
    let bench = bench(&[("a", script(60, End::Completes))], 0..0);
    let _busy = bench.clock.busy();
    let results = bench.watcher.wait_all(&lane("main"), vec![target("a"), target("a")], None);
    assert_eq!(results.into_iter().filter_map(Result::ok).count(), 2);
}

#[test]
fn a_thousand_waits_cost_few_questions_and_end_in_time() {
    let seconds = |number: i64| 1200 + number * 1237 % 1200;
    let executions: Vec<(String, Script)> =
        (0..1000).map(|number| (format!("{number:04}"), script(seconds(number), End::Completes))).collect();
    let named: Vec<(&str, Script)> = executions.iter().map(|(id, script)| (id.as_str(), *script)).collect();
    let bench = bench(&named, 0..0);
    let main = bench.clock.busy();
    let lanes: Vec<_> = executions
        .iter()
        .map(|(id, script)| {
            let (watcher, clock, busy) = (bench.watcher.clone(), bench.clock.clone(), bench.clock.busy());
            let (id, end, began) = (id.clone(), script.seconds, bench.server.began);
            std::thread::spawn(move || {
                let _busy = busy;
                watcher.wait(&lane(&id), target(&id), None).expect("completes");
                clock.now().duration_since(began).as_secs() - end
            })
        })
        .collect();
    drop(main);
    let staleness: Vec<i64> = lanes.into_iter().map(|lane| lane.join().expect("no panic")).collect();
    assert!(staleness.iter().all(|seconds| (0..30).contains(seconds)), "{:?}", staleness.iter().max());
    let questions = bench.server.questions.load(Ordering::Relaxed);
    assert!(questions < 15_000, "{questions} questions");
    assert!(bench.server.feeds.load(Ordering::Relaxed) > 100);
}

/// A server that refuses the login, or a client with a bug.
struct Broken(Option<Kind>);

impl Ask for Broken {
    fn ask(&self, _: &Question) -> Result<Value> {
        Err(Error::new(self.0.expect("a bug"), "no"))
    }

    fn generation(&self) -> Result<Generation> {
        Ok(Generation::Current)
    }

    fn pause_after(&self, error: Error, _: u32, _: Instant) -> Result<SignedDuration> {
        Err(error)
    }
}

#[test]
fn a_refused_login_and_a_bug_end_every_wait() {
    for (broken, expected) in [(Some(Kind::Login), Kind::Login), (None, Kind::Internal)] {
        let clock = Clock::new(Speed::Max);
        let log = Arc::new(Log::default());
        let watcher = Watcher::new(Arc::new(Broken(broken)), clock.clone(), Cancel::default(), log);
        let _busy = clock.busy();
        for _ in 0..2 {
            let results = watcher.wait_all(&lane("main"), vec![target("a"), target("b")], None);
            let kinds: Vec<Kind> = results.into_iter().filter_map(Result::err).map(|error| error.kind).collect();
            assert_eq!(kinds, [expected, expected]);
            assert_eq!(watcher.waiting(), []);
        }
    }
}

#[test]
fn a_fast_clock_works_as_the_virtual_one() {
    let clock = Clock::new(Speed::Times(2_000.0));
    let server = Arc::new(Server::new(&clock, [("a".to_owned(), script(120, End::Completes))]));
    let watcher = Watcher::new(server.clone(), clock.clone(), Cancel::default(), Arc::new(Log::default()));
    let _busy = clock.busy();
    let value = watcher.wait(&lane("main"), target("a"), None).expect("completes");
    assert_eq!(value["status"], "COMPLETED");
    assert!(server.questions.load(Ordering::Relaxed) < 10);
}
