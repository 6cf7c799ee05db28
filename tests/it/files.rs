//! Files as the tools of this trade write them: runbooks and inventories from every editor and spreadsheet.

use std::path::Path;

use crate::command::{Ended, Served, command, end, end_with, folder, run};

/// The binary with that on its stdin.
fn piped(arguments: &[&str], input: &[u8]) -> Ended {
    end_with(command(arguments), input)
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

/// `check` and a run of a runbook beside that inventory.
fn with_inventory(test: &str, inventory: &[u8], runbook: &str) -> [Ended; 2] {
    let folder = folder(test);
    write(&folder, "inventory.csv", inventory);
    let path = write(&folder, "move.rhai", runbook.as_bytes());
    [run(&["check", &path]), run(&[&path, "--sandbox"])]
}

const NAMES: &str = "print(read_csv(\"inventory.csv\").map(|vm| vm.name));";

#[test]
fn lines_that_are_no_rows_are_told_and_names_with_a_hash_are_rows() {
    let inventory = b"Inventory of site A;;\r\nname;wave;\r\n#legacy-erp;1;\r\n# web-02 next month\r\nweb-01;1;\r\n";
    let [checked, ran] = with_inventory("inventory-notes", inventory, NAMES);
    checked.expect(0);
    let ran = ran.expect(0);
    assert!(ran.stdout.starts_with("[\"#legacy-erp\", \"web-01\"]\n"), "{}", ran.stdout);
    for said in [
        "inventory.csv: line 1 stands above the header in line 2, and is left out",
        "inventory.csv: line 4 begins with `#`, is no row of 2 fields, and is left out",
    ] {
        assert_eq!(ran.stderr.matches(said).count(), 1, "{said}: {}", ran.stderr);
    }
}

#[test]
fn columns_are_named_in_their_own_case() {
    let [checked, ran] = with_inventory("inventory-case", b"Name,Wave\nweb-01,1\n", NAMES);
    for ended in [checked, ran] {
        let ended = ended.expect(1);
        assert!(ended.stderr.contains("did you mean `Name`?"), "{}", ended.stderr);
    }
}

#[test]
fn a_doubled_column_is_an_error_of_those_who_use_it() {
    let inventory = b"name,ip,,ip\nweb-01,10.0.0.1,x,10.0.0.2\n";
    let [checked, ran] = with_inventory("inventory-doubled-unused", inventory, NAMES);
    checked.expect(0);
    ran.expect(0);
    let others = "let vm = read_csv(\"inventory.csv\")[0]; vm.ip = \"10.0.0.3\"; let other = #{ id: 1 };\n\
                  print([vm.get(\"ip\"), \"ip\" in vm, \"ip\" in other, other.get(\"ip\")]);";
    let [checked, ran] = with_inventory("inventory-doubled-others", inventory, others);
    checked.expect(0);
    assert!(ran.expect(0).stdout.starts_with("[\"10.0.0.3\", true, false, ()]\n"));
    let used = [
        ("ip", "print(read_csv(\"inventory.csv\")[0].ip);"),
        ("ip", "let of = read_csv(\"inventory.csv\"); for vm in of { print(vm.ip); }"),
        ("ip", "print(read_csv(\"inventory.csv\")[0].get(\"ip\"));"),
        ("ip", "for vm in read_csv(\"inventory.csv\") { if \"ip\" in vm { print(vm); } }"),
        ("ip", "for vm in read_csv(\"inventory.csv\") { print(vm.contains(\"ip\")); }"),
        ("name", "wave(\"w\", read_csv(\"inventory.csv\"), |vm| { print(vm); });"),
    ];
    for (column, runbook) in used {
        let inventory: &[u8] = if column == "ip" { inventory } else { b"ip,name,,x,name\n10.0.0.1,web-01,a,b,web-1\n" };
        let [checked, ran] = with_inventory("inventory-doubled-used", inventory, runbook);
        let columns = if column == "ip" { "2 and 4" } else { "2 and 5" };
        let said = format!("`inventory.csv` has 2 columns `{column}`: {columns}");
        for ended in [checked, ran] {
            let ended = ended.expect(1);
            assert!(ended.stderr.contains(&said), "{}", ended.stderr);
        }
    }
}

#[test]
fn check_and_run_read_an_inventory_alike() {
    let utf16: Vec<u8> = "\u{feff}name\twave\r\nwéb\t1\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (test, inventory, said) in [
        ("inventory-utf16", utf16.as_slice(), Ok("[\"wéb\"]")),
        ("inventory-bom", b"\xef\xbb\xbf\"name\",wave\n007,1\n", Ok("[\"007\"]")),
        (
            "inventory-ansi",
            b"name,wave\nM\xfcller,1\n",
            Err("`inventory.csv`: line 2 is not UTF-8 text (the byte 0xfc)"),
        ),
        (
            "inventory-nul",
            b"n\0a\0m\0e\0\n\0",
            Err("`inventory.csv`: line 1 contains a NUL character, which text never does"),
        ),
        (
            "inventory-quote",
            b"name,wave\n\"web-01,1\nweb-02,1\n",
            Err("`inventory.csv`: the quote that opens in line 2 is not closed"),
        ),
        ("inventory-short", b"name,wave\nweb-01\n", Err("`inventory.csv`: line 2 has 1 field, the header has 2")),
    ] {
        let [checked, ran] = with_inventory(test, inventory, NAMES);
        match said {
            Ok(printed) => {
                checked.expect(0);
                assert!(ran.stdout.starts_with(printed), "{test}: {}", ran.stdout);
            }
            Err(said) => {
                for ended in [checked, ran] {
                    assert!(ended.code != 0 && ended.stderr.contains(said), "{test}: {}", ended.stderr);
                }
            }
        }
    }
}

#[test]
fn options_of_an_inventory_count_for_check_too() {
    let inventory = b"Our, list\nname,wave,ip\n//web-01,1,x\nweb-02,1\n";
    let runbook = "let vms = read_csv(\"inventory.csv\", #{ header: 2, comment: \"//\", fill: true });\n\
                   print(vms.map(|vm| vm.name + vm.ip));\n";
    let [checked, ran] = with_inventory("inventory-options", inventory, runbook);
    checked.expect(0);
    assert!(ran.expect(0).stdout.starts_with("[\"web-02\"]\n"));
    let [checked, ran] = with_inventory("inventory-no-options", inventory, NAMES);
    for ended in [checked, ran] {
        assert!(ended.stderr.contains("read_csv(path, #{ header: "), "{}", ended.stderr);
    }
}

#[test]
fn an_openrc_with_windows_line_ends_reaches_its_cloud_and_is_told() {
    let cloud = Served::start("current");
    let mut command = command(&["-e", "endpoint_list().len()"]);
    command.envs(cloud.environment.iter().map(|(name, value)| (name, format!("{value}\r"))));
    let ended = end(command).expect(0);
    assert!(ended.stderr.contains("the openrc file has Windows line ends"), "{}", ended.stderr);
}
