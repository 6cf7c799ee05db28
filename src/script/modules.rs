//! Where imports come from: the engine's own resolver, with an end to modules that import each other in a circle.

use std::cell::RefCell;
use std::path::Path;

use rhai::module_resolvers::FileModuleResolver;
use rhai::{Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared};

use super::error::throw;
use crate::error::Error;

thread_local! {
    /// The modules that this thread is in the middle of loading, outermost first.
    static LOADING: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

type Resolved = Result<Shared<Module>, Box<EvalAltResult>>;

/// Loads `.rhai` files below one folder. A circle would otherwise overflow the stack.
pub struct Modules(FileModuleResolver);

impl Modules {
    pub fn of(folder: &Path) -> Self {
        Self(FileModuleResolver::new_with_path(folder))
    }
}

impl ModuleResolver for Modules {
    fn resolve(&self, engine: &Engine, source: Option<&str>, path: &str, position: Position) -> Resolved {
        unless_loading(path, position, || self.0.resolve(engine, source, path, position))
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        scope: &mut Scope<'_>,
        path: &str,
        position: Position,
    ) -> Resolved {
        unless_loading(path, position, || self.0.resolve_raw(engine, global, scope, path, position))
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
    use crate::script::error::locate;

    #[test]
    fn modules_that_import_each_other_end_with_the_circle() {
        let inner = || unless_loading("a", Position::NONE, || unreachable!("refused before"));
        let thrown =
            unless_loading("a", Position::NONE, || unless_loading("b", Position::NONE, inner)).expect_err("a circle");
        assert_eq!(locate(&thrown).error.message, "modules import each other in a circle: `a` imports `b` imports `a`");
        LOADING.with_borrow(|loading| assert!(loading.is_empty()));
    }
}
