//! A walk over a runbook as if it ran: the certain values of its variables, and the mistakes.
//!
//! Branches are walked from the same state and joined; loops are walked twice, the first time only to learn their
//! changes; functions and closures for every shape of their arguments. Uncertain mistakes are never reported.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rhai::{ASTFlags, Expr, ImmutableString, Position, Stmt, StmtBlock};

use crate::check::impossible::no_server;
use crate::check::knowledge::Knowledge;
use crate::check::knowledge::Known;
use crate::check::natives::Natives;
use crate::check::program::{File, Spot, Told, Tree};
use crate::check::shape::{Begun, Closure, Shape, Step, change};
use crate::check::state::{Asked, Turn, Variable, Waits, about};
use crate::check::written::{Written, words};
use crate::error::Error;
use crate::language::bodies::{is_closure, named};
use crate::language::catalog::Catalog;
use crate::language::lexer::{Kind, lex};
use crate::language::scope::Names;
use crate::model::Generation;
use crate::report::values::diagnostic::Severity;

/// Everything that can be reported about a runbook and its modules besides the words of each call.
pub fn walk(files: &[File], natives: &Natives, catalog: &Catalog, folder: &Path, now: Timestamp) -> Vec<Told> {
    walked(files, natives, catalog, folder, now).finish()
}

fn walked<'a>(
    files: &'a [File],
    natives: &'a Natives,
    catalog: &'a Catalog,
    folder: &'a Path,
    now: Timestamp,
) -> Walk<'a> {
    let mut walk = Walk {
        files,
        natives,
        catalog,
        folder,
        now,
        file: 0,
        scope: Names::default(),
        variables: Vec::new(),
        state: Knowledge::default(),
        this: Shape::Any,
        left: Vec::new(),
        loops: 0,
        quiet: 0,
        returns: Vec::new(),
        calls: Vec::new(),
        answers: BTreeMap::new(),
        called: BTreeSet::new(),
        made: BTreeMap::new(),
        unread: BTreeMap::new(),
        unread_replicas: BTreeMap::new(),
        read: BTreeSet::new(),
        unwaited: Vec::new(),
        waits: Waits::default(),
        polling: 0,
        tried: 0,
        tried_files: 0,
        trying: 0,
        asked: Vec::new(),
        unsure: 0,
        only: Vec::new(),
        conditions: Vec::new(),
        turns: Vec::new(),
        written: BTreeSet::new(),
        parameters: BTreeMap::new(),
        lane: None,
        found: Vec::new(),
        closures: 0,
        visits: 0,
    };
    for file in 0..files.len() {
        walk.whole(file);
    }
    walk
}

