//! What a script can learn from an error that it catches.

use coriolis_run::language::error::Step;
use serde_json::json;

use crate::rehearsal::{GENERATIONS, Options, Stage, rehearse};

#[test]
fn a_caught_error_of_the_server_has_its_kind_status_message_request_and_place() {
    for generation in GENERATIONS {
        let rehearsal = Stage::new(Options::of(generation)).play(
            r#"replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
let caught = ();
try {
    endpoint_delete("vcenter");
} catch (e) {
    caught = [e.kind, e.status, e.method, e.message.contains("orphaned"), e.request_id.starts_with("req-"), e.line, e.column];
}
caught"#,
        );
        assert_eq!(rehearsal.value(), &json!(["api", 403, "DELETE", true, true, 4, 5]), "{}", generation.word());
    }
}

#[test]
fn a_caught_failure_of_a_wait_has_the_first_failed_task_and_its_details() {
    for generation in GENERATIONS {
        let rehearsal = Stage::new(Options::of(generation)).play(
            r#"let replica = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "fail-always-legacy-01" });
            let caught = ();
            try { wait_for(replica_execute(replica)); } catch (e) { caught = [e.kind, e.task, e.exception_details]; }
            caught"#,
        );
        let expected =
            json!(["failed", "REPLICATE_DISKS", "Connection reset while reading disk fail-always-legacy-01-disk-0"]);
        assert_eq!(rehearsal.value(), &expected, "{}", generation.word());
    }
}

#[test]
fn a_timeout_leaves_the_copy_running_and_can_be_caught() {
    let rehearsal = rehearse(
        r#"
        let replica = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
        let execution = replica_execute(replica);
        let caught = ();
        try { wait_for(execution, #{ timeout: "1m" }); } catch (e) { caught = e.kind; }
        [caught, replica_execution_show(execution).status, wait_for(execution).status]
    "#,
    );
    assert_eq!(rehearsal.value(), &json!(["timeout", "RUNNING", "COMPLETED"]));
}

/// The calls that the error of a script went through, innermost first.
fn calls(source: &str) -> Vec<String> {
    let rehearsal = Stage::new(Options::default()).play(source);
    let located = rehearsal.result.expect_err("the script fails");
    let told = |step: &Step| {
        let place = step.called.as_ref().map(|place| format!(" at {}:{}", place.line, place.column));
        format!("{}{}", step.label(), place.unwrap_or_default())
    };
    located.through.iter().map(told).collect()
}

#[test]
fn an_error_names_the_calls_it_went_through_and_the_item_it_happened_to() {
    let fails = "fn size_of(vm) { throw `${vm} has no size`; }\n";
    assert_eq!(
        calls(&format!("{fails}each([\"web-01\"], |vm| {{\n    size_of(vm);\n}});")),
        ["`size_of` at 3:5", "the closure of `each` for item 1 at 2:1"]
    );
    assert_eq!(
        calls(&format!("{fails}fn all(vms) {{\n    vms.map(|vm| size_of(vm))\n}}\nall([1]);")),
        ["`size_of` at 3:18", "the closure of `map` at 3:9", "`all` at 5:1"]
    );
}

#[test]
fn a_failed_item_has_its_place_and_the_functions_that_lead_there() {
    let rehearsal = rehearse(
        r#"fn size_of(vm) { throw "no size"; }
let result = wave("web", ["web-01"], #{ max_failures: 1 }, |vm| size_of(vm));
let error = result.items["web-01"].error;
[error.place, error.through]"#,
    );
    assert_eq!(rehearsal.value(), &json!(["1:18", "`size_of` called at 2:65"]));
}
