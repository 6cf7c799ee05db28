//! The binary on a real pseudo-terminal: bars while it runs, the summary at the end, nothing too wide.

use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::process::{Child, Stdio};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::Signal;
use vt100::Parser;

use crate::command::{command, runbook, signal};

const WIDTH: NonZero<u16> = NonZero::new(80).unwrap();
const HEIGHT: NonZero<u16> = NonZero::new(24).unwrap();

/// What a terminal showed, one picture for each piece that arrived.
struct Shown {
    pictures: Vec<Vec<String>>,
    /// Lines that went on in the next line: wider than the screen.
    wrapped: Vec<String>,
    code: i32,
}

/// Starts the binary on a terminal; the other end of it.
fn start(arguments: &[&str]) -> (Child, File) {
    let size = Winsize { ws_row: HEIGHT.get(), ws_col: WIDTH.get(), ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(&size, None).unwrap();
    let mut command = command(arguments);
    command.env("TERM", "xterm-256color").stdin(Stdio::from(pair.slave.try_clone().unwrap()));
    command.stdout(Stdio::from(pair.slave.try_clone().unwrap())).stderr(Stdio::from(pair.slave));
    let child = command.spawn().unwrap();
    // The command holds the terminal's other end open: without it gone, there is no end to read.
    drop(command);
    (child, File::from(pair.master))
}

fn on_a_terminal(arguments: &[&str]) -> Shown {
    let (mut child, mut terminal) = start(arguments);
    let mut shown = Shown { pictures: Vec::new(), wrapped: Vec::new(), code: -1 };
    let mut screen = Parser::new(HEIGHT, WIDTH, 2000);
    let mut piece = [0; 65536];
    // Where the child was the last to hold the other end, reading fails instead of ending.
    while let Ok(length @ 1..) = terminal.read(&mut piece) {
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
    shown.code = child.wait().unwrap().code().unwrap();
    shown
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
    let bars = |picture: &&Vec<String>| {
        let text = picture.join("\n");
        text.contains("web-01") && text.contains("fail-once-mail-01") && text.contains('%') && text.contains("##")
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
    let (mut child, mut terminal) = start(&[&runbook("two-copies.rhai"), "--sandbox", "--speed", "200"]);
    let (mut shown, mut piece) = (String::new(), [0; 65536]);
    while !shown.contains("REPLICATE_DISKS") {
        let length = terminal.read(&mut piece).unwrap();
        shown += &String::from_utf8_lossy(&piece[..length]);
    }
    drop(terminal);
    signal(&child, Signal::SIGHUP);
    assert_eq!(child.wait().unwrap().code(), Some(6));
}
