//! Regions, the workers' services, and the service's own diagnostics.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use crate::sandbox::view::record;
use crate::sandbox::world::Refusal;
use crate::sandbox::world::{Region, Service};

impl Call<'_> {
    pub(super) fn regions(&mut self, segments: &[&str]) -> Result<Answer, Refusal> {
        match (self.incoming.method.as_str(), segments) {
            ("GET", []) => {
                let shown: Vec<Value> = self.cloud.regions().map(|region| self.region_shown(region)).collect();
                Ok(Answer::of("regions", shown))
            }
            ("POST", []) => {
                let body = self.incoming.wrapped("region", "creation")?;
                let id = self.cloud.create_region(&body, self.now)?.id.clone();
                self.region_answer(&id)
            }
            (_, ["new" | "detail"] | [_, "edit"]) => Err(Refusal::no_method()),
            ("GET", [id]) => self.region_answer(id),
            ("PUT", [id]) => {
                let body = self.incoming.wrapped("region", "update")?;
                self.cloud.update_region(id, &body, self.now)?;
                self.region_answer(id)
            }
            ("DELETE", [id]) => self.cloud.delete_region(id).map(|()| Answer::none()),
            _ => Err(Refusal::no_method()),
        }
    }

    fn region_answer(&self, id: &str) -> Result<Answer, Refusal> {
        Ok(Answer::of("region", self.region_shown(self.cloud.region(id)?)))
    }

    fn region_shown(&self, region: &Region) -> Value {
        let (endpoints, services) = self.cloud.mapped(&region.id);
        let mut shown = record(&region.id, region.created, region.updated);
        shown.insert("name".into(), region.name.as_str().into());
        shown.insert("description".into(), region.description.as_str().into());
        shown.insert("enabled".into(), region.enabled.into());
        shown.insert("mapped_endpoints".into(), json!(endpoints));
        shown.insert("mapped_services".into(), json!(services));
        shown.into()
    }

    pub(super) fn services(&mut self, segments: &[&str]) -> Result<Answer, Refusal> {
        match (self.incoming.method.as_str(), segments) {
            ("GET", []) => {
                let shown: Vec<Value> = self.cloud.services().map(|service| self.service_shown(service)).collect();
                Ok(Answer::of("services", shown))
            }
            ("POST", []) => {
                let body = self.incoming.wrapped("service", "creation")?;
                let id = self.cloud.create_service(&body, self.now)?.id.clone();
                self.service_answer(&id)
            }
            (_, ["new" | "detail"] | [_, "edit"]) => Err(Refusal::no_method()),
            ("GET", [id]) => self.service_answer(id),
            ("PUT", [id]) => {
                let body = self.incoming.wrapped("service", "update")?;
                self.cloud.update_service(id, &body, self.now)?;
                self.service_answer(id)
            }
            ("DELETE", [id]) => self.cloud.delete_service(id).map(|()| Answer::none()),
            _ => Err(Refusal::no_method()),
        }
    }

    fn service_answer(&self, id: &str) -> Result<Answer, Refusal> {
        Ok(Answer::of("service", self.service_shown(self.cloud.service(id)?)))
    }

    fn service_shown(&self, service: &Service) -> Value {
        let mut shown = record(&service.id, service.created, service.updated);
        shown.insert("host".into(), service.host.as_str().into());
        shown.insert("binary".into(), service.binary.as_str().into());
        shown.insert("topic".into(), service.topic.as_str().into());
        shown.insert("enabled".into(), service.enabled.into());
        shown.insert("status".into(), "UP".into());
        shown.insert("providers".into(), self.cloud.providers());
        shown.insert("specs".into(), self.cloud.specs(&service.binary, &service.host));
        shown.insert("mapped_regions".into(), json!(service.mapped_regions));
        shown.into()
    }

    pub(super) fn diagnostics(&self, segments: &[&str]) -> Result<Answer, Refusal> {
        match (self.method(), segments) {
            ("GET", []) => Ok(Answer::of("diagnostics", self.cloud.diagnostics())),
            _ => Err(Refusal::no_method()),
        }
    }
}
