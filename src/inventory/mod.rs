//! Tables as spreadsheets and the tools of this trade write them: finding the header, the delimiter, and the lines that
//! are not rows. Everything left out is reported; a row never vanishes silently. Pure.

mod oddities;
mod records;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::error::{Error, Result, count};
use crate::inventory::records::{Record, Records, is_invisible};

/// In the order of preference for a header that can be read in several ways.
const DELIMITERS: [char; 4] = ['\t', ';', ',', '|'];
/// Of more lines than these, the rest is only counted.
const LISTED: usize = 5;

/// The facts about a file that are given beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    pub delimiter: Option<char>,
    /// The beginning of lines that are not rows.
    pub comment: Option<String>,
    /// The line of the header, from 1.
    pub header: Option<usize>,
    /// Fills the last columns of rows that are shorter than the header with nothing.
    pub fill: bool,
}

/// The content of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Those with a name of their own.
    pub columns: Vec<String>,
    /// The names that several columns have, with the numbers of these columns, from 1.
    pub doubled: BTreeMap<String, Vec<usize>>,
    /// Each row with the columns' names.
    pub rows: Vec<Vec<(String, String)>>,
    /// Notes for people about values that were left out or filled in.
    pub notes: Vec<String>,
}

/// Reads a table with a header.
///
/// # Errors
/// `Input` with the number of the wrong line.
pub fn read(text: &str, layout: &Layout) -> Result<Table> {
    oddities::refuse_others(text)?;
    let (text, first_line, said) = directives(text);
    let candidates = match layout.delimiter.or(said) {
        Some(delimiter) => vec![delimiter],
        None => DELIMITERS.into_iter().filter(|delimiter| *delimiter == ',' || text.contains(*delimiter)).collect(),
    };
    let comment = layout.comment.as_deref();
    let readings = candidates.into_iter().map(|delimiter| Reading::of(text, delimiter, first_line, comment));
    // The last of equals is the preferred one.
    let best = readings.rev().max_by_key(Reading::merit);
    best.map_or_else(|| Ok(Table::default()), |reading| reading.table(layout))
}

/// Every field of a table, whatever its layout is: the places to look for a field that was read before.
pub fn texts(text: &str, delimiter: Option<char>) -> Vec<String> {
    let (text, first_line, said) = directives(text);
    let delimiters = DELIMITERS.into_iter().chain(said).chain(delimiter);
    let records = delimiters.flat_map(|delimiter| Records::of(text, delimiter, first_line, None).records);
    records.flat_map(|record| record.cells).collect()
}

/// The error for a name that several columns have.
pub fn doubled_column(file: &str, name: &str, columns: &[usize]) -> Error {
    let numbers = columns.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (last, first) = numbers.split_last().map_or(("", String::new()), |(last, first)| (last, first.join(", ")));
    Error::script(format!("`{file}` has {} columns `{name}`: {first} and {last}", columns.len()))
        .hint("give each column that is used a name of its own in the header")
}

/// Skips the lines by which spreadsheets and PowerShell exchange hints: `sep=;` and `#TYPE ...`. Returns the rest, the
/// number of its first line, and the delimiter.
fn directives(text: &str) -> (&str, usize, Option<char>) {
    let (mut rest, mut line, mut delimiter) = (text, 1, None);
    loop {
        let end = rest.find(['\r', '\n']).unwrap_or(rest.len());
        let first = &rest[..end];
        if let (Some(said), 1) = (separator(first), line) {
            delimiter = Some(said);
        } else if !first.trim_start_matches('"').starts_with("#TYPE ") {
            return (rest, line, delimiter);
        }
        let behind = &rest[end..];
        rest = behind.strip_prefix("\r\n").or_else(|| behind.strip_prefix(['\r', '\n'])).unwrap_or(behind);
        line += 1;
    }
}

/// The delimiter in a line `sep=;`, possibly in quotes, or padded with delimiters.
fn separator(line: &str) -> Option<char> {
    let inside = line.trim_matches('"');
    let said = inside.get(..4).filter(|word| word.eq_ignore_ascii_case("sep=")).map(|_| &inside[4..])?;
    let mut characters = said.chars();
    let delimiter = characters.next()?;
    characters.all(|other| other == delimiter || is_padding(other)).then_some(delimiter)
}

fn is_padding(character: char) -> bool {
    character == '"' || DELIMITERS.contains(&character)
}

