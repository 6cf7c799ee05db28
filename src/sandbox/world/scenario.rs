//! The initial content of a sandbox: users, projects, endpoints, platforms and machines.

use serde_json::{Value, json};

use super::machine::Machine;

/// The initial content of a sandbox.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub user: String,
    /// `None`: drawn from the seed.
    pub password: Option<String>,
    /// The source of Keystone's passwords and tokens in place of the seed, which anybody may guess.
    pub own: Option<u64>,
    /// The endpoints belong to the first; the user may enter all of them.
    pub projects: Vec<String>,
    pub region: String,
    /// True for a Keystone so old that it serves only v2.0.
    pub keystone_v2: bool,
    /// The host that the worker runs on.
    pub worker: String,
    pub platforms: Vec<Platform>,
    pub endpoints: Vec<Endpoint>,
    pub machines: Vec<Source>,
}

/// A provider, named by an endpoint's `type`.
#[derive(Clone, Debug)]
pub struct Platform {
    pub name: String,
    pub role: Role,
    /// The settings that its environments may hold; `None`: anything.
    pub environment: Option<Vec<Setting>>,
}

/// One key of an environment.
#[derive(Clone, Debug)]
pub struct Setting {
    pub name: String,
    /// The allowed values; empty for any.
    pub values: Vec<String>,
}

impl Setting {
    pub fn free(name: &str) -> Self {
        Self { name: name.into(), values: Vec::new() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Source,
    Destination,
}

/// An endpoint that exists from the start.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub name: String,
    pub platform: String,
    pub description: Option<String>,
    pub connection_info: Value,
}

/// A machine: by its name, with its size drawn from the seed, or in full.
#[derive(Clone, Debug)]
pub enum Source {
    Named(String),
    Made(Machine),
}

impl Default for Scenario {
    /// 60 machines on `vcenter`, and `openstack` to take them.
    fn default() -> Self {
        Self::of(default_names())
    }
}

impl Scenario {
    /// The two default endpoints, and machines with these names.
    pub fn of<Name: Into<String>>(names: impl IntoIterator<Item = Name>) -> Self {
        Self {
            endpoints: vec![
                Endpoint {
                    name: "vcenter".into(),
                    platform: "vmware_vsphere".into(),
                    description: Some("the data centre to leave".into()),
                    connection_info: json!({
                        "host": "vcenter.sandbox.example",
                        "port": 443,
                        "username": "migration@vsphere.local",
                        "password": "sandbox-vcenter-password",
                        "allow_untrusted": false,
                    }),
                },
                Endpoint {
                    name: "openstack".into(),
                    platform: "openstack".into(),
                    description: Some("the cloud to move to".into()),
                    connection_info: json!({
                        "identity_api_version": 3,
                        "auth_url": "https://openstack.sandbox.example:5000/v3",
                        "username": "migration",
                        "password": "sandbox-openstack-password",
                        "project_name": "migrated",
                        "user_domain_name": "Default",
                        "project_domain_name": "Default",
                    }),
                },
            ],
            machines: names.into_iter().map(|name| Source::Named(name.into())).collect(),
            ..Self::empty()
        }
    }

    /// No endpoints, no machines.
    pub fn empty() -> Self {
        let platform = |role| move |name: &&str| Platform { name: (*name).into(), role, environment: None };
        let sources = ["vmware_vsphere", "hyper-v", "aws", "azure"];
        let destinations = ["openstack", "kubevirt", "lxd"];
        Self {
            user: "admin".into(),
            password: None,
            projects: vec!["demo".into(), "other".into()],
            region: "RegionOne".into(),
            own: None,
            keystone_v2: false,
            worker: "worker-01".into(),
            platforms: sources
                .iter()
                .map(platform(Role::Source))
                .chain(destinations.iter().map(platform(Role::Destination)))
                .collect(),
            endpoints: Vec::new(),
            machines: Vec::new(),
        }
    }

    /// Adds machines of these names.
    pub fn with_machines<Name: Into<String>>(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.machines.extend(names.into_iter().map(|name| Source::Named(name.into())));
        self
    }
}

/// 60 names of a mid-sized company; four of them carry a fault.
fn default_names() -> Vec<String> {
    let families: [(&str, usize); 15] = [
        ("web", 12),
        ("app", 12),
        ("db", 8),
        ("cache", 4),
        ("queue", 3),
        ("mail", 2),
        ("ad", 2),
        ("files", 2),
        ("sql", 2),
        ("ci", 2),
        ("monitor", 2),
        ("proxy", 2),
        ("erp", 1),
        ("wiki", 1),
        ("git", 1),
    ];
    let plain = families.iter().flat_map(|(family, count)| (1..=*count).map(move |n| format!("{family}-{n:02}")));
    let faulty = ["fail-once-mail-01", "fail-always-legacy-01", "slow-archive-01", "slow-files-01"];
    plain.chain(faulty.map(String::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_scenario_holds_60_machines_of_different_names() {
        let mut names = default_names();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 60);
    }
}
