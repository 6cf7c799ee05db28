//! Turning the inputs of a session into a runbook. Pure.

use std::ops::Range;

use super::lexer::{Kind, Token, lex};
use crate::language::catalog::Catalog;
use crate::language::spec::{Effect, Spec};
use crate::repl::session::LAST;

/// An input that succeeded.
#[derive(Clone, Debug)]
pub struct Typed {
    pub text: String,
    /// True if it had a result, which was `it` from then on.
    pub result: bool,
}

/// The runbook that does the same, and the number of its inputs; `head` says where it comes from.
pub fn runbook(inputs: &[Typed], head: &str, catalog: &Catalog) -> (String, usize) {
    let inputs = with_last_functions(inputs);
    let mut lines = vec![format!("// {head}"), String::new()];
    let mut declared = false;
    for (index, input) in inputs.iter().enumerate() {
        let used = input.result && uses_last(&inputs[index + 1..]);
        if input.text.is_empty() || input.result && (input.text.trim() == LAST || !used && only_looks(&input.text)) {
            continue;
        }
        let (text, comment) = without_comment(input.text.trim());
        let text = text.trim_end_matches(';').trim_end();
        let last = last_statement(text);
        let (before, value) = text.split_at(last);
        let statement = match () {
            () if text.is_empty() => String::new(),
            () if used => {
                let word = if declared { "" } else { "let " };
                declared = true;
                format!("{before}{word}{LAST} = {value};")
            }
            // A runbook waits for work that goes on: nobody watches.
            () if input.result && starts_something(value, catalog) => format!("{before}wait_for({value});"),
            // An answer that was read on the screen goes to the runbook's output.
            () if input.result && answers(value, catalog) => format!("{before}print({value});"),
            () if text.ends_with('}') && !input.result && is_block(value) => text.to_owned(),
            () => format!("{text};"),
        };
        lines.push(format!("{statement}{comment}"));
    }
    let count = lines.len() - 2;
    (lines.join("\n") + "\n", count)
}

/// A text, and the comment behind its last word with the space before it.
fn without_comment(text: &str) -> (&str, &str) {
    let tokens = lex(text).tokens;
    let end = tokens.iter().rev().find(|token| token.kind != Kind::Comment).map_or(0, |last| last.range.end);
    text.split_at(end)
}

/// True if a statement ends with its block and needs no semicolon.
fn is_block(statement: &str) -> bool {
    let first = lex(statement).tokens.into_iter().find(|token| token.kind != Kind::Comment);
    first.is_some_and(|first| {
        let word = &statement[first.range];
        matches!(word, "fn" | "private" | "if" | "for" | "while" | "loop" | "do" | "switch" | "try" | "{")
    })
}

/// Keeps only the last declaration of each function: a runbook may have just one.
fn with_last_functions(inputs: &[Typed]) -> Vec<Typed> {
    let declared: Vec<Vec<Declared>> = inputs.iter().map(|input| functions(&input.text)).collect();
    let mut kept = inputs.to_vec();
    for (index, input) in kept.iter_mut().enumerate() {
        for (position, function) in declared[index].iter().enumerate().rev() {
            let mut later = declared[index][position + 1..].iter().chain(declared[index + 1..].iter().flatten());
            if later.any(|other| other.name == function.name && other.parameters == function.parameters) {
                input.text.replace_range(function.range.clone(), "");
            }
        }
        input.text = input.text.trim().to_owned();
    }
    kept
}

/// A function declaration.
struct Declared {
    name: String,
    parameters: usize,
    range: Range<usize>,
}

fn functions(text: &str) -> Vec<Declared> {
    let tokens: Vec<_> = lex(text).tokens.into_iter().filter(|token| token.kind != Kind::Comment).collect();
    let word = |at: usize| tokens.get(at).map_or("", |token| &text[token.range.clone()]);
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|at| word(*at) == "fn" && word(at + 2) == "(") {
        // Up to the bracket that closes the parameters, then to the one that closes the block.
        let Some(closing) = closed(&tokens, at + 2) else { continue };
        let Some(end) = closed(&tokens, closing + 1) else { continue };
        let begin = if at > 0 && word(at - 1) == "private" { at - 1 } else { at };
        let parameters = tokens[at + 3..closing].iter().filter(|token| token.kind == Kind::Word).count();
        let range = tokens[begin].range.start..tokens[end].range.end;
        found.push(Declared { name: word(at + 1).to_owned(), parameters, range });
    }
    found
}

/// The position of the closing bracket.
fn closed(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The whole statements of an input before the place at which it ended. A wait that was interrupted belongs to them,
/// since a runbook waits.
pub fn done_before(text: &str, line: usize, column: usize, interrupted: bool, catalog: &Catalog) -> Option<String> {
    let begin: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[begin.min(text.len())..];
    let at = begin + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
    let mut depth = 0_usize;
    let (mut end, mut next) = (0, text.len());
    for token in lex(text).tokens {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Semicolon if depth == 0 && token.range.end <= at => end = token.range.end,
            Kind::Semicolon if depth == 0 => {
                next = token.range.start;
                break;
            }
            _ => {}
        }
    }
    let waits = interrupted && called(text[end..next].trim(), catalog).is_some_and(|row| row.name == "wait_for");
    let done = if waits { &text[..next] } else { &text[..end] };
    (!done.trim().is_empty()).then(|| done.trim().to_owned())
}

