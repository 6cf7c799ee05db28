//! The files of a run while it is running: its directory, its lock, its journal.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;

use super::world::World;
use crate::clock::Clock;
use crate::disk;
use crate::error::{Error, Kind, Result};
use crate::journal::deployed::deployed;
use crate::journal::file::{self, Log, Medium};
use crate::journal::reached::{self, Noted};
use crate::journal::replay::State;
use crate::journal::runs::{Directory, End, Holder, Lock, Meta, Sources, Store};
use crate::journal::{Journal, Past};
use crate::language::literals::sealed;
use crate::process::Process;
use crate::secret::{self, Known};
use crate::settings::CloudFlags;

/// The state directory: `--state-dir`, else `$XDG_STATE_HOME/coriolis-run`, else `~/.local/state/coriolis-run`.
///
/// # Errors
/// `Input` when none of them can be used.
pub fn store(process: &Process, given: Option<&PathBuf>) -> Result<Store> {
    let below = |root: PathBuf| root.join("coriolis-run");
    let root = match (given, process.variable("XDG_STATE_HOME"), process.variable("HOME")) {
        (Some(given), ..) => process.directory.join(given),
        // The rule for that variable: a relative path is ignored.
        (None, Some(state), _) if PathBuf::from(state).is_absolute() => below(state.into()),
        (None, _, Some(home)) => below(PathBuf::from(home).join(".local/state")),
        (None, ..) => {
            return Err(Error::input("there is no directory for runs: HOME is not set")
                .hint("name a folder with `--state-dir`"));
        }
    };
    Ok(Store::new(root, process.known.clone()))
}

/// This process, as the lock names it.
pub fn holder(process: &Process, wall: Timestamp) -> Holder {
    Holder { user: process.user(), host: process.host(), pid: process.id(), since: wall }
}

/// The kept state of one run.
pub struct Kept {
    place: Arc<Files>,
    pub journal: Arc<Journal>,
    /// The process that worked on it and left without a word.
    pub before: Option<Holder>,
}

/// The place of a run's files: from the beginning, or from the first change on.
#[derive(Default)]
struct Files {
    directory: OnceLock<Mutex<Directory>>,
    /// Prevents that another process takes the run for one that was left.
    lock: OnceLock<Lock>,
}

impl Kept {
    /// Starts a run and creates its directory at once.
    ///
    /// # Errors
    /// `Journal` when it cannot be kept.
    pub fn begin(
        store: &Store,
        meta: Meta,
        sources: &Sources,
        known: &Known,
        world: impl FnOnce() -> Result<World>,
    ) -> Result<(Self, World)> {
        let key = store.key()?;
        let owner = meta.owner.clone();
        let directory = store.create(meta, sources)?;
        let begun = || -> Result<_> {
            let lock = directory.lock(&owner, false)?;
            let world = world()?;
            let journal = noted(&directory, file::create(&directory.journal(), world.clock.now())?)?;
            Ok((lock, world, journal))
        };
        let (lock, world, journal) = begun().inspect_err(|_| {
            // Nothing has begun: a refused start is not a run.
            let _ = directory.clone().remove();
        })?;
        let clock = world.clock.clone();
        let log = Log::new(Arc::new(journal), directory.journal());
        let journal =
            Journal::new(directory.meta.id.clone(), key, clock, State::default(), Some(log)).knowing(known.clone());
        let journal = journal.remembering(others(store.clone(), &directory.meta));
        let kept = Self { place: Files::of(directory, lock), journal: Arc::new(journal), before: None };
        Ok((kept, world))
    }

    /// A run whose directory is created at its first change: most expressions have none.
    pub fn at_first_change(store: &Result<Store>, meta: Meta, sources: Sources, known: &Known, clock: &Clock) -> Self {
        let place = Arc::new(Files::default());
        let (id, made, store) = (meta.id.clone(), place.clone(), store.clone());
        let path = store.as_ref().map_or_else(|_| PathBuf::new(), |store| store.run_folder(&id)).join("journal.jsonl");
        // Without a key no run can be kept either, and its first change will say so.
        let key = store.as_ref().ok().and_then(|store| store.key().ok()).unwrap_or_default();
        let first = clock.now();
        let others = store.clone().map(|store| others(store, &meta));
        let lazy = Lazy {
            state: Mutex::default(),
            make: Box::new(move || {
                let directory = store.clone()?.create(meta.clone(), &sources)?;
                let lock = directory.lock(&meta.owner, false)?;
                let file = file::create(&directory.journal(), first)?;
                let file = noted(&directory, file)?;
                let _ = made.lock.set(lock);
                let _ = made.directory.set(Mutex::new(directory));
                Ok(file)
            }),
        };
        let log = Log::new(Arc::new(lazy), path);
        let journal = Journal::new(id, key, clock.clone(), State::default(), Some(log)).knowing(known.clone());
        let journal = match others {
            Ok(others) => journal.remembering(others),
            Err(_) => journal,
        };
        Self { place, journal: Arc::new(journal), before: None }
    }

