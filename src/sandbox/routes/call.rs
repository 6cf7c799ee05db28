//! Requests and answers, without the transport.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::Generation;
use crate::sandbox::keystone::Keystone;
use crate::sandbox::view::Look;
use crate::sandbox::world::{Caller, Cloud, Refusal};

/// The parts of a request that its answer depends on.
pub(in crate::sandbox) struct Incoming {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub accept: Option<String>,
    pub json: bool,
    pub token: Option<String>,
    pub subject: Option<String>,
    pub body: Vec<u8>,
    /// The owner of the token, if the service asks.
    pub caller: Option<Caller>,
}

/// The answer to send.
#[derive(Debug)]
pub(in crate::sandbox) struct Answer {
    pub status: u16,
    pub content: &'static str,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
    /// True if a controller was reached: it adds a request id of its own.
    pub routed: bool,
}

/// The two services and the time.
pub(in crate::sandbox) struct Services<'app> {
    pub cloud: &'app mut Cloud,
    pub keystone: &'app mut Keystone,
    pub now: Timestamp,
    pub wall: Timestamp,
}

/// A routed request of a known caller.
pub(super) struct Call<'app> {
    pub cloud: &'app mut Cloud,
    pub caller: Caller,
    pub incoming: &'app Incoming,
    pub now: Timestamp,
}

const JSON: &str = "application/json";

impl Incoming {
    /// True if it is for the migration service and changes something there.
    pub(in crate::sandbox) fn changes(&self) -> bool {
        self.path.starts_with("/v1/") && matches!(self.method.as_str(), "POST" | "PUT" | "DELETE")
    }

    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn values<'own>(&'own self, key: &'own str) -> impl Iterator<Item = &'own str> {
        self.query.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A boolean as the service reads it; anything unknown is false.
    pub(super) fn flag(&self, key: &str) -> bool {
        let word = self.value(key).unwrap_or_default().to_lowercase();
        matches!(word.as_str(), "true" | "1" | "t" | "yes" | "y" | "on")
    }

    /// The body; `None` if there is none, or one of another content type.
    pub(super) fn document(&self) -> Result<Option<Value>, Refusal> {
        if !self.json || self.body.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&self.body).map(Some).map_err(|_| Refusal::bad("Malformed request body"))
    }

    /// The fields inside `wrapper`, which `what` (creation, update) needs.
    pub(super) fn wrapped(&self, wrapper: &str, what: &str) -> Result<Map<String, Value>, Refusal> {
        match self.document()?.ok_or_else(Refusal::no_body)? {
            Value::Object(mut fields) => match fields.remove(wrapper) {
                Some(Value::Object(inner)) => {
                    // A transfer's changes are stored later, by their execution.
                    let later = what == "update" && matches!(wrapper, "transfer" | "replica");
                    if later || fits(wrapper, &inner) { Ok(inner) } else { Err(Refusal::internal()) }
                }
                Some(_) => Err(Refusal::input("'NoneType' object is not subscriptable")),
                None => Err(Refusal::bad(format!(
                    "The {wrapper} {what} body needs to be encased inside the \"{wrapper}\" key"
                ))),
            },
            _ => Err(Refusal::input("list indices must be integers or slices, not str")),
        }
    }

    /// The one action of the body and its argument.
    pub(super) fn action(&self) -> Result<(String, Value), Refusal> {
        let Some(document) = self.document()? else { return Err(Refusal::bad("There is no such action: None")) };
        let Value::Object(fields) = document else { return Err(Refusal::bad("Malformed request body")) };
        let mut fields = fields.into_iter();
        match (fields.next(), fields.next()) {
            (Some(action), None) => Ok(action),
            _ => Err(Refusal::bad("Malformed request body")),
        }
    }
}

/// True if the server's database accepts the texts of a body: none longer than its column, and no four-byte characters,
/// which its character set lacks.
fn fits(wrapper: &str, fields: &Map<String, Value>) -> bool {
    let mut texts = ["notes", "description"].into_iter().filter_map(|name| fields.get(name)?.as_str());
    texts.all(|text| {
        let room = if wrapper == "region" { text.chars().count() <= 1024 } else { text.len() <= 65_535 };
        room && text.chars().all(|character| character.len_utf8() < 4)
    })
}

