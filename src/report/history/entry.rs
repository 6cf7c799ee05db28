//! The waves and the items of a run, each with everything that is known about it.
use jiff::Timestamp;

use crate::event::sources::{Source, Sources};
use crate::event::{Cause, Counts, Outcome};
use crate::report::live::item::Item;
use crate::report::live::summary::source_of;
use crate::report::live::wave::Wave;

use super::History;
use super::track::{Span, Track};

/// The outcome of an item, or its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Ended(Outcome),
    /// Running in a living process.
    Running,
    /// Begun, but its process is gone.
    Unfinished,
    /// Not begun; a process may still start it.
    Waiting,
    /// Not begun, and there is no process.
    NotStarted,
}

/// One item of the run, with everything that is known about it.
#[derive(Clone, Copy)]
pub struct Entry<'history> {
    pub wave: &'history str,
    pub item: &'history Item,
    pub track: &'history Track,
    pub standing: Standing,
    /// The sources of the whole run that are off.
    pub(super) sources: &'history Sources,
}

/// One wave of the run.
pub struct WaveEntry<'history> {
    /// The wave's name, behind the item that opened it.
    pub label: String,
    pub(super) wave: &'history Wave,
    pub finished: Option<Timestamp>,
    pub counts: Counts,
    pub(super) history: &'history History,
    pub(super) at: usize,
}

static NOTHING: Track = Track { attempts: Vec::new(), spans: Vec::new(), finished: None };

impl<'history> WaveEntry<'history> {
    pub fn name(&self) -> &'history str {
        &self.wave.name
    }

    pub fn total(&self) -> usize {
        self.wave.total
    }

    /// The number of items that may work at once; `None` for jobs, which the script began one by one.
    pub fn limit(&self) -> Option<usize> {
        (!self.wave.gathered).then_some(self.wave.limit)
    }

    pub fn started(&self) -> Timestamp {
        self.wave.started
    }

    /// The reason why nothing new was started in it.
    pub fn stopping(&self) -> Option<&'history str> {
        self.wave.stopping.as_deref()
    }

    /// Its items in order.
    pub fn items(&self) -> impl Iterator<Item = Entry<'_>> {
        let tracks = self.history.tracks.get(self.at);
        self.wave.items.iter().enumerate().map(move |(at, item)| Entry {
            wave: &self.label,
            item,
            track: tracks.and_then(|tracks| tracks.get(at)).unwrap_or(&NOTHING),
            standing: self.history.standing(item),
            sources: self.history.sources(),
        })
    }
}

impl Entry<'_> {
    pub fn key(&self) -> &str {
        &self.item.key
    }

    /// The number of attempts that began in the whole run.
    pub fn attempts(&self) -> usize {
        self.track.attempts.len()
    }

    /// The error of its last attempt.
    pub fn cause(&self) -> Option<&Cause> {
        self.item.cause.as_ref().filter(|_| self.standing != Standing::Ended(Outcome::Ok))
    }

    /// The error of its first attempt, if that differs.
    pub fn first_cause(&self) -> Option<&Cause> {
        let cause = self.cause()?;
        self.track.attempts.first()?.cause.as_ref().filter(|first| *first != cause)
    }

    /// The error with its place, and the hint.
    pub fn why(&self) -> (String, Option<&str>) {
        match self.cause() {
            Some(cause) => (cause.with_place(), cause.hint.as_deref()),
            None => ("cause unknown".to_owned(), None),
        }
    }

    /// The task that failed first.
    pub fn failed_task(&self) -> Option<&str> {
        self.cause()?.failed_task.as_deref()
    }

    /// Its source, if that is off and the VM does not run at its target.
    pub fn source_off(&self) -> Option<&Source> {
        source_of(self.sources, &self.item.key)
    }

    pub fn seconds(&self) -> Option<f64> {
        let end = self.track.finished?;
        Some(end.duration_since(self.item.started?).as_secs_f64())
    }

    /// The last span that was seen of it.
    pub fn last_seen(&self) -> Option<&Span> {
        self.track.spans.last()
    }
}

impl Standing {
    pub fn word(self) -> &'static str {
        match self {
            Standing::Ended(outcome) => outcome.word(),
            Standing::Running => "running",
            Standing::Unfinished => "unfinished",
            Standing::Waiting => "waiting",
            Standing::NotStarted => "not started",
        }
    }

    /// True if somebody has to look into it.
    pub fn is_bad(self) -> bool {
        matches!(self, Standing::Ended(Outcome::Failed | Outcome::Unknown))
    }

    /// True if it was begun and has no end.
    pub fn is_open(self) -> bool {
        matches!(self, Standing::Running | Standing::Unfinished)
    }
}
