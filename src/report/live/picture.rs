//! The board as lines of a screen: one per running item, a sum of the rest, then one per wave.
use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use crate::error::count;
use crate::event::{Outcome, Progress};
use crate::model::{Part, Status};
use crate::report::streams::paint::{Line, Tone};
use crate::report::streams::text;

use super::board::{Board, ItemIndex};
use super::item::{Activity, Item};
use super::message::brought_to_an_end;
use super::summary::source_name;
use super::wait::{Pace, Wait};
use super::wave::Wave;

/// Lines of the screen that are left to earlier output.
const MARGIN: usize = 2;

/// A shorter call is not worth a line.
const BLINK: SignedDuration = SignedDuration::from_secs(1);
/// The columns of percent and elapsed, and the gaps.
const FIXED: usize = 16;
/// The columns of `  stalled 1h23`: this note is worth more room than the bar.
const NOTE: usize = 14;

/// The content of one running line, before the widths of its columns are known.
struct Row {
    label: String,
    state: String,
    percent: Option<f64>,
    elapsed: String,
    pace: Pace,
    /// The expected rest, or at least that of the current part.
    left: String,
    copied: Vec<String>,
}

/// The widths of the columns of the running lines.
struct Columns {
    label: usize,
    state: usize,
    bar: usize,
}

impl Board {
    /// The picture at `now`, by the forecasts of the last [`Board::look`]: never more lines than `height` less two, none
    /// wider than `width`.
    pub fn lines(&self, now: Timestamp, width: usize, height: usize) -> Vec<Line> {
        let room = height.saturating_sub(MARGIN);
        let mut foot: Vec<Line> = self.wave_lines(width);
        foot.extend(self.away_line(now).or_else(|| self.trouble_line(now)));
        foot.extend(self.stop_line());
        let most = (room / 2).max(1).min(room);
        foot.drain(..foot.len().saturating_sub(most));
        let mut lines: Vec<Line> = self.source_line(now).filter(|_| room > foot.len()).into_iter().collect();
        lines.extend(self.row_lines(now, width, room - foot.len() - lines.len()));
        lines.append(&mut foot);
        lines.into_iter().map(|line| line.cut(width)).collect()
    }

    fn row_lines(&self, now: Timestamp, width: usize, room: usize) -> Vec<Line> {
        let mut rows: Vec<Row> = self.loose.iter().map(|wait| loose_row(wait, now)).collect();
        rows.extend(self.in_flight().into_iter().map(|place| self.row(place, now)));
        if rows.is_empty() && self.waves.iter().all(|wave| wave.finished.is_some()) {
            rows.extend(self.call_row(now));
        }
        if room == 0 {
            return Vec::new();
        }
        let hidden = if rows.len() > room { rows.len() - (room - 1) } else { 0 };
        let shown = most_telling(rows, hidden);
        let columns = Columns::of(&shown, width);
        let mut lines: Vec<Line> = shown.iter().map(|row| row.line(&columns, width)).collect();
        if hidden > 0 {
            lines.push(Line::default().with(Tone::Quiet, format!("+ {hidden} more in flight")));
        }
        lines
    }

    fn row(&self, place: ItemIndex, now: Timestamp) -> Row {
        let item = self.item(place);
        let wait = item.slowest_wait();
        let begun = item.started.unwrap_or(now);
        Row {
            label: self.name(place),
            state: state(item, now),
            percent: wait.map(|wait| wait.progress.percent),
            elapsed: text::duration(now.duration_since(begun)),
            pace: item.pace(),
            left: match self.rest(place, now) {
                Some(rest) => rest.words(),
                None => wait.map(|wait| part_left(wait, now)).unwrap_or_default(),
            },
            copied: wait.map_or_else(Vec::new, copied),
        }
    }

    fn wave_lines(&self, width: usize) -> Vec<Line> {
        let is_shown = |wave: &Wave| wave.finished.is_none() && !(wave.is_each() && wave.parent.is_some());
        let shown: Vec<usize> = (0..self.waves.len()).filter(|at| is_shown(&self.waves[*at])).collect();
        let name = shown.iter().map(|at| text::width(&self.waves[*at].name)).max().unwrap_or(0).min(width / 4);
        shown.into_iter().map(|at| self.wave_line(at, name, width)).collect()
    }

