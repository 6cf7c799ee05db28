//! Serves a simulated cloud over HTTP on a socket of this machine.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::fault::{Fault, Trouble, take};
use super::keystone::{COLLEAGUE, Keystone};
use super::ledger::Ledger;
use super::rebuild::{is_kept, may_change, rebuild};
use super::routes::call::{Answer, Incoming, Services};
use super::routes::{answer, asks_who, logs};
use super::rules::{LOGS_PREFIX, TRUTH_PREFIX};
use super::wire::{Cut, Port};
use super::world::scenario::Scenario;
use super::world::truth::Truth;
use super::world::{Caller, Cloud, Refusal, draw};
use crate::clock::Clock;
use crate::model::Generation;

/// The cloud to serve, its address, and its clock.
pub struct Options {
    pub generation: Generation,
    /// Two sandboxes with the same seed and scenario give the same ids, durations and faults.
    pub seed: u64,
    pub scenario: Scenario,
    pub listen: SocketAddr,
    pub clock: Clock,
    /// The lifetime of tokens, in wall time.
    pub token_lifetime: Duration,
}

/// A running sandbox; it ends when dropped.
pub struct Sandbox {
    app: Arc<App>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// A changing request that reached the migration service.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    pub method: String,
    /// Without the project.
    pub path: String,
    pub status: u16,
    /// The body; null if there was none.
    pub body: Value,
}

struct App {
    clock: Clock,
    generation: Generation,
    seed: u64,
    region: String,
    cloud: Arc<Mutex<Cloud>>,
    keystone: Mutex<Keystone>,
    /// Locked while the cloud is, so that its lines are in the order of the changes.
    ledger: Mutex<Option<Ledger>>,
    faults: Mutex<Vec<Fault>>,
    /// The trouble for a coming changing request, and the number of those before it.
    at_change: Mutex<Option<(usize, Trouble)>>,
    /// Delayed requests, with their times of arrival.
    late: Mutex<Vec<(Timestamp, Incoming)>>,
    accepted: Mutex<Vec<Accepted>>,
    requests: AtomicU64,
    changing: AtomicUsize,
    peak: AtomicUsize,
    held: watch::Sender<bool>,
    /// True if other machines can reach it: then the truth, too, is only for those who log in.
    open: bool,
}

/// Starts a sandbox on the current runtime.
///
/// # Errors
/// Those of binding the socket.
pub async fn serve(options: Options) -> io::Result<Sandbox> {
    begin(options, None).await
}

/// Starts a sandbox that keeps its changes in a ledger, and repeats those that the ledger already holds: a sandbox that
/// is served again with the same options continues as if it had never ended. Tokens are gone, and secrets are masks.
///
/// # Errors
/// Those of [`serve`] and of the file; `InvalidInput` for the ledger of another sandbox and for a clock before its last
/// change ([`Ledger::stopped`]); `InvalidData` for a change with another result than before.
pub async fn serve_kept(options: Options, ledger: Ledger) -> io::Result<Sandbox> {
    begin(options, Some(ledger)).await
}

