//! A sandbox that is made again from its ledger is the same: now, later, and for everything that is done to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coriolis_run::clock::{Clock, Speed};
use coriolis_run::model::Generation;
use coriolis_run::sandbox::{Fault, Ledger, Options, Sandbox, Scenario, Trouble, serve_kept};
use coriolis_run::secret;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::rehearsal::GENERATIONS;

const SECRET: &str = "hunter2-planted";
const MACHINES: [&str; 6] =
    ["web-01", "db-01", "fail-once-mail-01", "fail-always-legacy-01", "slow-archive-01", "nobody-knows-it"];

/// One thing that is done to a cloud, and two numbers that say to what and how.
#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u16),
    Transfer(u8, u8),
    Execute(u8, u8),
    CancelExecution(u8, u8),
    DeleteExecution(u8),
    Deploy(u8, u8),
    CancelDeployment(u8, u8),
    DeleteDeployment(u8),
    UpdateTransfer(u8, u8),
    DeleteDisks(u8),
    DeleteTransfer(u8),
    Schedule(u8, u8),
    Pool(u8, u8),
    PoolAction(u8, u8),
    Region(u8, u8),
    Worker(u8, u8),
    Endpoint(u8, u8),
    ChangeEndpoint(u8, u8),
    Secret(u8, u8),
    Licence(u8, u8),
    Power(u8, u8),
    Nonsense(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let two = || (any::<u8>(), any::<u8>());
    let often = |make: fn(u8, u8) -> Step| two().prop_map(move |(one, other)| make(one, other)).boxed();
    prop_oneof![
        5 => (1u16..4000).prop_map(Step::Pass),
        5 => often(Step::Transfer),
        6 => often(Step::Execute),
        2 => often(Step::CancelExecution),
        1 => any::<u8>().prop_map(Step::DeleteExecution),
        4 => often(Step::Deploy),
        1 => often(Step::CancelDeployment),
        1 => any::<u8>().prop_map(Step::DeleteDeployment),
        1 => often(Step::UpdateTransfer),
        1 => any::<u8>().prop_map(Step::DeleteDisks),
        1 => any::<u8>().prop_map(Step::DeleteTransfer),
        2 => often(Step::Schedule),
        2 => often(Step::Pool),
        1 => often(Step::PoolAction),
        1 => often(Step::Region),
        1 => often(Step::Worker),
        2 => often(Step::Endpoint),
        2 => often(Step::ChangeEndpoint),
        2 => often(Step::Secret),
        1 => often(Step::Licence),
        1 => often(Step::Power),
        1 => any::<u8>().prop_map(Step::Nonsense),
    ]
}

