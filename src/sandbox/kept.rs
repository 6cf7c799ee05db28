//! The part of a request that stays in the ledger: everything that the simulated service acts on, and no secret.
//!
//! The service compares connections, so two secrets must stay different: each becomes a mask with a number of its own.
//! It also recognizes three passwords that let nobody in.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::routes::call::Incoming;
use super::world::{Caller, TELLING, licensing, secrets};
use crate::secret::{self, Known, Place};

/// One change, and the status of its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// True if the body was declared as JSON.
    #[serde(default)]
    pub json: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The remaining text of a body that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    pub status: u16,
}

/// The masks in use.
#[derive(Default)]
pub(super) struct Masks {
    given: HashMap<String, usize>,
    /// The number of earlier masks; the ledger does not say of which secrets.
    earlier: usize,
    /// The secrets that the process has met.
    pub(super) known: Known,
}

impl Masks {
    /// Records the masks in this value as used.
    pub(super) fn learn(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.earlier = self.earlier.max(number(text).unwrap_or(0)),
            Value::Array(values) => values.iter().for_each(|value| self.learn(value)),
            Value::Object(fields) => fields.values().for_each(|value| self.learn(value)),
            _ => {}
        }
    }

    pub(super) fn entry(&mut self, incoming: &Incoming, at: Timestamp, status: u16) -> Entry {
        let (body, text) = self.body(incoming);
        let query = incoming.query.iter().map(|(name, value)| {
            let value = if secret::is_secret_name(name) { secret::MASK.into() } else { self.known.mask(value) };
            (name.clone(), value.into_owned())
        });
        Entry {
            at,
            method: incoming.method.clone(),
            path: incoming.path.clone(),
            query: query.collect(),
            caller: incoming.caller.clone(),
            json: incoming.json,
            body,
            text,
            status,
        }
    }

    /// The body as JSON, or the remaining text of one that is not JSON.
    fn body(&mut self, incoming: &Incoming) -> (Option<Value>, Option<String>) {
        if incoming.body.is_empty() {
            return (None, None);
        }
        if incoming.path.starts_with(licensing::PREFIX) {
            let licence = String::from_utf8_lossy(&incoming.body).contains(licensing::BEGIN);
            return (None, licence.then(|| licensing::BEGIN.into()));
        }
        match serde_json::from_slice::<Value>(&incoming.body) {
            // A body that is ignored and one that cannot be parsed only show that there was one.
            _ if !incoming.json => (None, Some(secret::MASK.into())),
            Err(_) => (None, Some(secret::MASK.into())),
            Ok(Value::Null) => (None, Some("null".into())),
            Ok(body) if incoming.path.starts_with(secrets::PREFIX) => {
                let mut kept = secret_kept(&body);
                self.known.mask_value(&mut kept, &["payload"]);
                (Some(kept), None)
            }
            Ok(mut body) => {
                self.mask(Place::default(), &mut body);
                (Some(body), None)
            }
        }
    }

    fn mask(&mut self, place: Place, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    if place.is_secret(name) {
                        self.cover(field);
                    } else {
                        self.mask(place.inside(name), field);
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.mask(place, value)),
            Value::String(_) => self.known.mask_value(value, &[]),
            _ => {}
        }
    }

    /// Masks everything inside.
    fn cover(&mut self, value: &mut Value) {
        let secret = match value {
            Value::Array(values) => return values.iter_mut().for_each(|value| self.cover(value)),
            Value::Object(fields) => return fields.values_mut().for_each(|value| self.cover(value)),
            Value::Null | Value::Bool(_) => return,
            Value::String(text) if text.is_empty() || TELLING.contains(&text.as_str()) => return,
            ref other => other.to_string(),
        };
        let next = self.earlier + self.given.len() + 1;
        let number = *self.given.entry(secret).or_insert(next);
        *value = word(number).into();
    }
}

fn word(number: usize) -> String {
    if number == 1 { secret::MASK.into() } else { format!("{} {number}", secret::MASK) }
}

fn number(word: &str) -> Option<usize> {
    match word.strip_prefix(secret::MASK)? {
        "" => Some(1),
        rest => rest.strip_prefix(' ')?.parse().ok(),
    }
}

