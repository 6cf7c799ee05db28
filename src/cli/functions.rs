//! The reference of the functions on the command line.

use super::args::{FunctionsArguments, ReferenceFormat};
use crate::error::{ExitCode, Result};
use crate::language::catalog::Catalog;
use crate::language::{help, render};
use crate::process::Process;

/// Shows one function, or all of them; a word that is not a function's name is searched for.
///
/// # Errors
/// `Input` for an unknown function, and for a word without any match; `Storage` when stdout is full.
pub fn tell(process: &Process, arguments: &FunctionsArguments, catalog: &Catalog) -> Result<ExitCode> {
    let name = arguments.name.as_deref();
    let row = || name.map(|name| catalog.look_up(name)).transpose();
    let width = process.data_width().unwrap_or(help::WIDTH);
    let text = match arguments.format {
        ReferenceFormat::Text => {
            name.map_or_else(|| Ok(help::index(catalog, width)), |name| help::topic(catalog, name, width))?
        }
        ReferenceFormat::Markdown => row()?.map_or_else(|| render::markdown_all(catalog), render::markdown),
        ReferenceFormat::Json => format!("{:#}", row()?.map_or_else(|| render::json_all(catalog), render::json)),
        ReferenceFormat::Rhai => row()?.map_or_else(
            || render::definitions(catalog),
            |row| render::definition(row).join("\n").trim_start().to_owned(),
        ),
    };
    let mut output = process.output();
    output.data(&text);
    output.close()?;
    Ok(ExitCode::Done)
}