async fn begin(options: Options, mut ledger: Option<Ledger>) -> io::Result<Sandbox> {
    let Options { generation, seed, scenario, listen, clock, token_lifetime } = options;
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let mut keystone = Keystone::new(seed, &scenario, token_lifetime);
    keystone.base = format!("http://{address}");
    let began = match &mut ledger {
        Some(ledger) => ledger.begin(generation, seed, &keystone.base, clock.now())?,
        None => clock.now(),
    };
    let mut cloud = Cloud::new(seed, generation, &scenario, began);
    cloud.register_worker(&scenario.worker, began);
    if let Some(project) = keystone.projects.first() {
        let owner = Caller { project: project.id.clone(), user: keystone.user.id.clone(), delegates: true };
        cloud.furnish(&scenario.endpoints, &owner, began);
    }
    let mut accepted = Vec::new();
    if let Some(ledger) = &ledger {
        rebuild(ledger, &mut cloud, &mut keystone, |incoming, status| accepted.extend(noted(incoming, status)))?;
    }
    let cloud = Arc::new(Mutex::new(cloud));
    let world = cloud.clone();
    // The clock calls this with its own lock held: holding the cloud, only its time may be asked.
    clock.set_world(move |after| world.lock().next_change(after));
    let app = Arc::new(App {
        clock,
        generation,
        seed,
        region: scenario.region,
        cloud,
        keystone: Mutex::new(keystone),
        ledger: Mutex::new(ledger),
        faults: Mutex::default(),
        at_change: Mutex::default(),
        late: Mutex::default(),
        accepted: Mutex::new(accepted),
        requests: AtomicU64::default(),
        changing: AtomicUsize::default(),
        peak: AtomicUsize::default(),
        held: watch::Sender::new(false),
        open: !address.ip().is_loopback(),
    });
    let stream = format!("{}/ws", LOGS_PREFIX);
    let router = Router::new()
        .route(&stream, get(stream_logs))
        .fallback(handle)
        .layer(DefaultBodyLimit::max(64 << 20))
        .with_state(app.clone());
    let port = Port { listener, stray: generation == Generation::Legacy };
    let service = router.into_make_service_with_connect_info::<Cut>();
    let server = tokio::spawn(async move {
        // Serving ends only with the task.
        let _ = axum::serve(port, service).await;
    });
    Ok(Sandbox { app, address, server })
}

impl Sandbox {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name of a second user in the same projects, with the password of the first.
    pub fn colleague(&self) -> &'static str {
        COLLEAGUE
    }

    /// The environment that a client needs to reach this cloud.
    pub fn environment(&self) -> Vec<(String, String)> {
        let keystone = self.app.keystone.lock();
        let project = keystone.projects.first().map_or("", |project| &project.name);
        let (version, path) = if keystone.only_v2 { ("2", "v2.0") } else { ("3", "v3") };
        let auth_url = format!("http://{}/{path}", self.address);
        [
            ("OS_AUTH_URL", auth_url.as_str()),
            ("OS_IDENTITY_API_VERSION", version),
            ("OS_USERNAME", &keystone.user.name),
            ("OS_PASSWORD", &keystone.user.password),
            ("OS_PROJECT_NAME", project),
            ("OS_USER_DOMAIN_NAME", "Default"),
            ("OS_PROJECT_DOMAIN_NAME", "Default"),
            ("OS_REGION_NAME", &self.app.region),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The id and the secret of an application credential of the first project.
    pub fn application_credential(&self) -> (String, String) {
        let keystone = self.app.keystone.lock();
        (keystone.credential.id.clone(), keystone.credential.secret.clone())
    }

    /// The id of the first project.
    pub fn project(&self) -> String {
        self.app.keystone.lock().projects.first().map_or_else(String::new, |project| project.id.clone())
    }

    /// The truth by now.
    pub fn truth(&self) -> Truth {
        let mut cloud = self.app.cloud.lock();
        let now = self.app.clock.now();
        cloud.catch_up(now);
        cloud.truth(now)
    }

    /// All changing requests that were carried out or refused, in order.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.app.accepted.lock().clone()
    }

    /// The highest number of changing requests in flight at a time.
    pub fn peak_changes_in_flight(&self) -> usize {
        self.app.peak.load(Ordering::Acquire)
    }

    /// The number of changing requests in flight now.
    pub fn changes_in_flight(&self) -> usize {
        self.app.changing.load(Ordering::Acquire)
    }

    /// While held, changing requests are accepted but not carried out.
    pub fn hold_changes(&self, held: bool) {
        self.app.held.send_replace(held);
    }

    /// Injects a fault into coming requests.
    pub fn inject(&self, fault: Fault) {
        self.app.faults.lock().push(fault);
    }

    /// From now on nothing goes wrong any more.
    pub fn heal(&self) {
        self.app.faults.lock().clear();
    }

    /// Injects a fault into one changing request, after this many others from now on.
    pub fn inject_at_change(&self, others: usize, what: Trouble) {
        *self.app.at_change.lock() = Some((others, what));
    }

    /// Revokes all tokens given so far.
    pub fn revoke_tokens(&self) {
        self.app.keystone.lock().revoke_all();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
        // Connections may outlive the listener: requests on them are not carried out.
        if let Some(ledger) = self.app.ledger.lock().as_mut() {
            ledger.close();
        }
    }
}

