//! The paths and methods that the service's router knows, whatever the ids: all others are 404 in another form.

use crate::model::Generation;

/// The kinds of objects that can be listed through an endpoint.
const OFFERS: [&str; 7] = [
    "instances",
    "networks",
    "storage",
    "source-options",
    "destination-options",
    "source-minion-pool-options",
    "destination-minion-pool-options",
];

/// The last path segments that a member of a collection accepts in a POST.
#[derive(Clone, Copy)]
enum Verbs {
    None,
    /// `actions`, which is answered.
    Actions,
    /// `action`, which has no route.
    Action,
    Both,
}

/// `segments` begins behind the project.
pub(super) fn is_routed(method: &str, segments: &[&str], generation: Generation) -> bool {
    if segments.iter().any(|segment| segment.is_empty()) {
        return false;
    }
    let current = generation == Generation::Current;
    match segments {
        ["regions" | "services" | "diagnostics", rest @ ..] => collection(method, rest, Verbs::None),
        ["minion_pools", rest @ ..] => collection(method, rest, Verbs::Actions),
        ["providers", _, "schemas", _, rest @ ..] | ["providers", rest @ ..] => collection(method, rest, Verbs::None),
        ["endpoints", _, offer, rest @ ..] if OFFERS.contains(offer) || (current && *offer == "inventory") => {
            collection(method, rest, Verbs::None)
        }
        ["endpoints", rest @ ..] => collection(method, rest, Verbs::Both),
        ["transfers", rest @ ..] if current => transfers(method, rest),
        ["replicas", rest @ ..] if !current => transfers(method, rest),
        ["deployments", rest @ ..] if current => collection(method, rest, Verbs::Both),
        ["migrations", rest @ ..] if !current => collection(method, rest, Verbs::Both),
        _ => false,
    }
}

fn transfers(method: &str, segments: &[&str]) -> bool {
    match segments {
        [_, "executions", rest @ ..] => collection(method, rest, Verbs::Both),
        [_, "schedules", rest @ ..] => collection(method, rest, Verbs::Action),
        rest => collection(method, rest, Verbs::Both),
    }
}

fn collection(method: &str, segments: &[&str], verbs: Verbs) -> bool {
    match segments {
        [] => matches!(method, "GET" | "POST"),
        [_] => matches!(method, "GET" | "PUT" | "DELETE"),
        [_, "edit"] => method == "GET",
        [_, "action"] => method == "POST" && matches!(verbs, Verbs::Action | Verbs::Both),
        [_, "actions"] => method == "POST" && matches!(verbs, Verbs::Actions | Verbs::Both),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(generation: Generation, line: &str) -> bool {
        let (method, path) = line.split_once(' ').unwrap();
        is_routed(method, &path.split('/').collect::<Vec<_>>(), generation)
    }

    #[test]
    fn collections_have_members_and_members_have_actions() {
        let known = [
            "GET transfers",
            "POST transfers",
            "GET transfers/new",
            "GET transfers/detail",
            "PUT deployments/id",
            "GET transfers/id/edit",
            "POST endpoints/id/action",
            "POST endpoints/id/actions",
            "POST minion_pools/id/actions",
            "POST transfers/id/executions/id/actions",
            "DELETE transfers/id/schedules/id",
            "GET endpoints/id/instances/name",
            "GET endpoints/id/inventory",
            "GET providers/x",
            "GET providers/x/schemas/16",
            "GET diagnostics/x",
        ];
        let unknown = [
            "GET replicas",
            "GET nonsense",
            "PUT transfers",
            "PATCH endpoints/id",
            "POST endpoints/id",
            "GET transfers/",
            "GET transfers//executions",
            "GET transfers/id/nonsense",
            "GET transfers/id/actions",
            "POST minion_pools/id/action",
            "POST regions/id/actions",
            "POST transfers/id/schedules/id/actions",
            "GET providers/x/schemas",
            "GET endpoints/id/nonsense",
        ];
        let wrong: Vec<&str> = known.into_iter().filter(|line| !routed(Generation::Current, line)).collect();
        assert_eq!(wrong, Vec::<&str>::new());
        let wrong: Vec<&str> = unknown.into_iter().filter(|line| routed(Generation::Current, line)).collect();
        assert_eq!(wrong, Vec::<&str>::new());
    }

    #[test]
    fn the_generations_differ_in_two_collections_and_the_inventory() {
        for line in ["GET replicas", "POST migrations/id/actions", "GET replicas/new", "GET endpoints/id/storage"] {
            assert!(routed(Generation::Legacy, line), "{line}");
        }
        for line in ["GET transfers/new", "GET deployments", "GET endpoints/id/inventory"] {
            assert!(!routed(Generation::Legacy, line), "{line}");
        }
    }
}
