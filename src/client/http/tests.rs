//! The promises of sending, against a server that misbehaves on purpose.

mod admission;
mod damaged;
mod departure;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::thread;

use parking_lot::Mutex;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use super::*;
use crate::client::identity::Pending;
use crate::client::{Answer, Repeat, Trail, licensing, logs, secrets};
use crate::clock::{Busy, Speed};
use crate::error::RETRY_AFTER;
use crate::secret::SecretString;

/// A request as the server saw it.
#[derive(Clone, Debug)]
struct Seen {
    /// `GET transfers?limit=1`.
    line: String,
    head: String,
    /// The number of the connection that it came on.
    connection: usize,
}

/// The server's reaction to a request.
enum Act {
    Json(u16, Value),
    Bytes(Vec<u8>),
    HangUp,
}

type Reaction = Pin<Box<dyn Future<Output = Act> + Send>>;
type React = dyn Fn(usize, Seen) -> Reaction + Send + Sync;

/// A server, its client, and the observations of both.
struct World {
    client: Client,
    seen: Arc<Mutex<Vec<Seen>>>,
    events: Arc<Events>,
    keyring: Arc<Keyring>,
    cancel: Cancel,
    clock: Clock,
    began: Timestamp,
    busy: Mutex<Option<Busy>>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl Sink for Events {
    fn emit(&self, event: Event) {
        self.0.lock().push(event);
    }
}

/// Hands out `token-0`, and the next one when the last was rejected.
struct Keyring {
    url: String,
    login: tokio::sync::Mutex<u64>,
    renewals: AtomicUsize,
    delegated: bool,
}

impl Keyring {
    fn key(&self, login: u64) -> Access {
        Access { token: Some(SecretString::from(format!("token-{login}"))), url: self.url.clone(), login, user: None }
    }
}

impl Identity for Keyring {
    fn access(&self) -> Pending<'_, Result<Access>> {
        Box::pin(async { Ok(self.key(*self.login.lock().await)) })
    }

    fn renew<'a>(&'a self, rejected: &'a Access) -> Pending<'a, Result<Access>> {
        Box::pin(async {
            let mut login = self.login.lock().await;
            if *login == rejected.login {
                *login += 1;
                self.renewals.fetch_add(1, Ordering::SeqCst);
            }
            Ok(self.key(*login))
        })
    }

    fn service_url<'a>(&'a self, kind: &'a str) -> Pending<'a, Result<String>> {
        Box::pin(async move { Ok(self.url.replace("/v1/p", &format!("/{kind}/v1"))) })
    }

    fn uses_application_credential(&self) -> bool {
        self.delegated
    }

    fn describe(&self) -> String {
        "a test".into()
    }
}

impl World {
    /// `react` gets the number of earlier requests, and the request.
    fn new(react: impl Fn(usize, Seen) -> Act + Send + Sync + 'static) -> Self {
        Self::waiting(move |before, seen| {
            let act = react(before, seen);
            Box::pin(async move { act })
        })
    }

    fn waiting(react: impl Fn(usize, Seen) -> Reaction + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/v1/p", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        runtime.spawn(serve(listener, seen.clone(), Arc::new(react)));
        Self::at(url, seen, runtime)
    }

    fn at(url: String, seen: Arc<Mutex<Vec<Seen>>>, runtime: Runtime) -> Self {
        let keyring =
            Arc::new(Keyring { url, login: Default::default(), renewals: AtomicUsize::new(0), delegated: true });
        let (clock, cancel, events) = (Clock::new(Speed::Max), Cancel::default(), Arc::new(Events::default()));
        let options = Options { proxies: false, timeout: Duration::from_secs(20), ..Options::default() };
        let handle = runtime.handle().clone();
        let client =
            Client::new(keyring.clone(), clock.clone(), cancel.clone(), events.clone(), handle, options).unwrap();
        let busy = Mutex::new(Some(clock.busy()));
        let began = clock.now();
        Self { client, seen, events, keyring, cancel, clock, began, busy, _runtime: runtime }
    }

    /// A server that answers the first request, and then does as `react` says; `react` gets the seconds since.
    fn known(react: impl Fn(i64, Seen) -> Act + Send + Sync + 'static) -> Self {
        let clock: Arc<OnceLock<(Clock, Timestamp)>> = Arc::default();
        let told = clock.clone();
        let world = Self::new(move |before, seen| match clock.get().filter(|_| before > 0) {
            Some((clock, began)) => react(clock.now().duration_since(*began).as_secs(), seen),
            None => none(),
        });
        world.send(&transfers()).unwrap();
        told.set((world.clock.clone(), world.began)).ok().unwrap();
        world
    }

