//! Executions: runs of a transfer, which copy the changes.

use rhai::Dynamic;
use serde_json::{Map, Value};

use crate::client::{executions, present};
use crate::error::{Error, Kind as Failure, Result};
use crate::functions::begun;
use crate::functions::guarded::{COPY_AGAIN, Guarded, to_copy};
use crate::functions::guards::{Effects, status};
use crate::functions::ours::Wanted;
use crate::functions::overrides::{COPY, Copy, Override};
use crate::functions::resolve::TRANSFER;
use crate::functions::sources;
use crate::functions::transfers::{FILTERS, filters, listed};
use crate::functions::{ours, resolve};
use crate::language::arguments::options;
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{A_REPLICA, Key, Kind, Noun, Parameter, Spec};
use crate::model::Status;
use crate::runtime::call::Call;
use crate::runtime::function::Function;
use crate::runtime::settle;

const TRANSFER_OR_EXECUTION: Parameter =
    Parameter::required("transfer", Kind::Reference(Noun::Transfer), "The replica, or just the execution's object.");
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

options! {
    /// The options of cancelling an execution.
    CANCEL => Cancel {
        force: bool = Kind::Flag, "Cut clean-up tasks short as well: they leave things behind. Default false.";
    }
}

/// The requests of [`start`].
pub const EXECUTES: Sends = Sends::changes("POST /transfers/{transfer}/executions", Again::Compared("a new execution"))
    .legacy("POST /replicas/{replica}/executions");

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::changes("transfer_execute", "Start copying the changes, without waiting.")
            .aliases(&["replica_execute", "replica_execution_create", "transfer_execution_create"])
            .noun_verb()
            .parameters(&[TRANSFER, Parameter::optional("options", Kind::Options(&[COPY, EXECUTE]), "How.")])
            .returns(Returns::begun(Noun::Execution))
            .sends(&[EXECUTES])
            .given(A_REPLICA)
            .example("print(wait_for(replica_execute(r)).status);"),
        body: execute,
    },
    Function {
        spec: Spec::reads("transfer_execution_list", "List the executions of a replica.")
            .aliases(&["replica_execution_list"])
            .noun_verb()
            .parameters(&[TRANSFER, Parameter::optional("options", Kind::Options(&[FILTERS]), "Which.")])
            .returns(Returns::list(Noun::Execution).with(" with their tasks, the newest first"))
            .sends(&[Sends::reads("GET /transfers/{transfer}/executions")
                .legacy("GET /replicas/{replica}/executions/detail")])
            .given(A_REPLICA)
            .example("replica_sync(r);\nprint(replica_execution_list(r).len());"),
        body: list,
    },
    Function {
        spec: Spec::reads("transfer_execution_show", "Show an execution.")
            .aliases(&["replica_execution_show"])
            .noun_verb()
            .parameters(&[TRANSFER_OR_EXECUTION, EXECUTION])
            .returns(Returns::object(Noun::Execution).with(" with its tasks"))
            .sends(&[Sends::reads("GET /transfers/{transfer}/executions/{execution}")
                .legacy("GET /replicas/{replica}/executions/{execution}")])
            .given(A_REPLICA)
            .example("let e = replica_execute(r);\nprint(replica_execution_show(e).number);\nwait_for(e);"),
        body: show,
    },
    Function {
        spec: Spec::changes("transfer_execution_cancel", "Ask an execution to stop, without waiting for its clean-up.")
            .aliases(&["replica_execution_cancel"])
            .noun_verb()
            .parameters(&[
                TRANSFER_OR_EXECUTION,
                EXECUTION,
                Parameter::optional("options", Kind::Options(&[CANCEL]), "How."),
            ])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("POST /transfers/{transfer}/executions/{execution}/actions", Again::Safe)
                .legacy("POST /replicas/{replica}/executions/{execution}/actions")])
            .given(A_REPLICA)
            .example("let e = replica_execute(r);\nreplica_execution_cancel(e);"),
        body: cancel,
    },
    Function {
        spec: Spec::changes(
            "transfer_execution_delete",
            "Delete the record of a finished execution; without a completed one its replica cannot be deployed.",
        )
        .aliases(&["replica_execution_delete"])
        .noun_verb()
        .parameters(&[TRANSFER_OR_EXECUTION, EXECUTION])
        .returns(Returns::NOTHING)
        .sends(&[Sends::changes("DELETE /transfers/{transfer}/executions/{execution}", Again::Safe)
            .legacy("DELETE /replicas/{replica}/executions/{execution}")])
        .given(A_REPLICA)
        .example("let e = replica_sync(r);\nreplica_execution_delete(e);"),
        body: delete,
    },
];

fn execute(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::transfer(call, &call.argument("transfer"))?;
    let fields = call.options().body(&["shutdown_instances", "auto_deploy"])?;
    let execution = start(call, &id, fields, &Guarded::new(Copy::of(call.options())?), COPY_AGAIN)?;
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
    let Cancel { force } = Cancel::of(call.options())?;
    // While it is being cancelled, a second request is refused, which is just as good; a completed one was not
    // cancelled.
    let request = executions::cancel(call.generation()?, &transfer, &id, force);
    let show = executions::show(call.generation()?, &transfer, &id);
    let completed = || call.read(&show).is_ok_and(|execution| status(&execution).succeeded());
    settle::repeat(call, &request, |refusal| refusal.status() == Some(400) && !completed())?;
    Ok(Dynamic::UNIT)
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let (transfer, id) = resolve::execution(call)?;
    settle::remove(call, &executions::delete(call.generation()?, &transfer, &id))?;
    Ok(Dynamic::UNIT)
}

/// Starts an execution; `again` are the overrides with which what was deployed before is copied again.
///
/// # Errors
/// That of its guard; those of the server; `Unknown` when no look tells.
pub fn start(
    call: &Call<'_>,
    transfer: &str,
    fields: Map<String, Value>,
    guarded: &Guarded,
    again: &'static [Override],
) -> Result<Value> {
    // Journals of version 1 hold the guard's verdict here.
    call.decided_before();
    let flag = |name: &str| fields.get(name).and_then(Value::as_bool).unwrap_or(false);
    let (shutdown, auto_deploy) = (flag("shutdown_instances"), flag("auto_deploy"));
    let effects = Effects { switches_off: shutdown, deploys: auto_deploy };
    let guard = |call: &Call<'_>, newest: &[Value]| to_copy(call, transfer, effects, again, (newest, ours::WINDOW));
    let wanted = Wanted::Copy { shutdown, auto_deploy };
    let request = executions::create(call.generation()?, transfer, fields)?;
    let begun = begun::execution(call, transfer, &request, wanted, guarded, &guard)?;
    sources::going_off(call, transfer, &begun);
    if status(&begun) == Status::Unexecuted {
        return Err(Error::new(
            Failure::Api,
            format!("the server recorded execution #{} and never started it", begun["number"]),
        )
        .hint("an application credential cannot execute: Coriolis makes a Keystone trust for it"));
    }
    Ok(present::execution(begun))
}
