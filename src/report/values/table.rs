//! Values for a terminal: a list of objects as a table, an object as a tree, in the available width.
use comfy_table::{ContentArrangement, LineStyle, Table, presets};
use serde_json::{Map, Value};

use crate::error::count;
use crate::report::streams::text;
use crate::secret;

/// The most informative columns in their order; others follow as they come.
const FIRST: [&str; 22] = [
    "id",
    "name",
    "number",
    "status",
    "last_execution_status",
    "enabled",
    "type",
    "scenario",
    "task_type",
    "job",
    "what",
    "instance",
    "instances",
    "transfer_id",
    "replica_id",
    "num_cpu",
    "memory_mb",
    "os_type",
    "firmware_type",
    "origin_endpoint_id",
    "destination_endpoint_id",
    "host",
];
/// The columns that are shown only if there is room.
const LAST: [&str; 4] = ["description", "notes", "created_at", "updated_at"];

/// The fields of every row of the server that nobody reads.
const HIDDEN: [&str; 8] = [
    "user_id",
    "project_id",
    "deleted",
    "deleted_at",
    "reservation_id",
    "deployer_id",
    "trust_id",
    "maintenance_trust_id",
];

/// Names longer than an id are cut.
const WIDEST: usize = 40;
/// The most elements of a list inside an object that are shown.
const MOST: usize = 20;
/// The depth of a tree below which values are written in one line.
const DEPTH: usize = 3;

/// `value` in at most `width` columns where possible, without secrets and without a final line break; empty for a unit
/// value.
pub fn render(value: &Value, width: usize) -> String {
    let mut value = value.clone();
    secret::mask(&mut value);
    match &value {
        Value::Null => String::new(),
        Value::Array(values) => list(values, width),
        Value::Object(fields) => object(fields, width),
        other => text::printable(&scalar(other)),
    }
}

/// The columns of a list that have no room in `width` columns of the screen.
pub fn left_out(value: &Value, width: usize) -> Vec<String> {
    let rows = value.as_array().and_then(|rows| rows.iter().map(Value::as_object).collect::<Option<Vec<_>>>());
    let Some(rows) = rows else { return Vec::new() };
    let all = columns(&rows);
    let shown = fitting(&rows, all.clone(), width);
    all.into_iter().filter(|column| !shown.contains(column)).map(text::one_line).collect()
}

fn list(values: &[Value], width: usize) -> String {
    if values.is_empty() {
        return "(none)".to_owned();
    }
    let rows: Option<Vec<&Map<String, Value>>> = values.iter().map(Value::as_object).collect();
    match rows {
        Some(rows) => rows_table(&rows, width),
        None => values.iter().map(|value| text::one_line(&compact(value))).collect::<Vec<_>>().join("\n"),
    }
}

fn rows_table(rows: &[&Map<String, Value>], width: usize) -> String {
    let columns = fitting(rows, columns(rows), width);
    let mut table = table(width);
    table.set_header(columns.iter().map(|column| text::one_line(column)));
    for row in rows {
        table.add_row(columns.iter().map(|column| cell(row.get(*column))));
    }
    table.trim_fmt()
}

/// The columns worth showing, best first: those that fit into cells and are not empty throughout.
fn columns<'a>(rows: &[&'a Map<String, Value>]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let filled = |name: &&str| rows.iter().any(|row| row.get(*name).is_some_and(|value| !is_empty(value)));
    let fits = |name: &&str| rows.iter().all(|row| row.get(*name).is_none_or(is_flat));
    let told: Vec<&str> = names.iter().copied().filter(|name| !HIDDEN.contains(name)).filter(filled).collect();
    let mut flat: Vec<&str> = told.iter().copied().filter(fits).collect();
    if flat.is_empty() {
        flat = if told.is_empty() { names } else { told };
    }
    flat.sort_by_key(|name| rank(name));
    flat
}

/// The rank of a field: the maps of scripts are sorted by name, which tells nothing.
fn rank(name: &str) -> usize {
    let first = FIRST.iter().position(|first| *first == name);
    let last = LAST.iter().chain(&HIDDEN).position(|last| *last == name).map(|at| FIRST.len() + 1 + at);
    first.or(last).unwrap_or(FIRST.len())
}

