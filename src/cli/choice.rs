//! The run that `resume` means when none is named: the newest one, never an older one unasked.

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::event::Status;

/// The facts about a runbook's run that the choice needs.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub id: String,
    pub name: String,
    pub cloud: String,
    pub started: Timestamp,
    pub status: Status,
    /// True if it sent no change and its process ended it: nobody means to go on with it, unless there is no other.
    pub only_looked: bool,
    /// The living process that works on it.
    pub holder: Option<String>,
    /// True if the run or an item of it failed, was cancelled or never started.
    pub has_failures: bool,
}

/// The index of the run that is meant among `runs`, the newest first; with `retry_failed` the newest one with failures.
///
/// # Errors
/// `Input`, naming the process that has the run, or the other runs that may be meant.
pub fn choose(runs: &[Candidate], retry_failed: bool) -> Result<usize> {
    let all_looked = runs.iter().all(|run| run.only_looked);
    let counts = |run: &Candidate| all_looked || !run.only_looked;
    let meant = |run: &Candidate| counts(run) && (!retry_failed || run.has_failures);
    let newest_of_all = runs.iter().position(counts);
    let Some((at, run)) = runs.iter().enumerate().find(|(_, run)| meant(run)) else {
        let missing = if retry_failed { "run of a runbook with failures" } else { "unfinished run of a runbook" };
        return Err(Error::input(format!("there is no {missing}")).hint("`coriolis-run runs` lists all runs"));
    };
    let newest = if Some(at) == newest_of_all { "the newest run" } else { "the newest run with failures" };
    if run.status == Status::Running {
        let holder = run.holder.as_deref().unwrap_or("another process");
        return Err(Error::input(format!("{newest}, {}, is held by {holder}", run.label()))
            .hint(format!("wait for its end, or stop it there with Ctrl-C{}", others(runs, at, ". Others"))));
    }
    if run.status.is_unfinished() || retry_failed {
        return Ok(at);
    }
    let unfinished = others(runs, at, "name the one you mean");
    Err(if unfinished.is_empty() {
        Error::input(format!("there is no unfinished run: {newest}, {}, is done", run.label()))
            .hint("`coriolis-run runs` lists all runs")
    } else {
        Error::input(format!("{newest}, {}, is done", run.label())).hint(unfinished)
    })
}

/// The words about a choice that nobody made, if another runbook or another cloud may be meant.
pub fn said(runs: &[Candidate], chosen: usize) -> Option<String> {
    let run = &runs[chosen];
    let differs = |other: &&Candidate| {
        other.status.is_unfinished() && !other.only_looked && (&other.name, &other.cloud) != (&run.name, &run.cloud)
    };
    let others: Vec<String> =
        runs.iter().filter(differs).map(|other| format!("{} on {}", other.label(), other.cloud)).collect();
    let more = others.len().saturating_sub(5);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    (!others.is_empty()).then(|| {
        let listed = others.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
        format!(
            "taking the newest run, {} on {}. These are unfinished as well, name one to take it: {listed}{more}",
            run.label(),
            run.cloud
        )
    })
}

/// The unfinished runs except the one at index `but`, behind an introduction; empty without any.
fn others(runs: &[Candidate], but: usize, introduction: &str) -> String {
    let others = runs.iter().enumerate().filter(|(at, run)| *at != but && run.status.is_unfinished());
    let labels: Vec<String> = others.map(|(_, run)| format!("{}, {}", run.label(), run.status.word())).collect();
    match labels.len() {
        0 => String::new(),
        1..=5 => format!("{introduction}: {}", labels.join("; ")),
        more => format!("{introduction}: {}; and {} more", labels[..5].join("; "), more - 5),
    }
}

