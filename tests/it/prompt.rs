//! The prompt as its user meets it: the binary on a real pseudo-terminal, keys in, screens out.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vt100::Parser;

use crate::command::{Deadline, code_of, command, end, end_with, folder};
use crate::golden::{redacted, same_as_golden};

const TAB: &str = "\t";
const ENTER: &str = "\r";
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";
const RIGHT: &str = "\u{1b}[C";

/// A prompt on a terminal.
struct Terminal {
    master: File,
    screen: Parser,
    child: Child,
    folder: PathBuf,
}

impl Terminal {
    /// In a folder of the test's own, which is its home and its state directory as well.
    fn new(test: &str, (width, height): (u16, u16), arguments: &[&str]) -> Self {
        Self::again(folder(test), (width, height), arguments)
    }

    fn again(folder: PathBuf, size: (u16, u16), arguments: &[&str]) -> Self {
        Self::among(&[], folder, size, arguments)
    }

    /// With these in its environment.
    fn among(surroundings: &[(&str, &str)], folder: PathBuf, (width, height): (u16, u16), arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).unwrap();
        let mut command = command(arguments);
        command.current_dir(&folder).env("HOME", &folder).env("XDG_STATE_HOME", folder.join("state"));
        command.env("TERM", "xterm-256color").env("PAGER", "cat").env("TZ", "UTC");
        command.env_remove("VISUAL").envs(surroundings.iter().copied());
        command.stdin(Stdio::from(pair.slave.try_clone().unwrap()));
        command.stdout(Stdio::from(pair.slave.try_clone().unwrap())).stderr(Stdio::from(pair.slave));
        let child = command.spawn().unwrap();
        drop(command);
        let screen = Parser::new(NonZero::new(height).unwrap(), NonZero::new(width).unwrap(), 2000);
        let mut terminal = Self { master: File::from(pair.master), screen, child, folder };
        terminal.until_prompt();
        terminal
    }

    /// Takes in what arrives; false when nothing did for so many milliseconds, or no more will.
    fn take(&mut self, patience: u16) -> bool {
        let mut waited = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waited, PollTimeout::from(patience)).unwrap() == 0 {
            return false;
        }
        let mut piece = [0; 65536];
        match self.master.read(&mut piece) {
            Ok(length @ 1..) => {
                self.screen.process(&piece[..length]);
                true
            }
            _ => false,
        }
    }

    #[track_caller]
    fn until(&mut self, what: &str, there: impl Fn(&Self) -> bool) {
        let deadline = Deadline::new();
        while !there(self) {
            let more = !deadline.rest().is_zero() && self.take(60_000);
            assert!(more, "no {what} on the screen:\n{}", self.shown());
        }
    }

    fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Types what is then seen before the cursor.
    #[track_caller]
    fn typed(&mut self, text: &str) {
        self.keys(text);
        self.until_before_cursor(text);
    }

    /// Waits until the text stands before the cursor, in however many rows.
    #[track_caller]
    fn until_before_cursor(&mut self, text: &str) {
        self.until(&format!("`{text}` before the cursor"), |terminal| terminal.before_cursor().ends_with(text));
    }

    /// Presses Tab until the text stands before the cursor: what the cloud's things are called may take a moment.
    #[track_caller]
    fn completed(&mut self, text: &str) {
        for _ in 0..40 {
            self.keys(TAB);
            loop {
                if self.before_cursor().ends_with(text) {
                    return;
                }
                if !self.take(3_000) {
                    break;
                }
            }
        }
        panic!("never completed to `{text}`:\n{}", self.shown());
    }

    /// Types inputs of any length, each at the prompt that follows the one before.
    #[track_caller]
    fn inputs(&mut self, inputs: &[&str]) {
        for input in inputs {
            self.keys(input);
            self.keys(ENTER);
            self.until_prompt();
        }
    }

    /// Types a line and waits for the next prompt.
    #[track_caller]
    fn line(&mut self, text: &str) {
        self.typed(text);
        self.enter();
    }

    #[track_caller]
    fn enter(&mut self) {
        self.keys(ENTER);
        self.until("answer", |terminal| !terminal.cursor_row().starts_with("coriolis>") || terminal.at_prompt());
        self.until_prompt();
    }

    #[track_caller]
    fn until_prompt(&mut self) {
        self.until("prompt", Self::at_prompt);
    }

    fn at_prompt(&self) -> bool {
        let row = self.cursor_row();
        row.starts_with("coriolis") && row.trim_end().ends_with('>') && self.screen.screen().cursor_position().1 > 8
    }

    fn row(&self, row: u16) -> String {
        let width = self.screen.screen().size().1.get();
        self.screen.screen().rows(0, width).nth(usize::from(row)).unwrap_or_default()
    }

    fn cursor_row(&self) -> String {
        self.row(self.screen.screen().cursor_position().0)
    }

    /// The two rows up to the cursor, one behind the other.
    fn before_cursor(&self) -> String {
        let (row, column) = self.screen.screen().cursor_position();
        let above = if row > 0 { self.row(row - 1) } else { String::new() };
        let row: String = self.row(row).chars().take(usize::from(column)).collect();
        format!("{above}{row}")
    }

    fn shown(&self) -> String {
        let width = self.screen.screen().size().1.get();
        let rows: Vec<String> = self.screen.screen().rows(0, width).map(|row| row.trim_end().to_owned()).collect();
        redacted(rows.join("\n").trim_end()) + "\n"
    }

    /// What the terminal's driver does at Ctrl-C where the program has it as its own.
    fn interrupt(&self) {
        let child = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(child, Signal::SIGINT).unwrap();
    }

    /// Leaves; the exit code.
    fn leave(mut self) -> i32 {
        self.keys(CTRL_D);
        self.end()
    }

    /// Waits for the end; the exit code.
    fn end(&mut self) -> i32 {
        let deadline = Deadline::new();
        while self.take(60_000) && !deadline.rest().is_zero() {}
        let shown = self.shown();
        code_of(&mut self.child, || shown.clone())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The screens of a migration that is found out by asking and completing alone.
fn migrate(size: (u16, u16)) {
    let name = format!("{}x{}", size.0, size.1);
    let mut screens = Vec::new();
    let mut terminal = Terminal::new(&format!("prompt-{name}"), size, &["--sandbox", "--speed", "max"]);
    screens.push(terminal.shown());
    terminal.line("?");
    screens.push(terminal.shown());
    terminal.typed("?replica_ens");
    terminal.completed("?replica_ensure");
    terminal.enter();
    screens.push(terminal.shown());
    terminal.typed("let r = replica_ens");
    terminal.completed("replica_ensure(");
    terminal.typed("#{ origin_endpoint_");
    terminal.completed("origin_endpoint_id: ");
    terminal.typed("\"vc");
    terminal.completed("\"vcenter\"");
    terminal.typed(", destination_endpoint_");
    terminal.completed("destination_endpoint_id: ");
    terminal.typed("\"");
    terminal.keys(TAB);
    terminal.until("endpoint", |terminal| terminal.shown().contains("openstack "));
    terminal.until_before_cursor("_id: \"");
    screens.push(terminal.shown());
    terminal.typed("o");
    terminal.completed("\"openstack\"");
    terminal.typed(", instances: [\"web-01");
    terminal.completed("\"web-01\"");
    terminal.typed("], network_");
    terminal.completed("network_map");
    terminal.typed(": #{ ");
    terminal.completed("DMZ: ");
    terminal.typed("\"pu");
    terminal.completed("\"public\"");
    terminal.typed(" } })");
    terminal.enter();
    terminal.line("r.instances");
    screens.push(terminal.shown());
    terminal.typed("replica_sy");
    terminal.completed("replica_sync(");
    terminal.typed("r).status");
    terminal.enter();
    terminal.typed("replica_dep");
    terminal.completed("replica_deploy");
    terminal.typed("(r)");
    terminal.enter();
    screens.push(terminal.shown());
    terminal.typed("it.status");
    terminal.enter();
    terminal.line(":save move.rhai");
    screens.push(terminal.shown());
    let folder = terminal.folder.clone();
    assert_eq!(terminal.leave(), 0);
    let mut saved = command(&["move.rhai", "--sandbox", "--speed", "max"]);
    saved.current_dir(&folder).env("HOME", &folder);
    end(saved).expect(0);
    let line = format!("{}\n", "=".repeat(usize::from(size.0)));
    same_as_golden(&format!("prompt-{name}.txt"), &screens.join(&line).replace(&*folder.to_string_lossy(), "FOLDER"));
}

#[test]
fn a_migration_is_found_out_at_80x24_by_asking_and_completing() {
    migrate((80, 24));
}

#[test]
fn a_migration_is_found_out_at_120x40_by_asking_and_completing() {
    migrate((120, 40));
}

#[test]
fn ctrl_c_ends_the_waiting_and_says_how_to_look_again() {
    let mut terminal = Terminal::new("prompt-ctrl-c", (80, 24), &["--sandbox", "--speed", "30"]);
    terminal.line("let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });");
    terminal.typed("wait_for(replica_execute(r))");
    terminal.keys(ENTER);
    terminal.until("bar", |terminal| terminal.shown().contains('%'));
    terminal.interrupt();
    terminal.until_prompt();
    let shown = terminal.shown();
    assert!(shown.contains("interrupted; the wait has ended, and work on the server goes on"), "{shown}");
    terminal.line("`again: ${r.id}`");
    let after = terminal.shown();
    let id = after.split("again: ").nth(2).and_then(|rest| rest.split_whitespace().next()).expect("an id");
    let unbroken = shown.replace(['\n', ' '], "");
    assert!(unbroken.contains(&format!("`wait_for(\"{id}\")`(web-01)")), "{id}: {shown}");
    assert!(!shown.contains('%'), "the bar is gone:\n{shown}");
    terminal.line("r.instances");
    assert!(terminal.shown().contains("web-01"), "the session lives on");
    terminal.typed("half a li");
    terminal.keys(CTRL_C);
    terminal.until_prompt();
    assert_eq!(terminal.leave(), 0);
}

#[test]
fn a_job_tells_above_the_prompt_while_somebody_types() {
    let mut terminal = Terminal::new("prompt-job", (80, 24), &["--sandbox", "--speed", "100000"]);
    terminal.line("let go = false;");
    terminal.line("spawn(|| { sleep(\"3h\"); print(\"from the background\"); });");
    terminal.typed("let still = ");
    terminal.until("line of the job", |terminal| terminal.shown().contains("from the background"));
    // At this speed an hour passes while the machine does something else.
    terminal.until("its end", |terminal| terminal.shown().contains("job/1  ok in "));
    terminal.until_before_cursor("> let still = ");
    terminal.typed("1;");
    terminal.enter();
    terminal.line(":jobs");
    assert!(terminal.shown().contains("DONE"), "{}", terminal.shown());
    terminal.line("let other = spawn(|| sleep(\"9999h\"));");
    terminal.until("number of jobs", |terminal| terminal.cursor_row().starts_with("coriolis [1 job]>"));
    terminal.keys(CTRL_D);
    terminal.until("warning", |terminal| terminal.shown().contains("1 job is still running"));
    terminal.until_prompt();
    assert_eq!(terminal.leave(), 0);
}

#[test]
fn inputs_of_several_lines_and_pasted_ones_are_one() {
    let mut terminal = Terminal::new("prompt-lines", (80, 24), &["--sandbox", "--speed", "max"]);
    for text in ["let sum = 0; for x in [1, /* a comment", "that goes on */", "2] {", "sum += x;"] {
        terminal.typed(text);
        terminal.keys(ENTER);
    }
    terminal.typed("} sum");
    terminal.enter();
    assert!(terminal.shown().contains("\n3\n"), "{}", terminal.shown());
    terminal.keys("\u{1b}[200~let a = 20;\nlet b = 22;\na + b\u{1b}[201~");
    terminal.until_before_cursor("a + b");
    terminal.enter();
    assert!(terminal.shown().contains("\n42\n"), "{}", terminal.shown());
    terminal.keys("\u{1b}[200~let p = 1\nfn twice(x) {\n  x * 2\n}\ntwice(p) + 60\u{1b}[201~");
    terminal.until_before_cursor("twice(p) + 60");
    terminal.enter();
    assert!(terminal.shown().contains("\n62\n"), "{}", terminal.shown());
    terminal.line("endpoint_instance_list(\"vcenter\")");
    assert!(terminal.shown().contains("columns more: memory_mb"), "{}", terminal.shown());
    assert_eq!(terminal.leave(), 0);
}

#[test]
fn what_was_typed_is_there_in_the_next_session_without_its_secrets() {
    let mut terminal = Terminal::new("prompt-history", (80, 24), &["--sandbox", "--speed", "max"]);
    terminal.line("let answer = 40 + 2;");
    terminal.line("let info = #{ password: \"long-planted-one\" };");
    terminal.line("info.password.len()");
    let folder = terminal.folder.clone();
    assert_eq!(terminal.leave(), 0);
    let mut grep = std::process::Command::new("grep");
    let found = grep.args(["-r", "long-planted-one"]).arg(&folder).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    let mut terminal = Terminal::again(folder, (80, 24), &["--sandbox", "--speed", "max"]);
    terminal.keys("let ans");
    terminal.until("hint", |terminal| terminal.cursor_row().contains("let answer = 40 + 2;"));
    terminal.keys(RIGHT);
    terminal.until_before_cursor("let answer = 40 + 2;");
    terminal.enter();
    terminal.line("answer");
    assert!(terminal.shown().contains("\n42\n"), "{}", terminal.shown());
    terminal.keys("let info");
    terminal.until("hint", |terminal| terminal.cursor_row().contains("\"***\""));
    terminal.keys(RIGHT);
    terminal.until_before_cursor("};");
    terminal.enter();
    assert!(terminal.shown().contains("history does not keep secrets"), "{}", terminal.shown());
    assert_eq!(terminal.leave(), 0);
}

#[test]
fn a_pipe_is_run_input_by_input_until_the_first_that_fails() {
    let run = |inputs: &str| {
        let ended = end_with(command(&["--sandbox"]), inputs.as_bytes());
        (ended.code, ended.stdout, ended.stderr)
    };
    let (code, out, _) =
        run("let x = [1,\n2];\nx\n:yaml x\nlet job = spawn(|| { sleep(\"5m\"); print(\"late\"); });\n");
    assert_eq!((code, out.as_str()), (0, "[\n  1,\n  2\n]\n- 1\n- 2\nlate\n"));
    let (code, out, err) = run("1\nnobody()\n2\n");
    assert_eq!((code, out.as_str()), (1, "1\n"));
    assert!(err.contains("unknown function `nobody`"), "{err}");
}

#[test]
fn inputs_are_written_in_the_editor_loaded_from_files_and_seen_in_the_pager() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder("prompt-editor");
    let editor = folder.join("editor");
    // What it is given comes first, and a line more behind it.
    std::fs::write(&editor, "#!/bin/sh\ncat \"$1\" >> given\necho 'let edited = 40 + 2;' >> \"$1\"\n").unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.join("tools.rhai"), "fn double(x) { x * 2 }\nlet base = double(4);\n").unwrap();
    std::fs::write(folder.join("wrong.rhai"), "let fine = 1;\nreplica_lsit();\n").unwrap();
    let editor = editor.display().to_string();
    let surroundings = [("EDITOR", editor.as_str()), ("PAGER", "sed s/^/paged:/")];
    let mut terminal = Terminal::among(&surroundings, folder, (80, 24), &["--sandbox", "--speed", "max"]);
    terminal.line("let before = 1;");
    terminal.line(":edit");
    terminal.line("edited + before");
    assert!(terminal.shown().contains("\n43\n"), "{}", terminal.shown());
    assert_eq!(std::fs::read_to_string(terminal.folder.join("given")).unwrap().trim_end(), "let before = 1;");
    terminal.line(":load tools.rhai");
    terminal.line("double(base)");
    assert!(terminal.shown().contains("\n16\n"), "{}", terminal.shown());
    terminal.line(":page");
    assert!(terminal.shown().contains("\npaged:16\n"), "{}", terminal.shown());
    terminal.line(":load wrong.rhai");
    let shown = terminal.shown();
    assert!(shown.contains("--> wrong.rhai:2:1") && shown.contains("did you mean `replica_list`?"), "{shown}");
    std::fs::create_dir(terminal.folder.join("night")).unwrap();
    std::fs::write(terminal.folder.join("night/vms.csv"), "name\nweb-77\n").unwrap();
    std::fs::write(terminal.folder.join("night/more.rhai"), "fn far() { 78 }\n").unwrap();
    let plan = "import \"more\" as more;\nprint(read_csv(\"vms.csv\")[0].name + \" \" + more::far());\n";
    std::fs::write(terminal.folder.join("night/plan.rhai"), plan).unwrap();
    terminal.line(":load night/plan.rhai");
    assert!(terminal.shown().contains("\nweb-77 78\n"), "beside the file: {}", terminal.shown());
    terminal.line("more::far() + 1");
    assert!(terminal.shown().contains("\n79\n"), "its imports stay: {}", terminal.shown());
    terminal.line(":load nobody.rhai");
    assert!(terminal.shown().contains("cannot read `nobody.rhai`"), "{}", terminal.shown());
    terminal.line(":zone Europe/Bucharest");
    terminal.line("#{ at: \"2026-06-01T20:00:00Z\" }");
    assert!(terminal.shown().contains("23:00"), "{}", terminal.shown());
    terminal.line(":edit tools.rhai");
    terminal.line("edited + base");
    assert!(terminal.shown().contains("\n50\n"), "{}", terminal.shown());
    let surroundings = [("EDITOR", "no-such-editor")];
    let folder = terminal.folder.clone();
    assert_eq!(terminal.leave(), 0);
    let mut terminal = Terminal::among(&surroundings, folder, (80, 24), &["--sandbox", "--speed", "max"]);
    terminal.line(":edit");
    assert!(terminal.shown().contains("name another one in EDITOR"), "{}", terminal.shown());
    assert_eq!(terminal.leave(), 0);
}

