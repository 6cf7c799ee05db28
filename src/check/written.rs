//! Literals in a runbook, by way of variables and branches: one, or an `Expr::Coalesce` of several possible ones. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::{ASTNode, Dynamic, Expr, Ident, ImmutableString, Position};

/// Stands for an unknown literal.
pub const UNKNOWN: Expr = Expr::ThisPtr(Position::NONE);

/// More ways than this are not distinguished.
const MOST: usize = 24;

/// A literal value in one of the files.
#[derive(Clone, Debug)]
pub struct Written {
    pub file: usize,
    pub expression: Arc<Expr>,
    /// The words of the conditions that choose among several: within another condition on one of them, nobody knows
    /// which are left.
    pub decided_by: BTreeSet<ImmutableString>,
    /// The known parts of an object map that is built from more than literals.
    pub pieces: Vec<Piece>,
}

/// An object map that went into another one that is only partly known; with its file.
pub type Piece = (usize, Arc<Expr>);

impl Written {
    pub fn new(file: usize, expression: Expr, decided_by: BTreeSet<ImmutableString>) -> Self {
        Self { file, expression: Arc::new(expression), decided_by, pieces: Vec::new() }
    }

    /// The literal of a value that is one or the other.
    pub fn either(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (one, other) = match (one, other) {
            (Some(one), Some(other)) => (one, other),
            (Some(only), None) | (None, Some(only)) => {
                let expression = one_of([(*only.expression).clone(), UNKNOWN]).map_or(UNKNOWN, |known| known);
                return Some(Self { expression: Arc::new(expression), ..only }).filter(Self::says_something);
            }
            (None, None) => return None,
        };
        let expression = if Arc::ptr_eq(&one.expression, &other.expression) {
            one.expression.clone()
        } else if one.file == other.file {
            Arc::new(both(&one.expression, &other.expression).unwrap_or(UNKNOWN))
        } else {
            Arc::new(UNKNOWN)
        };
        Some(Self { expression, ..one.beside(&other) }).filter(Self::says_something)
    }

    /// Merges two object maps; common keys have the second's values.
    pub fn merged(one: Option<&Self>, two: Option<&Self>) -> Option<Self> {
        let (one, two) = match (one, two) {
            (Some(one), Some(two)) => (one, two),
            // Nothing is known about the other.
            (Some(only), None) | (None, Some(only)) => {
                let pieces = only.all_pieces();
                return Some(Self { expression: Arc::new(UNKNOWN), pieces, ..only.clone() })
                    .filter(Self::says_something);
            }
            (None, None) => return None,
        };
        if one.file == two.file
            && let Some(expression) = merged(&one.expression, &two.expression)
            && one.is_known()
            && two.is_known()
        {
            return Some(Self { expression: Arc::new(expression), ..one.beside(two) });
        }
        let pieces = one.all_pieces().into_iter().chain(two.all_pieces()).collect();
        Some(Self { expression: Arc::new(UNKNOWN), pieces, ..one.beside(two) }).filter(Self::says_something)
    }

    /// Assigns a field at the end of a path of names; `at` is the position.
    pub fn with_field(self, path: &[String], at: Option<Position>, value: Option<Self>) -> Option<Self> {
        let at = at.unwrap_or_else(|| self.expression.position());
        let (value, by) = match value {
            Some(value) => ((*value.expression).clone(), value.decided_by),
            None => (Expr::ThisPtr(at), BTreeSet::new()),
        };
        let expression = Arc::new(with_field(&self.expression, path, at, &value).unwrap_or(UNKNOWN));
        let decided_by = self.decided_by.into_iter().chain(by).collect();
        Some(Self { expression, decided_by, file: self.file, pieces: self.pieces }).filter(Self::says_something)
    }

    fn beside(&self, other: &Self) -> Self {
        let decided_by = self.decided_by.union(&other.decided_by).cloned().collect();
        let pieces = self.pieces.iter().chain(&other.pieces).cloned().collect();
        Self { decided_by, pieces, ..self.clone() }
    }

