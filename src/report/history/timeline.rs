//! The picture of a wave over time: a bar per item, its phases as parts of it, as inline SVG.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::phase::Phase;
use super::{Entry, History, Span, Standing, Track, WaveEntry, What, text};

/// The widths of the picture in its units: the names, the chart, the words at the right.
const NAMES: f64 = 190.0;
const CHART: f64 = 800.0;
const WORDS: f64 = 150.0;
const ROW: f64 = 20.0;
const BAR: f64 = 14.0;
const AXIS: f64 = 26.0;
/// The smallest width of a part, and of a bar.
const HAIR: f64 = 0.4;
const SLIM: f64 = 2.0;
/// The approximate width of a letter in the name of an item or a phase.
const LETTER: f64 = 6.3;
const LONGEST_NAME: usize = 28;
const MOST_TICKS: i64 = 8;

/// One bar.
struct Row<'history> {
    name: &'history str,
    from: Timestamp,
    to: Timestamp,
    track: &'history Track,
    /// The words at its end, and its colour.
    words: String,
    class: &'static str,
    open: bool,
}

/// The range of times in a picture, and their zone.
struct Scale<'zone> {
    from: Timestamp,
    seconds: f64,
    zone: &'zone TimeZone,
}

impl<'zone> Scale<'zone> {
    fn new(from: Timestamp, to: Timestamp, zone: &'zone TimeZone) -> Self {
        Self { from, seconds: to.duration_since(from).as_secs_f64().max(1.0), zone }
    }

    fn x(&self, at: Timestamp) -> f64 {
        let share = at.duration_since(self.from).as_secs_f64() / self.seconds;
        NAMES + CHART * share.clamp(0.0, 1.0)
    }

    /// Round times, as many as are easy to read.
    fn ticks(&self) -> Vec<Timestamp> {
        const STEPS: [i64; 18] =
            [1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];
        #[allow(clippy::cast_possible_truncation, reason = "a run takes less than a million years")]
        let whole = self.seconds as i64;
        let weeks = (whole / MOST_TICKS / 604_800 + 1) * 604_800;
        let step = STEPS.into_iter().find(|step| whole / step <= MOST_TICKS).unwrap_or(weeks);
        let offset = i64::from(self.zone.to_offset(self.from).seconds());
        let first = (self.from.as_second() + offset).div_euclid(step) * step - offset;
        let times = (0..=MOST_TICKS + 2).filter_map(|number| Timestamp::from_second(first + number * step).ok());
        let end = self.from + text::span(self.seconds);
        times.filter(|at| *at >= self.from && *at <= end).collect()
    }
}

