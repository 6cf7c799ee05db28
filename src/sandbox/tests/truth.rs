//! The truth after the flows that a real server accepts although no operator wants them.

use super::*;
use crate::sandbox::truth::Content;

/// An operator with raw requests, who has no guard.
struct Operator {
    client: Client,
    generation: Generation,
    transfer: String,
}

const GENERATIONS: [Generation; 2] = [Generation::Current, Generation::Legacy];

impl Operator {
    /// With a replica of `web-01` that was never executed.
    async fn new(generation: Generation) -> Self {
        let mut operator = Self { client: Client::of(generation).await, generation, transfer: String::new() };
        operator.transfer = operator.replica_of("web-01").await;
        operator
    }

    fn word(&self, current: &'static str, legacy: &'static str) -> &'static str {
        if self.generation == Generation::Current { current } else { legacy }
    }

    async fn replica_of(&self, name: &str) -> String {
        let (origin, destination) = self.client.endpoints().await;
        let noun = self.word("transfer", "replica");
        let body = json!({noun: {
            "origin_endpoint_id": origin, "destination_endpoint_id": destination, "instances": [name],
        }});
        self.client.post(&format!("/{noun}s"), body).await[noun]["id"].as_str().unwrap().into()
    }

    fn path(&self) -> String {
        format!("/{}s/{}", self.word("transfer", "replica"), self.transfer)
    }

    /// Begins a copy.
    async fn execute(&self, shutdown: bool) -> String {
        let body = json!({"execution": {"shutdown_instances": shutdown}});
        let answer = self.client.post(&format!("{}/executions", self.path()), body).await;
        answer["execution"]["id"].as_str().unwrap().into()
    }

    /// Copies to the end.
    async fn copy(&self, shutdown: bool) {
        self.execute(shutdown).await;
        self.client.pass(80).await;
    }

    /// Begins a copy and cancels it as soon as this task has the status.
    async fn cancel_at(&self, shutdown: bool, kind: &str, status: &str) {
        let execution = self.execute(shutdown).await;
        let path = format!("{}/executions/{execution}", self.path());
        let mut limit = 4000;
        loop {
            let tasks = self.client.get(&path).await["execution"]["tasks"].clone();
            let of = |task: &&Value| task["task_type"] == kind && task["status"] == status;
            if tasks.as_array().unwrap().iter().any(|task| of(&task)) {
                break;
            }
            limit -= 1;
            assert!(limit > 0, "{kind} is never {status}: {tasks}");
            self.client.tick(5).await;
        }
        if kind == "REPLICATE_DISKS" {
            self.client.tick(60).await;
        }
        let (status, answer) =
            self.client.send("POST", &format!("{path}/actions"), Some(json!({"cancel": null}))).await;
        assert_eq!(status, 204, "{answer}");
        self.client.pass(2).await;
    }

    async fn deploy(&self, force: bool) -> (u16, Value) {
        let noun = self.word("deployment", "migration");
        let key = self.word("transfer_id", "replica_id");
        let body = json!({noun: {key: self.transfer, "force": force}});
        let answer = self.client.send("POST", &format!("/{noun}s"), Some(body)).await;
        self.client.pass(20).await;
        answer
    }

    fn truth(&self) -> Truth {
        self.client.sandbox.truth()
    }

    /// The wrongs: twice, stale, half copied, off; and the content of the machines.
    fn wrong(&self) -> Value {
        let truth = self.truth();
        let contents: Vec<Content> = truth.machines.iter().map(|machine| machine.content).collect();
        json!([truth.running_twice, truth.stale, truth.half_copied, truth.sources_off, contents])
    }
}

#[tokio::test]
async fn a_final_copy_after_the_shutdown_boots_what_the_source_wrote_last() {
    for generation in GENERATIONS {
        let operator = Operator::new(generation).await;
        operator.copy(false).await;
        operator.copy(true).await;
        assert_eq!(operator.wrong(), json!([[], [], [], ["web-01"], []]), "before the deployment");
        assert_eq!(operator.deploy(false).await.0, 200);
        assert_eq!(operator.wrong(), json!([[], [], [], [], ["current"]]));
        let truth = operator.truth();
        assert_eq!(truth.machines[0].written_at, Some(truth.vms[0].written_at));
        assert_eq!(truth.vms[0].machines, [truth.machines[0].id.clone()]);
    }
}

#[tokio::test]
async fn without_a_shutdown_the_copy_is_stale_and_the_vm_runs_twice() {
    for generation in GENERATIONS {
        let operator = Operator::new(generation).await;
        operator.copy(false).await;
        assert_eq!(operator.deploy(false).await.0, 200);
        assert_eq!(operator.wrong(), json!([["web-01"], ["web-01"], [], [], ["stale"]]));
    }
}

#[tokio::test]
async fn a_final_copy_that_was_cancelled_after_the_shutdown_boots_stale_or_half_copied_data() {
    for generation in GENERATIONS {
        for (task, status, expected) in [
            ("SHUTDOWN_INSTANCE", "COMPLETED", json!([[], ["web-01"], [], [], ["stale"]])),
            ("REPLICATE_DISKS", "RUNNING", json!([[], [], ["web-01"], [], ["half"]])),
        ] {
            let operator = Operator::new(generation).await;
            operator.copy(false).await;
            operator.cancel_at(true, task, status).await;
            assert_eq!(operator.wrong(), json!([[], [], [], ["web-01"], []]));
            assert_eq!(operator.deploy(false).await.0, 200, "the server asks for any complete copy");
            assert_eq!(operator.wrong(), expected);
            operator.copy(true).await;
            assert_eq!(operator.deploy(false).await.0, 200, "nor does it ask for an earlier deployment");
            let truth = operator.truth();
            assert_eq!(truth.machines[1].content, Content::Current, "the next copy copies the rest");
            assert_eq!(truth.running_twice, ["web-01"]);
        }
    }
}

