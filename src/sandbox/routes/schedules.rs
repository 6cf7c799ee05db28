//! Schedules. Their bodies are not wrapped; their answers are.

use serde_json::{Map, Value, json};

use super::call::{Answer, Call};
use crate::model::Generation;
use crate::sandbox::view::record;
use crate::sandbox::world::Refusal;
use crate::sandbox::world::Schedule;
use crate::sandbox::world::stamp;

impl Call<'_> {
    pub(super) fn schedules(&mut self, transfer: &str, segments: &[&str]) -> Result<Answer, Refusal> {
        match (self.incoming.method.as_str(), segments) {
            ("GET", []) => {
                let expired = self.shows_expired()?;
                let found = self.cloud.schedules(transfer, expired, self.now);
                let shown: Vec<Value> = found.into_iter().map(|schedule| self.shown(schedule)).collect();
                Ok(Answer::of("schedules", shown))
            }
            ("POST", []) => {
                let body = self.unwrapped()?;
                let id = self.cloud.create_schedule(&self.caller, transfer, &body, self.now)?.id.clone();
                self.schedule_answer(transfer, &id)
            }
            (_, ["new" | "detail"] | [_, "edit"]) => Err(Refusal::no_method()),
            ("GET", [id]) => self.schedule_answer(transfer, id),
            ("PUT", [id]) => {
                let body = self.unwrapped()?;
                self.cloud.update_schedule(transfer, id, &body, self.now)?;
                self.schedule_answer(transfer, id)
            }
            ("DELETE", [id]) => {
                self.cloud.delete_schedule(&self.caller, transfer, id, self.now).map(|()| Answer::none())
            }
            _ => Err(Refusal::no_method()),
        }
    }

    /// # Errors
    /// 500 for a word that is not a boolean: only this parameter is read strictly.
    fn shows_expired(&self) -> Result<bool, Refusal> {
        match self.incoming.value("show_expired").map(str::to_lowercase).as_deref() {
            None | Some("true" | "1" | "t" | "yes" | "y" | "on") => Ok(true),
            Some("false" | "0" | "f" | "no" | "n" | "off") => Ok(false),
            Some(_) => Err(Refusal::internal()),
        }
    }

    fn unwrapped(&self) -> Result<Map<String, Value>, Refusal> {
        match self.incoming.document()?.ok_or_else(Refusal::no_body)? {
            Value::Object(fields) => Ok(fields),
            _ => Err(Refusal::internal()),
        }
    }

    fn schedule_answer(&self, transfer: &str, id: &str) -> Result<Answer, Refusal> {
        Ok(Answer::of("schedule", self.shown(self.cloud.schedule(transfer, id)?)))
    }

    fn shown(&self, schedule: &Schedule) -> Value {
        let current = self.cloud.generation == Generation::Current;
        let mut shown = record(&schedule.id, schedule.created, schedule.updated);
        let owner = if current { "transfer_id" } else { "replica_id" };
        shown.insert(owner.into(), schedule.transfer.as_str().into());
        shown.insert("schedule".into(), schedule.schedule.clone());
        shown.insert("expiration_date".into(), json!(schedule.expiration.map(stamp)));
        shown.insert("enabled".into(), schedule.enabled.into());
        shown.insert("shutdown_instance".into(), schedule.shutdown_instance.into());
        if current {
            shown.insert("auto_deploy".into(), schedule.auto_deploy.into());
        }
        shown.insert("trust_id".into(), schedule.trust.as_str().into());
        shown.into()
    }
}
