//! Units: the building blocks of a runbook, because each can be retried and guarded as one.

use std::time::Duration;

use jiff::Timestamp;
use rhai::Dynamic;
use serde_json::{Map, Value, json};

use crate::client::present;
use crate::duration;
use crate::error::{Error, Kind as Failure, OVERRIDE, Result};
use crate::functions::deployments;
use crate::functions::deployments::{COPIES, DEPLOY, DEPLOYS, REQUIRES, Wanted};
use crate::functions::executions;
use crate::functions::executions::EXECUTES;
use crate::functions::guarded::{COPY_AGAIN, Guarded, to_join};
use crate::functions::guards::{is_copy, newest_copy, status, switches_off};
use crate::functions::overrides::{COPY, Copy, DEPLOY as OVERRIDES, Override};
use crate::functions::resolve::{TRANSFER, fetch, label};
use crate::functions::transfers::{ENDS, MAKE, SETTINGS, fields, make as transfers_made};
use crate::functions::waits::{WATCHES_DEPLOYMENT, WATCHES_EXECUTION, deadline, disk_sizes};
use crate::functions::{begun, ours, resolve};
use crate::language::arguments::{options, text_of};
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::Sends;
use crate::language::spec::{A_REPLICA, Kind, Noun, Parameter, Spec};
use crate::runtime::attempts::attempts;
use crate::runtime::call::Call;
use crate::runtime::earlier;
use crate::runtime::found::Agrees;
use crate::runtime::function::Function;
use crate::runtime::lists;
use crate::watch::Target;

options! {
    /// The options of copying a replica.
    SYNC => Sync {
        shutdown_instances: bool = Kind::Flag,
            "Switch the source off before the copy: the last one. Default false.",
            aliases &["shutdown_instance", "shutdown"];
        retries: Option<i64> = Kind::Integer, "The number of retries of a failed copy, on the same replica; default 0.";
        backoff: Option<Duration> = Kind::Duration, "The pause before the first retry; it doubles. Default \"30s\".";
        max_age: Option<Duration> = Kind::Duration,
            "Do nothing if the newest copy has completed and is no older than this; default: copy always.";
        timeout: Option<Duration> = Kind::Duration, "Give up waiting after this time; the copy goes on. Default: never.";
    }
}

options! {
    /// The options of deploying a replica, besides those of `deployment_create`.
    DEPLOY_UNIT => DeployUnit {
        retries: Option<i64> = Kind::Integer, "The number of retries of a failed deployment; default 0.";
        backoff: Option<Duration> = Kind::Duration, "The pause before the first retry; it doubles. Default \"30s\".";
        timeout: Option<Duration> = Kind::Duration, "Give up waiting after this time; the deployment goes on. Default: never.";
    }
}

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::changes("transfer_ensure", "Find the replica of these VMs between these endpoints, or create it.")
            .aliases(&["replica_ensure"])
            .noun_verb()
            .parameters(&[Parameter::required("options", Kind::Options(&[ENDS, SETTINGS]), "As for `replica_create`.")])
            .returns(Returns::object(Noun::Transfer).with("; `created` is true if it was just created, \
                                                           `deployment_id` is its deployment, if there is one"))
            .sends(&[Sends::reads("GET /transfers").legacy("GET /replicas"), MAKE.when("when there is none")])
            .given(A_REPLICA)
.example("print(r.created);"),
        body: ensure,
    },
    Function {
        spec: Spec::reads("transfer_of", "Find the one replica of a VM.")
            .aliases(&["replica_of"])
            .parameters(&[Parameter::required("instance", Kind::Reference(Noun::Instance), "The VM's name.")])
            .returns(Returns::object(Noun::Transfer))
            .sends(&[Sends::reads("GET /transfers").legacy("GET /replicas")])
            .example("replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });\nprint(replica_of(\"web-01\").instances);"),
        body: of,
    },
    Function {
        spec: Spec::changes("transfer_sync", "Execute a replica and wait; a retry executes the same replica again.")
            .aliases(&["replica_sync"])
            .noun_verb()
            .parameters(&[TRANSFER, Parameter::optional("options", Kind::Options(&[COPY, SYNC]), "How.")])
            .returns(Returns::object(Noun::Execution).with(", finished"))
            .sends(&[EXECUTES.when("unless a copy is fresh enough or running"), WATCHES_EXECUTION])
            .given(A_REPLICA)
.example("print(replica_sync(r, #{ retries: 2 }).status);"),
        body: sync,
    },
    Function {
        spec: Spec::changes("transfer_deploy", "Deploy a replica and wait; stale data and second deployments are refused.")
            .aliases(&["replica_deploy"])
            .noun_verb()
            .parameters(&[TRANSFER, Parameter::optional("options", Kind::Options(&[DEPLOY, REQUIRES, OVERRIDES, DEPLOY_UNIT]), "How.")])
            .returns(Returns::object(Noun::Deployment).with(", finished"))
            .sends(&[DEPLOYS.when("unless a deployment is running"), WATCHES_DEPLOYMENT])
            .given(A_REPLICA)
.example("let last = replica_sync(r, #{ shutdown_instances: true });\nprint(replica_deploy(r, #{ requires: last }).status);"),
        body: deploy,
    },
];

