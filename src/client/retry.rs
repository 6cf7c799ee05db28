//! The next move after a failed try. Pure.

use std::time::Duration;

use jiff::SignedDuration;

use super::answer::{Fault, Reach};
use super::request::{Method, Repeat, Request};
use crate::duration;
use crate::error::{BROKEN, Error, Kind, Prospect, RETRY_AFTER};

/// The most tries of a request that the server answers with a failure.
pub const TRIES: u32 = 8;

/// The most tries of a request whose token is refused although its login succeeds: 31 s of pauses.
pub const ADMISSIONS: u32 = 6;

/// The most tries before the server has ever answered: its address may be wrong.
const FIRST_TRIES: u32 = 3;

/// The first pause between tries: of requests, and of the watcher's questions.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause that a server's `Retry-After` may ask for.
const LONGEST_WISH: SignedDuration = SignedDuration::from_mins(10);

/// The failure of a change.
#[derive(Clone, Debug)]
pub enum Failure {
    /// It never left.
    Kept(Error),
    /// Certainly not applied: the server refused it.
    Refused(Error),
    /// Sent, and it may or may not have been applied: look on the server. The error is that of the last try, with
    /// `maybe_applied` among its details.
    Lost(Error, Trail),
}

/// The whereabouts of a lost change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trail {
    /// It may still be on its way to the server.
    Open,
    /// Answered soon, by the server or by a gate before it: whatever it did is done.
    Ended,
}

/// The longest time in which an answer comes soon: a server gives up on its own parts after 60 s, and hands an error
/// out while the change may still be carried out.
const SOON: SignedDuration = SignedDuration::from_secs(30);

/// The whereabouts of a change after a try that took `took`.
pub(super) fn trail(reach: Reach, took: SignedDuration) -> Trail {
    match reach {
        Reach::Answered { status: 503, spoken: true } if took < SOON => Trail::Ended,
        // A gate that gave up on the server.
        Reach::Answered { status: 408 | 502..=504, .. } => Trail::Open,
        Reach::Answered { .. } if took < SOON => Trail::Ended,
        _ => Trail::Open,
    }
}

/// The next move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Try again, after a pause.
    Again,
    /// Try again while patience lasts: the server is away or too busy, and has not looked at this request.
    Wait,
    /// Give up: it had no effect.
    Refused,
    /// Give up: it may have had an effect.
    Lost,
}

/// Decides after try number `tries` of `request`. `known` says that the server has answered before: one that never has
/// is not waited for, since its address may be wrong.
pub(super) fn after(request: &Request, fault: &Fault, tries: u32, known: bool) -> Move {
    let Fault { error, reach } = fault;
    match (request.repeat, *reach) {
        (_, Reach::Kept) => Move::Refused,
        // Some proxies answer in this way after the server has acted: a gate that limits the rate, or asks who we are.
        (Some(Repeat::Find), Reach::Answered { status: 401 | 429, .. }) => Move::Lost,
        // The login succeeded, or did before: a gate's mistake, or a Keystone that is not yet in step with itself.
        (_, Reach::Unadmitted | Reach::Answered { status: 401, .. }) => {
            if tries < if known { ADMISSIONS } else { FIRST_TRIES } { Move::Again } else { Move::Refused }
        }
        (_, Reach::NotSent) if known => Move::Wait,
        // Something that answers is busy; if nothing answers, the address may be wrong.
        (_, Reach::NotSent) if error.status().is_some() || error.details.contains_key(BROKEN) => {
            again(error, tries, known)
        }
        (_, Reach::NotSent) => Move::Refused,
        (None, Reach::TimedOut) if !known => Move::Refused,
        (None, _) => again(error, tries, known),
        // A gate before the server has let nothing through.
        (Some(_), Reach::Answered { status: 429 | 301 | 302 | 307 | 308, .. }) => again(error, tries, known),
        (Some(_), reach) if !may_have_acted(reach) => Move::Refused,
        // It changes nothing (validate-connection), so the server's own answer counts.
        (Some(Repeat::Safe), Reach::Answered { spoken: true, .. }) if request.method == Method::Post => Move::Refused,
        (Some(Repeat::Safe), _) => match again(error, tries, known) {
            Move::Refused => Move::Lost,
            again => again,
        },
        (Some(_), _) => Move::Lost,
    }
}

/// Decides about a failure of something that may be repeated.
fn again(error: &Error, tries: u32, known: bool) -> Move {
    match error.prospect() {
        Prospect::Final | Prospect::Later => Move::Refused,
        Prospect::Back if known => Move::Wait,
        Prospect::Back | Prospect::Better if tries < if known { TRIES } else { FIRST_TRIES } => Move::Again,
        Prospect::Back | Prospect::Better => Move::Refused,
    }
}

