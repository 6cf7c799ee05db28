//! Guards: what would end with two machines, old data or the source off for nothing is refused before anything is sent,
//! by every function that would begin it.

use std::sync::{Arc, Mutex};

use coriolis_run::error::Result;
use coriolis_run::event::{Event, Fact};
use coriolis_run::journal::Journal;
use coriolis_run::model::Generation;
use coriolis_run::runtime::gates::{Answer, Gates};
use coriolis_run::sandbox::Trouble;
use serde_json::json;

use crate::command::{Served, folder};
use crate::rehearsal::{GENERATIONS, Options, Rehearsal, Stage};

/// Before every script.
const PRELUDE: &str = r#"
    fn wishes(name) { #{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: name } }
    fn ensured(name) { replica_ensure(wishes(name)) }
    fn move_it(replica) {
        let last = replica_sync(replica, #{ shutdown_instances: true });
        replica_deploy(replica, #{ requires: last })
    }
    fn refusal(act) {
        try { act.call(); } catch (e) { return #{ kind: e.kind, message: e.message, hint: e.hint }; }
        "WENT THROUGH"
    }
"#;

fn play(stage: &Stage, source: &str) -> Rehearsal {
    stage.play(&format!("{PRELUDE}{source}"))
}

fn warnings(rehearsal: &Rehearsal) -> Vec<String> {
    let warning = |event: &Event| match &event.fact {
        Fact::Logged { message, .. } => Some(message.clone()),
        _ => None,
    };
    rehearsal.events.iter().filter_map(warning).collect()
}

/// One situation: what led to it, what is tried then, and what the refusal says.
struct Case {
    name: &'static str,
    /// Defines `replica`.
    before: &'static str,
    acts: &'static [&'static str],
    says: &'static str,
    /// In the hint; with the option that it names, the act goes through.
    hint: &'static str,
}

const SWITCHES_OFF: &[&str] = &[
    "replica_sync(replica, #{ shutdown_instances: true OPTION })",
    "replica_execute(replica, #{ shutdown_instances: true OPTION })",
    "replica_schedule_create(replica, #{ hour: 2, minute: 30, shutdown_instances: true OPTION })",
];
const AUTO_DEPLOYS: &[&str] = &[
    "transfer_execute(replica, #{ auto_deploy: true OPTION })",
    "transfer_schedule_create(replica, #{ hour: 2, minute: 30, auto_deploy: true OPTION })",
];
const DEPLOYS: &[&str] = &[
    "replica_deploy(replica, #{ clone_disks: true OPTION })",
    "deployment_create(replica, #{ clone_disks: true OPTION })",
    "migration_deploy_replica(replica, #{ clone_disks: true OPTION })",
    "deployment_create(#{ transfer_id: replica.id OPTION })",
];
const COPIES: &[&str] = &[
    "replica_sync(replica, #{ retries: 1 OPTION })",
    "replica_execute(replica, #{ shutdown_instances: false OPTION })",
    "transfer_schedule_create(replica, #{ hour: 2, minute: 30 OPTION })",
];
const MIGRATES: &[&str] = &[
    r#"migration_create(wishes("web-01") + #{ clone_disks: true OPTION })"#,
    r#"migration_create(wishes("web-01") + #{ shutdown_instances: true OPTION })"#,
];

const CASES: &[Case] = &[
    Case {
        name: "two replicas",
        before: r#"let replica = replica_create(wishes("web-01")); replica_create(wishes("web-01")); replica_sync(replica);"#,
        acts: SWITCHES_OFF,
        says: "a second replica of `web-01`",
        hint: "`duplicate: true`",
    },
    Case {
        name: "two replicas, to be deployed",
        before: r#"let replica = replica_create(wishes("web-01")); replica_create(wishes("web-01")); replica_sync(replica);"#,
        acts: DEPLOYS,
        says: "a second replica of `web-01`",
        hint: "`duplicate: true`",
    },
    Case {
        name: "two replicas to different destinations",
        before: r#"
            endpoint_create(#{ name: "other", provider: "openstack", connection: #{ auth_url: "http://x.example", username: "u", password: "planted" } });
            let replica = ensured("web-01");
            replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "other", instance: "web-01" });
            replica_sync(replica);"#,
        acts: SWITCHES_OFF,
        says: "a second replica of `web-01`",
        hint: "`duplicate: true`",
    },
    Case {
        name: "a replica that has the VM among others",
        before: r#"let replica = ensured("web-01"); replica_sync(replica);
            replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instances: ["web-02", "web-01"] });"#,
        acts: SWITCHES_OFF,
        says: "a second replica of `web-01`",
        hint: "`duplicate: true`",
    },
    Case {
        name: "deployed before",
        before: r#"let replica = ensured("web-01"); replica_sync(replica); replica_deploy(replica);"#,
        acts: SWITCHES_OFF,
        says: "was deployed before (deployment",
        hint: "`copy_again: true`",
    },
    Case {
        name: "two replicas, to be deployed by the server",
        before: r#"let replica = replica_create(wishes("web-01")); replica_create(wishes("web-01")); replica_sync(replica);"#,
        acts: AUTO_DEPLOYS,
        says: "a second replica of `web-01`",
        hint: "`duplicate: true`",
    },
    Case {
        name: "deployed before, to be deployed by the server",
        before: r#"let replica = ensured("web-01"); replica_sync(replica); replica_deploy(replica);"#,
        acts: AUTO_DEPLOYS,
        says: "was deployed before (deployment",
        hint: "`copy_again: true`",
    },
    Case {
        name: "deployed before, to be deployed",
        before: r#"let replica = ensured("web-01"); replica_sync(replica); replica_deploy(replica);"#,
        acts: DEPLOYS,
        says: "was deployed before (deployment",
        hint: "`deploy_again: true`",
    },
    Case {
        name: "deployed, and the record was deleted",
        before: r#"let replica = ensured("web-01"); replica_sync(replica); deployment_delete(replica_deploy(replica));"#,
        acts: DEPLOYS,
        says: "its record was deleted",
        hint: "`deploy_again: true`",
    },
    Case {
        name: "deployed with a deleted record, to be switched off",
        before: r#"let replica = ensured("web-01"); replica_sync(replica); deployment_delete(replica_deploy(replica));"#,
        acts: SWITCHES_OFF,
        says: "its record was deleted",
        hint: "`copy_again: true`",
    },
    Case {
        name: "a VM with two instances of which one was moved",
        before: r#"let first = ensured("web-01"); move_it(first);
            let replica = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instances: ["web-01", "web-02"] });
            replica_sync(replica); replica_delete(first);"#,
        acts: SWITCHES_OFF,
        says: "was deployed before (deployment",
        hint: "`copy_again: true`",
    },
    Case {
        name: "moved and cleaned up",
        before: r#"let first = ensured("web-01"); move_it(first); wait_for(replica_disks_delete(first)); replica_delete(first);
            let replica = ensured("web-01");"#,
        acts: COPIES,
        says: "and that replica is gone",
        hint: "`copy_again: true`",
    },
    Case {
        name: "moved by a migration",
        before: r#"let m = migration_create(wishes("web-01")); wait_for(m); migration_delete(m); let replica = ensured("web-01");"#,
        acts: SWITCHES_OFF,
        says: "was deployed before (deployment",
        hint: "`copy_again: true`",
    },
    Case {
        name: "cut over",
        before: r#"let replica = ensured("web-01"); move_it(replica);"#,
        acts: COPIES,
        says: "had switched the source off",
        hint: "`copy_again: true`",
    },
    Case {
        name: "cut over long ago",
        before: r#"let replica = ensured("web-01"); move_it(replica);
            for n in 0..6 { wait_for(replica_update(replica, #{ notes: `${n}` })); }"#,
        acts: COPIES,
        says: "had switched the source off",
        hint: "`copy_again: true`",
    },
    Case {
        name: "an enabled schedule",
        before: r#"let replica = ensured("web-01"); replica_sync(replica);
            replica_schedule_create(replica, #{ hour: 2, minute: 30 });"#,
        acts: SWITCHES_OFF,
        says: "a schedule of `web-01` is enabled",
        hint: "`despite_schedule: true`",
    },
    Case {
        name: "an enabled schedule, to be deployed",
        before: r#"let replica = ensured("web-01"); replica_sync(replica);
            replica_schedule_create(replica, #{ hour: 2, minute: 30 });"#,
        acts: DEPLOYS,
        says: "a schedule of `web-01` is enabled",
        hint: "`despite_schedule: true`",
    },
    Case {
        name: "a cancelled final copy",
        before: r#"let replica = ensured("web-01"); replica_sync(replica);
            let e = replica_execute(replica, #{ shutdown_instances: true }); sleep("1m"); replica_execution_cancel(e);
            try { wait_for(e); } catch { }"#,
        acts: DEPLOYS,
        says: "is CANCELED: deploying would boot older or half copied data",
        hint: "`allow_stale: true`",
    },
    Case {
        name: "half copied",
        before: r#"let replica = ensured("web-01");
            let e = replica_execute(replica); sleep("3m"); replica_execution_cancel(e);
            try { wait_for(e); } catch { }"#,
        acts: DEPLOYS,
        says: "deploying would boot a half copied disk",
        hint: "`force: true`",
    },
    Case {
        name: "a replica that exists, to be migrated",
        before: r#"let replica = ensured("web-01");"#,
        acts: MIGRATES,
        says: "a second replica of `web-01`",
        hint: "`duplicate: true`",
    },
    Case {
        name: "moved, to be migrated",
        before: r#"let replica = ensured("web-01"); move_it(replica); replica_delete(replica);"#,
        acts: MIGRATES,
        says: "was deployed before (deployment",
        hint: "`deploy_again: true`",
    },
];

#[test]
fn what_would_do_harm_is_refused_by_every_function_on_a_current_server() {
    is_refused(Generation::Current);
}

#[test]
fn what_would_do_harm_is_refused_by_every_function_on_a_legacy_server() {
    is_refused(Generation::Legacy);
}

fn is_refused(generation: Generation) {
    let mut wrong = Vec::new();
    for case in CASES {
        let stage = Stage::new(Options::of(generation));
        let before = play(&stage, &format!("{} replica.id", case.before));
        let find = format!("let replica = #{{ id: {} }};", before.value());
        let (word, name) = (case.hint.trim_matches('`').trim_end_matches(": true"), case.name);
        let acts: Vec<&str> = case.acts.iter().copied().filter(|act| can(generation, act)).collect();
        for act in &acts {
            let act = act.replace("OPTION", &format!(", {word}: false"));
            let tried = play(&stage, &format!("{find} refusal(|| {act})"));
            let Ok(refusal) = &tried.result else {
                wrong.push(format!("{name}: {act}: {:?}", tried.result));
                continue;
            };
            let says = |field: &str, text: &str| refusal[field].as_str().is_some_and(|said| said.contains(text));
            if refusal["kind"] != "refused" || !says("message", case.says) || !says("hint", case.hint) {
                wrong.push(format!("{name}: {act}: {refusal}"));
            }
            if tried.accepted.len() != before.accepted.len() {
                wrong.push(format!("{name}: {act}: something was sent"));
            }
        }
        let Some(act) = acts.first() else { continue };
        let through = play(&stage, &format!("{find} {}", act.replace("OPTION", &format!(", {word}: true"))));
        if through.result.is_err() {
            wrong.push(format!("{name} with {word}: {:?}", through.result));
        }
        if !warnings(&through).iter().any(|said| said.starts_with(&format!("override `{word}`: "))) {
            wrong.push(format!("{name} with {word}: it is not said, but {:?}", warnings(&through)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A legacy server cannot deploy by itself.
fn can(generation: Generation, act: &str) -> bool {
    generation == Generation::Current || !act.contains("auto_deploy")
}

/// On a fresh sandbox of each generation.
fn on_both(check: impl Fn(&Stage, Generation)) {
    for generation in GENERATIONS {
        check(&Stage::new(Options::of(generation)), generation);
    }
}

#[test]
fn a_colleague_who_deployed_between_copy_and_deployment_is_seen() {
    for generation in GENERATIONS {
        let stage = Arc::new(Stage::new(Options::of(generation)));
        let colleague = stage.clone();
        let script = r#"
            let replica = ensured("web-01");
            let last = replica_sync(replica, #{ shutdown_instances: true });
            print("now");
            refusal(|| deployment_create(replica, #{ requires: last }))"#;
        let played = stage.play_with(&format!("{PRELUDE}{script}"), move |_, _| {
            colleague.play(r#"deployment_create("web-01")"#).value();
        });
        let refusal = played.value();
        assert_eq!(refusal["kind"], "refused", "{refusal}");
        assert!(refusal["message"].as_str().unwrap().contains("was deployed before"), "{refusal}");
        assert_eq!(played.deployments_made(), 1);
    }
}

#[test]
fn a_schedule_that_is_enabled_while_the_sending_is_tried_again_keeps_the_source_on() {
    on_both(|stage, _| {
        let schedule = play(
            stage,
            r#"let replica = ensured("web-01"); replica_sync(replica);
               replica_schedule_create(replica, #{ hour: 2, minute: 30, enabled: false }).id"#,
        );
        stage.inject("POST", "/executions", Trouble::DroppedBefore);
        let both = play(
            stage,
            &format!(
                r#"let replica = replica_of("web-01");
                each([true, false], |copies| {{
                    if copies {{ return refusal(|| replica_sync(replica, #{{ shutdown_instances: true }})); }}
                    sleep("20s");
                    replica_schedule_update(replica, {}, #{{ enabled: true }}).enabled
                }})"#,
                schedule.value()
            ),
        );
        let seen = both.value();
        assert_eq!((&seen[0]["kind"], &seen[1]), (&json!("refused"), &json!(true)), "{seen}");
        assert!(seen[0]["message"].as_str().unwrap().contains("a schedule of `web-01` is enabled"), "{seen}");
        assert_eq!(both.carried_out("POST", "/executions"), 1, "only the first copy");
    });
}

#[test]
fn enabling_a_schedule_meets_the_guards_of_what_it_will_do() {
    on_both(|stage, _| {
        let seen = play(
            stage,
            r#"let replica = replica_create(wishes("web-01")); replica_create(wishes("web-01"));
            let off = replica_schedule_create(replica, #{ hour: 2, minute: 30, shutdown_instances: true, enabled: false });
            let on = replica_schedule_create(replica, #{ hour: 3, minute: 30 });
            [refusal(|| replica_schedule_update(replica, off, #{ enabled: true })),
             refusal(|| replica_schedule_update(replica, on, #{ shutdown_instances: true })),
             replica_schedule_update(replica, on, #{ hour: 4 }).schedule.hour,
             replica_schedule_update(replica, on, #{ enabled: false }).enabled]"#,
        );
        let seen = seen.value();
        for refusal in [&seen[0], &seen[1]] {
            assert_eq!(refusal["kind"], "refused", "{seen}");
            assert!(refusal["message"].as_str().unwrap().contains("would switch the source off"), "{seen}");
        }
        assert_eq!((&seen[2], &seen[3]), (&json!(4), &json!(false)), "what it did before it may go on doing");
    });
}

#[test]
fn a_deployment_that_the_server_is_about_to_begin_is_left_alone() {
    let stage = Stage::new(Options::of(Generation::Current));
    let seen = play(
        &stage,
        r#"let replica = ensured("web-01");
        let copy = transfer_execute(replica, #{ auto_deploy: true });
        sleep("38m");
        while transfer_execution_show(copy).status == "RUNNING" { sleep("1s"); }
        let pending = deployment_list()[0].status;
        [pending, refusal(|| replica_execute(replica)), refusal(|| deployment_create(replica))]"#,
    );
    let seen = seen.value();
    assert_eq!(seen[0], "PENDING");
    assert!(seen[1]["message"].as_str().is_some_and(|said| said.contains("is about to deploy `web-01`")), "{seen}");
    assert!(seen[2]["message"].as_str().is_some_and(|said| said.contains("was deployed before")), "{seen}");
}

#[test]
fn work_that_others_have_begun_is_waited_for() {
    on_both(|stage, _| {
        play(stage, r#"let replica = ensured("web-01"); replica_sync(replica); replica_execute(replica); ()"#).value();
        let seen = play(
            stage,
            r#"let replica = replica_of("web-01");
            [refusal(|| replica_execute(replica, #{ shutdown_instances: true })), refusal(|| deployment_create(replica)),
             replica_sync(replica, #{ shutdown_instances: true }).number]"#,
        );
        for refusal in [&seen.value()[0], &seen.value()[1]] {
            let said = refusal["message"].as_str().unwrap();
            assert!(said.contains("execution #2 of `web-01` is RUNNING, and this run did not start it"), "{said}");
        }
        assert_eq!(seen.value()[2], 3, "the unit waits for its end");
    });
}

#[test]
fn two_vms_of_one_name_at_two_origins_are_two_vms() {
    on_both(|stage, _| {
        let moved = play(
            stage,
            r#"endpoint_ensure(#{ name: "vc2", provider: "vmware_vsphere", connection: #{ host: "vc2.example", username: "m", password: "planted" } });
            [ensured("web-01"), replica_ensure(#{ origin_endpoint: "vc2", destination_endpoint: "openstack", instance: "web-01" })]
                .map(|replica| move_it(replica).status)"#,
        );
        assert_eq!(moved.value(), &json!(["COMPLETED", "COMPLETED"]));
    });
}

/// Somebody at a terminal who always gives this answer, and what was asked.
struct Attended(&'static str, Mutex<Vec<String>>);

impl Gates for Attended {
    fn ask(&self, _: &str, question: &str) -> Result<Option<Answer>> {
        self.1.lock().unwrap().push(question.to_owned());
        Ok(Some(Answer { text: self.0.into(), by: "ann".into() }))
    }

    fn is_attended(&self, _: &str) -> bool {
        true
    }
}

#[test]
fn an_override_that_overrides_something_asks_at_a_terminal_once() {
    let script = format!(
        r#"{PRELUDE} let replica = ensured("web-01"); replica_sync(replica, #{{ copy_again: true }});
        replica_deploy(replica, #{{ deploy_again: true }});
        refusal(|| replica_deploy(replica, #{{ deploy_again: true, allow_stale: true }}))"#
    );
    for (answer, deployments) in [("yes", 2), ("no", 1)] {
        on_both(|stage, _| {
            let gates = Arc::new(Attended(answer, Mutex::default()));
            let journal = Arc::new(Journal::in_memory(stage.clock.clone()));
            let played = stage.play_recorded(&script, journal, gates.clone());
            let asked = gates.1.lock().unwrap().clone();
            assert_eq!(asked.len(), 1, "{asked:?}");
            assert!(asked[0].contains("was deployed before") && asked[0].contains("`deploy_again: true`"), "{asked:?}");
            assert_eq!(played.deployments_made(), deployments);
            let told = warnings(&played).iter().filter(|said| said.starts_with("override `deploy_again`: ")).count();
            assert_eq!(told, deployments - 1, "{:?}", warnings(&played));
            if answer == "no" {
                let refusal = played.value();
                assert!(refusal["message"].as_str().unwrap().contains("ann said no"), "{refusal}");
            }
        });
    }
}

#[test]
fn what_another_run_has_deployed_is_remembered_when_the_server_has_forgotten_it() {
    let folder = folder("guards-remembered");
    let runbook = folder.join("move.rhai");
    let move_it = r#"
        let replica = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
        replica_sync(replica);
        print(replica_deploy(replica).status);"#;
    std::fs::write(&runbook, move_it).unwrap();
    let run = |served: &Served| {
        let state = ["--state-dir", folder.to_str().unwrap()];
        let output = served.client(&[&[runbook.to_str().unwrap()], &state[..]].concat()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let first = Served::start("current");
    let address = first.environment["OS_AUTH_URL"].replace("http://", "").replace("/v3", "");
    let (code, told) = run(&first);
    assert_eq!(code, Some(0), "{told}");
    first.stop();
    // The cloud of this address starts over: its database was lost.
    let again = Served::start_on(&address);
    let (code, told) = run(&again);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("`web-01` was deployed before") && told.contains("according to run "), "{told}");
    let deployed = again.client(&["-e", "print(deployment_list().len())"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&deployed.stdout).trim(), "0");
}

#[test]
fn a_deployment_that_used_up_the_copy_is_not_followed_by_another_full_one() {
    on_both(|stage, generation| {
        let seen = play(
            stage,
            r#"let replica = ensured("web-01"); replica_sync(replica);
            replica_deploy(replica, #{ clone_disks: false });
            [refusal(|| replica_deploy(replica)), refusal(|| replica_sync(replica, #{ shutdown_instances: true })),
             refusal(|| replica_sync(replica))]"#,
        );
        let says = |at: usize, text: &str| {
            let said = seen.value()[at]["message"].as_str().unwrap_or_default();
            assert!(said.contains(text), "{}", seen.value());
        };
        says(0, "deploying again makes a second VM");
        says(
            1,
            if generation == Generation::Current {
                "from the copied disks themselves"
            } else {
                "could not be deployed"
            },
        );
        // Legacy servers do not show that a deployment used up the copy.
        if generation == Generation::Current {
            says(2, "from the copied disks themselves");
        }
    });
}
