//! The language's own functions: the number of their arguments, the kinds that they work on, and their results.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};

use rhai::{Dynamic, Engine, FnPtr, ImmutableString};

use crate::check::fields::object;
use crate::check::shape::{Fields, Origin, Shape};
use crate::language::returns::{Returns, What};

#[derive(Default)]
pub struct Natives {
    by_name: BTreeMap<String, Vec<Native>>,
    /// Computed properties: `len` of a list.
    getters: BTreeMap<String, Vec<Option<TypeId>>>,
}

struct Native {
    arguments: usize,
    /// The type of its first argument; `None` accepts any.
    first: Option<TypeId>,
    gives_nothing: bool,
}

/// Words of the language that look like calls, and the number of their arguments; `None` for any number.
const KEYWORDS: [(&str, Option<usize>); 14] = [
    ("curry", None),
    ("call", None),
    ("Fn", Some(1)),
    ("is_shared", Some(1)),
    ("is_def_var", Some(1)),
    ("is_def_fn", Some(2)),
    ("type_of", Some(1)),
    ("print", Some(1)),
    ("debug", Some(1)),
    ("eval", Some(1)),
    ("this", None),
    ("super", None),
    ("timestamp", Some(0)),
    ("exit", None),
];

impl Natives {
    pub fn of(engine: &Engine) -> Self {
        let mut natives = Self::default();
        let rows = engine.collect_fn_metadata(
            None,
            |info| {
                let about = &info.metadata;
                let first = about.param_types.first().copied().filter(|first| *first != TypeId::of::<Dynamic>());
                let gives_nothing = about.return_type == "()" || about.return_type.contains("<()");
                Some((about.name.to_string(), Native { arguments: about.num_params, first, gives_nothing }))
            },
            true,
        );
        for (name, native) in rows {
            match name.strip_prefix("get$") {
                Some(property) => natives.getters.entry(property.to_owned()).or_default().push(native.first),
                None => natives.by_name.entry(name).or_default().push(native),
            }
        }
        natives
    }

    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name) || is_keyword(name)
    }

    /// The names that a script can write.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str).filter(|name| name.starts_with(char::is_alphabetic))
    }

    /// The numbers of arguments that it accepts as a plain call; `None` for any number.
    pub fn arguments(&self, name: &str) -> Option<BTreeSet<usize>> {
        let word = KEYWORDS.iter().find(|(word, _)| *word == name).map(|(_, count)| *count);
        let mut counts: BTreeSet<usize> =
            self.by_name.get(name).into_iter().flatten().map(|native| native.arguments).collect();
        match word {
            Some(None) => return None,
            Some(Some(count)) => drop(counts.insert(count)),
            None => {}
        }
        Some(counts)
    }

    /// The numbers of arguments that it accepts as a method of such a value; empty if it is not a method.
    pub fn method(&self, name: &str, of: &Shape) -> BTreeSet<usize> {
        let kinds = kinds(of);
        let fits = |native: &&Native| match (native.first, &kinds) {
            (Some(first), Some(kinds)) => kinds.contains(&first),
            _ => true,
        };
        self.by_name
            .get(name)
            .into_iter()
            .flatten()
            .filter(|native| native.arguments > 0)
            .filter(fits)
            .map(|native| native.arguments - 1)
            .collect()
    }

    /// The methods of such a value.
    pub fn methods(&self, of: &Shape) -> impl Iterator<Item = &str> {
        self.names().filter(|name| !self.method(name, of).is_empty())
    }

    pub fn has_getter(&self, name: &str, of: &Shape) -> bool {
        let kinds = kinds(of);
        self.getters.get(name).is_some_and(|known| {
            known.iter().any(|first| match (first, &kinds) {
                (Some(first), Some(kinds)) => kinds.contains(first),
                _ => true,
            })
        })
    }

    /// True if it never has a result: it only changes the value that it is called on.
    pub fn gives_nothing(&self, name: &str, arguments: usize) -> bool {
        let mut of_count =
            self.by_name.get(name).into_iter().flatten().filter(|native| native.arguments == arguments).peekable();
        of_count.peek().is_some() && of_count.all(|native| native.gives_nothing)
    }
}

/// True if the language itself defines it for any value.
pub fn is_keyword(name: &str) -> bool {
    KEYWORDS.iter().any(|(word, _)| *word == name)
}

/// The types that hold such a value.
fn kinds(of: &Shape) -> Option<Vec<TypeId>> {
    Some(match of {
        Shape::Unit => vec![TypeId::of::<()>()],
        Shape::Flag => vec![TypeId::of::<bool>()],
        Shape::Integer => vec![TypeId::of::<i64>()],
        Shape::Float => vec![TypeId::of::<f64>()],
        Shape::Text => vec![TypeId::of::<ImmutableString>(), TypeId::of::<&str>(), TypeId::of::<String>()],
        Shape::Letter => vec![TypeId::of::<char>()],
        Shape::List(_) => vec![TypeId::of::<rhai::Array>()],
        Shape::Map(_) => vec![TypeId::of::<rhai::Map>()],
        Shape::Closure(_) => vec![TypeId::of::<FnPtr>()],
        Shape::Any | Shape::Never | Shape::Begun(_) => return None,
    })
}

