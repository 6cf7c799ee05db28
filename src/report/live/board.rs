//! The board: events folded into the current state, wave by wave and item by item.
use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::event::sources::Sources;
use crate::event::{Counts, Event, Fact, Origin, Outcome, Subject};
use crate::report::streams::text;

use super::basis::{self, Basis};
use super::forecast::Range;
use super::item::Item;
use super::wait::Wait;
use super::wave::Wave;

/// The state after all events so far.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// In the order of their starts.
    pub waves: Vec<Wave>,
    /// The waves that each lane opened.
    opened: HashMap<Arc<str>, Vec<usize>>,
    /// Waves that an earlier process or attempt opened, and this one has not reached yet.
    earlier: Vec<usize>,
    /// Waits outside of all items.
    pub loose: Vec<Wait>,
    /// Running calls outside of all items, with the times of their starts.
    pub calls: Vec<(u64, String, Timestamp)>,
    /// The last request that had to be repeated.
    pub trouble: Option<Trouble>,
    /// Set while nobody gets an answer from the cloud.
    pub away: Option<Away>,
    /// Set once a stop was asked for; true for a stop at once.
    pub stop: Option<bool>,
    /// Work that goes on at the server without us.
    pub left: Vec<Left>,
    /// The sources that are off, by all processes of the run.
    pub sources: Sources,
    /// Set by the end of the run: the time of all its processes.
    pub elapsed_seconds: Option<f64>,
    /// The seconds of earlier processes.
    spent_seconds: f64,
    /// The begin of this process, and the last event.
    process: Option<(Timestamp, Timestamp)>,
}

/// A request that is repeated, and the time of the repetition.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub request: String,
    pub cause: String,
    pub next: Timestamp,
}

/// A cloud that does not answer.
#[derive(Clone, Debug)]
pub struct Away {
    pub cause: String,
    pub since: Timestamp,
    pub until: Timestamp,
}

/// Work left running at the server.
#[derive(Clone, Debug)]
pub struct Left {
    pub label: String,
    pub subject: Subject,
    pub status: String,
}

/// The position of an item on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemIndex {
    pub wave: usize,
    pub item: usize,
}