    /// The innermost call of the script itself, once it takes longer than a blink.
    fn call_row(&self, now: Timestamp) -> Option<Row> {
        let (_, function, began) = self.calls.last()?;
        let elapsed = now.duration_since(*began);
        (elapsed >= BLINK).then(|| Row {
            label: function.clone(),
            state: "working".to_owned(),
            percent: None,
            elapsed: text::duration(elapsed),
            pace: Pace::Moving,
            left: String::new(),
            copied: Vec::new(),
        })
    }

    /// The sources that are off: their number, and the one that has been off for longest.
    fn source_line(&self, now: Timestamp) -> Option<Line> {
        let longest = self.sources.iter().min_by_key(|source| source.since)?;
        let (name, off) = (source_name(longest), text::duration(now.duration_since(longest.since)));
        let text = match self.sources.len() {
            1 => format!("{name} for {off}"),
            many => format!("{many} VMs, {name} for {off}"),
        };
        Some(Line::default().with(Tone::Warning, "SOURCE OFF  ").with(Tone::Plain, text))
    }

    fn away_line(&self, now: Timestamp) -> Option<Line> {
        let away = self.away.as_ref()?;
        let silent = text::duration(now.duration_since(away.since));
        let rest = text::duration(away.until.duration_since(now).max(SignedDuration::ZERO));
        let text = format!("no answer from the cloud for {silent}, trying for {rest}: {}", away.cause);
        Some(Line::default().with(Tone::Warning, "AWAY  ").with(Tone::Plain, text))
    }

    fn trouble_line(&self, now: Timestamp) -> Option<Line> {
        let trouble = self.trouble.as_ref().filter(|trouble| trouble.next >= now)?;
        let rest = text::duration(trouble.next.duration_since(now));
        let text = format!("{} again in {rest}: {}", trouble.request, trouble.cause);
        Some(Line::default().with(Tone::Warning, "RETRY  ").with(Tone::Plain, text))
    }

    fn stop_line(&self) -> Option<Line> {
        let text = match self.stop? {
            false if self.sources.cutovers() > 0 => {
                format!("STOPPING  nothing new starts; {} first", brought_to_an_end(self.sources.cutovers()))
            }
            false => "STOPPING  nothing new starts; work on the server goes on".to_owned(),
            true => "LEAVING   work on the server goes on".to_owned(),
        };
        Some(Line::default().with(Tone::Warning, text))
    }
}

/// All but `hidden` of the rows, in order: stalled ones stay in sight, then the first ones.
fn most_telling(rows: Vec<Row>, hidden: usize) -> Vec<Row> {
    let shown = rows.len() - hidden;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|at| (Reverse(rows[*at].stillness()), *at));
    let kept: Vec<usize> = order.into_iter().take(shown).collect();
    rows.into_iter().enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, row)| row).collect()
}

fn loose_row(wait: &Wait, now: Timestamp) -> Row {
    Row {
        label: text::one_line(&wait.subject.label),
        state: wait_state(wait),
        percent: Some(wait.progress.percent),
        elapsed: text::duration(now.duration_since(wait.since)),
        pace: wait.pace(),
        left: wait.time_left(now).map(|left| format!("~{}", text::duration(left))).unwrap_or_default(),
        copied: copied(wait),
    }
}

/// The current work of an item, in a word or two.
pub fn state(item: &Item, now: Timestamp) -> String {
    if let Activity::Pausing { until } = item.state {
        let rest = until.duration_since(now);
        let when = if rest.is_positive() { format!(" in {}", text::duration(rest)) } else { String::new() };
        return format!("retry {}/{}{when}", item.attempt, item.attempts);
    }
    let wait = item.slowest_wait().map(wait_state);
    let call = || item.calls.last().map(|(_, function)| text::one_line(function));
    let state = wait.or_else(call).unwrap_or_else(|| "working".to_owned());
    let state = if item.is_verified_now() { format!("verify {state}") } else { state };
    match item.waits.len() {
        0 | 1 => state,
        waits => format!("{state} (1 of {waits})"),
    }
}

