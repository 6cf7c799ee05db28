//! Direct migrations: copying and deploying in one, which only legacy servers have. Everything else about them (list,
//! show, cancel, delete) is in [`super::deployments`].

use serde_json::{Map, Value, json};

use super::request::{Answer, Repeat, Request};
use super::transfers;
use crate::error::{Error, Result};
use crate::model::Generation;

/// Creates and starts a migration. Fields: those of a transfer, `skip_os_morphing`, `replication_count`,
/// `shutdown_instances`.
///
/// # Errors
/// `Script` on a current server, and when a field cannot be expressed.
pub fn create(generation: Generation, mut fields: Map<String, Value>) -> Result<Request> {
    if generation == Generation::Current {
        return Err(Error::script("a current server has no migrations from scratch, nor their `replication_count`")
            .hint(
                "use `transfer_create` with `scenario: \"live_migration\"`, then `transfer_sync` as often as the disks \
                 are to be copied, then `transfer_deploy`",
            ));
    }
    if let Some(scripts) = fields.get_mut("user_scripts") {
        transfers::plain_scripts(scripts)?;
    }
    Ok(Request::post("migrations", json!({ "migration": fields }), Answer::Thing("migration"), Repeat::Find))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_legacy_server_migrates_in_one() {
        let fields = Map::from_iter([("replication_count".to_owned(), json!(3))]);
        let body = json!({"migration": {"replication_count": 3}});
        assert_eq!(
            create(Generation::Legacy, fields.clone()).expect("can be said"),
            Request::post("migrations", body, Answer::Thing("migration"), Repeat::Find)
        );
        let error = create(Generation::Current, fields).expect_err("there is no such thing");
        assert!(error.hint.is_some_and(|hint| hint.contains("transfer_create")));
    }
}
