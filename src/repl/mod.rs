//! Typing at it: a prompt that knows the language, the functions and the cloud.

pub mod lexer;
pub mod place;
