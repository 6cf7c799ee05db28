//! The fields of the very map whose missing field a script read.
//!
//! The engine reports the missing field, but not its map. So the paths that a script reads of its variables
//! (`vm.info.name`) are taken from its tree, and each time a variable is looked up, those paths are tried on its value:
//! the map at which one ends too early is remembered until somebody asks.

use std::collections::BTreeMap;

use parking_lot::{Mutex, RwLock};
use rhai::{AST, ASTNode, Array, Dynamic, Expr, Identifier, ImmutableString, Map as ScriptMap, Scope, Stmt};

use crate::error::{Error, suggest};

/// The number of maps whose fields are remembered.
const MOST_MAPS: usize = 200;
const MOST_FIELDS: usize = 200;
/// A map with at most this many fields has all of them listed.
const FEW: usize = 8;

/// A step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(ImmutableString),
    Item(i64),
    /// The value of a variable.
    By(ImmutableString),
}

/// The paths that are read of each variable.
type Paths = BTreeMap<String, Vec<Vec<Step>>>;

/// The paths that a script reads, and the missing fields.
#[derive(Default)]
pub struct Reads {
    paths: RwLock<Paths>,
    missing: Mutex<BTreeMap<String, Owner>>,
}

/// A map that lacks a field.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    /// The path as the script writes it.
    written: String,
    fields: Vec<Identifier>,
}

impl Reads {
    /// Sets the script that is evaluated from now on.
    pub fn follow(&self, ast: &AST) {
        *self.paths.write() = paths(ast);
    }

    /// Looks at a variable that is read.
    pub fn look(&self, name: &str, scope: &Scope<'_>) {
        let all = self.paths.read();
        let Some(paths) = all.get(name) else { return };
        let Some(value) = scope.get(name) else { return };
        for path in paths {
            if let Some((field, owner)) = missing(value, path, name, scope) {
                let mut known = self.missing.lock();
                if known.len() >= MOST_MAPS && !known.contains_key(&field) {
                    known.clear();
                }
                known.insert(field, owner);
            }
        }
    }

    /// Adds the existing fields of the map to the error of a missing field.
    pub fn explain(&self, error: Error) -> Option<Error> {
        let field = error.details.get("missing_field")?.as_str()?.to_owned();
        let owner = self.missing.lock().get(&field).cloned()?;
        Some(error.hint(hint(&field, &owner)))
    }
}

/// The field of a map that a name means, in any case.
pub fn like<'a>(name: &str, fields: &'a ScriptMap) -> Option<&'a str> {
    let names = || fields.keys().map(|known| known.as_str());
    names().find(|known| known.eq_ignore_ascii_case(name)).or_else(|| suggest(name, names()))
}

fn hint(field: &str, owner: &Owner) -> String {
    let Owner { written, fields } = owner;
    if let Some(near) = fields.iter().find(|known| known.eq_ignore_ascii_case(field)) {
        return format!("did you mean `{near}`?");
    }
    let listed = || fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
    match suggest(field, fields.iter().map(Identifier::as_str)) {
        Some(near) if fields.len() <= FEW => format!("did you mean `{near}`? `{written}` has {}", listed()),
        Some(near) => format!("did you mean `{near}`?"),
        None if fields.is_empty() => format!("`{written}` is empty"),
        None if fields.len() <= FEW => format!("`{written}` has {}", listed()),
        None => {
            format!("`{written}.keys()` lists what it has; `{written}.get(\"{field}\")` is `()` if it is missing")
        }
    }
}

/// The point at which a path ends too early, if it is in a map.
fn missing(value: &Dynamic, path: &[Step], written: &str, scope: &Scope<'_>) -> Option<(String, Owner)> {
    let (step, rest) = path.split_first()?;
    let by = |name: &str| scope.get(name).map(Dynamic::flatten_clone);
    let field = match step {
        Step::Field(field) => field.clone(),
        Step::Item(at) => return item(value, *at, rest, written, scope),
        Step::By(name) => {
            let by = by(name)?;
            if let Ok(at) = by.as_int() {
                return item(value, at, rest, written, scope);
            }
            by.into_immutable_string().ok()?
        }
    };
    let map = value.read_lock::<ScriptMap>()?;
    match map.get(field.as_str()) {
        Some(inner) => missing(inner, rest, &further(written, step), scope),
        // A map of this size that is asked by keys of its own is filled, and its first names tell nothing.
        None if matches!(step, Step::By(_)) && map.len() > MOST_FIELDS => None,
        None => {
            let fields = map.keys().take(MOST_FIELDS).cloned().collect();
            Some((field.to_string(), Owner { written: written.to_owned(), fields }))
        }
    }
}

fn item(value: &Dynamic, at: i64, rest: &[Step], written: &str, scope: &Scope<'_>) -> Option<(String, Owner)> {
    let items = value.read_lock::<Array>()?;
    let index = usize::try_from(if at < 0 { at + i64::try_from(items.len()).ok()? } else { at }).ok()?;
    missing(items.get(index)?, rest, &further(written, &Step::Item(at)), scope)
}

fn further(written: &str, step: &Step) -> String {
    match step {
        Step::Field(field) if field.chars().all(|part| part.is_alphanumeric() || part == '_') => {
            format!("{written}.{field}")
        }
        Step::Field(field) => format!("{written}[\"{field}\"]"),
        Step::Item(at) => format!("{written}[{at}]"),
        Step::By(name) => format!("{written}[{name}]"),
    }
}

