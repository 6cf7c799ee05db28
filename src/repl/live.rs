//! Reads the names of objects from the cloud.

use std::sync::Arc;

use serde_json::Value;

use super::names::{Name, Read, Thing, What};
use crate::client::options::Side;
use crate::client::{
    Client, Filters, Request, deployments, endpoints, executions, instances, minion_pools, networks, options, regions,
    schedules, secrets, services, storage, transfers,
};
use crate::error::{Error, Result};
use crate::event::Origin;
use crate::runtime::host::Host;

/// The lane of the prompt's own questions: reports leave it out.
pub const LANE: &str = "prompt";

/// The most objects of a kind whose names are completed.
const MOST: usize = 2_000;

/// Reads through the host's client; objects that cannot be read now have no names.
pub fn reader(host: Arc<Host>) -> Read {
    Box::new(move |what| {
        // The sandbox's time may stand still while it answers.
        let _busy = host.clock.busy();
        let client = &host.cloud().ok()?.client;
        names(client, what).ok()
    })
}

fn names(client: &Client, what: &What) -> Result<Vec<Name>> {
    let lane = Origin { lane: LANE.into(), wave: None, item: None };
    let list = |request: &Request| -> Result<Vec<Value>> {
        let mut found = client.list(&lane, request)?;
        found.truncate(MOST);
        Ok(found)
    };
    let plain = |request: Request, notes: &[&str]| -> Result<Vec<Name>> {
        Ok(list(&request)?.iter().map(|value| named(value, notes)).collect())
    };
    let of = || what.of.clone().ok_or_else(|| Error::input("of which is not known"));
    let endpoint = |name: &str| id_of(&list(&endpoints::list())?, name, &["name"]);
    match what.thing {
        Thing::Endpoints => plain(endpoints::list(), &["type"]),
        Thing::Regions => plain(regions::list(), &["description"]),
        Thing::Services => plain(services::list(), &["binary", "status"]),
        Thing::MinionPools => plain(minion_pools::list(), &["status"]),
        Thing::Deployments => {
            let request = deployments::list(client.generation(&lane)?, &Filters::default());
            Ok(list(&request)?.iter().map(|value| by_instances(value, "last_execution_status")).collect())
        }
        Thing::Transfers => {
            let request = transfers::list(client.generation(&lane)?, &Filters::default());
            Ok(list(&request)?.iter().flat_map(each_instance).collect())
        }
        Thing::Executions | Thing::Schedules => {
            let generation = client.generation(&lane)?;
            let all = list(&transfers::list(generation, &Filters::default()))?;
            let transfer = id_of(&all, &of()?, &["instances"])?;
            let request = match what.thing {
                Thing::Executions => executions::list(generation, &transfer, &Filters::default()),
                _ => schedules::list(generation, &transfer, false),
            };
            let name = |value: &Value| Name { name: text(value, "id"), note: text(value, "status"), ..Name::default() };
            Ok(list(&request)?.iter().map(name).collect())
        }
        Thing::Instances => {
            let ends = match &what.of {
                Some(of) => vec![endpoint(of)?],
                None => list(&endpoints::list())?.iter().map(|value| text(value, "id")).collect(),
            };
            let mut found = Vec::new();
            for end in ends {
                // Not every cloud can list instances.
                let instances = list(&instances::list(&end, &instances::Query::default())).unwrap_or_default();
                found.extend(instances.iter().map(|value| named(value, &["os_type"])));
            }
            Ok(found)
        }
        Thing::Networks => plain(networks::list(&endpoint(&of()?)?, None), &[]),
        Thing::Nics => {
            let end = endpoint(&of()?)?;
            let Some(instance) = &what.instance else { return plain(networks::list(&end, None), &[]) };
            let found = client.send(&lane, &instances::show(&end, instance, None))?;
            let nics = found["devices"]["nics"].as_array().cloned().unwrap_or_default();
            let name = |nic: &Value| Name {
                name: text(nic, "network_name"),
                note: text(nic, "mac_address"),
                ..Name::default()
            };
            Ok(nics.iter().map(name).collect())
        }
        Thing::Storage => {
            let found = client.send(&lane, &storage::show(&endpoint(&of()?)?, None))?;
            let backends = found["storage_backends"].as_array().cloned().unwrap_or_default();
            Ok(backends.iter().map(|value| Name { id: String::new(), ..named(value, &[]) }).collect())
        }
        Thing::SourceOptions => of_provider(list(&options::list(&endpoint(&of()?)?, Side::Source, None, None))?),
        Thing::DestinationOptions => {
            of_provider(list(&options::list(&endpoint(&of()?)?, Side::Destination, None, None))?)
        }
        Thing::PoolOptions => {
            of_provider(list(&options::list(&endpoint(&of()?)?, Side::DestinationMinionPool, None, None))?)
        }
        Thing::Secrets => {
            let page = client.send(&lane, &secrets::list(None, 0))?;
            let found = page["secrets"].as_array().cloned().unwrap_or_default();
            Ok(found.iter().map(|value| named(value, &["status"])).collect())
        }
    }
}

fn of_provider(options: Vec<Value>) -> Result<Vec<Name>> {
    let option = |option: &Value| {
        let values = option["values"].as_array().cloned().unwrap_or_default();
        let values = values.iter().map(|value| match value {
            Value::Object(_) => text(value, "name"),
            other => plain_text(other),
        });
        let default = plain_text(&option["config_default"]);
        let note = if default.is_empty() { String::new() } else { format!("default {default}") };
        Name { name: text(option, "name"), id: String::new(), note, values: values.collect() }
    };
    Ok(options.iter().map(option).collect())
}

fn named(value: &Value, notes: &[&str]) -> Name {
    let id = text(value, "id");
    let name = [text(value, "name"), text(value, "instance_name"), id.clone()];
    let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let notes: Vec<String> = notes.iter().map(|note| text(value, note)).filter(|note| !note.is_empty()).collect();
    let id = if id == name { String::new() } else { id };
    Name { name, id, note: notes.join(" "), values: Vec::new() }
}

/// A transfer has the names of all its VMs.
fn each_instance(transfer: &Value) -> Vec<Name> {
    let note = text(transfer, "last_execution_status");
    let instances = transfer["instances"].as_array().cloned().unwrap_or_default();
    let name = |instance: &Value| Name {
        name: plain_text(instance),
        id: text(transfer, "id"),
        note: note.clone(),
        values: Vec::new(),
    };
    instances.iter().map(name).collect()
}

/// A deployment has no name: its id is used.
fn by_instances(value: &Value, status: &str) -> Name {
    let instances = value["instances"].as_array().cloned().unwrap_or_default();
    let instances: Vec<String> = instances.iter().map(plain_text).collect();
    let note = format!("{} {}", instances.join(", "), text(value, status));
    Name { name: text(value, "id"), id: String::new(), note, values: Vec::new() }
}

/// The id of the object with a name, or with that id.
fn id_of(all: &[Value], name: &str, fields: &[&str]) -> Result<String> {
    let answers = |value: &Value| {
        text(value, "id") == name
            || fields.iter().any(|field| match &value[*field] {
                Value::Array(names) => names.iter().any(|one| one == name),
                one => one == name,
            })
    };
    let found = all.iter().find(|value| answers(value));
    found.map(|value| text(value, "id")).ok_or_else(|| Error::input(format!("there is nothing named `{name}`")))
}

fn text(value: &Value, field: &str) -> String {
    plain_text(&value[field])
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
