//! Requests that the recordings in the repository leave out but later ones need.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::replay::Recording;

/// A request that is not among the recordings, though later ones need what it made.
pub(super) struct Fill {
    pub before: u32,
    pub value: Value,
}

/// Those that these recordings do not hold themselves.
pub(super) fn fills(folder: &Path, recordings: &[Recording]) -> Vec<Fill> {
    let values: Vec<Value> = serde_json::from_slice(&fs::read(folder.join("fills.json")).unwrap()).unwrap();
    let fills = values.into_iter().map(|value| Fill { before: value["before"].as_u64().unwrap() as u32, value });
    fills.filter(|fill| !fill.is_recorded(recordings)).collect()
}

impl Fill {
    /// Whether these recordings hold the request itself: with the id of what it made, or just before it is needed.
    fn is_recorded(&self, recordings: &[Recording]) -> bool {
        let text = |key: &str| self.value[key].as_str().unwrap_or_default();
        let same = |recording: &&Recording| {
            let path = recording.value["path"].as_str().unwrap_or_default();
            let same_body = recording.value["request_body"] == self.value["body"];
            recording.value["method"] == text("method")
                && path.ends_with(text("path"))
                && (same_body || !text("id").is_empty())
        };
        let made = |recording: &Recording| {
            let things = recording.value["response_body"].as_object().into_iter().flat_map(|fields| fields.values());
            things.into_iter().any(|thing| thing["id"] == text("id"))
        };
        let mut earlier = recordings.iter().filter(|recording| recording.number < self.before).filter(same);
        match text("method") {
            "GET" => false,
            _ if text("id").is_empty() => earlier.any(|recording| recording.number + 8 >= self.before),
            _ => earlier.any(made),
        }
    }
}
