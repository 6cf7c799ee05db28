//! A runbook from its text to its result: parse, check, run, and what to say when something is wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{AST, ASTNode, Dynamic, Engine, Expr, Ident, ParseError, Scope, Stmt};
use serde_json::Value;

use super::catalog;
use super::check::{captured_writes, check, unknown_function, wrong_arity};
use super::error::{Located, locate};
use super::finding::Finding;
use super::host::Host;
use super::lane::Lane;
use super::syntax::{lax, recover};
use super::value::to_shown;
use super::variables::undefined;
use crate::error::{Error, suggest};

/// A parameter that a runbook declares with `param("name", #{ default, help })`.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub name: String,
    pub default: Option<Value>,
    pub help: Option<String>,
}

/// Parses and checks.
///
/// # Errors
/// Every mistake that can be found without running, in the order of the text.
pub fn compile(engine: &Engine, source: &str) -> Result<AST, Vec<Finding>> {
    compile_with(engine, source, &Scope::new(), |ast| check(engine, ast))
}

/// The same for a text that finds variables there, with the check of its tree.
///
/// # Errors
/// As [`compile`].
pub(super) fn compile_with(
    engine: &Engine,
    source: &str,
    scope: &Scope<'_>,
    check: impl FnOnce(&AST) -> Vec<Finding>,
) -> Result<AST, Vec<Finding>> {
    let syntax = recover(source);
    let known: Vec<&str> =
        scope.iter_raw().map(|(name, ..)| name).chain(syntax.lost.iter().map(String::as_str)).collect();
    let mut findings = undefined(engine, syntax.text(), &known);
    for finding in &mut findings {
        (finding.line, finding.column) = syntax.place(finding.line, finding.column);
    }
    let parsed = engine.compile_with_scope(scope, source);
    if let Err(error) = &parsed
        && findings.is_empty()
        && syntax.findings.is_empty()
    {
        findings.push(unparsed(error));
    }
    if syntax.findings.is_empty() {
        // What is checked beside is none the worse for a variable that is not there.
        let lenient;
        let readable = match &parsed {
            Ok(ast) => Some(ast),
            Err(_) => {
                lenient = lax().compile(source).ok();
                lenient.as_ref()
            }
        };
        findings.extend(readable.map(check).unwrap_or_default());
    } else if let Ok(readable) = lax().compile(syntax.text()) {
        // What was left out may declare what is called elsewhere.
        let lost =
            |finding: &Finding| syntax.lost.iter().any(|word| finding.error.message.contains(&format!("`{word}`")));
        for mut finding in check(&readable).into_iter().filter(|finding| !lost(finding)) {
            (finding.line, finding.column) = syntax.place(finding.line, finding.column);
            // A line that was repaired says what its author never wrote.
            if !syntax.repairs(finding.line) {
                findings.push(finding);
            }
        }
    }
    findings.extend(syntax.findings);
    findings.sort_by_key(|finding| (finding.line, finding.column));
    findings.dedup_by_key(|finding| (finding.line, finding.column));
    match parsed {
        Ok(ast) if findings.is_empty() => Ok(ast),
        _ => Err(findings),
    }
}

/// The parser's own words, where nobody has better ones.
fn unparsed(error: &ParseError) -> Finding {
    let position = error.position();
    let (line, column) = (position.line().unwrap_or(1), position.position().unwrap_or(1));
    Finding { error: Error::script(format!("the parser stops here: {}", error.err_type())), line, column }
}

/// Runs a compiled runbook on the lane `main`; it has ended when its jobs have.
///
/// # Errors
/// What the script throws, with its place and a suggestion.
pub fn evaluate(engine: &Engine, host: &Arc<Host>, main: &Arc<Lane>, ast: &AST) -> Result<Dynamic, Located> {
    let value = evaluate_in(engine, host, main, ast, &mut Scope::new());
    let jobs = host.jobs.join(&host.clock);
    let value = value?;
    jobs.map_err(Located::nowhere)?;
    Ok(value)
}

/// The same with variables that are there before and afterwards.
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

/// The parameters of a runbook, in the order of the text.
pub fn declared(ast: &AST) -> Vec<Declared> {
    let mut found: Vec<Declared> = Vec::new();
    ast.walk(&mut |path| {
        if let Some((name, options)) = asked(path)
            && !found.iter().any(|known| known.name == name)
        {
            let options = options.and_then(fields);
            let field = |word: &str| {
                let value = options?.iter().find(|(name, _)| name.name == word)?;
                value.1.get_literal_value(None).map(|value| to_shown(&value))
            };
            let help = field("help").and_then(|help| help.as_str().map(str::to_owned));
            found.push(Declared { name: name.to_owned(), default: field("default"), help });
        }
        true
    });
    found
}

/// The parameters without a default that every run of this text asks for: not those in a branch, in a loop, in a
/// function, or behind a `return`.
pub fn needed(ast: &AST) -> Vec<String> {
    let mut found = Vec::new();
    let mut leaves = false;
    for statement in ast.statements() {
        statement.walk(&mut Vec::new(), &mut |path| {
            leaves |= matches!(path.last(), Some(ASTNode::Stmt(Stmt::Return(..))));
            let without_default = |options: &Expr| {
                fields(options).is_some_and(|fields| fields.iter().all(|(name, _)| name.name != "default"))
            };
            if let Some((name, options)) = asked(path)
                && !leaves
                && options.is_none_or(without_default)
                && !path.iter().any(is_branch)
            {
                found.push(name.to_owned());
            }
            true
        });
    }
    found
}

