//! The end of a run for stdout: the waves, the items that are not ok, and those with more than one attempt. It contains
//! no ids and no times, so that rehearsals can be compared.
use std::collections::HashMap;

use crate::error::count;
use crate::event::sources::{Source, Sources};
use crate::event::{Counts, Outcome};
use crate::model::Power;
use crate::report::streams::text;

use super::board::Board;
use super::item::Item;
use super::wave::Wave;

/// As many items with the same end have rows of their own.
const LISTED: usize = 10;

/// A table of text, its columns as wide as their widest cell.
struct Grid {
    rows: Vec<Vec<String>>,
    /// Columns that hold numbers.
    right: &'static [usize],
}

/// The summary in at most `width` columns, without a final line break; `None` if there was no wave.
pub fn summary(board: &Board, width: Option<usize>) -> Option<String> {
    let waves: Vec<(String, &Wave)> =
        rows(board, is_worth_a_row).into_iter().map(|(_, label, wave)| (label, wave)).collect();
    if waves.is_empty() {
        return None;
    }
    let mut parts = vec![wave_grid(&waves).text(width)];
    parts.extend(sources_off(&board.sources, width));
    let failures = item_grid(&waves, &board.sources);
    if failures.rows.len() > 1 {
        parts.push(failures.text(width));
    }
    parts.extend(retried(&waves));
    parts.extend(unreached(board));
    Some(parts.join("\n\n"))
}

/// The waves with their indices on the board and their labels, in the order of the script: a wave inside an item stands
/// where its item does.
pub(in crate::report) fn rows(board: &Board, is_listed: impl Fn(&Wave) -> bool) -> Vec<(usize, String, &Wave)> {
    let mut order: Vec<usize> = (0..board.waves.len()).filter(|at| is_listed(&board.waves[*at])).collect();
    order.sort_by_cached_key(|at| position(board, *at));
    order.into_iter().map(|at| (at, label(board, at), &board.waves[at])).collect()
}

/// A loop of the script is listed only if something in it failed.
fn is_worth_a_row(wave: &Wave) -> bool {
    let counts = wave.counts();
    !wave.repeated && (!wave.is_each() || counts.ok != counts.total())
}

/// The path to a wave: at every level the item, and the wave's number within that item.
fn position(board: &Board, wave: usize) -> Vec<usize> {
    let parent = board.waves[wave].parent;
    let mut path = parent.map_or_else(Vec::new, |parent| {
        let mut path = position(board, parent.wave);
        path.push(parent.item);
        path
    });
    path.push(board.waves[..wave].iter().filter(|other| other.parent == parent).count());
    path
}

fn label(board: &Board, wave: usize) -> String {
    let found = &board.waves[wave];
    let name = text::one_line(&found.name);
    match found.parent {
        Some(parent) => format!("{}/{name}", board.name(parent)),
        None => name,
    }
}

fn wave_grid(waves: &[(String, &Wave)]) -> Grid {
    let mut head = vec!["wave".to_owned(), "total".to_owned()];
    head.extend(Outcome::ALL.map(|outcome| outcome.said().to_owned()));
    let row = |(label, wave): &(String, &Wave)| {
        let counts: Counts = wave.counts();
        let numbers = Outcome::ALL.map(|outcome| counts.get(outcome).to_string());
        [label.clone(), wave.total.to_string()].into_iter().chain(numbers).collect()
    };
    Grid { rows: [head].into_iter().chain(waves.iter().map(row)).collect(), right: &[1, 2, 3, 4, 5, 6] }
}

/// The head of the lines about sources that are off.
pub const NOT_DEPLOYED: &str = "SOURCE OFF, NOT DEPLOYED";

