//! What a script can learn from an error that it catches.

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