/// All waves in one picture; `None` for fewer than two.
pub fn overview(history: &History, waves: &[WaveEntry<'_>], zone: &TimeZone) -> Option<Markup> {
    let end = |wave: &WaveEntry<'_>| wave.finished.unwrap_or_else(|| history.last());
    let (from, to) = (waves.iter().map(WaveEntry::started).min()?, waves.iter().map(end).max()?);
    if waves.len() < 2 {
        return None;
    }
    let scale = Scale::new(from, to, zone);
    #[allow(clippy::cast_precision_loss, reason = "a few waves")]
    let height = ROW * waves.len() as f64 + AXIS;
    Some(html! {
        svg .overview viewBox=(format!("0 0 {} {height}", NAMES + CHART + WORDS)) role="img"
            aria-label="The waves over time" {
            (axis(&scale, height))
            (pauses(history, &scale, height))
            @for (number, wave) in waves.iter().enumerate() {
                @let (at, to) = (y(number), end(wave));
                @let took = text::duration(to.duration_since(wave.started()));
                @let (ok, bad, total) = (wave.counts.ok, wave.counts.failed + wave.counts.unknown, wave.total());
                g .wave {
                    (name(&wave.label, at))
                    rect .whole x=(unit(scale.x(wave.started()))) y=(unit(at + (ROW - BAR) / 2.0))
                        width=(unit((scale.x(to) - scale.x(wave.started())).max(SLIM))) height=(unit(BAR)) {
                        title { (wave.label) ": " (clock(wave.started(), zone)) " to " (clock(to, zone)) ", " (took) }
                    }
                    @if bad > 0 { (words(&format!("\u{2717} {bad} of {total} failed, {took}"), "bad", at)) }
                    @else { (words(&format!("{ok} of {total} ok, {took}"), "plain", at)) }
                }
            }
        }
    })
}

/// The items of one wave.
pub fn wave(history: &History, wave: &WaveEntry<'_>, zone: &TimeZone) -> Option<Markup> {
    let items: Vec<Entry<'_>> = wave.items().collect();
    let rows: Vec<Row<'_>> = items.iter().filter_map(|entry| row(history, entry)).collect();
    picture(history, &rows, &format!("The items of {} over time", wave.label), zone)
}

/// The waits outside of all waves.
pub fn loose(history: &History, zone: &TimeZone) -> Option<Markup> {
    let rows: Vec<Row<'_>> =
        history.loose.iter().filter_map(|(label, track)| loose_row(history, label, track)).collect();
    picture(history, &rows, "Waits outside all waves", zone)
}

fn row<'history>(history: &History, entry: &'history Entry<'_>) -> Option<Row<'history>> {
    let from = entry.item.started?;
    let open = entry.standing.is_open();
    let to = entry.track.finished.unwrap_or_else(|| end_of(history, entry.track, from));
    let (word, took) = (entry.standing.word(), text::duration(to.duration_since(from)));
    let class = match entry.standing {
        Standing::Ended(_) if entry.standing.is_bad() => "bad",
        Standing::Ended(crate::event::Outcome::Ok) => "plain",
        _ => "odd",
    };
    let mark = if entry.standing.is_bad() { "\u{2717} " } else { "" };
    Some(Row { name: entry.key(), from, to, track: entry.track, words: format!("{mark}{word}, {took}"), class, open })
}

fn loose_row<'history>(history: &History, label: &'history str, track: &'history Track) -> Option<Row<'history>> {
    let from = track.spans.iter().map(|span| span.from).min()?;
    let to = end_of(history, track, from);
    let open = track.spans.iter().any(|span| span.to.is_none());
    Some(Row { name: label, from, to, track, words: text::duration(to.duration_since(from)), class: "plain", open })
}

/// The last known time of something without an end.
fn end_of(history: &History, track: &Track, from: Timestamp) -> Timestamp {
    if history.meta.alive {
        return history.last();
    }
    track.spans.iter().map(|span| span.to.unwrap_or(span.from)).max().unwrap_or(from)
}

fn picture(history: &History, rows: &[Row<'_>], label: &str, zone: &TimeZone) -> Option<Markup> {
    let (from, to) = (rows.iter().map(|row| row.from).min()?, rows.iter().map(|row| row.to).max()?);
    let scale = Scale::new(from, to, zone);
    #[allow(clippy::cast_precision_loss, reason = "a few thousand rows")]
    let height = ROW * rows.len() as f64 + AXIS;
    Some(html! {
        svg .items viewBox=(format!("0 0 {} {height}", NAMES + CHART + WORDS)) role="img" aria-label=(label) {
            (axis(&scale, height))
            (pauses(history, &scale, height))
            @for (number, row) in rows.iter().enumerate() { (bar(row, &scale, y(number))) }
        }
    })
}

fn bar(row: &Row<'_>, scale: &Scale<'_>, at: f64) -> Markup {
    let top = at + (ROW - BAR) / 2.0;
    let (from, to) = (scale.x(row.from), scale.x(row.to));
    let again = row.track.attempts.iter().skip(1);
    html! {
        g .bar {
            (name(row.name, at))
            rect .script.open[row.open] x=(unit(from)) y=(unit(top)) width=(unit((to - from).max(SLIM))) height=(unit(BAR)) {
                title { (row.name) ": " (clock(row.from, scale.zone)) " to " (clock(row.to, scale.zone)) ", " (row.words) }
            }
            @for (span, part, parts) in stretches(row, scale) { (stretch(row, span, (part, parts), scale, top)) }
            @for attempt in again {
                @let x = unit(scale.x(attempt.started));
                line .attempt x1=(x) x2=(x) y1=(unit(top - 2.0)) y2=(unit(top + BAR + 2.0)) {
                    title { "attempt " (attempt.number) " begins at " (clock(attempt.started, scale.zone)) }
                }
            }
            (words(&row.words, row.class, at))
        }
    }
}

/// The spans that are wide enough to be seen, each with its share of the bar's height: simultaneous waits are stacked.
fn stretches<'row>(row: &'row Row<'_>, scale: &Scale<'_>) -> Vec<(&'row Span, usize, usize)> {
    let end = |span: &Span| span.to.unwrap_or(row.to);
    let seen = |span: &&Span| scale.x(end(span)) - scale.x(span.from) >= HAIR / 4.0;
    let mut ends: Vec<Timestamp> = Vec::new();
    let mut placed = Vec::new();
    for span in row.track.spans.iter().filter(seen) {
        let part = ends.iter().position(|free| *free <= span.from).unwrap_or(ends.len());
        ends.resize(ends.len().max(part + 1), end(span));
        ends[part] = end(span);
        placed.push((span, part));
    }
    placed.into_iter().map(|(span, part)| (span, part, ends.len())).collect()
}

fn stretch(row: &Row<'_>, span: &Span, (part, parts): (usize, usize), scale: &Scale<'_>, top: f64) -> Markup {
    let phase = span.phase();
    let to = span.to.unwrap_or(row.to);
    let (x, width) = (scale.x(span.from), (scale.x(to) - scale.x(span.from)).max(HAIR));
    #[allow(clippy::cast_precision_loss, reason = "a handful of parts")]
    let (height, down) = (BAR / parts as f64, BAR / parts as f64 * part as f64);
    let took = text::duration(to.duration_since(span.from));
    #[allow(clippy::cast_precision_loss, reason = "a short word")]
    let fits = width > phase.word().len() as f64 * LETTER + 6.0 && height > 9.0;
    html! {
        rect class=(format!("phase {}", phase.word())) x=(unit(x)) y=(unit(top + down)) width=(unit(width)) height=(unit(height)) {
            title {
                (row.name) ": " (span.name()) ", " (clock(span.from, scale.zone)) " to " (clock(to, scale.zone)) ", " (took)
                @match &span.what {
                    What::Pause { cause } => { ", after: " (cause.with_place()) }
                    What::Task { subject, status, .. } => { " (" (subject.kind) " " (subject.id) ", " (status) ")" }
                }
            }
        }
        @if fits {
            text class=(format!("in {}", phase.word())) x=(unit(x + 3.0)) y=(unit(top + down + 10.5)) { (phase.word()) }
        }
    }
}

/// The meaning of the colours.
pub fn legend() -> Markup {
    html! {
        ul .legend {
            @for phase in Phase::ALL {
                li {
                    svg viewBox="0 0 22 14" aria-hidden="true" {
                        rect class=(format!("phase {}", phase.word())) width="22" height="14" {}
                    }
                    (phase.meaning())
                }
            }
            li { svg viewBox="0 0 22 14" aria-hidden="true" { rect .script width="22" height="14" {} } "the script's own work" }
            li { svg viewBox="0 0 22 14" aria-hidden="true" { line .attempt x1="11" x2="11" y1="0" y2="14" {} } "a new attempt" }
        }
    }
}

/// The patterns that distinguish some phases without their colours as well; once per page.
pub fn patterns() -> Markup {
    html! {
        svg .patterns aria-hidden="true" width="0" height="0" {
            defs {
                pattern #striped width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect width="6" height="6" fill="#f0e442" {}
                    rect width="2" height="6" fill="#8a7f00" {}
                }
                pattern #dotted width="5" height="5" patternUnits="userSpaceOnUse" {
                    rect width="5" height="5" fill="#bdbdbd" {}
                    circle cx="2.5" cy="2.5" r="1" fill="#6b6b6b" {}
                }
            }
        }
    }
}