async fn handle(
    State(app): State<Arc<App>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let _busy = app.clock.busy();
    let mut incoming = incoming(&method, &uri, &headers, body);
    let changes = incoming.changes();
    let _in_flight = changes.then(|| InFlight::enter(&app));
    if changes {
        let mut held = app.held.subscribe();
        // The sender lives as long as the app.
        let _ = held.wait_for(|held| !held).await;
    }
    app.let_arrive();
    let trouble = take(&mut app.faults.lock(), &incoming.method, &incoming.path);
    let trouble = trouble.or_else(|| if changes { due(&mut app.at_change.lock()) } else { None });
    if trouble.is_some_and(Trouble::drops) {
        cut.now();
    }
    let answer = app.answer(&mut incoming, trouble);
    let answer = app.respond(answer, incoming.path.starts_with("/v1"));
    if let Some(Trouble::Late(seconds)) = trouble {
        let due = app.clock.now() + SignedDuration::from_secs(seconds.into());
        app.late.lock().push((due, incoming));
    }
    answer
}

/// The logging service's websocket: the messages so far, then new ones until the client leaves. On a virtual clock,
/// which jumps, there are no new ones.
async fn stream_logs(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let incoming = incoming(&method, &uri, &headers, Bytes::new());
    let known = {
        let (mut keystone, wall) = (app.keystone.lock(), app.clock.wall());
        incoming.token.as_deref().and_then(|token| keystone.caller(token, wall)).is_some()
    };
    if !known {
        let denied = Answer::unauthorized(&app.keystone.lock().base);
        return app.respond(denied, false);
    }
    upgrade.on_upgrade(async move |mut socket| {
        let mut said = HashSet::new();
        loop {
            for message in app.log_messages(&incoming).into_iter().filter(|message| said.insert(message.clone())) {
                if socket.send(Message::Text(message.into())).await.is_err() {
                    return;
                }
            }
            if !matches!(tokio::time::timeout(app.log_pause(), socket.recv()).await, Ok(Some(Ok(_))) | Err(_)) {
                return;
            }
        }
    })
}

/// The answer with another value in place of its content.
fn without(mut answer: Answer, instead: &Value) -> Answer {
    if let Ok(Value::Object(mut fields)) = serde_json::from_slice(&answer.body) {
        fields.values_mut().for_each(|value| *value = instead.clone());
        answer.body = Value::from(fields).to_string().into_bytes();
    }
    answer
}

impl App {
    /// The messages of the logs by now.
    fn log_messages(&self, incoming: &Incoming) -> Vec<String> {
        let now = self.clock.now();
        let mut cloud = self.cloud.lock();
        cloud.catch_up(now);
        logs::messages(&cloud, incoming, now)
    }

    /// The time for which a stream listens to its client before it checks the logs again.
    fn log_pause(&self) -> Duration {
        if self.clock.is_virtual() { Duration::MAX } else { Duration::from_secs(1) }
    }

