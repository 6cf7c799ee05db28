//! The state on the wire, in the words of either generation.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::world::{
    Action, Cloud, Deployed, Deployment, Endpoint, Execution, ExecutionKind, Note, Plan, Seen, Transfer, draw, stamp,
};
use crate::model::{Generation, Status, TaskStatus};

/// The context of every rendering.
#[derive(Clone, Copy)]
pub(super) struct Look<'cloud> {
    pub cloud: &'cloud Cloud,
    pub now: Timestamp,
    /// True if `info` (and in lists the executions) is asked for; a legacy server ignores it.
    pub info: bool,
}

/// A naive time in UTC with whole seconds.
struct Stamp(Option<Timestamp>);

pub(super) struct EndpointView<'cloud>(pub &'cloud Endpoint);

pub(super) struct TransferView<'cloud> {
    pub look: Look<'cloud>,
    pub transfer: &'cloud Transfer,
    /// True if its executions are listed inside.
    pub executions: bool,
}

pub(super) struct DeploymentView<'cloud> {
    pub look: Look<'cloud>,
    pub deployment: &'cloud Deployment,
    /// True if shown alone: with its tasks in place of `executions`.
    pub shown: bool,
}

pub(super) struct ExecutionView<'cloud> {
    pub look: Look<'cloud>,
    pub transfer: &'cloud str,
    pub execution: &'cloud Execution,
}

struct Tasks<'cloud> {
    look: Look<'cloud>,
    plan: &'cloud Plan,
    direct: bool,
}

struct TaskView<'cloud> {
    tasks: &'cloud Tasks<'cloud>,
    seen: Seen<'cloud>,
}

struct Updates<'cloud>(&'cloud TaskView<'cloud>);

struct UpdateView<'cloud> {
    task: &'cloud TaskView<'cloud>,
    index: usize,
    at: Timestamp,
    note: &'cloud Note,
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_none(),
            Some(time) => serializer.collect_str(&stamp(time)),
        }
    }
}

/// The fields of every record of the service.
pub(super) fn record(id: &str, created: Timestamp, updated: Option<Timestamp>) -> Map<String, Value> {
    let fields: [(&str, Value); 5] = [
        ("created_at", stamp(created).into()),
        ("updated_at", updated.map(stamp).into()),
        ("deleted_at", Value::Null),
        ("deleted", "0".into()),
        ("id", id.into()),
    ];
    fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

impl Look<'_> {
    fn current(&self) -> bool {
        self.cloud.generation == Generation::Current
    }

    fn word(&self, current: &'static str, legacy: &'static str) -> &'static str {
        if self.current() { current } else { legacy }
    }

    fn times<M: SerializeMap>(
        &self,
        map: &mut M,
        created: Timestamp,
        updated: Option<Timestamp>,
        deleted: Option<Timestamp>,
    ) -> Result<(), M::Error> {
        map.serialize_entry("created_at", &Stamp(Some(created)))?;
        map.serialize_entry("updated_at", &Stamp(updated))?;
        map.serialize_entry("deleted_at", &Stamp(deleted))?;
        // A random id when deleted; on the real server it is not even its own.
        let mark = deleted.map_or("0".into(), |time| draw(0, &["deleted", &stamp(time)]).uuid());
        map.serialize_entry("deleted", &mark)
    }
}

impl Serialize for EndpointView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let endpoint = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("created_at", &Stamp(Some(endpoint.created)))?;
        map.serialize_entry("updated_at", &Stamp(endpoint.updated))?;
        map.serialize_entry("deleted_at", &Stamp(None))?;
        map.serialize_entry("deleted", "0")?;
        map.serialize_entry("id", &endpoint.id)?;
        map.serialize_entry("user_id", &endpoint.user)?;
        map.serialize_entry("project_id", &endpoint.project)?;
        map.serialize_entry("connection_info", &endpoint.connection_info)?;
        map.serialize_entry("type", &endpoint.platform)?;
        map.serialize_entry("name", &endpoint.name)?;
        map.serialize_entry("description", &endpoint.description)?;
        map.serialize_entry("mapped_regions", &endpoint.mapped_regions)?;
        map.end()
    }
}

