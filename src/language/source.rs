//! The texts of runbooks and modules, from their files.

use std::fs::File;
use std::io;
use std::path::Path;

use rhai::{ASTNode, Expr, Stmt};

use crate::access::{Access, bounded};
use crate::decode;
use crate::error::{Error, plain};
use crate::language::parser::parser;
use crate::limits::Limits;

/// Reads a runbook.
///
/// # Errors
/// `Input` when the file does not exist, or is not text.
pub fn read_runbook(path: &Path) -> Result<String, Error> {
    let read = File::open(path).and_then(|file| bounded(&file, Limits::DEFAULT.file));
    let bytes = read.map_err(|error| {
        Error::input(format!("cannot read the runbook `{}`: {}", path.display(), plain(&error))).caused_by(error)
    })?;
    script_text(&format!("the runbook `{}`", path.display()), &bytes)
}

/// The text of a script, whatever its editor puts around it.
///
/// # Errors
/// `Input` when it is not text.
pub fn script_text(whose: &str, bytes: &[u8]) -> Result<String, Error> {
    let text = decode::text(bytes).map_err(|error| Error::input(format!("{whose}: {error}")).hint(error.hint()))?;
    Ok(decode::script(&text))
}

/// The text of a module, from its file in the runbook's folder.
///
/// # Errors
/// Those of the file.
pub fn read_module(access: &Access, folder: &Path, name: &str) -> io::Result<String> {
    let mut path = folder.join(name);
    path.set_extension("rhai");
    let text = decode::text(&access.read(&path, false)?);
    let text = text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(decode::script(&text))
}

/// The names that a script imports by a literal.
pub fn imported(text: &str) -> Vec<String> {
    let Ok(ast) = parser().compile(text) else { return Vec::new() };
    let mut names = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(name, _) = &import.0
        {
            names.push(name.to_string());
        }
        true
    });
    names
}
