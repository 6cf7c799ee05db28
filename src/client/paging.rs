//! Following a list to its end: decides page by page which to ask for next. Pure.
//!
//! Only the default order can be followed (`created_at`, `id`: neither ever changes). A deleted marker makes the server
//! start over silently, so repeats are normal; servers before 1.2.2 ignore `limit` and `marker`.

use std::collections::HashSet;

use serde_json::Value;

use super::request::{Answer, Request};
use crate::model::Object;

/// Large pages: every one of them makes the server sort the whole table.
const PAGE: usize = 1000;

pub(super) struct Paging {
    size: usize,
    entries: Vec<Value>,
    seen: HashSet<String>,
    ask: Option<Ask>,
    /// The number of full pages in a row without anything new.
    stale: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Ask {
    First,
    After(String),
    /// Without a limit: the server does not support paging.
    Whole,
}

/// True if the server can give this list in pages, and the caller has not asked for a certain part.
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
                // A fresh look for every page would make the cloud list everything again each time.
                request.query.retain(|(name, _)| !["marker", "refresh"].contains(&name.as_str()));
                Some(request.with("marker", marker).with("limit", self.size))
            }
            Ask::Whole => Some(request),
        }
    }

    pub(super) fn take(&mut self, page: Vec<Value>) {
        let id = |entry: &Value| Object::from(entry).id().map(str::to_owned);
        let full = page.len() == self.size;
        let last = page.last().and_then(id);
        let repeats_marker = match &self.ask {
            Some(Ask::After(marker)) => page.iter().any(|entry| Object::from(entry).id() == Some(marker)),
            _ => false,
        };
        let known = self.entries.len();
        for entry in page {
            if id(&entry).is_none_or(|id| self.seen.insert(id)) {
                self.entries.push(entry);
            }
        }
        self.stale = if self.entries.len() == known { self.stale + 1 } else { 0 };
        // After a start over, everything seen comes again; more than that means that it starts over for ever.
        let lost = self.stale > self.entries.len() / self.size + 2;
        self.ask = match (&self.ask, last) {
            (Some(Ask::Whole), _) => None,
            _ if !full => None,
            (_, Some(last)) if !repeats_marker && !lost => Some(Ask::After(last)),
            _ => Some(Ask::Whole),
        };
    }

    /// Records that the server refused the last request. Some providers answer 400 to a deleted marker: then the list
    /// is asked for as a whole. Returns whether there is anything else to ask.
    pub(super) fn refused(&mut self) -> bool {
        let followed = matches!(self.ask, Some(Ask::After(_)));
        self.ask = followed.then_some(Ask::Whole);
        followed
    }

    pub(super) fn into_entries(self) -> Vec<Value> {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// A server's list, newest first, which treats `limit` and `marker` as real servers were seen to do.
    #[derive(Clone, Debug)]
    struct Server {
        ids: Vec<u32>,
        knows_limit: bool,
        knows_marker: bool,
    }

    impl Server {
        fn answer(&self, request: &Request) -> Vec<Value> {
            let limit = request.parameter("limit").filter(|_| self.knows_limit).map(|limit| limit.parse().unwrap());
            // A marker stands for its place in the order; a deleted one is ignored.
            let marker = request.parameter("marker").filter(|_| self.knows_marker).map(|id| id.parse::<u32>().unwrap());
            let marker = marker.filter(|marker| self.ids.contains(marker));
            let after = self.ids.iter().filter(|id| marker.is_none_or(|marker| **id < marker));
            after.take(limit.unwrap_or(usize::MAX)).map(|id| json!({"id": id.to_string()})).collect()
        }
    }

    fn list() -> Request {
        Request::get("transfers", Answer::List("transfers"))
    }

    fn follow(server: &mut Server, size: usize, mut between: impl FnMut(&mut Server, usize)) -> Vec<u32> {
        let mut paging = Paging::of_size(size);
        let mut pages = 0;
        while let Some(request) = paging.next(&list()) {
            paging.take(server.answer(&request));
            pages += 1;
            assert!(pages < 2_000, "it does not end");
            between(server, pages);
        }
        paging.into_entries().iter().map(|entry| entry["id"].as_str().unwrap().parse().unwrap()).collect()
    }

    proptest! {
        #[test]
        fn nothing_is_missing_nothing_comes_twice_and_it_ends(
            count in 0u32..60,
            size in 1usize..8,
            knows_limit: bool,
            knows_marker: bool,
            deleted in prop::collection::vec((1usize..20, 0u32..60), 0..12),
            created in prop::collection::vec(1usize..20, 0..6),
        ) {
            let mut server = Server { ids: (0..count).rev().collect(), knows_limit, knows_marker };
            let mut next = count;
            let found = follow(&mut server, size, |server, page| {
                server.ids.retain(|id| !deleted.contains(&(page, *id)));
                for _ in created.iter().filter(|at| **at == page) {
                    server.ids.insert(0, next);
                    next += 1;
                }
            });
            let set: BTreeSet<u32> = found.iter().copied().collect();
            prop_assert_eq!(set.len(), found.len(), "something came twice");
            let throughout = (0..count).filter(|id| server.ids.contains(id));
            let missing: Vec<u32> = throughout.filter(|id| !set.contains(id)).collect();
            prop_assert!(missing.is_empty(), "missing: {:?}", missing);
        }
    }

    #[test]
    fn a_list_that_always_loses_its_marker_still_ends() {
        let mut server = Server { ids: (0..1000).rev().collect(), knows_limit: true, knows_marker: true };
        let found = follow(&mut server, 3, |server, page| {
            // The last of every page is deleted before it can serve as a marker.
            let last = if page == 1 { 2 } else { 2.min(server.ids.len().saturating_sub(1)) };
            if server.ids.len() > 500 {
                server.ids.remove(last);
            }
        });
        assert!(server.ids.iter().all(|id| found.contains(id)));
    }

    #[test]
    fn a_short_list_is_one_request() {
        let mut paging = Paging::new();
        assert_eq!(paging.next(&list()), Some(list().with("limit", 1000)));
        paging.take(vec![json!({"id": "a"})]);
        assert_eq!(paging.next(&list()), None);
    }

    #[test]
    fn a_marker_that_a_provider_refuses_ends_the_paging_and_not_the_list() {
        let mut paging = Paging::of_size(1);
        paging.take(vec![json!({"id": "a"})]);
        assert!(paging.refused());
        assert_eq!(paging.next(&list()), Some(list()));
        assert!(!paging.refused());
        assert!(!Paging::new().refused());
    }

    #[test]
    fn the_cloud_is_looked_at_anew_for_the_first_page_only() {
        let instances = Request::get("endpoints/E/instances", Answer::List("instances")).with("name", "web");
        let mut paging = Paging::of_size(1);
        paging.take(vec![json!({"id": "a"})]);
        let refreshed = instances.clone().with("refresh", "True");
        assert_eq!(paging.next(&refreshed), Some(instances.with("marker", "a").with("limit", 1)));
    }

    #[test]
    fn only_lists_that_the_server_can_page_are_paged() {
        assert!(is_paged(&list()));
        assert!(!is_paged(&list().with("limit", 20)));
        assert!(!is_paged(&list().with("sort_key", "updated_at")));
        assert!(!is_paged(&Request::get("replicas", Answer::List("replicas"))));
        assert!(!is_paged(&Request::get("endpoints", Answer::List("endpoints"))));
        assert!(!is_paged(&Request::get("replicas/T/executions/detail", Answer::List("executions"))));
    }
}
