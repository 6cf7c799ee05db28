//! The lines of journals: per version and kind of record a file of samples (`tests/journal`), which every later program
//! reads. A sample is never changed; a new shape of a line is a new sample.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use coriolis_run::error::Kind;
use coriolis_run::event::{Fact, Outcome};
use coriolis_run::journal::record::{Line, Record, Saved, Settlement, VERSION};
use serde_json::Value;

/// The name of each variant, and all of them: the compiler asks for a new one.
macro_rules! names {
    ($name:ident, $all:ident, $of:ident: $($variant:ident),+) => {
        fn $name(value: &$of) -> &'static str {
            match value { $($of::$variant { .. } => stringify!($variant)),+ }
        }
        const $all: &[&str] = &[$(stringify!($variant)),+];
    };
}

names!(record, RECORDS, Record: Journal, Cloud, Value, Called, Decided, Began, Stayed, Settled, Kept, Returned, Attempt,
    Ended, Behind, Anew, RetryFailed, Event);
names!(fact, FACTS, Fact: RunStarted, CloudFound, CallStarted, CallFinished, StepSettled, WaveStarted, ItemStarted,
    ItemRetried, ItemFinished, WaveStopping, WaveFinished, WaitStarted, WaitChanged, WaitFinished, WaitLeft, SourceChanged, CutoverEntered,
    CutoverEnded, UnitRetried,
    RequestRetried, CloudAway, CloudBack, Logged, Printed, RunResumed, GateReached, GateAnswered, StopRequested, SandboxTold, RunFinished);
names!(kind, KINDS, Kind: Script, Input, Unreachable, Login, Api, NotFound, Ambiguous, Refused, Failed, Cancelled, Timeout,
    Unknown, Interrupted, ItemsFailed, Mismatch, NeedsAnswer, Journal, Storage, Limit, Internal);
names!(outcome, OUTCOMES, Outcome: Ok, Failed, Skipped, Cancelled, Unknown);

/// Facts that journals leave out.
const UNTOLD: [&str; 3] = ["CallStarted", "CallFinished", "StepSettled"];

/// The samples of a version, each with its file.
fn samples(version: u32) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journal").join(version.to_string());
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let lines = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        text.lines().map(|line| (path.clone(), line.to_owned())).collect::<Vec<_>>()
    };
    files.flat_map(lines).collect()
}

fn read(line: &str) -> Line {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn lines_of_every_version_are_read_and_written_again_as_they_were() {
    for version in 1..=VERSION {
        for (file, sample) in samples(version) {
            let line = read(&sample);
            let written: Value = serde_json::to_value(&line).unwrap();
            assert_eq!(Some(written["record"].as_str().unwrap()), file.file_stem().unwrap().to_str(), "{sample}");
            // The number of a wave's call was not always there.
            let text = serde_json::to_string(&line).unwrap().replace(r#"],"call":0}"#, "]}");
            assert_eq!(text, sample, "version {version}");
        }
    }
}

#[test]
fn every_kind_of_record_fact_error_and_outcome_has_a_sample() {
    let (mut records, mut facts, mut kinds, mut outcomes) =
        (BTreeSet::new(), BTreeSet::from(UNTOLD), BTreeSet::new(), BTreeSet::new());
    for (_, sample) in (1..=VERSION).flat_map(samples) {
        let line = read(&sample).record;
        records.insert(record(&line));
        match &line {
            Record::Event { event } => _ = facts.insert(fact(&event.fact)),
            Record::Settled { settlement: Settlement::Refused(error), .. } => _ = kinds.insert(kind(&error.kind)),
            Record::Ended { ended, .. } => _ = outcomes.insert(outcome(&ended.outcome)),
            _ => {}
        }
    }
    let all = |names: &[&'static str]| names.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(records, all(RECORDS));
    assert_eq!(facts, all(FACTS));
    assert_eq!(kinds, all(KINDS));
    assert_eq!(outcomes, all(OUTCOMES));
}

#[test]
fn a_cause_of_the_first_version_is_the_message_with_all_that_was_glued_to_it() {
    let glued = samples(1).into_iter().filter_map(|(_, sample)| match read(&sample).record {
        Record::Event { event } => match event.fact {
            Fact::ItemRetried { cause, .. } => Some(cause),
            Fact::ItemFinished { cause: Some(cause), first: None, .. } => Some(cause),
            _ => None,
        },
        Record::Ended { ended, .. } => {
            assert_eq!(ended.first, None);
            assert!(!matches!(ended.result, Saved::Thrown(_)));
            None
        }
        _ => None,
    });
    let causes: Vec<_> = glued.collect();
    assert_eq!(causes, ["no quota (hint: ask for more)", "no quota (hint: ask for more)"].map(Into::into));
}
