//! One try of one request on the runtime: a place among those in flight, an access, the exchange of bytes.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONNECTION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client as Http, Url, redirect, retry};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{self, Message};

use super::answer::{self, Fault, Reach, Reply};
use super::http::Options;
use super::identity::{Access, Identity};
use super::request::{Answer, Method, Request, Service};
use super::shape;
use super::trust;
use crate::cancel::{Cancel, Wish};
use crate::clock::Clock;
use crate::error::{ACCEPTED_BEFORE, Error, Kind, Result};
use crate::secret::{ExposeSecret, carried};

/// The limit for opening a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Kept connections that the server may have closed cost a lost reply; it closes them after a minute or more.
const IDLE: Duration = Duration::from_secs(20);

/// No honest answer is longer: a list of 5,000 transfers is 7 MB.
const LONGEST_ANSWER: usize = 256 << 20;

/// The headers that ask for a websocket. The key only keeps caches from answering.
const UPGRADE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "Y29yaW9saXMtcnVuLWxvZw=="),
];

/// The interval at which a listener checks for a wish to stop.
const GLANCE: Duration = Duration::from_millis(250);

pub(super) struct Wire {
    http: Http,
    /// Past any proxy, for this machine.
    direct: Http,
    /// As these, each request on a connection of its own.
    fresh: Http,
    fresh_direct: Http,
    identity: Arc<dyn Identity>,
    clock: Clock,
    in_flight: Arc<Semaphore>,
    changes: Arc<Semaphore>,
}

