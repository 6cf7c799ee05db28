//! The whole report: facts in, bytes on the streams out.

use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::clock::Speed;
use crate::event::{Level, Outcome, Progress};
use crate::report::live::scene;

/// A stream that keeps everything written to it.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).expect("text")
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream whose reader went away.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn printed(text: &str) -> Event {
    scene::event(1.0, scene::main_lane(), Fact::Printed { text: text.to_owned() })
}

fn show(view: View, events: Vec<Event>) -> (String, String) {
    let (out, err) = (Paper::default(), Paper::default());
    let output = Output::new(Box::new(out.clone()), Box::new(err.clone()));
    let (sink, report) = Report::start(view, output, Screen::default(), Clock::new(Speed::Max)).ok().expect("a thread");
    events.into_iter().for_each(|event| sink.emit(event));
    report.finish();
    (out.text(), err.text())
}

fn short_run() -> Vec<Event> {
    let at = || scene::item("seed", "db-07");
    vec![
        scene::wave(0.0, "seed", 1, &["db-07"]),
        scene::started(0.0, at()),
        printed("hello"),
        scene::event(2.0, at(), Fact::Logged { level: Level::Info, message: "a note".to_owned(), hint: None }),
        scene::failed(3.0, at(), 1, scene::cause("no quota", "ask for more"), None),
        scene::event(4.0, scene::main_lane(), scene::run_finished(3, 240.0)),
    ]
}

const SUMMARY: &str = " wave  total  ok  failed  skipped  paused  unknown
 seed      1   0       1        0       0        0

 item   wave  outcome  tries  cause
 db-07  seed  failed     1/1  no quota
";

#[test]
fn stdout_holds_what_was_printed_and_the_summary_and_nothing_else() {
    for view in [View::Lines(Detail::All), View::Quiet, View::Bars] {
        assert_eq!(show(view, short_run()).0, format!("hello\n{SUMMARY}"), "{view:?}");
    }
}