/// A text as read with one delimiter.
struct Reading {
    delimiter: char,
    /// Those that are not empty.
    records: Vec<Record>,
    /// The index of the probable header.
    header: usize,
    comments: Vec<usize>,
    /// The lines that only separate others.
    rulings: Vec<usize>,
    broken: Option<Error>,
}

impl Reading {
    fn of(text: &str, delimiter: char, first_line: usize, comment: Option<&str>) -> Self {
        let Records { mut records, comments, broken } = Records::of(text, delimiter, first_line, comment);
        records.retain(|record| !record.is_blank());
        let rulings = records.iter().filter(|record| oddities::is_ruling(record)).map(|record| record.line).collect();
        records.retain(|record| !oddities::is_ruling(record));
        Self { delimiter, header: header(&records), records, comments, rulings, broken }
    }

    /// The quality of a reading: a header of several columns, few lines that do not fit it, many columns. A line above
    /// the header counts twice, as most tables begin with theirs.
    fn merit(&self) -> (usize, Reverse<usize>, usize) {
        let columns = self.records.get(self.header).map_or(0, Record::filled);
        let misfits = self.rows().filter(|row| !self.fits(row) && !row.begins_with_hash()).count();
        (columns.min(2), Reverse(misfits + 2 * self.header + usize::from(self.broken.is_some())), columns)
    }

    fn rows(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().skip(self.header + 1)
    }

    fn fits(&self, row: &Record) -> bool {
        let header = &self.records[self.header];
        row.cells.len() >= header.width() && row.width() <= header.cells.len()
    }

