//! The declaration of a script function as a value: one row holds everything that registration, help, checks and the
//! journal need.

use strum::IntoStaticStr;

use crate::error::{Error, count};
use crate::language::returns::Returns;
use crate::language::sends::Sends;

/// The declaration of a function: everything that registration, help, checks and the journal need.
pub struct Spec {
    /// The official command's words with underscores, in the current generation's vocabulary.
    pub name: &'static str,
    /// Other names, mostly the other generation's; verb-first spellings are derived, see [`Spec::names`].
    pub aliases: &'static [&'static str],
    pub parameters: &'static [Parameter],
    pub returns: Returns,
    /// One imperative sentence with a period; says if it waits.
    pub summary: &'static str,
    /// The shared beginning of the example; empty if there is none.
    given: &'static str,
    /// A line or two that run on the sandbox after it.
    example: &'static str,
    /// The requests to the server, and how each is repeated after a crash.
    pub sends: &'static [Sends],
    pub effect: Effect,
    /// True if the name is a noun and a verb, so that `create_endpoint` is another spelling of `endpoint_create`.
    noun_verb: bool,
}

/// The effect of a function on the world; it decides how the journal treats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Effect {
    /// A function of its arguments alone.
    Pure,
    /// Reads the server, a file or the clock: recorded, so that a resumed script takes the same branch.
    Reads,
    /// Changes the server, in steps.
    Changes,
    /// Waits, or runs closures that do: records its own steps.
    Drives,
}

/// A positional parameter.
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    pub optional: bool,
    /// A description with its unit and its default.
    pub help: &'static str,
}

/// An option key.
pub struct Key {
    /// The API's field name.
    pub name: &'static str,
    /// The command line's flag words.
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    pub required: bool,
    /// Its value is always a secret.
    pub secret: bool,
    pub help: &'static str,
}

/// The kind of a value.
#[derive(Clone, Copy)]
pub enum Kind {
    Any,
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A text, usually one of these; a server may know others.
    Word(&'static [&'static str]),
    /// The path of a file, relative to the runbook's folder.
    Path,
    /// The name of an object of the cloud, as a text.
    Name(Noun),
    Integer,
    Flag,
    Map,
    /// An object map from the names of one kind to the names of another.
    Mapping(Noun, Noun),
    List,
    /// A list of texts, or one text for a list of one.
    Texts,
    /// Names of objects of the cloud: a list of texts, or one text for a list of one.
    Names(Noun),
    /// A list of object maps with these keys and no others.
    Rows(&'static [&'static [Key]]),
    Closure,
    /// `"90s"`, `"2h 30m"`, or a number of seconds.
    Duration,
    /// A count, or a percentage as text (`"10%"`).
    Budget,
    /// An id, an object with an `id`, or a unique name.
    Reference(Noun),
    /// An object map with these keys and no others.
    Options(&'static [&'static [Key]]),
}

/// The kind of object that a reference refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Noun {
    Endpoint,
    Transfer,
    Execution,
    Deployment,
    /// A copy and a deployment in one.
    Migration,
    Instance,
    Network,
    Storage,
    Schedule,
    Region,
    Service,
    MinionPool,
    Secret,
}

impl Kind {
    /// The word for it in messages.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Any => "a value",
            Kind::Text | Kind::Choice(_) | Kind::Word(_) | Kind::Path | Kind::Name(_) => "a text",
            Kind::Integer => "a whole number",
            Kind::Flag => "true or false",
            Kind::Map | Kind::Mapping(..) => "an object map",
            Kind::List => "a list",
            Kind::Rows(_) => "a list of object maps",
            Kind::Texts | Kind::Names(_) => "a text or a list of texts",
            Kind::Closure => "a closure",
            Kind::Duration => "a duration (\"90s\", \"2h 30m\", or seconds)",
            Kind::Budget => "a count or a percentage (\"10%\")",
            Kind::Reference(noun) => noun.word(),
            Kind::Options(_) => "an object map of options",
        }
    }
}

impl Kind {
    /// The name for programs.
    pub fn key(self) -> &'static str {
        match self {
            Kind::Any => "any",
            Kind::Text | Kind::Choice(_) | Kind::Word(_) | Kind::Path | Kind::Name(_) => "text",
            Kind::Integer => "integer",
            Kind::Flag => "flag",
            Kind::Map | Kind::Mapping(..) => "map",
            Kind::List | Kind::Rows(_) => "list",
            Kind::Texts | Kind::Names(_) => "texts",
            Kind::Closure => "closure",
            Kind::Duration => "duration",
            Kind::Budget => "budget",
            Kind::Reference(_) => "reference",
            Kind::Options(_) => "options",
        }
    }
}

