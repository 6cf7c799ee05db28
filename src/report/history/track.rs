//! The track of an item: its attempts, and the use of its time.

use jiff::Timestamp;

use crate::event::{Cause, Fact, Outcome, Subject};

use super::phase::Phase;

/// The attempts of an item, and the use of its time.
#[derive(Clone, Debug, Default)]
pub struct Track {
    pub attempts: Vec<Attempt>,
    pub spans: Vec<Span>,
    pub finished: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct Attempt {
    /// Counted from 1 over the whole run: a wave that is entered again gives its items new attempts.
    pub number: usize,
    /// Its number since the wave was entered last.
    in_wave: u32,
    /// The run was paused in it, or waits for an answer: the resumed run goes on with it.
    is_left: bool,
    pub started: Timestamp,
    pub finished: Option<Timestamp>,
    /// The error, if it failed.
    pub cause: Option<Cause>,
}

/// A stretch of time, and its use.
#[derive(Clone, Debug)]
pub struct Span {
    pub from: Timestamp,
    /// `None`: it was still open when last seen.
    pub to: Option<Timestamp>,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    /// A task of a wait's subject; no task if none was seen yet.
    Task {
        subject: Subject,
        task: Option<String>,
        status: String,
        /// An earlier process waited for it, and nothing new was seen of it since.
        taken_up: bool,
    },
    /// The pause before a retry.
    Pause { cause: Cause },
}

impl Track {
    pub(super) fn apply(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::ItemStarted { attempt } => {
                self.finished = None;
                let goes_on =
                    |last: &&mut Attempt| last.in_wave == *attempt && (last.finished.is_none() || last.is_left);
                if let Some(last) = self.attempts.last_mut().filter(goes_on) {
                    (last.finished, last.cause, last.is_left) = (None, None, false);
                } else {
                    let (number, in_wave) = (self.attempts.len() + 1, *attempt);
                    self.attempts.push(Attempt {
                        number,
                        in_wave,
                        started: at,
                        finished: None,
                        cause: None,
                        is_left: false,
                    });
                }
            }
            Fact::ItemRetried { cause, next, .. } => {
                self.clip(at);
                self.end_attempt(at, Some(cause));
                self.spans.push(Span { from: at, to: Some(at.max(*next)), what: What::Pause { cause: cause.clone() } });
            }
            // It was reported when it happened.
            Fact::ItemFinished { earlier: true, .. } => {}
            Fact::ItemFinished { outcome, cause, .. } => {
                self.clip(at);
                self.end_attempt(at, cause.as_ref().filter(|_| *outcome != Outcome::Ok));
                if let Some(last) = self.attempts.last_mut() {
                    last.is_left = matches!(outcome, Outcome::Cancelled | Outcome::Unknown);
                }
                self.finished = Some(at);
            }
            Fact::UnitRetried { cause, next, .. } => {
                self.spans.push(Span { from: at, to: Some(at.max(*next)), what: What::Pause { cause: cause.clone() } });
            }
            Fact::WaitStarted { subject, .. } => self.open(at, subject, None, ""),
            Fact::WaitChanged { subject, progress, .. } => {
                self.change(at, subject, progress.task.as_deref(), &progress.status);
            }
            Fact::WaitFinished { subject, status, .. } | Fact::WaitLeft { subject, status } => {
                self.close(at, subject, status);
            }
            _ => {}
        }
    }

    fn change(&mut self, at: Timestamp, subject: &Subject, task: Option<&str>, status: &str) {
        let Some(task) = task else { return };
        let Some(open) = self.spans.iter().rposition(|span| span.is_open_wait(subject)) else {
            return self.open(at, subject, Some(task), status);
        };
        let seen_before = self.spans[..open].iter().any(|span| span.is_of(subject) && span.name() == task);
        let span = &mut self.spans[open];
        let What::Task { task: own, status: word, taken_up, .. } = &mut span.what else { return };
        // The first look of a process that takes up a wait may be the state recorded at its start.
        let is_stale = std::mem::take(taken_up) && seen_before;
        match own {
            Some(own) if own == task || is_stale => {}
            // Nothing was seen of it before.
            None if span.from == at => {
                *own = Some(task.to_owned());
                status.clone_into(word);
            }
            _ => {
                span.to = Some(at);
                self.open(at, subject, Some(task), status);
            }
        }
    }

    fn open(&mut self, at: Timestamp, subject: &Subject, task: Option<&str>, status: &str) {
        // A wait from before a crash is started again.
        self.close(at, subject, "");
        let before = self.spans.iter().rev().find(|span| span.is_of(subject)).and_then(Span::task);
        let taken_up = task.is_none() && before.is_some();
        let task = task.or(before).map(str::to_owned);
        let what = What::Task { subject: subject.clone(), task, status: status.to_owned(), taken_up };
        self.spans.push(Span { from: at, to: None, what });
    }

    fn close(&mut self, at: Timestamp, subject: &Subject, word: &str) {
        if let Some(span) = self.spans.iter_mut().rev().find(|span| span.is_open_wait(subject)) {
            span.to = Some(at);
            if let What::Task { status, .. } = &mut span.what
                && !word.is_empty()
            {
                word.clone_into(status);
            }
        }
    }

    fn end_attempt(&mut self, at: Timestamp, why: Option<&Cause>) {
        if let Some(last) = self.attempts.last_mut().filter(|last| last.finished.is_none()) {
            last.finished = Some(at);
            last.cause = why.cloned();
        }
    }

    /// Ends everything that is open at `at`, including pauses that were cut short.
    pub(super) fn clip(&mut self, at: Timestamp) {
        for span in &mut self.spans {
            let to = span.to.unwrap_or(at).min(at);
            span.to = Some(to.max(span.from));
        }
    }
}

impl Span {
    fn is_open_wait(&self, subject: &Subject) -> bool {
        self.to.is_none() && self.is_of(subject)
    }

    fn is_of(&self, subject: &Subject) -> bool {
        matches!(&self.what, What::Task { subject: own, .. } if own.id == subject.id)
    }

    fn task(&self) -> Option<&str> {
        match &self.what {
            What::Task { task, .. } => task.as_deref(),
            What::Pause { .. } => None,
        }
    }

    /// The work at the server that it was spent on.
    pub fn subject(&self) -> Option<&Subject> {
        match &self.what {
            What::Task { subject, .. } => Some(subject),
            What::Pause { .. } => None,
        }
    }

    pub fn phase(&self) -> Phase {
        match &self.what {
            What::Pause { .. } => Phase::Pause,
            What::Task { subject, task, .. } => Phase::of(&subject.kind, task.as_deref()),
        }
    }

    /// The name of the task, or of the span.
    pub fn name(&self) -> &str {
        match &self.what {
            What::Pause { .. } => "pause before the next try",
            What::Task { task: Some(task), .. } => task,
            What::Task { subject, .. } => &subject.kind,
        }
    }
}
