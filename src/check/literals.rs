//! The kinds of literal arguments in a call. Computed values are checked by the run.

use rhai::{Expr, Position};

use crate::check::written::{are_together, flag, is_sure};
use crate::duration;
use crate::error::{Error, count, suggest};
use crate::language::arguments::{no_choice, unknown_key};
use crate::language::captures::closure_name;
use crate::language::catalog::Catalog;
use crate::language::spec::{Key, Kind, Spec};
use crate::wave::Budget;

/// Takes a mistake and its position.
pub type Found<'a> = dyn FnMut(Error, Position) + 'a;

/// The kind of a literal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Literal<'a> {
    Unit,
    Flag,
    Integer(i64),
    Float,
    /// With its text, if it is known completely.
    Text(Option<&'a str>),
    List,
    Map,
    Closure,
}

fn literal(expression: &Expr) -> Option<Literal<'_>> {
    Some(match expression {
        Expr::Unit(_) => Literal::Unit,
        Expr::BoolConstant(..) => Literal::Flag,
        Expr::IntegerConstant(number, _) => Literal::Integer(*number),
        Expr::FloatConstant(..) => Literal::Float,
        Expr::StringConstant(text, _) => Literal::Text(Some(text)),
        Expr::InterpolatedString(..) => Literal::Text(None),
        Expr::Array(..) => Literal::List,
        Expr::Map(..) => Literal::Map,
        _ if closure_name(expression).is_some() => Literal::Closure,
        _ => return None,
    })
}

/// True if the kind of the expression shows from its form.
pub fn is_literal(expression: &Expr) -> bool {
    literal(expression).is_some()
}

impl Literal<'_> {
    fn word(self) -> &'static str {
        match self {
            Literal::Unit => "nothing `()`",
            Literal::Flag => "true or false",
            Literal::Integer(_) => "a whole number",
            Literal::Float => "a number",
            Literal::Text(_) => "a text",
            Literal::List => "a list",
            Literal::Map => "an object map",
            Literal::Closure => "a closure",
        }
    }
}

/// Checks a value against the wanted kind; `what` names the place, `word` is its key or parameter.
pub fn check_value(catalog: &Catalog, kind: Kind, expression: &Expr, word: &str, what: &str, found: &mut Found<'_>) {
    if let Expr::Coalesce(ways, _) = expression {
        // `()` only shows that the variable has no value yet.
        ways.iter()
            .filter(|way| !matches!(way, Expr::Unit(_)))
            .for_each(|way| check_value(catalog, kind, way, word, what, found));
        return;
    }
    let Some(literal) = literal(expression) else { return };
    let position = expression.position();
    let wrong = |found: &mut Found<'_>| {
        let error = Error::script(format!("{what} must be {}, not {}", kind.word(), literal.word()));
        let error = match (kind, literal) {
            (Kind::Flag, Literal::Text(Some(word @ ("true" | "false")))) => {
                error.hint(format!("write `{word}` without quotes"))
            }
            (Kind::Integer, Literal::Text(Some(text))) if text.parse::<i64>().is_ok() => {
                error.hint(format!("write `{text}` without quotes"))
            }
            (Kind::Closure, _) => error.hint("write `|item| { ... }`"),
            (Kind::Options(_) | Kind::Map | Kind::Mapping(..), _) => error.hint("write `#{ key: value }`"),
            (Kind::List | Kind::Rows(_), _) => error.hint("write `[ ... ]`"),
            _ => error.hint(format!("give {}", kind.word())),
        };
        found(error, position);
    };
    match (kind, literal) {
        (Kind::Any, _) => {}
        (Kind::Closure | Kind::Reference(_), Literal::Unit) => wrong(found),
        (_, Literal::Unit) => {}
        (Kind::Text | Kind::Word(_) | Kind::Path | Kind::Name(_), Literal::Text(_)) => {}
        (Kind::Choice(words), Literal::Text(text)) => {
            if let Some(text) = text.filter(|text| !words.contains(text)) {
                found(no_choice(what, text, words), position);
            }
        }
        (Kind::Integer, Literal::Integer(_)) | (Kind::Flag, Literal::Flag) => {}
        (Kind::Map | Kind::Mapping(..), Literal::Map) => {}
        (Kind::Options(keys), Literal::Map) => check_keys(catalog, word, keys, expression, found),
        (Kind::List, Literal::List) | (Kind::Closure, Literal::Closure) => {}
        (Kind::Rows(keys), Literal::List) => {
            let Expr::Array(rows, _) = expression else { return };
            for row in rows.iter() {
                match crate::check::literals::literal(row) {
                    Some(Literal::Map) => check_keys(catalog, word, keys, row, found),
                    Some(other) => {
                        let error = Error::script(format!("{what} is a list of object maps, not of {}", other.word()));
                        found(error.hint("write `[#{ key: value }]`"), row.position());
                    }
                    None => {}
                }
            }
        }
        (Kind::Texts | Kind::Names(_), Literal::Text(_)) => {}
        (Kind::Texts | Kind::Names(_), Literal::List) => {
            let Expr::Array(texts, _) = expression else { return };
            for text in texts.iter() {
                let other =
                    crate::check::literals::literal(text).filter(|literal| !matches!(literal, Literal::Text(_)));
                if let Some(other) = other {
                    let error = Error::script(format!("{what} is a list of texts, and this is {}", other.word()));
                    found(error.hint("put it in quotes"), text.position());
                }
            }
        }
        (Kind::Duration, Literal::Text(Some(text))) => {
            if let Err(error) = duration::parse(text) {
                let hint = error.hint.clone().unwrap_or_else(|| "such as \"90s\" or \"2h 30m\"".to_owned());
                found(error.context(what.to_owned()).hint(hint), position);
            }
        }
        (Kind::Duration, Literal::Integer(number)) if number < 0 => {
            found(Error::script(format!("{what} cannot be negative")).hint("such as \"90s\" or \"2h 30m\""), position);
        }
        (Kind::Duration, Literal::Text(None) | Literal::Integer(_) | Literal::Float) => {}
        (Kind::Budget, Literal::Text(Some(text))) => budget(text, what, position, found),
        (Kind::Budget, Literal::Integer(number)) => budget(&number.to_string(), what, position, found),
        (Kind::Budget, Literal::Text(None) | Literal::Float) => {}
        (Kind::Reference(_), Literal::Text(_)) => {}
        (Kind::Reference(_), Literal::Map) => {
            let Expr::Map(fields, _) = expression else { return };
            if !fields.0.iter().any(|(word, _)| word.name == "id") {
                let error = Error::script(format!("{what} must be {}: this object map has no `id`", kind.word()));
                found(error.hint("give the object itself, its id or its name"), position);
            }
        }
        _ => wrong(found),
    }
}

