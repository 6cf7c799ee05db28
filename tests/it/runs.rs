//! `runs` and `report`: what was kept of runs is told, and removed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Ended, Running, command, end, folder};

const SECRET: &str = "hunter2-planted";

/// One VM that comes through and one that never does, and a secret in what is sent.
const RUNBOOK: &str = r#"
    let from = endpoint_find("vcenter");
    let to = endpoint_find("openstack");
    let password = param("password", #{ default: "none" });
    endpoint_create(#{ name: "spare", type: "openstack", connection_info: #{ username: "u", password: password } });
    wave("seed", ["web-01", "fail-always-legacy-01"], #{ limit: 2, max_failures: param("allowed", #{ default: 1 }) }, |name| {
        replica_sync(replica_ensure(#{ origin_endpoint: from, destination_endpoint: to, instance: name }));
    });
"#;

/// A folder with a runbook and a state directory.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let place = Self(folder(test));
        fs::write(place.0.join("runbook.rhai"), RUNBOOK).unwrap();
        place
    }

    fn call(&self, arguments: &[&str]) -> Ended {
        let mut command = command(arguments);
        command.args(["--state-dir", "state"]).current_dir(&self.0);
        end(command)
    }

    fn rehearse(&self, code: i32, arguments: &[&str]) {
        self.call(&[&["runbook.rhai", "--sandbox"], arguments].concat()).expect(code);
    }

    fn runs(&self) -> Vec<Value> {
        serde_json::from_str(&self.call(&["runs"]).expect(0).stdout).unwrap()
    }

    fn ids(&self) -> Vec<String> {
        self.runs().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn the_last_line_of_a_run_names_it_and_the_failures_that_it_allowed() {
    let place = Place::new("last-line");
    let ended = place.call(&["runbook.rhai", "--sandbox"]).expect(0);
    let id = place.ids().remove(0);
    let line = format!(
        "run {id} is done, with 1 failed item as it allows: `coriolis-run resume {id} --retry-failed` repeats what failed"
    );
    assert_eq!(ended.stderr.lines().last(), Some(line.as_str()));
    fs::write(place.0.join("runbook.rhai"), "wave(\"web\", [], |vm| vm);").unwrap();
    let ended = place.call(&["runbook.rhai", "--sandbox"]).expect(0);
    assert!(ended.stderr.contains("WARNING  web  no items: nothing to do"), "{}", ended.stderr);
    assert!(ended.stderr.lines().last().unwrap().starts_with("run "), "{}", ended.stderr);
}

#[test]
fn a_runbook_ends_itself_with_the_exit_code_of_its_choice() {
    let place = Place::new("exit");
    let end = |text: &str, code: i32, status: &str, said: &str| {
        fs::write(place.0.join("runbook.rhai"), text).unwrap();
        let ended = place.call(&["runbook.rhai", "--sandbox"]).expect(code);
        assert!(ended.stderr.contains(said) && !ended.stdout.contains("never"), "{text}: {}", ended.stderr);
        assert_eq!(place.runs()[0]["status"], status, "{text}");
    };
    end(r#"exit(3); print("never");"#, 3, "failed", "the runbook ended itself with `exit(3)`");
    // A code that has a meaning of its own elsewhere: nothing is paused.
    end(r#"fn leave() { exit(6) } try { leave(); } catch { print("never"); }"#, 6, "failed", "`exit(6)`");
    end(r#"exit(); print("never");"#, 0, "done", " is done");
    end("exit(256);", 2, "failed", "`exit` takes an exit code from 0 to 255, not `256`");
    end(r#"wave("web", [1], |vm| exit(0));"#, 3, "items failed", "`exit` ends the whole run");
}

#[test]
fn runs_are_listed_shown_and_reported_in_every_format() {
    let place = Place::new("runs");
    assert_eq!(place.call(&["runs"]).expect(0).stdout, "[]\n");
    place.rehearse(0, &[]);
    place.rehearse(3, &["--set", "allowed=0"]);
    let runs = place.runs();
    let told: Vec<String> = runs
        .iter()
        .map(|run| format!("{} {} {} {}", run["kind"], run["name"], run["status"], run["counts"]["failed"]))
        .collect();
    assert_eq!(told, [r#""runbook" "runbook.rhai" "items failed" 1"#, r#""runbook" "runbook.rhai" "done" 1"#]);

    let ids = place.ids();
    let shown: Value = serde_json::from_str(&place.call(&["runs", "show"]).expect(0).stdout).unwrap();
    assert_eq!(shown["run"]["id"], ids[0], "the newest");
    assert_eq!(shown["waves"][0]["items"][1]["task"], "REPLICATE_DISKS");
    let table = place.call(&["runs", "show", &ids[1][..5], "--format", "table"]).expect(0).stdout;
    assert!(table.contains("FAILED  seed/fail-always-legacy-01\n  REPLICATE_DISKS: "), "{table}");

    for (name, begins) in [
        ("r.html", "<!DOCTYPE html>"),
        ("r.json", "{"),
        ("r.xml", "<?xml"),
        ("r.csv", "wave,item,"),
        ("r.md", "# Run "),
    ] {
        let ended = place.call(&["report", &ids[0], "-o", name]).expect(0);
        assert_eq!((ended.stdout.as_str(), ended.stderr), ("", format!("the report of run {} is in {name}\n", ids[0])));
        let text = fs::read_to_string(place.0.join(name)).unwrap();
        assert!(text.starts_with(begins), "{name}: {text}");
    }
    assert!(place.call(&["report"]).expect(0).stdout.starts_with(&format!("# Run {}: items failed\n", ids[0])));
    assert!(place.call(&["report", "--format", "csv"]).expect(0).stdout.starts_with("wave,item,"));
    place.call(&["report", "nobody"]).expect(2);
    let odd = place.call(&["report", "-o", "report.doc"]).expect(2).stderr;
    assert!(odd.contains("hint: add `--format html`, or let the name end with"), "{odd}");
}

#[test]
fn an_error_outside_of_waves_has_its_place_in_every_format_and_each_run_one_status() {
    let place = Place::new("runs-place");
    fs::write(place.0.join("lib.rhai"), "fn find(name) { replica_show(name) }").unwrap();
    fs::write(place.0.join("outside.rhai"), "import \"lib\" as lib;\nlib::find(\"nobody\");").unwrap();
    place.call(&["outside.rhai", "--sandbox"]).expect(1);
    let at = "lib.rhai:1:17 in `find` called at outside.rhai:2:6";
    let report: Value = serde_json::from_str(&place.call(&["report", "--format", "json"]).expect(0).stdout).unwrap();
    assert_eq!(report["run"]["place"], at);
    for format in ["html", "json", "junit", "csv", "markdown"] {
        let told = place.call(&["report", "--format", format]).expect(0).stdout.replace("\\`", "`");
        assert!(told.contains(&format!("there is no replica of `nobody` (at {at})")), "{format}: {told}");
    }
    place.rehearse(3, &["--set", "allowed=0"]);
    place.rehearse(0, &[]);
    let path = place.0.join("state/runs").join(&place.ids()[0]).join("run.json");
    let mut died: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    died.as_object_mut().unwrap().remove("finished");
    fs::write(path, died.to_string()).unwrap();
    let mut told = Vec::new();
    for run in place.runs() {
        let text = place.call(&["report", run["id"].as_str().unwrap(), "--format", "json"]).expect(0).stdout;
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&run["status"], &run["exit_code"]), (&report["run"]["status"], &report["run"]["exit_code"]));
        told.push(run["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(told, ["interrupted", "items failed", "failed"], "the newest died before it could write its end");
}

#[test]
fn no_secret_is_in_what_is_kept_or_reported() {
    let place = Place::new("runs-secrets");
    place.rehearse(0, &["--set", &format!("password={SECRET}")]);
    let mut reports = String::new();
    for format in ["html", "json", "junit", "csv", "markdown"] {
        reports += &place.call(&["report", "--format", format]).expect(0).stdout;
    }
    assert!(!reports.contains(SECRET));
    let mut searched = 0;
    search(&place.0.join("state"), &mut |path, bytes| {
        searched += 1;
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "{}", path.display());
    });
    assert!(searched >= 5);
}

fn search(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, look);
        } else {
            look(&path, &fs::read(&path).unwrap());
        }
    }
}

#[test]
fn old_runs_go_and_those_that_may_be_needed_stay() {
    let place = Place::new("runs-prune");
    for allowed in ["0", "1", "1", "1"] {
        let code = if allowed == "0" { 3 } else { 0 };
        place.rehearse(code, &["--set", &format!("allowed={allowed}")]);
    }
    let ids = place.ids();
    let edit = |id: &str, change: &dyn Fn(&mut Value)| {
        let path = place.0.join("state/runs").join(id).join("run.json");
        let mut meta: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut meta);
        fs::write(path, meta.to_string()).unwrap();
    };
    // The third looks as if its process had been killed.
    edit(&ids[2], &|meta| drop(meta.as_object_mut().unwrap().remove("finished")));
    place.call(&["runs", "prune"]).expect(2);
    assert_eq!(place.call(&["runs", "prune", "--older-than", "1h"]).expect(0).stdout, "");

    let dry = place.call(&["runs", "prune", "--keep", "1", "--dry-run"]).expect(0);
    assert_eq!(dry.stdout.matches("would remove").count(), 2);
    assert!(
        dry.stderr.contains("it is not finished (interrupted); `--unfinished` removes it anyway"),
        "{}",
        dry.stderr
    );
    assert_eq!(place.ids().len(), 4);

    let pruned = place.call(&["runs", "prune", "--keep", "1"]).expect(0);
    let gone: Vec<&str> = pruned.stdout.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(gone, [ids[1].as_str(), ids[3].as_str()]);
    assert!(pruned.stderr.ends_with("2 runs removed, 1 kept though old enough\n"), "{}", pruned.stderr);
    assert_eq!(place.ids(), [ids[0].clone(), ids[2].clone()]);

    place.call(&["runs", "prune", "--keep", "0", "--unfinished"]).expect(0);
    assert_eq!(place.ids(), Vec::<String>::new());
}

#[test]
fn a_run_at_work_is_told_and_never_removed() {
    let place = Place::new("runs-at-work");
    let mut command = command(&["runbook.rhai", "--sandbox", "--speed", "20", "--state-dir", "state"]);
    command.current_dir(&place.0);
    let running = Running::start(command);
    let at_work = || {
        let runs = place.runs();
        runs.first().is_some_and(|run| run["status"] == "running" && run["total"] == 2)
    };
    // Each look is a process of its own: that is pause enough.
    let found = (0..2000).any(|_| at_work());
    let shown = place.call(&["runs", "show", "--format", "table"]);
    let pruned = place.call(&["runs", "prune", "--keep", "0", "--unfinished"]);
    running.kill();
    assert!(found);
    assert!(shown.expect(0).stdout.contains("running"));
    assert!(pruned.expect(0).stderr.contains("a process is at work on it"));
    assert_eq!(place.runs()[0]["status"], "interrupted");
    let report = place.call(&["report"]).expect(0).stdout;
    assert!(report.contains("## 2 items without an end"), "{report}");
}
