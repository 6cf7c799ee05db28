//! The world of a run: its clock, its cloud (real or simulated), and the watcher.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Runtime;

use super::args::RunArguments;
use crate::cancel::Cancel;
use crate::client::keystone::Keystone;
use crate::client::{Client, DEFAULT_PATIENCE, Identity, Options};
use crate::clock::{Clock, Speed};
use crate::error::{Error, Kind, Result, no_thread, plain};
use crate::event::{Event, Fact, Level, Origin, Sink, VERSION};
use crate::model::Generation;
use crate::process::Process;
use crate::runtime::host::{Cloud, Connect};
use crate::sandbox::truth::{SourceVm, Wrong, vms_with};
use crate::sandbox::{self, Ledger, Sandbox, Scenario};
use crate::settings::{self, CloudFlags, Note, Trust};
use crate::watch::Watcher;

/// At this speed the main job takes about a quarter of a minute.
const WATCHABLE: f64 = 1_150.0;

/// The lifetime of a token of the sandbox, in wall time.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// The surroundings of a run.
pub struct World {
    pub clock: Clock,
    pub cancel: Cancel,
    pub runtime: Arc<Runtime>,
    /// The cloud, for people.
    pub cloud: String,
    /// The origin of the cloud's address.
    pub located: Option<settings::Origin>,
    /// The login and the trusted certificates; an error matters only to those who need a cloud.
    login: Result<Login>,
    patience: Duration,
    sandbox: Option<Sandbox>,
}

/// The choice of a run's surroundings.
pub struct Scene<'a> {
    pub flags: &'a CloudFlags,
    /// A sandbox of this generation and seed.
    pub sandbox: Option<(Generation, u64)>,
    /// The file in which the sandbox keeps its changes.
    pub ledger: Option<&'a Path>,
    pub speed: Speed,
    /// The time to retry an unreachable cloud, if it was given.
    pub patience: Option<Duration>,
    /// The time at which it goes on.
    pub origin: Option<Timestamp>,
}

impl<'a> Scene<'a> {
    /// The surroundings of something new.
    pub fn of(arguments: &'a RunArguments, speed: Speed) -> Self {
        let sandbox = arguments.sandbox.map(|generation| (generation.into(), arguments.seed));
        Self { flags: &arguments.cloud, sandbox, ledger: None, speed, patience: arguments.patience, origin: None }
    }
}

/// The cloud of the run, for people, before anything begins.
pub fn describe(process: &Process, scene: &Scene<'_>) -> String {
    let cloud = name(scene, &log_in(process, scene.flags, &process.environment, Clock::new(Speed::Real)));
    process.known.mask(&cloud).into_owned()
}

/// # Errors
/// `Input` for a cloud that the command line names and that cannot be used; a script may do without one that it does
/// not name.
pub fn check_cloud(process: &Process, arguments: &RunArguments) -> Result<()> {
    if arguments.sandbox.is_some() || !arguments.cloud.name_a_cloud() {
        return Ok(());
    }
    log_in(process, &arguments.cloud, &process.environment, Clock::new(Speed::Real)).map(drop)
}

fn name(scene: &Scene<'_>, login: &Result<Login>) -> String {
    match (scene.sandbox, login) {
        (Some((generation, _)), _) => format!("sandbox, {} generation", generation.word()),
        (None, Ok(login)) => login.identity.describe(),
        (None, Err(_)) => "no cloud".to_owned(),
    }
}

/// The result of reading the settings.
#[derive(Clone)]
struct Login {
    identity: Arc<dyn Identity>,
    trust: Trust,
    /// Notes about them.
    notes: Vec<Note>,
    /// The origin of the URL that is used first.
    located: Option<settings::Origin>,
}

fn log_in(
    process: &Process,
    flags: &CloudFlags,
    environment: &BTreeMap<String, String>,
    clock: Clock,
) -> Result<Login> {
    // The secrets of a file are known before anything can go wrong with it.
    let read = |path: &Path| {
        std::fs::read(path).inspect(|bytes| process.known.learn_settings(&String::from_utf8_lossy(bytes)))
    };
    let settings = settings::cloud(flags, environment, &process.directory, &read)?;
    settings.secret().into_iter().for_each(|secret| process.known.learn(secret));
    let identity: Arc<dyn Identity> = Keystone::new(&settings, clock, &process.known)?;
    let located = settings.located().cloned();
    Ok(Login { identity, trust: settings.trust, notes: settings.notes, located })
}

