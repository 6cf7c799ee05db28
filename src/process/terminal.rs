//! The terminal's own driver: lines that are typed without an editor, and the echo of keys.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

/// The result of waiting for a line.
pub enum Typed {
    Line(String),
    /// Nothing yet.
    Nothing,
    /// The end of the input.
    End,
}

/// Reads a line that is typed at the terminal within `patience`. The rest of the input is left for the next reader.
pub fn line_within(patience: Duration) -> Typed {
    let stdin = io::stdin();
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)], timeout) {
        Ok(0) | Err(Errno::EINTR) => return Typed::Nothing,
        Ok(_) => {}
        Err(_) => return Typed::End,
    }
    // A terminal delivers one line at a time.
    let mut line = [0; 4096];
    match nix::unistd::read(stdin.as_fd(), &mut line) {
        Ok(length @ 1..) => Typed::Line(String::from_utf8_lossy(&line[..length]).into_owned()),
        Err(Errno::EINTR) => Typed::Nothing,
        Ok(_) | Err(_) => Typed::End,
    }
}

/// Set while the echo is off that was on before.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Turns the echo off, so that keys typed ahead do not appear in a picture, or on again.
pub fn quiet(on: bool) {
    if on {
        if echo(false) {
            QUIET.store(true, Ordering::Release);
        }
    } else if QUIET.swap(false, Ordering::AcqRel) {
        echo(true);
    }
}

/// Turns the echo on while it exists, for a question.
pub struct Aloud {
    was_quiet: bool,
}

impl Aloud {
    pub fn begin() -> Self {
        let was_quiet = QUIET.load(Ordering::Acquire);
        quiet(false);
        Self { was_quiet }
    }
}

impl Drop for Aloud {
    fn drop(&mut self) {
        if self.was_quiet {
            quiet(true);
        }
    }
}

/// Turns the echo off while it exists, for the input of a secret.
pub struct Unseen {
    was_quiet: bool,
}

impl Unseen {
    pub fn begin() -> Self {
        let was_quiet = QUIET.load(Ordering::Acquire);
        quiet(true);
        Self { was_quiet }
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        quiet(self.was_quiet);
    }
}

/// Returns true if this was a change; a terminal that cannot be asked stays as it is.
fn echo(on: bool) -> bool {
    let stdin = io::stdin();
    let Ok(mut driver) = tcgetattr(&stdin) else { return false };
    if driver.local_flags.contains(LocalFlags::ECHO) == on {
        return false;
    }
    driver.local_flags.set(LocalFlags::ECHO, on);
    tcsetattr(&stdin, SetArg::TCSANOW, &driver).is_ok()
}
