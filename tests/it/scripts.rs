//! The runbooks in `scripts/` that make up a move: each on both generations, with the sandbox's truth as the witness.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command::{Ended, Served, end, folder};

const INVENTORY: &str = "inventory=tests/it/runbooks/few.csv";

/// A cloud, and the state directory of those who work on it.
struct Project {
    served: Served,
    state: PathBuf,
}

impl Project {
    fn on(generation: &str, test: &str) -> Self {
        Self { served: Served::start(generation), state: folder(&format!("{test}-{generation}")) }
    }

    fn client(&self, arguments: &[&str]) -> Ended {
        let mut command = self.served.client(arguments);
        command.env("XDG_STATE_HOME", &self.state);
        end(command)
    }

    /// Runs a runbook; whenever it waits at a gate, `says` answers the question and it is resumed.
    fn answering(&self, arguments: &[&str], says: impl Fn(&str) -> &'static str) -> Ended {
        let mut ended = self.client(arguments);
        while let Some((run, gate, question)) = waiting(&ended.stderr) {
            self.client(&["answer", &run, &gate, says(&question)]).expect(0);
            let before = ended.stdout;
            ended = self.client(&["resume", &run]);
            ended.stdout.insert_str(0, &before);
        }
        ended
    }

    fn consenting(&self, arguments: &[&str]) -> Ended {
        self.answering(arguments, |_| "yes")
    }

