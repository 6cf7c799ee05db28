use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::wave::Budget;

fn at(second: i64) -> Instant {
    Instant::START + SignedDuration::from_secs(second)
}

fn second(time: Instant) -> i64 {
    time.duration_since(Instant::START).as_secs()
}

fn failure() -> Error {
    Error::new(Kind::Failed, "disk 0 went away")
}

fn options(limit: usize, retries: u32, allowed: usize) -> Options {
    Options { limit, retries, backoff: Duration::from_secs(30), max_failures: Budget::Count(allowed) }
}

fn machine(count: usize, options: Options) -> Machine {
    Machine::new((1..=count).map(|number| format!("vm-{number}")).collect(), options).expect("keys differ")
}

fn launch(item: usize, attempt: u32) -> Action {
    Action::Launch { item, attempt }
}

#[test]
fn what_one_item_met_and_all_have_to_stop_for_is_nobody_s_wish() {
    let mut wave = machine(3, options(2, 0, 0));
    wave.next(at(0));
    wave.finished(0, Err(Error::new(Kind::Storage, "no space left on device")), at(1));
    wave.halt("no space left on device".to_owned(), at(1));
    wave.finished(1, Err(Error::interrupted()), at(2));
    let causes = |item| wave.outcome(item).map(|ended| (ended.outcome, ended.cause.map(|cause| cause.message)));
    assert_eq!(causes(0), Some((Outcome::Cancelled, Some("no space left on device".to_owned()))));
    assert_eq!(causes(1), Some((Outcome::Cancelled, Some("stopped: no space left on device".to_owned()))));
    assert_eq!(causes(2), Some((Outcome::Skipped, None)));
    assert_eq!(wave.summary(at(2)).stopped.as_deref(), Some("no space left on device"));
}

#[test]
fn equal_keys_are_refused_with_both_rows() {
    let keys = ["web", "db", "web"].map(str::to_owned).to_vec();
    let error = Machine::new(keys, Options::default()).expect_err("not told apart");
    assert_eq!(error.message, "items 1 and 3 have the same key `web`");
}

#[test]
fn a_wave_of_nothing_is_finished() {
    assert_eq!(machine(0, Options::default()).next(at(0)), [Action::Finished]);
}

#[test]
fn a_retry_waits_without_a_slot_and_goes_before_what_is_new() {
    let mut wave = machine(3, options(1, 1, 0));
    assert_eq!(wave.next(at(0)), [launch(0, 1)]);
    wave.finished(0, Err(failure()), at(10));
    assert_eq!(wave.next(at(10)), [launch(1, 1)]);
    wave.finished(1, Ok(()), at(50));
    assert_eq!(wave.next(at(50)), [launch(0, 2)]);
    wave.finished(0, Ok(()), at(60));
    assert_eq!(wave.next(at(60)), [launch(2, 1)]);
    wave.finished(2, Err(failure()), at(70));
    assert_eq!(wave.next(at(70)), [Action::Wake { at: at(100) }]);
    assert_eq!(wave.next(at(100)), [launch(2, 2)]);
    wave.finished(2, Ok(()), at(101));
    assert_eq!(wave.next(at(101)), [Action::Finished]);
    let summary = wave.summary(at(101));
    let items: Vec<_> = summary
        .items
        .iter()
        .map(|item| (item.outcome, item.attempts, item.elapsed.as_secs(), item.cause.is_some()))
        .collect();
    assert_eq!(items, [(Outcome::Ok, 2, 60, false), (Outcome::Ok, 1, 40, false), (Outcome::Ok, 2, 41, false)]);
    assert_eq!((summary.counts.ok, summary.stopped, summary.elapsed.as_secs()), (3, None, 101));
}

