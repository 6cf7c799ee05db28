//! Sources that a run leaves off: said by every end of it, and by what comes after.

use std::path::Path;

use serde_json::Value;

use crate::command::{Running, folder};
use crate::resume::{id_of, keeping, run, written};

const SANDBOXES: [&str; 2] = ["--sandbox", "--sandbox=legacy"];

/// A wave that switches every source off; the copy of `fail-always-legacy-01` never succeeds.
const WITHIN_BUDGET: &str = r#"wave("cutover", ["web-01", "fail-always-legacy-01"], #{ max_failures: 1 }, |name| {
    let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: name });
    let last = replica_sync(r, #{ shutdown_instances: true });
    replica_deploy(r, #{ requires: last });
});"#;

const WITHOUT_A_WAVE: &str = r#"
let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
try {
    replica_sync(r, #{ shutdown_instances: true });
    replica_deploy(r, #{ requires: "another" });
} catch (error) {
    print(error.source_off);
}"#;

fn the_run(state: &Path) -> Value {
    serde_json::from_str::<Value>(&run(state, &["runs", "--format", "json"]).expect(0).stdout).unwrap()[0].take()
}

#[test]
fn a_source_that_stays_off_within_the_budget_is_said_by_every_display() {
    for sandbox in SANDBOXES {
        let state = folder(&format!("budget{sandbox}"));
        let ended = run(&state, &[&written(&state, WITHIN_BUDGET), sandbox]).expect(10);
        let id = id_of(&state);
        assert!(ended.stdout.contains("! SOURCE OFF, NOT DEPLOYED: 1    fail-always-legacy-01"), "{}", ended.stdout);
        assert!(ended.stderr.contains("SOURCE OFF, NOT DEPLOYED: 1  fail-always-legacy-01 since "), "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("coriolis-run rollback {id} --mark NAME")), "{}", ended.stderr);
        let kept = the_run(&state);
        assert_eq!((&kept["status"], &kept["exit_code"]), (&"done".into(), &10.into()), "{kept}");
        for (form, said) in [
            ("json", "\"source\": \"off\""),
            ("csv", ",fail-always-legacy-01,"),
            ("junit", "source off since "),
            ("markdown", "- **fail-always-legacy-01** off since "),
            ("html", "<b>fail-always-legacy-01</b>"),
        ] {
            let told = run(&state, &["report", &id, "--format", form]).expect(0).stdout;
            assert!(told.contains(said), "{form}: {told}");
        }
        let again = run(&state, &["resume", &id, "--retry-failed"]).expect(10);
        assert!(again.stderr.contains("SOURCE OFF, NOT DEPLOYED  fail-always-legacy-01 since "), "{}", again.stderr);
    }
}

#[test]
fn a_run_without_a_wave_says_it_and_its_errors_know_it() {
    for sandbox in SANDBOXES {
        let state = folder(&format!("alone{sandbox}"));
        let runbook = written(&state, WITHOUT_A_WAVE);
        let ended = run(&state, &[&runbook, sandbox]).expect(10);
        assert_eq!(ended.stdout.trim(), "true");
        assert!(ended.stderr.contains("SOURCE OFF, NOT DEPLOYED: 1  web-01 since "), "{}", ended.stderr);
        let events = folder(&format!("alone-events{sandbox}"));
        let ended = run(&events, &[&runbook, sandbox, "--output", "jsonl"]).expect(10);
        let last: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&last["exit_code"], &last["ended"], &last["sources_off"][0]),
            (&10.into(), &0.into(), &"web-01".into())
        );
    }
}

#[test]
fn a_stop_in_a_final_copy_names_the_sources_and_the_resume_brings_them_home() {
    let state = folder("stopped");
    let runbook = written(&state, &WITHIN_BUDGET.replace("fail-always-legacy-01", "web-02"));
    let mut running = Running::start(keeping(&state, &[&runbook, "--sandbox", "--speed", "60"]));
    running.wait_for(&["the source of web-01 is off", "the source of web-02 is off"]);
    running.press_interrupt();
    let ended = running.end().expect(10);
    assert!(ended.stdout.contains("! SOURCE OFF, NOT DEPLOYED: 2    "), "{}", ended.stdout);
    assert_eq!(the_run(&state)["status"], "paused");
    let resumed = run(&state, &["resume", "--speed", "max"]).expect(0);
    let first = resumed.stderr.lines().find(|line| line.contains("SOURCE OFF")).unwrap();
    assert!(first.contains("web-01 since ") && first.contains("web-02 since "), "{first}");
    assert!(!resumed.stdout.contains("SOURCE OFF"), "{}", resumed.stdout);
}

#[test]
fn two_presses_leave_with_the_names_of_the_sources() {
    let state = folder("left");
    let runbook = written(&state, &WITHIN_BUDGET.replace("fail-always-legacy-01", "web-02"));
    let mut running = Running::start(keeping(&state, &[&runbook, "--sandbox", "--speed", "60"]));
    running.wait_for(&["the source of web-01 is off", "the source of web-02 is off"]);
    running.press_interrupt();
    running.press_interrupt();
    let ended = running.end().expect(10);
    assert!(ended.stderr.contains("SOURCE OFF, NOT DEPLOYED: "), "{}", ended.stderr);
}

#[test]
fn somebody_notes_that_a_source_is_on_again() {
    let state = folder("marked");
    run(&state, &[&written(&state, WITHIN_BUDGET), "--sandbox"]).expect(10);
    let id = id_of(&state);
    let listed = run(&state, &["rollback", &id]).expect(0);
    assert!(listed.stdout.starts_with("fail-always-legacy-01  off  since "), "{}", listed.stdout);
    let wrong = run(&state, &["rollback", &id, "--mark", "fail-always-legacy-0"]).expect(2);
    assert!(wrong.stderr.contains("did you mean `fail-always-legacy-01`?"), "{}", wrong.stderr);
    let marked = run(&state, &["rollback", &id, "--mark", "fail-always-legacy-01"]).expect(0);
    assert!(marked.stderr.contains("the source of fail-always-legacy-01 is on, says ann"), "{}", marked.stderr);
    let kept = the_run(&state);
    assert_eq!((&kept["status"], &kept["exit_code"]), (&"done".into(), &0.into()), "{kept}");
    let told = run(&state, &["report", &id, "--format", "markdown"]).expect(0).stdout;
    assert!(!told.contains("Source off"), "{told}");
    run(&state, &["rollback", &id, "--mark", "fail-always-legacy-01"]).expect(2);
}
