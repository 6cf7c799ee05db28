//! The simulated Barbican: secrets as texts, each in the project that made it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cloud::Caller;
use super::draw::draw;
use super::view::stamp;

/// Where it is served; the catalog says so.
pub(super) const PREFIX: &str = "/key-manager";

#[derive(Default)]
pub(super) struct Secrets {
    all: Vec<Secret>,
}

struct Secret {
    id: String,
    project: String,
    user: String,
    name: Option<String>,
    payload: Option<String>,
    created: Timestamp,
    deleted: bool,
}

/// A refusal: status, title, description.
#[derive(Debug, PartialEq)]
pub(super) struct Denied {
    pub status: u16,
    pub title: &'static str,
    pub description: String,
}

impl Denied {
    fn new(status: u16, title: &'static str, description: impl Into<String>) -> Self {
        Self { status, title, description: description.into() }
    }

    fn invalid(problem: &str) -> Self {
        Self::new(400, "Bad Request", format!("Provided object does not match schema 'Secret': {problem}"))
    }

    pub(super) fn body(&self) -> Value {
        json!({"code": self.status, "title": self.title, "description": self.description})
    }

    pub(super) fn content_type() -> Self {
        let text = "Unexpected content type. Expected content types are: ['application/json']";
        Self::new(415, "Unsupported Media Type", text)
    }

    pub(super) fn malformed() -> Self {
        Self::new(400, "Bad Request", "Malformed JSON")
    }

    pub(super) fn not_acceptable() -> Self {
        let text = "Secret payload retrieval issue seen - Wrong payload content-type.";
        Self::new(406, "Not Acceptable", text)
    }
}

impl Secrets {
    /// The new secret's id.
    pub(super) fn store(&mut self, seed: u64, caller: &Caller, body: &Value, now: Timestamp) -> Result<String, Denied> {
        for key in ["name", "algorithm", "mode", "payload", "payload_content_type", "secret_type"] {
            if body.get(key).is_some_and(|value| !value.is_string()) {
                let shown = if body[key].is_null() { "None".to_owned() } else { body[key].to_string() };
                let problem = format!("{shown} is not of type 'string'. Invalid property: '{key}'");
                return Err(Denied::invalid(&problem));
            }
        }
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(String::from);
        let payload = text("payload");
        if payload.is_some() && text("payload_content_type").is_none() {
            return Err(Denied::invalid(
                "If 'payload' is supplied, 'payload_content_type' must also be supplied.. Invalid property: \
                 'payload_content_type'",
            ));
        }
        if payload.as_deref().is_some_and(str::is_empty) {
            return Err(Denied::invalid("If 'payload' specified, must be non empty. Invalid property: 'payload'"));
        }
        let id = draw(seed, &["secret", &self.all.len().to_string()]).uuid();
        self.all.push(Secret {
            id: id.clone(),
            project: caller.project.clone(),
            user: caller.user.clone(),
            name: text("name"),
            payload,
            created: now,
            deleted: false,
        });
        Ok(id)
    }

    pub(super) fn shown(&self, base: &str, caller: &Caller, id: &str) -> Result<Value, Denied> {
        self.found(caller, id).map(|secret| secret.shown(base))
    }

    pub(super) fn payload(&self, caller: &Caller, id: &str) -> Result<String, Denied> {
        let missing = || Denied::new(404, "Not Found", "Not Found. Sorry but your secret has no payload.");
        self.found(caller, id)?.payload.clone().ok_or_else(missing)
    }

    /// A page of the project's secrets, the oldest first.
    pub(super) fn listed(&self, base: &str, caller: &Caller, name: Option<&str>, from: usize, limit: usize) -> Value {
        let own = self.all.iter().filter(|secret| !secret.deleted && secret.project == caller.project);
        let own: Vec<&Secret> =
            own.filter(|secret| name.is_none_or(|name| secret.name.as_deref() == Some(name))).collect();
        let page: Vec<Value> = own.iter().skip(from).take(limit).map(|secret| secret.shown(base)).collect();
        let link = |offset: usize| format!("{base}{PREFIX}/v1/secrets?limit={limit}&offset={offset}");
        let mut listed = json!({"secrets": page, "total": own.len()});
        if from + limit < own.len() {
            listed["next"] = link(from + limit).into();
        }
        if from > 0 {
            listed["previous"] = link(from.saturating_sub(limit)).into();
        }
        listed
    }

    pub(super) fn delete(&mut self, caller: &Caller, id: &str) -> Result<(), Denied> {
        self.found(caller, id)?;
        if let Some(secret) = self.all.iter_mut().find(|secret| secret.id == id) {
            secret.deleted = true;
        }
        Ok(())
    }

    /// What an endpoint's `secret_ref` leads to; nothing for what is gone or another's.
    pub(super) fn resolved(&self, project: &str, reference: &str) -> Option<Value> {
        let id = reference.trim_end_matches('/').rsplit('/').next()?;
        let own = |secret: &&Secret| !secret.deleted && secret.project == project && secret.id == id;
        serde_json::from_str(self.all.iter().find(own)?.payload.as_deref()?).ok()
    }

    fn found(&self, caller: &Caller, id: &str) -> Result<&Secret, Denied> {
        let is_id = id.len() == 36 && id.as_bytes()[14] == b'4';
        if !is_id {
            return Err(Denied::new(404, "Not Found", "Not Found. Provided secret id is invalid."));
        }
        let gone = || Denied::new(404, "Not Found", "Secret not found.");
        let secret = self.all.iter().find(|secret| secret.id == id && !secret.deleted).ok_or_else(gone)?;
        if secret.project == caller.project {
            return Ok(secret);
        }
        let text = "Secret retrieval attempt not allowed - please review your user/project privileges";
        Err(Denied::new(403, "Forbidden", text))
    }
}

impl Secret {
    fn shown(&self, base: &str) -> Value {
        let mut shown = json!({
            "created": stamp(self.created),
            "updated": stamp(self.created),
            "status": "ACTIVE",
            "name": self.name,
            "secret_type": "opaque",
            "expiration": null,
            "algorithm": null,
            "bit_length": null,
            "mode": null,
            "creator_id": self.user,
            "secret_ref": reference(base, &self.id),
        });
        if self.payload.is_some() {
            shown["content_types"] = json!({"default": "text/plain"});
        }
        shown
    }
}

pub(super) fn reference(base: &str, id: &str) -> String {
    format!("{base}{PREFIX}/v1/secrets/{id}")
}