#[test]
fn a_log_on_stderr_has_every_change() {
    insta::assert_snapshot!(show(View::Lines(Detail::All), short_run()).1, @r#"
    2026-06-01 20:00:00  seed  1 item, 1 at a time
    2026-06-01 20:00:00  seed/db-07  started
    2026-06-01 20:02:00  seed/db-07  a note
    2026-06-01 20:03:00  FAILED  seed/db-07  attempt 1 of 1: no quota
    2026-06-01 20:03:00    hint: ask for more
    the run took 4m
    "#);
}

#[test]
fn quiet_says_what_went_wrong() {
    insta::assert_snapshot!(show(View::Quiet, short_run()).1, @r#"
    FAILED  seed/db-07  attempt 1 of 1: no quota
      hint: ask for more
    the run took 4m
    "#);
}

#[test]
fn what_is_wrong_in_the_sandbox_is_a_line_for_each_kind() {
    let vms = |count: usize| (1..=count).map(|number| format!("web-{number:02}")).collect();
    let told = Fact::SandboxTold { running_twice: vms(2), stale: vms(1), half_copied: vms(1), sources_off: vms(12) };
    insta::assert_snapshot!(show(View::Quiet, vec![scene::event(1.0, scene::main_lane(), told)]).1, @r#"
    SANDBOX  2 VMs run twice: web-01, web-02
      1 VM booted stale data: web-01
      1 VM booted half copied data: web-01
      12 sources are off without a machine on the target: web-01, web-02, web-03, web-04, web-05, web-06, web-07, web-08, web-09, web-10 and 2 more
    "#);
}

#[test]
fn events_are_lines_of_json_and_printed_text_is_one_of_them() {
    insta::assert_snapshot!(show(View::Jsonl, short_run()).0, @r#"
    {"v":1,"at":"2026-06-01T20:00:00Z","lane":"main","event":"wave_started","name":"seed","total":1,"limit":1,"items":["db-07"],"call":0}
    {"v":1,"at":"2026-06-01T20:00:00Z","lane":"main/seed/db-07","wave":"seed","item":"db-07","event":"item_started","attempt":1}
    {"v":1,"at":"2026-06-01T20:01:00Z","lane":"main","event":"printed","text":"hello"}
    {"v":1,"at":"2026-06-01T20:02:00Z","lane":"main/seed/db-07","wave":"seed","item":"db-07","event":"logged","level":"info","message":"a note"}
    {"v":1,"at":"2026-06-01T20:03:00Z","lane":"main/seed/db-07","wave":"seed","item":"db-07","event":"item_finished","outcome":"failed","attempts":1,"elapsed_seconds":180.0,"cause":"no quota","hint":"ask for more"}
    {"v":1,"at":"2026-06-01T20:04:00Z","lane":"main","event":"run_finished","exit_code":3,"elapsed_seconds":240.0}
    "#);
}

#[test]
fn bars_are_gone_at_the_end_and_messages_stay() {
    let err = show(View::Bars, short_run()).1;
    assert!(err.contains("FAILED  seed/db-07  attempt 1 of 1: no quota"), "{err}");
    assert!(err.contains("  hint: ask for more"), "{err}");
}

#[test]
fn a_terminal_shows_nothing_where_nothing_takes_long() {
    assert_eq!(show(View::Bars, vec![printed("42")]), ("42\n".to_owned(), String::new()));
}

#[test]
fn a_reader_that_went_away_is_no_failure_and_is_remembered() {
    let err = Paper::default();
    let output = Output::new(Box::new(Closed), Box::new(err.clone()));
    let (sink, report) = Report::start(View::Lines(Detail::All), output, Screen::default(), Clock::new(Speed::Max))
        .ok()
        .expect("a thread");
    short_run().into_iter().for_each(|event| sink.emit(event));
    assert!(report.finish().output.data_closed());
    assert!(err.text().contains("FAILED"));
}

#[test]
fn what_still_runs_at_the_server_is_listed_at_the_end() {
    let at = || scene::item("seed", "db-07");
    let left = Fact::WaitLeft { subject: scene::subject("3034593f"), status: "RUNNING".to_owned() };
    let events = vec![
        scene::wave(0.0, "seed", 1, &["db-07"]),
        scene::started(0.0, at()),
        scene::waiting(0.0, at(), "3034593f"),
        scene::event(2.0, scene::main_lane(), Fact::StopRequested { now: false }),
        scene::event(2.0, at(), left),
        scene::finished(2.0, at(), Outcome::Cancelled, 1, Some("interrupted by the operator")),
    ];
    insta::assert_snapshot!(show(View::Quiet, events).1, @r#"
    STOPPING  nothing new starts; work on the server goes on (Ctrl-C again: leave at once)
    running on the server when last seen: 1
      seed/db-07  execution 3034593f  RUNNING
    "#);
}

#[test]
fn nothing_is_drawn_while_the_terminal_is_somebody_elses() {
    let err = Paper::default();
    let output = Output::new(Box::new(io::sink()), Box::new(err.clone()));
    let (sink, report) =
        Report::start(View::Bars, output, Screen::default(), Clock::new(Speed::Max)).ok().expect("a thread");
    let aside = report.stage().aside();
    let before = err.text();
    short_run().into_iter().for_each(|event| sink.emit(event));
    assert_eq!(err.text(), before);
    drop(aside);
    report.finish();
    assert!(err.text().contains("FAILED"));
}

#[test]
fn a_clock_that_is_set_back_ends_no_heartbeat() {
    let clock = Clock::new(Speed::Max);
    let err = Paper::default();
    let output = Output::new(Box::new(Paper::default()), Box::new(err.clone()));
    let mut desk = Desk::new(View::Lines(Detail::All), output, Screen::default(), clock.clone());
    let say = |desk: &mut Desk, origin, fact| desk.take(&Event { at: clock.now(), ..scene::event(0.0, origin, fact) });
    let pass = |minutes| {
        let _busy = clock.busy();
        clock.park(&clock.signal(), Some(clock.instant() + SignedDuration::from_mins(minutes)));
    };
    desk.take(&Event { at: clock.now(), ..scene::wave(0.0, "seed", 1, &["db-07"]) });
    say(&mut desk, scene::item("seed", "db-07"), Fact::ItemStarted { attempt: 1 });
    let waits = Fact::WaitStarted { subject: scene::subject("e"), since: clock.now() };
    say(&mut desk, scene::item("seed", "db-07"), waits);
    pass(5);
    clock.set(SignedDuration::from_hours(-2));
    pass(6);
    let progress = Progress::default();
    let seen = Fact::WaitChanged { subject: scene::subject("e"), progress, since: clock.now() };
    say(&mut desk, scene::item("seed", "db-07"), seen);
    assert!(err.text().contains("seed/db-07  no change for 11m"), "{}", err.text());
}
