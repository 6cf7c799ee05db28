//! The binary: what the library does, with the process it was started in.

use coriolis_run::cli;
use coriolis_run::process::Process;

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(cli::run(&Process::real()) as u8)
}
