//! Failures, in one type that every floor understands: a kind with its exit code, a message, a hint.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use strum::{EnumString, IntoStaticStr};

/// The detail with the seconds after which the server wants to be asked again.
pub const RETRY_AFTER: &str = "retry_after";

/// The detail of a guard's refusal: the option that overrides it; null if none does.
pub const OVERRIDE: &str = "override";

/// The detail of a change of unknown outcome.
pub const MAYBE_APPLIED: &str = "maybe_applied";

/// The detail of a login whose connection was accepted, and then broke.
pub const BROKEN: &str = "broken";

/// The detail of a refused login that was accepted before in this process.
pub const ACCEPTED_BEFORE: &str = "accepted_before";

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The sort of a failure; scripts see it as `e.kind`, the shell as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// The script is wrong: syntax, unknown name, wrong argument, unknown key, or an uncaught `throw`.
    Script,
    /// The input from outside is wrong: flags, parameters, files, settings.
    Input,
    /// The server did not answer, or the answer is not that of a Coriolis API.
    Unreachable,
    /// The credentials were refused, or are missing.
    Login,
    /// The server refused a request; `status` has its code.
    Api,
    /// The thing asked for does not exist (404, or no match for a name).
    NotFound,
    /// The thing asked for exists more than once, so a name does not say which.
    Ambiguous,
    /// A guard refused: the request would have done harm, which the message describes.
    Refused,
    /// The target of a wait failed; `task` and `exception_details` give the cause.
    Failed,
    /// The target of a wait was cancelled.
    Cancelled,
    /// A deadline passed.
    Timeout,
    /// A change was sent and it may or may not have been applied. Cannot be caught by a script.
    Unknown,
    /// The operator asked to stop. Cannot be caught by a script.
    Interrupted,
    /// Items of a wave failed.
    ItemsFailed,
    /// The run would take another way than its journal recorded. Cannot be caught by a script.
    Mismatch,
    /// A gate is closed until somebody answers. Cannot be caught by a script.
    NeedsAnswer,
    /// The journal cannot be read, or not be written at its place: nothing may be sent. Cannot be caught by a script.
    Journal,
    /// A disk, or the target of stdout, is full. Nothing may be sent that cannot be recorded. Cannot be caught by a
    /// script.
    Storage,
    /// This machine, or a limit of the process, has no room for more.
    Limit,
    /// A bug of this program.
    Internal,
}

/// Exit codes: published, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    Done,
    Runbook,
    Input,
    ItemsFailed,
    Unreachable,
    Login,
    Paused,
    JournalMismatch,
    NeedsAnswer,
    Storage,
    /// Sources are off, or may be, and their VMs do not run at their targets; it wins over the others.
    SourceOff,
    Internal,
    /// The one that a runbook chose with `exit`.
    Chosen(u8),
}

impl ExitCode {
    pub const fn number(self) -> u8 {
        match self {
            ExitCode::Done => 0,
            ExitCode::Runbook => 1,
            ExitCode::Input => 2,
            ExitCode::ItemsFailed => 3,
            ExitCode::Unreachable => 4,
            ExitCode::Login => 5,
            ExitCode::Paused => 6,
            ExitCode::JournalMismatch => 7,
            ExitCode::NeedsAnswer => 8,
            ExitCode::Storage => 9,
            ExitCode::SourceOff => 10,
            ExitCode::Internal => 70,
            ExitCode::Chosen(code) => code,
        }
    }

    /// The exit code when sources are off: nobody may overlook that.
    #[must_use]
    pub fn with_sources_off(self, any: bool) -> Self {
        if any && self != ExitCode::Internal { ExitCode::SourceOff } else { self }
    }
}

