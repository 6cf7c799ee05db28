//! The variables that closures capture, and the writes to them.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, FnPtr, Position, Stmt};

use crate::language::bodies::{alone, is_closure};
use crate::language::finding::CapturedWrites;

/// Methods that change the list, map or text that they are called on.
pub const MUTATORS: [&str; 24] = [
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

/// The closures of the tree that write to variables they captured; a closure inside another counts for both.
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
    // A closure passes its writes on to the one around it, at any depth.
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
pub fn closure_name(argument: &Expr) -> Option<String> {
    match curried(argument) {
        Some(call) => call.args.first().and_then(constant_closure),
        None => constant_closure(argument),
    }
}

/// The number of variables that a closure written as an argument captures.
pub fn captured_by(argument: &Expr) -> usize {
    curried(argument).map_or(0, |call| call.args.len().saturating_sub(1))
}

/// The parser's representation of a closure with captures.
pub fn curried(argument: &Expr) -> Option<&FnCallExpr> {
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
pub fn changing_methods(ast: &AST) -> BTreeSet<String> {
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
