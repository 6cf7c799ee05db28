//! Facts in words: the messages for people beside the picture.
use jiff::tz::TimeZone;

use crate::error::count;
use crate::event::sources::Sources;
use crate::event::{Cause, Counts, CutoverEnd, Event, Fact, Level, Outcome};
use crate::model::Power;
use crate::report::streams::paint::{Line, Tone};
use crate::report::streams::text;

use super::board::Board;
use super::item::Leg;
use super::picture;
use super::summary::{NOT_DEPLOYED, source_name};

/// As many VMs are named in one list.
const LISTED: usize = 10;

/// The importance of a message; a view shows those from some weight on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// For those who want every change.
    Detail,
    /// The ordinary course: for a log, not above bars that show the same.
    Course,
    /// Worth a line in any view.
    News,
    /// Shown even if quiet was asked for.
    Alarm,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub weight: Weight,
    pub tone: Tone,
    /// `FAILED`, or empty.
    pub head: &'static str,
    /// The wave and the item, or empty.
    pub label: String,
    /// May have several lines.
    pub text: String,
}

impl Message {
    fn new(weight: Weight, label: String, text: impl Into<String>) -> Self {
        let tone = if weight <= Weight::Course { Tone::Quiet } else { Tone::Plain };
        Self { weight, tone, head: "", label, text: text.into() }
    }

    fn headed(self, tone: Tone, head: &'static str) -> Self {
        Self { tone, head, ..self }
    }

    /// `FAILED  seed/db-07  attempt 3 of 3: ...`, further lines indented.
    pub fn lines(&self) -> Vec<Line> {
        let body = text::printable(&self.text);
        let mut body = body.lines();
        let mut first = Line::default();
        if !self.head.is_empty() {
            first = first.with(self.tone, self.head).with(Tone::Plain, "  ");
        }
        if !self.label.is_empty() {
            first = first.with(Tone::Strong, self.label.clone()).with(Tone::Plain, "  ");
        }
        let tone = if self.head.is_empty() { self.tone } else { Tone::Plain };
        let first = first.with(tone, body.next().unwrap_or_default());
        [first].into_iter().chain(body.map(|line| Line::default().with(Tone::Plain, format!("  {line}")))).collect()
    }
}

