//! Files as the tools of this trade write them: runbooks and inventories from every editor and spreadsheet.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::command::{Ended, command, folder, run};

/// The binary with that on its stdin.
fn piped(arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = command(arguments);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn a_runbook_is_read_with_a_mark_a_first_line_for_the_shell_and_windows_line_ends() {
    let folder = folder("runbooks-of-all-editors");
    write(&folder, "helper.rhai", b"\xef\xbb\xbffn one() {\r\n    `a\r\nb`\r\n}\r\n");
    let utf16: Vec<u8> = "\u{feff}print(1);\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let texts: [(&str, &[u8], &str); 5] = [
        ("bom.rhai", b"\xef\xbb\xbfprint(1);\r\n", "1\n"),
        ("shebang.rhai", b"#!/usr/bin/env coriolis-run\nprint(1);\n", "1\n"),
        ("both.rhai", b"\xef\xbb\xbf#!/usr/bin/env coriolis-run\r\nprint(1);\r\n", "1\n"),
        ("utf16.rhai", &utf16, "1\n"),
        ("imports.rhai", b"import \"helper\" as h;\r\nprint(h::one());\r\n", "a\nb\n"),
    ];
    for (name, bytes, printed) in texts {
        let path = write(&folder, name, bytes);
        let ended = run(&[&path, "--sandbox"]).expect(0);
        assert!(ended.stdout.starts_with(printed), "{name}: {}", ended.stdout);
        run(&["check", &path]).expect(0);
        if name != "imports.rhai" {
            assert_eq!(piped(&["--sandbox"], bytes).expect(0).stdout, "1\n", "{name} through a pipe");
            assert!(piped(&["check", "-"], bytes).expect(0).stdout.contains("no mistakes"), "{name}");
            let load = format!(":load {path}\n");
            assert_eq!(piped(&["--sandbox"], load.as_bytes()).expect(0).stdout, "1\n", "{name} by `:load`");
        }
    }
    let path = write(&folder, "about.rhai", b"#!/usr/bin/env coriolis-run\n// Moves the web tier.\nprint(1);\n");
    assert!(run(&[&path, "--help"]).expect(0).stdout.starts_with("Moves the web tier.\n"));
    let expression = run(&["--sandbox", "-e", "\u{feff}#!x\r\n1 + 1\r\n"]).expect(0);
    assert_eq!(expression.stdout, "2\n");
}

#[test]
fn the_lines_of_such_a_runbook_are_counted_as_its_editor_does() {
    let folder = folder("lines-of-all-editors");
    let path = write(&folder, "wrong.rhai", b"\xef\xbb\xbf#!/usr/bin/env coriolis-run\r\n\r\nprint(nobody);\r\n");
    for ended in [run(&[&path, "--sandbox"]), run(&["check", &path])] {
        let ended = ended.expect(1);
        assert!(ended.stderr.contains("wrong.rhai:3:7"), "{}", ended.stderr);
    }
    write(&folder, "helper.rhai", b"\xef\xbb\xbf\r\nfn one() { nobody }\r\n");
    let path = write(&folder, "outer.rhai", b"import \"helper\" as h;\nprint(h::one());\n");
    let ended = run(&[&path, "--sandbox"]).expect(1);
    assert!(ended.stderr.contains("helper.rhai:2:12"), "{}", ended.stderr);
}

#[test]
fn a_runbook_in_another_encoding_is_refused_with_its_line() {
    let folder = folder("runbook-ansi");
    let path = write(&folder, "ansi.rhai", b"print(1);\nprint(\"M\xfcller\");\n");
    for ended in [run(&[&path, "--sandbox"]), run(&["check", &path])] {
        let ended = ended.expect(2);
        assert!(ended.stderr.contains("ansi.rhai`: line 2 is not UTF-8 text (the byte 0xfc)"), "{}", ended.stderr);
    }
    let outer = write(&folder, "outer.rhai", b"import \"ansi\" as a;\n");
    let said = "cannot read the module `ansi`: line 2 is not UTF-8 text (the byte 0xfc)";
    for ended in [run(&[&outer, "--sandbox"]), run(&["check", &outer])] {
        assert!(ended.code != 0 && ended.stderr.contains(said), "{}", ended.stderr);
    }
}
