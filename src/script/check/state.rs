//! What the walk knows of the variables at a moment, and what it remembers of loops and conditions.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::{Expr, ImmutableString, Position};

use super::shape::Shape;
use super::walk::Walk;
use crate::error::Error;

/// A variable that a condition asks about.
pub(super) struct Asked {
    pub(super) name: ImmutableString,
    /// Whether it asks of what kind it is, not only for a field.
    pub(super) kind: bool,
}

/// What a loop does with the variables that are declared around it.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) read: BTreeSet<usize>,
    pub(super) changed: BTreeSet<usize>,
    /// What is only wrong if the variable is changed by the loop.
    pub(super) if_changed: Vec<(usize, Error, Position)>,
    /// What is only wrong if the variable is not read by the loop.
    pub(super) if_unread: Vec<(usize, Error, Position)>,
}

/// How a script waits beside waiting for what a call gave it.
#[derive(Default)]
pub(super) struct Waits {
    /// It asks again and again.
    pub(super) polls: bool,
    /// It waits for things that it does not have from the call that began them: for a replica's newest execution.
    pub(super) by_thing: bool,
    /// It finds replicas by the names of their VMs, or lists them.
    pub(super) by_name: bool,
    /// What else is done with a replica, and where.
    pub(super) goes_on: Vec<(usize, ImmutableString, Position)>,
    /// Replicas whose copies are joined.
    pub(super) joined: BTreeSet<ImmutableString>,
}

pub(super) struct Variable {
    pub(super) name: ImmutableString,
    pub(super) file: usize,
    pub(super) declared: Position,
    /// How many loops are around its declaration.
    pub(super) loops: usize,
    /// Whether a loop gives it another value each time.
    pub(super) turns: bool,
}

/// What is sure of a variable.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) shape: Shape,
    /// What it was given, where that is written out; with the file.
    pub(super) literal: Option<(usize, Arc<Expr>)>,
    /// The texts that it is one of, in a loop over a list that is written out.
    pub(super) choices: Vec<String>,
    /// It has begun something, and nobody has looked at it since.
    pub(super) unread: bool,
}

impl From<Shape> for Known {
    fn from(shape: Shape) -> Self {
        Self { unread: shape.begun().is_some(), shape, literal: None, choices: Vec::new() }
    }
}

impl Known {
    pub(super) fn join(self, other: Self) -> Self {
        let literal = match (self.literal, other.literal) {
            (Some((file, one)), Some((_, two))) if Arc::ptr_eq(&one, &two) => Some((file, one)),
            (Some((file, one)), Some((also, two))) if file == also => {
                both_maps(&one, &two).map(|both| (file, Arc::new(both)))
            }
            _ => None,
        };
        let choices = if self.choices == other.choices { self.choices } else { Vec::new() };
        Self { shape: self.shape.join(other.shape), literal, choices, unread: self.unread && other.unread }
    }
}

/// Two object maps of options that may both be the one that is given: the fields of both, and where they differ in one,
/// nothing is known of it.
pub(super) fn both_maps(one: &Expr, two: &Expr) -> Option<Expr> {
    let (Expr::Map(one, position), Expr::Map(two, _)) = (one, two) else { return None };
    let mut both = one.clone();
    let has = |fields: &[(rhai::Ident, Expr)], name: &str| fields.iter().any(|(word, _)| word.name == name);
    // Where each has some that the other lacks, they are never given together.
    let apart = one.0.iter().any(|(word, _)| !has(&two.0, &word.name));
    for (word, value) in &two.0 {
        match both.0.iter_mut().find(|(known, _)| known.name == word.name) {
            Some((_, known)) => {
                if known.position() != value.position() {
                    *known = Expr::ThisPtr(word.pos);
                }
            }
            None if apart => both.0.push((word.clone(), Expr::ThisPtr(word.pos))),
            None => both.0.push((word.clone(), value.clone())),
        }
    }
    Some(Expr::Map(both, *position))
}

/// The variables about whose fields or kind a condition asks: `"x" in vm`, `vm.contains("x")`, `type_of(vm) == "map"`.
pub(super) fn about(condition: &Expr, found: &mut Vec<Asked>) {
    let asked = |expression: &Expr, kind| match expression {
        Expr::Variable(variable, ..) => Some(Asked { name: variable.1.clone(), kind }),
        _ => None,
    };
    match condition {
        Expr::FnCall(call, _) if matches!(call.name.as_str(), "contains" | "in" | "type_of") => {
            found.extend(call.args.iter().filter_map(|argument| asked(argument, call.name == "type_of")));
        }
        Expr::FnCall(call, _) if call.op_token.is_some() => call.args.iter().for_each(|part| about(part, found)),
        Expr::And(parts, _) | Expr::Or(parts, _) => parts.iter().for_each(|part| about(part, found)),
        Expr::Dot(pair, ..) => {
            if let Expr::MethodCall(call, _) = &pair.rhs
                && matches!(call.name.as_str(), "contains" | "get" | "type_of")
            {
                found.extend(asked(&pair.lhs, call.name == "type_of"));
            }
        }
        _ => {}
    }
}

/// The texts of a list that is written out.
pub(super) fn texts(list: Option<Expr>) -> Vec<String> {
    let Some(Expr::Array(items, _)) = list else { return Vec::new() };
    items
        .iter()
        .map(|item| match item {
            Expr::StringConstant(text, _) => Some(text.to_string()),
            _ => None,
        })
        .collect::<Option<_>>()
        .unwrap_or_default()
}

impl Walk<'_> {
    pub(super) fn declare(&mut self, name: &str, declared: Position, turns: bool, known: Known) -> usize {
        let shared = self.tree().is_some_and(|tree| tree.shared.contains(name));
        // A closure that changes it may run at any time.
        let known = if shared && !matches!(known.shape, Shape::List(_)) { Shape::Any.into() } else { known };
        let id = self.variables.len();
        self.variables.push(Variable { name: name.into(), file: self.file, declared, loops: self.loops, turns });
        self.state.push(known);
        self.scope.push(id);
        id
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.scope.iter().rev().copied().find(|id| self.variables[*id].name == name)
    }

    pub(super) fn scoped<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        let seen = self.scope.len();
        let value = inside(self);
        self.scope.truncate(seen);
        value
    }

    pub(super) fn join(&mut self, other: Vec<Known>) {
        let mine = std::mem::take(&mut self.state);
        let (shorter, longer) = if mine.len() < other.len() { (mine, other) } else { (other, mine) };
        let mut joined = longer;
        for (known, more) in joined.iter_mut().zip(shorter) {
            let before = std::mem::replace(known, Shape::Never.into());
            *known = before.join(more);
        }
        self.state = joined;
    }

    /// What may happen or not.
    pub(super) fn perhaps<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.state.clone();
        let value = inside(self);
        self.join(before);
        value
    }

    /// What happens any number of times: once to learn what it changes, once to tell.
    pub(super) fn again(&mut self, inside: impl Fn(&mut Self)) {
        self.loops += 1;
        self.quiet += 1;
        self.perhaps(&inside);
        self.quiet -= 1;
        self.turns.push(Turn::default());
        self.perhaps(&inside);
        let turn = self.turns.pop().unwrap_or_default();
        self.loops -= 1;
        let Turn { read, changed, if_changed, if_unread } = turn;
        let told = if_changed.into_iter().filter(|(variable, ..)| changed.contains(variable));
        for (_, error, position) in told.chain(if_unread.into_iter().filter(|(variable, ..)| !read.contains(variable)))
        {
            self.doubt(error, position);
        }
    }
}
