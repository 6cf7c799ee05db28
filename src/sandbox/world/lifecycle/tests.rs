//! The course of executions, at every moment.

use super::super::graph::{Copying, Graph, Morphing, Subject};
use super::super::machine::Machine;
use super::*;

fn start() -> Timestamp {
    crate::clock::REHEARSAL_START.parse().unwrap()
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn copy(names: &[&str], full: bool, shutdown: bool) -> Plan {
    let (source_pool, destination_pool) = (false, false);
    let copying = Copying { full, volumes_exist: !full, failed_before: !full, shutdown, source_pool, destination_pool };
    let mut graph = Graph::default();
    for name in names {
        let machine = Machine::named(1, name);
        let machine = (!name.starts_with("no-such")).then_some(&machine);
        graph.transfer(&Subject { seed: 1, name, machine, key: "t 0".into() }, &copying);
    }
    Plan::new("e".into(), start(), graph.specs)
}

fn deployment(name: &str, clone_disks: bool) -> Plan {
    let machine = Machine::named(1, name);
    let mut graph = Graph::default();
    let subject = Subject { seed: 1, name, machine: Some(&machine), key: "d".into() };
    graph.deployment(&subject, clone_disks, Morphing::Own);
    Plan::new("e".into(), start(), graph.specs)
}

/// `index TYPE STATUS` of every visible task.
fn board(plan: &Plan, now: Timestamp) -> Vec<String> {
    plan.seen(now).map(|seen| format!("{} {} {}", seen.task.index, seen.task.spec.kind, seen.status)).collect()
}

fn minutes(plan: &Plan) -> i64 {
    plan.end().0.duration_since(start()).as_secs() / 60
}

#[test]
fn a_full_copy_takes_20_to_60_minutes_a_delta_2_to_8_a_deployment_5_to_15() {
    for number in 0..200 {
        let name = format!("app-{number}");
        let (full, delta) = (minutes(&copy(&[&name], true, false)), minutes(&copy(&[&name], false, true)));
        let deployment = minutes(&deployment(&name, true));
        assert!((20..60).contains(&full), "{name}: {full}");
        assert!((2..8).contains(&delta), "{name}: {delta}");
        assert!((5..15).contains(&deployment), "{name}: {deployment}");
    }
}

#[test]
fn slow_machines_take_about_three_times_as_long() {
    let full = minutes(&copy(&["slow-archive-01"], true, false));
    assert!((60..=180).contains(&full), "{full}");
}

#[test]
fn a_copy_begins_with_two_tasks_and_the_rest_waits() {
    let plan = copy(&["web-01"], true, false);
    assert_eq!(plan.status(start()), Status::Running);
    assert_eq!(
        board(&plan, start()),
        [
            "2 VALIDATE_TRANSFER_SOURCE_INPUTS PENDING",
            "3 GET_INSTANCE_INFO PENDING",
            "4 VALIDATE_TRANSFER_DESTINATION_INPUTS SCHEDULED",
            "5 DEPLOY_TRANSFER_DISKS SCHEDULED",
            "6 DEPLOY_TRANSFER_SOURCE_RESOURCES SCHEDULED",
            "7 DEPLOY_TRANSFER_TARGET_RESOURCES SCHEDULED",
            "8 REPLICATE_DISKS SCHEDULED",
            "9 DELETE_TRANSFER_SOURCE_RESOURCES SCHEDULED",
            "10 DELETE_TRANSFER_TARGET_RESOURCES SCHEDULED",
        ]
    );
    assert_eq!(plan.seen(start() + seconds(2)).next().unwrap().status, TaskStatus::Starting);
    assert_eq!(plan.seen(start() + seconds(5)).next().unwrap().status, TaskStatus::Running);
    assert_eq!(plan.end().1, Status::Completed);
    assert!(plan.seen(plan.end().0).all(|seen| seen.status == TaskStatus::Completed));
}

#[test]
fn the_bars_of_the_disks_only_rise_and_end_full() {
    let plan = copy(&["web-01"], true, false);
    let disks = Machine::named(1, "web-01").disks.len();
    let mut last = vec![0; disks];
    let mut now = start();
    while now <= plan.end().0 {
        let bars: Vec<i64> = plan
            .seen(now)
            .filter(|seen| seen.task.spec.kind == "REPLICATE_DISKS")
            .flat_map(|seen| {
                seen.notes()
                    .filter(|(_, note)| note.bar.is_some())
                    .map(move |(_, note)| seen.percent(note).0)
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(bars.iter().zip(&last).all(|(new, old)| new >= old), "{bars:?} after {last:?}");
        last[..bars.len()].copy_from_slice(&bars);
        now += seconds(7);
    }
    assert_eq!(last, vec![100; disks]);
}

#[test]
fn an_execution_reads_error_only_after_its_cleanup() {
    let plan = copy(&["fail-once-mail-01"], true, false);
    let (end, status) = plan.end();
    assert_eq!(status, Status::Error);
    let failed = plan.tasks.iter().find(|task| task.spec.kind == "REPLICATE_DISKS").unwrap().changes.last().unwrap();
    assert!(failed.at < end);
    assert_eq!(plan.status(failed.at), Status::Running);
    assert_eq!(
        board(&plan, end)[6..],
        [
            "8 REPLICATE_DISKS ERROR",
            "9 DELETE_TRANSFER_SOURCE_RESOURCES COMPLETED",
            "10 DELETE_TRANSFER_TARGET_RESOURCES COMPLETED",
        ]
    );
    assert_eq!(failed.details.as_deref(), Some("Transient: export of disk fail-once-mail-01-disk-0 failed"));
}

#[test]
fn a_cancel_during_the_cleanup_of_a_failed_copy_leaves_it_an_error() {
    let mut plan = copy(&["fail-once-mail-01"], true, false);
    let failed = plan.tasks.iter().find(|task| task.spec.kind == "REPLICATE_DISKS").unwrap().changes.last().unwrap().at;
    plan.cancel(failed + seconds(1), false);
    assert_eq!(plan.status(failed + seconds(1)), Status::Cancelling);
    assert_eq!(plan.end().1, Status::Error);
}

#[test]
fn what_is_not_on_the_source_fails_when_it_is_looked_for() {
    let plan = copy(&["no-such-vm"], true, false);
    let (end, status) = plan.end();
    assert_eq!(status, Status::Error);
    let seen: Vec<_> = plan.seen(end).map(|seen| (seen.status, seen.details.unwrap_or_default())).collect();
    assert_eq!(seen[1], (TaskStatus::Error, "Instance \"no-such-vm\" could not be found."));
    assert_eq!(seen[2], (TaskStatus::Unscheduled, PARENT_FAILED));
    assert_eq!(seen[3], (TaskStatus::Unscheduled, PARENT_FAILED));
    assert_eq!(seen[4], (TaskStatus::Unscheduled, ALL_UNSCHEDULED));
    assert_eq!(seen[8], (TaskStatus::Unscheduled, ALL_UNSCHEDULED));
}

#[test]
fn one_instance_that_fails_cancels_the_other() {
    let plan = copy(&["fail-always-01", "app-01"], true, false);
    let (end, status) = plan.end();
    assert_eq!(status, Status::Error);
    let board = board(&plan, end);
    assert_eq!(board[6], "8 REPLICATE_DISKS ERROR");
    assert_eq!(board[15], "17 REPLICATE_DISKS CANCELED");
    assert_eq!(board[17], "19 DELETE_TRANSFER_TARGET_RESOURCES COMPLETED");
    assert_eq!(plan.status(end - seconds(5)), Status::Cancelling);
}

#[test]
fn a_cancel_winds_down_and_cleans_up() {
    let mut plan = copy(&["web-01"], true, true);
    let now = start() + seconds(600);
    plan.cancel(now, false);
    assert_eq!(plan.status(now), Status::Cancelling);
    assert_eq!(
        board(&plan, now)[7..],
        [
            "9 REPLICATE_DISKS CANCELED",
            "10 DELETE_TRANSFER_SOURCE_RESOURCES PENDING",
            "11 DELETE_TRANSFER_TARGET_RESOURCES PENDING",
        ]
    );
    let (end, status) = plan.end();
    assert_eq!(status, Status::Canceled);
    assert!(end > now && end < now + seconds(60));
    assert_eq!(board(&plan, end)[6], "8 SHUTDOWN_INSTANCE COMPLETED");
    assert_eq!(plan.next_moment(now), Some(now + seconds(5)));
    assert_eq!(plan.next_moment(end), None);
}

#[test]
fn a_second_cancel_with_force_stops_the_cleanup() {
    let mut plan = copy(&["web-01"], true, false);
    let now = start() + seconds(600);
    plan.cancel(now, false);
    plan.cancel(now + seconds(7), true);
    assert_eq!(plan.end(), (now + seconds(7), Status::Canceled));
    assert_eq!(
        board(&plan, now + seconds(7))[7..],
        ["9 DELETE_TRANSFER_SOURCE_RESOURCES FORCE_CANCELED", "10 DELETE_TRANSFER_TARGET_RESOURCES FORCE_CANCELED",]
    );
}

#[test]
fn a_cancel_at_once_leaves_nothing_to_clean() {
    let mut plan = copy(&["web-01"], true, false);
    plan.cancel(start(), false);
    assert_eq!(plan.end(), (start(), Status::Canceled));
    assert_eq!(plan.status(start()), Status::Canceled);
}

#[test]
fn a_hidden_cleanup_task_appears_when_a_deployment_fails() {
    let plan = deployment("fail-deploy-01", true);
    assert_eq!(board(&plan, start()).len(), 9);
    let (end, status) = plan.end();
    assert_eq!(status, Status::Error);
    assert_eq!(
        board(&plan, end),
        [
            "2 VALIDATE_DEPLOYMENT_INPUTS COMPLETED",
            "3 CREATE_TRANSFER_DISK_SNAPSHOTS COMPLETED",
            "4 DEPLOY_INSTANCE_RESOURCES COMPLETED",
            "5 DEPLOY_OS_MORPHING_RESOURCES COMPLETED",
            "6 OS_MORPHING ERROR",
            "7 DELETE_OS_MORPHING_RESOURCES COMPLETED",
            "8 GET_OPTIMAL_FLAVOR UNSCHEDULED",
            "9 FINALIZE_INSTANCE_DEPLOYMENT UNSCHEDULED",
            "10 DELETE_TRANSFER_TARGET_DISK_SNAPSHOTS COMPLETED",
            "11 CLEANUP_FAILED_INSTANCE_DEPLOYMENT COMPLETED",
        ]
    );
}

#[test]
fn moments_lie_on_a_grid_so_that_many_executions_change_together() {
    for plan in [copy(&["web-01"], true, true), deployment("db-01", true)] {
        assert!(plan.moments.iter().all(|at| at.duration_since(start()).as_secs() % 5 == 0));
    }
}
