//! Lists of transfers and deployments that are cached for a moment, so that a thousand lanes searching them read them
//! once.

use std::sync::Arc;

use jiff::SignedDuration;
use parking_lot::Mutex;
use serde_json::Value;

use crate::cancel::Cancel;
use crate::clock::{Clock, Instant, Signal};
use crate::error::Result;

/// The greatest age of a list: objects that others make in the meantime are not seen.
const LONGEST_AGE: SignedDuration = SignedDuration::from_secs(20);

/// The lists of one run.
#[derive(Default)]
pub struct Index {
    pub transfers: Kept,
    pub deployments: Kept,
}

/// One list.
#[derive(Default)]
pub struct Kept(Mutex<Cached>);

#[derive(Default)]
struct Cached {
    list: Option<(Instant, Arc<Vec<Value>>)>,
    /// Another thread is reading it right now; others wait.
    reading: bool,
    waiting: Vec<Signal>,
}

impl Index {
    /// Adds an object of this run, so that it is known at once.
    pub fn add_transfer(&self, transfer: &Value) {
        self.transfers.add(transfer);
    }

    pub fn add_deployment(&self, deployment: &Value) {
        self.deployments.add(deployment);
    }

    /// Forgets the lists: the next look reads them again.
    pub fn forget(&self) {
        for kept in [&self.transfers, &self.deployments] {
            kept.0.lock().list = None;
        }
    }
}

impl Kept {
    /// The list, if it is fresh; else `read` reads it, once for all who want it meanwhile.
    ///
    /// # Errors
    /// That of reading; an interruption.
    pub fn get(
        &self,
        clock: &Clock,
        cancel: &Cancel,
        read: impl FnOnce() -> Result<Vec<Value>>,
    ) -> Result<Arc<Vec<Value>>> {
        loop {
            let signal = clock.signal();
            {
                let mut state = self.0.lock();
                let now = clock.instant();
                if let Some((read, list)) = &state.list
                    && now.duration_since(*read) <= LONGEST_AGE
                {
                    return Ok(list.clone());
                }
                if !state.reading {
                    state.reading = true;
                    break;
                }
                state.waiting.push(signal.clone());
            }
            let _listening = cancel.listen(&signal);
            cancel.check()?;
            clock.park(&signal, None);
        }
        let result = read();
        let mut state = self.0.lock();
        state.reading = false;
        state.waiting.drain(..).for_each(|signal| signal.ring());
        let list = Arc::new(result?);
        state.list = Some((clock.instant(), list.clone()));
        Ok(list)
    }

    fn add(&self, value: &Value) {
        if let Some((_, list)) = &mut self.0.lock().list {
            Arc::make_mut(list).push(value.clone());
        }
    }
}
