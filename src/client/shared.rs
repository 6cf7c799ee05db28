//! A value that many threads want and only one of them finds.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::{Clock, Signal};
use crate::error::Result;

/// Kept after the first success; callers that ask while another one is looking get that one's result, even a failure.
pub(super) struct Shared<T>(Mutex<Search<T>>);

struct Search<T> {
    value: Option<T>,
    round: Option<Arc<Round<T>>>,
}

struct Round<T> {
    result: Mutex<Option<Result<T>>>,
    waiting: Mutex<Vec<Signal>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::new(Search { value: None, round: None }))
    }
}

impl<T: Clone> Shared<T> {
    /// The caller holds a busy token, which is given back while another thread runs `find`.
    pub(super) fn get_or_find(&self, clock: &Clock, find: impl FnOnce() -> Result<T>) -> Result<T> {
        let (round, signal) = {
            let mut state = self.0.lock();
            if let Some(value) = &state.value {
                return Ok(value.clone());
            }
            match &state.round {
                Some(round) => {
                    let signal = clock.signal();
                    round.waiting.lock().push(signal.clone());
                    (round.clone(), Some(signal))
                }
                None => {
                    let round = Arc::new(Round { result: Mutex::new(None), waiting: Mutex::new(Vec::new()) });
                    state.round = Some(round.clone());
                    (round, None)
                }
            }
        };
        if let Some(signal) = signal {
            clock.park(&signal, None);
            return round.result.lock().clone().expect("rung only after the result is there");
        }
        let result = find();
        *round.result.lock() = Some(result.clone());
        let mut state = self.0.lock();
        state.value = result.clone().ok();
        state.round = None;
        drop(state);
        // Nobody joins a finished round: the list is complete.
        round.waiting.lock().iter().for_each(Signal::ring);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::Speed;
    use crate::error::Error;

    #[test]
    fn sixty_four_threads_share_one_search_and_a_failure_is_not_kept() {
        let clock = Clock::new(Speed::Real);
        let shared = Arc::new(Shared::default());
        let (searches, started) = (Arc::new(AtomicUsize::new(0)), Arc::new(std::sync::Barrier::new(64)));
        let threads: Vec<_> = (0..64)
            .map(|_| {
                let (clock, shared) = (clock.clone(), shared.clone());
                let (searches, started) = (searches.clone(), started.clone());
                std::thread::spawn(move || {
                    let _busy = clock.busy();
                    started.wait();
                    shared.get_or_find(&clock, || {
                        searches.fetch_add(1, Ordering::SeqCst);
                        Ok(7)
                    })
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().expect("no panic").expect("found"), 7));
        assert_eq!(searches.load(Ordering::SeqCst), 1);

        let _busy = clock.busy();
        let failing = Shared::default();
        assert!(failing.get_or_find(&clock, || Err::<u8, _>(Error::internal("down"))).is_err());
        assert_eq!(failing.get_or_find(&clock, || Ok(1)).expect("tried anew"), 1);
        assert_eq!(failing.get_or_find(&clock, || Ok(2)).expect("kept"), 1);
    }
}
