//! A script that is typed piece by piece, and what it puts into the background.

use std::path::Path;

use coriolis_run::cancel::Cancel;
use coriolis_run::error::Kind;
use coriolis_run::language::value::to_shown;
use coriolis_run::repl::session::{Mistake, Session};
use serde_json::{Value, json};

use crate::rehearsal::{Options, Stage, rehearse};

fn value(session: &mut Session, text: &str) -> Value {
    match session.evaluate(text) {
        Ok(value) => to_shown(&value),
        Err(mistake) => panic!("{text}: {mistake:?}"),
    }
}

/// The message and the hint of what is wrong.
fn mistake(session: &mut Session, text: &str) -> (String, Option<String>) {
    let error = match session.evaluate(text).expect_err("a mistake") {
        Mistake::Found(mut findings) => findings.remove(0).error,
        Mistake::Thrown(located, _) => located.error,
    };
    (error.message, error.hint)
}

fn stage() -> Stage {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/runbooks");
    Stage::new(Options { folder, ..Options::default() })
}

#[test]
fn variables_functions_constants_and_imports_live_on() {
    let stage = stage();
    let _busy = stage.clock.busy();
    let mut session = stage.session(&Cancel::default());
    value(&mut session, "let a = 1; const LIMIT = 5;");
    value(&mut session, "fn twice(x) { x * 2 } fn limited(x) { x + global::LIMIT }");
    value(&mut session, "import \"tools\" as tools;");
    value(&mut session, "let add = |x| x + a;");
    assert_eq!(value(&mut session, "[a, twice(4), limited(1), tools::double(3), add.call(2)]"), json!([1, 8, 6, 6, 3]));
    assert_eq!(value(&mut session, "it.len()"), json!(5));
    assert_eq!(
        value(&mut session, "a = 7; let b = a; each([1, 2], |x| twice(x) + b + tools::double(x))"),
        json!([11, 15])
    );
    assert_eq!(value(&mut session, "a"), json!(7));
    value(&mut session, "fn twice(x) { x * 20 }");
    assert_eq!(value(&mut session, "twice(1)"), json!(20));
}

#[test]
fn a_mistake_leaves_the_session_as_it_was() {
    let stage = stage();
    let _busy = stage.clock.busy();
    let mut session = stage.session(&Cancel::default());
    value(&mut session, "let kept = 1; fn fails() { let x = #{}; x.missing }");
    assert_eq!(mistake(&mut session, "endpoint_lst()").1.as_deref(), Some("did you mean `endpoint_list`?"));
    assert_eq!(mistake(&mut session, "kept + 1; throw \"no\"").0, "no");
    let Err(Mistake::Thrown(located, text)) = session.evaluate("fails()") else { panic!("it throws") };
    assert_eq!(&*text, "let kept = 1; fn fails() { let x = #{}; x.missing }");
    assert_eq!(located.place.map(|place| place.column), Some(43));
    assert_eq!(value(&mut session, "kept"), json!(1));
}

#[test]
fn an_interrupted_input_ends_and_the_next_one_runs() {
    let stage = stage();
    let _busy = stage.clock.busy();
    let cancel = Cancel::default();
    let mut session = stage.session(&cancel);
    value(&mut session, "let kept = 1;");
    cancel.press();
    let Err(Mistake::Thrown(located, _)) = session.evaluate("kept = 2; loop { kept += 1; }") else { panic!("it ends") };
    assert_eq!(located.error.kind, Kind::Interrupted);
    cancel.reset();
    assert_eq!(value(&mut session, "kept"), json!(1));
}

