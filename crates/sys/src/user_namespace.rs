//! User namespaces before anybody lives in them: <https://man7.org/linux/man-pages/man7/user_namespaces.7.html>

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::clone::{Clone, spawn};
use crate::namespace::Kinds;
use crate::{Errno, Result};

/// A namespace that lives as long as its descriptors do.
#[derive(Debug)]
pub struct Made {
    pub user: OwnedFd,
    /// A network namespace which belongs to it, if one was wanted.
    pub network: Option<OwnedFd>,
}

/// Makes a user namespace. `uids` and `gids` are what `/proc/PID/uid_map` and `gid_map` take: lines of `INSIDE OUTSIDE
/// COUNT`. A process that does nothing is born in it and ended again: who made the namespace stays where he is.
/// Allocates; may be called from any thread.
pub fn make(uids: &str, gids: &str, with_network: bool) -> Result<Made> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let kinds = if with_network { Kinds::USER | Kinds::NETWORK } else { Kinds::USER };
    let child = spawn(&Clone { namespaces: Some(kinds), cgroup: None }, || {
        // Its copy of our end is closed, so that it ends when we do.
        // SAFETY: the descriptor is not used again in this process.
        unsafe { libc::close(write.as_raw_fd()) };
        let _ = rustix::io::read(&read, &mut [0u8; 1]);
        0
    })?;
    let made = write_maps(child.pid, uids, gids).and_then(|()| {
        let open = |name: &str| {
            let path = format!("/proc/{}/ns/{name}", child.pid);
            rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        };
        Ok(Made { user: open("user")?, network: if with_network { Some(open("net")?) } else { None } })
    });
    let _ = crate::signal::send(&child.pidfd, libc::SIGKILL);
    let raw = child.pidfd.into_raw_fd();
    // SAFETY: `siginfo_t` is plain data; the descriptor is ours and closed once.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        while libc::waitid(libc::P_PIDFD, raw as libc::id_t, &raw mut info, libc::WEXITED) < 0
            && crate::last_error() == Errno::INTR
        {}
        libc::close(raw);
    }
    made
}

/// Each in one write, as the kernel wants it.
fn write_maps(pid: i32, uids: &str, gids: &str) -> Result<()> {
    for (name, text) in [("uid_map", uids), ("gid_map", gids)] {
        let file = rustix::fs::open(format!("/proc/{pid}/{name}"), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&file, text.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs root.
    #[test]
    fn made_with_a_network() {
        let made = make("0 100000 65536\n", "0 200000 1000\n", true).unwrap();
        assert!(made.network.is_some());
        assert!(make("0 100000 65536\n", "nonsense\n", false).is_err());
    }
}
