//! The inputs of the user, kept for the next session without their secrets.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::journal::file::read_optional;
use crate::language::literals::masked;
use crate::secret::Known;

/// The most inputs that are kept.
const MOST: usize = 5_000;

/// The file of a user's inputs, one JSON text per line: an input may have several lines.
pub struct History {
    path: PathBuf,
}

impl History {
    /// Opens the file and returns its inputs; a long file is shortened.
    ///
    /// # Errors
    /// Those of the file, except that it does not exist.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<String>)> {
        let mut inputs = read(path)?;
        if inputs.len() > 2 * MOST {
            inputs.drain(..inputs.len() - MOST);
            rewrite(path, &inputs)?;
        }
        Ok((Self { path: path.to_owned() }, inputs))
    }

    /// Removes secrets that became known only later.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn forget(&self, known: &Known) -> io::Result<()> {
        let inputs = read(&self.path)?;
        let masked: Vec<String> = inputs.iter().map(|input| known.mask_code(input)).collect();
        if masked == inputs { Ok(()) } else { rewrite(&self.path, &masked) }
    }

    /// Keeps an input with its secrets masked.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn keep(&self, input: &str, known: &Known) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = private(OpenOptions::new().append(true).create(true), &self.path)?;
        write_input(&mut file, &masked(input, known))
    }
}

fn read(path: &Path) -> io::Result<Vec<String>> {
    let text = read_optional(path)?.unwrap_or_default();
    // Other lines than JSON are not ours, and are left out.
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Replaces everything that was kept.
fn rewrite(path: &Path, inputs: &[String]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = private(OpenOptions::new().write(true).create(true).truncate(true), &new)?;
    inputs.iter().try_for_each(|input| write_input(&mut file, input))?;
    std::fs::rename(new, path)
}

fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.mode(0o600).open(path)
}

fn write_input(file: &mut File, input: &str) -> io::Result<()> {
    let mut line = serde_json::Value::from(input).to_string();
    line.push('\n');
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_of_several_lines_come_back_and_the_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("coriolis-run-history-{}", std::process::id()));
        let path = folder.join("history.jsonl");
        let _ = std::fs::remove_dir_all(&folder);
        let (history, inputs) = History::open(&path).unwrap();
        assert_eq!(inputs, Vec::<String>::new());
        history.keep("wave(\"a\", [], |vm| {\n  vm\n})", &Known::default()).unwrap();
        history.keep("let token = \"planted\";", &Known::default()).unwrap();
        let (_, inputs) = History::open(&path).unwrap();
        assert_eq!(inputs, ["wave(\"a\", [], |vm| {\n  vm\n})", "let token = \"***\";"]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
