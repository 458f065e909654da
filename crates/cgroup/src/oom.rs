use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::EventfdFlags;
use rustix::fs::{Mode, OFlags, inotify};
use rustix::io::Errno;
use values::{Error, Result, ResultExt};

use crate::group::put;
use crate::{Cgroup, Version};

/// Tells of kills for want of memory. Its descriptor polls readable when there is something to [`OomWatch::take`].
#[derive(Debug)]
pub struct OomWatch {
    fd: OwnedFd,
    version: Version,
    file: PathBuf,
    seen: u64,
    /// The parent's count at that time, where it includes its children's (v2). It outlives the group, which systemd
    /// removes as soon as it is empty, perhaps before anyone could read it.
    parent: Option<u64>,
}

impl Cgroup {
    /// Starts to watch (v1: an eventfd on `memory.oom_control`, v2: inotify on `memory.events`).
    pub fn oom_watch(&self) -> Result<OomWatch> {
        let group = self.memory()?;
        let file = group.join(self.oom_file());
        let fd = match self.version() {
            Version::V1 => eventfd(group, &file),
            Version::V2 => watch(&file),
        }
        .during(|| format!("watch {}", file.display()))?;
        OomWatch::new(fd, self.version(), file)
    }

    /// How many processes were killed for want of memory so far.
    pub fn oom_count(&self) -> Result<u64> {
        count(&self.memory()?.join(self.oom_file()))
    }

    fn oom_file(&self) -> &'static str {
        match self.version() {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        }
    }

    fn memory(&self) -> Result<&Path> {
        self.directory("memory").ok_or_else(|| Error::unavailable("the memory controller is not available"))
    }
}

impl OomWatch {
    fn new(fd: OwnedFd, version: Version, file: PathBuf) -> Result<Self> {
        let seen = count(&file)?;
        let mut watch = Self { fd, version, file, seen, parent: None };
        watch.parent = watch.count_of_parent();
        Ok(watch)
    }

    /// Takes the notice away; how many processes were killed since the last call. Notices come for other
    /// reasons too (the group's removal, its limit reached), then it is 0. Of a group that is gone: what the parent
    /// counted since then, if there is a notice that the group's own count had changed.
    pub fn take(&mut self) -> Result<u64> {
        let told = self.drain().map_err(|e| Error::internal(format!("watch {}: {e}", self.file.display())))?;
        let parent = self.count_of_parent();
        let before = std::mem::replace(&mut self.parent, parent);
        let Ok(now) = count(&self.file) else {
            return Ok(match (told, before, parent) {
                (true, Some(before), Some(now)) => now.saturating_sub(before),
                _ => 0,
            });
        };
        let new = now.saturating_sub(self.seen);
        self.seen = now;
        Ok(new)
    }

    /// Whether one of the notices was of a change (v1 tells the removal by the same number).
    fn drain(&self) -> rustix::io::Result<bool> {
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        if self.version == Version::V1 {
            return match rustix::io::read(&self.fd, &mut buffer[..8]) {
                Ok(_) | Err(Errno::AGAIN) => Ok(false),
                Err(error) => Err(error),
            };
        }
        let mut notices = inotify::Reader::new(&self.fd, &mut buffer);
        let mut changed = false;
        loop {
            match notices.next() {
                Ok(notice) => changed |= notice.events().contains(inotify::ReadFlags::MODIFY),
                Err(Errno::AGAIN) => return Ok(changed),
                Err(error) => return Err(error),
            }
        }
    }

    fn count_of_parent(&self) -> Option<u64> {
        if self.version == Version::V1 {
            return None;
        }
        let parent = self.file.parent()?.parent()?;
        count(&parent.join(self.file.file_name()?)).ok()
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn eventfd(group: &Path, file: &Path) -> std::io::Result<OwnedFd> {
    let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let control = rustix::fs::open(file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    put(&group.join("cgroup.event_control"), &format!("{} {}", event.as_raw_fd(), control.as_raw_fd()))?;
    Ok(event)
}

fn watch(file: &Path) -> std::io::Result<OwnedFd> {
    let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&fd, file, inotify::WatchFlags::MODIFY)?;
    Ok(fd)
}

/// The `oom_kill` line.
fn count(file: &Path) -> Result<u64> {
    let text = std::fs::read_to_string(file).during(|| format!("read {}", file.display()))?;
    Ok(text.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|text| text.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group and its parent as ordinary files; what is watched and when it goes is as with v2's.
    struct Groups {
        root: PathBuf,
        watch: OomWatch,
    }

    impl Groups {
        fn new(name: &str, parent: u64) -> Self {
            let root = std::env::temp_dir().join(format!("lighter-oom-{}-{name}", std::process::id()));
            std::fs::create_dir_all(root.join("group")).unwrap();
            let file = root.join("group/memory.events");
            write(&file, 0);
            write(&root.join("memory.events"), parent);
            let watch = OomWatch::new(watch(&file).unwrap(), Version::V2, file).unwrap();
            Self { root, watch }
        }

        fn group_counts(&self, kills: u64) {
            write(&self.root.join("group/memory.events"), kills);
        }

        fn parent_counts(&self, kills: u64) {
            write(&self.root.join("memory.events"), kills);
        }

        fn remove_group(&self) {
            std::fs::remove_dir_all(self.root.join("group")).unwrap();
        }
    }

    impl Drop for Groups {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.root);
        }
    }

    fn write(file: &Path, kills: u64) {
        std::fs::write(file, format!("low 0\nmax 7\noom {kills}\noom_kill {kills}\n")).unwrap();
    }

    #[test]
    fn kills_are_counted_once() {
        let mut groups = Groups::new("once", 4);
        assert_eq!(groups.watch.take().unwrap(), 0);
        groups.group_counts(2);
        assert_eq!(groups.watch.take().unwrap(), 2);
        assert_eq!(groups.watch.take().unwrap(), 0);
    }

    #[test]
    fn a_group_that_is_gone_is_counted_by_its_parent() {
        let mut groups = Groups::new("gone", 4);
        groups.group_counts(1);
        groups.parent_counts(5);
        groups.remove_group();
        assert_eq!(groups.watch.take().unwrap(), 1);
    }

    #[test]
    fn others_kills_are_not_those_of_a_group_that_is_gone() {
        let mut quiet = Groups::new("quiet", 4);
        quiet.parent_counts(5);
        quiet.remove_group();
        assert_eq!(quiet.watch.take().unwrap(), 0);
        // It had reached its limit; the last who was killed anywhere was killed before that.
        let mut full = Groups::new("full", 4);
        full.parent_counts(5);
        full.group_counts(0);
        assert_eq!(full.watch.take().unwrap(), 0);
        full.group_counts(0);
        full.remove_group();
        assert_eq!(full.watch.take().unwrap(), 0);
    }
}
