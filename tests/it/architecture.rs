//! The floors, as data; and what may stand nowhere in the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. An import goes down only; above the ground, those of one floor never import each other.
const FLOORS: [&[&str]; 7] = [
    &[
        "model",
        "event",
        "error",
        "clock",
        "duration",
        "decode",
        "disk",
        "cancel",
        "secret",
        "settings",
        "limits",
        "memory",
        "process",
        "access",
        "inventory",
    ],
    &["client", "journal", "report", "sandbox"],
    &["language", "watch", "wave"],
    &["check", "runtime"],
    &["functions"],
    &["repl"],
    &["cli"],
];

/// Those that see less than their floor would let them: the exact list of what they may import.
const NARROW: [(&str, &[&str]); 2] = [("sandbox", &["model", "clock", "secret"]), ("report", FLOORS[0])];

/// As many files may import each other in a circle.
const LARGEST_KNOT: usize = 3;

const LONGEST_FILE: usize = 620;

#[test]
fn imports_go_down_only_and_never_to_a_sibling() {
    let mut offences = Vec::new();
    for file in sources() {
        let Some(module) = file.module() else { continue };
        for (line, import) in imports(&file) {
            if let Some(why) = offence(&module, &import) {
                offences.push(format!("{}:{line}: {why}", file.name));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_module_stands_on_a_floor() {
    let unknown: Vec<String> =
        sources().iter().filter_map(SourceFile::module).filter(|module| floor(module).is_none()).collect();
    assert!(unknown.is_empty(), "on no floor: {}", unknown.join(", "));
}

#[test]
fn no_more_than_a_few_files_import_each_other_in_a_circle() {
    let files = sources();
    let mut offences = Vec::new();
    for knot in knots(&graph(&files)) {
        if knot.len() > LARGEST_KNOT {
            offences.push(format!("{} files (at most {LARGEST_KNOT}): {}", knot.len(), knot.join(", ")));
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn a_circle_of_files_is_found_whatever_way_they_import_each_other() {
    let file = |name: &str, text: &str| SourceFile { name: format!("src/{name}"), text: text.into() };
    let files = [
        file("wave/mod.rs", "pub mod a;\npub mod b;\npub mod c;\n"),
        file("wave/a.rs", "use super::b::{self, thing};\nuse crate::model;\n"),
        file("wave/b.rs", "fn f() { crate::wave::c::call() }\n"),
        file("wave/c.rs", "use crate::{model, wave::a::Deep};\npub(in crate::wave) fn call() {}\n"),
        file("model.rs", "// use crate::wave::a;\n#[cfg(test)]\nmod tests {\n    use crate::wave::a;\n}\n"),
    ];
    assert_eq!(knots(&graph(&files)), [["wave::a", "wave::b", "wave::c"]]);
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = sources()
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(file, lines)| format!("{}: {lines} lines", file.name))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_function_body_knows_of_journal_report_progress_or_retry() {
    let folder = |file: &SourceFile| file.name.starts_with("src/functions/");
    let found = words_in(folder, |word| {
        let word = word.to_lowercase();
        ["journal", "report", "progress", "retry"].iter().any(|stem| word.split('_').any(|part| part == *stem))
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn docs_begin_with_the_thing_and_not_with_a_question() {
    let begins_so = |text: &str| ["What", "Who", "Where", "How", "Whether", "When"].contains(&text);
    let mut offences = Vec::new();
    for file in sources() {
        let mut inside = false;
        for (number, line) in file.text.lines().enumerate() {
            let line = line.trim_start();
            let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim_start);
            let text = doc.filter(|text| !text.is_empty() && !text.starts_with('#'));
            let first = text.map_or("", |text| text.trim_start_matches(['-', '*', ' ']));
            let is_item = text.is_some_and(|text| text.starts_with("- ") || text.starts_with("* "));
            if (!inside || is_item) && begins_so(first.split(' ').next().unwrap_or_default()) {
                offences.push(format!("{}:{}: {line}", file.name, number + 1));
            }
            inside = text.is_some();
        }
    }
    assert!(offences.is_empty(), "begin with a noun or a verb:\n{}", offences.join("\n"));
}

#[test]
fn nothing_prints_beside_the_report() {
    let found = words_in(|_| true, |word| matches!(word, "println!" | "print!" | "eprintln!" | "eprint!" | "dbg!"));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_rules_find_what_they_forbid() {
    assert_eq!(offence("wave", "client"), None);
    assert_eq!(offence("cli", "sandbox"), None);
    assert_eq!(offence("cli", "process"), None);
    assert_eq!(offence("process", "report").unwrap(), "`process` (floor 0) imports `report` (floor 1)");
    assert_eq!(offence("event", "error"), None);
    assert_eq!(offence("client", "watch").unwrap(), "`client` (floor 1) imports `watch` (floor 2)");
    assert_eq!(offence("client", "report").unwrap(), "`client` (floor 1) imports its sibling `report`");
    assert_eq!(
        offence("sandbox", "error").unwrap(),
        "`sandbox` imports `error`, and may only import model, clock, secret"
    );
    assert_eq!(offence("settings", "wave").unwrap(), "`settings` (floor 0) imports `wave` (floor 2)");
    let file = SourceFile {
        name: "src/watch/plan/deep.rs".into(),
        text: "use crate::{client::Client, wave};\nuse super::super::super::report::Report;\nuse super::near;\n\
               // use crate::cli;\nlet text = \"crate::repl\";\nlet x = crate::sandbox::serve();\n\
               #[cfg(test)]\nmod tests {\n    use crate::cli;\n}\n"
            .into(),
    };
    let found: Vec<(usize, String)> = imports(&file);
    let expected = [(1, "client"), (1, "wave"), (2, "report"), (6, "sandbox")];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// Why this module must not import that one.
fn offence(module: &str, import: &str) -> Option<String> {
    if module == import {
        return None;
    }
    if let Some((_, allowed)) = NARROW.iter().find(|(narrow, _)| *narrow == module)
        && !allowed.contains(&import)
    {
        return Some(match (floor(module), floor(import)) {
            (Some(own), Some(other)) if own != other && other != 0 => {
                format!("`{module}` (floor {own}) imports `{import}` (floor {other})")
            }
            _ => format!("`{module}` imports `{import}`, and may only import {}", allowed.join(", ")),
        });
    }
    let (own, other) = (floor(module)?, floor(import)?);
    if other > own {
        return Some(format!("`{module}` (floor {own}) imports `{import}` (floor {other})"));
    }
    (other == own && own > 0).then(|| format!("`{module}` (floor {own}) imports its sibling `{import}`"))
}

struct SourceFile {
    /// From the root of the repository.
    name: String,
    text: String,
}

impl SourceFile {
    fn path(&self) -> Vec<&str> {
        let inside = self.name.trim_start_matches("src/").trim_end_matches(".rs");
        inside.trim_end_matches("/mod").split('/').collect()
    }

    /// The module at the top that it belongs to; none for the crate's own two files.
    fn module(&self) -> Option<String> {
        self.path().first().filter(|name| !matches!(**name, "main" | "lib")).map(|name| (*name).to_owned())
    }

    fn is_test(&self) -> bool {
        self.path().last() == Some(&"tests")
    }

    /// The code alone: comments and texts are blank, and the tests at the end are left out.
    fn code(&self) -> String {
        if self.is_test() {
            return String::new();
        }
        let code = blanked(&self.text);
        code.find("#[cfg(test)]\nmod tests {").map_or(code.clone(), |at| code[..at].to_owned())
    }
}

/// The files, by their modules, that each file imports.
fn graph(files: &[SourceFile]) -> BTreeMap<String, BTreeSet<String>> {
    let module = |file: &SourceFile| file.path().join("::");
    let known: BTreeSet<String> = files.iter().filter(|file| !file.is_test()).map(module).collect();
    let mut graph = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_test()) {
        let own = module(file);
        let targets = paths(file).into_iter().filter_map(|(_, path)| {
            (1..=path.len()).rev().map(|length| path[..length].join("::")).find(|module| known.contains(module))
        });
        graph.insert(own.clone(), targets.filter(|target| *target != own).collect());
    }
    graph
}

/// Every path in the crate that a file names, from the crate's root, with its line.
fn paths(file: &SourceFile) -> Vec<(usize, Vec<String>)> {
    let own: Vec<String> = file.path().iter().map(|part| (*part).to_owned()).collect();
    let code = file.code();
    let mut found = Vec::new();
    let mut offset = 0;
    while let Some((at, length)) = next_path(&code[offset..]) {
        let start = offset + at;
        let mut rest = &code[start + length..];
        let mut base =
            if &code[start..start + length] == "super::" { own[..own.len() - 1].to_vec() } else { Vec::new() };
        while let Some(after) = rest.strip_prefix("super::") {
            base.truncate(base.len().saturating_sub(1));
            rest = after;
        }
        offset = code.len() - rest.len();
        if !code[..start].ends_with("pub(in ") {
            let mut named = Vec::new();
            expand(&base, rest, &mut named);
            let line = code[..start].matches('\n').count() + 1;
            found.extend(named.into_iter().map(|path| (line, path)));
        }
    }
    found
}

/// The paths of a tree of imports that goes on behind `base`.
fn expand(base: &[String], rest: &str, found: &mut Vec<Vec<String>>) {
    let Some(group) = rest.strip_prefix('{') else {
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let deeper = [base, std::slice::from_ref(&word)].concat();
        match rest[word.len()..].strip_prefix("::") {
            Some(after) => expand(&deeper, after, found),
            None if word == "self" => found.push(base.to_vec()),
            None => found.push(deeper),
        }
        return;
    };
    let (mut depth, mut fresh) = (1, true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                fresh = false;
                expand(base, &group[at..], found);
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
}

/// The groups of files that import each other in a circle, of two files and more.
fn knots(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reach = |from: &String| {
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        let mut open: Vec<&String> = graph[from].iter().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(graph.get(next).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> = graph.keys().map(|module| (module, reach(module))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (module, seen) in &reached {
        let circle: Vec<String> =
            seen.iter().filter(|other| reached[**other].contains(*module)).map(|other| (*other).clone()).collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// The modules at the top that this file names, with the line: `crate::x`, `crate::{x, y}` and `super::...::x`.
fn imports(file: &SourceFile) -> Vec<(usize, String)> {
    let own = file.module();
    let tops = paths(file).into_iter().filter_map(|(line, path)| Some((line, path.into_iter().next()?)));
    tops.filter(|(_, top)| Some(top) != own.as_ref()).collect()
}

fn next_path(code: &str) -> Option<(usize, usize)> {
    let starts = ["crate::", "super::"].into_iter().filter_map(|word| Some((code.find(word)?, word.len())));
    starts.min()
}

/// Places of words, macros with their `!`, in the code of the files that `which` picks.
fn words_in(which: impl Fn(&SourceFile) -> bool, forbidden: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources().iter().filter(|file| which(file)) {
        for (number, line) in file.code().lines().enumerate() {
            let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '!'));
            let offences = words.filter(|word| forbidden(word));
            found.extend(offences.map(|word| format!("{}:{}: `{word}`", file.name, number + 1)));
        }
    }
    found
}

/// Comments and the insides of texts as blanks, lines kept.
fn blanked(text: &str) -> String {
    let blank = |part: &str| part.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect::<String>();
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => text_length(rest),
            'r' if rest.starts_with("r\"") => rest[2..].find('"').map_or(rest.len(), |end| end + 3),
            'r' if rest.starts_with("r#\"") => rest.find("\"#").map_or(rest.len(), |end| end + 2),
            '\'' if rest.starts_with("'\"'") => 3,
            '\'' if rest.starts_with("'\\") => rest[2..].find('\'').map_or(rest.len(), |end| end + 3),
            _ => 0,
        };
        if length == 0 {
            code.push(character);
            rest = &rest[character.len_utf8()..];
        } else {
            code.push_str(&blank(&rest[..length]));
            rest = &rest[length..];
        }
    }
    code
}

/// The length of a text with its quotes.
fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                files.push(SourceFile { name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}
