//! Histories from hand-made events: ended, crashed, resumed, running, and arbitrary ones.

use proptest::prelude::*;

use super::*;
use crate::event::{Outcome, Progress};
use crate::model::Power;
use crate::report::live::properties::events;
use crate::report::live::scene;

const FORMS: [Form; 5] = [Form::Html, Form::Json, Form::Junit, Form::Csv, Form::Markdown];

fn meta() -> Meta {
    Meta { id: "7f3a".into(), name: "cutover.rhai".into(), ..Meta::default() }
}

fn begun(minutes: f64) -> Event {
    let fact = Fact::RunStarted { runbook: Some("cutover.rhai".into()), cloud: "demo".into() };
    scene::event(minutes, scene::main_lane(), fact)
}

fn ended(minutes: f64, exit_code: u8) -> Event {
    scene::event(minutes, scene::main_lane(), scene::run_finished(exit_code, 1.0))
}

fn task(minutes: f64, origin: Origin, id: &str, task: &str) -> Event {
    let progress = Progress { status: "RUNNING".into(), task: Some(task.into()), ..Progress::default() };
    let fact = Fact::WaitChanged { subject: scene::subject(id), progress, since: scene::minute(0.0) };
    scene::event(minutes, origin, fact)
}

fn waited(minutes: f64, origin: Origin, id: &str, status: &str) -> Event {
    let (subject, status) = (scene::subject(id), status.to_owned());
    let fact = Fact::WaitFinished { subject, status, since: scene::minute(0.0), elapsed_seconds: 1.0 };
    scene::event(minutes, origin, fact)
}

fn whole(events: &[Event]) -> History {
    let events: Vec<Event> = [begun(0.0)].into_iter().chain(events.iter().cloned()).collect();
    History::new(meta(), &events)
}

/// `copy 3-9` for each span, in minutes.
fn spans(track: &Track) -> Vec<String> {
    let minutes = |at: Timestamp| at.duration_since(scene::minute(0.0)).as_mins();
    let shown = |span: &Span| {
        format!("{} {}-{}", span.name(), minutes(span.from), span.to.map_or("".into(), |to| minutes(to).to_string()))
    };
    track.spans.iter().map(shown).collect()
}

fn standings(history: &History) -> Vec<String> {
    let waves = history.waves();
    let shown = |entry: Entry<'_>| format!("{}/{} {}", entry.wave, entry.key(), entry.standing.word());
    waves.iter().flat_map(|wave| wave.items()).map(shown).collect()
}

#[test]
fn tasks_are_spans_and_pauses_end_with_what_cut_them_short() {
    let at = || scene::item("seed", "a");
    let history = whole(&[
        scene::wave(0.0, "seed", 1, &["a"]),
        scene::started(0.0, at()),
        scene::waiting(1.0, at(), "e1"),
        task(1.0, at(), "e1", "GET_INSTANCE_INFO"),
        task(2.0, at(), "e1", "REPLICATE_DISKS"),
        task(3.0, at(), "e1", "REPLICATE_DISKS"),
        waited(5.0, at(), "e1", "ERROR"),
        scene::retried(5.0, at(), "REPLICATE_DISKS: reset"),
        scene::event(6.0, at(), Fact::ItemStarted { attempt: 2 }),
        scene::retried(8.0, at(), "again"),
        scene::finished(8.5, at(), Outcome::Cancelled, 2, Some("interrupted")),
    ]);
    let waves = history.waves();
    let item = waves[0].items().next().unwrap();
    assert_eq!(
        spans(item.track),
        [
            "GET_INSTANCE_INFO 1-2",
            "REPLICATE_DISKS 2-5",
            "pause before the next try 5-6",
            "pause before the next try 8-8"
        ]
    );
    let causes: Vec<_> =
        item.track.attempts.iter().map(|attempt| attempt.cause.as_ref().map(Cause::with_place)).collect();
    assert_eq!(causes, ["REPLICATE_DISKS: reset", "again"].map(|cause| Some(cause.to_owned())));
}

