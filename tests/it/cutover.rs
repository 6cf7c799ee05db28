//! Cutovers: sections that come to their end, forwards or back, whatever happens around them.

use std::path::Path;

use serde_json::Value;

use crate::command::{Ended, Running, folder};
use crate::resume::{id_of, keeping, lines, only_run, run, written};

const SANDBOXES: [&str; 2] = ["--sandbox", "--sandbox=legacy"];

/// A wave of cutovers; `{verify}` runs after the deployment, `{options}` are those of the cutover.
fn night(items: &str, wave: &str, options: &str, verify: &str) -> String {
    format!(
        r#"let done = wave("night", {items}, {wave}, |name| {{
    let r = replica_ensure(#{{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: name }});
    replica_sync(r);
    cutover(r, {options}, |c| {{
        let last = replica_sync(r, #{{ shutdown_instances: true }});
        let vm = replica_deploy(r, #{{ requires: last }});
        {verify}
        vm.status
    }})
}});
let items = done.items;
for key in items.keys() {{ print(`${{key}} ${{items[key].status}} ${{items[key].value}}`); }}
let truth = sandbox_truth();
print([truth.sources_off, truth.running_twice, truth.stale, truth.half_copied]);"#
    )
}

/// The number of executions and of deployments that the run's sandbox began.
fn begun(state: &Path) -> (usize, usize) {
    let text = std::fs::read_to_string(only_run(state).join("sandbox.jsonl")).unwrap();
    let entries: Vec<Value> = text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |ends: &[&str]| {
        let begins = |entry: &&Value| {
            entry["method"] == "POST"
                && entry["status"].as_u64().unwrap() < 300
                && ends.iter().any(|end| entry["path"].as_str().unwrap().ends_with(end))
        };
        entries.iter().filter(begins).count()
    };
    (count(&["/executions"]), count(&["/deployments", "/migrations"]))
}

fn last_line(ended: &Ended) -> &str {
    ended.stdout.lines().rfind(|line| line.starts_with('[')).unwrap_or_default()
}

