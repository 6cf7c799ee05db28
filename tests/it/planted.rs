//! Secrets that are planted by every source and searched for in every sink, in every form that they may have there.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coriolis_run::process::Process;

use crate::command::{Ended, Served, command, end, folder};

/// By source: what each is planted with. One has letters that JSON, URLs and pages write otherwise.
const SOURCES: [(&str, &str); 12] = [
    ("connection", "pl-connection-\"1<&"),
    ("pin", "pl-pin-2x"),
    ("barbican", "pl-barbican-3x"),
    ("environment", "pl-environment-4x"),
    ("file", "pl-file-5x"),
    ("set-file", "pl-set-file-6x"),
    ("set", "pl-set-7x"),
    ("settings", "pl-settings-8x"),
    ("url", "pl-url-9x"),
    ("column", "pl-column-10x"),
    ("literal", "pl-literal-11x"),
    ("json", "pl-json-12x"),
];

/// Puts each secret wherever a script can put a text.
const RUNBOOK: &str = r##"
let rows = read_csv("creds.csv");
let settings = read_json("settings.json");
let stored = secret_store(#{ name: "lab", payload: "pl-barbican-3x" });
let all = #{
    barbican: secret_payload(stored), environment: secret_env("PLANTED_PASSWORD"), file: secret_file("planted.txt"),
    set_file: param("whatever"), set: param("vcenter_password"), url: param("dsn"), column: rows[0].password, token: rows[0].token,
    json: settings.vault.credentials, literal: #{ password: "pl-literal-11x" }.password,
};
let made = endpoint_create(#{ name: "spare", type: "openstack", skip_validation: true, connection_info: #{
    username: "u", password: settings.vault.password, pin: settings.pin, sas: all.file, connection_string: all.url, otp: all.environment,
    credentials: all.barbican, key: all.literal,
} });
print(made); debug(made); print(made.connection_info.password); print(`${made}`); print(made.to_json());
for name in all.keys() {
    let secret = all[name];
    let bearer = "Bearer " + secret;
    print(secret); print(bearer); print(`at ${secret}!`); print([bearer, #{ a: bearer }]); print(#{ a: secret }.to_json());
    print(bearer.to_upper()); print(secret.to_string().split("-")); log(bearer, "warning"); log(secret); debug(bearer);
    region_create(`region-${name}`, #{ description: `${secret} of ${name}` });
    print(region_list().filter(|region| region.name == `region-${name}`));
    try { throw bearer; } catch (e) { print(e); }
    let map = #{}; map[bearer] = [bearer];
    print(map); print(map.keys()); print(`${map}`); log(`${[bearer]}`); debug([bearer]); print(map.to_json());
    // A text that is written as the name of an item is one.
    if name != "literal" {
        try { wave("keys", [#{ password: secret }], #{ key: "password" }, |n| n); } catch (e) { print(e); }
        try { wave("keys", [secret], |n| n); } catch (e) { print(e); }
        wave(secret, [1], |n| n);
        try { wave("keys", [bearer], |n| n); } catch (e) { print(e); }
        try { wave("keys", [1], #{ key: |n| secret }, |n| n); } catch (e) { print(e); }
    }
    try { read_csv(bearer); } catch (e) { print(e); }
    try { sleep(bearer); } catch (e) { print(e); }
    try { throw #{ a: bearer }; } catch (e) { print(e); }
    try { region_show(bearer); } catch (e) { print(e); log(e); }
}
wave("w", all.keys(), #{ max_failures: 99 }, |name| { throw `${name} fails with ${all[name]} of postgres://u:pl-url-9x@h`; });
each([1], |n| all);
throw "ended by " + all.column + " and " + all.url + " password=pl-set-7x";
"##;

fn needles() -> Vec<(String, String)> {
    let mut needles = Vec::new();
    for (source, secret) in SOURCES {
        let json = serde_json::Value::from(secret).to_string();
        let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let page = secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let code = STANDARD.encode(secret);
        for form in [secret, json.trim_matches('"'), form.as_str(), page.as_str(), code.trim_end_matches('=')] {
            needles.push((source.to_owned(), form.to_lowercase()));
        }
    }
    needles
}

#[track_caller]
fn clean(sink: &str, text: &str) {
    let text = text.to_lowercase();
    let found: Vec<String> = needles()
        .into_iter()
        .filter(|(_, form)| text.contains(form))
        .map(|(source, form)| {
            let at = text.find(&form).unwrap_or(0);
            let around: String = text[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
            format!("{source}: {around}>{form}")
        })
        .collect();
    assert!(found.is_empty(), "{sink} holds\n{}", found.join("\n"));
    let handles = |letter: char| ('\u{F0000}'..='\u{10FFFD}').contains(&letter);
    let handles = text.contains(handles) || text.contains("\\u{f") || text.contains("\\udb");
    assert!(!handles, "{sink} holds what stands for a secret inside");
}

/// Every byte below a folder, but for the files that the secrets were planted in.
fn clean_below(place: &Path) {
    let mut folders: Vec<PathBuf> = Some(place.to_owned()).into_iter().filter(|place| place.exists()).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                clean(&entry.display().to_string(), &String::from_utf8_lossy(&fs::read(&entry).unwrap()));
            }
        }
    }
}

struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let place = Self(folder(test));
        let files = [
            ("runbook.rhai", RUNBOOK),
            ("creds.csv", "name,password,token\nalice,pl-column-10x,pl-column-10x\n"),
            (
                "settings.json",
                r#"{"pin": "pl-pin-2x", "vault": {"password": "pl-connection-\"1<&", "credentials": "pl-json-12x"}}"#,
            ),
            ("planted.txt", "pl-file-5x\n"),
            ("whatever.txt", "pl-set-file-6x\r\n"),
            (
                "clouds.yaml",
                "clouds:\n  lab: {auth: {auth_url: 'http://127.0.0.1:1/v3', username: u, password: pl-settings-8x, project_name: p}}\n  bad:\n    auth: {auth_url: http://u:pl-url-9x@127.0.0.1:1/, password: pl-settings-8x\n",
            ),
        ];
        for (name, text) in files {
            fs::write(place.0.join(name), text).unwrap();
        }
        place
    }

    fn call(&self, arguments: &[&str]) -> Ended {
        let mut command = command(arguments);
        command.args(["--state-dir", "state"]).current_dir(&self.0).env("PLANTED_PASSWORD", "pl-environment-4x");
        end(command)
    }
}

const GIVEN: [&str; 6] = [
    "--set-file",
    "whatever=whatever.txt",
    "--set",
    "vcenter_password=pl-set-7x",
    "--set",
    "dsn=postgres://u:pl-url-9x@db.example/app",
];

fn told(sink: &str, ended: &Ended) {
    clean(&format!("{sink}: stdout"), &ended.stdout);
    clean(&format!("{sink}: stderr"), &ended.stderr);
}

#[test]
fn no_sink_of_a_run_holds_a_secret_by_whatever_source() {
    let place = Place::new("planted-run");
    for output in ["text", "jsonl"] {
        let ended = place.call(&[&["runbook.rhai", "--sandbox", "--output", output][..], &GIVEN].concat()).expect(1);
        told(output, &ended);
        assert!(ended.stderr.contains("ended by *** and "), "{}", ended.stderr);
    }
    for format in ["html", "json", "junit", "csv", "markdown"] {
        let ended = place.call(&["report", "--format", format]).expect(0);
        // Markdown escapes the mask.
        assert!(ended.stdout.replace('\\', "").contains("***"), "{format}: {}", ended.stdout);
        told(format, &ended);
    }
    told("runs", &place.call(&["runs"]).expect(0));
    told("show", &place.call(&["runs", "show"]).expect(0));
    let lacking = place.call(&["resume"]).expect(2);
    assert!(lacking.stderr.contains("is a secret, which runs do not keep"), "{}", lacking.stderr);
    let again = place.call(&["resume", "--retry-failed", "--set", GIVEN[3], "--set", GIVEN[5]]);
    assert!(again.stderr.contains("ended by *** and "), "the files were read again: {}", again.stderr);
    told("resume", &again);
    clean_below(&place.0.join("state"));
}

#[test]
fn a_secret_arrives_whole_where_it_is_used() {
    let place = Place::new("planted-used");
    let script = r##"
        let kept = secret_store(#{ payload: `{"a": "${secret_env("PLANTED_PASSWORD")}"}` });
        let back = parse_json(secret_payload(kept));
        let region = region_create("west", #{ description: "Bearer " + secret_file("planted.txt") });
        print([back.a == "pl-environment-4x", region.description == "Bearer pl-file-5x", region.description]);
        let region = region_create("of " + secret_file("planted.txt"));
        let map = #{}; map["at " + secret_file("planted.txt")] = 1;
        print([region_show("of " + secret_file("planted.txt")).id == region.id,
            region_create("map", #{ description: `${map}` }).description == "#{\"at pl-file-5x\": 1}"]);
        let d = #{}; d.secrets = 3;
        print([d, secret_get(kept).secret_type]);"##;
    let ended = place.call(&["--sandbox", "-e", script]).expect(0);
    assert_eq!(ended.stdout, "[true, true, \"Bearer ***\"]\n[true, true]\n[#{\"secrets\": 3}, \"opaque\"]\n");
}

#[test]
fn what_is_no_secret_is_shown() {
    let script = r##"
        let d = #{ name: "password-db-01", secrets: 3, token_count: 7, key: "web", max_tokens: "many", pass: 12, public_key: "ssh-rsa AAAA",
            secret_ref: "http://barbican/v1/secrets/1", password_file: "/etc/pw", access_key_id: "AKIA", "pinned": "yes", compass: "north" };
        print(d);
        for key in d.keys() { print(key); }
        print(region_create("token-west", #{ description: "of the secret service" }).description);
        wave("password rotation", [d], |vm| { log(vm.name); });
        for key in ["password", ()] {
            try { wave("k", [#{ password: secret_file("planted.txt") }], #{ key: key ?? |row| row.password }, |n| n); }
            catch (e) { print(e.message); }
        }
        try { throw "the token of password-db-01 has expired: ask for a new password"; } catch (e) { print(e); }"##;
    let place = Place::new("planted-not");
    fs::write(place.0.join("r.rhai"), script).unwrap();
    let ended = place.call(&["r.rhai", "--sandbox"]).expect(0);
    assert!(!ended.stdout.contains("***"), "{}", ended.stdout);
    assert!(!ended.stderr.contains("***"), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("the key of item 1 is a secret\nthe key of item 1 is a secret\n"),
        "{}",
        ended.stdout
    );
    assert!(ended.stderr.contains("password-db-01"), "{}", ended.stderr);
    let report = place.call(&["report", "--format", "csv"]).expect(0).stdout;
    assert!(report.contains("password rotation,password-db-01,ok"), "{report}");
}

#[test]
fn what_is_typed_or_given_as_an_expression_is_not_kept() {
    let place = Place::new("planted-typed");
    let served = Served::start("current");
    let expression = r#"let pw = "pl-literal-11x"; region_create("a", #{ description: "of " + pw }); endpoint_create(#{ name: "e", type: "openstack", skip_validation: true,
        connection_info: #{ password: pw, url: "https://u:pl-url-9x@h/" } })"#;
    let run = |arguments: &[&str], input: Option<&str>| {
        let mut command = served.client(arguments);
        command.args(["--state-dir", "state"]).current_dir(&place.0).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    };
    let ended = run(&["-e", expression], None).expect(0);
    told("-e", &ended);
    told("prompt", &run(&[], Some(&format!("{expression}\n"))).expect(0));
    assert_eq!(fs::read_dir(place.0.join("state/runs")).unwrap().count(), 2);
    clean_below(&place.0.join("state"));
    let id = fs::read_dir(place.0.join("state/runs"))
        .unwrap()
        .map(|run| run.unwrap().path())
        .find(|run| fs::read_to_string(run.join("run.json")).unwrap().contains("\"expression\""));
    let name = id.unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let resumed = run(&["resume", &name], None);
    told("resume", &resumed);
}

#[test]
fn a_settings_file_that_is_wrong_shows_no_password_of_any_cloud() {
    let place = Place::new("planted-settings");
    for cloud in ["lab", "bad", "nobody"] {
        let ended = place.call(&["--os-cloud", cloud, "-e", "endpoint_list()"]);
        assert_ne!(ended.code, 0);
        told(cloud, &ended);
    }
    for wrong in [
        "18446744073709551616",
        "[pl-settings-8x",
        "&a *b",
        "!!int pl-settings-8x",
        "{pl-settings-8x: 1",
        "\"pl-settings-8x",
    ] {
        let text = format!(
            "clouds:\n  other: {{auth: {{password: pl-settings-8x}}}}\n  lab:\n    auth:\n      password: {wrong}\n"
        );
        fs::write(place.0.join("clouds.yaml"), text).unwrap();
        told(wrong, &place.call(&["--os-cloud", "lab", "-e", "endpoint_list()"]));
    }
    fs::remove_file(place.0.join("clouds.yaml")).unwrap();
    clean_below(&place.0.join("state"));
}

#[test]
fn a_run_goes_on_with_the_secrets_of_its_runbook_and_keeps_none_of_them() {
    let place = Place::new("planted-snapshot");
    let script = r#"
        let made = endpoint_create(#{ name: "e", type: "openstack", skip_validation: true, connection_info: #{ password: "pl-literal-11x", pin: 88123457 } });
        let kept = each([1], |n| #{ pin: 88123458 + n, pass: 12, password: `pl-literal-11x-${n}`, env: secret_env("PLANTED_PASSWORD") });
        confirm("go on?");
        let pin = made.connection_info.pin;
        print([made.connection_info.password == "pl-literal-11x", pin == 88123457, kept[0].pass + 1]);
        let sent = endpoint_create(#{ name: "f", type: "openstack", skip_validation: true, connection_info: #{ pin: kept[0].pin, deep: [#{ a: kept[0].env }], password: kept[0].password } });
        print([sent.connection_info.pin == 88123459, sent.connection_info.deep[0].a == secret_env("PLANTED_PASSWORD"), sent.connection_info.password == "pl-literal-11x-1"]);"#;
    fs::write(place.0.join("r.rhai"), script).unwrap();
    place.call(&["r.rhai", "--sandbox"]).expect(8);
    let snapshot =
        fs::read_dir(place.0.join("state/runs")).unwrap().next().unwrap().unwrap().path().join("runbook.rhai");
    let snapshot = fs::read_to_string(snapshot).unwrap();
    clean("snapshot", &snapshot);
    let journal = journal_of(&place);
    assert!(!journal.contains("88123457") && !journal.contains("88123459"), "{journal}");
    assert!(!snapshot.contains("88123457"), "{snapshot}");
    let id =
        fs::read_dir(place.0.join("state/runs")).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    place.call(&["answer", &id, "go-on.3", "yes"]).expect(0);
    fs::rename(place.0.join("r.rhai"), place.0.join("moved.rhai")).unwrap();
    let lost = place.call(&["resume"]).expect(2);
    assert!(
        lost.stderr.contains("`r.rhai`: line 2 has a secret, which runs do not keep")
            && lost.stderr.contains("--script"),
        "{}",
        lost.stderr
    );
    fs::write(place.0.join("r.rhai"), format!("// edited\n{script}")).unwrap();
    assert_eq!(place.call(&["resume"]).expect(0).stdout, "[true, true, 13]\n[true, true, true]\n");
    clean_below(&place.0.join("state"));
    let checked = place.call_plain(&["check", "moved.rhai"]).expect(1);
    assert!(checked.stderr.contains("warning: a secret is written in the runbook"), "{}", checked.stderr);
}

fn journal_of(place: &Place) -> String {
    let run = fs::read_dir(place.0.join("state/runs")).unwrap().next().unwrap().unwrap().path();
    fs::read_to_string(run.join("journal.jsonl")).unwrap()
}

#[test]
fn a_secret_that_is_another_one_on_resume_is_said_to_differ() {
    let place = Place::new("planted-changed");
    let script =
        r#"region_create("west", #{ description: "of " + secret_env("PLANTED_PASSWORD") }); confirm("go on?");"#;
    fs::write(place.0.join("r.rhai"), script).unwrap();
    place.call(&["r.rhai", "--sandbox"]).expect(8);
    let mut again = command(&["resume", "--state-dir", "state"]);
    again.current_dir(&place.0).env("PLANTED_PASSWORD", "pl-environment-other");
    let ended = end(again).expect(7);
    assert!(ended.stderr.contains("a secret in it has changed"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("pl-environment"), "{}", ended.stderr);
}

#[test]
fn a_secret_of_a_table_is_read_again_as_the_table_was() {
    let place = Place::new("planted-table");
    let table = "\u{feff}name:password\nalice:\"pl-column-10x, \"\"ü:;\"\n";
    let bytes: Vec<u8> = table.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(place.0.join("wide.csv"), bytes).unwrap();
    let script = r#"
        let rows = read_csv("wide.csv", #{ delimiter: ":" });
        confirm("go on?");
        print(region_create("west", #{ description: rows[0].password }).description == "pl-column-10x, \"ü:;");"#;
    fs::write(place.0.join("r.rhai"), script).unwrap();
    place.call(&["r.rhai", "--sandbox"]).expect(8);
    let run = fs::read_dir(place.0.join("state/runs")).unwrap().next().unwrap().unwrap().file_name();
    place.call(&["answer", &run.to_string_lossy(), "go-on.2", "yes"]).expect(0);
    assert_eq!(place.call(&["resume"]).expect(0).stdout, "true\n");
}

impl Place {
    fn call_plain(&self, arguments: &[&str]) -> Ended {
        let mut command = command(arguments);
        command.current_dir(&self.0);
        end(command)
    }
}

#[test]
fn a_machine_that_is_called_like_a_password_is_told_by_its_name() {
    let place = Place::new("planted-name");
    let script = r#"
        let rows = [#{ name: "web-01-prod" }, #{ name: "admin" }];
        for row in rows { secret_store(#{ payload: row.name }); }
        wave("move", rows, #{ max_failures: 1 }, |row| { if row.name != "admin" { throw "no"; } });"#;
    fs::write(place.0.join("r.rhai"), script).unwrap();
    place.call(&["r.rhai", "--sandbox"]).expect(0);
    let report = place.call(&["report", "--format", "csv"]).expect(0).stdout;
    let items: Vec<&str> = report.lines().map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(items, ["item", "web-01-prod", "admin"], "{report}");
}

#[test]
fn a_mistake_that_is_found_before_the_settings_are_read_shows_no_password_of_theirs() {
    let mut command = command(&["-e", "let x = \"pl-settings-8x p@pl-url-9x\"; frob(x)"]);
    command.env("OS_PASSWORD", "pl-settings-8x").env("OS_AUTH_URL", "http://u:p%40pl-url-9x@127.0.0.1:1/v3");
    let ended = end(command).expect(1);
    assert!(ended.stderr.contains("let x = \"*** ***\"; frob(x)"), "{}", ended.stderr);
    told("-e", &ended);
}

#[test]
fn nobody_is_asked_for_a_secret_where_nobody_could_type_it_unseen() {
    let ended = crate::command::run(&["--sandbox", "-e", "secret_prompt(\"password of vcenter\")"]).expect(2);
    assert!(ended.stderr.contains("cannot ask for `password of vcenter`: there is no terminal"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: use `secret_env`"), "{}", ended.stderr);
}

#[test]
fn a_sandbox_that_others_can_reach_says_so_and_has_a_password_of_its_own() {
    let own = |more: &[&str]| Served::start_with(more).environment["OS_PASSWORD"].clone();
    assert_eq!(own(&[]), own(&[]), "drawn from the seed");
    let open = |_| {
        let mut served = Served::start_on("0.0.0.0:0");
        let said = served.said_first();
        assert!(said.contains("can be reached from other machines"), "{said}");
        assert!(first_line(&served, "/sandbox/truth").contains(" 401 "), "the truth is for those who log in");
        served.environment["OS_PASSWORD"].clone()
    };
    let [first, second] = [0, 1].map(open);
    assert_ne!(first, second);
    assert_ne!(first, own(&[]));
    assert!(first_line(&Served::start_with(&[]), "/sandbox/truth").contains(" 200 "));
}

/// The first line of the answer to a request without a token.
fn first_line(served: &Served, path: &str) -> String {
    let url = &served.environment["OS_AUTH_URL"];
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\r\n").unwrap();
    BufReader::new(stream).lines().next().unwrap().unwrap()
}

#[test]
fn a_panic_says_nothing_of_a_secret() {
    let process = Process::default();
    process.known.learn("pl-panic-13x");
    let (tell, told) = std::sync::mpsc::channel();
    process.tell_panics(move |text| drop(tell.send(text.to_owned())));
    let secret = "pl-panic-13x";
    catch_unwind(|| panic!("a bug with {secret}")).expect_err("it panics");
    drop(std::panic::take_hook());
    let told: Vec<String> = told.iter().filter(|text| text.contains("a bug with")).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("a bug with ***") && !told[0].contains("pl-panic"), "{}", told[0]);
}
