//! Endpoints: the clouds that instances are moved between.

use std::cell::Cell;

use rhai::Dynamic;

use crate::functions::providers::PLATFORMS;
use crate::functions::resolve;
use crate::functions::secrets::{KEEP, keep, secret_of};
use crate::functions::settings::{MAPPED_REGIONS, map_or_file, put_regions};
use serde_json::Value;

use crate::client::{Service, endpoints, present, secrets};
use crate::error::{Error, Kind as Failure, Result};
use crate::language::arguments::Options;
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{Key, Kind, Noun, Parameter, Spec};
use crate::language::value::to_script;
use crate::runtime::call::{Call, Guard, unguarded};
use crate::runtime::function::Function;
use crate::runtime::settle;

const ENDPOINT: Parameter =
    Parameter::required("endpoint", Kind::Reference(Noun::Endpoint), "The endpoint: its id, its name, or the object.");

const CONNECTION_INFO: Key =
    Key::new("connection_info", Kind::Map, "The whole connection of the provider; secrets in it stay masked.")
        .aliases(&["connection"]);
const CONNECTION_FILE: Key =
    Key::new("connection_file", Kind::Path, "The same as a JSON file, relative to the runbook's folder.");
const CONNECTION_SECRET: Key =
    Key::new("connection_secret", Kind::Reference(Noun::Secret), "The secret in Barbican that holds it.")
        .aliases(&["secret_ref"]);
const STORE_CONNECTION: Key =
    Key::new("store_connection", Kind::Flag, "Keep it in Barbican instead of Coriolis' database; default false.");

const CREATE: &[Key] = &[
    Key::new("name", Kind::Text, "Its name for people.").required(),
    Key::new("type", Kind::Word(&PLATFORMS), "The provider's platform; `provider_list` has the server's.")
        .aliases(&["provider"])
        .required(),
    CONNECTION_INFO,
    CONNECTION_FILE,
    CONNECTION_SECRET,
    STORE_CONNECTION,
    Key::new("description", Kind::Text, "A text for people; default: none."),
    MAPPED_REGIONS,
    Key::new("skip_validation", Kind::Flag, "Do not try the connection afterwards; default false."),
];

const UPDATE: &[Key] = &[
    Key::new("name", Kind::Text, "The new name; default: the old one."),
    CONNECTION_INFO,
    CONNECTION_FILE,
    CONNECTION_SECRET,
    STORE_CONNECTION,
    Key::new("description", Kind::Text, "The new description; default: the old one."),
    MAPPED_REGIONS,
];

