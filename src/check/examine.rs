//! All mistakes in a runbook that can be found without running it, in its imports, and in the files that it names.

use std::path::Path;

use jiff::Timestamp;
use rhai::{AST, Engine};
use serde_json::Value;

use crate::check::compile::findings;
use crate::check::natives::Natives;
use crate::check::program::{File, load};
use crate::check::walk::walk;
use crate::check::words::{UNDEFINED, Vocabulary};
use crate::error::Error;
use crate::language::catalog::Catalog;
use crate::language::finding::Finding;
use crate::language::literals::secret_literals;
use crate::report::values::diagnostic::Severity;

/// A mistake, and its file.
#[derive(Clone, Debug)]
pub struct Remark {
    /// The runbook's name as the operator wrote it, or a module's file beside it.
    pub file: String,
    pub severity: Severity,
    pub finding: Finding,
    /// The text that the position refers to.
    pub text: String,
}

/// All mistakes in the runbook `name` in `folder`, and in its imports, at the time `now`.
pub fn examine(
    engine: &Engine,
    catalog: &Catalog,
    name: &str,
    text: &str,
    folder: &Path,
    now: Timestamp,
) -> Vec<Remark> {
    let files = load(name, text, folder);
    let natives = Natives::of(engine);
    let mut told = walk(&files, &natives, catalog, folder, now);
    let mut remarks = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let remark = |severity, finding| Remark { file: file.name.clone(), severity, finding, text: file.text.clone() };
        let mut found: Vec<Remark> = Vec::new();
        let tree = file.tree.as_ref().map(|tree| &tree.ast);
        let (natives, functions, lost) = (&natives, &AST::empty(), &file.syntax.lost);
        let vocabulary = Vocabulary { engine, natives, catalog, variables: Vec::new(), functions, lost };
        let mistakes = findings(&vocabulary, &file.syntax, tree);
        let mistakes = mistakes.into_iter().map(|finding| outside(finding, index, &files));
        found.extend(mistakes.map(|finding| remark(Severity::Error, finding)));
        let imports = file.imports.iter().cloned().map(|(error, position)| (Severity::Error, error, position));
        let of_walk =
            told.extract_if(.., |told| told.file == index).map(|told| (told.severity, told.error, told.position));
        for (severity, error, position) in imports.chain(of_walk) {
            let (line, column) = file.syntax.place(position.line().unwrap_or(1), position.position().unwrap_or(1));
            // A repaired line is not what its author wrote.
            if !file.syntax.repairs(line) {
                found.push(remark(severity, Finding { error, line, column }));
            }
        }
        for range in secret_literals(&file.text) {
            let before = &file.text[..range.start];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            found.push(remark(Severity::Warning, Finding { error: written(), line, column }));
        }
        found.sort_by_key(|remark| (remark.finding.line, remark.finding.column));
        found.dedup_by_key(|remark| (remark.finding.line, remark.finding.column));
        remarks.append(&mut found);
    }
    remarks
}

/// A password in the text of a runbook.
fn written() -> Error {
    Error::script("a secret is written in the runbook: everybody who reads it has the secret").hint(
        "`secret_env(\"NAME\")`, `secret_file(\"path\")` or `secret_prompt(\"question\")` instead, or a parameter with `--set-file`",
    )
}

