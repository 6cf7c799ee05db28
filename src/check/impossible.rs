//! Calls that no server can carry out, in either generation: contradictory or incomplete options, and options of which
//! each generation lacks one.

use jiff::Timestamp;
use rhai::{Expr, Ident, Position};
use serde_json::{Map, Value};

use crate::check::program::File;
use crate::check::program::Told;
use crate::check::written::{are_together, flag, is_sure};
use crate::client::schedules::{PARTS, end};
use crate::client::{deployments, executions, migrations, transfers};
use crate::error::{Error, Result};
use crate::language::spec::{Key, Spec};
use crate::language::value::to_shown;
use crate::model::Generation;
use crate::report::values::diagnostic::Severity;

/// An object map of options that is written as a literal.
struct Written<'a> {
    row: &'static Spec,
    /// The function's name as the script spells it.
    name: &'a str,
    fields: &'a [(Ident, Expr)],
    position: Position,
}

/// The reasons why an object map of options cannot work, with their positions.
pub fn nobody_can(row: &'static Spec, name: &str, options: &Expr, now: Timestamp) -> Vec<(Error, Position)> {
    let Expr::Map(fields, position) = options else { return Vec::new() };
    let written = Written { row, name, fields: &fields.0, position: *position };
    [
        written.time(),
        written.end(now),
        written.connection(),
        written.nothing(),
        written.instances(),
        written.pool(),
        written.licence(),
        written.generation(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Written<'_> {
    fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.row.parameters.iter().flat_map(|parameter| parameter.kind.keys())
    }

    /// The value of a key, under any of its names.
    fn get(&self, name: &str) -> Option<(&Ident, &Expr)> {
        let key = self.keys().find(|key| key.name == name)?;
        let (word, value) = self.fields.iter().find(|(word, _)| key.answers_to(&word.name))?;
        Some((word, value)).filter(|(_, value)| !matches!(value, Expr::Unit(_)))
    }

    /// A misspelt key is usually the missing one.
    fn is_misspelt(&self) -> bool {
        self.fields.iter().any(|(word, _)| !self.keys().any(|key| key.answers_to(&word.name)))
    }

    /// The value of a key that is certainly set.
    fn sure(&self, name: &str) -> Option<(&Ident, &Expr)> {
        self.get(name).filter(|(_, value)| is_sure(value))
    }

    /// Checks the time of a schedule.
    fn time(&self) -> Option<(Error, Position)> {
        if !matches!(self.row.name, "transfer_schedule_create" | "transfer_schedule_update") {
            return None;
        }
        let part = PARTS.iter().find_map(|part| self.get(part));
        let whole = self.get("schedule");
        if let (Some((word, part)), Some((_, whole))) = (part, whole)
            && are_together(part, whole)
        {
            let error = Error::script("the time is given twice, as `schedule` and by its parts");
            return Some((error.hint(format!("leave out `schedule`, or `{}`", word.name)), word.pos));
        }
        let minute = match whole {
            Some((_, Expr::Map(parts, _))) => parts.0.iter().any(|(word, _)| word.name == "minute"),
            // It is computed.
            Some(_) => true,
            None => self.get("minute").is_some(),
        };
        if minute || self.is_misspelt() || self.row.name != "transfer_schedule_create" {
            return None;
        }
        let error = Error::script(format!("`{}` needs a `minute`: without one it would run every minute", self.name));
        Some((error.hint("add `minute: 0`"), self.position))
    }

    /// Checks the end of a schedule.
    fn end(&self, now: Timestamp) -> Option<(Error, Position)> {
        let (word, value) = self.get("expiration_date")?;
        if let Some((never, no)) = self.get("no_expiration_date")
            && flag(no) == Some(true)
            && are_together(value, no)
        {
            let error = Error::script(format!(
                "`expiration_date` and `no_expiration_date` of `{}` contradict each other",
                self.name
            ));
            return Some((error.hint("leave one of them out"), never.pos));
        }
        let Expr::StringConstant(text, _) = value else { return None };
        let error = end(text, now).err()?;
        let error = if error.hint.is_none() { error.hint("give a moment that is still to come") } else { error };
        Some((error, word.pos))
    }

    fn connection(&self) -> Option<(Error, Position)> {
        let itself = self.get("connection_info").or_else(|| self.get("connection_file"));
        let secret = self.get("connection_secret");
        if self.row.name == "endpoint_create" && itself.is_none() && secret.is_none() && !self.is_misspelt() {
            let error = Error::script(format!("`{}` has no connection", self.name));
            return Some((error.hint("add `connection`, `connection_file` or `connection_secret`"), self.position));
        }
        let ((itself, one), (secret, two)) = (itself?, secret?);
        if !are_together(one, two) {
            return None;
        }
        let error = Error::script("the connection is given twice, itself and as a secret");
        Some((error.hint(format!("leave out `{}` or `{}`", itself.name, secret.name)), secret.pos))
    }

    /// Refuses a change of nothing.
    fn nothing(&self) -> Option<(Error, Position)> {
        if !self.row.name.ends_with("_update") || !self.fields.is_empty() {
            return None;
        }
        let error = Error::script(format!("`{}` has nothing to change", self.name));
        Some((error.hint("name the fields to change in the object map"), self.position))
    }

    fn instances(&self) -> Option<(Error, Position)> {
        let (word, value) = self.get("instances")?;
        let empty = matches!(value, Expr::Array(items, _) if items.is_empty());
        empty.then(|| (Error::script(format!("`{}` is empty", word.name)).hint("name at least one VM"), word.pos))
    }

    /// Checks a pool that every server refuses.
    fn pool(&self) -> Option<(Error, Position)> {
        let text = |name| match self.sure(name)?.1 {
            Expr::StringConstant(text, position) => Some((text.as_str(), *position)),
            _ => None,
        };
        let number = |name| match self.sure(name)?.1 {
            Expr::IntegerConstant(number, position) => Some((*number, *position)),
            _ => None,
        };
        if let (Some(("source", _)), Some((system, position))) = (text("platform"), text("os_type"))
            && system != "linux"
            && self.row.name.starts_with("minion_pool_")
        {
            let error = Error::script(format!("a pool at a source is of `linux`, not of `{system}`"));
            return Some((error.hint("write `os_type: \"linux\"`"), position));
        }
        let ((least, _), (most, position)) = (number("minimum_minions")?, number("maximum_minions")?);
        let error = Error::script(format!("`maximum_minions` is {most} and `minimum_minions` is {least}"));
        (most < least).then(|| (error.hint("the maximum must not be less than the minimum"), position))
    }

    fn licence(&self) -> Option<(Error, Position)> {
        let given = || self.get("licence_pem").or_else(|| self.get("licence_pem_file"));
        if self.row.name != "licensing_licence_register" || given().is_some() || self.is_misspelt() {
            return None;
        }
        let error = Error::script(format!("`{}` has no licence", self.name));
        Some((error.hint("add `licence_pem_file`, or `licence_pem`"), self.position))
    }

    /// Checks for options that neither generation supports.
    fn generation(&self) -> Option<(Error, Position)> {
        let (current, legacy) = (self.refused_by(Generation::Current)?, self.refused_by(Generation::Legacy)?);
        let error = Error::script(format!(
            "no server can do this `{}`: {}, and {}",
            self.name, current.message, legacy.message
        ));
        let hints: Vec<String> = [current.hint, legacy.hint].into_iter().flatten().collect();
        let position = self.get("replication_count").map_or(self.position, |(word, _)| word.pos);
        Some((error.hint(hints.join("; or ")), position))
    }

    /// The refusal of such a call by a server of this generation.
    fn refused_by(&self, generation: Generation) -> Option<Error> {
        let mut fields = Map::new();
        for (word, value) in self.fields {
            let Some(key) = self.keys().find(|key| key.answers_to(&word.name)) else { continue };
            // A computed value may be anything.
            if let Some(value) = value.get_literal_value(None) {
                fields.insert(key.name.to_owned(), to_shown(&value));
            }
        }
        can(self.row.name, generation, fields).err()
    }
}

/// The only generation whose servers can carry out such a call.
pub fn needs(row: &'static Spec, name: &str, arguments: &[Expr]) -> Option<Generation> {
    let only_sent_to = || match row.sends {
        [] => None,
        sends if sends.iter().all(|sends| sends.legacy.is_none()) => Some(Generation::Current),
        sends if sends.iter().all(|sends| sends.current.is_none()) => Some(Generation::Legacy),
        _ => None,
    };
    let by_words = || {
        let fields = arguments.iter().find_map(|argument| match argument {
            Expr::Map(fields, position) => Some(Written { row, name, fields: &fields.0, position: *position }),
            _ => None,
        })?;
        match (fields.refused_by(Generation::Current), fields.refused_by(Generation::Legacy)) {
            (None, Some(_)) => Some(Generation::Current),
            (Some(_), None) => Some(Generation::Legacy),
            _ => None,
        }
    };
    only_sent_to().or_else(by_words)
}

/// The error for a runbook with calls for servers of different generations.
pub fn no_server(only: &[(Generation, String, usize, Position)], files: &[File]) -> Option<Told> {
    let first = |wanted| only.iter().position(|(generation, ..)| *generation == wanted);
    let (current, legacy) = (first(Generation::Current)?, first(Generation::Legacy)?);
    let (_, before, at, line) = &only[current.min(legacy)];
    let (generation, name, file, position) = &only[current.max(legacy)];
    let place = match (at == file, line.line()) {
        (true, Some(line)) => format!("in line {line}"),
        (_, line) => format!("in {}, line {}", files[*at].name, line.unwrap_or(1)),
    };
    let other = if *generation == Generation::Current { Generation::Legacy } else { Generation::Current };
    let message = format!(
        "no server can carry out this runbook: `{name}` here needs a {} one, and `{before}` {place} a {} one",
        generation.word(),
        other.word()
    );
    let error = Error::script(message).hint("make a runbook of its own for each of the two servers");
    Some(Told { file: *file, severity: Severity::Error, error, position: *position })
}

/// Checks, by the words of the call alone, that a server of that generation can be asked for it.
fn can(function: &str, generation: Generation, fields: Map<String, Value>) -> Result<()> {
    let id = "00000000-0000-0000-0000-000000000000";
    match function {
        "transfer_create" | "transfer_ensure" => transfers::create(generation, switches(fields)).map(drop),
        "transfer_update" => transfers::update(generation, id, switches(fields)).map(drop),
        "transfer_execute" | "transfer_sync" => executions::create(generation, id, fields).map(drop),
        "deployment_create" | "transfer_deploy" => deployments::create(generation, switches(fields)).map(drop),
        "migration_create" if generation == Generation::Legacy => {
            if fields.get("scenario").is_some_and(|scenario| scenario == "live_migration") {
                return Err(
                    Error::script("a legacy server has no scenario `live_migration`").hint("leave out `scenario`")
                );
            }
            migrations::create(generation, fields).map(drop)
        }
        "migration_create" if fields.contains_key("replication_count") => {
            Err(Error::script("a current server copies once and has no `replication_count`")
                .hint("leave out `replication_count`"))
        }
        _ => Ok(()),
    }
}

/// Merges a switch and its opposite, which are one field of the request.
fn switches(mut fields: Map<String, Value>) -> Map<String, Value> {
    for (no, yes) in [("dont_clone_disks", "clone_disks"), ("os_morphing", "skip_os_morphing")] {
        if let Some(Value::Bool(value)) = fields.remove(no) {
            fields.insert(yes.to_owned(), (!value).into());
        }
    }
    fields
}
