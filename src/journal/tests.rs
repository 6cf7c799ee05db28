use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};
use proptest::prelude::*;
use serde_json::json;

use super::file::{Medium, encode, fold, read};
use super::*;
use crate::clock::Speed;
use crate::error::Kind;
use crate::event::Outcome;

const LANE: &str = "main/3:web-01";

fn clock() -> Clock {
    Clock::new(Speed::Max)
}

fn journal() -> Journal {
    Journal::in_memory(clock())
}

fn identity(function: &str) -> Identity {
    Identity { function: function.into(), arguments: function.into(), shown: String::new() }
}

fn key(call: u64, step: u32) -> StepKey {
    StepKey { lane: LANE.into(), call, step }
}

/// Keeps everything written; a sync can be held.
#[derive(Default)]
struct Paper {
    text: Mutex<Vec<u8>>,
    syncs: AtomicUsize,
    held: Mutex<bool>,
    released: Condvar,
    room: Option<usize>,
}

impl Medium for Paper {
    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut text = self.text.lock();
        if self.room.is_some_and(|room| text.len() + line.len() > room) {
            // A disk that fills up still takes what fits.
            let rest = self.room.unwrap() - text.len();
            text.extend_from_slice(&line[..rest]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        text.extend_from_slice(line);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::AcqRel);
        let mut held = self.held.lock();
        while *held {
            self.released.wait(&mut held);
        }
        Ok(())
    }
}

fn on(paper: &Arc<Paper>) -> Journal {
    Journal::new(
        "m4k7t2qa".into(),
        [1; 32],
        clock(),
        State::default(),
        Some(Log::new(paper.clone(), "journal.jsonl".into())),
    )
}

#[test]
fn a_call_answers_with_what_it_returned_and_only_to_the_same_call() {
    let journal = journal();
    journal.returned(&LANE.into(), 1, identity("endpoint_list"), Saved::Ok(json!([1])), 1).unwrap();
    assert_eq!(journal.replay(LANE, 1, &identity("endpoint_list")), Replay::Answer(Saved::Ok(json!([1])), 1));
    assert_eq!(journal.replay(LANE, 1, &identity("region_list")), Replay::Differs(identity("endpoint_list")));
    assert_eq!(journal.replay(LANE, 2, &identity("endpoint_list")), Replay::Live);
    assert_eq!(journal.replay("main", 1, &identity("region_list")), Replay::Live);
}

#[test]
fn a_step_without_its_end_is_open_until_somebody_finds_out() {
    let journal = journal();
    journal.called(&LANE.into(), 1, &identity("transfer_create")).unwrap();
    let before = Before { state: json!(["before"]), by: Some("ann".into()) };
    journal.begin(&key(1, 1), "POST", "transfers", before.clone()).unwrap();
    let known = journal.step(&key(1, 1), "POST", "transfers");
    assert!(matches!(known, Known::Open(_, known_before) if known_before == before));
    assert_eq!(journal.unsettled().len(), 1);
    journal.stayed(&key(1, 1)).unwrap();
    assert_eq!(journal.step(&key(1, 1), "POST", "transfers"), Known::Nothing, "it did not leave");
    journal.begin(&key(1, 1), "POST", "transfers", Before::default()).unwrap();
    journal.settle(&key(1, 1), Settlement::Done(json!({"id": "t"}))).unwrap();
    assert_eq!(journal.step(&key(1, 1), "POST", "transfers"), Known::Done(json!({"id": "t"})));
    assert_eq!(journal.unsettled(), []);
}

