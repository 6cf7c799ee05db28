//! What is too large, too deep or endless: an error in the lane that did it, and nothing else comes to harm.

use std::fs;

use crate::command::{Ended, command, end, folder};

fn play(test: &str, source: &str, more: &[&str]) -> Ended {
    let place = folder(test);
    fs::write(place.join("large.rhai"), source).unwrap();
    let mut command = command(&[&["large.rhai", "--sandbox", "--state-dir", "state"], more].concat());
    command.current_dir(&place);
    end(command)
}

#[test]
fn a_value_without_an_end_stops_its_own_lane_alone() {
    let source = r##"
        let makes = #{
            text: || { let s = "x"; loop { s += s } },
            interpolated: || { let s = "x"; loop { s = `${s}${s}` } },
            list: || { let a = [1]; loop { a += a } },
            padded: || { let a = []; a.pad(1 << 50, 0) },
            blob: || blob(1 << 40),
            exploded: || { let s = "aaaaaaaaaa"; loop { s.replace("a", s) } },
            deep: || { let m = #{}; for i in 0..8000 { m = #{ a: m } } m },
            deeper: || { let m = []; for i in 0..100000 { m = [take(m)] } m },
            closures: || { let f = || 1; for i in 0..20000 { let g = f; f = || g.call() } f },
            calls: || { let f = |f, n| f.call(f, n + 1); f.call(f, 0) },
            small: || "small",
        };
        let result = wave("w", makes.keys(), #{ limit: 4, max_failures: 100 }, |name| makes[name].call());
        print(result.ok);
        for name in result.failed { print(`${name}: ${result.items[name].error.message}`); }
    "##;
    let ended = play("limits-lanes", source, &["--max", "lane-memory=32MiB"]).expect(0);
    let memory = "the values of this lane need more memory than the 32 MiB it may have";
    let expected = format!(
        "[\"small\"]\nblob: {memory}\ncalls: functions call each other too deeply\n\
         closures: `g` holds values nested more than 500 deep\n\
         deep: `m` holds values nested more than 500 deep\n\
         deeper: `m` holds values nested more than 500 deep\n\
         exploded: {memory}\ninterpolated: {memory}\nlist: {memory}\npadded: {memory}\ntext: {memory}\n"
    );
    assert!(ended.stdout.starts_with(&expected), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn what_is_too_large_is_told_with_its_place_and_how_to_allow_it() {
    let ended = play("limits-place", "let s = \"x\";\nloop {\n    s += s\n}", &["--max", "lane-memory=8MiB"]).expect(1);
    assert!(ended.stderr.contains("need more memory than the 8 MiB it may have"), "{}", ended.stderr);
    assert!(ended.stderr.contains("large.rhai:3:"), "{}", ended.stderr);
    assert!(ended.stderr.contains("`--max lane-memory=SIZE` allows more"), "{}", ended.stderr);
    let calls = "let f = |g, x| {\n    g.call(g, x + 1)\n};\nf.call(f, 1);";
    let ended = play("limits-calls", calls, &[]).expect(1);
    assert!(ended.stderr.contains("large.rhai:2:12") && !ended.stderr.contains("anon$"), "{}", ended.stderr);
    // The values of all lanes together.
    let many = "each(range(0, 8), #{ limit: 8 }, |n| { let s = \"x\"; s.pad(3000000, \"y\"); sleep(1); s.len() });";
    let many = many.replace("range(0, 8)", "[0, 1, 2, 3, 4, 5, 6, 7]");
    play("limits-many", &many, &[]).expect(0);
}

#[test]
fn nested_values_that_are_allowed_reach_every_end() {
    let source = "let m = 1; for i in 0..400 { m = if i % 2 == 0 { [m] } else { #{ a: m } } }
        let n = m; print(m == n); print(`${m}`.len() > 400); print(m.to_json().len() > 400); let f = || m; print(f.call() == m);
        try { throw m } catch (e) { print(e == m) } log(m); throw m;";
    let ended = play("limits-nested", source, &[]).expect(1);
    assert!(ended.stdout.starts_with("true\ntrue\ntrue\ntrue\ntrue\n"), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn brackets_without_number_are_told_where_there_are_too_many() {
    for (opens, inside, closes) in [
        ("(", "1", ")"),
        ("[", "", "]"),
        ("#{a:", "1", "}"),
        ("{", "", "}"),
        ("!", "true", ""),
        ("f(", "", ")"),
        ("||", "1", ""),
    ] {
        let source = format!("let x = {}{inside}{};", opens.repeat(20_000), closes.repeat(20_000));
        let ended = play("limits-brackets", &source, &[]).expect(1);
        assert!(ended.stderr.contains("large.rhai:1:"), "{opens}: {}", ended.stderr);
    }
}

#[test]
fn a_runbook_reads_below_its_folder_and_what_the_operator_names() {
    let place = folder("limits-files");
    fs::create_dir(place.join("own")).unwrap();
    for (name, text) in [
        ("vms.csv", "name\nweb-01\n"),
        ("lib.rhai", "fn one() { 1 }"),
        ("key.json", "{\"a\": 1}"),
        ("own/vms.csv", "name\nweb-02\n"),
    ] {
        fs::write(place.join(name), text).unwrap();
    }
    std::os::unix::fs::symlink("../vms.csv", place.join("own/link.csv")).unwrap();
    std::os::unix::fs::symlink("..", place.join("own/up")).unwrap();
    let outside = fs::canonicalize(&place).unwrap();
    let play = |source: &str, more: &[&str]| {
        fs::write(place.join("own/r.rhai"), source).unwrap();
        let mut command = command(&[&["own/r.rhai", "--sandbox", "--state-dir", "state"], more].concat());
        command.current_dir(&place);
        end(command)
    };
    let show =
        "replica_create(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\", ";
    for (source, file) in [
        ("read_csv(\"../vms.csv\")", "vms.csv"),
        ("read_csv(\"link.csv\")", "vms.csv"),
        ("read_csv(\"up/vms.csv\")", "vms.csv"),
        (&format!("read_json(\"{}\")", outside.join("key.json").display()), "key.json"),
        ("import \"../lib\" as lib; lib::one()", "lib.rhai"),
        (&format!("{show} network_map_file: \"../key.json\" }})"), "key.json"),
        (&format!("{show} user_script_global: #{{ linux: \"../key.json\" }} }})"), "key.json"),
    ] {
        let refused = play(&format!("print(1);\n{source}"), &[]).expect(1);
        assert!(refused.stderr.contains("it is outside the runbook's folder"), "{source}: {}", refused.stderr);
        assert!(refused.stderr.contains("own/r.rhai:2:"), "{source}: {}", refused.stderr);
        let allow = format!("--allow-read {}", outside.join(file).display());
        assert!(refused.stderr.contains(&allow), "{source}: {}", refused.stderr);
        let allowed = play(source, &["--allow-read", "."]);
        assert!(!allowed.stderr.contains("outside the runbook's folder"), "{source}: {}", allowed.stderr);
    }
    let written = play("log_download(log_list()[0], #{ out_file: \"../stolen\" });", &[]);
    assert!(written.code == 1 && !place.join("stolen").exists(), "{}", written.stderr);
    let given = "print(read_csv(param(\"inventory\"))[0].name);";
    assert!(play(given, &["--set", "inventory=vms.csv"]).expect(0).stdout.starts_with("web-01\n"));
    assert!(play("print(read_csv(\"vms.csv\")[0].name);", &[]).expect(0).stdout.starts_with("web-02\n"));
    // What was allowed stays so when the run is resumed.
    play("confirm(\"go?\"); print(read_csv(\"../vms.csv\")[0].name);", &["--allow-read", "vms.csv"]).expect(8);
    let again = |arguments: &[&str]| {
        let mut command = command(&[arguments, &["--state-dir", "state"]].concat());
        command.current_dir(&place);
        end(command)
    };
    let run = again(&["runs"]).expect(0).stdout;
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    let run = run[0]["id"].as_str().unwrap();
    again(&["answer", run, "go.1", "yes"]).expect(0);
    assert!(again(&["resume", run]).expect(0).stdout.contains("web-01\n"));
    // What the operator types himself reads what he may.
    let typed = again(&["-e", "read_csv(\"/proc/../vms.csv\")"]);
    assert!(!typed.stderr.contains("outside"), "{}", typed.stderr);
}

#[test]
fn a_file_without_an_end_is_refused_where_it_is_read() {
    let place = folder("limits-endless");
    assert!(std::process::Command::new("mkfifo").arg(place.join("pipe")).status().unwrap().success());
    fs::write(place.join("deep.json"), format!("{}{}", "[".repeat(20_000), "]".repeat(20_000))).unwrap();
    fs::File::create(place.join("huge")).unwrap().set_len(1 << 40).unwrap();
    for (source, more, why) in [
        ("read_csv(\"/dev/zero\")", vec!["--allow-read", "/dev"], "not a regular file"),
        ("read_json(\"pipe\")", vec![], "not a regular file"),
        ("read_csv(\".\")", vec![], "is a directory"),
        ("read_csv(\"huge\")", vec![], "it is larger than 16 MiB"),
        ("read_csv(\"huge\")", vec!["--max", "file=1MiB"], "it is larger than 1 MiB"),
        ("read_json(\"deep.json\")", vec![], "recursion limit"),
    ] {
        fs::write(place.join("r.rhai"), source).unwrap();
        let mut command = command(&[&["r.rhai", "--sandbox", "--state-dir", "state"], more.as_slice()].concat());
        command.current_dir(&place);
        let ended = end(command);
        assert!([1, 2].contains(&ended.code), "{source}: {}", ended.stderr);
        assert!(ended.stderr.contains(why) && ended.stderr.contains("r.rhai:1:1"), "{source}: {}", ended.stderr);
    }
    let runbook = crate::command::run(&["/dev/zero", "--sandbox"]).expect(2);
    assert!(runbook.stderr.contains("it is larger than 16 MiB"), "{}", runbook.stderr);
}
