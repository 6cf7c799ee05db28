//! A runbook rehearsed in this process: a sandbox of its own, virtual time, everything that happened kept.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coriolis_run::cancel::Cancel;

use coriolis_run::access;
use coriolis_run::check::compile::compile;
use coriolis_run::client::keystone::Keystone;
use coriolis_run::client::{self, Access, Client, Identity};
use coriolis_run::clock::{Clock, Speed};
use coriolis_run::error::{Error, Kind, Result};
use coriolis_run::event::{Event, Fact, Sink};
use coriolis_run::functions::{catalog, language};
use coriolis_run::journal::Journal;
use coriolis_run::language::error::{Located, Location};
use coriolis_run::language::value::to_shown;
use coriolis_run::limits::Limits;
use coriolis_run::model::Generation;
use coriolis_run::repl::session::Session;
use coriolis_run::runtime::engine::build;
use coriolis_run::runtime::gates::{Answer, Gates, Nobody};
use coriolis_run::runtime::host::{Cloud, Connect, Host, Script, Seams};
use coriolis_run::runtime::lane::Lane;
use coriolis_run::runtime::modules::Imports;
use coriolis_run::runtime::parameters::Parameters;
use coriolis_run::runtime::run::evaluate;
use coriolis_run::sandbox::{self, Accepted, Fault, Sandbox, Scenario, Trouble};
use coriolis_run::secret::Known;
use coriolis_run::settings::{self, CloudFlags};
use coriolis_run::watch::Watcher;
use serde_json::Value;
use tokio::runtime::Runtime;

/// What to rehearse on.
pub struct Options {
    pub generation: Generation,
    pub scenario: Scenario,
    /// What `--set` would give.
    pub set: Vec<String>,
    /// The runbook's folder.
    pub folder: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            generation: Generation::Current,
            scenario: Scenario::default(),
            set: Vec::new(),
            folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts"),
        }
    }
}

impl Options {
    pub fn of(generation: Generation) -> Self {
        Self { generation, ..Self::default() }
    }
}

/// A sandbox on which one runbook after the other is rehearsed.
pub struct Stage {
    pub sandbox: Arc<Sandbox>,
    pub clock: Clock,
    options: Options,
    environment: BTreeMap<String, String>,
    runtime: Runtime,
}

/// How a rehearsal went.
pub struct Rehearsal {
    /// What the script's last expression gave, for eyes.
    pub result: Result<Value, Located>,
    pub events: Vec<Event>,
    /// The changing requests since the sandbox began.
    pub accepted: Vec<Accepted>,
    /// The most changing requests in flight at a time since the sandbox began.
    pub peak: usize,
    /// How often the client logged in.
    pub logins: usize,
}

/// Rehearses on a sandbox of the current generation.
pub fn rehearse(source: &str) -> Rehearsal {
    Stage::new(Options::default()).play(source)
}

pub const GENERATIONS: [Generation; 2] = [Generation::Current, Generation::Legacy];

impl Stage {
    pub fn new(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let clock = Clock::new(Speed::Max);
        let served = sandbox::Options {
            generation: options.generation,
            seed: 1,
            scenario: options.scenario.clone(),
            listen: ([127, 0, 0, 1], 0).into(),
            clock: clock.clone(),
            token_lifetime: Duration::from_secs(3600),
        };
        let sandbox = Arc::new(runtime.block_on(sandbox::serve(served)).unwrap());
        let environment = sandbox.environment().into_iter().collect();
        Self { sandbox, clock, options, environment, runtime }
    }

    /// Something goes wrong with the next request of this method whose path ends so.
    pub fn inject(&self, method: &'static str, path: &str, what: Trouble) {
        self.sandbox.inject(Fault { method, path: path.to_owned(), times: 1, what });
    }

    /// Runs a script to its end.
    pub fn play(&self, source: &str) -> Rehearsal {
        self.play_with(source, |_, _| {})
    }

    /// Runs a script to its end; `on_print` does to the sandbox what the script's prints stand for.
    pub fn play_with(&self, source: &str, on_print: impl Fn(&Sandbox, &str) + Send + Sync + 'static) -> Rehearsal {
        self.perform(source, (Arc::new(Journal::in_memory(self.clock.clone())), Arc::new(Nobody)), on_print)
    }

