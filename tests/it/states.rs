//! The memory across runs: where each VM of an inventory stands, on a cloud that several runs have worked on.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::command::{Ended, Served, end, folder};

/// What each of the runs does with a VM, and the state that it leaves.
const NIGHTS: [(&str, &str, &str, i32); 5] = [
    ("web-02", "", "not copied", 0),
    ("web-03", "replica_sync(r);", "seeded", 0),
    ("web-04", "replica_sync(r, #{ shutdown_instances: true });", "source off", 10),
    ("web-05", "replica_sync(r); replica_deploy(r);", "deployed", 0),
    (
        "web-06",
        "cutover(r, |c| { replica_sync(r, #{ shutdown_instances: true }); replica_deploy(r); });",
        "verified",
        0,
    ),
];

#[test]
fn the_state_of_each_vm_comes_from_the_server_and_from_all_runs() {
    for generation in ["current", "legacy"] {
        let served = Served::start(generation);
        let state = folder(&format!("states-{generation}"));
        let client = |arguments: &[&str]| -> Ended {
            let mut command = served.client(arguments);
            command.env("XDG_STATE_HOME", &state);
            end(command)
        };
        for (name, body, _, code) in NIGHTS {
            let runbook = state.join(format!("{name}.rhai"));
            let text = format!(
                "let r = replica_ensure(#{{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", \
                 instance: \"{name}\" }});\n{body}"
            );
            std::fs::write(&runbook, text).unwrap();
            client(&[runbook.to_str().unwrap()]).expect(code);
        }
        let inventory = state.join("vms.csv");
        let names = NIGHTS.map(|(name, ..)| name).join("\n");
        std::fs::write(&inventory, format!("name\nweb-01\n{names}\n")).unwrap();
        let told = client(&["status", inventory.to_str().unwrap(), "--format", "json"]).expect(0);
        let states: Vec<Value> = serde_json::from_str(&told.stdout).unwrap();
        let seen: BTreeMap<&str, &str> =
            states.iter().map(|vm| (vm["name"].as_str().unwrap(), vm["state"].as_str().unwrap())).collect();
        let expected = NIGHTS.iter().map(|(name, _, word, _)| (*name, *word)).chain([("web-01", "not started")]);
        assert_eq!(seen, expected.collect(), "{generation}: {}", told.stderr);
        assert!(told.stderr.contains("1 not started, 1 not copied, 1 seeded, 1 source off"), "{}", told.stderr);
        let off = states.iter().find(|vm| vm["name"] == "web-04").unwrap();
        assert_eq!(off["source"], "off");
        let run = off["run"].as_str().unwrap();
        client(&["rollback", run, "--mark", "web-04"]).expect(0);
        let after = client(&["-e", "vm_state(\"web-04\").state"]).expect(0);
        assert_eq!(after.stdout.trim(), "\"seeded\"");
        // Asking is never the newest run.
        let newest = client(&["resume"]).expect(2);
        assert!(newest.stderr.contains("web-06.rhai"), "{}", newest.stderr);
    }
}