const KEEP_CONNECTION: Sends = KEEP.when("with `store_connection`");
const MAKE: Sends = Sends::changes("POST /endpoints", Again::Marked("description"));
const VALIDATE: Sends = Sends::changes("POST /endpoints/{endpoint}/actions", Again::Safe)
    .when("when it was made, unless `skip_validation`");

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("endpoint_list", "List the endpoints.")
            .noun_verb()
            .returns(Returns::list(Noun::Endpoint))
            .sends(&[Sends::reads("GET /endpoints")])
            .example("for endpoint in endpoint_list() { print(endpoint.name); }"),
        body: list,
    },
    Function {
        spec: Spec::reads("endpoint_show", "Show an endpoint.")
            .noun_verb()
            .parameters(&[ENDPOINT])
            .returns(Returns::object(Noun::Endpoint))
            .sends(&[Sends::reads("GET /endpoints/{endpoint}")])
            .example("print(endpoint_show(\"vcenter\").type);"),
        body: show,
    },
    Function {
        spec: Spec::reads("endpoint_find", "Find the one endpoint of a name.")
            .noun_verb()
            .parameters(&[ENDPOINT])
            .returns(Returns::object(Noun::Endpoint))
            .sends(&[Sends::reads("GET /endpoints/{endpoint}")])
            .example("print(endpoint_find(\"openstack\").name);"),
        body: show,
    },
    Function {
        spec: Spec::changes("endpoint_create", "Create an endpoint and try its connection.")
            .noun_verb()
            .parameters(&[Parameter::required("options", Kind::Options(&[CREATE]), "What to create.")])
            .returns(Returns::object(Noun::Endpoint).with("; the key `validation` has the result of trying the \
                                                           connection"))
            .sends(&[KEEP_CONNECTION, MAKE, VALIDATE])
            .example("print(endpoint_create(#{ name: \"lab\", provider: \"openstack\", connection: #{ username: \"me\" } }).name);"),
        body: create,
    },
    Function {
        spec: Spec::changes("endpoint_ensure", "Find the endpoint of this name, or create it; one that exists stays as it is.")
            .noun_verb()
            .parameters(&[Parameter::required("options", Kind::Options(&[CREATE]), "As for `endpoint_create`.")])
            .returns(Returns::object(Noun::Endpoint).with("; its key `created` is true if it was just created"))
            .sends(&[
            Sends::reads("GET /endpoints"),
            KEEP_CONNECTION.when("with `store_connection`, when there is none of this name"),
            MAKE.when("when there is none of this name"),
            Sends::changes("DELETE /v1/secrets/{secret}", Again::Safe)
                .to(Service::Secrets)
                .when("when it was stored, and somebody else has created one of this name since"),
            VALIDATE,
        ])
            .example("print(endpoint_ensure(#{ name: \"vcenter\", provider: \"vmware_vsphere\", connection: #{ host: \"vc\" } }).created);"),
        body: ensure,
    },
    Function {
        spec: Spec::changes("endpoint_update", "Change an endpoint.")
            .noun_verb()
            .parameters(&[
            ENDPOINT,
            Parameter::required("options", Kind::Options(&[UPDATE]), "The changes; everything else stays as it is."),
        ])
            .returns(Returns::object(Noun::Endpoint).with(" as it is now"))
            .sends(&[KEEP_CONNECTION, Sends::changes("PUT /endpoints/{endpoint}", settle::UPDATED)])
            .example("print(endpoint_update(\"vcenter\", #{ description: \"old data centre\" }).description);"),
        body: update,
    },
    Function {
        spec: Spec::changes("endpoint_delete", "Delete an endpoint that nothing uses.")
            .noun_verb()
            .parameters(&[ENDPOINT])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("DELETE /endpoints/{endpoint}", Again::Safe)])
            .example("endpoint_delete(\"openstack\");"),
        body: delete,
    },
    Function {
        spec: Spec::reads("endpoint_validate_connection", "Try an endpoint's connection and wait for the answer.")
            .aliases(&["validate_endpoint_connection", "validate_endpoint"])
            .noun_verb()
            .parameters(&[ENDPOINT])
            .returns(Returns::map(&["valid", "message"]).with(": `valid` is false, and `message` says why, when the credentials are wrong"))
            .sends(&[Sends::changes("POST /endpoints/{endpoint}/actions", Again::Safe)])
            .example("print(endpoint_validate_connection(\"vcenter\").valid);"),
        body: validate,
    },
];

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    Ok(call.shown(call.read_list(&endpoints::list())?.into()))
}

fn show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::endpoint(call, &call.argument("endpoint"))?;
    Ok(call.shown(call.read(&endpoints::show(&id))?))
}

fn create(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let endpoint = make(call, &unguarded)?;
    Ok(call.shown(endpoint))
}

fn ensure(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let name = call.options().text("name").unwrap_or_default();
    let endpoint = resolve::ensured(call, &endpoints::list(), (&name, "endpoint"), |guard| make(call, guard))?;
    if let Some(wanted) = call.options().text("type")
        && endpoint["created"] == false
        && endpoint["type"] != wanted
    {
        let has = endpoint["type"].as_str().unwrap_or("?");
        return Err(Error::new(
            Failure::Refused,
            format!("the endpoint `{name}` exists, and it is of the type `{has}`, not `{wanted}`"),
        )
        .hint("use another name, or `endpoint_find`")
        .into());
    }
    Ok(call.shown(endpoint))
}

fn make(call: &Call<'_>, guard: Guard<'_>) -> Result<Value> {
    let mut fields = call.options().body(&["name", "type", "description"])?;
    put_regions(call, &mut fields)?;
    let name = call.options().text("name").unwrap_or_default();
    let Some(connection) = connection(call, &name, guard)? else {
        return Err(Error::script(format!(
            "`{}` needs `connection`, `connection_file` or `connection_secret`",
            call.function.name
        )));
    };
    fields.insert("connection_info".to_owned(), connection.clone());
    let skip = call.options().flag("skip_validation").unwrap_or(false);
    let build = |fields| Ok(endpoints::create(fields));
    let kept_back = Cell::new(false);
    let asked = |call: &Call<'_>| {
        let answer = guard(call);
        kept_back.set(answer.as_ref().is_err_and(|error| error.kind == Failure::Refused));
        answer
    };
    let made = settle::make(call, "description", fields, &asked, build, |call| call.read_list(&endpoints::list()));
    if made.is_err() && kept_back.get() {
        remove_unused(call, &connection)?;
    }
    let mut endpoint = made?;
    if !skip && let Some(id) = endpoint["id"].as_str().map(str::to_owned) {
        endpoint["validation"] = validated(call, &id)?;
    }
    Ok(endpoint)
}

