//! The declarations of all functions of the language, under all their names: a value that is passed to its users.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::language::meant::meant;
use crate::language::spec::Spec;

/// A domain's title and its functions, in the order of the reference.
pub type Domain = (&'static str, Vec<&'static Spec>);

/// The declarations of the functions that a script has.
pub struct Catalog {
    domains: Vec<Domain>,
    names: BTreeMap<String, &'static Spec>,
}

impl Catalog {
    pub fn new(domains: Vec<Domain>) -> Self {
        let rows = domains.iter().flat_map(|(_, rows)| rows.iter().copied());
        let names = rows.flat_map(|row| row.names().into_iter().map(move |name| (name, row))).collect();
        Self { domains, names }
    }

    /// Every function, in the order of the reference.
    pub fn rows(&self) -> impl Iterator<Item = &'static Spec> {
        self.domains.iter().flat_map(|(_, rows)| rows.iter().copied())
    }

    /// Every domain's title with its functions.
    pub fn domains(&self) -> impl Iterator<Item = (&'static str, &[&'static Spec])> {
        self.domains.iter().map(|(title, rows)| (*title, rows.as_slice()))
    }

    /// Every spelling and the function behind it.
    pub fn names(&self) -> &BTreeMap<String, &'static Spec> {
        &self.names
    }

    /// The row of a name, in any spelling.
    pub fn find(&self, name: &str) -> Option<&'static Spec> {
        self.names.get(name).copied()
    }

    /// The row of a name that somebody asks about.
    ///
    /// # Errors
    /// `Input` with the nearest name.
    pub fn look_up(&self, name: &str) -> Result<&'static Spec> {
        let name = name.trim().trim_end_matches("()").replace(['-', ' '], "_");
        self.find(&name).ok_or_else(|| {
            let error = Error::input(format!("there is no function `{name}`"));
            match meant(&name, self.names.keys().map(String::as_str)) {
                Some(hint) => error.hint(hint),
                None => error.hint("`coriolis-run functions` lists them all"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::catalog;

    #[test]
    fn a_function_is_found_by_any_of_its_spellings() {
        let name = |word| catalog().look_up(word).map(|row| row.name).map_err(|error| error.hint);
        assert_eq!(name("list_replica"), Ok("transfer_list"));
        assert_eq!(name("replica list"), Ok("transfer_list"));
        assert_eq!(name("replica_lst"), Err(Some("did you mean `replica_list`?".to_owned())));
    }

    #[test]
    fn no_name_has_two_rows_and_every_row_is_complete() {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        let mut wrong = Vec::new();
        for row in catalog().rows() {
            for name in row.names() {
                if let Some(other) = seen.insert(name.clone(), row.name) {
                    wrong.push(format!("`{name}` is both `{other}` and `{}`", row.name));
                }
            }
            if !row.summary.ends_with('.') || row.returns.to_string().is_empty() || row.whole_example().is_empty() {
                wrong.push(format!("`{}` lacks a summary with a period, a result or an example", row.name));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