#[tokio::test]
async fn a_first_copy_that_was_cancelled_boots_half_a_disk_by_force_alone() {
    for generation in GENERATIONS {
        let operator = Operator::new(generation).await;
        operator.cancel_at(false, "REPLICATE_DISKS", "RUNNING").await;
        assert_eq!(operator.deploy(false).await.0, 400);
        assert_eq!(operator.deploy(true).await.0, 200);
        assert_eq!(operator.wrong(), json!([["web-01"], [], ["web-01"], [], ["half"]]));
    }
}

#[tokio::test]
async fn two_replicas_of_one_vm_run_twice_and_deleted_ones_leave_their_volumes() {
    for generation in GENERATIONS {
        let mut operator = Operator::new(generation).await;
        for _ in 0..2 {
            operator.copy(true).await;
            assert_eq!(operator.deploy(false).await.0, 200);
            assert_eq!(operator.client.send("DELETE", &operator.path(), None).await.0, 204);
            operator.transfer = operator.replica_of("web-01").await;
        }
        assert_eq!(operator.wrong(), json!([["web-01"], [], [], [], ["current", "current"]]));
        let truth = operator.truth();
        assert!(truth.volumes.len() >= 2 && truth.volumes.iter().all(|volume| volume.left_behind));
    }
}

#[tokio::test]
async fn a_vm_is_the_same_by_its_path_and_by_another_endpoint_of_its_place() {
    for generation in GENERATIONS {
        let mut operator = Operator::new(generation).await;
        operator.copy(true).await;
        assert_eq!(operator.deploy(false).await.0, 200);
        let connection = json!({"host": "VCENTER.sandbox.example", "username": "other", "password": "p"});
        let again = json!({"endpoint": {"name": "again", "type": "vmware_vsphere", "connection_info": connection}});
        let origin = operator.client.post("/endpoints", again).await["endpoint"]["id"].clone();
        let (_, destination) = operator.client.endpoints().await;
        let noun = operator.word("transfer", "replica");
        let body = json!({noun: {"origin_endpoint_id": origin, "destination_endpoint_id": destination,
            "instances": ["DC1/vm/web-01"]}});
        operator.transfer = operator.client.post(&format!("/{noun}s"), body).await[noun]["id"].as_str().unwrap().into();
        operator.copy(false).await;
        assert_eq!(operator.deploy(false).await.0, 200);
        assert_eq!(operator.wrong(), json!([["web-01"], [], [], [], ["current", "current"]]));
        let truth = operator.truth();
        assert_eq!(truth.vms.iter().filter(|vm| vm.name == "web-01").count(), 1);
    }
}

#[tokio::test]
async fn a_current_server_takes_force_for_a_copy_that_was_never_begun_and_then_misses_its_volumes() {
    let operator = Operator::new(Generation::Current).await;
    let (status, answer) = operator.deploy(true).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(status == 400 && message.contains("doesn't contain volumes information"), "{message}");
}

#[tokio::test]
async fn a_direct_migration_boots_what_the_source_wrote_last_if_it_switches_it_off() {
    for (shutdown, expected) in
        [(true, json!([[], [], [], [], ["current"]])), (false, json!([["web-01"], ["web-01"], [], [], ["stale"]]))]
    {
        let operator = Operator::new(Generation::Legacy).await;
        let (origin, destination) = operator.client.endpoints().await;
        let body = json!({"migration": {"origin_endpoint_id": origin, "destination_endpoint_id": destination,
            "instances": ["web-01"], "shutdown_instances": shutdown}});
        operator.client.post("/migrations", body).await;
        operator.client.pass(90).await;
        assert_eq!(operator.wrong(), expected);
        assert_eq!(operator.truth().machines[0].transfer_id, None);
    }
}

#[tokio::test]
async fn a_person_switches_a_source_on_and_a_machine_off() {
    for generation in GENERATIONS {
        let operator = Operator::new(generation).await;
        operator.copy(true).await;
        operator.deploy(false).await;
        let power = async |vm: &str, power: &str| {
            let url = format!("http://{}/sandbox/power", operator.client.sandbox.address());
            let body = json!({"vm": vm, "power": power});
            operator.client.http.post(url).json(&body).send().await.unwrap().status().as_u16()
        };
        assert_eq!(power("web-01", "on").await, 200);
        assert_eq!(operator.wrong(), json!([["web-01"], [], [], [], ["current"]]));
        assert_eq!(power(&operator.truth().machines[0].id, "off").await, 200);
        assert_eq!(operator.wrong(), json!([[], [], [], [], ["current"]]));
        operator.client.tick(5).await;
        operator.deploy(false).await;
        assert_eq!(operator.truth().stale, ["web-01"], "it wrote again since the copy");
        assert_eq!((power("nobody", "on").await, power("web-01", "maybe").await), (404, 400));
        let told = operator.client.http.get(format!("http://{}/sandbox/truth", operator.client.sandbox.address()));
        let told: Value = told.send().await.unwrap().json().await.unwrap();
        assert_eq!(told, serde_json::to_value(operator.truth()).unwrap());
    }
}
