//! Many items at once: waves and `each`.

use std::collections::BTreeMap;
use std::time::Duration;

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, ImmutableString, Map as ScriptMap};

use crate::cancel::Wish;
use crate::error::{Error, Kind as Failure, Result, count};
use crate::event::Outcome;
use crate::language::arguments::{options, text_of};
use crate::language::error::{Fault, to_map};
use crate::language::returns::Returns;
use crate::language::spec::{Key, Kind, Parameter, Spec};
use crate::language::value::{Secret, describe};
use crate::runtime::call::Call;
use crate::runtime::drive::{Ended, drive};
use crate::runtime::function::Function;
use crate::runtime::reads::like;
use crate::secret::carried;
use crate::wave::{Budget, Options, Summary};

options! {
    /// The options of a wave.
    WAVE => Given {
        limit: Option<i64> = Kind::Integer, "The number of items at once; default 10.";
        retries: Option<i64> = Kind::Integer, "The number of retries of a failed item; default 0.";
        backoff: Option<Duration> = Kind::Duration,
            "The pause before the first retry; it doubles, up to ten times. Default \"30s\".";
        max_failures: Option<Dynamic> = Kind::Budget,
            "The failures allowed before nothing new starts: a count, or a share of all items rounded down. Default 0.";
        key: Option<Dynamic> = Kind::Any,
            "The field that tells the items apart, or a closure that gives the key; default: the text or number itself, `name`, or `id`.";
    }
}

const EACH: &[Key] = &[Key::new("limit", Kind::Integer, "The number of items at once; default 10.")];

const BODY: Parameter = Parameter::required("body", Kind::Closure, "Gets the item; works on copies of its captures.");

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::drives("wave", "Work on many items at once and wait for all of them.")
            .parameters(&[
                Parameter::required("name", Kind::Text, "Its name for people."),
                Parameter::required("items", Kind::List, "Any values with a key, mostly rows of the inventory."),
                Parameter::optional(
                    "options",
                    Kind::Options(&[WAVE]),
                    "The items at once, the retries, the failures allowed.",
                ),
                BODY,
            ])
            .returns(Returns::map(&["ok", "failed", "skipped", "cancelled", "unknown"]).with(
                ": lists of keys, and \
                `items[key]` with `status`, `value`, `attempts`, `elapsed` (seconds), `error` (of the last attempt) \
                and `first_error` (of the first, if it differs); thrown when more items failed than `max_failures` \
                allows",
            ))
            .example("let done = wave(\"count\", [\"a\", \"b\"], #{ limit: 2 }, |name| name.len());\nprint(done.ok);"),
        body: wave,
    },
    Function {
        spec: Spec::drives(
            "each",
            "Work on many items at once and wait for all of them; after a failure nothing new \
                                    starts, and the failure is thrown.",
        )
        .parameters(&[
            Parameter::required("items", Kind::List, "Any values."),
            Parameter::optional("options", Kind::Options(&[EACH]), "The number of items at once."),
            BODY,
        ])
        .returns(Returns::values("the closure's results, in the order of the items"))
        .example("print(each([1, 2, 3], |number| number * number));"),
        body: each,
    },
];

fn wave(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let name = call.label("name");
    let items = call.argument("items").cast::<Array>();
    let given = Given::of(call.options())?;
    let keys = keys(call, &items, given.key.as_ref())?;
    let (summary, mut ended) = drive(call, &name, &items, keys, given.options()?)?;
    let map = result_map(&summary, &mut ended);
    if call.host.cancel.wish() != Wish::Continue {
        return Err(Error::interrupted().into());
    }
    if summary.counts.unknown > 0 {
        let error =
            summary.items.iter().filter(|item| item.outcome == Outcome::Unknown).find_map(|item| item.cause.clone());
        return Err(error.unwrap_or_else(|| Error::internal("an unknown item without a cause")).into());
    }
    if summary.over_budget {
        let causes = summary.items.iter().filter_map(|item| item.cause.as_ref());
        if let Some(away) = causes.clone().find(|cause| cause.kind == Failure::Unreachable) {
            return Err(away.clone().context(format!("wave `{name}`")).into());
        }
        return Err(thrown(call, &name, &summary, map));
    }
    Ok(map.into())
}

fn each(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let items = call.argument("items").cast::<Array>();
    let keys = (1..=items.len()).map(|index| index.to_string()).collect();
    let (_, ended) = drive(call, "each", &items, keys, Given::of(call.options())?.options()?)?;
    call.host.cancel.check()?;
    let mut values = Array::with_capacity(items.len());
    for ended in ended.into_values() {
        values.push(ended?);
    }
    Ok(values.into())
}