    fn send(&self, request: &Request) -> Result<Value> {
        self.client.send(&Origin::default(), request)
    }

    fn change(&self, request: &Request) -> Result<Value, Failure> {
        self.client.change(&Origin::default(), request, &mut Unguarded)
    }

    fn lines(&self) -> Vec<String> {
        self.seen.lock().iter().map(|seen| seen.line.clone()).collect()
    }

    /// The seconds that have passed.
    fn age(&self) -> i64 {
        self.clock.now().duration_since(self.began).as_secs()
    }

    /// The outages that were announced: `away 0`, `back 60`.
    fn outages(&self) -> Vec<String> {
        let events = self.events.0.lock();
        let said = |event: &Event| match &event.fact {
            Fact::CloudAway { since, .. } => Some(format!("away {}", event.at.duration_since(*since).as_secs())),
            Fact::CloudBack { after_seconds } => Some(format!("back {after_seconds}")),
            _ => None,
        };
        events.iter().filter_map(said).collect()
    }

    /// The announced pauses before retries, in seconds.
    fn pauses(&self) -> Vec<i64> {
        let events = self.events.0.lock();
        let pause = |event: &Event| match &event.fact {
            Fact::RequestRetried { next, .. } => Some(next.duration_since(event.at).as_secs()),
            _ => None,
        };
        events.iter().filter_map(pause).collect()
    }

    /// Runs `work` on `count` threads at once, each with its own busy token.
    fn threads<T: Send + 'static>(
        &self,
        count: usize,
        work: impl Fn(Client, usize) -> T + Clone + Send + 'static,
    ) -> Vec<T> {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let (client, busy, work) = (self.client.clone(), self.clock.busy(), work.clone());
                thread::Builder::new()
                    .stack_size(256 << 10)
                    .spawn(move || {
                        let _busy = busy;
                        work(client, number)
                    })
                    .unwrap()
            })
            .collect();
        // A thread that joins others is not busy.
        self.busy.lock().take();
        let results = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        *self.busy.lock() = Some(self.clock.busy());
        results
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>, react: Arc<React>) {
    for connection in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(converse(stream, connection, seen.clone(), react.clone()));
    }
}

async fn converse(mut stream: TcpStream, connection: usize, seen: Arc<Mutex<Vec<Seen>>>, react: Arc<React>) {
    while let Some(head) = head(&mut stream).await {
        let words: Vec<&str> = head.split(' ').collect();
        let line = format!("{} {}", words[0], words[1].trim_start_matches("/v1/p/"));
        let closes = head.contains("connection: close");
        let now = Seen { line, head, connection };
        let before = {
            let mut seen = seen.lock();
            seen.push(now.clone());
            seen.len() - 1
        };
        let bytes = match react(before, now).await {
            Act::HangUp => return,
            Act::Bytes(bytes) => bytes,
            Act::Json(status, body) => {
                let (body, id) = (body.to_string(), "X-Openstack-Request-Id: req-7");
                format!("HTTP/1.1 {status} X\r\n{id}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
            }
        };
        if stream.write_all(&bytes).await.is_err() || closes {
            return;
        }
    }
}

/// The head of the next request, its body read as well.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(head)
}

fn transfers() -> Request {
    Request::get("transfers", Answer::List("transfers"))
}

fn transfer(id: &str) -> Value {
    json!({"id": id, "origin_endpoint_id": "O", "destination_endpoint_id": "D", "instances": ["db"], "notes": null,
           "last_execution_status": "UNEXECUTED"})
}

fn execution() -> Act {
    let execution = json!({"id": "E", "action_id": "T", "type": "transfer_execution", "status": "RUNNING", "number": 1,
                           "tasks": [], "created_at": "2026-06-01T20:00:00.000000"});
    Act::Json(200, json!({ "execution": execution }))
}

fn execute() -> Request {
    Request::post("transfers/T/executions", json!({"execution": {}}), Answer::Thing("execution"), Repeat::Find)
}

fn none() -> Act {
    Act::Json(200, json!({"transfers": []}))
}

fn refusal(status: u16, message: &str) -> Act {
    Act::Json(status, json!({"error": {"fault": "badRequest", "code": status, "message": message}}))
}

#[test]
fn a_change_without_an_answer_is_lost_and_was_sent_once() {
    let world = World::new(|_, _| Act::HangUp);
    let Err(Failure::Lost(error, _)) = world.change(&execute()) else { panic!("nobody knows what became of it") };
    assert_eq!(error.kind, Kind::Unreachable);
    assert_eq!(error.details["maybe_applied"], true);
    assert_eq!(world.lines(), ["post transfers/t/executions"]);
    assert_eq!(world.send(&execute()).expect_err("lost again").kind, Kind::Unknown);
}

