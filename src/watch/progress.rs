//! The progress of a target: from its tasks to the current task, a percentage and bytes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::event::Progress;
use crate::model::{Execution, Object, Status, Task, TaskStatus, Update};

/// Nothing shows 100 before it has ended; one below, so that rounding cannot reach it.
const NEARLY: f64 = 99.0;

/// The share of a running task that may not have all its bars yet: the bar of the next disk appears when its copy
/// begins.
const UNSURE: f64 = 0.95;

/// Reads the progress of one target. It remembers the highest value, because hidden tasks appear when something fails.
pub(super) struct Meter {
    disks: BTreeMap<String, Vec<u64>>,
    highest: f64,
}

impl Meter {
    pub(super) fn new(disks: BTreeMap<String, Vec<u64>>) -> Self {
        Self { disks, highest: 0.0 }
    }

    pub(super) fn read(&mut self, value: &Value) -> Progress {
        let object = Object::from(value);
        let (status, tasks) = (object.status(), object.tasks());
        let percent = match status {
            Status::Completed => 100.0,
            _ => self.highest.max(percent(&tasks, &self.disks).min(NEARLY)),
        };
        self.highest = percent;
        Progress {
            part: None,
            task: current(&tasks).map(|task| task.kind().to_owned()),
            percent,
            bytes: if is_full_copy(value, &tasks) { bytes(&tasks, &self.disks) } else { None },
            status: status.to_string(),
        }
    }
}

/// The current task: the first that is running, else the first that is about to run.
fn current<'a, 'b>(tasks: &'b [Task<'a>]) -> Option<&'b Task<'a>> {
    use TaskStatus::{Cancelling, CancellingAfterCompletion, Pending, Running, Scheduled, Starting, Syncing};
    let first = |wanted: &[TaskStatus<'_>]| tasks.iter().find(|task| wanted.contains(&task.status()));
    first(&[Running, Cancelling, CancellingAfterCompletion])
        .or_else(|| first(&[Starting, Pending, Syncing]))
        .or_else(|| first(&[Scheduled]))
}

/// The weighted mean of the tasks' fractions. Copies outweigh the rest, each by its share of the bytes.
fn percent(tasks: &[Task<'_>], disks: &BTreeMap<String, Vec<u64>>) -> f64 {
    let (done, whole) = tasks.iter().zip(weights(tasks, disks)).fold((0.0, 0.0), |(done, whole), (task, weight)| {
        (done + weight * fraction(task, sizes(task, disks)), whole + weight)
    });
    if whole > 0.0 { 100.0 * done / whole } else { 0.0 }
}

fn weights(tasks: &[Task<'_>], disks: &BTreeMap<String, Vec<u64>>) -> Vec<f64> {
    let copied: Vec<f64> =
        tasks.iter().filter(|task| task.copies()).map(|task| total(sizes(task, disks)) as f64).collect();
    let mean = copied.iter().sum::<f64>() / copied.len().max(1) as f64;
    let known = copied.iter().all(|bytes| *bytes > 0.0);
    let share = |task: &Task<'_>| total(sizes(task, disks)) as f64 / mean;
    tasks.iter().map(|task| weight(task.kind()) * if known && task.copies() { share(task) } else { 1.0 }).collect()
}

fn weight(kind: &str) -> f64 {
    match kind {
        "REPLICATE_DISKS" => 100.0,
        "OS_MORPHING" | "DEPLOY_INSTANCE_RESOURCES" | "DEPLOY_REPLICA_INSTANCE_RESOURCES" => 10.0,
        _ => 1.0,
    }
}

/// The sizes of the disks that a copy works on; empty if they are unknown or the task is not a copy.
fn sizes<'a>(task: &Task<'_>, disks: &'a BTreeMap<String, Vec<u64>>) -> &'a [u64] {
    if task.copies() { disks.get(task.instance()).map_or(&[], Vec::as_slice) } else { &[] }
}

fn total(sizes: &[u64]) -> u64 {
    sizes.iter().sum()
}

/// From 0 to 1. A completed task is done whatever its bars say: the last step is not always written.
fn fraction(task: &Task<'_>, sizes: &[u64]) -> f64 {
    if task.status() == TaskStatus::Completed {
        return 1.0;
    }
    let bars: Vec<(Update<'_>, f64)> = task.updates().filter_map(bar).collect();
    if bars.is_empty() || task.status() == TaskStatus::Scheduled {
        return 0.0;
    }
    let places: Vec<(usize, Option<usize>)> =
        bars.iter().enumerate().map(|(order, (bar, _))| place(bar.message(), order)).collect();
    let named = places.iter().filter_map(|(_, of)| *of).max();
    let count = named.unwrap_or(0).max(sizes.len()).max(bars.len());
    let size = |disk: usize| if total(sizes) == 0 { 1.0 } else { sizes.get(disk).copied().unwrap_or(0) as f64 };
    let whole: f64 = (0..count).map(size).sum();
    let done: f64 = bars.iter().zip(&places).map(|((_, share), (disk, _))| size(*disk) * share).sum();
    let sure = if named.is_some() || !sizes.is_empty() { 1.0 } else { UNSURE };
    (sure * done / whole).min(1.0)
}

/// A progress update with a total, and the share of it that is done: one per disk, whose step rises in place. Updates
/// without a total are log lines.
fn bar(update: Update<'_>) -> Option<(Update<'_>, f64)> {
    update.steps().map(|(step, total)| (update, step / total))
}

/// The disk that a bar belongs to, and the number of disks: some providers say `disk 2 of 3`, otherwise the bars come
/// in the order of the disks. This guess from a text is used for display only.
fn place(message: &str, order: usize) -> (usize, Option<usize>) {
    let words: Vec<&str> = message.split_whitespace().collect();
    words
        .windows(4)
        .find_map(|words| match words {
            ["disk", disk, "of", count] => Some((disk.parse::<usize>().ok()?, count.parse::<usize>().ok()?)),
            _ => None,
        })
        .filter(|(disk, count)| (1..=*count).contains(disk) && *count <= 1000)
        .map_or((order, None), |(disk, count)| (disk - 1, Some(count)))
}

/// True if whole disks are copied: only in the first execution of a transfer, and in the first pass of a direct
/// migration. The later ones copy the changes, whose size nobody reports.
fn is_full_copy(value: &Value, tasks: &[Task<'_>]) -> bool {
    match Execution::from(value).number() {
        Some(number) => number == 1,
        None => !tasks.iter().any(|task| task.copies() && task.status() == TaskStatus::Completed),
    }
}

/// The bytes copied and the bytes to copy, while a copy is running and the sizes of all its disks are known. If an
/// instance is copied several times (a direct migration), the current pass counts.
fn bytes(tasks: &[Task<'_>], disks: &BTreeMap<String, Vec<u64>>) -> Option<(u64, u64)> {
    let mut passes: BTreeMap<&str, &Task<'_>> = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.copies()) {
        let begun = task.status() != TaskStatus::Scheduled || !passes.contains_key(task.instance());
        if begun {
            passes.insert(task.instance(), task);
        }
    }
    if !passes.values().any(|task| task.status() == TaskStatus::Running) {
        return None;
    }
    if passes.values().any(|task| total(sizes(task, disks)) == 0) {
        return None;
    }
    Some(passes.values().fold((0, 0), |(done, whole), task| {
        let size = total(sizes(task, disks));
        (done + (size as f64 * fraction(task, sizes(task, disks))) as u64, whole + size)
    }))
}

#[cfg(test)]
pub(super) mod tests;
