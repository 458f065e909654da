//! Descriptors.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::{Result, check};

/// Marks every descriptor from `first` on to be closed at exec.
/// <https://man7.org/linux/man-pages/man2/close_range.2.html>
pub fn close_at_exec_from(first: u32) -> Result<()> {
    close_range(first, libc::CLOSE_RANGE_CLOEXEC)
}

/// Closes every descriptor from `first` on. Owners of such descriptors must not be used any more: for a
/// process that is about to end or loop in its own small world.
pub fn close_from(first: u32) -> Result<()> {
    close_range(first, 0)
}

/// Closes every descriptor from `first` on but `kept` (in any order). Allocates nothing. The same rules as for
/// [`close_from`] hold.
pub fn close_all_but(mut first: u32, kept: impl Iterator<Item = RawFd> + Clone) -> Result<()> {
    let next = |first: u32| kept.clone().filter_map(|fd| u32::try_from(fd).ok()).filter(|fd| *fd >= first).min();
    while let Some(fd) = next(first) {
        if fd > first {
            close_between(first, fd - 1, 0)?;
        }
        first = fd + 1;
    }
    close_from(first)
}

fn close_range(first: u32, flags: libc::c_uint) -> Result<()> {
    close_between(first, u32::MAX, flags)
}

fn close_between(first: u32, last: u32, flags: libc::c_uint) -> Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) }).map(drop)
}

/// Bytes written to a socket which its peer has not taken yet (`SIOCOUTQ`, sockios.h; unix(7) sockets count their buffers'
/// size, so it is 0 exactly when all is taken).
pub fn untaken(socket: impl AsFd) -> Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: writes one int.
    check(i64::from(unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &mut bytes) }))?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Takes over a descriptor that was inherited by number (socket activation, `--preserve-fds`, a spawner's
/// promise). None when it is not open. The caller vouches that nothing else in the process owns it.
pub fn inherited(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: F_GETFD takes no memory.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return None;
    }
    // SAFETY: it is open, and by the contract above nobody else closes it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}
