//! Every name and every call of a script, by its own words: undefined variables and modules, missing functions, wrong
//! arguments. Pure.
//!
//! The parser's strict mode stops at the first; this walks the tree once with the scopes of the language: blocks, loops,
//! `catch`, functions that see only their parameters, closures that see their surroundings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{AST, ASTFlags, ASTNode, Engine, Expr, FnCallExpr, FnPtr, ParseErrorType, Position, Stmt, StmtBlock};

use crate::check::natives::Natives;
use crate::error::{Error, suggest};
use crate::language::bodies::{Bodies, bodies, is_closure, named};
use crate::language::captures::captured_writes;
use crate::language::catalog::Catalog;
use crate::language::finding::{CapturedWrites, Finding};
use crate::language::scope::Names;

/// The detail with the name of an undefined variable.
pub const UNDEFINED: &str = "undefined";

/// The meaning of the words of a text beyond its own declarations.
pub struct Vocabulary<'a> {
    pub engine: &'a Engine,
    pub natives: &'a Natives,
    pub catalog: &'a Catalog,
    /// The variables that exist beforehand.
    pub variables: Vec<&'a str>,
    /// The functions of earlier inputs.
    pub functions: &'a AST,
    /// Words that a repair has taken out of the text: they may be declarations.
    pub lost: &'a BTreeSet<String>,
}

/// The mistakes in the words of a script.
#[derive(Default)]
pub struct Mistakes {
    /// Undefined variables and modules.
    pub names: Vec<Finding>,
    pub calls: Vec<Finding>,
}

/// The mistakes in a script that parses.
pub fn mistakes(vocabulary: &Vocabulary<'_>, ast: &AST, source: &str) -> Mistakes {
    let mut words = Words::new(vocabulary, ast, source);
    words.names = vocabulary
        .variables
        .iter()
        .copied()
        .chain(vocabulary.lost.iter().map(String::as_str))
        .map(|name| (name, ()))
        .collect();
    words.statements(ast.statements());
    let imported = words.imported.clone();
    for (name, function) in named(&words.bodies.clone()) {
        words.names = seen(&function.parameters);
        words.modules = imported.iter().cloned().collect();
        words.function = Some(name.clone());
        words.reported.clear();
        words.statements(&function.body);
    }
    words.found.names.sort_by_key(|finding| (finding.line, finding.column));
    words.found.names.dedup_by_key(|finding| (finding.line, finding.column));
    words.found
}

/// The names that a function sees at its beginning.
fn seen(parameters: &[String]) -> Names<()> {
    parameters.iter().map(|name| (name.as_str(), ())).collect()
}

fn variable_name(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Variable(variable, ..) => Some(variable.1.to_string()),
        _ => None,
    }
}

/// A walk over the tree, with the knowledge at its position.
pub(super) struct Words<'a> {
    pub(super) vocabulary: &'a Vocabulary<'a>,
    pub(super) ast: &'a AST,
    pub(super) source: &'a str,
    /// Variables in scope, innermost last.
    pub(super) names: Names<()>,
    /// Modules in scope, by the names of their imports.
    modules: Vec<String>,
    /// Every import at the runbook's top level: functions see them.
    imported: BTreeSet<String>,
    /// Constants of the top level: functions see them as `global::X`.
    pub(super) constants: BTreeSet<String>,
    /// The variables of all `let` and `const`.
    pub(super) variables: BTreeSet<String>,
    /// The positions of all declarations.
    pub(super) declared: BTreeMap<String, (usize, usize)>,
    /// Names that a closure or a `catch` introduces, with its description: `the closure in line 4`.
    pub(super) given: BTreeMap<String, String>,
    /// The script's own functions with their numbers of arguments, and those of earlier inputs.
    pub(super) functions: BTreeMap<String, BTreeSet<usize>>,
    /// Functions and closures of the text.
    pub(super) bodies: Arc<Bodies>,
    pub(super) writes: CapturedWrites,
    /// The function that is being walked.
    pub(super) function: Option<String>,
    /// The names reported for this function: once is enough.
    reported: BTreeSet<String>,
    pub(super) found: Mistakes,
}

