//! The real Keystone that `.ci/keystone` started, a stand-in for Coriolis that asks it about every token, and tenants
//! made for one test each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request as Asked, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use clap::Parser;
use coriolis_run::cancel::Cancel;
use coriolis_run::client::keystone::Keystone;
use coriolis_run::client::{Answer, Client, Identity, Options, Request};
use coriolis_run::clock::{Clock, Speed};
use coriolis_run::error::{Error, Result};
use coriolis_run::event::{Event, Origin, Sink};
use coriolis_run::process::Process;
use coriolis_run::secret::Known;
use coriolis_run::settings::{self, CloudFlags};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// What all tests share.
pub struct World {
    pub url: String,
    pub tls_url: String,
    /// Its tokens live for two seconds.
    pub brief_url: String,
    pub cacert: String,
    /// The real Barbican, without version.
    pub barbican: String,
    /// The stand-in for Coriolis, without version and project.
    pub coriolis: String,
    clock: Clock,
    runtime: Runtime,
    http: reqwest::Client,
    admin: String,
    member: String,
    made: AtomicUsize,
}

/// A user with the role `member` in a project, both new.
pub struct Tenant {
    pub user: String,
    pub user_id: String,
    pub password: String,
    pub project: String,
    pub project_id: String,
}

pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}

impl World {
    fn new() -> Self {
        let environment = Process::real().environment;
        let given =
            |name: &str| environment.get(name).cloned().unwrap_or_else(|| panic!("`{name}` is not set: use .ci/run"));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut world = World {
            url: given("KEYSTONE_URL"),
            tls_url: given("KEYSTONE_TLS_URL"),
            brief_url: given("KEYSTONE_BRIEF_URL"),
            cacert: given("KEYSTONE_CACERT"),
            barbican: given("BARBICAN_URL"),
            coriolis: String::new(),
            clock: Clock::new(Speed::Real),
            runtime,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            admin: String::new(),
            member: String::new(),
            made: AtomicUsize::new(0),
        };
        let tenant = Tenant {
            user: "admin".to_owned(),
            user_id: String::new(),
            password: given("KEYSTONE_PASSWORD"),
            project: "admin".to_owned(),
            project_id: String::new(),
        };
        world.admin = world.token(&tenant);
        world.coriolis = world.serve();
        world.member =
            world.ask(Method::GET, "roles?name=member", None).1["roles"][0]["id"].as_str().unwrap().to_owned();
        world.register();
        world
    }

