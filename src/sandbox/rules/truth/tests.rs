//! The truth against disks of blocks: a source that writes all of its blocks every five seconds, and copies that carry
//! them over one by one.

use std::collections::{BTreeMap, HashSet};

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::model::{Generation, Status, TaskStatus};
use crate::sandbox::world::scenario::Scenario;
use crate::sandbox::world::{Caller, Deployment, EndpointDraft, ExecutionKind, Transfer};

/// The blocks of one disk; `None` was never written.
type Blocks = Vec<Option<Timestamp>>;

const BLOCKS: usize = 100;
const NAMES: [&str; 2] = ["web-01", "fail-once-db-01"];
/// The endpoints of sources with their hosts: two lead to one place.
const ENDPOINTS: [(&str, &str); 3] = [("vcenter", "vc1"), ("vcenter-again", "VC1"), ("vc2", "vc2")];
const TICK: SignedDuration = SignedDuration::from_secs(5);

#[derive(Clone, Copy, Debug)]
enum Deed {
    /// A replica of the first VM, of the second, or of both.
    Create {
        endpoint: usize,
        vms: usize,
    },
    Execute {
        which: usize,
        shutdown: bool,
    },
    Cancel {
        which: usize,
        force: bool,
    },
    DeleteDisks {
        which: usize,
    },
    Deploy {
        which: usize,
        force: bool,
        clone: bool,
    },
    Delete {
        which: usize,
    },
    Migrate {
        endpoint: usize,
        vms: usize,
        shutdown: bool,
    },
    Switch {
        endpoint: usize,
        vm: usize,
        on: bool,
    },
    SwitchOffTarget {
        which: usize,
    },
}

/// Deeds, and the ticks that pass after each.
fn deeds() -> impl Strategy<Value = Vec<(Deed, usize)>> {
    let (which, endpoint, flag) = (0..3usize, 0..ENDPOINTS.len(), any::<bool>());
    let deed = prop_oneof![
        2 => (endpoint.clone(), 0..3usize).prop_map(|(endpoint, vms)| Deed::Create { endpoint, vms }),
        6 => (which.clone(), flag).prop_map(|(which, shutdown)| Deed::Execute { which, shutdown }),
        2 => (which.clone(), flag).prop_map(|(which, force)| Deed::Cancel { which, force }),
        1 => which.clone().prop_map(|which| Deed::DeleteDisks { which }),
        5 => (which.clone(), flag, flag).prop_map(|(which, force, clone)| Deed::Deploy { which, force, clone }),
        1 => which.clone().prop_map(|which| Deed::Delete { which }),
        1 => (endpoint.clone(), 0..3usize, flag)
            .prop_map(|(endpoint, vms, shutdown)| Deed::Migrate { endpoint, vms, shutdown }),
        1 => (endpoint, 0..2usize, flag).prop_map(|(endpoint, vm, on)| Deed::Switch { endpoint, vm, on }),
        1 => which.prop_map(|which| Deed::SwitchOffTarget { which }),
    ];
    // A delta takes two to eight minutes, a first copy up to an hour.
    let ticks = prop_oneof![1 => 0..5usize, 2 => 5..150usize, 4 => 700..800usize];
    prop::collection::vec((deed, ticks), 4..24)
}

/// A source as it is: on or off, and the version that it has written into all of its blocks.
struct Machine {
    on: bool,
    version: Timestamp,
}

struct Boot {
    /// The deployment and the VM.
    of: (String, String),
    source: (String, String),
    disks: Vec<Blocks>,
    source_version: Timestamp,
    on: bool,
}

/// The cloud, and everything that was done to real disks beside it.
struct World {
    cloud: Cloud,
    caller: Caller,
    now: Timestamp,
    sources: BTreeMap<(String, String), Machine>,
    /// By the action and the instance.
    volumes: BTreeMap<(String, String), Vec<Blocks>>,
    boots: Vec<Boot>,
    /// The version that each copy reads, by its task.
    reading: BTreeMap<String, Timestamp>,
    done: HashSet<String>,
}

