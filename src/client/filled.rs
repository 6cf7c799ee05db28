//! Lists that had entries before: an empty answer is asked for again before it is believed. A proxy's empty answer is
//! complete and wrong, and decisions about copies, replicas and deployments depend on "there is none".

use std::collections::HashSet;

use jiff::SignedDuration;
use parking_lot::Mutex;

use super::request::{Method, Request};
use super::{retry, shape};

/// The number of empty answers in a row that are believed for a list that had entries.
const OF_FILLED: u32 = 4;
/// The same for a list that had none yet.
const OF_NEW: u32 = 3;

/// The lists of this process that had entries.
#[derive(Default)]
pub(super) struct Filled(Mutex<HashSet<String>>);

impl Filled {
    /// Notes that the list has an entry.
    pub(super) fn note(&self, request: &Request) {
        self.0.lock().extend(name(request));
    }

    /// Notes a change that was carried out: the list has another entry, or may no longer have any.
    pub(super) fn changed(&self, request: &Request) {
        match (request.method, request.path.rsplit_once('/')) {
            (Method::Post, _) => self.note(request),
            (Method::Delete, Some((list, _))) => drop(self.0.lock().remove(list)),
            _ => {}
        }
    }

    /// The pause before asking for the list again after `answers` empty answers in a row; `None` once they are
    /// believed.
    pub(super) fn pause(&self, request: &Request, answers: u32) -> Option<SignedDuration> {
        let had_entries = name(request).is_some_and(|name| self.0.lock().contains(&name));
        match shape::tells(request.answer) {
            true if had_entries => (answers < OF_FILLED).then(|| retry::pause(answers)),
            true => (answers < OF_NEW).then_some(SignedDuration::ZERO),
            false => None,
        }
    }
}

/// The name of a list, or of the list that a creation adds to; `None` for a selection, which may be empty at any time.
fn name(request: &Request) -> Option<String> {
    let selects = |(name, _): &(String, String)| !["limit", "sort_key", "sort_dir"].contains(&name.as_str());
    let path = request.path.strip_suffix("/detail").unwrap_or(&request.path);
    (!request.query.iter().any(selects)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::{Answer, Repeat};

    #[test]
    fn a_list_that_had_entries_is_not_lightly_believed_to_be_empty() {
        let filled = Filled::default();
        let list = |path: &str| Request::get(path, Answer::List("executions"));
        let networks = Request::get("endpoints/E/networks", Answer::List("networks"));
        filled.note(&list("transfers"));
        filled.changed(&Request::delete("transfers/T"));
        filled.changed(&Request::post("replicas/T/executions", json!({}), Answer::Thing("execution"), Repeat::Find));
        filled.note(&list("transfers/T/executions").with("limit", 5));
        filled.note(&list("transfers/U/executions").with("status", "RUNNING"));
        filled.note(&networks);
        let told = [
            (list("replicas/T/executions/detail"), Some(1), 3),
            (list("transfers/T/executions"), Some(1), 3),
            (list("transfers/T/executions").with("status", "RUNNING"), Some(0), 2),
            (list("transfers/U/executions"), Some(0), 2),
            (list("transfers"), Some(0), 2),
            (networks, None, 0),
        ]
        .map(|(request, first, times)| {
            let pauses: Vec<_> = (1..9).map_while(|answers| filled.pause(&request, answers)).collect();
            (pauses.first().map(SignedDuration::as_secs) == first && pauses.len() == times, request.path)
        });
        assert!(told.iter().all(|(right, _)| *right), "{told:?}");
    }
}
