//! Chains of `.` and `[]`: fields, items and methods.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::{ASTFlags, Expr, FnCallExpr, Position, Stmt};

use crate::check::calls::closure_takes;
use crate::check::fields::{nearly, object};
use crate::check::knowledge::Known;
use crate::check::literals::near;
use crate::check::natives;
use crate::check::natives::given;
use crate::check::program::File;
use crate::check::shape::{Closure, Fields, Origin, Shape, Step};
use crate::check::table::{arity, signature};
use crate::check::walk::Walk;
use crate::check::written::{UNKNOWN, Written};
use crate::error::{Error, count};
use crate::inventory::doubled_column;
use crate::language::bodies::is_closure;
use crate::language::captures::MUTATORS;
use crate::language::error::uses_its_own;
use crate::language::finding::captured_write;
use crate::language::spec::Spec;

/// Methods that do nothing with the items of a list.
const KEEPS: [&str; 6] = ["push", "append", "insert", "len", "is_empty", "clear"];

/// The object of a method call.
struct On<'e> {
    shape: Shape,
    /// Its place, if that is a variable or in one.
    at: Option<(usize, &'e [Step])>,
    /// The variable at the start of the chain.
    begin: Option<usize>,
    /// The expression, if nothing is in between.
    written: Option<&'e Expr>,
}

