//! The options of a wave: the items at once, the tries of an item, the failures that are allowed.

use std::time::Duration;

use crate::duration;
use crate::error::{Error, Result};

/// The delay before a retry doubles, up to this many times the first.
const LONGEST_BACKOFF: u32 = 10;

#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The most items at once.
    pub limit: usize,
    /// The number of retries of a failed item.
    pub retries: u32,
    /// The delay before the first retry; it doubles with each one, up to ten times this.
    pub backoff: Duration,
    /// The failures that are allowed before nothing new starts.
    pub max_failures: Budget,
}

impl Default for Options {
    fn default() -> Self {
        Self { limit: 10, retries: 0, backoff: Duration::from_secs(30), max_failures: Budget::Count(0) }
    }
}

impl Options {
    /// # Errors
    /// `Script` when no item could ever start.
    pub fn check(&self) -> Result<()> {
        if self.limit == 0 {
            return Err(Error::script("`limit` is 0: no item could start").hint("leave it out, or say 1 or more"));
        }
        Ok(())
    }

    /// The number of attempts at an item.
    pub fn attempts(&self) -> u32 {
        self.retries.saturating_add(1)
    }

    /// The delay after failed attempt number `attempt`.
    pub fn backoff_after(&self, attempt: u32) -> Duration {
        duration::backoff(self.backoff, self.backoff.saturating_mul(LONGEST_BACKOFF), attempt)
    }
}

/// The number of failures that a wave tolerates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    Count(usize),
    /// A share of all items, rounded down.
    Percent(f64),
}

impl Budget {
    /// `"3"` or `"10%"`.
    ///
    /// # Errors
    /// `Script` when it is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let Some(percent) = text.strip_suffix('%') else {
            return text.parse().map_or_else(|_| Err(refused(text)), Self::count);
        };
        match percent.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Percent(percent)),
            _ => Err(refused(text)),
        }
    }

    /// # Errors
    /// `Script` when it is negative.
    pub fn count(number: i64) -> Result<Self> {
        usize::try_from(number).map(Self::Count).map_err(|_| refused(&number.to_string()))
    }

    /// The number of failures that are allowed among `total` items.
    pub fn of(self, total: usize) -> usize {
        match self {
            Budget::Count(count) => count,
            Budget::Percent(percent) => (total as f64 * percent / 100.0).floor() as usize,
        }
    }
}

fn refused(text: &str) -> Error {
    Error::script(format!("`{text}` is not a number of failures")).hint("write `max_failures` as `3` or as `\"10%\"`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_or_a_share_of_all_items_rounded_down() {
        let table = [
            ("0", 36, 0),
            ("3", 36, 3),
            ("10%", 36, 3),
            ("10%", 9, 0),
            ("10%", 10, 1),
            ("29%", 100, 29),
            ("12.5 %", 8, 1),
            ("100%", 7, 7),
            ("0%", 7, 0),
            ("50%", 0, 0),
        ];
        for (text, total, expected) in table {
            assert_eq!(Budget::parse(text).map(|budget| budget.of(total)).ok(), Some(expected), "{text} of {total}");
        }
    }

    #[test]
    fn what_is_no_budget_is_refused() {
        for text in ["-1", "101%", "-5%", "ten", "%", "", "3.5", "nan%"] {
            let error = Budget::parse(text).expect_err(text);
            assert_eq!(error.message, format!("`{text}` is not a number of failures"));
        }
    }

    #[test]
    fn the_delay_doubles_up_to_ten_times() {
        let options = Options { backoff: Duration::from_secs(30), ..Options::default() };
        let delays = [1, 2, 3, 4, 5, 40, u32::MAX].map(|attempt| options.backoff_after(attempt).as_secs());
        assert_eq!(delays, [30, 60, 120, 240, 300, 300, 300]);
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        assert!(Options::default().check().is_ok());
        assert!(Options { limit: 0, ..Options::default() }.check().is_err());
    }
}