#[test]
fn a_change_that_the_server_failed_at_may_have_acted() {
    for status in [500, 502, 503, 504] {
        let world = World::new(move |_, _| refusal(status, "NoSuitableWorkerServiceError: no worker"));
        let Err(Failure::Lost(error, _)) = world.change(&execute()) else { panic!("{status} may have acted") };
        let said = format!("POST transfers/T/executions: {status} no worker (request req-7)");
        assert_eq!((error.message.as_str(), error.kind), (said.as_str(), Kind::Api));
        assert_eq!(world.lines().len(), 1);
    }
}

#[test]
fn a_refused_change_is_an_ordinary_error() {
    let world = World::new(|_, _| refusal(400, "Another tasks execution is in progress: ['E']"));
    let Err(Failure::Refused(error)) = world.change(&execute()) else { panic!("a 400 did nothing") };
    assert_eq!(
        error.message,
        "POST transfers/T/executions: 400 Another tasks execution is in progress: ['E'] (request req-7)"
    );
    let details = json!({"method": "POST", "path": "transfers/T/executions", "status": 400, "request_id": "req-7",
        "fault": "badRequest"});
    assert_eq!(Value::Object(error.details), details);
}

#[test]
fn a_deletion_without_an_answer_is_repeated_and_404_means_done() {
    let world = World::new(|before, _| match before {
        0 => none(),
        1 => Act::HangUp,
        _ => refusal(404, "Transfer with ID 'T' not found."),
    });
    world.send(&transfers()).unwrap();
    assert_eq!(world.send(&Request::delete("transfers/T")).unwrap(), Value::Null);
    assert_eq!(world.lines()[1..], ["delete transfers/t", "delete transfers/t"]);
    let error = world.send(&Request::delete("transfers/T")).expect_err("the first answer counts");
    assert_eq!(error.kind, Kind::NotFound);
}

#[test]
fn a_read_is_repeated_with_growing_pauses() {
    let world = World::new(|before, _| match before {
        1 | 4 => Act::HangUp,
        2 => Act::Bytes(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nhm".to_vec()),
        3 => refusal(500, "The server has either erred"),
        _ => none(),
    });
    world.send(&transfers()).unwrap();
    world.send(&transfers()).unwrap();
    // A silence is announced at its first failure.
    assert_eq!((world.lines().len(), world.pauses(), world.age()), (6, vec![1, 4, 8], 15));
}

fn limited(status: u16, wish: &str) -> Act {
    let body = json!({"error": {"message": "slow down"}}).to_string();
    let head = format!("HTTP/1.1 {status} X\r\nRetry-After: {wish}\r\nContent-Length: {}\r\n\r\n", body.len());
    Act::Bytes(format!("{head}{body}").into_bytes())
}

#[test]
fn a_restart_of_a_minute_is_waited_out_by_all_and_said_once() {
    for down in [|| Act::HangUp, || refusal(502, "Bad Gateway"), || limited(503, "1")] {
        let world = World::known(move |age, _| if age < 60 { down() } else { none() });
        let results = world.threads(16, |client, _| client.send(&Origin::default(), &transfers()));
        assert!(results.iter().all(Result::is_ok));
        let said = world.outages();
        assert!(matches!(&said[..], [away, back] if away == "away 3" && back.starts_with("back 6")), "{said:?}");
        assert_eq!(world.pauses().len(), 1, "and the first failure");
    }
}

#[test]
fn patience_ends_for_all_at_once() {
    let world = World::known(|_, _| Act::HangUp);
    let results = world.threads(4, |client, _| client.send(&Origin::default(), &transfers()));
    for error in results.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind, Kind::Unreachable);
        assert!(error.message.ends_with("; it was tried for 10m"), "{error}");
        assert!(error.hint.unwrap_or_default().contains("--patience"));
    }
    assert_eq!(world.age(), 600);
    let seen = world.lines().len();
    world.send(&transfers()).expect_err("whoever comes later tries once");
    assert_eq!((world.age(), world.lines().len()), (600, seen + 1));
    let Err(Failure::Lost(error, _)) = world.change(&Request::delete("transfers/T")) else {
        panic!("it may be deleted")
    };
    assert_eq!(error.kind, Kind::Unreachable);
}

