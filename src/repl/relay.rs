//! The way of events while somebody types: those of the current input to its report, those of the background above the
//! prompt or the picture.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;

use jiff::tz::TimeZone;
use parking_lot::Mutex;

use super::live;
use crate::event::{Event, Sink};
use crate::report::live::background::Background;
use crate::report::{Line, Stage};
use crate::runtime::host::Host;

/// Prints a line above the prompt.
pub type Printer = Box<dyn FnMut(String) + Send>;

/// The sink of a session.
pub struct Relay {
    front: Arc<Mutex<Option<Front>>>,
    background: Mutex<Sender<Event>>,
    /// Set when events of changes have passed since the last check.
    changed: AtomicBool,
    host: OnceLock<Weak<Host>>,
    /// Set while the background is shown in the report of the current input, if there is one.
    in_front: AtomicBool,
    /// The events between two inputs, for the report of the next one.
    between: Mutex<Vec<Event>>,
    desk: Arc<Desk>,
}

/// The report of the current input.
struct Front {
    sink: Arc<dyn Sink>,
    stage: Stage,
}

/// The output of the background's lines.
struct Desk {
    /// Only the background uses it: it may block until the next prompt.
    printer: Mutex<Option<Printer>>,
    /// The prompt is on the screen.
    prompting: AtomicBool,
    /// Lines that have not been shown yet.
    kept: Mutex<Vec<Line>>,
    color: bool,
}

impl Relay {
    /// Starts the thread that shows the background.
    pub fn new(zone: TimeZone, color: bool) -> Arc<Self> {
        let (background, events) = mpsc::channel::<Event>();
        let front: Arc<Mutex<Option<Front>>> = Arc::default();
        let desk = Arc::new(Desk {
            printer: Mutex::default(),
            prompting: AtomicBool::new(false),
            kept: Mutex::default(),
            color,
        });
        let (report, at) = (front.clone(), desk.clone());
        let tell = move || {
            let mut told = Background::new(zone);
            for event in events {
                for line in told.lines(&event) {
                    // A report takes a line at once; the prompt's printer may be slow.
                    let stage = report.lock().as_ref().map(|front| front.stage.clone());
                    match stage {
                        Some(stage) => stage.say(line),
                        None => at.say(line),
                    }
                }
            }
        };
        // Without it the background is silent, but `jobs()` still works.
        let _ = thread::Builder::new().name("background".to_owned()).spawn(tell);
        Arc::new(Self {
            front,
            background: Mutex::new(background),
            changed: AtomicBool::new(false),
            host: OnceLock::new(),
            in_front: AtomicBool::new(false),
            between: Mutex::default(),
            desk,
        })
    }

    /// Sets the host whose jobs are the background.
    pub fn belongs_to(&self, host: &Arc<Host>) {
        let _ = self.host.set(Arc::downgrade(host));
    }

    /// Nobody types: the background is shown like everything else.
    pub fn in_front(&self) {
        self.in_front.store(true, Ordering::Relaxed);
    }

    pub fn print_with(&self, printer: Printer) {
        *self.desk.printer.lock() = Some(printer);
    }

    /// The prompt appears; kept lines are written first.
    pub fn prompting(&self, write: impl FnMut(String)) {
        let kept = std::mem::take(&mut *self.desk.kept.lock());
        kept.iter().map(|line| line.render(self.desk.color)).for_each(write);
        self.desk.prompting.store(true, Ordering::Release);
    }

    pub fn prompted(&self) {
        self.desk.prompting.store(false, Ordering::Release);
    }

    /// An input begins, with its report.
    pub fn begin(&self, sink: Arc<dyn Sink>, stage: Stage) {
        let mut front = self.front.lock();
        std::mem::take(&mut *self.between.lock()).into_iter().for_each(|event| sink.emit(event));
        *front = Some(Front { sink, stage });
    }

    /// The terminal of the current input, if there is one.
    pub fn stage(&self) -> Option<Stage> {
        self.front.lock().as_ref().map(|front| front.stage.clone())
    }

    pub fn end(&self) {
        *self.front.lock() = None;
    }

    /// True if anything was changed on the server since the last check.
    pub fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }
}

impl Desk {
    fn say(&self, line: Line) {
        match &mut *self.printer.lock() {
            Some(printer) if self.prompting.load(Ordering::Acquire) => printer(line.render(self.color)),
            _ => self.kept.lock().push(line),
        }
    }
}

impl Sink for Relay {
    fn emit(&self, event: Event) {
        if &*event.origin.lane == live::LANE {
            return;
        }
        if matches!(event.fact, crate::event::Fact::StepSettled { .. }) {
            self.changed.store(true, Ordering::Relaxed);
        }
        let host = self.host.get().and_then(Weak::upgrade);
        let is_job = host.is_some_and(|host| host.jobs.owns(&event.origin.lane));
        let in_front = self.in_front.load(Ordering::Relaxed);
        let front = self.front.lock();
        if front.is_none() && is_job && in_front {
            self.between.lock().push(event);
            return;
        }
        let sink = front.as_ref().map(|front| front.sink.clone());
        drop(front);
        match sink {
            Some(sink) if !is_job || in_front => sink.emit(event),
            _ if is_job => drop(self.background.lock().send(event)),
            _ => {}
        }
    }
}
