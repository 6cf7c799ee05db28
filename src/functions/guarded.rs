//! Asking the guards on fresh facts when a change is about to leave, and a person for the overrides that are used.

use std::cell::RefCell;

use jiff::Timestamp;
use serde_json::Value;

use crate::client::{Filters, Request, executions, schedules};
use crate::duration;
use crate::error::{Error, Kind, OVERRIDE, Result};
use crate::functions::guards::{
    Effects, Enabled, Facts, before_copy, before_deploy, is_deleted, of_machines, share_a_machine, status, switches_off,
};
use crate::functions::overrides::{Objection, Override, Overrides, overridden};
use crate::functions::resolve::{fetch, label};
use crate::runtime::call::Call;
use crate::runtime::lists;

/// The overrides of one call, and those that it has used.
pub struct Guarded {
    given: Overrides,
    /// The situations that were overridden, each said and asked about once.
    used: RefCell<Vec<String>>,
}

/// The overrides that let what was deployed before be copied again.
pub const COPY_AGAIN: &[Override] = &[Override::CopyAgain];
/// The same for a migration, which deploys as well.
pub const MIGRATE_AGAIN: &[Override] = &[Override::DeployAgain];

impl Guarded {
    pub fn new(given: impl Into<Overrides>) -> Self {
        Self { given: given.into(), used: RefCell::default() }
    }

    /// Lets a change pass if each objection to it is overridden. Somebody at a terminal is asked about each, once.
    ///
    /// # Errors
    /// `Refused`, with the consequence and the remedy, or because somebody said no; `NeedsAnswer`.
    pub fn pass(&self, call: &Call<'_>, objections: Vec<Objection>) -> Result<()> {
        for (name, objection) in overridden(objections, &self.given)? {
            let Objection { situation, consequence, .. } = objection;
            if self.used.borrow().contains(&situation) {
                continue;
            }
            let word = name.word();
            let gate = call.gate(&word.replace('_', " "));
            if call.is_attended(&gate) {
                let question = format!("{situation}: {consequence}. Go on, since the runbook says `{word}: true`?");
                match call.ask(&gate, &question)? {
                    Some(answer) if answer.is_yes() => {}
                    Some(answer) => {
                        return Err(Error::new(
                            Kind::Refused,
                            format!("{situation}: {} said no to `{word}: true`", answer.by),
                        )
                        .detail(OVERRIDE, word));
                    }
                    None => return Err(call.waits_for(&gate, &question)),
                }
            }
            call.warn(format!("override `{word}`: {situation}: {consequence}"));
            self.used.borrow_mut().push(situation);
        }
        Ok(())
    }