#[test]
fn what_cannot_start_waits_for_what_runs_and_no_more_are_tried_at_once() {
    let mut wave = machine(4, options(4, 0, 0));
    assert_eq!(wave.next(at(0)), [launch(0, 1), launch(1, 1), launch(2, 1), launch(3, 1)]);
    assert!(wave.withdraw(2) && wave.withdraw(3));
    assert_eq!(wave.next(at(0)), []);
    wave.finished(0, Ok(()), at(5));
    assert_eq!(wave.next(at(5)), [launch(2, 1)]);
    assert!(wave.withdraw(2));
    wave.finished(1, Ok(()), at(6));
    assert_eq!(wave.next(at(6)), [launch(2, 1)]);
    assert!(!wave.withdraw(2), "nothing runs that could make room");
    wave.finished(2, Ok(()), at(7));
    assert_eq!(wave.next(at(7)), [launch(3, 1)]);
    wave.finished(3, Ok(()), at(8));
    assert_eq!(wave.next(at(8)), [Action::Finished]);
    assert_eq!(wave.summary(at(8)).counts.ok, 4);
}

#[test]
fn after_one_failure_too_many_nothing_starts_and_the_running_finish() {
    let mut wave = machine(6, options(3, 1, 1));
    assert_eq!(wave.next(at(0)), [launch(0, 1), launch(1, 1), launch(2, 1)]);
    let refused = || Error::new(Kind::Refused, "it would boot stale data");
    wave.finished(0, Err(refused()), at(5));
    assert_eq!(wave.next(at(5)), [launch(3, 1)]);
    wave.finished(1, Err(failure()), at(6));
    assert_eq!(wave.next(at(6)), [launch(4, 1)]);
    wave.finished(2, Err(refused()), at(7));
    assert_eq!(wave.next(at(7)), []);
    wave.finished(3, Ok(()), at(60));
    wave.finished(4, Err(failure()), at(61));
    assert_eq!(wave.next(at(61)), [Action::Finished]);
    let summary = wave.summary(at(61));
    assert_eq!(summary.stopped.as_deref(), Some("2 items failed and `max_failures` allows 1"));
    assert!(summary.over_budget);
    assert_eq!(summary.keys(Outcome::Ok), ["vm-4"]);
    assert_eq!(summary.keys(Outcome::Failed), ["vm-1", "vm-2", "vm-3", "vm-5"]);
    assert_eq!(summary.keys(Outcome::Skipped), ["vm-6"]);
    assert_eq!(summary.items.iter().map(|item| item.attempts).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 0]);
}

#[test]
fn a_pause_leaves_what_waits_to_be_resumed() {
    let mut wave = machine(4, options(2, 3, 0));
    wave.next(at(0));
    wave.finished(0, Err(failure()), at(1));
    wave.next(at(1));
    wave.pause(at(2));
    assert_eq!(wave.next(at(2)), []);
    wave.finished(1, Err(Error::interrupted()), at(3));
    wave.finished(2, Ok(()), at(4));
    assert_eq!(wave.next(at(4)), [Action::Finished]);
    let outcomes: Vec<Outcome> = wave.summary(at(4)).items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Cancelled, Outcome::Cancelled, Outcome::Ok, Outcome::Skipped]);
    assert!(!wave.summary(at(4)).over_budget);
}

#[test]
fn the_last_attempt_s_cause_is_told_with_the_first_beside_it_and_the_news_tell_the_story() {
    let mut wave = machine(1, options(1, 1, 0));
    wave.next(at(0));
    wave.finished(0, Err(Error::new(Kind::Failed, "first")), at(1));
    wave.next(at(31));
    wave.finished(0, Err(Error::new(Kind::Api, "second")), at(32));
    let outcome = wave.outcome(0).expect("ended");
    let told = |cause: Option<Error>| cause.map(|cause| cause.message);
    assert_eq!((told(outcome.cause), told(outcome.first)), (Some("second".to_owned()), Some("first".to_owned())));
    assert_eq!(outcome.attempts, 2);
    let news: Vec<String> = wave
        .take_news()
        .iter()
        .map(|news| match news {
            News::Retried { item, attempt, attempts, cause, next } => {
                format!("{item} retried {attempt}/{attempts} at {}: {cause}", second(*next))
            }
            News::Ended { item } => format!("{item} ended"),
            News::Restored { item } => format!("{item} had ended"),
            News::Stopping { reason } => format!("stopping: {reason}"),
        })
        .collect();
    assert_eq!(news, ["0 retried 2/2 at 31: first", "0 ended", "stopping: 1 item failed and `max_failures` allows 0"]);
}