impl Kind {
    /// The exit code of a run that ends with this kind of error.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Kind::Script
            | Kind::Api
            | Kind::NotFound
            | Kind::Ambiguous
            | Kind::Refused
            | Kind::Failed
            | Kind::Cancelled
            | Kind::Timeout
            | Kind::Limit => ExitCode::Runbook,
            Kind::Input | Kind::Journal => ExitCode::Input,
            Kind::Storage => ExitCode::Storage,
            Kind::Mismatch => ExitCode::JournalMismatch,
            Kind::ItemsFailed => ExitCode::ItemsFailed,
            Kind::Unreachable => ExitCode::Unreachable,
            Kind::Login => ExitCode::Login,
            Kind::Interrupted => ExitCode::Paused,
            Kind::Unknown | Kind::NeedsAnswer => ExitCode::NeedsAnswer,
            Kind::Internal => ExitCode::Internal,
        }
    }

    /// True if a script must not catch it and go on.
    pub fn is_final(self) -> bool {
        use Kind::{Internal, Interrupted, Journal, Mismatch, NeedsAnswer, Storage, Unknown};
        matches!(self, Interrupted | Unknown | Internal | Mismatch | NeedsAnswer | Journal | Storage)
    }

    /// The word that scripts and JSON output use.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// The prospect of sending the same request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// The same result: the answer is final.
    Final,
    /// The same result for now; another once a person has seen to it: a wrong URL, a password, something that the
    /// source's or the target's cloud lacks.
    Later,
    /// Another result: this time the server failed, or the answer was damaged on the way.
    Better,
    /// An answer, once the server is back or less busy: it has not looked at the request.
    Back,
}

/// A failure: its kind, a message, and what to do about it.
#[derive(Clone, Debug)]
pub struct Error {
    pub kind: Kind,
    /// A lowercase fragment without a period.
    pub message: String,
    /// The advice: an imperative without a period.
    pub hint: Option<String>,
    /// Further facts, under the names that a script reads them by (`status`, `method`, `path`, `request_id`, `task`,
    /// ...).
    pub details: Map<String, Value>,
    pub source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, details: Map::new(), source: None }
    }

    pub fn script(message: impl Into<String>) -> Self {
        Self::new(Kind::Script, message)
    }

    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Kind::Input, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted by the operator")
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Puts a context before the message: `context: message`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// The one verdict whether asking again is worth it: for the client, for the watcher, and for a resumed run that
    /// finds such an error at the end of its records.
    pub fn prospect(&self) -> Prospect {
        // Below an endpoint a 500 or a 503 is a failure of the cloud or the provider, after seconds of work.
        let provider = || {
            let path = self.details.get("path").and_then(Value::as_str);
            self.kind == Kind::Api && path.is_some_and(|path| path.starts_with("endpoints/"))
        };
        match (self.kind, self.status()) {
            (Kind::Login, _) => Prospect::Later,
            (Kind::Unreachable, None) => Prospect::Back,
            (Kind::Unreachable | Kind::Api, Some(408 | 429 | 502 | 504)) => Prospect::Back,
            (Kind::Unreachable, Some(503)) => Prospect::Back,
            (Kind::Api, Some(503)) if self.details.contains_key(RETRY_AFTER) => Prospect::Back,
            (Kind::Unreachable | Kind::Api, Some(501)) => Prospect::Later,
            (Kind::Api, Some(500..)) if provider() => Prospect::Later,
            // A redirect is that of a gate before the server: a page of maintenance, a login.
            (Kind::Unreachable | Kind::Api, Some(200..=399 | 500..=599)) => Prospect::Better,
            (Kind::Unreachable, _) => Prospect::Later,
            _ => Prospect::Final,
        }
    }

    /// The HTTP status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.details.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok())
    }
}

/// The causes of failed attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Causes<Cause> {
    /// The cause of the last failed attempt.
    pub last: Option<Cause>,
    /// The cause of the first failed attempt, if several failed.
    pub first: Option<Cause>,
}

impl<Cause> Default for Causes<Cause> {
    fn default() -> Self {
        Self { last: None, first: None }
    }
}

impl<Cause> Causes<Cause> {
    /// Adds the cause of another failed attempt.
    pub fn add(&mut self, cause: Cause) {
        if let Some(before) = self.last.replace(cause) {
            self.first.get_or_insert(before);
        }
    }

