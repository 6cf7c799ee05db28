//! The knowledge about all variables at a moment. Each branch starts from a copy: copies share their equal parts, and a
//! join only looks at the rest.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use crate::check::shape::Shape;
use crate::check::written::Written;

/// The number of variables that are copied when one of them changes.
const PART: usize = 32;

/// The knowledge about a variable.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) shape: Shape,
    /// Its literal value, if there is one.
    pub(super) literal: Option<Written>,
    /// It has begun work, and nobody has looked at it since.
    pub(super) unread: bool,
}

impl From<Shape> for Known {
    fn from(shape: Shape) -> Self {
        Self { unread: shape.begun().is_some(), shape, literal: None }
    }
}

impl Known {
    pub(super) fn join(self, other: Self) -> Self {
        match (&self.shape, &other.shape) {
            (Shape::Never, _) => return other,
            (_, Shape::Never) => return self,
            _ => {}
        }
        let literal = Written::either(self.literal, other.literal);
        Self { shape: self.shape.join(other.shape), literal, unread: self.unread && other.unread }
    }
}

/// Indexed by the variables' numbers.
#[derive(Clone, Default)]
pub(super) struct Knowledge {
    /// All of them full except the last.
    parts: Vec<Arc<Vec<Known>>>,
}

impl Knowledge {
    pub(super) fn len(&self) -> usize {
        self.parts.last().map_or(0, |last| (self.parts.len() - 1) * PART + last.len())
    }

    pub(super) fn push(&mut self, known: Known) {
        match self.parts.last_mut().filter(|last| last.len() < PART) {
            Some(last) => Arc::make_mut(last).push(known),
            None => self.parts.push(Arc::new(vec![known])),
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.parts.truncate(len.div_ceil(PART));
        if let Some(last) = self.parts.last_mut().filter(|_| !len.is_multiple_of(PART))
            && last.len() > len % PART
        {
            Arc::make_mut(last).truncate(len % PART);
        }
    }

    /// Adds unknown variables up to `len`.
    pub(super) fn grow(&mut self, len: usize) {
        for _ in self.len()..len {
            self.push(Shape::Any.into());
        }
    }

    /// The common knowledge of two ways; a variable of only one of them keeps its own.
    pub(super) fn join(&mut self, other: Self) {
        if self.len() < other.len() {
            let shorter = std::mem::replace(self, other);
            return self.join(shorter);
        }
        for (mine, more) in self.parts.iter_mut().zip(other.parts).filter(|(mine, more)| !Arc::ptr_eq(mine, more)) {
            for (known, more) in Arc::make_mut(mine).iter_mut().zip(Arc::unwrap_or_clone(more)) {
                let before = std::mem::replace(known, Shape::Never.into());
                *known = before.join(more);
            }
        }
    }

    /// The variables that may differ from earlier knowledge, each with that.
    pub(super) fn beside<'k>(
        &'k self,
        before: &'k Self,
    ) -> impl Iterator<Item = (usize, &'k Known, Option<&'k Known>)> {
        let parts = self
            .parts
            .iter()
            .enumerate()
            .filter(|(at, part)| before.parts.get(*at).is_none_or(|before| !Arc::ptr_eq(part, before)));
        parts.flat_map(move |(at, part)| {
            let known = part.iter().enumerate();
            known.map(move |(index, known)| {
                let id = at * PART + index;
                (id, known, before.parts.get(at).and_then(|part| part.get(index)))
            })
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.parts.iter().flat_map(|part| part.iter())
    }
}

impl Index<usize> for Knowledge {
    type Output = Known;

    fn index(&self, id: usize) -> &Known {
        &self.parts[id / PART][id % PART]
    }
}

impl IndexMut<usize> for Knowledge {
    fn index_mut(&mut self, id: usize) -> &mut Known {
        &mut Arc::make_mut(&mut self.parts[id / PART])[id % PART]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(count: usize) -> Knowledge {
        let mut knowledge = Knowledge::default();
        (0..count).for_each(|_| knowledge.push(Shape::Integer.into()));
        knowledge
    }

    #[test]
    fn a_branch_costs_what_it_changes_and_not_what_there_is() {
        let before = known(10 * PART);
        let mut branch = before.clone();
        branch[5] = Shape::Text.into();
        assert_eq!(branch.beside(&before).count(), PART);
        let shared = |one: &Knowledge, two: &Knowledge| {
            one.parts.iter().zip(&two.parts).filter(|(one, two)| Arc::ptr_eq(one, two)).count()
        };
        branch.join(before.clone());
        assert_eq!(shared(&branch, &before), 9);
        assert_eq!((branch[5].shape.clone(), branch[6].shape.clone()), (Shape::Any, Shape::Integer));
    }

    #[test]
    fn it_grows_and_shrinks_at_any_place() {
        for count in [0, 1, PART - 1, PART, PART + 1, 3 * PART] {
            let mut grown = known(count);
            grown.grow(count + 3);
            assert_eq!((grown.len(), grown[count + 2].shape.clone()), (count + 3, Shape::Any));
            grown.truncate(count);
            assert_eq!((grown.len(), grown.iter().count()), (count, count));
            let mut shorter = known(count);
            shorter.join(known(count + 2));
            assert_eq!(shorter.len(), count + 2);
        }
    }
}
