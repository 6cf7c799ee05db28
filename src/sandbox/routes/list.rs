//! Pages of a list: order, filter, marker, limit. A legacy server has none of these and lists by id.

use std::cmp::Ordering;

use super::call::Call;
use crate::model::{Generation, Status, TaskStatus};
use crate::sandbox::world::Refusal;
use crate::sandbox::world::stamp;
use crate::sandbox::world::{Action, Deployment, Execution, Transfer};

/// One object with the columns that it can be sorted by.
struct Row<Thing> {
    thing: Thing,
    id: String,
    created: String,
    status: Status<'static>,
    /// The wanted columns; `None` stands for NULL in the database.
    keys: Vec<Option<String>>,
}

struct Order {
    keys: Vec<String>,
    descending: Vec<bool>,
}

impl Call<'_> {
    pub(super) fn transfer_page<'cloud>(&self, all: Vec<&'cloud Transfer>) -> Result<Vec<&'cloud Transfer>, Refusal> {
        let column = |transfer: &&Transfer, key: &str| match key {
            "last_execution_status" => Some(Some(transfer.status(self.now).to_string())),
            "updated_at" => Some(transfer.updated(self.now).map(stamp)),
            key => action_column(&transfer.action, key),
        };
        self.page(all, is_task_state, "task", |transfer| transfer.status(self.now), column)
    }

    pub(super) fn deployment_page<'cloud>(
        &self,
        all: Vec<&'cloud Deployment>,
    ) -> Result<Vec<&'cloud Deployment>, Refusal> {
        let column = |deployment: &&Deployment, key: &str| match key {
            "last_execution_status" => Some(Some(deployment.status(self.now).to_string())),
            key => action_column(&deployment.action, key),
        };
        self.page(all, is_execution_state, "deployment", |deployment| deployment.status(self.now), column)
    }

    pub(super) fn execution_page<'cloud>(
        &self,
        all: Vec<&'cloud Execution>,
    ) -> Result<Vec<&'cloud Execution>, Refusal> {
        let column = |execution: &&Execution, key: &str| {
            Some(match key {
                "id" => Some(execution.id.clone()),
                // Sorted as a text: padded with zeros.
                "number" => Some(format!("{:08}", execution.number)),
                "status" => Some(execution.plan.status(self.now).to_string()),
                "created_at" => Some(stamp(execution.plan.created)),
                "updated_at" => execution.plan.updated(self.now).map(stamp),
                "type" | "deleted_at" | "action_id" => None,
                _ => return None,
            })
        };
        self.page(all, is_execution_state, "task execution", |execution| execution.plan.status(self.now), column)
    }

    fn page<Thing>(
        &self,
        all: Vec<Thing>,
        is_known: fn(&str) -> bool,
        noun: &str,
        status: impl Fn(&Thing) -> Status<'static>,
        column: impl Fn(&Thing, &str) -> Option<Option<String>>,
    ) -> Result<Vec<Thing>, Refusal> {
        let legacy = self.cloud.generation == Generation::Legacy;
        let order = if legacy { Order::none() } else { self.order()? };
        let limit = if legacy { None } else { self.limit()? };
        let wanted = self.incoming.values("status").last().filter(|_| !legacy);
        if limit.is_some_and(|limit| limit < 0) {
            return Err(Refusal::internal());
        }
        if let Some(state) = wanted.filter(|state| !is_known(state)) {
            return Err(Refusal::bad(format!("Unknown {noun} status: {state}")));
        }
        let mut rows = Vec::with_capacity(all.len());
        for thing in all {
            let own = |key: &str| column(&thing, key).flatten().unwrap_or_default();
            let keys = order.keys.iter().map(|key| column(&thing, key).ok_or_else(Refusal::internal));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            let (id, created) = (own("id"), own("created_at"));
            rows.push(Row { status: status(&thing), id, created, keys, thing });
        }
        match legacy {
            true => rows.sort_by(|one, other| one.id.cmp(&other.id)),
            false => rows.sort_by(|one, other| order.compare(one, other)),
        }
        let marker = self.incoming.value("marker").filter(|_| !legacy);
        let from = marker.and_then(|marker| rows.iter().position(|row| row.id == marker)).map_or(0, |at| at + 1);
        let limit = limit.map_or(usize::MAX, |limit| limit as usize);
        let fits = |row: &Row<Thing>| wanted.is_none_or(|state| row.status == Status::from(state));
        Ok(rows.into_iter().skip(from).filter(fits).take(limit).map(|row| row.thing).collect())
    }

    fn order(&self) -> Result<Order, Refusal> {
        let keys: Vec<String> = self.incoming.values("sort_key").map(String::from).collect();
        let directions: Vec<&str> = self.incoming.values("sort_dir").collect();
        // Two default directions are filled in, so a single key is one too few.
        let given = if directions.is_empty() { 2 } else { directions.len() };
        if !keys.is_empty() && given > keys.len() {
            return Err(Refusal::input("Sort direction array size exceeds sort key array size."));
        }
        if let Some(odd) = directions.iter().find(|direction| !matches!(**direction, "asc" | "desc")) {
            return Err(Refusal::input(format!("Unknown sort direction: {odd}, must be 'desc' or 'asc'.")));
        }
        let first = directions.first().copied().unwrap_or("desc");
        let descending = (0..keys.len()).map(|at| directions.get(at).copied().unwrap_or(first) == "desc").collect();
        Ok(Order { keys, descending })
    }
}

impl Order {
    fn none() -> Self {
        Self { keys: Vec::new(), descending: Vec::new() }
    }

    /// By the wanted columns (NULL is the smallest), then the newest first.
    fn compare<Thing>(&self, one: &Row<Thing>, other: &Row<Thing>) -> Ordering {
        let columns = one.keys.iter().zip(&other.keys).zip(&self.descending);
        for ((own, others), descending) in columns {
            let order = if *descending { others.cmp(own) } else { own.cmp(others) };
            if order != Ordering::Equal {
                return order;
            }
        }
        (&other.created, &other.id).cmp(&(&one.created, &one.id))
    }
}

/// A column of an action; the outer `None` means that it does not exist.
fn action_column(action: &Action, key: &str) -> Option<Option<String>> {
    Some(match key {
        "id" | "base_id" => Some(action.id.clone()),
        "created_at" => Some(stamp(action.created)),
        "updated_at" => action.updated.map(stamp),
        "notes" => action.notes.clone(),
        "scenario" => Some(if action.live_migration { "live_migration" } else { "replica" }.into()),
        "instances" => Some(action.instances.join(",")),
        "origin_endpoint_id" => Some(action.origin.clone()),
        "destination_endpoint_id" => Some(action.destination.clone()),
        "deleted_at" | "project_id" | "user_id" | "type" => None,
        _ => return None,
    })
}

/// The states that transfers may be filtered by: those of *tasks*, by the service's mistake.
fn is_task_state(word: &str) -> bool {
    !matches!(TaskStatus::from(word), TaskStatus::Other(_))
}

/// The fields by which executions and deployments may be filtered.
fn is_execution_state(word: &str) -> bool {
    !matches!(Status::from(word), Status::Pending | Status::Unexecuted | Status::Other(_))
}
