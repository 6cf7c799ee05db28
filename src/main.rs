//! The binary: runs the library with the process it was started in.

use std::thread;

use coriolis_run::cli;
use coriolis_run::error::ExitCode;
use coriolis_run::process::Process;

/// The stack for the deepest script, however small the stacks that the shell allows.
const STACK: usize = 64 << 20;

fn main() -> std::process::ExitCode {
    let run = || {
        let process = Process::real();
        process.hush_panics();
        cli::run(&process)
    };
    let code = match thread::Builder::new().name("main".to_owned()).stack_size(STACK).spawn(run) {
        Ok(running) => running.join().unwrap_or(ExitCode::Internal),
        Err(_) => run(),
    };
    std::process::ExitCode::from(code.number())
}
