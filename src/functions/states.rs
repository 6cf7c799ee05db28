//! The standing of VMs across all runs: by the server, the records of deployments, and the journals of other runs.

use jiff::Timestamp;
use rhai::{Array, Dynamic, Map as ScriptMap};
use serde_json::{Value, json};

use crate::client::{Filters, present, transfers};
use crate::duration::server_time;
use crate::error::{Error, Kind as Failure, Result};
use crate::event::ran::Ran;
use crate::event::sources::Source;
use crate::functions::guards::status;
use crate::functions::resolve;
use crate::language::arguments::{options, text_of};
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::Sends;
use crate::language::spec::{Kind, Noun, Parameter, Spec};
use crate::model::{Object, Power, Status};
use crate::runtime::call::Call;
use crate::runtime::function::Function;
use crate::runtime::lists;

options! {
    /// The option that tells VMs of one name apart.
    ORIGIN => Origin {
        endpoint: Option<Dynamic> = Kind::Reference(Noun::Endpoint), "The VM's origin, if several have one of this name.";
    }
}

const FIELDS: [&str; 10] =
    ["name", "state", "since", "copied_at", "source", "replica_id", "deployment_id", "run", "leftovers", "claimed_by"];
const LISTS: &[Sends] = &[
    Sends::reads("GET /transfers").legacy("GET /replicas"),
    Sends::reads("GET /deployments").legacy("GET /migrations"),
];

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("vm_state", "Tell where a VM stands, by the server and by all runs of the state directory.")
            .parameters(&[
                Parameter::required("vm", Kind::Reference(Noun::Instance), "Its name, or a row of the inventory."),
                Parameter::optional("options", Kind::Options(&[ORIGIN]), "Which VM of that name."),
            ])
            .returns(Returns::map(&FIELDS).with(
                "; `state` is `not started`, `not copied`, `seeding`, `seeded`, `failed`, `source off`, `deploying`, \
                 `not verified`, `deployed`, `verified` or `moved and cleaned up`",
            ))
            .sends(LISTS)
            .example("print(vm_state(\"web-01\").state);"),
        body: one,
    },
    Function {
        spec: Spec::reads("vm_states", "Tell where many VMs stand; two requests, whatever their number.")
            .parameters(&[Parameter::required(
                "vms",
                Kind::List,
                "Names, or rows of the inventory; `endpoint` tells VMs of one name apart.",
            )])
            .returns(Returns::values("a map for each VM, as `vm_state` gives it"))
            .sends(LISTS)
            .example("for vm in vm_states([\"web-01\", \"web-02\"]) { print(`${vm.name}: ${vm.state}`); }"),
        body: many,
    },
];

/// Everything that is known about the VMs of a cloud.
struct Known {
    /// Also those that were deleted.
    transfers: Vec<Value>,
    /// Also those whose records were deleted.
    deployments: Vec<Value>,
    runs: Vec<Ran>,
}

fn one(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let Origin { endpoint } = Origin::of(call.options())?;
    let vm = call.argument("vm");
    let known = Known::read(call)?;
    Ok(call.shown(known.state_of(call, &vm, endpoint.as_ref())?))
}

fn many(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let vms = call.argument("vms").cast::<Array>();
    let known = Known::read(call)?;
    let states = vms.iter().map(|vm| known.state_of(call, vm, None)).collect::<Result<Vec<_>>>()?;
    Ok(call.shown(states.into()))
}

impl Known {
    fn read(call: &Call<'_>) -> Result<Self> {
        let ever = Filters { show_deleted: true, ..Filters::default() };
        let transfers = call.read_list(&transfers::list(call.generation()?, &ever))?;
        let runs = call.runs()?;
        for run in runs.iter().filter(|run| run.is_damaged) {
            call.warn(format!("the journal of run {} is damaged: what it knew is missing here", run.id));
        }
        let transfers = present::each(transfers, present::transfer);
        Ok(Self { transfers, deployments: lists::deployments_ever(call)?, runs })
    }