impl Walk<'_> {
    /// The value of a chain, and the variable at its start if the whole path stays inside it. On the left side of an
    /// assignment the last step need not exist.
    pub(super) fn chain(&mut self, expression: &Expr, assigned: bool, path: &mut Vec<Step>) -> (Shape, Option<usize>) {
        let (pair, mut dot, flags) = match expression {
            Expr::Dot(pair, flags, _) => (pair, true, flags),
            Expr::Index(pair, flags, _) => (pair, false, flags),
            _ => return (Shape::Any, None),
        };
        let mut root = match &pair.lhs {
            Expr::Variable(variable, ..) if variable.2.path.is_empty() => self.find(&variable.1),
            _ => None,
        };
        let only_kept = matches!(&pair.rhs, Expr::MethodCall(call, _) if KEEPS.contains(&call.name.as_str()))
            || matches!(&pair.rhs, Expr::Property(property, _) if property.2 == "len");
        let begin = root;
        let goes_by = |root: usize| match first(&pair.rhs) {
            // A begun work is elsewhere in it.
            Expr::Property(field, _) => {
                let shape = &self.state[root].shape;
                let inside = matches!(shape, Shape::Map(fields) if fields.get(&field.2).is_some_and(|field| field.begun().is_none()));
                inside && shape.begun().is_some()
            }
            _ => false,
        };
        let mut shape = match root {
            Some(root) if goes_by(root) => self.state[root].shape.clone(),
            // Storing or counting a value is not a use of it.
            Some(root) if only_kept && self.state[root].shape.is_container() => self.state[root].shape.clone(),
            _ => self.expression(&pair.lhs),
        };
        let is_asked = matches!(&pair.lhs, Expr::Variable(variable, ..) if self.is_asked(&variable.1));
        let (mut rest, mut ends) = (&pair.rhs, flags.intersects(ASTFlags::BREAK));
        let mut begins = true;
        loop {
            let (step, next) = match rest {
                Expr::Dot(pair, flags, _) if !ends => (&pair.lhs, Some((&pair.rhs, true, *flags))),
                Expr::Index(pair, flags, _) if !ends => (&pair.lhs, Some((&pair.rhs, false, *flags))),
                last => (last, None),
            };
            let last = next.is_none() && assigned;
            match step {
                Expr::Property(property, position) if dot => {
                    if is_asked
                        && path.is_empty()
                        && matches!(&shape, Shape::Map(fields) if fields.get(&property.2).is_none())
                    {
                        shape = Shape::Any;
                    } else if !last {
                        shape = self.property(&shape, &property.2, *position);
                    }
                    path.push(Step::Field(property.2.to_string()));
                }
                Expr::MethodCall(call, position) if dot => {
                    let changes = |name: &str| {
                        MUTATORS.contains(&name) || self.tree().is_some_and(|tree| tree.changing.contains(name))
                    };
                    if matches!(pair.lhs, Expr::ThisPtr(_)) && changes(&call.name) {
                        self.this = Shape::Any;
                    }
                    let on = On {
                        shape,
                        at: root.map(|root| (root, path.as_slice())),
                        begin,
                        written: begins.then_some(&pair.lhs),
                    };
                    shape = self.method(&on, call, *position);
                    root = None;
                }
                Expr::StringConstant(name, position) if !dot => {
                    if let Shape::List(_) = shape {
                        let error = Error::script("a list is indexed by a number, not by a text");
                        self.wrong(error.hint(format!("the fields are in its items: `[0].{name}`")), *position);
                        shape = Shape::Any;
                    } else if !last {
                        shape = self.property(&shape, name, *position);
                    }
                    path.push(Step::Field(name.to_string()));
                }
                index => {
                    self.expression(index);
                    shape = match &shape {
                        Shape::Map(fields) => match fields.any() {
                            Shape::Never => Shape::Any,
                            any => any,
                        },
                        other => other.item(),
                    };
                    path.push(Step::Item);
                }
            }
            begins = false;
            match next {
                Some((more, by, flags)) => (rest, dot, ends) = (more, by, flags.intersects(ASTFlags::BREAK)),
                None => return (shape, root),
            }
        }
    }

    /// A field that is asked for: there is no answer where several columns have its name.
    pub(super) fn asked(&mut self, of: Shape, field: &Expr) {
        if let (Shape::Map(fields), Expr::StringConstant(name, position)) = (of, field)
            && fields.get(name).is_none()
            && let Origin::Csv { file, doubled } = &fields.origin
            && let Some(columns) = doubled.get(name.as_str())
        {
            self.wrong(doubled_column(file, name, columns), *position);
        }
    }

    /// A field that is read.
    pub(super) fn property(&mut self, of: &Shape, name: &str, position: Position) -> Shape {
        let asked = |file: &File| file.tree.as_ref().is_some_and(|tree| tree.asked.contains(name));
        match of {
            Shape::Map(fields) => {
                if let Some(near) = nearly(fields, name).filter(|_| self.tried == 0 && !self.files.iter().any(asked)) {
                    let error = Error::script(format!("the server's objects of this kind have no field `{name}`"));
                    self.doubt(error.hint(format!("did you mean `{near}`?")), position);
                }
                if let Some(shape) = fields.get(name) {
                    return shape.clone();
                }
                // In a `try`, a field unlike any known one may be read on purpose.
                let probes = self.trying > 0 && near(name, fields.known.keys().map(String::as_str)).is_none();
                if self.tried == 0 && !probes && !self.files.iter().any(asked) {
                    self.wrong(no_field(fields, name), position);
                }
                Shape::Any
            }
            Shape::Begun(begun) => match object("wait_for", begun.noun) {
                Some(object) => self.property(&object, name, position),
                None => Shape::Any,
            },
            Shape::Any | Shape::Never | Shape::Unit => Shape::Any,
            other => {
                if !self.natives.has_getter(name, other) && !self.natives.has_getter(name, &Shape::Any) {
                    let word = other.word().unwrap_or("this");
                    let error = Error::script(format!("{word} has no field `{name}`"));
                    let methods: Vec<&str> = self.natives.methods(other).collect();
                    let hint = match (methods.contains(&name), other) {
                        (true, _) => format!("call it: `.{name}()`"),
                        (_, Shape::List(item)) if matches!(&**item, Shape::Map(_)) => {
                            format!(
                                "its items have fields: go through it, `for item in list {{ item.{name} }}`, or `.map(|item| item.{name})`"
                            )
                        }
                        _ => near(name, methods.iter().copied())
                            .unwrap_or_else(|| format!("only object maps have fields, and this is {word}")),
                    };
                    self.wrong(error.hint(hint), position);
                }
                if name == "len" { Shape::Integer } else { Shape::Any }
            }
        }
    }

    fn method(&mut self, on: &On<'_>, call: &FnCallExpr, position: Position) -> Shape {
        let (of, at, begin) = (&on.shape, on.at, on.begin);
        let name = call.name.as_str();
        let arguments: Vec<Known> = call.args.iter().map(|argument| self.valued(argument)).collect();
        for known in &arguments {
            if let Shape::Closure(closure) = &known.shape
                && let Some(captured) = closure.captured.iter().find(|captured| Some(captured.variable) == begin)
            {
                self.wrong(uses_its_own(name), captured.position);
            }
        }
        if let (Shape::Closure(closure), "call") = (of, name) {
            return self.call_closure(closure, arguments, position);
        }
        if let Shape::Map(fields) = of
            && let Some(Shape::Closure(closure)) = fields.known.get(name)
        {
            let closure = closure.clone();
            return self.call_closure(&closure, arguments, position);
        }
        if self.has_function(name, arguments.len()) {
            let changes = self.tree().is_some_and(|tree| tree.changing.contains(name));
            if let (true, Some((root, path))) = (changes, at) {
                self.change(root, path, &mut |shape| *shape = Shape::Any);
            }
            return self.function_of(of.clone(), self.file, name, arguments).shape;
        }
        if let Some(row) = self.catalog.find(name) {
            return self.method_of_table(row, on, arguments, call, position);
        }
        if natives::asks(name) {
            arguments.iter().for_each(|known| self.answers(name, &known.shape));
        }
        if let (Shape::List(item), Some((given, takes))) =
            (of, natives::closure_arguments(name, of_item(of)).filter(|_| !arguments.is_empty()))
            && let Some(Shape::Closure(closure)) =
                arguments.iter().map(|known| &known.shape).find(|shape| matches!(shape, Shape::Closure(_)))
        {
            let (closure, item) = (closure.clone(), (**item).clone());
            self.made_elsewhere(&closure, call.args.first().map_or(position, Expr::position));
            let own = self.parameters(&closure);
            let by_this = own == Some(0) || name == "for_each";
            if let Some(own) = own.filter(|own| !takes.contains(own) && *own != 0) {
                let written = if name == "for_each" { "|index| ... this ..." } else { "|item| ..." };
                let error = closure_takes(own, *takes.end(), name, written);
                self.wrong(error, call.args.last().map_or(position, Expr::position));
            }
            let this = if by_this { item.clone() } else { Shape::Any };
            let value = self.closure_of(this, &closure, given.into_iter().map(Known::from).collect());
            if let (true, Some((root, path))) = (by_this, at) {
                // It works on `this`, and may change it.
                let path: Vec<Step> = path.iter().cloned().chain([Step::Item]).collect();
                self.change(root, &path, &mut |item| *item = Shape::Any);
            }
            let of = Shape::list(item);
            return natives::given(name, &of, Some(value));
        }
        let counts = self.natives.method(name, of);
        if counts.contains(&arguments.len()) {
            self.run_closures(&arguments);
            if let ("get" | "contains", Some(asked)) = (name, call.args.first()) {
                self.asked(of.clone(), asked);
            }
            if let Some((root, path)) = at {
                self.mutate(root, path, name, &arguments, position);
            }
            return given(name, of, None);
        }
        self.no_method(of, call, &counts, position);
        Shape::Any
    }

    pub(super) fn no_method(&mut self, of: &Shape, call: &FnCallExpr, counts: &BTreeSet<usize>, position: Position) {
        let (name, given) = (call.name.as_str(), call.args.len());
        if matches!(of, Shape::Never) || natives::is_keyword(name) {
            return;
        }
        let own = self.tree().and_then(|tree| tree.functions.get(name)).cloned();
        if let (Some(own), Some(tree)) = (own, self.tree()) {
            self.wrong(arity(name, &own, given).hint(signature(&tree.ast, name)), position);
            return;
        }
        if !counts.is_empty() {
            self.wrong(arity(name, counts, given), position);
            return;
        }
        // A field of an object map may be a closure.
        let known_field =
            self.files.iter().filter_map(|file| file.tree.as_ref()).any(|tree| tree.fields.contains(name));
        let may_have = match of {
            Shape::Map(fields) => fields.known.contains_key(name) || known_field,
            Shape::Any | Shape::Begun(_) => known_field || self.natives.has(name),
            _ => false,
        };
        if may_have {
            return;
        }
        let error = match of.word() {
            Some(word) if self.natives.has(name) => Error::script(format!("{word} has no method `{name}`")),
            _ => Error::script(format!("unknown method `{name}`")),
        };
        let mut methods: Vec<&str> = self.natives.methods(of).collect();
        if let Some(tree) = self.tree() {
            methods.extend(tree.functions.keys().map(String::as_str));
        }
        let hint = foreign(name, of)
            .or_else(|| near(name, methods.iter().copied()))
            .unwrap_or_else(|| "`coriolis-run functions language` lists them".to_owned());
        self.wrong(error.hint(hint), position);
    }

    pub(super) fn call_closure(&mut self, closure: &Arc<Closure>, arguments: Vec<Known>, position: Position) -> Shape {
        self.made_elsewhere(closure, position);
        if let Some(own) = self.parameters(closure)
            && own != arguments.len()
        {
            let error = Error::script(format!(
                "this closure has {}, and is given {}",
                count(own, "parameter"),
                count(arguments.len(), "argument")
            ));
            let line = closure.position.line().map_or(String::new(), |line| format!("; it is in line {line}"));
            self.wrong(error.hint(format!("give it {}{line}", count(own, "argument"))), position);
            return Shape::Any;
        }
        if let (Some(begin), Some(tree)) = (self.lane, &self.files[closure.file].tree)
            && let Some(writes) = tree.writes.get(&closure.name)
        {
            let outside = |name: &str| closure.captured.iter().any(|of| of.name == name && of.variable < begin);
            if let Some((name, _)) = writes.iter().find(|(name, _)| outside(name)) {
                self.wrong(captured_write(name, "wave"), position);
            }
        }
        self.closure(closure, arguments)
    }

    /// The number of a closure's own parameters.
    pub(super) fn parameters(&self, closure: &Closure) -> Option<usize> {
        let tree = self.files[closure.file].tree.as_ref()?;
        if tree.functions.get(&closure.name).is_some_and(|counts| counts.len() > 1) {
            return None;
        }
        let body = tree.body(&closure.name, None)?;
        Some(body.parameters.len().saturating_sub(closure.hidden))
    }

    /// A closure that answers a question about an item has written `=` for `==` if it ends in an assignment.
    fn answers(&mut self, name: &str, shape: &Shape) {
        let Shape::Closure(closure) = shape else { return };
        let body = self.files[closure.file].tree.as_ref().and_then(|tree| tree.body(&closure.name, None));
        if let Some(Stmt::Assignment(assignment)) = body.and_then(|body| body.body.last())
            && is_closure(&closure.name)
        {
            let position = assignment.1.lhs.position();
            let error = Error::script(format!("the closure of `{name}` assigns with `=`, and so it answers nothing"));
            self.wrong(error.hint("`==` compares"), position);
        }
    }

    /// `replica.replica_sync()`: the object of the call is the first argument.
    fn method_of_table(
        &mut self,
        row: &'static Spec,
        on: &On<'_>,
        arguments: Vec<Known>,
        call: &FnCallExpr,
        position: Position,
    ) -> Shape {
        let (name, (least, most)) = (call.name.as_str(), row.arity());
        let natively = self.natives.method(name, &on.shape).contains(&arguments.len());
        if natively {
            self.run_closures(&arguments);
            return given(name, &on.shape, None);
        }
        if !(least..=most).contains(&(arguments.len() + 1)) {
            self.wrong(row.wrong_arity(name, arguments.len() + 1), position);
            return Shape::Any;
        }
        let receiver = on.written.cloned().unwrap_or(UNKNOWN);
        let literal = self.literal(&receiver);
        let first = Known { literal, ..on.shape.clone().into() };
        let written: Vec<Expr> = std::iter::once(receiver).chain(call.args.iter().cloned()).collect();
        let arguments: Vec<Known> = std::iter::once(first).chain(arguments).collect();
        self.call_of_table(row, name, &written, &arguments, position)
    }

    /// Applies the effect of a method on its object.
    pub(super) fn mutate(&mut self, root: usize, path: &[Step], name: &str, arguments: &[Known], position: Position) {
        let last = arguments.last().map(|known| known.shape.clone());
        match (name, last) {
            ("push" | "insert" | "pad", Some(value)) => {
                self.kept(&value, root);
                self.collected(&value, root, position);
                self.change(root, path, &mut |shape| {
                    if let Shape::List(item) = shape {
                        let before = std::mem::replace(&mut **item, Shape::Never);
                        **item = before.join(value.clone());
                    }
                });
            }
            ("append", Some(more)) => {
                self.kept(&more, root);
                self.change(root, path, &mut |shape| {
                    let before = std::mem::replace(shape, Shape::Never);
                    *shape = before.join(more.clone());
                });
            }
            ("set", Some(value)) => {
                self.kept(&value, root);
                let field =
                    arguments.first().and_then(|known| match known.literal.as_ref().map(|of| &*of.expression) {
                        Some(Expr::StringConstant(name, _)) => Some(name.to_string()),
                        _ => None,
                    });
                let literal = self.state[root].literal.take();
                let given = arguments.last().and_then(|known| known.literal.clone());
                let mut whole = path.to_vec();
                whole.push(field.map_or(Step::Item, Step::Field));
                self.change(root, &whole, &mut |shape| *shape = value.clone());
                self.state[root].literal =
                    literal.and_then(|literal| self.field_given(literal, &whole, Some(position), given));
            }
            ("mixin" | "fill_with", Some(more)) => {
                let literal = self.state[root].literal.take().filter(|_| path.is_empty());
                let given = arguments.last().and_then(|known| known.literal.clone());
                let (one, two) = if name == "mixin" { (literal, given) } else { (given, literal) };
                let literal = Written::merged(one.as_ref(), two.as_ref());
                self.change(root, path, &mut |shape| {
                    let before = std::mem::replace(shape, Shape::Never);
                    *shape = match &more {
                        Shape::Map(_) => before.join(more.clone()),
                        _ => Shape::Any,
                    };
                });
                self.state[root].literal = literal;
            }
            _ if MUTATORS.contains(&name) => self.change(root, path, &mut |_| {}),
            _ => {}
        }
    }
}

