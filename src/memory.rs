//! The memory that this process and each of its lanes hold, and their limits.
//!
//! The language builds texts, lists and maps in dozens of places, and most of them check nothing. All of them allocate:
//! so allocations are counted, by thread, since a lane is a thread. A lane that holds too much ends with an error of
//! its own, long before the machine runs out of memory for the others.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::limits::{Limits, bytes};

/// The bytes that all threads hold.
static HELD: AtomicIsize = AtomicIsize::new(0);
/// The number of lanes at work.
static LANES: AtomicIsize = AtomicIsize::new(0);

/// [`Limits`] in the form that the lanes read.
static LANE_LIMIT: AtomicUsize = AtomicUsize::new(Limits::DEFAULT.lane_memory);
static TOTAL_LIMIT: AtomicUsize = AtomicUsize::new(Limits::DEFAULT.memory);

thread_local! {
    /// The bytes that this thread has allocated and not freed. It may have freed some that others allocated.
    static OWN: Cell<isize> = const { Cell::new(0) };
    /// All bytes that it has ever allocated.
    static EVER: Cell<usize> = const { Cell::new(0) };
    /// The bytes that it held when its lane began.
    static BEFORE: Cell<isize> = const { Cell::new(0) };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counted.
pub struct Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn took(size: usize) {
    let size_held = isize::try_from(size).unwrap_or(isize::MAX);
    HELD.fetch_add(size_held, Ordering::Relaxed);
    // A thread that ends allocates a last time after its cells are gone.
    let _ = OWN.try_with(|own| own.set(own.get().saturating_add(size_held)));
    let _ = EVER.try_with(|ever| ever.set(ever.get().wrapping_add(size)));
}

fn gave(size: usize) {
    let size = isize::try_from(size).unwrap_or(isize::MAX);
    HELD.fetch_sub(size, Ordering::Relaxed);
    let _ = OWN.try_with(|own| own.set(own.get().saturating_sub(size)));
}

// SAFETY: everything is passed to the system's allocator; the counting allocates nothing and cannot panic.
#[allow(unsafe_code, reason = "an allocator is made of unsafe functions")]
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let place = unsafe { System.alloc(layout) };
        if !place.is_null() {
            took(layout.size());
        }
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) };
        gave(layout.size());
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let place = unsafe { System.alloc_zeroed(layout) };
        if !place.is_null() {
            took(layout.size());
        }
        place
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let place = unsafe { System.realloc(place, layout, size) };
        if !place.is_null() {
            took(size);
            gave(layout.size());
        }
        place
    }
}

/// Sets the limits of this process.
pub fn allow(limits: &Limits) {
    LANE_LIMIT.store(limits.lane_memory, Ordering::Relaxed);
    TOTAL_LIMIT.store(limits.memory, Ordering::Relaxed);
}

/// A lane at work on this thread; allocations from now on are its own.
pub struct Measured(());

/// A lane begins on this thread, or is entered once more.
pub fn measure() -> Measured {
    DEPTH.with(|depth| {
        if depth.get() == 0 {
            BEFORE.set(OWN.get());
            LANES.fetch_add(1, Ordering::Relaxed);
        }
        depth.set(depth.get() + 1);
    });
    Measured(())
}

impl Drop for Measured {
    fn drop(&mut self) {
        DEPTH.with(|depth| {
            depth.set(depth.get() - 1);
            if depth.get() == 0 {
                LANES.fetch_sub(1, Ordering::Relaxed);
            }
        });
    }
}

/// The bytes that the lane of this thread holds.
fn own() -> usize {
    usize::try_from(OWN.get() - BEFORE.get()).unwrap_or(0)
}

/// All bytes that this thread has ever allocated: the number only grows.
pub fn ever() -> usize {
    EVER.get()
}

/// # Errors
/// `Script` when this lane holds more than a lane may, or when all of them hold more than they may and this one has a
/// large share of it.
pub fn check() -> Result<()> {
    check_with(0)
}

/// The same, before making something of `more` bytes.
///
/// # Errors
/// As [`check`].
pub fn check_with(more: usize) -> Result<()> {
    let own = own().saturating_add(more);
    let allowed = LANE_LIMIT.load(Ordering::Relaxed);
    if own > allowed {
        return Err(Error::script(format!(
            "the values of this lane need more memory than the {} it may have",
            bytes(allowed)
        ))
        .hint("does a value grow without end? `--max lane-memory=SIZE` allows more"));
    }
    let held = usize::try_from(HELD.load(Ordering::Relaxed)).unwrap_or(0).saturating_add(more);
    let allowed = TOTAL_LIMIT.load(Ordering::Relaxed);
    let lanes = usize::try_from(LANES.load(Ordering::Relaxed)).unwrap_or(0).max(1);
    if held > allowed && own > allowed / lanes {
        return Err(Error::script(format!(
            "all lanes together need more memory than the {} they may have, {} of it this one",
            bytes(allowed),
            bytes(own)
        ))
        .hint("let fewer items run at once; or `--max memory=SIZE` allows more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_told_what_it_holds_and_nothing_of_what_others_do() {
        let _lane = measure();
        let kept = vec![0_u8; 1 << 20];
        let more = std::thread::spawn(|| vec![0_u8; 8 << 20]).join().unwrap();
        assert!((1 << 20..2 << 20).contains(&own()), "{}", own());
        drop(kept);
        assert!(own() < 1 << 20);
        drop(more);
        assert_eq!(own(), 0, "what others allocated and it freed is no debt");
    }

    #[test]
    fn what_would_be_too_much_is_refused_before_it_is_made() {
        assert!(check().is_ok());
        let message = check_with(1 << 50).expect_err("too much").message;
        assert_eq!(message, "the values of this lane need more memory than the 256 MiB it may have");
        assert!(check_with(usize::MAX).is_err());
    }
}
