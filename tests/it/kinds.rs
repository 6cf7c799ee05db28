//! What the rows take and refuse before anything is sent: words, names, files, and maps with keys of their own.

use coriolis_run::functions::catalog;
use coriolis_run::language::arguments::Arguments;
use coriolis_run::runtime::engine;
use rhai::Dynamic;

/// A function, its arguments, and what is wrong with them: nothing, where they are taken.
const CASES: &[(&str, &str, &str)] = &[
    ("replica_create", "#{ scenario: \"replica\" }", ""),
    ("replica_create", "#{ scenario: () }", ""),
    ("replica_create", "#{ scenario: \"replca\" }", "`scenario` of `replica_create` cannot be `replca`"),
    ("replica_create", "#{ instances: \"web-01\" }", ""),
    ("replica_create", "#{ instances: [\"web-01\", \"web-02\"] }", ""),
    (
        "replica_create",
        "#{ instances: [1] }",
        "`instances` of `replica_create` must be a text or a list of texts, not a list",
    ),
    ("replica_create", "#{ network_map: #{ \"VM Network\": \"private\" } }", ""),
    (
        "replica_create",
        "#{ network_map: \"private\" }",
        "`network_map` of `replica_create` must be an object map, not a text",
    ),
    ("replica_create", "#{ default_storage_backend: \"ssd\", storage_backend_mapping: #{ ds1: \"ssd\" } }", ""),
    ("replica_create", "#{ storage_mappings: #{} }", ""),
    ("replica_create", "#{ storage_mappings: () }", ""),
    (
        "replica_create",
        "#{ storage_mappings: #{ \"default\": \"ssd\", disk_mappings: [],
            backend_mappings: [#{ source: \"ds1\", destination: \"ssd\" }] } }",
        "",
    ),
    ("replica_create", "#{ storage_mappings: #{ defalt: \"ssd\" } }", "`storage_mappings` has no key `defalt`"),
    (
        "replica_create",
        "#{ storage_mappings: #{ backend_mappings: [#{ source: \"ds1\" }] } }",
        "`backend_mappings` needs `destination`",
    ),
    (
        "replica_create",
        "#{ storage_mappings: #{ disk_mappings: #{ d: \"ssd\" } } }",
        "`disk_mappings` of `storage_mappings` must be a list of object maps, not an object map",
    ),
    (
        "replica_create",
        "#{ user_scripts: #{ global: #{ linux: \"echo\", windows: [#{ payload: \"x\", phase: \"replica_first_boot\" }] },
            instances: #{ \"web-01\": () } } }",
        "",
    ),
    ("replica_create", "#{ user_scripts: #{ global: #{ dos: \"x\" } } }", "`global` has no key `dos`"),
    ("replica_create", "#{ user_script_global: #{ linux: \"a.sh\", windows: () } }", ""),
    (
        "replica_create",
        "#{ osmorphing_minion_pool_mapping: #{ a: \"helpers\", b: #{ id: \"1\", name: \"helpers\" }, c: () } }",
        "",
    ),
    ("replica_schedule_create", "#{ schedule: #{ minute: 0, day_of_week: 6 }, enabled: false }", ""),
    ("replica_schedule_create", "#{ schedule: #{ minutes: 0 } }", "`schedule` has no key `minutes`"),
    ("replica_schedule_create", "#{ schedule: #{ hour: \"2\" } }", "`hour` of `schedule` must be a whole number, not a text"),
    ("minion_pool_create", "#{ platform: \"source\", os_type: \"bsd\", minion_retention_strategy: \"poweroff\" }", ""),
    ("minion_pool_create", "#{ platform: \"target\" }", "`platform` of `minion_pool_create` cannot be `target`"),
    (
        "minion_pool_create",
        "#{ minion_retention_strategy: \"keep\" }",
        "`minion_retention_strategy` of `minion_pool_create` cannot be `keep`",
    ),
    ("endpoint_create", "#{ type: \"something_new\", regions: \"east\", connection_file: \"c.json\" }", ""),
    ("replica_list", "#{ status: \"SOMETHING_NEW\", sort: \"notes:asc,created_at\" }", ""),
    ("log_stream", "#{ severity: \"warning\" }", ""),
    ("log", "\"info\"", ""),
    ("log", "\"loud\"", "`level` of `log` cannot be `loud`"),
];

#[test]
fn every_kind_takes_what_works_and_names_what_does_not() {
    let engine = engine::bare();
    let wrong: Vec<String> = CASES
        .iter()
        .filter_map(|(name, code, mistake)| {
            let row = catalog().find(name).expect("a function");
            let last: Dynamic = engine.eval(code).expect("valid code");
            let arguments = match row.arity() {
                (_, 1) => vec![last],
                _ => vec!["first".into(), last],
            };
            let said = match Arguments::read(row, name, &arguments) {
                // Missing keys are not the subject here.
                Err(error) if !error.message.starts_with(&format!("`{name}` needs")) => error.message,
                _ => String::new(),
            };
            (said != *mistake).then(|| format!("{name}({code}): `{said}`, not `{mistake}`"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