impl<'a> Words<'a> {
    fn new(vocabulary: &'a Vocabulary<'a>, ast: &'a AST, source: &'a str) -> Self {
        let (mut constants, mut imported) = (BTreeSet::new(), BTreeSet::new());
        for statement in ast.statements() {
            match statement {
                Stmt::Var(variable, flags, _) if flags.intersects(ASTFlags::CONSTANT) => {
                    constants.insert(variable.0.name.to_string());
                }
                Stmt::Import(import, _) if !import.1.name.is_empty() => {
                    imported.insert(import.1.name.to_string());
                }
                _ => {}
            }
        }
        let mut functions: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for function in ast.iter_functions().chain(vocabulary.functions.iter_functions()) {
            functions.entry(function.name.to_owned()).or_default().insert(function.params.len());
        }
        let mut variables = BTreeSet::new();
        let mut declared = BTreeMap::new();
        let mut declare = |name: &str, position: Position| {
            declared.entry(name.to_owned()).or_insert(place(position));
        };
        let bodies = bodies(ast);
        let mut given: BTreeMap<String, String> = BTreeMap::new();
        // Of the next closure: the language turns its captures into parameters.
        let mut captured: BTreeSet<String> = BTreeSet::new();
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::TryCatch(flow, _))) => {
                    if let Expr::Variable(variable, _, position) = &flow.expr {
                        let line = place(*position).0;
                        given.entry(variable.1.to_string()).or_insert_with(|| format!("the `catch` in line {line}"));
                    }
                }
                Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
                    if call.name == "curry" =>
                {
                    captured = call.args.iter().filter_map(variable_name).collect();
                }
                Some(ASTNode::Expr(Expr::DynamicConstant(value, position))) => {
                    let name = value.read_lock::<FnPtr>().map(|closure| closure.fn_name().to_owned());
                    let parameters = name.and_then(|name| bodies.get(&name)).into_iter().flatten();
                    let parameters = parameters.flat_map(|body| &body.parameters);
                    for parameter in parameters.filter(|parameter| !captured.contains(*parameter)) {
                        let line = place(*position).0;
                        given.entry(parameter.clone()).or_insert_with(|| format!("the closure in line {line}"));
                    }
                    captured.clear();
                }
                Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                    variables.insert(variable.0.name.to_string());
                    declare(&variable.0.name, variable.0.pos);
                }
                Some(ASTNode::Stmt(Stmt::For(head, _))) => {
                    declare(&head.0.name, head.0.pos);
                    if let Some(counter) = &head.1 {
                        declare(&counter.name, counter.pos);
                    }
                }
                _ => {}
            }
            true
        });
        Self {
            vocabulary,
            ast,
            source,
            names: Names::default(),
            modules: Vec::new(),
            imported,
            constants,
            variables,
            declared,
            functions,
            bodies: Arc::new(bodies),
            writes: captured_writes(ast),
            given,
            function: None,
            reported: BTreeSet::new(),
            found: Mistakes::default(),
        }
    }

    fn block(&mut self, block: &StmtBlock) {
        self.scoped(|words| words.statements(block.statements()));
    }

    /// Walks a block, whose declarations are gone afterwards.
    fn scoped(&mut self, inside: impl FnOnce(&mut Self)) {
        let (names, modules) = (self.names.depth(), self.modules.len());
        inside(self);
        self.names.truncate(names);
        self.modules.truncate(modules);
    }

    fn statements(&mut self, statements: &[Stmt]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::If(flow, _) => {
                self.expression(&flow.expr);
                self.block(&flow.body);
                self.block(&flow.branch);
            }
            Stmt::While(flow, _) | Stmt::Do(flow, ..) => {
                self.expression(&flow.expr);
                self.block(&flow.body);
            }
            Stmt::For(head, _) => {
                self.expression(&head.2.expr);
                self.scoped(|words| {
                    words.names.push(head.0.name.clone(), ());
                    head.1.iter().for_each(|counter| words.names.push(counter.name.clone(), ()));
                    words.statements(head.2.body.statements());
                });
            }
            Stmt::TryCatch(flow, _) => {
                self.block(&flow.body);
                self.scoped(|words| {
                    if let Expr::Variable(variable, ..) = &flow.expr {
                        words.names.push(variable.1.clone(), ());
                    }
                    words.statements(flow.branch.statements());
                });
            }
            Stmt::Switch(switch, _) => {
                self.expression(&switch.0);
                for case in &switch.1.expressions {
                    self.expression(&case.lhs);
                    self.scoped(|words| words.expression(&case.rhs));
                }
            }
            Stmt::Var(variable, ..) => {
                self.expression(&variable.1);
                self.names.push(variable.0.name.clone(), ());
            }
            Stmt::Assignment(assignment) => {
                self.expression(&assignment.1.lhs);
                self.expression(&assignment.1.rhs);
            }
            Stmt::FnCall(call, position) => self.call(call, *position),
            Stmt::Block(block) => self.block(block),
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::BreakLoop(Some(expression), ..) | Stmt::Return(Some(expression), ..) => self.expression(expression),
            Stmt::Import(import, _) => {
                self.expression(&import.0);
                self.modules.push(import.1.name.to_string());
            }
            Stmt::Export(export, _) => self.name(&export.0.name, export.0.pos),
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Variable(variable, _, position) => match variable.2.path.first() {
                Some(root) => self.module(root.name.as_str(), root.pos),
                None => self.name(&variable.1, *position),
            },
            Expr::DynamicConstant(value, _) => {
                let closure = value.read_lock::<FnPtr>().map(|closure| closure.fn_name().to_owned());
                if let Some(closure) = closure {
                    self.closure(&closure);
                }
            }
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
                parts.iter().for_each(|part| self.expression(part));
            }
            Expr::Map(fields, _) => fields.0.iter().for_each(|(_, value)| self.expression(value)),
            Expr::Stmt(block) => self.block(block),
            Expr::FnCall(call, position) => self.call(call, *position),
            Expr::MethodCall(call, _) => call.args.iter().for_each(|argument| self.expression(argument)),
            Expr::Dot(pair, ..) | Expr::Index(pair, ..) => {
                self.expression(&pair.lhs);
                self.expression(&pair.rhs);
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.expression(part));
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position) {
        if let Some(root) = call.namespace.path.first() {
            self.module(root.name.as_str(), root.pos);
        }
        for argument in &call.args {
            self.expression(argument);
        }
        self.check_call(call, position);
    }

    /// Looks up a closure's captures, which are arguments beside it and parameters inside.
    fn closure(&mut self, name: &str) {
        let bodies = self.bodies.clone();
        let Some(closure) = bodies.get(name).filter(|_| is_closure(name)).and_then(|bodies| bodies.first()) else {
            return;
        };
        let outside = std::mem::replace(&mut self.names, seen(&closure.parameters));
        self.scoped(|words| words.statements(&closure.body));
        self.names = outside;
    }

    fn name(&mut self, name: &str, position: Position) {
        let known = self.names.find(name).is_some() || self.bodies.contains_key(name);
        // A name made up by the parser is not the author's.
        if known || name.is_empty() || name.contains('$') || !self.reported.insert(name.to_owned()) {
            return;
        }
        let error = Error::script(format!("undefined variable `{name}`"))
            .detail(UNDEFINED, name)
            .hint(self.meant_by(name, position));
        self.found(error, position);
    }

    fn module(&mut self, name: &str, position: Position) {
        let known = name == "global"
            || self.modules.iter().any(|known| known == name)
            || has_module(self.vocabulary.engine, name);
        if known || !self.reported.insert(format!("{name}::")) {
            return;
        }
        let near = suggest(name, self.modules.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        let hint = near.unwrap_or_else(|| format!("import it: `import \"file\" as {name};`"));
        self.found(Error::script(format!("undefined module `{name}`")).hint(hint), position);
    }

    fn found(&mut self, error: Error, position: Position) {
        let (line, column) = place(position);
        self.found.names.push(Finding { error, line, column });
    }
}

