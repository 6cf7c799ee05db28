//! Functions besides the API: parameters, grouping, time, messages.

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map as ScriptMap};

use crate::error::{Error, Result, count};
use crate::event::{Fact, Level};
use crate::language::arguments::{duration_of, text_of};
use crate::language::error::Fault;
use crate::language::help::{WIDTH, topic};
use crate::language::returns::Returns;
use crate::language::spec::{Key, Kind, Parameter, Spec};
use crate::language::value::{Secret, describe, to_shown};
use crate::runtime::call::Call;
use crate::runtime::function::Function;
use crate::runtime::reads::like;
use crate::secret::{holds_secret, is_secret_name};

const PARAM: &[Key] = &[
    Key::new(
        "default",
        Kind::Any,
        "The value if it is not given; a given value must be of the same kind. Default: it must be given.",
    ),
    Key::new("help", Kind::Text, "A line for `--help`; default: none."),
];

pub const ROWS: &[Function] = &[
    // Kept with the run itself.
    Function {
        spec: Spec::pure("param", "Get a parameter of the runbook.")
            .parameters(&[
            Parameter::required("name", Kind::Text, "Its name in `--set name=value`."),
            Parameter::optional("options", Kind::Options(&[PARAM]), "Its default and help."),
        ])
            .returns(Returns::value("the value"))
            .example("print(param(\"limit\", #{ default: 8, help: \"VMs at once\" }));"),
        body: param,
    },
    Function {
        spec: Spec::pure("group_by", "Group a list, in the order in which the keys first appear.")
            .parameters(&[
            Parameter::required("items", Kind::List, "Object maps."),
            Parameter::required("key", Kind::Any, "The name of a field, or a closure that gives the key."),
        ])
            .returns(Returns::maps(&["key", "items"]))
            .example("for group in group_by([#{ wave: \"10\" }, #{ wave: \"2\" }], \"wave\") { print(group.key); }"),
        body: group_by,
    },
    Function {
        spec: Spec::pure("help", "Show the help of a function, or find functions by a word.")
            .parameters(&[Parameter::optional(
            "topic",
            Kind::Any,
            "A function, a domain, a topic such as `language`, or a word to search for; default: an overview.",
        )])
            .returns(Returns::TEXT)
            .example("print(help(\"replica_create\"));\nprint(help(\"network\"));"),
        body: help,
    },
    Function {
        spec: Spec::reads("now", "Tell the time.")
            .returns(Returns::TEXT.with(" such as `2026-06-01T20:00:00Z`, in the run's clock"))
            .example("print(now().len() > 0);"),
        body: now,
    },
    Function {
        spec: Spec::drives("sleep", "Wait for some time.")
            .parameters(&[Parameter::required("duration", Kind::Duration, "`\"90s\"`, `\"2h 30m\"`, or seconds.")])
            .returns(Returns::NOTHING)
            .example("sleep(\"90s\");"),
        body: sleep,
    },
    Function {
        spec: Spec::drives("confirm", "Wait at a gate until somebody says yes; without a terminal the run pauses until `coriolis-run answer` has.")
            .parameters(&[Parameter::required("question", Kind::Text, "The question: what is about to happen.")])
            .returns(Returns::value("true; a no is thrown as `refused`"))
            .example("try { confirm(\"switch off wave 1?\"); } catch (e) { print(e.kind); }"),
        body: confirm,
    },
    Function {
        spec: Spec::drives("log", "Tell something to the people who watch the run; `print` is for data.")
            .parameters(&[
            Parameter::required("message", Kind::Any, "What to say."),
            Parameter::optional(
                "level",
                Kind::Choice(&["debug", "info", "warning", "error", "warn"]),
                "The level; default `info`.",
            ),
        ])
            .returns(Returns::NOTHING)
            .example("log(\"half of it is done\", \"info\");"),
        body: log,
    },
    Function {
        spec: Spec::pure("timestamp", "Refuse to return the machine's time; `now()` returns the run's.")
            .returns(Returns::value("never anything"))
            .example("try { timestamp(); } catch (e) { print(e.hint); }"),
        body: timestamp,
    },
];

fn param(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let default = call.options().get("default").cloned();
    let name = call.text("name");
    let value = call.host.parameters.value(&name, default)?;
    // A value named like a password is masked everywhere, as one from a server is.
    let text = value.is_string().then(|| text_of(&value)).filter(|text| !text.is_empty());
    match text.filter(|text| is_secret_name(&name) || call.host.parameters.is_secret(&name) || holds_secret(text)) {
        Some(secret) => {
            call.host.meet_secret(&secret);
            Ok(Dynamic::from(Secret::new(secret)))
        }
        None => Ok(value),
    }
}