pub(super) struct Walk<'a> {
    pub(super) files: &'a [File],
    pub(super) natives: &'a Natives,
    pub(super) catalog: &'a Catalog,
    /// The start of relative paths.
    pub(super) folder: &'a Path,
    pub(super) now: Timestamp,
    pub(super) file: usize,
    /// The visible variables, innermost last.
    pub(super) scope: Names<usize>,
    pub(super) variables: Vec<Variable>,
    /// The knowledge about each variable at this moment.
    pub(super) state: Knowledge,
    /// The states in which the surrounding loop, or its turn, is left.
    pub(super) left: Vec<Knowledge>,
    /// The object that the function is called on.
    pub(super) this: Shape,
    pub(super) loops: usize,
    /// In a pass that only learns.
    pub(super) quiet: usize,
    pub(super) returns: Vec<Vec<Known>>,
    /// The functions and closures around the walk.
    pub(super) calls: Vec<(usize, String)>,
    /// The results of functions for these arguments.
    pub(super) answers: BTreeMap<String, Known>,
    pub(super) called: BTreeSet<(usize, String)>,
    pub(super) made: BTreeMap<(usize, String), Arc<Closure>>,
    /// Variables whose values should be used, by their declaration.
    pub(super) unread: BTreeMap<Spot, Told>,
    pub(super) unread_replicas: BTreeMap<Spot, Told>,
    pub(super) read: BTreeSet<Spot>,
    pub(super) unwaited: Vec<(Arc<Begun>, Told)>,
    pub(super) waits: Waits,
    /// Inside loops that may ask repeatedly.
    pub(super) polling: usize,
    /// Set if a failure here is handled by the script.
    pub(super) tried: usize,
    /// The same, including the functions called there.
    pub(super) tried_files: usize,
    /// Inside `try`, whatever else is there.
    pub(super) trying: usize,
    /// Variables whose fields or kind a surrounding condition asks about.
    pub(super) asked: Vec<Asked>,
    /// Above zero if this code may never run.
    pub(super) unsure: usize,
    /// Calls that only servers of one generation can carry out and that certainly run: the function and its position.
    pub(super) only: Vec<(Generation, String, usize, Position)>,
    /// The words of each surrounding condition.
    pub(super) conditions: Vec<BTreeSet<ImmutableString>>,
    /// The variables that each surrounding loop reads and changes.
    pub(super) turns: Vec<Turn>,
    /// Files that the script writes before it reads them.
    pub(super) written: BTreeSet<String>,
    pub(super) parameters: BTreeMap<String, String>,
    /// The first variable of the lane itself, inside a wave's closure.
    pub(super) lane: Option<usize>,
    pub(super) found: Vec<Told>,
    /// The number of closures made so far, each counted as often as it was: they see their surroundings for ever.
    pub(super) closures: usize,
    /// The number of statements walked, each counted as often as it was.
    visits: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn tree(&self) -> Option<&'a Tree> {
        self.files[self.file].tree.as_ref()
    }

    /// Walks a file from its beginning, then the functions that nothing has called.
    pub(super) fn whole(&mut self, file: usize) {
        self.file = file;
        let Some(tree) = self.tree() else { return };
        self.scope = Names::default();
        let statements = tree.ast.statements();
        if let Some((last, before)) = statements.split_last() {
            self.all(before);
            let value = self.statement(last).shape;
            // The value of the runbook is shown if no semicolon ends it; that of a module is not.
            let tokens = lex(&self.files[file].text).tokens;
            let ends = tokens.iter().rev().find(|token| token.kind != Kind::Comment);
            let ended = ends.is_some_and(|last| last.kind == Kind::Semicolon);
            if file > 0 || ended || !is_plain_call(last) {
                self.dropped(&value, last);
            }
        }
        // Nothing calls the following functions.
        self.unsure = 1;
        for (name, body) in named(&tree.bodies) {
            let arguments = body.parameters.iter().map(|_| Shape::Any.into()).collect();
            self.function(file, name, arguments);
        }
        self.file = file;
        let left: Vec<Arc<Closure>> = self
            .made
            .iter()
            .filter(|(key, _)| key.0 == file && !self.called.contains(*key))
            .map(|(_, closure)| closure.clone())
            .collect();
        for closure in left {
            self.closure(&closure, Vec::new());
        }
        self.unsure = 0;
    }

    pub(super) fn finish(mut self) -> Vec<Told> {
        let mut unread = std::mem::take(&mut self.unread);
        if !self.waits.by_name {
            unread.append(&mut self.unread_replicas);
        }
        self.found.extend(unread.into_iter().filter(|(place, _)| !self.read.contains(place)).map(|(_, told)| told));
        for (index, (begun, told)) in std::mem::take(&mut self.unwaited).into_iter().enumerate() {
            let joined = begun.about.as_ref().and_then(|about| self.waits.joined.get(about));
            let joined = begun.copies && joined.is_some_and(|before| *before > index);
            let later = |(file, about, position): &(usize, ImmutableString, Position)| {
                *file == begun.file && Some(about) == begun.about.as_ref() && *position > begun.position
            };
            if begun.settles && !self.waits.goes_on.iter().any(later) {
                continue;
            }
            if !(self.waits.polls || self.waits.by_thing || joined) {
                self.found.push(told);
            }
        }
        self.found.extend(no_server(&self.only, self.files));
        self.found
    }

    pub(super) fn tell(&mut self, severity: Severity, error: Error, position: Position) {
        if self.quiet == 0 && !position.is_none() {
            self.found.push(Told { file: self.file, severity, error, position });
        }
    }

    pub(super) fn wrong(&mut self, error: Error, position: Position) {
        self.tell(Severity::Error, error, position);
    }

    pub(super) fn doubt(&mut self, error: Error, position: Position) {
        self.tell(Severity::Warning, error, position);
    }

    pub(super) fn all(&mut self, statements: &[Stmt]) {
        for statement in statements {
            let value = self.statement(statement).shape;
            self.dropped(&value, statement);
        }
    }

    /// The value of the last statement; `Never` if the block is left before its end.
    pub(super) fn statements(&mut self, statements: &[Stmt]) -> Known {
        let Some((last, before)) = statements.split_last() else { return Shape::Unit.into() };
        self.all(before);
        self.statement(last)
    }

    pub(super) fn block(&mut self, block: &StmtBlock) -> Known {
        self.scoped(|walk| walk.statements(block.statements()))
    }

    pub(super) fn statement(&mut self, statement: &Stmt) -> Known {
        self.visits += 1;
        match statement {
            Stmt::If(flow, _) if matches!(flow.expr, Expr::BoolConstant(..)) => match flow.expr {
                Expr::BoolConstant(true, _) => self.block(&flow.body),
                _ => self.block(&flow.branch),
            },
            Stmt::If(flow, _) => {
                let before = self.asked.len();
                about(&flow.expr, &mut self.asked);
                self.expression(&flow.expr);
                let value = self.ways(
                    words(&flow.expr),
                    [&flow.body, &flow.branch]
                        .into_iter()
                        .map(|block| Box::new(move |walk: &mut Self| walk.block(block)) as Box<_>),
                );
                self.asked.truncate(before);
                value
            }
            Stmt::While(flow, _) | Stmt::Do(flow, ..) => {
                self.polling += 1;
                self.again(|walk| {
                    walk.expression(&flow.expr);
                    walk.body(&flow.body);
                });
                self.polling -= 1;
                Shape::Any.into()
            }
            Stmt::For(head, _) => {
                let items = self.expression(&head.2.expr);
                if let Some(word) = items.word().filter(|_| not_iterable(&items)) {
                    let hint = match items {
                        Shape::Map(_) => "go through its `.keys()` or `.values()`",
                        Shape::Integer => "write `0..n` for a range",
                        _ => "a list, a range or a text can be iterated over",
                    };
                    self.wrong(
                        Error::script(format!("{word} cannot be iterated over")).hint(hint),
                        head.2.expr.position(),
                    );
                }
                let literal = self.literal(&head.2.expr).and_then(Written::item);
                let item = Known { literal, ..items.item().into() };
                self.again(|walk| {
                    walk.scoped(|walk| {
                        walk.declare(&head.0.name, head.0.pos, true, item.clone());
                        if let Some(counter) = &head.1 {
                            walk.declare(&counter.name, counter.pos, true, Shape::Integer.into());
                        }
                        walk.all(head.2.body.statements());
                    });
                });
                Shape::Unit.into()
            }
            Stmt::TryCatch(flow, _) => {
                self.unsure += 1;
                // A single action in a `try` may fail: the remedy is written beside it.
                let one = usize::from(flow.body.statements().len() == 1);
                let before = self.state.clone();
                (self.tried, self.tried_files, self.trying) =
                    (self.tried + one, self.tried_files + one, self.trying + 1);
                let value = self.block(&flow.body);
                (self.tried, self.tried_files, self.trying) =
                    (self.tried - one, self.tried_files - one, self.trying - 1);
                let tried = self.state.clone();
                self.join_unsure(before);
                let caught = self.scoped(|walk| {
                    if let Expr::Variable(variable, _, position) = &flow.expr {
                        walk.declare(&variable.1, *position, false, Shape::Any.into());
                    }
                    walk.statements(flow.branch.statements())
                });
                match (&value.shape, &caught.shape) {
                    (_, Shape::Never) => self.state = tried,
                    (Shape::Never, _) => {}
                    _ => self.join_unsure(tried),
                }
                self.state.grow(self.variables.len());
                self.unsure -= 1;
                value.join(caught)
            }
            Stmt::Switch(switch, _) => {
                let before = self.asked.len();
                about(&switch.0, &mut self.asked);
                self.expression(&switch.0);
                let none = switch.1.def_case.is_none();
                let otherwise = none.then(|| Box::new(|_: &mut Self| Shape::Unit.into()) as Box<_>);
                let cases = switch.1.expressions.iter().map(|case| {
                    Box::new(move |walk: &mut Self| {
                        walk.expression(&case.lhs);
                        walk.valued(&case.rhs)
                    }) as Box<_>
                });
                let value = self.ways(words(&switch.0), cases.chain(otherwise));
                self.asked.truncate(before);
                value
            }
            Stmt::Var(variable, ..) => {
                let known = self.valued(&variable.1);
                self.given_nothing(&variable.1);
                self.expect_use(&variable.0.name, variable.0.pos, &variable.1, &known.shape);
                self.declare(&variable.0.name, variable.0.pos, false, known);
                Shape::Unit.into()
            }
            Stmt::Assignment(assignment) => {
                let value = self.valued(&assignment.1.rhs);
                self.given_nothing(&assignment.1.rhs);
                self.assign(&assignment.1.lhs, value, assignment.0.is_op_assignment());
                Shape::Unit.into()
            }
            Stmt::FnCall(call, position) => self.call(call, *position),
            Stmt::Block(block) => self.block(block),
            Stmt::Expr(expression) => self.valued(expression),
            Stmt::BreakLoop(value, ..) => {
                self.left.push(self.state.clone());
                if let Some(value) = value {
                    self.expression(value);
                }
                Shape::Never.into()
            }
            Stmt::Return(value, flags, _) => {
                let mut known = value.as_ref().map_or(Shape::Unit.into(), |value| self.valued(value));
                if self.conditions.iter().any(|words| self.is_decided(words)) {
                    known.literal = None;
                }
                if !flags.intersects(ASTFlags::BREAK)
                    && let Some(returns) = self.returns.last_mut()
                {
                    returns.push(known);
                }
                Shape::Never.into()
            }
            Stmt::Import(import, _) => {
                self.expression(&import.0);
                Shape::Unit.into()
            }
            Stmt::Export(export, _) => {
                self.look(&export.0.name);
                Shape::Unit.into()
            }
            _ => Shape::Unit.into(),
        }
    }

    pub(super) fn body(&mut self, block: &StmtBlock) {
        self.scoped(|walk| walk.all(block.statements()));
    }

    pub(super) fn assign(&mut self, target: &Expr, value: Known, changes: bool) {
        match target {
            Expr::Variable(variable, ..) if variable.2.path.is_empty() => {
                let Some(id) = self.find(&variable.1) else { return };
                self.kept(&value.shape, id);
                if let (true, false, Some(begun)) =
                    (self.state[id].unread, changes, self.state[id].shape.begun().cloned())
                    && begun.position != value.shape.begun().map_or(Position::NONE, |begun| begun.position)
                {
                    let error = Error::script(format!(
                        "nothing waits for the {} that `{}` begins: `{}` is overwritten before",
                        begun.what, begun.call, variable.1
                    ));
                    self.doubt(
                        error.hint("wait for it first, or give the second one a name of its own"),
                        begun.position,
                    );
                }
                if self.calls.last().is_none_or(|(_, name)| !is_closure(name)) {
                    self.turns.iter_mut().for_each(|turn| turn.changed.extend([id]));
                }
                if let Some(begun) = value.shape.begun().filter(|_| !changes && self.variables[id].loops < self.loops)
                    && let Some(turn) = self.turns.last_mut()
                {
                    let name = &variable.1;
                    let message =
                        format!("each turn overwrites `{name}`: only the last {} can be waited for", begun.what);
                    let hint = format!("collect them: `{name}.push(...)`, and `wait_for({name})` afterwards");
                    turn.if_unread.push((id, Error::script(message).hint(hint), begun.position));
                }
                let shared = self.tree().is_some_and(|tree| tree.shared.contains(variable.1.as_str()));
                let before = self.state[id].shape.clone();
                let literal = Written::merged(self.state[id].literal.as_ref(), value.literal.as_ref());
                let literal = literal.filter(|_| !shared);
                self.state[id] = match (changes, before, value.shape.clone()) {
                    _ if shared => Shape::Any.into(),
                    (false, ..) => value,
                    (true, Shape::List(items), Shape::List(more)) => Shape::list(items.join(*more)).into(),
                    (true, Shape::List(items), one) => Shape::list(items.join(one)).into(),
                    (true, Shape::Map(fields), Shape::Map(more)) => Shape::Map(fields).join(Shape::Map(more)).into(),
                    (true, Shape::Text, _) => Shape::Text.into(),
                    (true, Shape::Integer, Shape::Integer) => Shape::Integer.into(),
                    _ => Shape::Any.into(),
                };
                if changes {
                    self.state[id].literal = literal;
                }
            }
            Expr::Dot(..) | Expr::Index(..) => {
                let Some((root, path)) = self.place(target) else {
                    if matches!(root_of(target), Expr::ThisPtr(_)) {
                        self.this = Shape::Any;
                    }
                    return;
                };
                self.kept(&value.shape, root);
                let literal = self.state[root].literal.take();
                let given = value.literal.filter(|_| !changes);
                self.change(root, &path, &mut |shape| {
                    let before = std::mem::replace(shape, Shape::Never);
                    *shape = match before {
                        Shape::List(items) if changes => Shape::list(items.join(value.shape.clone())),
                        before if changes => before.join(value.shape.clone()),
                        _ => value.shape.clone(),
                    };
                });
                self.state[root].literal =
                    literal.and_then(|literal| self.field_given(literal, &path, last_step(target), given));
            }
            _ => {
                self.expression(target);
            }
        }
    }

    pub(super) fn change(&mut self, root: usize, path: &[Step], with: &mut dyn FnMut(&mut Shape)) {
        let known = &mut self.state[root];
        known.literal = None;
        change(&mut known.shape, path, with);
    }

    /// The variable and the path of an assignment's left side; reads along the path are checked.
    pub(super) fn place(&mut self, target: &Expr) -> Option<(usize, Vec<Step>)> {
        let mut path = Vec::new();
        let root = self.chain(target, true, &mut path);
        root.1.map(|root| (root, path))
    }

    /// True if a surrounding condition asks about the fields of the variable.
    pub(super) fn is_asked(&self, name: &str) -> bool {
        self.asked.iter().any(|asked| asked.name == name)
    }

    /// A literal object map after an assignment to one of its fields, perhaps a nested one.
    pub(super) fn field_given(
        &self,
        whole: Written,
        path: &[Step],
        at: Option<Position>,
        value: Option<Written>,
    ) -> Option<Written> {
        let name = |step: &Step| match step {
            Step::Field(name) => Some(name.clone()),
            Step::Item => None,
        };
        let path = path.iter().map(name).collect::<Option<Vec<_>>>()?;
        let whole = Some(whole).filter(|whole| whole.file == self.file)?;
        whole.with_field(&path, at, value.filter(|value| value.file == self.file))
    }
}

