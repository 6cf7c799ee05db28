//! Endpoints and the operations on them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::providers::Needs;
use crate::sandbox::world::scenario::{self, Role};
use crate::sandbox::world::{Caller, Cloud, Endpoint, EndpointDraft, Machine, Refusal, Service, Site};

pub(in crate::sandbox) struct Validation {
    pub valid: bool,
    pub message: Option<String>,
}

impl Cloud {
    pub(in crate::sandbox) fn furnish(&mut self, endpoints: &[scenario::Endpoint], caller: &Caller, now: Timestamp) {
        for endpoint in endpoints {
            let draft = EndpointDraft {
                name: endpoint.name.clone(),
                platform: endpoint.platform.clone(),
                description: endpoint.description.clone(),
                connection_info: endpoint.connection_info.clone(),
                mapped_regions: json!([]),
            };
            self.create_endpoint(caller, draft, now).expect("it is in no region");
        }
    }

    pub(in crate::sandbox) fn create_endpoint(
        &mut self,
        caller: &Caller,
        draft: EndpointDraft,
        now: Timestamp,
    ) -> Result<&Endpoint, Refusal> {
        let count = self.count("endpoint", &draft.name);
        let id = self.draw(&["endpoint", &draft.name, &count.to_string()]).uuid();
        self.regions_exist(&draft.mapped_regions, "endpoint", &id)?;
        self.endpoints.push(Endpoint {
            id,
            project: caller.project.clone(),
            user: caller.user.clone(),
            name: draft.name,
            platform: draft.platform,
            description: draft.description,
            connection_info: draft.connection_info,
            mapped_regions: draft.mapped_regions,
            created: now,
            updated: None,
        });
        self.note_site(self.endpoints.len() - 1);
        Ok(self.endpoints.last().expect("it was pushed"))
    }

