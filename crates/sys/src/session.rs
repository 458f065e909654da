//! Sessions: <https://man7.org/linux/man-pages/man2/setsid.2.html>

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Makes `command`'s process the leader of a session of its own, away from our terminal and its signals.
pub fn in_new_session(command: &mut Command) {
    // SAFETY: between fork and exec only setsid(2) is called, which is async-signal-safe and touches no memory.
    unsafe {
        command.pre_exec(|| if libc::setsid() < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) });
    }
}

/// Whether this process leads its session. (rustix's `getsid` asks for one with a number: a session begun outside our PID
/// namespace, as of what `unshare --pid` starts, is 0 here.) <https://man7.org/linux/man-pages/man2/getsid.2.html>
pub fn is_own() -> bool {
    // SAFETY: both take no memory.
    unsafe { libc::getsid(0) == libc::getpid() }
}
