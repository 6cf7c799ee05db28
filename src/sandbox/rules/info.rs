//! The service's inner notes about an action, shown on request.

use crate::model::Status;
use crate::sandbox::world::{Action, Cloud, Copied, Deployment, Execution, ExecutionKind, Transfer, empty};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

impl Cloud {
    pub(in crate::sandbox) fn info(&self, transfer: &Transfer, now: Timestamp) -> Value {
        let ran = transfer.executions.iter().any(|execution| execution.plan.status(now) != Status::Unexecuted);
        let instances = transfer.action.instances.iter().zip(&transfer.copies).map(|(name, copied)| {
            let mut info = Map::new();
            info.insert("volumes_info".into(), self.volumes_info(name, copied));
            if ran {
                info.extend(environments(&transfer.action));
            }
            let updated = |execution: &Execution| {
                execution.kind == ExecutionKind::Update && execution.plan.status(now) == Status::Completed
            };
            if transfer.executions.iter().any(updated) {
                info.extend(properties(&transfer.action));
            }
            let completed =
                |kind| transfer.executions.iter().any(|execution| execution.plan.completed(name, kind, now));
            if completed("GET_INSTANCE_INFO") {
                info.insert("export_info".into(), self.exported(name));
            }
            if completed("DEPLOY_TRANSFER_TARGET_RESOURCES") {
                info.extend(resources());
            }
            (name.clone(), Value::Object(info))
        });
        Value::Object(instances.collect())
    }

    pub(in crate::sandbox) fn deployment_info(&self, deployment: &Deployment) -> Value {
        let action = &deployment.action;
        let instances = action.instances.iter().map(|name| {
            let mut info: Map<String, Value> = environments(action).chain(resources()).collect();
            info.insert("export_info".into(), self.exported(name));
            info.insert("volumes_info".into(), json!([]));
            info.insert("clone_disks".into(), action.clone_disks.into());
            let scripts = |part: &str| action.user_scripts.get(part).cloned().unwrap_or_else(empty);
            info.insert("user_scripts".into(), json!({"global": scripts("global"), "instances": scripts("instances")}));
            if let Some(result) = deployment.result.as_ref().and_then(|result| result.get(name)) {
                let os_type = &result["os_type"];
                let vm = format!("dst-{name}");
                info.insert(
                    "instance_deployment_info".into(),
                    json!({"vm": vm, "os_type": os_type, "selected_flavor": "m1.small"}),
                );
                info.insert("os_morphing_resources".into(), Value::Null);
                info.insert("osmorphing_connection_info".into(), Value::Null);
                info.insert("osmorphing_info".into(), json!({"os_type": os_type}));
                info.insert("transfer_result".into(), result.clone());
            }
            (name.clone(), Value::Object(info))
        });
        Value::Object(instances.collect())
    }

    fn exported(&self, name: &str) -> Value {
        let Some(machine) = self.machine(name) else { return Value::Null };
        let mut details = machine.details();
        details["hostname"] = "".into();
        details
    }

    fn volumes_info(&self, name: &str, copied: &Copied) -> Value {
        let Some(machine) = self.machine(name) else { return json!([]) };
        let volumes = machine.disks.iter().zip(&copied.volumes).enumerate().map(|(number, (disk, volume))| {
            let mut info = json!({
                "disk_id": disk.id,
                "volume_id": volume.id,
                "size_bytes": disk.size_bytes,
                "volume_dev": format!("/dev/vd{}", char::from(b'b' + number as u8 % 24)),
            });
            // Present once a copy has completed.
            if copied.whole {
                info["replica_state"] = json!({"chunks": 1000, "run": 1});
            }
            info
        });
        volumes.collect::<Vec<_>>().into()
    }
}

fn environments(action: &Action) -> impl Iterator<Item = (String, Value)> {
    let environments = [
        ("source_environment", action.source_environment.clone()),
        ("target_environment", action.destination_environment.clone()),
    ];
    environments.into_iter().map(|(key, value)| (key.into(), value))
}

/// The properties that an update has looked at.
fn properties(action: &Action) -> impl Iterator<Item = (String, Value)> {
    let properties = [
        ("network_map", action.network_map.clone()),
        ("storage_mappings", action.storage_mappings.clone()),
        ("user_scripts", action.user_scripts.clone()),
        ("notes", json!(action.notes)),
        ("clone_disks", action.clone_disks.into()),
        ("skip_os_morphing", action.skip_os_morphing.into()),
    ];
    properties.into_iter().map(|(key, value)| (key.into(), value))
}

/// Workers that no longer exist.
fn resources() -> impl Iterator<Item = (String, Value)> {
    let keys = ["source_resources", "target_resources"];
    keys.into_iter().flat_map(|key| [(key.into(), Value::Null), (format!("{key}_connection_info"), Value::Null)])
}
