//! The real binary: what it prints where, and its exit codes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::command::{
    Ended, Running, Served, accept, all_of, await_input, code_of, command, end, folder, run, runbook,
};
use crate::golden::same_as_golden;

const FEW: &str = "inventory=tests/it/runbooks/few.csv";

#[test]
fn the_main_job_prints_the_golden_summary_on_the_current_generation() {
    main_job("--sandbox");
}

#[test]
fn the_main_job_prints_the_golden_summary_on_the_legacy_generation() {
    main_job("--sandbox=legacy");
}

fn main_job(sandbox: &str) {
    let ended = run(&["scripts/waves.rhai", sandbox]).expect(0);
    same_as_golden("waves.stdout", &ended.stdout);
}

#[test]
fn two_runs_print_the_same_and_nothing_that_changes() {
    let [first, second] = [(); 2].map(|()| run(&["scripts/waves.rhai", "--sandbox", "--set", FEW]).expect(0));
    assert_eq!(first.stdout, second.stdout);
    let changing = regex(&[
        r"[0-9a-f]{8}-[0-9a-f]{4}-",
        r"[0-9a-f]{32}",
        r"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}",
        r"\b[0-9]{2}:[0-9]{2}",
        r"127\.0\.0\.1",
    ]);
    assert_eq!(changing.find(&first.stdout).map(|found| found.as_str()), None);
    assert!(changing.is_match(&first.stderr), "messages do tell the time");
}

#[test]
fn help_after_a_runbook_lists_its_parameters() {
    let ended = run(&["scripts/waves.rhai", "--help"]).expect(0);
    same_as_golden("waves-help.stdout", &ended.stdout);
    assert_eq!(ended.stderr, "");
    same_as_golden("sandbox-help.stdout", &run(&["sandbox", "--help"]).expect(0).stdout);
    let program = run(&["--help"]).expect(0);
    assert!(program.stdout.contains("Exit codes: 0 done") && program.stderr.is_empty());
}

