//! Values between JSON and the script: plain maps and arrays, secrets opaque.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString, Map as ScriptMap};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::secret::{MASK, Place};

/// A secret in a script: usable in requests, shown as `***`.
#[derive(Clone)]
pub struct Secret(Arc<Kept>);

enum Kept {
    Known(SecretString),
    /// Recorded by its hash alone, and read again when it is needed.
    Recorded {
        hash: String,
        read: Box<dyn Fn() -> Result<String> + Send + Sync>,
        found: OnceLock<Result<SecretString>>,
    },
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Kept::Known(SecretString::from(text.into()))))
    }

    /// One that is read when it is used for the first time.
    pub fn lazy(hash: &str, read: impl Fn() -> Result<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Kept::Recorded { hash: hash.to_owned(), read: Box::new(read), found: OnceLock::new() }))
    }

    /// # Errors
    /// When it has to be read again, and cannot be.
    pub fn expose(&self) -> Result<&str> {
        match self.0.as_ref() {
            Kept::Known(text) => Ok(text.expose_secret()),
            Kept::Recorded { read, found, .. } => {
                let found = found.get_or_init(|| read().map(SecretString::from));
                found.as_ref().map(|text| text.expose_secret()).map_err(Clone::clone)
            }
        }
    }

    /// The hash of one that was recorded.
    pub fn recorded(&self) -> Option<&str> {
        match self.0.as_ref() {
            Kept::Known(_) => None,
            Kept::Recorded { hash, .. } => Some(hash),
        }
    }

    fn equals(&self, other: &Self) -> bool {
        matches!((self.expose(), other.expose()), (Ok(one), Ok(other)) if one == other)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Teaches the engine to show a [`Secret`] as `***`, to compare it, and nothing else.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Secret>("secret")
        .register_fn("to_string", |_: &mut Secret| MASK)
        .register_fn("to_debug", |_: &mut Secret| MASK)
        .register_fn("print", |_: &mut Secret| MASK)
        .register_fn("debug", |_: &mut Secret| MASK)
        // The engine's own would write the name of this type in a secret's place.
        .register_fn("to_json", |map: &mut ScriptMap| to_shown(&Dynamic::from(map.clone())).to_string())
        .register_fn("+", |text: ImmutableString, _: Secret| format!("{text}{MASK}"))
        .register_fn("+", |_: Secret, text: ImmutableString| format!("{MASK}{text}"))
        .register_fn("==", |a: Secret, b: Secret| a.equals(&b))
        .register_fn("!=", |a: Secret, b: Secret| !a.equals(&b));
}

/// What a server sent, as a script sees it; text under the name of a secret becomes a [`Secret`].
pub fn to_script(value: Value) -> Dynamic {
    to_script_at(Place::default(), value)
}

fn to_script_at(place: Place, value: Value) -> Dynamic {
    match value {
        Value::Array(values) => values.into_iter().map(|value| to_script_at(place, value)).collect::<Array>().into(),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| {
                let value = field_to_script(place, &name, value, to_script_at);
                (rhai::Identifier::from(name), value)
            };
            fields.into_iter().map(field).collect::<ScriptMap>().into()
        }
        plain => scalar_to_script(plain),
    }
}

/// A field's value: a secret by its name and place, or what `otherwise` makes of it.
pub(super) fn field_to_script(
    place: Place,
    name: &str,
    value: Value,
    otherwise: impl FnOnce(Place, Value) -> Dynamic,
) -> Dynamic {
    match value {
        Value::String(text) if place.is_secret(name) => Dynamic::from(Secret::new(text)),
        Value::Number(number) if place.is_secret(name) => Dynamic::from(Secret::new(number.to_string())),
        other => otherwise(place.inside(name), other),
    }
}

/// What is neither a list nor an object.
pub(super) fn scalar_to_script(value: Value) -> Dynamic {
    match value {
        Value::Bool(flag) => flag.into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.into(),
        Value::Null | Value::Array(_) | Value::Object(_) => Dynamic::UNIT,
    }
}

/// Whether secrets come out as they are (for a request) or as `***` (for eyes).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    Exposed,
    Masked,
}

/// A script's value as JSON.
///
/// # Errors
/// `Script` for what JSON cannot say: a closure, a number that is none.
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
        return Ok(text.as_str().into());
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
        return Ok(if secrets == Secrets::Exposed { secret.expose()?.into() } else { MASK.into() });
    }
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        return Ok(range.clone().map(Value::from).collect());
    }
    if let Some(range) = value.read_lock::<std::ops::RangeInclusive<i64>>() {
        return Ok(range.clone().map(Value::from).collect());
    }
    if secrets == Secrets::Masked {
        return Ok(describe(value).into());
    }
    Err(Error::script(format!("{} cannot be part of a request", describe(value))))
}

/// The same, for eyes: nothing fails, secrets are `***`.
pub fn to_shown(value: &Dynamic) -> Value {
    to_json(value, Secrets::Masked).unwrap_or_else(|error| error.to_string().into())
}

/// What a value is, in words: `a text`, `a list`, `a closure`.
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
        let sent = json!({"id": "1", "connection_info": {"host": "h", "password": "planted", "port": 443},
            "list": [1, 2.5, null, true], "secret_ref": "http://b"});
        let script = to_script(sent.clone());
        assert_eq!(to_json(&script, Secrets::Exposed).unwrap(), sent);
        assert!(!to_shown(&script).to_string().contains("planted"));
        assert_eq!(to_shown(&script)["connection_info"]["password"], "***");
    }

    #[test]
    fn a_script_prints_a_secret_as_stars() {
        let mut engine = Engine::new();
        register(&mut engine);
        let mut scope = rhai::Scope::new();
        scope.push_dynamic("e", to_script(json!({"connection_info": {"password": "planted"}})));
        for code in [
            "`${e}`",
            "`${e.connection_info.password}`",
            "\"p: \" + e.connection_info.password",
            "e.to_string()",
            "e.to_json()",
        ] {
            let shown = engine.eval_with_scope::<String>(&mut scope, code).unwrap();
            assert!(!shown.contains("planted") && shown.contains("***"), "{code}: {shown}");
        }
    }
}