/// The VMs whose sources are off; none of them is cut away.
fn sources_off(sources: &Sources, width: Option<usize>) -> Option<String> {
    if sources.is_empty() {
        return None;
    }
    let head = format!("! {NOT_DEPLOYED}: {}", sources.len());
    let names: Vec<String> = sources.iter().map(source_name).collect();
    let line = format!("{head}    {}", names.join(", "));
    if text::width(&line) <= width.unwrap_or(usize::MAX) {
        return Some(line);
    }
    Some([head].into_iter().chain(names.into_iter().map(|name| format!("  {name}"))).collect::<Vec<_>>().join("\n"))
}

/// The VM, with the word for its source unless that is plainly off.
pub(in crate::report) fn source_name(source: &Source) -> String {
    let name = text::one_line(&source.instance);
    match source.power {
        Power::Off => name,
        power => format!("{name} ({})", power.word()),
    }
}

/// The source that belongs to an item: its VM's name is the item's key, or it was seen in one of that key.
pub(in crate::report) fn source_of<'a>(sources: &'a Sources, key: &'a str) -> Option<&'a Source> {
    sources.iter().find(|source| source.instance == key || source.origin.item.as_deref() == Some(key))
}

fn item_grid(waves: &[(String, &Wave)], sources: &Sources) -> Grid {
    let mut head = ["item", "wave", "outcome", "tries", "cause"].map(str::to_owned).to_vec();
    if !sources.is_empty() {
        head.insert(4, "source".to_owned());
    }
    let rows = waves.iter().flat_map(|(label, wave)| {
        wave.items.iter().filter_map(move |item| {
            let outcome = item.outcome();
            let is_listed = outcome.is_some_and(|outcome| outcome != Outcome::Ok) || outcome.is_none() && wave.cut;
            let mut row = is_listed.then(|| item_row(item, label, outcome))?;
            let source = source_of(sources, &item.key);
            if !sources.is_empty() {
                row.insert(4, source.map_or("", |source| source.power.word()).to_uppercase());
            }
            let is_plain = !matches!(outcome, Some(Outcome::Failed | Outcome::Unknown)) && source.is_none();
            Some((row, is_plain))
        })
    });
    Grid { rows: [head].into_iter().chain(together(rows.collect())).collect(), right: &[3] }
}

/// Rows of items to which the same has happened, and nothing bad, are one if they are many.
fn together(rows: Vec<(Vec<String>, bool)>) -> Vec<Vec<String>> {
    let mut alike: HashMap<Vec<String>, usize> = HashMap::new();
    for (row, _) in rows.iter().filter(|(_, is_plain)| *is_plain) {
        *alike.entry(row[1..].to_vec()).or_default() += 1;
    }
    let one = |(mut row, is_plain): (Vec<String>, bool)| {
        let many = alike.get_mut(&row[1..]).filter(|number| is_plain && (**number > LISTED || **number == 0));
        match many {
            None => Some(row),
            Some(0) => None,
            Some(number) => {
                row[0] = format!("{} and {} more", row[0], std::mem::take(number) - 1);
                Some(row)
            }
        }
    };
    rows.into_iter().filter_map(one).collect()
}

/// An item without an outcome is one of a wave that was cut short.
fn item_row(item: &Item, wave: &str, outcome: Option<Outcome>) -> Vec<String> {
    let tries = match outcome {
        _ if item.tries == 0 => "-".to_owned(),
        Some(Outcome::Skipped) => "-".to_owned(),
        _ => format!("{}/{}", item.tries, item.attempts.max(item.tries)),
    };
    let cause = item.cause.as_ref().map(|cause| cause.with_place()).unwrap_or_default();
    let cause = cause.lines().next().unwrap_or_default();
    vec![
        text::one_line(&item.key),
        wave.to_owned(),
        outcome.map_or("not done", Outcome::said).to_owned(),
        tries,
        text::one_line(cause),
    ]
}

fn retried(waves: &[(String, &Wave)]) -> Option<String> {
    let items = waves.iter().flat_map(|(_, wave)| &wave.items);
    let names: Vec<String> = items
        .filter(|item| item.outcome() == Some(Outcome::Ok) && item.tries > 1)
        .map(|item| format!("{} ({} tries)", text::one_line(&item.key), item.tries))
        .collect();
    (!names.is_empty()).then(|| format!(" retried: {}", names.join(", ")))
}

