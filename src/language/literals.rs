//! Literals of a script that are secrets: found by the names around them, masked in kept texts, and restored from the
//! script itself. Pure.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::language::lexer::{Kind, Token, lex};
use crate::secret::{Known, MASK, Place, SHORTEST, holds_secret, is_secret_name};

/// Placeholder values in the place of a secret.
const EMPTY: [&str; 8] = ["", "none", "null", "...", MASK, "Bearer", "Basic", "Token"];

/// Numbers with fewer digits are counts: `pass += 1`.
pub const FEWEST_DIGITS: usize = 4;

/// The strictness of the search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// Anything near the name of a secret: for typed inputs, where too much masking is better.
    Near,
    /// Only the secret itself: `row["password"]` contains none.
    Itself,
}

/// The positions of the secrets among the literals of a script: found by the name of the field, variable or argument
/// that they belong to, by the function that takes them, and by their looks.
pub fn secret_literals(input: &str) -> Vec<Range<usize>> {
    literals(input, Care::Itself)
}

fn literals(input: &str, care: Care) -> Vec<Range<usize>> {
    let script = Tokens::of(input);
    let passed = passed(&script, care);
    let is_value = |token: &Token| match token.kind {
        Kind::Text => true,
        Kind::Number => token.range.len() >= FEWEST_DIGITS,
        _ => false,
    };
    let values = script.tokens.iter().enumerate().filter(|(_, token)| is_value(token));
    let inner = |token: &Token| input[token.range.clone()].trim_matches(['"', '`', '\'']).trim();
    let is_kept = |index: usize, token: &Token| {
        !EMPTY.contains(&inner(token))
            && (script.is_secret(index, &passed, care)
                || holds_secret(inner(token))
                || names_secret(&input[token.range.clone()]))
    };
    let values: Vec<(bool, &Token)> = values.map(|(index, token)| (is_kept(index, token), token)).collect();
    let kept: BTreeSet<&str> = values
        .iter()
        .filter(|(kept, token)| *kept && inner(token).len() >= SHORTEST)
        .map(|(_, token)| inner(token))
        .collect();
    // The same secret may be written where no name marks it.
    let again = AhoCorasick::new(kept).ok();
    let again = |token: &Token| again.as_ref().is_some_and(|kept| kept.is_match(inner(token)));
    let found = values.iter().filter(|(kept, token)| *kept || again(token));
    found.map(|(_, token)| token.range.clone()).collect()
}

/// Masks the secrets in a script from now on.
pub fn learn(input: &str, known: &Known) {
    for range in secret_literals(input) {
        let raw = &input[range];
        known.learn(raw.trim_matches(['"', '`', '\'']));
        // The value in the program, if it is the same in JSON.
        if let Ok(read) = serde_json::from_str::<String>(raw) {
            known.learn(&read);
        }
    }
}

/// Variables whose value is passed where a secret belongs: `password: pw`.
fn passed<'a>(script: &Tokens<'a>, care: Care) -> BTreeSet<&'a str> {
    let alone = |index: usize| {
        let beside = |at: Option<usize>| at.and_then(|at| script.tokens.get(at)).map(|token| token.kind);
        matches!(beside(index.checked_sub(1)), Some(Kind::Colon | Kind::Operator))
            && matches!(beside(Some(index + 1)), Some(Kind::Comma | Kind::Close | Kind::Semicolon))
    };
    let words = script.tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word);
    let kept = words.filter(|(index, _)| alone(*index) && script.is_secret(*index, &BTreeSet::new(), care));
    kept.map(|(_, token)| &script.input[token.range.clone()]).collect()
}

/// True if a text is a form or an object that names a secret: `{\"password\": ...}`.
fn names_secret(text: &str) -> bool {
    let mut names =
        text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty());
    text.contains([':', '=']) && text.contains(['{', '&', ';']) && names.any(is_secret_name)
}

/// A script without its secrets, and without those that the process has met.
pub fn masked(input: &str, known: &Known) -> String {
    known.mask_code(&replaced(input, Care::Near, |text| {
        let quote = text.chars().next().filter(|first| matches!(first, '"' | '`' | '\'')).unwrap_or('"');
        format!("{quote}{MASK}{quote}")
    }))
}

