//! All that can be found wrong in a runbook without running it, with what it imports and the files that it names.

use std::path::{Path, PathBuf};

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};

use super::Finding;
use super::literals::near;
use crate::error::Error;
use crate::script::catalog;
use crate::script::function::{Effect, Kind};
use crate::script::modules::read_module;
use crate::script::run::compile;
use crate::script::syntax::lax;

/// A mistake, and the file in which it stands.
#[derive(Clone, Debug)]
pub struct Remark {
    /// As the operator wrote its name, or a module's file beside it.
    pub file: String,
    pub severity: Severity,
    pub finding: Finding,
    /// The text that the place belongs to.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It would surely fail; a run of it is refused, or ends there.
    Error,
    /// It runs, and does mostly something else than was meant.
    Warning,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// Everything that is wrong with a runbook of that name in that folder, and with what it imports.
pub fn examine(engine: &Engine, name: &str, text: &str, folder: &Path) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut seen = Vec::new();
    examine_file(engine, name, text, folder, &mut seen, &mut remarks);
    remarks
}

fn examine_file(
    engine: &Engine,
    name: &str,
    text: &str,
    folder: &Path,
    seen: &mut Vec<PathBuf>,
    remarks: &mut Vec<Remark>,
) {
    let remark = |severity, finding| Remark { file: name.to_owned(), severity, finding, text: text.to_owned() };
    let mut found: Vec<Remark> = Vec::new();
    if let Err(findings) = compile(engine, text) {
        found.extend(findings.into_iter().map(|finding| remark(Severity::Error, finding)));
    }
    if let Ok(ast) = lax().compile(text) {
        found.extend(files(&ast, folder).into_iter().map(|finding| remark(Severity::Error, finding)));
        let doubts = [unwaited(&ast), unrepeatable(&ast), loop_captures(&ast)];
        found.extend(doubts.into_iter().flatten().map(|finding| remark(Severity::Warning, finding)));
        let mut modules = Vec::new();
        found.extend(imports(&ast, folder, &mut modules).into_iter().map(|finding| remark(Severity::Error, finding)));
        found.sort_by_key(|remark| (remark.finding.line, remark.finding.column));
        found.dedup_by_key(|remark| (remark.finding.line, remark.finding.column));
        remarks.append(&mut found);
        for (path, text) in modules {
            if !seen.contains(&path) {
                seen.push(path.clone());
                let beside = Path::new(name).parent().unwrap_or(Path::new(""));
                let shown = path.strip_prefix(folder).map_or(path.clone(), |inside| beside.join(inside));
                examine_file(engine, &shown.display().to_string(), &text, folder, seen, remarks);
            }
        }
    }
    remarks.append(&mut found);
}

fn finding(error: Error, position: Position) -> Finding {
    Finding { error, line: position.line().unwrap_or(1), column: position.position().unwrap_or(1) }
}

fn each_call(ast: &AST, mut take: impl FnMut(&FnCallExpr, Position, &[ASTNode<'_>])) {
    ast.walk(&mut |path| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, position)) | ASTNode::Stmt(Stmt::FnCall(call, position))) =
            path.last()
        {
            take(call, *position, path);
        }
        true
    });
}

/// Files that calls name by a text, and that are not there.
fn files(ast: &AST, folder: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut look = |path: &str, position: Position| {
        if !path.is_empty() && !folder.join(path).exists() {
            let error = Error::input(format!("there is no file `{path}`"));
            found.push(finding(error.hint(format!("looked for {}", folder.join(path).display())), position));
        }
    };
    each_call(ast, |call, _, _| {
        let Some(row) = catalog::find(&call.name).filter(|_| call.namespace.is_empty()) else { return };
        let (least, most) = row.arity();
        if !(least..=most).contains(&call.args.len()) {
            return;
        }
        for (argument, index) in call.args.iter().zip(row.assign(call.args.len())) {
            match (row.parameters[index].kind, argument) {
                (Kind::Path, Expr::StringConstant(path, position)) => look(path, *position),
                (Kind::Options(groups), Expr::Map(fields, _)) => {
                    for (word, value) in &fields.0 {
                        let key = groups.iter().copied().flatten().find(|key| key.answers_to(&word.name));
                        // What is written to need not be there.
                        let read =
                            key.is_some_and(|key| matches!(key.kind, Kind::Path) && !key.name.starts_with("out"));
                        if let (true, Expr::StringConstant(path, position)) = (read, value) {
                            look(path, *position);
                        }
                    }
                }
                _ => {}
            }
        }
    });
    found
}

