//! Names of secrets: fields that are called like one hold one.

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
pub(super) fn is_password_name(name: &str) -> bool {
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
pub(super) fn words(name: &str) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
