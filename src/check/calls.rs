//! Calls during the walk: their arguments, their results, and the mistakes in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::{Expr, FnCallExpr, Position};

use crate::check::fields::object;
use crate::check::files;
use crate::check::impossible::{needs, nobody_can};
use crate::check::knowledge::Known;
use crate::check::literals;
use crate::check::literals::{Found, near};
use crate::check::natives::{given, returned};
use crate::check::program::File;
use crate::check::shape::{Begun, Closure, Fields, Origin, Shape};
use crate::check::table::{arity, check_arguments, runs_beside, signature};
use crate::check::walk::Walk;
use crate::check::written::{UNKNOWN, Written, parts, variants};
use crate::error::{Error, count};
use crate::inventory::{Layout, doubled_column};
use crate::language::bodies::is_closure;
use crate::language::finding::captured_write;
use crate::language::meant::unknown_function;
use crate::language::spec::{Key, Kind, Noun, Spec};

impl Walk<'_> {
    pub(super) fn call(&mut self, call: &FnCallExpr, position: Position) -> Known {
        let name = call.name.as_str();
        if call.op_token.is_some() {
            return self.operator(call);
        }
        let arguments: Vec<Known> = call.args.iter().map(|argument| self.valued(argument)).collect();
        if let [root] = call.namespace.path.as_slice() {
            return self.call_of_module(&root.name, call, arguments, position);
        }
        if self.has_function(name, arguments.len()) {
            return self.function(self.file, name, arguments);
        }
        if self.tree().is_some_and(|tree| tree.functions.contains_key(name)) {
            return Shape::Any.into();
        }
        if let Some(row) = self.catalog.find(name) {
            return self.call_of_table(row, name, &call.args, &arguments, position).into();
        }
        if self.natives.has(name) {
            self.native_arity(name, arguments.len(), position);
            if let ("Fn", [Expr::StringConstant(function, at)]) = (name, call.args.as_slice()) {
                return self.function_named(function, *at).into();
            }
            let first = arguments.first().map_or(Shape::Any, |known| known.shape.clone());
            if let ("get" | "contains", [_, asked]) = (name, call.args.as_slice()) {
                self.asked(first.clone(), asked);
            }
            self.run_closures(&arguments);
            return given(name, &first, None).into();
        }
        if self.find(name).is_some() {
            let written = if call.args.is_empty() { "" } else { "..." };
            let error = Error::script(format!("`{name}` is a variable, not a function"));
            self.wrong(error.hint(format!("a closure in a variable is called as `{name}.call({written})`")), position);
        }
        Shape::Any.into()
    }

    /// `Fn("name")`.
    pub(super) fn function_named(&mut self, name: &str, position: Position) -> Shape {
        let Some(tree) = self.tree() else { return Shape::Any };
        if tree.functions.contains_key(name) {
            let (file, name) = (self.file, name.to_owned());
            let closure = Closure { file, name, captured: Vec::new(), hidden: 0, position };
            return Shape::Closure(Arc::new(closure));
        }
        if self.catalog.find(name).is_none() && !self.natives.has(name) {
            let names =
                tree.functions.keys().map(String::as_str).chain(self.catalog.names().keys().map(String::as_str));
            self.wrong(unknown_function(name, names), position);
        }
        Shape::Any
    }

    pub(super) fn native_arity(&mut self, name: &str, count_given: usize, position: Position) {
        let Some(counts) = self.natives.arguments(name) else { return };
        if !counts.is_empty() && !counts.contains(&count_given) {
            self.wrong(arity(name, &counts, count_given), position);
        }
    }

    /// Runs closures that go to an unknown place.
    pub(super) fn run_closures(&mut self, arguments: &[Known]) {
        for known in arguments {
            for closure in known.shape.closures().into_iter().cloned().collect::<Vec<_>>() {
                self.closure(&closure, Vec::new());
            }
        }
    }

    pub(super) fn operator(&mut self, call: &FnCallExpr) -> Known {
        let values: Vec<Known> = call.args.iter().map(|argument| self.valued(argument)).collect();
        let shapes: Vec<&Shape> = values.iter().map(|known| &known.shape).collect();
        let shape = match (call.name.as_str(), shapes.as_slice()) {
            ("==" | "!=" | "<" | ">" | "<=" | ">=" | "!" | "in" | "contains", _) => Shape::Flag,
            ("+", [Shape::List(one), Shape::List(two)]) => Shape::list((**one).clone().join((**two).clone())),
            ("+", [one @ Shape::Map(_), two @ Shape::Map(_)]) => (*one).clone().join((*two).clone()),
            ("+", [Shape::Text, _] | [_, Shape::Text]) => Shape::Text,
            ("+" | "-" | "*" | "/" | "%", [Shape::Integer, Shape::Integer]) => Shape::Integer,
            _ => Shape::Any,
        };
        let literal = match (call.name.as_str(), values.as_slice()) {
            ("+", [one, two]) => Written::merged(one.literal.as_ref(), two.literal.as_ref()),
            _ => None,
        };
        Known { literal, ..shape.into() }
    }

    pub(super) fn call_of_module(
        &mut self,
        module: &str,
        call: &FnCallExpr,
        arguments: Vec<Known>,
        position: Position,
    ) -> Known {
        let (files, name) = (self.files, call.name.as_str());
        let Some(index) = self.tree().and_then(|tree| tree.modules.get(module).copied()).flatten() else {
            return Shape::Any.into();
        };
        let File { tree: Some(tree), name: file, .. } = &files[index] else { return Shape::Any.into() };
        match tree.public.get(name) {
            Some(counts) if counts.contains(&arguments.len()) => self.function(index, name, arguments),
            Some(counts) => {
                let error = arity(&format!("{module}::{name}"), counts, arguments.len());
                self.wrong(error.hint(format!("{} in {file}", signature(&tree.ast, name))), position);
                Shape::Any.into()
            }
            // It may be a closure.
            None if tree.exports.contains(name) => Shape::Any.into(),
            None if tree.functions.contains_key(name) => {
                let error = Error::script(format!("`{name}` of the module `{module}` is private"));
                self.wrong(error.hint(format!("leave out `private` before it in {file}")), position);
                Shape::Any.into()
            }
            None => {
                let names = || tree.public.keys().map(String::as_str);
                let hint = near(name, names()).unwrap_or_else(|| match tree.public.len() {
                    0 => format!("{file} has no function"),
                    _ => format!("it has {}", names().collect::<Vec<_>>().join(", ")),
                });
                let error = Error::script(format!("the module `{module}` has no function `{name}`"));
                self.wrong(error.hint(hint), position);
                Shape::Any.into()
            }
        }
    }

    // Functions of the table.

    pub(super) fn call_of_table(
        &mut self,
        row: &'static Spec,
        name: &str,
        written: &[Expr],
        arguments: &[Known],
        position: Position,
    ) -> Shape {
        let (least, most) = row.arity();
        if !(least..=most).contains(&arguments.len()) {
            return Shape::Any;
        }
        let spelled: Vec<Expr> = written
            .iter()
            .zip(arguments)
            .map(|(argument, known)| match (&known.literal, argument) {
                (Some(literal), Expr::FnCall(..) | Expr::Map(..) | Expr::Stmt(..))
                    if literal.file == self.file && has_map(&literal.expression) =>
                {
                    (*literal.expression).clone()
                }
                _ => self.spelled(argument, &mut BTreeSet::new()),
            })
            .collect();
        let assigned = row.assign(arguments.len());
        let variants = variants(&spelled);
        for variant in &variants {
            self.arguments(row, name, variant);
        }
        self.written_elsewhere(row, name, arguments);
        if let ([only], 0, 0) = (variants.as_slice(), self.unsure, self.quiet)
            && let Some(generation) = needs(row, name, only)
        {
            self.only.push((generation, name.to_owned(), self.file, position));
        }
        for ((argument, known), index) in spelled.iter().zip(arguments).zip(&assigned) {
            let parameter = &row.parameters[*index];
            let what = format!("`{}` of `{name}`", parameter.name);
            self.fits(parameter.kind, argument, &known.shape, name, &what);
        }
        self.arity_of_closures(row, written, arguments);
        let shape_of = |parameter: &str| {
            let at = assigned.iter().position(|index| row.parameters[*index].name == parameter)?;
            Some((&arguments[at], &spelled[at]))
        };
        let what_items = shape_of("items").map_or(Shape::Any, |(items, _)| items.shape.clone());
        // A value that is not a list is reported as such.
        let item = if matches!(what_items, Shape::List(_)) { what_items.item() } else { Shape::Any };
        let literal = shape_of("items").and_then(|(items, _)| items.literal.clone()?.item());
        let of_lane = vec![Known { literal, ..item.clone().into() }];
        let body = shape_of("body").or_else(|| shape_of("what")).and_then(|(known, _)| match &known.shape {
            Shape::Closure(closure) => Some(closure.clone()),
            _ => None,
        });
        match row.name {
            "read_csv" | "read_json" => {
                let layout = shape_of("options").map_or(Some(Layout::default()), |(_, written)| files::layout(written));
                let mut read = |path: &Expr| match (path, &layout) {
                    (Expr::StringConstant(path, at), Some(layout)) => self.read(row.name, path, layout, *at),
                    _ => Shape::Any,
                };
                match shape_of("path") {
                    Some((_, Expr::Coalesce(paths, _))) => paths.iter().map(read).fold(Shape::Never, Shape::join),
                    Some((_, path)) => read(path),
                    None => Shape::Any,
                }
            }
            "param" => {
                self.parameter_again(&spelled, position);
                match shape_of("options").map(|(known, _)| &known.shape) {
                    Some(Shape::Map(fields)) => fields.known.get("default").cloned().unwrap_or(Shape::Any),
                    _ => Shape::Any,
                }
            }
            "timestamp" => {
                if self.tried == 0 {
                    let error =
                        Error::script("`timestamp` would tell the machine's time, which a resumed run does not know");
                    self.doubt(error.hint("use `now()`"), position);
                }
                Shape::Any
            }
            "group_by" => {
                let key = match shape_of("key") {
                    Some((Known { shape: Shape::Closure(closure), .. }, _)) => {
                        let closure = closure.clone();
                        self.closure(&closure, vec![item.clone().into()])
                    }
                    Some((_, Expr::StringConstant(column, at))) => self.property(&item, column, *at),
                    _ => Shape::Any,
                };
                let fields = [("key".to_owned(), key), ("items".to_owned(), Shape::list(item))];
                Shape::list(Shape::map(Fields::of(Origin::Function("group_by"), fields)))
            }
            "wave" => {
                let options = shape_of("options").map(|(_, options)| options.clone());
                self.keys(&item, &what_items, options.as_ref(), position);
                let value = body.map_or(Shape::Any, |body| self.lane(&body, of_lane));
                wave_result(value)
            }
            "each" => Shape::list(body.map_or(Shape::Any, |body| self.lane(&body, of_lane))),
            "spawn" => {
                if let Some(body) = body {
                    self.lane(&body, Vec::new());
                }
                Shape::open_map(Origin::Function("spawn"))
            }
            "wait_for" => {
                let given = shape_of("what").map_or(Shape::Any, |(known, _)| known.shape.clone());
                let is_job =
                    |shape: &Shape| matches!(shape, Shape::Map(fields) if fields.origin == Origin::Function("spawn"));
                if given.begun().is_none() && !is_job(&given) && !is_job(&given.item()) {
                    self.waits.by_thing = true;
                }
                match body {
                    Some(body) => self.closure(&body, Vec::new()),
                    None => waited(&given),
                }
            }
            _ => {
                self.run_closures(arguments);
                self.of_server(row, name, written, position)
            }
        }
    }

    /// A call that asks or changes a server.
    pub(super) fn of_server(&mut self, row: &'static Spec, name: &str, written: &[Expr], position: Position) -> Shape {
        let about = match written.first() {
            Some(Expr::Variable(variable, ..)) => Some(variable.1.clone()),
            Some(Expr::StringConstant(text, _)) => Some(text.clone()),
            _ => None,
        };
        let by_name = matches!(row.name, "transfer_list" | "transfer_of" | "transfer_ensure");
        let names = |argument: &Expr| {
            matches!(argument, Expr::StringConstant(..) | Expr::InterpolatedString(..) | Expr::Dot(..))
        };
        let of_replica =
            row.parameters.first().is_some_and(|first| matches!(first.kind, Kind::Reference(Noun::Transfer)));
        self.waits.by_name |= by_name || of_replica && written.first().is_some_and(names);
        if row.name == "sleep" && self.polling > 0 {
            self.waits.polls = true;
        }
        if matches!(
            row.name,
            "transfer_execute"
                | "transfer_sync"
                | "transfer_deploy"
                | "deployment_create"
                | "transfer_delete"
                | "minion_pool_allocate"
                | "minion_pool_update"
                | "minion_pool_delete"
        ) && let Some(about) = &about
        {
            self.waits.goes_on.push((self.file, about.clone(), position));
        }
        if row.name == "transfer_sync" {
            self.waits.joined.extend(about.clone().map(|about| (about, self.unwaited.len())));
        }
        let pool = match row.name {
            "minion_pool_allocate" => Some("pool's machines"),
            "minion_pool_deallocate" => Some("deallocation"),
            _ => None,
        };
        match row.returns.begun_noun() {
            Some(noun) => {
                let what = pool.unwrap_or(noun.plain().0);
                let copies = row.name == "transfer_execute";
                let settles = row.name == "minion_pool_deallocate";
                let (call, file) = (name.to_owned(), self.file);
                Shape::Begun(Arc::new(Begun { noun, what, call, file, position, copies, settles, about }))
            }
            None => returned(row.name, row.returns),
        }
    }

    /// Object maps written in another file, and pieces of some: their mistakes are reported there.
    fn written_elsewhere(&mut self, row: &'static Spec, name: &str, arguments: &[Known]) {
        let assigned = row.assign(arguments.len());
        for (index, known) in arguments.iter().enumerate() {
            let Some(literal) = &known.literal else { continue };
            let here = self.file;
            if literal.file != here {
                self.file = literal.file;
                for part in parts(&literal.expression).iter().filter(|part| has_map(part)) {
                    let mut alone = vec![UNKNOWN; arguments.len()];
                    alone[index] = part.clone();
                    self.arguments(row, name, &alone);
                }
            }
            let Kind::Options(keys) = row.parameters[assigned[index]].kind else { continue };
            for (file, piece) in &literal.pieces {
                self.file = *file;
                let mut found = Vec::new();
                literals::check_piece(self.catalog, name, keys, piece, &mut |error, position| {
                    found.push((error, position))
                });
                found.into_iter().for_each(|(error, position)| self.wrong(error, position));
            }
            self.file = here;
        }
    }

    /// A closure made in a module is called in another file.
    pub(super) fn made_elsewhere(&mut self, closure: &Closure, position: Position) {
        if closure.file == self.file || closure.file == 0 || !is_closure(&closure.name) {
            return;
        }
        let error = Error::script(format!(
            "this closure was made in the module {}, and can only be called there",
            self.files[closure.file].name
        ));
        self.wrong(
            error.hint("let a function of the module call it, or write the closure here: `|item| module::work(item)`"),
            position,
        );
    }

    /// The arguments of the call, also by way of variables.
    pub(super) fn arguments(&mut self, row: &'static Spec, name: &str, spelled: &[Expr]) {
        let mut found = Vec::new();
        check_arguments(self.catalog, row, name, spelled, &mut |error, position| found.push((error, position)));
        for argument in spelled {
            found.extend(nobody_can(row, name, argument, self.now));
        }
        if self.tried_files == 0 {
            let missing = files::missing(row, spelled, self.folder);
            found.extend(
                missing.into_iter().filter(|(path, ..)| !self.written.contains(path)).map(|(_, error, at)| (error, at)),
            );
        }
        self.written.extend(files::written(row, spelled));
        for (error, position) in found {
            self.wrong(error, position);
        }
    }

    /// Checks that a computed value is of the wanted kind; literals were checked before.
    pub(super) fn fits(&mut self, kind: Kind, argument: &Expr, shape: &Shape, word: &str, what: &str) {
        if let Expr::Coalesce(ways, _) = argument {
            ways.iter().for_each(|way| self.fits(kind, way, shape, word, what));
            return;
        }
        if let (Kind::Options(groups), Expr::Map(fields, _), Shape::Map(shapes)) = (kind, argument, shape) {
            for (name, value) in &fields.0 {
                let key = groups.iter().copied().flatten().find(|key: &&Key| key.answers_to(&name.name));
                if let (Some(key), Some(shape)) = (key, shapes.known.get(name.name.as_str())) {
                    let what = format!("`{}` of `{word}`", name.name);
                    self.fits(key.kind, value, shape, &name.name, &what);
                }
            }
            return;
        }
        if literals::is_literal(argument) || kind_takes(kind, shape) {
            return;
        }
        let Some(is) = shape.word() else { return };
        let error = Error::script(format!("{what} must be {}, not {is}", kind.word()));
        let hint = match (kind, shape) {
            (Kind::Integer, Shape::Text) if matches!(argument, Expr::Dot(..) | Expr::Index(..)) => {
                "it is a text, as every column of a CSV file is: write `.parse_int()` behind it".to_owned()
            }
            (Kind::Integer, Shape::Text) => "write it without quotes, or `.parse_int()` behind it".to_owned(),
            (Kind::Flag, Shape::Text) => "compare it: `... == \"yes\"`".to_owned(),
            (_, Shape::List(_)) => "write it without `[ ]`, or take one of the list".to_owned(),
            (_, Shape::Map(fields)) if fields.known.contains_key("name") => "write `.name` behind it".to_owned(),
            _ => format!("give {}", kind.word()),
        };
        self.wrong(error.hint(hint), argument.position());
    }

    /// Closures in variables: the number of their arguments, and their writes.
    pub(super) fn arity_of_closures(&mut self, row: &'static Spec, written: &[Expr], arguments: &[Known]) {
        for (argument, known) in written.iter().zip(arguments) {
            let Shape::Closure(closure) = &known.shape else { continue };
            self.made_elsewhere(closure, argument.position());
            let Some(tree) = &self.files[closure.file].tree else { continue };
            let Some(own) = self.parameters(closure) else { continue };
            let mut found = Vec::new();
            let mut take: Box<Found<'_>> = Box::new(|error, position| found.push((error, position)));
            literals::check_closure(row, own, argument.position(), &mut *take);
            drop(take);
            if runs_beside(row)
                && closure.file == self.file
                && let Some((variable, at)) = tree.writes.get(&closure.name).and_then(|writes| writes.first())
            {
                found.push((captured_write(variable, row.name), *at));
            }
            if row.name == "group_by" && own != 1 {
                found.push((closure_takes(own, 1, "group_by", "|item| ..."), argument.position()));
            }
            for (error, position) in found {
                self.wrong(error, position);
            }
        }
    }

    /// A lane: a `try` around the wave does not cover the work of each item.
    pub(super) fn lane(&mut self, body: &Arc<Closure>, arguments: Vec<Known>) -> Shape {
        let tried = std::mem::take(&mut self.tried_files);
        let lane = self.lane.replace(self.variables.len());
        let value = self.closure(body, arguments);
        (self.tried_files, self.lane) = (tried, lane);
        value
    }

    /// Checks that each item of a wave has a key.
    pub(super) fn keys(&mut self, item: &Shape, items: &Shape, options: Option<&Expr>, position: Position) {
        let key = match options {
            Some(Expr::Map(fields, _)) => fields.0.iter().find(|(name, _)| name.name == "key").map(|(_, value)| value),
            Some(_) => return,
            None => None,
        };
        match key {
            Some(Expr::StringConstant(column, at)) => drop(self.property(item, column, *at)),
            Some(Expr::Variable(variable, ..)) => {
                if let Some(id) = self.find(&variable.1)
                    && let Shape::Closure(closure) = &self.state[id].shape
                {
                    let closure = closure.clone();
                    self.closure(&closure, vec![item.clone().into()]);
                }
            }
            Some(value) => {
                if let Shape::Closure(closure) = self.expression(value) {
                    self.closure(&closure, vec![item.clone().into()]);
                }
            }
            None => {
                let has = |fields: &Fields| ["name", "id"].iter().any(|name| fields.get(name).is_some());
                match item {
                    Shape::Map(fields) if !has(fields) && matches!(items, Shape::List(_)) => {
                        if let Origin::Csv { file, doubled } = &fields.origin
                            && let Some(columns) = doubled.get("name")
                        {
                            self.wrong(doubled_column(file, "name", columns), position);
                            return;
                        }
                        let names: Vec<&str> = fields.known.keys().map(String::as_str).collect();
                        let error = Error::script("the items of this wave have no key: neither `name` nor `id`");
                        let hint = format!("use `key` to tell them apart; they have {}", names.join(", "));
                        self.wrong(error.hint(hint), position);
                    }
                    _ => {}
                }
            }
        }
    }

    pub(super) fn read(&mut self, function: &str, path: &str, layout: &Layout, position: Position) -> Shape {
        let read = match function {
            "read_csv" => files::csv(self.folder, path, layout),
            _ => files::json(self.folder, path),
        };
        match read {
            Ok(shape) => shape,
            Err(Some(error)) => {
                self.wrong(error, position);
                Shape::Any
            }
            Err(None) => Shape::Any,
        }
    }
}

