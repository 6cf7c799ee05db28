//! Deployments (migrations).

use serde_json::Value;

use super::call::{Answer, Call};
use crate::model::Generation;
use crate::sandbox::view::DeploymentView;
use crate::sandbox::world::Refusal;

impl Call<'_> {
    pub(super) fn deployments(&mut self, segments: &[&str]) -> Result<Answer, Refusal> {
        match (self.incoming.method.as_str(), segments) {
            ("GET", [] | ["detail"]) => self.deployment_list(),
            ("POST", []) => self.create_deployment(),
            (_, ["new"] | [_, "edit"]) => Err(Refusal::no_method()),
            ("GET", [id]) => self.deployment_answer(id),
            ("DELETE", [id]) => self.cloud.delete_deployment(&self.caller, id, self.now).map(|()| Answer::none()),
            ("POST", [id, "actions"]) => {
                let force = self.cancel_wish()?;
                self.cloud.cancel_deployment(&self.caller, id, force, self.now).map(|()| Answer::none())
            }
            _ => Err(Refusal::no_method()),
        }
    }

    fn create_deployment(&mut self) -> Result<Answer, Refusal> {
        let body = self.incoming.wrapped(self.words().deployment, "creation")?;
        let legacy = self.cloud.generation == Generation::Legacy;
        let key = if legacy { "replica_id" } else { "transfer_id" };
        let transfer = body.get(key).and_then(Value::as_str);
        let deployment = match transfer {
            Some(transfer) => self.cloud.deploy(&self.caller, transfer, &body, self.now)?,
            None if legacy => self.cloud.migrate(&self.caller, &body, self.now)?,
            None => {
                return Err(Refusal::input(
                    "Missing 'transfer_id' field from deployment body. A deployment can be created strictly based on \
                     an existing Transfer.",
                ));
            }
        };
        let id = deployment.action.id.clone();
        self.deployment_answer(&id)
    }

    fn deployment_list(&self) -> Result<Answer, Refusal> {
        let look = self.look();
        let all = self.cloud.deployments(&self.caller, self.incoming.flag("show_deleted")).collect();
        let page = self.deployment_page(all)?;
        let views: Vec<_> =
            page.into_iter().map(|deployment| DeploymentView { look, deployment, shown: false }).collect();
        Ok(Answer::of(self.words().deployments, views))
    }

    fn deployment_answer(&self, id: &str) -> Result<Answer, Refusal> {
        let deployment = self.cloud.deployment(&self.caller, id)?;
        let view = DeploymentView { look: self.look(), deployment, shown: true };
        Ok(Answer::of(self.words().deployment, view))
    }
}