fn budget(text: &str, what: &str, position: Position, found: &mut Found<'_>) {
    if let Err(error) = Budget::parse(text) {
        let hint = error.hint.clone().unwrap_or_else(|| "a count such as `2`, or a share such as \"10%\"".to_owned());
        found(error.context(what.to_owned()).hint(hint), position);
    }
}

/// Checks the keys of a literal object map, and their values.
pub fn check_keys(
    catalog: &Catalog,
    name: &str,
    keys: &'static [&'static [Key]],
    argument: &Expr,
    found: &mut Found<'_>,
) {
    let Expr::Map(fields, position) = argument else { return };
    let known = || keys.iter().copied().flatten();
    let (misspelt, seen) = check_each(catalog, name, keys, &fields.0, found);
    contradictions(name, keys, fields.0.as_slice(), found);
    // A misspelt key is usually the missing one.
    if misspelt {
        return;
    }
    let missing: Vec<String> =
        known().filter(|key| key.required && !seen.contains(&key.name)).map(|key| format!("`{}`", key.name)).collect();
    if !missing.is_empty() {
        found(
            Error::script(format!("`{name}` needs {}", missing.join(", "))).hint("add it to the object map"),
            *position,
        );
    }
}

/// The same for a part of the keys: others may be present as well.
pub fn check_piece(
    catalog: &Catalog,
    name: &str,
    keys: &'static [&'static [Key]],
    piece: &Expr,
    found: &mut Found<'_>,
) {
    if let Expr::Map(fields, _) = piece {
        check_each(catalog, name, keys, &fields.0, found);
    }
}

