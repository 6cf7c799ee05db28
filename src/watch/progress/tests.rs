use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The answers of real servers, reduced to the fields that matter here.
pub(in crate::watch) fn recorded(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("recorded.json")).expect("the file is JSON");
    all[name].as_array().expect("a recording of that name").clone()
}

fn picture(progress: &Progress) -> String {
    let bytes = progress.bytes.map_or(String::new(), |(done, whole)| format!(" {done}/{whole}"));
    format!("{} {} {:.0}{bytes}", progress.status, progress.task.as_deref().unwrap_or("-"), progress.percent)
}

fn pictures(name: &str, disks: &[(&str, &[u64])]) -> Vec<String> {
    let disks = disks.iter().map(|(instance, sizes)| ((*instance).to_owned(), sizes.to_vec())).collect();
    let mut meter = Meter::new(disks);
    recorded(name).iter().map(|value| picture(&meter.read(value))).collect()
}

#[test]
fn a_copy_moves_evenly_when_sizes_are_unknown_and_by_bytes_when_they_are_known() {
    assert_eq!(
        pictures("a copy of three disks", &[]),
        [
            "RUNNING VALIDATE_TRANSFER_SOURCE_INPUTS 0",
            "RUNNING DEPLOY_TRANSFER_DISKS 3",
            "RUNNING REPLICATE_DISKS 35",
            "RUNNING REPLICATE_DISKS 55",
            "RUNNING REPLICATE_DISKS 66",
            "RUNNING REPLICATE_DISKS 75",
            "RUNNING REPLICATE_DISKS 86",
            "RUNNING REPLICATE_DISKS 97",
            "COMPLETED - 100"
        ]
    );
    assert_eq!(
        pictures("a copy of three disks", &[("vm-017", &[600, 300, 100])]),
        [
            "RUNNING VALIDATE_TRANSFER_SOURCE_INPUTS 0",
            "RUNNING DEPLOY_TRANSFER_DISKS 3",
            "RUNNING REPLICATE_DISKS 58 570/1000",
            "RUNNING REPLICATE_DISKS 78 780/1000",
            "RUNNING REPLICATE_DISKS 88 885/1000",
            "RUNNING REPLICATE_DISKS 91 925/1000",
            "RUNNING REPLICATE_DISKS 94 960/1000",
            "RUNNING REPLICATE_DISKS 98 995/1000",
            "COMPLETED - 100"
        ]
    );
}

#[test]
fn a_later_copy_tells_no_bytes_because_nobody_knows_how_many_have_changed() {
    let disks = || BTreeMap::from([("vm".to_owned(), vec![1000])]);
    let execution = |number: u64| {
        let bar = json!({"current_step": 250, "total_steps": 1000, "message": "Replicating disk 1 of 1", "index": 0});
        let copy = json!({"id": "1", "instance": "vm", "task_type": "REPLICATE_DISKS", "status": "RUNNING", "index": 2,
            "progress_updates": [bar]});
        json!({"id": "E", "number": number, "status": "RUNNING", "tasks": [copy]})
    };
    assert_eq!(Meter::new(disks()).read(&execution(1)).bytes, Some((250, 1000)));
    assert_eq!(Meter::new(disks()).read(&execution(2)).bytes, None);
}

#[test]
fn a_hidden_task_that_appears_takes_nothing_back() {
    assert_eq!(
        pictures("a deployment that fails", &[]),
        [
            "RUNNING VALIDATE_DEPLOYMENT_INPUTS 0",
            "RUNNING CREATE_TRANSFER_DISK_SNAPSHOTS 4",
            "RUNNING DEPLOY_OS_MORPHING_RESOURCES 44",
            "RUNNING OS_MORPHING 48",
            "RUNNING DELETE_OS_MORPHING_RESOURCES 48",
            "ERROR - 57"
        ]
    );
}

#[test]
fn each_pass_of_a_direct_migration_counts() {
    let disks: [(&str, &[u64]); 1] = [("app-01", &[10 << 30])];
    assert_eq!(
        pictures("a direct migration of the legacy generation", &disks),
        ["RUNNING REPLICATE_DISKS 24 5368709120/10737418240"]
    );
}

#[test]
fn a_disk_without_a_bar_yet_still_counts() {
    let copy = |bars: Value| {
        json!({ "status": "RUNNING", "tasks": [{ "index": 2, "task_type": "REPLICATE_DISKS", "instance": "vm",
            "status": "RUNNING", "progress_updates": bars }] })
    };
    let bar = |message: &str| json!({ "current_step": 1000, "total_steps": 1000, "message": message });
    let percent = |bars: Value, sizes: &[u64]| {
        Meter::new(BTreeMap::from([("vm".to_owned(), sizes.to_vec())])).read(&copy(bars)).percent
    };
    assert_eq!(percent(json!([bar("Replicating disk 1 of 4 (vm-disk-0)")]), &[]), 25.0);
    assert_eq!(percent(json!([bar("disk \"0dfc9fa7\" (10240 MB)")]), &[30, 10]), 75.0);
    assert_eq!(percent(json!([bar("Replicating disk 2 of 2 (b)")]), &[30, 10]), 25.0);
    assert_eq!(percent(json!([bar("one of an unknown number")]), &[]), 95.0);
    assert_eq!(percent(json!([bar("disk 9 of 2")]), &[]), 95.0);
}

#[test]
fn nonsense_is_no_panic() {
    for value in
        [json!(null), json!({}), json!({ "tasks": 3 }), json!({ "status": 7, "tasks": [null, { "index": "x" }] })]
    {
        let progress = Meter::new(BTreeMap::new()).read(&value);
        assert_eq!((progress.status.as_str(), progress.percent), ("", 0.0));
    }
}

fn task() -> impl Strategy<Value = Value> {
    let status = prop::sample::select(vec!["SCHEDULED", "PENDING", "RUNNING", "COMPLETED", "ERROR", "UNSCHEDULED"]);
    let kind = prop::sample::select(vec!["REPLICATE_DISKS", "OS_MORPHING", "GET_INSTANCE_INFO"]);
    let instance = prop::sample::select(vec!["a", "b"]);
    let bars = prop::collection::vec((0..2000_u64, prop::sample::select(vec![0, 100, 1000_u64])), 0..4);
    (1..30_i64, status, kind, instance, bars).prop_map(|(index, status, kind, instance, bars)| {
        let bars: Vec<Value> = bars
            .iter()
            .map(|(step, total)| json!({ "current_step": step, "total_steps": total, "message": "disk 1 of 3" }))
            .collect();
        json!({ "index": index, "status": status, "task_type": kind, "instance": instance, "progress_updates": bars })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_backwards_and_never_done_before_the_end(
        looks in prop::collection::vec(prop::collection::vec(task(), 0..8), 1..8),
        sizes in prop::collection::vec(0..1000_u64, 0..3),
    ) {
        let mut meter = Meter::new(BTreeMap::from([("a".to_owned(), sizes)]));
        let mut last = 0.0;
        for tasks in looks {
            let progress = meter.read(&json!({ "status": "RUNNING", "tasks": tasks }));
            prop_assert!(progress.percent >= last && progress.percent.round() < 100.0, "{progress:?} after {last}");
            prop_assert!(progress.bytes.is_none_or(|(done, whole)| done <= whole));
            last = progress.percent;
        }
        prop_assert_eq!(meter.read(&json!({ "status": "COMPLETED", "tasks": [] })).percent, 100.0);
    }
}