/// The fields of an action up to the timestamps, and those after them; `id` and the rest are the caller's.
fn action<M: SerializeMap>(
    map: &mut M,
    look: &Look<'_>,
    action: &Action,
    kind: &str,
    (status, updated): (Status<'_>, Option<Timestamp>),
    result: Option<&Value>,
) -> Result<(), M::Error> {
    map.serialize_entry("base_id", &action.id)?;
    map.serialize_entry("user_id", &action.user)?;
    map.serialize_entry("project_id", &action.project)?;
    map.serialize_entry("destination_environment", &action.destination_environment)?;
    map.serialize_entry("type", kind)?;
    map.serialize_entry("instances", &action.instances)?;
    map.serialize_entry("reservation_id", &())?;
    map.serialize_entry("notes", &action.notes)?;
    map.serialize_entry("origin_endpoint_id", &action.origin)?;
    map.serialize_entry("destination_endpoint_id", &action.destination)?;
    map.serialize_entry("transfer_result", &result)?;
    map.serialize_entry("network_map", &action.network_map)?;
    map.serialize_entry("storage_mappings", &action.storage_mappings)?;
    map.serialize_entry("source_environment", &action.source_environment)?;
    map.serialize_entry("last_execution_status", &status)?;
    look.times(map, action.created, updated, action.deleted)?;
    map.serialize_entry("origin_minion_pool_id", &action.origin_pool)?;
    map.serialize_entry("destination_minion_pool_id", &action.destination_pool)?;
    map.serialize_entry("instance_osmorphing_minion_pool_mappings", &action.morphing_pools)?;
    map.serialize_entry("user_scripts", &action.user_scripts)?;
    if look.current() {
        map.serialize_entry("clone_disks", &action.clone_disks)?;
        map.serialize_entry("skip_os_morphing", &action.skip_os_morphing)?;
        map.serialize_entry("clustered", &(action.instances.len() > 1))?;
    }
    map.serialize_entry("id", &action.id)
}

impl Serialize for TransferView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (look, transfer) = (&self.look, self.transfer);
        let mut map = serializer.serialize_map(None)?;
        let kind = look.word("transfer", "replica");
        let state = (transfer.status(look.now), transfer.updated(look.now));
        action(&mut map, look, &transfer.action, kind, state, None)?;
        let executions: Vec<ExecutionView<'_>> = match self.executions {
            true => transfer
                .live_executions()
                .map(|execution| ExecutionView { look: *look, transfer: &transfer.action.id, execution })
                .collect(),
            false => Vec::new(),
        };
        map.serialize_entry("executions", &executions)?;
        if look.current() {
            if look.info {
                map.serialize_entry("info", &look.cloud.info(transfer, look.now))?;
            }
            let scenario = if transfer.action.live_migration { "live_migration" } else { "replica" };
            map.serialize_entry("scenario", scenario)?;
        }
        map.end()
    }
}

impl Serialize for DeploymentView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (look, deployment) = (&self.look, self.deployment);
        let mut map = serializer.serialize_map(None)?;
        let kind = look.word("deployment", "migration");
        let result = deployment.result.as_ref();
        let state = (deployment.status(look.now), deployment.action.updated);
        action(&mut map, look, &deployment.action, kind, state, result)?;
        let transfer = match &deployment.deployed {
            Deployed::Transfer { id, .. } => Some(id),
            Deployed::Direct(_) => None,
        };
        map.serialize_entry(look.word("transfer_id", "replica_id"), &transfer)?;
        if look.current() {
            let scenario = if deployment.action.live_migration { "live_migration" } else { "replica" };
            map.serialize_entry("transfer_scenario_type", scenario)?;
            map.serialize_entry("deployer_id", &deployment.deployer)?;
            map.serialize_entry("trust_id", &deployment.trust)?;
            if look.info {
                map.serialize_entry("info", &look.cloud.deployment_info(deployment))?;
            }
        } else {
            // A deployment of a replica shows the defaults.
            let (count, shutdown) = match deployment.deployed {
                Deployed::Direct(direct) => (direct.replication_count, direct.shutdown_instances),
                Deployed::Transfer { .. } => (2, false),
            };
            map.serialize_entry("shutdown_instances", &shutdown)?;
            map.serialize_entry("replication_count", &count)?;
        }
        match &deployment.plan {
            Some(plan) if self.shown || look.info => {
                let direct = matches!(deployment.deployed, Deployed::Direct(_));
                map.serialize_entry("tasks", &Tasks { look: *look, plan, direct })?;
            }
            _ => map.serialize_entry("executions", &json!([]))?,
        }
        map.end()
    }
}

