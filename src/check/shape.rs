//! The static knowledge of a value: its kind, its fields, the closure that it is, the work that it has begun. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{ImmutableString, Position};
use serde_json::Value;

use crate::language::spec::Noun;

/// Everything that is certain about a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Nothing is certain.
    Any,
    /// There is no value: the item of an empty list.
    Never,
    Unit,
    Flag,
    Integer,
    Float,
    Text,
    Letter,
    List(Box<Shape>),
    Map(Arc<Fields>),
    Closure(Arc<Closure>),
    Begun(Arc<Begun>),
}

/// The fields of an object map.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    pub known: BTreeMap<String, Shape>,
    /// The value of an unknown field; `None` if there are no others.
    pub other: Option<Box<Shape>>,
    pub origin: Origin,
}

/// The origin of an object map.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    Script,
    /// A row of that file, with the names that several of its columns have.
    Csv {
        file: String,
        doubled: BTreeMap<String, Vec<usize>>,
    },
    Json(String),
    /// The result of that function.
    Function(&'static str),
}

/// A closure, and the variables that it shares with its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct Closure {
    pub file: usize,
    pub name: String,
    pub captured: Vec<Captured>,
    /// The number of parameters that stand for captures, even if those are unknown.
    pub hidden: usize,
    pub position: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Captured {
    pub name: ImmutableString,
    pub variable: usize,
    pub position: Position,
}

/// Work that a call has begun at the server and that goes on until somebody waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// Its name for people: `execution`.
    pub noun: Noun,
    /// The work, in words.
    pub what: &'static str,
    /// The function, as the script spells it.
    pub call: String,
    pub file: usize,
    pub position: Position,
    /// True if another call may join it: the copy of a replica.
    pub copies: bool,
    /// True if it no longer matters when nothing else is done with the same replica or pool.
    pub settles: bool,
    /// The variable with the object of the call.
    pub about: Option<ImmutableString>,
}

impl Fields {
    pub fn of(origin: Origin, known: impl IntoIterator<Item = (String, Shape)>) -> Self {
        Self { known: known.into_iter().collect(), other: None, origin }
    }

    pub fn get(&self, name: &str) -> Option<&Shape> {
        self.known.get(name).or(self.other.as_deref())
    }

    /// The shape of any of its fields.
    pub fn any(&self) -> Shape {
        self.known.values().cloned().chain(self.other.as_deref().cloned()).fold(Shape::Never, Shape::join)
    }

    /// Assigns a field, perhaps conditionally.
    pub fn set(&mut self, name: &str, value: Shape) {
        self.known.insert(name.to_owned(), value);
    }

    fn join(self, other: Self) -> Self {
        let mut known = self.known;
        for (name, shape) in other.known {
            let joined = match known.remove(&name) {
                Some(mine) => mine.join(shape),
                None => shape,
            };
            known.insert(name, joined);
        }
        let rest = match (self.other, other.other) {
            (Some(one), Some(two)) => Some(Box::new(one.join(*two))),
            (one, two) => one.or(two),
        };
        let origin = if self.origin == other.origin { self.origin } else { Origin::Script };
        Self { known, other: rest, origin }
    }
}

impl Shape {
    pub fn list(item: Shape) -> Self {
        Shape::List(Box::new(item))
    }

    pub fn map(fields: Fields) -> Self {
        Shape::Map(Arc::new(fields))
    }

    /// An object map with unknown fields.
    pub fn open_map(origin: Origin) -> Self {
        Shape::map(Fields { known: BTreeMap::new(), other: Some(Box::new(Shape::Any)), origin })
    }

    pub fn json(value: &Value, file: &str) -> Self {
        match value {
            Value::Null => Shape::Unit,
            Value::Bool(_) => Shape::Flag,
            Value::Number(number) if number.is_i64() => Shape::Integer,
            Value::Number(_) => Shape::Float,
            Value::String(_) => Shape::Text,
            Value::Array(items) => {
                Shape::list(items.iter().map(|item| Shape::json(item, file)).fold(Shape::Never, Shape::join))
            }
            Value::Object(fields) => Shape::map(Fields::of(
                Origin::Json(file.to_owned()),
                fields.iter().map(|(name, value)| (name.clone(), Shape::json(value, file))),
            )),
        }
    }

    /// The common knowledge about a value that is one or the other.
    pub fn join(self, other: Shape) -> Self {
        match (self, other) {
            (one, two) if one == two => one,
            (Shape::Never, known) | (known, Shape::Never) => known,
            (Shape::List(one), Shape::List(two)) => Shape::list(one.join(*two)),
            (Shape::Map(one), Shape::Map(two)) => Shape::map(Arc::unwrap_or_clone(one).join(Arc::unwrap_or_clone(two))),
            // One closure, made in two turns of a loop.
            (Shape::Closure(one), Shape::Closure(two)) if one.file == two.file && one.name == two.name => {
                Shape::Closure(two)
            }
            // Work begun in one branch stays begun.
            (begun @ Shape::Begun(_), _) | (_, begun @ Shape::Begun(_)) => begun,
            _ => Shape::Any,
        }
    }

