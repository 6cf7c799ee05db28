//! The way out: the two streams, the screen they lead to, and text in tones and widths.

pub(super) mod output;
pub(super) mod paint;
pub(super) mod screen;
pub mod text;
