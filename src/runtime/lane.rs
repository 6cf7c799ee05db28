//! The lanes that calls are counted in.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rhai::NativeCallContext;

use crate::event::Origin;
use crate::memory;

/// A numbered sequence of calls: the main script is one, and each wave item has its own below it.
pub struct Lane {
    pub origin: Origin,
    calls: AtomicU64,
}

/// A lane in the engine's tag.
#[derive(Clone)]
pub struct LaneTag(pub Arc<Lane>);

thread_local! {
    /// The lane of this thread, for callbacks without a context (`print`).
    static CURRENT: RefCell<Option<Arc<Lane>>> = const { RefCell::new(None) };
}

impl Lane {
    pub fn main() -> Arc<Self> {
        Arc::new(Self { origin: Origin { lane: "main".into(), wave: None, item: None }, calls: AtomicU64::new(0) })
    }

    /// The lane of one item, the same for each of its attempts: its parent's path, the number of the call that opened
    /// it, and the item's key.
    pub fn child(&self, call: u64, wave: &str, item: &str) -> Arc<Self> {
        let path = crate::journal::lane::child(&self.origin.lane, call, item);
        let origin = Origin { lane: path.into(), wave: Some(wave.into()), item: Some(item.into()) };
        Arc::new(Self { origin, calls: AtomicU64::new(0) })
    }

    /// The same lane from its first call: for the next attempt.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { origin: self.origin.clone(), calls: AtomicU64::new(0) }
    }

    /// The number of the next call, from 1.
    pub fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of the last call.
    pub fn last_call(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Continues behind this call: closures of one that is replayed from the journal made the calls in between.
    pub fn skip_to(&self, call: u64) {
        self.calls.fetch_max(call, Ordering::Relaxed);
    }

    /// The lane that a call runs in.
    pub fn of(context: &NativeCallContext<'_>) -> Arc<Self> {
        let tagged = context.tag().and_then(|tag| tag.read_lock::<LaneTag>().map(|tag| tag.0.clone()));
        tagged.or_else(Self::current).unwrap_or_else(Self::main)
    }

    pub fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs `work` with this as the lane of the thread.
    pub fn enter<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        let _measured = memory::measure();
        let before = CURRENT.replace(Some(self.clone()));
        let result = work();
        CURRENT.set(before);
        result
    }
}