    /// Runs a script to its end as another user of the same project.
    pub fn play_as_colleague(&self, source: &str) -> Rehearsal {
        let journal = Arc::new(Journal::in_memory(self.clock.clone()));
        self.play_recorded_as(self.sandbox.colleague(), source, journal, Arc::new(Nobody))
    }

    /// Runs a script as this user, with a journal that may know what was done before.
    pub fn play_recorded_as(
        &self,
        user: &str,
        source: &str,
        journal: Arc<Journal>,
        gates: Arc<dyn Gates>,
    ) -> Rehearsal {
        self.perform_as(user, source, (journal, gates), |_, _| {})
    }

    /// Runs a script to its end; somebody says yes at every gate.
    pub fn play_with_consent(&self, source: &str) -> Rehearsal {
        self.play_recorded(source, Arc::new(Journal::in_memory(self.clock.clone())), Arc::new(Yes))
    }

    /// Runs a script to its end, or to that of its process, with a journal that may know what was done before.
    pub fn play_recorded(&self, source: &str, journal: Arc<Journal>, gates: Arc<dyn Gates>) -> Rehearsal {
        self.perform(source, (journal, gates), |_, _| {})
    }

    /// Something goes wrong with the changing request that comes after so many others.
    pub fn inject_at_change(&self, others: usize, what: Trouble) {
        self.sandbox.inject_at_change(others, what);
    }

    /// Runs a script with a journal and with gates; `on_print` as in [`Stage::play_with`].
    pub fn perform(
        &self,
        source: &str,
        seams: (Arc<Journal>, Arc<dyn Gates>),
        on_print: impl Fn(&Sandbox, &str) + Send + Sync + 'static,
    ) -> Rehearsal {
        self.perform_as(&self.environment["OS_USERNAME"], source, seams, on_print)
    }

    fn perform_as(
        &self,
        user: &str,
        source: &str,
        (journal, gates): (Arc<Journal>, Arc<dyn Gates>),
        on_print: impl Fn(&Sandbox, &str) + Send + Sync + 'static,
    ) -> Rehearsal {
        let _busy = self.clock.busy();
        let sandbox = self.sandbox.clone();
        let on_print = Box::new(move |text: &str| on_print(&sandbox, text));
        let record = Arc::new(Record { events: Mutex::default(), on_print });
        let logins = Arc::new(AtomicUsize::new(0));
        let host = self.host(user, (journal, gates), record.clone(), logins.clone());
        let main = Lane::main();
        let engine = build(&host, &main);
        let result = match compile(&engine, catalog(), source) {
            Ok(ast) => evaluate(&engine, &host, &main, &ast).map(|value| to_shown(&value)),
            Err(mut findings) => {
                let finding = findings.remove(0);
                let place = Location { source: None, line: finding.line, column: finding.column };
                Err(Located { error: finding.error, place: Some(place), through: Vec::new() })
            }
        };
        let events = record.events.lock().unwrap().clone();
        Rehearsal {
            result,
            events,
            accepted: self.sandbox.accepted(),
            peak: self.sandbox.peak_changes_in_flight(),
            logins: logins.load(Ordering::Acquire),
        }
    }

    /// A script that is typed piece by piece; `cancel` stops one piece. Whoever evaluates holds a busy token.
    pub fn session(&self, cancel: &Cancel) -> Session {
        let record = Arc::new(Record { events: Mutex::default(), on_print: Box::new(|_| {}) });
        let journal = Arc::new(Journal::in_memory(self.clock.clone()));
        let host = self.host(&self.environment["OS_USERNAME"], (journal, Arc::new(Nobody)), record, Arc::default());
        Session::new(host.stopped_by(cancel.clone()))
    }

    fn host(
        &self,
        user: &str,
        (journal, gates): (Arc<Journal>, Arc<dyn Gates>),
        record: Arc<Record>,
        logins: Arc<AtomicUsize>,
    ) -> Arc<Host> {
        let cancel = Cancel::default();
        let seams = Seams {
            clock: self.clock.clone(),
            cancel: cancel.clone(),
            events: record.clone(),
            journal,
            gates,
            connect: self.connect(user, cancel, record, logins),
            runs: Box::new(|| Ok(Vec::new())),
        };
        let folder = self.options.folder.clone();
        let access = access::Access::below(&folder, &[], &Limits::default());
        let script = Script {
            language: language(),
            parameters: Parameters::parse(&self.options.set).unwrap(),
            imports: Imports::of_folder(&folder, access.clone()),
            environment: BTreeMap::from([("PLANTED".to_owned(), "planted-in-the-environment".to_owned())]),
            directory: folder.clone(),
            folder,
            limits: Limits::default(),
            access,
        };
        Host::new(seams, script)
    }

