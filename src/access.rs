//! The one door to files: the files that a script may read and write, by their real location.
//!
//! A runbook may come from anybody. It reads and writes below its own folder, and the files that the operator named
//! with `--set` or with `--allow-read`. An expression (`-e`) or an input at the prompt is the operator's own and may
//! read everything that he may.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, plain};
use crate::limits::{Limits, bytes};

/// The files that a script may use.
#[derive(Clone, Debug)]
pub struct Access {
    /// `None` if the operator writes the script himself.
    below: Option<Vec<PathBuf>>,
    writes_below: PathBuf,
    most: usize,
}

/// The reason why a file is not read, although it may exist.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Barred {
    Outside { real: PathBuf, writes: bool },
    NoFile,
    TooLarge(usize),
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Barred::Outside { .. } => f.write_str("it is outside the runbook's folder"),
            Barred::NoFile => f.write_str("it is not a regular file"),
            Barred::TooLarge(most) => write!(f, "it is larger than {}", bytes(*most)),
        }
    }
}

impl std::error::Error for Barred {}

impl From<Barred> for io::Error {
    fn from(barred: Barred) -> Self {
        io::Error::new(io::ErrorKind::PermissionDenied, barred)
    }
}

impl Access {
    /// The access of a runbook: its folder, and the files that the operator allows.
    pub fn below(folder: &Path, allowed: &[PathBuf], limits: &Limits) -> Self {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = if folder.as_os_str().is_empty() { real(Path::new(".")) } else { real(folder) };
        let below = std::iter::once(folder.clone()).chain(allowed.iter().map(|path| real(path))).collect();
        Self { below: Some(below), writes_below: folder, most: limits.file }
    }

    /// The access of the operator's own scripts.
    pub fn all(limits: &Limits) -> Self {
        Self { below: None, writes_below: PathBuf::new(), most: limits.file }
    }

    /// Reads a file; `typed` means that the operator named it himself.
    ///
    /// # Errors
    /// Those of the file; `PermissionDenied` for one that the script may not read, that is not a regular file, or is
    /// too large.
    pub fn read(&self, path: &Path, typed: bool) -> io::Result<Vec<u8>> {
        let real = path.canonicalize()?;
        self.admit(&real, typed)?;
        // A link that was put there since is not followed, and nothing waits for the other end of a pipe.
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&real)?;
        self.admit(&place_of(&file).unwrap_or(real.canonicalize()?), typed)?;
        let kind = file.metadata()?.file_type();
        if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !kind.is_file() {
            return Err(Barred::NoFile.into());
        }
        bounded(&file, self.most)
    }

    /// The path for writing a file that the script names; the file itself need not exist.
    ///
    /// # Errors
    /// `PermissionDenied` outside the allowed folders; those of the folder.
    pub fn writable(&self, path: &Path, typed: bool) -> io::Result<PathBuf> {
        let folder = path.parent().unwrap_or(Path::new("/")).canonicalize()?;
        let real = path.file_name().map_or(folder.clone(), |name| folder.join(name));
        if typed || self.below.is_none() || folder.starts_with(&self.writes_below) {
            return Ok(real);
        }
        Err(Barred::Outside { real, writes: true }.into())
    }

    fn admit(&self, real: &Path, typed: bool) -> io::Result<()> {
        let within = self.below.as_ref().is_none_or(|folders| folders.iter().any(|folder| real.starts_with(folder)));
        if typed || within {
            return Ok(());
        }
        Err(Barred::Outside { real: real.to_owned(), writes: false }.into())
    }
}

/// The path of an open file, if the system tells it.
fn place_of(file: &File) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
}

/// The content of a file, unless it is too large.
///
/// # Errors
/// Those of the file; `PermissionDenied` for one that is too large.
pub fn bounded(file: &File, most: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    if file.metadata()?.len() > limit {
        return Err(Barred::TooLarge(most).into());
    }
    let mut held = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut held)?;
    if held.len() > most { Err(Barred::TooLarge(most).into()) } else { Ok(held) }
}

