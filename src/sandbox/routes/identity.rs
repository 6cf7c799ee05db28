//! Keystone's routes: discovery, tokens, catalog, projects.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Answer, Incoming};
use crate::sandbox::keystone::{Denied, Keystone};

pub(super) fn answer(keystone: &mut Keystone, incoming: &Incoming, now: Timestamp) -> Answer {
    if keystone.only_v2 {
        return second(keystone, incoming, now);
    }
    let answered = match (incoming.method.as_str(), incoming.path.trim_end_matches('/')) {
        ("GET" | "HEAD", "") => {
            let body = json!({"versions": {"values": [version(&keystone.base)]}});
            Ok(Answer::json(300, &body).with("location", format!("{}/v3/", keystone.base)))
        }
        ("GET" | "HEAD", "/v3") => Ok(Answer::json(200, &json!({"version": version(&keystone.base)}))),
        ("POST", "/v3/auth/tokens") => issue(keystone, incoming, now),
        ("GET" | "HEAD", "/v3/auth/tokens") => {
            let (token, subject) = tokens(incoming);
            keystone
                .show(token, subject, now)
                .map(|body| Answer::json(200, &body).with("x-subject-token", subject.into()))
        }
        ("DELETE", "/v3/auth/tokens") => {
            let (token, subject) = tokens(incoming);
            keystone.revoke(token, subject, now).map(|()| Answer::new(204, "", Vec::new()))
        }
        ("GET", "/v3/auth/catalog") => {
            keystone.catalog_of(tokens(incoming).0, now).map(|body| Answer::json(200, &body))
        }
        ("GET", "/v3/auth/projects") => {
            keystone.projects_of(tokens(incoming).0, now).map(|body| Answer::json(200, &body))
        }
        (method, path) => match credentials(keystone, incoming, method, path, now) {
            Some(answered) => answered,
            None => return not_found(),
        },
    };
    answered.unwrap_or_else(|denied| refused(&denied))
}

/// A Keystone that serves only v2.0.
fn second(keystone: &mut Keystone, incoming: &Incoming, now: Timestamp) -> Answer {
    let answered = match (incoming.method.as_str(), incoming.path.trim_end_matches('/')) {
        ("GET" | "HEAD", "") => {
            Ok(Answer::json(300, &json!({"versions": {"values": [second_version(&keystone.base)]}})))
        }
        ("GET" | "HEAD", "/v2.0") => Ok(Answer::json(200, &json!({"version": second_version(&keystone.base)}))),
        ("POST", "/v2.0/tokens") => {
            parsed(incoming).and_then(|body| keystone.authenticate_v2(&body, now)).map(|body| Answer::json(200, &body))
        }
        ("GET", "/v2.0/tenants") => keystone.tenants_of(tokens(incoming).0, now).map(|body| Answer::json(200, &body)),
        _ => return not_found(),
    };
    answered.unwrap_or_else(|denied| refused(&denied))
}

fn second_version(base: &str) -> Value {
    json!({
        "id": "v2.0",
        "status": "stable",
        "updated": "2014-04-17T00:00:00Z",
        "links": [{"rel": "self", "href": format!("{base}/v2.0/")}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v2.0+json"}],
    })
}

/// `/v3/users/USER/application_credentials[/ID]`.
fn credentials(
    keystone: &mut Keystone,
    incoming: &Incoming,
    method: &str,
    path: &str,
    now: Timestamp,
) -> Option<Result<Answer, Denied>> {
    let token = tokens(incoming).0;
    let (user, id) = path.strip_prefix("/v3/users/")?.split_once("/application_credentials")?;
    match (method, id.strip_prefix('/')) {
        ("GET", None) => Some(keystone.credentials_of(token, user, now).map(|body| Answer::json(200, &body))),
        ("DELETE", Some(id)) => {
            let deleted = keystone.delete_credential(token, user, id, now);
            Some(deleted.map(|()| Answer::new(204, "", Vec::new())))
        }
        _ => None,
    }
}

fn issue(keystone: &mut Keystone, incoming: &Incoming, now: Timestamp) -> Result<Answer, Denied> {
    let body = parsed(incoming)?;
    let (token, mut described) = keystone.authenticate(&body, now)?;
    if incoming.query.iter().any(|(key, _)| key == "nocatalog") {
        described["token"].as_object_mut().map(|fields| fields.remove("catalog"));
    }
    Ok(Answer::json(201, &described).with("x-subject-token", token))
}

fn parsed(incoming: &Incoming) -> Result<Value, Denied> {
    if !incoming.json {
        return Err(Denied::lacks("application/json in Content-Type header"));
    }
    serde_json::from_slice(&incoming.body).map_err(|_| Denied::lacks("valid JSON in request body"))
}

fn tokens(incoming: &Incoming) -> (&str, &str) {
    (incoming.token.as_deref().unwrap_or_default(), incoming.subject.as_deref().unwrap_or_default())
}

fn version(base: &str) -> Value {
    json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": format!("{base}/v3/")}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    })
}

fn refused(denied: &Denied) -> Answer {
    let mut error = json!({"code": denied.status, "message": denied.message, "title": denied.title()});
    if denied.identity {
        error["identity"] = json!({});
    }
    let answer = Answer::json(denied.status, &json!({"error": error}));
    match denied.status {
        401 => answer.with("www-authenticate", "Keystone uri=\"/v3\"".into()),
        _ => answer,
    }
}

fn not_found() -> Answer {
    let page = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL \
                was not found on the server. If you entered the URL manually please check your spelling and try \
                again.</p>\n";
    Answer::new(404, "text/html; charset=utf-8", page)
}
