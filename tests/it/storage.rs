//! A disk that is full, under stdout, reports and journals: said as such, with an exit code of its own, and nothing half
//! written.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use coriolis_run::error::ExitCode;

use crate::command::{Ended, command, end, folder};

const FULL: i32 = ExitCode::Storage.number() as i32;

const RUNBOOK: &str = r#"
    let from = endpoint_find("vcenter");
    let to = endpoint_find("openstack");
    let vms = endpoint_instance_list(from);
    vms.truncate(12);
    each(["outer"], |outer| {
        wave("seed", vms, #{ limit: 6 }, |vm| {
            replica_sync(replica_ensure(#{ origin_endpoint: from, destination_endpoint: to, instance: vm.name }));
        });
    });
"#;

fn place(test: &str) -> std::path::PathBuf {
    let place = folder(test);
    fs::write(place.join("small.rhai"), "print(`a`); wave(`w`, [`a`], |name| name);").unwrap();
    fs::write(place.join("long.rhai"), RUNBOOK).unwrap();
    place
}

fn call(place: &Path, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command.env("XDG_STATE_HOME", place.join("state")).current_dir(place);
    command
}

/// The end of a command whose stdout leads where it was told.
fn end_of(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The binary in a shell that lets no file grow above so many blocks.
fn limited(place: &Path, blocks: &str, arguments: &[&str]) -> Ended {
    end(shelled(place, &format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$@\""), arguments))
}

/// The binary in a shell that runs that script with it.
fn shelled(place: &Path, script: &str, arguments: &[&str]) -> Command {
    let plain = call(place, arguments);
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(script).arg("sh");
    shell.arg(plain.get_program()).args(plain.get_args()).current_dir(place).env_clear();
    shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

#[test]
fn a_stdout_that_is_full_or_was_never_open_is_said_by_every_command_and_a_reader_that_went_away_by_none() {
    let place = place("full-stdout");
    end(call(&place, &["small.rhai", "--sandbox"])).expect(0);
    let commands: &[&[&str]] = &[
        &["-e", "1 + 1"],
        &["-e", "print(1)"],
        &["small.rhai", "--sandbox"],
        &["small.rhai", "--sandbox", "--output", "jsonl"],
        &["small.rhai", "--help"],
        &["--help"],
        &["--version"],
        &["resume", "--help"],
        &["check", "small.rhai"],
        &["check", "--format", "json", "small.rhai"],
        &["functions"],
        &["functions", "wave"],
        &["functions", "--format", "json"],
        &["runs"],
        &["runs", "show"],
        &["runs", "prune", "--keep", "0", "--dry-run"],
        &["report"],
        &["report", "--format", "html"],
        &["report", "--format", "junit"],
        &["report", "-o", "/dev/full", "--format", "csv"],
        &["sandbox"],
    ];
    let mut wrong = Vec::new();
    for arguments in commands {
        let mut full = call(&place, arguments);
        full.stdout(File::create("/dev/full").unwrap());
        let ended = end_of(full);
        if ended.code != FULL || !ended.stderr.contains(": no space left on device") {
            wrong.push(format!("{arguments:?} > /dev/full: {} {}", ended.code, ended.stderr));
        }
        let ended = end_of(shelled(&place, "exec \"$@\" >&-", arguments));
        if ended.code != FULL {
            wrong.push(format!("{arguments:?} >&-: {} {}", ended.code, ended.stderr));
        }
        // It would serve on.
        if arguments == &["sandbox"] {
            continue;
        }
        let (reader, writer) = nix::unistd::pipe().unwrap();
        drop(reader);
        let mut closed = call(&place, arguments);
        closed.stdout(writer);
        let ended = end_of(closed);
        if ended.stderr.contains("cannot write to stdout") || (ended.code != 0 && !arguments.contains(&"/dev/full")) {
            wrong.push(format!("{arguments:?} | true: {} {}", ended.code, ended.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_report_that_does_not_fit_leaves_the_one_that_was_there() {
    let place = place("full-report");
    end(call(&place, &["small.rhai", "--sandbox"])).expect(0);
    fs::write(place.join("run.html"), "the old one").unwrap();
    let ended = limited(&place, "1", &["report", "-o", "run.html"]).expect(FULL);
    assert!(
        ended.stderr.contains("cannot write the report to ") && ended.stderr.contains("hint: "),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read_to_string(place.join("run.html")).unwrap(), "the old one");
    let files: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), 4, "nothing is left beside it: {files:?}");
    end(call(&place, &["report", "-o", "no/such/folder.html"])).expect(ExitCode::Input.number().into());
}

#[test]
fn a_start_for_which_there_is_no_room_leaves_nothing_behind() {
    let place = place("full-start");
    for (blocks, left) in [("0", 0), ("1", 1)] {
        let ended = limited(&place, blocks, &["small.rhai", "--sandbox"]).expect(FULL);
        assert!(ended.stderr.contains("error: cannot keep runs in /"), "{}", ended.stderr);
        let state = place.join("state/coriolis-run");
        let files = |folder: &Path| {
            fs::read_dir(folder)
                .map_or(0, |entries| entries.filter(|entry| entry.as_ref().unwrap().path().is_file()).count())
        };
        assert_eq!(files(&state), left, "the key alone, once there is room for it");
        assert_eq!(fs::read_dir(state.join("runs")).map_or(0, Iterator::count), 0);
    }
}

#[test]
fn a_journal_that_takes_no_more_stops_the_run_as_such_and_the_run_goes_on_when_there_is_room() {
    let place = place("full-journal");
    let ended = limited(&place, "100", &["long.rhai", "--sandbox", "--speed", "90000"]).expect(FULL);
    let told = &ended.stderr;
    assert!(told.contains("error: cannot write the run's journal /"), "{told}");
    assert!(told.contains("nothing new starts: cannot write the run's journal"), "{told}");
    assert!(told.contains("then resume the run: nothing was sent that is not on record"), "{told}");
    for wrong in ["asked to stop", "the operator", "bad input"] {
        assert!(!told.contains(wrong), "`{wrong}` in\n{told}");
    }
    let kept = |wanted: &str| {
        let run = fs::read_dir(place.join("state/coriolis-run/runs")).unwrap().next().unwrap().unwrap();
        assert!(fs::read_to_string(run.path().join("run.json")).unwrap().contains(wanted), "{wanted}");
    };
    kept("\"times\": 90000.0");
    end(call(&place, &["resume", "--speed", "max"])).expect(0);
    kept("\"speed\": \"max\"");
    let done = end(call(&place, &["resume"])).expect(ExitCode::Input.number().into());
    assert!(done.stderr.contains("there is no unfinished run: the newest run, "), "{}", done.stderr);
    let left = end(call(&place, &["runs"])).expect(0).stdout;
    assert!(left.contains("\"status\": \"done\""), "{left}");
}