impl World {
    fn new(generation: Generation) -> Self {
        let now: Timestamp = crate::clock::REHEARSAL_START.parse().unwrap();
        let scenario = Scenario { endpoints: Vec::new(), ..Scenario::of(NAMES) };
        let mut cloud = Cloud::new(1, generation, &scenario, now);
        cloud.register_worker(&scenario.worker, now);
        let caller = Caller { project: "p".into(), user: "u".into(), delegates: true };
        let all = ENDPOINTS.map(|(name, host)| (name, "vmware_vsphere", host)).into_iter();
        for (name, platform, host) in all.chain([("openstack", "openstack", "os")]) {
            let draft = EndpointDraft {
                name: name.into(),
                platform: platform.into(),
                description: None,
                connection_info: json!({"host": host, "endpoint": name}),
                mapped_regions: json!([]),
            };
            cloud.create_endpoint(&caller, draft, now).unwrap();
        }
        let sources =
            ["vc1", "vc2"].into_iter().flat_map(|place| NAMES.map(|name| (place.to_owned(), name.to_owned())));
        let sources = sources.map(|source| (source, Machine { on: true, version: now })).collect();
        Self {
            cloud,
            caller,
            now,
            sources,
            volumes: BTreeMap::new(),
            boots: Vec::new(),
            reading: BTreeMap::new(),
            done: HashSet::new(),
        }
    }

    /// Does it if it is not refused; the truth has to hold either way.
    fn perform(&mut self, deed: Deed) {
        let (caller, now) = (self.caller.clone(), self.now);
        let transfer = |world: &World, which: usize| {
            let all = &world.cloud.transfers;
            all.get(which % all.len().max(1)).map(|transfer| transfer.action.id.clone()).unwrap_or_default()
        };
        match deed {
            Deed::Create { endpoint, vms } => {
                let _ = self.cloud.create_transfer(&caller, &self.body(endpoint, vms), now);
            }
            Deed::Execute { which, shutdown } => {
                let id = transfer(self, which);
                let _ = self.cloud.execute(&caller, &id, shutdown, false, now);
            }
            Deed::Cancel { which, force } => {
                let id = transfer(self, which);
                let execution = self.cloud.executions(&caller, &id).last().map(|execution| execution.id.clone());
                let _ = self.cloud.cancel_execution(&caller, &id, &execution.unwrap_or_default(), force, now);
                let last = self.cloud.deployments.last().map(|deployment| deployment.action.id.clone());
                let _ = self.cloud.cancel_deployment(&caller, &last.filter(|_| force).unwrap_or_default(), true, now);
            }
            Deed::DeleteDisks { which } => {
                let id = transfer(self, which);
                let _ = self.cloud.delete_disks(&caller, &id, now);
            }
            Deed::Deploy { which, force, clone } => {
                let id = transfer(self, which);
                let body = json!({"force": force, "clone_disks": clone});
                let _ = self.cloud.deploy(&caller, &id, body.as_object().unwrap(), now);
            }
            Deed::Delete { which } => {
                let id = transfer(self, which);
                let _ = self.cloud.delete_transfer(&caller, &id, now);
            }
            Deed::Migrate { endpoint, vms, shutdown } => {
                let mut body = self.body(endpoint, vms);
                body.insert("shutdown_instances".into(), shutdown.into());
                let _ = self.cloud.migrate(&caller, &body, now);
            }
            Deed::Switch { endpoint, vm, on } => {
                let (name, host) = ENDPOINTS[endpoint];
                self.cloud.switch(NAMES[vm], Some(name), on, now).unwrap();
                let source = self.sources.get_mut(&(host.to_lowercase(), NAMES[vm].to_owned())).unwrap();
                source.on = on;
                source.write(now);
            }
            Deed::SwitchOffTarget { which } => {
                let all = self.cloud.deployments.iter().flat_map(|deployment| {
                    let of = |name: &String| (deployment.action.id.clone(), name.clone());
                    let booted = deployment.booted.iter().map(|booted| booted.id.clone());
                    booted.zip(deployment.action.instances.iter().map(of))
                });
                let all: Vec<(String, (String, String))> = all.collect();
                if let Some((id, of)) = all.get(which) {
                    self.cloud.switch(id, None, false, now).unwrap();
                    self.boots.iter_mut().find(|boot| boot.of == *of).unwrap().on = false;
                }
            }
        }
    }