    pub fn map<Other>(self, with: impl Fn(Cause) -> Other) -> Causes<Other> {
        Causes { last: self.last.map(&with), first: self.first.map(&with) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// An operating system's message without its number.
pub fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(message, _)| message.to_lowercase())
}

/// The error when the machine has no room for more threads: `what` lacks its own.
pub fn no_thread(what: &str, error: &std::io::Error) -> Error {
    Error::new(Kind::Limit, format!("cannot start a thread for {what}: {}", plain(error)))
        .hint("lower `limit`, or raise `ulimit -u` and `ulimit -v`")
}

/// `1 replica`, `2 replicas`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The candidate nearest to `word`, if one is near enough to be meant.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (written, word) = (word, word.to_lowercase());
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let near = candidates
        .iter()
        .copied()
        .filter(|candidate| *candidate != written)
        .map(|candidate| {
            (
                strsim::jaro_winkler(&word, &candidate.to_lowercase()),
                strsim::damerau_levenshtein(&word, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, edits, candidate)| {
            // Half of a short word is another word: `wave` is not meant by `name`.
            let is_near = *edits < 2 || (*edits <= 2.max(candidate.len() / 4) && edits * 2 < word.chars().count());
            is_near || *likeness > 0.92
        })
        .min_by(|a, b| a.1.cmp(&b.1).then(b.0.total_cmp(&a.0)))
        .map(|(_, edits, candidate)| (edits, candidate));
    // Abbreviated: `destination_env` for `destination_environment`, but not for `destination_endpoint`.
    let cut = |candidate: &&str| word.len() >= 6 && candidate.to_lowercase().starts_with(&word);
    let longer = candidates.iter().copied().filter(|candidate| candidate.len() > word.len()).filter(cut);
    if let Some(whole) =
        longer.min_by_key(|candidate| candidate.len()).filter(|_| near.is_none_or(|(edits, _)| edits > 2))
    {
        return Some(whole);
    }
    let near = near.map(|(_, candidate)| candidate);
    // A word that begins with it, except for its last letter: `net` for `network`, `retry` for `retries`.
    let begins = |candidate: &&str| {
        let same = word.chars().zip(candidate.to_lowercase().chars()).take_while(|(one, other)| one == other).count();
        same >= 3 && same + 1 >= word.chars().count()
    };
    near.or_else(|| candidates.into_iter().filter(begins).min_by_key(|candidate| candidate.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let names = ["replica_create", "replica_ensure", "endpoint_list"];
        assert_eq!(suggest("replica_crate", names), Some("replica_create"));
        assert_eq!(suggest("endpoints_list", names), Some("endpoint_list"));
        assert_eq!(suggest("zebra", names), None);
        assert_eq!(suggest("name", ["Wave", "DNS Name", "VM"]), None);
        assert_eq!(suggest("nmae", ["Wave", "Name"]), Some("Name"));
        assert_eq!(suggest("net", ["name", "network_map", "network"]), Some("network"));
        let ends = ["destination_endpoint", "destination_environment", "destination_environment_file"];
        assert_eq!(suggest("destination_env", ends), Some("destination_environment"));
        assert_eq!(suggest("retry", ["requires", "retries"]), Some("retries"));
        assert_eq!(suggest("wave", ["wives", "Wave", "wave"]), Some("Wave"), "another case is the nearest");
    }

    #[test]
    fn each_failure_has_one_prospect() {
        let of = |kind: Kind, status: u16| Error::new(kind, "no").detail("status", status);
        let below = |status: u16| of(Kind::Api, status).detail("path", "endpoints/E/instances");
        let table = [
            (Error::new(Kind::Unreachable, "connection refused"), Prospect::Back),
            (of(Kind::Unreachable, 502), Prospect::Back),
            (of(Kind::Unreachable, 503), Prospect::Back),
            (of(Kind::Api, 429), Prospect::Back),
            (of(Kind::Api, 504), Prospect::Back),
            (of(Kind::Api, 503).detail(RETRY_AFTER, 3), Prospect::Back),
            (of(Kind::Api, 503), Prospect::Better),
            (of(Kind::Api, 500), Prospect::Better),
            (of(Kind::Unreachable, 500), Prospect::Better),
            (of(Kind::Unreachable, 200), Prospect::Better),
            (of(Kind::Unreachable, 404), Prospect::Later),
            (of(Kind::Unreachable, 302), Prospect::Better),
            (of(Kind::Api, 501), Prospect::Later),
            (of(Kind::Api, 400), Prospect::Final),
            (of(Kind::NotFound, 404), Prospect::Final),
            (of(Kind::Login, 401), Prospect::Later),
            (below(500), Prospect::Later),
            (below(503), Prospect::Later),
            (below(503).detail(RETRY_AFTER, 3), Prospect::Back),
            (below(504), Prospect::Back),
            (Error::interrupted(), Prospect::Final),
            (Error::new(Kind::Timeout, "the deadline passed"), Prospect::Final),
        ];
        let wrong: Vec<_> = table.iter().filter(|(error, expected)| error.prospect() != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(count(1, "replica"), "1 replica");
        assert_eq!(count(0, "replica"), "0 replicas");
    }
}
