//! Transfers (replicas) and their executions.

use serde_json::Value;

use super::actions::unknown;
use super::call::{Answer, Call};
use crate::model::Generation;
use crate::sandbox::view::{ExecutionView, TransferView};
use crate::sandbox::world::Refusal;
use crate::sandbox::world::{Execution, Transfer};

impl Call<'_> {
    pub(super) fn transfers(&mut self, segments: &[&str]) -> Result<Answer, Refusal> {
        let words = self.words();
        match (self.incoming.method.as_str(), segments) {
            ("GET", [] | ["detail"]) => self.transfer_list(),
            ("POST", []) => {
                let body = self.incoming.wrapped(words.transfer, "creation")?;
                let id = self.cloud.create_transfer(&self.caller, &body, self.now)?.action.id.clone();
                self.transfer_answer(&id)
            }
            (_, ["new"] | [_, "edit"]) => Err(Refusal::no_method()),
            ("GET", [id]) => self.transfer_answer(id),
            ("PUT", [id]) => {
                let body = self.incoming.wrapped(words.transfer, "update")?;
                let execution = self.cloud.update_transfer(&self.caller, id, &body, self.now)?.id.clone();
                self.execution_answer(id, &execution)
            }
            ("DELETE", [id]) => self.cloud.delete_transfer(&self.caller, id, self.now).map(|()| Answer::none()),
            ("POST", [id, "actions"]) => match self.incoming.action()?.0.as_str() {
                "delete-disks" => {
                    let execution = self.cloud.delete_disks(&self.caller, id, self.now)?.id.clone();
                    self.execution_answer(id, &execution)
                }
                other => Err(unknown(other)),
            },
            (_, [id, "schedules", rest @ ..]) => self.schedules(id, rest),
            (_, [id, "executions", rest @ ..]) => self.executions(id, rest),
            _ => Err(Refusal::no_method()),
        }
    }

    fn executions(&mut self, transfer: &str, segments: &[&str]) -> Result<Answer, Refusal> {
        match (self.incoming.method.as_str(), segments) {
            ("GET", []) => self.execution_list(transfer, true),
            ("GET", ["detail"]) => self.execution_list(transfer, false),
            ("POST", []) => {
                let (shutdown, deploy) = self.execution_wishes()?;
                let execution = self.cloud.execute(&self.caller, transfer, shutdown, deploy, self.now)?.id.clone();
                self.execution_answer(transfer, &execution)
            }
            ("GET", [id]) => self.execution_answer(transfer, id),
            ("DELETE", [id]) => {
                self.cloud.delete_execution(&self.caller, transfer, id, self.now).map(|()| Answer::none())
            }
            ("POST", [id, "actions"]) => {
                let force = self.cancel_wish()?;
                self.cloud.cancel_execution(&self.caller, transfer, id, force, self.now).map(|()| Answer::none())
            }
            _ => Err(Refusal::no_method()),
        }
    }

    /// `{}` is accepted; `{"execution": null}` makes the service fail.
    fn execution_wishes(&self) -> Result<(bool, bool), Refusal> {
        let document = self.incoming.document()?.ok_or_else(Refusal::no_body)?;
        let wishes = match document.get("execution") {
            None => return Ok((false, false)),
            Some(Value::Object(wishes)) => wishes,
            Some(_) => return Err(Refusal::internal()),
        };
        let flag = |key: &str| wishes.get(key).and_then(Value::as_bool).unwrap_or(false);
        let deploy = flag("auto_deploy") && self.cloud.generation == Generation::Current;
        Ok((flag("shutdown_instances"), deploy))
    }

    fn transfer_list(&self) -> Result<Answer, Refusal> {
        let look = self.look();
        let all = self.cloud.transfers(&self.caller, self.incoming.flag("show_deleted")).collect();
        let page = self.transfer_page(all)?;
        // Those of a deleted one are never shown.
        let executions = |transfer: &Transfer| look.info && transfer.action.deleted.is_none();
        let views: Vec<_> = page
            .into_iter()
            .map(|transfer| TransferView { look, transfer, executions: executions(transfer) })
            .collect();
        Ok(Answer::of(self.words().transfers, views))
    }

    fn transfer_answer(&self, id: &str) -> Result<Answer, Refusal> {
        let transfer = self.cloud.transfer(&self.caller, id)?;
        // A legacy server shows every execution with its tasks.
        let executions = self.cloud.generation == Generation::Legacy;
        Ok(Answer::of(self.words().transfer, TransferView { look: self.look(), transfer, executions }))
    }

    fn execution_list(&self, transfer: &str, paged: bool) -> Result<Answer, Refusal> {
        let mut executions: Vec<&Execution> = self.cloud.executions(&self.caller, transfer);
        if paged {
            executions = self.execution_page(executions)?;
        } else {
            executions.reverse();
        }
        let look = self.look();
        let views: Vec<_> =
            executions.into_iter().map(|execution| ExecutionView { look, transfer, execution }).collect();
        Ok(Answer::of("executions", views))
    }

    fn execution_answer(&self, transfer: &str, id: &str) -> Result<Answer, Refusal> {
        let execution = self.cloud.execution(&self.caller, transfer, id)?;
        Ok(Answer::of("execution", ExecutionView { look: self.look(), transfer, execution }))
    }
}
