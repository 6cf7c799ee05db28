//! Keystone, v3 or v2.0: one login for all lanes, another when its token is no longer accepted, and Coriolis' URL from
//! the catalog.
//!
//! Uses `reqwest` and not `openstack_sdk` 0.22.8, which was tried against Keystone 30.0: without its optional features
//! it refuses application credentials (and by name it sends the user's domain where Keystone does not read it), it
//! hides why a server cannot be reached ("service is not working" for a refused connection, an unknown name and an
//! unknown certificate alike), it exchanges a bare token for another one, which Keystone refuses for the token of an
//! application credential and which loses the project where none is named, and it reads `OS_*` from the process itself.

mod body;
mod catalog;
mod discovery;
mod reach;
mod refusal;
#[cfg(test)]
mod tests;
mod version2;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;

use self::body::{Token, Wanted};
use self::catalog::Entry;
use self::discovery::{Api, Start};
use self::refusal::Refusal;
use super::identity::{Access, Identity, Pending};
use crate::clock::Clock;
use crate::error::{ACCEPTED_BEFORE, BROKEN, Error, Kind, Result};
use crate::secret::Known;
use crate::settings::{Cloud, Credential, IdentityVersion, Login, Named, Service, Sourced};

/// The part of a token's life before its end in which a new login is due, within limits: Keystone cuts times to whole
/// seconds.
const MARGIN: i32 = 20;
const SHORTEST_MARGIN: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_MARGIN: SignedDuration = SignedDuration::from_mins(1);

/// An identity that Keystone vouches for.
pub struct Keystone {
    auth_url: Sourced<String>,
    version: IdentityVersion,
    credential: Credential,
    project: Option<Named>,
    endpoint: Option<Sourced<String>>,
    service: Service,
    clock: Clock,
    /// Learns each token.
    known: Known,
    http: Client,
    /// The number of logins that have ended, successful or not: a caller that waited for one takes its result.
    attempts: AtomicU64,
    /// Set if the token comes from an application credential, possibly by way of a bare token.
    delegated: AtomicBool,
    session: Mutex<Session>,
}

/// The number of refused logins in a row after which none is tried for a while: more may lock the account.
const REFUSALS: u32 = 3;
const WHILE: SignedDuration = SignedDuration::from_mins(1);

/// The state left by the logins so far.
#[derive(Default)]
struct Session {
    login: u64,
    present: Option<Present>,
    /// The error of the latest login, if it failed.
    failure: Option<Error>,
    /// The number of refusals in a row, and the time of the last one.
    refusals: u32,
    refused: Option<Instant>,
    /// Known after a successful login.
    api: Option<Api>,
}

struct Present {
    access: Access,
    catalog: Vec<Entry>,
    /// True if nothing of the catalog was damaged.
    is_whole: bool,
    /// The time of the next login; `None` for a bare token and one that does not say its end: the server decides. After
    /// the machine has slept it may be too late; then the server rejects the token.
    until: Option<Instant>,
}

impl Session {
    /// The error of the last login, if further ones have to wait.
    fn lasting_refusal(&self, now: Instant) -> Option<Error> {
        let is_fresh = self.refused.is_some_and(|refused| now.duration_since(refused) < WHILE.unsigned_abs());
        self.failure.clone().filter(|_| is_fresh && self.refusals >= REFUSALS)
    }

    /// Counts refusals. One after a success may be a passing mistake: something between us and Keystone has its bad
    /// night as well.
    fn judged(&mut self, outcome: Result<Present>, now: Instant) -> Result<Present> {
        match outcome {
            Err(error) if error.kind == Kind::Login && error.status() == Some(401) && self.login > 0 => {
                (self.refusals, self.refused) = (self.refusals + 1, Some(now));
                Err(error.detail(ACCEPTED_BEFORE, true))
            }
            Err(error) => Err(error),
            Ok(present) => {
                (self.refusals, self.refused) = (0, None);
                Ok(present)
            }
        }
    }
}

/// Access without any login: `--no-auth`.
struct Fixed(Access);