impl Candidate {
    /// `m4k7t2qa (night.rhai, begun 2026-06-01 20:00 UTC)`
    fn label(&self) -> String {
        format!("{} ({}, begun {})", self.id, self.name, self.started.strftime("%Y-%m-%d %H:%M UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs, the newest first, and for each one whether it has failures.
    fn runs(statuses: &[(Status, bool)]) -> Vec<Candidate> {
        let begun = |days: usize| format!("2026-06-{:02}T20:00:00Z", 28 - days).parse().expect("a timestamp");
        let run = |(at, (status, has_failures)): (usize, &(Status, bool))| Candidate {
            id: format!("run{at}"),
            name: "night.rhai".into(),
            cloud: "sandbox".into(),
            only_looked: false,
            started: begun(at),
            status: *status,
            holder: (*status == Status::Running).then(|| "ann@host, process 7".into()),
            has_failures: *has_failures,
        };
        statuses.iter().enumerate().map(run).collect()
    }

    fn chosen(statuses: &[(Status, bool)], retry_failed: bool) -> String {
        match choose(&runs(statuses), retry_failed) {
            Ok(at) => format!("run{at}"),
            Err(error) => format!("{}\n{}", error.message, error.hint.unwrap_or_default()),
        }
    }

    #[test]
    fn the_newest_run_is_meant_and_an_older_one_never_unasked() {
        use Status::{Done, Failed, Interrupted, ItemsFailed, Paused, Running, Waiting};
        for unfinished in [Failed, ItemsFailed, Paused, Waiting, Interrupted] {
            assert_eq!(chosen(&[(unfinished, false), (Paused, false)], false), "run0");
            let older = chosen(&[(Done, false), (unfinished, false)], false);
            let expected = format!(
                "the newest run, run0 (night.rhai, begun 2026-06-28 20:00 UTC), is done\nname the one you mean: run1 \
                 (night.rhai, begun 2026-06-27 20:00 UTC), {}",
                unfinished.word()
            );
            assert_eq!(older, expected);
        }
        assert_eq!(
            chosen(&[(Running, false), (Paused, false)], false),
            "the newest run, run0 (night.rhai, begun 2026-06-28 20:00 UTC), is held by ann@host, process 7\nwait for \
             its end, or stop it there with Ctrl-C. Others: run1 (night.rhai, begun 2026-06-27 20:00 UTC), paused"
        );
        assert_eq!(chosen(&[], false), "there is no unfinished run of a runbook\n`coriolis-run runs` lists all runs");
        assert_eq!(
            chosen(&[(Done, true), (Done, true)], false),
            "there is no unfinished run: the newest run, run0 (night.rhai, begun 2026-06-28 20:00 UTC), is done\n\
             `coriolis-run runs` lists all runs"
        );
    }

    #[test]
    fn what_failed_is_done_again_in_the_newest_run_in_which_something_did() {
        use Status::{Done, Failed, Running};
        assert_eq!(chosen(&[(Done, true), (Failed, true)], true), "run0", "also when it ended within its budget");
        assert_eq!(chosen(&[(Done, false), (Done, true), (Failed, true)], true), "run1");
        assert!(chosen(&[(Done, false), (Running, true)], true).starts_with("the newest run with failures, run1 "));
        assert!(chosen(&[(Done, false)], true).starts_with("there is no run of a runbook with failures\n"));
    }

    #[test]
    fn a_run_that_only_looked_is_never_meant() {
        let mut runs = runs(&[(Status::Done, false), (Status::Failed, true), (Status::Paused, false)]);
        (runs[0].only_looked, runs[1].only_looked) = (true, true);
        assert_eq!(choose(&runs, false).expect("there is one"), 2);
        assert!(choose(&runs, true).is_err());
        assert_eq!(choose(&runs[1..2], false).expect("there is no other"), 0);
    }

    #[test]
    fn another_runbook_and_another_cloud_are_said() {
        let mut runs = runs(&[(Status::Paused, false), (Status::Failed, false), (Status::Done, false)]);
        assert_eq!(said(&runs, 0), None);
        (runs[1].name, runs[2].name) = ("seed.rhai".into(), "done.rhai".into());
        assert_eq!(
            said(&runs, 0).expect("another runbook"),
            "taking the newest run, run0 (night.rhai, begun 2026-06-28 20:00 UTC) on sandbox. These are unfinished as \
             well, name one to take it: run1 (seed.rhai, begun 2026-06-27 20:00 UTC) on sandbox"
        );
        (runs[1].name, runs[1].cloud) = ("night.rhai".into(), "cloud.example".into());
        assert!(said(&runs, 0).expect("another cloud").ends_with("on cloud.example"));
        runs[1].only_looked = true;
        assert_eq!(said(&runs, 0), None);
    }
}