#[test]
fn causes_of_an_earlier_process_stay_beside_that_of_this_one() {
    let error = |message: &str| Error::new(Kind::Failed, message);
    let told = |cause: Option<Error>| cause.map(|cause| cause.message);
    for (first, last, ends, expected) in [
        (None, None, "now", (Some("now"), None)),
        (None, Some("one"), "now", (Some("now"), Some("one"))),
        (Some("one"), Some("two"), "now", (Some("now"), Some("one"))),
        (Some("one"), Some("two"), "one", (Some("one"), None)),
    ] {
        let mut wave = machine(1, options(1, 3, 0));
        let causes = Causes { last: last.map(error), first: first.map(error) };
        wave.restore(0, Earlier::Interrupted { attempt: 4, began: at(0), causes });
        wave.next(at(10));
        wave.finished(0, Err(error(ends)), at(11));
        let outcome = wave.outcome(0).expect("ended");
        assert_eq!((told(outcome.cause).as_deref(), told(outcome.first).as_deref()), expected);
    }
}

#[test]
fn what_another_attempt_cannot_help_is_not_tried_again() {
    let errors = [
        (Error::new(Kind::Cancelled, "by somebody"), Outcome::Failed),
        (Error::new(Kind::NotFound, "gone").detail("vanished", true), Outcome::Failed),
        (Error::new(Kind::Refused, "harm"), Outcome::Failed),
        (Error::new(Kind::Unknown, "lost reply"), Outcome::Unknown),
        (Error::interrupted(), Outcome::Cancelled),
    ];
    for (error, expected) in errors {
        let mut wave = machine(1, options(1, 5, 0));
        wave.next(at(0));
        wave.finished(0, Err(error), at(1));
        assert_eq!(wave.outcome(0).map(|item| item.outcome), Some(expected));
    }
}

/// The attempts of an item: how long each lasts and whether it succeeds. The last one repeats.
type Script = Vec<(i64, bool)>;

#[derive(Clone, Debug, PartialEq)]
struct Story {
    /// The launches in order: second, item, attempt.
    launches: Vec<(i64, usize, u32)>,
    outcomes: Vec<Outcome>,
}

fn act(script: &Script, attempt: u32) -> (i64, bool) {
    script[(attempt as usize - 1).min(script.len() - 1)]
}

/// The wave as the machine runs it. Time moves to the next end, wake-up or pause.
fn play(scripts: &[Script], options: &Options, pause: Option<i64>) -> Story {
    let mut wave = machine(scripts.len(), options.clone());
    let mut ends: BTreeMap<(i64, usize), bool> = BTreeMap::new();
    let (mut launches, mut now, mut pause) = (Vec::new(), 0, pause);
    loop {
        let mut wake = None;
        for action in wave.next(at(now)) {
            match action {
                Action::Launch { item, attempt } => {
                    launches.push((now, item, attempt));
                    let (lasts, succeeds) = act(&scripts[item], attempt);
                    ends.insert((now + lasts, item), succeeds);
                }
                Action::Wake { at } => wake = Some(second(at)),
                Action::Finished => {
                    let outcomes = wave.summary(at(now)).items.iter().map(|item| item.outcome).collect();
                    return Story { launches, outcomes };
                }
            }
        }
        assert_eq!(wave.running(), ends.len());
        assert!(ends.len() <= options.limit);
        let next = ends.keys().next().map(|(end, _)| *end);
        now = next.into_iter().chain(wake).chain(pause).min().expect("something is to come");
        while let Some(entry) = ends.first_entry().filter(|entry| entry.key().0 == now) {
            let ((_, item), succeeds) = entry.remove_entry();
            wave.finished(item, if succeeds { Ok(()) } else { Err(failure()) }, at(now));
        }
        if pause == Some(now) {
            wave.pause(at(now));
            pause = None;
        }
    }
}

