//! Changes whose answers are lost: what was made is found again, what was not made is made, and nothing is made twice.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use coriolis_run::error::{ExitCode, Kind};
use coriolis_run::event::{Event, Fact, Outcome};
use coriolis_run::journal::Journal;
use coriolis_run::model::Generation;
use coriolis_run::runtime::gates::{Answer, Gates, Nobody};
use coriolis_run::sandbox::{Fault, Trouble};
use serde_json::{Value, json};

use crate::rehearsal::{GENERATIONS, Options, Rehearsal, Stage};

const TROUBLES: [Trouble; 7] = [
    Trouble::DroppedAfter,
    Trouble::UnavailableAfter,
    Trouble::LimitedAfter,
    Trouble::Hollow,
    Trouble::Surprise,
    Trouble::DroppedBefore,
    Trouble::UnavailableBefore,
];

/// On a fresh sandbox of each generation with each trouble for one request: what `before` left is there already.
fn in_trouble(method: &'static str, path: &str, before: &str, script: &str, check: impl Fn(&Rehearsal, &str)) {
    for generation in GENERATIONS {
        for trouble in TROUBLES {
            let stage = Stage::new(Options::of(generation));
            stage.play(before).value();
            stage.inject(method, path, trouble);
            check(&stage.play(script), &format!("{trouble:?} on {}", generation.word()));
        }
    }
}

/// The same where only the value counts.
fn gives(method: &'static str, path: &str, before: &str, script: &str, expected: &Value) {
    in_trouble(method, path, before, script, |rehearsal, name| {
        assert_eq!(rehearsal.value(), expected, "{name}");
        assert!(warned(rehearsal), "{name}: the trouble came");
    });
}

fn warned(rehearsal: &Rehearsal) -> bool {
    let lost =
        |event: &Event| matches!(&event.fact, Fact::Logged { message, .. } if message.starts_with("lost the answer"));
    rehearsal.count(lost) == 1
}