#[test]
fn a_job_goes_on_while_the_next_inputs_run_and_while_they_are_interrupted() {
    let stage = stage();
    let busy = stage.clock.busy();
    let cancel = Cancel::default();
    let mut session = stage.session(&cancel);
    value(&mut session, "let text = \"slept\"; let job = spawn(|| { sleep(\"10s\"); text + \" well\" });");
    assert_eq!(value(&mut session, "jobs()[0].status"), json!("RUNNING"));
    cancel.press();
    session.evaluate("sleep(\"1h\")").expect_err("interrupted");
    cancel.reset();
    assert_eq!(value(&mut session, "wait_for(job)"), json!("slept well"));
    assert_eq!(value(&mut session, "jobs()[0].status"), json!("DONE"));
    value(&mut session, "let other = spawn(|| sleep(\"1h\")); job_stop(other);");
    let (message, _) = mistake(&mut session, "wait_for(other)");
    assert!(message.contains("interrupted"), "{message}");
    assert_eq!(value(&mut session, "jobs().map(|job| job.status)"), json!(["DONE", "STOPPED"]));
    drop(busy);
}

#[test]
fn a_job_replicates_while_another_input_looks() {
    let stage = stage();
    let _busy = stage.clock.busy();
    let mut session = stage.session(&Cancel::default());
    value(
        &mut session,
        "let r = replica_ensure(#{ origin_endpoint: \"vcenter\", destination_endpoint: \"openstack\", instance: \"web-01\" });",
    );
    value(&mut session, "let job = spawn(|| replica_sync(r));");
    assert_eq!(value(&mut session, "replica_list().len()"), json!(1));
    assert_eq!(value(&mut session, "wait_for([job])[0].status"), json!("COMPLETED"));
}

#[test]
fn a_runbook_ends_with_its_jobs_and_a_failure_that_nobody_was_told_of_fails_it() {
    let done = rehearse("spawn(|| { sleep(\"5m\"); print(\"late\"); }); 1");
    assert_eq!((done.value(), done.count(|event| format!("{event:?}").contains("\"late\""))), (&json!(1), 1));
    assert_eq!(rehearse("spawn(|| { sleep(\"5m\"); throw \"broken\"; }); 1").error().message, "broken");
    assert_eq!(
        rehearse("let job = spawn(|| throw \"broken\"); let said = (); try { wait_for(job); } catch (e) { said = e.message; } said").value(),
        "broken"
    );
}

#[test]
fn all_mistakes_of_an_input_are_told_and_what_was_typed_before_is_known() {
    let stage = stage();
    let _busy = stage.clock.busy();
    let mut session = stage.session(&Cancel::default());
    value(&mut session, "import \"tools\" as tools; let vms = [1]; const LIMIT = 5; fn twice(x) { x * 2 } vms");
    assert_eq!(
        value(&mut session, "fn limited(x) { x + global::LIMIT } tools::double(vms[0]) + LIMIT + it.len()"),
        json!(8)
    );
    let Err(Mistake::Found(findings)) = session.evaluate("let a = vmz + 1\nprint(it, null); twice(vms[0] + lost)")
    else {
        panic!("it is full of mistakes")
    };
    let told: Vec<String> = findings
        .iter()
        .map(|found| {
            let hint = found.error.hint.as_deref().unwrap_or_default();
            format!("{}:{} {}; {hint}", found.line, found.column, found.error.message)
        })
        .collect();
    assert_eq!(
        told,
        [
            "1:9 undefined variable `vmz`; did you mean `vms`?",
            "1:16 a `;` is missing here; end the statement of line 1 with `;`",
            "2:11 there is no `null`; the empty value is written `()`",
            "2:33 undefined variable `lost`; declare it: `let lost = ...;`",
        ]
    );
}

#[test]
fn calls_between_inputs_are_told_without_places_that_nobody_can_look_up() {
    let stage = stage();
    let _busy = stage.clock.busy();
    let mut session = stage.session(&Cancel::default());
    value(&mut session, "fn inner(x) { throw \"no\"; }\nfn outer(x) {\n    inner(x)\n}");
    let Err(Mistake::Thrown(located, text)) = session.evaluate("outer(1)") else { panic!("it throws") };
    assert!(text.starts_with("fn inner"), "{text}");
    let told: Vec<_> =
        located.through.iter().map(|step| (step.label(), step.called.as_ref().map(|at| at.line))).collect();
    assert_eq!(told, [("`inner`".to_owned(), Some(3)), ("`outer`".to_owned(), None)]);
}
