//! Journals that are behind the server: cut, lost, or restored from an older copy. Nothing is made twice without a word.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coriolis_run::error::Kind;
use coriolis_run::event::{Event, Fact};
use coriolis_run::journal::file::{self, Log};
use coriolis_run::journal::replay::State;
use coriolis_run::journal::{Journal, Past};
use coriolis_run::model::Generation;
use coriolis_run::runtime::gates::{Gates, Nobody};
use jiff::Timestamp;
use serde_json::json;

use crate::command::folder;
use crate::rehearsal::{GENERATIONS, Options, Rehearsal, Stage, Yes};

/// The low-level functions, which have no guards of their own, and the units.
const RUNBOOK: &str = r#"
    region_create("east");
    let low = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "db-05" });
    wait_for(replica_execute(low));
    wait_for(deployment_create(low));
    wave("w", ["web-01", "web-02"], #{ limit: 2 }, |vm| {
        let r = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: vm });
        let last = replica_sync(r, #{ shutdown_instances: true });
        replica_deploy(r, #{ requires: last }).status
    }).ok"#;

struct Run {
    stage: Stage,
    journal: PathBuf,
    began: Timestamp,
}

impl Run {
    fn new(generation: Generation, folder: &Path) -> Self {
        let journal = folder.join("journal.jsonl");
        let _ = std::fs::remove_file(&journal);
        let stage = Stage::new(Options::of(generation));
        let began = stage.clock.now();
        Self { stage, journal, began }
    }

    /// A process of the run; `noted` when it is known that the journal was longer.
    fn process(&self, noted: bool, gates: Arc<dyn Gates>) -> Rehearsal {
        let clock = self.stage.clock.clone();
        let (file, state, is_first) = match file::load(&self.journal) {
            Ok(read) if !read.lines.is_empty() => {
                (file::reopen(&self.journal, read.end).unwrap(), file::fold(&read.lines).unwrap(), false)
            }
            Ok(_) => (file::create(&self.journal, clock.now()).unwrap(), State::default(), false),
            Err(_) => (file::create(&self.journal, clock.now()).unwrap(), State::default(), true),
        };
        let past = Past::of(&state, Some(self.began), clock.now());
        let log = Log::new(Arc::<File>::new(file), self.journal.clone());
        let journal = Journal::new("m4k7t2qa".into(), [7; 32], clock, state, Some(log));
        let journal = if is_first { journal } else { journal.after(past) };
        if noted {
            journal.note_behind().unwrap();
        }
        self.stage.play_recorded(RUNBOOK, Arc::new(journal), gates)
    }

    /// Keeps so many lines of the journal.
    fn cut(&self, lines: usize) {
        let text = std::fs::read_to_string(&self.journal).unwrap();
        let kept: String = text.split_inclusive('\n').take(lines).collect();
        std::fs::write(&self.journal, kept).unwrap();
    }

    /// How many of each are on the server.
    fn left(&self) -> serde_json::Value {
        let look = r#"
            let copies = 0;
            for r in replica_list() { copies += replica_execution_list(r).len(); }
            [region_list().len(), replica_list().len(), copies, deployment_list().len()]"#;
        self.stage.play(look).value().clone()
    }
}

fn said(played: &Rehearsal, text: &str) -> bool {
    let fits = |event: &Event| matches!(&event.fact, Fact::Logged { message, .. } if message.contains(text));
    played.count(fits) > 0
}