    fn body(&self, endpoint: usize, vms: usize) -> Map<String, Value> {
        let instances = [&NAMES[..1], &NAMES[1..], &NAMES[..]][vms];
        let body = json!({
            "origin_endpoint_id": self.cloud.endpoints[endpoint].id,
            "destination_endpoint_id": self.cloud.endpoints[ENDPOINTS.len()].id,
            "instances": instances,
        });
        body.as_object().unwrap().clone()
    }

    /// Goes on tick by tick while there is work, and at once to the end of the time after it.
    fn pass(&mut self, ticks: usize) {
        for passed in 0..ticks {
            let executing = |transfer: &Transfer| transfer.running(self.now).is_some();
            let deploying = |deployment: &Deployment| deployment.is_active(self.now);
            if !self.cloud.transfers.iter().any(executing) && !self.cloud.deployments.iter().any(deploying) {
                self.now += TICK * i32::try_from(ticks - passed - 1).unwrap();
                return self.tick();
            }
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.now += TICK;
        self.cloud.catch_up(self.now);
        let now = self.now;
        self.sources.values_mut().for_each(|source| source.write(now));
        let executions = self.cloud.transfers.iter().flat_map(|transfer| {
            transfer.executions.iter().map(move |execution| (&transfer.action, &execution.plan, Some(execution.kind)))
        });
        let deployments = self.cloud.deployments.iter().filter_map(|deployment| {
            let direct = matches!(deployment.deployed, Deployed::Direct(_));
            Some((&deployment.action, deployment.plan.as_ref()?, direct.then_some(ExecutionKind::Transfer)))
        });
        let busy = |plan: &Plan| plan.end().0 >= now - TICK;
        for (action, plan, kind) in executions.chain(deployments).filter(|(_, plan, _)| busy(plan)) {
            let host = self.cloud.sites[&action.origin].place.clone();
            for (number, seen) in plan.seen(now).enumerate() {
                let task = format!("{} {number} {}", plan.id, seen.task.id);
                let instance = &seen.task.spec.instance;
                let source = self.sources.get_mut(&(host.clone(), instance.clone())).unwrap();
                let of = (action.id.clone(), instance.clone());
                let disks = self.cloud.machine(instance).unwrap().disks.len();
                let known = self.done.contains(&task);
                if seen.status.is_final() {
                    self.done.insert(task.clone());
                }
                let newly = seen.status == TaskStatus::Completed && !known;
                match seen.task.spec.kind {
                    "SHUTDOWN_INSTANCE" if newly => source.on = false,
                    "DEPLOY_TRANSFER_DISKS" | "CREATE_INSTANCE_DISKS" if newly => {
                        self.volumes.entry(of).or_insert_with(|| vec![vec![None; BLOCKS]; disks]);
                    }
                    "REPLICATE_DISKS" if seen.began.is_some() && !known => {
                        let read = *self.reading.entry(task).or_insert(source.version);
                        let bars = seen.task.spec.notes.iter().filter(|note| note.bar.is_some());
                        for (blocks, bar) in self.volumes.get_mut(&of).unwrap().iter_mut().zip(bars) {
                            let percent = if newly { 100 } else { seen.percent(bar).0 as usize };
                            blocks[..percent].fill(Some(read));
                        }
                    }
                    _ => {}
                }
            }
            let ended = plan.status(now) == Status::Completed && plan.end().0 == now;
            if ended && kind == Some(ExecutionKind::DisksDelete) {
                self.volumes.retain(|(of, _), _| *of != action.id);
            }
        }
        for deployment in &self.cloud.deployments {
            let action = &deployment.action;
            if !deployment.booted.is_empty() && self.done.insert(action.id.clone()) {
                let from = match &deployment.deployed {
                    Deployed::Transfer { id, .. } => id,
                    Deployed::Direct(_) => &action.id,
                };
                for instance in &action.instances {
                    let source = (self.cloud.sites[&action.origin].place.clone(), instance.clone());
                    let of = (from.clone(), instance.clone());
                    let (disks, source_version) = (self.volumes[&of].clone(), self.sources[&source].version);
                    let booted = (action.id.clone(), instance.clone());
                    self.boots.push(Boot { of: booted, source, disks, source_version, on: true });
                    if !action.clone_disks || *from == action.id {
                        self.volumes.remove(&of);
                    }
                }
            }
        }
    }

    /// The truth as it can be read from the blocks, in the order of the real one.
    fn told(&self) -> Value {
        // The sandbox lists machines by their deployments, this account by their boots.
        let mut machines: Vec<Value> = self.boots.iter().map(|boot| boot.content().into()).collect();
        machines.sort_by_key(Value::to_string);
        let volumes: Vec<&str> = (self.cloud.transfers.iter())
            .flat_map(|transfer| {
                transfer.action.instances.iter().map(|name| (transfer.action.id.clone(), name.clone()))
            })
            .flat_map(|of| self.volumes.get(&of).into_iter().flatten())
            .map(|blocks| match (blocks.iter().all(Option::is_none), version(blocks)) {
                (true, _) => "empty",
                (false, None) => "half",
                (false, Some(_)) => "whole",
            })
            .collect();
        let wrong = |(source, machine): (&(String, String), &Machine)| {
            let running: Vec<&Boot> = self.boots.iter().filter(|boot| boot.on && boot.source == *source).collect();
            let verdicts = [
                ("running_twice", usize::from(machine.on) + running.len() > 1),
                ("stale", running.iter().any(|boot| boot.content() == "stale")),
                ("half_copied", running.iter().any(|boot| boot.content() == "half")),
                ("source_off", !machine.on && running.is_empty()),
            ];
            let wrong: Vec<&str> = verdicts.iter().filter(|(_, is)| *is).map(|(word, _)| *word).collect();
            (format!("{} {}", source.0, source.1), json!([machine.on, machine.version, wrong]))
        };
        json!([machines, volumes, self.sources.iter().map(wrong).collect::<BTreeMap<_, _>>()])
    }

    /// The real truth in the same form.
    fn truth(&self) -> Value {
        let truth = self.cloud.truth(self.now);
        let mut machines: Vec<Value> = truth.machines.iter().map(|machine| json!(machine.content)).collect();
        machines.sort_by_key(Value::to_string);
        let volumes: Vec<VolumeContent> = truth.volumes.iter().map(|volume| volume.content).collect();
        let sources = truth.vms.iter().map(|vm| {
            let place = if vm.endpoint == "vc2" { "vc2" } else { "vc1" };
            (format!("{place} {}", vm.name), json!([vm.power == Switch::On, vm.written_at, vm.wrong]))
        });
        json!([machines, volumes, sources.collect::<BTreeMap<_, _>>()])
    }
}

impl Machine {
    fn write(&mut self, now: Timestamp) {
        if self.on {
            self.version = now;
        }
    }
}

impl Boot {
    fn content(&self) -> &'static str {
        let versions: HashSet<Option<Timestamp>> = self.disks.iter().map(|blocks| version(blocks)).collect();
        match Vec::from_iter(versions).as_slice() {
            [Some(version)] if *version == self.source_version => "current",
            [Some(_)] => "stale",
            _ => "half",
        }
    }
}

/// The version that all blocks have.
fn version(blocks: &[Option<Timestamp>]) -> Option<Timestamp> {
    blocks[0].filter(|_| blocks.iter().all(|block| *block == blocks[0]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_truth_is_what_stands_on_the_disks(legacy in any::<bool>(), deeds in deeds()) {
        let mut world = World::new(if legacy { Generation::Legacy } else { Generation::Current });
        for (deed, ticks) in deeds {
            world.perform(deed);
            world.pass(ticks);
            prop_assert_eq!(world.truth(), world.told(), "after {:?} at {}", deed, world.now);
        }
    }
}
