//! The prompt's messages about jobs and about the consequences of an interruption.

use crate::error::count;
use crate::report::live::board::Left;
use crate::report::streams::text;

/// The warning about running jobs when somebody leaves.
pub fn still_running(running: usize) -> String {
    format!(
        "{} still running; work on the server goes on without this session
hint: Ctrl-D again leaves; `:jobs` lists them",
        are(running)
    )
}

/// `1 job is`, `2 jobs are`.
fn are(jobs: usize) -> String {
    format!("{} {}", count(jobs, "job"), if jobs == 1 { "is" } else { "are" })
}

/// The message after an interruption: the work that goes on, and how to look at it again.
pub fn interrupted(left: &[Left], jobs: usize) -> String {
    if left.is_empty() {
        return match jobs {
            0 => "interrupted".to_owned(),
            jobs => format!("interrupted; {} still running: `:jobs`", are(jobs)),
        };
    }
    let again: Vec<String> = left.iter().take(3).map(look_again).collect();
    format!(
        "interrupted; the wait has ended, and work on the server goes on\nhint: look again with {}",
        again.join(", ")
    )
}

fn look_again(left: &Left) -> String {
    let id = text::one_line(&left.subject.id);
    match (left.subject.kind.as_str(), &left.subject.replica) {
        // Several replicas may have the same VM: its name would say nothing.
        ("execution", Some(replica)) => format!("`wait_for(\"{}\")`{}", text::one_line(replica), of(left)),
        ("execution", None) => format!("`jobs()` and `replica_list()` (execution {id})"),
        ("minion pool" | "minion_pool", _) => format!("`wait_for(minion_pool_show(\"{id}\"))`"),
        _ => format!("`wait_for(\"{id}\")`{}", of(left)),
    }
}

/// The VM, for people: ` (web-01)`.
fn of(left: &Left) -> String {
    let vm = left.subject.label.split(", ").next().unwrap_or_default();
    if vm.is_empty() || vm == left.subject.id { String::new() } else { format!(" ({})", text::one_line(vm)) }
}

/// The topic of a call for help: `?x`, `help(x)`, `help("x")`.
pub fn help_topic(text: &str) -> Option<&str> {
    let text = text.trim().trim_end_matches(';');
    let inside = text.strip_prefix("help(").and_then(|rest| rest.strip_suffix(')'));
    text.strip_prefix('?').or(inside).map(|topic| topic.trim().trim_matches(['"', '`']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Subject;

    #[test]
    fn what_goes_on_is_looked_at_again_by_what_names_it_alone() {
        let left = |kind: &str, label: &str, replica: Option<&str>| Left {
            label: String::new(),
            subject: Subject {
                kind: kind.into(),
                id: "e1".into(),
                label: label.into(),
                replica: replica.map(str::to_owned),
            },
            status: "RUNNING".into(),
        };
        assert_eq!(
            [
                look_again(&left("execution", "web-01, web-02", Some("r1"))),
                look_again(&left("deployment", "web-01", None)),
                look_again(&left("deployment", "e1", None)),
                look_again(&left("execution", "web-01", None)),
            ],
            [
                "`wait_for(\"r1\")` (web-01)",
                "`wait_for(\"e1\")` (web-01)",
                "`wait_for(\"e1\")`",
                "`jobs()` and `replica_list()` (execution e1)",
            ]
        );
    }
}
