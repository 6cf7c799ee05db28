//! The service's inner notes about an action, shown on request.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::transfers::Copied;
use super::{Action, Cloud, Deployment, Transfer};

impl Cloud {
    pub(in crate::sandbox) fn info(&self, transfer: &Transfer, now: Timestamp) -> Value {
        let ran = transfer.executions.iter().any(|execution| execution.plan.status(now) != "UNEXECUTED");
        let instances = transfer.action.instances.iter().zip(&transfer.copies).map(|(name, copied)| {
            let mut info = Map::new();
            info.insert("volumes_info".into(), self.volumes_info(name, copied));
            if ran {
                info.extend(self.resources(&transfer.action, name));
            }
            (name.clone(), Value::Object(info))
        });
        Value::Object(instances.collect())
    }

    pub(in crate::sandbox) fn deployment_info(&self, deployment: &Deployment) -> Value {
        let action = &deployment.action;
        let instances = action.instances.iter().map(|name| {
            let mut info = self.resources(action, name);
            info.insert("volumes_info".into(), json!([]));
            info.insert("clone_disks".into(), action.clone_disks.into());
            info.insert("user_scripts".into(), action.user_scripts.clone());
            (name.clone(), Value::Object(info))
        });
        Value::Object(instances.collect())
    }

    fn resources(&self, action: &Action, name: &str) -> Map<String, Value> {
        let export = self.machine(name).map(|machine| {
            let mut details = machine.details();
            details["hostname"] = "".into();
            details
        });
        let mut info = Map::new();
        info.insert("source_environment".into(), action.source_environment.clone());
        info.insert("target_environment".into(), action.destination_environment.clone());
        info.insert("export_info".into(), export.unwrap_or(Value::Null));
        for key in ["source_resources", "target_resources"] {
            info.insert(key.into(), Value::Null);
            info.insert(format!("{key}_connection_info"), Value::Null);
        }
        info
    }

    fn volumes_info(&self, name: &str, copied: &Copied) -> Value {
        let Some(machine) = self.machine(name) else { return json!([]) };
        let volumes = machine.disks.iter().zip(&copied.volumes).enumerate().map(|(number, (disk, volume))| {
            json!({
                "disk_id": disk.id,
                "volume_id": volume,
                "size_bytes": disk.size_bytes,
                "volume_dev": format!("/dev/vd{}", char::from(b'b' + number as u8 % 24)),
                "replica_state": copied.whole.then(|| json!({"chunks": 1000})),
            })
        });
        volumes.collect::<Vec<_>>().into()
    }
}
