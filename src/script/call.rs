//! One use of a function: its arguments, and its steps, each through the journal.

use std::sync::Arc;

use jiff::Timestamp;
use rhai::{Dynamic, FnPtr, NativeCallContext};
use serde_json::Value;

use super::arguments::{Arguments, Options, text_of};
use super::function::Function;
use super::host::{Cloud, Host, Lane};
use super::value::to_script;
use crate::client::{Failure, Request};
use crate::error::{Error, Kind, Result};
use crate::event::{Fact, Level};
use crate::journal::{Began, Settlement, StepKey};
use crate::model::Generation;
use crate::watch::Target;

/// What a body works with.
pub struct Call<'a> {
    pub host: &'a Arc<Host>,
    pub context: &'a NativeCallContext<'a>,
    pub function: &'static Function,
    pub lane: Arc<Lane>,
    /// Its number in the lane, from 1.
    pub number: u64,
    pub arguments: Arguments,
    pub(super) steps: u32,
}

impl Call<'_> {
    /// # Errors
    /// Whatever keeps us from the cloud.
    pub fn cloud(&self) -> Result<&Cloud> {
        self.host.cloud()
    }

    /// # Errors
    /// Whatever keeps us from the cloud.
    pub fn generation(&self) -> Result<Generation> {
        self.cloud()?.client.generation(&self.lane.origin)
    }

    /// Sends what changes nothing.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn read(&self, request: &Request) -> Result<Value> {
        self.cloud()?.client.send(&self.lane.origin, request)
    }

    /// Reads a list whole, page after page.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn read_list(&self, request: &Request) -> Result<Vec<Value>> {
        self.cloud()?.client.list(&self.lane.origin, request)
    }

    /// One step: a changing request, on record before it leaves and settled after.
    ///
    /// # Errors
    /// `Unknown` when nobody knows whether it was applied; else what the server or the network says.
    pub fn change(&mut self, request: &Request) -> Result<Value> {
        self.try_change(request)?.map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::Lost(error) => unknown(error),
        })
    }

    /// As [`Call::change`], for a body that can find out what became of a lost reply.
    ///
    /// # Errors
    /// When the step could not be recorded, or the cloud not be reached at all; the inner failure is the step's own.
    pub fn try_change(&mut self, request: &Request) -> Result<Result<Value, Failure>> {
        self.host.cancel.check()?;
        self.steps += 1;
        let key = StepKey { lane: self.lane.origin.lane.clone(), call: self.number, step: self.steps };
        if let Some(Settlement::Done(answer)) = self.host.journal.answer(&key) {
            return Ok(Ok(answer));
        }
        let client = &self.cloud()?.client;
        let (method, path) = (request.method.word(), request.path.clone());
        self.host.journal.begin(&key, Began { function: self.function.name, method, path: path.clone() })?;
        let outcome = client.change(&self.lane.origin, request);
        let (settlement, status) = match &outcome {
            Ok(answer) => (Settlement::Done(answer.clone()), 200),
            Err(Failure::Refused(error)) => (Settlement::Refused(error.to_string()), error.status().unwrap_or(0)),
            Err(Failure::Lost(error)) => (Settlement::Unknown(error.to_string()), error.status().unwrap_or(0)),
        };
        self.host.journal.settle(&key, settlement)?;
        self.emit(Fact::StepSettled { call: self.number, step: self.steps, method: method.to_owned(), path, status });
        Ok(outcome)
    }

    /// Waits until the thing is final, through the one watcher.
    ///
    /// # Errors
    /// `Failed` with the first failed task and its `exception_details`, `Cancelled`, `Timeout`, `Interrupted`.
    pub fn wait(&self, target: Target, deadline: Option<Timestamp>) -> Result<Value> {
        self.cloud()?.watcher.wait(&self.lane.origin, target, deadline)
    }

    pub fn emit(&self, fact: Fact) {
        self.host.emit(&self.lane, fact);
    }

    pub fn warn(&self, message: impl Into<String>) {
        self.emit(Fact::Logged { level: Level::Warning, message: message.into() });
    }

    pub fn options(&self) -> &Options {
        self.arguments.options()
    }

    pub fn value(&self, parameter: &str) -> Option<&Dynamic> {
        self.arguments.value(parameter)
    }

    /// An argument; `()` where it was left out.
    pub fn argument(&self, parameter: &str) -> Dynamic {
        self.value(parameter).cloned().unwrap_or(Dynamic::UNIT)
    }

    /// What the server sent, as the script sees it.
    pub fn shown(&self, value: Value) -> Dynamic {
        let objects = value.as_array().and_then(|list| list.first()).unwrap_or(&value);
        if let Some(fields) = objects.as_object() {
            self.host.meet_fields(fields.keys().map(String::as_str));
        }
        to_script(value)
    }

    /// A required argument of kind text; empty where it is missing, which the row rules out.
    pub fn text(&self, parameter: &str) -> String {
        self.value(parameter).map(text_of).unwrap_or_default()
    }

    /// # Errors
    /// `Internal`: the row rules it out.
    pub fn closure(&self, parameter: &str) -> Result<FnPtr> {
        self.value(parameter)
            .and_then(|value| value.flatten_clone().try_cast::<FnPtr>())
            .ok_or_else(|| Error::internal(format!("`{parameter}` is no closure")))
    }
}

/// A change of which nobody knows whether it was applied: no script may catch this and go on.
pub fn unknown(error: Error) -> Error {
    let hint = "look at the server before you repeat it; it was not sent again";
    Error { kind: Kind::Unknown, hint: error.hint.clone().or_else(|| Some(hint.to_owned())), ..error }
}