#[test]
fn a_cutover_that_ends_well_leaves_nothing_to_say() {
    for sandbox in SANDBOXES {
        let state = folder(&format!("well{sandbox}"));
        let text = night(r#"["web-01", "web-02"]"#, "#{ }", "#{ }", "");
        let ended = run(&state, &[&written(&state, &text), sandbox]).expect(0);
        assert!(ended.stdout.contains("web-01 ok COMPLETED"), "{}", ended.stdout);
        assert_eq!(last_line(&ended), "[[], [], [], []]");
        assert!(!ended.stderr.contains("SOURCE OFF"), "{}", ended.stderr);
    }
}

#[test]
fn without_a_rollback_a_vm_that_nobody_verified_counts_as_off() {
    for sandbox in SANDBOXES {
        let state = folder(&format!("unverified{sandbox}"));
        let text = night(r#"["web-01"]"#, "#{ max_failures: 1 }", "#{ }", r#"throw "the page is blank";"#);
        let ended = run(&state, &[&written(&state, &text), sandbox]).expect(10);
        let off = "SOURCE OFF, NOT DEPLOYED: 1  web-01 (off, deployed and not verified) since ";
        assert!(ended.stderr.contains(off), "{}", ended.stderr);
    }
}

#[test]
fn a_rollback_that_switches_the_source_on_makes_the_next_try_copy_again() {
    for sandbox in SANDBOXES {
        let state = folder(&format!("back{sandbox}"));
        let back = r#"#{ rollback: |c| {
            print(`${c.step} ${c.source_off} ${c.error.message}`);
            sandbox_power_on(name);
            true
        } }"#;
        let text = night(r#"["web-01"]"#, "#{ max_failures: 1 }", back, "");
        let stopped = text.replace("let vm =", r#"throw "the owner said stop"; let vm ="#);
        let ended = run(&state, &[&written(&state, &stopped), sandbox]).expect(0);
        assert!(ended.stdout.contains(" true the owner said stop"), "{}", ended.stdout);
        assert!(ended.stderr.contains("cutover rolled back: the source is on"), "{}", ended.stderr);
        assert_eq!((begun(&state), last_line(&ended)), ((2, 0), "[[], [], [], []]"));
        let mended = written(&state, &text);
        let again = run(&state, &["resume", &id_of(&state), "--retry-failed", "--script", &mended]).expect(0);
        assert!(again.stderr.contains("the source of web-01 was switched on after this copy"), "{}", again.stderr);
        assert_eq!((begun(&state), last_line(&again)), ((3, 1), "[[], [], [], []]"), "the final copy is made again");
    }
}

#[test]
fn a_rollback_that_does_not_say_that_the_source_is_on_leaves_it_off() {
    let state = folder("silent");
    let text = night(r#"["web-01"]"#, "#{ max_failures: 1 }", "#{ rollback: |c| print(c.step) }", r#"throw "no";"#);
    let ended = run(&state, &[&written(&state, &text), "--sandbox"]).expect(10);
    assert!(ended.stderr.contains("did not say that its source is on"), "{}", ended.stderr);
    let failing =
        night(r#"["web-01"]"#, "#{ max_failures: 1 }", r#"#{ rollback: |c| throw "no way" }"#, r#"throw "blank";"#);
    let state = folder("failing-back");
    let ended = run(&state, &[&written(&state, &failing), "--sandbox"]).expect(10);
    assert!(ended.stderr.contains("the rollback of `web-01` failed: no way"), "{}", ended.stderr);
    assert!(ended.stderr.contains("FAILED  night/web-01  attempt 1 of 1: blank"), "{}", ended.stderr);
}

#[test]
fn a_pause_waits_for_the_end_of_a_cutover_and_starts_none() {
    let state = folder("paused-inside");
    let text = night(r#"["web-01", "web-02", "web-03"]"#, "#{ limit: 1 }", "#{ }", "");
    let mut running = Running::start(keeping(&state, &[&written(&state, &text), "--sandbox", "--speed", "600"]));
    running.wait_for(&["the source of web-01 is off"]);
    running.press_interrupt();
    let ended = running.end().expect(6);
    assert!(ended.stderr.contains("1 cutover is brought to its end first"), "{}", ended.stderr);
    assert!(ended.stderr.contains("night/web-01  cutover done"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("SOURCE OFF"), "{}", ended.stderr);
    let resumed = run(&state, &["resume", "--speed", "max"]).expect(0);
    assert_eq!(last_line(&resumed), "[[], [], [], []]");
    assert_eq!(begun(&state), (6, 3));
}

#[test]
fn once_too_many_have_failed_no_further_cutover_is_entered() {
    let state = folder("budget-spent");
    let text = night(r#"["fail-always-legacy-01", "web-01"]"#, "#{ limit: 2 }", "#{ }", "");
    let ended = run(&state, &[&written(&state, &text), "--sandbox"]).expect(3);
    assert!(ended.stdout.contains("`web-01` was not cut over: nothing new starts, 1 item failed"), "{}", ended.stdout);
    assert!(!ended.stderr.contains("SOURCE OFF"), "{}", ended.stderr);
}

#[test]
fn a_cutover_that_was_killed_anywhere_is_finished_first_and_nothing_is_done_twice() {
    for sandbox in SANDBOXES {
        let text = night(r#"["web-01", "web-02"]"#, "#{ limit: 2 }", "#{ }", "");
        let state = folder(&format!("whole{sandbox}"));
        let runbook = written(&state, &text);
        run(&state, &[&runbook, sandbox]).expect(0);
        let (records, expected) = (lines(&only_run(&state).join("journal.jsonl")), begun(&state));
        for point in 1..8 {
            let state = folder(&format!("killed-inside{sandbox}"));
            let mut running = Running::start(keeping(&state, &[&runbook, sandbox]));
            let wanted = records * point / 8;
            let runs = state.join("coriolis-run/runs");
            running.wait_until(|| {
                let first = std::fs::read_dir(&runs).ok().and_then(|mut runs| runs.next()?.ok());
                first.is_some_and(|run| lines(&run.path().join("journal.jsonl")) >= wanted)
            });
            running.kill();
            let resumed = run(&state, &["resume", "--speed", "max"]);
            if resumed.code == 2 && resumed.stderr.contains("no unfinished run") {
                continue;
            }
            assert_eq!(resumed.code, 0, "killed at {wanted}: {}", resumed.stderr);
            assert_eq!(last_line(&resumed), "[[], [], [], []]", "killed at {wanted}");
            assert_eq!(begun(&state), expected, "killed at {wanted} of {records}");
        }
    }
}

#[test]
fn a_rollback_that_was_killed_goes_on_and_the_cutover_is_not_begun_again() {
    let state = folder("killed-back");
    let back = r#"#{ rollback: |c| { sleep("1h"); sandbox_power_on(name); true } }"#;
    let text = night(r#"["web-01"]"#, "#{ max_failures: 1 }", back, r#"throw "blank";"#);
    let runbook = written(&state, &text);
    let mut running = Running::start(keeping(&state, &[&runbook, "--sandbox", "--speed", "2000"]));
    running.wait_for(&["deploy done"]);
    let journal = only_run(&state).join("journal.jsonl");
    running.wait_until(|| std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"step\":\"\"")));
    running.kill();
    let before = begun(&state);
    let resumed = run(&state, &["resume", "--speed", "max"]).expect(0);
    assert!(resumed.stderr.contains("cutover rolled back: the source is on"), "{}", resumed.stderr);
    assert_eq!(begun(&state), before);
}
