//! One clock for the whole process: the system's, a faster one, or a virtual one that jumps when nobody is busy.
//!
//! The virtual clock may jump only when nobody is busy. Every running thread of a run holds a [`Busy`] token; only
//! [`Clock::park`] gives it back while the thread waits, and a waker takes the sleeper's token *before* it wakes it, so
//! time cannot slip past somebody who is about to run. Nothing else in the program may block on something that needs
//! this clock to move.

use std::collections::BTreeMap;
use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Condvar, Mutex, MutexGuard};
use serde::{Deserialize, Serialize};

/// The start of virtual and scaled time, fixed so that two rehearsals agree: a Monday evening, 20:00 UTC.
pub const REHEARSAL_START: &str = "2026-06-01T20:00:00Z";

/// The furthest that a polling sleeper is carried past its own deadline when no earlier event is known.
const LONGEST_SKIP: SignedDuration = SignedDuration::from_mins(10);

/// A point on a clock's own time line: intervals, pauses, timeouts and elapsed times are counted by it. Unlike a
/// [`Timestamp`], which people and servers name, it does not move when somebody sets the machine's clock. It stands
/// still while the machine is asleep, so that waits then go on with the rest of their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(SignedDuration);

impl Instant {
    /// The moment at which the clock was made.
    pub const START: Instant = Instant(SignedDuration::ZERO);

    /// The time from `earlier` to this; negative if `earlier` is later.
    pub fn duration_since(self, earlier: Instant) -> SignedDuration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<SignedDuration> for Instant {
    type Output = Instant;

    fn add(self, duration: SignedDuration) -> Instant {
        Instant(self.0.saturating_add(duration))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        self + SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
    }
}

/// The relation of a clock to the system's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speed {
    /// The system's time.
    Real,
    /// This many seconds of this clock in one second of the system's.
    Times(f64),
    /// As fast as the work allows: jumps from one deadline to the next.
    Max,
}

/// A shared handle to one clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

/// The world's own events: the first moment after the given one at which something happens.
type World = Box<dyn Fn(Timestamp) -> Option<Timestamp> + Send + Sync>;

struct Inner {
    mode: Mode,
    /// Virtual time in nanoseconds since the epoch; read without the lock, so that the world may ask for the time.
    virtual_now: AtomicI64,
    /// The start of virtual time.
    origin: Timestamp,
    /// The moment at which the clock was made, by the machine's monotonic clock.
    made: std::time::Instant,
    /// The nanoseconds by which the time of day was set: tests do that.
    set_by: AtomicI64,
    state: Mutex<Sleepers>,
}

enum Mode {
    System,
    Scaled { speed: f64, origin: Timestamp },
    Virtual,
}

struct Sleepers {
    busy: usize,
    serial: u64,
    sleepers: BTreeMap<u64, Sleeper>,
    world: Option<World>,
}

struct Sleeper {
    waiter: Arc<Waiter>,
    deadline: Option<Instant>,
    /// A poller: waking it before the world has changed is of no use.
    polls: bool,
}

/// A token: while one exists, virtual time stands still.
pub struct Busy {
    clock: Clock,
}

/// A bell that one thread waits for with [`Clock::park`] and any thread rings.
#[derive(Clone)]
pub struct Signal {
    clock: Clock,
    waiter: Arc<Waiter>,
}

struct Waiter {
    condvar: Condvar,
    flags: Mutex<Flags>,
}

#[derive(Default)]
struct Flags {
    rung: bool,
    /// The key among the sleepers while parked.
    parked: Option<u64>,
    expired: bool,
}

/// The reason why [`Clock::park`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    Rung,
    Deadline,
}

impl Clock {
    pub fn new(speed: Speed) -> Self {
        Self::starting_at(speed, REHEARSAL_START.parse().expect("the constant is a timestamp"))
    }

    /// Like [`Clock::new`], with virtual and scaled time starting at `origin`: a rehearsal goes on where it stopped.
    pub fn starting_at(speed: Speed, origin: Timestamp) -> Self {
        match speed {
            Speed::Real => Self::with(Mode::System, Timestamp::UNIX_EPOCH),
            Speed::Times(speed) => Self::with(Mode::Scaled { speed, origin }, origin),
            Speed::Max => Self::with(Mode::Virtual, origin),
        }
    }

    /// A clock that runs `speed` times as fast as the system's, starting at the system's time.
    pub fn scaled_from_now(speed: f64) -> Self {
        Self::with(Mode::Scaled { speed, origin: wall() }, Timestamp::UNIX_EPOCH)
    }

