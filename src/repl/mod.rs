//! The prompt: it knows the language, the functions and the cloud.
//!
//! [`lexer`], [`place`], [`target`], [`complete`], [`hint`], [`paint`], [`view`], [`saved`] and [`commands`] are
//! functions of a text and of knowledge; [`editor`] has the terminal, [`names`] and [`live`] the names of the cloud's
//! objects, [`relay`] the way of events, [`prompt`] the conversation itself.

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
pub mod session;
pub mod target;
pub mod view;

pub use crate::language::lexer;