    /// Asks ahead of the time when the change leaves, so that no other change waits while somebody thinks about it.
    ///
    /// # Errors
    /// Those of `guard`.
    pub fn ask_ahead<T>(
        &self,
        call: &Call<'_>,
        request: &Request,
        guard: &dyn Fn(&Call<'_>) -> Result<T>,
    ) -> Result<()> {
        if !self.given.is_empty() && call.is_new(request) && call.is_attended("") {
            guard(call)?;
        }
        Ok(())
    }
}

/// The objections to deploying a replica right now, `executions` being its newest ones.
///
/// # Errors
/// Those of the server or the network.
pub fn to_deploy(
    call: &Call<'_>,
    transfer: &Value,
    requires: Option<&str>,
    (executions, deployments): (&[Value], &[Value]),
) -> Result<Vec<Objection>> {
    let there = There::of(call, transfer, deployments)?;
    Ok(before_deploy(&there.facts(call, executions), requires))
}

/// The objections to joining a running deployment of a replica: its own record is none.
///
/// # Errors
/// Those of the server or the network.
pub fn to_join(
    call: &Call<'_>,
    transfer: &Value,
    requires: Option<&str>,
    executions: &[Value],
) -> Result<Vec<Objection>> {
    let there = There { deployments: Vec::new(), schedules: Vec::new(), ..There::of(call, transfer, &[])? };
    Ok(before_deploy(&Facts { foreign: None, ..there.facts(call, executions) }, requires))
}

/// The objections to executing a replica right now, `newest` being its newest executions, at most `window`.
///
/// Copies that leave the source on are many and do little harm: for them a recent list tells if a closer look is
/// needed.
///
/// # Errors
/// Those of the server or the network.
pub fn to_copy(
    call: &Call<'_>,
    id: &str,
    effects: Effects,
    again: &'static [Override],
    (newest, window): (&[Value], usize),
) -> Result<Vec<Objection>> {
    let transfer = recent(call, id)?;
    let deployed = |known: &[Value]| of_machines(known, &transfer).iter().any(|known| status(known).is_alive());
    let is_harmless = effects == Effects::default()
        && !newest.iter().any(switches_off)
        && !deployed(&lists::deployments(call)?)
        && !deployed(call.deployed_by_others());
    if is_harmless {
        return Ok(Vec::new());
    }
    let there = There::of(call, &transfer, &lists::deployments_ever(call)?)?;
    let all = if newest.len() >= window {
        call.read_list(&executions::list(call.generation()?, id, &Filters::default()))?
    } else {
        newest.to_vec()
    };
    Ok(before_copy(&there.facts(call, &all), effects, again))
}

/// The objections to migrating machines that need not have a replica: `machines` has their origin and names.
///
/// # Errors
/// Those of the server or the network.
pub fn to_migrate(call: &Call<'_>, machines: &Value, effects: Effects) -> Result<Vec<Objection>> {
    let there = There::of(call, machines, &lists::deployments_ever(call)?)?;
    Ok(before_copy(&there.facts(call, &[]), effects, MIGRATE_AGAIN))
}

/// The objections to a schedule of a replica that copies with these effects; `except` is the schedule itself.
///
/// # Errors
/// Those of the server or the network.
pub fn to_schedule(call: &Call<'_>, id: &str, effects: Effects, except: Option<&str>) -> Result<Vec<Objection>> {
    let transfer = fetch(call, id)?;
    let mut there = There::of(call, &transfer, &lists::deployments_ever(call)?)?;
    there.schedules.retain(|schedule| except != Some(schedule.id.as_str()));
    let all = call.read_list(&executions::list(call.generation()?, id, &Filters::default()))?;
    Ok(before_copy(&Facts { foreign: None, ..there.facts(call, &all) }, effects, COPY_AGAIN))
}

/// The schedules of a transfer that will execute it, also after its end.
///
/// # Errors
/// Those of the server or the network.
pub fn enabled_schedules(call: &Call<'_>, transfer: &str) -> Result<Vec<Enabled>> {
    let all = call.read_list(&schedules::list(call.generation()?, transfer, true))?;
    let now = call.host.clock.now();
    Ok(all.iter().filter(|schedule| fires(schedule, now)).filter_map(enabled).collect())
}

/// The state of the cloud around some machines.
struct There {
    label: String,
    id: Option<String>,
    deployments: Vec<Value>,
    transfers: Vec<Value>,
    others: Vec<String>,
    schedules: Vec<Enabled>,
}

impl There {
    /// Reads what is not known yet. `deployments` are those of all machines.
    fn of(call: &Call<'_>, machines: &Value, deployments: &[Value]) -> Result<Self> {
        let id = machines["id"].as_str().map(str::to_owned);
        let transfers = lists::transfers_now(call)?;
        let others = transfers
            .iter()
            .filter(|other| share_a_machine(other, machines))
            .filter_map(|other| other["id"].as_str())
            .filter(|other| id.as_deref() != Some(other))
            .map(str::to_owned)
            .collect();
        let schedules = match &id {
            Some(id) => enabled_schedules(call, id)?,
            None => Vec::new(),
        };
        let known = |other: &Value| deployments.iter().any(|deployment| deployment["id"] == other["id"]);
        let mut forgotten = of_machines(call.deployed_by_others(), machines);
        forgotten.retain(|other| !known(other));
        let deployments = [of_machines(deployments, machines), forgotten].concat();
        Ok(Self { label: label(machines), id, deployments, transfers, others, schedules })
    }

    fn facts<'a>(&'a self, call: &Call<'_>, executions: &'a [Value]) -> Facts<'a> {
        let foreign = |execution: &&Value| {
            status(execution).is_active() && !execution["id"].as_str().is_some_and(|id| call.knows_id(id))
        };
        Facts {
            label: &self.label,
            transfer: self.id.as_deref(),
            executions,
            deployments: &self.deployments,
            transfers: &self.transfers,
            others: &self.others,
            schedules: &self.schedules,
            foreign: executions.iter().find(foreign),
        }
    }
}

/// A replica according to a recent list, or to the server: its origin and machines never change.
fn recent(call: &Call<'_>, id: &str) -> Result<Value> {
    match lists::transfers(call)?.iter().find(|transfer| transfer["id"] == id) {
        Some(known) => Ok(known.clone()),
        None => fetch(call, id),
    }
}

fn fires(schedule: &Value, now: Timestamp) -> bool {
    let end = schedule["expiration_date"].as_str().and_then(duration::server_time);
    schedule["enabled"] != false && !is_deleted(schedule) && end.is_none_or(|end| end > now)
}

fn enabled(schedule: &Value) -> Option<Enabled> {
    let time = schedule["schedule"].as_object();
    let parts: Vec<String> =
        schedules::PARTS.iter().filter_map(|part| time?.get(*part).map(|value| format!("{part} {value}"))).collect();
    let time = if parts.is_empty() { "every minute".to_owned() } else { parts.join(", ") };
    Some(Enabled { id: schedule["id"].as_str()?.to_owned(), time })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_still_runs_is_enabled() {
        let now: Timestamp = "2026-06-01T20:00:00Z".parse().expect("a time");
        let schedule = |enabled: bool, end: Value| json!({"enabled": enabled, "expiration_date": end});
        assert!(fires(&schedule(true, json!(null)), now));
        assert!(fires(&schedule(true, json!("2026-06-01T20:00:01.000000")), now));
        assert!(!fires(&schedule(true, json!("2026-06-01T19:00:00.000000")), now));
        assert!(!fires(&schedule(false, json!(null)), now));
        let time = |time: Value| enabled(&json!({"id": "S", "schedule": time})).map(|found| found.time);
        assert_eq!(time(json!({"hour": 2, "minute": 30})).as_deref(), Some("minute 30, hour 2"));
        assert_eq!(time(json!({})).as_deref(), Some("every minute"));
    }
}
