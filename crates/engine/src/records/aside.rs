//! States for which the journal had no room: a file each in the run root, for the next daemon.
//!
//! The run root is as a rule another disk (a tmpfs), and lives as long as the processes that the states tell of. Without
//! it a user's `stop` during a full disk would be forgotten with the daemon, and the restart policy bring the container back.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use values::Id;

use crate::container::record::Volatile;

pub struct Aside {
    directory: PathBuf,
    /// Those that have a file: nearly always none.
    held: Mutex<HashSet<Id>>,
}

impl Aside {
    pub fn new(run_root: &Path) -> Self {
        let directory = run_root.join("states");
        let mut held = HashSet::new();
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            match entry.file_name().to_str().and_then(Id::parse) {
                Some(id) => drop(held.insert(id)),
                // half written
                None => drop(std::fs::remove_file(entry.path())),
            }
        }
        Self { directory, held: Mutex::new(held) }
    }

    /// Whole or not at all.
    pub fn put(&self, id: &Id, volatile: &Volatile) -> io::Result<()> {
        let mut held = self.held();
        std::fs::create_dir_all(&self.directory)?;
        let (path, new) = (self.path(id), self.directory.join(format!("{id}.new")));
        std::fs::write(&new, serde_json::to_vec(volatile)?).and_then(|()| std::fs::rename(&new, &path)).inspect_err(
            |_| {
                let _ = std::fs::remove_file(&new);
            },
        )?;
        held.insert(id.clone());
        Ok(())
    }

    pub fn get(&self, id: &Id) -> Option<Volatile> {
        self.held().contains(id).then(|| serde_json::from_slice(&std::fs::read(self.path(id)).ok()?).ok())?
    }

    pub fn remove(&self, id: &Id) {
        if self.held().remove(id) {
            let _ = std::fs::remove_file(self.path(id));
        }
    }

    /// Removes those of containers that are not there.
    pub fn retain(&self, is_there: impl Fn(&Id) -> bool) {
        let gone: Vec<Id> = self.held().iter().filter(|id| !is_there(id)).cloned().collect();
        gone.iter().for_each(|id| self.remove(id));
    }

    fn held(&self) -> MutexGuard<'_, HashSet<Id>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: &Id) -> PathBuf {
        self.directory.join(id.as_str())
    }
}
