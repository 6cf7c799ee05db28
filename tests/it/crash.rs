//! The crash matrix: whatever record a run dies before or after, and whatever answer gets lost, what it leaves on the
//! server once it was resumed is what it would have left undisturbed, and nothing was made twice.

mod foreign;
mod nights;
mod scenes;
mod users;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use coriolis_run::journal::Journal;
use coriolis_run::journal::file::{self, Log, Medium};
use coriolis_run::journal::replay::State;
use coriolis_run::model::Generation;
use coriolis_run::runtime::gates::Gates;
use coriolis_run::sandbox::{Accepted, Trouble};
use serde_json::Value;

use crate::command::folder;
use crate::rehearsal::{GENERATIONS, Options, Rehearsal, Stage, Yes};

/// Waves, retries, a VM that fails once and one that always does, a gate, and the low-level functions.
const RUNBOOK: &str = r#"
    let from = endpoint_find("vcenter");
    let extra = endpoint_create(#{ name: "extra", type: "vmware_vsphere", connection: from.connection_info });
    let vms = ["fail-once-mail-01", "fail-always-legacy-01"];
    let seeded = wave("seed", vms, #{ limit: 2, retries: 1, backoff: "1m", max_failures: 1 }, |vm| {
        let replica = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: vm });
        let first = replica_execute(replica);
        wait_for(first);
        replica.id
    });
    confirm("cut over?");
    wave("cutover", seeded.ok, #{ limit: 2, retries: 1 }, |vm| {
        let replica = replica_of(vm);
        let last = replica_sync(replica, #{ shutdown_instances: true, retries: 1 });
        replica_deploy(replica, #{ requires: last }).status
    });
    endpoint_delete(extra);
    seeded.failed
"#;

/// What is on the server, without what differs from run to run.
const LOOK: &str = r#"
    let found = [];
    for endpoint in endpoint_list() { found.push(`endpoint ${endpoint.name}`); }
    for replica in replica_list() {
        let executions = replica_execution_list(replica);
        found.push(`replica ${replica.instances} ${replica.last_execution_status}`);
        for execution in executions { found.push(`execution of ${replica.instances} ${execution.number} ${execution.status}`); }
    }
    for deployment in deployment_list() { found.push(`deployment ${deployment.instances} ${deployment.last_execution_status}`); }
    found
"#;

/// A disk on which the process dies at a line.
struct Deathbed {
    file: File,
    lines: AtomicUsize,
    /// The number of the line, and whether it is still written.
    dies: Option<(usize, bool)>,
    dead: AtomicBool,
}

impl Medium for Deathbed {
    /// Lines that were gathered come together; the process may die between any two of them.
    fn write(&self, lines: &[u8]) -> io::Result<()> {
        lines.split_inclusive(|byte| *byte == b'\n').try_for_each(|line| self.write_line(line))
    }

    fn sync(&self) -> io::Result<()> {
        if self.dead.load(Ordering::Acquire) { Err(self.end()) } else { Ok(()) }
    }
}

impl Deathbed {
    fn end(&self) -> io::Error {
        self.dead.store(true, Ordering::Release);
        io::Error::other("the process is dead")
    }

    fn write_line(&self, line: &[u8]) -> io::Result<()> {
        if self.dead.load(Ordering::Acquire) {
            return Err(self.end());
        }
        let number = self.lines.fetch_add(1, Ordering::AcqRel) + 1;
        match self.dies {
            Some((at, false)) if number == at => Err(self.end()),
            Some((at, true)) if number == at => {
                Medium::write(&self.file, line)?;
                Err(self.end())
            }
            _ => Medium::write(&self.file, line),
        }
    }
}

/// A run on a stage, whose processes come and go.
struct Run {
    stage: Stage,
    journal: PathBuf,
    generation: Generation,
}

/// What a run has left behind.
#[derive(Debug, PartialEq)]
struct Left {
    result: Value,
    found: Vec<String>,
    /// How many requests of each sort were carried out.
    carried_out: BTreeMap<String, usize>,
    /// What the new endpoint was given: secrets are not on record, and are read again.
    connection: Value,
}

impl Run {
    fn new(generation: Generation, folder: &Path) -> Self {
        let journal = folder.join("journal.jsonl");
        let _ = std::fs::remove_file(&journal);
        Self { stage: Stage::new(Options::of(generation)), journal, generation }
    }

    /// One process: it takes up what is recorded, and dies where it is told to.
    fn process(&self, dies: Option<(usize, bool)>) -> (Rehearsal, usize) {
        self.process_of(RUNBOOK, Arc::new(Yes), dies)
    }

    fn process_of(&self, runbook: &str, gates: Arc<dyn Gates>, dies: Option<(usize, bool)>) -> (Rehearsal, usize) {
        let (journal, medium) = self.journal(dies);
        let played = self.stage.play_recorded(runbook, Arc::new(journal), gates);
        (played, medium.lines.load(Ordering::Acquire))
    }

    fn journal(&self, dies: Option<(usize, bool)>) -> (Journal, Arc<Deathbed>) {
        let clock = self.stage.clock.clone();
        let (file, mut state) = if self.journal.exists() {
            let read = file::load(&self.journal).unwrap();
            (file::reopen(&self.journal, read.end).unwrap(), file::fold(&read.lines).unwrap())
        } else {
            (file::create(&self.journal, clock.now()).unwrap(), State::default())
        };
        state.reopen();
        let medium = Arc::new(Deathbed { file, lines: AtomicUsize::new(0), dies, dead: AtomicBool::new(false) });
        let journal = Journal::new(
            "m4k7t2qa".into(),
            [7; 32],
            clock,
            state,
            Some(Log::new(medium.clone(), "journal.jsonl".into())),
        );
        (journal, medium)
    }

    fn left(&self, played: &Rehearsal) -> Left {
        let looked = self.stage.play(LOOK);
        let mut found: Vec<String> =
            looked.value().as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect();
        found.sort();
        let mut carried_out = BTreeMap::new();
        // A validation is a question, which may be asked again.
        let makes = |request: &&Accepted| request.status < 300 && !request.path.ends_with("/actions");
        for request in played.accepted.iter().filter(makes) {
            let path = request.path.split('/').filter(|part| part.len() < 32).collect::<Vec<_>>().join("/");
            *carried_out.entry(format!("{} {path}", request.method)).or_default() += 1;
        }
        let journal = std::fs::read_to_string(&self.journal).unwrap();
        let made = played.accepted.iter().find(|request| request.path.ends_with("/endpoints")).unwrap();
        let connection = made.body["endpoint"]["connection_info"].clone();
        let password = connection["password"].as_str().unwrap();
        assert!(!journal.contains(password) && password != "***");
        Left { result: played.value().clone(), found, carried_out, connection }
    }
}

fn undisturbed(generation: Generation, folder: &Path) -> (Left, usize) {
    let run = Run::new(generation, folder);
    let (played, lines) = run.process(None);
    (run.left(&played), lines)
}

#[test]
fn a_run_that_dies_at_any_record_is_resumed_and_makes_nothing_twice_on_current() {
    every_death(Generation::Current);
}

#[test]
fn a_run_that_dies_at_any_record_is_resumed_and_makes_nothing_twice_on_legacy() {
    every_death(Generation::Legacy);
}

/// True with `CRASH_MATRIX=all`, as `.ci/run` has it.
fn is_whole() -> bool {
    #[allow(clippy::disallowed_methods, reason = "a test has no `Process` of its own")]
    std::env::var("CRASH_MATRIX").is_ok_and(|matrix| matrix == "all")
}

/// All points of the whole matrix, else every seventh.
fn points(all: std::ops::Range<usize>) -> impl Iterator<Item = usize> {
    all.step_by(if is_whole() { 1 } else { 7 })
}

/// The same for short runs: else every second.
fn sampled(all: std::ops::Range<usize>) -> impl Iterator<Item = usize> {
    all.step_by(if is_whole() { 1 } else { 2 })
}

#[test]
fn a_change_whose_token_was_rejected_counts_as_not_sent_until_it_leaves_again() {
    for generation in GENERATIONS {
        let run = Run::new(generation, &folder(&format!("stayed-{}", generation.word())));
        let seams = (Arc::new(run.journal(None).0), Arc::new(Yes) as Arc<dyn Gates>);
        let script = r#"let east = region_create("east"); print("revoke"); region_delete(east);"#;
        run.stage.perform(script, seams, |sandbox, _| sandbox.revoke_tokens()).value();
        let text = std::fs::read_to_string(&run.journal).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["record"].clone());
        let steps: Vec<Value> =
            lines.filter(|record| ["began", "stayed", "settled"].iter().any(|known| record == known)).collect();
        // On a busy machine it may be rejected more than once.
        let (created, deleted) = steps.split_first_chunk::<2>().expect("it was made");
        let (before, last) = deleted.split_last_chunk::<2>().expect("it was removed");
        assert_eq!([created, last], [&["began", "settled"]; 2], "on {}: {steps:?}", generation.word());
        assert!(!before.is_empty() && before.chunks(2).all(|pair| pair == ["began", "stayed"]), "{steps:?}");
    }
}