/// The message for `event`, which `board` has already applied.
pub fn message(board: &Board, event: &Event, zone: &TimeZone) -> Option<Message> {
    let label = board.label(&event.origin);
    let message = |weight, text: String| Some(Message::new(weight, label.clone(), text));
    match &event.fact {
        Fact::RunStarted { runbook: Some(runbook), cloud } => {
            message(Weight::News, format!("run {runbook} on {cloud}"))
        }
        Fact::CloudFound { generation, url } => {
            message(Weight::Course, format!("{url} speaks the {} generation", generation.word()))
        }
        Fact::WaveStarted { name, total: 0, .. } if name != "each" => {
            let text = "no items: nothing to do".to_owned();
            Some(Message::new(Weight::Alarm, wave_label(board, event, name), text).headed(Tone::Warning, "WARNING"))
        }
        Fact::WaveStarted { name, total, limit, .. } => {
            let weight = wave_weight(event, name);
            let text = format!("{}, {limit} at a time", count(*total, "item"));
            Some(Message::new(weight, wave_label(board, event, name), text))
        }
        Fact::WaveStopping { name, reason } => {
            let text = format!("nothing new starts: {reason}");
            Some(Message::new(Weight::News, wave_label(board, event, name), text).headed(Tone::Warning, "STOPPING"))
        }
        Fact::WaveFinished { name, counts, elapsed_seconds } => {
            let weight = wave_weight(event, name);
            let text = format!("finished in {}: {}", text::seconds(*elapsed_seconds), tally(counts));
            Some(Message::new(weight, wave_label(board, event, name), text))
        }
        Fact::ItemStarted { attempt: 0 | 1 } => message(Weight::Detail, "started".to_owned()),
        Fact::ItemStarted { attempt } => message(Weight::Detail, format!("attempt {attempt} started")),
        Fact::ItemRetried { attempt, attempts, cause, next } => {
            let text = retry("attempt", *attempt, *attempts, &text::time(*next, zone), cause);
            Some(Message::new(Weight::News, label, text).headed(Tone::Warning, "RETRY"))
        }
        Fact::UnitRetried { function, attempt, attempts, cause, next } => {
            let text = retry(&format!("{function}, attempt"), *attempt, *attempts, &text::time(*next, zone), cause);
            Some(Message::new(Weight::News, label, text).headed(Tone::Warning, "RETRY"))
        }
        Fact::ItemFinished { earlier: true, .. } => None,
        Fact::ItemFinished { outcome, attempts, elapsed_seconds, cause, first, .. } => {
            Some(ended(board, event, label, *outcome, *attempts, *elapsed_seconds, (cause.as_ref(), first.as_ref())))
        }
        Fact::WaitFinished { subject, status, elapsed_seconds, .. } => {
            let text = format!("{} {status} after {}", subject.kind, text::seconds(*elapsed_seconds));
            Some(match board.place(&event.origin).map(|place| board.item(place).newest_leg(event.at)) {
                Some(Some(leg)) => Message::new(Weight::Course, label, part_done(leg)),
                Some(None) => Message::new(Weight::Detail, label, text),
                None => Message::new(Weight::Course, text::one_line(&subject.label), text),
            })
        }
        Fact::RequestRetried { method, path, cause, next } => {
            let text = format!("{method} {path} is repeated at {}: {}", text::time(*next, zone), with_hint(cause));
            Some(Message::new(Weight::Detail, label, text).headed(Tone::Warning, "RETRY"))
        }
        Fact::CloudAway { cause, since, until } => {
            let (silent, until) = (event.at.duration_since(*since), text::time(*until, zone));
            let silent = if silent.as_secs() < 1 { String::new() } else { format!(" for {}", text::duration(silent)) };
            let text = format!("no answer from the cloud{silent}, trying until {until}: {}", with_hint(cause));
            Some(Message::new(Weight::News, String::new(), text).headed(Tone::Warning, "AWAY"))
        }
        Fact::CloudBack { after_seconds } => {
            let text = format!("the cloud answers again, after {}", text::seconds(*after_seconds));
            Some(Message::new(Weight::News, String::new(), text).headed(Tone::Plain, "BACK"))
        }
        Fact::Logged { level, message, hint } => logged(*level, label, &advised(message, hint.as_deref())),
        Fact::StopRequested { now } => Some(stopping(*now, board.sources.cutovers())),
        Fact::RunResumed { run, calls, after } => {
            let message = resumed(run, *calls, after.as_deref());
            Some(match off_since(&board.sources, zone) {
                None => message,
                Some(off) => Message { weight: Weight::Alarm, text: format!("{off}\n{}", message.text), ..message }
                    .headed(Tone::Bad, NOT_DEPLOYED),
            })
        }
        Fact::CutoverEntered { .. } => message(Weight::Detail, "cutover begun".to_owned()),
        Fact::CutoverEnded { end, .. } => match end {
            CutoverEnd::Verified => message(Weight::Course, "cutover done".to_owned()),
            CutoverEnd::RolledBack => message(Weight::News, "cutover rolled back: the source is on".to_owned()),
            CutoverEnd::Failed => message(Weight::News, "cutover failed".to_owned()),
        },
        Fact::SourceChanged { instance, power, by, .. } => source(label, instance, *power, by.as_deref()),
        Fact::GateReached { gate, question } => {
            let text = format!("gate {gate}: {}", text::one_line(question));
            Some(Message::new(Weight::News, label, text).headed(Tone::Warning, "ASKED"))
        }
        Fact::GateAnswered { gate, answer, by } => {
            let text = format!("gate {gate}: {} answered {}", text::one_line(by), text::one_line(answer));
            Some(Message::new(Weight::News, label, text))
        }
        Fact::SandboxTold { running_twice, stale, half_copied, sources_off } => {
            let text = truth([running_twice, stale, half_copied, sources_off]);
            Some(Message::new(Weight::Alarm, String::new(), text).headed(Tone::Warning, "SANDBOX"))
        }
        _ => None,
    }
}

/// A loop inside an item is a detail of it.
fn wave_weight(event: &Event, name: &str) -> Weight {
    match (name, &event.origin.item) {
        ("each", Some(_)) => Weight::Detail,
        ("each", None) => Weight::Course,
        _ => Weight::News,
    }
}

