//! From a request to an answer: Keystone below `/` and `/v3`, the migration service below `/v1`.

mod actions;
mod current;
mod deployments;
mod endpoints;
mod identity;
mod legacy;
mod licensing;
mod list;
pub(super) mod logs;
mod pools;
mod regions;
mod routing;
mod schedules;
mod secrets;
mod transfers;

use serde::Serialize;
use serde_json::{Map, Value, json};

use self::routing::is_routed;
use super::cloud::{Caller, Cloud, Refusal};
use super::keystone::Keystone;
use super::licensing::PREFIX as LICENSING;
use super::secrets::PREFIX;
use super::view::Look;
use crate::model::Generation;
use jiff::Timestamp;

/// A request, as far as an answer depends on it.
pub(super) struct Incoming {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub accept: Option<String>,
    pub json: bool,
    pub token: Option<String>,
    pub subject: Option<String>,
    pub body: Vec<u8>,
    /// Whose token that is, where the service asks.
    pub caller: Option<Caller>,
}

/// What is sent back.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub content: &'static str,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
    /// Whether a controller was reached: it adds a request id of its own.
    pub routed: bool,
}

/// The two services and the time.
pub(super) struct Services<'app> {
    pub cloud: &'app mut Cloud,
    pub keystone: &'app mut Keystone,
    pub now: Timestamp,
    pub wall: Timestamp,
}

/// A routed request of somebody known.
struct Call<'app> {
    cloud: &'app mut Cloud,
    caller: Caller,
    incoming: &'app Incoming,
    now: Timestamp,
}

const JSON: &str = "application/json";

impl Incoming {
    /// Whether it is for the migration service, and to change something there.
    pub(super) fn changes(&self) -> bool {
        self.path.starts_with("/v1/") && matches!(self.method.as_str(), "POST" | "PUT" | "DELETE")
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn values<'own>(&'own self, key: &'own str) -> impl Iterator<Item = &'own str> {
        self.query.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// As the service reads booleans; junk is false.
    fn flag(&self, key: &str) -> bool {
        let word = self.value(key).unwrap_or_default().to_lowercase();
        matches!(word.as_str(), "true" | "1" | "t" | "yes" | "y" | "on")
    }

    /// The body; nothing where there is none, or one of another content type.
    fn document(&self) -> Result<Option<Value>, Refusal> {
        if !self.json || self.body.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&self.body).map(Some).map_err(|_| Refusal::bad("Malformed request body"))
    }

    /// The fields inside of `wrapper`, which `what` (creation, update) needs.
    fn wrapped(&self, wrapper: &str, what: &str) -> Result<Map<String, Value>, Refusal> {
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
    fn action(&self) -> Result<(String, Value), Refusal> {
        let Some(document) = self.document()? else { return Err(Refusal::bad("There is no such action: None")) };
        let Value::Object(fields) = document else { return Err(Refusal::bad("Malformed request body")) };
        let mut fields = fields.into_iter();
        match (fields.next(), fields.next()) {
            (Some(action), None) => Ok(action),
            _ => Err(Refusal::bad("Malformed request body")),
        }
    }
}

/// Whether the server's database takes the texts of a body: no more than a column holds, and no character of four
/// bytes, which its character set does not know.
fn fits(wrapper: &str, fields: &Map<String, Value>) -> bool {
    let mut texts = ["notes", "description"].into_iter().filter_map(|name| fields.get(name)?.as_str());
    texts.all(|text| {
        let room = if wrapper == "region" { text.chars().count() <= 1024 } else { text.len() <= 65_535 };
        room && text.chars().all(|character| character.len_utf8() < 4)
    })
}

impl Answer {
    pub(super) fn new(status: u16, content: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content, body: body.into(), headers: Vec::new(), routed: false }
    }

    fn json(status: u16, body: &impl Serialize) -> Self {
        Self::new(status, JSON, serde_json::to_vec(body).expect("every answer serialises"))
    }

    /// `{name: value}`.
    fn of(name: &str, value: impl Serialize) -> Self {
        let mut body = Vec::with_capacity(1024);
        body.extend_from_slice(b"{\"");
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\":");
        serde_json::to_writer(&mut body, &value).expect("every answer serialises");
        body.push(b'}');
        Self { routed: true, ..Self::new(200, JSON, body) }
    }

