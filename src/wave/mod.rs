//! Waves: many items at once under limits; when what starts is decided by a pure machine.