fn axis(scale: &Scale<'_>, height: f64) -> Markup {
    let mut day = None;
    let labels = scale.ticks().into_iter().map(|at| {
        let local = at.to_zoned(scale.zone.clone());
        let is_new = day.replace(local.date()) != Some(local.date());
        let format = match (is_new, scale.seconds < 480.0) {
            (true, _) => "%-d %b %H:%M",
            (false, true) => "%H:%M:%S",
            (false, false) => "%H:%M",
        };
        (scale.x(at), local.strftime(format).to_string())
    });
    html! {
        g .axis {
            @for (x, label) in labels {
                line x1=(unit(x)) x2=(unit(x)) y1="0" y2=(unit(height - AXIS + 4.0)) {}
                text x=(unit(x)) y=(unit(height - 8.0)) text-anchor="middle" { (label) }
            }
        }
    }
}

/// The times at which no process worked on the run.
fn pauses(history: &History, scale: &Scale<'_>, height: f64) -> Markup {
    let gaps = history.periods.windows(2).map(|pair| (pair[0].1, pair[1].0)).filter(|(from, to)| to > from);
    let shown = gaps.map(|(from, to)| (scale.x(from), scale.x(to), to.duration_since(from)));
    html! {
        @for (from, to, took) in shown.filter(|(from, to, _)| to > from) {
            rect .nobody x=(unit(from)) y="0" width=(unit(to - from)) height=(unit(height - AXIS)) {
                title { "no process worked on the run: " (text::duration(took)) }
            }
        }
    }
}

