use proptest::prelude::*;

use super::*;
use crate::clock::Speed;

fn start() -> Instant {
    Instant::START
}

fn after(milliseconds: i64) -> Instant {
    start() + SignedDuration::from_millis(milliseconds)
}

/// The same moment in the server's format.
fn time(milliseconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_millis(milliseconds)
}

fn execution(number: usize) -> TargetKind {
    TargetKind::Execution { transfer_id: format!("t{number:03}"), id: format!("e{number:03}") }
}

fn deployment(number: usize) -> TargetKind {
    TargetKind::Deployment { id: format!("d{number:03}") }
}

/// A target of the simulated server: its start and end in milliseconds, and how often its row moves in between.
#[derive(Clone, Debug)]
struct Run {
    kind: TargetKind,
    starts: i64,
    ends: i64,
    moves: i64,
}

/// The observations of one target.
#[derive(Clone, Debug, Default)]
struct Fate {
    first_shown: Option<i64>,
    found: Option<i64>,
}

/// A server that answers in `latency` milliseconds, with other transfers whose rows move all the time.
struct World {
    runs: Vec<Run>,
    latency: i64,
    strangers: usize,
    generation: Generation,
}

impl World {
    fn row(&self, run: &Run, now: i64) -> Row {
        let ended = now >= run.ends;
        let moved = if run.moves > 0 { now - (now - run.starts) % run.moves } else { run.starts };
        let updated = if ended { run.ends } else { moved };
        Row {
            id: run.kind.row().to_owned(),
            status: if ended { "COMPLETED" } else { "RUNNING" }.to_owned(),
            updated: Some(time(updated / 1000 * 1000)),
        }
    }

    fn feed(&self, of: List, limit: Option<usize>, now: i64) -> Vec<Row> {
        let stranger = |number: usize| Row {
            id: format!("s{number}"),
            status: "RUNNING".to_owned(),
            updated: Some(time((now - number as i64 % 7000) / 1000 * 1000)),
        };
        let ours = self.runs.iter().filter(|run| run.kind.list() == Some(of) && run.starts <= now);
        let mut rows: Vec<Row> = ours.map(|run| self.row(run, now)).chain((0..self.strangers).map(stranger)).collect();
        rows.sort_by(|a, b| b.updated.cmp(&a.updated).then(a.id.cmp(&b.id)));
        rows.truncate(limit.unwrap_or(usize::MAX));
        rows
    }

    /// Lets the plan watch until every end was found; returns the fates and the times of the questions.
    fn play(&self, pace: Pace) -> (Vec<Fate>, Vec<(i64, Question)>) {
        let mut plan = Plan::new(pace);
        plan.speaks(self.generation);
        let mut fates = vec![Fate::default(); self.runs.len()];
        let mut coming: Vec<usize> = (0..self.runs.len()).collect();
        coming.sort_by_key(|number| self.runs[*number].starts);
        let mut asked = Vec::new();
        let mut now = 0;
        while fates.iter().any(|fate| fate.found.is_none()) {
            coming.retain(|number| {
                let run = &self.runs[*number];
                if run.starts <= now {
                    plan.add(run.kind.clone(), after(run.starts), after(now), true);
                }
                run.starts > now
            });
            match plan.next(after(now)) {
                Step::Ask(question) => {
                    asked.push((now, question.clone()));
                    now += self.latency;
                    self.answer(&mut plan, &mut fates, &question, now);
                }
                Step::Wait { until, .. } => {
                    let nanoseconds = until.duration_since(start()).as_nanos();
                    let until = i64::try_from((nanoseconds + 999_999) / 1_000_000).expect("short");
                    assert!(until > now, "waits until {until} at {now}");
                    now = coming.first().map_or(until, |number| until.min(self.runs[*number].starts).max(now));
                }
            }
            assert!(asked.len() < 200_000, "never ends");
        }
        (fates, asked)
    }

    fn answer(&self, plan: &mut Plan, fates: &mut [Fate], question: &Question, now: i64) {
        match question {
            Question::Show(kind) => {
                let number = self.runs.iter().position(|run| run.kind == *kind).expect("known");
                fates[number].first_shown.get_or_insert(now - self.latency);
                if now >= self.runs[number].ends {
                    fates[number].found = Some(now);
                    plan.remove(kind);
                } else {
                    plan.seen(kind, after(now));
                }
            }
            Question::Feed { of, limit } => plan.listed(*of, *limit, &self.feed(*of, *limit, now), after(now)),
        }
    }
}

fn pace() -> Pace {
    Pace::of(&Clock::new(Speed::Real))
}