pub(super) fn root_of(chain: &Expr) -> &Expr {
    match chain {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => root_of(&pair.lhs),
        other => other,
    }
}

fn not_iterable(shape: &Shape) -> bool {
    matches!(shape, Shape::Map(_) | Shape::Integer | Shape::Float | Shape::Flag | Shape::Unit)
}

fn is_plain_call(statement: &Stmt) -> bool {
    match statement {
        Stmt::FnCall(..) => true,
        Stmt::Expr(expression) => matches!(**expression, Expr::FnCall(..) | Expr::Dot(..) | Expr::Index(..)),
        _ => false,
    }
}

/// The position of the assigned field.
fn last_step(target: &Expr) -> Option<Position> {
    match target {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => last_step(&pair.rhs),
        Expr::Property(_, position) | Expr::StringConstant(_, position) => Some(*position),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::program::load;
    use crate::functions::catalog;
    use crate::runtime::engine::bare;

    /// The number of statements walked, and the number of variables remembered at the end.
    fn costs(text: &str) -> (usize, usize) {
        let (files, natives) = (load("x.rhai", text, Path::new("/nowhere")), Natives::of(&bare()));
        let walk = walked(&files, &natives, catalog(), Path::new("/nowhere"), Timestamp::UNIX_EPOCH);
        (walk.visits, walk.variables.len())
    }

    fn visits(text: &str) -> usize {
        costs(text).0
    }

    #[test]
    fn what_is_walked_grows_with_the_text_and_not_with_how_its_loops_are_nested() {
        let nested =
            |head: &str, tail: &str, depth: usize| format!("{}print(1);{}", head.repeat(depth), tail.repeat(depth));
        for (head, tail) in [
            ("for i in 0..9 { ", " }"),
            ("while now() == \"\" { ", " }"),
            ("loop { if now() == \"\" { break; } ", " }"),
            ("each([1], |x| { ", " });"),
            ("for i in 0..9 { each([1], |x| { ", " }); }"),
            ("try { for i in [1] { ", " } } catch { }"),
        ] {
            let [few, twice] = [6, 12].map(|depth| visits(&nested(head, tail, depth)));
            // Each level has its turns in all surrounding ones, and no more.
            assert!(twice <= 5 * few, "{head}: {few} and {twice}");
        }
        let functions = |count: usize| -> String {
            let body =
                |n: usize| format!("fn f{n}(x) {{ for i in x {{ if i == 1 {{ f{}(x) }} }} }}\n", n.saturating_sub(1));
            (0..count).map(body).chain([format!("f{}([1]);", count - 1)]).collect()
        };
        let [few, twice] = [50, 100].map(|count| visits(&functions(count)));
        assert!(twice <= 3 * few, "functions: {few} and {twice}");
        assert_eq!(costs(&functions(50)).1, 0, "nobody sees the variables of functions from outside");
    }
}
