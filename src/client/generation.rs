//! The two generations of the API: how a server shows which one it is, and the names that each uses.

use serde_json::{Map, Value};

use super::request::{Answer, Request};
use crate::error::{Error, Kind, Result};
use crate::model::Generation;

/// The words of one generation in paths, wrappers and fields.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    pub transfers: &'static str,
    pub transfer: &'static str,
    pub deployments: &'static str,
    pub deployment: &'static str,
    /// The field by which other objects refer to a transfer.
    pub transfer_id: &'static str,
}

const LEGACY: Names = Names {
    transfers: "replicas",
    transfer: "replica",
    deployments: "migrations",
    deployment: "migration",
    transfer_id: "replica_id",
};

const CURRENT: Names = Names {
    transfers: "transfers",
    transfer: "transfer",
    deployments: "deployments",
    deployment: "deployment",
    transfer_id: "transfer_id",
};

impl Names {
    pub fn of(generation: Generation) -> &'static Names {
        match generation {
            Generation::Legacy => &LEGACY,
            Generation::Current => &CURRENT,
        }
    }

    /// Renames the field that refers to a transfer to this generation's name.
    pub(super) fn refer(&self, fields: &mut Map<String, Value>) {
        for other in [LEGACY.transfer_id, CURRENT.transfer_id] {
            if other != self.transfer_id
                && let Some(value) = fields.remove(other)
            {
                fields.entry(self.transfer_id).or_insert(value);
            }
        }
    }
}

/// The number of rounds of probes before a server counts as neither: an answer may have been damaged on its way.
pub(super) const ROUNDS: u32 = 3;

/// The requests to ask in turn: for an object that cannot exist, so that the answer costs neither the database nor a
/// worker.
pub(super) fn probes() -> [(Generation, Request); 2] {
    [Generation::Current, Generation::Legacy]
        .map(|generation| (generation, Request::get(format!("{}/new", Names::of(generation).transfers), Answer::Whole)))
}

/// Reads the answer to a probe: `true` if the server speaks this generation, `false` if its router does not know the
/// path.
///
/// # Errors
/// Any other failure: it says nothing about the generation.
pub(super) fn speaks(answer: Result<Value>) -> Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.kind == Kind::NotFound => Ok(true),
        Err(error) if error.status() == Some(404) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The error for a server that knows the paths of neither generation.
pub(super) fn neither(url: &str) -> Error {
    Error::new(Kind::Unreachable, format!("`{url}` is not a Coriolis API: it has neither `transfers` nor `replicas`"))
        .hint("check the URL of the `migration` service in the catalog, or `--endpoint`")
        .detail("url", url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_gets_the_generations_own_name() {
        for (generation, expected) in
            [(Generation::Legacy, json!({"replica_id": "T"})), (Generation::Current, json!({"transfer_id": "T"}))]
        {
            for given in ["replica_id", "transfer_id"] {
                let mut fields = Map::from_iter([(given.to_owned(), json!("T"))]);
                Names::of(generation).refer(&mut fields);
                assert_eq!(Value::Object(fields), expected, "{given}");
            }
        }
    }

    #[test]
    fn only_the_two_kinds_of_404_tell_the_generation() {
        let routed = Error::new(Kind::NotFound, "").detail("status", 404);
        let unrouted = Error::new(Kind::Unreachable, "").detail("status", 404);
        assert_eq!(speaks(Err(routed)).ok(), Some(true));
        assert_eq!(speaks(Err(unrouted)).ok(), Some(false));
        assert!(speaks(Err(Error::new(Kind::Login, "").detail("status", 401))).is_err());
        assert!(speaks(Err(Error::new(Kind::Unreachable, ""))).is_err());
    }
}
