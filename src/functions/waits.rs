//! Waiting for work that was started.

use std::collections::BTreeMap;
use std::time::Duration;

use rhai::{Array, Dynamic, FnPtr};
use serde_json::Value;

use crate::client::{deployments, instances, present};
use crate::clock::Instant;
use crate::error::{Error, Kind as Failure, Result};
use crate::functions::resolve::{fetch, label};
use crate::functions::{migrations, resolve};
use crate::language::arguments::options;
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::Sends;
use crate::language::spec::{A_REPLICA, Kind, Parameter, Spec};
use crate::language::value::{Secrets, describe, to_json};
use crate::model::Pool;
use crate::runtime::call::Call;
use crate::runtime::function::Function;
use crate::runtime::job::Job;
use crate::runtime::jobs;
use crate::watch::Target;

options! {
    /// The options of a wait.
    WAIT => Wait {
        timeout: Option<Duration> = Kind::Duration, "Give up waiting after this time; the work goes on. Default: never.";
        interval: Option<Duration> = Kind::Duration, "The interval for calling a closure; default \"5s\".";
    }
}

pub const WATCHES_EXECUTION: Sends = Sends::reads("GET /transfers/{transfer}/executions/{execution}")
    .legacy("GET /replicas/{replica}/executions/{execution}")
    .when("until it has ended");
pub const WATCHES_DEPLOYMENT: Sends =
    Sends::reads("GET /deployments/{deployment}").legacy("GET /migrations/{migration}").when("until it has ended");

pub const ROWS: &[Function] = &[Function {
    spec: Spec::drives(
        "wait_for",
        "Wait until something is finished; throw a map with its first failed task if it failed.",
    )
    .parameters(&[
        Parameter::required(
            "what",
            Kind::Any,
            "An execution, a deployment or migration, a replica (its newest execution), a list of them, a minion \
                 pool, a job, or a closure that returns true at the end.",
        ),
        Parameter::optional("options", Kind::Options(&[WAIT]), "How long."),
    ])
    .returns(Returns::value(
        "the finished thing; for a list, the finished things in its order; for a job or a closure, its result",
    ))
    .sends(&[
        WATCHES_EXECUTION,
        WATCHES_DEPLOYMENT,
        Sends::reads("GET /minion_pools/{pool}").when("until it is at rest"),
    ])
    .given(A_REPLICA)
    .example("print(wait_for(replica_execute(r)).status);"),
    body: wait_for,
}];

fn wait_for(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let what = call.argument("what");
    let Wait { timeout, interval } = Wait::of(call.options())?;
    if let Some(closure) = what.clone().try_cast::<FnPtr>() {
        return wait_until(call, &closure, interval, timeout);
    }
    let deadline = deadline(call, timeout)?;
    if let Some(finished) = ended_jobs(call, &what, deadline)? {
        return Ok(finished);
    }
    let list = what.read_lock::<Array>().map(|list| list.clone());
    let things = list.clone().unwrap_or_else(|| vec![what.clone()]);
    let targets = things.iter().map(|thing| target(call, thing)).collect::<Result<Vec<_>>>()?;
    let mut finished = all(call, targets, deadline)?;
    // A migration that consists of two objects on the server continues with the second when the first has ended.
    let mut second = Vec::new();
    for (index, thing) in things.iter().enumerate() {
        if let Some(target) = migrations::second_half(call, thing, deadline)? {
            second.push((index, target));
        }
    }
    let (places, targets): (Vec<usize>, Vec<Target>) = second.into_iter().unzip();
    for (index, ended) in places.into_iter().zip(all(call, targets, deadline)?) {
        finished[index] = ended;
    }
    let mut finished: Vec<Value> = finished.into_iter().map(presented).collect();
    Ok(match list {
        Some(_) => call.shown(finished.into()),
        None => call.shown(finished.pop().unwrap_or_default()),
    })
}

/// The results of jobs, if the wait is for a job or a list of them.
fn ended_jobs(call: &Call<'_>, what: &Dynamic, deadline: Option<Instant>) -> Result<Option<Dynamic>> {
    let ended = |job: Job| {
        job.fetch();
        job.wait(&call.host.clock, &call.host.cancel, deadline)
    };
    let job = |what: &Dynamic| jobs::find(call.host, what).filter(|_| !what.is_int());
    if let Some(job) = job(what) {
        return ended(job).map(Some);
    }
    let list = what.read_lock::<Array>().map(|list| list.clone()).unwrap_or_default();
    let jobs: Option<Vec<Job>> = list.iter().map(job).collect();
    match jobs.filter(|jobs| !jobs.is_empty()) {
        Some(jobs) => Ok(Some(jobs.into_iter().map(ended).collect::<Result<Array>>()?.into())),
        None => Ok(None),
    }
}

fn all(call: &Call<'_>, targets: Vec<Target>, deadline: Option<Instant>) -> Result<Vec<Value>> {
    if targets.is_empty() { Ok(Vec::new()) } else { call.wait_all(targets, deadline) }
}