/// A variable that a module lacks and the runbook has.
fn outside(mut finding: Finding, index: usize, files: &[File]) -> Finding {
    let name = finding.error.details.get(UNDEFINED).and_then(Value::as_str);
    if let (Some(name), true, Some(tree)) = (name.map(str::to_owned), index > 0, &files[0].tree)
        && (tree.constants.contains(&name) || tree.variables.contains(&name))
    {
        finding.error = finding.error.hint(format!(
            "a module does not see what the runbook declares: pass `{name}` in, or declare it here as `const` and write `global::{name}`"
        ));
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::catalog;
    use crate::runtime::engine::bare;

    fn remarks(text: &str) -> Vec<(usize, usize, String, &'static str)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/runbooks");
        let found = examine(&bare(), catalog(), "x.rhai", text, &folder, Timestamp::UNIX_EPOCH);
        found
            .into_iter()
            .map(|remark| {
                (remark.finding.line, remark.finding.column, remark.finding.error.message, remark.severity.word())
            })
            .collect()
    }

    #[test]
    fn literals_of_the_wrong_kind_are_found_at_any_depth() {
        for (text, column, message) in [
            ("sleep(\"soon\");", 7, "soon"),
            ("wave(1, [], |vm| vm);", 6, "`name` of `wave` must be a text"),
            ("wave(\"a\", [], #{ limit: 0 }, |vm| vm);", 25, "cannot be 0"),
            ("wave(\"a\", [], #{ limit: \"2\" }, |vm| vm);", 25, "must be a whole number"),
            ("wave(\"a\", [], #{ max_failures: \"110%\" }, |vm| vm);", 32, "110%"),
            ("wave(\"a\", [], || 1);", 15, "this closure has 0 parameters"),
            ("replica_sync(1);", 14, "must be a replica"),
            ("replica_sync(\"a\", #{ retries: 1, backoff: \"x\" });", 43, "backoff"),
            (
                "replica_create(#{ origin_endpoint: \"a\", destination_endpoint: \"b\", instance: \"c\", scenario: \"cold\" });",
                93,
                "cannot be `cold`",
            ),
            (
                "replica_update(\"a\", #{ storage_mappings: #{ defalt: \"ssd\" } })",
                45,
                "`storage_mappings` has no key `defalt`",
            ),
            ("replica_update(\"a\", #{ clone_disks: true, dont_clone_disks: true })", 43, "contradict each other"),
        ] {
            let found = remarks(text);
            assert!(
                matches!(&found[..], [(1, at, said, "error")] if *at == column && said.contains(message)),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn files_and_modules_that_are_not_there_are_found() {
        let found = remarks(
            "let vms = read_csv(\"nobody.csv\");\nimport \"tools\" as tools;\nimport \"gone\" as gone;\nprint(tools::doubel(1));\nprint(tools::double(1, 2));\nprint(vms);",
        );
        let places: Vec<(usize, usize)> = found.iter().map(|(line, column, ..)| (*line, *column)).collect();
        assert_eq!(places, [(1, 20), (3, 8), (4, 14), (5, 14)], "{found:?}");
    }

    #[test]
    fn what_goes_on_and_nobody_waits_for_is_a_warning() {
        let found = remarks("let r = replica_of(\"a\");\nreplica_execute(r);\nprint(r.id);");
        assert!(matches!(&found[..], [(2, 1, message, "warning")] if message.contains("nothing waits")), "{found:?}");
        assert_eq!(remarks("let r = replica_of(\"a\");\nreplica_execute(r);\nwait_for(r);"), []);
        assert_eq!(remarks("replica_execute(replica_of(\"a\"))"), []);
    }

    #[test]
    fn what_a_resumed_run_cannot_know_and_closures_that_see_the_last_value_are_warnings() {
        let found = remarks(
            "let at = timestamp();\nlet fs = [];\nfor x in [1, 2] {\n  fs.push(|| x + 1);\n}\nprint([at, fs]);",
        );
        assert_eq!(
            found.iter().map(|(line, _, _, severity)| (*line, *severity)).collect::<Vec<_>>(),
            [(1, "warning"), (4, "warning")],
            "{found:?}"
        );
        assert_eq!(
            remarks(
                "let fs = [];\nfor x in [1, 2] {\n  let own = x;\n  fs.push(|| own);\n  fs.push(each([1], |y| x + y));\n}\nprint(fs);"
            ),
            []
        );
    }

    #[test]
    fn a_secret_in_the_text_is_warned_about_where_it_stands() {
        let text = "let p = \"hunter2\";\nf(#{ password: p, url: \"http://u:p@h\", token: row[\"token\"] });\nfn f(x) { x }\nlet row = #{ token: secret_env(\"T\") };";
        let found: Vec<(usize, usize, &str)> = remarks(text)
            .into_iter()
            .filter(|(.., message, _)| message.starts_with("a secret is written"))
            .map(|(line, column, _, severity)| (line, column, severity))
            .collect();
        assert_eq!(found, [(1, 9, "warning"), (2, 24, "warning")]);
    }

    #[test]
    fn nothing_is_found_in_what_is_right() {
        let mut wrong = Vec::new();
        for folder in ["scripts", "tests/it/runbooks"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                // One contains passwords on purpose.
                let others = ["coriolis.d.rhai", "secrets.rhai"].iter().any(|name| entry.ends_with(name));
                if entry.extension().is_some_and(|end| end == "rhai") && !others {
                    let text = std::fs::read_to_string(&entry).unwrap();
                    wrong.extend(examine(
                        &bare(),
                        catalog(),
                        &entry.display().to_string(),
                        &text,
                        &folder,
                        Timestamp::UNIX_EPOCH,
                    ));
                }
            }
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        for row in catalog().rows() {
            let found =
                examine(&bare(), catalog(), row.name, &row.whole_example(), &folder, Timestamp::UNIX_EPOCH).into_iter();
            // An example may name a file that only its reader has.
            wrong.extend(found.filter(|remark| {
                remark.severity == Severity::Error && !remark.finding.error.message.contains("no file")
            }));
        }
        let told: Vec<String> = wrong
            .iter()
            .map(|remark| format!("{}:{}: {}", remark.file, remark.finding.line, remark.finding.error.message))
            .collect();
        assert_eq!(told, Vec::<String>::new());
    }
}