/// The same, second by second, in the plainest way.
fn oracle(scripts: &[Script], options: &Options, pause: Option<i64>) -> Story {
    let total = scripts.len();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; total];
    let mut attempts = vec![0_u32; total];
    let mut ends: Vec<Option<i64>> = vec![None; total];
    let mut due: Vec<Option<i64>> = vec![None; total];
    let (mut launches, mut stopped, mut paused) = (Vec::new(), false, false);
    for now in 0.. {
        for item in 0..total {
            if ends[item] != Some(now) {
                continue;
            }
            ends[item] = None;
            let failed = |outcomes: &[Option<Outcome>]| {
                outcomes.iter().filter(|outcome| **outcome == Some(Outcome::Failed)).count()
            };
            if act(&scripts[item], attempts[item]).1 {
                outcomes[item] = Some(Outcome::Ok);
            } else if attempts[item] <= options.retries && !stopped {
                let factor = [1, 2, 4, 8][attempts[item] as usize - 1].min(10);
                due[item] = Some(now + factor * options.backoff.as_secs() as i64);
            } else if attempts[item] <= options.retries && paused {
                outcomes[item] = Some(Outcome::Cancelled);
            } else {
                outcomes[item] = Some(Outcome::Failed);
            }
            if !stopped && failed(&outcomes) > options.max_failures.of(total) {
                stopped = true;
                for other in 0..total {
                    if due[other].take().is_some() {
                        outcomes[other] = Some(Outcome::Failed);
                    } else if attempts[other] == 0 {
                        outcomes[other] = Some(Outcome::Skipped);
                    }
                }
            }
        }
        if pause == Some(now) && !stopped {
            (stopped, paused) = (true, true);
            for other in 0..total {
                if due[other].take().is_some() {
                    outcomes[other] = Some(Outcome::Cancelled);
                } else if attempts[other] == 0 {
                    outcomes[other] = Some(Outcome::Skipped);
                }
            }
        }
        while !stopped && ends.iter().flatten().count() < options.limit {
            let retry =
                (0..total).filter(|item| due[*item].is_some_and(|due| due <= now)).min_by_key(|item| due[*item]);
            let Some(item) = retry.or_else(|| (0..total).find(|item| attempts[*item] == 0)) else { break };
            due[item] = None;
            attempts[item] += 1;
            launches.push((now, item, attempts[item]));
            ends[item] = Some(now + act(&scripts[item], attempts[item]).0);
        }
        if outcomes.iter().all(Option::is_some) {
            break;
        }
    }
    Story { launches, outcomes: outcomes.into_iter().flatten().collect() }
}

fn script() -> impl Strategy<Value = Script> {
    prop::collection::vec((1..60_i64, prop::bool::weighted(0.7)), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wave_runs_as_the_plainest_simulation_of_it(
        scripts in prop::collection::vec(script(), 0..14),
        limit in 1..6_usize,
        retries in 0..3_u32,
        backoff in 1..40_u64,
        budget in prop_oneof![(0..4_usize).prop_map(Budget::Count), (0..100_u8).prop_map(|p| Budget::Percent(f64::from(p)))],
        pause in prop::option::weighted(0.3, 1..120_i64),
    ) {
        let options = Options { limit, retries, backoff: Duration::from_secs(backoff), max_failures: budget };
        let story = play(&scripts, &options, pause);
        prop_assert_eq!(&story, &oracle(&scripts, &options, pause));
        prop_assert_eq!(story.outcomes.len(), scripts.len());
        prop_assert!(story.launches.iter().all(|(_, _, attempt)| *attempt <= retries + 1));
        let firsts: Vec<usize> = story.launches.iter().filter(|launch| launch.2 == 1).map(|launch| launch.1).collect();
        prop_assert!(firsts.is_sorted(), "items start in their order: {firsts:?}");
    }
}