/// Every twelfth line, and the lines behind which a change has just begun.
fn cuts(journal: &Path) -> Vec<usize> {
    let text = std::fs::read_to_string(journal).unwrap();
    let begins = |line: &str| line.contains(r#""record":"began""#);
    let lines: Vec<&str> = text.lines().collect();
    (0..lines.len()).filter(|at| at % 12 == 0 || begins(lines[*at]) || *at > 0 && begins(lines[at - 1])).collect()
}

const UNDISTURBED: [usize; 4] = [1, 3, 3, 3];

#[test]
fn a_cut_journal_makes_nothing_twice_when_somebody_says_what_is_the_runs() {
    for generation in GENERATIONS {
        let folder = folder(&format!("behind-{}", generation.word()));
        let run = Run::new(generation, &folder);
        assert_eq!(run.process(false, Arc::new(Yes)).value(), &json!(["web-01", "web-02"]));
        assert_eq!(run.left(), json!(UNDISTURBED));
        for lines in cuts(&run.journal) {
            let run = Run::new(generation, &folder);
            run.process(false, Arc::new(Yes)).value();
            run.cut(lines);
            let played = run.process(true, Arc::new(Yes));
            let name = format!("{lines} lines on {}", generation.word());
            assert!(played.result.is_ok(), "{name}: {:?}", played.error());
            assert_eq!(played.value(), &json!(["web-01", "web-02"]), "{name}");
            assert_eq!(run.left(), json!(UNDISTURBED), "{name}");
        }
    }
}

#[test]
fn a_cut_journal_makes_nothing_twice_when_nobody_answers() {
    for generation in GENERATIONS {
        let folder = folder(&format!("behind-alone-{}", generation.word()));
        let run = Run::new(generation, &folder);
        run.process(false, Arc::new(Yes)).value();
        for lines in cuts(&run.journal).into_iter().step_by(2) {
            let run = Run::new(generation, &folder);
            run.process(false, Arc::new(Yes)).value();
            run.cut(lines);
            let played = run.process(true, Arc::new(Nobody));
            let name = format!("{lines} lines on {}", generation.word());
            if played.result.is_err() {
                assert_eq!(played.kind(), Kind::NeedsAnswer, "{name}: {:?}", played.error());
            }
            assert_eq!(run.left(), json!(UNDISTURBED), "{name}");
        }
    }
}

#[test]
fn an_older_copy_of_everything_is_told_from_the_marks_on_the_server() {
    for generation in GENERATIONS {
        let folder = folder(&format!("behind-older-{}", generation.word()));
        let run = Run::new(generation, &folder);
        run.process(false, Arc::new(Yes)).value();
        let text = std::fs::read_to_string(&run.journal).unwrap();
        let made = text.lines().position(|line| line.contains("transfer_create")).unwrap();
        run.cut(made);
        let played = run.process(false, Arc::new(Nobody));
        assert!(said(&played, "the server has more of this run than its journal"));
        assert_eq!(played.kind(), Kind::NeedsAnswer, "{:?}", played.result);
        assert_eq!(run.left(), json!(UNDISTURBED), "on {}", generation.word());
    }
}

#[test]
fn an_older_copy_is_told_from_replicas_that_were_deleted_since_and_deploys_nothing_a_second_time() {
    for generation in GENERATIONS {
        let folder = folder(&format!("behind-deleted-{}", generation.word()));
        let run = Run::new(generation, &folder);
        run.process(false, Arc::new(Yes)).value();
        let text = std::fs::read_to_string(&run.journal).unwrap();
        let made = text.lines().position(|line| line.contains("transfer_create")).unwrap();
        run.cut(made);
        run.stage.play("for r in replica_list() { replica_delete(r) }").value();
        let played = run.process(false, Arc::new(Nobody));
        assert!(said(&played, "the server has more of this run than its journal"), "on {}", generation.word());
        assert!(said(&played, r#"of ["db-05"] belongs to this run, and somebody deleted it"#), "{:?}", played.result);
        assert_eq!((played.kind(), played.deployments_made()), (Kind::Refused, 3), "{:?}", played.result);
    }
}

#[test]
fn an_older_copy_never_deploys_or_switches_off_a_second_time_without_a_question() {
    for generation in GENERATIONS {
        let folder = folder(&format!("behind-unmarked-{}", generation.word()));
        let run = Run::new(generation, &folder);
        run.process(false, Arc::new(Yes)).value();
        for lines in cuts(&run.journal) {
            let run = Run::new(generation, &folder);
            run.process(false, Arc::new(Yes)).value();
            run.cut(lines);
            let played = run.process(false, Arc::new(Nobody));
            let name = format!("{lines} lines on {}", generation.word());
            let left = run.left();
            assert_eq!(
                (&left[0], &left[1], &left[3]),
                (&json!(1), &json!(3), &json!(3)),
                "{name}: {:?}",
                played.result
            );
            assert!(left[2] == 3 || left[2] == 4, "{name}: a plain copy at most: {left}");
            let told = ["is not in this run's journal", "the server has more of this run"];
            assert!(left[2] == 3 || told.iter().any(|told| said(&played, told)), "{name}: a copy is repeated silently");
        }
    }
}

#[test]
fn what_is_not_the_runs_is_sent_after_a_no() {
    struct No;
    impl Gates for No {
        fn ask(&self, _: &str, _: &str) -> coriolis_run::error::Result<Option<coriolis_run::runtime::gates::Answer>> {
            Ok(Some(coriolis_run::runtime::gates::Answer { text: "no".into(), by: "ann".into() }))
        }
    }
    let script = r#"
        let r = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "db-05" });
        wait_for(replica_execute(r)).number"#;
    let stage = Stage::new(Options::default());
    let began = stage.clock.now();
    stage
        .play(
            r#"
        let r = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });
        wait_for(replica_execute(r));"#,
        )
        .value();
    let past = Past::of(&State::default(), Some(began), stage.clock.now());
    let journal = Journal::new("another1".into(), [7; 32], stage.clock.clone(), State::default(), None).after(past);
    journal.note_behind().unwrap();
    let played = stage.play_recorded(&script.replace("db-05", "web-01"), Arc::new(journal), Arc::new(No));
    // Another run's replica of the VM is no answer to this run's creation.
    assert_eq!((played.value(), played.replicas_made()), (&json!(1), 2));
}