impl World {
    /// # Errors
    /// `Input` for a kept sandbox that cannot be restored; `Internal` when the machine refuses threads or sockets.
    pub fn build(process: &Process, scene: &Scene<'_>) -> Result<Self> {
        let runtime = runtime()?;
        let ledger = scene
            .ledger
            .map(|path| Ledger::open(path).map(|ledger| ledger.knowing(&process.known)).map_err(unkept))
            .transpose()?;
        let stopped = ledger.as_ref().and_then(Ledger::stopped);
        let clock = match scene.origin.max(stopped).filter(|_| scene.sandbox.is_some()) {
            Some(origin) => Clock::starting_at(scene.speed, origin),
            None => Clock::new(scene.speed),
        };
        let mut sandbox = None;
        let (mut flags, mut environment) = (scene.flags.clone(), process.environment.clone());
        if let Some((generation, seed)) = scene.sandbox {
            let options = sandbox::Options {
                generation,
                seed,
                scenario: Scenario::default(),
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                clock: clock.clone(),
                token_lifetime: TOKEN_LIFETIME,
            };
            let served = match ledger {
                Some(ledger) => runtime.block_on(sandbox::serve_kept(options, ledger)).map_err(unkept)?,
                None => runtime.block_on(sandbox::serve(options)).map_err(|error| {
                    Error::internal(format!("cannot start the sandbox: {}", plain(&error))).caused_by(error)
                })?,
            };
            // No setting of the real cloud may leak into a rehearsal.
            flags = CloudFlags::default();
            environment.retain(|name, _| !name.starts_with("OS_") && !name.starts_with("CORIOLIS_"));
            environment.extend(served.environment());
            sandbox = Some(served);
        }
        let login = log_in(process, &flags, &environment, clock.clone());
        let cloud = process.known.mask(&name(scene, &login)).into_owned();
        Ok(Self {
            clock,
            cancel: Cancel::default(),
            runtime: Arc::new(runtime),
            cloud,
            located: login.as_ref().ok().and_then(|login| login.located.clone()),
            login,
            patience: scene.patience.unwrap_or(DEFAULT_PATIENCE),
            sandbox,
        })
    }

    /// The truth of the sandbox, if something is wrong in it.
    pub fn truth(&self) -> Option<Fact> {
        let truth = self.sandbox.as_ref()?.truth();
        let one_place = truth.vms.windows(2).all(|pair| pair[0].endpoint == pair[1].endpoint);
        let vms = |wrong| -> Vec<String> {
            let named = |vm: &SourceVm| match one_place {
                true => vm.name.clone(),
                false => format!("{} ({})", vm.name, vm.endpoint),
            };
            vms_with(&truth.vms, wrong).map(named).collect()
        };
        let (running_twice, stale) = (vms(Wrong::RunningTwice), vms(Wrong::Stale));
        let (half_copied, sources_off) = (vms(Wrong::HalfCopied), vms(Wrong::SourceOff));
        let well = [&running_twice, &stale, &half_copied, &sources_off].into_iter().all(Vec::is_empty);
        (!well).then_some(Fact::SandboxTold { running_twice, stale, half_copied, sources_off })
    }

    /// The connection that is made at the first call that needs the cloud.
    pub fn connect(&self, events: Arc<dyn Sink>) -> Connect {
        let (clock, cancel, login) = (self.clock.clone(), self.cancel.clone(), self.login.clone());
        let (runtime, proxies, patience) = (self.runtime.handle().clone(), self.sandbox.is_none(), self.patience);
        Box::new(move || {
            let Login { identity, trust, notes, .. } = login.clone()?;
            for Note { message, hint } in notes {
                let origin = Origin { lane: "main".into(), ..Origin::default() };
                let fact = Fact::Logged { level: Level::Warning, message, hint };
                events.emit(Event { v: VERSION, at: clock.now(), origin, fact });
            }
            let options = Options {
                ca_certificate: trust.cacert.map(|path| path.value),
                insecure: trust.insecure,
                proxies,
                patience,
                ..Options::default()
            };
            let client =
                Client::new(identity, clock.clone(), cancel.clone(), events.clone(), runtime.clone(), options)?;
            let watcher = Watcher::new(Arc::new(client.clone()), clock.clone(), cancel.clone(), events.clone());
            Ok(Cloud { client, watcher })
        })
    }
}

fn unkept(error: std::io::Error) -> Error {
    let kind = crate::disk::kind(&error, Kind::Journal);
    Error::new(kind, format!("the run's sandbox cannot be kept: {}", plain(&error))).caused_by(error)
}

/// The I/O side: two threads, as the server saturates at two requests anyway.
///
/// # Errors
/// `Limit` when the machine refuses them.
pub fn runtime() -> Result<Runtime> {
    let refused = |error: std::io::Error| no_thread("requests", &error).caused_by(error);
    // The runtime panics if the machine refuses a thread.
    std::thread::Builder::new().spawn(|| {}).map_err(refused)?;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(refused)
}

/// The speed of the run's time.
///
/// # Errors
/// `Input` for the speed of a real cloud.
pub fn speed(process: &Process, arguments: &RunArguments) -> Result<Speed> {
    match (arguments.sandbox, arguments.speed) {
        (None, None) => Ok(Speed::Real),
        (None, Some(_)) => Err(Error::input("`--speed` is for the sandbox: a real cloud has its own")
            .hint("add `--sandbox`, or leave `--speed` out")),
        (Some(_), Some(speed)) => Ok(speed),
        (Some(_), None) if process.stderr_is_terminal && arguments.expression.is_none() => Ok(Speed::Times(WATCHABLE)),
        (Some(_), None) => Ok(Speed::Max),
    }
}