    fn all_pieces(&self) -> Vec<Piece> {
        let maps = parts(&self.expression).iter().filter(|part| matches!(part, Expr::Map(..)));
        self.pieces.iter().cloned().chain(maps.map(|map| (self.file, Arc::new(map.clone())))).collect()
    }

    pub fn is_known(&self) -> bool {
        !is_unknown(&self.expression)
    }

    fn says_something(&self) -> bool {
        self.is_known() || !self.pieces.is_empty()
    }

    /// One of the items of a list.
    pub fn item(self) -> Option<Self> {
        let Expr::Array(items, _) = &*self.expression else { return None };
        let expression = Arc::new(one_of(items.iter().cloned())?);
        Some(Self { expression, ..self })
    }

    pub fn is_several(&self) -> bool {
        matches!(*self.expression, Expr::Coalesce(..))
    }
}

/// Each of the possible literals.
pub fn parts(expression: &Expr) -> &[Expr] {
    match expression {
        Expr::Coalesce(parts, _) => parts,
        other => std::slice::from_ref(other),
    }
}

/// A choice of these; `None` if there are too many, or one is unknown.
pub fn one_of(several: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    let mut kept: Vec<Expr> = Vec::new();
    let mut seen = BTreeSet::new();
    for expression in several {
        kept.extend(parts(&expression).iter().filter(|part| seen.insert(format!("{part:?}"))).cloned());
    }
    let known = kept.iter().find(|part| !is_unknown(part))?.position();
    match kept.len() {
        1 => kept.pop(),
        2..=MOST => Some(Expr::Coalesce(Box::new(kept.into()), known)),
        _ => None,
    }
}

pub fn is_unknown(expression: &Expr) -> bool {
    matches!(expression, Expr::ThisPtr(_))
}

/// A value that may be either. Two branches of the same object map, with different fields changed, stay one.
fn both(one: &Expr, other: &Expr) -> Option<Expr> {
    let mut left: Vec<&Expr> = parts(other).iter().collect();
    let mut joined = Vec::new();
    for part in parts(one) {
        let same = left
            .iter()
            .position(|more| matches!((part, more), (Expr::Map(_, here), Expr::Map(_, there)) if here == there));
        joined.push(match same {
            Some(same) => both_maps(part, left.remove(same)),
            None => part.clone(),
        });
    }
    one_of(joined.into_iter().chain(left.into_iter().cloned()))
}

/// The fields of both; a field of only one of them may be missing.
fn both_maps(one: &Expr, other: &Expr) -> Expr {
    let (Expr::Map(mine, position), Expr::Map(more, _)) = (one, other) else { return UNKNOWN };
    let or = |value: &Expr, other: Option<&Expr>, at: Position| {
        one_of([value.clone(), other.cloned().unwrap_or(UNKNOWN)]).unwrap_or(Expr::ThisPtr(at))
    };
    let of = |fields: &[(Ident, Expr)], name: &str| {
        fields.iter().find(|(word, _)| word.name == name).map(|(_, value)| value.clone())
    };
    let mut fields = mine.clone();
    for (word, value) in &mut fields.0 {
        *value = or(value, of(&more.0, &word.name).as_ref(), word.pos);
    }
    for (word, value) in more.0.iter().filter(|(word, _)| of(&mine.0, &word.name).is_none()) {
        fields.0.push((word.clone(), or(value, None, word.pos)));
        fields.1.insert(word.name.as_str().into(), Dynamic::UNIT);
    }
    Expr::Map(fields, *position)
}

/// True if a field of a literal object map certainly exists, whatever its value.
pub fn is_sure(value: &Expr) -> bool {
    !matches!(value, Expr::Coalesce(ways, _) if ways.iter().any(is_unknown))
}

