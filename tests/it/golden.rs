//! What people read, as it was when somebody last looked at it: `UPDATE_GOLDEN=1 cargo test` writes it anew.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::command::{command, end, root};

/// Compares with `tests/it/golden/<name>`.
#[track_caller]
pub fn same_as_golden(name: &str, text: &str) {
    if let Err(difference) = compare(&golden().join(name), text) {
        panic!("{difference}");
    }
}

#[test]
fn mistakes_are_told_with_their_place_and_a_way_out() {
    let mut failures = Vec::new();
    let cases = cases();
    assert!(!cases.is_empty());
    for case in cases {
        let mut command = command(&["runbook.rhai", "--sandbox"]);
        command.current_dir(&case);
        let ended = end(command);
        let told = format!("{}exit code {}\n", redacted(&ended.stderr), ended.code);
        failures.extend(compare(&case.join("stderr"), &told).err());
        if !ended.stdout.is_empty() {
            failures.push(format!("{}: stdout is for data:\n{}", case.display(), ended.stdout));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// The folders that hold a runbook.
fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.join("runbook.rhai").is_file()).collect();
    cases.sort();
    cases
}

fn golden() -> PathBuf {
    root().join("tests/it/golden")
}

/// Ids and ports change from run to run; their width does not.
pub fn redacted(text: &str) -> String {
    let ids = Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
    let ports = Regex::new(r"127\.0\.0\.1:[0-9]+").unwrap();
    let text = ids.replace_all(text, "00000000-0000-0000-0000-000000000000");
    let text = ports.replace_all(&text, "127.0.0.1:00000");
    let runs = Regex::new(r"(run |resume |report )[a-z2-9]{8}( |`)").unwrap();
    runs.replace_all(&text, "${1}00000000${2}").into_owned()
}

fn compare(path: &Path, text: &str) -> Result<(), String> {
    #[allow(clippy::disallowed_methods, reason = "a switch of this test alone")]
    let update = std::env::var("UPDATE_GOLDEN").is_ok();
    if update {
        fs::write(path, text).unwrap();
        return Ok(());
    }
    let golden = fs::read_to_string(path).unwrap_or_default();
    if golden == text {
        return Ok(());
    }
    Err(format!("not as in {}:\n--- golden\n{golden}\n--- now\n{text}", path.display()))
}
