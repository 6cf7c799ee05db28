//! A runbook and the modules that it imports, each with the declarations in its tree.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rhai::{AST, ASTFlags, ASTNode, Expr, FnAccess, FnCallExpr, Position, Stmt};

use crate::access::Access;
use crate::error::Error;
use crate::language::bodies::{Bodies, Body, bodies, is_closure};
use crate::language::captures::{captured_writes, changing_methods};
use crate::language::finding::CapturedWrites;
use crate::language::source::read_module;
use crate::language::syntax::{Recovered, recover};
use crate::limits::Limits;
use crate::report::values::diagnostic::Severity;

/// One text that parses, or its readable part.
pub struct File {
    /// The runbook's name as the operator wrote it, or a module's file beside it.
    pub name: String,
    pub text: String,
    pub tree: Option<Tree>,
    /// The syntax errors, and the mapping from positions in the tree to positions in the text.
    pub syntax: Recovered,
    /// The mistakes in its imports.
    pub imports: Vec<(Error, Position)>,
}

/// A mistake in one of the files.
#[derive(Clone, Debug)]
pub struct Told {
    pub file: usize,
    pub severity: Severity,
    pub error: Error,
    pub position: Position,
}

/// A position in one of the files, in an order.
pub(super) type Spot = (usize, Option<usize>, Option<usize>);

pub(super) fn spot(file: usize, position: Position) -> Spot {
    (file, position.line(), position.position())
}

pub struct Tree {
    pub ast: AST,
    /// Functions and closures.
    pub bodies: Bodies,
    /// The numbers of arguments of each function that is not private.
    pub public: BTreeMap<String, BTreeSet<usize>>,
    pub functions: BTreeMap<String, BTreeSet<usize>>,
    /// The modules by the names that they have here: indices of files, `None` for a missing one, or for a name that
    /// stands for two.
    pub modules: BTreeMap<String, Option<usize>>,
    /// The exports other than functions; constants are also visible as `global::X`.
    pub exports: BTreeSet<String>,
    pub constants: BTreeSet<String>,
    pub variables: BTreeSet<String>,
    pub writes: CapturedWrites,
    /// Functions that change the value they are called on.
    pub changing: BTreeSet<String>,
    /// Variables that some closure writes to: nothing is certain about them.
    pub shared: BTreeSet<String>,
    /// Fields that the script checks for before it reads them.
    pub asked: BTreeSet<String>,
    /// Every field that an object map has in the script, as a literal or by assignment.
    pub fields: BTreeSet<String>,
}

/// The runbook `name` in `folder`, and after it everything that it imports.
pub fn load(name: &str, text: &str, folder: &Path) -> Vec<File> {
    let mut loader = Loader { folder, shown: Path::new(name).parent().unwrap_or(Path::new("")), files: Vec::new() };
    loader.read(name.to_owned(), text.to_owned(), None, &mut Vec::new());
    loader.files.into_iter().map(|(_, file)| file).collect()
}

struct Loader<'a> {
    folder: &'a Path,
    /// The folder as the operator wrote it.
    shown: &'a Path,
    files: Vec<(Option<PathBuf>, File)>,
}

impl Loader<'_> {
    /// `within` are the modules being read, outermost first.
    fn read(&mut self, name: String, text: String, path: Option<PathBuf>, within: &mut Vec<PathBuf>) -> usize {
        let (syntax, tree) = recover(&text);
        let tree = tree.map(Tree::of);
        let index = self.files.len();
        let imports = tree.as_ref().map(|tree| imports(&tree.ast)).unwrap_or_default();
        self.files.push((path.clone(), File { name, text, tree, syntax, imports: Vec::new() }));
        within.extend(path);
        let mut modules: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for (module, alias, position) in imports {
            let found = match self.import(&module, within) {
                Ok(found) => Some(found),
                Err(error) => {
                    self.files[index].1.imports.push((error, position));
                    None
                }
            };
            let same = modules.get(&alias).is_none_or(|known| *known == found);
            modules.insert(alias, found.filter(|_| same));
        }
        within.pop();
        if let Some(tree) = &mut self.files[index].1.tree {
            tree.modules = modules;
        }
        index
    }

    fn import(&mut self, module: &str, within: &mut Vec<PathBuf>) -> Result<usize, Error> {
        let path = self.folder.join(module).with_extension("rhai");
        if let Some(at) = within.iter().position(|known| *known == path) {
            let circle: Vec<String> =
                within[at..].iter().chain([&path]).map(|path| format!("`{}`", self.shown(path).display())).collect();
            return Err(Error::script(format!("modules import each other in a circle: {}", circle.join(", ")))
                .hint("move what both need into a module of its own"));
        }
        if let Some(known) = self.files.iter().position(|(known, _)| known.as_ref() == Some(&path)) {
            return Ok(known);
        }
        let text = read_module(&Access::all(&Limits::DEFAULT), self.folder, module).map_err(|error| {
            if error.kind() == ErrorKind::InvalidData {
                return Error::input(format!("cannot read the module `{module}`: {error}"));
            }
            let error = Error::input(format!("cannot find the module `{module}`"));
            let beside = within.last().and_then(|from| from.parent()).map(|folder| folder.join(module));
            let beside = beside.filter(|path| path.with_extension("rhai").exists());
            match beside.as_deref().and_then(|path| path.strip_prefix(self.folder).ok()) {
                Some(path) => error.hint(format!("paths start at the runbook's folder: `{}`", path.display())),
                None => {
                    error.hint("an import names a `.rhai` file relative to the runbook's folder, without the ending")
                }
            }
        })?;
        let shown = self.shown(&path).display().to_string();
        Ok(self.read(shown, text, Some(path), within))
    }

    fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.folder).map_or(path.to_owned(), |inside| self.shown.join(inside))
    }
}

