//! From the text of a runbook to a tree that can run, or to all its mistakes.

use rhai::{AST, Engine, ParseError, Scope};

use crate::check::natives::Natives;
use crate::check::words::{Mistakes, Vocabulary, mistakes};
use crate::error::Error;
use crate::language::catalog::Catalog;
use crate::language::finding::Finding;
use crate::language::syntax::{Recovered, recover};

/// Parses and checks.
///
/// # Errors
/// Every mistake that can be found without running, in the order of the text.
pub fn compile(engine: &Engine, catalog: &Catalog, source: &str) -> Result<AST, Vec<Finding>> {
    compile_with(engine, catalog, source, &Scope::new(), &AST::empty())
}

/// The same for a text that sees existing variables and the functions of earlier texts.
///
/// # Errors
/// As [`compile`].
pub fn compile_with(
    engine: &Engine,
    catalog: &Catalog,
    source: &str,
    scope: &Scope<'_>,
    functions: &AST,
) -> Result<AST, Vec<Finding>> {
    let (syntax, tree) = recover(source);
    let vocabulary = Vocabulary {
        engine,
        natives: &Natives::of(engine),
        catalog,
        variables: scope.iter_raw().map(|(name, ..)| name).collect(),
        functions,
        lost: &syntax.lost,
    };
    let found = findings(&vocabulary, &syntax, tree.as_ref());
    if !found.is_empty() {
        return Err(found);
    }
    // Closures are found by what the engine that runs them has hashed.
    engine.compile_with_scope(scope, source).map_err(|error| vec![unparsed(&error)])
}

/// Every mistake of a text, from its syntax and from its words, in order.
pub fn findings(vocabulary: &Vocabulary<'_>, syntax: &Recovered, tree: Option<&AST>) -> Vec<Finding> {
    let Some(tree) = tree else { return syntax.findings.clone() };
    let placed = |mut finding: Finding| {
        (finding.line, finding.column) = syntax.place(finding.line, finding.column);
        finding
    };
    let Mistakes { names, calls } = mistakes(vocabulary, tree, syntax.text());
    let mut findings: Vec<Finding> = names.into_iter().map(placed).collect();
    // A line that was repaired calls what its author never wrote.
    findings.extend(calls.into_iter().map(placed).filter(|finding| !syntax.repairs(finding.line)));
    findings.extend(syntax.findings.iter().cloned());
    findings.sort_by_key(|finding| (finding.line, finding.column));
    findings.dedup_by_key(|finding| (finding.line, finding.column));
    findings
}

/// The parser's own words, if there are no better ones.
fn unparsed(error: &ParseError) -> Finding {
    let position = error.position();
    let (line, column) = (position.line().unwrap_or(1), position.position().unwrap_or(1));
    Finding { error: Error::script(format!("the parser stops here: {}", error.err_type())), line, column }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::catalog;
    use crate::runtime::engine::bare;

    fn mistakes(source: &str) -> Vec<(usize, usize, String, Option<String>)> {
        let engine = bare();
        let found = compile(&engine, catalog(), source).err().unwrap_or_default();
        found
            .into_iter()
            .map(|finding| (finding.line, finding.column, finding.error.message, finding.error.hint))
            .collect()
    }

    #[test]
    fn mistakes_of_all_kinds_are_told_at_once_in_the_order_of_the_text() {
        let complaint = |source: &str| -> Vec<String> {
            mistakes(source)
                .into_iter()
                .map(|(line, column, message, _)| format!("{line}:{column} {message}"))
                .collect()
        };
        assert_eq!(
            complaint("let vms = [];\nendpoint_lsit(vmss);\nprint(vmz);"),
            ["2:1 unknown function `endpoint_lsit`", "2:15 undefined variable `vmss`", "3:7 undefined variable `vmz`"]
        );
        // The declarations of a broken statement remain visible to the others; behind a repair the columns are still
        // right.
        assert_eq!(
            complaint("let a = 1 +;\nf({ key: a }, aa, bbb);\nlet c = = 2; c"),
            [
                "1:11 a value is missing behind `+`",
                "2:3 an object map begins with `#{`",
                "2:15 undefined variable `aa`",
                "2:19 undefined variable `bbb`",
                "3:7 `= =` is not an operator",
            ]
        );
        assert_eq!(complaint("let x = (1;"), ["1:9 `(` is not closed"]);
    }

    #[test]
    fn the_word_default_is_free_to_use() {
        assert_eq!(mistakes("let m = #{ default: 1 }; print(m.default);"), []);
    }
}