/// The paths that a script reads of its variables, as far as its text shows.
fn paths(ast: &AST) -> Paths {
    let mut found = Paths::new();
    ast.walk(&mut |path| {
        let Some(ASTNode::Expr(expression)) = path.last() else { return true };
        let (pair, indexed) = match expression {
            Expr::Dot(pair, ..) => (pair, false),
            Expr::Index(pair, ..) => (pair, true),
            _ => return true,
        };
        if let Expr::Variable(variable, ..) = &pair.lhs
            && variable.2.path.is_empty()
        {
            let mut steps = steps(&pair.rhs, indexed);
            if is_set(path, expression) {
                steps.pop();
            }
            let known = found.entry(variable.1.to_string()).or_default();
            if !steps.is_empty() && !known.contains(&steps) {
                known.push(steps);
            }
        }
        true
    });
    found
}

/// True for the left side of an assignment: `m[key] = 1` does not read that field.
fn is_set(path: &[ASTNode<'_>], expression: &Expr) -> bool {
    let [.., ASTNode::Stmt(Stmt::Assignment(assignment)), _] = path else { return false };
    !assignment.0.is_op_assignment() && std::ptr::eq(&raw const assignment.1.lhs, expression)
}

/// The steps of the right side of a `.` or a `[`.
fn steps(mut expression: &Expr, mut indexed: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    loop {
        let (here, next) = match expression {
            Expr::Dot(pair, ..) => (&pair.lhs, Some((&pair.rhs, false))),
            Expr::Index(pair, ..) => (&pair.lhs, Some((&pair.rhs, true))),
            last => (last, None),
        };
        let step = match here {
            Expr::Property(property, _) if !indexed => Step::Field(property.2.clone()),
            Expr::StringConstant(field, _) if indexed => Step::Field(field.clone()),
            Expr::IntegerConstant(at, _) if indexed => Step::Item(*at),
            Expr::Variable(variable, ..) if indexed && variable.2.path.is_empty() => Step::By(variable.1.clone()),
            _ => return steps,
        };
        steps.push(step);
        match next {
            Some((rest, by)) => (expression, indexed) = (rest, by),
            None => return steps,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::language::error::locate;
    use crate::language::parser::parser;

    /// The hint of the error that a script ends with.
    fn complaints(code: &str) -> Option<String> {
        let reads = Arc::new(Reads::default());
        let mut engine = parser();
        let looking = reads.clone();
        #[allow(deprecated, reason = "the engine marks its volatile interfaces so")]
        engine.on_var(move |name, _, context| {
            looking.look(name, context.scope());
            Ok(None)
        });
        let ast = engine.compile(code).unwrap();
        reads.follow(&ast);
        let thrown = engine.run_ast(&ast).expect_err("a field is missing");
        reads.explain(locate(&thrown).error)?.hint
    }

    #[test]
    fn a_missing_field_is_looked_for_in_the_very_map_that_was_read() {
        let few = "did you mean `name`? `vm` has `id`, `name`";
        for (code, expected) in [
            ("let other = #{ nmae2: 1 }; let vm = #{ id: 1, name: 2 }; vm.nmae", few),
            ("fn f(vm) { vm.nmae } f(#{ id: 1, name: 2 })", few),
            ("[#{ id: 1, name: 2 }].map(|vm| vm.nmae)", few),
            ("let vm = #{ id: 1, name: 2 }; let f = || vm.nmae; f.call()", few),
            ("for vm in [#{ id: 1, name: 2 }] { if vm.nmae == 1 { } }", few),
            ("let vm = #{ id: 1, name: 2 }; vm[\"nmae\"]", few),
            ("let vm = #{ id: 1, name: 2 }; let key = \"nmae\"; vm[key]", few),
            ("let vm = #{ info: #{ os: 1, cpus: 2 } }; vm.info.disks", "`vm.info` has `cpus`, `os`"),
            ("let vms = [#{ name: 1 }]; let i = 0; vms[i].size", "`vms[0]` has `name`"),
            ("let vms = [#{ name: 1 }]; vms[-1].size", "`vms[-1]` has `name`"),
            ("let vm = #{}; vm.size", "`vm` is empty"),
            ("let vm = #{ Name: 1 }; vm.name", "did you mean `Name`?"),
            (
                "let m = #{}; for i in 0..300 { let k = `k${i}`; m[k] = if k in m { m[k] } else { i }; } let vm = #{}; vm.size",
                "`vm` is empty",
            ),
        ] {
            assert_eq!(complaints(code).as_deref(), Some(expected), "{code}");
        }
    }

    #[test]
    fn a_field_that_is_set_is_not_read() {
        let found = |code: &str| paths(&parser().compile(code).unwrap()).remove("m").unwrap_or_default();
        let step = |name: &str| Step::Field(name.into());
        assert_eq!(found("let m = #{}; let k = \"k\"; m[k] = 1;"), Vec::<Vec<Step>>::new());
        assert_eq!(found("let m = #{}; m.a.b = 1; m.c += 1;"), [vec![step("a")], vec![step("c")]]);
    }

    #[test]
    fn what_is_written_and_what_is_caught_stays_as_it_was() {
        let reads = Arc::new(Reads::default());
        let mut engine = parser();
        let looking = reads.clone();
        #[allow(deprecated, reason = "the engine marks its volatile interfaces so")]
        engine.on_var(move |name, _, context| {
            looking.look(name, context.scope());
            Ok(None)
        });
        let code = r#"
            let m = #{};
            m.a = 1; m["b"] = 2; m.c = #{}; m.c.d = 3;
            let caught = false;
            try { m.nothing } catch (e) { caught = true; }
            [m.a, m.b, m.c.d, m.get("e") ?? 4, caught]
        "#;
        let ast = engine.compile(code).unwrap();
        reads.follow(&ast);
        let values = engine.eval_ast::<Array>(&ast).unwrap();
        assert_eq!(format!("{values:?}"), "[1, 2, 3, 4, true]");
    }
}
