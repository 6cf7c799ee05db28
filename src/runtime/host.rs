//! The world of one run, as the functions see it, and the lanes that its calls are counted in.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rhai::{Engine, Module, NativeCallContext};

use crate::access;
use crate::access::Access;
use crate::cancel::Cancel;
use crate::client::Client;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event::ran::Ran;
use crate::event::{Event, Fact, Sink, VERSION};
use crate::inventory::doubled_column;
use crate::journal::Journal;
use crate::language::catalog::Catalog;
use crate::language::finding::{CapturedWrites, Finding};
use crate::limits::Limits;
use crate::memory;
use crate::runtime::gates::Gates;
use crate::runtime::index::Index;
use crate::runtime::job::Jobs;
use crate::runtime::lane::Lane;
use crate::runtime::modules::Imports;
use crate::runtime::parameters::Parameters;
use crate::runtime::reads::Reads;
use crate::runtime::vault::Vault;
use crate::secret::carried;
use crate::watch::Watcher;

/// The cloud in the form that functions use.
#[derive(Clone)]
pub struct Cloud {
    pub client: Client,
    pub watcher: Watcher,
}

/// Connects at the first call that needs the cloud, so that a script without one needs no credentials.
pub type Connect = Box<dyn Fn() -> Result<Cloud> + Send + Sync>;

/// Sizes of disks in bytes; `None` if the cloud does not tell.
type Sizes = Option<Vec<u64>>;

/// The language of a run, as the floors above give it to the runtime.
#[derive(Clone, Copy)]
pub struct Language {
    /// The declarations of the functions.
    pub catalog: &'static Catalog,
    /// Gives an engine the functions, which work on that host.
    pub register: fn(&mut Engine, &Arc<Host>),
    /// Every mistake of a module's text.
    pub mistakes: fn(&Engine, &str) -> Vec<Finding>,
}

/// The surroundings of a run.
pub struct Seams {
    pub clock: Clock,
    pub cancel: Cancel,
    pub events: Arc<dyn Sink>,
    pub journal: Arc<Journal>,
    pub gates: Arc<dyn Gates>,
    pub connect: Connect,
    pub runs: Runs,
}

/// Reads the other runs on the same cloud, the newest first.
pub type Runs = Box<dyn Fn() -> Result<Vec<Ran>> + Send + Sync>;

/// The surroundings of a script.
pub struct Script {
    pub language: Language,
    pub parameters: Parameters,
    /// Its own.
    pub folder: PathBuf,
    /// That of the command line.
    pub directory: PathBuf,
    pub imports: Imports,
    pub limits: Limits,
    /// The door to files.
    pub access: Access,
    /// The variables of the process.
    pub environment: BTreeMap<String, String>,
}

/// The world of one run, for code that is stopped by the same wish: the run itself, or a job in its background.
pub struct Host {
    pub cancel: Cancel,
    /// The start of relative paths in a script.
    folder: PathBuf,
    /// The modules of the script.
    pub imports: Arc<Imports>,
    shared: Arc<Shared>,
    cloud: OnceLock<Result<Cloud>>,
    unpaused: OnceLock<Arc<Host>>,
}

/// The single objects of a run, shared by all its lanes.
pub struct Shared {
    pub clock: Clock,
    /// Stops the whole run.
    pub whole: Cancel,
    pub events: Arc<dyn Sink>,
    pub journal: Arc<Journal>,
    /// Answers the questions of the run.
    pub gates: Arc<dyn Gates>,
    pub language: Language,
    /// The secrets that the run records and reads back.
    pub vault: Vault,
    pub parameters: Parameters,
    /// The start of relative paths of the command line.
    pub directory: PathBuf,
    /// The variables of the process.
    pub environment: BTreeMap<String, String>,
    /// The limits of the script.
    pub limits: Limits,
    access: Access,
    connect: Connect,
    /// The other runs on the same cloud.
    pub runs: Runs,
    cloud: OnceLock<Result<Cloud>>,
    /// The work in the background.
    pub jobs: Jobs,
    /// Lists that many lanes look into.
    pub index: Index,
    /// True once a resumed run has looked at the marks on the server.
    pub marks_seen: AtomicBool,
    /// The exit code with which the script has ended itself.
    pub exit: OnceLock<u8>,
    /// Names of fields that scripts have seen, for suggestions.
    fields: Mutex<BTreeSet<String>>,
    /// Names that several columns of a file have.
    doubled: Mutex<Vec<Doubled>>,
    captured_writes: Mutex<CapturedWrites>,
    /// The reads of the script's variables.
    pub reads: Reads,
    /// Modules that earlier inputs imported, by their names in the script.
    imported: Mutex<BTreeMap<String, rhai::Shared<Module>>>,
    /// The name of the evaluated file; empty if there is none.
    name: Mutex<Arc<str>>,
    /// The evaluated text.
    text: Mutex<Arc<str>>,
    /// By endpoint and instance; `None` if the cloud does not tell.
    disks: Mutex<BTreeMap<(String, String), Sizes>>,
}