/// `first copy done in 39m, 40 GB`
fn part_done(leg: &Leg) -> String {
    let size = leg.bytes.map(|bytes| format!(", {}", text::bytes(bytes))).unwrap_or_default();
    format!("{} done in {}{size}", leg.part.word(), text::seconds(leg.seconds))
}

/// A line for each thing that is wrong in the sandbox, with the VMs.
fn truth([twice, stale, half, off]: [&Vec<String>; 4]) -> String {
    let line = |list: &[String], [one, several]: [&str; 2]| {
        let words = if list.len() == 1 { one } else { several };
        format!("{} {words}: {}", list.len(), text::one_line(&some_of(list)))
    };
    let found = [
        (twice, ["VM runs twice", "VMs run twice"]),
        (stale, ["VM booted stale data", "VMs booted stale data"]),
        (half, ["VM booted half copied data", "VMs booted half copied data"]),
        (off, ["source is off without a machine on the target", "sources are off without a machine on the target"]),
    ];
    let wrong = found.into_iter().filter(|(list, _)| !list.is_empty());
    wrong.map(|(list, words)| line(list, words)).collect::<Vec<_>>().join("\n")
}

/// The first of the names, and the number of the others.
pub(super) fn some_of(names: &[String]) -> String {
    match names.split_at_checked(LISTED) {
        Some((first, rest)) if !rest.is_empty() => format!("{} and {} more", first.join(", "), rest.len()),
        _ => names.join(", "),
    }
}

fn source(label: String, instance: &str, power: Power, by: Option<&str>) -> Option<Message> {
    let name = text::one_line(instance);
    let by = by.map(|by| format!(", says {}", text::one_line(by))).unwrap_or_default();
    let message = |weight, text: String| Some(Message::new(weight, label.clone(), text));
    match power {
        Power::Off => message(Weight::Course, format!("the source of {name} is off")),
        Power::On => message(Weight::News, format!("the source of {name} is on{by}")),
        Power::Unclear => message(Weight::News, format!("the source of {name} may be off: its shutdown was cut short"))
            .map(|message| message.headed(Tone::Warning, "SOURCE")),
        Power::GoingOff | Power::Deployed | Power::Moved => None,
    }
}

/// `db-07 since 22:58:10, db-11 (may be off) since 23:01:00`; `None` if no source is off.
fn off_since(sources: &Sources, zone: &TimeZone) -> Option<String> {
    let name = |source| format!("{} since {}", source_name(source), text::time(source.since, zone));
    (!sources.is_empty()).then(|| sources.iter().map(name).collect::<Vec<_>>().join(", "))
}

fn resumed(run: &str, calls: usize, after: Option<&str>) -> Message {
    let calls = crate::error::count(calls, "call");
    let after = after.map(|who| format!(", which {who} left behind")).unwrap_or_default();
    Message::new(Weight::News, String::new(), format!("going on with run {run}{after}: {calls} done before"))
}

/// The name of a wave, behind the item in which it was opened.
fn wave_label(board: &Board, event: &Event, name: &str) -> String {
    let outer = match event.origin.item {
        Some(_) => board.label(&event.origin),
        None => String::new(),
    };
    let name = text::one_line(name);
    if outer.is_empty() { name } else { format!("{outer}/{name}") }
}

fn retry(what: &str, attempt: u32, attempts: u32, next: &str, cause: &Cause) -> String {
    format!("{what} {attempt} of {attempts} at {next}, after: {}", with_hint(cause))
}

/// The message with its place, and the hint on a line of its own.
fn with_hint(cause: &Cause) -> String {
    advised(&cause.with_place(), cause.hint.as_deref())
}

fn advised(text: &str, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{text}\nhint: {hint}"),
        None => text.to_owned(),
    }
}

