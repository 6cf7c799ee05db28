//! The events as JSON, one per line: for programs that follow a run.
use crate::event::Event;

/// One event as a line without its line break.
pub fn line(event: &Event) -> String {
    serde_json::to_string(event).expect("events are plain data")
}