#[test]
fn a_region_is_made_once_beside_one_of_the_same_name() {
    let script = r#"
        let before = region_list()[0];
        let made = region_create("east", #{ description: "the new hall" });
        let all = region_list();
        [all.len(), made.id != before.id, made.name, made.description, region_show(made.id).description]"#;
    let expected = json!([2, true, "east", "the new hall", "the new hall"]);
    gives("POST", "/regions", r#"region_create("east")"#, script, &expected);
    gives("POST", "/regions", "()", r#"[region_ensure("east").created, region_list().len()]"#, &json!([true, 1]));
}

#[test]
fn a_minion_pool_is_made_once_beside_one_of_the_same_name() {
    let options = r#"#{ endpoint: "openstack", platform: "destination", os_type: "linux", environment_options: #{},
                        skip_allocation: true, notes: "N" }"#;
    let create = format!(r#"minion_pool_create("helpers", {options})"#);
    let script = format!(
        r#"let before = minion_pool_list()[0];
           let made = {create};
           [minion_pool_list().len(), made.id != before.id, made.notes, minion_pool_show(made.id).notes]"#
    );
    gives("POST", "/minion_pools", &create, &script, &json!([2, true, "N", "N"]));
    let script = format!(r#"[minion_pool_ensure("helpers", {options}).created, minion_pool_list().len()]"#);
    gives("POST", "/minion_pools", "()", &script, &json!([true, 1]));
}

#[test]
fn what_is_done_to_a_minion_pool_is_done_once() {
    let before = r#"minion_pool_create("helpers", #{ endpoint: "openstack", platform: "destination", os_type: "linux",
                                                    environment_options: #{}, skip_allocation: true })"#;
    for (prepare, act, expected) in [
        ("", "minion_pool_allocate", "ALLOCATED"),
        (r#"wait_for(minion_pool_allocate("helpers"));"#, "minion_pool_deallocate", "DEALLOCATED"),
    ] {
        let before = format!("{before}; {prepare}");
        gives("POST", "/actions", &before, &format!(r#"wait_for({act}("helpers")).status"#), &json!(expected));
    }
}

#[test]
fn a_schedule_is_made_once_beside_one_of_the_same_time() {
    let before = r#"
        let r = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
        replica_schedule_create(r, #{ hour: 2, minute: 30, disabled: true })"#;
    let script = r#"
        let r = replica_of("web-01");
        let before = replica_schedule_list(r)[0];
        let made = replica_schedule_create(r, #{ hour: 2, minute: 30, disabled: true });
        [replica_schedule_list(r).len(), made.id != before.id, made.schedule.hour, made.enabled]"#;
    gives("POST", "/schedules", before, script, &json!([2, true, 2, false]));
}

#[test]
fn a_secret_is_stored_once_beside_one_of_the_same_name() {
    let before = r#"secret_store(#{ name: "vc", payload: "another" })"#;
    let script = r#"
        let before = secret_list()[0];
        let made = secret_store(#{ name: "vc", payload: "planted" });
        let all = secret_list(#{ name: "vc" });
        [all.len(), made.keys(), made.secret_ref != before.secret_ref, secret_get(made).name, secret_get(made).mode]"#;
    gives("POST", "/secrets", before, script, &json!([2, ["secret_ref"], true, "vc", null]));
}

#[test]
fn a_connection_is_stored_once_and_its_endpoint_made_once() {
    let script = r#"
        let made = endpoint_create(#{ name: "lab", provider: "openstack", connection: #{ password: "planted" },
                                      store_connection: true, skip_validation: true });
        let secrets = secret_list();
        [secrets.len(), endpoint_list().filter(|e| e.name == "lab").len(), made.connection_info.secret_ref == secrets[0].secret_ref]"#;
    for path in ["/secrets", "/endpoints"] {
        gives("POST", path, "()", script, &json!([1, 1, true]));
    }
}

#[test]
fn what_is_changed_or_deleted_twice_is_changed_or_deleted() {
    let region = r#"region_create("east")"#;
    in_trouble("PUT", "", region, r#"region_update("east", #{ description: "d" }).description"#, |rehearsal, name| {
        assert_eq!(rehearsal.value(), &json!("d"), "{name}");
    });
    for (before, delete, left) in [
        (region, r#"region_delete("east")"#, "region_list()"),
        (r#"secret_store(#{ name: "vc", payload: "p" })"#, "secret_delete(secret_list()[0])", "secret_list()"),
    ] {
        in_trouble("DELETE", "", before, &format!("{delete}; {left}.len()"), |rehearsal, name| {
            assert_eq!(rehearsal.value(), &json!(0), "{name}: {delete}");
        });
    }
}

/// Says yes, and keeps what was asked.
#[derive(Default)]
struct Asked(Mutex<Vec<String>>);

impl Gates for Asked {
    fn ask(&self, gate: &str, _: &str) -> coriolis_run::error::Result<Option<Answer>> {
        self.0.lock().unwrap().push(gate.to_owned());
        Ok(Some(Answer { text: "yes".into(), by: "ann".into() }))
    }
}

#[test]
fn a_yes_to_sending_something_again_is_for_once() {
    for generation in GENERATIONS {
        let stage = Stage::new(Options::of(generation));
        let path = "/appliances".to_owned();
        stage.sandbox.inject(Fault { method: "POST", path, times: 3, what: Trouble::DroppedBefore });
        let (journal, gates) = (Journal::in_memory(stage.clock.clone()), Arc::new(Asked::default()));
        stage.play_recorded("licensing_appliance_create()", Arc::new(journal), gates.clone()).value();
        let asked = gates.0.lock().unwrap();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), 3, "{asked:?}");
    }
}

const CREATE: &str = r#"
    let made = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });"#;

fn said(rehearsal: &Rehearsal, text: &str) -> bool {
    let fits = |event: &Event| matches!(&event.fact, Fact::Logged { message, .. } if message.contains(text));
    rehearsal.count(fits) > 0
}

#[test]
fn a_change_that_arrives_a_minute_after_its_answer_was_lost_is_not_sent_again() {
    for generation in GENERATIONS {
        let path = if generation == Generation::Current { "/transfers" } else { "/replicas" };
        for seconds in [0, 4, 19, 40, 62, 75] {
            let stage = Stage::new(Options::of(generation));
            stage.inject("POST", path, Trouble::Late(seconds));
            let played = stage.play(&format!(
                "{CREATE} sleep(\"10m\"); [made.id == replica_of(\"web-01\").id, replica_list().len()]"
            ));
            assert_eq!(played.value(), &json!([true, 1]), "{seconds} s on {}", generation.word());
            assert!(!said(&played, "sending it again"), "{seconds} s");
        }
    }
}

#[test]
fn a_twin_that_comes_late_is_named_and_never_deployed() {
    for generation in GENERATIONS {
        let path = if generation == Generation::Current { "/transfers" } else { "/replicas" };
        let stage = Stage::new(Options::of(generation));
        stage.inject("POST", path, Trouble::Late(80));
        let played = stage.play(&format!("{CREATE} replica_sync(made); replica_deploy(made)"));
        assert_eq!(played.kind(), Kind::Refused, "{:?}", played.error());
        assert_eq!((played.replicas_made(), played.deployments_made()), (2, 0));
        let named = stage.play(r#"replica_list().map(|r| r.id)"#);
        for id in named.value().as_array().unwrap() {
            assert!(said(&played, id.as_str().unwrap()), "{id} is named");
        }
        assert!(said(&played, "was carried out twice"));
    }
}

#[test]
fn a_look_that_fails_is_repeated_and_what_stays_unknown_says_why_and_is_looked_for_by_the_next_process() {
    let script = r#"
        wave("w", ["east"], #{ retries: 3, backoff: "1s" }, |name| { endpoint_list(); region_create(name).name });
        region_list().len()"#;
    for (failing, is_known) in [(5, true), (200, false)] {
        let stage = Stage::new(Options::default());
        let journal = Arc::new(Journal::in_memory(stage.clock.clone()));
        stage.inject("GET", "/endpoints", Trouble::UnavailableBefore);
        stage.inject("POST", "/regions", Trouble::DroppedAfter);
        let looks = Fault { method: "GET", path: "/regions".into(), times: failing, what: Trouble::UnavailableBefore };
        stage.sandbox.inject(looks);
        let played = stage.play_recorded(script, journal.clone(), Arc::new(Nobody));
        if is_known {
            assert_eq!(played.value(), &json!(1));
            continue;
        }
        let error = played.error();
        assert_eq!((error.kind, error.kind.exit_code()), (Kind::Unknown, ExitCode::NeedsAnswer));
        let told = &error.message;
        assert!(
            told.starts_with("lost the answer to POST regions (") && told.contains("failed: GET regions"),
            "{told}"
        );
        let items = played.events.iter().find_map(|event| match &event.fact {
            Fact::ItemFinished { outcome, cause, .. } => Some((*outcome, cause.clone().unwrap_or_default())),
            _ => None,
        });
        let (outcome, cause) = items.unwrap();
        assert!(
            outcome == Outcome::Unknown && cause.message.starts_with("lost the answer to POST regions"),
            "{cause:?}"
        );

        while stage.play("region_list()").result.is_err() {}
        let resumed = stage.play_recorded(script, journal, Arc::new(Nobody));
        assert_eq!((resumed.value(), resumed.carried_out("POST", "/regions")), (&json!(1), 1));
    }
}

const WEB: &str = r#"
    let r = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
    replica_sync(r);
"#;

#[test]
fn an_update_and_the_deletion_of_disks_are_begun_once() {
    for (method, path, act) in
        [("PUT", "", r#"replica_update(r, #{ notes: "web tier" })"#), ("POST", "/actions", "replica_disks_delete(r)")]
    {
        let script = format!(
            r#"let r = replica_of("web-01"); let done = wait_for({act}); [done.status, replica_execution_list(r).len()]"#
        );
        gives(method, path, WEB, &script, &json!(["COMPLETED", 2]));
    }
}

/// One lane changes the notes of a replica while its first request meets this trouble; another one changes this after so
/// many seconds.
fn updated_by_two(generation: Generation, trouble: Trouble, after: u32, theirs: &str) -> (Rehearsal, Value) {
    let stage = Stage::new(Options::of(generation));
    stage.play(WEB).value();
    stage.inject("PUT", "", trouble);
    let played = stage.play(&format!(
        r#"each([#{{ notes: "ours" }}, {theirs}], |change| {{
               if change != #{{ notes: "ours" }} {{ sleep("{after}s"); }}
               wait_for(replica_update(replica_of("web-01"), change)).status
           }})"#
    ));
    let notes = stage.play(r#"replica_of("web-01").notes"#).value().clone();
    (played, notes)
}

#[test]
fn what_a_colleague_updates_is_no_twin_of_ours_and_not_overwritten_unasked() {
    for generation in GENERATIONS {
        for (trouble, after) in [(Trouble::DroppedBefore, 10), (Trouble::Gateway, 1), (Trouble::DroppedBefore, 60)] {
            let (played, notes) = updated_by_two(generation, trouble, after, r#"#{ notes: "theirs" }"#);
            let name = format!("{trouble:?} {after} on {}: {:?}", generation.word(), played.error());
            assert_eq!((played.kind().exit_code(), notes), (ExitCode::NeedsAnswer, json!("theirs")), "{name}");
            assert!(played.error().message.contains("`notes` changed since"), "{name}");
        }
        let other = r#"#{ network_map: #{ "VM Network": "other" } }"#;
        let (played, notes) = updated_by_two(generation, Trouble::DroppedBefore, 10, other);
        assert_eq!((played.value(), notes), (&json!(["COMPLETED", "COMPLETED"]), json!("ours")));
        assert!(said(&played, "it was not carried out, sending it again"));
        assert!(!said(&played, "was carried out twice"), "{}", generation.word());
    }
}

#[test]
fn a_late_update_that_a_colleague_changes_again_is_not_sent_over_theirs() {
    for generation in GENERATIONS {
        // Ours arrives and runs; theirs begins around its end, or is refused.
        for after in [80, 84, 88, 92] {
            let (played, notes) = updated_by_two(generation, Trouble::Late(30), after, r#"#{ notes: "theirs" }"#);
            let refused = played.result.as_ref().is_err_and(|error| error.error.status() == Some(400));
            let expected = if refused { "ours" } else { "theirs" };
            assert_eq!(notes, json!(expected), "{after} on {}", generation.word());
        }
    }
}

#[test]
fn what_a_colleague_makes_of_a_thing_while_our_update_is_lost_is_not_overwritten_unasked() {
    let regions = r#"region_create("east")"#;
    for generation in GENERATIONS {
        for (trouble, after) in
            [(Trouble::DroppedBefore, "500ms"), (Trouble::Late(30), "40s"), (Trouble::Gateway, "70s")]
        {
            let stage = Stage::new(Options::of(generation));
            stage.play(regions).value();
            stage.inject("PUT", "", trouble);
            let played = stage.play(&format!(
                r#"each(["ours", "theirs"], |who| {{
                       if who == "theirs" {{ sleep("{after}"); }}
                       region_update("east", #{{ description: who }})
                   }})"#
            ));
            let name = format!("{trouble:?} {after} on {}", generation.word());
            assert_eq!(played.kind().exit_code(), ExitCode::NeedsAnswer, "{name}: {:?}", played.error());
            assert!(played.error().message.contains("`description` changed since"), "{name}: {:?}", played.error());
            let now = stage.play(r#"region_show("east").description"#);
            assert_eq!(now.value(), &json!("theirs"), "{name}");
        }
    }
}

#[test]
fn a_copy_that_completed_meanwhile_is_not_called_cancelled() {
    for generation in GENERATIONS {
        let stage = Stage::new(Options::of(generation));
        stage.play(WEB).value();
        stage.inject("POST", "/actions", Trouble::DroppedBefore);
        let script = r#"
            let e = replica_execute(replica_of("web-01"));
            wait_for(e);
            let status = 0;
            try { replica_execution_cancel(e); } catch (error) { status = error.status; }
            status"#;
        assert_eq!(stage.play(script).value(), &json!(400), "{}", generation.word());
    }
}

#[test]
fn what_was_never_carried_out_is_no_riddle_and_the_next_attempt_sends_it_again() {
    let stage = Stage::new(Options::default());
    let never = Fault { method: "POST", path: "/regions".into(), times: 3, what: Trouble::UnavailableBefore };
    stage.sandbox.inject(never);
    let script = r#"wave("w", ["east"], #{ retries: 1, backoff: "1s" }, |name| region_create(name).name).ok"#;
    assert_eq!(stage.play(script).value(), &json!(["east"]));
    assert_eq!(stage.play("region_list().len()").value(), &json!(1));
}

/// One change of each sort of repetition: what is there before, its request on either generation, and the work of an item,
/// which gives 1 where there is one of what it makes.
const SORTS: [(&str, &str, [&str; 2], &str); 9] = [
    ("()", "POST", ["/regions"; 2], r#"region_create("east"); region_list().len()"#),
    (
        "()",
        "POST",
        ["/transfers", "/replicas"],
        r#"
        replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
        replica_list().len()"#,
    ),
    (
        WEB,
        "POST",
        ["/executions"; 2],
        r#"
        let r = replica_of("web-01"); wait_for(replica_execute(r)); replica_execution_list(r).len() - 1"#,
    ),
    (
        WEB,
        "POST",
        ["/deployments", "/migrations"],
        r#"
        replica_deploy(replica_of("web-01")); deployment_list().len()"#,
    ),
    (
        WEB,
        "POST",
        ["/schedules"; 2],
        r#"
        let r = replica_of("web-01"); replica_schedule_create(r, #{ hour: 2, minute: 0, disabled: true });
        replica_schedule_list(r).len()"#,
    ),
    (
        WEB,
        "PUT",
        [""; 2],
        r#"
        let r = replica_of("web-01"); wait_for(replica_update(r, #{ notes: "n" })); replica_execution_list(r).len() - 1"#,
    ),
    (
        r#"region_create("east")"#,
        "PUT",
        [""; 2],
        r#"
        region_update("east", #{ description: "d" }); region_list().filter(|region| region.description == "d").len()"#,
    ),
    (r#"region_create("east")"#, "DELETE", [""; 2], r#"region_delete("east"); 1 + region_list().len()"#),
    (
        r#"replica_execute(replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack",
                                          instance: "web-01" }))"#,
        "POST",
        ["/actions"; 2],
        r#"
        let execution = replica_execution_list(replica_of("web-01"))[0];
        replica_execution_cancel(execution);
        let end = ();
        try { wait_for(execution) } catch (error) { end = error.kind; }
        if end == "cancelled" { 1 } else { 0 }"#,
    ),
];

/// Every such request of one item without retries goes wrong, for `minutes` or for ever.
fn ill(generation: Generation, sort: usize, what: Trouble, minutes: Option<u32>) -> Rehearsal {
    let (before, method, paths, work) = SORTS[sort];
    let stage = Stage::new(Options::of(generation));
    stage.play(before).value();
    let path = paths[usize::from(generation == Generation::Legacy)].to_owned();
    stage.sandbox.inject(Fault { method, path, times: usize::MAX, what });
    let time =
        minutes.map(|minutes| format!(r#"spawn(|| {{ sleep("{minutes}m"); print("well"); }});"#)).unwrap_or_default();
    let script = format!(r#"{time} wave("w", ["item"], |item| {{ {work} }}).items["item"]"#);
    stage.play_with(&script, |sandbox, _| sandbox.heal())
}

/// Each sort on either generation, behind a broken connection or a gateway.
fn ills() -> impl Iterator<Item = (Generation, usize, Trouble)> {
    let troubles = [Trouble::DroppedBefore, Trouble::Gateway].into_iter().cycle();
    let sorts = GENERATIONS.into_iter().flat_map(|generation| (0..SORTS.len()).map(move |sort| (generation, sort)));
    sorts.zip(troubles).map(|((generation, sort), trouble)| (generation, sort, trouble))
}

fn lost_answers(rehearsal: &Rehearsal) -> usize {
    let lost =
        |event: &Event| matches!(&event.fact, Fact::Logged { message, .. } if message.starts_with("lost the answer"));
    rehearsal.count(lost)
}

#[test]
fn a_server_that_takes_no_change_for_minutes_burns_no_attempt_and_is_told_once() {
    for (generation, sort, what) in ills() {
        let played = ill(generation, sort, what, Some(5));
        let name = format!("{:?} {what:?} on {}", SORTS[sort], generation.word());
        assert_eq!((&played.value()["value"], &played.value()["attempts"]), (&json!(1), &json!(1)), "{name}");
        assert!(lost_answers(&played) <= 1, "{name}");
    }
}

#[test]
fn a_server_that_takes_no_change_for_longer_than_patience_lasts_is_the_cause() {
    for (generation, sort, what) in ills() {
        let played = ill(generation, sort, what, None);
        let (error, cause) = (played.error(), if what == Trouble::Gateway { "502" } else { "no answer" });
        let name = format!("{:?} {what:?} on {}: {error:?}", SORTS[sort], generation.word());
        // A look shows that it was not carried out; where none does, it may be on its way still.
        let is_seen = !matches!(SORTS[sort].1, "DELETE") && !SORTS[sort].2[0].ends_with("/actions");
        let kind = if is_seen { Kind::Unreachable } else { Kind::Unknown };
        assert_eq!((error.kind, error.details.contains_key("maybe_applied")), (kind, !is_seen), "{name}");
        assert!(error.message.contains(cause) && error.message.ends_with("it was tried for 10m"), "{name}");
        assert!(lost_answers(&played) <= 1, "{name}");
    }
}

#[test]
fn a_server_that_errs_for_a_moment_burns_no_attempt_and_one_that_always_does_is_the_cause_after_eight_tries() {
    for generation in GENERATIONS {
        for (sort, (before, method, paths, work)) in SORTS.into_iter().enumerate().filter(|(_, of)| of.1 == "POST") {
            // A cancel that comes late finds a copy that has completed.
            let errors = if paths[0] == "/actions" { 0 } else { 7 };
            let path = paths[usize::from(generation == Generation::Legacy)];
            let erring = |times| {
                let stage = Stage::new(Options::of(generation));
                stage.play(before).value();
                let fault = Fault { method, path: path.to_owned(), times, what: Trouble::ErredBefore };
                stage.sandbox.inject(fault);
                stage.play(&format!(r#"wave("w", ["item"], |item| {{ {work} }}).items["item"]"#))
            };
            let name = format!("sort {sort} on {}", generation.word());
            let played = erring(errors);
            assert_eq!((&played.value()["value"], &played.value()["attempts"]), (&json!(1), &json!(1)), "{name}");
            if ["/regions", "/executions"].contains(&path) {
                let played = erring(usize::MAX);
                let item = &played.error().details["items"]["item"];
                assert_eq!((&item["status"], &item["error"]["status"]), (&json!("failed"), &json!(500)), "{name}");
                assert_eq!(played.count(|event| is_settled(event, path)), 8, "{name}");
            }
        }
    }
}

/// True for the answer to a change at this path.
fn is_settled(event: &Event, end: &str) -> bool {
    matches!(&event.fact, Fact::StepSettled { path, .. } if format!("/{path}").ends_with(end))
}

#[test]
fn a_proxy_that_refuses_what_the_server_has_done_makes_nothing_twice() {
    let script = r#"
        let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
        replica_sync(r);
        let last = replica_sync(r, #{ shutdown_instances: true });
        replica_deploy(r, #{ requires: last });
        [replica_list().len(), replica_execution_list(r).len(), deployment_list().len()]"#;
    for (generation, trouble) in GENERATIONS
        .into_iter()
        .flat_map(|generation| [Trouble::LimitedAfter, Trouble::UnauthorizedAfter].map(|trouble| (generation, trouble)))
    {
        let stage = Stage::new(Options::of(generation));
        for path in ["/transfers", "/replicas", "/executions", "/executions", "/deployments", "/migrations"] {
            stage.inject("POST", path, trouble);
        }
        assert_eq!(stage.play(script).value(), &json!([1, 2, 1]), "{trouble:?} on {}", generation.word());
    }
}

#[test]
fn a_token_or_a_login_that_is_refused_in_passing_ends_nothing_and_a_lasting_refusal_is_one_login_error() {
    for generation in GENERATIONS {
        let refused =
            |path: &str, method, times| Fault { method, path: path.to_owned(), times, what: Trouble::Unauthorized };
        let script = r#"
            let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
            print("revoke");
            [wait_for(replica_execute(r)).status, replica_execution_list(r).len()]"#;
        let played = |tokens: usize, logins: usize| {
            let stage = Stage::new(Options::of(generation));
            stage.play_with(script, move |sandbox, _| {
                sandbox.inject(refused("", "GET", tokens));
                sandbox.inject(refused("/executions", "POST", tokens));
                sandbox.inject(refused("/auth/tokens", "POST", logins));
            })
        };
        for (tokens, logins) in [(5, 0), (3, 2), (1, 4)] {
            let name = format!("{tokens} and {logins} on {}", generation.word());
            assert_eq!(played(tokens, logins).value(), &json!(["COMPLETED", 1]), "{name}");
        }
        assert_eq!(played(usize::MAX, 0).kind(), Kind::Login);
        let refused = played(usize::MAX, usize::MAX);
        assert!(refused.kind() == Kind::Login && refused.error().message.starts_with("Keystone refuses"));
    }
}

#[test]
fn a_damaged_login_is_tried_again_with_patience() {
    for generation in GENERATIONS {
        for what in [Trouble::Hollow, Trouble::Surprise] {
            let stage = Stage::new(Options::of(generation));
            let damaged = |times| Fault { method: "POST", path: "/auth/tokens".into(), times, what };
            stage.sandbox.inject(damaged(2));
            let fault = damaged(8);
            let script = r#"let before = region_list().len(); print("revoke"); [before, region_list().len()]"#;
            let played = stage.play_with(script, move |sandbox, _| {
                sandbox.revoke_tokens();
                sandbox.inject(fault.clone());
            });
            assert_eq!(played.value(), &json!([0, 0]), "{what:?} on {}", generation.word());
            assert_eq!(played.logins, 2);
        }
    }
}