/// As many of the columns as fit side by side; at least the first two.
fn fitting<'a>(rows: &[&Map<String, Value>], columns: Vec<&'a str>, width: usize) -> Vec<&'a str> {
    let mut taken = 1;
    let mut fitting = Vec::new();
    for column in columns {
        let widest = rows.iter().map(|row| text::width(&cell(row.get(column)))).max().unwrap_or(0);
        let needed = widest.max(text::width(column)) + 3;
        if taken + needed > width && fitting.len() >= 2 {
            continue;
        }
        taken += needed;
        fitting.push(column);
    }
    fitting
}

fn cell(value: Option<&Value>) -> String {
    text::cut(&text::one_line(&value.map_or_else(|| "-".to_owned(), compact)), WIDEST)
}

fn table(width: usize) -> Table {
    let mut table = Table::new();
    // The look of the official client's tables.
    table.load_style(presets::ASCII_FULL_CONDENSED.header_separator(LineStyle::new('+', '-', '+', '+')));
    table.force_no_tty().set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    table
}

fn object(fields: &Map<String, Value>, width: usize) -> String {
    if fields.is_empty() {
        return "(empty)".to_owned();
    }
    let mut rows = Vec::new();
    branches(fields, 0, &mut rows);
    let mut table = table(width);
    table.set_header(["field", "value"]);
    for (name, value) in rows {
        table.add_row([name, value]);
    }
    table.trim_fmt()
}

/// The fields of an object as rows, those of objects inside it indented.
fn branches(fields: &Map<String, Value>, depth: usize, rows: &mut Vec<(String, String)>) {
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| rank(name));
    for (name, value) in fields {
        let name = format!("{}{}", "  ".repeat(depth), text::one_line(name));
        match value {
            Value::Object(inner) if !inner.is_empty() && depth < DEPTH => {
                rows.push((name, String::new()));
                branches(inner, depth + 1, rows);
            }
            Value::Array(values) if !is_flat(value) => rows.push((name, elements(values))),
            other => rows.push((name, text::printable(&compact(other)))),
        }
    }
}

/// One line per element of a list inside an object.
fn elements(values: &[Value]) -> String {
    let mut lines: Vec<String> = values.iter().take(MOST).map(|value| text::one_line(&gist(value))).collect();
    if values.len() > MOST {
        lines.push(format!("and {} more", values.len() - MOST));
    }
    lines.join("\n")
}

/// The identifying fields of an object.
fn gist(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return compact(value) };
    // A task is known by its type; its id would take the line.
    let is_told = |name: &&&str| **name != "id" || !fields.contains_key("task_type");
    let told = FIRST.iter().filter(is_told).filter_map(|name| fields.get(*name));
    let told = told.filter(|value| is_flat(value) && !is_empty(value));
    let gist: Vec<String> = told.take(4).map(compact).collect();
    if gist.is_empty() { compact(value) } else { gist.join("  ") }
}

