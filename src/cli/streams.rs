//! The streams of the process, in the form that the report uses.

use std::sync::Arc;

use crate::process::{Process, terminal_size};
use crate::report::{Output, Screen, Size};

impl Process {
    /// The standard streams.
    pub(super) fn output(&self) -> Output {
        let (stdout, stderr) = self.streams();
        Output::new(stdout, stderr).knowing(&self.known)
    }

    /// The screen on which people see the report.
    pub(super) fn screen(&self) -> Screen {
        let measure = || terminal_size().map_or_else(Size::default, |(width, height)| Size { width, height });
        let (data_width, redraws, color) = (self.data_width(), self.redraws(), self.color());
        Screen { measure: Arc::new(measure), data_width, redraws, color, zone: self.zone() }
    }
}
