//! Minion pools: helper machines that are kept ready in a cloud.

use rhai::Dynamic;
use serde_json::{Map, Value};

use crate::client::{Request, minion_pools};
use crate::error::Result;
use crate::functions::endpoints::refuse_nothing;
use crate::functions::settings::{name, put_map_or_file};
use crate::functions::{ours, resolve};
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{Key, Kind, Noun, Parameter, Spec};
use crate::runtime::call::{Call, Guard, unguarded};
use crate::runtime::function::Function;
use crate::runtime::settle;

const POOL: Parameter =
    Parameter::required("pool", Kind::Reference(Noun::MinionPool), "The pool: its id, its name, or the object.");

const SETTINGS: &[Key] = &[
    Key::new("notes", Kind::Text, "A text for people; default: none."),
    Key::new("minimum_minions", Kind::Integer, "The number of machines that are always kept; default 1."),
    Key::new("maximum_minions", Kind::Integer, "The largest number of machines; default: the minimum."),
    Key::new("minion_max_idle_time", Kind::Integer, "The idle seconds after which a machine is removed; default 1."),
    Key::new(
        "minion_retention_strategy",
        Kind::Choice(&["delete", "poweroff"]),
        "The treatment of an idle machine; default `delete`.",
    ),
    Key::new(
        "environment_options",
        Kind::Map,
        "The provider's settings; `endpoint_*_minion_pool_options_list` lists them. Default: none.",
    ),
    Key::new("environment_options_file", Kind::Path, "The same as a JSON file, relative to the runbook's folder."),
];

const CREATE: &[Key] = &[
    Key::new("name", Kind::Text, "Its name, unless it is the first argument."),
    Key::new("endpoint_id", Kind::Reference(Noun::Endpoint), "The endpoint in whose cloud the machines are.")
        .aliases(&["endpoint"])
        .required(),
    Key::new("platform", Kind::Choice(&["source", "destination"]), "The side on which the machines work.").required(),
    Key::new("os_type", Kind::Word(&SYSTEMS), "The machines' system; source pools are `linux`.").required(),
    Key::new("skip_allocation", Kind::Flag, "Make no machines yet; default false."),
];

const SYSTEMS: [&str; 2] = ["linux", "windows"];

const UPDATE: &[Key] = &[
    Key::new("name", Kind::Text, "The new name; default: the old one."),
    Key::new("os_type", Kind::Word(&SYSTEMS), "The machines' system; default: as it was."),
];

const DEALLOCATE: &[Key] = &[Key::new("force", Kind::Flag, "Also machines that are in use; default false.")];

const NAME: Parameter = Parameter::required("name", Kind::Text, "Its name for people.");

/// The beginning of the examples that need a pool.
const A_POOL: &str = "let pool = minion_pool_ensure(\"helpers\", #{ endpoint: \"openstack\", platform: \"destination\", os_type: \"linux\", environment_options: #{}, skip_allocation: true });\n";

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("minion_pool_list", "List the minion pools.")
            .noun_verb()
            .returns(Returns::list(Noun::MinionPool).with(" with their machines"))
            .sends(&[Sends::reads("GET /minion_pools")])
            .given(A_POOL)
.example("print(minion_pool_list().len());"),
        body: list,
    },
    Function {
        spec: Spec::reads("minion_pool_show", "Show a minion pool.")
            .noun_verb()
            .parameters(&[POOL])
            .returns(Returns::object(Noun::MinionPool).with(" with its machines and events"))
            .sends(&[Sends::reads("GET /minion_pools/{pool}")])
            .given(A_POOL)
.example("print(minion_pool_show(\"helpers\").status);"),
        body: show,
    },
    Function {
        spec: Spec::changes("minion_pool_create", "Create a minion pool and start making its machines, without waiting.")
            .noun_verb()
            .parameters(&[NAME, Parameter::optional("options", Kind::Options(&[CREATE, SETTINGS]), "What to create.")])
            .returns(Returns::object(Noun::MinionPool))
            .sends(&[Sends::changes("POST /minion_pools", Again::Marked("notes"))])
            .example("let pool = minion_pool_create(\"helpers\", #{ endpoint: \"openstack\", platform: \"destination\", os_type: \"linux\", environment_options: #{} });\nprint(wait_for(pool).status);"),
        body: create,
    },
    Function {
        spec: Spec::changes("minion_pool_ensure", "Find the minion pool of this name, or create it; one that exists stays as it is.")
            .noun_verb()
            .parameters(&[
            NAME,
            Parameter::optional("options", Kind::Options(&[CREATE, SETTINGS]), "As for `minion_pool_create`."),
        ])
            .returns(Returns::object(Noun::MinionPool).with("; its key `created` is true if it was just created"))
            .sends(&[
            Sends::reads("GET /minion_pools"),
            Sends::changes("POST /minion_pools", Again::Marked("notes")).when("when there is none of this name"),
        ])
            .given(A_POOL)
.example("print(pool.created);"),
        body: ensure,
    },
    Function {
        spec: Spec::changes("minion_pool_update", "Change a minion pool that is deallocated.")
            .noun_verb()
            .parameters(&[
            POOL,
            Parameter::required(
                "options",
                Kind::Options(&[UPDATE, SETTINGS]),
                "The changes; everything else stays as it is.",
            ),
        ])
            .returns(Returns::object(Noun::MinionPool).with(" as it is now"))
            .sends(&[Sends::changes("PUT /minion_pools/{pool}", settle::UPDATED)])
            .given(A_POOL)
.example("print(minion_pool_update(pool, #{ notes: \"for the web tier\" }).notes);"),
        body: update,
    },
    Function {
        spec: Spec::changes("minion_pool_delete", "Delete a minion pool that is deallocated.")
            .noun_verb()
            .parameters(&[POOL])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("DELETE /minion_pools/{pool}", Again::Safe)])
            .given(A_POOL)
