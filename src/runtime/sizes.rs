//! Functions of the language whose result can be much larger than their arguments: they check the limits first.

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext};

use crate::language::error::throw;
use crate::memory;

type Made<T = ()> = Result<T, Box<EvalAltResult>>;

/// The size of an element of a list, and of a short text in one.
const ELEMENT: usize = size_of::<Dynamic>();
const PIECE: usize = ELEMENT + 64;

/// Replaces the engine's own functions.
pub fn register(engine: &mut Engine) {
    engine
        .register_fn("pad", pad_list)
        .register_fn("pad", pad_blob)
        .register_fn("pad", |context: NativeCallContext, text: &mut ImmutableString, length: i64, with: char| {
            pad_text(&context, text, length, with.encode_utf8(&mut [0; 4]))
        })
        .register_fn("pad", |context: NativeCallContext, text: &mut ImmutableString, length: i64, with: &str| {
            pad_text(&context, text, length, with)
        })
        .register_fn("blob", |context: NativeCallContext, length: i64| blob(&context, length, 0))
        .register_fn("blob", |context: NativeCallContext, length: i64, value: i64| blob(&context, length, value))
        .register_fn("to_array", |context: NativeCallContext, blob: &mut Blob| -> Made<Array> {
            room(&context, blob.len(), ELEMENT)?;
            Ok(blob.iter().map(|byte| Dynamic::from(i64::from(*byte))).collect())
        })
        .register_fn("parse_json", |context: NativeCallContext, text: &str| -> Made<Dynamic> {
            room(&context, text.len(), ELEMENT)?;
            serde_json::from_str(text).map_err(|error| error.to_string().into())
        })
        .register_fn("to_chars", |context: NativeCallContext, text: &str| -> Made<Array> {
            room(&context, text.len(), ELEMENT)?;
            Ok(text.chars().map(Dynamic::from).collect())
        })
        .register_fn("split", |context: NativeCallContext, text: &str| -> Made<Array> {
            if text.is_empty() {
                return Ok(vec![ImmutableString::new().into()]);
            }
            room(&context, text.split_whitespace().count(), PIECE)?;
            Ok(text.split_whitespace().map(|piece| piece.to_owned().into()).collect())
        });
    for (name, backwards) in [("split", false), ("split_rev", true)] {
        let all = usize::MAX;
        engine
            .register_fn(name, move |context: NativeCallContext, text: &str, by: &str| {
                split(&context, text, by, all, backwards)
            })
            .register_fn(name, move |context: NativeCallContext, text: &str, by: char| {
                split(&context, text, by.encode_utf8(&mut [0; 4]), all, backwards)
            })
            .register_fn(name, move |context: NativeCallContext, text: &str, by: &str, most: i64| {
                split(&context, text, by, usize::try_from(most).unwrap_or(0), backwards)
            })
            .register_fn(name, move |context: NativeCallContext, text: &str, by: char, most: i64| {
                split(&context, text, by.encode_utf8(&mut [0; 4]), usize::try_from(most).unwrap_or(0), backwards)
            });
    }
    engine
        .register_fn("replace", |context: NativeCallContext, text: &mut ImmutableString, from: &str, to: &str| {
            replace(&context, text, from, to)
        })
        .register_fn("replace", |context: NativeCallContext, text: &mut ImmutableString, from: &str, to: char| {
            replace(&context, text, from, to.encode_utf8(&mut [0; 4]))
        })
        .register_fn("replace", |context: NativeCallContext, text: &mut ImmutableString, from: char, to: &str| {
            replace(&context, text, from.encode_utf8(&mut [0; 4]), to)
        })
        .register_fn("replace", |context: NativeCallContext, text: &mut ImmutableString, from: char, to: char| {
            replace(&context, text, from.encode_utf8(&mut [0; 4]), to.encode_utf8(&mut [0; 4]))
        });
}

/// Checks for memory for `count` elements of a size.
fn room(context: &NativeCallContext, count: usize, each: usize) -> Made {
    let needed = count.saturating_mul(each);
    memory::check_with(needed).map_err(|error| throw(error, context.call_position()))
}

fn pad_list(context: NativeCallContext, list: &mut Array, length: i64, element: Dynamic) -> Made {
    let Some((length, more)) = missing(length, list.len()) else { return Ok(()) };
    room(&context, more, ELEMENT.saturating_add(weight(&element)))?;
    list.resize(length, element);
    Ok(())
}

fn pad_blob(context: NativeCallContext, blob: &mut Blob, length: i64, value: i64) -> Made {
    let Some((length, more)) = missing(length, blob.len()) else { return Ok(()) };
    room(&context, more, 1)?;
    blob.resize(length, low_byte(value));
    Ok(())
}

fn pad_text(context: &NativeCallContext, text: &mut ImmutableString, length: i64, with: &str) -> Made {
    let Some((_, more)) = missing(length, text.chars().count()) else { return Ok(()) };
    if with.is_empty() {
        return Ok(());
    }
    room(context, more, with.len())?;
    text.make_mut().extend(with.chars().cycle().take(more));
    Ok(())
}

