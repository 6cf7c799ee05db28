//! Transfers, called replicas on legacy servers: copies of instances from one cloud to another.

use rhai::Dynamic;
use serde_json::{Map, Value, json};

use crate::client::{Direction, Filters, present, transfers};
use crate::error::{Error, Result, count};
use crate::functions::begun;
use crate::functions::endpoints::refuse_nothing;
use crate::functions::guarded::enabled_schedules;
use crate::functions::guards::Enabled;
use crate::functions::ours::Wanted;
use crate::functions::resolve;
use crate::functions::resolve::{TRANSFER, fetch};
use crate::functions::settings::{
    USER_SCRIPT_GLOBAL, USER_SCRIPT_INSTANCE, USER_SCRIPTS, put_map_or_file, put_switch, put_user_scripts,
};
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{A_REPLICA, Key, Kind, Noun, Parameter, Spec};
use crate::runtime::call::{Call, Guard, unguarded};
use crate::runtime::function::Function;
use crate::runtime::settle;

/// The two sides of a transfer.
pub const ENDS: &[Key] = &[
    Key::new("origin_endpoint_id", Kind::Reference(Noun::Endpoint), "The cloud with the VMs.")
        .aliases(&["origin_endpoint"])
        .required(),
    Key::new("destination_endpoint_id", Kind::Reference(Noun::Endpoint), "Where they go.")
        .aliases(&["destination_endpoint"])
        .required(),
    Key::new(
        "instances",
        Kind::Names(Noun::Instance),
        "Names of VMs; several in one transfer succeed or fail together.",
    )
    .aliases(&["instance"])
    .required(),
    Key::new(
        "scenario",
        Kind::Choice(&["replica", "live_migration"]),
        "The purpose of the copy (`live_migration`: current servers only); default `replica`.",
    ),
];

const STORAGE: &[Key] = &[
    Key::new("default", Kind::Name(Noun::Storage), "The storage for all other disks."),
    Key::new("backend_mappings", Kind::Rows(&[BACKEND_MAPPING]), "The storage for the disks of a source backend."),
    Key::new("disk_mappings", Kind::Rows(&[DISK_MAPPING]), "The storage for single disks."),
];

const BACKEND_MAPPING: &[Key] = &[
    Key::new("source", Kind::Name(Noun::Storage), "The backend at the source.").required(),
    Key::new("destination", Kind::Name(Noun::Storage), "The backend at the destination.").required(),
];

const DISK_MAPPING: &[Key] = &[
    Key::new("disk_id", Kind::Text, "The disk's id; `endpoint_instance_show` has it under `devices.disks`.").required(),
    Key::new("destination", Kind::Name(Noun::Storage), "The backend at the destination.").required(),
];

/// The statuses of executions and deployments; a transfer has its last execution's.
const STATUSES: [&str; 10] = [
    "UNEXECUTED",
    "PENDING",
    "RUNNING",
    "AWAITING_MINION_ALLOCATIONS",
    "COMPLETED",
    "ERROR",
    "CANCELLING",
    "CANCELED",
    "DEADLOCKED",
    "ERROR_ALLOCATING_MINIONS",
];

const SORT_KEYS: [&str; 6] = [
    "created_at",
    "created_at:asc",
    "updated_at",
    "updated_at:asc",
    "last_execution_status",
    "last_execution_status:asc",
];

