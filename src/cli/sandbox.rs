//! `coriolis-run sandbox`: the simulated cloud as a server of its own.

use super::args::{KeystoneWord, SandboxArguments};
use super::world::{TOKEN_LIFETIME, runtime};
use crate::clock::{Clock, Speed};
use crate::error::{Error, ExitCode, Kind, Result, plain};
use crate::process::Process;
use crate::sandbox::{self, Scenario};

/// Serves until the operator stops it; prints the environment for clients, one `NAME=value` per line.
///
/// # Errors
/// `Input` when the address cannot be used.
pub fn serve(process: &Process, arguments: &SandboxArguments) -> Result<ExitCode> {
    let clock = match arguments.speed {
        Speed::Times(1.0) | Speed::Real => Clock::new(Speed::Real),
        Speed::Times(factor) => Clock::scaled_from_now(factor),
        Speed::Max => {
            return Err(Error::input("a served sandbox cannot jump: it cannot know when its clients are busy")
                .hint("give a factor, such as `--speed 600`"));
        }
    };
    let scenario = match arguments.vms {
        Some(count) => Scenario::of((1..=count).map(|number| format!("vm-{number:03}"))),
        None => Scenario::default(),
    };
    let open = !arguments.listen.ip().is_loopback();
    let own = if open { Some(drawn()?) } else { None };
    let options = sandbox::Options {
        generation: arguments.generation.into(),
        seed: arguments.seed,
        scenario: Scenario { keystone_v2: arguments.keystone == KeystoneWord::V2, own, ..scenario },
        listen: arguments.listen,
        clock,
        token_lifetime: TOKEN_LIFETIME,
    };
    let runtime = runtime()?;
    runtime.block_on(async {
        let sandbox = sandbox::serve(options).await.map_err(|error| {
            Error::new(Kind::Input, format!("cannot listen on {}: {}", arguments.listen, plain(&error)))
                .caused_by(error)
        })?;
        let mut output = process.output();
        if open {
            output.note(&format!(
                "warning: the sandbox can be reached from other machines at {}; its password is its own, printed once below\n\
                 hint: leave out `--listen` to serve this machine only",
                sandbox.address()
            ));
        }
        for (name, value) in sandbox.environment() {
            output.data_in_clear(&format!("{name}={value}"));
        }
        output.close()?;
        stopped().await;
        Ok(ExitCode::Done)
    })
}

/// A number that nobody can guess.
fn drawn() -> Result<u64> {
    getrandom::u64().map_err(|error| Error::internal(format!("the system has no randomness: {error}")))
}

async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