fn blob(context: &NativeCallContext, length: i64, value: i64) -> Made<Blob> {
    let length = usize::try_from(length).unwrap_or(0);
    room(context, length, 1)?;
    Ok(vec![low_byte(value); length])
}

fn split(context: &NativeCallContext, text: &str, by: &str, most: usize, backwards: bool) -> Made<Array> {
    if text.is_empty() || most <= 1 {
        return Ok(vec![text.to_owned().into()]);
    }
    room(context, text.matches(by).take(most).count(), PIECE)?;
    let piece = |piece: &str| Dynamic::from(piece.to_owned());
    Ok(if backwards { text.rsplitn(most, by).map(piece).collect() } else { text.splitn(most, by).map(piece).collect() })
}

fn replace(context: &NativeCallContext, text: &mut ImmutableString, from: &str, to: &str) -> Made {
    if text.is_empty() {
        return Ok(());
    }
    room(context, text.matches(from).count(), to.len())?;
    *text = text.replace(from, to).into();
    Ok(())
}

/// The wanted length, and the missing part of it, if any.
fn missing(wanted: i64, there: usize) -> Option<(usize, usize)> {
    let wanted = usize::try_from(wanted).ok()?;
    Some((wanted, wanted.checked_sub(there).filter(|more| *more > 0)?))
}

fn low_byte(value: i64) -> u8 {
    value.to_le_bytes()[0]
}

/// The size of a copy of a value besides its place; copies share texts and closures.
fn weight(value: &Dynamic) -> usize {
    const MAP_ENTRY: usize = 64;
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().map(|element| ELEMENT + weight(element)).fold(32, usize::saturating_add);
    }
    if let Some(map) = value.read_lock::<rhai::Map>() {
        return map.values().map(|field| MAP_ENTRY + weight(field)).fold(64, usize::saturating_add);
    }
    value.read_lock::<Blob>().map_or(0, |blob| blob.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each with the result of the engine's own function.
    #[test]
    fn what_they_make_is_what_the_engine_makes() {
        let (own, mut ours) = (Engine::new(), Engine::new());
        register(&mut ours);
        let mut differ = Vec::new();
        for code in [
            "let a = [1]; a.pad(3, [2]); a",
            "let a = [1, 2]; a.pad(1, 0); a.pad(-5, 0); a",
            "let a = \"ä\"; a.pad(4, 'x'); a",
            "let a = \"ä\"; a.pad(6, \"(!)\"); a.pad(0, \"-\"); a",
            "let b = blob(3, 300); b.pad(5, 1); b.pad(2, 1); [b, blob(-1), blob(2), b.to_array()]",
            "\"añ\".to_chars()",
            "[\"\".split(), \" \".split(), \" a  b \".split()]",
            "[\"\".split(\"\"), \"ab\".split(\"\"), \"a,b,,c\".split(\",\"), \"ab\".split(\",\")]",
            "[\"a,b,c\".split(','), \"a,b,c\".split(',', 2), \"a,b,c\".split(\",\", 0), \"a,b,c\".split(\",\", 9)]",
            "[\"a,b,c\".split_rev(','), \"a,b,c\".split_rev(',', 2), \"a,b,c\".split_rev(\",\"), \"ab\".split_rev(\"\", 2)]",
            "let s = \"\"; s.replace(\"\", \"x\"); let t = \"aba\"; t.replace(\"a\", \"cc\"); t.replace('c', 'd'); [s, t]",
            "[parse_json(`{\"a\": [1, 2.5, null, true, \"x\"]}`), parse_json(\"7\")]",
            "parse_json(\"[\")",
            "let t = \"aba\"; t.replace('a', \"\"); t.replace(\"b\", 'c'); t",
        ] {
            let told = |engine: &Engine| {
                engine.eval::<Dynamic>(code).map_or_else(|error| error.to_string(), |value| format!("{value:?}"))
            };
            if told(&own) != told(&ours) {
                differ.push(format!("{code}\n  {}\n  {}", told(&own), told(&ours)));
            }
        }
        assert!(differ.is_empty(), "{}", differ.join("\n"));
    }

    #[test]
    fn what_would_be_too_large_is_refused_with_its_place() {
        let mut engine = Engine::new();
        register(&mut engine);
        for code in [
            "let a = [];\na.pad(1 << 50, 0);",
            "let a = \"a\";\na.pad(9223372036854775807, \"b\");",
            "let a = \"a\";\na.pad(1 << 50, 'b');",
            "let a = blob();\na.pad(1 << 50, 1);",
            "let a = 1;\nblob(1 << 40);",
            "let a = 1;\nblob(1 << 40, 7);",
            "let a = \"a\"; a.pad(1 << 20, \"a\");\na.replace(\"a\", a);",
            "let a = \"a\"; a.pad(1 << 23, \"a\");\na.split(\"\");",
            "let a = [#{ a: [1, 2, 3] }];\na.pad(1 << 21, a);",
        ] {
            let error = engine.run(code).expect_err(code);
            assert_eq!(error.position().line(), Some(2), "{code}: {error}");
            assert!(error.to_string().contains("need more memory than"), "{code}: {error}");
        }
    }
}
