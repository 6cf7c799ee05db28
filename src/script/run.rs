//! A runbook from its text to its result: parse, check, run, and what to say when something is wrong.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{AST, ASTNode, Dynamic, Engine, Expr, ParseError, ParseErrorType, Scope, Stmt};
use serde_json::Value;

use super::catalog;
use super::check::{Finding, captured_writes, check, unknown_function, wrong_arity};
use super::error::{Located, locate};
use super::host::{Host, Lane};
use super::value::to_shown;
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
    let ast = engine.compile(source).map_err(|error| vec![unparsed(&error, source)])?;
    let findings = check(engine, &ast);
    if findings.is_empty() { Ok(ast) } else { Err(findings) }
}

/// Runs a compiled runbook on the lane `main`; it has ended when its jobs have.
///
/// # Errors
/// What the script throws, with its place and a suggestion.
pub fn evaluate(engine: &Engine, host: &Arc<Host>, main: &Arc<Lane>, ast: &AST) -> Result<Dynamic, Located> {
    let value = evaluate_in(engine, host, main, ast, &mut Scope::new());
    let jobs = host.jobs.join(&host.clock);
    let value = value?;
    jobs.map_err(|error| Located { error, place: None, through: Vec::new() })?;
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
    let run = || main.enter(|| engine.eval_ast_with_scope::<Dynamic>(scope, ast));
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(thrown)) => Err(explain(locate(&thrown), engine, host, ast)),
        Err(_) => {
            let error = Error::internal("a bug stopped the script").hint("please report this");
            Err(Located { error, place: None, through: Vec::new() })
        }
    }
}

/// The parameters of a runbook, in the order of the text.
pub fn declared(ast: &AST) -> Vec<Declared> {
    let mut found: Vec<Declared> = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) = path.last()
            && call.name == "param"
            && let Some(Expr::StringConstant(name, _)) = call.args.first()
            && !found.iter().any(|known| known.name == name.as_str())
        {
            let options = call.args.get(1).and_then(|options| match options {
                Expr::Map(fields, _) => Some(&fields.0),
                _ => None,
            });
            let field = |word: &str| {
                let value = options?.iter().find(|(name, _)| name.name == word)?;
                value.1.get_literal_value(None).map(|value| to_shown(&value))
            };
            let help = field("help").and_then(|help| help.as_str().map(str::to_owned));
            found.push(Declared { name: name.to_string(), default: field("default"), help });
        }
        true
    });
    found
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

/// Words that stand in the text, where a misspelt one may be meant for.
fn words(source: &str) -> BTreeSet<&str> {
    source.split(|character| !is_word(character)).filter(|word| word.starts_with(char::is_alphabetic)).collect()
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Whether the runbook declares a constant of this name; functions do not see it without `global::`.
fn is_constant(name: &str, source: &str) -> bool {
    source
        .split("const ")
        .skip(1)
        .any(|rest| rest.trim_start().strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('=')))
}

pub(super) fn unparsed(error: &ParseError, source: &str) -> Finding {
    let position = error.position();
    let last = source.lines().count().max(1);
    let (line, column) = match position.line() {
        Some(line) if line <= last => (line, position.position().unwrap_or(1)),
        // At the end of the text, which may be behind its last line.
        _ => (last, source.lines().last().map_or(1, |last| last.chars().count().max(1))),
    };
    let error = match error.err_type() {
        ParseErrorType::VariableUndefined(name) => {
            let error = Error::script(format!("undefined variable `{name}`"));
            match suggest(name, declared_words(source)) {
                _ if is_constant(name, source) => {
                    error.hint(format!("a function sees a constant of the runbook as `global::{name}`"))
                }
                _ if declarations(source).any(|declared| declared == name) => error.hint(out_of_reach(name)),
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("declare it: `let {name} = ...;`")),
            }
        }
        ParseErrorType::ModuleUndefined(name) => {
            Error::script(format!("undefined module `{name}`")).hint(format!("import it: `import \"file\" as {name};`"))
        }
        ParseErrorType::Reserved(word) => {
            Error::script(format!("`{word}` is a reserved word")).hint("choose another name")
        }
        ParseErrorType::UnexpectedEOF => {
            Error::script("the script ends too early").hint("is a bracket, a brace or a quote not closed?")
        }
        ParseErrorType::MissingToken(token, why) => Error::script(format!("expected `{token}` {why}")),
        other => Error::script(lowercase(&other.to_string())),
    };
    Finding { error, line, column }
}

/// Declared, but not where it is used.
fn out_of_reach(name: &str) -> String {
    format!(
        "it is declared in another block or outside of this function: pass it in, or make it a `const` and write `global::{name}`"
    )
}

/// The names that `let`, `const` and `for` declare.
fn declarations(source: &str) -> impl Iterator<Item = &str> {
    ["let ", "const ", "for "]
        .into_iter()
        .flat_map(move |keyword| source.match_indices(keyword).map(move |(at, _)| &source[at + keyword.len()..]))
        .filter_map(|text| text.split(|character| !is_word(character)).next())
}

/// The same, with the parameters of functions and closures.
fn declared_words(source: &str) -> impl Iterator<Item = &str> {
    let mut names: Vec<&str> = declarations(source).collect();
    for (at, _) in source.match_indices(['|', '(']) {
        let end = source[at + 1..].find(['|', ')']).map_or(source.len(), |end| at + 1 + end);
        names.extend(words(&source[at + 1..end]));
    }
    names.into_iter()
}

/// The first letter small, unless the word is a name.
fn lowercase(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().collect::<String>() + characters.as_str()
        }
        _ => text.to_owned(),
    }
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
    } else if let Some(name) = detail("missing_field") {
        let known = host.known_fields();
        if let Some(near) = suggest(&name, known.iter().map(String::as_str)) {
            located.error = located.error.hint(format!("did you mean `{near}`?"));
        } else {
            located.error = located.error.hint(format!("ask first: `{name}` in the object map, or use `?.{name}`"));
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
    fn mistakes_of_syntax_say_where_and_what() {
        assert_eq!(
            mistakes("let vms = [];\nprint(vmss);"),
            [(2, 7, "undefined variable `vmss`".into(), Some("did you mean `vms`?".into()))]
        );
        assert_eq!(
            mistakes("let limit = 3;\nfn double(x) { x * limit }"),
            [(2, 20, "undefined variable `limit`".into(), Some(out_of_reach("limit")))]
        );
        assert_eq!(
            mistakes("const K = 3; fn f() { K } f();"),
            [(
                1,
                23,
                "undefined variable `K`".into(),
                Some("a function sees a constant of the runbook as `global::K`".into())
            )]
        );
        assert_eq!(mistakes("let x = (1;").len(), 1);
        assert_eq!(
            mistakes("wave(\"a\", [1], |vm| {\n  print(vm);\n"),
            [(2, 12, "expected `}` to terminate this block".into(), None)]
        );
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
}