impl Kind {
    /// The texts that it is one of, or usually one of.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Kind::Choice(words) | Kind::Word(words) => words,
            _ => &[],
        }
    }

    /// The keys of the object map that it is, or of each object map in the list that it is.
    pub fn keys(self) -> impl Iterator<Item = &'static Key> {
        let groups: &'static [&'static [Key]] = match self {
            Kind::Options(groups) | Kind::Rows(groups) => groups,
            _ => &[],
        };
        groups.iter().copied().flatten()
    }

    /// The kind of object that it refers to or names.
    pub fn noun(self) -> Option<Noun> {
        match self {
            Kind::Reference(noun) | Kind::Name(noun) | Kind::Names(noun) => Some(noun),
            _ => None,
        }
    }
}

impl Effect {
    /// The name for programs.
    pub fn key(self) -> &'static str {
        self.into()
    }

    pub fn word(self) -> &'static str {
        match self {
            Effect::Pure => "nothing but its arguments",
            Effect::Reads => "reads",
            Effect::Changes => "changes the server",
            Effect::Drives => "waits, or runs closures",
        }
    }
}

impl Noun {
    /// The name for programs.
    pub fn key(self) -> &'static str {
        self.into()
    }

    /// The singular and the plural, for people.
    pub fn plain(self) -> (&'static str, &'static str) {
        match self {
            Noun::Endpoint => ("endpoint", "endpoints"),
            Noun::Transfer => ("replica", "replicas"),
            Noun::Execution => ("execution", "executions"),
            Noun::Deployment => ("deployment", "deployments"),
            Noun::Migration => ("migration", "migrations"),
            Noun::Instance => ("instance", "instances"),
            Noun::Network => ("network", "networks"),
            Noun::Storage => ("storage backend", "storage backends"),
            Noun::Schedule => ("schedule", "schedules"),
            Noun::Region => ("region", "regions"),
            Noun::Service => ("service", "services"),
            Noun::MinionPool => ("minion pool", "minion pools"),
            Noun::Secret => ("secret", "secrets"),
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Noun::Endpoint => "an endpoint (its id, its name, or the object)",
            Noun::Transfer => "a replica (its id, the object, or the name of its VM)",
            Noun::Execution => "an execution (its id or the object)",
            Noun::Deployment => "a deployment (its id or the object)",
            Noun::Migration => "a migration (its id or the object)",
            Noun::Instance => "an instance (its name, its id, or the object)",
            Noun::Network => "a network (its name or its id)",
            Noun::Storage => "a storage backend (its name)",
            Noun::Schedule => "a schedule (its id or the object)",
            Noun::Region => "a region (its id, its name, or the object)",
            Noun::Service => "a service (its id or the object)",
            Noun::Secret => "a secret (its reference, its id, or the object)",
            Noun::MinionPool => "a minion pool (its id, its name, or the object)",
        }
    }
}

impl Parameter {
    pub const fn required(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, optional: false, help }
    }

    pub const fn optional(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, optional: true, help }
    }
}

impl Key {
    pub const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, aliases: &[], kind, required: false, secret: false, help }
    }

    #[must_use]
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    #[must_use]
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// True if the key may be written like this.
    pub fn answers_to(&self, word: &str) -> bool {
        self.name == word || self.aliases.contains(&word)
    }
}

/// The beginning of examples that need a replica.
pub const A_REPLICA: &str = "let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });\n";

impl Spec {
    /// A function of its arguments alone.
    pub const fn pure(name: &'static str, summary: &'static str) -> Self {
        Self::new(Effect::Pure, name, summary)
    }

    /// A function that reads the server, a file or the clock.
    pub const fn reads(name: &'static str, summary: &'static str) -> Self {
        Self::new(Effect::Reads, name, summary)
    }

    /// A function that changes the server, in steps.
    pub const fn changes(name: &'static str, summary: &'static str) -> Self {
        Self::new(Effect::Changes, name, summary)
    }

    /// A function that waits, or runs closures that do.
    pub const fn drives(name: &'static str, summary: &'static str) -> Self {
        Self::new(Effect::Drives, name, summary)
    }

    const fn new(effect: Effect, name: &'static str, summary: &'static str) -> Self {
        let returns = Returns::NOTHING;
        let (given, example) = ("", "");
        Self {
            name,
            aliases: &[],
            parameters: &[],
            returns,
            summary,
            given,
            example,
            sends: &[],
            effect,
            noun_verb: false,
        }
    }

