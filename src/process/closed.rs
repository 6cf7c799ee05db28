//! A stdout that was closed before the process began (`>&-`). Rust's own start puts `/dev/null` in its place, which takes
//! everything: so it is looked at before that, when the system has loaded the program.

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
#[allow(unsafe_code, reason = "the loader calls what stands in this section, before `main`")]
static LOOK: extern "C" fn() = look;

/// Nothing of Rust's is used that wants a start of its own.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a number is looked at, whether it is open or not")]
extern "C" fn look() {
    let stdout = unsafe { BorrowedFd::borrow_raw(1) };
    let mut asked = [PollFd::new(stdout, PollFlags::empty())];
    let is_closed = poll(&mut asked, PollTimeout::ZERO).is_ok()
        && asked[0].revents().is_some_and(|seen| seen.contains(PollFlags::POLLNVAL));
    STDOUT.store(is_closed, Ordering::Relaxed);
}
