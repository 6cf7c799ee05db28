//! Runs of the real binary that stop, are killed, and go on.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::{Ended, Running, command, end, folder, runbook};

/// The binary with a state directory of its own.
pub fn keeping(state: &Path, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command.env("XDG_STATE_HOME", state).env("USER", "ann");
    command
}

pub fn run(state: &Path, arguments: &[&str]) -> Ended {
    end(keeping(state, arguments))
}

/// The directories of the runs that are kept.
fn runs(state: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(state.join("coriolis-run/runs"));
    entries.map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect())
}

pub fn only_run(state: &Path) -> PathBuf {
    let [only] = runs(state).try_into().expect("one run");
    only
}

/// The id of the only run.
pub fn id_of(state: &Path) -> String {
    only_run(state).file_name().unwrap().to_str().unwrap().to_owned()
}

/// Writes a runbook into the folder; its path.
pub fn written(folder: &Path, text: &str) -> String {
    let path = folder.join("night.rhai");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

pub fn lines(file: &Path) -> usize {
    std::fs::read(file).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count())
}

/// How often each sort of change was carried out on the run's sandbox.
fn carried_out(run: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(run.join("sandbox.jsonl")).unwrap();
    let mut counts = BTreeMap::new();
    for line in text.lines().skip(1) {
        let entry: Value = serde_json::from_str(line).unwrap();
        let path = entry["path"].as_str().unwrap();
        let path: Vec<&str> = path.split('/').filter(|part| part.len() < 32).collect();
        if entry["status"].as_u64().unwrap() < 300 && !path.contains(&"actions") {
            *counts.entry(format!("{} {}", entry["method"], path.join("/"))).or_default() += 1;
        }
    }
    counts
}

#[test]
fn a_killed_run_goes_on_and_makes_nothing_twice() {
    let runbook = runbook("resume.rhai");
    for sandbox in ["--sandbox", "--sandbox=legacy"] {
        let state = folder(&format!("killed{sandbox}"));
        let whole = run(&state, &[&runbook, sandbox]).expect(0);
        let expected = carried_out(&only_run(&state));
        let records = lines(&only_run(&state).join("journal.jsonl"));
        for point in 0..13 {
            let state = folder(&format!("killed{sandbox}"));
            let mut running = Running::start(keeping(&state, &[&runbook, sandbox]));
            let wanted = 2 + point * (records - 4) / 12;
            running.wait_until(|| runs(&state).first().is_some_and(|run| lines(&run.join("journal.jsonl")) >= wanted));
            running.kill();
            let resumed = run(&state, &["resume", "--speed", "max"]);
            if resumed.code == 2 && resumed.stderr.contains("no unfinished run") {
                continue;
            }
            assert_eq!(resumed.code, 0, "killed at {wanted}: {}", resumed.stderr);
            assert!(resumed.stderr.contains("going on with run"), "{}", resumed.stderr);
            assert_eq!(carried_out(&only_run(&state)), expected, "killed at record {wanted} of {records}");
            assert_eq!(whole.stdout.lines().last(), resumed.stdout.lines().last(), "killed at {wanted}");
        }
    }
}