    /// Takes up an existing run.
    ///
    /// # Errors
    /// `Input` when another process has it, `Journal` when it is damaged.
    pub fn take_up(
        store: &Store,
        directory: Directory,
        lock: Lock,
        state: State,
        end: u64,
        known: &Known,
        clock: Clock,
    ) -> Result<Self> {
        let path = directory.journal();
        let is_cut = reached::read(&directory.reached()).is_some_and(|reached| end < reached) || !path.exists();
        let began = directory.meta.sandbox.is_none().then_some(directory.meta.started);
        let past = Past::of(&state, began, clock.now());
        let file = if end > 0 { file::reopen(&path, end)? } else { file::create(&path, clock.now())? };
        let log = Log::new(Arc::new(noted(&directory, file)?), path);
        let journal = Journal::new(directory.meta.id.clone(), store.key()?, clock, state, Some(log));
        let journal = journal.knowing(known.clone()).after(past);
        let journal = journal.remembering(others(store.clone(), &directory.meta));
        if is_cut {
            journal.note_behind()?;
        }
        let before = lock.before.clone();
        Ok(Self { place: Files::of(directory, lock), journal: Arc::new(journal), before })
    }

    /// A run without any files.
    pub fn nothing(known: &Known, clock: Clock) -> Self {
        let place = Arc::new(Files::default());
        Self { place, journal: Arc::new(Journal::in_memory(clock).knowing(known.clone())), before: None }
    }

    /// The run's id, if it has a directory.
    pub fn id(&self) -> Option<String> {
        self.directory().map(|directory| directory.meta.id)
    }

    pub fn directory(&self) -> Option<Directory> {
        let directory = self.place.directory.get()?;
        Some(directory.lock().clone())
    }

    /// Keeps a module that the script has just imported.
    ///
    /// # Errors
    /// `Journal` when it cannot be kept.
    pub fn keep_import(&self, name: &str, text: &str) -> Result<()> {
        let Some(directory) = self.directory() else { return Ok(()) };
        directory.keep_import(name, &sealed(text, |text| self.journal.hash(text))).map_err(|error| {
            disk::unwritten(format_args!("the module `{name}` into the run's directory"), &error, Kind::Journal)
        })
    }

    /// Records the end of the run; `None` when it begins again.
    ///
    /// # Errors
    /// `Storage` when the disk is full, or the journal could not be written: the run then counts as interrupted, and
    /// can still be resumed.
    pub fn finish(&self, end: Option<End>) -> Result<()> {
        let Some(directory) = self.place.directory.get() else { return Ok(()) };
        let mut directory = directory.lock();
        directory.meta.finished = end;
        let saved = directory.save().map_err(|error| {
            disk::unwritten(format_args!("the state of run {}", directory.meta.id), &error, Kind::Storage)
        });
        self.journal.usable().and(saved)
    }
}

/// Reads what the other runs on the cloud of this one have deployed; a rehearsal has a cloud of its own.
fn others(store: Store, meta: &Meta) -> impl Fn() -> Vec<Value> + Send + Sync + 'static {
    let (cloud, run, rehearses) = (meta.cloud.clone(), meta.id.clone(), meta.sandbox.is_some());
    move || if rehearses { Vec::new() } else { deployed(&store, &cloud, &run).unwrap_or_default() }
}

impl Files {
    fn of(directory: Directory, lock: Lock) -> Arc<Self> {
        Arc::new(Self { directory: Mutex::new(directory).into(), lock: lock.into() })
    }
}

/// The journal's file, with the note of its length beside the runs.
fn noted(directory: &Directory, file: File) -> Result<Noted> {
    let path = directory.journal();
    let end = file.metadata().map_err(|error| disk::unwritten(path.display(), &error, Kind::Journal))?.len();
    Ok(Noted::new(file, end, &directory.reached()))
}

/// Parameters from files, by name: the files are read again.
pub fn kept_files(set: &[String]) -> std::collections::BTreeMap<String, String> {
    let pairs = set.iter().filter_map(|setting| setting.split_once('='));
    pairs.map(|(name, path)| (name.trim().to_owned(), path.to_owned())).collect()
}

/// The flags that name the cloud, without secrets: those have to be given again.
pub fn kept_flags(flags: &CloudFlags) -> Value {
    let mut kept = serde_json::to_value(flags).unwrap_or_default();
    if let Value::Object(fields) = &mut kept {
        fields.retain(|_, value| !value.as_str().is_some_and(secret::holds_secret));
    }
    kept
}

/// The parameters as they are kept, without secrets by their names or their looks: those have to be given again.
pub fn kept_parameters(set: &[String]) -> std::collections::BTreeMap<String, Option<String>> {
    let pairs = set.iter().filter_map(|setting| setting.split_once('='));
    pairs
        .map(|(name, value)| {
            let name = name.trim();
            let is_secret = secret::is_secret_name(name) || secret::holds_secret(value);
            (name.to_owned(), (!is_secret).then(|| value.to_owned()))
        })
        .collect()
}

/// A file that is created when something has to be on the disk.
struct Lazy {
    state: Mutex<Pending>,
    make: Box<dyn Fn() -> Result<Noted> + Send + Sync>,
}

#[derive(Default)]
struct Pending {
    lines: Vec<u8>,
    file: Option<Arc<Noted>>,
}

impl Medium for Lazy {
    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        match &state.file {
            Some(file) => file.write(line),
            None => state.lines.write_all(line),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let file = {
            let mut state = self.state.lock();
            match &state.file {
                Some(file) => file.clone(),
                None => {
                    let file = Arc::new((self.make)().map_err(io::Error::other)?);
                    file.write(&std::mem::take(&mut state.lines))?;
                    state.file = Some(file.clone());
                    file
                }
            }
        };
        file.sync()
    }
}
