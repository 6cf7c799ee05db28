//! A run as one self-contained page: the failures first, then the waves over time, then every item.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::error::count;
use crate::event::{Cause, Level, Outcome};

use super::{Attempt, Entry, History, Standing, WaveEntry, text, timeline};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Nothing is loaded from anywhere, whatever the name of a VM.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

pub fn page(history: &History, zone: &TimeZone) -> String {
    let waves = history.waves();
    let title = format!("Run {}: {}", history.meta.id, history.badge());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (timeline::patterns())
                (head(history, zone))
                main {
                    (sources(history, zone))
                    (gates(history, zone))
                    (failures(&waves, zone))
                    (unsettled(history))
                    (open(history, &waves, zone))
                    (left(history))
                    (pictures(history, &waves, zone))
                    (table(&waves, zone))
                    (notices(history, zone))
                }
                footer { "Made by coriolis-run " (env!("CARGO_PKG_VERSION")) ". Times are in " (zone_word(history, zone)) "." }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string() + "\n"
}

fn head(history: &History, zone: &TimeZone) -> Markup {
    let (total, counts) = history.counts();
    let class = match history.end.map(|end| end.exit_code) {
        Some(0) => "good",
        Some(6 | 8) | None => "odd",
        Some(_) => "bad",
    };
    let begun = |outcome: &Outcome| counts.get(*outcome) > 0 || matches!(outcome, Outcome::Ok | Outcome::Failed);
    let ends = counts.total();
    html! {
        header {
            h1 { "Run " (history.meta.id) " " span class=(format!("status {class}")) { (history.badge()) } }
            p {
                (history.meta.name) " on " (history.cloud)
                @if !history.meta.arguments.is_empty() { ", with " code { (history.meta.arguments.join(" ")) } }
            }
            p {
                (date(history.started(), zone)) " to " (date(history.last(), zone)) ", "
                (text::duration(history.worked())) " of work"
                @if history.periods.len() > 1 { " in " (history.periods.len()) " parts" }
                @if let Some(end) = history.end { ", exit code " (end.exit_code) }
            }
            @if let Some(cause) = history.cause() {
                p .why { span class=(class) { (cause.with_place()) } @if let Some(hint) = &cause.hint { br; "what to do: " (hint) } }
            }
            @if total > 0 {
                ul .counts {
                    li { b { (total) } @if total == 1 { "item" } @else { "items" } }
                    @for outcome in Outcome::ALL.iter().filter(|outcome| begun(outcome)) {
                        li { b { (counts.get(*outcome)) } (outcome.word()) }
                    }
                    @if total > ends { li { b { (total - ends) } "without an end" } }
                }
            }
        }
    }
}

fn sources(history: &History, zone: &TimeZone) -> Markup {
    html! {
        @if !history.sources().is_empty() {
            section #sources {
                h2 { "Source off, not deployed: " (history.sources().len()) }
                ul {
                    @for source in history.sources() {
                        li {
                            b { (source.instance) } " " span .bad { (source.power.word()) } " since " (date(source.since, zone))
                            ", replica " code { (source.replica) }
                        }
                    }
                }
            }
        }
    }
}

fn failures(waves: &[WaveEntry<'_>], zone: &TimeZone) -> Markup {
    let bad = History::failures(waves);
    html! {
        @if !bad.is_empty() {
            section #failures {
                h2 { (count(bad.len(), "failure")) }
                @for entry in &bad { (failure(entry, zone)) }
            }
        }
    }
}

