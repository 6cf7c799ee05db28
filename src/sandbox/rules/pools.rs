//! Minion pools: machines that are kept ready for the work of transfers and deployments.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::providers::{Needs, unknown_pool_setting};
use super::regions::required;
use super::transfers::unclassed;
use crate::model::{MachineStatus, PoolStatus};
use crate::sandbox::world::scenario::Role;
use crate::sandbox::world::{Action, Caller, Cloud, Pool, Refusal, Story, empty, notes, python, role_word};

const SYSTEMS: [&str; 5] = ["bsd", "linux", "osx", "solaris", "windows"];
/// The shortest time that an execution waits for its machines, and the time until it learns that there are none.
const HANDED_OVER: SignedDuration = SignedDuration::from_secs(10);

/// The machines that an action wants, by pool, with their purpose.
pub(super) type Wanted<'own> = BTreeMap<&'own str, (&'static str, usize)>;

impl Cloud {
    pub(in crate::sandbox) fn pools<'cloud>(
        &'cloud self,
        caller: &'cloud Caller,
    ) -> impl Iterator<Item = &'cloud Pool> {
        self.pools.iter().filter(|pool| !pool.deleted && pool.project == caller.project)
    }

    pub(in crate::sandbox) fn pool(&self, caller: &Caller, id: &str) -> Result<&Pool, Refusal> {
        self.pool_position(caller, id).map(|position| &self.pools[position])
    }

    fn pool_position(&self, caller: &Caller, id: &str) -> Result<usize, Refusal> {
        let unknown = || Refusal::missing(format!("Minion pool with ID '{id}' not found.")).classed("NotFound");
        let own = |pool: &Pool| !pool.deleted && pool.project == caller.project && pool.id == id;
        self.pools.iter().position(own).ok_or_else(unknown)
    }

    pub(in crate::sandbox) fn create_pool(
        &mut self,
        caller: &Caller,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Pool, Refusal> {
        let [name, endpoint, platform, os_type] = [
            required(body, "minion_pool", "name")?,
            required(body, "minion_pool", "endpoint_id")?,
            required(body, "minion_pool", "platform")?,
            required(body, "minion_pool", "os_type")?,
        ];
        let role = match platform.as_str() {
            "source" => Role::Source,
            "destination" => Role::Destination,
            _ => {
                return Err(Refusal::input(format!(
                    "The provided pool platform ('{platform}') is invalid. Must be one of the following: ['source', \
                     'destination']"
                )));
            }
        };
        system_checked(&os_type, role)?;
        let (minimum, maximum, idle) = numbers(body, (1, None, 1))?;
        let retention = retention(body)?.unwrap_or_else(|| "delete".into());
        let environment = body.get("environment_options").cloned().unwrap_or_else(empty);
        self.pool_environment_checked(caller, &endpoint, role, &environment)?;
        if !caller.delegates {
            return Err(Refusal::internal());
        }
        let count = self.count("pool", &name).to_string();
        self.pools.push(Pool {
            id: self.draw(&["pool", &name, &count]).uuid(),
            project: caller.project.clone(),
            user: caller.user.clone(),
            notes: notes(body.get("notes")),
            endpoint,
            platform: role,
            os_type,
            environment,
            minimum,
            maximum,
            idle,
            retention,
            trust: self.draw(&["pool trust", &name, &count]).hex(),
            name,
            created: now,
            story: Story::new(now),
            deleted: false,
        });
        let position = self.pools.len() - 1;
        if !body.get("skip_allocation").and_then(Value::as_bool).unwrap_or(false) {
            self.begin_allocation(position, PoolStatus::Deallocated, now);
        }
        Ok(&self.pools[position])
    }

    /// # Errors
    /// 400 for every mistake, even where another call would answer 404 or 503.
    fn pool_environment_checked(
        &self,
        caller: &Caller,
        endpoint: &str,
        role: Role,
        environment: &Value,
    ) -> Result<(), Refusal> {
        let input = |refusal: Refusal| Refusal::input(refusal.message);
        let endpoint = self.endpoint(caller, endpoint).map_err(input)?;
        let needs = if role == Role::Source { Needs::SourcePool } else { Needs::DestinationPool };
        self.capable(endpoint, needs).map_err(input)?;
        let words = format!("{} minion pool environment", role_word(role));
        let failed = |problem: String| {
            Refusal::input(format!(
                "Invalid {words}: Schema validation failed: {problem}\n\nFailed validating the schema of the {words}"
            ))
        };
        let Some(fields) = environment.as_object() else {
            return Err(failed(format!("{} is not of type 'object'", python(environment))));
        };
        let platform = self.platforms.iter().find(|platform| platform.name == endpoint.platform);
        match platform.and_then(|platform| unknown_pool_setting(platform, fields)) {
            Some(key) => Err(failed(format!("Additional properties are not allowed ('{key}' was unexpected)"))),
            None => Ok(()),
        }
    }

    pub(in crate::sandbox) fn update_pool(
        &mut self,
        caller: &Caller,
        id: &str,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Pool, Refusal> {
        let position = self.pool_position(caller, id)?;
        for key in ["endpoint_id", "platform"] {
            if body.contains_key(key) {
                return Err(Refusal::input(format!("The '{key}' of a minion pool cannot be updated.")));
            }
        }
        let pool = &self.pools[position];
        let status = pool.story.seen(now).status;
        let own = (pool.minimum, Some(pool.maximum), pool.idle);
        let (minimum, maximum, idle) = numbers(body, own)?;
        let retention = retention(body)?;
        let os_type = body.get("os_type").and_then(Value::as_str).map(String::from);
        if let Some(os_type) = &os_type {
            system_checked(os_type, pool.platform)?;
        }
        if status != PoolStatus::Deallocated {
            // The service's own spelling.
            return Err(Refusal::bad(format!(
                "Minion Pool '{id}' cannot be updated as it is in '{status}' status instead of the expected \
                 'DEALLOCATED'. Please ensure the pool machineshave been deallocated and the pool's supporting \
                 resources have been torn down before updating the pool."
            )));
        }
        let environment = body.get("environment_options").cloned();
        if let Some(environment) = &environment {
            self.pool_environment_checked(caller, &pool.endpoint, pool.platform, environment)?;
        }
        let pool = &mut self.pools[position];
        if let Some(name) = body.get("name").and_then(Value::as_str) {
            pool.name = name.into();
        }
        if body.contains_key("notes") {
            pool.notes = notes(body.get("notes"));
        }
        (pool.minimum, pool.maximum, pool.idle) = (minimum, maximum, idle);
        pool.os_type = os_type.unwrap_or_else(|| pool.os_type.clone());
        pool.retention = retention.unwrap_or_else(|| pool.retention.clone());
        pool.environment = environment.unwrap_or_else(|| pool.environment.clone());
        pool.story.updated(now);
        Ok(pool)
    }

    pub(in crate::sandbox) fn delete_pool(&mut self, caller: &Caller, id: &str, now: Timestamp) -> Result<(), Refusal> {
        let position = self.pool_position(caller, id).map_err(unclassed)?;
        let status = self.pools[position].story.seen(now).status;
        if !matches!(status, PoolStatus::Deallocated | PoolStatus::Error) {
            return Err(Refusal::bad(format!(
                "Minion Pool '{id}' cannot be deleted as it is in '{status}' status instead of one of the expected \
                 '['DEALLOCATED', 'ERROR']'. Please ensure the pool machines have been deallocated and the pool's \
                 supporting resources have been torn down before deleting the pool."
            )));
        }
        self.pools[position].deleted = true;
        Ok(())
    }

    pub(in crate::sandbox) fn allocate_pool(
        &mut self,
        caller: &Caller,
        id: &str,
        now: Timestamp,
    ) -> Result<&Pool, Refusal> {
        let advice = " Please force-deallocate the pool and try again.";
        let position = self.pool_in(PoolStatus::Deallocated, (caller, id), "allocated", advice, now)?;
        self.begin_allocation(position, PoolStatus::InMaintenance, now);
        Ok(&self.pools[position])
    }

    /// The position of a pool in the wanted state, without which its machines cannot be so `changed`.
    fn pool_in(
        &self,
        wanted: PoolStatus<'_>,
        (caller, id): (&Caller, &str),
        changed: &str,
        advice: &str,
        now: Timestamp,
    ) -> Result<usize, Refusal> {
        let position = self.pool_position(caller, id).map_err(unclassed)?;
        let status = self.pools[position].story.seen(now).status;
        if status == wanted {
            return Ok(position);
        }
        Err(Refusal::bad(format!(
            "Minion machines for pool '{id}' cannot be {changed} as the pool is in '{status}' state instead of the \
             expected ['{wanted}'].{advice}"
        )))
    }

    fn begin_allocation(&mut self, position: usize, since: PoolStatus<'static>, now: Timestamp) {
        let id = self.pools[position].id.clone();
        let machines: Vec<String> = (0..self.pools[position].minimum).map(|_| self.new_minion(&id)).collect();
        let takes = self.pools[position].boots(self.seed);
        let pool = &mut self.pools[position];
        let flaw = pool.flaw();
        pool.story.allocate(now, since, &machines, takes, flaw);
    }

    fn new_minion(&mut self, pool: &str) -> String {
        let count = self.count("minion", pool).to_string();
        self.draw(&["minion", pool, &count]).uuid()
    }

    pub(in crate::sandbox) fn refresh_pool(
        &mut self,
        caller: &Caller,
        id: &str,
        now: Timestamp,
    ) -> Result<&Pool, Refusal> {
        let position = self.pool_in(PoolStatus::Allocated, (caller, id), "healthchecked", "", now)?;
        self.pools[position].story.refresh(now);
        Ok(&self.pools[position])
    }

    /// Deallocates a pool; for a deallocated one this does nothing, and is not an error.
    pub(in crate::sandbox) fn deallocate_pool(
        &mut self,
        caller: &Caller,
        id: &str,
        force: bool,
        now: Timestamp,
    ) -> Result<&Pool, Refusal> {
        let position = self.pool_position(caller, id).map_err(unclassed)?;
        let seen = self.pools[position].story.seen(now);
        if seen.status == PoolStatus::Deallocated {
            return Ok(&self.pools[position]);
        }
        if !force && !matches!(seen.status, PoolStatus::Allocated | PoolStatus::Error) {
            return Err(Refusal::bad(format!(
                "Minion pool '{id}' cannot be deallocated as the pool is in '{}' state instead of one of the \
                 expected ['ALLOCATED', 'ERROR']",
                seen.status
            )));
        }
        let busy = seen.machines.iter().filter(|machine| machine.state.allocation != MachineStatus::Available);
        let busy: Vec<String> =
            busy.map(|machine| format!("'{}': '{}'", machine.id, machine.state.allocation)).collect();
        if !force && !busy.is_empty() {
            let busy = busy.join(", ");
            return Err(Refusal::bad(format!(
                "Minion pool '{id}' has one or more machines which are in an active state: {{{busy}}}"
            )));
        }
        self.pools[position].story.deallocate(now);
        Ok(&self.pools[position])
    }

    /// # Errors
    /// 404 for the first unknown pool that an action names.
    pub(super) fn pools_exist(&self, caller: &Caller, action: &Action) -> Result<(), Refusal> {
        let named = [&action.origin_pool, &action.destination_pool].into_iter().flatten().map(String::as_str);
        for id in named.chain(action.morphing_pools.values().map(String::as_str)) {
            if self.pool_position(caller, id).is_err() {
                return Err(Refusal::missing(format!("Could not find minion pool with ID '{id}'.")).classed("NotFound"));
            }
        }
        Ok(())
    }

    /// Reserves machines for a copy; returns the time from which they can be used, `None` if no pool is wanted.
    ///
    /// # Errors
    /// 400 for a pool that is not allocated.
    pub(super) fn take_for_copy(&mut self, action: &Action, now: Timestamp) -> Result<Option<Taken>, Refusal> {
        let pools = [(&action.origin_pool, "source"), (&action.destination_pool, "destination")];
        let count = action.instances.len();
        let wanted = pools.iter().filter_map(|(pool, word)| Some((pool.as_deref()?, (*word, count)))).collect();
        self.take(action, &wanted, now)
    }

    /// The same for the OS morphing of a deployment.
    pub(super) fn take_for_morphing(&mut self, action: &Action, now: Timestamp) -> Result<Option<Taken>, Refusal> {
        self.take(action, &morphing_wishes(action), now)
    }

    /// # Errors
    /// 400 for the first pool that is not allocated.
    pub(super) fn pools_allocated(&self, wanted: &Wanted<'_>, action: &str, now: Timestamp) -> Result<(), Refusal> {
        for (id, (word, _)) in wanted {
            let found = self.pools.iter().find(|pool| !pool.deleted && pool.id == **id);
            let status = found.map_or(PoolStatus::Deallocated, |pool| pool.story.seen(now).status);
            if status != PoolStatus::Allocated {
                return Err(Refusal::bad(format!(
                    "Minion Pool '{id}' is an invalid state ('{status}') to be used as a {word} pool for action \
                     '{action}'. The pool must be in 'ALLOCATED' status."
                )));
            }
        }
        Ok(())
    }

    fn take(&mut self, action: &Action, wanted: &Wanted<'_>, now: Timestamp) -> Result<Option<Taken>, Refusal> {
        self.pools_allocated(wanted, &action.id, now)?;
        if wanted.is_empty() {
            return Ok(None);
        }
        let room = wanted.iter().all(|(id, (_, count))| self.room(id, now) >= *count);
        if !room {
            return Ok(Some(Taken::Nothing(now + HANDED_OVER)));
        }
        let starts = wanted.iter().map(|(id, (_, count))| self.reserve(id, *count, &action.id, now)).max();
        Ok(starts.map(Taken::From))
    }

    /// The number of machines that a pool can still give: free ones, and those that it may add.
    fn room(&self, id: &str, now: Timestamp) -> usize {
        let Some(pool) = self.pools.iter().find(|pool| pool.id == id) else { return 0 };
        let seen = pool.story.seen(now);
        let free = seen.machines.iter().filter(|machine| machine.state.allocation == MachineStatus::Available).count();
        free + (pool.maximum.max(0) as usize).saturating_sub(seen.machines.len())
    }

    fn reserve(&mut self, id: &str, count: usize, action: &str, now: Timestamp) -> Timestamp {
        let Some(position) = self.pools.iter().position(|pool| pool.id == id) else { return now };
        let mut starts = now + HANDED_OVER;
        for _ in 0..count {
            let seen = self.pools[position].story.seen(now);
            let free = seen.machines.iter().find(|machine| machine.state.allocation == MachineStatus::Available);
            if let Some(machine) = free.map(|machine| machine.id.to_owned()) {
                self.pools[position].story.reserve(&machine, action, now, now + HANDED_OVER);
                continue;
            }
            let machine = self.new_minion(id);
            let takes = self.pools[position].boots(self.seed);
            let story = &mut self.pools[position].story;
            story.grow(&machine, now, takes);
            story.reserve(&machine, action, now + takes, now + takes + HANDED_OVER);
            starts = starts.max(now + takes + HANDED_OVER);
        }
        starts
    }

    /// Releases the machines of an action that has ended.
    pub(super) fn release_minions(&mut self, action: &str, at: Timestamp) {
        for pool in &mut self.pools {
            pool.story.release(action, at);
        }
    }
}

/// The machines that prepare the OS of an action's instances.
pub(super) fn morphing_wishes(action: &Action) -> Wanted<'_> {
    let mut wanted = Wanted::new();
    for pool in action.morphing_pools.values() {
        wanted.entry(pool).or_insert(("OSMorphing", 0)).1 += 1;
    }
    wanted
}

