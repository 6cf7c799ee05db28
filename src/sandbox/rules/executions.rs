//! Executions of transfers: copies, updates, deletions of disks.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::pools::Taken;
use super::providers::Needs;
use super::transfers::unclassed;
use crate::model::{Generation, Status};
use crate::sandbox::world::{
    Caller, Cloud, Copied, Copying, Due, Execution, ExecutionKind, Graph, Plan, Refusal, Running, Spec, draw,
};

impl Cloud {
    /// The executions of a transfer; empty for an unknown one.
    pub(in crate::sandbox) fn executions(&self, caller: &Caller, transfer: &str) -> Vec<&Execution> {
        self.transfer(caller, transfer).map_or_else(|_| Vec::new(), |transfer| transfer.live_executions().collect())
    }

    pub(in crate::sandbox) fn execution(
        &self,
        caller: &Caller,
        transfer: &str,
        id: &str,
    ) -> Result<&Execution, Refusal> {
        let (transfer, execution) = self.execution_position(caller, transfer, id)?;
        Ok(&self.transfers[transfer].executions[execution])
    }

    fn execution_position(&self, caller: &Caller, transfer: &str, id: &str) -> Result<(usize, usize), Refusal> {
        let found = self.transfer_position(caller, transfer).ok().and_then(|position| {
            let executions = &self.transfers[position].executions;
            let live = |execution: &Execution| execution.id == id && execution.deleted.is_none();
            Some((position, executions.iter().position(live)?))
        });
        found.ok_or_else(|| {
            let noun = self.words().transfer;
            Refusal::missing(format!("Execution with ID '{id}' for {noun} '{transfer}' not found.")).classed("NotFound")
        })
    }

    pub(in crate::sandbox) fn execute(
        &mut self,
        caller: &Caller,
        transfer: &str,
        shutdown: bool,
        deploy: bool,
        now: Timestamp,
    ) -> Result<&Execution, Refusal> {
        let position = self.transfer_position(caller, transfer)?;
        self.idle(position, now)?;
        let specs = self.copy_tasks(position, shutdown);
        if !caller.delegates {
            // The service creates the execution, then fails to create the trust that it needs.
            self.leave_execution(position, specs, Status::Unexecuted, now);
            return Err(Refusal::internal());
        }
        if let Some(refusal) = self.unschedulable(position) {
            self.leave_execution(position, specs, Status::Deadlocked, now);
            return Err(refusal);
        }
        let action = self.transfers[position].action.clone();
        let taken = self.take_for_copy(&action, now)?;
        let number = self.start_execution(position, ExecutionKind::Transfer, specs, taken, now);
        if deploy {
            let id = self.transfers[position].executions[number].id.clone();
            let deployment = self.wait_with_deployment(position, &id, now);
            self.transfers[position].executions[number].deploys = Some(deployment);
        }
        Ok(&self.transfers[position].executions[number])
    }

    /// The answer if no worker can take the first task.
    fn unschedulable(&self, position: usize) -> Option<Refusal> {
        let action = &self.transfers[position].action;
        let of = |id: &str| self.endpoints.iter().find(|endpoint| endpoint.id == id);
        let able = |id: &str| of(id).is_none_or(|endpoint| self.capable(endpoint, Needs::Connection).is_ok());
        if able(&action.origin) && able(&action.destination) {
            return None;
        }
        let task = self.draw(&["unscheduled", &action.id]).uuid();
        let message = format!(
            "Failed to schedule task {task} after 5 tries. This may indicate that there are no Coriolis Worker \
             services able to perform the task on the platforms and in the Coriolis Regions required by the selected \
             source/destination Coriolis Endpoints. Please review the Conductor and Scheduler logs for more exact \
             details."
        );
        Some(Refusal::new(503, message).classed("NoSuitableWorkerServiceError"))
    }

