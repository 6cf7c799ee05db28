//! Texts of a script that are secrets: found by what they belong to, masked in what is kept, and put back from the
//! script itself. Pure.

use std::ops::Range;

use serde_json::Value;

use super::lexer::{Kind, Token, lex};
use crate::error::{Error, Result};
use crate::secret::{Known, MASK, Place, SHORTEST, holds_secret, is_secret_name};

/// Values that stand in the place of a secret and are none.
const EMPTY: [&str; 8] = ["", "none", "null", "...", MASK, "Bearer", "Basic", "Token"];

/// Numbers with fewer digits are counts: `pass += 1`.
const FEWEST_DIGITS: usize = 4;

/// How much counts as a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// Whatever stands near the name of one: what was typed is masked rather too often.
    Near,
    /// What is one itself: `row["password"]` has none in it.
    Itself,
}

/// Where the texts of a script are that are secrets: by the name of the field, variable or argument that they belong to,
/// by the function that takes them, by what they look like.
pub fn secret_literals(input: &str) -> Vec<Range<usize>> {
    literals(input, Care::Itself)
}

fn literals(input: &str, care: Care) -> Vec<Range<usize>> {
    let tokens = lex(input).tokens;
    let passed = passed(input, &tokens, care);
    let is_value = |token: &Token| match token.kind {
        Kind::Text => true,
        Kind::Number => token.range.len() >= FEWEST_DIGITS,
        _ => false,
    };
    let texts: Vec<(usize, &Token)> = tokens.iter().enumerate().filter(|(_, token)| is_value(token)).collect();
    let inner = |token: &Token| input[token.range.clone()].trim_matches(['"', '`', '\'']).trim();
    let is_kept = |(index, token): &&(usize, &Token)| {
        !EMPTY.contains(&inner(token))
            && (is_secret(input, &tokens, *index, &passed, care)
                || holds_secret(inner(token))
                || names_secret(&input[token.range.clone()]))
    };
    let kept: Vec<&str> = texts.iter().filter(is_kept).map(|(_, token)| inner(token)).collect();
    // The same secret may be written where nothing says that it is one.
    let again = |token: &Token| kept.iter().any(|kept| kept.len() >= SHORTEST && inner(token).contains(kept));
    let found = texts.iter().filter(|text| is_kept(text) || again(text.1));
    found.map(|(_, token)| token.range.clone()).collect()
}

/// From now on the secrets that a script holds are masked.
pub fn learn(input: &str, known: &Known) {
    for range in secret_literals(input) {
        let raw = &input[range];
        known.learn(raw.trim_matches(['"', '`', '\'']));
        // As the program reads it, where that is the same in JSON.
        if let Ok(read) = serde_json::from_str::<String>(raw) {
            known.learn(&read);
        }
    }
}

/// Variables whose value goes where a secret belongs: `password: pw`.
fn passed<'a>(input: &'a str, tokens: &[Token], care: Care) -> Vec<&'a str> {
    let alone = |index: usize| {
        let beside = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map(|token| token.kind);
        matches!(beside(index.checked_sub(1)), Some(Kind::Colon | Kind::Operator))
            && matches!(beside(Some(index + 1)), Some(Kind::Comma | Kind::Close | Kind::Semicolon))
    };
    let words = tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word);
    let kept = words.filter(|(index, _)| alone(*index) && is_secret(input, tokens, *index, &[], care));
    kept.map(|(_, token)| &input[token.range.clone()]).collect()
}

/// Whether a text is a form or an object that names a secret: `{\"password\": ...}`.
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

/// A script with a keyed hash in the place of each secret: what a run keeps.
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

/// The script that was [`sealed`]: its secrets are taken from another text of it.
///
/// # Errors
/// `Input` with the line of the first secret that the other text does not hold.
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

