//! The deployments that the runs of a state directory have made: their journals know them also when the server has
//! forgotten them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use serde_json::Value;

use super::record::{Line, Record, Settlement, StepKey};
use super::replay::VALUE;
use super::runs::{Directory, Store};
use crate::error::Result;
use crate::event::Fact;
use crate::model::MADE_BY;

/// The paths that deployments are made at, on either generation.
const PATHS: [&str; 2] = ["deployments", "migrations"];

/// The deployments of the runs on this cloud, except for one run, each with its last known status. Rehearsals have
/// clouds of their own, and damaged journals tell nothing.
///
/// # Errors
/// `Journal` when the folder cannot be read.
pub fn deployed(store: &Store, cloud: &str, except: &str) -> Result<Vec<Value>> {
    let runs = store.on_cloud(cloud)?;
    Ok(runs.iter().filter(|run| run.meta.id != except).flat_map(of_run).collect())
}

fn of_run(run: &Directory) -> Vec<Value> {
    // Most runs have made none, and whole journals are long.
    let text = fs::read_to_string(run.journal()).unwrap_or_default();
    if !PATHS.iter().any(|path| text.contains(&format!("\"path\":\"{path}\""))) {
        return Vec::new();
    }
    let lines = run.lines().map(|read| read.lines).unwrap_or_default();
    let mut made = of_lines(lines);
    for deployment in &mut made {
        deployment[MADE_BY] = run.meta.id.as_str().into();
        // Legacy servers have another word for it.
        if deployment["transfer_id"].is_null() {
            deployment["transfer_id"] = deployment["replica_id"].clone();
        }
    }
    made
}

fn of_lines(lines: Vec<Line>) -> Vec<Value> {
    let (mut begun, mut values, mut made) = (BTreeSet::new(), HashMap::new(), BTreeMap::new());
    for Line { record, .. } in lines {
        match record {
            Record::Value { hash, value } => drop(values.insert(hash, value)),
            Record::Began { lane, call, step, method, path, .. }
                if method == "POST" && PATHS.contains(&path.as_str()) =>
            {
                begun.insert(StepKey { lane, call, step });
            }
            Record::Settled { lane, call, step, settlement: Settlement::Done(answer) } => {
                let whole = answer.get(VALUE).and_then(Value::as_str).and_then(|hash| values.get(hash)).cloned();
                let answer = whole.unwrap_or(answer);
                if let Some(id) = answer["id"].as_str().filter(|_| begun.contains(&StepKey { lane, call, step })) {
                    made.insert(id.to_owned(), answer);
                }
            }
            Record::Event { event } => {
                if let Fact::WaitFinished { subject, status, .. } = event.fact
                    && let Some(deployment) = made.get_mut(&subject.id)
                {
                    deployment["last_execution_status"] = status.into();
                }
            }
            _ => {}
        }
    }
    made.into_values().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_journal_tells_the_deployments_that_it_made_and_how_they_ended() {
        let line = |record: Value| {
            let mut line = json!({"at": "2026-06-01T20:00:00Z"});
            line.as_object_mut().unwrap().extend(record.as_object().unwrap().clone());
            serde_json::from_value::<Line>(line).unwrap()
        };
        let step = |call: u64, record: Value| {
            let mut step = json!({"lane": "main", "call": call, "step": 1});
            step.as_object_mut().unwrap().extend(record.as_object().unwrap().clone());
            line(step)
        };
        let began = |call: u64, path: &str| step(call, json!({"record": "began", "method": "POST", "path": path}));
        let done = |call: u64, answer: Value| step(call, json!({"record": "settled", "settlement": {"done": answer}}));
        let ended = |id: &str, status: &str| {
            let subject = json!({"kind": "deployment", "id": id, "label": "web-01"});
            line(json!({"record": "event", "event": {"v": 1, "at": "2026-06-01T20:00:00Z", "lane": "main",
                "event": "wait_finished", "subject": subject, "status": status, "since": "2026-06-01T20:00:00Z",
                "elapsed_seconds": 1.0}}))
        };
        let made = of_lines(vec![
            began(1, "deployments"),
            line(json!({"record": "value", "hash": "h", "value": {"id": "D1", "last_execution_status": "RUNNING"}})),
            done(1, json!({"$value": "h"})),
            ended("D1", "COMPLETED"),
            began(2, "migrations"),
            done(2, json!({"id": "D2", "last_execution_status": "RUNNING"})),
            began(3, "transfers/T/executions"),
            done(3, json!({"id": "E", "last_execution_status": "RUNNING"})),
            began(4, "deployments"),
        ]);
        let told: Vec<_> = made.iter().map(|made| (&made["id"], &made["last_execution_status"])).collect();
        assert_eq!(told, [(&json!("D1"), &json!("COMPLETED")), (&json!("D2"), &json!("RUNNING"))]);
    }
}
