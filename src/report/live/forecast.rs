//! The time that is left, as a range.

use crate::report::streams::text;

/// The uncertainty of a single number; that of several shrinks with the root of how many they are.
const DOUBT: f64 = 0.3;

/// Seconds, between which the truth is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    pub low: f64,
    pub high: f64,
}

/// The expectation for a wave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Forecast {
    pub left: Option<Range>,
    /// The finished share, from 0 to 1.
    pub share: f64,
    /// True if the share is one of the time that the whole takes; else it is one of the number of items.
    pub is_timed: bool,
    /// The items that stand still: the time left is that of the others.
    pub stalled: usize,
}

impl Range {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }

    pub(super) fn at_least(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.max(other.high) }
    }

    pub(super) fn middle(self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    /// The range of these numbers: all but the outermost tenths, and wider if they are few.
    pub(super) fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len().checked_sub(1)?;
        let tenth = last / 10;
        #[allow(clippy::cast_precision_loss, reason = "a handful of witnesses")]
        let doubt = DOUBT / (numbers.len() as f64).sqrt();
        Some(Self { low: numbers[tenth] * (1.0 - doubt), high: numbers[last - tenth] * (1.0 + doubt) })
    }

    /// `~25m-40m`; one value if the ends are close, `<11m` if the first is next to nothing.
    pub fn words(self) -> String {
        let [low, middle, high] =
            [self.low, self.middle(), self.high].map(|seconds| text::duration(text::span(seconds)));
        match (self.low, self.high) {
            (few, many) if few < many / 10.0 => format!("<{high}"),
            (few, many) if many <= few * 1.2 || low == high => format!("~{middle}"),
            _ => format!("~{low}-{high}"),
        }
    }
}
