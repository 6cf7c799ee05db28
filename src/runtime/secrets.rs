//! Secrets in the language: the operations on one, whose results are secrets as well.

use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map as ScriptMap, NativeCallContext, Position};
use serde_json::Value;

use crate::error::Error;
use crate::language::error::throw;
use crate::language::value::{Secret, Secrets, guarded, scalar_to_script, to_json};
use crate::secret::{MASK, Place, carried};

type Returned<T> = Result<T, Box<EvalAltResult>>;

/// Registers secrets with the engine: shown as `***`, carried by texts built with them, cut and compared as texts are.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Secret>("secret")
        .register_fn("to_string", |secret: &mut Secret| secret.carried())
        .register_fn("print", |secret: &mut Secret| secret.carried())
        .register_fn("to_debug", |_: &mut Secret| MASK)
        .register_fn("debug", |_: &mut Secret| MASK)
        // The engine's own would write the name of this type in place of a secret.
        .register_fn("to_json", |map: &mut ScriptMap| json(&Dynamic::from(map.clone())))
        .register_fn("to_json", |values: &mut Array| json(&Dynamic::from(values.clone())))
        // The engine's own would escape the character that carries a secret, and lose it.
        .register_fn("to_debug", |text: &mut ImmutableString| carried::quoted(text))
        .register_fn("debug", |text: &mut ImmutableString| carried::quoted(text))
        .register_fn("to_string", fields)
        .register_fn("to_debug", fields)
        .register_fn("print", fields)
        .register_fn("debug", fields)
        .register_fn("+", |a: Secret, b: Secret| joined(&a.carried(), &b.carried()))
        .register_fn("+", |a: Secret, b: char| joined(&a.carried(), &b.to_string()))
        .register_fn("+", |a: char, b: Secret| joined(&a.to_string(), &b.carried()))
        .register_fn("+", |a: Secret, b: i64| joined(&a.carried(), &b.to_string()))
        .register_fn("==", |a: Secret, b: Secret| a.equals(&b))
        .register_fn("!=", |a: Secret, b: Secret| !a.equals(&b))
        .register_fn("==", |a: Secret, b: ImmutableString| is(&a, &b))
        .register_fn("==", |a: ImmutableString, b: Secret| is(&b, &a))
        .register_fn("!=", |a: Secret, b: ImmutableString| !is(&a, &b))
        .register_fn("!=", |a: ImmutableString, b: Secret| !is(&b, &a))
        .register_fn("==", |a: Secret, b: i64| is(&a, &b.to_string()))
        .register_fn("==", |a: i64, b: Secret| is(&b, &a.to_string()))
        .register_fn("!=", |a: Secret, b: i64| !is(&a, &b.to_string()))
        .register_fn("!=", |a: i64, b: Secret| !is(&b, &a.to_string()))
        // What a text carries counts for what it is; the engine would not ask for its own types.
        .set_fast_operators(false)
        .register_fn("==", |a: ImmutableString, b: ImmutableString| carried::revealed(&a) == carried::revealed(&b))
        .register_fn("!=", |a: ImmutableString, b: ImmutableString| carried::revealed(&a) != carried::revealed(&b));
    register_looks(engine);
    register_parts(engine);
    register_changes(engine);
}

/// Registers the functions that tell something about a secret without revealing it.
fn register_looks(engine: &mut Engine) {
    let length = |secret: &mut Secret| said(secret).map(|text| count(&text));
    let empty = |secret: &mut Secret| said(secret).map(|text| text.is_empty());
    engine
        .register_fn("len", length)
        .register_get("len", length)
        .register_fn("is_empty", empty)
        .register_get("is_empty", empty)
        .register_fn("contains", |secret: &mut Secret, part: ImmutableString| {
            look(secret, |text| text.contains(&*part))
        })
        .register_fn("contains", |secret: &mut Secret, part: char| look(secret, |text| text.contains(part)))
        .register_fn("starts_with", |secret: &mut Secret, part: ImmutableString| {
            look(secret, |text| text.starts_with(&*part))
        })
        .register_fn("ends_with", |secret: &mut Secret, part: ImmutableString| {
            look(secret, |text| text.ends_with(&*part))
        })
        .register_fn("index_of", |secret: &mut Secret, part: ImmutableString| {
            look(secret, |text| text.find(&*part).map_or(-1, |at| count(&text[..at])))
        });
}

