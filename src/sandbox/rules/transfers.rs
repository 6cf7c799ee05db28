//! Transfers, which a legacy server calls replicas.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::providers::Needs;
use super::scripts::normalised_scripts;
use crate::sandbox::world::scenario::{Role, Setting};
use crate::sandbox::world::{Action, Caller, Cloud, Copied, Refusal, Transfer, empty, notes};

/// A checked request for a transfer or a direct migration.
pub(in crate::sandbox) struct TransferDraft {
    pub action: Action,
}

impl Cloud {
    pub(in crate::sandbox) fn transfers<'cloud>(
        &'cloud self,
        caller: &'cloud Caller,
        deleted: bool,
    ) -> impl Iterator<Item = &'cloud Transfer> {
        self.transfers
            .iter()
            .filter(move |transfer| transfer.action.project == caller.project)
            .filter(move |transfer| deleted || transfer.action.deleted.is_none())
    }

    pub(in crate::sandbox) fn transfer(&self, caller: &Caller, id: &str) -> Result<&Transfer, Refusal> {
        self.transfer_position(caller, id).map(|position| &self.transfers[position])
    }

    pub(super) fn transfer_position(&self, caller: &Caller, id: &str) -> Result<usize, Refusal> {
        self.transfer_by_id
            .get(id)
            .copied()
            .filter(|position| {
                let action = &self.transfers[*position].action;
                action.project == caller.project && action.deleted.is_none()
            })
            .ok_or_else(|| {
                let noun = self.words().transfer;
                Refusal::missing(format!("{noun} with ID '{id}' not found.")).classed("NotFound")
            })
    }

    pub(in crate::sandbox) fn create_transfer(
        &mut self,
        caller: &Caller,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Transfer, Refusal> {
        let noun = self.words().transfer.to_lowercase();
        let mut action = self.draft(caller, body, &noun, now)?.action;
        let instances = action.instances.join("\0");
        let count = self.count("transfer", &instances);
        action.id = self.draw(&["transfer", &instances, &count.to_string()]).uuid();
        let copies = vec![Copied::default(); action.instances.len()];
        self.transfer_by_id.insert(action.id.clone(), self.transfers.len());
        self.transfers.push(Transfer { action, executions: Vec::new(), copies, last_deployment: None });
        Ok(self.transfers.last().expect("it was pushed"))
    }

    /// Checks a body that creates a transfer or a direct migration.
    pub(super) fn draft(
        &self,
        caller: &Caller,
        body: &Map<String, Value>,
        noun: &str,
        now: Timestamp,
    ) -> Result<TransferDraft, Refusal> {
        let required = |key: &str| {
            body.get(key)
                .ok_or_else(|| Refusal::bad(format!("The {noun} creation body lacks a required attribute: \"{key}\"")))
        };
        let origin = required("origin_endpoint_id")?;
        let destination = required("destination_endpoint_id")?;
        let instances = instances(required("instances")?)?;
        let scenario = body.get("scenario").and_then(Value::as_str).unwrap_or("replica");
        if !matches!(scenario, "replica" | "live_migration") {
            return Err(Refusal::input(format!(
                "Unsupported Transfer creation scenario: '{scenario}', must be one of: ['replica', 'live_migration']"
            )));
        }
        let user_scripts = normalised_scripts(body.get("user_scripts"), self.generation)?;
        let network_map = object(body, "network_map", "network_map")?;
        let storage_mappings = object(body, "storage_mappings", "storage_mappings")?;
        storage_checked(&storage_mappings)?;
        let found = |id: &Value| {
            let id = id.as_str().unwrap_or_default();
            self.endpoint(caller, id).map_err(|refusal| Refusal::input(refusal.message))
        };
        let (origin, destination) = (found(origin)?, found(destination)?);
        if body.get("destination_environment").is_some_and(Value::is_null) {
            return Err(Refusal::input("'NoneType' object does not support item assignment"));
        }
        let source_platform = self.platform_for(origin, Role::Source)?;
        for endpoint in [origin, destination] {
            self.capable(endpoint, Needs::Connection).map_err(|refusal| match refusal.status {
                500 => refusal,
                _ => Refusal::input(refusal.message),
            })?;
        }
        let source_environment = object(body, "source_environment", "source environment")?;
        environment_checked(&source_environment, source_platform.environment.as_deref(), "source")?;
        let destination_platform = self.platform_for(destination, Role::Destination)?;
        let mut destination_environment = object(body, "destination_environment", "destination environment")?;
        environment_checked(&destination_environment, destination_platform.environment.as_deref(), "destination")?;
        if origin.connection_info == destination.connection_info {
            return Err(Refusal::bad("Origin and destination cannot be the same"));
        }
        destination_environment["network_map"] = network_map.clone();
        destination_environment["storage_mappings"] = storage_mappings.clone();
        let pool = |key: &str| body.get(key).and_then(Value::as_str).map(String::from);
        let morphing_pools = morphing_pools(body, &instances, self.words().transfer)?;
        let action = Action {
            id: String::new(),
            project: caller.project.clone(),
            user: caller.user.clone(),
            origin: origin.id.clone(),
            destination: destination.id.clone(),
            instances,
            source_environment,
            destination_environment,
            network_map,
            storage_mappings,
            notes: notes(body.get("notes")),
            user_scripts,
            clone_disks: flag(body, "clone_disks", true)?,
            skip_os_morphing: flag(body, "skip_os_morphing", false)?,
            live_migration: scenario == "live_migration",
            origin_pool: pool("origin_minion_pool_id"),
            destination_pool: pool("destination_minion_pool_id"),
            morphing_pools,
            created: now,
            updated: None,
            deleted: None,
        };
        self.pools_exist(caller, &action)?;
        Ok(TransferDraft { action })
    }

    /// Checks an update's body; returns the changes to apply when its execution completes.
    pub(super) fn changes(&self, transfer: &Action, body: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
        let noun = self.words().transfer;
        if body.contains_key("instances") {
            return Err(Refusal::input(format!("The list of instances of a {noun} cannot be updated")));
        }
        if body.contains_key("origin_endpoint_id") || body.contains_key("destination_endpoint_id") {
            return Err(Refusal::input(format!(
                "The source or destination endpoints for a Coriolis {noun} cannot be updated after its creation. If \
                 the credentials of any of the {noun}'s endpoints need updating, please update the endpoints \
                 themselves."
            )));
        }
        let mut changes = body.clone();
        if body.contains_key("user_scripts") {
            changes.insert("user_scripts".into(), normalised_scripts(body.get("user_scripts"), self.generation)?);
        }
        for key in ["network_map", "storage_mappings"] {
            if body.get(key).is_some_and(|value| !value.is_object()) {
                return Err(Refusal::input("cannot convert dictionary update sequence element #0 to a sequence"));
            }
        }
        for (key, role, word, endpoint) in [
            ("source_environment", Role::Source, "source", &transfer.origin),
            ("destination_environment", Role::Destination, "destination", &transfer.destination),
        ] {
            let environment = object(body, key, &format!("{word} environment"))?;
            let endpoint = self.endpoints.iter().find(|candidate| candidate.id == *endpoint);
            let platform = endpoint.and_then(|endpoint| self.platform_for(endpoint, role).ok());
            environment_checked(&environment, platform.and_then(|platform| platform.environment.as_deref()), word)?;
        }
        Ok(changes)
    }

    pub(in crate::sandbox) fn delete_transfer(
        &mut self,
        caller: &Caller,
        id: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let position = self.transfer_position(caller, id).map_err(unclassed)?;
        self.idle(position, now)?;
        self.transfers[position].action.deleted = Some(now);
        Ok(())
    }

    /// # Errors
    /// 400 while an execution of the transfer, or a deployment of it, is running.
    pub(super) fn idle(&self, position: usize, now: Timestamp) -> Result<(), Refusal> {
        let transfer = &self.transfers[position];
        if let Some(execution) = transfer.running(now) {
            return Err(Refusal::bad(format!("Another tasks execution is in progress: ['{}']", execution.id)));
        }
        if self.being_deployed(position, now) {
            let (noun, deployed) = (self.words().transfer, self.words().deployed);
            return Err(Refusal::bad(format!("{noun} '{}' is currently being {deployed}", transfer.action.id)));
        }
        Ok(())
    }
}

