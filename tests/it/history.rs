//! Reports of real rehearsals, in every form.

use coriolis_run::event::{Event, Fact};
use coriolis_run::report::history::{Form, History, Meta};
use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::Value;

use crate::golden::same_as_golden;
use crate::rehearsal::{Options, Stage};

/// Two waves, a VM that fails once, one that always does, a loop inside of items, and a wait outside of waves.
const RUNBOOK: &str = r#"
    let from = endpoint_find("vcenter");
    let to = endpoint_find("openstack");
    let first = replica_ensure(#{ origin_endpoint: from, destination_endpoint: to, instance: "git-01" });
    wait_for(replica_execute(first));
    let names = ["web-01", "fail-once-mail-01", "fail-always-legacy-01", "<b>cache&01</b>"];
    wave("seed", names, #{ limit: 3, retries: 1, max_failures: 2 }, |name| {
        replica_sync(replica_ensure(#{ origin_endpoint: from, destination_endpoint: to, instance: name }));
    });
    wave("cutover", ["web-01", "fail-once-mail-01"], #{ limit: 2 }, |name| {
        let last = replica_sync(replica_of(name), #{ shutdown_instances: true });
        replica_deploy(replica_of(name), #{ requires: last });
    });
"#;

fn events() -> Vec<Event> {
    let rehearsal = Stage::new(Options::default()).play(RUNBOOK);
    let mut events = rehearsal.events;
    let at = events.first().unwrap().at;
    let started =
        Fact::RunStarted { runbook: Some("cutover.rhai".into()), cloud: "sandbox, current generation".into() };
    events.insert(0, Event { v: 1, at, origin: Default::default(), fact: started });
    let last = events.last().unwrap().at;
    let elapsed_seconds = last.duration_since(at).as_secs_f64();
    let finished = Fact::RunFinished { exit_code: 0, ended: None, sources_off: Vec::new(), elapsed_seconds };
    events.push(Event { v: 1, at: last, origin: Default::default(), fact: finished });
    events
}

fn history(events: &[Event]) -> History {
    let arguments = vec!["wave=1".into(), "token=***".into()];
    History::new(Meta { id: "7f3a".into(), name: "cutover.rhai".into(), arguments, ..Meta::default() }, events)
}

/// Ids differ from seed to seed; their width does not.
fn redacted(text: &str) -> String {
    let ids = Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
    ids.replace_all(text, "00000000-0000-0000-0000-000000000000").into_owned()
}

#[test]
fn a_rehearsal_reads_as_it_did() {
    let whole = history(&events());
    let forms = [(Form::Markdown, "report.md"), (Form::Csv, "report.csv"), (Form::Junit, "report.xml")];
    for (form, name) in forms {
        same_as_golden(name, &redacted(&whole.render(form, &TimeZone::UTC)));
    }
}

#[test]
fn a_rehearsal_cut_off_anywhere_has_a_report_with_all_that_had_begun() {
    let events = events();
    for cut in (0..events.len()).step_by(events.len() / 40) {
        let part = &events[..cut];
        let begun: usize = part
            .iter()
            .map(|event| match &event.fact {
                Fact::WaveStarted { items, .. } => items.len(),
                _ => 0,
            })
            .sum();
        let report: Value = serde_json::from_str(&history(part).render(Form::Json, &TimeZone::UTC)).unwrap();
        let items = |wave: &Value| wave["items"].as_array().unwrap().clone();
        let told: Vec<Value> = report["waves"].as_array().unwrap().iter().flat_map(items).collect();
        assert_eq!(told.len(), begun, "after {cut} events");
        let at_work = |key: &str| part.iter().any(|event| event.origin.item.as_deref() == Some(key));
        let open = told.iter().filter(|item| item["outcome"] == "unfinished");
        open.for_each(|item| assert!(at_work(item["key"].as_str().unwrap()), "{item}"));
        assert_eq!(report["run"]["status"], "interrupted");
    }
}

#[test]
fn the_phases_of_an_item_fill_its_time_without_a_gap() {
    let report: Value = serde_json::from_str(&history(&events()).render(Form::Json, &TimeZone::UTC)).unwrap();
    let item = &report["waves"][1]["items"][0];
    let spans = item["spans"].as_array().unwrap();
    let phases: Vec<&str> = spans.iter().map(|span| span["phase"].as_str().unwrap()).collect();
    for phase in ["prepare", "copy", "shutdown", "deploy", "morph", "cleanup"] {
        assert!(phases.contains(&phase), "{phase} is not among {phases:?}");
    }
    assert_eq!(spans[0]["from"], item["started"]);
    assert_eq!(spans.last().unwrap()["to"], item["finished"]);
    spans.windows(2).for_each(|pair| assert_eq!(pair[0]["to"], pair[1]["from"]));
}