fn failure(entry: &Entry<'_>, zone: &TimeZone) -> Markup {
    let (cause, hint) = entry.why();
    let earlier = entry.track.attempts.split_last().map_or(&[][..], |(_, earlier)| earlier);
    html! {
        article {
            h3 { span .bad { (entry.standing.word()) } " " (entry.key()) " in wave " (entry.wave) }
            dl {
                dt { "cause" } dd { (cause) }
                @if let Some(task) = entry.failed_task() { dt { "failed task" } dd { code { (task) } } }
                @if let Some(hint) = hint { dt { "what to do" } dd { (hint) } }
                @if let Some(off) = entry.source_off() {
                    dt { "source" } dd { strong { (off.power.word()) } " since " (date(off.since, zone)) ", and its VM does not run at its target" }
                }
                @if let Some(finished) = entry.track.finished { dt { "when" } dd { (date(finished, zone)) } }
                dt { "attempts" }
                dd { (entry.attempts()) @if !earlier.is_empty() { (attempts(earlier, zone)) } }
            }
        }
    }
}

fn attempts(attempts: &[Attempt], zone: &TimeZone) -> Markup {
    html! {
        ol {
            @for attempt in attempts {
                li value=(attempt.number) {
                    (date(attempt.started, zone)) ": " (attempt.cause.as_ref().map_or("cause unknown".to_owned(), Cause::with_place))
                }
            }
        }
    }
}

