//! The files that a runbook names literally: their existence and their content.

use std::path::Path;

use rhai::{Expr, Position};

use crate::access::Access;
use crate::check::shape::{Fields, Origin, Shape};
use crate::check::written::parts;
use crate::decode;
use crate::error::{Error, plain};
use crate::inventory;
use crate::inventory::Layout;
use crate::language::spec::{Kind, Spec};
use crate::limits::Limits;

/// The rows of a CSV file. An error if it cannot be parsed, `None` if it does not exist.
pub fn csv(folder: &Path, path: &str, layout: &Layout) -> Result<Shape, Option<Error>> {
    let text = text(folder, path)?;
    let table = inventory::read(&text, layout).map_err(|error| Some(error.context(format!("`{path}`"))))?;
    let columns = table.columns.into_iter().map(|name| (name, Shape::Text));
    let origin = Origin::Csv { file: path.to_owned(), doubled: table.doubled };
    Ok(Shape::list(Shape::map(Fields::of(origin, columns))))
}

/// The layout in the options; `None` if not all of them are literals.
pub fn layout(options: &Expr) -> Option<Layout> {
    let Expr::Map(fields, _) = options else { return None };
    let mut layout = Layout::default();
    for (word, value) in &fields.0 {
        match (word.name.as_str(), value) {
            ("comment", Expr::StringConstant(mark, _)) => layout.comment = Some(mark.to_string()),
            ("delimiter", Expr::StringConstant(text, _)) => layout.delimiter = text.chars().next(),
            ("header", Expr::IntegerConstant(line, _)) => layout.header = usize::try_from(*line).ok(),
            ("fill", Expr::BoolConstant(fill, _)) => layout.fill = *fill,
            _ => return None,
        }
    }
    Some(layout)
}

/// The content of a JSON file; errors as those of [`csv`].
pub fn json(folder: &Path, path: &str) -> Result<Shape, Option<Error>> {
    let text = text(folder, path)?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        Some(
            Error::input(format!("`{path}` is not JSON: {error}"))
                .hint("the numbers are the line and the column in that file"),
        )
    })?;
    Ok(Shape::json(&value, path))
}

fn text(folder: &Path, path: &str) -> Result<String, Option<Error>> {
    let whole = folder.join(path);
    if path.is_empty() || !whole.exists() {
        return Err(None);
    }
    let bytes = Access::all(&Limits::DEFAULT)
        .read(&whole, false)
        .map_err(|error| Some(Error::input(format!("cannot read `{path}`: {}", plain(&error)))))?;
    decode::text(&bytes).map_err(|error| Some(Error::input(format!("`{path}`: {error}")).hint(error.hint())))
}

/// The missing files that a call would read, with the positions of their names.
pub fn missing(row: &'static Spec, arguments: &[Expr], folder: &Path) -> Vec<(String, Error, Position)> {
    let mut found = Vec::new();
    named(row, arguments, &mut |path, position, written| {
        if let Some(error) = absent(folder, path).filter(|_| !written) {
            found.push((path.to_owned(), error, position));
        }
    });
    found
}

/// The files that a call writes.
pub fn written(row: &'static Spec, arguments: &[Expr]) -> Vec<String> {
    let mut found = Vec::new();
    named(row, arguments, &mut |path, _, written| found.extend(written.then(|| path.to_owned())));
    found
}

/// The error for a missing file.
pub fn absent(folder: &Path, path: &str) -> Option<Error> {
    let there = path.is_empty() || folder.join(path).exists();
    (!there).then(|| Error::input(format!("there is no file `{path}`")).hint(nearest(folder, path)))
}

/// Every file that a call names literally: its path, the position of the name, and true if it is written.
fn named(row: &'static Spec, arguments: &[Expr], take: &mut dyn FnMut(&str, Position, bool)) {
    for (argument, index) in arguments.iter().zip(row.assign(arguments.len())) {
        match (row.parameters[index].kind, argument) {
            (Kind::Path, Expr::StringConstant(path, position)) => take(path, *position, false),
            (Kind::Options(groups), Expr::Map(fields, _)) => {
                for (word, value) in &fields.0 {
                    let Some(key) = groups.iter().copied().flatten().find(|key| key.answers_to(&word.name)) else {
                        continue;
                    };
                    for value in parts(value) {
                        match value {
                            Expr::StringConstant(path, position) if matches!(key.kind, Kind::Path) => {
                                take(path, *position, key.name.starts_with("out"));
                            }
                            // The scripts of several VMs or systems.
                            Expr::Map(paths, _) if key.name.starts_with("user_script_") => {
                                for path in paths.0.iter().flat_map(|(_, path)| parts(path)) {
                                    if let Expr::StringConstant(path, position) = path {
                                        take(path, *position, false);
                                    }
                                }
                            }
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

/// The file in the same folder with the nearest name.
fn nearest(folder: &Path, path: &str) -> String {
    let whole = folder.join(path);
    let inside = whole.parent().unwrap_or(folder);
    let wanted = whole.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let names: Vec<String> = std::fs::read_dir(inside)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    match crate::error::suggest(wanted, names.iter().map(String::as_str)) {
        Some(near) => {
            let near = Path::new(path).with_file_name(near);
            format!("did you mean `{}`? Looked for {}", near.display(), whole.display())
        }
        None => format!("looked for {}", whole.display()),
    }
}
