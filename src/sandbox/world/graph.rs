//! The tasks of each kind of execution: their dependencies, durations, messages and failures.

use super::draw::draw;
use super::held::Volume;
use super::machine::{Disk, Machine};

/// One planned task.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Spec {
    /// Its type in the words of the current generation.
    pub kind: &'static str,
    pub instance: String,
    pub parents: Vec<usize>,
    /// A clean-up task: it runs after failures as well.
    pub on_error: bool,
    /// A clean-up task that appears only after a failure.
    pub hidden: bool,
    pub seconds: i64,
    pub notes: Vec<Note>,
    pub failure: Option<Failure>,
}

/// A line or a bar of progress, over a part of the task's time (0 to 1).
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Note {
    pub from: f64,
    pub to: f64,
    pub text: String,
    pub bar: Option<Bar>,
}

/// A bar for one disk.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Bar {
    pub disk: String,
    pub megabytes: u64,
}

/// A task that fails after a part of its time.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Failure {
    pub after: f64,
    pub text: String,
}

const SOURCE_POOL: &str = "VALIDATE_SOURCE_MINION_POOL_COMPATIBILITY";
const DESTINATION_POOL: &str = "VALIDATE_DESTINATION_MINION_POOL_COMPATIBILITY";
const MORPHING_POOL: &str = "VALIDATE_OSMORPHING_MINION_POOL_COMPATIBILITY";

/// The properties that the tasks of one instance depend on.
pub(in crate::sandbox) struct Subject<'cloud> {
    pub seed: u64,
    pub name: &'cloud str,
    /// `None` if it is not on the source.
    pub machine: Option<&'cloud Machine>,
    /// Its kind and the number of earlier ones for this object: the durations are drawn from it.
    pub key: String,
}

/// The circumstances of a copy.
pub(in crate::sandbox) struct Copying {
    /// The volumes are new, or their first copy never ended.
    pub full: bool,
    /// The volumes exist already.
    pub volumes_exist: bool,
    /// An earlier copy onto these volumes has failed.
    pub failed_before: bool,
    pub shutdown: bool,
    /// Set if machines of a pool read the source, and write the volumes.
    pub source_pool: bool,
    pub destination_pool: bool,
}

/// A legacy migration that copies and deploys in one.
#[derive(Clone, Copy, Debug)]
pub(in crate::sandbox) struct Direct {
    pub replication_count: i64,
    pub shutdown_instances: bool,
    /// True if these instances were migrated directly before.
    pub again: bool,
    /// True for the source and for the destination if machines of a pool work there.
    pub pools: (bool, bool),
}

/// The way in which the OS of an instance is prepared.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::sandbox) enum Morphing {
    Skipped,
    /// On a machine made for it.
    Own,
    /// On a machine of a pool.
    Pooled,
}

impl Subject<'_> {
    fn between(&self, what: &str, low: i64, high: i64) -> i64 {
        draw(self.seed, &["duration", self.name, &self.key, what]).between(low, high) * self.slowness()
    }

    fn slowness(&self) -> i64 {
        if self.name.starts_with("slow") { 3 } else { 1 }
    }

    fn disks(&self) -> &[Disk] {
        self.machine.map_or(&[], |machine| &machine.disks)
    }

    /// The seconds of a whole copy: 20 to 60 minutes for the first, 2 to 8 for a later one.
    fn copy_seconds(&self, full: bool) -> i64 {
        if !full {
            return self.between("delta", 130, 450);
        }
        let terabytes = self.machine.map_or(0, Machine::bytes) as f64 / (1u64 << 40) as f64;
        let by_size = 1500.0 + 1700.0 * (terabytes / 1.2).min(1.0);
        (by_size as i64) * self.slowness() + self.between("copy", -240, 240)
    }

    fn copy_failure(&self, copying: &Copying) -> Option<Failure> {
        let disk = self.disks().first().map_or("", |disk| &disk.id);
        let text = if self.name.starts_with("fail-always") {
            format!("Connection reset while reading disk {disk}")
        } else if self.name.starts_with("fail-once") && !copying.failed_before {
            format!("Transient: export of disk {disk} failed")
        } else {
            return None;
        };
        Some(Failure { after: 0.3, text })
    }
}

/// The tasks around the new machine, by their positions.
struct Booted {
    resources: usize,
    end: usize,
    /// The clean-up of the OS morphing, if there is one.
    morphed: Option<usize>,
}

