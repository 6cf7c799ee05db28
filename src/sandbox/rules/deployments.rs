//! Deployments of transfers; a legacy server calls them migrations and has direct ones as well.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::executions::planned;
use super::pools::{Taken, morphing_wishes};
use super::scripts::normalised_scripts;
use super::transfers::{morphing_pools, unclassed};
use crate::model::{Generation, Status};
use crate::sandbox::world::{
    Action, Booted, Caller, Cloud, Copied, Deployed, Deployment, Direct, Graph, Held, Morphing, Refusal, Running,
    new_volumes,
};

impl Cloud {
    pub(in crate::sandbox) fn deployments<'cloud>(
        &'cloud self,
        caller: &'cloud Caller,
        deleted: bool,
    ) -> impl Iterator<Item = &'cloud Deployment> {
        self.deployments
            .iter()
            .filter(move |deployment| deployment.action.project == caller.project)
            .filter(move |deployment| deleted || deployment.action.deleted.is_none())
    }

    pub(in crate::sandbox) fn deployment(&self, caller: &Caller, id: &str) -> Result<&Deployment, Refusal> {
        self.deployment_position(caller, id).map(|position| &self.deployments[position])
    }

    fn deployment_position(&self, caller: &Caller, id: &str) -> Result<usize, Refusal> {
        self.deployment_by_id
            .get(id)
            .copied()
            .filter(|position| {
                let action = &self.deployments[*position].action;
                action.project == caller.project && action.deleted.is_none()
            })
            .ok_or_else(|| {
                let noun = self.words().deployment;
                Refusal::missing(format!("{noun} with ID '{id}' not found.")).classed("NotFound")
            })
    }

    /// True if a deployment of this transfer is running. The newest are checked first: there is at most one.
    pub(super) fn being_deployed(&self, transfer: usize, now: Timestamp) -> bool {
        let last = self.transfers[transfer].last_deployment;
        last.is_some_and(|deployment| self.deployments[deployment].is_active(now))
    }

    /// Deploys a transfer.
    pub(in crate::sandbox) fn deploy(
        &mut self,
        caller: &Caller,
        transfer: &str,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Deployment, Refusal> {
        let scripts = normalised_scripts(body.get("user_scripts"), self.generation)?;
        let position = self.transfer_position(caller, transfer)?;
        let force = body.get("force").and_then(Value::as_bool).unwrap_or(false);
        self.idle(position, now)?;
        self.deployable(position, force, now)?;
        let action = &self.transfers[position].action;
        // A missing field means the default; null means the transfer's own setting.
        let flag = |key: &str, default: bool, own: bool| match body.get(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => own,
        };
        let clone_disks = flag("clone_disks", true, action.clone_disks);
        let skip_os_morphing = flag("skip_os_morphing", false, action.skip_os_morphing);
        let scripts =
            if scripts.as_object().is_some_and(Map::is_empty) { action.user_scripts.clone() } else { scripts };
        let instances = action.instances.clone();
        let own = morphing_pools(body, &instances, self.words().transfer)?;
        let pools = if own.is_empty() { action.morphing_pools.clone() } else { own };
        let pools = if skip_os_morphing { BTreeMap::new() } else { pools };
        let named =
            Action { morphing_pools: pools.clone(), origin_pool: None, destination_pool: None, ..action.clone() };
        self.pools_exist(caller, &named)?;
        self.pools_allocated(&morphing_wishes(&named), &named.id, now)?;
        let deployment = self.add_deployment(position, clone_disks, skip_os_morphing, Some(scripts), now);
        let added = &mut self.deployments[deployment];
        added.action.morphing_pools = pools;
        added.action.user.clone_from(&caller.user);
        let action = added.action.clone();
        if !caller.delegates {
            self.deployments[deployment].unplanned = Status::Unexecuted;
            return Err(Refusal::internal());
        }
        let taken = self.take_for_morphing(&action, now)?;
        self.start_deployment(deployment, taken, now);
        Ok(&self.deployments[deployment])
    }

    /// # Errors
    /// 400 for a transfer that never completed (`force` lifts that) or has no volumes. Only a legacy server asks first if
    /// it was ever executed.
    fn deployable(&self, position: usize, force: bool, now: Timestamp) -> Result<(), Refusal> {
        let words = self.words();
        let noun = words.transfer.to_lowercase();
        let transfer = &self.transfers[position];
        if self.generation == Generation::Legacy {
            self.executed(position)?;
        }
        if !force && !transfer.ever_completed(now) {
            return Err(Refusal::bad(format!(
                "A {noun} must have been executed successfully at least once in order to be {}",
                words.deployed
            )));
        }
        let instances = transfer.action.instances.iter().zip(&transfer.copies);
        let Some((name, _)) = instances.into_iter().find(|(_, copied)| copied.volumes.is_empty()) else {
            return Ok(());
        };
        Err(Refusal::bad(format!(
            "The {noun} doesn't contain volumes information for instance: {name}. If {} disks are deleted, the \
             {noun} needs to be executed anew before a {} can occur",
            words.replicated, words.deployment_noun,
        )))
    }

    /// A deployment that waits for the end of an execution.
    pub(super) fn wait_with_deployment(&mut self, position: usize, execution: &str, now: Timestamp) -> usize {
        let action = &self.transfers[position].action;
        let (clone_disks, skip_os_morphing) = (action.clone_disks, action.skip_os_morphing);
        let deployment = self.add_deployment(position, clone_disks, skip_os_morphing, None, now);
        let trust = self.draw(&["trust", execution]).hex();
        let added = &mut self.deployments[deployment];
        added.deployer = Some(execution.into());
        added.trust = Some(trust);
        deployment
    }

    fn add_deployment(
        &mut self,
        position: usize,
        clone_disks: bool,
        skip_os_morphing: bool,
        scripts: Option<Value>,
        now: Timestamp,
    ) -> usize {
        let mut action = self.transfers[position].action.clone();
        let transfer = action.id.clone();
        let count = self.count("deployment", &transfer);
        action.id = self.draw(&["deployment", &transfer, &count.to_string()]).uuid();
        (action.created, action.updated, action.deleted) = (now, None, None);
        (action.origin_pool, action.destination_pool) = (None, None);
        (action.clone_disks, action.skip_os_morphing) = (clone_disks, skip_os_morphing);
        if let Some(scripts) = scripts {
            action.user_scripts = scripts;
        }
        self.push_deployment(action, Deployed::Transfer { id: transfer, position })
    }

    fn push_deployment(&mut self, action: Action, deployed: Deployed) -> usize {
        let deployment = self.deployments.len();
        self.deployment_by_id.insert(action.id.clone(), deployment);
        self.deployments.push(Deployment {
            action,
            deployed,
            plan: None,
            unplanned: Status::Pending,
            deployer: None,
            trust: None,
            result: None,
            booted: Vec::new(),
        });
        deployment
    }

    fn start_deployment(&mut self, deployment: usize, taken: Option<Taken>, now: Timestamp) {
        let found = &self.deployments[deployment];
        let action = &found.action;
        let mut graph = Graph::default();
        for name in &action.instances {
            let subject = self.subject(name, &action.id);
            match &found.deployed {
                Deployed::Transfer { .. } => {
                    let morphing = morphing(action, name);
                    graph.deployment(&subject, action.clone_disks, morphing);
                }
                Deployed::Direct(direct) => graph.direct(&subject, direct, morphing(action, name)),
            }
        }
        for name in action.instances.iter().filter(|name| script_fails(&action.user_scripts, name)) {
            graph.refuse_script(name);
        }
        let id = self.draw(&["execution", &action.id]).uuid();
        let plan = planned(id, now, graph.specs, taken);
        if let Deployed::Transfer { position, .. } = found.deployed {
            self.transfers[position].last_deployment = Some(deployment);
        }
        let found = &mut self.deployments[deployment];
        found.plan = Some(plan);
        found.action.updated = Some(now);
        self.watch(Running::Deployment(deployment), now);
    }

    /// The service checks if a waiting deployment may start.
    pub(super) fn look(&mut self, deployment: usize, at: Timestamp) {
        let found = &self.deployments[deployment];
        let Deployed::Transfer { position, .. } = found.deployed else { return };
        if found.action.deleted.is_some() || found.status(at) != Status::Pending {
            return;
        }
        let transfer = &self.transfers[position];
        let deployer = transfer.executions.iter().find(|execution| Some(&execution.id) == found.deployer.as_ref());
        let done = deployer.is_some_and(|execution| execution.plan.status(at) == Status::Completed);
        if done && self.idle(position, at).is_ok() {
            let action = self.deployments[deployment].action.clone();
            let taken = self.take_for_morphing(&action, at).unwrap_or(Some(Taken::Nothing(at)));
            self.start_deployment(deployment, taken, at);
        } else {
            let found = &mut self.deployments[deployment];
            found.unplanned = Status::Error;
            found.action.updated = Some(at);
        }
    }

    /// Creates and starts a direct migration.
    pub(in crate::sandbox) fn migrate(
        &mut self,
        caller: &Caller,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Deployment, Refusal> {
        let replication_count = match body.get("replication_count") {
            None | Some(Value::Null) => Some(2),
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_i64(),
        };
        let draft = self.draft(caller, body, "migration", now)?;
        let Some(replication_count) = replication_count.filter(|count| (1..=10).contains(count)) else {
            let got = body.get("replication_count").map(Value::to_string).unwrap_or_default();
            return Err(Refusal::input(format!("'replication_count' must be an integer between 1 and 10. Got: {got}")));
        };
        let shutdown_instances = body.get("shutdown_instances").and_then(Value::as_bool).unwrap_or(false);
        let mut action = draft.action;
        let pools = (action.origin_pool.is_some(), action.destination_pool.is_some());
        let instances = action.instances.join("\0");
        let count = self.count("migration", &instances);
        action.id = self.draw(&["migration", &instances, &count.to_string()]).uuid();
        let direct = Direct { replication_count, shutdown_instances, again: count > 0, pools };
        let mut taken = self.take_for_copy(&action, now)?;
        if taken.is_none() {
            taken = self.take_for_morphing(&action, now)?;
        }
        let deployment = self.push_deployment(action, Deployed::Direct(direct));
        if !caller.delegates {
            self.deployments[deployment].unplanned = Status::Unexecuted;
            return Err(Refusal::internal());
        }
        self.start_deployment(deployment, taken, now);
        Ok(&self.deployments[deployment])
    }

    pub(in crate::sandbox) fn cancel_deployment(
        &mut self,
        caller: &Caller,
        id: &str,
        force: bool,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let position = self.deployment_position(caller, id).map_err(unclassed)?;
        let noun = self.words().deployment;
        let legacy = self.generation == Generation::Legacy;
        let deployment = &mut self.deployments[position];
        let status = deployment.status(now);
        let Some(plan) = &mut deployment.plan else {
            return Err(Refusal::bad(format!("{noun} '{id}' has in improper number of tasks executions: 0")));
        };
        match status {
            Status::Running | Status::AwaitingMinionAllocations => {}
            Status::Cancelling if force => {}
            Status::Cancelling => {
                // A legacy server forgets to fill in the id.
                let id = if legacy { "%s" } else { id };
                return Err(Refusal::bad(format!(
                    "{noun} '{id}' is already being cancelled. Please use the force option if you'd like to \
                     force-cancel it."
                )));
            }
            _ => return Err(Refusal::bad(format!("{noun} '{id}' is not currently running"))),
        }
        plan.cancel(now, force);
        deployment.action.updated = Some(now);
        self.watch(Running::Deployment(position), now);
        Ok(())
    }

    pub(in crate::sandbox) fn delete_deployment(
        &mut self,
        caller: &Caller,
        id: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let position = self.deployment_position(caller, id).map_err(unclassed)?;
        let noun = self.words().deployment;
        let deployment = &mut self.deployments[position];
        if deployment.is_active(now) {
            let status = deployment.status(now);
            return Err(Refusal::bad(format!("Cannot delete {noun} '{id}' as it is currently in '{status}' state.")));
        }
        deployment.action.deleted = Some(now);
        Ok(())
    }

    /// Applies the effects of a deployment that has ended.
    pub(super) fn deployment_ended(&mut self, position: usize, at: Timestamp) {
        let deployment = &self.deployments[position];
        let completed = deployment.plan.as_ref().is_some_and(|plan| plan.end().1 == Status::Completed);
        let result = completed.then(|| self.new_machines(&deployment.action));
        let booted = if completed { self.booted(deployment, at) } else { Vec::new() };
        let deployment = &mut self.deployments[position];
        deployment.action.updated = Some(at);
        deployment.result = result;
        deployment.booted = booted;
        let action = deployment.action.id.clone();
        self.release_minions(&action, at);
        let deployment = &self.deployments[position];
        let Deployed::Transfer { position, .. } = deployment.deployed else { return };
        if completed && !deployment.action.clone_disks {
            let transfer = &mut self.transfers[position];
            transfer.copies.iter_mut().for_each(|copied| *copied = Copied::default());
            transfer.action.updated = Some(at);
        }
    }

    /// The machines that a deployment leaves running, with the data they found on their disks.
    fn booted(&self, deployment: &Deployment, at: Timestamp) -> Vec<Booted> {
        let action = &deployment.action;
        let machines = action.instances.iter().enumerate().map(|(number, name)| Booted {
            id: self.deployed_id(action, name),
            instance: name.clone(),
            at,
            held: match (&deployment.deployed, &deployment.plan) {
                (Deployed::Transfer { position, .. }, _) => {
                    Held::of_all(&self.transfers[*position].copies[number].volumes)
                }
                (Deployed::Direct(_), Some(plan)) => {
                    let mut volumes = new_volumes(self.seed, &action.id, name, self.disks_of(name));
                    plan.seen(at).filter(|seen| seen.is_copy_of(name)).for_each(|copy| copy.write(&mut volumes));
                    Held::of_all(&volumes)
                }
                (Deployed::Direct(_), None) => Held::default(),
            },
            on: true,
        });
        machines.collect()
    }

    fn deployed_id(&self, action: &Action, name: &str) -> String {
        self.draw(&["deployed", &action.id, name]).uuid()
    }

    fn new_machines(&self, action: &Action) -> Value {
        let machines = action.instances.iter().map(|name| {
            let mut details = self.machine(name).map_or_else(|| json!({}), |machine| machine.details());
            details["id"] = self.deployed_id(action, name).into();
            details["hostname"] = "".into();
            (name.clone(), details)
        });
        Value::Object(machines.collect())
    }
}

/// The way in which the OS of an instance is prepared.
fn morphing(action: &Action, instance: &str) -> Morphing {
    match (action.skip_os_morphing, action.morphing_pools.contains_key(instance)) {
        (true, _) => Morphing::Skipped,
        (false, true) => Morphing::Pooled,
        (false, false) => Morphing::Own,
    }
}

/// A user script whose text is `exit 1` fails.
fn script_fails(scripts: &Value, instance: &str) -> bool {
    let own = &scripts["instances"][instance];
    let global = scripts["global"].as_object().into_iter().flatten().map(|(_, script)| script);
    global.chain([own]).any(|script| script.to_string().contains("exit 1"))
}