#[test]
fn a_run_whose_process_died_says_what_it_was_at() {
    let mut events = vec![begun(0.0)];
    events.extend(scene::busy_wave());
    let crashed = History::new(meta(), &events);
    assert_eq!(crashed.status(), "interrupted");
    assert_eq!(
        standings(&crashed),
        [
            "seed/web-01 ok",
            "seed/web-02 unfinished",
            "seed/db-07 unfinished",
            "seed/db-11 unfinished",
            "seed/mail-01 unfinished",
            "seed/mail-02 not started",
            "seed/files-数据-01 not started"
        ]
    );
    let running = History::new(Meta { alive: true, ..meta() }, &events);
    assert_eq!((running.status(), standings(&running)[1].as_str()), ("running", "seed/web-02 running"));
    let ids = crashed.waves()[0].items().filter_map(|entry| Some(entry.last_seen()?.subject()?.id.clone())).collect();
    let ids: Vec<String> = ids;
    for (form, before) in [(Form::Markdown, "of execution `"), (Form::Html, "of execution <code>")] {
        let told = crashed.render(form, &TimeZone::UTC);
        assert!(ids.len() > 1 && told.contains(&format!("{before}{}", ids[1])), "{form:?} {ids:?}: {told}");
    }
    assert!(standings(&running)[5].ends_with("waiting"));
}

#[test]
fn a_resumed_run_is_one_run_with_the_same_waves_and_a_gap() {
    let (a, b) = (|| scene::item("seed", "a"), || scene::item("seed", "b"));
    let mut second = scene::wave(100.0, "seed", 2, &["a", "b"]);
    second.at = scene::minute(100.0);
    let history = whole(&[
        scene::wave(0.0, "seed", 2, &["a", "b"]),
        scene::started(0.0, a()),
        scene::started(0.0, b()),
        scene::waiting(1.0, b(), "e1"),
        task(1.0, b(), "e1", "GET_INSTANCE_INFO"),
        task(4.0, b(), "e1", "REPLICATE_DISKS"),
        scene::finished(5.0, a(), Outcome::Ok, 1, None),
        begun(100.0),
        second,
        scene::started(100.0, b()),
        scene::waiting(100.0, b(), "e1"),
        // As it was recorded at its start.
        task(100.0, b(), "e1", "GET_INSTANCE_INFO"),
        task(105.0, b(), "e1", "REPLICATE_DISKS"),
        task(110.0, b(), "e1", "DELETE_TRANSFER_SOURCE_RESOURCES"),
        waited(111.0, b(), "e1", "COMPLETED"),
        scene::finished(111.0, b(), Outcome::Ok, 1, None),
        scene::wave_finished(111.0, "seed", Counts::default()),
        ended(111.0, 0),
    ]);
    let waves = history.waves();
    assert_eq!(waves.len(), 1);
    let items: Vec<Entry<'_>> = waves[0].items().collect();
    assert_eq!(
        spans(items[1].track),
        [
            "GET_INSTANCE_INFO 1-4",
            "REPLICATE_DISKS 4-5",
            "REPLICATE_DISKS 100-110",
            "DELETE_TRANSFER_SOURCE_RESOURCES 110-111"
        ]
    );
    assert_eq!(items[1].track.attempts.len(), 1);
    assert_eq!((history.status(), history.worked().as_mins(), history.periods.len()), ("done", 16, 2));
    assert_eq!(standings(&history), ["seed/a ok", "seed/b ok"]);
}

#[test]
fn waves_of_one_name_come_again_in_their_order() {
    let at = || scene::item("seed", "a");
    let history = whole(&[
        scene::wave(0.0, "seed", 1, &["a"]),
        scene::started(0.0, at()),
        scene::finished(1.0, at(), Outcome::Ok, 1, None),
        scene::wave_finished(1.0, "seed", Counts::default()),
        scene::wave(1.0, "seed", 1, &["a"]),
        scene::started(1.0, at()),
        begun(10.0),
        scene::wave(10.0, "seed", 1, &["a"]),
        scene::wave_finished(10.0, "seed", Counts::default()),
        scene::wave(10.0, "seed", 1, &["a"]),
        scene::started(10.0, at()),
        scene::failed(11.0, at(), 1, scene::cause("no quota", "ask for more"), None),
    ]);
    assert_eq!(standings(&history), ["seed/a ok", "seed/a failed"]);
    let waves = history.waves();
    let failed = waves[1].items().next().unwrap();
    assert_eq!(failed.why(), ("no quota".to_owned(), Some("ask for more")));
}

