//! The other runs of the state directory, for functions that ask what they have done.

use crate::error::Result;
use crate::event::ran::Ran;
use crate::journal::runs::{Directory, Store};
use crate::runtime::host::Runs;

use super::history::events;

/// A reader of the runs on this cloud. Rehearsals have a cloud of their own each, so they know of no other run.
pub fn runs(store: Result<Store>, cloud: String, rehearses: bool) -> Runs {
    Box::new(move || {
        if rehearses {
            return Ok(Vec::new());
        }
        Ok(store.clone()?.on_cloud(&cloud)?.iter().map(read).collect())
    })
}

fn read(run: &Directory) -> Ran {
    let ran =
        Ran { id: run.meta.id.clone(), name: run.meta.name.clone(), is_running: run.is_locked(), ..Ran::default() };
    match run.lines() {
        Ok(read) => ran.knowing(&events(&read.lines)),
        Err(_) => Ran { is_damaged: true, ..ran },
    }
}
