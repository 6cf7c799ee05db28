//! Foreign activity: whatever record a final delta and its deployment die at, and whatever another client does before the
//! resume, the outcome is the right one, a question or a refusal; never a wrong success. The server's state is the oracle.

use std::collections::BTreeSet;

use coriolis_run::error::Kind;
use coriolis_run::runtime::gates::Nobody;

use super::*;

const SEED: &str = r#"
    replica_sync(replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" }))
"#;

const CUTOVER: &str = r#"
    let replica = replica_of("web-01");
    let last = replica_sync(replica, #{ shutdown_instances: true });
    let made = replica_deploy(replica, #{ requires: last });
    #{ copy: last.id, deployment: made.id }
"#;

/// What another client does; what the server refuses it does not do.
pub(super) const ACTS: [&str; 10] = [
    "replica_sync(r)",
    "replica_execute(r)",
    "replica_sync(r, #{ shutdown_instances: true })",
    "replica_execute(r, #{ shutdown_instances: true })",
    "replica_execution_cancel(replica_execution_list(r)[0])",
    "replica_execution_cancel(replica_execute(r, #{ shutdown_instances: true }))",
    "wait_for(deployment_create(r))",
    "deployment_create(r)",
    "replica_execution_delete(replica_execution_list(r)[0])",
    "replica_delete(r)",
];

/// What there is of the VM: copies with whether they switched the source off, and deployments.
const STATE: &str = r#"
    let copies = [];
    for r in replica_list() {
        for e in replica_execution_list(r) {
            let off = e.tasks.some(|task| task.task_type == "SHUTDOWN_INSTANCE");
            copies.push(#{ of: r.id, id: e.id, number: e.number, at: e.created_at, status: e.status, off: off });
        }
    }
    let deployments = [];
    for d in deployment_list() { deployments.push(#{ of: d.transfer_id, id: d.id, at: d.created_at }); }
    #{ copies: copies, deployments: deployments }
"#;

#[test]
fn whatever_others_do_before_a_resume_there_is_no_wrong_success_on_current() {
    every_act(Generation::Current);
}

#[test]
fn whatever_others_do_before_a_resume_there_is_no_wrong_success_on_legacy() {
    every_act(Generation::Legacy);
}

fn every_act(generation: Generation) {
    let folder = folder(&format!("foreign-{}", generation.word()));
    let run = Run::new(generation, &folder);
    run.stage.play(SEED).value();
    let (played, lines) = run.process_of(CUTOVER, Arc::new(Nobody), None);
    assert_eq!(judge(&run, &played, &[], &BTreeSet::new()), None, "undisturbed");
    let mut wrong = Vec::new();
    for (number, act) in ACTS.into_iter().enumerate() {
        for at in points(1 + number % 7..lines + 1) {
            for written in [false, true] {
                let run = Run::new(generation, &folder);
                run.stage.play(SEED).value();
                run.process_of(CUTOVER, Arc::new(Nobody), Some((at, written)));
                let before = state(&run);
                run.stage.play(&format!(r#"let r = replica_of("web-01"); try {{ {act}; }} catch (error) {{}}"#));
                let after = state(&run);
                let (known, now) = (ids(&before["deployments"]), ids(&after["deployments"]));
                let foreign = now.difference(&known).cloned().collect();
                let (played, _) = run.process_of(CUTOVER, Arc::new(Nobody), None);
                if let Some(why) = judge(&run, &played, &[before, after], &foreign) {
                    wrong.push(format!("{act} after a death at record {at} of {lines} (written: {written}): {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong on {}:\n{}", wrong.len(), generation.word(), wrong.join("\n"));
}

pub(super) fn state(run: &Run) -> Value {
    run.stage.play(STATE).value().clone()
}

pub(super) fn ids(things: &Value) -> BTreeSet<String> {
    things.as_array().unwrap().iter().map(|thing| thing["id"].as_str().unwrap().to_owned()).collect()
}

/// Why the outcome is wrong, if it is. `earlier` is what was there before and after somebody else acted, `foreign` the
/// deployments that they have made.
pub(super) fn judge(run: &Run, played: &Rehearsal, earlier: &[Value], foreign: &BTreeSet<String>) -> Option<String> {
    let state = state(run);
    // Copies whose records were deleted since were there all the same.
    let now = ids(&state["copies"]);
    let gone = |copy: &&Value| !now.contains(copy["id"].as_str().unwrap());
    let before = earlier.iter().rev().flat_map(|state| state["copies"].as_array().unwrap()).filter(gone);
    let copies: Vec<&Value> = state["copies"].as_array().unwrap().iter().chain(before).collect();
    let ours: Vec<&Value> = state["deployments"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|deployment| !foreign.contains(deployment["id"].as_str().unwrap()))
        .collect();
    if ours.len() > 1 {
        return Some(format!("{} deployments are ours", ours.len()));
    }
    // The newest copy when a deployment was made: what it is made of.
    let copy_of = |deployment: &Value| {
        copies
            .iter()
            .copied()
            .filter(|copy| copy["of"] == deployment["of"] && copy["at"].as_str() <= deployment["at"].as_str())
            .max_by_key(|copy| copy["number"].as_u64())
    };
    // Its replica or its copy may have been deleted since.
    let is_sound = |deployment: &Value| {
        copy_of(deployment).is_none_or(|copy| copy["off"] == true && copy["status"] == "COMPLETED")
    };
    if let Some(deployment) = ours.iter().find(|deployment| !is_sound(deployment)) {
        return Some(format!("{} was deployed of {:?}", deployment["id"], copy_of(deployment)));
    }
    match &played.result {
        Ok(done) => {
            let made = state["deployments"].as_array().unwrap().iter().find(|made| made["id"] == done["deployment"]);
            let copied = made.and_then(copy_of);
            let right = copied.is_none_or(|copy| copy["id"] == done["copy"] && copy["off"] == true);
            (!right).then(|| format!("it says {done}, and the deployment was made of {copied:?}"))
        }
        Err(error) => {
            let error = &error.error;
            let clear = !matches!(error.kind, Kind::Internal | Kind::Script | Kind::Mismatch | Kind::Journal)
                && !error.message.is_empty();
            (!clear).then(|| format!("{:?}: {}", error.kind, error.message))
        }
    }
}

/// Whatever record an update dies at, what somebody else has made of it since is not overwritten unasked.
#[test]
fn what_others_have_changed_since_is_not_changed_back_by_a_resume() {
    const PREPARE: &str = r#"
        let r = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
        replica_sync(r);
        replica_schedule_create(r, #{ hour: 2, minute: 0, disabled: true });
        region_create("east");
        minion_pool_create("helpers", #{ endpoint: "openstack", platform: "destination", os_type: "linux",
                                         environment_options: #{}, skip_allocation: true })"#;
    let updates = [
        (
            r#"endpoint_update("vcenter", #{ description: SAID }).description"#,
            r#"endpoint_show("vcenter").description"#,
        ),
        (r#"region_update("east", #{ description: SAID }).description"#, r#"region_show("east").description"#),
        (r#"minion_pool_update("helpers", #{ notes: SAID }).notes"#, r#"minion_pool_show("helpers").notes"#),
        (
            r#"let r = replica_of("web-01");
               let end = if SAID == "ours" { "2031-01-01T00:00:00Z" } else { "2032-01-01T00:00:00Z" };
               replica_schedule_update(r, replica_schedule_list(r)[0], #{ expiration_date: end })"#,
            r#"replica_schedule_list(replica_of("web-01"))[0].expiration_date"#,
        ),
        // The server updates only a replica at rest.
        (
            r#"let r = replica_of("web-01");
               wait_for(replica_execution_list(r)[0]);
               wait_for(replica_update(r, #{ notes: SAID })).status"#,
            r#"let r = replica_of("web-01"); wait_for(replica_execution_list(r)); replica_of("web-01").notes"#,
        ),
    ];
    let mut wrong = Vec::new();
    for generation in GENERATIONS {
        let folder = folder(&format!("foreign-update-{}", generation.word()));
        for (update, show) in updates {
            let of = |said: &str| update.replace("SAID", &format!("{said:?}"));
            let run = Run::new(generation, &folder);
            run.stage.play(PREPARE).value();
            let (played, lines) = run.process_of(&of("ours"), Arc::new(Nobody), None);
            played.value();
            for at in sampled(1..lines + 1) {
                let run = Run::new(generation, &folder);
                run.stage.play(PREPARE).value();
                let before = run.stage.play(show).value().clone();
                run.process_of(&of("ours"), Arc::new(Nobody), Some((at, true)));
                let is_made = *run.stage.play(show).value() != before;
                run.stage.play_as_colleague(&of("theirs")).value();
                let theirs = run.stage.play(show).value().clone();
                run.process_of(&of("ours"), Arc::new(Nobody), None);
                let now = run.stage.play(show).value().clone();
                if is_made && now != theirs {
                    wrong.push(format!("{update} at {at} on {}: {theirs} became {now}", generation.word()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whatever record an `*_ensure` dies at, what others have made of that name before the resume is used, and not doubled.
#[test]
fn what_others_have_made_meanwhile_is_not_made_again_by_a_resume() {
    let ensures = [
        (r#"region_ensure("east")"#, "region_list()"),
        (
            r#"minion_pool_ensure("east", #{ endpoint: "openstack", platform: "destination", os_type: "linux",
                                             environment_options: #{}, skip_allocation: true })"#,
            "minion_pool_list()",
        ),
        (
            r#"endpoint_ensure(#{ name: "east", type: "openstack", connection: #{ password: "planted" },
                                  skip_validation: true })"#,
            "endpoint_list()",
        ),
        (
            r#"endpoint_ensure(#{ name: "east", type: "openstack", connection: #{ password: "planted" },
                                  skip_validation: true, store_connection: true })"#,
            "endpoint_list()",
        ),
    ];
    for generation in GENERATIONS {
        let folder = folder(&format!("foreign-ensure-{}", generation.word()));
        for (ensure, list) in ensures {
            for at in sampled(1..9) {
                for written in [false, true] {
                    let run = Run::new(generation, &folder);
                    run.process_of(ensure, Arc::new(Nobody), Some((at, written)));
                    let stored = || {
                        let is_secret = |request: &&Accepted| request.path.ends_with("/secrets");
                        run.stage.sandbox.accepted().iter().filter(is_secret).count()
                    };
                    let before = stored();
                    run.stage.play(ensure).value();
                    let there = stored();
                    let (played, _) = run.process_of(ensure, Arc::new(Nobody), None);
                    let name = format!("{ensure} at {at} ({written}) on {}", generation.word());
                    assert!(played.result.is_ok(), "{name}: {:?}", played.error());
                    let all = run.stage.play(&format!(r#"{list}.filter(|thing| thing.name == "east").len()"#));
                    assert_eq!(all.value(), &serde_json::json!(1), "{name}");
                    assert!(before > 0 || stored() == there, "{name}: a secret was stored for nothing");
                    let unused = run.stage.play(
                        r#"let held = endpoint_list().filter(|e| "secret_ref" in e.connection_info);
                           let used = held.map(|e| e.connection_info.secret_ref);
                           secret_list().filter(|secret| !used.contains(secret.secret_ref)).len()"#,
                    );
                    assert_eq!(unused.value(), &serde_json::json!(0), "{name}: secrets that nothing refers to");
                }
            }
        }
    }
}
