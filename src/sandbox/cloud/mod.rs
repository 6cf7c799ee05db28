//! The state of the simulated service: one model for both generations, every operation a method.
//!
//! Time comes in as an argument. [`Cloud::catch_up`] applies what has ended by then, in its order; nothing ticks.

mod deployments;
mod endpoints;
mod executions;
mod info;
mod logs;
mod pools;
mod providers;
mod refusal;
mod regions;
mod schedules;
mod transfers;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::draw::{Draw, draw};
use super::graph::Subject;
use super::licensing::Licensing;
use super::lifecycle::Plan;
use super::machine::Machine;
use super::scenario::{Platform, Scenario, Source};
use super::secrets::{self, Secrets};
use crate::model::Generation;

pub(super) use deployments::{Deployed, Deployment, Direct};
pub(super) use endpoints::{Endpoint, EndpointDraft, TELLING};
pub(super) use executions::{Execution, ExecutionKind};
pub(super) use logs::{LOGS, LogLine};
pub(super) use pools::{Pool, role_word};
pub(super) use providers::Offer;
pub(super) use refusal::Refusal;
pub(super) use regions::{Region, Service};
pub(super) use schedules::Schedule;
pub(super) use transfers::Transfer;

/// The words of one generation, for its messages.
pub(super) struct Words {
    pub transfer: &'static str,
    pub deployment: &'static str,
    pub deployed: &'static str,
    pub replicated: &'static str,
    pub deployment_noun: &'static str,
}

const CURRENT: Words = Words {
    transfer: "Transfer",
    deployment: "Deployment",
    deployed: "deployed",
    replicated: "transferred",
    deployment_noun: "deployment",
};
const LEGACY: Words = Words {
    transfer: "Replica",
    deployment: "Migration",
    deployed: "migrated",
    replicated: "replicated",
    deployment_noun: "migration",
};

/// Who asks, and for which project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Caller {
    pub project: String,
    pub user: String,
    /// Whether the token may be delegated: one of an application credential may not.
    pub delegates: bool,
}

pub(super) struct Cloud {
    seed: u64,
    pub generation: Generation,
    platforms: Vec<Platform>,
    machines: Vec<Machine>,
    machine_by_name: HashMap<String, usize>,
    endpoints: Vec<Endpoint>,
    transfers: Vec<Transfer>,
    transfer_by_id: HashMap<String, usize>,
    deployments: Vec<Deployment>,
    deployment_by_id: HashMap<String, usize>,
    schedules: Vec<Schedule>,
    pools: Vec<Pool>,
    pub secrets: Secrets,
    pub licensing: Licensing,
    regions: Vec<Region>,
    services: Vec<Service>,
    /// Where workers can be registered.
    hosts: Vec<String>,
    /// How many of a kind there were, by kind and name.
    counts: HashMap<String, u32>,
    /// What is to be applied when its time has come.
    agenda: BTreeMap<(Timestamp, u64), Due>,
    serial: u64,
    /// The next moment of each running plan.
    upcoming: BTreeSet<(Timestamp, Running)>,
}

/// A plan, by where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Running {
    Execution(usize, usize),
    Deployment(usize),
}

#[derive(Clone, Copy, Debug)]
enum Due {
    /// A plan ends.
    Ended(Running),
    /// The service looks at a deployment that waits for an execution.
    Look(usize),
    /// A schedule's minute comes, if it is still at this version.
    Fire(usize, usize),
}

/// The fields that transfers and deployments have in common.
#[derive(Clone, Debug)]
pub(super) struct Action {
    pub id: String,
    pub project: String,
    pub user: String,
    pub origin: String,
    pub destination: String,
    pub instances: Vec<String>,
    pub source_environment: Value,
    pub destination_environment: Value,
    pub network_map: Value,
    pub storage_mappings: Value,
    pub notes: Option<String>,
    pub user_scripts: Value,
    pub clone_disks: bool,
    pub skip_os_morphing: bool,
    pub live_migration: bool,
    pub origin_pool: Option<String>,
    pub destination_pool: Option<String>,
    /// Which pool prepares the OS of which instance.
    pub morphing_pools: BTreeMap<String, String>,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
}

