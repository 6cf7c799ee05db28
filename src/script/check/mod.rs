//! What can be found wrong in a runbook without running it, by a walk over its syntax tree with the table.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, FnPtr, Position, Stmt};

mod calls;
mod chains;
pub mod examine;
mod fields;
mod files;
mod functions;
mod impossible;
mod knowledge;
mod literals;
mod natives;
mod program;
mod shape;
mod state;
mod unused;
mod values;
mod walk;
mod written;

use super::arguments::options_instead;
use super::bodies::{alone, is_closure};
use super::catalog;
use super::finding::{CapturedWrites, Finding, captured_write};
use super::meant::meant;
use super::spec::{Kind, Spec};
use crate::error::Error;

/// Methods that change the list, map or text they are called on.
const MUTATORS: [&str; 24] = [
    "push",
    "append",
    "insert",
    "pop",
    "shift",
    "remove",
    "clear",
    "truncate",
    "splice",
    "drain",
    "retain",
    "reverse",
    "sort",
    "sort_by",
    "sort_desc",
    "dedup",
    "set",
    "mixin",
    "fill_with",
    "pad",
    "chop",
    "extract_mut",
    "replace",
    "crop",
];

/// Every mistake in the tree, in the order of the file.
pub fn check(engine: &Engine, ast: &AST) -> Vec<Finding> {
    let known = Names::of(engine, ast);
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
    ast: &'a AST,
    native: BTreeSet<String>,
    script: BTreeMap<String, BTreeSet<usize>>,
    variables: BTreeSet<String>,
}

impl<'a> Names<'a> {
    fn of(engine: &Engine, ast: &'a AST) -> Self {
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
        Self { ast, native: native.into_iter().collect(), script, variables }
    }

    /// The internal name of a closure written as an argument, and its parameters beside what it captures.
    fn closure(&self, argument: &Expr) -> Option<(String, usize)> {
        let name = closure_name(argument)?;
        let captured = captured_by(argument);
        let all = self.script.get(&name)?.first()?;
        Some((name, all.saturating_sub(captured)))
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let natives = self.native.iter().map(String::as_str).filter(|name| name.starts_with(char::is_alphabetic));
        catalog::names().keys().map(String::as_str).chain(self.script.keys().map(String::as_str)).chain(natives)
    }
}

/// As a script declares a function, in all its forms: `` `ensure(vm)` or `ensure(vm, to)` ``.
fn signature(ast: &AST, name: &str) -> String {
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
            let error = calls::arity(name, arities, call.args.len());
            found(error.hint(signature(known.ast, name)), position);
        }
        return;
    }
    let Some(function) = catalog::find(name) else {
        if !known.native.contains(name) && !KEYWORDS.contains(&name) && !known.variables.contains(name) {
            found(unknown_function(name, known.all()), position);
        }
        return;
    };
    let (least, most) = function.arity();
    if call.args.len() < least || call.args.len() > most {
        found(wrong_arity(function, name, call.args.len()), position);
        return;
    }
    check_arguments(function, name, &call.args, &mut found);
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

/// Whether a closure that it is given works on copies of what it captured.
fn runs_beside(function: &Spec) -> bool {
    matches!(function.name, "wave" | "each" | "spawn")
}

/// What stands in a call of the table as a literal; of as many arguments as it takes.
fn check_arguments(function: &'static Spec, name: &str, arguments: &[Expr], found: &mut literals::Found<'_>) {
    if let ([argument @ Expr::Map(fields, _)], Some(keys)) = (arguments, options_instead(function))
        && !fields.0.iter().any(|(word, _)| word.name == "id")
    {
        literals::check_keys(name, keys, argument, found);
        return;
    }
    for (argument, index) in arguments.iter().zip(function.assign(arguments.len())) {
        let parameter = &function.parameters[index];
        let (kind, what) = (parameter.kind, format!("`{}` of `{name}`", parameter.name));
        match kind {
            Kind::Options(keys) if matches!(argument, Expr::Map(..)) => {
                literals::check_keys(name, keys, argument, found);
            }
            _ => literals::check_value(kind, argument, parameter.name, &what, found),
        }
    }
}

pub fn unknown_function<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::script(format!("unknown function `{name}`"));
    match meant(name, names) {
        Some(hint) => error.hint(hint),
        None => error.hint("`coriolis-run functions` lists them all"),
    }
}

pub fn wrong_arity(function: &Spec, name: &str, given: usize) -> Error {
    let (least, most) = function.arity();
    let wanted = match (least, most) {
        (least, most) if least == most => crate::error::count(least, "argument"),
        (least, most) => format!("{least} to {most} arguments"),
    };
    let signature = function.signature_as(name);
    Error::script(format!("`{name}` takes {wanted}, not {given}")).hint(format!("`{signature}`"))
}

