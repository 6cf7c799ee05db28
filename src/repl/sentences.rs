//! The prompt's messages about jobs and about the consequences of an interruption.

use crate::error::count;
use crate::report::live::board::Left;
use crate::report::streams::text;

/// The warning about running jobs when somebody leaves.
pub fn still_running(running: usize) -> String {
    format!(
        "{} still at work; what they began on the server goes on without them\nhint: Ctrl-D again leaves; `:jobs` lists them",
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
            jobs => format!("interrupted; {} still at work: `:jobs`", are(jobs)),
        };
    }
    let again: Vec<String> = left.iter().take(3).map(look_again).collect();
    format!(
        "interrupted; the waiting has ended, what runs on the server goes on\nhint: look again with {}",
        again.join(", ")
    )
}

fn look_again(left: &Left) -> String {
    let id = text::one_line(&left.subject.id);
    let vm = left.subject.label.split(", ").next().unwrap_or_default();
    match left.subject.kind.as_str() {
        "execution" if !vm.is_empty() && vm != id => format!("`wait_for(replica_of(\"{}\"))`", text::one_line(vm)),
        "execution" => format!("`jobs()` and `replica_list()` (execution {id})"),
        "minion pool" | "minion_pool" => format!("`wait_for(minion_pool_show(\"{id}\"))`"),
        _ => format!("`wait_for(\"{id}\")`"),
    }
}

/// The topic of a call for help: `?x`, `help(x)`, `help("x")`.
pub fn help_topic(text: &str) -> Option<&str> {
    let text = text.trim().trim_end_matches(';');
    let inside = text.strip_prefix("help(").and_then(|rest| rest.strip_suffix(')'));
    text.strip_prefix('?').or(inside).map(|topic| topic.trim().trim_matches(['"', '`']))
}
