//! Typing at it: a prompt that knows the language, the functions and the cloud.

pub mod commands;
pub mod complete;
pub mod history;
pub mod knowledge;
pub mod lexer;
pub mod live;
pub mod names;
pub mod place;
pub mod target;
pub mod view;