#[test]
fn loops_that_went_well_inside_of_items_are_left_out_and_others_are_told() {
    let inside = |outer: &str| {
        let mut event = scene::wave(1.0, "each", 1, &["0"]);
        event.origin = scene::item("seed", outer);
        event
    };
    let inner = |outer: &str| Origin {
        lane: format!("main/seed/{outer}/each/0").into(),
        wave: Some("each".into()),
        item: Some("0".into()),
    };
    let history = whole(&[
        scene::wave(0.0, "each", 2, &["0"]),
        scene::wave(0.0, "seed", 2, &["a", "b"]),
        scene::started(0.0, scene::item("seed", "a")),
        scene::started(0.0, scene::item("seed", "b")),
        inside("a"),
        inside("b"),
        scene::started(1.0, inner("a")),
        scene::finished(2.0, inner("a"), Outcome::Ok, 1, None),
        scene::started(1.0, inner("b")),
        scene::finished(2.0, inner("b"), Outcome::Failed, 1, Some("no")),
    ]);
    let labels: Vec<String> = history.waves().into_iter().map(|wave| wave.label).collect();
    assert_eq!(labels, ["each", "seed", "seed/b/each"]);
    let (total, counts) = history.counts();
    assert_eq!((total, counts.total()), (3, 0), "what is inside of items is not counted twice");
}

