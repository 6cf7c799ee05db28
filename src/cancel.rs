//! The operator's wish to stop, seen by everything that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::{Mutex, MutexGuard};

use crate::clock::{Clock, Instant, Signal, Woken};
use crate::error::{Error, Result};

/// The extent of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// Nothing; go on.
    Continue,
    /// Start nothing new, stop waiting; remote work goes on.
    Pause,
    /// Leave at once.
    Leave,
}

/// A shared handle; everything that waits listens to it.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    level: AtomicU8,
    listeners: Mutex<Vec<Signal>>,
    /// A wish to stop the whole stops this part as well.
    whole: Option<Cancel>,
    /// Of the wishes for the whole it hears only the one to leave.
    only_leaves: bool,
    /// The reason to stop when nobody asked for it.
    trouble: Mutex<Option<String>>,
}

/// Keeps a signal on the list of those to be rung, until it is dropped.
pub struct Listening {
    cancel: Cancel,
    signal: Signal,
    _whole: Option<Box<Listening>>,
}

impl Cancel {
    /// A cancel for a part: it hears the wishes for the whole, and keeps its own to itself.
    #[must_use]
    pub fn part(&self) -> Self {
        Self(Arc::new(Inner { whole: Some(self.clone()), ..Inner::default() }))
    }

    /// A cancel for a section that has to come to its end: of the whole's wishes it hears only the one to leave.
    #[must_use]
    pub fn only_leaving(&self) -> Self {
        Self(Arc::new(Inner { whole: Some(self.clone()), only_leaves: true, ..Inner::default() }))
    }

    pub fn wish(&self) -> Wish {
        let own = match self.0.level.load(Ordering::Acquire) {
            0 => Wish::Continue,
            1 => Wish::Pause,
            _ => Wish::Leave,
        };
        let whole = self.0.whole.as_ref().map_or(Wish::Continue, Cancel::wish);
        if whole == Wish::Pause && self.0.only_leaves { own } else { own.max(whole) }
    }

    /// Raises the wish: first to pause, then to leave. Returns the new one.
    pub fn press(&self) -> Wish {
        let next = if self.wish() == Wish::Continue { Wish::Pause } else { Wish::Leave };
        self.0.level.store(next as u8, Ordering::Release);
        self.listeners().iter().for_each(Signal::ring);
        next
    }

    /// Pauses because the run cannot go on, for this reason; an earlier wish stands.
    pub fn halt(&self, reason: &str) {
        if self.wish() == Wish::Continue {
            *self.own_trouble() = Some(reason.to_owned());
            self.press();
        }
    }

    /// The reason to stop when nobody asked for it.
    pub fn trouble(&self) -> Option<String> {
        let own = self.own_trouble().clone();
        own.or_else(|| self.0.whole.as_ref().and_then(Cancel::trouble))
    }

    fn own_trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.0.trouble.lock()
    }

    /// Resets to [`Wish::Continue`], as the prompt does between two statements.
    pub fn reset(&self) {
        *self.own_trouble() = None;
        self.0.level.store(0, Ordering::Release);
    }

    /// # Errors
    /// [`crate::error::Kind::Interrupted`] once there is a wish to stop.
    pub fn check(&self) -> Result<()> {
        if self.wish() == Wish::Continue { Ok(()) } else { Err(Error::interrupted()) }
    }

    /// Rings `signal` at every further press.
    pub fn listen(&self, signal: &Signal) -> Listening {
        self.listeners().push(signal.clone());
        let whole = self.0.whole.as_ref().map(|whole| Box::new(whole.listen(signal)));
        Listening { cancel: self.clone(), signal: signal.clone(), _whole: whole }
    }

    /// Sleeps until `deadline`. The caller holds a busy token and no lock.
    ///
    /// # Errors
    /// [`crate::error::Kind::Interrupted`] as soon as there is a wish to stop.
    pub fn sleep_until(&self, clock: &Clock, deadline: Instant) -> Result<()> {
        let signal = clock.signal();
        let _listening = self.listen(&signal);
        loop {
            self.check()?;
            if clock.instant() >= deadline || clock.park(&signal, Some(deadline)) == Woken::Deadline {
                return self.check();
            }
        }
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Signal>> {
        self.0.listeners.lock()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.cancel.listeners().retain(|signal| !signal.is(&self.signal));
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::clock::Speed;
    use crate::error::Kind;

    #[test]
    fn a_part_stops_with_the_whole_and_the_whole_not_with_a_part() {
        let whole = Cancel::default();
        let (one, other) = (whole.part(), whole.part());
        assert_eq!(
            (one.press(), one.wish(), other.wish(), whole.wish()),
            (Wish::Pause, Wish::Pause, Wish::Continue, Wish::Continue)
        );
        one.reset();
        let clock = Clock::new(Speed::Real);
        let (busy, sleeping, sleeper) = (clock.busy(), one.clone(), clock.clone());
        let thread = std::thread::spawn(move || {
            let _busy = busy;
            sleeping.sleep_until(&sleeper, sleeper.instant() + SignedDuration::from_hours(1))
        });
        whole.press();
        assert_eq!(thread.join().expect("no panic").expect_err("interrupted").kind, Kind::Interrupted);
        assert_eq!((one.wish(), other.wish()), (Wish::Pause, Wish::Pause));
    }

    #[test]
    fn a_section_hears_only_the_wish_to_leave() {
        let whole = Cancel::default();
        let section = whole.only_leaving();
        assert_eq!(
            (whole.press(), section.wish(), section.part().wish()),
            (Wish::Pause, Wish::Continue, Wish::Continue)
        );
        assert_eq!((whole.press(), section.wish(), section.part().wish()), (Wish::Leave, Wish::Leave, Wish::Leave));
    }

    #[test]
    fn a_sleeper_is_woken_by_the_first_press() {
        let clock = Clock::new(Speed::Real);
        let cancel = Cancel::default();
        let (busy, sleeping, sleeper) = (clock.busy(), cancel.clone(), clock.clone());
        let thread = std::thread::spawn(move || {
            let _busy = busy;
            sleeping.sleep_until(&sleeper, sleeper.instant() + SignedDuration::from_hours(1))
        });
        assert_eq!(cancel.press(), Wish::Pause);
        assert_eq!(thread.join().expect("no panic").expect_err("interrupted").kind, Kind::Interrupted);
        assert_eq!(cancel.press(), Wish::Leave);
    }
}