/// The pause after `failures` failures in a row: the one backoff of requests.
pub fn pause(failures: u32) -> SignedDuration {
    let pause = duration::backoff(FIRST_PAUSE, LONGEST_PAUSE, failures);
    SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)
}

/// Like [`pause`], or longer if the server asks for it.
pub(super) fn pause_after(error: &Error, failures: u32) -> SignedDuration {
    let wish = error.details.get(RETRY_AFTER).and_then(serde_json::Value::as_i64).unwrap_or(0);
    pause(failures).max(SignedDuration::from_secs(wish).min(LONGEST_WISH))
}

/// A 401 from Coriolis comes before any work; 400 to 409 are refusals; a 500 or 503 may have left an execution behind; a
/// proxy's 429 may hide the server's answer.
pub(super) fn may_have_acted(reach: Reach) -> bool {
    match reach {
        Reach::Kept | Reach::Unadmitted | Reach::NotSent => false,
        Reach::NoAnswer | Reach::TimedOut => true,
        Reach::Answered { status, .. } => {
            (200..300).contains(&status) || matches!(status, 408 | 429) || status >= 500 && status != 501
        }
    }
}

/// True if this answer to a repeat also says that the earlier tries did nothing: had they deleted it, it would be 404.
pub(super) fn is_final_refusal(reach: Reach) -> bool {
    matches!(reach, Reach::Answered { status: 400 | 404 | 409, .. })
}

