//! The basis of a repeated attempt: checking that the results of earlier calls of its lane still exist.

use serde_json::Value;

use crate::client::{Request, endpoints, minion_pools, regions, transfers};
use crate::error::{Error, Kind, Result};
use crate::journal::replay::Wish;
use crate::model::{Generation, Object};
use crate::runtime::call::Call;
use crate::runtime::lists;

/// Checks the object that a recorded call made or found, when its lane is replayed. Returns true if the call is to be
/// made again: a retry that an operator asked for repairs the loss, while a wave by itself does not make a second copy
/// of something that somebody has deleted.
///
/// # Errors
/// `NotFound` with `vanished` for a lost object, in a wave's own retry; those of the server or the network.
pub fn recheck(call: &Call<'_>, given: &Value) -> Result<bool> {
    let journal = &call.host.journal;
    if !journal.only_replays()
        && let Some(instance) = switched_on_since(call, given)
    {
        call.warn(format!("the source of {instance} was switched on after this copy: it is copied again"));
        return Ok(true);
    }
    let Some(wish) = journal.again(&call.lane.origin.lane).filter(|_| !journal.only_replays()) else {
        return Ok(false);
    };
    let Some(id) = given["id"].as_str() else { return Ok(false) };
    let name = call.function.name;
    let Some(request) = request(name, call.generation()?, id) else { return Ok(false) };
    if journal.has_deleted(id) {
        return Ok(false);
    }
    match call.read(&request) {
        Err(error) if error.kind == Kind::NotFound => {}
        Err(error) => return Err(error),
        Ok(_) => {
            let found_none = given.get("deployment_id").is_some_and(Value::is_null);
            let Some(deployment) = deployed_by_others(call, id)?.filter(|_| found_none) else { return Ok(false) };
            call.host.index.forget();
            call.warn(format!(
                "`{name}` had found no deployment of {id}; there is one now that is not ours: {deployment}"
            ));
            return Ok(true);
        }
    }
    if wish == Wish::Wave {
        let error = Error::new(Kind::NotFound, format!("the result of `{name}` is gone: somebody deleted {id}"));
        return Err(error
            .hint("`coriolis-run resume --retry-failed` makes it again, with all its data")
            .detail("vanished", true));
    }
    call.host.index.forget();
    call.warn(format!("the result of `{name}` is gone, somebody deleted {id}: making it again"));
    Ok(true)
}

/// The VM of a final copy whose source somebody has switched on since: the copy lacks what it has written.
fn switched_on_since(call: &Call<'_>, given: &Value) -> Option<String> {
    let object = Object::from(given);
    let (replica, copied) = (object.replica()?, object.created_at()?);
    let state = call.host.journal.state();
    let is_on = |instance: &&str| state.sources.is_on_since(replica, instance, copied);
    object.switched_off().map(|(instance, ..)| instance).find(is_on).map(str::to_owned)
}

/// The request that shows the result of the function, if that is an object to build on.
fn request(function: &str, generation: Generation, id: &str) -> Option<Request> {
    match function {
        "transfer_ensure" | "transfer_of" | "transfer_create" => Some(transfers::show(generation, id)),
        "endpoint_ensure" | "endpoint_find" | "endpoint_create" => Some(endpoints::show(id)),
        "minion_pool_ensure" | "minion_pool_create" => Some(minion_pools::show(id)),
        "region_ensure" | "region_create" => Some(regions::show(id)),
        _ => None,
    }
}

/// The deployment of a transfer that is running or has succeeded, and that this run did not make.
fn deployed_by_others(call: &Call<'_>, transfer: &str) -> Result<Option<String>> {
    let all = lists::deployments_of(call, transfer)?;
    let alive = |deployment: &&Value| Object::from(*deployment).status().is_alive();
    let ids = all.iter().filter(alive).filter_map(|deployment| deployment["id"].as_str());
    Ok(ids.filter(|id| !call.host.journal.knows_id(id)).map(str::to_owned).next())
}
