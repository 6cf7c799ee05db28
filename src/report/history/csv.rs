//! A run as a table for spreadsheets: a row per item.

use crate::event::Cause;

use super::{Entry, History, machine_time};

const HEAD: [&str; 8] = ["wave", "item", "outcome", "attempts", "started", "finished", "seconds", "cause"];

/// With a head, in UTF-8, lines ended as CSV wants it.
pub fn table(history: &History) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut write = |row: [String; 8]| writer.write_record(&row).expect("memory takes what it is given");
    write(HEAD.map(String::from));
    for wave in history.waves() {
        wave.items().for_each(|entry| write(row(&entry)));
    }
    let bytes = writer.into_inner().expect("memory takes what it is given");
    String::from_utf8(bytes).expect("it was made of texts")
}

fn row(entry: &Entry<'_>) -> [String; 8] {
    let started = entry.item.started.map(machine_time).unwrap_or_default();
    let finished = entry.track.finished.filter(|_| entry.item.started.is_some()).map(machine_time);
    [
        entry.wave.to_owned(),
        entry.key().to_owned(),
        entry.standing.word().to_owned(),
        entry.attempts().to_string(),
        started,
        finished.unwrap_or_default(),
        entry.seconds().map(|seconds| format!("{seconds:.0}")).unwrap_or_default(),
        entry.cause().map(Cause::told).unwrap_or_default(),
    ]
}
