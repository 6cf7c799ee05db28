//! Times as the service writes them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `2026-06-01T20:00:00.000000`: no zone, no fraction.
pub(in crate::sandbox) fn stamp(time: Timestamp) -> String {
    let time = TimeZone::UTC.to_datetime(time);
    let mut text = *b"0000-00-00T00:00:00.000000";
    // Every answer holds dozens, so the formatting machinery is avoided.
    let mut put = |at: usize, digits: usize, number: i16| {
        let mut rest = number.unsigned_abs();
        for digit in (at..at + digits).rev() {
            text[digit] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    };
    put(0, 4, time.year());
    for (at, number) in
        [(5, time.month()), (8, time.day()), (11, time.hour()), (14, time.minute()), (17, time.second())]
    {
        put(at, 2, number.into());
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}
