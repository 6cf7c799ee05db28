//! The sources that a run has switched off: events folded into their state.
//!
//! A source is in the run's hands from the moment at which a copy that switches it off begins, until its VM is deployed
//! or somebody says that it is on again. What the tasks of the execution say counts, not what polling happened to see.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{CutoverEnd, Event, Fact, Origin};
use crate::model::{Object, Power};

/// A source that is off, or may be, and whose VM does not run at its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The id of its replica, or of its migration.
    pub replica: String,
    /// The VM's name at its origin.
    pub instance: String,
    pub power: Power,
    /// The end of the task that switched it off; the time of the observation while that is not known.
    pub since: Timestamp,
    /// The id of the execution or migration that switched it off.
    pub execution: Option<String>,
    /// The lane in which that was seen.
    pub origin: Origin,
}

/// The sources that are off, in the order in which they went off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    held: Vec<Source>,
    /// The sources that somebody has switched on again, with the time: a copy of before is out of date.
    on_again: Vec<(String, String, Timestamp)>,
    /// The lanes of the cutovers that have not ended.
    cutovers: Vec<Arc<str>>,
    /// The sources whose VMs were verified at their targets.
    verified: Vec<(String, String)>,
}

impl Source {
    /// True if this lane, or one below it, has switched it off.
    pub fn is_of(&self, lane: &str) -> bool {
        is_below(lane, &self.origin.lane)
    }

    /// The fact that it is on again, and who says so.
    pub fn switched_on(&self, at: Timestamp, by: &str) -> Fact {
        Fact::SourceChanged {
            replica: self.replica.clone(),
            instance: self.instance.clone(),
            power: Power::On,
            since: at,
            execution: None,
            by: Some(by.to_owned()),
        }
    }
}

impl Sources {
    pub fn apply(&mut self, event: &Event) {
        let lane = &event.origin.lane;
        match &event.fact {
            Fact::SourceChanged { replica, instance, power, since, execution, by } => {
                if *power == Power::On && by.is_some() {
                    self.on_again.push((replica.clone(), instance.clone(), *since));
                }
                let in_cutover = self.cutovers.iter().any(|cutover| is_below(cutover, lane));
                let known = self.held.iter_mut().find(|at| at.replica == *replica && at.instance == *instance);
                match (power, known) {
                    (Power::Moved, Some(known)) if in_cutover => known.power = Power::Deployed,
                    (Power::Moved | Power::On, _) => {
                        self.held.retain(|source| source.replica != *replica || source.instance != *instance);
                    }
                    // Another copy does not switch it off again.
                    (_, Some(known)) if matches!(known.power, Power::Off | Power::Deployed) => {}
                    (_, Some(known)) => {
                        (known.power, known.since) = (*power, *since);
                        known.execution.clone_from(execution);
                    }
                    (_, None) => self.held.push(Source {
                        replica: replica.clone(),
                        instance: instance.clone(),
                        power: *power,
                        since: *since,
                        execution: execution.clone(),
                        origin: event.origin.clone(),
                    }),
                }
            }
            Fact::CutoverEntered { .. } if !self.cutovers.contains(lane) => self.cutovers.push(lane.clone()),
            Fact::CutoverEnded { end, .. } => {
                self.cutovers.retain(|cutover| cutover != lane);
                if *end == CutoverEnd::Verified {
                    let is_done = |source: &mut Source| source.power == Power::Deployed && source.is_of(lane);
                    let done = self.held.extract_if(.., is_done);
                    self.verified.extend(done.map(|source| (source.replica, source.instance)));
                }
            }
            _ => {}
        }
    }

    /// True if a cutover of this lane has begun and not ended.
    pub fn is_cutting_over(&self, lane: &str) -> bool {
        self.cutovers.iter().any(|cutover| &**cutover == lane)
    }

    /// True if the VM's cutover by this replica has ended well.
    pub fn is_verified(&self, replica: &str, instance: &str) -> bool {
        self.verified.iter().any(|(of, name)| of == replica && name == instance)
    }

    /// The number of cutovers that have begun and not ended.
    pub fn cutovers(&self) -> usize {
        self.cutovers.len()
    }

