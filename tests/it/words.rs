//! The command line as people try it: words of other tools, misspelt ones, and what is no runbook.

use std::path::Path;
use std::process::Command;

use crate::command::{command, end, folder};

/// The binary in a folder with a runbook, a table, a picture and an empty folder.
fn in_a_folder(test: &str) -> impl Fn(&[&str]) -> Command {
    let folder = folder(test);
    let runbook = "// Moves VMs.\nlet limit = param(\"limit\", #{ default: 3 });\nprint(limit + 1);\n";
    std::fs::write(folder.join("waves.rhai"), runbook).unwrap();
    std::fs::write(folder.join("inventory.csv"), "name,wave\nweb-01,1\n").unwrap();
    std::fs::write(folder.join("picture.rhai"), [0x89, b'P', b'N', b'G', 0xff, 0]).unwrap();
    std::fs::create_dir(folder.join("empty")).unwrap();
    std::os::unix::fs::symlink("nowhere.rhai", folder.join("dangling.rhai")).unwrap();
    move |arguments| {
        let mut command = command(arguments);
        command.current_dir(&folder).env("HOME", &folder);
        command
    }
}

/// The names of the runs that are kept there.
fn kept(home: &Path) -> Vec<String> {
    let runs = std::fs::read_dir(home.join(".local/state/coriolis-run/runs"));
    runs.map(|runs| runs.map(|run| run.unwrap().file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default()
}

#[test]
fn words_that_people_try_do_what_they_say() {
    let with = in_a_folder("words-said");
    for (arguments, out) in [
        (&["help"][..], "Usage: coriolis-run"),
        (&["help", "runs"], "Usage: coriolis-run runs"),
        (&["help", "wait_for"], "wait_for(what, [options])"),
        (&["version"], env!("CARGO_PKG_VERSION")),
        (&["waves.rhai", "--sandbox", "legacy"], "4\n"),
        (&["--sandbox", "legacy", "waves.rhai"], "4\n"),
        (&["--sandbox", "legacy", "-e", "1 + 1"], "2\n"),
        (&["waves.rhai", "-h"], "--set limit=..."),
        (&["report", "latest"], "`waves.rhai`"),
        (&["runs", "show", "last"], "\"done\""),
        (&["status", "latest"], "\"done\""),
        (&["repl"], ""),
    ] {
        let ended = end(with(arguments)).expect(0);
        assert!(ended.stdout.contains(out), "{arguments:?}:\n{}{}", ended.stdout, ended.stderr);
    }
    assert!(end(with(&["waves.rhai", "--sandbox", "legacy"])).expect(0).stderr.contains("sandbox, legacy generation"));
}

#[test]
fn what_is_no_command_says_what_was_meant_and_is_bad_input() {
    let with = in_a_folder("words-wrong");
    for (arguments, message, hint) in [
        (&["chekc", "waves.rhai"][..], "neither a command nor a runbook `chekc`", "did you mean `coriolis-run check`?"),
        (&["RUNS"], "neither a command nor a runbook `RUNS`", "did you mean `coriolis-run runs`?"),
        (&["waves"], "neither a command nor a runbook `waves`", "did you mean `waves.rhai`?"),
        (&["run", "wave.rhai"], "no runbook `wave.rhai`", "did you mean `waves.rhai`?"),
        (&["run"], "`run` needs a runbook", "`coriolis-run run waves.rhai`"),
        (&["list"], "neither a command nor a runbook `list`", "`coriolis-run runs` lists"),
        (&["logs"], "neither a command nor a runbook `logs`", "`coriolis-run runs show [RUN]`"),
        (&["stop"], "neither a command nor a runbook `stop`", "Ctrl-C"),
        (&["plan", "waves.rhai"], "neither a command nor a runbook `plan`", "`--sandbox`"),
        (&["empty"], "`empty` is a folder", "a `.rhai` file"),
        (&["check", "empty"], "`empty` is a folder", "a `.rhai` file"),
        (&["."], "`.` is a folder", "`picture.rhai`, `waves.rhai`"),
        (&["inventory.csv"], "`inventory.csv` is data", "`read_csv(\"inventory.csv\")`"),
        (&["check", "inventory.csv"], "`inventory.csv` is data", "`read_csv(\"inventory.csv\")`"),
        (&["picture.rhai"], "is not UTF-8 text", ""),
        (&["waves.rhai", "--limit", "3"], "no option `--limit`", "`--set limit=3`"),
        (&["waves.rhai", "--sandbox", "--limit=3"], "no option `--limit`", "`--set limit=3`"),
        (&["waves.rhai", "--limt", "3"], "no option `--limt`", "`--set limit=3`"),
        (&["waves.rhai", "--spede", "3"], "no option `--spede`", "did you mean `--speed`?"),
        (&["waves.rhai", "--dry-run"], "no option `--dry-run`", "`--sandbox`"),
        (&["waves.rhai", "limit=3"], "unexpected `limit=3` after the runbook", "`--set limit=3`"),
        (&["--sandbox", "waves.rhai", "legacy"], "unexpected `legacy` after the runbook", "`--sandbox=legacy`"),
        (&["waves.rhai", "--sandbox", "legcy"], "unexpected `legcy` after the runbook", "`--sandbox=legacy`"),
        (&["--versoin"], "no option `--versoin`", "did you mean `--version`?"),
        (&["resume", "--list"], "no option `--list`", "`coriolis-run runs` lists the runs"),
        (&["sandbox", "--port", "80"], "no option `--port`", "`--listen"),
        (
            &["sandbox", "127.0.0.1:0"],
            "unexpected `127.0.0.1:0` after `coriolis-run sandbox`",
            "`--listen 127.0.0.1:0`",
        ),
        (&["functions", "wave", "each"], "unexpected `each` after `coriolis-run functions`", "--help` shows"),
        (&["runs", "ls"], "`runs` has no command `ls`", "`coriolis-run runs` lists the runs"),
        (&["runs", "shwo"], "`runs` has no command `shwo`", "did you mean `coriolis-run runs show`?"),
        (&["runs", "delete", "x"], "`runs` has no command `delete`", "`coriolis-run runs prune`"),
        (&["check"], "`check` needs <FILE>...", "write `coriolis-run check <FILE>...`"),
        (&["answer", "m4k7t2qa"], "`answer` needs <GATE> <ANSWER>", "write `coriolis-run answer"),
        (&["-"], "a runbook `-`", "`/dev/stdin`"),
        (&["run", "-"], "a runbook `-`", "`/dev/stdin`"),
        (&["dangling.rhai"], "no runbook `dangling.rhai`", "it is a link"),
        (&["waves.rhai", "check"], "unexpected `check` after the runbook", "`coriolis-run check waves.rhai`"),
        (&["functions", "wait_fro"], "nothing is known about `wait_fro`", "did you mean `wait_for`?"),
    ] {
        let ended = end(with(arguments)).expect(2);
        assert!(ended.stderr.contains(message) && ended.stderr.contains(hint), "{arguments:?}:\n{}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_bad_parameter_is_found_before_anything_is_said_to_move_and_leaves_no_run() {
    let with = in_a_folder("words-parameters");
    let home = with(&[]).get_current_dir().unwrap().to_owned();
    std::fs::write(home.join("needs.rhai"), "print(\"before\"); print(param(\"network\"));").unwrap();
    for (arguments, message) in [
        (&["waves.rhai", "--sandbox", "--set", "limit=many"][..], "`limit` must be a whole number, not `many`"),
        (&["waves.rhai", "--sandbox", "--set", "limti=3"], "did you mean `limit`?"),
        (&["waves.rhai", "--sandbox", "--set", "limit"], "cannot read `--set limit`"),
        (&["waves.rhai", "--sandbox", "--speed", "0"], "--speed"),
        (&["waves.rhai", "--speed", "2"], "`--speed` is for the sandbox"),
        (&["--state-dir", "state", "report"], "before its options: `coriolis-run report ...`"),
        (&["needs.rhai", "--sandbox"], "the parameter `network` is not given"),
        (&["waves.rhai", "--os-cloud", "nobody"], "nobody"),
    ] {
        let ended = end(with(arguments)).expect(2);
        assert!(ended.stderr.contains(message), "{arguments:?}:\n{}", ended.stderr);
        assert!(
            ended.stdout.is_empty() && !ended.stderr.contains("run waves.rhai on"),
            "{arguments:?}:\n{}",
            ended.stderr
        );
    }
    assert_eq!(kept(&home), Vec::<String>::new());
}

#[test]
fn the_status_begins_with_what_is_not_done() {
    let with = in_a_folder("words-status");
    let home = with(&[]).get_current_dir().unwrap().to_owned();
    std::fs::write(home.join("gate.rhai"), "confirm(\"go?\");").unwrap();
    end(with(&["gate.rhai", "--sandbox"])).expect(8);
    end(with(&["waves.rhai", "--sandbox"])).expect(0);
    let status = end(with(&["status"])).expect(0).stdout;
    let runs: Vec<serde_json::Value> = serde_json::from_str(&status).unwrap();
    let names: Vec<&str> = runs.iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["gate.rhai", "waves.rhai"]);
}

#[test]
fn a_gate_of_an_expression_is_one_that_can_be_answered() {
    let with = in_a_folder("words-gate");
    let served = crate::command::Served::start("current");
    let home = with(&[]).get_current_dir().unwrap().to_owned();
    std::fs::write(home.join("outer.rhai"), "import \"inner\" as inner;\nfn ask() { inner::ask() }").unwrap();
    std::fs::write(home.join("inner.rhai"), "fn ask() { confirm(\"go?\") }").unwrap();
    let imported = "import \"outer\" as gates; gates::ask(); endpoint_list().len()";
    let expressions = ["confirm(\"go?\"); endpoint_list().len()", imported];
    for (sandbox, expression) in
        [&["--sandbox"][..], &[]].into_iter().flat_map(|sandbox| expressions.map(|each| (sandbox, each)))
    {
        let asked = end({
            let mut command = with(&[sandbox, &["-e", expression]].concat());
            command.envs(if sandbox.is_empty() { served.environment.clone() } else { Default::default() });
            command
        });
        let asked = asked.expect(8);
        let words = asked.stderr.split("`coriolis-run answer ").nth(1).unwrap().split('`').next().unwrap().to_owned();
        let (id, rest) = words.split_once(' ').unwrap();
        end(with(&["answer", id, rest.split(' ').next().unwrap(), "yes"])).expect(0);
        let mut resume = with(&["resume", id]);
        resume.envs(if sandbox.is_empty() { served.environment.clone() } else { Default::default() });
        assert_eq!(end(resume).expect(0).stdout, "2\n");
    }
}

#[test]
fn what_needs_no_home_does_without_one() {
    let with = in_a_folder("words-home");
    let served = crate::command::Served::start("current");
    for (arguments, input, out) in [
        (&["check", "waves.rhai"][..], "", "no mistakes found"),
        (&["functions", "wait_for"], "", "wait_for(what"),
        (&["--help"], "", "Usage: coriolis-run"),
        (&["-e", "endpoint_list().len()"], "", "2\n"),
        (&["--sandbox", "-e", "endpoint_list().len()"], "", "2\n"),
        (&[], "endpoint_list().len()\n", "2\n"),
    ] {
        let mut command = with(arguments);
        command.env_remove("HOME").envs(&served.environment);
        let ended = crate::command::end_with(command, input.as_bytes()).expect(0);
        assert!(ended.stdout.contains(out), "{arguments:?}:\n{}{}", ended.stdout, ended.stderr);
    }
    let mut command = with(&["waves.rhai", "--sandbox"]);
    command.env_remove("HOME");
    assert!(end(command).expect(2).stderr.contains("--state-dir"));
}
