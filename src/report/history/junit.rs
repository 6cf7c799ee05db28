//! A run for CI servers: a suite per wave, a case per item, and a case for the run itself if it did not end well and no
//! item tells why.

use std::borrow::Cow;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use crate::event::{Cause, Outcome};

use super::{Attempt, Entry, History, Standing, WaveEntry, machine_time};

pub fn document(history: &History) -> String {
    let mut report = Report::new(legible(&history.meta.name));
    report.set_time(history.worked().unsigned_abs());
    report.add_test_suites(history.waves().iter().map(|wave| suite(history, wave)));
    report.add_test_suites(whole(history));
    report.add_test_suites(sources(history));
    report.to_string().expect("memory takes what it is given")
}

/// The run itself: an error if it did not end well and no item tells why, skipped while it is running.
fn whole(history: &History) -> Option<TestSuite> {
    let status = match history.shortfall() {
        Some(cause) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            let message = cause.map_or_else(|| format!("the run is {}", history.status()), Cause::with_place);
            status.set_message(legible(&message));
            status.set_type(history.status());
            if let Some(hint) = cause.and_then(|cause| cause.hint.as_ref()) {
                status.set_description(legible(&format!("{message}\nhint: {hint}")));
            }
            status
        }
        None if history.meta.alive => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("the run is still running");
            status
        }
        None => return None,
    };
    let mut case = TestCase::new(legible(&history.meta.name), status);
    case.set_classname("run");
    case.set_time(history.worked().unsigned_abs());
    let mut suite = TestSuite::new("run");
    suite.set_time(history.worked().unsigned_abs());
    suite.add_property(("run", &*legible(&history.meta.id)));
    suite.add_test_case(case);
    Some(suite)
}

/// A failure for each source that is off.
fn sources(history: &History) -> Option<TestSuite> {
    if history.sources().is_empty() {
        return None;
    }
    let mut suite = TestSuite::new("sources");
    suite.add_test_cases(history.sources().iter().map(|source| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let (power, since) = (source.power.word(), machine_time(source.since));
        status.set_message(format!("source {power} since {since}, and the VM is not deployed"));
        status.set_type("source off");
        let mut case = TestCase::new(legible(&source.instance), status);
        case.set_classname("sources");
        case
    }));
    Some(suite)
}

/// The text with characters that XML cannot hold, not even escaped, written as in Rust: `\u{1b}`.
fn legible(text: &str) -> Cow<'_, str> {
    let fits = |letter: char| {
        matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
            && u32::from(letter) & 0xfffe != 0xfffe
    };
    if text.chars().all(fits) {
        return Cow::Borrowed(text);
    }
    let mut legible = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if fits(letter) { legible.push(letter) } else { legible.extend(letter.escape_unicode()) }
    }
    Cow::Owned(legible)
}

fn suite(history: &History, wave: &WaveEntry<'_>) -> TestSuite {
    let mut suite = TestSuite::new(legible(&wave.label));
    let end = wave.finished.unwrap_or_else(|| history.last());
    suite.set_time(end.duration_since(wave.started()).unsigned_abs());
    suite.add_property(("run", &*legible(&history.meta.id)));
    suite.add_property(("started", machine_time(wave.started()).as_str()));
    suite.add_test_cases(wave.items().map(|entry| case(&entry)));
    suite
}

fn case(entry: &Entry<'_>) -> TestCase {
    let mut case = TestCase::new(legible(entry.key()), status(entry));
    case.set_classname(legible(entry.wave));
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
            status.set_message(legible(&cause));
            status.set_type(legible(entry.failed_task().unwrap_or(entry.standing.word())));
            if let Some(hint) = hint {
                status.set_description(legible(&format!("{cause}\nhint: {hint}")));
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
    rerun.set_message(legible(&attempt.cause.as_ref().map_or("cause unknown".to_owned(), Cause::with_place)));
    if let Some(finished) = attempt.finished {
        rerun.set_time(finished.duration_since(attempt.started).unsigned_abs());
    }
    rerun
}