impl Board {
    /// Moves all observed times by the shift of the machine's clock.
    pub fn shift(&mut self, by: SignedDuration) {
        for wave in &mut self.waves {
            wave.started += by;
            wave.items.iter_mut().for_each(|item| item.shift(by));
        }
        self.loose.iter_mut().for_each(|wait| wait.shift(by));
        self.calls.iter_mut().for_each(|(.., began)| *began += by);
        if let Some((begun, last)) = &mut self.process {
            *begun += by;
            *last += by;
        }
        self.trouble.iter_mut().for_each(|trouble| trouble.next += by);
        if let Some(away) = &mut self.away {
            away.since += by;
            away.until += by;
        }
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event) {
        let Event { at, origin, fact, .. } = event;
        if let Some((_, last)) = &mut self.process {
            *last = *at;
        }
        match fact {
            Fact::WaveStarted { name, total, limit, items, call, body } => {
                if self.reopen(origin, name, items, *call) {
                    return;
                }
                self.leave(&origin.lane, *call);
                let parent = self.place(origin);
                self.opened.entry(origin.lane.clone()).or_default().push(self.waves.len());
                let total = (*total).max(items.len());
                let mut wave = Wave::new(name, (origin, *call), parent, *at, total, *limit, items);
                wave.body = body.clone();
                self.waves.push(wave);
            }
            Fact::WaveStopping { name, reason } => {
                if let Some(wave) = self.open_wave(origin, name) {
                    wave.stopping = Some(reason.clone());
                }
            }
            Fact::WaveFinished { name, elapsed_seconds, .. } => {
                if let Some(wave) = self.open_wave(origin, name) {
                    (wave.finished, wave.cut) = (Some(*elapsed_seconds), false);
                }
            }
            Fact::RunStarted { .. } => self.begin(*at),
            Fact::SourceChanged { .. } | Fact::CutoverEntered { .. } | Fact::CutoverEnded { .. } => {
                self.sources.apply(event);
                if let Some(place) = self.place(origin) {
                    self.item_mut(place).apply(*at, fact);
                }
            }
            Fact::StopRequested { now } => self.stop = Some(*now),
            Fact::RunFinished { elapsed_seconds, .. } => {
                self.elapsed_seconds = Some(self.spent_seconds + elapsed_seconds);
            }
            Fact::WaitLeft { subject, status } => {
                let left = Left { label: self.label(origin), subject: subject.clone(), status: status.clone() };
                self.left.push(left);
                self.waits(origin).retain(|wait| wait.subject != *subject);
            }
            Fact::WaitStarted { .. } | Fact::WaitChanged { .. } | Fact::WaitFinished { .. } => self.wait(event),
            Fact::CloudAway { cause, since, until } => {
                self.away = Some(Away { cause: text::one_line(&cause.message), since: *since, until: *until });
            }
            Fact::CloudBack { .. } => self.away = None,
            Fact::RequestRetried { method, path, cause, next } => {
                let request = text::one_line(&format!("{method} {path}"));
                self.trouble = Some(Trouble { request, cause: text::one_line(&cause.message), next: *next });
            }
            _ => match self.place_or_add(origin) {
                Some(place) => {
                    self.item_mut(place).apply(*at, fact);
                    if matches!(fact, Fact::ItemFinished { outcome: Outcome::Ok, .. }) {
                        self.waves[place.wave].ended_well(place.item);
                    }
                    self.close_inside(place, fact);
                }
                None => self.call(*at, fact),
            },
        }
    }

    /// Makes the forecasts of the open waves anew: those of inner waves first, which stand behind the outer ones.
    pub fn look(&mut self, now: Timestamp) {
        for at in (0..self.waves.len()).rev().filter(|at| self.waves[*at].finished.is_none()).collect::<Vec<_>>() {
            let wave = &self.waves[at];
            let open = |item: usize| {
                let is_inside =
                    |inner: &&Wave| inner.finished.is_none() && inner.parent == Some(ItemIndex { wave: at, item });
                self.waves[at + 1..].iter().find(is_inside).map(|inner| inner.forecast)
            };
            let forecast = basis::forecast(wave, &Basis::of(wave, &self.waves), now, open);
            self.waves[at].expect(forecast);
        }
    }

    /// The outcomes of the items in the waves inside a wave, at any depth.
    pub fn inside(&self, wave: usize) -> Counts {
        let mut counts = Counts::default();
        let inner = (0..self.waves.len()).filter(|at| self.stands_in(*at, |parent| parent.wave == wave));
        let items = inner.filter(|at| !self.waves[*at].repeated).flat_map(|at| &self.waves[at].items);
        items.filter_map(Item::outcome).for_each(|outcome| counts.add(outcome));
        counts
    }

    /// The rest of an item in flight, if there is a basis for it.
    pub fn rest(&self, place: ItemIndex, now: Timestamp) -> Option<Range> {
        Basis::of(&self.waves[place.wave], &self.waves).rest(self.item(place), now)
    }

    /// Gathers an item outside of all waves, such as a job, with its like in a wave of their own.
    pub(in crate::report) fn gather(&mut self, event: &Event) {
        let Event { at, origin, fact: Fact::ItemStarted { .. }, .. } = event else { return };
        let (Some(name), Some((lane, _))) = (&origin.wave, origin.lane.rsplit_once('/')) else { return };
        if let Some(known) = self.wave_of(origin, name) {
            self.earlier.retain(|wave| *wave != known);
            return;
        }
        let outer = Origin { lane: lane.into(), ..Origin::default() };
        let mut wave = Wave::new(name, (&outer, 0), None, *at, 0, 0, &[]);
        wave.gathered = true;
        self.opened.entry(outer.lane).or_default().push(self.waves.len());
        self.waves.push(wave);
    }

