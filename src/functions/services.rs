//! Services: the server's own workers, shared by all projects, and their diagnostics.

use rhai::Dynamic;
use serde_json::{Map, Value};

use crate::client::{diagnostics, services};
use crate::error::{Error, Result};
use crate::functions::endpoints::refuse_nothing;
use crate::functions::settings::{DISABLED, ENABLED, MAPPED_REGIONS, put_regions, put_switch};
use crate::functions::{ours, resolve};
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{Key, Kind, Noun, Parameter, Spec};
use crate::runtime::call::Call;
use crate::runtime::found::Found;
use crate::runtime::function::Function;
use crate::runtime::settle;

const SERVICE: Parameter =
    Parameter::required("service", Kind::Reference(Noun::Service), "The service: its id or its object.");

const BINARIES: [&str; 3] = ["coriolis-worker", "coriolis-scheduler", "coriolis-minion-manager"];
const TOPICS: [&str; 3] = ["coriolis_worker", "coriolis_scheduler", "coriolis_minion_manager"];

const CREATE: &[Key] = &[
    Key::new("host", Kind::Text, "The machine it runs on.").required(),
    Key::new("binary", Kind::Word(&BINARIES), "Its program.").required(),
    Key::new("topic", Kind::Word(&TOPICS), "Where it listens.").required(),
    MAPPED_REGIONS,
    ENABLED,
    DISABLED,
];

const UPDATE: &[Key] = &[MAPPED_REGIONS, ENABLED, DISABLED];

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("service_list", "List the server's services.")
            .noun_verb()
            .returns(Returns::list(Noun::Service).with(" with their `status`, `UP` or `DOWN`"))
            .sends(&[Sends::reads("GET /services")])
            .example("for service in service_list() { print(`${service.binary} is ${service.status}`); }"),
        body: list,
    },
    Function {
        spec: Spec::reads("service_show", "Show a service.")
            .noun_verb()
            .parameters(&[SERVICE])
            .returns(Returns::object(Noun::Service))
            .sends(&[Sends::reads("GET /services/{service}")])
            .example("let service = service_list()[0];\nprint(service_show(service.id).topic == service.topic);"),
        body: show,
    },
    Function {
        spec: Spec::changes("service_create", "Register a service that is running; the server calls it before it answers.")
            .noun_verb()
            .parameters(&[Parameter::required("options", Kind::Options(&[CREATE]), "What to register.")])
            .returns(Returns::object(Noun::Service))
            .sends(&[Sends::changes(
            "POST /services",
            Again::Compared("a new service of this host, binary and topic"),
        )])
            .example("let s = service_list()[0];\nservice_delete(s);\nprint(service_create(#{ host: s.host, binary: s.binary, topic: s.topic }).topic);"),
        body: create,
    },
    Function {
        spec: Spec::changes("service_update", "Change a service's regions, or enable or disable it.")
            .noun_verb()
            .parameters(&[
            SERVICE,
            Parameter::required("options", Kind::Options(&[UPDATE]), "The changes; everything else stays as it is."),
        ])
            .returns(Returns::object(Noun::Service).with(" as it is now"))
            .sends(&[Sends::changes("PUT /services/{service}", settle::UPDATED)])
            .example("print(service_update(service_list()[0], #{ disabled: true }).enabled);"),
        body: update,
    },
    Function {
        spec: Spec::changes("service_delete", "Forget a service.")
            .noun_verb()
            .parameters(&[SERVICE])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("DELETE /services/{service}", Again::Safe)])
            .example("service_delete(service_list()[0]);\nprint(service_list().len());"),
        body: delete,
    },
    Function {
        spec: Spec::reads("diagnostics_get", "Ask the server's services about the machines they run on.")
            .noun_verb()
            .returns(Returns::maps(&["application", "hostname", "packages", "os_info", "ip_addresses"]).with(", one \
                per service"))
            .sends(&[Sends::reads("GET /diagnostics")])
            .example("for found in diagnostics_get() { print(found.application); }"),
        body: diagnostics_get,
    },
];

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    Ok(call.shown(call.read_list(&services::list())?.into()))
}

fn show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::id_of(&call.argument("service"), "a service")?;
    Ok(call.shown(call.read(&services::show(&id))?))
}

fn create(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let mut fields = call.options().body(&["host", "binary", "topic"])?;
    put_regions(call, &mut fields)?;
    put_switch(call, &mut fields, "enabled", "disabled")?;
    let decided = call.decided_before().unwrap_or_default();
    let seen = |call: &Call<'_>| Ok(ours::ids(&call.read_list(&services::list())?));
    let request = services::create(fields.clone());
    let service = settle::change(call, &request, &seen, |call, before| {
        let before = if before.is_null() { &decided } else { before };
        let new = ours::new_things(call.read_list(&services::list())?, before);
        let same =
            |service: &Value| fields.iter().all(|(name, wanted)| name == "mapped_regions" || service[name] == *wanted);
        Found::judge(new, |service| Ok::<_, Error>(same(service).into()))
    })?;
    Ok(call.shown(service))
}

fn update(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    refuse_nothing(call.options(), "service_update")?;
    let id = resolve::id_of(&call.argument("service"), "a service")?;
    let mut fields = Map::new();
    put_regions(call, &mut fields)?;
    put_switch(call, &mut fields, "enabled", "disabled")?;
    let service = settle::update(call, &services::update(&id, fields.clone()), &fields)?;
    Ok(call.shown(service))
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::id_of(&call.argument("service"), "a service")?;
    settle::remove(call, &services::delete(&id))?;
    Ok(Dynamic::UNIT)
}

fn diagnostics_get(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    Ok(call.shown(call.read_list(&diagnostics::get())?.into()))
}
