//! Control groups that were made above containers' own because of `--cgroup-parent`: they go with the last container which has
//! them above it, unless somebody else uses them.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use oci::runtime::Resources;
use sys::crash;
use values::{Error, Result, ResultExt};

use crate::cgroups::Driver;
use crate::container::record::Record;
use crate::shared::Shared;

/// In the run root: control groups end with the boot, too.
const FILE: &str = "cgroup-parents.json";

/// The groups that are ours: their directories, and where these are below the hierarchy's root (`/a/b`).
type Noted = BTreeMap<PathBuf, String>;

pub struct CgroupParents {
    file: PathBuf,
    /// Held while it is decided what is missing or not needed any more.
    lock: Mutex<()>,
}

impl CgroupParents {
    pub fn new(run_root: &Path) -> Self {
        Self { file: run_root.join(FILE), lock: Mutex::new(()) }
    }

    /// Before a container's group is made: notes which of the groups above it will be made with it. The container is in the
    /// registry. `resources`: its limits; None where another runtime makes it.
    pub fn note(&self, shared: &Shared, record: &Record, resources: Option<&Resources>) -> Result<()> {
        if !has_own(shared, record) {
            return Ok(());
        }
        let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let path = shared.cgroup_place(record).path;
        let missing = cgroup::missing_parents(&path, resources)?;
        if missing.is_empty() {
            return Ok(());
        }
        let mut noted = self.read();
        noted.extend(missing);
        self.write(&noted)?;
        crash::point("start.parents-noted");
        Ok(())
    }

    /// Removes the groups which no container has above it any more.
    pub fn tidy(&self, shared: &Shared) -> Result<()> {
        let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let mut noted = self.read();
        if noted.is_empty() {
            return Ok(());
        }
        let places: Vec<String> =
            shared.registry.all().iter().map(|container| shared.cgroup_place(&container.record()).path).collect();
        let count = noted.len();
        // what lies deeper goes first: it was noted under a longer path
        let mut free: Vec<PathBuf> =
            noted.iter().filter(|(_, level)| !is_above(level, &places)).map(|(group, _)| group.clone()).collect();
        free.sort_by_key(|group| std::cmp::Reverse(group.components().count()));
        for group in free {
            if cgroup::remove_empty(&group) {
                noted.remove(&group);
            }
        }
        crash::point("remove.parents-gone");
        if noted.len() < count { self.write(&noted) } else { Ok(()) }
    }

    fn read(&self) -> Noted {
        let text = std::fs::read(&self.file).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn write(&self, noted: &Noted) -> Result<()> {
        let what = || format!("write {}", self.file.display());
        if noted.is_empty() {
            return match std::fs::remove_file(&self.file) {
                Err(e) if e.kind() != ErrorKind::NotFound => Err(e).during(what),
                _ => Ok(()),
            };
        }
        let text = serde_json::to_vec(noted).map_err(|e| Error::internal(e.to_string()))?;
        let new = self.file.with_extension("new");
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &self.file)).during(what)
    }
}

/// Whether a container's group has other parents than the daemon's, and these are ours to make.
pub fn has_own(shared: &Shared, record: &Record) -> bool {
    shared.config.cgroup_driver == Driver::Cgroupfs && !record.host.resources.cgroup_parent.is_empty()
}

fn is_above(level: &str, places: &[String]) -> bool {
    places.iter().any(|place| place.strip_prefix(level).is_some_and(|rest| rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_parent() {
        let places = ["/a/b/1".to_owned(), "/ab/2".to_owned()];
        for (level, above) in
            [("/a", true), ("/a/b", true), ("/ab", true), ("/a/b/1", false), ("/b", false), ("/", false)]
        {
            assert_eq!(is_above(level, &places), above, "{level}");
        }
    }
}