fn ensure(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let fields = fields(call)?;
    let found = call.decide(|call| {
        let all = lists::transfers(call)?;
        let same = all.iter().filter(|transfer| same_transfer(transfer, &fields));
        Ok(same.map(|transfer| transfer["id"].clone()).collect())
    })?;
    let found: Vec<&str> = found.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (mut transfer, created) = match found.as_slice() {
        [] => resolve::made_unless_there(
            call,
            |call| Ok(lists::transfers_now(call)?.into_iter().find(|transfer| same_transfer(transfer, &fields))),
            |transfer| format!("the replica of `{}`", label(transfer)),
            |guard| transfers_made(call, fields.clone(), guard),
        )?,
        [only] => {
            let transfer = fetch(call, only)?;
            let created = earlier::recognize(call, "notes", &transfer)?;
            (transfer, created)
        }
        many => {
            let names = fields["instances"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            return Err(Error::new(Failure::Ambiguous, format!("there are {} replicas of `{names}`", many.len()))
                .hint(format!("deployed, each makes a VM: delete all but one of {}", many.join(", ")))
                .into());
        }
    };
    transfer["created"] = created.into();
    with_deployment(call, transfer)
}

fn of(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let instance = call.argument("instance");
    let name = resolve::field(&instance, "name").unwrap_or_else(|| text_of(&instance));
    let transfer = resolve::transfer_of(call, &name)?;
    let transfer = fetch(call, resolve::id_in(&transfer)?)?;
    with_deployment(call, transfer)
}

/// Adds the id of the newest deployment that is running or has succeeded, so that a runbook can skip the work of an
/// earlier run.
fn with_deployment(call: &Call<'_>, mut transfer: Value) -> Result<Dynamic, Fault> {
    let deployments = lists::deployments_of(call, resolve::id_in(&transfer)?)?;
    let alive = deployments.iter().filter(|deployment| status(deployment).is_alive());
    let newest = alive.max_by_key(|deployment| deployment["created_at"].as_str().map(str::to_owned));
    transfer["deployment_id"] = newest.map_or(Value::Null, |deployment| deployment["id"].clone());
    Ok(call.shown(transfer))
}

fn sync(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::transfer(call, &call.argument("transfer"))?;
    let Sync { shutdown_instances: shutdown, retries, backoff, max_age, timeout } = Sync::of(call.options())?;
    // Something to reuse: a copy that is fresh enough, or one that is running.
    let there = call.decide(|call| {
        let Some(newest) = resolve::newest_execution(call, &id)? else { return Ok(Value::Null) };
        let is_fresh = max_age.is_some_and(|max_age| is_fresh(&newest, call.host.clock.now(), max_age));
        let joins = is_copy(&newest) && (!shutdown || switches_off(&newest));
        Ok(match status(&newest).is_active() {
            _ if is_fresh && !shutdown => json!({ "fresh": newest["id"] }),
            true => json!({ "running": newest["id"], "number": newest["number"], "joins": joins }),
            false => Value::Null,
        })
    })?;
    if let Some(fresh) = there["fresh"].as_str() {
        let execution = call.read(&crate::client::executions::show(call.generation()?, &id, fresh))?;
        // It may no longer be fresh enough.
        if max_age.is_some_and(|max_age| is_fresh(&execution, call.host.clock.now(), max_age)) {
            return Ok(call.shown(present::execution(execution)));
        }
    }
    let transfer = fetch(call, &id)?;
    let guarded = Guarded::new(Copy::of(call.options())?);
    let mut running = there["running"].as_str();
    let execution = attempts(call, retries, backoff, |call| {
        if let Some(active) = running.take() {
            let joins = there["joins"] == true;
            let number = &there["number"];
            let what = if joins { "joining it" } else { "waiting for its end before the copy begins" };
            call.warn(format!("execution #{number} of `{}` is already running: {what}", label(&transfer)));
            let ended = wait_execution(call, (&transfer, &id), (active, None), timeout);
            if joins {
                return ended;
            }
            // The outcome of another's execution is its own affair; a wish to stop is ours.
            if let Err(error) = ended
                && (error.kind.is_final() || matches!(error.kind, Failure::Timeout | Failure::Login))
            {
                return Err(error);
            }
        }
        let fields = Map::from_iter([("shutdown_instances".to_owned(), Value::Bool(shutdown))]);
        let started = executions::start(call, &id, fields, &guarded, COPY_AGAIN)?;
        let execution = resolve::id_in(&started)?.to_owned();
        wait_execution(call, (&transfer, &id), (&execution, Some(started)), timeout)
    })?;
    Ok(call.shown(present::execution(execution)))
}

fn deploy(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let transfer = call.value("transfer").or_else(|| call.options().get("transfer_id")).cloned().unwrap_or_default();
    let id = resolve::transfer(call, &transfer)?;
    let transfer = fetch(call, &id)?;
    let how = DeployUnit::of(call.options())?;
    let wanted = Wanted::of(call)?;
    let fields = deployments::fields(call)?;
    let deployment = attempts(call, how.retries, how.backoff, |call| {
        let running = call.decide(|call| {
            let Some(running) = under_way(call, &id)? else { return Ok(Value::Null) };
            joins(call, &id, &transfer, &wanted, &fields, &running)?;
            Ok(running["id"].clone())
        })?;
        let (deployment, started) = match running.as_str() {
            Some(running) => {
                call.warn(format!("deployment {running} of `{}` is already running: joining it", label(&transfer)));
                (running.to_owned(), None)
            }
            None => {
                // Journals of version 1 hold the guard's verdict here.
                call.decided_before();
                let started = deployments::start(call, &transfer, fields.clone(), &wanted)?;
                (resolve::id_in(&started)?.to_owned(), Some(started))
            }
        };
        let target = Target::deployment(deployment, label(&transfer));
        let target = started.map_or(target.clone(), |started| target.first(started));
        let finished = call.wait(target, deadline(call, how.timeout)?);
        call.host.index.forget();
        finished
    })?;
    Ok(call.shown(present::deployment(deployment)))
}

/// Refuses to join a deployment other than the requested one: somebody else's, of another copy, or with other settings.
fn joins(
    call: &Call<'_>,
    id: &str,
    transfer: &Value,
    wanted: &Wanted,
    fields: &Map<String, Value>,
    running: &Value,
) -> Result<()> {
    let executions = begun::newest(call, id, COPIES)?;
    wanted.guarded.pass(call, to_join(call, transfer, wanted.requires.as_deref(), &executions)?)?;
    let copy = newest_copy(&executions).map_or(Value::Null, |copy| copy["id"].clone());
    if ours::deployment(running, fields, &copy, &executions) == Agrees::No {
        return Err(Error::new(
            Failure::Refused,
            format!("`{}` is being deployed with other settings (deployment {})", label(transfer), shown_id(running)),
        )
        .hint("wait for its end and look at its result; `deploy_again: true` makes a second VM")
        .detail(OVERRIDE, Override::DeployAgain.word()));
    }
    Ok(())
}

fn shown_id(thing: &Value) -> &str {
    thing["id"].as_str().unwrap_or("?")
}

/// A running deployment of the transfer: an earlier run has started it, and this one joins it.
fn under_way(call: &Call<'_>, transfer: &str) -> Result<Option<Value>> {
    let known = lists::deployments_of(call, transfer)?;
    let Some(active) = known.iter().find(|deployment| status(deployment).is_active()) else { return Ok(None) };
    let id = resolve::id_in(active)?;
    let deployment = present::deployment(call.read(&crate::client::deployments::show(call.generation()?, id))?);
    if !status(&deployment).is_active() {
        call.host.index.forget();
        return Ok(None);
    }
    Ok(Some(deployment))
}

/// True if a transfer is between these endpoints and has these VMs.
fn same_transfer(transfer: &Value, fields: &Map<String, Value>) -> bool {
    let names = |value: &Value| {
        let mut names: Vec<String> =
            value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        names.sort();
        names
    };
    let same = |field: &str| fields.get(field).is_some_and(|value| *value == transfer[field]);
    let scenario = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("replica").to_owned();
    same("origin_endpoint_id")
        && same("destination_endpoint_id")
        && names(&transfer["instances"]) == names(&fields["instances"])
        && scenario(transfer.get("scenario")) == scenario(fields.get("scenario"))
}

fn wait_execution(
    call: &Call<'_>,
    (transfer, id): (&Value, &str),
    (execution, started): (&str, Option<Value>),
    timeout: Option<Duration>,
) -> Result<Value> {
    let target = Target::execution(id, execution, label(transfer)).disks(disk_sizes(call, transfer));
    let target = match started {
        Some(started) => target.first(started),
        None => target,
    };
    call.wait(target, deadline(call, timeout)?)
}

fn is_fresh(execution: &Value, now: Timestamp, max_age: Duration) -> bool {
    let ended = execution["updated_at"].as_str().and_then(duration::server_time);
    is_copy(execution)
        && newest_copy(std::slice::from_ref(execution)).is_some_and(|copy| status(copy).succeeded())
        && ended.is_some_and(|ended| now.duration_since(ended).unsigned_abs() <= max_age)
}
