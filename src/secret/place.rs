//! The place of a value in an object, and the mask over those that are secrets by it.

use serde_json::Value;

use super::found::holds_secret;
use super::names::{MASK, is_password_name, is_secret_name, words};

/// The field with the values that a provider needs to connect.
const CONNECTION: &str = "connection_info";

/// The position of a value in an object, and the kinds of values that are secret there: a bare `key` is one among
/// credentials, and an identifier elsewhere, as in the groups of `group_by`.
#[derive(Clone, Copy, Default)]
pub struct Place {
    among_credentials: bool,
    /// Texts are secrets here, and those in a list under a secret's name as well.
    texts: bool,
    /// Numbers are secrets as well.
    numbers: bool,
    /// Everything inside is secret.
    whole: bool,
}

impl Place {
    /// Among the fields of a `connection_info`.
    pub const CREDENTIALS: Place = Place { among_credentials: true, texts: false, numbers: false, whole: false };

    /// The position of the field with this name.
    #[must_use]
    pub fn inside(self, name: &str) -> Self {
        let among_credentials = self.among_credentials || name == CONNECTION;
        let texts = self.is_secret(name);
        let numbers = texts && (self.among_credentials || is_password_name(name));
        Self { among_credentials, texts, numbers, whole: self.whole || (texts && self.among_credentials) }
    }

    /// True if a text in the field with this name is a secret.
    pub fn is_secret(self, name: &str) -> bool {
        let is_key = || words(name).last().is_some_and(|last| last == "key") && !name.to_lowercase().contains("public");
        self.whole || is_secret_name(name) || (self.among_credentials && is_key())
    }

    /// True if this value, at this position, is a secret, by its position or by its looks.
    pub fn keeps(self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.keeps_text(text),
            Value::Number(_) => self.numbers,
            _ => false,
        }
    }

    pub fn keeps_text(self, text: &str) -> bool {
        !text.is_empty() && (self.texts || holds_secret(text))
    }
}

/// Replaces every secret inside `value` by [`MASK`], at any depth.
pub fn mask(value: &mut Value) {
    mask_at(Place::default(), value);
}

fn mask_at(place: Place, value: &mut Value) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| mask_at(place.inside(name), field)),
        Value::Array(values) => values.iter_mut().for_each(|value| mask_at(place, value)),
        // The looks of a text are checked where it leaves.
        Value::String(text) if place.texts && !text.is_empty() => *value = MASK.into(),
        Value::Number(_) if place.numbers => *value = MASK.into(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_at_any_depth_and_nothing_else_is() {
        let mut value = json!({"connection_info": {"host": "h", "Password": "p", "secret_ref": "http://b/1",
            "nested": [{"client_secret": "s", "access_key_id": "AK"}]}});
        mask(&mut value);
        assert_eq!(
            value,
            json!({"connection_info": {"host": "h", "Password": "***", "secret_ref": "http://b/1",
                "nested": [{"client_secret": "***", "access_key_id": "AK"}]}})
        );
    }

    #[test]
    fn a_key_is_a_secret_among_credentials_only() {
        let mut value = json!([{"key": "web", "items": []}, {"connection_info": {"tls": [{"key": "k", "id": "i"}]}}]);
        mask(&mut value);
        assert_eq!(
            value,
            json!([{"key": "web", "items": []}, {"connection_info": {"tls": [{"key": "***", "id": "i"}]}}])
        );
    }

    #[test]
    fn counts_are_no_secrets_and_passwords_of_digits_are() {
        let mut value = json!({"secrets": 3, "max_tokens": 4, "password": 12345, "tokens": ["a", "b"],
            "connection_info": {"pin": 4711, "port": 443, "credentials": {"user": "u", "any": 1}, "ssh_key": "k", "public_key": "p"},
            "secret_type": "opaque"});
        mask(&mut value);
        assert_eq!(
            value,
            json!({"secrets": 3, "max_tokens": 4, "password": "***", "tokens": ["***", "***"],
                "connection_info": {"pin": "***", "port": 443, "credentials": {"user": "***", "any": "***"}, "ssh_key": "***",
                    "public_key": "p"},
                "secret_type": "opaque"})
        );
    }
}
