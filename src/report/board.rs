//! The board: events folded into what is going on now, wave by wave and item by item.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::event::{Counts, Event, Fact, Origin, Outcome, Progress, Subject};

use super::text;

/// How many looks at a wait are kept to tell its rate.
const SAMPLES: usize = 16;

/// What has not moved for so long is called slow.
pub const SLOW: SignedDuration = SignedDuration::from_mins(3);
/// What has not moved for so long is called stalled.
pub const STALLED: SignedDuration = SignedDuration::from_mins(10);

/// Everything that the events said so far, as it stands.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// In the order of their starts.
    pub waves: Vec<Wave>,
    /// Waits that belong to no item.
    pub loose: Vec<Wait>,
    /// Whether a stop was asked for, and whether at once.
    pub stop: Option<bool>,
    /// What goes on at the server without us.
    pub left: Vec<Left>,
    /// Set by the end of the run.
    pub elapsed_seconds: Option<f64>,
}

/// A wave, or an `each`.
#[derive(Clone, Debug)]
pub struct Wave {
    pub name: Arc<str>,
    /// The lane that opened it.
    pub lane: Arc<str>,
    pub parent: Option<Place>,
    pub total: usize,
    pub limit: usize,
    pub started: Timestamp,
    pub finished: Option<f64>,
    pub stopping: Option<String>,
    pub items: Vec<Item>,
    keys: HashMap<Arc<str>, usize>,
    /// The most that was ever done of it: a bar does not go backwards.
    reached: f64,
}

/// One element of a wave.
#[derive(Clone, Debug)]
pub struct Item {
    pub key: Arc<str>,
    pub state: State,
    pub attempt: u32,
    /// How many attempts it may have, as far as known.
    pub attempts: u32,
    pub started: Option<Timestamp>,
    /// When anything about it was last new.
    pub changed: Option<Timestamp>,
    pub calls: Vec<(u64, String)>,
    pub waits: Vec<Wait>,
    /// Waits that ended in this attempt.
    pub waited: usize,
    /// The last failure, also of an attempt that was repeated.
    pub cause: Option<String>,
    pub elapsed_seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Queued,
    Active,
    /// Between two attempts.
    Pausing {
        until: Timestamp,
    },
    Done(Outcome),
}

/// Something that is waited for, and how it went so far.
#[derive(Clone, Debug)]
pub struct Wait {
    pub subject: Subject,
    pub since: Timestamp,
    pub progress: Progress,
    /// When status, task, percent or bytes last changed.
    pub changed: Timestamp,
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Timestamp,
    percent: f64,
    bytes: Option<u64>,
}

/// Left running at the server.
#[derive(Clone, Debug)]
pub struct Left {
    pub label: String,
    pub subject: Subject,
    pub status: String,
}

/// Where on the board an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub wave: usize,
    pub item: usize,
}

/// How lively something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Moving,
    Slow(SignedDuration),
    Stalled(SignedDuration),
}

impl Pace {
    pub fn since(changed: Timestamp, now: Timestamp) -> Self {
        match now.duration_since(changed) {
            still if still > STALLED => Pace::Stalled(still),
            still if still > SLOW => Pace::Slow(still),
            _ => Pace::Moving,
        }
    }
}

impl Board {
    /// Takes in what happened.
    pub fn apply(&mut self, event: &Event) {
        let Event { at, origin, fact, .. } = event;
        match fact {
            Fact::WaveStarted { name, total, limit, items } => {
                let parent = self.place(origin);
                self.waves.push(Wave::new(name, origin, parent, *at, (*total).max(items.len()), *limit, items));
            }
            Fact::WaveStopping { name, reason } => {
                if let Some(wave) = self.open_wave(origin, name) {
                    wave.stopping = Some(reason.clone());
                }
            }
            Fact::WaveFinished { name, elapsed_seconds, .. } => {
                if let Some(wave) = self.open_wave(origin, name) {
                    wave.finished = Some(*elapsed_seconds);
                }
            }
            Fact::StopRequested { now } => self.stop = Some(*now),
            Fact::RunFinished { elapsed_seconds, .. } => self.elapsed_seconds = Some(*elapsed_seconds),
            Fact::WaitLeft { subject, status } => {
                let left = Left { label: self.label(origin), subject: subject.clone(), status: status.clone() };
                self.left.push(left);
                self.waits(origin).retain(|wait| wait.subject != *subject);
            }
            Fact::WaitStarted { .. } | Fact::WaitChanged { .. } | Fact::WaitFinished { .. } => self.wait(event),
            _ => {
                if let Some(place) = self.place_or_add(origin) {
                    self.item_mut(place).apply(*at, fact);
                }
            }
        }
        if let Some(place) = self.place(origin) {
            self.waves[place.wave].advance();
        }
    }