impl From<Failure> for Error {
    /// Turns a lost change into an error of the kind [`Kind::Unknown`].
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Kept(error) | Failure::Refused(error) => error,
            Failure::Lost(mut error, _) => {
                error.kind = Kind::Unknown;
                error.message.push_str("; it may or may not have been applied");
                error.hint.get_or_insert_with(|| "look on the server before you repeat it".into());
                error
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::Answer;

    fn spoken(status: u16) -> Reach {
        Reach::Answered { status, spoken: true }
    }

    fn page(status: u16) -> Reach {
        Reach::Answered { status, spoken: false }
    }

    /// The failure as the rest of the client would build it.
    fn fault(request: &Request, reach: Reach) -> Fault {
        let error = match reach {
            Reach::Answered { status, spoken } => {
                let kind = match (status, spoken) {
                    (401, _) => Kind::Login,
                    (404, true) => Kind::NotFound,
                    (_, true) => Kind::Api,
                    (_, false) => Kind::Unreachable,
                };
                Error::new(kind, "no").detail("status", status)
            }
            _ => Error::new(Kind::Unreachable, "no answer"),
        };
        Fault { error: error.detail("path", request.path.as_str()), reach }
    }

    fn moves(request: &Request, reach: Reach, tries: u32, known: bool) -> Move {
        after(request, &fault(request, reach), tries, known)
    }

    #[test]
    fn every_failure_has_its_move() {
        let read = Request::get("transfers", Answer::List("transfers"));
        let below = Request::get("endpoints/E/instances", Answer::List("instances"));
        let find = Request::post("deployments", json!({}), Answer::Thing("deployment"), Repeat::Find);
        let validate = Request::post("endpoints/E/actions", json!({}), Answer::Whole, Repeat::Safe);
        let delete = Request::delete("transfers/T");
        let table = [
            (&read, Reach::NotSent, Move::Wait),
            (&read, Reach::NoAnswer, Move::Wait),
            (&read, Reach::TimedOut, Move::Wait),
            (&read, spoken(500), Move::Again),
            (&read, spoken(503), Move::Again),
            (&read, spoken(429), Move::Wait),
            (&read, page(503), Move::Wait),
            (&read, page(502), Move::Wait),
            (&read, spoken(404), Move::Refused),
            (&read, page(404), Move::Refused),
            (&read, page(200), Move::Again),
            (&below, spoken(500), Move::Refused),
            (&below, spoken(503), Move::Refused),
            (&below, page(504), Move::Wait),
            (&find, Reach::Kept, Move::Refused),
            (&find, Reach::NotSent, Move::Wait),
            (&find, spoken(429), Move::Lost),
            (&validate, spoken(429), Move::Wait),
            (&find, Reach::Unadmitted, Move::Again),
            (&read, Reach::Unadmitted, Move::Again),
            (&read, spoken(401), Move::Again),
            (&find, Reach::NoAnswer, Move::Lost),
            (&find, Reach::TimedOut, Move::Lost),
            (&find, spoken(500), Move::Lost),
            (&find, spoken(503), Move::Lost),
            (&find, page(502), Move::Lost),
            (&find, page(200), Move::Lost),
            (&find, spoken(501), Move::Refused),
            (&find, spoken(400), Move::Refused),
            (&find, spoken(409), Move::Refused),
            (&find, spoken(401), Move::Lost),
            (&delete, spoken(401), Move::Again),
            (&delete, Reach::NoAnswer, Move::Wait),
            (&delete, spoken(429), Move::Wait),
            (&delete, spoken(500), Move::Again),
            (&delete, spoken(400), Move::Refused),
            (&validate, Reach::NoAnswer, Move::Wait),
            (&validate, spoken(503), Move::Refused),
            (&read, page(302), Move::Again),
            (&find, page(302), Move::Again),
        ];
        let wrong: Vec<_> = table
            .iter()
            .filter(|(request, reach, expected)| moves(request, *reach, 1, true) != *expected)
            .map(|(request, reach, _)| (request.method, request.path.as_str(), *reach))
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn trying_ends() {
        let read = Request::get("transfers", Answer::List("transfers"));
        let delete = Request::delete("transfers/T");
        assert_eq!(moves(&read, spoken(500), TRIES, true), Move::Refused);
        assert_eq!(moves(&read, page(200), TRIES, true), Move::Refused);
        assert_eq!(moves(&read, page(302), TRIES, true), Move::Refused);
        assert_eq!(moves(&delete, spoken(500), TRIES, true), Move::Lost);
        assert_eq!(moves(&delete, Reach::NotSent, TRIES, true), Move::Wait);
        for reach in [Reach::Unadmitted, spoken(401)] {
            assert_eq!(moves(&read, reach, ADMISSIONS - 1, true), Move::Again, "{reach:?}");
            assert_eq!(moves(&read, reach, ADMISSIONS, true), Move::Refused, "{reach:?}");
            assert_eq!(moves(&read, reach, FIRST_TRIES, false), Move::Refused, "{reach:?}");
        }
    }

    #[test]
    fn what_was_answered_soon_is_no_longer_on_its_way() {
        let (soon, late) = (SignedDuration::from_secs(29), SignedDuration::from_secs(60));
        let ended = [spoken(500), page(500), spoken(503), spoken(429), page(200)];
        let open = [Reach::NoAnswer, Reach::TimedOut, page(502), page(503), page(504), page(408)];
        assert!(ended.iter().all(|reach| trail(*reach, soon) == Trail::Ended && trail(*reach, late) == Trail::Open));
        assert!(open.iter().all(|reach| trail(*reach, soon) == Trail::Open));
    }

    #[test]
    fn a_server_that_never_answered_is_hardly_waited_for() {
        let read = Request::get("transfers", Answer::List("transfers"));
        assert_eq!(moves(&read, Reach::NotSent, 1, false), Move::Refused);
        assert_eq!(moves(&read, Reach::TimedOut, 1, false), Move::Refused);
        assert_eq!(moves(&read, page(404), 1, false), Move::Refused);
        let busy = Fault { reach: Reach::NotSent, ..fault(&read, page(503)) };
        assert_eq!(after(&read, &busy, 1, false), Move::Again);
        let broken = fault(&read, Reach::NotSent);
        let broken = Fault { error: broken.error.detail(BROKEN, true), ..broken };
        assert_eq!(after(&read, &broken, 1, false), Move::Again);
        for reach in [Reach::NoAnswer, page(502), page(200), spoken(429)] {
            assert_eq!(moves(&read, reach, FIRST_TRIES - 1, false), Move::Again, "{reach:?}");
            assert_eq!(moves(&read, reach, FIRST_TRIES, false), Move::Refused, "{reach:?}");
        }
    }

    #[test]
    fn the_servers_wish_makes_a_pause_longer_within_bounds() {
        let seconds = |failures: u32, wish: Option<i64>| {
            let error = Error::new(Kind::Api, "slow down").detail("status", 429);
            let error = wish.map_or(error.clone(), |wish| error.detail(RETRY_AFTER, wish));
            pause_after(&error, failures).as_secs()
        };
        assert_eq!([1, 2, 5, 6, 60].map(|failures| seconds(failures, None)), [1, 2, 16, 30, 30]);
        assert_eq!([Some(3), Some(0), Some(-5), Some(86_400)].map(|wish| seconds(1, wish)), [3, 1, 1, 600]);
    }
}
