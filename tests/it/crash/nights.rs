//! Random bad nights of one VM, in virtual time: what becomes of one of its changes, what others do meanwhile, and what is
//! left of the journal. The server's state is the oracle: nothing is made twice, nothing foreign is used, and the end is a
//! success, a refusal or a question.

use std::collections::BTreeSet;

use coriolis_run::journal::Past;
use coriolis_run::runtime::gates::Nobody;
use coriolis_run::sandbox::Fault;
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::foreign::{ACTS, ids, judge, state};
use super::*;

/// Four changes: the replica, a copy, the final delta, the deployment.
const NIGHT: &str = r#"
    let replica = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
    replica_sync(replica);
    let last = replica_sync(replica, #{ shutdown_instances: true });
    let made = replica_deploy(replica, #{ requires: last });
    #{ copy: last.id, deployment: made.id }
"#;

const CREATE: usize = 0;
const FINAL: usize = 2;
const DEPLOY: usize = 3;

/// What becomes of a change.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Trouble(Trouble),
    /// The process dies when the change is on record, before it leaves.
    DiesBefore,
    /// The process dies when the change was carried out, before that is on record.
    DiesAfter,
}

#[derive(Clone, Debug)]
struct Night {
    generation: Generation,
    /// Which of the changes, and what becomes of it.
    change: usize,
    fate: Fate,
    /// Something for the change after it as well, which may be the same one sent again.
    then: Option<Trouble>,
    /// How many looks at the executions are answered with 503.
    blind: usize,
    /// Which of their acts others do before the next process.
    act: Option<usize>,
    /// How much of the journal is kept, in percent, and whether that is noticed.
    cut: Option<(usize, bool)>,
}

fn troubles() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        4 => (10u32..170).prop_map(Trouble::Late),
        1 => Just(Trouble::DroppedBefore),
        1 => Just(Trouble::DroppedAfter),
        1 => Just(Trouble::UnavailableBefore),
        1 => Just(Trouble::UnavailableAfter),
        1 => Just(Trouble::Hollow),
        1 => Just(Trouble::Surprise),
    ]
}

/// The act that deletes the replica.
const DELETED: usize = ACTS.len() - 1;

fn nights() -> impl Strategy<Value = Night> {
    let fate =
        prop_oneof![3 => troubles().prop_map(Fate::Trouble), 3 => Just(Fate::DiesBefore), 1 => Just(Fate::DiesAfter)];
    let cut = prop_oneof![3 => Just(None), 1 => (10usize..100, any::<bool>()).prop_map(Some)];
    (
        prop::sample::select(GENERATIONS.to_vec()),
        CREATE..=DEPLOY,
        fate,
        prop::option::weighted(0.3, troubles()),
        0usize..6,
        prop::option::weighted(0.6, 0..ACTS.len()),
        cut,
    )
        .prop_map(|(generation, change, fate, then, blind, act, cut)| Night {
            generation,
            change,
            fate,
            // The act of the others is not to be what comes late.
            then: then.filter(|then| act.is_none() || !is_very_late(*then)),
            blind,
            act,
            cut,
        })
}

/// Whether a request arrives when it is no longer looked for: what was sent again is its twin then.
fn is_very_late(trouble: Trouble) -> bool {
    matches!(trouble, Trouble::Late(seconds) if seconds > 75)
}

fn may_have_twins(night: &Night) -> bool {
    matches!(night.fate, Fate::Trouble(trouble) if is_very_late(trouble)) || night.then.is_some_and(is_very_late)
}

