//! Values that must never be shown: the fields that hold them, the way texts carry them, and the mask over everything
//! that leaves.
//!
//! One law: a value from a secret place stays a secret until a request has it, whatever its name and whatever it was
//! put into (`carried`); those that the process has met are masked in every text that leaves it (`known`); names
//! (`names`) and looks (`found`) are the second net.

pub mod carried;
mod found;
mod known;
mod names;
mod place;

pub use secrecy::{ExposeSecret, SecretString};

pub use found::{SHORTEST, holds_secret, passwords};
pub use known::Known;
pub use names::{MASK, is_secret_name};
pub use place::{Place, mask};
