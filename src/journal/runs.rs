//! The runs on the disk: one directory each below the state directory, with everything that is needed to resume it.
//!
//! `run.json` (the run's description), `runbook.rhai` and `imports/` (as they were at the start), `journal.jsonl`,
//! `answers.jsonl` (people's answers to its gates), `sandbox.jsonl` (a rehearsal's cloud), `lock`.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file::{self, read_optional};
use super::{Key, format, record};
use crate::clock::Speed;
use crate::disk;
use crate::error::{Error, Kind, Result, count, plain};
use crate::event::{Cause, Status};
use crate::model::Generation;
use crate::secret::Known;

/// The state directory: all runs, and the key of their hashes.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// The secrets that the process has met: none of them is written.
    known: Known,
}

/// The description of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// [`record::VERSION`].
    pub version: u32,
    pub id: String,
    pub kind: RunKind,
    /// The runbook's name as given, or the expression.
    pub name: String,
    /// The folder that relative paths in the script start from.
    pub folder: PathBuf,
    /// The folder that relative paths of the command line start from.
    pub directory: PathBuf,
    pub started: Timestamp,
    pub owner: Holder,
    /// The cloud, for people; a different one on resume is refused.
    pub cloud: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Rehearsal>,
    /// The given parameters; `null` for a secret one, which has to be given again.
    #[serde(default)]
    pub set: BTreeMap<String, Option<String>>,
    /// The files that parameters were read from, by the parameters' names: they are read again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set_files: BTreeMap<String, String>,
    /// The flags that name the cloud, without secrets.
    #[serde(default)]
    pub flags: Value,
    /// The raised limits, as given on the command line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub max: Vec<String>,
    /// Further files and folders that the runbook may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_read: Vec<PathBuf>,
    /// The seconds for which an unreachable cloud is retried; `None` in older runs, and for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<End>,
}

/// The end of a run's last process; a run without one was killed, or is still running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    pub at: Timestamp,
    pub exit_code: u8,
    /// The exit code that it would have without sources that are off, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u8>,
    /// The cause, unless it is done.
    #[serde(flatten, with = "format::maybe")]
    pub cause: Option<Cause>,
}

impl End {
    /// The exit code without regard to sources that are off.
    pub fn otherwise(&self) -> u8 {
        self.ended.unwrap_or(self.exit_code)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    Runbook,
    Expression,
    Session,
}

/// The simulated cloud of a rehearsal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    #[serde(with = "format::generation")]
    pub generation: Generation,
    pub seed: u64,
    /// The speed of its time, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
}

/// The process that works on a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    pub user: String,
    pub host: String,
    pub pid: u32,
    pub since: Timestamp,
}

/// An answer to a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub gate: String,
    pub answer: String,
    pub by: String,
    pub at: Timestamp,
}

/// The directory of one run.
#[derive(Clone, Debug)]
pub struct Directory {
    pub path: PathBuf,
    pub meta: Meta,
    known: Known,
}

/// The script of a run as it was when the run began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    pub runbook: String,
    /// By the path in the `import`.
    pub imports: BTreeMap<String, String>,
}

/// A run that only this process works on, until this is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The earlier process, if it is gone without having said so.
    pub before: Option<Holder>,
}

