//! The real binary as a child process, in an environment of its own.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{self, SigHandler, Signal, kill};
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
    // Under `nohup` the tests would hand on that SIGHUP is ignored, which the binary respects.
    // SAFETY: only an async-signal-safe call is made between fork and exec.
    unsafe {
        command.pre_exec(|| {
            signal::signal(Signal::SIGHUP, SigHandler::SigDfl)?;
            Ok(())
        });
    }
    command
}

pub fn run(arguments: &[&str]) -> Ended {
    end(command(arguments))
}

pub fn end(command: Command) -> Ended {
    Running::start(command).end()
}

/// The same with that on its stdin.
pub fn end_with(mut command: Command, input: &[u8]) -> Ended {
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut stdin = running.child.stdin.take().unwrap();
    // Who has read enough closes its end.
    let _ = stdin.write_all(input);
    drop(stdin);
    running.end()
}

/// How long anything is waited for: nothing takes so long on a machine with twenty others at work, and what does hangs.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The moment at which patience ends.
pub struct Deadline(Instant);

#[allow(clippy::disallowed_methods, reason = "a test that hangs does so in the time of its machine")]
impl Deadline {
    pub fn new() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// How long is left; nothing behind it.
    pub fn rest(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// What a stream has said so far, read by a thread of its own.
#[derive(Clone)]
struct Heard(Arc<(Mutex<Said>, Condvar)>);

#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    ended: bool,
}

impl Heard {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let heard = Self(Arc::default());
        let hears = heard.clone();
        std::thread::spawn(move || {
            let mut piece = [0; 65536];
            loop {
                let read = stream.read(&mut piece);
                let mut said = hears.0.0.lock().unwrap();
                match read {
                    Ok(length @ 1..) => said.bytes.extend_from_slice(&piece[..length]),
                    _ => said.ended = true,
                }
                hears.0.1.notify_all();
                if said.ended {
                    return;
                }
            }
        });
        heard
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().unwrap().bytes).into_owned()
    }

    /// Waits until it has said what is wanted, or until its end: whether it has.
    #[track_caller]
    fn until(&self, there: impl Fn(&str) -> bool) -> bool {
        let deadline = Deadline::new();
        let mut said = self.0.0.lock().unwrap();
        loop {
            if there(&String::from_utf8_lossy(&said.bytes)) {
                return true;
            }
            if said.ended {
                return false;
            }
            let rest = deadline.rest();
            assert!(!rest.is_zero(), "it hangs, and has said so far:\n{}", String::from_utf8_lossy(&said.bytes));
            said = self.0.1.wait_timeout(said, rest).unwrap().0;
        }
    }
}

/// The exit code of a child that is about to end; one that does not is killed, and told with what was seen of it.
#[track_caller]
pub fn code_of(child: &mut Child, seen: impl Fn() -> String) -> i32 {
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (over, is_over) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let hangs = is_over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        if hangs {
            let _ = kill(id, Signal::SIGKILL);
        }
        hangs
    });
    let status = child.wait().unwrap();
    drop(over);
    assert!(!watch.join().unwrap(), "it does not end, and has said so far:\n{}", seen());
    status.code().unwrap_or_else(|| panic!("it ended by {status}:\n{}", seen()))
}

/// Waits until there is something to read, or the end.
#[track_caller]
pub fn await_input(stream: &impl AsFd) {
    let mut asked = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
    let ready = poll(&mut asked, PollTimeout::try_from(PATIENCE).unwrap()).unwrap();
    assert!(ready > 0, "nothing comes");
}