/// A name that several columns of a file have.
struct Doubled {
    name: String,
    /// The other columns, which identify a row of the file.
    columns: Vec<String>,
    error: Error,
}

impl Host {
    pub fn new(seams: Seams, script: Script) -> Arc<Self> {
        let Seams { clock, cancel, events, journal, gates, connect, runs } = seams;
        let Script { language, parameters, folder, directory, imports, limits, access, environment } = script;
        memory::allow(&limits);
        let shared = Shared {
            clock,
            whole: cancel.clone(),
            events,
            journal,
            gates,
            language,
            vault: Vault::default(),
            parameters,
            directory,
            environment,
            limits,
            access,
            connect,
            runs,
            cloud: OnceLock::new(),
            jobs: Jobs::default(),
            index: Index::default(),
            marks_seen: AtomicBool::new(false),
            exit: OnceLock::new(),
            fields: Mutex::default(),
            doubled: Mutex::default(),
            captured_writes: Mutex::default(),
            reads: Reads::default(),
            imported: Mutex::default(),
            name: Mutex::new("".into()),
            text: Mutex::new("".into()),
            disks: Mutex::default(),
        };
        let imports = Arc::new(imports);
        Arc::new(Self {
            cancel,
            folder,
            imports,
            shared: Arc::new(shared),
            cloud: OnceLock::new(),
            unpaused: OnceLock::new(),
        })
    }

    /// The same world for a section that has to come to its end.
    pub fn unpaused(self: &Arc<Self>) -> &Arc<Self> {
        self.unpaused.get_or_init(|| self.stopped_by(self.cancel.only_leaving()))
    }

    /// The same world, stopped by another `Cancel`.
    pub fn stopped_by(&self, cancel: Cancel) -> Arc<Self> {
        let (folder, imports) = (self.folder.clone(), self.imports.clone());
        Arc::new(Self {
            cancel,
            folder,
            imports,
            shared: self.shared.clone(),
            cloud: OnceLock::new(),
            unpaused: OnceLock::new(),
        })
    }

    /// The same world for a script that lies in that folder.
    pub fn within(&self, folder: &Path) -> Arc<Self> {
        let imports = Arc::new(Imports::of_folder(folder, self.access.clone()));
        let (cancel, folder, shared) = (self.cancel.clone(), folder.to_owned(), self.shared.clone());
        Arc::new(Self { cancel, folder, imports, shared, cloud: OnceLock::new(), unpaused: OnceLock::new() })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// # Errors
    /// Any error on the way to the cloud: settings, login, network.
    pub fn cloud(&self) -> Result<&Cloud> {
        let mine = || -> Result<Cloud> {
            let cloud = self.shared.cloud.get_or_init(|| (self.shared.connect)()).as_ref().map_err(Clone::clone)?;
            Ok(Cloud {
                client: cloud.client.stopped_by(self.cancel.clone()),
                watcher: cloud.watcher.stopped_by(self.cancel.clone()),
            })
        };
        self.cloud.get_or_init(mine).as_ref().map_err(Clone::clone)
    }

    /// Emits a fact, once: a resumed run does not repeat the facts of replayed calls.
    pub fn emit(&self, lane: &Lane, fact: Fact) {
        if self.journal.only_replays() {
            return;
        }
        self.events.emit(Event { v: VERSION, at: self.clock.now(), origin: lane.origin.clone(), fact });
    }

    /// The target of a path written in a script.
    pub fn path(&self, written: &str) -> PathBuf {
        let base = if self.parameters.was_given(written) { &self.directory } else { &self.folder };
        base.join(Path::new(&*carried::revealed(written)))
    }

    /// The content of a file that a script names.
    ///
    /// # Errors
    /// Those of [`Access::readable`], in words for people.
    pub fn read_file(&self, written: &str) -> Result<Vec<u8>> {
        let path = self.path(written);
        let read = self.access.read(&path, self.parameters.was_given(written));
        read.map_err(|error| access::explain("read", written, &path, error))
    }

    /// The path for writing a file that a script names.
    ///
    /// # Errors
    /// Those of [`Access::writable`], in words for people.
    pub fn file_to_write(&self, written: &str) -> Result<PathBuf> {
        let path = self.path(written);
        let writable = self.access.writable(&path, self.parameters.was_given(written));
        writable.map_err(|error| access::explain("write", written, &path, error))
    }

    /// Masks the text from now on wherever one leaves.
    pub fn meet_secret(&self, text: &str) {
        self.journal.known.learn(text);
    }

    pub fn meet_fields<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let mut fields = self.fields.lock();
        for name in names {
            if !fields.contains(name) {
                fields.insert(name.to_owned());
            }
        }
    }

