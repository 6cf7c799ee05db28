//! The whole sandbox over HTTP, in virtual time.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::clock::{Clock, Speed};
use crate::model::Generation;

mod services;
mod truth;

fn options(generation: Generation, clock: &Clock) -> Options {
    Options {
        generation,
        seed: 7,
        scenario: Scenario::default(),
        listen: ([127, 0, 0, 1], 0).into(),
        clock: clock.clone(),
        token_lifetime: Duration::from_secs(3600),
    }
}

/// A client with a token.
struct Client {
    sandbox: Sandbox,
    clock: Clock,
    http: reqwest::Client,
    token: String,
}

impl Client {
    async fn of(generation: Generation) -> Self {
        let clock = Clock::new(Speed::Max);
        let sandbox = serve(options(generation, &clock)).await.unwrap();
        Self::on(sandbox, clock).await
    }

    async fn on(sandbox: Sandbox, clock: Clock) -> Self {
        let mut client = Self { sandbox, clock, http: reqwest::Client::new(), token: String::new() };
        client.token = client.login().await;
        client
    }

    async fn login(&self) -> String {
        let environment: std::collections::HashMap<_, _> = self.sandbox.environment().into_iter().collect();
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": environment["OS_USERNAME"], "password": environment["OS_PASSWORD"],
                "domain": {"name": "Default"},
            }}},
            "scope": {"project": {"name": environment["OS_PROJECT_NAME"], "domain": {"name": "Default"}}},
        }});
        let url = format!("{}/auth/tokens", environment["OS_AUTH_URL"]);
        let response = self.http.post(url).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        response.headers()["x-subject-token"].to_str().unwrap().into()
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("http://{}/v1/{}{path}", self.sandbox.address(), self.sandbox.project());
        let mut request = self.http.request(method.parse().unwrap(), url).header("x-auth-token", &self.token);
        request = request.header("accept", "application/json");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.bytes().await.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.send("POST", path, Some(body)).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn endpoints(&self) -> (String, String) {
        let endpoints = self.get("/endpoints").await;
        let id = |at: usize| endpoints["endpoints"][at]["id"].as_str().unwrap().to_owned();
        (id(0), id(1))
    }

    /// Lets time pass, as a waiting client does.
    async fn pass(&self, minutes: i64) {
        self.tick(minutes * 60).await;
    }

    async fn tick(&self, seconds: i64) {
        let (clock, until) = (self.clock.clone(), self.clock.instant() + SignedDuration::from_secs(seconds));
        let busy = clock.busy();
        tokio::task::spawn_blocking(move || {
            let _busy = busy;
            clock.park(&clock.signal(), Some(until));
        })
        .await
        .unwrap();
    }

    async fn transfer(&self, name: &str) -> String {
        let (origin, destination) = self.endpoints().await;
        let body = json!({"transfer": {
            "origin_endpoint_id": origin, "destination_endpoint_id": destination, "instances": [name],
        }});
        self.post("/transfers", body).await["transfer"]["id"].as_str().unwrap().into()
    }
}

