use parking_lot::Mutex as StdMutex;
use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::*;
use crate::clock::Speed;
use crate::error::Prospect;
use crate::secret::Known;
use crate::settings::{self, CloudFlags};

/// The fake's answer to a login, given the number of earlier ones.
type Answer = fn(usize) -> (u16, Value);

/// A Keystone that gives the answers it was built with and remembers the requests.
struct Fake {
    url: String,
    asked: Arc<StdMutex<Vec<String>>>,
}

#[derive(Clone)]
struct Script {
    answer: Answer,
    /// The version document at its root; empty where nobody answers there.
    version: &'static str,
    asked: Arc<StdMutex<Vec<String>>>,
}

impl Fake {
    async fn start(answer: Answer) -> Self {
        Self::of("v3", answer).await
    }

    async fn of(version: &'static str, answer: Answer) -> Self {
        let asked = Arc::new(StdMutex::new(Vec::new()));
        let routes = Router::new().fallback(respond).with_state(Script { answer, version, asked: asked.clone() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }

    fn identity(&self, path: &str, more: &[(&str, &str)]) -> Arc<dyn Identity> {
        identity(&format!("{}{path}", self.url), more)
    }
}

async fn respond(State(told): State<Script>, method: Method, uri: Uri, _body: Bytes) -> Response {
    let logins = {
        let mut asked = told.asked.lock();
        let logins = asked.iter().filter(|line| line.starts_with("POST")).count();
        asked.push(format!("{method} {}", uri.path()));
        logins
    };
    let href = format!("http://inside.invalid:5000/{}/", told.version);
    let own = json!({"id": told.version, "status": "stable", "links": [{"rel": "self", "href": href}]});
    let (status, body) = match (method.as_str(), uri.path()) {
        ("GET", "/") if !told.version.is_empty() => (300, json!({"versions": {"values": [own]}})),
        ("GET", "/hidden/v2.0/") => (200, json!({"version": {"id": "v2.0", "status": "stable"}})),
        ("POST", "/v3/auth/tokens" | "/v2.0/tokens" | "/hidden/v2.0/tokens") => (told.answer)(logins),
        _ => (404, json!({"error": {"code": 404, "message": "not here", "title": "Not Found"}})),
    };
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    let subject = format!("token-{}", logins + 1);
    (status, [("X-Subject-Token", subject), ("X-Openstack-Request-Id", "req-1".into())], axum::Json(body))
        .into_response()
}

fn granted(_: usize) -> (u16, Value) {
    let endpoint = json!({"id": "e", "interface": "public", "region": "One", "region_id": "One",
        "url": "http://coriolis/v1/p1"});
    (
        201,
        json!({"token": {"issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2026-01-01T01:00:00.000000Z",
            "project": {"id": "p1", "name": "admin", "domain": {"id": "default", "name": "Default"}},
            "catalog": [{"id": "s", "type": "migration", "name": "coriolis", "endpoints": [endpoint]}]}}),
    )
}

/// A token as version 2.0 gives it.
fn granted2(logins: usize) -> (u16, Value) {
    let address = |region: &str| {
        json!({"id": "e", "region": region, "publicURL": format!("http://{region}/v1/p1"),
            "internalURL": format!("http://inside-{region}/v1/p1"), "adminURL": null})
    };
    let service = |kind: &str| json!({"type": kind, "name": kind, "endpoints": [address("one"), address("two")]});
    (
        200,
        json!({"access": {
            "token": {"id": format!("old-{}", logins + 1), "issued_at": "2014-01-30T15:30:58.819584",
                "expires": "2014-01-31T15:30:58Z", "tenant": {"id": "p1", "name": "lab", "enabled": true}},
            "serviceCatalog": [service("migration"), service("key-manager")],
            "user": {"id": "u", "name": "admin", "roles": []}}}),
    )
}

fn refused(_: usize) -> (u16, Value) {
    (401, json!({"error": {"code": 401, "message": "The request you have made requires authentication."}}))
}

fn identity(auth_url: &str, more: &[(&str, &str)]) -> Arc<dyn Identity> {
    knowing(auth_url, more, &Known::default())
}

fn knowing(auth_url: &str, more: &[(&str, &str)], known: &Known) -> Arc<dyn Identity> {
    let mut environment: BTreeMap<String, String> =
        [("OS_AUTH_URL", auth_url), ("OS_USERNAME", "admin"), ("OS_PASSWORD", "sesame"), ("OS_PROJECT_NAME", "lab")]
            .into_iter()
            .chain(more.iter().copied())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
    environment.retain(|_, value| !value.is_empty());
    let none = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    let cloud = settings::cloud(&CloudFlags::default(), &environment, Path::new("/"), &none).unwrap();
    Keystone::new(&cloud, Clock::new(Speed::Real), known).unwrap()
}

fn summary(error: Error) -> String {
    format!("{}: {} | {}", error.kind.word(), error.message, error.hint.unwrap_or_default())
}

#[tokio::test]
async fn an_url_with_version_3_is_used_without_asking() {
    let fake = Fake::start(granted).await;
    let access = fake.identity("/v3/", &[]).access().await.unwrap();
    assert_eq!(access.token.unwrap().expose_secret(), "token-1");
    assert_eq!((access.url.as_str(), access.login), ("http://coriolis/v1/p1", 1));
    assert_eq!(fake.asked(), ["POST /v3/auth/tokens"]);
}

#[tokio::test]
async fn every_token_is_masked_from_its_login_on() {
    let known = Known::default();
    let fake = Fake::start(granted).await;
    let identity = knowing(&format!("{}/v3/", fake.url), &[], &known);
    let first = identity.access().await.unwrap();
    identity.renew(&first).await.unwrap();
    assert_eq!(known.mask("token-1, token-2, token-3"), "***, ***, token-3");
}

#[tokio::test]
async fn other_urls_lead_to_version_3_by_discovery_on_the_same_host() {
    for path in ["", "/", "/v2.0", "/v2.0/"] {
        let fake = Fake::start(granted).await;
        fake.identity(path, &[]).access().await.unwrap();
        assert_eq!(fake.asked(), ["GET /", "POST /v3/auth/tokens"], "{path}");
    }
}

#[tokio::test]
async fn a_url_below_another_path_is_searched_upwards() {
    let fake = Fake::start(granted).await;
    fake.identity("/identity/v2.0", &[]).access().await.unwrap();
    assert_eq!(fake.asked(), ["GET /identity/", "GET /", "POST /v3/auth/tokens"]);
}

#[tokio::test]
async fn a_keystone_of_version_2_alone_is_spoken_to_in_its_words() {
    for path in ["", "/", "/v2.0", "/v2.0/"] {
        let fake = Fake::of("v2.0", granted2).await;
        let identity = fake.identity(path, &[]);
        let access = identity.access().await.unwrap();
        assert_eq!(
            (access.token.as_ref().unwrap().expose_secret(), access.url.as_str()),
            ("old-1", "http://one/v1/p1")
        );
        assert_eq!(identity.renew(&access).await.unwrap().token.unwrap().expose_secret(), "old-2", "{path}");
        assert_eq!(identity.service_url("key-manager").await.unwrap(), "http://one/v1/p1");
        assert_eq!(fake.asked(), ["GET /", "POST /v2.0/tokens", "POST /v2.0/tokens"], "{path}");
    }
}

#[tokio::test]
async fn version_2_is_found_where_it_alone_tells_about_itself() {
    let fake = Fake::of("", granted2).await;
    fake.identity("/hidden/v2.0", &[]).access().await.unwrap();
    assert_eq!(fake.asked(), ["GET /hidden/", "GET /", "GET /hidden/v2.0/", "POST /hidden/v2.0/tokens"]);
}

#[tokio::test]
async fn interface_and_region_choose_from_the_catalog_of_version_2() {
    let fake = Fake::of("v2.0", granted2).await;
    let choice = [("OS_INTERFACE", "internalURL"), ("OS_REGION_NAME", "two")];
    assert_eq!(fake.identity("/v2.0", &choice).access().await.unwrap().url, "http://inside-two/v1/p1");
    let error = fake.identity("/v2.0", &[("OS_INTERFACE", "admin")]).access().await.unwrap_err();
    assert_eq!(error.message, "the catalog has no `admin` endpoint of `migration`; it has `internal`, `public`");
}

#[tokio::test]
async fn a_login_that_version_2_refuses_names_every_part_that_it_knows() {
    let fake = Fake::of("v2.0", refused).await;
    let error = fake.identity("/v2.0", &[]).access().await.unwrap_err();
    assert_eq!(error.details["url"], format!("{}/v2.0/tokens", fake.url));
    assert_eq!(
        summary(error),
        "login: Keystone refuses user `admin` for project `lab` (HTTP 401): The request you have made requires \
         authentication | check the user (`OS_USERNAME` in the environment), the password (`OS_PASSWORD` in the \
         environment), the project (`OS_PROJECT_NAME` in the environment), that the user has a role there"
    );
}

#[tokio::test]
async fn one_login_serves_all_accesses() {
    let fake = Fake::start(granted).await;
    let identity = fake.identity("/v3", &[]);
    for _ in 0..5 {
        identity.access().await.unwrap();
    }
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rejected_requests_cause_one_new_login() {
    let fake = Fake::start(granted).await;
    let identity = fake.identity("/v3", &[]);
    let rejected = identity.access().await.unwrap();
    let lanes: Vec<_> = (0..64)
        .map(|_| {
            let (identity, rejected) = (identity.clone(), rejected.clone());
            tokio::spawn(async move { identity.renew(&rejected).await.unwrap().login })
        })
        .collect();
    for lane in lanes {
        assert_eq!(lane.await.unwrap(), 2);
    }
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn many_lanes_with_a_wrong_password_try_it_once() {
    let fake = Fake::start(refused).await;
    let identity = fake.identity("/v3", &[]);
    let lanes: Vec<_> = (0..64).map(|_| identity.access()).collect();
    let outcomes = join_all(lanes).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|error| error.kind == Kind::Login)));
    assert_eq!(fake.asked().len(), 1);
    identity.access().await.unwrap_err();
    assert_eq!(fake.asked().len(), 2, "who comes later may try again");
}

#[tokio::test]
async fn a_login_that_worked_may_be_refused_in_passing_and_a_changed_password_is_tried_three_times() {
    fn once(logins: usize) -> (u16, Value) {
        if logins == 1 { refused(logins) } else { granted(logins) }
    }
    let identity = Fake::start(once).await.identity("/v3", &[]);
    let first = identity.access().await.unwrap();
    let error = identity.renew(&first).await.unwrap_err();
    assert!(error.kind == Kind::Login && error.details[ACCEPTED_BEFORE] == true, "{error:?}");
    assert_eq!(identity.access().await.unwrap().login, 1, "the old one may still hold");
    assert_eq!(identity.renew(&first).await.unwrap().login, 2);

    fn changed(logins: usize) -> (u16, Value) {
        if logins == 0 { granted(logins) } else { refused(logins) }
    }
    let fake = Fake::start(changed).await;
    let identity = fake.identity("/v3", &[]);
    let first = identity.access().await.unwrap();
    for _ in 0..9 {
        assert_eq!(identity.renew(&first).await.unwrap_err().kind, Kind::Login);
    }
    assert_eq!(fake.asked().len(), 4, "more might lock the account");
}

/// Polls all futures at once, as lanes on one runtime are.
async fn join_all<T>(mut futures: Vec<Pending<'_, T>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(done.iter_mut().filter_map(Option::take).collect()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_token_near_its_end_is_replaced_before_it_is_sent() {
    fn ended(logins: usize) -> (u16, Value) {
        let (status, mut body) = granted(logins);
        body["token"]["expires_at"] = body["token"]["issued_at"].clone();
        (status, body)
    }
    let fake = Fake::start(ended).await;
    let identity = fake.identity("/v3", &[]);
    assert_eq!(identity.access().await.unwrap().login, 1);
    assert_eq!(identity.access().await.unwrap().login, 2);
}

#[tokio::test]
async fn a_token_that_does_not_say_its_end_is_used_until_the_server_refuses_it() {
    fn endless(logins: usize) -> (u16, Value) {
        let (status, mut body) = granted(logins);
        body["token"]["expires_at"] = Value::Null;
        (status, body)
    }
    let fake = Fake::start(endless).await;
    let identity = fake.identity("/v3", &[]);
    let access = identity.access().await.unwrap();
    assert_eq!((access.login, access.url.as_str()), (1, "http://coriolis/v1/p1"));
    assert_eq!(identity.access().await.unwrap().login, 1);
    assert_eq!(identity.renew(&access).await.unwrap().login, 2);
}

#[tokio::test]
async fn a_refused_login_names_every_part_that_may_be_wrong_and_no_secret() {
    let fake = Fake::start(refused).await;
    let error = fake.identity("/v3", &[("OS_PROJECT_DOMAIN_ID", "d1")]).access().await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    assert_eq!(error.details["request_id"], "req-1");
    assert!(!format!("{error:?}").contains("sesame"));
    assert_eq!(
        summary(error),
        "login: Keystone refuses user `admin` for project `lab` (HTTP 401): The request you have made requires \
         authentication | check the user (`OS_USERNAME` in the environment), its domain (not given, so `Default`), the \
         password (`OS_PASSWORD` in the environment), the project (`OS_PROJECT_NAME` in the environment), its domain `d1` \
         (`OS_PROJECT_DOMAIN_ID` in the environment), that the user has a role there"
    );
}

#[tokio::test]
async fn a_keystone_that_is_ill_or_none_counts_as_unreachable() {
    let ill = Fake::start(|_| (503, json!("ill"))).await;
    let error = ill.identity("/v3", &[]).access().await.unwrap_err();
    assert_eq!((error.kind, error.status()), (Kind::Unreachable, Some(503)));
    let nobody = Fake::start(granted).await;
    let error = nobody.identity("/elsewhere/v3", &[]).access().await.unwrap_err();
    assert_eq!(
        summary(error),
        format!(
            "unreachable: what answers at `{}/elsewhere/v3` is not Keystone: it answers 404 Not Found | check the URL, \
             which comes from `OS_AUTH_URL` in the environment",
            nobody.url
        )
    );
}

#[tokio::test]
async fn a_damaged_token_is_a_lost_answer_and_says_nothing_of_the_project() {
    fn damaged(logins: usize) -> (u16, Value) {
        let (status, mut body) = granted(logins);
        match logins {
            0 => drop(body["token"].as_object_mut().unwrap().remove("project")),
            1 => body["token"]["project"] = Value::Null,
            2 => body["token"]["catalog"] = Value::Null,
            3 => body["token"]["catalog"][0]["type"] = Value::Null,
            4 => body["token"]["catalog"][0]["endpoints"] = json!({}),
            5 => body["token"]["expires_at"] = json!(7),
            6 => body = json!("x"),
            7 => body = Value::Null,
            8 => body = json!({}),
            9 => body["token"] = json!("x"),
            _ => {}
        }
        (status, body)
    }
    let fake = Fake::start(damaged).await;
    let identity = fake.identity("/v3", &[]);
    for login in 0..10 {
        let error = identity.access().await.unwrap_err();
        assert_eq!((error.kind, error.prospect()), (Kind::Unreachable, Prospect::Better), "{login}: {error:?}");
    }
    identity.access().await.unwrap();

    let unscoped = Fake::start(|_| {
        let (token, time) = (granted(0).1["token"].take(), "2026-01-01T00:00:00.000000Z");
        let user = json!({"id": "u", "name": "admin"});
        let told = json!({"methods": ["password"], "user": user, "issued_at": time, "expires_at": token["expires_at"]});
        (201, json!({"token": told}))
    });
    let unscoped = unscoped.await;
    let error = unscoped.identity("/v3", &[]).access().await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable, "it was asked for a project");
}