    fn answer(&self, incoming: &mut Incoming, trouble: Option<Trouble>) -> Answer {
        if trouble == Some(Trouble::Unauthorized) {
            return Answer::unauthorized(&self.keystone.lock().base);
        }
        let refused = |trouble: Trouble| Answer::refused(&trouble.refusal(), self.generation);
        match trouble {
            Some(Trouble::Gateway) => {
                let body = b"<html><title>502 Bad Gateway</title></html>".to_vec();
                return Answer { status: 502, body, content: "text/html", ..refused(Trouble::Gateway) };
            }
            Some(trouble) if !trouble.acts() => return refused(trouble),
            _ => {}
        }
        let answered = {
            let mut cloud = self.cloud.lock();
            let mut keystone = self.keystone.lock();
            let mut ledger = self.ledger.lock();
            let (now, wall) = (self.clock.now(), self.clock.wall());
            if asks_who(&incoming.path) {
                incoming.caller = incoming.token.as_deref().and_then(|token| keystone.caller(token, wall));
            }
            if self.open && incoming.path.starts_with(TRUTH_PREFIX) && incoming.caller.is_none() {
                return Answer::unauthorized(&keystone.base);
            }
            if let Some(why) = ledger.as_ref().and_then(Ledger::closed)
                && may_change(&incoming.method, &incoming.path)
            {
                return self.unkept(why);
            }
            let answered = answer(Services { cloud: &mut cloud, keystone: &mut keystone, now, wall }, incoming);
            if let Some(ledger) = ledger.as_mut()
                && is_kept(incoming, answered.status)
                && let Err(error) = ledger.append(incoming, now, answered.status)
            {
                return self.unkept(&error.to_string());
            }
            answered
        };
        self.accepted.lock().extend(noted(incoming, answered.status));
        match trouble {
            None => answered,
            Some(trouble) => match trouble.instead() {
                Some(instead) => without(answered, &instead),
                None => refused(trouble),
            },
        }
    }

    /// Carries out delayed requests that are due, before the next request can see a difference.
    fn let_arrive(&self) {
        let now = self.clock.now();
        let due: Vec<Incoming> =
            self.late.lock().extract_if(.., |(due, _)| *due <= now).map(|(_, late)| late).collect();
        for mut incoming in due {
            self.answer(&mut incoming, None);
        }
    }

    /// The answer to a change that cannot be recorded: a success would be forgotten at the next start.
    fn unkept(&self, why: &str) -> Answer {
        Answer::refused(&Refusal::new(500, format!("The sandbox cannot keep changes: {why}")), self.generation)
    }

    fn respond(&self, answer: Answer, migration: bool) -> Response {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let request = format!("req-{}", draw(self.seed, &["request", &number.to_string()]).uuid());
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, answer.body).into_response();
        let mut headers = answer.headers;
        if !answer.content.is_empty() {
            headers.push(("content-type", answer.content.into()));
        }
        if !migration {
            headers.push(("vary", "X-Auth-Token".into()));
        } else if answer.routed {
            headers.push(("x-compute-request-id", request.clone()));
        }
        headers.push(("x-openstack-request-id", request));
        let fields = response.headers_mut();
        fields.remove("content-type");
        for (name, value) in headers {
            if let Ok(value) = value.parse() {
                fields.insert(name, value);
            }
        }
        response
    }
}

/// The trouble for this changing request, once enough others came before.
fn due(at_change: &mut Option<(usize, Trouble)>) -> Option<Trouble> {
    match at_change {
        Some((0, _)) => at_change.take().map(|(_, trouble)| trouble),
        Some((others, _)) => {
            *others -= 1;
            None
        }
        None => None,
    }
}

/// One changing request, counted while it is in flight.
struct InFlight(Arc<App>);

impl InFlight {
    fn enter(app: &Arc<App>) -> Self {
        let changing = app.changing.fetch_add(1, Ordering::AcqRel) + 1;
        app.peak.fetch_max(changing, Ordering::AcqRel);
        Self(app.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.changing.fetch_sub(1, Ordering::AcqRel);
    }
}

fn incoming(method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Incoming {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(String::from);
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(query)| query).unwrap_or_default();
    let content = header("content-type").unwrap_or_default();
    Incoming {
        method: method.as_str().into(),
        path: uri.path().into(),
        query,
        accept: header("accept"),
        json: content.split(';').next().is_some_and(|kind| kind.trim() == "application/json"),
        token: header("x-auth-token"),
        subject: header("x-subject-token"),
        body: body.to_vec(),
        caller: None,
    }
}

/// The request as [`Accepted`], if it is one.
fn noted(incoming: &Incoming, status: u16) -> Option<Accepted> {
    if !incoming.changes() {
        return None;
    }
    let path = incoming.path.splitn(4, '/').last().unwrap_or_default();
    Some(Accepted {
        method: incoming.method.clone(),
        path: format!("/{path}"),
        status,
        body: serde_json::from_slice(&incoming.body).unwrap_or(Value::Null),
    })
}
