//! Namespaces: <https://man7.org/linux/man-pages/man7/namespaces.7.html>

use std::os::fd::{AsRawFd, BorrowedFd};

pub use rustix::thread::ThreadNameSpaceType as Kinds;

use crate::{Result, check};

/// Moves the calling *thread* into namespaces: `fd` is a namespace (one kind) or a pidfd (several at once).
/// With [`Kinds::PROCESS_ID`] only later children go there. In a process with worker threads call it on a
/// thread of its own that ends afterwards. <https://man7.org/linux/man-pages/man2/setns.2.html>
pub fn join(fd: BorrowedFd<'_>, kinds: Kinds) -> Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::syscall(libc::SYS_setns, fd.as_raw_fd(), kinds.bits()) }).map(drop)
}

/// New namespaces of these kinds for the calling *thread*.
/// <https://man7.org/linux/man-pages/man2/unshare.2.html>
pub fn unshare(kinds: Kinds) -> Result<()> {
    // SAFETY: only namespace flags: the descriptor table, which Rust's owners rely on, stays shared.
    check(unsafe { libc::syscall(libc::SYS_unshare, kinds.bits()) }).map(drop)
}

/// Root and working directory of the calling *thread*'s own (`CLONE_FS`): what a thread needs that joins a mount namespace,
/// or changes its directory, in a process with others.
pub fn unshare_directories() -> Result<()> {
    // SAFETY: takes no memory; the descriptor table stays shared.
    check(unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_FS) }).map(drop)
}