/// The name and the options of a call of `param`.
fn asked<'a>(path: &[ASTNode<'a>]) -> Option<(&'a str, Option<&'a Expr>)> {
    let Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) = path.last() else {
        return None;
    };
    match call.args.first() {
        Some(Expr::StringConstant(name, _)) if call.name == "param" => Some((name.as_str(), call.args.get(1))),
        _ => None,
    }
}

/// The fields of an object map that is written out.
fn fields(options: &Expr) -> Option<&[(Ident, Expr)]> {
    match options {
        Expr::Map(fields, _) => Some(&fields.0),
        _ => None,
    }
}

/// Whether what is inside may be left out.
fn is_branch(node: &ASTNode<'_>) -> bool {
    matches!(
        node,
        ASTNode::Stmt(
            Stmt::If(..) | Stmt::Switch(..) | Stmt::While(..) | Stmt::Do(..) | Stmt::For(..) | Stmt::TryCatch(..)
        ) | ASTNode::Expr(Expr::And(..) | Expr::Or(..) | Expr::Coalesce(..))
    )
}

/// Whether the text waits for somebody's answer anywhere.
pub fn asks_somebody(ast: &AST) -> bool {
    let asks = |path: &[ASTNode]| {
        matches!(path.last(), Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
            if call.name == "confirm")
    };
    !ast.walk(&mut |path| !asks(path))
}

/// Whether the runbook asks for parameters by names that only the run makes.
pub fn asks_by_computed_name(ast: &AST) -> bool {
    let literal = |path: &[ASTNode]| match path.last() {
        Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) if call.name == "param" => {
            matches!(call.args.first(), Some(Expr::StringConstant(..)))
        }
        _ => true,
    };
    !ast.walk(&mut |path| literal(path))
}

/// Adds what the engine cannot know: what may have been meant.
fn explain(mut located: Located, engine: &Engine, host: &Host, ast: &AST) -> Located {
    let detail = |name: &str| located.error.details.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(name) = detail("unknown_function") {
        let names = engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
        let script: Vec<&str> = ast.iter_functions().map(|function| function.name).collect();
        located.error = match catalog::find(&name) {
            Some(function) => {
                let given = located
                    .error
                    .message
                    .split_once('(')
                    .map_or(0, |(_, list)| if list.starts_with(')') { 0 } else { list.split(',').count() });
                wrong_arity(function, &name, given)
            }
            None if names.contains(&name) || script.contains(&name.as_str()) => located.error,
            None => unknown_function(
                &name,
                catalog::names().keys().map(String::as_str).chain(script).chain(names.iter().map(String::as_str)),
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
                .hint(format!("`\"{name}\" in map` asks first; `map.get(\"{name}\")` is `()` where it is missing"));
        }
    }
    located
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::engine::bare;

    fn mistakes(source: &str) -> Vec<(usize, usize, String, Option<String>)> {
        let engine = bare();
        let found = compile(&engine, source).err().unwrap_or_default();
        found
            .into_iter()
            .map(|finding| (finding.line, finding.column, finding.error.message, finding.error.hint))
            .collect()
    }

    #[test]
    fn mistakes_of_all_kinds_are_told_at_once_in_the_order_of_the_text() {
        let told = |source: &str| -> Vec<String> {
            mistakes(source)
                .into_iter()
                .map(|(line, column, message, _)| format!("{line}:{column} {message}"))
                .collect()
        };
        assert_eq!(
            told("let vms = [];\nendpoint_lsit(vmss);\nprint(vmz);"),
            ["2:1 unknown function `endpoint_lsit`", "2:15 undefined variable `vmss`", "3:7 undefined variable `vmz`"]
        );
        // What a broken statement declares is there for the others; behind a repair the columns are still right.
        assert_eq!(
            told("let a = 1 +;\nf({ key: a }, aa, bbb);\nlet c = = 2; c"),
            [
                "1:11 a value is missing behind `+`",
                "2:3 an object map begins with `#{`",
                "2:15 undefined variable `aa`",
                "2:19 undefined variable `bbb`",
                "3:7 `= =` is no sign",
            ]
        );
        assert_eq!(told("let x = (1;"), ["1:9 `(` is not closed"]);
    }

    #[test]
    fn the_word_default_is_free_to_use() {
        assert_eq!(mistakes("let m = #{ default: 1 }; print(m.default);"), []);
    }

    #[test]
    fn parameters_are_listed_with_default_and_help() {
        let ast = bare()
            .compile("let a = param(\"limit\", #{ default: 8, help: \"VMs at once\" });\nparam(\"name\");")
            .unwrap();
        assert_eq!(
            declared(&ast),
            [
                Declared { name: "limit".into(), default: Some(8.into()), help: Some("VMs at once".into()) },
                Declared { name: "name".into(), default: None, help: None },
            ]
        );
    }

    #[test]
    fn a_parameter_is_needed_where_every_run_asks_for_it() {
        let needed = |source: &str| needed(&bare().compile(source).unwrap());
        assert_eq!(needed("let a = param(\"a\"); print(param(\"b\", #{ help: \"b\" }) + 1);"), ["a", "b"]);
        for optional in [
            "param(\"a\", #{ default: 1 + now() })",
            "let o = #{ default: 1 }; param(\"a\", o)",
            "if now() == \"\" { param(\"a\") }",
            "let x = now() == \"\" && param(\"a\") == \"yes\";",
            "for vm in [] { param(\"a\") }",
            "fn f() { param(\"a\") }",
            "each([], |vm| param(\"a\"))",
            "if now() == \"\" { return; } param(\"a\")",
        ] {
            assert_eq!(needed(optional), Vec::<String>::new(), "{optional}");
        }
    }
}
