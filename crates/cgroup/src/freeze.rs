use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify;
use values::{Error, Result, ResultExt};

use crate::group::put;
use crate::{Cgroup, Version};

/// How long v1's freezer is left alone before it is looked at again; it tells nobody when it is done.
const PAUSE: Duration = Duration::from_micros(500);
/// How long a kill waits for the freezer, which only makes it atomic.
const KILL_FREEZE: Duration = Duration::from_millis(100);

impl Cgroup {
    /// Stops every process; when the kernel has not managed until the deadline (a process in an
    /// uninterruptible wait), everything is thawed again and it is an error.
    pub fn freeze(&self, deadline: Duration) -> Result<()> {
        let until = Instant::now() + deadline;
        let result = match self.version() {
            Version::V1 => self.freeze_v1(until),
            Version::V2 => self.freeze_v2(until),
        };
        if result.is_err() {
            let _ = self.thaw();
        }
        result
    }

    pub fn thaw(&self) -> Result<()> {
        let (file, value) = match self.version() {
            Version::V1 => ("freezer.state", "THAWED"),
            Version::V2 => ("cgroup.freeze", "0"),
        };
        let path = self.freezer()?.join(file);
        put(&path, value).during(|| format!("write {}", path.display()))
    }

    /// Whether the group is frozen (or on its way there).
    pub fn frozen(&self) -> Result<bool> {
        let (file, value) = match self.version() {
            Version::V1 => ("freezer.state", "THAWED"),
            Version::V2 => ("cgroup.freeze", "0"),
        };
        Ok(self.read("freezer", file)?.trim() != value)
    }

    /// SIGKILL to every process, atomically where the kernel can; does not wait for their end.
    pub fn kill_all(&self) -> Result<()> {
        if self.version() == Version::V2 {
            let path = self.freezer()?.join("cgroup.kill");
            if put(&path, "1").is_ok() {
                return Ok(());
            }
        }
        // Frozen processes cannot fork away from the list; without it, a few rounds have to do.
        let frozen = self.freeze(KILL_FREEZE).is_ok();
        for _ in 0..if frozen { 1 } else { 5 } {
            let pids = self.pids()?;
            if pids.is_empty() {
                break;
            }
            for pid in pids {
                match sys::signal::kill(pid, libc_sigkill()) {
                    Ok(()) | Err(sys::Errno::SRCH) => {}
                    Err(error) => return Err(Error::internal(format!("kill process {pid}: {error}"))),
                }
            }
        }
        if frozen { self.thaw() } else { Ok(()) }
    }

    fn freezer(&self) -> Result<&Path> {
        self.directory("freezer").ok_or_else(|| Error::unavailable("the freezer controller is not available"))
    }

    fn freeze_v1(&self, until: Instant) -> Result<()> {
        let path = self.freezer()?.join("freezer.state");
        loop {
            // Again each time: it also catches processes forked or moved in meanwhile.
            put(&path, "FROZEN").during(|| format!("write {}", path.display()))?;
            if self.read("freezer", "freezer.state")?.trim() == "FROZEN" {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(unable());
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn freeze_v2(&self, until: Instant) -> Result<()> {
        let group = self.freezer()?;
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)
            .map_err(std::io::Error::from)?;
        inotify::add_watch(&watch, group.join("cgroup.events"), inotify::WatchFlags::MODIFY)
            .map_err(std::io::Error::from)?;
        let path = group.join("cgroup.freeze");
        put(&path, "1").during(|| format!("write {}", path.display()))?;
        loop {
            if self.read("freezer", "cgroup.events")?.lines().any(|line| line == "frozen 1") {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(unable());
            }
            let timeout =
                rustix::event::Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            let _ = rustix::event::poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&timeout));
            let mut buffer = [0u8; 1024];
            let _ = rustix::io::read(&watch, &mut buffer);
        }
    }
}

fn unable() -> Error {
    Error::internal("unable to freeze: the kernel has not stopped every process in time")
}

fn libc_sigkill() -> i32 {
    rustix::process::Signal::KILL.as_raw()
}
