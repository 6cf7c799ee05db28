//! The options that an endpoint's provider accepts in a source or destination environment, with the values it found.

use serde_json::Value;

use super::base64;
use super::request::{Answer, Request, segment};

/// The environment that the options belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Source,
    Destination,
    SourceMinionPool,
    DestinationMinionPool,
}

/// `names` limits the answer to these options: each may cost the provider a request to its cloud.
pub fn list(endpoint: &str, side: Side, environment: Option<&Value>, names: Option<&[String]>) -> Request {
    let (word, key) = match side {
        Side::Source => ("source-options", "source_options"),
        Side::Destination => ("destination-options", "destination_options"),
        Side::SourceMinionPool => ("source-minion-pool-options", "source_minion_pool_options"),
        Side::DestinationMinionPool => ("destination-minion-pool-options", "destination_minion_pool_options"),
    };
    Request::get(format!("endpoints/{}/{word}", segment(endpoint)), Answer::List(key))
        .with_some("env", environment.map(base64::of_json))
        .with_some("options", names.map(|names| base64::of_json(&Value::from(names))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_names_travel_as_a_base64_list() {
        assert_eq!(
            list("E", Side::Source, None, None),
            Request::get("endpoints/E/source-options", Answer::List("source_options"))
        );
        assert_eq!(
            list("E", Side::SourceMinionPool, None, None),
            Request::get("endpoints/E/source-minion-pool-options", Answer::List("source_minion_pool_options"))
        );
        let names = ["image".to_owned()];
        assert_eq!(
            list("E", Side::Destination, Some(&json!({})), Some(&names)),
            Request::get("endpoints/E/destination-options", Answer::List("destination_options"))
                .with("env", "e30=")
                .with("options", "WyJpbWFnZSJd")
        );
    }
}