    fn none() -> Self {
        Self { routed: true, ..Self::new(204, "", Vec::new()) }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn refused(refusal: &Refusal, generation: Generation) -> Self {
        let message = match (refusal.class, generation) {
            (None, _) => refusal.message.clone(),
            (Some(class), Generation::Current) => format!("{class}: {}", refusal.message),
            (Some(class), Generation::Legacy) => format!("{class}_Remote: {}", refusal.message),
        };
        let error = json!({"error": {"fault": refusal.fault(), "code": refusal.status, "message": message}});
        Self { routed: true, ..Self::json(refusal.status, &error) }
    }

    /// A path or method that the service's router does not know.
    fn unrouted(incoming: &Incoming) -> Self {
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

    /// The token is missing, unknown or expired. The same for paths that do not exist.
    pub(super) fn unauthorized(base: &str) -> Self {
        let message = "The request you have made requires authentication.";
        let body = json!({"error": {"code": 401, "title": "Unauthorized", "message": message}});
        Self::json(401, &body).with("www-authenticate", format!("Keystone uri=\"{base}/v3\""))
    }

    /// Outside of both services.
    fn outside(path: &str) -> Self {
        let text = format!("404 Not Found\r\nThe resource could not be found.\r\n{path}\r\n\r\n");
        Self::new(404, "text/plain; charset=utf8", text)
    }
}

/// Whether who asks matters to the service behind this path; Keystone looks at tokens itself.
pub(super) fn asks_who(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/") || path.starts_with(PREFIX) || path.starts_with(logs::PREFIX)
}

/// Answers one request.
pub(super) fn answer(services: Services<'_>, incoming: &Incoming) -> Answer {
    let path = incoming.path.as_str();
    if path == "/v1" || path.starts_with("/v1/") {
        return migration(services, incoming);
    }
    if path.starts_with(PREFIX) {
        return secrets::answer(services, incoming);
    }
    if path.starts_with(LICENSING) {
        return licensing::answer(services, incoming);
    }
    if path.starts_with(logs::PREFIX) {
        return logs::answer(services, incoming);
    }
    if path == "/" || path.starts_with("/v3") || path.starts_with("/v2.0") {
        return identity::answer(services.keystone, incoming, services.wall);
    }
    Answer::outside(path)
}

/// The migration service: the token first, then the path, then the project.
fn migration(services: Services<'_>, incoming: &Incoming) -> Answer {
    let Services { cloud, keystone, now, .. } = services;
    let Some(caller) = incoming.caller.clone() else { return Answer::unauthorized(&keystone.base) };
    if incoming.path == "/v1" {
        return Answer::new(302, "text/plain; charset=utf8", "").with("location", format!("{}/v1/", keystone.base));
    }
    let path = incoming.path.strip_suffix(".json").unwrap_or(&incoming.path);
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    let [project, rest @ ..] = segments.as_slice() else { return Answer::unrouted(incoming) };
    let generation = cloud.generation;
    if !is_routed(&incoming.method, rest, generation) {
        return Answer::unrouted(incoming);
    }
    if *project != caller.project || caller.project.is_empty() {
        return Answer::refused(&Refusal::bad("Malformed request url"), generation);
    }
    cloud.catch_up(now);
    let mut call = Call { cloud, caller, incoming, now };
    call.answer(rest).unwrap_or_else(|refusal| Answer::refused(&refusal, generation))
}

impl Call<'_> {
    fn answer(&mut self, segments: &[&str]) -> Result<Answer, Refusal> {
        match segments {
            ["endpoints", rest @ ..] => self.endpoints(rest),
            ["providers", rest @ ..] => self.providers(rest),
            ["transfers" | "replicas", rest @ ..] => self.transfers(rest),
            ["deployments" | "migrations", rest @ ..] => self.deployments(rest),
            ["regions", rest @ ..] => self.regions(rest),
            ["services", rest @ ..] => self.services(rest),
            ["diagnostics", rest @ ..] => self.diagnostics(rest),
            ["minion_pools", rest @ ..] => self.pools(rest),
            _ => Err(Refusal::no_method()),
        }
    }

    fn method(&self) -> &str {
        &self.incoming.method
    }

    fn look(&self) -> Look<'_> {
        let current = self.cloud.generation == Generation::Current;
        let info = current && self.incoming.flag("include_task_info");
        Look { cloud: self.cloud, now: self.now, info }
    }

    fn words(&self) -> &'static Vocabulary {
        match self.cloud.generation {
            Generation::Current => &current::VOCABULARY,
            Generation::Legacy => &legacy::VOCABULARY,
        }
    }
}

/// The keys of bodies in one generation.
struct Vocabulary {
    transfer: &'static str,
    transfers: &'static str,
    deployment: &'static str,
    deployments: &'static str,
}

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
