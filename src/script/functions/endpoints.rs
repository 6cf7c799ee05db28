//! Endpoints: the clouds that instances are moved between.

use rhai::Dynamic;

use super::resolve;
use super::settings::{MAPPED_REGIONS, put_regions};
use crate::client::{endpoints, present};
use crate::error::{Error, Result};
use crate::script::arguments::Options;
use crate::script::call::Call;
use crate::script::error::Fault;
use crate::script::function::{Effect, Function, Key, Kind, Noun, Parameter};
use crate::script::value::to_script;

const ENDPOINT: Parameter =
    Parameter::required("endpoint", Kind::Reference(Noun::Endpoint), "The endpoint: its id, its name, or the object.");

const CREATE: &[Key] = &[
    Key::new("name", Kind::Text, "How people call it.").required(),
    Key::new("type", Kind::Text, "The provider's platform, such as `openstack`.").aliases(&["provider"]).required(),
    Key::new("connection_info", Kind::Map, "What the provider needs to connect; secrets in it stay masked.")
        .aliases(&["connection"])
        .required(),
    Key::new("description", Kind::Text, "A text for people."),
    MAPPED_REGIONS,
    Key::new("skip_validation", Kind::Flag, "Do not try the connection afterwards; default false."),
];

const UPDATE: &[Key] = &[
    Key::new("name", Kind::Text, "The new name."),
    Key::new("connection_info", Kind::Map, "Replaces the old one whole.").aliases(&["connection"]),
    Key::new("description", Kind::Text, "The new description."),
    MAPPED_REGIONS,
];

pub const ROWS: &[Function] = &[
    Function {
        name: "endpoint_list",
        aliases: &[],
        parameters: &[],
        result: "a list of endpoints",
        summary: "List the endpoints.",
        example: "for endpoint in endpoint_list() { print(endpoint.name); }",
        effect: Effect::Reads,
        noun_verb: true,
        body: list,
    },
    Function {
        name: "endpoint_show",
        aliases: &[],
        parameters: &[ENDPOINT],
        result: "the endpoint",
        summary: "Show an endpoint.",
        example: "print(endpoint_show(\"vcenter\").type);",
        effect: Effect::Reads,
        noun_verb: true,
        body: show,
    },
    Function {
        name: "endpoint_find",
        aliases: &[],
        parameters: &[ENDPOINT],
        result: "the endpoint",
        summary: "Find the one endpoint of a name.",
        example: "print(endpoint_find(\"openstack\").name);",
        effect: Effect::Reads,
        noun_verb: true,
        body: show,
    },
    Function {
        name: "endpoint_create",
        aliases: &[],
        parameters: &[Parameter::required("options", Kind::Options(&[CREATE]), "What to create.")],
        result: "the endpoint; the key `validation` says what trying the connection gave",
        summary: "Create an endpoint and try its connection.",
        example: "print(endpoint_create(#{ name: \"lab\", provider: \"openstack\", connection: #{ username: \"me\" } }).name);",
        effect: Effect::Changes,
        noun_verb: true,
        body: create,
    },
    Function {
        name: "endpoint_update",
        aliases: &[],
        parameters: &[ENDPOINT, Parameter::required("options", Kind::Options(&[UPDATE]), "What to change.")],
        result: "the endpoint as it is now",
        summary: "Change an endpoint.",
        example: "print(endpoint_update(\"vcenter\", #{ description: \"old data centre\" }).description);",
        effect: Effect::Changes,
        noun_verb: true,
        body: update,
    },
    Function {
        name: "endpoint_delete",
        aliases: &[],
        parameters: &[ENDPOINT],
        result: "nothing",
        summary: "Delete an endpoint that nothing uses.",
        example: "endpoint_delete(\"openstack\");",
        effect: Effect::Changes,
        noun_verb: true,
        body: delete,
    },
    Function {
        name: "endpoint_validate_connection",
        aliases: &["validate_endpoint_connection", "validate_endpoint"],
        parameters: &[ENDPOINT],
        result: "`#{ valid, message }`: `valid` is false, and `message` says why, when the credentials are wrong",
        summary: "Try an endpoint's connection and wait for the answer.",
        example: "print(endpoint_validate_connection(\"vcenter\").valid);",
        effect: Effect::Reads,
        noun_verb: true,
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
    let mut fields = call.options().body(&["name", "type", "connection_info", "description"])?;
    put_regions(call, &mut fields)?;
    let skip = call.options().flag("skip_validation").unwrap_or(false);
    let mut endpoint = call.change(&endpoints::create(fields))?;
    if !skip && let Some(id) = endpoint["id"].as_str().map(str::to_owned) {
        endpoint["validation"] = validated(call, &id)?;
    }
    Ok(call.shown(endpoint))
}

fn update(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::endpoint(call, &call.argument("endpoint"))?;
    refuse_nothing(call.options(), "endpoint_update")?;
    let mut fields = call.options().body(&["name", "description", "connection_info"])?;
    put_regions(call, &mut fields)?;
    let endpoint = call.change(&endpoints::update(&id, fields))?;
    Ok(call.shown(endpoint))
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::endpoint(call, &call.argument("endpoint"))?;
    call.change(&endpoints::delete(&id))?;
    Ok(Dynamic::UNIT)
}

fn validate(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::endpoint(call, &call.argument("endpoint"))?;
    Ok(to_script(validated(call, &id)?))
}

fn validated(call: &mut Call<'_>, id: &str) -> Result<serde_json::Value> {
    let answer = present::validation(call.change(&endpoints::validate_connection(id))?);
    if answer["valid"] == false {
        let message = answer["message"].as_str().unwrap_or("the server gives no reason");
        call.warn(format!("the connection of the endpoint {id} is not valid: {message}"));
    }
    Ok(answer)
}

/// An update of nothing is a misspelling or a forgotten key.
pub fn refuse_nothing(options: &Options, function: &str) -> Result<()> {
    if options.is_empty() {
        return Err(Error::script(format!("`{function}` is given nothing to change")));
    }
    Ok(())
}
