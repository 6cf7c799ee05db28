//! Waves inside of a wave's items, in runs that are tried again and killed: every item is told, as it stands.

use std::path::Path;

use crate::command::{Running, folder, runbook};
use crate::resume::{keeping, lines, only_run, run};

/// Wave, item and outcome of everything that a report tells.
fn told(state: &Path) -> Vec<String> {
    let id = only_run(state).file_name().unwrap().to_str().unwrap().to_owned();
    let table = run(state, &["report", &id, "--format", "csv"]).expect(0).stdout;
    table.lines().skip(1).map(|line| line.split(',').take(3).collect::<Vec<_>>().join(" ")).collect()
}

const ALL_DONE: [&str; 10] = [
    "sites left ok",
    "sites right ok",
    "sites/left/copies web-01 ok",
    "sites/left/copies fail-once-mail-01 ok",
    "sites/left/copies web-02 ok",
    "sites/left/syncs web-01 ok",
    "sites/left/syncs fail-once-mail-01 ok",
    "sites/left/syncs web-02 ok",
    "sites/right/copies db-01 ok",
    "sites/right/syncs db-01 ok",
];

const SUMMARY: &str = "\
done
 wave                total  ok  failed  skipped  paused  unknown
 sites                   2   2       0        0       0        0
 sites/left/copies       3   3       0        0       0        0
 sites/left/syncs        3   3       0        0       0        0
 sites/right/copies      1   1       0        0       0        0
 sites/right/syncs       1   1       0        0       0        0

 retried: left (2 tries), fail-once-mail-01 (2 tries)
";

#[test]
fn what_was_done_inside_of_an_item_is_told_after_a_retry_of_what_failed() {
    let state = folder("nested");
    run(&state, &[&runbook("nested.rhai"), "--sandbox"]).expect(3);
    let first = told(&state);
    assert_eq!(first[..2], ["sites left failed", "sites right skipped"]);
    assert_eq!(first.len(), 8);
    let done = run(&state, &["resume", "--retry-failed"]).expect(0);
    assert_eq!(done.stdout, SUMMARY);
    assert_eq!(told(&state), ALL_DONE);
    let id = only_run(&state).file_name().unwrap().to_str().unwrap().to_owned();
    let shown = run(&state, &["runs", "show", &id, "--format", "table"]).expect(0).stdout;
    let copies = shown.lines().filter(|line| line.contains("sites/left/copies") && line.contains("ok"));
    assert_eq!(copies.count(), 3, "{shown}");
}

#[test]
fn what_was_done_inside_of_an_item_is_told_after_its_next_attempt() {
    let state = folder("nested-retries");
    let script = state.join("nested.rhai");
    let text = std::fs::read_to_string(runbook("nested.rhai")).unwrap();
    std::fs::write(&script, text.replace("limit: 1 }, |site|", "limit: 1, retries: 1 }, |site|")).unwrap();
    let done = run(&state, &[script.to_str().unwrap(), "--sandbox"]).expect(0);
    assert_eq!(done.stdout, SUMMARY);
    assert_eq!(told(&state), ALL_DONE);
}

#[test]
fn a_retry_that_is_killed_and_goes_on_tells_the_same_as_one_that_was_not() {
    let whole = folder("nested-whole");
    run(&whole, &[&runbook("nested.rhai"), "--sandbox"]).expect(3);
    let before = lines(&only_run(&whole).join("journal.jsonl"));
    run(&whole, &["resume", "--retry-failed"]).expect(0);
    let after = lines(&only_run(&whole).join("journal.jsonl"));
    for point in 0..8 {
        let state = folder("nested-killed");
        run(&state, &[&runbook("nested.rhai"), "--sandbox"]).expect(3);
        let journal = only_run(&state).join("journal.jsonl");
        let wanted = before + 2 + point * (after - before - 4) / 7;
        let mut running = Running::start(keeping(&state, &["resume", "--retry-failed"]));
        running.wait_until(|| lines(&journal) >= wanted);
        running.kill();
        let resumed = run(&state, &["resume", "--speed", "max"]);
        if resumed.code == 2 && resumed.stderr.contains("no unfinished run") {
            continue;
        }
        assert_eq!(resumed.code, 0, "killed at {wanted}: {}", resumed.stderr);
        assert_eq!(resumed.stdout, SUMMARY, "killed at {wanted} of {before} to {after}");
        assert_eq!(told(&state), ALL_DONE, "killed at {wanted} of {before} to {after}");
    }
}