#[test]
fn ctrl_c_ends_a_long_list_and_leaves_the_line() {
    for surroundings in [&[("NO_COLOR", "1")][..], &[]] {
        let folder = folder("prompt-list");
        let mut terminal = Terminal::among(surroundings, folder, (80, 24), &["--sandbox", "--speed", "max"]);
        terminal.keys("\t");
        terminal.until("a page", |terminal| terminal.shown().contains("--More--"));
        terminal.keys(CTRL_C);
        terminal.until_prompt();
        terminal.line("40 + 2");
        assert!(terminal.shown().contains("\n42\n"), "{}", terminal.shown());
        terminal.typed("half a li");
        terminal.keys(CTRL_C);
        terminal.until_prompt();
        assert_eq!(terminal.leave(), 0);
    }
}

#[test]
fn lines_that_are_typed_ahead_run_one_after_the_other() {
    let mut terminal = Terminal::new("prompt-ahead", (80, 24), &["--sandbox", "--speed", "max"]);
    terminal.keys("let a1 = 1\rlet a2 = 2\rsleep(\"1h\")\rlet a3 = 39\ra1 + a2 + a3\r");
    terminal.until("sum", |terminal| terminal.shown().contains("\n42\n"));
    terminal.until_prompt();
    assert_eq!(terminal.leave(), 0);
}

