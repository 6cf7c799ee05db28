//! The objects as scripts see them: every field that the server sent, and beside it the other generation's name for the
//! same thing.

use serde_json::{Map, Value};

use super::answer;

/// A transfer or replica: with `status`, and its executions presented too.
pub fn transfer(value: Value) -> Value {
    extended(value, |fields| {
        alias(fields, "last_execution_status", "status");
        if let Some(Value::Array(executions)) = fields.get_mut("executions") {
            executions.iter_mut().for_each(|execution| *execution = self::execution(execution.take()));
        }
    })
}

/// An execution: with `transfer_id` and `replica_id` if it belongs to a transfer.
pub fn execution(value: Value) -> Value {
    extended(value, |fields| {
        alias(fields, "action_id", "transfer_id");
        alias(fields, "action_id", "replica_id");
    })
}

/// A deployment or migration: with `status`, and both names of the transfer it was made from.
pub fn deployment(value: Value) -> Value {
    extended(value, |fields| {
        alias(fields, "last_execution_status", "status");
        alias(fields, "transfer_id", "replica_id");
        alias(fields, "replica_id", "transfer_id");
    })
}

/// A schedule: with both names of its transfer.
pub fn schedule(value: Value) -> Value {
    extended(value, |fields| {
        alias(fields, "transfer_id", "replica_id");
        alias(fields, "replica_id", "transfer_id");
    })
}

/// The answer of validate-connection: its message may end with the connection info that it checked.
pub fn validation(value: Value) -> Value {
    extended(value, |fields| {
        if let Some(Value::String(message)) = fields.get_mut("message") {
            *message = answer::without_instance(message);
        }
    })
}

/// Presents each entry of a list.
pub fn each(values: Vec<Value>, present: impl Fn(Value) -> Value) -> Vec<Value> {
    values.into_iter().map(present).collect()
}

fn extended(mut value: Value, extend: impl FnOnce(&mut Map<String, Value>)) -> Value {
    if let Some(fields) = value.as_object_mut() {
        extend(fields);
    }
    value
}

/// Gives the value of `from` a second name, unless that is taken.
fn alias(fields: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = fields.get(from).cloned() {
        fields.entry(to).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_generations_read_alike() {
        assert_eq!(
            transfer(json!({"id": "T", "type": "replica", "last_execution_status": "RUNNING",
                "executions": [{"id": "E", "action_id": "T"}]})),
            json!({"id": "T", "type": "replica", "last_execution_status": "RUNNING", "status": "RUNNING",
                "executions": [{"id": "E", "action_id": "T", "transfer_id": "T", "replica_id": "T"}]})
        );
        assert_eq!(
            deployment(json!({"id": "D", "transfer_id": "T", "last_execution_status": "ERROR", "type": "deployment"})),
            json!({"id": "D", "transfer_id": "T", "replica_id": "T", "last_execution_status": "ERROR",
                "status": "ERROR", "type": "deployment"})
        );
        assert_eq!(deployment(json!({"replica_id": null})), json!({"replica_id": null, "transfer_id": null}));
    }

    #[test]
    fn a_validation_does_not_repeat_the_connection_info() {
        let message = "Schema validation failed: 'host' is a required property\n\nOn instance:\n    {'password': 'p'}";
        assert_eq!(
            validation(json!({"valid": false, "message": message})),
            json!({"valid": false, "message": "Schema validation failed: 'host' is a required property"})
        );
        assert_eq!(validation(json!({"valid": true, "message": null})), json!({"valid": true, "message": null}));
    }
}
