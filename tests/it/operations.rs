//! What real servers taught about single functions.

use coriolis_run::error::Kind;
use coriolis_run::model::Generation;
use serde_json::json;

use crate::rehearsal::{GENERATIONS, Options, Rehearsal, Stage};

const PRELUDE: &str = r#"
    let ends = #{ origin_endpoint: "vcenter", destination_endpoint: "openstack" };
    let helpers = #{ endpoint: "openstack", platform: "destination", os_type: "linux", environment_options: #{} };
"#;

fn on_both(source: &str, check: impl Fn(Rehearsal)) {
    for generation in GENERATIONS {
        check(on(generation, source));
    }
}

fn on(generation: Generation, source: &str) -> Rehearsal {
    Stage::new(Options::of(generation)).play(&format!("{PRELUDE}{source}"))
}

#[test]
fn a_new_pool_looks_deallocated_and_is_waited_for_until_it_is_allocated() {
    let source = r#"
        let pool = minion_pool_create("helpers", helpers);
        [pool.status, minion_pool_show(pool).status, wait_for(pool).status]
    "#;
    on_both(source, |run| assert_eq!(run.value(), &json!(["DEALLOCATED", "DEALLOCATED", "ALLOCATED"])));
    let source = r#"wait_for(minion_pool_create("helpers", helpers + #{ skip_allocation: true })).status"#;
    on_both(source, |run| assert_eq!(run.value(), &json!("DEALLOCATED")));
}

#[test]
fn a_pool_that_is_refreshed_is_waited_for_until_its_machines_are_free_again() {
    let source = r#"
        let pool = wait_for(minion_pool_create("helpers", helpers));
        let refreshed = minion_pool_refresh(pool);
        let rested = wait_for(refreshed);
        let states = [refreshed, rested].map(|pool| pool.minion_machines[0].allocation_status);
        [refreshed.status, rested.status, states, minion_pool_deallocate(pool).status]
    "#;
    let expected = json!(["ALLOCATED", "ALLOCATED", ["HEALTHCHECKING", "AVAILABLE"], "IN_MAINTENANCE"]);
    on_both(source, |run| assert_eq!(run.value(), &expected));
}

#[test]
fn the_pools_that_systems_are_changed_in_are_given_like_every_other_pool() {
    let source = r#"
        let pool = minion_pool_create("helpers", helpers);
        [pool, pool.id, "helpers"].map(|written|
            replica_create(ends + #{ instance: "web-01", instance_osmorphing_minion_pool_mappings: #{ "web-01": written } })
                .instance_osmorphing_minion_pool_mappings == #{ "web-01": pool.id })
    "#;
    on_both(source, |run| assert_eq!(run.value(), &json!([true, true, true])));
}

#[test]
fn a_migration_is_deleted_by_the_id_that_it_was_created_with() {
    let source = r#"
        let migration = migration_create(ends + #{ instance: "web-01" });
        wait_for(migration);
        migration_delete(migration);
        let found = "there";
        try { migration_show(migration); } catch (error) { found = error.kind; }
        [found, migration_list().len(), replica_list().len()]
    "#;
    on_both(source, |run| assert_eq!(run.value(), &json!(["not_found", 0, 0])));
}

#[test]
fn a_migration_under_way_is_not_deleted_by_halves() {
    let source = r#"
        let migration = migration_create(ends + #{ instance: "web-01" });
        migration_delete(migration);
    "#;
    on_both(source, |run| assert_eq!(run.kind(), Kind::Api));
}
