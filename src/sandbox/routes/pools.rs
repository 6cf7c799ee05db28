//! Minion pools.

use serde_json::{Value, json};

use super::actions::unknown;
use super::call::{Answer, Call};
use crate::sandbox::view::record;
use crate::sandbox::world::Minion;
use crate::sandbox::world::Refusal;
use crate::sandbox::world::draw;
use crate::sandbox::world::stamp;
use crate::sandbox::world::{Pool, role_word};

impl Call<'_> {
    pub(super) fn pools(&mut self, segments: &[&str]) -> Result<Answer, Refusal> {
        match (self.incoming.method.as_str(), segments) {
            ("GET", []) => {
                let shown: Vec<Value> = self.cloud.pools(&self.caller).map(|pool| self.listed(pool)).collect();
                Ok(Answer::of("minion_pools", shown))
            }
            ("POST", []) => {
                let body = self.incoming.wrapped("minion_pool", "creation")?;
                let id = self.cloud.create_pool(&self.caller, &body, self.now)?.id.clone();
                self.pool_answer(&id)
            }
            (_, ["new" | "detail"] | [_, "edit"]) => Err(Refusal::no_method()),
            ("GET", [id]) => self.pool_answer(id),
            ("PUT", [id]) => {
                let body = self.incoming.wrapped("minion_pool", "update")?;
                self.cloud.update_pool(&self.caller, id, &body, self.now)?;
                self.pool_answer(id)
            }
            ("DELETE", [id]) => self.cloud.delete_pool(&self.caller, id, self.now).map(|()| Answer::none()),
            ("POST", [id, "actions"]) => self.pool_action(id),
            _ => Err(Refusal::no_method()),
        }
    }

    fn pool_action(&mut self, id: &str) -> Result<Answer, Refusal> {
        let (action, argument) = self.incoming.action()?;
        match action.as_str() {
            "allocate" => self.cloud.allocate_pool(&self.caller, id, self.now)?,
            "refresh" => self.cloud.refresh_pool(&self.caller, id, self.now)?,
            "deallocate" => {
                let force = argument.get("force").and_then(Value::as_bool).unwrap_or(false);
                self.cloud.deallocate_pool(&self.caller, id, force, self.now)?
            }
            other => return Err(unknown(other)),
        };
        self.pool_answer(id)
    }

    fn pool_answer(&self, id: &str) -> Result<Answer, Refusal> {
        let pool = self.cloud.pool(&self.caller, id)?;
        let mut shown = self.listed(pool);
        let events = pool.story.seen(self.now).events;
        let events = events.iter().enumerate().map(|(index, (at, level, message))| {
            let own = draw(0, &["pool event", &pool.id, &index.to_string()]).uuid();
            let mut event = record(&own, *at, None);
            event.insert("pool_id".into(), pool.id.as_str().into());
            event.insert("level".into(), (*level).into());
            event.insert("index".into(), index.into());
            event.insert("message".into(), (*message).into());
            Value::from(event)
        });
        shown["events"] = events.collect::<Vec<_>>().into();
        shown["progress_updates"] = json!([]);
        shown["user_id"] = pool.user.as_str().into();
        shown["project_id"] = pool.project.as_str().into();
        Ok(Answer::of("minion_pool", shown))
    }

    /// A pool as in a list, which omits some fields.
    fn listed(&self, pool: &Pool) -> Value {
        let seen = pool.story.seen(self.now);
        let mut shown = record(&pool.id, pool.created, seen.updated);
        let network = || json!({"network": format!("pool-net-{}", &pool.id[..8])});
        let fields = [
            ("maintenance_trust_id", pool.trust.as_str().into()),
            ("name", pool.name.as_str().into()),
            ("notes", json!(pool.notes)),
            ("endpoint_id", pool.endpoint.as_str().into()),
            ("os_type", pool.os_type.as_str().into()),
            ("platform", role_word(pool.platform).into()),
            ("environment_options", pool.environment.clone()),
            ("status", json!(seen.status)),
            ("shared_resources", if seen.shared { network() } else { Value::Null }),
            ("minimum_minions", pool.minimum.into()),
            ("maximum_minions", pool.maximum.into()),
            ("minion_max_idle_time", pool.idle.into()),
            ("minion_retention_strategy", pool.retention.as_str().into()),
            ("minion_machines", seen.machines.iter().map(|machine| minion(pool, machine)).collect::<Vec<_>>().into()),
        ];
        shown.extend(fields.map(|(name, value)| (name.to_owned(), value)));
        shown.into()
    }
}

/// A machine, without its access data.
fn minion(pool: &Pool, machine: &Minion<'_>) -> Value {
    let mut shown = record(machine.id, machine.created, Some(machine.updated));
    let login = || json!({"ip": "192.0.2.10", "port": 22, "username": "root", "password": "***"});
    let writer = || json!({"backend": "ssh_backup_writer", "connection_details": login()});
    let runs = machine.ready.is_some();
    let when = |value: Value| if runs { value } else { Value::Null };
    let fields = [
        ("user_id", pool.user.as_str().into()),
        ("project_id", pool.project.as_str().into()),
        ("pool_id", pool.id.as_str().into()),
        ("allocation_status", json!(machine.state.allocation)),
        ("allocated_action", json!(machine.state.action)),
        ("power_status", if runs { "POWERED_ON" } else { "UNINITIALIZED" }.into()),
        ("last_used_at", json!(machine.ready.map(stamp))),
        ("connection_info", when(login())),
        ("backup_writer_connection_info", when(writer())),
        ("provider_properties", when(json!({"vm": machine.id}))),
    ];
    shown.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    shown.into()
}
