//! The HTTP client that trusts whom the settings say, and what it means when a server cannot be reached.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::{Certificate, ClientBuilder, redirect};

use crate::error::{Error, Kind, Result};
use crate::settings::Trust;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A builder with the settings' trust and no redirects: a redirected POST becomes a GET without its body.
///
/// # Errors
/// `Input` when the file of authorities cannot be read or holds none.
pub fn builder(trust: &Trust) -> Result<ClientBuilder> {
    let mut builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(redirect::Policy::none());
    if let Some(cacert) = &trust.cacert {
        let bad = |cause: String| {
            Error::input(format!("cannot use `{}` as authorities: {cause}", cacert.value.display()))
                .hint(format!("the file comes from {}", cacert.origin))
        };
        let text = std::fs::read(&cacert.value).map_err(|error| bad(error.to_string()))?;
        let certificates = Certificate::from_pem_bundle(&text).map_err(|error| bad(error.to_string()))?;
        if certificates.is_empty() {
            return Err(bad("it holds no certificate".to_owned()));
        }
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    if trust.insecure {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    Ok(builder)
}

/// Says why `url` (of `what`, which the settings got from `origin`) cannot be reached, and what to do about it.
pub fn unreachable(what: &str, url: &str, origin: &str, error: &reqwest::Error) -> Error {
    let cause = Cause::of(error);
    let message = format!("cannot reach {what} at `{url}`: {}", cause.message());
    Error::new(Kind::Unreachable, message).hint(cause.hint(origin)).detail("url", url)
}

/// Why there was no answer.
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

    fn hint(&self, origin: &str) -> String {
        match self {
            Cause::Certificate(_) => {
                "name the authority's PEM file by `OS_CACERT` (or `--os-cacert`), or believe any with `--insecure`"
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
