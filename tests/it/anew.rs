//! Attempts that are made anew: what they build on is asked about again.

use std::sync::Arc;

use coriolis_run::event::{Event, Fact};
use coriolis_run::journal::Journal;
use serde_json::json;

use crate::rehearsal::{GENERATIONS, Options, Rehearsal, Stage, Yes};

/// Its first attempt ends when it finds no region.
const RUNBOOK: &str = r#"
    wave("w", ["web-01"], #{ retries: 0, max_failures: 1 }, |vm| {
        let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: vm });
        if r.deployment_id != () { return "deployed"; }
        replica_sync(r);
        if region_list().is_empty() { throw "not yet"; }
        replica_sync(r).status
    }).items["web-01"]"#;

fn warned(played: &Rehearsal, text: &str) -> bool {
    let fits = |event: &Event| matches!(&event.fact, Fact::Logged { message, .. } if message.contains(text));
    played.count(fits) > 0
}

/// What the item came to when it was tried again after `meanwhile`.
fn retried(meanwhile: &str, check: impl Fn(&Rehearsal, &Stage)) {
    for generation in GENERATIONS {
        let stage = Stage::new(Options::of(generation));
        let journal = Arc::new(Journal::in_memory(stage.clock.clone()));
        let first = stage.play_recorded(RUNBOOK, journal.clone(), Arc::new(Yes));
        assert_eq!(first.value()["status"], "failed");
        stage.play(r#"region_create("now")"#).value();
        stage.play(meanwhile).value();
        journal.retry_failed().unwrap();
        check(&stage.play_recorded(RUNBOOK, journal, Arc::new(Yes)), &stage);
    }
}

#[test]
fn a_replica_that_somebody_deleted_is_made_again_when_the_operator_tries_again() {
    retried(r#"replica_delete("web-01")"#, |played, stage| {
        assert_eq!(played.value()["value"], "COMPLETED");
        assert!(warned(played, "making it again"));
        assert_eq!(stage.play("replica_list().len()").value(), &json!(1));
    });
}

#[test]
fn what_is_still_there_is_not_made_again() {
    retried("()", |played, _| {
        assert_eq!(played.value()["value"], "COMPLETED");
        assert_eq!((played.replicas_made(), played.carried_out("POST", "/executions")), (1, 2));
    });
}

#[test]
fn a_deployment_that_somebody_else_made_is_seen_by_the_next_attempt() {
    retried(r#"replica_deploy("web-01")"#, |played, _| {
        assert_eq!(played.value()["value"], "deployed");
        assert_eq!((played.deployments_made(), played.carried_out("POST", "/executions")), (1, 1));
    });
}

#[test]
fn a_wave_does_not_copy_again_by_itself_what_somebody_deleted() {
    let script = r#"
        wave("w", ["web-01"], #{ retries: 3, max_failures: 1 }, |vm| {
            let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: vm });
            replica_sync(r);
            print("delete");
            throw "again"
        }).items["web-01"]"#;
    let stage = Arc::new(Stage::new(Options::default()));
    let other = stage.clone();
    let played = stage.play_with(script, move |_, _| drop(other.play(r#"replica_delete("web-01")"#)));
    let item = played.value();
    assert_eq!((&item["status"], &item["attempts"]), (&json!("failed"), &json!(2)), "{item}");
    assert_eq!(played.replicas_made(), 1);
}

#[test]
fn what_the_run_deleted_itself_is_not_missed() {
    let script = r#"
        wave("w", ["web-01"], #{ max_failures: 1 }, |vm| {
            let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: vm });
            replica_delete(r);
            if region_list().is_empty() { throw "not yet"; }
            "done"
        }).items["web-01"].value"#;
    let stage = Stage::new(Options::default());
    let journal = Arc::new(Journal::in_memory(stage.clock.clone()));
    stage.play_recorded(script, journal.clone(), Arc::new(Yes)).value();
    stage.play(r#"region_create("now")"#).value();
    journal.retry_failed().unwrap();
    let again = stage.play_recorded(script, journal, Arc::new(Yes));
    assert_eq!((again.value(), again.replicas_made()), (&json!("done"), 1));
}
