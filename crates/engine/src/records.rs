//! What the engine keeps of containers across its own death.

mod aside;

use std::path::Path;
use std::sync::Arc;

use store::{Batch, Durability, Store, Table};
use values::{Id, Result};

use aside::Aside;

use crate::container::record::{Record, Volatile};
use crate::networks::NetworkRecord;
use crate::volumes::VolumeRecord;

const CONTAINERS: Table<Record> = Table::new("container", 1);
/// The first schema had one endpoint at most.
const STATES: Table<Volatile> = Table::new("container-state", 2).migrating(several_endpoints);
const NETWORKS: Table<NetworkRecord> = Table::new("network", 1);
const VOLUMES: Table<VolumeRecord> = Table::new("volume", 1);
/// Small facts about the daemon itself, by name.
const DAEMON: Table<String> = Table::new("daemon", 1);

pub struct Records {
    store: Arc<Store>,
    aside: Aside,
}

impl Records {
    pub fn new(store: Arc<Store>, run_root: &Path) -> Self {
        Self { store, aside: Aside::new(run_root) }
    }

    /// A new container, and the volumes that were made for it alone. One that goes with its process need not survive a
    /// power cut.
    pub fn create(&self, record: &Record, volatile: &Volatile, volumes: &[&VolumeRecord]) -> Result<()> {
        let mut batch = Batch::new();
        for volume in volumes {
            batch.put(&VOLUMES, &volume.name, volume)?;
        }
        batch.put(&CONTAINERS, record.id.as_str(), record)?;
        batch.put(&STATES, record.id.as_str(), volatile)?;
        self.store.commit(batch, durability(record))
    }

    /// A changed name or changed limits.
    pub fn update(&self, record: &Record) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(&CONTAINERS, record.id.as_str(), record)?;
        self.store.commit(batch, durability(record))
    }

    /// A change of state survives the daemon. It owes nothing to a power cut, which ends every process anyway: a
    /// restart policy finds `created` or the last synced state and goes by the policy.
    ///
    /// # Errors
    /// The journal's. The state is put aside then, and found there by the next daemon unless a later one is in the journal.
    pub fn save_state(&self, id: &Id, volatile: &Volatile) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(&STATES, id.as_str(), volatile)?;
        match self.store.commit(batch, Durability::Process) {
            Ok(()) => {
                self.aside.remove(id);
                Ok(())
            }
            Err(e) => {
                if let Err(aside) = self.aside.put(id, volatile) {
                    tracing::warn!("the state of container {id} cannot be put aside either: {aside}");
                }
                Err(e)
            }
        }
    }

    pub fn delete(&self, id: &Id) -> Result<()> {
        let mut batch = Batch::new();
        batch.delete(&CONTAINERS, id.as_str());
        batch.delete(&STATES, id.as_str());
        self.store.commit(batch, Durability::Process)?;
        self.aside.remove(id);
        Ok(())
    }

    pub fn all(&self) -> Result<Vec<(Record, Volatile)>> {
        let containers = self.store.all(&CONTAINERS)?;
        let with_state = |(id, record): (String, Record)| {
            let recorded: Volatile = self.store.get(&STATES, &id)?.unwrap_or_default();
            // of the same number is what a daemon that was told to end wrote last
            let aside = self.aside.get(&record.id).filter(|aside| aside.number >= recorded.number);
            Ok((record, aside.unwrap_or(recorded)))
        };
        let all: Vec<(Record, Volatile)> = containers.into_iter().map(with_state).collect::<Result<_>>()?;
        self.aside.retain(|id| all.iter().any(|(record, _)| record.id == *id));
        Ok(all)
    }

    pub fn save_network(&self, record: &NetworkRecord) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(&NETWORKS, record.id(), record)?;
        self.store.commit(batch, Durability::Power)
    }

    pub fn delete_network(&self, id: &str) -> Result<()> {
        let mut batch = Batch::new();
        batch.delete(&NETWORKS, id);
        self.store.commit(batch, Durability::Power)
    }

    pub fn networks(&self) -> Result<Vec<NetworkRecord>> {
        Ok(self.store.all(&NETWORKS)?.into_iter().map(|(_, record)| record).collect())
    }

    pub fn save_volumes(&self, volumes: &[&VolumeRecord]) -> Result<()> {
        let mut batch = Batch::new();
        for volume in volumes {
            batch.put(&VOLUMES, &volume.name, volume)?;
        }
        self.store.commit(batch, Durability::Power)
    }

    pub fn delete_volume(&self, name: &str) -> Result<()> {
        let mut batch = Batch::new();
        batch.delete(&VOLUMES, name);
        self.store.commit(batch, Durability::Power)
    }

    pub fn volumes(&self) -> Result<Vec<VolumeRecord>> {
        Ok(self.store.all(&VOLUMES)?.into_iter().map(|(_, record)| record).collect())
    }

    pub fn fact(&self, name: &str) -> Result<Option<String>> {
        self.store.get(&DAEMON, name)
    }

    pub fn set_fact(&self, name: &str, value: &str) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(&DAEMON, name, &value.to_owned())?;
        self.store.commit(batch, Durability::Power)
    }
}

fn several_endpoints(_: u32, mut old: serde_json::Value) -> Result<serde_json::Value> {
    if let Some(fields) = old.as_object_mut() {
        let endpoint = fields.remove("endpoint").filter(|e| !e.is_null());
        fields.insert("endpoints".into(), endpoint.into_iter().collect());
    }
    Ok(old)
}

fn durability(record: &Record) -> Durability {
    if record.host.auto_remove { Durability::Process } else { Durability::Power }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_the_first_release_is_read() {
        let old = r#"{"endpoint":{"endpoint_id":"e","host_ifname":"veth1","mac":"02:42:ac:11:00:02","ip":"172.17.0.2",
            "prefix_len":16,"gateway":"172.17.0.1"}}"#;
        let new = several_endpoints(1, serde_json::from_str(old).unwrap()).unwrap();
        assert_eq!((new["endpoints"][0]["host_ifname"].as_str(), new.get("endpoint")), (Some("veth1"), None));
        let none = several_endpoints(1, serde_json::json!({"endpoint": null})).unwrap();
        assert_eq!(none["endpoints"], serde_json::json!([]));
    }
}
