//! The names of the cloud's objects, for completion: cached, refreshed in the background, and never worth a long wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::clock::Clock;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    Endpoints,
    /// The instances of an endpoint's cloud.
    Instances,
    Networks,
    /// The networks of one instance, or all of an endpoint.
    Nics,
    Storage,
    SourceOptions,
    DestinationOptions,
    PoolOptions,
    Transfers,
    /// The executions of a transfer.
    Executions,
    Schedules,
    Deployments,
    MinionPools,
    Regions,
    Services,
    Secrets,
}

/// The objects to name: of an endpoint or a transfer (its name or its id) if they belong to one; and of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct What {
    pub thing: Thing,
    pub of: Option<String>,
    pub instance: Option<String>,
}

impl What {
    pub fn all(thing: Thing) -> Self {
        Self { thing, of: None, instance: None }
    }

    pub fn of(thing: Thing, of: Option<String>) -> Self {
        Self { thing, of, instance: None }
    }
}

/// One name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    pub name: String,
    /// Empty if it has none, or none besides its name.
    pub id: String,
    /// A distinguishing note: a status, a type.
    pub note: String,
    /// The possible values of an option.
    pub values: Vec<String>,
}

/// Reads names from the cloud; `None` when that is not possible now.
pub type Read = Box<dyn Fn(&What) -> Option<Vec<Name>> + Send>;

/// The time for which names count as fresh.
const FRESH: Duration = Duration::from_secs(20);
/// The time that the prompt waits for names it has never had.
pub const PATIENCE: Duration = Duration::from_millis(180);

/// The cached names.
#[derive(Clone)]
pub struct Names(Arc<Shared>);

struct Shared {
    clock: Clock,
    state: Mutex<HashMap<What, Entry>>,
    changed: Condvar,
    work: Mutex<Sender<What>>,
}

#[derive(Default)]
struct Entry {
    names: Option<Arc<[Name]>>,
    read: Option<Instant>,
    reading: bool,
}

impl Names {
    /// Starts the thread that reads.
    pub fn new(clock: Clock, read: Read) -> Self {
        let (work, orders) = mpsc::channel::<What>();
        let shared = Shared { clock, state: Mutex::default(), changed: Condvar::new(), work: Mutex::new(work) };
        let shared = Arc::new(shared);
        let names = Self(shared.clone());
        let reader = Arc::downgrade(&shared);
        let serve = move || {
            while let Ok(what) = orders.recv() {
                let found = read(&what);
                let Some(shared) = reader.upgrade() else { return };
                shared.keep(what, found);
            }
        };
        // Without it there are no names, but nothing else is missing.
        let _ = thread::Builder::new().name("names".to_owned()).spawn(serve);
        names
    }

    /// The cached names; waits for at most `patience` if there are none.
    pub fn get(&self, what: &What, patience: Duration) -> Arc<[Name]> {
        let shared = &self.0;
        let mut state = shared.state.lock();
        shared.order(&mut state, what);
        if state.get(what).is_some_and(|entry| entry.names.is_none()) {
            let unknown = |state: &mut HashMap<What, Entry>| {
                state.get(what).is_some_and(|entry| entry.names.is_none() && entry.reading)
            };
            shared.changed.wait_while_for(&mut state, unknown, patience);
        }
        state.get(what).and_then(|entry| entry.names.clone()).unwrap_or_default()
    }

    /// Reads these in the background.
    pub fn begin(&self, all: &[What]) {
        let mut state = self.0.state.lock();
        all.iter().for_each(|what| self.0.order(&mut state, what));
    }

    /// Marks all names as outdated after a change: they are read again, and serve until then.
    pub fn refresh(&self) {
        let mut state = self.0.state.lock();
        let known: Vec<What> = state.keys().cloned().collect();
        for what in known {
            if let Some(entry) = state.get_mut(&what) {
                entry.read = None;
            }
            self.0.order(&mut state, &what);
        }
    }
}

impl Shared {
    fn order(&self, state: &mut HashMap<What, Entry>, what: &What) {
        let now = self.clock.system();
        let entry = state.entry(what.clone()).or_default();
        let fresh = entry.read.is_some_and(|read| now.duration_since(read) < FRESH);
        if !fresh && !entry.reading {
            entry.reading = true;
            let _ = self.work.lock().send(what.clone());
        }
    }

    fn keep(&self, what: What, found: Option<Vec<Name>>) {
        let mut state = self.state.lock();
        let entry = state.entry(what).or_default();
        entry.reading = false;
        entry.read = Some(self.clock.system());
        if let Some(found) = found {
            entry.names = Some(found.into());
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use super::*;
    use crate::clock::Speed;

    /// Names that come when the test sends them.
    fn names() -> (Names, Sender<Option<Vec<Name>>>, Receiver<What>) {
        let (answer, answers) = mpsc::channel();
        let (asked, questions) = mpsc::channel();
        let read: Read = Box::new(move |what| {
            let _ = asked.send(what.clone());
            answers.recv().ok().flatten()
        });
        (Names::new(Clock::new(Speed::Real), read), answer, questions)
    }

    fn named(name: &str) -> Vec<Name> {
        vec![Name { name: name.to_owned(), ..Name::default() }]
    }

    #[test]
    fn the_first_look_waits_a_little_and_later_ones_not_at_all() {
        let (names, answer, questions) = names();
        let what = What::all(Thing::Endpoints);
        assert_eq!(&*names.get(&what, Duration::ZERO), []);
        answer.send(Some(named("vcenter"))).unwrap();
        assert_eq!(&*names.get(&what, Duration::from_secs(10)), named("vcenter"));
        assert_eq!(&*names.get(&what, Duration::ZERO), named("vcenter"));
        assert_eq!(questions.try_iter().count(), 1);
    }

    #[test]
    fn after_a_change_the_old_names_serve_until_the_new_ones_are_there() {
        let (names, answer, questions) = names();
        let what = What::all(Thing::Transfers);
        answer.send(Some(named("old"))).unwrap();
        assert_eq!(&*names.get(&what, Duration::from_secs(10)), named("old"));
        questions.recv().unwrap();
        names.refresh();
        assert_eq!(questions.recv().unwrap(), what);
        assert_eq!(&*names.get(&what, Duration::ZERO), named("old"));
        answer.send(None).unwrap();
        // The cloud was away: old names are better than none.
        let other = What::all(Thing::Regions);
        answer.send(Some(Vec::new())).unwrap();
        assert_eq!(&*names.get(&other, Duration::from_secs(10)), []);
        assert_eq!(&*names.get(&what, Duration::ZERO), named("old"));
    }
}
