//! The memory of the walk about loops, conditions and waits.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{Expr, ImmutableString, Position};

use crate::error::Error;

/// A variable that a condition asks about.
pub(super) struct Asked {
    pub(super) name: ImmutableString,
    /// True if it asks about the kind, not only about a field.
    pub(super) kind: bool,
}

/// The effect of a loop on the variables declared around it.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) read: BTreeSet<usize>,
    pub(super) changed: BTreeSet<usize>,
    /// Mistakes that count only if the loop changes the variable.
    pub(super) if_changed: Vec<(usize, Error, Position)>,
    /// Mistakes that count only if the loop does not read the variable.
    pub(super) if_unread: Vec<(usize, Error, Position)>,
}

/// The ways in which a script waits other than for the result of a call.
#[derive(Default)]
pub(super) struct Waits {
    /// It asks repeatedly.
    pub(super) polls: bool,
    /// It waits for work without the call that began it: for a replica's newest execution.
    pub(super) by_thing: bool,
    /// It finds replicas by the names of their VMs, or lists them.
    pub(super) by_name: bool,
    /// Further actions on a replica or a pool, with their positions.
    pub(super) goes_on: Vec<(usize, ImmutableString, Position)>,
    /// Replicas whose copies are joined, and the number of copies that had begun by then without anybody waiting.
    pub(super) joined: BTreeMap<ImmutableString, usize>,
}

pub(super) struct Variable {
    pub(super) name: ImmutableString,
    pub(super) file: usize,
    pub(super) declared: Position,
    /// The number of loops around its declaration.
    pub(super) loops: usize,
    /// True if a loop gives it another value each time.
    pub(super) turns: bool,
}

/// The variables whose fields or kind a condition asks about: `"x" in vm`, `vm.contains("x")`, `type_of(vm) == "map"`.
pub(super) fn about(condition: &Expr, found: &mut Vec<Asked>) {
    let asked = |expression: &Expr, kind| match expression {
        Expr::Variable(variable, ..) => Some(Asked { name: variable.1.clone(), kind }),
        _ => None,
    };
    match condition {
        Expr::FnCall(call, _) if matches!(call.name.as_str(), "contains" | "in" | "type_of") => {
            found.extend(call.args.iter().filter_map(|argument| asked(argument, call.name == "type_of")));
        }
        Expr::FnCall(call, _) if call.op_token.is_some() => call.args.iter().for_each(|part| about(part, found)),
        Expr::And(parts, _) | Expr::Or(parts, _) => parts.iter().for_each(|part| about(part, found)),
        Expr::Dot(pair, ..) => {
            if let Expr::MethodCall(call, _) = &pair.rhs
                && matches!(call.name.as_str(), "contains" | "get" | "type_of")
            {
                found.extend(asked(&pair.lhs, call.name == "type_of"));
            }
        }
        _ => {}
    }
}