pub(super) fn place(position: Position) -> (usize, usize) {
    (position.line().unwrap_or(1), position.position().unwrap_or(1))
}

/// True if the engine has a module with this name without an import.
fn has_module(engine: &Engine, name: &str) -> bool {
    let asked = engine.compile(format!("{name}::x"));
    !asked.is_err_and(|error| matches!(error.err_type(), ParseErrorType::ModuleUndefined(_)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::functions::catalog;
    use crate::language::syntax::recover;
    use crate::runtime::engine::bare;

    fn complaints(source: &str) -> Vec<String> {
        let line = |finding: Finding| {
            let hint = finding.error.hint.unwrap_or_default();
            format!("{}:{} {}; {hint}", finding.line, finding.column, finding.error.message)
        };
        let (engine, earlier, lost) = (bare(), AST::empty(), BTreeSet::new());
        let natives = Natives::of(&engine);
        let vocabulary = Vocabulary {
            engine: &engine,
            natives: &natives,
            catalog: catalog(),
            variables: vec!["it"],
            functions: &earlier,
            lost: &lost,
        };
        mistakes(&vocabulary, &recover(source).1.unwrap(), source).names.into_iter().map(line).collect()
    }

    #[test]
    fn all_undefined_variables_are_found_with_what_may_have_been_meant() {
        let expected: [(&str, &[&str]); 21] = [
            (
                "let vms = [];\nprint(vmss);\nprint(vmz + nothing_like_it);",
                &[
                    "2:7 undefined variable `vmss`; did you mean `vms`?",
                    "3:7 undefined variable `vmz`; did you mean `vms`?",
                    "3:13 undefined variable `nothing_like_it`; declare it: `let nothing_like_it = ...;`",
                ],
            ),
            (
                "const LIMIT = 3;\nfn f(x) { x * LIMIT }",
                &["2:15 undefined variable `LIMIT`; a function sees a constant of the runbook as `global::LIMIT`"],
            ),
            (
                "let limit = 3;\nfn f(x) { x * limit }",
                &["2:15 undefined variable `limit`; it is declared outside this function: pass it in, or make it a \
                     `const` and write `global::limit`"],
            ),
            (
                "if true { let inner = 1; }\ninner",
                &[
                    "2:1 undefined variable `inner`; it is declared in another block: declare it before that block: `let inner = ...;`",
                ],
            ),
            ("print(late);\nlet late = 1;", &["1:7 undefined variable `late`; it is declared further down, in line 2"]),
            ("tools::double(1)", &["1:1 undefined module `tools`; import it: `import \"file\" as tools;`"]),
            ("import \"x\" as tools;\ntool::double(1)", &["2:1 undefined module `tool`; did you mean `tools`?"]),
            ("fn f() { tools::x }", &["1:10 undefined module `tools`; import it: `import \"file\" as tools;`"]),
            ("let x = None;", &["1:9 undefined variable `None`; the empty value is written `()`"]),
            ("let x = True;", &["1:9 undefined variable `True`; write `true`"]),
            ("let e = endpoint_list;", &["1:9 undefined variable `endpoint_list`; call it: `endpoint_list()`"]),
            ("let xs = [1]; xs.map(|x| x + y)", &["1:30 undefined variable `y`; declare it: `let y = ...;`"]),
            (
                "let xs = [1]; xs.map(|x| xs.map(|z| x + y))",
                &["1:41 undefined variable `y`; declare it: `let y = ...;`"],
            ),
            ("fn f(a) { [1].map(|x| x + a + bc) }", &["1:31 undefined variable `bc`; declare it: `let bc = ...;`"]),
            (
                "for x in [1] { } x",
                &[
                    "1:18 undefined variable `x`; it is declared in another block: declare it before that block: `let x = ...;`",
                ],
            ),
            (
                "try { } catch (e) { } e",
                &[
                    "1:23 undefined variable `e`; only the `catch` in line 1 has it: use it there, or keep it in a variable that is declared before",
                ],
            ),
            ("let a = b; let b = a;", &["1:9 undefined variable `b`; it is declared further down, in line 1"]),
            ("y = 1;", &["1:1 undefined variable `y`; declare it: `let y = ...;`"]),
            (
                "let s = `${nme} ${\"name\"}`; let name = 1;",
                &["1:12 undefined variable `nme`; declare it: `let nme = ...;`"],
            ),
            (
                "let m = #{ a: web }; m[\"web\"]",
                &["1:15 undefined variable `web`; declare it: `let web = ...;`, or put it in quotes: `\"web\"`"],
            ),
            ("export nothing as other;", &["1:8 undefined variable `nothing`; declare it: `let nothing = ...;`"]),
        ];
        let wrong: Vec<String> = expected
            .iter()
            .filter(|(source, expected)| complaints(source) != *expected)
            .map(|(source, _)| format!("{source:?}: {:#?}", complaints(source)))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Code that the language accepts, however odd it looks.
    const RIGHT: [&str; 32] = [
        "let x = 1; let x = x + 1; x",
        "let x = 1; { let x = x; x } x",
        "for (vm, i) in [1] { vm + i }",
        "for x in [1] { for x in [x] { x } x }",
        "try { throw 1; } catch (e) { e } ",
        "try { throw 1; } catch { 2 }",
        "let f = |x| x; f.call(1)",
        "let a = 1; let f = |x| x + a; f.call(1)",
        "let a = 1; let f = |x| |y| x + y + a; f.call(1).call(2)",
        "let a = 1; let f = || { let b = a; [b].map(|c| c + b + a) };",
        "fn f(a) { [1].map(|x| x + a) } f(1)",
        "fn f(a) { let g = |x| a + x; g.call(1) }",
        "const X = 1; fn f() { global::X } f() + X + global::X",
        "import \"tools\" as tools; fn f(x) { tools::double(x) } tools::N + f(1)",
        "import \"tools\" as tools; let f = |x| tools::double(x) + tools::N; f.call(1)",
        "export let x = 1; export const Y = x; let z = 2; export z as w;",
        "fn f() { this.x = 1; this } let m = #{}; m.f()",
        "let m = #{ f: || this.x, x: 1 }; m.f()",
        "switch 1 { 1 => { let y = 2; y } 2 if true => 3, _ => { let y = 4; y } }",
        "let x = if true { let y = 1; y } else { 2 }; x",
        "let x = switch 1 { 1 => \"a\", _ => \"b\" }; x",
        "loop { let i = 0; if i == 0 { break; } }",
        "do { let n = 1; } while false;",
        "let n = 3; while n > 0 { n -= 1; }",
        "fn helper(x) { x } let f = helper; [1].map(helper)",
        "let m = #{ name: 1 }; m.name + m[\"name\"] + m?.other ?? 0",
        "let s = `a ${let t = 1; t} ${s2()}`; fn s2() { 1 }",
        "let it2 = it; it",
        "let x = [1, 2].filter(|v| v > 1).map(|v| #{ v: v }); x[0].v",
        "fn f(x) { if x == 0 { return 1; } f(x - 1) } f(2)",
        "let a = 1; [1].for_each(|| { a += this; });",
        "let list = [[1]]; for row in list { for cell in row { if cell in row { print(cell); } } }",
    ];

    /// Every script that is known to be right, with its name.
    fn right() -> Vec<(String, String)> {
        let mut right: Vec<(String, String)> =
            RIGHT.iter().map(|code| (String::from(*code), String::from(*code))).collect();
        for folder in ["scripts", "tests/it/runbooks", "examples"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "rhai") && !path.ends_with("coriolis.d.rhai") {
                    right.push((path.display().to_string(), std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        for (name, function) in catalog().names() {
            right.push((name.clone(), function.whole_example()));
        }
        right
    }

    #[test]
    fn what_is_right_is_left_alone() {
        let wrong: Vec<String> = right()
            .iter()
            .map(|(name, code)| (name, complaints(code)))
            .filter(|(_, told)| !told.is_empty())
            .map(|found| format!("{found:?}"))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_word_less_is_missed_wherever_it_stands() {
        // A misspelt variable makes each correct script a wrong one, and the parser and this walk must agree about it.
        let mut disagree = Vec::new();
        let mut seen = 0;
        for (name, code) in right() {
            // Only this walk reports the names in an export.
            for (at, _) in code.match_indices("let ").filter(|_| !code.contains("export z")) {
                let broken = format!("{}let zq_{}", &code[..at], &code[at + 4..]);
                let scope = {
                    let mut scope = rhai::Scope::new();
                    scope.push("it", 1_i64);
                    scope
                };
                let parser = match bare().compile_with_scope(&scope, &broken).map_err(|error| error.err_type().clone())
                {
                    Ok(_) => false,
                    Err(ParseErrorType::VariableUndefined(_) | ParseErrorType::ModuleUndefined(_)) => true,
                    Err(_) => continue,
                };
                seen += 1;
                if parser == complaints(&broken).is_empty() {
                    disagree.push(format!("{name}: parser {parser}, here {:?}", complaints(&broken)));
                }
            }
        }
        assert!(seen > 50, "{seen}");
        assert!(disagree.is_empty(), "{}", disagree.join("\n"));
    }
}
