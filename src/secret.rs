//! Values that must never be shown: which fields hold them, and how they look when shown.

pub use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// How a secret looks wherever it would be shown.
pub const MASK: &str = "***";

/// Whether a field of this name holds a secret, by the words of its name.
///
/// Providers name their credentials as they like (`password`, `secret_access_key`, `client_secret`, `api_token`...), so
/// the words decide. `secret_ref` is the address of a secret in Barbican, not the secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    const WORDS: [&str; 9] =
        ["password", "passwd", "passphrase", "secret", "token", "private_key", "api_key", "apikey", "access_key"];
    const WHOLE: [&str; 5] = ["pw", "pwd", "pass", "pem", "community"];
    let address = name.ends_with("_ref") || name.ends_with("_url") || name.ends_with("_id");
    let whole = |part: &str| WHOLE.contains(&part) || is_nearly(part);
    !address && (WORDS.iter().any(|word| name.contains(word)) || name.split(['_', '-']).any(whole))
}

/// A word that was meant to be one of those: what somebody mistyped is a secret all the same.
fn is_nearly(word: &str) -> bool {
    ["password", "passphrase", "secret"]
        .iter()
        .any(|secret| word.len() + 2 > secret.len() && strsim::damerau_levenshtein(word, secret) <= secret.len() / 4)
}

/// Whether a text holds a secret by itself, whatever it is called: a private key, or an object of JSON with a secret.
pub fn holds_secret(text: &str) -> bool {
    let names = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty());
    text.contains("PRIVATE KEY")
        || (text.contains([':', '=']) && text.contains(['{', '&', ';']) && names.into_iter().any(is_secret_name))
}

/// The field that holds what a provider needs to connect.
const CONNECTION: &str = "connection_info";

/// Whether a field holds a secret, which depends on where it is: a bare `key` is one among credentials, and elsewhere
/// what tells things apart, as in the groups of `group_by`.
#[derive(Clone, Copy, Default)]
pub struct Place {
    among_credentials: bool,
}

impl Place {
    /// Among the fields of a `connection_info`.
    pub const CREDENTIALS: Place = Place { among_credentials: true };

    /// Inside the field of this name.
    pub fn inside(self, name: &str) -> Self {
        Self { among_credentials: self.among_credentials || name == CONNECTION }
    }

    pub fn is_secret(self, name: &str) -> bool {
        is_secret_name(name) || (self.among_credentials && name.eq_ignore_ascii_case("key"))
    }
}

/// Replaces every secret inside `value` by [`MASK`], at any depth.
pub fn mask(value: &mut Value) {
    mask_at(Place::default(), value);
}

fn mask_at(place: Place, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match field {
                    Value::String(_) | Value::Number(_) if place.is_secret(name) => *field = MASK.into(),
                    _ => mask_at(place.inside(name), field),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| mask_at(place, value)),
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
}
