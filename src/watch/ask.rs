//! The watcher's questions as requests of the client.

use jiff::SignedDuration;
use serde_json::Value;

use super::target::{Ask, List, Question, TargetKind};
use crate::client::{Client, Direction, Filters, Request, deployments, executions, minion_pools, transfers};
use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::event::Origin;
use crate::model::Generation;

impl Ask for Client {
    fn ask(&self, question: &Question) -> Result<Value> {
        // Once: the watcher makes its own pauses.
        self.send_once(&request(Client::generation(self, &Origin::default())?, question))
    }

    fn generation(&self) -> Result<Generation> {
        Client::generation(self, &Origin::default())
    }

    fn pause_after(&self, error: Error, failures: u32, since: Instant) -> Result<SignedDuration> {
        Client::pause_after(self, error, failures, since)
    }
}

fn request(generation: Generation, question: &Question) -> Request {
    match question {
        Question::Show(TargetKind::Execution { transfer_id, id }) => executions::show(generation, transfer_id, id),
        Question::Show(TargetKind::Deployment { id }) => deployments::show(generation, id),
        Question::Show(TargetKind::Pool { id }) => minion_pools::show(id),
        Question::Feed { of: List::Transfers, limit } => transfers::list(generation, &changed(*limit)),
        Question::Feed { of: List::Deployments, limit } => deployments::list(generation, &changed(*limit)),
    }
}

/// The most recently changed come first; without a limit the order does not matter.
fn changed(limit: Option<usize>) -> Filters {
    let sort = limit.map(|_| ("updated_at".to_owned(), Direction::Descending));
    Filters { limit, sort: sort.into_iter().collect(), ..Filters::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Answer;

    #[test]
    fn each_question_is_one_request_in_the_servers_own_words() {
        let execution = Question::Show(TargetKind::Execution { transfer_id: "T".to_owned(), id: "E".to_owned() });
        let deployment = Question::Show(TargetKind::Deployment { id: "D".to_owned() });
        let feed = Question::Feed { of: List::Deployments, limit: Some(20) };
        let whole = Question::Feed { of: List::Transfers, limit: None };
        let asked = [
            (Generation::Current, &execution, Request::get("transfers/T/executions/E", Answer::Thing("execution"))),
            (Generation::Legacy, &execution, Request::get("replicas/T/executions/E", Answer::Thing("execution"))),
            (Generation::Legacy, &deployment, Request::get("migrations/D", Answer::Thing("migration"))),
            (
                Generation::Current,
                &feed,
                Request::get("deployments", Answer::List("deployments"))
                    .with("limit", 20)
                    .with("sort_key", "updated_at")
                    .with("sort_dir", "desc"),
            ),
            (Generation::Legacy, &whole, Request::get("replicas", Answer::List("replicas"))),
        ];
        for (generation, question, expected) in asked {
            assert_eq!(request(generation, question), expected);
        }
    }
}