/// Which closures of the tree write to variables that they captured; a closure inside another counts for both.
pub fn captured_writes(ast: &AST) -> CapturedWrites {
    let captures = captures(ast);
    if captures.is_empty() {
        return CapturedWrites::new();
    }
    let methods = changing_methods(ast);
    let mut writes: CapturedWrites = BTreeMap::new();
    let mut inside: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (function, body) in alone(ast) {
        let Some((closure, captured)) = captures.get_key_value(function.name.as_str()) else { continue };
        let mut own = BTreeSet::new();
        let mut found = Vec::new();
        body.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => drop(own.insert(variable.0.name.to_string())),
                Some(ASTNode::Stmt(Stmt::For(loop_, ..))) => drop(own.insert(loop_.0.name.to_string())),
                Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => found.extend(root(&assignment.1.lhs)),
                Some(ASTNode::Expr(expression @ Expr::Dot(..))) if ends_in_mutator(expression, &methods) => {
                    found.extend(root(expression))
                }
                Some(ASTNode::Expr(Expr::FnCall(call, _))) if call.name == "curry" => {
                    let nested = call.args.first().and_then(constant_closure);
                    inside.entry(closure).or_default().extend(nested);
                }
                _ => {}
            }
            true
        });
        found.retain(|(name, _)| captured.contains(name) && !own.contains(name));
        writes.insert(closure.clone(), found);
    }
    // A closure inside hands its writes to the one around it, as deep as they nest.
    let mut grew = true;
    while std::mem::take(&mut grew) {
        for (outer, nested) in &inside {
            let handed: Vec<_> = nested.iter().filter_map(|name| writes.get(name)).flatten().cloned().collect();
            let (Some(own), Some(captured)) = (writes.get_mut(*outer), captures.get(*outer)) else { continue };
            for write in handed.into_iter().filter(|(name, _)| captured.contains(name)) {
                if !own.contains(&write) {
                    own.push(write);
                    grew = true;
                }
            }
        }
    }
    writes.retain(|_, found| !found.is_empty());
    writes
}

/// The captured variables of every closure that captures any.
fn captures(ast: &AST) -> BTreeMap<String, BTreeSet<String>> {
    let mut captures: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) = path.last()
            && call.name == "curry"
            && let Some(closure) = call.args.first().and_then(constant_closure)
        {
            let names = call.args.iter().skip(1).filter_map(|argument| match argument {
                Expr::Variable(variable, ..) => Some(variable.1.as_str()),
                _ => None,
            });
            captures.entry(closure).or_default().extend(names.map(str::to_owned));
        }
        true
    });
    captures
}

/// The internal name of a closure written as an argument, capturing or not.
pub(super) fn closure_name(argument: &Expr) -> Option<String> {
    match curried(argument) {
        Some(call) => call.args.first().and_then(constant_closure),
        None => constant_closure(argument),
    }
}

/// How many variables a closure written as an argument captures.
fn captured_by(argument: &Expr) -> usize {
    curried(argument).map_or(0, |call| call.args.len().saturating_sub(1))
}

/// How the parser writes down that a closure captures something.
pub(super) fn curried(argument: &Expr) -> Option<&FnCallExpr> {
    let Expr::Stmt(block) = argument else { return None };
    block.statements().iter().find_map(|statement| match statement {
        Stmt::Expr(expression) => match &**expression {
            Expr::FnCall(call, _) if call.name == "curry" => Some(&**call),
            _ => None,
        },
        Stmt::FnCall(call, _) if call.name == "curry" => Some(&**call),
        _ => None,
    })
}

fn constant_closure(expression: &Expr) -> Option<String> {
    let Expr::DynamicConstant(value, _) = expression else { return None };
    value.read_lock::<FnPtr>().map(|closure| closure.fn_name().to_owned())
}

/// The variable that an assignment or a method call changes, and its place.
fn root(expression: &Expr) -> Option<(String, Position)> {
    match expression {
        Expr::Variable(variable, _, position) => Some((variable.1.to_string(), *position)),
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => root(&pair.lhs),
        _ => None,
    }
}

fn ends_in_mutator(expression: &Expr, methods: &BTreeSet<String>) -> bool {
    match expression {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => ends_in_mutator(&pair.rhs, methods),
        Expr::MethodCall(call, _) => MUTATORS.contains(&call.name.as_str()) || methods.contains(call.name.as_str()),
        _ => false,
    }
}

/// The functions of the script that change `this`.
pub(super) fn changing_methods(ast: &AST) -> BTreeSet<String> {
    let is_this = |expression: &Expr| {
        let mut expression = expression;
        while let Expr::Dot(pair, ..) | Expr::Index(pair, ..) = expression {
            expression = &pair.lhs;
        }
        matches!(expression, Expr::ThisPtr(_))
    };
    let mut found = BTreeSet::new();
    for (function, body) in alone(ast).filter(|(function, _)| !is_closure(&function.name)) {
        let changes = !body.walk(&mut |path| match path.last() {
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => !is_this(&assignment.1.lhs),
            Some(ASTNode::Expr(expression @ Expr::Dot(..))) => {
                !(is_this(expression) && ends_in_mutator(expression, &BTreeSet::new()))
            }
            _ => true,
        });
        if changes {
            found.insert(function.name.to_string());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::engine::bare;

    fn findings(code: &str) -> Vec<(usize, usize, String, Option<String>)> {
        let engine = bare();
        let ast = engine.compile(code).expect("the code parses");
        check(&engine, &ast)
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
                (4, 19, "`replica_create` knows no key `instnce`".into(), Some("did you mean `instance`?".into())),
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
