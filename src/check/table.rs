//! The calls of a script, each by its own words: missing functions, numbers of arguments, literals.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};

use crate::check::literals;
use crate::error::{Error, count};
use crate::language::arguments::options_instead;
use crate::language::bodies::is_closure;
use crate::language::captures::{captured_by, captured_writes, closure_name};
use crate::language::catalog::Catalog;
use crate::language::finding::{CapturedWrites, Finding, captured_write};
use crate::language::meant::unknown_function;
use crate::language::spec::{Kind, Spec};

/// Every mistake in the tree, in the order of the file.
pub fn check(engine: &Engine, catalog: &Catalog, ast: &AST) -> Vec<Finding> {
    let known = Names::of(engine, catalog, ast);
    let writes = captured_writes(ast);
    let mut findings = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, position)) | ASTNode::Stmt(Stmt::FnCall(call, position))) =
            path.last()
        {
            check_call(call, *position, &known, &writes, &mut findings);
        }
        true
    });
    findings.sort_by_key(|finding| (finding.line, finding.column));
    findings
}

struct Names<'a> {
    catalog: &'a Catalog,
    ast: &'a AST,
    native: BTreeSet<String>,
    script: BTreeMap<String, BTreeSet<usize>>,
    variables: BTreeSet<String>,
}

impl<'a> Names<'a> {
    fn of(engine: &Engine, catalog: &'a Catalog, ast: &'a AST) -> Self {
        let native = engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
        let mut script: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for function in ast.iter_functions() {
            script.entry(function.name.to_owned()).or_default().insert(function.params.len());
        }
        let mut variables = BTreeSet::new();
        ast.walk(&mut |path| {
            if let Some(ASTNode::Stmt(Stmt::Var(variable, ..))) = path.last() {
                variables.insert(variable.0.name.to_string());
            }
            true
        });
        Self { catalog, ast, native: native.into_iter().collect(), script, variables }
    }

    /// The internal name of a closure written as an argument, and the number of its own parameters.
    fn closure(&self, argument: &Expr) -> Option<(String, usize)> {
        let name = closure_name(argument)?;
        let captured = captured_by(argument);
        let all = self.script.get(&name)?.first()?;
        Some((name, all.saturating_sub(captured)))
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let natives = self.native.iter().map(String::as_str).filter(|name| name.starts_with(char::is_alphabetic));
        self.catalog.names().keys().map(String::as_str).chain(self.script.keys().map(String::as_str)).chain(natives)
    }
}

/// The declarations of a function in the script: `` `ensure(vm)` or `ensure(vm, to)` ``.
pub(super) fn signature(ast: &AST, name: &str) -> String {
    let forms = ast.iter_functions().filter(|function| function.name == name);
    forms.map(|function| format!("`{name}({})`", function.params.join(", "))).collect::<Vec<_>>().join(" or ")
}

/// Words of the language that look like calls.
const KEYWORDS: [&str; 14] = [
    "curry",
    "call",
    "Fn",
    "is_shared",
    "is_def_var",
    "is_def_fn",
    "type_of",
    "print",
    "debug",
    "eval",
    "this",
    "super",
    "timestamp",
    "exit",
];

fn check_call(
    call: &FnCallExpr,
    position: Position,
    known: &Names<'_>,
    writes: &CapturedWrites,
    findings: &mut Vec<Finding>,
) {
    let name = call.name.as_str();
    if !call.namespace.is_empty() || call.op_token.is_some() || is_closure(name) {
        return;
    }
    let mut found = |error: Error, position: Position| {
        let (line, column) = (position.line().unwrap_or(1), position.position().unwrap_or(1));
        findings.push(Finding { error, line, column });
    };
    if let Some(arities) = known.script.get(name) {
        if !arities.contains(&call.args.len()) && !known.native.contains(name) {
            let error = arity(name, arities, call.args.len());
            found(error.hint(signature(known.ast, name)), position);
        }
        return;
    }
    let Some(function) = known.catalog.find(name) else {
        if !known.native.contains(name) && !KEYWORDS.contains(&name) && !known.variables.contains(name) {
            found(unknown_function(name, known.all()), position);
        }
        return;
    };
    let (least, most) = function.arity();
    if call.args.len() < least || call.args.len() > most {
        found(function.wrong_arity(name, call.args.len()), position);
        return;
    }
    check_arguments(known.catalog, function, name, &call.args, &mut found);
    for argument in &call.args {
        if let Some((closure, parameters)) = known.closure(argument) {
            literals::check_closure(function, parameters, argument.position(), &mut found);
            if runs_beside(function)
                && let Some((variable, position)) = writes.get(&closure).and_then(|writes| writes.first())
            {
                found(captured_write(variable, function.name), *position);
            }
        }
    }
}

