//! What the streams lead to: how large a screen, and whether it has colours.
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

/// Tells the terminal's size, which changes while the program runs.
pub type Measure = Arc<dyn Fn() -> Size + Send + Sync>;

/// Where the report is seen.
#[derive(Clone)]
pub struct Screen {
    /// The terminal's size, where stderr is one.
    pub measure: Measure,
    /// The width that stdout has, where it is a terminal: tables on it fit.
    pub data_width: Option<usize>,
    /// Whether stderr is a terminal on which a picture can be drawn over the last one.
    pub redraws: bool,
    /// Whether stderr takes colours (a terminal, and no `NO_COLOR`).
    pub color: bool,
    /// The time zone of times of day.
    pub zone: TimeZone,
}

impl Default for Screen {
    fn default() -> Self {
        Self { measure: Arc::new(Size::default), data_width: None, redraws: false, color: false, zone: TimeZone::UTC }
    }
}
