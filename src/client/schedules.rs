//! Schedules of a transfer: the times at which the server executes it by itself. Times are UTC, each part one exact
//! value.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::request::{Answer, Repeat, Request, segment};
use super::transfers;
use crate::error::{Error, Result};
use crate::model::Generation;

/// The parts of a time, with their ranges; `dow` 0 is Monday.
const RANGES: [(&str, i64, i64); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("dom", 1, 31), ("month", 1, 12), ("dow", 0, 6)];

/// The parts of a time, named as in the API.
pub const PARTS: [&str; 5] = [RANGES[0].0, RANGES[1].0, RANGES[2].0, RANGES[3].0, RANGES[4].0];

/// `expired` includes the schedules that have expired.
pub fn list(generation: Generation, transfer: &str, expired: bool) -> Request {
    let request = Request::get(collection(generation, transfer), Answer::List("schedules"));
    // Anything but these two words is a 500.
    if expired { request } else { request.with("show_expired", "False") }
}

pub fn show(generation: Generation, transfer: &str, schedule: &str) -> Request {
    Request::get(path(generation, transfer, schedule), Answer::Thing("schedule"))
}

/// Fields: `schedule` (see [`check_time`]), `enabled`, `expiration_date`, `shutdown_instance`, `auto_deploy`; not
/// wrapped in a second `schedule`, which the server would read as every minute.
///
/// # Errors
/// `Script` for a time that the server would misread, and for `auto_deploy` on a legacy server.
pub fn create(generation: Generation, transfer: &str, fields: Map<String, Value>) -> Result<Request> {
    let body = express(generation, fields)?;
    check_time(&body["schedule"])?;
    Ok(Request::post(collection(generation, transfer), body, Answer::Thing("schedule"), Repeat::Find))
}

/// Changes only the named fields; `schedule` is replaced whole.
///
/// # Errors
/// As [`create`].
pub fn update(generation: Generation, transfer: &str, schedule: &str, fields: Map<String, Value>) -> Result<Request> {
    let body = express(generation, fields)?;
    if let Some(time) = body.get("schedule") {
        check_time(time)?;
    }
    Ok(Request::put(path(generation, transfer, schedule), body, Answer::Thing("schedule"), Repeat::Find))
}

pub fn delete(generation: Generation, transfer: &str, schedule: &str) -> Request {
    Request::delete(path(generation, transfer, schedule))
}

/// Refuses times that the server would silently misread: it ignores unknown keys, and a missing one means *every*.
///
/// # Errors
/// `Script`, naming the key.
pub fn check_time(time: &Value) -> Result<()> {
    let Some(parts) = time.as_object() else {
        return Err(
            Error::script("a schedule needs a time: `minute`, `hour`, `dom`, `month`, `dow`").detail("key", "schedule")
        );
    };
    for (name, value) in parts {
        let Some((_, least, most)) = RANGES.iter().find(|(part, ..)| part == name) else {
            return Err(Error::script(format!("a schedule has no `{name}`"))
                .hint("it has `minute`, `hour`, `dom`, `month` and `dow`; the server would ignore it and run every minute")
                .detail("key", name.as_str()));
        };
        if !value.as_i64().is_some_and(|number| (*least..=*most).contains(&number)) {
            return Err(Error::script(format!("`{name}` of a schedule must be {least} to {most}, not {value}"))
                .detail("key", name.as_str()));
        }
    }
    if !parts.contains_key("minute") {
        let what = if parts.is_empty() { "every minute" } else { "every minute of the time it names" };
        return Err(Error::script(format!("a schedule without `minute` would run {what}"))
            .hint("say `minute: 0` for once an hour, and `hour` for once a day"));
    }
    let part = |name: &str| parts.get(name).and_then(Value::as_i64).and_then(|number| i8::try_from(number).ok());
    // 2024 has a 29th of February.
    if let (Some(day), Some(month)) = (part("dom"), part("month"))
        && Date::new(2024, month, day).is_err()
    {
        return Err(
            Error::script(format!("month {month} has no day {day}: the schedule would never run")).detail("key", "dom")
        );
    }
    Ok(())
}

fn express(generation: Generation, mut fields: Map<String, Value>) -> Result<Value> {
    if generation == Generation::Legacy && fields.remove("auto_deploy").is_some_and(|value| value == true) {
        return Err(Error::script(
            "a legacy server cannot deploy by itself after a scheduled execution (`auto_deploy`)",
        )
        .hint("deploy with `replica_deploy` when it has run"));
    }
    Ok(json!(fields))
}

