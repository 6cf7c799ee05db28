//! Reading an answer: the value that was asked for, or an error with the server's message. Pure.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use super::request::{Answer, Request, Service};
use super::shape;
use crate::error::{Error, Kind, RETRY_AFTER, Result};
use crate::secret;

/// An answer as it came over the wire.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub request_id: Option<String>,
    /// The seconds after its answer at which the server wants to be asked again.
    pub retry_after: Option<i64>,
    pub body: Vec<u8>,
}

/// The error of one try, and how far it got.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub error: Error,
    pub reach: Reach,
}

/// The furthest point of a try: it decides whether the request may have acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nothing left this machine for a lasting reason: refused credentials, a malformed URL, a wish to stop.
    Kept,
    /// Nothing left this machine: Keystone refused a login that it had accepted before.
    Unadmitted,
    /// Nothing left this machine: no connection.
    NotSent,
    /// Sent, and the connection broke.
    NoAnswer,
    /// Sent, and nothing came in time.
    TimedOut,
    /// Answered. `spoken` when the body is an error object of an OpenStack service and not a proxy's page.
    Answered { status: u16, spoken: bool },
}

/// # Errors
/// Any answer other than the one that `request` asked for.
pub(super) fn read(request: &Request, reply: &Reply) -> Result<Value, Fault> {
    let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let spoken = body.as_ref().is_some_and(|body| body["error"].is_object() || body["description"].is_string());
    let error = match reply.status {
        200..=299 if request.answer == Answer::Text => return Ok(String::from_utf8_lossy(&reply.body).into()),
        200..=299 => match take(request, body) {
            Ok(value) => return Ok(value),
            Err(missing) => unreadable(request, reply, &missing),
        },
        _ => refusal(request, reply, body.as_ref()),
    };
    Err(Fault { error, reach: Reach::Answered { status: reply.status, spoken } })
}

fn take(request: &Request, body: Option<Value>) -> Result<Value, String> {
    let answer = request.answer;
    let mut body = match (answer, body) {
        (Answer::Empty, _) => return Ok(Value::Null),
        (_, Some(body)) => body,
        (_, None) => return Err("the body is not JSON".into()),
    };
    let result = match answer {
        Answer::Thing(key) | Answer::Object(key) | Answer::Field(key) | Answer::List(key) => {
            body.get_mut(key).map(Value::take).ok_or_else(|| format!("it has no `{key}`"))?
        }
        Answer::Reference(_) | Answer::Whole | Answer::Text | Answer::Empty => body,
    };
    let lacks = answer.lacks(&result).or_else(|| shape::lacks(request, &result));
    lacks.map_or(Ok(result), |lacks| Err(format!("it has {lacks}")))
}

fn unreadable(request: &Request, reply: &Reply, missing: &str) -> Error {
    let message = format!("{} an answer that is not from a Coriolis API, {missing}", reply.status);
    about(request, Kind::Unreachable, &message, reply)
}

fn refusal(request: &Request, reply: &Reply, body: Option<&Value>) -> Error {
    // Barbican's errors have no wrapper.
    let said = body.and_then(|body| body["error"]["message"].as_str().or_else(|| body["description"].as_str()));
    let kind = match (reply.status, said) {
        (401, _) => Kind::Login,
        (_, None) => Kind::Unreachable,
        (404, _) => Kind::NotFound,
        _ => Kind::Api,
    };
    // Before anything is cut off: half a secret would no longer be found.
    let clean = |text: &str| without_secrets(text.to_owned(), request.body.as_ref());
    let original = match (said, body.and_then(|body| body["message"].as_str())) {
        (Some(said), _) => clean(said),
        (None, Some(text)) => plain(&clean(text)),
        (None, None) => plain(&clean(&String::from_utf8_lossy(&reply.body))),
    };
    let message = first_line(&original);
    let mut error = about(request, kind, format!("{} {message}", reply.status).trim_end(), reply);
    if message != original {
        error = error.detail("server_message", without_instance(&original));
    }
    if let Some(fault) = body.and_then(|body| body["error"]["fault"].as_str()) {
        error = error.detail("fault", fault);
    }
    match hint(reply.status, said).filter(|_| request.service == Service::Coriolis) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn hint(status: u16, said: Option<&str>) -> Option<&'static str> {
    match (status, said) {
        (401, _) => Some("check the user, the project and the password or token"),
        (404, None) => Some("the server does not know this path: check the URL of the `migration` service"),
        (_, None) => Some("check that the URL of the `migration` service is that of a Coriolis API"),
        // The only text that is looked at, and only for a hint.
        (400, Some("Malformed request url")) => Some("the project in the URL must be the one that the token is for"),
        _ => None,
    }
}

/// An error with the request, the answer's message and the request id in its message and its details.
fn about(request: &Request, kind: Kind, message: &str, reply: &Reply) -> Error {
    let id = reply.request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default();
    let error = of_request(request, kind, &format!("{message}{id}")).detail("status", reply.status);
    let error = match reply.retry_after.filter(|_| matches!(reply.status, 429 | 503)) {
        Some(seconds) => error.detail(RETRY_AFTER, seconds),
        None => error,
    };
    match &reply.request_id {
        Some(id) => error.detail("request_id", id.as_str()),
        None => error,
    }
}

