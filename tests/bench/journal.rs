//! How much lanes gain by sharing fsyncs: 64 lanes against one that syncs each of its changes, on the disk of the
//! build directory. Prints the ratio of the rates; run it with `cargo bench --bench journal`.

use std::sync::Arc;
use std::time::Instant;

use coriolis_run::clock::{Clock, Speed};
use coriolis_run::journal::file::{Log, create};
use coriolis_run::journal::record::{Identity, Settlement};
use coriolis_run::journal::replay::{Before, State};
use coriolis_run::journal::{Journal, StepKey};

/// Of each lane: enough that what it costs to start a thread does not count.
const CHANGES: usize = 200;

fn main() {
    let rounds: Vec<(f64, f64)> = (0..5).map(|_| (rate(64), rate(1))).collect();
    let mut ratios: Vec<f64> = rounds.iter().map(|(many, one)| many / one).collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "64 lanes make {:.1} times the changes of one lane (changes a second: {rounds:.0?})",
        ratios[ratios.len() / 2]
    );
}

/// Changes per second.
fn rate(lanes: usize) -> f64 {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-journal");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the build directory can be written");
    let clock = Clock::new(Speed::Real);
    let file = create(&folder.join("journal.jsonl"), clock.now()).expect("a new file");
    let log = Log::new(Arc::new(file), "journal.jsonl".into());
    let journal = Journal::new("bench".into(), [0; 32], clock, State::default(), Some(log));
    #[allow(clippy::disallowed_methods, reason = "a benchmark measures the machine's time")]
    let began = Instant::now();
    std::thread::scope(|scope| {
        for lane in 0..lanes {
            let journal = &journal;
            scope.spawn(move || {
                let lane: Arc<str> = format!("main/1:{lane}").into();
                for call in 1..=CHANGES as u64 {
                    let identity = Identity { function: "x".into(), arguments: String::new(), shown: String::new() };
                    let key = StepKey { lane: lane.clone(), call, step: 1 };
                    journal.called(&lane, call, &identity).expect("written");
                    journal.begin(&key, "POST", "transfers", Before::default()).expect("on the disk");
                    journal.settle(&key, Settlement::Done(serde_json::json!({"id": "x"}))).expect("written");
                }
            });
        }
    });
    (CHANGES * lanes) as f64 / began.elapsed().as_secs_f64()
}