    /// One exchange with Keystone as its administrator.
    pub fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        self.ask_as(&self.admin, method, path, body)
    }

    pub fn ask_as(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}/v3/{path}", self.url)).header("X-Auth-Token", token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json().await.unwrap_or_default())
        })
    }

    /// One exchange with whomever: status, type of the content and content.
    pub fn exchange(&self, method: &str, url: &str, headers: &[(&str, &str)], body: String) -> (u16, String, String) {
        let mut request = self.http.request(method.parse().unwrap(), url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let kind = answer.headers().get("content-type").map_or("-", |kind| kind.to_str().unwrap()).to_owned();
            (answer.status().as_u16(), kind, answer.text().await.unwrap())
        })
    }

    fn make(&self, kind: &str, body: Value) -> String {
        let noun = kind.rsplit('/').next().unwrap().trim_end_matches('s');
        let (status, made) = self.ask(Method::POST, kind, Some(json!({noun: body})));
        assert_eq!(status, 201, "{kind}: {made}");
        made[noun]["id"].as_str().unwrap().to_owned()
    }

    /// Regions, and services of Coriolis' kind: `coriolis` in both, `spare` in the second, another kind; and Barbican.
    fn register(&self) {
        self.ask(Method::POST, "regions", Some(json!({"region": {"id": "RegionTwo"}})));
        // Those of an earlier run against the same Keystone.
        let (_, earlier) = self.ask(Method::GET, "services", None);
        for service in earlier["services"].as_array().unwrap() {
            let kind = service["type"].as_str().unwrap();
            if kind.starts_with("migration") || kind == "key-manager" {
                self.ask(Method::DELETE, &format!("services/{}", service["id"].as_str().unwrap()), None);
            }
        }
        let service = |kind: &str, name: &str| self.make("services", json!({"type": kind, "name": name}));
        let endpoint = |service: &str, interface: &str, region: &str, folder: &str| {
            self.place(service, interface, region, &format!("{}{folder}/v1/%(tenant_id)s", self.coriolis));
        };
        let coriolis = service("migration", "coriolis");
        endpoint(&coriolis, "public", "RegionOne", "");
        endpoint(&coriolis, "internal", "RegionOne", "/inside");
        endpoint(&coriolis, "public", "RegionTwo", "/two");
        endpoint(&service("migration", "spare"), "public", "RegionTwo", "/spare");
        endpoint(&service("migration-lab", "laboratory"), "public", "RegionOne", "/lab");
        self.place(&service("key-manager", "barbican"), "public", "RegionOne", &self.barbican);
    }

    /// Where a service is found in the catalog.
    fn place(&self, service: &str, interface: &str, region: &str, url: &str) {
        self.make("endpoints", json!({"service_id": service, "interface": interface, "region_id": region, "url": url}));
    }

    fn unique(&self, what: &str) -> String {
        format!("{what}-{}-{}", std::process::id(), self.made.fetch_add(1, Ordering::Relaxed))
    }

    pub fn tenant(&self) -> Tenant {
        self.tenant_in("default")
    }

    pub fn tenant_in(&self, domain: &str) -> Tenant {
        let (user, project) = (self.unique("user"), self.unique("project"));
        let password = self.unique("password");
        let project_id = self.make("projects", json!({"name": project, "domain_id": domain}));
        let user_id = self.make("users", json!({"name": user, "domain_id": domain, "password": password}));
        let tenant = Tenant { user, user_id, password, project, project_id };
        self.grant(&tenant, &tenant.project_id);
        tenant
    }

    /// A user who may only look, in a project of its own.
    pub fn reader(&self) -> Tenant {
        let tenant = self.tenant();
        let (status, roles) = self.ask(Method::GET, "roles?name=reader", None);
        assert_eq!(status, 200);
        let role = |id: &str| format!("projects/{}/users/{}/roles/{id}", tenant.project_id, tenant.user_id);
        assert_eq!(self.ask(Method::PUT, &role(roles["roles"][0]["id"].as_str().unwrap()), None).0, 204);
        assert_eq!(self.ask(Method::DELETE, &role(&self.member), None).0, 204);
        tenant
    }

    pub fn grant(&self, tenant: &Tenant, project: &str) {
        let path = format!("projects/{project}/users/{}/roles/{}", tenant.user_id, self.member);
        assert_eq!(self.ask(Method::PUT, &path, None).0, 204);
    }

    pub fn domain(&self) -> (String, String) {
        let name = self.unique("domain");
        (self.make("domains", json!({"name": name})), name)
    }

    pub fn project(&self) -> String {
        self.make("projects", json!({"name": self.unique("project"), "domain_id": "default"}))
    }

    /// An application credential of the tenant: id, name, secret.
    pub fn application_credential(&self, tenant: &Tenant) -> (String, String, String) {
        let (name, secret) = (self.unique("credential"), self.unique("secret"));
        let (status, made) = self.ask_as(
            &self.token(tenant),
            Method::POST,
            &format!("users/{}/application_credentials", tenant.user_id),
            Some(json!({"application_credential": {"name": name, "secret": secret}})),
        );
        assert_eq!(status, 201, "{made}");
        (made["application_credential"]["id"].as_str().unwrap().to_owned(), name, secret)
    }

    /// A token for the tenant's project, got without the code under test.
    pub fn token(&self, tenant: &Tenant) -> String {
        self.token_at(&format!("{}/v3", self.url), tenant)
    }

    /// The same at another Keystone.
    pub fn token_at(&self, url: &str, tenant: &Tenant) -> String {
        let domain = json!({"id": "default"});
        let user = json!({"name": tenant.user, "domain": domain, "password": tenant.password});
        let auth = json!({
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": tenant.project, "domain": domain}},
        });
        self.login(url, &auth)
    }

    pub fn token_for(&self, auth: Value) -> String {
        self.login(&format!("{}/v3", self.url), &auth)
    }

    fn login(&self, url: &str, auth: &Value) -> String {
        let request = self.http.post(format!("{url}/auth/tokens")).json(&json!({"auth": auth}));
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 201);
            answer.headers()["X-Subject-Token"].to_str().unwrap().to_owned()
        })
    }

    pub fn revoke(&self, token: &str) {
        let request = self.http.delete(format!("{}/v3/auth/tokens", self.url));
        let request = request.header("X-Auth-Token", &self.admin).header("X-Subject-Token", token);
        assert_eq!(self.runtime.block_on(request.send()).unwrap().status(), 204);
    }

    /// Waits until Keystone itself no longer knows the token.
    pub fn until_expired(&self, token: &str) {
        let checked = || {
            let request = self.http.get(format!("{}/v3/auth/tokens?nocatalog", self.url));
            request.header("X-Auth-Token", &self.admin).header("X-Subject-Token", token).send()
        };
        let clock = &self.clock;
        let _busy = clock.busy();
        while self.runtime.block_on(checked()).unwrap().status() != 404 {
            clock.park(&clock.signal(), Some(clock.instant() + Duration::from_millis(100)));
        }
    }

    /// What `coriolis-run FLAGS` would log in with in this environment, `OS_REGION_NAME` apart.
    pub fn identity(&self, flags: &[&str], environment: &[(&str, &str)]) -> Result<Arc<dyn Identity>> {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            flags: CloudFlags,
        }
        let line = Line::parse_from(["coriolis-run"].iter().chain(flags));
        let environment: BTreeMap<String, String> = [("OS_REGION_NAME", "RegionOne")]
            .iter()
            .chain(environment)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let cloud = settings::cloud(&line.flags, &environment, Path::new("/"), &|path| std::fs::read(path))?;
        Keystone::new(&cloud, self.clock.clone(), &Known::default())
    }

    /// Logs in and asks the stand-in who we are.
    pub fn who(&self, flags: &[&str], environment: &[(&str, &str)]) -> Result<Value> {
        who(&self.client(self.identity(flags, environment)?))
    }

    pub fn client(&self, identity: Arc<dyn Identity>) -> Client {
        struct Nowhere;
        impl Sink for Nowhere {
            fn emit(&self, _: Event) {}
        }
        let (clock, runtime) = (self.clock.clone(), self.runtime.handle().clone());
        let options = Options { proxies: false, ..Options::default() };
        Client::new(identity, clock, Cancel::default(), Arc::new(Nowhere), runtime, options).unwrap()
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn serve(&self) -> String {
        let guard = Guard {
            keystone: self.url.clone(),
            admin: self.admin.clone(),
            http: self.http.clone(),
            seen: Arc::default(),
            endpoints: Arc::default(),
        };
        let routes = Router::new().fallback(answer).with_state(guard);
        let listener = self.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        self.runtime.spawn(async move { axum::serve(listener, routes).await });
        url
    }
}

