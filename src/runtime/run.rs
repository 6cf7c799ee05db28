//! Running a compiled runbook, and explaining its errors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{AST, Dynamic, Engine, Scope};
use serde_json::Value;

use crate::error::{Error, suggest};
use crate::language::captures::captured_writes;
use crate::language::error::{Located, locate};
use crate::language::meant::unknown_function;
use crate::runtime::host::Host;
use crate::runtime::lane::Lane;
use crate::runtime::leave;

/// Runs a compiled runbook on the lane `main`; it ends when its jobs have ended.
///
/// # Errors
/// The script's error, with its position and a suggestion.
pub fn evaluate(engine: &Engine, host: &Arc<Host>, main: &Arc<Lane>, ast: &AST) -> Result<Dynamic, Located> {
    let value = evaluate_in(engine, host, main, ast, &mut Scope::new());
    let jobs = host.jobs.join(&host.clock);
    let value = value?;
    jobs.map_err(Located::nowhere)?;
    leave::chosen(host).map_or(Ok(value), Err)
}

/// The same with variables that exist before and afterwards.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_in(
    engine: &Engine,
    host: &Arc<Host>,
    main: &Arc<Lane>,
    ast: &AST,
    scope: &mut Scope<'static>,
) -> Result<Dynamic, Located> {
    host.set_captured_writes(captured_writes(ast));
    host.reads.follow(ast);
    let run = || main.enter(|| engine.eval_ast_with_scope::<Dynamic>(scope, ast));
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(thrown)) => Err(explain(locate(&thrown), engine, host, ast)),
        Err(_) => {
            let error = Error::internal("a bug stopped the script").hint("please report this");
            Err(Located::nowhere(error))
        }
    }
}

/// Adds a suggestion, which the engine cannot make.
fn explain(mut located: Located, engine: &Engine, host: &Host, ast: &AST) -> Located {
    let detail = |name: &str| located.error.details.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(name) = detail("unknown_function") {
        let names = engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
        let script: Vec<&str> = ast.iter_functions().map(|function| function.name).collect();
        located.error = match host.language.catalog.find(&name) {
            Some(function) => {
                let given = located
                    .error
                    .message
                    .split_once('(')
                    .map_or(0, |(_, list)| if list.starts_with(')') { 0 } else { list.split(',').count() });
                function.wrong_arity(&name, given)
            }
            None if names.contains(&name) || script.contains(&name.as_str()) => located.error,
            None => unknown_function(
                &name,
                host.language
                    .catalog
                    .names()
                    .keys()
                    .map(String::as_str)
                    .chain(script)
                    .chain(names.iter().map(String::as_str)),
            ),
        };
    } else if let Some(error) = detail("missing_field").and_then(|name| host.doubled(&name)) {
        located.error = error;
    } else if let Some(error) = host.reads.explain(located.error.clone()) {
        located.error = error;
    } else if let Some(name) = detail("missing_field") {
        let known = host.known_fields();
        if let Some(near) = suggest(&name, known.iter().map(String::as_str)) {
            located.error = located.error.hint(format!("did you mean `{near}`?"));
        } else {
            located.error = located
                .error
                .hint(format!("`\"{name}\" in map` asks first; `map.get(\"{name}\")` is `()` if it is missing"));
        }
    }
    located
}
