//! Following a list to its end: decides page by page what to ask next. Pure.
//!
//! Only the default order can be followed (`created_at`, `id`: neither ever changes). A marker that was deleted makes
//! the server start over silently, so repeats are normal; servers before 1.2.2 ignore `limit` and `marker`.

use std::collections::HashSet;

use serde_json::Value;

use super::request::{Answer, Request};

/// Large pages: every one of them makes the server sort the whole table.
const PAGE: usize = 1000;

pub(super) struct Paging {
    size: usize,
    entries: Vec<Value>,
    seen: HashSet<String>,
    ask: Option<Ask>,
    /// Full pages in a row without anything new.
    stale: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Ask {
    First,
    After(String),
    /// Without a limit: the server cannot be followed.
    Whole,
}

/// Whether the server can give this list in pages, and the caller has not said which part he wants.
pub(super) fn is_paged(request: &Request) -> bool {
    let paged = match request.answer {
        Answer::List("transfers" | "deployments" | "instances") => true,
        Answer::List("executions") => request.path.starts_with("transfers/"),
        _ => false,
    };
    paged && request.parameter("limit").is_none() && request.parameter("sort_key").is_none()
}

impl Paging {
    pub(super) fn new() -> Self {
        Self::of_size(PAGE)
    }

    fn of_size(size: usize) -> Self {
        Self { size, entries: Vec::new(), seen: HashSet::new(), ask: Some(Ask::First), stale: 0 }
    }

    /// The next request, or `None` when the list is complete.
    pub(super) fn next(&self, list: &Request) -> Option<Request> {
        let mut request = list.clone();
        match self.ask.as_ref()? {
            Ask::First => Some(request.with("limit", self.size)),
            Ask::After(marker) => {
                // Looking anew for every page would make the cloud list everything again each time.
                request.query.retain(|(name, _)| !["marker", "refresh"].contains(&name.as_str()));
                Some(request.with("marker", marker).with("limit", self.size))
            }
            Ask::Whole => Some(request),
        }
    }

    pub(super) fn take(&mut self, page: Vec<Value>) {
        let id = |entry: &Value| entry["id"].as_str().map(str::to_owned);
        let full = page.len() == self.size;
        let last = page.last().and_then(id);
        let repeats_marker = match &self.ask {
            Some(Ask::After(marker)) => page.iter().any(|entry| entry["id"].as_str() == Some(marker)),
            _ => false,
        };
        let known = self.entries.len();
        for entry in page {
            if id(&entry).is_none_or(|id| self.seen.insert(id)) {
                self.entries.push(entry);
            }
        }
        self.stale = if self.entries.len() == known { self.stale + 1 } else { 0 };
        // After a start over, all that was seen comes again; more than that means that it starts over for ever.
        let lost = self.stale > self.entries.len() / self.size + 2;
        self.ask = match (&self.ask, last) {
            (Some(Ask::Whole), _) => None,
            _ if !full => None,
            (_, Some(last)) if !repeats_marker && !lost => Some(Ask::After(last)),
            _ => Some(Ask::Whole),
        };
    }

    pub(super) fn into_entries(self) -> Vec<Value> {
        self.entries
    }
}
