//! The resources of an endpoint's cloud: instances, networks, storage, options. Each answer takes as long as the cloud
//! does.

use rhai::Dynamic;
use serde_json::Value;

use crate::client::{endpoints, instances, networks, options, storage};
use crate::error::{Error, Result};
use crate::functions::files::write_text;
use crate::functions::resolve;
use crate::functions::settings::map_or_file;
use crate::language::arguments::text_of;
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::Sends;
use crate::language::spec::{Key, Kind, Noun, Parameter, Spec};
use crate::model::Generation;
use crate::runtime::call::Call;
use crate::runtime::function::Function;

const ENDPOINT: Parameter =
    Parameter::required("endpoint", Kind::Reference(Noun::Endpoint), "The endpoint: its id, its name, or the object.");

const ENVIRONMENT: Key =
    Key::new("environment", Kind::Map, "The provider's settings besides the connection; default: none.")
        .aliases(&["env"]);

const ENVIRONMENT_FILE: Key =
    Key::new("environment_file", Kind::Path, "The same as a JSON file, relative to the runbook's folder.");

const INSTANCES: &[Key] = &[
    Key::new("name", Kind::Text, "A pattern that the provider understands, mostly a regular expression; default: all."),
    Key::new("limit", Kind::Integer, "At most this many; default: all of them, page by page."),
    Key::new("marker", Kind::Text, "The id of the last instance that was already seen; default: from the first."),
    Key::new("refresh", Kind::Flag, "Ask the cloud again instead of using the worker's cache; default false."),
    ENVIRONMENT,
    ENVIRONMENT_FILE,
];

const ENVIRONMENT_ONLY: &[Key] = &[ENVIRONMENT, ENVIRONMENT_FILE];

const INVENTORY: &[Key] = &[
    ENVIRONMENT,
    ENVIRONMENT_FILE,
    Key::new("output_file", Kind::Path, "Also write it to this file, relative to the runbook's folder; default: none."),
];

