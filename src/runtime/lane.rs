//! The lanes that calls are counted in.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rhai::NativeCallContext;

use crate::event::Origin;
use crate::memory;

/// A numbered sequence of calls: the main script is one, and each wave item has its own below it.
pub struct Lane {
    pub origin: Origin,
    calls: AtomicU64,
    /// The number of sections around the current call that a wish to pause does not end.
    sections: AtomicU32,
    /// True if it was opened inside such a section.
    inside: bool,
    /// The reasons why nothing new starts in the waves around it, each once there is one.
    stops: Vec<Stop>,
    /// The name of the last call, if it failed.
    failed: Mutex<Option<String>>,
}

/// The reason why nothing new starts in a wave, once there is one.
pub type Stop = Arc<OnceLock<String>>;

/// A section of a lane that a wish to pause does not end, until this is dropped.
pub struct Section<'a>(&'a Lane);

impl Drop for Section<'_> {
    fn drop(&mut self) {
        self.0.sections.fetch_sub(1, Ordering::Relaxed);
    }
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
        let origin = Origin { lane: "main".into(), wave: None, item: None };
        Arc::new(Self::new(origin, false, Vec::new()))
    }

    fn new(origin: Origin, inside: bool, stops: Vec<Stop>) -> Self {
        let (calls, sections, failed) = (AtomicU64::new(0), AtomicU32::new(0), Mutex::default());
        Self { origin, calls, sections, inside, stops, failed }
    }

    /// The lane of one item, the same for each of its attempts: its parent's path, the number of the call that opened
    /// it, and the item's key. `stop` is set once nothing new starts beside it.
    pub fn child(&self, call: u64, wave: &str, item: &str, stop: Option<&Stop>) -> Arc<Self> {
        let path = crate::journal::lane::child(&self.origin.lane, call, item);
        let origin = Origin { lane: path.into(), wave: Some(wave.into()), item: Some(item.into()) };
        let stops = self.stops.iter().chain(stop).cloned().collect();
        Arc::new(Self::new(origin, self.is_inside(), stops))
    }

    /// The same lane from its first call: for the next attempt.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::new(self.origin.clone(), self.inside, self.stops.clone())
    }

    /// Begins a section that a wish to pause does not end.
    pub fn section(&self) -> Section<'_> {
        self.sections.fetch_add(1, Ordering::Relaxed);
        Section(self)
    }

    /// True inside of such a section.
    pub fn is_inside(&self) -> bool {
        self.inside || self.sections.load(Ordering::Relaxed) > 0
    }

    /// The reason why nothing new starts in a wave around it.
    pub fn stop(&self) -> Option<&str> {
        self.stops.iter().find_map(|stop| stop.get()).map(String::as_str)
    }

    /// Notes the end of a call.
    pub fn ended(&self, name: &str, failed: bool) {
        *self.failed.lock() = failed.then(|| name.to_owned());
    }

    /// The name of the last call, if it failed.
    pub fn failed(&self) -> Option<String> {
        self.failed.lock().clone()
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