impl Keystone {
    /// The identity that `cloud` describes; for `--no-auth` one without a login. Sends nothing yet.
    ///
    /// # Errors
    /// `Input` when a URL is malformed, the file of authorities cannot be used, or `--no-auth` lacks the project.
    #[allow(clippy::new_ret_no_self, reason = "which identity it is depends on the settings")]
    pub fn new(cloud: &Cloud, clock: Clock, known: &Known) -> Result<Arc<dyn Identity>> {
        match (&cloud.login, &cloud.endpoint) {
            (Login::Keystone { auth_url, version, credential, project }, endpoint) => {
                if let Some(endpoint) = endpoint {
                    catalog::with_project(endpoint, Some("project"))?;
                }
                Ok(Arc::new(Self {
                    auth_url: auth_url.clone(),
                    version: *version,
                    credential: credential.clone(),
                    project: project.clone(),
                    endpoint: endpoint.clone(),
                    service: cloud.service.clone(),
                    clock,
                    known: known.clone(),
                    http: reach::connections(&cloud.trust, &auth_url.value)?,
                    attempts: AtomicU64::new(0),
                    delegated: AtomicBool::new(false),
                    session: Mutex::default(),
                }))
            }
            (Login::None { project }, Some(endpoint)) => {
                let project = project.as_ref().map(|project| project.value.as_str());
                let url = catalog::with_project(endpoint, project)?;
                Ok(Arc::new(Fixed(Access { token: None, url, login: 1, user: None })))
            }
            (Login::None { .. }, None) => Err(Error::input("`--no-auth` needs `--endpoint`")),
        }
    }

