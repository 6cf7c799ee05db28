//! The content of the volumes of a replica: the times at which the source was read for what they hold.

use jiff::Timestamp;

/// One volume on the target, for one disk of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct Volume {
    pub id: String,
    pub held: Held,
}

/// The content of a volume: its blocks were read from the source between `oldest` and `newest`. A copy that ended half
/// way leaves blocks of two times; if the source wrote in between, they belong to no state that it ever had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Held {
    /// `None` while some blocks were never copied.
    pub oldest: Option<Timestamp>,
    /// `None` while nothing was copied.
    pub newest: Option<Timestamp>,
}

impl Held {
    /// The content after a whole copy of what was there at `read`.
    pub(in crate::sandbox) fn whole(read: Timestamp) -> Self {
        Self { oldest: Some(read), newest: Some(read) }
    }

    /// The content after a part of a copy of what was there at `read`.
    #[must_use]
    pub(in crate::sandbox) fn with_a_part(self, read: Timestamp) -> Self {
        Self { oldest: self.oldest, newest: Some(read) }
    }

    /// The content of several volumes together, those of one machine.
    pub(in crate::sandbox) fn of_all<'own>(volumes: impl IntoIterator<Item = &'own Volume>) -> Self {
        let together = |one: Held, other: Held| Held {
            oldest: one.oldest.zip(other.oldest).map(|(one, other)| one.min(other)),
            newest: one.newest.max(other.newest),
        };
        volumes.into_iter().map(|volume| volume.held).reduce(together).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    #[test]
    fn volumes_together_are_as_old_as_the_oldest_and_never_whole_while_one_is_empty() {
        let volume = |held| Volume { id: String::new(), held };
        let (old, new) = (volume(Held::whole(at(1))), volume(Held::whole(at(2))));
        assert_eq!(Held::of_all([&old, &new]), Held { oldest: Some(at(1)), newest: Some(at(2)) });
        assert_eq!(Held::of_all([&old, &new]), old.held.with_a_part(at(2)));
        let empty = volume(Held::default());
        assert_eq!(Held::of_all([&new, &empty]), Held { oldest: None, newest: Some(at(2)) });
        assert_eq!(Held::of_all([]), Held::default());
    }
}
