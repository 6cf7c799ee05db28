//! A run in Markdown, for a ticket or a chat: a summary, the failures, the waves.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::count;
use crate::event::Outcome;

use super::{History, text};

pub fn document(history: &History, zone: &TimeZone) -> String {
    let mut out = format!("# Run {}: {}\n\n", inline(&history.meta.id), history.badge());
    let (from, to) = (when(history.started(), zone), when(history.last(), zone));
    let worked = text::duration(history.worked());
    let _ = writeln!(out, "{} on {}, {from} to {to} ({worked})", code(&history.meta.name), inline(&history.cloud));
    if let Some(cause) = history.cause() {
        let _ = writeln!(out, "\n**{}**", inline(&cause.with_place()));
        cause
            .hint
            .as_ref()
            .map_or(Ok(()), |hint| writeln!(out, "\nhint: {}", inline(hint)))
            .expect("memory takes what it is given");
    }
    sources(&mut out, history, zone);
    gates(&mut out, history, zone);
    failures(&mut out, history, zone);
    unsettled(&mut out, history);
    open(&mut out, history, zone);
    waves(&mut out, history);
    left(&mut out, history);
    notices(&mut out, history, zone);
    out
}

/// The sources that are off.
fn sources(out: &mut String, history: &History, zone: &TimeZone) {
    if history.sources().is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## Source off, not deployed: {}\n", history.sources().len());
    for source in history.sources() {
        let (name, power, replica) = (inline(&source.instance), source.power.word(), code(&source.replica));
        let _ = writeln!(out, "- **{name}** {power} since {} (replica {replica})", when(source.since, zone));
    }
}

fn failures(out: &mut String, history: &History, zone: &TimeZone) {
    let waves = history.waves();
    let bad = History::failures(&waves);
    if bad.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## {}\n", count(bad.len(), "failure"));
    for entry in bad {
        let (cause, hint) = entry.why();
        let (key, wave, word) = (inline(entry.key()), inline(entry.wave), entry.standing.word());
        let tries = entry.attempts();
        let _ = writeln!(out, "- **{key}** (wave {wave}) {word} in attempt {tries}: {}", inline(&cause));
        if let Some(hint) = hint {
            let _ = writeln!(out, "  - hint: {}", inline(hint));
        }
        if let Some(first) = entry.first_cause() {
            let _ = writeln!(out, "  - attempt 1: {}", inline(&first.with_place()));
        }
        if let Some(off) = entry.source_off() {
            let _ = writeln!(out, "  - source {} since {}", off.power.word(), when(off.since, zone));
        }
    }
}

/// The gates that the run waits at.
fn gates(out: &mut String, history: &History, zone: &TimeZone) {
    for gate in history.gates.iter().filter(|gate| gate.answer.is_none()) {
        let (name, asked) = (code(&gate.gate), when(gate.at, zone));
        let _ = writeln!(out, "\n**Waits for an answer** to gate {name} since {asked}: {}", inline(&gate.question));
    }
}

fn unsettled(out: &mut String, history: &History) {
    if !history.meta.unsettled.is_empty() {
        out.push_str("\n## Changes of unknown outcome\n\n");
    }
    for (lane, request) in &history.meta.unsettled {
        let _ = writeln!(out, "- {}: {}", inline(lane), code(request));
    }
}

fn open(out: &mut String, history: &History, zone: &TimeZone) {
    let waves = history.waves();
    let open = History::open(&waves);
    if open.is_empty() {
        return;
    }
    let head = if history.meta.alive { "at work" } else { "without an end" };
    let _ = writeln!(out, "\n## {} {head}\n", count(open.len(), "item"));
    for entry in open {
        let seen = entry.last_seen().map_or_else(
            || "nothing was waited for".to_owned(),
            |span| {
                let of = span.subject().map(|subject| format!(" of {} {}", subject.kind, code(&subject.id)));
                format!("{}{} since {}", code(span.name()), of.unwrap_or_default(), when(span.from, zone))
            },
        );
        let _ = writeln!(out, "- **{}** (wave {}): {seen}", inline(entry.key()), inline(entry.wave));
    }
}

fn waves(out: &mut String, history: &History) {
    let waves = history.waves();
    if waves.is_empty() {
        return;
    }
    let heads = Outcome::ALL.map(Outcome::word).join(" | ");
    let _ = writeln!(out, "\n## Waves\n\n| wave | total | {heads} | took |\n|---|---:|---:|---:|---:|---:|---:|---:|");
    for wave in waves {
        let numbers = Outcome::ALL.map(|outcome| wave.counts.get(outcome).to_string()).join(" | ");
        let took = wave
            .finished
            .map_or_else(|| "no end".to_owned(), |finished| text::duration(finished.duration_since(wave.started())));
        let _ = writeln!(out, "| {} | {} | {numbers} | {took} |", inline(&wave.label), wave.total());
    }
}

fn left(out: &mut String, history: &History) {
    let mut left = history.left().peekable();
    if left.peek().is_some() {
        out.push_str("\n## Running on the server when last seen\n\n");
    }
    for (label, subject, status) in left {
        let _ = writeln!(out, "- {}: {} {} {status}", inline(label), subject.kind, code(&subject.id));
    }
}

/// The most warnings that a ticket wants to show.
const WARNINGS: usize = 50;

fn notices(out: &mut String, history: &History, zone: &TimeZone) {
    let all = &history.notices;
    if !all.is_empty() {
        let _ = writeln!(out, "\n## {}\n", count(all.len(), "warning"));
    }
    for notice in all.iter().take(WARNINGS) {
        let label = if notice.label.is_empty() { String::new() } else { format!("**{}** ", inline(&notice.label)) };
        let _ = writeln!(out, "- {} {label}{}", when(notice.at, zone), inline(&notice.message));
    }
    if all.len() > WARNINGS {
        let _ = writeln!(out, "- and {} more", all.len() - WARNINGS);
    }
}

fn when(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// Text from outside on one line, in which nothing is markup.
fn inline(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text::one_line(text).chars() {
        if matches!(letter, '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '&') {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe
}

/// As code: only the quote itself needs care.
fn code(text: &str) -> String {
    format!("`{}`", text::one_line(text).replace('`', "'"))
}