/// Whether an input has a mask in the place of a secret, as history gives it back.
pub fn lacks_secret(input: &str) -> bool {
    let tokens = lex(input).tokens;
    tokens.iter().enumerate().any(|(index, token)| {
        token.kind == Kind::Text
            && input[token.range.clone()].contains(MASK)
            && is_secret(input, &tokens, index, &[], Care::Near)
    })
}

/// Whether the text at `index` is the value of something that is a secret by its name, or lies inside of one.
fn is_secret(input: &str, tokens: &[Token], index: usize, passed: &[&str], care: Care) -> bool {
    let word = |at: usize| input[tokens[at].range.clone()].trim_matches('"');
    let mut place = Place::default();
    let mut names: Vec<&str> = Vec::new();
    let mut depth = 0_usize;
    let mut at = index;
    while at > 0 {
        at -= 1;
        match tokens[at].kind {
            Kind::Close => depth += 1,
            Kind::Open if depth > 0 => depth -= 1,
            // An argument, or the key of an index: what it is for is not said by what surrounds it.
            Kind::Open if care == Care::Itself && at > 0 && opens_use(input, tokens, at) => {
                if word(at - 1) == "secret_store" && names.first() == Some(&"payload") {
                    return true;
                }
                break;
            }
            // Out of a call: its function is what counts further out.
            Kind::Open if at > 0 && tokens[at - 1].kind == Kind::Word && input[tokens[at].range.clone()] == *"(" => {
                names.push(word(at - 1));
            }
            // `map["name"] = "..."`.
            Kind::Operator
                if depth == 0
                    && at > 1
                    && input[tokens[at].range.clone()] == *"="
                    && tokens[at - 1].kind == Kind::Close
                    && tokens[at - 2].kind == Kind::Text =>
            {
                names.push(word(at - 2));
            }
            // `map.set("name", "...")`.
            Kind::Comma if at + 1 == index && tokens[at - 1].kind == Kind::Text => names.push(word(at - 1)),
            // `name: "..."`, `name = "..."`, `name == "..."`, `let name = "..."`.
            Kind::Colon | Kind::Operator
                if depth == 0 && at > 0 && matches!(tokens[at - 1].kind, Kind::Word | Kind::Text) =>
            {
                let assigns = tokens[at].kind == Kind::Colon
                    || matches!(&input[tokens[at].range.clone()], "=" | "+=")
                    || (care == Care::Near && matches!(&input[tokens[at].range.clone()], "==" | "!="));
                // A value that ended before the place does not hold it.
                let ended =
                    tokens[at + 1..index].iter().any(|token| matches!(token.kind, Kind::Comma | Kind::Semicolon));
                let inside = tokens[at + 1..index].iter().filter(|token| token.kind == Kind::Open).count()
                    > tokens[at + 1..index].iter().filter(|token| token.kind == Kind::Close).count();
                if assigns && (!ended || inside) {
                    names.push(word(at - 1));
                }
            }
            Kind::Semicolon if depth == 0 => break,
            _ => {}
        }
    }
    for name in names.iter().rev() {
        // Functions of secrets, and options that name one or hold what is none.
        let takes_names = [
            "connection_secret",
            "licence_pem",
            "secret_store",
            "secret_env",
            "secret_file",
            "secret_prompt",
            "secret_get",
            "secret_list",
        ];
        let keeps = match tokens[index].kind {
            Kind::Number => place.inside(name).keeps(&Value::from(0)),
            _ => place.is_secret(name),
        };
        if keeps && !takes_names.contains(name) || (care == Care::Near && *name == "payload") || passed.contains(name) {
            return true;
        }
        place = place.inside(name);
    }
    false
}

/// Whether the bracket at this place begins a call or an index.
fn opens_use(input: &str, tokens: &[Token], at: usize) -> bool {
    let bracket = &input[tokens[at].range.clone()];
    let behind = matches!(tokens[at - 1].kind, Kind::Word | Kind::Close | Kind::Text);
    behind && matches!(bracket, "(" | "[" | "?[")
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
            // Rather one too many.
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
