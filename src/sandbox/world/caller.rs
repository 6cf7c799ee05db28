//! The one who asks.

use serde::{Deserialize, Serialize};

/// Who asks, and for which project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Caller {
    pub project: String,
    pub user: String,
    /// Whether the token may be delegated: one of an application credential may not.
    pub delegates: bool,
}