fn message(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_machine_moves_from_the_first_copy_to_its_deployment() {
    let client = Client::of(Generation::Current).await;
    let id = client.transfer("web-01").await;
    let deploy = json!({"deployment": {"transfer_id": id, "clone_disks": false}});
    let refused = client.send("POST", "/deployments", Some(deploy.clone())).await;
    let never = "A transfer must have been executed successfully at least once in order to be deployed";
    assert_eq!(message(&refused), (400, never));

    let execution = client.post(&format!("/transfers/{id}/executions"), json!({"execution": {}})).await;
    let number = execution["execution"]["id"].as_str().unwrap();
    assert_eq!(execution["execution"]["status"], "RUNNING");
    let again = client.send("POST", &format!("/transfers/{id}/executions"), Some(json!({"execution": {}}))).await;
    assert_eq!(message(&again), (400, format!("Another tasks execution is in progress: ['{number}']").as_str()));
    client.pass(61).await;
    let execution = client.get(&format!("/transfers/{id}/executions/{number}")).await;
    assert_eq!(execution["execution"]["status"], "COMPLETED");

    let deployment = client.post("/deployments", deploy.clone()).await["deployment"].clone();
    assert_eq!(deployment["last_execution_status"], "RUNNING");
    let busy = client.send("POST", "/deployments", Some(deploy.clone())).await;
    assert_eq!(message(&busy), (400, format!("Transfer '{id}' is currently being deployed").as_str()));
    client.pass(16).await;
    let path = format!("/deployments/{}", deployment["id"].as_str().unwrap());
    let deployment = client.get(&path).await["deployment"].clone();
    assert_eq!(deployment["last_execution_status"], "COMPLETED");
    assert_eq!(deployment["transfer_result"]["web-01"]["name"], "web-01");

    // It worked on the transfer's own volumes: they are gone.
    let empty = client.send("POST", "/deployments", Some(deploy)).await;
    assert_eq!(empty.0, 400);
    assert!(message(&empty).1.starts_with("The transfer doesn't contain volumes information for instance: web-01"));
}

#[tokio::test]
async fn a_first_copy_fails_once_per_replica_and_its_volumes() {
    let client = Client::of(Generation::Current).await;
    let status_after = async |id: &str| {
        client.post(&format!("/transfers/{id}/executions"), json!({"execution": {}})).await;
        client.pass(61).await;
        client.get(&format!("/transfers/{id}")).await["transfer"]["last_execution_status"].as_str().unwrap().to_owned()
    };
    let id = client.transfer("fail-once-mail-01").await;
    assert_eq!(status_after(&id).await, "ERROR");
    assert_eq!(status_after(&id).await, "COMPLETED");
    let other = client.transfer("fail-once-mail-01").await;
    assert_ne!(id, other);
    assert_eq!(status_after(&other).await, "ERROR");
    client.post(&format!("/transfers/{id}/actions"), json!({"delete-disks": null})).await;
    client.pass(2).await;
    assert_eq!(status_after(&id).await, "ERROR");
}

#[tokio::test]
async fn an_auto_deployment_starts_up_to_ten_seconds_after_its_execution() {
    let client = Client::of(Generation::Current).await;
    let id = client.transfer("web-02").await;
    let wish = json!({"execution": {"auto_deploy": true}});
    let execution = client.post(&format!("/transfers/{id}/executions"), wish).await["execution"].clone();
    let waiting = client.get("/deployments").await["deployments"][0].clone();
    assert_eq!(waiting["last_execution_status"], "PENDING");
    assert_eq!(waiting["deployer_id"], execution["id"]);
    client.pass(80).await;
    assert_eq!(client.get("/deployments").await["deployments"][0]["last_execution_status"], "COMPLETED");
}

#[tokio::test]
async fn the_world_says_when_something_happens_next() {
    let client = Client::of(Generation::Current).await;
    let id = client.transfer("web-03").await;
    client.post(&format!("/transfers/{id}/executions"), json!({"execution": {}})).await;
    let clock = client.clock.clone();
    let start = clock.now();
    let busy = clock.busy();
    let woken = tokio::task::spawn_blocking(move || {
        let _busy = busy;
        clock.park_poll(&clock.signal(), Some(clock.instant() + SignedDuration::from_secs(1)));
        clock.now().duration_since(start).as_secs()
    });
    assert_eq!(woken.await.unwrap(), 5);
}

#[tokio::test]
async fn the_token_comes_before_the_path_and_the_path_before_the_project() {
    let client = Client::of(Generation::Current).await;
    let url = |path: &str| format!("http://{}{path}", client.sandbox.address());
    let get = |path: &str, token: &str| {
        client.http.get(url(path)).header("x-auth-token", token).header("accept", "application/json").send()
    };
    let project = client.sandbox.project();
    let garbage = get(&format!("/v1/{project}/nonsense"), "garbage").await.unwrap();
    assert_eq!(garbage.status(), 401);
    assert!(garbage.headers()["www-authenticate"].to_str().unwrap().starts_with("Keystone uri=\"http://127.0.0.1:"));
    assert_eq!(get("/v1/ffff/transfers", &client.token).await.unwrap().status(), 400);
    let unrouted = get(&format!("/v1/{project}/replicas/new"), &client.token).await.unwrap();
    assert_eq!(unrouted.json::<Value>().await.unwrap()["code"], "404 Not Found");
    let routed = get(&format!("/v1/{project}/transfers/new"), &client.token).await.unwrap();
    assert_eq!(routed.json::<Value>().await.unwrap()["error"]["fault"], "itemNotFound");
    client.sandbox.revoke_tokens();
    assert_eq!(get(&format!("/v1/{project}/transfers"), &client.token).await.unwrap().status(), 401);
}

#[tokio::test]
async fn injected_faults_act_before_or_after() {
    let client = Client::of(Generation::Current).await;
    let id = client.transfer("web-04").await;
    let path = format!("/transfers/{id}/executions");
    let fault = |what| Fault { method: "POST", path: "/executions".into(), times: 1, what };
    client.sandbox.inject(fault(Trouble::UnavailableBefore));
    assert_eq!(client.send("POST", &path, Some(json!({}))).await.0, 503);
    assert_eq!(client.get(&path).await["executions"], json!([]));
    client.sandbox.inject(fault(Trouble::DroppedAfter));
    let url = format!("http://{}/v1/{}{path}", client.sandbox.address(), client.sandbox.project());
    let lost = client.http.post(url).header("x-auth-token", &client.token).json(&json!({})).send().await;
    assert!(lost.is_err());
    assert_eq!(client.get(&path).await["executions"].as_array().unwrap().len(), 1);
    let accepted = client.sandbox.accepted();
    assert_eq!(accepted.len(), 2, "{accepted:?}");
    assert_eq!((accepted[1].path.as_str(), accepted[1].status), (path.as_str(), 200));
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_said_to_be_done_and_nothing_is_done_after_it() {
    let clock = Clock::new(Speed::Max);
    let ledger = Ledger::full(Generation::Current, 7, clock.now());
    let sandbox = serve_kept(options(Generation::Current, &clock), ledger).await.unwrap();
    let client = Client::on(sandbox, clock).await;
    let region = || client.send("POST", "/regions", Some(json!({"region": {"name": "north"}})));
    let why = "The sandbox cannot keep changes: Bad file descriptor (os error 9)";
    assert_eq!(message(&region().await), (500, why));
    assert_eq!(message(&region().await), (500, why));
    assert_eq!(client.get("/regions").await["regions"].as_array().unwrap().len(), 1);
    assert_eq!(client.get("/transfers").await["transfers"], json!([]), "what is only read is answered");
}

#[tokio::test]
async fn a_legacy_migration_copies_and_deploys_in_one() {
    let client = Client::of(Generation::Legacy).await;
    let (origin, destination) = client.endpoints().await;
    let body = json!({"migration": {
        "origin_endpoint_id": origin, "destination_endpoint_id": destination, "instances": ["web-01"],
        "shutdown_instances": true,
    }});
    let migration = client.post("/migrations", body).await["migration"].clone();
    let path = format!("/migrations/{}", migration["id"].as_str().unwrap());
    client.pass(90).await;
    let migration = client.get(&path).await["migration"].clone();
    assert_eq!(migration["last_execution_status"], "COMPLETED");
    let tasks: Vec<&str> =
        migration["tasks"].as_array().unwrap().iter().map(|task| task["task_type"].as_str().unwrap()).collect();
    assert_eq!(tasks[6..9], ["REPLICATE_DISKS", "SHUTDOWN_INSTANCE", "REPLICATE_DISKS"]);
    // Its answer carries bytes after a 204; the next request must still work.
    assert_eq!(client.send("DELETE", &path, None).await.0, 204);
    assert_eq!(client.get("/migrations").await["migrations"], json!([]));
}

#[tokio::test]
async fn an_application_credential_leaves_an_execution_that_never_starts() {
    let mut client = Client::of(Generation::Current).await;
    let (id, secret) = client.sandbox.application_credential();
    let identity = json!({"methods": ["application_credential"],
        "application_credential": {"id": id, "secret": secret}});
    let url = format!("http://{}/v3/auth/tokens", client.sandbox.address());
    let response = client.http.post(url).json(&json!({"auth": {"identity": identity}})).send().await.unwrap();
    client.token = response.headers()["x-subject-token"].to_str().unwrap().into();
    let transfer = client.transfer("web-05").await;
    let path = format!("/transfers/{transfer}/executions");
    assert_eq!(client.send("POST", &path, Some(json!({}))).await.0, 500);
    let executions = client.get(&path).await;
    assert_eq!(executions["executions"][0]["status"], "UNEXECUTED");
}

#[tokio::test]
async fn ids_do_not_depend_on_the_order_of_arrival() {
    let (one, other) = (Client::of(Generation::Current).await, Client::of(Generation::Current).await);
    let forth = [one.transfer("web-01").await, one.transfer("db-01").await, one.transfer("web-01").await];
    let back = [other.transfer("db-01").await, other.transfer("web-01").await, other.transfer("web-01").await];
    assert_eq!(forth, [back[1].clone(), back[0].clone(), back[2].clone()]);
    assert_eq!(one.sandbox.environment()[3], other.sandbox.environment()[3]);
}

#[tokio::test]
async fn a_legacy_204_carries_stray_bytes_on_a_connection_that_stays_open() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let client = Client::of(Generation::Legacy).await;
    let (endpoint, _) = client.endpoints().await;
    let mut stream = tokio::net::TcpStream::connect(client.sandbox.address()).await.unwrap();
    let project = client.sandbox.project();
    let line = |method: &str, path: &str| {
        format!("{method} /v1/{project}{path} HTTP/1.1\r\nhost: sandbox\r\nx-auth-token: {}\r\n\r\n", client.token)
    };
    let mut answers = Vec::new();
    for (request, end) in
        [(line("DELETE", &format!("/endpoints/{endpoint}")), "\"message\": \"\"}}"), (line("GET", "/replicas"), "[]}")]
    {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with(end) {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "closed after {answer}");
            answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        answers.push(answer);
    }
    assert!(answers[0].starts_with("HTTP/1.1 204 No Content\r\n"), "{}", answers[0]);
    assert!(answers[0].contains("content-length: 64\r\n"), "{}", answers[0]);
    assert!(answers[1].starts_with("HTTP/1.1 200 OK\r\n"), "{}", answers[1]);
}

#[tokio::test]
async fn held_changes_wait_and_are_counted() {
    let client = Client::of(Generation::Current).await;
    client.sandbox.hold_changes(true);
    let create = |name: &'static str| {
        let body = json!({"endpoint": {"name": name, "type": "openstack", "connection_info": {}}});
        client.send("POST", "/endpoints", Some(body))
    };
    let held = async {
        while client.sandbox.changes_in_flight() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(client.get("/endpoints").await["endpoints"].as_array().unwrap().len(), 2);
        client.sandbox.hold_changes(false);
    };
    let ((one, _), (other, _), ()) = tokio::join!(create("a"), create("b"), held);
    assert_eq!((one, other), (200, 200));
    assert_eq!(client.sandbox.peak_changes_in_flight(), 2);
}
