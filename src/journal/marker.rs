//! The line that a run adds to the text of each object it makes, to find it again: it names the step and the run.

use std::fmt;

use super::record::{Identity, StepKey};

const BEGIN: &str = "[coriolis-run ";

/// `[coriolis-run m4k7t2qa main/3:web-01 2.1 5f0c]`. The last word is a hash of the arguments: after a retry another
/// call may have the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    pub run: String,
    /// The lane's path, or its hash.
    lane: String,
    call: u64,
    step: u32,
    /// The number of times that something in the lane had been done again.
    round: u32,
    arguments: String,
}

impl Marker {
    pub fn new(run: &str, key: &StepKey, round: u32, identity: &Identity) -> Self {
        let arguments = format!("{} {}", identity.function, identity.arguments);
        Self {
            run: run.to_owned(),
            lane: lane_word(&key.lane),
            call: key.call,
            step: key.step,
            round,
            arguments: blake3::hash(arguments.as_bytes()).to_hex()[..8].to_owned(),
        }
    }

    /// The marker at the end of a text.
    pub fn of(text: &str) -> Option<Self> {
        let line = text.rsplit('\n').next()?;
        let inside = line.strip_prefix(BEGIN)?.strip_suffix(']')?;
        let (rest, arguments) = inside.rsplit_once(' ')?;
        let (rest, numbers) = rest.rsplit_once(' ')?;
        let (run, lane) = rest.split_once(' ')?;
        let (numbers, round) = match numbers.split_once('#') {
            Some((numbers, round)) => (numbers, round.parse().ok()?),
            None => (numbers, 0),
        };
        let (call, step) = numbers.split_once('.')?;
        Some(Self {
            run: run.to_owned(),
            lane: lane.to_owned(),
            call: call.parse().ok()?,
            step: step.parse().ok()?,
            round,
            arguments: arguments.to_owned(),
        })
    }

    /// True if both belong to the same step of the same call, in whatever round of its lane.
    pub fn is_of_step(&self, other: &Marker) -> bool {
        Marker { round: other.round, ..self.clone() } == *other
    }

    /// True if it belongs to this step, whatever the arguments of its call.
    pub fn is_at(&self, key: &StepKey) -> bool {
        (self.call, self.step) == (key.call, key.step) && self.lane == lane_word(&key.lane)
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let round = if self.round > 0 { format!("#{}", self.round) } else { String::new() };
        let Marker { run, lane, call, step, arguments, .. } = self;
        write!(f, "{BEGIN}{run} {lane} {call}.{step}{round} {arguments}]")
    }
}

/// A hash for a lane whose path is too long to read, or which a server would not keep unchanged.
fn lane_word(lane: &str) -> String {
    let odd = |character: char| character.is_control() && character != '\n';
    if lane.len() > 80 || lane.contains(odd) {
        blake3::hash(lane.as_bytes()).to_hex()[..16].to_owned()
    } else {
        lane.replace(['[', ']', '\n'], "_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_back_from_the_end_of_a_text() {
        let identity = Identity { function: "transfer_create".into(), arguments: "a".into(), shown: "whatever".into() };
        for lane in ["main", "main/3:web 01/2:[x]\ny", &"long/".repeat(40)] {
            let key = StepKey { lane: lane.into(), call: 2, step: 1 };
            for round in [0, 3] {
                let marker = Marker::new("m4k7t2qa", &key, round, &identity);
                let text = format!("notes of the user\n{marker}");
                assert_eq!(Marker::of(&text).as_ref(), Some(&marker), "{text}");
                assert!(marker.is_at(&key) && marker.is_of_step(&Marker::new("m4k7t2qa", &key, 1, &identity)));
                assert!(!marker.is_at(&StepKey { step: 2, ..key.clone() }));
                assert!(!marker.is_of_step(&Marker::new("another", &key, round, &identity)));
            }
        }
        for text in
            ["", "notes", "[coriolis-run x]", "[coriolis-run x main 2.1 ab] and more", "[coriolis-run x main 2 ab]"]
        {
            assert_eq!(Marker::of(text), None, "{text}");
        }
    }
}
