//! The language as a text: its words, its tree, the declarations of its functions, and their help; without any world.

pub mod arguments;
pub mod bodies;
pub mod captures;
pub mod catalog;
pub mod declared;
pub mod diagnose;
pub mod error;
pub mod finding;
pub mod help;
pub mod lexer;
pub mod literals;
pub mod meant;
pub mod parser;
pub mod render;
pub mod returns;
pub mod scope;
pub mod sends;
pub mod source;
pub mod spec;
pub mod syntax;
pub mod value;
