//! The end of a target as the result of a wait: read from the object's last answer, with the cause of a failure.

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::event::Subject;
use crate::model::{Object, Phase, Pool, Status, Task, TaskStatus};
use crate::watch::target::POOL;

/// The result of a wait whose target has this final (or never begun) state.
pub(super) fn result(subject: &Subject, phase: Phase, value: &Value) -> Result<Value> {
    match phase {
        Phase::Succeeded => Ok(value.clone()),
        Phase::Cancelled => Err(cancelled(subject, value)),
        Phase::Idle => Err(never_started(subject, value)),
        Phase::Failed | Phase::Active if subject.kind == POOL => Err(broken(subject, value)),
        Phase::Failed | Phase::Active => Err(failed(subject, value)),
    }
}

/// An error that ends a wait, with the details that a script can read.
pub(super) fn about(error: Error, subject: &Subject, status: &str) -> Error {
    let error = error.detail("kind", subject.kind.as_str()).detail("id", subject.id.as_str());
    let error = error.detail("instance", subject.label.as_str());
    if status.is_empty() { error } else { error.detail("status", status) }
}

/// The name of a subject in messages.
pub(super) fn name(subject: &Subject) -> String {
    let of = if subject.kind == POOL { "" } else { " of" };
    format!("{}{of} `{}`", subject.kind, subject.label)
}

/// The error after two answers that there is no such thing: somebody deleted it.
pub(super) fn vanished(subject: &Subject, last: &str) -> Error {
    let message = format!("{} vanished: the server no longer knows {} `{}`", name(subject), subject.kind, subject.id);
    let error = Error::new(Kind::NotFound, message).hint("ask who else works on this server: somebody deleted it");
    about(error, subject, last).detail("vanished", true)
}

/// True if it hangs: a cancel is under way and no task is left that could end. It happens to some of many parallel
/// cancels, and only a forced cancel frees it.
pub(super) fn is_wedged(value: &Value) -> bool {
    let object = Object::from(value);
    let tasks = object.tasks();
    object.status() == Status::Cancelling && !tasks.is_empty() && tasks.iter().all(|task| task.status().is_final())
}

fn failed(subject: &Subject, value: &Value) -> Error {
    let status = Object::from(value).status().to_string();
    let cause = Cause::find(subject, value);
    let headline = cause.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let task = if cause.task.is_empty() { String::new() } else { format!("{}: ", cause.task) };
    // The reason first: a line that is cut loses its end.
    let error = Error::new(Kind::Failed, format!("{task}{headline} ({} ended in {status})", name(subject)));
    let mut error =
        about(error, subject, &status).detail("task", cause.task).detail("exception_details", cause.text.as_str());
    if !cause.instance.is_empty() {
        error = error.detail("instance", cause.instance);
    }
    match cause.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn broken(pool: &Subject, value: &Value) -> Error {
    let why = Pool::from(value).last_error().unwrap_or("the server gives no reason");
    let error = Error::new(Kind::Failed, format!("the {} failed: {why}", name(pool)));
    about(error, pool, &Object::from(value).status().to_string())
}

fn cancelled(subject: &Subject, value: &Value) -> Error {
    let status = Object::from(value).status().to_string();
    about(Error::new(Kind::Cancelled, format!("{} was cancelled ({status})", name(subject))), subject, &status)
}

fn never_started(subject: &Subject, value: &Value) -> Error {
    let error = Error::new(Kind::Failed, format!("{} was never started: its request failed half way", name(subject)))
        .hint("start it again; the remains of the failed request do no harm");
    about(error, subject, &Object::from(value).status().to_string()).detail("task", "").detail("exception_details", "")
}

/// The cause of a failure.
struct Cause<'a> {
    task: &'a str,
    instance: &'a str,
    text: String,
    hint: Option<&'static str>,
}

impl<'a> Cause<'a> {
    /// The first task, by index, with the status ERROR. Tasks that were cancelled or never scheduled because of it have
    /// texts of their own, some of them earlier in the list; clean-up tasks that fail as well come later.
    fn find(subject: &Subject, value: &'a Value) -> Self {
        let object = Object::from(value);
        let tasks = object.tasks();
        let with = |wanted: TaskStatus<'_>| tasks.iter().find(|task| task.status() == wanted);
        let culprit = with(TaskStatus::Error).or_else(|| with(TaskStatus::FailedToSchedule));
        let (task, instance, said) =
            culprit.map_or(("", "", ""), |task| (task.kind(), task.instance(), task.exception()));
        if !said.is_empty() {
            return Self { task, instance, text: said.to_owned(), hint: None };
        }
        let (text, hint) = unexplained(subject, object.status(), &tasks);
        Self { task, instance, text: text.to_owned(), hint }
    }
}

