//! The example of every function runs, on both generations.

use coriolis_run::functions::catalog;
use coriolis_run::model::Generation;

use crate::rehearsal::{Options, Stage};

#[test]
fn every_functions_example_runs_on_the_current_generation() {
    all_examples(Generation::Current);
}

#[test]
fn every_functions_example_runs_on_the_legacy_generation() {
    all_examples(Generation::Legacy);
}

fn all_examples(generation: Generation) {
    let failures: Vec<String> = catalog()
        .rows()
        .filter_map(|row| {
            let error = Stage::new(Options::of(generation)).play_with_consent(&row.whole_example()).result.err()?.error;
            Some(format!("`{}`: {error} ({:?})", row.name, error.hint))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
