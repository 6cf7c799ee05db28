//! Schedules of transfers: exact matches of minute, hour, day, month and weekday, in UTC. They outlive their transfer.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde_json::{Map, Value};

use super::transfers::unclassed;
use crate::sandbox::world::{Caller, Cloud, Due, Refusal, Schedule, empty, python};

/// The fields of a schedule with their inclusive bounds.
const FIELDS: [(&str, i64, i64); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("dom", 1, 31), ("month", 1, 12), ("dow", 0, 6)];
/// The fields of a body; missing ones stay unchanged.
#[derive(Default)]
struct Wishes {
    schedule: Option<Value>,
    enabled: Option<bool>,
    shutdown_instance: Option<bool>,
    auto_deploy: Option<bool>,
    expiration: Option<Option<Timestamp>>,
}

impl Cloud {
    /// The schedules of a transfer, the newest first; also of a deleted one.
    pub(in crate::sandbox) fn schedules(&self, transfer: &str, expired: bool, now: Timestamp) -> Vec<&Schedule> {
        let mut found: Vec<&Schedule> = self
            .schedules
            .iter()
            .filter(|schedule| !schedule.deleted && schedule.transfer == transfer)
            .filter(|schedule| expired || schedule.expiration.is_none_or(|expiration| expiration > now))
            .collect();
        found.reverse();
        found
    }

    pub(in crate::sandbox) fn schedule(&self, transfer: &str, id: &str) -> Result<&Schedule, Refusal> {
        let noun = self.words().transfer;
        self.schedule_position(transfer, id).map(|position| &self.schedules[position]).ok_or_else(|| {
            Refusal::missing(format!("Schedule with ID '{id}' for {noun} '{transfer}' not found.")).classed("NotFound")
        })
    }

    fn schedule_position(&self, transfer: &str, id: &str) -> Option<usize> {
        self.schedules
            .iter()
            .position(|schedule| !schedule.deleted && schedule.transfer == transfer && schedule.id == id)
    }

