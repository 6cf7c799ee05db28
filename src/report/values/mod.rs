//! One value, or one failure, in full.

pub mod diagnostic;
pub mod json;
pub mod table;
pub mod yaml;
