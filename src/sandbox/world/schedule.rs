//! Schedules of transfers: exact matches of minute, hour, day, month and weekday, in UTC. They outlive their transfer.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use serde_json::Value;

use super::caller::Caller;

/// The range of the search for a match: a day that exists only in leap years comes within eight years.
const DAYS_AHEAD: i64 = 8 * 366;

#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Schedule {
    pub id: String,
    pub transfer: String,
    /// As it was sent, with all its keys: an unknown key, like a missing one, means "every".
    pub schedule: Value,
    pub enabled: bool,
    pub shutdown_instance: bool,
    pub auto_deploy: bool,
    pub expiration: Option<Timestamp>,
    pub trust: String,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
    pub owner: Caller,
    /// The number of changes: an event noted for an older version does not fire.
    pub version: usize,
    pub deleted: bool,
}

impl Schedule {
    /// The first match after `after`, before it expires.
    pub(in crate::sandbox) fn next_match(&self, after: Timestamp) -> Option<Timestamp> {
        let wanted = |key: &str| self.schedule.get(key).and_then(Value::as_i64);
        let fits = |key: &str, value: i64| wanted(key).is_none_or(|wanted| wanted == value);
        let first = TimeZone::UTC.to_datetime(after + SignedDuration::from_mins(1));
        let start = first.date().at(first.hour(), first.minute(), 0, 0);
        let mut day = start.date();
        for _ in 0..DAYS_AHEAD {
            let weekday = i64::from(day.weekday().to_monday_zero_offset());
            if fits("month", day.month().into()) && fits("dom", day.day().into()) && fits("dow", weekday) {
                let hours = (0..24).filter(|hour| fits("hour", (*hour).into()));
                let times = hours.flat_map(|hour| (0..60).map(move |minute| (hour, minute)));
                let mut times = times.filter(|(_, minute)| fits("minute", (*minute).into()));
                let found = times.find(|(hour, minute)| day.at(*hour, *minute, 0, 0) >= start);
                if let Some((hour, minute)) = found {
                    return self.unless_expired(day.at(hour, minute, 0, 0));
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    fn unless_expired(&self, at: civil::DateTime) -> Option<Timestamp> {
        let at = at.to_zoned(TimeZone::UTC).ok()?.timestamp();
        self.expiration.is_none_or(|expiration| at < expiration).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matches(schedule: Value, after: &str) -> String {
        let schedule = Schedule {
            id: String::new(),
            transfer: String::new(),
            schedule,
            enabled: true,
            shutdown_instance: false,
            auto_deploy: false,
            expiration: None,
            trust: String::new(),
            created: Timestamp::UNIX_EPOCH,
            updated: None,
            owner: Caller { project: String::new(), user: String::new(), delegates: true },
            version: 0,
            deleted: false,
        };
        schedule.next_match(after.parse().unwrap()).map_or("never".into(), |at| at.to_string())
    }

    #[test]
    fn a_schedule_fires_at_the_next_minute_that_matches_all_its_fields() {
        let after = "2026-06-01T20:00:30Z";
        let cases = [
            (json!({}), "2026-06-01T20:01:00Z"),
            (json!({"second": 1}), "2026-06-01T20:01:00Z"),
            (json!({"minute": 0}), "2026-06-01T21:00:00Z"),
            (json!({"minute": 30, "hour": 2}), "2026-06-02T02:30:00Z"),
            (json!({"minute": 0, "hour": 0, "dow": 6}), "2026-06-07T00:00:00Z"),
            (json!({"minute": 5, "hour": 4, "dom": 29, "month": 2}), "2028-02-29T04:05:00Z"),
            (json!({"dom": 31, "month": 2}), "never"),
        ];
        let found: Vec<String> = cases.iter().map(|(schedule, _)| matches(schedule.clone(), after)).collect();
        assert_eq!(found, cases.map(|(_, expected)| expected));
    }
}