/// A value in one line.
fn compact(value: &Value) -> String {
    match value {
        Value::Array(values) if is_flat(value) => values.iter().map(scalar).collect::<Vec<_>>().join(", "),
        Value::Array(values) => count(values.len(), "element"),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}={}", compact(value))).collect::<Vec<_>>().join(" ")
        }
        other => scalar(other),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// True if a value fits into a cell: not an object, and not a list of lists or objects.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(values) => values.iter().all(|value| !value.is_object() && !value.is_array()),
        _ => true,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoint(number: usize, name: &str) -> Value {
        json!({"created_at": "2026-11-22T07:41:30.000000", "updated_at": null, "deleted": "0",
            "id": format!("58d7191a-e3b5-41c6-81fe-2d3b9216ddf{number}"), "user_id": "4b4c",
            "connection_info": {"host": "vc.example", "password": "secret"}, "type": "openstack", "name": name,
            "description": null, "mapped_regions": []})
    }

    #[test]
    fn a_list_shows_the_columns_that_tell_most_at_80_columns() {
        insta::assert_snapshot!(render(&json!([endpoint(1, "vcenter"), endpoint(2, "openstack")]), 80), @r#"
        +--------------------------------------+-----------+-----------+
        | id                                   | name      | type      |
        +--------------------------------------+-----------+-----------+
        | 58d7191a-e3b5-41c6-81fe-2d3b9216ddf1 | vcenter   | openstack |
        | 58d7191a-e3b5-41c6-81fe-2d3b9216ddf2 | openstack | openstack |
        +--------------------------------------+-----------+-----------+
        "#);
    }

    #[test]
    fn a_wider_terminal_shows_more_columns() {
        insta::assert_snapshot!(render(&json!([endpoint(1, "vcenter"), endpoint(2, "openstack")]), 120), @r#"
        +--------------------------------------+-----------+-----------+----------------------------+
        | id                                   | name      | type      | created_at                 |
        +--------------------------------------+-----------+-----------+----------------------------+
        | 58d7191a-e3b5-41c6-81fe-2d3b9216ddf1 | vcenter   | openstack | 2026-11-22T07:41:30.000000 |
        | 58d7191a-e3b5-41c6-81fe-2d3b9216ddf2 | openstack | openstack | 2026-11-22T07:41:30.000000 |
        +--------------------------------------+-----------+-----------+----------------------------+
        "#);
    }

    #[test]
    fn instances_show_what_an_engineer_asks_for() {
        let instance = json!({"id": "32076173-d57c-54d0-b875-c09d1b1eb691", "name": "vm-001", "instance_name": "vm-001",
            "num_cpu": 2, "memory_mb": 2048, "os_type": "linux", "firmware_type": "BIOS"});
        insta::assert_snapshot!(render(&json!([instance]), 80), @r#"
        +--------------------------------------+--------+---------+-----------+
        | id                                   | name   | num_cpu | memory_mb |
        +--------------------------------------+--------+---------+-----------+
        | 32076173-d57c-54d0-b875-c09d1b1eb691 | vm-001 | 2       | 2048      |
        +--------------------------------------+--------+---------+-----------+
        "#);
    }

    #[test]
    fn an_object_is_a_tree_without_secrets() {
        let mut value = endpoint(1, "vcenter");
        value["tasks"] = json!([{"id": "t1", "task_type": "REPLICATE_DISKS", "status": "RUNNING", "events": []}]);
        value["instances"] = json!(["web-01", "web-02"]);
        insta::assert_snapshot!(render(&value, 80), @r#"
        +-----------------+--------------------------------------+
        | field           | value                                |
        +-----------------+--------------------------------------+
        | id              | 58d7191a-e3b5-41c6-81fe-2d3b9216ddf1 |
        | name            | vcenter                              |
        | type            | openstack                            |
        | instances       | web-01, web-02                       |
        | connection_info |                                      |
        |   host          | vc.example                           |
        |   password      | ***                                  |
        | mapped_regions  |                                      |
        | tasks           | RUNNING  REPLICATE_DISKS             |
        | description     | -                                    |
        | created_at      | 2026-11-22T07:41:30.000000           |
        | updated_at      | -                                    |
        | user_id         | 4b4c                                 |
        | deleted         | 0                                    |
        +-----------------+--------------------------------------+
        "#);
    }

    #[test]
    fn maps_of_a_script_keep_their_own_columns() {
        insta::assert_snapshot!(render(&json!([{"vm": "a", "cores": 2}, {"vm": "b\u{1b}[2J", "gone": true}]), 80), @r#"
        +-------+-------+------+
        | vm    | cores | gone |
        +-------+-------+------+
        | a     | 2     | -    |
        | b [2J | -     | true |
        +-------+-------+------+
        "#);
    }

    #[test]
    fn plain_values_are_themselves() {
        let shown = [json!(null), json!(42), json!("text"), json!([]), json!(["a", 1]), json!({})]
            .map(|value| render(&value, 80));
        assert_eq!(shown, ["", "42", "text", "(none)", "a\n1", "(empty)"]);
    }

    #[test]
    fn a_narrow_terminal_wraps_and_does_not_overflow() {
        let table = render(&json!([endpoint(1, "vcenter")]), 30);
        assert_eq!(table.lines().map(text::width).filter(|width| *width > 30).count(), 0, "{table}");
    }
}
