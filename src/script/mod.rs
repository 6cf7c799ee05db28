//! The language: the engine, the table of functions, and the one path that every call takes.

pub mod arguments;
pub mod attempts;
pub mod call;
pub mod catalog;
pub mod check;
pub mod diagnose;
pub mod drive;
pub mod engine;
pub mod error;
pub mod function;
pub mod functions;
pub mod gates;
pub mod help;
pub mod host;
pub mod invoke;
pub mod jobs;
pub mod lanes;
pub mod modules;
pub mod parameters;
pub mod render;
pub mod run;
pub mod saved;
pub mod sends;
pub mod session;
pub mod settle;
pub mod value;
