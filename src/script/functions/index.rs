//! Lists of transfers and deployments kept for a moment, so that a thousand lanes that look for theirs read them once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;
use serde_json::Value;

use crate::client::{Filters, Request, deployments, present, transfers};
use crate::clock::Instant;
use crate::clock::Signal;
use crate::error::Result;
use crate::script::call::Call;

/// How old a list may be: what others make in the meantime is not seen.
const LONGEST_AGE: SignedDuration = SignedDuration::from_secs(20);

/// The lists of one run.
#[derive(Default)]
pub struct Index {
    transfers: Kept,
    deployments: Kept,
}

#[derive(Default)]
struct Kept(Mutex<State>);

#[derive(Default)]
struct State {
    list: Option<(Instant, Arc<Vec<Value>>)>,
    /// Somebody reads it right now; who else wants it waits.
    reading: bool,
    waiting: Vec<Signal>,
}

impl Index {
    /// # Errors
    /// What the server or the network says.
    pub fn transfers(&self, call: &Call<'_>) -> Result<Arc<Vec<Value>>> {
        let request = transfers::list(call.generation()?, &Filters::default());
        self.transfers.get(call, &request, present::transfer)
    }

    /// # Errors
    /// What the server or the network says.
    pub fn deployments(&self, call: &Call<'_>) -> Result<Arc<Vec<Value>>> {
        let request = deployments::list(call.generation()?, &Filters::default());
        self.deployments.get(call, &request, present::deployment)
    }

    /// The transfers of this very moment, for what must not go by a list of a while ago.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn transfers_now(&self, call: &Call<'_>) -> Result<Vec<Value>> {
        let request = transfers::list(call.generation()?, &Filters::default());
        Ok(present::each(call.read_list(&request)?, present::transfer))
    }

    /// The deployments of this very moment.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn deployments_now(&self, call: &Call<'_>) -> Result<Vec<Value>> {
        let request = deployments::list(call.generation()?, &Filters::default());
        Ok(present::each(call.read_list(&request)?, present::deployment))
    }

    /// What this run has made is known at once.
    pub fn add_transfer(&self, transfer: &Value) {
        self.transfers.add(transfer);
    }

    pub fn add_deployment(&self, deployment: &Value) {
        self.deployments.add(deployment);
    }

    /// Forgets the lists: the next look reads them again.
    pub fn forget(&self) {
        for kept in [&self.transfers, &self.deployments] {
            kept.lock().list = None;
        }
    }
}

impl Kept {
    fn get(&self, call: &Call<'_>, request: &Request, present: fn(Value) -> Value) -> Result<Arc<Vec<Value>>> {
        loop {
            let signal = call.host.clock.signal();
            {
                let mut state = self.lock();
                let now = call.host.clock.instant();
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
            let _listening = call.host.cancel.listen(&signal);
            call.host.cancel.check()?;
            call.host.clock.park(&signal, None);
        }
        let result = call.read_list(request);
        let mut state = self.lock();
        state.reading = false;
        state.waiting.drain(..).for_each(|signal| signal.ring());
        let list = Arc::new(result?.into_iter().map(present).collect::<Vec<_>>());
        state.list = Some((call.host.clock.instant(), list.clone()));
        Ok(list)
    }

    fn add(&self, value: &Value) {
        if let Some((_, list)) = &mut self.lock().list {
            Arc::make_mut(list).push(value.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
