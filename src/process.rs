//! The only file that touches the ambient process: arguments, environment, working directory, standard streams.

mod closed;
pub mod terminal;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use jiff::tz::TimeZone;
use nix::errno::Errno;

use crate::error::ExitCode;
use crate::secret::{Known, is_secret_name, passwords};

/// The `TERM` of terminals that can only print lines.
const DUMB: [&str; 4] = ["dumb", "emacs", "cons25", "unknown"];

/// The process as it was started. Tests make their own.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub directory: PathBuf,
    pub stdin_is_terminal: bool,
    pub stdout_is_terminal: bool,
    pub stderr_is_terminal: bool,
    /// True if it was started to outlive its terminal (`nohup`).
    pub outlives_its_terminal: bool,
    /// The secrets that the process has met: everything that it writes is masked by them.
    pub known: Known,
}

impl Process {
    #[allow(clippy::disallowed_methods, reason = "this file is the door to the process")]
    pub fn real() -> Self {
        let process = Self {
            arguments: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
            environment: std::env::vars_os()
                .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
                .collect(),
            directory: std::env::current_dir().unwrap_or_default(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            outlives_its_terminal: std::fs::read_to_string("/proc/self/status")
                .is_ok_and(|status| ignores_hangup(&status)),
            known: Known::default(),
        };
        // Before anything reads the settings, a mistake in a script may show one.
        for (name, value) in process.environment.iter().filter(|(name, _)| name.starts_with("OS_")) {
            if is_secret_name(name) {
                process.known.learn(value);
            }
            passwords(value).into_iter().for_each(|range| process.known.learn(&value[range]));
        }
        process
    }

    /// An environment variable; an empty one counts as unset.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl Process {
    /// The standard output and the standard error.
    pub fn streams(&self) -> (Box<dyn Write + Send>, Box<dyn Write + Send>) {
        let (is_terminal, is_closed) = (self.stdout_is_terminal, closed::stdout());
        let stdout = Reader { stream: std::io::stdout(), is_terminal, is_closed };
        let stderr = Reader { stream: std::io::stderr(), is_terminal: self.stderr_is_terminal, is_closed: false };
        (Box::new(stdout), Box::new(stderr))
    }

    /// True if text on the terminal can be overwritten; a dumb or unknown terminal gets one line after the other.
    pub fn redraws(&self) -> bool {
        self.stderr_is_terminal && self.terminal_is_able()
    }

    /// True if text for people may have colours.
    pub fn color(&self) -> bool {
        self.redraws() && self.variable("NO_COLOR").is_none()
    }

    /// True if data on stdout may have colours.
    pub fn data_color(&self) -> bool {
        self.stdout_is_terminal && self.terminal_is_able() && self.variable("NO_COLOR").is_none()
    }

    fn terminal_is_able(&self) -> bool {
        self.variable("TERM").is_some_and(|name| !DUMB.contains(&name))
    }

    /// The width of data on stdout; `None` if it goes into a pipe or a file.
    pub fn data_width(&self) -> Option<usize> {
        let (width, _) = self.stdout_is_terminal.then(|| terminal_size::terminal_size_of(std::io::stdout()))??;
        Some(usize::from(width.0))
    }

    /// The time zone of times of day: people at a terminal read their own.
    pub fn zone(&self) -> TimeZone {
        if self.stderr_is_terminal { TimeZone::system() } else { TimeZone::UTC }
    }
}

/// The current columns and lines of stderr, if it is a terminal.
pub fn terminal_size() -> Option<(usize, usize)> {
    let (width, height) = terminal_size::terminal_size_of(std::io::stderr())?;
    Some((usize::from(width.0), usize::from(height.0)))
}

impl Process {
    /// The user who started it, for locks and answers.
    pub fn user(&self) -> String {
        let known = ["USER", "LOGNAME"].into_iter().find_map(|name| self.variable(name));
        known.unwrap_or("somebody").to_owned()
    }

