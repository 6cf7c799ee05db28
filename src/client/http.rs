//! The one place that sends requests: from a plain thread, with retries where they are safe, few at a time.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::answer::{self, Fault, Reach, Reply};
use super::departure::{Departure, Unguarded};
use super::filled::Filled;
use super::generation;
use super::identity::{Access, Identity};
use super::moment;
use super::outage::{Notice, Outage};
use super::paging::{self, Paging};
use super::request::{Method, Repeat, Request, Service};
use super::retry::{self, Failure, Move};
use super::shared::Shared;
use super::wire::{Turn, Wire, stopped};
use crate::cancel::{Cancel, Wish};
use crate::clock::{Clock, Instant};
use crate::error::{Error, Kind, MAYBE_APPLIED, Prospect, Result};
use crate::event::{self, Cause, Event, Fact, Origin, Sink};
use crate::model::Generation;

/// A restart of the API or of Keystone takes a minute or a few.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(600);

/// The interval at which a read checks for a wish to stop while the cloud is away.
const GLANCE: Duration = Duration::from_millis(250);

/// The settings for sending requests.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server saturates at two requests, and its queue of connections is short.
    pub in_flight: usize,
    /// The number of those that may be changes: of 20 cancels at once some were reset and never carried out.
    pub changes_in_flight: usize,
    /// The limit for a whole exchange. A cancel may take longer than 20 s, an execute without workers 10 s.
    pub timeout: Duration,
    /// A PEM file of additional certificates to trust.
    pub ca_certificate: Option<PathBuf>,
    /// Trusts any certificate.
    pub insecure: bool,
    /// The time for which an unreachable cloud is retried: connections that fail or break, 429, 502, 503, 504, and
    /// Keystone. Before the server's first answer there is hardly any patience.
    pub patience: Duration,
    /// Honours `HTTP_PROXY` and the like; this machine is never reached through a proxy.
    pub proxies: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            in_flight: 8,
            changes_in_flight: 4,
            timeout: Duration::from_secs(120),
            patience: DEFAULT_PATIENCE,
            ca_certificate: None,
            insecure: false,
            proxies: true,
        }
    }
}

/// A shared handle to the client.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Inner>,
    cancel: Cancel,
}

struct Inner {
    wire: Arc<Wire>,
    runtime: Handle,
    clock: Clock,
    events: Arc<dyn Sink>,
    generation: Shared<Generation>,
    /// Set once the server has answered as a Coriolis server does.
    known: AtomicBool,
    filled: Filled,
    outage: Outage,
}

impl Client {
    /// # Errors
    /// `Input` when the certificate file cannot be used.
    pub fn new(
        identity: Arc<dyn Identity>,
        clock: Clock,
        cancel: Cancel,
        events: Arc<dyn Sink>,
        runtime: Handle,
        options: Options,
    ) -> Result<Client> {
        let wire = Arc::new(Wire::new(identity, clock.clone(), &options)?);
        let (generation, known, filled) = (Shared::default(), AtomicBool::new(false), Filled::default());
        let outage = Outage::new(SignedDuration::try_from(options.patience).unwrap_or(SignedDuration::MAX));
        Ok(Client {
            shared: Arc::new(Inner { wire, runtime, clock, events, generation, known, filled, outage }),
            cancel,
        })
    }

    /// The same client, stopped by another `Cancel`.
    #[must_use]
    pub fn stopped_by(&self, cancel: Cancel) -> Client {
        Client { shared: self.shared.clone(), cancel }
    }

    /// The server's generation: found once, by one or two requests, however many threads ask.
    ///
    /// # Errors
    /// `Unreachable` when it speaks neither, and the errors of [`Client::send`].
    pub fn generation(&self, origin: &Origin) -> Result<Generation> {
        self.shared.generation.get_or_find(&self.shared.clock, || self.probe(origin))
    }

