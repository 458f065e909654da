//! Signals: <https://man7.org/linux/man-pages/man7/signal.7.html>

use std::os::fd::{FromRawFd, OwnedFd};

use crate::{Errno, Result, check, last_error};

/// Bit `n - 1` is signal `n`, as the kernel has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set(pub u64);

impl Set {
    pub const EMPTY: Self = Self(0);
    pub const ALL: Self = Self(!0);

    pub const fn with(self, signal: i32) -> Self {
        Self(self.0 | 1 << (signal - 1))
    }
    pub const fn without(self, signal: i32) -> Self {
        Self(self.0 & !(1 << (signal - 1)))
    }
    pub const fn has(self, signal: i32) -> bool {
        self.0 & 1 << (signal - 1) != 0
    }
}

/// Blocks exactly these; returns what was blocked before.
/// <https://man7.org/linux/man-pages/man2/sigprocmask.2.html>
pub fn set_mask(set: Set) -> Result<Set> {
    let mut old = Set::EMPTY;
    // SAFETY: both are 8 bytes, the size told.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const set.0, &raw mut old.0, size_of::<u64>())
    };
    check(result).map(|_| old)
}

/// Every signal back to its default action, none blocked: how a program expects to be started.
pub fn reset_all() -> Result<()> {
    // SAFETY: all zero is SIG_DFL with no flags; larger than any architecture's kernel_sigaction.
    let default = [0u64; 8];
    for signal in 1..=64 {
        if signal == libc::SIGKILL || signal == libc::SIGSTOP {
            continue;
        }
        // SAFETY: the kernel reads its sigaction structure from `default`.
        check(unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null::<u64>(), size_of::<u64>())
        })?;
    }
    set_mask(Set::EMPTY).map(drop)
}

/// Ignores a signal (for the keeper of a terminal: SIGTTOU; for a writer to pipes: SIGPIPE).
pub fn ignore(signal: i32) -> Result<()> {
    // SAFETY: SIG_IGN is no function of ours.
    if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR { Err(last_error()) } else { Ok(()) }
}

/// Waits for one of these (blocked) signals and takes it.
/// <https://man7.org/linux/man-pages/man2/sigwaitinfo.2.html>
pub fn wait(set: Set) -> Result<i32> {
    loop {
        // SAFETY: the kernel reads 8 bytes; null: no details, no timeout.
        let result = check(unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &raw const set.0,
                std::ptr::null_mut::<libc::siginfo_t>(),
                std::ptr::null::<libc::timespec>(),
                size_of::<u64>(),
            )
        });
        match result {
            Err(Errno::INTR) => {}
            other => return other.map(|signal| signal as i32),
        }
    }
}

/// A descriptor which is readable when one of these (blocked) signals is pending; close-on-exec, non-blocking.
/// Each read gives `struct signalfd_siginfo`, 128 bytes, the first four of which are the signal's number.
/// <https://man7.org/linux/man-pages/man2/signalfd.2.html>
pub fn descriptor(set: Set) -> Result<OwnedFd> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the kernel reads 8 bytes and returns a new descriptor.
    unsafe {
        let fd = check(libc::syscall(libc::SYS_signalfd4, -1, &raw const set.0, size_of::<u64>(), flags))?;
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}

/// Sends a signal by number (0 only checks) to a process: <https://man7.org/linux/man-pages/man2/kill.2.html>
pub fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: takes no memory.
    if unsafe { libc::kill(pid, signal) } < 0 { Err(last_error()) } else { Ok(()) }
}

/// Sends a signal by number to a process by its descriptor.
/// <https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html>
pub fn send(pidfd: impl std::os::fd::AsFd, signal: i32) -> Result<()> {
    use std::os::fd::AsRawFd;
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: null: no details.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, std::ptr::null::<libc::siginfo_t>(), 0) })
        .map(drop)
}