impl Store {
    pub fn new(root: PathBuf, known: Known) -> Self {
        Self { root, known }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The key for the hashes of all runs; made at its first use.
    ///
    /// # Errors
    /// `Journal` when it can neither be read nor made.
    pub fn key(&self) -> Result<Key> {
        let path = self.root.join("key");
        let read = || -> io::Result<Option<Key>> {
            match fs::read(&path) {
                Ok(bytes) => Ok(Key::try_from(bytes.as_slice()).ok()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        };
        let make = || -> io::Result<Key> {
            if let Some(key) = read()? {
                return Ok(key);
            }
            private_folder(&self.root)?;
            let mut key = Key::default();
            getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
            // Two first runs at once: the one that links its key first wins, whole or not at all.
            let mut own = tempfile::Builder::new().prefix("key.").tempfile_in(&self.root)?;
            own.write_all(&key)?;
            own.as_file().sync_all()?;
            match own.persist_noclobber(&path) {
                Ok(_) => Ok(key),
                Err(_) => read()?.ok_or_else(|| io::Error::other("the key's file is damaged")),
            }
        };
        make().map_err(|error| self.unusable(error))
    }

    /// The folder of the run with this id.
    pub fn run_folder(&self, id: &str) -> PathBuf {
        self.root.join("runs").join(id)
    }

    /// Creates a run with its directory.
    ///
    /// # Errors
    /// `Journal` when it cannot be created there.
    pub fn create(&self, meta: Meta, sources: &Sources) -> Result<Directory> {
        // A process that is killed in between leaves no half of a run: it gets its name when it is whole.
        let half = format!(".{}", meta.id);
        let make = || -> io::Result<Directory> {
            let path = self.run_folder(&half);
            private_folder(&path.join("imports"))?;
            write_private(&path.join("runbook.rhai"), sources.runbook.as_bytes())?;
            for (name, text) in &sources.imports {
                write_private(&import_file(&path, name), text.as_bytes())?;
            }
            let known = self.known.clone();
            let made = Directory { path: path.clone(), meta, known };
            made.save()?;
            let directory = Directory { path: self.run_folder(&made.meta.id), ..made };
            fs::rename(path, &directory.path)?;
            File::open(&directory.path)?.sync_all()?;
            File::open(self.root.join("runs"))?.sync_all()?;
            Ok(directory)
        };
        make().map_err(|error| {
            // With a full disk half of it may be there.
            let _ = fs::remove_dir_all(self.run_folder(&half));
            self.unusable(error)
        })
    }

    /// All runs, the newest first; other folders are skipped.
    ///
    /// # Errors
    /// `Journal` when the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Directory>> {
        let folder = self.root.join("runs");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.unusable(error)),
        };
        let mut runs: Vec<Directory> =
            entries.filter_map(|entry| self.open(entry.ok()?.path()).ok()).filter(Directory::has_its_name).collect();
        runs.sort_by(|a, b| b.meta.started.cmp(&a.meta.started).then_with(|| a.meta.id.cmp(&b.meta.id)));
        Ok(runs)
    }

    /// The runs on this cloud, the newest first; a rehearsal has a cloud of its own.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub fn on_cloud(&self, cloud: &str) -> Result<Vec<Directory>> {
        let mut runs = self.list()?;
        runs.retain(|run| run.meta.sandbox.is_none() && run.meta.cloud == cloud);
        Ok(runs)
    }

    /// The run with this id, or with the only id that begins like this.
    ///
    /// # Errors
    /// `Input` when there is none, or more than one; `Journal` when its files are damaged.
    pub fn find(&self, prefix: &str) -> Result<Directory> {
        let exact = self.root.join("runs").join(prefix);
        if !prefix.is_empty() && !prefix.contains(['/', '.']) && exact.is_dir() {
            return self.open(exact);
        }
        let mut fitting: Vec<Directory> =
            self.list()?.into_iter().filter(|run| run.meta.id.starts_with(prefix)).collect();
        match (fitting.len(), fitting.pop()) {
            (1, Some(only)) => Ok(only),
            (0, _) => Err(Error::input(format!("there is no run `{prefix}`")).hint("`coriolis-run runs` lists them")),
            (some, _) => Err(Error::input(format!("`{prefix}` fits {}", count(some, "run")))
                .hint("write more of the id; `coriolis-run runs` lists them")),
        }
    }

    /// # Errors
    /// `Journal` when it does not belong to a run.
    pub fn open(&self, path: PathBuf) -> Result<Directory> {
        Directory::open(path, self.known.clone())
    }

    fn unusable(&self, error: io::Error) -> Error {
        let kind = disk::kind(&error, Kind::Journal);
        Error::new(kind, format!("cannot keep runs in {}: {}", self.root.display(), plain(&error)))
            .hint("make room on the disk, fix the folder's permissions, or name another one with `--state-dir`")
            .caused_by(error)
    }
}

