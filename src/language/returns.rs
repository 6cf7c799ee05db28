//! The result of a function, for checks and completion; help renders the sentence from it.

use std::fmt;

use crate::language::spec::Noun;

/// The result, and a remark besides its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returns {
    pub what: What,
    /// Continues the sentence.
    beside: &'static str,
}

/// The kind of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Nothing,
    Text,
    /// An object of the cloud.
    Object(Noun),
    /// Work that the call has begun: it goes on at the server until `wait_for` returns.
    Begun(Noun),
    /// An object map with these keys.
    Map(&'static [&'static str]),
    /// A list of objects of the cloud.
    Objects(Noun),
    /// A list of object maps with these keys.
    Maps(&'static [&'static str]),
    /// A list of values, which these words describe.
    Values(&'static str),
    /// A value, which these words describe.
    Value(&'static str),
}

impl Returns {
    pub const NOTHING: Self = Self::new(What::Nothing);
    pub const TEXT: Self = Self::new(What::Text);

    const fn new(what: What) -> Self {
        Self { what, beside: "" }
    }

    pub const fn object(noun: Noun) -> Self {
        Self::new(What::Object(noun))
    }

    pub const fn begun(noun: Noun) -> Self {
        Self::new(What::Begun(noun))
    }

    pub const fn list(noun: Noun) -> Self {
        Self::new(What::Objects(noun))
    }

    pub const fn map(keys: &'static [&'static str]) -> Self {
        Self::new(What::Map(keys))
    }

    pub const fn maps(keys: &'static [&'static str]) -> Self {
        Self::new(What::Maps(keys))
    }

    pub const fn value(words: &'static str) -> Self {
        Self::new(What::Value(words))
    }

    pub const fn values(words: &'static str) -> Self {
        Self::new(What::Values(words))
    }

    /// Continues the sentence: `, without tasks`.
    #[must_use]
    pub const fn with(self, beside: &'static str) -> Self {
        Self { beside, ..self }
    }

    /// The work that the call has begun and that has to be waited for.
    pub fn begun_noun(self) -> Option<Noun> {
        match self.what {
            What::Begun(noun) => Some(noun),
            _ => None,
        }
    }
}

impl fmt::Display for Returns {
    /// Continues "Returns", without a period.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |keys: &[&str]| format!("`#{{ {} }}`", keys.join(", "));
        match self.what {
            What::Nothing => write!(out, "nothing")?,
            What::Text => write!(out, "a text")?,
            What::Object(noun) | What::Begun(noun) => write!(out, "the {}", noun.plain().0)?,
            What::Objects(noun) => write!(out, "a list of {}", noun.plain().1)?,
            What::Map(names) => write!(out, "{}", keys(names))?,
            What::Maps(names) => write!(out, "a list of {}", keys(names))?,
            What::Values(words) => write!(out, "a list of {words}")?,
            What::Value(words) => write!(out, "{words}")?,
        }
        write!(out, "{}", self.beside)
    }
}