/// Collects tasks; the positions it returns are parents of later ones.
#[derive(Default)]
pub(in crate::sandbox) struct Graph {
    pub specs: Vec<Spec>,
}

impl Graph {
    fn add(
        &mut self,
        subject: &Subject<'_>,
        kind: &'static str,
        parents: &[usize],
        seconds: i64,
        notes: Vec<Note>,
    ) -> usize {
        self.specs.push(Spec {
            kind,
            instance: subject.name.into(),
            parents: parents.to_vec(),
            on_error: false,
            hidden: false,
            seconds,
            notes,
            failure: None,
        });
        self.specs.len() - 1
    }

    /// A short task with lines of its own.
    fn step(&mut self, subject: &Subject<'_>, kind: &'static str, parents: &[usize], lines: &[&str]) -> usize {
        let seconds = subject.between(kind, 2, 3) * 5;
        self.add(subject, kind, parents, seconds, lines_of(lines))
    }

    fn cleanup(&mut self, subject: &Subject<'_>, kind: &'static str, parents: &[usize], line: &str) -> usize {
        let position = self.step(subject, kind, parents, &[line]);
        self.specs[position].on_error = true;
        position
    }

    fn hidden(&mut self, subject: &Subject<'_>, kind: &'static str, parents: &[usize], line: &str) -> usize {
        let position = self.cleanup(subject, kind, parents, line);
        self.specs[position].hidden = true;
        position
    }

    /// GET_INSTANCE_INFO, which fails for an unknown instance.
    fn instance_info(&mut self, subject: &Subject<'_>) -> usize {
        let position = self.step(subject, "GET_INSTANCE_INFO", &[], &["Retrieving instance information"]);
        // Longer than the validation beside it, which has then ended when this fails.
        self.specs[position].seconds = 20;
        self.specs[position].failure = if subject.machine.is_none() {
            Some(Failure { after: 1.0, text: format!("Instance \"{}\" could not be found.", subject.name) })
        } else if subject.name.starts_with("fail-validate") {
            Some(Failure { after: 1.0, text: format!("Snapshot of instance {} is locked by a backup", subject.name) })
        } else {
            None
        };
        position
    }

    /// One run of REPLICATE_DISKS: a bar per disk, one after the other.
    fn replicate(&mut self, subject: &Subject<'_>, parents: &[usize], seconds: i64, copying: &Copying) -> usize {
        let position = self.add(subject, "REPLICATE_DISKS", parents, seconds.max(30), bars_of(subject));
        self.specs[position].failure = subject.copy_failure(copying);
        position
    }

    /// The tasks of a transfer's execution, for one instance.
    pub(in crate::sandbox) fn transfer(&mut self, subject: &Subject<'_>, copying: &Copying) {
        let first = self.specs.len();
        let source = self.step(subject, "VALIDATE_TRANSFER_SOURCE_INPUTS", &[], &["Validating source inputs"]);
        let info = self.instance_info(subject);
        let destination =
            self.step(subject, "VALIDATE_TRANSFER_DESTINATION_INPUTS", &[info], &["Validating destination inputs"]);
        let reader = copying.source_pool.then(|| self.compatible(subject, SOURCE_POOL, &[info, source]));
        let writer = copying.destination_pool.then(|| self.compatible(subject, DESTINATION_POOL, &[destination]));
        let parents = [reader.unwrap_or(source), writer.unwrap_or(destination)];
        let volumes = volume_lines(subject, copying.volumes_exist);
        let disks = self.add(subject, "DEPLOY_TRANSFER_DISKS", &parents, 15, volumes);
        let mut ready = Vec::new();
        if reader.is_none() {
            let workers = ["Creating source worker VM", "Waiting for source worker VM to boot"];
            ready.push(self.step(subject, "DEPLOY_TRANSFER_SOURCE_RESOURCES", &[disks], &workers));
        }
        let attaching = format!("Attaching {} volumes", subject.disks().len());
        ready.push(match writer {
            Some(_) => self.step(subject, "ATTACH_VOLUMES_TO_DESTINATION_MINION", &[disks], &[&attaching]),
            None => {
                let workers = ["Creating target worker VM", attaching.as_str()];
                self.step(subject, "DEPLOY_TRANSFER_TARGET_RESOURCES", &[disks], &workers)
            }
        });
        let (from, onto) = (ready[0], ready[ready.len() - 1]);
        if copying.shutdown {
            let line = format!("Shutting down instance {}", subject.name);
            ready = vec![self.step(subject, "SHUTDOWN_INSTANCE", &ready, &[&line])];
        }
        let others = self.specs[first..].iter().map(|spec| spec.seconds + 5).sum::<i64>();
        let copy = self.replicate(subject, &ready, subject.copy_seconds(copying.full) - others, copying);
        match reader {
            Some(pool) => self.cleanup(subject, "RELEASE_SOURCE_MINION", &[pool, copy], "Releasing source minion"),
            None => {
                let line = "Deleting source worker VM";
                self.cleanup(subject, "DELETE_TRANSFER_SOURCE_RESOURCES", &[from, copy], line)
            }
        };
        match writer {
            Some(pool) => self.detach(subject, pool, onto, copy),
            None => {
                let line = "Deleting target worker VM";
                self.cleanup(subject, "DELETE_TRANSFER_TARGET_RESOURCES", &[onto, copy], line)
            }
        };
    }