    fn with(mode: Mode, start: Timestamp) -> Self {
        let state = Sleepers { busy: 0, serial: 0, sleepers: BTreeMap::new(), world: None };
        let virtual_now = AtomicI64::new(nanoseconds(start));
        let (made, set_by) = (system(), AtomicI64::new(0));
        Self(Arc::new(Inner { mode, virtual_now, origin: start, made, set_by, state: Mutex::new(state) }))
    }

    /// The time of day of this clock, for times that people, servers and records name. It may be set in either
    /// direction at any moment; durations are counted by [`Clock::instant`].
    pub fn now(&self) -> Timestamp {
        self.both().0
    }

    /// The time of day and the instant of the same moment.
    pub fn both(&self) -> (Timestamp, Instant) {
        let instant = self.instant();
        let now = match &self.0.mode {
            Mode::System => wall(),
            Mode::Scaled { origin, .. } => *origin + instant.0,
            Mode::Virtual => self.0.origin + instant.0,
        };
        (now + SignedDuration::from_nanos(self.0.set_by.load(Ordering::Acquire)), instant)
    }

    /// Shifts the time of day, as somebody may do with the machine's.
    #[cfg(test)]
    pub fn set(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_nanos()).expect("a test sets it by hours");
        self.0.set_by.fetch_add(by, Ordering::AcqRel);
    }

    /// The current instant, by which durations are counted.
    pub fn instant(&self) -> Instant {
        let elapsed = || self.0.made.elapsed();
        Instant(match &self.0.mode {
            Mode::System => SignedDuration::try_from(elapsed()).unwrap_or(SignedDuration::MAX),
            Mode::Scaled { speed, .. } => SignedDuration::from_secs_f64(elapsed().as_secs_f64() * speed),
            Mode::Virtual => self.virtual_now().duration_since(self.0.origin),
        })
    }

    /// The instant of a time that a person, a server or the journal names, at its current distance.
    pub fn instant_of(&self, time: Timestamp) -> Instant {
        let (now, instant) = self.both();
        instant + time.duration_since(now)
    }

    /// The time of day of an instant, at its current distance.
    pub fn time_of(&self, instant: Instant) -> Timestamp {
        let (now, here) = self.both();
        let rest = instant.duration_since(here);
        let end = if rest.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
        now.checked_add(rest).unwrap_or(end)
    }

    fn virtual_now(&self) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(self.0.virtual_now.load(Ordering::Acquire)))
            .expect("virtual time stays in range")
    }

    /// The machine's own monotonic time, whatever this clock says.
    pub fn system(&self) -> std::time::Instant {
        system()
    }

    /// The system's time, whatever this clock says: for things that live in wall time, such as Keystone's tokens.
    pub fn wall(&self) -> Timestamp {
        wall()
    }

    /// True if this is the virtual clock, which jumps.
    pub fn is_virtual(&self) -> bool {
        matches!(self.0.mode, Mode::Virtual)
    }

    /// The time of this clock that passes in `system`: the shortest pause of a poller, so that a fast clock does not
    /// make it flood the server. Zero for the virtual clock.
    pub fn during(&self, system: Duration) -> Duration {
        match self.0.mode {
            Mode::System => system,
            Mode::Scaled { speed, .. } => system.mul_f64(speed),
            Mode::Virtual => Duration::ZERO,
        }
    }

    /// Takes a token; the caller's thread now counts as busy.
    pub fn busy(&self) -> Busy {
        self.lock().busy += 1;
        Busy { clock: self.clone() }
    }

    pub fn signal(&self) -> Signal {
        Signal {
            clock: self.clone(),
            waiter: Arc::new(Waiter { condvar: Condvar::new(), flags: Mutex::new(Flags::default()) }),
        }
    }

    /// Tells the virtual clock when the world will change by itself, so that pollers are not woken in vain.
    pub fn set_world(&self, world: impl Fn(Timestamp) -> Option<Timestamp> + Send + Sync + 'static) {
        self.lock().world = Some(Box::new(world));
    }

    /// Waits until `signal` rings or `deadline` passes. The caller holds a token and no lock; the token is given back
    /// for the time of the wait.
    pub fn park(&self, signal: &Signal, deadline: Option<Instant>) -> Woken {
        self.park_as(signal, deadline, false)
    }

    /// Like [`Clock::park`], for a poller: on the virtual clock the deadline moves to the next event of the world.
    pub fn park_poll(&self, signal: &Signal, deadline: Option<Instant>) -> Woken {
        self.park_as(signal, deadline, true)
    }

    fn park_as(&self, signal: &Signal, deadline: Option<Instant>, polls: bool) -> Woken {
        let waiter = &signal.waiter;
        {
            let mut state = self.lock();
            let mut flags = waiter.lock();
            if std::mem::take(&mut flags.rung) {
                return Woken::Rung;
            }
            state.serial += 1;
            let key = state.serial;
            flags.parked = Some(key);
            drop(flags);
            state.sleepers.insert(key, Sleeper { waiter: waiter.clone(), deadline, polls });
            self.give_back(&mut state);
        }
        let mut flags = waiter.lock();
        while flags.parked.is_some() {
            match self.remaining(deadline) {
                None => waiter.condvar.wait(&mut flags),
                Some(rest) if rest.is_zero() => {
                    drop(flags);
                    self.expire(waiter);
                    flags = waiter.lock();
                }
                Some(rest) => drop(waiter.condvar.wait_for(&mut flags, rest)),
            }
        }
        let expired = std::mem::take(&mut flags.expired);
        if expired && !std::mem::take(&mut flags.rung) { Woken::Deadline } else { Woken::Rung }
    }

    /// The system time left until `deadline`; `None` if only a waker ends the wait.
    fn remaining(&self, deadline: Option<Instant>) -> Option<Duration> {
        let rest = deadline?.duration_since(self.instant()).max(SignedDuration::ZERO).unsigned_abs();
        match self.0.mode {
            Mode::System => Some(rest),
            Mode::Scaled { speed, .. } => Some(rest.div_f64(speed)),
            Mode::Virtual => None,
        }
    }

    fn expire(&self, waiter: &Arc<Waiter>) {
        let mut state = self.lock();
        let key = waiter.lock().parked;
        if let Some(key) = key {
            wake(&mut state, key, false);
        }
    }

    fn give_back(&self, state: &mut Sleepers) {
        state.busy = state.busy.checked_sub(1).expect("whoever gives a token back holds one");
        if matches!(self.0.mode, Mode::Virtual) {
            self.jump(state);
        }
    }

    /// Moves virtual time to the next deadline, if nobody is busy and somebody is sleeping until one.
    fn jump(&self, state: &mut Sleepers) {
        if state.busy > 0 {
            return;
        }
        let now = self.instant();
        let happens = state.world.as_ref().and_then(|world| world(self.virtual_now()));
        let happens = happens.map(|happens| Instant(happens.duration_since(self.0.origin)));
        let due = |sleeper: &Sleeper| {
            let deadline = sleeper.deadline?;
            if !sleeper.polls {
                return Some(deadline);
            }
            let latest = deadline.max(now) + LONGEST_SKIP;
            Some(happens.map_or(latest, |happens| happens.min(latest)).max(deadline))
        };
        let Some(next) = state.sleepers.values().filter_map(due).min() else { return };
        let next = next.max(now);
        let time = self.0.origin.checked_add(next.0).unwrap_or(Timestamp::MAX);
        self.0.virtual_now.store(nanoseconds(time), Ordering::Release);
        let keys: Vec<u64> = state
            .sleepers
            .iter()
            .filter(|(_, sleeper)| due(sleeper).is_some_and(|due| due <= next))
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            wake(state, key, false);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sleepers> {
        self.0.state.lock()
    }
}

