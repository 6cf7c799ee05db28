//! What the sandbox owes to the recordings: every recorded request is sent to a fresh sandbox, and its answer must
//! have the same status and the same shape (keys and types, at every depth).
//!
//! Ids differ, so each recorded id is mapped to the sandbox's as things are made. Time differs, so virtual time is
//! carried on until the sandbox has come as far as the recording. Requests that the recordings leave out but later
//! ones need are in `fills.json`. What differs on purpose is in `EXCEPTIONS`, each with its reason.

mod replay;
mod shape;

use coriolis_run::model::Generation;

use replay::replay;

const ONE_PORT: &str = "Keystone and the migration service share one port here: `/` is Keystone's discovery";
const OTHER_PROVIDER: &str =
    "fields of machines, networks and options are the provider's: the legacy server was recorded with another";

/// Recordings whose answer differs on purpose: generation, number, reason.
const EXCEPTIONS: &[(Generation, u32, &str)] = &[
    (Generation::Current, 45, ONE_PORT),
    (Generation::Legacy, 2, ONE_PORT),
    (Generation::Legacy, 82, OTHER_PROVIDER),
    (Generation::Legacy, 83, OTHER_PROVIDER),
    (Generation::Legacy, 85, OTHER_PROVIDER),
    (Generation::Legacy, 94, OTHER_PROVIDER),
    (Generation::Legacy, 98, OTHER_PROVIDER),
    (Generation::Legacy, 100, OTHER_PROVIDER),
    (Generation::Legacy, 102, OTHER_PROVIDER),
    (Generation::Legacy, 105, OTHER_PROVIDER),
    (Generation::Legacy, 274, OTHER_PROVIDER),
    (Generation::Legacy, 355, OTHER_PROVIDER),
];

/// Recordings that are not sent: generation, number, reason.
const SKIPPED: &[(Generation, u32, &str)] = &[
    (Generation::Current, 258, "the recorded server was not set up yet and failed on its own"),
    (Generation::Current, 963, "minion pools are not simulated"),
];

#[test]
fn the_sandbox_answers_as_the_current_generation_was_recorded() {
    conforms(Generation::Current);
}

#[test]
fn the_sandbox_answers_as_the_legacy_generation_was_recorded() {
    conforms(Generation::Legacy);
}

fn conforms(generation: Generation) {
    let skipped = |number: u32| SKIPPED.iter().any(|(of, at, _)| *of == generation && *at == number);
    let compared = replay(generation, skipped);
    let excused = |number: u32| EXCEPTIONS.iter().any(|(of, at, _)| *of == generation && *at == number);
    let same = compared.iter().filter(|one| one.differences.is_empty()).count();
    println!("{}: {same} of {} recorded answers agree", generation.word(), compared.len());
    let mut problems = Vec::new();
    for one in &compared {
        match (one.differences.is_empty(), excused(one.number)) {
            (true, true) => problems.push(format!("{}: agrees, strike it from the exceptions", one.name)),
            (false, false) => problems.push(format!("{}:\n    {}", one.name, one.differences.join("\n    "))),
            _ => {}
        }
    }
    assert!(problems.is_empty(), "{} answers differ:\n{}", problems.len(), problems.join("\n"));
}