/// True if a closure given to it works on copies of its captures.
pub(super) fn runs_beside(function: &Spec) -> bool {
    matches!(function.name, "wave" | "each" | "spawn")
}

/// Checks the literal arguments of a call of the table, whose number is right.
pub(super) fn check_arguments(
    catalog: &Catalog,
    function: &'static Spec,
    name: &str,
    arguments: &[Expr],
    found: &mut literals::Found<'_>,
) {
    if let ([argument @ Expr::Map(fields, _)], Some(keys)) = (arguments, options_instead(function))
        && !fields.0.iter().any(|(word, _)| word.name == "id")
    {
        literals::check_keys(catalog, name, keys, argument, found);
        return;
    }
    for (argument, index) in arguments.iter().zip(function.assign(arguments.len())) {
        let parameter = &function.parameters[index];
        let (kind, what) = (parameter.kind, format!("`{}` of `{name}`", parameter.name));
        match kind {
            Kind::Options(keys) if matches!(argument, Expr::Map(..)) => {
                literals::check_keys(catalog, name, keys, argument, found);
            }
            _ => literals::check_value(catalog, kind, argument, parameter.name, &what, found),
        }
    }
}

/// The error of a call with a number of arguments that none of the function's forms has.
pub(super) fn arity(name: &str, counts: &BTreeSet<usize>, given: usize) -> Error {
    let wanted = match counts.iter().collect::<Vec<_>>().as_slice() {
        [only] => count(**only, "argument"),
        several => format!("{} arguments", several.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")),
    };
    Error::script(format!("`{name}` takes {wanted}, not {given}")).hint(if counts.iter().all(|count| *count < given) {
        "leave out the extra ones"
    } else {
        "add the missing ones"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::catalog;
    use crate::runtime::engine::bare;

    fn findings(code: &str) -> Vec<(usize, usize, String, Option<String>)> {
        let engine = bare();
        let ast = engine.compile(code).expect("the code parses");
        check(&engine, catalog(), &ast)
            .into_iter()
            .map(|finding| (finding.line, finding.column, finding.error.message, finding.error.hint))
            .collect()
    }

    #[test]
    fn misspelt_functions_and_wrong_arguments_are_found_with_their_place() {
        assert_eq!(
            findings("let x = 1;\n  endpoint_lsit();\nwave(\"a\", [x]);\nreplica_create(#{ instnce: \"x\" });"),
            [
                (2, 3, "unknown function `endpoint_lsit`".into(), Some("did you mean `endpoint_list`?".into())),
                (
                    3,
                    1,
                    "`wave` takes 3 to 4 arguments, not 2".into(),
                    Some("`wave(name, items, [options], body)`".into())
                ),
                (4, 19, "`replica_create` has no key `instnce`".into(), Some("did you mean `instance`?".into())),
            ]
        );
    }

    #[test]
    fn closures_of_a_wave_that_change_what_they_captured_are_refused() {
        for code in [
            "let n = 0; wave(\"a\", [1], |x| { n += x; });",
            "let seen = []; each([1], |x| seen.push(x));",
            "let m = #{}; each([1], |x| { m.count = x; });",
            "let n = 0; each([1], |x| { [1].for_each(|| n += 1); });",
        ] {
            let found = findings(code);
            assert!(found.len() == 1 && found[0].2.contains("which it captured"), "{code}: {found:?}");
        }
        for code in [
            "let n = 0; wave(\"a\", [1], |x| { let n = x; n += 1; n });",
            "let n = 0; [1].for_each(|| n += 1);",
            "let m = #{a: 1}; each([1], |x| m.a + x);",
            "const LIMIT = 3; fn double(x) { x * 2 } each([1], |x| double(x) + LIMIT);",
        ] {
            assert_eq!(findings(code), [], "{code}");
        }
    }
}
