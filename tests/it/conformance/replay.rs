//! Sends the recorded requests to a sandbox and maps the recorded ids to its own.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use coriolis_run::clock::{Clock, Speed};
use coriolis_run::model::{Generation, Status, TaskStatus};
use coriolis_run::sandbox::{Options, Platform, Role, Sandbox, Scenario, Setting, serve};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::fills;
use super::missing::Known;
use super::shape::differences;

/// The other project.
pub(super) const DEMO: &str = "7ca33c4371854bc19a1789f733e9ba80";
/// The project that most was recorded in.
pub(super) const PROJECT: &str = "020558988ea446e38313790175982c65";
/// The application credential that was recorded, and its secret.
const CREDENTIAL: &str = "19d911b29cc94d54a36f7ba0104d2aee";
const SECRET: &str = "8vxzIN0sWsjYccWhiIAjEHO2E_7ylnDG1YZvTo4NhRkTlHyalo_MQvICDwTTBDXw6KsCznRhFKFovFUq1eqs3g";
/// How often time is carried on for one answer before it is taken as it is.
const STEPS: usize = 2000;

/// One recorded answer beside the sandbox's.
pub(super) struct Compared {
    pub number: u32,
    pub name: String,
    pub differences: Vec<String>,
}

pub(super) struct Recording {
    pub number: u32,
    pub name: String,
    pub value: Value,
}

pub(super) struct Replay {
    sandbox: Sandbox,
    clock: Clock,
    http: reqwest::Client,
    /// Recorded ids and tokens' owners, and what they are here.
    pub ids: HashMap<String, String>,
    pub platforms: Vec<(String, Role)>,
    pub known: Known,
    tokens: HashMap<String, String>,
}

pub(super) struct Sent {
    pub status: u16,
    pub body: Value,
}

pub(super) fn replay(folder: &str, skipped: impl Fn(u32) -> bool) -> Vec<Compared> {
    let generation = if folder.ends_with("legacy") { Generation::Legacy } else { Generation::Current };
    let (recorded, made_up) = folders(folder);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let recordings = recordings(&recorded);
        let mut fills = fills::fills(&made_up, &recordings).into_iter().peekable();
        let mut replay = Replay::start(generation).await;
        replay.known = Known::of(&recordings);
        let mut compared = Vec::new();
        for recording in recordings {
            while let Some(fill) = fills.next_if(|fill| fill.before <= recording.number) {
                replay.fill(&fill.value).await;
            }
            if skipped(recording.number) {
                continue;
            }
            if recording.value["status"] == 0 {
                // It got no answer: its client had given up. It was carried out all the same.
                replay.send(&recording).await;
                continue;
            }
            let differences = replay.compare(&recording).await;
            replay.tick().await;
            compared.push(Compared { number: recording.number, name: recording.name, differences });
        }
        compared
    })
}

/// Where the recordings of this name are, and what makes up for those that are not kept in the repository.
fn folders(name: &str) -> (PathBuf, PathBuf) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(name);
    let given = std::env::var_os("CONFORMANCE_RECORDINGS").map(PathBuf::from);
    // There, operators' flows are in a folder of their own.
    let recorded = given.map_or_else(|| own.clone(), |given| given.join(name.replace('-', "/")));
    (recorded, own)
}

fn recordings(folder: &Path) -> Vec<Recording> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut recordings: Vec<Recording> = files
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_owned();
            let number = name.split('-').next()?.parse().ok()?;
            let value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            Some(Recording { number, name, value })
        })
        .collect();
    recordings.sort_by_key(|recording| recording.number);
    recordings
}

