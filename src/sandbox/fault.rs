//! Faults that a test injects: the fate of the next matching request.

use serde_json::{Value, json};

use super::world::Refusal;

/// A fault for the next requests of this method with this end of the path.
#[derive(Clone, Debug)]
pub struct Fault {
    pub method: &'static str,
    /// The end of the path, without the query.
    pub path: String,
    /// The number of requests that it affects.
    pub times: usize,
    pub what: Trouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing is done, and the answer is 503.
    UnavailableBefore,
    /// It is done, but the answer is 503.
    UnavailableAfter,
    /// Nothing is done, and the answer is 500.
    ErredBefore,
    /// It is done, but a proxy before the server answers 429.
    LimitedAfter,
    /// Nothing is done, and a proxy before the server answers 502 with a page.
    Gateway,
    /// Nothing is done, and the connection ends without an answer.
    DroppedBefore,
    /// It is done, and the connection ends without an answer.
    DroppedAfter,
    /// It is done, and the answer lacks the new object: `{"execution": {}}`.
    Hollow,
    /// It is done, and the answer has a text in place of the new object.
    Surprise,
    /// The connection ends without an answer, and it is done this many seconds later, as if a balancer had held it.
    Late(u32),
    /// The token is refused, though it is valid.
    Unauthorized,
    /// It is done, but a proxy before the server refuses the token.
    UnauthorizedAfter,
}

impl Trouble {
    pub(super) fn acts(self) -> bool {
        use Trouble::{DroppedAfter, Hollow, LimitedAfter, Surprise, UnauthorizedAfter, UnavailableAfter};
        matches!(self, UnavailableAfter | UnauthorizedAfter | DroppedAfter | LimitedAfter | Hollow | Surprise)
    }

    /// The refusal with which it is answered.
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Trouble::ErredBefore => Refusal::new(500, "The server has either erred or is incapable of it."),
            Trouble::UnauthorizedAfter => Refusal::new(401, "The request you have made requires authentication."),
            Trouble::LimitedAfter => Refusal::new(429, "Too many requests."),
            _ => Refusal::new(503, "The service is not available at the moment."),
        }
    }

    /// The value in the answer in place of the new object.
    pub(super) fn instead(self) -> Option<Value> {
        match self {
            Trouble::Hollow => Some(json!({})),
            Trouble::Surprise => Some("surprise".into()),
            _ => None,
        }
    }

    pub(super) fn drops(self) -> bool {
        matches!(self, Trouble::DroppedBefore | Trouble::DroppedAfter | Trouble::Late(_))
    }
}

/// The trouble for this request, if a fault matches it.
pub(super) fn take(faults: &mut Vec<Fault>, method: &str, path: &str) -> Option<Trouble> {
    let at = faults.iter().position(|fault| fault.method == method && path.ends_with(&fault.path))?;
    let fault = &mut faults[at];
    fault.times = fault.times.saturating_sub(1);
    let what = fault.what;
    if fault.times == 0 {
        faults.remove(at);
    }
    Some(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_it_says_and_where_it_says() {
        let what = Trouble::DroppedAfter;
        let mut faults = vec![Fault { method: "POST", path: "/executions".into(), times: 2, what }];
        assert_eq!(take(&mut faults, "GET", "/v1/p/transfers/t/executions"), None);
        assert_eq!(take(&mut faults, "POST", "/v1/p/transfers"), None);
        assert_eq!(take(&mut faults, "POST", "/v1/p/transfers/t/executions"), Some(what));
        assert_eq!(take(&mut faults, "POST", "/v1/p/transfers/t/executions"), Some(what));
        assert_eq!(take(&mut faults, "POST", "/v1/p/transfers/t/executions"), None);
    }
}