/// The text for an end that the server does not explain anywhere.
fn unexplained(subject: &Subject, status: Status<'_>, tasks: &[Task<'_>]) -> (&'static str, Option<&'static str>) {
    match status {
        Status::Deadlocked => (
            "the server could not schedule its tasks: no worker service was able to run them",
            Some("check that a worker service is up and has the providers of both endpoints"),
        ),
        Status::ErrorAllocatingMinions => (
            "the minion pool had no free machine, and was not allowed to make another",
            Some("raise the pool's maximum, or lower the number of items at once"),
        ),
        _ if subject.kind == "deployment" && tasks.is_empty() => (
            "the server gives no reason; a deployment that waits for an execution ends like this when that execution \
             fails or another one begins",
            Some("look at the newest execution of its transfer, then deploy again"),
        ),
        _ => ("the server gives no reason", Some("look at the logs of the server's conductor and worker")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::progress::tests::recorded;
    use super::*;

    fn subject(kind: &str) -> Subject {
        Subject { kind: kind.to_owned(), id: "8d71".to_owned(), label: "web-01".to_owned(), replica: None }
    }

    fn error(kind: &str, value: &Value) -> Error {
        result(&subject(kind), Object::from(value).status().phase(), value).expect_err("not completed")
    }

    fn last(name: &str) -> Value {
        recorded(name).pop().expect("not empty")
    }

    #[test]
    fn the_cause_is_the_first_task_that_failed_and_not_its_victims() {
        let found =
            ["two instances, one fails", "a deployment that fails", "a legacy migration that fails"].map(|name| {
                let error = error("execution", &last(name));
                let detail = |name: &str| error.details[name].as_str().unwrap_or_default().to_owned();
                format!("{} | {} | {}", error.message, detail("task"), detail("instance"))
            });
        assert_eq!(
            found,
            [
                "REPLICATE_DISKS: Connection reset while reading disk fail-always-01-disk-0 (execution of `web-01` \
             ended in ERROR) | REPLICATE_DISKS | fail-always-01",
                "OS_MORPHING: User script failed with exit code 1 (execution of `web-01` ended in ERROR) | OS_MORPHING | \
             vm-010",
                "DEPLOY_INSTANCE_RESOURCES: Simulated deployment failure for 'fail-deploy' (execution of `web-01` ended \
             in ERROR) | DEPLOY_INSTANCE_RESOURCES | fail-deploy",
            ]
        );
    }

    #[test]
    fn what_the_server_leaves_unexplained_gets_a_sentence() {
        let stuck = json!({ "status": "DEADLOCKED", "tasks": [
            { "index": 3, "task_type": "GET_INSTANCE_INFO", "status": "STRANDED_AFTER_DEADLOCK" },
            { "index": 2, "task_type": "VALIDATE_TRANSFER_SOURCE_INPUTS", "status": "FAILED_TO_SCHEDULE" },
        ] });
        assert_eq!(
            error("execution", &stuck).message,
            "VALIDATE_TRANSFER_SOURCE_INPUTS: the server could not schedule its tasks: no worker service was able to run \
             them (execution of `web-01` ended in DEADLOCKED)"
        );
        let pool = json!({ "status": "ERROR_ALLOCATING_MINIONS", "tasks": [
            { "index": 2, "task_type": "GET_INSTANCE_INFO", "status": "UNSCHEDULED", "exception_details": "Unscheduled" },
        ] });
        assert!(
            error("execution", &pool)
                .message
                .starts_with("the minion pool had no free machine, and was not allowed to make another (")
        );
        let automatic = json!({ "last_execution_status": "ERROR" });
        let error = error("deployment", &automatic);
        assert!(error.message.contains("the server gives no reason; a deployment that waits"), "{}", error.message);
        assert!(error.hint.is_some());
    }

    #[test]
    fn cancelled_and_never_started_are_told_apart() {
        let cancelled = error("execution", &json!({ "status": "CANCELED", "tasks": [] }));
        assert_eq!(
            (cancelled.kind, cancelled.message.as_str()),
            (Kind::Cancelled, "execution of `web-01` was cancelled (CANCELED)")
        );
        let orphan = error("execution", &json!({ "status": "UNEXECUTED", "tasks": [] }));
        assert_eq!(orphan.kind, Kind::Failed);
        assert_eq!(orphan.message, "execution of `web-01` was never started: its request failed half way");
    }
}
