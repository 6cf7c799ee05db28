//! A run as its events tell it afterwards: every wave, item, attempt and phase with its times, also of a run that
//! crashed or is still at work. One pure function per format renders it.

mod csv;
mod entry;
mod html;
mod json;
mod junit;
mod markdown;
mod phase;
mod timeline;
mod told;
mod track;

#[cfg(test)]
mod tests;
use std::collections::HashMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::event::{Cause, Counts, Event, Fact, Level, Origin, Subject};
use crate::report::live::board::{Board, Place};
use crate::report::live::item::Item;
use crate::report::live::summary;
use crate::report::live::wave::Wave;
use crate::report::streams::text;

pub use entry::{Entry, Standing, WaveEntry};
pub use phase::Phase;
pub use track::{Attempt, Span, Track, What};

/// What is known of a run beside its events.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    pub id: String,
    /// The runbook as it was named, or the expression.
    pub name: String,
    /// `NAME=VALUE` and the like, as they were given; without secrets.
    pub arguments: Vec<String>,
    /// Whether a process is at work on it now.
    pub alive: bool,
    /// How its last process ended, where its events do not say it: a disk may have been full.
    pub exit_code: Option<u8>,
    /// Why it ended badly, if it did, and what to do about it.
    pub cause: Option<Cause>,
    /// Changes of which nobody knows whether they were applied: the lane, and method and path.
    pub unsettled: Vec<(String, String)>,
}

/// How a run is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Html,
    Json,
    Junit,
    Csv,
    Markdown,
}

/// The whole of a run.
pub struct History {
    pub meta: Meta,
    pub cloud: String,
    /// The processes that worked on it, each with its first and its last event.
    pub periods: Vec<(Timestamp, Timestamp)>,
    pub exit_code: Option<u8>,
    /// Warnings and errors that were logged.
    pub notices: Vec<Notice>,
    pub gates: Vec<Gate>,
    board: Board,
    /// For each item of each wave what it did; a wave may have more items than these.
    tracks: Vec<Vec<Track>>,
    ended: HashMap<usize, Timestamp>,
    /// What was waited for outside of all waves, by what it was waited for.
    pub loose: Vec<(String, Track)>,
}

/// A line of the log, and whose it is.
pub struct Notice {
    pub at: Timestamp,
    pub level: Level,
    pub label: String,
    pub message: String,
    pub hint: Option<String>,
}

/// A question that the run asked, and its answer.
pub struct Gate {
    pub gate: String,
    pub question: String,
    pub at: Timestamp,
    /// What, by whom, when.
    pub answer: Option<(String, String, Timestamp)>,
}

impl History {
    pub fn new(meta: Meta, events: &[Event]) -> Self {
        let mut history = Self {
            meta,
            cloud: String::new(),
            periods: Vec::new(),
            exit_code: None,
            notices: Vec::new(),
            gates: Vec::new(),
            board: Board::default(),
            tracks: Vec::new(),
            ended: HashMap::new(),
            loose: Vec::new(),
        };
        events.iter().for_each(|event| history.apply(event));
        if !history.meta.alive {
            history.close_all();
            history.exit_code = history.exit_code.or(history.meta.exit_code);
        }
        history
    }

    /// As text of this form; times that people read are in `zone`.
    pub fn render(&self, form: Form, zone: &TimeZone) -> String {
        match form {
            Form::Html => html::page(self, zone),
            Form::Json => json::document(self),
            Form::Junit => junit::document(self),
            Form::Csv => csv::table(self),
            Form::Markdown => markdown::document(self, zone),
        }
    }

    fn apply(&mut self, event: &Event) {
        let Event { at, origin, fact, .. } = event;
        match fact {
            Fact::RunStarted { cloud, .. } => {
                self.close_all();
                self.cloud = cloud.clone();
                self.exit_code = None;
                self.periods.push((*at, *at));
            }
            Fact::RunFinished { exit_code, .. } => self.exit_code = Some(*exit_code),
            Fact::Logged { level: level @ (Level::Warning | Level::Error), message, hint } => {
                let (level, message, hint) = (*level, message.clone(), hint.clone());
                self.notices.push(Notice { at: *at, level, label: self.board.label(origin), message, hint });
            }
            Fact::GateReached { gate, question } => self.ask(*at, gate, question),
            Fact::GateAnswered { gate, answer, by } => {
                let asked = self.gates.iter_mut().rev().find(|asked| asked.gate == *gate && asked.answer.is_none());
                if let Some(asked) = asked {
                    asked.answer = Some((answer.clone(), by.clone(), *at));
                }
            }
            Fact::WaveFinished { name, .. } => {
                if let Some(wave) = self.board.newest(&origin.lane, name) {
                    self.ended.insert(wave, *at);
                }
            }
            _ => {}
        }
        match self.periods.last_mut() {
            Some(period) => period.1 = period.1.max(*at),
            None => self.periods.push((*at, *at)),
        }
        self.board.gather(event);
        self.board.apply(event);
        if let Fact::WaveStarted { name, .. } = fact
            && let Some(wave) = self.board.newest(&origin.lane, name)
        {
            self.ended.remove(&wave);
        }
        if let Some(track) = self.track(origin, fact) {
            track.apply(*at, fact);
        }
    }

    /// A resumed run asks again what it was not told.
    fn ask(&mut self, at: Timestamp, gate: &str, question: &str) {
        if !self.gates.iter().any(|asked| asked.gate == gate && asked.answer.is_none()) {
            let (gate, question) = (gate.to_owned(), question.to_owned());
            self.gates.push(Gate { gate, question, at, answer: None });
        }
    }

