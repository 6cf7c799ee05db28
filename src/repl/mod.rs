//! Typing at it: a prompt that knows the language, the functions and the cloud.
//!
//! [`lexer`], [`place`], [`target`], [`complete`], [`hint`], [`paint`], [`view`], [`saved`] and [`commands`] decide, each
//! from a text and what is known; [`editor`] has the terminal, [`names`] and [`live`] what the cloud's things are called,
//! [`relay`] where facts go, [`prompt`] the conversation itself.

pub mod commands;
pub mod complete;
pub mod draft;
pub mod editor;
pub mod hint;
pub mod history;
pub mod knowledge;
pub mod live;
pub mod names;
pub mod paint;
pub mod place;
pub mod prompt;
pub mod relay;
pub mod saved;
pub mod sentences;
pub mod target;
pub mod view;

pub use crate::script::lexer;
