//! The reference of the functions on the command line.

use super::args::{FunctionsArguments, ReferenceFormat};
use crate::error::{ExitCode, Result};
use crate::process::Process;
use crate::script::catalog;
use crate::script::render;

/// Tells about one function, or all of them.
///
/// # Errors
/// `Input` for a name that no function has.
pub fn tell(process: &Process, arguments: &FunctionsArguments) -> Result<ExitCode> {
    let row = arguments.name.as_deref().map(catalog::look_up).transpose()?;
    let text = match (arguments.format, row) {
        (ReferenceFormat::Text, None) => render::index(),
        (ReferenceFormat::Text, Some(row)) => render::text(row),
        (ReferenceFormat::Markdown, None) => render::markdown_all(),
        (ReferenceFormat::Markdown, Some(row)) => render::markdown(row),
        (ReferenceFormat::Json, None) => format!("{:#}", render::json_all()),
        (ReferenceFormat::Json, Some(row)) => format!("{:#}", render::json(row)),
        (ReferenceFormat::Rhai, None) => render::definitions(),
        (ReferenceFormat::Rhai, Some(row)) => render::definition(row).join("\n").trim_start().to_owned(),
    };
    process.output().data(&text);
    Ok(ExitCode::Done)
}
