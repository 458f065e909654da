//! What other runtimes leave: they join hierarchies that we do not use (named ones, the unified one of a hybrid host).

use std::path::{Path, PathBuf};

use crate::Host;

/// Removes the group `path` (as in `/lighter`) and the groups directly below it from the hierarchies that are not ours, as
/// far as no process is in them.
pub fn remove_foreign(path: &str) {
    let Ok(host) = Host::detect() else { return };
    let ours = |mount: &Path| host.hierarchies.iter().any(|one| one.mount == mount);
    for mount in all_mounts().into_iter().filter(|mount| !ours(mount)) {
        let group = mount.join(path.trim_start_matches('/'));
        for child in std::fs::read_dir(&group).into_iter().flatten().flatten() {
            if child.file_type().is_ok_and(|kind| kind.is_dir()) {
                let _ = std::fs::remove_dir(child.path());
            }
        }
        let _ = std::fs::remove_dir(&group);
    }
}

/// Where hierarchies are mounted, ours and others.
pub(crate) fn all_mounts() -> Vec<PathBuf> {
    mounts(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()).collect()
}

/// Where hierarchies are mounted: lines of `/proc/PID/mountinfo`.
fn mounts(mountinfo: &str) -> impl Iterator<Item = PathBuf> + '_ {
    mountinfo.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let is_cgroup = matches!(kind.split(' ').next(), Some("cgroup" | "cgroup2"));
        is_cgroup.then(|| place.split(' ').nth(4).map(PathBuf::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_hierarchies_are_found() {
        let text = "30 24 0:26 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
                    31 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n32 24 0:28 / /x rw - tmpfs none rw\n";
        let found: Vec<PathBuf> = mounts(text).collect();
        assert_eq!(found, [Path::new("/sys/fs/cgroup/systemd"), Path::new("/sys/fs/cgroup/unified")]);
    }
}
