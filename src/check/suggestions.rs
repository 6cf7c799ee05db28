//! Suggestions for a variable that is not in scope.

use rhai::{Position, Stmt};

use crate::check::words::{Words, place};
use crate::error::suggest;
use crate::language::bodies::is_closure;

impl Words<'_> {
    /// A suggestion for a name that is not in scope.
    pub(super) fn meant_by(&self, name: &str, position: Position) -> String {
        let in_function = self.function.is_some();
        if in_function && self.constants.contains(name) {
            return format!("a function sees a constant of the runbook as `global::{name}`");
        }
        if let Some(declared) = self.declared.get(name) {
            if !in_function && *declared > place(position) && self.is_at_top(name) {
                return format!("it is declared further down, in line {}", declared.0);
            }
            return out_of_reach(name, in_function);
        }
        if let Some(there) = self.given.get(name) {
            return format!("only {there} has it: use it there, or keep it in a variable that is declared before");
        }
        if let Some(written) = foreign(name) {
            return written;
        }
        if let Some(function) = self.vocabulary.catalog.find(name) {
            return format!("call it: `{}`", function.signature().replacen(function.name, name, 1));
        }
        if let Some(near) = near(name, self.names.iter()) {
            return format!("did you mean `{near}`?");
        }
        if let Some(near) = near(name, self.bodies.keys().map(String::as_str).filter(|name| !is_closure(name))) {
            return format!("did you mean the function `{near}`?");
        }
        if let Some(near) = near(name, self.constants.iter().map(String::as_str)).filter(|_| in_function) {
            return format!("did you mean `global::{near}`?");
        }
        // A name that a closure does not find is looked up where the closure is made; its own variables are elsewhere.
        let before = self.declared.iter().filter(|(_, declared)| **declared < place(position));
        if let Some(near) = near(name, before.map(|(name, _)| name.as_str())).filter(|_| !in_function) {
            return format!("did you mean `{near}`?");
        }
        let quoted = format!("declare it: `let {name} = ...;`");
        if self.source.contains(&format!("\"{name}\"")) {
            format!("{quoted}, or put it in quotes: `\"{name}\"`")
        } else {
            quoted
        }
    }

    fn is_at_top(&self, name: &str) -> bool {
        self.ast
            .statements()
            .iter()
            .any(|statement| matches!(statement, Stmt::Var(variable, ..) if variable.0.name == name))
    }
}

/// The name that a misspelt one means; short names are all near each other.
fn near<'a>(name: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let same = candidates.clone().find(|candidate| candidate.eq_ignore_ascii_case(name));
    let long = |candidate: &&str| candidate.chars().count().min(name.chars().count()) > 2;
    same.or_else(|| suggest(name, candidates.filter(long)))
}

/// Declared, but out of scope.
fn out_of_reach(name: &str, in_function: bool) -> String {
    if in_function {
        format!("it is declared outside this function: pass it in, or make it a `const` and write `global::{name}`")
    } else {
        format!("it is declared in another block: declare it before that block: `let {name} = ...;`")
    }
}

/// Values in the notation of other languages.
fn foreign(name: &str) -> Option<String> {
    let written = match name {
        "None" | "undefined" | "Null" | "NULL" | "Nil" | "NIL" => {
            return Some("the empty value is written `()`".to_owned());
        }
        "True" | "TRUE" => "true",
        "False" | "FALSE" => "false",
        "self" => "this",
        _ => return None,
    };
    Some(format!("write `{written}`"))
}