/// The result of asking for machines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Taken {
    /// They can be used from this time on.
    From(Timestamp),
    /// There are not enough, which is reported at this time.
    Nothing(Timestamp),
}

fn system_checked(os_type: &str, role: Role) -> Result<(), Refusal> {
    if !SYSTEMS.contains(&os_type) {
        return Err(Refusal::input(format!(
            "The provided pool OS type '{os_type}' is invalid. Must be one of the following: ['bsd', 'linux', 'osx', \
             'solaris', 'windows']"
        )));
    }
    if role == Role::Source && os_type != "linux" {
        return Err(Refusal::input(format!(
            "Source Minion Pools are required to be of OS type 'linux', not '{os_type}'."
        )));
    }
    Ok(())
}

fn retention(body: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let Some(strategy) = body.get("minion_retention_strategy").filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    match strategy.as_str() {
        Some(known @ ("delete" | "poweroff")) => Ok(Some(known.into())),
        _ => Err(Refusal::input(format!(
            "Invalid minion pool retention strategy {}. Must be one of the following: ['delete', 'poweroff']",
            python(strategy)
        ))),
    }
}

/// The smallest and the largest number of machines, and the time that one may idle.
fn numbers(
    body: &Map<String, Value>,
    (minimum, maximum, idle): (i64, Option<i64>, i64),
) -> Result<(i64, i64, i64), Refusal> {
    let positive = |key: &str| match body.get(key).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => {
            let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
            let refused =
                || Refusal::input(format!("'{key}' must be a strictly positive integer. Got: {}", bare(value)));
            number.filter(|number| *number > 0).map(Some).ok_or_else(refused)
        }
    };
    let given = positive("minimum_minions")?;
    let minimum = given.unwrap_or(minimum);
    let maximum = positive("maximum_minions")?.or(maximum).unwrap_or(minimum);
    if maximum < minimum {
        return Err(Refusal::input(format!(
            "'maximum_minions' value ({maximum}) must be at least as large as the 'minimum_minions' value ({minimum})."
        )));
    }
    Ok((minimum, maximum, positive("minion_max_idle_time")?.unwrap_or(idle)))
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| python(value), String::from)
}
