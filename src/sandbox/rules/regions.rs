//! Regions and the workers' services: global, in no project.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::model::Generation;
use crate::sandbox::world::{Cloud, Refusal, Region, Service};

const TOPIC: &str = "coriolis_worker";

impl Cloud {
    pub(in crate::sandbox) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter()
    }

    pub(in crate::sandbox) fn region(&self, id: &str) -> Result<&Region, Refusal> {
        let unknown = || Refusal::missing(format!("Region with ID '{id}' not found.")).classed("NotFound");
        self.regions.iter().find(|region| region.id == id).ok_or_else(unknown)
    }

    /// The endpoints (of all projects) and the services that are mapped to a region.
    pub(in crate::sandbox) fn mapped(&self, region: &str) -> (Vec<&str>, Vec<&str>) {
        let names = |regions: &Value| regions.as_array().is_some_and(|ids| ids.iter().any(|id| id == region));
        let endpoints = self.endpoints.iter().filter(|endpoint| names(&endpoint.mapped_regions));
        let services = self.services.iter().filter(|service| service.mapped_regions.iter().any(|id| id == region));
        (
            endpoints.map(|endpoint| endpoint.id.as_str()).collect(),
            services.map(|service| service.id.as_str()).collect(),
        )
    }

    pub(in crate::sandbox) fn create_region(
        &mut self,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Region, Refusal> {
        let name = required(body, "region", "name")?;
        let count = self.count("region", &name).to_string();
        self.regions.push(Region {
            id: self.draw(&["region", &name, &count]).uuid(),
            name,
            description: body.get("description").and_then(Value::as_str).unwrap_or_default().into(),
            enabled: body.get("enabled").and_then(Value::as_bool).unwrap_or(true),
            created: now,
            updated: None,
        });
        Ok(self.regions.last().expect("it was pushed"))
    }

    pub(in crate::sandbox) fn update_region(
        &mut self,
        id: &str,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Region, Refusal> {
        let unknown = || Refusal::missing(format!("Region with ID '{id}' does not exist.")).classed("NotFound");
        let region = self.regions.iter_mut().find(|region| region.id == id).ok_or_else(unknown)?;
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(String::from);
        if let Some(name) = text("name") {
            region.name = name;
        }
        if let Some(description) = text("description") {
            region.description = description;
        }
        region.enabled = body.get("enabled").and_then(Value::as_bool).unwrap_or(region.enabled);
        region.updated = Some(now);
        Ok(region)
    }

    /// Deletes a region, even one that is in use.
    pub(in crate::sandbox) fn delete_region(&mut self, id: &str) -> Result<(), Refusal> {
        let found = self.regions.iter().position(|region| region.id == id);
        let position = found.ok_or_else(|| Refusal::missing("0 region entries were soft deleted"))?;
        self.regions.remove(position);
        Ok(())
    }

    /// # Errors
    /// 404 for the first of these regions that does not exist.
    pub(super) fn regions_exist(&self, regions: &Value, what: &str, id: &str) -> Result<(), Refusal> {
        let known = |wanted: &&Value| !self.regions.iter().any(|region| **wanted == region.id);
        let Some(unknown) = regions.as_array().into_iter().flatten().find(known) else { return Ok(()) };
        Err(Refusal::missing(format!(
            "Could not find region with ID '{}' for associating with {what} '{id}' during update process.",
            unknown.as_str().unwrap_or_default()
        ))
        .classed("NotFound"))
    }

    /// Registers the worker that exists from the start: it serves every platform.
    pub(in crate::sandbox) fn register_worker(&mut self, host: &str, now: Timestamp) {
        // As recorded: the current server ran all its services in one process.
        let binary = if self.generation == Generation::Current { "coriolis-all" } else { "coriolis-worker" };
        self.services.push(Service {
            id: self.draw(&["worker"]).uuid(),
            host: host.into(),
            binary: binary.into(),
            topic: TOPIC.into(),
            enabled: true,
            mapped_regions: Vec::new(),
            created: now,
            updated: None,
        });
    }

    /// The host on which tasks run.
    pub(in crate::sandbox) fn host(&self) -> &str {
        self.hosts.first().map_or("", String::as_str)
    }

    pub(in crate::sandbox) fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter()
    }

    pub(in crate::sandbox) fn service(&self, id: &str) -> Result<&Service, Refusal> {
        let unknown = || Refusal::missing(format!("Service with ID '{id}' not found.")).classed("NotFound");
        self.services.iter().find(|service| service.id == id).ok_or_else(unknown)
    }

    /// # Errors
    /// 409 for one that is already registered, 500 for a host without a worker.
    pub(in crate::sandbox) fn create_service(
        &mut self,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Service, Refusal> {
        let [host, binary, topic] = [
            required(body, "service", "host")?,
            required(body, "service", "binary")?,
            required(body, "service", "topic")?,
        ];
        let same = |own: &&Service| own.host == host && own.binary == binary && own.topic == topic;
        if let Some(own) = self.services.iter().find(same) {
            return Err(Refusal::new(
                409,
                format!(
                    "A Service with the specified parameters (host {host}, binary {binary}, topic {topic}) has \
                     already been registered under ID: {}",
                    own.id
                ),
            )
            .classed("Conflict"));
        }
        if !self.hosts.contains(&host) {
            return Err(Refusal::internal());
        }
        let count = self.count("service", &binary).to_string();
        let id = self.draw(&["service", &host, &binary, &topic, &count]).uuid();
        let regions = body.get("mapped_regions").cloned().unwrap_or_else(|| json!([]));
        self.regions_exist(&regions, "serce", &id)?;
        let enabled = body.get("enabled").and_then(Value::as_bool).unwrap_or(true);
        let mapped_regions = ids(&regions);
        self.services.push(Service { id, host, binary, topic, enabled, mapped_regions, created: now, updated: None });
        Ok(self.services.last().expect("it was pushed"))
    }

    pub(in crate::sandbox) fn update_service(
        &mut self,
        id: &str,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Service, Refusal> {
        let found = self.services.iter().position(|service| service.id == id);
        let unknown = || Refusal::missing(format!("Service with ID '{id}' does not exist.")).classed("NotFound");
        let position = found.ok_or_else(unknown)?;
        if let Some(regions) = body.get("mapped_regions") {
            // The service's own spelling.
            self.regions_exist(regions, "serce", id)?;
            self.services[position].mapped_regions = ids(regions);
        }
        let service = &mut self.services[position];
        if let Some(enabled) = body.get("enabled").and_then(Value::as_bool).filter(|new| *new != service.enabled) {
            service.enabled = enabled;
            service.updated = Some(now);
        }
        Ok(&self.services[position])
    }

    pub(in crate::sandbox) fn delete_service(&mut self, id: &str) -> Result<(), Refusal> {
        let found = self.services.iter().position(|service| service.id == id);
        let position = found.ok_or_else(|| Refusal::missing("0 service entries were soft deleted"))?;
        self.services.remove(position);
        Ok(())
    }

    /// The diagnostics of every service of this installation.
    pub(in crate::sandbox) fn diagnostics(&self) -> Value {
        let legacy = ["conductor", "replica-cron", "minion-manager", "scheduler", "worker", "worker", "api"];
        let applications = legacy.iter().map(|name| match self.generation {
            Generation::Current => "coriolis-all".to_owned(),
            Generation::Legacy => format!("coriolis-{name}"),
        });
        let host = self.host();
        applications.map(|application| self.specs(&application, host)).collect::<Vec<_>>().into()
    }

    /// The machine that a service runs on.
    pub(in crate::sandbox) fn specs(&self, application: &str, host: &str) -> Value {
        let address = json!({"addr": "192.0.2.2", "netmask": "255.255.255.0", "broadcast": "192.0.2.255"});
        let address6 = json!({"addr": "fd00::2", "netmask": "ffff:ffff:ffff:ffff::/64"});
        let mut specs = json!({
            "application": application,
            "packages": ["alembic==1.14.1", "coriolis==1.2.7", "eventlet==0.36.1", "oslo.messaging==14.9.0"],
            "os_info": ["PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"", "NAME=\"Debian GNU/Linux\"", "ID=debian"],
            "hostname": host,
            "ip_addresses": [
                {"lo": {"ipv4": null, "ipv6": null}},
                {"eth0": {"ipv4": [address], "ipv6": [address6]}},
            ],
        });
        if self.generation == Generation::Current {
            specs["release_tag"] = "latest".into();
        }
        specs
    }
}

pub(super) fn required(body: &Map<String, Value>, noun: &str, key: &str) -> Result<String, Refusal> {
    let lacking = || Refusal::bad(format!("The {noun} creation body lacks a required attribute: \"{key}\""));
    body.get(key).and_then(Value::as_str).map(String::from).ok_or_else(lacking)
}

fn ids(regions: &Value) -> Vec<String> {
    regions.as_array().into_iter().flatten().filter_map(|id| id.as_str().map(String::from)).collect()
}