fn update(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::endpoint(call, &call.argument("endpoint"))?;
    refuse_nothing(call.options(), "endpoint_update")?;
    let mut fields = call.options().body(&["name", "description"])?;
    put_regions(call, &mut fields)?;
    let endpoint = call.argument("endpoint");
    let name = call.options().text("name").or_else(|| resolve::field(&endpoint, "name")).unwrap_or_else(|| id.clone());
    if let Some(connection) = connection(call, &name, &unguarded)? {
        fields.insert("connection_info".to_owned(), connection);
    }
    let endpoint = settle::update(call, &endpoints::update(&id, fields.clone()), &fields)?;
    Ok(call.shown(endpoint))
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::endpoint(call, &call.argument("endpoint"))?;
    settle::remove(call, &endpoints::delete(&id))?;
    Ok(Dynamic::UNIT)
}

fn validate(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::endpoint(call, &call.argument("endpoint"))?;
    Ok(to_script(validated(call, &id)?))
}

fn validated(call: &Call<'_>, id: &str) -> Result<Value> {
    let answer = present::validation(settle::repeat(call, &endpoints::validate_connection(id), |_| false)?);
    if answer["valid"] == false {
        let message = answer["message"].as_str().unwrap_or("the server gives no reason");
        call.warn(format!("the connection of the endpoint {id} is not valid: {message}"));
    }
    Ok(answer)
}

/// Deletes the secret that was stored for an endpoint which is not made after all, unless something refers to it.
fn remove_unused(call: &Call<'_>, connection: &Value) -> Result<()> {
    let secret = connection["secret_ref"].as_str().filter(|_| stores(call));
    let Some(secret) = secret else { return Ok(()) };
    let is_used = |endpoint: &Value| endpoint["connection_info"]["secret_ref"] == secret;
    if !call.read_list(&endpoints::list())?.iter().any(is_used) {
        settle::remove(call, &secrets::delete(secret))?;
    }
    Ok(())
}

/// True if the call stores the connection itself.
fn stores(call: &Call<'_>) -> bool {
    call.options().flag("store_connection").unwrap_or(false) && !call.options().has("connection_secret")
}

/// The connection in the options, if any: the connection itself, or the address of the secret that holds it. `guard` is
/// asked before one is stored.
fn connection(call: &Call<'_>, name: &str, guard: Guard<'_>) -> Result<Option<Value>> {
    let given = map_or_file(call, "connection_info", "connection_file")?;
    let secret = call.options().get("connection_secret").map(secret_of).transpose()?;
    match (given, secret) {
        (Some(_), Some(_)) => {
            Err(Error::script("the connection is given twice, itself and as a secret")
                .detail("key", "connection_secret"))
        }
        (None, Some(id)) if !id.contains("://") => {
            let known = call.read(&secrets::show(&id))?;
            Ok(Some(secrets::reference(known["secret_ref"].as_str().unwrap_or(&id))))
        }
        (None, Some(secret)) => Ok(Some(secrets::reference(&secret))),
        (Some(connection), None) if stores(call) => {
            let kept = keep(call, Some(name), &connection, guard)?;
            let secret = kept["secret_ref"].as_str();
            let secret = secret
                .ok_or_else(|| Error::new(Failure::Unreachable, "Barbican did not return the address of the secret"))?;
            Ok(Some(secrets::reference(secret)))
        }
        (given, None) => Ok(given),
    }
}

/// Refuses an update of nothing, which is a misspelling or a forgotten key.
pub fn refuse_nothing(options: &Options, function: &str) -> Result<()> {
    if options.is_empty() {
        return Err(Error::script(format!("`{function}` has nothing to change")));
    }
    Ok(())
}