    /// The machine's name.
    pub fn host(&self) -> String {
        let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
        let named = named.or_else(|| self.variable("HOSTNAME").map(str::to_owned));
        named.filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".to_owned())
    }

    /// The number of this process.
    pub fn id(&self) -> u32 {
        std::process::id()
    }
}

impl Process {
    /// Shows a text in `$PAGER`, or in `less` if the terminal supports it.
    ///
    /// # Errors
    /// There is no such program.
    pub fn page(&self, text: &str) -> io::Result<()> {
        let program = self.variable("PAGER").unwrap_or(if self.redraws() { "less -R" } else { "cat" });
        let mut child = self.shell(program, &[]).stdin(Stdio::piped()).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A user who leaves the pager early has seen enough.
            let _ = input.write_all(format!("{}\n", self.known.mask(text)).as_bytes());
        }
        succeeded(program, child.wait()?)
    }

    /// Opens a file in `$VISUAL`, `$EDITOR` or `vi`.
    ///
    /// # Errors
    /// There is no such program, or it failed.
    pub fn edit(&self, path: &Path) -> io::Result<()> {
        let program = ["VISUAL", "EDITOR"].into_iter().find_map(|name| self.variable(name)).unwrap_or("vi");
        succeeded(program, self.shell(program, &[path]).status()?)
    }

    /// Builds a command from a variable that may contain options.
    fn shell(&self, program: &str, operands: &[&Path]) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("{program} \"$@\"")).arg(program).args(operands);
        command.current_dir(&self.directory);
        command
    }
}

fn succeeded(program: &str, status: ExitStatus) -> io::Result<()> {
    // Ctrl-C is meant for the program, and is not a failure.
    let interrupted = status.signal() == Some(2) || status.code() == Some(130);
    if status.success() || interrupted {
        Ok(())
    } else {
        Err(io::Error::other(format!("`{program}` ended with {status}")))
    }
}

/// True if the parent ignored SIGHUP, according to `/proc/self/status`.
fn ignores_hangup(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// A standard stream. A closed terminal is a reader that went away, not a disk error.
struct Reader<S> {
    stream: S,
    is_terminal: bool,
    /// It was closed before the process began (`>&-`): what is written to it is lost.
    is_closed: bool,
}

impl<S> Reader<S> {
    fn seen<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EIO) if self.is_terminal => io::ErrorKind::BrokenPipe.into(),
            _ => error,
        })
    }
}

impl<S: Write> Write for Reader<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Err(Errno::EBADF.into());
        }
        let written = self.stream.write(bytes);
        self.seen(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.stream.flush();
        self.seen(flushed)
    }
}

/// Reads all of stdin.
///
/// # Errors
/// Those of the stream.
pub fn read_all() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a question to stderr, without a line break.
pub fn prompt(text: &str) {
    let mut stderr = io::stderr();
    // A user who does not see the question does not answer it.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

impl Process {
    /// From now on the message of a panic goes to stderr without the secrets that the process has met.
    pub fn hush_panics(&self) {
        self.tell_panics(|text| {
            terminal::quiet(false);
            prompt(&format!("{text}\n"));
        });
    }

    /// The same for another receiver.
    pub fn tell_panics(&self, tell: impl Fn(&str) + Send + Sync + 'static) {
        let known = self.known.clone();
        std::panic::set_hook(Box::new(move |panic| tell(&known.mask(&panic.to_string()))));
    }
}

/// Leaves at once, with a last line on stderr: work on the server goes on, and nothing here is waited for.
#[allow(clippy::disallowed_methods, reason = "this file is the door to the process")]
pub fn leave(code: ExitCode, last: Option<&str>) {
    use std::io::Write as _;

    terminal::quiet(false);
    if let Some(last) = last {
        // Nobody is left to be told that stderr is gone.
        let _ = writeln!(std::io::stderr(), "\n{last}");
    }
    std::process::exit(i32::from(code.number()));
}
