//! Regions and the workers' services: global, in no project.

use jiff::Timestamp;

#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Region {
    pub id: String,
    pub name: String,
    pub description: String,
    pub enabled: bool,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
}

/// A registered worker: it carries out the work of providers.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Service {
    pub id: String,
    pub host: String,
    pub binary: String,
    pub topic: String,
    pub enabled: bool,
    pub mapped_regions: Vec<String>,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
}