    fn asked(&self, expression: &str) -> Value {
        let ended = self.client(&["-e", expression, "--format", "json"]).expect(0);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// The VMs with which something is wrong.
    fn wrong(&self) -> Value {
        self.asked("let t = sandbox_truth(); [t.running_twice, t.stale, t.half_copied, t.sources_off]")
    }

    fn machines(&self) -> Value {
        self.asked("let names = sandbox_truth().machines.map(|m| m.name); names.sort(); names")
    }
}

/// The run, the gate and the question at which a run waits.
fn waiting(said: &str) -> Option<(String, String, String)> {
    let (_, answer) = said.rsplit_once("hint: answer it: `coriolis-run answer ")?;
    let mut words = answer.split(' ').map(str::to_owned);
    let (_, question) = said.rsplit_once(" waits for an answer: ")?;
    Some((words.next()?, words.next()?, question.lines().next()?.to_owned()))
}

fn each_generation(test: &str, act: impl Fn(&Project)) {
    for generation in ["current", "legacy"] {
        act(&Project::on(generation, test));
    }
}

fn inventory(state: &Path, rows: &str) -> String {
    let path = state.join("vms.csv");
    std::fs::write(&path, format!("name,wave,network\n{rows}\n")).unwrap();
    format!("inventory={}", path.display())
}

#[test]
fn the_runbooks_of_a_move_seed_cut_over_and_clean_up() {
    each_generation("a-move", |project| {
        project.client(&["scripts/seed.rhai", "--set", INVENTORY]).expect(0);
        project.client(&["scripts/seed.rhai", "--set", INVENTORY]).expect(0);
        assert_eq!(project.asked("replica_list().len()"), 4);
        assert_eq!(project.machines(), json!([]));

        // Nothing is deployed: nothing is touched.
        let early = project.client(&["scripts/cleanup.rhai", "--set", INVENTORY]).expect(0);
        assert!(early.stdout.contains("left alone: web-01 is seeded"), "{}", early.stdout);
        assert_eq!(project.asked("replica_list().len()"), 4);

        let moved = project.consenting(&["scripts/cutover.rhai", "--set", INVENTORY]).expect(0);
        let names = r#"["web-01", "fail-once-mail-01", "db-01", "slow-files-01"]"#;
        assert!(moved.stdout.contains(&format!("verified: {names}")), "{}", moved.stdout);
        assert_eq!(project.machines(), json!(["db-01", "fail-once-mail-01", "slow-files-01", "web-01"]));
        assert_eq!(project.wrong(), json!([[], [], [], []]));

        // What is moved is neither copied nor moved again.
        for script in ["scripts/seed.rhai", "scripts/cutover.rhai"] {
            let again = project.client(&[script, "--set", INVENTORY]).expect(0);
            assert!(again.stdout.contains("left alone: web-01 is verified"), "{}", again.stdout);
        }

        let schedule = "replica_schedule_create(\"web-01\", #{ hour: 2, minute: 30, copy_again: true })";
        project.asked(schedule);
        let cleaned = project.consenting(&["scripts/cleanup.rhai", "--set", INVENTORY]).expect(0);
        let plan = "web-01: deletes the copied disks, 1 schedules and replica ";
        assert!(cleaned.stdout.contains(plan), "{}", cleaned.stdout);
        assert_eq!(project.asked("[replica_list().len(), sandbox_truth().volumes.len()]"), json!([0, 0]));
        assert_eq!(project.machines().as_array().unwrap().len(), 4);
        assert_eq!(project.wrong(), json!([[], [], [], []]));
        let after = project.client(&["scripts/seed.rhai", "--set", INVENTORY]).expect(0);
        assert!(after.stdout.contains("left alone: web-01 is moved and cleaned up"), "{}", after.stdout);
    });
}

#[test]
fn a_wave_that_is_answered_no_switches_nothing_off() {
    each_generation("answered-no", |project| {
        project.client(&["scripts/seed.rhai", "--set", INVENTORY]).expect(0);
        project.answering(&["scripts/cutover.rhai", "--set", INVENTORY], |_| "no").expect(1);
        assert_eq!(project.machines(), json!([]));
        assert_eq!(project.wrong(), json!([[], [], [], []]));
    });
}

#[test]
fn a_cutover_that_fails_asks_for_its_source_and_the_rollback_runbook_names_what_stays_off() {
    each_generation("way-back", |project| {
        let vms = inventory(&project.state, "web-04,first,dmz");
        project.client(&["scripts/seed.rhai", "--set", &vms]).expect(0);
        let text = std::fs::read_to_string("scripts/cutover.rhai").unwrap();
        let (section, rest) = text.split_once("            // What shows that the VM works belongs here").unwrap();
        let unverified = project.state.join("unverified.rhai").display().to_string();
        let text = format!("{section}throw \"the page is blank\"; //{rest}");
        std::fs::write(&unverified, text).unwrap();
        let is_rollback = |question: &str| question.ends_with("is switched on again at its origin?");
        let says = |question: &str| if is_rollback(question) { "no" } else { "yes" };
        let failed = project.answering(&[&unverified, "--set", &vms], says).expect(10);
        assert!(failed.stderr.contains("SOURCE OFF, NOT DEPLOYED: 1  web-04"), "{}", failed.stderr);

        let early = project.client(&["scripts/cleanup.rhai", "--set", &vms]).expect(0);
        assert!(early.stdout.contains("left alone: web-04 is not verified"), "{}", early.stdout);
        let back = ["scripts/rollback.rhai", "--set", "vms=web-04, web-02"];
        let refused = project.answering(&back, |_| "no");
        assert!(refused.stderr.contains(r#"still off: ["web-04"]"#), "{}", refused.stderr);
        assert!(refused.stdout.contains("web-02 is not started: nothing to do"), "{}", refused.stdout);
        assert_ne!(refused.code, 0);

        project.asked("sandbox_power_off(sandbox_truth().machines[0].id); sandbox_power_on(\"web-04\"); 0");
        let done = project.consenting(&back).expect(0);
        assert!(done.stdout.contains("nothing stays off"), "{}", done.stdout);
        let (_, mark) = done.stdout.split_once("note it: coriolis-run ").unwrap();
        let mark: Vec<&str> = mark.lines().next().unwrap().split(' ').collect();
        project.client(&mark).expect(0);
        assert_eq!(project.asked("vm_state(\"web-04\").state"), "deployed");
        assert_eq!(project.wrong(), json!([[], [], [], []]));
    });
}

#[test]
fn disks_that_a_deployment_took_are_not_deleted() {
    each_generation("own-disks", |project| {
        let vms = inventory(&project.state, "web-03,first,dmz");
        project.client(&["scripts/seed.rhai", "--set", &vms]).expect(0);
        project.asked(
            "cutover(\"web-03\", |c| { replica_sync(\"web-03\", #{ shutdown_instances: true }); \
             replica_deploy(\"web-03\", #{ clone_disks: false }); })",
        );
        let cleaned = project.consenting(&["scripts/cleanup.rhai", "--set", &vms]).expect(0);
        let told = format!("{}{}", cleaned.stdout, cleaned.stderr);
        let (current, legacy) =
            ("web-03: keeps the disks (the VM runs on them)", "delete its replica without its disks?");
        assert!(told.contains(current) || told.contains(legacy), "{told}");
        assert_eq!(project.asked("replica_list().len()"), 0);
        assert_eq!(project.wrong(), json!([[], [], [], []]));
    });
}

#[test]
fn the_runbooks_have_no_mistakes_and_say_what_they_take() {
    for (script, parameters) in [
        (
            "scripts/seed.rhai",
            &["inventory", "origin", "destination", "limit", "retries", "max_age", "max_failures"][..],
        ),
        ("scripts/cutover.rhai", &["inventory", "origin", "destination", "limit", "max_age", "max_failures"]),
        ("scripts/rollback.rhai", &["vms", "origin"]),
        ("scripts/cleanup.rhai", &["inventory", "origin"]),
    ] {
        let run = |arguments: &[&str]| crate::command::run(arguments).expect(0).stdout;
        assert_eq!(run(&["check", script]), "no mistakes found in 1 file\n");
        let help = run(&[script, "--help"]);
        for name in parameters {
            assert!(help.contains(name), "{script} has no {name}: {help}");
        }
    }
}
