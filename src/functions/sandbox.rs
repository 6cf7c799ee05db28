//! The truth of the sandbox, which no real server tells, and the person who switches its machines.

use rhai::Dynamic;

use crate::client::{Service, sandbox};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::functions::sources;
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{Key, Kind, Parameter, Spec};
use crate::runtime::call::Call;
use crate::runtime::function::Function;
use crate::runtime::settle;

const VM: Parameter =
    Parameter::required("vm", Kind::Text, "The source's name, or the `id` of a machine on the target.");
const SWITCH: &[Key] = &[Key::new("endpoint", Kind::Text, "The source's endpoint, if several have a VM of this name.")];
const WHICH: Parameter = Parameter::optional("options", Kind::Options(&[SWITCH]), "Which VM is meant.");

const TRUTH: [&str; 8] = ["at", "vms", "machines", "volumes", "running_twice", "stale", "half_copied", "sources_off"];

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("sandbox_truth", "Ask the sandbox what runs where, and which data it holds; a real cloud does not tell it.")
            .returns(Returns::map(&TRUTH).with(": the last four are lists of VMs with which something is wrong"))
            .sends(&[Sends::reads("GET /truth").to(Service::Sandbox)])
            .example("let truth = sandbox_truth();\nprint([truth.running_twice, truth.stale, truth.half_copied, truth.sources_off]);"),
        body: truth,
    },
    Function {
        spec: Spec::changes("sandbox_power_on", "Switch a VM of the sandbox on, as a person does whose rollback it is.")
            .parameters(&[VM, WHICH])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("POST /power", Again::Safe).to(Service::Sandbox)])
            .example("sandbox_power_on(\"web-01\");"),
        body: power_on,
    },
    Function {
        spec: Spec::changes("sandbox_power_off", "Switch a VM of the sandbox off, as a person does.")
            .parameters(&[VM, WHICH])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("POST /power", Again::Safe).to(Service::Sandbox)])
            .example("sandbox_power_off(\"web-01\");\nprint(sandbox_truth().sources_off);"),
        body: power_off,
    },
];

fn truth(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    Ok(call.shown(call.read(&sandbox::truth()).map_err(elsewhere)?))
}

fn power_on(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    power(call, true)
}

fn power_off(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    power(call, false)
}

fn power(call: &mut Call<'_>, on: bool) -> Result<Dynamic, Fault> {
    let endpoint = call.options().text("endpoint");
    let vm = call.text("vm");
    settle::repeat(call, &sandbox::power(&vm, endpoint.as_deref(), on), |_| false).map_err(elsewhere)?;
    if on {
        sources::switched_on(call, |source| source.instance == vm, "the sandbox");
    }
    Ok(Dynamic::UNIT)
}

/// A catalog without this service is that of a real cloud.
fn elsewhere(error: Error) -> Error {
    match error.kind {
        ErrorKind::Input => error.hint("only a sandbox has it: run with `--sandbox`, or log in at one that listens"),
        _ => error,
    }
}
