//! Direct migrations: copying and deploying in one. Legacy servers have them; on a current server they are a
//! live-migration transfer whose execution deploys by itself, presented as one object.

use std::time::Duration;

use rhai::Dynamic;
use serde_json::{Map, Value, json};

use crate::client::{Filters, deployments, executions as requests, migrations, present, transfers};
use crate::clock::Instant;
use crate::error::{Error, Kind as Failure, Result};
use crate::functions::executions;
use crate::functions::executions::EXECUTES;
use crate::functions::guarded::{Guarded, MIGRATE_AGAIN, to_migrate};
use crate::functions::guards::{Effects, status};
use crate::functions::overrides::{MIGRATE as OVERRIDES, Migrate};
use crate::functions::resolve;
use crate::functions::resolve::{fetch, label};
use crate::functions::sources;
use crate::functions::transfers::{ENDS, MAKE, SETTINGS, fields, make};
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{Key, Kind, Noun, Parameter, Spec};
use crate::language::value::{Secrets, to_json};
use crate::model::{Generation, Status};
use crate::runtime::call::Call;
use crate::runtime::function::Function;
use crate::runtime::settle;
use crate::watch::Target;

const MIGRATE: &[Key] = &[
    Key::new(
        "replication_count",
        Kind::Integer,
        "The number of copies of the disks, 1 to 10 (legacy servers only); default 2.",
    ),
    Key::new("shutdown_instances", Kind::Flag, "Switch the source off before the last copy; default false.")
        .aliases(&["shutdown_instance", "shutdown"]),
];

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::changes("migration_create", "Start copying and deploying in one, without waiting.")
            .noun_verb()
            .parameters(&[Parameter::required("options", Kind::Options(&[ENDS, SETTINGS, MIGRATE, OVERRIDES]), "What to migrate.")])
            .returns(Returns::begun(Noun::Migration).with(", for `wait_for`, `migration_show`, `migration_cancel` and `migration_delete`"))
            .sends(&[
            MAKE.only(Generation::Current),
            EXECUTES.only(Generation::Current),
            Sends::changes("POST /migrations", Again::Marked("notes")).only(Generation::Legacy),
        ])
            .example("let m = migration_create(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });\nprint(wait_for(m).status);"),
        body: create,
    },
];

/// The time after its execution that the server may take to begin the deployment: it checks every 10 s.
const DEPLOYING: Duration = Duration::from_secs(60);
/// The interval for checking whether it has.
const INTERVAL: Duration = Duration::from_secs(5);

fn create(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let mut fields = fields(call)?;
    let shutdown = call.options().flag("shutdown_instances").unwrap_or(false);
    let effects = Effects { switches_off: shutdown, deploys: true };
    let guarded = Guarded::new(Migrate::of(call.options())?);
    let machines = json!({ "origin_endpoint_id": fields["origin_endpoint_id"], "instances": fields["instances"] });
    let guard = |call: &Call<'_>| {
        guarded.pass(call, to_migrate(call, &machines, effects)?)?;
        Ok(Value::Null)
    };
    if call.generation()? == Generation::Legacy {
        fields.extend(call.options().body(&["replication_count", "shutdown_instances"])?);
        let list = deployments::list(Generation::Legacy, &Filters::default());
        let build = |fields| migrations::create(Generation::Legacy, fields);
        guarded.ask_ahead(call, &build(fields.clone())?, &guard)?;
        let migration = settle::make(call, "notes", fields, &guard, build, |call| call.read_list(&list))?;
        let of = resolve::id_in(&migration)?;
        sources::going_off(call, of, &migration);
        return Ok(call.shown(present::deployment(migration)));
    }
    if call.options().has("replication_count") {
        return Err(Error::script("a current server copies once: it has no `replication_count`")
            .hint("leave it out, or copy any number of times with `replica_sync` before `replica_deploy`")
            .detail("key", "replication_count")
            .into());
    }
    fields.insert("scenario".to_owned(), "live_migration".into());
    guarded.ask_ahead(call, &transfers::create(Generation::Current, fields.clone())?, &guard)?;
    let transfer = make(call, fields, &guard)?;
    let id = resolve::id_in(&transfer)?.to_owned();
    let how = json!({ "shutdown_instances": shutdown, "auto_deploy": true });
    let execution =
        executions::start(call, &id, how.as_object().cloned().unwrap_or_default(), &guarded, MIGRATE_AGAIN)?;
    Ok(call.shown(joined(transfer, &execution, None)))
}