/// A script with a keyed hash in place of each secret, as a run keeps it.
pub fn sealed(input: &str, hash: impl Fn(&str) -> String) -> String {
    replaced(input, Care::Itself, |text| reference(&hash(text)))
}

fn reference(hash: &str) -> String {
    format!("\"{MASK} {hash}\"")
}

fn replaced(input: &str, care: Care, by: impl Fn(&str) -> String) -> String {
    let mut told = String::new();
    let mut rest = 0;
    for range in literals(input, care) {
        told.push_str(&input[rest..range.start]);
        told.push_str(&by(&input[range.clone()]));
        rest = range.end;
    }
    told.push_str(&input[rest..]);
    told
}

/// The script that was [`sealed`]: its secrets are taken from another version of it.
///
/// # Errors
/// `Input` with the line of the first secret that the other version lacks.
pub fn opened(kept: &str, original: Option<&str>, hash: impl Fn(&str) -> String) -> Result<String> {
    let mut told = kept.to_owned();
    let texts = original.map(|original| (original, secret_literals(original)));
    for (original, range) in
        texts.iter().flat_map(|(original, ranges)| ranges.iter().map(move |range| (original, range)))
    {
        let text = &original[range.clone()];
        told = told.replace(&reference(&hash(text)), text);
    }
    let is_reference = |line: &str| {
        line.split(&format!("\"{MASK} ")).skip(1).any(|rest| {
            rest.split_once('"')
                .is_some_and(|(hash, _)| hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        })
    };
    match told.lines().position(is_reference) {
        None => Ok(told),
        Some(line) => Err(Error::input(format!("line {} has a secret, which runs do not keep", line + 1))),
    }
}

/// True if an input has a mask in place of a secret, as history returns it.
pub fn lacks_secret(input: &str) -> bool {
    let script = Tokens::of(input);
    script.tokens.iter().enumerate().any(|(index, token)| {
        token.kind == Kind::Text
            && input[token.range.clone()].contains(MASK)
            && script.is_secret(index, &BTreeSet::new(), Care::Near)
    })
}

/// Functions and options whose values name a secret, or are not secret.
const TAKE_NAMES: [&str; 8] = [
    "connection_secret",
    "licence_pem",
    STORE,
    "secret_env",
    "secret_file",
    "secret_prompt",
    "secret_get",
    "secret_list",
];
const STORE: &str = "secret_store";

/// A script in pieces.
struct Tokens<'a> {
    input: &'a str,
    tokens: Vec<Token>,
    /// By token: the innermost bracket that is open there, and of a closing one that which it closes.
    opened: Vec<Option<usize>>,
}

impl<'a> Tokens<'a> {
    fn of(input: &'a str) -> Self {
        let tokens = lex(input).tokens;
        let mut open = Vec::new();
        let mut opened = Vec::with_capacity(tokens.len());
        for (index, token) in tokens.iter().enumerate() {
            opened.push(open.last().copied());
            match token.kind {
                Kind::Open => open.push(index),
                Kind::Close => drop(open.pop()),
                _ => {}
            }
        }
        Self { input, tokens, opened }
    }