/// Who the stand-in takes us for: `{user, project, folder}`.
pub fn who(client: &Client) -> Result<Value> {
    let _busy = world().clock.busy();
    client.send(&Origin::default(), &Request::get("whoami", Answer::Whole))
}

pub fn told(error: &Error) -> String {
    format!("{}: {} | {}", error.kind.word(), error.message, error.hint.as_deref().unwrap_or_default())
}

#[derive(Clone)]
struct Guard {
    keystone: String,
    admin: String,
    http: reqwest::Client,
    /// The projects that were here before.
    seen: Arc<Mutex<BTreeSet<String>>>,
    /// What was created, in order; the place of each is its id.
    endpoints: Arc<Mutex<Vec<Value>>>,
}

/// `FOLDER/v1/PROJECT/whoami` for those whose token Keystone knows for that project; below `/open` for those who send
/// none; below `/revoking` the token ends with the answer, below `/once` the first one of each project.
async fn answer(State(guard): State<Guard>, request: Asked) -> Response {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (folder, project, resource) = match parts[..] {
        ["v1", project, ref rest @ ..] => ("", project, rest.join("/")),
        [folder, "v1", project, ref rest @ ..] => (folder, project, rest.join("/")),
        _ => return told_no(StatusCode::NOT_FOUND),
    };
    let token = request.headers().get("X-Auth-Token").and_then(|token| token.to_str().ok());
    let user = match (folder, token) {
        ("open", None) => Value::Null,
        ("open", Some(_)) => return told_no(StatusCode::BAD_REQUEST),
        (_, token) => match guard.user(token.unwrap_or_default(), project).await {
            Ok(user) => user,
            Err(status) => return told_no(status),
        },
    };
    if folder == "revoking" || (folder == "once" && guard.is_first(project)) {
        guard.revoke(token.unwrap_or_default()).await;
    }
    let token = token.unwrap_or_default().to_owned();
    match (request.method().as_str(), resource.split('/').collect::<Vec<_>>().as_slice()) {
        ("GET", ["whoami"]) => axum::Json(json!({"user": user, "project": project, "folder": folder})).into_response(),
        ("GET", ["endpoints"]) => axum::Json(json!({"endpoints": [{"id": "e1", "name": "lab"}]})).into_response(),
        ("POST", ["endpoints"]) => axum::Json(json!({"endpoint": guard.keep(request).await})).into_response(),
        ("POST", ["endpoints", id, "actions"]) => {
            let (valid, message) = guard.try_connection(id, &token).await;
            axum::Json(json!({"validate-connection": {"valid": valid, "message": message}})).into_response()
        }
        _ => told_no(StatusCode::NOT_FOUND),
    }
}