#[test]
fn a_gate_pauses_a_run_without_a_terminal_until_somebody_answers() {
    let state = folder("gate");
    let runbook = runbook("gate.rhai");
    let asked = run(&state, &[&runbook, "--sandbox"]).expect(8);
    assert!(asked.stderr.contains("switch web-01 off?"), "{}", asked.stderr);
    let id = id_of(&state);
    let gate = "switch-web-01-off.3";
    assert!(asked.stderr.contains(&format!("coriolis-run answer {id} {gate} yes")), "{}", asked.stderr);

    run(&state, &["resume"]).expect(8);
    let wrong = run(&state, &["answer", &id, "switch-web-01-of.3", "yes"]).expect(2);
    assert!(wrong.stderr.contains(&format!("did you mean `{gate}`?")), "{}", wrong.stderr);
    run(&state, &["answer", &id[..4], gate, "yes"]).expect(0);
    let done = run(&state, &["resume"]).expect(0);
    assert_eq!(done.stdout.lines().next(), Some("COMPLETED"));
    assert!(done.stderr.contains("ann answered yes"), "{}", done.stderr);
    assert_eq!(carried_out(&only_run(&state)).values().sum::<usize>(), 4, "a replica, two executions and a deployment");
    let journal = std::fs::read_to_string(only_run(&state).join("journal.jsonl")).unwrap();
    assert!(journal.contains(r#""event":"gate_answered""#) && journal.contains(r#""by":"ann""#));
    let again = run(&state, &["resume"]).expect(2);
    assert!(again.stderr.contains("there is no unfinished run"), "{}", again.stderr);
}

/// The gates that a run says it waits at.
fn asked(ended: &Ended) -> Vec<String> {
    let lines = ended.stderr.lines().filter(|line| line.contains("  ASKED  "));
    lines.map(|line| line.split("gate ").nth(1).unwrap().split(": ").next().unwrap().to_owned()).collect()
}

#[test]
fn items_that_ask_at_once_are_answered_together_and_each_for_itself() {
    let state = folder("gates");
    let script = state.join("gates.rhai");
    std::fs::write(
        &script,
        r#"for round in ["first", "second"] {
            wave(round, ["a", "b"], #{ limit: 2 }, |vm| { confirm("go on?"); region_create(`${round}-${vm}`); });
        }
        print(region_list().len());"#,
    )
    .unwrap();
    let first = run(&state, &[script.to_str().unwrap(), "--sandbox"]).expect(8);
    let gates = asked(&first);
    assert_eq!(gates.len(), 2, "{}", first.stderr);
    let id = id_of(&state);
    run(&state, &["answer", &id, &gates[0], "no"]).expect(0);
    let instead = run(&state, &["answer", &id, &gates[0], "yes"]).expect(0);
    assert!(instead.stderr.contains("yes, instead of no by ann"), "{}", instead.stderr);
    run(&state, &["answer", &id, &gates[1], "yes"]).expect(0);

    // The same question in another wave is another one.
    let second = run(&state, &["resume"]).expect(8);
    assert_eq!(carried_out(&only_run(&state)).values().sum::<usize>(), 2);
    let taken = run(&state, &["answer", &id, &gates[0], "no"]).expect(2);
    assert!(taken.stderr.contains("has its answer: yes by ann"), "{}", taken.stderr);
    let others: Vec<String> = asked(&second).into_iter().filter(|gate| !gates.contains(gate)).collect();
    assert_eq!(others.len(), 2, "{}", second.stderr);
    for gate in &others {
        run(&state, &["answer", &id, gate, "yes"]).expect(0);
    }
    assert_eq!(run(&state, &["resume"]).expect(0).stdout.lines().next(), Some("4"));
}

#[test]
fn a_no_at_a_gate_ends_the_run() {
    let state = folder("gate-no");
    let runbook = runbook("gate.rhai");
    run(&state, &[&runbook, "--sandbox"]).expect(8);
    let id = id_of(&state);
    run(&state, &["answer", &id, "switch-web-01-off.3", "no"]).expect(0);
    let ended = run(&state, &["resume"]).expect(1);
    assert!(ended.stderr.contains("was answered `no` by ann"), "{}", ended.stderr);
    assert_eq!(carried_out(&only_run(&state)).values().sum::<usize>(), 2);
}

#[test]
fn an_edited_runbook_that_goes_another_way_is_stopped_before_anything_is_sent() {
    let state = folder("edited");
    run(&state, &[&runbook("gate.rhai"), "--sandbox"]).expect(8);
    let before = carried_out(&only_run(&state));
    let edited = state.join("edited.rhai");
    let text = std::fs::read_to_string(runbook("gate.rhai")).unwrap();
    std::fs::write(&edited, text.replace("\"web-01\"", "\"web-02\"")).unwrap();
    let stopped = run(&state, &["resume", "--script", edited.to_str().unwrap()]).expect(7);
    assert!(stopped.stderr.contains("call 1 of lane `main`"), "{}", stopped.stderr);
    assert!(
        stopped.stderr.contains("recorded: transfer_ensure") && stopped.stderr.contains("web-02"),
        "{}",
        stopped.stderr
    );
    assert_eq!(carried_out(&only_run(&state)), before);

    // What differs only behind the point that was reached is taken.
    let id = id_of(&state);
    run(&state, &["answer", &id, "switch-web-01-off.3", "yes"]).expect(0);
    std::fs::write(&edited, text.replace("print(replica_sync", "print(1); print(replica_sync")).unwrap();
    let done = run(&state, &["resume", "--script", edited.to_str().unwrap()]).expect(0);
    assert_eq!(done.stdout.lines().take(2).collect::<Vec<_>>(), ["1", "COMPLETED"]);
}

#[test]
fn what_failed_is_done_again_and_what_is_done_is_not() {
    let state = folder("retry-failed");
    let script = state.join("w.rhai");
    std::fs::write(
        &script,
        r#"wave("w", ["web-01", "fail-once-mail-01", "web-02"], #{ limit: 1 }, |vm| {
            let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: vm });
            replica_sync(r).status
        });
        print("done");"#,
    )
    .unwrap();
    let failed = run(&state, &[script.to_str().unwrap(), "--sandbox"]).expect(3);
    assert!(failed.stderr.contains("--retry-failed"), "{}", failed.stderr);
    let same = run(&state, &["resume"]).expect(3);
    assert_eq!(carried_out(&only_run(&state)).values().sum::<usize>(), 4, "nothing new: {}", same.stderr);
    let done = run(&state, &["resume", "--retry-failed"]).expect(0);
    assert!(done.stdout.starts_with("done\n"), "{}", done.stdout);
    let counts = carried_out(&only_run(&state));
    assert_eq!(counts.values().sum::<usize>(), 7, "three replicas, four executions: {counts:?}");
}

