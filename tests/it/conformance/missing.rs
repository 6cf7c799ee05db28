//! Makes what a recorded request refers to and no recording made: endpoints, transfers, minion pools.

use std::collections::HashMap;

use coriolis_run::sandbox::Role;
use serde_json::{Value, json};

use super::replay::{DEMO, PROJECT, Recording, Replay, is_id};

/// What a transfer is made with.
const CREATED_WITH: [&str; 8] = [
    "origin_endpoint_id",
    "destination_endpoint_id",
    "instances",
    "notes",
    "network_map",
    "storage_mappings",
    "source_environment",
    "destination_environment",
];
/// What is known of things that somebody else made, by their recorded ids.
#[derive(Default)]
pub(super) struct Known {
    /// Every transfer that some recording shows.
    transfers: HashMap<String, Value>,
    /// Every minion pool, as it is shown first.
    pools: HashMap<String, Value>,
}

impl Known {
    pub(super) fn of(recordings: &[Recording]) -> Self {
        let transfers = recordings.iter().rev().flat_map(shown_transfers).collect();
        Self { transfers, pools: recordings.iter().rev().flat_map(shown_pool).collect() }
    }
}

impl Replay {
    /// Makes the transfer that a recorded request is about, where what made it is not recorded.
    pub(super) async fn make_transfer(&mut self, recorded: &Value) {
        let path = recorded["path"].as_str().unwrap_or_default();
        let mut segments = path.split(['/', '?']).skip(3);
        let (Some(collection @ ("transfers" | "replicas")), Some(id)) = (segments.next(), segments.next()) else {
            return;
        };
        let answered = recorded["status"].as_u64().is_some_and(|status| status < 300);
        if !answered || !is_id(id) || self.ids.contains_key(id) || is_made_up(id) {
            return;
        }
        // Of one that is shown nowhere, nothing but the id matters.
        let machine = self.known.transfers.values().next().map_or(Value::Null, |known| known["instances"].clone());
        let mut known = self.known.transfers.get(id).cloned().unwrap_or_else(|| {
            json!({"origin_endpoint_id": format!("{id}-from"), "destination_endpoint_id": format!("{id}-to"),
                   "instances": machine})
        });
        self.make_endpoints(&json!({"status": 200, "request_body": {"transfer": known}})).await;
        if let Some(environment) = known["destination_environment"].as_object_mut() {
            environment.retain(|key, _| !matches!(key.as_str(), "network_map" | "storage_mappings"));
        }
        let noun = &collection[..collection.len() - 1];
        let wishes = CREATED_WITH.iter().filter(|key| !known[**key].is_null());
        let wishes: serde_json::Map<_, _> = wishes.map(|key| ((*key).to_owned(), known[*key].clone())).collect();
        let path = format!("/v1/{PROJECT}/{collection}");
        let made = self.send_as("POST", &path, &json!({noun: wishes}), "admin", None).await;
        if let Some(own) = made.body[noun]["id"].as_str() {
            self.ids.insert(id.to_owned(), own.to_owned());
        }
    }

    /// Makes the pools that a recorded transfer is created with and that no recording shows.
    pub(super) async fn make_named_pools(&mut self, recorded: &Value) {
        let body = recorded["request_body"].as_object().into_iter().flat_map(|fields| fields.values());
        let Some(thing) = body.into_iter().next().filter(|_| recorded["status"] == 200).cloned() else { return };
        for (key, endpoint, platform) in [
            ("origin_minion_pool_id", "origin_endpoint_id", "source"),
            ("destination_minion_pool_id", "destination_endpoint_id", "destination"),
        ] {
            let known = |id: &str| self.ids.contains_key(id) || self.known.pools.contains_key(id);
            let Some(id) = thing[key].as_str().filter(|id| !known(id)) else { continue };
            let pool = json!({"name": id, "endpoint_id": thing[endpoint], "platform": platform, "os_type": "linux",
                              "environment_options": {}});
            let path = format!("/v1/{PROJECT}/minion_pools");
            let made = self.send_as("POST", &path, &json!({"minion_pool": pool}), "admin", None).await;
            if let Some(own) = made.body["minion_pool"]["id"].as_str() {
                self.ids.insert(id.to_owned(), own.to_owned());
            }
        }
    }

