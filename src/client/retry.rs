//! What may be done after a try that failed. Pure.

use jiff::SignedDuration;

use super::answer::Reach;
use super::request::{Method, Repeat, Request};
use crate::error::{Error, Kind};

/// How often a request is tried at most.
const TRIES: u32 = 5;

/// How often at most when each try takes as long as the timeout.
const SLOW_TRIES: u32 = 2;

/// How a change failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Surely not applied.
    Refused(Error),
    /// Sent, and nobody knows whether it was applied: look on the server. The error is what is known of the last try,
    /// with `maybe_applied` among its details.
    Lost(Error),
}

/// The next move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Try again, after a pause.
    Again,
    /// Give up: it had no effect.
    Refused,
    /// Give up: it may have had an effect.
    Lost,
}

/// What to do after try number `tries` of `request` got as far as `reach`. `known` says that the server has answered
/// before: one that never has is not waited for, its address may be wrong.
pub(super) fn after(request: &Request, reach: Reach, tries: u32, known: bool) -> Move {
    let more = tries < if reach == Reach::TimedOut { SLOW_TRIES } else { TRIES };
    match (request.repeat, reach) {
        (_, Reach::Kept) => Move::Refused,
        (_, Reach::NotSent) if more && known => Move::Again,
        (_, Reach::NotSent) => Move::Refused,
        (None, _) if more && known && worth_asking_again(request, reach) => Move::Again,
        (None, _) => Move::Refused,
        (Some(_), _) if !may_have_acted(reach) => Move::Refused,
        // It changes nothing (validate-connection), so the server's own answer is an answer.
        (Some(Repeat::Safe), Reach::Answered { spoken: true, .. }) if request.method == Method::Post => Move::Refused,
        (Some(Repeat::Safe), _) if more => Move::Again,
        (Some(_), _) => Move::Lost,
    }
}

/// How long to wait before try number `tries` + 1.
pub(super) fn pause(tries: u32) -> SignedDuration {
    SignedDuration::from_secs(1 << tries.saturating_sub(1).min(4))
}

fn worth_asking_again(request: &Request, reach: Reach) -> bool {
    match reach {
        Reach::Kept => false,
        Reach::NotSent | Reach::NoAnswer | Reach::TimedOut => true,
        Reach::Answered { status: 429 | 502 | 504, .. } => true,
        // A worker that lacks, an operation that no worker supports: the same the next time.
        Reach::Answered { status: 503, spoken } => !spoken,
        // Below an endpoint a 500 is the cloud's or the provider's failure, after seconds of work.
        Reach::Answered { status: 500, .. } => !request.path.starts_with("endpoints/"),
        Reach::Answered { .. } => false,
    }
}

/// A 401 comes before any work; 400 to 409 are refusals; a 500 or 503 may have left an execution behind.
pub(super) fn may_have_acted(reach: Reach) -> bool {
    match reach {
        Reach::Kept | Reach::NotSent => false,
        Reach::NoAnswer | Reach::TimedOut => true,
        Reach::Answered { status, .. } => {
            (200..300).contains(&status) || status == 408 || status >= 500 && status != 501
        }
    }
}

/// Whether this answer to a repeat also says that the tries before it did nothing: had they deleted it, it would be 404.
pub(super) fn is_final_refusal(reach: Reach) -> bool {
    matches!(reach, Reach::Answered { status: 400 | 404 | 409, .. })
}

impl From<Failure> for Error {
    /// A lost change becomes an error of the kind [`Kind::Unknown`].
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Lost(mut error) => {
                error.kind = Kind::Unknown;
                error.message.push_str("; nobody knows whether it was applied");
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

    #[test]
    fn every_failure_has_its_move() {
        let read = Request::get("transfers", Answer::List("transfers"));
        let below = Request::get("endpoints/E/instances", Answer::List("instances"));
        let find = Request::post("deployments", json!({}), Answer::Field("deployment"), Repeat::Find);
        let validate = Request::post("endpoints/E/actions", json!({}), Answer::Whole, Repeat::Safe);
        let delete = Request::delete("transfers/T");
        let table = [
            (&read, Reach::NoAnswer, Move::Again),
            (&read, Reach::TimedOut, Move::Again),
            (&read, spoken(500), Move::Again),
            (&read, spoken(503), Move::Refused),
            (&read, page(503), Move::Again),
            (&read, page(502), Move::Again),
            (&read, spoken(404), Move::Refused),
            (&read, page(200), Move::Refused),
            (&below, spoken(500), Move::Refused),
            (&below, page(504), Move::Again),
            (&find, Reach::Kept, Move::Refused),
            (&find, Reach::NotSent, Move::Again),
            (&find, Reach::NoAnswer, Move::Lost),
            (&find, Reach::TimedOut, Move::Lost),
            (&find, spoken(500), Move::Lost),
            (&find, spoken(503), Move::Lost),
            (&find, page(502), Move::Lost),
            (&find, page(200), Move::Lost),
            (&find, spoken(501), Move::Refused),
            (&find, spoken(400), Move::Refused),
            (&find, spoken(409), Move::Refused),
            (&find, spoken(401), Move::Refused),
            (&delete, Reach::NoAnswer, Move::Again),
            (&delete, spoken(500), Move::Again),
            (&delete, spoken(400), Move::Refused),
            (&validate, Reach::NoAnswer, Move::Again),
            (&validate, spoken(503), Move::Refused),
        ];
        let wrong: Vec<_> = table
            .iter()
            .filter(|(request, reach, expected)| after(request, *reach, 1, true) != *expected)
            .map(|(request, reach, _)| (request.method, request.path.as_str(), *reach))
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn trying_ends() {
        let read = Request::get("transfers", Answer::List("transfers"));
        let delete = Request::delete("transfers/T");
        assert_eq!(after(&read, Reach::NoAnswer, TRIES, true), Move::Refused);
        assert_eq!(after(&read, Reach::TimedOut, SLOW_TRIES, true), Move::Refused);
        assert_eq!(after(&delete, Reach::NoAnswer, TRIES, true), Move::Lost);
        assert_eq!(after(&delete, Reach::NotSent, TRIES, true), Move::Refused);
    }

    #[test]
    fn a_server_that_never_answered_is_not_waited_for() {
        let read = Request::get("transfers", Answer::List("transfers"));
        assert_eq!(after(&read, Reach::NotSent, 1, false), Move::Refused);
        assert_eq!(after(&read, Reach::NoAnswer, 1, false), Move::Refused);
    }
}
