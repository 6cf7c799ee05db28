//! Secrets that a text reveals by itself, whatever its name: the password of a URL, `password=...`, a private key.

use std::ops::Range;

use super::names::{MASK, is_secret_name};

/// Shorter secrets are too often part of other words: they are masked as whole values, not inside texts.
pub const SHORTEST: usize = 6;

/// The passwords in a text: that of each URL, and the value of each `name=value` with a secret's name. Pure.
pub fn passwords(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = text.match_indices("://").filter_map(|(at, _)| of_url(text, at + 3)).collect();
    for (at, _) in text.match_indices('=') {
        found.extend(
            of_assignment(text, at)
                .filter(|range| !found.iter().any(|other| other.start < range.end && range.start < other.end)),
        );
    }
    found.sort_by_key(|range| range.start);
    found
}

/// True if the whole text is to be hidden: a private key, or a text with a password in it.
pub fn holds_secret(text: &str) -> bool {
    text.contains("PRIVATE KEY") || !passwords(text).is_empty()
}

/// `user:PASSWORD@host` behind `://`. A password may contain an `@`: the last one before the path counts.
fn of_url(text: &str, begin: usize) -> Option<Range<usize>> {
    let ends = |letter: char| {
        matches!(letter, '/' | '?' | '#' | '"' | '\'' | '`' | '<' | '>' | ',' | ';') || letter.is_whitespace()
    };
    let length = text[begin..].find(ends).unwrap_or(text.len() - begin);
    let authority = &text[begin..begin + length];
    let (login, _) = authority.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    let range = begin + login.len() - password.len()..begin + login.len();
    (!password.is_empty() && password != MASK).then_some(range)
}

/// `password=VALUE` around the `=` at this position, without spaces. A short number is a count.
fn of_assignment(text: &str, at: usize) -> Option<Range<usize>> {
    let of_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    let name = text[..at].rsplit(|letter| !of_name(letter)).next()?;
    let begin = at + 1;
    let ends = |letter: char| {
        matches!(letter, '&' | ';' | ',' | '"' | '\'' | '`' | '<' | ')' | '}' | ']') || letter.is_whitespace()
    };
    let length = text[begin..].find(ends).unwrap_or(text.len() - begin);
    let value = &text[begin..begin + length];
    let plain = value.is_empty()
        || value.starts_with(['=', '>', '*', '.', '$', '{'])
        || (value.len() < SHORTEST && value.bytes().all(|byte| byte.is_ascii_digit()))
        || matches!(value, "true" | "false" | "null" | "none" | "None");
    (is_secret_name(name) && !plain).then(|| begin..begin + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        passwords(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn passwords_of_urls_and_of_assignments_are_found_and_nothing_else() {
        for (text, expected) in [
            ("postgres://u:p4ss@db.example/app", vec!["p4ss"]),
            ("see https://ann:a@b:c@host:5000/v3?x=1 and http://host:5000/v3", vec!["a@b:c"]),
            ("Server=db;Uid=u;Pwd=hunter2;Encrypt=true", vec!["hunter2"]),
            ("https://store.example/x?sas_token=abc%2F&sv=1", vec!["abc%2F"]),
            ("login failed: password=hunter2 is wrong", vec!["hunter2"]),
            ("give it: `--set password=...`", vec![]),
            ("if token == x { secrets = 3 } max_tokens=4096 secret_type=opaque", vec![]),
            ("ann@example.com http://ann@host/ a://b:c", vec![]),
            ("redis://:only@host", vec!["only"]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        assert!(holds_secret("-----BEGIN RSA PRIVATE KEY-----"));
        assert!(!holds_secret("the password policy: long ones; no `{`"));
    }
}
