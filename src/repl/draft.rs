//! An input that is written in an external editor.

use std::path::PathBuf;

use crate::error::{Error, Result, plain};
use crate::language::source::script_text;

/// A file for the editor, deleted after it was read.
pub struct Draft {
    pub path: PathBuf,
}

impl Draft {
    /// # Errors
    /// `Input` when it cannot be written.
    pub fn new(text: &str) -> Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let name = crate::journal::runs::new_id().map_err(|error| Error::internal(error.to_string()))?;
        let path = std::env::temp_dir().join(format!("coriolis-run-{name}.rhai"));
        let failed =
            |error: std::io::Error| Error::input(format!("cannot write `{}`: {}", path.display(), plain(&error)));
        let open = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        std::io::Write::write_all(&mut open.map_err(failed)?, text.as_bytes()).map_err(failed)?;
        Ok(Self { path })
    }

    /// The current text.
    ///
    /// # Errors
    /// `Input` when it cannot be read.
    pub fn text(&self) -> Result<String> {
        let shown = self.path.display();
        let bytes = std::fs::read(&self.path)
            .map_err(|error| Error::input(format!("cannot read `{shown}`: {}", plain(&error))))?;
        script_text(&format!("`{shown}`"), &bytes)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