    /// The current access if `usable` accepts it, else that of a new login. A caller that waited for another's login
    /// gets its result, even an error: 64 lanes with a changed password must not lock the account.
    async fn access_or_login(&self, usable: impl Fn(&Present) -> bool) -> Result<Access> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut session = self.session.lock().await;
        if let Some(present) = session.present.as_ref().filter(|present| usable(present)) {
            return Ok(present.access.clone());
        }
        if self.attempts.load(Ordering::Acquire) != seen
            && let Some(failure) = &session.failure
        {
            return Err(failure.clone());
        }
        let now = self.clock.system();
        if let Some(failure) = session.lasting_refusal(now) {
            return Err(failure);
        }
        let outcome = self.login(&mut session).await;
        self.attempts.fetch_add(1, Ordering::AcqRel);
        let outcome = session.judged(outcome, now);
        session.failure = outcome.as_ref().err().cloned();
        let present = outcome?;
        let access = present.access.clone();
        session.login = access.login;
        session.present = Some(present);
        Ok(access)
    }

    async fn login(&self, session: &mut Session) -> Result<Present> {
        let api = match &session.api {
            Some(api) => api.clone(),
            None => self.find_api().await?,
        };
        let asked = (self.clock.system(), self.clock.wall());
        let (secret, mut token) = self.token(&api).await?;
        self.known.learn(secret.expose_secret());
        session.api = Some(api);
        self.delegated.store(token.is_delegated(), Ordering::Release);
        let project = token.project.as_ref().map(|project| project.id.as_str());
        if project.is_none() {
            return Err(Error::new(Kind::Login, format!("{} holds for no project", self.whose()))
                .hint("name the project with `OS_PROJECT_NAME` or `OS_PROJECT_ID`"));
        }
        catalog::fill(&mut token.catalog, project);
        let url = match &self.endpoint {
            Some(endpoint) => catalog::with_project(endpoint, project)?,
            None => catalog::choose(&token.catalog, &self.service)
                .map_err(|error| if token.is_whole { error } else { spoilt(error) })?,
        };
        let access = Access { token: Some(secret), url, login: session.login + 1, user: token.user.clone() };
        let until = if self.is_bare_token() { None } else { self.renewal(asked, &token) };
        Ok(Present { access, catalog: token.catalog, is_whole: token.is_whole, until })
    }

    /// The time of the next login. The lifetime counts from our request, since this machine's time of day may be wrong.
    fn renewal(&self, (asked, time): (Instant, Timestamp), token: &Token) -> Option<Instant> {
        let lifetime = token.expires_at?.duration_since(token.issued_at.unwrap_or(time));
        let margin = (lifetime / MARGIN).clamp(SHORTEST_MARGIN, LONGEST_MARGIN);
        asked.checked_add((lifetime - margin).max(SignedDuration::ZERO).unsigned_abs())
    }

    async fn find_api(&self) -> Result<Api> {
        let start = discovery::start(&self.auth_url.value).ok_or_else(|| {
            Error::input(format!("`{}` is not a URL", self.auth_url.value))
                .hint(format!("{} looks like `https://host:5000/v3`", self.auth_url.origin))
        })?;
        let bases = match start {
            Start::Known(api) => return Ok(api),
            Start::Ask(bases) => bases,
        };
        for base in &bases {
            // Keystone answers 300 here.
            let answer = self.ask(self.http.get(format!("{base}/")), base).await?;
            let is_json = is_json(&answer);
            let text = answer.text().await;
            let text = text.map_err(|error| reach::unreachable(base, &self.auth_url.origin, &error))?;
            let document: Value = match serde_json::from_str(&text) {
                Ok(document) => document,
                // Something other than Keystone may answer here, with a page.
                Err(_) if !is_json => continue,
                Err(error) => {
                    return Err(Error::new(
                        Kind::Unreachable,
                        format!("the versions at `{base}` are damaged: {error}"),
                    )
                    .detail(BROKEN, true));
                }
            };
            match discovery::chosen(base, &document, self.version) {
                Some(Ok(api)) => return Ok(api),
                // A URL above the given one may belong to another service.
                Some(Err(versions)) if bases.first() == Some(base) => {
                    return Err(Error::new(
                        Kind::Unreachable,
                        format!("Keystone at `{base}` has neither version 3 nor 2.0, only {}", versions.join(", ")),
                    )
                    .hint(format!("{} must lead to a Keystone of one of these", self.auth_url.origin)));
                }
                Some(Err(_)) | None => {}
            }
        }
        Ok(discovery::last_resort(&bases))
    }

    /// A token and its description.
    async fn token(&self, api: &Api) -> Result<(SecretString, Token)> {
        match api.version {
            IdentityVersion::Two => self.token2(api).await,
            IdentityVersion::Three => self.token3(api).await,
        }
    }

    /// Always a new one: only the administrator may look at tokens, and without the catalog.
    async fn token2(&self, api: &Api) -> Result<(SecretString, Token)> {
        let body = version2::login(&api.url, &self.credential, self.project.as_ref())?;
        let answer = self.send(self.http.post(api.tokens()).json(&body), api).await?;
        let (_, status, document) = self.read(api, answer, "POST").await?;
        version2::Envelope::read(document, self.wanted()).map_err(|cause| self.damaged(api, status, &cause))
    }

    /// A bare token is used as it is if its project is the wanted one.
    async fn token3(&self, api: &Api) -> Result<(SecretString, Token)> {
        if let Credential::Token { token } = &self.credential {
            let header = token_header(token)?;
            let asked = self.http.get(api.tokens()).header("X-Auth-Token", header.clone());
            let answer = self.send(asked.header("X-Subject-Token", header), api).await?;
            // Some policies let nobody look at tokens; then it can only be exchanged.
            if answer.status() != StatusCode::FORBIDDEN {
                let (_, status, document) = self.read(api, answer, "GET").await?;
                let known = Token::read(document, Wanted { project: false, ..self.wanted() })
                    .map_err(|cause| self.damaged(api, status, &cause))?;
                let fits = |wanted: &Named| known.project.as_ref().is_some_and(|project| project.is(wanted));
                if self.project.as_ref().is_none_or(fits) {
                    return Ok((token.value.expose_secret().trim().into(), known));
                }
            }
        }
        let body = body::login(&self.credential, self.project.as_ref());
        let answer = self.send(self.http.post(api.tokens()).json(&body), api).await?;
        let (secret, status, document) = self.read(api, answer, "POST").await?;
        let secret = secret.ok_or_else(|| self.damaged(api, status, "has no `X-Subject-Token`"))?;
        let token = Token::read(document, self.wanted()).map_err(|cause| self.damaged(api, status, &cause))?;
        Ok((secret, token))
    }

    /// An application credential holds for a project of its own.
    fn wanted(&self) -> Wanted {
        let is_delegated = self.is_application_credential();
        Wanted { project: self.project.is_some() || is_delegated, catalog: self.endpoint.is_none() }
    }

    async fn send(&self, request: RequestBuilder, api: &Api) -> Result<reqwest::Response> {
        self.ask(request, &api.url).await
    }

    async fn ask(&self, request: RequestBuilder, url: &str) -> Result<reqwest::Response> {
        let sent = request.header("Accept", "application/json").send().await;
        sent.map_err(|error| reach::unreachable(url, &self.auth_url.origin, &error))
    }

    /// The body of an answer with its status, and the token that version 3 sends in a header.
    async fn read(
        &self,
        api: &Api,
        answer: reqwest::Response,
        method: &'static str,
    ) -> Result<(Option<SecretString>, u16, Value)> {
        let status = answer.status();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let subject = header("X-Subject-Token").map(SecretString::from);
        let refusal = Refusal {
            status,
            method,
            request_id: header("X-Openstack-Request-Id"),
            location: header("Location"),
            second_factor: header("Openstack-Auth-Receipt").is_some(),
        };
        let text = answer.text().await;
        let text = text.map_err(|error| reach::unreachable(&api.url, &self.auth_url.origin, &error))?;
        if !status.is_success() {
            return Err(refusal.error(api, &text, self));
        }
        let body = serde_json::from_str(&text)
            .map_err(|error| self.damaged(api, status.as_u16(), &format!("is not a token ({error})")))?;
        Ok((subject.filter(|token| !token.expose_secret().is_empty()), status.as_u16(), body))
    }

    /// A granted answer that lacks a part that it must have: as good as lost.
    fn damaged(&self, api: &Api, status: u16, cause: &str) -> Error {
        self.not_keystone(api, &format!("its answer {cause}")).detail("status", status)
    }

    fn not_keystone(&self, api: &Api, cause: &str) -> Error {
        let url = api.url.as_str();
        Error::new(Kind::Unreachable, format!("what answers at `{url}` is not Keystone: {cause}"))
            .hint(format!("check the URL, which comes from {}", self.auth_url.origin))
            .detail("url", url)
    }

    fn is_bare_token(&self) -> bool {
        matches!(self.credential, Credential::Token { .. })
    }

    fn is_application_credential(&self) -> bool {
        let credential = &self.credential;
        matches!(credential, Credential::ApplicationCredential { .. } | Credential::NamedApplicationCredential { .. })
    }

    /// The credential, for people.
    fn whose(&self) -> String {
        match &self.credential {
            Credential::Password { user, .. } => format!("user `{}`", label(user)),
            Credential::Token { token } => format!("the token of {}", token.origin),
            Credential::ApplicationCredential { id, .. } => format!("application credential `{}`", id.value),
            Credential::NamedApplicationCredential { name, user, .. } => {
                format!("application credential `{}` of user `{}`", name.value, label(user))
            }
        }
    }
}

