//! Barbican's routes.

use serde_json::{Value, json};

use super::call::{Answer, Incoming, Services};
use crate::sandbox::world::secrets::{Denied, LONGEST_REQUEST, PREFIX, Page, Wanted, reference};

/// The default and the largest size of a page.
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
    let accept = incoming.accept.as_deref().unwrap_or("application/octet-stream");
    let wants = |form: &str| accept.contains(form);
    let answered = match (incoming.method.as_str(), segments.as_slice()) {
        ("GET", ["v1"]) => Ok(Answer::json(200, &json!({"version": version(&base)}))),
        ("GET", ["v1", "secrets"]) if !wants("json") && !wants("*/*") => Err(Denied::not_acceptable()),
        ("GET", ["v1", "secrets"]) => {
            Ok(Answer::json(200, &cloud.secrets.listed(&base, &caller, &wanted(incoming), &page(incoming))))
        }
        ("POST", ["v1", "secrets"]) => body(incoming).and_then(|body| {
            let id = cloud.store_secret(&caller, &body, now)?;
            Ok(Answer::json(201, &json!({"secret_ref": reference(&base, &id)})))
        }),
        (_, ["v1", "secrets"]) => Err(Denied::not_acceptable()),
        ("GET", ["v1", "secrets", id]) if incoming.accept.is_none() || wants("json") || wants("*/*") => {
            cloud.secrets.shown(&base, &caller, id).map(|shown| Answer::json(200, &shown))
        }
        ("GET", ["v1", "secrets", id] | ["v1", "secrets", id, "payload"]) => {
            cloud.secrets.payload(&caller, id).and_then(|payload| formed(accept, payload))
        }
        ("DELETE", ["v1", "secrets", id]) => {
            cloud.secrets.delete(&caller, id).map(|()| Answer::new(204, "", Vec::new()))
        }
        (_, ["v1", "secrets", id] | ["v1", "secrets", id, "payload"]) => {
            cloud.secrets.shown(&base, &caller, id).and_then(|_| Err(Denied::no_method()))
        }
        _ => Err(Denied::no_path()),
    };
    answered.unwrap_or_else(|denied| Answer::json(denied.status, &denied.body()))
}

/// A payload in the requested form; a client that accepts any form gets it marked as any.
fn formed(accept: &str, payload: Vec<u8>) -> Result<Answer, Denied> {
    let forms = [
        ("text/plain", "text/plain; charset=UTF-8"),
        ("application/octet-stream", "application/octet-stream"),
        ("*/*", "*/*"),
    ];
    let form = forms.iter().find(|(asked, _)| accept.contains(asked));
    form.map(|(_, told)| Answer::new(200, told, payload)).ok_or_else(Denied::wrong_form)
}

fn wanted(incoming: &Incoming) -> Wanted {
    let given = |key: &str| incoming.value(key).filter(|value| !value.is_empty());
    let text = |key: &str| given(key).map(str::to_owned);
    Wanted { name: given("name").map(unquoted), algorithm: text("alg"), mode: text("mode") }
}

/// Numbers out of range are corrected rather than refused.
fn page(incoming: &Incoming) -> Page {
    let number = |key: &str| incoming.value(key).and_then(|value| value.parse::<i64>().ok());
    let limit = number("limit").map_or(PAGE.0, |limit| usize::try_from(limit).unwrap_or(1).clamp(1, PAGE.1));
    let from = number("offset").and_then(|from| usize::try_from(from).ok()).unwrap_or(0);
    let rest = incoming.query.iter().filter(|(key, _)| key != "limit" && key != "offset");
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
    Page { from, limit, query: if query.is_empty() { query } else { format!("&{query}") } }
}

/// The name to look for is decoded once more than it was encoded.
fn unquoted(name: &str) -> String {
    let pair = format!("={name}");
    let decoded = form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned());
    decoded.unwrap_or_default()
}

fn body(incoming: &Incoming) -> Result<Value, Denied> {
    if !incoming.json {
        return Err(Denied::content_type());
    }
    let read = &incoming.body[..incoming.body.len().min(LONGEST_REQUEST)];
    serde_json::from_slice(read).map_err(|_| Denied::malformed())
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