/// The error for a file that could not be used: `cannot read ...`, with a remedy.
pub fn explain(what: &str, written: &str, looked: &Path, error: io::Error) -> Error {
    let barred = error.get_ref().and_then(|inner| inner.downcast_ref::<Barred>()).cloned();
    let told = |why: &dyn fmt::Display| Error::input(format!("cannot {what} `{written}`: {why}"));
    match barred {
        None => told(&plain(&error)).hint(format!("looked for {}", looked.display())).caused_by(error),
        Some(Barred::Outside { real, writes }) => {
            let error = Error::new(
                Kind::Refused,
                format!("the runbook may not {what} `{written}`: {}", Barred::Outside { real: real.clone(), writes }),
            );
            error.hint(if writes {
                "a file to write is below the runbook's folder, or given with `--set`".to_owned()
            } else {
                format!("`--allow-read {}` allows it", real.display())
            })
        }
        Some(Barred::NoFile) => told(&Barred::NoFile).hint("save its output in a file first"),
        Some(large @ Barred::TooLarge(_)) => told(&large).hint("`--max file=SIZE` allows more"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with a runbook's folder in it, and a file beside that.
    fn place(test: &str) -> (PathBuf, Access) {
        let place = std::env::temp_dir().join(format!("access-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(place.join("own/deeper")).unwrap();
        fs::write(place.join("outside"), "outside").unwrap();
        fs::write(place.join("own/inside"), "inside").unwrap();
        let access = Access::below(&place.join("own"), &[], &Limits { file: 100, ..Limits::DEFAULT });
        (place, access)
    }

    #[test]
    fn only_what_lies_below_the_folder_is_read_whatever_leads_there() {
        let (place, access) = place("read");
        let own = place.join("own");
        symlink("../outside", own.join("link")).unwrap();
        symlink("..", own.join("up")).unwrap();
        symlink("inside", own.join("same")).unwrap();
        fs::create_dir(place.join("own-not")).unwrap();
        fs::write(place.join("own-not/file"), "x").unwrap();
        for inside in ["inside", "same", "deeper/../inside", "up/own/inside"] {
            assert_eq!(access.read(&own.join(inside), false).unwrap(), b"inside", "{inside}");
        }
        let outside = place.join("outside");
        for outside in ["link", "up/outside", "../outside", "deeper/../../outside", "../own-not/file"]
            .map(|path| own.join(path))
            .iter()
            .chain([&outside])
        {
            let error = explain("read", "x", outside, access.read(outside, false).unwrap_err());
            assert_eq!(error.kind, Kind::Refused, "{}", outside.display());
            assert!(error.hint.unwrap().contains("--allow-read"), "{}", outside.display());
            assert!(access.read(outside, true).is_ok(), "the operator named it");
        }
        let more = Access::below(&own, std::slice::from_ref(&outside), &Limits::DEFAULT);
        assert!(more.read(&own.join("link"), false).is_ok() && more.read(&own.join("../own-not/file"), false).is_err());
        assert!(Access::all(&Limits::DEFAULT).read(&outside, false).is_ok());
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn what_has_no_end_or_is_no_file_is_refused_at_once() {
        let (place, access) = place("kind");
        fs::write(place.join("own/large"), "x".repeat(101)).unwrap();
        let pipe = place.join("own/pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let told = |path: &Path| explain("read", "x", path, access.read(path, true).unwrap_err()).message;
        assert_eq!(told(&place.join("own/large")), "cannot read `x`: it is larger than 100 bytes");
        assert_eq!(told(&pipe), "cannot read `x`: it is not a regular file");
        assert_eq!(told(Path::new("/dev/zero")), "cannot read `x`: it is not a regular file");
        assert_eq!(told(&place.join("own")), "cannot read `x`: is a directory");
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn only_below_the_folder_is_written() {
        let (place, access) = place("write");
        symlink("..", place.join("own/up")).unwrap();
        let own = place.join("own").canonicalize().unwrap();
        assert_eq!(access.writable(&own.join("deeper/../new"), false).unwrap(), own.join("new"));
        for outside in ["up/new", "../new", "/new"] {
            assert!(access.writable(&own.join(outside), false).is_err(), "{outside}");
        }
        assert!(access.writable(&own.join("../new"), true).is_ok());
        fs::remove_dir_all(&place).unwrap();
    }
}