fn collection(generation: Generation, transfer: &str) -> String {
    format!("{}/schedules", transfers::path(generation, transfer))
}

fn path(generation: Generation, transfer: &str, schedule: &str) -> String {
    format!("{}/{}", collection(generation, transfer), segment(schedule))
}

/// A time as the server reads it. Without a zone it is UTC; a date alone means its beginning.
///
/// # Errors
/// `Script` for a text that is not a date, or not later than `now`.
pub fn end(text: &str, now: Timestamp) -> Result<String> {
    let moment = text.parse::<Timestamp>().ok().or_else(|| {
        let civil = text.trim().parse::<jiff::civil::DateTime>().ok()?;
        civil.in_tz("UTC").ok().map(|zoned| zoned.timestamp())
    });
    let Some(moment) = moment else {
        return Err(Error::script(format!("`{text}` is not a date"))
            .hint("write `2030-01-02T03:04:05Z`")
            .detail("key", "expiration_date"));
    };
    if moment <= now {
        return Err(Error::script(format!("`{text}` is in the past: the schedule would never run"))
            .detail("key", "expiration_date"));
    }
    Ok(moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEGACY: Generation = Generation::Legacy;
    const CURRENT: Generation = Generation::Current;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn each_generation_gets_its_own_words() {
        assert_eq!(list(CURRENT, "T", true), Request::get("transfers/T/schedules", Answer::List("schedules")));
        assert_eq!(
            list(LEGACY, "T", false),
            Request::get("replicas/T/schedules", Answer::List("schedules")).with("show_expired", "False")
        );
        assert_eq!(show(CURRENT, "T", "S"), Request::get("transfers/T/schedules/S", Answer::Thing("schedule")));
        let body = json!({"schedule": {"minute": 0, "hour": 2}, "enabled": true});
        assert_eq!(
            create(CURRENT, "T", fields(body.clone())).expect("can be said"),
            Request::post("transfers/T/schedules", body, Answer::Thing("schedule"), Repeat::Find)
        );
        assert_eq!(
            update(LEGACY, "T", "S", fields(json!({"enabled": false}))).expect("can be said"),
            Request::put("replicas/T/schedules/S", json!({"enabled": false}), Answer::Thing("schedule"), Repeat::Find)
        );
        assert_eq!(delete(CURRENT, "T", "S"), Request::delete("transfers/T/schedules/S"));
        assert!(update(LEGACY, "T", "S", fields(json!({"auto_deploy": true}))).is_err());
    }

    #[test]
    fn what_the_server_would_take_as_every_minute_is_refused() {
        for time in [
            json!({}),
            json!(null),
            json!({"second": 1}),
            json!({"schedule": {"minute": 1}}),
            json!({"hour": 3}),
            json!({"minute": 60}),
            json!({"minute": "0"}),
            json!({"minute": -1}),
            json!({"minute": 0, "hour": 24}),
            json!({"minute": 0, "dow": 7}),
            json!({"minute": 0, "dom": 0}),
            json!({"minute": 0, "month": 2, "dom": 30}),
        ] {
            assert!(check_time(&time).is_err(), "{time}");
            assert!(create(CURRENT, "T", fields(json!({ "schedule": time }))).is_err());
        }
        for time in [json!({"minute": 0}), json!({"minute": 59, "hour": 23, "dom": 29, "month": 2, "dow": 6})] {
            assert!(check_time(&time).is_ok(), "{time}");
        }
        assert!(create(CURRENT, "T", Map::new()).is_err());
    }

    #[test]
    fn an_end_is_written_in_utc_and_lies_ahead() {
        let now: Timestamp = "2026-06-01T20:00:00Z".parse().expect("a time");
        let written = |text| end(text, now).ok();
        assert_eq!(written("2030-01-02T03:04:05Z").as_deref(), Some("2030-01-02T03:04:05Z"));
        assert_eq!(written("2030-01-02T03:04:05+02:00").as_deref(), Some("2030-01-02T01:04:05Z"));
        assert_eq!(written("2030-01-02 03:04:05").as_deref(), Some("2030-01-02T03:04:05Z"));
        assert_eq!(written("2030-01-02").as_deref(), Some("2030-01-02T00:00:00Z"));
        assert_eq!(written("2026-06-01T19:00:00Z"), None);
        assert_eq!(written("soon"), None);
    }
}