impl Given {
    fn options(&self) -> Result<Options> {
        let standard = Options::default();
        let number = |name: &str, given: Option<i64>, least: i64| match given {
            Some(number) if number < least => {
                Err(Error::script(format!("`{name}` must be at least {least}, not {number}")).detail("key", name))
            }
            number => Ok(number),
        };
        let (limit, retries) = (number("limit", self.limit, 1)?, number("retries", self.retries, 0)?);
        Ok(Options {
            limit: limit.map_or(standard.limit, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            retries: retries.map_or(standard.retries, |retries| u32::try_from(retries).unwrap_or(u32::MAX)),
            backoff: self.backoff.unwrap_or(standard.backoff),
            max_failures: match &self.max_failures {
                None => standard.max_failures,
                Some(value) => Budget::parse(&text_of(value)).map_err(|error| error.detail("key", "max_failures"))?,
            },
        })
    }
}

/// The key of every item: the result of `key`, else the item itself if it is a text or a number, else its `name`, else
/// its `id`.
fn keys(call: &Call<'_>, items: &Array, by: Option<&Dynamic>) -> Result<Vec<String>, Fault> {
    items.iter().enumerate().map(|(index, item)| key(call, by, item, index)).collect()
}

fn key(call: &Call<'_>, by: Option<&Dynamic>, item: &Dynamic, index: usize) -> Result<String, Fault> {
    let field = |name: &str| {
        let fields = item.read_lock::<ScriptMap>()?;
        let field = fields.get(name)?;
        match field.read_lock::<Secret>() {
            Some(secret) => Some(secret.carried()),
            None => (field.is_string() || field.is_int()).then(|| text_of(field)),
        }
    };
    let found = match by {
        Some(closure) if closure.is::<FnPtr>() => {
            let closure = closure.clone().cast::<FnPtr>();
            let key = closure.call_within_context::<Dynamic>(call.context, (item.clone(),))?;
            Some(key.read_lock::<Secret>().map_or_else(|| text_of(&key), |secret| secret.carried()))
        }
        Some(name) => field(&text_of(name)),
        None if item.is_string() || item.is_int() => Some(text_of(item)),
        None if item.is::<Secret>() => item.read_lock::<Secret>().map(|secret| secret.carried()),
        None => field("name").or_else(|| field("id")),
    };
    if found.as_deref().is_some_and(carried::carries) {
        return Err(Error::script(format!("the key of item {} is a secret", index + 1))
            .hint("use `key` with a field or closure that tells items apart and is not secret")
            .into());
    }
    found.filter(|key| !key.is_empty()).ok_or_else(|| {
        let number = index + 1;
        let error = match by {
            Some(name) if !name.is::<FnPtr>() => {
                Error::script(format!("item {number} has no `{}` for its key", text_of(name)))
            }
            _ => Error::script(format!("item {number}, {}, has no key", describe(item))),
        };
        let doubled = call.host.doubled(&by.map_or_else(|| "name".to_owned(), text_of));
        if let Some(doubled) = doubled {
            return Error { hint: doubled.hint, ..error.context(doubled.message) }.into();
        }
        let wanted = by.filter(|by| !by.is::<FnPtr>()).map_or_else(|| "name".to_owned(), text_of);
        let near = item.read_lock::<ScriptMap>().and_then(|fields| like(&wanted, &fields).map(ToOwned::to_owned));
        match near {
            Some(near) if near == wanted => error.hint(format!("`{near}` of that item is empty")),
            Some(near) => error.hint(format!("did you mean `#{{ key: \"{near}\" }}`?")),
            None => error.hint("give items a `name`, or use `key` with a field or closure that tells them apart"),
        }
        .into()
    })
}

fn result_map(summary: &Summary, ended: &mut BTreeMap<usize, Ended>) -> ScriptMap {
    let mut map = ScriptMap::new();
    for outcome in Outcome::ALL {
        let keys: Array =
            summary.keys(outcome).into_iter().map(|key| Dynamic::from(ImmutableString::from(key))).collect();
        map.insert(outcome.word().into(), keys.into());
    }
    let mut items = ScriptMap::new();
    for (index, item) in summary.items.iter().enumerate() {
        let mut entry = ScriptMap::new();
        let value = ended.remove(&index).and_then(Result::ok).unwrap_or(Dynamic::UNIT);
        entry.insert("status".into(), item.outcome.word().into());
        entry.insert("value".into(), value);
        entry.insert("attempts".into(), i64::from(item.attempts).into());
        entry.insert("elapsed".into(), item.elapsed.as_secs_f64().into());
        entry.insert("error".into(), item.cause.as_ref().map_or(Dynamic::UNIT, |error| to_map(error).into()));
        entry.insert("first_error".into(), item.first.as_ref().map_or(Dynamic::UNIT, |error| to_map(error).into()));
        items.insert(item.key.as_str().into(), entry.into());
    }
    map.insert("items".into(), items.into());
    map
}

/// The result as an error: a script that catches it has the same map, with `kind` and `message` added.
fn thrown(call: &Call<'_>, name: &str, summary: &Summary, mut map: ScriptMap) -> Fault {
    let message = format!("wave `{name}`: {} of {} failed", summary.counts.failed, count(summary.items.len(), "item"));
    map.insert("kind".into(), Failure::ItemsFailed.word().into());
    map.insert("message".into(), message.into());
    map.insert("hint".into(), Dynamic::UNIT);
    Fault::Thrown(Box::new(EvalAltResult::ErrorRuntime(map.into(), call.context.call_position())))
}