    fn wait(&mut self, event: &Event) {
        let Event { at, origin, fact, .. } = event;
        let place = self.place_or_add(origin);
        let waits = self.waits(origin);
        match fact {
            Fact::WaitStarted { subject, since } => waits.push(Wait::new(subject, *since, *at)),
            Fact::WaitChanged { subject, progress, since } => {
                let known = waits.iter().position(|wait| wait.subject.id == subject.id).unwrap_or_else(|| {
                    waits.push(Wait::new(subject, *since, *at));
                    waits.len() - 1
                });
                waits[known].observe(*at, progress);
            }
            Fact::WaitFinished { subject, .. } => waits.retain(|wait| wait.subject.id != subject.id),
            _ => {}
        }
        if let Some(place) = place {
            let item = self.item_mut(place);
            item.changed = Some(*at);
            if matches!(fact, Fact::WaitFinished { .. }) {
                item.waited += 1;
            }
        }
    }

    fn waits(&mut self, origin: &Origin) -> &mut Vec<Wait> {
        match self.place(origin) {
            Some(place) => &mut self.item_mut(place).waits,
            None => &mut self.loose,
        }
    }

    /// The newest wave of that name whose lane holds the origin's: an `each` may be open in many lanes at once.
    fn wave_of(&self, origin: &Origin, name: &str) -> Option<usize> {
        (0..self.waves.len())
            .filter(|at| *self.waves[*at].name == *name && holds(&self.waves[*at].lane, &origin.lane))
            .max_by_key(|at| (self.waves[*at].lane.len(), *at))
    }

    fn open_wave(&mut self, origin: &Origin, name: &str) -> Option<&mut Wave> {
        let at = self.wave_of(origin, name)?;
        Some(&mut self.waves[at])
    }

    /// Where the origin's item stands.
    pub fn place(&self, origin: &Origin) -> Option<Place> {
        let wave = self.wave_of(origin, origin.wave.as_deref()?)?;
        let item = *self.waves[wave].keys.get(origin.item.as_deref()?)?;
        Some(Place { wave, item })
    }

    fn place_or_add(&mut self, origin: &Origin) -> Option<Place> {
        let key = origin.item.as_ref()?;
        let wave = self.wave_of(origin, origin.wave.as_deref()?)?;
        let item = self.waves[wave].add(key);
        Some(Place { wave, item })
    }

    pub fn item(&self, place: Place) -> &Item {
        &self.waves[place.wave].items[place.item]
    }

    fn item_mut(&mut self, place: Place) -> &mut Item {
        &mut self.waves[place.wave].items[place.item]
    }

    /// `seed/db-07`, or `seed/db-07/2` for what an `each` inside it does; the lane for what is in no item.
    pub fn label(&self, origin: &Origin) -> String {
        match self.place(origin) {
            Some(place) => self.name(place),
            None => match (&origin.wave, &origin.item) {
                (Some(wave), Some(item)) => text::one_line(&format!("{wave}/{item}")),
                (Some(wave), None) => text::one_line(wave),
                _ => String::new(),
            },
        }
    }

    /// The label of the item at `place`.
    pub fn name(&self, place: Place) -> String {
        let wave = &self.waves[place.wave];
        let outer = wave.parent.map_or_else(|| text::one_line(&wave.name), |parent| self.name(parent));
        format!("{outer}/{}", text::one_line(&wave.items[place.item].key))
    }

    /// The items at work that are not merely waiting for items inside them, in the waves' and items' order.
    pub fn in_flight(&self) -> Vec<Place> {
        let open = |wave: &Wave| wave.finished.is_none();
        let outer: Vec<Place> = self.waves.iter().filter(|wave| open(wave)).filter_map(|wave| wave.parent).collect();
        let mut places = Vec::new();
        for (wave, found) in self.waves.iter().enumerate().filter(|(_, wave)| open(wave)) {
            let active = found.items.iter().enumerate().filter(|(_, item)| item.is_in_flight());
            places.extend(active.map(|(item, _)| Place { wave, item }).filter(|place| !outer.contains(place)));
        }
        places
    }
}

