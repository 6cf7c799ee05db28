//! The user's view of a run: events folded into a picture, and the only code that writes to the terminal.

pub mod history;
pub mod live;
pub mod streams;
#[cfg(test)]
mod tests;
pub mod values;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use crate::clock::{Clock, Instant};
use crate::error::{Error, no_thread};
use crate::event::{Event, Fact, Sink};

use live::bars::Bars;
use live::board::Board;
pub use live::lines::Detail;
use live::lines::{self, Lines};
use live::{jsonl, message, summary};
use streams::output::Stream;
use streams::text;

pub use streams::output::Output;
pub use streams::paint::{Line, Tone};
pub use streams::screen::{Measure, Screen, Size};

/// The pause between two frames, in real time whatever the run's clock does.
const FRAME: Duration = Duration::from_millis(100);
/// Columns at the right that a terminal may need to echo a `^C`.
const ECHO: usize = 2;
/// The pause between two checks for stalled items.
const LOOK: Duration = Duration::from_secs(1);

/// The display of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// A picture on stderr that is redrawn, for a terminal.
    Bars,
    /// Lines on stderr, for a log.
    Lines(Detail),
    /// The events on stdout, one a line.
    Jsonl,
    /// Only the errors, on stderr.
    Quiet,
}

/// A smaller shift of the clock is a correction, not a setting.
const SET_BY: SignedDuration = SignedDuration::from_secs(10);

/// The report of one run. One thread owns the streams; all others only send it facts.
pub struct Report {
    door: Sender<Order>,
    thread: Option<JoinHandle<Finished>>,
}

/// The results of a report that has ended.
pub struct Finished {
    pub board: Board,
    /// The streams, returned; they know if their readers went away.
    pub output: Output,
}

enum Order {
    Event(Box<Event>),
    /// A line from elsewhere.
    Said(Line),
    /// Remove the picture until the sender of the other end is dropped, and signal when it is gone.
    Aside(Sender<()>, Receiver<()>),
    Finish,
}

/// The terminal belongs to somebody else while this exists: a prompt, an editor.
pub struct Aside {
    _until: Sender<()>,
}

impl Aside {
    /// Writes a question, or the end of one, without a line break of its own.
    pub fn prompt(&self, text: &str) {
        let mut err = Stream::new(Box::new(std::io::stderr()));
        let end = if text.ends_with(' ') {
            " "
        } else if text.ends_with('\n') {
            "\n"
        } else {
            ""
        };
        // In one piece: typed characters would otherwise stand in between.
        err.raw(&format!("{}{end}", text::one_line(text.trim_end_matches('\n'))));
        err.flush();
    }
}

/// Access to the terminal for prompts.
#[derive(Clone)]
pub struct Stage {
    door: Sender<Order>,
}

impl Stage {
    /// Removes the picture from the terminal until the result is dropped; facts are kept meanwhile.
    pub fn aside(&self) -> Aside {
        self.leave_to(|is_gone| is_gone.recv().is_ok())
    }

    /// The same for a process on its way out: a terminal that takes nothing is not waited for any longer than this.
    pub fn aside_within(&self, most: Duration) -> Aside {
        self.leave_to(|is_gone| is_gone.recv_timeout(most).is_ok())
    }

    /// `wait` waits until the picture is gone; without an answer the terminal is used all the same.
    fn leave_to(&self, wait: impl FnOnce(&Receiver<()>) -> bool) -> Aside {
        let (gone, is_gone) = mpsc::channel();
        let (until, dropped) = mpsc::channel();
        if self.door.send(Order::Aside(gone, dropped)).is_ok() {
            wait(&is_gone);
        }
        Aside { _until: until }
    }

    /// Writes a line above the picture.
    pub fn say(&self, line: Line) {
        let _ = self.door.send(Order::Said(line));
    }
}

/// A report, and the sink for its facts.
pub type Started = (Arc<dyn Sink>, Report);

/// A report that could not start: the error, and the streams that it would have used.
pub struct Unstarted {
    pub error: Error,
    pub output: Output,
}

struct Door(Mutex<Sender<Order>>);

impl Sink for Door {
    fn emit(&self, event: Event) {
        let door = self.0.lock();
        // After the end of the report nobody listens.
        let _ = door.send(Order::Event(Box::new(event)));
    }
}

impl Report {
    /// Starts the thread that draws; facts go to the sink.
    ///
    /// # Errors
    /// As [`Report::start_after`].
    pub fn start(view: View, output: Output, screen: Screen, clock: Clock) -> Result<Started, Box<Unstarted>> {
        Self::start_after(&[], view, output, screen, clock)
    }

    /// The same for a resumed run: the end of the report covers the `earlier` events as well.
    ///
    /// # Errors
    /// `Limit` when the machine refuses the thread, with the streams.
    pub fn start_after(
        earlier: &[Event],
        view: View,
        output: Output,
        screen: Screen,
        clock: Clock,
    ) -> Result<Started, Box<Unstarted>> {
        let (door, orders) = mpsc::channel();
        let (hand, handed) = mpsc::channel::<Desk>();
        let serve = move || handed.recv().expect("the desk follows its thread").serve(&orders);
        let thread = match std::thread::Builder::new().name("report".to_owned()).spawn(serve) {
            Ok(thread) => thread,
            Err(error) => return Err(Box::new(Unstarted { error: no_thread("the report", &error), output })),
        };
        let mut desk = Desk::new(view, output, screen, clock);
        earlier.iter().for_each(|event| desk.board.apply(event));
        let _ = hand.send(desk);
        let sink = Arc::new(Door(Mutex::new(door.clone())));
        Ok((sink, Self { door, thread: Some(thread) }))
    }

