//! What an endpoint's cloud has: instances, networks, storage, options. Each answer takes as long as the cloud takes.

use rhai::Dynamic;
use serde_json::Value;

use super::resolve;
use crate::client::{instances, networks, options, storage};
use crate::error::Result;
use crate::script::arguments::text_of;
use crate::script::call::Call;
use crate::script::error::Fault;
use crate::script::function::{Effect, Function, Key, Kind, Noun, Parameter};

const ENDPOINT: Parameter =
    Parameter::required("endpoint", Kind::Reference(Noun::Endpoint), "The endpoint: its id, its name, or the object.");

const ENVIRONMENT: Key =
    Key::new("environment", Kind::Map, "What the provider wants to know besides the connection.").aliases(&["env"]);

const INSTANCES: &[Key] = &[
    Key::new("name", Kind::Text, "A pattern that the provider understands, mostly a regular expression."),
    Key::new("limit", Kind::Integer, "At most so many; default: all of them, page after page."),
    Key::new("marker", Kind::Text, "The id of the last instance already seen."),
    Key::new("refresh", Kind::Flag, "Ask the cloud anew instead of the worker's memory; default false."),
    ENVIRONMENT,
];

const ENVIRONMENT_ONLY: &[Key] = &[ENVIRONMENT];

const OPTIONS: &[Key] =
    &[ENVIRONMENT, Key::new("options", Kind::Texts, "Only the options of these names; default: all.")];

pub const ROWS: &[Function] = &[
    Function {
        name: "endpoint_instance_list",
        aliases: &[],
        parameters: &[ENDPOINT, Parameter::optional("options", Kind::Options(&[INSTANCES]), "Which, and how to look.")],
        result: "a list of instances",
        summary: "List the virtual machines of an endpoint's cloud, all pages of them.",
        example: "print(endpoint_instance_list(\"vcenter\", #{ limit: 3 }).len());",
        effect: Effect::Reads,
        noun_verb: true,
        body: instance_list,
    },
    Function {
        name: "endpoint_instance_show",
        aliases: &[],
        parameters: &[
            ENDPOINT,
            Parameter::required("instance", Kind::Reference(Noun::Instance), "Its name, its id, or the object."),
            Parameter::optional("options", Kind::Options(&[ENVIRONMENT_ONLY]), "How to look."),
        ],
        result: "the instance with its `devices`",
        summary: "Show a virtual machine with its disks and network cards.",
        example: "print(endpoint_instance_show(\"vcenter\", \"web-01\").devices.disks.len() > 0);",
        effect: Effect::Reads,
        noun_verb: true,
        body: instance_show,
    },
    Function {
        name: "endpoint_network_list",
        aliases: &[],
        parameters: &[ENDPOINT, Parameter::optional("options", Kind::Options(&[ENVIRONMENT_ONLY]), "How to look.")],
        result: "a list of networks",
        summary: "List the networks of a destination.",
        example: "for network in endpoint_network_list(\"openstack\") { print(network.name); }",
        effect: Effect::Reads,
        noun_verb: true,
        body: network_list,
    },
    Function {
        name: "endpoint_storage_list",
        aliases: &[],
        parameters: &[ENDPOINT, Parameter::optional("options", Kind::Options(&[ENVIRONMENT_ONLY]), "How to look.")],
        result: "`#{ storage_backends, config_default }`",
        summary: "List the storage backends of a destination.",
        example: "print(endpoint_storage_list(\"openstack\").storage_backends.len() > 0);",
        effect: Effect::Reads,
        noun_verb: true,
        body: storage_list,
    },
    Function {
        name: "endpoint_source_options_list",
        aliases: &[],
        parameters: &[ENDPOINT, Parameter::optional("options", Kind::Options(&[OPTIONS]), "Which, and how to look.")],
        result: "a list of options with their `values`",
        summary: "List what a source environment may say.",
        example: "print(endpoint_source_options_list(\"vcenter\").len() > 0);",
        effect: Effect::Reads,
        noun_verb: true,
        body: source_options,
    },
    Function {
        name: "endpoint_destination_options_list",
        aliases: &[],
        parameters: &[ENDPOINT, Parameter::optional("options", Kind::Options(&[OPTIONS]), "Which, and how to look.")],
        result: "a list of options with their `values`",
        summary: "List what a destination environment may say.",
        example: "print(endpoint_destination_options_list(\"openstack\").len() > 0);",
        effect: Effect::Reads,
        noun_verb: true,
        body: destination_options,
    },
];

fn instance_list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let endpoint = resolve::endpoint(call, &call.argument("endpoint"))?;
    let options = call.options();
    let query = instances::Query {
        marker: options.text("marker"),
        limit: options.integer("limit").map(|limit| u64::try_from(limit).unwrap_or(0)),
        name: options.text("name"),
        refresh: options.flag("refresh").unwrap_or(false),
        environment: environment(call)?,
    };
    let request = instances::list(&endpoint, &query);
    let found = if query.limit.is_some() { call.read(&request)? } else { call.read_list(&request)?.into() };
    Ok(call.shown(found))
}

fn instance_show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let endpoint = resolve::endpoint(call, &call.argument("endpoint"))?;
    let instance = call.argument("instance");
    let name = resolve::field(&instance, "id").or_else(|| resolve::field(&instance, "name"));
    let name = name.unwrap_or_else(|| text_of(&instance));
    Ok(call.shown(call.read(&instances::show(&endpoint, &name, environment(call)?.as_ref()))?))
}

fn network_list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let endpoint = resolve::endpoint(call, &call.argument("endpoint"))?;
    Ok(call.shown(call.read(&networks::list(&endpoint, environment(call)?.as_ref()))?))
}

fn storage_list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let endpoint = resolve::endpoint(call, &call.argument("endpoint"))?;
    Ok(call.shown(call.read(&storage::show(&endpoint, environment(call)?.as_ref()))?))
}

fn source_options(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    list_options(call, options::Side::Source)
}

fn destination_options(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    list_options(call, options::Side::Destination)
}

fn list_options(call: &mut Call<'_>, side: options::Side) -> Result<Dynamic, Fault> {
    let endpoint = resolve::endpoint(call, &call.argument("endpoint"))?;
    let names = call.options().texts("options");
    Ok(call.shown(call.read(&options::list(&endpoint, side, environment(call)?.as_ref(), names.as_deref()))?))
}

fn environment(call: &Call<'_>) -> Result<Option<Value>> {
    Ok(call.options().body(&["environment"])?.remove("environment").filter(|environment| !environment.is_null()))
}
