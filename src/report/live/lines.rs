//! Lines for a log: one per change, each with its time, wave and item, and a heartbeat for slow work.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::event::{Event, Fact, Progress};
use crate::model::Status;
use crate::report::streams::paint::{Line, Tone};
use crate::report::streams::text;

use super::board::{Board, ItemIndex};
use super::message::{self, Weight};
use super::picture;
use super::wait::{Pace, STALLED};

/// The last line about a wait: the status, the task, and the quarter.
#[derive(Clone, PartialEq)]
struct Said {
    status: String,
    task: Option<String>,
    quarter: u8,
}

/// Remembers the lines that were written, so that each line is news.
pub struct Lines {
    zone: TimeZone,
    said: HashMap<String, Said>,
    /// Items that were reported as stalled, and for how long they were then.
    stalled: HashMap<(usize, usize), SignedDuration>,
    /// The time of the last line.
    last: Option<Timestamp>,
    /// The time of the last check for stalled items.
    looked: Option<Timestamp>,
}

/// The pause between two checks for stalled items.
const LOOK: SignedDuration = SignedDuration::from_secs(10);

impl Said {
    fn of(progress: &Progress) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 4")]
        let quarter = (progress.percent.clamp(0.0, 100.0) / 25.0) as u8;
        Self { status: progress.status.clone(), task: progress.task.clone(), quarter }
    }
}

impl Lines {
    pub fn new(zone: TimeZone) -> Self {
        Self { zone, said: HashMap::new(), stalled: HashMap::new(), last: None, looked: None }
    }

    /// Moves all observed times by the shift of the machine's clock.
    pub fn shift(&mut self, by: SignedDuration) {
        self.last.iter_mut().chain(&mut self.looked).for_each(|at| *at += by);
    }

    /// The lines for `event`, which `board` has already applied.
    pub fn lines(&mut self, board: &Board, event: &Event) -> Vec<Line> {
        let mut lines = self.heartbeat(board, event.at);
        let message = message::message(board, event, &self.zone);
        let said = match &event.fact {
            Fact::WaitChanged { subject, progress, .. } => self.progress(board, event, &subject.id, progress),
            Fact::WaitFinished { subject, .. } | Fact::WaitLeft { subject, .. } => {
                self.said.remove(&subject.id);
                message.map(|message| message.lines()).unwrap_or_default()
            }
            _ => message.map(|message| message.lines()).unwrap_or_default(),
        };
        let time = self.time(event.at);
        lines.extend(said.into_iter().map(|line| time.clone().and(line)));
        if !lines.is_empty() {
            self.last = Some(event.at);
        }
        lines
    }

    fn progress(&mut self, board: &Board, event: &Event, id: &str, progress: &Progress) -> Vec<Line> {
        let said = Said::of(progress);
        if self.said.get(id) == Some(&said) {
            return Vec::new();
        }
        self.said.insert(id.to_owned(), said);
        let Fact::WaitChanged { subject, since, .. } = &event.fact else { return Vec::new() };
        let label = match board.label(&event.origin) {
            label if label.is_empty() => text::one_line(&subject.label),
            label => label,
        };
        let state = match &progress.task {
            Some(task) if Status::from(progress.status.as_str()) == Status::Running => task.clone(),
            Some(task) => format!("{} {task}", progress.status),
            None => progress.status.clone(),
        };
        let mut words = vec![text::one_line(&state), text::percent(progress.percent).trim_start().to_owned()];
        words.extend(progress.bytes.map(|(done, total)| text::bytes_of(done, total)));
        words.push(text::duration(event.at.duration_since(*since)));
        vec![Line::default().with(Tone::Strong, label).with(Tone::Plain, format!("  {}", words.join("  ")))]
    }

    /// The lines that are due at `now` without an event: stalled items (after 10 minutes, then after twice as long each
    /// time), and the state of the waves after 10 minutes of silence.
    pub fn heartbeat(&mut self, board: &Board, now: Timestamp) -> Vec<Line> {
        if self.looked.is_some_and(|looked| now.duration_since(looked) < LOOK) {
            return Vec::new();
        }
        self.looked = Some(now);
        let time = self.time(now);
        let mut lines = Vec::new();
        for place in board.in_flight() {
            if let Some(still) = self.newly_stalled(board, place, now) {
                let state = picture::state(board.item(place), now);
                let text = format!("  no change for {}: {state}", text::duration(still));
                let line = Line::default().with(Tone::Strong, board.name(place)).with(Tone::Warning, text);
                lines.push(time.clone().and(line));
            }
        }
        let quiet = self.last.is_some_and(|last| now.duration_since(last) >= STALLED);
        if quiet && lines.is_empty() {
            let open = board.waves.iter().filter(|wave| wave.finished.is_none() && wave.parent.is_none());
            lines.extend(open.map(|wave| {
                let text = format!("  {}", picture::wave_sentence(wave, now));
                time.clone().and(Line::default().with(Tone::Strong, text::one_line(&wave.name)).with(Tone::Plain, text))
            }));
        }
        if !lines.is_empty() {
            self.last = Some(now);
        }
        lines
    }

    fn newly_stalled(&mut self, board: &Board, place: ItemIndex, now: Timestamp) -> Option<SignedDuration> {
        let key = (place.wave, place.item);
        let Pace::Stalled(still) = board.item(place).pace(now) else {
            self.stalled.remove(&key);
            return None;
        };
        if self.stalled.get(&key).is_some_and(|said| still < *said * 2) {
            return None;
        }
        self.stalled.insert(key, still);
        Some(still)
    }