/// The gates of the run, with their answers.
fn gates(history: &History, zone: &TimeZone) -> Markup {
    html! {
        @if !history.gates.is_empty() {
            section #gates {
                h2 { "Gates" }
                ul {
                    @for gate in &history.gates {
                        li {
                            (gate.question) " (" (gate.gate) ", " (date(gate.at, zone)) "): "
                            @match &gate.answer {
                                Some((answer, by, at)) => { strong { (answer) } ", by " (by) ", " (date(*at, zone)) }
                                None => { strong .bad { "waits for an answer" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn unsettled(history: &History) -> Markup {
    html! {
        @if !history.meta.unsettled.is_empty() {
            section #unsettled {
                h2 { "Changes of unknown outcome" }
                ul { @for (lane, request) in &history.meta.unsettled { li { (lane) ": " code { (request) } } } }
            }
        }
    }
}

/// Items that were begun and have no end.
fn open(history: &History, waves: &[WaveEntry<'_>], zone: &TimeZone) -> Markup {
    let open = History::open(waves);
    let head = if history.meta.alive { "at work" } else { "without an end" };
    html! {
        @if !open.is_empty() {
            section #open {
                h2 { (count(open.len(), "item")) " " (head) }
                @for entry in &open {
                    article .odd {
                        h3 { (entry.key()) " in wave " (entry.wave) }
                        dl {
                            dt { "attempt" } dd { (entry.attempts()) }
                            @if let Some(span) = entry.last_seen() {
                                dt { "last seen at" } dd {
                                    code { (span.name()) }
                                    @if let Some(subject) = span.subject() { " of " (subject.kind) " " code { (subject.id) } }
                                    " since " (date(span.from, zone))
                                }
                            }
                            @if let Some(cause) = entry.cause() { dt { "failed before" } dd { (cause.with_place()) } }
                        }
                    }
                }
            }
        }
    }
}

fn left(history: &History) -> Markup {
    let left: Vec<_> = history.left().collect();
    html! {
        @if !left.is_empty() {
            section #left {
                h2 { "Running on the server when last seen" }
                ul { @for (label, subject, status) in left { li { (label) ": " (subject.kind) " " code { (subject.id) } " " (status) } } }
            }
        }
    }
}

fn pictures(history: &History, waves: &[WaveEntry<'_>], zone: &TimeZone) -> Markup {
    let overview = timeline::overview(history, waves, zone);
    let loose = timeline::loose(history, zone);
    html! {
        @if !waves.is_empty() || loose.is_some() {
            section #waves {
                h2 { "Waves over time" }
                (timeline::legend())
                @if let Some(overview) = overview { figure { figcaption { h3 { "All waves" } } (overview) } }
                @for wave in waves {
                    figure { figcaption { (caption(history, wave)) } @if let Some(picture) = timeline::wave(history, wave, zone) { (picture) } }
                }
                @if let Some(loose) = loose { figure { figcaption { h3 { "Outside all waves" } } (loose) } }
            }
        }
    }
}

fn caption(history: &History, wave: &WaveEntry<'_>) -> Markup {
    let took = wave.finished.unwrap_or_else(|| history.last()).duration_since(wave.started());
    let ends = Outcome::ALL.into_iter().filter(|outcome| wave.counts.get(*outcome) > 0);
    let ends: Vec<String> = ends.map(|outcome| format!("{} {}", wave.counts.get(outcome), outcome.word())).collect();
    html! {
        h3 { (wave.label) }
        @if wave.total() == 0 {
            "no items"
        } @else {
            (count(wave.total(), "item"))
            @match wave.limit() { Some(limit) => { ", " (limit) " at a time: " }, None => " in the background: " }
            @if ends.is_empty() { "none has ended" } @else { (ends.join(", ")) }
        }
        ", " (text::duration(took))
        @if wave.finished.is_none() {
            span .odd { @if wave.limit().is_some() { ", the wave has no end" } @else { ", not all have an end" } }
        }
        @if let Some(reason) = wave.stopping() { span .odd { ", nothing new was started: " (reason) } }
    }
}

fn table(waves: &[WaveEntry<'_>], zone: &TimeZone) -> Markup {
    html! {
        @if !waves.is_empty() {
            section #items {
                h2 { "Every item" }
                table .sortable {
                    thead {
                        tr {
                            th scope="col" { "wave" } th scope="col" { "item" } th scope="col" { "outcome" }
                            th .number scope="col" { "attempts" } th scope="col" { "started" } th scope="col" { "finished" }
                            th .number scope="col" { "took" } th scope="col" { "cause" }
                        }
                    }
                    tbody { @for wave in waves { @for entry in wave.items() { (item(&entry, zone)) } } }
                }
            }
        }
    }
}

fn item(entry: &Entry<'_>, zone: &TimeZone) -> Markup {
    let class = match entry.standing {
        Standing::Ended(Outcome::Ok) => "good",
        standing if standing.is_bad() => "bad",
        _ => "odd",
    };
    let finished = entry.track.finished.filter(|_| entry.item.started.is_some());
    html! {
        tr .item {
            td { (entry.wave) } td { (entry.key()) } td class=(class) { (entry.standing.word()) }
            td .number { (entry.attempts()) }
            (moment(entry.item.started, zone))
            (moment(finished, zone))
            @match entry.seconds() {
                Some(seconds) => { td .number data-sort=(format!("{seconds:.0}")) { (text::seconds(seconds)) } }
                None => { td .number data-sort="" { "" } }
            }
            td { @if let Some(cause) = entry.cause() { (cause.with_place()) } }
        }
    }
}

fn moment(at: Option<Timestamp>, zone: &TimeZone) -> Markup {
    html! {
        @match at {
            Some(at) => { td .time data-sort=(at.as_second()) { (short(at, zone)) } }
            None => { td .time data-sort="" { "" } }
        }
    }
}

fn notices(history: &History, zone: &TimeZone) -> Markup {
    html! {
        @if !history.notices.is_empty() {
            section #notices {
                h2 { "Warnings" }
                table {
                    tbody {
                        @for notice in &history.notices {
                            tr {
                                td .time { (short(notice.at, zone)) }
                                td { @if notice.level == Level::Error { span .bad { "error" } } @else { "warning" } }
                                td { (notice.label) }
                                td { (notice.message) @if let Some(hint) = &notice.hint { br; "what to do: " (hint) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn date(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn short(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%m-%d %H:%M:%S").to_string()
}

/// The zone at the run's beginning, by its name and its offset.
fn zone_word(history: &History, zone: &TimeZone) -> String {
    let zoned = history.started().to_zoned(zone.clone());
    match zone.iana_name() {
        Some("UTC") | None => zoned.strftime("%Z").to_string(),
        Some(name) => format!("{name} ({})", zoned.strftime("%:z")),
    }
}