/// The waves that this process of the run did not come to, and what they still hold.
fn unreached(board: &Board) -> Option<String> {
    let name = |at: usize| {
        let wave = &board.waves[at];
        let open = wave.items.iter().filter(|item| item.outcome() != Some(Outcome::Ok)).count();
        format!("{} ({} of {} not ok)", label(board, at), open, count(wave.total, "item"))
    };
    let names: Vec<String> = board.unreached().map(name).collect();
    (!names.is_empty()).then(|| format!(" not reached this time: {}", names.join(", ")))
}

impl Grid {
    fn text(&self, width: Option<usize>) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().map(|row| text::width(&row[column])).max().unwrap_or(0))
            .collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(at, cell)| {
                    let pad = if self.right.contains(&at) { text::right } else { text::left };
                    pad(cell, widths[at])
                })
                .collect();
            let line = format!(" {}", cells.join("  "));
            text::cut(line.trim_end(), width.unwrap_or(usize::MAX))
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::live::scene;

    #[test]
    fn the_summary_follows_the_items_order_and_holds_neither_ids_nor_times() {
        let board = scene::board(&scene::ended_run());
        insta::assert_snapshot!(summary(&board, Some(80)).expect("there were waves"), @r#"
        wave  total  ok  failed  skipped  paused  unknown
        web       2   2       0        0       0        0
        db        5   0       2        1       1        1

        item   wave  outcome  tries  cause
        db-07  db    failed     3/3  REPLICATE_DISKS: Connection reset reading disk 0
        db-11  db    failed     1/1  Quota exceeded for cores: 8, used 20/20 (executio…
        db-12  db    paused     1/1  interrupted by the operator
        db-13  db    unknown    1/1  nobody knows whether POST /transfers was applied
        db-14  db    skipped      -  the failure budget is used up

        retried: web-02 (2 tries)
        "#);
    }

    #[test]
    fn many_items_with_the_same_end_are_one_row_and_failures_never() {
        let keys: Vec<String> = (0..40).map(|number| format!("vm-{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut events = vec![scene::wave(0.0, "seed", 20, &keys)];
        for (at, key) in keys.iter().enumerate() {
            let (outcome, tries, cause) = match at {
                0..2 => (Outcome::Failed, 1, "no"),
                2..12 => (Outcome::Cancelled, 1, "interrupted by the operator"),
                _ => (Outcome::Skipped, 0, "not started: the operator asked to stop"),
            };
            events.push(scene::finished(1.0, scene::item("seed", key), outcome, tries, Some(cause)));
        }
        let summary = summary(&scene::board(&events), None).expect("there was a wave");
        let lines: Vec<&str> = summary.lines().skip(4).collect();
        assert_eq!(lines.len(), 2 + 10 + 1, "{summary}");
        assert_eq!(
            *lines.last().expect("counted"),
            " vm-12 and 27 more  seed  skipped      -  not started: the operator asked to stop"
        );
    }

    #[test]
    fn a_run_without_waves_has_no_summary() {
        assert_eq!(summary(&Board::default(), Some(80)), None);
    }

    #[test]
    fn waves_inside_items_stand_in_the_items_order() {
        let inside = |minutes, outer: &str| {
            let mut event = scene::wave(minutes, "seed", 1, &["a"]);
            event.origin = scene::item("each", outer);
            event
        };
        let events = [scene::wave(0.0, "each", 2, &["0", "1"]), inside(1.0, "1"), inside(2.0, "0")];
        let board = scene::board(&events);
        let labels: Vec<String> = rows(&board, is_worth_a_row).into_iter().map(|(_, label, _)| label).collect();
        assert_eq!(labels, ["each/0/seed", "each/1/seed"]);
    }
}