type Request = (&'static str, String, Option<Value>);

/// A served sandbox and somebody who is logged in.
struct World {
    sandbox: Sandbox,
    clock: Clock,
    runtime: Runtime,
    http: reqwest::Client,
    token: String,
    generation: Generation,
}

impl World {
    fn open(generation: Generation, ledger: &Path) -> std::io::Result<Self> {
        let ledger = Ledger::open(ledger)?;
        let clock = match ledger.stopped() {
            Some(stopped) => Clock::starting_at(Speed::Max, stopped),
            None => Clock::new(Speed::Max),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = Options {
            generation,
            seed: 7,
            scenario: Scenario::default(),
            listen: ([127, 0, 0, 1], 0).into(),
            clock: clock.clone(),
            token_lifetime: Duration::from_secs(3600),
        };
        let sandbox = runtime.block_on(serve_kept(options, ledger))?;
        let mut world =
            Self { sandbox, clock, runtime, http: reqwest::Client::new(), token: String::new(), generation };
        world.token = world.login();
        Ok(world)
    }

    fn login(&self) -> String {
        let environment: std::collections::HashMap<_, _> = self.sandbox.environment().into_iter().collect();
        let user = json!({"name": environment["OS_USERNAME"], "password": environment["OS_PASSWORD"],
                          "domain": {"name": "Default"}});
        let scope = json!({"project": {"name": environment["OS_PROJECT_NAME"], "domain": {"name": "Default"}}});
        let body = json!({"auth": {"scope": scope, "identity": {"methods": ["password"], "password": {"user": user}}}});
        let url = format!("{}/auth/tokens", environment["OS_AUTH_URL"]);
        self.runtime.block_on(async {
            let response = self.http.post(url).json(&body).send().await.unwrap();
            response.headers()["x-subject-token"].to_str().unwrap().to_owned()
        })
    }

    /// The answer without what differs between two servers: their ports, and how a secret is masked.
    fn send(&self, (method, path, body): &Request) -> (u16, Value) {
        let base = format!("http://{}", self.sandbox.address());
        let path = match path.strip_prefix('!') {
            Some(elsewhere) => elsewhere.to_owned(),
            None => format!("/v1/{}{path}", self.sandbox.project()),
        };
        let body = body.as_ref().map(|body| match body {
            Value::String(raw) => raw.replace("BASE", &base),
            body => body.to_string().replace("BASE", &base),
        });
        self.runtime.block_on(async {
            let mut request = self.http.request(method.parse().unwrap(), format!("{base}{path}"));
            request = request.header("x-auth-token", &self.token).header("accept", "application/json");
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body);
            }
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let text = response.text().await.unwrap_or_default().replace(&base, "BASE");
            let mut value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            secret::mask(&mut value);
            (status, value)
        })
    }

    fn get(&self, path: &str) -> Value {
        self.send(&("GET", path.to_owned(), None)).1
    }

    fn pass_until(&self, until: Timestamp) {
        let _busy = self.clock.busy();
        self.clock.park(&self.clock.signal(), Some(self.clock.instant_of(until)));
    }

    /// The words for transfer, transfers, deployment, deployments.
    fn words(&self) -> [&'static str; 4] {
        match self.generation {
            Generation::Current => ["transfer", "transfers", "deployment", "deployments"],
            Generation::Legacy => ["replica", "replicas", "migration", "migrations"],
        }
    }

    fn ids(&self, path: &str, name: &str) -> Vec<String> {
        let listed = self.get(path);
        let all = listed[name].as_array().into_iter().flatten();
        all.filter_map(|one| one["id"].as_str().map(String::from)).collect()
    }

    /// Everything that the API tells.
    fn state(&self) -> Vec<(String, Value)> {
        let [_, transfers, _, deployments] = self.words();
        let mut paths: Vec<String> =
            ["/endpoints", "/regions", "/services", "/minion_pools", "!/key-manager/v1/secrets?limit=100"]
                .map(String::from)
                .into();
        paths.push(format!("/{deployments}?show_deleted=true"));
        paths.extend(self.ids(&format!("/{deployments}"), deployments).iter().map(|id| format!("/{deployments}/{id}")));
        paths.extend(self.ids("/minion_pools", "minion_pools").iter().map(|id| format!("/minion_pools/{id}")));
        paths.push(format!("/{transfers}?show_deleted=true&include_task_info=true"));
        for id in self.ids(&format!("/{transfers}"), transfers) {
            let one = format!("/{transfers}/{id}");
            paths.extend([format!("{one}/executions"), format!("{one}/schedules")]);
            let executions = self.ids(&format!("{one}/executions"), "executions");
            paths.extend(executions.iter().map(|id| format!("{one}/executions/{id}")));
            paths.push(one);
        }
        for id in self.ids("!/licensing/appliances", "appliances") {
            paths.extend(["licences", "status"].map(|part| format!("!/licensing/appliances/{id}/{part}")));
        }
        paths.extend(["!/licensing/appliances", "!/sandbox/truth"].map(String::from));
        paths.push("!/logger/logs/coriolis-worker".into());
        paths.into_iter().map(|path| (path.clone(), self.get(&path))).collect()
    }

    /// The request of a step, in the words of what there is now.
    fn request(&self, step: Step) -> Option<Request> {
        let [transfer, transfers, deployment, deployments] = self.words();
        let pick = |path: &str, name: &str, at: u8| {
            let ids = self.ids(path, name);
            (!ids.is_empty()).then(|| ids[usize::from(at) % ids.len()].clone())
        };
        let some_transfer = |at| pick(&format!("/{transfers}"), transfers, at);
        let some_deployment = |at| pick(&format!("/{deployments}"), deployments, at);
        let newest = |at: u8| {
            let id = some_transfer(at)?;
            let path = format!("/{transfers}/{id}/executions");
            let last = self.ids(&path, "executions").pop()?;
            Some(format!("{path}/{last}"))
        };
        let endpoint = |at| pick("/endpoints", "endpoints", at);
        Some(match step {
            Step::Pass(_) => return None,
            Step::Transfer(name, how) => {
                let mut draft = json!({
                    "origin_endpoint_id": endpoint(if how % 7 == 0 { how } else { 0 })?,
                    "destination_endpoint_id": endpoint(if how % 5 == 0 { how } else { 1 })?,
                    "instances": [MACHINES[usize::from(name) % MACHINES.len()]],
                    "notes": "of the ledger", "clone_disks": how % 2 == 0,
                });
                if let Some(pool) = pick("/minion_pools", "minion_pools", how).filter(|_| how % 3 == 0) {
                    draft["destination_minion_pool_id"] = pool.into();
                }
                ("POST", format!("/{transfers}"), Some(json!({transfer: draft})))
            }
            Step::Execute(at, how) => {
                let wishes = json!({"execution": {"shutdown_instances": how % 2 == 0, "auto_deploy": how % 5 == 0}});
                ("POST", format!("/{transfers}/{}/executions", some_transfer(at)?), Some(wishes))
            }
            Step::CancelExecution(at, how) => {
                ("POST", format!("{}/actions", newest(at)?), Some(json!({"cancel": {"force": how % 3 == 0}})))
            }
            Step::DeleteExecution(at) => ("DELETE", newest(at)?, None),
            Step::Deploy(at, how) => {
                let draft = json!({format!("{transfer}_id"): some_transfer(at)?, "clone_disks": how % 2 == 0,
                                   "force": how % 3 == 0});
                ("POST", format!("/{deployments}"), Some(json!({deployment: draft})))
            }
            Step::CancelDeployment(at, how) => {
                let path = format!("/{deployments}/{}/actions", some_deployment(at)?);
                ("POST", path, Some(json!({"cancel": {"force": how % 3 == 0}})))
            }
            Step::DeleteDeployment(at) => ("DELETE", format!("/{deployments}/{}", some_deployment(at)?), None),
            Step::UpdateTransfer(at, how) => {
                let zone = if how % 2 == 0 { "az1" } else { "az2" };
                let changes = json!({"destination_environment": {"availability_zone": zone}, "notes": "changed",
                                     "source_environment": {"vault_token": SECRET}});
                ("PUT", format!("/{transfers}/{}", some_transfer(at)?), Some(json!({transfer: changes})))
            }
            Step::DeleteDisks(at) => {
                let path = format!("/{transfers}/{}/actions", some_transfer(at)?);
                ("POST", path, Some(json!({"delete-disks": null})))
            }
            Step::DeleteTransfer(at) => ("DELETE", format!("/{transfers}/{}", some_transfer(at)?), None),
            Step::Schedule(at, how) => {
                let path = format!("/{transfers}/{}/schedules", some_transfer(at)?);
                let wish = json!({"schedule": {"minute": how % 60}, "enabled": how % 4 != 0});
                match pick(&path, "schedules", how) {
                    Some(id) if how % 3 == 0 => ("PUT", format!("{path}/{id}"), Some(wish)),
                    Some(id) if how % 3 == 1 => ("DELETE", format!("{path}/{id}"), None),
                    _ => ("POST", path, Some(wish)),
                }
            }
            Step::Pool(at, how) => {
                let options = if how % 4 == 0 { json!({"image": "broken"}) } else { json!({}) };
                let pool = json!({"name": format!("pool-{}", at % 3), "endpoint_id": endpoint(1)?, "os_type": "linux",
                                  "platform": "destination", "environment_options": options, "minimum_minions": 1,
                                  "maximum_minions": how % 3, "skip_allocation": how % 5 == 0});
                ("POST", "/minion_pools".into(), Some(json!({"minion_pool": pool})))
            }
            Step::PoolAction(at, how) => {
                let path = format!("/minion_pools/{}", pick("/minion_pools", "minion_pools", at)?);
                match how % 4 {
                    0 => ("DELETE", path, None),
                    1 => ("POST", format!("{path}/actions"), Some(json!({"allocate": null}))),
                    2 => ("POST", format!("{path}/actions"), Some(json!({"refresh": null}))),
                    _ => ("POST", format!("{path}/actions"), Some(json!({"deallocate": {"force": how % 2 == 0}}))),
                }
            }
            Step::Region(at, how) => match pick("/regions", "regions", at) {
                Some(id) if how % 3 == 0 => ("DELETE", format!("/regions/{id}"), None),
                Some(id) if how % 3 == 1 => {
                    ("PUT", format!("/regions/{id}"), Some(json!({"region": {"enabled": how % 2 == 0}})))
                }
                _ => ("POST", "/regions".into(), Some(json!({"region": {"name": "north", "description": "far"}}))),
            },
            Step::Worker(at, how) => {
                let path = format!("/services/{}", pick("/services", "services", at)?);
                ("PUT", path, Some(json!({"service": {"enabled": how % 4 != 0}})))
            }
            Step::Endpoint(at, how) => {
                let secret = pick("!/key-manager/v1/secrets", "none", how);
                let reference = self.get("!/key-manager/v1/secrets")["secrets"][0]["secret_ref"].clone();
                let connection = match (secret, how % 3) {
                    (None, 0) if reference.is_string() => json!({"secret_ref": reference}),
                    (_, 1) => json!({"host": "h", "password": "wrong"}),
                    _ => json!({"host": "h", "username": "u", "password": format!("{SECRET}{}", how % 2)}),
                };
                let kind = if at % 2 == 0 { "vmware_vsphere" } else { "openstack" };
                let regions = if how % 4 == 0 { json!(["no-such-region"]) } else { json!([]) };
                let draft = json!({"name": format!("made-{}", at % 2), "type": kind, "connection_info": connection,
                                   "mapped_regions": regions});
                ("POST", "/endpoints".into(), Some(json!({"endpoint": draft})))
            }
            Step::ChangeEndpoint(at, how) => {
                let path = format!("/endpoints/{}", endpoint(at)?);
                match how % 4 {
                    0 => ("DELETE", path, None),
                    1 => ("PUT", path, Some(json!({"endpoint": {"description": "changed"}}))),
                    _ => ("POST", format!("{path}/actions"), Some(json!({"validate-connection": null}))),
                }
            }
            Step::Secret(at, how) => {
                let made = self.get("!/key-manager/v1/secrets")["secrets"][0]["secret_ref"].clone();
                match made.as_str().and_then(|made| made.rsplit('/').next()).filter(|_| how % 4 == 0) {
                    Some(id) => ("DELETE", format!("!/key-manager/v1/secrets/{id}"), None),
                    None => {
                        let payload = match at % 3 {
                            0 => SECRET.to_owned(),
                            1 => json!({"host": "h", "password": SECRET}).to_string(),
                            _ => json!({"host": "h", "password": "wrong"}).to_string(),
                        };
                        let secret = match how % 3 {
                            0 => json!({"name": "s", "payload": STANDARD.encode(payload), "secret_type": "passphrase",
                                        "payload_content_type": "application/octet-stream",
                                        "payload_content_encoding": "base64"}),
                            _ => json!({"name": "s", "payload": payload, "payload_content_type": "text/plain"}),
                        };
                        ("POST", "!/key-manager/v1/secrets".into(), Some(secret))
                    }
                }
            }
            Step::Licence(at, how) => {
                let appliance = pick("!/licensing/appliances", "appliances", at)?;
                let path = format!("!/licensing/appliances/{appliance}/licences");
                match (how % 4, pick(&path, "licences", how)) {
                    (0, _) => ("POST", "!/licensing/appliances".into(), None),
                    (1, Some(id)) => ("DELETE", format!("{path}/{id}"), None),
                    (2, _) => ("POST", path, Some(format!("no licence, {SECRET}").into())),
                    _ => ("POST", path, Some(format!("-----BEGIN LICENCE-----{SECRET}").into())),
                }
            }
            Step::Power(at, how) => {
                let truth = self.get("!/sandbox/truth");
                let vm = match truth["machines"].get(usize::from(at) % 4) {
                    Some(machine) if how % 3 == 0 => machine["id"].clone(),
                    _ => MACHINES[usize::from(at) % MACHINES.len()].into(),
                };
                let wish = json!({"vm": vm, "endpoint": "vcenter", "power": if how % 2 == 0 { "on" } else { "off" }});
                ("POST", "!/sandbox/power".into(), Some(wish))
            }
            Step::Nonsense(at) => match at % 5 {
                0 => ("POST", format!("/{transfers}"), Some(format!("{{\"password\": \"{SECRET}").into())),
                1 => ("POST", format!("/{transfers}/nobody/executions"), Some(json!({"execution": {}}))),
                2 => ("DELETE", "/nowhere/at/all".into(), None),
                3 => ("PUT", "/endpoints/nobody".into(), Some(Value::String("null".into()))),
                _ => ("POST", format!("/{transfers}"), None),
            },
        })
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ledger").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Does the same to all of these worlds, at the same times.
fn perform(worlds: &[&World], steps: &[Step]) {
    for step in steps {
        if let Step::Pass(seconds) = step {
            // Fractions of a second: the ledger's times are exact.
            let passed = SignedDuration::from_millis(i64::from(*seconds) * 997);
            let until = worlds[0].clock.now() + passed;
            worlds.iter().for_each(|world| world.pass_until(until));
        }
        let Some(request) = worlds[0].request(*step) else { continue };
        let answers: Vec<(u16, Value)> = worlds.iter().map(|world| world.send(&request)).collect();
        answers.iter().for_each(|answer| assert_eq!(answer, &answers[0], "{request:?}"));
    }
}

fn assert_same(live: &World, rebuilt: &World, when: &str) {
    for (one, other) in live.state().into_iter().zip(rebuilt.state()) {
        assert_eq!(one, other, "{when}, at {}", live.clock.now());
    }
}

/// What was done so far is rebuilt, and the copy goes on as the one that never ended.
fn goes_on_as_if_it_had_never_ended(generation: Generation, before: &[Step], after: &[Step], name: &str) {
    let folder = folder(name);
    let (path, copy) = (folder.join("sandbox.jsonl"), folder.join("copy.jsonl"));
    let live = World::open(generation, &path).unwrap();
    perform(&[&live], before);
    fs::copy(&path, &copy).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(SECRET) && !text.contains(&STANDARD.encode(SECRET)), "{text}");
    let rebuilt = World::open(generation, &copy).unwrap();
    rebuilt.pass_until(live.clock.now());
    assert_same(&live, &rebuilt, "rebuilt");
    let accepted =
        |world: &World| -> Vec<_> { world.sandbox.accepted().into_iter().map(|one| (one.path, one.status)).collect() };
    assert_eq!(accepted(&live), accepted(&rebuilt));
    perform(&[&live, &rebuilt], after);
    assert_same(&live, &rebuilt, "gone on");
    perform(&[&live, &rebuilt], &[Step::Pass(7200), Step::Pass(50)]);
    assert_same(&live, &rebuilt, "later");
    let written = |path: &Path| fs::read_to_string(path).unwrap().lines().count();
    assert_eq!(written(&path), written(&copy));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 200, failure_persistence: None,
                                        ..ProptestConfig::default() })]

    #[test]
    fn a_sandbox_is_the_same_after_it_was_rebuilt(
        legacy in any::<bool>(),
        before in prop::collection::vec(step(), 1..50),
        after in prop::collection::vec(step(), 0..20),
    ) {
        let generation = if legacy { Generation::Legacy } else { Generation::Current };
        goes_on_as_if_it_had_never_ended(generation, &before, &after, &format!("property {legacy}"));
    }
}

