//! The world of a run: its clock, its cloud (real or simulated), and how it is watched.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::args::RunArguments;
use crate::cancel::Cancel;
use crate::client::keystone::Keystone;
use crate::client::{Client, Identity, Options};
use crate::clock::{Clock, Speed};
use crate::error::{Error, Result};
use crate::event::Sink;
use crate::model::Generation;
use crate::process::Process;
use crate::sandbox::{self, Sandbox, Scenario};
use crate::script::host::{Cloud, Connect};
use crate::settings::{self, CloudFlags, Trust};
use crate::watch::Watcher;

/// At this speed the main job takes about a quarter of a minute.
const WATCHABLE: f64 = 1200.0;

/// How long a token of the sandbox lives, in wall time.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// What a run happens in.
pub struct World {
    pub clock: Clock,
    pub cancel: Cancel,
    pub runtime: Arc<Runtime>,
    /// Where the run happens, for people.
    pub cloud: String,
    /// Who logs in, and whose certificates are believed; an error only for those who need a cloud.
    login: Result<(Arc<dyn Identity>, Trust)>,
    sandboxed: bool,
    _sandbox: Option<Sandbox>,
}

impl World {
    /// # Errors
    /// `Input` for contradictory flags; `Internal` when the machine refuses threads or sockets.
    pub fn build(process: &Process, arguments: &RunArguments) -> Result<Self> {
        let runtime = runtime()?;
        let clock = Clock::new(speed(process, arguments)?);
        let mut sandbox = None;
        let (mut flags, mut environment) = (arguments.cloud.clone(), process.environment.clone());
        if let Some(generation) = arguments.sandbox {
            let options = sandbox::Options {
                generation: generation.into(),
                seed: arguments.seed,
                scenario: Scenario::default(),
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                clock: clock.clone(),
                token_lifetime: TOKEN_LIFETIME,
            };
            let served = runtime.block_on(sandbox::serve(options)).map_err(|error| {
                Error::internal(format!("cannot start the sandbox: {error}")).caused_by(error)
            })?;
            // Nothing of the real cloud's settings may leak into a rehearsal.
            flags = CloudFlags::default();
            environment.retain(|name, _| !name.starts_with("OS_") && !name.starts_with("CORIOLIS_"));
            environment.extend(served.environment());
            sandbox = Some(served);
        }
        let settings = settings::cloud(&flags, &environment, &process.directory, &|path| std::fs::read_to_string(path));
        let login = settings.and_then(|settings| Ok((Keystone::new(&settings, clock.clone())?, settings.trust)));
        let cloud = match (arguments.sandbox, &login) {
            (Some(generation), _) => format!("sandbox, {} generation", Generation::from(generation).word()),
            (None, Ok((identity, _))) => identity.describe(),
            (None, Err(_)) => "no cloud".to_owned(),
        };
        let sandboxed = sandbox.is_some();
        Ok(Self { clock, cancel: Cancel::default(), runtime: Arc::new(runtime), cloud, login, sandboxed, _sandbox: sandbox })
    }

    /// What connects at the first call that needs the cloud.
    pub fn connect(&self, events: Arc<dyn Sink>) -> Connect {
        let (clock, cancel, login) = (self.clock.clone(), self.cancel.clone(), self.login.clone());
        let (runtime, proxies) = (self.runtime.handle().clone(), !self.sandboxed);
        Box::new(move || {
            let (identity, trust) = login.clone()?;
            let options = Options {
                ca_certificate: trust.cacert.map(|path| path.value),
                insecure: trust.insecure,
                proxies,
                ..Options::default()
            };
            let client = Client::new(identity, clock.clone(), cancel.clone(), events.clone(), runtime.clone(), options)?;
            let watcher = Watcher::new(Arc::new(client.clone()), clock.clone(), cancel.clone(), events.clone());
            Ok(Cloud { client, watcher })
        })
    }
}

/// The I/O side: two threads, as the server saturates at two requests anyway.
///
/// # Errors
/// `Internal` when the machine refuses them.
pub fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::internal(format!("cannot start the I/O threads: {error}")).caused_by(error))
}

fn speed(process: &Process, arguments: &RunArguments) -> Result<Speed> {
    match (arguments.sandbox, arguments.speed) {
        (None, None) => Ok(Speed::Real),
        (None, Some(_)) => Err(Error::input("`--speed` is for the sandbox: a real cloud has its own")
            .hint("add `--sandbox`, or leave `--speed` out")),
        (Some(_), Some(speed)) => Ok(speed),
        (Some(_), None) if process.stderr_is_terminal && arguments.expression.is_none() => Ok(Speed::Times(WATCHABLE)),
        (Some(_), None) => Ok(Speed::Max),
    }
}