/// The pool that prepares the OS of each instance, according to a body.
///
/// # Errors
/// 400 for an instance that does not belong to this transfer.
pub(super) fn morphing_pools(
    body: &Map<String, Value>,
    instances: &[String],
    noun: &str,
) -> Result<BTreeMap<String, String>, Refusal> {
    let mappings = body.get("instance_osmorphing_minion_pool_mappings").and_then(Value::as_object);
    let entries = mappings.into_iter().flatten();
    let pools: BTreeMap<String, String> =
        entries.filter_map(|(name, pool)| Some((name.clone(), pool.as_str()?.to_owned()))).collect();
    let quoted = |names: Vec<&String>| names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let foreign: Vec<&String> = pools.keys().filter(|name| !instances.contains(name)).collect();
    if foreign.is_empty() {
        return Ok(pools);
    }
    Err(Refusal::input(format!(
        "One or more instance OSMorphing pool mappings were provided for instances ([{}]) which are not part of the \
         {noun}'s declared instances ([{}])",
        quoted(foreign),
        quoted(instances.iter().collect()),
    )))
}

pub(super) fn unclassed(refusal: Refusal) -> Refusal {
    Refusal { class: None, ..refusal }
}

fn instances(value: &Value) -> Result<Vec<String>, Refusal> {
    let Value::Array(values) = value else {
        let shown = value.as_str().map_or_else(|| value.to_string(), String::from);
        return Err(Refusal::input(format!("Instances must be a list. Got type {}: {shown}", python_type(value))));
    };
    if values.is_empty() {
        return Err(Refusal::input("No instance identifiers provided for transfer action."));
    }
    let names: Vec<String> = values.iter().map(|name| name.as_str().map_or(name.to_string(), String::from)).collect();
    let repeated = names.iter().find_map(|name| {
        let times = names.iter().filter(|other| *other == name).count();
        (times > 1).then(|| format!("{{'{name}': {times}}}"))
    });
    if let Some(repeated) = repeated {
        let list = names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        return Err(Refusal::input(format!(
            "Transfer action instances ([{list}]) list contained duplicates: {repeated} "
        )));
    }
    Ok(names)
}

