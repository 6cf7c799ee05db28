//! What `check` finds in runbooks with one mistake each, and that it finds nothing in those without.
//!
//! A case begins with `=== name`, and where there is a mistake with the places at which it may be told; then its files
//! follow, each after `--- path`.

use std::fs;
use std::path::Path;

use coriolis_run::check::examine::{Remark, examine};
use coriolis_run::functions::catalog;
use coriolis_run::runtime::engine::bare;
use jiff::Timestamp;

use crate::command::folder;

const INVENTORY: &str = include_str!("checked/inventory.csv");

/// A case's name, the places, and what is found in its runbook.
fn cases(text: &str, test: &str) -> Vec<(String, Vec<String>, Vec<Remark>)> {
    let root = folder(test);
    let now: Timestamp = "2026-06-01T20:00:00Z".parse().unwrap();
    let engine = bare();
    let case = |(number, case): (usize, &str)| {
        let (head, files) = case.split_once('\n').unwrap();
        let (name, places) = head.split_once(" | ").unwrap_or((head, ""));
        let inside = root.join(number.to_string());
        fs::create_dir_all(&inside).unwrap();
        for file in files.split("--- ").skip(1) {
            write(&inside, file);
        }
        let runbook = fs::read_to_string(inside.join("main.rhai")).unwrap();
        let found = examine(&engine, catalog(), "main.rhai", &runbook, &inside, now);
        (name.to_owned(), places.split_whitespace().map(str::to_owned).collect(), found)
    };
    text.split("=== ").skip(1).enumerate().map(case).collect()
}

/// A file of a case: its path, a line break, its text; `path = inventory` is one that many have.
fn write(inside: &Path, file: &str) {
    let (path, text) = file.split_once('\n').unwrap();
    let (path, text) = path.strip_suffix(" = inventory").map_or((path, text), |path| (path, INVENTORY));
    let path = inside.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn told(remark: &Remark) -> String {
    let error = &remark.finding.error;
    format!("{}:{} {}", remark.file, remark.finding.line, error.message)
}

#[test]
fn every_planted_mistake_is_found_where_it_stands_with_what_to_do() {
    let mut wrong = Vec::new();
    let cases = cases(include_str!("checked/planted.txt"), "planted");
    assert!(cases.len() > 150, "{}", cases.len());
    for (name, places, found) in &cases {
        let there = |remark: &&Remark| places.contains(&format!("{}:{}", remark.file, remark.finding.line));
        match found.iter().find(there) {
            None => wrong.push(format!("{name}: {:?}", found.iter().map(told).collect::<Vec<_>>())),
            Some(remark) if remark.finding.error.hint.is_none() => {
                wrong.push(format!("{name}: no hint: {}", told(remark)))
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_found_in_runbooks_that_are_right() {
    let cases = cases(include_str!("checked/sound.txt"), "sound");
    assert!(cases.len() > 80, "{}", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(.., found)| !found.is_empty())
        .map(|(name, _, found)| format!("{name}: {:?}", found.iter().map(told).collect::<Vec<_>>()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
