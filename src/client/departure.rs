//! A change on its way out: its sender is asked whether it may still leave, and told when it leaves.

use crate::error::Result;

/// The sender of a change. All of it happens on the sender's thread, while the change has its place among those in flight.
pub trait Departure {
    /// Its turn has come, perhaps after a long wait: asked before each sending.
    ///
    /// # Errors
    /// Why it must not leave any more: it is not sent then.
    fn may_leave(&mut self) -> Result<()>;

    /// It leaves next: from here on it may have been carried out.
    ///
    /// # Errors
    /// When that could not be recorded: it is not sent then.
    fn leaves(&mut self) -> Result<()>;

    /// It surely did not leave.
    ///
    /// # Errors
    /// When that could not be recorded.
    fn stayed(&mut self) -> Result<()>;
}

/// A sender that has nothing to ask and keeps no record.
pub struct Unguarded;

impl Departure for Unguarded {
    fn may_leave(&mut self) -> Result<()> {
        Ok(())
    }

    fn leaves(&mut self) -> Result<()> {
        Ok(())
    }

    fn stayed(&mut self) -> Result<()> {
        Ok(())
    }
}
