//! The bodies of functions and closures, which the engine shows only in a walk over all of them.

use std::collections::BTreeMap;

use rhai::{AST, ASTNode, Module, ScriptFuncDef, Shared, Stmt};

/// The body of a function or a closure.
pub struct Body {
    pub parameters: Vec<String>,
    pub body: Vec<Stmt>,
}

/// Bodies by name; those with the same name differ in the number of arguments, or in the type of `this`.
pub type Bodies = BTreeMap<String, Vec<Body>>;

pub fn bodies(ast: &AST) -> Bodies {
    let mut bodies = Bodies::new();
    for (function, alone) in alone(ast) {
        let mut body = Vec::new();
        alone.walk(&mut |path| {
            if let [ASTNode::Stmt(statement)] = path {
                body.push((*statement).clone());
            }
            true
        });
        let parameters = function.params.iter().map(ToString::to_string).collect();
        bodies.entry(function.name.to_string()).or_default().push(Body { parameters, body });
    }
    bodies
}

/// Each function and closure of a tree, with a tree of its own.
pub fn alone(ast: &AST) -> impl Iterator<Item = (&ScriptFuncDef, AST)> {
    ast.iter_fn_def().map(|function: &Shared<ScriptFuncDef>| {
        let mut module = Module::new();
        module.set_script_fn(function.clone());
        (&**function, AST::new_from_module(module))
    })
}

/// The bodies that have a name in the text.
pub fn named(bodies: &Bodies) -> impl Iterator<Item = (&String, &Body)> {
    let named = bodies.iter().filter(|(name, _)| !is_closure(name));
    named.flat_map(|(name, bodies)| bodies.iter().map(move |body| (name, body)))
}

pub fn is_closure(function: &str) -> bool {
    function.starts_with("anon$")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parser::parser;

    #[test]
    fn each_function_is_looked_at_alone_and_none_twice() {
        let text: String =
            (0..200).map(|n| format!("fn f{n}(x) {{ if x > {n} {{ print(|y| y + {n}); }} x }}\n")).collect();
        let ast = parser().compile(format!("{text} print(1);")).unwrap();
        let nodes = |ast: &AST| {
            let mut nodes = 0;
            ast.walk(&mut |_| {
                nodes += 1;
                true
            });
            nodes
        };
        let of_functions: usize = alone(&ast).map(|(_, alone)| nodes(&alone)).sum();
        assert_eq!(of_functions, nodes(&ast.clone_functions_only()));
        assert_eq!(alone(&ast).count(), 400);
        let bodies = bodies(&ast);
        assert_eq!((named(&bodies).count(), bodies["f7"][0].parameters.as_slice()), (200, &["x".to_owned()][..]));
        assert_eq!(bodies["f7"][0].body.len(), 2);
    }
}
