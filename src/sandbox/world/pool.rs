//! Minion pools: machines that are kept ready for the work of transfers and deployments.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::draw::draw;
use super::scenario::Role;
use super::story::{Flaw, Story};

#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Pool {
    pub id: String,
    pub project: String,
    pub user: String,
    pub name: String,
    pub notes: Option<String>,
    pub endpoint: String,
    pub platform: Role,
    pub os_type: String,
    pub environment: Value,
    pub minimum: i64,
    pub maximum: i64,
    pub idle: i64,
    pub retention: String,
    pub trust: String,
    pub created: Timestamp,
    pub story: Story,
    pub deleted: bool,
}

impl Pool {
    /// The time that its machines take to boot.
    pub(in crate::sandbox) fn boots(&self, seed: u64) -> SignedDuration {
        let seconds = draw(seed, &["boot", &self.id]).between(12, 24) * 5;
        SignedDuration::from_secs(seconds)
    }

    pub(in crate::sandbox) fn flaw(&self) -> Option<Flaw> {
        match (&self.environment["fail"], &self.environment["image"]) {
            (Value::Bool(true), _) => Some(Flaw::Options),
            (_, image) if image == "broken" => Some(Flaw::Image),
            _ => None,
        }
    }
}

pub(in crate::sandbox) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Source => "source",
        Role::Destination => "destination",
    }
}