    /// Checks that a machine of a pool can do the work.
    fn compatible(&mut self, subject: &Subject<'_>, kind: &'static str, parents: &[usize]) -> usize {
        self.step(subject, kind, parents, &["Validating minion pool compatibility"])
    }

    /// Detaches the volumes from the machine of a pool, which is then free.
    fn detach(&mut self, subject: &Subject<'_>, pool: usize, attached: usize, copy: usize) -> usize {
        let kind = "DETACH_VOLUMES_FROM_DESTINATION_MINION";
        let detached = self.cleanup(subject, kind, &[attached, copy], "Detaching volumes");
        self.cleanup(subject, "RELEASE_DESTINATION_MINION", &[pool, detached], "Releasing destination minion")
    }

    /// The tasks of an update of a transfer, for one instance.
    pub(in crate::sandbox) fn update(&mut self, subject: &Subject<'_>) {
        let info = self.instance_info(subject);
        let source = self.step(subject, "UPDATE_SOURCE_TRANSFER", &[], &["Checking new source environment"]);
        let lines = ["Checking new destination environment"];
        self.step(subject, "UPDATE_DESTINATION_TRANSFER", &[info, source], &lines);
    }

    /// Makes the provider refuse an update, for every instance.
    pub(in crate::sandbox) fn refuse_update(&mut self, text: &str) {
        for spec in self.specs.iter_mut().filter(|spec| spec.kind == "UPDATE_DESTINATION_TRANSFER") {
            spec.failure = Some(Failure { after: 1.0, text: text.into() });
        }
    }

    /// Makes a user script of this instance fail while its OS is prepared.
    pub(in crate::sandbox) fn refuse_script(&mut self, instance: &str) {
        for spec in self.specs.iter_mut().filter(|spec| spec.kind == "OS_MORPHING" && spec.instance == instance) {
            spec.failure = Some(Failure { after: 0.5, text: "User script failed with exit code 1".into() });
        }
    }

    /// The tasks that delete a transfer's volumes, for one instance.
    pub(in crate::sandbox) fn delete_disks(&mut self, subject: &Subject<'_>, volumes: &[Volume]) {
        let snapshots =
            self.step(subject, "DELETE_TRANSFER_SOURCE_DISK_SNAPSHOTS", &[], &["Deleting source snapshots"]);
        let lines: Vec<String> = volumes.iter().map(|volume| format!("Deleting volume {}", volume.id)).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.step(subject, "DELETE_TRANSFER_DISKS", &[snapshots], &lines);
    }

    /// The tasks of a deployment, for one instance.
    pub(in crate::sandbox) fn deployment(&mut self, subject: &Subject<'_>, clone_disks: bool, morphing: Morphing) {
        let total = subject.between("deployment", 330, 840);
        let inputs = self.step(subject, "VALIDATE_DEPLOYMENT_INPUTS", &[], &["Validating deployment inputs"]);
        let pool = (morphing == Morphing::Pooled).then(|| self.compatible(subject, MORPHING_POOL, &[inputs]));
        let parent = pool.unwrap_or(inputs);
        let snapshots = self.step(subject, "CREATE_TRANSFER_DISK_SNAPSHOTS", &[parent], &["Creating volume snapshots"]);
        let Booted { resources, end: ready, .. } = self.boot(subject, &[snapshots], (morphing, pool), total);
        let kind = "DELETE_TRANSFER_TARGET_DISK_SNAPSHOTS";
        // The snapshots are kept for a restore when the deployment works on the transfer's own volumes.
        match clone_disks {
            true => self.cleanup(subject, kind, &[snapshots, ready], "Deleting volume snapshots"),
            false => self.step(subject, kind, &[snapshots, ready], &["Deleting volume snapshots"]),
        };
        let failed = self.hidden(
            subject,
            "CLEANUP_FAILED_INSTANCE_DEPLOYMENT",
            &[resources, ready],
            "Cleaning up failed instance",
        );
        if !clone_disks {
            self.hidden(subject, "RESTORE_TRANSFER_DISK_SNAPSHOTS", &[failed], "Restoring volume snapshots");
        }
    }