/// True if an object is a migration that is a transfer and a deployment on the server.
pub fn is_two(object: &Value) -> bool {
    object["type"] == "migration" && object["execution_id"].as_str().is_some_and(|id| !id.is_empty())
}

/// The migration behind the id of a live-migration transfer.
///
/// # Errors
/// `otherwise` if the id does not belong to one.
pub fn show(call: &Call<'_>, id: &str, otherwise: Error) -> Result<Value> {
    let (transfer, execution, deployment) = halves(call, id, otherwise)?;
    Ok(joined(transfer, &execution, deployment.as_ref()))
}

/// Cancels the half of a migration that is running.
///
/// # Errors
/// `otherwise` if the id does not belong to one, or nothing is running.
pub fn cancel(call: &Call<'_>, id: &str, force: bool, otherwise: Error) -> Result<()> {
    let (_, execution, deployment) = halves(call, id, otherwise.clone())?;
    let generation = call.generation()?;
    if status(&execution).is_active() {
        settle::repeat(call, &requests::cancel(generation, id, resolve::id_in(&execution)?, force), is_over)?;
        return Ok(());
    }
    match deployment.filter(|deployment| status(deployment).is_active()) {
        // Before it has begun it cannot be cancelled; deleting it calls it off.
        Some(deployment) if status(&deployment) == Status::Pending => {
            settle::remove(call, &deployments::delete(generation, resolve::id_in(&deployment)?))?;
            Ok(())
        }
        Some(deployment) => {
            settle::repeat(call, &deployments::cancel(generation, resolve::id_in(&deployment)?, force), is_over)?;
            Ok(())
        }
        None => Err(otherwise),
    }
}

/// Deletes both halves of a migration: first the transfer, which the server refuses while either is running.
///
/// # Errors
/// `otherwise` if the id does not belong to one; those of the server.
pub fn delete(call: &mut Call<'_>, id: &str, otherwise: Error) -> Result<()> {
    let (_, _, deployment) = halves(call, id, otherwise)?;
    let generation = call.generation()?;
    settle::remove(call, &transfers::delete(generation, id))?;
    if let Some(deployment) = deployment {
        settle::remove(call, &deployments::delete(generation, resolve::id_in(&deployment)?))?;
    }
    Ok(())
}

/// True if it is being cancelled: the refusal of a second request is just as good.
fn is_over(refusal: &Error) -> bool {
    refusal.status() == Some(400)
}

fn halves(call: &Call<'_>, id: &str, otherwise: Error) -> Result<(Value, Value, Option<Value>)> {
    if otherwise.kind != Failure::NotFound || call.generation()? == Generation::Legacy {
        return Err(otherwise);
    }
    let transfer = fetch(call, id).map_err(|_| otherwise.clone())?;
    let execution =
        resolve::newest_execution(call, id)?.filter(|_| transfer["scenario"] == "live_migration").ok_or(otherwise)?;
    let deployment = deployment_of(call, resolve::id_in(&execution)?)?;
    Ok((transfer, execution, deployment))
}

/// The deployment that an execution starts when it has completed; the list has no filter for it.
fn deployment_of(call: &Call<'_>, execution: &str) -> Result<Option<Value>> {
    let generation = call.generation()?;
    let filters = Filters::newest(100);
    let listed = filters.apply(call.read_list(&deployments::list(generation, &filters))?);
    let Some(found) = listed.into_iter().find(|deployment| deployment["deployer_id"] == execution) else {
        return Ok(None);
    };
    let id = resolve::id_in(&found)?;
    Ok(Some(present::deployment(call.read(&deployments::show(generation, id))?)))
}