    /// A handle for code that needs the terminal for itself.
    pub fn stage(&self) -> Stage {
        Stage { door: self.door.clone() }
    }

    /// Ends the report: clears the picture, prints the closing lines, and returns the streams.
    pub fn finish(mut self) -> Finished {
        let _ = self.door.send(Order::Finish);
        let thread = self.thread.take().expect("a report ends once");
        thread.join().expect("the report does not panic")
    }
}

/// The state of the report's thread.
struct Desk {
    view: View,
    clock: Clock,
    /// The time of day of the last look, and the same moment as an instant.
    seen: (Timestamp, Instant),
    screen: Screen,
    board: Board,
    data: Stream,
    notes: Notes,
    lines: Lines,
}

/// The output for people.
enum Notes {
    Bars(Box<Bars>),
    Plain(Stream),
}

impl Desk {
    fn new(view: View, output: Output, screen: Screen, clock: Clock) -> Self {
        let (data, err) = output.split();
        let notes = match view {
            View::Bars => Notes::Bars(Box::new(Bars::new(err, &screen))),
            _ => Notes::Plain(err),
        };
        let detail = if let View::Lines(detail) = view { detail } else { Detail::Ends };
        let lines = Lines::log(screen.zone.clone(), detail);
        let seen = clock.both();
        Self { view, clock, seen, board: Board::default(), data, notes, lines, screen }
    }

    fn serve(mut self, orders: &Receiver<Order>) -> Finished {
        let pause = if self.view == View::Bars { FRAME } else { LOOK };
        let mut due = self.clock.system();
        loop {
            let rest = due.saturating_duration_since(self.clock.system());
            match orders.recv_timeout(rest.min(pause)) {
                Ok(Order::Event(event)) => self.take(&event),
                Ok(Order::Said(line)) => self.note(&[line]),
                Ok(Order::Aside(gone, until)) => self.stand_aside(&gone, &until),
                Ok(Order::Finish) | Err(RecvTimeoutError::Disconnected) => return self.finish(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.clock.system() >= due {
                self.tick();
                due = self.clock.system() + pause;
            }
        }
    }

    /// Follows a change of the machine's clock: observations stay as old as they were.
    fn follow_the_clock(&mut self) {
        let (now, instant) = self.clock.both();
        let (last, then) = std::mem::replace(&mut self.seen, (now, instant));
        let set = now.duration_since(last) - instant.duration_since(then);
        if set.abs() >= SET_BY {
            self.board.shift(set);
            self.lines.shift(set);
        }
    }

    fn take(&mut self, event: &Event) {
        self.follow_the_clock();
        self.board.apply(event);
        if self.view == View::Jsonl {
            self.data.line(&jsonl::line(event));
            self.data.flush();
        } else if let Fact::Printed { text } = &event.fact {
            self.print(text);
        }
        self.say(event);
    }

    /// Prints the script's output; it may share the terminal with the picture.
    fn print(&mut self, text: &str) {
        let data = &mut self.data;
        let mut write = || {
            data.line(text);
            data.flush();
        };
        match &self.notes {
            Notes::Bars(bars) => bars.aside(write),
            Notes::Plain(_) => write(),
        }
    }

    fn say(&mut self, event: &Event) {
        let said = match self.view {
            View::Lines(_) => self.lines.lines(&mut self.board, event),
            view => message::message(&self.board, event, &self.screen.zone)
                .filter(|message| lines::shows(view != View::Bars, message.weight))
                .map(|message| message.lines())
                .unwrap_or_default(),
        };
        self.note(&said);
    }

    fn note(&mut self, lines: &[Line]) {
        match &mut self.notes {
            Notes::Bars(bars) => bars.print(lines),
            Notes::Plain(stream) => lines.iter().for_each(|line| stream.line(&line.render(self.screen.color))),
        }
    }

    fn tick(&mut self) {
        self.follow_the_clock();
        let now = self.clock.now();
        match (&mut self.notes, self.view) {
            (Notes::Bars(bars), _) => {
                let size = (self.screen.measure)();
                self.board.look(now);
                bars.draw(&self.board.lines(now, size.width.saturating_sub(ECHO), size.height));
            }
            // Virtual time moves only with the events; a check in between would see it at random moments.
            (_, View::Lines(_)) if !self.clock.is_virtual() => {
                let said = self.lines.heartbeat(&mut self.board, now);
                self.note(&said);
            }
            _ => {}
        }
    }

    fn stand_aside(&mut self, gone: &Sender<()>, until: &Receiver<()>) {
        let wait = || {
            let _ = gone.send(());
            let _ = until.recv();
        };
        match &self.notes {
            Notes::Bars(bars) => bars.aside(wait),
            Notes::Plain(_) => wait(),
        }
    }

    fn finish(self) -> Finished {
        let Self { view, board, mut data, notes, screen, .. } = self;
        let mut err = match notes {
            Notes::Bars(bars) => bars.end(),
            Notes::Plain(stream) => stream,
        };
        for line in message::farewell(&board, &screen.zone) {
            err.line(&line.render(screen.color));
        }
        err.flush();
        if view != View::Jsonl
            && let Some(summary) = summary::summary(&board, screen.data_width)
        {
            data.line(&summary);
        }
        data.flush();
        Finished { board, output: Output::join(data, err) }
    }
}
