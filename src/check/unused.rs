//! Unused results: work that is begun and not waited for, objects that are made and forgotten, closures that outlive
//! the turn of the loop in which they were made.

use rhai::{Expr, FnCallExpr, Position, Stmt};

use crate::check::program::{Told, spot};
use crate::check::shape::{Begun, Shape};
use crate::check::walk::Walk;
use crate::error::Error;
use crate::report::values::diagnostic::Severity;

impl Walk<'_> {
    /// Records a variable whose value should be used.
    pub(super) fn expect_use(&mut self, name: &str, declared: Position, expression: &Expr, shape: &Shape) {
        if name.starts_with('_') || self.quiet > 0 {
            return;
        }
        let call = match expression {
            Expr::FnCall(call, position) if call.namespace.is_empty() => {
                self.catalog.find(&call.name).map(|row| (row, &call.name, *position))
            }
            _ => None,
        };
        let error = match (shape.begun(), call) {
            (Some(begun), _) if matches!(shape, Shape::Map(_)) => {
                Error::script(format!("nothing waits for the {} that `{name}` holds", begun.what))
                    .hint(format!("wait where it begins: `wait_for({}(...))`", begun.call))
            }
            (Some(begun), _) => Error::script(format!("`{name}` is never used: nothing waits for the {}", begun.what))
                .hint(format!("write `wait_for({name})`")),
            (None, Some((row, written, _))) if row.name == "transfer_create" => {
                Error::script(format!("`{name}` is never used: the result of `{written}` is not used"))
                    .hint(format!("use `{name}`, or leave out `let {name} =`"))
            }
            (None, Some((row, written, _))) if row.name == "endpoint_validate_connection" => {
                Error::script(format!("`{name}` is never used: the result of `{written}` is not checked"))
                    .hint(format!("look at it: `if !{name}.valid {{ throw {name}.message }}`"))
            }
            _ => return,
        };
        let creates = shape.begun().is_none() && call.is_some_and(|(row, ..)| row.name == "transfer_create");
        let position = call.map_or(declared, |(.., position)| position);
        let position = if position.line() == declared.line() { declared } else { position };
        let told = Told { file: self.file, severity: Severity::Warning, error, position };
        let unread = if creates { &mut self.unread_replicas } else { &mut self.unread };
        unread.insert(spot(self.file, declared), told);
    }

    /// Checks the value of a statement, which nobody gets.
    pub(super) fn dropped(&mut self, value: &Shape, statement: &Stmt) {
        if self.quiet > 0 {
            return;
        }
        if let Some(begun) = value.begun().cloned() {
            // The result of a function is dropped by its caller, unless the function ends in a plain call.
            let own = self.plain_call(statement).filter(|_| !self.ends_as_statement(&begun));
            let (file, position) = own.map_or((begun.file, begun.position), |position| (self.file, position));
            let error = Error::script(format!("nothing waits for the {} that `{}` begins", begun.what, begun.call))
                .hint(format!(
                    "write `wait_for({}(...))`, or keep it: `let {} = {}(...);`",
                    begun.call,
                    begun.what.split('\'').next().unwrap_or("begun"),
                    begun.call
                ));
            let told = Told { file, severity: Severity::Warning, error, position };
            self.unwaited.push((begun, told));
            return;
        }
        match statement {
            Stmt::FnCall(call, position) => self.dropped_call(call, *position),
            Stmt::Expr(expression) => {
                if let Expr::FnCall(call, position) = &**expression {
                    self.dropped_call(call, *position);
                }
            }
            _ => {}
        }
    }

    pub(super) fn dropped_call(&mut self, call: &FnCallExpr, position: Position) {
        let (row, name) = (self.catalog.find(&call.name), &call.name);
        if name == "==" {
            let hint = "`=` sets a variable";
            self.doubt(Error::script("this compares, and its result is not used").hint(hint), position);
        } else if row.is_some_and(|row| row.name == "endpoint_validate_connection") {
            let error = Error::script(format!("the result of `{name}` is not checked"));
            let hint = format!(
                "look at it: `let tried = {name}(...); if !tried.valid {{ throw tried.message }}`; it does not throw"
            );
            self.doubt(error.hint(hint), position);
        }
    }

    /// The position of a call that is a whole statement, and of a function of the script or of a module.
    pub(super) fn plain_call(&self, statement: &Stmt) -> Option<Position> {
        let (call, position) = match statement {
            Stmt::FnCall(call, position) => (&**call, *position),
            Stmt::Expr(expression) => match &**expression {
                Expr::FnCall(call, position) => (&**call, *position),
                Expr::Dot(..) => last_method(expression)?,
                _ => return None,
            },
            _ => return None,
        };
        let own = !call.namespace.is_empty() || self.has_function(&call.name, call.args.len());
        own.then_some(position)
    }

    /// True if the call that began it is followed by a semicolon.
    pub(super) fn ends_as_statement(&self, begun: &Begun) -> bool {
        let (Some(line), Some(column)) = (begun.position.line(), begun.position.position()) else { return false };
        self.files[begun.file].syntax.after_call(line, column).as_deref() == Some(";")
    }

    /// A closure is stored longer than the turn of the loop that made it.
    pub(super) fn kept(&mut self, value: &Shape, root: usize) {
        let target = self.variables[root].loops;
        let mut told = Vec::new();
        for captured in value.closures().iter().flat_map(|closure| &closure.captured) {
            let variable = &self.variables[captured.variable];
            let message =
                format!("this closure is kept, and will see the last value of the loop's `{}`", captured.name);
            let hint = format!("copy it first: `let own_{0} = {0};`, and use `own_{0}`", captured.name);
            let error = Error::script(message).hint(hint);
            if variable.turns && variable.loops > target {
                told.push((error, captured.position));
            } else if variable.loops < self.loops
                && target < self.loops
                && let Some(turn) = self.turns.last_mut()
            {
                turn.if_changed.push((captured.variable, error, captured.position));
            }
        }
        for (error, position) in told {
            self.doubt(error, position);
        }
    }

    /// Begun work is put into a list: somebody should wait for the list.
    pub(super) fn collected(&mut self, value: &Shape, root: usize, position: Position) {
        let (Some(begun), variable) = (value.begun(), &self.variables[root]) else { return };
        if self.quiet > 0 || variable.declared.is_none() {
            return;
        }
        let name = &variable.name;
        let error = Error::script(format!("`{name}` is never used: nothing waits for the work collected in it"))
            .hint(format!("write `wait_for({name})`"));
        let file = self.file;
        let position = if begun.file == file { begun.position } else { position };
        let told = Told { file, severity: Severity::Warning, error, position };
        self.unread.entry(spot(variable.file, variable.declared)).or_insert(told);
    }

    /// Reports a parameter of the runbook with two defaults.
    pub(super) fn parameter_again(&mut self, spelled: &[Expr], position: Position) {
        let [Expr::StringConstant(name, _), Expr::Map(fields, _)] = spelled else { return };
        let default = fields.0.iter().find(|(word, _)| word.name == "default").map(|(_, value)| value);
        let Some(default) = default.and_then(|value| value.get_literal_value(None)) else { return };
        let default = format!("{default:?}");
        match self.parameters.get(name.as_str()) {
            Some(other) if *other != default => {
                let error = Error::script(format!("the parameter `{name}` has two defaults, {other} and {default}"));
                self.doubt(error.hint("keep it in a variable, or give one of them another name"), position);
            }
            Some(_) => {}
            None => drop(self.parameters.insert(name.to_string(), default)),
        }
    }
}

/// The method at the end of a chain.
pub(super) fn last_method(expression: &Expr) -> Option<(&FnCallExpr, Position)> {
    match expression {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => last_method(&pair.rhs),
        Expr::MethodCall(call, position) => Some((call, *position)),
        _ => None,
    }
}
