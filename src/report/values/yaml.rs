//! A value as YAML, for people who prefer it.
use serde_json::Value;

/// Words that YAML does not take for a text.
const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// A value in lines, without a line break at its end.
pub fn pretty(value: &Value) -> String {
    lines(value).join("\n")
}

fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().flat_map(|(name, value)| field(name, value)).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().flat_map(|item| below("- ", "  ", lines(item))).collect()
        }
        Value::String(text) => vec![text_of(text)],
        // Everything in JSON is YAML.
        other => vec![other.to_string()],
    }
}

fn field(name: &str, value: &Value) -> Vec<String> {
    let name = text_of(name);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            [format!("{name}:")].into_iter().chain(below("  ", "  ", lines(value))).collect()
        }
        Value::Array(items) if !items.is_empty() => [format!("{name}:")].into_iter().chain(lines(value)).collect(),
        single => vec![format!("{name}: {}", lines(single).concat())],
    }
}

fn below(first: &str, others: &str, lines: Vec<String>) -> Vec<String> {
    let prefix = |(index, line): (usize, String)| format!("{}{line}", if index == 0 { first } else { others });
    lines.into_iter().enumerate().map(prefix).collect()
}

/// A text without quotes if it cannot be misread, in quotes otherwise.
fn text_of(text: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '/' | ' ');
    let is_plain = text.starts_with(char::is_alphabetic) && !text.ends_with(' ') && text.chars().all(plain);
    let means_else = WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is_plain && !means_else { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_all_kinds_read_as_yaml() {
        let value = json!({
            "name": "web-01", "id": "1e3", "on": "yes", "size": 5, "share": 0.5, "none": null, "empty": [], "text": "a: b\nc",
            "disks": [{"id": "d1", "sizes": [1, 2]}, [1, [2]], "x"], "info": {"deep": {"flag": true}},
        });
        assert_eq!(
            pretty(&value),
            "name: web-01\nid: \"1e3\"\n\"on\": \"yes\"\nsize: 5\nshare: 0.5\nnone: null\nempty: []\ntext: \"a: b\\nc\"\n\
             disks:\n- id: d1\n  sizes:\n  - 1\n  - 2\n- - 1\n  - - 2\n- x\ninfo:\n  deep:\n    flag: true"
        );
        assert_eq!(
            (pretty(&json!("x y")), pretty(&json!({})), pretty(&json!(7))),
            ("x y".into(), "{}".into(), "7".into())
        );
    }
}