    fn time(&self, at: Timestamp) -> Line {
        Line::default().with(Tone::Quiet, text::time(at, &self.zone)).with(Tone::Plain, "  ")
    }
}

/// True if a view other than a log shows a message of this weight.
pub fn shows(quiet: bool, weight: Weight) -> bool {
    weight >= if quiet { Weight::Alarm } else { Weight::News }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Fact, Level};
    use crate::report::live::scene;

    fn log(events: &[Event]) -> String {
        let (mut board, mut lines) = (Board::default(), Lines::new(TimeZone::UTC));
        let mut log = Vec::new();
        for event in events {
            board.apply(event);
            log.extend(lines.lines(&board, event).iter().map(Line::plain));
        }
        log.join("\n")
    }

    #[test]
    fn every_change_is_one_line_with_its_time_wave_and_item() {
        insta::assert_snapshot!(log(&scene::busy_wave()), @r#"
        20:00:00  seed  7 items, 4 at a time
        20:00:00  seed/web-01  started
        20:00:00  seed/db-07  started
        20:00:00  seed/db-11  started
        20:00:00  seed/web-02  started
        20:10:00  seed  0 of 7 items done, 4 active, 3%
        20:10:00  seed/web-01  REPLICATE_DISKS  25%  10/40 GB  9m
        20:20:00  seed/web-02  no change for 19m: waiting for execution
        20:20:00  seed/db-11  no change for 20m: working
        20:20:00  seed/db-07  REPLICATE_DISKS  12%  4.8/40 GB  19m
        20:20:00  seed/web-01  REPLICATE_DISKS  50%  20/40 GB  19m
        20:36:00  seed/web-01  no change for 16m: RUNNING REPLICATE_DISKS
        20:36:00  seed/db-07  no change for 16m: RUNNING REPLICATE_DISKS
        20:36:00  seed/web-02  REPLICATE_DISKS  90%  36/40 GB  35m
        20:39:30  RETRY  seed/db-11  attempt 2 of 3 at 20:40:30, after: REPLICATE_DISKS: Connection reset while reading disk 0
        20:40:00  seed/web-01  REPLICATE_DISKS  99%  40/40 GB  39m
        20:40:00  seed/web-01  ok in 40m
        20:40:00  seed/mail-01  started
        "#);
    }

    #[test]
    fn every_end_of_an_item_is_told() {
        insta::assert_snapshot!(log(&scene::ended_run()), @r#"
        20:00:00  web  2 items, 20 at a time
        20:00:00  web/web-02  started
        20:00:00  web/web-01  started
        20:03:00  RETRY  web/web-02  attempt 2 of 3 at 20:04:00, after: Connection reset
        20:06:00  web/web-01  ok in 6m
        20:09:00  web/web-02  ok in 9m
        20:09:00  web  finished in 9m: 2 ok
        20:09:00  db  5 items, 2 at a time
        20:09:00  db/db-11  started
        20:09:00  db/db-07  started
        20:10:00  RETRY  db/db-07  attempt 2 of 3 at 20:11:00, after: Connection reset
        20:20:00  db  1 of 5 items done, 1 active, 1 failed, 20%, ~44m left
        20:20:00  FAILED  db/db-11  attempt 1 of 1: Quota exceeded for cores: 8, used 20/20 (execution 3034593f-0000-4000-8000-0123456789ab)
        20:20:00    more
        20:20:00    hint: raise the quota
        20:21:00  SKIPPED  db/db-14  the failure budget is used up
        20:22:00  UNKNOWN  db/db-13  attempt 1 of 1: nobody knows whether POST /transfers was applied
        20:23:00  PAUSED  db/db-12  interrupted by the operator
        20:31:00  FAILED  db/db-07  attempt 3 of 3: REPLICATE_DISKS: Connection reset reading disk 0
        "#);
    }

    #[test]
    fn a_copy_has_a_line_each_quarter_and_a_heartbeat_when_it_stands_still() {
        let at = || scene::item("seed", "db-07");
        let mut events = vec![scene::wave(0.0, "seed", 1, &["db-07"]), scene::started(0.0, at())];
        events.extend((0..=60).map(|percent| scene::copying(f64::from(percent) / 4.0, 0.0, at(), "e", percent)));
        events.extend([16.0, 24.0, 26.0, 30.0, 36.0, 50.0].map(|minutes| {
            let fact = Fact::Logged { level: Level::Debug, message: String::new(), hint: None };
            scene::event(minutes, scene::main_lane(), fact)
        }));
        insta::assert_snapshot!(log(&events), @r#"
        20:00:00  seed  1 item, 1 at a time
        20:00:00  seed/db-07  started
        20:00:00  seed/db-07  REPLICATE_DISKS  0%  0 B/40 GB  0s
        20:06:15  seed/db-07  REPLICATE_DISKS  25%  10/40 GB  6m
        20:12:30  seed/db-07  REPLICATE_DISKS  50%  20/40 GB  12m
        20:24:00  seed  0 of 1 item done, 1 active, 60%, ~16m left
        20:26:00  seed/db-07  no change for 11m: RUNNING REPLICATE_DISKS
        20:36:00  seed  0 of 1 item done, 1 active, 60%, ~24m left
        20:50:00  seed/db-07  no change for 35m: RUNNING REPLICATE_DISKS
        "#);
    }
}
