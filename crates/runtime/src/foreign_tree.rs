//! Mount trees of other mount namespaces: a container's `/dev/shm`, which another container shares.
//!
//! The kernel clones a tree for callers in its own namespace only (`open_tree(2)`); the detached clone may go anywhere.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use sys::namespace::{self, Kinds};

/// Splits `/proc/PID/root/PATH`; None for any other path.
pub(crate) fn split(source: &str) -> Option<(&str, &str)> {
    let (pid, path) = source.strip_prefix("/proc/")?.split_once("/root/")?;
    let is_pid = !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit());
    is_pid.then_some((pid, path))
}

/// A detached clone of `path` as the process `pid` sees it; links stay inside its root.
pub(crate) fn clone(pid: &str, path: &str, flags: OpenTreeFlags) -> Result<OwnedFd, Errno> {
    let open = |path: String, flags: OFlags| rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty());
    let root = open(format!("/proc/{pid}/root"), OFlags::PATH | OFlags::DIRECTORY)?;
    let place = sys::path::open_in_root(&root, path, OFlags::PATH | OFlags::CLOEXEC)?;
    let mounts = open(format!("/proc/{pid}/ns/mnt"), OFlags::RDONLY)?;
    // A thread of its own: it cannot come back to where its root and working directory were.
    let thread = std::thread::Builder::new().spawn(move || {
        // Only who shares its root with nobody may join; a new namespace is how a thread gets a root of its own.
        namespace::unshare(Kinds::MOUNT)?;
        namespace::join(mounts.as_fd(), Kinds::MOUNT)?;
        rustix::mount::open_tree(&place, c"", flags | OpenTreeFlags::AT_EMPTY_PATH)
    });
    let thread = thread.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::AGAIN))?;
    thread.join().unwrap_or(Err(Errno::INVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        let check = |source: &str, expected: Option<(&str, &str)>| assert_eq!(split(source), expected);
        check("/proc/12/root/dev/shm", Some(("12", "dev/shm")));
        check("/proc/12/root", None);
        check("/proc/self/root/dev", None);
        check("/proc//root/dev", None);
        check("/srv/proc/12/root/dev", None);
    }

    /// Needs root.
    #[test]
    fn of_a_process_in_another_namespace() {
        let mut child = std::process::Command::new("unshare")
            .args(["-m", "sh", "-c", "mount -t tmpfs x /dev/shm && touch /dev/shm/seen && echo ready && exec sleep 60"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = clone(&child.id().to_string(), "dev/shm", flags);
        let seen = tree.map(|tree| rustix::fs::statat(&tree, "seen", rustix::fs::AtFlags::empty()).is_ok());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen, Ok(true));
        assert!(std::fs::metadata("/dev/shm/seen").is_err());
    }
}