/// The part, the status unless it is the usual one, and the current task.
fn wait_state(wait: &Wait) -> String {
    match wait.progress.status.as_str() {
        "" => format!("waiting for {}", text::one_line(&wait.subject.kind)),
        _ => progress_state(&wait.progress),
    }
}

/// The same of an observation.
pub(super) fn progress_state(progress: &Progress) -> String {
    let is_usual = progress.task.is_some() && Status::from(progress.status.as_str()) == Status::Running;
    let status = (!is_usual).then_some(progress.status.as_str());
    let words = [progress.part.map(Part::word), status, progress.task.as_deref()];
    text::one_line(&words.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// The rest of the part that a wait is, which is not all: `12m+`.
fn part_left(wait: &Wait, now: Timestamp) -> String {
    wait.time_left(now).map(|left| format!("{}+", text::duration(left))).unwrap_or_default()
}

/// Bytes and rate, the most valuable first.
fn copied(wait: &Wait) -> Vec<String> {
    let Some((done, total)) = wait.progress.bytes else { return Vec::new() };
    let rate = wait.rate().map(|rate| format!("{}/s", text::bytes(rate)));
    rate.into_iter().chain([text::bytes_of(done, total)]).collect()
}

impl Columns {
    fn of(rows: &[Row], width: usize) -> Self {
        let widest = |of: fn(&Row) -> &str| rows.iter().map(|row| text::width(of(row))).max().unwrap_or(0);
        let label = widest(|row| &row.label).min(width * 3 / 10);
        // The full name of a task is worth more than a long bar.
        let spare = width.saturating_sub(label + FIXED + NOTE + 6);
        let state = widest(|row| &row.state).min(spare.max(width * 3 / 10));
        let room = width.saturating_sub(label + state + FIXED + NOTE);
        Self { label, state, bar: if room < 4 { 0 } else { room.min(width / 8).min(20) } }
    }
}

impl Row {
    fn stillness(&self) -> u8 {
        match self.pace {
            Pace::Moving => 0,
            Pace::Slow(_) => 1,
            Pace::Stalled(_) => 2,
        }
    }

    fn line(&self, columns: &Columns, width: usize) -> Line {
        let (bar, percent) = match self.percent {
            Some(percent) => (text::bar(percent / 100.0, columns.bar), text::percent(percent)),
            None => (" ".repeat(columns.bar), "    ".to_owned()),
        };
        let mut line = Line::default()
            .with(Tone::Strong, text::left(&self.label, columns.label))
            .with(Tone::Plain, format!("  {}  ", text::left(&self.state, columns.state)))
            .with(Tone::Plain, if bar.is_empty() { bar } else { bar + " " })
            .with(Tone::Plain, format!("{percent} {}", text::right(&self.elapsed, 6)));
        line = match self.pace {
            Pace::Moving => line,
            Pace::Slow(still) => line.fitting(width, Tone::Warning, &format!("slow {}", text::duration(still))),
            Pace::Stalled(still) => line.fitting(width, Tone::Bad, &format!("stalled {}", text::duration(still))),
        };
        line = line.fitting(width, Tone::Plain, &self.left);
        self.copied.iter().fold(line, |line, piece| line.fitting(width, Tone::Quiet, piece))
    }
}

impl Board {
    fn wave_line(&self, at: usize, name: usize, width: usize) -> Line {
        let wave = &self.waves[at];
        let (counts, forecast) = (wave.counts(), wave.forecast);
        let bar = if width < 50 { 0 } else { (width / 4).min(30) };
        let mut line = Line::default()
            .with(Tone::Strong, text::left(&text::one_line(&wave.name).to_uppercase(), name))
            .with(Tone::Plain, format!("  {}/{} done  ", counts.total(), wave.total))
            .with(Tone::Good, text::bar(forecast.share, bar))
            .with(
                Tone::Plain,
                if forecast.is_timed { format!(" {}", text::percent(forecast.share * 100.0)) } else { String::new() },
            );
        for outcome in [Outcome::Failed, Outcome::Unknown, Outcome::Cancelled, Outcome::Skipped] {
            let number = counts.get(outcome);
            let piece = if number > 0 { format!("{number} {}", outcome.said()) } else { String::new() };
            line = line.fitting(width, tone(outcome), &piece);
        }
        line = line.fitting(width, Tone::Plain, &format!("{} active", wave.active()));
        line = line.fitting(width, tone(Outcome::Failed), &self.failed_inside(at).unwrap_or_default());
        if wave.stopping.is_some() {
            line = line.fitting(width, Tone::Warning, "stopping");
        }
        line = line.fitting(width, Tone::Plain, &wave_left(wave).unwrap_or_default());
        line.fitting(width, Tone::Quiet, &parts(wave).join(", "))
    }

    /// `3 failed inside`: the items of waves inside that are not ok, which the wave itself may take as well done.
    fn failed_inside(&self, at: usize) -> Option<String> {
        let inside = self.inside(at);
        let not_ok = inside.failed + inside.unknown;
        (not_ok > 0).then(|| format!("{not_ok} failed inside"))
    }

    /// `seed: 15 of 36 items done, 20 active, 81%, ~2h10-2h40 left, 3 first copy, 17 deploy`, for output without bars.
    pub fn wave_sentence(&self, at: usize) -> String {
        let wave = &self.waves[at];
        let counts = wave.counts();
        let mut words = vec![
            format!("{} of {} done", counts.total(), count(wave.total, "item")),
            format!("{} active", wave.active()),
        ];
        words.extend((counts.failed > 0).then(|| format!("{} failed", counts.failed)));
        words.extend(self.failed_inside(at));
        words
            .extend(wave.forecast.is_timed.then(|| text::percent(wave.forecast.share * 100.0).trim_start().to_owned()));
        words.extend(wave_left(wave));
        words.extend(parts(wave));
        words.join(", ")
    }
}

/// `~25m-40m left`, and the items that stand still beside it.
fn wave_left(wave: &Wave) -> Option<String> {
    let left = wave.forecast.left.map(|left| format!("{} left", left.words()));
    let stalled = (wave.forecast.stalled > 0).then(|| format!("{} stalled", wave.forecast.stalled));
    let words: Vec<String> = left.into_iter().chain(stalled).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The parts that its items are in, each with their number.
fn parts(wave: &Wave) -> Vec<String> {
    let mut parts: Vec<(&str, usize)> = Vec::new();
    let in_flight = wave.items.iter().filter(|item| item.is_in_flight());
    let words = in_flight.filter_map(|item| match item.part() {
        None if item.is_verified_now() => Some("verify"),
        part => part.map(Part::word),
    });
    for word in words {
        match parts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, number)) => *number += 1,
            None => parts.push((word, 1)),
        }
    }
    parts.into_iter().map(|(word, number)| format!("{number} {word}")).collect()
}

