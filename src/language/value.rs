//! Values between JSON and the script: plain maps and arrays, and opaque secrets.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, OnceLock};

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map as ScriptMap};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::memory;
use crate::secret::{MASK, Place, carried};

/// A secret in a script: usable in requests, shown as `***`.
#[derive(Clone)]
pub struct Secret {
    kept: Arc<Kept>,
    /// Sent as a number.
    number: bool,
}

enum Kept {
    Known(SecretString),
    /// Part of a secret: alone it may be a common word.
    Part(SecretString),
    /// Recorded only by its hash, and read again when it is needed.
    Recorded {
        hash: String,
        read: Box<dyn Fn() -> Result<String> + Send + Sync>,
        found: OnceLock<Result<SecretString>>,
    },
}

impl Secret {
    fn kept(kept: Kept) -> Self {
        Self { kept: Arc::new(kept), number: false }
    }

    /// The same as a number: requests have it without quotes.
    #[must_use]
    pub fn number(self) -> Self {
        Self { number: true, ..self }
    }

    pub fn is_number(&self) -> bool {
        self.number
    }

    /// The value for a request.
    fn sent(&self) -> Result<Value> {
        let text = self.expose()?;
        let number = self.number.then(|| serde_json::from_str(text).ok().map(Value::Number)).flatten();
        Ok(number.unwrap_or_else(|| text.into()))
    }

    pub fn new(text: impl Into<String>) -> Self {
        Self::kept(Kept::Known(SecretString::from(text.into())))
    }

    /// A part of a secret.
    pub fn part(text: impl Into<String>) -> Self {
        Self::kept(Kept::Part(SecretString::from(text.into())))
    }

    pub fn is_part(&self) -> bool {
        matches!(self.kept.as_ref(), Kept::Part(_))
    }

    /// A secret that is read when it is used for the first time.
    pub fn lazy(hash: &str, read: impl Fn() -> Result<String> + Send + Sync + 'static) -> Self {
        Self::kept(Kept::Recorded { hash: hash.to_owned(), read: Box::new(read), found: OnceLock::new() })
    }

    /// # Errors
    /// It has to be read again, and cannot be.
    pub fn expose(&self) -> Result<&str> {
        match self.kept.as_ref() {
            Kept::Known(text) | Kept::Part(text) => Ok(text.expose_secret()),
            Kept::Recorded { read, found, .. } => {
                let found = found.get_or_init(|| read().map(SecretString::from));
                found.as_ref().map(|text| text.expose_secret()).map_err(Clone::clone)
            }
        }
    }

    /// The hash of a recorded secret.
    pub fn recorded(&self) -> Option<&str> {
        match self.kept.as_ref() {
            Kept::Known(_) | Kept::Part(_) => None,
            Kept::Recorded { hash, .. } => Some(hash),
        }
    }

    /// The text that stands for it in other texts. One that cannot be read again is `***`, and a request with it is
    /// refused before.
    pub fn carried(&self) -> String {
        self.expose().map_or_else(|_| MASK.to_owned(), carried::carry)
    }

    pub fn equals(&self, other: &Self) -> bool {
        matches!((self.expose(), other.expose()), (Ok(one), Ok(other)) if one == other)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// A server's answer, as a script sees it; text under the name of a secret becomes a [`Secret`].
pub fn to_script(value: Value) -> Dynamic {
    to_script_at(Place::default(), value)
}

fn to_script_at(place: Place, value: Value) -> Dynamic {
    match value {
        Value::Array(values) => values.into_iter().map(|value| to_script_at(place, value)).collect::<Array>().into(),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| {
                let value = to_script_at(place.inside(&name), value);
                (rhai::Identifier::from(name), value)
            };
            fields.into_iter().map(field).collect::<ScriptMap>().into()
        }
        plain => scalar_to_script(place, plain),
    }
}

/// A value from outside with its secrets hidden: read by a function, or answered by a server.
pub fn guarded(place: Place, value: Dynamic) -> Dynamic {
    if value.is_string() {
        let text = value.into_immutable_string().unwrap_or_default();
        return if place.keeps_text(&text) { Dynamic::from(Secret::new(text.as_str())) } else { text.into() };
    }
    if value.is_array() {
        let values = value.into_array().unwrap_or_default();
        return values.into_iter().map(|value| guarded(place, value)).collect::<Array>().into();
    }
    if value.is_map() {
        let fields = value.cast::<ScriptMap>();
        let field = |(name, value): (rhai::Identifier, Dynamic)| {
            let value = guarded(place.inside(&name), value);
            (name, value)
        };
        return fields.into_iter().map(field).collect::<ScriptMap>().into();
    }
    value
}

/// A value that is neither a list nor an object: a secret by its position or its looks, or unchanged.
pub fn scalar_to_script(place: Place, value: Value) -> Dynamic {
    match value {
        Value::String(text) if place.keeps_text(&text) => Dynamic::from(Secret::new(text)),
        Value::Number(number) if place.keeps(&Value::Number(number.clone())) => {
            Dynamic::from(Secret::new(number.to_string()).number())
        }
        Value::Bool(flag) => flag.into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.into(),
        Value::Null | Value::Array(_) | Value::Object(_) => Dynamic::UNIT,
    }
}

/// The form of secrets in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// As they are, for a request.
    Exposed,
    /// As `***`, for people.
    Masked,
    /// As the characters that carry them in a text of JSON.
    Carried,
}

