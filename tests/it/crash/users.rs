//! Two users of one project: what a colleague makes under the colleague's own name is never taken for the run's.

use coriolis_run::error::Kind;
use coriolis_run::journal::Past;
use coriolis_run::runtime::gates::Nobody;
use serde_json::json;

use super::*;

const SEED: &str = r#"
    replica_sync(replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" }))
"#;

/// The line before which a change of this path begins in an undisturbed run.
fn beginning(generation: Generation, folder: &Path, (seed, runbook): (&str, &str), paths: [&str; 2]) -> usize {
    let run = Run::new(generation, folder);
    run.stage.play(seed).value();
    run.process_of(runbook, Arc::new(Nobody), None).0.value();
    let text = std::fs::read_to_string(&run.journal).unwrap();
    let began = |line: &str| {
        line.contains(r#""record":"began""#) && paths.iter().any(|path| line.contains(&format!(r#""path":"{path}"#)))
    };
    // The first line is written before the process has its disk.
    text.lines().position(began).unwrap()
}

/// Resumes with another user and the journal as it is.
fn resumed_by_colleague(run: &Run, runbook: &str) -> Rehearsal {
    let (journal, _) = run.journal(None);
    run.stage.play_recorded_as(run.stage.sandbox.colleague(), runbook, Arc::new(journal), Arc::new(Nobody))
}

#[test]
fn a_deployment_of_a_colleague_is_not_the_one_whose_answer_was_lost() {
    let units = r#"replica_deploy(replica_of("web-01")).id"#;
    let low = r#"deployment_create(replica_of("web-01")).id"#;
    for generation in GENERATIONS {
        let folder = folder(&format!("user-deploys-{}", generation.word()));
        for runbook in [units, low] {
            let at = beginning(generation, &folder, (SEED, runbook), ["deployments", "migrations"]);
            for (theirs_come, after) in [(true, false), (false, false), (false, true)] {
                let run = Run::new(generation, &folder);
                run.stage.play(SEED).value();
                run.process_of(runbook, Arc::new(Nobody), Some((at + usize::from(after), !after)));
                if theirs_come {
                    run.stage.play_as_colleague(r#"wait_for(deployment_create(replica_of("web-01")))"#).value();
                }
                let theirs = run.stage.play("deployment_list().map(|made| made.id)").value().clone();
                let (played, _) = run.process_of(runbook, Arc::new(Nobody), None);
                let name = format!("{runbook} with theirs {theirs_come} on {}: {:?}", generation.word(), played.result);
                let made = played.deployments_made();
                match (theirs_come, runbook == units) {
                    (true, true) => assert_eq!((played.kind(), made), (Kind::Refused, 1), "{name}"),
                    // Refused, or deployed a second time where nothing guards it.
                    (true, false) => {
                        assert!(played.result.as_ref().map_or(made == 1, |id| *id != theirs[0] && made == 2), "{name}");
                    }
                    (false, _) => assert!(played.result.is_ok() && made == 1, "{name}"),
                }
            }
        }
    }
}

#[test]
fn a_colleagues_clone_of_a_replica_with_its_mark_is_not_the_runs() {
    let runbook = r#"
        replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01",
                          notes: "web tier" }).id"#;
    for generation in GENERATIONS {
        let folder = folder(&format!("user-clones-{}", generation.word()));
        let at = beginning(generation, &folder, ("()", runbook), ["transfers", "replicas"]);
        let notes = |run: &Run| {
            let accepted = run.stage.sandbox.accepted();
            let made = accepted.iter().find(|request| request.status < 300).unwrap();
            made.body.as_object().unwrap().values().next().unwrap()["notes"].as_str().unwrap().to_owned()
        };
        let undisturbed = Run::new(generation, &folder);
        undisturbed.process_of(runbook, Arc::new(Nobody), None).0.value();
        let mark = json!(notes(&undisturbed));
        let clone = format!(
            r#"replica_create(#{{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01",
                                  notes: {mark} }}).id"#
        );
        for dies in [(at + 1, false), (at, true)] {
            let run = Run::new(generation, &folder);
            run.process_of(runbook, Arc::new(Nobody), Some(dies));
            let theirs = run.stage.play_as_colleague(&clone);
            let (played, _) = run.process_of(runbook, Arc::new(Nobody), None);
            let name = format!("{dies:?} on {}", generation.word());
            assert!(played.value() != theirs.value() && played.replicas_made() == 2, "{name}");
        }
    }
}

#[test]
fn a_colleague_who_resumes_a_run_finds_what_it_has_made() {
    let runbook = r#"
        let r = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
        wait_for(replica_execute(r));
        replica_deploy(r).status"#;
    for generation in GENERATIONS {
        let folder = folder(&format!("user-resumes-{}", generation.word()));
        for paths in [["transfers\"", "replicas\""], ["deployments", "migrations"]] {
            let at = beginning(generation, &folder, ("()", runbook), paths);
            let run = Run::new(generation, &folder);
            run.process_of(runbook, Arc::new(Nobody), Some((at + 1, false)));
            let played = resumed_by_colleague(&run, runbook);
            let made = (played.replicas_made(), played.deployments_made());
            assert_eq!((played.value(), made), (&json!("COMPLETED"), (1, 1)), "{paths:?} on {}", generation.word());
        }
        // Without any journal only the mark tells whose it is, and its user is another one: somebody is asked.
        let run = Run::new(generation, &folder);
        let began = run.stage.clock.now();
        run.process_of(runbook, Arc::new(Nobody), None).0.value();
        let empty = Journal::new("m4k7t2qa".into(), [7; 32], run.stage.clock.clone(), State::default(), None);
        let journal = empty.after(Past::of(&State::default(), Some(began), run.stage.clock.now()));
        let colleague = run.stage.sandbox.colleague();
        let played = run.stage.play_recorded_as(colleague, runbook, Arc::new(journal), Arc::new(Nobody));
        assert_eq!((played.kind(), played.replicas_made()), (Kind::NeedsAnswer, 1), "on {}", generation.word());
    }
}

#[test]
fn what_a_colleague_deploys_before_a_resume_is_refused_by_its_name_and_no_question() {
    // The run has not deployed yet when it dies; nobody of the run has sent what the colleague sent.
    let runbook = r#"
        let r = replica_of("web-01");
        let x = replica_schedule_create(r, #{ minute: 0, disabled: true });
        sleep("1m");
        deployment_create(r).id"#;
    for generation in GENERATIONS {
        let folder = folder(&format!("user-before-{}", generation.word()));
        let at = beginning(generation, &folder, (SEED, runbook), ["deployments", "migrations"]);
        let run = Run::new(generation, &folder);
        let began = run.stage.clock.now();
        run.stage.play(SEED).value();
        run.process_of(runbook, Arc::new(Nobody), Some((at, false)));
        let theirs = run.stage.play_as_colleague(r#"wait_for(deployment_create(replica_of("web-01"))).id"#);
        let (journal, _) = run.journal(None);
        let journal = {
            let past = Past::of(&journal.state(), Some(began), run.stage.clock.now());
            journal.after(past)
        };
        let played = run.stage.play_recorded(runbook, Arc::new(journal), Arc::new(Nobody));
        let theirs = theirs.value().as_str().unwrap();
        assert_eq!(played.kind(), Kind::Refused, "{:?}", played.result);
        assert!(played.error().message.contains(theirs), "{:?}", played.error());
    }
}