/// Whether `lane` is `outer` or lies below it.
fn holds(outer: &str, lane: &str) -> bool {
    lane.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Wave {
    fn new(
        name: &str,
        origin: &Origin,
        parent: Option<Place>,
        started: Timestamp,
        total: usize,
        limit: usize,
        keys: &[Arc<str>],
    ) -> Self {
        let mut wave = Self {
            name: name.into(),
            lane: origin.lane.clone(),
            parent,
            total,
            limit,
            started,
            finished: None,
            stopping: None,
            items: Vec::with_capacity(keys.len()),
            keys: HashMap::new(),
            reached: 0.0,
        };
        for key in keys {
            wave.add(key);
        }
        wave
    }

    fn add(&mut self, key: &Arc<str>) -> usize {
        let next = self.items.len();
        let at = *self.keys.entry(key.clone()).or_insert(next);
        if at == next {
            self.items.push(Item::new(key.clone()));
            self.total = self.total.max(self.items.len());
        }
        at
    }

    /// Whether this is an `each`: a loop of the script rather than a wave of its plan.
    pub fn is_each(&self) -> bool {
        &*self.name == "each"
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.items.iter().filter_map(Item::outcome).for_each(|outcome| counts.add(outcome));
        counts
    }

    pub fn active(&self) -> usize {
        self.items.iter().filter(|item| item.is_in_flight()).count()
    }

    /// How much is done, 0 to 1; never backwards.
    pub fn fraction(&self) -> f64 {
        self.reached
    }

    fn advance(&mut self) {
        let waits = self.items.iter().filter(|item| item.outcome().is_some()).map(|item| item.waited).max();
        let done: f64 = self.items.iter().map(|item| item.fraction(waits.unwrap_or(0))).sum();
        #[allow(clippy::cast_precision_loss, reason = "a few thousand items")]
        let fraction = done / self.total.max(1) as f64;
        self.reached = self.reached.max(fraction.min(1.0));
    }

    /// The time left, as far as it can be told: by the items that are through, else by the share that is done.
    pub fn time_left(&self, now: Timestamp) -> Option<SignedDuration> {
        let through: Vec<f64> = self
            .items
            .iter()
            .filter(|item| item.outcome() == Some(Outcome::Ok))
            .map(|item| item.elapsed_seconds)
            .collect();
        let running: Vec<f64> = self
            .items
            .iter()
            .filter(|item| item.is_in_flight())
            .map(|item| item.started.map_or(0.0, |started| now.duration_since(started).as_secs_f64().max(0.0)))
            .collect();
        let queued = match self.stopping {
            Some(_) => 0,
            None => self.total.saturating_sub(self.counts().total() + running.len()),
        };
        let seconds = if through.is_empty() {
            let spent = now.duration_since(self.started).as_secs_f64();
            (self.reached >= 0.05 && spent >= 60.0).then(|| spent * (1.0 - self.reached) / self.reached)
        } else {
            Some(work_left(&through, &running, queued, self.limit))
        };
        seconds.map(text::span).filter(|left| *left >= SignedDuration::from_secs(1))
    }
}

/// The seconds that the rest of a wave takes when its items take as long as those before them.
#[allow(clippy::cast_precision_loss, reason = "a few thousand items")]
fn work_left(through: &[f64], running: &[f64], queued: usize, limit: usize) -> f64 {
    let usual = through.iter().sum::<f64>() / through.len() as f64;
    let rests: Vec<f64> = running.iter().map(|spent| (usual - spent).max(usual * 0.05)).collect();
    let longest = rests.iter().copied().fold(0.0, f64::max);
    let lanes = limit.min(queued + running.len()).max(1);
    ((rests.iter().sum::<f64>() + usual * queued as f64) / lanes as f64).max(longest)
}

impl Item {
    fn new(key: Arc<str>) -> Self {
        Self {
            key,
            state: State::Queued,
            attempt: 0,
            attempts: 1,
            started: None,
            changed: None,
            calls: Vec::new(),
            waits: Vec::new(),
            waited: 0,
            cause: None,
            elapsed_seconds: 0.0,
        }
    }

    fn apply(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::ItemStarted { attempt } => {
                self.state = State::Active;
                self.attempt = *attempt;
                self.started = self.started.or(Some(at));
                self.calls.clear();
                self.waits.clear();
                self.waited = 0;
            }
            Fact::ItemRetried { attempt, attempts, cause, next } => {
                self.state = State::Pausing { until: *next };
                self.attempt = *attempt;
                self.attempts = self.attempts.max(*attempts);
                self.cause = Some(cause.clone());
            }
            Fact::ItemFinished { outcome, attempts, elapsed_seconds, cause } => {
                self.state = State::Done(*outcome);
                self.attempt = *attempts;
                self.elapsed_seconds = *elapsed_seconds;
                self.cause = cause.clone();
                self.calls.clear();
                self.waits.clear();
            }
            Fact::CallStarted { call, function } => self.calls.push((*call, function.clone())),
            Fact::CallFinished { call, .. } => self.calls.retain(|(open, _)| open != call),
            Fact::StepSettled { .. } | Fact::UnitRetried { .. } => {}
            _ => return,
        }
        self.changed = Some(at);
    }

    pub fn is_in_flight(&self) -> bool {
        matches!(self.state, State::Active | State::Pausing { .. })
    }

    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The wait that is furthest from its end: the one that holds the item up.
    pub fn slowest_wait(&self) -> Option<&Wait> {
        self.waits.iter().min_by(|a, b| a.progress.percent.total_cmp(&b.progress.percent))
    }

    /// How lively it is; a pause before the next attempt is none of its doing.
    pub fn pace(&self, now: Timestamp) -> Pace {
        let changed = self.slowest_wait().map(|wait| wait.changed).or(self.changed);
        match (self.state, changed) {
            (State::Active, Some(changed)) => Pace::since(changed, now),
            _ => Pace::Moving,
        }
    }

    /// How much of it is done, when items of this wave go through so many waits.
    fn fraction(&self, waits: usize) -> f64 {
        if self.outcome().is_some() {
            return 1.0;
        }
        if !self.is_in_flight() {
            return 0.0;
        }
        let open = self.slowest_wait().map_or(0.0, |wait| wait.progress.percent.clamp(0.0, 100.0) / 100.0);
        #[allow(clippy::cast_precision_loss, reason = "a handful of waits")]
        let fraction = (self.waited as f64 + open) / waits.max(self.waited + 1) as f64;
        fraction.min(0.99)
    }
}

