//! The binary on a real pseudo-terminal: bars while it runs, the summary at the end, nothing too wide.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::AsFd;
use std::process::{Child, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::Signal;
use vt100::Parser;

use crate::command::{PATIENCE, code_of, command, runbook, signal};

const WIDTH: NonZero<u16> = NonZero::new(80).unwrap();
const HEIGHT: NonZero<u16> = NonZero::new(24).unwrap();

const ABLE: &[(&str, &str)] = &[("TERM", "xterm-256color")];

/// What a terminal showed, one picture for each piece that arrived.
struct Shown {
    pictures: Vec<Vec<String>>,
    /// Lines that went on in the next line: wider than the screen.
    wrapped: Vec<String>,
    /// All that was written.
    bytes: Vec<u8>,
    code: i32,
}

/// Starts the binary on a terminal with these in its environment; the other end of it.
fn start(surroundings: &[(&str, &str)], arguments: &[&str]) -> (Child, File) {
    let size = Winsize { ws_row: HEIGHT.get(), ws_col: WIDTH.get(), ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(&size, None).unwrap();
    let mut command = command(arguments);
    command.envs(surroundings.iter().copied()).stdin(Stdio::from(pair.slave.try_clone().unwrap()));
    command.stdout(Stdio::from(pair.slave.try_clone().unwrap())).stderr(Stdio::from(pair.slave));
    let child = command.spawn().unwrap();
    // The command holds the terminal's other end open: without it gone, there is no end to read.
    drop(command);
    (child, File::from(pair.master))
}

fn on_a_terminal(arguments: &[&str]) -> Shown {
    on_a_terminal_among(ABLE, "", arguments)
}

/// With these in its environment, and keys that are typed at once.
fn on_a_terminal_among(surroundings: &[(&str, &str)], keys: &str, arguments: &[&str]) -> Shown {
    let (mut child, mut terminal) = start(surroundings, arguments);
    let mut shown = Shown { pictures: Vec::new(), wrapped: Vec::new(), bytes: Vec::new(), code: -1 };
    let mut screen = Parser::new(HEIGHT, WIDTH, 2000);
    let mut piece = [0; 65536];
    terminal.write_all(keys.as_bytes()).unwrap();
    // Where the child was the last to hold the other end, reading fails instead of ending.
    while is_there(&terminal)
        && let Ok(length @ 1..) = terminal.read(&mut piece)
    {
        shown.bytes.extend_from_slice(&piece[..length]);
        screen.process(&piece[..length]);
        let rows: Vec<String> = screen.screen().rows(0, WIDTH.get()).collect();
        // The last line is filled with blanks to the very edge, and the next may follow without a line break: a text is
        // too wide only where it fills its row and goes on in the next as no line begins.
        let full = |row: &u16| screen.screen().row_wrapped(*row) && !rows[usize::from(*row)].ends_with(' ');
        let goes_on = |row: &u16| full(row) && !begins(&rows[usize::from(*row) + 1]);
        let wide = (0..HEIGHT.get() - 1).filter(goes_on).map(|row| rows[usize::from(row)].clone());
        shown.wrapped.extend(wide);
        shown.pictures.push(rows);
    }
    let seen = String::from_utf8_lossy(&shown.bytes).into_owned();
    shown.code = code_of(&mut child, || seen.clone());
    shown
}

/// Whether something comes, or the end, before patience is at its own.
fn is_there(terminal: &File) -> bool {
    let patience = PollTimeout::try_from(PATIENCE).unwrap();
    poll(&mut [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)], patience).unwrap() > 0
}

/// Whether this is how a line begins: with nothing, an indentation, or one of the first words of a run's messages.
fn begins(row: &str) -> bool {
    const WORDS: [&str; 8] = ["first", "second", "run ", "RETRY", "moving", "the run", "+", "|"];
    row.trim().is_empty() || row.starts_with(' ') || WORDS.iter().any(|word| row.starts_with(word))
}

#[test]
fn a_terminal_shows_bars_while_the_main_job_runs_and_its_summary_at_the_end() {
    let inventory = "inventory=tests/it/runbooks/few.csv";
    let shown = on_a_terminal(&["scripts/waves.rhai", "--sandbox", "--speed", "max", "--set", inventory]);
    let last = shown.pictures.last().unwrap().join("\n");
    assert_eq!(shown.code, 0, "{last}");
    assert_eq!(shown.wrapped, Vec::<String>::new());
    // One that has begun, or is at its begin: at full speed there are only a few pictures.
    const BARS: [&str; 2] = ["##", "----"];
    let bars = |picture: &&Vec<String>| {
        let text = picture.join("\n");
        text.contains("web-01")
            && text.contains("fail-once-mail-01")
            && text.contains('%')
            && BARS.iter().any(|bar| text.contains(bar))
    };
    assert!(shown.pictures.iter().any(|picture| bars(&picture)), "no bars in {} pictures", shown.pictures.len());
    assert!(
        last.contains(" wave    total  ok  failed") && last.contains("retried: fail-once-mail-01 (2 tries)"),
        "{last}"
    );
    assert!(!last.contains('%'), "the bars are gone in the end:\n{last}");
}

#[test]
fn an_expression_is_a_table_on_a_terminal() {
    let shown = on_a_terminal(&["--sandbox", "-e", "endpoint_instance_list(\"vcenter\")"]);
    let last = shown.pictures.last().unwrap().join("\n");
    assert_eq!((shown.code, shown.wrapped), (0, Vec::<String>::new()), "{last}");
    assert!(last.contains('|') && !last.contains("\"id\":"), "{last}");
}

#[test]
fn a_terminal_that_is_gone_pauses_the_run_and_harms_nothing() {
    let (mut child, mut terminal) = start(ABLE, &[&runbook("two-copies.rhai"), "--sandbox", "--speed", "200"]);
    let (mut shown, mut piece) = (String::new(), [0; 65536]);
    while !shown.contains("REPLICATE_DISKS") && is_there(&terminal) {
        let length = terminal.read(&mut piece).unwrap();
        shown += &String::from_utf8_lossy(&piece[..length]);
    }
    drop(terminal);
    signal(&child, Signal::SIGHUP);
    assert_eq!(code_of(&mut child, || shown.clone()), 6);
}

/// Without `TERM`, and with the one of terminals that know lines alone.
const DUMB: [&[(&str, &str)]; 3] = [&[], &[("TERM", "dumb")], &[("TERM", "")]];

#[test]
fn a_terminal_that_cannot_move_its_cursor_gets_lines_and_not_one_escape_sequence() {
    let inventory = "inventory=tests/it/runbooks/few.csv";
    for surroundings in DUMB {
        for (arguments, code, wanted) in [
            (
                &["scripts/waves.rhai", "--sandbox", "--speed", "max", "--set", inventory][..],
                0,
                "second/slow-files-01  ok in",
            ),
            (&["--help"], 0, "Usage: coriolis-run"),
            (&["run", "--nope"], 2, "there is no option `--nope`"),
            (&["report", "--format", "nope"], 2, "nope"),
            (&["--sandbox", "-e", "endpoint_list()"], 0, "vcenter"),
            (&["--sandbox", "-e", "nobody()"], 1, "unknown function `nobody`"),
            (&["check", "tests/it/runbooks/no-such.rhai"], 2, "no-such.rhai"),
            (&["functions", "wait_for"], 0, "wait_for(what, [options])"),
        ] {
            let shown = on_a_terminal_among(surroundings, "", arguments);
            let text = String::from_utf8_lossy(&shown.bytes);
            assert_eq!(shown.code, code, "{surroundings:?} {arguments:?}:\n{text}");
            assert!(text.contains(wanted) && !text.contains('\u{1b}'), "{surroundings:?} {arguments:?}:\n{text}");
        }
    }
}

#[test]
fn a_prompt_on_such_a_terminal_reads_lines_and_writes_not_one_escape_sequence() {
    let keys = "let a = [40,\n2];\na[0] + a[1]\nsleep(\"1h\")\nnobody()\n:json a\n\u{4}";
    for surroundings in DUMB {
        let shown = on_a_terminal_among(surroundings, keys, &["--sandbox", "--speed", "max"]);
        let text = String::from_utf8_lossy(&shown.bytes);
        assert_eq!(shown.code, 0, "{text}");
        for wanted in ["coriolis> ", "... ", "42\r\n", "unknown function `nobody`", "  40,"] {
            assert!(text.contains(wanted), "no {wanted:?}:\n{text}");
        }
        assert!(!text.contains('\u{1b}') && !text.contains("Tab completes"), "{text:?}");
    }
}

#[test]
fn no_color_is_honoured_on_both_streams() {
    for (arguments, colored) in
        [(&["--help"][..], true), (&["--sandbox", "-e", "nobody()"], true), (&["report", "--format", "nope"], true)]
    {
        let of = |surroundings: &[(&str, &str)]| on_a_terminal_among(surroundings, "", arguments).bytes.contains(&0x1b);
        assert_eq!(of(&[("TERM", "xterm")]), colored, "{arguments:?}");
        assert!(!of(&[("TERM", "xterm"), ("NO_COLOR", "1")]), "{arguments:?}");
    }
}

#[test]
fn whoever_leaves_at_once_reads_the_names_of_the_sources_below_the_picture() {
    const SCRIPT: &str = r#"
        let ends = #{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" };
        let r = replica_ensure(ends);
        cutover(r, |c| { replica_sync(r, #{ shutdown_instances: true }) });"#;
    let (mut child, mut terminal) = start(ABLE, &["--sandbox", "--speed", "60", "-e", SCRIPT]);
    let (mut screen, mut piece, mut presses) = (Parser::new(HEIGHT, WIDTH, 2000), [0; 65536], 0);
    while is_there(&terminal)
        && let Ok(length @ 1..) = terminal.read(&mut piece)
    {
        screen.process(&piece[..length]);
        let text = screen.screen().contents();
        if text.contains(["SOURCE OFF  ", "STOPPING"][presses.min(1)]) && presses < 2 {
            signal(&child, Signal::SIGINT);
            presses += 1;
        }
    }
    let last = screen.screen().contents();
    assert_eq!(code_of(&mut child, || last.clone()), 10);
    assert!(last.contains("SOURCE OFF, NOT DEPLOYED: web-01"), "{last}");
}
