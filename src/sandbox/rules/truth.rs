//! The truth, as it follows from the facts; and the person who switches machines on and off.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::sandbox::world::truth::{
    Content, CopiedVolume, SourceVm, Switch, TargetMachine, Truth, VolumeContent, Wrong, vms_with,
};
use crate::sandbox::world::{Action, Booted, Cloud, Deployed, Held, Plan, Power, Refusal, Switched};

/// The path at which it is served; the catalog has it.
pub(in crate::sandbox) const TRUTH_PREFIX: &str = "/sandbox";

/// A source: its place and its name.
type Source<'cloud> = (&'cloud str, &'cloud str);

/// The switch of each source that was ever used.
struct Powers<'cloud>(HashMap<Source<'cloud>, Power>);

impl Cloud {
    /// The truth at `now`, which everything has caught up with.
    pub(in crate::sandbox) fn truth(&self, now: Timestamp) -> Truth {
        let powers = self.powers(now);
        let machines: Vec<(Source<'_>, TargetMachine)> = self
            .deployments
            .iter()
            .flat_map(|deployment| deployment.booted.iter().map(move |booted| (deployment, booted)))
            .map(|(deployment, booted)| {
                let transfer = match &deployment.deployed {
                    Deployed::Transfer { id, .. } => Some(id.clone()),
                    Deployed::Direct(_) => None,
                };
                let source = self.source(&deployment.action, &booted.instance);
                (source, self.target_machine(&deployment.action, transfer, booted, powers.of(source)))
            })
            .collect();
        let mut running: HashMap<Source<'_>, Vec<&TargetMachine>> = HashMap::new();
        for (source, machine) in machines.iter().filter(|(_, machine)| machine.power == Switch::On) {
            running.entry(*source).or_default().push(machine);
        }
        let places = self.source_places();
        let sources = places.iter().flat_map(|place| self.machines.iter().map(move |machine| (place, &machine.name)));
        let vms: Vec<SourceVm> = sources
            .map(|((place, endpoint), name)| {
                let source: Source<'_> = (place, name);
                let running = running.get(&source).map_or(&[][..], Vec::as_slice);
                source_vm(name, endpoint, powers.of(source), running, now)
            })
            .collect();
        let named = |wrong| vms_with(&vms, wrong).map(|vm| vm.name.clone()).collect();
        Truth {
            at: now,
            running_twice: named(Wrong::RunningTwice),
            stale: named(Wrong::Stale),
            half_copied: named(Wrong::HalfCopied),
            sources_off: named(Wrong::SourceOff),
            volumes: self.copied_volumes(&powers, now),
            machines: machines.into_iter().map(|(_, machine)| machine).collect(),
            vms,
        }
    }

    /// Switches a source by its name, or a machine on the target by its id, as a person does.
    ///
    /// # Errors
    /// 404 for an unknown one, 400 for a name that sources of several endpoints have.
    pub(in crate::sandbox) fn switch(
        &mut self,
        name: &str,
        endpoint: Option<&str>,
        on: bool,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let booted = self.deployments.iter_mut().flat_map(|deployment| &mut deployment.booted);
        if let Some(booted) = booted.into_iter().find(|booted| booted.id == name) {
            booted.on = on;
            return Ok(());
        }
        let leads_to = |place: &str, wanted: &str| {
            let mut sites = self.sites.iter();
            sites.any(|(id, site)| site.place == place && (id == wanted || site.endpoint == wanted))
        };
        let mut places = self.source_places();
        places.retain(|(place, _)| endpoint.is_none_or(|wanted| leads_to(place, wanted)));
        let (place, machine) = match (places.as_slice(), self.machine(name)) {
            ([(place, _)], Some(machine)) => ((*place).to_owned(), machine.name.clone()),
            ([_, _, ..], Some(_)) => {
                return Err(Refusal::bad(format!("several endpoints have a VM '{name}': name the endpoint as well")));
            }
            _ => return Err(Refusal::missing(format!("VM '{name}' could not be found."))),
        };
        self.switched.push(Switched { at: now, place, machine, on });
        Ok(())
    }

    fn powers(&self, now: Timestamp) -> Powers<'_> {
        let mut changes: HashMap<Source<'_>, Vec<(Timestamp, bool)>> = HashMap::new();
        let executions = self
            .transfers
            .iter()
            .flat_map(|transfer| transfer.executions.iter().map(move |execution| (&transfer.action, &execution.plan)));
        let deployments =
            self.deployments.iter().filter_map(|deployment| Some((&deployment.action, deployment.plan.as_ref()?)));
        let plans: Vec<(&Action, &Plan)> = executions.chain(deployments).collect();
        for (action, plan) in plans {
            for (instance, at) in plan.shut_down(now) {
                changes.entry(self.source(action, instance)).or_default().push((at, false));
            }
        }
        for switched in self.switched.iter().filter(|switched| switched.at <= now) {
            let source = (switched.place.as_str(), switched.machine.as_str());
            changes.entry(source).or_default().push((switched.at, switched.on));
        }
        Powers(changes.into_iter().map(|(source, changes)| (source, Power::of(changes))).collect())
    }

