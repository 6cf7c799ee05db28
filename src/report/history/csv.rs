//! A run as a table for spreadsheets: a row per item, one for the run itself, without a wave, if it did not end well and
//! no item tells why, and one for each VM outside of all items whose source is off.
//!
//! A text that a spreadsheet would take for a formula gets an apostrophe before it, and so does one that begins with an
//! apostrophe: without the first apostrophe every text is as it was.

use crate::event::Cause;
use crate::event::sources::Source;

use super::{Entry, History, machine_time};

const HEAD: [&str; 9] =
    ["wave", "item", "outcome", "attempts", "started", "finished", "seconds", "cause", "source_off"];

/// With a header, in UTF-8, with the line ends of CSV.
pub fn table(history: &History) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut write = |row: [String; 9]| writer.write_record(&row).expect("memory takes what it is given");
    write(HEAD.map(String::from));
    for wave in history.waves() {
        wave.items().for_each(|entry| write(row(&entry)));
    }
    if let Some(cause) = history.shortfall() {
        write(whole(history, cause));
    }
    let waves = history.waves();
    let has_row = |source: &&Source| {
        let same = |entry: Entry<'_>| entry.source_off().is_some_and(|off| off == *source);
        waves.iter().any(|wave| wave.items().any(same))
    };
    history.sources().iter().filter(|source| !has_row(source)).for_each(|source| write(lone(source)));
    let bytes = writer.into_inner().expect("memory takes what it is given");
    String::from_utf8(bytes).expect("it was made of texts")
}

/// The run itself, with one attempt for each process that worked on it.
fn whole(history: &History, cause: Option<&Cause>) -> [String; 9] {
    let empty = history.periods.is_empty();
    let time = |at| if empty { String::new() } else { machine_time(at) };
    [
        String::new(),
        inert(&history.meta.name),
        history.status().to_owned(),
        history.periods.len().to_string(),
        time(history.started()),
        time(history.last()),
        format!("{:.0}", history.worked().as_secs_f64()),
        cause.map(|cause| inert(&cause.with_place())).unwrap_or_default(),
        String::new(),
    ]
}

/// A VM whose source is off outside of all items.
fn lone(source: &Source) -> [String; 9] {
    let mut row = <[String; 9]>::default();
    row[1] = inert(&source.instance);
    row[2] = format!("source {}", source.power.word());
    row[8] = machine_time(source.since);
    row
}

/// The text as a cell that no spreadsheet runs. A plain number stays one.
fn inert(text: &str) -> String {
    let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '\'']);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    if runs && !is_number { format!("'{text}") } else { text.to_owned() }
}

fn row(entry: &Entry<'_>) -> [String; 9] {
    let started = entry.item.started.map(machine_time).unwrap_or_default();
    let finished = entry.track.finished.filter(|_| entry.item.started.is_some()).map(machine_time);
    [
        inert(entry.wave),
        inert(entry.key()),
        entry.standing.word().to_owned(),
        entry.attempts().to_string(),
        started,
        finished.unwrap_or_default(),
        entry.seconds().map(|seconds| format!("{seconds:.0}")).unwrap_or_default(),
        entry.cause().map(|cause| inert(&cause.with_place())).unwrap_or_default(),
        entry.source_off().map(|source| machine_time(source.since)).unwrap_or_default(),
    ]
}
