//! The real binary as a child process, in an environment of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How a child ended, and what it said.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Fails with both streams where the exit code is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn runbook(name: &str) -> String {
    root().join("tests/it/runbooks").join(name).display().to_string()
}

/// A folder of this test alone, empty.
pub fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The binary in the root of the repository, without anything of the caller's environment.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coriolis-run"));
    command.args(arguments).current_dir(root()).env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn run(arguments: &[&str]) -> Ended {
    end(command(arguments))
}

pub fn end(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A child whose messages are read while it runs.
pub struct Running {
    child: Child,
    messages: BufReader<ChildStderr>,
    read: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let messages = BufReader::new(child.stderr.take().unwrap());
        Self { child, messages, read: String::new() }
    }

    /// Reads messages until all of `wanted` have appeared.
    pub fn wait_for(&mut self, wanted: &[&str]) {
        while !wanted.iter().all(|word| self.read.contains(word)) {
            let read = self.messages.read_line(&mut self.read).unwrap();
            assert!(read > 0, "it ended without {wanted:?}:\n{}", self.read);
        }
    }

    pub fn press_interrupt(&self) {
        self.signal(Signal::SIGINT);
    }

    pub fn signal(&self, what: Signal) {
        signal(&self.child, what);
    }

    pub fn end(mut self) -> Ended {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.messages.read_to_string(&mut self.read).unwrap();
        let code = self.child.wait().unwrap().code().expect("it ends by itself");
        Ended { code, stdout, stderr: std::mem::take(&mut self.read) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// `coriolis-run sandbox`, for as long as a test needs it.
pub struct Served {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    pub environment: BTreeMap<String, String>,
}

impl Served {
    pub fn start(generation: &str) -> Self {
        Self::start_with(&["--generation", generation])
    }

    pub fn start_with(more: &[&str]) -> Self {
        let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--speed", "20000"];
        let mut child = command(&[&arguments, more].concat()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut environment = BTreeMap::new();
        // The region is the last thing that it says.
        while !environment.contains_key("OS_REGION_NAME") {
            let mut line = String::new();
            assert!(output.read_line(&mut line).unwrap() > 0, "it ended after {environment:?}");
            let (name, value) = line.trim_end().split_once('=').expect("only `NAME=value` lines");
            assert!(name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit()), "{line}");
            environment.insert(name.to_owned(), value.to_owned());
        }
        Self { child, output, environment }
    }

    /// The binary as a client of this cloud.
    pub fn client(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.envs(&self.environment);
        command
    }

    /// Holds it still, or lets it go on: nothing is answered meanwhile.
    pub fn hold(&self, held: bool) {
        signal(&self.child, if held { Signal::SIGSTOP } else { Signal::SIGCONT });
    }

    /// Stops it; what else it had said, and its exit code.
    pub fn stop(mut self) -> (String, i32) {
        signal(&self.child, Signal::SIGTERM);
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code().expect("it ends by itself"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}
