//! All functions of the language, under all their names.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::function::Function;
use super::functions;

/// Every row, in the order of the reference.
pub fn rows() -> impl Iterator<Item = &'static Function> {
    functions::TABLES.iter().copied().flatten()
}

/// Every spelling and the row behind it.
pub fn names() -> &'static BTreeMap<String, &'static Function> {
    static NAMES: OnceLock<BTreeMap<String, &'static Function>> = OnceLock::new();
    NAMES.get_or_init(|| rows().flat_map(|row| row.names().into_iter().map(move |name| (name, row))).collect())
}

/// The row of a name, in any spelling.
pub fn find(name: &str) -> Option<&'static Function> {
    names().get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_has_two_rows_and_every_row_is_complete() {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        let mut wrong = Vec::new();
        for row in rows() {
            for name in row.names() {
                if let Some(other) = seen.insert(name.clone(), row.name) {
                    wrong.push(format!("`{name}` is both `{other}` and `{}`", row.name));
                }
            }
            if !row.summary.ends_with('.') || row.result.is_empty() || row.example.is_empty() {
                wrong.push(format!("`{}` lacks a summary with a period, a result or an example", row.name));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