#[test]
fn a_whole_migration_with_everything_beside_it_is_rebuilt_at_any_step() {
    use Step::*;
    let steps = [
        Secret(1, 1),
        Secret(2, 1),
        Secret(1, 3),
        Endpoint(0, 0),
        ChangeEndpoint(2, 2),
        Endpoint(1, 2),
        Endpoint(0, 5),
        Region(0, 2),
        Pool(0, 1),
        Pass(900),
        Transfer(0, 2),
        Transfer(2, 4),
        Transfer(1, 3),
        Execute(0, 1),
        Execute(1, 1),
        Pass(30),
        CancelExecution(0, 1),
        Execute(2, 2),
        Pass(3600),
        Schedule(0, 2),
        Execute(1, 0),
        Pass(1800),
        Deploy(1, 1),
        Deploy(2, 2),
        Pass(20),
        CancelDeployment(0, 0),
        Worker(0, 0),
        Execute(1, 1),
        Worker(0, 1),
        Pass(3900),
        UpdateTransfer(1, 1),
        Licence(0, 3),
        Power(0, 1),
        Power(4, 2),
        DeleteDisks(2),
        Pass(300),
        DeleteExecution(1),
        Schedule(0, 3),
        DeleteDeployment(0),
        DeleteTransfer(2),
        Secret(0, 4),
        ChangeEndpoint(2, 3),
        Nonsense(0),
    ];
    for generation in GENERATIONS {
        for cut in [13, 17, 28, steps.len()] {
            let name = format!("table {} {cut}", generation.word());
            goes_on_as_if_it_had_never_ended(generation, &steps[..cut], &steps[cut..], &name);
        }
    }
}