    /// Another process takes over the run: the earlier one's running work is dropped, and its waves come again.
    fn begin(&mut self, at: Timestamp) {
        if let Some((begun, last)) = self.process.replace((at, at)) {
            self.spent_seconds += last.duration_since(begun).as_secs_f64().max(0.0);
        }
        self.earlier = (0..self.waves.len()).collect();
        (self.stop, self.elapsed_seconds, self.trouble, self.away) = (None, None, None, None);
        self.left.clear();
        self.loose.clear();
        self.calls.clear();
        for wave in &mut self.waves {
            wave.cut_off();
            wave.items.iter_mut().for_each(Item::abandon);
        }
    }

    /// True if an earlier process or attempt opened this wave; it becomes the lane's newest again.
    fn reopen(&mut self, origin: &Origin, name: &str, keys: &[Arc<str>], call: u64) -> bool {
        let same = |wave: &Wave| {
            wave.lane == origin.lane
                && *wave.name == *name
                && (wave.call == call || wave.call == 0)
                && wave.items.iter().map(|item| &item.key).eq(keys)
        };
        let Some(found) = self.earlier.iter().position(|wave| same(&self.waves[*wave])) else { return false };
        let found = self.earlier.remove(found);
        self.waves[found].reopen(call);
        let opened = self.opened.entry(origin.lane.clone()).or_default();
        opened.retain(|wave| *wave != found);
        opened.push(found);
        true
    }

    /// A lane reaches another wave than before: its waves from this call on no longer count.
    fn leave(&mut self, lane: &str, call: u64) {
        if call == 0 {
            return;
        }
        let left: Vec<usize> =
            (0..self.waves.len()).filter(|at| *self.waves[*at].lane == *lane && self.waves[*at].call >= call).collect();
        for at in 0..self.waves.len() {
            let inside = |left: &usize| at == *left || self.stands_in(at, |parent| parent.wave == *left);
            let is_left = left.iter().any(inside);
            self.waves[at].repeated |= is_left;
        }
    }

    /// Ends everything inside an item that ended or begins again. If it begins again, its waves may be entered again;
    /// if it succeeded without them, they no longer count.
    fn close_inside(&mut self, place: ItemIndex, fact: &Fact) {
        let (begins, well) = match fact {
            Fact::ItemStarted { .. } => (true, false),
            Fact::ItemFinished { outcome, .. } => (false, *outcome == Outcome::Ok),
            _ => return,
        };
        for at in 0..self.waves.len() {
            if !self.stands_in(at, |parent| parent == place) {
                continue;
            }
            let wave = &mut self.waves[at];
            wave.cut_off();
            wave.repeated |= well && wave.cut;
            if begins && !self.earlier.contains(&at) {
                self.earlier.push(at);
            }
        }
    }

    /// The waves that an earlier process left in their midst and this one has not reached.
    pub fn unreached(&self) -> impl Iterator<Item = usize> {
        let is_left = |wave: &Wave| wave.cut && !wave.repeated && wave.parent.is_none();
        self.earlier.iter().copied().filter(move |at| is_left(&self.waves[*at]))
    }

    /// True if one of the items around the wave is meant.
    fn stands_in(&self, wave: usize, is_meant: impl Fn(ItemIndex) -> bool + Copy) -> bool {
        self.waves[wave].parent.is_some_and(|parent| is_meant(parent) || self.stands_in(parent.wave, is_meant))
    }

