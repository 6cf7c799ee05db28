//! Lines for a log, each with its date, time, wave and item: the ends of the parts of each item, what needs attention,
//! and a heartbeat of each wave; on request every change.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::error::count;
use crate::event::{Event, Fact, Progress};
use crate::report::streams::paint::{Line, Tone};
use crate::report::streams::text;

use super::board::{Board, ItemIndex};
use super::message::{self, Weight};
use super::picture;
use super::wait::Pace;

/// The last line about a wait: the status, the task, and the quarter.
#[derive(Clone, PartialEq)]
struct Said {
    status: String,
    task: Option<String>,
    quarter: u8,
}

/// The lines that are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A handful for each item.
    Ends,
    /// One for each change.
    All,
}

/// Remembers the lines that were written, so that each line is news.
pub struct Lines {
    zone: TimeZone,
    detail: Detail,
    /// Lines that are kept need the date as well.
    is_dated: bool,
    said: HashMap<String, Said>,
    /// Items that were reported as stalled, and for how long they were then.
    stalled: HashMap<(usize, usize), SignedDuration>,
    /// The last heartbeat of each wave.
    beats: HashMap<usize, Timestamp>,
    /// The time of the last look at all of it.
    looked: Option<Timestamp>,
}

/// The pause between two checks for stalled items.
const LOOK: SignedDuration = SignedDuration::from_secs(10);
/// The pause between two heartbeats of a wave.
const BEAT: SignedDuration = SignedDuration::from_mins(10);
/// As many items that stall at the same time have lines of their own.
const ALONE: usize = 5;

impl Said {
    fn of(progress: &Progress) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 4")]
        let quarter = (progress.percent.clamp(0.0, 100.0) / 25.0) as u8;
        Self { status: progress.status.clone(), task: progress.task.clone(), quarter }
    }
}

impl Lines {
    /// For a file.
    pub fn log(zone: TimeZone, detail: Detail) -> Self {
        let (said, stalled, beats) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { zone, detail, is_dated: true, said, stalled, beats, looked: None }
    }

    /// For a terminal, above a prompt or a picture.
    pub fn above(zone: TimeZone) -> Self {
        Self { is_dated: false, ..Self::log(zone, Detail::Ends) }
    }

    /// Moves all observed times by the shift of the machine's clock.
    pub fn shift(&mut self, by: SignedDuration) {
        self.beats.values_mut().chain(&mut self.looked).for_each(|at| *at += by);
    }

    /// The lines for `event`, which `board` has already applied.
    pub fn lines(&mut self, board: &mut Board, event: &Event) -> Vec<Line> {
        let mut lines = self.heartbeat(board, event.at);
        if let Fact::WaitFinished { subject, .. } | Fact::WaitLeft { subject, .. } = &event.fact {
            self.said.remove(&subject.id);
        }
        let least = if self.detail == Detail::All { Weight::Detail } else { Weight::Course };
        let said = match &event.fact {
            Fact::WaitChanged { .. } if self.detail == Detail::Ends => Vec::new(),
            Fact::WaitChanged { subject, progress, .. } => self.progress(board, event, &subject.id, progress),
            _ => message::message(board, event, &self.zone)
                .filter(|message| message.weight >= least)
                .map(|message| message.lines())
                .unwrap_or_default(),
        };
        let time = self.time(event.at);
        lines.extend(said.into_iter().map(|line| time.clone().and(line)));
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
        let mut words =
            vec![picture::progress_state(progress), text::percent(progress.percent).trim_start().to_owned()];
        words.extend(progress.bytes.map(|(done, total)| text::bytes_of(done, total)));
        words.push(text::duration(event.at.duration_since(*since)));
        vec![Line::default().with(Tone::Strong, label).with(Tone::Plain, format!("  {}", words.join("  ")))]
    }

    /// The lines that are due at `now` without an event: items that stand still (after some time, then after twice as
    /// long each time), and each wave every ten minutes.
    pub fn heartbeat(&mut self, board: &mut Board, now: Timestamp) -> Vec<Line> {
        if self.looked.is_some_and(|looked| now.duration_since(looked) < LOOK) {
            return Vec::new();
        }
        self.looked = Some(now);
        board.look(now);
        let lines = self.still(board, now).into_iter().chain(self.beat(board, now));
        let time = self.time(now);
        lines.map(|line| time.clone().and(line)).collect()
    }