#[test]
fn a_change_whose_answer_was_lost_is_in_the_ledger() {
    let path = folder("lost").join("sandbox.jsonl");
    let world = World::open(Generation::Current, &path).unwrap();
    perform(&[&world], &[Step::Transfer(0, 1)]);
    let what = Trouble::UnavailableAfter;
    world.sandbox.inject(Fault { method: "POST", path: "/executions".into(), times: 1, what });
    perform(&[&world], &[Step::Execute(0, 1)]);
    let state = world.state();
    assert!(state.iter().any(|(_, value)| value["execution"]["status"] == "RUNNING"), "{state:?}");
    drop(world);
    assert_eq!(World::open(Generation::Current, &path).unwrap().state(), state);
}

#[test]
fn a_torn_last_line_is_dropped_and_the_next_one_stands_in_its_place() {
    let path = folder("torn").join("sandbox.jsonl");
    let world = World::open(Generation::Current, &path).unwrap();
    perform(&[&world], &[Step::Transfer(0, 1), Step::Transfer(1, 1)]);
    drop(world);
    let whole = fs::read_to_string(&path).unwrap();
    let torn = &whole[..whole.len() - 9];
    fs::write(&path, torn).unwrap();
    let world = World::open(Generation::Current, &path).unwrap();
    assert_eq!(world.ids("/transfers", "transfers").len(), 1);
    perform(&[&world], &[Step::Transfer(1, 1)]);
    drop(world);
    // The second creation again, at the time of the first: what stands there is what stood there.
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
}

