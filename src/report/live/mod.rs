//! A run as it goes: events folded into a board, and the board as a picture, as lines, or as JSON.

pub mod background;
pub mod bars;
mod basis;
pub mod board;
mod forecast;
pub(super) mod item;
pub mod jsonl;
pub mod lines;
pub mod message;
mod picture;
#[cfg(test)]
pub(super) mod properties;
#[cfg(test)]
pub(super) mod scene;
pub mod summary;
mod wait;
pub mod wave;
