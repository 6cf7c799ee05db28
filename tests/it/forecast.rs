//! The forecasts of a board, compared with what came.

use coriolis_run::event::{Event, Fact, Outcome};
use coriolis_run::model::Generation;
use coriolis_run::report::live::board::Board;
use jiff::{SignedDuration, Timestamp};

use crate::rehearsal::{GENERATIONS, Options, Stage};

/// A copy, a delta, a final delta and a deployment for each of 20 VMs, 4 at a time.
const MOVES: &str = r#"
let vms = read_csv("inventory.csv").filter(|vm| !vm.name.starts_with("fail"));
vms.truncate(20);
wave("move", vms, #{ limit: 4 }, |vm| {
    let replica = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: vm.name });
    replica_sync(replica);
    replica_sync(replica);
    let last = replica_sync(replica, #{ shutdown_instances: true });
    replica_deploy(replica, #{ requires: last });
});
"#;

/// The pause between two looks.
const LOOK: SignedDuration = SignedDuration::from_mins(1);

/// A look at the only wave: its forecast, and what came.
#[derive(Debug)]
struct Look {
    minute: i64,
    /// The time left, in seconds.
    left: Option<(f64, f64)>,
    really_left: f64,
    share: Option<f64>,
    /// The share of its time that had passed.
    really: f64,
    through: usize,
}

fn looks(events: &[Event]) -> Vec<Look> {
    let at = |wanted: fn(&Fact) -> bool| -> Timestamp {
        events.iter().find(|event| wanted(&event.fact)).expect("the wave begins and ends").at
    };
    let (begin, end) =
        (at(|fact| matches!(fact, Fact::WaveStarted { .. })), at(|fact| matches!(fact, Fact::WaveFinished { .. })));
    let (mut board, mut next, mut looks) = (Board::default(), begin, Vec::new());
    for event in events {
        while next <= event.at && next < end {
            board.look(next);
            if let Some(wave) = board.waves.first() {
                let forecast = wave.forecast;
                let whole = end.duration_since(begin).as_secs_f64();
                looks.push(Look {
                    minute: next.duration_since(begin).as_mins(),
                    left: forecast.left.map(|left| (left.low, left.high)),
                    really_left: end.duration_since(next).as_secs_f64(),
                    share: forecast.is_timed.then_some(forecast.share),
                    really: next.duration_since(begin).as_secs_f64() / whole,
                    through: wave.counts().get(Outcome::Ok),
                });
            }
            next += LOOK;
        }
        board.apply(event);
    }
    looks
}

fn played(generation: Generation) -> Vec<Look> {
    let played = Stage::new(Options::of(generation)).play(MOVES);
    played.value();
    looks(&played.events)
}

#[test]
fn what_was_said_to_be_left_is_what_came() {
    for generation in GENERATIONS {
        let looks = played(generation);
        let before = looks.iter().filter(|look| look.through == 0);
        assert!(before.clone().count() > 10 && before.clone().all(|look| look.left.is_none() && look.share.is_none()));

        let said: Vec<&Look> = looks.iter().filter(|look| look.left.is_some()).collect();
        let through = looks.iter().filter(|look| look.through > 0).count();
        assert!(said.len() * 10 >= through * 9, "{} of {through} looks with a forecast", said.len());
        // A quarter beside the range is still a forecast to plan with; three times as long as said is not.
        let is_near = |look: &&&Look| {
            let (low, high) = look.left.expect("filtered");
            (low * 0.75 - 120.0..=high * 1.25 + 120.0).contains(&look.really_left)
        };
        let near = said.iter().filter(is_near).count();
        assert!(near * 10 >= said.len() * 9, "{near} of {}: {said:#?}", said.len());
        let width = said.iter().map(|look| look.left.map_or(0.0, |(low, high)| high / low.max(60.0))).sum::<f64>();
        assert!(width / (said.len() as f64) < 2.5, "the ranges say too little: {}", width / said.len() as f64);
    }
}

#[test]
fn the_share_of_a_wave_goes_with_its_time_and_does_not_stand() {
    for generation in GENERATIONS {
        let looks: Vec<Look> = played(generation).into_iter().filter(|look| look.share.is_some()).collect();
        let off = |look: &Look| (look.share.expect("filtered") - look.really).abs();
        let mean = looks.iter().map(off).sum::<f64>() / looks.len() as f64;
        assert!(mean < 0.08 && looks.iter().all(|look| off(look) < 0.2), "{mean} {looks:#?}");
        let quarter = looks.len() / 4;
        for (earlier, later) in looks.iter().zip(&looks[quarter..]) {
            assert!(later.share > earlier.share, "it stands from minute {} to {}", earlier.minute, later.minute);
        }
    }
}
