//! Values that must never be shown: the fields that hold them, the way texts carry them, and the mask over everything
//! that leaves.
//!
//! One law: a value from a secret place stays a secret until a request has it, whatever its name and whatever it was
//! put into (`carried`); those that the process has met are masked in every text that leaves it (`known`); names (this
//! file) and looks (`found`) are the second net.

pub mod carried;
mod found;
mod known;

pub use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

pub use found::{holds_secret, passwords};
pub use known::{Known, SHORTEST};

/// The text shown in place of a secret.
pub const MASK: &str = "***";

/// The parts that make a name that of a secret, wherever they stand in it.
const PARTS: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "credential",
    "privatekey",
    "apikey",
    "accesskey",
    "sharedkey",
    "accountkey",
    "signingkey",
    "encryptionkey",
    "connectionstring",
    "connstr",
    "kennwort",
];
/// The same as whole words.
const WHOLE: [&str; 16] = [
    "pw",
    "pwd",
    "pass",
    "pem",
    "community",
    "sas",
    "otp",
    "totp",
    "pin",
    "psk",
    "jwt",
    "authorization",
    "cookie",
    "cred",
    "creds",
    "passwort",
];
/// Words for facts about a secret: `secret_ref`, `token_expires_at`, `secret_type`, `password_file`.
const ABOUT: [&str; 27] = [
    "ref",
    "refs",
    "url",
    "uri",
    "id",
    "ids",
    "type",
    "types",
    "name",
    "names",
    "count",
    "length",
    "size",
    "at",
    "expiry",
    "expires",
    "expiration",
    "lifetime",
    "ttl",
    "algorithm",
    "policy",
    "path",
    "file",
    "format",
    "encoding",
    "status",
    "description",
];

/// True if a field with this name holds a secret.
///
/// Providers name their credentials freely (`password`, `secret_access_key`, `clientSecret`, `sas`...), so the words of
/// the name decide. `secret_ref` is the address of a secret in Barbican, not the secret.
pub fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let about = words.last().is_none_or(|last| ABOUT.contains(&last.as_str()));
    let together = words.concat();
    let whole = |word: &String| WHOLE.contains(&word.as_str()) || is_nearly(word);
    !about && (PARTS.iter().any(|part| together.contains(part)) || words.iter().any(whole))
}

/// True if numbers under this name are secrets: a password may be one, but `secrets: 3` is a count.
fn is_password_name(name: &str) -> bool {
    let words = words(name);
    let word = |word: &String| {
        matches!(word.as_str(), "pw" | "pwd" | "pass" | "pin" | "otp" | "totp" | "psk") || is_password(word)
    };
    words.iter().any(word)
}

fn is_password(word: &str) -> bool {
    matches!(word, "password" | "passwd" | "passcode" | "passphrase")
}

/// `clientSecret`, `client_secret` and `Client Secret` are two words each, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for letter in name.chars() {
        if letter.is_alphanumeric() {
            if words.is_empty() || !before.is_alphanumeric() || (before.is_lowercase() && letter.is_uppercase()) {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(letter.to_lowercase());
            }
        }
        before = letter;
    }
    words
}

/// True if a word is nearly one of those: a mistyped name still holds a secret.
fn is_nearly(word: &str) -> bool {
    ["password", "passphrase", "secret"]
        .iter()
        .any(|secret| word.len() + 2 > secret.len() && strsim::damerau_levenshtein(word, secret) <= secret.len() / 4)
}

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
    fn names_of_secrets_are_told_from_what_is_said_of_secrets() {
        for name in [
            "sas",
            "otp",
            "pin",
            "credentials",
            "connection_string",
            "connectionString",
            "vcenter_password",
            "adminPw",
            "API-Key",
            "VM Password",
            "Passwort",
            "secret_access_key",
            "Authorization",
            "tokens",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "secret_type",
            "secretType",
            "secret_ref",
            "secret_name",
            "token_expires_at",
            "access_key_id",
            "password_file",
            "pinned",
            "status",
            "name",
            "host",
            "network",
            "compass",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
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