/// The modules that a script imports by a literal, with the names that they get.
fn imports(ast: &AST) -> Vec<(String, String, Position)> {
    let mut found = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(module, position) = &import.0
        {
            found.push((module.to_string(), import.1.name.to_string(), *position));
        }
        true
    });
    found
}

impl Tree {
    fn of(ast: AST) -> Self {
        let bodies = bodies(&ast);
        let mut tree = Self {
            bodies,
            public: BTreeMap::new(),
            functions: BTreeMap::new(),
            modules: BTreeMap::new(),
            exports: BTreeSet::new(),
            constants: BTreeSet::new(),
            variables: BTreeSet::new(),
            writes: captured_writes(&ast),
            changing: changing_methods(&ast),
            shared: BTreeSet::new(),
            asked: BTreeSet::new(),
            fields: BTreeSet::new(),
            ast: AST::empty(),
        };
        for function in ast.iter_functions().filter(|function| !is_closure(function.name)) {
            let kinds = [Some(&mut tree.functions), (function.access == FnAccess::Public).then_some(&mut tree.public)];
            for known in kinds.into_iter().flatten() {
                known.entry(function.name.to_owned()).or_default().insert(function.params.len());
            }
        }
        for statement in ast.statements() {
            match statement {
                Stmt::Var(variable, flags, _) => {
                    let name = variable.0.name.to_string();
                    if flags.intersects(ASTFlags::EXPORTED) {
                        tree.exports.insert(name.clone());
                    }
                    if flags.intersects(ASTFlags::CONSTANT) {
                        tree.constants.insert(name);
                    } else {
                        tree.variables.insert(name);
                    }
                }
                Stmt::Export(export, _) => {
                    let name = if export.1.name.is_empty() { &export.0.name } else { &export.1.name };
                    tree.exports.insert(name.to_string());
                }
                _ => {}
            }
        }
        tree.shared = tree.writes.values().flatten().map(|(name, _)| name.clone()).collect();
        ast.walk(&mut |path| {
            if let Some(node) = path.last() {
                tree.note(node);
            }
            true
        });
        tree.ast = ast;
        tree
    }

    fn note(&mut self, node: &ASTNode<'_>) {
        match node {
            ASTNode::Expr(Expr::Map(fields, _)) => {
                self.fields.extend(fields.0.iter().map(|(name, _)| name.name.to_string()));
            }
            ASTNode::Stmt(Stmt::Assignment(assignment)) => self.fields.extend(last_field(&assignment.1.lhs)),
            ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)) => {
                self.asked.extend(asked(call));
            }
            _ => {}
        }
    }

    pub fn body(&self, name: &str, arguments: Option<usize>) -> Option<&Body> {
        let fits = |body: &Body| arguments.is_none_or(|count| body.parameters.len() == count);
        self.bodies.get(name)?.iter().find(|body| fits(body))
    }
}

/// `"name" in map`, `map.contains("name")`, `map.set("name", ...)`: the field may or may not exist.
fn asked(call: &FnCallExpr) -> Option<String> {
    matches!(call.name.as_str(), "contains" | "in" | "set" | "get" | "remove")
        .then(|| {
            call.args.iter().find_map(|argument| match argument {
                Expr::StringConstant(name, _) => Some(name.to_string()),
                _ => None,
            })
        })
        .flatten()
}

fn last_field(target: &Expr) -> Option<String> {
    match target {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => last_field(&pair.rhs),
        Expr::Property(property, _) => Some(property.2.to_string()),
        Expr::StringConstant(name, _) => Some(name.to_string()),
        _ => None,
    }
}
