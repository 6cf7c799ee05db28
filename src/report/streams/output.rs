//! The two streams: stdout for data, stderr for people; a reader that went away is not a failure. Everything that
//! leaves the process through them is masked.
use std::io::{self, Write};

use crate::disk;
use crate::error::{Error, Kind, Result, plain};
use crate::secret::Known;

/// A handle to the process's stdout and stderr. A failure to write is remembered, and later writes are skipped.
pub struct Output {
    out: Stream,
    err: Stream,
}

pub struct Stream {
    to: Box<dyn Write + Send>,
    /// The secrets that the process has met: none of them is written.
    known: Known,
    closed: bool,
    /// The system's error, unless it is a closed pipe: a full disk, for example.
    lost: Option<Error>,
}

impl Output {
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self { out: Stream::new(out), err: Stream::new(err) }
    }

    /// Masks the secrets that the process knows.
    #[must_use]
    pub fn knowing(mut self, known: &Known) -> Self {
        self.out.known = known.clone();
        self.err.known = known.clone();
        self
    }

    /// Streams that lead nowhere.
    pub fn nowhere() -> Self {
        Self::new(Box::new(io::sink()), Box::new(io::sink()))
    }

    /// A line (or lines) of data on stdout.
    pub fn data(&mut self, text: &str) {
        self.out.line(text);
    }

    /// A line of data that shows a secret on purpose: a setting for clients of the sandbox.
    pub fn data_in_clear(&mut self, text: &str) {
        self.out.write(&format!("{text}\n"));
    }

    /// A line (or lines) for people on stderr.
    pub fn note(&mut self, text: &str) {
        self.err.line(text);
    }

    /// Flushes both; a command that writes data ends with this.
    ///
    /// # Errors
    /// `Storage` when stdout is full. A reader that went away is not an error: it had seen enough.
    pub fn close(&mut self) -> Result<()> {
        self.flush();
        self.out.lost.clone().map_or(Ok(()), Err)
    }

    /// True if the reader of stdout went away.
    pub fn data_closed(&self) -> bool {
        self.out.closed
    }

    pub fn flush(&mut self) {
        self.out.flush();
        self.err.flush();
    }

    pub(in crate::report) fn split(self) -> (Stream, Stream) {
        (self.out, self.err)
    }

    pub(in crate::report) fn join(out: Stream, err: Stream) -> Self {
        Self { out, err }
    }
}

impl Stream {
    pub(in crate::report) fn new(to: Box<dyn Write + Send>) -> Self {
        Self { to, known: Known::default(), closed: false, lost: None }
    }

    /// Writes text and a line break in one piece.
    pub fn line(&mut self, text: &str) {
        self.raw(&format!("{text}\n"));
    }

    pub fn raw(&mut self, text: &str) {
        let masked = self.known.mask(text).into_owned();
        self.write(&masked);
    }

    fn write(&mut self, text: &str) {
        if !self.closed {
            let written = self.to.write_all(text.as_bytes());
            self.note(written);
        }
    }

    fn note(&mut self, written: io::Result<()>) {
        let Err(error) = written else { return };
        self.closed = true;
        if error.kind() != io::ErrorKind::BrokenPipe {
            let told = Error::new(Kind::Storage, format!("cannot write to stdout: {}", plain(&error)));
            self.lost = Some(told.hint(disk::remedy(&error)));
        }
    }

    pub fn flush(&mut self) {
        if !self.closed {
            let flushed = self.to.flush();
            self.note(flushed);
        }
    }
}