/// A Ctrl-D that is typed while an input is at work, at whatever moment of it.
#[test]
fn a_ctrl_d_that_is_typed_ahead_ends_the_session_after_the_input() {
    for (keys, then) in [("print(41 + 1)\r\u{4}", ""), ("sleep(\"2m\"); print(41 + 1)\r", CTRL_D)] {
        let mut terminal = Terminal::new("prompt-ahead-end", (80, 24), &["--sandbox", "--speed", "60"]);
        terminal.keys(keys);
        if !then.is_empty() {
            terminal.until("bar", |terminal| terminal.shown().contains("working"));
            terminal.keys(then);
        }
        assert_eq!(terminal.end(), 0);
        assert!(terminal.shown().contains("\n42\n"), "{}", terminal.shown());
    }
}

#[test]
fn what_is_typed_ahead_stands_at_the_next_prompt_and_not_in_the_bars() {
    let mut terminal = Terminal::new("prompt-ahead-quiet", (80, 24), &["--sandbox", "--speed", "60"]);
    terminal.typed("sleep(\"2m\")");
    terminal.keys(ENTER);
    terminal.until("bar", |terminal| terminal.shown().contains("working"));
    terminal.keys("let typed = 40");
    let echoed = std::cell::Cell::new(false);
    terminal.until("what was typed at the prompt", |terminal| {
        let shown = terminal.shown();
        let beside = |row: &str| row.contains("typed") && !row.starts_with("coriolis>");
        echoed.set(echoed.get() || shown.lines().any(beside));
        terminal.before_cursor().ends_with("> let typed = 40")
    });
    assert!(!echoed.get(), "keys are echoed into the bars");
    terminal.typed(" + 2; typed");
    terminal.enter();
    assert!(terminal.shown().contains("\n42\n"), "{}", terminal.shown());
    terminal.typed("confirm(\"sure?\")");
    terminal.keys(ENTER);
    terminal.until("question", |terminal| terminal.cursor_row().contains("sure? [yes/no]"));
    terminal.keys("ye");
    terminal.until("what is typed at a question", |terminal| terminal.cursor_row().contains("[yes/no] ye"));
    terminal.keys("s\r");
    terminal.until_prompt();
    assert_eq!(terminal.leave(), 0);
}