impl Identity for Keystone {
    fn access(&self) -> Pending<'_, Result<Access>> {
        Box::pin(self.access_or_login(|present| present.until.is_none_or(|until| self.clock.system() < until)))
    }

    fn renew<'a>(&'a self, rejected: &'a Access) -> Pending<'a, Result<Access>> {
        Box::pin(async move {
            if let Credential::Token { token } = &self.credential {
                return Err(Error::new(Kind::Login, "the token has expired or was revoked, and it is all there is")
                    .hint(format!(
                        "get a new one (`openstack token issue`) and give it as {}, or give a password",
                        token.origin
                    )));
            }
            self.access_or_login(|present| present.access.login != rejected.login).await
        })
    }

    fn service_url<'a>(&'a self, kind: &'a str) -> Pending<'a, Result<String>> {
        Box::pin(async move {
            self.access().await?;
            let mut session = self.session.lock().await;
            let catalog = session.present.as_ref().map_or(&[][..], |present| &present.catalog);
            let chosen = catalog::choose_other(catalog, kind, &self.service);
            match &session.present {
                // The next login may bring the missing part of this one's catalog.
                Some(present) if chosen.is_err() && !present.is_whole => {
                    session.present = None;
                    chosen.map_err(spoilt)
                }
                _ => chosen,
            }
        })
    }

    fn uses_application_credential(&self) -> bool {
        self.is_application_credential() || self.delegated.load(Ordering::Acquire)
    }

    fn describe(&self) -> String {
        let project = self.project.as_ref().map(|project| format!(" in project {}", label(project)));
        let who = match &self.credential {
            Credential::Password { user, .. } => label(user).to_owned(),
            Credential::Token { .. } => "a token".to_owned(),
            Credential::ApplicationCredential { id, .. } => format!("application credential {}", id.value),
            Credential::NamedApplicationCredential { name, user, .. } => {
                format!("application credential {} of {}", name.value, label(user))
            }
        };
        format!("{who}{} at {}", project.unwrap_or_default(), self.auth_url.value)
    }
}

impl Identity for Fixed {
    fn access(&self) -> Pending<'_, Result<Access>> {
        Box::pin(async { Ok(self.0.clone()) })
    }

    fn renew<'a>(&'a self, _rejected: &'a Access) -> Pending<'a, Result<Access>> {
        Box::pin(async {
            Err(Error::new(Kind::Login, format!("`{}` wants a login, and `--no-auth` gives none", self.0.url))
                .hint("leave `--no-auth` out and give the credentials of Keystone"))
        })
    }

    fn describe(&self) -> String {
        format!("nobody (`--no-auth`) at {}", self.0.url)
    }
}

fn is_json(answer: &reqwest::Response) -> bool {
    let content = answer.headers().get("Content-Type").and_then(|content| content.to_str().ok());
    content.is_some_and(|content| content.contains("json"))
}

/// The error for a part missing from a damaged catalog: the next one may have it.
fn spoilt(error: Error) -> Error {
    Error { kind: Kind::Unreachable, ..error }.detail("status", StatusCode::OK.as_u16())
}

fn token_header(token: &Sourced<SecretString>) -> Result<HeaderValue> {
    let mut header = HeaderValue::from_str(token.value.expose_secret().trim())
        .map_err(|_| Error::input(format!("{} is no token: it holds characters that none has", token.origin)))?;
    header.set_sensitive(true);
    Ok(header)
}

fn label(named: &Named) -> &str {
    match named {
        Named::Id(id) => &id.value,
        Named::Name { name, .. } => &name.value,
    }
}