#[test]
fn the_next_attempt_makes_anew_what_failed_and_keeps_what_was_made_before() {
    let journal = journal();
    let lane: Arc<str> = LANE.into();
    journal.attempt(&lane, 1, None, None).unwrap();
    let made = |call: u64, function: &str, id: &str| {
        journal.called(&lane, call, &identity(function)).unwrap();
        journal.begin(&key(call, 1), "POST", function, Before::default()).unwrap();
        journal.settle(&key(call, 1), Settlement::Done(json!({"id": id}))).unwrap();
        journal.returned(&lane, call, identity(function), Saved::Ok(json!({"id": id})), call).unwrap();
    };
    made(1, "transfer_create", "T");
    made(2, "transfer_execute", "E");
    made(3, "region_create", "R");
    let failed = SavedError { kind: Kind::Failed, message: "disk".into(), hint: None, details: Default::default() };
    journal.called(&lane, 4, &identity("wait_for")).unwrap();
    journal.decide(&key(4, 1), Saved::Error(failed.clone()), vec!["E".into()]).unwrap();
    journal.returned(&lane, 4, identity("wait_for"), Saved::Error(failed), 4).unwrap();
    journal.attempt(&lane, 2, None, None).unwrap();

    assert!(matches!(journal.replay(LANE, 1, &identity("transfer_create")), Replay::Answer(..)));
    assert_eq!(journal.replay(LANE, 2, &identity("transfer_execute")), Replay::Live);
    assert_eq!(journal.step(&key(2, 1), "POST", "transfer_execute"), Known::Nothing, "it is sent again");
    assert!(matches!(journal.replay(LANE, 3, &identity("region_create")), Replay::Answer(..)));
    assert_eq!(journal.replay(LANE, 4, &identity("wait_for")), Replay::Live);
}

#[test]
fn each_attempt_s_cause_is_on_record_and_the_first_and_the_last_are_given_back() {
    let journal = journal();
    let lane: Arc<str> = LANE.into();
    let failed = |message: &str| {
        Some(SavedError { kind: Kind::Failed, message: message.into(), hint: None, details: Default::default() })
    };
    let causes = || match journal.item(LANE) {
        Item::Waiting { causes, .. } | Item::Interrupted { causes, .. } => (causes.first, causes.last),
        other => panic!("{other:?}"),
    };
    journal.attempt(&lane, 1, None, None).unwrap();
    assert_eq!(causes(), (None, None));
    for (attempt, message) in [(2, "one"), (3, "two"), (4, "three")] {
        journal.attempt(&lane, attempt, Some(clock().now()), failed(message)).unwrap();
        journal.attempt(&lane, attempt, None, None).unwrap();
    }
    assert_eq!(causes(), (failed("one"), failed("three")));
}

#[test]
fn what_comes_before_the_first_thing_that_is_done_anew_must_be_the_same() {
    let journal = journal();
    let lane: Arc<str> = LANE.into();
    journal.attempt(&lane, 1, None, None).unwrap();
    let failed = SavedError { kind: Kind::Failed, message: "x".into(), hint: None, details: Default::default() };
    journal.returned(&lane, 1, identity("region_create"), Saved::Ok(json!(1)), 1).unwrap();
    journal.returned(&lane, 2, identity("verify"), Saved::Error(failed), 2).unwrap();
    journal.attempt(&lane, 2, None, None).unwrap();
    assert_eq!(journal.replay(LANE, 1, &identity("another")), Replay::Differs(identity("region_create")));
    assert_eq!(journal.replay(LANE, 2, &identity("another")), Replay::Live);
}

#[test]
fn two_calls_of_one_number_have_two_marks() {
    let journal = journal();
    let mark = |function| journal.marker(&key(1, 1), &identity(function));
    assert_ne!(mark("one"), mark("other"));
    assert_eq!(mark("one"), mark("one"));
}

#[test]
fn a_mark_is_one_line_of_text_whatever_the_key() {
    let mark = |item: &str| {
        let key = StepKey { lane: lane::child("main", 3, item).into(), call: 1, step: 1 };
        journal().marker(&key, &identity("replica_create")).to_string()
    };
    let marks = ["a\0", "a\0\0", "a\r", "a\u{1b}[31m", "a]", &"long".repeat(9999)].map(mark);
    for (at, mark) in marks.iter().enumerate() {
        assert!(mark.len() < 200 && !mark.contains(char::is_control), "{mark:?}");
        assert!(!marks[..at].contains(mark), "{mark:?}");
    }
}