    fn state_of(&self, call: &Call<'_>, vm: &Dynamic, endpoint: Option<&Dynamic>) -> Result<Value> {
        let name = resolve::field(vm, "name").unwrap_or_else(|| text_of(vm));
        let named = vm.read_lock::<ScriptMap>().and_then(|row| row.get("endpoint").cloned());
        let named = named.filter(|endpoint| !endpoint.is_unit() && !text_of(endpoint).is_empty());
        let endpoint = match endpoint.cloned().or(named) {
            Some(endpoint) => Some(resolve::endpoint(call, &endpoint)?),
            None => None,
        };
        let of = |object: &&Value| {
            Object::from(*object).instances().any(|instance| is_called(instance, &name))
                && endpoint.as_ref().is_none_or(|endpoint| object["origin_endpoint_id"] == **endpoint)
        };
        let transfers: Vec<&Value> = self.transfers.iter().filter(of).collect();
        let deployments: Vec<&Value> = self.deployments.iter().filter(of).collect();
        let mut origins: Vec<&str> =
            transfers.iter().chain(&deployments).filter_map(|object| object["origin_endpoint_id"].as_str()).collect();
        origins.sort_unstable();
        origins.dedup();
        if origins.len() > 1 {
            return Err(Error::new(Failure::Ambiguous, format!("{} origins have a VM `{name}`", origins.len()))
                .hint(format!("name one with `endpoint`: {}", origins.join(", "))));
        }
        Ok(state(&name, &transfers, &deployments, &self.runs))
    }
}

/// True if an instance has this name; at its origin that may be the end of a path.
fn is_called(instance: &str, name: &str) -> bool {
    instance == name || instance.rsplit('/').next() == Some(name)
}

/// The standing of one VM. `transfers` and `deployments` are its own, with those that were deleted.
fn state(name: &str, transfers: &[&Value], deployments: &[&Value], runs: &[Ran]) -> Value {
    let newest = |objects: &[&Value]| {
        objects.iter().copied().max_by_key(|object| object["created_at"].as_str().map(str::to_owned)).cloned()
    };
    let live: Vec<&Value> = transfers.iter().copied().filter(|transfer| transfer["deleted_at"].is_null()).collect();
    let replica = newest(&live).or_else(|| newest(transfers));
    let (replica, is_live) = (replica.as_ref(), !live.is_empty());
    let alive: Vec<&Value> = deployments.iter().copied().filter(|deployment| status(deployment).is_alive()).collect();
    let deployment = newest(&alive);
    let of_vm = |source: &&Source| is_called(&source.instance, name);
    let held = runs.iter().find_map(|run| run.sources.iter().find(of_vm).map(|source| (run, source)));
    let verified = runs.iter().find(|run| {
        transfers.iter().filter_map(|transfer| transfer["id"].as_str()).any(|id| run.sources.is_verified(id, name))
    });
    let copied = runs
        .iter()
        .flat_map(|run| &run.copied)
        .filter(|(id, _)| replica.is_some_and(|replica| replica["id"] == ***id))
        .map(|(_, at)| *at)
        .max();
    let at = |object: &Value| {
        ["updated_at", "created_at"].into_iter().find_map(|field| server_time(object[field].as_str()?))
    };
    let (word, since) = match (held, &deployment, replica) {
        (Some((_, source)), _, _) if source.power == Power::Deployed => ("not verified", Some(source.since)),
        (Some((_, source)), _, _) => ("source off", Some(source.since)),
        (_, Some(deployment), _) if status(deployment).is_active() => ("deploying", at(deployment)),
        (_, Some(deployment), _) if !is_live => ("moved and cleaned up", at(deployment)),
        (_, Some(deployment), _) if verified.is_some() => ("verified", at(deployment)),
        (_, Some(deployment), _) => ("deployed", at(deployment)),
        (_, None, Some(replica)) if is_live => (copying(replica, copied), at(replica)),
        (_, None, _) => ("not started", None),
    };
    let copied = copied.or_else(|| replica.filter(|_| word == "seeded").and_then(at));
    let moved = matches!(word, "deployed" | "verified");
    let leftovers: Vec<Value> = live.iter().filter(|_| moved).map(|transfer| transfer["id"].clone()).collect();
    let claimed = runs.iter().find(|run| run.is_running && run.open.iter().any(|key| is_called(key, name)));
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "name": name,
        "state": word,
        "since": time(since),
        "copied_at": time(copied),
        "source": held.map(|(_, source)| source.power.word()),
        "replica_id": replica.filter(|_| is_live).map(|replica| replica["id"].clone()),
        "deployment_id": deployment.as_ref().map(|deployment| deployment["id"].clone()),
        "run": held.map(|(run, _)| run).or(verified).map(|run| run.id.clone()),
        "leftovers": leftovers,
        "claimed_by": claimed.map(|run| run.id.clone()),
    })
}