    /// True if somebody has switched the source of a VM on after this time.
    pub fn is_on_since(&self, replica: &str, instance: &str, than: Timestamp) -> bool {
        self.on_again.iter().any(|(of, name, at)| of == replica && name == instance && *at >= than)
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub fn len(&self) -> usize {
        self.held.len()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Source> {
        self.held.iter()
    }

    /// Those that this lane, or one below it, has switched off.
    pub fn of_lane<'a>(&'a self, lane: &'a str) -> impl Iterator<Item = &'a Source> {
        self.held.iter().filter(move |source| source.is_of(lane))
    }

    /// Those of an item's key, a VM's name, or a replica's id.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Source> {
        self.held.iter().filter(move |source| {
            source.instance == name || source.replica == name || source.origin.item.as_deref() == Some(name)
        })
    }

    /// The names of their VMs.
    pub fn names(&self) -> Vec<String> {
        self.held.iter().map(|source| source.instance.clone()).collect()
    }
}

impl<'a> IntoIterator for &'a Sources {
    type Item = &'a Source;
    type IntoIter = std::slice::Iter<'a, Source>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// True for the facts that [`Sources`] is made from.
pub fn concerns(fact: &Fact) -> bool {
    matches!(fact, Fact::SourceChanged { .. } | Fact::CutoverEntered { .. } | Fact::CutoverEnded { .. })
}

/// True if a lane is another one, or below it.
fn is_below(lane: &str, other: &str) -> bool {
    other.strip_prefix(lane).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The facts about the sources of an execution, a migration or a deployment, by the server's object. `replica` is the
/// id of what it belongs to; `now` stands in where the server names no time.
pub fn facts(replica: &str, object: &Value, deploys: bool, now: Timestamp) -> Vec<Fact> {
    let object = Object::from(object);
    let execution = object.id().map(str::to_owned);
    let fact = |instance: &str, power, since: Option<Timestamp>| Fact::SourceChanged {
        replica: replica.to_owned(),
        instance: instance.to_owned(),
        power,
        since: since.unwrap_or(now),
        execution: execution.clone(),
        by: None,
    };
    if deploys && object.status().succeeded() {
        return object.instances().map(|instance| fact(instance, Power::Moved, object.updated_at())).collect();
    }
    object.switched_off().map(|(instance, power, since)| fact(instance, power, since)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// A fact about one VM, whose cutover runs in the lane `main/w/db`.
    #[derive(Clone, Copy, Debug)]
    enum Said {
        Power(Power),
        Entered,
        Ended(CutoverEnd),
    }

    /// The VM's source by a simple account: off from its shutdown until it is on or moved, and a VM that is deployed
    /// inside of its cutover is moved only when that has ended well.
    fn account(said: &[Said]) -> bool {
        let (mut held, mut deployed, mut inside) = (false, false, false);
        for said in said {
            match said {
                Said::Entered => inside = true,
                Said::Ended(end) => {
                    inside = false;
                    if *end == CutoverEnd::Verified && deployed {
                        (held, deployed) = (false, false);
                    }
                }
                Said::Power(Power::On) => (held, deployed) = (false, false),
                Said::Power(Power::Moved | Power::Deployed) if inside && held => deployed = true,
                Said::Power(Power::Moved) => (held, deployed) = (false, false),
                Said::Power(_) => held = true,
            }
        }
        held
    }

    proptest! {
        #[test]
        fn in_any_order_a_source_that_was_switched_off_is_held_until_it_is_on_or_its_vm_is_moved(
            said in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec![Power::GoingOff, Power::Off, Power::Unclear, Power::On, Power::Moved])
                        .prop_map(Said::Power),
                    Just(Said::Entered),
                    prop::sample::select(vec![CutoverEnd::Verified, CutoverEnd::RolledBack, CutoverEnd::Failed])
                        .prop_map(Said::Ended),
                ],
                0..24,
            ),
        ) {
            let mut sources = Sources::default();
            for (minute, said) in said.iter().enumerate() {
                let mut event = event(i64::try_from(minute).unwrap_or(0), "main/w/db", "db-01", Power::Off);
                let label = "db-01".to_owned();
                match said {
                    Said::Power(power) => {
                        if let Fact::SourceChanged { power: now, .. } = &mut event.fact {
                            *now = *power;
                        }
                    }
                    Said::Entered => event.fact = Fact::CutoverEntered { label },
                    Said::Ended(end) => event.fact = Fact::CutoverEnded { label, end: *end },
                }
                sources.apply(&event);
            }
            prop_assert_eq!(!sources.is_empty(), account(&said), "{:?}", said);
        }
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(minute)
    }