#[test]
fn a_failed_call_of_two_steps_keeps_the_one_that_was_done() {
    let journal = journal();
    let lane: Arc<str> = LANE.into();
    journal.attempt(&lane, 1, None, None).unwrap();
    journal.called(&lane, 1, &identity("migration_create")).unwrap();
    journal.begin(&key(1, 1), "POST", "transfers", Before::default()).unwrap();
    journal.settle(&key(1, 1), Settlement::Done(json!({"id": "T"}))).unwrap();
    let refused = SavedError { kind: Kind::Api, message: "no".into(), hint: None, details: Default::default() };
    journal.begin(&key(1, 2), "POST", "transfers/T/executions", Before::default()).unwrap();
    journal.settle(&key(1, 2), Settlement::Refused(refused.clone())).unwrap();
    journal.returned(&lane, 1, identity("migration_create"), Saved::Error(refused), 1).unwrap();
    journal.attempt(&lane, 2, None, None).unwrap();
    assert_eq!(journal.step(&key(1, 1), "POST", "transfers"), Known::Kept(json!({"id": "T"})));
    journal.keep(&key(1, 1), "POST", "transfers", json!({"id": "T"})).unwrap();
    assert_eq!(journal.step(&key(1, 2), "POST", "transfers/T/executions"), Known::Nothing);
    assert_eq!(journal.step(&key(1, 3), "POST", "transfers"), Known::Nothing, "it is kept once");
}

#[test]
fn a_large_value_is_written_once_however_often_it_is_read() {
    let paper = Arc::new(Paper::default());
    let journal = on(&paper);
    let list: Value = (0..10_000).map(|number| json!({"id": number, "name": "a replica"})).collect();
    for lane in 0..100 {
        let lane: Arc<str> = format!("main/1:{lane}").into();
        journal.returned(&lane, 1, identity("transfer_list"), Saved::Ok(list.clone()), 1).unwrap();
    }
    let text = String::from_utf8(paper.text.lock().clone()).unwrap();
    assert_eq!(text.matches("\"id\":9999,").count(), 1);
    assert!(text.len() < list.to_string().len() + 100 * 300, "{} bytes", text.len());
    assert_eq!(journal.replay("main/1:7", 1, &identity("transfer_list")), Replay::Answer(Saved::Ok(list), 1));
}

/// The text written so far.
fn written(paper: &Paper) -> String {
    String::from_utf8(paper.text.lock().clone()).unwrap()
}

/// A lane that begins a change on its own thread.
fn begins(journal: &Arc<Journal>, lane: usize) -> std::thread::JoinHandle<Result<()>> {
    let journal = journal.clone();
    std::thread::spawn(move || {
        let lane: Arc<str> = format!("main/1:{lane}").into();
        journal.called(&lane, 1, &identity("transfer_execute"))?;
        journal.begin(&StepKey { lane, call: 1, step: 1 }, "POST", "x", Before::default())
    })
}

/// A journal whose first sync is running and held, for lane 0.
fn held(paper: &Arc<Paper>) -> (Arc<Journal>, std::thread::JoinHandle<Result<()>>) {
    *paper.held.lock() = true;
    let journal = Arc::new(on(paper));
    let first = begins(&journal, 0);
    wait_until(|| paper.syncs.load(Ordering::Acquire) == 1);
    (journal, first)
}

fn release(paper: &Paper) {
    *paper.held.lock() = false;
    paper.released.notify_all();
}

fn wait_until(is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::yield_now();
    }
}

#[test]
fn lanes_share_their_syncs() {
    let paper = Arc::new(Paper::default());
    let (journal, first) = held(&paper);
    let others: Vec<_> = (1..64).map(|lane| begins(&journal, lane)).collect();
    // All lines are there, and one sync is running: the later ones wait for the next.
    wait_until(|| journal.unsettled().len() == 64);
    release(&paper);
    first.join().unwrap().unwrap();
    others.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
    assert_eq!(paper.syncs.load(Ordering::Acquire), 2);
    assert_eq!(written(&paper).lines().count(), 128);
}

