//! The parameters that a runbook declares, and the questions that its text asks people.

use rhai::{AST, ASTNode, Expr, Ident, Stmt};
use serde_json::Value;

use crate::language::value::to_shown;

/// A parameter that a runbook declares with `param("name", #{ default, help })`.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub name: String,
    pub default: Option<Value>,
    pub help: Option<String>,
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

/// The fields of a literal object map.
fn fields(options: &Expr) -> Option<&[(Ident, Expr)]> {
    match options {
        Expr::Map(fields, _) => Some(&fields.0),
        _ => None,
    }
}

/// True if its inside may be skipped.
fn is_branch(node: &ASTNode<'_>) -> bool {
    matches!(
        node,
        ASTNode::Stmt(
            Stmt::If(..) | Stmt::Switch(..) | Stmt::While(..) | Stmt::Do(..) | Stmt::For(..) | Stmt::TryCatch(..)
        ) | ASTNode::Expr(Expr::And(..) | Expr::Or(..) | Expr::Coalesce(..))
    )
}

/// True if the text waits for a person's answer anywhere.
pub fn asks_somebody(ast: &AST) -> bool {
    let asks = |path: &[ASTNode]| {
        matches!(path.last(), Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
            if call.name == "confirm")
    };
    !ast.walk(&mut |path| !asks(path))
}

/// True if the runbook asks for parameters with computed names.
pub fn asks_by_computed_name(ast: &AST) -> bool {
    let literal = |path: &[ASTNode]| match path.last() {
        Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) if call.name == "param" => {
            matches!(call.args.first(), Some(Expr::StringConstant(..)))
        }
        _ => true,
    };
    !ast.walk(&mut |path| literal(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parser::parser;

    #[test]
    fn parameters_are_listed_with_default_and_help() {
        let ast = parser()
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
        let needed = |source: &str| needed(&parser().compile(source).unwrap());
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