/// Registers the functions that cut a secret; the parts are secrets.
fn register_parts(engine: &mut Engine) {
    engine
        .register_fn("sub_string", |secret: &mut Secret, start: i64| cut(secret, start, i64::MAX))
        .register_fn("sub_string", |secret: &mut Secret, start: i64, length: i64| cut(secret, start, length))
        .register_fn("sub_string", |secret: &mut Secret, range: std::ops::Range<i64>| {
            cut(secret, range.start, range.end.saturating_sub(range.start))
        })
        .register_fn("sub_string", |secret: &mut Secret, range: std::ops::RangeInclusive<i64>| {
            cut(secret, *range.start(), range.end().saturating_sub(*range.start()).saturating_add(1))
        })
        .register_fn("split", |secret: &mut Secret| said(secret).map(|text| parts(text.split_whitespace())))
        .register_fn("split", |secret: &mut Secret, by: ImmutableString| {
            said(secret).map(|text| parts(text.split(&*by)))
        })
        .register_fn("split", |secret: &mut Secret, by: char| said(secret).map(|text| parts(text.split(by))))
        .register_fn("split", |secret: &mut Secret, by: ImmutableString, most: i64| {
            said(secret).map(|text| parts(text.splitn(usize::try_from(most).unwrap_or(1).max(1), &*by)))
        })
        .register_fn("parse_json", |secret: Secret| {
            let value =
                serde_json::from_str(&said(&secret)?).map_err(|_| thrown(Error::script("the secret is not JSON")))?;
            Ok::<_, Box<EvalAltResult>>(hidden(Place::CREDENTIALS, value))
        });
}

/// Registers the functions that change a secret, into a new one or in place, as for texts.
fn register_changes(engine: &mut Engine) {
    let upper = |text: &str| text.to_uppercase();
    let lower = |text: &str| text.to_lowercase();
    engine
        .register_fn("to_upper", move |secret: &mut Secret| said(secret).map(|text| Secret::new(upper(&text))))
        .register_fn("to_lower", move |secret: &mut Secret| said(secret).map(|text| Secret::new(lower(&text))))
        .register_fn("make_upper", move |secret: &mut Secret| change(secret, upper))
        .register_fn("make_lower", move |secret: &mut Secret| change(secret, lower))
        .register_fn("trim", |secret: &mut Secret| change(secret, |text| text.trim().to_owned()))
        .register_fn("replace", |secret: &mut Secret, part: ImmutableString, by: ImmutableString| {
            change(secret, |text| text.replace(&*part, &carried::revealed(&by)))
        })
        .register_fn("replace", |text: &mut ImmutableString, part: ImmutableString, by: Secret| {
            *text = text.replace(&*part, &by.carried()).into();
        });
}

fn said(secret: &Secret) -> Returned<String> {
    secret.expose().map(str::to_owned).map_err(thrown)
}

fn look<T>(secret: &Secret, at: impl FnOnce(&str) -> T) -> Returned<T> {
    said(secret).map(|text| at(&text))
}

fn joined(left: &str, right: &str) -> String {
    format!("{left}{right}")
}

fn thrown(error: Error) -> Box<EvalAltResult> {
    throw(error, Position::NONE)
}

fn count(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

fn is(secret: &Secret, text: &str) -> bool {
    secret.expose().is_ok_and(|secret| secret == carried::revealed(text))
}

/// From a position, counted from the end if it is negative.
fn cut(secret: &Secret, start: i64, length: i64) -> Returned<Secret> {
    let text = said(secret)?;
    let start = if start < 0 { (count(&text) + start).max(0) } else { start };
    let bound = |number: i64| usize::try_from(number.max(0)).unwrap_or(usize::MAX);
    Ok(Secret::part(text.chars().skip(bound(start)).take(bound(length)).collect::<String>()))
}

fn parts<'a>(texts: impl Iterator<Item = &'a str>) -> Array {
    texts.map(|text| Dynamic::from(Secret::part(text))).collect()
}

fn change(secret: &mut Secret, by: impl FnOnce(&str) -> String) -> Returned<()> {
    *secret = Secret::new(by(&said(secret)?));
    Ok(())
}

/// A value inside a secret, all of it hidden; a secret by name is masked in texts as well.
fn hidden(place: Place, value: Value) -> Dynamic {
    match value {
        Value::Array(values) => values.into_iter().map(|value| hidden(place, value)).collect::<Array>().into(),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| {
                let value = hidden(place.inside(&name), value);
                (rhai::Identifier::from(name), value)
            };
            fields.into_iter().map(field).collect::<ScriptMap>().into()
        }
        Value::String(text) if !text.is_empty() && !place.keeps_text(&text) => Dynamic::from(Secret::part(text)),
        plain => scalar_to_script(place, plain),
    }
}

/// A map as the engine writes it; its names keep carrying secrets.
fn fields(context: NativeCallContext, map: &mut ScriptMap) -> Returned<String> {
    let field = |(name, value): (&rhai::Identifier, &Dynamic)| {
        let value = context.call_native_fn::<Dynamic>("to_debug", (value.clone(),))?;
        Ok(format!("{}: {value}", carried::quoted(name)))
    };
    Ok(format!("#{{{}}}", map.iter().map(field).collect::<Returned<Vec<_>>>()?.join(", ")))
}

fn json(value: &Dynamic) -> String {
    to_json(value, Secrets::Carried).unwrap_or_else(|error| error.to_string().into()).to_string()
}