fn name(name: &str, at: f64) -> Markup {
    let shown = text::one_line(name);
    html! {
        text .name x=(unit(NAMES - 8.0)) y=(unit(at + 14.0)) text-anchor="end" {
            title { (shown) }
            (text::cut(&shown, LONGEST_NAME))
        }
    }
}

fn words(words: &str, class: &str, at: f64) -> Markup {
    html! { text class=(format!("words {class}")) x=(unit(NAMES + CHART + 6.0)) y=(unit(at + 14.0)) { (words) } }
}

#[allow(clippy::cast_precision_loss, reason = "a few thousand rows")]
fn y(number: usize) -> f64 {
    number as f64 * ROW
}

/// A coordinate with two digits: a page has tens of thousands.
fn unit(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A time of day.
fn clock(at: Timestamp, zone: &TimeZone) -> String {
    text::time(at, zone)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn ticks(seconds: i64, zone: &TimeZone) -> Vec<String> {
        let from: Timestamp = "2026-06-01T20:07:30Z".parse().expect("a time");
        let scale = Scale::new(from, from + SignedDuration::from_secs(seconds), zone);
        scale.ticks().into_iter().map(|at| at.to_string()).collect()
    }

    #[test]
    fn ticks_are_round_times_and_few() {
        assert_eq!(
            ticks(3600, &TimeZone::UTC),
            ["20:10", "20:20", "20:30", "20:40", "20:50", "21:00"].map(|time| format!("2026-06-01T{time}:00Z"))
        );
        let kathmandu = TimeZone::fixed(jiff::tz::Offset::from_seconds(20_700).expect("5:45"));
        assert_eq!(ticks(3 * 3600, &kathmandu)[..2], ["2026-06-01T20:15:00Z", "2026-06-01T20:45:00Z"]);
        for seconds in [0, 1, 7, 59, 3601, 90_000, 40 * 86_400, 4000 * 86_400] {
            let count = ticks(seconds, &TimeZone::UTC).len();
            assert!(count <= 9, "{seconds} s: {count} ticks");
        }
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([0.0, 12.5, 12.346, 100.0, 190.004].map(unit), ["0", "12.5", "12.35", "100", "190"]);
    }
}
