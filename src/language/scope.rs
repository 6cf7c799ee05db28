//! Names in scope with their meanings, innermost last: found at once, however many there are.

use std::collections::HashMap;

use rhai::ImmutableString;

#[derive(Clone)]
pub struct Names<T> {
    order: Vec<ImmutableString>,
    by_name: HashMap<ImmutableString, Vec<T>>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { order: Vec::new(), by_name: HashMap::new() }
    }
}

impl<T: Copy> Names<T> {
    pub fn push(&mut self, name: impl Into<ImmutableString>, value: T) {
        let name = name.into();
        self.by_name.entry(name.clone()).or_default().push(value);
        self.order.push(name);
    }

    /// The meaning of the innermost name.
    pub fn find(&self, name: &str) -> Option<T> {
        self.by_name.get(name)?.last().copied()
    }

    pub fn depth(&self) -> usize {
        self.order.len()
    }

    /// Removes those behind the first `depth`.
    pub fn truncate(&mut self, depth: usize) {
        for name in self.order.drain(depth.min(self.order.len())..) {
            if let Some(values) = self.by_name.get_mut(&name) {
                values.pop();
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.order.iter().map(ImmutableString::as_str)
    }
}

impl<T: Copy, N: Into<ImmutableString>> FromIterator<(N, T)> for Names<T> {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(names: I) -> Self {
        let mut scope = Self::default();
        names.into_iter().for_each(|(name, value)| scope.push(name, value));
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_of_a_name_is_found_until_it_is_gone() {
        let mut names: Names<usize> = [("a", 1), ("b", 2)].into_iter().collect();
        names.push("a", 3);
        assert_eq!((names.find("a"), names.find("b"), names.find("c")), (Some(3), Some(2), None));
        names.truncate(2);
        assert_eq!((names.find("a"), names.depth()), (Some(1), 2));
        names.truncate(0);
        assert_eq!((names.find("a"), names.iter().count()), (None, 0));
    }
}