/// The tone of an outcome.
pub fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Ok => Tone::Good,
        Outcome::Failed | Outcome::Unknown => Tone::Bad,
        Outcome::Skipped | Outcome::Cancelled => Tone::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Counts, Fact, Origin};
    use crate::report::live::scene;

    fn picture(board: &Board, width: usize, height: usize) -> String {
        let mut board = board.clone();
        board.look(scene::minute(41.0));
        let lines = board.lines(scene::minute(41.0), width, height);
        lines.iter().map(|line| line.plain().trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_item_in_flight_says_state_share_time_and_pace_at_80_columns() {
        insta::assert_snapshot!(picture(&scene::board(&scene::busy_wave()), 80, 24), @r#"
        seed/web-02   first copy REPLICATE_DISKS  #########-  90%    41m  slow 4m
        seed/db-07    first copy REPLICATE_DISKS  #---------  12%    41m  stalled 20m
        seed/db-11    retry 2/3                                      41m  ~2m-5m
        seed/mail-01  replica_ensure                                  1m  ~27m-50m
        SEED  1/7 done  #####---------------  27%  4 active  1 stalled  2 first copy
        "#);
    }

    #[test]
    fn a_wider_screen_shows_the_bytes_too() {
        insta::assert_snapshot!(picture(&scene::board(&scene::busy_wave()), 120, 40), @r#"
        seed/web-02   first copy REPLICATE_DISKS  #############--  90%    41m  slow 4m  36/40 GB
        seed/db-07    first copy REPLICATE_DISKS  #--------------  12%    41m  stalled 20m  4.8/40 GB
        seed/db-11    retry 2/3                                           41m  ~2m-5m
        seed/mail-01  replica_ensure                                       1m  ~27m-50m
        SEED  1/7 done  ########----------------------  27%  4 active  1 stalled  2 first copy
        "#);
    }

    #[test]
    fn what_does_not_fit_is_summed_and_what_stands_still_stays_in_sight() {
        insta::assert_snapshot!(picture(&scene::board(&scene::busy_wave()), 60, 5), @r#"
        seed/db-07  first copy REPLIC…   12%    41m  stalled 20m
        + 3 more in flight
        SEED  1/7 done  ####-----------  27%  4 active  1 stalled
        "#);
    }

    #[test]
    fn trouble_and_the_wish_to_stop_have_lines_of_their_own() {
        let mut events = scene::busy_wave();
        let cause = "connection refused".into();
        let next = scene::minute(42.0);
        let retried = Fact::RequestRetried { method: "GET".into(), path: "/v1/p/transfers".into(), cause, next };
        events.push(scene::event(41.0, scene::main_lane(), retried));
        events.push(scene::event(41.0, scene::main_lane(), Fact::StopRequested { now: false }));
        insta::assert_snapshot!(picture(&scene::board(&events), 80, 24), @r#"
        seed/web-02   first copy REPLICATE_DISKS  #########-  90%    41m  slow 4m
        seed/db-07    first copy REPLICATE_DISKS  #---------  12%    41m  stalled 20m
        seed/db-11    retry 2/3                                      41m  ~2m-5m
        seed/mail-01  replica_ensure                                  1m  ~27m-50m
        SEED  1/7 done  #####---------------  27%  4 active  1 stalled  2 first copy
        RETRY  GET /v1/p/transfers again in 1m: connection refused
        STOPPING  nothing new starts; work on the server goes on
        "#);
    }

    #[test]
    fn a_cloud_that_is_away_has_a_line_until_it_is_back() {
        let mut events = scene::busy_wave();
        let (since, until) = (scene::minute(40.5), scene::minute(50.5));
        let away = Fact::CloudAway { cause: "connection refused".into(), since, until };
        events.push(scene::event(41.0, scene::main_lane(), away));
        let text = picture(&scene::board(&events), 80, 24);
        let line = "AWAY  no answer from the cloud for 30s, trying for 9m: connection refused";
        assert_eq!(text.lines().last(), Some(line));
        events.push(scene::event(42.0, scene::main_lane(), Fact::CloudBack { after_seconds: 90.0 }));
        assert!(!picture(&scene::board(&events), 80, 24).contains("AWAY"));
    }

    #[test]
    fn a_clock_that_is_set_changes_nothing_in_the_picture() {
        let mut events = scene::busy_wave();
        let (since, until) = (scene::minute(40.5), scene::minute(50.5));
        events.push(scene::event(41.0, scene::main_lane(), Fact::CloudAway { cause: "gone".into(), since, until }));
        let board = scene::board(&events);
        for hours in [-2, 2] {
            let (by, mut set) = (SignedDuration::from_hours(hours), board.clone());
            set.shift(by);
            let drawn = |board: &Board, now| board.lines(now, 80, 24).iter().map(Line::plain).collect::<Vec<_>>();
            assert_eq!(drawn(&set, scene::minute(41.0) + by), drawn(&board, scene::minute(41.0)));
        }
    }

    #[test]
    fn each_line_says_its_part_and_the_time_left_is_that_of_all_that_is_yet_to_do() {
        let at_minute = |minutes: f64, width: usize| {
            let mut board = scene::board(&scene::moves());
            board.look(scene::minute(minutes));
            let lines = board.lines(scene::minute(minutes), width, 24);
            lines.iter().map(|line| line.plain().trim_end().to_owned()).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(at_minute(60.0, 40), @r#"
        move/web-02  deploy OS_M…   48%    45m
        move/db-01   first copy …   30%    10m
        MOVE  1/4 done    52%  2 active
        "#);
        insta::assert_snapshot!(at_minute(60.0, 80), @r#"
        move/web-02  deploy OS_MORPHING          ####------  48%    45m  ~3m-6m
        move/db-01   first copy REPLICATE_DISKS  ###-------  30%    10m  ~28m-52m
        MOVE  1/4 done  ##########----------  52%  2 active  ~33m-1h01 left
        "#);
        insta::assert_snapshot!(at_minute(60.0, 120), @r#"
        move/web-02  deploy OS_MORPHING          #######--------  48%    45m  ~3m-6m
        move/db-01   first copy REPLICATE_DISKS  ####-----------  30%    10m  ~28m-52m  22 MB/s  12/40 GB
        MOVE  1/4 done  ###############---------------  52%  2 active  ~33m-1h01 left  1 deploy, 1 first copy
        "#);
    }

    #[test]
    fn before_an_item_is_through_there_is_only_the_rest_of_a_copy() {
        let events = scene::moves().into_iter().filter(|event| event.at <= scene::minute(0.0));
        let mut events: Vec<_> = events.collect();
        events.push(scene::copying(3.0, 0.0, scene::item("move", "web-01"), "c1", 10));
        events.push(scene::copying(6.0, 0.0, scene::item("move", "web-01"), "c1", 20));
        let mut board = scene::board(&events);
        board.look(scene::minute(6.0));
        let lines: Vec<String> = board.lines(scene::minute(6.0), 80, 24).iter().map(Line::plain).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        move/web-01  first copy REPLICATE_DISKS  ##--------  20%     6m  24m+  22 MB/s
        MOVE  0/4 done  --------------------  1 active  1 first copy
        "#);
    }

    #[test]
    fn a_wave_that_goes_on_in_another_process_starts_where_it_is() {
        let mut events = scene::moves();
        let begun = Fact::RunStarted { runbook: None, cloud: "c".into() };
        events.push(scene::event(200.0, scene::main_lane(), begun));
        let mut again = scene::wave(200.0, "move", 2, &["web-01", "web-02", "db-01", "db-02"]);
        again.at = scene::minute(200.0);
        events.push(again);
        events.push(scene::started(200.0, scene::item("move", "web-02")));
        events.push(scene::started(200.0, scene::item("move", "db-01")));
        let mut board = scene::board(&events);
        board.look(scene::minute(201.0));
        let lines: Vec<String> = board.lines(scene::minute(201.0), 80, 24).iter().map(Line::plain).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        move/web-02  working                    3h06  ~6m-11m
        move/db-01   working                    2h31  ~34m-1h03
        MOVE  1/4 done  #########-----------  46%  2 active  ~37m-1h10 left
        "#);
    }

    #[test]
    fn the_failures_inside_of_an_item_are_counted_on_the_outer_wave() {
        let inner = |minutes, key: &str, outcome| {
            let origin = Origin {
                lane: format!("main/apps/A/tier/{key}").into(),
                wave: Some("tier".into()),
                item: Some(key.into()),
            };
            scene::finished(minutes, origin, outcome, 1, None)
        };
        let mut tier = scene::wave(1.0, "tier", 2, &["web-01", "web-02"]);
        tier.origin = scene::item("apps", "A");
        let mut board = scene::board(&[
            scene::wave(0.0, "apps", 1, &["A", "B"]),
            scene::started(0.0, scene::item("apps", "A")),
            tier,
            inner(2.0, "web-01", Outcome::Failed),
            inner(3.0, "web-02", Outcome::Ok),
        ]);
        board.look(scene::minute(4.0));
        assert_eq!(board.wave_sentence(0), "0 of 2 items done, 1 active, 1 failed inside");
        let mut ended = scene::wave_finished(4.0, "tier", Counts::default());
        ended.origin = scene::item("apps", "A");
        board.apply(&ended);
        board.apply(&scene::finished(5.0, scene::item("apps", "A"), Outcome::Ok, 1, None));
        board.look(scene::minute(5.0));
        assert!(board.wave_sentence(0).contains("1 failed inside"), "{}", board.wave_sentence(0));
    }

    #[test]
    fn a_call_that_takes_long_is_shown() {
        let called = Fact::CallStarted { call: 1, function: "endpoint_instance_list".to_owned() };
        let board = scene::board(&[scene::event(40.0, scene::main_lane(), called)]);
        insta::assert_snapshot!(picture(&board, 80, 24), @r#"
        endpoint_instance_list  working                      1m
        "#);
    }
}