    /// The items that have begun to stand still. While the cloud is away, nobody knows.
    fn still(&mut self, board: &Board, now: Timestamp) -> Vec<Line> {
        if board.away.is_some() {
            return Vec::new();
        }
        let places = board.in_flight().into_iter();
        let found: Vec<(ItemIndex, SignedDuration)> =
            places.filter_map(|place| Some((place, self.newly_stalled(board, place)?))).collect();
        let line = |label: String, text: String| {
            Line::default().with(Tone::Strong, label).with(Tone::Warning, format!("  no change for {text}"))
        };
        if found.len() > ALONE {
            let names: Vec<String> = found.iter().map(|(place, _)| board.name(*place)).collect();
            let least = found.iter().map(|(_, still)| *still).min().unwrap_or_default();
            let text = format!("{} or longer: {}", text::duration(least), message::some_of(&names));
            return vec![line(count(found.len(), "item"), text)];
        }
        let text = |place, still| format!("{}: {}", text::duration(still), picture::state(board.item(place), now));
        found.into_iter().map(|(place, still)| line(board.name(place), text(place, still))).collect()
    }

    /// The outermost waves, each in its time.
    fn beat(&mut self, board: &Board, now: Timestamp) -> Vec<Line> {
        let mut lines = Vec::new();
        for (at, wave) in board.waves.iter().enumerate() {
            let last = self.beats.get(&at).map_or(wave.started, |last| wave.started.max(*last));
            let is_shown = wave.finished.is_none() && wave.parent.is_none() && wave.counts().total() < wave.total;
            if !is_shown || now.duration_since(last) < BEAT {
                continue;
            }
            self.beats.insert(at, now);
            let text = format!("  {}", board.wave_sentence(at));
            lines.push(Line::default().with(Tone::Strong, text::one_line(&wave.name)).with(Tone::Plain, text));
        }
        lines
    }

