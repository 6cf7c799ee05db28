//! A stdout that was closed before the process began (`>&-`). Rust's runtime replaces it by `/dev/null`, which accepts
//! everything: so it is checked before that, when the system has loaded the program.

#[cfg(target_os = "linux")]
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(target_os = "linux")]
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

static STDOUT: AtomicBool = AtomicBool::new(false);

/// Tells whether stdout was closed.
pub fn stdout() -> bool {
    STDOUT.load(Ordering::Relaxed)
}

#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
#[allow(unsafe_code, reason = "the loader calls the functions in this section before `main`")]
static LOOK: extern "C" fn() = look;

/// Uses nothing of Rust that needs its runtime.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "only checks if a descriptor is open")]
extern "C" fn look() {
    let stdout = unsafe { BorrowedFd::borrow_raw(1) };
    let mut asked = [PollFd::new(stdout, PollFlags::empty())];
    let is_closed = poll(&mut asked, PollTimeout::ZERO).is_ok()
        && asked[0].revents().is_some_and(|seen| seen.contains(PollFlags::POLLNVAL));
    STDOUT.store(is_closed, Ordering::Relaxed);
}