/// A script's value as JSON.
///
/// # Errors
/// `Script` for a value that JSON cannot express: a closure, or a number that is not finite.
pub fn to_json(value: &Dynamic, secrets: Secrets) -> Result<Value> {
    if value.is_shared() {
        return to_json(&value.flatten_clone(), secrets);
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(flag.into());
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        return serde_json::Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| Error::script(format!("the number {number} cannot be sent")));
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(match secrets {
            Secrets::Exposed => carried::revealed(&text).into(),
            Secrets::Masked => carried::shown(&text).into(),
            Secrets::Carried => carried::as_json(&text).into(),
        });
    }
    if let Ok(character) = value.as_char() {
        return Ok(character.to_string().into());
    }
    if let Some(values) = value.read_lock::<Array>() {
        return values.iter().map(|value| to_json(value, secrets)).collect::<Result<Vec<_>>>().map(Value::Array);
    }
    if let Some(fields) = value.read_lock::<ScriptMap>() {
        return fields
            .iter()
            .map(|(name, value)| Ok((name.to_string(), to_json(value, secrets)?)))
            .collect::<Result<Map<_, _>>>()
            .map(Value::Object);
    }
    if let Some(secret) = value.read_lock::<Secret>() {
        return Ok(match secrets {
            Secrets::Exposed => secret.sent()?,
            Secrets::Masked => MASK.into(),
            Secrets::Carried => carried::as_json(&secret.carried()).into(),
        });
    }
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        return numbers(range.clone(), range.start.abs_diff(range.end));
    }
    if let Some(range) = value.read_lock::<std::ops::RangeInclusive<i64>>() {
        return numbers(range.clone(), range.start().abs_diff(*range.end()));
    }
    if secrets != Secrets::Exposed {
        return Ok(describe(value).into());
    }
    Err(Error::script(format!("{} cannot be part of a request", describe(value))))
}

/// The numbers of a range, one by one.
fn numbers(range: impl Iterator<Item = i64>, count: u64) -> Result<Value> {
    memory::check_with(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(size_of::<Value>()))?;
    Ok(range.map(Value::from).collect())
}

/// The same for people: it never fails, and secrets are `***`.
pub fn to_shown(value: &Dynamic) -> Value {
    to_json(value, Secrets::Masked).unwrap_or_else(|error| error.to_string().into())
}

/// The kind of a value in words: `a text`, `a list`, `a closure`.
pub fn describe(value: &Dynamic) -> &'static str {
    if value.is_shared() {
        return describe(&value.flatten_clone());
    }
    if value.is_unit() {
        "nothing `()`"
    } else if value.is_bool() {
        "true or false"
    } else if value.is_int() {
        "a whole number"
    } else if value.is_float() {
        "a number"
    } else if value.is_string() || value.is_char() {
        "a text"
    } else if value.is_array() {
        "a list"
    } else if value.is_map() {
        "an object map"
    } else if value.is::<FnPtr>() {
        "a closure"
    } else if value.is::<Secret>() {
        "a secret"
    } else if value.is::<Range<i64>>() || value.is::<RangeInclusive<i64>>() {
        "a range"
    } else {
        "something else"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_round_trip_keeps_everything_and_shows_no_secret() {
        let sent = json!({"id": "1", "connection_info": {"host": "h", "password": "planted", "port": 443, "pin": 4711},
            "list": [1, 2.5, null, true], "secret_ref": "http://b"});
        let script = to_script(sent.clone());
        assert_eq!(to_json(&script, Secrets::Exposed).unwrap(), sent);
        assert!(!to_shown(&script).to_string().contains("planted"));
        assert_eq!(to_shown(&script)["connection_info"]["password"], "***");
    }
}