    /// Remembers the names that several columns of a file have; its rows lack them.
    pub fn meet_doubled(&self, file: &str, columns: &[String], doubled: BTreeMap<String, Vec<usize>>) {
        let met = doubled.into_iter().map(|(name, numbers)| {
            let error = doubled_column(file, &name, &numbers);
            Doubled { name, columns: columns.to_vec(), error }
        });
        self.doubled.lock().extend(met);
    }

    /// The error for a field that is missing because several columns have its name.
    pub fn doubled(&self, name: &str) -> Option<Error> {
        self.first_doubled(|doubled| doubled.name == name)
    }

    /// The same for a field that these lack, if they are a row of such a file.
    pub fn doubled_in(&self, fields: &rhai::Map, name: &str) -> Option<Error> {
        let is_row = |columns: &[String]| columns.iter().all(|column| fields.contains_key(column.as_str()));
        self.first_doubled(|doubled| doubled.name == name && is_row(&doubled.columns))
    }

    fn first_doubled(&self, is: impl Fn(&Doubled) -> bool) -> Option<Error> {
        let all = self.doubled.lock();
        all.iter().rfind(|doubled| is(doubled)).map(|doubled| doubled.error.clone())
    }

    /// The sizes of an instance's disks: read once, for all waits that concern it.
    pub fn disk_sizes(&self, endpoint: &str, instance: &str, read: impl FnOnce() -> Sizes) -> Option<Vec<u64>> {
        let key = (endpoint.to_owned(), instance.to_owned());
        if let Some(known) = self.disks.lock().get(&key) {
            return known.clone();
        }
        let sizes = read();
        self.disks.lock().insert(key, sizes.clone());
        sizes
    }

    pub fn set_captured_writes(&self, writes: CapturedWrites) {
        *self.captured_writes.lock() = writes;
    }

    /// The captured variable that a closure changes, if any.
    pub fn captured_write(&self, closure: &str) -> Option<String> {
        let writes = self.captured_writes.lock();
        writes.get(closure).and_then(|found| found.first()).map(|(name, _)| name.clone())
    }

    /// Sets the text that is evaluated from now on.
    pub fn set_text(&self, text: &str) {
        *self.text.lock() = text.into();
    }

    /// Sets the name of the file that is evaluated.
    pub fn set_name(&self, name: &str) {
        *self.name.lock() = name.into();
    }

    /// The name of the file that is evaluated; empty at the prompt.
    pub fn name(&self) -> Arc<str> {
        self.name.lock().clone()
    }

    /// The line of the script with a call; `None` for one in a module.
    pub fn line_of(&self, context: &NativeCallContext<'_>) -> Option<String> {
        let line = context.call_position().line().filter(|_| context.fn_source().is_none())?;
        let text = self.text.lock().clone();
        text.lines().nth(line - 1).map(|line| line.trim().to_owned())
    }

    /// Adds a module that every engine of the session has from now on.
    pub fn keep_module(&self, name: &str, module: rhai::Shared<Module>) {
        self.imported.lock().insert(name.to_owned(), module);
    }

    /// Gives an engine the modules of earlier inputs.
    pub fn register_modules(&self, engine: &mut Engine) {
        for (name, module) in self.imported.lock().iter() {
            engine.register_static_module(name, module.clone());
        }
    }

    pub fn known_fields(&self) -> Vec<String> {
        self.fields.lock().iter().cloned().collect()
    }
}

impl Deref for Host {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}