#[test]
fn a_question_is_answered_or_left_and_the_session_lives_on() {
    let mut terminal = Terminal::new("prompt-question", (80, 24), &["--sandbox", "--speed", "max"]);
    terminal.line("let keep = 40 + 2;");
    for _ in 0..2 {
        terminal.typed("confirm(\"really?\")");
        terminal.keys(ENTER);
        terminal.until("question", |terminal| terminal.cursor_row().contains("[yes/no]"));
        terminal.interrupt();
        terminal.until_prompt();
        assert!(terminal.shown().contains("interrupted"), "{}", terminal.shown());
    }
    terminal.typed("confirm(\"sure?\"); keep");
    terminal.keys(ENTER);
    terminal.until("question", |terminal| terminal.cursor_row().contains("sure? [yes/no]"));
    terminal.keys("yes\r");
    terminal.until_prompt();
    assert!(terminal.shown().contains("\n42\n"), "{}", terminal.shown());
    terminal.line("let z = [1, 2)");
    assert!(terminal.shown().contains("error: "), "more lines mend nothing:\n{}", terminal.shown());
    assert_eq!(terminal.leave(), 0);
}

#[test]
fn what_is_saved_passes_the_check_and_holds_what_lives_of_inputs_that_failed() {
    let mut terminal = Terminal::new("prompt-save", (80, 24), &["--sandbox", "--speed", "30"]);
    terminal.inputs(&[
        "let settings = #{ retries: 1 }",
        "let many = 5 // copies",
        "fn twice(x) { x * 3 }",
        "fn twice(x) { x * 2 }",
        "let m = #{ alpha: 1 }; m.alhpa",
        "let n = twice(m.alpha) + many + settings.retries;",
        "let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });",
    ]);
    terminal.keys("let x = replica_execute(r); wait_for(x);");
    terminal.keys(ENTER);
    terminal.until("bar", |terminal| terminal.shown().contains('%'));
    terminal.interrupt();
    terminal.until_prompt();
    terminal.line(":save saved.rhai");
    let saved = std::fs::read_to_string(terminal.folder.join("saved.rhai")).unwrap();
    let lines: Vec<&str> = saved.lines().skip(2).collect();
    assert_eq!(
        lines,
        [
            "let settings = #{ retries: 1 };",
            "let many = 5; // copies",
            "fn twice(x) { x * 2 }",
            "let m = #{ alpha: 1 };",
            "let n = twice(m.alpha) + many + settings.retries;",
            "let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });",
            "let x = replica_execute(r); wait_for(x);",
        ]
    );
    let checked = command(&["check", "saved.rhai"]).current_dir(&terminal.folder).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&checked.stdout), "no mistakes found in 1 file\n");
    assert_eq!(terminal.leave(), 0);
}

