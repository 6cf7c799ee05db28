//! The truth about the sandbox, and the switches of its machines: no server has these routes.

use serde_json::{Value, json};

use super::call::{Answer, Incoming, Services};
use crate::sandbox::rules::TRUTH_PREFIX;
use crate::sandbox::world::Refusal;

pub(super) fn answer(services: Services<'_>, incoming: &Incoming) -> Answer {
    let Services { cloud, now, .. } = services;
    cloud.catch_up(now);
    let answered = match (incoming.method.as_str(), incoming.path.strip_prefix(TRUTH_PREFIX).unwrap_or_default()) {
        ("GET", "/truth") => return Answer::json(200, &cloud.truth(now)),
        ("POST", "/power") => wish(incoming).and_then(|(vm, endpoint, on)| {
            cloud.switch(&vm, endpoint.as_deref(), on, now)?;
            Ok(json!({"power": {"vm": vm, "power": if on { "on" } else { "off" }}}))
        }),
        _ => Err(Refusal::missing("The resource could not be found.")),
    };
    match answered {
        Ok(body) => Answer::json(200, &body),
        Err(refusal) => Answer::refused(&refusal, cloud.generation),
    }
}

/// The VM, its endpoint, and `true` for on.
fn wish(incoming: &Incoming) -> Result<(String, Option<String>, bool), Refusal> {
    let body: Value = serde_json::from_slice(&incoming.body).map_err(|_| Refusal::bad("Malformed request body"))?;
    let on = match body["power"].as_str() {
        Some("on") => true,
        Some("off") => false,
        _ => return Err(Refusal::bad("'power' must be one of: ['on', 'off']")),
    };
    let vm = body["vm"].as_str().ok_or_else(|| Refusal::bad("'vm' must be the name of a VM or the id of a machine"))?;
    Ok((vm.into(), body["endpoint"].as_str().map(String::from), on))
}
