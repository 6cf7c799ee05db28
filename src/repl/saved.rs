//! From what was typed to a runbook. Pure.

use super::lexer::{Kind, lex};
use crate::script::catalog;
use crate::script::function::{Effect, Function};
use crate::script::session::LAST;

/// An input that succeeded.
#[derive(Clone, Debug)]
pub struct Typed {
    pub text: String,
    /// Whether it gave a result, which was `it` from then on.
    pub result: bool,
}

/// The runbook that does the same; `head` says where it comes from.
pub fn runbook(inputs: &[Typed], head: &str) -> String {
    let mut lines = vec![format!("// {head}"), String::new()];
    let mut declared = false;
    for (index, input) in inputs.iter().enumerate() {
        let used = input.result && uses_last(&inputs[index + 1..]);
        if input.result && (input.text.trim() == LAST || !used && only_looks(&input.text)) {
            continue;
        }
        let text = input.text.trim().trim_end_matches(';').trim_end();
        let last = last_statement(text);
        lines.push(match () {
            () if used => {
                let (before, value) = text.split_at(last);
                let word = if declared { "" } else { "let " };
                declared = true;
                format!("{before}{word}{LAST} = {value};")
            }
            // What goes on is waited for in a runbook: nobody looks.
            () if input.result && starts_something(&text[last..]) => {
                let (before, value) = text.split_at(last);
                format!("{before}wait_for({value});")
            }
            // An answer that was read on the screen is read in the runbook's output.
            () if input.result && answers(&text[last..]) => {
                let (before, value) = text.split_at(last);
                format!("{before}print({value});")
            }
            () if text.ends_with('}') && !input.result => text.to_owned(),
            () => format!("{text};"),
        });
    }
    lines.join("\n") + "\n"
}

/// Whether an input neither calls nor declares anything: a look at a variable.
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

/// Whether an input reads `it` before another one makes it anew.
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

/// Where the last statement begins.
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
fn called(statement: &str) -> Option<&'static Function> {
    let tokens = lex(statement).tokens;
    let first = tokens.first().filter(|first| first.kind == Kind::Word)?;
    let is_call = tokens.get(1).is_some_and(|open| &statement[open.range.clone()] == "(");
    is_call.then(|| catalog::find(&statement[first.range.clone()])).flatten()
}

/// Whether a statement is a bare call that does nothing but find something out, and throws nothing.
fn answers(statement: &str) -> bool {
    called(statement).is_some_and(|row| row.name == "endpoint_validate_connection")
}

/// Whether a statement is a bare call of something that goes on at the server.
fn starts_something(statement: &str) -> bool {
    let row = called(statement).filter(|row| row.effect == Effect::Changes);
    let goes_on = |result: &str| {
        ["an execution", "the execution", "a deployment", "the deployment", "a migration", "the migration"]
            .iter()
            .any(|begin| result.starts_with(begin))
    };
    row.is_some_and(|row| goes_on(row.result) && row.name != "transfer_execution_show")
}

#[cfg(test)]
mod tests {
    use super::*;

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
            runbook(&inputs, "Typed on Monday."),
            "// Typed on Monday.\n\nlet from = endpoint_find(\"vcenter\");\nlet it = replica_of(\"web-01\");\nit = replica_sync(it);\n\
             it = it.status;\nfn twice(x) {\n  x * 2\n}\nlet r = 1; wait_for(replica_execute(it));\n\
             print(endpoint_validate_connection(from));\nprint(\"done\");\n"
        );
    }
}