    /// The source of an instance, which may be named by its path.
    fn source<'own>(&'own self, action: &'own Action, instance: &'own str) -> Source<'own> {
        let place = self.sites.get(&action.origin).map_or(&action.origin, |site| &site.place);
        (place, self.machine(instance).map_or(instance, |machine| &machine.name))
    }

    /// The name of an endpoint, also of a deleted one.
    fn endpoint_name(&self, id: &str) -> &str {
        self.sites.get(id).map_or("", |site| &site.endpoint)
    }

    /// The places with sources, in the order of their endpoints, each with the name of its first one.
    fn source_places(&self) -> Vec<(&str, &str)> {
        let mut places: Vec<(&str, &str)> = Vec::new();
        let used = self.transfers.iter().map(|transfer| &transfer.action.origin);
        let used = used.chain(self.deployments.iter().map(|deployment| &deployment.action.origin));
        let listing = self.endpoints.iter().filter(|endpoint| self.is_source(endpoint)).map(|endpoint| &endpoint.id);
        for site in listing.chain(used).filter_map(|id| self.sites.get(id)) {
            if !places.iter().any(|(place, _)| *place == site.place) {
                places.push((&site.place, &site.endpoint));
            }
        }
        places
    }

    fn target_machine(
        &self,
        action: &Action,
        transfer: Option<String>,
        booted: &Booted,
        power: &Power,
    ) -> TargetMachine {
        let source_written_at = power.written(booted.at);
        let content = match one_version(booted.held, power) {
            None => Content::Half,
            Some(version) if version < source_written_at => Content::Stale,
            Some(_) => Content::Current,
        };
        TargetMachine {
            id: booted.id.clone(),
            name: booted.instance.clone(),
            endpoint: self.endpoint_name(&action.origin).into(),
            destination: self.endpoint_name(&action.destination).into(),
            power: Switch::of(booted.on),
            content,
            written_at: booted.held.oldest.map(|read| power.written(read)),
            source_written_at,
            booted_at: booted.at,
            deployment_id: action.id.clone(),
            transfer_id: transfer,
        }
    }

    /// The volumes of all replicas, with what a running copy has written so far.
    fn copied_volumes(&self, powers: &Powers<'_>, now: Timestamp) -> Vec<CopiedVolume> {
        let mut volumes = Vec::new();
        for transfer in &self.transfers {
            let action = &transfer.action;
            for (name, copied) in action.instances.iter().zip(&transfer.copies) {
                let power = powers.of(self.source(action, name));
                let copied = match transfer.running(now) {
                    Some(execution) => copied.clone().after(self.seed, execution, name, self.disks_of(name), now),
                    None => copied.clone(),
                };
                volumes.extend(copied.volumes.into_iter().map(|volume| CopiedVolume {
                    content: match (one_version(volume.held, power), volume.held.newest) {
                        (Some(_), _) => VolumeContent::Whole,
                        (None, Some(_)) => VolumeContent::Half,
                        (None, None) => VolumeContent::Empty,
                    },
                    written_at: volume.held.oldest.map(|read| power.written(read)),
                    id: volume.id,
                    vm: name.clone(),
                    endpoint: self.endpoint_name(&action.origin).into(),
                    transfer_id: action.id.clone(),
                    left_behind: action.deleted.is_some(),
                }));
            }
        }
        volumes
    }
}

/// A source, and the machines on the target that run beside it.
fn source_vm(name: &str, endpoint: &str, power: &Power, running: &[&TargetMachine], now: Timestamp) -> SourceVm {
    let on = power.is_on(now);
    let booted = |content| running.iter().any(|machine| machine.content == content);
    let verdicts = [
        (Wrong::RunningTwice, usize::from(on) + running.len() > 1),
        (Wrong::Stale, booted(Content::Stale)),
        (Wrong::HalfCopied, booted(Content::Half)),
        (Wrong::SourceOff, !on && running.is_empty()),
    ];
    SourceVm {
        name: name.into(),
        endpoint: endpoint.into(),
        power: Switch::of(on),
        written_at: power.written(now),
        machines: running.iter().map(|machine| machine.id.clone()).collect(),
        wrong: verdicts.into_iter().filter(|(_, is)| *is).map(|(wrong, _)| wrong).collect(),
    }
}

impl<'cloud> Powers<'cloud> {
    fn of(&self, source: Source<'cloud>) -> &Power {
        self.0.get(&source).unwrap_or(Power::ALWAYS_ON)
    }
}

/// The version of the source that these blocks are, if they are of one.
fn one_version(held: Held, power: &Power) -> Option<Timestamp> {
    let (oldest, newest) = (power.written(held.oldest?), power.written(held.newest?));
    (oldest == newest).then_some(oldest)
}

#[cfg(test)]
mod tests;
