//! Volumes of the local driver: directories that outlive the containers they are mounted in.
//!
//! ```text
//! volumes/NAME/_data     what is mounted
//! volumes/NAME/.making   while what it is for is not recorded yet
//! volumes/.trash         see `snapshot::Trash`
//! ```
//!
//! Data counts more than records: a directory without a record is a volume again at the next start, unless it was still
//! being made; a record without a directory is forgotten. A volume is in use while a container's record names it or a
//! [`Hold`] does, which is for containers that are still being made.

mod backing;
mod create;
mod list;
mod populate;
mod remove;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use snapshot::Trash;
use values::{Error, Id, Result, ResultExt, Timestamp};

pub use backing::check_options;
pub use create::{Request, create, make};
pub use list::{inspect, list, usage};
pub use populate::populate;
pub use remove::{prune, remove, remove_anonymous};

use crate::container::Container;
use crate::records::Records;
use crate::shared::Shared;
use backing::Backing;

/// The one driver there is.
pub const LOCAL: &str = "local";
/// The label of volumes that nobody named.
pub const ANONYMOUS: &str = "com.docker.volume.anonymous";
const DATA: &str = "_data";
const MAKING: &str = ".making";

/// What is kept of a volume besides its directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VolumeRecord {
    pub name: String,
    pub created: Timestamp,
    pub labels: Option<BTreeMap<String, String>>,
    pub options: Option<BTreeMap<String, String>>,
}

impl VolumeRecord {
    pub fn is_anonymous(&self) -> bool {
        self.labels.iter().flatten().any(|(key, _)| key == ANONYMOUS)
    }
}

struct Entry {
    record: Arc<VolumeRecord>,
    /// Containers being made that will have it.
    holds: usize,
}

pub struct Volumes {
    root: PathBuf,
    trash: Arc<Trash>,
    /// Whose the directories are: the root user of remapped containers.
    owner: Option<(u32, u32)>,
    by_name: Mutex<BTreeMap<String, Entry>>,
}

impl Volumes {
    /// Finds the volumes below `root`.
    ///
    /// # Errors
    /// `Internal` with the path that cannot be read.
    pub fn open(root: &Path, records: &Records, owner: Option<(u32, u32)>) -> Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o701).create(root).during(|| root.display())?;
        let trash = Trash::open(&root.join(".trash"))?;
        let volumes = Self { root: root.into(), trash, owner, by_name: Mutex::default() };
        let mut known: BTreeMap<String, VolumeRecord> =
            records.volumes()?.into_iter().map(|record| (record.name.clone(), record)).collect();
        for entry in fs::read_dir(root).during(|| root.display())? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if !name.starts_with('.') {
                volumes.find_again(&name, known.remove(&name))?;
            }
        }
        for name in known.into_keys() {
            tracing::warn!("volume {name}: its directory is gone");
            records.delete_volume(&name)?;
        }
        Ok(volumes)
    }

    fn find_again(&self, name: &str, record: Option<VolumeRecord>) -> Result<()> {
        let (directory, data, making) = (self.root.join(name), self.path(name), self.root.join(name).join(MAKING));
        let record = match record {
            Some(record) => record,
            None if making.exists() || !data.is_dir() => {
                return self.trash.throw(&directory).during(|| directory.display());
            }
            None => {
                tracing::warn!("volume {name} was not recorded: it is taken for one without labels and options");
                let made = data.metadata().and_then(|m| m.modified()).during(|| data.display())?;
                VolumeRecord { name: name.into(), created: made.into(), labels: None, options: None }
            }
        };
        remove_file(&making).during(|| making.display())?;
        self.lock().insert(name.into(), Entry { record: Arc::new(record), holds: 0 });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the files of a volume of that name are.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name).join(DATA)
    }

    pub fn all(&self) -> Vec<Arc<VolumeRecord>> {
        self.lock().values().map(|entry| entry.record.clone()).collect()
    }

    /// # Errors
    /// `NotFound` in Docker's words.
    pub fn get(&self, name: &str) -> Result<Arc<VolumeRecord>> {
        let found = self.lock().get(name).map(|entry| entry.record.clone());
        found.ok_or_else(|| Error::not_found(format!("get {name}: no such volume")))
    }

    /// What is mounted in the place of the volume's own directory.
    pub fn backing(&self, name: &str) -> Option<Backing> {
        let record = self.get(name).ok()?;
        Backing::of(record.options.as_ref()?).ok().flatten()
    }
}

/// Keeps a volume from being removed while a container is made that will have it.
pub struct Hold {
    shared: Arc<Shared>,
    pub record: Arc<VolumeRecord>,
    /// It was made for this.
    pub is_new: bool,
    is_settled: bool,
}

impl Hold {
    /// It is recorded: from now on it stays.
    pub fn settle(&mut self) {
        self.is_settled = true;
        emit(&self.shared, "create", &self.record.name);
        let making = self.shared.volumes.root.join(&self.record.name).join(MAKING);
        if let Err(e) = remove_file(&making) {
            // the record says enough; the file goes at the next start
            tracing::warn!("volume {}: {e}", self.record.name);
        }
    }
}

impl Hold {
    /// Its directory survives a power cut.
    ///
    /// # Errors
    /// `Internal` with the path.
    pub fn sync(&self) -> Result<()> {
        let root = &self.shared.volumes.root;
        for path in [root.join(&self.record.name), root.clone()] {
            fs::File::open(&path).and_then(|directory| directory.sync_all()).during(|| path.display())?;
        }
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let volumes = &self.shared.volumes;
        let mut all = volumes.lock();
        let name = &self.record.name;
        let Some(entry) = all.get_mut(name) else { return };
        entry.holds -= 1;
        if !self.is_new || self.is_settled {
            return;
        }
        let lost = if entry.holds > 0 {
            // somebody else has it by now
            self.shared.records.save_volumes(&[&self.record])
        } else {
            all.remove(name);
            volumes.trash.throw(&volumes.root.join(name)).map_err(Error::from)
        };
        if let Err(e) = lost {
            tracing::warn!("volume {name}, made for a container that came to nothing: {e}");
        }
    }
}

/// Ids of the containers that have the volume.
pub fn users(shared: &Shared, name: &str) -> Vec<Id> {
    let has = |c: &Arc<Container>| c.record().mounts.iter().any(|m| m.kind == "volume" && m.name == name);
    shared.registry.all().iter().filter(|c| has(c)).map(|c| c.id.clone()).collect()
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The container has its volumes now.
pub fn emit_mounts(shared: &Shared, container: &Container) {
    for mount in container.record().mounts.iter().filter(|mount| mount.kind == "volume") {
        let attributes = [
            ("container", container.id.as_str()),
            ("destination", &mount.destination),
            ("driver", LOCAL),
            ("propagation", &mount.propagation),
            ("read/write", if mount.rw { "true" } else { "false" }),
        ];
        shared.events.emit("volume", "mount", &mount.name, owned(&attributes));
    }
}

/// Its process has ended.
pub fn emit_unmounts(shared: &Shared, container: &Container) {
    for mount in container.record().mounts.iter().filter(|mount| mount.kind == "volume") {
        let attributes = owned(&[("container", container.id.as_str()), ("driver", LOCAL)]);
        shared.events.emit("volume", "unmount", &mount.name, attributes);
    }
}

fn owned(attributes: &[(&str, &str)]) -> BTreeMap<String, String> {
    attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn emit(shared: &Shared, action: &str, name: &str) {
    shared.events.emit("volume", action, name, owned(&[("driver", LOCAL)]));
}
