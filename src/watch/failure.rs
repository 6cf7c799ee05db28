//! What an end means: the result of a wait from the object's last answer, with the cause where it failed.

use serde_json::Value;

use super::progress::{Task, status, tasks};
use crate::error::{Error, Kind, Result};
use crate::event::Subject;
use crate::model::{Phase, phase, task_is_final};

/// The result of a wait whose target has this final (or never begun) state.
pub(super) fn result(subject: &Subject, value: &Value) -> Result<Value> {
    match phase(status(value)) {
        Phase::Succeeded => Ok(value.clone()),
        Phase::Cancelled => Err(cancelled(subject, value)),
        Phase::Idle => Err(never_started(subject, value)),
        Phase::Failed | Phase::Active => Err(failed(subject, value)),
    }
}

/// An error that ends a wait, with what a script can read off it.
pub(super) fn about(error: Error, subject: &Subject, status: &str) -> Error {
    let error = error.detail("kind", subject.kind.as_str()).detail("id", subject.id.as_str());
    let error = error.detail("instance", subject.label.as_str());
    if status.is_empty() { error } else { error.detail("status", status) }
}

/// What it is called in messages.
pub(super) fn name(subject: &Subject) -> String {
    format!("{} of `{}`", subject.kind, subject.label)
}

/// The answer twice was that there is no such thing: somebody deleted it.
pub(super) fn vanished(subject: &Subject, last: &str) -> Error {
    let message = format!("{} vanished: the server no longer knows {} `{}`", name(subject), subject.kind, subject.id);
    let error = Error::new(Kind::NotFound, message).hint("ask who else works on this server: it was deleted meanwhile");
    about(error, subject, last).detail("vanished", true)
}

/// Whether it hangs: a cancel is under way and no task is left that could end. It happens to some of many parallel
/// cancels, and only a forced cancel frees it.
pub(super) fn is_wedged(value: &Value) -> bool {
    let tasks = tasks(value);
    status(value) == "CANCELLING" && !tasks.is_empty() && tasks.iter().all(|task| task_is_final(task.status))
}

fn failed(subject: &Subject, value: &Value) -> Error {
    let status = status(value);
    let cause = Cause::find(subject, value);
    let headline = cause.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let task = if cause.task.is_empty() { String::new() } else { format!("{}: ", cause.task) };
    let error = Error::new(Kind::Failed, format!("{} ended in {status}: {task}{headline}", name(subject)));
    let mut error =
        about(error, subject, status).detail("task", cause.task).detail("exception_details", cause.text.as_str());
    if !cause.instance.is_empty() {
        error = error.detail("instance", cause.instance);
    }
    match cause.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn cancelled(subject: &Subject, value: &Value) -> Error {
    let status = status(value);
    about(Error::new(Kind::Cancelled, format!("{} was cancelled ({status})", name(subject))), subject, status)
}

fn never_started(subject: &Subject, value: &Value) -> Error {
    let error = Error::new(Kind::Failed, format!("{} was never started: its request failed half way", name(subject)))
        .hint("start it again; what is left of the failed request does no harm");
    about(error, subject, status(value)).detail("task", "").detail("exception_details", "")
}

/// Why something failed.
struct Cause<'a> {
    task: &'a str,
    instance: &'a str,
    text: String,
    hint: Option<&'static str>,
}

impl<'a> Cause<'a> {
    /// The first task, by index, that reads ERROR. Those cancelled or never scheduled because of it carry texts of
    /// their own, some of them earlier in the list; clean-up tasks that fail as well come later.
    fn find(subject: &Subject, value: &'a Value) -> Self {
        let tasks = tasks(value);
        let with = |wanted: &str| tasks.iter().position(|task| task.status == wanted);
        let culprit = with("ERROR").or_else(|| with("FAILED_TO_SCHEDULE"));
        let (task, instance, said) = culprit.map_or(("", "", ""), |place| told(&tasks[place]));
        if !said.is_empty() {
            return Self { task, instance, text: said.to_owned(), hint: None };
        }
        let (text, hint) = unexplained(subject, status(value), &tasks);
        Self { task, instance, text: text.to_owned(), hint }
    }
}

fn told<'a>(task: &Task<'a>) -> (&'a str, &'a str, &'a str) {
    (task.kind, task.instance, task.exception.trim())
}

/// Some ends have no text anywhere on the server.
fn unexplained(subject: &Subject, status: &str, tasks: &[Task<'_>]) -> (&'static str, Option<&'static str>) {
    match status {
        "DEADLOCKED" => (
            "the server could not schedule its tasks: no worker service was able to run them",
            Some("check that a worker service is up and has the providers of both endpoints"),
        ),
        "ERROR_ALLOCATING_MINIONS" => (
            "the minion pool had no free machine, and was not allowed to make another",
            Some("raise the pool's maximum, or lower the number of items at once"),
        ),
        _ if subject.kind == "deployment" && tasks.is_empty() => (
            "the server gives no reason; a deployment that waits for an execution ends so when that execution fails or \
             another one begins",
            Some("look at the newest execution of its transfer, then deploy again"),
        ),
        _ => ("the server gives no reason", Some("look at the logs of the server's conductor and worker")),
    }
}