#[test]
fn the_servers_wish_for_a_pause_is_honoured_for_reads_and_for_changes_that_it_refused() {
    let world = World::known(|age, _| match age {
        0..7 => limited(429, "7"),
        7..20 => limited(503, "13"),
        _ => none(),
    });
    world.send(&transfers()).unwrap();
    assert_eq!((world.age(), world.lines().len()), (20, 4));

    let world = World::known(|age, _| match age {
        0..7 => limited(429, "7"),
        _ => Act::Json(204, json!({})),
    });
    world.change(&Request::delete("transfers/T")).unwrap();
    assert_eq!((world.age(), world.lines().len()), (7, 3));

    for status in [429, 503] {
        let world = World::known(move |_, _| limited(status, "7"));
        let Err(Failure::Lost(error, Trail::Ended)) = world.change(&execute()) else { panic!("it may have acted") };
        assert_eq!((world.age(), world.lines().len(), &error.details[RETRY_AFTER]), (0, 2, &json!(7)));
    }
}

#[test]
fn no_place_is_held_during_a_pause() {
    // Every read fails once: with the places held, 64 pausing threads would keep the others from their first try.
    let tried = Mutex::new(BTreeSet::new());
    let world = World::new(move |_, seen| match tried.lock().insert(seen.line) {
        true => Act::HangUp,
        false => none(),
    });
    let _ = world.send(&Request::get("first", Answer::Whole));
    world.send(&Request::get("first", Answer::Whole)).unwrap();
    let results = world.threads(64, |client, number| {
        client.send(&Origin::default(), &Request::get(format!("transfers/{number}"), Answer::Whole))
    });
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(world.age(), 2);
}