    /// Sends a request and waits for its answer on a plain thread. The thread stays busy meanwhile; its token is given
    /// back only during the pauses between two tries.
    ///
    /// # Errors
    /// `Api`, `NotFound`, `Login` as the server answered; `Unreachable` when it did not answer; `Unknown` when a change
    /// was lost (see [`Client::change`]); `Interrupted`.
    pub fn send(&self, origin: &Origin, request: &Request) -> Result<Value> {
        self.change(origin, request, &mut Unguarded).map_err(Error::from)
    }

    /// Like [`Client::send`], for a caller that can find out the fate of a lost change. `departure` is asked before
    /// each sending and notified of it.
    ///
    /// # Errors
    /// [`Failure::Kept`] when it never left, [`Failure::Refused`] when it certainly was not applied, [`Failure::Lost`]
    /// when nobody knows. A read is never lost.
    pub fn change(&self, origin: &Origin, request: &Request, departure: &mut dyn Departure) -> Result<Value, Failure> {
        // An earlier try may have acted.
        let mut maybe = false;
        let mut took = SignedDuration::ZERO;
        let mut tries = 0;
        let mut since = None;
        loop {
            tries += 1;
            let attempt = match request.changes() {
                true => self.attempt_change(request, departure, &mut took),
                false => self.attempt(request, tries > 1),
            };
            let fault = match attempt {
                Ok(value) => {
                    self.shared.filled.changed(request);
                    return Ok(value);
                }
                Err(fault) => fault,
            };
            let notice = self.notice(request, &fault);
            if maybe && request.method == Method::Delete && fault.error.kind == Kind::NotFound {
                return Ok(Value::Null);
            }
            let next = retry::after(request, &fault, tries, self.shared.known.load(Ordering::Relaxed));
            let acted = next == Move::Lost || next != Move::Refused && retry::may_have_acted(fault.reach);
            maybe |= request.changes() && acted;
            let error = self.explain(request, fault.error);
            let now = self.shared.clock.instant();
            let pause = match next {
                Move::Again => Some(retry::pause_after(&error, tries)),
                Move::Wait => {
                    let rest = self.shared.outage.rest(now, *since.get_or_insert(now));
                    (!rest.is_zero()).then(|| retry::pause_after(&error, tries).min(rest))
                }
                Move::Refused | Move::Lost => None,
            };
            // A change that certainly did nothing has not left while it waits for another try.
            let unsent = matches!(fault.reach, Reach::Kept | Reach::Unadmitted | Reach::NotSent);
            let stayed = !maybe && (pause.is_some() || unsent);
            if stayed {
                departure.stayed().map_err(Failure::Kept)?;
            }
            let error = match pause {
                Some(pause) => match self.pause(origin, request, pause, &error, notice) {
                    Ok(()) => continue,
                    Err(interrupted) if !maybe => return Err(Failure::Kept(interrupted)),
                    Err(_) => error,
                },
                None if next == Move::Wait => self.without_patience(error),
                None => {
                    if let Notice::Away(silent) = notice {
                        self.say_away(silent, &error);
                    }
                    error
                }
            };
            return Err(match maybe && !retry::is_final_refusal(fault.reach) {
                true => Failure::Lost(error.detail(MAYBE_APPLIED, true), retry::trail(fault.reach, took)),
                false if stayed => Failure::Kept(error),
                false => Failure::Refused(error),
            });
        }
    }

    /// Tries a read once, for a caller that repeats it itself after the pause of [`Client::pause_after`]; more often only
    /// when its token is refused.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_once(&self, request: &Request) -> Result<Value> {
        let mut tries = 0;
        loop {
            tries += 1;
            let fault = match self.attempt(request, false) {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            let notice = self.notice(request, &fault);
            let next = retry::after(request, &fault, tries, self.shared.known.load(Ordering::Relaxed));
            let error = self.explain(request, fault.error);
            if error.kind == Kind::Login && next == Move::Again {
                self.pause(&Origin::default(), request, retry::pause(tries), &error, notice)?;
                continue;
            }
            if let Notice::Away(silent) = notice {
                self.say_away(silent, &error);
            }
            return Err(error);
        }
    }