/// Merges two object maps; common keys have the second's values. Texts and whole numbers are added.
pub fn merged(one: &Expr, two: &Expr) -> Option<Expr> {
    let merge = |one: &Expr, two: &Expr| match (one, two) {
        (Expr::Map(one, position), Expr::Map(two, _)) => {
            let mut fields = one.clone();
            fields.0.retain(|(word, _)| !two.0.iter().any(|(other, _)| other.name == word.name));
            fields.0.extend(two.0.iter().cloned());
            fields.1.extend(two.1.iter().map(|(name, value)| (name.clone(), value.clone())));
            Expr::Map(fields, *position)
        }
        (Expr::StringConstant(one, position), Expr::StringConstant(two, _)) => {
            Expr::StringConstant(format!("{one}{two}").into(), *position)
        }
        (Expr::IntegerConstant(one, position), Expr::IntegerConstant(two, _)) => {
            one.checked_add(*two).map_or(UNKNOWN, |sum| Expr::IntegerConstant(sum, *position))
        }
        _ => UNKNOWN,
    };
    one_of(parts(one).iter().flat_map(|one| parts(two).iter().map(move |two| merge(one, two))))
}

fn with_field(whole: &Expr, path: &[String], at: Position, value: &Expr) -> Option<Expr> {
    let Some((name, rest)) = path.split_first() else { return Some(value.clone()) };
    one_of(parts(whole).iter().map(|part| {
        let Expr::Map(fields, position) = part else { return UNKNOWN };
        let mut fields = fields.clone();
        let known = fields.0.iter().position(|(word, _)| word.name == name.as_str());
        match known {
            Some(known) if !rest.is_empty() => {
                let (word, inner) = &mut fields.0[known];
                *inner = with_field(inner, rest, at, value).unwrap_or(Expr::ThisPtr(word.pos));
            }
            known => {
                let given = if rest.is_empty() { value.clone() } else { UNKNOWN };
                known.into_iter().for_each(|known| drop(fields.0.remove(known)));
                fields.0.push((Ident { name: name.into(), pos: at }, given));
                fields.1.insert(name.into(), Dynamic::UNIT);
            }
        }
        Expr::Map(fields, *position)
    }))
}

/// True if two fields certainly exist together: both always, or one whenever the other does.
pub fn are_together(one: &Expr, other: &Expr) -> bool {
    is_sure(one) || is_sure(other)
}

/// The only possible value of the flag, if it is set.
pub fn flag(value: &Expr) -> Option<bool> {
    let mut known = parts(value).iter().filter(|part| !is_unknown(part));
    match (known.next(), known.next()) {
        (Some(Expr::BoolConstant(flag, _)), None) => Some(*flag),
        _ => None,
    }
}

/// The arguments in each possible way: an argument with several literals is each of them once.
pub fn variants(arguments: &[Expr]) -> Vec<Vec<Expr>> {
    let several = |argument: &Expr| matches!(argument, Expr::Coalesce(..));
    let alone: Vec<Expr> =
        arguments.iter().map(|argument| if several(argument) { UNKNOWN } else { argument.clone() }).collect();
    let mut variants: Vec<Vec<Expr>> = Vec::new();
    for (index, argument) in arguments.iter().enumerate().filter(|(_, argument)| several(argument)) {
        let given = parts(argument).iter().filter(|part| !matches!(part, Expr::Unit(_)));
        variants.extend(given.map(|part| {
            let mut variant = alone.clone();
            variant[index] = part.clone();
            variant
        }));
    }
    if variants.is_empty() { vec![alone] } else { variants }
}

/// The names in an expression: of variables, fields and functions.
pub fn words(expression: &Expr) -> BTreeSet<ImmutableString> {
    let mut found = BTreeSet::new();
    expression.walk(&mut Vec::new(), &mut |path| {
        match path.last() {
            Some(ASTNode::Expr(Expr::Variable(variable, ..))) => drop(found.insert(variable.1.clone())),
            Some(ASTNode::Expr(Expr::Property(property, _))) => drop(found.insert(property.2.clone())),
            Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) if call.op_token.is_none() => {
                found.insert(call.name.clone());
            }
            _ => {}
        }
        true
    });
    found
}
