//! A change on its way out: its sender is asked whether it may still leave, and is notified when it leaves.

use crate::error::Result;

/// The sender of a change. Its methods run on the sender's thread while the change holds its place among those in
/// flight, which a pause between two tries of a request gives back.
pub trait Departure {
    /// Called before each sending, when the change's turn has come, perhaps after a long wait; called again when one of
    /// its requests had to wait for another try.
    ///
    /// # Errors
    /// The reason why it must not leave any more; it is not sent then.
    fn may_leave(&mut self) -> Result<()>;

    /// Called right before it leaves, with the id of the user who sends it: from here on it may have been carried out.
    ///
    /// # Errors
    /// The record could not be written; the change is not sent then.
    fn leaves(&mut self, user: Option<&str>) -> Result<()>;

    /// Called when it certainly did not leave.
    ///
    /// # Errors
    /// The record could not be written.
    fn stayed(&mut self) -> Result<()>;
}

/// A sender without conditions and without a record.
pub struct Unguarded;

impl Departure for Unguarded {
    fn may_leave(&mut self) -> Result<()> {
        Ok(())
    }

    fn leaves(&mut self, _: Option<&str>) -> Result<()> {
        Ok(())
    }

    fn stayed(&mut self) -> Result<()> {
        Ok(())
    }
}