/// The lines of an undisturbed journal on which the changes begin.
fn beginnings(generation: Generation, folder: &Path) -> Vec<usize> {
    let run = Run::new(generation, folder);
    run.process_of(NIGHT, Arc::new(Nobody), None).0.value();
    let text = std::fs::read_to_string(&run.journal).unwrap();
    // The first line is written before the process has its disk.
    let lines = text.lines().enumerate().filter(|(_, line)| line.contains(r#""record":"began""#));
    lines.map(|(at, _)| at).collect()
}

/// How many of each there are: replicas, and final deltas that were begun.
fn made(run: &Run) -> [usize; 2] {
    let played = run.stage.play("replica_list().len()");
    let replicas = usize::try_from(played.value().as_u64().unwrap()).unwrap();
    let is_final = |request: &&Accepted| {
        request.path.ends_with("/executions")
            && request.status < 300
            && request.body["execution"]["shutdown_instances"] == true
    };
    [replicas, played.accepted.iter().filter(is_final).count()]
}

/// Why the night ended wrong, if it did.
fn wrong(night: &Night, beginnings: &[usize], folder: &Path) -> Option<String> {
    let run = Run::new(night.generation, folder);
    let began = run.stage.clock.now();
    let looks =
        Fault { method: "GET", path: "/executions".into(), times: night.blind, what: Trouble::UnavailableBefore };
    let dies = match night.fate {
        Fate::Trouble(trouble) => {
            run.stage.inject_at_change(night.change, trouble);
            None
        }
        Fate::DiesBefore => Some((beginnings[night.change], true)),
        Fate::DiesAfter => Some((beginnings[night.change] + 1, false)),
    };
    if let Some(trouble) = night.then {
        run.stage.inject_at_change(night.change + 1, trouble);
    }
    run.process_of(NIGHT, Arc::new(Nobody), dies);

    let (before, there) = (state(&run), made(&run));
    if let Some(act) = night.act {
        run.stage.play(&format!(r#"try {{ let r = replica_of("web-01"); {}; }} catch (error) {{}}"#, ACTS[act]));
    }
    let (after, now) = (state(&run), made(&run));
    let foreign: BTreeSet<String> =
        ids(&after["deployments"]).difference(&ids(&before["deployments"])).cloned().collect();
    if let Some((percent, _)) = night.cut {
        let text = std::fs::read_to_string(&run.journal).unwrap();
        let kept = text.lines().count() * percent / 100;
        let kept: String = text.split_inclusive('\n').take(kept.max(1)).collect();
        std::fs::write(&run.journal, kept).unwrap();
    }
    if night.blind > 0 {
        run.stage.sandbox.inject(looks);
    }
    let (journal, _) = run.journal(None);
    let past = Past::of(&journal.state(), Some(began), run.stage.clock.now());
    let journal = journal.after(past);
    if night.cut.is_some_and(|(_, noticed)| noticed) {
        journal.note_behind().unwrap();
    }
    let played = run.stage.play_recorded(NIGHT, Arc::new(journal), Arc::new(Nobody));

    // What looks were to miss is not missed by those of the oracle.
    for _ in 0..night.blind {
        run.stage.play("for r in replica_list() { replica_execution_list(r) }");
    }
    if run.stage.clock.now().duration_since(began) > SignedDuration::from_hours(24) {
        return Some("it lasted for days".into());
    }
    // What others have made or deleted is not the run's doing.
    let [replicas, finals] = made(&run);
    let is_gone = night.act == Some(DELETED) && now[0] < there[0];
    // A final delta that was deleted with its replica is none any more.
    let most = 1 + now[1] - there[1] + if is_gone { there[1] } else { 0 };
    if replicas > 1 && !may_have_twins(night) {
        return Some(format!("there are {replicas} replicas"));
    }
    if finals > most && !may_have_twins(night) {
        return Some(format!("{finals} final deltas were begun, others began {}", most - 1));
    }
    if replicas > 1 && played.result.is_ok() {
        return Some("it succeeded beside a twin".into());
    }
    judge(&run, &played, &[before, after], &foreign)
}

/// Nights on which earlier versions, or changes that were planted, did what is wrong.
fn known() -> Vec<Night> {
    let quiet = Night {
        generation: Generation::Current,
        change: FINAL,
        fate: Fate::DiesBefore,
        then: None,
        blind: 0,
        act: None,
        cut: None,
    };
    vec![
        // A colleague's plain copy is not the final delta.
        Night { act: Some(0), ..quiet.clone() },
        // A cancelled copy is not deployed.
        Night { change: DEPLOY, act: Some(5), ..quiet.clone() },
        // An older journal from before a replica that somebody has deleted since.
        Night { change: DEPLOY, act: Some(DELETED), cut: Some((10, false)), ..quiet.clone() },
        // A creation that arrives late is waited for.
        Night { change: CREATE, fate: Fate::Trouble(Trouble::Late(40)), ..quiet.clone() },
        Night { change: CREATE, fate: Fate::Trouble(Trouble::Late(40)), generation: Generation::Legacy, ..quiet },
    ]
}

#[test]
fn no_bad_night_ends_in_a_wrong_success() {
    let folder = folder("nights");
    let beginnings = GENERATIONS.map(|generation| beginnings(generation, &folder));
    let of = |night: &Night| {
        let at = GENERATIONS.iter().position(|generation| *generation == night.generation).unwrap();
        wrong(night, &beginnings[at], &folder)
    };
    assert_eq!(beginnings.each_ref().map(Vec::len), [4, 4]);
    for night in known() {
        assert_eq!(of(&night), None, "{night:?}");
    }
    let config = Config {
        cases: if is_whole() { 120 } else { 12 },
        max_shrink_iters: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&nights(), |night| match of(&night) {
        None => Ok(()),
        Some(why) => Err(TestCaseError::fail(why)),
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}

#[test]
fn a_refusal_of_what_was_sent_again_leads_to_a_look() {
    for generation in GENERATIONS {
        for change in [FINAL, DEPLOY] {
            let folder = folder(&format!("again-{}", generation.word()));
            let night = |dies| {
                let run = Run::new(generation, &folder);
                run.stage.inject_at_change(change, Trouble::Late(90));
                run.process_of(NIGHT, Arc::new(Nobody), dies);
                run
            };
            let text = std::fs::read_to_string(night(None).journal).unwrap();
            let absent = text.lines().position(|line| line.contains(r#""absent""#)).unwrap();
            let run = night(Some((absent, true)));
            // The request arrives between the last look and the second sending.
            run.stage.play(r#"sleep("20s")"#).value();
            let (played, _) = run.process_of(NIGHT, Arc::new(Nobody), None);
            let name = format!("{change} on {}", generation.word());
            assert!(played.result.is_ok(), "{name}: {:?}", played.error());
            assert_eq!(judge(&run, &played, &[], &BTreeSet::new()), None, "{name}");
            assert_eq!((made(&run)[1], played.deployments_made()), (1, 1), "{name}");
        }
    }
}
