//! A script that is typed piece by piece: variables, functions and imports of one input exist in the next.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rhai::{AST, Dynamic, Engine, Expr, Scope, Stmt};

use crate::check::compile::compile_with;
use crate::language::error::{Located, Step};
use crate::language::finding::Finding;
use crate::runtime::engine::build;
use crate::runtime::host::Host;
use crate::runtime::lane::Lane;
use crate::runtime::modules::Imports;
use crate::runtime::run::evaluate_in;

/// The name of the last result.
pub const LAST: &str = "it";

/// Everything typed so far, as the next input finds it.
pub struct Session {
    engine: Engine,
    host: Arc<Host>,
    main: Arc<Lane>,
    scope: Scope<'static>,
    /// The functions of all inputs, including closures; without statements.
    functions: AST,
    /// The input that defines each function.
    texts: BTreeMap<String, Arc<str>>,
    /// True if anything refers to constants by `global::`.
    globals: bool,
}

/// The reason why an input has no result.
#[derive(Debug)]
pub enum Mistake {
    /// Found before any of it was carried out.
    Found(Vec<Finding>),
    /// Thrown while it ran. The text is that of the input in which it was thrown.
    Thrown(Box<Located>, Arc<str>),
}

impl Session {
    /// `host` is stopped by the same wish as an input; jobs go on.
    pub fn new(host: Arc<Host>) -> Self {
        let main = Lane::main();
        let engine = build(&host, &main);
        let (functions, texts) = (AST::empty(), BTreeMap::new());
        Self { engine, host, main, scope: Scope::new(), functions, texts, globals: false }
    }

    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The names of the variables and constants.
    pub fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.scope.iter_raw().map(|(name, ..)| name)
    }

    /// A variable's value.
    pub fn variable(&self, name: &str) -> Option<&Dynamic> {
        self.scope.get(name)
    }

    /// Functions that were typed, with their parameters.
    pub fn functions(&self) -> Vec<(String, Vec<String>)> {
        let named = self.functions.iter_functions().filter(|function| !function.name.starts_with("anon$"));
        named
            .map(|function| (function.name.to_owned(), function.params.iter().map(|name| (*name).to_owned()).collect()))
            .collect()
    }

    /// Runs one input.
    ///
    /// # Errors
    /// The mistakes in it, or its error; variables that it made before remain.
    pub fn evaluate(&mut self, text: &str) -> Result<Dynamic, Mistake> {
        self.run(text, None)
    }

    /// Runs what lies in that folder, where files and modules that it names are looked for. Functions that it leaves
    /// behind look in the session's folder.
    ///
    /// # Errors
    /// As [`Session::evaluate`].
    pub fn load(&mut self, text: &str, folder: &Path) -> Result<Dynamic, Mistake> {
        if folder == self.host.folder() {
            return self.run(text, None);
        }
        let host = self.host.within(folder);
        let engine = build(&host, &self.main);
        self.run(text, Some((&engine, &host)))
    }

    fn run(&mut self, text: &str, elsewhere: Option<(&Engine, &Arc<Host>)>) -> Result<Dynamic, Mistake> {
        let catalog = self.host.language.catalog;
        let input = compile_with(&self.engine, catalog, text, &self.scope, &self.functions).map_err(Mistake::Found)?;
        let whole = self.functions.merge(&input);
        let shared: Arc<str> = text.into();
        let names = input.iter_functions().map(|function| function.name.to_owned());
        self.texts.extend(names.map(|name| (name, shared.clone())));
        self.globals |= text.contains("global::");
        self.functions = whole.clone_functions_only();
        self.host.set_text(text);
        let whole = self.with_constants(whole);
        let (engine, host) = elsewhere.unwrap_or((&self.engine, &self.host));
        if imports(&input).next().is_some() {
            host.imports.forget();
        }
        let result = evaluate_in(engine, host, &self.main, &whole, &mut self.scope);
        let loaded = host.imports.clone();
        self.scope = self.scope.clone_visible();
        self.keep_imports(&input, &loaded);
        match result {
            Ok(value) => {
                if !value.is_unit() {
                    self.scope.set_value(LAST, value.clone());
                }
                Ok(value)
            }
            Err(mut located) => {
                let text = self.hide_other_inputs(&mut located, &shared);
                Err(Mistake::Thrown(Box::new(located), text))
            }
        }
    }

    /// The text in which an error was thrown; positions in other inputs are of no use to a reader.
    fn hide_other_inputs(&self, located: &mut Located, input: &Arc<str>) -> Arc<str> {
        let text_of =
            |step: Option<&Step>| step.and_then(|step| self.texts.get(&step.function)).unwrap_or(input).clone();
        let shown = text_of(located.through.first());
        for index in 0..located.through.len() {
            let caller = text_of(located.through.get(index + 1));
            let step = &mut located.through[index];
            step.called = step.called.take().filter(|called| called.source.is_some() || caller == shown);
        }
        shown
    }

    /// The engine knows as `global::X` only constants that were declared in the same evaluation.
    fn with_constants(&self, whole: AST) -> AST {
        if !self.globals {
            return whole;
        }
        let constants = self.scope.iter_raw().filter(|(_, constant, _)| *constant);
        let again: String = constants.map(|(name, ..)| format!("const {name} = {name}; ")).collect();
        match self.engine.compile_with_scope(&self.scope, again) {
            Ok(again) => again.merge(&whole),
            Err(_) => whole,
        }
    }

    /// Keeps the imports of one evaluation, which the engine would otherwise lose.
    fn keep_imports(&mut self, input: &AST, loaded: &Imports) {
        let found: Vec<_> = imports(input)
            .filter_map(|(path, name)| {
                let path = match path {
                    Expr::StringConstant(path, _) => path.to_string(),
                    Expr::Variable(variable, ..) => self.variable(&variable.1)?.flatten_clone().to_string(),
                    _ => return None,
                };
                Some((name.to_owned(), loaded.loaded(&path)?))
            })
            .collect();
        for (name, module) in found {
            self.engine.register_static_module(&name, module.clone());
            self.host.keep_module(&name, module);
        }
    }
}

/// The imports of an input that have a name, outside all blocks.
fn imports(input: &AST) -> impl Iterator<Item = (&Expr, &str)> {
    input.statements().iter().filter_map(|statement| match statement {
        Stmt::Import(import, _) if !import.1.name.is_empty() => Some((&import.0, import.1.name.as_str())),
        _ => None,
    })
}
