//! Deployments, called migrations on legacy servers: making a machine from a transfer's copy.

use rhai::Dynamic;
use serde_json::{Map, Value, json};

use crate::client::{deployments, present};
use crate::error::{Error, Result};
use crate::functions::guarded::{Guarded, to_deploy};
use crate::functions::guards::{newest_copy, status};
use crate::functions::overrides::{DEPLOY as OVERRIDES, Deploy, Override, Overrides};
use crate::functions::resolve::{TRANSFER, fetch};
use crate::functions::settings::{
    USER_SCRIPT_GLOBAL, USER_SCRIPT_INSTANCE, USER_SCRIPTS, put_switch, put_user_scripts,
};
use crate::functions::transfers::{FILTERS, filters, listed};
use crate::functions::{begun, migrations, ours, resolve};
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{A_REPLICA, Key, Kind, Noun, Parameter, Spec};
use crate::model::Generation;
use crate::runtime::call::Call;
use crate::runtime::found::Found;
use crate::runtime::function::Function;
use crate::runtime::lists;
use crate::runtime::settle;

const DEPLOYMENT: Parameter =
    Parameter::required("deployment", Kind::Reference(Noun::Deployment), "The deployment: its id or its object.");

/// The settings of a deployment.
pub const DEPLOY: &[Key] = &[
    Key::new("transfer_id", Kind::Reference(Noun::Transfer), "The replica, unless it is the first argument.")
        .aliases(&["transfer", "replica_id", "replica"]),
    Key::new(
        "clone_disks",
        Kind::Flag,
        "Deploy from clones; false uses up the copy. Default: the replica's own setting.",
    ),
    Key::new("force", Kind::Flag, "Deploy although no copy has completed: half a disk boots. Default false."),
    Key::new("skip_os_morphing", Kind::Flag, "Leave the system as it is. Default: the replica's own setting."),
    Key::new("dont_clone_disks", Kind::Flag, "The opposite of `clone_disks`. Default: the replica's own setting."),
    Key::new("os_morphing", Kind::Flag, "The opposite of `skip_os_morphing`. Default: the replica's own setting."),
    Key::new(
        "user_scripts",
        Kind::Options(&[USER_SCRIPTS]),
        "Instead of the replica's own, in the form of the API; default: those.",
    ),
    USER_SCRIPT_GLOBAL,
    USER_SCRIPT_INSTANCE,
    Key::new(
        "instance_osmorphing_minion_pool_mappings",
        Kind::Mapping(Noun::Instance, Noun::MinionPool),
        "VM to the minion pool that adapts it: its id, its name, or the object; default: the replica's own.",
    )
    .aliases(&["osmorphing_minion_pool_mapping"]),
];

const DEPLOY_FIELDS: [&str; 5] =
    ["clone_disks", "force", "skip_os_morphing", "user_scripts", "instance_osmorphing_minion_pool_mappings"];

const SHOW: &[Key] = &[Key::new(
    "show_instances_data",
    Kind::Flag,
    "With `info`, what the server keeps of each VM (current servers only); default false.",
)
.aliases(&["include_task_info"])];

const CANCEL: &[Key] = &[Key::new("force", Kind::Flag, "Cut clean-up tasks short as well; default false.")];

/// The copy that a deployment needs.
pub const REQUIRES: &[Key] = &[Key::new(
    "requires",
    Kind::Reference(Noun::Execution),
    "Deploy only what this execution copied; default: the newest completed copy.",
)];

/// The number of executions that are read before a deployment: the newest copy is among them.
pub const COPIES: usize = 10;

