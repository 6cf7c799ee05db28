//! The fields that every server's answer about a noun has: an answer without one was damaged on its way, and nothing
//! may be decided by it. Pure.
//!
//! Seen in every answer of the recordings, of both generations; a value may be null unless stated otherwise.

use serde_json::Value;

use super::request::{Answer, Method, Request};

/// The fields of one noun that decisions depend on.
struct Shape {
    /// Texts that are not empty.
    texts: &'static [&'static str],
    /// Fields with any value.
    present: &'static [&'static str],
}

const TRANSFER: Shape = Shape {
    texts: &["id", "origin_endpoint_id", "destination_endpoint_id"],
    present: &["instances", "notes", "last_execution_status"],
};
const EXECUTION: Shape =
    Shape { texts: &["id", "type", "status", "action_id"], present: &["number", "tasks", "created_at"] };
const TASK: Shape = Shape { texts: &["task_type", "status"], present: &[] };
const DEPLOYMENT: Shape = Shape { texts: &["id", "last_execution_status"], present: &["transfer_id", "created_at"] };
const MIGRATION: Shape = Shape { texts: &["id", "last_execution_status"], present: &["replica_id", "created_at"] };
const SCHEDULE: Shape = Shape { texts: &["id"], present: &["schedule", "enabled", "shutdown_instance"] };
const POOL: Shape = Shape { texts: &["id", "name", "status"], present: &["notes"] };
const NAMED: Shape = Shape { texts: &["id", "name"], present: &[] };

impl Shape {
    fn of(key: &str) -> Option<&'static Shape> {
        Some(match key {
            "transfer" | "transfers" | "replica" | "replicas" => &TRANSFER,
            "execution" | "executions" => &EXECUTION,
            "deployment" | "deployments" => &DEPLOYMENT,
            "migration" | "migrations" => &MIGRATION,
            "schedule" | "schedules" => &SCHEDULE,
            "minion_pool" | "minion_pools" => &POOL,
            "endpoint" | "endpoints" | "region" | "regions" => &NAMED,
            _ => return None,
        })
    }

    fn lacks(&self, thing: &Value) -> Option<&'static str> {
        let is_text = |name: &&&str| thing[**name].as_str().is_some_and(|text| !text.is_empty());
        let is_there = |name: &&&str| thing.get(**name).is_some();
        let text = self.texts.iter().find(|name| !is_text(name));
        text.or_else(|| self.present.iter().find(|name| !is_there(name))).copied()
    }
}

/// True if the shape of such an answer is known.
pub(super) fn tells(answer: Answer) -> bool {
    matches!(answer, Answer::Thing(key) | Answer::List(key) if Shape::of(key).is_some())
}

/// The part that the answer to this request must have and `result` lacks; continues "it has".
pub(super) fn lacks(request: &Request, result: &Value) -> Option<String> {
    let (key, things) = match (request.answer, result) {
        (Answer::Thing(key), thing) => (key, std::slice::from_ref(thing)),
        (Answer::List(key), Value::Array(things)) => (key, things.as_slice()),
        _ => return None,
    };
    let shape = Shape::of(key)?;
    things.iter().find_map(|thing| {
        let tasks = thing["tasks"].as_array().map_or(&[][..], Vec::as_slice);
        if let Some(field) = shape.lacks(thing) {
            return Some(format!("no `{field}` in `{key}`"));
        }
        if let Some(field) = tasks.iter().find_map(|task| TASK.lacks(task)) {
            return Some(format!("a task without `{field}` in `{key}`"));
        }
        is_of_another(request, key, thing).then(|| format!("another one's `{key}`"))
    })
}

