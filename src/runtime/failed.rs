//! The failure of a closure that is followed by another one: on record before that begins, so that a resumed run goes on
//! with it.

use rhai::{EvalAltResult, Map as ScriptMap};
use serde_json::json;

use crate::error::{Error, Result};
use crate::journal::record::SavedError;
use crate::language::error::{Fault, SOURCE_OFF, locate};
use crate::runtime::call::Call;
use crate::runtime::saved;

/// The failure of a closure.
pub struct Failed {
    pub error: Error,
    /// The function that failed, as the script names it; empty if the script itself threw.
    pub step: String,
    /// The error in the engine's form; `None` after a resume.
    thrown: Option<Box<EvalAltResult>>,
}

impl Failed {
    /// The failure that an earlier process has recorded.
    ///
    /// # Errors
    /// The record is damaged.
    pub fn before(call: &Call<'_>) -> Result<Option<Self>> {
        let Some(recorded) = call.next_decision() else { return Ok(None) };
        let damaged = || Error::internal("the record of a failure is damaged");
        let error: SavedError = serde_json::from_value(recorded["error"].clone()).map_err(|_| damaged())?;
        call.decide(|_| Err(damaged()))?;
        call.lane.skip_to(recorded["last"].as_u64().ok_or_else(damaged)?);
        let step = recorded["step"].as_str().unwrap_or_default().to_owned();
        Ok(Some(Self { error: error.into(), step, thrown: None }))
    }

    /// Records a failure.
    ///
    /// # Errors
    /// The error itself if the closure has not ended: an interruption, an unknown change, a gate without an answer.
    pub fn now(call: &Call<'_>, thrown: Box<EvalAltResult>) -> Result<Self, Fault> {
        let error = locate(&thrown).error;
        let Some(saved) = saved::saved_error(call.host, &error) else { return Err(thrown.into()) };
        let step = call.lane.failed().unwrap_or_default();
        call.decide(|call| Ok(json!({ "error": saved, "step": step, "last": call.lane.last_call() })))?;
        Ok(Self { error, step, thrown: Some(thrown) })
    }

    /// The failure of the closure, with the state of its source after the rollback.
    pub fn into_fault(self, rolled_back: bool, off: bool) -> Fault {
        let with = |map: &mut ScriptMap| {
            map.insert("rolled_back".into(), rolled_back.into());
            map.insert(SOURCE_OFF.into(), off.into());
        };
        match self.thrown {
            Some(mut thrown) => {
                if let EvalAltResult::ErrorRuntime(value, _) = innermost(&mut thrown)
                    && let Some(mut map) = value.write_lock::<ScriptMap>()
                {
                    with(&mut map);
                }
                Fault::Thrown(thrown)
            }
            None => Fault::Error(self.error.detail("rolled_back", rolled_back).detail(SOURCE_OFF, off)),
        }
    }
}

fn innermost(thrown: &mut EvalAltResult) -> &mut EvalAltResult {
    match thrown {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            innermost(inner)
        }
        other => other,
    }
}