    /// The pause before the next request after `failures` failures in a row, the first of them at `since`.
    ///
    /// # Errors
    /// The failure itself when patience has run out.
    pub fn pause_after(&self, error: Error, failures: u32, since: Instant) -> Result<SignedDuration> {
        let rest = self.shared.outage.rest(self.shared.clock.instant(), since);
        if rest.is_zero() {
            Err(self.without_patience(error))
        } else {
            Ok(retry::pause_after(&error, failures).min(rest))
        }
    }

    /// The whole list, in as many requests as it takes; a request with its own limit or order is sent once.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn list(&self, origin: &Origin, request: &Request) -> Result<Vec<Value>> {
        let filled = &self.shared.filled;
        let mut looks = 0;
        loop {
            let entries = self.whole_list(origin, request)?;
            if !entries.is_empty() {
                filled.note(request);
                return Ok(entries);
            }
            looks += 1;
            match filled.pause(request, looks) {
                None => return Ok(entries),
                Some(pause) if pause.is_zero() => {}
                Some(pause) => {
                    let message = "an empty list, which had entries before";
                    let error = answer::of_request(request, Kind::Unreachable, message);
                    self.pause(origin, request, pause, &error, Notice::First)?;
                }
            }
        }
    }

    fn whole_list(&self, origin: &Origin, request: &Request) -> Result<Vec<Value>> {
        if !paging::is_paged(request) {
            return self.send(origin, request).map(entries);
        }
        let mut paging = Paging::new();
        while let Some(page) = paging.next(request) {
            match self.send(origin, &page) {
                Ok(page) => paging.take(entries(page)),
                Err(error) if error.status() == Some(400) && paging.refused() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(paging.into_entries())
    }

    /// Listens to a websocket: returns the JSON messages, at most `limit`, for at most `timeout` by the machine's
    /// clock.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn listen(&self, request: &Request, limit: usize, timeout: Duration) -> Result<Vec<Value>> {
        let (wire, sent, cancel) = (self.shared.wire.clone(), request.clone(), self.cancel.clone());
        self.on_runtime(async move { wire.listen(&sent, limit, timeout, &cancel).await })
            .unwrap_or_else(|| Err(Fault { error: Error::interrupted(), reach: Reach::NoAnswer }))
            .map_err(|fault| fault.error)
    }

    fn probe(&self, origin: &Origin) -> Result<Generation> {
        let mut rounds = 0;
        loop {
            for (generation, request) in generation::probes() {
                if generation::speaks(self.send(origin, &request))? {
                    let url = self.access()?.url;
                    self.emit(origin, Fact::CloudFound { generation, url });
                    return Ok(generation);
                }
            }
            rounds += 1;
            let neither = generation::neither(&self.access()?.url);
            if rounds >= generation::ROUNDS {
                return Err(neither);
            }
            let [(_, first), _] = generation::probes();
            self.pause(origin, &first, retry::pause(rounds), &neither, Notice::First)?;
        }
    }

    /// The id of the user who sends the requests; `None` if the login does not tell it.
    ///
    /// # Errors
    /// Those of the login.
    pub fn user(&self) -> Result<Option<String>> {
        Ok(self.access()?.user)
    }

    fn access(&self) -> Result<Access> {
        let wire = self.shared.wire.clone();
        self.on_runtime(async move { wire.access().await }).unwrap_or_else(|| Err(Error::interrupted()))
    }

    /// Tries a read once. A repeated try (`again`) ends at the first wish to stop.
    fn attempt(&self, request: &Request, again: bool) -> Result<Value, Fault> {
        let (wire, sent, cancel) = (self.shared.wire.clone(), request.clone(), self.cancel.clone());
        let answer = self.on_runtime(async move {
            let mut attempt = pin!(wire.read(&sent, &cancel));
            loop {
                match tokio::time::timeout(GLANCE, &mut attempt).await {
                    Ok(answer) => return answer,
                    Err(_) if again && cancel.wish() != Wish::Continue => return Err(stopped()),
                    Err(_) => {}
                }
            }
        });
        let answer = answer.unwrap_or_else(|| Err(Fault { error: Error::interrupted(), reach: Reach::NoAnswer }));
        self.answered(request, &answer);
        answer
    }

    /// Records that there was an answer: the cloud is there.
    fn answered(&self, request: &Request, answer: &Result<Value, Fault>) {
        let answers = match answer {
            Ok(_) => true,
            Err(Fault { reach: Reach::Answered { spoken, .. }, error }) => {
                // A refused token says nothing about what is behind the gate.
                if *spoken && error.kind != Kind::Login {
                    self.shared.known.store(true, Ordering::Relaxed);
                }
                error.prospect() != Prospect::Back
            }
            Err(_) => false,
        };
        if answer.is_ok() {
            self.shared.known.store(true, Ordering::Relaxed);
        }
        if answers
            && request.service == Service::Coriolis
            && let Some(after) = self.shared.outage.answered(self.shared.clock.instant())
        {
            self.emit(&Origin::default(), Fact::CloudBack { after_seconds: after.as_secs_f64() });
        }
    }

    /// Records a failure; returns the notice that is due.
    fn notice(&self, request: &Request, fault: &Fault) -> Notice {
        let away = fault.error.prospect() == Prospect::Back && self.shared.known.load(Ordering::Relaxed);
        if !away || request.service != Service::Coriolis {
            return Notice::First;
        }
        self.shared.outage.failed(self.shared.clock.instant(), fault.reach == Reach::NotSent)
    }

    fn say_away(&self, silent: SignedDuration, error: &Error) {
        let (now, instant) = (self.shared.clock.now(), self.shared.clock.instant());
        let rest = self.shared.outage.rest(instant, instant);
        let until = now.checked_add(rest).unwrap_or(Timestamp::MAX);
        self.emit(&Origin::default(), Fact::CloudAway { cause: Cause::of(error), since: now - silent, until });
    }

    /// The final error of a caller whose patience has run out.
    fn without_patience(&self, error: Error) -> Error {
        let patience = self.shared.outage.patience();
        if patience.is_zero() {
            return error;
        }
        let message = format!("{}; it was tried for {patience:#}", error.message);
        let hint = error.hint.clone();
        let hint = hint.unwrap_or_else(|| "`--patience` sets this time; a resume goes on with the work".into());
        Error { message, ..error }.hint(hint)
    }

    /// Tries a change once. It waits for its turn first, and only then looks at the world.
    fn attempt_change(
        &self,
        request: &Request,
        departure: &mut dyn Departure,
        took: &mut SignedDuration,
    ) -> Result<Value, Fault> {
        let answer = self.turn(request, departure, took);
        self.answered(request, &answer);
        answer
    }

    fn turn(
        &self,
        request: &Request,
        departure: &mut dyn Departure,
        took: &mut SignedDuration,
    ) -> Result<Value, Fault> {
        let kept = |error| Fault { error, reach: Reach::Kept };
        let turn = self.admitted(request, departure)?;
        let (access, reply) = self.leave(request, departure, took)?;
        drop(turn);
        if reply.status != 401 {
            return answer::read(request, &reply);
        }
        let wire = self.shared.wire.clone();
        let renewed = self.on_runtime(async move { wire.renew(&access).await });
        let renewed = renewed.ok_or_else(|| kept(Error::interrupted()))?;
        if request.repeat == Some(Repeat::Find) {
            return match renewed {
                Err(ended) if ended.reach == Reach::Kept => Err(ended),
                _ => answer::read(request, &reply),
            };
        }
        renewed?;
        // The login may have taken a while.
        departure.stayed().map_err(kept)?;
        let _turn = self.admitted(request, departure)?;
        let (_, reply) = self.leave(request, departure, took)?;
        answer::read(request, &reply)
    }

    /// The turn of a change that may leave now, according to facts of one moment.
    fn admitted(&self, request: &Request, departure: &mut dyn Departure) -> Result<Turn, Fault> {
        let kept = |error| Fault { error, reach: Reach::Kept };
        let since = self.shared.clock.instant();
        let mut looks = 0;
        loop {
            let (wire, sent, cancel) = (self.shared.wire.clone(), request.clone(), self.cancel.clone());
            let turn = self.on_runtime(async move { wire.turn(&sent, &cancel).await });
            let turn = turn.ok_or_else(|| kept(Error::interrupted()))??;
            let (allowed, turn) = moment::during(turn, || departure.may_leave());
            allowed.map_err(kept)?;
            looks += 1;
            match turn {
                Some(turn) => return Ok(turn),
                None if looks < moment::LOOKS => {}
                None if self.shared.outage.rest(self.shared.clock.instant(), since).is_zero() => {
                    let message = "not sent: in each look at the state before it, a request failed";
                    return Err(kept(self.without_patience(answer::of_request(request, Kind::Unreachable, message))));
                }
                None => {}
            }
        }
    }

    fn leave(
        &self,
        request: &Request,
        departure: &mut dyn Departure,
        took: &mut SignedDuration,
    ) -> Result<(Access, Reply), Fault> {
        let ended = |reach| move || Fault { error: Error::interrupted(), reach };
        let (wire, sent, cancel) = (self.shared.wire.clone(), request.clone(), self.cancel.clone());
        let ready =
            self.on_runtime(async move { wire.ready(&sent, &cancel).await }).ok_or_else(ended(Reach::Kept))??;
        departure.leaves(ready.user()).map_err(|error| Fault { error, reach: Reach::Kept })?;
        let (wire, sent, cancel) = (self.shared.wire.clone(), request.clone(), self.cancel.clone());
        let left = self.shared.clock.instant();
        let answer = self.on_runtime(async move { wire.exchange(&sent, ready, &cancel).await });
        *took = self.shared.clock.instant().duration_since(left);
        answer.ok_or_else(ended(Reach::NoAnswer))?
    }

    /// Blocks this thread on a future that runs on the runtime; `None` when the runtime has ended.
    fn on_runtime<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.shared.runtime.spawn(async move {
            let _ = reply.send(future.await);
        });
        answer.blocking_recv().ok()
    }

    fn pause(
        &self,
        origin: &Origin,
        request: &Request,
        pause: SignedDuration,
        error: &Error,
        notice: Notice,
    ) -> Result<()> {
        self.cancel.check()?;
        moment::paused();
        let (next, until) = (self.shared.clock.now() + pause, self.shared.clock.instant() + pause);
        match notice {
            Notice::First => {
                let (method, path) = (request.method.word().to_owned(), request.path.clone());
                self.emit(origin, Fact::RequestRetried { method, path, cause: Cause::of(error), next });
            }
            Notice::Away(silent) => self.say_away(silent, error),
            Notice::None => {}
        }
        self.cancel.sleep_until(&self.shared.clock, until)
    }

    fn explain(&self, request: &Request, error: Error) -> Error {
        if error.status() == Some(500)
            && needs_trust(request)
            && self.shared.wire.identity().uses_application_credential()
        {
            return error.hint(
                "log in with a password or a token: this makes the server create a Keystone trust, which no \
                 application credential can",
            );
        }
        error
    }

    fn emit(&self, origin: &Origin, fact: Fact) {
        let at = self.shared.clock.now();
        self.shared.events.emit(Event { v: event::VERSION, at, origin: origin.clone(), fact });
    }
}

/// The requests for which the server needs a trust: executing, deploying and scheduling.
fn needs_trust(request: &Request) -> bool {
    let path = request.path.as_str();
    request.method == Method::Post
        && (["/executions", "/schedules"].iter().any(|end| path.ends_with(end))
            || ["deployments", "migrations"].contains(&path))
}

fn entries(value: Value) -> Vec<Value> {
    match value {
        Value::Array(entries) => entries,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