/// The value of `Retry-After` in seconds: a number, or a time minus `date` (the time of the answer). A server's clock
/// may be wrong; then both are wrong by the same amount.
pub(super) fn retry_after(value: &str, date: Option<&str>, now: Timestamp) -> Option<i64> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(seconds.into());
    }
    let until = rfc2822::parse(value).ok()?.timestamp();
    let made = date.and_then(|date| rfc2822::parse(date.trim()).ok()).map_or(now, |date| date.timestamp());
    Some(until.duration_since(made).as_secs().max(0))
}

/// An error that names the request: `POST transfers/.../executions: message`.
pub(super) fn of_request(request: &Request, kind: Kind, message: &str) -> Error {
    let (method, path) = (request.method.word(), request.path.as_str());
    Error::new(kind, format!("{method} {path}: {message}")).detail("method", method).detail("path", path)
}

/// The message as people need it: without exception classes, doubled prefixes and anything after the first line.
fn first_line(message: &str) -> String {
    let mut line = message.trim().lines().next().unwrap_or_default().trim();
    while let Some((word, rest)) = line.split_once(": ")
        && (is_class(word) || rest.starts_with(&format!("{word}: ")))
    {
        line = rest.trim_start();
    }
    line.to_owned()
}

/// `NotFound`, `InstanceNotFound_Remote`: exceptions that reached the message. Plain words such as `Error` stay.
fn is_class(word: &str) -> bool {
    let capitals = word.chars().filter(char::is_ascii_uppercase).count();
    word.ends_with("_Remote")
        || (capitals >= 2
            && word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.chars().any(|letter| letter.is_ascii_lowercase())
            && word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'))
}

/// Removes the value that was checked, passwords included, from the end of a schema error.
pub(super) fn without_instance(message: &str) -> String {
    match message.find("\nOn instance") {
        Some(end) => message[..end].trim_end().to_owned(),
        None => message.to_owned(),
    }
}

/// Removes secrets that we sent from the server's message.
fn without_secrets(mut message: String, sent: Option<&Value>) -> String {
    let mut values = Vec::new();
    sent.into_iter().for_each(|sent| collect_secrets(sent, &mut values));
    // The longest first, so that no secret leaves its end behind because a shorter one begins the same way.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values {
        let escaped = Value::from(value).to_string();
        message = message.replace(escaped.trim_matches('"'), secret::MASK).replace(value, secret::MASK);
    }
    message
}

fn collect_secrets<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if secret::Place::CREDENTIALS.is_secret(name) && text.len() > 2 => {
                        found.push(text)
                    }
                    _ => collect_secrets(field, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_secrets(value, found)),
        _ => {}
    }
}

