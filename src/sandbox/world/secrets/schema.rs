//! Barbican's schema for a new secret, and the words of its refusals.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Denied;
use crate::sandbox::world::python::python;

/// The longest request: the rest is not read, so that the text is no longer JSON.
pub(in crate::sandbox) const LONGEST_REQUEST: usize = 25_000;
const LONGEST_PAYLOAD: usize = 20_000;
const LONGEST_TEXT: usize = 255;

const CONTENT_TYPES: [&str; 5] = [
    "text/plain",
    "text/plain;charset=utf-8",
    "text/plain; charset=utf-8",
    "application/octet-stream",
    "application/pkcs8",
];
const KINDS: [&str; 6] = ["symmetric", "passphrase", "private", "public", "certificate", "opaque"];

/// A requested secret.
pub(in crate::sandbox) struct Draft {
    pub name: Option<String>,
    pub kind: String,
    pub algorithm: Option<String>,
    pub mode: Option<String>,
    pub bits: Option<i64>,
    pub expiration: Option<String>,
    pub payload: Option<Vec<u8>>,
    /// True if the payload is a text.
    pub plain: bool,
}

/// # Errors
/// 400 for a body that does not match, 413 for one that is too long.
pub(in crate::sandbox) fn draft(body: &Value, now: Timestamp) -> Result<Draft, Denied> {
    if !body.is_object() {
        return Err(invalid(&format!("{} is not of type 'object'", python(body)), "None"));
    }
    let name = text(body, "name", true)?.map(|name| name.trim().to_owned());
    let (algorithm, mode) = (text(body, "algorithm", false)?, text(body, "mode", false)?);
    let (kind, encoding) = (text(body, "secret_type", false)?, text(body, "payload_content_encoding", false)?);
    let content = text(body, "payload_content_type", true)?;
    let expiration = text(body, "expiration", false)?;
    if let Some(payload) = body.get("payload").filter(|payload| !payload.is_string()) {
        return Err(not_of(payload, "'string'", "payload"));
    }
    if let Some(kind) = kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
        return Err(invalid(&format!("'{kind}' is not one of {}", listed(&KINDS)), "secret_type"));
    }
    Ok(Draft {
        name,
        kind: kind.unwrap_or_else(|| "opaque".to_owned()),
        algorithm,
        mode,
        bits: bits(body)?,
        expiration: expiration.map(|time| future(&time, now)).transpose()?,
        plain: content.as_deref().is_none_or(|content| content.starts_with("text/")),
        payload: payload(body, content.as_deref(), encoding.as_deref())?,
    })
}

fn bits(body: &Value) -> Result<Option<i64>, Denied> {
    let Some(bits) = body.get("bit_length") else { return Ok(None) };
    match bits.as_i64() {
        None => Err(not_of(bits, "'integer'", "bit_length")),
        Some(number) if number < 1 => Err(invalid(&format!("{number} is less than the minimum of 1"), "bit_length")),
        some => Ok(some),
    }
}

fn payload(body: &Value, content: Option<&str>, encoding: Option<&str>) -> Result<Option<Vec<u8>>, Denied> {
    let Some(payload) = body.get("payload").and_then(Value::as_str) else {
        let problem = "payload must be provided when payload_content_type is specified";
        return if body.get("payload_content_type").is_some() { Err(invalid(problem, "payload")) } else { Ok(None) };
    };
    let content = content.ok_or_else(|| {
        let problem = "If 'payload' is supplied, 'payload_content_type' must also be supplied.";
        invalid(problem, "payload_content_type")
    })?;
    if !CONTENT_TYPES.contains(&content) {
        let problem = format!("payload_content_type is not one of {}", listed(&CONTENT_TYPES));
        return Err(invalid(&problem, "payload_content_type"));
    }
    let payload = payload.trim();
    let bytes = match (content.starts_with("text/"), encoding) {
        (true, _) => payload.as_bytes().to_vec(),
        (false, Some("base64")) => base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload)
            .map_err(|_| invalid("Invalid payload for payload_content_encoding", "payload"))?,
        (false, _) => {
            let problem = "payload_content_encoding is not one of ['base64', 'binary']";
            return Err(invalid(problem, "payload_content_encoding"));
        }
    };
    match bytes.len() {
        0 => Err(invalid("If 'payload' specified, must be non empty", "payload")),
        length if length > LONGEST_PAYLOAD => {
            let text = "Provided information too large to process";
            Err(Denied::new(413, "Request Entity Too Large", text))
        }
        _ => Ok(Some(bytes)),
    }
}

