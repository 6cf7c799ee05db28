//! The lists of transfers and deployments: read once for all lanes of a moment, or read again.

use std::sync::Arc;

use serde_json::Value;

use crate::client::{Filters, Request, deployments as deployment, present, transfers as transfer};
use crate::error::Result;
use crate::runtime::call::Call;
use crate::runtime::index::Kept;

/// The transfers, according to a recent list.
///
/// # Errors
/// Those of the server or the network.
pub fn transfers(call: &Call<'_>) -> Result<Arc<Vec<Value>>> {
    kept(call, &call.host.index.transfers, &transfer::list(call.generation()?, &Filters::default()), present::transfer)
}

/// The deployments, according to a recent list, with those whose records were deleted.
///
/// # Errors
/// Those of the server or the network.
pub fn deployments(call: &Call<'_>) -> Result<Arc<Vec<Value>>> {
    kept(call, &call.host.index.deployments, &deployment::list(call.generation()?, &ever()), present::deployment)
}

/// The transfers of this very moment, for decisions that need a current list.
///
/// # Errors
/// Those of the server or the network.
pub fn transfers_now(call: &Call<'_>) -> Result<Vec<Value>> {
    let request = transfer::list(call.generation()?, &Filters::default());
    Ok(present::each(call.read_list(&request)?, present::transfer))
}

/// The deployments of this very moment.
///
/// # Errors
/// Those of the server or the network.
pub fn deployments_now(call: &Call<'_>) -> Result<Vec<Value>> {
    let request = deployment::list(call.generation()?, &Filters::default());
    Ok(present::each(call.read_list(&request)?, present::deployment))
}

/// The deployments of this very moment, with those whose records were deleted: their machines stay.
///
/// # Errors
/// Those of the server or the network.
pub fn deployments_ever(call: &Call<'_>) -> Result<Vec<Value>> {
    let request = deployment::list(call.generation()?, &ever());
    Ok(present::each(call.read_list(&request)?, present::deployment))
}

/// The deployments of a transfer, according to the current list.
///
/// # Errors
/// Those of the server or the network.
pub fn deployments_of(call: &Call<'_>, transfer: &str) -> Result<Vec<Value>> {
    let mut found = of_transfer(&deployments(call)?, transfer);
    found.retain(|deployment| deployment["deleted_at"].is_null());
    Ok(found)
}

/// The deployments of a transfer right now, including those that others have begun since the last list.
///
/// # Errors
/// Those of the server or the network.
pub fn deployments_of_now(call: &Call<'_>, transfer: &str) -> Result<Vec<Value>> {
    Ok(of_transfer(&deployments_now(call)?, transfer))
}

/// Those of a transfer.
pub fn of_transfer(deployments: &[Value], transfer: &str) -> Vec<Value> {
    deployments.iter().filter(|deployment| deployment["transfer_id"] == transfer).cloned().collect()
}

fn ever() -> Filters {
    Filters { show_deleted: true, ..Filters::default() }
}

fn kept(call: &Call<'_>, kept: &Kept, request: &Request, present: fn(Value) -> Value) -> Result<Arc<Vec<Value>>> {
    let host = call.host;
    kept.get(&host.clock, &host.cancel, || Ok(call.read_list(request)?.into_iter().map(present).collect()))
}
