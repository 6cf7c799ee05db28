//! The results of the script's functions and closures: their bodies are walked for each shape of their arguments.

use std::sync::Arc;

use rhai::{Position, Stmt};

use crate::check::knowledge::Known;
use crate::check::shape::{Closure, Shape};
use crate::check::walk::Walk;
use crate::language::bodies::is_closure;
use crate::language::scope::Names;

/// Calls nested deeper than this are not followed.
const DEEPEST: usize = 12;

impl Walk<'_> {
    /// The result of a closure for these arguments; missing ones can be anything.
    pub(super) fn closure(&mut self, closure: &Arc<Closure>, arguments: Vec<Known>) -> Shape {
        self.closure_of(Shape::Any, closure, arguments)
    }

    /// The same on a value, which is `this` inside.
    pub(super) fn closure_of(&mut self, this: Shape, closure: &Arc<Closure>, mut arguments: Vec<Known>) -> Shape {
        self.called.insert((closure.file, closure.name.clone()));
        let Some(tree) = &self.files[closure.file].tree else { return Shape::Any };
        let Some(body) = tree.body(&closure.name, None) else { return Shape::Any };
        if !is_closure(&closure.name) {
            if !self.has_function(&closure.name, arguments.len()) {
                arguments.resize_with(body.parameters.len(), || Shape::Any.into());
            }
            return self.function_of(this, closure.file, &closure.name, arguments).shape;
        }
        let captured = closure.captured.iter().map(|captured| (captured.name.clone(), captured.variable)).collect();
        let own = body.parameters.iter().skip(closure.hidden);
        let parameters: Vec<(String, Known)> =
            own.cloned().zip(arguments.into_iter().chain(std::iter::repeat_with(|| Shape::Any.into()))).collect();
        let called = (closure.file, closure.name.clone());
        self.perhaps(|walk| walk.inside(called, this, captured, parameters, &body.body).shape)
    }

    /// The result of a function for these arguments.
    pub(super) fn function(&mut self, file: usize, name: &str, arguments: Vec<Known>) -> Known {
        self.function_of(Shape::Any, file, name, arguments)
    }

    /// The same on a value, which is `this` inside.
    pub(super) fn function_of(&mut self, this: Shape, file: usize, name: &str, arguments: Vec<Known>) -> Known {
        self.called.insert((file, name.to_owned()));
        let Some(tree) = &self.files[file].tree else { return Shape::Any.into() };
        let Some(body) = tree.body(name, Some(arguments.len())) else { return Shape::Any.into() };
        let shapes: Vec<&Shape> = arguments.iter().map(|known| &known.shape).collect();
        let literals: Vec<_> =
            arguments.iter().map(|known| known.literal.as_ref().map(|of| (&of.expression, &of.pieces))).collect();
        let how = (self.quiet > 0, self.tried_files > 0);
        let key = format!("{file} {name} {how:?} {this:?} {shapes:?} {literals:?}");
        if let Some(known) = self.answers.get(&key) {
            return known.clone();
        }
        let parameters = body.parameters.iter().cloned().zip(arguments).collect();
        let given = self.inside((file, name.to_owned()), this, Names::default(), parameters, &body.body);
        self.answers.insert(key, given.clone());
        given
    }

    pub(super) fn inside(
        &mut self,
        called: (usize, String),
        this: Shape,
        scope: Names<usize>,
        parameters: Vec<(String, Known)>,
        body: &[Stmt],
    ) -> Known {
        if self.calls.len() >= DEEPEST || self.calls.contains(&called) {
            return Shape::Any.into();
        }
        let (outside, file) = (std::mem::replace(&mut self.scope, scope), self.file);
        let (tried, asked) = (std::mem::take(&mut self.tried), std::mem::take(&mut self.asked));
        // A function does not see the conditions around it, a closure does.
        let own = if is_closure(&called.1) { self.conditions.clone() } else { Vec::new() };
        let conditions = std::mem::replace(&mut self.conditions, own);
        let (unsure, left) = (self.unsure, std::mem::take(&mut self.left));
        let trying = std::mem::take(&mut self.trying);
        let this = std::mem::replace(&mut self.this, this);
        self.file = called.0;
        self.calls.push(called);
        self.returns.push(Vec::new());
        let (seen, closures) = (self.variables.len(), self.closures);
        for (name, known) in parameters {
            self.declare(&name, Position::NONE, false, known);
        }
        let last = self.statements(body);
        let returns = self.returns.pop().unwrap_or_default();
        self.calls.pop();
        (self.file, self.scope, self.tried, self.asked) = (file, outside, tried, asked);
        (self.conditions, self.this, self.unsure, self.left, self.trying) = (conditions, this, unsure, left, trying);
        // Its own variables are out of scope, and would otherwise be copied at each later branch.
        if self.closures == closures {
            self.variables.truncate(seen);
            self.state.truncate(seen);
        }
        // If it never reaches its end, its results are only those of `return`.
        let mut given = returns.into_iter().chain(Some(last).filter(|last| last.shape != Shape::Never));
        let first = given.next().unwrap_or_else(|| Shape::Unit.into());
        given.fold(first, Known::join)
    }

    /// True if this file has a function with that name and number of arguments.
    pub(super) fn has_function(&self, name: &str, arguments: usize) -> bool {
        self.tree().and_then(|tree| tree.functions.get(name)).is_some_and(|known| known.contains(&arguments))
    }
}