impl Cloud {
    pub(super) fn new(seed: u64, generation: Generation, scenario: &Scenario, now: Timestamp) -> Self {
        let machines: Vec<Machine> = scenario
            .machines
            .iter()
            .map(|source| match source {
                Source::Named(name) => Machine::named(seed, name),
                Source::Made(machine) => machine.clone(),
            })
            .collect();
        let machine_by_name = machines.iter().enumerate().map(|(at, machine)| (machine.name.clone(), at)).collect();
        let mut cloud = Self {
            seed,
            generation,
            platforms: scenario.platforms.clone(),
            machines,
            machine_by_name,
            endpoints: Vec::new(),
            transfers: Vec::new(),
            transfer_by_id: HashMap::new(),
            deployments: Vec::new(),
            deployment_by_id: HashMap::new(),
            schedules: Vec::new(),
            pools: Vec::new(),
            secrets: Secrets::default(),
            licensing: Licensing::new(seed, now),
            regions: Vec::new(),
            services: Vec::new(),
            hosts: vec![scenario.worker.clone()],
            counts: HashMap::new(),
            agenda: BTreeMap::new(),
            serial: 0,
            upcoming: BTreeSet::new(),
        };
        cloud.register_worker(&scenario.worker, now);
        cloud
    }

    pub(super) fn store_secret(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: Timestamp,
    ) -> Result<String, secrets::Denied> {
        self.secrets.store(self.seed, caller, body, now)
    }

    pub(super) fn words(&self) -> &'static Words {
        match self.generation {
            Generation::Current => &CURRENT,
            Generation::Legacy => &LEGACY,
        }
    }

    /// The first moment after `after` at which a task or a status changes.
    pub(super) fn next_change(&mut self, after: Timestamp) -> Option<Timestamp> {
        self.catch_up(after);
        while let Some(&(at, running)) = self.upcoming.first() {
            if at > after {
                break;
            }
            self.upcoming.pop_first();
            if let Some(next) = self.plan(running).and_then(|plan| plan.next_moment(after)) {
                self.upcoming.insert((next, running));
            }
        }
        let planned = self.upcoming.first().map(|(at, _)| *at);
        let due = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let pools = self.pools.iter().filter_map(|pool| pool.story.next_moment(after)).min();
        [planned, due, pools].into_iter().flatten().min()
    }

    /// Applies everything that has happened by `now`.
    pub(super) fn catch_up(&mut self, now: Timestamp) {
        while let Some((&(at, serial), &due)) = self.agenda.first_key_value() {
            if at > now {
                return;
            }
            self.agenda.remove(&(at, serial));
            match due {
                Due::Ended(running) => {
                    // A cancel has moved the end: that one is on the agenda as well.
                    if self.plan(running).is_some_and(|plan| plan.end().0 == at) {
                        self.ended(running, at);
                    }
                }
                Due::Look(deployment) => self.look(deployment, at),
                Due::Fire(schedule, version) => self.fire(schedule, version, at),
            }
        }
    }

    fn ended(&mut self, running: Running, at: Timestamp) {
        match running {
            Running::Execution(transfer, execution) => self.execution_ended(transfer, execution, at),
            Running::Deployment(deployment) => self.deployment_ended(deployment, at),
        }
    }

    fn plan(&self, running: Running) -> Option<&Plan> {
        match running {
            Running::Execution(transfer, execution) => {
                Some(&self.transfers.get(transfer)?.executions.get(execution)?.plan)
            }
            Running::Deployment(deployment) => self.deployments.get(deployment)?.plan.as_ref(),
        }
    }

    /// Notes when a plan moves next and when it ends: after it was made, and after it was cancelled. A moment noted
    /// before a cancel stays; it costs one look.
    fn watch(&mut self, running: Running, now: Timestamp) {
        let Some(plan) = self.plan(running) else { return };
        let (next, (end, _)) = (plan.next_moment(now), plan.end());
        if let Some(next) = next {
            self.upcoming.insert((next, running));
        }
        self.remind(end, Due::Ended(running));
        self.catch_up(now);
    }

    fn remind(&mut self, at: Timestamp, due: Due) {
        self.serial += 1;
        self.agenda.insert((at, self.serial), due);
    }

    /// Counts one more of `kind` for `name`; the first is 0.
    fn count(&mut self, kind: &str, name: &str) -> u32 {
        let count = self.counts.entry(format!("{kind}\0{name}")).or_default();
        *count += 1;
        *count - 1
    }

    fn draw(&self, parts: &[&str]) -> Draw {
        draw(self.seed, parts)
    }

    fn machine(&self, name: &str) -> Option<&Machine> {
        self.machine_by_name.get(name).map(|at| &self.machines[*at])
    }

    fn subject<'cloud>(&'cloud self, name: &'cloud str, key: &str) -> Subject<'cloud> {
        Subject { seed: self.seed, name, machine: self.machine(name), key: key.into() }
    }
}

/// Merges `changes` into `fields` key by key, as an update does: no key is ever removed.
fn merge(fields: &mut Value, changes: &Value) {
    let (Value::Object(fields), Value::Object(changes)) = (fields, changes) else { return };
    for (key, value) in changes {
        fields.insert(key.clone(), value.clone());
    }
}

fn empty() -> Value {
    Value::Object(Map::new())
}