    #[must_use]
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Gives every name its verb-first spelling as well.
    #[must_use]
    pub const fn noun_verb(self) -> Self {
        Self { noun_verb: true, ..self }
    }

    #[must_use]
    pub const fn parameters(self, parameters: &'static [Parameter]) -> Self {
        Self { parameters, ..self }
    }

    #[must_use]
    pub const fn returns(self, returns: Returns) -> Self {
        Self { returns, ..self }
    }

    #[must_use]
    pub const fn sends(self, sends: &'static [Sends]) -> Self {
        Self { sends, ..self }
    }

    /// Lets the example begin with `given`, which ends with a line break.
    #[must_use]
    pub const fn given(self, given: &'static str) -> Self {
        Self { given, ..self }
    }

    #[must_use]
    pub const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// The whole example: a few lines that run on the sandbox.
    pub fn whole_example(&self) -> String {
        format!("{}{}", self.given, self.example)
    }

    /// Every spelling: the name, the aliases, and the verb-first form of each (`list_endpoint_instance`).
    pub fn names(&self) -> Vec<String> {
        let written = std::iter::once(self.name).chain(self.aliases.iter().copied());
        let mut names: Vec<String> = written.clone().map(str::to_owned).collect();
        if self.noun_verb {
            names.extend(written.filter_map(verb_first).filter(|name| !self.aliases.contains(&name.as_str())));
        }
        names
    }

    /// True if it may run a closure of the script.
    pub fn takes_closure(&self) -> bool {
        self.effect == Effect::Drives && self.parameters.iter().any(|parameter| matches!(parameter.kind, Kind::Closure))
    }

    /// The smallest and the largest number of arguments.
    pub fn arity(&self) -> (usize, usize) {
        let required = self.parameters.iter().filter(|parameter| !parameter.optional).count();
        (required, self.parameters.len())
    }

    /// `replica_create(options)`, with optional parameters in brackets.
    pub fn signature(&self) -> String {
        self.signature_as(self.name)
    }

    /// The same under another of its names.
    pub fn signature_as(&self, name: &str) -> String {
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(
                |parameter| {
                    if parameter.optional { format!("[{}]", parameter.name) } else { parameter.name.to_owned() }
                },
            )
            .collect();
        format!("{name}({})", parameters.join(", "))
    }

    /// The index of the parameter for each of `count` arguments: optional ones are left out if there are too few.
    pub fn assign(&self, count: usize) -> Vec<usize> {
        let (required, _) = self.arity();
        let mut spare = count.saturating_sub(required);
        let mut taken = Vec::with_capacity(count);
        for (index, parameter) in self.parameters.iter().enumerate() {
            if parameter.optional {
                if spare == 0 {
                    continue;
                }
                spare -= 1;
            }
            taken.push(index);
        }
        taken
    }

    /// The refusal of a call under that name with too many or too few arguments.
    pub fn wrong_arity(&self, name: &str, given: usize) -> Error {
        let (least, most) = self.arity();
        let wanted = match (least, most) {
            (least, most) if least == most => count(least, "argument"),
            (least, most) => format!("{least} to {most} arguments"),
        };
        let signature = self.signature_as(name);
        Error::script(format!("`{name}` takes {wanted}, not {given}")).hint(format!("`{signature}`"))
    }
}

/// `endpoint_instance_list` is also `list_endpoint_instance`.
fn verb_first(name: &str) -> Option<String> {
    let (noun, verb) = name.rsplit_once('_')?;
    Some(format!("{verb}_{noun}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(parameters: &'static [Parameter]) -> Spec {
        Spec::pure("transfer_execution_list", "")
            .aliases(&["replica_execution_list"])
            .noun_verb()
            .parameters(parameters)
    }

    #[test]
    fn every_spelling_has_its_verb_first_form() {
        assert_eq!(
            row(&[]).names(),
            ["transfer_execution_list", "replica_execution_list", "list_transfer_execution", "list_replica_execution"]
        );
    }

    #[test]
    fn an_optional_parameter_in_the_middle_may_be_left_out() {
        static PARAMETERS: [Parameter; 4] = [
            Parameter::required("name", Kind::Text, ""),
            Parameter::required("items", Kind::List, ""),
            Parameter::optional("options", Kind::Map, ""),
            Parameter::required("body", Kind::Closure, ""),
        ];
        let row = row(&PARAMETERS);
        assert_eq!(row.arity(), (3, 4));
        assert_eq!(row.assign(3), [0, 1, 3]);
        assert_eq!(row.assign(4), [0, 1, 2, 3]);
        assert_eq!(row.signature(), "transfer_execution_list(name, items, [options], body)");
    }
}
