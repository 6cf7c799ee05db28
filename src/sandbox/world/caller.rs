//! The caller of a request.

use serde::{Deserialize, Serialize};

/// The caller of a request, and its project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Caller {
    pub project: String,
    pub user: String,
    /// True if the token may be delegated: not one of an application credential.
    pub delegates: bool,
}