#[test]
fn one_process_works_on_a_run_and_the_others_are_told_who() {
    let state = folder("locked");
    run(&state, &[&runbook("gate.rhai"), "--sandbox"]).expect(8);
    let lock = std::fs::OpenOptions::new().write(true).open(only_run(&state).join("lock")).unwrap();
    lock.lock().unwrap();
    std::fs::write(
        only_run(&state).join("lock"),
        r#"{"user":"bob","host":"jump","pid":4711,"since":"2026-06-01T20:00:00Z"}"#,
    )
    .unwrap();
    let id = id_of(&state);
    let told = run(&state, &["resume", &id]).expect(2);
    assert!(told.stderr.contains("bob@jump, process 4711, since 2026-06-01 20:00 UTC"), "{}", told.stderr);
    drop(lock);
    let elsewhere = run(&state, &["resume", &id]).expect(2);
    assert!(elsewhere.stderr.contains("--take-over"), "{}", elsewhere.stderr);
    let taken = run(&state, &["resume", &id, "--take-over"]).expect(8);
    assert!(taken.stderr.contains("which bob@jump, process 4711"), "{}", taken.stderr);
}

#[test]
fn a_damaged_journal_is_refused_with_its_line_and_a_torn_one_goes_on() {
    let state = folder("damaged");
    run(&state, &[&runbook("gate.rhai"), "--sandbox"]).expect(8);
    let journal = only_run(&state).join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let id = id_of(&state);
    run(&state, &["answer", &id, "switch-web-01-off.3", "yes"]).expect(0);
    std::fs::write(&journal, text.replacen("transfer_ensure", "transfer_ensurE", 1)).unwrap();
    let refused = run(&state, &["resume"]).expect(2);
    assert!(refused.stderr.contains("is damaged") && refused.stderr.contains("line "), "{}", refused.stderr);
    std::fs::write(&journal, &text[..text.len() - 30]).unwrap();
    run(&state, &["resume"]).expect(0);
    assert_eq!(carried_out(&only_run(&state)).values().sum::<usize>(), 4);
}

#[test]
fn a_state_directory_that_cannot_be_written_keeps_a_run_from_beginning() {
    let state = folder("read-only");
    let file = state.join("coriolis-run");
    std::fs::write(&file, "in the way").unwrap();
    let refused = run(&state, &[&runbook("gate.rhai"), "--sandbox"]).expect(2);
    assert!(
        refused.stderr.contains("cannot keep runs in") && refused.stderr.contains("--state-dir"),
        "{}",
        refused.stderr
    );
    let elsewhere = state.join("elsewhere");
    run(&state, &[&runbook("gate.rhai"), "--sandbox", "--state-dir", elsewhere.to_str().unwrap()]).expect(8);
    assert!(elsewhere.join("runs").is_dir());
}

