//! The table of functions: one file per domain, its rows first, the bodies below in the same order.

use super::function::Function;

mod deployments;
mod endpoints;
mod executions;
pub mod files;
mod guards;
mod jobs;
mod language;
mod licensing;
mod logs;
mod migrations;
mod minion_pools;
mod ours;
mod providers;
mod regions;
mod resolve;
mod resources;
pub mod schedules;
mod secrets;
mod services;
mod settings;
mod transfers;
mod units;
mod waits;
mod waves;

/// Every domain with its title, in the order of the reference.
pub const TABLES: &[(&str, &[Function])] = &[
    ("Endpoints", endpoints::ROWS),
    ("What a cloud has", resources::ROWS),
    ("Providers", providers::ROWS),
    ("Regions", regions::ROWS),
    ("Services", services::ROWS),
    ("Minion pools", minion_pools::ROWS),
    ("Secrets", secrets::ROWS),
    ("Logs", logs::ROWS),
    ("Licensing", licensing::ROWS),
    ("Replicas", transfers::ROWS),
    ("Executions", executions::ROWS),
    ("Schedules", schedules::ROWS),
    ("Deployments", deployments::ROWS),
    ("Migrations", migrations::ROWS),
    ("Units", units::ROWS),
    ("Waiting", waits::ROWS),
    ("Waves", waves::ROWS),
    ("Jobs", jobs::ROWS),
    ("Files", files::ROWS),
    ("Language", language::ROWS),
];