fn run() -> impl Strategy<Value = (bool, i64, i64, i64)> {
    (any::<bool>(), 0..120_000_i64, 500..900_000_i64, prop_oneof![Just(0), 1_000..60_000_i64])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_end_is_found_soon_within_the_budget(
        runs in prop::collection::vec(run(), 1..48),
        latency in 5..180_i64,
        strangers in 0..200_usize,
        legacy in any::<bool>(),
    ) {
        let runs: Vec<Run> = runs
            .into_iter()
            .enumerate()
            .map(|(number, (deploys, starts, lasts, moves))| Run {
                kind: if deploys { deployment(number) } else { execution(number) },
                starts,
                ends: starts + lasts,
                moves,
            })
            .collect();
        let generation = if legacy { Generation::Legacy } else { Generation::Current };
        let world = World { runs, latency, strangers, generation };
        let (fates, asked) = world.play(pace());
        for (first, last) in asked.iter().zip(asked.iter().skip(50)) {
            prop_assert!(last.0 - first.0 >= 10_000, "51 questions between {} and {}", first.0, last.0);
        }
        for (run, fate) in world.runs.iter().zip(&fates) {
            let stale = fate.found.expect("played to the end") - run.ends;
            // At most one interval, and one round of questions about all targets.
            let bound = 15_000 + 350 * world.runs.len() as i64;
            prop_assert!(stale <= bound, "{run:?} found after {stale} ms");
        }
    }

    #[test]
    fn few_targets_are_looked_at_within_a_second(count in 1..=5_usize, latency in 1..40_i64) {
        let runs = (0..count)
            .map(|number| Run { kind: execution(number), starts: 0, ends: 60_000, moves: 0 })
            .collect();
        let world = World { runs, latency, strangers: 0, generation: Generation::Current };
        for fate in world.play(pace()).0 {
            prop_assert!(fate.first_shown.is_some_and(|shown| shown <= 1_000), "{fate:?}");
        }
    }
}

#[test]
fn the_interval_grows_with_age() {
    let runs = vec![Run { kind: execution(0), starts: 0, ends: 1_200_000, moves: 0 }];
    let world = World { runs, latency: 20, strangers: 0, generation: Generation::Current };
    let (_, asked) = world.play(pace());
    let gap = |second: i64| {
        let next = asked.iter().position(|(at, _)| *at >= second * 1000).expect("asked until the end");
        (asked[next].0 - asked[next - 1].0 + 500) / 1000
    };
    assert_eq!([30, 90, 240, 500, 1100].map(gap), [2, 3, 8, 15, 15]);
}

#[test]
fn many_are_followed_by_the_list_and_few_are_not() {
    let feeds = |count: usize| {
        let run = |number| Run { kind: execution(number), starts: 0, ends: 300_000, moves: 0 };
        let runs = (0..count).map(run).collect();
        let world = World { runs, latency: 20, strangers: 0, generation: Generation::Current };
        world.play(pace()).1.into_iter().filter(|(_, question)| matches!(question, Question::Feed { .. })).count()
    };
    assert_eq!(feeds(8), 0);
    assert!((100..=160).contains(&feeds(40)), "{}", feeds(40));
}

#[test]
fn what_the_list_says_has_ended_is_shown_next() {
    let mut plan = Plan::new(pace());
    let later = after(600_000);
    for number in 0..20 {
        plan.add(execution(number), start(), start(), true);
        plan.seen(&execution(number), later);
    }
    let row = |number: usize, status: &str| Row {
        id: execution(number).row().to_owned(),
        status: status.to_owned(),
        updated: Some(time(0)),
    };
    let feed = Question::Feed { of: List::Transfers, limit: Some(50) };
    assert_eq!(plan.next(later), Step::Ask(feed));
    plan.listed(List::Transfers, Some(50), &[row(3, "RUNNING"), row(17, "COMPLETED")], later);
    assert_eq!(plan.next(later), Step::Ask(Question::Show(execution(17))));
    plan.seen(&execution(17), later);
    assert!(matches!(plan.next(later), Step::Wait { polls: true, .. }));
    // An unchanged row is no news: it mirrored something else.
    plan.listed(List::Transfers, Some(50), &[row(3, "RUNNING"), row(17, "COMPLETED")], later);
    assert!(matches!(plan.next(later), Step::Wait { polls: true, .. }));
}

#[test]
fn a_page_that_does_not_reach_the_last_one_is_asked_again_larger() {
    let mut plan = Plan::new(pace());
    for number in 0..20 {
        plan.add(execution(number), start(), start(), true);
        plan.seen(&execution(number), start());
    }
    let page = |count: usize, second: i64| -> Vec<Row> {
        (0..count)
            .map(|number| Row {
                id: format!("s{number}"),
                status: "RUNNING".to_owned(),
                updated: Some(time(second * 1000)),
            })
            .collect()
    };
    let feed = |limit| Step::Ask(Question::Feed { of: List::Transfers, limit: Some(limit) });
    assert_eq!(plan.next(start()), feed(50));
    plan.listed(List::Transfers, Some(50), &page(50, 10), start());
    let now = after(2_500);
    assert_eq!(std::iter::repeat_with(|| plan.next(now)).find(|step| *step == feed(50)), Some(feed(50)));
    plan.listed(List::Transfers, Some(50), &page(50, 20), now);
    assert_eq!(plan.next(now), feed(200));
    plan.listed(List::Transfers, Some(200), &page(120, 20), now);
    assert!(!matches!(plan.next(now), Step::Ask(Question::Feed { .. })));
}

#[test]
fn a_fast_clock_is_bounded_in_the_systems_time_too() {
    let pace = Pace::of(&Clock::new(Speed::Times(600.0)));
    assert_eq!((pace.questions, pace.window.as_secs(), pace.alone.shortest.as_secs()), (20, 60, 90));
    let pace = Pace::of(&Clock::new(Speed::Times(2.0)));
    assert_eq!((pace.questions, pace.window.as_secs(), pace.alone.shortest.as_secs()), (5, 1, 2));
}

#[test]
fn an_outage_leaves_the_server_alone() {
    let mut plan = Plan::new(pace());
    plan.add(execution(0), start(), start(), false);
    plan.hold(start(), SignedDuration::from_secs(4));
    assert_eq!(plan.next(start()), Step::Wait { until: after(4_000), polls: false });
    assert_eq!(plan.next(after(4_000)), Step::Ask(Question::Show(execution(0))));
}
