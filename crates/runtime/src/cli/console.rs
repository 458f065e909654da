//! Terminals: handed over by `--console-socket`, or relayed to our own.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{WaitId, WaitIdOptions};
use rustix::termios::{OptionalActions, Termios};
use sys::signal::Set;

use super::Failure;
use crate::Stdio;

/// Our own streams for a process without a terminal.
pub(super) fn inherited() -> Result<Stdio, Failure> {
    let dup = |fd: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(fd, 3).map_err(|errno| format!("dup: {errno}"));
    Ok(Stdio::Pipes {
        stdin: Some(dup(rustix::stdio::stdin())?),
        stdout: dup(rustix::stdio::stdout())?,
        stderr: dup(rustix::stdio::stderr())?,
    })
}

/// Sends a terminal's master to whoever listens at `path`.
pub(super) fn hand_over(path: &str, master: &OwnedFd) -> Result<(), Failure> {
    let failed = |errno: Errno| format!("console socket {path}: {errno}");
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(failed)?;
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    rustix::net::connect(&socket, &address).map_err(failed)?;
    sys::scm::send(&socket, b"/dev/ptmx", &[master.as_fd()]).map_err(failed).map(drop)
}

/// Gives our terminal back as it was.
struct Restore(Option<Termios>);

impl Restore {
    fn raw() -> Self {
        let stdin = rustix::stdio::stdin();
        let Ok(old) = rustix::termios::tcgetattr(stdin) else { return Self(None) };
        let mut raw = old.clone();
        raw.make_raw();
        let _ = rustix::termios::tcsetattr(stdin, OptionalActions::Now, &raw);
        Self(Some(old))
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(old) = &self.0 {
            let _ = rustix::termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, old);
        }
    }
}

/// Blocks the signals which [`attend`] passes on; to be called before the process starts, so that none is lost.
pub(super) fn hold_signals() -> Result<Set, Failure> {
    let mut set = Set::ALL;
    for own in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT, libc::SIGTRAP, libc::SIGSYS] {
        set = set.without(own);
    }
    // A process that is started resets its own mask.
    sys::signal::set_mask(set).map_err(|errno| format!("sigprocmask: {errno}"))?;
    Ok(set)
}

/// Waits for the process' end, passing on signals and, with a terminal, all that is typed and written. Its exit status;
/// 128 + the signal that killed it.
pub(super) fn attend(pidfd: &OwnedFd, console: Option<OwnedFd>, signals: Set) -> Result<u8, Failure> {
    let failed = |errno: Errno| format!("wait for the process: {errno}");
    let _restore = console.as_ref().map(|_| Restore::raw());
    let queue = sys::signal::descriptor(signals).map_err(failed)?;
    if let Some(console) = &console {
        copy_size(console);
    }
    let (mut output, mut input) = (console.is_some(), console.is_some());
    loop {
        let (stdin, master) = (rustix::stdio::stdin(), console.as_ref().map_or(pidfd.as_fd(), AsFd::as_fd));
        let watch = |on: bool| if on { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = [
            PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(queue.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(master, watch(output)),
            PollFd::from_borrowed_fd(stdin, watch(input)),
        ];
        match rustix::event::poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            other => other.map_err(failed)?,
        };
        let ready = fds.map(|fd| !fd.revents().is_empty());
        if ready[1] {
            pass_on(&queue, pidfd, console.as_ref());
        }
        if ready[2] && output {
            output = copy(master, rustix::stdio::stdout());
        }
        if ready[3] && input {
            input = copy(stdin, master);
        }
        if ready[0] {
            // What was written last is still in the terminal.
            while output && copy(master, rustix::stdio::stdout()) {}
            return status(pidfd).map_err(failed);
        }
    }
}

fn status(pidfd: &OwnedFd) -> Result<u8, Errno> {
    let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)?;
    let code =
        status.and_then(|status| status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal)));
    Ok(code.unwrap_or(255) as u8)
}

fn pass_on(queue: &OwnedFd, pidfd: &OwnedFd, console: Option<&OwnedFd>) {
    let mut info = [0u8; 128];
    while let Ok(128) = rustix::io::read(queue, &mut info) {
        let signal = i32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
        match (signal, console) {
            (libc::SIGCHLD, _) => {}
            (libc::SIGWINCH, Some(console)) => copy_size(console),
            _ => {
                let _ = sys::signal::send(pidfd, signal);
            }
        }
    }
}

fn copy_size(console: &OwnedFd) {
    if let Ok(size) = rustix::termios::tcgetwinsize(rustix::stdio::stdin()) {
        let _ = sys::tty::resize(console, size.ws_row, size.ws_col);
    }
}

/// Moves what is there; false at the end.
fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
    let mut buffer = [0u8; 8192];
    let Ok(length) = rustix::io::read(from, &mut buffer) else { return false };
    let mut rest = &buffer[..length];
    while !rest.is_empty() {
        match rustix::io::write(to, rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    length > 0
}