/// The settings that a transfer is created with and that can be changed later.
pub const SETTINGS: &[Key] = &[
    Key::new("notes", Kind::Text, "A text for people; default: none."),
    Key::new(
        "network_map",
        Kind::Mapping(Noun::Network, Noun::Network),
        "Source network to destination network; default: none.",
    ),
    Key::new("network_map_file", Kind::Path, "The same as a JSON file, relative to the runbook's folder."),
    Key::new(
        "source_environment",
        Kind::Map,
        "The settings of the source's provider; `endpoint_source_options_list` lists them. Default: none.",
    ),
    Key::new("source_environment_file", Kind::Path, "The same as a JSON file, relative to the runbook's folder."),
    Key::new(
        "destination_environment",
        Kind::Map,
        "The settings of the destination's provider; `endpoint_destination_options_list` lists them. Default: none.",
    ),
    Key::new("destination_environment_file", Kind::Path, "The same as a JSON file, relative to the runbook's folder."),
    Key::new(
        "storage_mappings",
        Kind::Options(&[STORAGE]),
        "The storage for each disk, in the form of the API; default: the provider's choice.",
    ),
    Key::new(
        "default_storage_backend",
        Kind::Name(Noun::Storage),
        "The storage for all other disks; default: the provider's choice.",
    ),
    Key::new("disk_storage_mapping", Kind::Map, "Disk id to storage backend; default: none.")
        .aliases(&["disk_storage_mappings"]),
    Key::new(
        "storage_backend_mapping",
        Kind::Mapping(Noun::Storage, Noun::Storage),
        "Source backend to destination backend; default: none.",
    )
    .aliases(&["storage_backend_mappings"]),
    Key::new(
        "user_scripts",
        Kind::Options(&[USER_SCRIPTS]),
        "Scripts that run in the VMs while they are adapted, in the form of the API; default: none.",
    ),
    USER_SCRIPT_GLOBAL,
    USER_SCRIPT_INSTANCE,
    Key::new(
        "origin_minion_pool_id",
        Kind::Reference(Noun::MinionPool),
        "A minion pool at the source; default: machines made for it.",
    )
    .aliases(&["origin_minion_pool"]),
    Key::new(
        "destination_minion_pool_id",
        Kind::Reference(Noun::MinionPool),
        "A minion pool at the destination; default: machines made for it.",
    )
    .aliases(&["destination_minion_pool"]),
    Key::new(
        "instance_osmorphing_minion_pool_mappings",
        Kind::Mapping(Noun::Instance, Noun::MinionPool),
        "VM to the minion pool that adapts it: its id, its name, or the object; default: a machine made for it.",
    )
    .aliases(&["osmorphing_minion_pool_mapping"]),
    Key::new(
        "clone_disks",
        Kind::Flag,
        "Deploy from clones of the copied disks, so that the copy stays; default true.",
    ),
    Key::new("dont_clone_disks", Kind::Flag, "The opposite of `clone_disks`; default false."),
    Key::new("skip_os_morphing", Kind::Flag, "Leave the system as it is; default false."),
    Key::new("os_morphing", Kind::Flag, "The opposite of `skip_os_morphing`; default true."),
];

const PLAIN_SETTINGS: [&str; 6] = [
    "notes",
    "storage_mappings",
    "user_scripts",
    "instance_osmorphing_minion_pool_mappings",
    "clone_disks",
    "skip_os_morphing",
];

/// The fields that may come from a file.
const MAPS: [(&str, &str); 3] = [
    ("network_map", "network_map_file"),
    ("source_environment", "source_environment_file"),
    ("destination_environment", "destination_environment_file"),
];

const SHOW: &[Key] = &[Key::new(
    "show_instances_data",
    Kind::Flag,
    "With `info`, what the server keeps of each VM (current servers only); default false.",
)
.aliases(&["include_task_info"])];

pub const FILTERS: &[Key] = &[
    Key::new("status", Kind::Word(&STATUSES), "Only those with this status; default: all."),
    Key::new("limit", Kind::Integer, "At most this many; default: all."),
    Key::new("marker", Kind::Text, "The id of the last one that was already seen; default: from the first."),
    Key::new(
        "sort",
        Kind::Word(&SORT_KEYS),
        "`key`, `key:asc` or `key:desc`, several separated by commas; default: newest first.",
    ),
    Key::new("show_deleted", Kind::Flag, "Deleted ones as well; default false."),
];

/// The requests of [`make`].
pub const MAKE: Sends = Sends::changes("POST /transfers", Again::Marked("notes")).legacy("POST /replicas");

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("transfer_list", "List the replicas, all pages of them.")
            .aliases(&["replica_list"])
            .noun_verb()
            .parameters(&[Parameter::optional("options", Kind::Options(&[FILTERS]), "Which.")])
            .returns(Returns::list(Noun::Transfer))
            .sends(&[Sends::reads("GET /transfers").legacy("GET /replicas")])
            .example("print(replica_list().len());"),
        body: list,
    },
    Function {
        spec: Spec::reads("transfer_show", "Show a replica.")
            .aliases(&["replica_show"])
            .noun_verb()
            .parameters(&[TRANSFER, Parameter::optional("options", Kind::Options(&[SHOW]), "How much.")])
            .returns(Returns::object(Noun::Transfer))
            .sends(&[Sends::reads("GET /transfers/{transfer}").legacy("GET /replicas/{replica}")])
            .given(A_REPLICA)
.example("print(replica_show(r).instances);"),
        body: show,
    },
    Function {
        spec: Spec::changes("transfer_create", "Create a replica without copying anything yet; a second one of the same VM is another replica.")
            .aliases(&["replica_create"])
            .noun_verb()
            .parameters(&[Parameter::required("options", Kind::Options(&[ENDS, SETTINGS]), "What to create.")])
            .returns(Returns::object(Noun::Transfer))
            .sends(&[MAKE])
            .example("print(replica_create(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" }).status);"),
        body: create,
    },
    Function {
        spec: Spec::changes("transfer_update", "Change a replica's settings without waiting; object maps are merged into the old ones.")
            .aliases(&["replica_update"])
            .noun_verb()
            .parameters(&[
            TRANSFER,
            Parameter::required("options", Kind::Options(&[SETTINGS]), "The changes; everything else stays as it is."),
        ])
            .returns(Returns::begun(Noun::Execution).with(": the change is real when that has completed"))
            .sends(&[Sends::changes(
            "PUT /transfers/{transfer}",
            Again::Compared("a new execution"),
        )
        .legacy("PUT /replicas/{replica}")])
            .given(A_REPLICA)
.example("replica_sync(r);\nprint(wait_for(replica_update(r, #{ notes: \"web tier\" })).status);"),
        body: update,
    },
    Function {
        spec: Spec::changes("transfer_delete", "Delete a replica; its copied disks and its schedules stay and can no \
                                                longer be deleted.")
            .aliases(&["replica_delete"])
            .noun_verb()
            .parameters(&[TRANSFER])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("DELETE /transfers/{transfer}", Again::Safe).legacy("DELETE /replicas/{replica}")])
            .example("let r = replica_create(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });\nreplica_delete(r);"),
        body: delete,
    },
    Function {
        spec: Spec::changes("transfer_disks_delete", "Delete the copied disks of a replica without waiting; the next copy is a full one.")
            .aliases(&["replica_disks_delete"])
            .noun_verb()
            .parameters(&[TRANSFER])
            .returns(Returns::begun(Noun::Execution).with(": the disks are gone when that has completed"))
            .sends(&[Sends::changes(
            "POST /transfers/{transfer}/actions",
            Again::Compared("a new execution"),
        )
        .legacy("POST /replicas/{replica}/actions")])
            .given(A_REPLICA)
.example("replica_sync(r);\nprint(wait_for(replica_disks_delete(r)).status);"),
        body: disks_delete,
    },
];

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let filters = filters(call)?;
    let request = transfers::list(call.generation()?, &filters);
    let found = listed(call, &filters, &request)?;
    Ok(call.shown(found.into_iter().map(present::transfer).collect::<Vec<_>>().into()))
}