    /// The item of a list, or the result of a loop or an index over the value.
    pub fn item(&self) -> Shape {
        match self {
            Shape::List(item) if **item != Shape::Never => (**item).clone(),
            Shape::Text => Shape::Letter,
            _ => Shape::Any,
        }
    }

    /// The work that an unused result has begun, also inside a list.
    pub fn begun(&self) -> Option<&Arc<Begun>> {
        match self {
            Shape::Begun(begun) => Some(begun),
            Shape::List(item) => item.begun(),
            Shape::Map(fields) => fields.known.values().chain(fields.other.as_deref()).find_map(Shape::begun),
            _ => None,
        }
    }

    pub fn is_container(&self) -> bool {
        matches!(self, Shape::List(_) | Shape::Map(_))
    }

    /// All closures in it, at any depth.
    pub fn closures(&self) -> Vec<&Arc<Closure>> {
        match self {
            Shape::Closure(closure) => vec![closure],
            Shape::List(item) => item.closures(),
            Shape::Map(fields) => fields.known.values().flat_map(Shape::closures).collect(),
            _ => Vec::new(),
        }
    }

    /// The word for it in messages; `None` if nothing is certain.
    pub fn word(&self) -> Option<&'static str> {
        Some(match self {
            Shape::Any | Shape::Never | Shape::Begun(_) => return None,
            Shape::Unit => "nothing `()`",
            Shape::Flag => "true or false",
            Shape::Integer => "a whole number",
            Shape::Float => "a number",
            Shape::Text => "a text",
            Shape::Letter => "a single character",
            Shape::List(_) => "a list",
            Shape::Map(_) => "an object map",
            Shape::Closure(_) => "a closure",
        })
    }
}

/// A step from a value to a part of it.
#[derive(Clone, Debug)]
pub enum Step {
    Field(String),
    /// A key or index that is known only at run time.
    Item,
}

/// Changes the value at the end of a path, if it exists.
pub fn change(shape: &mut Shape, path: &[Step], with: &mut dyn FnMut(&mut Shape)) {
    let Some((step, rest)) = path.split_first() else { return with(shape) };
    match (shape, step) {
        (Shape::Map(fields), Step::Field(name)) => {
            let fields = Arc::make_mut(fields);
            match fields.known.get_mut(name) {
                Some(inner) => change(inner, rest, with),
                None if rest.is_empty() => {
                    let mut inner = Shape::Never;
                    with(&mut inner);
                    fields.set(name, inner);
                }
                // It may be any of the unnamed ones.
                None => {
                    if let Some(inner) = &mut fields.other {
                        change_one(inner, rest, with);
                    }
                }
            }
        }
        (Shape::Map(fields), Step::Item) => {
            let fields = Arc::make_mut(fields);
            let mut inner = fields.other.take().map_or(Shape::Never, |inner| *inner);
            change(&mut inner, rest, with);
            // The name is unknown: any field may exist now.
            fields.other = Some(Box::new(inner));
        }
        (Shape::List(item), _) => change_one(item, rest, with),
        (other, _) => *other = Shape::Any,
    }
}

/// Changes one of many values that have this shape: the others stay as they are.
fn change_one(many: &mut Shape, path: &[Step], with: &mut dyn FnMut(&mut Shape)) {
    let before = many.clone();
    change(many, path, with);
    let after = std::mem::replace(many, Shape::Never);
    *many = before.join(after);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(names: &[&str]) -> Shape {
        Shape::map(Fields::of(Origin::Script, names.iter().map(|name| ((*name).to_owned(), Shape::Text))))
    }

    #[test]
    fn what_may_be_one_or_the_other_has_the_fields_of_both() {
        let Shape::Map(both) = row(&["a"]).join(row(&["b"])) else { panic!("a map") };
        assert_eq!(both.known.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(Shape::Text.join(Shape::Integer), Shape::Any);
        assert_eq!(Shape::list(Shape::Never).join(Shape::list(Shape::Text)), Shape::list(Shape::Text));
    }

    #[test]
    fn json_is_known_to_its_leaves() {
        let shape = Shape::json(&json!({ "vms": [{ "name": "a" }, { "name": "b", "cpus": 2 }] }), "x.json");
        let Shape::Map(fields) = &shape else { panic!("a map") };
        let Some(Shape::List(item)) = fields.get("vms") else { panic!("a list") };
        let Shape::Map(vm) = &**item else { panic!("a map") };
        assert_eq!(
            (vm.get("name"), vm.get("cpus"), vm.get("disks")),
            (Some(&Shape::Text), Some(&Shape::Integer), None)
        );
    }

    #[test]
    fn a_path_is_followed_to_what_is_changed() {
        let mut shape = Shape::list(row(&["a"]));
        change(&mut shape, &[Step::Item, Step::Field("b".into())], &mut |field| *field = Shape::Integer);
        let Shape::Map(fields) = shape.item() else { panic!("a map") };
        assert_eq!(fields.get("b"), Some(&Shape::Integer));
        let mut unknown = row(&["a"]);
        change(&mut unknown, &[Step::Item], &mut |field| *field = Shape::Integer);
        let Shape::Map(fields) = unknown else { panic!("a map") };
        assert_eq!(fields.get("zz"), Some(&Shape::Integer));
    }
}
