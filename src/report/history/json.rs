//! A run as one JSON document, for programs. Its shape is stable: fields may be added, but none is removed or changed.
//!
//! ```text
//! { "v": 1,
//!   "run": { "id", "name", "cloud", "arguments": [text], "status", "exit_code" (or null),
//!            "cause", "hint", "place" (each or null), "started", "last", "seconds",
//!            "periods": [{ "from", "to" }], "total", "counts": COUNTS },
//!   "waves": [{ "name", "label", "total", "limit" (or null), "started", "finished" (or null), "stopping" (or null),
//!               "counts": COUNTS, "items": [ITEM] }],
//!   "loose": [{ "label", "spans": [SPAN] }],
//!   "sources_off": [{ "instance", "source", "since", "replica", "execution", "wave", "item" (each or null) }],
//!   "left": [{ "label", "kind", "id", "status" }],
//!   "unsettled": [{ "lane", "request" }],
//!   "gates": [{ "gate", "question", "at", "answer", "by", "answered" (each or null) }],
//!   "notices": [{ "at", "level", "label", "message", "hint" (or null) }] }
//! COUNTS: { "ok", "failed", "skipped", "cancelled", "unknown" }
//! ITEM: { "key", "outcome", "attempts": [{ "number", "started", "finished", "cause", "hint" (each or null) }],
//!         "started", "finished", "seconds", "cause", "hint", "place", "first_cause", "task",
//!         "source_off" (each or null), "spans": [SPAN] }
//! SPAN: { "phase", "name", "from", "to" (or null), "kind", "id", "status" } or { "phase": "pause", "name", "from",
//!         "to", "cause" }
//! ```
//!
//! `status` is `done`, `items failed`, `failed`, `paused`, `needs answer`, `running` or `interrupted`; `outcome` is
//! `ok`, `failed`, `skipped`, `cancelled`, `unknown`, `running`, `unfinished`, `waiting` or `not started`. Times are
//! RFC 3339 in UTC; `limit` is null for jobs; `source_off` is the time since which the source of an item is
//! off, or may be, while its VM does not run at its target; `source` is `off`, `going off` or `may be off`.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event::Cause;
use crate::report::values::json::pretty;

use super::{Entry, History, Span, WaveEntry, What, machine_time};

const VERSION: u32 = 1;

pub fn document(history: &History) -> String {
    let (total, counts) = history.counts();
    let periods = history.periods.iter().map(|(from, to)| json!({"from": time(*from), "to": time(*to)}));
    let left = history.left().map(
        |(label, subject, status)| json!({"label": label, "kind": subject.kind, "id": subject.id, "status": status}),
    );
    let sources = history.sources().iter().map(|source| {
        json!({"instance": source.instance, "source": source.power.word(), "since": time(source.since),
               "replica": source.replica, "execution": source.execution,
               "wave": source.origin.wave, "item": source.origin.item})
    });
    let notices = history.notices.iter().map(|notice| {
        json!({"at": time(notice.at), "level": notice.level, "label": notice.label, "message": notice.message,
               "hint": notice.hint})
    });
    let loose = history.loose.iter().map(|(label, track)| json!({"label": label, "spans": spans(&track.spans)}));
    let unsettled = history.meta.unsettled.iter().map(|(lane, request)| json!({"lane": lane, "request": request}));
    let gates = history.gates.iter().map(|gate| {
        let (answer, by, answered) = match &gate.answer {
            Some((answer, by, at)) => (Some(answer), Some(by), Some(time(*at))),
            None => (None, None, None),
        };
        json!({"gate": gate.gate, "question": gate.question, "at": time(gate.at), "answer": answer, "by": by,
               "answered": answered})
    });
    let document = json!({
        "v": VERSION,
        "run": {
            "id": history.meta.id,
            "name": history.meta.name,
            "cloud": history.cloud,
            "arguments": history.meta.arguments,
            "status": history.status(),
            "exit_code": history.end.map(|end| end.exit_code),
            "cause": history.cause().map(Cause::with_place),
            "hint": history.cause().and_then(|cause| cause.hint.as_deref()),
            "place": history.cause().and_then(|cause| cause.place.as_deref()),
            "started": time(history.started()),
            "last": time(history.last()),
            "seconds": whole(history.worked().as_secs_f64()),
            "periods": periods.collect::<Vec<_>>(),
            "total": total,
            "counts": counts,
        },
        "waves": history.waves().iter().map(wave).collect::<Vec<_>>(),
        "loose": loose.collect::<Vec<_>>(),
        "sources_off": sources.collect::<Vec<_>>(),
        "left": left.collect::<Vec<_>>(),
        "unsettled": unsettled.collect::<Vec<_>>(),
        "gates": gates.collect::<Vec<_>>(),
        "notices": notices.collect::<Vec<_>>(),
    });
    pretty(&document) + "\n"
}

fn wave(wave: &WaveEntry<'_>) -> Value {
    json!({
        "name": wave.name(),
        "label": wave.label,
        "total": wave.total(),
        "limit": wave.limit(),
        "started": time(wave.started()),
        "finished": wave.finished.map(time),
        "stopping": wave.stopping(),
        "counts": wave.counts,
        "items": wave.items().map(|entry| item(&entry)).collect::<Vec<_>>(),
    })
}

fn item(entry: &Entry<'_>) -> Value {
    let attempts = entry.track.attempts.iter().map(|attempt| {
        json!({"number": attempt.number, "started": time(attempt.started), "finished": attempt.finished.map(time),
               "cause": attempt.cause.as_ref().map(Cause::with_place),
               "hint": attempt.cause.as_ref().and_then(|cause| cause.hint.as_deref())})
    });
    let cause = entry.cause();
    json!({
        "key": entry.key(),
        "outcome": entry.standing.word(),
        "attempts": attempts.collect::<Vec<_>>(),
        "started": entry.item.started.map(time),
        "finished": entry.track.finished.filter(|_| entry.item.started.is_some()).map(time),
        "seconds": entry.seconds().map(whole),
        "cause": cause.map(Cause::with_place),
        "hint": cause.and_then(|cause| cause.hint.as_deref()),
        "place": cause.and_then(|cause| cause.place.as_deref()),
        "first_cause": entry.first_cause().map(Cause::with_place),
        "task": entry.failed_task(),
        "source_off": entry.source_off().map(|source| time(source.since)),
        "spans": spans(&entry.track.spans),
    })
}

fn spans(spans: &[Span]) -> Vec<Value> {
    spans.iter().map(span).collect()
}

fn span(span: &Span) -> Value {
    let mut shown = json!({
        "phase": span.phase().word(),
        "name": span.name(),
        "from": time(span.from),
        "to": span.to.map(time),
    });
    match &span.what {
        What::Pause { cause } => shown["cause"] = cause.with_place().into(),
        What::Task { subject, status, .. } => {
            shown["kind"] = subject.kind.as_str().into();
            shown["id"] = subject.id.as_str().into();
            shown["status"] = status.as_str().into();
        }
    }
    shown
}

fn time(at: Timestamp) -> Value {
    machine_time(at).into()
}

/// Seconds to the millisecond.
fn whole(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