    fn newly_stalled(&mut self, board: &Board, place: ItemIndex) -> Option<SignedDuration> {
        let key = (place.wave, place.item);
        let Pace::Stalled(still) = board.item(place).pace() else {
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
        let time = if self.is_dated { text::date_and_time(at, &self.zone) } else { text::time(at, &self.zone) };
        Line::default().with(Tone::Quiet, time).with(Tone::Plain, "  ")
    }
}

/// True if a view other than a log shows a message of this weight.
pub fn shows(quiet: bool, weight: Weight) -> bool {
    weight >= if quiet { Weight::Alarm } else { Weight::News }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::report::live::scene;

    fn log(events: &[Event], detail: Detail) -> String {
        let (mut board, mut lines) = (Board::default(), Lines::log(TimeZone::UTC, detail));
        let mut log = Vec::new();
        for event in events {
            board.apply(event);
            log.extend(lines.lines(&mut board, event).iter().map(Line::plain));
        }
        log.join("\n")
    }

    #[test]
    fn every_change_is_one_line_with_its_time_wave_and_item() {
        insta::assert_snapshot!(log(&scene::busy_wave(), Detail::All), @r#"
        2026-06-01 20:00:00  seed  7 items, 4 at a time
        2026-06-01 20:00:00  seed/web-01  started
        2026-06-01 20:00:00  seed/db-07  started
        2026-06-01 20:00:00  seed/db-11  started
        2026-06-01 20:00:00  seed/web-02  started
        2026-06-01 20:10:00  seed  0 of 7 items done, 4 active, 1 first copy
        2026-06-01 20:10:00  seed/web-01  first copy REPLICATE_DISKS  25%  10/40 GB  9m
        2026-06-01 20:20:00  seed  0 of 7 items done, 4 active, 2 first copy
        2026-06-01 20:20:00  seed/db-07  first copy REPLICATE_DISKS  12%  4.8/40 GB  19m
        2026-06-01 20:20:00  seed/web-01  first copy REPLICATE_DISKS  50%  20/40 GB  19m
        2026-06-01 20:36:00  seed  0 of 7 items done, 4 active, 3 first copy
        2026-06-01 20:36:00  seed/web-02  first copy REPLICATE_DISKS  90%  36/40 GB  35m
        2026-06-01 20:39:30  seed/db-07  no change for 16m: first copy REPLICATE_DISKS
        2026-06-01 20:39:30  RETRY  seed/db-11  attempt 2 of 3 at 20:40:30, after: REPLICATE_DISKS: Connection reset while reading disk 0
        2026-06-01 20:40:00  seed/web-01  first copy REPLICATE_DISKS  99%  40/40 GB  39m
        2026-06-01 20:40:00  seed/web-01  ok in 40m
        2026-06-01 20:40:00  seed/mail-01  started
        "#);
    }

    #[test]
    fn every_end_of_an_item_is_told() {
        insta::assert_snapshot!(log(&scene::ended_run(), Detail::All), @r#"
        2026-06-01 20:00:00  web  2 items, 20 at a time
        2026-06-01 20:00:00  web/web-02  started
        2026-06-01 20:00:00  web/web-01  started
        2026-06-01 20:03:00  RETRY  web/web-02  attempt 2 of 3 at 20:04:00, after: Connection reset
        2026-06-01 20:06:00  web/web-01  ok in 6m
        2026-06-01 20:09:00  web/web-02  ok in 9m
        2026-06-01 20:09:00  web  finished in 9m: 2 ok
        2026-06-01 20:09:00  db  5 items, 2 at a time
        2026-06-01 20:09:00  db/db-11  started
        2026-06-01 20:09:00  db/db-07  started
        2026-06-01 20:10:00  RETRY  db/db-07  attempt 2 of 3 at 20:11:00, after: Connection reset
        2026-06-01 20:20:00  db  1 of 5 items done, 1 active, 1 failed
        2026-06-01 20:20:00  FAILED  db/db-11  attempt 1 of 1: Quota exceeded for cores: 8, used 20/20 (execution 3034593f-0000-4000-8000-0123456789ab)
        2026-06-01 20:20:00    more
        2026-06-01 20:20:00    hint: raise the quota
        2026-06-01 20:21:00  SKIPPED  db/db-14  the failure budget is used up
        2026-06-01 20:22:00  UNKNOWN  db/db-13  attempt 1 of 1: nobody knows whether POST /transfers was applied
        2026-06-01 20:23:00  PAUSED  db/db-12  interrupted by the operator
        2026-06-01 20:31:00  FAILED  db/db-07  attempt 3 of 3: REPLICATE_DISKS: Connection reset reading disk 0
        "#);
    }

    #[test]
    fn a_copy_has_a_line_each_quarter_and_a_heartbeat_when_it_stands_still() {
        let at = || scene::item("seed", "db-07");
        let mut events = vec![scene::wave(0.0, "seed", 1, &["db-07"]), scene::started(0.0, at())];
        events.extend((0..=60).map(|percent| scene::copying(f64::from(percent) / 4.0, 0.0, at(), "e", percent)));
        // Looks without news.
        events.extend([16.0, 24.0, 26.0, 30.0, 36.0, 50.0].map(|minutes| scene::copying(minutes, 0.0, at(), "e", 60)));
        insta::assert_snapshot!(log(&events, Detail::All), @r#"
        2026-06-01 20:00:00  seed  1 item, 1 at a time
        2026-06-01 20:00:00  seed/db-07  started
        2026-06-01 20:00:00  seed/db-07  first copy REPLICATE_DISKS  0%  0 B/40 GB  0s
        2026-06-01 20:06:15  seed/db-07  first copy REPLICATE_DISKS  25%  10/40 GB  6m
        2026-06-01 20:10:00  seed  0 of 1 item done, 1 active, 1 first copy
        2026-06-01 20:12:30  seed/db-07  first copy REPLICATE_DISKS  50%  20/40 GB  12m
        2026-06-01 20:24:00  seed  0 of 1 item done, 1 active, 1 first copy
        2026-06-01 20:26:00  seed/db-07  no change for 11m: first copy REPLICATE_DISKS
        2026-06-01 20:36:00  seed  0 of 1 item done, 1 active, 1 stalled, 1 first copy
        2026-06-01 20:50:00  seed/db-07  no change for 35m: first copy REPLICATE_DISKS
        2026-06-01 20:50:00  seed  0 of 1 item done, 1 active, 1 stalled, 1 first copy
        "#);
    }
}
