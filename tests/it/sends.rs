//! What the rows say that they send against what leaves when every example runs, on both generations.

use std::collections::BTreeMap;

use coriolis_run::event::{Event, Fact};
use coriolis_run::functions::catalog;
use coriolis_run::language::sends::Sends;
use coriolis_run::language::spec::{Effect, Spec};
use coriolis_run::model::Generation;

use crate::rehearsal::{GENERATIONS, Options, Stage};

/// A changing request that left: of which function, its method and path.
type Left = (String, String, String);

#[test]
fn every_row_says_what_it_sends_and_sends_what_it_says() {
    let wrong: Vec<String> = GENERATIONS.into_iter().flat_map(differences).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differences(generation: Generation) -> Vec<String> {
    let left: Vec<Left> = catalog()
        .rows()
        .flat_map(|row| left(&Stage::new(Options::of(generation)).play_with_consent(&row.whole_example()).events))
        .collect();
    let of = |row: &Spec| -> Vec<&Left> { left.iter().filter(|(name, ..)| name == row.name).collect() };
    let is = |sends: &Sends, (_, method, path): &Left| sends.again.is_some() && sends.is(generation, method, path);
    let mut wrong = Vec::new();
    for row in catalog().rows() {
        for request in of(row).into_iter().filter(|request| !row.sends.iter().any(|sends| is(sends, request))) {
            wrong.push(format!(
                "`{}` sends {} {} to {generation:?} and does not say so",
                row.name, request.1, request.2
            ));
        }
        let always = row.sends.iter().filter(|sends| sends.again.is_some() && sends.when.is_empty());
        for sends in always.filter(|sends| sends.of(generation).is_some()) {
            if !of(row).into_iter().any(|request| is(sends, request)) {
                let told = sends.of(generation).unwrap_or_default();
                wrong.push(format!("`{}` says that it sends {told} to {generation:?} and does not", row.name));
            }
        }
    }
    wrong
}

/// The changing requests of a rehearsal with the functions that sent them.
fn left(events: &[Event]) -> Vec<Left> {
    let mut calls = BTreeMap::new();
    let mut left = Vec::new();
    for event in events {
        let lane = event.origin.lane.clone();
        match &event.fact {
            Fact::CallStarted { call, function } => drop(calls.insert((lane, *call), function.clone())),
            Fact::StepSettled { call, method, path, .. } => {
                let function = catalog().find(&calls[&(lane, *call)]).expect("a function sends it");
                left.push((function.name.to_owned(), method.clone(), path.clone()));
            }
            _ => {}
        }
    }
    left
}

#[test]
fn every_change_says_how_it_is_repeated_and_what_changes_nothing_sends_no_change() {
    let changes = |row: &Spec| row.sends.iter().any(|sends| sends.again.is_some());
    let wrong: Vec<String> = catalog()
        .rows()
        .filter_map(|row| match row.effect {
            Effect::Changes if !changes(row) => Some(format!("`{}` changes the server and does not say how", row.name)),
            Effect::Pure | Effect::Drives if changes(row) => {
                Some(format!("`{}` says that it sends a change", row.name))
            }
            _ => None,
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let asks = catalog().rows().filter(|row| row.effect == Effect::Reads && changes(row)).map(|row| row.name);
    assert_eq!(asks.collect::<Vec<_>>(), ["endpoint_validate_connection"], "they send what is no change of the server");
}
