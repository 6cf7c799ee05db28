//! The rules for a call by its own words: a missing function, the number of its arguments, literals.

use std::collections::BTreeSet;

use rhai::{AST, Expr, FnCallExpr, Position};

use crate::check::literals;
use crate::check::words::Words;
use crate::error::{Error, count};
use crate::language::arguments::options_instead;
use crate::language::bodies::is_closure;
use crate::language::captures::{captured_by, closure_name};
use crate::language::catalog::Catalog;
use crate::language::finding::{Finding, captured_write};
use crate::language::meant::unknown_function;
use crate::language::spec::{Kind, Spec};

impl Words<'_> {
    pub(super) fn check_call(&mut self, call: &FnCallExpr, position: Position) {
        let (name, vocabulary) = (call.name.as_str(), self.vocabulary);
        let is_plain = call.namespace.is_empty() && call.op_token.is_none() && !is_closure(name);
        if !is_plain || vocabulary.lost.contains(name) {
            return;
        }
        if let Some(arities) = self.functions.get(name) {
            if !arities.contains(&call.args.len()) && !vocabulary.natives.has(name) {
                let error = arity(name, arities, call.args.len());
                let forms = [self.ast, vocabulary.functions].map(|ast| signature(ast, name));
                let forms: Vec<String> = forms.into_iter().filter(|form| !form.is_empty()).collect();
                self.wrong(error.hint(forms.join(" or ")), position);
            }
            return;
        }
        let Some(function) = vocabulary.catalog.find(name) else {
            if !vocabulary.natives.has(name) && !self.variables.contains(name) {
                self.wrong(unknown_function(name, self.all()), position);
            }
            return;
        };
        let (least, most) = function.arity();
        if call.args.len() < least || call.args.len() > most {
            self.wrong(function.wrong_arity(name, call.args.len()), position);
            return;
        }
        let mut found = Vec::new();
        let mut add = |error: Error, position: Position| found.push((error, position));
        check_arguments(vocabulary.catalog, function, name, &call.args, &mut add);
        for argument in &call.args {
            if let Some((closure, parameters)) = self.closure_given(argument) {
                literals::check_closure(function, parameters, argument.position(), &mut add);
                if runs_beside(function)
                    && let Some((variable, position)) = self.writes.get(&closure).and_then(|writes| writes.first())
                {
                    add(captured_write(variable, function.name), *position);
                }
            }
        }
        found.into_iter().for_each(|(error, position)| self.wrong(error, position));
    }

    fn wrong(&mut self, error: Error, position: Position) {
        let (line, column) = (position.line().unwrap_or(1), position.position().unwrap_or(1));
        self.found.calls.push(Finding { error, line, column });
    }

    /// The internal name of a closure written as an argument, and the number of its own parameters.
    fn closure_given(&self, argument: &Expr) -> Option<(String, usize)> {
        let name = closure_name(argument)?;
        let all = self.bodies.get(&name)?.first()?.parameters.len();
        Some((name, all.saturating_sub(captured_by(argument))))
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let own = self.functions.keys().map(String::as_str);
        self.vocabulary.catalog.names().keys().map(String::as_str).chain(own).chain(self.vocabulary.natives.names())
    }
}

/// The declarations of a function in the script: `` `ensure(vm)` or `ensure(vm, to)` ``.
pub(super) fn signature(ast: &AST, name: &str) -> String {
    let forms = ast.iter_functions().filter(|function| function.name == name);
    forms.map(|function| format!("`{name}({})`", function.params.join(", "))).collect::<Vec<_>>().join(" or ")
}

/// True if a closure given to it works on copies of its captures.
pub(super) fn runs_beside(function: &Spec) -> bool {
    matches!(function.name, "wave" | "each" | "spawn")
}

/// Checks the literal arguments of a call of the table, whose number is right.
pub(super) fn check_arguments(
    catalog: &Catalog,
    function: &'static Spec,
    name: &str,
    arguments: &[Expr],
    found: &mut literals::Found<'_>,
) {
    if let ([argument @ Expr::Map(fields, _)], Some(keys)) = (arguments, options_instead(function))
        && !fields.0.iter().any(|(word, _)| word.name == "id")
    {
        literals::check_keys(catalog, name, keys, argument, found);
        return;
    }
    for (argument, index) in arguments.iter().zip(function.assign(arguments.len())) {
        let parameter = &function.parameters[index];
        let (kind, what) = (parameter.kind, format!("`{}` of `{name}`", parameter.name));
        match kind {
            Kind::Options(keys) if matches!(argument, Expr::Map(..)) => {
                literals::check_keys(catalog, name, keys, argument, found);
            }
            _ => literals::check_value(catalog, kind, argument, parameter.name, &what, found),
        }
    }
}

/// The error of a call with a number of arguments that none of the function's forms has.
pub(super) fn arity(name: &str, counts: &BTreeSet<usize>, given: usize) -> Error {
    let wanted = match counts.iter().collect::<Vec<_>>().as_slice() {
        [only] => count(**only, "argument"),
        several => format!("{} arguments", several.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")),
    };
    Error::script(format!("`{name}` takes {wanted}, not {given}")).hint(if counts.iter().all(|count| *count < given) {
        "leave out the extra ones"
    } else {
        "add the missing ones"
    })
}

#[cfg(test)]
mod tests {
    use crate::check::compile::compile;
    use crate::functions::catalog;
    use crate::runtime::engine::bare;

    fn findings(code: &str) -> Vec<(usize, usize, String, Option<String>)> {
        let engine = bare();
        let found = compile(&engine, catalog(), code).err().unwrap_or_default();
        found
            .into_iter()
            .map(|finding| (finding.line, finding.column, finding.error.message, finding.error.hint))
            .collect()
    }

    #[test]
    fn misspelt_functions_and_wrong_arguments_are_found_with_their_place() {
        assert_eq!(
            findings("let x = 1;\n  endpoint_lsit();\nwave(\"a\", [x]);\nreplica_create(#{ instnce: \"x\" });"),
            [
                (2, 3, "unknown function `endpoint_lsit`".into(), Some("did you mean `endpoint_list`?".into())),
                (
                    3,
                    1,
                    "`wave` takes 3 to 4 arguments, not 2".into(),
                    Some("`wave(name, items, [options], body)`".into())
                ),
                (4, 19, "`replica_create` has no key `instnce`".into(), Some("did you mean `instance`?".into())),
            ]
        );
    }

    #[test]
    fn closures_of_a_wave_that_change_what_they_captured_are_refused() {
        for code in [
            "let n = 0; wave(\"a\", [1], |x| { n += x; });",
            "let seen = []; each([1], |x| seen.push(x));",
            "let m = #{}; each([1], |x| { m.count = x; });",
            "let n = 0; each([1], |x| { [1].for_each(|| n += 1); });",
        ] {
            let found = findings(code);
            assert!(found.len() == 1 && found[0].2.contains("which it captured"), "{code}: {found:?}");
        }
        for code in [
            "let n = 0; wave(\"a\", [1], |x| { let n = x; n += 1; n });",
            "let n = 0; [1].for_each(|| n += 1);",
            "let m = #{a: 1}; each([1], |x| m.a + x);",
            "const LIMIT = 3; fn double(x) { x * 2 } each([1], |x| double(x) + LIMIT);",
        ] {
            assert_eq!(findings(code), [], "{code}");
        }
    }
}
