//! The simulated licensing service, as far as the official client reads it: no server was recorded.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::draw::draw;
use super::stamp::stamp;

/// The path of the service; the catalog has it.
pub(in crate::sandbox) const PREFIX: &str = "/licensing";
/// The beginning of a licence: nothing else of it is checked.
pub(in crate::sandbox) const BEGIN: &str = "-----BEGIN";
const PERIOD: SignedDuration = SignedDuration::from_hours(365 * 24);
/// The number of migrations in one licence.
const EACH: usize = 100;

pub(in crate::sandbox) struct Licensing {
    seed: u64,
    appliances: Vec<Appliance>,
}

struct Appliance {
    id: String,
    licences: Vec<Licence>,
    reservations: Vec<Reservation>,
    /// The number of licences that it ever had.
    registered: usize,
}

struct Licence {
    id: String,
    issued: Timestamp,
}

struct Reservation {
    id: String,
    created: Timestamp,
}

/// A refusal: status, message.
pub(in crate::sandbox) type Denied = (u16, String);

impl Licensing {
    /// One appliance with one licence, partly reserved.
    pub(in crate::sandbox) fn new(seed: u64, now: Timestamp) -> Self {
        let mut licensing = Self { seed, appliances: Vec::new() };
        let id = licensing.create(now)["id"].as_str().unwrap_or_default().to_owned();
        // That appliance exists, and that is a licence.
        let _ = licensing.register(&id, BEGIN, now);
        let reservation = Reservation { id: draw(seed, &["reservation", &id]).uuid(), created: now };
        licensing.appliances[0].reservations.push(reservation);
        licensing
    }

    pub(in crate::sandbox) fn status(&self, now: Timestamp) -> Value {
        json!({
            "hostname": "licensing.sandbox.example",
            "multi_appliance": true,
            "supported_licence_versions": ["v2"],
            "server_local_time": stamp(now),
        })
    }

    pub(in crate::sandbox) fn appliances(&self) -> Value {
        self.appliances.iter().map(|appliance| json!({"id": appliance.id})).collect::<Vec<_>>().into()
    }

    pub(in crate::sandbox) fn appliance(&self, id: &str) -> Result<Value, Denied> {
        self.found(id).map(|appliance| json!({"id": appliance.id}))
    }

    pub(in crate::sandbox) fn create(&mut self, _now: Timestamp) -> Value {
        let id = draw(self.seed, &["appliance", &self.appliances.len().to_string()]).uuid();
        let appliance = Appliance { id: id.clone(), licences: Vec::new(), reservations: Vec::new(), registered: 0 };
        self.appliances.push(appliance);
        json!({"id": id})
    }

    pub(in crate::sandbox) fn appliance_status(&self, id: &str, performed: usize) -> Result<Value, Denied> {
        let appliance = self.found(id)?;
        let expiries = || appliance.licences.iter().map(|licence| licence.issued + PERIOD);
        let available = appliance.licences.len() * EACH;
        Ok(json!({
            "appliance_id": appliance.id,
            "earliest_licence_expiry_time": expiries().min().map(stamp),
            "latest_licence_expiry_time": expiries().max().map(stamp),
            "current_performed_migrations": 0,
            "current_performed_replicas": performed,
            "current_available_migrations": available,
            "current_available_replicas": available.saturating_sub(performed),
            "lifetime_performed_migrations": 0,
            "lifetime_performed_replicas": performed,
            // Clients of 2019 read this spelling.
            "lifetime_perfomed_migrations": 0,
            "lifetime_perfomed_replicas": performed,
            "lifetime_available_migrations": available,
            "lifetime_available_replicas": available,
        }))
    }

    pub(in crate::sandbox) fn licences(&self, appliance: &str) -> Result<Value, Denied> {
        Ok(self.found(appliance)?.licences.iter().map(Licence::shown).collect::<Vec<_>>().into())
    }

    pub(in crate::sandbox) fn licence(&self, appliance: &str, id: &str) -> Result<Value, Denied> {
        let found = self.found(appliance)?.licences.iter().find(|licence| licence.id == id);
        found.map(Licence::shown).ok_or_else(|| missing("licence", id))
    }

    /// # Errors
    /// 400 for a text that is not PEM.
    pub(in crate::sandbox) fn register(&mut self, appliance: &str, pem: &str, now: Timestamp) -> Result<Value, Denied> {
        let seed = self.seed;
        let appliance = self.found_mut(appliance)?;
        if !pem.contains(BEGIN) {
            return Err((400, "The licence is not in PEM format".into()));
        }
        let id = draw(seed, &["licence", &appliance.id, &appliance.registered.to_string()]).uuid();
        appliance.registered += 1;
        let licence = Licence { id, issued: now };
        let shown = licence.shown();
        appliance.licences.push(licence);
        Ok(shown)
    }

    pub(in crate::sandbox) fn delete(&mut self, appliance: &str, id: &str) -> Result<(), Denied> {
        let licences = &mut self.found_mut(appliance)?.licences;
        let found = licences.iter().position(|licence| licence.id == id);
        licences.remove(found.ok_or_else(|| missing("licence", id))?);
        Ok(())
    }

    pub(in crate::sandbox) fn reservations(&self, appliance: &str) -> Result<Value, Denied> {
        let appliance = self.found(appliance)?;
        Ok(appliance.reservations.iter().map(|one| appliance.shown(one)).collect::<Vec<_>>().into())
    }

    pub(in crate::sandbox) fn reservation(&self, appliance: &str, id: &str) -> Result<Value, Denied> {
        let appliance = self.found(appliance)?;
        let found = appliance.reservations.iter().find(|reservation| reservation.id == id);
        found.map(|one| appliance.shown(one)).ok_or_else(|| missing("reservation", id))
    }

    fn found(&self, id: &str) -> Result<&Appliance, Denied> {
        self.appliances.iter().find(|appliance| appliance.id == id).ok_or_else(|| missing("appliance", id))
    }

    fn found_mut(&mut self, id: &str) -> Result<&mut Appliance, Denied> {
        self.appliances.iter_mut().find(|appliance| appliance.id == id).ok_or_else(|| missing("appliance", id))
    }
}

impl Appliance {
    fn shown(&self, reservation: &Reservation) -> Value {
        json!({
            "id": reservation.id,
            "appliance_id": self.id,
            "licence_id": self.licences.first().map(|licence| &licence.id),
            "type": "replica",
            "count": 1,
            "created_at": stamp(reservation.created),
        })
    }
}

impl Licence {
    fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "issue_date": stamp(self.issued),
            "migrations": EACH,
            "replicas": EACH,
            "period_start": stamp(self.issued),
            "period_end": stamp(self.issued + PERIOD),
            // Its unit is documented nowhere: days, here.
            "period_duration": PERIOD.as_hours() / 24,
            "licence_version": "v2",
        })
    }
}

fn missing(noun: &str, id: &str) -> Denied {
    (404, format!("No {noun} with ID '{id}' was found"))
}
