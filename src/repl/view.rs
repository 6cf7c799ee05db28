//! The display of results: tables and trees that fit the screen, or JSON, or YAML; times in a zone beside UTC on
//! request.

use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use regex::Regex;
use rhai::Dynamic;
use serde_json::{Value, json};

use crate::clock::Instant;
use crate::language::value::to_shown;
use crate::report::streams::text;
use crate::report::values::{json as json_text, table, yaml};
use crate::runtime::job::{Job, Standing};
use crate::secret;

/// The form of the display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Table,
    Json,
    Yaml,
}

/// The settings of the display.
#[derive(Clone, Default)]
pub struct View {
    pub form: Form,
    /// The zone in which times are shown as well.
    pub zone: Option<TimeZone>,
}

impl View {
    /// A result without secrets, in `width` columns; empty for a unit value.
    pub fn render(&self, value: &Dynamic, now: Instant, width: usize) -> String {
        let shown = match value.read_lock::<Job>() {
            Some(job) => standing(&job.standing(now)),
            None => to_shown(value),
        };
        self.render_json(shown, width)
    }

    /// The columns of a result that have no room in its table.
    pub fn left_out(&self, value: &Dynamic, width: usize) -> Vec<String> {
        match self.form {
            Form::Table => table::left_out(&to_shown(value), width),
            Form::Json | Form::Yaml => Vec::new(),
        }
    }

    /// The same for JSON.
    pub fn render_json(&self, mut value: Value, width: usize) -> String {
        secret::mask(&mut value);
        if let (Some(zone), Form::Table) = (&self.zone, self.form) {
            zoned(&mut value, zone);
        }
        match self.form {
            Form::Table => table::render(&value, width),
            Form::Json => json_text::pretty(&value),
            Form::Yaml => yaml::pretty(&value),
        }
    }
}

/// A job as a row.
pub fn standing(job: &Standing) -> Value {
    let mut row = json!({
        "job": job.number,
        "status": job.status,
        "elapsed": text::duration(job.elapsed),
        "what": text::cut(&text::one_line(&job.what), 60),
    });
    if let Some(error) = &job.error {
        row["error"] = error.message.clone().into();
    }
    row
}

/// As much of a text as fits into `lines` lines, and the number of lines that were left out.
pub fn fitting(text: &str, lines: usize) -> (String, usize) {
    let all = text.lines().count();
    if all <= lines {
        return (text.to_owned(), 0);
    }
    (text.lines().take(lines).collect::<Vec<_>>().join("\n"), all - lines)
}

/// Adds the time of day in the zone to every time; the server's are UTC without a mark.
fn zoned(value: &mut Value, zone: &TimeZone) {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?$").expect("the constant is a pattern"));
    match value {
        Value::String(text) if TIME.is_match(text) => {
            let utc: Option<DateTime> = text.trim_end_matches('Z').parse().ok();
            if let Some(at) = utc.and_then(|utc| utc.to_zoned(TimeZone::UTC).ok()) {
                let here = at.timestamp().to_zoned(zone.clone());
                let format = if here.date() == at.date() { "%H:%M:%S %Z" } else { "%Y-%m-%d %H:%M:%S %Z" };
                text.push_str(&format!(" ({})", here.strftime(format)));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| zoned(value, zone)),
        Value::Object(fields) => fields.values_mut().for_each(|value| zoned(value, zone)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(form: Form, zone: Option<&str>) -> View {
        View { form, zone: zone.map(|name| TimeZone::get(name).unwrap()) }
    }

    #[test]
    fn one_value_in_three_forms() {
        let value = json!({"id": "1", "tags": ["a", "b"], "connection_info": {"password": "planted"}});
        assert_eq!(
            view(Form::Yaml, None).render_json(value.clone(), 80),
            "id: \"1\"\ntags:\n- a\n- b\nconnection_info:\n  password: \"***\""
        );
        assert!(view(Form::Json, None).render_json(value.clone(), 80).contains("\"password\": \"***\""));
        assert!(view(Form::Table, None).render_json(value, 80).contains("| tags"));
    }

    #[test]
    fn times_are_shown_in_a_zone_beside_utc() {
        let shown = |text: &str| {
            let mut value = json!(text);
            zoned(&mut value, &TimeZone::get("Europe/Bucharest").unwrap());
            value.as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(shown("2026-06-01T20:00:00.000000"), "2026-06-01T20:00:00.000000 (23:00:00 EEST)");
        assert_eq!(shown("2026-06-01T23:00:00Z"), "2026-06-01T23:00:00Z (2026-06-02 02:00:00 EEST)");
        assert_eq!(shown("web-01"), "web-01");
    }

    #[test]
    fn what_is_too_long_is_cut_with_a_count() {
        assert_eq!(fitting("1\n2\n3", 2), ("1\n2".to_owned(), 1));
        assert_eq!(fitting("1\n2", 2), ("1\n2".to_owned(), 0));
    }
}