.example("minion_pool_delete(pool);"),
        body: delete,
    },
    Function {
        spec: Spec::changes("minion_pool_allocate", "Start making a minion pool's machines, without waiting.")
            .noun_verb()
            .parameters(&[POOL])
            .returns(Returns::begun(Noun::MinionPool).with("; its machines are ready when `wait_for` returns"))
            .sends(&[Sends::changes(
            "POST /minion_pools/{pool}/actions",
            Again::Compared("another status of the pool than before"),
        )])
            .given(A_POOL)
.example("print(wait_for(minion_pool_allocate(pool)).status);"),
        body: allocate,
    },
    Function {
        spec: Spec::changes("minion_pool_refresh", "Start checking and repairing a minion pool's machines, without \
                                                    waiting.")
            .noun_verb()
            .parameters(&[POOL])
            .returns(Returns::object(Noun::MinionPool))
            .sends(&[Sends::changes("POST /minion_pools/{pool}/actions", Again::Safe)])
            .given(A_POOL)
.example("wait_for(minion_pool_allocate(pool));\nprint(wait_for(minion_pool_refresh(pool)).status);"),
        body: refresh,
    },
    Function {
        spec: Spec::changes("minion_pool_deallocate", "Start deleting a minion pool's machines, without waiting.")
            .noun_verb()
            .parameters(&[POOL, Parameter::optional("options", Kind::Options(&[DEALLOCATE]), "How.")])
            .returns(Returns::begun(Noun::MinionPool).with("; its machines are gone when `wait_for` returns"))
            .sends(&[Sends::changes(
            "POST /minion_pools/{pool}/actions",
            Again::Compared("another status of the pool than before"),
        )])
            .given(A_POOL)
.example("wait_for(minion_pool_allocate(pool));\nprint(wait_for(minion_pool_deallocate(pool)).status);"),
        body: deallocate,
    },
];

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    Ok(call.shown(call.read_list(&minion_pools::list())?.into()))
}

fn show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::minion_pool(call, &call.argument("pool"))?;
    Ok(call.shown(call.read(&minion_pools::show(&id))?))
}

fn create(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let pool = make(call, &unguarded)?;
    Ok(call.shown(pool))
}

fn ensure(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let named = name(call)?;
    let pool = resolve::ensured(call, &minion_pools::list(), (&named, "minion pool"), |guard| make(call, guard))?;
    Ok(call.shown(pool))
}

fn update(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    refuse_nothing(call.options(), "minion_pool_update")?;
    let id = resolve::minion_pool(call, &call.argument("pool"))?;
    let fields = fields(call)?;
    let pool = settle::update(call, &minion_pools::update(&id, fields.clone()), &fields)?;
    Ok(call.shown(pool))
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::minion_pool(call, &call.argument("pool"))?;
    settle::remove(call, &minion_pools::delete(&id))?;
    Ok(Dynamic::UNIT)
}

fn allocate(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::minion_pool(call, &call.argument("pool"))?;
    let pool = act(call, &id, &minion_pools::allocate(&id), true)?;
    Ok(call.shown(pool))
}

fn refresh(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::minion_pool(call, &call.argument("pool"))?;
    let pool = settle::repeat(call, &minion_pools::refresh(&id), |_| false)?;
    Ok(call.shown(pool))
}

fn deallocate(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::minion_pool(call, &call.argument("pool"))?;
    let force = call.options().flag("force").unwrap_or(false);
    let pool = act(call, &id, &minion_pools::deallocate(&id, force), false)?;
    Ok(call.shown(pool))
}

fn make(call: &Call<'_>, guard: Guard<'_>) -> Result<Value> {
    let mut fields = fields(call)?;
    fields.insert("name".to_owned(), name(call)?.into());
    if !fields.contains_key("environment_options") {
        fields.insert("environment_options".to_owned(), Map::new().into());
    }
    if let Some(endpoint) = call.options().get("endpoint_id").cloned() {
        fields.insert("endpoint_id".to_owned(), resolve::endpoint(call, &endpoint)?.into());
    }
    let build = |fields| Ok(minion_pools::create(fields));
    settle::make(call, "notes", fields, guard, build, |call| call.read_list(&minion_pools::list()))
}

/// Allocates or deallocates a pool. When the answer is lost, a changed status in that direction shows that it has
/// begun; the server refuses a second request while the first is running.
fn act(call: &Call<'_>, id: &str, request: &Request, allocate: bool) -> Result<Value> {
    let decided = call.decided_before().unwrap_or_default();
    let seen = |call: &Call<'_>| Ok(call.read(&minion_pools::show(id))?["status"].clone());
    settle::change(call, request, &seen, |call, before| {
        let before = if before.is_null() { &decided } else { before };
        Ok(ours::pool(call.read(&minion_pools::show(id))?, before, allocate))
    })
}

fn fields(call: &Call<'_>) -> Result<Map<String, Value>> {
    let mut fields = call.options().body(&[
        "name",
        "platform",
        "os_type",
        "notes",
        "minimum_minions",
        "maximum_minions",
        "minion_max_idle_time",
        "minion_retention_strategy",
        "skip_allocation",
    ])?;
    put_map_or_file(call, &mut fields, "environment_options", "environment_options_file")?;
    Ok(fields)
}
