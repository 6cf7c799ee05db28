//! Schedules: the times at which the server executes a replica by itself. All times are UTC.

use rhai::{Dynamic, Map as ScriptMap};
use serde_json::{Map, Value};

use crate::client::{present, schedules};
use crate::error::{Error, Result};
use crate::functions::endpoints::refuse_nothing;
use crate::functions::guarded::{Guarded, to_schedule};
use crate::functions::guards::Effects;
use crate::functions::overrides::{COPY, Copy, Objection};
use crate::functions::resolve::TRANSFER;
use crate::functions::settings::put_switch;
use crate::functions::{ours, resolve};
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{Key, Kind, Noun, Parameter, Spec};
use crate::runtime::call::Call;
use crate::runtime::found::Found;
use crate::runtime::function::Function;
use crate::runtime::settle;

const MOMENT: &[Key] = &[
    Key::new("minute", Kind::Integer, "0 to 59. Without one it would run every minute, so there must be one."),
    Key::new("hour", Kind::Integer, "0 to 23, UTC; default: every hour."),
    Key::new("dom", Kind::Integer, "The day of the month, 1 to 31; default: every day.").aliases(&["day_of_month"]),
    Key::new("month", Kind::Integer, "1 to 12; default: every month."),
    Key::new("dow", Kind::Integer, "The day of the week, 0 (Monday) to 6 (Sunday); default: every day.")
        .aliases(&["day_of_week"]),
];

const WHOLE: &[Key] =
    &[Key::new("schedule", Kind::Options(&[MOMENT]), "The same as one object map, in the form of the API.")
        .aliases(&["time"])];

const SETTINGS: &[Key] = &[
    Key::new("expiration_date", Kind::Text, "The end, such as `2030-01-02T03:04:05Z`; default: never.")
        .aliases(&["expires_at"]),
    Key::new("shutdown_instances", Kind::Flag, "Switch the source off before each copy; default false.")
        .aliases(&["shutdown_instance", "shutdown"]),
    Key::new("auto_deploy", Kind::Flag, "Deploy after each copy (current servers only); default false."),
    Key::new("enabled", Kind::Flag, "Enables it; default true."),
    Key::new("disabled", Kind::Flag, "The opposite of `enabled`; default false."),
];

const OPPOSITES: &[Key] = &[
    Key::new("no_expiration_date", Kind::Flag, "It never ends; default: as it was."),
    Key::new("dont_shutdown_instance", Kind::Flag, "The opposite of `shutdown_instances`; default: as it was."),
    Key::new("dont_auto_deploy", Kind::Flag, "The opposite of `auto_deploy`; default: as it was."),
];

const LIST: &[Key] = &[Key::new("hide_expired", Kind::Flag, "Only those that have not expired; default false.")];

const TRANSFER_OR_SCHEDULE: Parameter =
    Parameter::required("transfer", Kind::Reference(Noun::Transfer), "The replica, or just the schedule's object.");
const SCHEDULE: Parameter =
    Parameter::optional("schedule", Kind::Reference(Noun::Schedule), "The schedule: its id or its object.");

