//! Reading what people prepared: inventories.

use rhai::{Array, Dynamic, Map as ScriptMap};

use crate::disk;
use crate::error::{Error, Kind as Failure, Result, plain};
use crate::script::call::Call;
use crate::script::error::Fault;
use crate::script::function::{Effect, Function, Kind, Parameter};
use crate::script::value::to_script;

const PATH: Parameter = Parameter::required("path", Kind::Path, "Relative to the runbook's folder.");

pub const ROWS: &[Function] = &[
    Function {
        name: "read_csv",
        aliases: &[],
        parameters: &[PATH],
        result: "a list of object maps, one a row, with the header's names as keys and texts as values",
        summary: "Read a CSV file with a header; commas, semicolons and tabs are told apart by it.",
        example: "print(read_csv(\"inventory.csv\").len());",
        sends: &[],
        effect: Effect::Reads,
        noun_verb: false,
        body: read_csv,
    },
    Function {
        name: "read_json",
        aliases: &[],
        parameters: &[PATH],
        result: "what the file holds",
        summary: "Read a JSON file.",
        example: "try { read_json(\"settings.json\"); } catch (e) { print(e.kind); }",
        sends: &[],
        effect: Effect::Reads,
        noun_verb: false,
        body: read_json,
    },
];

fn read_csv(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let path = call.text("path");
    let Table { rows, .. } = parse_csv(&read_text(call, &path)?).map_err(|error| error.context(format!("`{path}`")))?;
    if let Some(first) = rows.first() {
        call.host.meet_fields(first.iter().map(|(name, _)| name.as_str()));
    }
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
/// `Input` when there is none, or it is not text.
pub fn read_text(call: &Call<'_>, written: &str) -> Result<String> {
    let path = call.host.path(written);
    let bytes = std::fs::read(&path).map_err(|error| {
        Error::input(format!("cannot read `{written}`: {}", plain(&error)))
            .hint(format!("looked for {}", path.display()))
            .caused_by(error)
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::input(format!("`{written}` is not UTF-8 text")).hint("save it as UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

/// Writes a text where a script says.
///
/// # Errors
/// `Input` when it cannot be written there, `Failed` when the disk is full: the file is as it was. A script can catch
/// both, the run's own disk may be another.
pub fn write_text(call: &Call<'_>, written: &str, text: &str) -> Result<()> {
    let path = call.host.path(written);
    disk::replace(&path, text.as_bytes()).map_err(|error| {
        let error = disk::unwritten(format_args!("`{written}`"), &error, Failure::Input);
        match error.kind {
            Failure::Storage => Error { kind: Failure::Failed, ..error },
            _ => error.hint(format!("it would be {}", path.display())),
        }
    })
}

/// What a CSV text holds.
pub struct Table {
    pub columns: Vec<String>,
    /// Each row with the columns' names.
    pub rows: Vec<Vec<(String, String)>>,
}

/// Reads a CSV text with a header. Spreadsheets of half the world separate by semicolons.
///
/// # Errors
/// `Input` with the line that is wrong.
pub fn parse_csv(text: &str) -> Result<Table> {
    let header = text.lines().next().unwrap_or_default();
    let delimiter =
        [b',', b';', b'\t'].into_iter().max_by_key(|delimiter| header.bytes().filter(|byte| byte == delimiter).count());
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter.filter(|delimiter| header.bytes().any(|byte| byte == *delimiter)).unwrap_or(b','))
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().map_err(csv_error)?.iter().map(str::to_owned).collect();
    if let Some(name) =
        names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)).map(|(_, name)| name)
    {
        return Err(Error::input(format!("the column `{name}` is there twice"))
            .hint("give each column a name of its own, in the first line"));
    }
    if let Some(index) = names.iter().position(String::is_empty) {
        return Err(Error::input(format!("column {} has no name in the header", index + 1))
            .hint("give each column a name of its own, in the first line"));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(csv_error)?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        rows.push(names.iter().cloned().zip(record.iter().map(str::to_owned)).collect());
    }
    Ok(Table { columns: names, rows })
}

fn csv_error(error: csv::Error) -> Error {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            Error::input(format!(
                "line {line} has {}, the header has {expected_len}",
                crate::error::count(*len as usize, "field")
            ))
            .hint("a value with a comma in it wants quotes")
        }
        _ => Error::input(format!("cannot read it as CSV: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<Vec<String>> {
        parse_csv(text)
            .unwrap()
            .rows
            .into_iter()
            .map(|row| row.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
            .collect()
    }

    #[test]
    fn commas_semicolons_and_tabs_are_told_apart() {
        let expected = [["name=web-01".to_owned(), "wave=1".to_owned()]];
        for text in [
            "name,wave\nweb-01,1\n",
            "name;wave\r\nweb-01;1\r\n",
            "name\twave\n web-01 \t1\n\n",
            "name,wave\n# later\nweb-01,1\n,\n",
        ] {
            assert_eq!(names(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_short_row_is_named_with_its_line() {
        let message = |text| parse_csv(text).err().expect("wrong").message;
        assert_eq!(message("name,wave\nweb-01,1\nweb-02\n"), "line 3 has 1 field, the header has 2");
        assert_eq!(message("name,name\n"), "the column `name` is there twice");
        assert_eq!(message("name,\na,b\n"), "column 2 has no name in the header");
    }
}
