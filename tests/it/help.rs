//! Help as people read it, on a screen of 80 columns.

use coriolis_run::error::ExitCode;
use coriolis_run::functions::catalog;
use coriolis_run::language::help;

use crate::command::run;
use crate::golden::same_as_golden;
use crate::rehearsal::{Options, Stage};

fn told(asked: &str) -> String {
    format!("{}\n", help::topic(catalog(), asked, help::WIDTH).unwrap())
}

#[test]
fn a_function_a_search_and_the_overview_read_as_when_somebody_last_looked() {
    same_as_golden("help-replica_execute.txt", &told("replica_execute"));
    same_as_golden("help-network.txt", &told("network"));
    same_as_golden("help.txt", &told(""));
}

#[test]
fn everything_fits_on_80_columns() {
    let pages = catalog().names().keys().map(String::as_str).chain(TOPICS).chain(["", "topics", "storage", "retries"]);
    let wide: Vec<String> = pages
        .flat_map(|asked| {
            let text = told(asked);
            let wide = |line: &&str| line.chars().count() > help::WIDTH;
            text.lines().filter(wide).map(|line| format!("{asked}: {line}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

const TOPICS: [&str; 7] = ["language", "strings", "closures", "errors", "waves", "sandbox", "replicas"];

#[test]
fn what_the_topics_show_runs() {
    let wrong: Vec<String> = TOPICS
        .into_iter()
        .filter_map(|topic| {
            let text = told(topic);
            let code: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("    ")).collect();
            // The list of the domain of the same name is indented as well, by more.
            let code: Vec<&str> = code.into_iter().filter(|line| !line.starts_with("                  ")).collect();
            let located = Stage::new(Options::default()).play(&code.join("\n")).result.err()?;
            Some(format!("{topic}: {} at {:?}", located.error, located.place))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_command_line_searches_for_what_is_no_function() {
    let found = run(&["functions", "network"]).expect(ExitCode::Done.number().into());
    assert_eq!(found.stdout, told("network"));
    let nothing = run(&["functions", "replica_crate"]).expect(ExitCode::Input.number().into());
    assert!(nothing.stderr.contains("did you mean `replica_create`?"), "{}", nothing.stderr);
}
