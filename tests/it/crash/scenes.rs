//! Scenes of every kind of change: the process dies at a record, others act, the run is resumed. What it then says is
//! right by the server's state, or it refuses or asks; nothing of its own is there twice. The sandbox's truth is a witness.

use coriolis_run::error::Kind;
use coriolis_run::runtime::gates::Nobody;
use serde_json::json;

use super::*;

struct Scene {
    name: &'static str,
    seed: &'static str,
    runbook: &'static str,
    /// What another user does; what the server refuses is not done.
    acts: &'static [&'static str],
    /// The complaints about the server's state after a success; `R` is the result of the runbook.
    check: &'static str,
}

const REPLICA: &str = r#"
    let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
    replica_sync(r)"#;

const CREATE: &str =
    r#"replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" })"#;

const COPIES: [&str; 8] = [
    r#"replica_sync(replica_of("web-01"))"#,
    r#"replica_execute(replica_of("web-01"), #{ shutdown_instances: true })"#,
    r#"replica_execution_cancel(replica_execution_list(replica_of("web-01"))[0])"#,
    r#"wait_for(deployment_create(replica_of("web-01")))"#,
    r#"wait_for(replica_update(replica_of("web-01"), #{ notes: "theirs" }))"#,
    r#"wait_for(replica_disks_delete(replica_of("web-01")))"#,
    r#"replica_execution_delete(replica_execution_list(replica_of("web-01"))[0])"#,
    r#"replica_delete(replica_of("web-01"))"#,
];

const POOL: &str = r#"minion_pool_create("helpers", #{ endpoint: "openstack", platform: "destination", os_type: "linux",
                                        environment_options: #{}, skip_allocation: true })"#;