#[test]
fn a_ledger_that_cannot_be_believed_is_refused() {
    let path = folder("damaged").join("sandbox.jsonl");
    let world = World::open(Generation::Current, &path).unwrap();
    perform(&[&world], &[Step::Transfer(0, 1), Step::Execute(0, 1)]);
    drop(world);
    let whole = fs::read_to_string(&path).unwrap();
    let shown = path.display();
    let refused = |text: &str, generation| {
        fs::write(&path, text).unwrap();
        World::open(generation, &path).err().expect("it is refused").to_string()
    };
    assert_eq!(
        refused(&whole.replacen("\"at\"", "\"ta\"", 1), Generation::Current),
        format!("line 2 of `{shown}` is damaged: missing field `at`")
    );
    assert_eq!(
        refused(&whole, Generation::Legacy),
        format!("`{shown}` is of a sandbox of the current generation with seed 7")
    );
    let second = whole.lines().nth(2).unwrap();
    let without: String = whole.replacen(whole.lines().nth(1).unwrap(), second, 1);
    assert_eq!(
        refused(&without, Generation::Current),
        format!("line 2 of `{shown}` was answered with 200 and is now answered with 404: it is of another sandbox")
    );
    assert_eq!(
        refused(&whole.replacen("\"v\":1", "\"v\":2", 1), Generation::Current),
        format!("`{shown}` is of version 2, and this program knows version 1")
    );
}

#[test]
fn only_its_owner_may_read_a_ledger() {
    use std::os::unix::fs::PermissionsExt as _;

    let path = folder("mode").join("sandbox.jsonl");
    let _world = World::open(Generation::Current, &path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
