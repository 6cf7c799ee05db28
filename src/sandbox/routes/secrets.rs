//! Barbican's routes.

use serde_json::{Value, json};

use super::{Answer, Incoming, Services};
use crate::sandbox::secrets::{Denied, PREFIX, reference};

/// How many secrets a page has when nobody says, and at most.
const PAGE: (usize, usize) = (10, 100);

pub(super) fn answer(services: Services<'_>, incoming: &Incoming) -> Answer {
    let Services { cloud, keystone, now, .. } = services;
    let path = incoming.path.strip_prefix(PREFIX).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let base = keystone.base.clone();
    if segments.is_empty() {
        return Answer::json(300, &json!({"versions": {"values": [version(&base)]}}));
    }
    let caller = incoming.caller.clone().filter(|caller| !caller.project.is_empty());
    let Some(caller) = caller else { return Answer::unauthorized(&base) };
    let wants_text = incoming.accept.as_deref().is_some_and(|accept| accept.contains("text/plain"));
    let wants_json = incoming.accept.as_deref().is_some_and(|accept| accept.contains("json"));
    let text = |payload: String| Answer::new(200, "text/plain; charset=UTF-8", payload);
    let answered = match (incoming.method.as_str(), segments.as_slice()) {
        ("GET", ["v1"]) => Ok(Answer::json(200, &json!({"version": version(&base)}))),
        ("GET", ["v1", "secrets"]) => {
            let number = |key: &str| incoming.value(key).and_then(|value| value.parse::<usize>().ok());
            let (from, limit) = (number("offset").unwrap_or(0), number("limit").unwrap_or(PAGE.0).min(PAGE.1));
            Ok(Answer::json(200, &cloud.secrets.listed(&base, &caller, incoming.value("name"), from, limit)))
        }
        ("POST", ["v1", "secrets"]) => body(incoming).and_then(|body| {
            let id = cloud.store_secret(&caller, &body, now)?;
            Ok(Answer::json(201, &json!({"secret_ref": reference(&base, &id)})))
        }),
        ("GET", ["v1", "secrets", id]) if wants_text => cloud.secrets.payload(&caller, id).map(text),
        ("GET", ["v1", "secrets", id]) => {
            cloud.secrets.shown(&base, &caller, id).map(|shown| Answer::json(200, &shown))
        }
        ("GET", ["v1", "secrets", id, "payload"]) => match cloud.secrets.payload(&caller, id) {
            Ok(_) if wants_json && !wants_text => Err(Denied::not_acceptable()),
            payload => payload.map(text),
        },
        ("DELETE", ["v1", "secrets", id]) => {
            cloud.secrets.delete(&caller, id).map(|()| Answer::new(204, "", Vec::new()))
        }
        _ => Ok(Answer::unrouted(incoming)),
    };
    answered.unwrap_or_else(|denied| Answer::json(denied.status, &denied.body()))
}

fn body(incoming: &Incoming) -> Result<Value, Denied> {
    if !incoming.json {
        return Err(Denied::content_type());
    }
    serde_json::from_slice(&incoming.body).map_err(|_| Denied::malformed())
}

fn version(base: &str) -> Value {
    json!({
        "id": "v1",
        "status": "stable",
        "links": [
            {"rel": "self", "href": format!("{base}{PREFIX}/v1/")},
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
        ],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.key-manager-v1+json"}],
    })
}
