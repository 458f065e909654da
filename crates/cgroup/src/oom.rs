use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::EventfdFlags;
use rustix::fs::{Mode, OFlags, inotify};
use values::{Error, Result, ResultExt};

use crate::group::put;
use crate::{Cgroup, Version};

/// Tells of kills for want of memory. Its descriptor polls readable when there is something to [`OomWatch::take`].
#[derive(Debug)]
pub struct OomWatch {
    fd: OwnedFd,
    file: PathBuf,
    seen: u64,
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
        let seen = count(&file)?;
        Ok(OomWatch { fd, file, seen })
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
    /// Takes the notice away; how many processes were killed since the last call. Notices come for other
    /// reasons too (the group's removal), then it is 0.
    pub fn take(&mut self) -> Result<u64> {
        let mut buffer = [0u8; 4096];
        match rustix::io::read(&self.fd, &mut buffer) {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(Error::internal(format!("watch {}: {error}", self.file.display()))),
        }
        let now = count(&self.file).unwrap_or(self.seen);
        let new = now.saturating_sub(self.seen);
        self.seen = now;
        Ok(new)
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
