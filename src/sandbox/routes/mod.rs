//! From a request to an answer: Keystone below `/` and `/v3`, the migration service below `/v1`.

mod actions;
pub(super) mod call;
mod deployments;
mod endpoints;
mod identity;
mod licensing;
mod list;
pub(super) mod logs;
mod pools;
mod regions;
mod routing;
mod schedules;
mod secrets;
mod transfers;
mod truth;

use self::call::{Answer, Call, Incoming, Services};
use self::routing::is_routed;
use super::rules::{LOGS_PREFIX, TRUTH_PREFIX};
use super::world::Refusal;
use super::world::licensing::PREFIX as LICENSING;
use super::world::secrets::PREFIX;

/// True if the service behind this path checks the caller; Keystone looks at tokens itself.
pub(super) fn asks_who(path: &str) -> bool {
    path == "/v1" || ["/v1/", PREFIX, LOGS_PREFIX, TRUTH_PREFIX].iter().any(|prefix| path.starts_with(prefix))
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
    if path.starts_with(LOGS_PREFIX) {
        return logs::answer(services, incoming);
    }
    if path.starts_with(TRUTH_PREFIX) {
        return truth::answer(services, incoming);
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
}