fn group_by(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let items = call.argument("items").cast::<Array>();
    let by = call.argument("key");
    let mut groups: Vec<(String, Dynamic, Array)> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let key = group_key(call, &by, &item, index)?;
        let name = format!("{}:{}", describe(&key), to_shown(&key));
        match groups.iter_mut().find(|(known, _, _)| *known == name) {
            Some((_, _, members)) => members.push(item),
            None => groups.push((name, key, vec![item])),
        }
    }
    let is_empty = |key: &Dynamic| key.read_lock::<ImmutableString>().is_some_and(|text| text.is_empty());
    if let Some((_, _, members)) = groups.iter().find(|(_, key, _)| is_empty(key)).filter(|_| groups.len() > 1) {
        let field = if by.is::<FnPtr>() { "key".to_owned() } else { format!("`{}`", text_of(&by)) };
        call.warn(format!(
            "the {field} of {} is empty: the group has an empty key (of merged cells only the first is filled)",
            count(members.len(), "item")
        ));
    }
    let map = |(_, key, items): (String, Dynamic, Array)| {
        ScriptMap::from_iter([("key".into(), key), ("items".into(), items.into())])
    };
    Ok(groups.into_iter().map(|group| Dynamic::from(map(group))).collect::<Array>().into())
}

fn group_key(call: &Call<'_>, by: &Dynamic, item: &Dynamic, index: usize) -> Result<Dynamic, Fault> {
    if let Some(closure) = by.read_lock::<FnPtr>() {
        return Ok(closure.call_within_context::<Dynamic>(call.context, (item.clone(),))?);
    }
    let field = text_of(by);
    let found = item.read_lock::<ScriptMap>().and_then(|fields| fields.get(field.as_str()).cloned());
    found.ok_or_else(|| {
        let error = Error::script(format!("item {} has no field `{field}` to group by", index + 1));
        if let Some(doubled) = call.host.doubled(&field) {
            return Error { hint: doubled.hint, ..error.context(doubled.message) }.into();
        }
        let near = item.read_lock::<ScriptMap>().and_then(|fields| like(&field, &fields).map(ToOwned::to_owned));
        match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        }
        .into()
    })
}

fn help(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let asked = call.argument("topic");
    let asked = match asked.read_lock::<FnPtr>() {
        Some(function) => function.fn_name().to_owned(),
        None if asked.is_unit() => String::new(),
        None if asked.is_string() => text_of(&asked),
        None => return Err(Error::script(format!("there is no help about {}", describe(&asked))).into()),
    };
    Ok(topic(call.host.language.catalog, &asked, WIDTH)?.into())
}

fn now(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let now = call.host.clock.now().round(jiff::Unit::Second).unwrap_or_else(|_| call.host.clock.now());
    Ok(now.to_string().into())
}

fn sleep(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let duration = duration_of(&call.argument("duration"))?;
    let deadline = call.deadline(duration)?;
    call.host.cancel.sleep_until(&call.host.clock, deadline)?;
    Ok(Dynamic::UNIT)
}

fn confirm(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let question = call.label("question");
    let gate = call.gate(&question);
    call.go_live()?;
    match call.ask(&gate, &question)? {
        Some(answer) if answer.is_yes() => Ok(true.into()),
        Some(answer) => Err(Error::new(
            crate::error::Kind::Refused,
            format!("`{question}` was answered `{}` by {}", answer.text, answer.by),
        )
        .detail("gate", gate)
        .into()),
        None => {
            let run = call.run();
            let hint = format!("answer it: `coriolis-run answer {run} {gate} yes`, then `coriolis-run resume {run}`");
            Err(Error::new(crate::error::Kind::NeedsAnswer, format!("gate {gate} waits for an answer: {question}"))
                .hint(hint)
                .into())
        }
    }
}

fn log(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let level = call.value("level").map_or(Level::Info, |word| level(&text_of(word)));
    let message = match to_shown(&call.argument("message")) {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    call.emit(Fact::Logged { level, message, hint: None });
    Ok(Dynamic::UNIT)
}

fn level(word: &str) -> Level {
    match word {
        "debug" => Level::Debug,
        "warning" | "warn" => Level::Warning,
        "error" => Level::Error,
        _ => Level::Info,
    }
}

fn timestamp(_: &mut Call<'_>) -> Result<Dynamic, Fault> {
    Err(Error::script("`timestamp` would tell the machine's time, not the run's").hint("use `now()`").into())
}