/// What the recorded servers held: two providers that know few environment keys, the machines they listed.
fn scenario(generation: Generation) -> Scenario {
    let setting = |name: &&str| match *name {
        "transport" => {
            Setting { name: "transport".into(), values: ["nbd", "nbdssl", "hotadd"].map(String::from).into() }
        }
        name => Setting::free(name),
    };
    let keys = |keys: &[&str]| Some(keys.iter().map(setting).collect());
    let (source, destination, source_keys, destination_keys, machines): (_, _, &[&str], &[&str], Vec<String>) =
        match generation {
            Generation::Current => (
                "memsrc",
                "memdst",
                &["snapshot_quiesce", "transport", "task_seconds", "replicate_seconds", "chunk_size"],
                &["flavor", "network_map", "storage_mappings", "availability_zone", "task_seconds", "migr_image_map"],
                (1..=40).map(|number| format!("vm-{number:03}")).chain(odd_machines()).collect(),
            ),
            Generation::Legacy => (
                "simsrc",
                "simdst",
                &["replica_export_mechanism"],
                &["network_map", "storage_mappings", "availability_zone", "flavor_name"],
                ["app", "cache", "db", "mq", "web"]
                    .iter()
                    .flat_map(|family| (1..=6).map(move |number| format!("{family}-{number:02}")))
                    .chain(
                        ["fail-once", "fail-always", "fail-deploy", "fail-morph", "slow", "slow-2"].map(String::from),
                    )
                    .collect(),
            ),
        };
    let platforms = vec![
        Platform { name: source.into(), role: Role::Source, environment: keys(source_keys) },
        Platform { name: destination.into(), role: Role::Destination, environment: keys(destination_keys) },
    ];
    Scenario {
        worker: "vm".into(),
        password: Some("password".into()),
        projects: vec!["admin".into(), "demo".into()],
        platforms,
        endpoints: Vec::new(),
        ..Scenario::of(machines)
    }
}

fn odd_machines() -> impl Iterator<Item = String> {
    let faulty = ["fail-once-01", "fail-once-02", "fail-always-01", "fail-validate-01", "fail-deploy-01"];
    let odd = ["slow-01", "slow-02", "slow-03", "web server 01", "db & cache #1", "vm-\u{fc}n\u{ef}code-01"];
    faulty.into_iter().chain(odd).map(String::from)
}

impl Replay {
    async fn start(generation: Generation) -> Self {
        let clock = Clock::new(Speed::Max);
        let scenario = scenario(generation);
        let platforms = scenario.platforms.iter().map(|platform| (platform.name.clone(), platform.role)).collect();
        let options = Options {
            generation,
            seed: 1,
            scenario,
            listen: ([127, 0, 0, 1], 0).into(),
            clock: clock.clone(),
            token_lifetime: Duration::from_secs(3600),
        };
        let sandbox = serve(options).await.unwrap();
        let (credential, secret) = sandbox.application_credential();
        let ids = HashMap::from([
            (PROJECT.to_owned(), sandbox.project()),
            (CREDENTIAL.to_owned(), credential),
            (SECRET.to_owned(), secret),
        ]);
        // What a redirect says is compared, not followed.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut replay = Self { sandbox, clock, http, ids, platforms, known: Known::default(), tokens: HashMap::new() };
        let scoped = |name: &str| json!({"project": {"name": name, "domain": {"name": "Default"}}});
        replay.login("admin", Some(scoped("admin"))).await;
        replay.login("demo", Some(scoped("demo"))).await;
        replay.login("unscoped", None).await;
        replay.login("revoked", Some(scoped("admin"))).await;
        replay.send_as("DELETE", "/v3/auth/tokens", &Value::Null, "revoked", Some("revoked")).await;
        replay.login_by_credential().await;
        replay
    }

