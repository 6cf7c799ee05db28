//! The simulated Barbican: secrets, each in the project that made it.

mod schema;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::caller::Caller;
use super::draw::draw;
use super::stamp::stamp;
use schema::Draft;
pub(in crate::sandbox) use schema::LONGEST_REQUEST;

/// The path of the service; the catalog has it.
pub(in crate::sandbox) const PREFIX: &str = "/key-manager";

#[derive(Default)]
pub(in crate::sandbox) struct Secrets {
    all: Vec<Secret>,
}

struct Secret {
    id: String,
    project: String,
    user: String,
    draft: Draft,
    created: Timestamp,
    deleted: bool,
}

/// The selected part of a list of secrets.
pub(in crate::sandbox) struct Page {
    pub from: usize,
    pub limit: usize,
    /// The rest of the query, for the links.
    pub query: String,
}

/// The filters of a list: each is matched exactly if it is given.
pub(in crate::sandbox) struct Wanted {
    pub name: Option<String>,
    pub algorithm: Option<String>,
    pub mode: Option<String>,
}

impl Wanted {
    fn is(&self, secret: &Draft) -> bool {
        let same = |wanted: &Option<String>, own: &Option<String>| wanted.is_none() || wanted == own;
        same(&self.name, &secret.name) && same(&self.algorithm, &secret.algorithm) && same(&self.mode, &secret.mode)
    }
}

/// A refusal: status, title, description.
#[derive(Debug, PartialEq)]
pub(in crate::sandbox) struct Denied {
    pub status: u16,
    pub title: &'static str,
    pub description: Option<String>,
}

impl Denied {
    fn new(status: u16, title: &'static str, description: impl Into<String>) -> Self {
        Self { status, title, description: Some(description.into()) }
    }

    pub(in crate::sandbox) fn body(&self) -> Value {
        json!({"code": self.status, "title": self.title, "description": self.description})
    }

    pub(in crate::sandbox) fn content_type() -> Self {
        let text = "Unexpected content type. Expected content types are: ['application/json']";
        Self::new(415, "Unsupported Media Type", text)
    }

    pub(in crate::sandbox) fn malformed() -> Self {
        Self::new(400, "Bad Request", "Malformed JSON")
    }

    /// The payload is not available in this form.
    pub(in crate::sandbox) fn wrong_form() -> Self {
        let text = "Secret payload retrieval issue seen - Wrong payload content-type.";
        Self::new(406, "Not Acceptable", text)
    }

    pub(in crate::sandbox) fn no_path() -> Self {
        Self::new(404, "Not Found", "")
    }

    pub(in crate::sandbox) fn no_method() -> Self {
        Self::new(405, "Method Not Allowed", "")
    }

    /// A method or form that the collection does not support; without a message.
    pub(in crate::sandbox) fn not_acceptable() -> Self {
        Self { status: 406, title: "Not Acceptable", description: None }
    }
}

impl Secrets {
    /// The new secret's id.
    pub(in crate::sandbox) fn store(
        &mut self,
        seed: u64,
        caller: &Caller,
        body: &Value,
        now: Timestamp,
    ) -> Result<String, Denied> {
        let draft = schema::draft(body, now)?;
        let id = draw(seed, &["secret", &self.all.len().to_string()]).uuid();
        self.all.push(Secret {
            id: id.clone(),
            project: caller.project.clone(),
            user: caller.user.clone(),
            draft,
            created: now,
            deleted: false,
        });
        Ok(id)
    }

    pub(in crate::sandbox) fn shown(&self, base: &str, caller: &Caller, id: &str) -> Result<Value, Denied> {
        self.found(caller, id).map(|secret| secret.shown(base))
    }

    pub(in crate::sandbox) fn payload(&self, caller: &Caller, id: &str) -> Result<Vec<u8>, Denied> {
        let missing = || Denied::new(404, "Not Found", "Not Found. Sorry but your secret has no payload.");
        self.found(caller, id)?.draft.payload.clone().ok_or_else(missing)
    }

    /// A page of the project's secrets, the oldest first; `query` is the rest of the query.
    pub(in crate::sandbox) fn listed(&self, base: &str, caller: &Caller, wanted: &Wanted, page: &Page) -> Value {
        let Page { from, limit, query } = page;
        let (from, limit) = (*from, *limit);
        let own = self.all.iter().filter(|secret| !secret.deleted && secret.project == caller.project);
        let own: Vec<&Secret> = own.filter(|secret| wanted.is(&secret.draft)).collect();
        let page: Vec<Value> = own.iter().skip(from).take(limit).map(|secret| secret.shown(base)).collect();
        let link = |offset: usize| format!("{base}{PREFIX}/v1/secrets?limit={limit}&offset={offset}{query}");
        let empty = page.is_empty();
        let mut listed = json!({"secrets": page, "total": own.len()});
        if from + limit < own.len() {
            listed["next"] = link(from + limit).into();
        }
        if from > 0 && !empty {
            listed["previous"] = link(from.saturating_sub(limit)).into();
        }
        listed
    }

    pub(in crate::sandbox) fn delete(&mut self, caller: &Caller, id: &str) -> Result<(), Denied> {
        self.found(caller, id)?;
        if let Some(secret) = self.all.iter_mut().find(|secret| secret.id == id) {
            secret.deleted = true;
        }
        Ok(())
    }

    /// The target of an endpoint's `secret_ref`; `None` if it is gone or another project's.
    pub(in crate::sandbox) fn resolved(&self, project: &str, reference: &str) -> Option<Value> {
        let id = reference.trim_end_matches('/').rsplit('/').next()?;
        let own = |secret: &&Secret| !secret.deleted && secret.project == project && secret.id == id;
        serde_json::from_slice(self.all.iter().find(own)?.draft.payload.as_deref()?).ok()
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
            "name": self.draft.name,
            "secret_type": self.draft.kind,
            "expiration": self.draft.expiration,
            "algorithm": self.draft.algorithm,
            "bit_length": self.draft.bits,
            "mode": self.draft.mode,
            "creator_id": self.user,
            "secret_ref": reference(base, &self.id),
        });
        if self.draft.payload.is_some() {
            let content = if self.draft.plain { "text/plain" } else { "application/octet-stream" };
            shown["content_types"] = json!({ "default": content });
        }
        shown
    }
}

pub(in crate::sandbox) fn reference(base: &str, id: &str) -> String {
    format!("{base}{PREFIX}/v1/secrets/{id}")
}