fn show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::transfer(call, &call.argument("transfer"))?;
    if !call.options().flag("show_instances_data").unwrap_or(false) {
        return Ok(call.shown(fetch(call, &id)?));
    }
    let request = transfers::show(call.generation()?, &id).with("include_task_info", "true");
    Ok(call.shown(present::transfer(call.read(&request)?)))
}

fn create(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let fields = fields(call)?;
    let transfer = make(call, fields, &unguarded)?;
    Ok(call.shown(transfer))
}

fn update(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    refuse_nothing(call.options(), "replica_update")?;
    let id = resolve::transfer(call, &call.argument("transfer"))?;
    let request = transfers::update(call.generation()?, &id, settings(call)?)?;
    let fields = request.body.as_ref().and_then(Value::as_object).and_then(|body| body.values().next());
    let wanted = Wanted::Update(fields.unwrap_or(&Value::Null));
    let execution = begun::unguarded(call, &id, &request, wanted)?;
    Ok(call.shown(present::execution(execution)))
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::transfer(call, &call.argument("transfer"))?;
    // A server that cannot list its schedules can still delete.
    let lasting = enabled_schedules(call, &id).unwrap_or_default();
    settle::remove(call, &transfers::delete(call.generation()?, &id))?;
    if !lasting.is_empty() {
        call.warn(format!(
            "the deleted replica {id} leaves {} running without effect: {}",
            count(lasting.len(), "schedule"),
            lasting.iter().map(Enabled::to_string).collect::<Vec<_>>().join("; ")
        ));
    }
    call.host.index.forget();
    Ok(Dynamic::UNIT)
}

fn disks_delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::transfer(call, &call.argument("transfer"))?;
    let request = transfers::delete_disks(call.generation()?, &id);
    let execution = begun::unguarded(call, &id, &request, Wanted::DisksDelete)?;
    Ok(call.shown(present::execution(execution)))
}

/// Creates a transfer. `guard` is asked whenever it is about to leave. When the answer is lost, the transfer with this
/// step's mark is the new one.
pub fn make(call: &Call<'_>, fields: Map<String, Value>, guard: Guard<'_>) -> Result<Value> {
    let generation = call.generation()?;
    let list = transfers::list(generation, &Filters::default());
    let made = settle::make(
        call,
        "notes",
        fields,
        guard,
        |fields| transfers::create(generation, fields),
        |call| {
            call.host.index.forget();
            call.read_list(&list)
        },
    )?;
    let transfer = present::transfer(made);
    call.host.index.add_transfer(&transfer);
    Ok(transfer)
}

