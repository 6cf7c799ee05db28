//! The progress of a target: from its tasks to the current task, a percentage and bytes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::event::Progress;
use crate::model::{Phase, phase};

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
        let status = status(value).to_owned();
        let tasks = tasks(value);
        let percent = match phase(&status) {
            Phase::Succeeded => 100.0,
            _ => self.highest.max(percent(&tasks, &self.disks).min(NEARLY)),
        };
        self.highest = percent;
        Progress {
            task: current(&tasks).map(|task| task.kind.to_owned()),
            percent,
            bytes: if is_full_copy(value, &tasks) { bytes(&tasks, &self.disks) } else { None },
            status,
        }
    }
}

/// The status of an execution or a deployment; empty if it has none.
pub(super) fn status(value: &Value) -> &str {
    let text = |name| value.get(name).and_then(Value::as_str);
    text("last_execution_status").or_else(|| text("status")).unwrap_or_default()
}

/// One task of an execution.
#[derive(Debug)]
pub(super) struct Task<'a> {
    pub index: i64,
    pub kind: &'a str,
    pub status: &'a str,
    pub instance: &'a str,
    pub exception: &'a str,
    bars: Vec<Bar<'a>>,
}

/// A progress update with a total: one per disk, whose step rises in place. Updates without a total are log lines.
#[derive(Debug)]
struct Bar<'a> {
    step: f64,
    total: f64,
    message: &'a str,
}

/// The tasks in the order of their index.
pub(super) fn tasks(value: &Value) -> Vec<Task<'_>> {
    let mut tasks: Vec<Task<'_>> =
        value.get("tasks").and_then(Value::as_array).into_iter().flatten().map(task).collect();
    tasks.sort_by_key(|task| task.index);
    tasks
}

fn task(value: &Value) -> Task<'_> {
    let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let updates = value.get("progress_updates").and_then(Value::as_array);
    Task {
        index: value.get("index").and_then(Value::as_i64).unwrap_or_default(),
        kind: text("task_type"),
        status: text("status"),
        instance: text("instance"),
        exception: text("exception_details"),
        bars: updates.into_iter().flatten().filter_map(bar).collect(),
    }
}

fn bar(update: &Value) -> Option<Bar<'_>> {
    let number = |name| update.get(name).and_then(Value::as_f64).unwrap_or_default();
    let total = number("total_steps");
    let message = update.get("message").and_then(Value::as_str).unwrap_or_default();
    (total > 0.0).then(|| Bar { step: number("current_step").clamp(0.0, total), total, message })
}

/// The current task: the first that is running, else the first that is about to run.
fn current<'a, 'b>(tasks: &'b [Task<'a>]) -> Option<&'b Task<'a>> {
    let first = |wanted: &[&str]| tasks.iter().find(|task| wanted.contains(&task.status));
    first(&["RUNNING", "CANCELLING", "CANCELLING_AFTER_COMPLETION"])
        .or_else(|| first(&["STARTING", "PENDING", "SYNCING"]))
        .or_else(|| first(&["SCHEDULED"]))
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
        tasks.iter().filter(|task| copies(task)).map(|task| total(sizes(task, disks)) as f64).collect();
    let mean = copied.iter().sum::<f64>() / copied.len().max(1) as f64;
    let known = copied.iter().all(|bytes| *bytes > 0.0);
    let share = |task: &Task<'_>| total(sizes(task, disks)) as f64 / mean;
    tasks.iter().map(|task| weight(task.kind) * if known && copies(task) { share(task) } else { 1.0 }).collect()
}

fn weight(kind: &str) -> f64 {
    match kind {
        "REPLICATE_DISKS" => 100.0,
        "OS_MORPHING" | "DEPLOY_INSTANCE_RESOURCES" | "DEPLOY_REPLICA_INSTANCE_RESOURCES" => 10.0,
        _ => 1.0,
    }
}

fn copies(task: &Task<'_>) -> bool {
    task.kind == "REPLICATE_DISKS"
}

/// The sizes of the disks that a copy works on; empty if they are unknown or the task is not a copy.
fn sizes<'a>(task: &Task<'_>, disks: &'a BTreeMap<String, Vec<u64>>) -> &'a [u64] {
    if copies(task) { disks.get(task.instance).map_or(&[], Vec::as_slice) } else { &[] }
}

fn total(sizes: &[u64]) -> u64 {
    sizes.iter().sum()
}

/// From 0 to 1. A completed task is done whatever its bars say: the last step is not always written.
fn fraction(task: &Task<'_>, sizes: &[u64]) -> f64 {
    if task.status == "COMPLETED" {
        return 1.0;
    }
    if task.bars.is_empty() || task.status == "SCHEDULED" {
        return 0.0;
    }
    let places: Vec<(usize, Option<usize>)> =
        task.bars.iter().enumerate().map(|(order, bar)| place(bar.message, order)).collect();
    let named = places.iter().filter_map(|(_, of)| *of).max();
    let count = named.unwrap_or(0).max(sizes.len()).max(task.bars.len());
    let size = |disk: usize| if total(sizes) == 0 { 1.0 } else { sizes.get(disk).copied().unwrap_or(0) as f64 };
    let whole: f64 = (0..count).map(size).sum();
    let done: f64 = task.bars.iter().zip(&places).map(|(bar, (disk, _))| size(*disk) * bar.step / bar.total).sum();
    let sure = if named.is_some() || !sizes.is_empty() { 1.0 } else { UNSURE };
    (sure * done / whole).min(1.0)
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
    match value.get("number").and_then(Value::as_u64) {
        Some(number) => number == 1,
        None => !tasks.iter().any(|task| copies(task) && task.status == "COMPLETED"),
    }
}

/// The bytes copied and the bytes to copy, while a copy is running and the sizes of all its disks are known. If an
/// instance is copied several times (a direct migration), the current pass counts.
fn bytes(tasks: &[Task<'_>], disks: &BTreeMap<String, Vec<u64>>) -> Option<(u64, u64)> {
    let mut passes: BTreeMap<&str, &Task<'_>> = BTreeMap::new();
    for task in tasks.iter().filter(|task| copies(task)) {
        let begun = task.status != "SCHEDULED" || !passes.contains_key(task.instance);
        if begun {
            passes.insert(task.instance, task);
        }
    }
    if !passes.values().any(|task| task.status == "RUNNING") {
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