/// The fields of a stored secret that Barbican acts on.
fn secret_kept(body: &Value) -> Value {
    const FIELDS: [&str; 8] = [
        "name",
        "secret_type",
        "algorithm",
        "mode",
        "bit_length",
        "expiration",
        "payload_content_type",
        "payload_content_encoding",
    ];
    let known = FIELDS.into_iter().filter_map(|name| Some((name.to_owned(), body.get(name)?.clone())));
    let mut kept: Map<String, Value> = known.collect();
    if let Some(payload) = body.get("payload").and_then(Value::as_str) {
        let plain = body["payload_content_type"].as_str().is_some_and(|content| content.starts_with("text/"));
        let payload = if plain {
            payload_kept(payload.as_bytes())
        } else {
            STANDARD.encode(payload_kept(&STANDARD.decode(payload.trim()).unwrap_or_default()))
        };
        kept.insert("payload".into(), payload.into());
    }
    kept.into()
}

/// A secret's payload, as far as an endpoint connected with it depends on it.
fn payload_kept(payload: &[u8]) -> String {
    match serde_json::from_slice::<Value>(payload) {
        Ok(connection @ Value::Object(_)) => {
            let password = connection["password"].as_str().filter(|password| TELLING.contains(password));
            json!({"host": connection["host"].as_str(), "password": password.unwrap_or(secret::MASK)}).to_string()
        }
        Ok(_) => json!(secret::MASK).to_string(),
        Err(_) => secret::MASK.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(path: &str, body: &str) -> Incoming {
        Incoming {
            method: "POST".into(),
            path: path.into(),
            query: vec![("token".into(), "t".into()), ("force".into(), "true".into())],
            accept: None,
            json: true,
            token: Some("gAAAA".into()),
            subject: None,
            body: body.into(),
            caller: None,
        }
    }

    fn kept(masks: &mut Masks, path: &str, body: &str) -> Value {
        let entry = masks.entry(&incoming(path, body), Timestamp::UNIX_EPOCH, 200);
        assert_eq!(entry.query, [("token".into(), "***".into()), ("force".into(), "true".into())]);
        json!([entry.body, entry.text])
    }

    #[test]
    fn each_secret_has_a_mask_of_its_own_also_after_the_ledger_was_opened_again() {
        let mut masks = Masks::default();
        let body = r#"{"connection_info": {"host": "h", "password": "a", "tokens": ["b", {"x": 5}], "key": "a"}}"#;
        let masked = json!({"connection_info": {"host": "h", "password": "***", "tokens": ["*** 2", {"x": "*** 3"}],
                                                "key": "***"}});
        assert_eq!(kept(&mut masks, "/v1/p/endpoints", body), json!([masked, null]));
        let mut again = Masks::default();
        again.learn(&masked);
        assert_eq!(kept(&mut again, "/v1/p", r#"{"password": "a"}"#), json!([{"password": "*** 4"}, null]));
        assert_eq!(kept(&mut again, "/v1/p", r#"{"password": "wrong"}"#), json!([{"password": "wrong"}, null]));
    }

    #[test]
    fn what_is_no_json_leaves_no_more_than_what_it_was() {
        let mut masks = Masks::default();
        assert_eq!(kept(&mut masks, "/v1/p/endpoints", r#"{"password": "x"#), json!([null, "***"]));
        assert_eq!(kept(&mut masks, "/v1/p/endpoints", "null"), json!([null, "null"]));
        let licence = "-----BEGIN LICENCE-----\nabc";
        assert_eq!(kept(&mut masks, "/licensing/appliances/a/licences", licence), json!([null, "-----BEGIN"]));
    }

    #[test]
    fn a_payload_stays_what_an_endpoint_can_be_connected_with() {
        let cases = [
            (r#"{"host": "h", "password": "p", "username": "u"}"#, r#"{"host":"h","password":"***"}"#),
            (r#"{"host": "h", "password": "bad"}"#, r#"{"host":"h","password":"bad"}"#),
            ("\"p\"", "\"***\""),
            ("p", "***"),
            ("", "***"),
        ];
        let coded = STANDARD.encode(cases[0].0);
        let body = json!({"name": "n", "secret_type": "opaque", "payload": coded, "other": "x",
            "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"});
        let mut kept = body.clone();
        kept.as_object_mut().unwrap().remove("other");
        kept["payload"] = STANDARD.encode(cases[0].1).into();
        assert_eq!(secret_kept(&body), kept);
        assert_eq!(cases.map(|(payload, _)| payload_kept(payload.as_bytes())), cases.map(|(_, kept)| kept.to_owned()));
    }
}