#[test]
fn what_is_recorded_during_a_sync_is_written_after_it_even_if_nobody_waits() {
    let paper = Arc::new(Paper::default());
    let (journal, first) = held(&paper);
    let before = written(&paper);
    journal.returned(&LANE.into(), 1, identity("now"), Saved::Ok(json!("x")), 1).unwrap();
    assert_eq!(written(&paper), before, "it is gathered");
    release(&paper);
    first.join().unwrap().unwrap();
    assert!(written(&paper).ends_with('\n') && written(&paper).lines().count() == 3, "{}", written(&paper));
    journal.returned(&LANE.into(), 2, identity("now"), Saved::Ok(json!("y")), 2).unwrap();
    assert_eq!(written(&paper).lines().count(), 4, "without a sync it is written at once");
    assert_eq!(paper.syncs.load(Ordering::Acquire), 1);
}

#[test]
fn a_disk_that_does_not_take_what_was_gathered_is_told_to_all_who_wait_for_it() {
    // Room for the first lane's lines and a torn one.
    let paper = Arc::new(Paper { room: Some(400), ..Paper::default() });
    let (journal, first) = held(&paper);
    assert!(written(&paper).len() < 400);
    let others: Vec<_> = (1..9).map(|lane| begins(&journal, lane)).collect();
    wait_until(|| journal.unsettled().len() == 9);
    release(&paper);
    first.join().unwrap().expect("its own line was on the disk");
    for thread in others {
        assert_eq!(thread.join().unwrap().expect_err("its line is not on the disk").kind, Kind::Storage);
    }
    let torn = written(&paper);
    assert_eq!(torn.len(), 400);
    for _ in 0..2 {
        journal.returned(&LANE.into(), 1, identity("now"), Saved::Ok(json!("x")), 1).expect_err("ever after");
        journal
            .begin(&StepKey { lane: "main/1:0".into(), call: 1, step: 2 }, "POST", "x", Before::default())
            .expect_err("ever after");
    }
    assert_eq!(written(&paper), torn, "nothing is written behind a torn line");
    assert_eq!(paper.syncs.load(Ordering::Acquire), 1);
}

#[test]
fn what_many_lanes_record_at_once_lies_in_the_order_in_which_it_counted() {
    let paper = Arc::new(Paper::default());
    let journal = on(&paper);
    let list: Value = (0..1_000).map(|number| json!({"id": number})).collect();
    std::thread::scope(|scope| {
        for lane in 0..16 {
            let (journal, list) = (&journal, &list);
            scope.spawn(move || {
                let lane: Arc<str> = format!("main/1:{lane}").into();
                for call in 1..=40 {
                    let step = StepKey { lane: lane.clone(), call, step: 1 };
                    journal.called(&lane, call, &identity("make")).unwrap();
                    journal.begin(&step, "POST", "things", Before::default()).unwrap();
                    journal.settle(&step, Settlement::Done(json!({"id": call}))).unwrap();
                    journal.returned(&lane, call, identity("make"), Saved::Ok(list.clone()), call).unwrap();
                }
            });
        }
    });
    let lines = read(written(&paper).as_bytes()).unwrap().lines;
    assert_eq!(lines.len(), 16 * 40 * 4 + 1);
    let value = lines.iter().position(|line| matches!(line.record, Record::Value { .. })).unwrap();
    let user = lines.iter().position(|line| matches!(line.record, Record::Returned { .. })).unwrap();
    assert!(value < user, "a value is there before what names it");
    let mut again = State::default();
    lines.into_iter().for_each(|line| again.apply(line).unwrap());
    assert_eq!(format!("{:?}", &*journal.state()), format!("{again:?}"));
}