const OPTIONS: &[Key] = &[
    ENVIRONMENT,
    ENVIRONMENT_FILE,
    Key::new("options", Kind::Texts, "Only the options of these names; default: all."),
];

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads(
            "endpoint_instance_list",
            "List the virtual machines of an endpoint's cloud, all pages of them.",
        )
        .noun_verb()
        .parameters(&[
            ENDPOINT,
            Parameter::optional("options", Kind::Options(&[INSTANCES]), "The selection, and the search."),
        ])
        .returns(Returns::list(Noun::Instance))
        .sends(&[Sends::reads("GET /endpoints/{endpoint}/instances")])
        .example("print(endpoint_instance_list(\"vcenter\", #{ limit: 3 }).len());"),
        body: instance_list,
    },
    Function {
        spec: Spec::reads("endpoint_instance_show", "Show a virtual machine with its disks and network cards.")
            .noun_verb()
            .parameters(&[
                ENDPOINT,
                Parameter::required("instance", Kind::Reference(Noun::Instance), "Its name, its id, or the object."),
                Parameter::optional("options", Kind::Options(&[ENVIRONMENT_ONLY]), "How to look."),
            ])
            .returns(Returns::object(Noun::Instance).with(" with its `devices`"))
            .sends(&[Sends::reads("GET /endpoints/{endpoint}/instances/{instance}")])
            .example("print(endpoint_instance_show(\"vcenter\", \"web-01\").devices.disks.len() > 0);"),
        body: instance_show,
    },
    Function {
        spec: Spec::reads("endpoint_network_list", "List the networks of a destination.")
            .noun_verb()
            .parameters(&[ENDPOINT, Parameter::optional("options", Kind::Options(&[ENVIRONMENT_ONLY]), "How to look.")])
            .returns(Returns::list(Noun::Network))
            .sends(&[Sends::reads("GET /endpoints/{endpoint}/networks")])
            .example("for network in endpoint_network_list(\"openstack\") { print(network.name); }"),
        body: network_list,
    },
    Function {
        spec: Spec::reads("endpoint_storage_list", "List the storage backends of a destination.")
            .noun_verb()
            .parameters(&[ENDPOINT, Parameter::optional("options", Kind::Options(&[ENVIRONMENT_ONLY]), "How to look.")])
            .returns(Returns::map(&["storage_backends", "config_default"]))
            .sends(&[Sends::reads("GET /endpoints/{endpoint}/storage")])
            .example("print(endpoint_storage_list(\"openstack\").storage_backends.len() > 0);"),
        body: storage_list,
    },
    Function {
        spec: Spec::reads("endpoint_source_options_list", "List the options of a source environment.")
            .noun_verb()
            .parameters(&[
                ENDPOINT,
                Parameter::optional("options", Kind::Options(&[OPTIONS]), "The selection, and the search."),
            ])
            .returns(Returns::values("options with their `values`"))
            .sends(&[Sends::reads("GET /endpoints/{endpoint}/source-options")])
            .example("print(endpoint_source_options_list(\"vcenter\").len() > 0);"),
        body: source_options,
    },
    Function {
        spec: Spec::reads("endpoint_destination_options_list", "List the options of a destination environment.")
            .noun_verb()
            .parameters(&[
                ENDPOINT,
                Parameter::optional("options", Kind::Options(&[OPTIONS]), "The selection, and the search."),
            ])
            .returns(Returns::values("options with their `values`"))
            .sends(&[Sends::reads("GET /endpoints/{endpoint}/destination-options")])
            .example("print(endpoint_destination_options_list(\"openstack\").len() > 0);"),
        body: destination_options,
    },
    Function {
        spec: Spec::reads(
            "endpoint_source_minion_pool_options_list",
            "List the options of the environment of a minion pool at a source.",
        )
        .noun_verb()
        .parameters(&[
            ENDPOINT,
            Parameter::optional("options", Kind::Options(&[OPTIONS]), "The selection, and the search."),
        ])
        .returns(Returns::values("options with their `values`"))
        .sends(&[Sends::reads("GET /endpoints/{endpoint}/source-minion-pool-options")])
        .example("print(endpoint_source_minion_pool_options_list(\"vcenter\").len() > 0);"),
        body: source_pool_options,
    },
    Function {
        spec: Spec::reads(
            "endpoint_destination_minion_pool_options_list",
            "List the options of the environment of a minion pool at a destination.",
        )
        .noun_verb()
        .parameters(&[
            ENDPOINT,
            Parameter::optional("options", Kind::Options(&[OPTIONS]), "The selection, and the search."),
        ])
        .returns(Returns::values("options with their `values`"))
        .sends(&[Sends::reads("GET /endpoints/{endpoint}/destination-minion-pool-options")])
        .example("print(endpoint_destination_minion_pool_options_list(\"openstack\").len() > 0);"),
        body: destination_pool_options,
    },
    Function {
        spec: Spec::reads(
            "endpoint_export_inventory",
            "Export the virtual machines of an endpoint's cloud as CSV (current servers only).",
        )
        .aliases(&["endpoint_inventory_export"])
        .noun_verb()
        .parameters(&[
            ENDPOINT,
            Parameter::optional("options", Kind::Options(&[INVENTORY]), "The environment, and a file for it."),
        ])
        .returns(Returns::TEXT.with(": CSV with a header, one row per virtual machine"))
        .sends(&[Sends::reads("GET /endpoints/{endpoint}/inventory").only(Generation::Current)])
        .example(
            "try { print(endpoint_export_inventory(\"vcenter\").contains(\"web-01\")); } catch (e) { print(e.hint); }",
        ),
        body: export_inventory,
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
    Ok(call.shown(call.read_list(&instances::list(&endpoint, &query))?.into()))
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

fn source_pool_options(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    list_options(call, options::Side::SourceMinionPool)
}

fn destination_pool_options(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    list_options(call, options::Side::DestinationMinionPool)
}

fn export_inventory(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    if call.generation()? == Generation::Legacy {
        return Err(Error::script("a legacy server cannot export an inventory")
            .hint("list the virtual machines with `endpoint_instance_list`")
            .into());
    }
    let endpoint = resolve::endpoint(call, &call.argument("endpoint"))?;
    let answer = call.read(&endpoints::export_inventory(&endpoint, environment(call)?.as_ref()))?;
    let text = answer.as_str().map(str::to_owned).unwrap_or_default();
    if let Some(path) = call.options().text("output_file") {
        write_text(call, &path, &text)?;
    }
    Ok(text.into())
}

fn list_options(call: &mut Call<'_>, side: options::Side) -> Result<Dynamic, Fault> {
    let endpoint = resolve::endpoint(call, &call.argument("endpoint"))?;
    let names = call.options().texts("options");
    Ok(call.shown(call.read(&options::list(&endpoint, side, environment(call)?.as_ref(), names.as_deref()))?))
}

fn environment(call: &Call<'_>) -> Result<Option<Value>> {
    map_or_file(call, "environment", "environment_file")
}