#[test]
fn parameters_are_given_by_name_and_mistakes_in_them_are_bad_input() {
    let script = folder("parameters").join("p.rhai");
    std::fs::write(&script, r#"print(param("limit", #{ default: 8 }) + 1); print(param("name"));"#).unwrap();
    let script = script.display().to_string();
    let set = |settings: &[&str]| {
        let mut arguments = vec![script.as_str()];
        settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
        run(&arguments)
    };
    assert_eq!(set(&["limit=20", "name=a=b"]).expect(0).stdout, "21\na=b\n");
    for (settings, message) in [
        (vec!["limti=2"], "did you mean `limit`?"),
        (vec!["limit"], "cannot read `--set limit`"),
        (vec!["limit=many", "name=a"], "`limit` must be a whole number, not `many`"),
        (vec!["limit=2"], "the parameter `name` is not given"),
        (vec!["limit=2", "limit=3"], "the parameter `limit` is given twice"),
    ] {
        let ended = set(&settings).expect(2);
        assert!(ended.stderr.contains(message), "{settings:?}: {}", ended.stderr);
    }
}

#[test]
fn an_expression_gives_json_in_a_pipe_and_a_table_by_choice() {
    let names = "endpoint_list().map(|endpoint| #{ name: endpoint.name, type: endpoint.type })";
    let json = run(&["--sandbox", "-e", names]).expect(0).stdout;
    let expected = serde_json::json!([
        {"name": "vcenter", "type": "vmware_vsphere"}, {"name": "openstack", "type": "openstack"}]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected, "a list is a bare array");
    let table = run(&["--sandbox", "--format", "table", "-e", names]).expect(0).stdout;
    same_as_golden("endpoints-table.stdout", &table);
    assert_eq!(run(&["-e", "1 + 1"]).expect(0).stdout, "2\n", "what needs no cloud needs no credentials");
    let off = run(&["--sandbox", "-e", "sandbox_power_off(\"web-01\"); 42"]).expect(0);
    assert_eq!(off.stdout, "42\n", "the truth at the end is no part of a result");
    assert!(off.stderr.contains("1 source is off without a machine on the target: web-01"), "{}", off.stderr);
    assert_eq!(run(&["-e", "let x = 1;"]).expect(0).stdout, "", "nothing is nothing");
}

#[test]
fn every_line_of_jsonl_is_an_event() {
    let run_of = |arguments: &[&str]| {
        let ended = run(arguments).expect(0);
        let events: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        for event in &events {
            assert!(event["v"] == 1 && event["at"].is_string() && event["event"].is_string(), "{event}");
        }
        events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let names = run_of(&["scripts/waves.rhai", "--sandbox", "--output", "jsonl", "--set", FEW]);
    assert_eq!((names.first().unwrap().as_str(), names.last().unwrap().as_str()), ("run_started", "run_finished"));
    for expected in ["wave_started", "item_started", "wait_changed", "item_retried", "item_finished", "wave_finished"] {
        assert!(names.iter().any(|name| name == expected), "no {expected}");
    }
    run_of(&["--sandbox", "--output", "jsonl", "-e", "endpoint_list()"]);
    let names = run_of(&["--sandbox", "--output", "jsonl", "-e", "sandbox_power_off(\"web-01\")"]);
    assert_eq!(names[names.len() - 2..], ["sandbox_told", "run_finished"]);
}

#[test]
fn every_ending_has_its_exit_code() {
    run(&["-e", "print(1)"]).expect(0);
    run(&["-e", "throw `no`"]).expect(1);
    run(&["-e", "no_such_function()"]).expect(1);
    run(&["missing.rhai", "--sandbox"]).expect(2);
    run(&["scripts/waves.rhai", "--no-such-flag"]).expect(2);
    run(&["--speed", "2", "-e", "1"]).expect(2);
    run(&[]).expect(0);
    let settings = run(&["-e", "endpoint_list()"]).expect(2);
    assert!(settings.stderr.contains("OS_AUTH_URL"), "{}", settings.stderr);
    let failed = run(&["--sandbox", &runbook("one-fails.rhai")]).expect(3);
    same_as_golden("one-fails.stdout", &failed.stdout);
}

#[test]
fn a_closed_port_is_unreachable() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/v3");
    let mut command = command(&["-e", "endpoint_list()"]);
    command.envs([("OS_AUTH_URL", url.as_str()), ("OS_USERNAME", "u"), ("OS_PASSWORD", "planted-password")]);
    command.envs([("OS_PROJECT_NAME", "p"), ("OS_USER_DOMAIN_NAME", "d"), ("OS_PROJECT_DOMAIN_NAME", "d")]);
    let ended = end(command).expect(4);
    assert!(ended.stderr.contains(&url) && !ended.stderr.contains("planted"), "{}", ended.stderr);
}

#[test]
fn a_wrong_password_cannot_log_in() {
    let served = Served::start("current");
    let mut command = served.client(&["-e", "endpoint_list()"]);
    command.env("OS_PASSWORD", "planted-password");
    let ended = end(command).expect(5);
    assert!(!ended.stderr.contains("planted"), "{}", ended.stderr);
}

#[test]
fn a_served_sandbox_is_a_cloud_for_others() {
    for generation in ["current", "legacy"] {
        let served = Served::start(generation);
        let script = r#"
            let replica = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
            let last = replica_sync(replica);
            [replica.created, last.status, replica_deploy(replica, #{ requires: last }).status]"#;
        let ended = end(served.client(&["-e", script])).expect(0);
        let value: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(value, serde_json::json!([true, "COMPLETED", "COMPLETED"]), "{generation}");
        assert_eq!(served.stop(), (String::new(), 0), "{generation}: then nothing more");
    }
}

#[test]
fn a_cloud_whose_keystone_knows_version_2_alone_is_logged_in_to() {
    for generation in ["current", "legacy"] {
        let served = Served::start_with(&["--keystone", "v2.0", "--generation", generation]);
        let root = served.environment["OS_AUTH_URL"].trim_end_matches("/v2.0").to_owned();
        assert_ne!(root, served.environment["OS_AUTH_URL"], "the old URL is told");
        let script = r#"
            let replica = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
            secret_store(#{ name: "s", payload: "planted-payload" });
            [replica.created, replica_sync(replica).status, secret_list().len()]"#;
        let ended = end(served.client(&["-e", script])).expect(0);
        let value: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(value, serde_json::json!([true, "COMPLETED", 1]), "{generation}: {}", ended.stderr);

        let with = |environment: &[(&str, &str)]| {
            let mut command = served.client(&["-e", "endpoint_list().len()"]);
            command.envs(environment.iter().copied());
            end(command)
        };
        assert_eq!(with(&[("OS_AUTH_URL", &root), ("OS_IDENTITY_API_VERSION", "")]).expect(0).stdout, "2\n");
        for (environment, said) in [
            ([("OS_PASSWORD", "planted-password")], "Keystone refuses user `admin` for project `demo` (HTTP 401)"),
            ([("OS_PROJECT_NAME", "nowhere")], "Keystone refuses user `admin` for project `nowhere` (HTTP 401)"),
            ([("OS_USER_DOMAIN_NAME", "People")], "speaks version 2.0, which has no domains"),
        ] {
            let ended = with(&environment).expect(5);
            assert!(ended.stderr.contains(said), "{}", ended.stderr);
            assert!(!ended.stderr.contains("planted"), "{}", ended.stderr);
        }
    }
}

#[test]
fn one_interrupt_pauses_and_tells_what_is_running() {
    let mut running = Running::start(command(&[&runbook("two-copies.rhai"), "--sandbox", "--speed", "200", "-v"]));
    running.wait_for(&["web-01  first copy REPLICATE_DISKS", "web-02  first copy REPLICATE_DISKS"]);
    running.press_interrupt();
    let ended = running.end().expect(6);
    let told = ended.stderr.split_once("running on the server when last seen: 2\n").expect(&ended.stderr).1;
    let line = |name: &str| regex(&[&format!(r"move/{name}  execution [0-9a-f-]{{36}}  RUNNING")]).is_match(told);
    assert!(line("web-01") && line("web-02"), "{told}");
    assert!(ended.stdout.contains("paused"), "{}", ended.stdout);
}

#[test]
fn a_hangup_pauses_however_often_it_is_told() {
    let mut running = Running::start(command(&[&runbook("two-copies.rhai"), "--sandbox", "--speed", "200", "-v"]));
    running.wait_for(&["web-01  first copy REPLICATE_DISKS", "web-02  first copy REPLICATE_DISKS"]);
    running.signal(Signal::SIGHUP);
    running.wait_for(&["STOPPING"]);
    running.signal(Signal::SIGHUP);
    let ended = running.end().expect(6);
    assert!(ended.stderr.contains("running on the server when last seen: 2\n"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("LEAVING"), "{}", ended.stderr);
}

#[test]
fn what_was_started_to_outlive_its_terminal_does() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_coriolis-run")]).env_clear();
    shell.args([&runbook("two-copies.rhai"), "--sandbox", "--speed", "200", "--verbose"]);
    shell.args(["--state-dir", folder("outlives").to_str().unwrap()]);
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(shell);
    running.wait_for(&["web-01  first copy REPLICATE_DISKS"]);
    running.signal(Signal::SIGHUP);
    running.end().expect(0);
}

#[test]
fn a_value_that_no_record_could_hold_fails_the_item_that_made_it() {
    let script = folder("deep").join("deep.rhai");
    let text = r#"
        let made = wave("w", ["flat", "deep"], #{ max_failures: 1 }, |name| {
            let a = [];
            if name == "deep" { for i in 0..130 { a = [a]; } }
            a
        });
        print(made.failed);
        throw "so that it is resumed""#;
    std::fs::write(&script, text).unwrap();
    let ended = run(&[script.to_str().unwrap(), "--sandbox"]).expect(1);
    assert!(ended.stdout.contains(r#"["deep"]"#), "{}", ended.stdout);
    assert!(ended.stderr.contains("nested too deeply"), "{}", ended.stderr);
}

#[test]
fn a_machine_without_room_for_more_threads_works_on_fewer_items_at_once() {
    let script = r#"
        let items = []; for n in 0..100 { items.push(n); }
        wave("many", items, #{ limit: 100 }, |n| { sleep("1m"); endpoint_show("vcenter").name }).ok.len()"#;
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 1600000 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_coriolis-run")]);
    command.args(["--sandbox", "--format", "json", "-e", script]).env_clear();
    let ended = end(command).expect(0);
    assert_eq!(ended.stdout.lines().last(), Some("100"), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot start a thread for lane"), "{}", ended.stderr);
}

#[test]
fn a_second_interrupt_leaves_at_once() {
    // Takes the call and never answers it: a request that is under way is waited for, but not by the impatient.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let arguments = [
        "--no-auth",
        "--endpoint",
        &url,
        "--os-project-id",
        "p",
        "-e",
        "endpoint_create(#{ name: \"lab\", type: \"openstack\", connection_info: #{} })",
    ];
    let mut running = Running::start(command(&arguments));
    let _taken = accept(&silent);
    running.press_interrupt();
    running.wait_for(&["STOPPING"]);
    running.press_interrupt();
    running.end().expect(6);
}

#[test]
fn a_thousand_lanes_need_few_file_descriptors() {
    let script = r#"
        let items = []; for n in 0..1000 { items.push(n); }
        wave("many", items, #{ limit: 1000 }, |n| { sleep("1m"); endpoint_show("vcenter").name }).ok.len()"#;
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 128 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_coriolis-run")]);
    command.args(["--sandbox", "--format", "json", "-e", script]).env_clear();
    assert_eq!(end(command).expect(0).stdout.lines().last(), Some("1000"));
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let mut command = command(&["-e", "for n in 0..20000 { print(n); }"]);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    await_input(lines.get_ref());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    drop(lines);
    assert_eq!(first, "0\n");
    let messages = all_of(child.stderr.take().unwrap());
    assert_eq!(code_of(&mut child, || messages.clone()), 0, "{messages}");
    assert!(!messages.contains("panicked") && !messages.to_lowercase().contains("broken pipe"), "{messages}");
}

#[test]
fn nothing_of_the_callers_cloud_leaks_into_a_rehearsal() {
    let mut command = command(&["--sandbox", "-e", "endpoint_list().len()"]);
    command.envs([
        ("OS_AUTH_URL", "http://127.0.0.1:1/v3"),
        ("OS_PASSWORD", "wrong"),
        ("OS_USERNAME", "nobody"),
        ("OS_TOKEN", "stale"),
        ("OS_AUTH_TYPE", "token"),
        ("OS_CLOUD", "nowhere"),
        ("OS_CACERT", "/nowhere/ca.pem"),
        ("OS_REGION_NAME", "Mars"),
        ("OS_PROJECT_ID", "p"),
        ("CORIOLIS_ENDPOINT", "http://127.0.0.1:1"),
        ("CORIOLIS_SERVICE_TYPE", "other"),
        ("http_proxy", "http://127.0.0.1:1"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("ALL_PROXY", "http://127.0.0.1:1"),
    ]);
    assert_eq!(end(command).expect(0).stdout, "2\n");
}

#[test]
fn a_planted_secret_is_never_shown() {
    for output in ["text", "jsonl"] {
        let ended = run(&[&runbook("secrets.rhai"), "--sandbox", "--output", output]).expect(1);
        shows_no_secret(&ended);
        assert!(ended.stdout.contains("***"), "{output}: {}", ended.stdout);
    }
    for format in ["json", "table"] {
        let create = r#"endpoint_create(#{ name: "lab", type: "openstack", connection_info: #{ password: "planted-password" } })"#;
        shows_no_secret(&run(&["--sandbox", "--format", format, "-e", create]).expect(0));
    }
}

#[test]
fn a_secret_that_the_server_echoes_in_an_error_is_not_shown() {
    for output in ["text", "jsonl"] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let echo = std::thread::spawn(move || refuse_with_echo(&server));
        let create = r#"endpoint_create(#{ name: "lab", type: "openstack", connection_info: #{ password: "planted-password" } })"#;
        let arguments = ["--no-auth", "--endpoint", &url, "--os-project-id", "p", "--output", output, "-e", create];
        let ended = run(&arguments).expect(1);
        assert!(echo.join().unwrap().contains("planted-password"), "the server got it");
        assert!(ended.stderr.contains("the server says"), "{}", ended.stderr);
        shows_no_secret(&ended);
    }
}

fn shows_no_secret(ended: &Ended) {
    assert!(!ended.stdout.contains("planted") && !ended.stderr.contains("planted"), "{}{}", ended.stdout, ended.stderr);
}

/// Answers one request with 400 and what it was sent; gives back the body that it got.
fn refuse_with_echo(server: &TcpListener) -> String {
    let mut connection = accept(server);
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let message = format!("the server says: invalid value {body}");
    let answer = serde_json::json!({"error": {"fault": "badRequest", "code": 400, "message": message}}).to_string();
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    connection.write_all(format!("{head}{answer}").as_bytes()).unwrap();
    body
}

fn regex(patterns: &[&str]) -> regex::Regex {
    regex::Regex::new(&patterns.join("|")).unwrap()
}

#[test]
fn check_tells_what_is_wrong_for_people_and_for_programs() {
    let folder = crate::command::folder("check");
    let path = folder.join("wrong.rhai");
    std::fs::write(&path, "let x = nobody;\nendpoint_lst();\nprint(x);\n").unwrap();
    let path = path.display().to_string();
    let ended = run(&["check", &path, "--format", "json"]).expect(1);
    let found: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let found: Vec<(u64, u64, &str)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["line"].as_u64().unwrap(), one["column"].as_u64().unwrap(), one["severity"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [(1, 9, "error"), (2, 1, "error")]);
    let ended = run(&["check", &path]).expect(1);
    assert!(ended.stderr.contains("did you mean `endpoint_list`?"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "2 errors in 1 file\n");
    assert_eq!(run(&["check", "scripts/waves.rhai"]).expect(0).stdout, "no mistakes found in 1 file\n");
    assert_eq!(run(&["check", "scripts/waves.rhai", "--format", "json"]).expect(0).stdout, "[]\n");
    let all = run(&["check", "scripts/waves.rhai", "scripts/coriolis.d.rhai"]).expect(0);
    assert_eq!(all.stdout, "no mistakes found in 1 file\n");
    assert!(all.stderr.contains("is not a runbook: not checked"), "{}", all.stderr);
    run(&["check", "nobody.rhai"]).expect(2);
}
