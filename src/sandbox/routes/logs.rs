//! The logging service's routes: lists, downloads, and the messages of a stream.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Answer, Incoming, Services};
use crate::sandbox::rules::{LOGS, LOGS_PREFIX, LogLine};
use crate::sandbox::world::Cloud;

/// The path of the service; the catalog has it.
pub(super) fn answer(services: Services<'_>, incoming: &Incoming) -> Answer {
    let Services { cloud, keystone, now, .. } = services;
    if incoming.caller.is_none() {
        return Answer::unauthorized(&keystone.base);
    }
    let path = incoming.path.strip_prefix(LOGS_PREFIX).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match (incoming.method.as_str(), segments.as_slice()) {
        ("GET", ["logs"]) => {
            let logs: Vec<Value> = LOGS.iter().map(|log| json!({"log_name": log})).collect();
            Answer::json(200, &json!({"logs": logs}))
        }
        ("GET", ["logs", log]) if LOGS.contains(log) => {
            Answer::new(200, "text/plain", download(cloud, incoming, log, now))
        }
        _ => Answer::json(404, &json!({"error": {"code": 404, "message": "The log could not be found."}})),
    }
}

/// The lines of a log between two points in time, in seconds since 1970.
fn download(cloud: &Cloud, incoming: &Incoming, log: &str, now: Timestamp) -> String {
    let bound = |key: &str| incoming.value(key).and_then(|value| value.parse::<i64>().ok());
    let (start, end) = (bound("start_date").unwrap_or(i64::MIN), bound("end_date").unwrap_or(i64::MAX));
    let wanted = |line: &LogLine| line.log == log && (start..=end).contains(&line.at.as_second());
    cloud.log_lines(now).into_iter().filter(wanted).map(|line| line.text() + "\n").collect()
}

/// The messages of a stream so far, of one log or all, up to a severity.
pub(in crate::sandbox) fn messages(cloud: &Cloud, incoming: &Incoming, now: Timestamp) -> Vec<String> {
    let log = incoming.value("app_name");
    let severity = incoming.value("severity").and_then(|value| value.parse::<u8>().ok()).unwrap_or(7);
    let wanted = |line: &LogLine| log.is_none_or(|log| line.log == log) && line.severity <= severity;
    let lines = cloud.log_lines(now).into_iter().filter(wanted);
    lines
        .map(|line| json!({"app_name": line.log, "severity": line.severity, "message": line.text()}).to_string())
        .collect()
}
