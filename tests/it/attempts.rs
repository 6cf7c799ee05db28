//! A retry is a resume of the lane: whatever an item does and wherever it fails, what it made before is made once.

use coriolis_run::sandbox::Trouble;
use proptest::prelude::*;

use crate::rehearsal::{GENERATIONS, Options, Rehearsal, Stage};

/// What an item's closure does next, each on a VM of its own.
#[derive(Clone, Debug)]
enum Does {
    CreatesReplica,
    CreatesEndpoint,
    ExecutesAndWaits,
    Syncs,
    Lists,
    CatchesAnError,
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        Just(Does::CreatesReplica),
        Just(Does::CreatesEndpoint),
        Just(Does::ExecutesAndWaits),
        Just(Does::Syncs),
        Just(Does::Lists),
        Just(Does::CatchesAnError),
    ]
}

fn line(number: usize, does: &Does) -> String {
    let replica = |after: &str| {
        format!(
            r#"let r{number} = replica_create(#{{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-{:02}" }});{after}"#,
            number + 1
        )
    };
    match does {
        Does::CreatesReplica => replica(""),
        Does::CreatesEndpoint => {
            format!(
                r#"endpoint_create(#{{ name: "e{number}", type: "openstack", connection: #{{ host: "h" }}, skip_validation: true }});"#
            )
        }
        Does::ExecutesAndWaits => replica(&format!(" wait_for(replica_execute(r{number}));")),
        Does::Syncs => replica(&format!(" replica_sync(r{number});")),
        Does::Lists => "replica_list();".to_owned(),
        Does::CatchesAnError => r#"try { endpoint_find("nowhere"); } catch (e) { }"#.to_owned(),
    }
}

/// A wave of one item, which is tried three times.
fn in_a_wave(lines: &[String], wanted: &str) -> String {
    let body = lines.join("\n");
    format!(r#"wave("w", ["one"], #{{ retries: 2, max_failures: 1 }}, |item| {{ {body} }}).{wanted}"#)
}

#[derive(Debug, PartialEq)]
struct Made {
    replicas: usize,
    executions: usize,
    endpoints: usize,
}

fn made(played: &Rehearsal) -> Made {
    Made {
        replicas: played.replicas_made(),
        executions: played.carried_out("POST", "/executions"),
        endpoints: played.carried_out("POST", "/endpoints"),
    }
}

fn expected<'a>(story: impl Iterator<Item = &'a Does> + Clone) -> Made {
    let count = |fits: fn(&Does) -> bool| story.clone().filter(|does| fits(does)).count();
    Made {
        replicas: count(|does| matches!(does, Does::CreatesReplica | Does::ExecutesAndWaits | Does::Syncs)),
        executions: count(|does| matches!(does, Does::ExecutesAndWaits | Does::Syncs)),
        endpoints: count(|does| matches!(does, Does::CreatesEndpoint)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_an_item_made_before_it_failed_is_made_once(
        before in proptest::collection::vec(does(), 0..6),
        after in proptest::collection::vec(does(), 0..3),
        legacy in any::<bool>(),
    ) {
        let mut lines: Vec<String> = before.iter().enumerate().map(|(number, does)| line(number, does)).collect();
        lines.push(r#"endpoint_show("00000000-0000-4000-8000-000000000000");"#.to_owned());
        lines.extend(after.iter().enumerate().map(|(number, does)| line(number + 10, does)));
        let script = in_a_wave(&lines, "items.one.attempts");
        let played = Stage::new(Options::of(GENERATIONS[usize::from(legacy)])).play(&script);
        prop_assert_eq!(played.value(), &serde_json::json!(3), "{}", script);
        prop_assert_eq!(made(&played), expected(before.iter()), "{}", script);
    }

    #[test]
    fn what_is_made_is_made_once_whichever_answer_is_lost(
        story in proptest::collection::vec(does(), 1..7),
        lost in 0_usize..12,
        legacy in any::<bool>(),
    ) {
        let lines: Vec<String> = story.iter().enumerate().map(|(number, does)| line(number, does)).collect();
        let script = in_a_wave(&lines, "ok");
        let stage = Stage::new(Options::of(GENERATIONS[usize::from(legacy)]));
        stage.inject_at_change(lost, Trouble::DroppedAfter);
        let played = stage.play(&script);
        prop_assert_eq!(played.value(), &serde_json::json!(["one"]), "{}", script);
        prop_assert_eq!(made(&played), expected(story.iter()), "{}", script);
    }

    #[test]
    fn a_copy_that_fails_is_made_again_and_nothing_before_it(
        before in proptest::collection::vec(does(), 0..4),
        after in proptest::collection::vec(does(), 0..3),
        unit in any::<bool>(),
    ) {
        let mut lines: Vec<String> = before.iter().enumerate().map(|(number, does)| line(number, does)).collect();
        let copies = if unit { "replica_sync(failing);" } else { "let copy = replica_execute(failing); replica_list(); wait_for(copy);" };
        lines.push(format!(
            r#"let failing = replica_create(#{{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "fail-once-mail-01" }}); {copies}"#
        ));
        lines.extend(after.iter().enumerate().map(|(number, does)| line(number + 10, does)));
        let script = in_a_wave(&lines, "items.one.attempts");
        let played = Stage::new(Options::default()).play(&script);
        prop_assert_eq!(played.value(), &serde_json::json!(2), "{}", script);
        let mut made_once = expected(before.iter().chain(&after));
        made_once.replicas += 1;
        made_once.executions += 2;
        prop_assert_eq!(made(&played), made_once, "{}", script);
    }
}