    fn raw(&self, index: usize) -> &'a str {
        &self.input[self.tokens[index].range.clone()]
    }

    fn word(&self, index: usize) -> &'a str {
        self.raw(index).trim_matches('"')
    }

    fn is(&self, index: Option<usize>, kinds: &[Kind]) -> bool {
        index.is_some_and(|index| kinds.contains(&self.tokens[index].kind))
    }

    /// True if the literal at `index` is the value of a secret by name, or lies inside one.
    fn is_secret(&self, index: usize, passed: &BTreeSet<&str>, care: Care) -> bool {
        let names = self.belongs_to(index, care);
        if matches!(names[..], ["payload", .., STORE]) {
            return true;
        }
        let mut place = Place::default();
        names.iter().rev().any(|name| {
            let keeps = match self.tokens[index].kind {
                Kind::Number => place.inside(name).keeps(&Value::from(0)),
                _ => place.is_secret(name),
            };
            place = place.inside(name);
            (keeps && !TAKE_NAMES.contains(name)) || (care == Care::Near && *name == "payload") || passed.contains(name)
        })
    }

    /// The names of the fields, variables and functions that a value is for, innermost first: a walk to the left and
    /// outwards that skips its neighbours, so that a long list takes no longer than a short one.
    fn belongs_to(&self, index: usize, care: Care) -> Vec<&'a str> {
        let mut names = Vec::new();
        // `map.set("name", "...")`.
        if let Some(at) = index.checked_sub(2)
            && self.is(Some(at + 1), &[Kind::Comma])
            && self.is(Some(at), &[Kind::Text])
        {
            names.push(self.word(at));
        }
        let mut next = index.checked_sub(1);
        while let Some(at) = next {
            let before = at.checked_sub(1);
            next = before;
            match self.tokens[at].kind {
                Kind::Close => match self.opened[at] {
                    Some(open) => next = open.checked_sub(1),
                    None => break,
                },
                Kind::Comma => match self.opened[at] {
                    Some(open) => next = Some(open),
                    None => break,
                },
                Kind::Semicolon => break,
                Kind::Keyword if self.begins_statement(at) => break,
                // An argument, or the key of an index: its surroundings do not tell its purpose.
                Kind::Open if care == Care::Itself && self.opens_use(at) => {
                    names.extend(before.map(|at| self.word(at)).filter(|name| *name == STORE));
                    break;
                }
                // Out of a call: further out its function counts.
                Kind::Open if self.raw(at) == "(" && self.is(before, &[Kind::Word]) => {
                    names.extend(before.map(|at| self.word(at)));
                }
                Kind::Colon | Kind::Operator => names.extend(self.assigned(at, care)),
                _ => {}
            }
        }
        names
    }

    /// The name that stands before an operator which gives it a value: `name: "..."`, `name = "..."`,
    /// `map["name"] = "..."`.
    fn assigned(&self, at: usize, care: Care) -> Option<&'a str> {
        let before = at.checked_sub(1)?;
        if self.raw(at) == "=" && self.tokens[before].kind == Kind::Close {
            return before.checked_sub(1).filter(|at| self.is(Some(*at), &[Kind::Text])).map(|at| self.word(at));
        }
        let assigns = self.tokens[at].kind == Kind::Colon
            || matches!(self.raw(at), "=" | "+=")
            || (care == Care::Near && matches!(self.raw(at), "==" | "!="));
        (assigns && self.is(Some(before), &[Kind::Word, Kind::Text])).then(|| self.word(before))
    }

    /// True if the bracket at this position begins a call or an index.
    fn opens_use(&self, at: usize) -> bool {
        self.is(at.checked_sub(1), &[Kind::Word, Kind::Close, Kind::Text]) && matches!(self.raw(at), "(" | "[" | "?[")
    }

    /// True if no value continues to the left of this keyword: functions, and statements after a block, need no
    /// semicolon.
    fn begins_statement(&self, at: usize) -> bool {
        matches!(self.raw(at), "fn" | "private")
            || (!matches!(self.raw(at), "else" | "catch") && at.checked_sub(1).is_some_and(|at| self.raw(at) == "}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(input: &str) -> String {
        let known = Known::default();
        known.learn("met-before");
        masked(input, &known)
    }

    #[test]
    fn secrets_are_masked_and_nothing_else_is() {
        for (input, expected) in [
            (
                "endpoint_create(#{ name: \"n\", connection_info: #{ host: \"h\", password: \"planted\", key: \"planted\" }, description: \"d\" })",
                "endpoint_create(#{ name: \"n\", connection_info: #{ host: \"h\", password: \"***\", key: \"***\" }, description: \"d\" })",
            ),
            ("let password = \"planted\";", "let password = \"***\";"),
            (
                "let x = #{ \"client_secret\": `planted ${y} planted`, a: \"b\" };",
                "let x = #{ \"client_secret\": `***`${y}\"***\", a: \"b\" };",
            ),
            (
                "secret_store(#{ name: \"n\", payload: \"planted\" })",
                "secret_store(#{ name: \"n\", payload: \"***\" })",
            ),
            ("info.password = \"planted\"; print(\"a\")", "info.password = \"***\"; print(\"a\")"),
            // Better one too many.
            ("if e.token == \"planted\" { print(\"x\") }", "if e.token == \"***\" { print(\"***\") }"),
            ("let passwords = [\"planted\", \"planted\"];", "let passwords = [\"***\", \"***\"];"),
            ("info[\"password\"] = \"planted\"", "info[\"password\"] = \"***\""),
            ("info.set(\"password\", \"planted\")", "info.set(\"password\", \"***\")"),
            ("parse_json(\"{\\\"password\\\": \\\"planted\\\"}\")", "parse_json(\"***\")"),
            ("let os_pw = \"planted\"", "let os_pw = \"***\""),
            ("let id = \"-----BEGIN RSA PRIVATE KEY-----planted\"", "let id = \"***\""),
            (
                "endpoint_create(#{ conection_info: #{ pasword: \"planted\" } })",
                "endpoint_create(#{ conection_info: #{ pasword: \"***\" } })",
            ),
            ("wave(\"copy: a;b\", [\"web\"], |vm| vm)", "wave(\"copy: a;b\", [\"web\"], |vm| vm)"),
            ("print(\"a met-before b\")", "print(\"a *** b\")"),
            ("f(#{ password: g(a, b) + \"planted\", a: \"b\" })", "f(#{ password: g(a, b) + \"***\", a: \"b\" })"),
            ("let pw = if a { \"planted\" } else { \"planted2\" };", "let pw = if a { \"***\" } else { \"***\" };"),
            (
                "f(#{ password: x }) if a { } if b { print(\"c\") }",
                "f(#{ password: x }) if a { } if b { print(\"c\") }",
            ),
            ("let pw = x fn a() { 1 } fn b() { \"c\" }", "let pw = x fn a() { 1 } fn b() { \"c\" }"),
            ("replica_of(\"web-01\")", "replica_of(\"web-01\")"),
            ("group_by(vms, \"key\")", "group_by(vms, \"key\")"),
        ] {
            assert_eq!(kept(input), expected);
        }
    }

    #[test]
    fn a_mask_that_came_back_is_noticed() {
        assert!(lacks_secret("endpoint_create(#{ connection_info: #{ password: \"***\" } })"));
        assert!(!lacks_secret("print(\"***\")"));
        assert!(!lacks_secret("let password = \"typed\";"));
    }

    #[test]
    fn a_variable_that_is_passed_as_a_secret_is_one() {
        for (input, expected) in [
            ("let p = \"planted\"; f(#{ password: p })", "let p = \"***\"; f(#{ password: p })"),
            ("const DB = \"postgres://u:planted@h/x\";", "const DB = \"***\";"),
            (
                "secret_env(\"DB_PASSWORD\") + secret_file(\"token.txt\")",
                "secret_env(\"DB_PASSWORD\") + secret_file(\"token.txt\")",
            ),
            ("f(#{ password: \"\", sas: \"planted\" })", "f(#{ password: \"\", sas: \"***\" })"),
        ] {
            assert_eq!(kept(input), expected);
        }
    }

    #[test]
    fn a_sealed_script_is_opened_by_its_original_and_by_nothing_else() {
        let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex()[..32].to_owned();
        let script = "let a = 1;\nf(#{ password: \"planted\", token: `x ${a} planted` });\nlet pw = \"planted\";";
        let kept = sealed(script, hash);
        assert!(!kept.contains("planted") && kept.starts_with("let a = 1;\nf(#{ password: \"*** "), "{kept}");
        assert_eq!(opened(&kept, Some(script), hash).unwrap(), script);
        let moved = format!("// edited\n{script}");
        assert_eq!(opened(&kept, Some(&moved), hash).unwrap(), script);
        let other = script.replace("planted", "another");
        for original in [None, Some(other.as_str())] {
            assert_eq!(
                opened(&kept, original, hash).unwrap_err().message,
                "line 2 has a secret, which runs do not keep"
            );
        }
        for plain in [
            "f(#{ password: row[\"password\"], token: param(\"vc_token\"), sas: secret_env(\"SAS\") })",
            "f(#{ user_scripts: #{ linux: [#{ payload: \"echo\" }] } })",
            "let password = rows.filter(|row| row.name == \"web\")[0].password; if e.token == \"x\" { g(\"y\") }",
        ] {
            assert_eq!(sealed(plain, hash), plain);
        }
        let plain = "print(\"*** \" + x);";
        assert_eq!(opened(&sealed(plain, hash), None, hash).unwrap(), plain);
    }
}
