//! The virtual machines of the source: believable sizes and disks, derived from the seed and the name.

use serde_json::{Value, json};

use super::draw::{Draw, draw};

const GIBIBYTE: u64 = 1 << 30;
const NETWORKS: [(&str, &str); 3] = [("net-01", "VM Network"), ("net-02", "DMZ"), ("net-03", "Backup")];
const DATASTORES: [&str; 3] = ["datastore1", "datastore2 (ssd)", "nfs:archive"];

#[derive(Clone, Debug)]
pub struct Machine {
    pub id: String,
    pub name: String,
    pub cpus: u32,
    pub memory_mb: u32,
    pub windows: bool,
    pub efi: bool,
    pub disks: Vec<Disk>,
    pub nics: Vec<Nic>,
}

#[derive(Clone, Debug)]
pub struct Disk {
    pub id: String,
    pub size_bytes: u64,
    pub datastore: &'static str,
}

#[derive(Clone, Debug)]
pub struct Nic {
    pub mac: String,
    pub network_id: &'static str,
    pub network: &'static str,
    pub address: String,
}

impl Machine {
    /// The machine of this name: always the same for one seed.
    pub fn named(seed: u64, name: &str) -> Self {
        let of = |what: &str| draw(seed, &["machine", name, what]);
        let windows = ["ad-", "files-", "sql-", "win", "rds-", "exchange-"].iter().any(|word| name.starts_with(word));
        let disks = of("disks").between(1, 4);
        Self {
            id: of("id").uuid(),
            name: name.into(),
            cpus: 1 << of("cpus").between(0, 3),
            memory_mb: 2048 << of("memory").between(0, 4),
            windows,
            efi: of("firmware").fraction() < 0.4,
            disks: (0..disks).map(|number| disk(name, number, &of(&format!("disk {number}")))).collect(),
            nics: (0..of("nics").between(1, 2)).map(|number| nic(number, &of(&format!("nic {number}")))).collect(),
        }
    }

    pub fn bytes(&self) -> u64 {
        self.disks.iter().map(|disk| disk.size_bytes).sum()
    }

    /// The machine as in a list of instances.
    pub(in crate::sandbox) fn summary(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "instance_name": self.name,
            "num_cpu": self.cpus,
            "memory_mb": self.memory_mb,
            "os_type": if self.windows { "windows" } else { "linux" },
            "firmware_type": if self.efi { "EFI" } else { "BIOS" },
            "guest_id": if self.windows { "windows2019srv_64Guest" } else { "ubuntu64Guest" },
        })
    }

    /// The machine as in an endpoint's inventory.
    pub(in crate::sandbox) fn row(&self) -> String {
        let name = match self.name.contains([',', '"']) {
            true => format!("\"{}\"", self.name.replace('"', "\"\"")),
            false => self.name.clone(),
        };
        let (system, firmware) =
            (if self.windows { "windows" } else { "linux" }, if self.efi { "EFI" } else { "BIOS" });
        let (disks, nics) = (self.disks.len(), self.nics.len());
        format!("{},{name},{system},{firmware},{},{},{disks},{nics}\r\n", self.id, self.cpus, self.memory_mb)
    }

    /// The machine as shown alone.
    pub(in crate::sandbox) fn details(&self) -> Value {
        let mut value = self.summary();
        let disks: Vec<Value> = self.disks.iter().enumerate().map(|(unit, disk)| disk.value(unit)).collect();
        let nics: Vec<Value> = self.nics.iter().enumerate().map(|(number, nic)| nic.value(number)).collect();
        value["nested_virtualization"] = false.into();
        value["dynamic_memory_enabled"] = false.into();
        value["devices"] = json!({
            "disks": disks, "nics": nics, "cdroms": [], "serial_ports": [], "floppies": [], "controllers": [],
        });
        value
    }
}

impl Disk {
    pub fn megabytes(&self) -> u64 {
        self.size_bytes >> 20
    }

    fn value(&self, unit: usize) -> Value {
        json!({
            "id": self.id,
            "format": "vmdk",
            "unit_number": unit,
            "size_bytes": self.size_bytes,
            "storage_backend_identifier": self.datastore,
            "allocation_type": "dynamic",
        })
    }
}

impl Nic {
    fn value(&self, number: usize) -> Value {
        json!({
            "id": format!("nic-{number}"),
            "mac_address": self.mac,
            "name": format!("Network adapter {}", number + 1),
            "network_id": self.network_id,
            "network_name": self.network,
            "ip_addresses": [self.address],
        })
    }
}

/// The first disk holds the system and is smaller.
fn disk(machine: &str, number: i64, draw: &Draw) -> Disk {
    let tens = if number == 0 { draw.between(2, 10) } else { draw.between(5, 50) };
    Disk {
        id: format!("{}-disk-{number}", machine.replace(' ', "_")),
        size_bytes: tens as u64 * 10 * GIBIBYTE,
        datastore: DATASTORES[tens as usize % DATASTORES.len()],
    }
}

fn nic(number: i64, draw: &Draw) -> Nic {
    let (network_id, network) = if number == 0 { NETWORKS[draw.between(0, 1) as usize] } else { NETWORKS[2] };
    let hex = draw.hex();
    Nic {
        mac: format!("00:50:56:{}:{}:{}", &hex[0..2], &hex[2..4], &hex[4..6]),
        network_id,
        network,
        address: format!("10.{number}.{}.{}", draw.between(0, 250), draw.between(2, 250)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_have_believable_disks_and_are_always_the_same() {
        for number in 0..300 {
            let name = format!("web-{number:03}");
            let machine = Machine::named(1, &name);
            assert!((1..=4).contains(&machine.disks.len()));
            assert!(machine.disks.iter().all(|disk| (20 * GIBIBYTE..=500 * GIBIBYTE).contains(&disk.size_bytes)));
            assert_eq!(machine.details(), Machine::named(1, &name).details());
        }
        assert!(Machine::named(1, "ad-01").windows);
    }
}