/// Checks each key; returns whether one is misspelt, and the present ones.
fn check_each(
    catalog: &Catalog,
    name: &str,
    keys: &'static [&'static [Key]],
    fields: &[(rhai::Ident, Expr)],
    found: &mut Found<'_>,
) -> (bool, Vec<&'static str>) {
    let known = || keys.iter().copied().flatten();
    let key_of = |word: &str| known().find(|key| key.answers_to(word));
    let mut misspelt = false;
    let mut seen: Vec<&'static str> = Vec::new();
    for (word, value) in fields {
        let Some(key) = key_of(&word.name) else {
            let names = || known().flat_map(|key| std::iter::once(key.name).chain(key.aliases.iter().copied()));
            let error = unknown_key(name, &word.name, known());
            let is_misspelt = suggest(&word.name, names()).is_some();
            found(if is_misspelt { error } else { elsewhere(catalog, error, name, &word.name) }, word.pos);
            misspelt = true;
            continue;
        };
        let twice = fields.iter().filter(|(word, value)| key.answers_to(&word.name) && is_sure(value)).count() > 1;
        if twice && seen.contains(&key.name) {
            let error = Error::script(format!("`{}` says `{}` of `{name}` twice", word.name, key.name));
            found(error.hint("leave one of them out"), word.pos);
        }
        seen.push(key.name);
        check_value(catalog, key.kind, value, &word.name, &format!("`{}` of `{name}`", word.name), found);
        if let Expr::IntegerConstant(number, position) = value
            && let Some((least, most)) = range(name, key.name)
            && !(least..=most).contains(number)
        {
            let error = Error::script(format!("`{}` of `{name}` cannot be {number}", word.name));
            let hint = if most == i64::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
            found(error.hint(hint), *position);
        }
    }
    (misspelt, seen)
}

/// The error for a key that another function may have.
fn elsewhere(catalog: &Catalog, error: Error, function: &str, word: &str) -> Error {
    let knows = |row: &&'static Spec| {
        !row.names().iter().any(|name| name == function)
            && row.parameters.iter().any(|parameter| parameter.kind.keys().any(|key| key.answers_to(word)))
    };
    let rows: Vec<String> = catalog.rows().filter(knows).map(|row| format!("`{}`", row.name)).collect();
    match (&error.hint, rows.as_slice()) {
        (Some(hint), [_, ..]) if rows.len() <= 3 => {
            let hint = format!("it is an option of {}; {hint}", rows.join(" and "));
            error.hint(hint)
        }
        _ => error,
    }
}

/// The smallest and the largest number allowed.
fn range(function: &str, key: &str) -> Option<(i64, i64)> {
    match (function, key) {
        ("wave" | "each", "limit") => Some((1, i64::MAX)),
        (_, "retries" | "limit" | "minimum_minions" | "maximum_minions" | "minion_max_idle_time") => {
            Some((0, i64::MAX))
        }
        ("migration_create", "replication_count") => Some((1, 10)),
        (_, "minute") => Some((0, 59)),
        (_, "hour") => Some((0, 23)),
        (_, "dom") => Some((1, 31)),
        (_, "month") => Some((1, 12)),
        (_, "dow") => Some((0, 6)),
        _ => None,
    }
}

/// Reports two keys that say the same in opposite ways, with both true or both false, and a map together with its file.
fn contradictions(name: &str, keys: &'static [&'static [Key]], fields: &[(rhai::Ident, Expr)], found: &mut Found<'_>) {
    let known = || keys.iter().copied().flatten();
    let written = |key: &Key| fields.iter().find(|(word, _)| key.answers_to(&word.name));
    for key in known() {
        let Some((word, value)) = written(key) else { continue };
        let opposite = key.help.strip_prefix("The opposite of `").and_then(|rest| rest.split('`').next());
        if let Some((other, opposite)) =
            opposite.and_then(|opposite| known().find(|key| key.name == opposite)).and_then(written)
            && let (Some(one), Some(two)) = (flag(value), flag(opposite))
            && one == two
            && are_together(value, opposite)
        {
            let error =
                Error::script(format!("`{}` and `{}` of `{name}` contradict each other", other.name, word.name));
            found(error.hint("leave one of them out"), word.pos);
        }
        let whole = key.name.strip_suffix("_file").and_then(|whole| known().find(|key| key.name == whole));
        if let Some((other, _)) = whole.and_then(written).filter(|(_, other)| are_together(other, value)) {
            let error = Error::script(format!("`{}` and `{}` of `{name}` are both given", other.name, word.name));
            found(error.hint("give one of them"), word.pos);
        }
    }
}

/// Checks the number of a closure's own parameters.
pub fn check_closure(function: &Spec, parameters: usize, position: Position, found: &mut Found<'_>) {
    let (wanted, written) = match function.name {
        "wave" | "each" => (1, "|item| ..."),
        "cutover" => (1, "|c| ..."),
        "spawn" | "wait_for" => (0, "|| ..."),
        _ => return,
    };
    if parameters != wanted {
        let (has, gives) = (count(parameters, "parameter"), count(wanted, "argument"));
        let error = Error::script(format!("this closure has {has}, and `{}` gives it {gives}", function.name));
        found(error.hint(format!("write it as `{written}`")), position);
    }
}

/// The nearest of these names, as a hint.
pub fn near<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    suggest(word, names).map(|near| format!("did you mean `{near}`?"))
}