#[tokio::test]
async fn a_service_that_a_damaged_catalog_lacks_is_looked_for_in_the_next_one() {
    fn damaged(logins: usize) -> (u16, Value) {
        let (status, mut body) = granted2(logins);
        if logins == 0 {
            body["access"]["serviceCatalog"][1]["endpoints"] = Value::Null;
        }
        (status, body)
    }
    let fake = Fake::of("v2.0", damaged).await;
    let identity = fake.identity("/v2.0", &[]);
    let error = identity.service_url("key-manager").await.unwrap_err();
    assert_eq!(error.prospect(), Prospect::Better, "{error:?}");
    assert_eq!(identity.service_url("key-manager").await.unwrap(), "http://one/v1/p1");
}

#[tokio::test]
async fn a_refused_connection_is_told_as_such() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v3", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(
        summary(identity(&url, &[]).access().await.unwrap_err()),
        format!(
            "unreachable: cannot reach Keystone at `{url}`: connection refused | check that it runs, the port, and \
             firewalls; the URL comes from `OS_AUTH_URL` in the environment"
        )
    );
}

#[tokio::test]
async fn the_endpoint_given_gets_the_project_of_the_token() {
    let fake = Fake::start(granted).await;
    let access = fake.identity("/v3", &[("CORIOLIS_ENDPOINT", "http://here:7667")]).access().await.unwrap();
    assert_eq!(access.url, "http://here:7667/v1/p1");
}