impl Directory {
    fn open(path: PathBuf, known: Known) -> Result<Self> {
        let file = path.join("run.json");
        let wrong = |why: String| {
            Error::new(Kind::Journal, format!("{} does not belong to a run: {why}", file.display()))
                .hint("restore the file, or remove the directory")
        };
        let text = fs::read_to_string(&file).map_err(|error| wrong(plain(&error)))?;
        let meta: Meta = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if meta.version > record::VERSION {
            return Err(wrong(format!("it is of version {}, from a newer coriolis-run", meta.version)));
        }
        Ok(Self { path, meta, known })
    }

    /// True once it was completely made.
    fn has_its_name(&self) -> bool {
        self.path.file_name().is_some_and(|name| *name == *self.meta.id)
    }

    pub fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    /// The file that notes the length of the journal: restoring only the run's folder leaves it unchanged.
    pub fn reached(&self) -> PathBuf {
        let root = self.path.ancestors().nth(2).unwrap_or(&self.path);
        root.join("reached").join(&self.meta.id)
    }

    /// The log of a rehearsal's cloud.
    pub fn sandbox(&self) -> PathBuf {
        self.path.join("sandbox.jsonl")
    }

    /// # Errors
    /// `Journal` when the snapshot cannot be read.
    pub fn sources(&self) -> Result<Sources> {
        let read = || -> io::Result<Sources> {
            let runbook = fs::read_to_string(self.path.join("runbook.rhai"))?;
            let mut imports = BTreeMap::new();
            for entry in fs::read_dir(self.path.join("imports"))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().replace("%2F", "/").replace("%25", "%");
                imports.insert(name, fs::read_to_string(entry.path())?);
            }
            Ok(Sources { runbook, imports })
        };
        read().map_err(|error| {
            Error::new(
                Kind::Journal,
                format!("cannot read the runbook kept in {}: {}", self.path.display(), plain(&error)),
            )
            .caused_by(error)
        })
    }

    /// Replaces the run's sources; the old ones stay beside them.
    ///
    /// # Errors
    /// `Journal` when it cannot be written.
    pub fn replace_sources(&self, sources: &Sources) -> Result<()> {
        let replace = || -> io::Result<()> {
            let runbook = self.path.join("runbook.rhai");
            fs::rename(&runbook, self.path.join("runbook.before.rhai"))?;
            write_private(&runbook, sources.runbook.as_bytes())?;
            for (name, text) in &sources.imports {
                self.keep_import(name, text)?;
            }
            Ok(())
        };
        replace().map_err(|error| disk::unwritten("the edited runbook into the run's directory", &error, Kind::Journal))
    }

    /// Keeps a module that the script has just imported.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn keep_import(&self, name: &str, text: &str) -> io::Result<()> {
        write_private(&import_file(&self.path, name), text.as_bytes())
    }

    /// Replaces `run.json` as a whole.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn save(&self) -> io::Result<()> {
        let masked = super::masked(&self.known, &self.meta, &PLAIN);
        let text = serde_json::to_string_pretty(masked.as_ref().unwrap_or(&self.meta)).expect("plain data") + "\n";
        let next = self.path.join("run.json.next");
        write_private(&next, text.as_bytes())?;
        fs::rename(next, self.path.join("run.json"))
    }

    /// Takes the run for this process.
    ///
    /// # Errors
    /// `Input`, naming the process that has it.
    pub fn lock(&self, holder: &Holder, take_over: bool) -> Result<Lock> {
        let path = self.path.join("lock");
        let open = || OpenOptions::new().create(true).read(true).write(true).truncate(false).mode(0o600).open(&path);
        let failed = |error: io::Error| {
            let kind = disk::kind(&error, Kind::Journal);
            Error::new(kind, format!("cannot lock the run: {}: {}", path.display(), plain(&error)))
                .hint("make room on the disk or fix its permissions; nothing was sent")
        };
        let mut file = open().map_err(failed)?;
        let before = self.holder();
        let held = |holder: Option<Holder>, hint: String| {
            let who = holder.map_or("another process".to_owned(), |holder| holder.describe());
            Error::input(format!("run {} is held by {who}", self.meta.id)).hint(hint)
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(held(before, "wait for its end, or stop it there with Ctrl-C".to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // A process on another machine may be alive: that cannot be seen from here.
        if let Some(other) = before.as_ref().filter(|other| other.host != holder.host && !take_over) {
            let hint = format!(
                "if that process is certainly gone, add `--take-over`; this machine cannot see the processes of {}",
                holder.host
            );
            return Err(held(Some(other.clone()), hint));
        }
        let write = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            io::Seek::rewind(file)?;
            file.write_all(serde_json::to_string(holder).expect("plain data").as_bytes())
        };
        write(&mut file).map_err(failed)?;
        Ok(Lock { file, before })
    }

    /// The process named in the lock.
    pub fn holder(&self) -> Option<Holder> {
        serde_json::from_str(&read_optional(&self.path.join("lock")).ok()??).ok()
    }

    /// True if a process of this machine works on it.
    pub fn is_locked(&self) -> bool {
        match File::open(self.path.join("lock")) {
            Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }

    pub fn status(&self) -> Status {
        Status::of(self.meta.finished.as_ref().map(End::otherwise), self.is_locked())
    }

    /// Records an answer.
    ///
    /// # Errors
    /// `Journal` when it cannot be written.
    pub fn answer(&self, answer: &Answer) -> Result<()> {
        let line = serde_json::to_string(answer).expect("plain data") + "\n";
        let write = || -> io::Result<()> {
            let path = self.path.join("answers.jsonl");
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
            file.write_all(line.as_bytes())?;
            file.sync_data()
        };
        write().map_err(|error| disk::unwritten("down the answer", &error, Kind::Journal))
    }

    /// The latest answer to this gate.
    pub fn answer_to(&self, gate: &str) -> Option<Answer> {
        let text = read_optional(&self.path.join("answers.jsonl")).ok()??;
        let mut answers = text.lines().rev().filter_map(|line| serde_json::from_str::<Answer>(line).ok());
        answers.find(|answer| answer.gate == gate)
    }

    /// Deletes the run.
    ///
    /// # Errors
    /// `Journal` when a file cannot be deleted.
    pub fn remove(self) -> Result<()> {
        let _ = fs::remove_file(self.reached());
        fs::remove_dir_all(&self.path).map_err(|error| {
            Error::new(Kind::Journal, format!("cannot remove {}: {}", self.path.display(), plain(&error)))
                .caused_by(error)
        })
    }

    /// The lines of its journal; none if it never got that far.
    ///
    /// # Errors
    /// `Journal` when it is damaged.
    pub fn lines(&self) -> Result<file::Read> {
        if !self.journal().exists() {
            return Ok(file::Read { lines: Vec::new(), end: 0 });
        }
        file::load(&self.journal())
    }
}

/// The fields that resuming a run needs and that hold no secret.
const PLAIN: [&str; 12] =
    ["id", "kind", "folder", "directory", "started", "user", "host", "since", "generation", "at", "literals", "name"];

impl Holder {
    /// `ann@host, process 4711, since 2026-06-01 20:00 UTC`
    pub fn describe(&self) -> String {
        let since = self.since.strftime("%Y-%m-%d %H:%M UTC");
        format!("{}@{}, process {}, since {since}", self.user, self.host, self.pid)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The next process sees that the run was left in order; the system releases the lock itself.
        let _ = self.file.set_len(0);
    }
}

/// An id that is short to type, without letters or digits that look alike.
///
/// # Errors
/// The system has no randomness.
pub fn new_id() -> io::Result<String> {
    const LETTERS: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

fn import_file(path: &Path, name: &str) -> PathBuf {
    path.join("imports").join(name.replace('%', "%25").replace('/', "%2F"))
}

pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}