/// Both halves as one object, in the form of a legacy migration.
fn joined(mut transfer: Value, execution: &Value, deployment: Option<&Value>) -> Value {
    let tasks = |half: Option<&Value>| half.and_then(|half| half["tasks"].as_array()).cloned().unwrap_or_default();
    // The end of the copy is not the end, unless it failed: then the deployment will not begin.
    let status = match deployment.filter(|_| !status(execution).is_final() || status(execution).succeeded()) {
        Some(deployment) if self::status(deployment) == Status::Pending => Status::Running,
        Some(deployment) => self::status(deployment),
        None if status(execution).succeeded() => Status::Running,
        None => self::status(execution),
    };
    let status = json!(status);
    let all: Vec<Value> = tasks(Some(execution)).into_iter().chain(tasks(deployment)).collect();
    if let Some(fields) = transfer.as_object_mut() {
        fields.extend(Map::from_iter([
            ("type".to_owned(), json!("migration")),
            ("status".to_owned(), status.clone()),
            ("last_execution_status".to_owned(), status),
            ("transfer_id".to_owned(), fields["id"].clone()),
            ("replica_id".to_owned(), fields["id"].clone()),
            ("execution_id".to_owned(), execution["id"].clone()),
            ("deployment_id".to_owned(), deployment.map_or(Value::Null, |deployment| deployment["id"].clone())),
            ("tasks".to_owned(), all.into()),
        ]));
    }
    transfer
}

/// The remaining wait when the copy of a migration has ended: for its deployment.
///
/// # Errors
/// `Failed` when the server does not begin one; `Timeout`, `Interrupted`.
pub fn second_half(call: &Call<'_>, thing: &Dynamic, deadline: Option<Instant>) -> Result<Option<Target>> {
    let object = to_json(thing, Secrets::Masked)?;
    let Some(execution) = object["execution_id"].as_str().filter(|_| is_two(&object)) else { return Ok(None) };
    let latest = call.host.clock.instant() + DEPLOYING;
    let until = deadline.map_or(latest, |deadline| deadline.min(latest));
    match call.until(INTERVAL, Some(until), || deployment_of(call, execution))? {
        Some(deployment) => {
            let id = resolve::id_in(&deployment)?.to_owned();
            Ok(Some(Target::deployment(id, label(&object)).first(deployment)))
        }
        None if until < latest => {
            Err(Error::new(Failure::Timeout, format!("`{}` was not deployed in time", label(&object))))
        }
        None => Err(Error::new(
            Failure::Failed,
            format!("`{}` was copied, and the server did not deploy it", label(&object)),
        )
        .hint("deploy it with `replica_deploy`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_answer_as_one_migration() {
        let transfer = json!({"id": "T", "instances": ["vm"], "type": "transfer", "status": "COMPLETED"});
        let execution = |status: &str| json!({"id": "E", "status": status, "tasks": [{"id": 1}]});
        let deployment = |status: &str| json!({"id": "D", "status": status, "tasks": [{"id": 2}]});
        let word = |execution: &Value, deployment: Option<&Value>| {
            joined(transfer.clone(), execution, deployment)["status"].clone()
        };
        assert_eq!(word(&execution("RUNNING"), None), "RUNNING");
        assert_eq!(word(&execution("ERROR"), None), "ERROR");
        assert_eq!(word(&execution("COMPLETED"), None), "RUNNING");
        assert_eq!(word(&execution("COMPLETED"), Some(&deployment("PENDING"))), "RUNNING");
        assert_eq!(word(&execution("COMPLETED"), Some(&deployment("ERROR"))), "ERROR");
        assert_eq!(word(&execution("CANCELED"), Some(&deployment("PENDING"))), "CANCELED");
        let both = joined(transfer.clone(), &execution("COMPLETED"), Some(&deployment("COMPLETED")));
        assert!(is_two(&both));
        assert_eq!((both["tasks"].as_array().map(Vec::len), &both["id"]), (Some(2), &json!("T")));
    }
}
