//! The sources: the place where a machine runs, and the times at which it is on.

use jiff::Timestamp;

/// The place that an endpoint leads to. Two endpoints of one place list the same machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct Site {
    /// The host of the connection, or the endpoint's id if it has none.
    pub place: String,
    /// The name of the endpoint.
    pub endpoint: String,
}

/// A person's hand at the switch of a source.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Switched {
    pub at: Timestamp,
    pub place: String,
    pub machine: String,
    pub on: bool,
}

/// The times at which a source was switched; it is on before the first.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Power(Vec<(Timestamp, bool)>);

impl Power {
    pub(in crate::sandbox) const ALWAYS_ON: &'static Power = &Power(Vec::new());

    pub(in crate::sandbox) fn of(mut changes: Vec<(Timestamp, bool)>) -> Self {
        changes.sort_by_key(|(at, _)| *at);
        Self(changes)
    }

    pub(in crate::sandbox) fn is_on(&self, at: Timestamp) -> bool {
        self.stopped(at).is_none()
    }

    /// The version of its disks at that time: the last moment at which it wrote, since it writes while it is on.
    pub(in crate::sandbox) fn written(&self, at: Timestamp) -> Timestamp {
        self.stopped(at).unwrap_or(at)
    }

    /// The time since which it was off; `None` if it was on.
    fn stopped(&self, at: Timestamp) -> Option<Timestamp> {
        let known = self.0.iter().take_while(|(time, _)| *time <= at);
        known.fold(None, |stopped, (time, on)| if *on { None } else { stopped.or(Some(*time)) })
    }
}
