//! Reading files that people prepared: inventories.

use rhai::{Array, Dynamic, Map as ScriptMap};

use crate::decode;
use crate::disk;
use crate::error::{Error, Kind as Failure, Result};
use crate::inventory;
use crate::inventory::{Layout, Table};
use crate::language::arguments::Options;
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::spec::{Key, Kind, Parameter, Spec};
use crate::language::value::to_script;
use crate::runtime::call::Call;
use crate::runtime::function::Function;

const PATH: Parameter = Parameter::required("path", Kind::Path, "Relative to the runbook's folder.");

/// A line that begins with `#` may be a VM, so it is a row wherever it can be one.
pub const LAYOUT: &[Key] = &[
    Key::new(
        "comment",
        Kind::Text,
        "Lines that begin with this are left out; default: none, as a VM may be called `#1`: only lines with `#` and \
         another number of fields than the header are left out.",
    ),
    Key::new(
        "delimiter",
        Kind::Text,
        "The character between columns; default: detected from the header (tab, `;`, `,` or `|`).",
    ),
    Key::new(
        "header",
        Kind::Integer,
        "The line of the header; default: the first that is neither a title nor a comment.",
    ),
    Key::new(
        "fill",
        Kind::Flag,
        "Accept rows that are shorter than the header, and leave their last fields empty; default false: an error.",
    ),
];

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads(
            "read_csv",
            "Read a CSV file with a header; delimiter, titles above and byte order marks are detected, and lines that \
             are not rows are reported.",
        )
        .parameters(&[
            PATH,
            Parameter::optional("options", Kind::Options(&[LAYOUT]), "For files whose layout cannot be detected."),
        ])
        .returns(Returns::values("object maps, one per row, with the header's names as keys and texts as values"))
        .example("print(read_csv(\"inventory.csv\").len());"),
        body: read_csv,
    },
    Function {
        spec: Spec::reads("read_json", "Read a JSON file.")
            .parameters(&[PATH])
            .returns(Returns::value("the content of the file"))
            .example("try { read_json(\"settings.json\"); } catch (e) { print(e.kind); }"),
        body: read_json,
    },
];

fn read_csv(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let path = call.text("path");
    let layout = layout(call.options())?;
    let text = read_text(call, &path)?;
    let Table { columns, doubled, rows, notes } =
        inventory::read(&text, &layout).map_err(|error| error.context(format!("`{path}`")))?;
    for note in notes {
        call.warn(format!("{path}: {note}"));
    }
    call.host.meet_fields(columns.iter().map(String::as_str));
    call.host.meet_doubled(&path, &columns, doubled);
    let map = |row: Vec<(String, String)>| {
        row.into_iter().map(|(name, value)| (name.into(), value.into())).collect::<ScriptMap>()
    };
    Ok(rows.into_iter().map(|row| Dynamic::from(map(row))).collect::<Array>().into())
}

fn read_json(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let path = call.text("path");
    let text = read_text(call, &path)?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        Error::input(format!("`{path}` is not JSON: {error}"))
            .hint("the numbers are the line and the column in that file")
    })?;
    Ok(to_script(value))
}

/// The text of a file that a script names.
///
/// # Errors
/// `Input` when it does not exist, or is not text.
pub fn read_text(call: &Call<'_>, written: &str) -> Result<String> {
    let bytes = call.host.read_file(written)?;
    decode::text(&bytes).map_err(|error| Error::input(format!("`{written}`: {error}")).hint(error.hint()))
}

/// Writes a text to a file that a script names.
///
/// # Errors
/// `Input` when it cannot be written there, `Failed` when the disk is full: the file is unchanged. A script can catch
/// both, since the run's own disk may be another.
pub fn write_text(call: &Call<'_>, written: &str, text: &str) -> Result<()> {
    let path = call.host.file_to_write(written)?;
    disk::replace(&path, text.as_bytes()).map_err(|error| {
        let error = disk::unwritten(format_args!("`{written}`"), &error, Failure::Input);
        match error.kind {
            Failure::Storage => Error { kind: Failure::Failed, ..error },
            _ => error.hint(format!("it would be {}", path.display())),
        }
    })
}

/// The layout in the options of `read_csv`.
///
/// # Errors
/// `Input` for a delimiter of several characters, and for a header line below 1.
fn layout(options: &Options) -> Result<Layout> {
    let mut delimiter = None;
    if let Some(text) = options.text("delimiter") {
        let mut characters = text.chars();
        delimiter = characters.next().filter(|_| characters.next().is_none());
        if delimiter.is_none() {
            return Err(
                Error::input(format!("`delimiter` must be one character, not `{text}`")).detail("key", "delimiter")
            );
        }
    }
    let header = options.integer("header").map(|line| usize::try_from(line).ok().filter(|line| *line > 0));
    if header == Some(None) {
        return Err(Error::input("`header` is the number of a line, from 1").detail("key", "header"));
    }
    let comment = options.text("comment").filter(|mark| !mark.is_empty());
    Ok(Layout { delimiter, comment, header: header.flatten(), fill: options.flag("fill").unwrap_or(false) })
}