/// The first step of the rest.
fn first(rest: &Expr) -> &Expr {
    match rest {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => &pair.lhs,
        only => only,
    }
}

fn of_item(of: &Shape) -> &Shape {
    match of {
        Shape::List(item) if **item != Shape::Never => item,
        _ => &Shape::Any,
    }
}

fn no_field(fields: &Fields, name: &str) -> Error {
    let (owner, kind) = match &fields.origin {
        Origin::Csv { file, doubled } => match doubled.get(name) {
            Some(columns) => return doubled_column(file, name, columns),
            None => (format!("`{file}`"), "column"),
        },
        Origin::Json(file) => (format!("this object of `{file}`"), "field"),
        Origin::Function(function) => (format!("what `{function}` returns"), "field"),
        Origin::Script => ("this object map".to_owned(), "field"),
    };
    let names: Vec<&str> = fields.known.keys().map(String::as_str).collect();
    let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let hint = match near(name, names.iter().copied()) {
        Some(near) => format!("{near} it has {listed}"),
        None if names.is_empty() => "it is empty".to_owned(),
        None => format!("it has {listed}"),
    };
    Error::script(format!("{owner} has no {kind} `{name}`")).hint(hint)
}

/// The name here for a method of another language.
fn foreign(name: &str, of: &Shape) -> Option<String> {
    let (of_list, of_text) = (matches!(of, Shape::List(_)), matches!(of, Shape::Text));
    let here = match name {
        "length" | "size" | "count" => "len()",
        "forEach" | "foreach" | "each" | "iter" | "iterate" => {
            return Some("go through it: `for item in list { ... }`".to_owned());
        }
        "add" | "append_item" | "push_back" | "append" if of_list => "push(item)",
        "includes" | "has" | "has_key" | "contains_key" | "containsKey" => "contains(...)",
        "any" => "some(|item| ...)",
        "every" => "all(|item| ...)",
        "toUpperCase" | "upper" | "to_uppercase" => "to_upper()",
        "toLowerCase" | "lower" | "to_lowercase" => "to_lower()",
        "strip" if of_text => "trim()",
        "startswith" | "startsWith" => "starts_with(...)",
        "endswith" | "endsWith" => "ends_with(...)",
        "substring" | "substr" | "slice" if of_text => "sub_string(start, length)",
        "slice" => "extract(start, length)",
        "select" | "where" | "grep" => "filter(|item| ...)",
        "collect" | "transform" => "map(|item| ...)",
        "fold" | "inject" => "reduce(|sum, item| ..., start)",
        "to_str" | "str" | "toString" => "to_string()",
        "to_integer" | "to_int" | "int" | "parseInt" if of_text => "parse_int()",
        "to_float" | "float" | "parseFloat" if of_text => "parse_float()",
        "to_integer" | "parse_int" | "int" => "to_int()",
        "first" => return Some("the first item is `[0]`".to_owned()),
        "last" => return Some("the last item is `[-1]`".to_owned()),
        "join" => return Some("join with `reduce`, or in a text: `${list}`".to_owned()),
        "items" | "entries" => return Some("go through its `.keys()`".to_owned()),
        _ => return None,
    };
    Some(format!("it is `.{here}`"))
}
