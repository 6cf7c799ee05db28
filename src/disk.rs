//! Files that are written whole or not at all, and the errors of a full disk.

use std::fmt::Display;
use std::fs::Permissions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::error::{Error, Kind, plain};

/// Replaces the content of a file with `bytes`: they are written beside it and renamed, so that nobody ever finds half
/// of it. A device or a pipe is written to directly.
///
/// # Errors
/// Those of the system; the file is unchanged.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = std::fs::metadata(path).ok();
    if there.as_ref().is_some_and(|known| !known.is_file()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    // A link stays a link: its target is replaced.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let permissions = there.map_or_else(|| Permissions::from_mode(0o666), |known| known.permissions());
    let mut beside =
        tempfile::Builder::new().prefix(".").suffix(".new").permissions(permissions).tempfile_in(folder)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_data()?;
    beside.persist(&target).map_err(|failed| failed.error).map(drop)
}

/// The kind of a failed write: [`Kind::Storage`] if the disk is full, `otherwise` if the name is at fault.
pub fn kind(error: &io::Error, otherwise: Kind) -> Kind {
    match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::AlreadyExists
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::InvalidFilename
        | ErrorKind::InvalidInput
        | ErrorKind::InvalidData => otherwise,
        _ => Kind::Storage,
    }
}

/// The error for failing to write `what`; `otherwise` is its kind if the name is at fault and not the disk.
pub fn unwritten(what: impl Display, error: &io::Error, otherwise: Kind) -> Error {
    let kind = kind(error, otherwise);
    let told = Error::new(kind, format!("cannot write {what}: {}", plain(error)));
    if kind == Kind::Storage { told.hint(remedy(error)) } else { told }
}

/// The remedy for a failed write.
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk",
        ErrorKind::FileTooLarge => "raise the limit of a file's size (`ulimit -f`)",
        _ => "mend the disk",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("report.html"), folder.path().join("link"));
        replace(&path, b"old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(replace(folder.path(), b"x").unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn a_full_device_is_storage_and_a_wrong_name_is_not() {
        let full = replace(Path::new("/dev/full"), b"x").unwrap_err();
        let error = unwritten("the report", &full, Kind::Input);
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::Storage, "cannot write the report: no space left on device")
        );
        assert_eq!(error.hint.as_deref(), Some("make room on the disk"));
        let missing = replace(Path::new("/nowhere/at/all"), b"x").unwrap_err();
        assert_eq!(unwritten("x", &missing, Kind::Input).kind, Kind::Input);
    }
}