    async fn login(&mut self, name: &str, scope: Option<Value>) {
        let user = json!({"name": "admin", "password": "password", "domain": {"name": "Default"}});
        let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}});
        if let Some(scope) = scope {
            auth["scope"] = scope;
        }
        self.token(name, json!({"auth": auth})).await;
    }

    async fn login_by_credential(&mut self) {
        let (id, secret) = self.sandbox.application_credential();
        let credential = json!({"id": id, "secret": secret});
        let identity = json!({"methods": ["application_credential"], "application_credential": credential});
        self.token("credential", json!({"auth": {"identity": identity}})).await;
    }

    async fn token(&mut self, name: &str, body: Value) {
        let url = format!("http://{}/v3/auth/tokens", self.sandbox.address());
        let response = self.http.post(url).json(&body).send().await.unwrap();
        let token = response.headers()["x-subject-token"].to_str().unwrap().to_owned();
        let body: Value = response.json().await.unwrap();
        if let Some(project) = body["token"]["project"]["id"].as_str().filter(|_| name == "demo") {
            self.ids.insert(DEMO.into(), project.into());
        }
        self.tokens.insert(name.into(), token);
    }

    /// Makes up for a request that was not kept.
    async fn fill(&mut self, fill: &Value) {
        let text = |key: &str| fill[key].as_str().unwrap_or_default();
        let path = match text("path") {
            other if other.starts_with("/key-manager") => other.to_owned(),
            own => format!("/v1/{PROJECT}{own}"),
        };
        self.make_transfer(&json!({"path": path, "status": 200})).await;
        let mut sent = self.send_as(text("method"), &path, &fill["body"], "admin", None).await;
        for _ in 0..STEPS {
            if sent.status < 300 {
                break;
            }
            self.carry_on().await;
            sent = self.send_as(text("method"), &path, &fill["body"], "admin", None).await;
        }
        if sent.status >= 300 {
            // What needed it will differ and be reported.
            println!("a fill before {} is refused: {} {}", fill["before"], sent.status, sent.body);
            return;
        }
        let made = sent.body.as_object().and_then(|fields| fields.values().next()).cloned().unwrap_or_default();
        if let Some(id) = self.found(fill, &made).filter(|_| !text("id").is_empty()) {
            self.ids.insert(text("id").into(), id);
        }
        match (fill["until"].as_str(), fill["runs"].as_str()) {
            (Some(status), _) => {
                let made = made["id"].as_str().unwrap_or_default();
                let shown = if text("method") == "GET" { path } else { format!("{path}/{made}") };
                self.wait(&shown, |body| status_of(body) == Some(status)).await;
            }
            (None, Some(kind)) => {
                let runs = |task: &Value| task["task_type"] == kind && task["status"] == "RUNNING";
                self.wait(&path, |body| tasks_of(body).is_some_and(|tasks| tasks.iter().any(runs))).await;
            }
            (None, None) => {}
        }
    }

    /// The id of what was made, or of the deployment that waits for an execution.
    fn found(&self, fill: &Value, made: &Value) -> Option<String> {
        let Some(deployer) = fill["find"].as_str() else { return made["id"].as_str().map(String::from) };
        let waits =
            |deployment: &&Value| deployment["deployer_id"].as_str() == self.ids.get(deployer).map(String::as_str);
        made.as_array()?.iter().find(waits)?["id"].as_str().map(String::from)
    }

    async fn wait(&self, path: &str, there: impl Fn(&Value) -> bool) {
        for _ in 0..STEPS {
            if there(&self.send_as("GET", path, &Value::Null, "admin", None).await.body) {
                return;
            }
            self.carry_on().await;
        }
        panic!("{path} never got there");
    }

    async fn compare(&mut self, recording: &Recording) -> Vec<String> {
        let recorded = &recording.value;
        self.make_endpoints(recorded).await;
        self.find_deployment(recorded).await;
        self.make_pools(recorded).await;
        self.make_transfer(recorded).await;
        let mut sent = self.send(recording).await;
        for _ in 0..STEPS {
            let done = sent.status < 300 && recorded["method"] != "GET";
            if done || !self.is_behind(recorded, &sent) {
                break;
            }
            self.carry_on().await;
            sent = self.send(recording).await;
        }
        let mut found = Vec::new();
        let status = recorded["status"].as_u64().unwrap_or_default();
        if u64::from(sent.status) != status {
            found.push(format!("status {}, {status} recorded: {}", sent.status, short(&sent.body)));
            return found;
        }
        let body = &recorded["response_body"];
        self.learn(body, &sent.body);
        // HEAD and 204 have none; the recorder kept none of a legacy server's stray bytes.
        if !body.is_null() {
            found.extend(differences(body, &sent.body));
        }
        if let (Some(theirs), Some(own)) = (status_of(body), status_of(&sent.body)) {
            // The recorded server needed no time to begin an allocation; others need seconds.
            let differ = theirs != own && !(recorded["method"] == "POST" && is_new(&sent.body["minion_pool"]));
            found.extend(differ.then(|| format!("the thing is {own}, {theirs} recorded")));
        }
        found.extend(self.other_tasks(body, &sent.body));
        found.extend(self.other_message(body, &sent.body));
        found
    }

    /// Whether the recorded answer shows a later time than the sandbox's.
    fn is_behind(&self, recorded: &Value, sent: &Sent) -> bool {
        let status = recorded["status"].as_u64().unwrap_or_default() as u16;
        if sent.status != status {
            let message = sent.body["error"]["message"].as_str().unwrap_or_default();
            return sent.status == 400
                && ["in progress", "currently", "while the", "as the pool is in", "as it is in", "invalid state"]
                    .iter()
                    .any(|word| message.contains(word));
        }
        let rests = |body: &Value| body["error"]["message"].to_string().contains("'IN_MAINTENANCE'");
        if rests(&sent.body) && !rests(&recorded["response_body"]) {
            return true;
        }
        let (Some(theirs), Some(own)) = (status_of(&recorded["response_body"]), status_of(&sent.body)) else {
            // A schedule is to fire first.
            let executions = |body: &Value| body["executions"].as_array().map_or(0, Vec::len);
            return executions(&sent.body) < executions(&recorded["response_body"]);
        };
        if theirs != own && own.ends_with("ALLOCATED") {
            return is_new(&sent.body["minion_pool"]);
        }
        let behind = |own: &str| Status::from(own).is_active();
        if theirs != own {
            return behind(own);
        }
        Status::from(own).is_active() && finals(&sent.body) < finals(&recorded["response_body"])
    }

    /// To the next thing that happens.
    async fn carry_on(&self) {
        let clock = self.clock.clone();
        let busy = clock.busy();
        let parked = move || {
            let _busy = busy;
            clock.park_poll(&clock.signal(), Some(clock.instant() + SignedDuration::from_secs(1)));
        };
        tokio::task::spawn_blocking(parked).await.unwrap();
    }

    /// A hundredth of a second, so that lists are in the order in which things were made.
    async fn tick(&self) {
        let clock = self.clock.clone();
        let busy = clock.busy();
        let parked = move || {
            let _busy = busy;
            clock.park(&clock.signal(), Some(clock.instant() + SignedDuration::from_millis(10)));
        };
        tokio::task::spawn_blocking(parked).await.unwrap();
    }

    async fn send(&self, recording: &Recording) -> Sent {
        let recorded = &recording.value;
        let text = |key: &str| recorded[key].as_str().unwrap_or_default();
        let headers = &recorded["request_headers"];
        let given = headers["x-auth-token"].as_str();
        let of_demo = text("path").contains(DEMO);
        let token = given.map(|given| match given {
            "garbage" => "garbage",
            given if given.eq_ignore_ascii_case("<token:other>") => "garbage",
            _ if recording.name.contains("garbage") || recording.name.contains("bad-token") => "garbage",
            _ if recording.name.contains("unscoped-token") => "unscoped",
            _ if recording.name.contains("never-cached") => "garbage",
            _ if recording.name.contains("expired") && !recording.name.contains("schedule") => "garbage",
            _ if recording.name.contains("appcred-") => "credential",
            _ if of_demo || recording.name.contains("secret-other-project") => "demo",
            _ => "admin",
        });
        // Barbican shares the port.
        let prefix = if text("service") == "barbican" { "/key-manager" } else { "" };
        let url = self.url(text("path"), prefix);
        let mut request = self.http.request(text("method").parse().unwrap(), url);
        for name in ["accept", "content-type"] {
            if let Some(value) = headers[name].as_str().filter(|value| !value.is_empty()) {
                request = request.header(name, value);
            }
        }
        if let Some(token) = token {
            request = request.header("x-auth-token", self.tokens.get(token).map_or("garbage", String::as_str));
        }
        if headers["x-subject-token"].is_string() {
            let unknown = recording.name.contains("unknown");
            request = request.header("x-subject-token", if unknown { "unknown" } else { &self.tokens["admin"] });
        }
        let body = match &recorded["request_body"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            body => Some(self.mapped(&body.to_string(), &recording.name)),
        };
        if let Some(body) = body {
            request = request.body(body);
        }
        answered(request).await
    }

    pub(super) async fn send_as(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        token: &str,
        subject: Option<&str>,
    ) -> Sent {
        let mut request = self.http.request(method.parse().unwrap(), self.url(path, ""));
        request = request.header("x-auth-token", &self.tokens[token]).header("accept", "application/json");
        if let Some(subject) = subject {
            request = request.header("x-subject-token", &self.tokens[subject]);
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(self.mapped(&body.to_string(), ""));
        }
        answered(request).await
    }

    fn url(&self, path: &str, prefix: &str) -> String {
        let mut path = self.mapped(path, "");
        // An instance is named by its id in base64.
        if let Some((head, last)) = path.rsplit_once('/').filter(|(head, _)| head.ends_with("/instances")) {
            let id = URL_SAFE.decode(last).ok().and_then(|bytes| String::from_utf8(bytes).ok()).filter(|id| is_id(id));
            if let Some(id) = id {
                path = format!("{head}/{}", URL_SAFE.encode(self.mapped(&id, "")));
            }
        }
        format!("http://{}{prefix}{path}", self.sandbox.address())
    }

    /// A text with the sandbox's ids, tokens and secrets in place of the recorded ones.
    fn mapped(&self, text: &str, name: &str) -> String {
        let mut text = text.to_owned();
        for (recorded, own) in &self.ids {
            text = text.replace(recorded.as_str(), own);
        }
        let text = text.replace("http://127.0.0.1:9311", &format!("http://{}/key-manager", self.sandbox.address()));
        let of = if name.contains("expired") { "revoked" } else { "admin" };
        let token = self.tokens.get(of).map_or("garbage", String::as_str);
        text.replace("<token>", token).replace("<TOKEN>", token)
    }

    /// Takes the ids of what was shown: by place in single things, by name in lists.
    fn learn(&mut self, recorded: &Value, own: &Value) {
        match (recorded, own) {
            (Value::Object(recorded), Value::Object(own)) => {
                // Nobody asks for a task by its id.
                for (key, value) in recorded.iter().filter(|(key, _)| *key != "tasks") {
                    if let Some(own) = own.get(key) {
                        self.learn(value, own);
                    }
                }
            }
            (Value::Array(recorded), Value::Array(own)) => {
                for (at, value) in recorded.iter().enumerate() {
                    if let Some(own) = self.partner(value, at, own) {
                        self.learn(value, own);
                    }
                }
            }
            (Value::String(recorded), Value::String(own)) if is_id(recorded) && is_id(own) => {
                self.ids.entry(recorded.clone()).or_insert_with(|| own.clone());
            }
            // A reference ends with the id.
            (Value::String(recorded), Value::String(own)) => {
                let last = |text: &str| text.rsplit_once("/secrets/").map(|(_, id)| Value::from(id));
                if let (Some(recorded), Some(own)) = (last(recorded), last(own)) {
                    self.learn(&recorded, &own);
                }
            }
            _ => {}
        }
    }

    fn partner<'own>(&self, recorded: &Value, at: usize, own: &'own [Value]) -> Option<&'own Value> {
        let by = |key: &str, value: &Value| own.iter().find(|own| own[key] == *value);
        let mapped = |value: &Value| Some(Value::from(self.ids.get(value.as_str()?)?.clone()));
        if recorded["deployer_id"].is_string() {
            return by("deployer_id", &mapped(&recorded["deployer_id"])?);
        }
        if recorded["base_id"].is_string() || recorded["connection_info"].is_object() {
            return by("id", &mapped(&recorded["id"])?);
        }
        match (&recorded["name"], &recorded["index"]) {
            (Value::String(_), _) => by("name", &recorded["name"]),
            (_, Value::Number(_)) => by("index", &recorded["index"]),
            _ => own.get(at),
        }
    }

    /// The tasks of one execution: the same types at the same indices, waiting for the same.
    fn other_tasks(&self, recorded: &Value, own: &Value) -> Vec<String> {
        let (Some(theirs), Some(own)) = (tasks_of(recorded), tasks_of(own)) else { return Vec::new() };
        let (theirs, own) = (outline(theirs), outline(own));
        match theirs == own {
            true => Vec::new(),
            false => vec![format!(
                "the tasks differ:\n      {}\n    recorded:\n      {}",
                own.join("\n      "),
                theirs.join("\n      ")
            )],
        }
    }

    /// Short messages are the same, but for ids.
    fn other_message(&self, recorded: &Value, own: &Value) -> Option<String> {
        let message = |answer: &Value| answer["error"]["message"].as_str().map(String::from);
        let (theirs, own) = (self.mapped(&message(recorded)?, ""), message(own)?);
        // A schema is printed in full by the real ones; the worker's id is the server's own.
        let first = |text: &str| {
            let line = text.lines().next().unwrap_or_default().to_owned();
            // How many there are depends on what was not recorded.
            let line = line.trim_start_matches(|letter: char| letter.is_ascii_digit()).to_owned();
            line.split_once("(IDs ['")
                .map_or(line.clone(), |(head, rest)| format!("{head}{}", &rest[36.min(rest.len())..]))
        };
        let known = |text: &str| without_ids(text, |id| self.ids.values().any(|own| own == id));
        (known(&first(&theirs)) != known(&first(&own)))
            .then(|| format!("message `{}`,\n    recorded `{}`", first(&own), first(&theirs)))
    }
}