fn every_death(generation: Generation) {
    let folder = folder(&format!("crash-{}", generation.word()));
    let (expected, lines) = undisturbed(generation, &folder);
    assert_eq!(expected.result, serde_json::json!(["fail-always-legacy-01"]));
    for at in points(1..lines + 1) {
        for written in [false, true] {
            let run = Run::new(generation, &folder);
            run.process(Some((at, written)));
            let (played, _) = run.process(None);
            assert!(played.result.is_ok(), "died at {at} ({written}): {:?}", played.error());
            assert_eq!(
                run.left(&played),
                expected,
                "{}: died at record {at}, written: {written}",
                run.generation.word()
            );
        }
    }
}

#[test]
fn a_change_whose_answer_is_lost_is_found_again() {
    for generation in GENERATIONS {
        let folder = folder(&format!("lost-{}", generation.word()));
        let (expected, _) = undisturbed(generation, &folder);
        let changes: usize = expected.carried_out.values().sum();
        for number in points(0..changes) {
            for trouble in [Trouble::DroppedAfter, Trouble::DroppedBefore, Trouble::UnavailableAfter] {
                let run = Run::new(generation, &folder);
                run.stage.inject_at_change(number, trouble);
                let (mut played, _) = run.process(None);
                // The answer to a question that was lost ends the run: another process asks it again.
                if played.result.is_err() {
                    (played, _) = run.process(None);
                }
                assert!(played.result.is_ok(), "{trouble:?} at change {number}: {:?}", played.error());
                let left = run.left(&played);
                assert_eq!(left, expected, "{}: {trouble:?} at change {number}", generation.word());
            }
        }
    }
}