    /// Learns the id of a deployment that an execution made, where no list of them is recorded.
    pub(super) async fn find_deployment(&mut self, recorded: &Value) {
        let shown = &recorded["response_body"]["deployment"];
        let (Some(id), Some(deployer)) = (shown["id"].as_str(), shown["deployer_id"].as_str()) else { return };
        let Some(deployer) = self.ids.get(deployer).filter(|_| !self.ids.contains_key(id)) else { return };
        let listed = self.send_as("GET", &format!("/v1/{PROJECT}/deployments"), &Value::Null, "admin", None).await;
        let all = listed.body["deployments"].as_array();
        let own = all.into_iter().flatten().find(|own| own["deployer_id"] == deployer.as_str());
        if let Some(own) = own.and_then(|own| own["id"].as_str()) {
            self.ids.insert(id.to_owned(), own.to_owned());
        }
    }

    /// Makes the minion pools that a recorded request is about or names, where what made them is not recorded.
    pub(super) async fn make_pools(&mut self, recorded: &Value) {
        let text = format!("{}{}", recorded["path"], recorded["request_body"]);
        let answered = recorded["status"].as_u64().is_some_and(|status| status != 404);
        let unknown = |id: &&String| text.contains(id.as_str()) && !self.ids.contains_key(id.as_str());
        let wanted: Vec<String> = self.known.pools.keys().filter(unknown).cloned().collect();
        self.make_named_pools(recorded).await;
        for id in wanted.into_iter().filter(|_| answered) {
            let mut pool = self.known.pools[&id].clone();
            let endpoint = if pool["platform"] == "source" { "origin_endpoint_id" } else { "destination_endpoint_id" };
            let named = json!({endpoint: pool["endpoint_id"]});
            self.make_endpoints(&json!({"status": 200, "request_body": {"pool": named}})).await;
            pool["skip_allocation"] = (pool["status"] == "DEALLOCATED").into();
            let path = format!("/v1/{PROJECT}/minion_pools");
            let made = self.send_as("POST", &path, &json!({"minion_pool": pool}), "admin", None).await;
            if let Some(own) = made.body["minion_pool"]["id"].as_str() {
                self.ids.insert(id, own.to_owned());
            }
        }
    }

    /// Makes the endpoints that a recorded creation refers to, where what made them is not recorded.
    pub(super) async fn make_endpoints(&mut self, recorded: &Value) {
        let body = recorded["request_body"].as_object().into_iter().flat_map(|fields| fields.values());
        let Some(thing) = body.into_iter().next().filter(|_| recorded["status"] == 200) else { return };
        for (key, role) in [("origin_endpoint_id", Role::Source), ("destination_endpoint_id", Role::Destination)] {
            let Some(id) = thing[key].as_str().filter(|id| !self.ids.contains_key(*id)) else { continue };
            let (name, _) = self.platforms.iter().find(|(_, own)| *own == role).unwrap();
            let info = json!({"host": id, "username": "u", "password": "secret"});
            let body = json!({"endpoint": {"name": id, "type": name, "connection_info": info}});
            let of_demo = recorded["path"].as_str().is_some_and(|path| path.contains(DEMO));
            let (project, token) = if of_demo { (DEMO, "demo") } else { (PROJECT, "admin") };
            let made = self.send_as("POST", &format!("/v1/{project}/endpoints"), &body, token, None).await;
            if let Some(own) = made.body["endpoint"]["id"].as_str() {
                self.ids.insert(id.to_owned(), own.to_owned());
            }
        }
    }
}

/// The transfers that an answer shows, by their ids.
fn shown_transfers(recording: &Recording) -> Vec<(String, Value)> {
    let fields = recording.value["response_body"].as_object().into_iter().flatten();
    let things = fields.flat_map(|(_, value)| match value {
        Value::Array(things) => things.clone(),
        thing => vec![thing.clone()],
    });
    // A deployment has what its transfer had.
    let of = |thing: Value| {
        let id = match thing["type"].as_str()? {
            "transfer" | "replica" => &thing["id"],
            "deployment" => &thing["transfer_id"],
            _ => return None,
        };
        Some((id.as_str()?.to_owned(), thing))
    };
    things.filter_map(of).collect()
}

fn shown_pool(recording: &Recording) -> Option<(String, Value)> {
    let pool = &recording.value["response_body"]["minion_pool"];
    Some((pool["id"].as_str()?.to_owned(), pool.clone()))
}

/// An id that is to be unknown.
fn is_made_up(id: &str) -> bool {
    id.starts_with("11111111")
}
