//! Durations as people write them: `"90s"`, `"2h 30m"`, `"1d"`, or a number of seconds.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use crate::error::{Error, Result};

const HINT: &str = "write it as `90s`, `2h 30m`, `1d`, or as a number of seconds";

/// # Errors
/// `Script` when it is not a duration, is negative, or counts months or years, which have no fixed length.
pub fn parse(text: &str) -> Result<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds_of(seconds, text);
    }
    let span: Span = text.parse().map_err(|_| refused(text, "is not a duration"))?;
    let fixed = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let duration = fixed.map_err(|_| refused(text, "has no fixed length"))?;
    Duration::try_from(duration).map_err(|_| refused(text, "is negative"))
}

/// A duration from a plain number of seconds.
///
/// # Errors
/// `Script` when it is negative or too large.
pub fn seconds(seconds: f64) -> Result<Duration> {
    seconds_of(seconds, &seconds.to_string())
}

/// The pause after `failures` failures in a row: `first`, then twice as long with each one, at most `longest`.
pub fn backoff(first: Duration, longest: Duration, failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(longest)
}

/// The time `duration` after `time`; the end of time if that is further.
pub fn after(time: Timestamp, duration: Duration) -> Timestamp {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// Parses a timestamp of the server: naive, in UTC, with microseconds that are always zero
/// (`2026-11-22T07:45:55.000000`).
pub fn server_time(text: &str) -> Option<Timestamp> {
    if let Ok(timestamp) = text.parse() {
        return Some(timestamp);
    }
    text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn seconds_of(seconds: f64, text: &str) -> Result<Duration> {
    if seconds < 0.0 {
        return Err(refused(text, "is negative"));
    }
    // A duration beyond any calendar would fail later and elsewhere, when it is added to a time.
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| duration.as_secs() < 1 << 36);
    duration.ok_or_else(|| refused(text, "is not a duration"))
}

fn refused(text: &str, why: &str) -> Error {
    Error::script(format!("`{text}` {why}")).hint(HINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let table = [
            ("90s", 90),
            ("2h 30m", 9_000),
            ("2h30m", 9_000),
            ("1d", 86_400),
            ("1 day 2 hours", 93_600),
            ("1w", 604_800),
            ("1.5h", 5_400),
            ("90", 90),
            (" 5 min ", 300),
            ("PT1H", 3_600),
            ("0s", 0),
        ];
        let wrong: Vec<_> = table
            .iter()
            .filter(|(text, expected)| parse(text).ok() != Some(Duration::from_secs(*expected)))
            .map(|(text, _)| (text, parse(text)))
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(parse("250ms").ok(), Some(Duration::from_millis(250)));
        assert_eq!(seconds(0.5).ok(), Some(Duration::from_millis(500)));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_forms_that_are() {
        let table = [
            ("soon", "`soon` is not a duration"),
            ("", "`` is not a duration"),
            ("-5m", "`-5m` is negative"),
            ("-5", "`-5` is negative"),
            ("2 months", "`2 months` has no fixed length"),
            ("nan", "`nan` is not a duration"),
            ("inf", "`inf` is not a duration"),
            ("1e300", "`1e300` is not a duration"),
        ];
        for (text, message) in table {
            let error = parse(text).expect_err(text);
            assert_eq!((error.message.as_str(), error.hint.as_deref()), (message, Some(HINT)));
        }
    }

    #[test]
    fn times_are_naive_utc_or_have_an_offset() {
        let expected: Timestamp = "2026-11-22T07:45:55Z".parse().expect("a timestamp");
        for text in ["2026-11-22T07:45:55.000000", "2026-11-22T07:45:55Z", "2026-11-22T08:45:55+01:00"] {
            assert_eq!(server_time(text), Some(expected), "{text}");
        }
        assert_eq!(server_time("yesterday"), None);
    }

    #[test]
    fn a_pause_doubles_up_to_its_longest() {
        let pause = |failures| backoff(Duration::from_secs(30), Duration::from_secs(300), failures).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 5, 32, 33, u32::MAX].map(pause), [30, 30, 60, 120, 240, 300, 300, 300, 300]);
    }

    #[test]
    fn a_deadline_beyond_all_time_is_the_end_of_time() {
        assert_eq!(after(Timestamp::UNIX_EPOCH, Duration::MAX), Timestamp::MAX);
    }
}