/// True if an answer belongs to another request: an earlier one on the same connection.
fn is_of_another(request: &Request, key: &str, thing: &Value) -> bool {
    let differs = |field: &str, id: &str| !thing[field].as_str().is_some_and(|shown| shown.eq_ignore_ascii_case(id));
    let path: Vec<&str> = request.path.split('/').collect();
    match (path.as_slice(), request.answer) {
        ([_, transfer, rest @ ..], _) if matches!(key, "execution" | "executions") => {
            differs("action_id", transfer)
                || (request.answer == Answer::Thing("execution")
                    && matches!(rest, ["executions", id] if differs("id", id)))
        }
        ([.., id], Answer::Thing(_)) if request.method == Method::Get => differs("id", id),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::client::Repeat;

    /// Each request with a complete answer.
    fn whole() -> Vec<(Request, Value)> {
        let transfer = json!({"id": "T", "origin_endpoint_id": "O", "destination_endpoint_id": "D", "instances": ["db"],
                              "notes": null, "last_execution_status": "RUNNING"});
        let execution = json!({"id": "E", "action_id": "T", "type": "transfer_execution", "status": "RUNNING",
                               "number": 1, "tasks": [{"task_type": "SHUTDOWN_INSTANCE", "status": "RUNNING"}],
                               "created_at": "2026-06-01T20:00:00.000000"});
        let deployment = json!({"id": "D", "transfer_id": "T", "last_execution_status": "RUNNING",
                                "created_at": "2026-06-01T20:00:00.000000"});
        let migration = json!({"id": "M", "replica_id": null, "last_execution_status": "RUNNING",
                               "created_at": "2026-06-01T20:00:00.000000"});
        let schedule = json!({"id": "S", "schedule": {}, "enabled": true, "shutdown_instance": false});
        let pool = json!({"id": "P", "name": "pool", "status": "ALLOCATED", "notes": null});
        let named = json!({"id": "N", "name": "vcenter"});
        let execute = Request::post("transfers/T/executions", json!({}), Answer::Thing("execution"), Repeat::Find);
        let update = Request::put("replicas/T", json!({}), Answer::Thing("execution"), Repeat::Find);
        vec![
            (Request::get("transfers/T", Answer::Thing("transfer")), transfer.clone()),
            (Request::get("replicas", Answer::List("replicas")), json!([transfer])),
            (Request::get("transfers/T/executions/E", Answer::Thing("execution")), execution.clone()),
            (Request::get("replicas/T/executions/detail", Answer::List("executions")), json!([execution])),
            (execute, execution.clone()),
            (update, execution),
            (Request::get("deployments", Answer::List("deployments")), json!([deployment])),
            (Request::get("migrations/m", Answer::Thing("migration")), migration),
            (Request::get("transfers/T/schedules", Answer::List("schedules")), json!([schedule])),
            (Request::get("minion_pools/P", Answer::Thing("minion_pool")), pool),
            (Request::get("endpoints", Answer::List("endpoints")), json!([named])),
        ]
    }

    /// The objects of an answer, each without one of its fields.
    fn without_one(fields: &Map<String, Value>) -> Vec<(String, Value)> {
        let drop = |name: &String| {
            let mut rest = fields.clone();
            rest.remove(name);
            (name.clone(), Value::Object(rest))
        };
        fields.keys().map(drop).collect()
    }

    #[test]
    fn an_answer_without_a_field_that_decisions_are_made_by_was_damaged() {
        let mut wrong = Vec::new();
        for (request, answer) in whole() {
            assert_eq!(lacks(&request, &answer), None, "{}", request.path);
            let thing = answer.get(0).unwrap_or(&answer).as_object().expect("an object");
            for (name, rest) in without_one(thing) {
                let damaged = if answer.is_array() { json!([thing, rest]) } else { rest };
                if lacks(&request, &damaged).is_none_or(|lacks| !lacks.contains(&format!("`{name}`"))) {
                    wrong.push(format!("{} without {name}", request.path));
                }
            }
            for (name, task) in
                thing.get("tasks").map(|tasks| &tasks[0]).and_then(Value::as_object).into_iter().flat_map(without_one)
            {
                let mut rest = thing.clone();
                rest["tasks"] = json!([task]);
                let damaged = if answer.is_array() { json!([rest]) } else { rest.into() };
                if lacks(&request, &damaged).is_none() {
                    wrong.push(format!("{}: a task without {name}", request.path));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn an_answer_about_something_else_is_none() {
        let told = whole().into_iter().map(|(request, answer)| {
            let other = Request { path: request.path.replace("/T", "/U").replace("/m", "/N"), ..request.clone() };
            (lacks(&other, &answer).is_some(), request.path)
        });
        let told: Vec<String> = told.filter_map(|(noticed, path)| noticed.then_some(path)).collect();
        assert_eq!(
            told,
            [
                "transfers/T",
                "transfers/T/executions/E",
                "replicas/T/executions/detail",
                "transfers/T/executions",
                "replicas/T",
                "migrations/m"
            ]
        );
    }
}
