//! Facts of one moment: the reads on which a change depends, none of which had to wait for another try. During a pause
//! between two of them, somebody else may have changed the facts of the first one, so they are read again. The change's
//! turn is given back at the first pause: the changes of other lanes do not wait for it.

use std::cell::RefCell;

use super::wire::Turn;

/// The least number of looks at one moment, even if patience ends before.
pub(super) const LOOKS: u32 = 10;

thread_local! {
    /// The turn of the change that is about to leave on this thread.
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Notes that a request of this thread waits for another try.
pub(super) fn paused() {
    TURN.take();
}

/// The facts that `ask` reads on this thread during this turn, and the turn if they are those of one moment.
pub(super) fn during<T>(turn: Turn, ask: impl FnOnce() -> T) -> (T, Option<Turn>) {
    TURN.set(Some(turn));
    let facts = ask();
    (facts, TURN.take())
}