/// The requests of [`start`].
pub const DEPLOYS: Sends =
    Sends::changes("POST /deployments", Again::Compared("a new deployment")).legacy("POST /migrations");

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("deployment_list", "List the deployments, all pages of them.")
            .aliases(&["migration_list"])
            .noun_verb()
            .parameters(&[Parameter::optional("options", Kind::Options(&[FILTERS]), "Which.")])
            .returns(Returns::list(Noun::Deployment).with(", without tasks"))
            .sends(&[Sends::reads("GET /deployments").legacy("GET /migrations")])
            .example("print(deployment_list().len());"),
        body: list,
    },
    Function {
        spec: Spec::reads("deployment_show", "Show a deployment.")
            .aliases(&["migration_show"])
            .noun_verb()
            .parameters(&[DEPLOYMENT, Parameter::optional("options", Kind::Options(&[SHOW]), "How much.")])
            .returns(Returns::object(Noun::Deployment).with(" with its tasks"))
            .sends(&[Sends::reads("GET /deployments/{deployment}").legacy("GET /migrations/{migration}")])
            .given(A_REPLICA)
.example("replica_sync(r);\nlet d = deployment_create(r);\nprint(wait_for(d).status);\nprint(deployment_show(d).status);"),
        body: show,
    },
    Function {
        spec: Spec::changes("deployment_create", "Start making machines from a replica's copy, without waiting; stale \
                                                  data and second deployments are refused.")
            .aliases(&["migration_deploy_replica", "replica_deployment_create"])
            .noun_verb()
            .parameters(&[TRANSFER, Parameter::optional("options", Kind::Options(&[DEPLOY, REQUIRES, OVERRIDES]), "How.")])
            .returns(Returns::begun(Noun::Deployment))
            .sends(&[DEPLOYS])
            .given(A_REPLICA)
.example("replica_sync(r);\nlet d = deployment_create(r);\nprint(wait_for(d).status);\nprint(deployment_show(d).status);"),
        body: create,
    },
    Function {
        spec: Spec::changes("deployment_cancel", "Ask a deployment to stop, without waiting for its clean-up.")
            .aliases(&["migration_cancel"])
            .noun_verb()
            .parameters(&[DEPLOYMENT, Parameter::optional("options", Kind::Options(&[CANCEL]), "How.")])
            .returns(Returns::NOTHING)
            .sends(&[
            Sends::changes("POST /deployments/{deployment}/actions", Again::Safe)
                .legacy("POST /migrations/{migration}/actions"),
            Sends::changes("POST /transfers/{transfer}/executions/{execution}/actions", Again::Safe)
                .only(Generation::Current)
                .when("while a migration is still copying"),
            Sends::changes("DELETE /deployments/{deployment}", Again::Safe)
                .only(Generation::Current)
                .when("when the deployment of a migration has not begun"),
        ])
            .given(A_REPLICA)
.example("replica_sync(r);\ndeployment_cancel(deployment_create(r));"),
        body: cancel,
    },
    Function {
        spec: Spec::changes("deployment_delete", "Delete the record of a finished deployment; the machines stay.")
            .aliases(&["migration_delete"])
            .noun_verb()
            .parameters(&[DEPLOYMENT])
            .returns(Returns::NOTHING)
            .sends(&[
            Sends::changes("DELETE /deployments/{deployment}", Again::Safe).legacy("DELETE /migrations/{migration}"),
            Sends::changes("DELETE /transfers/{transfer}", Again::Safe)
                .only(Generation::Current)
                .when("first, for a migration"),
        ])
            .given(A_REPLICA)
.example("replica_sync(r);\ndeployment_delete(replica_deploy(r));"),
        body: delete,
    },
];

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let filters = filters(call)?;
    let request = deployments::list(call.generation()?, &filters);
    let found = listed(call, &filters, &request)?;
    Ok(call.shown(found.into_iter().map(present::deployment).collect::<Vec<_>>().into()))
}

fn show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::id_of(&call.argument("deployment"), "a deployment")?;
    let mut request = deployments::show(call.generation()?, &id);
    if call.options().flag("show_instances_data").unwrap_or(false) {
        request = request.with("include_task_info", "true");
    }
    let found = match call.read(&request) {
        Ok(deployment) => present::deployment(deployment),
        Err(error) => migrations::show(call, &id, error)?,
    };
    Ok(call.shown(found))
}

fn create(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let transfer = call.value("transfer").or_else(|| call.options().get("transfer_id")).cloned().unwrap_or_default();
    let id = resolve::transfer(call, &transfer)?;
    let wanted = Wanted::of(call)?;
    let deployment = start(call, &fetch(call, &id)?, fields(call)?, &wanted)?;
    Ok(call.shown(deployment))
}

