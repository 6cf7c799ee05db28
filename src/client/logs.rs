//! The logs of the server's services, kept by a separate service.

use super::request::{Answer, Request, Service, segment};

/// Answers a list of `{"log_name": name}`.
pub fn list() -> Request {
    Request::get("logs/", Answer::List("logs")).to(Service::Logs)
}

/// A text. Both limits are in seconds since 1970; `None` means no limit.
pub fn download(log: &str, start: Option<i64>, end: Option<i64>) -> Request {
    Request::get(format!("logs/{}/", segment(log)), Answer::Text)
        .with_some("start_date", start)
        .with_some("end_date", end)
        .to(Service::Logs)
}

/// A websocket whose messages are `{"app_name", "message", ...}`.
pub fn stream(log: Option<&str>, severity: Option<&str>) -> Request {
    Request::get("ws", Answer::Whole).with_some("app_name", log).with_some("severity", severity).to(Service::Logs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_end_with_a_slash() {
        assert_eq!(list(), Request::get("logs/", Answer::List("logs")).to(Service::Logs));
        let one = Request::get("logs/coriolis-worker/", Answer::Text).to(Service::Logs);
        assert_eq!(download("coriolis-worker", None, None), one);
        assert_eq!(download("coriolis-worker", Some(1), Some(2)), one.with("start_date", 1).with("end_date", 2));
    }
}