const SCENES: [Scene; 6] = [
    Scene {
        name: "nested waves with a retry",
        seed: "()",
        runbook: r#"
            wave("racks", ["rack"], |rack| {
                wave("vms", ["fail-once-mail-01", "web-01"], #{ limit: 2, retries: 1, backoff: "1m" }, |vm| {
                    let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack",
                                              instance: vm });
                    replica_sync(r);
                    let last = replica_sync(r, #{ shutdown_instances: true });
                    replica_deploy(r, #{ requires: last }).status
                }).ok
            }).ok"#,
        acts: &COPIES,
        check: r#"
            let done = deployment_list().filter(|d| d.status == "COMPLETED").map(|d| d.instances[0]);
            if R == [] { [] } else { ["fail-once-mail-01", "web-01"].filter(|vm| !done.contains(vm)) }"#,
    },
    Scene {
        name: "an update",
        seed: REPLICA,
        runbook: r#"wait_for(replica_update(replica_of("web-01"), #{ notes: "ours" })).id"#,
        acts: &COPIES,
        // A later update may have followed ours.
        check: r#"
            let r = replica_of("web-01");
            let all = replica_execution_list(r);
            let said = all.filter(|e| e.id == R && e.type.contains("_update") && e.status == "COMPLETED");
            let later = all.filter(|e| e.type.contains("_update")).len() > 1;
            if said.len() == 1 && (r.notes == "ours" || later) { [] } else { [r.notes, all] }"#,
    },
    Scene {
        name: "the deletion of disks",
        seed: REPLICA,
        runbook: r#"wait_for(replica_disks_delete(replica_of("web-01"))).id"#,
        acts: &COPIES,
        check: r#"
            let all = replica_execution_list(replica_of("web-01"));
            let said = all.filter(|e| e.id == R && e.type.contains("_disks_delete") && e.status == "COMPLETED");
            if said.len() == 1 { [] } else { all }"#,
    },
    Scene {
        name: "a schedule",
        seed: REPLICA,
        runbook: r#"
            let r = replica_of("web-01");
            let s = replica_schedule_create(r, #{ hour: 2, minute: 0, disabled: true, shutdown_instances: true });
            replica_schedule_update(r, s, #{ hour: 3 }).id"#,
        acts: &[
            r#"replica_schedule_create(replica_of("web-01"), #{ hour: 2, minute: 0, disabled: true })"#,
            r#"replica_schedule_create(replica_of("web-01"), #{ hour: 3, minute: 0, disabled: true,
                                                                shutdown_instances: true })"#,
            r#"let r = replica_of("web-01"); replica_schedule_update(r, replica_schedule_list(r)[0], #{ hour: 5 })"#,
            r#"let r = replica_of("web-01"); replica_schedule_delete(r, replica_schedule_list(r)[0])"#,
            r#"replica_delete(replica_of("web-01"))"#,
        ],
        check: r#"
            let all = replica_schedule_list(replica_of("web-01"));
            let said = all.filter(|s| s.id == R && s.shutdown_instance && !s.enabled);
            if said.len() == 1 && (said[0].schedule.hour == 3 || said[0].schedule.hour == 5) { [] } else { all }"#,
    },
    Scene {
        name: "a pool",
        seed: "()",
        runbook: r#"
            let pool = minion_pool_create("helpers", #{ endpoint: "openstack", platform: "destination",
                                            os_type: "linux", environment_options: #{}, skip_allocation: true });
            wait_for(minion_pool_allocate(pool));
            wait_for(minion_pool_deallocate(pool));
            pool.id"#,
        acts: &[
            POOL,
            r#"wait_for(minion_pool_allocate(minion_pool_list()[0]))"#,
            r#"minion_pool_allocate(minion_pool_list()[0])"#,
            r#"wait_for(minion_pool_deallocate(minion_pool_list()[0]))"#,
            r#"minion_pool_update(minion_pool_list()[0], #{ notes: "theirs" })"#,
            r#"minion_pool_delete(minion_pool_list()[0])"#,
        ],
        check: r#"
            let said = minion_pool_list().filter(|pool| pool.id == R);
            if said.len() == 1 { [] } else { said }"#,
    },
    Scene {
        name: "a migration in one",
        seed: "()",
        runbook: r#"
            let m = migration_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack",
                                        instance: "web-01", shutdown_instances: true });
            wait_for(m).status"#,
        acts: &[
            CREATE,
            REPLICA,
            r#"replica_execution_cancel(replica_execution_list(replica_of("web-01"))[0])"#,
            r#"deployment_cancel(deployment_list()[0])"#,
            r#"replica_delete(replica_of("web-01"))"#,
        ],
        check: r#"if deployment_list().some(|d| d.status == "COMPLETED") { [] } else { deployment_list() }"#,
    },
];

/// How many of each were made: replicas, executions that switch the source off, deployments, schedules, pools.
fn made(accepted: &[Accepted]) -> [usize; 5] {
    let of = |fits: &dyn Fn(&Accepted) -> bool| {
        accepted.iter().filter(|request| request.method == "POST" && request.status < 300 && fits(request)).count()
    };
    let ends = |ends: &'static [&str]| move |request: &Accepted| ends.iter().any(|end| request.path.ends_with(end));
    [
        of(&ends(&["/transfers", "/replicas"])),
        of(&|request| request.body["execution"]["shutdown_instances"] == true),
        of(&ends(&["/deployments", "/migrations"])),
        of(&ends(&["/schedules"])),
        of(&ends(&["/minion_pools"])),
    ]
}

/// What is wrong with the data of booted machines.
fn ills(run: &Run) -> Value {
    let script = "let t = sandbox_truth(); [t.running_twice, t.stale, t.half_copied]";
    run.stage.play(script).value().clone()
}

