//! The limits of a runbook: each has a name, a default that no honest runbook reaches, and can be raised.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, suggest};

/// The share of this machine that a script may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes held by the texts, lists and maps of one lane.
    pub lane_memory: usize,
    /// Bytes held by the whole process before its largest lanes are stopped.
    pub memory: usize,
    /// The size in bytes of a file that is read.
    pub file: usize,
    /// The depth of lists, maps and closures inside each other.
    pub nesting: usize,
}

/// The most that the stack of a thread can take.
const MOST_NESTED: usize = 2000;

impl Limits {
    pub const DEFAULT: Self = Self { lane_memory: 256 << 20, memory: 1 << 30, file: 16 << 20, nesting: 500 };

    /// The names, each with the thing that it limits.
    pub const NAMES: [(&str, &str); 4] = [
        ("lane-memory", "bytes that the texts, lists and maps of one lane take, 256MiB"),
        ("memory", "bytes of all lanes together, 1GiB"),
        ("file", "bytes of a file that is read, 16MiB"),
        ("nesting", "lists, maps and closures inside each other, 500 of at most 2000"),
    ];

    /// The limits given on the command line: `lane-memory=512MiB`.
    ///
    /// # Errors
    /// `Input` for an unknown name or a value that is not a size.
    pub fn read(settings: &[String]) -> Result<Self> {
        let mut limits = Self::DEFAULT;
        for setting in settings {
            let (name, value) = setting.split_once('=').ok_or_else(|| {
                Error::input(format!("cannot read `--max {setting}`")).hint("write `--max lane-memory=512MiB`")
            })?;
            let value = size(value.trim()).ok_or_else(|| {
                Error::input(format!("`{value}` in `--max {setting}` is not a size"))
                    .hint("write a whole number above 0, with `KiB`, `MiB` or `GiB` for bytes")
            })?;
            match name.trim() {
                "lane-memory" => limits.lane_memory = value,
                "memory" => limits.memory = value,
                "file" => limits.file = value,
                "nesting" if value <= MOST_NESTED => limits.nesting = value,
                "nesting" => return Err(Error::input(format!("nesting goes to {MOST_NESTED} at most"))),
                other => return Err(unknown(other)),
            }
        }
        // Raising the limit of one lane raises that of the process.
        limits.memory = limits.memory.max(limits.lane_memory);
        Ok(limits)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

fn unknown(name: &str) -> Error {
    let names = Limits::NAMES.map(|(name, _)| name);
    let error = Error::input(format!("there is no limit `{name}`"));
    match suggest(name, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("there are {}", names.map(|name| format!("`{name}`")).join(", "))),
    }
}

/// `64`, `64k`, `64KiB`, `64 MB`: all of them powers of 1024.
fn size(text: &str) -> Option<usize> {
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(1 << shift).filter(|size| *size > 0)
}

/// A number of bytes for people: `256 MiB`.
pub fn bytes(count: usize) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.iter().find(|(shift, _)| count >= 1 << shift) {
        Some((shift, unit)) if count.is_multiple_of(1 << shift) => format!("{} {unit}", count >> shift),
        Some((shift, unit)) => {
            let tenths = (count >> (shift - 10)) * 10 / 1024;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(setting: &str) -> Result<Limits> {
        Limits::read(&[setting.to_owned()])
    }

    #[test]
    fn a_limit_is_raised_by_its_name() {
        assert_eq!(read("file=1 GB").unwrap(), Limits { file: 1 << 30, ..Limits::DEFAULT });
        assert_eq!(
            read("lane-memory=2GiB").unwrap(),
            Limits { lane_memory: 2 << 30, memory: 2 << 30, ..Limits::DEFAULT }
        );
        assert_eq!(read("nesting=2000").unwrap().nesting, 2000);
        for wrong in ["file", "file=", "file=0", "file=-1", "file=1TB", "nesting=2001", "files=1", "x=1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read("files=1").unwrap_err().hint.as_deref(), Some("did you mean `file`?"));
    }

    #[test]
    fn bytes_are_told_in_the_largest_unit() {
        let told = [17, 1 << 20, 3 << 29, (256 << 20) + 1].map(bytes);
        assert_eq!(told, ["17 bytes", "1 MiB", "1.5 GiB", "256.0 MiB"]);
    }
}