    fn copy_tasks(&self, position: usize, shutdown: bool) -> Vec<Spec> {
        let transfer = &self.transfers[position];
        let key = format!("{} {}", transfer.action.id, transfer.executions.len());
        let mut graph = Graph::default();
        for (name, copied) in transfer.action.instances.iter().zip(&transfer.copies) {
            let copying = Copying {
                full: !copied.whole,
                volumes_exist: !copied.volumes.is_empty(),
                failed_before: copied.failed,
                shutdown,
                source_pool: transfer.action.origin_pool.is_some(),
                destination_pool: transfer.action.destination_pool.is_some(),
            };
            graph.transfer(&self.subject(name, &key), &copying);
        }
        graph.specs
    }

    pub(in crate::sandbox) fn update_transfer(
        &mut self,
        caller: &Caller,
        transfer: &str,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Execution, Refusal> {
        let position = self.transfer_position(caller, transfer).map_err(|refusal| Refusal::input(refusal.message))?;
        let action = &self.transfers[position].action;
        let changes = self.changes(action, body)?;
        if self.generation == Generation::Legacy {
            self.executed(position)?;
        }
        self.idle(position, now)?;
        let transfer = &self.transfers[position];
        let key = format!("{} {}", transfer.action.id, transfer.executions.len());
        let mut graph = Graph::default();
        for name in &transfer.action.instances {
            graph.update(&self.subject(name, &key));
        }
        let refused = changes.get("destination_environment").and_then(|new| new.get("availability_zone"));
        if let Some(zone) = refused.and_then(Value::as_str).filter(|zone| *zone == "az-bad" || *zone == "az2") {
            graph.refuse_update(&format!("disks cannot be moved to availability zone '{zone}'"));
        }
        let number = self.start_execution(position, ExecutionKind::Update, graph.specs, None, now);
        let execution = &mut self.transfers[position].executions[number];
        execution.changes = changes;
        Ok(execution)
    }

    pub(in crate::sandbox) fn delete_disks(
        &mut self,
        caller: &Caller,
        transfer: &str,
        now: Timestamp,
    ) -> Result<&Execution, Refusal> {
        let position = self.transfer_position(caller, transfer).map_err(unclassed)?;
        self.idle(position, now)?;
        let transfer = &self.transfers[position];
        if transfer.copies.iter().all(|copied| copied.volumes.is_empty()) {
            let noun = self.words().transfer;
            return Err(Refusal::bad(format!(
                "{noun} '{}' does not have volumes information for any instances. Ensure that the {} has been \
                 executed successfully priorly",
                transfer.action.id,
                noun.to_lowercase(),
            )));
        }
        let key = format!("{} {}", transfer.action.id, transfer.executions.len());
        let mut graph = Graph::default();
        for (name, copied) in transfer.action.instances.iter().zip(&transfer.copies) {
            graph.delete_disks(&self.subject(name, &key), &copied.volumes);
        }
        let number = self.start_execution(position, ExecutionKind::DisksDelete, graph.specs, None, now);
        Ok(&self.transfers[position].executions[number])
    }

    /// Creates an execution that begins at once, or when its machines are ready.
    fn start_execution(
        &mut self,
        position: usize,
        kind: ExecutionKind,
        specs: Vec<Spec>,
        taken: Option<Taken>,
        now: Timestamp,
    ) -> usize {
        let transfer = &self.transfers[position];
        let number = transfer.executions.len();
        let id = self.draw(&["execution", &transfer.action.id, &number.to_string()]).uuid();
        let plan = planned(id.clone(), now, specs, taken);
        let execution =
            Execution { id, number: number + 1, kind, plan, deleted: None, changes: Map::new(), deploys: None };
        let transfer = &mut self.transfers[position];
        transfer.executions.push(execution);
        transfer.action.updated = Some(now);
        self.watch(Running::Execution(position, number), now);
        number
    }

    /// Creates an execution that never starts, for a request that is refused all the same.
    fn leave_execution(&mut self, position: usize, specs: Vec<Spec>, status: Status<'static>, now: Timestamp) {
        let transfer = &self.transfers[position];
        let number = transfer.executions.len();
        let id = self.draw(&["execution", &transfer.action.id, &number.to_string()]).uuid();
        let plan = Plan::unstarted(id.clone(), now, specs, status);
        let kind = ExecutionKind::Transfer;
        let execution =
            Execution { id, number: number + 1, kind, plan, deleted: None, changes: Map::new(), deploys: None };
        self.transfers[position].executions.push(execution);
    }

    pub(in crate::sandbox) fn cancel_execution(
        &mut self,
        caller: &Caller,
        transfer: &str,
        id: &str,
        force: bool,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (position, number) = self.execution_position(caller, transfer, id).map_err(unclassed)?;
        let noun = self.words().transfer;
        let found = &mut self.transfers[position];
        match found.executions[number].plan.status(now) {
            Status::Running | Status::AwaitingMinionAllocations => {}
            Status::Cancelling if force => {}
            Status::Cancelling => {
                return Err(Refusal::bad(format!(
                    "{noun} '{transfer}' is already being cancelled. Please use the force option if you'd like to \
                     force-cancel it."
                )));
            }
            _ => return Err(Refusal::bad(format!("{noun} '{transfer}' has no running execution to cancel."))),
        }
        found.executions[number].plan.cancel(now, force);
        found.action.updated = Some(now);
        self.watch(Running::Execution(position, number), now);
        Ok(())
    }

    pub(in crate::sandbox) fn delete_execution(
        &mut self,
        caller: &Caller,
        transfer: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (position, number) = self.execution_position(caller, transfer, id).map_err(unclassed)?;
        let noun = self.words().transfer;
        let execution = &mut self.transfers[position].executions[number];
        if execution.plan.is_active(now) {
            let status = execution.plan.status(now);
            return Err(Refusal::bad(format!(
                "Cannot delete execution '{id}' for {noun} '{transfer}' as it is currently in '{status}' state."
            )));
        }
        execution.deleted = Some(now);
        Ok(())
    }

    /// Applies the effects of an execution that has ended.
    pub(super) fn execution_ended(&mut self, position: usize, number: usize, at: Timestamp) {
        let seed = self.seed;
        let disks: Vec<usize> =
            self.transfers[position].action.instances.iter().map(|name| self.disks_of(name)).collect();
        let transfer = &mut self.transfers[position];
        let execution = &transfer.executions[number];
        let (deploys, status) = (execution.deploys, execution.plan.end().1);
        let action = transfer.action.id.clone();
        transfer.action.updated = Some(at);
        match execution.kind {
            ExecutionKind::Transfer => {
                let instances = transfer.action.instances.iter().zip(disks).zip(&mut transfer.copies);
                for ((name, disks), copied) in instances {
                    *copied = std::mem::take(copied).after(seed, execution, name, disks, at);
                }
            }
            ExecutionKind::Update if status == Status::Completed => {
                let changes = execution.changes.clone();
                transfer.action.apply(&changes);
            }
            ExecutionKind::DisksDelete if status == Status::Completed => {
                transfer.copies.iter_mut().for_each(|copied| *copied = Copied::default());
            }
            ExecutionKind::Update | ExecutionKind::DisksDelete => {}
        }
        self.release_minions(&action, at);
        if let Some(deployment) = deploys {
            let execution = &self.transfers[position].executions[number].id;
            let wait = draw(seed, &["look", execution]).between(3, 10);
            self.remind(at + jiff::SignedDuration::from_secs(wait), Due::Look(deployment));
        }
    }

    /// # Errors
    /// 400 for a transfer that was never executed.
    pub(super) fn executed(&self, position: usize) -> Result<(), Refusal> {
        if self.transfers[position].live_executions().next().is_none() {
            return Err(Refusal::bad(format!("The {} has never been executed.", self.words().transfer)));
        }
        Ok(())
    }
}

/// The plan of an execution that begins at once, waits for machines, or gets none.
pub(super) fn planned(id: String, now: Timestamp, specs: Vec<Spec>, taken: Option<Taken>) -> Plan {
    match taken {
        None => Plan::new(id, now, specs),
        Some(Taken::From(starts)) => Plan::awaiting(id, now, starts, specs),
        Some(Taken::Nothing(told)) => Plan::unallocated(id, now, told, specs),
    }
}
