//! The journal on disk: appending, group commit, and reading it back with the remains of a crash.
//!
//! A line ends with its checksum (`"sum":"1a2b3c4d"`), so that damage can be told from what was written. A line without
//! an end is the one that was being written when the process died: it is dropped. Any other mismatch is damage.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};

use super::record::{Line, Record, VERSION};
use super::replay::State;
use crate::disk;
use crate::error::{Error, Kind, Result, plain};

/// The destination of whole lines, one or several at once. Tests have some that break.
pub trait Medium: Send + Sync {
    /// # Errors
    /// Those of the disk; nothing may be written after one.
    fn write(&self, lines: &[u8]) -> io::Result<()>;

    /// Returns when everything written so far is on the disk.
    ///
    /// # Errors
    /// Those of the disk.
    fn sync(&self) -> io::Result<()>;
}

impl Medium for File {
    fn write(&self, lines: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(lines)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// An append-only file whose writers share its fsyncs: one of the waiters syncs for all whose lines are written, and
/// lines appended meanwhile are gathered for the next one, which writes them in one piece.
pub struct Log {
    medium: Arc<dyn Medium>,
    /// The path, for people.
    path: PathBuf,
    state: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    /// The number of appended lines, and the number of those that are certainly on the disk.
    lines: u64,
    durable: u64,
    /// A leader is writing and syncing, or has just been chosen.
    leading: bool,
    /// The last line that the current sync covers, and the waiters for it.
    reach: u64,
    current: Arc<Batch>,
    /// The waiters for the sync after it; the first of them leads it.
    next: Option<Arc<Batch>>,
    /// Lines appended during a sync; empty at all other times, so that a killed process loses none.
    gathered: Vec<u8>,
    broken: Option<Error>,
}

/// The result of a sync, for its waiters only: it wakes nobody else.
type Batch = OnceLock<Result<()>>;

impl Log {
    /// A log of this path that writes to `medium`.
    pub fn new(medium: Arc<dyn Medium>, path: PathBuf) -> Self {
        Self { medium, path, state: Mutex::default() }
    }

    /// Fails once nothing more can be written.
    ///
    /// # Errors
    /// `Storage`, with the disk's error.
    pub fn usable(&self) -> Result<()> {
        self.state.lock().usable()
    }

    /// Appends a line; returns its number.
    ///
    /// # Errors
    /// `Storage` when the disk rejects it, and ever after.
    pub fn append(&self, line: &str) -> Result<u64> {
        let mut state = self.state.lock();
        state.usable()?;
        if state.leading {
            state.gathered.extend_from_slice(line.as_bytes());
        } else if let Err(error) = self.medium.write(line.as_bytes()) {
            return Err(state.breaks(&self.path, error));
        }
        state.lines += 1;
        Ok(state.lines)
    }

    /// Returns when the line of this number is on the disk. The first waiter becomes the leader and syncs for the
    /// others.
    ///
    /// # Errors
    /// `Storage` when the disk fails.
    pub fn sync(&self, number: u64) -> Result<()> {
        let mut state = self.state.lock();
        if state.durable >= number {
            return Ok(());
        }
        state.usable()?;
        if !state.leading {
            return self.lead(state, Arc::default());
        }
        let theirs = if number <= state.reach { Some(&state.current) } else { state.next.as_ref() };
        if let Some(batch) = theirs.cloned() {
            drop(state);
            return batch.wait().clone();
        }
        let before = state.current.clone();
        let batch = state.next.insert(Arc::default()).clone();
        drop(state);
        let _ = before.wait();
        self.lead(self.state.lock(), batch)
    }

    /// Writes everything appended so far to the disk for this batch, and hands over to the next.
    fn lead(&self, mut state: MutexGuard<'_, Written>, batch: Arc<Batch>) -> Result<()> {
        let reach = state.lines;
        (state.leading, state.reach, state.current, state.next) = (true, reach, batch.clone(), None);
        let lines = state.take_gathered();
        let mut result = state.usable();
        drop(state);
        let written = result.is_ok().then(|| self.write(&lines).and_then(|()| self.medium.sync()));

        let mut state = self.state.lock();
        match written {
            Some(Ok(())) => state.durable = reach,
            Some(Err(error)) => result = Err(state.breaks(&self.path, error)),
            None => {}
        }
        if state.next.is_none() {
            // Nobody waits for the gathered lines: they are written all the same.
            let lines = state.take_gathered();
            if state.broken.is_none()
                && let Err(error) = self.write(&lines)
            {
                state.breaks(&self.path, error);
            }
            state.leading = false;
        }
        drop(state);
        let _ = batch.set(result.clone());
        result
    }

    fn write(&self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() { Ok(()) } else { self.medium.write(lines) }
    }
}

impl Written {
    fn take_gathered(&mut self) -> Vec<u8> {
        let room = Vec::with_capacity(self.gathered.len());
        std::mem::replace(&mut self.gathered, room)
    }

    fn usable(&self) -> Result<()> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    fn breaks(&mut self, path: &Path, error: io::Error) -> Error {
        let hint = format!("{}, then resume the run: nothing was sent that is not on record", disk::remedy(&error));
        let message = format!("cannot write the run's journal {}: {}", path.display(), plain(&error));
        // If there was no file yet, the reason is already one of our errors.
        let known = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).cloned();
        let error = known.unwrap_or_else(|| Error::new(Kind::Storage, message).hint(hint));
        self.broken = Some(error.clone());
        error
    }
}

/// A line of text for a record, with its checksum.
pub fn encode(line: &Line) -> String {
    // Most lines fit, so the buffer grows only once.
    let mut text = Vec::with_capacity(256);
    serde_json::to_writer(&mut text, line).expect("records are plain data");
    text.pop();
    let sum = checksum(&text);
    for part in [",\"sum\":\"", &sum, "\"}\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    String::from_utf8(text).expect("JSON is text")
}

/// `,"sum":"1a2b3c4d"}`
const TAIL: usize = 18;

fn decode(text: &str) -> Result<Line, String> {
    let cut = text.len().checked_sub(TAIL).filter(|cut| text.is_char_boundary(*cut)).ok_or("it is too short")?;
    let (body, tail) = text.split_at(cut);
    if tail != format!(",\"sum\":\"{}\"}}", checksum(body.as_bytes())) {
        return Err("its checksum does not match".to_owned());
    }
    serde_json::from_str(text).map_err(|error| format!("it cannot be read: {error}"))
}

fn checksum(body: &[u8]) -> String {
    blake3::hash(body).to_hex()[..8].to_owned()
}

/// The content of a journal's file.
pub struct Read {
    pub lines: Vec<Line>,
    /// The end of the last whole line; the rest was cut off by a crash.
    pub end: u64,
}

/// The lines of a journal.
///
/// # Errors
/// `Journal` with the number of a damaged line.
pub fn read(text: &[u8]) -> Result<Read, (usize, String)> {
    let mut lines = Vec::new();
    let mut end = 0;
    let mut rest = text;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else { break };
        let line = std::str::from_utf8(&rest[..length]).map_err(|_| "it is not text".to_owned()).and_then(decode);
        let is_last = rest.len() == length + 1;
        match line {
            Ok(line) => lines.push(line),
            // When the machine died, the disk may have kept the end of a line and lost its middle.
            Err(_) if is_last => break,
            Err(why) => return Err((number, why)),
        }
        end += length as u64 + 1;
        rest = &rest[length + 1..];
    }
    Ok(Read { lines, end })
}

/// Folds a file's lines.
///
/// # Errors
/// The number of the line that does not fit, and the reason.
pub fn fold(lines: &[Line]) -> Result<State, (usize, String)> {
    match lines.first().map(|line| &line.record) {
        None | Some(Record::Journal { .. }) => {}
        Some(_) => return Err((1, "it does not say the journal's version".to_owned())),
    }
    let mut state = State::default();
    for (index, line) in lines.iter().enumerate() {
        state.apply(line.clone()).map_err(|why| (index + 1, why))?;
    }
    Ok(state)
}

/// The lines of a journal's file, possibly torn at its end.
///
/// # Errors
/// `Journal`: it cannot be read, or a line is damaged.
pub fn load(path: &Path) -> Result<Read> {
    let text = std::fs::read(path).map_err(|error| {
        Error::new(Kind::Journal, format!("cannot read the journal {}: {}", path.display(), plain(&error)))
            .caused_by(error)
    })?;
    read(&text).map_err(|damage| damaged(path, &damage))
}

pub fn damaged(path: &Path, (number, why): &(usize, String)) -> Error {
    Error::new(Kind::Journal, format!("line {number} of the journal {} is damaged: {why}", path.display())).hint(
        format!(
            "restore the file from a copy, or keep one and cut it before line {number}; then resume: the run's \
             objects are found by their marks, and you are asked before anything else is sent a second time"
        ),
    )
}

/// Opens a file that [`load`] has read for appending: the torn rest is cut off.
///
/// # Errors
/// `Journal` or `Storage` when it cannot be written.
pub fn reopen(path: &Path, end: u64) -> Result<File> {
    let open = || -> io::Result<File> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        Ok(file)
    };
    open().map_err(|error| unwritable(path, error))
}

/// Creates a journal with its first line; an empty file may exist.
///
/// # Errors
/// `Journal` or `Storage` when it cannot be created.
pub fn create(path: &Path, at: jiff::Timestamp) -> Result<File> {
    let open = || -> io::Result<File> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(encode(&Line { at, record: Record::Journal { version: VERSION } }).as_bytes())?;
        Ok(file)
    };
    open().map_err(|error| unwritable(path, error))
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    disk::unwritten(format_args!("the journal {}", path.display()), &error, Kind::Journal)
        .hint("make room on the disk, fix its permissions, or name another folder with `--state-dir`; nothing was sent")
}

/// Reads a file that may not exist.
pub fn read_optional(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
