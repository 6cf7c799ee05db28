//! What the legacy generation (up to 1.0.21) calls things.

use super::Vocabulary;

pub(super) const VOCABULARY: Vocabulary =
    Vocabulary { transfer: "replica", transfers: "replicas", deployment: "migration", deployments: "migrations" };
