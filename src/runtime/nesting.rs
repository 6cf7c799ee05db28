//! The depth of values inside values.
//!
//! Copying, comparing, showing and dropping a value uses the stack once per level, and a stack overflow ends the whole
//! process. No function is called when a list is put into a list; so the variables that a script reads are measured
//! each time it has allocated enough for a deep value.

use std::cell::Cell;
use std::collections::HashSet;

use rhai::{Array, Dynamic, FnPtr, Map as ScriptMap, Scope};

use crate::error::{Error, Result};
use crate::memory;

/// After this many allocated bytes the variables are measured again: a level takes a hundred of them.
const OFTEN: usize = 256 << 10;
/// The more values there were, the later the next measurement: bytes per value.
const EACH: usize = 32;

thread_local! {
    /// The bytes that this thread will have allocated at the next measurement.
    static NEXT: Cell<usize> = const { Cell::new(OFTEN) };
    /// The number of measurements in a row: `m = [take(m)]` reads an empty variable every second time.
    static ROUNDS: Cell<u8> = const { Cell::new(0) };
}

/// Measures the variables that a script sees, if it is time to.
///
/// # Errors
/// `Script` when one lies deeper than `most`.
pub fn check(scope: &Scope<'_>, most: usize) -> Result<()> {
    if memory::ever() >= NEXT.get() {
        ROUNDS.set(3);
    }
    if ROUNDS.get() == 0 {
        return Ok(());
    }
    ROUNDS.set(ROUNDS.get() - 1);
    let mut measure = Measure { most, values: 0, cells: HashSet::new() };
    let deep = scope.iter_raw().find(|(_, _, value)| !measure.fits(value, 0)).map(|(name, ..)| name.to_owned());
    NEXT.set(memory::ever() + OFTEN.max(measure.values * EACH));
    match deep {
        None => Ok(()),
        Some(name) => Err(Error::script(format!("`{name}` holds values nested more than {most} deep"))
            .hint("is a list or a map put into itself in a loop? `--max nesting=NUMBER` allows more")),
    }
}

struct Measure {
    most: usize,
    values: usize,
    /// The shared cells that were entered: a closure may capture the variable that holds it.
    cells: HashSet<*const Dynamic>,
}

impl Measure {
    fn fits(&mut self, value: &Dynamic, depth: usize) -> bool {
        if depth > self.most {
            return false;
        }
        self.values += 1;
        if value.is_shared() {
            // One that is in use is measured the next time.
            let Some(inner) = value.read_lock::<Dynamic>() else { return true };
            let cell: *const Dynamic = &raw const *inner;
            return !self.cells.insert(cell) || self.fits(&inner, depth);
        }
        if let Some(values) = value.read_lock::<Array>() {
            return values.iter().all(|value| self.fits(value, depth + 1));
        }
        if let Some(fields) = value.read_lock::<ScriptMap>() {
            return fields.values().all(|value| self.fits(value, depth + 1));
        }
        if let Some(closure) = value.read_lock::<FnPtr>() {
            return closure.iter_curry().all(|value| self.fits(value, depth + 1));
        }
        true
    }
}
