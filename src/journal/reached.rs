//! The highest length that a journal has had, kept outside of the run's folder: a shorter journal was cut, or is an
//! older copy.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::file::{Medium, read_optional};

/// A journal's file, and the note of its length.
pub struct Noted {
    file: File,
    end: AtomicU64,
    /// Missing if the disk rejects it: it is only a second net.
    note: Option<File>,
}

impl Noted {
    /// Starts with a file of `end` bytes.
    pub fn new(file: File, end: u64, note: &Path) -> Self {
        let open = || -> io::Result<File> {
            if let Some(folder) = note.parent() {
                super::runs::private_folder(folder)?;
            }
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(note)
        };
        Self { file, end: AtomicU64::new(end), note: open().ok() }
    }
}

impl Medium for Noted {
    fn write(&self, lines: &[u8]) -> io::Result<()> {
        Medium::write(&self.file, lines)?;
        self.end.fetch_add(lines.len() as u64, Ordering::AcqRel);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let end = self.end.load(Ordering::Acquire);
        self.file.sync_data()?;
        // Never ahead of the disk; not synced itself, as a killed process loses nothing of it.
        if let Some(note) = &self.note {
            let _ = note.write_all_at(format!("{end:020}\n").as_bytes(), 0);
        }
        Ok(())
    }
}

/// The number of bytes that were once on the disk; `None` without a note.
pub fn read(note: &Path) -> Option<u64> {
    read_optional(note).ok()??.trim().parse().ok()
}