fn has_map(expression: &Expr) -> bool {
    parts(expression).iter().any(|part| matches!(part, Expr::Map(..)))
}

pub(super) fn closure_takes(own: usize, wanted: usize, function: &str, written: &str) -> Error {
    Error::script(format!(
        "this closure has {}, and `{function}` gives it {}",
        count(own, "parameter"),
        count(wanted, "argument")
    ))
    .hint(format!("write it as `{written}`"))
}

/// The result of waiting for it.
fn waited(what: &Shape) -> Shape {
    match what {
        Shape::List(item) => Shape::list(waited(item)),
        Shape::Begun(begun) => object("wait_for", begun.noun).unwrap_or(Shape::Any),
        _ => Shape::Any,
    }
}

fn wave_result(value: Shape) -> Shape {
    let item = ["status", "value", "attempts", "elapsed", "error"].map(|name| {
        let shape = match name {
            "status" => Shape::Text,
            "value" => value.clone(),
            "attempts" => Shape::Integer,
            "elapsed" => Shape::Float,
            _ => Shape::Any,
        };
        (name.to_owned(), shape)
    });
    let items = Fields {
        known: Default::default(),
        other: Some(Box::new(Shape::map(Fields::of(Origin::Function("wave"), item)))),
        origin: Origin::Function("wave"),
    };
    let lists =
        ["ok", "failed", "skipped", "cancelled", "unknown"].map(|name| (name.to_owned(), Shape::list(Shape::Text)));
    Shape::map(Fields::of(Origin::Function("wave"), lists.into_iter().chain([("items".to_owned(), Shape::map(items))])))
}

/// True if a value of that shape may be of the wanted kind.
fn kind_takes(kind: Kind, shape: &Shape) -> bool {
    match shape {
        Shape::Any | Shape::Never | Shape::Begun(_) | Shape::Unit => return true,
        _ => {}
    }
    match kind {
        Kind::Any => true,
        Kind::Text | Kind::Choice(_) | Kind::Word(_) | Kind::Path | Kind::Name(_) => matches!(shape, Shape::Text),
        Kind::Integer => matches!(shape, Shape::Integer),
        Kind::Flag => matches!(shape, Shape::Flag),
        Kind::Map | Kind::Mapping(..) | Kind::Options(_) => matches!(shape, Shape::Map(_)),
        Kind::List | Kind::Rows(_) => matches!(shape, Shape::List(_)),
        Kind::Texts | Kind::Names(_) => matches!(shape, Shape::Text | Shape::List(_)),
        Kind::Closure => matches!(shape, Shape::Closure(_)),
        Kind::Duration | Kind::Budget => matches!(shape, Shape::Text | Shape::Integer | Shape::Float),
        Kind::Reference(_) => matches!(shape, Shape::Text | Shape::Map(_)),
    }
}
