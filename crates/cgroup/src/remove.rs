use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use values::{Error, Result};

use crate::Cgroup;

/// A group whose last process has just ended may be busy for a moment.
const PATIENCE: Duration = Duration::from_millis(500);

impl Cgroup {
    /// Removes the group with what the container made below it; a busy one is tried again for half a
    /// second at most. What is gone already is fine.
    pub fn remove(&self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        // Each is tried, whatever happens to the others.
        self.directories().map(|directory| until_deadline(directory, until)).fold(Ok(()), Result::and)
    }
}

/// Removes a group and its children, deepest first.
pub(crate) fn tree(group: &Path) -> Result<()> {
    until_deadline(group, Instant::now() + PATIENCE)
}

fn until_deadline(group: &Path, until: Instant) -> Result<()> {
    let mut pause = Duration::from_micros(200);
    loop {
        match remove(group) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ResourceBusy && Instant::now() < until => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(20));
            }
            Err(error) => {
                return Err(Error::internal(format!("remove control group {}: {error}", group.display())));
            }
        }
    }
}

fn remove(group: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir(group) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // EBUSY is a process or a child group.
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            for entry in std::fs::read_dir(group)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    remove(&entry.path())?;
                }
            }
            match std::fs::remove_dir(group) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                other => other,
            }
        }
        Err(error) => Err(error),
    }
}
