//! The record of a run: what was begun and what was settled.
