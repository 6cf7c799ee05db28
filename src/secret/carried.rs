//! Secrets inside texts: a text built with a secret carries one character in the secret's place.
//!
//! The character is from Unicode's private planes, so that a text may be cut, joined and written as JSON in any way
//! that the script language offers, and the secret goes along whole. It is filled in where a request leaves and shown
//! as `***` everywhere else. The table belongs to the process: a text outlives its maker, and no character is given out
//! twice.

use std::borrow::Cow;
use std::collections::HashMap;

use parking_lot::{Mutex, MutexGuard};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::names::MASK;

/// Two planes of private use.
const FIRST: u32 = 0xF0000;
const LAST: u32 = 0x10_FFFD;

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

#[derive(Default)]
struct Table {
    texts: Vec<SecretString>,
    /// By a hash, so that the same secret has the same character.
    known: HashMap<[u8; 32], char>,
}

fn table() -> MutexGuard<'static, Option<Table>> {
    TABLE.lock()
}

fn is_handle(letter: char) -> bool {
    (FIRST..=LAST).contains(&u32::from(letter))
}

/// True if a text carries a secret.
pub fn carries(text: &str) -> bool {
    // The first bytes of the four that encode such a character.
    text.bytes().any(|byte| matches!(byte, 0xF3 | 0xF4)) && text.contains(is_handle)
}

/// The character that stands for this secret in a text; `***` once the process has met more secrets than there are
/// characters.
pub fn carry(secret: &str) -> String {
    let mut table = table();
    let table = table.get_or_insert_default();
    let hash = *blake3::hash(secret.as_bytes()).as_bytes();
    if let Some(known) = table.known.get(&hash) {
        return known.to_string();
    }
    let next =
        u32::try_from(table.texts.len()).ok().and_then(|index| FIRST.checked_add(index)).filter(|next| *next <= LAST);
    match next.and_then(char::from_u32).filter(|letter| is_handle(*letter)) {
        Some(letter) => {
            table.texts.push(secret.into());
            table.known.insert(hash, letter);
            letter.to_string()
        }
        None => MASK.to_owned(),
    }
}

/// The text with its secrets: only for requests.
pub fn revealed(text: &str) -> Cow<'_, str> {
    replaced(text, |secret| secret)
}

/// The text for people.
pub fn shown(text: &str) -> Cow<'_, str> {
    replaced(text, |_| MASK)
}

/// Fills the secrets into all texts of a value that leaves as a request.
pub fn reveal(value: &mut Value) {
    match value {
        Value::String(text) if carries(text) => *text = revealed(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(reveal),
        Value::Object(fields) => fields.values_mut().for_each(reveal),
        _ => {}
    }
}

/// The text as it stands inside JSON: the secrets that it carries are escaped as well.
pub fn as_json(text: &str) -> String {
    let part = |letter: char| match is_handle(letter) {
        true => carry(escaped(&revealed(&letter.to_string())).as_str()),
        false => letter.to_string(),
    };
    text.chars().map(part).collect()
}

/// The text in quotes, as in debugging output; it keeps carrying its secrets.
pub fn quoted(text: &str) -> String {
    let plain = |text: &str| {
        let quoted = format!("{text:?}");
        quoted[1..quoted.len() - 1].to_owned()
    };
    let parts = text.split_inclusive(is_handle).map(|part| match part.char_indices().next_back() {
        Some((at, letter)) if is_handle(letter) => plain(&part[..at]) + &part[at..],
        _ => plain(part),
    });
    format!("\"{}\"", parts.collect::<String>())
}

/// Without the quotes.
fn escaped(text: &str) -> String {
    let json = Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

fn replaced(text: &str, by: impl for<'a> Fn(&'a str) -> &'a str) -> Cow<'_, str> {
    if !carries(text) {
        return Cow::Borrowed(text);
    }
    let table = table();
    let secret = |letter: char| {
        let index = usize::try_from(u32::from(letter) - FIRST).ok()?;
        table.as_ref()?.texts.get(index).map(ExposeSecret::expose_secret)
    };
    let mut whole = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_handle(letter).then(|| secret(letter)).flatten() {
            Some(secret) => whole.push_str(by(secret)),
            None => whole.push(letter),
        }
    }
    Cow::Owned(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_carries_its_secret_through_whatever_is_done_to_it() {
        let text = format!("Bearer {}", carry("planted-carried"));
        assert_eq!(carry("planted-carried"), carry("planted-carried"));
        assert!(carries(&text) && !text.contains("planted"));
        assert_eq!(revealed(&text), "Bearer planted-carried");
        assert_eq!(shown(&text), "Bearer ***");
        assert_eq!(revealed(text.to_uppercase().split(' ').next_back().unwrap()), "planted-carried");
        let mut body = serde_json::json!({"a": [text]});
        reveal(&mut body);
        assert_eq!(body, serde_json::json!({"a": ["Bearer planted-carried"]}));
        let object = format!("{{\"a\": \"{}\"}}", as_json(&carry("q\"q-planted")));
        assert_eq!(serde_json::from_str::<Value>(&revealed(&object)).unwrap()["a"], "q\"q-planted");
        assert!(!carries("plain \u{1F600}"));
        assert_eq!(quoted("a \"b\" '\n\u{1F600}"), "\"a \\\"b\\\" '\\n\u{1F600}\"");
        let again = quoted(&format!("\"{0}\"{0}", carry("planted-quoted")));
        assert_eq!(revealed(&again), "\"\\\"planted-quoted\\\"planted-quoted\"");
    }
}
