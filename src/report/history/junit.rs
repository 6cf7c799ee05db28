//! A run as CI servers read it: a suite per wave, a case per item.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use crate::event::{Cause, Outcome};

use super::{Attempt, Entry, History, Standing, WaveEntry, machine_time};

pub fn document(history: &History) -> String {
    let mut report = Report::new(history.meta.name.as_str());
    report.set_time(history.worked().unsigned_abs());
    report.add_test_suites(history.waves().iter().map(|wave| suite(history, wave)));
    report.to_string().expect("memory takes what it is given")
}

fn suite(history: &History, wave: &WaveEntry<'_>) -> TestSuite {
    let mut suite = TestSuite::new(wave.label.as_str());
    let end = wave.finished.unwrap_or_else(|| history.last());
    suite.set_time(end.duration_since(wave.started()).unsigned_abs());
    suite.add_property(("run", history.meta.id.as_str()));
    suite.add_property(("started", machine_time(wave.started()).as_str()));
    suite.add_test_cases(wave.items().map(|entry| case(&entry)));
    suite
}

fn case(entry: &Entry<'_>) -> TestCase {
    let mut case = TestCase::new(entry.key(), status(entry));
    case.set_classname(entry.wave);
    if let Some(seconds) = entry.seconds() {
        case.set_time(Duration::from_secs_f64(seconds.max(0.0)));
    }
    case
}

fn status(entry: &Entry<'_>) -> TestCaseStatus {
    let (cause, hint) = entry.why();
    let earlier = entry.track.attempts.split_last().map_or(&[][..], |(_, earlier)| earlier);
    let mut status = match entry.standing {
        Standing::Ended(Outcome::Ok) => TestCaseStatus::success(),
        Standing::Ended(Outcome::Failed) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Standing::Ended(Outcome::Unknown) | Standing::Unfinished => TestCaseStatus::non_success(NonSuccessKind::Error),
        _ => TestCaseStatus::skipped(),
    };
    match entry.standing {
        Standing::Ended(Outcome::Ok) => {
            status.add_reruns(earlier.iter().map(rerun));
        }
        Standing::Ended(_) => {
            status.set_message(cause.as_str());
            status.set_type(entry.failed_task().unwrap_or(entry.standing.word()));
            if let Some(hint) = hint {
                status.set_description(format!("{cause}\nhint: {hint}"));
            }
            if entry.standing.is_bad() {
                status.add_reruns(earlier.iter().map(rerun));
            }
        }
        standing => {
            status.set_message(standing.word());
        }
    }
    status
}

/// An attempt that failed before the last one.
fn rerun(attempt: &Attempt) -> TestRerun {
    let mut rerun = TestRerun::new(NonSuccessKind::Failure);
    rerun.set_message(attempt.cause.as_ref().map_or("no cause is known".to_owned(), Cause::told));
    if let Some(finished) = attempt.finished {
        rerun.set_time(finished.duration_since(attempt.started).unsigned_abs());
    }
    rerun
}
