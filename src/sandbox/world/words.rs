//! The words of one generation, for its messages.

/// The words of one generation, for its messages.
pub(in crate::sandbox) struct Words {
    pub transfer: &'static str,
    pub deployment: &'static str,
    pub deployed: &'static str,
    pub replicated: &'static str,
    pub deployment_noun: &'static str,
}

pub(in crate::sandbox) const CURRENT: Words = Words {
    transfer: "Transfer",
    deployment: "Deployment",
    deployed: "deployed",
    replicated: "transferred",
    deployment_noun: "deployment",
};
pub(in crate::sandbox) const LEGACY: Words = Words {
    transfer: "Replica",
    deployment: "Migration",
    deployed: "migrated",
    replicated: "replicated",
    deployment_noun: "migration",
};
