//! Work in the background as lines: above a prompt, or above the picture of the work in front.
use jiff::tz::TimeZone;

use crate::event::{Event, Fact};
use crate::report::streams::paint::{Line, Tone};
use crate::report::streams::text;

use super::board::Board;
use super::lines::Lines;

/// The events of the background, folded separately.
pub struct Background {
    board: Board,
    lines: Lines,
}

impl Background {
    pub fn new(zone: TimeZone) -> Self {
        Self { board: Board::default(), lines: Lines::above(zone) }
    }

    /// The lines for an event.
    pub fn lines(&mut self, event: &Event) -> Vec<Line> {
        self.board.apply(event);
        if let Fact::Printed { text } = &event.fact {
            return text::printable(text).lines().map(|line| Line::default().with(Tone::Plain, line)).collect();
        }
        self.lines.lines(&mut self.board, event)
    }
}
