//! The knowledge of completion: the session's variables and functions, the cloud's names, the files of the folder.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rhai::{Array, Dynamic, Map as ScriptMap};

use super::complete::Knowledge;
use super::names::{Name, Names, PATIENCE, What};
use super::place::Link;
use crate::language::catalog::Catalog;
use crate::language::value::describe;
use crate::repl::session::Session;

/// A session that stands still while somebody types, and its surroundings.
pub struct Known {
    pub session: Arc<Mutex<Session>>,
    pub names: Names,
    /// The start of relative paths.
    pub folder: PathBuf,
    catalog: &'static Catalog,
    methods: Vec<String>,
}

impl Known {
    pub fn new(session: Arc<Mutex<Session>>, names: Names, folder: PathBuf) -> Self {
        let engine = session.lock();
        let all = engine.engine().collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
        let catalog = engine.host().language.catalog;
        drop(engine);
        let is_name = |name: &String| name.starts_with(char::is_alphabetic) && !name.contains('$');
        let all: BTreeSet<String> =
            all.into_iter().filter(is_name).filter(|name| catalog.find(name).is_none()).collect();
        Self { session, names, folder, catalog, methods: all.into_iter().collect() }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock()
    }
}

impl Knowledge for Known {
    fn catalog(&self) -> &'static Catalog {
        self.catalog
    }

    fn variables(&self) -> Vec<String> {
        let session = self.session();
        let names: BTreeSet<String> = session.variable_names().map(str::to_owned).collect();
        names.into_iter().collect()
    }

    fn value(&self, of: &[Link]) -> Option<Dynamic> {
        let [Link::Name(name), rest @ ..] = of else { return None };
        follow(self.session().variable(name)?, rest)
    }

    fn kind(&self, variable: &str) -> &'static str {
        self.session().variable(variable).map_or("", describe)
    }

    fn functions(&self) -> Vec<(String, Vec<String>)> {
        self.session().functions()
    }

    fn methods(&self) -> Vec<String> {
        self.methods.clone()
    }

    fn names(&self, what: &What) -> Arc<[Name]> {
        self.names.get(what, PATIENCE)
    }

    fn files(&self, typed: &str) -> Vec<String> {
        let (folder, begin) = typed.rsplit_once('/').map_or(("", typed), |(folder, begin)| (folder, begin));
        let written = if typed.contains('/') { format!("{folder}/") } else { String::new() };
        let Ok(entries) = std::fs::read_dir(self.folder.join(&written)) else { return Vec::new() };
        let mut found: Vec<String> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().to_str()?.to_owned();
                let hidden = name.starts_with('.') && !begin.starts_with('.');
                let end = if entry.path().is_dir() { "/" } else { "" };
                (name.starts_with(begin) && !hidden).then(|| format!("{written}{name}{end}"))
            })
            .collect();
        found.sort();
        found
    }
}

/// Follows links from a value to one inside it; a list may be long, and is not copied.
fn follow(value: &Dynamic, links: &[Link]) -> Option<Dynamic> {
    match links {
        [] if value.is_array() => Some(Array::new().into()),
        [] => Some(value.flatten_clone()),
        [Link::Field(name), rest @ ..] => follow(value.read_lock::<ScriptMap>()?.get(name.as_str())?, rest),
        [Link::Index(index), rest @ ..] => {
            let list = value.read_lock::<Array>()?;
            let length = i64::try_from(list.len()).ok()?;
            let at = if *index < 0 { length + index } else { *index };
            follow(list.get(usize::try_from(at).ok()?)?, rest)
        }
        [Link::Name(_) | Link::Call(_), ..] => None,
    }
}