/// Imports without a file, and functions that a module does not have; the modules with their texts.
fn imports(ast: &AST, folder: &Path, modules: &mut Vec<(PathBuf, String)>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut known: Vec<(String, AST, String)> = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(name, position) = &import.0
        {
            match read_module(folder, name) {
                Ok(text) => {
                    if let Ok(module) = lax().compile(&text) {
                        known.push((import.1.name.to_string(), module, name.to_string()));
                    }
                    modules.push((folder.join(name.as_str()).with_extension("rhai"), text));
                }
                Err(_) => {
                    let error = Error::input(format!("cannot find the module `{name}`"));
                    let hint = "an import names a `.rhai` file relative to the runbook's folder, without the ending";
                    found.push(finding(error.hint(hint), *position));
                }
            }
        }
        true
    });
    each_call(ast, |call, position, _| {
        let [root] = call.namespace.path.as_slice() else { return };
        // The same name may stand for two modules in two places.
        let mut named = known.iter().filter(|(alias, ..)| *alias == root.name.as_str());
        let (Some((alias, module, _)), None) = (named.next(), named.next()) else { return };
        // What a module exports beside its functions may be a closure.
        let exports = module.statements().iter().any(|statement| matches!(statement, Stmt::Export(..)));
        let public = || {
            module
                .iter_functions()
                .filter(|function| function.access == rhai::FnAccess::Public && !function.name.starts_with("anon$"))
        };
        let arities: Vec<usize> =
            public().filter(|function| function.name == call.name).map(|function| function.params.len()).collect();
        let given = call.args.len();
        if arities.is_empty() && !exports {
            let error = Error::script(format!("the module `{alias}` has no function `{}`", call.name));
            let names: Vec<&str> = public().map(|function| function.name).collect();
            let hint =
                near(&call.name, names.iter().copied()).unwrap_or_else(|| format!("it has {}", names.join(", ")));
            found.push(finding(error.hint(hint), position));
        } else if !arities.is_empty() && !arities.contains(&given) {
            let wanted = arities.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
            let error = Error::script(format!("`{alias}::{}` takes {wanted} arguments, not {given}", call.name));
            found.push(finding(error.hint("see its parameters in the module's file"), position));
        }
    });
    found
}

/// Bare calls of what goes on at the server, in a script that waits for nothing.
fn unwaited(ast: &AST) -> Vec<Finding> {
    let mut waits = false;
    each_call(ast, |call, _, _| waits |= matches!(call.name.as_str(), "wait_for" | "sleep"));
    if waits {
        return Vec::new();
    }
    let mut found = Vec::new();
    let last = ast.statements().last().map(Stmt::position);
    each_call(ast, |call, position, path| {
        // A statement of its own at the top level, and not the script's value.
        let bare = matches!(path, [ASTNode::Stmt(Stmt::FnCall(..))] | [ASTNode::Stmt(Stmt::Expr(_)), _]);
        if !bare || last == path.first().map(|node| node.position()) {
            return;
        }
        let Some(row) = catalog::find(&call.name).filter(|row| row.effect == Effect::Changes) else { return };
        let what = ["execution", "deployment", "migration"].into_iter().find(|what| {
            ["the ", "an ", "a "].iter().any(|article| row.result.starts_with(&format!("{article}{what}")))
        });
        if let Some(what) = what {
            let error = Error::script(format!("nobody waits for the {what} that `{}` begins", call.name));
            let hint = format!("write `wait_for({}(...))`, or keep it: `let {what} = {}(...);`", call.name, call.name);
            found.push(finding(error.hint(hint), position));
        }
    });
    found
}

/// What a resumed run could not answer the same way.
fn unrepeatable(ast: &AST) -> Vec<Finding> {
    let mut found = Vec::new();
    each_call(ast, |call, position, _| {
        if call.name == "timestamp" && call.namespace.is_empty() {
            let error = Error::script("`timestamp` would tell the machine's time, which a resumed run does not know");
            found.push(finding(error.hint("use `now()`"), position));
        }
    });
    found
}

