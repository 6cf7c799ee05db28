//! The fields of the server's objects, of both generations (as recorded), with those that this program adds. A server
//! may have others: only near misses of these are reported. Pure.

use crate::check::shape::{Fields, Origin, Shape};
use crate::language::spec::Noun;

/// The fields of every object.
const EVERY: &[&str] = &["id", "created_at", "updated_at", "deleted", "deleted_at", "user_id", "project_id", "status"];

/// Replicas, deployments and migrations, which have most fields in common.
const ACTION: &[&str] = &[
    "base_id",
    "clone_disks",
    "clustered",
    "created",
    "deployer_id",
    "deployment_id",
    "destination_endpoint_id",
    "destination_environment",
    "destination_minion_pool_id",
    "execution_id",
    "executions",
    "info",
    "instance_osmorphing_minion_pool_mappings",
    "instances",
    "last_execution_status",
    "network_map",
    "notes",
    "origin_endpoint_id",
    "origin_minion_pool_id",
    "replica_id",
    "replication_count",
    "reservation_id",
    "scenario",
    "shutdown_instances",
    "skip_os_morphing",
    "source_environment",
    "storage_mappings",
    "tasks",
    "transfer_id",
    "transfer_result",
    "transfer_scenario_type",
    "trust_id",
    "type",
    "user_scripts",
];

/// The fields of each kind of object besides those of all.
const OBJECTS: [(&[Noun], &[&str]); 9] = [
    (&[Noun::Transfer, Noun::Deployment, Noun::Migration], ACTION),
    (&[Noun::Execution], &["action_id", "number", "replica_id", "tasks", "transfer_id", "type"]),
    (&[Noun::Endpoint], &["connection_info", "created", "description", "mapped_regions", "name", "type", "validation"]),
    (
        &[Noun::Instance],
        &[
            "boot_order",
            "devices",
            "dynamic_memory_enabled",
            "firmware_type",
            "flavor_name",
            "guest_id",
            "instance_name",
            "memory_mb",
            "name",
            "nested_virtualization",
            "num_cpu",
            "os_type",
        ],
    ),
    (&[Noun::Network], &["cidr", "name"]),
    (
        &[Noun::MinionPool],
        &[
            "created",
            "endpoint_id",
            "environment_options",
            "events",
            "maintenance_trust_id",
            "maximum_minions",
            "minimum_minions",
            "minion_machines",
            "minion_max_idle_time",
            "minion_retention_strategy",
            "name",
            "notes",
            "os_type",
            "platform",
            "progress_updates",
            "shared_resources",
        ],
    ),
    (&[Noun::Region], &["created", "description", "enabled", "mapped_endpoints", "mapped_services", "name"]),
    (&[Noun::Service], &["binary", "enabled", "host", "mapped_regions", "providers", "specs", "topic"]),
    (
        &[Noun::Schedule],
        &[
            "auto_deploy",
            "enabled",
            "expiration_date",
            "replica_id",
            "schedule",
            "shutdown_instance",
            "transfer_id",
            "trust_id",
        ],
    ),
];

/// An object of the server that `function` returns.
pub fn object(function: &'static str, noun: Noun) -> Option<Shape> {
    let (_, own) = OBJECTS.iter().find(|(nouns, _)| nouns.contains(&noun))?;
    let known = EVERY.iter().chain(*own).map(|name| ((*name).to_owned(), Shape::Any));
    let fields = Fields { other: Some(Box::new(Shape::Any)), ..Fields::of(Origin::Function(function), known) };
    Some(Shape::map(fields))
}

/// The field that a nearly equal name was meant for.
pub fn nearly<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let open = fields.other.is_some() && matches!(fields.origin, Origin::Function(_));
    if !open || fields.known.contains_key(name) || name.len() < 4 {
        return None;
    }
    let edits = |known: &str| strsim::damerau_levenshtein(known, name);
    let names = fields.known.keys().map(String::as_str);
    names.filter(|known| edits(known) <= if known.len() < 8 { 1 } else { 2 }).min_by_key(|known| edits(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_field_is_known_and_what_is_another_is_not() {
        let Some(Shape::Map(fields)) = object("f", Noun::Execution) else { panic!("an object") };
        assert_eq!(nearly(&fields, "stauts"), Some("status"));
        assert_eq!(nearly(&fields, "transfer_ids"), Some("transfer_id"));
        for other in ["status", "tags", "ip", "origin"] {
            assert_eq!(nearly(&fields, other), None, "{other}");
        }
        assert!(object("f", Noun::Transfer).is_some());
        assert_eq!(object("f", Noun::Storage), None);
    }
}