fn ended(
    board: &Board,
    event: &Event,
    label: String,
    outcome: Outcome,
    attempts: u32,
    elapsed_seconds: f64,
    (cause, first): (Option<&Cause>, Option<&Cause>),
) -> Message {
    let unknown = Cause::from("cause unknown");
    let cause = cause.unwrap_or(&unknown);
    let item = board.place(&event.origin).map(|place| board.item(place));
    let (tries, allowed) = item.map_or((attempts, attempts), |item| (item.tries.max(attempts), item.attempts));
    let most = allowed.max(tries);
    let first = first.map(|first| format!("\nattempt 1: {}", first.with_place())).unwrap_or_default();
    let failure = format!("attempt {tries} of {most}: {}{first}", with_hint(cause));
    let (weight, head, text) = match outcome {
        Outcome::Ok => (Weight::Course, "", format!("ok in {}", text::seconds(elapsed_seconds))),
        Outcome::Failed => (Weight::Alarm, "FAILED", failure),
        Outcome::Unknown => (Weight::Alarm, "UNKNOWN", failure),
        // The end of the wave counts them.
        Outcome::Cancelled => (Weight::Detail, "PAUSED", cause.with_place()),
        Outcome::Skipped => (Weight::Detail, "SKIPPED", cause.with_place()),
    };
    Message { weight, tone: picture::tone(outcome), head, label, text }
}

fn logged(level: Level, label: String, text: &str) -> Option<Message> {
    let message = |weight| Message::new(weight, label.clone(), text);
    match level {
        Level::Debug => None,
        Level::Info => Some(message(Weight::News)),
        Level::Warning => Some(message(Weight::Alarm).headed(Tone::Warning, "WARNING")),
        Level::Error => Some(message(Weight::Alarm).headed(Tone::Bad, "ERROR")),
    }
}

/// `3 cutovers are brought to their end`
pub(super) fn brought_to_an_end(cutovers: usize) -> String {
    match cutovers {
        1 => "1 cutover is brought to its end".to_owned(),
        many => format!("{many} cutovers are brought to their end"),
    }
}

/// The answer to a wish to stop, with the number of cutovers that come to their end first.
fn stopping(now: bool, cutovers: usize) -> Message {
    let (head, text) = match (now, cutovers) {
        (false, 0) => {
            ("STOPPING", "nothing new starts; work on the server goes on (Ctrl-C again: leave at once)".to_owned())
        }
        (false, some) => {
            let cutovers = brought_to_an_end(some);
            ("STOPPING", format!("nothing new starts, and {cutovers} first (Ctrl-C again: leave at once)"))
        }
        (true, _) => ("LEAVING", "at once; work on the server goes on".to_owned()),
    };
    Message::new(Weight::Alarm, String::new(), text).headed(Tone::Warning, head)
}

/// `36 ok, 1 failed`: the number of items for each outcome.
pub fn tally(counts: &Counts) -> String {
    let words: Vec<String> = Outcome::ALL
        .into_iter()
        .filter(|outcome| counts.get(*outcome) > 0)
        .map(|outcome| format!("{} {}", counts.get(outcome), outcome.said()))
        .collect();
    if words.is_empty() { "no items".to_owned() } else { words.join(", ") }
}

/// The lines at the very end: the sources that are off, the work that goes on at the server without us, and the elapsed
/// time.
pub fn farewell(board: &Board, zone: &TimeZone) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(off) = off_since(&board.sources, zone) {
        let head = format!("{NOT_DEPLOYED}: {}", board.sources.len());
        lines.push(Line::default().with(Tone::Bad, head).with(Tone::Plain, format!("  {off}")));
    }
    if !board.left.is_empty() {
        let head = format!("running on the server when last seen: {}", board.left.len());
        lines.push(Line::default().with(Tone::Warning, head));
    }
    for left in board.left.iter().take(LISTED) {
        let subject = &left.subject;
        let label = if left.label.is_empty() { &subject.label } else { &left.label };
        let text = format!("  {}  {} {}  {}", text::one_line(label), subject.kind, subject.id, left.status);
        lines.push(Line::default().with(Tone::Plain, text::one_line(&text)));
    }
    if let more @ 1.. = board.left.len().saturating_sub(LISTED) {
        lines.push(Line::default().with(Tone::Plain, format!("  and {more} more")));
    }
    let elapsed = board.elapsed_seconds.filter(|_| !board.waves.is_empty());
    lines.extend(
        elapsed.map(|seconds| Line::default().with(Tone::Quiet, format!("the run took {}", text::seconds(seconds)))),
    );
    lines
}