    fn event(minute: i64, lane: &str, instance: &str, power: Power) -> Event {
        let (replica, instance) = (format!("r-{instance}"), instance.to_owned());
        let fact = Fact::SourceChanged { replica, instance, power, since: at(minute), execution: None, by: None };
        let item = lane.rsplit_once('/').map(|(_, item)| item.into());
        Event { v: 1, at: at(minute), origin: Origin { lane: lane.into(), wave: None, item }, fact }
    }

    fn fold(events: &[Event]) -> Sources {
        let mut sources = Sources::default();
        events.iter().for_each(|event| sources.apply(event));
        sources
    }

    #[test]
    fn a_source_is_held_from_its_shutdown_until_it_is_moved_or_on_again() {
        let off = |minute| event(minute, "main/w/db", "db-01", Power::Off);
        let after = |power| fold(&[off(1), event(5, "main/w/db", "db-01", power)]).names();
        assert!(after(Power::Moved).is_empty() && after(Power::On).is_empty());
        for held in [Power::GoingOff, Power::Unclear, Power::Off] {
            assert_eq!(after(held), ["db-01"], "{held:?}");
        }
        // It has been off since the first shutdown, whatever a second copy does.
        for again in [Power::GoingOff, Power::Off, Power::Unclear] {
            let sources = fold(&[off(1), event(5, "main/w/db", "db-01", again)]);
            assert_eq!(
                sources.iter().map(|source| (source.power, source.since)).collect::<Vec<_>>(),
                [(Power::Off, at(1))]
            );
        }
    }

    #[test]
    fn sources_are_found_by_lane_and_by_name() {
        let sources = fold(&[
            event(1, "main/w/db", "db-01", Power::Off),
            event(2, "main/w/db/2", "db-02", Power::GoingOff),
            event(3, "main/w/db-3", "db-03", Power::Off),
        ]);
        let of = |lane| sources.of_lane(lane).map(|source| &*source.instance).collect::<Vec<_>>();
        assert_eq!(of("main/w/db"), ["db-01", "db-02"]);
        assert_eq!(of("main"), ["db-01", "db-02", "db-03"]);
        let named = |name| sources.named(name).map(|source| &*source.instance).collect::<Vec<_>>();
        assert_eq!((named("db-02"), named("r-db-02"), named("db")), (vec!["db-02"], vec!["db-02"], vec!["db-01"]));
    }

    #[test]
    fn the_tasks_of_an_execution_tell_the_state_of_each_source() {
        let seen = |status: &str, task: &str| {
            let tasks = json!([{"task_type": "SHUTDOWN_INSTANCE", "instance": "db-01", "status": task}]);
            let object = json!({"id": "E", "status": status, "tasks": tasks});
            match facts("T", &object, false, at(0)).as_slice() {
                [Fact::SourceChanged { power, .. }] => Some(*power),
                _ => None,
            }
        };
        let table = [
            ("RUNNING", "SCHEDULED", Power::GoingOff),
            ("RUNNING", "RUNNING", Power::GoingOff),
            ("RUNNING", "COMPLETED", Power::Off),
            ("CANCELED", "COMPLETED", Power::Off),
            ("CANCELED", "CANCELED_AFTER_COMPLETION", Power::Off),
            ("CANCELED", "UNSCHEDULED", Power::On),
            ("ERROR", "FAILED_TO_SCHEDULE", Power::On),
            ("CANCELED", "CANCELED", Power::Unclear),
            ("ERROR", "ERROR", Power::Unclear),
            ("ERROR", "SOMETHING_NEW", Power::Unclear),
        ];
        for (status, task, power) in table {
            assert_eq!(seen(status, task), Some(power), "{status} {task}");
        }
        assert_eq!(facts("T", &json!({"id": "E", "status": "RUNNING", "tasks": []}), false, at(0)).len(), 0);
        let deployed = json!({"id": "D", "status": "COMPLETED", "instances": ["db-01", "db-02"]});
        assert_eq!(facts("T", &deployed, true, at(0)).len(), 2);
    }
}
