//! Expressions: their certain values, and their literals.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::{Expr, FnPtr, ImmutableString, Position};

use crate::check::knowledge::Known;
use crate::check::literals::near;
use crate::check::program::spot;
use crate::check::shape::{Captured, Closure, Fields, Origin, Shape};
use crate::check::unused::last_method;
use crate::check::walk::Walk;
use crate::check::written::{UNKNOWN, Written, merged, one_of, parts, words};
use crate::error::Error;
use crate::language::captures::{closure_name, curried};

impl Walk<'_> {
    /// Reports the use of a result that does not exist, because the method only changes the value it is called on.
    pub(super) fn given_nothing(&mut self, expression: &Expr) {
        if matches!(expression, Expr::Dot(..))
            && let Some((call, position)) = last_method(expression)
            && self.natives.gives_nothing(&call.name, call.args.len() + 1)
            && !self.has_function(&call.name, call.args.len())
            && self.catalog.find(&call.name).is_none()
        {
            let error =
                Error::script(format!("`{}` changes the value it is called on, and returns nothing", call.name));
            self.doubt(error.hint(format!("call `.{}(...)` first, and use the value afterwards", call.name)), position);
        }
    }

    /// The value with its literal.
    pub(super) fn valued(&mut self, expression: &Expr) -> Known {
        if let Expr::FnCall(call, position) = expression
            && call.name != "param"
        {
            let mut known = self.call(call, *position);
            if let Some(literal) = known.literal.as_mut().filter(|literal| literal.is_several()) {
                literal.decided_by.extend(words(expression));
            }
            return known;
        }
        if let Expr::Map(..) = expression {
            return self.map(expression);
        }
        if let Expr::Stmt(block) = expression
            && closure_name(expression).is_none()
        {
            return self.block(block);
        }
        let shape = self.expression(expression);
        let literal = self.literal(expression);
        Known { literal, ..shape.into() }
    }

    /// An object map with the values of its fields.
    fn map(&mut self, expression: &Expr) -> Known {
        let mut spelled = expression.clone();
        let Expr::Map(fields, _) = &mut spelled else { return Shape::Any.into() };
        let mut decided_by = BTreeSet::new();
        let mut known = Vec::new();
        for (name, value) in &mut fields.0 {
            let given = self.valued(value);
            known.push((name.name.to_string(), given.shape));
            if let Some(literal) = given.literal.filter(|literal| literal.file == self.file && literal.is_known()) {
                *value = at_call(&literal.expression, value);
                decided_by.extend(literal.decided_by);
            }
        }
        let literal = Some(Written::new(self.file, spelled, decided_by));
        Known { literal, ..Shape::map(Fields::of(Origin::Script, known)).into() }
    }

    /// The literal value, also by way of the variables that hold it.
    pub(super) fn literal(&self, expression: &Expr) -> Option<Written> {
        if let Expr::Variable(variable, ..) = expression
            && let Some(literal) = self.find(&variable.1).and_then(|id| self.state[id].literal.as_ref())
            && (literal.file != self.file || !literal.pieces.is_empty())
        {
            return Some(literal.clone());
        }
        let mut decided_by = BTreeSet::new();
        let expression = self.spelled_by(expression, &mut decided_by)?;
        Some(Written::new(self.file, expression, decided_by))
    }

    fn spelled_by(&self, expression: &Expr, decided_by: &mut BTreeSet<ImmutableString>) -> Option<Expr> {
        match expression {
            Expr::Variable(variable, _, position) if variable.2.path.is_empty() => {
                let name = &variable.1;
                let Written { file, expression, decided_by: by, .. } = self.state[self.find(name)?].literal.as_ref()?;
                let several = matches!(**expression, Expr::Coalesce(..));
                let mut conditions = self.conditions.iter().flatten();
                if conditions.any(|word| several && word == name || by.contains(word)) {
                    return None;
                }
                decided_by.extend(by.iter().cloned().chain(several.then(|| name.clone())));
                one_of(parts(expression).iter().map(|part| match part {
                    // Its own positions are the ones to look at.
                    Expr::Map(..) | Expr::Array(..) if *file != self.file => UNKNOWN,
                    Expr::Map(..) | Expr::Array(..) | Expr::ThisPtr(_) => part.clone(),
                    _ => {
                        let mut part = part.clone();
                        part.set_position(*position);
                        part
                    }
                }))
            }
            Expr::BoolConstant(..)
            | Expr::IntegerConstant(..)
            | Expr::FloatConstant(..)
            | Expr::CharConstant(..)
            | Expr::StringConstant(..)
            | Expr::Unit(_) => Some(expression.clone()),
            Expr::Map(fields, position) => {
                let mut fields = fields.clone();
                for (_, value) in &mut fields.0 {
                    *value = self.spelled(value, decided_by);
                }
                Some(Expr::Map(fields, *position))
            }
            Expr::Array(items, position) => {
                Some(Expr::Array(items.iter().map(|item| self.spelled(item, decided_by)).collect(), *position))
            }
            Expr::Coalesce(ways, _) => {
                one_of(ways.iter().map(|way| self.spelled_by(way, decided_by).unwrap_or(UNKNOWN)))
            }
            Expr::InterpolatedString(parts, position) => {
                let mut text = String::new();
                for part in parts.iter() {
                    match self.spelled_by(part, decided_by)? {
                        Expr::StringConstant(part, _) => text.push_str(&part),
                        _ => return None,
                    }
                }
                Some(Expr::StringConstant(text.into(), *position))
            }
            Expr::FnCall(call, position) if call.name == "param" => {
                let Some(Expr::Map(fields, _)) = call.args.get(1) else { return None };
                let mut default =
                    fields.0.iter().find(|(name, _)| name.name == "default").map(|(_, value)| value.clone())?;
                default.set_position(*position);
                is_scalar(&default).then_some(default)
            }
            Expr::FnCall(call, _) if call.op_token.is_some() && call.name == "+" => {
                let [one, two] = call.args.as_slice() else { return None };
                merged(&self.spelled_by(one, decided_by)?, &self.spelled_by(two, decided_by)?)
            }
            _ => None,
        }
    }

    /// The expression with known variables replaced by their values.
    pub(super) fn spelled(&self, expression: &Expr, decided_by: &mut BTreeSet<ImmutableString>) -> Expr {
        self.spelled_by(expression, decided_by).unwrap_or_else(|| expression.clone())
    }

    pub(super) fn look(&mut self, name: &str) -> Option<usize> {
        let id = self.find(name)?;
        let variable = &self.variables[id];
        self.read.insert(spot(variable.file, variable.declared));
        self.turns.iter_mut().for_each(|turn| turn.read.extend([id]));
        if self.state[id].unread {
            self.state[id].unread = false;
        }
        Some(id)
    }

    pub(super) fn expression(&mut self, expression: &Expr) -> Shape {
        match expression {
            Expr::Unit(_) => Shape::Unit,
            Expr::BoolConstant(..) => Shape::Flag,
            Expr::IntegerConstant(..) => Shape::Integer,
            Expr::FloatConstant(..) => Shape::Float,
            Expr::StringConstant(..) => Shape::Text,
            Expr::CharConstant(..) => Shape::Letter,
            Expr::InterpolatedString(parts, _) => {
                parts.iter().for_each(|part| drop(self.expression(part)));
                Shape::Text
            }
            Expr::Array(items, _) => {
                let mut item = Shape::Never;
                for value in items.iter() {
                    item = item.join(self.expression(value));
                }
                Shape::list(item)
            }
            Expr::Map(fields, _) => {
                let known = fields.0.iter().map(|(name, value)| (name.name.to_string(), self.expression(value)));
                let known: Vec<_> = known.collect();
                Shape::map(Fields::of(Origin::Script, known))
            }
            Expr::Variable(variable, _, position) => self.variable(variable, *position),
            Expr::DynamicConstant(value, position) => {
                let Some(name) = value.read_lock::<FnPtr>().map(|closure| closure.fn_name().to_owned()) else {
                    return Shape::Any;
                };
                self.make(name, Vec::new(), *position)
            }
            Expr::Stmt(block) => match (curried(expression), closure_name(expression)) {
                (Some(call), Some(name)) => {
                    let captured = call.args.iter().skip(1).filter_map(|argument| match argument {
                        Expr::Variable(variable, _, position) => Some((variable.1.clone(), *position)),
                        _ => None,
                    });
                    let captured = captured.collect();
                    self.make(name, captured, expression.position())
                }
                _ => self.block(block).shape,
            },
            Expr::FnCall(call, position) => self.call(call, *position).shape,
            Expr::MethodCall(call, _) => {
                call.args.iter().for_each(|argument| drop(self.expression(argument)));
                Shape::Any
            }
            Expr::ThisPtr(_) => self.this.clone(),
            Expr::Dot(..) | Expr::Index(..) => self.chain(expression, false, &mut Vec::new()).0,
            Expr::And(parts, _) | Expr::Or(parts, _) => {
                let outside = self.conditions.len();
                for (index, part) in parts.iter().enumerate() {
                    if index == 0 {
                        self.expression(part);
                    } else {
                        self.perhaps(|walk| walk.expression(part));
                    }
                    self.conditions.push(words(part));
                }
                self.conditions.truncate(outside);
                Shape::Flag
            }
            Expr::Coalesce(parts, _) => {
                let mut value = Shape::Never;
                for part in parts.iter() {
                    let given = self.expression(part);
                    if given != Shape::Unit {
                        value = value.join(given);
                    }
                }
                value
            }
            _ => Shape::Any,
        }
    }

    pub(super) fn variable(
        &mut self,
        variable: &(Option<std::num::NonZeroUsize>, ImmutableString, rhai::Namespace, u64),
        position: Position,
    ) -> Shape {
        let name = variable.1.as_str();
        if let [root] = variable.2.path.as_slice() {
            self.of_module(&root.name, name, position);
            return Shape::Any;
        }
        match self.look(name) {
            Some(_) if self.asked.iter().any(|asked| asked.kind && asked.name == name) => Shape::Any,
            Some(id) => self.state[id].shape.clone(),
            None if self.tree().is_some_and(|tree| tree.functions.contains_key(name)) => {
                Shape::Closure(Arc::new(Closure {
                    file: self.file,
                    name: name.to_owned(),
                    captured: Vec::new(),
                    hidden: 0,
                    position,
                }))
            }
            None => Shape::Any,
        }
    }

    /// A constant of the runbook, or an export of a module.
    pub(super) fn of_module(&mut self, module: &str, name: &str, position: Position) {
        let Some(tree) = self.tree() else { return };
        if module == "global" {
            if tree.constants.contains(name) || tree.functions.contains_key(name) {
                return;
            }
            let error = Error::script(format!("there is no constant `{name}`"));
            let hint = if tree.variables.contains(name) {
                format!("`global::` sees constants: write `const {name} = ...;` where it is declared")
            } else {
                near(name, tree.constants.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("declare it: `const {name} = ...;`"))
            };
            self.wrong(error.hint(hint), position);
            return;
        }
        let Some(Some(index)) = tree.modules.get(module) else { return };
        let Some(other) = &self.files[*index].tree else { return };
        if other.exports.contains(name) || other.public.contains_key(name) {
            return;
        }
        let error = Error::script(format!("the module `{module}` exports no `{name}`"));
        let hint = if other.constants.contains(name) || other.variables.contains(name) {
            format!("write `export` before its declaration in {}", self.files[*index].name)
        } else {
            near(name, other.exports.iter().map(String::as_str)).unwrap_or_else(|| match other.exports.len() {
                0 => "it exports functions only".to_owned(),
                _ => format!("it exports {}", other.exports.iter().cloned().collect::<Vec<_>>().join(", ")),
            })
        };
        self.wrong(error.hint(hint), position);
    }

    pub(super) fn make(
        &mut self,
        name: String,
        captured: Vec<(ImmutableString, Position)>,
        position: Position,
    ) -> Shape {
        self.closures += 1;
        let hidden = captured.len();
        let captured = captured
            .into_iter()
            .filter_map(|(name, position)| {
                let variable = self.look(&name)?;
                Some(Captured { name, variable, position })
            })
            .collect();
        let closure = Arc::new(Closure { file: self.file, name: name.clone(), captured, hidden, position });
        self.made.insert((self.file, name), closure.clone());
        Shape::Closure(closure)
    }
}

/// The result of a call takes the call's position, except for parts with positions of their own.
fn at_call(given: &Expr, call: &Expr) -> Expr {
    if !matches!(call, Expr::FnCall(..)) {
        return given.clone();
    }
    let placed = parts(given).iter().map(|part| {
        let mut part = part.clone();
        if is_scalar(&part) {
            part.set_position(call.position());
        }
        part
    });
    one_of(placed).unwrap_or(UNKNOWN)
}

fn is_scalar(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::BoolConstant(..) | Expr::IntegerConstant(..) | Expr::FloatConstant(..) | Expr::StringConstant(..)
    )
}
