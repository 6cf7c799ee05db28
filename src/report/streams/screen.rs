//! The screen behind the streams: its size and its colours.
use std::sync::Arc;

use jiff::tz::TimeZone;

/// Columns and lines of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: usize,
    pub height: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { width: 80, height: 24 }
    }
}

/// Measures the terminal, whose size changes while the program runs.
pub type Measure = Arc<dyn Fn() -> Size + Send + Sync>;

/// The screen that shows the report.
#[derive(Clone)]
pub struct Screen {
    /// The size of the terminal, if stderr is one.
    pub measure: Measure,
    /// The width of stdout, if it is a terminal: tables on it fit.
    pub data_width: Option<usize>,
    /// True if stderr is a terminal on which a picture can be redrawn.
    pub redraws: bool,
    /// True if stderr may have colours (a terminal, and no `NO_COLOR`).
    pub color: bool,
    /// The time zone of times of day.
    pub zone: TimeZone,
}

impl Default for Screen {
    fn default() -> Self {
        Self { measure: Arc::new(Size::default), data_width: None, redraws: false, color: false, zone: TimeZone::UTC }
    }
}
