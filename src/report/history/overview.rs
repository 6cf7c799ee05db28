//! A run for a terminal: a few lines for the run, then a row per item.
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::event::Cause;
use crate::report::live::summary::{NOT_DEPLOYED, source_name};
use crate::report::values::table;

use super::{Entry, History, text};

impl History {
    /// The run as text, in at most `width` columns where possible.
    pub fn overview(&self, zone: &TimeZone, width: usize) -> String {
        let mut parts = vec![head(self, zone)];
        if !self.sources().is_empty() {
            let names = self.sources().iter().map(|source| {
                format!("  {}  since {}  replica {}", source_name(source), when(source.since, zone), source.replica)
            });
            let head = format!("{NOT_DEPLOYED}: {}", self.sources().len());
            parts.push([head].into_iter().chain(names).collect::<Vec<_>>().join("\n"));
        }
        for gate in self.gates.iter().filter(|gate| gate.answer.is_none()) {
            let (name, question) = (text::one_line(&gate.gate), text::one_line(&gate.question));
            parts.push(format!("waits for an answer to gate {name}: {question}"));
        }
        let waves = self.waves();
        let rows: Vec<Value> = waves.iter().flat_map(|wave| wave.items()).map(|entry| row(&entry, zone)).collect();
        if !rows.is_empty() {
            parts.push(table::render(&rows.into(), width));
        }
        if !self.meta.unsettled.is_empty() {
            let lines =
                self.meta.unsettled.iter().map(|(lane, request)| text::one_line(&format!("  {lane}  {request}")));
            let head = "these may or may not have been applied:".to_owned();
            parts.push([head].into_iter().chain(lines).collect::<Vec<_>>().join("\n"));
        }
        parts.extend(History::failures(&waves).iter().map(failure));
        let left: Vec<String> = self
            .left()
            .map(|(label, subject, status)| {
                text::one_line(&format!("  {label}  {} {}  {status}", subject.kind, subject.id))
            })
            .collect();
        if !left.is_empty() {
            parts.push(format!("running on the server when last seen:\n{}", left.join("\n")));
        }
        parts.join("\n\n")
    }
}

fn head(history: &History, zone: &TimeZone) -> String {
    let (from, to) = (when(history.started(), zone), when(history.last(), zone));
    let head = format!("run {}  {}  {}", history.meta.id, history.meta.name, history.badge());
    let took = text::duration(history.worked());
    let parts = match history.periods.len() {
        0 | 1 => String::new(),
        parts => format!(", in {parts} parts"),
    };
    let why = history.cause().map_or_else(String::new, |cause| {
        let hint = cause.hint.as_ref().map(|hint| format!("\nhint: {}", text::printable(hint))).unwrap_or_default();
        format!("\n{}{hint}", text::printable(&cause.with_place()))
    });
    format!(
        "{}\n{}\n{from} to {to} ({took} of work{parts}){why}",
        text::one_line(&head),
        text::one_line(&history.cloud)
    )
}

fn failure(entry: &Entry<'_>) -> String {
    let (cause, hint) = entry.why();
    let (key, word) = (text::one_line(entry.key()), entry.standing.word().to_uppercase());
    let hint = hint.map(|hint| format!("\n  hint: {}", text::one_line(hint))).unwrap_or_default();
    let cause = text::printable(&cause).replace('\n', "\n  ");
    let first = entry.first_cause().map(|first| format!("\n  attempt 1: {}", text::one_line(&first.with_place())));
    format!("{word}  {}/{key}\n  {cause}{hint}{}", text::one_line(entry.wave), first.unwrap_or_default())
}

fn row(entry: &Entry<'_>, zone: &TimeZone) -> Value {
    let took = entry.seconds().map_or_else(|| "-".to_owned(), text::seconds);
    let what = match (entry.failed_task(), entry.last_seen()) {
        (_, Some(span)) if entry.standing.is_open() => format!("{} since {}", span.name(), when(span.from, zone)),
        (Some(task), _) => task.to_owned(),
        _ => entry.cause().map(Cause::with_place).unwrap_or_default(),
    };
    json!({
        "item": text::one_line(entry.key()),
        "wave": text::one_line(entry.wave),
        "outcome": entry.standing.word(),
        "tries": entry.attempts(),
        "took": took,
        "what": text::one_line(&what),
    })
}

fn when(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