/// True if an input neither calls nor declares anything: a look at a variable.
fn only_looks(text: &str) -> bool {
    lex(text).tokens.iter().all(|token| {
        let word = &text[token.range.clone()];
        match token.kind {
            Kind::Open => word != "(" && word != "{",
            Kind::Operator => !word.ends_with('=') || matches!(word, "==" | "!=" | "<=" | ">="),
            Kind::Keyword => matches!(word, "true" | "false" | "this" | "global"),
            _ => true,
        }
    })
}

/// True if an input reads `it` before another one replaces it.
fn uses_last(later: &[Typed]) -> bool {
    for input in later {
        let uses = lex(&input.text)
            .tokens
            .iter()
            .any(|token| token.kind == Kind::Word && input.text[token.range.clone()] == *LAST);
        if uses {
            return true;
        }
        if input.result {
            return false;
        }
    }
    false
}

/// The start of the last statement.
fn last_statement(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut begin = 0;
    for token in lex(text).tokens {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Semicolon if depth == 0 => begin = token.range.end,
            _ => {}
        }
    }
    begin + text[begin..].len() - text[begin..].trim_start().len()
}

/// The function of a statement that is a bare call.
fn called(statement: &str, catalog: &Catalog) -> Option<&'static Spec> {
    let tokens = lex(statement).tokens;
    let first = tokens.first().filter(|first| first.kind == Kind::Word)?;
    let is_call = tokens.get(1).is_some_and(|open| &statement[open.range.clone()] == "(");
    is_call.then(|| catalog.find(&statement[first.range.clone()])).flatten()
}

/// True if a statement is a bare call that only finds something out, and never fails.
fn answers(statement: &str, catalog: &Catalog) -> bool {
    called(statement, catalog).is_some_and(|row| row.name == "endpoint_validate_connection")
}

/// True if a statement is a bare call whose work goes on at the server.
fn starts_something(statement: &str, catalog: &Catalog) -> bool {
    called(statement, catalog).is_some_and(|row| row.effect == Effect::Changes && row.returns.begun_noun().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::catalog;

    fn typed(text: &str, result: bool) -> Typed {
        Typed { text: text.to_owned(), result }
    }

    #[test]
    fn what_was_typed_becomes_a_runbook() {
        let inputs = [
            typed("let from = endpoint_find(\"vcenter\")", false),
            typed("replica_of(\"web-01\")", true),
            typed("replica_sync(it)", true),
            typed("it.status", true),
            typed("it", true),
            typed("fn twice(x) {\n  x * 2\n}", false),
            typed("let r = 1; replica_execute(it)", true),
            typed("endpoint_validate_connection(from)", true),
            typed("print(\"done\");", false),
        ];
        assert_eq!(
            runbook(&inputs, "Typed on Monday.", catalog()).0,
            "// Typed on Monday.\n\nlet from = endpoint_find(\"vcenter\");\nlet it = replica_of(\"web-01\");\nit = replica_sync(it);\n\
             it = it.status;\nfn twice(x) {\n  x * 2\n}\nlet r = 1; wait_for(replica_execute(it));\n\
             print(endpoint_validate_connection(from));\nprint(\"done\");\n"
        );
    }
    #[test]
    fn semicolons_stand_where_they_belong_and_functions_once() {
        let inputs = [
            typed("let q = #{ a: 1 }", false),
            typed("let five = 5 // five", false),
            typed("let t = if true { 1 } else { 2 }", false),
            typed("fn add(a, b) { a + b }", false),
            typed("fn add(a) { a }", false),
            typed("fn add(a, b) { a + b + 1 } let sum = add(1, 2)", false),
            typed("for x in [1] { print(x); }", false),
            typed("// nothing but words", false),
        ];
        let (text, count) = runbook(&inputs, "x", catalog());
        assert_eq!(
            text,
            "// x\n\nlet q = #{ a: 1 };\nlet five = 5; // five\nlet t = if true { 1 } else { 2 };\nfn add(a) { a }\n\
             fn add(a, b) { a + b + 1 } let sum = add(1, 2);\nfor x in [1] { print(x); }\n// nothing but words\n"
        );
        assert_eq!(count, 7);
        assert!(crate::runtime::engine::bare().compile(&text).is_ok());
    }

    #[test]
    fn of_what_failed_the_statements_before_are_kept() {
        let text = "let m = #{ a: 1 }; m.alhpa";
        assert_eq!(done_before(text, 1, 22, false, catalog()).as_deref(), Some("let m = #{ a: 1 };"));
        assert_eq!(done_before("m.alhpa", 1, 3, false, catalog()), None);
        let waits = "let r = 1;\nlet x = replica_execute(r);\nwait_for(x);";
        assert_eq!(
            done_before(waits, 3, 1, true, catalog()).as_deref(),
            Some("let r = 1;\nlet x = replica_execute(r);\nwait_for(x)")
        );
        assert_eq!(
            done_before(waits, 3, 1, false, catalog()).as_deref(),
            Some("let r = 1;\nlet x = replica_execute(r);")
        );
        assert_eq!(done_before("if a { x(); y }", 1, 13, false, catalog()), None);
    }
}
