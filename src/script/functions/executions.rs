//! Executions: one run of a transfer, which copies what has changed.

use jiff::SignedDuration;
use rhai::Dynamic;
use serde_json::{Map, Value};

use super::guards::status;
use super::resolve;
use super::transfers::{FILTERS, TRANSFER, filters, listed};
use crate::client::{Failure, executions, present};
use crate::error::Result;
use crate::model::Phase;
use crate::script::call::{Call, unknown};
use crate::script::error::Fault;
use crate::script::function::{Effect, Function, Key, Kind, Noun, Parameter};

const TRANSFER_OR_EXECUTION: Parameter =
    Parameter::required("transfer", Kind::Reference(Noun::Transfer), "The replica; or the execution's object alone.");
const EXECUTION: Parameter =
    Parameter::optional("execution", Kind::Reference(Noun::Execution), "The execution: its id or its object.");

const EXECUTE: &[Key] = &[
    Key::new(
        "shutdown_instances",
        Kind::Flag,
        "Switch the source off before the copy; nothing in the API switches it on again. Default false.",
    )
    .aliases(&["shutdown_instance", "shutdown"]),
    Key::new(
        "auto_deploy",
        Kind::Flag,
        "Let the server deploy when the copy has completed (current servers only); default false.",
    ),
];

const CANCEL: &[Key] =
    &[Key::new("force", Kind::Flag, "Cut clean-up tasks short as well: they leave things behind. Default false.")];

const EXAMPLE_REPLICA: &str = "let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });\nlet e = replica_execute(r);\nprint(replica_execution_show(e).number);\nwait_for(e);";

pub const ROWS: &[Function] = &[
    Function {
        name: "transfer_execute",
        aliases: &["replica_execute", "replica_execution_create", "transfer_execution_create"],
        parameters: &[TRANSFER, Parameter::optional("options", Kind::Options(&[EXECUTE]), "How.")],
        result: "the execution",
        summary: "Start copying what has changed, without waiting.",
        example: "let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });\nprint(wait_for(replica_execute(r)).status);",
        effect: Effect::Changes,
        noun_verb: true,
        body: execute,
    },
    Function {
        name: "transfer_execution_list",
        aliases: &["replica_execution_list"],
        parameters: &[TRANSFER, Parameter::optional("options", Kind::Options(&[FILTERS]), "Which.")],
        result: "a list of executions with their tasks, the newest first",
        summary: "List the executions of a replica.",
        example: "let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });\nreplica_sync(r);\nprint(replica_execution_list(r).len());",
        effect: Effect::Reads,
        noun_verb: true,
        body: list,
    },
    Function {
        name: "transfer_execution_show",
        aliases: &["replica_execution_show"],
        parameters: &[TRANSFER_OR_EXECUTION, EXECUTION],
        result: "the execution with its tasks",
        summary: "Show an execution.",
        example: EXAMPLE_REPLICA,
        effect: Effect::Reads,
        noun_verb: true,
        body: show,
    },
    Function {
        name: "transfer_execution_cancel",
        aliases: &["replica_execution_cancel"],
        parameters: &[
            TRANSFER_OR_EXECUTION,
            EXECUTION,
            Parameter::optional("options", Kind::Options(&[CANCEL]), "How."),
        ],
        result: "nothing",
        summary: "Ask an execution to stop, without waiting for its clean-up.",
        example: "let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });\nlet e = replica_execute(r);\nreplica_execution_cancel(e);",
        effect: Effect::Changes,
        noun_verb: true,
        body: cancel,
    },
    Function {
        name: "transfer_execution_delete",
        aliases: &["replica_execution_delete"],
        parameters: &[TRANSFER_OR_EXECUTION, EXECUTION],
        result: "nothing",
        summary: "Delete the record of a finished execution; without a completed one its replica cannot be deployed.",
        example: "let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });\nlet e = replica_sync(r);\nreplica_execution_delete(e);",
        effect: Effect::Changes,
        noun_verb: true,
        body: delete,
    },
];

fn execute(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::transfer(call, &call.argument("transfer"))?;
    let fields = call.options().body(&["shutdown_instances", "auto_deploy"])?;
    let execution = start(call, &id, fields)?;
    Ok(call.shown(execution))
}

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::transfer(call, &call.argument("transfer"))?;
    let filters = filters(call)?;
    let request = executions::list(call.generation()?, &id, &filters);
    let found = listed(call, &filters, &request)?;
    Ok(call.shown(found.into_iter().map(present::execution).collect::<Vec<_>>().into()))
}

fn show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let (transfer, id) = resolve::execution(call)?;
    let execution = call.read(&executions::show(call.generation()?, &transfer, &id))?;
    Ok(call.shown(present::execution(execution)))
}

fn cancel(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let (transfer, id) = resolve::execution(call)?;
    let force = call.options().flag("force").unwrap_or(false);
    call.change(&executions::cancel(call.generation()?, &transfer, &id, force))?;
    Ok(Dynamic::UNIT)
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let (transfer, id) = resolve::execution(call)?;
    call.change(&executions::delete(call.generation()?, &transfer, &id))?;
    Ok(Dynamic::UNIT)
}

/// How often a lost request is sent again after a look has shown that it was not applied.
const LOOKS: u32 = 3;
/// How long a request may be under way on the server before a look can miss it.
const SETTLING: SignedDuration = SignedDuration::from_secs(5);

/// Starts an execution. When the reply is lost, the executions known before tell whether it has begun; if not, it is
/// sent again: the server refuses a second one while the first runs.
///
/// # Errors
/// What the server says; `Unknown` when no look tells.
pub fn start(call: &mut Call<'_>, transfer: &str, fields: Map<String, Value>) -> Result<Value> {
    let before = resolve::newest_execution(call, transfer)?;
    let request = executions::create(call.generation()?, transfer, fields)?;
    let mut looks = 0;
    loop {
        let error = match call.try_change(&request)? {
            Ok(execution) => return Ok(present::execution(execution)),
            Err(Failure::Refused(error)) => return Err(error),
            Err(Failure::Lost(error)) => error,
        };
        let begun = settle(call, transfer, number(before.as_ref())).map_err(|_| unknown(error.clone()))?;
        if let Some(found) = begun {
            if status(&found) == Phase::Idle {
                // The server failed half way and left a record that will never run.
                return Err(error);
            }
            let status = found["status"].as_str().unwrap_or("?");
            call.warn(format!(
                "lost the answer to an execute ({error}): execution #{} had begun, it is {status}",
                found["number"]
            ));
            return Ok(present::execution(found));
        }
        looks += 1;
        if looks == LOOKS {
            return Err(unknown(error));
        }
        call.warn(format!("lost the answer to an execute ({error}): it had not begun, sending it again"));
    }
}

/// The execution that began after the one of this number, if one did.
fn settle(call: &Call<'_>, transfer: &str, before: i64) -> Result<Option<Value>> {
    for pause in [SignedDuration::ZERO, SETTLING] {
        call.host.cancel.sleep_until(&call.host.clock, call.host.clock.now() + pause)?;
        let newest = resolve::newest_execution(call, transfer)?;
        if number(newest.as_ref()) > before {
            return Ok(newest);
        }
    }
    Ok(None)
}

fn number(execution: Option<&Value>) -> i64 {
    execution.and_then(|execution| execution["number"].as_i64()).unwrap_or(0)
}