    /// Where to keep what this fact says.
    fn track(&mut self, origin: &Origin, fact: &Fact) -> Option<&mut Track> {
        let Some(Place { wave, item }) = self.board.place(origin) else {
            let (Fact::WaitStarted { subject, .. }
            | Fact::WaitChanged { subject, .. }
            | Fact::WaitFinished { subject, .. }
            | Fact::WaitLeft { subject, .. }) = fact
            else {
                return None;
            };
            let known = self.loose.iter().position(|(label, _)| *label == subject.label).unwrap_or_else(|| {
                self.loose.push((subject.label.clone(), Track::default()));
                self.loose.len() - 1
            });
            return Some(&mut self.loose[known].1);
        };
        if self.tracks.len() <= wave {
            self.tracks.resize_with(wave + 1, Vec::new);
        }
        let tracks = &mut self.tracks[wave];
        if tracks.len() <= item {
            tracks.resize_with(item + 1, Track::default);
        }
        tracks.get_mut(item)
    }

    /// What is open when a process ends goes no further than its last event.
    fn close_all(&mut self) {
        let Some((_, last)) = self.periods.last().copied() else { return };
        let tracks = self.tracks.iter_mut().flatten().chain(self.loose.iter_mut().map(|(_, track)| track));
        tracks.for_each(|track| track.clip(last));
    }

    pub fn started(&self) -> Timestamp {
        self.periods.first().map_or(Timestamp::UNIX_EPOCH, |(from, _)| *from)
    }

    /// The last that was heard of it.
    pub fn last(&self) -> Timestamp {
        self.periods.last().map_or(Timestamp::UNIX_EPOCH, |(_, to)| *to)
    }

    /// How long it took so far, without the time in which nobody was at work on it.
    pub fn worked(&self) -> SignedDuration {
        self.periods.iter().map(|(from, to)| to.duration_since(*from)).sum()
    }

    /// Where the run stands, in a word or two.
    pub fn status(&self) -> &'static str {
        match self.exit_code {
            None if self.meta.alive => "running",
            None => "interrupted",
            Some(0) => "done",
            Some(3) => "items failed",
            Some(6) => "paused",
            Some(8) => "needs answer",
            Some(9) => "interrupted",
            Some(_) => "failed",
        }
    }

    /// Why it ended badly.
    pub fn cause(&self) -> Option<&Cause> {
        self.meta.cause.as_ref().filter(|_| self.exit_code.is_some())
    }

    /// That it has not come to a good end, though no item failed for it; and why, as far as that is known.
    pub fn shortfall(&self) -> Option<Option<&Cause>> {
        let told_by_items = || self.exit_code == Some(3) && !History::failures(&self.waves()).is_empty();
        let is_short = !self.meta.alive && self.exit_code != Some(0) && !told_by_items();
        is_short.then(|| self.cause())
    }

    /// The items that somebody has to look into.
    pub fn failures<'waves>(waves: &'waves [WaveEntry<'_>]) -> Vec<Entry<'waves>> {
        waves.iter().flat_map(WaveEntry::items).filter(|entry| entry.standing.is_bad()).collect()
    }

    /// The items that were begun and have no end.
    pub fn open<'waves>(waves: &'waves [WaveEntry<'_>]) -> Vec<Entry<'waves>> {
        waves.iter().flat_map(WaveEntry::items).filter(|entry| entry.standing.is_open()).collect()
    }

    /// The waves in the order of the script. Those that an attempt made anew did not come to are left out, and loops
    /// inside of an item in which nothing went wrong.
    pub fn waves(&self) -> Vec<WaveEntry<'_>> {
        let is_dull = |wave: &Wave| wave.is_each() && wave.parent.is_some() && wave.counts().ok == wave.total;
        let told = |wave: &Wave| !(wave.repeated || is_dull(wave));
        summary::rows(&self.board, told)
            .into_iter()
            .map(|(at, label, wave)| {
                let finished = self.ended.get(&at).copied().filter(|_| wave.finished.is_some());
                WaveEntry { label, wave, finished, counts: wave.counts(), history: self, at }
            })
            .collect()
    }

    /// The counts of all waves that are not inside of another, without jobs.
    pub fn counts(&self) -> (usize, Counts) {
        let mut counts = Counts::default();
        let outer = || self.board.waves.iter().filter(|wave| wave.parent.is_none() && !wave.repeated && !wave.gathered);
        let items = outer().flat_map(|wave| &wave.items);
        items.filter_map(Item::outcome).for_each(|outcome| counts.add(outcome));
        (outer().map(|wave| wave.total).sum(), counts)
    }

    /// What goes on at the server, as far as it was seen: label, subject, status.
    pub fn left(&self) -> impl Iterator<Item = (&str, &Subject, &str)> {
        self.board.left.iter().map(|left| {
            let label = if left.label.is_empty() { &left.subject.label } else { &left.label };
            (label.as_str(), &left.subject, left.status.as_str())
        })
    }

    fn standing(&self, item: &Item) -> Standing {
        match (item.outcome(), item.is_in_flight(), self.meta.alive) {
            (Some(outcome), ..) => Standing::Ended(outcome),
            (None, true, true) => Standing::Running,
            (None, true, false) => Standing::Unfinished,
            (None, false, true) => Standing::Waiting,
            (None, false, false) => Standing::NotStarted,
        }
    }
}

/// RFC 3339 in UTC with whole seconds: what machines read.
fn machine_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
