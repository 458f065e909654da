//! `clone3(2)`: <https://man7.org/linux/man-pages/man2/clone3.2.html>

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::thread::ThreadNameSpaceType;

use crate::{Errno, Result, check};

/// `CLONE_INTO_CGROUP`; libc's constant is of a too narrow type.
const INTO_CGROUP: u64 = 1 << 33;

/// What the new process gets that is not a copy of ours.
#[derive(Debug, Default)]
pub struct Clone<'a> {
    /// Namespaces to be made (`CLONE_NEW…`).
    pub namespaces: Option<ThreadNameSpaceType>,
    /// A cgroup v2 directory to be born in (`CLONE_INTO_CGROUP`).
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// A new process.
#[derive(Debug)]
pub struct Child {
    /// In our pid namespace.
    pub pid: i32,
    pub pidfd: OwnedFd,
}

/// Ends the process even when `child` unwinds: it must never return into a copy of the caller's stack.
struct Exit;

impl Drop for Exit {
    fn drop(&mut self) {
        exit(127)
    }
}

/// Forks with `clone3` and runs `child` in the new process, which ends with the status it returns.
///
/// The memory is a copy (no `CLONE_VM`). When the calling process has more than one thread, `child` must restrict itself to
/// what is async-signal-safe: no allocation, no locks; another thread may have held one at the fork.
pub fn spawn(what: &Clone<'_>, child: impl FnOnce() -> i32) -> Result<Child> {
    let mut pidfd: libc::c_int = -1;
    let pid = clone3(what, libc::CLONE_PIDFD as u64, (&raw mut pidfd) as u64, child)?;
    // SAFETY: the kernel stored a descriptor of ours there.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid, pidfd })
}

/// [`spawn`] by way of other namespaces: a process between us and the new one joins them in this order, so that what the
/// clone makes belongs to a user namespace among them, and ends. The new process is our own child all the same.
pub fn spawn_inside(
    join: &[(BorrowedFd<'_>, ThreadNameSpaceType)],
    what: &Clone<'_>,
    child: impl FnOnce() -> i32,
) -> Result<Child> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let between = fork(|| {
        let joined = join.iter().try_for_each(|(fd, kinds)| crate::namespace::join(*fd, *kinds));
        let made = joined.and_then(|()| clone3(what, libc::CLONE_PARENT as u64, 0, child));
        let word = made.unwrap_or_else(|errno| -errno.raw_os_error());
        i32::from(rustix::io::write(&write, &word.to_ne_bytes()).is_err())
    })?;
    drop(write);
    let mut word = [0u8; 4];
    let length = loop {
        match rustix::io::read(&read, &mut word) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    let between = rustix::process::Pid::from_raw(between);
    while let Err(Errno::INTR) = rustix::process::waitpid(between, rustix::process::WaitOptions::empty()) {}
    match i32::from_ne_bytes(word) {
        _ if length < word.len() => Err(Errno::CHILD),
        pid if pid > 0 => {
            let raw = rustix::process::Pid::from_raw(pid).ok_or(Errno::SRCH)?;
            // Nobody but us can reap it: the number is still its own.
            Ok(Child { pid, pidfd: rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty())? })
        }
        errno => Err(Errno::from_raw_os_error(-errno)),
    }
}

/// The new process' number in the caller's pid namespace. With `CLONE_PARENT` the signal at its end is the caller's own.
fn clone3(what: &Clone<'_>, flags: u64, pidfd: u64, child: impl FnOnce() -> i32) -> Result<i32> {
    // SAFETY: clone_args is plain data, all zero is its empty value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | what.namespaces.map_or(0, |kinds| u64::from(kinds.bits()));
    args.pidfd = pidfd;
    args.exit_signal = if flags & libc::CLONE_PARENT as u64 == 0 { libc::SIGCHLD as u64 } else { 0 };
    if let Some(cgroup) = what.cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child has its own copy of memory and stack; `args` outlives the call.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) })?;
    if pid == 0 {
        let _guard = Exit;
        exit(child())
    }
    Ok(pid as i32)
}

/// Ends the process at once, running nothing: <https://man7.org/linux/man-pages/man2/exit_group.2.html>
pub fn exit(status: i32) -> ! {
    // SAFETY: takes no memory; does not return.
    unsafe { libc::_exit(status) }
}

/// A plain fork without `clone3`, which a seccomp filter may already forbid; the new process' number.
/// The same rules as for [`spawn`] hold. <https://man7.org/linux/man-pages/man2/clone.2.html>
pub fn fork(child: impl FnOnce() -> i32) -> Result<i32> {
    // SAFETY: only SIGCHLD, no CLONE_VM: a copy of memory and stack; all other arguments are unused.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) })?;
    if pid == 0 {
        let _guard = Exit;
        exit(child())
    }
    Ok(pid as i32)
}

/// A plain fork whose child is our parent's (`CLONE_PARENT`): 0 in the new process, its number (in our pid namespace) here.
/// Both go on with the same memory; the same rules as for [`spawn`] hold, and neither may return into what the other owns.
/// <https://man7.org/linux/man-pages/man2/clone.2.html>
pub fn fork_sibling() -> Result<i32> {
    // SAFETY: no CLONE_VM: a copy of memory and stack; all other arguments are unused.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0) };
    check(pid).map(|pid| pid as i32)
}
