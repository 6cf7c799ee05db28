//! Values as the services, which are written in Python, print them in messages.

use serde_json::Value;

/// A value as Python writes it.
pub(in crate::sandbox) fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{text}'"),
        Value::Array(values) => format!("[{}]", values.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| format!("'{key}': {}", python(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_printed_with_pythons_words_quotes_and_spaces() {
        let value = json!({"a": [1, "b", null, true], "c": {"d": 1.5}});
        assert_eq!(python(&value), "{'a': [1, 'b', None, True], 'c': {'d': 1.5}}");
    }
}
