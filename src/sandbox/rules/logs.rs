//! The logs of the services, derived from the events so far.

use crate::model::Status;
use crate::sandbox::world::{Cloud, Execution, Transfer, stamp};
use jiff::Timestamp;

/// One line of a log, with syslog's severity: 6 is information, 3 is an error.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sandbox) struct LogLine {
    pub at: Timestamp,
    pub log: &'static str,
    pub severity: u8,
    pub message: String,
}

/// The path of the logging service; the catalog has it.
pub(in crate::sandbox) const LOGS_PREFIX: &str = "/logger";

pub(in crate::sandbox) const LOGS: [&str; 4] =
    ["coriolis-api", "coriolis-conductor", "coriolis-scheduler", "coriolis-worker"];

impl Cloud {
    /// All lines written by `now`, the oldest first.
    pub(in crate::sandbox) fn log_lines(&self, now: Timestamp) -> Vec<LogLine> {
        let started = self.services.first().map_or(now, |service| service.created);
        let mut lines: Vec<LogLine> =
            LOGS.iter().map(|log| line(started, log, 6, format!("{log} has started"))).collect();
        for transfer in &self.transfers {
            let id = &transfer.action.id;
            lines.push(line(transfer.action.created, "coriolis-api", 6, format!("transfer '{id}' was created")));
            for execution in &transfer.executions {
                lines.extend(execution_lines(transfer, execution, now));
            }
        }
        lines.sort_by_key(|line| line.at);
        lines
    }

    /// The number of instances that were ever copied as a whole.
    pub(in crate::sandbox) fn copied_instances(&self, now: Timestamp) -> usize {
        let copied = self.transfers.iter().filter(|transfer| transfer.ever_completed(now));
        copied.map(|transfer| transfer.action.instances.len()).sum()
    }
}

impl LogLine {
    /// The line as it stands in the file.
    pub(in crate::sandbox) fn text(&self) -> String {
        let level = if self.severity <= 3 { "ERROR" } else { "INFO" };
        format!("{} {level} {} {}", stamp(self.at), self.log.replace('-', "."), self.message)
    }
}

fn execution_lines(transfer: &Transfer, execution: &Execution, now: Timestamp) -> Vec<LogLine> {
    let (id, number) = (&transfer.action.id, execution.number);
    let begun = format!("execution {number} of transfer '{id}' has begun");
    let mut lines = vec![line(execution.plan.created, "coriolis-conductor", 6, begun)];
    let (end, status) = execution.plan.end();
    if end <= now && !execution.plan.is_active(now) {
        let severity = if matches!(status, Status::Error | Status::Deadlocked) { 3 } else { 6 };
        let ended = format!("execution {number} of transfer '{id}' has ended: {status}");
        lines.push(line(end, "coriolis-conductor", severity, ended));
    }
    for seen in execution.plan.seen(now) {
        let Some(began) = seen.began else { continue };
        let (kind, instance) = (seen.task.spec.kind, &seen.task.spec.instance);
        lines.push(line(began, "coriolis-worker", 6, format!("{kind} of '{instance}' runs")));
    }
    lines
}

fn line(at: Timestamp, log: &'static str, severity: u8, message: String) -> LogLine {
    LogLine { at, log, severity, message }
}