#[test]
fn a_secret_that_is_known_as_one_only_later_is_taken_out_of_the_history() {
    let mut terminal = Terminal::new("prompt-later", (80, 24), &["--sandbox", "--speed", "max"]);
    terminal.inputs(&[
        "let t = \"planted-first\";",
        "let id = endpoint_create(#{ name: \"n\", type: \"openstack\", connection_info: #{ password: t }, skip_validation: true }).id;",
        "let info = #{}; info[\"password\"] = \"planted-second\";",
    ]);
    let folder = terminal.folder.clone();
    assert_eq!(terminal.leave(), 0);
    let history = std::fs::read_to_string(folder.join("state/coriolis-run/history.jsonl")).unwrap();
    assert!(history.contains("let t = ") && history.contains("let info"), "{history}");
    assert!(!history.contains("planted"), "{history}");
}

#[test]
fn a_server_that_does_not_answer_is_named_when_ctrl_c_cannot_end_the_input() {
    let served = crate::command::Served::start("current");
    let surroundings: Vec<(&str, &str)> =
        served.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut terminal = Terminal::among(&surroundings, folder("prompt-hung"), (80, 24), &[]);
    terminal.line("endpoint_list().len()");
    served.hold(true);
    terminal.typed("region_create(\"west\").name");
    terminal.keys(ENTER);
    terminal.until("work", |terminal| terminal.shown().contains("working"));
    terminal.interrupt();
    terminal.until("reason", |terminal| terminal.shown().contains("the server has not answered yet"));
    terminal.interrupt();
    terminal.until("warning", |terminal| terminal.shown().contains("another Ctrl-C ends"));
    served.hold(false);
    terminal.until_prompt();
    terminal.line("region_list()[0].name");
    assert!(terminal.shown().contains("\nwest\n"), "{}", terminal.shown());
    assert_eq!(terminal.leave(), 0);
}
