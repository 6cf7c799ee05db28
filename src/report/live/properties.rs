//! Properties of every picture, whatever happened.
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::event::{Counts, Event, Fact, Origin, Outcome, Progress};
use crate::model::Part;
use crate::report::streams::text;

use super::board::Board;
use super::lines::{Detail, Lines};
use super::scene;
use super::summary::summary;

const KEYS: [&str; 7] =
    ["web-01", "db", "数据库-服务器-01", "a\u{1b}[2Jb", "👩‍👩‍👧", "", "a-very-long-name-of-a-machine-in-a-far-data-centre"];
const WAVES: [&str; 3] = ["seed", "each", "cutover ウェブ"];

fn origin() -> impl Strategy<Value = Origin> {
    let keyed = (0..WAVES.len(), 0..KEYS.len()).prop_map(|(wave, key)| scene::item(WAVES[wave], KEYS[key]));
    let inner = (0..KEYS.len(), 0..KEYS.len()).prop_map(|(outer, key)| Origin {
        lane: format!("main/seed/{}/each/{}", KEYS[outer], KEYS[key]).into(),
        wave: Some("each".into()),
        item: Some(KEYS[key].into()),
    });
    prop_oneof![Just(scene::main_lane()), keyed, inner]
}

fn fact() -> impl Strategy<Value = Fact> {
    let id = (0..4).prop_map(|id| scene::subject(&format!("execution-{id}")));
    let number = prop_oneof![0.0..=100.0, Just(f64::NAN), Just(f64::INFINITY), Just(-1.0)];
    let outcome = prop::sample::select(Outcome::ALL.to_vec());
    prop_oneof![
        (0..WAVES.len(), 0..KEYS.len(), 0..9usize, 0..3u64).prop_map(|(name, keys, limit, call)| Fact::WaveStarted {
            name: WAVES[name].to_owned(),
            total: keys,
            limit,
            items: KEYS[..keys].iter().map(|key| (*key).into()).collect(),
            call,
            body: "".into(),
        }),
        (0..WAVES.len()).prop_map(|name| Fact::WaveFinished {
            name: WAVES[name].to_owned(),
            counts: Counts::default(),
            elapsed_seconds: 1.0
        }),
        (0..WAVES.len()).prop_map(|name| Fact::WaveStopping { name: WAVES[name].to_owned(), reason: "b\n".to_owned() }),
        (1..3u32).prop_map(|attempt| Fact::ItemStarted { attempt }),
        (1..3u32).prop_map(|attempt| Fact::ItemRetried {
            attempt,
            attempts: 3,
            cause: "x".repeat(300).as_str().into(),
            next: scene::minute(99.0)
        }),
        (outcome, number.clone()).prop_map(|(outcome, elapsed_seconds)| Fact::ItemFinished {
            outcome,
            attempts: 1,
            elapsed_seconds,
            cause: Some("数据\u{1b}[0m".repeat(60).as_str().into()),
            first: None,
            earlier: false,
        }),
        id.clone().prop_map(|subject| Fact::WaitStarted { subject, since: scene::minute(0.0) }),
        (id.clone(), number, any::<Option<(u64, u64)>>()).prop_map(|(subject, percent, bytes)| Fact::WaitChanged {
            subject,
            progress: Progress {
                status: "RUNNING".into(),
                part: Some(Part::Delta),
                task: Some("REPLICATE_DISKS".into()),
                percent,
                bytes
            },
            since: scene::minute(0.0),
        }),
        id.clone().prop_map(|subject| Fact::WaitLeft { subject, status: "RUNNING".to_owned() }),
        id.prop_map(|subject| Fact::WaitFinished {
            subject,
            status: "COMPLETED".to_owned(),
            since: scene::minute(0.0),
            elapsed_seconds: 1.0
        }),
        any::<u64>().prop_map(|call| Fact::CallStarted { call, function: "replica_ensure\u{7}".to_owned() }),
        any::<bool>().prop_map(|now| Fact::StopRequested { now }),
    ]
}

pub fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((0.0..90.0f64, origin(), fact()), 0..80).prop_map(|drawn| {
        let mut minutes = 0.0;
        let event = |(step, origin, fact): (f64, Origin, Fact)| {
            minutes += step / 10.0;
            scene::event(minutes, origin, fact)
        };
        drawn.into_iter().map(event).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_picture_is_never_larger_than_its_screen(events in events(), width in 0..200usize, height in 0..60usize) {
        let mut board = Board::default();
        for event in &events {
            board.apply(event);
            for line in board.lines(event.at, width, height) {
                let line = line.plain();
                prop_assert!(text::width(&line) <= width, "{} in {width}: {line:?}", text::width(&line));
                prop_assert!(!line.chars().any(char::is_control), "{line:?}");
            }
            prop_assert!(board.lines(event.at, width, height).len() <= height.saturating_sub(2));
        }
    }

    #[test]
    fn a_wave_never_goes_backwards(events in events()) {
        let mut board = Board::default();
        for event in &events {
            let before: Vec<f64> = board.waves.iter().map(|wave| wave.forecast.share).collect();
            board.apply(event);
            board.look(event.at);
            for (wave, before) in board.waves.iter().zip(before) {
                prop_assert!(wave.forecast.share >= before && wave.forecast.share <= 1.0);
                prop_assert!(wave.forecast.left.is_none_or(|left| 0.0 <= left.low && left.low <= left.high), "{:?}", wave.forecast);
            }
        }
    }

    #[test]
    fn every_line_of_a_log_and_of_the_summary_is_one_line(events in events(), width in 20..200usize) {
        let (mut board, mut lines) = (Board::default(), Lines::log(TimeZone::UTC, Detail::All));
        for event in &events {
            board.apply(event);
            for line in lines.lines(&mut board, event) {
                prop_assert!(!line.plain().chars().any(char::is_control), "{:?}", line.plain());
            }
        }
        let summary = summary(&board, Some(width)).unwrap_or_default();
        prop_assert!(!summary.replace('\n', "").chars().any(char::is_control));
    }
}