    fn connect(&self, user: &str, cancel: Cancel, events: Arc<dyn Sink>, logins: Arc<AtomicUsize>) -> Connect {
        let (clock, runtime) = (self.clock.clone(), self.runtime.handle().clone());
        let mut environment = self.environment.clone();
        environment.insert("OS_USERNAME".to_owned(), user.to_owned());
        let none = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let cloud = settings::cloud(&CloudFlags::default(), &environment, &self.options.folder, &none).unwrap();
        Box::new(move || {
            let identity = Arc::new(Counted {
                inner: Keystone::new(&cloud, clock.clone(), &Known::default())?,
                logins: logins.clone(),
            });
            let options = client::Options { proxies: false, ..client::Options::default() };
            let client =
                Client::new(identity, clock.clone(), cancel.clone(), events.clone(), runtime.clone(), options)?;
            let watcher = Watcher::new(Arc::new(client.clone()), clock.clone(), cancel.clone(), events.clone());
            Ok(Cloud { client, watcher })
        })
    }
}

impl Rehearsal {
    /// What the script gave; the test fails with its error where it gave none.
    pub fn value(&self) -> &Value {
        self.result.as_ref().unwrap_or_else(|located| panic!("{:?} at {:?}", located.error, located.place))
    }

    /// The error that ended the script.
    pub fn error(&self) -> &Error {
        &self.result.as_ref().expect_err("the script was to fail").error
    }

    pub fn kind(&self) -> Kind {
        self.error().kind
    }

    /// How many requests of this method were carried out whose path ends so.
    pub fn carried_out(&self, method: &str, path: &str) -> usize {
        let fits =
            |request: &&Accepted| request.method == method && request.path.ends_with(path) && request.status < 300;
        self.accepted.iter().filter(fits).count()
    }

    /// How many replicas were created, in the words of either generation.
    pub fn replicas_made(&self) -> usize {
        self.carried_out("POST", "/transfers") + self.carried_out("POST", "/replicas")
    }

    /// How many deployments of replicas were started, in the words of either generation.
    pub fn deployments_made(&self) -> usize {
        self.carried_out("POST", "/deployments") + self.carried_out("POST", "/migrations")
    }

    /// How many events `fits` picks.
    pub fn count(&self, fits: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| fits(event)).count()
    }
}

/// Whoever is asked says yes.
pub struct Yes;

impl Gates for Yes {
    fn ask(&self, _: &str, _: &str) -> Result<Option<Answer>> {
        Ok(Some(Answer { text: "yes".into(), by: "ann".into() }))
    }
}

struct Record {
    events: Mutex<Vec<Event>>,
    on_print: Box<dyn Fn(&str) + Send + Sync>,
}

impl Sink for Record {
    fn emit(&self, event: Event) {
        if let Some(text) = printed(&event) {
            (self.on_print)(&text);
        }
        self.events.lock().unwrap().push(event);
    }
}

fn printed(event: &Event) -> Option<String> {
    match &event.fact {
        Fact::Printed { text } => Some(text.clone()),
        _ => None,
    }
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Counts the logins of the identity inside.
struct Counted {
    inner: Arc<dyn Identity>,
    logins: Arc<AtomicUsize>,
}

impl Counted {
    fn note(&self, access: &Result<Access>) {
        if let Ok(access) = access {
            self.logins.fetch_max(usize::try_from(access.login).unwrap(), Ordering::AcqRel);
        }
    }
}

impl Identity for Counted {
    fn access(&self) -> Pending<'_, Result<Access>> {
        Box::pin(async {
            let access = self.inner.access().await;
            self.note(&access);
            access
        })
    }

    fn renew<'a>(&'a self, rejected: &'a Access) -> Pending<'a, Result<Access>> {
        Box::pin(async {
            let access = self.inner.renew(rejected).await;
            self.note(&access);
            access
        })
    }

    fn service_url<'a>(&'a self, kind: &'a str) -> Pending<'a, Result<String>> {
        self.inner.service_url(kind)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}
