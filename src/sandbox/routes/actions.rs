//! Actions on objects: exactly one key in the body.

use serde_json::Value;

use super::call::{Answer, Call};
use crate::sandbox::world::Refusal;

impl Call<'_> {
    pub(super) fn endpoint_action(&self, id: &str) -> Result<Answer, Refusal> {
        match self.incoming.action()?.0.as_str() {
            "validate-connection" => {
                let validation = self.cloud.validate_connection(&self.caller, id)?;
                let body = serde_json::json!({"valid": validation.valid, "message": validation.message});
                Ok(Answer::of("validate-connection", body))
            }
            other => Err(unknown(other)),
        }
    }

    /// True if a cancel is forced.
    pub(super) fn cancel_wish(&self) -> Result<bool, Refusal> {
        match self.incoming.action()? {
            (action, argument) if action == "cancel" => {
                Ok(argument.get("force").and_then(Value::as_bool).unwrap_or(false))
            }
            (other, _) => Err(unknown(&other)),
        }
    }
}

pub(super) fn unknown(action: &str) -> Refusal {
    Refusal::bad(format!("There is no such action: {action}"))
}