impl Wait {
    fn new(subject: &Subject, since: Timestamp, at: Timestamp) -> Self {
        Self {
            subject: subject.clone(),
            since,
            progress: Progress::default(),
            changed: at,
            samples: VecDeque::from([Sample { at, percent: 0.0, bytes: None }]),
        }
    }

    fn observe(&mut self, at: Timestamp, progress: &Progress) {
        if *progress == self.progress {
            return;
        }
        let total = |progress: &Progress| progress.bytes.map(|(_, total)| total);
        if total(progress) != total(&self.progress) {
            self.samples.iter_mut().for_each(|sample| sample.bytes = None);
        }
        self.progress = progress.clone();
        self.changed = at;
        self.samples.push_back(Sample { at, percent: progress.percent, bytes: progress.bytes.map(|(done, _)| done) });
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
    }

    /// The time left at the rate of the last looks; nothing while it does not move, or before a rate can be told.
    pub fn time_left(&self, now: Timestamp) -> Option<SignedDuration> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let spent = last.at.duration_since(first.at).as_secs_f64();
        let gained = last.percent - first.percent;
        if spent < 30.0 || gained < 1.0 || matches!(Pace::since(self.changed, now), Pace::Stalled(_)) {
            return None;
        }
        let rest = (100.0 - last.percent) * spent / gained - now.duration_since(last.at).as_secs_f64();
        Some(text::span(rest)).filter(|left| *left >= SignedDuration::from_secs(1))
    }

    /// Bytes a second over the last looks.
    pub fn rate(&self, now: Timestamp) -> Option<u64> {
        if matches!(Pace::since(self.changed, now), Pace::Stalled(_)) {
            return None;
        }
        let known = || self.samples.iter().filter_map(|sample| Some((sample.at, sample.bytes?)));
        let ((from, less), (to, more)) = (known().next()?, known().next_back()?);
        let spent = to.duration_since(from).as_secs_f64();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let rate = (more.checked_sub(less)? as f64 / spent) as u64;
        (spent >= 1.0 && rate > 0).then_some(rate)
    }
}
