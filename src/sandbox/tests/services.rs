//! The services beside the migration itself: schedules, workers, minion pools, secrets, logs, licences, an old
//! Keystone.

use super::*;

impl Client {
    /// A request to another service, by its prefix.
    async fn elsewhere(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let url = format!("http://{}{path}", self.sandbox.address());
        let mut request = self.http.request(method.parse().unwrap(), url).header("x-auth-token", &self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| text.into()))
    }
}

#[tokio::test]
async fn an_empty_schedule_fires_every_minute_until_it_is_disabled() {
    let client = Client::of(Generation::Current).await;
    let id = client.transfer("web-01").await;
    let path = format!("/transfers/{id}/schedules");
    let schedule = client.post(&path, json!({"schedule": {}})).await["schedule"]["id"].as_str().unwrap().to_owned();
    client.pass(2).await;
    let executions = client.get(&format!("/transfers/{id}/executions")).await;
    assert_eq!(executions["executions"].as_array().unwrap().len(), 1, "one that finds its transfer busy does nothing");
    let one = format!("{path}/{schedule}");
    let refused = client.send("DELETE", &one, None).await;
    assert_eq!(refused.0, 400, "not while it runs");
    assert_eq!(client.send("PUT", &one, Some(json!({"enabled": false}))).await.0, 200);
    client.pass(24 * 60).await;
    let executions = client.get(&format!("/transfers/{id}/executions")).await;
    assert_eq!(executions["executions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_worker_an_execution_is_deadlocked_and_left_behind() {
    let client = Client::of(Generation::Current).await;
    let id = client.transfer("web-01").await;
    let worker = client.get("/services").await["services"][0]["id"].as_str().unwrap().to_owned();
    let disabled = json!({"service": {"enabled": false}});
    assert_eq!(client.send("PUT", &format!("/services/{worker}"), Some(disabled)).await.0, 200);
    let path = format!("/transfers/{id}/executions");
    assert_eq!(client.send("POST", &path, Some(json!({"execution": {}}))).await.0, 503);
    let left = client.get(&path).await["executions"][0].clone();
    assert_eq!(left["status"], "DEADLOCKED");
    assert_eq!(left["tasks"][0]["status"], "FAILED_TO_SCHEDULE");
    assert_eq!(left["tasks"][1]["status"], "STRANDED_AFTER_DEADLOCK");
}

#[tokio::test]
async fn an_execution_waits_for_the_machines_of_its_pools_and_gives_them_back() {
    let client = Client::of(Generation::Current).await;
    let (origin, destination) = client.endpoints().await;
    let pool = json!({"minion_pool": {
        "name": "ready", "endpoint_id": destination, "platform": "destination", "os_type": "linux",
        "environment_options": {}, "minimum_minions": 1, "maximum_minions": 1,
    }});
    let pool = client.post("/minion_pools", pool).await["minion_pool"]["id"].as_str().unwrap().to_owned();
    client.pass(10).await;
    let shown = |body: Value| {
        let pool = &body["minion_pool"];
        (pool["status"].clone(), pool["minion_machines"][0]["allocation_status"].clone())
    };
    let path = format!("/minion_pools/{pool}");
    assert_eq!(shown(client.get(&path).await), (json!("ALLOCATED"), json!("AVAILABLE")));
    let transfer = |name: &str| {
        json!({"transfer": {
            "origin_endpoint_id": origin, "destination_endpoint_id": destination, "instances": [name],
            "destination_minion_pool_id": pool,
        }})
    };
    let mut paths = Vec::new();
    for name in ["web-01", "web-02"] {
        let made = client.post("/transfers", transfer(name)).await;
        paths.push(format!("/transfers/{}/executions", made["transfer"]["id"].as_str().unwrap()));
    }
    for path in &paths {
        let begun = client.post(path, json!({"execution": {}})).await;
        assert_eq!(begun["execution"]["status"], "AWAITING_MINION_ALLOCATIONS");
    }
    assert_eq!(shown(client.get(&path).await).1, "RESERVED");
    client.pass(2).await;
    assert_eq!(client.get(&paths[0]).await["executions"][0]["status"], "RUNNING");
    assert_eq!(client.get(&paths[1]).await["executions"][0]["status"], "ERROR_ALLOCATING_MINIONS");
    assert_eq!(shown(client.get(&path).await).1, "IN_USE");
    client.pass(120).await;
    assert_eq!(client.get(&paths[0]).await["executions"][0]["status"], "COMPLETED");
    assert_eq!(shown(client.get(&path).await).1, "AVAILABLE");
}

#[tokio::test]
async fn an_endpoint_reads_its_connection_from_a_secret_as_long_as_that_is_there() {
    let client = Client::of(Generation::Current).await;
    let secret = r#"{"name": "vc", "payload": "{\"host\": \"h\", \"password\": \"wrong\"}",
                     "payload_content_type": "text/plain"}"#;
    let (status, stored) = client.elsewhere("POST", "/key-manager/v1/secrets", Some(secret)).await;
    assert_eq!(status, 201);
    let reference = stored["secret_ref"].as_str().unwrap().to_owned();
    let endpoint = json!({"endpoint": {
        "name": "hidden", "type": "vmware_vsphere", "connection_info": {"secret_ref": reference},
    }});
    let id = client.post("/endpoints", endpoint).await["endpoint"]["id"].as_str().unwrap().to_owned();
    let path = format!("/endpoints/{id}/actions");
    let validate = || client.send("POST", &path, Some(json!({"validate-connection": null})));
    assert_eq!(validate().await.1["validate-connection"]["valid"], false);
    let secret = reference.rsplit('/').next().unwrap();
    assert_eq!(client.elsewhere("DELETE", &format!("/key-manager/v1/secrets/{secret}"), None).await.0, 204);
    assert_eq!(validate().await.0, 500);
}

#[tokio::test]
async fn logs_are_listed_downloaded_between_two_times_and_streamed() {
    let client = Client::of(Generation::Current).await;
    let id = client.transfer("web-01").await;
    let (_, logs) = client.elsewhere("GET", "/logger/logs/", None).await;
    let names = ["coriolis-api", "coriolis-conductor", "coriolis-scheduler", "coriolis-worker"];
    assert_eq!(logs, json!({"logs": names.map(|name| json!({"log_name": name}))}));
    let (_, text) = client.elsewhere("GET", "/logger/logs/coriolis-api/", None).await;
    assert!(text.as_str().unwrap().contains(&format!("transfer '{id}' was created")), "{text}");
    let (_, text) = client.elsewhere("GET", "/logger/logs/coriolis-api/?end_date=1", None).await;
    assert_eq!(text, "");
    let refused = client.elsewhere("GET", "/logger/logs/nosuch/", None).await;
    assert_eq!(refused.0, 404);
    let streamed = stream(&client, "app_name=coriolis-api&severity=6").await;
    assert!(streamed.contains("101 Switching Protocols"), "{streamed}");
    assert!(streamed.contains(&format!("transfer '{id}' was created")), "{streamed}");
    assert!(!streamed.contains("coriolis-worker"), "{streamed}");
}

#[tokio::test]
async fn a_stream_goes_on_with_what_is_written_later() {
    let clock = Clock::scaled_from_now(1.0);
    let client = Client::on(serve(options(Generation::Current, &clock)).await.unwrap(), clock).await;
    let mut socket = open_stream(&client, "app_name=coriolis-api").await;
    hear(&mut socket, "coriolis-api has started").await;
    let id = client.transfer("web-01").await;
    let later = hear(&mut socket, &format!("transfer '{id}' was created")).await;
    assert!(!later.contains("has started"), "said twice: {later}");
}

/// The first messages of a websocket, with the handshake.
async fn stream(client: &Client, query: &str) -> String {
    hear(&mut open_stream(client, query).await, "was created").await
}

async fn open_stream(client: &Client, query: &str) -> tokio::net::TcpStream {
    use tokio::io::AsyncWriteExt;
    let address = client.sandbox.address();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /logger/ws?{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Auth-Token: {}\r\n\r\n",
        client.token
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

/// Everything up to `end`.
async fn hear(socket: &mut tokio::net::TcpStream, end: &str) -> String {
    use tokio::io::AsyncReadExt;
    let mut text = String::new();
    let mut bytes = [0; 4096];
    while !text.contains(end) {
        let read = socket.read(&mut bytes).await.unwrap();
        assert!(read > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    text
}

#[tokio::test]
async fn licences_are_kept_per_appliance() {
    let client = Client::of(Generation::Current).await;
    let (_, appliances) = client.elsewhere("GET", "/licensing/appliances", None).await;
    let path = format!("/licensing/appliances/{}", appliances["appliances"][0]["id"].as_str().unwrap());
    let (_, status) = client.elsewhere("GET", &format!("{path}/status"), None).await;
    assert_eq!(status["appliance_licence_status"]["current_available_replicas"], 100);
    let licences = format!("{path}/licences");
    assert_eq!(client.elsewhere("POST", &licences, Some("text")).await.0, 400);
    let (_, made) = client.elsewhere("POST", &licences, Some("-----BEGIN LICENCE-----")).await;
    let one = format!("{licences}/{}", made["licence"]["id"].as_str().unwrap());
    assert_eq!(client.elsewhere("GET", &one, None).await.1, made);
    assert_eq!(client.elsewhere("DELETE", &one, None).await.0, 204);
    assert_eq!(client.elsewhere("GET", &one, None).await.0, 404);
    let (_, reserved) = client.elsewhere("GET", &format!("{path}/reservations"), None).await;
    let id = reserved["reservations"][0]["id"].as_str().unwrap();
    let (status, refreshed) = client.elsewhere("POST", &format!("{path}/reservations/{id}/refresh"), None).await;
    assert_eq!((status, &refreshed["reservation"]), (200, &reserved["reservations"][0]));
}

#[tokio::test]
async fn what_the_official_clients_show_of_licences_is_there() {
    let client = Client::of(Generation::Current).await;
    let (_, appliances) = client.elsewhere("GET", "/licensing/appliances", None).await;
    let path = format!("/licensing/appliances/{}", appliances["appliances"][0]["id"].as_str().unwrap());
    let (_, status) = client.elsewhere("GET", &format!("{path}/status"), None).await;
    let (_, licences) = client.elsewhere("GET", &format!("{path}/licences"), None).await;
    let (_, reservations) = client.elsewhere("GET", &format!("{path}/reservations"), None).await;
    let shown: [(&Value, &[&str]); 3] = [
        (
            &status["appliance_licence_status"],
            &[
                "appliance_id",
                "earliest_licence_expiry_time",
                "latest_licence_expiry_time",
                "current_performed_migrations",
                "current_performed_replicas",
                "current_available_migrations",
                "current_available_replicas",
                "lifetime_performed_migrations",
                "lifetime_performed_replicas",
                "lifetime_available_migrations",
                "lifetime_available_replicas",
            ],
        ),
        (
            &licences["licences"][0],
            &[
                "id",
                "issue_date",
                "migrations",
                "replicas",
                "period_start",
                "period_end",
                "period_duration",
                "licence_version",
            ],
        ),
        (&reservations["reservations"][0], &["id", "appliance_id", "licence_id", "type", "count", "created_at"]),
    ];
    let missing: Vec<&str> =
        shown.iter().flat_map(|(body, keys)| keys.iter().copied().filter(|key| body[*key].is_null())).collect();
    assert!(missing.is_empty(), "no {}", missing.join(", "));
}

#[tokio::test]
async fn a_keystone_of_v2_logs_in_by_password_and_knows_no_v3() {
    let scenario = Scenario { keystone_v2: true, ..Scenario::default() };
    let options = Options {
        generation: Generation::Legacy,
        seed: 7,
        scenario,
        listen: ([127, 0, 0, 1], 0).into(),
        clock: Clock::new(Speed::Max),
        token_lifetime: Duration::from_secs(3600),
    };
    let sandbox = serve(options).await.unwrap();
    let environment: std::collections::HashMap<_, _> = sandbox.environment().into_iter().collect();
    let http = reqwest::Client::new();
    let base = format!("http://{}", sandbox.address());
    assert_eq!(environment["OS_AUTH_URL"], format!("{base}/v2.0"));
    assert_eq!(http.get(format!("{base}/v3")).send().await.unwrap().status(), 404);
    let body = |password: &str| {
        json!({"auth": {
            "tenantName": environment["OS_PROJECT_NAME"],
            "passwordCredentials": {"username": environment["OS_USERNAME"], "password": password},
        }})
    };
    let ask = |body: Value| http.post(format!("{base}/v2.0/tokens")).json(&body).send();
    assert_eq!(ask(body("wrong")).await.unwrap().status(), 401);
    let access: Value = ask(body(&environment["OS_PASSWORD"])).await.unwrap().json().await.unwrap();
    let catalog = access["access"]["serviceCatalog"].as_array().unwrap();
    let migration = catalog.iter().find(|service| service["type"] == "migration").unwrap();
    let url = migration["endpoints"][0]["publicURL"].as_str().unwrap();
    let token = access["access"]["token"]["id"].as_str().unwrap();
    let answer = http.get(format!("{url}/endpoints")).header("x-auth-token", token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}
