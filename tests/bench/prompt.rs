//! How long a person waits at the prompt, on a pseudo-terminal: from the start on the sandbox to the prompt, and from
//! Tab to the completion of a function and of an endpoint's name that is known already. Prints milliseconds; run it
//! with `cargo bench --bench prompt`.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::pty::{Winsize, openpty};
use vt100::Parser;

const ROUNDS: usize = 15;

/// The prompt of one process.
struct Prompt {
    child: Child,
    terminal: File,
    screen: Parser,
}

impl Prompt {
    fn start(folder: &std::path::Path) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).expect("a pseudo-terminal");
        let end = || Stdio::from(pair.slave.try_clone().expect("the other end"));
        let child = Command::new(env!("CARGO_BIN_EXE_coriolis-run"))
            .arg("--sandbox")
            .current_dir(folder)
            .env("HOME", folder)
            .env("XDG_STATE_HOME", folder.join("state"))
            .env("TERM", "xterm-256color")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("the binary starts");
        let (rows, columns) = (NonZero::new(24).expect("rows"), NonZero::new(80).expect("columns"));
        let mut prompt = Self { child, terminal: File::from(pair.master), screen: Parser::new(rows, columns, 0) };
        prompt.until("coriolis>");
        prompt
    }

    fn keys(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Waits until the text stands right before the cursor.
    fn until(&mut self, text: &str) {
        let mut piece = [0; 4096];
        loop {
            let (row, column) = self.screen.screen().cursor_position();
            let line = self.screen.screen().contents_between(row, 0, row, column);
            if line.trim_end().ends_with(text) {
                return;
            }
            let read = self.terminal.read(&mut piece).expect("the prompt answers");
            self.screen.process(&piece[..read]);
        }
    }

    /// Milliseconds from Tab to what stands before the cursor then; an empty line again.
    fn completed(&mut self, typed: &str, whole: &str) -> f64 {
        self.keys(typed);
        self.until(typed);
        let (taken, ()) = measured(|| {
            self.keys("\t");
            self.until(whole);
        });
        self.keys("\u{3}");
        self.until("coriolis>");
        taken
    }
}

fn main() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-prompt");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the build directory can be written");
    let (mut starts, mut functions, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (taken, mut prompt) = measured(|| Prompt::start(&folder));
        starts.push(taken);
        // The first look asks the cloud in the background.
        prompt.keys("endpoint_find(\"vcenter\").name");
        prompt.until("name");
        prompt.keys("\r");
        prompt.until("coriolis>");
        prompt.completed("endpoint_show(\"vcen", "vcenter\"");
        functions.push(prompt.completed("replica_exec", "replica_execut"));
        names.push(prompt.completed("endpoint_show(\"vcen", "vcenter\""));
        prompt.keys("\u{4}");
        let _ = prompt.child.wait();
    }
    for (what, mut taken) in
        [("start to prompt", starts), ("completion of a function", functions), ("completion of a name", names)]
    {
        taken.sort_by(f64::total_cmp);
        println!("{what}: median {:.1} ms, worst {:.1} ms", taken[ROUNDS / 2], taken[ROUNDS - 1]);
    }
}

/// How many milliseconds it takes.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures the machine's time")]
fn measured<T>(what: impl FnOnce() -> T) -> (f64, T) {
    let began = Instant::now();
    let value = what();
    (began.elapsed().as_secs_f64() * 1000.0, value)
}