async fn answered(request: reqwest::RequestBuilder) -> Sent {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap_or_default();
    let body = serde_json::from_str(&text).unwrap_or_else(|_| if text.is_empty() { Value::Null } else { text.into() });
    Sent { status, body }
}

/// The status of the one thing that an answer shows.
fn status_of(body: &Value) -> Option<&str> {
    let thing = body.as_object()?.values().next()?;
    thing.get("status").or_else(|| thing.get("last_execution_status"))?.as_str()
}

fn tasks_of(body: &Value) -> Option<&Vec<Value>> {
    body.as_object()?.values().next()?.get("tasks")?.as_array()
}

/// Whether the allocation of a pool that was just made has yet to begin.
fn is_new(pool: &Value) -> bool {
    let events = pool["events"].as_array().map_or(0, Vec::len);
    pool["status"] == "DEALLOCATED" && pool["updated_at"].is_null() && events > 1
}

fn finals(body: &Value) -> usize {
    let is_final = |task: &&Value| TaskStatus::from(task["status"].as_str().unwrap_or_default()).is_final();
    tasks_of(body).map_or(0, |tasks| tasks.iter().filter(is_final).count())
}

fn outline(tasks: &[Value]) -> Vec<String> {
    let index =
        |id: &Value| tasks.iter().find(|task| task["id"] == *id).map_or(Value::Null, |task| task["index"].clone());
    tasks
        .iter()
        .map(|task| {
            let parents: Vec<String> =
                task["depends_on"].as_array().into_iter().flatten().map(|id| index(id).to_string()).collect();
            let clean = if task["on_error"] == true { " (on error)" } else { "" };
            format!("{} {} <- {}{clean}", task["index"], task["task_type"].as_str().unwrap(), parents.join(","))
        })
        .collect()
}

pub(super) fn is_id(text: &str) -> bool {
    matches!(text.len(), 32 | 36) && text.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-')
}

/// A text without the ids that stand for nothing known: they are made on the way to a refusal.
fn without_ids(text: &str, known: impl Fn(&str) -> bool) -> String {
    let ids = regex::Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    ids.replace_all(text, |found: &regex::Captures<'_>| match known(&found[0]) {
        true => found[0].to_owned(),
        false => "an id".to_owned(),
    })
    .into_owned()
}

fn short(body: &Value) -> String {
    body.to_string().chars().take(300).collect()
}