/// The text of a page without its tags, shortened.
fn plain(text: &str) -> String {
    let mut inside = false;
    let untagged: String = text
        .chars()
        .filter_map(|letter| match letter {
            '<' => {
                inside = true;
                Some(' ')
            }
            '>' if inside => {
                inside = false;
                None
            }
            _ if inside => None,
            _ => Some(letter),
        })
        .collect();
    let words: Vec<&str> = untagged.split_whitespace().collect();
    words.join(" ").chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::Repeat;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, request_id: Some("req-7".into()), retry_after: None, body: body.as_bytes().to_vec() }
    }

    fn fault(status: u16, body: &str) -> Fault {
        read(&Request::get("transfers/T", Answer::Thing("transfer")), &reply(status, body)).expect_err("a refusal")
    }

    fn show(status: u16, body: &str) -> (Kind, String, bool) {
        let Fault { error, reach } = fault(status, body);
        (error.kind, error.message, reach == Reach::Answered { status, spoken: true })
    }

    #[test]
    fn each_of_the_recorded_error_bodies_is_understood() {
        let normal = r#"{"error":{"fault":"badRequest","code":400,"message":"Malformed request url"}}"#;
        let said = "GET transfers/T: 400 Malformed request url (request req-7)";
        assert_eq!(show(400, normal), (Kind::Api, said.into(), true));

        let unrouted = r#"{"message":"The resource could not be found.<br /><br />\n\n\n","code":"404 Not Found","title":"Not Found"}"#;
        let said = "GET transfers/T: 404 The resource could not be found. (request req-7)";
        assert_eq!(show(404, unrouted), (Kind::Unreachable, said.into(), false));

        let routed = r#"{"error":{"fault":"itemNotFound","code":404,"message":"NotFound_Remote: Replica with ID 'new' not found."}}"#;
        let said = "GET transfers/T: 404 Replica with ID 'new' not found. (request req-7)";
        assert_eq!(show(404, routed), (Kind::NotFound, said.into(), true));

        let outside = "404 Not Found\r\nThe resource could not be found.\r\n/\r\n\r\n";
        let said = "GET transfers/T: 404 404 Not Found The resource could not be found. / (request req-7)";
        assert_eq!(show(404, outside).0, Kind::Unreachable);
        assert_eq!(show(404, outside).1, said);

        let login = r#"{"error":{"code":401,"title":"Unauthorized","message":"The request you have made requires authentication."}}"#;
        let said = "GET transfers/T: 401 The request you have made requires authentication. (request req-7)";
        assert_eq!(show(401, login), (Kind::Login, said.into(), true));
        assert_eq!(show(401, "<html>Authentication required</html>").0, Kind::Login);

        let proxy = "<html><head><title>502 Bad Gateway</title></head><body></body></html>";
        let said = "GET transfers/T: 502 502 Bad Gateway (request req-7)";
        assert_eq!(show(502, proxy), (Kind::Unreachable, said.into(), false));
    }

    #[test]
    fn a_schema_error_is_one_line_and_its_dump_a_detail() {
        let message = "Invalid input received: Invalid input received: Schema validation failed: 'vm' was unexpected\n\n\
                       Failed validating 'type' in schema:\n    {}\n\nOn instance:\n    {'password': 'p'}";
        let body = json!({"error": {"fault": "badRequest", "code": 400, "message": message}}).to_string();
        let error = fault(400, &body).error;
        assert_eq!(
            error.message,
            "GET transfers/T: 400 Invalid input received: Schema validation failed: 'vm' was unexpected (request req-7)"
        );
        let kept = message.split("\n\nOn instance").next();
        assert_eq!(error.details["server_message"].as_str(), kept);
    }

    #[test]
    fn the_time_to_ask_again_is_a_number_or_a_date() {
        let now = "2026-06-01T20:00:00Z".parse().expect("a time");
        let date = Some("Mon, 01 Jun 2026 22:00:00 GMT");
        let table = [
            ("3", None, Some(3)),
            (" 120 ", date, Some(120)),
            ("Mon, 01 Jun 2026 20:01:30 GMT", None, Some(90)),
            ("Mon, 01 Jun 2026 22:01:00 GMT", date, Some(60)),
            ("Mon, 01 Jun 2026 19:00:00 GMT", None, Some(0)),
            ("-3", None, None),
            ("soon", None, None),
            ("", date, None),
        ];
        let wrong: Vec<_> =
            table.iter().filter(|(value, date, expected)| retry_after(value, *date, now) != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let limited = Reply { retry_after: Some(7), ..reply(429, r#"{"error":{"message":"slow down"}}"#) };
        let error = read(&Request::get("transfers/T", Answer::Thing("transfer")), &limited).expect_err("no").error;
        assert_eq!(error.details[RETRY_AFTER], 7);
    }

    #[test]
    fn classes_are_stripped_and_words_are_not() {
        assert_eq!(first_line("NoSuitableWorkerServiceError_Remote: None matched"), "None matched");
        assert_eq!(first_line("InstanceNotFound: Instance: x"), "Instance: x");
        assert_eq!(first_line("Error: x"), "Error: x");
        assert_eq!(first_line("VM: x"), "VM: x");
        assert_eq!(first_line(""), "");
    }

    #[test]
    fn a_secret_that_was_sent_does_not_come_back_in_an_error() {
        let body = json!({"endpoint": {"connection_info": {"password": "s3cret", "nested": [{"api_key": "k3y"}]}}});
        let request = Request::post("endpoints", body, Answer::Thing("endpoint"), Repeat::Find);
        let said = json!({"error": {"message": "'s3cret' is too short\n'k3y' too"}}).to_string();
        let error = read(&request, &reply(400, &said)).expect_err("refused").error;
        assert!(!format!("{error:?}").contains("s3cret") && !format!("{error:?}").contains("k3y"), "{error:?}");
        assert_eq!(error.message, "POST endpoints: 400 '***' is too short (request req-7)");
    }

    #[test]
    fn a_secret_is_taken_out_before_a_page_is_shortened_and_in_its_escaped_form() {
        let secret = "a\"b\\c".repeat(30);
        let body = json!({"endpoint": {"connection_info": {"password": secret, "token": "a\"b"}}});
        let request = Request::post("endpoints", body.clone(), Answer::Thing("endpoint"), Repeat::Find);
        let page = format!("<p>{}</p> {body}", "x".repeat(40));
        let error = read(&request, &reply(400, &page)).expect_err("refused").error;
        assert!(error.message.contains("\"password\":\"***\",\"token\":\"***\""), "{}", error.message);
    }

    #[test]
    fn an_answer_without_what_was_asked_for_is_not_one() {
        let list = Request::get("transfers", Answer::List("transfers"));
        assert_eq!(read(&list, &reply(200, r#"{"transfers":[]}"#)).expect("a list"), json!([]));
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"transfers":{}}"#,
            r#"{"transfers":[1]}"#,
            r#"{"transfers":[{}]}"#,
            "[]",
            "null",
            r#"{"transfers":[{"id""#,
        ] {
            let fault = read(&list, &reply(200, body)).expect_err(body);
            assert_eq!(fault.error.kind, Kind::Unreachable, "{body}");
        }
        let stray = r#"{"error": {"fault": "computeFault", "code": 204, "message": ""}}"#;
        assert_eq!(read(&Request::delete("transfers/T"), &reply(204, stray)).expect("done"), Value::Null);
    }
}
