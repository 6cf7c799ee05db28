//! The source of imports: the texts that the run has kept, else files; modules that import each other in a circle are
//! refused.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rhai::{
    AST, Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, ParseError, Position, Scope, Shared,
};

use crate::access;
use crate::access::Access;
use crate::error::{Error, Result as Outcome};
use crate::language::error::{Fault, throw};
use crate::language::finding::Finding;
use crate::language::source::read_module;

thread_local! {
    /// The modules that this thread is loading, outermost first.
    static LOADING: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

type Resolved = Result<Shared<Module>, Box<EvalAltResult>>;

/// Keeps the text of a module under the name in its import.
pub type KeepImport = Box<dyn Fn(&str, &str) -> Outcome<()> + Send + Sync>;

/// The modules of one run: a text that was read once stays the same, even when the run is resumed.
pub struct Imports {
    folder: PathBuf,
    access: Access,
    texts: Mutex<BTreeMap<String, String>>,
    modules: Mutex<BTreeMap<String, Shared<Module>>>,
    keep: KeepImport,
}

impl Imports {
    pub fn new(folder: PathBuf, access: Access, kept: BTreeMap<String, String>, keep: KeepImport) -> Self {
        Self { folder, access, texts: Mutex::new(kept), modules: Mutex::default(), keep }
    }

    /// The modules of a folder, without keeping them.
    pub fn of_folder(folder: &Path, access: Access) -> Self {
        Self::new(folder.to_owned(), access, BTreeMap::new(), Box::new(|_, _| Ok(())))
    }

    /// A module that a script has imported.
    pub fn loaded(&self, name: &str) -> Option<Shared<Module>> {
        self.modules.lock().get(name).cloned()
    }

    /// Reads the files anew at the next import.
    pub fn forget(&self) {
        self.texts.lock().clear();
        self.modules.lock().clear();
    }

    fn text(&self, name: &str, position: Position) -> Result<String, Box<EvalAltResult>> {
        if let Some(text) = self.texts.lock().get(name) {
            return Ok(text.clone());
        }
        let text = read_module(&self.access, &self.folder, name).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Box::new(EvalAltResult::ErrorModuleNotFound(name.to_owned(), position)),
            _ => throw(access::explain("read the module", name, &self.folder, error), position),
        })?;
        (self.keep)(name, &text).map_err(|error| Fault::from(error).into_script(position))?;
        self.texts.lock().insert(name.to_owned(), text.clone());
        Ok(text)
    }
}

/// Gives the engine the modules of a run. A circle would otherwise overflow the stack.
pub struct Modules {
    imports: Arc<Imports>,
    /// Every mistake of a text.
    mistakes: fn(&Engine, &str) -> Vec<Finding>,
}

impl Modules {
    pub fn new(imports: &Arc<Imports>, mistakes: fn(&Engine, &str) -> Vec<Finding>) -> Self {
        Self { imports: imports.clone(), mistakes }
    }

    /// The module with this name; `evaluate` makes it from its tree.
    fn module(
        &self,
        engine: &Engine,
        name: &str,
        position: Position,
        evaluate: impl FnOnce(&AST) -> Result<Module, Box<EvalAltResult>>,
    ) -> Resolved {
        let known = self.imports.modules.lock().get(name).cloned();
        if let Some(module) = known {
            return Ok(module);
        }
        let text = self.imports.text(name, position)?;
        let inside =
            |error: Box<EvalAltResult>| Box::new(EvalAltResult::ErrorInModule(name.to_owned(), error, position));
        let mut ast = engine.compile(&text).map_err(|error| inside(unparsed((self.mistakes)(engine, &text), error)))?;
        ast.set_source(name);
        let module: Shared<Module> = evaluate(&ast).map_err(inside)?.into();
        self.imports.modules.lock().insert(name.to_owned(), module.clone());
        Ok(module)
    }
}

/// The error for a module that does not parse, for people.
fn unparsed(findings: Vec<Finding>, error: ParseError) -> Box<EvalAltResult> {
    let count = findings.len();
    let Some(first) = findings.into_iter().next() else { return error.into() };
    let position = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    let mut told = first.error;
    if count > 1 {
        let more = crate::error::count(count - 1, "mistake");
        told.message = format!("{}, and {more} more in this module", told.message);
    }
    throw(told, Position::new(position(first.line), position(first.column)))
}

impl ModuleResolver for Modules {
    fn resolve(&self, engine: &Engine, _: Option<&str>, path: &str, position: Position) -> Resolved {
        let evaluate = |ast: &AST| Module::eval_ast_as_new(Scope::new(), ast, engine);
        unless_loading(path, position, || self.module(engine, path, position, evaluate))
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        scope: &mut Scope<'_>,
        path: &str,
        position: Position,
    ) -> Resolved {
        let evaluate = |ast: &AST| Module::eval_ast_as_new_raw(engine, scope, global, ast);
        unless_loading(path, position, || self.module(engine, path, position, evaluate))
    }
}

fn unless_loading(path: &str, position: Position, load: impl FnOnce() -> Resolved) -> Resolved {
    let circle = LOADING.with_borrow(|loading| {
        let from = loading.iter().position(|module| module == path)?;
        Some(loading[from..].iter().map(String::as_str).chain([path]).collect::<Vec<_>>().join("` imports `"))
    });
    if let Some(circle) = circle {
        let error = Error::script(format!("modules import each other in a circle: `{circle}`"))
            .hint("move what both need into a third module");
        return Err(throw(error, position));
    }
    LOADING.with_borrow_mut(|loading| loading.push(path.to_owned()));
    let resolved = load();
    LOADING.with_borrow_mut(Vec::pop);
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::error::locate;

    #[test]
    fn modules_that_import_each_other_end_with_the_circle() {
        let inner = || unless_loading("a", Position::NONE, || unreachable!("refused before"));
        let thrown =
            unless_loading("a", Position::NONE, || unless_loading("b", Position::NONE, inner)).expect_err("a circle");
        assert_eq!(locate(&thrown).error.message, "modules import each other in a circle: `a` imports `b` imports `a`");
        LOADING.with_borrow(|loading| assert!(loading.is_empty()));
    }
}
