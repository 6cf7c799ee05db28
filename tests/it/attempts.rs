//! A retry is a resume of the lane: whatever an item does and wherever it fails, what it made before is made once.

use coriolis_run::sandbox::Trouble;
use proptest::prelude::*;

use crate::rehearsal::{GENERATIONS, Options, Stage};

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_an_item_made_before_it_failed_is_made_once(
        story in proptest::collection::vec(does(), 1..7),
        failing in 0_usize..12,
        legacy in any::<bool>(),
        refused in any::<bool>(),
    ) {
        let lines: Vec<String> = story.iter().enumerate().map(|(number, does)| line(number, does)).collect();
        let script = format!(r#"wave("w", ["one"], #{{ retries: 1 }}, |item| {{ {} }}).ok"#, lines.join("\n"));
        let generation = GENERATIONS[usize::from(legacy)];
        let stage = Stage::new(Options::of(generation));
        // Refused before it acts: the attempt fails there. Or lost after it has acted: it is found.
        let trouble = if refused { Trouble::Unauthorized } else { Trouble::DroppedAfter };
        stage.inject_at_change(failing, trouble);
        let played = stage.play(&script);
        prop_assert_eq!(played.value(), &serde_json::json!(["one"]), "{}", script);
        let count = |fits: fn(&Does) -> bool| story.iter().filter(|does| fits(does)).count();
        let replicas = count(|does| matches!(does, Does::CreatesReplica | Does::ExecutesAndWaits | Does::Syncs));
        let executions = count(|does| matches!(does, Does::ExecutesAndWaits | Does::Syncs));
        prop_assert_eq!(played.replicas_made(), replicas, "{}", script);
        prop_assert_eq!(played.carried_out("POST", "/executions"), executions, "{}", script);
        prop_assert_eq!(played.carried_out("POST", "/endpoints"), count(|does| matches!(does, Does::CreatesEndpoint)));
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
        let script = format!(r#"wave("w", ["one"], #{{ retries: 1 }}, |item| {{ {} }}).items.one.attempts"#, lines.join("\n"));
        let played = Stage::new(Options::default()).play(&script);
        prop_assert_eq!(played.value(), &serde_json::json!(2), "{}", script);
        let others = before.iter().chain(&after);
        let makes = |does: &&Does| matches!(does, Does::CreatesReplica | Does::ExecutesAndWaits | Does::Syncs);
        let copies = |does: &&Does| matches!(does, Does::ExecutesAndWaits | Does::Syncs);
        prop_assert_eq!(played.replicas_made(), 1 + others.clone().filter(makes).count(), "{}", script);
        prop_assert_eq!(played.carried_out("POST", "/executions"), 2 + others.filter(copies).count(), "{}", script);
    }
}