/// The beginning of the examples that need a schedule.
const A_SCHEDULE: &str = "let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });\nlet s = replica_schedule_create(r, #{ hour: 2, minute: 30 });\n";

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("transfer_schedule_list", "List the schedules of a replica.")
            .aliases(&["replica_schedule_list"])
            .noun_verb()
            .parameters(&[TRANSFER, Parameter::optional("options", Kind::Options(&[LIST]), "Which.")])
            .returns(Returns::list(Noun::Schedule))
            .sends(&[Sends::reads("GET /transfers/{transfer}/schedules").legacy("GET /replicas/{replica}/schedules")])
            .given(A_SCHEDULE)
            .example("print(replica_schedule_list(r).len());"),
        body: list,
    },
    Function {
        spec: Spec::reads("transfer_schedule_show", "Show a schedule.")
            .aliases(&["replica_schedule_show"])
            .noun_verb()
            .parameters(&[TRANSFER_OR_SCHEDULE, SCHEDULE])
            .returns(Returns::object(Noun::Schedule).with("; its key `schedule` has the time"))
            .sends(&[Sends::reads("GET /transfers/{transfer}/schedules/{schedule}")
                .legacy("GET /replicas/{replica}/schedules/{schedule}")])
            .given(A_SCHEDULE)
            .example("print(replica_schedule_show(r, s).schedule.hour);"),
        body: show,
    },
    Function {
        spec: Spec::changes(
            "transfer_schedule_create",
            "Let the server execute a replica at a time of the day, the week or the year.",
        )
        .aliases(&["replica_schedule_create"])
        .noun_verb()
        .parameters(&[
            TRANSFER,
            Parameter::required("options", Kind::Options(&[MOMENT, WHOLE, SETTINGS, COPY]), "When, and how."),
        ])
        .returns(Returns::object(Noun::Schedule))
        .sends(&[Sends::changes(
            "POST /transfers/{transfer}/schedules",
            Again::Compared("a new schedule of this time"),
        )
        .legacy("POST /replicas/{replica}/schedules")])
        .given(A_SCHEDULE)
        .example("print(s.schedule.minute);"),
        body: create,
    },
    Function {
        spec: Spec::changes(
            "transfer_schedule_update",
            "Change a schedule; everything else stays as it is, including the other parts of the time.",
        )
        .aliases(&["replica_schedule_update"])
        .noun_verb()
        .parameters(&[
            TRANSFER_OR_SCHEDULE,
            SCHEDULE,
            Parameter::required(
                "options",
                Kind::Options(&[MOMENT, WHOLE, SETTINGS, OPPOSITES, COPY]),
                "The changes; `()` as a part of the time means *every*.",
            ),
        ])
        .returns(Returns::object(Noun::Schedule).with(" as it is now"))
        .sends(&[
            Sends::reads("GET /transfers/{transfer}/schedules/{schedule}")
                .legacy("GET /replicas/{replica}/schedules/{schedule}")
                .when("when parts of the time are changed"),
            Sends::changes("PUT /transfers/{transfer}/schedules/{schedule}", settle::UPDATED)
                .legacy("PUT /replicas/{replica}/schedules/{schedule}"),
        ])
        .given(A_SCHEDULE)
        .example("print(replica_schedule_update(r, s, #{ hour: 4 }).schedule);"),
        body: update,
    },
    Function {
        spec: Spec::changes("transfer_schedule_delete", "Delete a schedule.")
            .aliases(&["replica_schedule_delete"])
            .noun_verb()
            .parameters(&[TRANSFER_OR_SCHEDULE, SCHEDULE])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("DELETE /transfers/{transfer}/schedules/{schedule}", Again::Safe)
                .legacy("DELETE /replicas/{replica}/schedules/{schedule}")])
            .given(A_SCHEDULE)
            .example("replica_schedule_delete(r, s);"),
        body: delete,
    },
];

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::transfer(call, &call.argument("transfer"))?;
    let expired = !call.options().flag("hide_expired").unwrap_or(false);
    let found = call.read_list(&schedules::list(call.generation()?, &id, expired))?;
    Ok(call.shown(present::each(found, present::schedule).into()))
}

fn show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let (transfer, id) = both(call)?;
    let schedule = call.read(&schedules::show(call.generation()?, &transfer, &id))?;
    Ok(call.shown(present::schedule(schedule)))
}

fn create(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let transfer = resolve::transfer(call, &call.argument("transfer"))?;
    let mut fields = settings(call)?;
    fields.insert("schedule".to_owned(), time(call)?.unwrap_or_default().into());
    let schedule = make(call, &transfer, fields)?;
    Ok(call.shown(present::schedule(schedule)))
}

fn update(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    refuse_nothing(call.options(), "transfer_schedule_update")?;
    let (transfer, id) = both(call)?;
    let show = schedules::show(call.generation()?, &transfer, &id);
    let mut fields = settings(call)?;
    if let Some(changed) = time(call)? {
        // The server replaces the whole time: a part that is not sent again would become *every*.
        let whole = call.options().has("schedule");
        let before = if whole { Value::Null } else { call.read(&show)? };
        fields.insert("schedule".to_owned(), merged(&before["schedule"], changed).into());
    }
    let request = schedules::update(call.generation()?, &transfer, &id, fields.clone())?;
    let guarded = Guarded::new(Copy::of(call.options())?);
    let guard = |call: &Call<'_>, now: &Value| {
        let mut then = now.as_object().cloned().unwrap_or_default();
        then.extend(fields.clone());
        guarded.pass(call, objections(call, &transfer, &then, Some(&id))?)
    };
    guarded.ask_ahead(call, &request, &|call| guard(call, &call.read(&show)?))?;
    let schedule = settle::update_guarded(call, &request, &fields, &guard)?;
    Ok(call.shown(present::schedule(schedule)))
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let (transfer, id) = both(call)?;
    settle::remove(call, &schedules::delete(call.generation()?, &transfer, &id))?;
    Ok(Dynamic::UNIT)
}