impl Serialize for ExecutionView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (look, execution) = (&self.look, self.execution);
        let kind = match execution.kind {
            ExecutionKind::Transfer => look.word("transfer_execution", "replica_execution"),
            ExecutionKind::Update => look.word("transfer_update", "replica_update"),
            ExecutionKind::DisksDelete => look.word("transfer_disks_delete", "replica_disks_delete"),
        };
        let plan = &execution.plan;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &execution.id)?;
        map.serialize_entry("action_id", self.transfer)?;
        map.serialize_entry("tasks", &Tasks { look: *look, plan, direct: false })?;
        map.serialize_entry("status", &plan.status(look.now))?;
        map.serialize_entry("number", &execution.number)?;
        map.serialize_entry("type", kind)?;
        look.times(&mut map, plan.created, plan.updated(look.now), execution.deleted)?;
        map.end()
    }
}

impl Serialize for Tasks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.plan.seen(self.look.now).map(|seen| TaskView { tasks: self, seen }))
    }
}

impl Serialize for TaskView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (tasks, seen, task) = (self.tasks, &self.seen, self.seen.task);
        let parents: Vec<&str> = task.spec.parents.iter().map(|at| tasks.plan.tasks[*at].id.as_str()).collect();
        let handed_out = !matches!(seen.status, TaskStatus::Scheduled | TaskStatus::Pending | TaskStatus::Unscheduled);
        let kind = match tasks.look.current() {
            true => Cow::Borrowed(task.spec.kind),
            false => legacy_kind(task.spec.kind, tasks.direct),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &task.id)?;
        map.serialize_entry("execution_id", &tasks.plan.id)?;
        map.serialize_entry("instance", &task.spec.instance)?;
        map.serialize_entry("host", &handed_out.then(|| tasks.look.cloud.host()))?;
        map.serialize_entry("process_id", &seen.began.map(|_| task.process_id))?;
        map.serialize_entry("status", &seen.status)?;
        map.serialize_entry("task_type", &kind)?;
        map.serialize_entry("exception_details", &seen.details)?;
        map.serialize_entry("depends_on", &(!parents.is_empty()).then_some(parents))?;
        map.serialize_entry("index", &task.index)?;
        map.serialize_entry("on_error", &task.spec.on_error)?;
        map.serialize_entry("events", &json!([]))?;
        map.serialize_entry("progress_updates", &Updates(self))?;
        tasks.look.times(&mut map, tasks.plan.created, seen.updated, None)?;
        map.end()
    }
}

impl Serialize for Updates<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let updates = self.0.seen.notes().enumerate();
        serializer.collect_seq(updates.map(|(index, (at, note))| UpdateView { task: self.0, index, at, note }))
    }
}

impl Serialize for UpdateView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (task, note) = (self.task, self.note);
        let look = task.tasks.look;
        let (percent, written) = match note.bar {
            Some(_) => task.seen.percent(note),
            None => (0, None),
        };
        let (total, text) = match &note.bar {
            None => (0, Cow::Borrowed(note.text.as_str())),
            Some(_) if look.current() => (1000, Cow::Borrowed(note.text.as_str())),
            Some(bar) => {
                let text = format!("Replicating changes for disk \"{}\" ({} MB)", bar.disk, bar.megabytes);
                (bar.megabytes as i64, Cow::Owned(text))
            }
        };
        let id = draw(0, &["progress", &task.seen.task.id, &self.index.to_string()]).uuid();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &id)?;
        map.serialize_entry("task_id", &task.seen.task.id)?;
        map.serialize_entry("index", &self.index)?;
        map.serialize_entry("current_step", &(total * percent / 100))?;
        map.serialize_entry("total_steps", &total)?;
        map.serialize_entry("message", &text)?;
        look.times(&mut map, self.at, written, None)?;
        map.end()
    }
}

/// The type of a task in the words of the legacy generation. Only that one has direct migrations.
fn legacy_kind(kind: &'static str, direct: bool) -> Cow<'static, str> {
    if direct {
        return kind.into();
    }
    match kind {
        "VALIDATE_DEPLOYMENT_INPUTS" => "VALIDATE_REPLICA_DEPLOYMENT_INPUTS".into(),
        "DEPLOY_INSTANCE_RESOURCES" => "DEPLOY_REPLICA_INSTANCE_RESOURCES".into(),
        "FINALIZE_INSTANCE_DEPLOYMENT" => "FINALIZE_REPLICA_INSTANCE_DEPLOYMENT".into(),
        "CLEANUP_FAILED_INSTANCE_DEPLOYMENT" => "CLEANUP_FAILED_REPLICA_INSTANCE_DEPLOYMENT".into(),
        other if other.contains("_TRANSFER") => other.replace("_TRANSFER", "_REPLICA").into(),
        other => other.into(),
    }
}