#[test]
fn an_expression_is_kept_from_its_first_change_on_and_never_the_latest_run() {
    let served = crate::command::Served::start("current");
    let state = folder("expression");
    let client = |expression: &str| {
        let mut command = served.client(&["-e", expression]);
        command.env("XDG_STATE_HOME", &state);
        end(command)
    };
    client("endpoint_list().len()").expect(0);
    assert_eq!(runs(&state).len(), 0);
    client(r#"region_create("north").name"#).expect(0);
    assert_eq!(runs(&state).len(), 1);
    let latest = run(&state, &["resume"]).expect(2);
    assert!(latest.stderr.contains("there is no unfinished run of a runbook"), "{}", latest.stderr);

    // Named, it is resumed as any other.
    let before = runs(&state);
    client(r#"region_create("south"); throw "stop""#).expect(1);
    let id = runs(&state).into_iter().find(|run| !before.contains(run)).expect("another one");
    let mut resume = served.client(&["resume", id.file_name().unwrap().to_str().unwrap()]);
    resume.env("XDG_STATE_HOME", &state);
    end(resume).expect(1);
    assert_eq!(client(r#"region_list().len()"#).expect(0).stdout.trim(), "2");
}

#[test]
fn nobody_else_reads_what_is_kept_and_no_secret_is_in_it() {
    let state = folder("private");
    let secret = "planted-4711";
    let setting = format!("password={secret}");
    run(&state, &[&runbook("resume.rhai"), "--sandbox", "--set", &setting]).expect(0);
    let mut folders = vec![state.join("coriolis-run")];
    while let Some(folder) = folders.pop() {
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", entry.display());
            let text = String::from_utf8_lossy(&std::fs::read(&entry).unwrap()).into_owned();
            assert!(!text.contains(secret), "{} has the secret", entry.display());
        }
    }
}

#[test]
fn an_expression_that_changes_something_is_held_by_its_process_as_a_run_is() {
    let (state, served) = (folder("held-expression"), crate::command::Served::start("current"));
    let mut command = served.client(&["-e", "region_create(\"west\"); print(\"made\"); sleep(\"10h\");"]);
    command.env("XDG_STATE_HOME", &state);
    let mut running = crate::command::Running::start(command);
    running.wait_for_output("made\n");
    let runs = run(&state, &["runs", "--format", "json"]).expect(0);
    assert!(runs.stdout.contains("\"status\": \"running\""), "{}", runs.stdout);
    let id = id_of(&state);
    let refused = run(&state, &["resume", &id]).expect(2);
    assert!(refused.stderr.contains(&format!("process {}", running.id())), "{}", refused.stderr);
    running.kill();
    let runs = run(&state, &["runs", "--format", "json"]).expect(0);
    assert!(runs.stdout.contains("\"status\": \"interrupted\""), "{}", runs.stdout);
}

#[test]
fn a_journal_that_is_shorter_than_it_was_is_said_so() {
    let state = folder("shorter");
    run(&state, &[&runbook("gate.rhai"), "--sandbox"]).expect(8);
    let said = "the journal is behind the run";
    let whole = run(&state, &["resume"]).expect(8);
    assert!(!whole.stderr.contains(said), "{}", whole.stderr);
    let journal = only_run(&state).join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let began = text.lines().position(|line| line.contains(r#""record":"began""#)).unwrap();
    for lines in [began + 1, began, 1, 0] {
        let cut: String = text.split_inclusive('\n').take(lines).collect();
        std::fs::write(&journal, cut).unwrap();
        let behind = run(&state, &["resume"]);
        assert!(behind.stderr.contains(said), "{lines} lines: {}", behind.stderr);
        let still = run(&state, &["resume"]);
        assert!(still.stderr.contains(said), "{lines} lines, the second time: {}", still.stderr);
        std::fs::write(&journal, &text).unwrap();
    }
    std::fs::remove_file(&journal).unwrap();
    let lost = run(&state, &["resume"]);
    assert!(lost.stderr.contains(said), "{}", lost.stderr);
}

#[test]
fn the_hint_of_a_refusal_can_be_followed() {
    for generation in ["current", "legacy"] {
        let state = folder(&format!("hint-followed-{generation}"));
        let script = state.join("w.rhai");
        let text = r#"
            let wishes = #{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" };
            let r = replica_create(wishes);
            replica_create(wishes);
            replica_sync(r);
            print(replica_deploy(r, #{}).status);"#;
        std::fs::write(&script, text).unwrap();
        let sandbox = format!("--sandbox={generation}");
        let refused = run(&state, &[script.to_str().unwrap(), &sandbox]).expect(1);
        assert!(refused.stderr.contains("`duplicate: true`"), "{}", refused.stderr);
        let before = carried_out(&only_run(&state));

        let same = run(&state, &["resume"]).expect(1);
        assert!(same.stderr.contains("there is a second replica"), "{}", same.stderr);
        assert_eq!(carried_out(&only_run(&state)), before);

        std::fs::write(&script, text.replace("#{})", "#{ duplicate: true })")).unwrap();
        let done = run(&state, &["resume", "--script", script.to_str().unwrap()]).expect(0);
        assert_eq!(done.stdout.lines().next(), Some("COMPLETED"), "{}", done.stderr);
        assert!(done.stderr.contains("override `duplicate`: there is a second replica of `web-01`"), "{}", done.stderr);
    }
}
