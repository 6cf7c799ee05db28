//! A run reconstructed from its events: every wave, item, attempt and phase with its times, also of a run that crashed
//! or is still running. One pure function per format renders it.

mod csv;
mod entry;
mod html;
mod json;
mod junit;
mod markdown;
mod overview;
mod phase;
mod timeline;
mod track;

#[cfg(test)]
mod tests;
use std::collections::HashMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::event::sources::Sources;
use crate::event::{Cause, Counts, Event, Fact, Level, Origin, Status, Subject};
use crate::report::live::board::{Board, ItemIndex};
use crate::report::live::item::Item;
use crate::report::live::summary;
use crate::report::live::wave::Wave;
use crate::report::streams::text;

pub use entry::{Entry, Standing, WaveEntry};
pub use phase::Phase;
pub use track::{Attempt, Span, Track, What};

/// The facts about a run besides its events.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    pub id: String,
    /// The runbook's name as given, or the expression.
    pub name: String,
    /// The cloud that it began on, as far as no event shows it.
    pub cloud: String,
    /// The time of its start for a run without any event.
    pub started: Timestamp,
    /// `NAME=VALUE` and the like, as given; without secrets.
    pub arguments: Vec<String>,
    /// True if a process is working on it now.
    pub alive: bool,
    /// The end of its last process if the events do not show it: a disk may have been full.
    pub end: Option<Exit>,
    /// The error that ended it, with its hint.
    pub cause: Option<Cause>,
    /// Changes of unknown outcome: the lane, and method and path.
    pub unsettled: Vec<(String, String)>,
}

/// The exit codes of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    pub exit_code: u8,
    /// The one that it would have without sources that are off.
    pub otherwise: u8,
}

/// The format of a report.
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
    /// `None` while it is running, and for one that was killed.
    pub end: Option<Exit>,
    /// Warnings and errors that were logged.
    pub notices: Vec<Notice>,
    pub gates: Vec<Gate>,
    board: Board,
    /// The track of each item of each wave; a wave may have more items than these.
    tracks: Vec<Vec<Track>>,
    ended: HashMap<usize, Timestamp>,
    /// The waits outside of all waves, by their subject.
    pub loose: Vec<(String, Track)>,
}

/// A line of the log, and its origin.
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
    /// The answer, the user, and the time.
    pub answer: Option<(String, String, Timestamp)>,
}

impl History {
    pub fn new(meta: Meta, events: &[Event]) -> Self {
        let mut history = Self {
            cloud: meta.cloud.clone(),
            meta,
            periods: Vec::new(),
            end: None,
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
            history.end = history.end.or(history.meta.end);
        }
        history
    }

    /// A report in this format; times for people are in `zone`.
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
                self.end = None;
                self.periods.push((*at, *at));
            }
            Fact::RunFinished { exit_code, ended, .. } => {
                self.end = Some(Exit { exit_code: *exit_code, otherwise: ended.unwrap_or(*exit_code) });
            }
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

    /// Adds a question; a resumed run repeats an unanswered one.
    fn ask(&mut self, at: Timestamp, gate: &str, question: &str) {
        if !self.gates.iter().any(|asked| asked.gate == gate && asked.answer.is_none()) {
            let (gate, question) = (gate.to_owned(), question.to_owned());
            self.gates.push(Gate { gate, question, at, answer: None });
        }
    }

    /// The track that this fact belongs to.
    fn track(&mut self, origin: &Origin, fact: &Fact) -> Option<&mut Track> {
        let Some(ItemIndex { wave, item }) = self.board.place(origin) else {
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

    /// Ends everything that is open when a process ends at its last event.
    fn close_all(&mut self) {
        let Some((_, last)) = self.periods.last().copied() else { return };
        let tracks = self.tracks.iter_mut().flatten().chain(self.loose.iter_mut().map(|(_, track)| track));
        tracks.for_each(|track| track.clip(last));
    }

    pub fn started(&self) -> Timestamp {
        self.periods.first().map_or(self.meta.started, |(from, _)| *from)
    }

    /// The time of the last event.
    pub fn last(&self) -> Timestamp {
        self.periods.last().map_or(self.meta.started, |(_, to)| *to)
    }

    /// The duration so far, without the times at which nobody worked on it.
    pub fn worked(&self) -> SignedDuration {
        self.periods.iter().map(|(from, to)| to.duration_since(*from)).sum()
    }

    /// The status of the run, in a word or two.
    pub fn status(&self) -> &'static str {
        Status::of(self.end.map(|end| end.otherwise), self.meta.alive).word()
    }

    /// The status for people: a run that is done may have failures that it allowed.
    pub fn badge(&self) -> String {
        let failed = History::failures(&self.waves()).len();
        match (self.status(), failed) {
            (status, 1..) if status == Status::Done.word() => format!("{status}, {failed} failed"),
            (status, _) => status.to_owned(),
        }
    }

    /// The error that ended it.
    pub fn cause(&self) -> Option<&Cause> {
        self.meta.cause.as_ref().filter(|_| self.end.is_some())
    }

    /// `Some` if it has not ended well though no item failed, with the cause as far as that is known.
    pub fn shortfall(&self) -> Option<Option<&Cause>> {
        let code = self.end.map(|end| end.otherwise);
        let explained_by_items = || code == Some(3) && !History::failures(&self.waves()).is_empty();
        let is_short = !self.meta.alive && code != Some(0) && !explained_by_items();
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

    /// The waves in the order of the script. Waves that a repeated attempt did not reach are left out, and so are loops
    /// inside an item in which nothing failed.
    pub fn waves(&self) -> Vec<WaveEntry<'_>> {
        let is_dull = |wave: &Wave| wave.is_each() && wave.parent.is_some() && wave.counts().ok == wave.total;
        let is_listed = |wave: &Wave| !(wave.repeated || is_dull(wave));
        summary::rows(&self.board, is_listed)
            .into_iter()
            .map(|(at, label, wave)| {
                let finished = if wave.gathered { self.last_end(at, wave) } else { self.own_end(at, wave) };
                WaveEntry { label, wave, finished, counts: wave.counts(), history: self, at }
            })
            .collect()
    }

    fn own_end(&self, at: usize, wave: &Wave) -> Option<Timestamp> {
        self.ended.get(&at).copied().filter(|_| wave.finished.is_some())
    }

    /// The end of the last item, where all have ended.
    fn last_end(&self, at: usize, wave: &Wave) -> Option<Timestamp> {
        let all_ended = wave.items.iter().all(|item| item.outcome().is_some());
        self.tracks.get(at).filter(|_| all_ended)?.iter().filter_map(|track| track.finished).max()
    }

    /// The counts of all waves that are not inside another one, without jobs.
    pub fn counts(&self) -> (usize, Counts) {
        let mut counts = Counts::default();
        let outer = || self.board.waves.iter().filter(|wave| wave.parent.is_none() && !wave.repeated && !wave.gathered);
        let items = outer().flat_map(|wave| &wave.items);
        items.filter_map(Item::outcome).for_each(|outcome| counts.add(outcome));
        (outer().map(|wave| wave.total).sum(), counts)
    }

    /// The sources that are off.
    pub fn sources(&self) -> &Sources {
        &self.board.sources
    }

    /// The work that goes on at the server, as far as it was seen: label, subject, status.
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

/// RFC 3339 in UTC with whole seconds, for programs.
fn machine_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
