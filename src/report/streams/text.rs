//! Words and numbers for people: durations, bytes, and text cut to a width of the screen.
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The mark where text was cut off.
const CUT: char = '…';

/// `42s`, `6m`, `1h27`, `3d04h`.
pub fn duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m"),
        () if days < 2 => format!("{hours}h{:02}", minutes % 60),
        () => format!("{days}d{:02}h", hours % 24),
    }
}

/// [`duration`] of a number of seconds.
pub fn seconds(seconds: f64) -> String {
    duration(span(seconds))
}

/// A duration of a number of seconds; zero for one that is not a number or too large.
pub fn span(seconds: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::ZERO)
}

/// `999 B`, `1.2 GB`, `40 GB`: powers of 1000, as disks are sold.
pub fn bytes(bytes: u64) -> String {
    let (number, unit) = scaled(bytes);
    format!("{number} {unit}")
}

/// `12/40 GB`: the done share of a total, with the unit once if it is the same.
pub fn bytes_of(done: u64, total: u64) -> String {
    let ((done, done_unit), (total, total_unit)) = (scaled(done), scaled(total));
    if done_unit == total_unit {
        format!("{done}/{total} {total_unit}")
    } else {
        format!("{done} {done_unit}/{total} {total_unit}")
    }
}

fn scaled(bytes: u64) -> (String, &'static str) {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    #[allow(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut number = bytes as f64;
    let mut unit = 0;
    while number >= 999.5 && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    let text = if unit > 0 && number < 9.95 { format!("{number:.1}") } else { format!("{number:.0}") };
    (text, UNITS[unit])
}

/// `22:04:05`
pub fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// `2026-06-01 20:00:00`
pub fn date_and_time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Text as one line without control characters: keys, names and messages come from outside, and an escape sequence
/// among them would draw on the operator's screen.
pub fn one_line(text: &str) -> String {
    let mut line: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    line.truncate(line.trim_end().len());
    line
}

/// Like [`one_line`], with the line breaks kept.
pub fn printable(text: &str) -> String {
    text.lines().map(one_line).collect::<Vec<_>>().join("\n")
}

/// The number of columns of `text`.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `width` columns, cut with `…` if it is longer.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let mut taken = 0;
    let mut short: String = text
        .chars()
        .take_while(|char| {
            taken += char.width().unwrap_or(0);
            taken <= room
        })
        .collect();
    // Emoji sequences may be wider as a whole than the sum of their characters.
    while short.width() > room {
        short.pop();
    }
    short.push(CUT);
    short
}

/// `text` in exactly `width` columns, from the left.
pub fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let gap = width - text.width();
    text + " ".repeat(gap).as_str()
}

/// `text` in exactly `width` columns, from the right.
pub fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    " ".repeat(width - text.width()) + text.as_str()
}

/// `####------` in `width` columns; full only when everything is done.
pub fn bar(fraction: f64, width: usize) -> String {
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let full = ((fraction * width as f64).floor() as usize).min(width);
    "#".repeat(full) + "-".repeat(width - full).as_str()
}

/// ` 45%`: rounded down, so that 100 % means done.
pub fn percent(percent: f64) -> String {
    let percent = if percent.is_finite() { percent.clamp(0.0, 100.0) } else { 0.0 };
    format!("{:>3.0}%", percent.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        let spoken = [0, 42, 360, 5220, 36 * 3600, 3 * 86_400 + 4 * 3600]
            .map(|seconds| duration(SignedDuration::from_secs(seconds)));
        assert_eq!(spoken, ["0s", "42s", "6m", "1h27", "36h00", "3d04h"]);
        assert_eq!(seconds(f64::NAN), "0s");
    }

    #[test]
    fn bytes_have_two_digits_and_a_unit() {
        let spoken = [0, 999, 1_234, 9_960_000, 1_200_000_000, 40_000_000_000, 999_900_000].map(bytes);
        assert_eq!(spoken, ["0 B", "999 B", "1.2 kB", "10 MB", "1.2 GB", "40 GB", "1.0 GB"]);
        assert_eq!(bytes_of(12_000_000_000, 40_000_000_000), "12/40 GB");
        assert_eq!(bytes_of(120_000_000, 40_000_000_000), "120 MB/40 GB");
    }

    #[test]
    fn text_is_cut_by_columns_not_by_characters() {
        assert_eq!(cut("database", 8), "database");
        assert_eq!(cut("database", 5), "data…");
        assert_eq!(cut("数据库", 5), "数据…");
        assert_eq!(left("数据库", 4), "数… ");
        assert_eq!(cut("x", 0), "");
    }

    #[test]
    fn control_characters_never_reach_the_screen() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc\t"), "a [2Jb c");
        assert_eq!(printable("a\u{7}\nb"), "a \nb".replace(" \n", "\n"));
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        assert_eq!(bar(0.0, 4), "----");
        assert_eq!(bar(0.999, 4), "###-");
        assert_eq!(bar(1.0, 4), "####");
        assert_eq!(percent(99.9), " 99%");
    }
}