/// Closures that are kept in a list and captured the variable of a loop: each sees its last value.
fn loop_captures(ast: &AST) -> Vec<Finding> {
    let mut found = Vec::new();
    ast.walk(&mut |path| {
        let Some(ASTNode::Expr(Expr::MethodCall(call, _))) = path.last() else { return true };
        if !matches!(call.name.as_str(), "push" | "insert") {
            return true;
        }
        let heads = path.iter().filter_map(|node| match node {
            ASTNode::Stmt(Stmt::For(head, _)) => Some(head),
            _ => None,
        });
        let variables: Vec<&str> = heads
            .flat_map(|head| std::iter::once(&head.0).chain(head.1.as_ref()))
            .map(|variable| variable.name.as_str())
            .collect();
        for closure in call.args.iter().filter_map(super::curried) {
            let captured = closure.args.iter().skip(1).find_map(|argument| match argument {
                Expr::Variable(variable, _, position) if variables.contains(&variable.1.as_str()) => {
                    Some((variable.1.clone(), *position))
                }
                _ => None,
            });
            if let Some((name, position)) = captured {
                let message = format!("this closure is kept, and will see the last value of the loop's `{name}`");
                let error = Error::script(message).hint(format!("copy it first: `let own = {name};`, and use `own`"));
                found.push(finding(error, position));
            }
        }
        true
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::engine::bare;

    fn remarks(text: &str) -> Vec<(usize, usize, String, &'static str)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/runbooks");
        let found = examine(&bare(), "x.rhai", text, &folder);
        found
            .into_iter()
            .map(|remark| {
                (remark.finding.line, remark.finding.column, remark.finding.error.message, remark.severity.word())
            })
            .collect()
    }

    #[test]
    fn literals_of_the_wrong_kind_are_found_at_any_depth() {
        for (text, column, message) in [
            ("sleep(\"soon\");", 7, "soon"),
            ("wave(1, [], |vm| vm);", 6, "`name` of `wave` must be a text"),
            ("wave(\"a\", [], #{ limit: 0 }, |vm| vm);", 25, "cannot be 0"),
            ("wave(\"a\", [], #{ limit: \"2\" }, |vm| vm);", 25, "must be a whole number"),
            ("wave(\"a\", [], #{ max_failures: \"110%\" }, |vm| vm);", 32, "110%"),
            ("wave(\"a\", [], || 1);", 15, "this closure has 0 parameters"),
            ("replica_sync(1);", 14, "must be a replica"),
            ("replica_sync(\"a\", #{ retries: 1, backoff: \"x\" });", 43, "backoff"),
            (
                "replica_create(#{ origin_endpoint: \"a\", destination_endpoint: \"b\", instance: \"c\", scenario: \"cold\" });",
                93,
                "cannot be `cold`",
            ),
            (
                "replica_update(\"a\", #{ storage_mappings: #{ defalt: \"ssd\" } });",
                45,
                "`storage_mappings` knows no key `defalt`",
            ),
            ("replica_update(\"a\", #{ clone_disks: true, dont_clone_disks: true });", 43, "contradict each other"),
        ] {
            let found = remarks(text);
            assert!(
                matches!(&found[..], [(1, at, said, "error")] if *at == column && said.contains(message)),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn files_and_modules_that_are_not_there_are_found() {
        let found = remarks(
            "let vms = read_csv(\"nobody.csv\");\nimport \"tools\" as tools;\nimport \"gone\" as gone;\nprint(tools::doubel(1));\nprint(tools::double(1, 2));\nprint(vms);",
        );
        let places: Vec<(usize, usize)> = found.iter().map(|(line, column, ..)| (*line, *column)).collect();
        assert_eq!(places, [(1, 20), (3, 8), (4, 14), (5, 14)], "{found:?}");
    }

    #[test]
    fn what_goes_on_and_nobody_waits_for_is_a_warning() {
        let found = remarks("let r = replica_of(\"a\");\nreplica_execute(r);\nprint(r.id);");
        assert!(matches!(&found[..], [(2, 1, message, "warning")] if message.contains("nobody waits")), "{found:?}");
        assert_eq!(remarks("let r = replica_of(\"a\");\nreplica_execute(r);\nwait_for(r);"), []);
        assert_eq!(remarks("replica_execute(replica_of(\"a\"))"), []);
    }

    #[test]
    fn what_a_resumed_run_cannot_know_and_closures_that_see_the_last_value_are_warnings() {
        let found = remarks(
            "let at = timestamp();\nlet fs = [];\nfor x in [1, 2] {\n  fs.push(|| x + 1);\n}\nprint([at, fs]);",
        );
        assert_eq!(
            found.iter().map(|(line, _, _, severity)| (*line, *severity)).collect::<Vec<_>>(),
            [(1, "warning"), (4, "warning")],
            "{found:?}"
        );
        assert_eq!(
            remarks(
                "let fs = [];\nfor x in [1, 2] {\n  let own = x;\n  fs.push(|| own);\n  fs.push(each([1], |y| x + y));\n}\nprint(fs);"
            ),
            []
        );
    }

    #[test]
    fn nothing_is_found_in_what_is_right() {
        let mut wrong = Vec::new();
        for folder in ["scripts", "tests/it/runbooks"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.extension().is_some_and(|end| end == "rhai") && !entry.ends_with("coriolis.d.rhai") {
                    let text = std::fs::read_to_string(&entry).unwrap();
                    wrong.extend(examine(&bare(), &entry.display().to_string(), &text, &folder));
                }
            }
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        for row in catalog::rows() {
            let found = examine(&bare(), row.name, row.example, &folder).into_iter();
            // An example may name a file that a reader has.
            wrong.extend(found.filter(|remark| {
                remark.severity == Severity::Error && !remark.finding.error.message.contains("no file")
            }));
        }
        let told: Vec<String> = wrong
            .iter()
            .map(|remark| format!("{}:{}: {}", remark.file, remark.finding.line, remark.finding.error.message))
            .collect();
        assert_eq!(told, Vec::<String>::new());
    }
}