fn python_type(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "<class 'str'>",
        Value::Object(_) => "<class 'dict'>",
        Value::Number(_) => "<class 'int'>",
        Value::Bool(_) => "<class 'bool'>",
        Value::Array(_) => "<class 'list'>",
        Value::Null => "<class 'NoneType'>",
    }
}

fn object(body: &Map<String, Value>, key: &str, words: &str) -> Result<Value, Refusal> {
    match body.get(key) {
        None => Ok(empty()),
        Some(value) if value.is_object() => Ok(value.clone()),
        Some(value) => {
            let shown = if value.is_null() { "None".to_owned() } else { value.to_string().replace('"', "'") };
            Err(schema_failed(words, &format!("{shown} is not of type 'object'")))
        }
    }
}

fn schema_failed(words: &str, problem: &str) -> Refusal {
    Refusal::input(format!(
        "Invalid {words}: Schema validation failed: {problem}\n\nFailed validating the schema of the {words}"
    ))
}

fn storage_checked(mappings: &Value) -> Result<(), Refusal> {
    let failed = |problem: &str| Err(schema_failed("storage_mappings", problem));
    let fields = mappings.as_object().into_iter().flatten();
    for (key, value) in fields {
        let entry = match key.as_str() {
            "default" => continue,
            "backend_mappings" => "source",
            "disk_mappings" => "disk_id",
            _ => return failed(&format!("Additional properties are not allowed ('{key}' was unexpected)")),
        };
        let Some(entries) = value.as_array() else {
            return failed(&format!("{value} is not of type 'array'"));
        };
        for required in [entry, "destination"] {
            if entries.iter().any(|mapping| mapping.get(required).is_none()) {
                return failed(&format!("'{required}' is a required property"));
            }
        }
    }
    Ok(())
}

fn environment_checked(environment: &Value, allowed: Option<&[Setting]>, words: &str) -> Result<(), Refusal> {
    let (Some(allowed), Some(fields)) = (allowed, environment.as_object()) else { return Ok(()) };
    for (key, value) in fields {
        let problem = match allowed.iter().find(|setting| setting.name == *key) {
            None => format!("Additional properties are not allowed ('{key}' was unexpected)"),
            Some(setting) if setting.values.is_empty() => continue,
            Some(setting) if setting.values.iter().any(|allowed| value == allowed) => continue,
            Some(setting) => {
                let values: Vec<String> = setting.values.iter().map(|value| format!("'{value}'")).collect();
                format!("{} is not one of [{}]", value.to_string().replace('"', "'"), values.join(", "))
            }
        };
        return Err(schema_failed(&format!("{words} environment"), &problem));
    }
    Ok(())
}

/// # Errors
/// 500 for a value that is not a boolean: the service does not check before it stores.
fn flag(body: &Map<String, Value>, key: &str, default: bool) -> Result<bool, Refusal> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Refusal::internal()),
    }
}
