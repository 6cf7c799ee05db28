//! What the current generation (1.1.0 and later) calls things.

use super::Vocabulary;

pub(super) const VOCABULARY: Vocabulary =
    Vocabulary { transfer: "transfer", transfers: "transfers", deployment: "deployment", deployments: "deployments" };
