//! Endpoints: the clouds that machines are moved between.

use jiff::Timestamp;
use serde_json::Value;

/// Passwords that let nobody in.
pub(in crate::sandbox) const TELLING: [&str; 3] = ["wrong", "bad", "crash"];

#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Endpoint {
    pub id: String,
    pub project: String,
    pub user: String,
    pub name: String,
    pub platform: String,
    pub description: Option<String>,
    pub connection_info: Value,
    pub mapped_regions: Value,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
}

/// An unchecked request for an endpoint.
pub(in crate::sandbox) struct EndpointDraft {
    pub name: String,
    pub platform: String,
    pub description: Option<String>,
    pub connection_info: Value,
    pub mapped_regions: Value,
}
