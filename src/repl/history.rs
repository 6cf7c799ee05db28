//! What was typed, kept for the next session without its secrets.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::lexer::{Kind, Token, lex};
use crate::journal::file::read_optional;
use crate::secret::{MASK, Place, holds_secret};

/// So many inputs are kept.
const MOST: usize = 5_000;

/// The file of a user's inputs, one a line, as JSON texts: an input may have several lines.
pub struct History {
    path: PathBuf,
}

impl History {
    /// The inputs that were kept; the file is shortened where it has grown long.
    ///
    /// # Errors
    /// Those of the file, other than that there is none.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<String>)> {
        let mut inputs = read(path)?;
        if inputs.len() > 2 * MOST {
            inputs.drain(..inputs.len() - MOST);
            rewrite(path, &inputs)?;
        }
        Ok((Self { path: path.to_owned() }, inputs))
    }

    /// Takes secrets out of what is kept, which turned out to be some only later.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn forget(&self, secrets: &[String]) -> io::Result<()> {
        let inputs = read(&self.path)?;
        let masked: Vec<String> = inputs.iter().map(|input| without(input.clone(), secrets)).collect();
        if masked == inputs { Ok(()) } else { rewrite(&self.path, &masked) }
    }

    /// Keeps an input, its secrets masked.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn keep(&self, input: &str, known_secrets: &[String]) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = private(OpenOptions::new().append(true).create(true), &self.path)?;
        write_input(&mut file, &masked(input, known_secrets))
    }
}

fn read(path: &Path) -> io::Result<Vec<String>> {
    let text = read_optional(path)?.unwrap_or_default();
    // What is no JSON is from somebody else, and left out.
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Puts these in the place of all that was kept.
fn rewrite(path: &Path, inputs: &[String]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = private(OpenOptions::new().write(true).create(true).truncate(true), &new)?;
    inputs.iter().try_for_each(|input| write_input(&mut file, input))?;
    std::fs::rename(new, path)
}

fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.mode(0o600).open(path)
}

fn write_input(file: &mut File, input: &str) -> io::Result<()> {
    let mut line = serde_json::Value::from(input).to_string();
    line.push('\n');
    file.write_all(line.as_bytes())
}

/// An input without the texts that are secrets: by the name of the field, variable or argument that they belong to, by
/// the function that takes them, and those that this process has met.
pub fn masked(input: &str, known_secrets: &[String]) -> String {
    let tokens = lex(input).tokens;
    let mut told = String::new();
    let mut rest = 0;
    for (index, token) in tokens.iter().enumerate() {
        let holds = || holds_secret(&input[token.range.clone()]);
        if token.kind == Kind::Text && (is_secret(input, &tokens, index) || holds()) {
            let quote = input[token.range.clone()]
                .chars()
                .next()
                .filter(|first| matches!(first, '"' | '`' | '\''))
                .unwrap_or('"');
            told.push_str(&input[rest..token.range.start]);
            told.push_str(&format!("{quote}{MASK}{quote}"));
            rest = token.range.end;
        }
    }
    told.push_str(&input[rest..]);
    without(told, known_secrets)
}

fn without(mut text: String, secrets: &[String]) -> String {
    for secret in secrets.iter().filter(|secret| secret.len() > 3) {
        text = text.replace(secret.as_str(), MASK);
    }
    text
}

/// Whether an input has a mask in the place of a secret, as history gives it back.
pub fn lacks_secret(input: &str) -> bool {
    let tokens = lex(input).tokens;
    tokens.iter().enumerate().any(|(index, token)| {
        token.kind == Kind::Text && input[token.range.clone()].contains(MASK) && is_secret(input, &tokens, index)
    })
}

/// Whether the text at `index` is the value of something that is a secret by its name, or lies inside of one.
fn is_secret(input: &str, tokens: &[Token], index: usize) -> bool {
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
                    || matches!(&input[tokens[at].range.clone()], "=" | "==" | "!=" | "+=");
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
        if place.is_secret(name) && *name != "secret_store" || *name == "payload" {
            return true;
        }
        place = place.inside(name);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(input: &str) -> String {
        masked(input, &["met-before".to_owned()])
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
    fn inputs_of_several_lines_come_back_and_the_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("coriolis-run-history-{}", std::process::id()));
        let path = folder.join("history.jsonl");
        let _ = std::fs::remove_dir_all(&folder);
        let (history, inputs) = History::open(&path).unwrap();
        assert_eq!(inputs, Vec::<String>::new());
        history.keep("wave(\"a\", [], |vm| {\n  vm\n})", &[]).unwrap();
        history.keep("let token = \"planted\";", &[]).unwrap();
        let (_, inputs) = History::open(&path).unwrap();
        assert_eq!(inputs, ["wave(\"a\", [], |vm| {\n  vm\n})", "let token = \"***\";"]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