/// The word for a replica that was not deployed: its status follows every execution, whatever that did.
fn copying(replica: &Value, copied: Option<Timestamp>) -> &'static str {
    match status(replica) {
        Status::Unexecuted => "not copied",
        running if running.is_active() => "seeding",
        done if done.succeeded() || copied.is_some() => "seeded",
        _ => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CutoverEnd, Event, Fact, Origin};

    fn run(facts: Vec<Fact>) -> Ran {
        let origin = Origin { lane: "main/1:web-01".into(), wave: None, item: Some("web-01".into()) };
        let event = |fact| Event { v: 1, at: Timestamp::UNIX_EPOCH, origin: origin.clone(), fact };
        let events: Vec<Event> = facts.into_iter().map(event).collect();
        Ran { id: "r1".into(), is_running: true, ..Ran::default() }.knowing(&events)
    }

    fn off(power: Power) -> Fact {
        let (replica, instance, since) = ("T".to_owned(), "web-01".to_owned(), Timestamp::UNIX_EPOCH);
        Fact::SourceChanged { replica, instance, power, since, execution: None, by: None }
    }

    #[test]
    fn each_state_of_a_vm_has_its_word() {
        let transfer = |status: &str, deleted: Value| json!({"id": "T", "instances": ["DC/web-01"], "status": status, "deleted_at": deleted, "created_at": "2026-01-01T00:00:00"});
        let deployed = |status: &str| json!({"id": "D", "instances": ["web-01"], "status": status});
        let word = |transfers: &[Value], deployments: &[Value], runs: &[Ran]| {
            let (transfers, deployments): (Vec<&Value>, Vec<&Value>) =
                (transfers.iter().collect(), deployments.iter().collect());
            state("web-01", &transfers, &deployments, runs)["state"].as_str().unwrap_or_default().to_owned()
        };
        let there = |status: &str| [transfer(status, Value::Null)];
        assert_eq!(word(&[], &[], &[]), "not started");
        assert_eq!(word(&there("UNEXECUTED"), &[], &[]), "not copied");
        assert_eq!(word(&there("RUNNING"), &[], &[]), "seeding");
        assert_eq!(word(&there("COMPLETED"), &[], &[]), "seeded");
        assert_eq!(word(&there("ERROR"), &[], &[]), "failed");
        assert_eq!(word(&there("COMPLETED"), &[], &[run(vec![off(Power::Off)])]), "source off");
        assert_eq!(word(&there("COMPLETED"), &[deployed("RUNNING")], &[]), "deploying");
        assert_eq!(word(&there("COMPLETED"), &[deployed("COMPLETED")], &[]), "deployed");
        assert_eq!(word(&there("COMPLETED"), &[deployed("ERROR")], &[]), "seeded");
        let entered = Fact::CutoverEntered { label: "web-01".into() };
        let unverified = run(vec![entered.clone(), off(Power::Off), off(Power::Moved)]);
        assert_eq!(word(&there("COMPLETED"), &[deployed("COMPLETED")], &[unverified]), "not verified");
        let ended = Fact::CutoverEnded { label: "web-01".into(), end: CutoverEnd::Verified };
        let cut_over = run(vec![entered, off(Power::Off), off(Power::Moved), ended]);
        assert_eq!(word(&there("COMPLETED"), &[deployed("COMPLETED")], &[cut_over]), "verified");
        let gone = [transfer("COMPLETED", "2026-01-02T00:00:00".into())];
        assert_eq!(word(&gone, &[deployed("COMPLETED")], &[]), "moved and cleaned up");
        assert_eq!(word(&gone, &[], &[]), "not started");
    }
}