#[test]
fn a_full_disk_stops_before_the_next_change_and_loses_nothing_that_was_written() {
    let paper = Arc::new(Paper { room: Some(700), ..Paper::default() });
    let journal = on(&paper);
    let lane: Arc<str> = LANE.into();
    let mut begun = 0;
    let error = loop {
        let call = begun + 1;
        let sent = journal
            .called(&lane, call, &identity("x"))
            .and_then(|()| journal.begin(&key(call, 1), "POST", "x", Before::default()));
        match sent {
            Ok(()) => begun += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, Kind::Storage);
    assert_eq!(error.message, "cannot write the run's journal journal.jsonl: no storage space");
    let hint = "make room on the disk, then resume the run: nothing was sent that is not on record";
    assert_eq!(error.hint.as_deref(), Some(hint));
    assert!(begun > 0);
    let again =
        journal.begin(&key(99, 1), "POST", "x", Before::default()).expect_err("nothing is written behind a torn line");
    assert_eq!(again.kind, Kind::Storage);
    let text = paper.text.lock().clone();
    let whole = read(&text).expect("the torn line is dropped");
    assert!(whole.end < 700 && !whole.lines.is_empty());
}

#[test]
fn damage_in_the_middle_is_refused_with_its_line_and_a_torn_end_is_dropped() {
    let paper = Arc::new(Paper::default());
    let journal = on(&paper);
    for call in 1..=3 {
        journal.returned(&LANE.into(), call, identity("now"), Saved::Ok(json!("x")), call).unwrap();
    }
    let text = paper.text.lock().clone();
    let lines: Vec<usize> = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for cut in lines[1] + 1..text.len() {
        let read = read(&text[..cut]).unwrap();
        assert_eq!((read.lines.len(), read.end), (2, lines[1] as u64), "cut at {cut}");
    }
    for at in lines[0]..lines[1] - 1 {
        let mut damaged = text.clone();
        damaged[at] ^= 1;
        match read(&damaged) {
            Err((number, _)) => assert_eq!(number, 2, "flipped at {at}"),
            // A line break in the middle of a line damages it all the same.
            Ok(_) => panic!("flipped at {at}, and nobody noticed"),
        }
    }
}

#[test]
fn a_newer_journal_is_refused() {
    let line = Line { at: clock().now(), record: Record::Journal { version: record::VERSION + 1 } };
    let read = read(encode(&line).as_bytes()).unwrap();
    let (number, why) = fold(&read.lines).expect_err("refused");
    assert_eq!((number, why.contains("newer")), (1, true));
}

/// The next action of a lane.
#[derive(Clone, Debug)]
enum Does {
    Reads,
    Makes,
    Fails,
    WaitsInVain,
    TriesAgain,
}

fn does() -> impl Strategy<Value = Vec<Does>> {
    let one = prop_oneof![
        Just(Does::Reads),
        Just(Does::Makes),
        Just(Does::Fails),
        Just(Does::WaitsInVain),
        Just(Does::TriesAgain)
    ];
    proptest::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The state read back equals the one that wrote the file, wherever it is cut between two lines.
    #[test]
    fn a_journal_read_back_is_the_journal_that_was_written(story in does()) {
        let paper = Arc::new(Paper::default());
        let journal = on(&paper);
        let lane: Arc<str> = LANE.into();
        journal.attempt(&lane, 1, None, None).unwrap();
        let (mut call, mut attempt, mut last) = (0, 1, String::new());
        for what in story {
            let failed = || SavedError { kind: Kind::Failed, message: "x".into(), hint: None, details: Default::default() };
            call += 1;
            match what {
                Does::Reads => journal.returned(&lane, call, identity("read"), Saved::Ok(json!(call)), call).unwrap(),
                Does::Makes => {
                    last = format!("made-{attempt}-{call}");
                    journal.called(&lane, call, &identity("make")).unwrap();
                    journal.begin(&key(call, 1), "POST", "things", Before::default()).unwrap();
                    journal.settle(&key(call, 1), Settlement::Done(json!({"id": last}))).unwrap();
                    journal.returned(&lane, call, identity("make"), Saved::Ok(json!({"id": last})), call).unwrap();
                }
                Does::Fails => journal.returned(&lane, call, identity("fail"), Saved::Error(failed()), call).unwrap(),
                Does::WaitsInVain => {
                    journal.called(&lane, call, &identity("wait")).unwrap();
                    journal.decide(&key(call, 1), Saved::Error(failed()), vec![last.clone()]).unwrap();
                    journal.returned(&lane, call, identity("wait"), Saved::Error(failed()), call).unwrap();
                }
                Does::TriesAgain => {
                    attempt += 1;
                    call = 0;
                    journal.attempt(&lane, attempt, None, None).unwrap();
                }
            }
        }
        let mut text = encode(&Line { at: clock().now(), record: Record::Journal { version: record::VERSION } }).into_bytes();
        text.extend(paper.text.lock().iter());
        let again = fold(&read(&text).unwrap().lines).unwrap();
        prop_assert_eq!(format!("{:?}", &*journal.state()), format!("{again:?}"));
        prop_assert_eq!(again.items_ended(Outcome::Ok), 0);
    }
}

#[test]
fn what_no_reader_would_take_is_refused_when_it_is_written() {
    let deep = |levels: usize| (0..levels).fold(json!("[{"), |value, _| json!([value]));
    let paper = Arc::new(Paper::default());
    let journal = on(&paper);
    for levels in [1, DEEPEST_VALUE, 115] {
        journal.returned(&LANE.into(), 1, identity("read_json"), Saved::Ok(deep(levels)), 1).unwrap();
    }
    let error =
        journal.returned(&LANE.into(), 2, identity("read_json"), Saved::Ok(deep(130)), 2).expect_err("too deep");
    assert_eq!(error.kind, Kind::Script);
    let large: Value = (0..20_000).map(Value::from).collect();
    let error = journal
        .returned(&LANE.into(), 2, identity("read_json"), Saved::Ok(json!([large, deep(130)])), 2)
        .expect_err("too deep, however large");
    assert!(error.message.contains("nested too deeply"), "{error}");
    let text = paper.text.lock().clone();
    assert_eq!(read(&text).unwrap().lines.len(), 3);
}

#[test]
fn what_a_guard_kept_back_is_tried_again_and_may_differ_if_it_sent_nothing() {
    let identity = |options: &str| Identity { arguments: options.to_owned(), ..identity("transfer_deploy") };
    let refused = |details: Value| {
        let details = details.as_object().unwrap().clone();
        Saved::Error(SavedError { kind: Kind::Refused, message: "second VM".into(), hint: None, details })
    };
    let resumed = |result: Saved, sent: Option<Settlement>| {
        let journal = journal();
        journal.called(&LANE.into(), 1, &identity("{}")).unwrap();
        journal.decide(&key(1, 1), Saved::Ok(Value::Null), Vec::new()).unwrap();
        if let Some(settlement) = sent {
            journal.begin(&key(1, 2), "POST", "deployments", Before::default()).unwrap();
            journal.settle(&key(1, 2), settlement).unwrap();
        }
        journal.returned(&LANE.into(), 1, identity("{}"), result, 1).unwrap();
        let mut state = journal.state().clone();
        state.reopen();
        (state.replay(LANE, 1, &identity("{}")), state.replay(LANE, 1, &identity("{duplicate: true}")))
    };
    let of_guard = || refused(json!({"override": "duplicate"}));
    assert_eq!(resumed(of_guard(), None), (Replay::Live, Replay::Live));
    assert_eq!(resumed(of_guard(), Some(Settlement::Absent)), (Replay::Live, Replay::Live));
    let differs = Replay::Differs(identity("{}"));
    let sent = resumed(of_guard(), Some(Settlement::Done(json!({"id": "D"}))));
    assert_eq!(sent, (Replay::Live, differs.clone()), "it has sent something");
    let no = refused(json!({}));
    assert_eq!(resumed(no.clone(), None), (Replay::Answer(no, 1), differs), "somebody said no");
}

#[test]
fn a_mismatch_shows_where_the_two_calls_differ() {
    let call = |rest: &str| Identity {
        function: "transfer_deploy".into(),
        arguments: rest.into(),
        shown: format!("{{\"id\":\"{}\"}}, {{{rest}}}", "8d71".repeat(60)),
    };
    let error = super::replay::mismatch("main", 4, &call(""), &call("\"duplicate\":true"));
    assert!(error.message.contains("recorded: … ") && error.message.contains("{\"duplicate\":true})"), "{error}");
    assert!(error.message.lines().all(|line| line.chars().count() < 250), "{error}");
    let hidden = super::replay::mismatch("main", 4, &call(""), &Identity { arguments: "other".into(), ..call("") });
    assert!(hidden.message.contains("a field of an object that is not shown"), "{hidden}");
}
