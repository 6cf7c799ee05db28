//! Facts of one moment: several reads that belong together, none of which had to wait for another try. During a pause
//! between two of them, somebody else may have changed the facts of the first one.

use std::cell::Cell;

use crate::error::Result;

/// The most tries to see one moment.
const TRIES: u32 = 10;

thread_local! {
    /// The number of times that requests of this thread have waited for another try.
    static PAUSES: Cell<u32> = const { Cell::new(0) };
}

/// Notes that a request of this thread waits for another try.
pub(super) fn paused() {
    PAUSES.set(PAUSES.get().wrapping_add(1));
}

/// Reads with `ask`, on this thread, until no request in it had to wait.
///
/// # Errors
/// That of `ask`.
pub fn of_one_moment<T>(ask: impl Fn() -> Result<T>) -> Result<T> {
    let mut tries = 0;
    loop {
        tries += 1;
        let pauses = PAUSES.get();
        let facts = ask()?;
        if PAUSES.get() == pauses || tries >= TRIES {
            return Ok(facts);
        }
    }
}
