//! Units: what is done once, what is done again, and what is refused.

use coriolis_run::error::Kind;
use coriolis_run::model::Generation;
use coriolis_run::sandbox::Trouble;
use serde_json::{Value, json};

use crate::rehearsal::{GENERATIONS, Options, Rehearsal, Stage};

/// Before every script: a replica to work with is one call away.
const PRELUDE: &str = r#"
    fn ensured(name) {
        replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: name })
    }
"#;

fn play(stage: &Stage, source: &str) -> Rehearsal {
    stage.play(&format!("{PRELUDE}{source}"))
}

/// On a fresh sandbox of each generation.
fn on_both(check: impl Fn(&Stage, Generation)) {
    for generation in GENERATIONS {
        check(&Stage::new(Options::of(generation)), generation);
    }
}

#[test]
fn a_replica_that_is_ensured_twice_is_created_once() {
    on_both(|stage, _| {
        let twice = play(stage, r#"[ensured("web-01").created, ensured("web-01").created]"#);
        assert_eq!(twice.value(), &json!([true, false]));
        let later = play(stage, r#"[ensured("web-01").created, ensured("web-02").created]"#);
        assert_eq!(later.value(), &json!([false, true]), "another run finds what the first one made");
        assert_eq!(later.replicas_made(), 2);
    });
}

#[test]
fn a_replica_is_found_by_its_vm_unless_there_are_none_or_two() {
    on_both(|stage, _| {
        let found = play(stage, r#"let made = ensured("web-01"); replica_of("web-01").id == made.id"#);
        assert_eq!(found.value(), &json!(true));
        assert_eq!(play(stage, r#"replica_of("web-02")"#).kind(), Kind::NotFound);
        let second = r#"replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });"#;
        assert_eq!(play(stage, &format!(r#"{second} replica_of("web-01")"#)).kind(), Kind::Ambiguous);
        assert_eq!(play(stage, r#"ensured("web-01")"#).kind(), Kind::Ambiguous);
    });
}

#[test]
fn a_sync_that_is_retried_executes_the_same_replica_again() {
    on_both(|stage, _| {
        let rehearsal = play(
            stage,
            r#"
            let replica = ensured("fail-once-mail-01");
            let done = replica_sync(replica, #{ retries: 2, backoff: "10s" });
            [done.status, done.number, done.transfer_id == replica.id]
        "#,
        );
        assert_eq!(rehearsal.value(), &json!(["COMPLETED", 2, true]));
        assert_eq!((rehearsal.replicas_made(), rehearsal.carried_out("POST", "/executions")), (1, 2));
    });
}

#[test]
fn a_failed_sync_says_which_task_failed_and_why() {
    on_both(|stage, generation| {
        let rehearsal = play(stage, r#"replica_sync(ensured("fail-always-legacy-01"), #{ retries: 1 })"#);
        assert_eq!(rehearsal.kind(), Kind::Failed, "{}", generation.word());
        let details = &rehearsal.error().details;
        assert_eq!(details["tries"], 2);
        assert!(details["task"].is_string() || details["task"].is_object(), "{details:?}");
        assert!(details["exception_details"].is_string(), "{details:?}");
        assert_eq!(rehearsal.carried_out("POST", "/executions"), 2);
    });
}

#[test]
fn a_sync_joins_a_copy_that_is_already_running() {
    on_both(|stage, _| {
        let rehearsal = play(
            stage,
            r#"
            let replica = ensured("web-01");
            let running = replica_execute(replica);
            sleep("2m");
            let done = replica_sync(replica);
            [done.id == running.id, done.status]
        "#,
        );
        assert_eq!(rehearsal.value(), &json!([true, "COMPLETED"]));
        assert_eq!(rehearsal.carried_out("POST", "/executions"), 1);
    });
}

#[test]
fn a_last_sync_waits_for_a_copy_that_leaves_the_source_on_and_copies_once_more() {
    on_both(|stage, _| {
        let rehearsal = play(
            stage,
            r#"
            let replica = ensured("web-01");
            let running = replica_execute(replica);
            let last = replica_sync(replica, #{ shutdown_instances: true });
            [last.number, replica_execution_show(running).status, last.status]
        "#,
        );
        assert_eq!(rehearsal.value(), &json!([2, "COMPLETED", "COMPLETED"]));
    });
}

#[test]
fn a_copy_that_is_young_enough_is_not_made_again() {
    on_both(|stage, _| {
        let rehearsal = play(
            stage,
            r#"
            let replica = ensured("web-01");
            let first = replica_sync(replica);
            sleep("30m");
            let kept = replica_sync(replica, #{ max_age: "1h" });
            sleep("1h");
            let anew = replica_sync(replica, #{ max_age: "1h" });
            let last = replica_sync(replica, #{ max_age: "1h", shutdown_instances: true });
            [first.number, kept.number, anew.number, last.number]
        "#,
        );
        assert_eq!(rehearsal.value(), &json!([1, 1, 2, 3]));
    });
}

#[test]
fn a_source_stays_on_where_its_machine_was_deployed_meanwhile() {
    for generation in GENERATIONS {
        let stage = Stage::new(Options::of(generation));
        let rehearsal = play(
            &stage,
            r#"
            let replica = ensured("web-01");
            replica_sync(replica);
            wait_for(deployment_create(replica));
            let caught = ();
            try { replica_sync(replica, #{ shutdown_instances: true }); } catch (e) { caught = e; }
            #{ kind: caught.kind, message: caught.message, copies: replica_execution_list(replica).len() }
        "#,
        );
        let told = rehearsal.value();
        assert_eq!((&told["kind"], &told["copies"]), (&json!("refused"), &json!(1)), "{told}");
        assert!(told["message"].as_str().unwrap().contains("would switch the source off"), "{told}");
    }
}

#[test]
fn a_machine_that_was_cut_over_is_not_copied_again_whatever_happened_since() {
    let since = [
        "",
        r#"let again = replica_execute(replica, #{ copy_again: true }); sleep("30s"); replica_execution_cancel(again);
           try { wait_for(again); } catch (e) { }"#,
        "replica_sync(replica, #{ copy_again: true });",
        "wait_for(replica_disks_delete(replica));",
        "wait_for(replica_update(replica, #{ notes: \"moved\" }));",
    ];
    let before = ["", "replica_sync(replica);"];
    for (generation, before, since) in cases(&before, &since) {
        let stage = Stage::new(Options::of(generation));
        let rehearsal = play(
            &stage,
            &format!(
                r#"
            let replica = ensured("web-01");
            replica_sync(replica, #{{ shutdown_instances: true }});
            {before}
            replica_deploy(replica);
            {since}
            let copies = replica_execution_list(replica).len();
            let caught = ();
            try {{ replica_sync(replica); }} catch (e) {{ caught = e; }}
            #{{ kind: caught?.kind, message: caught?.message, sent: replica_execution_list(replica).len() - copies }}
        "#
            ),
        );
        let told = rehearsal.value();
        assert_eq!((&told["kind"], &told["sent"]), (&json!("refused"), &json!(0)), "{before} {since}: {told}");
        assert!(told["message"].as_str().unwrap().contains("was cut over"), "{told}");
    }
}

#[test]
fn what_was_moved_is_not_moved_again_when_its_replica_is_gone() {
    for generation in GENERATIONS {
        let stage = Stage::new(Options::of(generation));
        let rehearsal = play(
            &stage,
            r#"
            let gone = ensured("web-01");
            replica_sync(gone, #{ shutdown_instances: true });
            replica_deploy(gone);
            wait_for(replica_disks_delete(gone));
            replica_delete(gone);
            let replica = ensured("web-01");
            let caught = [];
            try { replica_sync(replica, #{ shutdown_instances: true }); } catch (e) { caught.push(e); }
            try { replica_sync(replica); } catch (e) { caught.push(e); }
            replica_sync(replica, #{ copy_again: true });
            try { replica_deploy(replica); } catch (e) { caught.push(e); }
            #{ kinds: caught.map(|e| e.kind), messages: caught.map(|e| e.message), gone: gone.id,
               copies: replica_execution_list(replica).len(), deployments: deployment_list().len() }
        "#,
        );
        let told = rehearsal.value();
        assert_eq!(told["kinds"], json!(["refused", "refused", "refused"]), "{told}");
        assert_eq!((&told["copies"], &told["deployments"]), (&json!(1), &json!(1)), "{told}");
        for message in told["messages"].as_array().unwrap() {
            assert!(message.as_str().unwrap().contains(told["gone"].as_str().unwrap()), "{told}");
        }
    }
}

#[test]
fn two_origins_may_each_have_a_machine_of_one_name() {
    for generation in GENERATIONS {
        let stage = Stage::new(Options::of(generation));
        let rehearsal = play(
            &stage,
            r#"
            endpoint_ensure(#{ name: "vc2", provider: "vmware_vsphere",
                               connection: #{ host: "vc2.example", username: "m", password: "planted" } });
            let other = replica_ensure(#{ origin_endpoint: "vc2", destination_endpoint: "openstack", instance: "web-01" });
            let replica = ensured("web-01");
            replica_sync(replica, #{ shutdown_instances: true });
            #{ two: other.id != replica.id, deployed: replica_deploy(replica).status }
        "#,
        );
        assert_eq!(*rehearsal.value(), json!({ "two": true, "deployed": "COMPLETED" }));
    }
}

/// Both generations with every pair.
fn cases<'a>(left: &'a [&str], right: &'a [&str]) -> impl Iterator<Item = (Generation, &'a str, &'a str)> {
    GENERATIONS.into_iter().flat_map(move |generation| {
        left.iter().flat_map(move |one| right.iter().map(move |other| (generation, *one, *other)))
    })
}

#[test]
fn a_deployment_that_would_do_harm_is_refused_and_nothing_is_sent() {
    let table = [
        ("never copied", "let replica = ensured(\"web-01\");", "#{}", "was never copied"),
        (
            "a cancelled newest copy",
            r#"let replica = ensured("web-01"); replica_sync(replica);
               let running = replica_execute(replica); sleep("1m"); replica_execution_cancel(running);
               try { wait_for(running); } catch (e) { }"#,
            "#{}",
            "(execution #2) is CANCELED",
        ),
        (
            "another copy than the required one",
            r#"let replica = ensured("web-01"); let old = replica_sync(replica); replica_sync(replica);"#,
            "#{ requires: old }",
            "is not the required execution",
        ),
        (
            "deployed before",
            r#"let replica = ensured("web-01"); replica_sync(replica); replica_deploy(replica);"#,
            "#{}",
            "was deployed before",
        ),
        (
            "a second replica of the VM",
            r#"let replica = ensured("web-01"); replica_sync(replica);
               replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });"#,
            "#{}",
            "a second replica of `web-01`",
        ),
    ];
    for generation in GENERATIONS {
        for (name, before, options, message) in &table {
            let stage = Stage::new(Options::of(generation));
            let rehearsal = play(
                &stage,
                &format!(
                    r#"{before}
                    let caught = ();
                    try {{ replica_deploy(replica, {options}); }} catch (e) {{ caught = #{{ kind: e.kind, message: e.message }}; }}
                    caught"#
                ),
            );
            let (caught, name) = (rehearsal.value(), format!("{name} on {}", generation.word()));
            assert_eq!(caught["kind"], "refused", "{name}");
            assert!(caught["message"].as_str().unwrap().contains(message), "{name}: {caught}");
            let deployed = usize::from(before.contains("replica_deploy"));
            assert_eq!(rehearsal.deployments_made(), deployed, "{name}");
        }
    }
}

#[test]
fn a_lost_reply_never_starts_a_second_execution() {
    for trouble in [Trouble::DroppedAfter, Trouble::UnavailableAfter] {
        on_both(|stage, generation| {
            stage.inject("POST", "/executions", trouble);
            let rehearsal = play(stage, r#"let done = replica_sync(ensured("web-01")); [done.number, done.status]"#);
            let name = format!("{trouble:?} on {}", generation.word());
            assert_eq!(rehearsal.value(), &json!([1, "COMPLETED"]), "{name}");
            assert_eq!(posts(&rehearsal, "/executions"), 1, "{name}");
        });
    }
}

#[test]
fn an_execution_that_was_never_begun_is_sent_again() {
    for trouble in [Trouble::DroppedBefore, Trouble::UnavailableBefore] {
        on_both(|stage, generation| {
            stage.inject("POST", "/executions", trouble);
            let rehearsal = play(stage, r#"let done = replica_sync(ensured("web-01")); [done.number, done.status]"#);
            let name = format!("{trouble:?} on {}", generation.word());
            assert_eq!(rehearsal.value(), &json!([1, "COMPLETED"]), "{name}");
            assert_eq!(posts(&rehearsal, "/executions"), 1, "{name}");
        });
    }
}

#[test]
fn a_lost_reply_never_starts_a_second_deployment() {
    for trouble in [Trouble::DroppedAfter, Trouble::UnavailableAfter] {
        on_both(|stage, generation| {
            let path = if generation == Generation::Current { "/deployments" } else { "/migrations" };
            stage.inject("POST", path, trouble);
            let rehearsal = play(
                stage,
                r#"let replica = ensured("web-01"); replica_sync(replica); replica_deploy(replica).status"#,
            );
            let name = format!("{trouble:?} on {}", generation.word());
            assert_eq!(rehearsal.value(), &json!("COMPLETED"), "{name}");
            assert_eq!(posts(&rehearsal, path), 1, "{name}");
        });
    }
}

#[test]
fn a_creation_whose_reply_is_lost_is_found_by_its_mark_and_not_made_twice() {
    for trouble in [Trouble::DroppedAfter, Trouble::UnavailableAfter] {
        on_both(|stage, generation| {
            let path = if generation == Generation::Current { "/transfers" } else { "/replicas" };
            stage.inject("POST", path, trouble);
            let create = r#"replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01", notes: "tier 1" }).notes"#;
            let rehearsal = play(stage, create);
            let name = format!("{trouble:?} on {}", generation.word());
            assert_eq!(rehearsal.value(), &json!("tier 1"), "{name}: the mark is not shown");
            assert_eq!(rehearsal.replicas_made(), 1, "{name}");
            assert_eq!(play(stage, "replica_list().len()").value(), &json!(1), "{name}");
        });
    }
}

#[test]
fn a_token_that_is_refused_in_the_middle_costs_one_login() {
    on_both(|stage, generation| {
        stage.inject("POST", "/executions", Trouble::Unauthorized);
        let rehearsal = play(stage, r#"replica_sync(ensured("web-01")).status"#);
        assert_eq!(rehearsal.value(), &json!("COMPLETED"), "{}", generation.word());
        assert_eq!((rehearsal.logins, posts(&rehearsal, "/executions")), (2, 1), "{}", generation.word());
    });
}

#[test]
fn twelve_lanes_with_a_revoked_token_log_in_once() {
    on_both(|stage, generation| {
        let script = format!(
            r#"{PRELUDE}
            let vms = endpoint_instance_list("vcenter").filter(|vm| vm.name.starts_with("web"));
            let replicas = each(vms, #{{ limit: 12 }}, |vm| ensured(vm.name));
            print("now");
            each(replicas, #{{ limit: 12 }}, |replica| replica_execute(replica).number)
        "#
        );
        let rehearsal = stage.play_with(&script, |sandbox, _| sandbox.revoke_tokens());
        assert_eq!(rehearsal.value(), &Value::from(vec![1; 12]), "{}", generation.word());
        assert_eq!(rehearsal.logins, 2, "{}", generation.word());
    });
}

#[test]
fn both_vocabularies_say_the_same_on_both_generations() {
    let replica = r#"
        let r = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "db-01", notes: "n" });
        let e = replica_execute(r);
        let done = wait_for(e);
        let shown = replica_execution_show(done);
        let d = migration_deploy_replica(r);
        let deployed = wait_for(d);
        let listed = migration_list();
        [r.status, e.status, done.status, shown.number, replica_show(r).last_execution_status, deployed.status,
         listed.len(), listed[0].replica_id == r.id, migration_show(d).status, replica_list().len(), shown.type]
    "#;
    let transfer = r#"
        let r = transfer_create(#{ origin_endpoint_id: "vcenter", destination_endpoint_id: "openstack", instances: ["db-01"], notes: "n" });
        let e = transfer_execute(r);
        let done = wait_for(e);
        let shown = transfer_execution_show(done);
        let d = deployment_create(r);
        let deployed = wait_for(d);
        let listed = deployment_list();
        [r.status, e.status, done.status, shown.number, transfer_show(r).last_execution_status, deployed.status,
         listed.len(), listed[0].transfer_id == r.id, deployment_show(d).status, transfer_list().len(), shown.type]
    "#;
    for generation in GENERATIONS {
        let answers =
            [replica, transfer].map(|source| Stage::new(Options::of(generation)).play(source).value().clone());
        assert_eq!(answers[0], answers[1], "{}", generation.word());
        let kind = if generation == Generation::Current { "transfer_execution" } else { "replica_execution" };
        let expected =
            json!(["UNEXECUTED", "RUNNING", "COMPLETED", 1, "COMPLETED", "COMPLETED", 1, true, "COMPLETED", 1, kind]);
        assert_eq!(answers[0], expected, "{}", generation.word());
    }
}

/// How many requests of this method reached the service and were acted on or refused there.
fn posts(rehearsal: &Rehearsal, path: &str) -> usize {
    rehearsal.accepted.iter().filter(|request| request.method == "POST" && request.path.ends_with(path)).count()
}
