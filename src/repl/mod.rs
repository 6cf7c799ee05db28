//! Typing at it: a prompt that knows the language, the functions and the cloud.

pub mod commands;
pub mod complete;
pub mod editor;
pub mod hint;
pub mod history;
pub mod knowledge;
pub mod live;
pub mod names;
pub mod paint;
pub mod place;
pub mod relay;
pub mod saved;
pub mod target;
pub mod view;

pub use crate::script::lexer;
