//! The connections to Keystone: the authorities they trust, and the meaning of their failures.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client, Url, redirect};

use super::super::trust;
use crate::error::{BROKEN, Error, Kind, Result};
use crate::settings::{Origin, Sourced, Trust};

/// The limit for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The limit for one answer of Keystone.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Connections without redirects: a redirected POST becomes a GET without its body. This machine itself is never
/// reached through a proxy.
///
/// # Errors
/// `Input` when the file of authorities cannot be read or holds none.
pub(super) fn connections(trust: &Trust, auth_url: &str) -> Result<Client> {
    let certificates = trust.cacert.as_ref().map_or_else(|| Ok(Vec::new()), authorities)?;
    let configure = || {
        let builder = Client::builder()
            .user_agent(concat!("coriolis-run/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .tls_danger_accept_invalid_certs(trust.insecure);
        if is_this_machine(auth_url) { builder.no_proxy() } else { builder }
    };
    trust::build(configure, &certificates)
        .map_err(|error| Error::internal("cannot set up connections").caused_by(error))
}

fn authorities(cacert: &Sourced<PathBuf>) -> Result<Vec<Certificate>> {
    let bad = |cause: String| {
        Error::input(format!("cannot use `{}` as authorities: {cause}", cacert.value.display()))
            .hint(format!("the file comes from {}", cacert.origin))
    };
    let text = std::fs::read(&cacert.value).map_err(|error| bad(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&text).map_err(|error| bad(error.to_string()))?;
    if certificates.is_empty() { Err(bad("it holds no certificate".to_owned())) } else { Ok(certificates) }
}

fn is_this_machine(url: &str) -> bool {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The error for Keystone's unreachable `url`, which the settings took from `origin`, with a hint on what to do about
/// it.
pub(super) fn unreachable(url: &str, origin: &Origin, error: &reqwest::Error) -> Error {
    let cause = Cause::of(error);
    let message = format!("cannot reach Keystone at `{url}`: {}", cause.message());
    let told = Error::new(Kind::Unreachable, message).hint(cause.hint(origin)).detail("url", url);
    // Something accepted the connection: the address is right, and the next try may get an answer.
    if matches!(cause, Cause::Other(_)) && !error.is_connect() { told.detail(BROKEN, true) } else { told }
}

/// The cause of a missing answer.
#[derive(Debug, PartialEq, Eq)]
enum Cause {
    Refused,
    Timeout,
    Name(String),
    Certificate(String),
    Other(String),
}

impl Cause {
    fn of(error: &reqwest::Error) -> Self {
        let mut causes = Vec::new();
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = next {
            causes.push(cause);
            next = cause.source();
        }
        let refused = |cause: &&(dyn StdError + 'static)| {
            cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
        };
        let deepest = causes.last().map(ToString::to_string).unwrap_or_default();
        let says = |word: &str| causes.iter().any(|cause| cause.to_string().contains(word));
        if error.is_timeout() {
            Cause::Timeout
        } else if causes.iter().any(refused) {
            Cause::Refused
        } else if says("dns error") {
            Cause::Name(deepest)
        } else if says("certificate") {
            Cause::Certificate(deepest)
        } else {
            Cause::Other(deepest)
        }
    }

    fn message(&self) -> String {
        match self {
            Cause::Refused => "connection refused".to_owned(),
            Cause::Timeout => "no answer in time".to_owned(),
            Cause::Name(cause) => format!("its name cannot be resolved ({cause})"),
            Cause::Certificate(cause) => format!("its certificate is not trusted ({cause})"),
            Cause::Other(cause) => cause.clone(),
        }
    }

    fn hint(&self, origin: &Origin) -> String {
        match self {
            Cause::Certificate(cause) if cause.contains("CaUsedAsEndEntity") => {
                "the server shows the certificate of an authority as its own: give it one of its own, or use \
                 `--insecure`"
                    .to_owned()
            }
            Cause::Certificate(_) => {
                "name the authority's PEM file by `OS_CACERT` (or `--os-cacert`), or trust any with `--insecure`"
                    .to_owned()
            }
            Cause::Refused | Cause::Timeout => {
                format!("check that it runs, the port, and firewalls; the URL comes from {origin}")
            }
            Cause::Name(_) => format!("check the name; the URL comes from {origin}"),
            Cause::Other(_) => format!("check the URL, which comes from {origin}"),
        }
    }
}
