//! Endpoints, the objects listed through them, and the providers behind them.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value, json};

use super::call::{Answer, Call};
use crate::model::Generation;
use crate::sandbox::rules::Offer;
use crate::sandbox::view::EndpointView;
use crate::sandbox::world::EndpointDraft;
use crate::sandbox::world::Refusal;

const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Call<'_> {
    pub(super) fn endpoints(&mut self, segments: &[&str]) -> Result<Answer, Refusal> {
        match (self.incoming.method.as_str(), segments) {
            ("GET", []) => {
                let endpoints: Vec<_> = self.cloud.endpoints(&self.caller).map(EndpointView).collect();
                Ok(Answer::of("endpoints", endpoints))
            }
            ("POST", []) => {
                let draft = draft(&self.incoming.wrapped("endpoint", "creation")?)?;
                let endpoint = self.cloud.create_endpoint(&self.caller, draft, self.now)?;
                Ok(Answer::of("endpoint", EndpointView(endpoint)))
            }
            (_, ["new" | "detail"]) => Err(Refusal::no_method()),
            ("GET", [id]) => Ok(Answer::of("endpoint", EndpointView(self.cloud.endpoint(&self.caller, id)?))),
            ("PUT", [id]) => {
                let changes = self.incoming.wrapped("endpoint", "update")?;
                let endpoint = self.cloud.update_endpoint(&self.caller, id, &changes, self.now)?;
                Ok(Answer::of("endpoint", EndpointView(endpoint)))
            }
            ("DELETE", [id]) => self.cloud.delete_endpoint(&self.caller, id).map(|()| Answer::none()),
            ("POST", [id, "actions"]) => self.endpoint_action(id),
            ("GET", [id, resource @ ..]) => self.resource(id, resource),
            _ => Err(Refusal::no_method()),
        }
    }

    fn resource(&self, id: &str, resource: &[&str]) -> Result<Answer, Refusal> {
        let (cloud, caller) = (&self.cloud, &self.caller);
        let environment = self.decoded("env")?.unwrap_or_default();
        match resource {
            ["instances"] => {
                let limit = self.limit()?;
                let (marker, name) = (self.incoming.value("marker"), self.incoming.value("name"));
                Ok(Answer::of("instances", cloud.instances(caller, id, marker, limit, name)?))
            }
            ["instances", encoded] => {
                let padding = || Refusal::input("Incorrect padding");
                let name = URL_SAFE.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                Ok(Answer::of("instance", cloud.instance(caller, id, &name.ok_or_else(padding)?)?))
            }
            ["networks"] => Ok(Answer::of("networks", cloud.networks(caller, id, &environment)?)),
            ["storage"] => Ok(Answer::of("storage", cloud.storage(caller, id)?)),
            ["source-options"] => self.offered(id, Offer::Source, "source_options"),
            ["destination-options"] => self.offered(id, Offer::Destination, "destination_options"),
            ["source-minion-pool-options"] => self.offered(id, Offer::SourcePool, "source_minion_pool_options"),
            ["destination-minion-pool-options"] => {
                self.offered(id, Offer::DestinationPool, "destination_minion_pool_options")
            }
            // The same text either way, as JSON in quotes.
            ["inventory"] => {
                let text = cloud.inventory(caller, id)?;
                match self.incoming.accept.as_deref() {
                    Some(accept) if accept.contains("csv") => {
                        Ok(Answer { routed: true, ..Answer::new(200, "text/csv", text) })
                    }
                    _ => Ok(Answer { routed: true, ..Answer::json(200, &text) }),
                }
            }
            _ => Err(Refusal::no_method()),
        }
    }

    fn offered(&self, id: &str, offer: Offer, name: &str) -> Result<Answer, Refusal> {
        Ok(Answer::of(name, self.cloud.options(&self.caller, id, offer, self.names()?.as_deref())?))
    }

    pub(super) fn limit(&self) -> Result<Option<i64>, Refusal> {
        let Some(limit) = self.incoming.value("limit") else { return Ok(None) };
        limit.parse().map(Some).map_err(|_| Refusal::bad(format!("Invalid integer: {limit}")))
    }

    fn names(&self) -> Result<Option<Vec<String>>, Refusal> {
        let names = self.decoded("options")?;
        Ok(names.map(|names| {
            names.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(String::from)).collect()
        }))
    }

    /// A query parameter that holds JSON in URL-safe base64.
    fn decoded(&self, key: &str) -> Result<Option<Value>, Refusal> {
        let Some(encoded) = self.incoming.value(key) else { return Ok(None) };
        // Characters outside the alphabet are skipped, as in Python's decoder.
        let encoded: String =
            encoded.chars().filter(|letter| letter.is_ascii_alphanumeric() || "-_=".contains(*letter)).collect();
        // A legacy server needs the padding, a current one adds it.
        let padded = self.cloud.generation == Generation::Current || encoded.len().is_multiple_of(4);
        let bytes = URL_SAFE.decode(encoded).ok().filter(|_| padded);
        let bytes = bytes.ok_or_else(|| Refusal::input("Incorrect padding"))?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| Refusal::input("Expecting value: line 1 column 1 (char 0)"))
    }

    pub(super) fn providers(&self, segments: &[&str]) -> Result<Answer, Refusal> {
        match (self.incoming.method.as_str(), segments) {
            ("GET", []) => Ok(Answer::of("providers", self.cloud.providers())),
            ("GET", [platform, "schemas", number]) => {
                let number: u32 = number.parse().map_err(|_| Refusal::internal())?;
                Ok(Answer::of("schemas", self.cloud.schemas(platform, number)?))
            }
            _ => Err(Refusal::no_method()),
        }
    }
}

/// # Errors
/// 400 for a missing field; 500 for a name that the service cannot store.
fn draft(body: &Map<String, Value>) -> Result<EndpointDraft, Refusal> {
    let required = |key: &str| {
        body.get(key)
            .ok_or_else(|| Refusal::bad(format!("The endpoint creation body lacks a required attribute: \"{key}\"")))
    };
    let (name, platform, connection_info) = (required("name")?, required("type")?, required("connection_info")?);
    let name = name.as_str().filter(|name| name.len() <= 255).ok_or_else(Refusal::internal)?;
    Ok(EndpointDraft {
        name: name.into(),
        platform: platform.as_str().ok_or_else(Refusal::internal)?.into(),
        description: body.get("description").and_then(Value::as_str).map(String::from),
        connection_info: connection_info.clone(),
        mapped_regions: body.get("mapped_regions").filter(|regions| regions.is_array()).cloned().unwrap_or(json!([])),
    })
}