/// A value that a function of the language has read, with its secrets hidden.
pub fn received(value: Dynamic) -> Dynamic {
    guarded(Place::default(), value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::language::value::{to_script, to_shown};

    const SECRET: &str = "pl\"nted-1";

    fn evaluated(code: &str) -> Dynamic {
        let mut engine = Engine::new();
        register(&mut engine);
        let mut scope = rhai::Scope::new();
        scope.push_dynamic("e", to_script(json!({"host": "h", "connection_info": {"password": SECRET}})));
        scope.push_dynamic("s", Dynamic::from(Secret::new(SECRET)));
        scope.push_dynamic("n", Dynamic::from(Secret::new("4711").number()));
        engine.eval_with_scope::<Dynamic>(&mut scope, code).unwrap_or_else(|error| panic!("{code}: {error}"))
    }

    #[test]
    fn what_is_made_of_a_secret_is_one_and_a_request_has_it_whole() {
        let json = serde_json::to_string(SECRET).unwrap();
        for (code, sent, shown) in [
            ("s", json!(SECRET), json!("***")),
            ("\"Bearer \" + s", json!(format!("Bearer {SECRET}")), json!("Bearer ***")),
            ("s + \"!\"", json!(format!("{SECRET}!")), json!("***!")),
            ("`a ${s} b`", json!(format!("a {SECRET} b")), json!("a *** b")),
            ("let t = \"a\"; t += s; t += 1; t", json!(format!("a{SECRET}1")), json!("a***1")),
            ("s.to_string()", json!(SECRET), json!("***")),
            ("[s, #{ a: s }]", json!([SECRET, {"a": SECRET}]), json!(["***", {"a": "***"}])),
            ("#{ a: s }.to_json()", json!(format!("{{\"a\":{json}}}")), json!("{\"a\":\"***\"}")),
            ("#{ a: `x${s}` }.to_json()", json!(format!("{{\"a\":\"x{}", &json[1..]) + "}"), json!("{\"a\":\"x***\"}")),
            ("s.to_upper()", json!(SECRET.to_uppercase()), json!("***")),
            ("s.sub_string(0, 2)", json!("pl"), json!("***")),
            ("s.sub_string(-1)", json!("1"), json!("***")),
            ("s.sub_string(0..2)", json!("pl"), json!("***")),
            ("s.split(\"-\")", json!(["pl\"nted", "1"]), json!(["***", "***"])),
            ("let t = s; t.replace(\"pl\", \"x\"); t", json!("x\"nted-1"), json!("***")),
            ("let t = \"a-b\"; t.replace(\"b\", s); t", json!(format!("a-{SECRET}")), json!("a-***")),
            ("(\"a:\" + s).split(\":\")[1]", json!(SECRET), json!("***")),
            ("(\"Bearer \" + s).to_lower()", json!(format!("bearer {SECRET}")), json!("bearer ***")),
            ("`${[`x${s}`]}`", json!(format!("[\"x{SECRET}\"]")), json!("[\"x***\"]")),
            (
                "let m = #{}; m[`x${s}`] = [s]; `${m}`",
                json!(format!("#{{\"x{SECRET}\": [***]}}")),
                json!("#{\"x***\": [***]}"),
            ),
            ("s + s", json!(format!("{SECRET}{SECRET}")), json!("******")),
        ] {
            let value = evaluated(code);
            assert_eq!(to_shown(&value), shown, "{code}");
            assert_eq!(to_json(&value, Secrets::Exposed).unwrap(), sent, "{code}");
            let raw = value.into_immutable_string().unwrap_or_default();
            assert!(!raw.contains("nted"), "{code}: in clear inside of the script");
        }
    }

    #[test]
    fn a_secret_is_compared_and_measured_like_a_text() {
        for code in [
            "s.len() == 9 && !s.is_empty() && s.contains(\"nt\") && s.starts_with(\"pl\") && s.ends_with(\"1\")",
            "s == \"pl\\\"nted-1\" && \"other\" != s && s == e.connection_info.password && s == `${s}`",
            "s.index_of(\"-\") == 7",
            "\"a\" + s == \"apl\\\"nted-1\" && \"apl\\\"nted-1\" == \"a\" + s && \"a\" + s != \"a\" && !(\"a\" + s != `a${s}`)",
            "[\"apl\\\"nted-1\"].contains(\"a\" + s) && \"a\" + s in [\"apl\\\"nted-1\"]",
            "n == 4711 && 4711 == n && n != 4712 && n == \"4711\"",
        ] {
            assert!(evaluated(code).as_bool().unwrap(), "{code}");
        }
    }

    #[test]
    fn what_stands_in_a_secret_is_hidden_too() {
        let mut engine = Engine::new();
        register(&mut engine);
        let mut scope = rhai::Scope::new();
        scope.push_dynamic("s", Dynamic::from(Secret::new(r#"{"host": "h", "password": "p", "port": 1}"#)));
        let value = engine.eval_with_scope::<Dynamic>(&mut scope, "parse_json(s)").unwrap();
        assert_eq!(to_shown(&value), json!({"host": "***", "password": "***", "port": 1}));
        assert_eq!(to_json(&value, Secrets::Exposed).unwrap(), json!({"host": "h", "password": "p", "port": 1}));
    }
}