    fn table(mut self, layout: &Layout) -> Result<Table> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        if let Some(line) = layout.header {
            let wanted = self.records.iter().position(|record| record.line == line);
            self.header = wanted.ok_or_else(|| Error::input(format!("no row begins in line {line}, the header's")))?;
        }
        let Some(header) = self.records.get(self.header) else {
            return Err(Error::input("it is empty: there is not even a header"));
        };
        if header.begins_with_hash() && layout.header.is_none() {
            let line = header.line;
            return Err(Error::input(format!("line {line} begins with `#`, and may be the header or a comment")).hint(
                format!(
                    "say which it is: `read_csv(path, #{{ header: {line} }})`, or `read_csv(path, #{{ comment: \"#\" }})`"
                ),
            ));
        }
        let above = &self.records[..self.header];
        if let Some((line, other)) = above.iter().find_map(|line| Some((line, self.other_delimiter(line)?)))
            && layout.header.is_none()
        {
            return Err(self.divided(line, other));
        }
        let names: Vec<String> = header.cells.iter().map(|cell| name(cell)).collect();
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            places.entry(name).or_default().push(index + 1);
        }
        let single = |name: &str| places.get(name).is_some_and(|places| places.len() == 1);
        let (mut rows, mut hashed, mut short, mut remarks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut repeated, mut failed, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
        let mut unnamed: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for row in self.rows() {
            if row.cells == header.cells && names.len() > 1 {
                repeated.push(row.line);
                continue;
            }
            if !self.fits(row) {
                if row.begins_with_hash() {
                    hashed.push(row.line);
                    continue;
                }
                if !layout.fill || row.width() > header.cells.len() {
                    return Err(self.misfit(row));
                }
                short.push(row.line);
            }
            if row.begins_with_hash() && is_remark(row) {
                remarks.push(row.line);
            }
            for index in (0..row.width()).filter(|index| !row.cells[*index].is_empty()) {
                if names.get(index).is_none_or(String::is_empty) {
                    unnamed.entry(index + 1).or_default().push(row.line);
                }
            }
            if let Some(cell) = row.cells.iter().find(|cell| oddities::is_formula_error(cell)) {
                failed.push((row.line, format!("`{cell}`")));
            }
            if let Some((cell, code)) = row.cells.iter().find_map(|cell| Some((cell, oddities::invisible(cell)?))) {
                unseen.push((row.line, format!("{code} in `{}`", cell.replace(is_invisible, "?"))));
            }
            let value = |index: usize| row.cells.get(index).cloned().unwrap_or_default();
            let named = names.iter().enumerate().filter(|(_, name)| single(name));
            rows.push(named.map(|(index, name)| (name.clone(), value(index))).collect());
        }
        let above: Vec<usize> = above.iter().map(|record| record.line).collect();
        let mut notes = Vec::new();
        if !above.is_empty() && layout.header.is_none() {
            let lines = listed(&above);
            let one = above.len() == 1;
            let (stands, is) = if one { ("stands", "is") } else { ("stand", "are") };
            notes.push(format!("{lines} {stands} above the header in line {}, and {is} left out", header.line));
        }
        if let (Some(mark), false) = (&layout.comment, self.comments.is_empty()) {
            notes.push(format!("{} with `{mark}`, and {} left out", begins(&self.comments), is_are(&self.comments)));
        }
        if !hashed.is_empty() {
            let fields = count(header.width(), "field");
            let (begin, are) = (begins(&hashed), is_are(&hashed));
            notes.push(format!("{begin} with `#`, {are} no row of {fields}, and {are} left out"));
        }
        let dropped = [
            (&self.rulings, "only separates others", "only separate others"),
            (&repeated, "repeats the header", "repeat the header"),
        ];
        for (lines, one, many) in dropped.into_iter().filter(|(lines, ..)| !lines.is_empty()) {
            let what = if lines.len() == 1 { one } else { many };
            notes.push(format!("{} {what}, and {} left out", listed(lines), is_are(lines)));
        }
        for (found, what) in [(failed, "the error of a formula"), (unseen, "a character that cannot be seen")] {
            if let Some((_, first)) = found.first() {
                let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
                notes.push(format!("{} {what} ({first})", hold(&lines)));
            }
        }
        if !remarks.is_empty() {
            let (begin, are) = (begins(&remarks), is_are(&remarks));
            notes.push(format!(
                "{begin} with `# `, and {are} taken for {}: `#{{ comment: \"#\" }}` leaves lines with `#` out",
                if remarks.len() == 1 { "a row" } else { "rows" }
            ));
        }
        for (column, lines) in unnamed {
            notes.push(format!("column {column} has no name in the header: what {} there is left out", hold(&lines)));
        }
        if rows.is_empty() {
            notes.push(format!("there is no row below the header in line {}", header.line));
        }
        if !short.is_empty() {
            let are = is_are(&short);
            notes.push(format!("{} {are} shorter than the header: their last fields are empty", listed(&short)));
        }
        let columns = names.iter().filter(|name| single(name)).cloned().collect();
        let doubled = places.iter().filter(|(_, places)| places.len() > 1);
        let doubled = doubled.map(|(name, places)| ((*name).to_owned(), places.clone())).collect();
        Ok(Table { columns, doubled, rows, notes })
    }

    /// The delimiter that makes as many fields of a line as the header has, if the own one does not divide it at all.
    fn other_delimiter(&self, row: &Record) -> Option<char> {
        let wanted = self.records[self.header].cells.len();
        DELIMITERS.into_iter().find(|other| oddities::is_split_by(row, *other, wanted))
    }

    fn divided(&self, row: &Record, other: char) -> Error {
        let (header, own, other) = (&self.records[self.header], delimiter(self.delimiter), delimiter(other));
        let error = Error::input(format!("line {} is divided by {other}, and line {} by {own}", row.line, header.line));
        error.hint(match row.line < header.line {
            true => format!(
                "use one delimiter in all lines; if the header is in line {0}: `read_csv(path, #{{ header: {0} }})`",
                header.line
            ),
            false => "use one delimiter in all lines".to_owned(),
        })
    }

    fn misfit(&self, row: &Record) -> Error {
        if let Some(other) = self.other_delimiter(row) {
            return self.divided(row, other);
        }
        let header = &self.records[self.header];
        let (has, wanted) = (row.cells.len(), header.cells.len());
        let error = Error::input(format!("line {} has {}, the header has {wanted}", row.line, count(has, "field")));
        let delimiter = delimiter(self.delimiter);
        if has > wanted {
            error.hint(format!(
                "a value with a {delimiter} in it needs quotes; a header further down is named by its line: \
                 `read_csv(path, #{{ header: {} }})`",
                row.line
            ))
        } else {
            error.hint(
                "remove the line if it is no row, or add the missing fields; `read_csv(path, #{ fill: true })` leaves the \
                 last fields empty",
            )
        }
    }
}

/// The index of the header: the first record that is neither a title nor a comment.
fn header(records: &[Record]) -> usize {
    let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
    let all_hashed = records.iter().all(Record::begins_with_hash);
    for record in records.iter().filter(|record| all_hashed || !record.begins_with_hash()) {
        *widths.entry(record.cells.len()).or_default() += 1;
    }
    let usual = widths.into_iter().max_by_key(|(width, times)| (*times, *width)).map_or(1, |(width, _)| width);
    let is_above = |(index, record): (usize, &Record)| {
        if record.begins_with_hash() {
            let has_shape =
                if usual == 1 { !is_remark(record) } else { [record.cells.len(), record.width()].contains(&usual) };
            return !has_shape && index + 1 < records.len();
        }
        usual > 1 && record.filled() == 1 && records[index + 1..].iter().any(|later| later.filled() > 1)
    };
    records.iter().enumerate().position(|each| !is_above(each)).unwrap_or(0)
}

