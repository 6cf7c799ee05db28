//! The limits of a list: applied by the server where it can, by us where it cannot.

use std::cmp::Ordering;

use serde_json::Value;
use strum::IntoStaticStr;

use super::request::Request;
use crate::model::{Generation, Object, Status};

/// The statuses of transfers that every server with a filter accepts. It checks them against the statuses of tasks, so
/// `DEADLOCKED`, `UNEXECUTED` and others are 400.
const FILTERED_BY_SERVER: [Status<'_>; 5] =
    [Status::Running, Status::Cancelling, Status::Completed, Status::Error, Status::Canceled];

/// A selection of a list's entries, and their order. Without `sort`: the newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filters {
    /// The id of the last entry that was already seen.
    pub marker: Option<String>,
    pub limit: Option<usize>,
    pub sort: Vec<(String, Direction)>,
    pub status: Option<String>,
    /// Includes deleted ones.
    pub show_deleted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Direction {
    #[strum(serialize = "asc")]
    Ascending,
    #[strum(serialize = "desc")]
    Descending,
}

impl Direction {
    pub fn word(self) -> &'static str {
        self.into()
    }
}

impl Filters {
    /// Only the newest `limit` entries.
    pub fn newest(limit: usize) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    /// Adds the filters that the server supports to a list request. Legacy servers support none.
    pub(super) fn ask(&self, generation: Generation, request: Request) -> Request {
        let request = request.with_some("show_deleted", self.show_deleted.then_some("true"));
        let status_is_ours = self.status.as_deref().is_some_and(|status| !FILTERED_BY_SERVER.contains(&status.into()));
        if generation == Generation::Legacy {
            return request;
        }
        let mut request = request;
        if !status_is_ours {
            // A list limited by the server would be cut before we can filter it.
            request = request
                .with_some("marker", self.marker.as_ref())
                .with_some("limit", self.limit)
                .with_some("status", self.status.as_ref());
        }
        // A `sort_key` without its direction is 400.
        for (key, direction) in &self.sort {
            request = request.with("sort_key", key).with("sort_dir", direction.word());
        }
        request
    }

    /// Applies the filters that the server may not have applied (servers before 1.2.2 ignore them all); applying them
    /// twice changes nothing.
    pub fn apply(&self, mut entries: Vec<Value>) -> Vec<Value> {
        if let Some(status) = &self.status {
            entries.retain(|entry| Object::from(entry).status() == Status::from(status.as_str()));
        }
        entries.sort_by(|a, b| self.order(a, b));
        if let Some(marker) = &self.marker
            && let Some(position) = entries.iter().position(|entry| Object::from(entry).id() == Some(marker))
        {
            entries.drain(..=position);
        }
        entries.truncate(self.limit.unwrap_or(usize::MAX));
        entries
    }

    fn order(&self, a: &Value, b: &Value) -> Ordering {
        if self.sort.is_empty() {
            // Timestamps have whole seconds: between equal ones the number decides for executions, the id for the rest.
            return ["created_at", "number", "id"]
                .iter()
                .fold(Ordering::Equal, |order, key| order.then_with(|| compare(&b[*key], &a[*key])));
        }
        self.sort.iter().fold(Ordering::Equal, |order, (key, direction)| {
            order.then_with(|| match direction {
                Direction::Ascending => compare(&a[key.as_str()], &b[key.as_str()]),
                Direction::Descending => compare(&b[key.as_str()], &a[key.as_str()]),
            })
        })
    }
}

/// Nulls come first, as in the server's database.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => (!a.is_null()).cmp(&!b.is_null()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::Answer;

    fn plain() -> Request {
        Request::get("transfers", Answer::List("transfers"))
    }

    fn ids(entries: &[Value]) -> Vec<&str> {
        entries.iter().filter_map(|entry| entry["id"].as_str()).collect()
    }

    #[test]
    fn a_current_server_is_asked_for_what_it_can_do() {
        let filters = Filters {
            marker: Some("M".into()),
            limit: Some(2),
            sort: vec![("updated_at".into(), Direction::Descending)],
            status: Some("RUNNING".into()),
            show_deleted: true,
        };
        let expected = plain()
            .with("show_deleted", "true")
            .with("marker", "M")
            .with("limit", 2)
            .with("status", "RUNNING")
            .with("sort_key", "updated_at")
            .with("sort_dir", "desc");
        assert_eq!(filters.ask(Generation::Current, plain()), expected);
        assert_eq!(filters.ask(Generation::Legacy, plain()), plain().with("show_deleted", "true"));
    }

    #[test]
    fn a_status_that_the_server_refuses_is_filtered_here_before_the_limit() {
        let filters = Filters { limit: Some(1), status: Some("DEADLOCKED".into()), ..Filters::default() };
        assert_eq!(filters.ask(Generation::Current, plain()), plain());
        let entries = vec![
            json!({"id": "a", "last_execution_status": "ERROR", "created_at": "3"}),
            json!({"id": "b", "last_execution_status": "DEADLOCKED", "created_at": "1"}),
            json!({"id": "c", "last_execution_status": "DEADLOCKED", "created_at": "2"}),
        ];
        assert_eq!(ids(&filters.apply(entries)), ["c"]);
    }

    #[test]
    fn a_server_that_ignores_everything_gives_the_same_as_one_that_does_not() {
        let entries = vec![
            json!({"id": "a", "created_at": "1", "updated_at": null}),
            json!({"id": "b", "created_at": "2", "updated_at": "9"}),
            json!({"id": "c", "created_at": "2", "updated_at": "8"}),
            json!({"id": "d", "created_at": "3", "updated_at": "7"}),
        ];
        let newest = Filters { marker: Some("d".into()), limit: Some(2), ..Filters::default() };
        assert_eq!(ids(&newest.apply(entries.clone())), ["c", "b"]);
        let sorted = Filters { sort: vec![("updated_at".into(), Direction::Ascending)], ..Filters::default() };
        assert_eq!(ids(&sorted.apply(entries)), ["a", "d", "c", "b"]);
        assert_eq!(ids(&newest.apply(vec![json!({"id": "c", "created_at": "2"})])), ["c"]);
    }

    #[test]
    fn executions_of_one_second_are_ordered_by_their_number() {
        let entries = vec![
            json!({"id": "z", "number": 9, "created_at": "1"}),
            json!({"id": "a", "number": 10, "created_at": "1"}),
        ];
        assert_eq!(ids(&Filters::newest(1).apply(entries)), ["a"]);
    }
}
