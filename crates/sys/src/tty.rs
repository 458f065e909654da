//! Terminals: <https://man7.org/linux/man-pages/man2/TIOCSCTTY.2const.html>

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::{Result, last_error};

/// Master and slave of one pseudo-terminal.
#[derive(Debug)]
pub struct Pair {
    pub master: OwnedFd,
    pub slave: OwnedFd,
}

/// Opens a pseudo-terminal in the devpts instance of which `devpts` is a descriptor, and of no other: no path
/// is looked up but `ptmx` right below it. Both ends close-on-exec.
pub fn open(devpts: impl AsFd) -> Result<Pair> {
    use rustix::fs::{Mode, OFlags, ResolveFlags};
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let master = rustix::fs::openat2(devpts, c"ptmx", flags, Mode::empty(), resolve)?;
    rustix::pty::unlockpt(&master)?;
    let slave =
        rustix::pty::ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    Ok(Pair { master, slave })
}

/// Sets the size in characters.
pub fn resize(tty: impl AsFd, rows: u16, cols: u16) -> Result<()> {
    rustix::termios::tcsetwinsize(tty, Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 })
}

/// Makes it the controlling terminal of the calling session leader.
pub fn control(tty: impl AsFd) -> Result<()> {
    let fd = tty.as_fd().as_raw_fd();
    // SAFETY: the argument is a number: 0, do not steal.
    if unsafe { libc::ioctl(fd, libc::TIOCSCTTY, 0) } < 0 { Err(last_error()) } else { Ok(()) }
}

/// Makes a process group the terminal's foreground one.
pub fn set_foreground(tty: impl AsFd, group: i32) -> Result<()> {
    // SAFETY: the argument points to an int which outlives the call.
    let result = unsafe { libc::ioctl(tty.as_fd().as_raw_fd(), libc::TIOCSPGRP, &raw const group) };
    if result < 0 { Err(last_error()) } else { Ok(()) }
}