fn cancel(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::id_of(&call.argument("deployment"), "a deployment")?;
    let force = call.options().flag("force").unwrap_or(false);
    let request = deployments::cancel(call.generation()?, &id, force);
    let show = deployments::show(call.generation()?, &id);
    let completed = || call.read(&show).is_ok_and(|deployment| status(&deployment).succeeded());
    match settle::repeat(call, &request, |refusal| refusal.status() == Some(400) && !completed()) {
        Ok(_) => {}
        Err(error) => migrations::cancel(call, &id, force, error)?,
    }
    Ok(Dynamic::UNIT)
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::id_of(&call.argument("deployment"), "a deployment")?;
    match settle::remove(call, &deployments::delete(call.generation()?, &id)) {
        Ok(_) => {}
        Err(error) => migrations::delete(call, &id, error)?,
    }
    Ok(Dynamic::UNIT)
}

/// The options for a deployment, as the fields of its request.
///
/// # Errors
/// `Script` for contradictory options, `Input` for a script that cannot be read.
pub fn fields(call: &Call<'_>) -> Result<Map<String, Value>> {
    let mut fields = call.options().body(&DEPLOY_FIELDS)?;
    put_user_scripts(call, &mut fields)?;
    put_switch(call, &mut fields, "clone_disks", "dont_clone_disks")?;
    put_switch(call, &mut fields, "skip_os_morphing", "os_morphing")?;
    resolve::put_pools(call, &mut fields, "instance_osmorphing_minion_pool_mappings")?;
    Ok(fields)
}

/// The copy that is to be deployed, and the guards that are overridden.
pub struct Wanted {
    /// The id of the execution whose data it is; `None` for the newest.
    pub requires: Option<String>,
    pub guarded: Guarded,
}

impl Wanted {
    /// # Errors
    /// `Script` for an execution that has no id.
    pub fn of(call: &Call<'_>) -> Result<Self> {
        let options = call.options();
        let requires =
            options.get("requires").map(|execution| resolve::id_of(execution, "an execution")).transpose()?;
        let force = options.flag("force").unwrap_or(false);
        let given = Overrides::from(Deploy::of(options)?).with(force, Override::Force);
        Ok(Self { requires, guarded: Guarded::new(given) })
    }
}

/// Starts a deployment of a transfer; its guards are asked whenever it is about to leave. When the answer is lost, a
/// new deployment with the requested settings, of the copy that was the newest then, shows that it has begun: its notes
/// are its transfer's, so a mark would prove nothing.
///
/// # Errors
/// That of the guard; those of the server; `Unknown` when no look tells.
pub fn start(call: &Call<'_>, transfer: &Value, mut fields: Map<String, Value>, wanted: &Wanted) -> Result<Value> {
    let (of, transfer) = (transfer, resolve::id_in(transfer)?);
    let decided = call.decided_before().unwrap_or_default();
    let sent = fields.clone();
    fields.insert("transfer_id".to_owned(), transfer.into());
    let request = deployments::create(call.generation()?, fields)?;
    let leaving = |call: &Call<'_>| {
        let executions = begun::newest(call, transfer, COPIES)?;
        let deployments = lists::deployments_ever(call)?;
        let objections = to_deploy(call, of, wanted.requires.as_deref(), (&executions, &deployments))?;
        wanted.guarded.pass(call, objections)?;
        let copy = newest_copy(&executions).map_or(Value::Null, |copy| copy["id"].clone());
        Ok(json!({ "ids": ours::ids(&lists::of_transfer(&deployments, transfer)), "copy": copy }))
    };
    wanted.guarded.ask_ahead(call, &request, &leaving)?;
    let begun = settle::change(call, &request, &leaving, |call, before| {
        // Journals of version 1 recorded only the ids, as a decision.
        let (known, copy) = if before.is_null() { (&decided, &Value::Null) } else { (&before["ids"], &before["copy"]) };
        let new = ours::new_things(lists::deployments_of_now(call, transfer)?, known);
        if new.is_empty() {
            return Ok(Found::default());
        }
        let executions = begun::newest(call, transfer, COPIES)?;
        Found::judge(new, |deployment| Ok::<_, Error>(ours::deployment(deployment, &sent, copy, &executions)))
    })?;
    let deployment = present::deployment(begun);
    call.host.index.add_deployment(&deployment);
    Ok(deployment)
}