    /// From the deployed disks to the booted machine.
    fn boot(
        &mut self,
        subject: &Subject<'_>,
        parents: &[usize],
        (morphing, pool): (Morphing, Option<usize>),
        total: i64,
    ) -> Booted {
        let share = if morphing == Morphing::Skipped { 0.7 } else { 0.3 };
        let cloning = (total as f64 * share) as i64;
        let lines = lines_of(&["Creating instance ports", "Cloning volumes"]);
        let resources = self.add(subject, "DEPLOY_INSTANCE_RESOURCES", parents, cloning, lines);
        let mut ready = vec![resources];
        let mut morphed = None;
        if morphing != Morphing::Skipped {
            let worker = match pool {
                Some(pool) => {
                    let kind = "ATTACH_VOLUMES_TO_OSMORPHING_MINION";
                    self.step(subject, kind, &[pool, resources], &["Attaching volumes"])
                }
                None => {
                    let lines = ["Creating OS morphing worker VM"];
                    self.step(subject, "DEPLOY_OS_MORPHING_RESOURCES", &[resources], &lines)
                }
            };
            let known = match pool {
                Some(_) => self.step(subject, "COLLECT_OS_MORPHING_INFO", &[worker], &["Collecting OS information"]),
                None => worker,
            };
            let lines = lines_of(&[
                "Preparing instance for target platform",
                "Discovering and mounting OS partitions",
                "Dismounting partitions",
            ]);
            let morphing = self.add(subject, "OS_MORPHING", &[known], (total as f64 * 0.4) as i64, lines);
            if subject.name.starts_with("fail-deploy") || subject.name.starts_with("fail-morph") {
                let text = "No boot loader was found on the first disk of the instance";
                self.specs[morphing].failure = Some(Failure { after: 0.5, text: text.into() });
            }
            let deleted = match pool {
                Some(pool) => {
                    let kind = "DETACH_VOLUMES_FROM_OSMORPHING_MINION";
                    let detached = self.cleanup(subject, kind, &[worker, morphing], "Detaching volumes");
                    let line = "Releasing OS morphing minion";
                    self.cleanup(subject, "RELEASE_OSMORPHING_MINION", &[pool, detached], line)
                }
                None => {
                    let line = "Deleting OS morphing worker VM";
                    self.cleanup(subject, "DELETE_OS_MORPHING_RESOURCES", &[worker, morphing], line)
                }
            };
            ready = vec![morphing, deleted];
            morphed = Some(deleted);
        }
        let lines = ["Choosing flavor", "Selected flavor: m1.small"];
        let flavor = self.step(subject, "GET_OPTIMAL_FLAVOR", &ready, &lines);
        let end = self.step(subject, "FINALIZE_INSTANCE_DEPLOYMENT", &[flavor], &["Booting migrated instance"]);
        Booted { resources, end, morphed }
    }

