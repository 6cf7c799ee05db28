//! The table of functions against what is written elsewhere: the official clients' commands, the generated reference.

use std::path::Path;

use coriolis_run::functions::catalog;
use coriolis_run::language::render;
use coriolis_run::language::spec::{Key, Kind, Parameter};

/// A line per command: the function's name, then its positional arguments and its flags, formatting flags left out.
const COMMANDS: [&str; 2] = [include_str!("../commands/current.txt"), include_str!("../commands/legacy.txt")];

#[test]
fn every_command_of_both_official_clients_is_a_function_with_all_its_flags() {
    let lacks: Vec<String> = COMMANDS.iter().flat_map(|list| list.lines()).filter_map(lack).collect();
    assert!(lacks.is_empty(), "the functions lack:\n{}", lacks.join("\n"));
    assert!(COMMANDS.iter().all(|list| list.lines().count() == 72));
}

/// What the function of a command cannot say that the command can.
fn lack(command: &str) -> Option<String> {
    let mut words = command.split(' ');
    let name = words.next().expect("no line is empty");
    let Some(function) = catalog().find(name) else {
        return Some(format!("`{name}`"));
    };
    let (flags, positional): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with("--"));
    let keys: Vec<&str> =
        function.parameters.iter().flat_map(keys).flat_map(|key| [&[key.name], key.aliases].concat()).collect();
    let plain = function.parameters.iter().filter(|parameter| !matches!(parameter.kind, Kind::Options(_))).count();
    let key = |flag: &str| flag.trim_start_matches('-').replace('-', "_");
    let mut lacks: Vec<String> = flags.into_iter().map(key).filter(|key| !keys.contains(&key.as_str())).collect();
    lacks.extend(positional.into_iter().skip(plain).map(str::to_owned));
    (!lacks.is_empty()).then(|| format!("`{name}`: {}", lacks.join(", ")))
}

fn keys(parameter: &Parameter) -> impl Iterator<Item = &'static Key> + use<> {
    let groups: &'static [&'static [Key]] = if let Kind::Options(groups) = parameter.kind { groups } else { &[] };
    groups.iter().copied().flatten()
}

#[test]
fn the_committed_reference_is_the_tables() {
    same("scripts/REFERENCE.md", &render::markdown_all(catalog()));
    same("scripts/coriolis.d.rhai", &render::definitions(catalog()));
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
