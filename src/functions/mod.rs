//! The table of functions: one file per domain, with its rows first and the bodies below in the same order.

use std::sync::{Arc, LazyLock};

use rhai::Engine;

use crate::check::compile::compile;
use crate::language::catalog::Catalog;
use crate::runtime::engine;
use crate::runtime::function::Function;
use crate::runtime::host::{Host, Language};

mod begun;
mod cutover;
mod deployments;
mod endpoints;
mod executions;
pub mod files;
mod guarded;
mod guards;
mod jobs;
mod language;
mod licensing;
mod logs;
mod migrations;
mod minion_pools;
mod ours;
mod overrides;
mod providers;
mod regions;
mod resolve;
mod resources;
mod sandbox;
mod schedules;
mod secrets;
mod services;
mod settings;
mod sources;
mod states;
mod transfers;
mod units;
mod waits;
mod waves;

/// Every domain with its title, in the order of the reference.
const TABLES: &[(&str, &[Function])] = &[
    ("Endpoints", endpoints::ROWS),
    ("Cloud resources", resources::ROWS),
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
    ("Cutovers", cutover::ROWS),
    ("States", states::ROWS),
    ("Waiting", waits::ROWS),
    ("Waves", waves::ROWS),
    ("Jobs", jobs::ROWS),
    ("Sandbox", sandbox::ROWS),
    ("Files", files::ROWS),
    ("Language", language::ROWS),
];

/// The declarations of them all.
pub fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
        let specs = |rows: &'static [Function]| rows.iter().map(|function| &function.spec).collect();
        Catalog::new(TABLES.iter().map(|(title, rows)| (*title, specs(rows))).collect())
    });
    &CATALOG
}

/// The language, as a run is given it.
pub fn language() -> Language {
    let mistakes = |engine: &Engine, text: &str| compile(engine, catalog(), text).err().unwrap_or_default();
    Language { catalog: catalog(), register, mistakes }
}

fn register(engine: &mut Engine, host: &Arc<Host>) {
    for (_, rows) in TABLES {
        rows.iter().for_each(|function| engine::register(engine, host, function));
    }
}
