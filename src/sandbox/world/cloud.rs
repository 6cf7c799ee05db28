//! The state of the simulated service: one model for both generations. Its operations are in `rules`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use super::caller::Caller;
use super::deployment::Deployment;
use super::draw::{Draw, draw};
use super::endpoint::Endpoint;
use super::graph::Subject;
use super::licensing::Licensing;
use super::lifecycle::Plan;
use super::machine::Machine;
use super::pool::Pool;
use super::region::{Region, Service};
use super::scenario::{Platform, Scenario, Source};
use super::schedule::Schedule;
use super::secrets::{self, Secrets};
use super::site::{Site, Switched};
use super::transfer::Transfer;
use super::words::{CURRENT, LEGACY, Words};
use crate::model::Generation;

pub(in crate::sandbox) struct Cloud {
    pub seed: u64,
    pub generation: Generation,
    pub platforms: Vec<Platform>,
    pub machines: Vec<Machine>,
    pub machine_by_name: HashMap<String, usize>,
    pub endpoints: Vec<Endpoint>,
    pub transfers: Vec<Transfer>,
    pub transfer_by_id: HashMap<String, usize>,
    pub deployments: Vec<Deployment>,
    pub deployment_by_id: HashMap<String, usize>,
    pub schedules: Vec<Schedule>,
    pub pools: Vec<Pool>,
    pub secrets: Secrets,
    pub licensing: Licensing,
    pub regions: Vec<Region>,
    pub services: Vec<Service>,
    /// The hosts on which workers can be registered.
    pub hosts: Vec<String>,
    /// The number of objects so far, by kind and name.
    pub counts: HashMap<String, u32>,
    /// The changes to apply when their time has come.
    pub agenda: BTreeMap<(Timestamp, u64), Due>,
    pub serial: u64,
    /// The next moment of each running plan.
    pub upcoming: BTreeSet<(Timestamp, Running)>,
    /// The place that each endpoint leads to, also of deleted ones, by id.
    pub sites: HashMap<String, Site>,
    /// The sources that a person switched on or off.
    pub switched: Vec<Switched>,
}

/// A plan, by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sandbox) enum Running {
    Execution(usize, usize),
    Deployment(usize),
}

#[derive(Clone, Copy, Debug)]
pub(in crate::sandbox) enum Due {
    /// A plan ends.
    Ended(Running),
    /// The service checks a deployment that waits for an execution.
    Look(usize),
    /// A schedule's minute comes, if it is still at this version.
    Fire(usize, usize),
}

impl Cloud {
    pub(in crate::sandbox) fn new(seed: u64, generation: Generation, scenario: &Scenario, now: Timestamp) -> Self {
        let machines: Vec<Machine> = scenario
            .machines
            .iter()
            .map(|source| match source {
                Source::Named(name) => Machine::named(seed, name),
                Source::Made(machine) => machine.clone(),
            })
            .collect();
        let machine_by_name = machines.iter().enumerate().map(|(at, machine)| (machine.name.clone(), at)).collect();
        Self {
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
            sites: HashMap::new(),
            switched: Vec::new(),
        }
    }

    pub(in crate::sandbox) fn store_secret(
        &mut self,
        caller: &Caller,
        body: &Value,
        now: Timestamp,
    ) -> Result<String, secrets::Denied> {
        self.secrets.store(self.seed, caller, body, now)
    }

    pub(in crate::sandbox) fn words(&self) -> &'static Words {
        match self.generation {
            Generation::Current => &CURRENT,
            Generation::Legacy => &LEGACY,
        }
    }

    pub(in crate::sandbox) fn plan(&self, running: Running) -> Option<&Plan> {
        match running {
            Running::Execution(transfer, execution) => {
                Some(&self.transfers.get(transfer)?.executions.get(execution)?.plan)
            }
            Running::Deployment(deployment) => self.deployments.get(deployment)?.plan.as_ref(),
        }
    }

    /// Counts one more of `kind` for `name`; the first is 0.
    pub(in crate::sandbox) fn count(&mut self, kind: &str, name: &str) -> u32 {
        let count = self.counts.entry(format!("{kind}\0{name}")).or_default();
        *count += 1;
        *count - 1
    }

    pub(in crate::sandbox) fn draw(&self, parts: &[&str]) -> Draw {
        draw(self.seed, parts)
    }

    /// The machine of this name or path, `Datacenter/vm/NAME`.
    pub(in crate::sandbox) fn machine(&self, name: &str) -> Option<&Machine> {
        let of = |name: &str| self.machine_by_name.get(name).map(|at| &self.machines[*at]);
        of(name).or_else(|| of(name.rsplit('/').next()?))
    }

    pub(in crate::sandbox) fn disks_of(&self, name: &str) -> usize {
        self.machine(name).map_or(0, |machine| machine.disks.len())
    }

    pub(in crate::sandbox) fn subject<'cloud>(&'cloud self, name: &'cloud str, key: &str) -> Subject<'cloud> {
        Subject { seed: self.seed, name, machine: self.machine(name), key: key.into() }
    }
}