    pub(in crate::sandbox) fn create_schedule(
        &mut self,
        caller: &Caller,
        transfer: &str,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Schedule, Refusal> {
        if !body.contains_key("schedule") {
            return Err(Refusal::bad("schedule is required"));
        }
        let wishes = wishes(body, now)?;
        self.transfer_position(caller, transfer)?;
        if !caller.delegates {
            return Err(Refusal::internal());
        }
        let count = self.count("schedule", transfer).to_string();
        let own = self.draw(&["schedule", transfer, &count]);
        self.schedules.push(Schedule {
            id: own.uuid(),
            transfer: transfer.into(),
            schedule: wishes.schedule.unwrap_or_else(empty),
            enabled: wishes.enabled.unwrap_or(true),
            shutdown_instance: wishes.shutdown_instance.unwrap_or(false),
            auto_deploy: wishes.auto_deploy.unwrap_or(false),
            expiration: wishes.expiration.flatten(),
            trust: self.draw(&["schedule trust", transfer, &count]).hex(),
            created: now,
            updated: None,
            owner: caller.clone(),
            version: 0,
            deleted: false,
        });
        self.plan_fire(self.schedules.len() - 1, now);
        Ok(self.schedules.last().expect("it was pushed"))
    }

    /// # Errors
    /// 500 for an unknown id: the service does not look before it writes.
    pub(in crate::sandbox) fn update_schedule(
        &mut self,
        transfer: &str,
        id: &str,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Schedule, Refusal> {
        let wishes = wishes(body, now)?;
        let position = self.schedule_position(transfer, id).ok_or_else(Refusal::internal)?;
        let schedule = &mut self.schedules[position];
        if let Some(new) = wishes.schedule {
            schedule.schedule = new;
        }
        schedule.enabled = wishes.enabled.unwrap_or(schedule.enabled);
        schedule.shutdown_instance = wishes.shutdown_instance.unwrap_or(schedule.shutdown_instance);
        schedule.auto_deploy = wishes.auto_deploy.unwrap_or(schedule.auto_deploy);
        schedule.expiration = wishes.expiration.unwrap_or(schedule.expiration);
        schedule.version += 1;
        schedule.updated = Some(now);
        self.plan_fire(position, now);
        Ok(&self.schedules[position])
    }

    pub(in crate::sandbox) fn delete_schedule(
        &mut self,
        caller: &Caller,
        transfer: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let position = self.transfer_position(caller, transfer)?;
        let status = self.transfers[position].status(now);
        if self.transfers[position].running(now).is_some() {
            let noun = self.words().transfer;
            return Err(Refusal::bad(format!(
                "{noun} Schedule cannot be deleted while the {noun} is in {status} state. Please wait for the {noun} \
                 execution to finish"
            )));
        }
        let found = self.schedule_position(transfer, id);
        let position = found.ok_or_else(|| Refusal::missing("No such schedule").classed("NotFound"))?;
        self.schedules[position].deleted = true;
        Ok(())
    }

    fn plan_fire(&mut self, position: usize, now: Timestamp) {
        let schedule = &self.schedules[position];
        let version = schedule.version;
        if let Some(at) = schedule.next_match(now).filter(|_| schedule.enabled) {
            self.remind(at, Due::Fire(position, version));
        }
    }

    /// Fires a schedule at its minute. One whose transfer is busy does nothing; one whose transfer is deleted would go
    /// on failing where nobody sees it.
    pub(super) fn fire(&mut self, position: usize, version: usize, at: Timestamp) {
        let schedule = &self.schedules[position];
        if schedule.deleted || schedule.version != version {
            return;
        }
        let (owner, transfer) = (schedule.owner.clone(), schedule.transfer.clone());
        let (shutdown, deploy) = (schedule.shutdown_instance, schedule.auto_deploy);
        if self.transfer_position(&owner, &transfer).map_err(unclassed).is_err() {
            return;
        }
        // A refusal goes to the service's own log.
        let _ = self.execute(&owner, &transfer, shutdown, deploy, at);
        self.plan_fire(position, at);
    }
}

fn wishes(body: &Map<String, Value>, now: Timestamp) -> Result<Wishes, Refusal> {
    let mut wishes = Wishes::default();
    if let Some(schedule) = body.get("schedule") {
        checked(schedule)?;
        wishes.schedule = Some(schedule.clone());
    }
    let flag = |key: &str| match body.get(key) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(refused(&format!("{} is not of type 'boolean'", python(other)))),
    };
    wishes.enabled = flag("enabled")?;
    wishes.shutdown_instance = flag("shutdown_instance")?;
    wishes.auto_deploy = flag("auto_deploy")?;
    wishes.expiration = match body.get("expiration_date") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(value) => Some(Some(expiration(value, now)?)),
    };
    Ok(wishes)
}

fn checked(schedule: &Value) -> Result<(), Refusal> {
    let Some(fields) = schedule.as_object() else {
        return Err(refused(&format!("{} is not of type 'object'", python(schedule))));
    };
    for (key, low, high) in FIELDS {
        let Some(value) = fields.get(key) else { continue };
        match value.as_i64() {
            None => return Err(refused(&format!("{} is not of type 'integer'", python(value)))),
            Some(number) if number < low => {
                return Err(refused(&format!("{number} is less than the minimum of {low}")));
            }
            Some(number) if number > high => {
                return Err(refused(&format!("{number} is greater than the maximum of {high}")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn refused(problem: &str) -> Refusal {
    Refusal::bad(format!("Schema validation failed: {problem}\n\nFailed validating the schema of a schedule"))
}

/// RFC 3339; a time without a zone is UTC.
fn expiration(value: &Value, now: Timestamp) -> Result<Timestamp, Refusal> {
    let unreadable = || Refusal::bad(format!("Unable to parse date string {}", python(value)));
    let text = value.as_str().filter(|text| text.contains(['T', ' '])).ok_or_else(unreadable)?;
    let zoned = text.parse::<Timestamp>().ok();
    let naive = || text.parse::<civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let at = zoned.or_else(|| Some(naive()?.timestamp())).ok_or_else(unreadable)?;
    if at < now {
        return Err(Refusal::bad("expiration_date is in the past"));
    }
    Ok(at)
}
