//! The board on a terminal: redrawn in place, with messages passing above it.
use std::fmt;
use std::io;
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use parking_lot::Mutex;

use crate::report::streams::output::Stream;
use crate::report::streams::paint::Line;
use crate::report::streams::screen::{Measure, Screen};

/// The drawing: one bar of indicatif whose message is the picture, so that a frame is one write.
pub struct Bars {
    all: MultiProgress,
    /// Removed while there is nothing to draw: an empty bar would still take a line.
    picture: Option<ProgressBar>,
    terminal: Terminal,
    color: bool,
}

/// A terminal behind any stream; collects the drawing until it is flushed.
#[derive(Clone)]
struct Terminal {
    frame: Arc<Mutex<Frame>>,
    measure: Measure,
}

struct Frame {
    stream: Option<Stream>,
    pending: String,
    /// The last line is written, but not its line break.
    unbroken: bool,
}

impl Bars {
    pub fn new(stream: Stream, screen: &Screen) -> Self {
        let frame = Frame { stream: Some(stream), pending: String::new(), unbroken: false };
        let terminal = Terminal { frame: Arc::new(Mutex::new(frame)), measure: screen.measure.clone() };
        // The report paces the frames itself; a limit here would drop the last of them.
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        Self { all: MultiProgress::with_draw_target(target), picture: None, terminal, color: screen.color }
    }

    /// Replaces the picture.
    pub fn draw(&mut self, lines: &[Line]) {
        if lines.is_empty() {
            self.wipe();
            return;
        }
        let text: Vec<String> = lines.iter().map(|line| line.render(self.color)).collect();
        let all = &self.all;
        let picture = self.picture.get_or_insert_with(|| {
            let picture = all.add(ProgressBar::no_length());
            picture.set_style(ProgressStyle::with_template("{msg}").expect("the template is constant"));
            picture
        });
        picture.set_message(text.join("\n"));
        picture.force_draw();
    }

    fn wipe(&mut self) {
        if let Some(picture) = self.picture.take() {
            // In this order: a finished bar may take a line with it that nobody clears afterwards. A clear that fails
            // only leaves lines behind.
            let _ = self.all.clear();
            self.all.remove(&picture);
        }
    }

    /// Prints lines above the picture; they stay.
    pub fn print(&self, lines: &[Line]) {
        let width = usize::from(self.terminal.width());
        for line in lines.iter().flat_map(|line| line.wrapped(width)) {
            let text = line.render(self.color);
            // The stream remembers that its terminal was closed.
            let _ = match self.picture {
                Some(_) => self.all.println(text),
                None => self.terminal.push(&(text + "\n")).and_then(|()| self.terminal.flush()),
            };
        }
    }

    /// Takes the picture off the screen while `write` uses the terminal.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.all.suspend(write)
    }

    /// Removes the picture from the screen and returns the stream.
    pub fn end(mut self) -> Stream {
        self.wipe();
        self.terminal.frame.lock().stream.take().expect("the bars end once")
    }
}

impl Terminal {
    #[allow(clippy::unnecessary_wraps, reason = "the trait's signature")]
    fn push(&self, text: &str) -> io::Result<()> {
        self.frame.lock().pending.push_str(text);
        Ok(())
    }

    fn control(&self, number: usize, command: char) -> io::Result<()> {
        if number == 0 { Ok(()) } else { self.push(&format!("\u{1b}[{number}{command}")) }
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Terminal")
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        u16::try_from((self.measure)().width).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from((self.measure)().height).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.control(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.control(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.control(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.control(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.push(&format!("{text}\n"))
    }

    /// indicatif fills each line with blanks to the edge, so that the next one begins below. An echoed `^C` would break
    /// such a line, and the next frame would begin too low: the break is written when there is a next line.
    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut frame = self.frame.lock();
        if text.bytes().all(|byte| byte == b' ') {
            frame.unbroken = true;
            return Ok(());
        }
        if std::mem::take(&mut frame.unbroken) {
            frame.pending.push('\n');
        }
        frame.pending.push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.frame.lock().unbroken = false;
        self.push("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let mut frame = self.frame.lock();
        let pending = std::mem::take(&mut frame.pending);
        if let Some(stream) = frame.stream.as_mut() {
            stream.raw(&pending);
            stream.flush();
        }
        Ok(())
    }
}
