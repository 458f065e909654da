use std::os::unix::fs::chown;
use std::path::Path;

use values::{Result, ResultExt};

use crate::{Cgroup, Version};

/// The kernel's own list of what a delegated group's owner may write.
const LIST: &str = "/sys/kernel/cgroup/delegate";
/// The same where the kernel has no list (before Linux 4.15).
const FILES: [&str; 3] = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

impl Cgroup {
    /// Gives the group to a user (an id of the host's), who may then have groups below it; limits stay ours. On v1, where that is
    /// not safe, nothing is done.
    ///
    /// Source: config-linux.md, "Cgroup ownership"; cgroups(7), "Cgroups delegation".
    pub fn give(&self, uid: u32) -> Result<()> {
        if self.version() == Version::V1 {
            return Ok(());
        }
        let text = std::fs::read_to_string(LIST).ok();
        self.directories().try_for_each(|directory| give(directory, uid, &files(text.as_deref())))
    }
}

fn files(list: Option<&str>) -> Vec<&str> {
    list.map_or_else(|| FILES.to_vec(), |text| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect())
}

fn give(directory: &Path, uid: u32, files: &[&str]) -> Result<()> {
    let what = |path: &Path| format!("chown control group {}", path.display());
    chown(directory, Some(uid), None).during(|| what(directory))?;
    for file in files {
        let path = directory.join(file);
        match chown(&path, Some(uid), None) {
            // not every group has every file
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.during(|| what(&path))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn lists() {
        assert_eq!(files(None), FILES);
        assert_eq!(files(Some("cgroup.procs\nmemory.oom.group\n")), ["cgroup.procs", "memory.oom.group"]);
    }

    /// Needs root.
    #[test]
    fn only_what_is_listed_is_given() {
        let group = std::env::temp_dir().join(format!("lighter-give-{}", std::process::id()));
        std::fs::create_dir(&group).unwrap();
        for file in ["cgroup.procs", "memory.max"] {
            std::fs::write(group.join(file), "").unwrap();
        }
        let outcome = give(&group, 4711, &["cgroup.procs", "cgroup.absent"]);
        let owner = |path: &str| std::fs::metadata(group.join(path)).unwrap().uid();
        let owners = ["", "cgroup.procs", "memory.max"].map(owner);
        std::fs::remove_dir_all(&group).unwrap();
        outcome.unwrap();
        assert_eq!(owners, [4711, 4711, 0]);
    }
}