/// Takes the sleeper's token on its behalf, then wakes it.
fn wake(state: &mut Sleepers, key: u64, rung: bool) {
    let Some(sleeper) = state.sleepers.remove(&key) else { return };
    state.busy += 1;
    let mut flags = sleeper.waiter.lock();
    flags.parked = None;
    flags.expired = !rung;
    sleeper.waiter.condvar.notify_all();
}

impl Waiter {
    fn lock(&self) -> MutexGuard<'_, Flags> {
        self.flags.lock()
    }
}

impl Signal {
    /// Wakes the thread that waits for this signal; if none does, the next wait ends at once.
    pub fn ring(&self) {
        let mut state = self.clock.lock();
        let parked = {
            let mut flags = self.waiter.lock();
            if flags.parked.is_none() {
                flags.rung = true;
            }
            flags.parked
        };
        if let Some(key) = parked {
            wake(&mut state, key, true);
        }
    }

    /// True if both are the same signal.
    pub fn is(&self, other: &Signal) -> bool {
        Arc::ptr_eq(&self.waiter, &other.waiter)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let clock = self.clock.clone();
        let mut state = clock.lock();
        clock.give_back(&mut state);
    }
}

#[allow(clippy::disallowed_methods, reason = "this file is the clock")]
fn wall() -> Timestamp {
    Timestamp::now()
}

#[allow(clippy::disallowed_methods, reason = "this file is the clock")]
fn system() -> std::time::Instant {
    std::time::Instant::now()
}

fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    #[test]
    fn virtual_time_jumps_to_the_first_deadline_when_nobody_is_busy() {
        let clock = Clock::new(Speed::Max);
        let (start, began) = (clock.now(), clock.instant());
        let _busy = clock.busy();
        assert_eq!(clock.park(&clock.signal(), Some(began + seconds(3600))), Woken::Deadline);
        assert_eq!((clock.now(), clock.instant()), (start + seconds(3600), began + seconds(3600)));
    }

    #[test]
    fn time_stands_while_another_thread_is_busy() {
        let clock = Clock::new(Speed::Max);
        let start = clock.instant();
        let bell = clock.signal();
        let lane = clock.busy();
        let worker = clock.busy();
        let (parked, ring) = (clock.clone(), bell.clone());
        let sleeper = std::thread::spawn(move || {
            let _lane = lane;
            parked.park(&bell, Some(start + seconds(60)))
        });
        ring.ring();
        drop(worker);
        assert_eq!(sleeper.join().expect("no panic"), Woken::Rung);
        assert_eq!(clock.instant(), start);
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_deadlines() {
        let clock = Clock::new(Speed::Max);
        let start = clock.instant();
        let log = Arc::new(Mutex::new(Vec::new()));
        let main = clock.busy();
        let threads: Vec<_> = [30, 10, 20, 10]
            .into_iter()
            .map(|delay| {
                let (clock, log, busy) = (clock.clone(), log.clone(), clock.busy());
                std::thread::spawn(move || {
                    let _busy = busy;
                    clock.park(&clock.signal(), Some(start + seconds(delay)));
                    log.lock().push(clock.instant().duration_since(start).as_secs());
                })
            })
            .collect();
        drop(main);
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(*log.lock(), [10, 10, 20, 30]);
    }

    #[test]
    fn a_poller_sleeps_until_something_happens() {
        let clock = Clock::new(Speed::Max);
        let (happens, start) = (clock.now() + seconds(90), clock.instant());
        clock.set_world(move |now| (now < happens).then_some(happens));
        let _busy = clock.busy();
        clock.park_poll(&clock.signal(), Some(start + seconds(2)));
        assert_eq!(clock.instant(), start + seconds(90));
        clock.park_poll(&clock.signal(), Some(start + seconds(92)));
        assert_eq!(clock.instant(), start + seconds(92) + LONGEST_SKIP);
    }

    #[test]
    fn a_scaled_clock_wakes_at_its_own_deadline() {
        let clock = Clock::new(Speed::Times(100_000.0));
        let start = clock.instant();
        let _busy = clock.busy();
        assert_eq!(clock.park(&clock.signal(), Some(start + seconds(600))), Woken::Deadline);
        assert!(clock.instant() >= start + seconds(600));
    }

    #[test]
    fn a_clock_goes_on_from_the_time_it_is_given() {
        let origin = Clock::new(Speed::Max).now() + seconds(3600);
        assert_eq!(Clock::starting_at(Speed::Max, origin).now(), origin);
        let scaled = Clock::starting_at(Speed::Times(1000.0), origin).now();
        assert!(scaled >= origin && scaled < origin + seconds(3600), "{scaled}");
    }

    #[test]
    fn setting_the_time_of_day_moves_no_deadline() {
        for speed in [Speed::Real, Speed::Times(100_000.0), Speed::Max] {
            for hours in [-2, 2] {
                let clock = Clock::new(speed);
                let (start, deadline) = (clock.now(), clock.instant() + SignedDuration::from_millis(20));
                clock.set(SignedDuration::from_hours(hours));
                let _busy = clock.busy();
                assert_eq!(clock.park(&clock.signal(), Some(deadline)), Woken::Deadline);
                assert!(clock.instant() >= deadline, "{speed:?}");
                let moved = clock.now().duration_since(start);
                assert_eq!(moved.is_negative(), hours < 0, "{speed:?} {moved:?}");
            }
        }
    }

    #[test]
    fn a_point_in_time_that_people_name_follows_the_time_of_day() {
        let clock = Clock::new(Speed::Max);
        let window = clock.now() + SignedDuration::from_hours(3);
        let from_here = |clock: &Clock| clock.instant_of(window).duration_since(clock.instant()).as_hours();
        assert_eq!(from_here(&clock), 3);
        clock.set(SignedDuration::from_hours(2));
        assert_eq!(from_here(&clock), 1);
        assert_eq!(clock.time_of(clock.instant_of(window)), window);
        clock.set(SignedDuration::from_hours(2));
        assert_eq!(from_here(&clock), -1);
    }

    #[test]
    fn a_bell_rung_early_is_not_lost() {
        let clock = Clock::new(Speed::Real);
        let bell = clock.signal();
        bell.ring();
        let _busy = clock.busy();
        assert_eq!(clock.park(&bell, None), Woken::Rung);
    }
}
