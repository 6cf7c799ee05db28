//! Secrets in Barbican: connections are kept there, so that Coriolis' database does not hold passwords.

use serde_json::{Value, json};

use super::request::{Answer, Repeat, Request, Service, segment};

/// The size of the largest page that the server gives.
pub const PAGE: usize = 100;

/// The field that holds a mark: the one field of a secret that means nothing to the server for this type, and that
/// lists can be filtered by. The name belongs to the operator.
const MARK: &str = "mode";

/// Answers `{"secret_ref": URL}`. An empty payload is refused. The mark makes it possible to find the secret again.
pub fn store(name: Option<&str>, payload: &str, mark: &str) -> Request {
    let mut body = json!({ "payload": payload, "payload_content_type": "text/plain", MARK: mark });
    // Null is refused where a text may be left out.
    if let Some(name) = name {
        body["name"] = name.into();
    }
    Request::post("v1/secrets", body, Answer::Reference("secret_ref"), Repeat::Find).to(Service::Secrets)
}

/// The metadata of a secret, without its payload.
pub fn show(secret: &str) -> Request {
    Request::get(path(secret), Answer::Whole).to(Service::Secrets)
}

pub fn payload(secret: &str) -> Request {
    Request::get(format!("{}/payload", path(secret)), Answer::Text).to(Service::Secrets)
}

pub fn delete(secret: &str) -> Request {
    Request::delete(path(secret)).to(Service::Secrets)
}

/// One page. Answers `{"secrets": [...], "total": number}`.
///
/// The server decodes the name once more than the rest of the query (seen on Barbican 23), and trims the names that it
/// keeps.
pub fn list(name: Option<&str>, offset: usize) -> Request {
    let name = name.map(|name| name.trim().replace('%', "%25").replace('+', "%2B"));
    Request::get("v1/secrets", Answer::Whole)
        .with("limit", PAGE)
        .with("offset", offset)
        .with_some("name", name)
        .to(Service::Secrets)
}

/// The secrets with a mark.
pub fn marked(mark: &str) -> Request {
    Request::get("v1/secrets", Answer::List("secrets")).with(MARK, mark).to(Service::Secrets)
}

/// The metadata of a secret, without our mark.
pub fn unmarked(mut secret: Value) -> Value {
    if secret[MARK].as_str().is_some_and(|text| text.starts_with("[coriolis-run ")) {
        secret[MARK] = Value::Null;
    }
    secret
}

/// The path of a secret, given its id or its reference (the URL that ends with it). The host is always the catalog's:
/// tokens go nowhere else.
fn path(secret: &str) -> String {
    format!("v1/secrets/{}", segment(id(secret)))
}

/// The id in a reference.
pub fn id(secret: &str) -> &str {
    secret.trim_end_matches('/').rsplit('/').next().unwrap_or(secret)
}

/// The value that an endpoint has instead of its connection.
pub fn reference(secret_ref: &str) -> Value {
    json!({ "secret_ref": secret_ref })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_asked_for_at_the_catalogs_host() {
        let one = Request::get("v1/secrets/S", Answer::Whole).to(Service::Secrets);
        assert_eq!(show("S"), one);
        assert_eq!(show("https://elsewhere:9311/v1/secrets/S"), one);
        assert_eq!(
            payload("http://h/v1/secrets/S/"),
            Request::get("v1/secrets/S/payload", Answer::Text).to(Service::Secrets)
        );
        assert_eq!(delete("S"), Request::delete("v1/secrets/S").to(Service::Secrets));
    }

    #[test]
    fn our_marks_are_not_shown_and_other_modes_are() {
        let shown = |mode: &str| unmarked(json!({ "mode": mode }))["mode"].clone();
        assert_eq!(shown("[coriolis-run m4k7t2qa main 2.1]"), Value::Null);
        assert_eq!(shown("cbc"), "cbc");
        assert_eq!(unmarked(json!({"name": "n"})), json!({"name": "n"}));
    }

    #[test]
    fn a_name_to_look_for_survives_being_decoded_twice() {
        let asked = |name| list(Some(name), 0).parameter("name").map(str::to_owned);
        assert_eq!(asked(" two words ").as_deref(), Some("two words"));
        assert_eq!(asked("a+b 100%").as_deref(), Some("a%2Bb 100%25"));
    }

    #[test]
    fn a_secret_without_a_name_has_none() {
        let body = json!({"payload": "p", "payload_content_type": "text/plain", "mode": "[m]"});
        assert_eq!(
            store(None, "p", "[m]"),
            Request::post("v1/secrets", body, Answer::Reference("secret_ref"), Repeat::Find).to(Service::Secrets)
        );
        assert_eq!(store(Some("vc"), "p", "[m]").body.map(|body| body["name"].clone()), Some(json!("vc")));
    }
}
