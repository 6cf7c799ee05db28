//! The requests of a function, and the way each change is repeated when its answer was lost: declared by the row,
//! enforced by the tests.

use crate::client::{Request, Service};
use crate::model::Generation;

/// One request of a function, besides the look-ups of names and the reads of its guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sends {
    /// Method and path on a current server, `POST /transfers/{transfer}/executions`; `None` if only a legacy server
    /// gets it.
    pub current: Option<&'static str>,
    pub legacy: Option<&'static str>,
    pub service: Service,
    /// Continues "it is sent"; empty if every call sends it.
    pub when: &'static str,
    /// For a change: the reaction of a run that does not know if it was carried out.
    pub again: Option<Again>,
}

/// The way to repeat a change whose answer was lost, on a live connection or because the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The new object is found by the line that names the run and the step, in this field.
    Marked(&'static str),
    /// The earlier state is recorded: this shows that it was carried out.
    Compared(&'static str),
    /// It is sent again.
    Safe,
    /// Nothing shows it: somebody is asked.
    Asked,
}

impl Sends {
    /// A request that changes nothing.
    pub const fn reads(request: &'static str) -> Self {
        Self { current: Some(request), legacy: Some(request), service: Service::Coriolis, when: "", again: None }
    }

    pub const fn changes(request: &'static str, again: Again) -> Self {
        Self { again: Some(again), ..Self::reads(request) }
    }

    /// The request on a legacy server.
    #[must_use]
    pub const fn legacy(self, request: &'static str) -> Self {
        Self { legacy: Some(request), ..self }
    }

    #[must_use]
    pub const fn only(self, generation: Generation) -> Self {
        match generation {
            Generation::Current => Self { legacy: None, ..self },
            Generation::Legacy => Self { current: None, ..self },
        }
    }

    /// Sent only in some calls.
    #[must_use]
    pub const fn when(self, when: &'static str) -> Self {
        Self { when, ..self }
    }

    #[must_use]
    pub const fn to(self, service: Service) -> Self {
        Self { service, ..self }
    }

    pub fn of(&self, generation: Generation) -> Option<&'static str> {
        match generation {
            Generation::Current => self.current,
            Generation::Legacy => self.legacy,
        }
    }

    /// True if a request is this one. The path has no leading slash.
    pub fn is(&self, generation: Generation, method: &str, path: &str) -> bool {
        self.of(generation).and_then(|told| told.split_once(' ')).is_some_and(|(of, template)| {
            let (told, sent) = (template.trim_start_matches('/').split('/'), path.trim_start_matches('/').split('/'));
            let same = told.clone().zip(sent.clone()).all(|(told, sent)| told.starts_with('{') || told == sent);
            of == method && same && told.count() == sent.count()
        })
    }

    /// True if the request is this one in some generation, and is repeated in a way that `fits`.
    pub fn says(&self, request: &Request, fits: impl Fn(Again) -> bool) -> bool {
        let same = |generation| self.is(generation, request.method.word(), &request.path);
        self.service == request.service
            && self.again.is_some_and(fits)
            && [Generation::Current, Generation::Legacy].into_iter().any(same)
    }

    /// The request and its condition: `POST /transfers (legacy: POST /replicas), when there is none`; each request
    /// between two `quote`s.
    pub fn sentence(&self, quote: &str) -> String {
        let request = match (self.current, self.legacy) {
            (Some(current), Some(legacy)) if current != legacy => {
                format!("{quote}{current}{quote} (legacy: {quote}{legacy}{quote})")
            }
            (Some(only), None) => format!("{quote}{only}{quote} (current servers only)"),
            (None, Some(only)) => format!("{quote}{only}{quote} (legacy servers only)"),
            (Some(both), _) => format!("{quote}{both}{quote}"),
            (None, None) => "nothing".to_owned(),
        };
        let whom = self.whom().map(|whom| format!(" to {whom}")).unwrap_or_default();
        let when = if self.when.is_empty() { String::new() } else { format!(", {}", self.when) };
        format!("{request}{whom}{when}")
    }

    /// The service that gets it, if it is not Coriolis.
    pub fn whom(&self) -> Option<&'static str> {
        match self.service {
            Service::Coriolis => None,
            Service::Secrets => Some("Barbican"),
            Service::Logs => Some("the logging service"),
            Service::Licensing => Some("the licensing server"),
            Service::Sandbox => Some("the sandbox"),
        }
    }
}

impl Again {
    /// The reaction of a run that does not know if the change was carried out, without a period.
    pub fn sentence(self) -> String {
        match self {
            Again::Marked(field) => format!(
                "the new object is found by a line in its `{field}` that names the run; without one it is sent again"
            ),
            Again::Compared(sign) => {
                format!(
                    "{sign}, if it agrees with the request, shows that it was carried out; without one it is sent \
                     again; if it may be somebody else's, the run asks"
                )
            }
            Again::Safe => "it is sent again: a second time does no more than the first".to_owned(),
            Again::Asked => {
                "nothing on the server shows whether it was carried out: the run asks before it is sent again"
                    .to_owned()
            }
        }
    }

    /// The name for programs.
    pub fn key(self) -> &'static str {
        match self {
            Again::Marked(_) => "find_by_mark",
            Again::Compared(_) => "find_by_comparison",
            Again::Safe => "safe",
            Again::Asked => "ask",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_its_path_whatever_the_ids() {
        let told = Sends::changes("POST /transfers/{transfer}/executions", Again::Safe)
            .legacy("POST /replicas/{replica}/executions");
        assert!(told.is(Generation::Current, "POST", "transfers/8d71/executions"));
        assert!(told.is(Generation::Legacy, "POST", "replicas/8d71/executions"));
        assert!(!told.is(Generation::Current, "GET", "transfers/8d71/executions"));
        assert!(!told.is(Generation::Current, "POST", "transfers/8d71/executions/1"));
        assert!(!told.only(Generation::Legacy).is(Generation::Current, "POST", "transfers/8d71/executions"));
    }
}