    pub(in crate::sandbox) fn endpoints<'cloud>(
        &'cloud self,
        caller: &'cloud Caller,
    ) -> impl Iterator<Item = &'cloud Endpoint> {
        self.endpoints.iter().filter(|endpoint| endpoint.project == caller.project)
    }

    pub(in crate::sandbox) fn endpoint(&self, caller: &Caller, id: &str) -> Result<&Endpoint, Refusal> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.project == caller.project && endpoint.id == id)
            .ok_or_else(|| Refusal::missing(format!("Endpoint with ID '{id}' not found.")).classed("NotFound"))
    }

    pub(in crate::sandbox) fn update_endpoint(
        &mut self,
        caller: &Caller,
        id: &str,
        changes: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<&Endpoint, Refusal> {
        let found = self.endpoints.iter().position(|endpoint| endpoint.project == caller.project && endpoint.id == id);
        let Some(position) = found else {
            return Err(Refusal::missing(format!("Endpoint with ID '{id}' found")).classed("NotFound"));
        };
        self.regions_exist(changes.get("mapped_regions").unwrap_or(&Value::Null), "endpoint", id)?;
        let endpoint = &mut self.endpoints[position];
        if let Some(name) = changes.get("name").and_then(Value::as_str) {
            endpoint.name = name.into();
        }
        if let Some(description) = changes.get("description") {
            endpoint.description = description.as_str().map(String::from);
        }
        if let Some(connection_info) = changes.get("connection_info") {
            endpoint.connection_info = connection_info.clone();
        }
        if let Some(regions) = changes.get("mapped_regions") {
            endpoint.mapped_regions = regions.clone();
        }
        endpoint.updated = Some(now);
        self.note_site(position);
        Ok(&self.endpoints[position])
    }

    /// Remembers where an endpoint leads to: its machines outlive it.
    fn note_site(&mut self, position: usize) {
        let endpoint = &self.endpoints[position];
        let connection = self.connection(endpoint).unwrap_or_default();
        let host = connection.get("host").and_then(Value::as_str).map(str::to_lowercase);
        let site = Site { place: host.unwrap_or_else(|| endpoint.id.clone()), endpoint: endpoint.name.clone() };
        self.sites.insert(endpoint.id.clone(), site);
    }

    pub(in crate::sandbox) fn delete_endpoint(&mut self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let uses = self
            .transfers
            .iter()
            .filter(|transfer| transfer.action.deleted.is_none())
            .map(|transfer| usize::from(transfer.action.origin == id) + usize::from(transfer.action.destination == id))
            .sum::<usize>();
        let found = self.endpoints.iter().position(|endpoint| endpoint.project == caller.project && endpoint.id == id);
        let Some(position) = found else { return Err(Refusal::missing("0 Endpoint entries were soft deleted")) };
        if uses > 0 {
            let noun = self.words().transfer.to_lowercase();
            return Err(Refusal::new(403, format!("{uses} {noun}s would be orphaned!")));
        }
        self.endpoints.remove(position);
        Ok(())
    }

    pub(in crate::sandbox) fn validate_connection(&self, caller: &Caller, id: &str) -> Result<Validation, Refusal> {
        let endpoint = self.endpoint(caller, id).map_err(|refusal| Refusal { class: None, ..refusal })?;
        self.capable(endpoint, Needs::Connection)?;
        let connection = self.connection(endpoint)?;
        let info = |name: &str| connection.get(name).and_then(Value::as_str).unwrap_or_default();
        let host = info("host");
        let invalid = |message: String| Validation { valid: false, message: Some(message) };
        Ok(match info("password") {
            "wrong" | "bad" => invalid(format!("Invalid credentials for host '{host}'")),
            "crash" => invalid(crashed()),
            _ if host == "boom" => invalid(crashed()),
            _ => Validation { valid: true, message: None },
        })
    }

    /// The connection of an endpoint, even if it is kept as a secret.
    ///
    /// # Errors
    /// 500 for a secret that cannot be read.
    fn connection(&self, endpoint: &Endpoint) -> Result<Value, Refusal> {
        match endpoint.connection_info.get("secret_ref").and_then(Value::as_str) {
            None => Ok(endpoint.connection_info.clone()),
            Some(reference) => self.secrets.resolved(&endpoint.project, reference).ok_or_else(Refusal::internal),
        }
    }

    /// The machines that an endpoint lists after the marker and whose name matches.
    pub(in crate::sandbox) fn instances(
        &self,
        caller: &Caller,
        id: &str,
        marker: Option<&str>,
        limit: Option<i64>,
        name: Option<&str>,
    ) -> Result<Vec<Value>, Refusal> {
        let endpoint = self.endpoint(caller, id)?;
        self.capable(endpoint, Needs::Instances)?;
        let matches = name_filter(name);
        let mut machines: Box<dyn Iterator<Item = &Machine>> =
            Box::new(self.machines.iter().filter(|machine| matches(&machine.name)));
        if let Some(marker) = marker {
            let Some(last) = self.machines.iter().position(|machine| machine.id == marker) else {
                return Err(Refusal::bad(format!("Unknown marker '{marker}'")));
            };
            machines = Box::new(self.machines[last + 1..].iter().filter(|machine| matches(&machine.name)));
        }
        let limit = limit.filter(|limit| *limit > 0).map_or(usize::MAX, |limit| limit as usize);
        Ok(machines.take(limit).map(Machine::summary).collect())
    }

    /// One machine by its name or id.
    pub(in crate::sandbox) fn instance(&self, caller: &Caller, id: &str, wanted: &str) -> Result<Value, Refusal> {
        let endpoint = self.endpoint(caller, id)?;
        self.capable(endpoint, Needs::Instances)?;
        self.machine(wanted)
            .or_else(|| self.machines.iter().find(|machine| machine.id == wanted))
            .map(Machine::details)
            .ok_or_else(|| {
                Refusal::missing(format!("Instance \"{wanted}\" could not be found.")).classed("InstanceNotFound")
            })
    }

    /// All machines as CSV.
    pub(in crate::sandbox) fn inventory(&self, caller: &Caller, id: &str) -> Result<String, Refusal> {
        self.capable(self.endpoint(caller, id)?, Needs::Inventory)?;
        let head = "VM ID,VM Name,Guest OS,Firmware,Num CPUs,Memory (MB),Disks,NICs\r\n".to_owned();
        Ok(std::iter::once(head).chain(self.machines.iter().map(Machine::row)).collect())
    }

    /// All networks, or those of the availability zone in an environment.
    pub(in crate::sandbox) fn networks(
        &self,
        caller: &Caller,
        id: &str,
        environment: &Value,
    ) -> Result<Value, Refusal> {
        self.capable(self.endpoint(caller, id)?, Needs::Networks)?;
        if environment.get("availability_zone").is_some() {
            return Ok(json!([{"id": "dst-net-1", "name": "public"}]));
        }
        Ok(json!([
            {"id": "dst-net-1", "name": "public"},
            {"id": "dst-net-2", "name": "private"},
            {"id": "dst-net-3", "name": "dmz", "cidr": "10.9.0.0/16"},
            {"id": "dst-net-4", "name": "backup"},
        ]))
    }

    pub(in crate::sandbox) fn storage(&self, caller: &Caller, id: &str) -> Result<Value, Refusal> {
        self.capable(self.endpoint(caller, id)?, Needs::Storage)?;
        Ok(json!({
            "storage_backends": [
                {"id": "ssd", "name": "ssd"},
                {"id": "hdd", "name": "hdd", "additional_provider_properties": {"tier": 3}},
            ],
            "config_default": "ssd",
        }))
    }

    /// # Errors
    /// 503 if no worker's provider can do it: the wrong side, or an unknown platform.
    pub(super) fn capable(&self, endpoint: &Endpoint, needs: Needs) -> Result<(), Refusal> {
        let (name, number) = (&endpoint.platform, needs as u32);
        let mapped = endpoint.mapped_regions.as_array().into_iter().flatten().filter_map(Value::as_str);
        // A deleted region takes its mappings along.
        let wanted: Vec<&str> = mapped.filter(|id| self.region(id).is_ok()).collect();
        let regions: Vec<String> = wanted.iter().map(|id| format!("'{id}'")).collect();
        let usable = |id: &&str| self.region(id).is_ok_and(|region| region.enabled);
        if !wanted.is_empty() && !wanted.iter().any(usable) {
            let regions = regions.join(", ");
            let message = format!("None of the selected Regions ([{regions}]) are enabled or otherwise usable.");
            return Err(Refusal::new(503, message).classed("NoSuitableRegionError"));
        }
        let platform = self.platforms.iter().find(|platform| platform.name == *name);
        let provided = platform.is_some_and(|platform| platform.role.types().contains(&number));
        let near = |service: &Service| {
            wanted.is_empty() || service.mapped_regions.iter().any(|region| wanted.contains(&region.as_str()))
        };
        if provided && self.services().any(|service| service.enabled && near(service)) {
            return self.connection(endpoint).map(|_| ());
        }
        let workers: Vec<String> = self.services().map(|service| format!("'{}'", service.id)).collect();
        let workers = workers.join(", ");
        let regions = match regions.is_empty() {
            true => String::new(),
            false => format!("<RegionsFilter(regions=[{}], any_region=True)>, ", regions.join(", ")),
        };
        Err(Refusal::new(
            503,
            format!(
                "None of the inspected Coriolis Worker services (IDs [{workers}]) matched the requested filtering \
                 criteria (minimum score 1) for the following required filters: [<EnabledFilter(enabled=True)>, \
                 {regions}<ProviderTypesFilter(provider_requirements={{'{name}': [{number}]}})>]"
            ),
        )
        .classed("NoSuitableWorkerServiceError"))
    }

    /// The platform behind an endpoint, if it may play this role in a transfer.
    pub(super) fn platform_for(&self, endpoint: &Endpoint, role: Role) -> Result<&scenario::Platform, Refusal> {
        let number = if role == Role::Source { 8 } else { 64 };
        self.platforms
            .iter()
            .find(|platform| platform.name == endpoint.platform && platform.role == role)
            .ok_or_else(|| Refusal::input(format!("Provider not found for: {}, {number}", endpoint.platform)))
    }
}

fn crashed() -> String {
    // The service's own spelling.
    "An unexpected connection validation exception ocurred: unexpected provider crash".into()
}

/// A pattern is a regular expression; one that does not parse is taken literally.
fn name_filter(pattern: Option<&str>) -> Box<dyn Fn(&str) -> bool + '_> {
    match pattern {
        None | Some("") => Box::new(|_| true),
        Some(pattern) => match regex::Regex::new(pattern) {
            Ok(regex) => Box::new(move |name| regex.is_match(name)),
            Err(_) => Box::new(move |name| name.contains(pattern)),
        },
    }
}