fn wait_until(
    call: &mut Call<'_>,
    closure: &FnPtr,
    interval: Option<Duration>,
    timeout: Option<Duration>,
) -> Result<Dynamic, Fault> {
    let interval = interval.unwrap_or(Duration::from_secs(5));
    let deadline = deadline(call, timeout)?;
    let (clock, cancel) = (&call.host.clock, &call.host.cancel);
    loop {
        let answer = closure.call_within_context::<Dynamic>(call.context, ())?;
        if !answer.is_unit() && answer.as_bool() != Ok(false) {
            return Ok(answer);
        }
        let next = call.deadline(interval.max(Duration::from_millis(10)))?;
        if let Some(deadline) = deadline.filter(|deadline| *deadline < next) {
            cancel.sleep_until(clock, deadline)?;
            return Err(Error::new(Failure::Timeout, "the condition did not become true in time").into());
        }
        cancel.sleep_until(clock, next)?;
    }
}

/// The target of a wait for a script's value.
fn target(call: &Call<'_>, what: &Dynamic) -> Result<Target> {
    let object = to_json(what, Secrets::Masked)?;
    match &object {
        Value::String(id) if resolve::is_id(id) => from_id(call, id),
        Value::String(name) => {
            let transfer = resolve::transfer_of(call, name)?;
            newest_of(call, &transfer)
        }
        Value::Object(_) => from_object(call, object),
        _ => Err(Error::script(format!("cannot wait for {}", describe(what)))
            .hint("give an execution, a deployment, a migration, a list of them, or a closure")),
    }
}

fn from_object(call: &Call<'_>, object: Value) -> Result<Target> {
    let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
    let (id, kind) = (text("id"), text("type"));
    let transfer = if text("action_id").is_empty() { text("transfer_id") } else { text("action_id") };
    match kind.as_str() {
        _ if id.is_empty() => Err(no_target()),
        _ if Pool::is(&object) => {
            let name = object["name"].as_str().unwrap_or(&id).to_owned();
            Ok(Target::pool(id, name).first(object))
        }
        "transfer" | "replica" => newest_of(call, &object),
        "migration" if migrations::is_two(&object) => {
            let execution = text("execution_id");
            Ok(Target::execution(id, execution, label(&object)).disks(disk_sizes(call, &object)))
        }
        "deployment" | "migration" => {
            let label = label(&object);
            Ok(Target::deployment(id, label).first(object))
        }
        _ if !transfer.is_empty() => {
            let of = fetch(call, &transfer)?;
            Ok(Target::execution(transfer, id, label(&of)).disks(disk_sizes(call, &of)).first(object))
        }
        _ => Err(no_target()),
    }
}

fn no_target() -> Error {
    Error::script("this object map cannot be waited for")
        .hint("give an execution, a deployment or a migration as the functions return them")
}

fn newest_of(call: &Call<'_>, transfer: &Value) -> Result<Target> {
    let id = resolve::id_in(transfer)?;
    let Some(execution) = resolve::newest_execution(call, id)? else {
        return Err(Error::script(format!(
            "the replica of `{}` was never executed: there is nothing to wait for",
            label(transfer)
        )));
    };
    let execution_id = resolve::id_in(&execution)?;
    Ok(Target::execution(id, execution_id, label(transfer)).disks(disk_sizes(call, transfer)).first(execution.clone()))
}

/// A bare id is a deployment's, or a transfer's: an execution cannot be found without its transfer.
fn from_id(call: &Call<'_>, id: &str) -> Result<Target> {
    match call.read(&deployments::show(call.generation()?, id)) {
        Ok(deployment) => Ok(Target::deployment(id, label(&deployment)).first(deployment)),
        Err(error) if error.kind == Failure::NotFound => newest_of(call, &fetch(call, id)?),
        Err(error) => Err(error),
    }
}

fn presented(finished: Value) -> Value {
    if Pool::is(&finished) {
        return finished;
    }
    let is_deployment =
        matches!(finished["type"].as_str(), Some("deployment" | "migration")) && finished.get("number").is_none();
    if is_deployment { present::deployment(finished) } else { present::execution(finished) }
}

/// The sizes of the disks to be copied, so that progress can be weighted by bytes. Missing ones only make it coarser.
pub fn disk_sizes(call: &Call<'_>, transfer: &Value) -> BTreeMap<String, Vec<u64>> {
    let Some(endpoint) = transfer["origin_endpoint_id"].as_str() else { return BTreeMap::new() };
    let environment = transfer
        .get("source_environment")
        .filter(|environment| environment.as_object().is_some_and(|map| !map.is_empty()));
    let names = transfer["instances"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names
        .filter_map(|name| {
            let sizes = call.host.disk_sizes(endpoint, name, || {
                let instance = call.read(&instances::show(endpoint, name, environment)).ok()?;
                let disks = instance["devices"]["disks"].as_array()?;
                Some(disks.iter().filter_map(|disk| disk["size_bytes"].as_u64()).collect())
            })?;
            Some((name.to_owned(), sizes))
        })
        .collect()
}

/// The moment at which a wait is given up.
pub fn deadline(call: &Call<'_>, timeout: Option<Duration>) -> Result<Option<Instant>> {
    timeout.map(|timeout| call.deadline(timeout)).transpose()
}