    fn call(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::CallStarted { call, function } => self.calls.push((*call, text::one_line(function), at)),
            Fact::CallFinished { call, .. } => self.calls.retain(|(open, ..)| open != call),
            _ => {}
        }
    }

    fn wait(&mut self, event: &Event) {
        let Event { at, origin, fact, .. } = event;
        let place = self.place_or_add(origin);
        let shown = match fact {
            Fact::WaitChanged { progress, .. } => place.map(|place| self.item(place).shown(progress)),
            _ => None,
        };
        let waits = self.waits(origin);
        let mut ended = None;
        match fact {
            Fact::WaitStarted { subject, since } => waits.push(Wait::new(subject, *since, *at)),
            Fact::WaitChanged { subject, progress, since } => {
                let known = waits.iter().position(|wait| wait.subject.id == subject.id).unwrap_or_else(|| {
                    waits.push(Wait::new(subject, *since, *at));
                    waits.len() - 1
                });
                waits[known].observe(*at, shown.as_ref().unwrap_or(progress));
            }
            Fact::WaitFinished { subject, status, .. } => {
                let known = waits.iter().position(|wait| wait.subject.id == subject.id);
                ended = known.map(|known| (waits.remove(known), status));
            }
            _ => {}
        }
        if let Some(place) = place {
            let item = self.item_mut(place);
            item.changed = Some(*at);
            if let Some((wait, status)) = ended {
                item.ended(*at, &wait, status);
            }
        }
    }

    fn waits(&mut self, origin: &Origin) -> &mut Vec<Wait> {
        match self.place(origin) {
            Some(place) => &mut self.item_mut(place).waits,
            None => &mut self.loose,
        }
    }

    /// The newest wave of that name in this lane.
    pub fn newest(&self, lane: &str, name: &str) -> Option<usize> {
        let opened = self.opened.get(lane)?;
        opened.iter().rev().find(|wave| *self.waves[**wave].name == *name).copied()
    }

    /// The newest wave of that name whose lane contains the origin's: an `each` may be open in many lanes at once.
    fn wave_of(&self, origin: &Origin, name: &str) -> Option<usize> {
        let mut lane: &str = &origin.lane;
        loop {
            if let Some(wave) = self.newest(lane, name) {
                return Some(wave);
            }
            lane = lane.rsplit_once('/')?.0;
        }
    }

    fn open_wave(&mut self, origin: &Origin, name: &str) -> Option<&mut Wave> {
        let at = self.wave_of(origin, name)?;
        Some(&mut self.waves[at])
    }

    /// The place of the origin's item.
    pub fn place(&self, origin: &Origin) -> Option<ItemIndex> {
        let wave = self.wave_of(origin, origin.wave.as_deref()?)?;
        let item = self.waves[wave].find(origin.item.as_deref()?)?;
        Some(ItemIndex { wave, item })
    }

    fn place_or_add(&mut self, origin: &Origin) -> Option<ItemIndex> {
        let key = origin.item.as_ref()?;
        let wave = self.wave_of(origin, origin.wave.as_deref()?)?;
        let item = self.waves[wave].add(key);
        Some(ItemIndex { wave, item })
    }

    pub fn item(&self, place: ItemIndex) -> &Item {
        &self.waves[place.wave].items[place.item]
    }

    fn item_mut(&mut self, place: ItemIndex) -> &mut Item {
        &mut self.waves[place.wave].items[place.item]
    }

    /// `seed/db-07`, or `seed/db-07/2` for an `each` inside it; the lane if there is no item.
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
    pub fn name(&self, place: ItemIndex) -> String {
        let wave = &self.waves[place.wave];
        let outer = wave.parent.map_or_else(|| text::one_line(&wave.name), |parent| self.name(parent));
        format!("{outer}/{}", text::one_line(&wave.items[place.item].key))
    }

    /// The running items that are not merely waiting for items inside them, in the order of waves and items.
    pub fn in_flight(&self) -> Vec<ItemIndex> {
        let open = |wave: &Wave| wave.finished.is_none();
        let outer: Vec<ItemIndex> =
            self.waves.iter().filter(|wave| open(wave)).filter_map(|wave| wave.parent).collect();
        let mut places = Vec::new();
        for (wave, found) in self.waves.iter().enumerate().filter(|(_, wave)| open(wave)) {
            let active = found.items.iter().enumerate().filter(|(_, item)| item.is_in_flight());
            places.extend(active.map(|(item, _)| ItemIndex { wave, item }).filter(|place| !outer.contains(place)));
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Part;
    use crate::report::live::scene;

    fn inner(outer: &str, key: &str) -> Origin {
        Origin {
            lane: format!("main/seed/{outer}/each/{key}").into(),
            wave: Some("each".into()),
            item: Some(key.into()),
        }
    }

    /// Two items of a wave, each with a loop inside.
    fn nested() -> Board {
        let loop_in = |outer: &str| {
            let mut event = scene::wave(1.0, "each", 2, &["0", "1"]);
            event.origin = scene::item("seed", outer);
            event
        };
        scene::board(&[
            scene::wave(0.0, "seed", 2, &["web-01", "web-02"]),
            scene::started(0.0, scene::item("seed", "web-02")),
            scene::started(0.0, scene::item("seed", "web-01")),
            loop_in("web-02"),
            loop_in("web-01"),
            scene::started(2.0, inner("web-01", "1")),
            scene::started(2.0, inner("web-02", "0")),
            scene::finished(3.0, inner("web-02", "0"), Outcome::Failed, 1, None),
        ])
    }

    #[test]
    fn loops_of_one_name_in_many_lanes_are_kept_apart() {
        let board = nested();
        let outcomes = |wave: usize| board.waves[wave].items.iter().map(Item::outcome).collect::<Vec<_>>();
        assert_eq!(outcomes(1), [Some(Outcome::Failed), None]);
        assert_eq!(outcomes(2), [None, None]);
    }

    #[test]
    fn an_item_that_waits_for_its_loop_is_shown_by_the_loops_items() {
        let board = nested();
        let names: Vec<String> = board.in_flight().into_iter().map(|place| board.name(place)).collect();
        assert_eq!(names, ["seed/web-01/1"]);
    }

    #[test]
    fn an_item_that_begins_anew_has_nothing_left_of_its_last_attempt() {
        let mut board = nested();
        board.apply(&scene::event(4.0, scene::item("seed", "web-01"), Fact::ItemStarted { attempt: 2 }));
        let names: Vec<String> = board.in_flight().into_iter().map(|place| board.name(place)).collect();
        assert_eq!(names, ["seed/web-01"]);
        board.apply(&scene::finished(5.0, scene::item("seed", "web-01"), Outcome::Ok, 2, None));
        assert_eq!(board.waves.iter().map(|wave| wave.repeated).collect::<Vec<_>>(), [false, false, true]);
    }

    /// A wave that call `number` of the item's lane opens.
    fn opened(minutes: f64, outer: &str, number: u64, keys: &[&str]) -> Event {
        let mut event = scene::wave(minutes, "each", 2, keys);
        event.origin = scene::item("seed", outer);
        if let Fact::WaveStarted { call, .. } = &mut event.fact {
            *call = number;
        }
        event
    }

    #[test]
    fn the_next_attempt_enters_the_same_wave_or_leaves_it_behind() {
        let at = || scene::item("seed", "web-01");
        let first = [
            scene::wave(0.0, "seed", 1, &["web-01"]),
            scene::started(0.0, at()),
            opened(0.0, "web-01", 2, &["0", "1"]),
            opened(1.0, "web-01", 5, &["0", "1"]),
            scene::started(1.0, inner("web-01", "0")),
            scene::finished(2.0, inner("web-01", "0"), Outcome::Ok, 1, None),
            scene::started(2.0, inner("web-01", "1")),
            scene::finished(3.0, inner("web-01", "1"), Outcome::Failed, 1, Some("no")),
            scene::event(4.0, at(), Fact::ItemStarted { attempt: 2 }),
        ];
        let mut same = scene::board(&first);
        same.apply(&opened(4.0, "web-01", 5, &["0", "1"]));
        let outcomes =
            |board: &Board, wave: usize| board.waves[wave].items.iter().map(Item::outcome).collect::<Vec<_>>();
        assert_eq!(same.waves.len(), 3);
        assert_eq!(outcomes(&same, 2), [Some(Outcome::Ok), None]);

        let mut other = scene::board(&first);
        other.apply(&opened(4.0, "web-01", 4, &["x"]));
        assert_eq!(other.waves.iter().map(|wave| wave.repeated).collect::<Vec<_>>(), [false, false, true, false]);
    }

    #[test]
    fn tries_are_counted_over_all_processes_and_an_interrupted_one_once() {
        let at = || scene::item("seed", "web-01");
        let process = |minutes| {
            let begun = Fact::RunStarted { runbook: None, cloud: "c".into() };
            scene::event(minutes, scene::main_lane(), begun)
        };
        let tries = |events: &[Event]| scene::board(events).waves[0].items[0].tries;
        let mut events = vec![scene::wave(0.0, "seed", 1, &["web-01"]), scene::started(0.0, at())];
        assert_eq!(tries(&events), 1);
        // Killed, and then paused: the same attempt goes on.
        events.extend([process(1.0), scene::wave(1.0, "seed", 1, &["web-01"]), scene::started(1.0, at())]);
        events.push(scene::finished(2.0, at(), Outcome::Cancelled, 1, None));
        events.extend([process(3.0), scene::wave(3.0, "seed", 1, &["web-01"]), scene::started(3.0, at())]);
        events.push(scene::finished(4.0, at(), Outcome::Failed, 1, Some("no")));
        assert_eq!(tries(&events), 1);
        // The operator repeats what failed.
        events.extend([process(5.0), scene::wave(5.0, "seed", 1, &["web-01"]), scene::started(5.0, at())]);
        events.push(scene::finished(6.0, at(), Outcome::Failed, 1, Some("no")));
        assert_eq!(tries(&events), 2);
    }

    #[test]
    fn the_copy_after_a_first_one_that_failed_is_a_first_copy_as_well() {
        let at = || scene::item("seed", "web-01");
        let part = |events: &[Event]| scene::board(events).waves[0].items[0].part();
        let delta = |minutes, id| scene::at_part(minutes, minutes, at(), id, Part::Delta, "REPLICATE_DISKS", 1.0);
        let failed = |minutes| {
            let (subject, status, since) = (scene::subject("e1"), "ERROR".to_owned(), scene::minute(0.0));
            scene::event(minutes, at(), Fact::WaitFinished { subject, status, since, elapsed_seconds: 60.0 })
        };
        let mut events = vec![scene::wave(0.0, "seed", 1, &["web-01"]), scene::started(0.0, at())];
        events.extend([scene::copying(0.0, 0.0, at(), "e1", 5), failed(1.0), delta(2.0, "e2")]);
        assert_eq!(part(&events), Some(Part::FirstCopy));
        events.extend([scene::part_done(3.0, 2.0, at(), "e2"), delta(4.0, "e3")]);
        assert_eq!(part(&events), Some(Part::Delta));
    }

    #[test]
    fn what_goes_on_at_the_server_is_kept_and_no_longer_waited_for() {
        let at = || scene::item("seed", "web-01");
        let left = Fact::WaitLeft { subject: scene::subject("e1"), status: "RUNNING".to_owned() };
        let board = scene::board(&[
            scene::wave(0.0, "seed", 1, &["web-01"]),
            scene::started(0.0, at()),
            scene::waiting(0.0, at(), "e1"),
            scene::event(1.0, at(), left),
        ]);
        assert_eq!(board.left.len(), 1);
        assert!(board.waves[0].items[0].waits.is_empty());
    }
}
