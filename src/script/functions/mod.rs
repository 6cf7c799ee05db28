//! The table of functions: one file per domain, its rows first, the bodies below in the same order.

use super::function::Function;

mod deployments;
mod endpoints;
mod executions;
mod files;
mod guards;
mod index;
mod language;
mod licensing;
mod logs;
mod migrations;
mod minion_pools;
mod providers;
mod regions;
mod resolve;
mod resources;
mod schedules;
mod secrets;
mod services;
mod settings;
mod transfers;
mod units;
mod waits;
mod waves;

/// Every domain's rows, in the order of the reference.
pub const TABLES: &[&[Function]] = &[
    endpoints::ROWS,
    resources::ROWS,
    providers::ROWS,
    regions::ROWS,
    services::ROWS,
    minion_pools::ROWS,
    secrets::ROWS,
    logs::ROWS,
    licensing::ROWS,
    transfers::ROWS,
    executions::ROWS,
    schedules::ROWS,
    deployments::ROWS,
    migrations::ROWS,
    units::ROWS,
    waits::ROWS,
    waves::ROWS,
    files::ROWS,
    language::ROWS,
];

pub use index::Index;