    /// The tasks of a direct migration of the legacy generation, for one instance.
    pub(in crate::sandbox) fn direct(&mut self, subject: &Subject<'_>, wish: &Direct, morphing: Morphing) {
        let (copies, shutdown) = (wish.replication_count as usize, wish.shutdown_instances);
        let (source_pool, destination_pool) = wish.pools;
        let copying = |full| Copying {
            full,
            volumes_exist: false,
            failed_before: wish.again,
            shutdown,
            source_pool,
            destination_pool,
        };
        let info = self.instance_info(subject);
        let source = self.step(subject, "VALIDATE_MIGRATION_SOURCE_INPUTS", &[], &["Validating source inputs"]);
        let lines = ["Validating destination inputs"];
        let destination = self.step(subject, "VALIDATE_MIGRATION_DESTINATION_INPUTS", &[info], &lines);
        let lines = ["Creating source worker VM"];
        let exporter = self.step(subject, "DEPLOY_MIGRATION_SOURCE_RESOURCES", &[info, source], &lines);
        let volumes = volume_lines(subject, false);
        let disks = self.add(subject, "CREATE_INSTANCE_DISKS", &[source, destination], 15, volumes);
        let writer = destination_pool.then(|| self.compatible(subject, DESTINATION_POOL, &[destination]));
        let importer = match writer {
            Some(pool) => {
                let kind = "ATTACH_VOLUMES_TO_DESTINATION_MINION";
                self.step(subject, kind, &[pool, disks], &["Attaching volumes"])
            }
            None => {
                let lines = ["Creating target worker VM"];
                self.step(subject, "DEPLOY_MIGRATION_TARGET_RESOURCES", &[disks], &lines)
            }
        };
        let mut ready = vec![exporter, importer];
        let mut copy = importer;
        for number in 0..copies {
            if shutdown && number + 1 == copies {
                let line = format!("Shutting down instance {}", subject.name);
                ready = vec![self.step(subject, "SHUTDOWN_INSTANCE", &ready, &[&line])];
            }
            let seconds = subject.copy_seconds(number == 0) - 60;
            copy = self.replicate(subject, &ready, seconds, &copying(number == 0));
            ready = vec![copy];
        }
        let line = "Deleting source worker VM";
        let exporter = self.cleanup(subject, "DELETE_MIGRATION_SOURCE_RESOURCES", &[exporter, copy], line);
        let first = self.specs.iter().position(|spec| spec.kind == "REPLICATE_DISKS" && spec.instance == subject.name);
        let line = "Deleting source snapshots";
        let first = first.unwrap_or(copy);
        let cleaned = self.cleanup(subject, "CLEANUP_INSTANCE_SOURCE_STORAGE", &[first, exporter], line);
        let importer = match writer {
            Some(pool) => self.detach(subject, pool, importer, copy),
            None => {
                let line = "Deleting target worker VM";
                self.cleanup(subject, "DELETE_MIGRATION_TARGET_RESOURCES", &[importer, copy], line)
            }
        };
        let total = subject.between("deployment", 330, 840);
        let Booted { resources, end, morphed } = self.boot(subject, &[copy, importer], (morphing, None), total);
        let line = "Cleaning up failed instance";
        let failed = self.hidden(subject, "CLEANUP_FAILED_INSTANCE_DEPLOYMENT", &[resources, end], line);
        let mut parents = vec![disks, cleaned, importer, failed];
        parents.extend(morphed);
        self.hidden(subject, "CLEANUP_INSTANCE_TARGET_STORAGE", &parents, "Deleting volumes");
    }
}

fn lines_of(lines: &[&str]) -> Vec<Note> {
    let part = 1.0 / lines.len().max(1) as f64;
    lines
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let from = number as f64 * part;
            Note { from, to: from, text: (*line).into(), bar: None }
        })
        .collect()
}

fn volume_lines(subject: &Subject<'_>, exist: bool) -> Vec<Note> {
    let lines: Vec<String> = subject
        .disks()
        .iter()
        .map(|disk| match exist {
            true => format!("Disk {} already exists", disk.id),
            false => format!("Creating volume for disk {}", disk.id),
        })
        .collect();
    lines_of(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A line, a bar per disk (each as long as its size), a line.
fn bars_of(subject: &Subject<'_>) -> Vec<Note> {
    let disks = subject.disks();
    let whole = disks.iter().map(|disk| disk.size_bytes).sum::<u64>().max(1) as f64;
    let line = |from, text: String| Note { from, to: from, text, bar: None };
    let mut notes = vec![line(0.0, format!("Creating snapshot for {}", subject.name))];
    let mut from = 0.02;
    for (number, disk) in disks.iter().enumerate() {
        let to = from + 0.96 * disk.size_bytes as f64 / whole;
        notes.push(Note {
            from,
            to,
            text: format!("Replicating disk {} of {} ({})", number + 1, disks.len(), disk.id),
            bar: Some(Bar { disk: disk.id.clone(), megabytes: disk.megabytes() }),
        });
        from = to;
    }
    notes.push(line(from.min(0.99), format!("Removing snapshot for {}", subject.name)));
    notes
}