/// The place of a change among those in flight.
pub(super) struct Turn(#[allow(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

/// A request with everything that it needs: next, it leaves.
pub(super) struct Ready {
    message: reqwest::Request,
    access: Access,
    base: String,
    _place: OwnedSemaphorePermit,
}

impl Ready {
    /// The id of the user whose token it carries.
    pub(super) fn user(&self) -> Option<&str> {
        self.access.user.as_deref()
    }
}

impl Wire {
    pub(super) fn new(identity: Arc<dyn Identity>, clock: Clock, options: &Options) -> Result<Self> {
        let pair = |kept: usize| -> Result<(Http, Http)> {
            let direct = connections(options, false, kept)?;
            let http = if options.proxies { connections(options, true, kept)? } else { direct.clone() };
            Ok((http, direct))
        };
        let ((http, direct), (fresh, fresh_direct)) = (pair(options.in_flight.max(1))?, pair(0)?);
        let in_flight = Arc::new(Semaphore::new(options.in_flight.max(1)));
        let changes = Arc::new(Semaphore::new(options.changes_in_flight.max(1)));
        Ok(Self { http, direct, fresh, fresh_direct, identity, clock, in_flight, changes })
    }

    pub(super) fn identity(&self) -> &dyn Identity {
        &*self.identity
    }

    pub(super) async fn access(&self) -> Result<Access> {
        self.identity.access().await
    }

    /// Reads once, and once more after a new login if the server rejects the token.
    pub(super) async fn read(&self, request: &Request, cancel: &Cancel) -> Result<Value, Fault> {
        let ready = self.ready(request, cancel).await?;
        let (access, reply) = self.exchange(request, ready, cancel).await?;
        if reply.status != 401 {
            return answer::read(request, &reply);
        }
        self.renew(&access).await?;
        let ready = self.ready(request, cancel).await?;
        let (_, reply) = self.exchange(request, ready, cancel).await?;
        answer::read(request, &reply)
    }

    /// Waits until a change may be in flight beside the others; fails for a caller that wants to stop.
    pub(super) async fn turn(&self, request: &Request, cancel: &Cancel) -> Result<Turn, Fault> {
        let permit = unless_stopped(request, cancel, self.changes.clone().acquire_owned()).await?;
        Ok(Turn(permit.expect("nobody closes it")))
    }

    /// Gets a place in flight, an access and the message ready: nothing has left yet.
    pub(super) async fn ready(&self, request: &Request, cancel: &Cancel) -> Result<Ready, Fault> {
        let preparing = async {
            let place = self.in_flight.clone().acquire_owned().await.expect("nobody closes it");
            let access = self.identity.access().await.map_err(not_logged_in)?;
            let base = self.base(request, &access).await?;
            let message = self.message(request, &access, &base)?;
            Ok(Ready { message, access, base, _place: place })
        };
        unless_stopped(request, cancel, preparing).await?
    }

    /// Sends a ready request; a read ends at once when the operator wants to leave.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        ready: Ready,
        cancel: &Cancel,
    ) -> Result<(Access, Reply), Fault> {
        let transfer = self.transfer(request, ready);
        if request.changes() { transfer.await } else { unless_stopped(request, cancel, transfer).await? }
    }

    /// Logs in again if the server rejects the token, which it does before any work.
    pub(super) async fn renew(&self, rejected: &Access) -> Result<(), Fault> {
        self.identity.renew(rejected).await.map(drop).map_err(not_logged_in)
    }

    /// Opens a websocket and collects its messages until there are enough, time is up, there is a wish to stop, or the
    /// server has no more.
    pub(super) async fn listen(
        &self,
        request: &Request,
        limit: usize,
        time: Duration,
        cancel: &Cancel,
    ) -> Result<Vec<Value>, Fault> {
        let access = self.identity.access().await.map_err(not_logged_in)?;
        let base = self.base(request, &access).await?;
        let failed = |error: reqwest::Error| broken(request, &base, &error);
        let mut message = self.message(request, &access, &base)?;
        for (name, value) in UPGRADE {
            message.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let response = self.way(request, message.url()).execute(message).await.map_err(failed)?;
        let status = response.status().as_u16();
        if status != 101 {
            let (request_id, retry_after) = (request_id(response.headers()), self.retry_after(response.headers()));
            let body = response.bytes().await.map_err(failed)?.to_vec();
            return answer::read(request, &Reply { status, request_id, retry_after, body }).map(|_| Vec::new());
        }
        let connection = response.upgrade().await.map_err(failed)?;
        let mut socket = WebSocketStream::from_raw_socket(connection, Role::Client, None).await;
        let mut said = Vec::new();
        let listening = async {
            while said.len() < limit && cancel.wish() == Wish::Continue {
                match tokio::time::timeout(GLANCE, socket.next()).await {
                    Ok(Some(Ok(message @ (Message::Text(_) | Message::Binary(_))))) => {
                        said.extend(serde_json::from_slice::<Value>(&message.into_data()).ok());
                    }
                    Err(_) | Ok(Some(Ok(_))) => {}
                    Ok(None)
                    | Ok(Some(Err(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)))) => {
                        return Ok(());
                    }
                    Ok(Some(Err(cause))) => return Err(cause),
                }
            }
            Ok(())
        };
        match tokio::time::timeout(time, listening).await {
            Ok(Err(cause)) if said.is_empty() => {
                let message = format!("no websocket at `{}`: {cause}", server(&base));
                Err(Fault { error: answer::of_request(request, Kind::Unreachable, &message), reach: Reach::NoAnswer })
            }
            _ => Ok(said),
        }
    }

    async fn base(&self, request: &Request, access: &Access) -> Result<String, Fault> {
        match request.service.catalog_type() {
            None => Ok(access.url.clone()),
            Some(kind) => self.identity.service_url(kind).await.map_err(not_logged_in),
        }
    }

    async fn transfer(&self, request: &Request, ready: Ready) -> Result<(Access, Reply), Fault> {
        let Ready { message, access, base, _place } = ready;
        let failed = |error: reqwest::Error| broken(request, &base, &error);
        let mut response = self.way(request, message.url()).execute(message).await.map_err(failed)?;
        let status = response.status().as_u16();
        let (request_id, retry_after) = (request_id(response.headers()), self.retry_after(response.headers()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                let message = format!("{status} an answer longer than {} MB", LONGEST_ANSWER >> 20);
                let error = answer::of_request(request, Kind::Unreachable, &message);
                return Err(Fault { error, reach: Reach::Answered { status, spoken: false } });
            }
            body.extend_from_slice(&chunk);
        }
        Ok((access, Reply { status, request_id, retry_after, body }))
    }

    /// The connections for a request. On a kept one there may be an answer left that belongs to the request before: one
    /// that came twice. Changes do without them, and reads of which nothing in the answer tells that it is theirs.
    fn way(&self, request: &Request, url: &Url) -> &Http {
        let is_fresh = request.changes() || !shape::tells(request.answer);
        match (is_this_machine(url), is_fresh) {
            (true, true) => &self.fresh_direct,
            (true, false) => &self.direct,
            (false, true) => &self.fresh,
            (false, false) => &self.http,
        }
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<i64> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        answer::retry_after(text("retry-after")?, text("date"), self.clock.wall())
    }

    fn message(&self, request: &Request, access: &Access, base: &str) -> Result<reqwest::Request, Fault> {
        let kept = |message: String| Fault { error: Error::new(Kind::Input, message), reach: Reach::Kept };
        let mut url = Url::parse(&format!("{}/{}", base_of(request.service, base), request.path))
            .map_err(|error| kept(format!("`{base}` is not a URL: {error}")))?;
        if !request.query.is_empty() {
            let pairs = request.query.iter().map(|(name, value)| (name, carried::revealed(value)));
            url.query_pairs_mut().extend_pairs(pairs);
        }
        let mut message = self.http.request(method(request.method), url);
        if let Some(token) = access.token.as_ref().filter(|_| request.service != Service::Licensing) {
            let mut value = HeaderValue::from_str(token.expose_secret())
                .map_err(|_| kept("the token has characters that are not allowed in a header".into()))?;
            value.set_sensitive(true);
            message = message.header(HeaderName::from_static("x-auth-token"), value);
        }
        if request.answer == Answer::Empty {
            message = message.header(CONNECTION, "close");
        }
        if request.answer == Answer::Text {
            // Barbican gives a payload only for exactly its type.
            let accept = if request.service == Service::Secrets { "text/plain" } else { "*/*" };
            message = message.header(ACCEPT, accept);
        }
        message = match &request.body {
            Some(Value::String(text)) => message.body(carried::revealed(text).into_owned()),
            Some(body) => {
                // The only place where the secrets of a text are filled in.
                let mut body = body.clone();
                carried::reveal(&mut body);
                message.json(&body)
            }
            None => message,
        };
        message.build().map_err(|error| kept(format!("cannot build a request: {}", root(&error))))
    }
}