/// The body of a creation: endpoints resolved to their ids, a single text as a list.
pub fn fields(call: &Call<'_>) -> Result<Map<String, Value>> {
    let options = call.options();
    let mut fields = Map::new();
    for end in ["origin_endpoint_id", "destination_endpoint_id"] {
        if let Some(endpoint) = options.get(end) {
            fields.insert(end.to_owned(), resolve::endpoint(call, endpoint)?.into());
        }
    }
    let instances = options.texts("instances").unwrap_or_default();
    if instances.is_empty() {
        return Err(Error::script("`instances` is empty").hint("name at least one VM"));
    }
    fields.insert("instances".to_owned(), instances.into());
    if let Some(scenario) = options.text("scenario") {
        fields.insert("scenario".to_owned(), scenario.into());
    }
    fields.extend(settings(call)?);
    Ok(fields)
}

fn settings(call: &Call<'_>) -> Result<Map<String, Value>> {
    let options = call.options();
    let mut fields = options.body(&PLAIN_SETTINGS)?;
    for (name, file) in MAPS {
        put_map_or_file(call, &mut fields, name, file)?;
    }
    put_user_scripts(call, &mut fields)?;
    put_switch(call, &mut fields, "clone_disks", "dont_clone_disks")?;
    put_switch(call, &mut fields, "skip_os_morphing", "os_morphing")?;
    resolve::put_pools(call, &mut fields, "instance_osmorphing_minion_pool_mappings")?;
    for name in ["origin_minion_pool_id", "destination_minion_pool_id"] {
        if let Some(pool) = options.get(name) {
            fields.insert(name.to_owned(), resolve::minion_pool(call, pool)?.into());
        }
    }
    let words = options.body(&["default_storage_backend", "disk_storage_mapping", "storage_backend_mapping"])?;
    if !words.is_empty() {
        let written = fields.remove("storage_mappings").unwrap_or_else(|| json!({}));
        fields.insert("storage_mappings".to_owned(), storage_mappings(written, &words));
    }
    // The server refuses null where an object is wanted.
    fields.retain(|name, value| !value.is_null() || matches!(name.as_str(), "clone_disks" | "skip_os_morphing"));
    Ok(fields)
}

/// The command line's words for storage, in the API's form.
fn storage_mappings(mut mappings: Value, words: &Map<String, Value>) -> Value {
    if let Some(default) = words.get("default_storage_backend").filter(|default| !default.is_null()) {
        mappings["default"] = default.clone();
    }
    let pairs = [
        ("disk_storage_mapping", "disk_mappings", "disk_id"),
        ("storage_backend_mapping", "backend_mappings", "source"),
    ];
    for (word, list, from) in pairs {
        let Some(Value::Object(map)) = words.get(word) else { continue };
        let mut entries = mappings[list].as_array().cloned().unwrap_or_default();
        entries.extend(map.iter().map(|(key, value)| json!({ from: key, "destination": value })));
        mappings[list] = entries.into();
    }
    mappings
}

pub fn filters(call: &Call<'_>) -> Result<Filters> {
    let options = call.options();
    let limit = match options.integer("limit") {
        None => None,
        Some(limit) => Some(usize::try_from(limit).map_err(|_| Error::script("`limit` must not be negative"))?),
    };
    let sort = options
        .text("sort")
        .map_or(Ok(Vec::new()), |text| text.split(',').map(sort_key).collect::<Result<Vec<_>>>())?;
    Ok(Filters {
        marker: options.text("marker"),
        limit,
        sort,
        status: options.text("status"),
        show_deleted: options.flag("show_deleted").unwrap_or(false),
    })
}

fn sort_key(text: &str) -> Result<(String, Direction)> {
    let (key, direction) = text.trim().split_once(':').unwrap_or((text.trim(), "desc"));
    let direction = match direction {
        "asc" => Direction::Ascending,
        "desc" => Direction::Descending,
        other => {
            return Err(
                Error::script(format!("cannot sort by `{key}` in the direction `{other}`")).hint("`asc` or `desc`")
            );
        }
    };
    Ok((key.to_owned(), direction))
}

/// A list as its filters want it: whole, unless a limit or a marker asks for one page.
pub fn listed(call: &Call<'_>, filters: &Filters, request: &crate::client::Request) -> Result<Vec<Value>> {
    let one_page = filters.limit.is_some() || filters.marker.is_some() || !filters.sort.is_empty();
    let found =
        if one_page { call.read(request)?.as_array().cloned().unwrap_or_default() } else { call.read_list(request)? };
    Ok(filters.apply(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_lines_storage_words_become_the_apis_form() {
        let words = json!({"default_storage_backend": "ssd", "disk_storage_mapping": {"disk-0": "hdd"},
            "storage_backend_mapping": {"datastore1": "ssd"}});
        assert_eq!(
            storage_mappings(
                json!({"backend_mappings": [{"source": "a", "destination": "b"}]}),
                words.as_object().unwrap()
            ),
            json!({"default": "ssd", "disk_mappings": [{"disk_id": "disk-0", "destination": "hdd"}],
                "backend_mappings": [{"source": "a", "destination": "b"}, {"source": "datastore1", "destination": "ssd"}]})
        );
    }
}
