use std::os::fd::OwnedFd;

use cgroup::Cgroup;

use crate::{Fds, Launch, StartError};

/// A container which is set up whole and waits for [`Created::start`]. Dropped: it ends, cgroup removed.
#[derive(Debug)]
pub struct Created {
    running: Running,
}

/// A container's first process and what its keeper needs.
#[derive(Debug)]
pub struct Running {
    pub pid: i32,
    /// Readable when the process ended; wait for it with `waitid(P_PIDFD)`.
    pub pidfd: OwnedFd,
    /// Master of the terminal.
    pub console: Option<OwnedFd>,
    pub cgroup: Cgroup,
    /// The container's devpts, from which execs get their terminals.
    pub devpts: Option<OwnedFd>,
    /// Keeps the root file system alive: drop it *after* the exit was reported, because the last user's
    /// end pays for the unmount (an overlay's syncs its upper file system).
    pub root: Option<OwnedFd>,
}

/// Makes the container: cgroup, namespaces, mounts, everything up to `execve`.
/// On error nothing is left behind.
pub fn create(_launch: &Launch, _fds: Fds) -> Result<Created, StartError> {
    Err(StartError::other("being written"))
}

impl Created {
    pub fn pid(&self) -> i32 {
        self.running.pid
    }
    /// Lets the program run. When `execve` itself fails afterwards (wrong format, missing interpreter)
    /// the container prints `exec PATH: REASON` on its stderr and exits with 255, as Docker's do.
    pub fn start(self) -> Result<Running, StartError> {
        Ok(self.running)
    }
}

impl Running {
    /// A container that some other process started.
    pub fn open(_pid: i32, _cgroup_path: &str) -> Result<Self, StartError> {
        Err(StartError::other("being written"))
    }
}