fn told_no(status: StatusCode) -> Response {
    (status, axum::Json(json!({"error": {"code": status.as_u16(), "message": "refused"}}))).into_response()
}

impl Guard {
    async fn user(&self, token: &str, project: &str) -> Result<Value, StatusCode> {
        let check = self.http.get(format!("{}/v3/auth/tokens?nocatalog", self.keystone));
        let known = check.header("X-Auth-Token", &self.admin).header("X-Subject-Token", token).send().await.unwrap();
        if known.status() != 200 {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let known: Value = known.json().await.unwrap();
        match known["token"]["project"]["id"] == project {
            true => Ok(known["token"]["user"]["id"].clone()),
            false => Err(StatusCode::FORBIDDEN),
        }
    }

    async fn revoke(&self, token: &str) {
        let request = self.http.delete(format!("{}/v3/auth/tokens", self.keystone));
        request.header("X-Auth-Token", &self.admin).header("X-Subject-Token", token).send().await.unwrap();
    }

    /// A new endpoint.
    async fn keep(&self, request: Asked) -> Value {
        let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
        let mut endpoint = serde_json::from_slice::<Value>(&body).unwrap()["endpoint"].take();
        let mut endpoints = self.endpoints.lock().unwrap();
        endpoint["id"] = endpoints.len().to_string().into();
        endpoints.push(endpoint.clone());
        endpoint
    }

    /// As the real one does: with the caller's token it reads the connection from the secret that stands for it.
    async fn try_connection(&self, id: &str, token: &str) -> (bool, String) {
        let reference =
            self.endpoints.lock().unwrap()[id.parse::<usize>().unwrap()]["connection_info"]["secret_ref"].clone();
        let Some(reference) = reference.as_str() else { return (false, "it is no secret".to_owned()) };
        let asked = self.http.get(format!("{reference}/payload"));
        let answer = asked.header("X-Auth-Token", token).header("Accept", "text/plain").send().await.unwrap();
        if !answer.status().is_success() {
            return (false, format!("the secret answers {}", answer.status().as_u16()));
        }
        let connection: Value = answer.json().await.unwrap();
        (connection["password"] == "planted-password", format!("it is for {}", connection["host"]))
    }

    fn is_first(&self, project: &str) -> bool {
        self.seen.lock().unwrap().insert(project.to_owned())
    }
}
