//! Executions: runs of a transfer, each with its tasks and their progress.

use serde_json::{Map, Value, json};

use super::filters::Filters;
use super::request::{Answer, Repeat, Request, segment};
use super::transfers;
use crate::error::{Error, Result};
use crate::model::Generation;

/// Lists executions with every task and progress update: ask for few. An unknown transfer has none. The answer needs
/// [`Filters::apply`].
pub fn list(generation: Generation, transfer: &str, filters: &Filters) -> Request {
    // On legacy servers `detail` is the same answer in half the time; on current ones it ignores the filters.
    let detail = if generation == Generation::Legacy { "/detail" } else { "" };
    let path = format!("{}{detail}", collection(generation, transfer));
    filters.ask(generation, Request::get(path, Answer::List("executions")))
}

pub fn show(generation: Generation, transfer: &str, execution: &str) -> Request {
    Request::get(path(generation, transfer, execution), Answer::Thing("execution"))
}

/// Fields: `shutdown_instances`, `auto_deploy`. A 500 or 503 may still have created one; a second one is refused while
/// one is running.
///
/// # Errors
/// `Script` for `auto_deploy` on a legacy server.
pub fn create(generation: Generation, transfer: &str, mut fields: Map<String, Value>) -> Result<Request> {
    if generation == Generation::Legacy && fields.remove("auto_deploy").is_some_and(|value| value == true) {
        return Err(Error::script("a legacy server cannot deploy by itself after an execution (`auto_deploy`)")
            .hint("use `replica_sync` and then `replica_deploy`"));
    }
    let body = json!({ "execution": fields });
    Ok(Request::post(collection(generation, transfer), body, Answer::Thing("execution"), Repeat::Find))
}

/// May take longer than 20 s. Look before repeating it: a second forced cancel cuts the clean-up short.
pub fn cancel(generation: Generation, transfer: &str, execution: &str, force: bool) -> Request {
    let path = format!("{}/actions", path(generation, transfer, execution));
    Request::post(path, json!({ "cancel": { "force": force } }), Answer::Empty, Repeat::Find)
}

pub fn delete(generation: Generation, transfer: &str, execution: &str) -> Request {
    Request::delete(path(generation, transfer, execution))
}

fn collection(generation: Generation, transfer: &str) -> String {
    format!("{}/executions", transfers::path(generation, transfer))
}

fn path(generation: Generation, transfer: &str, execution: &str) -> String {
    format!("{}/{}", collection(generation, transfer), segment(execution))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEGACY: Generation = Generation::Legacy;
    const CURRENT: Generation = Generation::Current;

    #[test]
    fn each_generation_gets_its_own_words() {
        let plain = Request::get("transfers/T/executions", Answer::List("executions"));
        assert_eq!(list(CURRENT, "T", &Filters::newest(1)), plain.with("limit", 1));
        assert_eq!(
            list(LEGACY, "T", &Filters::newest(1)),
            Request::get("replicas/T/executions/detail", Answer::List("executions"))
        );
        assert_eq!(show(LEGACY, "T", "E"), Request::get("replicas/T/executions/E", Answer::Thing("execution")));
        assert_eq!(
            cancel(CURRENT, "T", "E", true),
            Request::post(
                "transfers/T/executions/E/actions",
                json!({"cancel": {"force": true}}),
                Answer::Empty,
                Repeat::Find
            )
        );
        assert_eq!(delete(CURRENT, "T", "E"), Request::delete("transfers/T/executions/E"));
    }

    #[test]
    fn an_execution_without_options_is_an_empty_object() {
        let request = create(CURRENT, "T", Map::new()).expect("can be said");
        let expected = json!({"execution": {}});
        assert_eq!(
            request,
            Request::post("transfers/T/executions", expected, Answer::Thing("execution"), Repeat::Find)
        );
    }

    #[test]
    fn auto_deploy_is_refused_only_where_it_is_asked_of_a_legacy_server() {
        let fields = |value: bool| Map::from_iter([("auto_deploy".to_owned(), json!(value))]);
        assert!(create(LEGACY, "T", fields(true)).is_err());
        assert_eq!(create(LEGACY, "T", fields(false)).expect("asks nothing").body, Some(json!({"execution": {}})));
        let body = create(CURRENT, "T", fields(true)).expect("can be said").body;
        assert_eq!(body, Some(json!({"execution": {"auto_deploy": true}})));
    }
}