#[test]
fn a_job_that_failed_is_told_in_every_form_whatever_else_ended_the_run() {
    let job = |number: &str| Origin {
        lane: format!("main/{number}:{number}").into(),
        wave: Some("job".into()),
        item: Some(number.into()),
    };
    let broke = scene::cause("the job broke", "mend it");
    let whole = |more: &[Event]| {
        let first = [
            scene::started(0.0, job("1")),
            scene::started(0.0, job("2")),
            scene::wave(0.5, "seed", 1, &["a"]),
            scene::started(0.5, scene::item("seed", "a")),
            scene::failed(1.0, job("1"), 1, broke.clone(), None),
            scene::finished(1.0, scene::item("seed", "a"), Outcome::Ok, 1, None),
            scene::finished(2.0, job("2"), Outcome::Ok, 1, None),
            ended(3.0, 1),
        ];
        whole(&[&first, more].concat())
    };
    let history = whole(&[]);
    assert_eq!(standings(&history), ["job/1 failed", "job/2 ok", "seed/a ok"]);
    assert_eq!(history.counts().0, 1, "jobs are no items of a wave");
    for form in FORMS {
        let text = history.render(form, &TimeZone::UTC);
        assert!(text.contains("the job broke"), "{form:?}: {text}");
    }
    let read = history.render(Form::Junit, &TimeZone::UTC);
    assert!(read.contains(r#"<testcase name="1" classname="job""#), "{read}");
    let page = history.render(Form::Html, &TimeZone::UTC);
    assert!(page.contains("2 items in the background: 1 ok, 1 failed, 2m<"), "{page}");
    assert!(history.render(Form::Markdown, &TimeZone::UTC).contains("| job | 2 | 1 | 1 | 0 | 0 | 0 | 2m |"));
    let read: serde_json::Value = serde_json::from_str(&history.render(Form::Json, &TimeZone::UTC)).unwrap();
    assert_eq!((&read["waves"][0]["limit"], &read["waves"][1]["limit"]), (&serde_json::Value::Null, &1.into()));
    let resumed = whole(&[
        begun(9.0),
        scene::started(9.0, job("1")),
        scene::finished(10.0, job("1"), Outcome::Ok, 1, None),
        ended(10.0, 0),
    ]);
    assert_eq!(standings(&resumed), ["job/1 ok", "job/2 ok", "seed/a ok"]);
    let at_work = self::whole(&[scene::started(0.0, job("1"))]);
    assert!(at_work.render(Form::Html, &TimeZone::UTC).contains("not all have an end"));
}

#[test]
fn every_form_tells_message_place_hint_and_the_first_attempt_s_cause_each_in_its_place() {
    let at = || scene::item("cutover", "a");
    let last =
        Cause { place: Some("night.rhai:3:5".into()), ..scene::cause("`web (hint: x)` was cut over", "ask `ann`?") };
    let history = whole(&[
        begun(0.0),
        scene::wave(0.0, "cutover", 1, &["a"]),
        scene::started(0.0, at()),
        scene::started(0.0, at()),
        scene::retried(2.0, at(), "another execution"),
        scene::event(3.0, at(), Fact::ItemStarted { attempt: 2 }),
        scene::failed(5.0, at(), 2, last, Some("another execution".into())),
        ended(5.0, 3),
    ]);
    let rendered = |form| history.render(form, &TimeZone::UTC).replace("\\`", "`");
    for form in FORMS {
        let text = rendered(form).replace("&quot;", "\"");
        assert!(text.contains("`web (hint: x)` was cut over (at night.rhai:3:5)"), "{form:?}: {text}");
        assert!(form == Form::Csv || text.contains("another execution"), "{form:?}: {text}");
        assert!(form == Form::Csv || text.contains("ask `ann`?"), "{form:?}: {text}");
    }
    let read: serde_json::Value = serde_json::from_str(&history.render(Form::Json, &TimeZone::UTC)).unwrap();
    let item = &read["waves"][0]["items"][0];
    assert_eq!(
        ["hint", "place", "first_cause"].map(|name| item[name].as_str().unwrap()),
        ["ask `ann`?", "night.rhai:3:5", "another execution"]
    );
}

/// `resume --retry-failed`, or another attempt of the item around the wave.
#[test]
fn attempts_are_counted_over_the_whole_run_in_every_form() {
    let at = || scene::item("seed", "a");
    let pass = |minutes: f64, causes: [&str; 2]| {
        [
            begun(minutes),
            scene::wave(minutes, "seed", 1, &["a"]),
            scene::started(minutes, at()),
            scene::retried(minutes + 1.0, at(), causes[0]),
            scene::event(minutes + 2.0, at(), Fact::ItemStarted { attempt: 2 }),
            scene::failed(minutes + 3.0, at(), 2, causes[1].into(), Some(causes[0].into())),
            ended(minutes + 3.0, 3),
        ]
    };
    let history = whole(&[pass(0.0, ["one", "two"]), pass(10.0, ["three", "four"])].concat());
    let told = FORMS.map(|form| history.render(form, &TimeZone::UTC));
    let read: serde_json::Value = serde_json::from_str(&told[1]).unwrap();
    let item = &read["waves"][0]["items"][0];
    let attempts: Vec<String> = item["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| format!("{} {}", attempt["number"], attempt["cause"].as_str().unwrap()))
        .collect();
    assert_eq!(attempts, ["1 one", "2 two", "3 three", "4 four"]);
    assert_eq!((&item["cause"], &item["first_cause"]), (&"four".into(), &"one".into()));
    assert_eq!(told[2].matches("<rerunFailure").count(), 3, "{}", told[2]);
    assert!(told[3].contains("seed,a,failed,4,"), "{}", told[3]);
    assert!(told[4].contains("failed in attempt 4: four\n  - attempt 1: one"), "{}", told[4]);
    assert!(told[0].contains(r#"<dd>4<ol"#) && told[0].contains(r#"<li value="3">"#), "{}", told[0]);
}

#[test]
fn an_attempt_that_a_pause_interrupted_is_the_one_that_a_resumed_run_goes_on_with() {
    let at = || scene::item("seed", "a");
    let paused = || scene::finished(3.0, at(), Outcome::Cancelled, 2, Some("interrupted by the operator"));
    let begins = |minutes| scene::event(minutes, at(), Fact::ItemStarted { attempt: 2 });
    let mut events = vec![
        scene::wave(0.0, "seed", 1, &["a"]),
        scene::started(0.0, at()),
        scene::retried(1.0, at(), "one"),
        begins(2.0),
        paused(),
        ended(3.0, 6),
        begun(9.0),
        scene::wave(9.0, "seed", 1, &["a"]),
        begins(9.0),
    ];
    let attempts = |events: &[Event]| -> Vec<(usize, Option<String>)> {
        let history = whole(events);
        let told = |attempt: &Attempt| (attempt.number, attempt.cause.as_ref().map(|cause| cause.message.clone()));
        history.tracks[0][0].attempts.iter().map(told).collect()
    };
    let first = || (1, Some("one".to_owned()));
    assert_eq!(attempts(&events), [first(), (2, None)]);
    events.push(scene::failed(10.0, at(), 2, "two".into(), Some("one".into())));
    assert_eq!(attempts(&events), [first(), (2, Some("two".into()))]);
    events.extend([begun(11.0), scene::wave(11.0, "seed", 1, &["a"]), begins(11.0)]);
    assert_eq!(attempts(&events), [first(), (2, Some("two".into())), (3, None)], "one that failed is over");
}

#[test]
fn a_wave_without_items_has_none_that_have_not_ended() {
    let page = whole(&[scene::wave(0.0, "nothing", 0, &[])]).render(Form::Html, &TimeZone::UTC);
    assert!(page.contains("no items, ") && !page.contains("none has ended"), "{page}");
}

#[test]
fn a_source_that_is_off_is_told_in_every_format_until_it_is_moved_or_on() {
    let at = || scene::item("cutover", "a");
    let failure = Cause { failed_task: Some("REPLICATE_DISKS".into()), ..Cause::from("`a` ended in ERROR") };
    let mut events = vec![
        scene::wave(0.0, "cutover", 1, &["a"]),
        scene::started(0.0, at()),
        scene::source(3.0, at(), "a", Power::Off),
        scene::source(3.5, scene::main_lane(), "db-09", Power::Unclear),
        scene::failed(5.0, at(), 1, failure, None),
    ];
    let render = |events: &[Event], form| whole(events).render(form, &TimeZone::UTC);
    let table = [
        (
            Form::Markdown,
            "- **a** off since 2026-06-01 20:03:00 UTC",
            "- **db-09** may be off since 2026-06-01 20:03:30 UTC",
        ),
        (Form::Json, "\"source_off\": \"2026-06-01T20:03:00Z\"", "\"source\": \"may be off\""),
        (Form::Csv, "`a` ended in ERROR,2026-06-01T20:03:00Z", ",db-09,source may be off,,,,,,2026-06-01T20:03:30Z"),
        (Form::Junit, "source off since 2026-06-01T20:03:00Z", "source may be off since"),
        (Form::Html, "<b>a</b> <span class=\"bad\">off</span>", "<b>db-09</b>"),
    ];
    for (form, item, lone) in table {
        let told = render(&events, form);
        assert!(told.contains(item) && told.contains(lone), "{form:?}: {told}");
    }
    let text = whole(&events).overview(&TimeZone::UTC, 80);
    assert!(text.contains("SOURCE OFF, NOT DEPLOYED: 2\n  a  since 2026-06-01 20:03:00"), "{text}");
    events.extend([scene::source(6.0, at(), "a", Power::Moved), scene::source(6.0, at(), "db-09", Power::On)]);
    for (form, ..) in table {
        let told = render(&events, form).to_lowercase();
        assert!(!told.contains("source off") && !told.contains("may be off"), "{form:?}: {told}");
    }
}

#[test]
fn questions_without_an_answer_are_asked_once() {
    let asked = |minutes| {
        let fact = Fact::GateReached { gate: "go".into(), question: "cut over now?".into() };
        scene::event(minutes, scene::main_lane(), fact)
    };
    let told = Fact::GateAnswered { gate: "go".into(), answer: "yes".into(), by: "ann".into() };
    let mut events = vec![asked(1.0), ended(1.0, 8), begun(5.0), asked(5.0)];
    assert_eq!(whole(&events).gates.len(), 1);
    assert_eq!(whole(&events[..2]).status(), "needs answer");
    events.push(scene::event(6.0, scene::main_lane(), told));
    let history = whole(&events);
    assert_eq!(history.gates[0].answer, Some(("yes".into(), "ann".into(), scene::minute(6.0))));
}

#[test]
fn nothing_in_a_page_is_markup_but_the_page_s_own() {
    let evil = "</title></style></script><script src=http://x>alert(1)</script><img onerror='a'>\"&";
    let at = || scene::item(evil, evil);
    let history = History::new(
        Meta { id: evil.into(), name: evil.into(), arguments: vec![evil.into()], ..Meta::default() },
        &[
            begun(0.0),
            scene::wave(0.0, evil, 1, &[evil]),
            scene::started(0.0, at()),
            scene::waiting(0.0, at(), evil),
            task(1.0, at(), evil, evil),
            scene::event(
                2.0,
                at(),
                Fact::Logged { level: Level::Warning, message: evil.into(), hint: Some(evil.into()) },
            ),
            scene::event(2.0, at(), Fact::WaitLeft { subject: scene::subject(evil), status: evil.into() }),
            scene::finished(3.0, at(), Outcome::Failed, 1, Some(evil)),
        ],
    );
    let page = history.render(Form::Html, &TimeZone::UTC);
    assert_eq!(
        (page.matches("<script").count(), page.matches("<style").count(), page.matches("<img").count()),
        (1, 1, 0)
    );
    let own = page.replace(&maud::html! { (evil) }.into_string(), "");
    for outside in ["http:/", "https:/", "src=", "@import", "url(h"] {
        assert!(!own.contains(outside), "{outside}");
    }
}

/// A wave that succeeded, and after it the end of the run with this code.
fn ended_after_a_good_wave(exit_code: Option<u8>, alive: bool) -> History {
    let at = || scene::item("seed", "a");
    let mut events = vec![
        begun(0.0),
        scene::wave(0.0, "seed", 1, &["a"]),
        scene::started(0.0, at()),
        scene::finished(1.0, at(), Outcome::Ok, 1, None),
    ];
    events.extend(exit_code.map(|code| ended(2.0, code)));
    let cause = Some(scene::cause("no such replica", "look"));
    History::new(Meta { alive, cause, ..meta() }, &events)
}

#[test]
fn what_ci_reads_is_green_for_runs_that_are_done_alone() {
    for (code, alive, word, green) in [
        (Some(0), false, "done", true),
        (None, true, "running", true),
        (None, false, "interrupted", false),
        (Some(1), false, "failed", false),
        (Some(3), false, "items failed", false),
        (Some(4), false, "failed", false),
        (Some(6), false, "paused", false),
        (Some(7), false, "failed", false),
        (Some(8), false, "needs answer", false),
        (Some(9), false, "interrupted", false),
        (Some(70), false, "failed", false),
    ] {
        let history = ended_after_a_good_wave(code, alive);
        assert_eq!(history.status(), word);
        let junit = history.render(Form::Junit, &TimeZone::UTC);
        let head = junit.lines().find(|line| line.starts_with("<testsuites")).unwrap();
        assert_eq!(head.contains("failures=\"0\" errors=\"0\""), green, "{code:?}: {head}");
        let cause = if code.is_some() { "no such replica" } else { "the run is interrupted" };
        assert_eq!(junit.contains(&format!("message=\"{cause}\" type=\"{word}\"")), !green, "{code:?}: {junit}");
        let rows: Vec<String> = history.render(Form::Csv, &TimeZone::UTC).lines().map(str::to_owned).collect();
        assert_eq!(rows.len(), if green { 2 } else { 3 }, "{code:?}: {rows:?}");
        assert!(green || rows[2].starts_with(&format!(",cutover.rhai,{word},1,")), "{code:?}: {rows:?}");
    }
    let unwritten = Meta {
        end: Some(Exit { exit_code: 9, otherwise: 9 }),
        cause: Some("no space left on device".into()),
        ..meta()
    };
    let told = History::new(unwritten, &[begun(0.0)]).render(Form::Junit, &TimeZone::UTC);
    assert!(told.contains("message=\"no space left on device\""), "{told}");
}

#[test]
fn whatever_stands_in_names_and_causes_the_file_for_ci_is_xml() {
    let odd = "a\u{0}\u{1}\u{1b}[0m\u{8}\u{b}\u{7f}\u{85}\u{fffe}\u{ffff}\u{1ffff}\u{10fffe}]]><&\"'數\t\r\nz";
    let at = || scene::item(odd, odd);
    let why = Cause { failed_task: Some(odd.into()), ..scene::cause(odd, odd) };
    let history = History::new(
        Meta { id: odd.into(), name: odd.into(), cause: Some(odd.into()), ..Meta::default() },
        &[
            begun(0.0),
            scene::wave(0.0, odd, 1, &[odd]),
            scene::started(0.0, at()),
            scene::retried(1.0, at(), odd),
            scene::event(1.5, at(), Fact::ItemStarted { attempt: 2 }),
            scene::failed(2.0, at(), 2, why, None),
            ended(3.0, 1),
        ],
    );
    let text = history.render(Form::Junit, &TimeZone::UTC);
    let is_allowed = |letter: char| matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(is_allowed), "{text:?}");
    assert!(
        text.contains("a\\u{0}\\u{1}\\u{1b}[0m\\u{8}\\u{b}\\u{7f}") && text.contains("\\u{fffe}\\u{ffff}"),
        "{text}"
    );
    let read = quick_junit::Report::deserialize_from_str(&text).expect("it can be read");
    assert_eq!((read.test_suites.len(), read.failures, read.errors), (2, 1, 1));
}

#[test]
fn no_cell_of_the_table_is_run_by_a_spreadsheet_and_every_one_can_be_read_back() {
    let keys = ["=1+1", "+a", "-a", "@a", "\ta", "\ra", "'a", "＝a", "-5", "+1.5", "web-01"];
    let mut events = vec![begun(0.0), scene::wave(0.0, "=cmd|'/c calc'!A1", 1, &keys)];
    for key in keys {
        let at = || scene::item("=cmd|'/c calc'!A1", key);
        events.push(scene::finished(1.0, at(), Outcome::Failed, 1, Some("=HYPERLINK(\"http://x\")")));
    }
    events.push(ended(2.0, 3));
    let table = whole(&events).render(Form::Csv, &TimeZone::UTC);
    let mut reader = ::csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), keys.len());
    let back = |cell: &str| cell.strip_prefix('\'').unwrap_or(cell).to_owned();
    for (row, key) in rows.iter().zip(keys) {
        let is_number = matches!(key, "-5" | "+1.5");
        let risky = |cell: &str| cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']);
        assert!(!row.iter().any(risky) || is_number, "{row:?}");
        assert_eq!((back(&row[0]).as_str(), back(&row[1]).as_str()), ("=cmd|'/c calc'!A1", key));
        assert_eq!(back(&row[7]), "=HYPERLINK(\"http://x\")");
    }
}

#[test]
fn a_run_of_which_nothing_is_known_has_a_report_too() {
    for form in FORMS {
        assert!(History::new(Meta::default(), &[]).render(form, &TimeZone::UTC).len() > 20, "{form:?}");
    }
    let died_at_once = Meta { cloud: "demo".into(), started: scene::minute(0.0), ..meta() };
    let told = History::new(died_at_once, &[]).render(Form::Markdown, &TimeZone::UTC);
    assert!(told.contains("`cutover.rhai` on demo, 2026-06-01 20:00:00 UTC to"), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happened_there_is_a_report_in_which_no_item_is_missing(
        drawn in events(),
        restarts in prop::collection::vec(0..80usize, 0..3),
        alive in any::<bool>(),
    ) {
        let mut events = drawn;
        for restart in restarts {
            if restart < events.len() {
                let at = events[restart].at;
                events.insert(restart, Event { at, ..begun(0.0) });
            }
        }
        let history = History::new(Meta { alive, ..meta() }, &events);
        for form in FORMS {
            history.render(form, &TimeZone::UTC);
        }
        let items: usize = history.waves().iter().map(|wave| wave.items().count()).sum();
        let table = history.render(Form::Csv, &TimeZone::UTC);
        let of_the_run = usize::from(history.shortfall().is_some());
        prop_assert_eq!(table.matches("\r\n").count(), items + 1 + of_the_run);
        let page = history.render(Form::Html, &TimeZone::UTC);
        prop_assert_eq!(page.matches("<tr class=\"item\"").count(), items);
        let read: serde_json::Value = serde_json::from_str(&history.render(Form::Json, &TimeZone::UTC)).unwrap();
        let listed = read["waves"].as_array().unwrap().iter().map(|wave| wave["items"].as_array().unwrap().len());
        prop_assert_eq!(listed.sum::<usize>(), items);
        for track in history.tracks.iter().flatten() {
            prop_assert!(track.spans.iter().all(|span| span.to.is_none_or(|to| to >= span.from)));
        }
    }
}

#[test]
fn a_used_override_is_told_in_the_reports_for_people() {
    let told = "override `deploy_again`: `a` was deployed before (deployment D, COMPLETED)";
    let events = [scene::event(0.0, scene::main_lane(), Fact::warning(told))];
    for (form, shown) in
        [(Form::Markdown, "override \\`deploy_again\\`: \\`a\\`"), (Form::Html, told), (Form::Json, told)]
    {
        let report = whole(&events).render(form, &TimeZone::UTC);
        assert!(report.contains(shown), "{form:?}: {report}");
    }
}