impl Answer {
    pub(in crate::sandbox) fn new(status: u16, content: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content, body: body.into(), headers: Vec::new(), routed: false }
    }

    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        Self::new(status, JSON, serde_json::to_vec(body).expect("every answer serialises"))
    }

    /// `{name: value}`.
    pub(super) fn of(name: &str, value: impl Serialize) -> Self {
        let mut body = Vec::with_capacity(1024);
        body.extend_from_slice(b"{\"");
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\":");
        serde_json::to_writer(&mut body, &value).expect("every answer serialises");
        body.push(b'}');
        Self { routed: true, ..Self::new(200, JSON, body) }
    }

    pub(super) fn none() -> Self {
        Self { routed: true, ..Self::new(204, "", Vec::new()) }
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(in crate::sandbox) fn refused(refusal: &Refusal, generation: Generation) -> Self {
        let message = match (refusal.class, generation) {
            (None, _) => refusal.message.clone(),
            (Some(class), Generation::Current) => format!("{class}: {}", refusal.message),
            (Some(class), Generation::Legacy) => format!("{class}_Remote: {}", refusal.message),
        };
        let error = json!({"error": {"fault": refusal.fault(), "code": refusal.status, "message": message}});
        Self { routed: true, ..Self::json(refusal.status, &error) }
    }

    /// A path or method unknown to the service's router.
    pub(super) fn unrouted(incoming: &Incoming) -> Self {
        let accept = incoming.accept.as_deref().unwrap_or_default();
        if accept.contains("json") {
            let message = "The resource could not be found.<br /><br />\n\n\n";
            let body = json!({"message": message, "code": "404 Not Found", "title": "Not Found"});
            return Self::json(404, &body);
        }
        if accept.contains("*/*") || accept.contains("html") {
            let page = "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  \
                        The resource could not be found.<br /><br />\n\n\n\n </body>\n</html>";
            return Self::new(404, "text/html; charset=UTF-8", page);
        }
        Self::new(404, "text/plain; charset=UTF-8", "404 Not Found\n\nThe resource could not be found.\n\n   ")
    }

    /// The token is missing, unknown or expired. Paths that do not exist get the same answer.
    pub(in crate::sandbox) fn unauthorized(base: &str) -> Self {
        let message = "The request you have made requires authentication.";
        let body = json!({"error": {"code": 401, "title": "Unauthorized", "message": message}});
        Self::json(401, &body).with("www-authenticate", format!("Keystone uri=\"{base}/v3\""))
    }

    /// A path outside both services.
    pub(super) fn outside(path: &str) -> Self {
        let text = format!("404 Not Found\r\nThe resource could not be found.\r\n{path}\r\n\r\n");
        Self::new(404, "text/plain; charset=utf8", text)
    }
}

impl Call<'_> {
    pub(super) fn method(&self) -> &str {
        &self.incoming.method
    }

    pub(super) fn look(&self) -> Look<'_> {
        let current = self.cloud.generation == Generation::Current;
        let info = current && self.incoming.flag("include_task_info");
        Look { cloud: self.cloud, now: self.now, info }
    }

    pub(super) fn words(&self) -> &'static Vocabulary {
        match self.cloud.generation {
            Generation::Current => &CURRENT,
            Generation::Legacy => &LEGACY,
        }
    }
}

/// The keys of bodies in one generation.
pub(super) struct Vocabulary {
    pub transfer: &'static str,
    pub transfers: &'static str,
    pub deployment: &'static str,
    pub deployments: &'static str,
}

const CURRENT: Vocabulary =
    Vocabulary { transfer: "transfer", transfers: "transfers", deployment: "deployment", deployments: "deployments" };
const LEGACY: Vocabulary =
    Vocabulary { transfer: "replica", transfers: "replicas", deployment: "migration", deployments: "migrations" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_as_far_as_the_servers_database_takes_them() {
        let takes =
            |wrapper: &str, name: &str, text: String| fits(wrapper, &Map::from_iter([(name.into(), text.into())]));
        assert!(takes("transfer", "notes", "x".repeat(65_535)));
        assert!(!takes("transfer", "notes", "x".repeat(65_536)));
        assert!(takes("region", "description", "é".repeat(1024)));
        assert!(!takes("region", "description", "x".repeat(1025)));
        assert!(takes("endpoint", "description", "two\nlines ✓".into()));
        assert!(!takes("endpoint", "description", "\u{1F680}".into()));
    }
}