/// Waits for the preparations of a request, or for a read, unless the operator wants to stop: then no change starts.
/// Reads go on until the second request to stop, since reads show what is still running.
async fn unless_stopped<T>(request: &Request, cancel: &Cancel, work: impl Future<Output = T>) -> Result<T, Fault> {
    let mut work = pin!(work);
    loop {
        let stop = match cancel.wish() {
            Wish::Continue => false,
            Wish::Pause => request.changes(),
            Wish::Leave => true,
        };
        if stop {
            return Err(stopped());
        }
        if let Ok(done) = tokio::time::timeout(GLANCE, &mut work).await {
            return Ok(done);
        }
    }
}

pub(super) fn stopped() -> Fault {
    Fault { error: Error::interrupted(), reach: Reach::Kept }
}

/// Connections, of which at most `kept` idle ones are kept.
fn connections(options: &Options, proxies: bool, kept: usize) -> Result<Http> {
    let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let configure = || {
        let builder = Http::builder()
            .default_headers(accept.clone())
            .user_agent(concat!("coriolis-run/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .pool_max_idle_per_host(kept)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .connect_timeout(CONNECT)
            .timeout(options.timeout)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .tls_danger_accept_invalid_certs(options.insecure);
        if proxies { builder } else { builder.no_proxy() }
    };
    let mut certificates = Vec::new();
    if let Some(path) = &options.ca_certificate {
        let unusable = |cause: String| Error::input(format!("cannot use `{}`: {cause}", path.display()));
        let text = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        certificates = Certificate::from_pem_bundle(&text).map_err(|error| unusable(root(&error)))?;
        if certificates.is_empty() {
            return Err(unusable("it holds no certificate".into()));
        }
    }
    trust::build(configure, &certificates)
        .map_err(|error| Error::internal(format!("cannot set up connections: {}", root(&error))))
}

/// Barbican's URL stands in catalogs with and without its version.
fn base_of(service: Service, url: &str) -> &str {
    let url = url.trim_end_matches('/');
    if service == Service::Secrets { url.trim_end_matches("/v1") } else { url }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-openstack-request-id", "x-compute-request-id"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .map(str::to_owned)
}

fn not_logged_in(error: Error) -> Fault {
    let reach = match error.kind {
        Kind::Unreachable => Reach::NotSent,
        Kind::Login if error.details.contains_key(ACCEPTED_BEFORE) => Reach::Unadmitted,
        _ => Reach::Kept,
    };
    Fault { error, reach }
}

/// The error of a connection that failed.
fn broken(request: &Request, url: &str, error: &reqwest::Error) -> Fault {
    let (reach, what) = if error.is_connect() {
        (Reach::NotSent, "cannot connect to")
    } else if error.is_builder() {
        (Reach::Kept, "cannot ask")
    } else if error.is_timeout() {
        (Reach::TimedOut, "no answer in time from")
    } else {
        (Reach::NoAnswer, "no answer from")
    };
    let cause = root(error);
    let server = server(url);
    let message = match reach {
        Reach::TimedOut => format!("{what} `{server}`"),
        _ => format!("{what} `{server}`: {cause}"),
    };
    let error = answer::of_request(request, Kind::Unreachable, &message).detail("url", server);
    let error = match distrust(&cause) {
        Some(hint) => error.hint(hint),
        None => error,
    };
    Fault { error, reach }
}

/// The advice about a certificate that is not trusted.
fn distrust(cause: &str) -> Option<&'static str> {
    if cause.contains("CaUsedAsEndEntity") {
        Some("the server shows the certificate of an authority as its own: give it one of its own, or use `--insecure`")
    } else if cause.contains("certificate") {
        Some("give the certificate of its authority with `OS_CACERT`, or `--insecure` to trust anyone")
    } else {
        None
    }
}

/// Scheme, host and port: the rest of a URL may hold more than should be shown.
fn server(url: &str) -> String {
    Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_else(|_| url.to_owned())
}

/// The innermost cause: the outer ones only say that something failed.
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