/// True for `# a sentence`, as against `#name`.
fn is_remark(record: &Record) -> bool {
    record.cells.first().is_some_and(|cell| cell.trim_start_matches('#').starts_with(char::is_whitespace))
}

/// The name of a column: on one line, with single blanks, and with nothing that cannot be seen.
fn name(cell: &str) -> String {
    cell.replace(is_invisible, "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A delimiter, for people.
fn delimiter(character: char) -> String {
    match character {
        '\t' => "tab".to_owned(),
        other => format!("`{other}`"),
    }
}

/// `line 3`, `lines 3, 4 and 12 more`.
fn listed(lines: &[usize]) -> String {
    let word = if lines.len() == 1 { "line" } else { "lines" };
    let named = lines.iter().take(LISTED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match lines.len().saturating_sub(LISTED) {
        0 => format!("{word} {named}"),
        more => format!("{word} {named} and {more} more"),
    }
}

fn begins(lines: &[usize]) -> String {
    format!("{} {}", listed(lines), if lines.len() == 1 { "begins" } else { "begin" })
}

fn hold(lines: &[usize]) -> String {
    format!("{} {}", listed(lines), if lines.len() == 1 { "holds" } else { "hold" })
}

fn is_are(lines: &[usize]) -> &'static str {
    if lines.len() == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        read(text, &Layout::default()).unwrap_or_else(|error| panic!("{text:?}: {}", error.message))
    }

    /// Header and rows in one line each.
    fn shown(text: &str) -> Vec<String> {
        let Table { columns, rows, .. } = table(text);
        let row = |row: Vec<(String, String)>| row.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join("|");
        std::iter::once(columns.join("|")).chain(rows.into_iter().map(row)).collect()
    }

    fn complaints(text: &str, layout: &Layout) -> String {
        read(text, layout).expect_err("wrong").message
    }

    #[test]
    fn the_delimiter_is_that_of_the_header() {
        for text in [
            "name,wave\nweb-01,1\n",
            "name;wave\r\nweb-01;1\r\n",
            "name\twave\n web-01 \t1\n\n",
            "name|wave\nweb-01|1\n",
            "name,wave\nweb-01,1\n,\n",
            "sep=;\r\nname;wave\r\nweb-01;1\r\n",
            "\"sep=;\"\nname;wave\nweb-01;1\n",
            "SEP=|,,\nname|wave\nweb-01|1\n",
            "#TYPE Selected.VM\n\"name\";\"wave\"\n\"web-01\";\"1\"\n",
            "\"#TYPE Selected.VM\"\r\n\"name\",\"wave\"\r\n\"web-01\",\"1\"\r\n",
            "name ,\u{a0}wave\u{a0}\nweb-01,1",
            "name,wave\r\nweb-01,1\r\n\u{1a}",
        ] {
            assert_eq!(
                (shown(text), table(text).notes),
                (vec!["name|wave".into(), "web-01|1".into()], vec![]),
                "{text:?}"
            );
        }
        // Commas in values and in the header, quoted and not.
        assert_eq!(shown("name;\"notes, old\";wave\nweb-01;a, b, c;1\n"), ["name|notes, old|wave", "web-01|a, b, c|1"]);
        assert_eq!(shown("name;cpu, GHz;ram, GB\nweb-01;2,5;4,5\n"), ["name|cpu, GHz|ram, GB", "web-01|2,5|4,5"]);
        assert_eq!(shown("name,tags\nweb-01,a;b;c\n"), ["name|tags", "web-01|a;b;c"]);
        assert_eq!(shown("name,a|b\nweb-01,x|y\n"), ["name|a|b", "web-01|x|y"]);
        assert_eq!(shown("name\nweb-01\n007\n"), ["name", "web-01", "007"]);
    }

    #[test]
    fn a_row_that_begins_with_a_hash_is_a_row() {
        assert_eq!(shown("name,wave\nweb-01,1\n#legacy-erp,1\n"), ["name|wave", "web-01|1", "#legacy-erp|1"]);
        assert_eq!(shown("name\nweb-01\n#legacy-erp\n"), ["name", "web-01", "#legacy-erp"]);
        assert!(table("name,wave\nweb-01,1\n#legacy-erp,1\n").notes.is_empty());
    }

    #[test]
    fn what_may_be_meant_otherwise_is_told() {
        for (text, rows, note) in [
            (
                "name,wave\nweb-01,1\n# web-02,1\n",
                2,
                "line 3 begins with `# `, and is taken for a row: `#{ comment: \"#\" }` leaves lines with `#` out",
            ),
            (
                "name\n# later\nweb-01\n# much later\n",
                3,
                "lines 2, 4 begin with `# `, and are taken for rows: `#{ comment: \"#\" }` leaves lines with `#` out",
            ),
            ("name,wave\n", 0, "there is no row below the header in line 1"),
            (
                "name,,wave\nweb-01,x,1\nweb-02,,1\n",
                2,
                "column 2 has no name in the header: what line 2 holds there is left out",
            ),
        ] {
            let Table { rows: read, notes, .. } = table(text);
            assert_eq!((read.len(), notes), (rows, vec![note.to_owned()]), "{text:?}");
        }
    }

    #[test]
    fn lines_that_nobody_meant_as_rows_are_left_out_with_a_word() {
        for (text, note) in [
            ("| name | wave |\n|------|:---:|\n| web-01 | 1 |\n", "line 2 only separates others, and is left out"),
            ("name | wave\n--- | ---\nweb-01 | 1\n", "line 2 only separates others, and is left out"),
            (" name   | wave \n--------+------\n web-01 | 1\n", "line 2 only separates others, and is left out"),
            ("name,wave\n------,----\nweb-01,1\n", "line 2 only separates others, and is left out"),
            (
                "+------+----+\n| name | wave |\n+======+====+\n| web-01 | 1 |\n+------+----+\n",
                "lines 1, 3, 5 only separate others, and are left out",
            ),
            ("name,wave\nweb-01,1\nname,wave\n", "line 3 repeats the header, and is left out"),
        ] {
            let expected = (vec!["name|wave".to_owned(), "web-01|1".to_owned()], vec![note.to_owned()]);
            assert_eq!((shown(text), table(text).notes), expected, "{text:?}");
        }
        assert_eq!(shown("name,ip\nweb-01,-\n"), ["name|ip", "web-01|-"], "one dash is a value");
        assert_eq!(shown("name\nweb\nname\n"), ["name", "web", "name"], "a VM may be called as the only column");
    }

    #[test]
    fn values_that_nobody_meant_are_told_or_read_as_a_spreadsheet_shows_them() {
        let text = "\u{200b}name,wa\u{200d}ve\n\u{202a}web-01\u{202c},#N/A\n=\"007\",\"=\"\"2\"\"\"\nweb\u{ad}-03,3\n";
        assert_eq!(shown(text), ["name|wave", "web-01|#N/A", "007|2", "web\u{ad}-03|3"]);
        assert_eq!(
            table(text).notes,
            [
                "line 2 holds the error of a formula (`#N/A`)",
                "line 4 holds a character that cannot be seen (U+00AD in `web?-03`)"
            ]
        );
    }

    #[test]
    fn lines_with_different_delimiters_are_told() {
        for (text, message) in [
            ("name,wave\nweb-01;1\nweb-02;2\nweb-03;3\n", "line 1 is divided by `,`, and line 2 by `;`"),
            ("name,wave\nweb-01;1\n", "line 2 is divided by `;`, and line 1 by `,`"),
            ("name;wave;ip\nweb-01,1,x\n", "line 2 is divided by `,`, and line 1 by `;`"),
            ("name\twave\nweb-01;1\n", "line 2 is divided by `;`, and line 1 by tab"),
            ("<!DOCTYPE html>\n<html></html>", "it is a page (HTML or XML), and no table"),
            ("[{\"name\": \"web-01\"}]", "it is JSON, and no table"),
        ] {
            assert_eq!(complaints(text, &Layout::default()), message, "{text:?}");
        }
        let named = Layout { header: Some(2), ..Layout::default() };
        assert_eq!(read("Plan, draft\nname;wave\nweb-01;1\n", &named).map(|table| table.rows.len()).ok(), Some(1));
    }

    #[test]
    fn a_header_that_begins_with_a_hash_is_asked_about() {
        let header = Layout { header: Some(1), ..Layout::default() };
        let comment = Layout { comment: Some("#".into()), ..Layout::default() };
        for text in ["#,name,wave\n1,web-01,pilot\n", "#name,wave\n#1,2\n#3,4\n", "#name\nweb-01\n", "#,name\n"] {
            let said = "line 1 begins with `#`, and may be the header or a comment";
            assert_eq!(complaints(text, &Layout::default()), said, "{text:?}");
            let columns: Vec<_> = text.lines().next().unwrap_or_default().split(',').collect();
            assert_eq!(
                read(text, &header).map(|table| table.columns).ok(),
                Some(columns.iter().map(ToString::to_string).collect())
            );
        }
        assert_eq!(
            read("#name,wave\nname,ip\n", &comment).map(|table| table.columns).ok(),
            Some(vec!["name".into(), "ip".into()])
        );
        assert_eq!(shown("\"#\",name\n1,web-01\n"), ["#|name", "1|web-01"], "in quotes it is no comment");
    }

    #[test]
    fn what_is_no_row_is_told_with_its_line() {
        for (text, notes) in [
            ("# exported\nname,wave\nweb-01,1\n", vec!["line 1 stands above the header in line 2, and is left out"]),
            (
                "# exported, by, us\nname,wave\nweb-01,1\n",
                vec!["line 1 stands above the header in line 2, and is left out"],
            ),
            (
                "RVTools\n\nCreated;;\nname;wave;\nweb-01;1;\n",
                vec!["lines 1, 3 stand above the header in line 4, and are left out"],
            ),
            (
                "name,wave\n# the rest later\nweb-01,1\n#\n",
                vec!["lines 2, 4 begin with `#`, are no row of 2 fields, and are left out"],
            ),
        ] {
            assert_eq!(
                (shown(text), table(text).notes),
                (vec!["name|wave".into(), "web-01|1".into()], notes.iter().map(|note| (*note).to_owned()).collect()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn options_say_what_a_file_does_not_show() {
        let read = |text: &str, layout: Layout| {
            let Table { rows, notes, .. } = read(text, &layout).unwrap();
            (rows.into_iter().map(|row| row[0].1.clone()).collect::<Vec<_>>().join(" "), notes.join("; "))
        };
        assert_eq!(
            read("name,wave\n#web-01,1\nweb-02,1\n", Layout { comment: Some("#".into()), ..Layout::default() }),
            ("web-02".into(), "line 2 begins with `#`, and is left out".into())
        );
        assert_eq!(
            read("Our, inventory,\nname,wave,ip\nweb-01,1,\n", Layout { header: Some(2), ..Layout::default() }),
            ("web-01".into(), String::new())
        );
        assert_eq!(
            read("name,wave,ip\nweb-01\nweb-02,1,x\n", Layout { fill: true, ..Layout::default() }),
            ("web-01 web-02".into(), "line 2 is shorter than the header: their last fields are empty".into())
        );
        assert_eq!(
            read("a:b\n1:2\n", Layout { delimiter: Some(':'), ..Layout::default() }),
            ("1".into(), String::new())
        );
        let nowhere = Layout { header: Some(3), ..Layout::default() };
        assert_eq!(complaints("name,wave\n1,2\n", &nowhere), "no row begins in line 3, the header's");
    }

    #[test]
    fn columns_that_have_no_name_of_their_own_are_left_alone() {
        let table = table("name,,ip,ip,\nweb-01,x,1,2,y\nweb-02,x,1,2\n");
        assert_eq!(table.columns, ["name"]);
        assert_eq!(table.doubled, BTreeMap::from([("ip".to_owned(), vec![3, 4])]));
        assert_eq!(table.rows, ["web-01", "web-02"].map(|name| vec![("name".to_owned(), name.to_owned())]));
    }

    #[test]
    fn a_row_that_does_not_fit_is_told_with_its_line() {
        let plain = Layout::default();
        for (text, message) in [
            ("name,wave\nweb-01,1\nweb-02\n", "line 3 has 1 field, the header has 2"),
            ("name,wave\nweb-01,1,x\n", "line 2 has 3 fields, the header has 2"),
            ("name,notes\n\"a\nb\",1\nweb-02\n", "line 4 has 1 field, the header has 2"),
            ("name,notes\nweb-01,\"a;b\nweb-02,c;d\n", "the quote that opens in line 2 is not closed"),
            ("", "it is empty: there is not even a header"),
            ("\n,,\n", "it is empty: there is not even a header"),
        ] {
            assert_eq!(complaints(text, &plain), message, "{text:?}");
        }
        // Delimiters at the end of some lines mean nothing.
        assert_eq!(shown("name,wave,\nweb-01,1\nweb-02,1,,,\n"), ["name|wave", "web-01|1", "web-02|1"]);
    }
}