#[test]
fn a_plain_copy_that_may_be_the_runs_own_is_named_and_joined_while_it_runs() {
    let create = r#"
        let r = replica_create(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" });"#;
    let script = r#"let e = replica_execute(replica_of("web-01")); [e.number, wait_for(e).status]"#;
    for generation in GENERATIONS {
        for (meanwhile, expected, word) in
            [("replica_execute(r);", 1, "joining it"), ("wait_for(replica_execute(r));", 2, "copying again")]
        {
            let stage = Stage::new(Options::of(generation));
            let began = stage.clock.now();
            stage.play(&format!("{create} {meanwhile}")).value();
            let journal = Journal::new("another1".into(), [7; 32], stage.clock.clone(), State::default(), None);
            let journal = journal.after(Past::of(&State::default(), Some(began), stage.clock.now()));
            let played = stage.play_recorded(script, Arc::new(journal), Arc::new(Nobody));
            assert_eq!(played.value(), &json!([expected, "COMPLETED"]), "on {}", generation.word());
            assert!(said(&played, "is not in this run's journal") && said(&played, word), "{word}");
        }
    }
}

#[test]
fn a_replica_of_the_run_itself_was_created_although_its_journal_was_cut() {
    let script = r#"
        [replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: "web-01" }).created]"#;
    for generation in GENERATIONS {
        let stage = Stage::new(Options::of(generation));
        let began = stage.clock.now();
        let empty = |run: &str| Journal::new(run.into(), [7; 32], stage.clock.clone(), State::default(), None);
        let past = Past::of(&State::default(), Some(began), began);
        let first = stage.play_recorded(script, Arc::new(empty("m4k7t2qa")), Arc::new(Nobody));
        assert_eq!(first.value(), &json!([true]));
        for (run, created) in [("m4k7t2qa", true), ("another1", false)] {
            let played = stage.play_recorded(script, Arc::new(empty(run).after(past)), Arc::new(Nobody));
            assert_eq!((played.value(), played.replicas_made()), (&json!([created]), 1), "{run}");
            assert_eq!(said(&played, "the server has more of this run than its journal"), created, "{run}");
        }
    }
}
