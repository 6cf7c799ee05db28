//! The ledger of a sandbox: every change that it carried out, one JSON line each, from which the same sandbox can be
//! rebuilt.
//!
//! A line is written after the change and before its answer leaves. It holds no secret: `kept` decides which part of a
//! request stays.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::kept::{Entry, Masks};
use super::routes::call::Incoming;
use crate::model::Generation;
use crate::secret::Known;

const VERSION: u32 = 1;
/// The placeholder in the ledger for the sandbox's address, which changes.
const HERE: &str = "http://here.invalid";

/// A sandbox's changes on disk, and those read when it was opened.
pub struct Ledger {
    path: PathBuf,
    file: File,
    /// The length of the file: a partial line is cut off.
    length: u64,
    head: Option<Head>,
    entries: Vec<Entry>,
    masks: Masks,
    /// The current address of the sandbox.
    base: String,
    /// The reason why nothing more is written.
    closed: Option<String>,
}

/// The first line, which identifies the sandbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Head {
    v: u32,
    generation: Generation,
    seed: u64,
    began: Timestamp,
}

impl Ledger {
    /// Opens the ledger of this name, which need not exist. An incomplete last line was never answered: it is dropped.
    ///
    /// # Errors
    /// Those of the file; `InvalidData` for a damaged line, with its number.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
        }
        let mut lines = bytes[..whole].split_inclusive(|byte| *byte == b'\n').zip(1..);
        let head = lines.next().map(|(line, number)| parsed::<Head>(path, line, number)).transpose()?;
        if let Some(head) = &head
            && head.v != VERSION
        {
            let (path, version) = (path.display(), head.v);
            return Err(invalid(format!("`{path}` is of version {version}, and this program knows version {VERSION}")));
        }
        let entries: Vec<Entry> =
            lines.map(|(line, number)| parsed(path, line, number)).collect::<io::Result<Vec<_>>>()?;
        let mut masks = Masks::default();
        entries.iter().filter_map(|entry| entry.body.as_ref()).for_each(|body| masks.learn(body));
        Ok(Self {
            path: path.into(),
            file,
            length: whole as u64,
            head,
            entries,
            masks,
            base: String::new(),
            closed: None,
        })
    }

    /// Masks the secrets that the process knows in every request.
    #[must_use]
    pub fn knowing(mut self, known: &Known) -> Self {
        self.masks.known = known.clone();
        self
    }

    /// A ledger that cannot be written.
    #[cfg(test)]
    pub(super) fn full(generation: Generation, seed: u64, began: Timestamp) -> Self {
        Self {
            path: "/dev/null".into(),
            file: File::open("/dev/null").expect("it is everywhere"),
            length: 0,
            head: Some(Head { v: VERSION, generation, seed, began }),
            entries: Vec::new(),
            masks: Masks::default(),
            base: String::new(),
            closed: None,
        }
    }

    /// The time of the last change: a clock that continues this sandbox begins no earlier.
    pub fn stopped(&self) -> Option<Timestamp> {
        self.entries.last().map(|entry| entry.at).or_else(|| self.head.as_ref().map(|head| head.began))
    }

    /// Identifies the sandbox of this ledger, or checks that it is the same. Returns the time at which it began.
    ///
    /// # Errors
    /// `InvalidInput` for another sandbox and for a time before the last change; those of writing.
    pub(super) fn begin(
        &mut self,
        generation: Generation,
        seed: u64,
        base: &str,
        now: Timestamp,
    ) -> io::Result<Timestamp> {
        self.base = base.into();
        let Some(head) = &self.head else {
            let head = Head { v: VERSION, generation, seed, began: now };
            self.write(&head)?;
            self.head = Some(head);
            return Ok(now);
        };
        let path = self.path.display();
        if head.generation != generation || head.seed != seed {
            let (other, of) = (head.generation.word(), head.seed);
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{path}` is of a sandbox of the {other} generation with seed {of}"),
            ));
        }
        let stopped = self.stopped().unwrap_or(head.began);
        if now < stopped {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{path}` goes on from {stopped}, and the clock stands at {now}"),
            ));
        }
        Ok(head.began)
    }

    /// The changes that were read, with the numbers of their lines.
    pub(super) fn entries(&self) -> impl Iterator<Item = (usize, &Entry)> {
        (2..).zip(&self.entries)
    }

    /// The body of a change, as if sent to the sandbox's current address.
    pub(super) fn body(&self, entry: &Entry) -> Vec<u8> {
        match (&entry.body, &entry.text) {
            (Some(body), _) => body.to_string().replace(HERE, &self.base).into_bytes(),
            (None, text) => text.clone().unwrap_or_default().into_bytes(),
        }
    }

    /// The error for a change with another result than before.
    pub(super) fn differs(&self, line: usize, entry: &Entry, status: u16) -> io::Error {
        let (path, then) = (self.path.display(), entry.status);
        invalid(format!(
            "line {line} of `{path}` was answered with {then} and is now answered with {status}: it is of another \
             sandbox"
        ))
    }

    /// The reason why nothing can be changed any more.
    pub(super) fn closed(&self) -> Option<&str> {
        self.closed.as_deref()
    }

    pub(super) fn close(&mut self) {
        self.closed.get_or_insert_with(|| "the sandbox has ended".into());
    }

    /// Records a change that was carried out; after a failure nothing more is written.
    ///
    /// # Errors
    /// Those of writing.
    pub(super) fn append(&mut self, incoming: &Incoming, at: Timestamp, status: u16) -> io::Result<()> {
        let entry = self.masks.entry(incoming, at, status);
        self.write(&entry)
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        if let Some(why) = &self.closed {
            return Err(io::Error::other(why.clone()));
        }
        let bytes = (serde_json::to_string(line)? + "\n").replace(&self.base, HERE).into_bytes();
        // Not in append mode: the position is known, even after a line was cut off.
        let written = self.file_at_end().and_then(|()| self.file.write_all(&bytes));
        match written {
            Ok(()) => self.length += bytes.len() as u64,
            Err(error) => {
                // If that fails as well, the fragment is the file's last line: the next reader drops it.
                let _ = self.file.set_len(self.length);
                self.closed = Some(error.to_string());
                return Err(error);
            }
        }
        Ok(())
    }

    fn file_at_end(&mut self) -> io::Result<()> {
        use std::io::Seek as _;
        self.file.seek(io::SeekFrom::Start(self.length)).map(|_| ())
    }
}

fn parsed<Line: DeserializeOwned>(path: &Path, line: &[u8], number: usize) -> io::Result<Line> {
    serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        // The position in the line is of no use.
        let why = text.split_once(" at line ").map_or(text.as_str(), |(why, _)| why);
        invalid(format!("line {number} of `{}` is damaged: {why}", path.display()))
    })
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
