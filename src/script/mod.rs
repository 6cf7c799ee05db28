//! The language: the engine, the table of functions, and the one path that every call takes.
