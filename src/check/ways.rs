//! The walk behind branches, loops and what may fail: the variables in scope, and the states that are joined.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::{Expr, ImmutableString, Position};

use crate::check::knowledge::{Knowledge, Known};
use crate::check::shape::Shape;
use crate::check::state::{Turn, Variable};
use crate::check::walk::Walk;
use crate::check::written::Written;

impl Walk<'_> {
    pub(super) fn declare(&mut self, name: &str, declared: Position, turns: bool, known: Known) -> usize {
        let shared = self.tree().is_some_and(|tree| tree.shared.contains(name));
        // A closure that changes it may run at any time.
        let known = if shared && !matches!(known.shape, Shape::List(_)) { Shape::Any.into() } else { known };
        let (id, name) = (self.variables.len(), ImmutableString::from(name));
        self.scope.push(name.clone(), id);
        self.variables.push(Variable { name, file: self.file, declared, loops: self.loops, turns });
        self.state.push(known);
        id
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.scope.find(name)
    }

    pub(super) fn scoped<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        let seen = self.scope.depth();
        let value = inside(self);
        self.scope.truncate(seen);
        value
    }

    /// Walks one of several ways, each from the state before; the state after is that of the ways that reach their end.
    /// `words` are those of the deciding condition.
    pub(super) fn ways<'w>(
        &mut self,
        words: BTreeSet<ImmutableString>,
        ways: impl Iterator<Item = Box<dyn FnOnce(&mut Self) -> Known + 'w>>,
    ) -> Known {
        let before = self.state.clone();
        self.conditions.push(words);
        self.unsure += 1;
        let mut leaves = false;
        let mut ends: Option<Knowledge> = None;
        let mut value: Option<Known> = None;
        for way in ways {
            self.state.clone_from(&before);
            // Variables of the other ways are known by their numbers.
            self.state.grow(self.variables.len());
            let given = way(self);
            if given.shape == Shape::Never {
                leaves = true;
                continue;
            }
            value = Some(value.map_or_else(|| given.clone(), |value| value.join(given.clone())));
            if let Some(known) = ends.take() {
                self.state.join(known);
            }
            ends = Some(self.state.clone());
        }
        let words = self.conditions.pop().unwrap_or_default();
        // If one of them leaves, the rest may not be reached.
        self.unsure -= usize::from(!leaves);
        self.state = ends.unwrap_or_else(|| before.clone());
        self.state.grow(self.variables.len());
        self.decided(&before, &words, leaves);
        let mut value = value.unwrap_or_else(|| Shape::Never.into());
        if self.is_decided(&words) {
            value.literal = None;
        }
        if let Some(literal) = value.literal.as_mut().filter(|literal| literal.is_several()) {
            literal.decided_by.extend(words);
        }
        value
    }

    /// True if the choice depends on an argument that is known here: only some of the ways are taken.
    pub(super) fn is_decided(&self, words: &BTreeSet<ImmutableString>) -> bool {
        words.iter().filter_map(|word| self.find(word)).any(|id| {
            let given = self.state[id].literal.as_ref().filter(|literal| literal.is_known() && !literal.is_several());
            let text = given.is_some_and(|given| !matches!(*given.expression, Expr::Map(..) | Expr::Array(..)));
            text && self.variables[id].declared.is_none()
        })
    }

    /// Applies a condition that has decided what variables are, or which of their ways are left.
    fn decided(&mut self, before: &Knowledge, words: &BTreeSet<ImmutableString>, leaves: bool) {
        let mut decided: Vec<(usize, bool)> = Vec::new();
        let same = |literal: &Written, before: Option<&Known>| {
            let before = before.and_then(|known| known.literal.as_ref());
            before.is_some_and(|before| Arc::ptr_eq(&before.expression, &literal.expression))
        };
        // It was corrected if it was wrong.
        for (id, known, before) in self.state.beside(before) {
            if known.literal.as_ref().is_some_and(|literal| !same(literal, before)) {
                decided.push((id, words.contains(&self.variables[id].name)));
            }
        }
        // It is one of those that stay.
        for (id, known) in self.state.iter().enumerate().take(if leaves { before.len() } else { 0 }) {
            if let Some(literal) = known.literal.as_ref().filter(|literal| {
                literal.is_several() && words.contains(&self.variables[id].name)
                    || !literal.decided_by.is_disjoint(words)
            }) && same(literal, Some(&before[id]))
            {
                decided.push((id, true));
            }
        }
        for (id, unknown) in decided {
            let known = &mut self.state[id];
            match known.literal.as_mut().filter(|_| !unknown) {
                Some(literal) => literal.decided_by.extend(words.iter().cloned()),
                None => known.literal = None,
            }
        }
    }

    /// Walks something that may not happen.
    pub(super) fn perhaps<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.state.clone();
        let value = inside(self);
        self.join_unsure(before);
        value
    }

    /// The same if it may stop anywhere: literals that depend on a changed variable become unknown.
    pub(super) fn join_unsure(&mut self, before: Knowledge) {
        let differs = |now: &Known, before: &Known| match (&now.literal, &before.literal) {
            (Some(now), Some(before)) => !Arc::ptr_eq(&now.expression, &before.expression),
            (None, None) => false,
            _ => true,
        };
        let changed = self.state.beside(&before);
        let changed = changed.filter(|(_, now, before)| before.is_some_and(|before| differs(now, before)));
        let changed: Vec<usize> = changed.map(|(id, ..)| id).collect();
        self.state.join(before);
        for id in changed {
            self.state[id].literal = None;
        }
    }

    /// Walks a turn of a loop that may not come, and may be left anywhere.
    fn turn(&mut self, inside: impl Fn(&mut Self)) {
        let outer = std::mem::take(&mut self.left);
        self.perhaps(inside);
        for state in std::mem::replace(&mut self.left, outer) {
            self.join_unsure(state);
        }
    }

    /// Walks something that happens any number of times: twice to learn its changes, once to report. Inside a loop that
    /// only learns, one turn is enough: it comes again, and nested loops would otherwise multiply their turns.
    pub(super) fn again(&mut self, inside: impl Fn(&mut Self)) {
        self.loops += 1;
        if self.quiet > 0 {
            self.turn(&inside);
            self.loops -= 1;
            return;
        }
        self.quiet += 1;
        self.turn(&inside);
        self.turn(&inside);
        self.quiet -= 1;
        self.turns.push(Turn::default());
        self.turn(&inside);
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