#[test]
fn four_changes_are_in_flight_at_most_and_at_best() {
    let (active, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let four = Arc::new(tokio::sync::Barrier::new(4));
    let counted = peak.clone();
    let world = World::waiting(move |_, _| {
        let (active, peak, four) = (active.clone(), counted.clone(), four.clone());
        Box::pin(async move {
            peak.fetch_max(active.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // No answer before four requests are waiting at the same time.
            four.wait().await;
            active.fetch_sub(1, Ordering::SeqCst);
            execution()
        })
    });
    let results = world.threads(64, |client, _| client.change(&Origin::default(), &execute(), &mut Unguarded));
    assert!(results.iter().all(std::result::Result::is_ok));
    assert_eq!(peak.load(Ordering::SeqCst), 4);
}

#[test]
fn a_thousand_threads_share_few_connections() {
    let world = World::new(|_, _| none());
    let results = world.threads(1000, |client, _| client.send(&Origin::default(), &transfers()));
    assert!(results.iter().all(Result::is_ok));
    let connections: BTreeSet<usize> = world.seen.lock().iter().map(|seen| seen.connection).collect();
    assert!(connections.len() <= 16, "{}", connections.len());
}

#[test]
fn a_port_where_nobody_listens_is_unreachable_at_once() {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = World::at(format!("http://{address}/v1/p"), Arc::default(), runtime);
    for request in [transfers(), execute()] {
        let Err(Failure::Kept(error)) = world.change(&request) else { panic!("nothing was sent") };
        assert_eq!(error.kind, Kind::Unreachable);
        assert!(error.message.contains(&format!("cannot connect to `http://{address}`")), "{error}");
    }
    assert_eq!(world.pauses(), Vec::<i64>::new());
}

#[test]
fn sixty_four_threads_share_one_probe_of_the_generation() {
    let world = World::new(|_, seen| match seen.line.as_str() {
        "get replicas/new" => refusal(404, "NotFound_Remote: Replica with ID 'new' not found."),
        _ => Act::Json(404, json!({"message": "The resource could not be found.<br />", "code": "404 Not Found"})),
    });
    let results = world.threads(64, |client, _| client.generation(&Origin::default()));
    assert!(results.into_iter().all(|generation| generation.unwrap() == Generation::Legacy));
    assert_eq!(world.lines(), ["get transfers/new", "get replicas/new"]);
    assert_eq!(world.events.0.lock().len(), 1);
}

#[test]
fn a_server_of_neither_generation_is_unreachable() {
    let world = World::new(|_, _| Act::Bytes(b"HTTP/1.1 404 X\r\nContent-Length: 9\r\n\r\n<b>no</b>".to_vec()));
    let error = world.client.generation(&Origin::default()).expect_err("it is some web server");
    assert_eq!((error.kind, world.lines().len()), (Kind::Unreachable, 6));
    assert!(error.message.contains("is not a Coriolis API"), "{error}");
}

#[test]
fn a_stop_keeps_changes_back_and_ends_pauses() {
    let world = World::new(|before, _| if before == 0 { none() } else { Act::HangUp });
    world.send(&transfers()).unwrap();
    world.cancel.press();
    let Err(Failure::Kept(error)) = world.change(&execute()) else { panic!("it was never sent") };
    assert_eq!((error.kind, world.lines().len()), (Kind::Interrupted, 1));
    assert_eq!(world.send(&transfers()).expect_err("no pause now").kind, Kind::Interrupted);
    let Err(Failure::Kept(error)) = world.change(&Request::delete("transfers/T")) else { panic!("kept back") };
    assert_eq!((error.kind, world.lines().len()), (Kind::Interrupted, 2));
}

#[test]
fn an_application_credential_that_cannot_execute_is_explained() {
    let world = World::new(|_, _| refusal(500, "The server has either erred"));
    let error = world.send(&execute()).expect_err("no trust");
    assert!(error.hint.unwrap_or_default().contains("Keystone trust"));
}

#[test]
fn a_query_is_encoded_and_the_token_is_nowhere_to_be_seen() {
    let world = World::new(|_, _| refusal(400, "no"));
    let error = world.send(&transfers().with("name", "a b&c=é")).expect_err("refused");
    assert_eq!(world.lines(), ["get transfers?name=a+b%26c%3d%c3%a9"]);
    assert!(!format!("{error:?}").contains("token-0"));
}

#[test]
fn a_long_list_is_followed_to_its_end() {
    let world = World::new(|_, seen| {
        let page = |from: usize, to: usize| {
            let entries: Vec<Value> = (from..to).map(|id| transfer(&format!("t{id}"))).collect();
            Act::Json(200, json!({ "transfers": entries }))
        };
        match seen.line.as_str() {
            "get transfers?limit=1000" => page(0, 1000),
            "get transfers?marker=t999&limit=1000" => page(1000, 1003),
            _ => refusal(400, "not what was agreed"),
        }
    });
    let found = world.client.list(&Origin::default(), &transfers()).unwrap();
    assert_eq!((found.len(), &found[1002]["id"]), (1003, &json!("t1002")));
}

#[test]
fn other_services_are_spoken_to_at_their_own_urls_and_in_their_own_ways() {
    let world = World::new(|_, seen| match seen.line.ends_with("/payload") {
        true => Act::Bytes(b"HTTP/1.1 200 X\r\nContent-Length: 6\r\n\r\ns3cret".to_vec()),
        false => Act::Json(200, json!({"licence": {"id": "L"}})),
    });
    assert_eq!(world.send(&secrets::payload("http://elsewhere/v1/secrets/S")).unwrap(), "s3cret");
    assert_eq!(world.send(&licensing::register("A", "PEM")).unwrap(), json!({"id": "L"}));
    let seen = world.seen.lock().clone();
    assert_eq!(
        seen.iter().map(|seen| seen.line.as_str()).collect::<Vec<_>>(),
        ["get /key-manager/v1/secrets/s/payload", "post /coriolis-licensing/v1/appliances/a/licences"]
    );
    assert!(seen[0].head.contains("accept: text/plain\r\n") && seen[0].head.contains("x-auth-token: token-0"));
    assert!(!seen[1].head.contains("x-auth-token") && seen[1].head.contains("content-length: 3\r\n"));
}

#[test]
fn barbicans_refusal_is_told_in_its_own_words() {
    let world = World::new(|_, _| {
        Act::Json(404, json!({"code": 404, "title": "Not Found", "description": "Secret not found."}))
    });
    let error = world.send(&secrets::show("S")).expect_err("there is none");
    assert_eq!(error.kind, Kind::NotFound);
    assert_eq!(error.message, "GET v1/secrets/S: 404 Secret not found. (request req-7)");
}

#[test]
fn a_stream_of_logs_ends_when_there_are_enough_messages() {
    let world = World::new(|_, seen| {
        assert!(seen.head.contains("upgrade: websocket"), "{}", seen.head);
        let mut bytes = b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec();
        for message in [r#"{"message":"a"}"#, "no JSON", r#"{"message":"b"}"#, r#"{"message":"c"}"#] {
            bytes.extend([0x81, u8::try_from(message.len()).unwrap()]);
            bytes.extend(message.as_bytes());
        }
        Act::Bytes(bytes)
    });
    let request = logs::stream(Some("worker"), None);
    let said = world.client.listen(&request, 2, Duration::from_secs(10)).unwrap();
    assert_eq!(said, [json!({"message": "a"}), json!({"message": "b"})]);
    assert_eq!(world.lines(), ["get /coriolis-logger/v1/ws?app_name=worker"]);
}
