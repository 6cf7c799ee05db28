//! A value of the settings, with the place that it comes from.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// A value and its origin, so that a message can name the place to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    pub value: T,
    pub origin: Origin,
}

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Environment(&'static str),
    /// A key of one cloud in clouds.yaml or secure.yaml.
    File {
        key: &'static str,
        path: PathBuf,
    },
    Default,
}

/// A note about settings, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub message: String,
    pub hint: Option<String>,
}

/// A secret of the settings; never shown.
pub type Secret = SecretString;

/// Reads a file; fails with [`io::ErrorKind::NotFound`] if there is none.
pub type Read<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

impl<T> Sourced<T> {
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: change(self.value), origin: self.origin }
    }
}

impl Sourced<String> {
    pub(super) fn assumed(value: &str) -> Self {
        Self::new(value.to_owned(), Origin::Default)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(name) => write!(f, "`{name}`"),
            Origin::Environment(name) => write!(f, "`{name}` in the environment"),
            Origin::File { key, path } => write!(f, "`{key}` in `{}`", path.display()),
            Origin::Default => f.write_str("the default"),
        }
    }
}
