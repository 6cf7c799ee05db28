//! The table of functions against what is written elsewhere: the official clients' commands, the generated reference.

use std::path::Path;

use coriolis_run::script::{catalog, render};

#[test]
fn every_command_of_both_official_clients_is_a_function() {
    let commands = [include_str!("../commands/current.txt"), include_str!("../commands/legacy.txt")];
    let missing: Vec<&str> =
        commands.iter().flat_map(|list| list.lines()).filter(|name| catalog::find(name).is_none()).collect();
    assert!(missing.is_empty(), "no function for: {}", missing.join(", "));
    assert!(commands.iter().all(|list| list.lines().count() == 72));
}

#[test]
fn the_committed_reference_is_the_tables() {
    same("scripts/REFERENCE.md", &render::markdown_all());
    same("scripts/coriolis.d.rhai", &render::definitions());
}

/// Compares a committed file with what it is generated from; with `UPDATE` set it is written instead.
#[allow(clippy::disallowed_methods, reason = "the test's own switch")]
fn same(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let generated = format!("{generated}\n");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &generated).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = committed.lines().zip(generated.lines()).position(|(old, new)| old != new);
    assert!(
        committed == generated,
        "`{name}` is not what the table says (first at line {}): run this test with UPDATE=1",
        differs.map_or(committed.lines().count().min(generated.lines().count()), |index| index) + 1
    );
}
