//! A request as a value: it can be planned, recorded, compared and tested without a socket.

use serde_json::Value;
use strum::IntoStaticStr;

/// One call of the HTTP API.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub service: Service,
    pub method: Method,
    /// Relative to the service's URL (Coriolis' includes the project), without a leading slash:
    /// `transfers/8d71f0ca-.../executions`.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// Sent as JSON, except for a text, which is sent unchanged.
    pub body: Option<Value>,
    pub answer: Answer,
    /// The safe way to repeat a change of unknown outcome; `None` for a read.
    pub repeat: Option<Repeat>,
}

/// The service that answers a request, as the catalog knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    #[default]
    Coriolis,
    /// Barbican.
    Secrets,
    Logs,
    /// Wants no token.
    Licensing,
    /// The truth of a sandbox, which no real cloud has.
    Sandbox,
}

impl Service {
    /// Its type in the catalog; Coriolis' is a setting.
    pub fn catalog_type(self) -> Option<&'static str> {
        match self {
            Service::Coriolis => None,
            Service::Secrets => Some("key-manager"),
            Service::Logs => Some("coriolis-logger"),
            Service::Licensing => Some("coriolis-licensing"),
            Service::Sandbox => Some("coriolis-sandbox"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// The place of the result in the answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The object under this key, which has an id.
    Thing(&'static str),
    /// The object under this key.
    Object(&'static str),
    /// The value under this key.
    Field(&'static str),
    /// The array of objects under this key.
    List(&'static str),
    /// The whole body: an object that has this URL.
    Reference(&'static str),
    /// The whole body.
    Whole,
    /// The body as a text.
    Text,
    /// Nothing (204): delete and cancel. The connection is closed afterwards: servers before 1.2.2 send 64 stray bytes
    /// after such an answer.
    Empty,
}

impl Answer {
    /// The part that this answer must have and `result` lacks; continues "it has".
    pub fn lacks(self, result: &Value) -> Option<String> {
        let text = |key: &str| result[key].as_str().is_some_and(|text| !text.is_empty());
        match self {
            Answer::Thing(key) | Answer::Object(key) if !result.is_object() => Some(format!("no object `{key}`")),
            Answer::Thing(key) if !text("id") => Some(format!("no id in `{key}`")),
            Answer::List(key) if !result.as_array().is_some_and(|list| list.iter().all(Value::is_object)) => {
                Some(format!("no list of objects `{key}`"))
            }
            Answer::Reference(key) if !result[key].as_str().is_some_and(|text| text.contains("://")) => {
                Some(format!("no URL `{key}`"))
            }
            _ => None,
        }
    }
}

/// The safe way to repeat a change that may or may not have been applied (a lost reply, a 503, a crash).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Send it again: the second time changes nothing more (DELETE, where 404 then means done; validate-connection).
    Safe,
    /// Look on the server for what it may have made or done; send it again only if it did nothing.
    Find,
    /// Nothing can tell: ask the operator.
    Ask,
}

impl Request {
    pub fn get(path: impl Into<String>, answer: Answer) -> Self {
        Self {
            service: Service::Coriolis,
            method: Method::Get,
            path: path.into(),
            query: Vec::new(),
            body: None,
            answer,
            repeat: None,
        }
    }

    pub fn post(path: impl Into<String>, body: Value, answer: Answer, repeat: Repeat) -> Self {
        Self {
            service: Service::Coriolis,
            method: Method::Post,
            path: path.into(),
            query: Vec::new(),
            body: Some(body),
            answer,
            repeat: Some(repeat),
        }
    }

    pub fn put(path: impl Into<String>, body: Value, answer: Answer, repeat: Repeat) -> Self {
        Self { method: Method::Put, ..Self::post(path, body, answer, repeat) }
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self {
            service: Service::Coriolis,
            method: Method::Delete,
            path: path.into(),
            query: Vec::new(),
            body: None,
            answer: Answer::Empty,
            repeat: Some(Repeat::Safe),
        }
    }

    /// The same request to another service.
    #[must_use]
    pub fn to(self, service: Service) -> Self {
        Self { service, ..self }
    }

    /// The same request without a body.
    #[must_use]
    pub fn without_body(self) -> Self {
        Self { body: None, ..self }
    }

    /// Adds a query parameter if it has a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// The value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// True if it changes anything on the server.
    pub fn changes(&self) -> bool {
        self.repeat.is_some()
    }
}

/// A name or id as one segment of a path: characters that a URL could misread are percent-encoded.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_says_what_it_lacks() {
        let thing = Answer::Thing("execution");
        for result in [json!("surprise"), json!(null), json!([]), json!(3)] {
            assert_eq!(thing.lacks(&result).as_deref(), Some("no object `execution`"), "{result}");
        }
        for result in [json!({}), json!({"id": ""}), json!({"id": null}), json!({"id": 7})] {
            assert_eq!(thing.lacks(&result).as_deref(), Some("no id in `execution`"), "{result}");
        }
        assert_eq!(thing.lacks(&json!({"id": "E"})), None);
        assert_eq!(Answer::Object("instance").lacks(&json!({})), None);
        assert!(Answer::Object("instance").lacks(&json!("x")).is_some());
        assert!(Answer::List("transfers").lacks(&json!([{}, 1])).is_some());
        assert_eq!(Answer::List("transfers").lacks(&json!([])), None);
        assert!(Answer::Reference("secret_ref").lacks(&json!({"secret_ref": "surprise"})).is_some());
        assert_eq!(Answer::Reference("secret_ref").lacks(&json!({"secret_ref": "http://b/v1/secrets/S"})), None);
        assert_eq!(Answer::Empty.lacks(&json!(null)), None);
    }

    #[test]
    fn a_segment_cannot_leave_its_place_in_the_path() {
        assert_eq!(segment("8d71f0ca-1f0a-4f3d"), "8d71f0ca-1f0a-4f3d");
        assert_eq!(segment("a/b?c#d %é"), "a%2Fb%3Fc%23d%20%25%C3%A9");
    }
}