/// Creates a schedule. It has no text for a mark: when the answer is lost, a comparison with the earlier schedules
/// shows if there is a new one with this time and these settings.
fn make(call: &Call<'_>, transfer: &str, fields: Map<String, Value>) -> Result<Value> {
    let generation = call.generation()?;
    let all = schedules::list(generation, transfer, true);
    let decided = call.decided_before().unwrap_or_default();
    let guarded = Guarded::new(Copy::of(call.options())?);
    let leaving = |call: &Call<'_>| {
        guarded.pass(call, objections(call, transfer, &fields, None)?)?;
        Ok(ours::ids(&call.read_list(&all)?))
    };
    let request = schedules::create(generation, transfer, fields.clone())?;
    guarded.ask_ahead(call, &request, &leaving)?;
    settle::change(call, &request, &leaving, |call, before| {
        let before = if before.is_null() { &decided } else { before };
        let new = ours::new_things(call.read_list(&all)?, before);
        Found::judge(new, |schedule| Ok::<_, Error>(ours::schedule(schedule, &fields)))
    })
}

/// The objections to a schedule with these settings: it does by itself what it would meet guards for if it was done at
/// once.
fn objections(
    call: &Call<'_>,
    transfer: &str,
    settings: &Map<String, Value>,
    id: Option<&str>,
) -> Result<Vec<Objection>> {
    let says = |name: &str| settings.get(name) == Some(&Value::Bool(true));
    if settings.get("enabled") == Some(&Value::Bool(false)) {
        return Ok(Vec::new());
    }
    let effects = Effects { switches_off: says("shutdown_instance"), deploys: says("auto_deploy") };
    to_schedule(call, transfer, effects, id)
}

/// The ids of a transfer and of one of its schedules: from both, or from the schedule's object alone.
fn both(call: &Call<'_>) -> Result<(String, String)> {
    let first = call.argument("transfer");
    match call.value("schedule") {
        Some(schedule) => Ok((resolve::transfer(call, &first)?, resolve::id_of(schedule, "a schedule")?)),
        None => match (resolve::field(&first, "transfer_id"), resolve::field(&first, "id")) {
            (Some(transfer), Some(id)) if is_schedule(&first) => Ok((transfer, id)),
            _ => Err(Error::script(format!(
                "`{}` needs a replica and a schedule, or the schedule's object",
                call.function.name
            ))),
        },
    }
}

fn is_schedule(value: &Dynamic) -> bool {
    value.read_lock::<ScriptMap>().is_some_and(|fields| fields.contains_key("schedule"))
}

/// The parts of the time in the options; `()` becomes null. `None` if there are none.
fn time(call: &Call<'_>) -> Result<Option<Map<String, Value>>> {
    let options = call.options();
    let parts = options.body(&schedules::PARTS)?;
    if !options.has("schedule") {
        return Ok((!parts.is_empty()).then_some(parts));
    }
    if !parts.is_empty() {
        return Err(Error::script("the time is given twice, as `schedule` and by its parts").detail("key", "schedule"));
    }
    let mut written = Map::new();
    for (word, value) in options.body(&["schedule"])?["schedule"].as_object().into_iter().flatten() {
        // The command line's words become the API's.
        let name = MOMENT.iter().find(|key| key.answers_to(word)).map_or(word.as_str(), |key| key.name);
        written.insert(name.to_owned(), value.clone());
    }
    Ok(Some(written))
}

/// A time with some parts changed; null removes one.
fn merged(before: &Value, changed: Map<String, Value>) -> Map<String, Value> {
    let mut time = before.as_object().cloned().unwrap_or_default();
    time.extend(changed);
    time.retain(|_, value| !value.is_null());
    time
}

/// The other settings of a schedule in the options.
fn settings(call: &Call<'_>) -> Result<Map<String, Value>> {
    let options = call.options();
    let mut fields = Map::new();
    put_switch(call, &mut fields, "enabled", "disabled")?;
    put_switch(call, &mut fields, "auto_deploy", "dont_auto_deploy")?;
    if let Some(shutdown) = options.switch("shutdown_instances", "dont_shutdown_instance")? {
        fields.insert("shutdown_instance".to_owned(), shutdown.into());
    }
    let never = options.flag("no_expiration_date").unwrap_or(false);
    match options.text("expiration_date") {
        Some(_) if never => {
            return Err(Error::script("`expiration_date` and `no_expiration_date` contradict each other")
                .detail("key", "no_expiration_date"));
        }
        Some(text) => {
            fields.insert("expiration_date".to_owned(), schedules::end(&text, call.host.clock.now())?.into());
        }
        None if never || options.has("expiration_date") => {
            fields.insert("expiration_date".to_owned(), Value::Null);
        }
        None => {}
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_changed_part_leaves_the_others() {
        let changed = |value: Value| value.as_object().expect("an object").clone();
        let before = json!({"minute": 0, "hour": 2});
        assert_eq!(Value::from(merged(&before, changed(json!({"hour": 4})))), json!({"minute": 0, "hour": 4}));
        assert_eq!(Value::from(merged(&before, changed(json!({"hour": null})))), json!({"minute": 0}));
    }
}