/// Why the outcome is wrong, if it is.
fn wrong(
    scene: &Scene,
    generation: Generation,
    folder: &Path,
    (at, written): (usize, bool),
    act: &str,
) -> Option<String> {
    let run = Run::new(generation, folder);
    run.stage.play(scene.seed).value();
    let seeded = made(&run.stage.sandbox.accepted());
    run.process_of(scene.runbook, Arc::new(Nobody), Some((at, written)));
    let before = made(&run.stage.sandbox.accepted());
    run.stage.play_as_colleague(&format!("try {{ {act}; }} catch (error) {{}}"));
    let (there, theirs) = (made(&run.stage.sandbox.accepted()), ills(&run));
    let (played, _) = run.process_of(scene.runbook, Arc::new(Nobody), None);
    let now = made(&played.accepted);
    for (kind, most) in most(scene).into_iter().enumerate() {
        let ours = before[kind] - seeded[kind] + now[kind] - there[kind];
        if ours > most {
            return Some(format!("{ours} of kind {kind} are ours instead of {most} at most: {:?}", played.result));
        }
    }
    let now = ills(&run);
    if now != theirs && now.as_array().unwrap().iter().zip(theirs.as_array().unwrap()).any(is_more) {
        return Some(format!("the truth was {theirs} and is {now}: {:?}", played.result));
    }
    match &played.result {
        Ok(result) => {
            let check = format!("let R = {}; {}", result, scene.check);
            let complaints = run.stage.play(&check);
            // Others may delete at the end what the run has made before.
            let deletes = ["replica_delete", "execution_delete", "schedule_delete", "pool_delete"];
            let right = deletes.iter().any(|deletes| act.contains(deletes))
                || complaints.result.as_ref().is_ok_and(|found| *found == json!([]));
            (!right).then(|| format!("it says {result}, and there is {:?}", complaints.result))
        }
        Err(error) => {
            let error = &error.error;
            let clear = !matches!(error.kind, Kind::Internal | Kind::Script | Kind::Mismatch | Kind::Journal);
            (!clear).then(|| format!("{:?}: {}", error.kind, error.message))
        }
    }
}

/// The most that a scene makes of each kind.
fn most(scene: &Scene) -> [usize; 5] {
    match scene.name {
        // The first copy of one VM fails, and so may a final delta that others cancel.
        "nested waves with a retry" => [2, 4, 2, 0, 0],
        "a schedule" => [0, 0, 0, 1, 0],
        "a pool" => [0, 0, 0, 0, 1],
        "a migration in one" => [1, 1, 1, 0, 0],
        _ => [0; 5],
    }
}

fn is_more((now, then): (&Value, &Value)) -> bool {
    now.as_array().map_or(0, Vec::len) > then.as_array().map_or(0, Vec::len)
}

/// The whole matrix has every second record of every scene, one after the other on either generation, and all acts in
/// turn.
#[test]
fn no_scene_ends_in_a_wrong_success_whatever_others_do() {
    let folder = folder("scenes");
    let mut failures = Vec::new();
    for (turn, scene) in SCENES.iter().enumerate() {
        for generation in GENERATIONS {
            let run = Run::new(generation, &folder);
            run.stage.play(scene.seed).value();
            let (played, lines) = run.process_of(scene.runbook, Arc::new(Nobody), None);
            let result = played.value();
            let check = format!("let R = {}; {}", result, scene.check);
            assert_eq!(run.stage.play(&check).value(), &json!([]), "{} undisturbed", scene.name);
            let first = 1 + 2 * usize::from(generation == Generation::Legacy);
            let step = if is_whole() { 4 } else { 2 * (lines / 4).max(1) };
            for at in (first..lines + 1).step_by(step) {
                let act = scene.acts[(at + at / scene.acts.len() + turn) % scene.acts.len()];
                let written = at % 3 != 0;
                if let Some(why) = wrong(scene, generation, &folder, (at, written), act) {
                    let generation = generation.word();
                    failures.push(format!(
                        "{} dies at record {at} of {lines} (written: {written}) on {generation}, then `{act}`: {why}",
                        scene.name
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} wrong:\n{}", failures.len(), failures.join("\n"));
}