/// The next connection; what is read of it comes in time as well.
#[track_caller]
pub fn accept(server: &TcpListener) -> TcpStream {
    await_input(server);
    let (connection, _) = server.accept().unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// All that a stream says until its end.
#[track_caller]
pub fn all_of(stream: impl Read + Send + 'static) -> String {
    let heard = Heard::of(stream);
    heard.until(|_| false);
    heard.so_far()
}

/// A child whose streams are read while it runs.
pub struct Running {
    child: Child,
    out: Heard,
    err: Heard,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (Heard::of(child.stdout.take().unwrap()), Heard::of(child.stderr.take().unwrap()));
        Self { child, out, err }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until all of `wanted` have appeared among its messages.
    #[track_caller]
    pub fn wait_for(&mut self, wanted: &[&str]) {
        let there = self.err.until(|said| wanted.iter().all(|word| said.contains(word)));
        assert!(there, "it ended without {wanted:?}:\n{}", self.err.so_far());
    }

    /// Waits until it has printed that.
    #[track_caller]
    pub fn wait_for_output(&mut self, wanted: &str) {
        let there = self.out.until(|said| said.contains(wanted));
        assert!(there, "it ended without {wanted}:\n{}{}", self.out.so_far(), self.err.so_far());
    }

    /// Waits until that is so, however it comes to be; also when it has ended well before.
    #[track_caller]
    pub fn wait_until(&mut self, there: impl Fn() -> bool) {
        let deadline = Deadline::new();
        while !there() {
            let ended = self.child.try_wait().unwrap();
            let seen = || format!("{}{}", self.out.so_far(), self.err.so_far());
            assert!(ended.is_none_or(|status| status.success()), "it ended badly:\n{}", seen());
            if ended.is_some() {
                return;
            }
            assert!(!deadline.rest().is_zero(), "it hangs, and has said so far:\n{}", seen());
            std::thread::yield_now();
        }
    }

    pub fn press_interrupt(&self) {
        self.signal(Signal::SIGINT);
    }

    pub fn signal(&self, what: Signal) {
        signal(&self.child, what);
    }

    /// Kills it, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    #[track_caller]
    pub fn end(mut self) -> Ended {
        for stream in [&self.out, &self.err] {
            stream.until(|_| false);
        }
        let (out, err) = (self.out.so_far(), self.err.so_far());
        let code = code_of(&mut self.child, || format!("{out}{err}"));
        Ended { code, stdout: out, stderr: err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `coriolis-run sandbox`, for as long as a test needs it.
pub struct Served {
    child: Child,
    output: Heard,
    pub environment: BTreeMap<String, String>,
}

impl Served {
    pub fn start(generation: &str) -> Self {
        Self::start_with(&["--generation", generation])
    }

    pub fn start_with(more: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", more)
    }

    /// One that listens there.
    pub fn start_on(address: &str) -> Self {
        Self::start_at(address, &[])
    }

    fn start_at(address: &str, more: &[&str]) -> Self {
        let arguments = ["sandbox", "--listen", address, "--speed", "20000"];
        let mut child = command(&[&arguments, more].concat()).spawn().unwrap();
        let output = Heard::of(child.stdout.take().unwrap());
        // The region is the last thing that it says.
        let is_whole =
            |said: &str| said.lines().any(|line| line.starts_with("OS_REGION_NAME=")) && said.ends_with('\n');
        assert!(output.until(is_whole), "it ended after:\n{}", output.so_far());
        let mut environment = BTreeMap::new();
        for line in output.so_far().lines() {
            let (name, value) = line.split_once('=').expect("only `NAME=value` lines");
            assert!(name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit()), "{line}");
            environment.insert(name.to_owned(), value.to_owned());
        }
        Self { child, output, environment }
    }

    /// The first line that it said on stderr.
    pub fn said_first(&mut self) -> String {
        let mut line = String::new();
        let mut stderr = std::io::BufReader::new(self.child.stderr.take().unwrap());
        await_input(stderr.get_ref());
        std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
        line
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
        let said = self.output.so_far().len();
        signal(&self.child, Signal::SIGTERM);
        self.output.until(|_| false);
        let all = self.output.so_far();
        let code = code_of(&mut self.child, || all.clone());
        (all[said..].to_owned(), code)
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