/// The result of a method of the language; `closure` is the result of its closure.
pub fn given(name: &str, of: &Shape, closure: Option<Shape>) -> Shape {
    match (of, name) {
        (_, "len" | "index_of") => Shape::Integer,
        (_, "contains" | "is_empty" | "some" | "all" | "starts_with" | "ends_with" | "is_shared") => Shape::Flag,
        (_, "to_string" | "to_debug" | "type_of" | "to_upper" | "to_lower") => Shape::Text,
        (_, "to_int" | "parse_int") => Shape::Integer,
        (_, "to_float" | "parse_float") => Shape::Float,
        (Shape::List(_), "map") => Shape::list(closure.unwrap_or(Shape::Any)),
        (Shape::List(item), "filter" | "extract" | "drain" | "retain" | "split" | "splice") if name != "splice" => {
            Shape::list((**item).clone())
        }
        (Shape::List(item), "pop" | "shift" | "remove" | "find" | "get") => (**item).clone(),
        (Shape::Map(_), "keys") => Shape::list(Shape::Text),
        (Shape::Map(fields), "values") => Shape::list(fields.any()),
        (Shape::Map(_), "get") => Shape::Any,
        (Shape::Text, "split" | "split_rev") => Shape::list(Shape::Text),
        (Shape::Text, "sub_string") => Shape::Text,
        _ => Shape::Any,
    }
}

/// True if the closure of a list's method says yes or no.
pub fn asks(name: &str) -> bool {
    matches!(name, "filter" | "find" | "some" | "all" | "index_of" | "drain" | "retain")
}

/// The arguments of the closure of a list's method, and the numbers of arguments that it may take.
pub fn closure_arguments(name: &str, item: &Shape) -> Option<(Vec<Shape>, std::ops::RangeInclusive<usize>)> {
    let item = item.clone();
    Some(match name {
        "map" | "filter" | "find" | "find_map" | "some" | "all" | "index_of" | "drain" | "retain" | "dedup_by" => {
            (vec![item, Shape::Integer], 0..=2)
        }
        // The item is `this`.
        "for_each" => (vec![Shape::Integer], 0..=1),
        "sort" | "sort_by" | "dedup" => (vec![item.clone(), item], 2..=2),
        "reduce" | "reduce_rev" => (vec![Shape::Any, item, Shape::Integer], 1..=3),
        _ => return None,
    })
}

/// The shape of the result of a function of the table.
pub fn returned(function: &'static str, returns: Returns) -> Shape {
    let map = |keys: &[&str]| {
        let names = keys.iter().map(|name| ((*name).to_owned(), Shape::Any));
        Shape::map(Fields::of(Origin::Function(function), names))
    };
    match returns.what {
        What::Nothing => Shape::Unit,
        What::Text => Shape::Text,
        What::Object(noun) | What::Begun(noun) => object(function, noun).unwrap_or(Shape::Any),
        What::Objects(noun) => Shape::list(object(function, noun).unwrap_or(Shape::Any)),
        What::Map(keys) => map(keys),
        What::Maps(keys) => Shape::list(map(keys)),
        What::Values(_) => Shape::list(Shape::Any),
        What::Value(_) => Shape::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::spec::Noun;
    use crate::runtime::engine::bare;

    #[test]
    fn the_engine_tells_what_it_has() {
        let natives = Natives::of(&bare());
        let list = Shape::list(Shape::Any);
        assert!(natives.method("push", &list).contains(&1));
        assert!(natives.method("push", &Shape::Text).is_empty());
        assert!(natives.method("to_upper", &Shape::Text).contains(&0));
        assert!(natives.method("to_upper", &list).is_empty());
        assert!(natives.has_getter("len", &list) && !natives.has_getter("lenn", &list));
        assert!(natives.gives_nothing("sort", 1) && natives.gives_nothing("trim", 1));
        assert!(!natives.gives_nothing("pop", 1));
        assert_eq!(natives.arguments("type_of"), Some([1].into()));
    }

    #[test]
    fn what_a_row_returns_is_in_its_words() {
        let Shape::Map(fields) = returned("f", Returns::map(&["valid", "message"])) else { panic!("a map") };
        assert_eq!(fields.known.keys().collect::<Vec<_>>(), ["message", "valid"]);
        assert_eq!(returned("f", Returns::NOTHING), Shape::Unit);
        assert_eq!(returned("f", Returns::list(Noun::Secret)), Shape::list(Shape::Any));
        assert!(matches!(returned("f", Returns::list(Noun::Transfer)).item(), Shape::Map(_)));
    }
}