/// A future time, as it is shown afterwards: in UTC, without an offset.
fn future(text: &str, now: Timestamp) -> Result<String, Denied> {
    let utc = || text.parse::<DateTime>().and_then(|time| time.to_zoned(TimeZone::UTC)).map(|time| time.timestamp());
    let time = text.trim().parse::<Timestamp>().or_else(|_| utc());
    let time = time.map_err(|_| invalid("Invalid date for 'expiration'", "expiration"))?;
    if time <= now {
        return Err(invalid("'expiration' is before current time", "expiration"));
    }
    Ok(time.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

fn text(body: &Value, key: &str, or_null: bool) -> Result<Option<String>, Denied> {
    match body.get(key) {
        None => Ok(None),
        Some(Value::Null) if or_null => Ok(None),
        Some(Value::String(text)) if text.chars().count() > LONGEST_TEXT => {
            Err(invalid(&format!("'{text}' is too long"), key))
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(not_of(other, if or_null { "'string', 'null'" } else { "'string'" }, key)),
    }
}

fn not_of(value: &Value, kinds: &str, key: &str) -> Denied {
    invalid(&format!("{} is not of type {kinds}", python(value)), key)
}

fn invalid(problem: &str, key: &str) -> Denied {
    let text = format!("Provided object does not match schema 'Secret': {problem}. Invalid property: '{key}'");
    Denied::new(400, "Bad Request", text)
}

fn listed(words: &[&str]) -> String {
    format!("[{}]", words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(body: &Value) -> String {
        let now = "2026-06-01T20:00:00Z".parse().expect("a time");
        match draft(body, now) {
            Ok(draft) => format!("taken: {:?} {}", draft.name, draft.payload.map_or(0, |payload| payload.len())),
            Err(denied) => {
                let text = denied.description.unwrap_or_default();
                let (_, problem) = text.split_once("'Secret': ").unwrap_or(("", &text));
                format!("{}: {problem}", denied.status)
            }
        }
    }

    fn plain(payload: &str, more: &Value) -> Value {
        let mut body = json!({"payload": payload, "payload_content_type": "text/plain"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    }

    #[test]
    fn what_barbican_takes_and_refuses() {
        let none = json!({});
        let cases = [
            (plain("p", &json!({"name": " n "})), r#"taken: Some("n") 1"#),
            (plain("p", &json!({"name": null, "expiration": "2026-06-01T20:00:01"})), "taken: None 1"),
            (none.clone(), "taken: None 0"),
            (plain(&"p".repeat(20_000), &none), "taken: None 20000"),
            (plain(&"p".repeat(20_001), &none), "413: Provided information too large to process"),
            (plain(" ", &none), "400: If 'payload' specified, must be non empty. Invalid property: 'payload'"),
            (plain("p", &json!({"mode": null})), "400: None is not of type 'string'. Invalid property: 'mode'"),
            (plain("p", &json!({"name": 3})), "400: 3 is not of type 'string', 'null'. Invalid property: 'name'"),
            (json!([]), "400: [] is not of type 'object'. Invalid property: 'None'"),
            (
                plain("p", &json!({"expiration": "2026-06-01T20:00:00"})),
                "400: 'expiration' is before current time. Invalid property: 'expiration'",
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(outcome(&body), expected);
        }
    }
}
